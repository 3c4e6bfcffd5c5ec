//! One way at a time, to a side that has fallen asleep: what it takes to wake somebody.
//!
//! Whoever has received pauses, long enough for the other to fall asleep in its receive, and then
//! sends: so each message finds its receiver asleep. A way lasts from just before the send to just
//! after the receive; the pauses are in none.
//!
//! ```text
//!  A  ···pause··· ───▶ B
//!    ◀─── ···pause···
//! ```

use std::thread;
use std::time::{Duration, Instant};

use super::{Figure, Load, Measure, Topology, trips};
use crate::against::{Contender, Kind, Receiver, Sender, Who};
use crate::crew::Crew;
use crate::failure::Failure;
use crate::message::{Due, Message, Payload};

/// Who waits falls asleep in less.
const PAUSE: Duration = Duration::from_micros(300);
const WARM_UP_TRIPS: u64 = 3;

pub(crate) struct PingPongParked;

/// When one side's messages left it, and when the other's came.
#[derive(Default)]
struct Diary {
    sent: Vec<Instant>,
    received: Vec<Instant>,
}

impl Topology for PingPongParked {
    const WHO: &'static [Who] = &Who::SLEEPERS;
    const PAYLOADS: &'static [Payload] = &[Payload::Word];
    const BATCHES: &'static [usize] = &[1];

    fn run<C: Contender, T: Message>(load: &Load) -> Result<Vec<Figure>, Failure> {
        let contender = C::set_up(load)?;
        let (there, mut at_there) = contender.receiver::<T>(Kind::Lone)?;
        let (here, mut at_here) = contender.receiver::<T>(Kind::Lone)?;
        let (mut ping, mut pong) = (contender.sender(&there)?, contender.sender(&here)?);
        let trips = load.share(2);

        let mut crew = Crew::new(2, load.settle);
        crew.hire("ping", move |line| {
            let mut turn = |diary: &mut Diary, trip| {
                send(&mut ping, trip, diary)?;
                receive(&mut at_here, trip, diary)
            };
            (0..WARM_UP_TRIPS).try_for_each(|trip| turn(&mut Diary::default(), trip))?;
            line.start(|| {
                let mut diary = Diary::default();
                (0..trips).try_for_each(|trip| turn(&mut diary, trip))?;
                Ok(diary)
            })
        })?;
        crew.hire("pong", move |line| {
            let mut turn = |diary: &mut Diary, trip| {
                receive(&mut at_there, trip, diary)?;
                send(&mut pong, trip, diary)
            };
            (0..WARM_UP_TRIPS).try_for_each(|trip| turn(&mut Diary::default(), trip))?;
            line.start(|| {
                let mut diary = Diary::default();
                (0..trips).try_for_each(|trip| turn(&mut diary, trip))?;
                Ok(diary)
            })
        })?;
        let (_, diaries) = crew.finish(load.patience() + 4 * PAUSE * trips as u32)?;
        let [one, other] = diaries.as_slice() else { return Err(Failure::Died) };
        let mut ways_ns = trips::histogram()?;
        for (from, to) in [(one, other), (other, one)] {
            for (sent, received) in from.sent.iter().zip(&to.received) {
                ways_ns.saturating_record((*received - *sent).as_nanos() as u64);
            }
        }
        let measures = [(Measure::OneWay, 0.5), (Measure::OneWay99, 0.99)];
        Ok(trips::figures(&ways_ns, measures).into())
    }
}

fn send<T: Message>(to: &mut impl Sender<T>, trip: u64, diary: &mut Diary) -> Result<(), Failure> {
    thread::sleep(PAUSE);
    diary.sent.push(Instant::now());
    Ok(to.send(T::of(trip))?)
}

fn receive<T: Message>(
    from: &mut impl Receiver<T>,
    trip: u64,
    diary: &mut Diary,
) -> Result<(), Failure> {
    let weight = from.recv()?.weight();
    diary.received.push(Instant::now());
    Due { count: 1, sum: T::of(trip).weight() }.check(weight)
}
