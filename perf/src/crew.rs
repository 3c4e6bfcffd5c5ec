//! The threads of one run: they warm up, start together, and report when they have begun and ended.
//!
//! Each thread reads the time itself, right behind the starting line and right after its last
//! message: the run lasts from the first start to the last end. So neither the thread that waits
//! for the results nor the ends of the threads are in the figure. Nobody joins a thread that hangs:
//! the run fails when its time is up.
//!
//! Two new threads may find themselves on one core while the other is idle, and the system needs up
//! to 20 ms of both being busy to set that right: half a run. So all of them stay busy at the line
//! until they have settled.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Barrier, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::failure::Failure;

/// What a thread has to say: when it was past the starting line, when it was done, and what it
/// found.
#[derive(Debug)]
pub(crate) struct Report<R> {
    /// None of one who is not measured.
    span: Option<(Instant, Instant)>,
    pub(crate) result: R,
}

impl<R> Report<R> {
    /// Of one whose end matters: this moment.
    pub(crate) fn of(began: Instant, result: R) -> Self {
        Self { span: Some((began, Instant::now())), result }
    }

    /// Of one whose end does not matter: a run ends with its receivers.
    pub(crate) fn open_ended(began: Instant, result: R) -> Self {
        Self { span: Some((began, began)), result }
    }
}

/// The starting line.
#[derive(Debug)]
pub(crate) struct Line {
    all_there: Barrier,
    settle: Duration,
    /// When to start; known once all are there.
    start: OnceLock<Instant>,
}

impl Line {
    /// Waits for all the others, then does the work.
    pub(crate) fn start<R>(
        &self,
        work: impl FnOnce() -> Result<R, Failure>,
    ) -> Result<Report<R>, Failure> {
        self.wait();
        let began = Instant::now();
        let result = work()?;
        Ok(Report::of(began, result))
    }

    fn wait(&self) {
        self.all_there.wait();
        let start = *self.start.get_or_init(|| Instant::now() + self.settle);
        while Instant::now() < start {
            thread::yield_now();
        }
    }

    /// The same for one whose end does not matter: a run ends with its receivers.
    pub(crate) fn start_open_ended<R>(
        &self,
        work: impl FnOnce() -> Result<R, Failure>,
    ) -> Result<Report<R>, Failure> {
        let Report { span, result } = self.start(work)?;
        Ok(Report { span: span.map(|(began, _)| (began, began)), result })
    }

    /// The same for one who only disturbs the others: neither its start nor its end matters.
    pub(crate) fn start_beside<R>(
        &self,
        work: impl FnOnce() -> Result<R, Failure>,
    ) -> Result<Report<R>, Failure> {
        Ok(Report { span: None, ..self.start(work)? })
    }
}

pub(crate) type Finding<R> = Result<Report<R>, Failure>;

/// The threads of a run. `R` is what each of them finds out.
#[derive(Debug)]
pub(crate) struct Crew<R> {
    line: Arc<Line>,
    report: mpsc::Sender<Finding<R>>,
    reports: mpsc::Receiver<Finding<R>>,
    threads: Vec<JoinHandle<()>>,
}

impl<R: Send + 'static> Crew<R> {
    /// `size`: how many threads will be hired; none starts before. `settle`: how long they are busy
    /// before.
    pub(crate) fn new(size: usize, settle: Duration) -> Self {
        let (report, reports) = mpsc::channel();
        let line = Line { all_there: Barrier::new(size), settle, start: OnceLock::new() };
        Self { line: Arc::new(line), report, reports, threads: Vec::new() }
    }

    /// The thread warms up in `work`, and has to start at the line that it is given.
    pub(crate) fn hire(
        &mut self,
        name: &str,
        work: impl FnOnce(&Line) -> Finding<R> + Send + 'static,
    ) -> Result<(), Failure> {
        let (line, report) = (self.line.clone(), self.report.clone());
        let body = move || {
            let finding = catch_unwind(AssertUnwindSafe(|| work(&line)));
            // If nobody listens any more, the run has failed for another reason.
            drop(report.send(finding.unwrap_or(Err(Failure::Died))));
        };
        let thread = thread::Builder::new().name(name.into()).spawn(body);
        self.threads.push(thread.map_err(Failure::Thread)?);
        Ok(())
    }

    /// How long it took from the first start to the last end, and what was found.
    pub(crate) fn finish(self, patience: Duration) -> Result<(Duration, Vec<R>), Failure> {
        let deadline = Instant::now() + patience;
        let mut found = Vec::with_capacity(self.threads.len());
        for _ in &self.threads {
            let left = deadline.saturating_duration_since(Instant::now());
            found.push(match self.reports.recv_timeout(left) {
                Ok(finding) => finding?,
                Err(RecvTimeoutError::Timeout) => return Err(Failure::Stalled(patience)),
                Err(RecvTimeoutError::Disconnected) => return Err(Failure::Died),
            });
        }
        for thread in self.threads {
            thread.join().map_err(|_| Failure::Died)?;
        }
        Ok(sum_up(found))
    }
}

/// How long it took from the first start to the last end, and what was found.
pub(crate) fn sum_up<R>(found: Vec<Report<R>>) -> (Duration, Vec<R>) {
    let spans = || found.iter().filter_map(|report| report.span);
    let began = spans().map(|(began, _)| began).min();
    let ended = spans().map(|(_, ended)| ended).max();
    let took = began.zip(ended).map_or(Duration::ZERO, |(began, ended)| ended - began);
    (took, found.into_iter().map(|report| report.result).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_lasts_from_the_first_start_to_the_last_end_that_matters() {
        let mut crew = Crew::new(3, Duration::ZERO);
        let nap = |millis| {
            thread::sleep(Duration::from_millis(millis));
            Ok(())
        };
        crew.hire("beside", move |line| line.start_beside(|| nap(200))).unwrap();
        crew.hire("receiver", move |line| line.start(|| nap(10))).unwrap();
        crew.hire("sender", move |line| line.start_open_ended(|| nap(200))).unwrap();
        let (took, _) = crew.finish(Duration::from_secs(10)).unwrap();
        assert!(Duration::from_millis(10) <= took && took < Duration::from_millis(200));
    }

    #[test]
    fn a_thread_that_hangs_is_not_waited_for() {
        let mut crew = Crew::<()>::new(2, Duration::ZERO);
        crew.hire("lonely", |line| line.start(|| Ok(()))).unwrap();
        let failure = crew.finish(Duration::from_millis(10)).unwrap_err();
        assert!(matches!(failure, Failure::Stalled(_)));
    }

    #[test]
    fn a_panic_is_a_failure_of_the_run() {
        let mut crew = Crew::<()>::new(2, Duration::ZERO);
        crew.hire("clumsy", |_| panic!("as the test wants it")).unwrap();
        crew.hire("waiting", |line| line.start(|| Ok(()))).unwrap();
        let failure = crew.finish(Duration::from_secs(10)).unwrap_err();
        assert!(matches!(failure, Failure::Died));
    }
}
