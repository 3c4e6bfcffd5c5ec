//! The page: first what came out, then what was wanted, then how it was measured, then each scenario.
//!
//! It is one file without scripts that asks the network for nothing. Each picture has a title, says
//! what it shows to those who do not see it, and stands above a table of the same figures.

use super::figures::{self, Figures};
use super::markup::{CHART_CSS, Element, el, hatch, line, rect};
use super::summary::{self, Beside, Line};
use super::targets::{self, Verdict};
use super::words::Outcome;
use super::{accounts, tabled};
use crate::compare::Ratio;
use crate::json::{Document, Trial};
use crate::stats::Quartiles;

const PAGE_CSS: &str = include_str!("page.css");

pub(super) fn page(document: &Document) -> String {
    let head = el("head").all([
        el("meta").with("charset", "utf-8"),
        el("meta").with("name", "viewport").with("content", "width=device-width, initial-scale=1"),
        el("title").text(accounts::TITLE),
        el("style").text(CHART_CSS).text(PAGE_CSS),
    ]);
    // Patterns are found by their name in the whole page: one picture without size holds them.
    let patterns = el("svg").with("width", 0).with("height", 0).with("aria-hidden", true);
    let lines = summary::lines(document);
    let body = el("body").add(patterns.add(hatch())).add(
        el("main")
            .add(opening(document, &lines))
            .add(comparisons(&lines))
            .add(targets(document))
            .add(method(document))
            .add(scenarios(document)),
    );
    format!("<!DOCTYPE html>\n{}", el("html").with("lang", "en").add(head).add(body))
}

fn opening(document: &Document, lines: &[Line<'_>]) -> Element {
    let warnings = accounts::warnings(document).into_iter();
    el("header")
        .add(el("h1").text(accounts::TITLE))
        .all(warnings.map(|warning| el("p").class("warning").text(warning)))
        .add(el("p").class("lead").text(accounts::count(lines)))
        .add(el("p").text(accounts::LEAD))
        .add(el("p").class("quiet").text(accounts::one_line(document)))
}

fn comparisons(lines: &[Line<'_>]) -> Element {
    let section = section("summary", "Ours beside each peer");
    if lines.is_empty() {
        return section.add(el("p").text("No peer took part."));
    }
    section
        .add(el("p").text(accounts::SUMMARY))
        .add(legend(dots()))
        .add(figure().class("wide").add(summary::picture(lines).inline()))
        .add(folded("All of these as a table", tabled::summary(lines).html()))
}

fn targets(document: &Document) -> Element {
    let checked = targets::check(document);
    let count = |verdict: Verdict| {
        let found = checked.iter().filter(|checked| checked.verdict == verdict).count();
        format!("{} {found}", verdict.name())
    };
    let counts = Verdict::ALL.map(count).join(", ");
    section("targets", "What was wanted, and what was reached")
        .add(el("p").text(accounts::TARGETS))
        .add(el("p").text(format_args!("{counts}.")))
        .add(scrolled(tabled::targets(&checked).html()))
}

fn method(document: &Document) -> Element {
    let mut facts = el("dl");
    for (name, value) in accounts::facts(document) {
        facts = facts.add(el("dt").text(name)).add(el("dd").text(value));
    }
    section("method", "How it was measured")
        .all(accounts::METHOD.map(|paragraph| el("p").text(paragraph)))
        .add(facts)
        .add(el("h3").text("Who took part"))
        .add(scrolled(tabled::contenders(document).html()))
}

fn scenarios(document: &Document) -> Element {
    let all = figures::of(document);
    let entry = |figures: &Figures<'_>| {
        let link = el("a").with("href", format_args!("#{}", figures.scenario));
        el("li").add(link.text(figures.scenario))
    };
    section("scenarios", "Each scenario")
        .add(el("p").text(accounts::BARS))
        .add(legend(bars()))
        .add(el("nav").with("aria-label", "Scenarios").add(el("ul").all(all.iter().map(entry))))
        .all(all.iter().map(scenario))
}

fn scenario(figures: &Figures<'_>) -> Element {
    let pictures = figures.pictures.iter().map(|picture| figure().add(picture.inline()));
    let mut section = el("section")
        .with("id", figures.scenario)
        .add(el("h3").text(figures.scenario))
        .add(el("p").class("quiet").text(capitalized(figures.about)))
        .add(el("div").class("grid").all(pictures));
    let doubts: Vec<_> = figures.trials.iter().filter(|trial| !trial.doubts.is_empty()).collect();
    if !doubts.is_empty() {
        let told = doubts.into_iter().map(|trial| el("li").text(accounts::doubts(trial)));
        section = section.add(el("ul").class("doubts").with("aria-label", "Doubts").all(told));
    }
    let tables = figures.trials.iter().flat_map(|trial| table(trial));
    let folded = el("details").add(el("summary").text("The same as a table"));
    section.add(folded.all(tables))
}

fn table(trial: &Trial) -> [Element; 2] {
    [el("p").text(accounts::trial(trial)), scrolled(tabled::trial(trial).html())]
}

fn section(id: &'static str, heading: &str) -> Element {
    el("section").with("id", id).add(el("h2").text(heading))
}

fn folded(summary: &str, table: Element) -> Element {
    el("details").add(el("summary").text(summary)).add(scrolled(table))
}

/// What is too wide for a small screen moves under it. It can be reached with the keyboard.
fn scrolled(table: Element) -> Element {
    el("div").class("scroll").with("tabindex", 0).add(table)
}

fn figure() -> Element {
    el("figure").with("tabindex", 0)
}

fn legend(entries: Vec<(Vec<Element>, String)>) -> Element {
    let entry = |(drawn, text): (Vec<Element>, String)| {
        let svg = el("svg").with("viewBox", "0 0 34 16").with("aria-hidden", true);
        el("li").add(svg.all(drawn)).add(el("span").text(text))
    };
    el("ul").class("legend").all(entries.into_iter().map(entry))
}

/// The marks of the summary.
fn dots() -> Vec<(Vec<Element>, String)> {
    let ratio =
        Ratio { of_medians: 1.0, of_rounds: Quartiles { low: 1.0, median: 1.0, high: 1.0 } };
    let mark =
        |contender, outcome| vec![summary::dot(&Beside { contender, ratio, outcome }, (17.0, 8.0))];
    let sign =
        |outcome: Outcome, text: &str| (mark("", outcome), format!("{} {text}", outcome.sign()));
    vec![
        (mark("crossbeam-channel", Outcome::Faster), "crossbeam-channel".into()),
        (mark("clocked-dispatch", Outcome::Faster), "clocked-dispatch".into()),
        (mark("", Outcome::Faster), "any other".into()),
        sign(Outcome::Faster, "ours is faster"),
        sign(Outcome::Slower, "ours is slower"),
        sign(Outcome::Even, "even: 1 is in the middle half"),
        sign(Outcome::Void, "void: the runs lie too far apart"),
    ]
}

fn bars() -> Vec<(Vec<Element>, String)> {
    let bar = |class: &str| vec![rect(&format!("bar {class}"), (1.0, 2.0), (32.0, 12.0))];
    let whisker = [(6.0, 28.0, 8.0, 8.0), (6.0, 6.0, 4.0, 12.0), (28.0, 28.0, 4.0, 12.0)];
    let whisker = whisker.map(|(x1, x2, y1, y2)| line("whisker", (x1, y1), (x2, y2)));
    let tears = [12.0, 20.0].map(|x| line("tear", (x, 16.0), (x + 5.0, 0.0)));
    vec![
        (bar("ours"), "mainspring".into()),
        (bar("own"), "the same, in another drive".into()),
        (bar("peer"), "a peer".into()),
        (whisker.into(), "the middle half of the runs".into()),
        (bar("void"), "~ void: the runs lie too far apart to be compared".into()),
        (bar("peer").into_iter().chain(tears).collect(), "cut: much longer than drawn".into()),
    ]
}

fn capitalized(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", chars.as_str())
}
