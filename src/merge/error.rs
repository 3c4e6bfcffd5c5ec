//! Why receivers could not be merged.

use std::error::Error;
use std::fmt;

use super::Merge;

/// Receivers of different engines cannot be merged: their numbers say nothing about each other.
pub struct MergeError<M: 'static> {
    /// What was to be merged, in the order given.
    pub parts: Vec<Merge<M>>,
}

impl<M: 'static> fmt::Debug for MergeError<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MergeError").field("parts", &self.parts.len()).finish_non_exhaustive()
    }
}

impl<M: 'static> fmt::Display for MergeError<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("merging failed: the receivers are of different engines")
    }
}

impl<M: 'static> Error for MergeError<M> {}
