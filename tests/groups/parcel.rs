//! What the model of groups sends, and how it chooses.

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
pub(crate) struct Dice {
    throw: Box<dyn FnMut(usize) -> Option<usize>>,
    used_up: bool,
}

impl Dice {
    /// By something that finds a number below the one that it is given, until it has no more.
    pub(crate) fn by(throw: impl FnMut(usize) -> Option<usize> + 'static) -> Self {
        Self { throw: Box::new(throw), used_up: false }
    }

    /// By random numbers without end (splitmix64).
    pub(crate) fn seeded(mut state: u64) -> Self {
        Self::by(move |sides| {
            state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            Some(((mixed ^ (mixed >> 31)) >> 8) as usize % sides)
        })
    }

    /// 0 when nothing is left to choose by.
    pub(crate) fn below(&mut self, sides: usize) -> usize {
        let thrown = (self.throw)(sides);
        self.used_up |= thrown.is_none();
        thrown.unwrap_or(0)
    }

    pub(crate) fn are_used_up(&self) -> bool {
        self.used_up
    }
}
