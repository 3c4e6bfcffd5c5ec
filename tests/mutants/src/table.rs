//! What is printed: the mutants that there are, and what has become of them.

use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

use comfy_table::{CellAlignment, Table, presets::ASCII_MARKDOWN};

use crate::campaign::{Judged, Verdict};
use crate::failure::Failure;
use crate::list::List;
use crate::trial::Outcome;

/// What there is: the mutants of each part, what they break, what has to kill them.
pub(crate) fn list(list: &List, out: &mut impl Write) -> io::Result<()> {
    let mut part = "";
    for mutant in &list.mutants {
        if mutant.part != part {
            let line = if part.is_empty() { "" } else { "\n" };
            part = &mutant.part;
            writeln!(out, "{line}{part}")?;
        }
        let tests: Vec<_> = mutant.killed_by.iter().map(ToString::to_string).collect();
        writeln!(out, "  {}  ({})\n      {}", mutant.name, mutant.file, mutant.breaks)?;
        writeln!(out, "      killed by {}", tests.join(", "))?;
    }
    writeln!(out, "\n{} mutants", list.mutants.len())
}

/// What has become of them.
pub(crate) fn results(results: &[Judged<'_>], out: &mut impl Write) -> Result<ExitCode, Failure> {
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN).set_header(["mutant", "what it breaks", "killed by", "s"]);
    for Judged { mutant, verdict, took } in results {
        let seconds = format!("{:.1}", took.as_secs_f32());
        table.add_row([mutant.name.clone(), mutant.breaks.clone(), verdict.to_string(), seconds]);
    }
    if let Some(seconds) = table.column_mut(3) {
        seconds.set_cell_alignment(CellAlignment::Right);
    }
    writeln!(out, "{table}\n")?;
    let count = |is: fn(&Verdict<'_>) -> bool| results.iter().filter(|at| is(&at.verdict)).count();
    let killed = count(|verdict| matches!(verdict, Verdict::Killed { .. }));
    let survived = count(|verdict| matches!(verdict, Verdict::Survived));
    writeln!(out, "{killed} of {} killed, {survived} survived", results.len())?;
    let broken = results.iter().filter(|at| matches!(at.verdict, Verdict::DoesNotCompile));
    let broken: Vec<_> = broken
        .map(|at| format!("{0}: does not compile: target/seeded/logs/{0}.log", at.mutant.name))
        .collect();
    match (broken.is_empty(), survived) {
        (false, _) => Err(Failure::List(broken)),
        (true, 0) => Ok(ExitCode::SUCCESS),
        (true, _) => Ok(ExitCode::FAILURE),
    }
}

impl fmt::Display for Verdict<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Killed { by, how: Outcome::Hung } => write!(f, "{by} (hangs)"),
            Self::Killed { by, how: Outcome::Crashed } => write!(f, "{by} (crashes)"),
            Self::Killed { by, .. } => by.fmt(f),
            Self::Survived => f.write_str("SURVIVED"),
            Self::DoesNotCompile => f.write_str("does not compile"),
        }
    }
}
