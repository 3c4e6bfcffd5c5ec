//! Round by round, in one process, each contender once a round and the order swapped from round to
//! round: what disturbs one disturbs the other, and what drifts drifts for both.
//!
//! ```text
//!  round 0   line  OURS  line  PEER
//!  round 1   line  PEER  line  OURS
//!  ...                               line
//! ```

use std::fmt;

use crate::against::Who;
use crate::failure::Failure;
use crate::machine::{self, Placement};
use crate::message::Payload;
use crate::scenario::{Load, Measure, Scenario};
use crate::stats::Quartiles;

/// If the middle half of one side's runs is wider than this part of the median, there is no
/// comparison.
const SPREAD_MAX: f64 = 0.35;

/// One form of one scenario, and how often it is run.
#[derive(Clone, Copy)]
pub(crate) struct Trial {
    pub(crate) scenario: &'static Scenario,
    pub(crate) payload: Payload,
    pub(crate) load: Load,
    pub(crate) runs: u64,
}

impl Trial {
    /// How many runs that is, of all contenders.
    pub(crate) fn steps(&self) -> u64 {
        self.runs * Who::ALL.len() as u64
    }
}

impl fmt::Display for Trial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {} bytes, ", self.scenario.name, self.payload.bytes())?;
        match self.load.batch {
            1 => write!(f, "single"),
            batch => write!(f, "in {batch}s"),
        }
    }
}

/// Nanoseconds of one measure, run by run.
struct Series {
    who: Who,
    measure: Measure,
    ns: Vec<f64>,
}

/// What came out of a trial.
pub(crate) struct Comparison {
    pub(crate) trial: Trial,
    series: Vec<Series>,
    /// The cache line's round trips, before, between and after the runs.
    lines_ns: Vec<f64>,
}

/// Ours against one peer: above one, ours is faster.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ratio {
    /// Of the medians.
    pub(crate) of_medians: f64,
    /// Of the runs of each round.
    pub(crate) of_rounds: Quartiles,
}

impl Comparison {
    /// Runs it; `step` is called after each run.
    pub(crate) fn of(trial: &Trial, step: impl Fn()) -> Result<Self, Failure> {
        let mut comparison = Self { trial: *trial, series: Vec::new(), lines_ns: Vec::new() };
        for round in 0..trial.runs {
            let mut order = Who::ALL;
            if round % 2 == 1 {
                order.reverse();
            }
            for who in order {
                comparison.lines_ns.push(machine::line_round_trip_ns());
                let figures = trial.scenario.run(who, trial.payload, &trial.load);
                for figure in figures.map_err(|failure| failure.of(who.name()))? {
                    comparison.record(who, figure.measure, figure.ns);
                }
                step();
            }
        }
        comparison.lines_ns.push(machine::line_round_trip_ns());
        Ok(comparison)
    }

    fn record(&mut self, who: Who, measure: Measure, ns: f64) {
        let known = self.series.iter_mut().find(|s| s.who == who && s.measure == measure);
        match known {
            Some(series) => series.ns.push(ns),
            None => self.series.push(Series { who, measure, ns: vec![ns] }),
        }
    }

    /// What was measured: a row of the table each.
    pub(crate) fn measures(&self) -> impl Iterator<Item = Measure> {
        let ours = self.series.iter().filter(|series| series.who == Who::Mainspring);
        ours.map(|series| series.measure)
    }

    fn samples(&self, who: Who, measure: Measure) -> impl Iterator<Item = f64> {
        let of = self.series.iter().filter(move |s| s.who == who && s.measure == measure);
        of.flat_map(|series| series.ns.iter().copied())
    }

    pub(crate) fn ns(&self, who: Who, measure: Measure) -> Quartiles {
        Quartiles::of(self.samples(who, measure))
    }

    pub(crate) fn ratio(&self, peer: Who, measure: Measure) -> Ratio {
        let rounds = self.samples(peer, measure).zip(self.samples(Who::Mainspring, measure));
        Ratio {
            of_medians: self.ns(peer, measure).median / self.ns(Who::Mainspring, measure).median,
            of_rounds: Quartiles::of(rounds.map(|(peer, ours)| peer / ours)),
        }
    }

    pub(crate) fn line_ns(&self) -> Quartiles {
        Quartiles::of(self.lines_ns.iter().copied())
    }

    /// Where the cores were; `None` if they moved meanwhile.
    pub(crate) fn placement(&self) -> Option<Placement> {
        let mut seen = self.lines_ns.iter().map(|ns| Placement::of(*ns));
        let first = seen.next()?;
        seen.all(|next| next == first).then_some(first)
    }

    /// Whether this side's runs lie too far apart to be compared.
    pub(crate) fn is_void(&self, who: Who, measure: Measure) -> bool {
        self.ns(who, measure).spread() > SPREAD_MAX
    }

    /// What to bear in mind when reading the figures.
    pub(crate) fn doubts(&self) -> Vec<String> {
        let mut doubts = Vec::new();
        if self.placement().is_none() {
            let nearest = self.lines_ns.iter().copied().fold(f64::INFINITY, f64::min);
            let farthest = self.lines_ns.iter().copied().fold(0.0, f64::max);
            doubts.push(format!(
                "the cores changed places, a line took {nearest:.0} to {farthest:.0} ns",
            ));
        }
        for measure in self.measures() {
            for who in Who::ALL.into_iter().filter(|who| self.is_void(*who, measure)) {
                let percent = 100.0 * self.ns(who, measure).spread();
                doubts.push(format!("{}'s {} spreads {percent:.0} %", who.name(), measure.name()));
            }
        }
        doubts
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::scenario;

    fn comparison(ours: &[f64], peers: &[f64], lines_ns: &[f64]) -> Comparison {
        let load = Load { capacity: 1024, messages: 1, batch: 1, settle: Duration::ZERO };
        let trial = Trial { scenario: &scenario::ALL[0], payload: Payload::Word, load, runs: 3 };
        let mut comparison = Comparison { trial, series: Vec::new(), lines_ns: lines_ns.to_vec() };
        for (ours, peers) in ours.iter().zip(peers) {
            comparison.record(Who::Mainspring, Measure::PerMessage, *ours);
            comparison.record(Who::Crossbeam, Measure::PerMessage, *peers);
        }
        comparison
    }

    #[test]
    fn the_ratio_says_how_many_times_faster_ours_is() {
        let calm = comparison(&[4.0, 5.0, 5.0], &[20.0, 20.0, 30.0], &[100.0; 7]);
        let ratio = calm.ratio(Who::Crossbeam, Measure::PerMessage);
        assert_eq!(ratio.of_medians, 4.0);
        assert_eq!(ratio.of_rounds.median, 5.0);
    }

    #[test]
    fn calm_runs_raise_no_doubts() {
        let calm = comparison(&[4.0, 4.1, 4.2], &[20.0, 21.0, 22.0], &[100.0; 7]);
        assert_eq!(calm.placement(), Some(Placement::Near));
        assert_eq!(calm.doubts(), [""; 0]);
    }

    #[test]
    fn cores_that_move_and_runs_that_spread_are_told() {
        let wild = comparison(&[4.0, 8.0, 16.0], &[20.0, 21.0, 22.0], &[100.0, 460.0, 100.0]);
        assert_eq!(wild.placement(), None);
        assert!(wild.is_void(Who::Mainspring, Measure::PerMessage));
        assert!(!wild.is_void(Who::Crossbeam, Measure::PerMessage));
        assert_eq!(wild.doubts().len(), 2);
    }
}
