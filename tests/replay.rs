//! The replay example: a seed decides the whole run, what must hold holds, and the check of it is one.

#![cfg(not(loom))]

mod support;

#[expect(dead_code, reason = "`main`")]
#[path = "examples/replay.rs"]
mod example;

use std::collections::BTreeSet;

use support::to_the_end;

const STEPS: usize = 200;

/// The trace, and what was wrong.
fn run(seed: u64, careless: bool) -> (String, Result<(), String>) {
    let mut trace = Vec::new();
    let result = example::run(seed, STEPS, careless, &mut trace).map_err(|error| error.to_string());
    (String::from_utf8(trace).unwrap(), result)
}

/// Goal: the same seed is the same run, to the letter, and another is another. Method: each of some seeds twice.
#[test]
fn a_seed_decides_the_run() {
    to_the_end(|| {
        let runs: BTreeSet<String> = (0..50)
            .map(|seed| {
                let (trace, result) = run(seed, false);
                assert_eq!(result, Ok(()), "{trace}");
                assert!(trace.lines().count() >= STEPS);
                assert_eq!(run(seed, false).0, trace, "seed {seed}");
                trace
            })
            .collect();
        assert_eq!(runs.len(), 50, "two seeds made one run");
    });
}

/// Goal: the runs are worth something. Method: over some seeds there was no room, a clock was told, a sum was known at
/// once and one later.
#[test]
fn the_runs_come_to_rare_places() {
    to_the_end(|| {
        let traces: Vec<String> = (0..50).map(|seed| run(seed, false).0).collect();
        for place in
            ["Err(Full(..))", "Ok(Clock(", "Ok((Seq(1), ())), right at 1", "Err(Empty), right at"]
        {
            assert!(traces.iter().any(|trace| trace.contains(place)), "never: {place}");
        }
    });
}

/// Goal: a broken system is found, and what is told finds it again. Method: the careless auditor; the message names the
/// seed and the step, which is the last of the trace, both times.
#[test]
fn what_is_broken_is_found_with_its_seed() {
    to_the_end(|| {
        let mut found = 0;
        for seed in 0..50 {
            let (trace, result) = run(seed, true);
            assert_eq!(run(seed, true), (trace.clone(), result.clone()));
            let Err(wrong) = result else { continue };
            found += 1;
            let last = trace.lines().count() - 1;
            let told = format!("--seed {seed} --steps {STEPS}, step {last}: ");
            let (_, what) = wrong.split_once(&told).unwrap_or_else(|| panic!("{told} in {wrong}"));
            assert!(trace.trim_end().ends_with(what) && what.contains("too much at"));
        }
        assert!(found > 25, "found in {found} of 50 runs only");
    });
}
