//! The command line: which scenarios, in which forms, how often.

use std::time::Duration;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::error::ErrorKind;
use clap::{Args, CommandFactory, Parser, Subcommand, value_parser};

use crate::against::Who;
use crate::compare::Trial;
use crate::message::Payload;
use crate::scenario::{self, Load, Scenario};

const EXAMPLES: &str = "\
Examples:
  cargo perf                                    everything
  cargo perf list                               the scenarios, and who takes part
  cargo perf one-to-one ping-pong               two of them, in all forms
  cargo perf many-to-one-4 --payload 8 --batch 32 --runs 31
  cargo perf many-to-many --capacity 64         with small channels
  cargo perf one-to-one --against rtrb          beside a ring, in all forms
  cargo perf total-order --against mutex-crossbeam,sequencer-rtrb,clocked-dispatch
  cargo perf async-request-reply --against flume,tokio-mpsc
  cargo perf --against nobody --json            our own figures, each single run
  cargo perf --quick                            does it all run? The figures mean nothing

Exit status: 0 if all ran, 1 if a run failed (lost messages, a wrong sum, a hang), 2 if the command
line is wrong.";

/// Measures mainspring beside what people would use instead, in threads and in tasks, and in its own
/// drives beside each other.
#[derive(Debug, Parser)]
#[command(
    name = "cargo perf",
    bin_name = "cargo perf",
    after_help = EXAMPLES,
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    what: What,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Names the scenarios and the contenders.
    List,
}

#[derive(Debug, Args)]
struct What {
    /// What to run; all of them unless told.
    #[arg(value_parser = names(), hide_possible_values = true)]
    scenario: Vec<&'static str>,
    /// Bytes of a message: 8, 64 or 1024; all of them unless told.
    #[arg(
        long,
        value_name = "BYTES",
        value_parser = ["8", "64", "1024"],
        hide_possible_values = true
    )]
    payload: Option<String>,
    /// As many are sent at once: 1 or 32; both unless told.
    #[arg(long, value_name = "MESSAGES", value_parser = ["1", "32"], hide_possible_values = true)]
    batch: Option<String>,
    /// Rounds: as often each side is run [default: 9, quick: 2].
    #[arg(long, value_name = "N", value_parser = value_parser!(u64).range(1..=10_000))]
    runs: Option<u64>,
    /// Messages of each run; unless told, as many as take about a tenth of a second.
    #[arg(long, value_name = "N", value_parser = value_parser!(u64).range(1..=1_000_000_000))]
    messages: Option<u64>,
    /// Messages that a channel holds.
    #[arg(
        long,
        value_name = "MESSAGES",
        default_value_t = 1024,
        value_parser = value_parser!(u32).range(64..=1 << 20)
    )]
    capacity: u32,
    /// Beside whom, each where it can do the work (`cargo perf list` names them), or nobody; unless
    /// told all of them, most others than crossbeam's with 8 bytes only.
    #[arg(
        long,
        value_name = "PEER",
        value_delimiter = ',',
        value_parser = peers(),
        hide_possible_values = true
    )]
    against: Vec<Peer>,
    /// Prints one JSON document in place of the tables.
    #[arg(long)]
    json: bool,
    /// Runs that are too short to mean anything, but show that everything works.
    #[arg(long)]
    quick: bool,
}

const RUNS: u64 = 9;
const QUICK_RUNS: u64 = 2;
const SETTLE: Duration = Duration::from_millis(20);
/// The quick form divides the number of messages by this.
const QUICK_PART: u64 = 100;

/// One to be measured beside; `None` is nobody.
type Peer = Option<Who>;

const NOBODY: &str = "nobody";

impl Cli {
    /// What is asked for, in the order of the table. Ends the program if there is no such thing.
    pub(crate) fn trials(&self) -> Vec<Trial> {
        let trials = self.what.trials();
        if trials.is_empty() {
            let none = "none of the scenarios has this form, or none of the peers can do it";
            Self::command().error(ErrorKind::ValueValidation, none).exit();
        }
        trials
    }

    pub(crate) fn wants_json(&self) -> bool {
        self.what.json
    }

    /// Whether the runs are too short to mean anything.
    pub(crate) fn is_quick(&self) -> bool {
        self.what.quick
    }
}

impl What {
    fn trials(&self) -> Vec<Trial> {
        let wanted = |scenario: &&Scenario| {
            self.scenario.is_empty() || self.scenario.contains(&scenario.name)
        };
        let mut trials = Vec::new();
        for scenario in scenario::ALL.iter().filter(wanted) {
            for payload in self.payloads(scenario) {
                let who: Vec<_> = self.who(scenario, payload).collect();
                // Somebody was asked for, and cannot do it.
                if who.len() == 1 && self.against.iter().any(Option::is_some) {
                    continue;
                }
                for batch in self.batches(scenario) {
                    let (load, who) = (self.load(scenario, payload, batch), who.clone());
                    trials.push(Trial { scenario, who, payload, load, runs: self.runs() });
                }
            }
        }
        trials
    }

    fn payloads(&self, scenario: &Scenario) -> impl Iterator<Item = Payload> {
        let can = scenario.payloads.iter().copied();
        can.filter(|payload| is_wanted(&self.payload, payload.bytes()))
    }

    fn batches(&self, scenario: &Scenario) -> impl Iterator<Item = usize> {
        let can = scenario.batches.iter().copied();
        can.filter(|batch| is_wanted(&self.batch, *batch))
    }

    fn who(&self, scenario: &Scenario, payload: Payload) -> impl Iterator<Item = Who> {
        let is_usual = move |who| match who {
            Who::Mainspring | Who::Crossbeam | Who::Select => true,
            // Where crossbeam's alone cannot do it.
            Who::MutexCrossbeam | Who::Watch => true,
            // So that the whole table does not take too long.
            _ => payload == Payload::Word,
        };
        scenario.who.iter().copied().filter(move |who| match self.against.as_slice() {
            [] => is_usual(*who),
            told => *who == Who::Mainspring || told.contains(&Some(*who)),
        })
    }

    fn load(&self, scenario: &Scenario, payload: Payload, batch: usize) -> Load {
        let part = if self.quick { QUICK_PART } else { 1 } * payload.part();
        Load {
            capacity: self.capacity as usize,
            messages: self.messages.unwrap_or_else(|| (scenario.messages / part).max(1)),
            batch,
            setting: 0,
            thread: None,
            settle: if self.quick { Duration::ZERO } else { SETTLE },
        }
    }

    fn runs(&self) -> u64 {
        self.runs.unwrap_or(if self.quick { QUICK_RUNS } else { RUNS })
    }
}

fn is_wanted(option: &Option<String>, value: usize) -> bool {
    option.as_ref().is_none_or(|wanted| *wanted == value.to_string())
}

fn names() -> impl TypedValueParser<Value = &'static str> {
    let known = scenario::ALL.iter().map(|s| PossibleValue::new(s.name).help(s.about));
    PossibleValuesParser::new(known).try_map(|name| {
        let known = scenario::ALL.iter().find(|scenario| scenario.name == name);
        known.map(|scenario| scenario.name).ok_or("no such scenario")
    })
}

fn peers() -> impl TypedValueParser<Value = Peer> {
    let named = |who: Who| PossibleValue::new(who.name()).alias(who.label());
    let known = Who::peers().map(named).chain([PossibleValue::new(NOBODY)]);
    PossibleValuesParser::new(known).try_map(|name| match name.as_str() {
        NOBODY => Ok(None),
        name => {
            let known = Who::peers().find(|who| [who.name(), who.label()].contains(&name));
            known.map(Some).ok_or("no such peer")
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &[&str]) -> Cli {
        let name = std::iter::once(&"cargo perf");
        Cli::try_parse_from(name.chain(args)).unwrap()
    }

    #[test]
    fn nothing_said_is_everything_in_every_form() {
        let trials = parse(&[]).trials();
        let forms = |s: &Scenario| s.payloads.len() * s.batches.len();
        assert_eq!(trials.len(), scenario::ALL.iter().map(forms).sum::<usize>());
        assert!(trials.iter().all(|trial| trial.runs == RUNS && trial.load.capacity == 1024));
        assert!(trials.iter().all(|trial| trial.who.len() > 1));
    }

    #[test]
    fn each_option_narrows() {
        let args = ["ping-pong", "--payload", "64", "--batch", "32", "--runs", "3", "--quick"];
        let trials = parse(&args).trials();
        let [trial] = trials.as_slice() else { panic!("{} trials", trials.len()) };
        assert_eq!(trial.to_string(), "ping-pong, 64 bytes, in 32s");
        assert_eq!((trial.runs, trial.load.messages), (3, 1_000));
    }

    fn beside(args: &[&str]) -> Vec<Vec<Who>> {
        parse(args).what.trials().into_iter().map(|trial| trial.who).collect()
    }

    #[test]
    fn peers_take_part_where_they_can() {
        let [usual, larger] = [["--payload", "8"], ["--payload", "64"]].map(|payload| {
            let single = ["one-to-one", "--batch", "1"];
            beside(&single.iter().chain(&payload).copied().collect::<Vec<_>>())
        });
        assert_eq!(usual, [Who::DRIVEN_PAIRS]);
        assert_eq!(larger, [[Who::Mainspring, Who::Crossbeam]]);
        assert!(beside(&["many-to-one-4", "--against", "rtrb"]).is_empty());
        let rings = beside(&["one-to-one", "--against", "rtrb,disruptor"]);
        assert_eq!(rings, [[Who::Mainspring, Who::Rtrb, Who::Disruptor]; 6]);
        let asked = beside(&["one-to-one", "--batch", "1", "--against", "flume,flume-spin"]);
        assert_eq!(asked, [[Who::Mainspring, Who::Flume, Who::FlumeSpin]; 3]);
        let crossbeam = beside(&["same-thread", "--against", "crossbeam"]);
        assert_eq!(crossbeam, [[Who::Mainspring, Who::Crossbeam]; 6]);
        let bus = beside(&["broadcast", "--against", "bus"]);
        assert_eq!(bus, [[Who::Mainspring, Who::Bus]; 6]);
        assert_eq!(beside(&["churn", "--against", "nobody"]), [[Who::Mainspring]; 2]);
    }

    #[test]
    fn mistakes_are_refused() {
        let two = ["two-to-two", ""];
        let wrong =
            [two, ["--payload", "9"], ["--runs", "0"], ["--capacity", "1"], ["--against", "x"]];
        for args in wrong {
            assert!(Cli::try_parse_from(["cargo perf"].iter().chain(&args)).is_err(), "{args:?}");
        }
    }

    #[test]
    fn list_is_a_command() {
        assert!(matches!(parse(&["list"]).command, Some(Command::List)));
    }
}
