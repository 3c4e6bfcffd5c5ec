//! Round trips between two threads, one message (or one batch) at a time, and what they come to.

use std::time::Instant;

use hdrhistogram::Histogram;

use super::{BATCH_RECEIVED, Figure, Load, Measure};
use crate::against::{Contender, Kind, Receiver, Sender};
use crate::crew::Crew;
use crate::failure::Failure;
use crate::message::{Due, Message, values};

/// Longer trips count as this long.
const TRIP_NS_MAX: u64 = 10_000_000_000;
const WARM_UP_TRIPS: u64 = 100;

/// Runs the load's messages as round trips; `form` makes of a receiver what receives.
pub(super) fn trips<C: Contender, T: Message, R: Receiver<T>>(
    load: &Load,
    form: impl Fn(C::Receiver<T>) -> R,
) -> Result<Vec<Figure>, Failure> {
    let contender = C::set_up(load)?;
    let (there, at_there) = contender.receiver::<T>(Kind::Lone)?;
    let (here, at_here) = contender.receiver::<T>(Kind::Lone)?;
    let (mut ping, mut pong) = (contender.sender(&there)?, contender.sender(&here)?);
    let (mut at_there, mut at_here) = (form(at_there), form(at_here));
    let batch = load.batch;
    let trips = (load.messages / batch as u64).max(1);

    let mut crew = Crew::new(2, load.settle);
    crew.hire("ping", move |line| {
        let mut trips_ns = histogram()?;
        for trip in 0..WARM_UP_TRIPS {
            round_trip(&mut ping, &mut at_here, trip, batch)?;
        }
        line.start(|| {
            let mut began = Instant::now();
            for trip in 0..trips {
                round_trip(&mut ping, &mut at_here, trip, batch)?;
                let ended = Instant::now();
                trips_ns.saturating_record((ended - began).as_nanos() as u64);
                began = ended;
            }
            Ok(Some(trips_ns))
        })
    })?;
    crew.hire("pong", move |line| {
        let mut received = Vec::with_capacity(BATCH_RECEIVED);
        for _ in 0..WARM_UP_TRIPS {
            answer(&mut at_there, &mut pong, &mut received, batch)?;
        }
        line.start(|| {
            for _ in 0..trips {
                answer(&mut at_there, &mut pong, &mut received, batch)?;
            }
            Ok(None)
        })
    })?;
    let (_, found) = crew.finish(load.patience())?;
    let measures = [(Measure::RoundTrip, 0.5), (Measure::RoundTrip99, 0.99)];
    Ok(found.into_iter().flatten().flat_map(|trips_ns| figures(&trips_ns, measures)).collect())
}

/// Of trips, or ways, in nanoseconds.
pub(super) fn histogram() -> Result<Histogram<u64>, Failure> {
    let histogram = Histogram::new_with_bounds(1, TRIP_NS_MAX, 3);
    histogram.map_err(|error| Failure::SetUp(error.to_string()))
}

/// What the histogram has at these quantiles.
pub(super) fn figures<const N: usize>(
    trips_ns: &Histogram<u64>,
    measures: [(Measure, f64); N],
) -> [Figure; N] {
    measures.map(|(measure, quantile)| Figure {
        measure,
        ns: trips_ns.value_at_quantile(quantile) as f64,
    })
}

/// Sends, and waits until it is back, unaltered.
#[inline]
fn round_trip<T: Message>(
    ping: &mut impl Sender<T>,
    back: &mut impl Receiver<T>,
    trip: u64,
    batch: usize,
) -> Result<(), Failure> {
    if batch == 1 {
        ping.send(T::of(trip))?;
        let due = Due { count: 1, sum: T::of(trip).weight() };
        return due.check(back.recv()?.weight());
    }
    let values = values(0, batch as u64);
    let mut due = Due::from::<T>(std::iter::once(values.clone()));
    ping.send_batch(values.map(T::of))?;
    let mut sum = 0_u64;
    while due.count > 0 {
        let add = |message: T| sum = sum.wrapping_add(message.weight());
        due.less(back.recv_batch(BATCH_RECEIVED, add)?)?;
    }
    due.check(sum)
}

/// Sends back what has come, once all of it has come.
#[inline]
fn answer<T: Message>(
    from: &mut impl Receiver<T>,
    pong: &mut impl Sender<T>,
    received: &mut Vec<T>,
    batch: usize,
) -> Result<(), Failure> {
    if batch == 1 {
        return Ok(pong.send(from.recv()?)?);
    }
    while received.len() < batch {
        from.recv_batch(batch - received.len(), |message| received.push(message))?;
    }
    Ok(pong.send_batch(received.drain(..))?)
}
