//! Events without a receiver: marks get their numbers before the lanes, gates after them.
//!
//! A **gate** is a mark that waits until each of a set of authors is numbered to its end: then it is numbered in the
//! same pass, after them. That an author is done is a fact kept with its lane ([`LaneState::is_released`]); of one that
//! is not, the source has the gate noted with it, so that a pass costs nothing for gates that stay shut.
//!
//! A **fence** is a gate that ends the authors itself, at what they have published when the pass comes to it: after the
//! marks, so that they can have known of no mark that this pass has yet to number. What they have published since the
//! pass has loaded the tails is left to the next, as what they may have known of.
//!
//! **Whom a mark names** (an author, an outbox, a receiver) may have joined after this pass has read the topology. Then
//! what has been listed meanwhile is applied at once: put off to the next pass, the mark would lie above what was sent
//! after it and is numbered in this one.

use slab::Slab;

use super::Core;
use super::source::{Kind, Outlets, Source, Target};
use crate::inbox::Run;
use crate::lane::{LaneState, NOWHERE};
use crate::mark::{Chain, DONE, Mark, Origin, Place};
use crate::order::OrderRing;
use crate::sync::Arc;

/// Gates that wait.
#[derive(Default)]
pub(super) struct Gates {
    shut: Slab<Gate>,
    /// Those that are to be numbered in this pass.
    open: Vec<Arc<Mark>>,
    /// Those that have yet to end whom they wait for.
    fences: Vec<(Arc<Mark>, Vec<Origin>)>,
}

struct Gate {
    mark: Arc<Mark>,
    /// Authors that are not done.
    waits_for: usize,
}

impl Gates {
    /// One of those that it waits for is done.
    fn let_through(&mut self, gate: usize) {
        self.shut[gate].waits_for -= 1;
        self.open_if_due(gate);
    }

    fn open_if_due(&mut self, gate: usize) {
        if self.shut[gate].waits_for == 0 {
            self.open.push(self.shut.remove(gate).mark);
        }
    }
}

/// Whether the dispatcher has heard of an author.
fn is_known(author: &LaneState) -> bool {
    author.id().is_some() || author.is_released()
}

impl Core {
    /// Takes the marks that were submitted, and gives them their numbers. After the tails were loaded, and before
    /// anything that was published is numbered.
    pub(super) fn stamp_marks(&mut self) {
        if !self.board.marks.is_waiting() {
            return;
        }
        let mut submitted = self.board.marks.take();
        while let Some(mark) = submitted.pop() {
            match mark.take_place() {
                Place::Next => self.stamp_mark(mark),
                Place::Gate(authors) => self.shut_gate(mark, authors),
                Place::Fence(authors) => self.gates.fences.push((mark, authors)),
                Place::Outbox(ring) => self.queue_mark(mark, &ring),
                Place::Letter => self.place_letter(mark),
            }
        }
        if !self.gates.fences.is_empty() {
            self.end_authors();
        }
    }

    /// Ends the authors whom fences name.
    fn end_authors(&mut self) {
        let fences = std::mem::take(&mut self.gates.fences);
        let authors = || fences.iter().flat_map(|(_, authors)| authors.iter().map(Origin::state));
        self.apply_changes_until(|| authors().all(is_known));
        for id in authors().filter_map(LaneState::id) {
            self.sources[id as usize].state().suspend();
        }
        // Pairs with the light barrier of each author: we see what it has published, or it finds the word, and waits.
        heavy!("pass.fence.heavy");
        // Whoever waits for room at a target has announced that before.
        let listed = self.board.topology.generation();
        while self.generation < listed {
            self.apply_changes();
            self.again = true;
        }
        for id in authors().filter_map(LaneState::id) {
            self.end_author(id as usize);
        }
        for (mark, authors) in fences {
            self.shut_gate(mark, authors);
        }
    }

    fn end_author(&mut self, id: usize) {
        let source = &mut self.sources[id];
        if source.cut == NOWHERE {
            (source.cut, _) = source.state().published();
        }
        if let Kind::Outbox(Outlets { ring, targets, .. }) = &source.kind {
            // Of each lane so much as the words name. Before the ring: its author finds them decided, too.
            for (number, target) in targets.iter().enumerate() {
                let Some(Target { lane, stamped, .. }) = target else { continue };
                let words = (source.stamped..source.cut).map(|at| usize::from(ring.target(at)));
                lane.fence_at(stamped + words.filter(|&word| word == number).count() as u64);
            }
        }
        source.state().fence_at(source.cut);
        self.fenced.extend(source.states().map(|state| state.parker().clone()));
        // The next pass numbers what is left.
        self.look_again(id);
        self.again = true;
    }

    /// Applies what was listed after this pass had read the topology, until somebody is known. What has joined is
    /// looked at by the next pass.
    fn apply_changes_until(&mut self, is_known: impl Fn() -> bool) {
        while !is_known() && self.board.topology.generation() != self.generation {
            self.apply_changes();
            self.again = true;
        }
    }

    /// Gives a notice its number, and hands it out.
    fn place_letter(&mut self, mark: Arc<Mark>) {
        let Some(letter) = mark.letter() else { return };
        let (inbox, key) = (&letter.inbox, letter.key);
        self.apply_changes_until(|| inbox.joined_at().is_some());
        match inbox.port() {
            Some(id) if !inbox.is_closed() => {
                let (port, number) = (&mut self.ports[id], self.seq + 1);
                if port.has_room_beside_promises() {
                    port.write(Run { key, len: 1, first_seq: number, mask: 0, last: false });
                } else {
                    port.overflow(&letter.rest, key, number, 0, 1);
                    port.inbox().note_given(number);
                }
                port.touch(id, &mut self.touched);
                self.stamp_mark(mark);
            }
            // To nobody: takes no number.
            _ => {
                mark.settle(None);
                self.is_done(mark);
            }
        }
    }

    /// A mark of an outbox, which comes after what that had sent before.
    fn queue_mark(&mut self, mark: Arc<Mark>, ring: &OrderRing) {
        self.apply_changes_until(|| is_known(ring.state()));
        // One that was let go of has nothing left that comes before.
        let Some(id) = ring.state().id() else { return self.stamp_mark(mark) };
        let source = &mut self.sources[id as usize];
        let Kind::Outbox(Outlets { marks, .. }) = &mut source.kind else {
            unreachable!("an order ring belongs to an outbox")
        };
        marks.push(mark);
        let (stamped, seen) = (source.stamped, source.seen);
        let next = self.stamp_due_marks(id as usize);
        debug_assert!(next > stamped, "it was due");
        if next != u64::MAX && next > seen {
            // Published after the tails were loaded: the next pass finds it.
            self.look_again(id as usize);
            self.again = true;
        }
    }

    /// Numbers the marks of an outbox that come before its next message. After how many messages the next one comes.
    pub(super) fn stamp_due_marks(&mut self, id: usize) -> u64 {
        loop {
            let source = &mut self.sources[id];
            let Kind::Outbox(Outlets { marks, .. }) = &mut source.kind else {
                unreachable!("an outbox's marks")
            };
            match marks.first().map(|mark| mark.position()) {
                None => return u64::MAX,
                Some(position) if position > source.stamped => return position,
                Some(_) => {
                    if let Some(mark) = marks.pop() {
                        self.stamp_mark(mark);
                    }
                }
            }
        }
    }

    /// A mark by itself, without a pass: none if others wait. `make_true` is told its number before the clock is; none,
    /// too, if that says no.
    pub(crate) fn stamp_alone(
        &mut self,
        now: u64,
        make_true: impl FnOnce(u64) -> bool,
    ) -> Option<u64> {
        if self.board.marks.is_waiting() || !make_true(self.seq + 1) {
            return None;
        }
        self.seq += 1;
        self.publish_clock(self.seq, now);
        Some(self.seq)
    }

    /// Before the end: those that were submitted, without a pass.
    pub(crate) fn stamp_last_marks(&mut self, now: u64) {
        let before = self.seq;
        self.stamp_marks();
        if self.seq > before {
            self.publish_clock(before + 1, now);
        }
    }

    fn stamp_mark(&mut self, mark: Arc<Mark>) {
        if mark.settle(Some(self.seq + 1)) {
            self.seq += 1;
            self.is_done(mark);
        }
    }

    fn is_done(&mut self, mark: Arc<Mark>) {
        if mark.has_errand() {
            self.board.errands.push(mark.clone());
        }
        self.done.push(mark);
    }

    fn shut_gate(&mut self, mark: Arc<Mark>, authors: Vec<Origin>) {
        self.apply_changes_until(|| authors.iter().all(|author| is_known(author.state())));
        let Self { gates, sources, .. } = self;
        let gate = gates.shut.insert(Gate { mark, waits_for: 0 });
        for author in authors {
            // One that has no number was let go of.
            if let Some(id) = author.state().id() {
                gates.shut[gate].waits_for += 1;
                sources[id as usize].gates.push(gate);
            }
        }
        gates.open_if_due(gate);
    }

    /// Numbers the gates whose last author is done. After the lanes.
    pub(super) fn stamp_gates(&mut self) {
        let mut open = std::mem::take(&mut self.gates.open);
        for mark in open.drain(..) {
            self.stamp_mark(mark);
        }
        self.gates.open = open;
    }

    /// Lets go of a source: it is numbered to its end, or nobody is left to send to.
    pub(super) fn let_go_of_source(&mut self, id: usize) -> Source {
        let mut source = self.sources.remove(id);
        source.state().release();
        self.scan.has_left();
        for gate in std::mem::take(&mut source.gates) {
            self.gates.let_through(gate);
        }
        source
    }

    /// At the end: none of them ever gets a number.
    pub(super) fn close_marks(&mut self) {
        let Self { board, gates, sources, .. } = self;
        let mut left: Vec<_> = gates.shut.drain().map(|gate| gate.mark).collect();
        left.append(&mut gates.open);
        left.extend(gates.fences.drain(..).map(|(mark, _)| mark));
        for (_, source) in sources.iter_mut() {
            if let Kind::Outbox(Outlets { marks, .. }) = &mut source.kind {
                left.extend(std::iter::from_fn(|| marks.pop()));
            }
        }
        let mut submitted = board.marks.take_last();
        left.extend(std::iter::from_fn(|| submitted.pop()));
        for mark in left {
            if mark.settle(None) {
                self.is_done(mark);
            }
        }
    }

    /// The marks that it is done with.
    pub(crate) fn take_done(&mut self) -> Chain<DONE> {
        std::mem::take(&mut self.done)
    }
}
