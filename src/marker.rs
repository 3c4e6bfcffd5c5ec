//! Marks, as those outside of the engine submit them and wait for them. What a mark is: [`mark`](crate::mark).

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::address::Address;
use crate::clock::Seq;
use crate::drive::{For, Shared, Sleeper};
use crate::error::{AddressError, NotifyError, WaitError, WaitTimeoutError};
use crate::mark::{Errand, Mark, Origin, Place, Withdrawal};
use crate::notice::Notice;
use crate::order::OrderRing;
use crate::park::Deadline;
use crate::sync::Arc;

/// Puts events on the clock that are no messages: a state has been published, a job is done, somebody is gone. A
/// handle; clones are of the same engine.
///
/// A **mark** gets the next number, as a message does, and goes to nobody. Whatever is sent after it was submitted, by
/// whoever knows of that, has a higher number; and whoever reads the clock at t can read the number of every mark up to
/// t ([`Ticket::seq`]), and sees what was done before the mark was submitted.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let engine = mainspring::Engine::new();
/// let (mut tx, mut rx) = engine.channel();
/// let marker = engine.marker();
/// static OPEN: std::sync::OnceLock<&str> = std::sync::OnceLock::new();
///
/// OPEN.set("since nine").unwrap(); // what the mark makes true
/// let opened = marker.submit(); // never waits
/// tx.send("after it")?;
/// let (seq, _) = rx.recv()?;
/// assert!(opened.seq().unwrap() < seq);
///
/// let done = marker.mark()?; // returns with the number
/// assert!(done > seq);
/// # Ok(()) }
/// ```
///
/// What hangs on the number is a [continuation](Self::submit_then), or a [gate](Self::gate) waits for the end of
/// others first, or a [fence](Self::fence) ends them.
#[derive(Clone)]
pub struct Marker {
    shared: Arc<Shared>,
}

/// Whose end a [gate](Marker::gate) waits for, or a [fence](Marker::fence) brings about: a sender, a broadcaster or an
/// outbox, also a [shared](crate::SharedSender) one. A handle: it keeps nothing open. Receivers, replies and publishers
/// have none: a thread that has nothing else can be given a sender, which goes with it.
///
/// An author has ended when it was dropped, or fenced, and everything that it sent has its number. A receiver that does
/// not receive does not delay that.
#[derive(Clone)]
pub struct Source {
    shared: Arc<Shared>,
    origin: Origin,
}

/// A mark that is yet to be submitted. Made by [`Marker::prepare`].
///
/// To [`fire`](Self::fire) it allocates nothing and cannot fail, so that it can be done where nothing may go wrong: in
/// a destructor, when memory is short. Dropped instead, it has never been.
#[must_use = "it is nothing until it is fired"]
pub struct Prepared {
    shared: Arc<Shared>,
    mark: Arc<Mark>,
    is_fired: bool,
}

/// A mark that was submitted: to look for its number, or to wait for it as a thread or as a task. It may be dropped at
/// any time, and takes nothing back.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # smol::block_on(async {
/// let engine = mainspring::Engine::new();
/// let mut ticket = engine.marker().submit();
/// let seq = ticket.wait()?; // or
/// assert_eq!(ticket.await?, seq);
/// # Ok(()) })}
/// ```
#[must_use = "it tells the number; what was submitted stands without it: `drop` it if that is of no interest"]
pub struct Ticket {
    shared: Arc<Shared>,
    mark: Arc<Mark>,
    sleeper: Option<Sleeper>,
}

impl Marker {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Submits a mark. Never waits, and needs no receiver: also in a destructor, on any thread, in any drive.
    pub fn submit(&self) -> Ticket {
        self.prepare().fire()
    }

    /// The same, and `then` is called once it has its number, or never gets one because the engine was closed.
    ///
    /// `then` runs on whatever thread has passed (the dispatcher thread, if there is one), when the engine has been let
    /// go of: it may send, join, mark, drop anything of it, and wait for a number. It must not wait for what somebody
    /// else has yet to do, not even for room in a lane: the thread that runs it may be theirs. Those of one engine run
    /// one after the other, in the order of their numbers, with a pass after 64 of them. One that panics is told to the
    /// panic hook, and to whoever subscribes to events (feature `tracing`), and harms nobody.
    pub fn submit_then(
        &self,
        then: impl FnOnce(Result<Seq, WaitError>) + Send + 'static,
    ) -> Ticket {
        self.make(Some(Box::new(then)), Place::Next).fire()
    }

    /// Submits a mark and waits for its number. If nobody else is passing it is given at once, in some nanoseconds.
    ///
    /// # Errors
    ///
    /// If the engine is closed.
    #[inline]
    pub fn mark(&self) -> Result<Seq, WaitError> {
        match self.shared.mark_at_once() {
            Some(seq) => Ok(seq),
            None => self.submit().wait(),
        }
    }

    /// A mark to be submitted later.
    pub fn prepare(&self) -> Prepared {
        self.make(None, Place::Next)
    }

    /// The same, with what is to be done once it has its number: see [`submit_then`](Self::submit_then).
    pub fn prepare_then(
        &self,
        then: impl FnOnce(Result<Seq, WaitError>) + Send + 'static,
    ) -> Prepared {
        self.make(Some(Box::new(then)), Place::Next)
    }

    /// Submits a mark that gets its number once all of these have ended: in the very pass that numbers the last of what
    /// they have sent, and after that. With none of them, in the next pass.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let engine = mainspring::Engine::new();
    /// let (mut tx, mut rx) = engine.channel();
    /// let mut ended = engine.marker().gate(&[tx.source()])?;
    /// tx.send("the last word")?;
    /// assert_eq!(ended.seq(), None);
    /// drop(tx);
    /// assert_eq!(ended.wait()?.get(), 2);
    /// assert_eq!(rx.recv()?, (1.into(), "the last word"));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Foreign`](AddressError::Foreign) if one of them is another engine's.
    pub fn gate(&self, sources: &[Source]) -> Result<Ticket, AddressError> {
        Ok(self.prepare_gate(sources)?.fire())
    }

    /// As [`gate`](Self::gate), and `then` is called once it has its number: see [`submit_then`](Self::submit_then).
    ///
    /// # Errors
    ///
    /// As [`gate`](Self::gate).
    pub fn gate_then(
        &self,
        sources: &[Source],
        then: impl FnOnce(Result<Seq, WaitError>) + Send + 'static,
    ) -> Result<Ticket, AddressError> {
        let origins = self.origins_of(sources)?;
        Ok(self.make(Some(Box::new(then)), Place::Gate(origins)).fire())
    }

    /// A gate to be submitted later.
    ///
    /// # Errors
    ///
    /// As [`gate`](Self::gate).
    pub fn prepare_gate(&self, sources: &[Source]) -> Result<Prepared, AddressError> {
        Ok(self.make(None, Place::Gate(self.origins_of(sources)?)))
    }

    /// Ends all of these from outside, at what they have published, and submits a [gate](Self::gate) that waits for
    /// that: the **fence**. What they have published before gets its number, lower ones than the fence, at once,
    /// also where an inbox is full. What they send later comes back to them with
    /// [`Reason::Fenced`](crate::Reason::Fenced), as does what they wait to send; from the fence's number on that
    /// is sure, and may be so before. Never waits.
    ///
    /// It ends these and no others: clones of a sender, also later ones, and what its owner makes of its address
    /// are other authors. Nor does it end a thread: what lies in the inboxes of its receivers stays there, its
    /// [replies](crate::Reply) are taken, its marks are numbered. Whoever must not hear of it any more drops the
    /// [`Answer`](crate::Answer)s; whoever publishes in its stead [takes over](crate::Slot::publisher).
    ///
    /// Its number is not that of the decision: other gates over the same authors may open below it. For that,
    /// [mark](Self::mark) first.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use mainspring::Reason;
    /// let engine = mainspring::Engine::new();
    /// let (mut tx, mut rx) = engine.channel();
    /// tx.send("in time")?;
    /// let fence = engine.marker().fence(&[tx.source()])?.wait()?;
    /// let late = tx.send("too late").unwrap_err();
    /// assert_eq!((late.reason, late.into_inner()), (Reason::Fenced, "too late"));
    ///
    /// let (seq, _) = rx.recv()?;
    /// assert!(seq < fence);
    /// assert!(rx.recv().is_err()); // its only sender has ended
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Foreign`](AddressError::Foreign) if one of them is another engine's.
    pub fn fence(&self, sources: &[Source]) -> Result<Ticket, AddressError> {
        Ok(self.prepare_fence(sources)?.fire())
    }

    /// As [`fence`](Self::fence), and `then` is called once it has its number: see [`submit_then`](Self::submit_then).
    ///
    /// # Errors
    ///
    /// As [`fence`](Self::fence).
    pub fn fence_then(
        &self,
        sources: &[Source],
        then: impl FnOnce(Result<Seq, WaitError>) + Send + 'static,
    ) -> Result<Ticket, AddressError> {
        let origins = self.origins_of(sources)?;
        Ok(self.make(Some(Box::new(then)), Place::Fence(origins)).fire())
    }

    /// A fence to be submitted later.
    ///
    /// # Errors
    ///
    /// As [`fence`](Self::fence).
    pub fn prepare_fence(&self, sources: &[Source]) -> Result<Prepared, AddressError> {
        Ok(self.make(None, Place::Fence(self.origins_of(sources)?)))
    }

    /// Gives a receiver a [`Notice`]: an event that is no message, which it is told in order with its messages, by
    /// [`recv_event`](crate::Receiver::recv_event) as [`Event::Notice`](crate::Event::Notice). Never waits, and is
    /// never lost, also where an inbox is full: there it comes after what was handed out before, and before everything
    /// else. It needs no lane, so it does not keep its receiver open; and it has a number of its own, which the ticket
    /// tells, or that there is none, because the receiver had gone or closed.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use mainspring::{Event, Notice, RecvError};
    /// let engine = mainspring::Engine::new();
    /// let (mut tx, mut rx) = engine.channel();
    /// tx.send_stamped("before")?;
    /// let told = engine.marker().notify(&rx.address(), Notice::new(7_u32))?.wait()?;
    /// assert_eq!(rx.recv()?.1, "before");
    /// assert_eq!(rx.recv(), Err(RecvError::Notice)); // nothing is passed over
    /// let Event::Notice(seq, notice) = rx.recv_event()? else { panic!("no notice") };
    /// assert_eq!((seq, notice.get()), (told, Some(&7_u32)));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// If the receiver has gone or closed, or is another engine's; the notice comes back.
    pub fn notify<T: Send + 'static>(
        &self,
        to: &Address<T>,
        notice: Notice,
    ) -> Result<Ticket, NotifyError> {
        Ok(self.prepare_notice(to, notice)?.fire())
    }

    /// A notice to be given later: see [`notify`](Self::notify).
    ///
    /// # Errors
    ///
    /// As [`notify`](Self::notify).
    pub fn prepare_notice<T: Send + 'static>(
        &self,
        to: &Address<T>,
        notice: Notice,
    ) -> Result<Prepared, NotifyError> {
        if !Arc::ptr_eq(&self.shared, &to.shared) {
            return Err(NotifyError { notice, reason: AddressError::Foreign });
        }
        let mark = Mark::of_letter(to.port.write_letter(notice)?);
        Ok(self.prepared(mark))
    }

    fn origins_of(&self, sources: &[Source]) -> Result<Vec<Origin>, AddressError> {
        let origin = |source: &Source| {
            let is_ours = Arc::ptr_eq(&source.shared, &self.shared);
            if is_ours { Ok(source.origin.clone()) } else { Err(AddressError::Foreign) }
        };
        sources.iter().map(origin).collect()
    }

    fn make(&self, errand: Option<Errand>, place: Place) -> Prepared {
        self.prepared(Mark::new(errand, place))
    }

    fn prepared(&self, mark: Arc<Mark>) -> Prepared {
        Prepared { shared: self.shared.clone(), mark, is_fired: false }
    }
}

impl Source {
    pub(crate) fn new(shared: Arc<Shared>, origin: Origin) -> Self {
        Self { shared, origin }
    }

    /// Whether it has ended, and everything that it sent has its number; or never gets one, since its receiver has
    /// gone. Final.
    pub fn has_ended(&self) -> bool {
        self.origin.state().is_released()
    }
}

impl Prepared {
    /// Submits it.
    pub fn fire(mut self) -> Ticket {
        self.is_fired = true;
        self.shared.submit(&self.mark);
        Ticket::new(self.shared.clone(), self.mark.clone())
    }

    /// The same, as the next of what an outbox has sent so far. It comes back if it is a gate, or another engine's.
    pub(crate) fn fire_after(
        self,
        shared: &Arc<Shared>,
        ring: &Arc<OrderRing>,
        position: u64,
    ) -> Result<Ticket, Self> {
        if Arc::ptr_eq(shared, &self.shared) && self.mark.place_after(ring, position) {
            Ok(self.fire())
        } else {
            Err(self)
        }
    }
}

impl Drop for Prepared {
    fn drop(&mut self) {
        if !self.is_fired {
            self.mark.give_up();
        }
    }
}

impl Ticket {
    /// Of a mark that was submitted.
    pub(crate) fn new(shared: Arc<Shared>, mark: Arc<Mark>) -> Self {
        Self { shared, mark, sleeper: None }
    }

    /// Whether the mark was taken back, and why.
    pub(crate) fn withdrawal(&self) -> Option<Withdrawal> {
        self.mark.withdrawal()
    }

    /// The mark's number, if it has one. The clock may be about to come to it; whoever has received a message with a
    /// higher number, or read the clock there, finds it. Runs no pass.
    pub fn seq(&self) -> Option<Seq> {
        self.outcome()?.ok()
    }

    /// What has become of the mark: its number, or that it never gets one; none yet. Runs no pass.
    pub fn outcome(&self) -> Option<Result<Seq, WaitError>> {
        self.mark.outcome()
    }

    /// Waits for the mark's number. Whoever learns of the return sends later, and the clock has come to it.
    ///
    /// # Errors
    ///
    /// If the engine was closed before.
    pub fn wait(&mut self) -> Result<Seq, WaitError> {
        self.shared.wait_for_mark(&self.mark, For::Mark, None).unwrap_or(Err(WaitError))
    }

    /// As [`wait`](Self::wait), for `timeout` at the longest.
    ///
    /// # Errors
    ///
    /// If the time is up, or the engine was closed before.
    pub fn wait_timeout(&mut self, timeout: Duration) -> Result<Seq, WaitTimeoutError> {
        match self.shared.wait_for_mark(&self.mark, For::Mark, Deadline::after(timeout)) {
            Some(outcome) => outcome.map_err(|WaitError| WaitTimeoutError::Closed),
            None => Err(WaitTimeoutError::Timeout),
        }
    }
}

impl Future for Ticket {
    type Output = Result<Seq, WaitError>;

    /// Ready with the number, as often as it is polled after that.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { shared, mark, sleeper } = self.get_mut();
        shared.poll_for_mark(mark, For::Mark, sleeper, cx)
    }
}

impl fmt::Debug for Marker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Marker").finish_non_exhaustive()
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").field("has_ended", &self.has_ended()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prepared").finish_non_exhaustive()
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket").field("outcome", &self.mark.outcome()).finish_non_exhaustive()
    }
}
