//! What reports ask of the shell.

use std::time::Duration;

use super::Shared;
use crate::dispatcher::Core;
use crate::park;
use crate::sync::Ordering::Relaxed;

impl Shared {
    /// Asks the dispatcher; none if a pass is under way.
    pub(crate) fn ask<R>(&self, question: impl FnOnce(&Core) -> R) -> Option<R> {
        let held = self.core.try_hold()?;
        let answer = question(&held);
        if held.release() {
            self.kick();
        }
        Some(answer)
    }

    /// How often it was kicked.
    pub(crate) fn kicks(&self) -> u64 {
        // Relaxed: a count.
        self.kicks.load(Relaxed)
    }

    /// How long ago a moment was, in the nanoseconds of the timestamps; none without these.
    pub(crate) fn age_of(&self, at: u64) -> Option<Duration> {
        self.began.map(|began| (park::now() - began).saturating_sub(Duration::from_nanos(at)))
    }
}
