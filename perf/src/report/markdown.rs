//! The report as Markdown: the same tables as on the page, all of them open.

use super::figures;
use super::tabled::{self, escaped};
use super::{accounts, summary, targets};
use crate::json::Document;

pub(super) fn markdown(document: &Document) -> String {
    let mut parts = vec![format!("# {}", accounts::TITLE)];
    parts.extend(accounts::warnings(document).iter().map(|it| format!("**{}**", escaped(it))));
    let lines = summary::lines(document);
    parts.push(accounts::count(&lines));
    parts.push(accounts::LEAD.into());
    parts.push("## How it was measured".into());
    parts.extend(accounts::METHOD.map(str::to_owned));
    let facts = accounts::facts(document).into_iter();
    let facts = facts.map(|(name, value)| format!("- {name}: {}", escaped(&value)));
    parts.push(facts.collect::<Vec<_>>().join("\n"));
    parts.push(tabled::contenders(document).markdown());
    parts.push("## What was wanted, and what was reached".into());
    parts.push(accounts::TARGETS.into());
    parts.push(tabled::targets(&targets::check(document)).markdown());
    parts.push("## Ours beside each peer".into());
    parts.push(SIGNS.into());
    parts.push(tabled::summary(&lines).markdown());
    parts.push("## Each scenario".into());
    for figures in figures::of(document) {
        parts.push(format!("### {}", escaped(figures.scenario)));
        parts.push(format!("{}.", escaped(figures.about)));
        for trial in figures.trials {
            parts.push(format!("{}:", escaped(&accounts::trial(trial))));
            parts.push(tabled::trial(trial).markdown());
            if !trial.doubts.is_empty() {
                parts.push(format!("Doubts: {}.", escaped(&trial.doubts.join("; "))));
            }
        }
    }
    let mut text = String::new();
    for part in parts {
        text.push_str(part.trim_end());
        text.push_str("\n\n");
    }
    format!("{}\n", text.trim_end())
}

const SIGNS: &str = "\
The peer's time divided by ours, round by round, the median. ▲ ours is faster, ▼ ours is slower, = even (1 is in the \
middle half), \\~ void (the runs lie too far apart).";
