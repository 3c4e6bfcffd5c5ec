//! The report: everything measured is in it, its figures are those of the results, and it is written only
//! where it may be.

#![cfg(unix)]

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

fn perf(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_perf"));
    command.args(args);
    command
}

fn run(args: &[&str]) -> Output {
    perf(args).output().expect("perf runs")
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Writes the report of these results, and tells where.
fn report(results: &Value, dir: &TempDir) -> PathBuf {
    let (json, out) = (dir.path().join("measured.json"), dir.path().join("out"));
    fs::write(&json, results.to_string()).expect("the results are written");
    let output = run(&["report", text(&json), "--report", text(&out)]);
    assert!(output.status.success(), "{}", told(&output));
    out
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a plain path")
}

/// Of two scenarios, one of which has settings and one several peers.
fn measured() -> Value {
    let args = ["one-to-one", "slow-receiver", "ping-pong", "--payload", "8", "--quick", "--json"];
    let output = run(&[&args[..], &["--against", "crossbeam,rtrb", "--runs", "3"]].concat());
    assert!(output.status.success(), "{}", told(&output));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn read(path: PathBuf) -> String {
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Whatever is not closed, or not escaped, is an error here.
fn parsed(text: &str) -> roxmltree::Document<'_> {
    let text = text.strip_prefix("<!DOCTYPE html>\n").unwrap_or(text);
    roxmltree::Document::parse(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn all<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value[name].as_array().map_or(&[], Vec::as_slice)
}

fn word<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().expect(name)
}

#[test]
fn each_trial_and_each_row_is_on_the_page() {
    let (results, dir) = (measured(), tempfile::tempdir().expect("a folder"));
    let page = read(report(&results, &dir).join("index.html"));
    let page = parsed(&page);
    let tables: Vec<_> = page
        .descendants()
        .filter(|node| node.has_tag_name("details"))
        .flat_map(|node| node.descendants().filter(|node| node.has_tag_name("tr")))
        .map(|row| row.descendants().filter_map(|node| node.text()).collect::<Vec<_>>())
        .collect();
    for trial in all(&results, "trials") {
        let scenario = word(trial, "scenario");
        let section = page.descendants().find(|node| node.attribute("id") == Some(scenario));
        let section = section.unwrap_or_else(|| panic!("no section of {scenario}"));
        let pictures = section.descendants().filter(|node| node.has_tag_name("figure")).count();
        assert!(pictures >= 2, "{pictures} pictures of {scenario}");
        let rows = section.descendants().filter(|node| node.has_tag_name("tr")).count();
        let trials = all(&results, "trials").iter().filter(|t| t["scenario"] == scenario);
        let due: usize = trials.map(|trial| all(trial, "results").len() + 1).sum();
        assert_eq!(rows, due, "rows of {scenario}");
        for row in all(trial, "results") {
            let contender = word(row, "contender");
            assert!(tables.iter().any(|cells| cells.contains(&contender)), "{contender}");
        }
    }
}

#[test]
fn the_ratios_in_the_markdown_are_those_of_the_results() {
    let (results, dir) = (measured(), tempfile::tempdir().expect("a folder"));
    let markdown = read(report(&results, &dir).join("RESULTS.md"));
    let (_, markdown) = markdown.split_once("## Ours beside each peer").expect("the ratios");
    let mut found = 0;
    for trial in all(&results, "trials") {
        let sent = if trial["batch"] == 1 { "single" } else { "in 32s" };
        for row in all(trial, "results") {
            let Some(ratio) = row["peer_over_ours"]["of_rounds"]["median"].as_f64() else {
                continue;
            };
            let mut label = format!("| {}, {sent}", word(trial, "scenario"));
            if row["setting"] != "alone" {
                label += &format!(", {}", word(row, "setting"));
            }
            if let Some((_, percentile)) = word(row, "per").split_once(' ') {
                label += &format!(", {percentile}");
            }
            let start = format!("{label} | {} | ", word(row, "contender"));
            let line = markdown.lines().find_map(|line| line.strip_prefix(&start));
            let line = line.unwrap_or_else(|| panic!("no line {start} in\n{markdown}"));
            let shown = line.split_once(' ').and_then(|(_, rest)| rest.split_once(' '));
            let shown: f64 = shown.expect("a sign and a ratio").0.parse().expect("a ratio");
            assert!(
                (shown - ratio).abs() <= 0.006 * ratio.max(1.0),
                "{shown}, not {ratio}: {line}"
            );
            found += 1;
        }
    }
    // One to one with two peers, beside a stuck receiver with one, there and back with two: in two
    // forms, the last in two measures.
    assert_eq!(found, 2 * 2 + 2 * 2 + 2 * 2 * 2, "{markdown}");
}

#[test]
fn what_is_strange_is_shown_as_it_is() {
    let (mut results, dir) = (measured(), tempfile::tempdir().expect("a folder"));
    let strange = "<script>|\"&'</td>";
    results["failure"] = strange.into();
    results["machine"]["model"] = strange.into();
    results["trials"][0]["about"] = strange.into();
    results["trials"][0]["doubts"] = vec![strange].into();
    for row in results["trials"][0]["results"].as_array_mut().expect("results") {
        if row["contender"] == "rtrb" {
            row["contender"] = strange.into();
        }
    }
    let out = report(&results, &dir);
    let page = read(out.join("index.html"));
    assert!(!page.contains("<script"), "{page}");
    let shown = parsed(&page).descendants().filter_map(|node| node.text()).collect::<String>();
    assert!(shown.matches(strange).count() >= 5, "{shown}");
    for picture in fs::read_dir(out.join("pictures")).expect("pictures") {
        parsed(&read(picture.expect("a picture").path()));
    }
    let markdown = read(out.join("RESULTS.md"));
    assert!(markdown.lines().any(|line| line.contains("\\<script>\\|")), "{markdown}");
}

#[test]
fn the_page_asks_for_nothing_else() {
    let (results, dir) = (measured(), tempfile::tempdir().expect("a folder"));
    let page = read(report(&results, &dir).join("index.html"));
    for node in parsed(&page).descendants() {
        assert!(!["script", "link", "img", "iframe"].contains(&node.tag_name().name()), "{node:?}");
        let links = node.attributes().filter(|it| ["src", "href"].contains(&it.name()));
        links.for_each(|link| assert!(link.value().starts_with('#'), "{link:?}"));
    }
}

#[test]
fn what_cannot_be_done_is_refused_with_2_before_anything_runs() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("letter");
    fs::write(&file, "dear").expect("a file");
    let below = file.join("below");
    let refused = [
        vec!["all"],
        vec!["all", "--report", text(dir.path())],
        vec!["all", "--report", text(&file)],
        vec!["all", "--report", text(&below)],
        vec!["report", "--report", text(&below)],
        vec!["report", text(&file), "--report", text(&below)],
        vec!["report", "/nonexistent.json", "--report", text(&below)],
    ];
    for args in refused {
        let output = run(&args);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", told(&output));
        assert!(!told(&output).contains("panicked") && !told(&output).contains("rounds in"));
    }
    assert_eq!(read(file), "dear");
}

#[test]
fn who_interrupts_gets_what_was_measured() {
    let dir = tempfile::tempdir().expect("a folder");
    let out = dir.path().join("out");
    let mut command = perf(&["all", "--quick", "--report", text(&out)]);
    let mut running =
        command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().expect("it runs");
    let mut lines = BufReader::new(running.stderr.take().expect("stderr")).lines();
    let first = lines.next().expect("a line").expect("text");
    assert!(first.contains("one-to-one, 8 bytes, single: 2 rounds"), "{first}");
    let killed = Command::new("kill").args(["-INT", &running.id().to_string()]).status();
    assert!(killed.expect("kill").success());
    let rest: Vec<_> = lines.map(|line| line.expect("text")).collect();
    assert_eq!(running.wait().expect("it ends").code(), Some(1), "{rest:?}");
    assert!(rest.last().is_some_and(|line| line.contains("interrupted")), "{rest:?}");
    let results: Value = serde_json::from_str(&read(out.join("results.json"))).expect("JSON");
    assert!(word(&results, "failure").contains("interrupted"), "{results}");
    assert!(!all(&results, "trials").is_empty(), "{results}");
    let page = read(out.join("index.html"));
    assert!(page.contains("Incomplete: ") && page.contains("id=\"one-to-one\""), "{page}");
}
