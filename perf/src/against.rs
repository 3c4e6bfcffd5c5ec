//! Those who are compared, each in a file of its own and all behind one trait.
//!
//! A new one: its file here, with `impl Contender`, a line in each `match` of [`Who`], and its name
//! in [`WHO`](crate::scenario::Topology::WHO) of each scenario that it can do.

mod crossbeam;
mod disruptor;
mod mainspring;
mod rtrb;
mod waiting;

pub(crate) use self::crossbeam::Crossbeam;
pub(crate) use self::disruptor::Disruptor;
pub(crate) use self::mainspring::Mainspring;
pub(crate) use self::rtrb::Rtrb;

use crate::failure::Failure;
use crate::message::Message;

/// Whose figures these are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    Mainspring,
    Crossbeam,
    Rtrb,
    Disruptor,
}

impl Who {
    pub(crate) const ALL: [Self; 4] =
        [Self::Mainspring, Self::Crossbeam, Self::Rtrb, Self::Disruptor];
    pub(crate) const PEERS: [Self; 3] = [Self::Crossbeam, Self::Rtrb, Self::Disruptor];

    /// The name of its package.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Mainspring => "mainspring",
            Self::Crossbeam => "crossbeam-channel",
            Self::Rtrb => "rtrb",
            Self::Disruptor => "disruptor",
        }
    }

    /// The same where there is little room.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Crossbeam => "crossbeam",
            other => other.name(),
        }
    }
}

/// The other side has gone.
#[derive(Debug)]
pub(crate) struct Closed;

impl From<Closed> for Failure {
    fn from(_: Closed) -> Self {
        Self::Closed
    }
}

/// What a receiver is to be like.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// Any number of senders, channels of the usual capacity.
    Shared,
    /// The same for one sender only; some have a cheaper form for that, and rtrb has no other.
    Lone,
    /// Any number of senders, room for so many messages only (and, where there is one, in the
    /// inbox).
    Small(usize),
}

/// One way to carry messages between threads. A value of it serves one run.
pub(crate) trait Contender: Sized + Send + 'static {
    /// That by which senders find a receiver.
    type Address<T: Message>: Send + 'static;
    type Sender<T: Message>: Sender<T>;
    type Router<T: Message>: Router<T>;
    type Receiver<T: Message>: Receiver<T>;

    /// `capacity`: messages that a channel holds before its sender has to wait.
    fn open(capacity: usize) -> Result<Self, Failure>;
    fn receiver<T: Message>(&self, kind: Kind) -> Inlet<Self, T>;
    fn sender<T: Message>(&self, to: &Self::Address<T>) -> Result<Self::Sender<T>, Failure>;
    /// One author to several receivers.
    fn router<T: Message>(&self, to: &[Self::Address<T>]) -> Result<Self::Router<T>, Failure>;

    /// Takes in all that has joined, where that is a step of its own.
    fn settle(&self) {}
}

/// A receiver, and how to find it.
pub(crate) type Inlet<C, T> =
    Result<(<C as Contender>::Address<T>, <C as Contender>::Receiver<T>), Failure>;

/// To one receiver. Waits while there is no room.
pub(crate) trait Sender<T>: Send + 'static {
    fn send(&mut self, value: T) -> Result<(), Closed>;
    /// In the form that the contender has for many at once; one by one if it has none.
    fn send_batch(&mut self, values: impl Iterator<Item = T>) -> Result<(), Closed>;
}

/// To one of several receivers, by its index. Waits while there is no room.
pub(crate) trait Router<T>: Send + 'static {
    fn send(&mut self, target: usize, value: T) -> Result<(), Closed>;
    fn send_batch(&mut self, target: usize, values: impl Iterator<Item = T>) -> Result<(), Closed>;
}

/// The author of a contender that has nothing better holds a sender for each target.
impl<T, S: Sender<T>> Router<T> for Vec<S> {
    #[inline]
    fn send(&mut self, target: usize, value: T) -> Result<(), Closed> {
        self[target].send(value)
    }

    #[inline]
    fn send_batch(&mut self, target: usize, values: impl Iterator<Item = T>) -> Result<(), Closed> {
        self[target].send_batch(values)
    }
}

/// Waits while there is nothing.
pub(crate) trait Receiver<T>: Send + 'static {
    fn recv(&mut self) -> Result<T, Closed>;
    /// Waits for one and takes what else is there, in the best form that the contender has for it;
    /// says how many.
    fn recv_batch(&mut self, max: usize, take: impl FnMut(T)) -> Result<usize, Closed>;

    /// The next message, by the form that tells of other things, too, where there is one.
    #[inline]
    fn recv_event(&mut self) -> Result<T, Closed> {
        self.recv()
    }

    /// Whether it has been taken in, where that is a step of its own.
    fn has_joined(&self) -> bool {
        true
    }
}
