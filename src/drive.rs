//! Who runs the dispatcher, and how everyone else waits.
//!
//! The core of the engine sits behind a try-lock ([`Combine`]); this is the shell around it. Three calls make progress:
//!
//! - [`drive`](Shared::drive): a pass, if nobody else is at it. For whoever polls.
//! - [`kick`](Shared::kick): a full pass begins after this moment, whoever runs it. For whoever has made it possible
//!   for a pass to do something new, and for whoever is about to sleep.
//! - [`hold`](Shared::hold): a receiver that waits looks at its own lane, with the core in its hand.
//!
//! The effects of a pass (whom to wake) are carried out when the core has been let go of: then, if somebody kicked
//! meanwhile, the releaser owes a kick. After a few of those it passes the baton to one whom it has just woken, or
//! leaves the core free for a moment for those who kick, so that no caller is kept at work for others without end.
//!
//! There is one way to wait ([`wait`](Shared::wait)), for receivers, full senders and those who wait for the clock.
//! The argument why nobody sleeps through what it waits for is in [`park`].

mod report;

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use crossbeam_utils::CachePadded;

use crate::board::{Board, Change};
use crate::combine::{Combine, Held};
use crate::dispatcher::{Core, Effects, Heat, Numbering};
use crate::inbox::Inbox;
use crate::lane::LaneState;
use crate::order::OrderRing;
use crate::park::{self, Deadline, Parker};
use crate::stats::{Census, Registry};
use crate::sync::atomic::{AtomicBool, AtomicU64};
use crate::sync::{self, EXTRA_PASSES, Mutex, Ordering::Relaxed, PAUSES, YIELDS};
use crate::trace;

/// Who runs the dispatcher.
#[derive(Clone, Default)]
#[non_exhaustive]
pub enum Drive {
    /// Whoever needs progress: senders that wait, receivers that find nothing. The default.
    #[default]
    Callers,
    /// Only [`Engine::pass`](crate::Engine::pass) and [`Engine::run_until_idle`](crate::Engine::run_until_idle).
    /// Whatever else would run a pass calls the hook: "a pass is due". For tests, simulation and embedders with a
    /// loop of their own. Made by [`Drive::manual`].
    ///
    /// Calls that wait (`recv`, a full `send`, `send_stamped`, `wait_for`) sleep until somebody passes: a program of
    /// one thread uses the `try_` forms. A pass numbers each lane's messages together; in which order the lanes come
    /// is not promised, so a script that needs an order over several targets uses an [`Outbox`](crate::Outbox).
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use mainspring::{Drive, Engine, TryRecvError};
    /// let engine = Engine::builder().drive(Drive::manual(|| {})).build()?;
    /// let (mut tx, mut rx) = engine.channel();
    /// tx.send("later")?;
    /// assert_eq!(rx.try_recv(), Err(TryRecvError::Empty)); // nobody has passed
    /// engine.run_until_idle();
    /// assert_eq!(rx.try_recv(), Ok((1.into(), "later")));
    /// # Ok(()) }
    /// ```
    Manual(Hook),
}

/// What is called when a pass is due.
#[derive(Clone)]
pub struct Hook(Arc<dyn Fn() + Send + Sync>);

impl Drive {
    /// Passes by hand; `hook` is called when one may be due: from any thread, and often (by joins, ends, looks that
    /// find nothing, sends that somebody waits for). It may tell another thread, or run passes itself. It must not
    /// panic: that goes on in whoever called, and may leave a join or a leave half done. One that keeps the engine
    /// keeps it for ever: the engine keeps the hook.
    pub fn manual(hook: impl Fn() + Send + Sync + 'static) -> Self {
        Self::Manual(Hook(Arc::new(hook)))
    }
}

impl fmt::Debug for Drive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Callers => "Callers",
            Self::Manual(_) => "Manual",
        })
    }
}

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hook")
    }
}

/// So many changes may be listed before those who make them slow down.
const LISTED_MAX: usize = 1024;

/// What all ends of an engine share.
pub(crate) struct Shared {
    core: CachePadded<Combine<Core>>,
    board: Arc<Board>,
    drive: Drive,
    numbering: Numbering,
    /// Set by a holder that stops, for one whom it wakes.
    baton: AtomicBool,
    /// Calls of `kick`. Nothing reads it on the way of a message.
    kicks: AtomicU64,
    /// Of a follower: whoever forwards holds it while it looks whether the number is free, and publishes it.
    pub(crate) forwarding: Mutex<()>,
    /// For reports: all receivers, and all outboxes.
    pub(crate) ports: Registry<dyn Census>,
    pub(crate) rings: Registry<OrderRing>,
    /// The beginning of the timestamps, if they are on.
    began: Option<Instant>,
    /// The first number is the one after this.
    pub(crate) start: u64,
    /// Lanes and inboxes are this large unless said otherwise.
    pub(crate) capacity: usize,
    pub(crate) inbox: usize,
}

/// What a waiting end is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Is it there?
    Look,
    /// It is about to sleep: ask those to speak up whom it wants to hear.
    Arm,
}

/// How a wait begins: with so many looks, some pauses before each, until it runs a pass. Where messages come in crowds
/// more gather meanwhile: a pass that finds few costs as much as one that finds many, and takes the lines of those who
/// write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pace(pub(crate) u32);

impl Pace {
    /// With a pass.
    pub(crate) const EAGER: Self = Self(0);
}

/// How a wait ended without what was waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unfinished {
    Timeout,
    Poisoned,
}

impl Shared {
    pub(crate) fn new(
        drive: Drive,
        start: u64,
        timestamps: bool,
        capacity: usize,
        inbox: usize,
        heat: Heat,
        numbering: Numbering,
    ) -> Self {
        sync::decide_barrier();
        let board = Arc::new(Board::new(start));
        let core = Core::new(board.clone(), start, heat, numbering, timestamps);
        Self {
            core: CachePadded::new(Combine::new(core)),
            board,
            drive,
            numbering,
            baton: AtomicBool::new(false),
            kicks: AtomicU64::new(0),
            forwarding: Mutex::new(()),
            ports: Registry::default(),
            rings: Registry::default(),
            began: timestamps.then(park::now),
            start,
            capacity,
            inbox,
        }
    }

    pub(crate) fn board(&self) -> &Board {
        &self.board
    }

    pub(crate) fn began(&self) -> Option<Instant> {
        self.began
    }

    pub(crate) fn is_poisoned(&self) -> bool {
        self.core.is_poisoned()
    }

    /// A change of the topology, and the kick that it owes.
    pub(crate) fn announce(&self, change: Change) {
        let listed = self.board.topology.push(change);
        self.kick_for(listed);
    }

    /// The same for a source that joins a receiver. False if that has closed, or the engine is poisoned.
    pub(crate) fn join(&self, change: Change, to: &Inbox) -> bool {
        let Some(listed) = self.board.topology.join(change, to) else { return false };
        self.kick_for(listed);
        !self.is_poisoned()
    }

    /// A kick for a list of changes. Whoever lists more than passes can follow gives way to whoever passes.
    pub(crate) fn kick_for(&self, listed: usize) {
        if listed > LISTED_MAX {
            sync::give_way();
        }
        self.kick();
    }

    /// Runs a pass, if nobody else does.
    #[inline]
    pub(crate) fn drive(&self) {
        match &self.drive {
            Drive::Callers => {
                if let Some(held) = self.core.try_hold() {
                    self.run(held);
                }
            }
            Drive::Manual(hook) => hook.0(),
        }
    }

    /// Makes sure that a full pass begins after this moment.
    #[cold]
    pub(crate) fn kick(&self) {
        // Relaxed: a count.
        self.kicks.fetch_add(1, Relaxed);
        match &self.drive {
            Drive::Callers => {
                if let Some(held) = self.core.kick() {
                    self.run(held);
                }
            }
            Drive::Manual(hook) => hook.0(),
        }
    }

    /// A source speaks up: somebody wants to hear of what it has just published.
    #[cold]
    pub(crate) fn speak_up(&self, source: &LaneState) {
        // Without an index the dispatcher has yet to look at it, after a heavy barrier: see `dispatcher/heat.rs`.
        if let Some(id) = source.id_to_raise() {
            self.board.ready.raise(id as usize);
        }
        self.kick();
    }

    /// Passes, and goes on while others kick. True if a pass did something.
    fn run<'a>(&'a self, mut held: Held<'a, Core>) -> bool {
        let mut did = false;
        for passes in 0.. {
            let mut effects = self.pass(&mut held);
            did |= effects.stamped > 0 || effects.again;
            let kicked = held.release();
            let due = effects.again || kicked;
            // With passes by hand nobody else would take it.
            let hand_over = due && passes >= EXTRA_PASSES && matches!(self.drive, Drive::Callers);
            if self.carry_out(&mut effects, hand_over) || !due {
                break;
            }
            if passes >= EXTRA_PASSES {
                // Those who keep kicking find it free meanwhile, and pass themselves.
                sync::give_way();
            }
            match self.core.kick() {
                Some(again) => held = again,
                None => break,
            }
        }
        did
    }

    #[cold]
    fn tell_of_clock(&self) {
        self.board.waiters.wake_all();
    }

    /// One pass.
    fn pass(&self, held: &mut Held<'_, Core>) -> Effects {
        let at = self.began.map_or(0, |began| (park::now() - began).as_nanos() as u64);
        self.guarded(held, |held| held.pass(at))
    }

    /// If something panics in the core, which is our bug, everyone who knows the engine gets `Closed`.
    #[inline]
    fn guarded<'a, R>(
        &self,
        held: &mut Held<'a, Core>,
        act: impl FnOnce(&mut Held<'a, Core>) -> R,
    ) -> R {
        struct Poison<'a, 'b>(&'a Shared, &'a mut Held<'b, Core>);
        impl Drop for Poison<'_, '_> {
            fn drop(&mut self) {
                self.0.poison_held(self.1);
            }
        }
        let guard = Poison(self, held);
        let result = act(guard.1);
        std::mem::forget(guard);
        result
    }

    /// Whether receivers may hold the core themselves: not if somebody else passes, if each pass reads the time, or if
    /// they cannot number their own lane alone.
    #[inline]
    pub(crate) fn is_direct(&self) -> bool {
        self.began.is_none() && matches!(self.drive, Drive::Callers) && !self.follows()
    }

    /// Whether it is a follower: then what a receiver waits for can hang on any forwarder.
    pub(crate) fn follows(&self) -> bool {
        self.numbering == Numbering::Given
    }

    /// Holds the core while a receiver looks, `looks` times at most, for something (true) or for a reason to leave it
    /// to a pass (false). None if somebody else holds it.
    #[inline]
    pub(crate) fn hold(
        &self,
        looks: u32,
        mut look: impl FnMut(&mut Core) -> Option<bool>,
    ) -> Option<bool> {
        let mut held = self.core.try_hold()?;
        let (found, tell) = self.guarded(&mut held, |held| {
            let mut found = look(held);
            for _ in 1..looks {
                if found.is_some() || held.is_asked() {
                    break;
                }
                sync::pause();
                found = look(held);
            }
            (found, found == Some(true) && held.must_tell_of_clock())
        });
        if held.release() {
            self.kick();
        }
        if tell {
            self.tell_of_clock();
        }
        Some(found.unwrap_or(false))
    }

    /// Wakes whom a pass has found. With `hand_over` one of them is asked to go on passing: true if one will.
    fn carry_out(&self, effects: &mut Effects, hand_over: bool) -> bool {
        if hand_over {
            // Release: pairs with `take_baton`: the kick of whoever takes it comes after our release of the core.
            // By swap, as there.
            self.baton.swap(true, ord!("drive.baton.pass", Release));
        }
        let mut woke = false;
        for parker in effects.take_wakes() {
            woke |= parker.wake();
        }
        if effects.clock_moved {
            woke |= self.board.waiters.wake_all();
        }
        // Relaxed: nobody woken, so we go on ourselves, unless somebody has taken the baton all the same.
        hand_over && (woke || !self.baton.swap(false, Relaxed))
    }

    /// Whoever has slept or been about to may have been asked to go on passing.
    fn take_baton(&self) {
        // Relaxed: whoever was woken synchronised with the waker, who set it before. Acquire: see `carry_out`.
        if self.baton.load(Relaxed) && self.baton.swap(false, ord!("drive.baton.take", Acquire)) {
            self.kick();
        }
    }

    /// One pass by hand. True if it did something, or if another is due.
    pub(crate) fn pass_by_hand(&self) -> bool {
        self.core.kick().is_some_and(|held| self.run(held))
    }

    /// Waits until `end(Step::Look)` finds something: a few pauses, a few yields with a pass each, then asleep.
    ///
    /// # Errors
    ///
    /// When the deadline has passed, or the engine is poisoned.
    pub(crate) fn wait<R>(
        &self,
        parker: &Parker,
        deadline: Option<Deadline>,
        pace: Pace,
        mut end: impl FnMut(Step) -> Option<R>,
    ) -> Result<R, Unfinished> {
        if let Some(found) = self.poll(pace, &mut end) {
            return Ok(found);
        }
        loop {
            parker.arm();
            end(Step::Arm);
            // Pairs with the light barriers of all who publish: they see us armed, or the last look sees it.
            heavy!("wait.heavy");
            self.kick();
            let found = end(Step::Look);
            if found.is_some() || self.is_poisoned() {
                parker.disarm();
                self.take_baton();
                return found.ok_or(Unfinished::Poisoned);
            }
            let in_time = parker.sleep(deadline);
            if !in_time {
                parker.disarm();
            }
            self.take_baton();
            if let Some(found) = end(Step::Look) {
                return Ok(found);
            }
            if !in_time || deadline.is_some_and(Deadline::has_passed) {
                return Err(Unfinished::Timeout);
            }
        }
    }

    /// The part of a wait that does not sleep. With passes by hand there is nothing to be gained by it.
    fn poll<R>(&self, pace: Pace, end: &mut impl FnMut(Step) -> Option<R>) -> Option<R> {
        if let Drive::Manual(_) = self.drive {
            return end(Step::Look);
        }
        for _ in 0..pace.0 {
            (0..4).for_each(|_| sync::pause());
            if let Some(found) = end(Step::Look) {
                return Some(found);
            }
        }
        for round in 0..PAUSES + YIELDS {
            self.drive();
            if let Some(found) = end(Step::Look) {
                return Some(found);
            }
            if round < PAUSES {
                (0..1 << round).for_each(|_| sync::pause());
            } else {
                sync::yield_now();
            }
        }
        None
    }

    /// As [`wait`](Self::wait), for what the clock tells: woken also when it moves.
    pub(crate) fn wait_for_clock<R>(
        &self,
        parker: &Arc<Parker>,
        deadline: Option<Deadline>,
        mut end: impl FnMut(Step) -> Option<R>,
    ) -> Result<R, Unfinished> {
        let waiters = &self.board.waiters;
        let mut listed = false;
        let result = self.wait(parker, deadline, Pace::EAGER, |step| {
            if step == Step::Arm {
                if listed {
                    // Woken by something else, it may still stand there.
                    waiters.remove(parker);
                }
                waiters.add(parker);
                listed = true;
            }
            end(step)
        });
        if listed {
            waiters.remove(parker);
        }
        result
    }

    /// Nobody will pass again: closes everything, and wakes everyone.
    fn poison_held(&self, held: &mut Held<'_, Core>) {
        held.poison();
        // From here on each parker is woken by read-modify-write, and the list of clock waiters under its lock: who
        // arms later finds the poison.
        (**held).close_all();
        self.board.waiters.wake_all();
        trace::poisoned();
    }

    /// As if a pass had panicked, for tests of what a bug of ours would do.
    pub(crate) fn poison(&self) {
        while !self.is_poisoned() {
            if let Some(mut held) = self.core.try_hold() {
                self.poison_held(&mut held);
            }
            sync::yield_now();
        }
    }
}
