//! Why a number could not be forwarded. What was to be forwarded comes back.

use std::error::Error;
use std::fmt;

#[cfg(feature = "serde")]
use super::plain::Closed;
use crate::clock::Seq;

/// Why something could not be forwarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum ForwardReason {
    /// The receiver is gone.
    Closed,
    /// The number is not above `last`, which this forwarder has itself forwarded or advanced to.
    Falling {
        /// What this forwarder has come to.
        last: Seq,
    },
    /// The number is not above `settled`, which was settled, or bound to be, when this forwarder joined. Only until
    /// it has forwarded or advanced: after that it is `Falling`.
    Late {
        /// How far everything was settled, or bound to be.
        settled: Seq,
    },
    /// Another forwarder has forwarded this number to this receiver.
    Duplicate,
}

impl fmt::Display for ForwardReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("the receiver is closed"),
            Self::Falling { last } => write!(f, "this forwarder has already come to {last}"),
            Self::Late { settled } => {
                write!(f, "everything up to {settled} was settled when this forwarder joined")
            }
            Self::Duplicate => f.write_str("another forwarder has forwarded it to this receiver"),
        }
    }
}

/// A value that could not be forwarded, with its number, and why.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ForwardError<T> {
    /// The number that it was to have.
    pub seq: Seq,
    /// What was to be forwarded.
    pub value: T,
    /// Why it was not.
    pub reason: ForwardReason,
}

impl<T> ForwardError<T> {
    /// What was to be forwarded.
    pub fn into_inner(self) -> T {
        self.value
    }
}

impl<T> fmt::Debug for ForwardError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ForwardError")
            .field("seq", &self.seq)
            .field("reason", &self.reason)
            .finish_non_exhaustive()
    }
}

impl<T> fmt::Display for ForwardError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "forwarding {} failed: {}", self.seq, self.reason)
    }
}

impl<T> Error for ForwardError<T> {}

/// A value that was not forwarded without waiting.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum TryForwardError<T> {
    /// There is no room now.
    Full(T),
    /// It cannot be forwarded, room or not.
    Refused(ForwardError<T>),
}

/// A value that was not forwarded in time.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum ForwardTimeoutError<T> {
    /// There was no room in time.
    Timeout(T),
    /// It cannot be forwarded, room or not.
    Refused(ForwardError<T>),
}

impl<T> TryForwardError<T> {
    /// Whether it failed for want of room.
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Full(_))
    }
}

impl<T> ForwardTimeoutError<T> {
    /// Whether the time was up.
    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::Timeout(_))
    }
}

macro_rules! or_refused {
    ($($name:ident, $other:ident, $text:literal;)+) => {$(
        impl<T> $name<T> {
            /// What was to be forwarded.
            pub fn into_inner(self) -> T {
                match self {
                    Self::$other(value) => value,
                    Self::Refused(error) => error.value,
                }
            }

            /// Why it cannot be forwarded; none if it was only for want of room.
            pub fn reason(&self) -> Option<ForwardReason> {
                match self {
                    Self::$other(_) => None,
                    Self::Refused(error) => Some(error.reason),
                }
            }
        }

        impl<T> From<ForwardError<T>> for $name<T> {
            fn from(error: ForwardError<T>) -> Self {
                Self::Refused(error)
            }
        }

        impl<T> fmt::Debug for $name<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    Self::$other(_) => f.write_str(concat!(stringify!($other), "(..)")),
                    Self::Refused(error) => f.debug_tuple("Refused").field(error).finish(),
                }
            }
        }

        impl<T> fmt::Display for $name<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    Self::$other(_) => f.write_str($text),
                    Self::Refused(error) => error.fmt(f),
                }
            }
        }

        impl<T> Error for $name<T> {}
    )+};
}

or_refused! {
    TryForwardError, Full, "forwarding failed: there is no room";
    ForwardTimeoutError, Timeout, "forwarding failed: there was no room in time";
}

/// The receiver is gone: nobody waits for this forwarder any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(from = "Closed", into = "Closed"))]
pub struct AdvanceError;

impl fmt::Display for AdvanceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("advancing failed: the receiver is closed")
    }
}

impl Error for AdvanceError {}
