//! One author's way to any receivers of any types, in one order.
//!
//! Each target has a lane of its own, so each frees its slots alone; the order over all of them is kept in the
//! outbox's [`OrderRing`]. [`Outbox::send`] writes the value into the target's lane and the target's number into the
//! ring, and publishes the lane's tail, then the ring's. (The lane's, because a target that leaves drains by it.)
//!
//! Then it loads two attention words: the lane's, for its receiver may sleep or be gone, and the ring's, for somebody
//! may wait for the clock. Both loads come after both publications: a receiver that arms between the two would
//! otherwise find nothing and not be told.

use std::any::Any;
use std::fmt;
use std::marker::PhantomData;

use crate::address::{Address, Outlet, Port};
use crate::author::{check_closed, heed, wait_for_room};
use crate::batch::{Way, send_batch};
use crate::board::Change;
use crate::drive::{Pace, Shared, Step};
use crate::error::{AddressError, Reason, SendBatchError, SendError, TrySendError};
use crate::lane::WANT;
use crate::order::{OrderRing, TARGETS_MAX};
use crate::ring::Lane;
use crate::sync::{Arc, unique};

/// Sends to several receivers, of any types, in one order: its messages have their numbers in the order sent,
/// whatever their targets.
///
/// A target that is slow to receive holds up what is for it, and what follows that in the order.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let engine = mainspring::Engine::new();
/// let (mut orders, mut quotes) = (engine.receiver::<&str>(), engine.receiver::<f64>());
/// let mut out = engine.outbox();
/// let to_orders = out.add(&orders.address())?;
/// let to_quotes = out.add(&quotes.address())?;
/// out.send(to_orders, "buy")?;
/// out.send(to_quotes, 1.25)?;
/// out.send(to_orders, "sell")?;
/// assert_eq!(orders.recv()?, (1.into(), "buy"));
/// assert_eq!(quotes.recv()?, (2.into(), 1.25));
/// assert_eq!(orders.recv()?, (3.into(), "sell"));
/// # Ok(()) }
/// ```
pub struct Outbox {
    shared: Arc<Shared>,
    ring: Arc<OrderRing>,
    /// The next word of the ring to write. Ahead of the published tail between `write` and `publish`.
    tail: u64,
    /// Words below are free. Can be stale: too low, never too high.
    limit: u64,
    /// By the number of the target.
    targets: Vec<Slot>,
}

/// A target's place in the outbox.
struct Slot {
    id: u64,
    lane: Box<dyn AnyLane>,
    /// Removed; the place is free when the dispatcher has done with it.
    removed: bool,
}

/// Names a receiver to which an [`Outbox`] sends. Made by [`Outbox::add`], good for that outbox only.
pub struct Target<T> {
    index: u16,
    id: u64,
    of: PhantomData<fn(T)>,
}

impl Outbox {
    pub(crate) fn new(shared: Arc<Shared>, capacity: usize) -> Self {
        let ring = OrderRing::new(capacity);
        shared.rings.add(&ring);
        shared.announce(Change::Outbox { ring: ring.clone() });
        let limit = ring.capacity();
        Self { shared, ring, tail: 0, limit, targets: Vec::new() }
    }

    /// Adds a receiver. One that is a target already stays the same target.
    ///
    /// # Errors
    ///
    /// As [`Engine::sender`](crate::Engine::sender); and if there are 65,535 targets.
    pub fn add<T: Send + 'static>(&mut self, to: &Address<T>) -> Result<Target<T>, AddressError> {
        if !Arc::ptr_eq(&self.shared, &to.shared) {
            return Err(AddressError::Foreign);
        }
        let port = Arc::as_ptr(&to.port).cast();
        let same = |slot: &&Slot| !slot.removed && slot.lane.port() == port;
        if let Some(index) = self.targets.iter().position(|slot| same(&slot)) {
            let Slot { id, lane, .. } = &self.targets[index];
            let target = Target { index: index as u16, id: *id, of: PhantomData };
            return if lane.is_gone() { Err(AddressError::Closed) } else { Ok(target) };
        }
        let free = self.targets.iter().position(|slot| slot.removed && slot.lane.is_released());
        let index = free.unwrap_or(self.targets.len());
        if index >= TARGETS_MAX {
            return Err(AddressError::TooMany);
        }
        let target = index as u16;
        let order = Some((self.ring.clone(), target));
        let lane = Lane::new(to.port.capacity, Arc::default(), order);
        let outlet = to.port.open_lane(&self.shared, lane, |lane, key| Change::Target {
            ring: self.ring.clone(),
            target,
            lane: lane.state().clone(),
            inbox: to.port.inbox.clone(),
            key,
        })?;
        let id = unique();
        let lane = Box::new(TargetLane { outlet, port: to.port.clone() });
        let slot = Slot { id, lane, removed: false };
        match free {
            Some(index) => self.targets[index] = slot,
            None => self.targets.push(slot),
        }
        Ok(Target { index: target, id, of: PhantomData })
    }

    /// Sends a value; waits for room in the target's lane and in the outbox.
    ///
    /// # Errors
    ///
    /// If the receiver is gone, or the target is not one of this outbox; the value comes back.
    #[inline]
    pub fn send<T: Send + 'static>(&mut self, to: Target<T>, value: T) -> Result<(), SendError<T>> {
        let Self { shared, ring, tail, limit, targets } = self;
        let Some(lane) = find(targets, to) else {
            return Err(SendError { value, reason: Reason::UnknownTarget });
        };
        let mut branch = Branch::new(shared, ring, tail, limit, lane, to.index);
        let pushed = match branch.push(value) {
            Err(value) if branch.wait_for_room() => branch.push(value),
            pushed => pushed,
        };
        pushed.map_err(SendError::closed)?;
        match branch.publish_all() {
            0 => Ok(()),
            attention => branch.heed_one(attention),
        }
    }

    /// Sends a value if there is room now, in the target's lane and in the outbox. Runs a pass at most, and those
    /// asked for meanwhile.
    ///
    /// # Errors
    ///
    /// If there is no room, the receiver is gone, or the target is not one of this outbox; the value comes back.
    pub fn try_send<T>(&mut self, to: Target<T>, value: T) -> Result<(), TrySendError<T>>
    where
        T: Send + 'static,
    {
        let Some(lane) = find(&mut self.targets, to) else {
            return Err(TrySendError::UnknownTarget(value));
        };
        let producer = &mut lane.outlet.producer;
        let mut has_room = || {
            self.limit = self.ring.state().head() + self.ring.capacity();
            self.tail < self.limit && producer.has_room()
        };
        if !has_room() {
            self.shared.drive();
            if !has_room() {
                let closed = check_closed(producer) || self.shared.is_poisoned();
                return Err(if closed {
                    TrySendError::Closed(value)
                } else {
                    TrySendError::Full(value)
                });
            }
        }
        self.send(to, value).map_err(TrySendError::from)
    }

    /// Sends all values to one target in order, published together where there is room for them together; waits
    /// for room. Returns how many.
    ///
    /// # Errors
    ///
    /// As [`Sender::send_batch`](crate::Sender::send_batch); and if the target is not one of this outbox.
    ///
    /// # Panics
    ///
    /// If the iterator does; what it had yielded before is sent.
    pub fn send_batch<T, I>(
        &mut self,
        to: Target<T>,
        values: I,
    ) -> Result<usize, SendBatchError<T, I::IntoIter>>
    where
        T: Send + 'static,
        I: IntoIterator<Item = T>,
    {
        let rest = values.into_iter();
        let Some(lane) = find(&mut self.targets, to) else {
            let reason = Reason::UnknownTarget;
            return Err(SendBatchError { sent: 0, returned: Vec::new(), rest, reason });
        };
        let Self { shared, ring, tail, limit, .. } = self;
        send_batch(Branch::new(shared, ring, tail, limit, lane, to.index), rest)
    }

    /// Removes a target. What was sent to it before is received; this outbox is then no source of it any more.
    /// False if it is not one of this outbox.
    pub fn remove<T: Send + 'static>(&mut self, target: Target<T>) -> bool {
        let Some(lane) = find(&mut self.targets, target) else { return false };
        lane.end();
        self.targets[usize::from(target.index)].removed = true;
        self.shared.announce(Change::TargetEnd { ring: self.ring.clone(), target: target.index });
        true
    }

    /// Messages of this outbox that have no number yet, as of some moment during the call.
    pub fn len(&self) -> usize {
        self.ring.state().depth() as usize
    }

    /// Whether all messages have their numbers.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many messages without a number it holds at most.
    pub fn capacity(&self) -> usize {
        self.ring.capacity() as usize
    }
}

/// An outbox's way to one of its targets.
struct Branch<'a, T: Send + 'static> {
    shared: &'a Shared,
    ring: &'a OrderRing,
    tail: &'a mut u64,
    limit: &'a mut u64,
    lane: &'a mut TargetLane<T>,
    index: u16,
    /// Values in the lane before this position are published.
    published: u64,
}

impl<T: Send + 'static> Way<T> for Branch<'_, T> {
    fn tail(&self) -> u64 {
        self.lane.outlet.producer.tail()
    }

    #[inline]
    fn push(&mut self, value: T) -> Result<(), T> {
        if self.room() == 0 { Err(value) } else { self.lane.outlet.producer.push(value) }
    }

    /// The words of the order ring are written when that is known to be complete, with the publication.
    #[inline]
    fn fill(&mut self, values: &mut impl Iterator<Item = T>) -> bool {
        let room = self.room();
        self.lane.outlet.producer.fill(values, room)
    }

    fn publish(&mut self, count: usize) -> Vec<T> {
        match self.publish_all() {
            0 => Vec::new(),
            attention => self.heed(attention, count),
        }
    }

    fn wait_for_room(&mut self) -> bool {
        let producer = &mut self.lane.outlet.producer;
        wait_for_words(self.shared, self.ring, *self.tail, self.limit)
            && (producer.has_room() || wait_for_room(self.shared, producer, None).is_ok())
    }
}

impl<'a, T: Send + 'static> Branch<'a, T> {
    fn new(
        shared: &'a Shared,
        ring: &'a OrderRing,
        tail: &'a mut u64,
        limit: &'a mut u64,
        lane: &'a mut TargetLane<T>,
        index: u16,
    ) -> Self {
        let published = lane.outlet.producer.tail();
        Self { shared, ring, tail, limit, lane, index, published }
    }

    /// Values that were written and not published.
    #[inline]
    fn pending(&self) -> u64 {
        self.lane.outlet.producer.tail() - self.published
    }

    /// How many more the order ring has words for.
    #[inline]
    fn room(&self) -> u64 {
        *self.limit - (*self.tail + self.pending())
    }

    /// Makes all that was written visible, and returns the attention of the lane, and the WANT of the ring.
    #[inline]
    fn publish_all(&mut self) -> u32 {
        let count = self.pending();
        self.ring.write(*self.tail, count, self.index);
        *self.tail += count;
        self.published += count;
        let producer = &self.lane.outlet.producer;
        producer.state().publish(producer.tail());
        self.ring.state().publish(*self.tail);
        producer.state().attention() | (self.ring.state().attention() & WANT)
    }

    /// Acts on that. Returns, in order, those of the last `count` values that are ours again.
    #[cold]
    fn heed(&mut self, attention: u32, count: usize) -> Vec<T> {
        if attention & WANT != 0 {
            // The dispatcher looks at the ring, not at the lanes.
            self.shared.speak_up(self.ring.state());
        }
        heed(self.shared, &mut self.lane.outlet.producer, attention & !WANT, count)
    }

    #[cold]
    fn heed_one(&mut self, attention: u32) -> Result<(), SendError<T>> {
        self.heed(attention, 1).pop().map_or(Ok(()), |value| Err(SendError::closed(value)))
    }
}

/// Waits until the ring has room for a word; false if there never will be.
fn wait_for_words(shared: &Shared, ring: &OrderRing, tail: u64, limit: &mut u64) -> bool {
    let mut has_room = || {
        *limit = ring.state().head() + ring.capacity();
        tail < *limit
    };
    if has_room() {
        return true;
    }
    ring.state().stalls.count();
    shared
        .wait(ring.state().parker(), None, Pace::EAGER, |step| match step {
            Step::Look => has_room().then_some(()),
            Step::Arm => None,
        })
        .is_ok()
}

#[inline]
fn find<T: Send + 'static>(targets: &mut [Slot], target: Target<T>) -> Option<&mut TargetLane<T>> {
    let slot = targets.get_mut(usize::from(target.index))?;
    if slot.id != target.id || slot.removed {
        return None;
    }
    let lane: &mut dyn Any = &mut *slot.lane;
    lane.downcast_mut()
}

/// The lane to a target, whose type the outbox forgets and the [`Target`] remembers.
trait AnyLane: Any + Send + Sync {
    fn end(&mut self);
    fn is_released(&self) -> bool;
    /// Whether the receiver has gone.
    fn is_gone(&self) -> bool;
    /// Which receiver it is.
    fn port(&self) -> *const ();
}

struct TargetLane<T> {
    outlet: Outlet<T>,
    port: Arc<Port<T>>,
}

impl<T: Send + 'static> AnyLane for TargetLane<T> {
    fn end(&mut self) {
        self.port.end_lane(&mut self.outlet.producer, self.outlet.key);
    }

    fn is_released(&self) -> bool {
        self.outlet.producer.state().is_released()
    }

    fn is_gone(&self) -> bool {
        self.outlet.producer.is_closed() || self.outlet.producer.state().is_gone()
    }

    fn port(&self) -> *const () {
        Arc::as_ptr(&self.port).cast()
    }
}

impl Drop for Outbox {
    fn drop(&mut self) {
        for slot in self.targets.iter_mut().filter(|slot| !slot.removed) {
            slot.lane.end();
        }
        self.ring.state().end(self.tail);
        self.shared.announce(Change::OutboxEnd { ring: self.ring.clone() });
    }
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox")
            .field("targets", &self.targets.iter().filter(|slot| !slot.removed).count())
            .field("len", &self.len())
            .field("capacity", &self.capacity())
            .finish_non_exhaustive()
    }
}

impl<T> Clone for Target<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Target<T> {}

impl<T> PartialEq for Target<T> {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl<T> Eq for Target<T> {}

impl<T> fmt::Debug for Target<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Target").field(&self.index).finish()
    }
}
