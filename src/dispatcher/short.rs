//! The short way: a receiver that waits, and holds the core, stamps what its own lane has for it, and nothing else.
//!
//! It saves a round trip everything but the two lines that it needs: the lane with the message, and the order. The
//! run goes into the hand of the receiver without an entry in its inbox, whose rest it has read; the number comes from
//! the same count, under the same lock, and the clock is published as after a pass. So nothing is promised less.
//!
//! What the short way leaves to a pass: every other lane, the topology, ends, those who wait for room, lanes that
//! somebody wants to hear of. The receiver makes a full pass every so often (`receiver/short.rs`), so nothing that is
//! left waits for long.

use super::Core;
use super::source::Phase;
use super::stamp::BURST;
use crate::lane::LaneState;

/// What a receiver has stamped for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Short {
    pub(crate) len: u64,
    pub(crate) first_seq: u64,
}

impl Core {
    /// Stamps what is in a lane. To be called by its receiver, which has nothing left to read in its inbox.
    #[inline]
    pub(crate) fn stamp_own(&mut self, lane: &LaneState) -> Option<Short> {
        let id = lane.id()? as usize;
        let source = &mut self.sources[id];
        let (seen, ended) = lane.published();
        if seen == source.stamped || ended || source.phase != Phase::Hot || lane.is_wanted() {
            return None;
        }
        let (len, first_seq) = ((seen - source.stamped).min(BURST), self.seq + 1);
        self.seq += len;
        source.stamped += len;
        source.spoke = self.passes;
        self.short_ways += 1;
        lane.stamp(source.stamped, self.seq);
        self.clock.publish(&self.board.clock, self.seq, 0);
        Some(Short { len, first_seq })
    }

    /// Whether those who sleep until the clock moves are to be told of what was stamped.
    #[inline]
    pub(crate) fn must_tell_of_clock(&self) -> bool {
        // Pairs with the heavy barrier of a sleeper: it sees the clock, or we see it armed.
        light!("short.light");
        self.board.waiters.is_armed()
    }
}
