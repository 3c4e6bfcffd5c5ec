//! The way into a follower: one forwarder, one lane, one receiver, and a number with each message.
//!
//! [`Forwarder::forward`] writes the value into the lane and its number into the ring beside it
//! ([`Given`]), and publishes both with the lane's tail, under the follower's lock, so that no two
//! forwarders give it the same number. [`Forwarder::advance`] publishes a number alone, in the tail's line. Both then
//! load the lane's attention, as a sender does.

use std::fmt;
use std::time::Duration;

use crate::address::{Address, Outlet, Port};
use crate::author::{NoRoom, check_closed, heed, wait_for_room};
use crate::board::Change;
use crate::clock::Seq;
use crate::drive::Shared;
use crate::error::{
    AddressError, AdvanceError, ForwardError, ForwardReason, ForwardTimeoutError, TryForwardError,
};
use crate::given::Given;
use crate::group::Group;
use crate::lane::{CLOSING, GONE, POISONED, WANT};
use crate::park::Deadline;
use crate::ring::{Lane, Producer};
use crate::sync::Arc;
use crate::trace::{self, Who};

/// Forwards messages to one receiver of a [`Follower`](crate::Follower), or to a [group](crate::FollowerGroup),
/// with the numbers that they have.
///
/// Its numbers rise strictly, beginning above [`passed`](Self::passed). What it forwards is handed out when every other
/// live forwarder of the follower, to whatever receiver, has come as far. So one that is silent holds back all:
/// [`advance`](Self::advance) tells that nothing comes, and dropping it that nothing will.
///
/// Clones forward to the same receiver, each on a lane of its own. A clone joins now: what was settled before is too
/// late for it.
///
/// Forwarding to a lane with room takes a short lock, which the forwarders of one follower share.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use mainspring::{Follower, TryRecvError};
/// let follower = Follower::new();
/// let (mut first, mut rx) = follower.channel();
/// let mut second = first.clone();
/// first.forward(1.into(), "a1")?;
/// // The second may yet forward something lower.
/// assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
/// second.advance(1.into())?;
/// assert_eq!(rx.recv()?, (1.into(), "a1"));
/// # Ok(()) }
/// ```
pub struct Forwarder<T: Send + 'static> {
    producer: Producer<T>,
    given: Arc<Given>,
    shared: Arc<Shared>,
    to: To<T>,
    /// The highest number that it has forwarded, advanced to, or found settled when it joined.
    passed: u64,
    /// It has forwarded or advanced since.
    has_spoken: bool,
}

/// Who reads what is forwarded.
enum To<T: Send + 'static> {
    One { port: Arc<Port<T>>, key: u32 },
    All(Group<T>),
}

impl<T: Send + 'static> To<T> {
    /// Publishes a number by `publish`, or returns none if somebody has given it already.
    fn publish<R>(&self, shared: &Shared, number: u64, publish: impl FnOnce() -> R) -> Option<R> {
        match self {
            Self::One { port, .. } => {
                let _forwarding = shared.forwarding.lock();
                (!port.forwarded.has(number)).then(publish)
            }
            Self::All(group) => group.publish(number, publish),
        }
    }

    fn name(&self) -> Option<&str> {
        match self {
            Self::One { port, .. } => port.name.as_deref(),
            Self::All(group) => group.name(),
        }
    }
}

impl<T: Send + 'static> Forwarder<T> {
    /// A new lane to a receiver.
    pub(crate) fn join(shared: Arc<Shared>, port: Arc<Port<T>>) -> Result<Self, AddressError> {
        let lane = Lane::new(port.capacity, Arc::default(), None);
        let given = Given::new(lane.state().clone(), port.capacity);
        let outlet = port.open_lane(&shared, lane, |_, key| Change::Forwarder {
            given: given.clone(),
            inbox: port.inbox.clone(),
            key,
        })?;
        port.forwarded.add(&given, 0, shared.board().clock.now());
        trace::joined(Who::Forwarder(&port.label));
        Ok(Self::new(outlet, given, shared, port))
    }

    fn new(
        Outlet { producer, key }: Outlet<T>,
        given: Arc<Given>,
        shared: Arc<Shared>,
        port: Arc<Port<T>>,
    ) -> Self {
        // Its floor, which it was given when it joined.
        let passed = given.state().waived();
        Self { producer, given, shared, to: To::One { port, key }, passed, has_spoken: false }
    }

    /// A new lane to a receiver which cannot have closed by itself; one to nowhere if it has gone.
    pub(crate) fn join_open(to: &Address<T>) -> Self {
        Self::join(to.shared.clone(), to.port.clone()).unwrap_or_else(|_| {
            let outlet = Outlet::nowhere(to.port.capacity);
            let given = Given::new(outlet.producer.lane().state().clone(), to.port.capacity);
            given.state().waive(to.shared.board().clock.now());
            Self::new(outlet, given, to.shared.clone(), to.port.clone())
        })
    }

    /// To all members of a group, by a lane that they share.
    pub(crate) fn to_group(group: Group<T>, lane: Arc<Lane<T>>) -> Self {
        let given = Given::new(lane.state().clone(), lane.capacity());
        group.add_lane(&lane, Some(given.clone()), |members| Change::GroupForwarder {
            given: given.clone(),
            members,
        });
        let (shared, passed) = (group.shared().clone(), given.state().waived());
        let mut producer = Producer::new(lane);
        if shared.is_closing() {
            // Perhaps nobody has found the lane on the list.
            producer.close();
        }
        trace::joined(Who::GroupForwarder(group.name()));
        Self { producer, given, shared, to: To::All(group), passed, has_spoken: false }
    }

    /// Forwards a value with its number; waits for room in the lane. Slots come back when the receiver has read, so
    /// with its lane full this waits for whoever holds back what it has forwarded: a thread that owns both had better
    /// use [`try_forward`](Self::try_forward).
    ///
    /// # Errors
    ///
    /// If the number is not above what this forwarder has come to ([`Falling`](ForwardReason::Falling), or
    /// [`Late`](ForwardReason::Late) if it was settled before it joined), or has been given to this receiver by
    /// another ([`Duplicate`](ForwardReason::Duplicate)), or if the receiver is gone
    /// ([`Closed`](ForwardReason::Closed)); the value comes back, and nothing has changed.
    ///
    /// # Panics
    ///
    /// To a group, as [`Broadcaster::send`](crate::Broadcaster::send).
    pub fn forward(&mut self, seq: Seq, value: T) -> Result<(), ForwardError<T>> {
        let mut refused = self.place(seq, value)?;
        while let Some(value) = refused {
            if wait_for_room(&self.shared, &mut self.producer, None).is_err() {
                return Err(closed(seq, value));
            }
            refused = self.place(seq, value)?;
        }
        Ok(())
    }

    /// Forwards a value if there is room now. Runs a pass at most, and those asked for meanwhile.
    ///
    /// # Errors
    ///
    /// As [`forward`](Self::forward); and if there is no room. The value comes back.
    pub fn try_forward(&mut self, seq: Seq, value: T) -> Result<(), TryForwardError<T>> {
        let Some(value) = self.place(seq, value)? else { return Ok(()) };
        self.shared.drive();
        match self.place(seq, value)? {
            None => Ok(()),
            Some(value) => Err(TryForwardError::Full(value)),
        }
    }

    /// Forwards a value, waiting for room for `timeout` at the longest.
    ///
    /// # Errors
    ///
    /// As [`forward`](Self::forward); and if there was no room in time. The value comes back.
    pub fn forward_timeout(
        &mut self,
        seq: Seq,
        value: T,
        timeout: Duration,
    ) -> Result<(), ForwardTimeoutError<T>> {
        let Some(mut value) = self.place(seq, value)? else { return Ok(()) };
        let deadline = Deadline::after(timeout);
        loop {
            match wait_for_room(&self.shared, &mut self.producer, deadline) {
                Ok(()) => {}
                Err(NoRoom::Timeout) => return Err(ForwardTimeoutError::Timeout(value)),
                Err(NoRoom::Closed) => return Err(closed(seq, value).into()),
            }
            match self.place(seq, value)? {
                None => return Ok(()),
                Some(refused) => value = refused,
            }
        }
    }

    /// Says that nothing up to and including this number will come from this forwarder any more, but what it has
    /// forwarded. Wait-free; a number that it has come to already changes nothing. Progress counts also when it is
    /// told long before the others have come as far.
    ///
    /// # Errors
    ///
    /// If the receiver is gone: then nobody waits for this forwarder any more.
    pub fn advance(&mut self, seq: Seq) -> Result<(), AdvanceError> {
        let producer = &mut self.producer;
        if check_closed(producer) {
            return Err(AdvanceError);
        }
        if seq.get() <= self.passed {
            return Ok(());
        }
        (self.passed, self.has_spoken) = (seq.get(), true);
        let state = producer.state();
        state.waive(self.passed);
        let attention = state.attention();
        if attention & WANT != 0 {
            self.shared.speak_up(state);
        }
        if attention & (GONE | POISONED | CLOSING) != 0 {
            return Err(AdvanceError);
        }
        Ok(())
    }

    /// What this forwarder forwards next has a higher number than this: the last that it forwarded or advanced to, or
    /// what was settled when it joined.
    pub fn passed(&self) -> Seq {
        Seq::new(self.passed)
    }

    /// Names the receiver; none if it forwards to a group.
    pub fn address(&self) -> Option<Address<T>> {
        match &self.to {
            To::One { port, .. } => {
                Some(Address { shared: self.shared.clone(), port: port.clone() })
            }
            To::All(_) => None,
        }
    }

    /// Whether the receiver is gone. True is final; false may be outdated on return.
    pub fn is_closed(&self) -> bool {
        self.producer.is_closed() || self.producer.state().is_shut()
    }

    /// Messages of this forwarder that were not yet received, of a group by the slowest; as of some moment during the
    /// call.
    pub fn len(&self) -> usize {
        match &self.to {
            To::One { .. } => self.producer.state().depth() as usize,
            To::All(_) => self.producer.behind() as usize,
        }
    }

    /// Whether the receiver has received all that this forwarder has forwarded.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many messages the lane holds.
    pub fn capacity(&self) -> usize {
        self.producer.lane().capacity()
    }

    /// Forwards a value if its number may be given, and there is room; returns it if there is none.
    fn place(&mut self, seq: Seq, value: T) -> Result<Option<T>, ForwardError<T>> {
        let number = seq.get();
        if check_closed(&mut self.producer) {
            return Err(closed(seq, value));
        }
        if number <= self.passed {
            let reason = match Seq::new(self.passed) {
                last if self.has_spoken => ForwardReason::Falling { last },
                settled => ForwardReason::Late { settled },
            };
            return Err(ForwardError { seq, value, reason });
        }
        let Self { producer, given, shared, to, .. } = self;
        // Beforehand: what is dropped to make room is the user's.
        let has_room = producer.has_room();
        // The value stays outside of the lock: what is dropped there would be the user's.
        let mut value = Some(value);
        let placed = to.publish(shared, number, || {
            let taken = if has_room { value.take()? } else { return Some(()) };
            let position = producer.tail();
            value = producer.push(taken).err();
            if value.is_none() {
                given.write(position, number);
                producer.state().publish(producer.tail());
            }
            Some(())
        });
        match (placed, value) {
            (None, Some(value)) => {
                Err(ForwardError { seq, value, reason: ForwardReason::Duplicate })
            }
            (_, Some(value)) => Ok(Some(value)),
            (_, None) => {
                let attention = self.producer.state().attention();
                if attention != 0 {
                    self.heed(seq, attention)?;
                }
                (self.passed, self.has_spoken) = (number, true);
                Ok(None)
            }
        }
    }

    #[cold]
    fn heed(&mut self, seq: Seq, attention: u32) -> Result<(), ForwardError<T>> {
        match heed(&self.shared, &mut self.producer, attention, 1).pop() {
            None => Ok(()),
            Some(value) => Err(closed(seq, value)),
        }
    }
}

fn closed<T>(seq: Seq, value: T) -> ForwardError<T> {
    ForwardError { seq, value, reason: ForwardReason::Closed }
}

impl<T: Send + 'static> Clone for Forwarder<T> {
    /// Another forwarder to the same receiver or group, on a lane of its own. It joins now.
    fn clone(&self) -> Self {
        match &self.to {
            To::One { port, .. } => {
                Self::join_open(&Address { shared: self.shared.clone(), port: port.clone() })
            }
            To::All(group) => {
                let lane = self.producer.lane().another().expect("a group's lane is shared");
                Self::to_group(group.clone(), lane)
            }
        }
    }
}

impl<T: Send + 'static> Drop for Forwarder<T> {
    fn drop(&mut self) {
        match &self.to {
            To::One { port, key } => {
                port.end_lane(&mut self.producer, *key);
                port.forwarded.prune(self.shared.board().clock.now());
            }
            To::All(group) => {
                // First, so that whoever joins is known to the dispatcher before it sees the end.
                group.remove_lane(self.producer.lane(), self.producer.tail() > 0);
                self.producer.end();
                group.prune();
            }
        }
        let lane = self.producer.lane().state().clone();
        self.shared.announce(Change::LaneEnd { lane });
        match &self.to {
            To::All(group) => trace::left(Who::GroupForwarder(group.name())),
            // None if it has never joined.
            To::One { .. } => {
                if let Some(label) = self.producer.state().whom.label() {
                    trace::left(Who::Forwarder(&label));
                }
            }
        }
    }
}

impl<T: Send + 'static> fmt::Debug for Forwarder<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Forwarder")
            .field("to", &self.to.name())
            .field("passed", &self.passed)
            .field("len", &self.len())
            .field("capacity", &self.capacity())
            .field("closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}
