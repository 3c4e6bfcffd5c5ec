//! The tasks of one run on tokio: as those of a [`crew`](crate::crew), they warm up, start together, and report when
//! they have begun and ended.
//!
//! The runtime has a thread of its own, in which all tasks run or which waits for its workers. So nobody waits for a
//! task that hangs: the run fails when its time is up. No timer and no network are enabled, and idle workers sleep as
//! cheaply as tokio lets them.
//!
//! Until the start all tasks yield to each other, so that two workers have found two cores.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};
use tokio::sync::Barrier;
use tokio::task::{JoinHandle, yield_now};

use crate::crew::{Finding, sum_up};
use crate::failure::Failure;

/// Where the tasks run.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place {
    TwoWorkers,
    OneThread,
}

/// The starting line.
#[derive(Debug)]
pub(crate) struct Start {
    all_there: Barrier,
    settle: Duration,
    /// When to start; known once all are there.
    at: OnceLock<Instant>,
}

impl Start {
    /// Waits for all the others; tells when it is past the line.
    pub(crate) async fn wait(&self) -> Instant {
        self.all_there.wait().await;
        let at = *self.at.get_or_init(|| Instant::now() + self.settle);
        while Instant::now() < at {
            yield_now().await;
        }
        Instant::now()
    }
}

/// The tasks of a run. `R` is what each of them finds out.
#[derive(Debug)]
pub(crate) struct TaskCrew<R> {
    runtime: Runtime,
    start: Arc<Start>,
    tasks: Vec<JoinHandle<Finding<R>>>,
}

impl<R: Send + 'static> TaskCrew<R> {
    /// `size`: how many tasks will be hired; none starts before. `settle`: how long they are busy before.
    pub(crate) fn new(size: usize, settle: Duration, place: Place) -> Result<Self, Failure> {
        let runtime = match place {
            Place::TwoWorkers => Builder::new_multi_thread().worker_threads(2).build(),
            Place::OneThread => Builder::new_current_thread().build(),
        };
        let start = Start { all_there: Barrier::new(size), settle, at: OnceLock::new() };
        let runtime = runtime.map_err(Failure::Thread)?;
        Ok(Self { runtime, start: Arc::new(start), tasks: Vec::new() })
    }

    /// The task warms up in `work`, and has to wait for the start that it is given.
    pub(crate) fn hire<F>(&mut self, work: impl FnOnce(Arc<Start>) -> F)
    where
        F: Future<Output = Finding<R>> + Send + 'static,
    {
        self.tasks.push(self.runtime.spawn(work(self.start.clone())));
    }

    /// How long it took from the first start to the last end, and what was found.
    pub(crate) fn finish(self, patience: Duration) -> Result<(Duration, Vec<R>), Failure> {
        let Self { runtime, tasks, .. } = self;
        let (report, reports) = mpsc::channel();
        let body = move || {
            runtime.block_on(async {
                for task in tasks {
                    // If nobody listens any more, the run has failed for another reason.
                    drop(report.send(task.await.unwrap_or(Err(Failure::Died))));
                }
            });
        };
        let thread = thread::Builder::new().name("runtime".into()).spawn(body);
        let thread = thread.map_err(Failure::Thread)?;
        let deadline = Instant::now() + patience;
        let mut found = Vec::new();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match reports.recv_timeout(left) {
                Ok(finding) => found.push(finding?),
                Err(RecvTimeoutError::Timeout) => return Err(Failure::Stalled(patience)),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        thread.join().map_err(|_| Failure::Died)?;
        Ok(sum_up(found))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crew::Report;

    const PLACES: [Place; 2] = [Place::TwoWorkers, Place::OneThread];

    #[test]
    fn a_run_has_what_each_task_has_found() {
        for place in PLACES {
            let mut crew = TaskCrew::new(3, Duration::ZERO, place).unwrap();
            for nth in 0..3 {
                crew.hire(async move |start| Ok(Report::of(start.wait().await, nth)));
            }
            let (took, found) = crew.finish(Duration::from_secs(10)).unwrap();
            assert!(took > Duration::ZERO);
            assert_eq!(found, [0, 1, 2]);
        }
    }

    #[test]
    fn a_task_that_hangs_is_not_waited_for() {
        for place in PLACES {
            let mut crew = TaskCrew::new(2, Duration::ZERO, place).unwrap();
            crew.hire(async |start| Ok(Report::of(start.wait().await, ())));
            let failure = crew.finish(Duration::from_millis(10)).unwrap_err();
            assert!(matches!(failure, Failure::Stalled(_)));
        }
    }

    #[test]
    fn a_panic_is_a_failure_of_the_run() {
        for place in PLACES {
            let mut crew = TaskCrew::<()>::new(2, Duration::ZERO, place).unwrap();
            crew.hire(async |_| panic!("as the test wants it"));
            crew.hire(async |start| Ok(Report::of(start.wait().await, ())));
            let failure = crew.finish(Duration::from_secs(10)).unwrap_err();
            assert!(matches!(failure, Failure::Died));
        }
    }
}
