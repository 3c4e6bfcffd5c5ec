//! A turn of an outbox: its messages in the order sent, as many at a time as can be.
//!
//! ```text
//!   order ring    a a b a c b b …        numbers 8, 9, 10, 11, …
//!   to a          first 8, mask 0b1011   three messages: 8, 9, 11
//!   to b          first 8, mask 0b110100 three messages: 10, 13, 14
//! ```
//!
//! A **window** is up to 64 messages whose targets are known, live, and have room: it becomes one run for each target,
//! masked where the numbers are not adjacent. What does not fit into a window (a message that has to wait, or whose
//! target is gone, unknown, or in an overflow list) ends it, and takes a step of its own, as a long run for one
//! target does. So what follows a message in the order never overtakes it.

use slab::Slab;

use super::Core;
use super::port::{self, Port};
use super::source::{Destination, Kind, Outlets, Source, Target};
use super::stamp::BURST;
use crate::inbox::Run;
use crate::order::NOBODY;

/// Messages of a window: the bits of a mask.
const WINDOW: u64 = u64::BITS as u64;

/// Messages in a row for one target that are better handed out as a plain run, of any length.
const ROW: u64 = 32;

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

impl Core {
    /// True if the outbox has more to be stamped in this pass.
    pub(super) fn turn_of_outbox(&mut self, id: usize, served: bool) -> bool {
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
                let end = source.seen.min(source.stamped + (BURST - spent.min(BURST)).max(1));
                let Kind::Outbox(Outlets { ring, .. }) = &source.kind else {
                    unreachable!("an outbox's turn")
                };
                let row = ring.row(source.stamped, end);
                let served = served && spent == 0;
                if row < ROW && source.stamped + row < end && self.window(id, end, served) {
                    Step::Next
                } else {
                    self.step(id, row, served)
                }
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

    /// Stamps the next window. False if there is none, and the next message takes a step of its own.
    fn window(&mut self, id: usize, end: u64, served: bool) -> bool {
        let Self { sources, ports, touched, opened, seq, .. } = self;
        let source = &mut sources[id];
        let Kind::Outbox(Outlets { ring, targets }) = &mut source.kind else {
            unreachable!("an outbox's turn")
        };
        let (start, limit) = (source.stamped, WINDOW.min(end - source.stamped));
        let mut len = 0;
        while len < limit {
            let word = ring.target(start + len);
            let Some(Some(target)) = targets.get_mut(usize::from(word)) else { break };
            if target.mask == 0 {
                if !target.open(ports, served && len == 0) {
                    break;
                }
                opened.push(word);
            }
            target.mask |= 1 << len;
            len += 1;
        }
        for &word in &*opened {
            let target = targets[usize::from(word)].as_mut().expect("it was opened");
            target.hand_out(ports, touched, *seq + 1);
        }
        if len > 0 {
            ring.state().clear_want();
        }
        source.stamped += len;
        *seq += len;
        while let Some(word) = self.opened.pop() {
            self.finish_target_if_due(id, word);
        }
        len > 0
    }

    /// Stamps the next run of an outbox: `len` messages for one target that follow each other.
    fn step(&mut self, id: usize, len: u64, served: bool) -> Step {
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
            self.finish_target_if_due(id, word);
            return Step::Next;
        };
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
            target.clear_want(port);
            ring.state().clear_want();
            let run =
                Run { key: to.key, len: len as u32, first_seq: *seq + 1, mask: 0, last: false };
            port.write(run);
            port.touch(to.port, touched);
        }
        *seq += len;
        if target.in_overflow {
            // Its record says where its numbers begin, not where they end.
            port.inbox().note_given(*seq);
        }
        source.stamped += len;
        target.stamped += len;
        target.lane.stamp(target.stamped, *seq);
        self.finish_target_if_due(id, word);
        Step::Next
    }

    fn finish_target_if_due(&mut self, id: usize, word: u16) {
        let Kind::Outbox(outlets) = &self.sources[id].kind else {
            unreachable!("an outbox's target")
        };
        if outlets.targets[usize::from(word)].as_ref().is_some_and(Target::is_finished) {
            self.finish_target(id, usize::from(word));
        }
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
                port.write(Run { key: to.key, len: 0, first_seq: *seq + 1, mask: 0, last: true });
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
        self.scan.has_left();
    }
}

impl Target {
    /// Takes the target into a window, with room for its run. False if it has none, or must not be in one.
    fn open(&self, ports: &mut Slab<Port>, served: bool) -> bool {
        let Some(port) = self.to.and_then(|to| ports.get_mut(to.port)) else { return false };
        let opens = !port.gone && !self.in_overflow && !port.must_wait(served);
        port.reserved += u64::from(opens);
        opens
    }

    /// Clears WANT, if it may have been set since that was last done. Before the entry: whoever reads that may go to
    /// sleep, and want to hear again.
    fn clear_want(&mut self, port: &Port) {
        let sleeps = Some(port.inbox().sleeps());
        if self.sleeps != sleeps {
            self.sleeps = sleeps;
            self.lane.clear_want();
        }
    }

    /// Hands out the run of a window that begins with the number `first`.
    fn hand_out(&mut self, ports: &mut Slab<Port>, touched: &mut Vec<usize>, first: u64) {
        let Destination { port: id, key } = self.to.expect("it was opened");
        let mask = std::mem::take(&mut self.mask);
        let (lowest, highest) = (mask.trailing_zeros(), WINDOW as u32 - 1 - mask.leading_zeros());
        let (mask, len) = (mask >> lowest, mask.count_ones());
        let adjacent = len == highest - lowest + 1;
        let port = &mut ports[id];
        self.clear_want(port);
        port.reserved -= 1;
        port.write(Run {
            key,
            len,
            first_seq: first + u64::from(lowest),
            mask: if adjacent { 0 } else { mask },
            last: false,
        });
        port.touch(id, touched);
        self.stamped += u64::from(len);
        self.lane.stamp(self.stamped, first + u64::from(highest));
    }
}
