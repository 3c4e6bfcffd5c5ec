//! Tasks that send to one, a message an `.await`: on two workers, or all on one thread.
//!
//! ```text
//!  S ──┐
//!  S ──┼─▶ R      (each a task)
//!  S ──┘
//! ```

use super::tasks::{TaskTopology, place};
use super::{Figure, Load, flow};
use crate::against::tasks::{TaskContender, TaskReceiver, TaskSender};
use crate::crew::Report;
use crate::failure::Failure;
use crate::message::{Due, Message, values};
use crate::task_crew::TaskCrew;

pub(crate) struct AsyncManyToOne<const SENDERS: usize, const LOCAL: bool>;

impl<const SENDERS: usize, const LOCAL: bool> TaskTopology for AsyncManyToOne<SENDERS, LOCAL> {
    fn run<C: TaskContender, T: Message>(load: &Load) -> Result<Vec<Figure>, Failure> {
        let authors = (0..SENDERS).map(|author| values(author, load.share(SENDERS)));
        let due = Due::from::<T>(authors.clone());
        let contender = C::set_up(load)?;
        let (senders, mut receiver) = contender.channel::<T>(SENDERS);
        let mut crew = TaskCrew::new(SENDERS + 1, load.settle, place(LOCAL))?;
        for (mut sender, values) in senders.into_iter().zip(authors) {
            crew.hire(async move |start| {
                sender.send(T::of(flow::WARM_UP)).await?;
                let began = start.wait().await;
                for value in values {
                    sender.send(T::of(value)).await?;
                }
                Ok(Report::open_ended(began, ()))
            });
        }
        crew.hire(async move |start| {
            for _ in 0..SENDERS {
                receiver.recv().await?;
            }
            let began = start.wait().await;
            let mut sum = 0_u64;
            for _ in 0..due.count {
                sum = sum.wrapping_add(receiver.recv().await?.weight());
            }
            due.check(sum)?;
            Ok(Report::of(began, ()))
        });
        let (took, _) = crew.finish(load.patience())?;
        Ok(vec![Figure::per_message(took, due.count)])
    }
}
