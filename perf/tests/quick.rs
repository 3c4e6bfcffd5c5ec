//! The whole program in its quick form: every scenario runs on both sides, nothing is lost, each
//! has its rows.

use std::process::{Command, Output};

fn perf(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_perf")).args(args).output().expect("perf runs")
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn each_scenario_has_its_rows() {
    let output = perf(&["--quick"]);
    let table = stdout(&output);
    assert!(output.status.success(), "{table}\n{}", String::from_utf8_lossy(&output.stderr));
    let list = stdout(&perf(&["list"]));
    let names: Vec<_> = list.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(names.len(), 7, "{list}");
    for name in names {
        let start = format!("| {name} ");
        let rows = table.lines().filter(|line| line.starts_with(&start)).count();
        let expected = if name == "ping-pong" { 8 } else { 4 };
        assert_eq!(rows, expected, "rows of {name} in\n{table}");
    }
}

#[test]
fn the_versions_are_named() {
    let output = perf(&["same-thread", "--quick", "--payload", "8", "--batch", "1"]);
    let table = stdout(&output);
    assert!(table.contains("crossbeam-channel 0.5."), "{table}");
    assert!(table.contains("mainspring 0."), "{table}");
}

#[test]
fn a_mistake_is_told_and_ends_with_2() {
    let output = perf(&["three-to-three"]);
    assert_eq!(output.status.code(), Some(2));
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains("one-to-one") && !told.contains("panicked"), "{told}");
}
