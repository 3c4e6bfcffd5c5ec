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
//! (`drive.rs` has the loop, and the argument is `park`'s): the receiver publishes, passes a light barrier, and looks
//! whether anyone watches.

use std::fmt;
use std::time::Duration;

use crossbeam_utils::CachePadded;

use crate::board::ClockWaiters;
use crate::clock::Seq;
use crate::drive::{Shared, Step, Unfinished};
use crate::error::{WaitError, WaitTimeoutError};
use crate::inbox::Inbox;
use crate::park::{Deadline, Parker};
use crate::sync::Arc;
use crate::sync::Ordering::Relaxed;
use crate::sync::atomic::AtomicU64;

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
    inbox: Arc<Inbox>,
    tracker: Arc<Tracker>,
}

impl Progress {
    pub(crate) fn of(shared: Arc<Shared>, inbox: Arc<Inbox>, tracker: Arc<Tracker>) -> Self {
        Self { members: Arc::new([Member { shared, inbox, tracker }]) }
    }

    /// How far it has come. Wait-free but for others who ask; runs no pass.
    pub fn now(&self) -> Seq {
        self.members.iter().map(Member::now).min().map_or(Seq::MAX, Seq::new)
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
    /// If the engine is closed, because a pass has panicked.
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
    pub(crate) fn watch(&self, parker: &Arc<Parker>) {
        for member in &*self.members {
            member.tracker.watchers.add(parker);
        }
    }

    /// The end of [`watch`](Self::watch), for one who was not woken by all of them.
    pub(crate) fn leave_alone(&self, parker: &Arc<Parker>) {
        for member in &*self.members {
            member.tracker.watchers.remove(parker);
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
        let given = self.inbox.given();
        self.tracker.come_to(clock, given)
    }

    fn wait(&self, seq: u64, deadline: Option<Deadline>) -> Result<(), Unfinished> {
        let reached = || (self.now() >= seq).then_some(());
        if reached().is_some() {
            return Ok(());
        }
        let parker = Arc::new(Parker::default());
        let watchers = &self.tracker.watchers;
        let mut listed = false;
        let result = self.shared.wait_for_clock(&parker, deadline, |step| match step {
            Step::Look => reached(),
            Step::Arm => {
                if std::mem::replace(&mut listed, true) {
                    // Woken by something else, it may still stand there.
                    watchers.remove(&parker);
                }
                watchers.add(&parker);
                None
            }
        });
        if listed {
            watchers.remove(&parker);
        }
        result
    }
}

/// What a receiver publishes for those who watch it. Made when the first of them asks.
pub(crate) struct Tracker {
    /// All up to here is handled. Written by the receiver.
    handled: CachePadded<AtomicU64>,
    watchers: ClockWaiters,
    /// The furthest that anyone was told.
    reported: CachePadded<AtomicU64>,
    /// With timestamps, for reports: the number of the message that the receiver has found and not handled; 0 if there
    /// is none.
    next: AtomicU64,
}

impl Tracker {
    pub(crate) fn new(handled: u64) -> Arc<Self> {
        Arc::new(Self {
            handled: CachePadded::new(AtomicU64::new(handled)),
            watchers: ClockWaiters::default(),
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
            self.watchers.wake_all();
        }
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
