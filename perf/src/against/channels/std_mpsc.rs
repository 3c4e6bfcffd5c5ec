//! The standard library's channel, bounded.

use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, TrySendError, sync_channel};

use super::{Channel, Closed};
use crate::message::Message;

pub(crate) struct Std;

impl Channel for Std {
    type Sender<T: Message> = SyncSender<T>;
    type Receiver<T: Message> = Receiver<T>;

    fn bounded<T: Message>(capacity: usize) -> (SyncSender<T>, Receiver<T>) {
        sync_channel(capacity)
    }

    #[inline]
    fn send<T: Message>(to: &SyncSender<T>, value: T) -> Result<(), Closed> {
        to.send(value).map_err(|_| Closed)
    }

    #[inline]
    fn try_send<T: Message>(to: &SyncSender<T>, value: T) -> Result<bool, Closed> {
        match to.try_send(value) {
            Ok(()) => Ok(true),
            Err(TrySendError::Full(_)) => Ok(false),
            Err(TrySendError::Disconnected(_)) => Err(Closed),
        }
    }

    #[inline]
    fn recv<T: Message>(from: &mut Receiver<T>) -> Result<T, Closed> {
        from.recv().map_err(|_| Closed)
    }

    #[inline]
    fn try_recv<T: Message>(from: &mut Receiver<T>) -> Result<Option<T>, Closed> {
        match from.try_recv() {
            Ok(value) => Ok(Some(value)),
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::Disconnected) => Err(Closed),
        }
    }
}
