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
//! There is one way to wait ([`wait`]), for receivers, full senders and those who wait for the clock. The argument why
//! nobody sleeps through what it waits for is in [`park`].

mod marks;
mod mode;
mod report;
mod thread;
mod wait;

use std::sync::Arc;
use std::time::Instant;

use crossbeam_utils::CachePadded;

use crate::board::{Board, Change};
use crate::combine::{Combine, Held};
use crate::dispatcher::{Core, Effects, End, Heat, Numbering};
use crate::inbox::Inbox;
use crate::lane::LaneState;
use crate::order::OrderRing;
use crate::park;
use crate::stats::{Census, Registry};
use crate::sync::atomic::{AtomicBool, AtomicU64};
use crate::sync::{self, EXTRA_PASSES, Mutex, Ordering::Relaxed};
use crate::trace;
use crate::waiters::Waiters;
pub(crate) use marks::{Owed, Sleeper};
pub use mode::{Drive, Driver, Hook, Idle};
pub(crate) use thread::Handle;
use thread::Staff;
pub(crate) use wait::{Doze, For, Step, Unfinished};

/// So many changes may be listed before those who make them slow down.
const LISTED_MAX: usize = 1024;

/// What all ends of an engine share.
pub(crate) struct Shared {
    core: CachePadded<Combine<Core>>,
    board: Arc<Board>,
    drive: Drive,
    /// The dispatcher thread, if there is one.
    staff: Staff,
    numbering: Numbering,
    /// Set by a holder that stops, for one whom it wakes.
    baton: AtomicBool,
    /// Those who wait until everything is received.
    pub(crate) closers: Waiters,
    /// Messages that leaving receivers have not received.
    discarded: AtomicU64,
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

/// What has become of an attempt to close the engine.
pub(crate) enum Attempt<R> {
    Closed(R),
    TooEarly,
    ClosedBefore,
}

/// What has become of a pass's effects.
struct Carried {
    /// Some sleep on, for numbers that it has not reached.
    left: bool,
    /// Somebody else goes on.
    handed_over: bool,
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
            staff: Staff::default(),
            numbering,
            baton: AtomicBool::new(false),
            closers: Waiters::default(),
            discarded: AtomicU64::new(0),
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

    /// Whether nothing can be sent any more: it is being closed, or was.
    pub(crate) fn is_closing(&self) -> bool {
        self.board.topology.is_shut() || self.is_poisoned()
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
            Drive::Callers => self.pass_if_free(),
            Drive::Thread(_) if !self.staff.has_gone() => {}
            Drive::Thread(_) => self.pass_if_free(),
            Drive::Manual(hook) => hook.0(),
        }
    }

    /// The same, also where a thread does it.
    #[inline]
    fn pass_if_free(&self) {
        match &self.drive {
            Drive::Manual(hook) => hook.0(),
            _ => {
                self.pass_once();
            }
        }
    }

    /// True if a pass did something.
    #[inline]
    fn pass_once(&self) -> bool {
        self.core.try_hold().is_some_and(|held| self.run(held))
    }

    /// Makes sure that a full pass begins after this moment.
    #[cold]
    pub(crate) fn kick(&self) {
        // Relaxed: a count.
        self.kicks.fetch_add(1, Relaxed);
        match &self.drive {
            Drive::Callers => {
                self.pass_by_hand();
            }
            Drive::Thread(_) => {
                // Pairs with the heavy barriers of the thread, when it goes to sleep, and when it goes.
                light!("drive.kick.light");
                if self.staff.has_gone() {
                    self.pass_by_hand();
                } else {
                    self.staff.rouse();
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
    fn run<'a>(&'a self, held: Held<'a, Core>) -> bool {
        let (mut did, errands) = self.run_passes(held);
        // Between them others may have kicked; there is a pass, too, whenever many were done.
        while errands && self.run_errands() {
            let Some(held) = self.core.kick() else { break };
            let (did_more, _) = self.run_passes(held);
            did |= did_more;
        }
        did
    }

    /// The passes. True if one did something, and if there are errands now.
    fn run_passes<'a>(&'a self, mut held: Held<'a, Core>) -> (bool, bool) {
        let (mut did, mut listens, mut errands) = (false, false, false);
        for passes in 0.. {
            let mut effects = self.pass(&mut held, listens);
            did |= effects.stamped > 0 || effects.again;
            errands |= effects.errands;
            let kicked = held.release();
            // With passes by hand nobody else would take it.
            let last = passes >= EXTRA_PASSES && !matches!(self.drive, Drive::Manual(_));
            let due = effects.again || kicked;
            let Carried { left, handed_over } = self.carry_out(&mut effects, due && last);
            // Those who sleep on want the next message to be heard of. A pass that numbers nothing sees to it;
            // where there is always something, one that listens.
            let sleepers = left && !listens;
            if handed_over || !(due || sleepers) {
                break;
            }
            listens = sleepers && !due && passes >= EXTRA_PASSES;
            if due && passes >= EXTRA_PASSES {
                // Those who keep kicking find it free meanwhile, and pass themselves.
                sync::give_way();
            }
            match self.core.kick() {
                Some(again) => held = again,
                None => break,
            }
        }
        (did, errands)
    }

    /// A receiver has read what there was, or has gone.
    pub(crate) fn tell_closers(&self) {
        // Pairs with the heavy barrier of whoever closes: it sees what was read, or we see it armed.
        light!("close.receiver.light");
        if self.closers.is_armed() {
            self.closers.wake(0);
        }
    }

    #[cold]
    fn tell_of_clock(&self) {
        if self.board.waiters.wake(self.board.clock.now()).left {
            // Those who sleep on want the next message to be heard of.
            self.kick();
        }
    }

    /// Since the beginning of the timestamps, if they are on.
    #[inline]
    fn time(&self) -> u64 {
        self.began.map_or(0, |began| (park::now() - began).as_nanos() as u64)
    }

    /// One pass.
    fn pass(&self, held: &mut Held<'_, Core>, listens: bool) -> Effects {
        let at = self.time();
        self.guarded(held, |held| if listens { held.pass_and_listen(at) } else { held.pass(at) })
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
                self.0.poison_held(self.1, End::Panic);
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

    /// Wakes whom a pass has found. With `hand_over` a thread among them is asked to go on passing.
    fn carry_out(&self, effects: &mut Effects, hand_over: bool) -> Carried {
        if hand_over {
            // Release: pairs with `take_baton`: the kick of whoever takes it comes after our release of the core.
            // By swap, as there.
            self.baton.swap(true, ord!("drive.baton.pass", Release));
        }
        let (mut woke, mut left) = (self.wake_for(effects.take_marks()), false);
        for parker in effects.take_wakes() {
            woke |= parker.wake();
        }
        if effects.clock_moved {
            let woken = self.board.waiters.wake(self.board.clock.now());
            woke |= woken.thread;
            left = woken.left;
        }
        // Relaxed: no thread woken, so we go on ourselves, unless somebody has taken the baton all the same.
        Carried { left, handed_over: hand_over && (woke || !self.baton.swap(false, Relaxed)) }
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

    /// Nobody will pass again: closes everything, and wakes everyone.
    fn poison_held(&self, held: &mut Held<'_, Core>, end: End) {
        held.poison();
        // From here on each parker is woken by read-modify-write, and the list of clock waiters under its lock: who
        // arms later finds the poison.
        (**held).close_all(end);
        self.board.waiters.wake(u64::MAX);
        self.wake_for((**held).take_done());
        if end == End::Panic {
            trace::poisoned();
        }
        self.run_errands_at_the_end();
    }

    /// Passes until nothing is left to be done, and not before a pass that somebody else makes is over.
    pub(crate) fn settle(&self) {
        while !self.is_poisoned() {
            match self.core.try_hold().map(|held| self.run(held)) {
                Some(true) => {}
                Some(false) => return,
                None => sync::yield_now(),
            }
        }
    }

    /// Closes the engine, if the drain is `over`: no pass runs any more. That, and the report, are asked when no author
    /// publishes a message any more that counts as sent, and no receiver knows of the end yet, and leaves. They must
    /// not ask the dispatcher.
    pub(crate) fn close<O, R>(
        &self,
        over: impl Fn() -> Option<O>,
        report: impl Fn(O) -> R,
    ) -> Attempt<R> {
        while !self.is_poisoned() {
            let Some(mut held) = self.core.try_hold() else {
                sync::yield_now();
                continue;
            };
            let report = self.guarded(&mut held, |held| {
                held.authors().for_each(LaneState::suspend);
                // Pairs with the light barrier of each author: what it has published is found, or it sees UNDECIDED.
                heavy!("close.decide.heavy");
                let over = over();
                let tell = if over.is_some() { LaneState::refuse } else { LaneState::go_on };
                held.authors().for_each(tell);
                let over = over?;
                // What was submitted before the last message was received is seen here. Those that come later never
                // get a number.
                held.stamp_last_marks(self.time());
                Some(report(over))
            });
            if let Some(report) = report {
                self.poison_held(&mut held, End::Closed);
                return Attempt::Closed(report);
            }
            if held.release() {
                self.kick();
            }
            return Attempt::TooEarly;
        }
        Attempt::ClosedBefore
    }

    /// As if a pass had panicked, for tests of what a bug of ours would do.
    pub(crate) fn poison(&self) {
        while !self.is_poisoned() {
            if let Some(mut held) = self.core.try_hold() {
                self.poison_held(&mut held, End::Panic);
            }
            sync::yield_now();
        }
    }
}
