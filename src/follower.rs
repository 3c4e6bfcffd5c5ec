//! Composition: an engine that numbers nothing itself, and delivers in the order that another has given.
//!
//! A follower is an engine with another dispatcher (`dispatcher/follow.rs`): the same inboxes, lanes,
//! receivers, waits and drives; but its dispatcher merges by given numbers where an engine's gives the next one.

mod group;

use std::fmt;

use crate::address::Address;
use crate::clock::Seq;
use crate::dispatcher::Numbering;
use crate::drive::Drive;
use crate::engine::{Builder, Clock, Engine, Options};
use crate::error::{AddressError, BuildError};
use crate::forwarder::Forwarder;
use crate::receiver::Receiver;
use crate::stats::Stats;
use crate::sync::Arc;
pub use group::FollowerGroup;

/// Delivers messages in the order of the numbers that they already have, on a clock of its own.
///
/// For whoever takes part in an order that is given elsewhere: a thread that has received messages from an
/// [`Engine`] (or another follower) passes them on with their numbers, and tells by
/// [`advance`](Forwarder::advance) how far it has come when there is nothing to pass on. What several such threads
/// forward comes out in the one order again.
///
/// A number is **settled** when it was forwarded and handed out, or when every live forwarder has passed it: has
/// forwarded something higher, or advanced to it. So gaps need not be filled one by one. The clock is the highest
/// settled number. A message is held back in its lane until every live forwarder has come as far as its number.
///
/// # What is promised
///
/// As of an engine: **O4** (a receiver's numbers and clocks increase strictly) and **O5** (a receiver that is told
/// `Clock(t)` has received everything with a number up to t that was forwarded to it after it joined). **O1** becomes:
/// every message is delivered with the number that was given with it, each number once to a receiver. The same number
/// may be forwarded to several receivers, by a forwarder each, as an upstream broadcast looks.
///
/// *Not* promised is what an engine promises beyond that: O2 and O3 are matters of whoever gave the numbers; and there
/// is no independence: a forwarder that is silent, and a receiver that does not read while its inbox or a lane to it is
/// full, hold back everybody.
///
/// # Joining and leaving
///
/// A forwarder joins at what is settled then: that and lower numbers are [late](crate::ForwardReason::Late) for it,
/// also where a full inbox keeps the clock from what is bound to be settled. From its joining on nothing above is
/// settled unless it has come as far. So who is to forward from the beginning has its forwarder before anyone
/// forwards. A forwarder that is dropped, or whose receiver has gone, holds back nothing any more; what it had
/// forwarded is delivered in its turn. When all have gone, everything they forwarded is delivered, the clock goes
/// to the highest number that any of them had come to, and the receivers close.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use mainspring::{Engine, Event, Follower};
///
/// let engine = Engine::new();
/// let (mut orders, mut desk) = engine.channel::<&str>();
/// let (mut quotes, mut feed) = engine.channel::<f64>();
/// orders.send_stamped("buy")?;
/// quotes.send_stamped(1.25)?;
/// orders.send_stamped("sell")?;
///
/// // Both streams, further down, in the one order.
/// let follower = Follower::new();
/// let (mut forward_orders, mut rx) = follower.channel::<String>();
/// let mut forward_quotes = forward_orders.clone();
/// let desk = std::thread::spawn(move || {
///     while let Ok(event) = desk.recv_event() {
///         match event {
///             Event::Message(seq, order) => forward_orders.forward(seq, order.to_owned()).unwrap(),
///             Event::Clock(seq) => forward_orders.advance(seq).unwrap(),
///             _ => {}
///         }
///     }
/// });
/// let (seq, quote) = feed.recv()?;
/// forward_quotes.forward(seq, quote.to_string())?;
/// drop((forward_quotes, orders));
/// desk.join().unwrap();
/// let received: Vec<_> = rx.messages().map(|(seq, text)| (seq.get(), text)).collect();
/// assert_eq!(received, [(1, "buy".to_owned()), (2, "1.25".to_owned()), (3, "sell".to_owned())]);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Follower {
    /// One that follows. It stays in here, so that nobody can send on it.
    engine: Engine,
}

impl Follower {
    /// A follower as [`builder`](Self::builder) makes it when nothing else is said.
    pub fn new() -> Self {
        Self { engine: Engine::with_numbering(Numbering::Given) }
    }

    /// Chooses what a follower is like.
    pub fn builder() -> FollowerBuilder {
        FollowerBuilder { builder: Engine::builder() }
    }

    /// A new receiver, and a forwarder to it.
    pub fn channel<T: Send + 'static>(&self) -> (Forwarder<T>, Receiver<T>) {
        with_forwarder(self.receiver())
    }

    /// A new receiver. It is open from the beginning, and closes when its last forwarder has gone.
    pub fn receiver<T: Send + 'static>(&self) -> Receiver<T> {
        self.engine.receiver()
    }

    /// A group of receivers, with no member.
    pub fn group<T: Send + 'static>(&self) -> FollowerGroup<T> {
        FollowerGroup::new(self.engine.group())
    }

    /// Chooses what a channel is like.
    pub fn options<T: Send + 'static>(&self) -> FollowerOptions<'_, T> {
        FollowerOptions { options: self.engine.options() }
    }

    /// A forwarder to a receiver, on a lane of its own. It joins now: see [`Forwarder::passed`].
    ///
    /// # Errors
    ///
    /// [`Foreign`](AddressError::Foreign) if the receiver is not this follower's;
    /// [`Closed`](AddressError::Closed) if it has gone, or has closed because its last forwarder had gone.
    pub fn forwarder<T>(&self, to: &Address<T>) -> Result<Forwarder<T>, AddressError>
    where
        T: Send + 'static,
    {
        if !Arc::ptr_eq(&self.engine.shared, &to.shared) {
            return Err(AddressError::Foreign);
        }
        Forwarder::join(self.engine.shared.clone(), to.port.clone())
    }

    /// The clock: the highest number that is settled.
    pub fn clock(&self) -> Clock {
        self.engine.clock()
    }

    /// How full everything is. Messages without a number are those that are held back; what counts numbers counts
    /// gaps, too.
    pub fn stats(&self) -> Stats {
        self.engine.stats()
    }

    /// Runs a pass, and those that it finds due. True if the clock has moved, or another was due. For
    /// [`Drive::Manual`]; elsewhere it does no harm.
    pub fn pass(&self) -> bool {
        self.engine.pass()
    }

    /// Runs passes until one finds nothing to do.
    pub fn run_until_idle(&self) {
        self.engine.run_until_idle();
    }
}

impl Default for Follower {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Follower {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Follower").field("clock", &self.clock().now()).finish_non_exhaustive()
    }
}

/// What a follower is to be like. Made by [`Follower::builder`].
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use mainspring::{Follower, ForwardReason, Seq};
/// let follower = Follower::builder().capacity(64).start_after(Seq::new(41)).build()?;
/// let (mut forwarder, _rx) = follower.channel();
/// let late = forwarder.forward(Seq::new(41), "late").unwrap_err();
/// assert_eq!(late.reason, ForwardReason::Late { settled: Seq::new(41) });
/// forwarder.forward(Seq::new(42), "in time")?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct FollowerBuilder {
    pub(crate) builder: Builder,
}

impl FollowerBuilder {
    /// Messages that a lane holds, 1024 unless said; rounded up to a power of two. So far can a forwarder be ahead of
    /// the others before it has to wait.
    pub fn capacity(self, messages: usize) -> Self {
        Self { builder: self.builder.capacity(messages) }
    }

    /// Entries that an inbox holds, 1024 unless said; rounded up to a power of two. An entry is a run of messages
    /// of one forwarder whose numbers are adjacent, or within 64.
    pub fn inbox(self, entries: usize) -> Self {
        Self { builder: self.builder.inbox(entries) }
    }

    /// Numbers up to this one are settled from the beginning; without it, none.
    pub fn start_after(self, seq: Seq) -> Self {
        Self { builder: self.builder.start_after(seq) }
    }

    /// As [`Builder::timestamps`](crate::Builder::timestamps); a number counts from when it was settled. Off by
    /// default.
    pub fn timestamps(self, on: bool) -> Self {
        Self { builder: self.builder.timestamps(on) }
    }

    /// Who runs the dispatcher; [`Drive::Callers`] unless said.
    pub fn drive(self, drive: Drive) -> Self {
        Self { builder: self.builder.drive(drive) }
    }

    /// Makes the follower.
    ///
    /// # Errors
    ///
    /// If a size is 0 or too large, or the numbers start too high.
    pub fn build(self) -> Result<Follower, BuildError> {
        Ok(Follower { engine: self.builder.build_with(Numbering::Given)? })
    }
}

/// What a channel of a follower is to be like. Made by [`Follower::options`].
#[derive(Debug)]
#[must_use]
pub struct FollowerOptions<'a, T> {
    options: Options<'a, T>,
}

impl<T: Send + 'static> FollowerOptions<'_, T> {
    /// A name, which shows in `Debug`, in statistics and in events.
    pub fn name(self, name: impl Into<String>) -> Self {
        Self { options: self.options.name(name) }
    }

    /// Messages that each lane to the receiver holds; rounded up to a power of two.
    pub fn capacity(self, messages: usize) -> Self {
        Self { options: self.options.capacity(messages) }
    }

    /// Entries that the receiver's inbox holds; rounded up to a power of two.
    pub fn inbox(self, entries: usize) -> Self {
        Self { options: self.options.inbox(entries) }
    }

    /// A receiver like this.
    ///
    /// # Errors
    ///
    /// If a size is 0 or too large.
    pub fn receiver(self) -> Result<Receiver<T>, BuildError> {
        self.options.receiver()
    }

    /// A group whose forwarders' lanes and whose subscribers are like this. Its name is also its subscribers'.
    ///
    /// # Errors
    ///
    /// If a size is 0 or too large.
    pub fn group(self) -> Result<FollowerGroup<T>, BuildError> {
        self.options.group().map(FollowerGroup::new)
    }

    /// A receiver like this, and a forwarder to it.
    ///
    /// # Errors
    ///
    /// If a size is 0 or too large.
    pub fn channel(self) -> Result<(Forwarder<T>, Receiver<T>), BuildError> {
        self.receiver().map(with_forwarder)
    }
}

fn with_forwarder<T: Send + 'static>(receiver: Receiver<T>) -> (Forwarder<T>, Receiver<T>) {
    (Forwarder::join_open(&receiver.address()), receiver)
}
