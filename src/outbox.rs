//! One author's way to any receivers of any types, in one order.
//!
//! Each target has a lane of its own, so each frees its slots alone; the order over all of them is kept in the
//! outbox's [`OrderRing`]. [`Outbox::send`] writes the value into the target's lane and the target's number into the
//! ring, and publishes the lane's tail, then the ring's. (The lane's, because a target that leaves drains by it.)
//!
//! Then it loads two attention words: the lane's, for its receiver may sleep or be gone, and the ring's, for somebody
//! may wait for the clock. Both loads come after both publications: a receiver that arms between the two would
//! otherwise find nothing and not be told.

mod branch;
mod crowd;
mod target;
mod task;
mod weight;

use std::fmt;
use std::marker::PhantomData;

use crate::address::{Address, Outlet};
use crate::author::check_closed;
use crate::batch::{Way, send_batch};
use crate::board::Change;
use crate::clock::Seq;
use crate::drive::{For, Shared, Step};
use crate::error::{AddressError, Reason, SendBatchError, SendError, StampedError, TrySendError};
use crate::lane::Counts;
use crate::mark::Origin;
use crate::marker::{Marker, Prepared, Source, Ticket};
use crate::order::{OrderRing, TARGETS_MAX};
use crate::park::Parker;
use crate::ring::Lane;
use crate::sync::{Arc, unique};
use crate::trace::{self, Who};
use crate::turns::Turns;
use branch::Branch;
use crowd::CrowdSlot;
pub use crowd::GroupTarget;
pub use target::Target;
use target::{AnyLane, Readers, Slot, TargetLane, find};

/// Sends to several receivers, of any types, in one order: its messages have their numbers in the order sent,
/// whatever their targets.
///
/// A target that is slow to receive holds up what is for it, and what follows that in the order.
///
/// [Groups](crate::Group) can be targets, too: a message goes to [all](Self::send_all) members, to the one that a
/// [key](Self::send_keyed) chooses, or to one after the other ([`send_next`](Self::send_next)).
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
    /// How many of them are removed.
    vacant: usize,
    crowds: Vec<CrowdSlot>,
    /// Of a task that sends.
    turns: Turns,
}

impl Outbox {
    pub(crate) fn new(shared: Arc<Shared>, name: Option<Box<str>>, capacity: usize) -> Self {
        let ring = OrderRing::new(name, capacity);
        shared.rings.add(&ring);
        shared.announce(Change::Outbox { ring: ring.clone() });
        trace::joined(Who::Outbox(ring.name.as_deref(), ring.id));
        let limit = ring.capacity();
        Self {
            shared,
            ring,
            tail: 0,
            limit,
            targets: Vec::new(),
            vacant: 0,
            crowds: Vec::new(),
            turns: Turns::default(),
        }
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
        let port = Some(Arc::as_ptr(&to.port).cast());
        let same = |slot: &&Slot| !slot.removed && !slot.of_group && slot.lane.port() == port;
        if let Some(index) = self.targets.iter().position(|slot| same(&slot)) {
            let Slot { id, lane, .. } = &self.targets[index];
            let target = Target { index: index as u16, id: *id, of: PhantomData };
            // If it is this outbox that was ended, whoever sends is told so.
            let is_gone = lane.is_gone() && !self.ring.state().is_fenced();
            return if is_gone { Err(AddressError::Closed) } else { Ok(target) };
        }
        self.open_lane(to, Arc::default(), false)
    }

    /// A lane of its own to a receiver, whose author sleeps at `parker` when it is full.
    fn open_lane<T: Send + 'static>(
        &mut self,
        to: &Address<T>,
        parker: Arc<Parker>,
        of_group: bool,
    ) -> Result<Target<T>, AddressError> {
        let index = self.free_index()?;
        let lane = Lane::new(to.port.capacity, parker, Some((self.ring.clone(), index)));
        let outlet = to.port.open_lane(&self.shared, lane, |lane, key| Change::Target {
            ring: self.ring.clone(),
            target: index,
            lane: lane.state().clone(),
            inbox: to.port.inbox.clone(),
            key,
        })?;
        let Outlet { producer, key } = outlet;
        let to = Readers::One { port: to.port.clone(), key };
        Ok(self.put(index, TargetLane { producer, to }, of_group))
    }

    /// A number for another target.
    fn free_index(&self) -> Result<u16, AddressError> {
        let is_free = |slot: &Slot| slot.removed && slot.lane.is_released();
        let free = if self.vacant > 0 { self.targets.iter().position(is_free) } else { None };
        let index = free.unwrap_or(self.targets.len());
        if index >= TARGETS_MAX { Err(AddressError::TooMany) } else { Ok(index as u16) }
    }

    fn put<T: Send + 'static>(
        &mut self,
        index: u16,
        lane: TargetLane<T>,
        of_group: bool,
    ) -> Target<T> {
        let id = unique();
        let slot = Slot { id, lane: Box::new(lane), removed: false, of_group };
        match self.targets.get_mut(usize::from(index)) {
            Some(free) => {
                *free = slot;
                self.vacant -= 1;
            }
            None => self.targets.push(slot),
        }
        Target { index, id, of: PhantomData }
    }

    /// Sends a value; waits for room in the target's lane and in the outbox.
    ///
    /// # Errors
    ///
    /// If the receiver is gone, this was [fenced](crate::Marker::fence), or the target is not one of this outbox;
    /// the value comes back.
    #[inline]
    pub fn send<T: Send + 'static>(&mut self, to: Target<T>, value: T) -> Result<(), SendError<T>> {
        let Self { shared, ring, tail, limit, targets, .. } = self;
        let Some(lane) = find(targets, to) else {
            return Err(SendError { value, reason: Reason::UnknownTarget });
        };
        let mut branch = Branch::new(shared, ring, tail, limit, lane, to.index);
        let pushed = match branch.push(value) {
            Err(value) if branch.wait_for_room() => branch.push(value),
            pushed => pushed,
        };
        pushed.map_err(|value| branch.refuse(value))?;
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
        let producer = &mut lane.producer;
        let mut has_room = || {
            self.limit = self.ring.state().head() + self.ring.capacity();
            self.tail < self.limit && producer.has_room()
        };
        if !has_room() {
            self.shared.drive();
            if !has_room() {
                return Err(if self.ring.state().is_fenced() {
                    TrySendError::Fenced(value)
                } else if check_closed(producer) || self.shared.is_closing() {
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
        self.vacant += 1;
        self.shared.announce(Change::TargetEnd { ring: self.ring.clone(), target: target.index });
        true
    }

    /// Waits until everything that was sent has its number. Returns the last of these numbers; where the last
    /// messages were to a receiver that has gone, which take none, perhaps a higher one.
    ///
    /// # Errors
    ///
    /// If nothing was sent, or the engine is closed.
    pub fn stamped(&mut self) -> Result<Seq, StampedError> {
        if self.tail == 0 {
            return Err(StampedError::NothingSent);
        }
        let (state, clock) = (self.ring.state(), &self.shared.board().clock);
        let stamped = || state.number_of(self.tail).filter(|&number| clock.now() >= number);
        let number = self.shared.wait(state.parker(), None, For::Stamp, |step| match step {
            Step::Look => stamped(),
            Step::Arm => None,
        });
        number.map(Seq::new).map_err(|_| StampedError::Closed)
    }

    /// The name that it was given.
    pub fn name(&self) -> Option<&str> {
        self.ring.name.as_deref()
    }

    /// Its number, which no other outbox or receiver of this process has.
    pub fn id(&self) -> u64 {
        self.ring.id
    }

    /// Submits a mark in the order of this outbox: its number is above those of what was sent before, and below those
    /// of what is sent after it. Never waits, also when the outbox is full.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let engine = mainspring::Engine::new();
    /// let mut rx = engine.receiver();
    /// let mut out = engine.outbox();
    /// let to = out.add(&rx.address())?;
    /// out.send(to, "before")?;
    /// let mut mark = out.submit();
    /// out.send(to, "after")?;
    /// assert_eq!(rx.recv()?.0.get(), 1);
    /// assert_eq!(mark.wait()?.get(), 2);
    /// assert_eq!(rx.recv()?.0.get(), 3);
    /// # Ok(()) }
    /// ```
    pub fn submit(&mut self) -> Ticket {
        let prepared = Marker::new(self.shared.clone()).prepare();
        self.fire(prepared).expect("a plain mark of the same engine")
    }

    /// The same, of a mark that was prepared.
    ///
    /// # Errors
    ///
    /// If it is a gate or a fence, or another engine's; it comes back.
    pub fn fire(&mut self, prepared: Prepared) -> Result<Ticket, Prepared> {
        prepared.fire_after(&self.shared, &self.ring, self.tail)
    }

    /// This outbox, for whoever waits for its end: see [`Marker::gate`](crate::Marker::gate).
    pub fn source(&self) -> Source {
        Source::new(self.shared.clone(), Origin::Outbox(self.ring.clone()))
    }

    /// Messages of this outbox that have no number yet, as of some moment during the call.
    pub fn len(&self) -> usize {
        let Counts { sent, numbered, .. } = self.ring.state().counts();
        sent.saturating_sub(numbered) as usize
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

impl Drop for Outbox {
    fn drop(&mut self) {
        for slot in self.targets.iter_mut().filter(|slot| !slot.removed) {
            slot.lane.end();
        }
        self.ring.state().end(self.tail);
        self.shared.announce(Change::OutboxEnd { ring: self.ring.clone() });
        trace::left(Who::Outbox(self.name(), self.id()));
    }
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox")
            .field("name", &self.name())
            .field("id", &self.id())
            .field("targets", &self.targets.iter().filter(|slot| !slot.removed).count())
            .field("len", &self.len())
            .field("capacity", &self.capacity())
            .finish_non_exhaustive()
    }
}
