//! Ours: a lane for each sender, an engine for each run.

use super::{TaskContender, TaskReceiver, TaskSender};
use crate::against::{Closed, Contender, Mainspring};
use crate::failure::Failure;
use crate::message::Message;
use crate::scenario::Load;

impl TaskContender for Mainspring {
    type Sender<T: Message> = mainspring::Sender<T>;
    type Receiver<T: Message> = mainspring::Receiver<T>;

    fn set_up(load: &Load) -> Result<Self, Failure> {
        <Self as Contender>::set_up(load)
    }

    fn channel<T: Message>(
        &self,
        senders: usize,
    ) -> (Vec<mainspring::Sender<T>>, mainspring::Receiver<T>) {
        let (sender, receiver) = self.0.channel();
        (vec![sender; senders], receiver)
    }
}

impl<T: Message> TaskSender<T> for mainspring::Sender<T> {
    #[inline]
    async fn send(&mut self, value: T) -> Result<(), Closed> {
        self.send_async(value).await.map_err(|_| Closed)
    }
}

impl<T: Message> TaskReceiver<T> for mainspring::Receiver<T> {
    #[inline]
    async fn recv(&mut self) -> Result<T, Closed> {
        self.recv_async().await.map(|(_, value)| value).map_err(|_| Closed)
    }
}
