//! A message to a receiver that has slept for long, and its core with it: what it takes until it has
//! the message, and what the send takes that has to wake it.
//!
//! ```text
//!  A ··· 5 ms ··· ───▶ R zzz
//! ```
//!
//! As `ping-pong-parked`, but one way only, and after a longer sleep: there a side has slept for 0.3 ms.

use std::thread;
use std::time::{Duration, Instant};

use super::{Figure, Load, Measure, Topology, flow, trips};
use crate::against::{Contender, Kind, Receiver, Sender, Who};
use crate::crew::Crew;
use crate::failure::Failure;
use crate::message::{Due, Message, Payload, values};

/// In this time a receiver has gone to sleep, and the system has seen that its core is idle.
const PAUSE: Duration = Duration::from_millis(5);

pub(crate) struct IdleWakeup;

/// When a side's messages left it or came.
enum Diary {
    /// Just before each send, and just after it.
    Sent(Vec<(Instant, Instant)>),
    Received(Vec<Instant>),
}

impl Topology for IdleWakeup {
    const WHO: &'static [Who] = &Who::SLEEPERS;
    const PAYLOADS: &'static [Payload] = &[Payload::Word];
    const BATCHES: &'static [usize] = &[1];

    fn run<C: Contender, T: Message>(load: &Load) -> Result<Vec<Figure>, Failure> {
        let contender = C::set_up(load)?;
        let (address, mut receiver) = contender.receiver::<T>(Kind::Lone)?;
        let mut sender = contender.sender(&address)?;
        let values = values(0, load.share(1));
        let due = Due::from::<T>(std::iter::once(values.clone()));

        let mut crew = Crew::new(2, load.settle);
        crew.hire("sender", move |line| {
            sender.send(T::of(flow::WARM_UP))?;
            line.start(|| {
                let mut sent = Vec::new();
                for value in values {
                    thread::sleep(PAUSE);
                    let before = Instant::now();
                    sender.send(T::of(value))?;
                    sent.push((before, Instant::now()));
                }
                Ok(Diary::Sent(sent))
            })
        })?;
        crew.hire("receiver", move |line| {
            receiver.recv()?;
            line.start(|| {
                let (mut received, mut sum) = (Vec::new(), 0_u64);
                for _ in 0..due.count {
                    let message = receiver.recv()?;
                    received.push(Instant::now());
                    sum = sum.wrapping_add(message.weight());
                }
                due.check(sum)?;
                Ok(Diary::Received(received))
            })
        })?;
        let (_, diaries) = crew.finish(load.patience() + 2 * PAUSE * due.count as u32)?;
        let (mut sent, mut received) = (Vec::new(), Vec::new());
        for diary in diaries {
            match diary {
                Diary::Sent(moments) => sent = moments,
                Diary::Received(moments) => received = moments,
            }
        }
        let (mut ways_ns, mut sends_ns) = (trips::histogram()?, trips::histogram()?);
        for ((before, after), received) in sent.into_iter().zip(received) {
            ways_ns.saturating_record((received - before).as_nanos() as u64);
            sends_ns.saturating_record((after - before).as_nanos() as u64);
        }
        let ways = [(Measure::OneWay, 0.5), (Measure::OneWay99, 0.99)];
        let sends = trips::figures(&sends_ns, [(Measure::Send, 0.5)]);
        Ok(trips::figures(&ways_ns, ways).into_iter().chain(sends).collect())
    }
}
