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
