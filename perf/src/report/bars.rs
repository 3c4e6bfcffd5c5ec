//! A bar for each contender: how long it takes, from nought.
//!
//! ```text
//!                                         median   its time ÷ ours
//!  mainspring  ▓▓▓▓├┤                      5.21 ns
//!  crossbeam   ░░░░░░░░░░░░░░├─┤           23.4 ns        ▲ 4.49 ×
//!  a slow one  ░░░░░░░░░░░░░░░░░//░░       1.31 µs         ▲ 251 ×     cut, and says so
//!              0    10    20   30 ns
//! ```

use super::markup::{Element, Picture, el, line, rect, text};
use super::scale::Linear;
use super::words::{self, scaled, time, times};
use crate::json::{Row, Trial};
use crate::tables::digits;

const WIDTH: f64 = 560.0;
const LABEL: f64 = 150.0;
const PLOT: f64 = 158.0;
const PLOT_WIDTH: f64 = 240.0;
const VALUE: f64 = 466.0;
const RATIO: f64 = 556.0;
const TOP: f64 = 44.0;
const ROW: f64 = 24.0;
const BAR: f64 = 14.0;
/// Bars of so many times ours are cut: beside them nothing else could be seen.
const CUT: f64 = 12.0;

/// What the rows of a picture have.
#[derive(Clone, Copy)]
struct Shown {
    /// Several of each contender.
    has_settings: bool,
    /// The first of them is undisturbed.
    to_alone: bool,
}

/// One measure of a trial, of all contenders in all settings.
pub(super) fn bars(trial: &Trial, per: &str) -> Picture {
    let rows: Vec<_> = trial.results.iter().filter(|row| row.per == per).collect();
    let has_settings = rows.iter().any(|row| row.setting != rows[0].setting);
    let axis = Linear::new(end(&rows), PLOT_WIDTH);
    let title = format!("{}: {}", words::form(trial), words::measure(per));
    // Not all settings are disturbances.
    let to_alone = rows.iter().any(|row| row.rate_to_alone.is_some());
    let shown = Shown { has_settings, to_alone };
    let ratios = if to_alone { "rate ÷ alone" } else { "its time ÷ ours" };
    let mut drawn = vec![
        text("title", 0.0, 15.0, &title),
        text("small end", VALUE, 34.0, "median"),
        text("small end", RATIO, 34.0, ratios),
    ];
    let mut y = TOP;
    let mut bars = Vec::new();
    let mut last = "";
    for row in &rows {
        if has_settings && row.contender != last {
            bars.push(text(&format!("{} group", weight(row)), 0.0, y + 15.0, &row.contender));
            y += ROW - 4.0;
        }
        last = &row.contender;
        bars.push(bar(trial, row, shown, &axis, y));
        y += ROW;
    }
    drawn.extend(grid(&axis, y));
    drawn.extend(bars);
    Picture { title, account: account(trial, &rows), width: WIDTH, height: y + 24.0, drawn }
}

/// The end of the axis.
fn end(rows: &[&Row]) -> f64 {
    let medians = || rows.iter().map(|row| row.samples.ns.median);
    let ours = rows.iter().find(|row| row.is_ours()).map(|row| row.samples.ns.median);
    let base = ours.unwrap_or_else(|| medians().fold(f64::INFINITY, f64::min));
    let longest = medians().filter(|ns| *ns <= base * CUT).fold(base, f64::max);
    // A whisker may end at the edge, too: one wild side does not squeeze all others.
    let whiskers = rows.iter().map(|row| row.samples.ns.high).filter(|high| *high <= 1.5 * longest);
    whiskers.fold(longest, f64::max) * 1.04
}

fn grid(axis: &Linear, bottom: f64) -> Vec<Element> {
    let ticks = axis.ticks();
    let last = ticks.last().copied().unwrap_or(0.0);
    let (scaled_last, unit) = scaled(last);
    let factor = if last > 0.0 { scaled_last / last } else { 1.0 };
    let tick = |value: &f64| {
        let x = PLOT + axis.at(*value);
        let label = match *value == last {
            true => format!("{} {unit}", short(value * factor)),
            false => short(value * factor),
        };
        let class = if *value == 0.0 { "axis" } else { "grid" };
        [
            line(class, (x, TOP - 2.0), (x, bottom + 2.0)),
            text("small middle", x, bottom + 16.0, label),
        ]
    };
    ticks.iter().flat_map(tick).collect()
}

/// A round number without the digits it does not need.
pub(super) fn short(value: f64) -> String {
    let rounded = (value * 1e6).round() / 1e6;
    rounded.to_string()
}

fn bar(trial: &Trial, row: &Row, shown: Shown, axis: &Linear, y: f64) -> Element {
    let ns = &row.samples.ns;
    let label = if shown.has_settings { &row.setting } else { &row.contender };
    let middle = y + BAR / 2.0 + 2.0;
    let base = middle + 4.0;
    let width = axis.at(ns.median).max(0.5);
    let class = if row.void { "bar void" } else { bar_class(row) };
    let mut group = el("g")
        .add(el("title").text(told(trial, row)))
        .add(text(&format!("{} end", weight(row)), LABEL, base, label))
        .add(rect(class, (PLOT, y + 2.0), (width, BAR)));
    if is_cut(axis, ns.median) {
        group = group.all(tear(y));
    } else {
        let (low, high) = (PLOT + axis.at(ns.low), PLOT + axis.at(ns.high));
        group = group.add(line("whisker", (low, middle), (high, middle)));
        for (x, is_inside) in [(low, true), (high, !is_cut(axis, ns.high))] {
            if is_inside {
                group = group.add(line("whisker", (x, middle - 4.0), (x, middle + 4.0)));
            }
        }
    }
    let void = if row.void { "~ " } else { "" };
    let value = format!("{void}{}", time(ns.median));
    group = group.add(text(&format!("{} end", weight(row)), VALUE, base, value));
    match ratio(trial, row, shown.to_alone) {
        Some((class, ratio)) => group.add(text(&format!("value end {class}"), RATIO, base, ratio)),
        None => group,
    }
}

fn is_cut(axis: &Linear, ns: f64) -> bool {
    // The axis holds what lies beyond its end at its end.
    axis.at(ns) >= PLOT_WIDTH
}

/// Two slanted gaps: here something is missing.
fn tear(y: f64) -> [Element; 2] {
    [0.0, 8.0].map(|x| {
        let x = PLOT + PLOT_WIDTH - 32.0 + x;
        line("tear", (x, y + BAR + 4.0), (x + 6.0, y))
    })
}

fn ratio(trial: &Trial, row: &Row, to_alone: bool) -> Option<(&'static str, String)> {
    if to_alone {
        let ratio = row.rate_to_alone?;
        return Some(("", digits(ratio.of_rounds.median)));
    }
    let (ratio, outcome) = words::outcome(trial, row)?;
    let ratio = times(ratio.of_rounds.median);
    match row.is_ours() {
        true => Some(("", ratio)),
        false => Some((outcome.class(), format!("{} {ratio}", outcome.sign()))),
    }
}

fn bar_class(row: &Row) -> &'static str {
    match (row.is_ours(), row.is_first_of_ours()) {
        (_, true) => "bar ours",
        (true, _) => "bar own",
        _ => "bar peer",
    }
}

fn weight(row: &Row) -> &'static str {
    if row.is_first_of_ours() { "label strong" } else { "label" }
}

/// All of a row in words.
fn told(trial: &Trial, row: &Row) -> String {
    let ns = &row.samples.ns;
    let mut told = format!("{}: median {}", name(row), time(ns.median));
    told += &format!(", middle half {} to {}", time(ns.low), time(ns.high));
    if let Some((ratio, _)) = words::outcome(trial, row) {
        told += &format!(", {} the time of ours", times(ratio.of_rounds.median));
    }
    if let Some(ratio) = &row.rate_to_alone {
        told += &format!(", {} of its rate alone", digits(ratio.of_rounds.median));
    }
    if row.void {
        told += ", void: the runs lie too far apart";
    }
    told
}

fn name(row: &Row) -> String {
    match row.setting.as_str() {
        "alone" => row.contender.clone(),
        setting => format!("{} ({setting})", row.contender),
    }
}

fn account(trial: &Trial, rows: &[&Row]) -> String {
    rows.iter().map(|row| told(trial, row)).collect::<Vec<_>>().join("; ")
}
