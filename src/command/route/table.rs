//! The end of a run, on standard error: per receiver its messages, last number and clock, and the
//! total with its rate. It tells what is in the files, also when the run ended early.

use std::io::{self, Write};
use std::time::Duration;

use comfy_table::{CellAlignment, LineStyle, Table, presets};
use mainspring::Seq;

use super::output::Mark;
use super::receiver::Report;

/// Writes the table. Nobody may be there to read it, and that is no error.
pub(super) fn print(reports: &[Report], elapsed: Duration) {
    let mut table = Table::new();
    let line = LineStyle::none().fill('─').junction('─');
    table.load_style(presets::NOTHING.header_separator(line));
    table.set_header(["receiver", "messages", "bytes", "last seq", "clock", "output"]);
    for (nth, (report, mark)) in rows(reports).enumerate() {
        table.add_row([
            (nth + 1).to_string(),
            mark.messages.to_string(),
            mark.bytes.to_string(),
            last(mark.last),
            report.clock.get().to_string(),
            report.output.clone(),
        ]);
    }
    let total = Total::of(reports);
    table.add_row([
        "total".to_owned(),
        total.messages.to_string(),
        total.bytes.to_string(),
        last(total.last),
        total.clock.get().to_string(),
        total.rate(elapsed),
    ]);
    for nth in 1..5 {
        if let Some(column) = table.column_mut(nth) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    writeln!(io::stderr(), "{}", table.trim_fmt()).ok();
}

/// One for each receiver.
fn rows(reports: &[Report]) -> impl Iterator<Item = (&Report, &Mark)> {
    reports.iter().flat_map(|report| report.marks.iter().map(move |mark| (report, mark)))
}

struct Total {
    messages: u64,
    bytes: u64,
    last: Option<Seq>,
    clock: Seq,
}

impl Total {
    fn of(reports: &[Report]) -> Self {
        Self {
            messages: rows(reports).map(|(_, mark)| mark.messages).sum(),
            bytes: rows(reports).map(|(_, mark)| mark.bytes).sum(),
            last: rows(reports).filter_map(|(_, mark)| mark.last).max(),
            clock: reports.iter().map(|report| report.clock).max().unwrap_or(Seq::ZERO),
        }
    }

    fn rate(&self, elapsed: Duration) -> String {
        let seconds = elapsed.as_secs_f64().max(1e-9);
        format!(
            "{seconds:.3} s, {:.0} messages/s, {:.1} MB/s",
            self.messages as f64 / seconds,
            self.bytes as f64 / seconds / 1e6
        )
    }
}

fn last(seq: Option<Seq>) -> String {
    seq.map_or_else(|| "-".to_owned(), |seq| seq.get().to_string())
}
