//! What is printed: the machine on top, a row for each contender in each form of each scenario, and
//! the doubts below.

use std::io::{self, Write};

use comfy_table::{CellAlignment, Table, presets::ASCII_MARKDOWN};

use crate::against::Who;
use crate::compare::{Comparison, Ratio, Side};
use crate::machine::{self, Placement};
use crate::scenario::{self, Measure};
use crate::stats::Quartiles;

/// Machine and versions.
pub(crate) fn heading(who: &[Who], out: &mut impl Write) -> io::Result<()> {
    let named = |who: &Who| format!("{} {}", who.name(), machine::version(who.package()));
    writeln!(out, "{}", machine::facts())?;
    writeln!(out, "{}\n", who.iter().map(named).collect::<Vec<_>>().join(", "))
}

/// The scenarios that there are, and who takes part in them.
pub(crate) fn list(out: &mut impl Write) -> io::Result<()> {
    let width = scenario::ALL.iter().map(|scenario| scenario.name.len()).max().unwrap_or(0);
    for scenario in &scenario::ALL {
        writeln!(out, "{:width$}  {}", scenario.name, scenario.about)?;
        // Ours is always there, and crossbeam's nearly.
        let is_new = |who: &&Who| !matches!(who, Who::Mainspring | Who::Crossbeam);
        let others: Vec<_> = scenario.who.iter().filter(is_new).map(|who| who.name()).collect();
        let how = if scenario.who.contains(&Who::Crossbeam) { "also" } else { "beside" };
        match others.as_slice() {
            [] => {}
            others => writeln!(out, "{:width$}  - {how} {}", "", others.join(", "))?,
        }
    }
    writeln!(out, "\n{LIST}\n")?;
    let width = Who::ALL.iter().map(|who| who.name().len()).max().unwrap_or(0);
    for who in Who::ALL {
        writeln!(out, "{:width$}  {}", who.name(), who.about())?;
    }
    Ok(())
}

const LIST: &str = "\
Who takes part, where it can do the work; crossbeam-channel unless another is named. In async-… and
local-… all ends are tasks of one tokio runtime, elsewhere each is a thread.";

/// The results: first those beside the peers, then those beside disturbances. Nothing if there are
/// none.
pub(crate) fn tables(
    comparisons: &[Comparison],
    is_quick: bool,
    out: &mut impl Write,
) -> io::Result<()> {
    let (settings, plain): (Vec<_>, Vec<_>) =
        comparisons.iter().partition(|comparison| comparison.trial.has_settings());
    if !plain.is_empty() {
        let header = ["scenario", "sent", "ns per", "of", "ns", "ratio", "line"];
        writeln!(out, "{}\n\n{RATIOS}\n", table(&header, &plain, row))?;
    }
    if !settings.is_empty() {
        let header = ["scenario", "sent", "ns per", "of", "setting", "ns", "rate to alone", "line"];
        writeln!(out, "{}\n\n{RATES}\n", table(&header, &settings, row_of_setting))?;
    }
    if !comparisons.is_empty() {
        writeln!(out, "{LEGEND}")?;
    }
    if is_quick {
        return writeln!(out, "{QUICK}");
    }
    for comparison in comparisons {
        let doubts = comparison.doubts();
        if !doubts.is_empty() {
            writeln!(out, "! {}: {}", comparison.trial, doubts.join("; "))?;
        }
    }
    Ok(())
}

const QUICK: &str = "\
! These runs were too short: they show that everything works, and their figures mean nothing.";

const RATIOS: &str = "\
Ratio: the peer's time over ours, round by round: the median and, in brackets, the middle half; above
1 ours is faster.";

const RATES: &str = "\
Rate to alone: how many messages pass in this setting for each that passes alone, of the same
contender, round by round: the median and, in brackets, the middle half. 1 is undisturbed.";

const LEGEND: &str = "\
Sent: bytes of a message, and how many are sent at once. Nanoseconds: the median and, in brackets, the
middle half of the runs; k and M are thousands and millions. Line: there and back of one cache line
between two cores (changed: they moved meanwhile). ~: the middle half of the runs spreads over more
than 35 % of the median, which makes the comparison void. Compare within one form of one scenario only.";

type Row = fn(&Comparison, Side, Measure) -> Vec<String>;

fn table(header: &[&str], comparisons: &[&Comparison], row: Row) -> Table {
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN).set_header(header);
    for comparison in comparisons {
        for (side, measure) in comparison.rows() {
            table.add_row(row(comparison, side, measure));
        }
    }
    // The words are on the left, the figures on the right.
    let words = header.iter().take_while(|name| **name != "ns").count();
    let figures = table.column_iter_mut().skip(words);
    figures.for_each(|column| column.set_cell_alignment(CellAlignment::Right));
    table
}

fn row(comparison: &Comparison, side: Side, measure: Measure) -> Vec<String> {
    let mut row = words(comparison, side, measure);
    row.push(ns(comparison, side, measure));
    row.push(comparison.to_ours(side, measure).map_or_else(String::new, ratio));
    row.push(line(comparison));
    row
}

fn row_of_setting(comparison: &Comparison, side: Side, measure: Measure) -> Vec<String> {
    let mut row = words(comparison, side, measure);
    row.push(comparison.trial.setting(side).into());
    row.push(ns(comparison, side, measure));
    row.push(comparison.to_alone(side, measure).map_or_else(String::new, ratio));
    row.push(line(comparison));
    row
}

/// Scenario, form, measure and contender.
fn words(comparison: &Comparison, side: Side, measure: Measure) -> Vec<String> {
    let trial = &comparison.trial;
    let bytes = trial.payload.bytes();
    let sent = match trial.load.batch {
        1 => format!("{bytes} B"),
        batch => format!("{bytes} B ×{batch}"),
    };
    vec![trial.scenario.name.into(), sent, measure.name().into(), side.who.label().into()]
}

fn ns(comparison: &Comparison, side: Side, measure: Measure) -> String {
    let mark = if comparison.is_void(side, measure) { "~" } else { "" };
    format!("{mark}{}", quartiles(&comparison.ns(side, measure)))
}

fn ratio(ratio: Ratio) -> String {
    quartiles(&ratio.of_rounds)
}

fn line(comparison: &Comparison) -> String {
    let word = match comparison.placement() {
        Some(Placement::Near) => "near",
        Some(Placement::Far) => "far",
        Some(Placement::OneCore) => "one core",
        None => "changed",
    };
    format!("{word} {}", digits(comparison.line_ns().median))
}

fn quartiles(quartiles: &Quartiles) -> String {
    let Quartiles { low, median, high } = quartiles;
    format!("{} ({}–{})", digits(*median), digits(*low), digits(*high))
}

/// Three of them, as far as there is something behind the point.
pub(crate) fn digits(value: f64) -> String {
    let (value, unit) = match value {
        value if value < 9_995.0 => (value, ""),
        value if value < 999_500.0 => (value / 1e3, "k"),
        value => (value / 1e6, "M"),
    };
    let digits = match value {
        value if value < 9.995 => 2,
        value if value < 99.95 => 1,
        _ => 0,
    };
    format!("{value:.digits$}{unit}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::tests::{OURS, PEERS, comparison};

    #[test]
    fn three_digits_are_shown() {
        let shown = [0.123, 4.256, 12.34, 123.4, 1_234.5, 12_345.0, 1_234_567.0].map(digits);
        assert_eq!(shown, ["0.12", "4.26", "12.3", "123", "1234", "12.3k", "1.23M"]);
        assert_eq!([9.996, 99.96, 999_600.0].map(digits), ["10.0", "100", "1.00M"]);
    }

    #[test]
    fn the_tables_fit_a_terminal() {
        let wide: &[f64] = &[123_456.0, 456_789.0, 789_012.0];
        let beside = Side { setting: 2, ..PEERS };
        let all = [(OURS, wide), (PEERS, wide), (beside, wide)];
        let of = |name| comparison(name, &all, &[100.0, 300.0]);
        let mut out = Vec::new();
        tables(&[of("many-to-many-random"), of("parked-neighbours")], false, &mut out).unwrap();
        let out = String::from_utf8(out).unwrap();
        assert_eq!(out.lines().filter(|line| line.starts_with("| parked-n")).count(), 3, "{out}");
        for line in out.lines().filter(|line| !line.starts_with('!')) {
            assert!(line.chars().count() <= 120, "{line}");
        }
    }
}
