//! What is measured: one file for each topology, generic over contender and message.
//!
//! A new one: its file here, with `impl Topology`, and a line in [`ALL`].

mod flow;
mod many_to_many;
mod many_to_many_random;
mod many_to_one;
mod one_to_one;
mod ping_pong;
mod same_thread;

use std::time::Duration;

use self::many_to_many::ManyToMany;
use self::many_to_many_random::ManyToManyRandom;
use self::many_to_one::ManyToOne;
use self::one_to_one::OneToOne;
use self::ping_pong::PingPong;
use self::same_thread::SameThread;
use crate::against::{Contender, Crossbeam, Mainspring, Who};
use crate::failure::Failure;
use crate::message::{Message, Payload};

/// As many are sent at once in the batched form.
pub(crate) const BATCH: usize = 32;
/// As many are received at once in the batched form, at most.
const BATCH_RECEIVED: usize = 64;

/// All of them, in the order in which they are run.
pub(crate) static ALL: [Scenario; 7] = [
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
    Scenario::of::<SameThread>("same-thread", "one thread sends and receives in turn", 2_000_000),
    Scenario::of::<PingPong>("ping-pong", "there and back, both sides awake", 100_000),
];

/// A topology by its name.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    /// How many messages a run has, unless told otherwise.
    pub(crate) messages: u64,
    run: fn(Who, Payload, &Load) -> Result<Vec<Figure>, Failure>,
}

impl Scenario {
    const fn of<S: Topology>(name: &'static str, about: &'static str, messages: u64) -> Self {
        Self { name, about, messages, run: run::<S> }
    }

    /// One run.
    pub(crate) fn run(
        &self,
        who: Who,
        payload: Payload,
        load: &Load,
    ) -> Result<Vec<Figure>, Failure> {
        (self.run)(who, payload, load)
    }
}

fn run<S: Topology>(who: Who, payload: Payload, load: &Load) -> Result<Vec<Figure>, Failure> {
    match who {
        Who::Mainspring => run_with::<S, Mainspring>(payload, load),
        Who::Crossbeam => run_with::<S, Crossbeam>(payload, load),
    }
}

fn run_with<S: Topology, C: Contender>(
    payload: Payload,
    load: &Load,
) -> Result<Vec<Figure>, Failure> {
    match payload {
        Payload::Word => S::run::<C, u64>(load),
        Payload::Line => S::run::<C, [u64; 8]>(load),
    }
}

/// Who sends to whom.
pub(crate) trait Topology {
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
    /// How long the threads are busy before they start.
    pub(crate) settle: Duration,
}

impl Load {
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Measure {
    PerMessage,
    RoundTrip,
    RoundTrip99,
}

impl Measure {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::PerMessage => "message",
            Self::RoundTrip => "trip p50",
            Self::RoundTrip99 => "trip p99",
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
    fn per_message(took: Duration, messages: u64) -> Vec<Self> {
        let ns = took.as_nanos() as f64 / messages as f64;
        vec![Self { measure: Measure::PerMessage, ns }]
    }
}
