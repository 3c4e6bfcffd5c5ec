//! The dispatcher: collects what lanes have published, gives it numbers, hands it out, publishes the clock.
//!
//! ```text
//!   collect ─▶ stamp and hand out ─▶ publish the clock ─▶ effects
//! ```
//!
//! It is a state machine without I/O, time or threads: [`Core::pass`] waits for nothing, wakes nobody and runs no
//! user code; what is to happen afterwards it returns as [`Effects`], for the shell (`drive.rs`) to carry out when
//! it has let go of the core. It moves numbers, never messages, so it knows no type and holds no unsafe.
//!
//! **A pass**, in this order:
//! 1. *collect*: take the bits of those that spoke up; then apply the changes of the topology; then load the tails
//!    of the lanes that are looked at, of those that spoke up, and of those for whose inbox there is room again.
//!    Everything stamped in this pass was published before this point.
//! 2. *stamp*: turn by turn, one run each, until what was collected is stamped or has no room. A run's entry is
//!    written as soon as it has its numbers. What cannot be handed out is not stamped.
//! 3. *publish* the clock: never before the entries that it covers.
//! 4. *settle*: whom to wake; whether another pass is due.
//!
//! The parts: [`source`] what is numbered (lanes and outboxes), [`heat`] which of them a pass looks at, [`port`] where
//! it goes (inboxes and who waits for room), [`stamp`] a turn, [`outbox`] a turn of an outbox, [`fan`] a broadcast,
//! [`topology`] the changes, [`short`] what a receiver does for its own lane alone, [`follow`] what a follower does
//! instead of a turn, [`history`] what is known of the times.

mod fan;
mod follow;
mod heat;
mod history;
mod marks;
mod outbox;
mod port;
mod short;
mod source;
mod stamp;
mod topology;

use std::collections::VecDeque;

use slab::Slab;

use crate::board::{Board, Change, Membership};
use crate::clock::ClockWriter;
use crate::lane::LaneState;
use crate::mark::{Chain, DONE};
use crate::park::Parker;
use crate::sync::Arc;
use follow::Merge;
pub(crate) use heat::Heat;
use heat::Scan;
pub(crate) use history::History;
use marks::Gates;
use port::Port;
pub(crate) use short::Short;
use source::{Phase, Source};

/// How many sleepers one pass reports at most; the rest is reported by the next, which it asks for.
const WAKES_MAX: usize = 8;

/// The dispatcher's state. See the module's documentation.
pub(crate) struct Core {
    board: Arc<Board>,
    /// The number that was given last.
    seq: u64,
    clock: ClockWriter,
    /// The generation of the topology that has been applied.
    generation: u64,
    /// Changes that were taken off the list, and not yet applied,
    changes: VecDeque<Change>,
    /// and the generation that they bring about.
    taken: u64,
    sources: Slab<Source>,
    ports: Slab<Port>,
    scan: Scan,
    /// The sources that have something to be stamped in this pass.
    work: Vec<usize>,
    /// Tickets drawn by sources that wait; each is drawn once.
    tickets: u64,
    /// The ports whose inbox sources wait for.
    full: Vec<usize>,
    /// The ports that have lost their last source.
    closing: Vec<usize>,
    /// The ports that this pass has given something, so that their receivers may have to be woken.
    touched: Vec<usize>,
    /// Outboxes and broadcasters for which there may be room again, so that their authors may have to be woken.
    authors: Vec<usize>,
    /// Where authors may sleep that were ended from outside.
    fenced: Vec<Arc<Parker>>,
    gates: Gates,
    /// Marks that this pass has numbered, or closed.
    done: Chain<DONE>,
    /// The targets of the window that is being numbered.
    opened: Vec<u16>,
    /// Of the ended outbox whose turn it is: its ways, by port, once an inbox has no room.
    ways: Vec<outbox::Way>,
    /// Members have joined in this pass.
    members_joined: bool,
    /// Somebody sleeps on for a number that this pass does not reach: each lane that it looks at speaks up by
    /// itself, and goes on to.
    keeps_wants: bool,
    /// Another pass is due.
    again: bool,
    passes: u64,
    /// How often a receiver has stamped its own lane alone.
    short_ways: u64,
    /// In a follower, which gives no numbers.
    merge: Option<Box<Merge>>,
    /// When the numbers were given, with timestamps on.
    history: Option<History>,
}

/// How an engine ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// A pass has panicked: what it was at nobody knows.
    Panic,
    /// It was closed between two passes.
    Closed,
}

impl End {
    fn tell(self, lane: &LaneState) {
        match self {
            Self::Panic => lane.poison(),
            Self::Closed => lane.close(),
        }
    }
}

/// Where the numbers come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Numbering {
    /// From the dispatcher.
    Own,
    /// From those who forward.
    Given,
}

/// What is to be done when the core has been let go of.
#[derive(Default)]
#[must_use]
pub(crate) struct Effects {
    wakes: [Option<Arc<Parker>>; WAKES_MAX],
    /// Marks that have their numbers: who sleeps for them is to be woken.
    marks: Chain<DONE>,
    /// Something is to be done because a mark has its number.
    pub(crate) errands: bool,
    /// Those who sleep until the clock moves are to be woken.
    pub(crate) clock_moved: bool,
    /// Another pass is due, at once.
    pub(crate) again: bool,
    /// How many numbers were given.
    pub(crate) stamped: u64,
}

impl Effects {
    /// The marks whose sleepers are to be woken.
    pub(crate) fn take_marks(&mut self) -> Chain<DONE> {
        std::mem::take(&mut self.marks)
    }

    /// The sleepers to wake.
    pub(crate) fn take_wakes(&mut self) -> impl Iterator<Item = Arc<Parker>> {
        self.wakes.iter_mut().map_while(Option::take)
    }
}

impl Core {
    /// A dispatcher that gives the number after `seq` first.
    pub(crate) fn new(
        board: Arc<Board>,
        seq: u64,
        heat: Heat,
        numbering: Numbering,
        timestamps: bool,
    ) -> Self {
        let merge = (numbering == Numbering::Given).then(|| Box::new(Merge::new(seq)));
        Self {
            merge,
            board,
            seq,
            clock: ClockWriter::default(),
            generation: 0,
            changes: VecDeque::new(),
            taken: 0,
            sources: Slab::new(),
            ports: Slab::new(),
            scan: Scan::new(heat),
            work: Vec::new(),
            tickets: 0,
            full: Vec::new(),
            closing: Vec::new(),
            touched: Vec::new(),
            authors: Vec::new(),
            fenced: Vec::new(),
            gates: Gates::default(),
            done: Chain::default(),
            opened: Vec::new(),
            ways: Vec::new(),
            members_joined: false,
            keeps_wants: false,
            again: false,
            passes: 0,
            short_ways: 0,
            history: timestamps.then(History::new),
        }
    }

    /// One turn. `now` is the time to publish with the clock; 0 without timestamps.
    pub(crate) fn pass(&mut self, now: u64) -> Effects {
        self.passes += 1;
        let before = self.seq;
        self.collect();
        if self.merge.is_some() {
            self.merge();
        } else {
            self.stamp_marks();
            self.stamp();
            self.stamp_gates();
        }
        let stamped = self.seq - before;
        if stamped > 0 {
            self.publish_clock(before + 1, now);
        }
        self.settle(stamped)
    }

    /// Publishes the clock, which covers the numbers from `first` on, too.
    fn publish_clock(&mut self, first: u64, now: u64) {
        if now > 0
            && let Some(history) = &mut self.history
        {
            history.add(first, now);
        }
        self.clock.publish(&self.board.clock, self.seq, now);
    }

    /// One turn, after which whatever is sent is heard of: every lane that the passes look at is asked to speak up
    /// beforehand, and stays so. For those who sleep on for numbers that are far off: without this, another pass
    /// would be due after each that numbers something.
    pub(crate) fn pass_and_listen(&mut self, now: u64) -> Effects {
        self.listen_to_all();
        self.keeps_wants = true;
        let effects = self.pass(now);
        self.keeps_wants = false;
        effects
    }

    fn listen_to_all(&mut self) {
        let Self { ports, sources, full, scan, passes, .. } = self;
        let mut any = false;
        for id in full.iter().flat_map(|&port| ports[port].all_waiting()) {
            // One that waits for room may be served in this pass.
            any |= sources.get(id).is_some_and(|source| source.state().set_want());
        }
        scan.watch(sources, *passes, any);
    }

    /// How many passes there have been, and how often a receiver has stamped its own lane alone.
    pub(crate) fn turns(&self) -> (u64, u64) {
        (self.passes, self.short_ways)
    }

    /// When the numbers were given, if that is known.
    pub(crate) fn copy_history(&self, to: Option<&mut History>) {
        if let (Some(history), Some(to)) = (&self.history, to) {
            to.copy(history);
        }
    }

    /// Finds what is to be stamped. The topology before the lanes: one that is published to was announced before.
    fn collect(&mut self) {
        self.scan.listen(&self.board.ready);
        if self.board.topology.generation() != self.generation {
            self.apply_changes();
        }
        if std::mem::take(&mut self.members_joined) {
            // Pairs with the light barrier of each author: what it has published is found below, or it sees the WANT
            // that a newcomer relies on.
            heavy!("pass.member.heavy");
        }
        self.collect_waiting();
        self.scan.look(&mut self.sources, &mut self.work, self.passes);
    }

    /// Sources that wait come first, in the order in which they came, as many as there is room for.
    fn collect_waiting(&mut self) {
        let Self { ports, sources, full, work, passes, .. } = self;
        full.retain(|&id_of_port| {
            let port = &mut ports[id_of_port];
            while let Some(id) = port.serve_next(sources) {
                let source = &mut sources[id];
                source.phase = Phase::Served { port: id_of_port };
                source.state().stalls.end();
                source.collect(*passes);
                work.push(id);
            }
            port.is_full = port.has_waiting();
            port.is_full
        });
    }

    /// Decides what follows from this pass.
    fn settle(&mut self, stamped: u64) -> Effects {
        self.close_ports();
        self.announce_full();
        self.scan.tidy(&self.sources);
        // Pairs with the heavy barrier of every sleeper: it sees what was published, or we see it armed.
        light!("pass.light");
        let mut effects = Effects {
            stamped,
            marks: self.take_done(),
            errands: self.board.errands.are_waiting(),
            ..Effects::default()
        };
        self.collect_wakes(&mut effects);
        if self.board.waiters.is_armed() {
            effects.clock_moved = stamped > 0;
            if stamped == 0 && self.scan.watch(&mut self.sources, self.passes, false) {
                self.again = true;
            }
        }
        effects.again = std::mem::take(&mut self.again);
        effects
    }

    /// Finds who sleeps on what this pass has done; the rest is left to the next pass.
    fn collect_wakes(&mut self, effects: &mut Effects) {
        let Self { ports, sources, touched, authors, fenced, again, .. } = self;
        for wake in &mut effects.wakes {
            while wake.is_none() {
                // What has been let go of has nobody who sleeps.
                *wake = if let Some(parker) = fenced.pop() {
                    Some(parker).filter(|parker| parker.is_armed())
                } else if let Some(id) = touched.pop() {
                    ports.get_mut(id).and_then(Port::take_touched).cloned()
                } else if let Some(id) = authors.pop() {
                    sources
                        .get(id)
                        .map(|source| source.state().parker())
                        .filter(|parker| parker.is_armed())
                        .cloned()
                } else {
                    return;
                };
            }
        }
        *again |= !(fenced.is_empty() && touched.is_empty() && authors.is_empty());
    }

    /// Closes the inboxes that have no source left.
    fn close_ports(&mut self) {
        let Self { board, ports, closing, touched, generation, again, .. } = self;
        closing.retain(|&id| {
            let Some(port) = ports.get_mut(id).filter(|port| port.is_abandoned()) else {
                return false;
            };
            if !board.topology.close(port.inbox(), *generation) {
                // A source may have joined: the pass that applies it decides.
                *again = true;
                return true;
            }
            port.touch(id, touched);
            false
        });
    }

    /// Tells the receivers of full inboxes that somebody waits. If there is room after all, another pass is due.
    fn announce_full(&mut self) {
        for &port in &self.full {
            let port = &mut self.ports[port];
            self.again |= port.has_waiting() && port.wait_for_room(&self.sources);
        }
    }

    /// Whether it has applied all changes of the topology.
    pub(crate) fn is_current(&self) -> bool {
        self.board.topology.generation() == self.generation
    }

    /// The indices of all authors, and of their lanes.
    pub(crate) fn authors(&self) -> impl Iterator<Item = &LaneState> {
        self.sources.iter().flat_map(|(_, source)| source.states())
    }

    /// At the end: closes everything that the core knows, so that nobody waits for it.
    pub(crate) fn close_all(&mut self, end: End) {
        // A panic may have come while the changes were applied: the rest of the list is known, too.
        let mut listed = VecDeque::new();
        self.board.topology.take_last(&mut listed);
        for change in self.changes.drain(..).chain(listed) {
            match change {
                Change::Leave { inbox } => port::poison(&inbox),
                Change::Receiver { inbox, memberships } => {
                    port::poison(&inbox);
                    memberships.iter().for_each(|member| end_membership(member, end));
                }
                Change::Members { memberships } | Change::MembersEnd { memberships } => {
                    memberships.iter().for_each(|member| end_membership(member, end));
                }
                Change::GroupForwarder { given, members } => {
                    end.tell(given.state());
                    members.iter().for_each(|member| end_membership(member, end));
                }
                Change::Fan { lane, members, .. } | Change::Crowd { lane, members, .. } => {
                    end.tell(&lane);
                    members.iter().for_each(|member| end_membership(member, end));
                }
                Change::Sleeper { inbox, parker } => {
                    port::poison(&inbox);
                    parker.wake();
                }
                Change::Lane { lane, inbox, .. } | Change::Target { lane, inbox, .. } => {
                    end.tell(&lane);
                    port::poison(&inbox);
                }
                Change::Forwarder { given, inbox, .. } => {
                    end.tell(given.state());
                    port::poison(&inbox);
                }
                Change::LaneEnd { lane } => end.tell(&lane),
                Change::Outbox { ring }
                | Change::OutboxEnd { ring }
                | Change::TargetEnd { ring, .. } => end.tell(ring.state()),
            }
        }
        for (_, source) in &self.sources {
            source.states().for_each(|state| end.tell(state));
        }
        for (_, port) in &self.ports {
            port.poison();
        }
        self.close_marks();
    }
}

fn end_membership(Membership { lane, inbox, .. }: &Membership, end: End) {
    end.tell(lane);
    port::poison(inbox);
}
