//! The pictures of each scenario: a curve where it has percentiles enough, else bars.

use super::markup::Picture;
use super::words::percentile;
use super::{bars, curve, summary};
use crate::json::{Document, Trial};

/// A scenario, its trials and what is drawn of them.
pub(super) struct Figures<'a> {
    pub(super) scenario: &'a str,
    pub(super) about: &'a str,
    pub(super) trials: Vec<&'a Trial>,
    pub(super) pictures: Vec<Picture>,
}

/// In the order in which the scenarios were run.
pub(super) fn of(document: &Document) -> Vec<Figures<'_>> {
    let mut all: Vec<Figures<'_>> = Vec::new();
    for trial in &document.trials {
        let known = all.iter().position(|figures| figures.scenario == trial.scenario);
        let index = known.unwrap_or_else(|| {
            let (scenario, about) = (&trial.scenario, &trial.about);
            all.push(Figures { scenario, about, trials: Vec::new(), pictures: Vec::new() });
            all.len() - 1
        });
        all[index].trials.push(trial);
        all[index].pictures.extend(pictures(trial));
    }
    all
}

fn pictures(trial: &Trial) -> Vec<Picture> {
    let family = curve::family(trial);
    let mut measures: Vec<&str> = trial.results.iter().map(|row| row.per.as_str()).collect();
    // They stand one measure after the other.
    measures.dedup();
    let is_point = |per: &str| percentile(per).is_some_and(|(of, _)| Some(of) == family);
    let bars = measures.into_iter().filter(|per| !is_point(per)).map(|per| bars::bars(trial, per));
    let curves = family.into_iter().flat_map(|family| curve::curves(trial, family));
    curves.chain(bars).collect()
}

/// Each as a file: its name and its text.
pub(super) fn files(document: &Document) -> Vec<(String, String)> {
    let summary = summary::picture(&summary::lines(document));
    let mut files =
        vec![("summary.svg".into(), Picture::file("mainspring beside its peers", &[summary]))];
    for figures in of(document) {
        let heading = format!("{}: {}", figures.scenario, figures.about);
        let name = format!("{}.svg", figures.scenario);
        files.push((name, Picture::file(&heading, &figures.pictures)));
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::Side;
    use crate::compare::tests::{OURS, PEERS, comparison};
    use crate::json::Row;
    use crate::json::tests::document;

    /// As a scenario leaves it that measures how late messages are at two loads.
    fn latencies() -> Document {
        let results: [(Side, &[f64]); 2] = [(OURS, &[4.0; 3]), (PEERS, &[8.0; 3])];
        let mut document = document(&[comparison("one-to-one", &results, &[100.0; 7])]);
        let trial = &mut document.trials[0];
        let message = trial.results.clone();
        let of = |per: &str, setting: &str| {
            let row = |row: &Row| Row { per: per.into(), setting: setting.into(), ..row.clone() };
            message.iter().map(row).collect::<Vec<_>>()
        };
        let percentiles = ["latency p50", "latency p99", "latency p99.9"];
        let loads = ["10 %", "80 %"];
        let points = percentiles.map(|per| loads.map(|load| of(per, load)).concat()).concat();
        trial.results = [of("message", "10 %"), points].concat();
        document
    }

    #[test]
    fn percentiles_are_curves_one_picture_a_load_and_all_else_is_bars() {
        let document = latencies();
        let pictures = &of(&document)[0].pictures;
        let titles: Vec<_> = pictures.iter().map(|picture| picture.title.as_str()).collect();
        let due = ["10 %: latency", "80 %: latency"].map(|of| format!("8 bytes, single, {of}"));
        assert_eq!(titles, [&due[0], &due[1], "8 bytes, single: time per message"]);
        let curve = pictures[0].inline().to_string();
        let curve = roxmltree::Document::parse(&curve).unwrap();
        let lines = curve.descendants().filter(|node| node.has_tag_name("polyline"));
        let points: Vec<_> = lines.filter_map(|line| line.attribute("points")).collect();
        assert_eq!(points.len(), 2);
        assert!(points.iter().all(|points| points.split(' ').count() == 3), "{points:?}");
    }

    #[test]
    fn the_summary_has_the_middle_and_the_tail_of_a_curve() {
        let document = latencies();
        let lines = summary::lines(&document);
        let labels: Vec<_> = lines.iter().map(|line| line.label.as_str()).collect();
        let of = |load: &str, per: &str| format!("one-to-one, single, {load}{per}");
        let points =
            ["p50", "p99"].map(|p| ["10 %", "80 %"].map(|load| of(load, &format!(", {p}"))));
        assert_eq!(labels, [vec![of("10 %", "")], points.concat()].concat());
    }

    #[test]
    fn a_bar_begins_at_nought_and_is_as_long_as_its_time() {
        let results: [(Side, &[f64]); 2] = [(OURS, &[10.0; 3]), (PEERS, &[25.0; 3])];
        let document = document(&[comparison("one-to-one", &results, &[100.0; 7])]);
        let drawn = of(&document)[0].pictures[0].inline().to_string();
        let drawn = roxmltree::Document::parse(&drawn).unwrap();
        let bars = drawn.descendants().filter(|node| node.has_tag_name("rect"));
        let number = |node: roxmltree::Node<'_, '_>, name| {
            node.attribute(name).and_then(|value| value.parse::<f64>().ok()).unwrap()
        };
        let bars: Vec<_> = bars.map(|bar| (number(bar, "x"), number(bar, "width"))).collect();
        let [(x, ours), (also_x, peers)] = bars[..] else { panic!("{bars:?}") };
        assert_eq!(x, also_x);
        assert!((peers / ours - 2.5).abs() < 0.01, "{bars:?}");
    }
}
