//! Progress: how far a receiver has *handled* what it was given, for others to read and to wait for.
//!
//! ```text
//!   given      the last number handed to the inbox     written under the dispatcher's lock, before the clock
//!   handled    all up to here is handled               written by the receiver, when it asks for more
//!   watchers   who sleeps until `handled` moves        each adds itself; the receiver wakes them all
//!   reported   the furthest that anyone was told       raised by those who ask
//! ```
//!
//! A receiver that asks for its next event has handled all that it was told before; if its next message is n, it has
//! handled everything below n. One that has handled the last that it was given, and waits, is at the clock, whether or
//! not it is awake to say so:
//!
//! *Orderings.* Who asks reads the clock first (Acquire), then `given`, then `handled`. What is covered by that clock
//! was noted in `given` before. So if `handled` is not below `given`, the receiver has handled all up to the clock that
//! was read. Reading `given` before the clock would miss a message that came between the two. `handled` is published
//! with Release: whoever reads it sees what the receiver did with its messages.
//!
//! *Never falls.* A receiver that was at the clock, 10, and is given 12 has handled 11, but nobody notes so until it
//! takes 12. `reported` keeps the 10 meanwhile.
//!
//! *Waiting.* Progress moves with the clock and with `handled`, so one who waits for it stands in both lists
//! (`drive/wait.rs` has the loop, and the argument is `park`'s): the receiver publishes, passes a light barrier, and
//! looks whether anyone watches. It wakes those whose number it has come to; when it has handled all that it was given,
//! and so is at the clock, everyone: a `given` that is read late can only be too low. Once the clock has come to the
//! number only `handled` matters, since what is given from then on is higher.

use std::fmt;
use std::future::poll_fn;
use std::task::{Poll, ready};
use std::time::Duration;

use crossbeam_utils::CachePadded;

use crate::clock::Seq;
use crate::drive::{Doze, For, Shared, Step, Unfinished};
use crate::error::{WaitError, WaitTimeoutError};
use crate::inbox::Inbox;
use crate::park::{Deadline, Parker};
use crate::sync::Arc;
use crate::sync::Ordering::Relaxed;
use crate::sync::atomic::AtomicU64;
use crate::waiters::{Ticket, Waiters};

/// How far a receiver has handled what it was given; or several, of which the one that is behind counts. A handle;
/// clones tell the same. Made by [`Receiver::progress`](crate::Receiver::progress).
///
/// A message is handled when its receiver asks for the next event: when it calls any of its receiving methods again
/// (within a batch, when the closure has returned for it). A receiver that has handled everything it was given counts
/// as being at the clock. One that was dropped counts as infinitely far, at [`Seq::MAX`].
///
/// Progress never falls. Whoever reads `t` here sees what the receiver did with its messages up to `t`.
///
/// **Several** are combined by collecting them: a barrier that has come as far as the last of them. None at all are
/// infinitely far. Numbers of different engines say nothing about each other; a set over several engines is the
/// caller's business.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use mainspring::{Engine, Progress};
/// let engine = Engine::new();
/// let (mut orders, mut desk) = engine.channel();
/// let (mut quotes, mut feed) = engine.channel();
/// let all: Progress = [desk.progress(), feed.progress()].into_iter().collect();
///
/// let quoted = quotes.send_stamped(1.25)?;
/// let ordered = orders.send_stamped("buy")?;
/// let workers = std::thread::spawn(move || {
///     desk.messages().for_each(drop); // until it closes
///     feed.messages().for_each(drop);
/// });
/// drop((orders, quotes));
/// all.wait_for(ordered)?; // both have handled all that they were given up to here
/// assert!(all.now() >= quoted);
/// # workers.join().unwrap();
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Progress {
    members: Arc<[Member]>,
}

/// One receiver, as seen by others.
#[derive(Clone)]
struct Member {
    shared: Arc<Shared>,
    tracker: Arc<Tracker>,
}

/// Places in the lists of those who watch receivers.
pub(crate) struct Watching(Vec<Ticket>);

impl Progress {
    pub(crate) fn of(shared: Arc<Shared>, tracker: Arc<Tracker>) -> Self {
        Self { members: Arc::new([Member { shared, tracker }]) }
    }

    /// How far it has come. Wait-free but for others who ask; runs no pass.
    pub fn now(&self) -> Seq {
        self.members.iter().map(Member::now).min().map_or(Seq::MAX, Seq::new)
    }

    /// How far it has really handled what it was given: as [`now`](Self::now), but for a receiver that was dropped,
    /// which stays where it was then.
    ///
    /// So this tells a worker that is done from one that died: after [`reached`](Self::reached) or
    /// [`wait_for`](Self::wait_for), who find a dropped receiver infinitely far, `handled() < seq` says that it went
    /// before it came to `seq`.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let engine = mainspring::Engine::new();
    /// let (mut tx, mut rx) = engine.channel();
    /// let worker = rx.progress();
    /// let (first, second) = (tx.send_stamped("done")?, tx.send_stamped("not done")?);
    /// rx.recv()?;
    /// rx.recv()?; // the first is handled, the second in its hands,
    /// drop(rx); // when it dies
    /// assert!(worker.wait_for(second)? >= second); // nobody waits for it any more
    /// assert_eq!(worker.handled(), first);
    /// # Ok(()) }
    /// ```
    pub fn handled(&self) -> Seq {
        self.members.iter().map(Member::handled).min().map_or(Seq::MAX, Seq::new)
    }

    /// Waits until everything up to `seq` is handled; returns how far it has come. Runs passes itself, as the drive
    /// allows.
    ///
    /// A receiver that has messages and does not ask for the next is waited for without end: so a thread does not wait
    /// for the progress of a receiver of its own, and two threads that wait for each other go on receiving
    /// meanwhile, as [`Receiver::catch_up`](crate::Receiver::catch_up) does.
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
    /// let (mut tx, mut rx) = engine.channel();
    /// let handled = rx.progress();
    /// let worker = std::thread::spawn(move || rx.messages().map(|(_, n)| n).sum::<u32>());
    /// let seq = tx.send_stamped(7)?;
    /// handled.reached(seq).await?; // the worker is done with it
    /// # drop(tx);
    /// # assert_eq!(worker.join().unwrap(), 7);
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
        let (progress, number) = (self.clone(), seq.get());
        let (mut at, mut wait) = (0, None);
        poll_fn(move |cx| {
            // One after the other, for none of them falls.
            while let Some(member) = progress.members.get(at) {
                if member.has_come_to(number).is_none() {
                    let new = || (Doze::default(), Arc::default(), Watch::new(&member.tracker));
                    let (doze, parker, watch) = wait.get_or_insert_with(new);
                    let end = |step| match step {
                        Step::Look => member.has_come_to(number),
                        Step::Arm => watch.set(parker, number),
                    };
                    if ready!(member.shared.poll(doze, parker, cx, For::Number(number), end))
                        .is_err()
                    {
                        return Poll::Ready(Err(WaitError));
                    }
                }
                wait = None;
                at += 1;
            }
            Poll::Ready(Ok(progress.now()))
        })
    }

    /// One after the other, for none of them falls.
    fn wait(&self, seq: Seq, deadline: Option<Deadline>) -> Result<Seq, Unfinished> {
        for member in &*self.members {
            member.wait(seq.get(), deadline)?;
        }
        Ok(self.now())
    }

    /// Whether one of them is that of `tracker`.
    pub(crate) fn includes(&self, tracker: &Arc<Tracker>) -> bool {
        self.members.iter().any(|member| Arc::ptr_eq(&member.tracker, tracker))
    }

    /// Whether all of them are of one engine.
    pub(crate) fn is_of(&self, shared: &Arc<Shared>) -> bool {
        self.members.iter().all(|member| Arc::ptr_eq(&member.shared, shared))
    }

    /// Wakes `parker` when one of them moves. To be followed by a heavy barrier and a last look. The clock moves them,
    /// too: that is another list.
    pub(crate) fn watch(&self, parker: &Arc<Parker>) -> Watching {
        let members = self.members.iter();
        Watching(members.map(|member| member.tracker.watchers.add(parker, 0)).collect())
    }

    /// The end of [`watch`](Self::watch).
    pub(crate) fn leave_alone(&self, Watching(tickets): Watching) {
        for (member, ticket) in self.members.iter().zip(tickets) {
            member.tracker.watchers.remove(ticket);
        }
    }
}

impl FromIterator<Self> for Progress {
    /// The one that is behind counts.
    fn from_iter<I: IntoIterator<Item = Self>>(parts: I) -> Self {
        let members = parts.into_iter().flat_map(|part| part.members.to_vec()).collect();
        Self { members }
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Progress").field(&self.now()).finish()
    }
}

impl Member {
    fn now(&self) -> u64 {
        // The clock first: what it covers is noted before. See the module's documentation.
        let clock = self.shared.board().clock.now();
        self.tracker.come_to(clock, self.tracker.inbox.given())
    }

    fn handled(&self) -> u64 {
        match self.now() {
            // It has gone. Relaxed: what was published in the end was acquired.
            u64::MAX => self.tracker.at_last.load(Relaxed),
            now => now,
        }
    }

    fn wait(&self, seq: u64, deadline: Option<Deadline>) -> Result<(), Unfinished> {
        if self.has_come_to(seq).is_some() {
            return Ok(());
        }
        let (parker, mut watch) = (Arc::new(Parker::default()), Watch::new(&self.tracker));
        self.shared.wait(&parker, deadline, For::Number(seq), |step| match step {
            Step::Look => self.has_come_to(seq),
            Step::Arm => watch.set(&parker, seq),
        })
    }

    fn has_come_to(&self, seq: u64) -> Option<()> {
        (self.now() >= seq).then_some(())
    }
}

/// A place among those who watch a receiver, from a sleep to its end.
struct Watch {
    tracker: Arc<Tracker>,
    ticket: Option<Ticket>,
}

impl Watch {
    fn new(tracker: &Arc<Tracker>) -> Self {
        Self { tracker: tracker.clone(), ticket: None }
    }

    fn set(&mut self, parker: &Arc<Parker>, seq: u64) -> Option<()> {
        // Woken by something else, it may still stand there.
        self.clear();
        self.ticket = Some(self.tracker.watchers.add(parker, seq));
        None
    }

    fn clear(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            self.tracker.watchers.remove(ticket);
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.clear();
    }
}

/// What a receiver publishes for those who watch it. Made when the first of them asks.
pub(crate) struct Tracker {
    inbox: Arc<Inbox>,
    /// All up to here is handled. Written by the receiver.
    handled: CachePadded<AtomicU64>,
    watchers: Waiters,
    /// Where it was when its receiver was dropped.
    at_last: AtomicU64,
    /// The furthest that anyone was told.
    reported: CachePadded<AtomicU64>,
    /// With timestamps, for reports: the number of the message that the receiver has found and not handled; 0 if there
    /// is none.
    next: AtomicU64,
}

impl Tracker {
    pub(crate) fn new(inbox: Arc<Inbox>, handled: u64) -> Arc<Self> {
        Arc::new(Self {
            inbox,
            handled: CachePadded::new(AtomicU64::new(handled)),
            watchers: Waiters::default(),
            at_last: AtomicU64::new(0),
            reported: CachePadded::new(AtomicU64::new(0)),
            next: AtomicU64::new(0),
        })
    }

    /// The receiver has handled everything up to `seq`, which never falls.
    pub(crate) fn publish(&self, seq: u64) {
        // Release: pairs with `handled`: what was done with the messages is visible.
        self.handled.store(seq, ord!("progress.handled.publish", Release));
        // Pairs with the heavy barrier of whoever waits for progress: it sees the number, or we see it armed.
        light!("progress.light");
        if self.watchers.is_armed() {
            // With nothing left it is at the clock, wherever that stands: all of them look.
            let all = seq >= self.inbox.given();
            self.watchers.wake(if all { u64::MAX } else { seq });
        }
    }

    /// The receiver is dropped, and holds up nobody any more. The clock was read before.
    pub(crate) fn leave(&self, clock: u64) {
        // Relaxed: released by what is published next.
        self.at_last.store(self.come_to(clock, self.inbox.given()), Relaxed);
        self.publish(u64::MAX);
    }

    /// Whether all that was given to it is handled.
    pub(crate) fn is_at_the_clock(&self) -> bool {
        let given = self.inbox.given();
        self.handled() >= given
    }

    /// The receiver has this message next, or in its hands; or, with 0, has found none.
    pub(crate) fn found(&self, next: u64) {
        // Relaxed: for reports.
        self.next.store(next, Relaxed);
    }

    /// How far the receiver has come. The clock was read first, then what it was given.
    pub(crate) fn come_to(&self, clock: u64, given: u64) -> u64 {
        let handled = self.handled();
        self.report(if handled >= given { handled.max(clock) } else { handled })
    }

    /// For a report, with timestamps: the number of the oldest message that was handed to the receiver and is not
    /// handled; none if all is. A number too low by a little if the receiver moves meanwhile, or is within a batch.
    pub(crate) fn oldest(&self, inbox: &Inbox) -> Option<u64> {
        let given = inbox.given();
        let handled = self.handled();
        if handled >= given {
            return None;
        }
        // Relaxed: a report. What does not fit together was read while the receiver went on.
        Some(match self.next.load(Relaxed) {
            0 => inbox.first_waiting().filter(|&first| first > handled).unwrap_or(given),
            next => next.max(handled + 1),
        })
    }

    fn handled(&self) -> u64 {
        // Acquire: pairs with `publish`.
        self.handled.load(ord!("progress.handled.read", Acquire))
    }

    /// The furthest of what others were told and `now`.
    fn report(&self, now: u64) -> u64 {
        // Acquire: pairs with the raise below: who told of it saw what the receiver had done, and so do we.
        let reported = self.reported.load(ord!("progress.reported.read", Acquire));
        if reported >= now {
            return reported;
        }
        // Release: passes on what `handled` showed to us. Another may have raised it further since the load; but what
        // had been told before this call began was loaded.
        self.reported.fetch_max(now, ord!("progress.reported.raise", Release));
        now
    }
}
