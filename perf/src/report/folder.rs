//! Where the report goes: a folder that is new, empty, or holds an earlier report and nothing else.
//!
//! ```text
//!  DIR/  index.html  RESULTS.md  results.json  pictures/*.svg
//! ```
//!
//! All that can be told beforehand is told before anything is measured.

use std::fmt;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::json::Document;

const RESULTS: &str = "results.json";
const PICTURES: &str = "pictures";
/// All that we write, and so all that may be there.
const OURS: [&str; 4] = ["index.html", "RESULTS.md", RESULTS, PICTURES];
/// Written and removed to see whether that can be done.
const TRIED: &str = ".mainspring-perf-writes-here";

/// A folder that can be written.
#[derive(Debug)]
pub(crate) struct Folder(PathBuf);

/// Why it cannot, or should not.
#[derive(Debug)]
pub(crate) enum Refusal {
    NoFolder,
    Holds(String),
    Io(io::Error),
}

impl Folder {
    /// Makes it if there is none. What else it holds is refused, unless forced.
    pub(crate) fn open(path: &Path, force: bool) -> Result<Self, Refusal> {
        match fs::metadata(path) {
            Ok(there) if !there.is_dir() => return Err(Refusal::NoFolder),
            Ok(_) if !force => check(path)?,
            Err(error) if error.kind() == ErrorKind::NotFound => fs::create_dir_all(path)?,
            Err(error) => return Err(error.into()),
            Ok(_) => {}
        }
        let tried = path.join(TRIED);
        fs::write(&tried, "")?;
        fs::remove_file(&tried)?;
        Ok(Self(path.into()))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// The results, in place of the last ones or not at all.
    pub(crate) fn save(&self, document: &Document) -> io::Result<()> {
        let mut text = Vec::new();
        document.write(&mut text)?;
        let new = self.0.join(TRIED);
        fs::write(&new, text)?;
        fs::rename(&new, self.0.join(RESULTS))
    }

    pub(super) fn put(&self, name: &str, text: &str) -> io::Result<()> {
        fs::write(self.0.join(name), text)
    }

    /// These and no others: those of an earlier report go.
    pub(super) fn put_pictures(&self, pictures: &[(String, String)]) -> io::Result<()> {
        let folder = self.0.join(PICTURES);
        fs::create_dir_all(&folder)?;
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            if is_picture(&path) {
                fs::remove_file(path)?;
            }
        }
        pictures.iter().try_for_each(|(name, text)| fs::write(folder.join(name), text))
    }
}

/// Whether this folder is empty, or holds a report and nothing else.
fn check(path: &Path) -> Result<(), Refusal> {
    let mut names = Vec::new();
    for entry in fs::read_dir(path)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.retain(|name| name != TRIED);
    if let Some(other) = names.iter().find(|name| !OURS.contains(&name.as_str())) {
        return Err(Refusal::Holds(other.clone()));
    }
    // Names alone do not tell: many a folder has an index.html.
    if let Some(first) = names.first()
        && read(&path.join(RESULTS)).is_err()
    {
        return Err(Refusal::Holds(first.clone()));
    }
    let pictures = path.join(PICTURES);
    if pictures.exists() {
        for entry in fs::read_dir(&pictures)? {
            let path = entry?.path();
            if !is_picture(&path) {
                return Err(Refusal::Holds(path.display().to_string()));
            }
        }
    }
    Ok(())
}

fn is_picture(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "svg")
}

/// The results that a run has saved.
pub(crate) fn read(path: &Path) -> io::Result<Document> {
    let text = fs::read(path)?;
    serde_json::from_slice(&text).map_err(io::Error::from)
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoFolder => write!(f, "it is not a folder"),
            Self::Holds(what) => {
                write!(
                    f,
                    "it holds {what}, which is not of an earlier report (--force: write anyway)"
                )
            }
            Self::Io(error) => write!(f, "{error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::tests::document;

    #[test]
    fn an_earlier_report_is_replaced_and_its_pictures_go() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b");
        let folder = Folder::open(&path, false).unwrap();
        folder.save(&document(&[])).unwrap();
        folder.put_pictures(&[("old.svg".into(), String::new())]).unwrap();
        let folder = Folder::open(&path, false).unwrap();
        folder.put_pictures(&[("new.svg".into(), String::new())]).unwrap();
        let found: Vec<_> = fs::read_dir(path.join(PICTURES)).unwrap().collect();
        assert_eq!(found.len(), 1);
        assert!(path.join(PICTURES).join("new.svg").exists());
    }

    #[test]
    fn what_is_not_ours_is_refused_unless_forced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path();
        fs::write(path.join("index.html"), "somebody's page").unwrap();
        assert!(
            matches!(Folder::open(path, false), Err(Refusal::Holds(what)) if what == "index.html")
        );
        let folder = Folder::open(path, true).unwrap();
        folder.save(&document(&[])).unwrap();
        Folder::open(path, false).unwrap();
        fs::write(path.join("letter"), "").unwrap();
        assert!(matches!(Folder::open(path, false), Err(Refusal::Holds(what)) if what == "letter"));
        fs::remove_file(path.join("letter")).unwrap();
        fs::create_dir(path.join(PICTURES)).unwrap();
        fs::write(path.join(PICTURES).join("of-me.png"), "").unwrap();
        assert!(Folder::open(path, false).is_err());
    }

    #[test]
    fn what_cannot_be_a_folder_is_told() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(matches!(Folder::open(file.path(), true), Err(Refusal::NoFolder)));
        assert!(matches!(Folder::open(&file.path().join("below"), false), Err(Refusal::Io(_))));
    }
}
