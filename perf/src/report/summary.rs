//! Ours beside each peer in each trial: one row a trial, one dot a peer, on a log axis with a line at
//! one. Wins are on the right and losses on the left of it, equally far for equal ratios.
//!
//! ```text
//!                        ours is slower │ ours is faster           the strongest rival
//!  one-to-one, single                ○──┼────────●──────────◆      ▼ 0.92 × rtrb
//!  one-to-one, in 32s                   │  ○─────────●────────◆    ▲ 1.41 × rtrb
//!                        0.5            1        5   10     300
//! ```

use super::bars::short;
use super::markup::{Element, Picture, el, line, rect, text};
use super::scale::Log;
use super::words::{self, INTERVAL, Outcome, percentile, times};
use crate::compare::Ratio;
use crate::json::{Document, Trial};

const WIDTH: f64 = 880.0;
const LABEL: f64 = 306.0;
const PLOT: f64 = 318.0;
const PLOT_WIDTH: f64 = 330.0;
const RIVAL: f64 = 662.0;
const TOP: f64 = 44.0;
const ROW: f64 = 21.0;
/// Of curves these stand here: the usual, and the tail.
const OF_CURVES: [f64; 2] = [50.0, 99.0];

/// Ours beside everybody in one measure and setting of a trial.
pub(super) struct Line<'a> {
    pub(super) label: String,
    pub(super) beside: Vec<Beside<'a>>,
}

/// One peer.
pub(super) struct Beside<'a> {
    pub(super) contender: &'a str,
    pub(super) ratio: Ratio,
    pub(super) outcome: Outcome,
}

impl Line<'_> {
    /// The peer that comes closest to ours, or leaves it behind; a void one only if there is no other.
    pub(super) fn rival(&self) -> Option<&Beside<'_>> {
        let key =
            |beside: &&Beside<'_>| (beside.outcome == Outcome::Void, beside.ratio.of_rounds.median);
        self.beside.iter().min_by(|a, b| {
            let ((a_void, a), (b_void, b)) = (key(a), key(b));
            a_void.cmp(&b_void).then(a.total_cmp(&b))
        })
    }
}

/// A line for each comparison with peers; ours in its other drives are none.
pub(super) fn lines(document: &Document) -> Vec<Line<'_>> {
    let mut sizes: Vec<_> = document.trials.iter().map(|trial| trial.bytes).collect();
    sizes.sort_unstable();
    sizes.dedup();
    let all = document.trials.iter().flat_map(|trial| of_trial(trial, sizes.len() > 1));
    all.filter(|line| !line.beside.is_empty()).collect()
}

fn of_trial(trial: &Trial, with_bytes: bool) -> Vec<Line<'_>> {
    let is_curve = super::curve::family(trial).is_some();
    let mut lines: Vec<(&str, &str, Line<'_>)> = Vec::new();
    for row in &trial.results {
        let percentile = percentile(&row.per).map(|(_, percentile)| percentile);
        let is_between = |percentile| is_curve && !OF_CURVES.contains(&percentile);
        if row.per == INTERVAL || percentile.is_some_and(is_between) {
            continue;
        }
        let (per, setting) = (row.per.as_str(), row.setting.as_str());
        let known = lines.iter().position(|line| (line.0, line.1) == (per, setting));
        let index = known.unwrap_or_else(|| {
            let label = label(trial, per, setting, with_bytes);
            lines.push((per, setting, Line { label, beside: Vec::new() }));
            lines.len() - 1
        });
        if let Some((ratio, outcome)) = words::outcome(trial, row).filter(|_| !row.is_ours()) {
            lines[index].2.beside.push(Beside { contender: &row.contender, ratio, outcome });
        }
    }
    lines.into_iter().map(|(_, _, line)| line).collect()
}

fn label(trial: &Trial, per: &str, setting: &str, with_bytes: bool) -> String {
    let mut label = format!("{}, ", trial.scenario);
    if with_bytes {
        label += &format!("{} B, ", trial.bytes);
    }
    label += &words::sent(trial.batch);
    if setting != "alone" {
        label += &format!(", {setting}");
    }
    match percentile(per) {
        Some((_, percentile)) => label + &format!(", p{percentile}"),
        None if per == "message" => label,
        None => label + &format!(", {per}"),
    }
}

/// How often each outcome is there.
pub(super) fn count(lines: &[Line<'_>], outcome: Outcome) -> usize {
    lines.iter().flat_map(|line| &line.beside).filter(|beside| beside.outcome == outcome).count()
}

pub(super) fn picture(lines: &[Line<'_>]) -> Picture {
    let ratios = || lines.iter().flat_map(|l| l.beside.iter().map(|b| b.ratio.of_rounds.median));
    let axis = Log::new(ratios().fold(0.5, f64::min), ratios().fold(2.0, f64::max), PLOT_WIDTH);
    let bottom = TOP + ROW * lines.len() as f64;
    let one = PLOT + axis.at(1.0);
    let title = "The peer's time ÷ ours";
    let mut drawn = vec![
        rect("loss-area", (PLOT, TOP), (one - PLOT, bottom - TOP)),
        rect("win-area", (one, TOP), (PLOT + PLOT_WIDTH - one, bottom - TOP)),
        text("small end", one - 8.0, TOP - 8.0, "◀ ours is slower"),
        text("small", one + 8.0, TOP - 8.0, "ours is faster ▶"),
        text("small", RIVAL, TOP - 8.0, "the strongest rival"),
        text("title", 0.0, 15.0, title),
    ];
    let mut taken = f64::NEG_INFINITY;
    for tick in axis.ticks() {
        let x = PLOT + axis.at(tick);
        drawn.push(line("grid", (x, TOP), (x, bottom)));
        // Close to each other on a wide axis, labels would overlap.
        let is_needed = tick == 1.0 || x - taken > 26.0 && (x - one).abs() > 20.0;
        if is_needed {
            taken = x;
            drawn.push(text("small middle", x, bottom + 16.0, short(tick)));
        }
    }
    drawn.push(line("one", (one, TOP - 4.0), (one, bottom + 4.0)));
    for (index, line) in lines.iter().enumerate() {
        drawn.push(row(line, &axis, index));
    }
    let account = lines.iter().map(told).collect::<Vec<_>>().join(" ");
    Picture { title: title.into(), account, width: WIDTH, height: bottom + 26.0, drawn }
}

fn row(of: &Line<'_>, axis: &Log, index: usize) -> Element {
    let y = TOP + ROW * index as f64;
    let (middle, base) = (y + ROW / 2.0, y + ROW / 2.0 + 4.0);
    let mut group = el("g").add(el("title").text(told(of)));
    if index % 2 == 1 {
        group = group.add(rect("stripe", (0.0, y), (WIDTH, ROW)));
    }
    group = group.add(text("label end", LABEL, base, &of.label));
    let x = |beside: &Beside<'_>| PLOT + axis.at(beside.ratio.of_rounds.median);
    let (first, last) = of
        .beside
        .iter()
        .map(x)
        .fold((f64::INFINITY, 0.0_f64), |(low, high), x| (low.min(x), high.max(x)));
    group = group.add(line("span", (first, middle), (last, middle)));
    // Crossbeam's is drawn last, and so lies on top.
    let mut dots: Vec<_> = of.beside.iter().collect();
    dots.sort_by_key(|beside| beside.contender == "crossbeam-channel");
    group = group.all(dots.into_iter().map(|beside| dot(beside, (x(beside), middle))));
    match of.rival() {
        Some(rival) => {
            let ratio = times(rival.ratio.of_rounds.median);
            let sign = rival.outcome.sign();
            let told = format!("{sign} {ratio} {}", rival.contender);
            group.add(text(rival.outcome.class(), RIVAL, base, told))
        }
        None => group,
    }
}

/// The mark of each peer, for the legend, too.
pub(super) fn dot(beside: &Beside<'_>, (x, y): (f64, f64)) -> Element {
    let class = beside.outcome.class();
    let circle =
        |class: String, r: f64| el("circle").class(class).at("cx", x).at("cy", y).at("r", r);
    let mark = match beside.contender {
        "crossbeam-channel" => circle(format!("dot full {class}"), 5.0),
        "clocked-dispatch" => el("path")
            .class(format_args!("dot {class}"))
            .with("d", format_args!("M{:.1} {y:.1} l6 -6 l6 6 l-6 6 z", x - 6.0)),
        _ => circle(format!("dot {class}"), 4.5),
    };
    mark.add(el("title").text(told_of(beside)))
}

fn told(line: &Line<'_>) -> String {
    format!("{}: {}.", line.label, line.beside.iter().map(told_of).collect::<Vec<_>>().join(", "))
}

fn told_of(beside: &Beside<'_>) -> String {
    let void = if beside.outcome == Outcome::Void { " (void)" } else { "" };
    format!("{} {}{void}", beside.contender, times(beside.ratio.of_rounds.median))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::Side;
    use crate::compare::tests::{OURS, PEERS, comparison};
    use crate::json::tests::document;

    fn outcome(ours: [f64; 3], peers: [f64; 3]) -> Outcome {
        let results: [(Side, &[f64]); 2] = [(OURS, &ours), (PEERS, &peers)];
        let document = document(&[comparison("one-to-one", &results, &[100.0; 7])]);
        let lines = lines(&document);
        assert_eq!(lines[0].label, "one-to-one, single");
        lines[0].rival().unwrap().outcome
    }

    #[test]
    fn a_win_is_one_only_if_the_middle_half_says_so() {
        assert_eq!(outcome([4.0; 3], [8.0; 3]), Outcome::Faster);
        assert_eq!(outcome([8.0; 3], [4.0; 3]), Outcome::Slower);
        assert_eq!(outcome([8.0, 8.0, 8.0], [7.0, 8.0, 9.0]), Outcome::Even);
        assert_eq!(outcome([8.0; 3], [10.0, 20.0, 30.0]), Outcome::Void);
    }
}
