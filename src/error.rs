//! One error type for each operation. What could not be sent comes back.

/// `Display` and `Error` of those that hold no value.
macro_rules! plain_errors {
    ($($name:ident { $($pattern:pat => $text:expr),+ $(,)? })+) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self { $($pattern => write!(f, "{}", $text)),+ }
            }
        }

        impl Error for $name {}
    )+};
}

mod answer;
mod forward;
#[cfg(feature = "serde")]
mod plain;
mod publish;

use std::error::Error;
use std::fmt;

use crate::notice::Notice;

pub use answer::{AnswerError, AnswerTimeoutError, TryAnswerError};
pub use forward::{
    AdvanceError, ForwardError, ForwardReason, ForwardTimeoutError, TryForwardError,
};
pub use publish::{CutError, PublicationError, PublishError, PublishReason};

/// Why something could not be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Reason {
    /// The receiver is gone, or the engine is closed ([`Engine::is_closed`](crate::Engine::is_closed) tells).
    Closed,
    /// The sender was ended from outside ([`Marker::fence`](crate::Marker::fence)).
    Fenced,
    /// The [`Target`](crate::Target) or [`GroupTarget`](crate::GroupTarget) is not one of this outbox: removed, or
    /// another outbox's.
    UnknownTarget,
    /// The group has no member.
    NoMember,
    /// The outbox has as many targets as there can be.
    TooMany,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed => "the receiver is closed",
            Self::Fenced => "the sender was ended from outside",
            Self::UnknownTarget => "the target is not one of this outbox",
            Self::NoMember => "the group has no member",
            Self::TooMany => "the outbox has too many targets",
        })
    }
}

impl Error for Reason {}

/// A value that could not be sent, and why.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SendError<T> {
    /// What was to be sent.
    pub value: T,
    /// Why it was not.
    pub reason: Reason,
}

impl<T> SendError<T> {
    pub(crate) fn closed(value: T) -> Self {
        Self { value, reason: Reason::Closed }
    }

    /// What was to be sent.
    pub fn into_inner(self) -> T {
        self.value
    }
}

impl<T> fmt::Debug for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendError").field("reason", &self.reason).finish_non_exhaustive()
    }
}

impl<T> fmt::Display for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sending failed: {}", self.reason)
    }
}

impl<T> Error for SendError<T> {}

/// A value that was not sent without waiting.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TrySendError<T> {
    /// There is no room now.
    Full(T),
    /// The receiver is gone.
    Closed(T),
    /// The sender was ended from outside ([`Marker::fence`](crate::Marker::fence)).
    Fenced(T),
    /// The target is not one of this outbox.
    UnknownTarget(T),
    /// The group has no member.
    NoMember(T),
    /// The outbox has as many targets as there can be.
    TooMany(T),
}

impl<T> TrySendError<T> {
    /// Why, if it is not for want of room.
    fn reason(&self) -> Option<Reason> {
        match self {
            Self::Full(_) => None,
            Self::Closed(_) => Some(Reason::Closed),
            Self::Fenced(_) => Some(Reason::Fenced),
            Self::UnknownTarget(_) => Some(Reason::UnknownTarget),
            Self::NoMember(_) => Some(Reason::NoMember),
            Self::TooMany(_) => Some(Reason::TooMany),
        }
    }

    /// What was to be sent.
    pub fn into_inner(self) -> T {
        match self {
            Self::Full(value)
            | Self::Closed(value)
            | Self::Fenced(value)
            | Self::UnknownTarget(value)
            | Self::NoMember(value)
            | Self::TooMany(value) => value,
        }
    }

    /// Whether it failed for want of room.
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Full(_))
    }

    /// Whether it failed because the receiver is gone.
    pub fn is_closed(&self) -> bool {
        matches!(self, Self::Closed(_))
    }
}

impl<T> From<SendError<T>> for TrySendError<T> {
    fn from(error: SendError<T>) -> Self {
        match error.reason {
            Reason::Closed => Self::Closed(error.value),
            Reason::Fenced => Self::Fenced(error.value),
            Reason::UnknownTarget => Self::UnknownTarget(error.value),
            Reason::NoMember => Self::NoMember(error.value),
            Reason::TooMany => Self::TooMany(error.value),
        }
    }
}

impl<T> fmt::Debug for TrySendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => "Full(..)",
            Self::Closed(_) => "Closed(..)",
            Self::Fenced(_) => "Fenced(..)",
            Self::UnknownTarget(_) => "UnknownTarget(..)",
            Self::NoMember(_) => "NoMember(..)",
            Self::TooMany(_) => "TooMany(..)",
        })
    }
}

impl<T> fmt::Display for TrySendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reason() {
            None => f.write_str("sending failed: there is no room"),
            Some(reason) => write!(f, "sending failed: {reason}"),
        }
    }
}

impl<T> Error for TrySendError<T> {}

/// A value that was not sent in time.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum SendTimeoutError<T> {
    /// There was no room in time.
    Timeout(T),
    /// The receiver is gone.
    Closed(T),
    /// The sender was ended from outside ([`Marker::fence`](crate::Marker::fence)).
    Fenced(T),
}

impl<T> SendTimeoutError<T> {
    /// What was to be sent.
    pub fn into_inner(self) -> T {
        match self {
            Self::Timeout(value) | Self::Closed(value) | Self::Fenced(value) => value,
        }
    }

    /// Whether the time was up.
    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::Timeout(_))
    }

    /// Whether the receiver is gone.
    pub fn is_closed(&self) -> bool {
        matches!(self, Self::Closed(_))
    }
}

impl<T> From<SendError<T>> for SendTimeoutError<T> {
    fn from(error: SendError<T>) -> Self {
        match error.reason {
            Reason::Fenced => Self::Fenced(error.value),
            _ => Self::Closed(error.value),
        }
    }
}

impl<T> fmt::Debug for SendTimeoutError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Timeout(_) => "Timeout(..)",
            Self::Closed(_) => "Closed(..)",
            Self::Fenced(_) => "Fenced(..)",
        })
    }
}

impl<T> fmt::Display for SendTimeoutError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timeout(_) => f.write_str("sending failed: there was no room in time"),
            Self::Closed(_) => write!(f, "sending failed: {}", Reason::Closed),
            Self::Fenced(_) => write!(f, "sending failed: {}", Reason::Fenced),
        }
    }
}

impl<T> Error for SendTimeoutError<T> {}

/// A batch that could not be sent to its end.
pub struct SendBatchError<T, I> {
    /// How many were sent.
    pub sent: usize,
    /// What had been taken from the iterator and was not sent, in order.
    pub returned: Vec<T>,
    /// The rest, from which nothing was taken.
    pub rest: I,
    /// Why.
    pub reason: Reason,
}

impl<T, I> fmt::Debug for SendBatchError<T, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendBatchError")
            .field("sent", &self.sent)
            .field("returned", &self.returned.len())
            .field("reason", &self.reason)
            .finish_non_exhaustive()
    }
}

impl<T, I> fmt::Display for SendBatchError<T, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sending a batch failed after {} messages: {}", self.sent, self.reason)
    }
}

impl<T, I> Error for SendBatchError<T, I> {}

/// Why an address could not be joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum AddressError {
    /// The receiver is gone, or has closed because its last source had gone; both are final.
    Closed,
    /// It belongs to another engine.
    Foreign,
    /// The receiver has as many lanes, or the outbox as many targets, as there can be.
    TooMany,
}

/// Why an engine or a channel could not be built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum BuildError {
    /// A lane must hold at least one message.
    ZeroCapacity,
    /// An inbox must hold at least one entry.
    ZeroInbox,
    /// A lane, or an inbox, of more than 2³¹.
    TooLarge(usize),
    /// Numbers that start beyond 2⁶³ could run out.
    SeqTooLarge(u64),
    /// The dispatcher thread could not be started: the system has none left, or its name has a zero byte.
    NoThread,
}

/// Why nothing was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum RecvError {
    /// All that was sent has been received, and no source is left. Or the engine was closed
    /// ([`Engine::close`](crate::Engine::close)), or a pass has panicked, which would be a bug of the engine: then
    /// nothing is handed out any more.
    Closed,
    /// A [`Notice`] comes next, which is no message: take it by
    /// [`recv_event`](crate::Receiver::recv_event), and go on.
    Notice,
}

/// Why nothing was received without waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum TryRecvError {
    /// There is nothing now.
    Empty,
    /// All that was sent has been received, and no source is left.
    Closed,
    /// A [`Notice`] comes next: take it as an event, and go on.
    Notice,
}

/// Why nothing was received in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum RecvTimeoutError {
    /// There was nothing in time.
    Timeout,
    /// All that was sent has been received, and no source is left.
    Closed,
    /// A [`Notice`] comes next: take it as an event, and go on.
    Notice,
}

impl RecvTimeoutError {
    /// The same of a wait that had no limit.
    pub(crate) fn without_limit(self) -> RecvError {
        match self {
            Self::Timeout | Self::Closed => RecvError::Closed,
            Self::Notice => RecvError::Notice,
        }
    }
}

/// A notice that could not be given, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotifyError {
    /// What was to be given.
    pub notice: Notice,
    /// Why it was not.
    pub reason: AddressError,
}

impl fmt::Display for NotifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "notifying failed: {}", self.reason)
    }
}

impl Error for NotifyError {}

/// Why there is no number to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum StampedError {
    /// Nothing was sent by this handle.
    NothingSent,
    /// The receiver has gone, and dropped the message before it had a number.
    Closed,
}

/// What was waited for never comes: the engine was closed ([`Engine::close`](crate::Engine::close)), or a pass has
/// panicked, so the clock stands for ever. Or nobody is left from whom it could come: a [`Slot`](crate::Slot) has lost
/// its last publisher.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(from = "plain::Closed", into = "plain::Closed"))]
pub struct WaitError;

/// Why what was waited for has not come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum WaitTimeoutError {
    /// It has not come in time.
    Timeout,
    /// It never comes: see [`WaitError`].
    Closed,
}

/// Why a receiver cannot be put behind others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum BehindError {
    /// It would wait for itself.
    Itself,
    /// One of the others is another engine's, whose numbers say nothing here.
    Foreign,
}

impl From<RecvError> for TryRecvError {
    fn from(error: RecvError) -> Self {
        match error {
            RecvError::Closed => Self::Closed,
            RecvError::Notice => Self::Notice,
        }
    }
}

impl From<RecvError> for RecvTimeoutError {
    fn from(error: RecvError) -> Self {
        match error {
            RecvError::Closed => Self::Closed,
            RecvError::Notice => Self::Notice,
        }
    }
}

plain_errors! {
    AddressError {
        Self::Closed => "the receiver is closed",
        Self::Foreign => "it belongs to another engine",
        Self::TooMany => "there are too many lanes or targets",
    }
    BuildError {
        Self::ZeroCapacity =>
            "a lane holds at least one message; to know when one has its place, use send_stamped",
        Self::ZeroInbox => "an inbox holds at least one entry",
        Self::TooLarge(size) => format_args!("{size} is more than the 2^31 that a lane or an inbox can hold"),
        Self::NoThread => "the dispatcher thread could not be started",
        Self::SeqTooLarge(seq) => format_args!("numbers after {seq} could run out; start below 2^63"),
    }
    BehindError {
        Self::Itself => "a receiver cannot be behind itself",
        Self::Foreign => "the progress is that of another engine",
    }
    RecvError {
        Self::Closed => "receiving failed: closed",
        Self::Notice => "receiving failed: a notice comes next; take it as an event",
    }
    TryRecvError {
        Self::Empty => "receiving failed: there is nothing",
        Self::Closed => "receiving failed: closed",
        Self::Notice => "receiving failed: a notice comes next; take it as an event",
    }
    RecvTimeoutError {
        Self::Timeout => "receiving failed: there was nothing in time",
        Self::Closed => "receiving failed: closed",
        Self::Notice => "receiving failed: a notice comes next; take it as an event",
    }
    StampedError {
        Self::NothingSent => "nothing was sent by this handle",
        Self::Closed => "the receiver closed before the message had a number",
    }
    WaitError { Self => "waiting failed: closed" }
    WaitTimeoutError {
        Self::Timeout => "waiting failed: it has not come in time",
        Self::Closed => "waiting failed: closed",
    }
}
