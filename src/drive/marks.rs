//! Submitting marks, waiting for their numbers, and what is to happen then.
//!
//! A mark that nothing hangs on is numbered at once by whoever wants it, if the core is free: that takes no pass, since
//! nothing that was promised asks for one. Otherwise it is submitted, and a kick sees to it that a pass takes it.
//!
//! *Errands* (what is to happen once the number is known) are foreign code. They are done by whoever has passed, when
//! nothing is owed any more: so one that waits for somebody holds up nobody else's pass. One at a time, in the order of
//! the numbers: who finds somebody at it leaves them to that one.

use super::{Core, For, Shared, Step, Unfinished};
use crate::clock::Seq;
use crate::error::WaitError;
use crate::mark::{Chain, DONE, Mark, TICKET};
use crate::park::{Deadline, Parker};
use crate::sync::Arc;
use crate::trace;
use crate::{drive::Drive, ring::drop_quietly};

impl Shared {
    /// Gives a mark to the next pass. Never waits.
    pub(crate) fn submit(&self, mark: &Arc<Mark>) {
        if self.board.marks.push(mark) {
            return self.kick();
        }
        mark.settle(None);
        mark.wake();
        mark.withdraw();
        if mark.has_errand() {
            self.board.errands.push(mark.clone());
            self.run_errands_at_the_end();
        }
    }

    /// Numbers a mark that nothing else hangs on, here and now if that can be; otherwise gives it to the next pass.
    /// Never waits.
    pub(crate) fn number(&self, mark: &Arc<Mark>) {
        match self.mark_at_once(Some(mark)) {
            Some(_) => {
                mark.wake();
            }
            None => self.submit(mark),
        }
    }

    /// The number of a mark that is made here and now, and left in `mark` if somebody looks for it there; none if it
    /// has to be submitted.
    #[inline]
    pub(crate) fn mark_at_once(&self, mark: Option<&Mark>) -> Option<Seq> {
        if let Drive::Manual(_) = self.drive {
            return None;
        }
        let mut held = self.core.try_hold()?;
        let now = self.time();
        let (number, tell) = self.guarded(&mut held, |core: &mut super::Held<'_, Core>| {
            let number = core.stamp_alone(mark, now);
            (number, number.is_some() && core.must_tell_of_clock())
        });
        if held.release() {
            self.kick();
        }
        if tell {
            self.tell_of_clock();
        }
        number.map(Seq::new)
    }

    /// Waits until a mark that was submitted is settled.
    pub(crate) fn wait_for_mark(
        &self,
        mark: &Mark,
        deadline: Option<Deadline>,
    ) -> Result<Result<Seq, WaitError>, Unfinished> {
        if let Some(outcome) = mark.outcome() {
            return Ok(outcome);
        }
        let parker = Arc::new(Parker::default());
        self.wait(&parker, deadline, For::Mark, |step| look_at(mark, TICKET, &parker, step))
    }

    /// Wakes those who sleep for marks; true if there is a thread among them.
    pub(super) fn wake_for(&self, mut done: Chain<DONE>) -> bool {
        let mut woke = false;
        while let Some(mark) = done.pop() {
            woke |= mark.wake();
            if mark.outcome() == Some(Err(WaitError)) {
                mark.withdraw();
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

/// A step of a wait for a mark, by one who sleeps at `parker` in one of its places.
pub(crate) fn look_at(
    mark: &Mark,
    place: usize,
    parker: &Arc<Parker>,
    step: Step,
) -> Option<Result<Seq, WaitError>> {
    match step {
        Step::Look => mark.outcome(),
        Step::Arm => {
            mark.sleep_at(place, parker);
            None
        }
    }
}
