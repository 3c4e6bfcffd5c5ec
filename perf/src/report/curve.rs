//! How late messages are: a line for each contender, from the median to the slowest of ten thousand.
//!
//! Both axes are logarithmic, as in the plots of HdrHistogram: to the right each step has a tenth of
//! the messages of the step before, and the tail is what one looks for.
//!
//! ```text
//!  1 ms │            ╱─ crossbeam-channel
//!       │      ╱────╱
//!  1 µs │═════╱══════── mainspring
//!       └─────────────
//!        p50 p90 p99 p99.9 p99.99
//! ```

use super::markup::{Element, Picture, el, line, text};
use super::scale::Log;
use super::words::{self, percentile, time};
use crate::json::{Row, Trial};

const WIDTH: f64 = 560.0;
const LEFT: f64 = 58.0;
const PLOT_WIDTH: f64 = 342.0;
const LABELS: f64 = LEFT + PLOT_WIDTH + 14.0;
const TOP: f64 = 30.0;
const PLOT_HEIGHT: f64 = 250.0;
const BOTTOM: f64 = TOP + PLOT_HEIGHT;
/// Between two labels.
const GAP: f64 = 14.0;
/// Fewer points are no curve.
const POINTS_MIN: usize = 3;
/// Peers are told apart by their labels, by these and by their marks.
const DASHES: [&str; 4] = ["none", "6 3", "2 3", "8 3 2 3"];

/// One contender's.
struct Curve<'a> {
    row: &'a Row,
    /// Percentile and nanoseconds, from left to right.
    points: Vec<(f64, f64)>,
    is_void: bool,
}

/// The measures of a trial that are points of a curve, by the name they have in common.
pub(super) fn family(trial: &Trial) -> Option<&str> {
    let families = trial.results.iter().filter_map(|row| Some(percentile(&row.per)?.0));
    families.into_iter().find(|family| {
        let mut points: Vec<_> =
            trial.results.iter().filter_map(|row| point(row, family)).collect();
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        points.dedup_by_key(|point| point.0);
        points.len() >= POINTS_MIN
    })
}

fn point(row: &Row, family: &str) -> Option<(f64, f64)> {
    let (known, percentile) = percentile(&row.per)?;
    (known == family).then_some((percentile, row.samples.ns.median))
}

/// One picture for each setting.
pub(super) fn curves(trial: &Trial, family: &str) -> Vec<Picture> {
    let mut settings: Vec<&str> = trial.results.iter().map(|row| row.setting.as_str()).collect();
    settings.dedup();
    let mut seen = Vec::new();
    settings.retain(|setting| {
        !seen.contains(setting) && {
            seen.push(setting);
            true
        }
    });
    settings.into_iter().map(|setting| picture(trial, family, setting)).collect()
}

fn picture(trial: &Trial, family: &str, setting: &str) -> Picture {
    let curves = of_setting(trial, family, setting);
    let values =
        || curves.iter().flat_map(|curve| curve.points.iter().map(|point| point.1.max(1.0)));
    let lowest = values().fold(f64::INFINITY, f64::min);
    let highest = values().fold(lowest, f64::max);
    let y_axis = Log::new(lowest, highest, PLOT_HEIGHT);
    let y = |ns: f64| BOTTOM - y_axis.at(ns.max(1.0));
    let title = format!("{}, {setting}: {family}", words::form(trial));
    let mut drawn = vec![text("title", 0.0, 15.0, &title)];
    for tick in y_axis.ticks() {
        drawn.push(line("grid", (LEFT, y(tick)), (LEFT + PLOT_WIDTH, y(tick))));
        drawn.push(text("small end", LEFT - 6.0, y(tick) + 4.0, time_short(tick)));
    }
    let mut percentiles: Vec<_> =
        curves.iter().flat_map(|curve| curve.points.iter().map(|point| point.0)).collect();
    percentiles.sort_by(f64::total_cmp);
    percentiles.dedup();
    let x_of = place(&percentiles);
    for percentile in &percentiles {
        let x = x_of(*percentile);
        drawn.push(line("grid", (x, TOP), (x, BOTTOM)));
        drawn.push(text("small middle", x, BOTTOM + 15.0, format_args!("p{percentile}")));
    }
    let caption = "share of messages that are at most so late";
    drawn.push(text("small middle", LEFT + PLOT_WIDTH / 2.0, BOTTOM + 32.0, caption));
    let ends: Vec<_> = curves.iter().map(|curve| y(last(curve))).collect();
    let labels = apart(&ends);
    // Ours is drawn last, and so lies on top.
    let mut all: Vec<_> = curves.iter().zip(ends.iter().zip(&labels)).collect();
    all.sort_by_key(|(curve, _)| curve.row.is_first_of_ours());
    for (index, (curve, (end, label))) in all.into_iter().enumerate() {
        let at = |point: &(f64, f64)| (x_of(point.0), y(point.1));
        drawn.push(draw(curve, at, (*end, *label), index));
    }
    let account = curves.iter().map(told).collect::<Vec<_>>().join("; ");
    Picture { title, account, width: WIDTH, height: BOTTOM + 40.0, drawn }
}

fn of_setting<'a>(trial: &'a Trial, family: &str, setting: &str) -> Vec<Curve<'a>> {
    let mut curves: Vec<Curve<'a>> = Vec::new();
    for row in trial.results.iter().filter(|row| row.setting == setting) {
        let Some(point) = point(row, family) else { continue };
        match curves.iter_mut().find(|curve| curve.row.contender == row.contender) {
            Some(curve) => {
                curve.points.push(point);
                curve.is_void |= row.void;
            }
            None => curves.push(Curve { row, points: vec![point], is_void: row.void }),
        }
    }
    for curve in &mut curves {
        curve.points.sort_by(|a, b| a.0.total_cmp(&b.0));
    }
    curves
}

/// Where a percentile stands: each nine as wide as the last.
fn place(percentiles: &[f64]) -> impl Fn(f64) -> f64 {
    let nines = |percentile: f64| -(1.0 - percentile / 100.0).log10();
    let first = percentiles.first().map_or(0.0, |p| nines(*p));
    let width = (percentiles.last().map_or(1.0, |p| nines(*p)) - first).max(f64::MIN_POSITIVE);
    move |percentile| LEFT + (nines(percentile) - first) / width * PLOT_WIDTH
}

fn last(curve: &Curve<'_>) -> f64 {
    curve.points.last().map_or(1.0, |point| point.1)
}

/// The same places, but [`GAP`] from each other, inside the plot.
fn apart(places: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..places.len()).collect();
    order.sort_by(|a, b| places[*a].total_cmp(&places[*b]));
    let mut moved = places.to_vec();
    let mut free = TOP;
    for index in &order {
        moved[*index] = moved[*index].max(free);
        free = moved[*index] + GAP;
    }
    let mut free = BOTTOM;
    for index in order.iter().rev() {
        moved[*index] = moved[*index].min(free);
        free = moved[*index] - GAP;
    }
    moved
}

fn draw(
    curve: &Curve<'_>,
    at: impl Fn(&(f64, f64)) -> (f64, f64),
    (end, label): (f64, f64),
    peer: usize,
) -> Element {
    let class = match (curve.row.is_first_of_ours(), curve.row.is_ours()) {
        (true, _) => "ours",
        (_, true) => "own",
        _ => "peer",
    };
    let path: Vec<_> =
        curve.points.iter().map(&at).map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
    let dash = if class == "ours" { "none" } else { DASHES[peer % DASHES.len()] };
    let path = el("polyline")
        .class(format_args!("curve {class}"))
        .with("stroke-dasharray", dash)
        .with("points", path.join(" "));
    let mark = |point| {
        let (x, y) = at(point);
        el("circle").class(format_args!("mark {class}")).at("cx", x).at("cy", y).at("r", 3.0)
    };
    let void = if curve.is_void { "~ " } else { "" };
    let weight = if class == "ours" { "label strong" } else { "label" };
    el("g")
        .add(el("title").text(told(curve)))
        .add(path)
        .all(curve.points.iter().map(mark))
        .add(line("leader", (LEFT + PLOT_WIDTH + 4.0, end), (LABELS - 2.0, label)))
        .add(text(weight, LABELS, label + 4.0, format_args!("{void}{}", curve.row.contender)))
}

/// A round number with its unit.
fn time_short(ns: f64) -> String {
    let (value, unit) = words::scaled(ns);
    format!("{} {unit}", super::bars::short(value))
}

fn told(curve: &Curve<'_>) -> String {
    let points = curve.points.iter().map(|(p, ns)| format!("p{p} {}", time(*ns)));
    let void = if curve.is_void { " (void: the runs lie too far apart)" } else { "" };
    format!("{}{void}: {}", curve.row.contender, points.collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_do_not_overlap_and_stay_inside() {
        let moved = apart(&[BOTTOM, BOTTOM, 100.0, 101.0, BOTTOM - 1.0]);
        let mut sorted = moved.clone();
        sorted.sort_by(f64::total_cmp);
        assert!(sorted.windows(2).all(|pair| pair[1] - pair[0] >= GAP - 1e-9), "{sorted:?}");
        assert!(moved.iter().all(|place| (TOP..=BOTTOM).contains(place)), "{moved:?}");
    }

    #[test]
    fn each_nine_is_as_wide_as_the_last() {
        let at = place(&[50.0, 90.0, 99.0, 99.9, 99.99]);
        let ways = [at(99.0) - at(90.0), at(99.9) - at(99.0), at(99.99) - at(99.9)];
        assert!(ways.iter().all(|way| (way - ways[0]).abs() < 1e-6), "{ways:?}");
        assert_eq!(at(50.0), LEFT);
        assert!((at(99.99) - LEFT - PLOT_WIDTH).abs() < 1e-9);
    }
}
