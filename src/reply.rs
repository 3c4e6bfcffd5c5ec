//! One answer to one question: the end that answers travels in the request, the other waits.
//!
//! ```text
//!   Reply ──value──▶ Slot ◀──takes it── Answer         OPEN ──send──▶ ANSWERED ──taken, given up──▶ GONE
//!     │               │                   ▲              │                                            ▲
//!     └──its mark──▶ numbered ────────────┘              ├──the reply dropped──▶ UNANSWERED           │
//!                                                        └──the answer dropped────────────────────────┘
//! ```
//!
//! *The number.* The value is put in place, then its mark is numbered: at once if nobody else passes, by the next pass
//! otherwise. So the answer lies above whatever the answerer knew, below whatever it sends afterwards, and is there for
//! whoever reads the clock at its number. The other end looks at the mark alone, and at the slot when that is settled.
//!
//! *Without a number.* A reply that is dropped settles the mark itself, as one that never gets a number: it was never
//! submitted. Nor do those get one that the engine's end finds; what was said of the slot before tells the two apart.
//!
//! *Who waits* sleeps at the mark ([`mark`](crate::mark) has the argument), and stands in the list of those who want to
//! hear of the engine's end: a mark that nobody has submitted, nobody settles then.
//!
//! *The lock* of the slot is held for a few words, by two at most, and no foreign code runs under it. The core knows
//! the mark, never the slot: values are dropped by the ends.

use std::fmt;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use crate::clock::Seq;
use crate::drive::{For, Shared, Sleeper};
use crate::error::{AnswerError, AnswerTimeoutError, SendError, TryAnswerError, WaitError};
use crate::mark::{Mark, Place};
use crate::marker::Ticket;
use crate::park::Deadline;
use crate::sync::{Arc, Mutex};

/// The end of a question by which it is answered, once. Made by [`Engine::reply`](crate::Engine::reply); it travels in
/// the request.
///
/// An answer is an event of the clock: it has a number, above that of the request, and below that of whatever the one
/// who answers sends afterwards.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use mainspring::{Engine, Reply};
/// let engine = Engine::new();
/// let (mut ask, mut asked) = engine.channel::<(u64, Reply<u64>)>();
/// let service = std::thread::spawn(move || {
///     for (_, (number, reply)) in asked.messages() {
///         reply.send(number * number).ok(); // if it is of no interest any more, it comes back
///     }
/// });
/// let (reply, mut answer) = engine.reply();
/// ask.send((12, reply))?;
/// let (seq, square) = answer.wait()?;
/// assert_eq!((seq.get(), square), (2, 144)); // the request was the first
/// # drop(ask);
/// # service.join().unwrap();
/// # Ok(()) }
/// ```
///
/// Dropped without an answer, it tells the one who waits: [`Dropped`](AnswerError::Dropped). So does whatever drops the
/// request: a receiver that goes, a service that panics.
#[must_use = "whoever waits for the answer is told that there is none"]
pub struct Reply<R> {
    slot: Arc<Slot<R>>,
    /// It has answered.
    sent: bool,
}

/// The end of a question that waits for its answer, as a thread or as a task. Made by
/// [`Engine::reply`](crate::Engine::reply).
///
/// The answer comes with its number. While that is not known, the answer is not there: so whoever has it sends with
/// higher numbers, and whoever reads the clock at t finds every answer up to t here. To wait runs no pass, and needs
/// none but with [`Drive::Manual`](crate::Drive::Manual): whoever sends the request, or answers, sees to it.
///
/// An engine that is [closed](crate::Engine::close) waits until requests are received, and not for their answers; where
/// somebody holds the [progress](crate::Receiver::progress) of who answers, until they are handled.
///
/// Dropped, it tells the one who answers: [`Reply::is_closed`], and `send` gives the value back. An answer that has not
/// been taken is dropped with it.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # smol::block_on(async {
/// use mainspring::AnswerError;
/// let engine = mainspring::Engine::new();
/// let (reply, answer) = engine.reply();
/// reply.send("yes").unwrap();
/// assert_eq!(answer.await?.1, "yes");
///
/// let (reply, answer) = engine.reply::<&str>();
/// drop(reply);
/// assert_eq!(answer.await, Err(AnswerError::Dropped));
///
/// let (reply, answer) = engine.reply();
/// drop(answer);
/// assert_eq!(reply.send("nobody hears it").unwrap_err().into_inner(), "nobody hears it");
/// # Ok(()) })}
/// ```
#[must_use = "dropped, it tells the one who answers that the answer is of no interest"]
pub struct Answer<R> {
    slot: Arc<Slot<R>>,
    sleeper: Option<Sleeper>,
    /// Nothing is left in the slot.
    taken: bool,
}

/// What both ends share.
struct Slot<R> {
    shared: Arc<Shared>,
    mark: Arc<Mark>,
    state: Mutex<State<R>>,
}

enum State<R> {
    /// Nobody has answered.
    Open,
    /// It is in place, and its mark is about to be submitted, or was.
    Answered(R),
    /// The reply was dropped.
    Unanswered,
    /// It was taken, or is of no interest, or went back to where it came from.
    Gone,
}

pub(crate) fn pair<R: Send + 'static>(shared: &Arc<Shared>) -> (Reply<R>, Answer<R>) {
    let mark = Mark::new(None, Place::Next);
    let state = Mutex::new(State::Open);
    let slot = Arc::new(Slot { shared: shared.clone(), mark, state });
    (Reply { slot: slot.clone(), sent: false }, Answer { slot, sleeper: None, taken: false })
}

impl<R> Reply<R> {
    /// Answers. Never waits; whatever is sent afterwards, by whoever knows of this, has a higher number than the
    /// answer.
    ///
    /// # Errors
    ///
    /// If the [`Answer`] was dropped, or the engine is closed; the value comes back. If the engine is closed after
    /// this, and before the answer has its number, the one who waits is told so, and the value is dropped with the
    /// [`Answer`].
    pub fn send(mut self, value: R) -> Result<(), SendError<R>> {
        self.answer(value)
    }

    /// As [`send`](Self::send), with a ticket, by which the one who answers can know the number, too.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let engine = mainspring::Engine::new();
    /// let (reply, mut answer) = engine.reply();
    /// let mut ticket = reply.submit("yes").unwrap();
    /// assert_eq!(answer.wait()?, (ticket.wait()?, "yes"));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub fn submit(mut self, value: R) -> Result<Ticket, SendError<R>> {
        self.answer(value)?;
        Ok(Ticket::new(self.slot.shared.clone(), self.slot.mark.clone()))
    }

    /// Whether an answer would come back: nobody waits for it any more, or the engine is closed. Final.
    pub fn is_closed(&self) -> bool {
        self.slot.shared.is_poisoned() || matches!(*self.slot.state.lock(), State::Gone)
    }

    fn answer(&mut self, value: R) -> Result<(), SendError<R>> {
        self.sent = true;
        let Slot { shared, mark, .. } = &*self.slot;
        if shared.is_poisoned() {
            // Who waits hears of the end without us.
            return Err(SendError::closed(value));
        }
        self.slot.put(value).map_err(SendError::closed)?;
        shared.number(mark);
        // Unless it was dropped meanwhile by whoever waited for it: then it was sent, and not read.
        match self.slot.is_without_number().then(|| self.slot.empty()).flatten() {
            Some(value) => Err(SendError::closed(value)),
            None => Ok(()),
        }
    }
}

impl<R> Drop for Reply<R> {
    fn drop(&mut self) {
        if !self.sent && self.slot.is_left_unanswered() {
            self.slot.mark.settle(None);
            self.slot.mark.wake();
        }
    }
}

impl<R> Answer<R> {
    /// Waits for the answer, and takes it.
    ///
    /// # Errors
    ///
    /// If nobody answers any more, the engine is closed, or the answer was taken before.
    pub fn wait(&mut self) -> Result<(Seq, R), AnswerError> {
        let outcome = self.wait_until(None).unwrap_or(Err(WaitError));
        self.take(outcome)
    }

    /// As [`wait`](Self::wait), for `timeout` at the longest.
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait), or if the time is up: then it can be waited for again.
    pub fn wait_timeout(&mut self, timeout: Duration) -> Result<(Seq, R), AnswerTimeoutError> {
        match self.wait_until(Deadline::after(timeout)) {
            Some(outcome) => Ok(self.take(outcome)?),
            None => Err(AnswerTimeoutError::Timeout),
        }
    }

    /// Takes the answer if it is there. Runs no pass.
    ///
    /// # Errors
    ///
    /// If there is none yet, or as [`wait`](Self::wait).
    pub fn try_take(&mut self) -> Result<(Seq, R), TryAnswerError> {
        let Slot { shared, mark, .. } = &*self.slot;
        // The end is read before the last look: a number that was given is found.
        let ended = || shared.is_poisoned().then(|| mark.outcome().unwrap_or(Err(WaitError)));
        match mark.outcome().or_else(ended) {
            Some(outcome) => Ok(self.take(outcome)?),
            None => Err(TryAnswerError::Empty),
        }
    }

    /// What has become of it, once its mark is settled or the engine has ended.
    fn take(&mut self, outcome: Result<Seq, WaitError>) -> Result<(Seq, R), AnswerError> {
        if self.taken {
            return Err(AnswerError::Taken);
        }
        let taken = self.slot.take(outcome);
        self.taken = taken.is_ok();
        taken
    }

    fn wait_until(&self, deadline: Option<Deadline>) -> Option<Result<Seq, WaitError>> {
        let Slot { shared, mark, .. } = &*self.slot;
        shared.wait_for_mark(mark, For::Answer, deadline)
    }
}

impl<R> Future for Answer<R> {
    type Output = Result<(Seq, R), AnswerError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = self.get_mut();
        let Slot { shared, mark, .. } = &*answer.slot;
        let outcome = ready!(shared.poll_for_mark(mark, For::Answer, &mut answer.sleeper, cx));
        Poll::Ready(answer.take(outcome))
    }
}

impl<R> Drop for Answer<R> {
    fn drop(&mut self) {
        if self.taken {
            return;
        }
        let state = mem::replace(&mut *self.slot.state.lock(), State::Gone);
        // Here, where no lock is held: what nobody has taken.
        drop(state);
    }
}

impl<R> Slot<R> {
    /// The value comes back if nobody waits for it.
    fn put(&self, value: R) -> Result<(), R> {
        let mut state = self.state.lock();
        if let State::Gone = *state {
            return Err(value);
        }
        *state = State::Answered(value);
        Ok(())
    }

    /// Whether the engine has ended before the mark had its number.
    fn is_without_number(&self) -> bool {
        match self.mark.outcome() {
            Some(outcome) => outcome.is_err(),
            // Once more: it may have been given just before the end.
            None => self.shared.is_poisoned() && !matches!(self.mark.outcome(), Some(Ok(_))),
        }
    }

    /// What was put in place, if it is there.
    fn empty(&self) -> Option<R> {
        match mem::replace(&mut *self.state.lock(), State::Gone) {
            State::Answered(value) => Some(value),
            _ => None,
        }
    }

    /// True if somebody is to be told.
    fn is_left_unanswered(&self) -> bool {
        let mut state = self.state.lock();
        let is_open = matches!(*state, State::Open);
        if is_open {
            *state = State::Unanswered;
        }
        is_open
    }

    /// What is there for whoever waits.
    fn take(&self, outcome: Result<Seq, WaitError>) -> Result<(Seq, R), AnswerError> {
        match outcome {
            Ok(seq) => self.empty().map(|value| (seq, value)).ok_or(AnswerError::Taken),
            // What is in place stays: whoever sends it at this moment takes it back.
            Err(WaitError) => match *self.state.lock() {
                State::Unanswered => Err(AnswerError::Dropped),
                _ => Err(AnswerError::Closed),
            },
        }
    }
}

impl<R> fmt::Debug for Reply<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply").field("is_closed", &self.is_closed()).finish_non_exhaustive()
    }
}

impl<R> fmt::Debug for Answer<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer").field("outcome", &self.slot.mark.outcome()).finish_non_exhaustive()
    }
}
