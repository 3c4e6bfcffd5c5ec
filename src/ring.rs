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
//! *A broadcaster's lane* has several consumers, who read the slots by reference and clone, each with a head of its
//! own ([`tap`](crate::tap)). The lane's `head` is then the producer's: it drops what all consumers have passed
//! when it looks for room.
//!
//! *Orderings.* In [`lane`](crate::lane). The receiver never reads the tail: that a slot is written it knows from
//! the run that names it (the dispatcher loaded the tail with Acquire and published the entry with Release).
//!
//! *Invariants.*
//! - I1: slots in `head..tail` hold a value, all others none.
//! - I2: a grant never goes beyond a tail that the dispatcher has loaded before it published the run.
//! - I3: `tail - head` never exceeds the capacity, so that no two positions of `head..tail` share a slot.
//! - I4: in a broadcaster's lane `head` exceeds neither what is stamped nor the head of a consumer that may still read,
//!   and a consumer reads only behind its own head, while that says READING.
//!
//! *Bounds.* Any capacity from 1, rounded up to a power of two. The memory is allocated at the first message.
//! *Source.* Lamport's ring (1977), with the cached indices of FastForward and MCRingBuffer.

mod consumer;
mod producer;

use std::any::Any;
use std::mem::{MaybeUninit, needs_drop};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

pub(crate) use consumer::{Consumer, Lent, drain};
pub(crate) use producer::Producer;

use crate::lane::LaneState;
use crate::order::OrderRing;
use crate::park::Parker;
use crate::sync::atomic::AtomicU64;
use crate::sync::{Arc, Mutex, Ordering::Relaxed, UnsafeCell};
use crate::tap::Tap;

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
    /// For a lane with several consumers.
    taps: Option<Taps<T>>,
}

/// Who reads the lane of a broadcaster.
pub(crate) struct Taps<T> {
    clone: fn(&T) -> T,
    list: Mutex<Vec<Arc<Tap>>>,
    /// How often the list has changed.
    generation: AtomicU64,
}

// A lane that several read at once, by reference, is made by `shared` alone, which asks for `T: Sync`.
//
// SAFETY: a value is moved in by one thread and out by another, never used by two at once but as said above (I1, I4;
// the positions that separate the sides are published with Release/Acquire). `slots` is written before all else.
unsafe impl<T: Send> Send for Lane<T> {}
// SAFETY: as above. Shared references reach slots only through the one Producer and the Consumers.
unsafe impl<T: Send> Sync for Lane<T> {}

impl<T> Lane<T> {
    /// A lane of at least `capacity` slots, of an outbox if there is an order ring.
    ///
    /// # Panics
    ///
    /// If `capacity` is 0 or above [`CAPACITY_MAX`]; the engine's builder refuses both with an error.
    pub(crate) fn new(
        capacity: usize,
        parker: Arc<Parker>,
        order: Option<(Arc<OrderRing>, u16)>,
    ) -> Arc<Self> {
        Self::with(capacity, parker, order, None)
    }

    /// A lane with any number of consumers.
    ///
    /// # Panics
    ///
    /// As [`new`](Self::new).
    pub(crate) fn shared(
        capacity: usize,
        parker: Arc<Parker>,
        order: Option<(Arc<OrderRing>, u16)>,
    ) -> Arc<Self>
    where
        T: Clone + Sync,
    {
        let taps =
            Taps { clone: T::clone, list: Mutex::new(Vec::new()), generation: AtomicU64::new(0) };
        Self::with(capacity, parker, order, Some(taps))
    }

    fn with(
        capacity: usize,
        parker: Arc<Parker>,
        order: Option<(Arc<OrderRing>, u16)>,
        taps: Option<Taps<T>>,
    ) -> Arc<Self> {
        assert!((1..=CAPACITY_MAX).contains(&capacity), "lane of {capacity} slots");
        Arc::new(Self {
            state: Arc::new(LaneState::new(parker)),
            slots: UnsafeCell::new(Box::default()),
            capacity: capacity.next_power_of_two(),
            order,
            taps,
        })
    }

    /// Another lane like this one, of which several can be consumers.
    pub(crate) fn another(&self) -> Option<Arc<Self>> {
        let clone = self.taps.as_ref()?.clone;
        let taps = Taps { clone, list: Mutex::new(Vec::new()), generation: AtomicU64::new(0) };
        Some(Self::with(self.capacity, Arc::default(), None, Some(taps)))
    }

    /// Another consumer of a lane that can have several. It reads what is stamped after the dispatcher has heard of it.
    pub(crate) fn add_tap(&self, tap: &Arc<Tap>) {
        let Some(taps) = &self.taps else { return };
        let mut list = taps.list.lock();
        if list.len() == list.capacity() {
            list.retain(|tap| tap.held_from().is_some());
        }
        list.push(tap.clone());
        // Relaxed: the sender that relies on seeing it has read a head that was advanced after the dispatcher had
        // heard of the tap, which was after this. See `Producer::reclaim`.
        taps.generation.fetch_add(1, Relaxed);
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

    /// Moves the value out of a slot that several have read.
    ///
    /// # Safety
    ///
    /// As for [`read`](Self::read); and nobody looks at it any more.
    unsafe fn take(&self, position: u64) -> T {
        self.slot(position).with_mut(|slot| {
            // SAFETY: the caller says that nobody else has a reference to it.
            let slot = unsafe { &*slot };
            // SAFETY: the caller says that the slot holds a value.
            unsafe { slot.assume_init_read() }
        })
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

    /// Looks at the value in a slot.
    ///
    /// # Safety
    ///
    /// The slot holds a value (I1), and nobody moves or drops it while the reference is used.
    #[inline]
    unsafe fn get(&self, position: u64) -> &'a T {
        self.at(position).with(|slot| {
            // SAFETY: the caller says that nobody writes to it now.
            let slot = unsafe { &*slot };
            // SAFETY: the caller says that the slot holds a value.
            unsafe { slot.assume_init_ref() }
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
        let lane = Lane::new(capacity, Arc::default(), None);
        Self { producer: Producer::new(lane.clone()), consumer: Consumer::new(lane, None) }
    }

    /// Adds a value at the end; gives it back if the ring is full.
    pub fn push(&mut self, value: T) -> Result<(), T> {
        self.producer.push(value)?;
        self.producer.publish();
        Ok(())
    }

    /// Takes the first value.
    pub fn pop(&mut self) -> Option<T> {
        self.consumer.grant(self.producer.tail() - self.consumer.granted());
        let value = self.consumer.take(|| ());
        self.consumer.give_back();
        value.map(|((), value)| value)
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
