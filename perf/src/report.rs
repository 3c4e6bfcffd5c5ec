//! What is printed: the machine on top, a row for each form of each scenario, and the doubts below.

use std::io::{self, Write};

use comfy_table::{CellAlignment, Table, presets::ASCII_MARKDOWN};

use crate::against::Who;
use crate::compare::Comparison;
use crate::machine::{self, Placement};
use crate::scenario::{self, Measure};
use crate::stats::Quartiles;

/// Machine and versions.
pub(crate) fn heading(out: &mut impl Write) -> io::Result<()> {
    let named = |who: Who| format!("{} {}", who.name(), machine::version(who.name()));
    writeln!(out, "{}", machine::facts())?;
    writeln!(out, "{}\n", Who::ALL.map(named).join(", "))
}

/// The scenarios that there are.
pub(crate) fn list(out: &mut impl Write) -> io::Result<()> {
    let width = scenario::ALL.iter().map(|scenario| scenario.name.len()).max().unwrap_or(0);
    scenario::ALL.iter().try_for_each(|s| writeln!(out, "{:width$}  {}", s.name, s.about))
}

/// The results. Nothing if there are none.
pub(crate) fn table(comparisons: &[Comparison], out: &mut impl Write) -> io::Result<()> {
    if comparisons.is_empty() {
        return Ok(());
    }
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN).set_header(header());
    for comparison in comparisons {
        for measure in comparison.measures() {
            table.add_row(row(comparison, measure));
        }
    }
    let figures = table.column_iter_mut().skip(3);
    figures.for_each(|column| column.set_cell_alignment(CellAlignment::Right));
    writeln!(out, "{table}\n\n{LEGEND}")?;
    for comparison in comparisons {
        let doubts = comparison.doubts();
        if !doubts.is_empty() {
            writeln!(out, "! {}: {}", comparison.trial, doubts.join("; "))?;
        }
    }
    Ok(())
}

const LEGEND: &str = "\
Nanoseconds: the median and, in brackets, the middle half of the runs. Ratio: the peer's median over
ours, and the middle half of the ratios round by round; above 1 ours is faster. Line: there and back
of one cache line between two cores. ~: the middle half of the runs spreads over more than 35 % of the
median, which makes the comparison void. Compare within one row only.";

fn header() -> Vec<String> {
    let fixed = ["scenario", "bytes", "sent", "ns per"].map(String::from);
    let sides = Who::ALL.map(|who| who.name().to_string());
    let ratios = peers().map(|_| "ratio".to_string());
    fixed.into_iter().chain(sides).chain(ratios).chain(["line".to_string()]).collect()
}

fn row(comparison: &Comparison, measure: Measure) -> Vec<String> {
    let trial = &comparison.trial;
    let sent = match trial.load.batch {
        1 => "single".to_string(),
        batch => format!("{batch}s"),
    };
    let bytes = trial.payload.bytes().to_string();
    let mut row = vec![trial.scenario.name.into(), bytes, sent, measure.name().into()];
    for who in Who::ALL {
        let mark = if comparison.is_void(who, measure) { "~" } else { "" };
        row.push(format!("{mark}{}", quartiles(&comparison.ns(who, measure))));
    }
    for peer in peers() {
        let ratio = comparison.ratio(peer, measure);
        let rounds = Quartiles { median: ratio.of_medians, ..ratio.of_rounds };
        row.push(quartiles(&rounds));
    }
    row.push(line(comparison));
    row
}

fn peers() -> impl Iterator<Item = Who> {
    Who::ALL.into_iter().filter(|who| *who != Who::Mainspring)
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
fn digits(value: f64) -> String {
    match value {
        value if value < 9.995 => format!("{value:.2}"),
        value if value < 99.95 => format!("{value:.1}"),
        value if value < 999.5 => format!("{value:.0}"),
        value => thousands(value.round() as u64),
    }
}

fn thousands(value: u64) -> String {
    match value {
        0..1_000 => value.to_string(),
        _ => format!("{},{:03}", thousands(value / 1_000), value % 1_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits_are_shown() {
        let shown = [0.123, 4.256, 12.34, 123.4, 1_234.5, 1_234_567.0].map(digits);
        assert_eq!(shown, ["0.12", "4.26", "12.3", "123", "1,235", "1,234,567"]);
        assert_eq!([9.996, 99.96, 999.6].map(digits), ["10.0", "100", "1,000"]);
    }
}
