//! Why a question has no answer.

use std::error::Error;
use std::fmt;

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum AnswerError {
    /// The [`Reply`](crate::Reply) was dropped, or never reached anyone: nobody answers any more.
    Dropped,
    /// The engine was closed, or a pass has panicked, before an answer had its number.
    Closed,
    /// It was taken before; there is no other.
    Taken,
}

/// Why there is no answer without waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum TryAnswerError {
    /// There is none yet.
    Empty,
    /// The [`Reply`](crate::Reply) was dropped, or never reached anyone: nobody answers any more.
    Dropped,
    /// The engine was closed, or a pass has panicked, before an answer had its number.
    Closed,
    /// It was taken before; there is no other.
    Taken,
}

/// Why there is no answer in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum AnswerTimeoutError {
    /// There was none in time.
    Timeout,
    /// The [`Reply`](crate::Reply) was dropped, or never reached anyone: nobody answers any more.
    Dropped,
    /// The engine was closed, or a pass has panicked, before an answer had its number.
    Closed,
    /// It was taken before; there is no other.
    Taken,
}

impl From<AnswerError> for TryAnswerError {
    fn from(error: AnswerError) -> Self {
        match error {
            AnswerError::Dropped => Self::Dropped,
            AnswerError::Closed => Self::Closed,
            AnswerError::Taken => Self::Taken,
        }
    }
}

impl From<AnswerError> for AnswerTimeoutError {
    fn from(error: AnswerError) -> Self {
        match error {
            AnswerError::Dropped => Self::Dropped,
            AnswerError::Closed => Self::Closed,
            AnswerError::Taken => Self::Taken,
        }
    }
}

plain_errors! {
    AnswerError {
        Self::Dropped => "no answer: the reply was dropped",
        Self::Closed => "no answer: the engine is closed",
        Self::Taken => "no answer: it was taken before",
    }
    TryAnswerError {
        Self::Empty => "no answer: there is none yet",
        Self::Dropped => "no answer: the reply was dropped",
        Self::Closed => "no answer: the engine is closed",
        Self::Taken => "no answer: it was taken before",
    }
    AnswerTimeoutError {
        Self::Timeout => "no answer: there was none in time",
        Self::Dropped => "no answer: the reply was dropped",
        Self::Closed => "no answer: the engine is closed",
        Self::Taken => "no answer: it was taken before",
    }
}
