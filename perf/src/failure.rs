//! What can go wrong in a run. None of it is a slow result: each of these means that there is no
//! result.

use std::fmt;
use std::time::Duration;

/// Why there is no figure.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The contender would not be set up.
    SetUp(String),
    /// A channel closed while messages were still due.
    Closed,
    /// Not what was sent: messages were lost, doubled or altered.
    Wrong { what: &'static str, sent: u64, received: u64 },
    /// No thread reported back in time: something hangs.
    Stalled(Duration),
    /// A thread panicked; its message is on stderr.
    Died,
    /// Somebody wanted it to end here.
    Interrupted,
    /// What came out could not be kept.
    Unsaved(std::io::Error),
    /// The system gave us no thread.
    Thread(std::io::Error),
    /// One of the above, and where it happened.
    In(String, Box<Self>),
}

impl Failure {
    /// The same failure, which says in what it happened.
    pub(crate) fn of(self, place: impl Into<String>) -> Self {
        Self::In(place.into(), Box::new(self))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SetUp(why) => write!(f, "could not be set up: {why}"),
            Self::Closed => write!(f, "a channel closed while messages were still due"),
            Self::Wrong { what, sent, received } => {
                write!(f, "wrong {what}: {sent} was sent, {received} was received")
            }
            Self::Stalled(limit) => {
                write!(f, "no end after {} s: something hangs", limit.as_secs())
            }
            Self::Died => write!(f, "a thread panicked"),
            Self::Interrupted => write!(f, "interrupted"),
            Self::Unsaved(error) => write!(f, "the results cannot be saved: {error}"),
            Self::Thread(error) => write!(f, "no thread: {error}"),
            Self::In(place, failure) => write!(f, "{place}: {failure}"),
        }
    }
}
