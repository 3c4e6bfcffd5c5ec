//! One lane for several authors: a sender behind a short lock.
//!
//! Who finds room writes, publishes and goes. Who finds none leaves the value in a queue (`line.rs`) and waits for what
//! becomes of it: so values are sent in the order of the calls, and one whose author has given up, or been forgotten,
//! is in nobody's way.

mod line;

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use crate::address::Address;
use crate::clock::Seq;
use crate::drive::{Doze, For, Step, Unfinished};
use crate::error::{SendError, SendTimeoutError, TrySendError};
use crate::marker::Source;
use crate::park::Deadline;
use crate::sender::Sender;
use crate::sync::Arc;
use line::{Entered, Line, Outcome, Slot};

/// Sends to one receiver by `&self`, from several threads or tasks: one lane, behind a short lock. Made by
/// [`Sender::into_shared`].
///
/// What is sent is numbered in the order of the calls (of tasks, the order in which their futures are first
/// polled). Clones are the same lane. For speed, give each thread a [`Sender`] of its own; this is for those who
/// cannot have one: the state that a service's handlers share, a logger, a callback.
///
/// The lock is held while a value is written, never while anyone waits, nor while foreign code runs. While one waits
/// for its number ([`send_stamped`](Self::send_stamped)), those who come after it wait, too.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let engine = mainspring::Engine::new();
/// let (tx, mut rx) = engine.channel();
/// let log = tx.into_shared();
/// std::thread::scope(|scope| {
///     for n in 0..3 {
///         scope.spawn({
///             let log = &log;
///             move || log.send(n)
///         });
///     }
/// });
/// drop(log);
/// assert_eq!(rx.messages().map(|(_, n)| n).sum::<u32>(), 3);
/// # Ok(()) }
/// ```
pub struct SharedSender<T: Send + 'static> {
    line: Arc<Line<T>>,
    /// When the last of them goes the lane ends.
    life: Arc<Life<T>>,
}

struct Life<T: Send + 'static>(Arc<Line<T>>);

impl<T: Send + 'static> Drop for Life<T> {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl<T: Send + 'static> SharedSender<T> {
    pub(crate) fn new(sender: Sender<T>) -> Self {
        let line = Line::new(sender);
        Self { life: Arc::new(Life(line.clone())), line }
    }

    /// Sends a value; waits for room, behind those who came before.
    ///
    /// # Errors
    ///
    /// If the receiver is gone, or this was [fenced](crate::Marker::fence); the value comes back.
    pub fn send(&self, value: T) -> Result<(), SendError<T>> {
        match self.line.enter(value, false) {
            Entered::Sent => Ok(()),
            Entered::Failed(error) => Err(error),
            Entered::Waits(slot) => self.wait(&slot).map(drop),
        }
    }

    /// Sends a value if there is room now, and nobody waits for some. Runs a pass at most, and those asked for
    /// meanwhile.
    ///
    /// # Errors
    ///
    /// If there is no room, the receiver is gone, or this was [fenced](crate::Marker::fence); the value comes back.
    pub fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        match self.line.try_enter(value) {
            Err(TrySendError::Full(value)) => {
                // The receiver may be waiting for what fills the lane.
                self.line.shared().drive();
                self.line.try_enter(value)
            }
            tried => tried,
        }
    }

    /// Sends a value, waiting for room for `timeout` at the longest.
    ///
    /// # Errors
    ///
    /// If there was no room in time, the receiver is gone, or this was [fenced](crate::Marker::fence); the value
    /// comes back.
    pub fn send_timeout(&self, value: T, timeout: Duration) -> Result<(), SendTimeoutError<T>> {
        let slot = match self.line.enter(value, false) {
            Entered::Sent => return Ok(()),
            Entered::Failed(error) => return Err(error.into()),
            Entered::Waits(slot) => slot,
        };
        let deadline = Deadline::after(timeout);
        let found =
            self.line.shared().wait(&slot.parker, deadline, For::EAGER, |step| match step {
                Step::Look => slot.take(),
                Step::Arm => None,
            });
        match found {
            Ok(outcome) => outcome.map(drop).map_err(SendTimeoutError::from),
            Err(Unfinished::Timeout) => match self.line.leave(&slot) {
                Some(value) => Err(SendTimeoutError::Timeout(value)),
                // At the last moment.
                None => self.line.resolve(&slot).map(drop).map_err(SendTimeoutError::from),
            },
            Err(Unfinished::Poisoned) => {
                self.line.resolve(&slot).map(drop).map_err(SendTimeoutError::from)
            }
        }
    }

    /// Sends a value and waits until it has its number, as [`Sender::send_stamped`].
    ///
    /// # Errors
    ///
    /// If the receiver goes before the value has its number; the value comes back.
    pub fn send_stamped(&self, value: T) -> Result<Seq, SendError<T>> {
        match self.line.enter(value, true) {
            Entered::Failed(error) => Err(error),
            Entered::Waits(slot) => self.wait(&slot).map(numbered),
            Entered::Sent => unreachable!("who wants a number waits for it"),
        }
    }

    /// As [`send`](Self::send), for a task. Dropping the future before it is ready drops the value, which is not sent
    /// then; [`SharedSending::into_inner`] gives it back instead.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # smol::block_on(async {
    /// let engine = mainspring::Engine::new();
    /// let (tx, mut rx) = engine.channel();
    /// let shared = tx.into_shared();
    /// shared.send_async("by reference").await?;
    /// let seq = shared.send_stamped_async("numbered").await?;
    /// assert_eq!(seq.get(), 2);
    /// assert_eq!(rx.recv_async().await?, (1.into(), "by reference"));
    /// # Ok(()) })}
    /// ```
    ///
    /// # Errors
    ///
    /// If the receiver is gone, or this was [fenced](crate::Marker::fence); the value comes back.
    pub fn send_async(&self, value: T) -> SharedSending<'_, T> {
        SharedSending::new(&self.line, value, false)
    }

    /// As [`send_stamped`](Self::send_stamped), for a task. Dropping the future before it is ready leaves the value
    /// sent, if its turn had come.
    ///
    /// # Errors
    ///
    /// If the receiver goes before the value has its number; the value comes back.
    pub fn send_stamped_async(
        &self,
        value: T,
    ) -> impl Future<Output = Result<Seq, SendError<T>>> + Send + Unpin + '_ {
        let mut sending = SharedSending::new(&self.line, value, true);
        std::future::poll_fn(move |cx| {
            sending.poll_outcome(cx).map(|outcome| outcome.map(numbered))
        })
    }

    fn wait(&self, slot: &Arc<Slot<T>>) -> Outcome<T> {
        let what = if slot.wants_number { For::Stamp } else { For::EAGER };
        let found = self.line.shared().wait(&slot.parker, None, what, |step| match step {
            Step::Look => slot.take(),
            Step::Arm => None,
        });
        found.unwrap_or_else(|_| self.line.resolve(slot))
    }

    /// Its lane, for whoever waits for its end: see [`Marker::gate`](crate::Marker::gate).
    pub fn source(&self) -> Source {
        self.line.look(Sender::source)
    }

    /// Names the receiver.
    pub fn address(&self) -> Address<T> {
        self.line.address().clone()
    }

    /// Whether the receiver is gone. True is final; false may be outdated on return.
    pub fn is_closed(&self) -> bool {
        self.line.look(Sender::is_closed)
    }

    /// Messages that were not yet received, without those that wait for room; as of some moment during the call.
    pub fn len(&self) -> usize {
        self.line.look(Sender::len)
    }

    /// Whether the receiver has received all that was sent.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many messages the lane holds.
    pub fn capacity(&self) -> usize {
        self.line.look(Sender::capacity)
    }
}

fn numbered(number: Option<Seq>) -> Seq {
    number.expect("who wants a number gets one")
}

impl<T: Send + 'static> Clone for SharedSender<T> {
    /// The same lane.
    fn clone(&self) -> Self {
        Self { line: self.line.clone(), life: self.life.clone() }
    }
}

impl<T: Send + 'static> From<Sender<T>> for SharedSender<T> {
    fn from(sender: Sender<T>) -> Self {
        Self::new(sender)
    }
}

impl<T: Send + 'static> fmt::Debug for SharedSender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedSender")
            .field("to", &self.line.address().name())
            .field("len", &self.len())
            .field("capacity", &self.capacity())
            .field("closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}

/// A value on its way into a shared lane. Made by [`SharedSender::send_async`].
///
/// Dropped before it is ready, it has not sent the value, and drops it. Forgotten, it is sent in its turn.
#[must_use = "futures do nothing unless they are polled"]
pub struct SharedSending<'a, T: Send + 'static> {
    line: &'a Arc<Line<T>>,
    /// Before the first poll.
    value: Option<T>,
    wants_number: bool,
    /// After it.
    slot: Option<Arc<Slot<T>>>,
    doze: Doze,
}

impl<'a, T: Send + 'static> SharedSending<'a, T> {
    fn new(line: &'a Arc<Line<T>>, value: T, wants_number: bool) -> Self {
        Self { line, value: Some(value), wants_number, slot: None, doze: Doze::default() }
    }

    /// Gives up: the value, if it was not sent.
    pub fn into_inner(mut self) -> Option<T> {
        let queued = self.slot.take().and_then(|slot| self.line.take_back(&slot));
        self.value.take().or(queued)
    }

    fn poll_outcome(&mut self, cx: &Context<'_>) -> Poll<Outcome<T>> {
        if self.value.is_some() {
            ready!(self.line.turns.poll(cx));
        }
        if let Some(value) = self.value.take() {
            match self.line.enter(value, self.wants_number) {
                Entered::Sent => return Poll::Ready(Ok(None)),
                Entered::Failed(error) => return Poll::Ready(Err(error)),
                Entered::Waits(slot) => self.slot = Some(slot),
            }
        }
        let slot = self.slot.as_ref().expect("polled after it was ready");
        let end = |step| if step == Step::Look { slot.take() } else { None };
        let what = if self.wants_number { For::Stamp } else { For::EAGER };
        let found = ready!(self.line.shared().poll(&mut self.doze, &slot.parker, cx, what, end));
        let outcome = found.unwrap_or_else(|_| self.line.resolve(slot));
        self.slot = None;
        Poll::Ready(outcome)
    }
}

// It never pins what it holds.
impl<T: Send + 'static> Unpin for SharedSending<'_, T> {}

impl<T: Send + 'static> Future for SharedSending<'_, T> {
    type Output = Result<(), SendError<T>>;

    /// # Panics
    ///
    /// If it was ready before.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.get_mut().poll_outcome(cx).map(|outcome| outcome.map(drop))
    }
}

impl<T: Send + 'static> Drop for SharedSending<'_, T> {
    fn drop(&mut self) {
        if let Some(slot) = &self.slot {
            drop(self.line.leave(slot));
        }
    }
}

impl<T: Send + 'static> fmt::Debug for SharedSending<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedSending")
            .field("queued", &self.slot.is_some())
            .finish_non_exhaustive()
    }
}
