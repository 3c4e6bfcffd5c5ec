//! The end of a demo, on standard output: what there was, and for each promise what was checked and whether it held.

use std::io::{self, Write};
use std::time::Duration;

use comfy_table::{LineStyle, Table, presets};

use super::check::{Broken, Verdict};
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
        let result = if row.broken.is_none() { "held" } else { "BROKEN" };
        table.add_row([row.promise.name(), &row.checked, result]);
    }
    let Verdict { messages, authors, readers, .. } = verdict;
    let (seconds, messages) = (elapsed.as_secs_f64(), *messages);
    let rate = grouped((messages as f64 / seconds.max(1e-9)) as u64);
    let messages = grouped(messages);
    let mut text = format!(
        "{messages} messages of {authors} authors to {readers} readers in {seconds:.1} s, \
         {rate} messages/s\n\n{}",
        table.trim_fmt()
    );
    let broken = verdict.rows.iter().filter_map(|row| Some((row.promise, row.broken.as_ref()?)));
    for (promise, Broken { first, times }) in broken {
        text += &format!("\n\n{} is broken, {times} times. First: {first}", promise.name());
    }
    text
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use mainspring::Seq;

    use super::super::check::{Check, Kind, Sight};
    use super::text;

    #[test]
    fn a_promise_that_was_broken_is_told_with_the_first_example() {
        let mut check = Check::default();
        let desk = check.reader("desk", Kind::Alone);
        check.see(desk, [3, 2].map(|seq| Sight::Clock(Seq::new(seq))));
        let text = text(&check.finish(Seq::ZERO), Duration::from_secs(2));
        let ends: Vec<_> = text.lines().filter_map(|line| line.rsplit(' ').next()).collect();
        assert_eq!(ends[4..9], ["held", "held", "held", "BROKEN", "held"], "{text}");
        let told = "\n\nO4 increasing is broken, 1 times. First: desk: told the clock 2 after 3";
        assert!(text.ends_with(told), "{text}");
    }
}
