//! The short way: a receiver that waits, and holds the core, stamps what its own lane has for it, and nothing else.
//!
//! It saves a round trip everything but the two lines that it needs: the lane with the message, and the order. The
//! run goes into the hand of the receiver without an entry in its inbox, whose rest it has read; the number comes from
//! the same count, under the same lock, and the clock is published as after a pass. So nothing is promised less.
//!
//! What the short way leaves to a pass: every other lane, marks, the topology, ends, those who wait for room, lanes
//! that somebody wants to hear of. The receiver makes a full pass every so often (`receiver/short.rs`), so nothing
//! that is left waits for long.

use super::Core;
use super::source::Phase;
use crate::inbox::Inbox;
use crate::lane::{LaneState, NOWHERE};

/// What came of the short way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Short {
    /// These messages have their numbers.
    Run { len: u64, first_seq: u64 },
    /// The lane has nothing.
    Nothing,
    /// It takes a full pass.
    Pass,
}

impl Core {
    /// Stamps what is in a lane. To be called by its receiver, which has nothing left to read in its inbox.
    #[inline]
    pub(crate) fn stamp_own(&mut self, lane: &LaneState, inbox: &Inbox) -> Short {
        let Some(source) = lane.id().and_then(|id| self.sources.get_mut(id as usize)) else {
            return Short::Pass;
        };
        let (seen, ended) = lane.published();
        let is_ended = ended || source.cut != NOWHERE;
        // The marks after the tail: what was submitted before something that is in it has a lower number.
        let marks = self.board.marks.is_waiting();
        if is_ended || source.phase != Phase::Hot || lane.is_wanted() || marks {
            return Short::Pass;
        }
        let len = seen - source.stamped;
        if len == 0 {
            return Short::Nothing;
        }
        let first_seq = self.seq + 1;
        self.seq += len;
        source.stamped = seen;
        source.spoke = self.passes;
        self.short_ways += 1;
        lane.stamp(seen, self.seq);
        inbox.note_given(self.seq);
        self.clock.publish(&self.board.clock, self.seq, 0);
        Short::Run { len, first_seq }
    }

    /// Whether those who sleep until the clock moves are to be told of what was stamped.
    #[inline]
    pub(crate) fn must_tell_of_clock(&self) -> bool {
        // Pairs with the heavy barrier of a sleeper: it sees the clock, or we see it armed.
        light!("short.light");
        self.board.waiters.is_armed()
    }
}
