//! The slots of a lane: one sender writes a message here once, one receiver reads it here once, in place.
//!
//! ```text
//!          head            granted              tail            limit = head + capacity
//!            ▼                ▼                   ▼                ▼
//!  ── free ──┤ to be read now ├ published, not    ├ free, the      ├── not yet free ──
//!            │ (a run names   │ yet handed out    │ sender's       │
//!            │  them)         │                   │                │
//! ```
//!
//! *Who writes what.* The [`Producer`] owns `tail` and the slots in `tail..limit`. The [`Consumer`] owns `head` and
//! the slots in `head..granted`. Nobody touches `granted..tail`. Both keep their own copy of what only they write,
//! and of the last they saw of the other (`limit`), which can be stale on the safe side only.
//!
//! *Orderings.* In [`lane`](crate::lane). The receiver never reads the tail: that a slot is written it knows from
//! the run that names it (the dispatcher loaded the tail with Acquire and published the entry with Release).
//!
//! *Invariants.*
//! - I1: slots in `head..tail` hold a value, all others none.
//! - I2: a grant never goes beyond a tail that the dispatcher has loaded before it published the run.
//! - I3: `tail - head` never exceeds the capacity, so that no two positions of `head..tail` share a slot.
//!
//! *Bounds.* Any capacity from 1, rounded up to a power of two. The memory is allocated at the first message.
//! *Source.* Lamport's ring (1977), with the cached indices of FastForward and MCRingBuffer.

use std::any::Any;
use std::mem::{MaybeUninit, needs_drop};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use crate::lane::{AfterGone, LaneState};
use crate::order::OrderRing;
use crate::park::Parker;
use crate::sync::{Arc, UnsafeCell};

/// The largest capacity of a lane: what the length of a run can say.
pub(crate) const CAPACITY_MAX: usize = 1 << 31;

type Slot<T> = UnsafeCell<MaybeUninit<T>>;

/// What the two ends of a lane share.
pub(crate) struct Lane<T> {
    state: Arc<LaneState>,
    /// Empty until the first message. Written by the producer before its first publication, never again.
    slots: UnsafeCell<Box<[Slot<T>]>>,
    capacity: usize,
    /// For a lane of an outbox: the ring that has the order over its targets, and this target's number there.
    order: Option<(Arc<OrderRing>, u16)>,
}

// SAFETY: a value is moved in by the producer's thread and out by the consumer's, never used by two at once (I1:
// the slots of the two sides are disjoint, and the positions that separate them are published with
// Release/Acquire); so `T: Send` is enough. `slots` itself is written before the first publication only.
unsafe impl<T: Send> Send for Lane<T> {}
// SAFETY: as above. Shared references reach slots only through the one Producer and the one Consumer.
unsafe impl<T: Send> Sync for Lane<T> {}

impl<T> Lane<T> {
    /// A lane of at least `capacity` slots.
    ///
    /// # Panics
    ///
    /// If `capacity` is 0 or above [`CAPACITY_MAX`]; the engine's builder refuses both with an error.
    pub(crate) fn new(capacity: usize) -> Arc<Self> {
        Self::of_outbox(capacity, None)
    }

    /// A lane of an outbox's target.
    pub(crate) fn of_outbox(capacity: usize, order: Option<(Arc<OrderRing>, u16)>) -> Arc<Self> {
        assert!((1..=CAPACITY_MAX).contains(&capacity), "lane of {capacity} slots");
        Arc::new(Self {
            state: Arc::new(LaneState::new(Arc::new(Parker::default()))),
            slots: UnsafeCell::new(Box::default()),
            capacity: capacity.next_power_of_two(),
            order,
        })
    }

    /// The order ring of the outbox that this lane belongs to.
    pub(crate) fn order(&self) -> Option<&(Arc<OrderRing>, u16)> {
        self.order.as_ref()
    }

    /// The part without a type.
    pub(crate) fn state(&self) -> &Arc<LaneState> {
        &self.state
    }

    /// How many messages it holds at most.
    pub(crate) fn capacity(&self) -> usize {
        self.capacity
    }

    /// The slots. Only to be called once the memory is there.
    fn slots(&self) -> Slots<'_, T> {
        // SAFETY: `slots` is written once, before the first publication, and both sides come here only after it:
        // the producer wrote it, the consumer holds a grant (I2). So nobody writes it during this borrow.
        let slots = self.slots.with(|slots| unsafe { &**slots });
        debug_assert_eq!(slots.len(), self.capacity);
        Slots { slots, mask: self.capacity - 1 }
    }

    /// The slot of a position. Only to be called once the memory is there.
    fn slot(&self, position: u64) -> &Slot<T> {
        self.slots().at(position)
    }

    /// Moves the value out of a slot.
    ///
    /// # Safety
    ///
    /// The slot holds a value (I1) that is the caller's, who counts it as taken before anything else can happen.
    unsafe fn read(&self, position: u64) -> T {
        // SAFETY: as the caller says.
        unsafe { self.slots().read(position) }
    }
}

/// The slots of a lane, at hand.
struct Slots<'a, T> {
    /// `mask + 1` of them, a power of two.
    slots: &'a [Slot<T>],
    mask: usize,
}

impl<'a, T> Slots<'a, T> {
    #[inline]
    fn at(&self, position: u64) -> &'a Slot<T> {
        // SAFETY: there are `mask + 1` slots, so the masked position is below their number.
        unsafe { self.slots.get_unchecked(position as usize & self.mask) }
    }

    /// Moves the value out of a slot.
    ///
    /// # Safety
    ///
    /// As for [`Lane::read`].
    #[inline]
    unsafe fn read(&self, position: u64) -> T {
        self.at(position).with(|slot| {
            // SAFETY: the caller says that the slot is its own: nobody else makes a reference to it.
            let slot = unsafe { &*slot };
            // SAFETY: the caller says that the slot holds a value.
            unsafe { slot.assume_init_read() }
        })
    }
}

impl<T> Drop for Lane<T> {
    /// The last owner drops what nobody read.
    fn drop(&mut self) {
        let (tail, _) = self.state.published();
        let head = self.state.head();
        if !needs_drop::<T>() || head == tail {
            return;
        }
        let mut panic = None;
        for position in head..tail {
            // SAFETY: both ends are gone, so everything in head..tail holds a value (I1) and is ours; each
            // position is visited once.
            drop_quietly(unsafe { self.read(position) }, &mut panic);
        }
        go_on_with(panic);
    }
}

/// The writing end of a lane.
pub(crate) struct Producer<T> {
    lane: Arc<Lane<T>>,
    /// The next position to write. Ahead of the published tail between `push` and `publish`.
    tail: u64,
    /// Positions below are free. Can be stale: too low, never too high.
    limit: u64,
    /// The receiver has gone, and what was in the lane is settled: no more room.
    closed: bool,
}

impl<T> Producer<T> {
    /// The writing end. At most one is ever made for a lane, by whoever made the lane.
    pub(crate) fn new(lane: Arc<Lane<T>>) -> Self {
        Self { lane, tail: 0, limit: 0, closed: false }
    }

    pub(crate) fn lane(&self) -> &Arc<Lane<T>> {
        &self.lane
    }

    #[inline]
    pub(crate) fn state(&self) -> &LaneState {
        &self.lane.state
    }

    pub(crate) fn tail(&self) -> u64 {
        self.tail
    }

    /// Writes a value where nobody sees it yet; gives it back if the lane is full.
    #[inline]
    pub(crate) fn push(&mut self, value: T) -> Result<(), T> {
        if !self.has_room() {
            return Err(value);
        }
        self.lane.slot(self.tail).with_mut(|slot| {
            // SAFETY: tail < limit ≤ head + capacity, so this slot holds no value (I1, I3) and is the
            // producer's, of which there is one, borrowed mutably.
            unsafe { (*slot).write(value) };
        });
        self.tail += 1;
        Ok(())
    }

    /// Writes values where nobody sees them yet, up to `max`, as long as there is room. True if there are no more.
    #[inline]
    pub(crate) fn fill(&mut self, values: &mut impl Iterator<Item = T>, max: u64) -> bool {
        if !self.has_room() {
            return false;
        }
        let slots = self.lane.slots();
        for _ in 0..max.min(self.limit - self.tail) {
            let Some(value) = values.next() else { return true };
            slots.at(self.tail).with_mut(|slot| {
                // SAFETY: as in `push`: the turns of the loop are no more than what is free up to the limit.
                unsafe { (*slot).write(value) };
            });
            self.tail += 1;
        }
        false
    }

    #[inline]
    pub(crate) fn has_room(&mut self) -> bool {
        // Possibly full: look again where the receiver is.
        self.tail < self.limit || self.find_room()
    }

    /// Looks again where the receiver is; false if the lane is really full.
    #[cold]
    pub(crate) fn find_room(&mut self) -> bool {
        if self.closed {
            return false;
        }
        if self.limit == 0 {
            self.allocate();
        }
        self.limit = self.lane.state.head() + self.lane.capacity as u64;
        self.tail < self.limit
    }

    /// How many values there is room for, as of the last look.
    pub(crate) fn room(&self) -> u64 {
        self.limit.saturating_sub(self.tail)
    }

    fn allocate(&self) {
        let slots =
            (0..self.lane.capacity).map(|_| UnsafeCell::new(MaybeUninit::uninit())).collect();
        self.lane.slots.with_mut(|empty| {
            // SAFETY: nothing was published yet (limit is 0 only before the first message), so the consumer
            // has no grant and does not look; there is one producer, borrowed by its only owner.
            unsafe { *empty = slots };
        });
    }

    /// Makes all that was pushed visible, and returns the lane's attention.
    #[inline]
    pub(crate) fn publish(&self) -> u32 {
        self.lane.state.publish(self.tail);
        self.lane.state.attention()
    }

    /// After GONE: takes back what is not left to the receiver, in order, of the `count` published last. What else
    /// is still there (held for its number, which it then got) counts as sent, and is dropped.
    pub(crate) fn take_back(&mut self, count: usize) -> Vec<T> {
        match self.lane.state.after_gone() {
            AfterGone::LeftToReceiver => Vec::new(),
            AfterGone::TakeBack { from } => self.take_from(from, count),
        }
    }

    /// After DRAINED: as [`take_back`](Self::take_back), where the receiver has drained to `head`.
    pub(crate) fn take_from(&mut self, head: u64, count: usize) -> Vec<T> {
        // First no longer counted as there, then moved out: nothing in between can panic.
        self.lane.state.taken_back(self.tail);
        // SAFETY: the receiver has drained to `head` and touches nothing any more (DRAINED, Acquire), so what is
        // left in head..tail holds values (I1) that are ours; the head has just been moved past them.
        let mut values: Vec<T> =
            (head..self.tail).map(|position| unsafe { self.lane.read(position) }).collect();
        values.split_off(values.len().saturating_sub(count))
    }

    /// When the engine is poisoned: takes back the last value, which is held and will never have a number.
    ///
    /// To be called under HOLD, which then stays for ever: a receiver that leaves drops everything but that value.
    pub(crate) fn take_last(&mut self) -> T {
        self.close();
        self.tail -= 1;
        self.lane.state.publish(self.tail);
        // SAFETY: it was published (I1), nobody will hand it out (no pass runs any more), and a drain leaves the
        // last value alone (HOLD; or, by the tail just published, does not know of it). So it is ours.
        unsafe { self.lane.read(self.tail) }
    }

    /// Nothing more will be written. Idempotent.
    pub(crate) fn end(&mut self) {
        self.close();
        self.lane.state.end(self.tail);
    }

    /// There is no room from now on.
    pub(crate) fn close(&mut self) {
        self.closed = true;
        self.limit = 0;
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }
}

/// The reading end of a lane.
pub(crate) struct Consumer<T> {
    lane: Arc<Lane<T>>,
    /// The next position to read.
    head: u64,
    /// Positions below may be read.
    granted: u64,
    /// The head as published.
    published: u64,
    /// In a batch slots go back when there are so many.
    quarter: u64,
}

impl<T> Consumer<T> {
    /// The reading end. At most one is ever made for a lane, by its receiver.
    pub(crate) fn new(lane: Arc<Lane<T>>) -> Self {
        let quarter = (lane.capacity as u64).div_ceil(4);
        Self { lane, head: 0, granted: 0, published: 0, quarter }
    }

    pub(crate) fn state(&self) -> &LaneState {
        &self.lane.state
    }

    /// Allows `len` messages more to be read. The caller has met a run that names them (I2).
    #[inline]
    pub(crate) fn grant(&mut self, len: u64) {
        self.granted += len;
        debug_assert!(
            self.granted - self.published <= self.lane.capacity as u64,
            "a run beyond what the lane can hold"
        );
    }

    /// Moves the next message out, if the run has one left.
    #[inline]
    pub(crate) fn take(&mut self) -> Option<T> {
        if self.head == self.granted {
            return None;
        }
        // SAFETY: head < granted, so the slot was published (I2) and not yet read (I1); there is one consumer,
        // borrowed mutably, and the next line counts it as taken; nothing in between can panic.
        let value = unsafe { self.lane.read(self.head) };
        self.head += 1;
        Some(value)
    }

    #[inline]
    pub(crate) fn has_more(&self) -> bool {
        self.head != self.granted
    }

    /// Moves up to `max` messages of the run out; how many. Frees their slots at each quarter of the lane.
    #[inline]
    pub(crate) fn take_each(&mut self, max: usize, mut f: impl FnMut(T)) -> usize {
        let start = self.head;
        let end = self.granted.min(start.saturating_add(max as u64));
        while self.head < end {
            let stop = end.min(self.published + self.quarter);
            let slots = self.lane.slots();
            while self.head < stop {
                // SAFETY: as in `take`: head < granted, and counted as taken before `f` runs.
                let value = unsafe { slots.read(self.head) };
                self.head += 1;
                f(value);
            }
            if self.head == self.published + self.quarter {
                self.give_back();
            }
        }
        (self.head - start) as usize
    }

    /// How many messages were published and not yet handed out.
    #[inline]
    pub(crate) fn waiting(&self) -> u64 {
        // Not below what was granted, but for a leaving receiver.
        self.lane.state.published().0.saturating_sub(self.granted)
    }

    /// Whether its numbers lie in the order of an outbox.
    #[inline]
    pub(crate) fn is_of_outbox(&self) -> bool {
        self.lane.order.is_some()
    }

    /// Frees the slots of what was taken.
    #[inline]
    pub(crate) fn give_back(&mut self) {
        if self.published != self.head {
            self.published = self.head;
            self.lane.state.give_back(self.head);
        }
    }
}

/// The ring alone, one thread at a time between its halves, for benches and fuzzing: whoever holds both ends has
/// nothing to be told by a dispatcher.
#[expect(missing_debug_implementations, reason = "for benches")]
pub struct Ring<T> {
    producer: Producer<T>,
    consumer: Consumer<T>,
}

impl<T> Ring<T> {
    /// A ring of at least `capacity` slots.
    pub fn new(capacity: usize) -> Self {
        let lane = Lane::new(capacity);
        Self { producer: Producer::new(lane.clone()), consumer: Consumer::new(lane) }
    }

    /// Adds a value at the end; gives it back if the ring is full.
    pub fn push(&mut self, value: T) -> Result<(), T> {
        self.producer.push(value)?;
        self.producer.publish();
        Ok(())
    }

    /// Takes the first value.
    pub fn pop(&mut self) -> Option<T> {
        self.consumer.grant(self.producer.tail - self.consumer.granted);
        let value = self.consumer.take();
        self.consumer.give_back();
        value
    }
}

/// Drops what a lane still holds, for a receiver that leaves. See [`lane`](crate::lane) for the handshake.
///
/// To be called once for a lane, after [`LaneState::leave`] and a heavy barrier, when the consumer of the lane (if
/// there ever was one) is gone or will not be used again. Keeps the first panic of a destructor for the caller.
pub(crate) fn drain<T>(lane: &Lane<T>, panic: &mut Option<Box<dyn Any + Send>>) {
    let mut head = lane.state.head();
    loop {
        let end = lane.state.drain_end();
        while head < end {
            // SAFETY: the receiver is the only reader and leaves: everything from its head to a published tail
            // holds a value (I1) that is its own; the next line counts it as taken. The sender takes values
            // back only after DRAINED.
            let value = unsafe { lane.read(head) };
            head += 1;
            drop_quietly(value, panic);
        }
        if lane.state.finish_drain(head) {
            return;
        }
    }
}

/// Drops a value; keeps the panic of its destructor if it is the first.
pub(crate) fn drop_quietly<T>(value: T, panic: &mut Option<Box<dyn Any + Send>>) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(value))) {
        panic.get_or_insert(payload);
    }
}

/// Goes on with a destructor's panic, unless one is under way already.
pub(crate) fn go_on_with(panic: Option<Box<dyn Any + Send>>) {
    if let Some(payload) = panic
        && !std::thread::panicking()
    {
        resume_unwind(payload);
    }
}
