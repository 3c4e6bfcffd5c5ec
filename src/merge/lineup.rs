//! The receivers of a merge in a line: whose message is next.
//!
//! ```text
//!   current   the one whose turn it is, as long as its numbers are at most `until`
//!   heads     those that have something, by the number of their next message (a heap)
//!   quiet     those that had nothing, when they were looked at after the clock was read as `horizon`
//!   finished  those that are closed and read to their end
//! ```
//!
//! *Safe.* A number is next if it is the lowest of all that are there, and at most `horizon`: the clock is read first
//! (Acquire), and then every quiet receiver is looked at; what the clock covers was handed out before, so one that has
//! nothing then gets nothing up to `horizon` any more. One whose run is used up is looked at again before the others
//! take their turn; if it has nothing, that look, too, came after the clock was read. Reading the clock after the looks
//! would skip what came between.
//!
//! *Cost.* Within a run nobody else is looked at. A change of turn costs a step in the heap. When everything up to the
//! horizon is given out the clock is read again, and the quiet ones are looked at: once a round, not once a message.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::board::Change;
use crate::clock::Seq;
use crate::drive::{For, Shared, Step};
use crate::notice::Notice;
use crate::park::Parker;
use crate::receiver::Part;
use crate::sync::Arc;

/// See the module's documentation.
pub(super) struct Lineup<M> {
    parts: Vec<Slot<M>>,
    current: Option<usize>,
    until: u64,
    heads: BinaryHeap<Reverse<(u64, usize)>>,
    quiet: Vec<usize>,
    horizon: u64,
}

struct Slot<M> {
    part: Box<dyn Part<M>>,
    is_tied: bool,
    /// The dispatcher knows where the merge sleeps.
    is_moved: bool,
    is_finished: bool,
}

/// What there is to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    Message,
    Notice,
    Clock(Seq),
    Closed,
}

/// What a look at all of them has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sight {
    /// It is the turn of the current one.
    Ready,
    /// It is, and what it has is a notice.
    Notice,
    Nothing,
    /// The next message may not be handed out yet: its receiver is behind others. It is the lowest of the heads.
    Held,
    Closed,
}

impl<M: 'static> Lineup<M> {
    pub(super) fn new() -> Self {
        Self {
            parts: Vec::new(),
            current: None,
            until: 0,
            heads: BinaryHeap::new(),
            quiet: Vec::new(),
            horizon: 0,
        }
    }

    pub(super) fn add(&mut self, part: Box<dyn Part<M>>) {
        let is_tied = part.is_tied();
        self.quiet.push(self.parts.len());
        self.parts.push(Slot { part, is_tied, is_moved: false, is_finished: false });
        self.heads.reserve(self.parts.len());
    }

    /// Adds those of another merge, which has slept elsewhere.
    pub(super) fn adopt(&mut self, other: Self) {
        self.parts.extend(other.parts.into_iter().map(|slot| Slot { is_moved: false, ..slot }));
        self.current = None;
        // Room for all of them, so that nothing is allocated later.
        self.heads.clear();
        self.heads.reserve(self.parts.len());
        self.quiet.clear();
        self.quiet.reserve(self.parts.len());
        self.quiet.extend((0..self.parts.len()).filter(|&index| !self.parts[index].is_finished));
    }

    /// Whether no source is left to any of them.
    pub(super) fn is_closed(&self) -> bool {
        self.parts.iter().all(|slot| slot.is_finished || slot.part.is_closed())
    }

    /// Finds whose message is next.
    pub(super) fn find(&mut self, shared: &Shared) -> Sight {
        loop {
            if let Some(index) = self.current {
                let Slot { part, is_tied, .. } = &mut self.parts[index];
                match part.peek() {
                    Some(number) if number <= self.until => {
                        if !*is_tied || part.allows(number) {
                            let has_notice = part.has_notice();
                            return if has_notice { Sight::Notice } else { Sight::Ready };
                        }
                        self.heads.push(Reverse((number, index)));
                        self.current = None;
                        return Sight::Held;
                    }
                    Some(number) => self.heads.push(Reverse((number, index))),
                    None => self.quiet.push(index),
                }
                self.current = None;
            }
            if self.next_turn() {
                continue;
            }
            self.look_around(shared);
            if !self.next_turn() {
                return if self.is_over() { Sight::Closed } else { Sight::Nothing };
            }
        }
    }

    /// Gives the turn to the one with the lowest number, if that is safe.
    fn next_turn(&mut self) -> bool {
        let Some(head) = self.heads.peek_mut() else { return false };
        let Reverse((number, index)) = *head;
        if number > self.horizon {
            return false;
        }
        std::collections::binary_heap::PeekMut::pop(head);
        self.current = Some(index);
        let next = self.heads.peek().map_or(u64::MAX, |Reverse((number, _))| *number);
        // No number is given to two of them. If one were (a broadcast), the next look would give the other its turn.
        self.until = self.horizon.min(next.saturating_sub(1)).max(number);
        true
    }

    /// Reads the clock, and then looks at all who had nothing.
    fn look_around(&mut self, shared: &Shared) {
        let now = shared.board().clock.now();
        let Self { parts, heads, quiet, .. } = self;
        quiet.retain(|&index| {
            let slot = &mut parts[index];
            // The end, too, before the look: what was sent is there.
            let closed = slot.part.is_closed();
            if let Some(number) = slot.part.peek() {
                heads.push(Reverse((number, index)));
                return false;
            }
            slot.is_finished = closed;
            !closed
        });
        self.horizon = now;
    }

    /// The next message, when [`find`](Self::find) has said that it is ready.
    pub(super) fn take(&mut self) -> Option<(Seq, M)> {
        self.parts[self.current?].part.take()
    }

    /// The notice, when it has said so.
    pub(super) fn take_notice(&mut self) -> Option<(Seq, Notice)> {
        self.parts[self.current?].part.take_notice()
    }

    /// Hands up to `max` of the current one's to `f`, as long as it is its turn.
    pub(super) fn take_batch(&mut self, max: usize, f: &mut dyn FnMut(Seq, M)) -> usize {
        let Some(index) = self.current else { return 0 };
        self.parts[index].part.take_batch(max, self.until, f)
    }

    /// So much of the clock may be told, when nothing is ready.
    pub(super) fn clock(&mut self) -> Seq {
        let mut clock = self.horizon;
        if let Some(Reverse((number, _))) = self.heads.peek() {
            clock = clock.min(number - 1);
        }
        for slot in self.parts.iter_mut().filter(|slot| slot.is_tied && !slot.is_finished) {
            clock = slot.part.cut_clock(clock);
        }
        Seq::new(clock)
    }

    /// Whether one of them is behind others.
    pub(super) fn is_behind(&self) -> bool {
        self.parts.iter().any(|slot| slot.is_tied && slot.part.is_behind())
    }

    /// What is waited for, for messages and the clock.
    pub(super) fn kind_of_event_wait(&self) -> For {
        if self.is_behind() { For::Turn } else { For::Event }
    }

    /// How many there are, finished or not.
    pub(super) fn len(&self) -> usize {
        self.parts.len()
    }

    /// Whether all are finished, as of the last look.
    pub(super) fn is_over(&self) -> bool {
        self.current.is_none() && self.heads.is_empty() && self.quiet.is_empty()
    }

    /// Whether the engine had taken all of them in before the clock came to `clock`.
    pub(super) fn has_joined_before(&self, clock: Seq) -> bool {
        let mut joined = self.parts.iter().map(|slot| slot.part.inbox().joined_at());
        joined.all(|at| at.is_some_and(|at| at < clock.get()))
    }

    /// Everything up to here that was meant for any of them was received. Asks for nothing.
    pub(super) fn reached(&mut self, shared: &Shared) -> Seq {
        // The clock first: see the module's documentation.
        let clock = Seq::new(shared.board().clock.now());
        let live = self.parts.iter_mut().filter(|slot| !slot.is_finished);
        live.map(|slot| slot.part.glance(clock)).min().unwrap_or(clock)
    }

    /// After a step of a wait at `parker`, for those that are behind others.
    pub(super) fn mind(&mut self, step: Step, found: bool, shared: &Shared, parker: &Arc<Parker>) {
        for slot in self.parts.iter_mut().filter(|slot| slot.is_tied) {
            slot.part.mind(step, found, shared, parker);
        }
    }

    /// About to sleep at `parker`, to hear all of them.
    pub(super) fn arm(&mut self, shared: &Shared, parker: &Arc<Parker>) {
        shared.tell_closers();
        for slot in self.parts.iter_mut().filter(|slot| !slot.is_finished) {
            slot.part.ask_for_attention();
            if !std::mem::replace(&mut slot.is_moved, true) {
                let (inbox, parker) = (slot.part.inbox().clone(), parker.clone());
                shared.announce(Change::Sleeper { inbox, parker });
            }
        }
    }
}
