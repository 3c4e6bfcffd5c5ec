//! A lane without its type: the indices and flags of one sender's ring, which the dispatcher can read.
//!
//! ```text
//!  sender line            head line            stamp line             parker
//!  tail | ENDED           head                 stamped, last          armed
//!  attention, waived
//!    ▲ sender, per          ▲ receiver,          ▲ dispatcher,          sender that waits for room
//!      publication            per recv             per run              or for its number
//! ```
//!
//! The slots of `T` are in [`ring`](crate::ring). Positions count messages since the lane began; they never wrap
//! (63 bits). `stamped` may pass a message that was never read, `head` never passes `tail`.
//!
//! **Attention** is the word that a sender loads after each publication, from the line it has just written
//! ([`attention`]).
//!
//! **A receiver leaves** while messages come: it sets GONE, passes a heavy barrier, and drops `head..tail`. *If a
//! publication precedes the barrier*, the drain sees it. *Otherwise* the sender, which loads `attention` after
//! publishing, sees GONE. If it then reads DRAINED, the value is its own again. If the drain is still under way it
//! sets AGAIN, which makes the drain look once more: the message counts as sent and never read. It does not wait
//! for the end of the drain, which runs foreign destructors.
//!
//! **A pass ends the author** from outside: it sets UNDECIDED, passes a heavy barrier, reads the tail, and says by
//! FENCED that this is the end. A publication that precedes the barrier is found; any other finds the word, waits
//! until it is decided, and is its author's again: a receiver that leaves after FENCED leaves it alone (TAKEN). If
//! it has left before, the rule above holds.

mod attention;
mod end;
mod stalls;

use crossbeam_utils::CachePadded;

use crate::inbox::Rest;
use crate::park::Parker;
use crate::sync::atomic::{AtomicU32, AtomicU64};
use crate::sync::{Arc, Ordering::Relaxed};
use crate::trace::Whom;
use attention::{AGAIN, DRAINED, HOLD, STRICT, TAKEN};
pub(crate) use attention::{CLOSED, CLOSING, FENCED, GONE, POISONED, UNDECIDED, WANT};
pub(crate) use stalls::Stalls;

/// In `tail`: the sender will publish nothing more. One word with the position, so both are read together.
const ENDED: u64 = 1 << 63;

/// Beyond what is published.
pub(crate) const NOWHERE: u64 = u64::MAX;

/// The dispatcher's number for a lane that it does not know yet.
const UNKNOWN: u32 = u32::MAX;
/// The dispatcher's number for a lane that it has let go of.
const RELEASED: u32 = u32::MAX - 1;

/// The part of a lane that has no type.
pub(crate) struct LaneState {
    sender: CachePadded<SenderLine>,
    head: CachePadded<AtomicU64>,
    stamps: CachePadded<StampLine>,
    parker: Arc<Parker>,
    /// The dispatcher's number for this lane. Written by the dispatcher.
    id: AtomicU32,
    /// With FENCED, where the author was ended; with TAKEN, from where on it takes back. [`NOWHERE`] before.
    cut: AtomicU64,
    /// Where the rest of an ended lane is noted if its inbox has no room.
    pub(crate) rest: Rest,
    pub(crate) stalls: Stalls,
    /// Whose receiver it is, if it has one.
    pub(crate) whom: Whom,
}

struct SenderLine {
    /// Messages published since the lane began, and ENDED. Written by the sender.
    tail: AtomicU64,
    attention: AtomicU32,
    /// Of a forwarder's lane: nothing with a number up to this one will come. Written by the forwarder.
    waived: AtomicU64,
}

/// Written by the dispatcher, read by a sender that waits for a number.
struct StampLine {
    /// Messages that have their number.
    stamped: AtomicU64,
    /// The number of the last of them.
    last: AtomicU64,
}

/// Messages of a lane since it began. For an outbox's ring, received is of which the words are free again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counts {
    pub(crate) sent: u64,
    pub(crate) numbered: u64,
    pub(crate) received: u64,
}

impl Counts {
    pub(crate) fn depth(&self) -> u64 {
        self.sent.saturating_sub(self.received)
    }
}

/// What becomes of messages that were published to a receiver which has left.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum AfterGone {
    /// Those from this position on are the sender's again.
    TakeBack { from: u64 },
    /// The leaving receiver drops them: sent, never read.
    LeftToReceiver,
}

impl LaneState {
    /// A lane that nothing was sent on, with WANT: its receiver may be asleep and does not know of it.
    pub(crate) fn new(parker: Arc<Parker>) -> Self {
        Self {
            sender: CachePadded::new(SenderLine {
                tail: AtomicU64::new(0),
                attention: AtomicU32::new(WANT),
                waived: AtomicU64::new(0),
            }),
            head: CachePadded::new(AtomicU64::new(0)),
            stamps: CachePadded::new(StampLine {
                stamped: AtomicU64::new(0),
                last: AtomicU64::new(0),
            }),
            parker,
            id: AtomicU32::new(UNKNOWN),
            cut: AtomicU64::new(NOWHERE),
            rest: Rest::default(),
            stalls: Stalls::default(),
            whom: Whom::default(),
        }
    }

    /// Where the sender of this lane sleeps.
    pub(crate) fn parker(&self) -> &Arc<Parker> {
        &self.parker
    }

    // ── the sender's side ──────────────────────────────────────────────────────────────────────────────────

    /// Makes everything before `tail` visible.
    #[inline]
    pub(crate) fn publish(&self, tail: u64) {
        // Release: pairs with `published`; carries the slots to the dispatcher and through it to the receiver.
        self.sender.tail.store(tail, ord!("lane.tail.publish", Release));
    }

    /// The word to heed after a publication; 0 nearly always.
    #[inline]
    pub(crate) fn attention(&self) -> u32 {
        // Pairs with the heavy barrier of whoever set the word: it sees our tail, or we see its bit.
        light!("lane.attention.light");
        // Relaxed: the barrier orders it, and who acts on GONE reads again with Acquire.
        match self.sender.attention.load(Relaxed) {
            attention if attention & STRICT == 0 => attention,
            _ => self.attention_behind_a_fence(),
        }
    }

    #[cold]
    fn attention_behind_a_fence(&self) -> u32 {
        // Pairs with the fence of a task that goes to sleep: it sees our tail, or we see its WANT.
        fence!("lane.attention.fence", SeqCst);
        // Relaxed: as without one.
        self.sender.attention.load(Relaxed) & !STRICT
    }

    /// A forwarder says that nothing with a number up to this one will come.
    pub(crate) fn waive(&self, number: u64) {
        // Release: pairs with `waived`: whatever was forwarded before is seen by whoever sees this.
        self.sender.waived.store(number, ord!("lane.waived.publish", Release));
    }

    /// Nothing more will be published beyond `tail`.
    pub(crate) fn end(&self, tail: u64) {
        // Release: as `publish`; also what the sender did before (a clone's joining) is seen before its end.
        self.sender.tail.store(tail | ENDED, ord!("lane.tail.end", Release));
    }

    /// How far the receiver has come; slots below are free.
    #[inline]
    pub(crate) fn head(&self) -> u64 {
        // Acquire: pairs with `give_back`: the receiver has done with the slots that we write next.
        self.head.load(ord!("lane.head.read", Acquire))
    }

    /// Asks the receiver to leave the last value alone if it goes before that has its number.
    pub(crate) fn hold(&self) {
        // Relaxed: the publication that follows carries it to the drain that finds the value.
        self.sender.attention.fetch_or(HOLD, Relaxed);
    }

    /// The end of [`hold`](Self::hold).
    pub(crate) fn let_go(&self) {
        // Relaxed: nothing rides on it; a drain that still sees it leaves a value that `head` shows as left.
        self.sender.attention.fetch_and(!HOLD, Relaxed);
    }

    /// How many messages have their numbers.
    pub(crate) fn stamped(&self) -> u64 {
        // Acquire: pairs with `stamp`: who was taken in before it is on the list of consumers.
        self.stamps.stamped.load(ord!("lane.stamped.reclaim", Acquire))
    }

    /// The number of the last message before `tail`, once it has one.
    pub(crate) fn number_of(&self, tail: u64) -> Option<u64> {
        // Acquire: pairs with `stamp`, so that `last` belongs to this position or a later one; and there is no
        // later one while the only sender waits here.
        let stamped = self.stamps.stamped.load(ord!("lane.stamped.read", Acquire));
        // Relaxed: see above.
        (stamped >= tail).then(|| self.stamps.last.load(Relaxed))
    }

    /// Whether the receiver has left, or the engine is closed, without settling what becomes of values.
    pub(crate) fn is_gone(&self) -> bool {
        // Relaxed: a hint; `after_gone` settles.
        self.sender.attention.load(Relaxed) & (GONE | POISONED) != 0
    }

    /// Whether nothing can be sent any more.
    pub(crate) fn is_shut(&self) -> bool {
        // Relaxed: as `is_gone`.
        self.sender.attention.load(Relaxed) & (GONE | POISONED | CLOSING | FENCED) != 0
    }

    /// To be asked after a publication that met GONE: whose are the values now?
    pub(crate) fn after_gone(&self) -> AfterGone {
        // Relaxed: only the CAS below, or the Acquire in `drained`, settles.
        let mut seen = self.sender.attention.load(Relaxed);
        loop {
            if let Some(from) = self.drained() {
                return AfterGone::TakeBack { from };
            }
            // Release: our publication is visible to the drain that this asks for. Relaxed failing: see above.
            match self.sender.attention.compare_exchange(
                seen,
                seen | AGAIN,
                ord!("lane.again", Release),
                Relaxed,
            ) {
                Ok(_) => return AfterGone::LeftToReceiver,
                Err(now) => seen = now,
            }
        }
    }

    /// The position from which on values are the sender's, once the receiver has gone and drained.
    pub(crate) fn drained(&self) -> Option<u64> {
        // Acquire: pairs with `finish_drain`: the head is final and the receiver touches no slot any more.
        let attention = self.sender.attention.load(ord!("lane.drained.read", Acquire));
        (attention & DRAINED != 0).then(|| self.head())
    }

    /// The sender has taken back everything up to `tail`; nobody else looks at the head now.
    pub(crate) fn taken_back(&self, tail: u64) {
        // Relaxed: the slots' last owner reads it, after both sides have let go.
        self.head.store(tail, Relaxed);
    }

    // ── the dispatcher's side ──────────────────────────────────────────────────────────────────────────────

    /// How far the sender has come, and whether that is the end.
    #[inline]
    pub(crate) fn published(&self) -> (u64, bool) {
        // Acquire: pairs with `publish` and `end`; passes the slots on to whoever gets the run.
        let tail = self.sender.tail.load(ord!("lane.tail.read", Acquire));
        (tail & !ENDED, tail & ENDED != 0)
    }

    /// Up to which number nothing will come, but what is [`published`](Self::published). To be read before that.
    #[inline]
    pub(crate) fn waived(&self) -> u64 {
        // Acquire: pairs with `waive`: the tail that is read next covers what was forwarded before it.
        self.sender.waived.load(ord!("lane.waived.read", Acquire))
    }

    /// Clears WANT, unless it is to be kept. To be called when something of this lane is stamped, before the entry is
    /// published: the receiver that takes the run may go to sleep and set it again.
    #[inline]
    pub(crate) fn clear_want(&self, keep: bool) {
        // Relaxed: a WANT that is missed here costs its sender one kick too many.
        if !keep && self.sender.attention.load(Relaxed) & WANT != 0 {
            // Relaxed: the entry's Release orders it before a WANT that is set by whoever has read the entry.
            self.sender.attention.fetch_and(!WANT, Relaxed);
        }
    }

    /// Whether somebody wants to hear of the next message. Settled for whoever holds the core: see the table above.
    #[inline]
    pub(crate) fn is_wanted(&self) -> bool {
        // Relaxed: see `clear_want`.
        self.sender.attention.load(Relaxed) & WANT != 0
    }

    /// Everything before `position` has its number, the last of them `last`.
    #[inline]
    pub(crate) fn stamp(&self, position: u64, last: u64) {
        // Relaxed, because the next line releases it.
        self.stamps.last.store(last, Relaxed);
        // Release: pairs with `number_of`.
        self.stamps.stamped.store(position, ord!("lane.stamped.publish", Release));
    }

    pub(crate) fn set_id(&self, id: u32) {
        // Release: pairs with `id_to_raise`.
        self.id.store(id, ord!("lane.id.publish", Release));
    }

    /// The dispatcher's number for this lane, for the author that speaks up.
    pub(crate) fn id_to_raise(&self) -> Option<u32> {
        // Acquire: pairs with `set_id`: the ready set has its place for this number.
        Some(self.id.load(ord!("lane.id.read", Acquire))).filter(|&id| id < RELEASED)
    }

    pub(crate) fn release(&self) {
        // Relaxed: see `is_released`.
        self.id.store(RELEASED, Relaxed);
    }

    /// The dispatcher's number for this lane, while it has one.
    pub(crate) fn id(&self) -> Option<u32> {
        // Relaxed: for the dispatcher, which wrote it under the same lock.
        Some(self.id.load(Relaxed)).filter(|&id| id < RELEASED)
    }

    /// Whether the dispatcher has let go of this lane for good.
    pub(crate) fn is_released(&self) -> bool {
        // Relaxed: what the author announces after this read is applied by a later pass than the one that wrote it;
        // an earlier one would have come before what was read here.
        self.id.load(Relaxed) == RELEASED
    }

    // ── the receiver's side ────────────────────────────────────────────────────────────────────────────────

    /// Somebody goes to sleep who wants to hear of the next message. To be followed by a heavy barrier.
    /// True if nobody had wanted it before.
    pub(crate) fn set_want(&self) -> bool {
        // Relaxed: the heavy barrier that follows orders it before the last look. Read first: setting it again
        // would only take the line away from its sender.
        self.sender.attention.load(Relaxed) & WANT == 0
            && self.sender.attention.fetch_or(WANT, Relaxed) & WANT == 0
    }

    /// The sender is to pass a fence after each publication. To be followed by a heavy barrier.
    pub(crate) fn ask_for_fences(&self) {
        // Relaxed: the barrier orders it before the looks that follow.
        self.sender.attention.fetch_or(STRICT, Relaxed);
    }

    /// Frees the slots before `head`.
    #[inline]
    pub(crate) fn advance(&self, head: u64) {
        // Release: pairs with `head`: the values have been moved out before the sender writes there again.
        self.head.store(head, ord!("lane.head.publish", Release));
    }

    /// Frees the slots before `head`, and wakes a sender that waits for that.
    #[inline]
    pub(crate) fn give_back(&self, head: u64) {
        self.advance(head);
        self.offer_room();
    }

    /// A head has moved: wakes a sender that waits for that.
    #[inline]
    pub(crate) fn offer_room(&self) {
        // Pairs with the heavy barrier of a full sender: it sees the head, or we see it armed.
        light!("lane.head.light");
        if self.parker.is_armed() {
            self.parker.wake();
        }
    }

    /// The receiver leaves. To be followed by a heavy barrier and the drain. After CLOSED that bit alone counts: what
    /// has no number is not left to the receiver then.
    pub(crate) fn leave(&self) {
        // A guess, not a load: loom would take a load for the only thing that others can come before.
        let mut seen = 0;
        while seen & CLOSED == 0 {
            let attention = &self.sender.attention;
            // Of an author that was ended what lies beyond is its own.
            let left = if seen & FENCED != 0 { GONE | TAKEN } else { GONE };
            // Relaxed, both: the heavy barrier that follows orders it before the drain's look at the tail.
            match attention.compare_exchange(seen, seen | left, Relaxed, Relaxed) {
                Ok(_) => break,
                Err(now) => seen = now,
            }
        }
    }

    /// Where the drain must stop: the tail, or one before it if the sender waits for the last number. In an engine that
    /// was closed, before what has no number: a sender that saw CLOSED without GONE takes it back. Of a sender that was
    /// ended, before what it takes back.
    pub(crate) fn drain_end(&self) -> u64 {
        // Acquire: the slots up to there are written, and the HOLD that preceded the publication is seen.
        let tail = self.sender.tail.load(ord!("lane.drain.tail", Acquire)) & !ENDED;
        // Relaxed: see above.
        let attention = self.sender.attention.load(Relaxed);
        if attention & CLOSED != 0 {
            return tail.min(self.numbered_at_last());
        }
        let mut end = tail;
        if attention & TAKEN != 0 {
            // Relaxed: it was there when GONE was set, and the barrier has passed since.
            end = end.min(self.cut.load(Relaxed));
        }
        let held = attention & HOLD != 0 && end == tail;
        if held && tail > 0 && self.number_of(tail).is_none() { tail - 1 } else { end }
    }

    /// The receiver has dropped everything before `head`. False if more has come, which it must drop too.
    pub(crate) fn finish_drain(&self, head: u64) -> bool {
        // Release: pairs with `head`: a full sender that sees the room may write there before it looks at
        // `attention`.
        self.head.store(head, ord!("lane.drain.head", Release));
        // Relaxed: the CAS settles.
        let mut seen = self.sender.attention.load(Relaxed);
        loop {
            if seen & AGAIN != 0 {
                // Acquire: pairs with AGAIN in `after_gone`: the next look sees that publication.
                self.sender.attention.fetch_and(!AGAIN, ord!("lane.again.take", Acquire));
                return false;
            }
            // Release: pairs with `drained`. Relaxed failing: tries again with what it saw.
            match self.sender.attention.compare_exchange(
                seen,
                seen | DRAINED,
                ord!("lane.drained.publish", Release),
                Relaxed,
            ) {
                Ok(_) => break,
                Err(now) => seen = now,
            }
        }
        self.parker.wake();
        true
    }

    // ── anyone ─────────────────────────────────────────────────────────────────────────────────────────────

    /// Messages published and not yet read, as of some moment during the call.
    pub(crate) fn depth(&self) -> u64 {
        self.counts().depth()
    }

    /// As of some moment during the call.
    pub(crate) fn counts(&self) -> Counts {
        // Relaxed, all: a report. From the last to the first, so that none is behind the one after it.
        let received = self.head.load(Relaxed);
        let numbered = self.stamps.stamped.load(Relaxed);
        let sent = self.sender.tail.load(Relaxed) & !ENDED;
        // What lies beyond the end is on its way back to an author that was ended.
        let sent = self.fenced_at().map_or(sent, |cut| sent.min(cut));
        Counts { sent, numbered, received }
    }
}
