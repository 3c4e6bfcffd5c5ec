//! A wait for room, as those who watch are told of it ([`trace`]).
//!
//! A [`Stall`] is made when somebody begins to wait, hears of the steps of the wait, and of its end. It tells nothing
//! until the wait comes to sleep: what is over after some looks is no stall. One that lasts is told as the fault of a
//! slow receiver, also while it lasts: the sleeper wakes, tells, and goes on to sleep, each time for twice as long.
//!
//! Without the feature `tracing` nothing of this is there; with it, where nobody watches, the question whether anyone
//! does.

use std::time::{Duration, Instant};

use crate::drive::{Shared, Step, Unfinished};
use crate::lane::LaneState;
use crate::park::{self, Deadline};
use crate::ring::Producer;
use crate::trace::{self, Label};

/// Who is waited for as long as this is slow.
const SLOW: Duration = Duration::from_millis(100);

/// See the module's documentation.
#[derive(Default)]
pub(crate) struct Stall {
    /// Since when it sleeps, and for whom.
    asleep: Option<(Instant, Option<Label>)>,
    has_complained: bool,
}

impl Stall {
    /// A step of the wait. `whom` finds who is waited for.
    #[inline]
    pub(crate) fn step(&mut self, step: Step, whom: impl FnOnce() -> Option<Label>) {
        if trace::ON && step == Step::Arm && self.asleep.is_none() && trace::watched() {
            let label = whom();
            trace::waits(label.as_ref());
            self.asleep = Some((park::now(), label));
        }
    }

    /// Waits by `wait`, which is called again if it lasts; `is_room` says whether what it found is room.
    ///
    /// # Errors
    ///
    /// Those of `wait`.
    #[inline]
    pub(crate) fn wait<R>(
        deadline: Option<Deadline>,
        is_room: impl FnOnce(&R) -> bool,
        mut wait: impl FnMut(&mut Self, Option<Deadline>) -> Result<R, Unfinished>,
    ) -> Result<R, Unfinished> {
        let mut stall = Self::default();
        if !trace::ON {
            return wait(&mut stall, deadline);
        }
        let mut patience = SLOW;
        let found = loop {
            let soon = if trace::watched() { Deadline::after(patience) } else { None };
            let first = soon.into_iter().chain(deadline).min();
            match wait(&mut stall, first) {
                Err(Unfinished::Timeout) if !deadline.is_some_and(Deadline::has_passed) => {
                    stall.complain();
                    patience *= 2;
                }
                found => break found,
            }
        };
        stall.end(found.as_ref().is_ok_and(is_room));
        found
    }

    fn complain(&mut self) {
        if let Some((since, Some(label))) = &self.asleep {
            trace::is_slow(label, park::now() - *since);
            self.has_complained = true;
        }
    }

    /// The wait is over.
    pub(crate) fn end(mut self, room: bool) {
        let Some((since, label)) = self.asleep.take() else { return };
        let waited = park::now() - since;
        trace::has_waited(label.as_ref(), waited, room);
        if let Some(label) = label.filter(|_| waited >= SLOW && !self.has_complained) {
            trace::is_slow(&label, waited);
        }
    }
}

/// Whom the author of a lane waits for.
pub(crate) fn holder_of<T>(shared: &Shared, producer: &Producer<T>) -> Option<Label> {
    let slowest = || producer.slowest().map(|(tap, _)| tap.whom.label());
    let reader = || slowest().unwrap_or_else(|| producer.state().whom.label());
    full_inbox(shared, producer.state()).or_else(reader)
}

/// Whose full inbox keeps what a lane or an outbox has from its number.
pub(crate) fn full_inbox(shared: &Shared, state: &LaneState) -> Option<Label> {
    let port = state.stalls.read().1?;
    shared.ports.find(|entry| (entry.port() == Some(port)).then(|| entry.label()))
}
