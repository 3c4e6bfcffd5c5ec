//! What stderr shows meanwhile: on a terminal a bar, elsewhere a line when a trial is done.
//!
//! Nothing ticks beside the runs: the bar moves between them only.

use std::cell::Cell;
use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressState, ProgressStyle};

use crate::compare::{Comparison, Trial};

pub(crate) struct Progress {
    bar: ProgressBar,
    is_bar: bool,
    trials: usize,
    done: Cell<usize>,
    pace: Pace,
}

impl Progress {
    /// Of these trials, which end at that time if there is not enough of it.
    pub(crate) fn of(trials: &[Trial], until: Option<Instant>) -> Self {
        let pace = Pace { began: Instant::now(), until };
        let left = move |state: &ProgressState, out: &mut dyn fmt::Write| {
            let left = pace.left(state.pos(), state.len().unwrap_or(0));
            // A bar without this says less, and is one.
            out.write_str(&left).unwrap_or_default();
        };
        let bar = ProgressBar::new(trials.iter().map(Trial::steps).sum());
        let bar = match ProgressStyle::with_template("{bar:24} {pos}/{len} runs{left}: {msg}") {
            Ok(style) => bar.with_style(style.with_key("left", left)),
            Err(_) => bar,
        };
        Self {
            bar,
            is_bar: io::stderr().is_terminal(),
            trials: trials.len(),
            done: Cell::new(0),
            pace,
        }
    }

    pub(crate) fn begin(&self, trial: &Trial) {
        self.bar.set_message(trial.to_string());
    }

    /// One run is done.
    pub(crate) fn step(&self) {
        self.bar.inc(1);
    }

    /// So many runs were planned of a trial, and so many were done.
    pub(crate) fn were(&self, planned: u64, done: u64) {
        self.bar.dec_length(planned);
        self.bar.inc_length(done);
    }

    /// A trial is done, which took so long.
    pub(crate) fn end(&self, comparison: &Comparison, took: Duration) {
        self.done.set(self.done.get() + 1);
        if !self.is_bar {
            let (trial, done, of) = (&comparison.trial, self.done.get(), self.trials);
            let (rounds, took) = (comparison.rounds(), took.as_secs_f64());
            let left = self.pace.left(self.bar.position(), self.bar.length().unwrap_or(0));
            say(format_args!("[{done}/{of}] {trial}: {rounds} rounds in {took:.1} s{left}"));
        }
    }

    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

#[derive(Clone, Copy)]
struct Pace {
    began: Instant,
    until: Option<Instant>,
}

impl Pace {
    /// How long the other runs take if they are like those before. Nothing if nobody can tell.
    fn left(&self, done: u64, all: u64) -> String {
        if done == 0 || done >= all {
            return String::new();
        }
        let left = self.began.elapsed().mul_f64((all - done) as f64 / done as f64);
        let limit = self.until.map(|until| until.saturating_duration_since(Instant::now()));
        let left = limit.map_or(left, |limit| left.min(limit));
        format!(", about {} left", span(left.as_secs_f64()))
    }
}

/// A span of time in words, given in seconds.
pub(crate) fn span(seconds: f64) -> String {
    match seconds {
        s if s < 99.5 => format!("{s:.0} s"),
        s if s < 99.5 * 60.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.1} h", s / 3600.0),
    }
}

/// A line on stderr.
pub(crate) fn say(what: impl fmt::Display) {
    // Nobody is left to tell if stderr is closed.
    writeln!(io::stderr(), "{what}").unwrap_or_default();
}

#[cfg(test)]
mod tests {
    use super::span;

    #[test]
    fn spans_are_short() {
        assert_eq!([7.2, 300.0, 9_000.0].map(span), ["7 s", "5 min", "2.5 h"]);
    }
}
