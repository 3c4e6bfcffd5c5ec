//! What the dispatcher and everyone else share, besides lanes and inboxes: the list of changes and the set of lanes
//! that have spoken up on the way in, the clock on the way out, and the list of those who sleep until the clock moves.
//!
//! A change of the topology (a join, a leave, an end) is put into the list and raises the generation; the next pass
//! finds the generation changed and applies the list. There is no snapshot and no epoch, because the only reader is
//! the holder of the dispatcher.

use std::collections::VecDeque;

use crate::clock::ClockCell;
use crate::given::Given;
use crate::inbox::Inbox;
use crate::lane::LaneState;
use crate::mark::{Errands, MarkList};
use crate::order::OrderRing;
use crate::park::Parker;
use crate::pins::Pins;
use crate::ready::ReadySet;
use crate::sync::atomic::{AtomicBool, AtomicU64};
use crate::sync::{Arc, Mutex, Ordering::Relaxed};
use crate::tap::Tap;
use crate::waiters::Waiters;

/// Everything that passes between the dispatcher and the ends of the engine.
pub(crate) struct Board {
    pub(crate) topology: Topology,
    pub(crate) ready: ReadySet,
    pub(crate) marks: MarkList,
    /// Marks that have their numbers, and something to be done on that.
    pub(crate) errands: Errands,
    pub(crate) clock: ClockCell,
    /// Those who sleep until the clock comes to a number, or moves at all.
    pub(crate) waiters: Waiters,
    /// Numbers for which slots keep their states.
    pub(crate) pins: Pins,
}

impl Board {
    /// An empty engine whose clock stands at `seq`.
    pub(crate) fn new(seq: u64) -> Self {
        Self {
            topology: Topology { promised: AtomicU64::new(seq), ..Topology::default() },
            ready: ReadySet::default(),
            marks: MarkList::default(),
            errands: Errands::default(),
            clock: ClockCell::new(seq),
            waiters: Waiters::default(),
            pins: Pins::default(),
        }
    }
}

/// A change of who sends to whom.
pub(crate) enum Change {
    /// A receiver begins, as a member of these.
    Receiver { inbox: Arc<Inbox>, memberships: Vec<Membership> },
    /// A sender begins. The receiver knows its lane as `key`.
    Lane { lane: Arc<LaneState>, inbox: Arc<Inbox>, key: u32 },
    /// A broadcaster begins, with these members; it was a sender, which has ended, if there is a lane `after` which
    /// it comes.
    Fan { lane: Arc<LaneState>, after: Option<Arc<LaneState>>, members: Vec<Membership> },
    /// Members join.
    Members { memberships: Vec<Membership> },
    /// Members leave.
    MembersEnd { memberships: Vec<Membership> },
    /// A forwarder begins.
    Forwarder { given: Arc<Given>, inbox: Arc<Inbox>, key: u32 },
    /// A forwarder to a group begins, with these members.
    GroupForwarder { given: Arc<Given>, members: Vec<Membership> },
    /// An outbox begins.
    Outbox { ring: Arc<OrderRing> },
    /// An outbox adds a target, which its order ring calls `target`.
    Target { ring: Arc<OrderRing>, target: u16, lane: Arc<LaneState>, inbox: Arc<Inbox>, key: u32 },
    /// An outbox adds a group as a target, with these members.
    Crowd { ring: Arc<OrderRing>, target: u16, lane: Arc<LaneState>, members: Vec<Membership> },
    /// A sender or broadcaster has ended; its tail says so. Told here too, for a lane that waits for room is not
    /// looked at.
    LaneEnd { lane: Arc<LaneState> },
    /// An outbox has ended; the tail of its ring says so.
    OutboxEnd { ring: Arc<OrderRing> },
    /// An outbox has removed a target; the tail of that lane says so.
    TargetEnd { ring: Arc<OrderRing>, target: u16 },
    /// A receiver sleeps at another place from now on: it is a part of a merge.
    Sleeper { inbox: Arc<Inbox>, parker: Arc<Parker> },
    /// A receiver has gone.
    Leave { inbox: Arc<Inbox> },
}

/// One receiver's place in the lane of a broadcaster, or of an outbox that has its group as a target.
#[derive(Clone)]
pub(crate) struct Membership {
    pub(crate) lane: Arc<LaneState>,
    /// The outbox's, if it is one.
    pub(crate) ring: Option<Arc<OrderRing>>,
    pub(crate) tap: Arc<Tap>,
    /// A forwarder's numbers, and the position of the first message that is the receiver's.
    pub(crate) given: Option<(Arc<Given>, u64)>,
    pub(crate) inbox: Arc<Inbox>,
    /// As which the receiver knows the lane.
    pub(crate) key: u32,
}

/// The list of changes that no pass has applied yet.
#[derive(Default)]
pub(crate) struct Topology {
    generation: AtomicU64,
    /// Of a follower: how far passes settle, whatever comes. Read and written under the list's lock.
    promised: AtomicU64,
    changes: Mutex<VecDeque<Change>>,
    /// Nobody joins any more. Written under the list's lock.
    shut: AtomicBool,
    /// No pass applies changes any more, so none is listed. Read and written under the list's lock.
    over: AtomicBool,
}

impl Topology {
    /// How often the list has changed.
    #[inline]
    pub(crate) fn generation(&self) -> u64 {
        // Relaxed: whoever relies on seeing a change has synchronised with its author: by the kick that followed it,
        // or by a tail that was published after it. The list itself is under its lock.
        self.generation.load(Relaxed)
    }

    /// The engine is being closed: no source joins any more.
    pub(crate) fn shut(&self) {
        let _changes = self.changes.lock();
        // Relaxed: under the list's lock.
        self.shut.store(true, Relaxed);
    }

    /// Whether the engine is being closed, or was. To be asked after what was listed, or in vain.
    pub(crate) fn is_shut(&self) -> bool {
        // Relaxed: whoever lists something after it was set took the list's lock after that.
        self.shut.load(Relaxed)
    }

    /// Adds a change; how many are listed now. Whoever adds one kicks.
    pub(crate) fn push(&self, change: Change) -> usize {
        // Before the lock, so that what is not listed is dropped after it.
        let mut change = Some(change);
        self.list(&mut self.changes.lock(), &mut change)
    }

    /// Adds the joining of a source to a receiver. None if that has closed, which is final.
    pub(crate) fn join(&self, change: Change, to: &Inbox) -> Option<usize> {
        let mut change = Some(change);
        let mut changes = self.changes.lock();
        if to.is_closed() || self.is_shut() {
            return None;
        }
        Some(self.list(&mut changes, &mut change))
    }

    /// Under the list's lock. Takes the change, unless it is too late for any.
    fn list(&self, changes: &mut VecDeque<Change>, change: &mut Option<Change>) -> usize {
        // Relaxed: under the list's lock.
        if self.over.load(Relaxed) {
            return 0;
        }
        let Some(change) = change.take() else { return changes.len() };
        if let Change::Forwarder { given, .. } | Change::GroupForwarder { given, .. } = &change {
            // Relaxed: under the list's lock. No pass promises more before it has applied this change.
            given.state().waive(self.promised.load(Relaxed));
        }
        changes.push_back(change);
        self.raise();
        changes.len()
    }

    /// Adds a change that `make` makes of those of `memberships` whose receivers have not closed, which is final;
    /// the others are moved out of it. How many changes are listed now.
    pub(crate) fn join_members(
        &self,
        mut memberships: Vec<Membership>,
        refused: &mut Vec<Membership>,
        make: impl FnOnce(Vec<Membership>) -> Change,
    ) -> usize {
        let mut change = None;
        let mut changes = self.changes.lock();
        refused.extend(memberships.extract_if(.., |membership| membership.inbox.is_closed()));
        change.replace(make(memberships));
        self.list(&mut changes, &mut change)
    }

    /// Promises that a follower settles everything up to `seq`, unless the list has changed since `generation`: a
    /// forwarder may have joined meanwhile, for which less was promised.
    pub(crate) fn promise(&self, seq: u64, generation: u64) -> bool {
        let _changes = self.changes.lock();
        let unchanged = self.generation() == generation;
        if unchanged {
            // Relaxed: under the list's lock.
            self.promised.store(seq, Relaxed);
        }
        unchanged
    }

    /// Moves the list into `changes`, which is empty, and returns the generation that it brings about.
    pub(crate) fn take(&self, changes: &mut VecDeque<Change>) -> u64 {
        let mut listed = self.changes.lock();
        std::mem::swap(&mut *listed, changes);
        self.generation()
    }

    /// Moves the list into `changes`, which is empty, for the last time: from now on none is listed.
    pub(crate) fn take_last(&self, changes: &mut VecDeque<Change>) {
        let mut listed = self.changes.lock();
        // Relaxed: under the list's lock.
        self.over.store(true, Relaxed);
        std::mem::swap(&mut *listed, changes);
    }

    /// How many changes no pass has applied.
    pub(crate) fn listed(&self) -> usize {
        self.changes.lock().len()
    }

    /// Closes an inbox that has no source left, unless the list has changed since `generation`: a source may have
    /// joined meanwhile. Under the list's lock, so that whoever joins comes before, or is refused.
    pub(crate) fn close(&self, inbox: &Inbox, generation: u64) -> bool {
        let _changes = self.changes.lock();
        let unchanged = self.generation() == generation;
        if unchanged {
            inbox.close();
        }
        unchanged
    }

    /// Under the list's lock.
    fn raise(&self) {
        // Relaxed: see `generation`.
        self.generation.fetch_add(1, Relaxed);
    }
}
