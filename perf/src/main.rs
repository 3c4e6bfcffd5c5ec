//! `cargo perf`: how fast is mainspring, beside what people would use instead?
//!
//! ```text
//!  cli ──▶ suite: each form of each scenario, with the peers chosen by rivals
//!            └▶ compare: round by round
//!                 line ▸ mainspring ▸ line ▸ crossbeam-channel ▸ line ▸ ...  (then the other way)
//!                   │        │
//!                   │        └─ scenario/*.rs (a topology)  ×  against/*.rs (a contender)
//!                   └─ machine: the round trip of one cache line
//!          ──▶ stats: medians, quartiles ──▶ tables on stdout, or json ──▶ report: a page
//! ```
//!
//! A contender is one file in `against/`, a topology one file in `scenario/`; neither knows the
//! other. Some topologies have settings, the same stream alone and beside something: these alternate
//! like contenders do, and each is compared with the same contender alone.
//!
//! Figures of different runs of this program must not be compared, only the ratios within one: the
//! virtual machine moves its cores about, and with them everything that depends on how far a cache
//! line has to go.

mod against;
mod cli;
mod compare;
mod crew;
mod failure;
mod json;
mod machine;
mod message;
mod progress;
mod report;
mod rivals;
mod scenario;
mod stats;
mod suite;
mod tables;
mod task_crew;

use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

use clap::Parser;

use crate::against::Who;
use crate::cli::{Again, All, Cli, Command};
use crate::compare::{Comparison, Trial};
use crate::failure::Failure;
use crate::json::{Began, Document};
use crate::suite::Manner;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match &cli.command {
        Some(Command::List) => tables::list(&mut io::stdout().lock()).map(|()| Ok(())),
        Some(Command::All(all)) => perform_all(all),
        Some(Command::Report(again)) => write_again(again).map(|()| Ok(())),
        None => perform(&cli, &cli.trials(), &mut io::stdout()),
    };
    match done {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(failure)) => complain(&failure),
        // Whoever read the table has seen enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => complain(&error),
    }
}

/// Runs the trials and prints what came out, also when one of them fails: then without it and what
/// follows it.
fn perform(cli: &Cli, trials: &[Trial], out: &mut impl Write) -> io::Result<Result<(), Failure>> {
    let takes_part = |who: &Who| trials.iter().any(|trial| trial.who.contains(who));
    let who: Vec<_> = Who::ALL.into_iter().filter(takes_part).collect();
    if !cli.wants_json() {
        tables::heading(&who, out)?;
        out.flush()?;
    }
    let (began, is_quick) = (Began::now(cli::command()), cli.is_quick());
    let (comparisons, result) = suite::run(trials, &Manner::default(), |_| Ok(()));
    if cli.wants_json() {
        let failure = result.as_ref().err().map(Failure::to_string);
        Document::of(&began, &comparisons, trials.len(), is_quick, failure).write(out)?;
    } else {
        tables::tables(&comparisons, is_quick, out)?;
    }
    out.flush()?;
    Ok(result)
}

/// Runs everything and writes the report, also when a trial fails or somebody interrupts: then of
/// what was done before. The results are saved after each trial.
fn perform_all(all: &All) -> io::Result<Result<(), Failure>> {
    let (trials, folder) = (all.trials(), all.place.open());
    let (began, manner) = (Began::now(all.command()), all.manner());
    let document = |comparisons: &[Comparison], failure| {
        Document::of(&began, comparisons, trials.len(), all.is_quick(), failure)
    };
    let (comparisons, result) = suite::run(&trials, &manner, |comparisons| {
        folder.save(&document(comparisons, None)).map_err(Failure::Unsaved)
    });
    let failure = result.as_ref().err().map(Failure::to_string);
    report::write(&document(&comparisons, failure), &folder)?;
    writeln!(io::stdout(), "{}", folder.path().join("index.html").display())?;
    Ok(result)
}

/// Writes the report of what earlier runs have saved.
fn write_again(again: &Again) -> io::Result<()> {
    let document = again.document();
    let folder = again.place.open();
    report::write(&document, &folder)?;
    writeln!(io::stdout(), "{}", folder.path().join("index.html").display())
}

fn complain(failure: &impl std::fmt::Display) -> ExitCode {
    progress::say(format_args!("error: {failure}"));
    ExitCode::FAILURE
}
