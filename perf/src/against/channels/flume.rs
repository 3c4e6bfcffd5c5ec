//! flume, from threads: its blocking calls sleep at once. Receivers can drain it under one lock.

use flume::{Receiver, Sender, TryRecvError, TrySendError, bounded};

use super::{Channel, Closed, Drained};
use crate::message::Message;

pub(crate) struct Flume;

impl Channel for Flume {
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
        match to.try_send(value) {
            Ok(()) => Ok(true),
            Err(TrySendError::Full(_)) => Ok(false),
            Err(TrySendError::Disconnected(_)) => Err(Closed),
        }
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
        if let Some(value) = drained.pop() {
            return Ok(Some(value));
        }
        match from.try_recv() {
            Ok(value) => Ok(Some(value)),
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::Disconnected) => Err(Closed),
        }
    }

    #[inline]
    fn take<T: Message>(
        (from, drained): &mut Self::Receiver<T>,
        max: usize,
        take: impl FnMut(T),
    ) -> usize {
        drained.take(max, |values| values.extend(from.drain()), take)
    }
}
