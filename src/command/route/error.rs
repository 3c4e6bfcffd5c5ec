//! Everything that can end a run early, as one type: what is said, and the exit code.
//!
//! Each names the file it happened to. The code is 2 for what the user asked wrongly, 128 and the
//! signal's number for what a shell would report so, and 1 for the rest.

use std::fmt;
use std::io;
use std::path::PathBuf;

use clap::ValueEnum;
use mainspring::Seq;

use super::by::By;
use super::stop::Signal;

#[derive(Debug)]
pub(crate) enum Error {
    /// `--by hash`, and no key.
    HashWithoutKey,
    /// A key, and another rule than the hash.
    KeyWithoutHash { by: By },
    /// Several receivers that write the same lines, and only standard output to write to.
    BroadcastWithoutOut { receivers: usize },
    /// `-` more than once: there is only one standard input.
    StdinTwice,
    /// An input that cannot be opened.
    Open { name: String, source: io::Error },
    /// A directory where a file was meant.
    Directory { name: String },
    /// An input that this run would write over.
    Overwrites { name: String, path: PathBuf },
    /// Files of an earlier run, and no `--force`.
    Earlier { dir: PathBuf, first: PathBuf, count: usize },
    /// The directory for the outputs, or a file in it, cannot be made ready.
    Prepare { path: PathBuf, source: io::Error },
    /// An input that broke off.
    Read { name: String, source: io::Error },
    /// A line beyond `--max-line`.
    LineTooLong { name: String, line: u64, limit: u64 },
    /// An output that takes no more: a full disk, mostly.
    Write { name: String, source: io::Error },
    /// Standard output has no reader any more.
    ClosedPipe { quiet: bool },
    /// The user, or the system, asked for the end.
    Signal(Signal),
    /// The system refused what a run needs: a thread, a pair of sockets.
    System { what: &'static str, source: io::Error },
    /// The engine refused what a run needs.
    Engine(String),
    /// The outputs do not have what was sent.
    Account { name: String, sent: u64, messages: u64, last: Seq },
}

impl Error {
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::HashWithoutKey
            | Self::KeyWithoutHash { .. }
            | Self::BroadcastWithoutOut { .. }
            | Self::StdinTwice => 2,
            Self::ClosedPipe { .. } => 141,
            Self::Signal(signal) => signal.exit_code(),
            _ => 1,
        }
    }

    /// What needs no word: somebody asked for quiet and reads no further.
    pub(crate) fn is_silent(&self) -> bool {
        matches!(self, Self::ClosedPipe { quiet: true })
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HashWithoutKey => {
                write!(f, "--by hash needs the field to take the hash of: give --key FIELD")
            }
            Self::KeyWithoutHash { by } => {
                let by = by.to_possible_value();
                let name = by.as_ref().map_or("", |by| by.get_name());
                write!(
                    f,
                    "--key is for --by hash, and --by {name} looks at no field: give one of them"
                )
            }
            Self::BroadcastWithoutOut { receivers } => write!(
                f,
                "standard output would have each line {receivers} times, once from each receiver: \
                 give --out DIR, or leave --receivers at 1"
            ),
            Self::StdinTwice => write!(f, "standard input (-) is given more than once"),
            Self::Open { name, source } if is_out_of_files(source) => {
                write!(f, "{name}: {source}: give a smaller --open, or raise `ulimit -n`")
            }
            Self::Open { name, source } | Self::Read { name, source } => {
                write!(f, "{name}: {source}")
            }
            Self::Directory { name } => write!(f, "{name}: is a directory, not a file of lines"),
            Self::Overwrites { name, path } => {
                write!(f, "{name}: is an input and would be overwritten as {}", path.display())
            }
            Self::Earlier { dir, first, count } => write!(
                f,
                "{}: holds {count} file(s) of an earlier run ({}, ...): give --force to replace \
                 them, or another directory",
                dir.display(),
                first.display()
            ),
            Self::Prepare { path, source } => write!(f, "{}: {source}", path.display()),
            Self::LineTooLong { name, line, limit } => {
                write!(f, "{name}: line {line} is longer than --max-line, {limit} bytes")
            }
            Self::Write { name, source } => write!(f, "{name}: {source}"),
            Self::ClosedPipe { .. } => write!(f, "standard output: closed by its reader"),
            Self::Signal(signal) => write!(f, "{signal} before the end"),
            Self::System { what, source } => write!(f, "{what}: {source}"),
            Self::Engine(why) => write!(f, "the engine: {why}"),
            Self::Account { name, sent, messages, last } => write!(
                f,
                "{name}: {sent} lines were sent, {messages} are written, the last number is {}: \
                 a mistake of mainspring, not yours",
                last.get()
            ),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Open { source, .. }
            | Self::Prepare { source, .. }
            | Self::Read { source, .. }
            | Self::Write { source, .. }
            | Self::System { source, .. } => Some(source),
            _ => None,
        }
    }
}

fn is_out_of_files(error: &io::Error) -> bool {
    use rustix::io::Errno;
    error
        .raw_os_error()
        .is_some_and(|code| [Errno::MFILE, Errno::NFILE].map(Errno::raw_os_error).contains(&code))
}
