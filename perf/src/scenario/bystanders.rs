//! Threads that stand by while others are measured: asleep in a receive, or stuck in a send.
//!
//! There may be hundreds, so their stacks are small. They have no part in the start and the end of
//! the run; whoever hires them must end what they wait for before it dismisses them.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::failure::Failure;

const STACK: usize = 128 * 1024;
/// In this time whoever has nothing to do has fallen asleep.
const LULL: Duration = Duration::from_millis(20);

pub(super) struct Bystanders {
    /// Each of them holds a clone until it ends, however it ends.
    present: mpsc::Sender<()>,
    /// Hears that none is present any more.
    all_gone: mpsc::Receiver<()>,
    threads: Vec<JoinHandle<()>>,
}

impl Bystanders {
    pub(super) fn new() -> Self {
        let (present, all_gone) = mpsc::channel();
        Self { present, all_gone, threads: Vec::new() }
    }

    pub(super) fn hire(
        &mut self,
        name: &str,
        work: impl FnOnce() + Send + 'static,
    ) -> Result<(), Failure> {
        let present = self.present.clone();
        let body = move || {
            let _until_the_end = present;
            work();
        };
        let thread = thread::Builder::new().name(name.into()).stack_size(STACK).spawn(body);
        self.threads.push(thread.map_err(Failure::Thread)?);
        Ok(())
    }

    /// Gives them the time to come to rest.
    pub(super) fn come_to_rest(&self) {
        thread::sleep(LULL);
    }

    /// Whether each of them still waits for what it waits for.
    pub(super) fn are_present(&self) -> bool {
        self.threads.iter().all(|thread| !thread.is_finished())
    }

    /// Waits for all of them to end; nobody joins a thread that hangs.
    pub(super) fn dismiss(self, patience: Duration) -> Result<(), Failure> {
        let Self { present, all_gone, threads } = self;
        drop(present);
        match all_gone.recv_timeout(patience) {
            Err(RecvTimeoutError::Timeout) => return Err(Failure::Stalled(patience)),
            Ok(()) | Err(RecvTimeoutError::Disconnected) => {}
        }
        threads.into_iter().try_for_each(|thread| thread.join().map_err(|_| Failure::Died))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_present_until_what_they_wait_for_ends() {
        let mut bystanders = Bystanders::new();
        let (end, ended) = mpsc::channel::<()>();
        bystanders.hire("waits", move || assert!(ended.recv().is_err())).unwrap();
        assert!(bystanders.are_present());
        drop(end);
        bystanders.dismiss(Duration::from_secs(10)).unwrap();
    }

    #[test]
    fn one_that_hangs_and_one_that_panics_are_failures() {
        let mut bystanders = Bystanders::new();
        let (_end, ended) = mpsc::channel::<()>();
        bystanders.hire("hangs", move || assert!(ended.recv().is_err())).unwrap();
        let failure = bystanders.dismiss(Duration::from_millis(10)).unwrap_err();
        assert!(matches!(failure, Failure::Stalled(_)));

        let mut bystanders = Bystanders::new();
        bystanders.hire("clumsy", || panic!("as the test wants it")).unwrap();
        let failure = bystanders.dismiss(Duration::from_secs(10)).unwrap_err();
        assert!(matches!(failure, Failure::Died));
    }
}
