//! One sender, one lane, one receiver. How it sends is the [`Author`]'s.

use std::fmt;
use std::time::Duration;

use crate::address::{Address, Outlet, Port};
use crate::author::{Author, Sending, Stamping};
use crate::board::Change;
use crate::broadcaster::Broadcaster;
use crate::clock::Seq;
use crate::drive::Shared;
use crate::error::{
    AddressError, SendBatchError, SendError, SendTimeoutError, StampedError, TrySendError,
};
use crate::group::Group;
use crate::marker::Source;
use crate::ring::Lane;
use crate::shared_sender::SharedSender;
use crate::sync::Arc;
use crate::trace::{self, Who};

/// Sends to one receiver. Clones send to the same, each on a lane of its own.
///
/// What one sender sends is numbered in the order sent. Between two senders, also of one thread, there is no such
/// promise, unless the second sends after the first's message has its number ([`send_stamped`](Self::send_stamped)).
///
/// It can be [ended from outside](crate::Marker::fence): then what it is to send comes back, and the error says so.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let engine = mainspring::Engine::new();
/// let (mut tx, mut rx) = engine.channel();
/// let mut tx2 = tx.clone();
/// tx.send("plain")?;
/// let seq = tx2.send_stamped("numbered")?;
/// assert_eq!(tx.send_batch(["three", "at", "once"])?, 3);
/// drop((tx, tx2));
/// let received: Vec<_> = rx.messages().collect();
/// assert!(received.contains(&(seq, "numbered")));
/// assert_eq!(received.len(), 5);
/// # Ok(()) }
/// ```
pub struct Sender<T: Send + 'static> {
    pub(crate) author: Author<T>,
    /// As which the receiver knows the lane.
    key: u32,
    port: Arc<Port<T>>,
}

impl<T: Send + 'static> Sender<T> {
    /// A new lane to a receiver.
    pub(crate) fn join(shared: Arc<Shared>, port: Arc<Port<T>>) -> Result<Self, AddressError> {
        let lane = Lane::new(port.capacity, Arc::default(), None);
        let outlet = port.open_lane(&shared, lane, |lane, key| Change::Lane {
            lane: lane.state().clone(),
            inbox: port.inbox.clone(),
            key,
        })?;
        trace::joined(Who::Sender(&port.label));
        Ok(Self::new(outlet, shared, port))
    }

    fn new(Outlet { producer, key }: Outlet<T>, shared: Arc<Shared>, port: Arc<Port<T>>) -> Self {
        Self { author: Author::new(shared, producer), key, port }
    }

    /// A new lane to a receiver which cannot have closed by itself; one to nowhere if it has gone.
    pub(crate) fn join_open(to: &Address<T>) -> Self {
        Self::join(to.shared.clone(), to.port.clone()).unwrap_or_else(|_| {
            Self::new(Outlet::nowhere(to.port.capacity), to.shared.clone(), to.port.clone())
        })
    }

    /// Sends a value. Wait-free while the lane has room; otherwise waits for room.
    ///
    /// # Errors
    ///
    /// If the receiver is gone, or this was [fenced](crate::Marker::fence); the value comes back.
    #[inline]
    pub fn send(&mut self, value: T) -> Result<(), SendError<T>> {
        self.author.send(value)
    }

    /// Sends a value if there is room now. Runs a pass at most, and those asked for meanwhile.
    ///
    /// # Errors
    ///
    /// If there is no room, the receiver is gone, or this was [fenced](crate::Marker::fence); the value comes back.
    pub fn try_send(&mut self, value: T) -> Result<(), TrySendError<T>> {
        self.author.try_send(value)
    }

    /// Sends a value, waiting for room for `timeout` at the longest.
    ///
    /// # Errors
    ///
    /// If there was no room in time, the receiver is gone, or this was [fenced](crate::Marker::fence); the value
    /// comes back.
    pub fn send_timeout(&mut self, value: T, timeout: Duration) -> Result<(), SendTimeoutError<T>> {
        self.author.send_timeout(value, timeout)
    }

    /// As [`send`](Self::send), for a task: the future is ready when there is room. Dropping it before that drops the
    /// value, which is not sent then; [`Sending::into_inner`] gives it back instead.
    ///
    /// # Errors
    ///
    /// If the receiver is gone, or this was [fenced](crate::Marker::fence); the value comes back.
    pub fn send_async(&mut self, value: T) -> Sending<'_, T> {
        self.author.send_async(value)
    }

    /// As [`send_stamped`](Self::send_stamped), for a task. Dropping the future before it is ready leaves the value
    /// sent, if there was room for it; [`Stamping::into_inner`] tells.
    ///
    /// # Errors
    ///
    /// If the receiver goes before the value has its number; the value comes back.
    pub fn send_stamped_async(&mut self, value: T) -> Stamping<'_, T> {
        self.author.send_stamped_async(value)
    }

    /// Sends all values in order, published together where there is room for them together; waits for room.
    /// Returns how many. They need not have adjacent numbers.
    ///
    /// # Errors
    ///
    /// If the receiver is gone, or this was [fenced](crate::Marker::fence): how many were sent, the values taken
    /// from the iterator that were not, and the rest.
    ///
    /// # Panics
    ///
    /// If the iterator does; what it had yielded before is sent.
    pub fn send_batch<I>(&mut self, values: I) -> Result<usize, SendBatchError<T, I::IntoIter>>
    where
        I: IntoIterator<Item = T>,
    {
        self.author.send_batch(values)
    }

    /// Sends a value and waits until it has its number: whatever is sent by whoever learns of the return has a
    /// higher one, and the clock has come to it. If the receiver's inbox is full, waits for room there, too.
    ///
    /// # Errors
    ///
    /// If the receiver goes before the value has its number; the value comes back, when the receiver has dropped what
    /// it had not received. So a destructor that the leaving receiver runs must not wait for a thread that is in here.
    pub fn send_stamped(&mut self, value: T) -> Result<Seq, SendError<T>> {
        self.author.send_stamped(value)
    }

    /// Waits for the number of the last message sent.
    ///
    /// # Errors
    ///
    /// If nothing was sent, or the receiver went before the message had a number.
    pub fn stamped(&mut self) -> Result<Seq, StampedError> {
        self.author.stamped()
    }

    /// Becomes a broadcaster to a group. Its messages have their numbers in the order sent over the change, too.
    ///
    /// # Errors
    ///
    /// If the group is another engine's; the sender comes back.
    pub fn into_broadcaster(self, group: &Group<T>) -> Result<Broadcaster<T>, Self>
    where
        T: Clone + Sync,
    {
        if !Arc::ptr_eq(&self.author.shared, group.shared()) {
            return Err(self);
        }
        let lane = self.author.producer.lane().state().clone();
        // The other joins first, so that no receiver that both send to is without a source. Its messages come later all
        // the same: the dispatcher waits with them until all of this lane is stamped.
        let broadcaster = group.broadcaster_after(Some(lane));
        drop(self);
        Ok(broadcaster)
    }

    /// This sender's lane, for several who send by `&self`.
    pub fn into_shared(self) -> SharedSender<T> {
        SharedSender::new(self)
    }

    /// Names the receiver.
    pub fn address(&self) -> Address<T> {
        Address { shared: self.author.shared.clone(), port: self.port.clone() }
    }

    /// This sender, for whoever waits for its end: see [`Marker::gate`](crate::Marker::gate).
    pub fn source(&self) -> Source {
        self.author.source()
    }

    /// Whether nothing can be sent any more: the receiver is gone, or this was ended from outside. True is final; false
    /// may be outdated on return.
    pub fn is_closed(&self) -> bool {
        self.author.is_closed()
    }

    /// Messages of this sender that were not yet received, as of some moment during the call.
    pub fn len(&self) -> usize {
        self.author.producer.state().depth() as usize
    }

    /// Whether the receiver has received all that this sender has sent.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many messages the lane holds.
    pub fn capacity(&self) -> usize {
        self.author.producer.lane().capacity()
    }
}

impl<T: Send + 'static> Clone for Sender<T> {
    /// Another sender to the same receiver, on a lane of its own.
    fn clone(&self) -> Self {
        Self::join_open(&self.address())
    }
}

impl<T: Send + 'static> Drop for Sender<T> {
    fn drop(&mut self) {
        self.port.end_lane(&mut self.author.producer, self.key);
        self.author.announce_end();
        // None if it has never joined.
        if let Some(label) = self.author.producer.state().whom.label() {
            trace::left(Who::Sender(&label));
        }
    }
}

impl<T: Send + 'static> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender")
            .field("to", &self.port.name)
            .field("id", &self.port.id)
            .field("len", &self.len())
            .field("capacity", &self.capacity())
            .field("closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}
