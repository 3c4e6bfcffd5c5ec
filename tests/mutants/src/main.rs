//! `cargo seeded`: mistakes put into the source, one at a time, which the tests have to find.
//!
//! ```text
//!   list/*.toml ──▶ list: is every text there, once?
//!                     │
//!   the sources ──▶ tree: a copy under target/seeded, one for each that works
//!                     │
//!                     ▼
//!   the tests named, unmutated: do they pass, and how long do they take?
//!                     │
//!                     ▼       one text replaced ─▶ the test built ─▶ run ─▶ the text put back
//!   each mutant ──▶ trial     killed: it fails, it crashes, or it hangs
//!                     │
//!                     ▼
//!                   table: who has killed it, or that it SURVIVED
//! ```
//!
//! A mutant is a mistake that somebody could make who changes the engine: a number off by one, two lines in the wrong
//! order, a wake-up forgotten. `cargo loom -- --weaken` asks the same of each memory ordering; here it is the logic.
//! Most are killed by an ordinary test. What shows itself in rare interleavings only is killed by a loom model, which
//! finds it each time.
//!
//! *A hang* is a test that takes ten times as long as without the mutant, and a while at least. It counts, since many
//! of these mistakes are a wake-up that does not come, and the table says so. What loom gives up on does not count.
//!
//! *Nothing is left behind* outside of `target/seeded`. Whoever interrupts a run interrupts what it has started, too,
//! and the next run puts the copy right before it uses it.
//!
//! *How to add one:* an entry in a file of `list/`, with a test that has to kill it; then `cargo seeded NAME`. If it
//! survives, either nobody could ever notice it, and it is no mutant, or a test is missing.

mod campaign;
mod cli;
mod failure;
mod list;
mod table;
mod tree;
mod trial;

use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Command};
use crate::failure::Failure;
use crate::list::List;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match perform(&cli, &mut io::stdout().lock()) {
        Ok(code) => code,
        // Whoever read the table has seen enough.
        Err(Failure::Output(error)) if error.kind() == ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(failure) => {
            // Nobody is left to tell if stderr is closed, too.
            writeln!(io::stderr(), "error: {failure}").ok();
            ExitCode::from(2)
        }
    }
}

fn perform(cli: &Cli, out: &mut impl Write) -> Result<ExitCode, Failure> {
    let list = List::load()?;
    match cli.command {
        Some(Command::List) => table::list(&list, out)?,
        Some(Command::Check) => {
            list.check()?;
            writeln!(out, "{} mutants, each text is there once", list.mutants.len())?;
        }
        None => {
            list.check()?;
            let chosen = cli.choose(&list)?;
            let results = campaign::run(&list.root, &chosen, cli.jobs())?;
            return table::results(&results, out);
        }
    }
    Ok(ExitCode::SUCCESS)
}
