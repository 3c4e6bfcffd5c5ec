//! How everyone waits: receivers, full senders, those who wait for a number; threads and tasks.
//!
//! ```text
//!   look ─▶ drive, look … ─▶ arm ─▶ heavy barrier ─▶ kick ─▶ look ─▶ sleep ─▶ look …
//! ```
//!
//! What is waited for is a closure that is asked to look, and told when it is about to sleep ([`Step`]). A thread
//! goes this way in one call ([`wait`](Shared::wait)): some pauses, some yields with a pass each, then asleep. A
//! task goes it in polls ([`poll`](Shared::poll)), and keeps in a [`Doze`] how far it has come. Instead of yielding
//! its thread it asks to be polled again, a few times, behind whatever else its executor has to do; then it leaves
//! its waker. Where it can rely on the fences of others ([`park`](crate::park)), a fence stands in place of its
//! heavy barrier, and it asks to be polled again once: each time it invites an idle worker of its executor to take
//! it over.
//!
//! *Dropped in between*, a [`Doze`] takes the task off every list and drops its waker. Forgotten, it leaves a waker
//! that will be woken once for nothing. Neither is relied upon by anyone: a task is never handed the baton.

use std::task::{Context, Poll};

use super::{Board, Drive, Shared};
use crate::park::{Deadline, Parker};
use crate::sync::{self, Arc, PAUSES, TASK_YIELDS, YIELDS};
use crate::waiters::Ticket;

/// What a waiting end is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Is it there?
    Look,
    /// It is about to sleep: ask those to speak up whom it wants to hear.
    Arm,
}

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum For {
    /// Messages, or room for them. A thread begins with so many looks, some pauses before each, until it runs a
    /// pass: where messages come in crowds more gather meanwhile. A pass that finds few costs as much as one that
    /// finds many, and takes the lines of those who write. A task looks once more before its first pass if that is
    /// not to come `at once`: if what it waits for will come from a lane that it looks at itself, sent by whoever
    /// runs next. If all whom it waits for can be asked for fences, a task asks, and need not pass a heavy barrier
    /// before each sleep.
    Message { pace: u32, at_once: bool, fenced: bool },
    /// Messages, and whatever the clock tells.
    Event,
    /// As an event, by a receiver that is behind others: what it was handed out it waits for also when the engine was
    /// closed, since the others go on.
    Turn,
    /// A number that is not known yet.
    Stamp,
    /// The clock's coming to this number, or somebody's progress.
    Number(u64),
    /// A mark's number. Whoever gives it that looks under a lock who sleeps for it, so no barrier is needed; and it was
    /// submitted with a kick.
    Mark,
    /// A state of a slot.
    State,
    /// An answer, that is a mark which somebody has yet to submit, or to let go of. The engine's end is heard of, too:
    /// by a list that has a lock. Nothing that is waited for hangs on a pass that nobody has kicked for: whoever looks
    /// for it leaves the core to those who answer.
    Answer,
}

impl For {
    /// Messages or room, with a pass at once.
    pub(crate) const EAGER: Self = Self::Message { pace: 0, at_once: true, fenced: false };

    /// Whether a task may rely on the fences of others.
    pub(crate) fn is_fenced(self) -> bool {
        matches!(self, Self::Message { fenced: true, .. })
    }

    /// Whether whoever ends the wait finds the sleeper under a lock, and owes nobody else a kick.
    fn is_locked(self) -> bool {
        matches!(self, Self::Mark | Self::Answer)
    }

    /// Whether it runs passes also where a thread does.
    fn drives(self) -> bool {
        matches!(self, Self::Stamp | Self::Number(_) | Self::Mark)
    }
}

/// How a wait ended without what was waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unfinished {
    Timeout,
    Poisoned,
}

/// A task's wait, from one poll to the next.
#[derive(Default)]
pub(crate) struct Doze {
    /// It has asked to be polled again so often.
    yields: u32,
    /// Where it sleeps, once it has.
    place: Option<Place>,
}

struct Place {
    shared: Arc<Shared>,
    parker: Arc<Parker>,
    /// It stands among those who wait for the clock.
    ticket: Option<Ticket>,
}

impl Shared {
    /// Waits until `end(Step::Look)` finds something: a few pauses, a few yields with a pass each, then asleep.
    ///
    /// # Errors
    ///
    /// When the deadline has passed, or the engine is poisoned.
    pub(crate) fn wait<R>(
        &self,
        parker: &Arc<Parker>,
        deadline: Option<Deadline>,
        what: For,
        mut end: impl FnMut(Step) -> Option<R>,
    ) -> Result<R, Unfinished> {
        if let Some(found) = self.spin(what, &mut end) {
            return Ok(found);
        }
        let mut ticket = None;
        let result = loop {
            parker.arm();
            self.list(&mut ticket, parker, what);
            end(Step::Arm);
            if !what.is_locked() {
                // Pairs with the light barriers of all who publish: they see us armed, or the last look sees it.
                heavy!("wait.heavy");
                self.kick();
            }
            if let Some(found) = self.look_at_last(what, &mut end) {
                parker.disarm();
                self.take_baton();
                break found;
            }
            let in_time = parker.sleep(deadline);
            if !in_time {
                parker.disarm();
            }
            self.take_baton();
            if let Some(found) = end(Step::Look) {
                break Ok(found);
            }
            if !in_time || deadline.is_some_and(Deadline::has_passed) {
                break Err(Unfinished::Timeout);
            }
        };
        self.unlist(&mut ticket);
        result
    }

    /// The part of a wait that does not sleep. With passes by hand there is nothing to be gained by it.
    fn spin<R>(&self, what: For, end: &mut impl FnMut(Step) -> Option<R>) -> Option<R> {
        if let Drive::Manual(_) = self.drive {
            return end(Step::Look);
        }
        if let For::Message { pace, .. } = what {
            for _ in 0..pace {
                (0..4).for_each(|_| sync::pause());
                if let Some(found) = end(Step::Look) {
                    return Some(found);
                }
            }
        }
        for round in 0..PAUSES + YIELDS {
            self.drive_for(what);
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

    /// As [`wait`](Self::wait), for a task: a poll of it, which has looked and found nothing. Ends with a waker
    /// left where it is heard of, or ready.
    ///
    /// # Errors
    ///
    /// When the engine is poisoned.
    #[inline]
    pub(crate) fn poll<R>(
        self: &Arc<Self>,
        doze: &mut Doze,
        parker: &Arc<Parker>,
        cx: &Context<'_>,
        what: For,
        end: impl FnMut(Step) -> Option<R>,
    ) -> Poll<Result<R, Unfinished>> {
        if doze.is_sound(cx) {
            return Poll::Pending;
        }
        if doze.yields < TASK_YIELDS.min(1) && matches!(what, For::Message { at_once: false, .. }) {
            return doze.yield_now(cx);
        }
        self.poll_on(doze, parker, cx, what, end)
    }

    /// As [`poll`](Self::poll), with a pass.
    #[cold]
    fn poll_on<R>(
        self: &Arc<Self>,
        doze: &mut Doze,
        parker: &Arc<Parker>,
        cx: &Context<'_>,
        what: For,
        mut end: impl FnMut(Step) -> Option<R>,
    ) -> Poll<Result<R, Unfinished>> {
        self.drive_for(what);
        if let Some(found) = end(Step::Look) {
            doze.end();
            return Poll::Ready(Ok(found));
        }
        // A sleep that costs little is better than to keep an executor busy.
        let is_fenced = what.is_fenced() && parker.has_fences();
        let yields = if is_fenced || what.is_locked() { 1 } else { TASK_YIELDS };
        if doze.yields < yields.min(TASK_YIELDS) && self.may_yield() {
            return doze.yield_now(cx);
        }
        let place = doze.place(self, parker);
        parker.arm_for(cx.waker());
        self.list(&mut place.ticket, parker, what);
        end(Step::Arm);
        if is_fenced {
            // Pairs with the fences of all who publish, which an earlier barrier has told of them.
            fence!("wait.task.fence", SeqCst);
        } else if !what.is_locked() {
            // As in `wait`.
            heavy!("wait.task.heavy");
            parker.has_told_of_fences();
        }
        if !what.is_locked() {
            self.kick();
        }
        match self.look_at_last(what, &mut end) {
            Some(found) => {
                doze.end();
                Poll::Ready(found)
            }
            None => Poll::Pending,
        }
    }

    /// The look before the sleep. When the engine is at its end, nothing that comes later would be heard of.
    fn look_at_last<R>(
        &self,
        what: For,
        end: &mut impl FnMut(Step) -> Option<R>,
    ) -> Option<Result<R, Unfinished>> {
        if let Some(found) = end(Step::Look) {
            return Some(Ok(found));
        }
        if !self.is_poisoned() {
            return None;
        }
        // Once more, for what came between that look and the end.
        match end(Step::Look) {
            Some(found) => Some(Ok(found)),
            None if what == For::Turn && self.board.topology.is_shut() => None,
            None => Some(Err(Unfinished::Poisoned)),
        }
    }

    /// Whether it is worth looking again. With passes by hand nothing is to be gained by it, nor when there are none.
    fn may_yield(&self) -> bool {
        !matches!(self.drive, Drive::Manual(_)) && !self.is_poisoned()
    }

    /// Runs a pass on behalf of one who waits, as the drive allows.
    pub(crate) fn drive_for(&self, what: For) {
        match what {
            For::Answer => {}
            what if what.drives() => self.pass_if_free(),
            _ => self.drive(),
        }
    }

    /// Puts a sleeper among those whom the clock wakes, if it waits for that.
    fn list(&self, ticket: &mut Option<Ticket>, parker: &Arc<Parker>, what: For) {
        // Woken by something else, it may still stand there.
        self.unlist(ticket);
        let Board { waiters, clock, .. } = &*self.board;
        *ticket = match what {
            For::Message { .. } | For::Mark => None,
            For::Event | For::Turn | For::Stamp => Some(waiters.add(parker, 0)),
            For::Number(number) if number > clock.now() => Some(waiters.add(parker, number)),
            // It is something else that is waited for; but the engine may close.
            For::Number(_) | For::Answer | For::State => Some(waiters.add_for_the_end(parker)),
        };
    }

    fn unlist(&self, ticket: &mut Option<Ticket>) {
        if let Some(ticket) = ticket.take() {
            self.board.waiters.remove(ticket);
        }
    }
}

impl Doze {
    /// Nobody has woken it since it went to sleep, so there is nothing to be found.
    #[inline]
    fn is_sound(&self, cx: &Context<'_>) -> bool {
        self.place.as_ref().is_some_and(|place| place.parker.is_armed_for(cx.waker()))
    }

    /// To be polled again, behind whatever else the executor has to do.
    fn yield_now<R>(&mut self, cx: &Context<'_>) -> Poll<R> {
        self.yields += 1;
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn place(&mut self, shared: &Arc<Shared>, parker: &Arc<Parker>) -> &mut Place {
        if self.place.as_ref().is_some_and(|place| !Arc::ptr_eq(&place.parker, parker)) {
            self.place = None;
        }
        self.place.get_or_insert_with(|| Place {
            shared: shared.clone(),
            parker: parker.clone(),
            ticket: None,
        })
    }

    /// It sleeps no more.
    #[inline]
    pub(crate) fn end(&mut self) {
        self.yields = 0;
        self.place = None;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.shared.unlist(&mut self.ticket);
        self.parker.give_up();
    }
}
