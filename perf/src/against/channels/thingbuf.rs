//! thingbuf's blocking channel: a ring whose slots keep their values, so what is received leaves
//! another behind. Ours need no care: what is sent overwrites it.

use thingbuf::Recycle;
use thingbuf::mpsc::blocking::{Receiver, Sender, with_recycle};
use thingbuf::mpsc::errors::{TryRecvError, TrySendError};

use super::{Channel, Closed};
use crate::message::Message;

pub(crate) struct Thingbuf;

/// Leaves in a slot what is in it.
pub(crate) struct AsItIs;

impl<T: Message> Recycle<T> for AsItIs {
    #[inline]
    fn new_element(&self) -> T {
        T::of(0)
    }

    #[inline]
    fn recycle(&self, _element: &mut T) {}
}

impl Channel for Thingbuf {
    type Sender<T: Message> = Sender<T, AsItIs>;
    type Receiver<T: Message> = Receiver<T, AsItIs>;

    fn bounded<T: Message>(capacity: usize) -> (Self::Sender<T>, Self::Receiver<T>) {
        with_recycle(capacity, AsItIs)
    }

    #[inline]
    fn send<T: Message>(to: &Self::Sender<T>, value: T) -> Result<(), Closed> {
        let mut slot = to.send_ref().map_err(|_| Closed)?;
        *slot = value;
        Ok(())
    }

    #[inline]
    fn try_send<T: Message>(to: &Self::Sender<T>, value: T) -> Result<bool, Closed> {
        match to.try_send_ref() {
            Ok(mut slot) => {
                *slot = value;
                Ok(true)
            }
            Err(TrySendError::Full(())) => Ok(false),
            Err(_) => Err(Closed),
        }
    }

    #[inline]
    fn recv<T: Message>(from: &mut Self::Receiver<T>) -> Result<T, Closed> {
        from.recv_ref().map(|slot| *slot).ok_or(Closed)
    }

    #[inline]
    fn try_recv<T: Message>(from: &mut Self::Receiver<T>) -> Result<Option<T>, Closed> {
        match from.try_recv_ref() {
            Ok(slot) => Ok(Some(*slot)),
            Err(TryRecvError::Empty) => Ok(None),
            Err(_) => Err(Closed),
        }
    }
}
