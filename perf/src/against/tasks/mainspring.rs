//! Ours: a lane for each sender, an engine for each run.

use super::{TaskAnswer, TaskContender, TaskReceiver, TaskReply, TaskSender};
use crate::against::{Closed, Contender, Mainspring};
use crate::failure::Failure;
use crate::message::Message;
use crate::scenario::Load;

impl TaskContender for Mainspring {
    type Sender<T: Send + 'static> = mainspring::Sender<T>;
    type Receiver<T: Send + 'static> = mainspring::Receiver<T>;

    fn set_up(load: &Load) -> Result<Self, Failure> {
        <Self as Contender>::set_up(load)
    }

    fn channel<T: Send + 'static>(
        &self,
        senders: usize,
    ) -> (Vec<mainspring::Sender<T>>, mainspring::Receiver<T>) {
        let (sender, receiver) = self.0.channel();
        (std::iter::repeat_n(sender, senders).collect(), receiver)
    }

    fn reply<T: Message>(&self) -> (impl TaskReply<T> + use<T>, impl TaskAnswer<T> + use<T>) {
        self.0.reply()
    }
}

impl<T: Send + 'static> TaskSender<T> for mainspring::Sender<T> {
    #[inline]
    async fn send(&mut self, value: T) -> Result<(), Closed> {
        self.send_async(value).await.map_err(|_| Closed)
    }
}

impl<T: Send + 'static> TaskReceiver<T> for mainspring::Receiver<T> {
    #[inline]
    async fn recv(&mut self) -> Result<T, Closed> {
        self.recv_async().await.map(|(_, value)| value).map_err(|_| Closed)
    }
}

impl<T: Message> TaskReply<T> for mainspring::Reply<T> {
    #[inline]
    fn send(self, value: T) -> Result<(), Closed> {
        Self::send(self, value).map_err(|_| Closed)
    }
}

impl<T: Message> TaskAnswer<T> for mainspring::Answer<T> {
    #[inline]
    async fn wait(self) -> Result<T, Closed> {
        self.await.map(|(_, value)| value).map_err(|_| Closed)
    }
}
