//! Sleeping until somebody says that it is worth looking again.
//!
//! A [`Parker`] belongs to one end that may have to wait: a receiver, or the sender of a lane. Who sleeps there is a
//! thread, or a task that leaves its waker. There is one way to wait, for all of them (`drive/wait.rs` has the loop):
//!
//! ```text
//! sleeper                                waker
//!   armed = true                           publish (a tail, an entry, a head, the clock)
//!   set WANT on the lanes that matter      light barrier
//!   heavy barrier                          armed?  swap(false) was true → notify
//!   kick, and look once more
//!   nothing → sleep while armed
//! ```
//!
//! *If the waker's read of `armed` comes before the sleeper's store*, the heavy barrier orders the publication
//! before the sleeper's last look, which finds it. *Otherwise* the waker sees `armed` and notifies. Either way the
//! sleeper does not sleep through a publication.
//!
//! `armed` carries no data of its own: whoever wakes looks again at what was published.
//!
//! *Fences.* A task that waits for messages may sleep after each of them: a heavy barrier each time would cost more
//! than all the rest. So it asks those who wake it to pass a fence in place of their light barrier (senders by a
//! bit of their attention, whoever looks at `armed` by `fences`), and tells them so by one heavy barrier. From then
//! on its own side of the barrier is a fence, too.
//!
//! *Tasks.* A waker is left behind a short lock, before `armed`, and taken out by whoever has taken `armed`. Between
//! these two the task may have left another: then that one is woken, too early, for what the first was to hear of, and
//! the flag that stands meanwhile wakes nobody. That is as good: the task looks again after any wake-up, and leaves a
//! waker and the flag together. Foreign code (a waker's `wake`, `clone` and `drop`) runs outside the lock.

use std::task::Waker;
use std::time::{Duration, Instant};

use crate::sync::atomic::{AtomicBool, AtomicU8};
use crate::sync::{Ordering::Relaxed, Signal};

/// Where one end of the engine sleeps.
#[derive(Default)]
pub(crate) struct Parker {
    /// Written by the sleeper (true) and by whoever takes it (false).
    armed: AtomicBool,
    /// Whether whoever looks at `armed` is to pass a fence before. Written by the sleeper.
    fences: AtomicU8,
    signal: Signal,
}

/// In `fences`: they are asked for, but some may not know it yet;
const ASKED: u8 = 1;
/// all who were asked have been told.
const TOLD: u8 = 2;

impl Parker {
    /// The calling thread is about to sleep here. To be followed by a heavy barrier and a last look.
    pub(crate) fn arm(&self) {
        drop(self.signal.attach(None));
        self.set();
    }

    /// A task is about to sleep here. To be followed by a heavy barrier and a last look.
    pub(crate) fn arm_for(&self, waker: &Waker) {
        drop(self.signal.attach(Some(waker.clone())));
        self.set();
    }

    fn set(&self) {
        // Relaxed: a waker that takes the flag finds this sleeper attached, because it takes the signal's lock after
        // the flag. By swap, because wakers swap it: a plain store is not ordered among their read-modify-writes.
        self.armed.swap(true, Relaxed);
    }

    /// Whether the task of this waker sleeps here, and nobody has woken it since.
    pub(crate) fn is_armed_for(&self, waker: &Waker) -> bool {
        self.is_armed() && self.signal.is_for(waker)
    }

    /// A task sleeps here no more: its waker is dropped.
    pub(crate) fn give_up(&self) {
        // Relaxed: a task is handed nothing with the flag.
        self.armed.swap(false, Relaxed);
        drop(self.signal.detach());
    }

    /// The sleeper has found what it looked for.
    pub(crate) fn disarm(&self) {
        // Acquire: pairs with `wake`: if a waker was faster, what it asked of the sleeper (the baton) is seen.
        self.armed.swap(false, ord!("park.disarm", Acquire));
    }

    /// Whether anyone may sleep here. Meaningful after a light barrier.
    #[inline]
    pub(crate) fn is_armed(&self) -> bool {
        // Relaxed, both: the barriers of both sides order these loads.
        if self.fences.load(Relaxed) != 0 {
            // Pairs with the fence of a task that goes to sleep here: it sees what was published, or we see it armed.
            fence!("park.fence", SeqCst);
        }
        self.armed.load(Relaxed)
    }

    /// The task that sleeps here relies on fences, also on some that it asks for just now (`new`). To be followed by a
    /// heavy barrier unless it [has them](Self::has_fences).
    pub(crate) fn ask_for_fences(&self, new: bool) {
        // Relaxed, here and below: only the sleeper reads what it has written; for others the barrier orders it.
        if new || self.fences.load(Relaxed) == 0 {
            self.fences.store(ASKED, Relaxed);
        }
    }

    /// The heavy barrier has been passed.
    pub(crate) fn has_told_of_fences(&self) {
        if self.fences.load(Relaxed) == ASKED {
            self.fences.store(TOLD, Relaxed);
        }
    }

    /// Whether all that were asked for are passed.
    pub(crate) fn has_fences(&self) -> bool {
        self.fences.load(Relaxed) == TOLD
    }

    /// Wakes whoever sleeps here; true if it is a thread. (A task may take its time, or have gone: nobody can rely on
    /// what it does next.)
    pub(crate) fn wake(&self) -> bool {
        // Release: pairs with `disarm` and `sleep`.
        self.armed.swap(false, ord!("park.take", Release)) && self.signal.notify()
    }

    /// Sleeps until woken (true) or until the deadline has passed (false).
    pub(crate) fn sleep(&self, deadline: Option<Deadline>) -> bool {
        loop {
            // Acquire: pairs with `wake`; see `disarm`. A false that is seen late costs one more turn.
            if !self.armed.load(ord!("park.slept", Acquire)) {
                return true;
            }
            if deadline.is_some_and(Deadline::has_passed) {
                return false;
            }
            self.signal.wait(deadline.map(|deadline| deadline.0), now);
        }
    }
}

/// The end of a bounded wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Deadline(Instant);

impl Deadline {
    /// The moment `timeout` from now; none if the clock cannot express it, which is further than anyone waits.
    pub(crate) fn after(timeout: Duration) -> Option<Self> {
        now().checked_add(timeout).map(Self)
    }

    /// Whether it comes first; none never comes.
    pub(crate) fn is_before(self, other: Option<Self>) -> bool {
        other.is_none_or(|other| self.0 < other.0)
    }

    pub(crate) fn has_passed(self) -> bool {
        now() >= self.0
    }
}

/// The only place that reads the system's clock.
pub(crate) fn now() -> Instant {
    Instant::now()
}
