//! The tables: each is made once and written as HTML and as Markdown.

use super::markup::{Element, el};
use super::summary::Line;
use super::targets::Checked;
use super::words::{self, middle, time, times};
use crate::json::{Document, Row, Trial};
use crate::tables::digits;

/// Named columns and what is in them.
pub(super) struct Tabled {
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
}

struct Column {
    name: &'static str,
    is_figure: bool,
    /// Short enough for one line.
    is_line: bool,
}

/// Its text, and the class that it has in the page.
struct Cell(String, &'static str);

fn cell(text: impl Into<String>) -> Cell {
    Cell(text.into(), "")
}

fn words(name: &'static str) -> Column {
    Column { name, is_figure: false, is_line: false }
}

fn figures(name: &'static str) -> Column {
    Column { name, is_figure: true, is_line: true }
}

fn phrases(name: &'static str) -> Column {
    Column { name, is_figure: false, is_line: true }
}

impl Tabled {
    pub(super) fn html(&self) -> Element {
        let class = |column: &Column, class: &str| {
            let of = [(column.is_figure, "figure"), (column.is_line, "line"), (true, class)];
            let all = of.into_iter().filter(|(is, class)| *is && !class.is_empty());
            all.map(|(_, class)| class).collect::<Vec<_>>().join(" ")
        };
        let named = |element: Element, class: String| match class.as_str() {
            "" => element,
            class => element.class(class),
        };
        let head = self.columns.iter().map(|column| {
            named(el("th").with("scope", "col"), class(column, "")).text(column.name)
        });
        let row = |cells: &Vec<Cell>| {
            let cells = self.columns.iter().zip(cells);
            el("tr").all(
                cells.map(|(column, Cell(text, of))| named(el("td"), class(column, of)).text(text)),
            )
        };
        el("table")
            .add(el("thead").add(el("tr").all(head)))
            .add(el("tbody").all(self.rows.iter().map(row)))
    }

    pub(super) fn markdown(&self) -> String {
        let mut out = String::new();
        let names = self.columns.iter().map(|column| column.name);
        let rules = self.columns.iter().map(|column| if column.is_figure { "--:" } else { "---" });
        let rows = self.rows.iter().map(|cells| cells.iter().map(|cell| cell.0.as_str()));
        push(&mut out, names);
        push(&mut out, rules);
        rows.for_each(|cells| push(&mut out, cells));
        out
    }
}

fn push(out: &mut String, cells: impl IntoIterator<Item = impl AsRef<str>>) {
    out.push('|');
    for cell in cells {
        out.extend([" ", &escaped(cell.as_ref()), " |"]);
    }
    out.push('\n');
}

/// As text in a cell of Markdown.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '|' | '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '~' => out.extend(['\\', c]),
            '&' => out.push_str("&amp;"),
            '\n' | '\r' => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

pub(super) fn targets(checked: &[Checked]) -> Tabled {
    let row = |checked: &Checked| {
        vec![
            cell(&checked.what),
            cell(&checked.against),
            cell(&checked.must),
            cell(&checked.aim),
            cell(&checked.measured),
            Cell(checked.verdict.name().into(), checked.verdict.class()),
        ]
    };
    let limits = ["must", "aim", "measured", "verdict"].map(phrases);
    let columns = ["scenario", "against"].map(words).into_iter().chain(limits).collect();
    Tabled { columns, rows: checked.iter().map(row).collect() }
}

/// All ratios of ours to the peers.
pub(super) fn summary(lines: &[Line<'_>]) -> Tabled {
    let mut rows = Vec::new();
    for line in lines {
        for beside in &line.beside {
            let ratio = &beside.ratio.of_rounds;
            let shown = format!("{} {}", beside.outcome.sign(), times(ratio.median));
            rows.push(vec![
                cell(&line.label),
                cell(beside.contender),
                Cell(shown, beside.outcome.class()),
                cell(middle(ratio)),
            ]);
        }
    }
    let columns =
        vec![words("scenario"), words("peer"), figures("its time ÷ ours"), figures("middle half")];
    Tabled { columns, rows }
}

pub(super) fn contenders(document: &Document) -> Tabled {
    let row = |contender: &crate::json::Contender| {
        vec![cell(&contender.name), cell(&contender.version), cell(&contender.about)]
    };
    let columns = ["name", "version", "what it is"].map(words).into();
    Tabled { columns, rows: document.contenders.iter().map(row).collect() }
}

/// Every row of a trial.
pub(super) fn trial(trial: &Trial) -> Tabled {
    let settings = trial.results.iter().any(|row| row.setting != trial.results[0].setting);
    let mut columns = vec![words("what"), words("contender")];
    if settings {
        columns.push(words("setting"));
    }
    columns.extend(["median", "middle half, ns", "its time ÷ ours", "middle half"].map(figures));
    if settings {
        columns.extend(["rate ÷ alone", "middle half"].map(figures));
    }
    let rows = trial.results.iter().map(|row| cells(trial, row, settings)).collect();
    Tabled { columns, rows }
}

fn cells(trial: &Trial, row: &Row, settings: bool) -> Vec<Cell> {
    let mut cells = vec![cell(words::measure(&row.per)), cell(&row.contender)];
    if settings {
        cells.push(cell(&row.setting));
    }
    let void = if row.void { "~ " } else { "" };
    cells.push(cell(format!("{void}{}", time(row.samples.ns.median))));
    cells.push(cell(middle(&row.samples.ns)));
    match words::outcome(trial, row) {
        Some((ratio, outcome)) => {
            let shown = times(ratio.of_rounds.median);
            cells.push(match row.is_ours() {
                true => cell(shown),
                false => Cell(format!("{} {shown}", outcome.sign()), outcome.class()),
            });
            cells.push(cell(middle(&ratio.of_rounds)));
        }
        None => cells.extend([cell(""), cell("")]),
    }
    if settings {
        match &row.rate_to_alone {
            Some(ratio) => {
                cells.push(cell(digits(ratio.of_rounds.median)));
                cells.push(cell(middle(&ratio.of_rounds)));
            }
            None => cells.extend([cell(""), cell("")]),
        }
    }
    cells
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_of_markdown_stays_one() {
        assert_eq!(escaped("a|b_c\n<d> ~5"), "a\\|b\\_c \\<d> \\~5");
        let table = Tabled {
            columns: vec![words("a"), figures("b")],
            rows: vec![vec![cell("x|"), cell("1")]],
        };
        assert_eq!(table.markdown(), "| a | b |\n| --- | --: |\n| x\\| | 1 |\n");
    }
}
