//! The command line: which scenarios, in which forms, how often.

use std::env;
use std::fmt::Display;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::error::ErrorKind;
use clap::{Args, CommandFactory, Parser, Subcommand, value_parser};

use crate::against::Who;
use crate::compare::Trial;
use crate::json::{Document, NotOneMachine};
use crate::message::Payload;
use crate::report::folder::{self, Folder};
use crate::scenario::{self, Load, Scenario};
use crate::suite::{Interrupt, Manner};

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
  cargo perf all --report out                   out/index.html: all scenarios, the strongest peers
  cargo perf all --full --report out            the same with everybody and every payload, which takes long
  cargo perf report out/results.json --report out    the page again, of what was measured then

Exit status: 0 if all ran, 1 if a run failed (lost messages, a wrong sum, a hang) or was interrupted,
2 if the command line is wrong.";

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
    /// Runs all scenarios and writes a report: a page, its pictures, and the results.
    All(All),
    /// Writes the report of what was measured before.
    Report(Again),
}

/// `cargo perf all`
#[derive(Debug, Args)]
pub(crate) struct All {
    /// Every payload and everybody, as long as it takes; unless told 8 bytes only, beside crossbeam,
    /// clocked-dispatch and the strongest others, in under a quarter of an hour.
    #[arg(long)]
    full: bool,
    /// Runs that are too short to mean anything, but show that everything works.
    #[arg(long)]
    quick: bool,
    #[command(flatten)]
    pub(crate) place: Place,
}

/// `cargo perf report`
#[derive(Debug, Args)]
pub(crate) struct Again {
    /// The results.json of an earlier report, or what --json printed; of several, the last counts
    /// where two have the same trial.
    #[arg(required = true, value_name = "JSON")]
    pub(crate) results: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct Place {
    /// Writes index.html, RESULTS.md, results.json and pictures/ into this folder.
    #[arg(long = "report", value_name = "DIR")]
    dir: PathBuf,
    /// Also if the folder holds something else than an earlier report.
    #[arg(long)]
    force: bool,
}

impl Place {
    /// Ends the program if nothing can or should be written there.
    pub(crate) fn open(&self) -> Folder {
        Folder::open(&self.dir, self.force).unwrap_or_else(|refusal| {
            refuse(format_args!("--report {}: {refusal}", self.dir.display()))
        })
    }
}

impl Again {
    /// All that these files hold. Ends the program if one of them cannot be read, or is of another
    /// machine.
    pub(crate) fn document(&self) -> Document {
        let mut all: Option<Document> = None;
        for path in &self.results {
            let read = folder::read(path)
                .unwrap_or_else(|error| refuse(format_args!("{}: {error}", path.display())));
            match &mut all {
                None => all = Some(read),
                Some(all) => all.merge(read).unwrap_or_else(|NotOneMachine| {
                    refuse(format_args!("{} is of another machine", path.display()))
                }),
            }
        }
        all.unwrap_or_else(|| refuse("no results are named"))
    }
}

impl All {
    pub(crate) fn trials(&self) -> Vec<Trial> {
        let everybody = || Who::peers().map(Some).collect();
        let what = What {
            scenario: Vec::new(),
            payload: (!self.full).then(|| Payload::Word.bytes().to_string()),
            batch: None,
            runs: None,
            messages: None,
            capacity: CAPACITY,
            against: if self.full { everybody() } else { Vec::new() },
            json: false,
            quick: self.quick,
        };
        what.trials()
    }

    pub(crate) fn is_quick(&self) -> bool {
        self.quick
    }

    /// What one has to type for the same again, but for the folder.
    pub(crate) fn command(&self) -> String {
        let options = [(self.full, " --full"), (self.quick, " --quick")];
        let given = options.into_iter().filter_map(|(is, option)| is.then_some(option));
        ["cargo perf all"].into_iter().chain(given).collect()
    }

    /// How it is run; ends the program if signals cannot be listened to.
    pub(crate) fn manner(&self) -> Manner {
        let interrupt = Interrupt::listen().unwrap_or_else(|failure| refuse(failure));
        match self.full {
            true => Manner { limit: None, strongest: false, interrupt },
            false => Manner { limit: Some(LIMIT), strongest: true, interrupt },
        }
    }
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
        default_value_t = CAPACITY,
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
const CAPACITY: u32 = 1024;
/// Of the short form; leaves time to build it in a quarter of an hour.
const LIMIT: Duration = Duration::from_secs(12 * 60);
const QUICK_RUNS: u64 = 2;
const SETTLE: Duration = Duration::from_millis(20);
/// The quick form divides the number of messages by this.
const QUICK_PART: u64 = 100;

/// What was typed, after its name.
pub(crate) fn command() -> String {
    let args = env::args_os().skip(1).map(|arg| arg.to_string_lossy().into_owned());
    ["cargo perf".into()].into_iter().chain(args).collect::<Vec<_>>().join(" ")
}

/// Ends the program: what is asked for cannot be done.
pub(crate) fn refuse(why: impl Display) -> ! {
    Cli::command().error(ErrorKind::ValueValidation, why).exit()
}

/// One to be measured beside; `None` is nobody.
type Peer = Option<Who>;

const NOBODY: &str = "nobody";

impl Cli {
    /// What is asked for, in the order of the table. Ends the program if there is no such thing.
    pub(crate) fn trials(&self) -> Vec<Trial> {
        let trials = self.what.trials();
        if trials.is_empty() {
            refuse("none of the scenarios has this form, or none of the peers can do it");
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

    fn all(args: &[&str]) -> All {
        let command = parse(&[&["all", "--report", "out"], args].concat()).command;
        let Some(Command::All(all)) = command else { panic!("{command:?}") };
        all
    }

    #[test]
    fn all_is_the_smallest_payload_and_in_full_everybody_with_each() {
        let forms = |s: &Scenario| s.payloads.len() * s.batches.len();
        let [short, full] = [&[][..], &["--full"]].map(|args| all(args).trials());
        assert!(short.iter().all(|trial| trial.payload == Payload::Word));
        assert_eq!(full.len(), scenario::ALL.iter().map(forms).sum::<usize>());
        assert!(full.iter().all(|trial| trial.who == trial.scenario.who), "everybody");
        let named = |trials: &[Trial], name| trials.iter().any(|t| t.scenario.name == name);
        assert!(scenario::ALL.iter().all(|s| named(&short, s.name) && named(&full, s.name)));
    }

    #[test]
    fn a_report_needs_a_folder_and_something_to_report() {
        for args in [vec!["all"], vec!["report", "--report", "out"], vec!["report", "a.json"]] {
            let args = ["cargo perf"].into_iter().chain(args);
            assert!(Cli::try_parse_from(args).is_err());
        }
        let again = parse(&["report", "a.json", "b.json", "--report", "out", "--force"]).command;
        assert!(matches!(again, Some(Command::Report(again)) if again.results.len() == 2));
    }

    #[test]
    fn list_is_a_command() {
        assert!(matches!(parse(&["list"]).command, Some(Command::List)));
    }
}
