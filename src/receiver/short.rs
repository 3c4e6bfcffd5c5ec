//! The short way: round trips as fast as a plain channel's.
//!
//! A receiver whose last run was short waits for the next message of the same lane as a plain channel would: it looks
//! at that lane's tail. When it finds something it takes the core, stamps its own lane alone
//! (`dispatcher/short.rs`), and has the message. After a few pauses it takes the core beforehand and keeps it while
//! it looks, so that the order stands ready when the message comes. (Not at once: the last holder may still be at it,
//! with a message in its hand, and would lose the line.) It lets go when somebody kicks, and after a bounded number of
//! looks: a holder that is descheduled holds up everybody.
//!
//! *Its duties.* Every so often it makes a full pass instead, so that its other lanes and everyone else have theirs.
//! What it must not decide alone it leaves to a pass: see `dispatcher/short.rs`.

use super::look::{Found, Look};
use crate::sync::{LOOKS, PATIENCE, pause};

/// Each time that is a multiple of this, it makes a full pass instead.
const FULL_PASS: u32 = 32;

impl<T: Send + 'static> Look<T> {
    /// Makes sure that the run at hand has something left, as far as it can be had without waiting, and without a pass.
    #[inline]
    pub(super) fn go_on(&mut self) -> bool {
        if !self.reader.has_more() && self.reader.own_lane_speaks() && self.may() {
            // Whatever it has found is at hand now, or in the inbox.
            self.hold(1);
        }
        (self.ties.is_none() && self.reader.has_more()) || self.find_run()
    }

    /// Looks for a while. None if the wait has to go on, with a full pass.
    pub(super) fn go_the_short_way<R>(
        &mut self,
        find: impl Fn(&mut Self) -> Option<Found<R>>,
    ) -> Option<Found<R>> {
        if !self.reader.is_brisk() || self.trips.is_none() {
            return None;
        }
        self.may();
        for nth in 0..LOOKS {
            if (nth >= PATIENCE || self.reader.own_lane_speaks())
                && let Some(held) = self.hold(LOOKS - nth)
            {
                return if held { find(self) } else { None };
            }
            pause();
            if let found @ Some(_) = find(self) {
                return found;
            }
        }
        None
    }

    /// Counts a trip, and makes the full pass if it is time for that. True if the short way may be gone instead.
    #[inline]
    fn may(&mut self) -> bool {
        let Some(trips) = &mut self.trips else { return false };
        *trips = trips.wrapping_add(1);
        let short = !trips.is_multiple_of(FULL_PASS);
        if !short {
            self.pass();
        }
        short
    }

    #[cold]
    fn pass(&self) {
        self.shared.drive();
    }

    #[inline]
    fn hold(&mut self, looks: u32) -> Option<bool> {
        let Self { shared, reader, .. } = self;
        shared.hold(looks, |core| reader.look_alone(core))
    }
}
