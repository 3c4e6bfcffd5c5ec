//! Why a state could not be published. It comes back.

use std::error::Error;
use std::fmt;

use crate::clock::Seq;

/// Why something could not be published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum PublishReason {
    /// Another publisher has taken the slot over.
    Fenced {
        /// The number from which on nothing of this publisher counts; none if it is not known yet.
        at: Option<Seq>,
    },
    /// The engine is closed ([`Engine::is_closed`](crate::Engine::is_closed) tells).
    Closed,
    /// Slots of different engines cannot be published with one number.
    Foreign,
    /// There is nothing to be published.
    NothingStaged,
}

impl fmt::Display for PublishReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fenced { at: Some(at) } => write!(f, "fenced at {at} by another publisher"),
            Self::Fenced { at: None } => f.write_str("fenced by another publisher"),
            Self::Closed => f.write_str("the engine is closed"),
            Self::Foreign => f.write_str("the slots are not of one engine"),
            Self::NothingStaged => f.write_str("nothing is staged"),
        }
    }
}

impl Error for PublishReason {}

/// A state that could not be published, and why.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublishError<T> {
    /// What was to be published.
    pub value: T,
    /// Why it was not.
    pub reason: PublishReason,
}

impl<T> PublishError<T> {
    /// What was to be published.
    pub fn into_inner(self) -> T {
        self.value
    }
}

impl<T> fmt::Debug for PublishError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PublishError").field("reason", &self.reason).finish_non_exhaustive()
    }
}

impl<T> fmt::Display for PublishError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "publishing failed: {}", self.reason)
    }
}

impl<T> Error for PublishError<T> {}

/// Why there is no cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum CutError {
    /// So many are held, and there can be no more.
    TooMany(usize),
    /// The slots are not of one engine.
    Foreign,
    /// There is no slot to be read.
    NoSlot,
    /// The engine was closed before its clock came to the number.
    Closed,
}

impl fmt::Display for CutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooMany(held) => write!(f, "{held} cuts are held, and there can be no more"),
            Self::Foreign => f.write_str("the slots are not of one engine"),
            Self::NoSlot => f.write_str("there is no slot to be read"),
            Self::Closed => f.write_str("the engine is closed"),
        }
    }
}

impl Error for CutError {}

/// Why a publication has no number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum PublicationError {
    /// A newer state has taken its place before it had one: nobody has seen it, nor will.
    Conflated,
    /// The engine was closed before.
    Closed,
    /// Not in time.
    Timeout,
}

impl fmt::Display for PublicationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Conflated => "a newer state has taken its place",
            Self::Closed => "the engine is closed",
            Self::Timeout => "there was no number in time",
        })
    }
}

impl Error for PublicationError {}
