//! Round by round, in one process, each side once a round and the order swapped from round to
//! round: what disturbs one disturbs the other, and what drifts drifts for both. A side is a
//! contender in a setting.
//!
//! ```text
//!  round 0   line  OURS  line  PEER
//!  round 1   line  PEER  line  OURS
//!  ...                               line
//! ```

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::against::Who;
use crate::failure::Failure;
use crate::machine::{self, Placement};
use crate::message::Payload;
use crate::scenario::{Load, Measure, Scenario};
use crate::stats::Quartiles;
use crate::tables::digits;

/// If the middle half of one side's runs is wider than this part of the median, there is no
/// comparison.
const SPREAD_MAX: f64 = 0.35;

/// One form of one scenario, who takes part in it, and how often it is run.
#[derive(Clone)]
pub(crate) struct Trial {
    pub(crate) scenario: &'static Scenario,
    pub(crate) who: Vec<Who>,
    pub(crate) payload: Payload,
    /// The setting in it is overwritten by each side's.
    pub(crate) load: Load,
    pub(crate) runs: u64,
}

/// A contender in one of the scenario's settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Side {
    pub(crate) who: Who,
    pub(crate) setting: usize,
}

impl Side {
    /// We in the same setting.
    fn ours(self) -> Self {
        Self { who: Who::Mainspring, ..self }
    }

    /// The same contender with nothing beside it.
    fn alone(self) -> Self {
        Self { setting: 0, ..self }
    }
}

impl Trial {
    /// All that alternate.
    pub(crate) fn sides(&self) -> Vec<Side> {
        let settings = || 0..self.scenario.settings.len();
        let of = |who| settings().map(move |setting| Side { who, setting });
        self.who.iter().flat_map(|who| of(*who)).collect()
    }

    /// Whether there is more than one setting to compare.
    pub(crate) fn has_settings(&self) -> bool {
        self.scenario.settings.len() > 1
    }

    pub(crate) fn setting(&self, side: Side) -> &'static str {
        self.scenario.settings[side.setting]
    }

    /// How many runs that is, of all sides.
    pub(crate) fn steps(&self) -> u64 {
        self.runs * self.sides().len() as u64
    }

    fn name(&self, side: Side) -> String {
        match self.has_settings() {
            true => format!("{} ({})", side.who.name(), self.setting(side)),
            false => side.who.name().into(),
        }
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
    side: Side,
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

/// One side's time over another's.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Ratio {
    /// Of the medians.
    pub(crate) of_medians: f64,
    /// Of the runs of each round.
    pub(crate) of_rounds: Quartiles,
}

impl Comparison {
    /// Runs it, as long as `again` wants another round after so many; `step` is called after each run
    /// and may end it all.
    pub(crate) fn of(
        trial: &Trial,
        again: impl Fn(u64) -> bool,
        step: impl Fn() -> Result<(), Failure>,
    ) -> Result<Self, Failure> {
        let mut comparison =
            Self { trial: trial.clone(), series: Vec::new(), lines_ns: Vec::new() };
        for round in (0..trial.runs).take_while(|round| again(*round)) {
            let mut order = trial.sides();
            if round % 2 == 1 {
                order.reverse();
            }
            for side in order {
                comparison.lines_ns.push(machine::line_round_trip_ns());
                let load = Load { setting: side.setting, ..trial.load };
                let figures = trial.scenario.run(side.who, trial.payload, &load);
                for figure in figures.map_err(|failure| failure.of(trial.name(side)))? {
                    comparison.record(side, figure.measure, figure.ns);
                }
                step()?;
            }
        }
        comparison.lines_ns.push(machine::line_round_trip_ns());
        Ok(comparison)
    }

    fn record(&mut self, side: Side, measure: Measure, ns: f64) {
        let known = self.series.iter_mut().find(|s| s.side == side && s.measure == measure);
        match known {
            Some(series) => series.ns.push(ns),
            None => self.series.push(Series { side, measure, ns: vec![ns] }),
        }
    }

    /// What was measured, and of whom: a row of the table each. One measure after the other, in it
    /// one contender after the other.
    pub(crate) fn rows(&self) -> Vec<(Side, Measure)> {
        let mut measures: Vec<_> = self.series.iter().map(|series| series.measure).collect();
        measures.sort();
        measures.dedup();
        let sides = self.trial.sides();
        let all = measures.into_iter().flat_map(|measure| sides.iter().map(move |s| (*s, measure)));
        all.filter(|(side, measure)| !self.runs(*side, *measure).is_empty()).collect()
    }

    /// Run by run, in nanoseconds; nothing if this side does not have that measure.
    pub(crate) fn runs(&self, side: Side, measure: Measure) -> &[f64] {
        let series = self.series.iter().find(|s| s.side == side && s.measure == measure);
        series.map_or(&[], |series| &series.ns)
    }

    pub(crate) fn ns(&self, side: Side, measure: Measure) -> Quartiles {
        Quartiles::of(self.runs(side, measure).iter().copied())
    }

    /// A peer against us: above one, ours is faster.
    pub(crate) fn to_ours(&self, peer: Side, measure: Measure) -> Option<Ratio> {
        self.ratio(peer, peer.ours(), measure)
    }

    /// The rate of a side against the rate of the same contender alone: below one, it is disturbed.
    pub(crate) fn to_alone(&self, side: Side, measure: Measure) -> Option<Ratio> {
        if !self.trial.scenario.has_alone() {
            return None;
        }
        self.ratio(side.alone(), side, measure)
    }

    /// None of a side to itself, or to one that has no such measure.
    fn ratio(&self, over: Side, under: Side, measure: Measure) -> Option<Ratio> {
        let (above, below) = (self.runs(over, measure), self.runs(under, measure));
        let rounds = above.iter().zip(below).map(|(above, below)| above / below);
        let of_medians = self.ns(over, measure).median / self.ns(under, measure).median;
        let is_one = over != under && !above.is_empty() && !below.is_empty();
        is_one.then(|| Ratio { of_medians, of_rounds: Quartiles::of(rounds) })
    }

    /// How often each side has been run.
    pub(crate) fn rounds(&self) -> usize {
        self.series.iter().map(|series| series.ns.len()).max().unwrap_or(0)
    }

    pub(crate) fn lines_ns(&self) -> &[f64] {
        &self.lines_ns
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
    pub(crate) fn is_void(&self, side: Side, measure: Measure) -> bool {
        self.ns(side, measure).spread() > SPREAD_MAX
    }

    /// What to bear in mind when reading the figures.
    pub(crate) fn doubts(&self) -> Vec<String> {
        let mut doubts = Vec::new();
        if self.placement().is_none() {
            let nearest = self.lines_ns.iter().copied().fold(f64::INFINITY, f64::min);
            let farthest = self.lines_ns.iter().copied().fold(0.0, f64::max);
            doubts.push(format!(
                "the cores changed places, a line took {} to {} ns",
                digits(nearest),
                digits(farthest),
            ));
        }
        for (side, measure) in self.rows() {
            if self.is_void(side, measure) {
                let percent = 100.0 * self.ns(side, measure).spread();
                let name = self.trial.name(side);
                doubts.push(format!("{name}'s {} spreads {percent:.0} %", measure.name()));
            }
        }
        doubts
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::scenario;

    pub(crate) const OURS: Side = Side { who: Who::Mainspring, setting: 0 };
    pub(crate) const PEERS: Side = Side { who: Who::Crossbeam, setting: 0 };

    /// As if a scenario of this name had been run with these results.
    pub(crate) fn comparison(
        name: &str,
        results: &[(Side, &[f64])],
        lines_ns: &[f64],
    ) -> Comparison {
        comparison_of(name, &[Who::Mainspring, Who::Crossbeam], results, lines_ns)
    }

    /// The same of others.
    pub(crate) fn comparison_of(
        name: &str,
        who: &[Who],
        results: &[(Side, &[f64])],
        lines_ns: &[f64],
    ) -> Comparison {
        let load = Load::of(1024);
        let scenario = scenario::ALL.iter().find(|scenario| scenario.name == name).unwrap();
        let (who, payload) = (who.to_vec(), Payload::Word);
        let trial = Trial { scenario, who, payload, load, runs: 3 };
        let mut comparison = Comparison { trial, series: Vec::new(), lines_ns: lines_ns.to_vec() };
        for (side, runs) in results {
            runs.iter().for_each(|ns| comparison.record(*side, Measure::PerMessage, *ns));
        }
        comparison
    }

    fn pair(ours: &[f64], peers: &[f64], lines_ns: &[f64]) -> Comparison {
        comparison("one-to-one", &[(OURS, ours), (PEERS, peers)], lines_ns)
    }

    #[test]
    fn the_ratio_says_how_many_times_faster_ours_is() {
        let calm = pair(&[4.0, 5.0, 5.0], &[20.0, 20.0, 30.0], &[100.0; 7]);
        let ratio = calm.to_ours(PEERS, Measure::PerMessage).unwrap();
        assert_eq!(ratio.of_medians, 4.0);
        assert_eq!(ratio.of_rounds.median, 5.0);
        assert!(calm.to_ours(OURS, Measure::PerMessage).is_none());
        assert!(calm.to_alone(OURS, Measure::PerMessage).is_none());
    }

    #[test]
    fn the_rate_beside_others_is_a_part_of_the_rate_alone() {
        let beside = Side { setting: 2, ..OURS };
        let results: [(Side, &[f64]); 2] = [(OURS, &[10.0, 12.0, 10.0]), (beside, &[20.0; 3])];
        let disturbed = comparison("parked-neighbours", &results, &[100.0; 7]);
        let ratio = disturbed.to_alone(beside, Measure::PerMessage).unwrap();
        assert_eq!(ratio.of_medians, 0.5);
        assert_eq!(ratio.of_rounds, Quartiles { low: 0.5, median: 0.5, high: 0.55 });
        assert!(disturbed.to_alone(OURS, Measure::PerMessage).is_none());
        // Nothing was measured in this one.
        let unknown = Side { setting: 1, ..OURS };
        assert!(disturbed.to_alone(unknown, Measure::PerMessage).is_none());
        assert_eq!(disturbed.rows().len(), 2);
    }

    #[test]
    fn each_setting_of_each_contender_is_a_side() {
        let trial = comparison("parked-neighbours", &[], &[]).trial;
        assert_eq!(trial.sides().len(), 6);
        assert_eq!(trial.steps(), 18);
        assert_eq!(trial.setting(trial.sides()[5]), "beside 256");
    }

    #[test]
    fn calm_runs_raise_no_doubts() {
        let calm = pair(&[4.0, 4.1, 4.2], &[20.0, 21.0, 22.0], &[100.0; 7]);
        assert_eq!(calm.placement(), Some(Placement::Near));
        assert_eq!(calm.doubts(), [""; 0]);
    }

    #[test]
    fn cores_that_move_and_runs_that_spread_are_told() {
        let wild = pair(&[4.0, 8.0, 16.0], &[20.0, 21.0, 22.0], &[100.0, 460.0, 100.0]);
        assert_eq!(wild.placement(), None);
        assert!(wild.is_void(OURS, Measure::PerMessage));
        assert!(!wild.is_void(PEERS, Measure::PerMessage));
        assert_eq!(wild.doubts().len(), 2);
    }
}
