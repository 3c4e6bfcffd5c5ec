//! How long a message takes that is sent at its time, not when there is time for it: an open loop at a
//! part of what the contender can carry.
//!
//! ```text
//!  calibrate   S ═══════════▶ R     as fast as it goes: so much is its capacity
//!  then        S ─ ─ ─ ─ ─ ─▶ R     one each interval
//!                │due        │received
//!                └── latency ┘
//! ```
//!
//! A latency lasts from the moment at which the message was due, whenever it could be sent: whoever holds
//! up the sender holds up all that is due meanwhile, and each of them shows it (this corrects for
//! coordinated omission). The sender looks at the time and does nothing else until a message is due.
//!
//! The capacity is measured in each run, just before, over the same channel and with all that is done
//! for a message later, too: each of them is compared with the time. So it is less than in
//! `one-to-one`, and two contenders at the same part of their capacities carry different loads: the
//! interval tells. Its first messages are not recorded: the receiver may have fallen asleep.

use std::iter;
use std::ops::Range;
use std::sync::mpsc;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use super::{Figure, Load, Measure, Topology, flow, trips};
use crate::against::{Contender, Kind, Receiver, Sender, Who};
use crate::crew::Crew;
use crate::failure::Failure;
use crate::message::{Due, Message, Payload, values};

/// The part of the capacity, by setting.
const PARTS: [f64; 3] = [0.1, 0.5, 0.8];
/// The capacity is measured with this part of the messages; so many more come before those that count.
const CALIBRATION: u64 = 4;
const LEAD_IN: u64 = 10;

const MEASURES: [(Measure, f64); 5] = [
    (Measure::Latency50, 0.5),
    (Measure::Latency90, 0.9),
    (Measure::Latency99, 0.99),
    (Measure::Latency999, 0.999),
    (Measure::Latency9999, 0.9999),
];

pub(crate) struct LatencyUnderLoad;

/// When each message is due.
#[derive(Clone, Copy)]
struct Schedule {
    start: Instant,
    interval_ns: f64,
}

impl Schedule {
    #[inline]
    fn due(&self, nth: u64) -> Instant {
        self.start + Duration::from_nanos((nth as f64 * self.interval_ns) as u64)
    }
}

impl Topology for LatencyUnderLoad {
    const WHO: &'static [Who] = &[
        Who::Mainspring,
        Who::Thread,
        Who::Crossbeam,
        Who::Rtrb,
        Who::Disruptor,
        Who::Kanal,
        Who::KanalSpin,
        Who::Flume,
        Who::FlumeSpin,
    ];
    const PAYLOADS: &'static [Payload] = &[Payload::Word];
    const BATCHES: &'static [usize] = &[1];
    const SETTINGS: &'static [&'static str] = &["at 10 %", "at 50 %", "at 80 %"];

    fn run<C: Contender, T: Message>(load: &Load) -> Result<Vec<Figure>, Failure> {
        let contender = C::set_up(load)?;
        let (address, mut receiver) = contender.receiver::<T>(Kind::Lone)?;
        let mut sender = contender.sender(&address)?;
        let counted = load.share(1);
        let calibration = (counted / CALIBRATION).max(2);
        let lead_in = counted / LEAD_IN;
        let count = lead_in + counted;
        let part = PARTS[load.setting];
        let schedule = Arc::new(OnceLock::new());
        let (announce, announced) = mpsc::channel();

        let mut crew = Crew::new(2, load.settle);
        let scheduled = schedule.clone();
        crew.hire("sender", move |line| {
            sender.send(T::of(flow::WARM_UP))?;
            line.start_open_ended(|| {
                let at_once = Schedule { start: Instant::now(), interval_ns: 0.0 };
                send(&mut sender, 0, calibration, at_once)?;
                let interval_ns = announced.recv().map_err(|_| Failure::Closed)?;
                // What is sent next is received after this.
                let schedule = Schedule { start: Instant::now(), interval_ns };
                send(&mut sender, 1, count, *scheduled.get_or_init(|| schedule))?;
                Ok(None)
            })
        })?;
        crew.hire("receiver", move |line| {
            receiver.recv()?;
            line.start(|| {
                let began = Instant::now();
                let at_once = Schedule { start: began, interval_ns: 0.0 };
                let mut ignored = trips::histogram()?;
                receive(&mut receiver, 0, 0..calibration, at_once, &mut ignored)?;
                let message_ns = began.elapsed().as_nanos() as f64 / calibration as f64;
                let interval_ns = message_ns / part;
                announce.send(interval_ns).map_err(|_| Failure::Closed)?;

                let mut latencies_ns = trips::histogram()?;
                let first = receiver.recv()?;
                Due { count: 1, sum: T::of(values(1, 1).start).weight() }.check(first.weight())?;
                let schedule = *schedule.get().ok_or(Failure::Closed)?;
                receive(&mut receiver, 1, 1..lead_in.max(1), schedule, &mut ignored)?;
                receive(&mut receiver, 1, lead_in.max(1)..count, schedule, &mut latencies_ns)?;
                Ok(Some((interval_ns, latencies_ns)))
            })
        })?;
        let longest = Duration::from_micros(100) * count as u32;
        let (_, found) = crew.finish(load.patience() + longest)?;
        let found = found.into_iter().flatten();
        Ok(found
            .flat_map(|(interval_ns, latencies_ns)| {
                let interval = Figure { measure: Measure::Interval, ns: interval_ns };
                trips::figures(&latencies_ns, MEASURES).into_iter().chain([interval])
            })
            .collect())
    }
}

/// Sends so many numbers of this author, each when it is due, or as soon after as possible.
fn send<T: Message>(
    sender: &mut impl Sender<T>,
    author: usize,
    count: u64,
    schedule: Schedule,
) -> Result<(), Failure> {
    let mut now = schedule.start;
    for (nth, value) in (0..).zip(values(author, count)) {
        let due = schedule.due(nth);
        // Reading the time is pause enough.
        while now < due {
            now = Instant::now();
        }
        sender.send(T::of(value))?;
    }
    Ok(())
}

/// Receives some of an author's numbers, by their places in the schedule.
fn receive<T: Message>(
    receiver: &mut impl Receiver<T>,
    author: usize,
    places: Range<u64>,
    schedule: Schedule,
    latencies_ns: &mut Histogram<u64>,
) -> Result<(), Failure> {
    let first = values(author, 0).start;
    let due = Due::from::<T>(iter::once(first + places.start..first + places.end));
    let mut sum = 0_u64;
    for nth in places {
        sum = sum.wrapping_add(receiver.recv()?.weight());
        let latency = Instant::now().saturating_duration_since(schedule.due(nth));
        latencies_ns.saturating_record(latency.as_nanos() as u64);
    }
    due.check(sum)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::against::Closed;

    /// Notes when something was sent; receives numbers one after the other at once.
    #[derive(Default)]
    struct Instantly {
        sent: Vec<Instant>,
        received: u64,
    }

    impl Sender<u64> for Instantly {
        fn send(&mut self, _value: u64) -> Result<(), Closed> {
            self.sent.push(Instant::now());
            Ok(())
        }

        fn send_batch(&mut self, mut values: impl Iterator<Item = u64>) -> Result<(), Closed> {
            values.try_for_each(|value| self.send(value))
        }
    }

    impl Receiver<u64> for Instantly {
        fn recv(&mut self) -> Result<u64, Closed> {
            self.received += 1;
            Ok(values(1, 0).start + self.received - 1)
        }

        fn recv_batch(&mut self, _max: usize, mut take: impl FnMut(u64)) -> Result<usize, Closed> {
            take(self.recv()?);
            Ok(1)
        }
    }

    #[test]
    fn nothing_is_sent_before_it_is_due() {
        let schedule = Schedule { start: Instant::now(), interval_ns: 2_500.5 };
        let mut sender = Instantly::default();
        send(&mut sender, 1, 500, schedule).unwrap();
        assert_eq!(sender.sent.len(), 500);
        for (nth, sent) in (0..).zip(sender.sent) {
            assert!(sent >= schedule.due(nth), "{nth}");
        }
        assert_eq!(schedule.due(200), schedule.start + Duration::from_nanos(500_100));
    }

    #[test]
    fn a_message_that_comes_late_is_late_by_all_that_it_was_held_up() {
        let start = Instant::now().checked_sub(Duration::from_millis(20)).expect("it runs longer");
        let schedule = Schedule { start, interval_ns: 1_000.0 };
        let mut latencies_ns = trips::histogram().unwrap();
        receive(&mut Instantly::default(), 1, 0..1_000, schedule, &mut latencies_ns).unwrap();
        assert_eq!(latencies_ns.len(), 1_000);
        // The last was due 19 ms ago, the first 20: whoever had counted from a late send would know nothing of it.
        assert!(latencies_ns.min() >= 18_900_000, "{}", latencies_ns.min());
    }

    #[test]
    fn what_is_received_out_of_turn_is_an_error() {
        let schedule = Schedule { start: Instant::now(), interval_ns: 0.0 };
        let mut latencies_ns = trips::histogram().unwrap();
        let received = receive(&mut Instantly::default(), 1, 1..9, schedule, &mut latencies_ns);
        assert!(matches!(received, Err(Failure::Wrong { .. })));
    }
}
