//! Those who are compared, each in a file of its own and all behind one trait.
//!
//! A new one: its file here, with `impl Contender`, and a line in each `match` of [`Who`].

mod crossbeam;
mod mainspring;

pub(crate) use self::crossbeam::Crossbeam;
pub(crate) use self::mainspring::Mainspring;

use crate::failure::Failure;
use crate::message::Message;

/// Whose figures these are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    Mainspring,
    Crossbeam,
}

impl Who {
    pub(crate) const ALL: [Self; 2] = [Self::Mainspring, Self::Crossbeam];

    /// The name of its package.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Mainspring => "mainspring",
            Self::Crossbeam => "crossbeam-channel",
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

/// One way to carry messages between threads. A value of it serves one run.
pub(crate) trait Contender: Sized + 'static {
    /// That by which senders find a receiver.
    type Address<T: Message>: Send + 'static;
    type Sender<T: Message>: Sender<T>;
    type Router<T: Message>: Router<T>;
    type Receiver<T: Message>: Receiver<T>;

    /// `capacity`: messages that a channel holds before its sender has to wait.
    fn open(capacity: usize) -> Result<Self, Failure>;
    fn receiver<T: Message>(&self) -> (Self::Address<T>, Self::Receiver<T>);
    fn sender<T: Message>(&self, to: &Self::Address<T>) -> Result<Self::Sender<T>, Failure>;
    /// One author to several receivers.
    fn router<T: Message>(&self, to: &[Self::Address<T>]) -> Result<Self::Router<T>, Failure>;
}

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

/// Waits while there is nothing.
pub(crate) trait Receiver<T>: Send + 'static {
    fn recv(&mut self) -> Result<T, Closed>;
    /// Waits for one and takes what else is there, in the best form that the contender has for it;
    /// says how many.
    fn recv_batch(&mut self, max: usize, take: impl FnMut(T)) -> Result<usize, Closed>;
}
