//! Submitting marks, waiting for their numbers, and what is to happen then.
//!
//! A mark that nothing hangs on is numbered at once by whoever wants it, if the core is free: that takes no pass, since
//! nothing that was promised asks for one. Otherwise it is submitted, and a kick sees to it that a pass takes it.
//!
//! *Errands* (what is to happen once the number is known) are foreign code. They are done by whoever has passed, when
//! nothing is owed any more: so one that waits for somebody holds up nobody else's pass. One at a time, in the order of
//! the numbers: who finds somebody at it leaves them to that one.

use std::task::{Context, Poll, ready};

use super::{Core, Doze, For, Shared, Step, Unfinished};
use crate::clock::Seq;
use crate::error::WaitError;
use crate::mark::{ANSWER, Chain, DONE, Mark, TICKET};
use crate::park::{Deadline, Parker};
use crate::sync::Arc;
use crate::trace;
use crate::{drive::Drive, ring::drop_quietly};

/// What whoever has made a mark owes to others.
#[derive(Default)]
#[must_use = "others rely on it"]
pub(crate) struct Owed {
    /// Somebody has kicked meanwhile.
    kick: bool,
    /// Somebody waits for the clock.
    tell: bool,
}

/// A task that waits for a mark.
#[derive(Default)]
pub(crate) struct Sleeper {
    doze: Doze,
    parker: Arc<Parker>,
}

impl Shared {
    /// Gives a mark to the next pass. Never waits.
    pub(crate) fn submit(&self, mark: &Arc<Mark>) {
        if self.enlist(mark) {
            return self.kick();
        }
        mark.wake();
        mark.give_up();
        if mark.has_errand() {
            self.board.errands.push(mark.clone());
            self.run_errands_at_the_end();
        }
    }

    /// The first half of that: whoever does it owes a kick, outside of all locks. False if it is too late for any.
    pub(crate) fn enlist(&self, mark: &Arc<Mark>) -> bool {
        let is_in_time = self.board.marks.push(mark);
        if !is_in_time {
            mark.settle(None);
        }
        is_in_time
    }

    /// Numbers a mark that nothing else hangs on, here and now if that can be; otherwise gives it to the next pass.
    /// Never waits.
    pub(crate) fn number(&self, mark: &Arc<Mark>) {
        let (seq, owed) = self.mark_at_once_for(|seq| mark.settle(Some(seq.get())));
        self.pay(owed);
        match seq {
            Some(_) => {
                mark.wake();
            }
            None => self.submit(mark),
        }
    }

    /// The number of a mark that is made here and now; none if it has to be submitted.
    #[inline]
    pub(crate) fn mark_at_once(&self) -> Option<Seq> {
        let (seq, owed) = self.mark_at_once_for(|_| true);
        self.pay(owed);
        seq
    }

    /// The same, and `make_true` is told the number before the clock is, or says that there is to be none. It is no
    /// foreign code, and short. What is owed is paid outside of all locks. After a number was given there is a light
    /// barrier.
    #[inline]
    pub(crate) fn mark_at_once_for(
        &self,
        make_true: impl FnOnce(Seq) -> bool,
    ) -> (Option<Seq>, Owed) {
        if let Drive::Manual(_) = self.drive {
            return (None, Owed::default());
        }
        let Some(mut held) = self.core.try_hold() else { return (None, Owed::default()) };
        let now = self.time();
        let (number, tell) = self.guarded(&mut held, |core: &mut super::Held<'_, Core>| {
            let number = core.stamp_alone(now, |number| make_true(Seq::new(number)));
            (number, number.is_some() && core.must_tell_of_clock())
        });
        (number.map(Seq::new), Owed { kick: held.release(), tell })
    }

    /// Does what was left to be done by one who held the core.
    #[inline]
    pub(crate) fn pay(&self, owed: Owed) {
        if owed.kick {
            self.kick();
        }
        if owed.tell {
            self.tell_of_clock();
        }
    }

    /// Waits until a mark is settled, and the clock has come to it; none if the time is up.
    pub(crate) fn wait_for_mark(
        &self,
        mark: &Mark,
        what: For,
        deadline: Option<Deadline>,
    ) -> Option<Result<Seq, WaitError>> {
        if let Some(outcome) = self.outcome_of(mark) {
            return Some(outcome);
        }
        let parker = Arc::new(Parker::default());
        let look = |step| self.look_at(mark, what, &parker, step);
        match self.wait(&parker, deadline, what, look) {
            Ok(outcome) => Some(outcome),
            Err(Unfinished::Poisoned) => Some(Err(WaitError)),
            Err(Unfinished::Timeout) => None,
        }
    }

    /// The same for a task.
    pub(crate) fn poll_for_mark(
        self: &Arc<Self>,
        mark: &Mark,
        what: For,
        sleeper: &mut Option<Sleeper>,
        cx: &Context<'_>,
    ) -> Poll<Result<Seq, WaitError>> {
        if let Some(outcome) = self.outcome_of(mark) {
            *sleeper = None;
            return Poll::Ready(outcome);
        }
        let Sleeper { doze, parker } = sleeper.get_or_insert_default();
        let look = |step| self.look_at(mark, what, parker, step);
        let found = ready!(self.poll(doze, parker, cx, what, look));
        Poll::Ready(found.unwrap_or(Err(WaitError)))
    }

    /// What whoever waits for a mark is told: its number once the clock has come to it.
    #[inline]
    pub(crate) fn outcome_of(&self, mark: &Mark) -> Option<Result<Seq, WaitError>> {
        let outcome = mark.outcome()?;
        let is_ahead = outcome.is_ok_and(|seq| seq.get() > self.board.clock.now());
        (!is_ahead).then_some(outcome)
    }

    /// A step of a wait for a mark, by one who sleeps at `parker` in one of its places. Who numbers it wakes when the
    /// clock has come there.
    fn look_at(
        &self,
        mark: &Mark,
        what: For,
        parker: &Arc<Parker>,
        step: Step,
    ) -> Option<Result<Seq, WaitError>> {
        match step {
            Step::Look => self.outcome_of(mark),
            Step::Arm => {
                let place = if what == For::Answer { ANSWER } else { TICKET };
                mark.sleep_at(place, parker);
                None
            }
        }
    }

    /// Wakes those who sleep for marks; true if there is a thread among them.
    pub(super) fn wake_for(&self, mut done: Chain<DONE>) -> bool {
        let mut woke = false;
        while let Some(mark) = done.pop() {
            woke |= mark.wake();
            if mark.outcome() == Some(Err(WaitError)) {
                mark.give_up();
            }
        }
        woke
    }

    /// Does some of the errands. True if there may be more.
    pub(super) fn run_errands(&self) -> bool {
        self.board.errands.run(|panic| {
            trace::errand_panicked();
            // What it panicked with may panic in its turn.
            drop_quietly(panic, &mut None);
        })
    }

    /// The same when no pass follows.
    pub(super) fn run_errands_at_the_end(&self) {
        while self.run_errands() {}
    }
}
