//! One trial after the other: how long each may take, who takes part, and what ends them all.
//!
//! ```text
//!  for each trial:   probe, one round of everybody  ──▶  rivals: who stays
//!                    its share of the time that is left  ──▶  rounds
//!                    done  ──▶  save
//! ```
//!
//! The short form of `cargo perf all` shall end in a quarter of an hour, on whatever machine and with
//! whatever scenarios there are. So a trial gets that part of the time left that its runs are of all
//! runs left, or more if the others will not need it, and does as many rounds in it as it can,
//! [`ROUNDS_MIN`] at least.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGINT, SIGTERM};

use crate::compare::{Comparison, Trial};
use crate::failure::Failure;
use crate::progress::Progress;
use crate::rivals;

/// Fewer have no middle half.
const ROUNDS_MIN: u64 = 3;
/// Those to come may take so many times as long as those before.
const CAUTION: f64 = 1.25;

/// How trials are run.
#[derive(Debug, Default)]
pub(crate) struct Manner {
    /// All of it is to take so long at most.
    pub(crate) limit: Option<Duration>,
    /// Only the strongest of the peers stay.
    pub(crate) strongest: bool,
    pub(crate) interrupt: Interrupt,
}

/// Runs the trials until one fails; `save` sees all results after each.
pub(crate) fn run(
    trials: &[Trial],
    manner: &Manner,
    mut save: impl FnMut(&[Comparison]) -> Result<(), Failure>,
) -> (Vec<Comparison>, Result<(), Failure>) {
    let mut left = Left::of(trials, manner.limit);
    let progress = Progress::of(trials, left.until);
    let mut comparisons = Vec::with_capacity(trials.len());
    let mut result = Ok(());
    for trial in trials {
        progress.begin(trial);
        let began = Instant::now();
        let share = left.next(trial.steps());
        let done = perform(trial, manner, share, &progress);
        let done = done.map_err(|failure| failure.of(trial.to_string())).and_then(|comparison| {
            progress.end(&comparison, began.elapsed());
            comparisons.push(comparison);
            save(&comparisons)
        });
        if let Err(failure) = done {
            result = Err(failure);
            break;
        }
    }
    progress.finish();
    (comparisons, result)
}

/// What is left of the time, and of the runs as they were planned.
struct Left {
    until: Option<Instant>,
    began: Instant,
    planned: u64,
    steps: u64,
}

impl Left {
    fn of(trials: &[Trial], limit: Option<Duration>) -> Self {
        let (began, planned) = (Instant::now(), trials.iter().map(Trial::steps).sum());
        Self { until: limit.map(|limit| began + limit), began, planned, steps: planned }
    }

    /// How long the next trial, of so many runs, may take; nobody cares if there is no limit.
    fn next(&mut self, steps: u64) -> Option<Duration> {
        let now = Instant::now();
        let time = self.until.map(|until| until.saturating_duration_since(now));
        let share = time.map(|time| share(time, steps, self, now - self.began));
        self.steps -= steps;
        share
    }
}

/// Its part of the time, by its runs; or all that the others will not need, if they go on as those
/// before did.
fn share(time: Duration, steps: u64, left: &Left, spent: Duration) -> Duration {
    let fair = time.mul_f64(steps as f64 / left.steps.max(1) as f64);
    let done = left.planned - left.steps;
    if done == 0 {
        return fair;
    }
    let others = (left.steps - steps) as f64 / done as f64 * CAUTION;
    fair.max(time.saturating_sub(spent.mul_f64(others)))
}

fn perform(
    trial: &Trial,
    manner: &Manner,
    share: Option<Duration>,
    progress: &Progress,
) -> Result<Comparison, Failure> {
    let began = Instant::now();
    let steps = Cell::new(0);
    let step = || {
        steps.set(steps.get() + 1);
        progress.step();
        manner.interrupt.check()
    };
    let mut chosen = trial.clone();
    if manner.strongest && rivals::are_many(trial) {
        let probe = Comparison::of(&Trial { runs: 1, ..trial.clone() }, |_| true, step)?;
        chosen.who = rivals::strongest(&probe);
    }
    let first = Instant::now();
    let has_time = |rounds: u64| {
        // The next one takes as long as those before did.
        let next = first.elapsed().div_f64(rounds.max(1) as f64);
        rounds < ROUNDS_MIN || share.is_none_or(|share| began.elapsed() + next <= share)
    };
    let comparison = Comparison::of(&chosen, has_time, step)?;
    progress.were(trial.steps(), steps.get());
    Ok(comparison)
}

/// Whether somebody at the terminal, or the system, wants an end. The second time they get it at once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Listens to Ctrl-C and to being terminated.
    pub(crate) fn listen() -> Result<Self, Failure> {
        let asked = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            let (first, second) = (Arc::clone(&asked), Arc::clone(&asked));
            // In this order: a signal is a second one if the flag is up before it is put up.
            signal_hook::flag::register_conditional_shutdown(signal, 1, second)
                .and_then(|_| signal_hook::flag::register(signal, first))
                .map_err(|error| Failure::SetUp(error.to_string()))?;
        }
        Ok(Self(asked))
    }

    fn check(&self) -> Result<(), Failure> {
        // The flag is all there is to know.
        match self.0.load(Ordering::Relaxed) {
            true => Err(Failure::Interrupted),
            false => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::against::Who;
    use crate::message::Payload;
    use crate::scenario::{self, Load};

    fn trial(name: &str, who: &[Who], runs: u64) -> Trial {
        let scenario = scenario::ALL.iter().find(|scenario| scenario.name == name).unwrap();
        let load = Load::of(64);
        Trial { scenario, who: who.to_vec(), payload: Payload::Word, load, runs }
    }

    #[test]
    fn without_time_a_trial_has_the_fewest_rounds_and_with_it_all() {
        let trials = [trial("same-thread", &[Who::Mainspring], 7)];
        let rounds = |limit| {
            let manner = Manner { limit, ..Manner::default() };
            let (comparisons, result) = run(&trials, &manner, |_| Ok(()));
            result.unwrap();
            comparisons[0].rounds()
        };
        assert_eq!(rounds(Some(Duration::ZERO)), 3);
        assert_eq!(rounds(None), 7);
    }

    #[test]
    fn the_time_left_is_shared_by_the_number_of_runs() {
        let left = |steps| Left { until: None, began: Instant::now(), planned: 20, steps };
        let seconds = Duration::from_secs;
        // Nothing is known yet: its part.
        assert_eq!(share(seconds(100), 5, &left(20), seconds(0)), seconds(25));
        // Eight runs took 80 s, so the nine others need 112 s: there is nothing over.
        assert_eq!(share(seconds(100), 3, &left(12), seconds(80)), seconds(25));
        // They took 8 s: all that the others will not need.
        assert_eq!(share(seconds(100), 3, &left(12), seconds(8)), Duration::from_millis(88_750));
        // The last has all of it.
        assert_eq!(share(seconds(100), 12, &left(12), seconds(80)), seconds(100));
    }

    #[test]
    fn the_strongest_stay_and_all_of_theirs_is_there() {
        let rings = [Who::Rtrb, Who::Disruptor];
        let who = [&[Who::Mainspring, Who::Thread, Who::Crossbeam], &rings[..]].concat();
        let trials = [trial("one-to-one", &who, 3)];
        let manner = Manner { strongest: true, ..Manner::default() };
        let (comparisons, result) = run(&trials, &manner, |_| Ok(()));
        result.unwrap();
        let who = &comparisons[0].trial.who;
        assert_eq!(who, &[Who::Mainspring, Who::Crossbeam, Who::Rtrb, Who::Disruptor]);
        assert_eq!(comparisons[0].rows().len(), 4);
    }

    #[test]
    fn an_interrupt_ends_it_and_leaves_what_is_done() {
        let trials = [1, 2].map(|_| trial("same-thread", &[Who::Mainspring], 3));
        let manner = Manner::default();
        let asked = manner.interrupt.clone();
        let ask = |_: &[Comparison]| {
            asked.0.store(true, Ordering::Relaxed);
            Ok(())
        };
        let (comparisons, result) = run(&trials, &manner, ask);
        assert_eq!(comparisons.len(), 1);
        assert!(result.unwrap_err().to_string().contains("interrupted"));
    }
}
