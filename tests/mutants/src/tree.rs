//! A copy of the sources, in which one text at a time is changed.
//!
//! What is the same already is not written again, so that only what has changed is built again.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::Failure;
use crate::list::Mutant;

/// The copy.
#[derive(Debug)]
pub(crate) struct Tree {
    folder: PathBuf,
}

impl Tree {
    /// A copy of what git knows under `root`, and of what it does not ignore.
    pub(crate) fn copy(root: &Path, folder: PathBuf) -> Result<Self, Failure> {
        let sources = sources(root)?;
        fs::create_dir_all(&folder).map_err(Failure::at(&folder))?;
        remove_others(&folder, &folder, &sources)?;
        for path in &sources {
            let from = root.join(path);
            let text = match fs::read(&from) {
                Ok(text) => text,
                // Git knows it still, and it is gone.
                Err(_) if !from.exists() => continue,
                Err(error) => return Err(Failure::File(from, error)),
            };
            write_if_new(&folder.join(path), &text)?;
        }
        Ok(Self { folder })
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Does something while the mistake is in the copy.
    pub(crate) fn with<R>(
        &self,
        mutant: &Mutant,
        act: impl FnOnce() -> Result<R, Failure>,
    ) -> Result<R, Failure> {
        let path = self.folder.join(&mutant.file);
        let text = fs::read_to_string(&path).map_err(Failure::at(&path))?;
        let mutated = mutant.apply(&text).map_err(|why| {
            Failure::List(vec![format!("{}: {}: {why}", mutant.name, mutant.file)])
        })?;
        fs::write(&path, mutated).map_err(Failure::at(&path))?;
        let result = act();
        fs::write(&path, text).map_err(Failure::at(&path))?;
        result
    }
}

fn sources(root: &Path) -> Result<BTreeSet<PathBuf>, Failure> {
    let mut git = Command::new("git");
    git.arg("-C").arg(root).args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let output = git.output().map_err(|error| Failure::Program("git".to_owned(), error))?;
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(Failure::Sound(vec![format!("git does not know the sources: {why}")]));
    }
    let names = output.stdout.split(|&byte| byte == 0).filter(|name| !name.is_empty());
    let names =
        names.map(|name| PathBuf::from(OsString::from(String::from_utf8_lossy(name).as_ref())));
    Ok(names.collect())
}

/// Removes from a folder of the copy what is not among the sources any more.
fn remove_others(top: &Path, folder: &Path, sources: &BTreeSet<PathBuf>) -> Result<(), Failure> {
    for entry in fs::read_dir(folder).map_err(Failure::at(folder))? {
        let path = entry.map_err(Failure::at(folder))?.path();
        if path.is_dir() {
            remove_others(top, &path, sources)?;
        } else if !path.strip_prefix(top).is_ok_and(|name| sources.contains(name)) {
            fs::remove_file(&path).map_err(Failure::at(&path))?;
        }
    }
    Ok(())
}

fn write_if_new(path: &Path, text: &[u8]) -> Result<(), Failure> {
    if fs::read(path).is_ok_and(|before| before == text) {
        return Ok(());
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(Failure::at(folder))?;
    }
    fs::write(path, text).map_err(Failure::at(path))
}
