//! What a follower does instead of giving numbers: it merges what has been forwarded, in the order of the numbers
//! given, as far as nothing lower can come.
//!
//! ```text
//!   forwarder    to hand out     passed
//!       A        4  5  9          9        bounds all: the lowest that a live forwarder has passed
//!       B        7               12        handed out: 4 5 (of A), 7 (of B), 9 (of A); the clock: 9
//!       C        10  11          11        held back: A may yet forward 10, to somebody else
//! ```
//!
//! *How far.* A forwarder has **passed** the highest number that it forwarded or waived, as of the last look. What
//! is at or below the lowest that a live one has passed is complete: the merge hands it out, and the clock goes there,
//! over gaps. Forwarders that have ended bound nothing; when none is left, what the highest of them passed is the end.
//!
//! *Those who join* start at what has been promised: under the lock of the list of changes a pass fixes how far it will
//! settle, and only if nobody has joined whom it does not know ([`Topology::promise`]); a joining forwarder takes its
//! floor there, under the same lock. So the merge never passes a number that a live forwarder can still give.
//!
//! *Where it stops.* A run whose destination is full stops the merge, for the clock could not say that what follows is
//! settled, and that it is not. The receiver kicks when there is room. An ended forwarder never waits for room: what is
//! its turn goes past the ring.
//!
//! *WANT.* Whoever sleeps in a follower may wait for any forwarder, so all are listed as waiting for the clock. A pass
//! that can move the clock, which wakes them, clears WANT of the hot forwarders that have spoken since the last one
//! did, before anything is handed out; a pass that has moved nothing while somebody sleeps sets it for all.
//!
//! Which source is next, and how far it may go, is decided in [`Core::merge`]; what it takes to hand a run to a
//! destination, in [`Core::has_room`] and [`Core::hand_over`].
//!
//! [`Topology::promise`]: crate::board::Topology::promise

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;

use slab::Slab;

use super::Core;
use super::source::{Audience, Destination, Forwarding, Kind, Phase, Source};
use crate::given::{Given, Span};
use crate::inbox::Run;
use crate::sync::Arc;

/// What a follower's dispatcher keeps beside its sources.
pub(super) struct Merge {
    /// Everything up to here will be settled, whatever comes.
    promised: u64,
    /// The highest number that anyone has passed.
    highest: u64,
    /// Live forwarders, by what they had passed when it was last asked.
    bounds: Queue,
    /// Those that have something to hand out, by its number.
    heads: Queue,
    /// Those that had something to say since the clock moved.
    heard: Vec<usize>,
    /// Those whose receiver has gone.
    abandoned: Vec<usize>,
}

/// Forwarders by a number, the lowest first. The bounds can name some that are there no more.
type Queue = BinaryHeap<Reverse<Ranked>>;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Ranked {
    number: u64,
    id: usize,
    ticket: u64,
}

impl Merge {
    pub(super) fn new(start: u64) -> Self {
        Self {
            promised: start,
            highest: start,
            bounds: Queue::new(),
            heads: Queue::new(),
            heard: Vec::new(),
            abandoned: Vec::new(),
        }
    }

    /// Forgets those that are there no more.
    fn prune(&mut self, sources: &Slab<Source>) {
        self.bounds.retain(|Reverse(ranked)| is_there(sources, ranked));
        self.heads.retain(|Reverse(ranked)| is_there(sources, ranked));
    }
}

fn forwarding<'a>(sources: &'a Slab<Source>, ranked: &Ranked) -> Option<&'a Forwarding> {
    match &sources.get(ranked.id)?.kind {
        Kind::Forwarder(forwarding) if forwarding.ticket == ranked.ticket => Some(forwarding),
        _ => None,
    }
}

fn is_there(sources: &Slab<Source>, ranked: &Ranked) -> bool {
    forwarding(sources, ranked).is_some()
}

impl Core {
    /// Hands out what is complete, in the order of the numbers, and moves the clock over it.
    pub(super) fn merge(&mut self) {
        let Some(mut merge) = self.merge.take() else { return };
        self.release_abandoned(&mut merge);
        let mut work = std::mem::take(&mut self.work);
        for &id in &work {
            self.note(&mut merge, id);
        }
        work.clear();
        self.work = work;
        let limit = self.promise(&mut merge);
        if limit > self.seq {
            self.clear_wants(&mut merge);
        }
        let settled = self.hand_out_up_to(&mut merge, limit);
        self.seq = self.seq.max(settled);
        self.merge = Some(merge);
    }

    /// Those who wait are about to be told, and will ask again.
    fn clear_wants(&mut self, merge: &mut Merge) {
        for id in merge.heard.drain(..) {
            let Some(source) = self.sources.get_mut(id) else { continue };
            let Kind::Forwarder(forwarding) = &mut source.kind else { continue };
            forwarding.is_heard = false;
            // One that goes cold, or is, keeps it.
            if source.phase == Phase::Hot {
                source.state().clear_want(self.keeps_wants);
            }
        }
    }

    /// Takes in what a forwarder has published.
    fn note(&mut self, merge: &mut Merge, id: usize) {
        let Some(source) = self.sources.get_mut(id) else { return };
        let Kind::Forwarder(forwarding) = &mut source.kind else { return };
        merge.highest = merge.highest.max(forwarding.passed);
        if !std::mem::replace(&mut forwarding.is_heard, true) {
            merge.heard.push(id);
        }
        if source.stamped == source.seen {
            if source.ended {
                self.finish(id);
            }
        } else if !std::mem::replace(&mut forwarding.is_queued, true) {
            let number = forwarding.given.number(source.stamped);
            merge.heads.push(Reverse(Ranked { number, id, ticket: forwarding.ticket }));
        }
    }

    /// How far this pass may settle.
    fn promise(&mut self, merge: &mut Merge) -> u64 {
        let Self { sources, board, generation, again, .. } = self;
        while let Some(mut lowest) = merge.bounds.peek_mut() {
            let ranked = &mut lowest.0;
            let bounds = forwarding(sources, ranked).filter(|_| !sources[ranked.id].ended);
            match bounds.map(|forwarding| forwarding.passed) {
                None => drop(PeekMut::pop(lowest)),
                Some(passed) if passed > ranked.number => ranked.number = passed,
                Some(_) => break,
            }
        }
        let limit = merge.bounds.peek().map_or(merge.highest, |Reverse(lowest)| lowest.number);
        debug_assert!(limit >= merge.promised, "a forwarder has joined below what was promised");
        if limit > merge.promised {
            if board.topology.promise(limit, *generation) {
                merge.promised = limit;
            } else {
                // The pass that applies the list decides.
                *again = true;
            }
        }
        merge.promised
    }

    /// The merge. How far everything is settled by it.
    fn hand_out_up_to(&mut self, merge: &mut Merge, limit: u64) -> u64 {
        while let Some(&Reverse(next)) = merge.heads.peek() {
            if next.number > limit {
                break;
            }
            if !self.has_room(next.id) {
                return next.number - 1;
            }
            merge.heads.pop();
            let others = merge.heads.peek().map(|Reverse(other)| other.number - 1);
            let stop = others.map_or(limit, |others| others.min(limit));
            if let Some(number) = self.hand_over(next.id, stop) {
                merge.heads.push(Reverse(Ranked { number, ..next }));
            }
        }
        limit
    }

    /// Whether the destination of a forwarder can take a run. If not, it will be heard of when it can.
    fn has_room(&mut self, id: usize) -> bool {
        let Self { sources, ports, .. } = self;
        let source = &mut sources[id];
        let Kind::Forwarder(forwarding) = &mut source.kind else { return false };
        let full = if source.ended {
            None
        } else {
            match &forwarding.to {
                Audience::One(to) => {
                    Some(to.port).filter(|&port| !ports[port].has_room_or_waits(false))
                }
                Audience::All(fan) => fan.full_member(source.stamped, ports),
            }
        };
        let stalls = &forwarding.given.state().stalls;
        match full {
            Some(port) if !forwarding.is_stalled => stalls.begin(port as u32),
            None if forwarding.is_stalled => stalls.end(),
            _ => {}
        }
        forwarding.is_stalled = full.is_some();
        full.is_none()
    }

    /// Hands out the next run of a forwarder, with numbers up to `stop` (the first whatever it is). There is room for
    /// it, or the forwarder has ended. Returns the number of what is next; none if there is nothing, and then a
    /// forwarder that has ended is let go of.
    fn hand_over(&mut self, id: usize, stop: u64) -> Option<u64> {
        let Self { sources, ports, touched, authors, .. } = self;
        let source = &mut sources[id];
        let Kind::Forwarder(forwarding) = &mut source.kind else { return None };
        let (given, start) = (&forwarding.given, source.stamped);
        let end = match &forwarding.to {
            Audience::One(_) => source.seen,
            Audience::All(fan) => {
                fan.next_start(start).map_or(source.seen, |at| at.min(source.seen))
            }
        };
        let Span { len, first, mask, last } = given.span(start, end, stop);
        source.stamped += len;
        let is_all = source.stamped == source.seen;
        let ends = is_all && source.ended;
        let run = Run { key: 0, len: len as u32, first_seq: first, mask, last: ends };
        match &forwarding.to {
            Audience::One(Destination { port, key }) => {
                ports[*port].write_or_spill(Run { key: *key, ..run }, false);
                ports[*port].touch(*port, touched);
            }
            Audience::All(fan) => {
                fan.forward(run, start, ports, touched);
                // It may be for nobody; then nobody else tells the author of the room.
                authors.push(id);
            }
        }
        given.state().stamp(source.stamped, last);
        if !is_all {
            return Some(given.number(source.stamped));
        }
        forwarding.is_queued = false;
        if ends {
            self.release_forwarder(id);
        }
        None
    }

    /// Ends a forwarder of which everything has been handed out.
    fn finish(&mut self, id: usize) {
        let Self { sources, ports, touched, seq, .. } = self;
        let source = &sources[id];
        let Kind::Forwarder(forwarding) = &source.kind else { return };
        let run = Run { key: 0, len: 0, first_seq: *seq, mask: 0, last: true };
        match &forwarding.to {
            // One that never spoke is unknown to its receiver; its author has withdrawn it.
            _ if source.stamped == 0 => {}
            Audience::One(Destination { port, key }) => {
                ports[*port].write_or_spill(Run { key: *key, ..run }, false);
                ports[*port].touch(*port, touched);
            }
            Audience::All(fan) => fan.forward(run, source.stamped, ports, touched),
        }
        self.release_forwarder(id);
    }

    /// Lets go of a forwarder.
    fn release_forwarder(&mut self, id: usize) {
        let source = self.let_go_of_source(id);
        let Kind::Forwarder(forwarding) = source.kind else { return };
        match forwarding.to {
            Audience::One(to) => self.end_source(to.port),
            Audience::All(fan) => {
                for member in fan.members {
                    self.let_go_of(id, member.to.port);
                }
            }
        }
    }

    /// A forwarder has joined.
    pub(super) fn add_forwarder(&mut self, given: Arc<Given>, to: Audience) {
        self.tickets += 1;
        let ticket = self.tickets;
        // Nothing more has been promised since it took its floor: that fails while it is not applied.
        let promised = self.merge.as_ref().map_or(0, |merge| merge.promised);
        let state = given.state().clone();
        self.add_source(Kind::Forwarder(Box::new(Forwarding {
            given,
            to,
            passed: promised,
            waived: promised,
            ticket,
            is_queued: false,
            is_heard: false,
            is_stalled: false,
        })));
        let Self { merge: Some(merge), sources, .. } = self else { return };
        if merge.bounds.len() > 2 * sources.len() {
            merge.prune(sources);
        }
        if let Some(id) = state.id() {
            merge.bounds.push(Reverse(Ranked { number: promised, id: id as usize, ticket }));
        }
    }

    /// A receiver has gone: its forwarders hold back nothing any more. They are let go of when the pass has looked at
    /// its sources.
    pub(super) fn abandon(&mut self, port: usize) {
        let Self { merge: Some(merge), sources, .. } = self else { return };
        for (id, source) in sources.iter() {
            if let Kind::Forwarder(forwarding) = &source.kind
                && matches!(&forwarding.to, Audience::One(to) if to.port == port)
            {
                merge.abandoned.push(id);
            }
        }
    }

    fn release_abandoned(&mut self, merge: &mut Merge) {
        if merge.abandoned.is_empty() {
            return;
        }
        for id in merge.abandoned.drain(..) {
            if self.sources.contains(id) {
                self.release_forwarder(id);
            }
        }
        merge.prune(&self.sources);
    }
}

impl Source {
    /// As [`collect`](Self::collect), for a forwarder: true if it has published or waived anything, or has ended.
    pub(super) fn collect_forwarder(&mut self, pass: u64) -> bool {
        let Kind::Forwarder(forwarding) = &mut self.kind else { return false };
        let state = forwarding.given.state();
        // First what it has waived: what it had forwarded before is then found.
        let waived = state.waived();
        let (seen, ended) = state.published();
        if (waived, seen, ended) == (forwarding.waived, self.seen, self.ended) {
            return false;
        }
        if seen > self.seen {
            forwarding.passed = forwarding.passed.max(forwarding.given.number(seen - 1));
        }
        forwarding.passed = forwarding.passed.max(waived);
        forwarding.waived = waived;
        (self.seen, self.ended, self.spoke) = (seen, ended, pass);
        true
    }
}
