//! A tap: where one member of a group reads the lane of a broadcaster, as far as the sender and the dispatcher see it.
//!
//! ```text
//!   head      JOINING ─▶ position ─▶ position | READING ─▶ position … ─▶ DONE
//!             (born)     dispatcher, then the member alone               member: it reads no more
//!   removed   the member must not begin to read         whoever removes it; one flag for all taps of a membership
//!   revoked   and a heavy barrier has passed since      the same
//! ```
//!
//! A broadcast lane has one tail and as many heads as there are members; a slot is free when the slowest has passed it
//! ([`LaneState`](crate::lane::LaneState) has the tail, [`ring`](crate::ring) the slots).
//!
//! *A member joins.* Its head begins by holding everything back. The pass that takes it in sets the head to what is
//! stamped, before it hands out anything that follows. The sender that looks for room reads all heads, and *then*
//! whether the members have changed: if the heads that it has read were advanced by messages stamped after the
//! newcomer was taken in, it sees the change, and looks again with the newcomer among them.
//!
//! *A member is removed* while it may be reading. Before it touches a slot the member stores READING, passes a
//! light barrier, and loads `removed`. Whoever removes it stores `removed`, passes a heavy barrier, and stores
//! `revoked`. So whoever has seen `revoked`, and then a head without READING, knows that the member reads nothing
//! and never will: *if its load of `removed` came before the store*, its READING was visible before `revoked`;
//! *otherwise* it turns back. A member that is in the midst of a message (it holds a reference, or its `clone` is
//! under way) is waited for: nobody can take a reference away.

use crossbeam_utils::CachePadded;

use crate::inbox::Rest;
use crate::lane::Counts;
use crate::sync::atomic::{AtomicBool, AtomicU64};
use crate::sync::{Arc, Ordering::Relaxed};
use crate::trace::Whom;

const READING: u64 = 1 << 62;
/// Holds everything back.
const JOINING: u64 = 1 << 63;
/// Holds nothing.
const DONE: u64 = u64::MAX;

/// What all taps of one membership have in common.
#[derive(Default)]
pub(crate) struct Standing {
    removed: AtomicBool,
}

/// See the module's documentation.
pub(crate) struct Tap {
    line: CachePadded<Line>,
    standing: Arc<Standing>,
    /// The first position that is the member's. Written by the dispatcher before it hands anything out. In the end,
    /// by the member: how many messages it has received.
    start: AtomicU64,
    /// The position after its last message, once that is known. Written by the dispatcher.
    end: AtomicU64,
    /// Messages that it must not read, since it was removed. Written by the member.
    missed: AtomicU64,
    /// Where the rest of the lane is noted if it ends and the member's inbox has no room.
    pub(crate) rest: Rest,
    /// Whose it is.
    pub(crate) whom: Whom,
}

/// Written by the member, but for `revoked`.
struct Line {
    head: AtomicU64,
    revoked: AtomicBool,
}

impl Standing {
    /// The member must not read what it has not begun to. [`Tap::revoke`] is to follow for each of its taps.
    pub(crate) fn remove(&self) {
        // Relaxed: the barrier orders it.
        self.removed.store(true, Relaxed);
        // Pairs with the light barrier in `Tap::begin`.
        heavy!("tap.remove.heavy");
    }
}

impl Tap {
    pub(crate) fn new(standing: Arc<Standing>) -> Arc<Self> {
        Arc::new(Self {
            standing,
            line: CachePadded::new(Line {
                head: AtomicU64::new(JOINING),
                revoked: AtomicBool::new(false),
            }),
            start: AtomicU64::new(0),
            end: AtomicU64::new(u64::MAX),
            missed: AtomicU64::new(0),
            rest: Rest::default(),
            whom: Whom::default(),
        })
    }

    // ── the dispatcher's side ──────────────────────────────────────────────────────────────────────────────

    /// The member gets what follows this position.
    pub(crate) fn begin_at(&self, position: u64) {
        // Relaxed: the entry that hands out the first run releases it to the member.
        self.start.store(position, Relaxed);
        // By compare and exchange, since the member may be gone already. Relaxed: what is stamped from now on and
        // read by others is published after it, and a sender that has read their heads (Acquire) sees it.
        self.line.head.compare_exchange(JOINING, position, Relaxed, Relaxed).ok();
    }

    /// The member gets nothing from this position on.
    pub(crate) fn end_at(&self, position: u64) {
        // Relaxed: a head that has come to it is final, whenever that is seen. The author is woken to look.
        self.end.store(position, Relaxed);
    }

    // ── the member's side ──────────────────────────────────────────────────────────────────────────────────

    /// Where it begins to read. To be called when a run has been met.
    pub(crate) fn start(&self) -> u64 {
        // Relaxed: the entry of the run was acquired.
        self.start.load(Relaxed)
    }

    /// Before the slots from `head` on are touched. False if the member has been removed: it must not.
    #[inline]
    pub(crate) fn begin(&self, head: u64) -> bool {
        // Release: as `advance`, for it stands in its place. The barrier orders it before what follows.
        self.line.head.store(head | READING, ord!("tap.begin.publish", Release));
        // Pairs with the heavy barrier in `Standing::remove`: it sees READING, or we see `removed`.
        light!("tap.begin.light");
        // Relaxed: the barrier orders it.
        !self.standing.removed.load(Relaxed)
    }

    /// The slots before `head` are not touched any more.
    #[inline]
    pub(crate) fn advance(&self, head: u64) {
        // Release: pairs with `held_from`: the values have been read before the sender drops them.
        self.line.head.store(head, ord!("tap.head.publish", Release));
    }

    /// `count` messages were given to the member and are not read.
    pub(crate) fn miss(&self, count: u64) {
        // Relaxed: a count.
        self.missed.fetch_add(count, Relaxed);
    }

    /// The member has read all that it ever gets, up to `head`.
    pub(crate) fn finish_at(&self, head: u64) {
        // Relaxed, both: a report.
        let received = head.saturating_sub(self.start() + self.missed.load(Relaxed));
        self.start.store(received, Relaxed);
        self.finish();
    }

    /// The member reads no more.
    pub(crate) fn finish(&self) {
        // By swap, since the dispatcher may be at it in `begin_at`. Release: as in `advance`.
        self.line.head.swap(DONE, ord!("tap.head.finish", Release));
    }

    // ── the sender's side ──────────────────────────────────────────────────────────────────────────────────

    /// The position from which on the member may still read; none if it reads no more, which is final.
    pub(crate) fn held_from(&self) -> Option<u64> {
        // Acquire: pairs with `revoke`: the head that is read next is not older than its barrier.
        let revoked = self.line.revoked.load(ord!("tap.revoked.read", Acquire));
        // Acquire: pairs with `advance` and `finish`.
        match self.line.head.load(ord!("tap.head.read", Acquire)) {
            DONE => None,
            JOINING => Some(0),
            head if head & READING != 0 => Some(head & !READING),
            // Relaxed: see `end_at`.
            head if revoked || head >= self.end.load(Relaxed) => None,
            head => Some(head),
        }
    }

    /// Whether the member has yet to be taken in. For good, if the dispatcher has let go of the lane.
    pub(crate) fn is_joining(&self) -> bool {
        // Relaxed: nothing is read by it.
        self.line.head.load(Relaxed) == JOINING
    }

    /// Where the member is; none before it was taken in, when it reads no more, and when it was removed.
    pub(crate) fn position(&self) -> Option<u64> {
        let is_joining = self.is_joining();
        // Relaxed: a report.
        let is_removed = self.standing.removed.load(Relaxed);
        self.held_from().filter(|_| !is_joining && !is_removed)
    }

    // ── whoever removes it ─────────────────────────────────────────────────────────────────────────────────

    /// The member has been removed ([`Standing::remove`]): from now on the sender can rely on that.
    pub(crate) fn revoke(&self) {
        // Release: pairs with `held_from`.
        self.line.revoked.store(true, ord!("tap.revoked.publish", Release));
    }

    // ── anyone ─────────────────────────────────────────────────────────────────────────────────────────────

    /// Of the lane, as this member has it; as of some moment during the call.
    pub(crate) fn counts(&self, lane: Counts) -> Counts {
        // Relaxed, all: a report.
        let (start, missed) = (self.start.load(Relaxed), self.missed.load(Relaxed));
        // Relaxed, both: a report.
        let (end, removed) = (self.end.load(Relaxed), self.standing.removed.load(Relaxed));
        // Relaxed: a report.
        let received = match self.line.head.load(Relaxed) {
            JOINING => return Counts { sent: 0, numbered: 0, received: 0 },
            DONE => return Counts { sent: start, numbered: start, received: start },
            head => (head & !READING).saturating_sub(start + missed),
        };
        if removed {
            return Counts { sent: received, numbered: received, received };
        }
        let own = |position: u64| position.min(end).saturating_sub(start);
        Counts { sent: own(lane.sent), numbered: own(lane.numbered), received }
    }
}
