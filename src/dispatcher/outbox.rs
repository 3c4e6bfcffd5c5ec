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
//!
//! **The rest of one that has ended** waits for nobody: where an inbox has no room it goes to the overflow list, as a
//! record that names the words. A receiver that is reached by several ways (an old and a new target, groups) gets the
//! records of all of them at once, and reads them together: their numbers are between each other's.

use slab::Slab;

use super::Core;
use super::fan::{Member, Range};
use super::port::{self, Port};
use super::source::{Destination, Kind, Outlets, Source, Target};
use super::stamp::BURST;
use crate::inbox::{Rest, Run};
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
    pub(super) fn turn_of_outbox(&mut self, id: usize, served: Option<usize>) -> bool {
        let before = self.sources[id].stamped;
        let Kind::Outbox(Outlets { broadcasts, .. }) = self.sources[id].kind else {
            unreachable!("an outbox's turn")
        };
        // Of one that broadcasts nothing and has not ended it shows when a target is not known yet.
        if (broadcasts || self.sources[id].ended) && !self.assure(id) {
            return false;
        }
        if self.sources[id].ended {
            self.freeze(id);
            self.ways.clear();
        }
        let mut step = Step::Next;
        while step == Step::Next {
            let next_mark = self.stamp_due_marks(id);
            let source = &self.sources[id];
            let spent = source.stamped - before;
            step = if source.stamped == source.seen {
                Step::Done
            } else if spent >= BURST && !source.ended {
                Step::More
            } else {
                let most = source.stamped + (BURST - spent.min(BURST)).max(1);
                let end = source.seen.min(most).min(next_mark);
                let Kind::Outbox(Outlets { ring, .. }) = &source.kind else {
                    unreachable!("an outbox's turn")
                };
                let row = ring.row(source.stamped, end);
                let served = served.filter(|_| spent == 0);
                let plain = served.is_some();
                if row < ROW && source.stamped + row < end && self.window(id, end, plain) {
                    Step::Next
                } else {
                    self.step(id, row, served)
                }
            };
        }
        let source = &self.sources[id];
        if source.stamped != before {
            // For an author that waits for its numbers.
            source.state().stamp(source.stamped, self.seq);
            // Then the words are free again; those of one that has ended stay, as receivers may walk over them yet.
            if !source.ended {
                source.state().advance(source.stamped);
            }
            self.authors.push(id);
        }
        if source.ended && source.stamped == source.seen && step == Step::Done {
            self.finish_outbox(id);
        }
        step == Step::More
    }

    /// Stamps the next window. False if there is none, and the next message takes a step of its own.
    fn window(&mut self, id: usize, end: u64, served: bool) -> bool {
        let Self { sources, ports, touched, opened, seq, keeps_wants, .. } = self;
        let source = &mut sources[id];
        let Kind::Outbox(Outlets { ring, targets, .. }) = &mut source.kind else {
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
            target.hand_out(ports, touched, *seq + 1, *keeps_wants);
        }
        if len > 0 {
            ring.state().clear_want(*keeps_wants);
        }
        source.stamped += len;
        *seq += len;
        while let Some(word) = self.opened.pop() {
            self.finish_target_if_due(id, word);
        }
        len > 0
    }

    /// Stamps the next run of an outbox: `len` messages for one target that follow each other.
    fn step(&mut self, id: usize, len: u64, served: Option<usize>) -> Step {
        let Self { sources, ports, touched, seq, again, keeps_wants, .. } = self;
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
        if target.fan.is_some() {
            return self.step_to_all(id, word, len, served);
        }
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
        } else if source.ended && !port.has_room_for_one() {
            self.overflow(id, to.port);
            return Step::Next;
        } else if !source.ended && port.must_wait(served.is_some()) {
            ring.state().clear_want(*keeps_wants);
            self.wait(id, to.port, false);
            return Step::Waits;
        } else {
            target.clear_want(port, *keeps_wants);
            ring.state().clear_want(*keeps_wants);
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

    /// As [`step`](Self::step), to each member of a group.
    fn step_to_all(&mut self, id: usize, word: u16, len: u64, served: Option<usize>) -> Step {
        if self.sources[id].ended {
            self.overflow_full_members(id, word);
        }
        let mut members = self.take_members(id, Some(word));
        if !self.sources[id].ended && self.waits_for_members(id, &members, served) {
            self.put_members(id, Some(word), members);
            return Step::Waits;
        }
        let (first_seq, source) = (self.seq + 1, &mut self.sources[id]);
        let Kind::Outbox(Outlets { ring, targets, .. }) = &mut source.kind else {
            unreachable!("an outbox's turn")
        };
        let target = targets[usize::from(word)].as_mut().expect("it was looked up");
        // Before the entries, as for a window.
        target.lane.clear_want(self.keeps_wants);
        ring.state().clear_want(self.keeps_wants);
        self.seq += len;
        source.stamped += len;
        target.stamped += len;
        target.lane.stamp(target.stamped, self.seq);
        self.has_been_placed(id);
        self.hand_out(&mut members, Range { first_seq, len, last: false, rest: None });
        self.put_members(id, Some(word), members);
        self.finish_target_if_due(id, word);
        Step::Next
    }

    /// Hands the rest of an ended outbox to a receiver past its inbox, which has no room: by all ways that lead there,
    /// at once. Their numbers are between each other's, and the receiver may take what is there at any moment.
    fn overflow(&mut self, id: usize, port: usize) {
        if self.ways.is_empty() {
            self.note_ways(id);
        }
        let Self { sources, ports, touched, ways, seq, .. } = self;
        let source = &mut sources[id];
        let Kind::Outbox(Outlets { targets, .. }) = &mut source.kind else {
            unreachable!("an outbox's turn")
        };
        let from = ways.partition_point(|way| way.port < port);
        let to_port = || ways[from..].iter().take_while(|way| way.port == port);
        for way in to_port() {
            if let Some((_, rest, in_overflow)) = way.record(targets) {
                rest.fill(*seq + 1, source.stamped, source.seen);
                *in_overflow = true;
            }
        }
        let records = to_port().filter_map(|way| way.look(targets));
        ports[port].overflow_together(records);
        ports[port].touch(port, touched);
    }

    /// The same to those members of a group whose inbox has no room.
    fn overflow_full_members(&mut self, id: usize, word: u16) {
        let Self { sources, ports, .. } = self;
        let Kind::Outbox(Outlets { targets, .. }) = &sources[id].kind else {
            unreachable!("an outbox's turn")
        };
        let fan = targets[usize::from(word)].as_ref().and_then(|target| target.fan.as_deref());
        let members = fan.map_or(&[][..], |fan| &fan.members);
        let waiting = members.iter().filter(|member| !member.in_overflow);
        let is_full = |port: &usize| ports[*port].room(1) == 0;
        let full: Vec<_> = waiting.map(|member| member.to.port).filter(is_full).collect();
        full.into_iter().for_each(|port| self.overflow(id, port));
    }

    /// Notes which ways lead to which receiver. Of those on which nothing was said, and nothing is, no receiver knows.
    fn note_ways(&mut self, id: usize) {
        let Self { sources, ways, .. } = self;
        let source = &sources[id];
        let Kind::Outbox(Outlets { ring, targets, .. }) = &source.kind else {
            unreachable!("an outbox's turn")
        };
        let spoke = |target: &Option<Target>| target.as_ref().is_some_and(|at| at.stamped > 0);
        let mut speaks: Vec<_> = targets.iter().map(spoke).collect();
        for position in source.stamped..source.seen {
            if let Some(speaks) = speaks.get_mut(usize::from(ring.target(position))) {
                *speaks = true;
            }
        }
        for (word, target) in targets.iter().enumerate().filter(|&(word, _)| speaks[word]) {
            let Some(Target { to, fan, .. }) = target else { continue };
            ways.extend(to.map(|to| Way { port: to.port, word, member: None }));
            let members = fan.iter().flat_map(|fan| &fan.members).enumerate();
            let way = |(nth, member): (_, &Member)| (member.to.port, Some(nth));
            ways.extend(members.map(way).map(|(port, member)| Way { port, word, member }));
        }
        ways.sort_unstable_by_key(|way| way.port);
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
            if known && port.has_room_for_one() {
                port.write(Run { key: to.key, len: 0, first_seq: *seq + 1, mask: 0, last: true });
            } else if known {
                let end = source.stamped;
                port.overflow(&target.lane.rest, to.key, *seq + 1, end, end);
            }
            port.touch(to.port, touched);
            self.end_source(to.port);
        }
        for member in target.fan.map_or_else(Vec::new, |fan| fan.members) {
            if target.stamped > 0 {
                self.end_of(id, member, target.stamped);
            } else {
                // As for a lane: its author has given up the places.
                self.let_go_of(id, member.to.port);
            }
        }
        target.lane.release();
    }

    /// Before the rest of an ended outbox is stamped: takes out what is for nobody, so that a receiver that walks
    /// the words counts only those that have a number.
    fn freeze(&self, id: usize) {
        let source = &self.sources[id];
        let Kind::Outbox(outlets) = &source.kind else { unreachable!("an outbox's turn") };
        outlets.ring.note_marks(outlets.marks.iter().map(|mark| mark.position()));
        port::freeze(&outlets.ring, source.stamped, source.seen, |index| {
            let target: Option<&Target> =
                outlets.targets.get(usize::from(index)).and_then(Option::as_ref);
            target.is_some_and(|target| match target.to {
                Some(to) => self.ports[to.port].gone,
                None => target.fan.is_none(),
            })
        });
    }

    fn finish_outbox(&mut self, id: usize) {
        let Kind::Outbox(outlets) = &self.sources[id].kind else { unreachable!("an outbox's end") };
        for index in 0..outlets.targets.len() {
            self.finish_target(id, index);
        }
        self.let_go_of_source(id);
    }
}

/// A way by which an ended outbox reaches a receiver.
pub(super) struct Way {
    port: usize,
    word: usize,
    /// As which member, if the target is a group.
    member: Option<usize>,
}

impl Way {
    /// Its key, its record, and whether that was handed out; none if the way has ended.
    fn record<'a>(
        &self,
        targets: &'a mut [Option<Target>],
    ) -> Option<(u32, &'a Rest, &'a mut bool)> {
        let Target { lane, to, fan, in_overflow, .. } = targets[self.word].as_mut()?;
        let Some(nth) = self.member else {
            return Some((to.as_ref()?.key, &lane.rest, in_overflow));
        };
        let Member { tap, to, in_overflow, .. } = fan.as_mut()?.members.get_mut(nth)?;
        Some((to.key, &tap.rest, in_overflow))
    }

    /// Its key and its record.
    fn look<'a>(&self, targets: &'a [Option<Target>]) -> Option<(u32, &'a Rest)> {
        let Target { lane, to, fan, .. } = targets[self.word].as_ref()?;
        let Some(nth) = self.member else { return Some((to.as_ref()?.key, &lane.rest)) };
        let Member { tap, to, .. } = fan.as_ref()?.members.get(nth)?;
        Some((to.key, &tap.rest))
    }
}

impl Target {
    /// Takes the target into a window, with room for its run. False if it has none, or must not be in one.
    fn open(&self, ports: &mut Slab<Port>, served: bool) -> bool {
        let Some(port) = self.to.and_then(|to| ports.get_mut(to.port)) else { return false };
        // One run for each inbox: if the receiver is reached by two ways, their numbers would be between each other.
        let is_open = port.reserved > 0;
        let opens = !is_open && !port.gone && !self.in_overflow && !port.must_wait(served);
        port.reserved += u64::from(opens);
        opens
    }

    /// Clears WANT, if it may have been set since that was last done. Before the entry: whoever reads that may go to
    /// sleep, and want to hear again.
    fn clear_want(&mut self, port: &Port, keep: bool) {
        let sleeps = Some(port.inbox().sleeps());
        if !keep && self.sleeps != sleeps {
            self.sleeps = sleeps;
            self.lane.clear_want(false);
        }
    }

    /// Hands out the run of a window that begins with the number `first`.
    fn hand_out(
        &mut self,
        ports: &mut Slab<Port>,
        touched: &mut Vec<usize>,
        first: u64,
        keep: bool,
    ) {
        let Destination { port: id, key } = self.to.expect("it was opened");
        let mask = std::mem::take(&mut self.mask);
        let (lowest, highest) = (mask.trailing_zeros(), WINDOW as u32 - 1 - mask.leading_zeros());
        let (mask, len) = (mask >> lowest, mask.count_ones());
        let adjacent = len == highest - lowest + 1;
        let port = &mut ports[id];
        self.clear_want(port, keep);
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
