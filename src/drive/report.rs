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

    /// A leaving receiver has not received so many.
    pub(crate) fn discard(&self, messages: u64) {
        // Relaxed: a count.
        self.discarded.fetch_add(messages, Relaxed);
    }

    /// Of a leaving receiver, for which `before` were counted, it is so many.
    pub(crate) fn recount(&self, before: u64, messages: u64) {
        // Relaxed: a count. Wrapping, both: it may be fewer.
        self.discarded.fetch_add(messages.wrapping_sub(before), Relaxed);
    }

    /// How many messages leaving receivers have not received.
    pub(crate) fn discarded(&self) -> u64 {
        // Relaxed: a count.
        self.discarded.load(Relaxed)
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
