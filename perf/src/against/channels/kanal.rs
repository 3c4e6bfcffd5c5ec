//! kanal: who waits spins and yields for a while of its own before it sleeps. Receivers can drain it
//! under one lock.

use kanal::{Receiver, Sender, bounded};

use super::{Channel, Closed, Drained};
use crate::message::Message;

pub(crate) struct Kanal;

impl Channel for Kanal {
    type Sender<T: Message> = Sender<T>;
    type Receiver<T: Message> = (Receiver<T>, Drained<T>);

    fn bounded<T: Message>(capacity: usize) -> (Sender<T>, Self::Receiver<T>) {
        let (sender, receiver) = bounded(capacity);
        (sender, (receiver, Drained::new(capacity)))
    }

    #[inline]
    fn send<T: Message>(to: &Sender<T>, value: T) -> Result<(), Closed> {
        to.send(value).map_err(|_| Closed)
    }

    #[inline]
    fn try_send<T: Message>(to: &Sender<T>, value: T) -> Result<bool, Closed> {
        to.try_send(value).map_err(|_| Closed)
    }

    #[inline]
    fn recv<T: Message>((from, drained): &mut Self::Receiver<T>) -> Result<T, Closed> {
        match drained.pop() {
            Some(value) => Ok(value),
            None => from.recv().map_err(|_| Closed),
        }
    }

    #[inline]
    fn try_recv<T: Message>((from, drained): &mut Self::Receiver<T>) -> Result<Option<T>, Closed> {
        match drained.pop() {
            Some(value) => Ok(Some(value)),
            None => from.try_recv().map_err(|_| Closed),
        }
    }

    #[inline]
    fn take<T: Message>(
        (from, drained): &mut Self::Receiver<T>,
        max: usize,
        take: impl FnMut(T),
    ) -> usize {
        // If it is closed, there is nothing: the next receive says so.
        drained.take(max, |values| drop(from.drain_into(values)), take)
    }
}
