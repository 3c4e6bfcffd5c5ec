//! What can go wrong with a run. None of it is a mutant that survives: each of these means that there is no verdict.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Why there is no verdict.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Something is wrong with the list.
    List(Vec<String>),
    /// No mutant has this in its name.
    Unknown(String),
    /// A file or a folder could not be read or written.
    File(PathBuf, io::Error),
    /// A program could not be started.
    Program(String, io::Error),
    /// Another run is under way in the same folder.
    Busy(PathBuf),
    /// Without any mutant tests fail, or cannot be built.
    Sound(Vec<String>),
    /// The table could not be written.
    Output(io::Error),
}

impl Failure {
    /// About this file.
    pub(crate) fn at(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |error| Self::File(path, error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::List(wrong) => {
                write!(f, "the list of mutants is wrong:\n  {}", wrong.join("\n  "))
            }
            Self::Unknown(word) => {
                write!(f, "no mutant has `{word}` in its name; `cargo seeded list` names them")
            }
            Self::File(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Program(program, error) => write!(f, "`{program}` does not start: {error}"),
            Self::Busy(folder) => {
                write!(f, "another run is under way in {}; wait for its end", folder.display())
            }
            Self::Sound(wrong) => {
                write!(f, "without any mutant, which proves nothing:\n  {}", wrong.join("\n  "))
            }
            Self::Output(error) => write!(f, "the table could not be written: {error}"),
        }
    }
}
