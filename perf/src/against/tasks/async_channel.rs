//! async-channel: of no runtime, with any number of receivers; smol's own.

use async_channel::{Receiver, Sender, bounded};

use super::{TaskContender, TaskReceiver, TaskSender};
use crate::against::Closed;
use crate::failure::Failure;
use crate::message::Message;
use crate::scenario::Load;

pub(crate) struct AsyncChannel {
    capacity: usize,
}

impl TaskContender for AsyncChannel {
    type Sender<T: Message> = Sender<T>;
    type Receiver<T: Message> = Receiver<T>;

    fn set_up(load: &Load) -> Result<Self, Failure> {
        Ok(Self { capacity: load.capacity })
    }

    fn channel<T: Message>(&self, senders: usize) -> (Vec<Sender<T>>, Receiver<T>) {
        let (sender, receiver) = bounded(self.capacity);
        (vec![sender; senders], receiver)
    }
}

impl<T: Message> TaskSender<T> for Sender<T> {
    #[inline]
    async fn send(&mut self, value: T) -> Result<(), Closed> {
        Self::send(self, value).await.map_err(|_| Closed)
    }
}

impl<T: Message> TaskReceiver<T> for Receiver<T> {
    #[inline]
    async fn recv(&mut self) -> Result<T, Closed> {
        Self::recv(self).await.map_err(|_| Closed)
    }
}
