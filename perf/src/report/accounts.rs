//! What the report says in words, on the page and in the Markdown.

use super::summary::{self, Line};
use super::words::{self, Outcome};
use crate::json::{Document, Trial};
use crate::machine::Placement;
use crate::progress::span;
use crate::tables::digits;

pub(super) const TITLE: &str = "mainspring beside its peers";

pub(super) const LEAD: &str = "\
Mainspring moves messages between threads in one total order on one clock. Here it is measured \
beside what people would use instead, most of which orders less or nothing. What is compared is \
time, always of two contenders in the same trial; figures of different trials, machines or runs say \
nothing about each other.";

pub(super) const SUMMARY: &str = "\
A row is one form of one scenario, a mark is one peer: its time divided by ours, round by round, the median of \
these. To the right of the line at 1 ours is faster, to the left it is slower; the axis is logarithmic, so twice as \
fast and half as fast are equally far from the line. On the right stands the peer that comes closest, or is ahead.";

pub(super) const TARGETS: &str = "\
The targets are for messages of 8 bytes on two cores. Must: what throw-away code before the engine did in nearly \
every run; aim: what it did in some. Where several peers are named, the best of them counts.";

pub(super) const BARS: &str = "\
A bar is the median time, from nought: shorter is better. Where a scenario has settings, the same stream alone and \
beside something that should not concern it, a contender's rate is compared with its own rate alone. Latency is \
drawn as a curve; both of its axes are logarithmic. p50 is the median, p99 what 99 of 100 do not exceed.";

pub(super) const METHOD: [&str; 4] = [
    "\
All contenders of a trial run in one process, each once a round, and the order is swapped from round to round: what \
disturbs one disturbs the others, and what drifts drifts for all. A run is from the moment at which all threads are \
ready until all receivers have everything; each byte of a message is written by the sender and read by the receiver, \
and a sum shows that nothing was lost.",
    "\
A figure is the median of the runs, a ratio the median of the ratios of each round; beside both stands their middle \
half. If the middle half of a contender's runs is wider than 35 % of the median, comparisons with it are void, and are \
marked (~). Ours counts as faster or slower only if 1 is not in the middle half of the ratios.",
    "\
Before, between and after the runs the round trip of one cache line between two cores is measured: they are near each \
other (60 to 140 ns) or far (300 to 550 ns), and a virtual machine may move them at any time.",
    "\
In the short form not all peers take part in each trial, but crossbeam-channel, clocked-dispatch, those whom a target \
names, and of all others the two that were fastest in a round of everybody before the first.",
];

/// What has to be known before anything else.
pub(super) fn warnings(document: &Document) -> Vec<String> {
    let mut warnings = Vec::new();
    if document.quick {
        warnings.push(
            "These runs were too short: they show that everything works, and their figures mean nothing.".into(),
        );
    }
    let machine = &document.machine;
    if let Some(load) = machine.load.filter(|load| *load > machine.cores as f64) {
        warnings.push(format!(
            "The machine was busy when this began: {load:.1} threads wanted to run on {} cores.",
            machine.cores,
        ));
    }
    if document.is_incomplete() {
        let (done, planned) = (document.trials.len(), document.planned);
        let why = match &document.failure {
            Some(failure) => format!(" ({failure})"),
            None => String::new(),
        };
        warnings.push(format!("Incomplete: {done} of {planned} trials were measured{why}."));
    }
    warnings
}

/// How it went, in one sentence.
pub(super) fn count(lines: &[Line<'_>]) -> String {
    let all: usize = lines.iter().map(|line| line.beside.len()).sum();
    let [faster, slower, even, void] =
        [Outcome::Faster, Outcome::Slower, Outcome::Even, Outcome::Void]
            .map(|outcome| summary::count(lines, outcome));
    format!(
        "Of {all} comparisons with peers, ours is faster in {faster}, slower in {slower}, even in {even}; {void} are \
         void because the runs lie too far apart.",
    )
}

/// Where and when.
pub(super) fn one_line(document: &Document) -> String {
    let machine = &document.machine;
    format!(
        "{} cores, {}, {}. Begun {}, took {}.",
        machine.cores,
        machine.model,
        machine.kernel,
        document.began,
        span(document.took_s),
    )
}

pub(super) fn facts(document: &Document) -> Vec<(&'static str, String)> {
    let machine = &document.machine;
    let load =
        |load: Option<f64>| load.map_or_else(|| "unknown".into(), |load| format!("{load:.2}"));
    let lines = || document.trials.iter().flat_map(|trial| trial.line_ns.runs_ns.iter().copied());
    let nearest = lines().fold(f64::INFINITY, f64::min);
    let farthest = lines().fold(0.0, f64::max);
    let rounds = document.trials.iter().map(rounds);
    let (fewest, most) = (rounds.clone().min().unwrap_or(0), rounds.max().unwrap_or(0));
    let mut facts = vec![
        ("Command", document.command.clone()),
        ("Machine", format!("{} cores, {}", machine.cores, machine.model)),
        ("System", machine.kernel.clone()),
        ("Load", format!("{} before, {} after", load(machine.load), load(document.load_after))),
        ("Begun", document.began.clone()),
        ("Took", span(document.took_s)),
        ("Trials", format!("{} of {}", document.trials.len(), document.planned)),
        ("Rounds", if fewest == most { most.to_string() } else { format!("{fewest} to {most}") }),
    ];
    if nearest.is_finite() {
        let (nearest, farthest) = (words::time(nearest), words::time(farthest));
        let line = format!("{nearest} to {farthest}, there and back");
        facts.push(("Cache line", line));
    }
    facts
}

/// How often each contender was run.
pub(super) fn rounds(trial: &Trial) -> usize {
    trial.results.iter().map(|row| row.samples.runs_ns.len()).max().unwrap_or(0)
}

/// What was run, and where the cores were.
pub(super) fn trial(trial: &Trial) -> String {
    format!(
        "{}, {}: {} rounds of {} messages, channels of {}, cores {}",
        trial.scenario,
        words::form(trial),
        rounds(trial),
        digits(trial.messages as f64),
        trial.capacity,
        placement(trial),
    )
}

fn placement(trial: &Trial) -> String {
    let word = match trial.placement {
        Some(Placement::Near) => "near",
        Some(Placement::Far) => "far",
        Some(Placement::OneCore) => "one only",
        None => "changed places",
    };
    format!("{word} (a line takes {:.0} ns)", trial.line_ns.ns.median)
}

pub(super) fn doubts(trial: &Trial) -> String {
    format!("{}: {}", words::form(trial), trial.doubts.join("; "))
}
