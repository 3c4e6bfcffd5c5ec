//! The results as one JSON document: for programs, and for whoever wants each single run.
//!
//! ```text
//! { machine, contenders: [{name, version}], quick, failure: null or why it ends early,
//!   trials: [{ scenario, bytes, batch, capacity, messages, line_ns, placement, doubts,
//!     results: [{ contender, version, setting, per, runs_ns, ns, void,
//!                 peer_over_ours, rate_to_alone }] }] }
//! ```

use std::io::{self, Write};

use serde::Serialize;

use crate::against::Who;
use crate::compare::{Comparison, Ratio, Side};
use crate::failure::Failure;
use crate::machine::{self, Facts, Placement};
use crate::scenario::Measure;
use crate::stats::Quartiles;

#[derive(Serialize)]
struct Document<'a> {
    machine: Facts,
    contenders: Vec<Version>,
    trials: Vec<TrialOut<'a>>,
    /// The runs were too short: the figures mean nothing.
    quick: bool,
    failure: Option<String>,
}

#[derive(Serialize)]
struct Version {
    name: &'static str,
    version: &'static str,
}

#[derive(Serialize)]
struct TrialOut<'a> {
    scenario: &'static str,
    bytes: usize,
    batch: usize,
    capacity: usize,
    /// Those who are very slow get a part of them ([`Who::part`]).
    messages: u64,
    /// Of one cache line, there and back.
    line_ns: Samples<'a>,
    /// None if the cores changed places.
    placement: Option<Placement>,
    doubts: Vec<String>,
    results: Vec<Outcome<'a>>,
}

#[derive(Serialize)]
struct Samples<'a> {
    runs_ns: &'a [f64],
    ns: Quartiles,
}

#[derive(Serialize)]
struct Outcome<'a> {
    contender: &'static str,
    version: &'static str,
    setting: &'static str,
    /// What the nanoseconds are of.
    per: &'static str,
    #[serde(flatten)]
    samples: Samples<'a>,
    /// The runs lie too far apart to be compared.
    void: bool,
    /// How many times faster ours is, in the same setting.
    peer_over_ours: Option<RatioOut>,
    /// The rate in this setting, as a part of the same contender's rate alone.
    rate_to_alone: Option<RatioOut>,
}

#[derive(Serialize)]
struct RatioOut {
    of_medians: f64,
    of_rounds: Quartiles,
}

/// All that came out; `failure` if something went wrong after that.
pub(crate) fn document(
    who: &[Who],
    comparisons: &[Comparison],
    quick: bool,
    failure: Option<&Failure>,
    out: &mut impl Write,
) -> io::Result<()> {
    let document = Document {
        machine: machine::facts(),
        contenders: who.iter().map(|who| version(*who)).collect(),
        trials: comparisons.iter().map(trial).collect(),
        quick,
        failure: failure.map(Failure::to_string),
    };
    serde_json::to_writer_pretty(&mut *out, &document)?;
    writeln!(out)
}

fn version(who: Who) -> Version {
    Version { name: who.name(), version: machine::version(who.package()) }
}

fn trial(comparison: &Comparison) -> TrialOut<'_> {
    let trial = &comparison.trial;
    let results = comparison.rows().into_iter();
    TrialOut {
        scenario: trial.scenario.name,
        bytes: trial.payload.bytes(),
        batch: trial.load.batch,
        capacity: trial.load.capacity,
        messages: trial.load.messages,
        line_ns: Samples { runs_ns: comparison.lines_ns(), ns: comparison.line_ns() },
        placement: comparison.placement(),
        doubts: comparison.doubts(),
        results: results.map(|(side, measure)| outcome(comparison, side, measure)).collect(),
    }
}

fn outcome(comparison: &Comparison, side: Side, measure: Measure) -> Outcome<'_> {
    let Version { name, version } = version(side.who);
    let runs_ns = comparison.runs(side, measure);
    Outcome {
        contender: name,
        version,
        setting: comparison.trial.setting(side),
        per: measure.name(),
        samples: Samples { runs_ns, ns: comparison.ns(side, measure) },
        void: comparison.is_void(side, measure),
        peer_over_ours: comparison.to_ours(side, measure).map(ratio),
        rate_to_alone: comparison.to_alone(side, measure).map(ratio),
    }
}

fn ratio(Ratio { of_medians, of_rounds }: Ratio) -> RatioOut {
    RatioOut { of_medians, of_rounds }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::tests::{OURS, PEERS, comparison};

    #[test]
    fn the_document_has_each_run_and_each_ratio() {
        let beside = Side { setting: 1, ..PEERS };
        let results: [(Side, &[f64]); 3] =
            [(OURS, &[4.0, 4.0]), (PEERS, &[8.0, 8.0]), (beside, &[16.0, 16.0])];
        let comparison = comparison("slow-receiver", &results, &[100.0; 5]);
        let mut out = Vec::new();
        document(&[Who::Mainspring], &[comparison], true, Some(&Failure::Died), &mut out).unwrap();
        let read: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(read["failure"], "a thread panicked");
        assert_eq!(read["quick"], true);
        let trial = &read["trials"][0];
        assert_eq!(trial["scenario"], "slow-receiver");
        assert_eq!(trial["placement"], "near");
        let [ours, peers, beside] = [0, 1, 2].map(|row| &trial["results"][row]);
        assert_eq!(ours["peer_over_ours"], serde_json::Value::Null);
        assert_eq!(peers["runs_ns"][1], 8.0);
        assert_eq!(peers["peer_over_ours"]["of_medians"], 2.0);
        assert_eq!(beside["setting"], "beside stuck");
        assert_eq!(beside["rate_to_alone"]["of_rounds"]["low"], 0.5);
    }
}
