//! `mainspring demo` runs, tells what it saw, and finds nothing wrong. That its check would find what is wrong is
//! tested where the check is (`src/command/demo/check/histories.rs`), and what is drawn where it is drawn.

#![cfg(all(feature = "cli", not(loom), target_os = "linux"))]

#[path = "demo/terminal.rs"]
mod terminal;

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Output, Stdio};

fn demo(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mainspring"));
    command.arg("demo").args(args).stdin(Stdio::null());
    command
}

/// Started, with its standard output in a pipe.
fn start(args: &[&str]) -> (Child, BufReader<impl Read>) {
    let mut child = demo(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let stdout = BufReader::new(child.stdout.take().unwrap());
    (child, stdout)
}

fn kill(child: &Child, signal: &str) {
    // A shell's own `kill`: not every system has it as a program.
    let script = format!("kill -s {signal} {}", child.id());
    assert!(Command::new("sh").args(["-c", &script]).status().unwrap().success());
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// Checks the end of what was written, and returns what comes before it.
fn assert_all_held(output: &str) -> Vec<&str> {
    let lines: Vec<&str> = output.lines().collect();
    let (before, report) = lines.split_at(lines.len().checked_sub(9).expect("a report"));
    let [summary, "", head, rule, rows @ ..] = report else { panic!("no report in {output}") };
    let words: Vec<&str> = summary.split_whitespace().collect();
    let ["messages", "of", _, "authors", "to", _, "readers", "in", ..] = words[1..] else {
        panic!("no summary in {output}");
    };
    assert_ne!(words[0], "0");
    assert_eq!(head.split_whitespace().collect::<Vec<_>>(), ["promise", "checked", "result"]);
    assert!(rule.chars().all(|c| "─ ".contains(c)), "{rule}");
    assert_eq!(rows.len(), 5);
    for (row, promise) in rows.iter().zip(["O1", "O2", "O3", "O4", "O5"]) {
        assert!(row.trim_start().starts_with(promise) && row.ends_with(" held"), "{output}");
        // Something was checked.
        let checked =
            row.split_whitespace().find(|word| word.starts_with(|c: char| c.is_numeric()));
        assert!(checked.is_some_and(|figure| figure != "0"), "{output}");
    }
    // As many numbers as messages.
    assert!(rows[0].contains(&format!(" {} numbers", words[0])), "{output}");
    before.to_vec()
}

#[test]
fn a_second_in_plain_lines_ends_with_a_check_that_holds() {
    let Output { status, stdout, stderr } = demo(&["--seconds", "1", "--plain"]).output().unwrap();
    assert_eq!((status.code(), text(&stderr)), (Some(0), ""));
    let lines = assert_all_held(text(&stdout));
    let [line] = lines[..] else { panic!("not one line: {lines:?}") };
    assert!(line.contains(" s  clock ") && line.contains(" messages/s, "), "{line}");
}

#[test]
fn without_a_terminal_it_is_plain_by_itself() {
    let Output { status, stdout, .. } = demo(&["-s", "2"]).output().unwrap();
    assert_eq!(status.code(), Some(0));
    assert_eq!(assert_all_held(text(&stdout)).len(), 2, "a line a second");
    assert!(!stdout.contains(&0x1b), "nothing for a terminal");
}

#[test]
fn quiet_is_the_report_alone() {
    let Output { status, stdout, .. } = demo(&["-s", "1", "--quiet"]).output().unwrap();
    assert_eq!(status.code(), Some(0));
    assert!(assert_all_held(text(&stdout)).is_empty());
}

#[test]
fn a_signal_ends_it_early_with_the_check_and_the_report() {
    for signal in ["INT", "TERM"] {
        let (mut child, mut stdout) = start(&["-s", "300", "--plain"]);
        let mut output = String::new();
        stdout.read_line(&mut output).unwrap();
        kill(&child, signal);
        stdout.read_to_string(&mut output).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(0));
        assert!(!assert_all_held(&output).is_empty());
    }
}

#[test]
fn whoever_stops_reading_ends_it() {
    let (mut child, mut stdout) = start(&["-s", "300", "--plain"]);
    stdout.read_line(&mut String::new()).unwrap();
    drop(stdout);
    assert_eq!(child.wait().unwrap().code(), Some(141));
    let mut told = String::new();
    child.stderr.take().unwrap().read_to_string(&mut told).unwrap();
    assert_eq!(told, "error: standard output: closed by its reader\n");
}

#[test]
fn seconds_have_bounds() {
    for seconds in ["0", "301", "-1", "1.5", "one", ""] {
        let seconds = format!("--seconds={seconds}");
        let Output { status, stdout, stderr } = demo(&[&seconds]).output().unwrap();
        assert_eq!((status.code(), text(&stdout)), (Some(2), ""));
        assert!(text(&stderr).contains("--seconds"), "{}", text(&stderr));
    }
}
