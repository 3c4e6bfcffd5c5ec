//! What the model of groups sends, and how it chooses.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

/// A value. The one that was sent is counted as long as it is there; clones are not.
pub(crate) struct Parcel {
    pub(crate) id: u64,
    /// The handle that sent it.
    pub(crate) handle: usize,
    pub(crate) there: Option<Arc<AtomicU64>>,
}

impl Clone for Parcel {
    fn clone(&self) -> Self {
        Self { there: None, ..*self }
    }
}

impl Drop for Parcel {
    fn drop(&mut self) {
        if let Some(there) = &self.there {
            assert!(there.fetch_sub(1, SeqCst) > 0, "dropped twice");
        }
    }
}

/// What chooses.
pub(crate) enum Dice {
    /// Random numbers (splitmix64).
    Seeded(u64),
    /// Somebody else, a byte or two a choice.
    Given(VecDeque<u8>),
}

impl Dice {
    pub(crate) fn below(&mut self, sides: usize) -> usize {
        match self {
            Self::Seeded(state) => {
                *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
                let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
                let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
                ((mixed ^ (mixed >> 31)) >> 8) as usize % sides
            }
            Self::Given(bytes) => {
                let mut next = || usize::from(bytes.pop_front().unwrap_or(0));
                let thrown = if sides > 256 { next() << 8 | next() } else { next() };
                thrown % sides
            }
        }
    }

    /// Whether there is nothing more to choose by.
    pub(crate) fn are_used_up(&self) -> bool {
        matches!(self, Self::Given(bytes) if bytes.is_empty())
    }
}
