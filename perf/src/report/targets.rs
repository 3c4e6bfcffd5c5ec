//! What mainspring is to reach, as data, and whether a run has reached it.
//!
//! *Must* was met in nearly every run of throw-away code before there was an engine, *aim* in some.
//! Targets are for messages of 8 bytes and for two cores. Where one has a value for single messages
//! and none for batches, it is for single ones.

use self::Quantity::{PartOfIts, RateToAlone, TimesFaster};
use super::words;
use crate::json::{Document, Row, Trial};
use crate::machine::Placement;
use crate::tables::digits;

/// Bytes of a message that targets are for.
const BYTES: usize = 8;
/// Names all scenarios that measure how many messages pass.
const EACH: &str = "every throughput scenario";
const MESSAGE: &str = "message";

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quantity {
    /// The peer's time over ours, at least.
    TimesFaster,
    /// Our time over the peer's, at most.
    PartOfIts,
    /// Our rate in the last setting over our rate alone, at least.
    RateToAlone,
}

#[derive(Clone, Copy, Debug)]
struct Limits {
    must: f64,
    aim: f64,
}

const fn limits(must: f64, aim: f64) -> Limits {
    Limits { must, aim }
}

#[derive(Debug)]
struct Target {
    /// With `*` at its end how the name begins.
    scenario: &'static str,
    per: &'static str,
    quantity: Quantity,
    /// The best of them counts.
    against: &'static [&'static str],
    single: Limits,
    batches: Option<Limits>,
    /// In place of `must` where the cores are far from each other.
    far: Option<f64>,
}

const CROSSBEAM: &[&str] = &["crossbeam-channel"];
const CLOCKED: &[&str] = &["clocked-dispatch"];
const READY_MADE: &[&str] =
    &["mutex-crossbeam", "sequencer-crossbeam", "disruptor", "clocked-dispatch"];
const HAND_MADE: &[&str] = &["sequencer-rtrb"];
const LOCK: &[&str] = &["mutex-crossbeam"];
const NOBODY: &[&str] = &[];

#[rustfmt::skip]
static ALL: [Target; 18] = [
    two("one-to-one",          TimesFaster, CROSSBEAM,  limits(2.5, 4.0),     limits(7.0, 10.0)),
    two("many-to-one-4",       TimesFaster, CROSSBEAM,  limits(2.4, 4.5),     limits(5.5, 8.0)),
    two("many-to-one-8",       TimesFaster, CROSSBEAM,  limits(2.4, 4.5),     limits(5.5, 8.0)),
    two("many-to-many",        TimesFaster, CROSSBEAM,  limits(2.4, 4.0),     limits(4.5, 6.0)),
    two("many-to-many-random", TimesFaster, CROSSBEAM,  limits(2.1, 3.0),     limits(4.0, 5.0)),
    two("broadcast",           TimesFaster, CROSSBEAM,  limits(4.0, 8.0),     limits(6.0, 12.0)),
    two("same-thread",         PartOfIts,   CROSSBEAM,  limits(1.0, 0.7),     limits(0.15, 0.1)),
    far(one("ping-pong",        "trip p50", PartOfIts,  CROSSBEAM, limits(1.2, 0.95)), 1.4),
    far(one("ping-pong",        "trip p99", PartOfIts,  CROSSBEAM, limits(1.2, 0.85)), 1.4),
    one("ping-pong-parked",     "way p50",  PartOfIts,  CROSSBEAM, limits(1.15, 1.05)),
    both("parked-neighbours",  RateToAlone, NOBODY,     limits(0.9, 0.97)),
    both("thousand-lanes",     RateToAlone, NOBODY,     limits(0.8, 0.95)),
    both("slow-receiver",      RateToAlone, NOBODY,     limits(0.9, 0.98)),
    two("total-order*",        TimesFaster, READY_MADE, limits(3.0, 5.0),     limits(6.0, 10.0)),
    two("total-order*",        TimesFaster, HAND_MADE,  limits(2.0, 3.0),     limits(3.0, 5.0)),
    both("one-to-one",         PartOfIts,   &["rtrb"],  limits(1.5, 1.1)),
    one("marks",                "mark",     PartOfIts,  LOCK, limits(2.0, 1.0)),
    both(EACH,                 TimesFaster, CLOCKED,    limits(200.0, 300.0)),
];

const fn two(
    scenario: &'static str,
    quantity: Quantity,
    against: &'static [&'static str],
    single: Limits,
    batches: Limits,
) -> Target {
    Target { scenario, per: MESSAGE, quantity, against, single, batches: Some(batches), far: None }
}

const fn both(
    scenario: &'static str,
    quantity: Quantity,
    against: &'static [&'static str],
    limits: Limits,
) -> Target {
    two(scenario, quantity, against, limits, limits)
}

const fn one(
    scenario: &'static str,
    per: &'static str,
    quantity: Quantity,
    against: &'static [&'static str],
    single: Limits,
) -> Target {
    Target { scenario, per, quantity, against, single, batches: None, far: None }
}

const fn far(target: Target, must: f64) -> Target {
    Target { far: Some(must), ..target }
}

/// Whether a target of this scenario names this contender.
pub(crate) fn name(scenario: &str, contender: &str) -> bool {
    ALL.iter().any(|target| target.is_of(scenario) && target.against.contains(&contender))
}

/// What became of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Verdict {
    Aim,
    Must,
    Missed,
    /// The runs lie too far apart.
    Void,
    Unmeasured,
}

impl Verdict {
    pub(super) const ALL: [Self; 5] =
        [Self::Aim, Self::Must, Self::Missed, Self::Void, Self::Unmeasured];

    /// With a sign: it has to be seen without colours.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Aim => "✔ aim reached",
            Self::Must => "✔ must reached",
            Self::Missed => "✘ missed",
            Self::Void => "~ void",
            Self::Unmeasured => "– not measured",
        }
    }

    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Aim | Self::Must => "win",
            Self::Missed => "loss",
            Self::Void | Self::Unmeasured => "none",
        }
    }
}

/// A target, and what was measured, in words.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Checked {
    pub(super) what: String,
    pub(super) against: String,
    pub(super) must: String,
    pub(super) aim: String,
    pub(super) measured: String,
    pub(super) verdict: Verdict,
}

/// All targets, each in each of its forms.
pub(super) fn check(document: &Document) -> Vec<Checked> {
    ALL.iter().flat_map(|target| target.check(document)).collect()
}

/// A figure, and of which peer it is.
struct Found<'a> {
    value: f64,
    against: &'a str,
    is_void: bool,
}

impl Target {
    fn is_of(&self, scenario: &str) -> bool {
        match self.scenario.strip_suffix('*') {
            Some(start) => scenario.starts_with(start),
            // One thread that sends to itself is no stream.
            None if self.scenario == EACH => !scenario.starts_with("same-thread"),
            None => scenario == self.scenario,
        }
    }

    fn limits(&self, batch: usize) -> Option<Limits> {
        if batch == 1 { Some(self.single) } else { self.batches }
    }

    fn check(&self, document: &Document) -> Vec<Checked> {
        let of = |trial: &&Trial| trial.bytes == BYTES && self.is_of(&trial.scenario);
        let mut checked = Vec::new();
        for trial in document.trials.iter().filter(of) {
            let Some(limits) = self.limits(trial.batch) else { continue };
            if let Some(mut found) = self.find(trial) {
                // Runs that are too short reach nothing and miss nothing.
                found.is_void |= document.quick;
                checked.push(self.judge(trial, limits, &found));
            }
        }
        if checked.is_empty() {
            checked.push(self.unmeasured(self.single));
        }
        checked
    }

    /// The best of the peers counts.
    fn find<'a>(&self, trial: &'a Trial) -> Option<Found<'a>> {
        let mut rows = trial.results.iter().filter(|row| row.per == self.per);
        if self.quantity == RateToAlone {
            let last = rows.rfind(|row| row.is_first_of_ours() && row.rate_to_alone.is_some())?;
            let alone =
                trial.results.iter().find(|row| row.is_first_of_ours() && row.per == self.per)?;
            let value = last.rate_to_alone?.of_rounds.median;
            return Some(Found { value, against: "itself", is_void: last.void || alone.void });
        }
        let setting = &trial.results.first()?.setting;
        let is_peer =
            |row: &&Row| row.setting == *setting && self.against.contains(&row.contender.as_str());
        let ratio = |row: &Row| Some(row.peer_over_ours?.of_rounds.median);
        let peers = rows.filter(is_peer).filter_map(|row| Some((row, ratio(row)?)));
        let (best, ratio) = peers.min_by(|(_, a), (_, b)| a.total_cmp(b))?;
        let ours = words::ours(trial, best)?;
        let value = if self.quantity == PartOfIts { ratio.recip() } else { ratio };
        Some(Found { value, against: &best.contender, is_void: best.void || ours.void })
    }

    fn judge(&self, trial: &Trial, limits: Limits, found: &Found<'_>) -> Checked {
        let is_far = Placement::of(trial.line_ns.ns.median) == Placement::Far;
        let must = self.far.filter(|_| is_far).unwrap_or(limits.must);
        let reaches = |limit: f64| match self.quantity {
            PartOfIts => found.value <= limit,
            TimesFaster | RateToAlone => found.value >= limit,
        };
        let verdict = match () {
            () if found.is_void => Verdict::Void,
            () if reaches(limits.aim) => Verdict::Aim,
            () if reaches(must) => Verdict::Must,
            () => Verdict::Missed,
        };
        let mut what = format!("{}, {}", trial.scenario, words::sent(trial.batch));
        if self.per != MESSAGE {
            what += &format!(", {}", words::measure(self.per));
        }
        Checked {
            what,
            against: found.against.into(),
            must: self.limit(must),
            aim: self.limit(limits.aim),
            measured: self.value(found.value),
            verdict,
        }
    }

    fn unmeasured(&self, limits: Limits) -> Checked {
        Checked {
            what: self.scenario.trim_end_matches('*').into(),
            against: self.against.join(", "),
            must: self.limit(limits.must),
            aim: self.limit(limits.aim),
            measured: String::new(),
            verdict: Verdict::Unmeasured,
        }
    }

    fn limit(&self, limit: f64) -> String {
        let sign = if self.quantity == PartOfIts { "≤" } else { "≥" };
        format!("{sign} {}", self.unit(limit.to_string()))
    }

    fn value(&self, value: f64) -> String {
        match value {
            // Close to a limit the third digit tells.
            value if value < 1.9995 => self.unit(format!("{value:.3}")),
            value => self.unit(digits(value)),
        }
    }

    fn unit(&self, value: String) -> String {
        match self.quantity {
            TimesFaster => format!("{value} × as fast"),
            PartOfIts => format!("{value} of its time"),
            RateToAlone => format!("{value} of the rate alone"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::Side;
    use crate::compare::tests::{OURS, PEERS, comparison};
    use crate::json::tests::document;

    fn checked(scenario: &str, results: &[(Side, &[f64])], line_ns: f64) -> Vec<Checked> {
        let all = check(&document(&[comparison(scenario, results, &[line_ns; 7])]));
        all.into_iter().filter(|checked| checked.verdict != Verdict::Unmeasured).collect()
    }

    fn verdict(scenario: &str, ours: [f64; 3], peers: [f64; 3]) -> Vec<Verdict> {
        let found = checked(scenario, &[(OURS, &ours), (PEERS, &peers)], 100.0);
        found.into_iter().map(|checked| checked.verdict).collect()
    }

    #[test]
    fn a_target_is_reached_at_its_limit_and_missed_below() {
        let ours = [10.0; 3];
        assert_eq!(verdict("one-to-one", ours, [40.0; 3]), [Verdict::Aim]);
        assert_eq!(verdict("one-to-one", ours, [25.0; 3]), [Verdict::Must]);
        assert_eq!(verdict("one-to-one", ours, [24.9; 3]), [Verdict::Missed]);
        assert_eq!(verdict("same-thread", ours, [10.0; 3]), [Verdict::Must]);
        assert_eq!(verdict("same-thread", ours, [9.9; 3]), [Verdict::Missed]);
    }

    #[test]
    fn runs_that_lie_too_far_apart_reach_nothing() {
        assert_eq!(verdict("one-to-one", [1.0, 2.0, 3.0], [99.0; 3]), [Verdict::Void]);
        assert_eq!(verdict("one-to-one", [1.0; 3], [10.0, 20.0, 30.0]), [Verdict::Void]);
    }

    #[test]
    fn runs_that_are_too_short_neither_reach_nor_miss() {
        let results: [(Side, &[f64]); 2] = [(OURS, &[4.0; 3]), (PEERS, &[40.0; 3])];
        let mut document = document(&[comparison("one-to-one", &results, &[100.0; 7])]);
        assert_eq!(check(&document)[0].verdict, Verdict::Aim);
        document.quick = true;
        assert_eq!(check(&document)[0].verdict, Verdict::Void);
    }

    #[test]
    fn a_disturbed_rate_is_held_against_the_same_alone() {
        let beside = Side { setting: 1, ..OURS };
        let results: [(Side, &[f64]); 2] = [(OURS, &[9.0; 3]), (beside, &[10.0; 3])];
        let found = checked("slow-receiver", &results, 100.0);
        let [checked] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!(
            (checked.measured.as_str(), checked.verdict),
            ("0.900 of the rate alone", Verdict::Must)
        );
    }

    #[test]
    fn every_target_is_in_the_table_measured_or_not() {
        let none = check(&document(&[]));
        assert_eq!(none.len(), ALL.len());
        assert!(none.iter().all(|checked| checked.verdict == Verdict::Unmeasured));
    }

    #[test]
    fn whom_and_what_targets_name_exists() {
        use crate::against::Who;
        use crate::scenario;
        for target in &ALL {
            assert!(scenario::ALL.iter().any(|s| target.is_of(s.name)), "{target:?}");
            for name in target.against {
                let who = Who::ALL.into_iter().find(|who| who.name() == *name);
                let who = who.unwrap_or_else(|| panic!("{target:?}"));
                let takes_part =
                    |s: &scenario::Scenario| target.is_of(s.name) && s.who.contains(&who);
                assert!(scenario::ALL.iter().any(takes_part), "{target:?}");
            }
        }
    }
}
