//! The clock, as those outside of the engine read it and wait for it.

use std::fmt;
use std::future::poll_fn;
use std::task::{Poll, ready};
use std::time::{Duration, Instant};

use crate::clock::Seq;
use crate::drive::{Doze, For, Shared, Step, Unfinished};
use crate::error::{WaitError, WaitTimeoutError};
use crate::park::{Deadline, Parker};
use crate::sync::Arc;

/// The clock of an engine: how far everything is dispatched. A handle; clones are the same clock.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use mainspring::Engine;
/// let engine = Engine::new();
/// let (mut tx, mut rx) = engine.channel();
/// let clock = engine.clock();
/// let other = std::thread::spawn(move || clock.wait_for(2.into()));
/// tx.send_batch(["a", "b"])?;
/// assert!(other.join().unwrap()? >= 2.into());
/// # rx.recv()?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Clock {
    pub(super) shared: Arc<Shared>,
}

/// The clock's whole record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reading {
    /// Everything up to this number is dispatched.
    pub seq: Seq,
    /// When that was published; none without [`timestamps`](crate::Builder::timestamps), or before the first event.
    pub published_at: Option<Instant>,
}

impl Clock {
    /// How far everything is dispatched. One load: wait-free, runs no pass. With
    /// [`Drive::Callers`](crate::Drive::Callers) it stands while nobody waits for anything, also when there is
    /// something to dispatch.
    ///
    /// Whatever is sent after reading `t` here has a number above `t`. It can be below the number of a message that has
    /// just been received: messages are handed out before the clock is published.
    #[inline]
    pub fn now(&self) -> Seq {
        Seq::new(self.shared.board().clock.now())
    }

    /// The whole record, never torn.
    pub fn read(&self) -> Reading {
        let (seq, at) = self.shared.board().clock.read();
        let published_at = (at != 0)
            .then(|| {
                self.shared.began().and_then(|began| began.checked_add(Duration::from_nanos(at)))
            })
            .flatten();
        Reading { seq: Seq::new(seq), published_at }
    }

    /// Waits until the clock has come to `seq`; returns how far it has. Runs passes itself, as the drive allows.
    ///
    /// # Errors
    ///
    /// If the engine is closed.
    pub fn wait_for(&self, seq: Seq) -> Result<Seq, WaitError> {
        self.wait(seq, None).map_err(|_| WaitError)
    }

    /// As [`wait_for`](Self::wait_for), for `timeout` at the longest.
    ///
    /// # Errors
    ///
    /// If the time is up, or the engine is closed.
    pub fn wait_for_timeout(&self, seq: Seq, timeout: Duration) -> Result<Seq, WaitTimeoutError> {
        self.wait(seq, Deadline::after(timeout)).map_err(|unfinished| match unfinished {
            Unfinished::Timeout => WaitTimeoutError::Timeout,
            Unfinished::Poisoned => WaitTimeoutError::Closed,
        })
    }

    /// As [`wait_for`](Self::wait_for), for a task. Dropping it ends the wait.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # smol::block_on(async {
    /// let engine = mainspring::Engine::new();
    /// let (mut tx, rx) = engine.channel();
    /// tx.send("hello")?;
    /// assert_eq!(engine.clock().reached(1.into()).await?.get(), 1); // it has its number
    /// # drop(rx);
    /// # Ok(()) })}
    /// ```
    ///
    /// # Errors
    ///
    /// If the engine is closed.
    pub fn reached(
        &self,
        seq: Seq,
    ) -> impl Future<Output = Result<Seq, WaitError>> + Send + Sync + Unpin + use<> {
        let (clock, mut doze) = (self.clone(), Doze::default());
        let mut parker = None;
        poll_fn(move |cx| {
            if let Some(now) = clock.come_to(seq) {
                return Poll::Ready(Ok(now));
            }
            let parker = parker.get_or_insert_with(Arc::<Parker>::default);
            let end = |step| if step == Step::Look { clock.come_to(seq) } else { None };
            let now = ready!(clock.shared.poll(&mut doze, parker, cx, For::Number(seq.get()), end));
            Poll::Ready(now.map_err(|_| WaitError))
        })
    }

    fn wait(&self, seq: Seq, deadline: Option<Deadline>) -> Result<Seq, Unfinished> {
        if let Some(now) = self.come_to(seq) {
            return Ok(now);
        }
        let parker = Arc::new(Parker::default());
        self.shared.wait(&parker, deadline, For::Number(seq.get()), |step| match step {
            Step::Look => self.come_to(seq),
            Step::Arm => None,
        })
    }

    /// Where it stands, if it has come to `seq`.
    fn come_to(&self, seq: Seq) -> Option<Seq> {
        Some(self.now()).filter(|&now| now >= seq)
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Clock").field(&self.now()).finish()
    }
}
