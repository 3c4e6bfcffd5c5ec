//! The way out: a receiver reads its messages in place, in the lanes, as its inbox names them.
//!
//! [`Reader::take`] is the end of a message's way: the rest of the run at hand, or the next run, then the value out of
//! its slot, then the slot back to the sender. Only when nothing is there does the receiver read the clock, and
//! looks once more after that: so "nothing up to t" is true when it says so.
//!
//! A receiver that goes to sleep asks for attention on the lanes from which it has had runs since it last slept.
//! On every other lane somebody else has it asked for, or has yet to give the receiver a run.

mod reader;

use std::fmt;
use std::time::Duration;

use crate::address::{Address, Port};
use crate::board::Change;
use crate::clock::Seq;
use crate::drive::{Shared, Step, Unfinished};
use crate::error::{RecvError, RecvTimeoutError, TryRecvError};
use crate::park::Deadline;
use crate::ring::{drain, go_on_with};
use crate::sync::Arc;
use reader::Reader;

/// Receives messages in the order of their numbers, and can read the clock on them.
///
/// It closes when the last of its sources (senders, and outboxes that added it) has gone, never before its first;
/// it then yields what was sent, and after that `Closed` for ever. Dropping it drops what it has not received, and
/// tells its sources; nobody who sends elsewhere is disturbed.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use mainspring::{Engine, Event};
/// let engine = Engine::new();
/// let (mut tx, mut rx) = engine.channel();
/// let (mut elsewhere, _other) = engine.channel();
/// tx.send("for us")?;
/// assert_eq!(rx.recv_event()?, Event::Message(1.into(), "for us"));
/// let seq = elsewhere.send_stamped("not for us")?;
/// // Nothing comes, and that is known.
/// assert_eq!(rx.recv_event()?, Event::Clock(seq));
/// assert_eq!(rx.caught_up_to(), seq);
/// # Ok(()) }
/// ```
pub struct Receiver<T: Send + 'static> {
    shared: Arc<Shared>,
    port: Arc<Port<T>>,
    reader: Reader<T>,
    /// The last number that the receiver was told, of a message or of the clock.
    told: Seq,
    /// It has been told its last clock.
    ended: bool,
}

/// What a receiver is told.
///
/// Either one says that everything with a lower number that was meant for the receiver has been received: so a
/// window that ends at t may be closed when anything above t is told, or `Clock(t)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event<T> {
    /// A message and its number.
    Message(Seq, T),
    /// Everything up to this number that was meant for the receiver, it has received. Always higher than whatever
    /// it was told before; clocks between two looks are conflated.
    Clock(Seq),
}

/// What a look has found.
enum Found<R> {
    Something(R),
    Closed,
}

impl<T: Send + 'static> Receiver<T> {
    pub(crate) fn new(shared: Arc<Shared>, port: Arc<Port<T>>) -> Self {
        let reader = Reader::new(shared.clone(), port.clone());
        Self { shared, port, reader, told: Seq::ZERO, ended: false }
    }

    /// The next message, waiting for one.
    ///
    /// # Errors
    ///
    /// When it has closed.
    #[inline]
    pub fn recv(&mut self) -> Result<(Seq, T), RecvError> {
        match self.take() {
            Some(message) => Ok(message),
            None => self.wait_for_message(None).map_err(|_| RecvError),
        }
    }

    /// The next message, if one is there now. Runs a pass at most, and those asked for meanwhile.
    ///
    /// # Errors
    ///
    /// When there is none, or it has closed.
    pub fn try_recv(&mut self) -> Result<(Seq, T), TryRecvError> {
        self.without_waiting(Self::look_for_message)
    }

    /// The next message, waiting for `timeout` at the longest.
    ///
    /// # Errors
    ///
    /// When there was none in time, or it has closed.
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<(Seq, T), RecvTimeoutError> {
        match self.take() {
            Some(message) => Ok(message),
            None => self.wait_for_message(Deadline::after(timeout)),
        }
    }

    /// Waits for a message, and hands it and those that are there, `max` at most, to `f`. Returns how many.
    ///
    /// Slots go back to their senders when a quarter of a lane has been read, and at the end.
    ///
    /// # Errors
    ///
    /// When it has closed.
    ///
    /// # Panics
    ///
    /// If `f` does: the message that it was given has been received, the next have not.
    pub fn recv_batch(&mut self, max: usize, f: impl FnMut(Seq, T)) -> Result<usize, RecvError> {
        if max == 0 {
            return Ok(0);
        }
        if !self.reader.find_run() {
            self.wait_for_run()?;
        }
        Ok(self.take_batch(max, f))
    }

    /// As [`recv_batch`](Self::recv_batch), if a message is there now. Runs a pass at most, and those asked for
    /// meanwhile.
    ///
    /// # Errors
    ///
    /// When there is none, or it has closed.
    ///
    /// # Panics
    ///
    /// If `f` does: the message that it was given has been received, the next have not.
    pub fn try_recv_batch(
        &mut self,
        max: usize,
        f: impl FnMut(Seq, T),
    ) -> Result<usize, TryRecvError> {
        if max == 0 {
            return Ok(0);
        }
        self.without_waiting(Self::look_for_run)?;
        Ok(self.take_batch(max, f))
    }

    /// The messages until it closes, waiting for each.
    pub fn messages(&mut self) -> Messages<'_, T> {
        Messages { receiver: self }
    }

    /// The next message or, when there is none, the clock, if it has moved beyond what the receiver was told;
    /// waits for one of them.
    ///
    /// # Errors
    ///
    /// When it has closed, after at most one last clock.
    pub fn recv_event(&mut self) -> Result<Event<T>, RecvError> {
        self.wait_for_event(None).map_err(|_| RecvError)
    }

    /// As [`recv_event`](Self::recv_event), without waiting. Runs a pass at most, and those asked for meanwhile.
    ///
    /// # Errors
    ///
    /// When there is nothing new, or it has closed.
    pub fn try_recv_event(&mut self) -> Result<Event<T>, TryRecvError> {
        self.without_waiting(Self::look_for_event)
    }

    /// As [`recv_event`](Self::recv_event), waiting for `timeout` at the longest.
    ///
    /// # Errors
    ///
    /// When there was nothing new in time, or it has closed.
    pub fn recv_event_timeout(&mut self, timeout: Duration) -> Result<Event<T>, RecvTimeoutError> {
        self.wait_for_event(Deadline::after(timeout))
    }

    /// Everything up to this number that was meant for this receiver after it joined, it has received. Never falls.
    /// Runs no pass.
    pub fn caught_up_to(&mut self) -> Seq {
        // The clock first: what it covers was handed out before, so the look finds it.
        let now = self.shared.board().clock.now();
        let reached = self.reader.next_number().map_or(now, |number| number - 1);
        // A message may be here before the clock has come to it.
        self.told.max(Seq::new(reached))
    }

    /// Where the clock stood when the engine took this receiver in: whatever was sent to it and has a higher
    /// number, it receives. None until then.
    pub fn joined_at(&self) -> Option<Seq> {
        self.reader.inbox().joined_at().map(Seq::new)
    }

    /// Names this receiver.
    pub fn address(&self) -> Address<T> {
        Address { shared: self.shared.clone(), port: self.port.clone() }
    }

    /// Whether no source is left, so that nothing will come but what was sent. Final.
    pub fn is_closed(&self) -> bool {
        self.reader.inbox().is_closed() || self.shared.is_poisoned()
    }

    /// Messages sent to this receiver and not yet received, as of some moment during the call. Takes a lock, and
    /// looks at each lane.
    pub fn len(&self) -> usize {
        self.port.depth() as usize
    }

    /// Whether everything that was sent has been received.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many messages each lane to this receiver holds.
    pub fn capacity(&self) -> usize {
        self.port.capacity.next_power_of_two()
    }

    // ── what is there ──────────────────────────────────────────────────────────────────────────────────────

    #[inline]
    fn take(&mut self) -> Option<(Seq, T)> {
        let message = self.reader.take()?;
        self.told = message.0;
        Some(message)
    }

    fn take_batch(&mut self, max: usize, mut f: impl FnMut(Seq, T)) -> usize {
        let told = &mut self.told;
        self.reader.take_batch(max, |seq, value| {
            *told = seq;
            f(seq, value);
        })
    }

    // ── looks: what is there, with the clock and the end ───────────────────────────────────────────────────

    /// The message that is there, or the news that none will come.
    fn look_for_message(&mut self) -> Option<Found<(Seq, T)>> {
        self.look(Self::take)
    }

    fn look_for_run(&mut self) -> Option<Found<()>> {
        self.look(|receiver| receiver.reader.find_run().then_some(()))
    }

    fn look<R>(&mut self, take: impl Fn(&mut Self) -> Option<R>) -> Option<Found<R>> {
        if let Some(found) = take(self) {
            return Some(Found::Something(found));
        }
        if !self.is_closed() {
            return None;
        }
        // Closed was read after the look that found nothing: only now is nothing final.
        Some(take(self).map_or(Found::Closed, Found::Something))
    }

    fn look_for_event(&mut self) -> Option<Found<Event<T>>> {
        if let Some((seq, value)) = self.take() {
            return Some(Found::Something(Event::Message(seq, value)));
        }
        // The clock and the end first, then the look that counts: what they cover was handed out before.
        let closed = self.is_closed();
        let now = Seq::new(self.shared.board().clock.now());
        if let Some((seq, value)) = self.take() {
            return Some(Found::Something(Event::Message(seq, value)));
        }
        let news = now > self.told.max(self.joined_at().unwrap_or(now)) && !self.ended;
        self.ended = closed;
        if news {
            self.told = now;
            return Some(Found::Something(Event::Clock(now)));
        }
        closed.then_some(Found::Closed)
    }

    // ── waits ──────────────────────────────────────────────────────────────────────────────────────────────

    fn without_waiting<R>(
        &mut self,
        look: impl Fn(&mut Self) -> Option<Found<R>>,
    ) -> Result<R, TryRecvError> {
        let mut found = look(self);
        if found.is_none() {
            self.shared.drive();
            found = look(self);
        }
        match found {
            Some(Found::Something(found)) => Ok(found),
            Some(Found::Closed) => Err(TryRecvError::Closed),
            None => Err(TryRecvError::Empty),
        }
    }

    #[cold]
    fn wait_for_message(
        &mut self,
        deadline: Option<Deadline>,
    ) -> Result<(Seq, T), RecvTimeoutError> {
        self.wait(deadline, Self::look_for_message)
    }

    #[cold]
    fn wait_for_run(&mut self) -> Result<(), RecvError> {
        self.wait(None, Self::look_for_run).map_err(|_| RecvError)
    }

    fn wait<R>(
        &mut self,
        deadline: Option<Deadline>,
        look: impl Fn(&mut Self) -> Option<Found<R>>,
    ) -> Result<R, RecvTimeoutError> {
        let (shared, inbox) = (self.shared.clone(), self.reader.inbox().clone());
        let found = shared.wait(inbox.parker(), deadline, |step| self.step(step, &look));
        finish(found)
    }

    fn wait_for_event(&mut self, deadline: Option<Deadline>) -> Result<Event<T>, RecvTimeoutError> {
        let (shared, inbox) = (self.shared.clone(), self.reader.inbox().clone());
        let found = shared
            .wait_for_clock(inbox.parker(), deadline, |step| self.step(step, Self::look_for_event));
        finish(found)
    }

    /// A step of a wait.
    fn step<R>(
        &mut self,
        step: Step,
        look: impl Fn(&mut Self) -> Option<Found<R>>,
    ) -> Option<Found<R>> {
        match step {
            Step::Look => look(self),
            Step::Arm => {
                self.reader.ask_for_attention();
                None
            }
        }
    }
}

fn finish<R>(found: Result<Found<R>, Unfinished>) -> Result<R, RecvTimeoutError> {
    match found {
        Ok(Found::Something(found)) => Ok(found),
        Ok(Found::Closed) | Err(Unfinished::Poisoned) => Err(RecvTimeoutError::Closed),
        Err(Unfinished::Timeout) => Err(RecvTimeoutError::Timeout),
    }
}

impl<T: Send + 'static> Drop for Receiver<T> {
    /// The heavy side: tells its lanes, and drops what they hold.
    fn drop(&mut self) {
        let lanes = self.port.leave();
        for lane in &lanes {
            lane.state().leave();
        }
        // Pairs with the light barrier of every sender: it sees GONE, or the drain sees its message.
        heavy!("receiver.leave.heavy");
        for lane in &lanes {
            // Its sender may wait for room that will not come; before any destructor runs, which might wait for it.
            lane.state().parker().wake();
        }
        let inbox = self.reader.inbox().clone();
        self.shared.announce(Change::Leave { inbox });
        let mut panic = None;
        for lane in &lanes {
            drain(lane, &mut panic);
        }
        go_on_with(panic);
    }
}

impl<T: Send + 'static> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("name", &self.port.name)
            .field("told", &self.told)
            .field("closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}

/// The messages of a receiver until it closes. Made by [`Receiver::messages`].
#[derive(Debug)]
pub struct Messages<'a, T: Send + 'static> {
    receiver: &'a mut Receiver<T>,
}

impl<T: Send + 'static> Iterator for Messages<'_, T> {
    type Item = (Seq, T);

    fn next(&mut self) -> Option<Self::Item> {
        self.receiver.recv().ok()
    }
}
