//! The results as one JSON document: for programs, for whoever wants each single run, and for the
//! report, which is made of nothing else and can so be made again later.
//!
//! ```text
//! { command, machine, load_after, began, took_s, contenders: [{name, version, about}], quick, planned,
//!   failure: null or why it ends early,
//!   trials: [{ scenario, about, bytes, batch, capacity, messages, line_ns, placement, doubts,
//!     results: [{ contender, version, setting, per, runs_ns, ns, void,
//!                 peer_over_ours, rate_to_alone }] }] }
//! ```

use std::io::{self, Write};
use std::time::Instant;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::against::Who;
use crate::compare::{Comparison, Ratio, Side};
use crate::machine::{self, Facts, Placement};
use crate::scenario::Measure;
use crate::stats::Quartiles;

/// All that is known of a run of this program, or of several on one machine.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Document {
    /// Without the folder that it writes to.
    pub(crate) command: String,
    /// Before the first run.
    pub(crate) machine: Facts,
    /// The machine's load after the last run.
    pub(crate) load_after: Option<f64>,
    /// The time of day, in UTC.
    pub(crate) began: String,
    pub(crate) took_s: f64,
    pub(crate) contenders: Vec<Contender>,
    pub(crate) trials: Vec<Trial>,
    /// The runs were too short: the figures mean nothing.
    pub(crate) quick: bool,
    /// As many trials were asked for.
    pub(crate) planned: usize,
    pub(crate) failure: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Contender {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) about: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Trial {
    pub(crate) scenario: String,
    pub(crate) about: String,
    pub(crate) bytes: usize,
    pub(crate) batch: usize,
    pub(crate) capacity: usize,
    /// Those who are very slow get a part of them ([`Who::part`]).
    pub(crate) messages: u64,
    /// Of one cache line, there and back.
    pub(crate) line_ns: Samples,
    /// None if the cores changed places.
    pub(crate) placement: Option<Placement>,
    pub(crate) doubts: Vec<String>,
    pub(crate) results: Vec<Row>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Samples {
    pub(crate) runs_ns: Vec<f64>,
    pub(crate) ns: Quartiles,
}

/// One measure of one contender in one setting.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) contender: String,
    pub(crate) version: String,
    pub(crate) setting: String,
    /// What the nanoseconds are of.
    pub(crate) per: String,
    #[serde(flatten)]
    pub(crate) samples: Samples,
    /// The runs lie too far apart to be compared.
    pub(crate) void: bool,
    /// How many times faster ours is, in the same setting.
    pub(crate) peer_over_ours: Option<Ratio>,
    /// The rate in this setting, as a part of the same contender's rate alone.
    pub(crate) rate_to_alone: Option<Ratio>,
}

/// When a run of this program began, and what the machine was like.
#[derive(Debug)]
pub(crate) struct Began {
    command: String,
    machine: Facts,
    date: OffsetDateTime,
    at: Instant,
}

impl Began {
    pub(crate) fn now(command: impl Into<String>) -> Self {
        Self {
            command: command.into(),
            machine: machine::facts(),
            date: OffsetDateTime::now_utc(),
            at: Instant::now(),
        }
    }

    fn time_of_day(&self) -> String {
        format!("{} {:02}:{:02} UTC", self.date.date(), self.date.hour(), self.date.minute())
    }
}

impl Document {
    /// All that came out; `failure` if something went wrong after that.
    pub(crate) fn of(
        began: &Began,
        comparisons: &[Comparison],
        planned: usize,
        quick: bool,
        failure: Option<String>,
    ) -> Self {
        let takes_part = |who: &Who| comparisons.iter().any(|c| c.trial.who.contains(who));
        Self {
            command: began.command.clone(),
            machine: began.machine.clone(),
            load_after: machine::load(),
            began: began.time_of_day(),
            took_s: began.at.elapsed().as_secs_f64(),
            contenders: Who::ALL.into_iter().filter(takes_part).map(contender).collect(),
            trials: comparisons.iter().map(trial).collect(),
            quick,
            planned,
            failure,
        }
    }

    pub(crate) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut *out, self)?;
        writeln!(out)
    }

    /// Whether something is missing that was asked for.
    pub(crate) fn is_incomplete(&self) -> bool {
        self.failure.is_some() || self.trials.len() < self.planned
    }

    /// Adds what was measured another time on the same machine. What is in both is taken from the
    /// other.
    pub(crate) fn merge(&mut self, other: Self) -> Result<(), NotOneMachine> {
        if !self.machine.is_same_machine(&other.machine) {
            return Err(NotOneMachine);
        }
        for trial in other.trials {
            match self.trials.iter_mut().find(|known| known.form() == trial.form()) {
                Some(known) => *known = trial,
                None => self.trials.push(trial),
            }
        }
        for contender in other.contenders {
            if !self.contenders.contains(&contender) {
                self.contenders.push(contender);
            }
        }
        let also = |known: &mut String, new: String| {
            if !known.split("; ").any(|known| known == new) {
                *known = format!("{known}; {new}");
            }
        };
        also(&mut self.began, other.began);
        also(&mut self.command, other.command);
        self.took_s += other.took_s;
        self.load_after = other.load_after;
        self.quick |= other.quick;
        self.planned = self.planned.max(self.trials.len());
        self.failure = self.failure.take().or(other.failure);
        Ok(())
    }
}

/// Figures of two machines do not belong in one report.
#[derive(Debug)]
pub(crate) struct NotOneMachine;

impl Trial {
    /// What makes it a trial of its own.
    pub(crate) fn form(&self) -> (&str, usize, usize) {
        (&self.scenario, self.bytes, self.batch)
    }
}

impl Row {
    /// Ours as it is compared with peers: whoever waits drives it.
    pub(crate) fn is_first_of_ours(&self) -> bool {
        self.contender == Who::Mainspring.name()
    }

    /// In any of its drives.
    pub(crate) fn is_ours(&self) -> bool {
        let named = |who: &Who| who.name() == self.contender;
        Who::ALL.iter().find(|who| named(who)).is_some_and(|who| who.is_ours())
    }
}

fn contender(who: Who) -> Contender {
    Contender {
        name: who.name().into(),
        version: machine::version(who.package()).into(),
        about: who.about().into(),
    }
}

fn trial(comparison: &Comparison) -> Trial {
    let trial = &comparison.trial;
    let rows = comparison.rows().into_iter();
    Trial {
        scenario: trial.scenario.name.into(),
        about: trial.scenario.about.into(),
        bytes: trial.payload.bytes(),
        batch: trial.load.batch,
        capacity: trial.load.capacity,
        messages: trial.load.messages,
        line_ns: Samples { runs_ns: comparison.lines_ns().to_vec(), ns: comparison.line_ns() },
        placement: comparison.placement(),
        doubts: comparison.doubts(),
        results: rows.map(|(side, measure)| row(comparison, side, measure)).collect(),
    }
}

fn row(comparison: &Comparison, side: Side, measure: Measure) -> Row {
    let Contender { name, version, .. } = contender(side.who);
    let runs_ns = comparison.runs(side, measure).to_vec();
    // Over nothing there is no ratio.
    let is_ratio = |ratio: &Ratio| ratio.of_medians.is_finite();
    Row {
        contender: name,
        version,
        setting: comparison.trial.setting(side).into(),
        per: measure.name().into(),
        samples: Samples { runs_ns, ns: comparison.ns(side, measure) },
        void: comparison.is_void(side, measure),
        peer_over_ours: comparison.to_ours(side, measure).filter(is_ratio),
        rate_to_alone: comparison.to_alone(side, measure).filter(is_ratio),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::compare::tests::{OURS, PEERS, comparison};

    /// What a run of these would leave.
    pub(crate) fn document(comparisons: &[Comparison]) -> Document {
        Document::of(&Began::now("cargo perf"), comparisons, comparisons.len(), false, None)
    }

    #[test]
    fn the_document_has_each_run_and_each_ratio() {
        let beside = Side { setting: 1, ..PEERS };
        let results: [(Side, &[f64]); 3] =
            [(OURS, &[4.0, 4.0]), (PEERS, &[8.0, 8.0]), (beside, &[16.0, 16.0])];
        let comparison = comparison("slow-receiver", &results, &[100.0; 5]);
        let failure = Some("a thread panicked".into());
        let mut out = Vec::new();
        let document = Document::of(&Began::now("cargo perf"), &[comparison], 1, true, failure);
        document.write(&mut out).unwrap();
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

    #[test]
    fn what_is_written_can_be_read() {
        let results: [(Side, &[f64]); 2] = [(OURS, &[4.0, 4.0]), (PEERS, &[8.0, 8.0])];
        let written = document(&[comparison("one-to-one", &results, &[100.0; 5])]);
        let mut out = Vec::new();
        written.write(&mut out).unwrap();
        let read: Document = serde_json::from_slice(&out).unwrap();
        assert_eq!(format!("{read:?}"), format!("{written:?}"));
    }

    #[test]
    fn of_two_runs_the_later_counts_and_nothing_is_lost() {
        let of = |name, ns| {
            let results: [(Side, &[f64]); 2] = [(OURS, &[ns; 3]), (PEERS, &[8.0; 3])];
            comparison(name, &results, &[100.0; 5])
        };
        let mut both = document(&[of("one-to-one", 4.0), of("broadcast", 4.0)]);
        both.merge(document(&[of("one-to-one", 2.0), of("churn", 4.0)])).unwrap();
        let found: Vec<_> = both.trials.iter().map(|trial| trial.scenario.as_str()).collect();
        assert_eq!(found, ["one-to-one", "broadcast", "churn"]);
        assert_eq!(both.trials[0].results[0].samples.ns.median, 2.0);
        assert!(!both.is_incomplete());
        let mut elsewhere = both.clone();
        elsewhere.machine.model.push('X');
        assert!(both.merge(elsewhere).is_err());
    }
}
