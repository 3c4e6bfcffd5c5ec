//! Receivers that mind each other: what others know of a receiver ([`Progress`]), and what it waits for of others
//! ([`Receiver::behind`]).
//!
//! A receiver without ties pays a branch for them. One that has ties asks at each look ([`Ties::ask`]): what it was
//! told before is handled, and published; the next message is its own only up to the *bound*, the progress of those
//! whom it is behind, which is read again only when a number lies above what was read last.
//!
//! *Sleeping.* When the bound stands in the way of something, its owner watches the others' progress and the clock,
//! beside its inbox. That it does is known only after a look, so a last look that is the first to find it *blocked*
//! wakes the sleeper itself, which goes round once more, and watches.

use super::{Receiver, finish};
use crate::clock::Seq;
use crate::drive::{For, Shared, Step};
use crate::error::{BehindError, RecvError, RecvTimeoutError};
use crate::inbox::Inbox;
use crate::park::Parker;
use crate::progress::{Progress, Tracker, Watching};
use crate::sync::Arc;
use crate::waiters::Ticket;

/// See the module's documentation.
#[derive(Default)]
pub(super) struct Ties {
    /// Where others see how far this receiver has come; none until somebody asks.
    tracker: Option<Arc<Tracker>>,
    /// What was published there last.
    published: u64,
    /// Whether it tells there what it has found, too: for reports, with timestamps.
    tells_next: bool,
    /// What it told last.
    next: u64,
    /// Those whom it never overtakes.
    ahead: Option<Progress>,
    /// How far they have come, as of the last look at them. Too low at worst.
    bound: u64,
    /// The bound stands in the way of something that is there.
    blocked: bool,
    /// Its places in the lists of those who watch the others, and the clock.
    watching: Option<(Watching, Ticket)>,
}

impl Ties {
    /// Of a receiver of an engine with timestamps, from its birth on.
    pub(super) fn timed(inbox: &Arc<Inbox>) -> (Box<Self>, Arc<Tracker>) {
        let tracker = Tracker::new(inbox.clone(), 0);
        let ties = Self { tracker: Some(tracker.clone()), tells_next: true, ..Self::default() };
        (Box::new(ties), tracker)
    }

    /// Everything up to here is handled.
    pub(super) fn publish(&mut self, seq: u64) {
        if let Some(tracker) = &self.tracker
            && seq > self.published
        {
            self.published = seq;
            tracker.publish(seq);
        }
    }

    /// The message with this number is next, or there is none (0).
    pub(super) fn find(&mut self, next: u64) {
        if self.tells_next
            && next != self.next
            && let Some(tracker) = &self.tracker
        {
            self.next = next;
            tracker.found(next);
        }
    }

    /// Its receiver is dropped, and holds up nobody any more.
    pub(super) fn leave(&self, clock: u64) {
        if let Some(tracker) = &self.tracker {
            tracker.leave(clock);
        }
    }

    /// Its receiver has been told `told`, and asks for more.
    pub(super) fn ask(&mut self, told: Seq) {
        self.blocked = false;
        self.publish(told.get());
    }

    /// The message with this number is next: everything before it is handled. True if it may be handed out.
    pub(super) fn allows(&mut self, number: u64) -> bool {
        self.publish(number - 1);
        let allowed = self.cut(number) == number;
        self.blocked |= !allowed;
        allowed
    }

    /// So much of the clock may be told.
    pub(super) fn cut_clock(&mut self, clock: u64) -> u64 {
        let cut = self.cut(clock);
        self.blocked |= cut < clock;
        cut
    }

    fn cut(&mut self, number: u64) -> u64 {
        let Some(ahead) = &self.ahead else { return number };
        if number > self.bound {
            self.bound = ahead.now().get();
        }
        number.min(self.bound)
    }

    /// Everything up to here may be handed out, as of the last look at the others.
    pub(super) fn bound(&self) -> u64 {
        if self.ahead.is_some() { self.bound } else { u64::MAX }
    }

    /// A step of a wait in which its owner sleeps at `parker`; a look has come first.
    pub(super) fn step(&mut self, step: Step, found: bool, shared: &Shared, parker: &Arc<Parker>) {
        let Some(ahead) = &self.ahead else { return };
        let waiters = &shared.board().waiters;
        if (step == Step::Arm || found)
            && let Some((watching, ticket)) = self.watching.take()
        {
            // It may still stand there, and may not need to.
            ahead.leave_alone(watching);
            waiters.remove(ticket);
        }
        match step {
            Step::Arm if self.blocked => {
                self.watching = Some((ahead.watch(parker), waiters.add(parker, 0)));
            }
            Step::Look if self.blocked && !found && self.watching.is_none() => {
                parker.wake();
            }
            _ => {}
        }
    }

    /// Whether it is behind others.
    pub(super) fn is_behind(&self) -> bool {
        self.ahead.is_some()
    }

    fn add(&mut self, others: &[Progress]) {
        self.ahead = Some(self.ahead.iter().chain(others).cloned().collect());
        self.bound = 0;
    }
}

impl<T: Send + 'static> Receiver<T> {
    /// How far this receiver has handled what it was given: a handle for others. See [`Progress`].
    ///
    /// From then on it publishes its progress each time that it asks for more. That costs a store, and a look whether
    /// anyone watches; a receiver whose progress nobody ever asked for pays a branch.
    pub fn progress(&mut self) -> Progress {
        let Self { shared, port, look, .. } = self;
        let told = look.told();
        let ties = look.ties.get_or_insert_default();
        let tracker = ties.tracker.get_or_insert_with(|| {
            // What it was told last it has still in its hands.
            ties.published = told.get().saturating_sub(1);
            let tracker = Tracker::new(port.inbox.clone(), ties.published);
            port.track(&tracker);
            tracker
        });
        Progress::of(shared.clone(), tracker.clone())
    }

    /// Puts this receiver behind others: from now on it is given number n only when each of them has handled
    /// everything up to n. Adds to those whom it is behind already.
    ///
    /// For pipelines and diamonds: two stages get the messages at the same time, and a third, which gets them too,
    /// comes only after both. Until the others have come so far, `recv` waits, `try_recv` says
    /// [`Empty`](crate::TryRecvError::Empty), a batch stops, and no [`Clock`](crate::Event::Clock) goes beyond. A
    /// stage that is dropped holds up nobody.
    ///
    /// One that has handled all that it was given counts as being at the clock. So it need not get the same
    /// messages: a receiver that is behind one which is idle goes on.
    ///
    /// **In a circle** (a behind b, b behind a) each waits until the other has passed the numbers below its own next
    /// one: they hand out their messages one at a time, in the order of the numbers, as long as all of them go on
    /// asking. A number that two of them are given, they wait for without end.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use mainspring::{Engine, TryRecvError};
    /// let engine = Engine::new();
    /// let (mut to_journal, mut journal) = engine.channel();
    /// let (mut to_desk, mut desk) = engine.channel();
    /// desk.behind(&[journal.progress()])?;
    /// to_journal.send_stamped("buy")?;
    /// to_desk.send_stamped("buy")?;
    /// assert_eq!(desk.try_recv(), Err(TryRecvError::Empty)); // not yet in the journal
    /// assert_eq!(journal.recv()?, (1.into(), "buy"));
    /// assert_eq!(desk.try_recv(), Err(TryRecvError::Empty)); // the journal still has it in hand
    /// assert_eq!(journal.try_recv(), Err(TryRecvError::Empty)); // it asks for the next
    /// assert_eq!(desk.recv()?, (2.into(), "buy"));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Itself`](BehindError::Itself) if it would wait for itself, [`Foreign`](BehindError::Foreign) if one of the
    /// others is another engine's; then nothing has changed.
    pub fn behind(&mut self, others: &[Progress]) -> Result<(), BehindError> {
        let Self { shared, look, .. } = self;
        let ties = look.ties.get_or_insert_default();
        for other in others {
            if !other.is_of(shared) {
                return Err(BehindError::Foreign);
            }
            if ties.tracker.as_ref().is_some_and(|tracker| other.includes(tracker)) {
                return Err(BehindError::Itself);
            }
        }
        if !others.is_empty() {
            ties.add(others);
            // It must not take the core and stamp while something is held back.
            look.trips = None;
        }
        Ok(())
    }

    /// Waits until the clock has come to `seq`, and hands every message up to `seq` to `f`; those above stay. Returns
    /// how many it handed out.
    ///
    /// Its [progress](Self::progress) moves meanwhile, and has come to `seq` in the end. So threads that each have to
    /// wait until the others have handled everything before a moment of their own do not wait for each other without
    /// end: each catches up first, which it can do without them, and then waits.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use mainspring::{Engine, Progress, RecvError, Receiver, Sender};
    ///
    /// /// Tells the other, and goes on when that one has handled everything before.
    /// fn meet(mut tx: Sender<u32>, mut rx: Receiver<u32>, other: Progress) -> Result<u32, RecvError> {
    ///     let mut sum = 0;
    ///     for n in 1..=100 {
    ///         let t = tx.send_stamped(n).map_err(|_| RecvError::Closed)?;
    ///         rx.catch_up(t, |_, n| sum += n)?; // waits for nobody
    ///         other.wait_for(t).map_err(|_| RecvError::Closed)?;
    ///     }
    ///     drop(tx);
    ///     rx.messages().for_each(|(_, n)| sum += n);
    ///     Ok(sum)
    /// }
    ///
    /// let engine = Engine::new();
    /// let (to_a, mut a) = engine.channel();
    /// let (to_b, mut b) = engine.channel();
    /// let (of_a, of_b) = (a.progress(), b.progress());
    /// let thread = std::thread::spawn(move || meet(to_b, a, of_b));
    /// assert_eq!(meet(to_a, b, of_a)?, 5050);
    /// assert_eq!(thread.join().unwrap()?, 5050);
    /// # Ok(()) }
    /// ```
    ///
    /// Why this ends: of all who wait, take the one with the lowest number t. Each of the others has a higher one and
    /// has caught up to it, so it has handled everything up to t; nobody is in the way of the first. When it goes on
    /// and catches up to its next number, or receives on, or drops its receiver, the next is free.
    ///
    /// # Errors
    ///
    /// When it has closed before the clock came to `seq`; what there was, `f` has been given.
    ///
    /// # Panics
    ///
    /// If `f` does: the message that it was given has been received, the next have not.
    pub fn catch_up(&mut self, seq: Seq, mut f: impl FnMut(Seq, T)) -> Result<usize, RecvError> {
        let mut taken = 0;
        loop {
            taken += self.look.take_batch_up_to(usize::MAX, seq.get(), &mut f);
            if self.wait_to_catch_up(seq)? {
                self.look.tell(seq);
                return Ok(taken);
            }
        }
    }

    /// True when nothing up to `seq` is left or will come; false if there is something to take.
    fn wait_to_catch_up(&mut self, seq: Seq) -> Result<bool, RecvError> {
        let Self { shared, port, look, .. } = self;
        let parker = port.inbox.parker();
        let found = match look.for_caught_up(seq) {
            Some(found) => Ok(found),
            None => shared.wait(parker, None, For::Number(seq.get()), |step| {
                look.step(step, |look| look.for_caught_up(seq))
            }),
        };
        finish(found).map_err(RecvTimeoutError::without_limit)
    }
}
