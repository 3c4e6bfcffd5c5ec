//! The whole program in its quick form: every scenario runs on all sides, nothing is lost, each has
//! its rows.

use std::process::{Command, Output};

fn perf(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_perf")).args(args).output().expect("perf runs")
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Two larger payloads, singly and in batches, of ours and one peer.
const LARGER: usize = 2 * 2 * 2;

/// Forms × measures × contenders × settings. Besides crossbeam, most peers take part with 8 bytes only, and ours in
/// other drives, too.
fn rows(scenario: &str) -> usize {
    match scenario {
        "one-to-one" => LARGER + 2 * 17,
        "many-to-many" | "same-thread" | "same-thread-burst" => LARGER + 2 * 15,
        "many-to-one-4" | "many-to-one-8" => LARGER + 2 * 16,
        "many-to-many-random" => LARGER + 2 * 3,
        "broadcast" => LARGER + 2 * 6,
        "broadcast-by-ref" => LARGER + 2 * 3,
        "total-order" => LARGER + 2 * 10,
        "total-order-4" => LARGER + 2 * 9,
        "keyed" | "by-turn" => 2,
        "diamond" | "pipeline" => 2 * 2,
        "merge" => 2 * 3,
        "ping-pong" => 2 * (LARGER + 2 * 17),
        "ping-pong-events" => 3 * 2 * 2,
        "ping-pong-parked" => 2 * 8,
        "idle-wakeup" => 3 * 8,
        "latency-under-load" => 3 * 6 * 9,
        "marks" => 2 * 3,
        "publishes" => 3 * (4 + 2 * 2),
        "parked-neighbours" => 2 * (2 * 3),
        "slow-receiver" | "thousand-lanes" => 2 * (2 * 2),
        "churn" => 2 * (2 * 3 + 2),
        "busy-receiver" => 2 * 3,
        "async-one-to-one" | "async-four-to-one" | "local-one-to-one" | "local-four-to-one" => 5,
        "async-request-reply" | "local-request-reply" | "async-ask" | "local-ask" => 2 * 5,
        other => panic!("{other} is new"),
    }
}

#[test]
fn each_scenario_has_its_rows() {
    let output = perf(&["--quick"]);
    let tables = stdout(&output);
    assert!(output.status.success(), "{tables}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(tables.contains("figures mean nothing"), "{tables}");
    let list = stdout(&perf(&["list"]));
    // What follows a name is indented.
    let scenarios = list.lines().take_while(|line| !line.is_empty());
    let scenarios = scenarios.filter(|line| !line.starts_with(' '));
    let names: Vec<_> = scenarios.filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(names.len(), 36, "{list}");
    for name in names {
        let start = format!("| {name} ");
        let found = tables.lines().filter(|line| line.starts_with(&start)).count();
        assert_eq!(found, rows(name), "rows of {name} in\n{tables}");
    }
}

#[test]
fn the_versions_are_named() {
    let output = perf(&["same-thread", "--quick", "--payload", "8", "--batch", "1"]);
    let table = stdout(&output);
    for named in
        ["mainspring 0.", "crossbeam-channel 0.5.", "rtrb 0.4.", "disruptor 4.", "kanal-spin 0."]
    {
        assert!(table.contains(named), "{table}");
    }
}

#[test]
fn whoever_takes_part_is_explained() {
    let heading = stdout(&perf(&["async-one-to-one", "one-to-one", "--quick", "--batch", "1"]));
    let list = stdout(&perf(&["list"]));
    let names = heading.lines().nth(1).expect("names and versions").split(", ");
    let names: Vec<_> = names.filter_map(|named| named.split_whitespace().next()).collect();
    assert!(names.contains(&"mainspring-thread") && names.contains(&"flume"), "{heading}");
    for name in names {
        let is_known = |line: &str| line.split_whitespace().next() == Some(name);
        assert!(list.lines().any(is_known), "{name} in\n{list}");
    }
}

#[test]
fn the_json_has_each_trial_and_each_run() {
    let output = perf(&[
        "one-to-one",
        "slow-receiver",
        "--against",
        "crossbeam,rtrb,disruptor",
        "--quick",
        "--json",
        "--runs",
        "3",
    ]);
    assert!(output.status.success());
    let read: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert!(read["machine"]["cores"].as_u64() > Some(0), "{read}");
    assert_eq!(read["contenders"].as_array().map(Vec::len), Some(4), "{read}");
    let trials = read["trials"].as_array().expect("trials");
    let scenarios: Vec<_> = trials.iter().map(|trial| trial["scenario"].as_str()).collect();
    let expected = [["one-to-one"; 6].as_slice(), &["slow-receiver"; 2]].concat();
    assert_eq!(scenarios, expected.into_iter().map(Some).collect::<Vec<_>>());
    for result in trials.iter().flat_map(|trial| trial["results"].as_array().expect("results")) {
        assert_eq!(result["runs_ns"].as_array().map(Vec::len), Some(3), "{result}");
        let is_ours = result["contender"] == "mainspring";
        assert_eq!(result["peer_over_ours"].is_null(), is_ours, "{result}");
        assert_eq!(result["rate_to_alone"].is_null(), result["setting"] == "alone", "{result}");
    }
}

#[test]
fn a_mistake_is_told_and_ends_with_2() {
    let output = perf(&["three-to-three"]);
    assert_eq!(output.status.code(), Some(2));
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains("one-to-one") && !told.contains("panicked"), "{told}");
    let output = perf(&["churn", "--against", "rtrb"]);
    assert_eq!(output.status.code(), Some(2));
}
