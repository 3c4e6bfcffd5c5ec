//! Where runs go: one inbox, and the sources that wait for room in it, in the order in which they came.
//!
//! *One entry is kept for broadcasts*, which need room in several inboxes at once: with traffic of others that
//! fills each place as soon as it is free, that would never be. Where a broadcaster has this receiver among its
//! members, others go on only while there are two entries free; and the last one is for the broadcast that has
//! waited longest, wherever it waits. In turn a broadcast does not overtake those who have waited here for longer
//! than it has.

use std::collections::VecDeque;

use slab::Slab;

use super::source::{Phase, Source};
use crate::inbox::{Inbox, InboxWriter, Rest, Run};
use crate::order::OrderRing;
use crate::park::Parker;
use crate::sync::Arc;

/// One receiver, as the dispatcher sees it.
pub(super) struct Port {
    id: usize,
    writer: InboxWriter,
    /// Where the receiver sleeps: at its inbox, or as part of a merge.
    parker: Arc<Parker>,
    /// Sources that wait, by ticket. One that has another ticket now, or none, waits no more.
    waiting: VecDeque<Waiting>,
    /// Sources that broadcast to this receiver among others, once for each way,
    broadcasters: Vec<usize>,
    /// and the entries that only they may use.
    kept: u64,
    /// Lanes that have joined and not ended.
    sources: usize,
    /// Whether there ever was one.
    had_source: bool,
    /// Lanes in the dispatcher's tables that name this port, ended or not.
    pub(super) references: usize,
    /// The receiver has left.
    pub(super) gone: bool,
    /// Sources that have waited and that this pass has yet to serve: so many entries are theirs.
    pub(super) promised: u64,
    /// Entries that the window which is being numbered will need.
    pub(super) reserved: u64,
    /// It stands in the dispatcher's list of full ports.
    pub(super) is_full: bool,
    /// It stands in the list of ports that this pass has given something.
    touched: bool,
}

#[derive(Clone, Copy)]
struct Waiting {
    id: usize,
    ticket: u64,
    /// For a broadcast.
    all: bool,
}

impl Port {
    pub(super) fn new(id: usize, inbox: Arc<Inbox>) -> Self {
        let writer = InboxWriter::new(inbox);
        Self {
            parker: writer.inbox().parker().clone(),
            id,
            kept: writer.spare(),
            writer,
            waiting: VecDeque::new(),
            broadcasters: Vec::new(),
            sources: 0,
            had_source: false,
            references: 0,
            gone: false,
            promised: 0,
            reserved: 0,
            is_full: false,
            touched: false,
        }
    }

    pub(super) fn inbox(&self) -> &Arc<Inbox> {
        self.writer.inbox()
    }

    /// A lane to this receiver has joined.
    pub(super) fn add_source(&mut self) {
        self.sources += 1;
        self.had_source = true;
        self.references += 1;
    }

    /// A lane to this receiver has ended. True if it was the last.
    pub(super) fn end_source(&mut self) -> bool {
        self.sources -= 1;
        self.references -= 1;
        self.sources == 0
    }

    /// It had a source and has none; its receiver is there to be told.
    pub(super) fn is_abandoned(&self) -> bool {
        self.had_source && self.sources == 0 && !self.gone
    }

    /// One who broadcasts has this receiver as a member.
    pub(super) fn add_broadcaster(&mut self, id: usize) {
        self.broadcasters.push(id);
        self.kept = 1;
    }

    pub(super) fn remove_broadcaster(&mut self, id: usize) {
        if let Some(at) = self.broadcasters.iter().position(|&listed| listed == id) {
            self.broadcasters.swap_remove(at);
        }
        if self.broadcasters.is_empty() {
            self.kept = self.writer.spare();
        }
    }

    /// The receiver has gone: whose member it was.
    pub(super) fn take_broadcasters(&mut self) -> Vec<usize> {
        std::mem::take(&mut self.broadcasters)
    }

    /// How many entries there are, for whomever; looks again if they seem fewer than `least`.
    pub(super) fn room(&mut self, least: u64) -> u64 {
        self.writer.room(least)
    }

    /// Whether there is room for what is not a broadcast.
    pub(super) fn has_room_for_one(&mut self) -> bool {
        self.room(self.kept + 1) > self.kept
    }

    /// The same, without what those who have waited were promised.
    pub(super) fn has_room_beside_promises(&mut self) -> bool {
        let taken = self.kept + self.promised;
        self.room(taken + 1) > taken
    }

    pub(super) fn write(&mut self, run: Run) {
        self.writer.write(run);
    }

    /// Whether a source has to wait: there is no room but what is kept for or promised to others, or others wait.
    /// One that has waited itself (`served`) waits for neither.
    pub(super) fn must_wait(&mut self, served: bool) -> bool {
        let taken = self.reserved + if served { 0 } else { self.promised + self.kept };
        (!served && self.has_waiting()) || self.room(taken + 1) <= taken
    }

    /// Whether a broadcast of a source has to wait here.
    pub(super) fn is_full_for_all(&mut self, id: usize, sources: &Slab<Source>) -> bool {
        self.prune(sources);
        let age = sources[id].age.unwrap_or(u64::MAX);
        let others_first = self.waiting.front().is_some_and(|first| first.ticket < age);
        others_first || self.room_for_all(id, age, sources) == 0
    }

    /// How many entries there are for broadcasts of a source.
    fn room_for_all(&mut self, id: usize, age: u64, sources: &Slab<Source>) -> u64 {
        let room = self.room(self.promised + 2).saturating_sub(self.promised);
        let is_older = |other: &Source| other.age.is_some_and(|other| other < age);
        let mut others = self.broadcasters.iter().filter(|&&other| other != id);
        let is_kept = |other: &usize| sources.get(*other).is_some_and(is_older);
        if room == 1 && others.any(is_kept) { 0 } else { room }
    }

    /// Notes that its receiver may have to be woken.
    pub(super) fn touch(&mut self, id: usize, touched: &mut Vec<usize>) {
        if !std::mem::replace(&mut self.touched, true) {
            touched.push(id);
        }
    }

    /// The end of [`touch`](Self::touch): its receiver's parker, if that may be asleep.
    pub(super) fn take_touched(&mut self) -> Option<&Arc<Parker>> {
        self.touched = false;
        Some(&self.parker).filter(|parker| parker.is_armed())
    }

    /// The receiver sleeps elsewhere from now on.
    pub(super) fn set_parker(&mut self, parker: Arc<Parker>) {
        self.parker = parker;
    }

    /// Makes the receiver see that nothing will come, wherever it sleeps.
    pub(super) fn poison(&self) {
        poison(self.inbox());
        self.parker.wake();
    }

    /// Hands out the rest of an ended lane past the ring: `start..end` of its lane, or of its frozen order ring.
    pub(super) fn overflow(&self, rest: &Rest, key: u32, first_seq: u64, start: u64, end: u64) {
        rest.fill(first_seq, start, end);
        self.writer.overflow([(key, rest)]);
    }

    /// The same of several lanes, whose records are filled in: the receiver finds all of them, or none.
    pub(super) fn overflow_together<'a>(
        &self,
        records: impl Iterator<Item = (u32, &'a Rest)> + 'a,
    ) {
        self.writer.overflow(records);
    }

    /// Hands out a run of a forwarder, past the ring if that is full.
    pub(super) fn write_or_spill(&mut self, run: Run, all: bool) {
        if self.has_room(all) {
            self.writer.write(run);
        } else {
            self.writer.spill(run);
        }
    }

    /// Whether there is room for a run of a forwarder, to this receiver or to all of a group.
    fn has_room(&mut self, all: bool) -> bool {
        if all { self.room(1) > 0 } else { self.has_room_for_one() }
    }

    /// The same; if there is none it will be heard of when there is.
    pub(super) fn has_room_or_waits(&mut self, all: bool) -> bool {
        self.has_room(all) || {
            self.writer.wait_for_room();
            self.has_room(all)
        }
    }

    /// Puts a source among those that wait: at the end, but for a broadcast that has waited elsewhere before.
    pub(super) fn enqueue(&mut self, id: usize, source: &mut Source, ticket: u64, all: bool) {
        source.phase = Phase::Waiting { ticket, port: self.id };
        source.state().stalls.begin(self.id as u32);
        let at = self.waiting.partition_point(|waiting| waiting.ticket < ticket);
        // It may stand there already, from an earlier wait of the same broadcast.
        if self.waiting.get(at).is_none_or(|waiting| waiting.ticket != ticket) {
            self.waiting.insert(at, Waiting { id, ticket, all });
        }
    }

    /// The sources that wait, and some that wait no more.
    pub(super) fn all_waiting(&self) -> impl Iterator<Item = usize> {
        self.waiting.iter().map(|waiting| waiting.id)
    }

    /// Takes the source that has waited longest.
    pub(super) fn next_waiting(&mut self, sources: &Slab<Source>) -> Option<usize> {
        self.prune(sources);
        self.waiting.pop_front().map(|waiting| waiting.id)
    }

    /// Takes the source that has waited longest if there is room for it, and promises it the room.
    pub(super) fn serve_next(&mut self, sources: &Slab<Source>) -> Option<usize> {
        self.prune(sources);
        if !self.can_serve(sources) {
            return None;
        }
        self.promised += 1;
        self.waiting.pop_front().map(|waiting| waiting.id)
    }

    /// Whether there is room for the one that has waited longest.
    fn can_serve(&mut self, sources: &Slab<Source>) -> bool {
        let Some(&Waiting { id, ticket, all }) = self.waiting.front() else { return false };
        if all {
            self.room_for_all(id, ticket, sources) > 0
        } else {
            self.room(self.promised + self.kept + 1) > self.promised + self.kept
        }
    }

    /// Drops those at the front that wait no more.
    pub(super) fn prune(&mut self, sources: &Slab<Source>) {
        while let Some(&Waiting { id, ticket, .. }) = self.waiting.front() {
            let phase = Phase::Waiting { ticket, port: self.id };
            if sources.get(id).is_some_and(|source| source.phase == phase) {
                return;
            }
            self.waiting.pop_front();
        }
    }

    /// Whether anyone waits. Unless [`prune`](Self::prune) came before, it may be one who waits no more; whoever
    /// then waits behind it is served by the next pass.
    pub(super) fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Announces that somebody waits. True if there is room for the first of them after all.
    pub(super) fn wait_for_room(&mut self, sources: &Slab<Source>) -> bool {
        self.writer.wait_for_room();
        self.can_serve(sources)
    }
}

/// Makes a receiver see that nothing will come.
pub(super) fn poison(inbox: &Inbox) {
    inbox.close();
    inbox.parker().wake();
}

/// Takes the messages to targets that have gone out of a frozen order ring, before anyone is told of its ranges.
pub(super) fn freeze(ring: &OrderRing, start: u64, end: u64, is_gone: impl Fn(u16) -> bool) {
    for position in start..end {
        if is_gone(ring.target(position)) {
            ring.skip(position);
        }
    }
}
