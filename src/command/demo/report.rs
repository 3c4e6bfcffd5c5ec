//! The end of a demo, on standard output: what there was, and for each promise what was checked and whether it held.

use std::io::{self, Write};
use std::time::Duration;

use comfy_table::{LineStyle, Table, presets};

use super::check::Verdict;
use super::figures::grouped;

pub(super) fn print(verdict: &Verdict, elapsed: Duration) -> io::Result<()> {
    writeln!(io::stdout(), "{}", text(verdict, elapsed))
}

fn text(verdict: &Verdict, elapsed: Duration) -> String {
    let mut table = Table::new();
    let line = LineStyle::none().fill('─').junction('─');
    table.load_style(presets::NOTHING.header_separator(line));
    table.set_header(["promise", "checked", "result"]);
    for row in &verdict.rows {
        let result = row.broken.as_ref().map_or_else(
            || "held".to_owned(),
            |broken| format!("BROKEN, {} times: {}", broken.times, broken.first),
        );
        table.add_row([row.promise.name(), &row.checked, &result]);
    }
    let Verdict { messages, authors, readers, .. } = verdict;
    let (seconds, messages) = (elapsed.as_secs_f64(), *messages);
    let rate = grouped((messages as f64 / seconds.max(1e-9)) as u64);
    let messages = grouped(messages);
    format!(
        "{messages} messages of {authors} authors to {readers} readers in {seconds:.1} s, {rate} messages/s\n\n{}",
        table.trim_fmt()
    )
}
