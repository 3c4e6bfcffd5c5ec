//! What becomes of something published.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::clock::Seq;
use crate::error::{PublicationError, WaitTimeoutError};
use crate::mark::Withdrawal;
use crate::marker::Ticket;

/// A state that was published, or several with one number: to look for the number, or to wait for it as a thread or
/// as a task. It may be dropped at any time, and takes nothing back.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # smol::block_on(async {
/// let engine = mainspring::Engine::new();
/// let mut publisher = engine.slot().publisher();
/// let mut published = publisher.publish("a state")?;
/// let seq = published.stamp()?; // or
/// assert_eq!(published.await?, seq);
/// # Ok(()) })}
/// ```
pub struct Publication {
    fate: Fate,
}

enum Fate {
    Numbered(Seq),
    Pending(Ticket),
}

impl Publication {
    pub(super) fn numbered(seq: Seq) -> Self {
        Self { fate: Fate::Numbered(seq) }
    }

    pub(super) fn pending(ticket: Ticket) -> Self {
        Self { fate: Fate::Pending(ticket) }
    }

    /// The number, if there is one. Runs no pass.
    pub fn seq(&self) -> Option<Seq> {
        match &self.fate {
            Fate::Numbered(seq) => Some(*seq),
            Fate::Pending(ticket) => ticket.seq(),
        }
    }

    /// Waits for the number, and runs passes as the drive allows.
    ///
    /// # Errors
    ///
    /// If there will be none: see [`PublicationError`].
    pub fn stamp(&mut self) -> Result<Seq, PublicationError> {
        match &mut self.fate {
            Fate::Numbered(seq) => Ok(*seq),
            Fate::Pending(ticket) => ticket.wait().map_err(|_| why(ticket)),
        }
    }

    /// As [`stamp`](Self::stamp), for `timeout` at the longest.
    ///
    /// # Errors
    ///
    /// As there, or [`Timeout`](PublicationError::Timeout).
    pub fn stamp_timeout(&mut self, timeout: Duration) -> Result<Seq, PublicationError> {
        match &mut self.fate {
            Fate::Numbered(seq) => Ok(*seq),
            Fate::Pending(ticket) => ticket.wait_timeout(timeout).map_err(|error| match error {
                WaitTimeoutError::Timeout => PublicationError::Timeout,
                WaitTimeoutError::Closed => why(ticket),
            }),
        }
    }
}

/// Why a mark has no number.
fn why(ticket: &Ticket) -> PublicationError {
    match ticket.withdrawal() {
        Some(Withdrawal::Conflated) => PublicationError::Conflated,
        // A batch that was fenced is no publication.
        Some(Withdrawal::Fenced) | None => PublicationError::Closed,
    }
}

impl Future for Publication {
    type Output = Result<Seq, PublicationError>;

    /// Ready with the number, as often as it is polled after that.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.get_mut().fate {
            Fate::Numbered(seq) => Poll::Ready(Ok(*seq)),
            Fate::Pending(ticket) => {
                Pin::new(&mut *ticket).poll(cx).map(|seq| seq.map_err(|_| why(ticket)))
            }
        }
    }
}

impl fmt::Debug for Publication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publication").field("seq", &self.seq()).finish_non_exhaustive()
    }
}
