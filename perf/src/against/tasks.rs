//! Those whose channels tasks use: any number of senders, one receiver, bounded; a message an `.await`.
//!
//! A new one: its file here, with `impl TaskContender`, a line in `run` of `scenario/tasks.rs`, and its name in
//! [`Who::TASKS`](super::Who::TASKS).

mod async_channel;
mod flume;
mod mainspring;
mod tokio_mpsc;

pub(crate) use self::async_channel::AsyncChannel;
pub(crate) use self::flume::Flume;
pub(crate) use self::tokio_mpsc::TokioMpsc;

use tokio::sync::oneshot;

use super::Closed;
use crate::failure::Failure;
use crate::message::Message;
use crate::scenario::Load;

/// One way to carry messages between tasks. A value of it serves one run.
pub(crate) trait TaskContender: Sized + Send + Sync + 'static {
    type Sender<T: Send + 'static>: TaskSender<T>;
    type Receiver<T: Send + 'static>: TaskReceiver<T>;

    fn set_up(load: &Load) -> Result<Self, Failure>;

    /// A channel of the load's capacity.
    fn channel<T: Send + 'static>(
        &self,
        senders: usize,
    ) -> (Vec<Self::Sender<T>>, Self::Receiver<T>);

    /// One answer, and what it is waited for by. Those who have nothing of their own for that take tokio's.
    fn reply<T: Message>(
        &self,
    ) -> (impl TaskReply<T> + use<T, Self>, impl TaskAnswer<T> + use<T, Self>) {
        oneshot::channel()
    }
}

/// Waits while there is no room.
pub(crate) trait TaskSender<T>: Send + 'static {
    fn send(&mut self, value: T) -> impl Future<Output = Result<(), Closed>> + Send;
}

/// Waits while there is nothing.
pub(crate) trait TaskReceiver<T>: Send + 'static {
    fn recv(&mut self) -> impl Future<Output = Result<T, Closed>> + Send;
}

/// Answers a request that carries it.
pub(crate) trait TaskReply<T>: Send + 'static {
    fn send(self, value: T) -> Result<(), Closed>;
}

pub(crate) trait TaskAnswer<T>: Send + 'static {
    fn wait(self) -> impl Future<Output = Result<T, Closed>> + Send;
}

impl<T: Message> TaskReply<T> for oneshot::Sender<T> {
    #[inline]
    fn send(self, value: T) -> Result<(), Closed> {
        Self::send(self, value).map_err(|_| Closed)
    }
}

impl<T: Message> TaskAnswer<T> for oneshot::Receiver<T> {
    #[inline]
    async fn wait(self) -> Result<T, Closed> {
        self.await.map_err(|_| Closed)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::against::{Mainspring, Who};
    use crate::crew::Report;
    use crate::task_crew::{Place, TaskCrew};

    const SENDERS: u64 = 3;
    const EACH: u64 = 1_000;

    /// Through channels that hold much less.
    fn each_sender_is_received_in_order<C: TaskContender>(who: Who, place: Place) {
        let load = Load { thread: who.thread(), ..Load::of(16) };
        let contender = C::set_up(&load).unwrap();
        let (senders, mut receiver) = contender.channel::<u64>(SENDERS as usize);
        let mut crew = TaskCrew::new(SENDERS as usize + 1, Duration::ZERO, place).unwrap();
        for (author, mut sender) in (0..).zip(senders) {
            crew.hire(async move |start| {
                let began = start.wait().await;
                for value in 0..EACH {
                    sender.send(author * EACH + value).await?;
                }
                Ok(Report::of(began, 0))
            });
        }
        crew.hire(async move |start| {
            let began = start.wait().await;
            let mut due = [0; SENDERS as usize];
            while let Ok(value) = receiver.recv().await {
                let due = &mut due[(value / EACH) as usize];
                assert_eq!(value % EACH, *due);
                *due += 1;
            }
            Ok(Report::of(began, due.iter().sum()))
        });
        let (_, received) = crew.finish(Duration::from_secs(60)).unwrap();
        assert_eq!(received.iter().sum::<u64>(), SENDERS * EACH);
    }

    #[test]
    fn tasks_receive_all_in_order_until_the_end() {
        for place in [Place::TwoWorkers, Place::OneThread] {
            each_sender_is_received_in_order::<Mainspring>(Who::Mainspring, place);
            each_sender_is_received_in_order::<Mainspring>(Who::Thread, place);
            each_sender_is_received_in_order::<TokioMpsc>(Who::TokioMpsc, place);
            each_sender_is_received_in_order::<Flume>(Who::Flume, place);
            each_sender_is_received_in_order::<AsyncChannel>(Who::AsyncChannel, place);
        }
    }
}
