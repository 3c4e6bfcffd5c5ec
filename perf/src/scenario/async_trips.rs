//! A task asks, another answers over a second channel, and the first waits for it: one request at a time, so both sleep
//! for most of the time, unless their runtime has them on one thread.
//!
//! ```text
//!  A ───▶ B      (tasks)
//!    ◀───
//! ```
//!
//! Or the request carries what its answer is to be sent by, which serves once: then nobody needs a second channel.

use std::time::Instant;

use super::tasks::{TaskTopology, place};
use super::{Figure, Load, Measure, trips};
use crate::against::tasks::{TaskAnswer, TaskContender, TaskReceiver, TaskReply, TaskSender};
use crate::crew::Report;
use crate::failure::Failure;
use crate::message::{Due, Message};
use crate::task_crew::{Place, TaskCrew};

const WARM_UP_TRIPS: u64 = 100;

pub(crate) struct AsyncRequestReply<const LOCAL: bool>;

impl<const LOCAL: bool> TaskTopology for AsyncRequestReply<LOCAL> {
    fn run<C: TaskContender, T: Message>(load: &Load) -> Result<Vec<Figure>, Failure> {
        let contender = C::set_up(load)?;
        let (mut requests, mut at_server) = contender.channel::<T>(1);
        let (mut replies, mut at_client) = contender.channel::<T>(1);
        let (Some(mut request), Some(mut reply)) = (requests.pop(), replies.pop()) else {
            return Err(Failure::SetUp("it has no sender".into()));
        };
        let trips = load.share(1);
        let mut crew = TaskCrew::new(2, load.settle, place(LOCAL))?;
        crew.hire(async move |start| {
            let mut trips_ns = trips::histogram()?;
            for trip in 0..WARM_UP_TRIPS {
                round_trip(&mut request, &mut at_client, T::of(trip)).await?;
            }
            let start = start.wait().await;
            let mut began = start;
            for trip in 0..trips {
                round_trip(&mut request, &mut at_client, T::of(trip)).await?;
                let ended = Instant::now();
                trips_ns.saturating_record((ended - began).as_nanos() as u64);
                began = ended;
            }
            Ok(Report::of(start, Some(trips_ns)))
        });
        crew.hire(async move |start| {
            for _ in 0..WARM_UP_TRIPS {
                reply.send(at_server.recv().await?).await?;
            }
            let start = start.wait().await;
            for _ in 0..trips {
                reply.send(at_server.recv().await?).await?;
            }
            Ok(Report::of(start, None))
        });
        let (_, found) = crew.finish(load.patience())?;
        let measures = [(Measure::RoundTrip, 0.5), (Measure::RoundTrip99, 0.99)];
        let found = found.into_iter().flatten();
        Ok(found.flat_map(|trips_ns| trips::figures(&trips_ns, measures)).collect())
    }
}

/// The same where the request carries its reply.
pub(crate) struct AsyncAsk<const LOCAL: bool>;

impl<const LOCAL: bool> TaskTopology for AsyncAsk<LOCAL> {
    fn run<C: TaskContender, T: Message>(load: &Load) -> Result<Vec<Figure>, Failure> {
        let contender = C::set_up(load)?;
        ask_with(contender, C::reply::<T>, load, place(LOCAL))
    }
}

fn ask_with<C, T, S, A>(
    contender: C,
    reply: impl Fn(&C) -> (S, A) + Send + 'static,
    load: &Load,
    place: Place,
) -> Result<Vec<Figure>, Failure>
where
    C: TaskContender,
    T: Message,
    S: TaskReply<T>,
    A: TaskAnswer<T>,
{
    let (mut requests, mut at_server) = contender.channel::<(T, S)>(1);
    let Some(mut request) = requests.pop() else {
        return Err(Failure::SetUp("it has no sender".into()));
    };
    let trips = load.share(1);
    let mut crew = TaskCrew::new(2, load.settle, place)?;
    crew.hire(async move |start| {
        let mut trips_ns = trips::histogram()?;
        for trip in 0..WARM_UP_TRIPS {
            ask(&mut request, reply(&contender), T::of(trip)).await?;
        }
        let start = start.wait().await;
        let mut began = start;
        for trip in 0..trips {
            ask(&mut request, reply(&contender), T::of(trip)).await?;
            let ended = Instant::now();
            trips_ns.saturating_record((ended - began).as_nanos() as u64);
            began = ended;
        }
        Ok(Report::of(start, Some(trips_ns)))
    });
    crew.hire(async move |start| {
        for _ in 0..WARM_UP_TRIPS {
            let (question, reply) = at_server.recv().await?;
            reply.send(question)?;
        }
        let start = start.wait().await;
        for _ in 0..trips {
            let (question, reply) = at_server.recv().await?;
            reply.send(question)?;
        }
        Ok(Report::of(start, None))
    });
    let (_, found) = crew.finish(load.patience())?;
    let measures = [(Measure::RoundTrip, 0.5), (Measure::RoundTrip99, 0.99)];
    let found = found.into_iter().flatten();
    Ok(found.flat_map(|trips_ns| trips::figures(&trips_ns, measures)).collect())
}

/// Asks, and waits for the answer, which is the question unaltered.
#[inline]
async fn ask<T: Message, S>(
    request: &mut impl TaskSender<(T, S)>,
    (reply, answer): (S, impl TaskAnswer<T>),
    question: T,
) -> Result<(), Failure> {
    request.send((question, reply)).await?;
    let due = Due { count: 1, sum: question.weight() };
    due.check(answer.wait().await?.weight())
}

/// Asks, and waits for the answer, which is the question unaltered.
#[inline]
async fn round_trip<T: Message>(
    request: &mut impl TaskSender<T>,
    at_client: &mut impl TaskReceiver<T>,
    question: T,
) -> Result<(), Failure> {
    request.send(question).await?;
    let due = Due { count: 1, sum: question.weight() };
    due.check(at_client.recv().await?.weight())
}
