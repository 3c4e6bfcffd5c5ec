//! tokio's channel of many senders, from threads, without a runtime: its blocking calls sleep at once.
//! Receivers can take many at once.

use tokio::sync::mpsc::error::{TryRecvError, TrySendError};
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::{Channel, Closed};
use crate::message::Message;

pub(crate) struct TokioMpsc;

impl Channel for TokioMpsc {
    type Sender<T: Message> = Sender<T>;
    /// And what many at once are taken by.
    type Receiver<T: Message> = (Receiver<T>, Vec<T>);

    fn bounded<T: Message>(capacity: usize) -> (Sender<T>, Self::Receiver<T>) {
        let (sender, receiver) = channel(capacity);
        (sender, (receiver, Vec::with_capacity(capacity)))
    }

    #[inline]
    fn send<T: Message>(to: &Sender<T>, value: T) -> Result<(), Closed> {
        to.blocking_send(value).map_err(|_| Closed)
    }

    #[inline]
    fn try_send<T: Message>(to: &Sender<T>, value: T) -> Result<bool, Closed> {
        match to.try_send(value) {
            Ok(()) => Ok(true),
            Err(TrySendError::Full(_)) => Ok(false),
            Err(TrySendError::Closed(_)) => Err(Closed),
        }
    }

    #[inline]
    fn recv<T: Message>((from, _): &mut Self::Receiver<T>) -> Result<T, Closed> {
        from.blocking_recv().ok_or(Closed)
    }

    #[inline]
    fn try_recv<T: Message>((from, _): &mut Self::Receiver<T>) -> Result<Option<T>, Closed> {
        match from.try_recv() {
            Ok(value) => Ok(Some(value)),
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::Disconnected) => Err(Closed),
        }
    }

    #[inline]
    fn take<T: Message>(
        (from, values): &mut Self::Receiver<T>,
        max: usize,
        take: impl FnMut(T),
    ) -> usize {
        // Whether it would wait.
        if max == 0 || from.is_empty() {
            return 0;
        }
        let taken = from.blocking_recv_many(values, max);
        values.drain(..).for_each(take);
        taken
    }
}
