//! Who reads a slot, and waits for it to change.

use std::fmt;
use std::future::poll_fn;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use super::SlotState;
use crate::clock::Seq;
use crate::drive::{Doze, For, Step, Unfinished};
use crate::error::{WaitError, WaitTimeoutError};
use crate::latest::Snapshot;
use crate::park::{Deadline, Parker};
use crate::sync::Arc;

/// Reads the newest state of a [`Slot`](crate::Slot). Clones are of the same slot, and have seen the same.
///
/// Reading is wait-free, whatever publishers do: it takes as many steps as there are states that wait for their
/// numbers. It never goes back: not before what this handle has read, nor before what whoever reads has been told of,
/// by a message or by the clock. The number can be just above the clock. It keeps what it has read last.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let engine = mainspring::Engine::new();
/// let slot = engine.slot();
/// let (mut publisher, mut latest) = (slot.publisher(), slot.latest());
/// drop(slot);
/// let watching = std::thread::spawn(move || {
///     let mut seen = Vec::new();
///     while let Ok(state) = latest.wait_changed() {
///         seen.push(**state);
///     }
///     seen
/// });
/// (1..=1000).try_for_each(|state| publisher.publish(state).map(drop))?;
/// drop(publisher);
/// let seen = watching.join().unwrap();
/// assert!(seen.is_sorted() && seen.last() == Some(&1000)); // not every one, but the last
/// # Ok(()) }
/// ```
pub struct Latest<T: Send + Sync + 'static> {
    slot: Arc<SlotState<T>>,
    current: Option<Snapshot<T>>,
}

impl<T: Send + Sync + 'static> Latest<T> {
    pub(super) fn new(slot: Arc<SlotState<T>>) -> Self {
        Self { slot, current: None }
    }

    pub(crate) fn state(&self) -> &SlotState<T> {
        &self.slot
    }

    /// The newest state that has its number; none before the first. One load, if that is what this handle has read
    /// last. By `&self`: [`get`](Self::get).
    #[inline]
    pub fn read(&mut self) -> Option<&Snapshot<T>> {
        let is_current = |state: &Snapshot<T>| self.slot.states.is_head(state);
        if !self.current.as_ref().is_some_and(is_current) {
            self.refresh();
        }
        self.current.as_ref()
    }

    /// The same, to keep, by a handle that is shared. What it returns does not count as read by this handle.
    pub fn get(&self) -> Option<Snapshot<T>> {
        self.slot.states.newest()
    }

    /// The number of what this handle has read last; zero if nothing.
    pub fn seen(&self) -> Seq {
        self.current.as_ref().map_or(Seq::ZERO, Snapshot::seq)
    }

    /// The newest state, once the clock has come to `seq`: no older than any state up to that number. Waits, and runs
    /// passes as the drive allows.
    ///
    /// # Errors
    ///
    /// If the clock has not come there in time, or the engine was closed before.
    pub fn at_least(
        &mut self,
        seq: Seq,
        timeout: Duration,
    ) -> Result<Option<&Snapshot<T>>, WaitTimeoutError> {
        let shared = &self.slot.shared;
        let parker = Arc::new(Parker::default());
        let come = |step| match step {
            Step::Look => (shared.board().clock.now() >= seq.get()).then_some(()),
            Step::Arm => None,
        };
        if come(Step::Look).is_none() {
            let (what, deadline) = (For::Number(seq.get()), Deadline::after(timeout));
            shared.wait(&parker, deadline, what, come).map_err(too_late)?;
        }
        Ok(self.read())
    }

    /// Waits until there is a state that this handle has not read; then it has. The first one is such, too. Of several
    /// it is the newest.
    ///
    /// # Errors
    ///
    /// If it has read the last: no publisher is left, nor a [`Slot`](crate::Slot) that could make one. Or the engine
    /// was closed.
    pub fn wait_changed(&mut self) -> Result<&Snapshot<T>, WaitError> {
        self.wait(None).map_err(|_| WaitError)
    }

    /// As [`wait_changed`](Self::wait_changed), for `timeout` at the longest.
    ///
    /// # Errors
    ///
    /// As there, or if the time is up.
    pub fn wait_changed_timeout(
        &mut self,
        timeout: Duration,
    ) -> Result<&Snapshot<T>, WaitTimeoutError> {
        self.wait(Deadline::after(timeout))
    }

    /// As [`wait_changed`](Self::wait_changed), for a task. Dropping it ends the wait.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # smol::block_on(async {
    /// let engine = mainspring::Engine::new();
    /// let slot = engine.slot();
    /// let mut latest = slot.latest();
    /// slot.publisher().publish("first")?;
    /// assert_eq!(**latest.changed().await?, "first");
    /// # Ok(()) })}
    /// ```
    ///
    /// # Errors
    ///
    /// As [`wait_changed`](Self::wait_changed).
    pub async fn changed(&mut self) -> Result<&Snapshot<T>, WaitError> {
        match self.look() {
            Some(found) => found?,
            None => {
                let slot = self.slot.clone();
                let mut sleeper = Sleeper::new(&slot);
                poll_fn(|cx| self.poll_changed(&mut sleeper, cx)).await?;
            }
        }
        self.current.as_ref().ok_or(WaitError)
    }

    fn poll_changed(
        &mut self,
        sleeper: &mut Sleeper<'_, T>,
        cx: &Context<'_>,
    ) -> Poll<Result<(), WaitError>> {
        if let Some(found) = self.look() {
            return Poll::Ready(found);
        }
        let Sleeper { slot, parker, doze } = sleeper;
        let found = ready!(slot.shared.poll(doze, parker, cx, For::State, |step| match step {
            Step::Look => self.look(),
            Step::Arm => {
                slot.watch.add(parker);
                None
            }
        }));
        Poll::Ready(found.unwrap_or(Err(WaitError)))
    }

    fn wait(&mut self, deadline: Option<Deadline>) -> Result<&Snapshot<T>, WaitTimeoutError> {
        let mut found = self.look();
        if found.is_none() {
            let slot = self.slot.clone();
            let Sleeper { parker, .. } = &Sleeper::new(&slot);
            let waited = slot.shared.wait(parker, deadline, For::State, |step| match step {
                Step::Look => self.look(),
                Step::Arm => {
                    slot.watch.add(parker);
                    None
                }
            });
            found = Some(waited.map_err(too_late)?);
        }
        match (found, &self.current) {
            (Some(Ok(())), Some(current)) => Ok(current),
            _ => Err(WaitTimeoutError::Closed),
        }
    }

    /// Whether there is something new, or never will be.
    fn look(&mut self) -> Option<Result<(), WaitError>> {
        // In this order: what the last publisher has put in is seen, and waits, or has its number.
        let is_closed = self.slot.is_closed();
        let is_over = is_closed && !self.slot.states.is_pending();
        if self.refresh() {
            Some(Ok(()))
        } else if is_over {
            Some(Err(WaitError))
        } else {
            None
        }
    }

    /// Reads again. True if it is a newer one.
    fn refresh(&mut self) -> bool {
        let newest = self.slot.states.newest();
        let is_newer = newest.as_ref().is_some_and(|newest| newest.seq() > self.seen());
        if is_newer {
            self.current = newest;
        }
        is_newer
    }
}

fn too_late(unfinished: Unfinished) -> WaitTimeoutError {
    match unfinished {
        Unfinished::Timeout => WaitTimeoutError::Timeout,
        Unfinished::Poisoned => WaitTimeoutError::Closed,
    }
}

/// One who waits for a change. It leaves nothing behind.
struct Sleeper<'a, T: Send + Sync + 'static> {
    slot: &'a SlotState<T>,
    parker: Arc<Parker>,
    doze: Doze,
}

impl<'a, T: Send + Sync + 'static> Sleeper<'a, T> {
    fn new(slot: &'a SlotState<T>) -> Self {
        Self { slot, parker: Arc::default(), doze: Doze::default() }
    }
}

impl<T: Send + Sync + 'static> Drop for Sleeper<'_, T> {
    fn drop(&mut self) {
        self.slot.watch.remove(&self.parker);
    }
}

impl<T: Send + Sync + 'static> Clone for Latest<T> {
    fn clone(&self) -> Self {
        Self { slot: self.slot.clone(), current: self.current.clone() }
    }
}

impl<T: Send + Sync + 'static> fmt::Debug for Latest<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Latest").field("seen", &self.seen()).finish_non_exhaustive()
    }
}
