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

/// Random numbers (splitmix64).
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) >> 8) as usize % sides
    }
}
