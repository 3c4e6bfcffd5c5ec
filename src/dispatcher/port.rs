//! Where runs go: one inbox, and the sources that wait for room in it, in the order in which they came.

use std::collections::VecDeque;

use slab::Slab;

use super::source::{Phase, Source};
use crate::inbox::{Inbox, InboxWriter, Run};
use crate::lane::LaneState;
use crate::order::OrderRing;
use crate::park::Parker;
use crate::sync::{Arc, Ordering::Relaxed};

/// One receiver, as the dispatcher sees it.
pub(super) struct Port {
    writer: InboxWriter,
    /// Sources that wait, with the ticket that they drew. One that has another ticket now, or none, waits no more.
    waiting: VecDeque<(usize, u64)>,
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

impl Port {
    pub(super) fn new(inbox: Arc<Inbox>) -> Self {
        Self {
            writer: InboxWriter::new(inbox),
            waiting: VecDeque::new(),
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

    pub(super) fn room(&mut self) -> u64 {
        self.writer.room()
    }

    pub(super) fn write(&mut self, run: Run) {
        self.writer.write(run);
    }

    /// Whether a source has to wait: there is no room but what is promised to others, or others wait. One that has
    /// waited itself (`served`) waits for neither.
    pub(super) fn must_wait(&mut self, served: bool) -> bool {
        let taken = self.reserved + if served { 0 } else { self.promised };
        (!served && self.has_waiting()) || self.room() <= taken
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
        Some(self.inbox().parker()).filter(|parker| parker.is_armed())
    }

    /// Hands out the rest of an ended lane past the ring: `start..end` of its lane, or of its frozen order ring.
    pub(super) fn overflow(
        &self,
        lane: &LaneState,
        key: u32,
        first_seq: u64,
        start: u64,
        end: u64,
    ) {
        // Relaxed, all three: released by the push.
        lane.rest.first_seq.store(first_seq, Relaxed);
        lane.rest.start.store(start, Relaxed);
        lane.rest.end.store(end, Relaxed);
        self.writer.overflow(key, &lane.rest.next);
    }

    /// Hands out a run of a forwarder, past the ring if that is full.
    pub(super) fn write_or_spill(&mut self, run: Run) {
        if self.room() > 0 {
            self.writer.write(run);
        } else {
            self.writer.spill(run);
        }
    }

    /// Puts a source at the end of those that wait.
    pub(super) fn enqueue(&mut self, id: usize, source: &mut Source, ticket: u64) {
        source.phase = Phase::Waiting { ticket };
        if let Some(port) = self.inbox().port() {
            source.state().stalls.begin(port as u32);
        }
        self.waiting.push_back((id, ticket));
    }

    /// Takes the source that has waited longest.
    pub(super) fn next_waiting(&mut self, sources: &Slab<Source>) -> Option<usize> {
        self.prune(sources);
        self.waiting.pop_front().map(|(id, _)| id)
    }

    /// Drops those at the front that wait no more.
    pub(super) fn prune(&mut self, sources: &Slab<Source>) {
        while let Some(&(id, ticket)) = self.waiting.front() {
            if sources.get(id).is_some_and(|source| source.phase == Phase::Waiting { ticket }) {
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

    /// Announces that somebody waits. True if there is room after all.
    pub(super) fn wait_for_room(&mut self) -> bool {
        self.writer.wait_for_room()
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
