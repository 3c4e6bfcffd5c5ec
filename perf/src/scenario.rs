//! What is measured: one file for each topology, generic over contender and message.
//!
//! A new one: its file here, with `impl Topology`, and a line in [`ALL`].
//!
//! Some have *settings*: the same stream alone, and beside something that should not concern it. A
//! setting is a run of its own; the settings of a contender alternate like the contenders.

mod async_flow;
mod async_trips;
mod broadcast;
mod busy_receiver;
mod bystanders;
mod chosen;
mod churn;
mod dispatch;
mod flow;
mod idle_wakeup;
mod latency_under_load;
mod many_to_many;
mod many_to_many_random;
mod many_to_one;
mod marks;
mod merged;
mod one_to_one;
mod parked_neighbours;
mod ping_pong;
mod ping_pong_events;
mod ping_pong_parked;
mod publishes;
mod same_thread;
mod slow_receiver;
mod staged;
mod tasks;
mod thousand_lanes;
mod total_order;
mod trips;

use std::time::Duration;

use mainspring::Idle;

use self::async_flow::AsyncManyToOne;
use self::async_trips::{AsyncAsk, AsyncRequestReply};
use self::broadcast::Broadcast;
use self::busy_receiver::BusyReceiver;
use self::chosen::Chosen;
use self::churn::Churn;
use self::idle_wakeup::IdleWakeup;
use self::latency_under_load::LatencyUnderLoad;
use self::many_to_many::ManyToMany;
use self::many_to_many_random::ManyToManyRandom;
use self::many_to_one::ManyToOne;
use self::marks::Marks;
use self::merged::Merged;
use self::one_to_one::OneToOne;
use self::parked_neighbours::ParkedNeighbours;
use self::ping_pong::PingPong;
use self::ping_pong_events::PingPongEvents;
use self::ping_pong_parked::PingPongParked;
use self::publishes::Publishes;
use self::same_thread::SameThread;
use self::slow_receiver::SlowReceiver;
use self::staged::{Diamond, Pipeline};
use self::tasks::TaskTopology;
use self::thousand_lanes::ThousandLanes;
use self::total_order::TotalOrder;
use crate::against::{Contender, Who};
use crate::failure::Failure;
use crate::message::{Message, Payload};

/// As many are sent at once in the batched form.
pub(crate) const BATCH: usize = 32;
/// As many are received at once in the batched form, at most.
const BATCH_RECEIVED: usize = 64;

/// All of them, in the order in which they are run.
pub(crate) static ALL: [Scenario; 36] = [
    Scenario::of::<OneToOne>("one-to-one", "one sender, one receiver", 2_000_000),
    Scenario::of::<ManyToOne<4>>("many-to-one-4", "four senders, one receiver", 2_000_000),
    Scenario::of::<ManyToOne<8>>("many-to-one-8", "eight senders, one receiver", 2_000_000),
    Scenario::of::<ManyToMany<4>>(
        "many-to-many",
        "four senders, each with a receiver of its own",
        2_000_000,
    ),
    Scenario::of::<ManyToManyRandom<4>>(
        "many-to-many-random",
        "four authors, each message or batch to one of four receivers at random",
        2_000_000,
    ),
    Scenario::of::<Broadcast<false>>(
        "broadcast",
        "one author, each message to all of four receivers",
        1_000_000,
    ),
    Scenario::of::<Broadcast<true>>(
        "broadcast-by-ref",
        "the same, read where it lies (recv_ref)",
        1_000_000,
    ),
    Scenario::of::<Merged>(
        "merge",
        "four authors of two types, received as one stream by one thread",
        2_000_000,
    ),
    Scenario::of::<Diamond>(
        "diamond",
        "one author, two receivers of each message, and a third behind both",
        1_000_000,
    ),
    Scenario::of::<Pipeline>(
        "pipeline",
        "one author, three receivers of each message, one behind the other",
        1_000_000,
    ),
    Scenario::of::<Chosen<true>>(
        "keyed",
        "one author, each message to the one of four receivers that its key chooses",
        1_000_000,
    ),
    Scenario::of::<Chosen<false>>(
        "by-turn",
        "the same, to one receiver after the other, those with room first",
        1_000_000,
    ),
    Scenario::of::<SameThread<1>>(
        "same-thread",
        "one thread sends and receives in turn",
        2_000_000,
    ),
    Scenario::of::<SameThread<64>>(
        "same-thread-burst",
        "one thread sends 64, then receives them",
        2_000_000,
    ),
    Scenario::of::<TotalOrder<1>>(
        "total-order",
        "four authors, one receiver; each message carries a dense number of one order",
        1_000_000,
    ),
    Scenario::of::<TotalOrder<4>>(
        "total-order-4",
        "four authors, each with a receiver of its own; the numbers are of one order of all",
        1_000_000,
    ),
    Scenario::of::<PingPong>("ping-pong", "there and back, both sides awake", 100_000),
    Scenario::of::<PingPongEvents>(
        "ping-pong-events",
        "the same, ours told of the clock, too (recv_event)",
        100_000,
    ),
    Scenario::of::<PingPongParked>(
        "ping-pong-parked",
        "one way at a time, to a side that has fallen asleep",
        1_500,
    ),
    Scenario::of::<IdleWakeup>(
        "idle-wakeup",
        "one way, to a receiver that has slept for 5 ms; and what the send takes that wakes it",
        60,
    ),
    Scenario::of::<LatencyUnderLoad>(
        "latency-under-load",
        "one to one, an open loop at parts of each contender's own capacity, from when each is due",
        200_000,
    ),
    Scenario::of::<ParkedNeighbours>(
        "parked-neighbours",
        "one to one, beside receivers that sleep",
        4_000_000,
    ),
    Scenario::of::<SlowReceiver>(
        "slow-receiver",
        "one to one, beside a receiver that never receives",
        4_000_000,
    ),
    Scenario::of::<ThousandLanes>(
        "thousand-lanes",
        "eight to one, beside 9,992 idle lanes of 1,000 receivers",
        4_000_000,
    ),
    Scenario::of::<Marks>(
        "marks",
        "a number without a message: mark(), beside a lock in which one counts",
        1_000_000,
    ),
    Scenario::of::<Publishes>(
        "publishes",
        "a state is published whose readers wait for it to change",
        500_000,
    ),
    Scenario::of::<Churn>("churn", "one to one, while others join and leave", 2_000_000),
    Scenario::of::<BusyReceiver>(
        "busy-receiver",
        "from a send until the clock covers it, while the receiver works 500 µs and does not ask",
        300,
    ),
    Scenario::of_tasks::<AsyncManyToOne<1, false>>(
        "async-one-to-one",
        "one task sends, one receives, a message an .await, on tokio with two workers",
        1_000_000,
    ),
    Scenario::of_tasks::<AsyncManyToOne<4, false>>(
        "async-four-to-one",
        "four tasks send, one receives, on tokio with two workers",
        1_000_000,
    ),
    Scenario::of_tasks::<AsyncRequestReply<false>>(
        "async-request-reply",
        "a task asks, another answers over a second channel, on tokio with two workers",
        40_000,
    ),
    Scenario::of_tasks::<AsyncAsk<false>>(
        "async-ask",
        "a task asks, and the request carries what it is answered by, on tokio with two workers",
        40_000,
    ),
    Scenario::of_tasks::<AsyncManyToOne<1, true>>(
        "local-one-to-one",
        "as async-one-to-one, all on one thread (tokio's current-thread runtime)",
        1_000_000,
    ),
    Scenario::of_tasks::<AsyncManyToOne<4, true>>(
        "local-four-to-one",
        "as async-four-to-one, all on one thread",
        1_000_000,
    ),
    Scenario::of_tasks::<AsyncRequestReply<true>>(
        "local-request-reply",
        "as async-request-reply, all on one thread",
        100_000,
    ),
    Scenario::of_tasks::<AsyncAsk<true>>("local-ask", "as async-ask, all on one thread", 100_000),
];

/// A topology by its name.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    /// How many messages a run has, unless told otherwise.
    pub(crate) messages: u64,
    pub(crate) who: &'static [Who],
    pub(crate) payloads: &'static [Payload],
    pub(crate) batches: &'static [usize],
    pub(crate) settings: &'static [&'static str],
    run: fn(Who, Payload, &Load) -> Result<Vec<Figure>, Failure>,
}

impl Scenario {
    const fn of<S: Topology>(name: &'static str, about: &'static str, messages: u64) -> Self {
        Self {
            name,
            about,
            messages,
            who: S::WHO,
            payloads: S::PAYLOADS,
            batches: S::BATCHES,
            settings: S::SETTINGS,
            run: dispatch::run::<S>,
        }
    }

    const fn of_tasks<S: TaskTopology>(
        name: &'static str,
        about: &'static str,
        messages: u64,
    ) -> Self {
        Self {
            name,
            about,
            messages,
            who: &Who::TASKS,
            payloads: &[Payload::Word],
            batches: &[1],
            settings: &[ALONE],
            run: tasks::run::<S>,
        }
    }

    /// Whether the first setting is what the others are compared with.
    pub(crate) fn has_alone(&self) -> bool {
        self.settings.first() == Some(&ALONE)
    }

    /// One run.
    pub(crate) fn run(
        &self,
        who: Who,
        payload: Payload,
        load: &Load,
    ) -> Result<Vec<Figure>, Failure> {
        (self.run)(who, payload, &Load { thread: who.thread(), ..*load })
    }
}

/// The setting that has nothing beside it: the first of those that have several, the only one of
/// the others.
const ALONE: &str = "alone";

/// Who sends to whom.
pub(crate) trait Topology {
    /// Who can do this work.
    const WHO: &'static [Who] = &[Who::Mainspring, Who::Crossbeam];
    const PAYLOADS: &'static [Payload] = &Payload::ALL;
    const BATCHES: &'static [usize] = &[1, BATCH];
    /// What the stream is beside; then the first has to be [`ALONE`]. Or how much of something there is.
    const SETTINGS: &'static [&'static str] = &[ALONE];

    /// One run: from the moment at which all are ready until all receivers have everything.
    fn run<C: Contender, T: Message>(load: &Load) -> Result<Vec<Figure>, Failure>;
}

/// How much is sent in a run, and in which form.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    /// Of each channel.
    pub(crate) capacity: usize,
    /// In all.
    pub(crate) messages: u64,
    /// 1: one by one.
    pub(crate) batch: usize,
    /// Which of the scenario's settings.
    pub(crate) setting: usize,
    /// What the thread that drives ours does when idle; none where whoever waits drives. Overwritten by each
    /// contender's.
    pub(crate) thread: Option<Idle>,
    /// How long the threads are busy before they start.
    pub(crate) settle: Duration,
}

impl Load {
    /// A small one.
    #[cfg(test)]
    pub(crate) fn of(capacity: usize) -> Self {
        Self { capacity, messages: 640, batch: 1, setting: 0, thread: None, settle: Duration::ZERO }
    }

    /// The part of one of several authors.
    fn share(&self, authors: usize) -> u64 {
        (self.messages / authors as u64).max(1)
    }

    /// A run that takes longer than this hangs: 10 µs a message are a thousand times what is usual.
    fn patience(&self) -> Duration {
        Duration::from_secs(30) + Duration::from_micros(10 * self.messages)
    }
}

/// What a number says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Measure {
    PerMessage,
    RoundTrip,
    RoundTrip99,
    OneWay,
    OneWay99,
    PerVisit,
    Covered,
    Covered99,
    Send,
    Interval,
    Latency50,
    Latency90,
    Latency99,
    Latency999,
    Latency9999,
    PerMark,
    PerState,
}

impl Measure {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::PerMessage => "message",
            Self::RoundTrip => "trip p50",
            Self::RoundTrip99 => "trip p99",
            Self::OneWay => "way p50",
            Self::OneWay99 => "way p99",
            Self::PerVisit => "visit",
            Self::Covered => "clock p50",
            Self::Covered99 => "clock p99",
            Self::Send => "send p50",
            Self::Interval => "interval",
            Self::Latency50 => "latency p50",
            Self::Latency90 => "latency p90",
            Self::Latency99 => "latency p99",
            Self::Latency999 => "latency p99.9",
            Self::Latency9999 => "latency p99.99",
            Self::PerMark => "mark",
            Self::PerState => "state",
        }
    }
}

/// A result of one run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Figure {
    pub(crate) measure: Measure,
    pub(crate) ns: f64,
}

impl Figure {
    fn per_message(took: Duration, messages: u64) -> Self {
        Self::per(Measure::PerMessage, took, messages)
    }

    fn per(measure: Measure, took: Duration, count: u64) -> Self {
        Self { measure, ns: took.as_nanos() as f64 / count as f64 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_scenario_has_us_first_and_each_of_them_once() {
        for Scenario { name, who, .. } in &ALL {
            assert_eq!(who.first(), Some(&Who::Mainspring), "{name}");
            for (nth, one) in who.iter().enumerate() {
                assert!(!who[..nth].contains(one), "{one:?} twice in {name}");
            }
        }
    }

    #[test]
    fn each_is_alone_first_unless_its_settings_are_loads() {
        for scenario in &ALL {
            let is_graded = scenario.name == "latency-under-load";
            assert_eq!(scenario.has_alone(), !is_graded, "{}", scenario.name);
        }
    }

    #[test]
    fn who_says_that_it_can_do_something_can() {
        for scenario in &ALL {
            for who in scenario.who {
                let (batch, setting) = (scenario.batches[0], scenario.settings.len() - 1);
                let load = Load { batch, setting, ..Load::of(64) };
                let figures = scenario.run(*who, scenario.payloads[0], &load);
                let figures = figures.unwrap_or_else(|failure| {
                    panic!("{} with {}: {failure}", scenario.name, who.name())
                });
                assert!(figures.iter().all(|figure| figure.ns > 0.0), "{figures:?}");
            }
        }
    }
}
