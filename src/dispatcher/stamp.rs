//! Turns: giving numbers, and handing the runs out.
//!
//! A turn is one run of a lane, or a bounded number of messages of an outbox; sources take turns until all that was
//! collected is stamped or waits. What finds no room waits in its inbox's list, in order of arrival: whoever comes
//! later does not go first, also if room appears meanwhile. (A rotating start alone would serve one of two lanes
//! for one inbox, and never the other.)
//!
//! **An ended source never waits**: its rest is stamped at once, past a full ring if need be.

use super::Core;
use super::port::{self, Port};
use super::source::{Kind, Phase, Source, Target};
use crate::inbox::Run;
use crate::order::NOBODY;

/// How many messages of one source get their numbers in one turn, so that the others are not far behind.
const BURST: u64 = 1024;

impl Core {
    /// Turn by turn, until nothing is left of what was collected.
    pub(super) fn stamp(&mut self) {
        let mut work = std::mem::take(&mut self.work);
        while !work.is_empty() {
            work.retain(|&id| {
                let served = self.take_promise(id);
                match &self.sources[id].kind {
                    Kind::Lane { .. } => self.turn_of_lane(id, served),
                    Kind::Outbox(_) => self.turn_of_outbox(id, served),
                }
            });
        }
        self.work = work;
    }

    /// Whether a source has waited, and now takes the turn that it was promised.
    fn take_promise(&mut self, id: usize) -> bool {
        let source = &mut self.sources[id];
        let Phase::Served { port } = source.phase else { return false };
        source.phase = Phase::Scanned;
        if let Some(port) = self.ports.get_mut(port) {
            port.promised -= 1;
        }
        true
    }

    /// True if the lane has more to be stamped in this pass.
    fn turn_of_lane(&mut self, id: usize, served: bool) -> bool {
        let Self { sources, ports, touched, seq, .. } = self;
        let source = &mut sources[id];
        let Kind::Lane { lane, to } = &source.kind else { unreachable!("a lane's turn") };
        let (to, rest) = (*to, source.seen - source.stamped);
        let port = &mut ports[to.port];
        if port.gone || (source.ended && source.seen == 0) {
            self.release_lane(id, to.port);
            return false;
        }
        // Before the entry: whoever reads that may go to sleep, and want to hear again.
        lane.clear_want();
        if !source.ended && port.must_wait(served) {
            self.wait(id, to.port);
            return false;
        }
        let len = if source.ended { rest } else { rest.min(BURST) };
        if port.room() > 0 {
            port.write(Run {
                key: to.key,
                len: len as u32,
                first_seq: *seq + 1,
                last: source.ended,
            });
        } else {
            port.overflow(lane, to.key, *seq + 1, source.stamped, source.seen);
        }
        port.touch(to.port, touched);
        *seq += len;
        source.stamped += len;
        lane.stamp(source.stamped, *seq);
        if source.ended {
            self.release_lane(id, to.port);
            return false;
        }
        len < rest
    }

    /// True if the outbox has more to be stamped in this pass.
    fn turn_of_outbox(&mut self, id: usize, served: bool) -> bool {
        let before = self.sources[id].stamped;
        if self.sources[id].ended {
            if self.board.topology.generation() != self.generation {
                // It may have added a target just before its end. The author is gone, so when the next pass has
                // applied the list, every target is known; what is numbered now could not be taken back.
                self.sources[id].put_off();
                self.again = true;
                return false;
            }
            self.freeze(id);
        }
        let mut step = Step::Next;
        while step == Step::Next {
            let source = &self.sources[id];
            let spent = source.stamped - before;
            step = if source.stamped == source.seen {
                Step::Done
            } else if spent >= BURST && !source.ended {
                Step::More
            } else {
                self.step(id, BURST - spent.min(BURST), served && spent == 0)
            };
        }
        let source = &self.sources[id];
        if source.stamped != before {
            // The words are free again.
            source.state().advance(source.stamped);
            self.touched_rings.push(id);
        }
        if source.ended && source.stamped == source.seen && step == Step::Done {
            self.finish_outbox(id);
        }
        step == Step::More
    }

    /// Stamps the next run of an outbox: messages for one target that follow each other.
    fn step(&mut self, id: usize, budget: u64, served: bool) -> Step {
        let Self { sources, ports, touched, seq, again, .. } = self;
        let source = &mut sources[id];
        let Kind::Outbox(outlets) = &mut source.kind else { unreachable!("an outbox's turn") };
        let ring = &outlets.ring;
        let word = ring.target(source.stamped);
        if word == NOBODY {
            source.stamped += 1;
            return Step::Next;
        }
        let Some(target) = outlets.targets.get_mut(usize::from(word)).and_then(Option::as_mut)
        else {
            // Added after the topology was read. The pass that knows it goes on from here.
            *again = true;
            source.seen = source.stamped;
            return Step::Unknown;
        };
        let Some(to) = target.to.filter(|to| !ports[to.port].gone) else {
            // To nobody: takes no number.
            source.stamped += 1;
            target.stamped += 1;
            if target.is_finished() {
                self.finish_target(id, usize::from(word));
            }
            return Step::Next;
        };
        let limit = source.seen.min(source.stamped + budget.max(1));
        let len = (source.stamped..limit).take_while(|&at| ring.target(at) == word).count() as u64;
        let port = &mut ports[to.port];
        if target.in_overflow {
            // Its record covers these already.
        } else if source.ended && port.room() == 0 {
            port.overflow(&target.lane, to.key, *seq + 1, source.stamped, source.seen);
            target.in_overflow = true;
            port.touch(to.port, touched);
        } else if !source.ended && port.must_wait(served) {
            ring.state().clear_want();
            self.wait(id, to.port);
            return Step::Waits;
        } else {
            target.lane.clear_want();
            ring.state().clear_want();
            let run = Run { key: to.key, len: len as u32, first_seq: *seq + 1, last: false };
            port.write(run);
            port.touch(to.port, touched);
        }
        *seq += len;
        source.stamped += len;
        target.stamped += len;
        if target.is_finished() {
            self.finish_target(id, usize::from(word));
        }
        Step::Next
    }

    /// Puts a source into the list of those that wait for room at a port.
    fn wait(&mut self, id: usize, port_id: usize) {
        let port = &mut self.ports[port_id];
        self.tickets += 1;
        port.enqueue(id, &mut self.sources[id], self.tickets);
        self.scan_stale = true;
        if !port.is_full {
            port.is_full = true;
            self.full.push(port_id);
        }
    }

    /// Lets go of a lane, which is stamped to its end or whose receiver has gone.
    fn release_lane(&mut self, id: usize, port: usize) {
        let source = self.sources.remove(id);
        source.state().release();
        self.scan_stale = true;
        self.end_source(port);
    }

    fn end_source(&mut self, port: usize) {
        if self.ports[port].end_source() {
            self.closing.push(port);
        }
        self.forget_if_unused(port);
    }

    /// Ends a target that its outbox has removed, or that ends with its outbox.
    pub(super) fn finish_target(&mut self, id: usize, index: usize) {
        let Self { sources, ports, touched, seq, .. } = self;
        let source: &mut Source = &mut sources[id];
        let Kind::Outbox(outlets) = &mut source.kind else { unreachable!("an outbox's target") };
        let Some(target) = outlets.targets[index].take() else { return };
        if let Some(to) = target.to {
            let port: &mut Port = &mut ports[to.port];
            // A lane that never spoke is unknown to its receiver; its author has withdrawn it.
            let known = target.stamped > 0 && !target.in_overflow && !port.gone;
            if known && port.room() > 0 {
                port.write(Run { key: to.key, len: 0, first_seq: *seq + 1, last: true });
            } else if known {
                port.overflow(&target.lane, to.key, *seq + 1, source.stamped, source.stamped);
            }
            port.touch(to.port, touched);
            self.end_source(to.port);
        }
        target.lane.release();
    }

    /// Before the rest of an ended outbox is stamped: takes out what is for nobody, so that a receiver that walks
    /// the words counts only those that have a number.
    fn freeze(&self, id: usize) {
        let source = &self.sources[id];
        let Kind::Outbox(outlets) = &source.kind else { unreachable!("an outbox's turn") };
        port::freeze(&outlets.ring, source.stamped, source.seen, |index| {
            let target: Option<&Target> =
                outlets.targets.get(usize::from(index)).and_then(Option::as_ref);
            target.is_some_and(|target| target.to.is_none_or(|to| self.ports[to.port].gone))
        });
    }

    fn finish_outbox(&mut self, id: usize) {
        let Kind::Outbox(outlets) = &self.sources[id].kind else { unreachable!("an outbox's end") };
        for index in 0..outlets.targets.len() {
            self.finish_target(id, index);
        }
        self.sources.remove(id).state().release();
        self.scan_stale = true;
    }
}

/// How a turn of an outbox goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Next,
    /// All that was collected is stamped.
    Done,
    /// Its share of this turn is used up.
    More,
    /// The inbox of the next message is full.
    Waits,
    /// The target of the next message is not known yet.
    Unknown,
}
