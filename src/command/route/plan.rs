//! Where the outputs go, decided before anything is written: standard output, or a file for each
//! receiver in a directory.
//!
//! The files are called `receiver-0001.tsv` and so on. Whatever in the directory has such a name is
//! of an earlier run: an error without `--force`, removed with it (all of it, also that of more
//! receivers or of the other format, or the directory would hold lines of two runs). Looking comes
//! first, removing only when every input has been tried, and inputs are told apart from what will
//! be removed, so that nobody loses a file to a mistake.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use super::error::Error;
use super::format::Format;
use super::input::Outputs;
use super::output::Output;

#[derive(Debug)]
pub(super) enum Plan {
    Stdout { file: File, outputs: Outputs },
    Dir { dir: PathBuf, earlier: Vec<PathBuf>, outputs: Outputs },
}

impl Plan {
    pub(super) fn stdout() -> Result<Self, Error> {
        let failed = |source| Error::Prepare { path: "standard output".into(), source };
        let file = File::from(io::stdout().as_fd().try_clone_to_owned().map_err(failed)?);
        let metadata = file.metadata().map_err(failed)?;
        let mut outputs = Outputs::default();
        if metadata.is_file() {
            outputs.add(&metadata, "standard output".into());
        }
        Ok(Self::Stdout { file, outputs })
    }

    pub(super) fn dir(dir: PathBuf, force: bool) -> Result<Self, Error> {
        let mut earlier = earlier_files(&dir)?;
        earlier.sort();
        if let Some(first) = earlier.first().filter(|_| !force) {
            let first = first.file_name().map_or_else(|| first.clone(), PathBuf::from);
            return Err(Error::Earlier { dir, first, count: earlier.len() });
        }
        let mut outputs = Outputs::default();
        for path in &earlier {
            // The file itself and, if it is a link, what it leads to.
            let link = fs::symlink_metadata(path).map_err(prepare(path))?;
            for metadata in [Ok(link), fs::metadata(path)].into_iter().flatten() {
                outputs.add(&metadata, path.clone());
            }
        }
        Ok(Self::Dir { dir, earlier, outputs })
    }

    /// What no input may be.
    pub(super) fn outputs(&self) -> &Outputs {
        match self {
            Self::Stdout { outputs, .. } | Self::Dir { outputs, .. } => outputs,
        }
    }

    /// Removes what is to be replaced and creates one file for each receiver; standard output they
    /// share.
    pub(super) fn create(
        self,
        receivers: usize,
        format: Format,
        buffer: usize,
    ) -> Result<Vec<Output>, Error> {
        match self {
            Self::Stdout { file, .. } => Ok(vec![Output::stdout(file, buffer, receivers)]),
            Self::Dir { dir, earlier, .. } => {
                fs::create_dir_all(&dir).map_err(prepare(&dir))?;
                for path in &earlier {
                    fs::remove_file(path).map_err(prepare(path))?;
                }
                let paths = (1..=receivers).map(|nth| {
                    dir.join(format!(
                        "receiver-{nth:04}.{extension}",
                        extension = format.extension()
                    ))
                });
                paths.map(|path| create(&path, buffer)).collect()
            }
        }
    }
}

fn create(path: &Path, buffer: usize) -> Result<Output, Error> {
    // Nothing that appeared since we looked is overwritten.
    let file = OpenOptions::new().write(true).create_new(true).open(path).map_err(prepare(path))?;
    Ok(Output::file(file, path.display().to_string(), buffer))
}

fn earlier_files(dir: &Path) -> Result<Vec<PathBuf>, Error> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(prepare(dir)(error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(prepare(dir))?;
        if entry.file_name().to_str().is_some_and(is_ours) {
            found.push(entry.path());
        }
    }
    Ok(found)
}

/// `receiver-`, at least four digits, and one of our extensions.
fn is_ours(name: &str) -> bool {
    let extensions = [Format::Tsv, Format::Json].map(Format::extension);
    let number = name.strip_prefix("receiver-").and_then(|rest| rest.split_once('.'));
    number.is_some_and(|(digits, extension)| {
        digits.len() >= 4
            && digits.bytes().all(|digit| digit.is_ascii_digit())
            && extensions.contains(&extension)
    })
}

fn prepare(path: &Path) -> impl Fn(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Prepare { path: path.clone(), source }
}
