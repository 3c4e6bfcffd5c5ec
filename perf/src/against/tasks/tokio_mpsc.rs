//! tokio's channel of many senders and one receiver: what those who are on tokio use.

use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::{TaskContender, TaskReceiver, TaskSender};
use crate::against::Closed;
use crate::failure::Failure;
use crate::scenario::Load;

pub(crate) struct TokioMpsc {
    capacity: usize,
}

impl TaskContender for TokioMpsc {
    type Sender<T: Send + 'static> = Sender<T>;
    type Receiver<T: Send + 'static> = Receiver<T>;

    fn set_up(load: &Load) -> Result<Self, Failure> {
        Ok(Self { capacity: load.capacity })
    }

    fn channel<T: Send + 'static>(&self, senders: usize) -> (Vec<Sender<T>>, Receiver<T>) {
        let (sender, receiver) = channel(self.capacity);
        (std::iter::repeat_n(sender, senders).collect(), receiver)
    }
}

impl<T: Send + 'static> TaskSender<T> for Sender<T> {
    #[inline]
    async fn send(&mut self, value: T) -> Result<(), Closed> {
        Self::send(self, value).await.map_err(|_| Closed)
    }
}

impl<T: Send + 'static> TaskReceiver<T> for Receiver<T> {
    #[inline]
    async fn recv(&mut self) -> Result<T, Closed> {
        Self::recv(self).await.ok_or(Closed)
    }
}
