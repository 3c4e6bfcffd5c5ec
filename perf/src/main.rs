//! `cargo perf`: how fast is mainspring, beside what people would use instead?
//!
//! ```text
//!  cli ──▶ compare: for each form of each scenario, round by round
//!            line ▸ mainspring ▸ line ▸ crossbeam-channel ▸ line ▸ ...  (then the other way)
//!              │        │
//!              │        └─ scenario/*.rs (a topology)  ×  against/*.rs (a contender)
//!              └─ machine: the round trip of one cache line
//!          ──▶ stats: medians, quartiles ──▶ report: the tables, or json
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
mod report;
mod scenario;
mod stats;
mod task_crew;

use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};

use crate::against::Who;
use crate::cli::{Cli, Command};
use crate::compare::{Comparison, Trial};
use crate::failure::Failure;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match cli.command {
        Some(Command::List) => report::list(&mut io::stdout().lock()).map(|()| Ok(())),
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
        report::heading(&who, out)?;
        out.flush()?;
    }
    let progress = progress(trials);
    let mut comparisons = Vec::with_capacity(trials.len());
    let mut result = Ok(());
    for trial in trials {
        progress.set_message(trial.to_string());
        match Comparison::of(trial, || progress.inc(1)) {
            Ok(comparison) => comparisons.push(comparison),
            Err(failure) => {
                result = Err(failure.of(trial.to_string()));
                break;
            }
        }
    }
    progress.finish_and_clear();
    let is_quick = cli.is_quick();
    match cli.wants_json() {
        true => json::document(&who, &comparisons, is_quick, result.as_ref().err(), out)?,
        false => report::tables(&comparisons, is_quick, out)?,
    }
    out.flush()?;
    Ok(result)
}

/// On a terminal a bar on stderr, elsewhere nothing. It moves between runs only: nothing ticks
/// beside them.
fn progress(trials: &[Trial]) -> ProgressBar {
    let bar = ProgressBar::new(trials.iter().map(Trial::steps).sum());
    match ProgressStyle::with_template("{bar:24} {pos}/{len} runs, {eta} left: {msg}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

fn complain(failure: &impl std::fmt::Display) -> ExitCode {
    // Nobody is left to tell if stderr is closed, too.
    writeln!(io::stderr(), "error: {failure}").map_or(ExitCode::FAILURE, |()| ExitCode::FAILURE)
}
