//! The command line: which scenarios, in which forms, how often.

use std::time::Duration;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, value_parser};

use crate::compare::Trial;
use crate::message::Payload;
use crate::scenario::{self, BATCH, Load, Scenario};

const EXAMPLES: &str = "\
Examples:
  cargo perf                                    everything
  cargo perf list                               the scenarios
  cargo perf one-to-one ping-pong               two of them, in all forms
  cargo perf many-to-one-4 --payload 8 --batch 32 --runs 31
  cargo perf many-to-many --capacity 64         with small channels
  cargo perf --quick                            does it all run? The figures mean nothing

Exit status: 0 if all ran, 1 if a run failed (lost messages, a wrong sum, a hang), 2 if the command
line is wrong.";

/// Measures mainspring beside crossbeam-channel.
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
    /// Names the scenarios.
    List,
}

#[derive(Debug, Args)]
struct What {
    /// What to run; all of them unless told.
    #[arg(value_parser = names(), hide_possible_values = true)]
    scenario: Vec<&'static str>,
    /// Bytes of a message: 8 or 64; both unless told.
    #[arg(long, value_name = "BYTES", value_parser = ["8", "64"], hide_possible_values = true)]
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
    /// Runs that are too short to mean anything, but show that everything works.
    #[arg(long)]
    quick: bool,
}

const RUNS: u64 = 9;
const QUICK_RUNS: u64 = 2;
const SETTLE: Duration = Duration::from_millis(20);
/// The quick form divides the number of messages by this.
const QUICK_PART: u64 = 100;

impl Cli {
    /// What is asked for, in the order of the table.
    pub(crate) fn trials(&self) -> Vec<Trial> {
        let what = &self.what;
        let wanted = |scenario: &&Scenario| {
            what.scenario.is_empty() || what.scenario.contains(&scenario.name)
        };
        let runs = what.runs.unwrap_or(if what.quick { QUICK_RUNS } else { RUNS });
        let mut trials = Vec::new();
        for scenario in scenario::ALL.iter().filter(wanted) {
            for payload in what.payloads() {
                for batch in what.batches() {
                    let messages = what.messages(scenario);
                    let capacity = what.capacity as usize;
                    let settle = if what.quick { Duration::ZERO } else { SETTLE };
                    let load = Load { capacity, messages, batch, settle };
                    trials.push(Trial { scenario, payload, load, runs });
                }
            }
        }
        trials
    }
}

impl What {
    fn payloads(&self) -> impl Iterator<Item = Payload> {
        Payload::ALL.into_iter().filter(|payload| is_wanted(&self.payload, payload.bytes()))
    }

    fn batches(&self) -> impl Iterator<Item = usize> {
        [1, BATCH].into_iter().filter(|batch| is_wanted(&self.batch, *batch))
    }

    fn messages(&self, scenario: &Scenario) -> u64 {
        let part = if self.quick { QUICK_PART } else { 1 };
        self.messages.unwrap_or(scenario.messages / part)
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
        assert_eq!(trials.len(), scenario::ALL.len() * 4);
        assert!(trials.iter().all(|trial| trial.runs == RUNS && trial.load.capacity == 1024));
    }

    #[test]
    fn each_option_narrows() {
        let args = ["ping-pong", "--payload", "64", "--batch", "32", "--runs", "3", "--quick"];
        let trials = parse(&args).trials();
        let [trial] = trials.as_slice() else { panic!("{} trials", trials.len()) };
        assert_eq!(trial.to_string(), "ping-pong, 64 bytes, in 32s");
        assert_eq!((trial.runs, trial.load.messages), (3, 1_000));
    }

    #[test]
    fn mistakes_are_refused() {
        for args in [["two-to-two", ""], ["--payload", "9"], ["--runs", "0"], ["--capacity", "1"]] {
            assert!(Cli::try_parse_from(["cargo perf"].iter().chain(&args)).is_err(), "{args:?}");
        }
    }

    #[test]
    fn list_is_a_command() {
        assert!(matches!(parse(&["list"]).command, Some(Command::List)));
    }
}
