//! flume: one kind of channel for threads and tasks, with any number of receivers.

use flume::{Receiver, Sender, bounded};

use super::{TaskContender, TaskReceiver, TaskSender};
use crate::against::Closed;
use crate::failure::Failure;
use crate::scenario::Load;

pub(crate) struct Flume {
    capacity: usize,
}

impl TaskContender for Flume {
    type Sender<T: Send + 'static> = Sender<T>;
    type Receiver<T: Send + 'static> = Receiver<T>;

    fn set_up(load: &Load) -> Result<Self, Failure> {
        Ok(Self { capacity: load.capacity })
    }

    fn channel<T: Send + 'static>(&self, senders: usize) -> (Vec<Sender<T>>, Receiver<T>) {
        let (sender, receiver) = bounded(self.capacity);
        (std::iter::repeat_n(sender, senders).collect(), receiver)
    }
}

impl<T: Send + 'static> TaskSender<T> for Sender<T> {
    #[inline]
    async fn send(&mut self, value: T) -> Result<(), Closed> {
        self.send_async(value).await.map_err(|_| Closed)
    }
}

impl<T: Send + 'static> TaskReceiver<T> for Receiver<T> {
    #[inline]
    async fn recv(&mut self) -> Result<T, Closed> {
        self.recv_async().await.map_err(|_| Closed)
    }
}
