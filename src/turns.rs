//! A task's turns: one that always finds something gives way to the others of its executor now and then.
//!
//! A future that is ready at once does not come back to its executor. A task that awaits such futures in a loop would
//! keep its thread for itself: no timeout would fire beside it, no other task would run. So after a number of turns in
//! a row a future asks to be polled again, although there is something.

use std::task::{Context, Poll};

use crate::sync::Ordering::Relaxed;
use crate::sync::atomic::AtomicU32;

/// So many in a row, as in tokio's channels.
const TURNS: u32 = 128;

/// How many turns are left to whoever uses an end.
pub(crate) struct Turns(u32);

impl Default for Turns {
    fn default() -> Self {
        Self(TURNS)
    }
}

impl Turns {
    /// Before a look. Pending if it is time to give way.
    #[inline]
    pub(crate) fn poll(&mut self, cx: &Context<'_>) -> Poll<()> {
        if self.0 > 0 { Poll::Ready(()) } else { self.give_way(cx) }
    }

    #[cold]
    fn give_way(&mut self, cx: &Context<'_>) -> Poll<()> {
        *self = Self::default();
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// After a look: what it has found took a turn; nothing, and the next begins anew.
    #[inline]
    pub(crate) fn count<R>(&mut self, found: Poll<R>) -> Poll<R> {
        match found {
            Poll::Ready(_) => self.0 = self.0.saturating_sub(1),
            Poll::Pending => *self = Self::default(),
        }
        found
    }
}

/// The turns of an end that several use at once. Which of them had how many in a row nobody counts, so that one gives
/// way whose look is the last of so many.
#[derive(Default)]
pub(crate) struct SharedTurns(AtomicU32);

impl SharedTurns {
    /// Before a look. Pending if it is time to give way.
    #[inline]
    pub(crate) fn poll(&self, cx: &Context<'_>) -> Poll<()> {
        // Relaxed: a count.
        if self.0.fetch_add(1, Relaxed) % TURNS < TURNS - 1 {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
