//! Scenarios whose ends are tasks of one tokio runtime: which contender runs them, and where.

use super::{Figure, Load};
use crate::against::tasks::{AsyncChannel, Flume, TaskContender, TokioMpsc};
use crate::against::{Mainspring, Who, unable};
use crate::failure::Failure;
use crate::message::{Message, Payload};
use crate::task_crew::Place;

/// Who sends to whom, as tasks.
pub(crate) trait TaskTopology {
    /// One run: from the moment at which all are ready until all receivers have everything.
    fn run<C: TaskContender, T: Message>(load: &Load) -> Result<Vec<Figure>, Failure>;
}

pub(super) fn run<S: TaskTopology>(
    who: Who,
    payload: Payload,
    load: &Load,
) -> Result<Vec<Figure>, Failure> {
    match who {
        Who::Mainspring | Who::Thread | Who::Yield => run_with::<S, Mainspring>(payload, load),
        Who::TokioMpsc => run_with::<S, TokioMpsc>(payload, load),
        Who::Flume => run_with::<S, Flume>(payload, load),
        Who::AsyncChannel => run_with::<S, AsyncChannel>(payload, load),
        _ => Err(unable()),
    }
}

fn run_with<S: TaskTopology, C: TaskContender>(
    payload: Payload,
    load: &Load,
) -> Result<Vec<Figure>, Failure> {
    match payload {
        Payload::Word => S::run::<C, u64>(load),
        Payload::Line | Payload::Page => Err(unable()),
    }
}

/// Whether all are on one thread.
pub(super) const fn place(is_local: bool) -> Place {
    if is_local { Place::OneThread } else { Place::TwoWorkers }
}
