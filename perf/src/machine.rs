//! The machine: what it is, and how far apart its cores are at the moment.
//!
//! On a virtual machine two cores may share a cache or lie in different sockets, and that changes
//! by itself. One padded word, written by two threads in turn, tells: there and back in about 60 to
//! 140 ns when *near*, in about 300 to 550 ns when *far*.

use std::fmt;
use std::fs;
use std::hint::spin_loop;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::stats::Quartiles;

/// From here on two cores are far from each other, in nanoseconds.
const FAR_NS: f64 = 250.0;
/// Nothing between two cores takes as long: if a trip does, both threads are on one core.
const ONE_CORE_NS: f64 = 2_000.0;

const SAMPLES: usize = 16;
const TRIPS_PER_SAMPLE: u64 = 32;
/// Looks before the other thread is given a chance to run on this core.
const LOOKS_PER_YIELD: u64 = 256;
/// Threads may start on one core, and both have to be busy for a while before the system moves one
/// of them.
const PATIENCE: Duration = Duration::from_millis(60);
/// Tells the other thread that this was all.
const OVER: u64 = u64::MAX;

/// How far a cache line has to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Placement {
    Near,
    Far,
    /// The system would not let us have two cores.
    OneCore,
}

impl Placement {
    pub(crate) fn of(round_trip_ns: f64) -> Self {
        match round_trip_ns {
            ns if ns < FAR_NS => Self::Near,
            ns if ns < ONE_CORE_NS => Self::Far,
            _ => Self::OneCore,
        }
    }
}

#[repr(align(128))]
struct Padded(AtomicU64);

/// The time that one cache line takes from core to core and back, in nanoseconds: the median of a
/// few samples.
pub(crate) fn line_round_trip_ns() -> f64 {
    let word = Padded(AtomicU64::new(0));
    let samples = thread::scope(|scope| {
        scope.spawn(|| answer(&word.0));
        let samples = sample(&word.0);
        word.0.store(OVER, Ordering::Relaxed);
        samples
    });
    Quartiles::of(samples).median
}

/// Only those count that two cores had a part in, if there are any.
fn sample(word: &AtomicU64) -> Vec<f64> {
    let mut samples = Vec::with_capacity(SAMPLES);
    let until = Instant::now() + PATIENCE;
    let mut trips = (0..).step_by(2);
    while samples.len() < SAMPLES {
        let began = Instant::now();
        trips.by_ref().take(TRIPS_PER_SAMPLE as usize).for_each(|trip| ask(word, trip));
        let ns = began.elapsed().as_nanos() as f64 / TRIPS_PER_SAMPLE as f64;
        if ns < ONE_CORE_NS {
            samples.push(ns);
        } else if Instant::now() > until {
            samples.push(ns);
            break;
        }
    }
    samples
}

/// Makes an even number odd and waits until it is the next even one. The number and the time are
/// all that passes: there is no data behind it to be published.
fn ask(word: &AtomicU64, trip: u64) {
    word.store(trip + 1, Ordering::Relaxed);
    look_until(word, |now| now == trip + 2);
}

fn answer(word: &AtomicU64) {
    loop {
        match look_until(word, |now| now % 2 == 1) {
            OVER => return,
            asked => word.store(asked + 1, Ordering::Relaxed),
        }
    }
}

fn look_until(word: &AtomicU64, seen: impl Fn(u64) -> bool) -> u64 {
    let mut looks = 0;
    loop {
        let now = word.load(Ordering::Relaxed);
        if seen(now) {
            return now;
        }
        looks += 1;
        match looks % LOOKS_PER_YIELD {
            0 => thread::yield_now(),
            _ => spin_loop(),
        }
    }
}

/// What the figures depend on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Facts {
    pub(crate) cores: usize,
    pub(crate) model: String,
    pub(crate) kernel: String,
    /// Of the last minute; none where the system does not tell.
    pub(crate) load: Option<f64>,
}

/// Cores, model, kernel, and how busy the machine has been in the last minute.
pub(crate) fn facts() -> Facts {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    Facts {
        cores: thread::available_parallelism().map_or(0, usize::from),
        model: model(&cpuinfo).unwrap_or("model unknown").into(),
        kernel: format!("{} {}", std::env::consts::OS, release.trim()).trim().into(),
        load: load(),
    }
}

/// How many threads wanted to run in the last minute, on average; none where the system does not
/// tell.
pub(crate) fn load() -> Option<f64> {
    fs::read_to_string("/proc/loadavg").ok()?.split_whitespace().next()?.parse().ok()
}

impl Facts {
    /// Whether figures of both may stand in one report.
    pub(crate) fn is_same_machine(&self, other: &Self) -> bool {
        (self.cores, &self.model) == (other.cores, &other.model)
    }
}

impl fmt::Display for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} cores, {}, {}, load ", self.cores, self.model, self.kernel)?;
        match self.load {
            Some(load) => write!(f, "{load:.2}"),
            None => write!(f, "unknown"),
        }
    }
}

fn model(cpuinfo: &str) -> Option<&str> {
    let line = cpuinfo.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim())
}

/// The version of a package that this program was built with.
pub(crate) fn version(package: &str) -> &'static str {
    match locked(include_str!("../../Cargo.lock"), package) {
        Some(version) => version,
        None if package.starts_with("std") => "of the toolchain",
        None => "?",
    }
}

fn locked<'lock>(lock: &'lock str, package: &str) -> Option<&'lock str> {
    let name = format!("name = \"{package}\"\n");
    let rest = lock.split("[[package]]\n").find_map(|entry| entry.strip_prefix(&name))?;
    rest.strip_prefix("version = \"")?.split('"').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_comes_back() {
        assert!(line_round_trip_ns() > 0.0);
    }

    #[test]
    fn near_and_far_are_told_apart() {
        assert_eq!(Placement::of(64.0), Placement::Near);
        assert_eq!(Placement::of(460.0), Placement::Far);
        assert_eq!(Placement::of(15_000.0), Placement::OneCore);
    }

    #[test]
    fn facts_are_one_line() {
        let facts =
            Facts { cores: 2, model: "Abacus".into(), kernel: "linux 7".into(), load: Some(0.5) };
        assert_eq!(facts.to_string(), "2 cores, Abacus, linux 7, load 0.50");
    }

    #[test]
    fn the_model_is_read_from_cpuinfo() {
        let cpuinfo = "processor\t: 0\nmodel name\t: AMD EPYC\ncache size\t: 512 KB\n";
        assert_eq!(model(cpuinfo), Some("AMD EPYC"));
        assert_eq!(model(""), None);
    }

    #[test]
    fn versions_come_from_the_lock_file() {
        let lock = "version = 4\n\n[[package]]\nname = \"ab\"\nversion = \"1.0.0\"\n\n\
                    [[package]]\nname = \"a\"\nversion = \"2.1.0\"\nsource = \"x\"\n";
        assert_eq!(locked(lock, "a"), Some("2.1.0"));
        assert_eq!(locked(lock, "b"), None);
    }
}
