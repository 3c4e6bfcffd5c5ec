//! tokio's broadcast channel, used from threads, without a runtime: one sender, each of whose
//! messages all receivers get.
//!
//! Its sender never waits: it overwrites what somebody has not yet received. So ours looks how much
//! room there is, sends so many without a further look, and then waits until a quarter is free: a
//! look locks a dozen slots, and one for each message would be the larger part of the work. Its
//! receivers look for a while before they sleep in its blocking form, as crossbeam's do of themselves:
//! going to sleep at once takes them several times as long.

use tokio::sync::broadcast;
use tokio::sync::broadcast::error::TryRecvError;

use super::never::Never;
use super::{Closed, Contender, Fan, MEMBERS, Receiver, Sender, Shape, unable, waiting};
use crate::failure::Failure;
use crate::message::Message;

pub(crate) struct Tokio {
    capacity: usize,
}

struct Author<T> {
    sender: broadcast::Sender<T>,
    capacity: usize,
    /// For so many there was room when we last looked.
    room: usize,
}

impl Contender for Tokio {
    type Address<T: Message> = Never;
    type Sender<T: Message> = Never;
    type Router<T: Message> = Never;
    type Receiver<T: Message> = Never;

    fn open(capacity: usize) -> Result<Self, Failure> {
        Ok(Self { capacity })
    }

    fn broadcast<T: Message>(&self, shape: Shape) -> Fan<impl Sender<T>, impl Receiver<T>> {
        let Shape::Star = shape else { return Err(unable()) };
        let (sender, first) = broadcast::channel(self.capacity);
        let others = (1..MEMBERS).map(|_| sender.subscribe());
        let members: Vec<_> = others.chain([first]).collect();
        Ok((Author { capacity: self.capacity, room: self.capacity, sender }, members))
    }
}

impl<T: Message> Author<T> {
    #[cold]
    fn wait_for_room(&mut self) -> Result<(), Closed> {
        let Self { sender, capacity, .. } = self;
        self.room = waiting::until(|| {
            let room = *capacity - sender.len();
            (room >= (*capacity / 4).max(1)).then_some(Ok(room))
        })?;
        Ok(())
    }
}

impl<T: Message> Sender<T> for Author<T> {
    #[inline]
    fn send(&mut self, value: T) -> Result<(), Closed> {
        if self.room == 0 {
            self.wait_for_room()?;
        }
        self.room -= 1;
        self.sender.send(value).map(drop).map_err(|_| Closed)
    }

    #[inline]
    fn send_batch(&mut self, mut values: impl Iterator<Item = T>) -> Result<(), Closed> {
        values.try_for_each(|value| self.send(value))
    }
}

impl<T: Message> Receiver<T> for broadcast::Receiver<T> {
    #[inline]
    fn recv(&mut self) -> Result<T, Closed> {
        let found = waiting::briefly(|| match self.try_recv() {
            Ok(value) => Some(Ok(value)),
            Err(TryRecvError::Empty) => None,
            // One that lags has lost something: there is nothing to be gained by going on.
            Err(TryRecvError::Closed | TryRecvError::Lagged(_)) => Some(Err(Closed)),
        });
        found.unwrap_or_else(|| self.blocking_recv().map_err(|_| Closed))
    }

    #[inline]
    fn recv_batch(&mut self, max: usize, mut take: impl FnMut(T)) -> Result<usize, Closed> {
        take(Receiver::recv(self)?);
        let mut taken = 1;
        while taken < max
            && let Ok(value) = self.try_recv()
        {
            take(value);
            taken += 1;
        }
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn it_waits_and_overwrites_nothing() {
        let (mut author, members) = Tokio::open(64).unwrap().broadcast::<u64>(Shape::Star).unwrap();
        thread::scope(|scope| {
            scope.spawn(move || author.send_batch(0..10_000).unwrap());
            for mut member in members {
                scope.spawn(move || {
                    (0..10_000).for_each(|due| assert_eq!(member.recv().unwrap(), due));
                });
            }
        });
    }
}
