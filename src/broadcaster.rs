//! One who sends to all members of a group: one slot, one number, one run for each member's inbox.

use std::fmt;
use std::time::Duration;

use crate::address::Address;
use crate::author::{Author, Sending, Stamping};
use crate::clock::Seq;
use crate::error::{SendBatchError, SendError, SendTimeoutError, StampedError, TrySendError};
use crate::group::Group;
use crate::marker::Source;
use crate::ring::Producer;
use crate::trace::{self, Who};

/// Sends to all members of a [`Group`], each message with one number. Clones send to the same group, each on a lane
/// of its own.
///
/// A message is written once. Its slot is free when the slowest member has passed it; the value is dropped here,
/// when this looks for room, and not before: a lane keeps at most as many as it holds ([`reclaim`](Self::reclaim)
/// drops them earlier). With no member a message gets its number and is gone.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let engine = mainspring::Engine::new();
/// let quotes = engine.group();
/// let (mut first, mut second) = (quotes.subscribe(), quotes.subscribe());
/// let mut all = quotes.broadcaster();
/// let seq = all.send_stamped("1.25")?;
/// assert_eq!(first.recv()?, (seq, "1.25"));
/// let slowest = all.slowest().unwrap();
/// assert_eq!((slowest.member, slowest.behind), (second.address(), 1));
/// assert_eq!(second.recv()?, (seq, "1.25"));
/// # Ok(()) }
/// ```
pub struct Broadcaster<T: Send + 'static> {
    author: Author<T>,
    group: Group<T>,
}

/// The member that is furthest behind a broadcaster: what holds it up, if anything does. Made by
/// [`Broadcaster::slowest`].
pub struct Slowest<T> {
    /// Which it is.
    pub member: Address<T>,
    /// How many of the messages of this broadcaster it has not received.
    pub behind: u64,
}

impl<T: Send + 'static> Broadcaster<T> {
    pub(crate) fn new(group: Group<T>, producer: Producer<T>) -> Self {
        trace::joined(Who::Broadcaster(group.name()));
        Self { author: Author::new(group.shared().clone(), producer), group }
    }

    /// Sends a value. Wait-free while the lane has room; otherwise waits for the slowest member to make some.
    ///
    /// # Errors
    ///
    /// If the engine is closed; the value comes back.
    ///
    /// # Panics
    ///
    /// If the destructor of a value does that all members have passed; what was to be sent is dropped, and
    /// everything else is as it should be.
    #[inline]
    pub fn send(&mut self, value: T) -> Result<(), SendError<T>> {
        self.author.send(value)
    }

    /// Sends a value if there is room now. Runs a pass at most, and those asked for meanwhile.
    ///
    /// # Errors
    ///
    /// If there is no room, or the engine is closed; the value comes back.
    ///
    /// # Panics
    ///
    /// As [`send`](Self::send).
    pub fn try_send(&mut self, value: T) -> Result<(), TrySendError<T>> {
        self.author.try_send(value)
    }

    /// Sends a value, waiting for room for `timeout` at the longest.
    ///
    /// # Errors
    ///
    /// If there was no room in time, or the engine is closed; the value comes back.
    ///
    /// # Panics
    ///
    /// As [`send`](Self::send).
    pub fn send_timeout(&mut self, value: T, timeout: Duration) -> Result<(), SendTimeoutError<T>> {
        self.author.send_timeout(value, timeout)
    }

    /// As [`send`](Self::send), for a task: the future is ready when there is room. Dropping it before that drops the
    /// value, which is not sent then; [`Sending::into_inner`] gives it back instead.
    ///
    /// # Errors
    ///
    /// If the engine is closed; the value comes back.
    ///
    /// # Panics
    ///
    /// As [`send`](Self::send).
    pub fn send_async(&mut self, value: T) -> Sending<'_, T> {
        self.author.send_async(value)
    }

    /// As [`send_stamped`](Self::send_stamped), for a task. Dropping the future before it is ready leaves the value
    /// sent, if there was room for it; [`Stamping::into_inner`] tells.
    ///
    /// # Errors
    ///
    /// If the engine is closed; the value comes back.
    ///
    /// # Panics
    ///
    /// As [`send`](Self::send).
    pub fn send_stamped_async(&mut self, value: T) -> Stamping<'_, T> {
        self.author.send_stamped_async(value)
    }

    /// Sends all values in order, published together where there is room for them together; waits for room.
    /// Returns how many. They need not have adjacent numbers.
    ///
    /// # Errors
    ///
    /// If the engine is closed: how many were sent, the value that was not, and the rest.
    ///
    /// # Panics
    ///
    /// If the iterator does, what it had yielded before is sent; and as [`send`](Self::send).
    pub fn send_batch<I>(&mut self, values: I) -> Result<usize, SendBatchError<T, I::IntoIter>>
    where
        I: IntoIterator<Item = T>,
    {
        self.author.send_batch(values)
    }

    /// Sends a value and waits until it has its number. If a member's inbox is full, waits for room there, too.
    ///
    /// # Errors
    ///
    /// If the engine is closed; the value comes back.
    ///
    /// # Panics
    ///
    /// As [`send`](Self::send).
    pub fn send_stamped(&mut self, value: T) -> Result<Seq, SendError<T>> {
        self.author.send_stamped(value)
    }

    /// Waits for the number of the last message sent.
    ///
    /// # Errors
    ///
    /// If nothing was sent, or the engine is closed.
    pub fn stamped(&mut self) -> Result<Seq, StampedError> {
        self.author.stamped()
    }

    /// The member that has received least of what this has sent; none if there is no member. It knows what this
    /// very broadcaster has sent, not its clones: ask the one that sends, when [`send_timeout`](Self::send_timeout)
    /// has run out. One with 0 [`behind`](Slowest::behind) is not slow.
    pub fn slowest(&self) -> Option<Slowest<T>> {
        let (tap, head) = self.author.producer.slowest()?;
        let member = self.group.member_at(&tap)?;
        Some(Slowest { member, behind: self.author.producer.tail() - head })
    }

    /// Drops the values that all members have passed, which otherwise happens when there is no room for the next.
    ///
    /// # Panics
    ///
    /// If a destructor does.
    pub fn reclaim(&mut self) {
        self.author.producer.reclaim();
    }

    /// The group that it sends to.
    pub fn group(&self) -> &Group<T> {
        &self.group
    }

    /// Messages that the slowest member has not received, as of some moment during the call.
    pub fn len(&self) -> usize {
        self.author.producer.behind() as usize
    }

    /// This broadcaster, for whoever waits for its end: see [`Marker::gate`](crate::Marker::gate).
    pub fn source(&self) -> Source {
        self.author.source()
    }

    /// Whether all members have received all that this has sent.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many messages the lane holds.
    pub fn capacity(&self) -> usize {
        self.author.producer.lane().capacity()
    }
}

impl<T: Clone + Send + Sync + 'static> Clone for Broadcaster<T> {
    /// Another broadcaster to the same group, on a lane of its own.
    fn clone(&self) -> Self {
        self.group.broadcaster()
    }
}

impl<T: Send + 'static> Drop for Broadcaster<T> {
    fn drop(&mut self) {
        // First, so that whoever joins is known to the dispatcher before it sees the end.
        let producer = &self.author.producer;
        self.group.remove_lane(producer.lane(), producer.tail() > 0);
        self.author.producer.end();
        self.author.announce_end();
        trace::left(Who::Broadcaster(self.group.name()));
    }
}

impl<T: Send + 'static> fmt::Debug for Broadcaster<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Broadcaster")
            .field("group", &self.group.name())
            .field("len", &self.len())
            .field("capacity", &self.capacity())
            .finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Slowest<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slowest")
            .field("member", &self.member)
            .field("behind", &self.behind)
            .finish()
    }
}
