//! What there is to show at a moment: the engine's statistics and the threads' own figures, as rows with rates.
//!
//! A rate is over the second before; the two curves have a point for each look.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use mainspring::{OutboxStats, ReceiverStats, Stats};

use super::meter::{Sending, Way};
use super::scene::Stage;

/// A rate is over so long, and a little.
const WINDOW: Duration = Duration::from_millis(1010);
/// Points of a curve: more than there are columns on most screens.
const POINTS: usize = 240;

/// Two looks that are closer to each other tell no rate.
const SHORTEST: Duration = Duration::from_millis(10);

/// All there is to show.
#[derive(Clone, Debug, Default)]
pub(super) struct Frame {
    pub(super) elapsed: Duration,
    pub(super) left: Duration,
    pub(super) clock: u64,
    /// Each a second.
    pub(super) messages: f64,
    pub(super) passes: f64,
    pub(super) kicks: f64,
    pub(super) messages_per_pass: f64,
    pub(super) receivers: Vec<ReceiverRow>,
    pub(super) senders: Vec<SenderRow>,
    /// Messages a second, and messages that have their numbers and were not received; the last is now.
    pub(super) rates: Vec<u64>,
    pub(super) lags: Vec<u64>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct ReceiverRow {
    pub(super) name: &'static str,
    /// None if it has left.
    pub(super) figures: Option<Figures>,
    /// How often it has joined.
    pub(super) joined: u64,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Figures {
    pub(super) received: u64,
    /// A second.
    pub(super) rate: f64,
    pub(super) depth: u64,
    pub(super) lag: u64,
    /// How many numbers it is behind the clock.
    pub(super) behind: u64,
}

#[derive(Clone, Debug, Default)]
pub(super) struct SenderRow {
    pub(super) name: &'static str,
    pub(super) to: &'static str,
    pub(super) sent: u64,
    /// A second.
    pub(super) rate: f64,
    pub(super) depth: u64,
    pub(super) stalls: u64,
    /// How often somebody has joined.
    pub(super) joined: u64,
    /// Who holds it up now.
    pub(super) held_by: Option<String>,
}

/// Looks at the stage from time to time.
#[derive(Debug)]
pub(super) struct Sampler<'a> {
    stage: &'a Stage,
    began: Instant,
    time: Duration,
    /// The looks of the last second.
    looks: VecDeque<Look>,
    rates: VecDeque<u64>,
    lags: VecDeque<u64>,
}

/// What rates are made of.
#[derive(Clone, Debug)]
struct Look {
    at: Instant,
    clock: u64,
    passes: u64,
    kicks: u64,
    received: Vec<u64>,
    sent: Vec<u64>,
}

impl<'a> Sampler<'a> {
    pub(super) fn new(stage: &'a Stage, began: Instant, time: Duration) -> Self {
        let looks = VecDeque::new();
        Self { stage, began, time, looks, rates: VecDeque::new(), lags: VecDeque::new() }
    }

    pub(super) fn look(&mut self) -> Frame {
        let stats = self.stage.engine.stats();
        let cast = &self.stage.cast;
        let found: Vec<_> = cast
            .receivers()
            .iter()
            .map(|meter| (find(&stats, meter.known_as), meter.progress()))
            .collect();
        let received = |stats: &Option<&ReceiverStats>| stats.map_or(0, |stats| stats.received);
        let now = Look {
            at: Instant::now(),
            clock: stats.clock.get(),
            passes: stats.passes + stats.short_ways,
            kicks: stats.kicks,
            received: found.iter().map(|(stats, _)| received(stats)).collect(),
            sent: cast.senders().iter().map(|meter| meter.read()[1]).collect(),
        };
        let lag = stats.receivers.iter().map(|receiver| receiver.lag).sum();
        self.draw_on(&now, lag);
        let then = self.window(&now);
        let passed = now.at.duration_since(then.at).as_secs_f64().max(1e-9);
        let rate = |now: u64, then: u64| now.saturating_sub(then) as f64 / passed;
        let receivers = cast.receivers().into_iter().zip(found).enumerate();
        let receivers = receivers.map(|(nth, (meter, (found, progress)))| {
            let figures = found.map(|found| Figures {
                received: found.received,
                rate: rate(now.received[nth], then.received[nth]),
                depth: found.depth,
                lag: found.lag,
                behind: progress
                    .map_or(0, |progress| now.clock.saturating_sub(progress.now().get())),
            });
            ReceiverRow { name: meter.name, figures, joined: meter.joined() }
        });
        let senders = cast.senders().into_iter().enumerate().map(|(nth, meter)| {
            let rate = rate(now.sent[nth], then.sent[nth]);
            sender_row(meter, rate, &stats)
        });
        let turns = now.passes.saturating_sub(then.passes).max(1);
        Frame {
            elapsed: self.began.elapsed(),
            left: self.time.saturating_sub(self.began.elapsed()),
            clock: now.clock,
            messages: rate(now.clock, then.clock),
            passes: rate(now.passes, then.passes),
            kicks: rate(now.kicks, then.kicks),
            messages_per_pass: now.clock.saturating_sub(then.clock) as f64 / turns as f64,
            receivers: receivers.collect(),
            senders: senders.collect(),
            rates: self.rates.iter().copied().collect(),
            lags: self.lags.iter().copied().collect(),
        }
    }

    /// Another point for each curve.
    fn draw_on(&mut self, now: &Look, lag: u64) {
        let before = self.looks.back().map_or((self.began, 0), |look| (look.at, look.clock));
        let passed = now.at.duration_since(before.0).as_secs_f64();
        if passed < SHORTEST.as_secs_f64() {
            return;
        }
        let rate = now.clock.saturating_sub(before.1) as f64 / passed;
        for (curve, point) in [(&mut self.rates, rate as u64), (&mut self.lags, lag)] {
            if curve.len() >= POINTS {
                curve.pop_front();
            }
            curve.push_back(point);
        }
    }

    /// Keeps this look, and returns the one of a second ago, or the first.
    fn window(&mut self, now: &Look) -> Look {
        self.looks.push_back(now.clone());
        let is_old = |look: &mut Look| now.at.duration_since(look.at) > WINDOW;
        while self.looks.len() > 2 && self.looks.pop_front_if(is_old).is_some() {}
        if self.looks.len() > 1 {
            return self.looks[0].clone();
        }
        // Nothing was before the first.
        let (received, sent) = (vec![0; now.received.len()], vec![0; now.sent.len()]);
        Look { at: self.began, clock: 0, passes: 0, kicks: 0, received, sent }
    }
}

/// The `nth` receiver of that name.
fn find<'a>(stats: &'a Stats, (name, nth): (&str, usize)) -> Option<&'a ReceiverStats> {
    stats.receivers.iter().filter(|receiver| receiver.name.as_deref() == Some(name)).nth(nth)
}

fn sender_row(meter: &Sending, rate: f64, stats: &Stats) -> SenderRow {
    let [joined, sent, depth, stalls] = meter.read();
    let Sending { name, to, .. } = *meter;
    let held_by = meter.waits().then(|| to.to_owned());
    let row = SenderRow { name, to, sent, rate, depth, stalls, joined, held_by };
    let Way::Outbox(outbox) = meter.way else { return row };
    let Some(OutboxStats { depth, stalls, held_by, .. }) = stats.outboxes.get(outbox) else {
        return row;
    };
    let name_of = |receiver: usize| stats.receivers.get(receiver)?.name.as_deref();
    let held_by = held_by.and_then(name_of).map(str::to_owned);
    // It waits for room in its own ring, or in a lane to one of its targets.
    let lanes = stats.receivers.iter().flat_map(|receiver| &receiver.lanes);
    let in_lanes: u64 =
        lanes.filter(|lane| lane.outbox == Some(outbox)).map(|lane| lane.stalls).sum();
    SenderRow { depth: *depth, stalls: stalls + in_lanes, held_by, ..row }
}
