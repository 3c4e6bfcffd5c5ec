//! Those who are compared, each in a file of its own and all behind one trait; those that tasks use,
//! behind another ([`tasks`]).
//!
//! A new one: its file here, with `impl Contender`, a line in each `match` of [`Who`] and of
//! `scenario/dispatch.rs`, and its name in [`WHO`](crate::scenario::Topology::WHO) of each scenario
//! that it can do.

mod arc_swap;
mod bus;
mod by_receiver;
pub(crate) mod channels;
mod clocked_dispatch;
mod crossbeam;
mod disruptor;
mod lock;
mod mainspring;
mod never;
mod order;
mod rtrb;
mod select;
mod sequencer;
mod state;
pub(crate) mod tasks;
mod tokio;
mod waiting;
mod watch;
mod who;

pub(crate) use self::arc_swap::ArcSwap;
pub(crate) use self::bus::Bus;
pub(crate) use self::by_receiver::NumberedByReceiver;
pub(crate) use self::clocked_dispatch::ClockedDispatch;
pub(crate) use self::crossbeam::Crossbeam;
pub(crate) use self::disruptor::Disruptor;
pub(crate) use self::lock::Lock;
pub(crate) use self::mainspring::Mainspring;
pub(crate) use self::order::{Mark, Order, OrderedReceiver};
pub(crate) use self::rtrb::Rtrb;
pub(crate) use self::select::Select;
pub(crate) use self::sequencer::{RingSequencer, Sequencer};
pub(crate) use self::state::{Publisher, Reader};
pub(crate) use self::tokio::Tokio;
pub(crate) use self::watch::Watch;
pub(crate) use self::who::Who;

use std::time::Instant;

use self::never::Never;
use crate::failure::Failure;
use crate::message::{Message, Other};
use crate::scenario::Load;

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

/// Receivers of one author: each message is for all of them, or for one.
pub(crate) const MEMBERS: usize = 4;

/// What of several receivers, all of whom get each message, waits for whom.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shape {
    /// [`MEMBERS`] of them, none waits.
    Star,
    /// Two at once; the third gets a message when both have done with it.
    Diamond,
    /// Three, one after the other.
    Pipeline,
}

impl Shape {
    /// Of each receiver: those who come before it.
    pub(crate) fn stages(self) -> &'static [&'static [usize]] {
        match self {
            Self::Star => &[&[], &[], &[], &[]],
            Self::Diamond => &[&[], &[], &[0, 1]],
            Self::Pipeline => &[&[], &[0], &[1]],
        }
    }
}

/// How an author chooses one of several receivers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Choice {
    /// By a hash of the message's key.
    ByKey,
    /// One after the other, those with room first.
    ByTurn,
}

/// One way to carry messages between threads. A value of it serves one run.
///
/// Nobody can do everything: what is not written here fails, and
/// [`Topology::WHO`](crate::scenario::Topology::WHO) names those who can do what a scenario asks for.
pub(crate) trait Contender: Sized + Send + 'static {
    /// That by which senders find a receiver.
    type Address<T: Message>: Send + 'static;
    type Sender<T: Message>: Sender<T>;
    type Router<T: Message>: Router<T>;
    type Receiver<T: Message>: Receiver<T>;

    /// `capacity`: messages that a channel holds before its sender has to wait.
    fn open(capacity: usize) -> Result<Self, Failure>;

    /// The same with all that the load says of it.
    fn set_up(load: &Load) -> Result<Self, Failure> {
        Self::open(load.capacity)
    }

    fn receiver<T: Message>(&self, _kind: Kind) -> Inlet<Self, T> {
        Err(unable())
    }

    fn sender<T: Message>(&self, _to: &Self::Address<T>) -> Result<Self::Sender<T>, Failure> {
        Err(unable())
    }

    /// One author to several receivers.
    fn router<T: Message>(&self, _to: &[Self::Address<T>]) -> Result<Self::Router<T>, Failure> {
        Err(unable())
    }

    /// One author, each of whose messages goes to all receivers.
    fn broadcast<T: Message>(&self, _shape: Shape) -> Fan<impl Sender<T>, impl Receiver<T>> {
        Err::<(Never, Vec<Never>), _>(unable())
    }

    /// One author, each of whose messages goes to one of [`MEMBERS`] receivers.
    fn choose<T: Message>(&self, _choice: Choice) -> Fan<impl Sender<T>, impl Receiver<T>> {
        Err::<(Never, Vec<Never>), _>(unable())
    }

    /// Four authors, two of them of another type, whose messages one thread receives as one stream.
    fn merge<T: Message>(&self) -> Confluence<impl Sender<T>, impl Sender<T>, impl Receiver<T>> {
        Err::<Merged<Never, Never, Never>, _>(unable())
    }

    /// A channel, and a clock that notes when it moves: how many messages have been handed out, and since when.
    /// Whoever looks at it does nothing for it.
    fn clocked<T: Message>(
        _load: &Load,
    ) -> Result<(impl Sender<T>, impl Receiver<T>, impl Clock), Failure> {
        Err::<(Never, Never, fn() -> (u64, Option<Instant>)), _>(unable())
    }

    /// So many authors, whose messages get numbers of one dense order; the message of the nth goes to
    /// receiver n modulo `receivers`. It is known by its [`key`](Message::key), too.
    fn order<T: Message>(
        &self,
        _authors: usize,
        _receivers: usize,
    ) -> Ordering<impl Sender<T>, impl OrderedReceiver<T>> {
        Err::<Order<Never, Never>, _>(unable())
    }

    /// An author and its receiver, and one who takes numbers of their order without sending.
    fn marks<T: Message>(
        &self,
    ) -> Result<(impl Sender<T>, impl OrderedReceiver<T>, impl Mark), Failure> {
        Err::<(Never, Never, fn() -> Result<u64, Closed>), _>(unable())
    }

    /// A state that one publishes and so many wait for; none of them has to see each.
    fn state<T: Message>(&self, _readers: usize) -> State<impl Publisher<T>, impl Reader<T>> {
        Err::<(Never, Vec<Never>), _>(unable())
    }

    /// Takes in all that has joined, where that is a step of its own.
    fn settle(&self) {}
}

/// Tells how many messages have been handed out, and since when.
pub(crate) trait Clock: Fn() -> (u64, Option<Instant>) + Send + 'static {}
impl<F: Fn() -> (u64, Option<Instant>) + Send + 'static> Clock for F {}

/// A receiver, and how to find it.
pub(crate) type Inlet<C, T> =
    Result<(<C as Contender>::Address<T>, <C as Contender>::Receiver<T>), Failure>;

/// An author, and those who get what it sends.
pub(crate) type Fan<S, R> = Result<(S, Vec<R>), Failure>;

pub(crate) type Ordering<S, R> = Result<Order<S, R>, Failure>;

/// Who publishes a state, and who read it.
pub(crate) type State<P, R> = Result<(P, Vec<R>), Failure>;

/// Several streams that come together.
pub(crate) struct Merged<A, B, R> {
    pub(crate) one: [A; 2],
    /// Of another type.
    pub(crate) other: [B; 2],
    pub(crate) receiver: R,
}

pub(crate) type Confluence<A, B, R> = Result<Merged<A, B, R>, Failure>;

/// Sends the other type to whoever has to send it.
struct ToOther<S>(S);

impl<T, S: Sender<Other<T>>> Sender<T> for ToOther<S> {
    #[inline]
    fn send(&mut self, value: T) -> Result<(), Closed> {
        self.0.send(Other(value))
    }

    #[inline]
    fn send_batch(&mut self, values: impl Iterator<Item = T>) -> Result<(), Closed> {
        self.0.send_batch(values.map(Other))
    }
}

pub(crate) fn unable() -> Failure {
    Failure::SetUp("it cannot do this".into())
}

/// To one receiver, to all, or to one that it chooses. Waits while there is no room.
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

    /// The next message, read where it lies, where that is possible.
    #[inline]
    fn recv_by_ref<R>(&mut self, read: impl FnOnce(&T) -> R) -> Result<R, Closed> {
        self.recv().map(|value| read(&value))
    }

    /// As [`recv_batch`](Self::recv_batch), read where they lie, where that is possible.
    #[inline]
    fn recv_batch_by_ref(&mut self, max: usize, mut read: impl FnMut(&T)) -> Result<usize, Closed> {
        self.recv_batch(max, |value| read(&value))
    }

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

#[cfg(test)]
mod tests {
    use super::*;

    fn all_of_them_receive_all<C: Contender>() {
        let contender = C::open(64).unwrap();
        let (mut author, members) = contender.broadcast::<u64>(Shape::Star).unwrap();
        assert_eq!(members.len(), MEMBERS);
        author.send(1).unwrap();
        author.send_batch(2..33).unwrap();
        (33..65).for_each(|value| author.send(value).unwrap());
        drop(author);
        for mut member in members {
            let mut received = vec![member.recv().unwrap()];
            while member.recv_batch(7, |value| received.push(value)).is_ok() {}
            assert!(received.into_iter().eq(1..65));
            assert!(member.recv().is_err());
        }
    }

    #[test]
    fn what_is_broadcast_each_receives_before_the_end() {
        all_of_them_receive_all::<Mainspring>();
        all_of_them_receive_all::<Crossbeam>();
        all_of_them_receive_all::<Disruptor>();
        all_of_them_receive_all::<Bus>();
        all_of_them_receive_all::<Tokio>();
    }

    fn stage_by_stage_all_is_received<C: Contender>(shape: Shape) {
        let (mut author, members) = C::open(64).unwrap().broadcast::<u64>(shape).unwrap();
        author.send_batch(0..64).unwrap();
        drop(author);
        for mut member in members {
            let mut received = Vec::new();
            while member.recv_batch(7, |value| received.push(value)).is_ok() {}
            assert!(received.into_iter().eq(0..64));
        }
    }

    #[test]
    fn each_stage_receives_all() {
        for shape in [Shape::Diamond, Shape::Pipeline] {
            stage_by_stage_all_is_received::<Mainspring>(shape);
            stage_by_stage_all_is_received::<Disruptor>(shape);
        }
    }

    fn one_of_them_receives_each<C: Contender>(choice: Choice) {
        let (mut author, members) = C::open(64).unwrap().choose::<u64>(choice).unwrap();
        (0..64).for_each(|value| author.send(value).unwrap());
        drop(author);
        let mut received = Vec::new();
        for mut member in members {
            let before = received.len();
            while let Ok(value) = member.recv() {
                received.push(value);
            }
            let share = received.len() - before;
            match choice {
                Choice::ByTurn => assert_eq!(share, 64 / MEMBERS),
                Choice::ByKey => assert!(share > 0),
            }
        }
        received.sort_unstable();
        assert!(received.into_iter().eq(0..64));
    }

    #[test]
    fn each_message_goes_to_the_one_that_is_chosen() {
        for choice in [Choice::ByKey, Choice::ByTurn] {
            one_of_them_receives_each::<Mainspring>(choice);
            one_of_them_receives_each::<Crossbeam>(choice);
        }
    }

    fn one_receives_what_several_send<C: Contender>() {
        let Merged { one, other, mut receiver } = C::open(64).unwrap().merge::<u64>().unwrap();
        for (author, mut sender) in (0..).zip(one) {
            sender.send(10 * author).unwrap();
            sender.send_batch(10 * author + 1..10 * author + 10).unwrap();
        }
        for (author, mut sender) in (2..).zip(other) {
            sender.send(10 * author).unwrap();
            sender.send_batch(10 * author + 1..10 * author + 10).unwrap();
        }
        let mut received = vec![receiver.recv().unwrap()];
        while receiver.recv_batch(7, |value| received.push(value)).is_ok() {}
        assert!(receiver.recv().is_err());
        received.sort_unstable();
        assert!(received.into_iter().eq(0..40));
    }

    #[test]
    fn what_several_send_one_receives_until_all_have_gone() {
        one_receives_what_several_send::<Mainspring>();
        one_receives_what_several_send::<Crossbeam>();
        one_receives_what_several_send::<Select>();
    }

    #[test]
    fn who_cannot_do_something_says_so() {
        let ring = Rtrb::open(64).unwrap();
        assert!(matches!(ring.broadcast::<u64>(Shape::Star), Err(Failure::SetUp(_))));
        let bus = Bus::open(64).unwrap();
        assert!(matches!(bus.broadcast::<u64>(Shape::Diamond), Err(Failure::SetUp(_))));
        assert!(matches!(bus.receiver::<u64>(Kind::Lone), Err(Failure::SetUp(_))));
    }
}
