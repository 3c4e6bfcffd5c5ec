//! When a lane had to wait, and for whom.

use crate::sync::Ordering::Relaxed;
use crate::sync::atomic::{AtomicU32, AtomicU64};

/// For reports: when this lane had to wait. Written on slow paths only.
#[derive(Default)]
pub(crate) struct Stalls {
    /// How often: the sender for room in the lane, or the dispatcher for room in the inbox.
    count: AtomicU64,
    /// The dispatcher's number of the receiver whose full inbox it waits for, + 1; or 0.
    held_by: AtomicU32,
}

impl Stalls {
    /// The sender waits for room.
    pub(crate) fn count(&self) {
        // Relaxed: a count.
        self.count.fetch_add(1, Relaxed);
    }

    /// The dispatcher waits for room in an inbox,
    pub(crate) fn begin(&self, port: u32) {
        self.count();
        // Relaxed: a report.
        self.held_by.store(port + 1, Relaxed);
    }

    /// and waits no longer.
    pub(crate) fn end(&self) {
        // Relaxed: a report.
        self.held_by.store(0, Relaxed);
    }

    /// How often, and whose inbox is waited for now.
    pub(crate) fn read(&self) -> (u64, Option<usize>) {
        // Relaxed, both: a report.
        let held_by = self.held_by.load(Relaxed).checked_sub(1);
        (self.count.load(Relaxed), held_by.map(|port| port as usize))
    }
}
