//! Bounded channels of many senders and one receiver, each in two ways of waiting: as it does itself,
//! and with a look around before (`LOOKS`), as crossbeam's do of themselves. Most of them go to sleep at
//! once, which costs who waits the way there and back, and the other the waking.
//!
//! A new one: its file here, with `impl Channel`, and its two names in [`Who`](super::Who).

mod flume;
mod kanal;
mod std_mpsc;
mod thingbuf;
mod tokio_mpsc;

use super::{Closed, Contender, Inlet, Kind, Receiver, Sender, waiting};
use crate::failure::Failure;
use crate::message::Message;

pub(crate) type Flume<const LOOKS: bool> = Channels<flume::Flume, LOOKS>;
pub(crate) type Kanal<const LOOKS: bool> = Channels<kanal::Kanal, LOOKS>;
pub(crate) type Std<const LOOKS: bool> = Channels<std_mpsc::Std, LOOKS>;
pub(crate) type Thingbuf<const LOOKS: bool> = Channels<thingbuf::Thingbuf, LOOKS>;
pub(crate) type TokioMpsc<const LOOKS: bool> = Channels<tokio_mpsc::TokioMpsc, LOOKS>;

/// One kind of channel.
pub(crate) trait Channel: Sized + Send + 'static {
    type Sender<T: Message>: Clone + Send + 'static;
    type Receiver<T: Message>: Send + 'static;

    fn bounded<T: Message>(capacity: usize) -> (Self::Sender<T>, Self::Receiver<T>);

    /// Waits for room as it does itself.
    fn send<T: Message>(to: &Self::Sender<T>, value: T) -> Result<(), Closed>;

    /// Whether there was room.
    fn try_send<T: Message>(to: &Self::Sender<T>, value: T) -> Result<bool, Closed>;

    /// Waits for something as it does itself.
    fn recv<T: Message>(from: &mut Self::Receiver<T>) -> Result<T, Closed>;

    fn try_recv<T: Message>(from: &mut Self::Receiver<T>) -> Result<Option<T>, Closed>;

    /// Takes what is there, in the best form that it has for it; waits for nothing.
    #[inline]
    fn take<T: Message>(
        from: &mut Self::Receiver<T>,
        max: usize,
        mut take: impl FnMut(T),
    ) -> usize {
        let mut taken = 0;
        while taken < max
            && let Ok(Some(value)) = Self::try_recv(from)
        {
            take(value);
            taken += 1;
        }
        taken
    }
}

/// What was taken out of a channel as a whole, and is handed out piece by piece.
pub(crate) struct Drained<T> {
    values: Vec<T>,
    /// Those before it have been handed out.
    next: usize,
}

impl<T: Copy> Drained<T> {
    fn new(capacity: usize) -> Self {
        Self { values: Vec::with_capacity(capacity), next: 0 }
    }

    #[inline]
    fn pop(&mut self) -> Option<T> {
        let value = self.values.get(self.next).copied()?;
        self.next += 1;
        Some(value)
    }

    /// Hands out so many; if there are none, drains the channel before.
    #[inline]
    fn take(&mut self, max: usize, drain: impl FnOnce(&mut Vec<T>), take: impl FnMut(T)) -> usize {
        if self.next == self.values.len() {
            self.values.clear();
            self.next = 0;
            drain(&mut self.values);
        }
        let taken = (self.values.len() - self.next).min(max);
        let values = &self.values[self.next..self.next + taken];
        values.iter().copied().for_each(take);
        self.next += taken;
        taken
    }
}

pub(crate) struct Channels<C, const LOOKS: bool> {
    capacity: usize,
    channel: std::marker::PhantomData<C>,
}

pub(crate) struct Tx<C: Channel, T: Message, const LOOKS: bool>(C::Sender<T>);
pub(crate) struct Rx<C: Channel, T: Message, const LOOKS: bool>(C::Receiver<T>);

impl<C: Channel, const LOOKS: bool> Contender for Channels<C, LOOKS> {
    type Address<T: Message> = C::Sender<T>;
    type Sender<T: Message> = Tx<C, T, LOOKS>;
    type Router<T: Message> = Vec<Tx<C, T, LOOKS>>;
    type Receiver<T: Message> = Rx<C, T, LOOKS>;

    fn open(capacity: usize) -> Result<Self, Failure> {
        Ok(Self { capacity, channel: std::marker::PhantomData })
    }

    fn receiver<T: Message>(&self, kind: Kind) -> Inlet<Self, T> {
        let (sender, receiver) = C::bounded(match kind {
            Kind::Shared | Kind::Lone => self.capacity,
            Kind::Small(capacity) => capacity,
        });
        Ok((sender, Rx(receiver)))
    }

    fn sender<T: Message>(&self, to: &Self::Address<T>) -> Result<Self::Sender<T>, Failure> {
        Ok(Tx(to.clone()))
    }

    fn router<T: Message>(&self, to: &[Self::Address<T>]) -> Result<Self::Router<T>, Failure> {
        to.iter().map(|to| self.sender(to)).collect()
    }
}

impl<C: Channel, T: Message, const LOOKS: bool> Sender<T> for Tx<C, T, LOOKS> {
    #[inline]
    fn send(&mut self, value: T) -> Result<(), Closed> {
        if LOOKS {
            let sent = waiting::briefly(|| match C::try_send(&self.0, value) {
                Ok(has_room) => has_room.then_some(Ok(())),
                Err(closed) => Some(Err(closed)),
            });
            if let Some(sent) = sent {
                return sent;
            }
        }
        C::send(&self.0, value)
    }

    #[inline]
    fn send_batch(&mut self, mut values: impl Iterator<Item = T>) -> Result<(), Closed> {
        values.try_for_each(|value| self.send(value))
    }
}

impl<C: Channel, T: Message, const LOOKS: bool> Receiver<T> for Rx<C, T, LOOKS> {
    #[inline]
    fn recv(&mut self) -> Result<T, Closed> {
        if LOOKS && let Some(found) = waiting::briefly(|| C::try_recv(&mut self.0).transpose()) {
            return found;
        }
        C::recv(&mut self.0)
    }

    #[inline]
    fn recv_batch(&mut self, max: usize, mut take: impl FnMut(T)) -> Result<usize, Closed> {
        take(self.recv()?);
        Ok(1 + C::take(&mut self.0, max - 1, take))
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    const SENDERS: u64 = 3;
    const EACH: u64 = 2_000;

    /// Through a channel that holds much less, and until the last sender has gone.
    fn each_sender_is_received_in_order<C: Contender>() {
        let contender = C::open(16).unwrap();
        let (address, mut receiver) = contender.receiver::<u64>(Kind::Shared).unwrap();
        let senders: Vec<_> = (0..SENDERS).map(|_| contender.sender(&address).unwrap()).collect();
        drop(address);
        thread::scope(|scope| {
            for (author, mut sender) in (0..).zip(senders) {
                scope.spawn(move || {
                    let mut values = author * EACH..(author + 1) * EACH;
                    for _ in 0..EACH / 2 {
                        sender.send(values.next().unwrap()).unwrap();
                    }
                    sender.send_batch(values).unwrap();
                });
            }
            let mut due = [0; SENDERS as usize];
            let mut check = |value: u64| {
                let due = &mut due[(value / EACH) as usize];
                assert_eq!(value % EACH, *due);
                *due += 1;
            };
            while let Ok(value) = receiver.recv() {
                check(value);
                match receiver.recv_batch(7, &mut check) {
                    Ok(taken) => assert!((1..=7).contains(&taken)),
                    Err(Closed) => break,
                }
            }
            assert_eq!(due, [EACH; SENDERS as usize]);
        });
    }

    fn who_has_no_receiver_is_told<C: Contender>() {
        let contender = C::open(16).unwrap();
        let (address, receiver) = contender.receiver::<u64>(Kind::Shared).unwrap();
        let mut sender = contender.sender(&address).unwrap();
        drop((address, receiver));
        assert!(sender.send(1).is_err());
    }

    fn in_both_ways<C: Channel>() {
        each_sender_is_received_in_order::<Channels<C, false>>();
        each_sender_is_received_in_order::<Channels<C, true>>();
        who_has_no_receiver_is_told::<Channels<C, false>>();
        who_has_no_receiver_is_told::<Channels<C, true>>();
    }

    #[test]
    fn all_is_received_in_order_until_the_end() {
        in_both_ways::<flume::Flume>();
        in_both_ways::<kanal::Kanal>();
        in_both_ways::<std_mpsc::Std>();
        in_both_ways::<thingbuf::Thingbuf>();
        in_both_ways::<tokio_mpsc::TokioMpsc>();
    }
}
