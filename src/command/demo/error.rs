//! Everything that can go wrong with a demo, as one type: what is said, and the exit code.

use std::fmt;
use std::io;

use super::check::{Promise, Verdict};

#[derive(Debug)]
pub(crate) enum Error {
    /// A promise was broken.
    Broken { promise: Promise, first: String, times: u64 },
    /// The terminal refuses to show a table.
    Terminal(io::Error),
    /// Standard output takes no more.
    Output(io::Error),
    /// The system refused what the demo needs.
    System { what: &'static str, source: io::Error },
    /// The engine refused what the demo needs.
    Engine(String),
}

impl Error {
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Output(source) if source.kind() == io::ErrorKind::BrokenPipe => 141,
            _ => 1,
        }
    }

    /// The engine's, of whichever operation.
    pub(super) fn engine(error: impl fmt::Display) -> Self {
        Self::Engine(error.to_string())
    }

    /// None if all promises held.
    pub(super) fn of(verdict: &Verdict) -> Option<Self> {
        let (promise, broken) = verdict.broken()?;
        Some(Self::Broken { promise, first: broken.first.clone(), times: broken.times })
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broken { promise, first, times } => write!(
                f,
                "{} is broken ({times} times), first: {first}: a mistake of mainspring, not yours",
                promise.name()
            ),
            Self::Terminal(source) => {
                write!(f, "the terminal: {source}: --plain needs none")
            }
            Self::Output(source) if source.kind() == io::ErrorKind::BrokenPipe => {
                write!(f, "standard output: closed by its reader")
            }
            Self::Output(source) => write!(f, "standard output: {source}"),
            Self::System { what, source } => write!(f, "{what}: {source}"),
            Self::Engine(why) => write!(f, "the engine: {why}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Terminal(source) | Self::Output(source) | Self::System { source, .. } => {
                Some(source)
            }
            Self::Broken { .. } | Self::Engine(_) => None,
        }
    }
}
