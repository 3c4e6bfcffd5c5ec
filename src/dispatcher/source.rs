//! What is numbered: the lane of a sender or of a broadcaster, or an outbox with the lanes to its targets. Or what is
//! merged: a forwarder's lane, whose messages have their numbers.

use super::fan::Fan;
use crate::given::Given;
use crate::lane::{LaneState, NOWHERE};
use crate::mark::{Chain, NEXT};
use crate::order::OrderRing;
use crate::sync::Arc;

/// One author, as the dispatcher sees it.
pub(super) struct Source {
    pub(super) kind: Kind,
    pub(super) phase: Phase,
    /// Messages (words of the order ring) that have their number.
    pub(super) stamped: u64,
    /// Messages that this pass may number: published before it was collected.
    pub(super) seen: u64,
    /// The author had ended when this was collected; `seen` is final.
    pub(super) ended: bool,
    /// The last pass that found something to number.
    pub(super) spoke: u64,
    /// It may go cold: the ready set has a place for it.
    pub(super) cools: bool,
    /// What the last look saw. See [`Core::assure`](super::Core::assure).
    pub(super) assured: Assured,
    /// Its next message is a broadcast, and has waited since it drew this ticket, here or there.
    pub(super) age: Option<u64>,
    /// Gates that wait for its end.
    pub(super) gates: Vec<usize>,
    /// Where it was ended from outside; [`NOWHERE`] if it was not.
    pub(super) cut: u64,
}

/// What of a source comes after no change of the topology but those up to a generation.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Assured {
    pub(super) seen: u64,
    pub(super) ended: bool,
    pub(super) generation: u64,
}

/// Whether a source is looked at. For the first three see [`heat`](super::heat).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// By each pass.
    Hot,
    /// By each pass, for the time being.
    Candidate,
    /// When it speaks up.
    Cold,
    /// It has waited, there is room, and it has yet to take its turn: it goes before those that still wait.
    Served { port: usize },
    /// When its inbox has room.
    Waiting { ticket: u64, port: usize },
}

impl Phase {
    pub(super) fn is_scanned(self) -> bool {
        !matches!(self, Self::Cold | Self::Waiting { .. })
    }
}

pub(super) enum Kind {
    Lane {
        lane: Arc<LaneState>,
        to: Destination,
    },
    Fan(Fan),
    Outbox(Outlets),
    /// In a follower.
    Forwarder(Box<Forwarding>),
}

/// To whom a forwarder forwards.
pub(super) enum Audience {
    One(Destination),
    All(Fan),
}

/// A forwarder, as the dispatcher of a follower sees it.
pub(super) struct Forwarding {
    pub(super) given: Arc<Given>,
    pub(super) to: Audience,
    /// Nothing up to this number will be published any more.
    pub(super) passed: u64,
    /// What it has said by itself, as of the last look.
    pub(super) waived: u64,
    /// Tells it from an earlier one with the same index.
    pub(super) ticket: u64,
    /// It stands in the queue of those that have something to hand out.
    pub(super) is_queued: bool,
    /// It stands in the list of those that had something to say since the clock moved.
    pub(super) is_heard: bool,
    /// It holds up the merge, because its destination is full.
    pub(super) is_stalled: bool,
}

/// A lane's port, and what the receiver calls the lane.
#[derive(Clone, Copy, Debug)]
pub(super) struct Destination {
    pub(super) port: usize,
    pub(super) key: u32,
}

/// The targets of an outbox.
pub(super) struct Outlets {
    pub(super) ring: Arc<OrderRing>,
    pub(super) targets: Vec<Option<Target>>,
    /// One of them has been a group.
    pub(super) broadcasts: bool,
    /// Marks that come after messages which have no number yet.
    pub(super) marks: Chain<NEXT>,
}

pub(super) struct Target {
    pub(super) lane: Arc<LaneState>,
    /// None if its receiver had gone before the dispatcher heard of the lane, or if it has several.
    pub(super) to: Option<Destination>,
    /// If it is a group.
    pub(super) fan: Option<Box<Fan>>,
    /// Messages that have their number, or never get one because the receiver has gone.
    pub(super) stamped: u64,
    /// The author has removed it: it ends when all is stamped.
    pub(super) removed: bool,
    /// What is left of it stands in its inbox's overflow list.
    pub(super) in_overflow: bool,
    /// Its messages in the window that is being numbered.
    pub(super) mask: u64,
    /// How often its receiver had asked for attention when that of the lane was last cleared; none at first.
    pub(super) sleeps: Option<u32>,
}

impl Target {
    pub(super) fn new(
        lane: Arc<LaneState>,
        to: Option<Destination>,
        fan: Option<Box<Fan>>,
    ) -> Self {
        let (stamped, mask) = (0, 0);
        Self { lane, to, fan, stamped, removed: false, in_overflow: false, mask, sleeps: None }
    }

    /// Removed, and all that was sent before is stamped.
    pub(super) fn is_finished(&self) -> bool {
        self.removed && self.stamped == self.lane.published().0
    }
}

impl Source {
    pub(super) fn new(kind: Kind, cools: bool) -> Self {
        Self {
            kind,
            phase: Phase::Hot,
            stamped: 0,
            seen: 0,
            ended: false,
            spoke: 0,
            cools,
            assured: Assured::default(),
            age: None,
            gates: Vec::new(),
            cut: NOWHERE,
        }
    }

    /// The indices that the author publishes.
    pub(super) fn state(&self) -> &LaneState {
        match &self.kind {
            Kind::Lane { lane, .. } | Kind::Fan(Fan { lane, .. }) => lane,
            Kind::Outbox(outlets) => outlets.ring.state(),
            Kind::Forwarder(forwarding) => forwarding.given.state(),
        }
    }

    /// Looks how far the author has come. True if there is something to do. If not, writes nothing.
    #[inline]
    pub(super) fn collect(&mut self, pass: u64) -> bool {
        if let Kind::Forwarder(_) = self.kind {
            return self.collect_forwarder(pass);
        }
        let (seen, ended) = self.published();
        if seen == self.stamped && !ended {
            return false;
        }
        (self.seen, self.ended, self.spoke) = (seen, ended, pass);
        true
    }

    /// How far the author has come, and whether that is the end.
    #[inline]
    pub(super) fn published(&self) -> (u64, bool) {
        let (tail, ended) = self.state().published();
        (tail.min(self.cut), ended || self.cut != NOWHERE)
    }

    /// This pass leaves it alone.
    pub(super) fn put_off(&mut self) {
        self.seen = self.stamped;
        self.ended = false;
    }

    /// The same, and of an outbox those of the lanes to its targets.
    pub(super) fn states(&self) -> impl Iterator<Item = &LaneState> {
        let targets = match &self.kind {
            Kind::Outbox(outlets) => &*outlets.targets,
            _ => &[],
        };
        std::iter::once(self.state()).chain(targets.iter().flatten().map(|target| &*target.lane))
    }
}
