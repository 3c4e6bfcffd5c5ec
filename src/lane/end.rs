//! Ends from outside: the engine is closed, or a pass has panicked; or the author alone is ended, where it is.
//!
//! ```text
//!   UNDECIDED ─▶ heavy barrier ─▶ the tail is read ─▶ CLOSED, or FENCED at a position, or on it goes
//!       └── an author that publishes meanwhile waits here until it is decided: then what it has published counts,
//!           or is its own again
//! ```

use super::attention::TAKEN;
use super::{CLOSED, CLOSING, FENCED, GONE, LaneState, POISONED, UNDECIDED};
use crate::sync::Ordering::Relaxed;
use crate::sync::yield_now;

impl LaneState {
    // ── the sender's side ──────────────────────────────────────────────────────────────────────────────────

    /// Whether the receiver has left. To be asked after that was seen.
    pub(crate) fn has_left(&self) -> bool {
        // Relaxed: seen before.
        self.sender.attention.load(Relaxed) & GONE != 0
    }

    /// Whether the author was ended from outside.
    pub(crate) fn is_fenced(&self) -> bool {
        // Relaxed: as `is_gone`.
        self.sender.attention.load(Relaxed) & FENCED != 0
    }

    /// Where the author was ended from outside, if it was.
    pub(crate) fn fenced_at(&self) -> Option<u64> {
        if !self.is_fenced() {
            return None;
        }
        // Acquire: pairs with `fence_at`, for the position.
        let attention = self.sender.attention.load(ord!("lane.fenced.read", Acquire));
        // Relaxed: see above.
        (attention & FENCED != 0).then(|| self.cut.load(Relaxed))
    }

    /// The author takes back what it has published from `position` on, where it was ended. False if the receiver had
    /// left before: then it is settled by that.
    pub(crate) fn take_from(&self, position: u64) -> bool {
        // Relaxed: the CAS settles.
        let mut seen = self.sender.attention.load(Relaxed);
        while seen & TAKEN == 0 {
            if seen & GONE != 0 {
                return false;
            }
            // Relaxed: released below. It is there already, unless this is a lane of an outbox of which the dispatcher
            // has not heard yet.
            self.cut.store(position, Relaxed);
            let attention = &self.sender.attention;
            let taken = ord!("lane.taken.publish", Release);
            // Release: pairs with the barrier of a receiver that leaves, for the position. Relaxed failing: tries again
            // with what it saw.
            match attention.compare_exchange(seen, seen | TAKEN, taken, Relaxed) {
                Ok(_) => break,
                Err(now) => seen = now,
            }
        }
        true
    }

    /// How many messages have their numbers, in an engine that was closed: no more ever will.
    pub(crate) fn numbered_at_last(&self) -> u64 {
        // Acquire: pairs with `refuse`: the last pass is over, and what it has stamped is seen.
        self.sender.attention.load(ord!("lane.closed.read", Acquire));
        // Relaxed: see above.
        self.stamps.stamped.load(Relaxed)
    }

    /// The word to heed after a publication that met CLOSING or UNDECIDED, when it is decided whether that came in
    /// time.
    #[cold]
    pub(crate) fn attention_once_decided(&self) -> u32 {
        loop {
            // Relaxed: the barrier before the first look ordered it behind the publication; what is taken back is read
            // with Acquire (`numbered_at_last`).
            let attention = self.sender.attention.load(Relaxed);
            if attention & UNDECIDED == 0 || attention & POISONED != 0 {
                return attention;
            }
            // Whoever decides holds the core meanwhile, and asks some counters, or passes a barrier.
            yield_now();
        }
    }

    // ── the dispatcher's side ──────────────────────────────────────────────────────────────────────────────

    pub(crate) fn poison(&self) {
        // Relaxed: nothing but the bit itself is told.
        self.sender.attention.fetch_or(POISONED, Relaxed);
        self.parker.wake();
    }

    /// The engine is being closed. Then the author is to be woken.
    pub(crate) fn begin_closing(&self) {
        // Relaxed: the wake-up releases it.
        self.sender.attention.fetch_or(CLOSING, Relaxed);
    }

    /// What is published from now on does not count before it is decided whether the engine is closed, or where the
    /// author ends. To be followed by a heavy barrier, and by [`refuse`](Self::refuse), [`go_on`](Self::go_on), or
    /// [`fence_at`](Self::fence_at).
    pub(crate) fn suspend(&self) {
        // Relaxed: the barrier orders it before the looks that follow.
        self.sender.attention.fetch_or(UNDECIDED, Relaxed);
    }

    /// The engine is not closed yet: what was published counts.
    pub(crate) fn go_on(&self) {
        // Relaxed: nothing rides on it.
        self.sender.attention.fetch_and(!UNDECIDED, Relaxed);
    }

    /// The author ends at a position, whatever it has published beyond that.
    pub(crate) fn fence_at(&self, position: u64) {
        // Relaxed: released below.
        self.cut.store(position, Relaxed);
        // Release: pairs with `fenced_at`.
        self.sender.attention.fetch_or(FENCED, ord!("lane.fenced.publish", Release));
        self.go_on();
    }

    /// No pass runs any more: what is published from now on is its author's again.
    pub(crate) fn refuse(&self) {
        // Release: pairs with `numbered_at_last` and `drain_end`.
        self.sender.attention.fetch_or(POISONED | CLOSED, ord!("lane.closed.publish", Release));
    }

    /// The engine was closed.
    pub(crate) fn close(&self) {
        self.refuse();
        self.parker.wake();
    }
}
