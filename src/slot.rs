//! Slots: the latest value of something, numbered on the clock.
//!
//! ```text
//!   Slot ─▶ Publisher ──put in, then numbered──▶ states ──▶ Latest, Latest, …      Cut: many slots at one number
//! ```
//!
//! What a slot is inside: [`latest`](crate::latest). A state is put in with its number if the core is free at that
//! moment: then the number is given while it is put in, before the clock comes to it. Otherwise it is put in first, and
//! its mark is submitted after that; so at a number all states up to it are there.
//!
//! *Reigns.* Under the slot's lock there is one publisher that may put states in. Whoever takes over submits the mark
//! of its reign under the same lock; marks are numbered in the order submitted, so everything of the reign before has
//! a lower number, and there is nothing that a reader would have to be kept from.

mod batch;
mod latest;
mod publication;
mod publisher;

use std::fmt;

use crate::clock::Seq;
use crate::drive::{Owed, Shared};
use crate::latest::{Freed, Panic, Stamp, States, Writing};
use crate::mark::{Mark, Place, Withdrawal};
use crate::pins::{Keeper, keeper};
use crate::ring::drop_quietly;
use crate::sync::atomic::AtomicUsize;
use crate::sync::{Arc, Ordering::Relaxed};
use crate::watch::Watch;
pub use batch::{Part, publish_all};
pub use latest::Latest;
pub use publication::Publication;
pub use publisher::Publisher;

/// What the handles of a slot share.
pub(crate) struct SlotState<T> {
    pub(crate) shared: Arc<Shared>,
    pub(crate) states: States<T>,
    watch: Arc<Watch>,
    /// Slots and publishers, which states can come from.
    sources: AtomicUsize,
}

impl<T: Send + Sync + 'static> SlotState<T> {
    /// Takes out what nobody needs. What nobody owns any more is returned, to be dropped outside of the lock.
    fn prune(self: &Arc<Self>, writing: &mut Writing<'_, T>) -> Freed<T> {
        let board = self.shared.board();
        let now = Seq::new(board.clock.now());
        let (mut sight, mut keeps) = (None, false);
        let mut freed = writing.prune(now, |from, to| {
            let is_kept = sight.get_or_insert_with(|| board.pins.look(&board.clock)).has(from, to);
            keeps |= is_kept;
            is_kept
        });
        if keeps && !std::mem::replace(writing.is_listed(), true) {
            board.pins.list(keeper(self));
            let sight = board.pins.look(&board.clock);
            freed.append(writing.prune(now, |from, to| sight.has(from, to)));
        }
        freed
    }

    /// Wakes those who wait for a state, which was given its number at once. There was a light barrier after that
    /// ([`Shared::mark_at_once_for`]): a sleeper sees the state, or we see it armed.
    #[inline]
    fn tell(&self) {
        if self.watch.is_armed() {
            self.watch.wake();
        }
    }

    fn join(self: &Arc<Self>) -> Arc<Self> {
        // Relaxed: whoever joins has one.
        self.sources.fetch_add(1, Relaxed);
        self.clone()
    }

    fn leave(&self) {
        // Release: who sees that none is left sees what all of them have put in.
        if self.sources.fetch_sub(1, ord!("slot.leave", Release)) == 1 {
            self.watch.wake();
        }
    }

    /// Whether nothing more can be put in. Whoever looks at the states after this sees all that was.
    fn is_closed(&self) -> bool {
        // Relaxed: the fence with which every visit of the states begins makes it pair with `leave`.
        self.sources.load(Relaxed) == 0
    }
}

impl<T: Send + Sync + 'static> Keeper for SlotState<T> {
    fn look_after(self: Arc<Self>, panic: &mut Panic) {
        let mut writing = self.states.write();
        *writing.is_listed() = false;
        let freed = self.prune(&mut writing);
        drop(writing);
        drop_quietly(freed, panic);
        // Its last owner, if all others have gone meanwhile.
        drop_quietly(self, panic);
    }
}

/// The latest value of something, for anyone to read: a configuration, a price, who leads. A handle; clones are of the
/// same slot.
///
/// A **publisher** puts in one state after the other, each with a number of the engine's clock; it never waits for
/// readers. A [`Latest`] reads the newest one that has its number, never waits for publishers, and never goes back.
/// Whoever receives a message, or reads the clock, at t reads a state that is no older than the newest with a number up
/// to t; a message that is sent after a state was published has a higher number. A [`Cut`](crate::Cut) reads many slots
/// at one number.
///
/// States are kept as long as somebody reads them: a slot holds the newest, those that wait for their numbers, and
/// those that a cut needs; also, until the next is put in, the one before a state that got its number from a pass. A
/// state is dropped by the last who held it: a reader, or the publisher, as a rule
/// while it publishes the next.
///
/// A slot at rest takes less than 300 bytes, with a small state.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let engine = mainspring::Engine::new();
/// let slot = engine.slot();
/// let (mut limits, mut limit) = (slot.publisher(), slot.latest());
/// let (mut orders, mut desk) = engine.channel();
/// assert!(limit.read().is_none());
///
/// limits.publish(100)?; // numbered before what is sent after it
/// orders.send("buy 70")?;
/// let (at, _) = desk.recv()?;
/// let state = limit.read().unwrap();
/// assert!(**state == 100 && state.seq() < at);
///
/// let mut second = slot.publisher(); // takes over
/// let refused = limits.publish(200).unwrap_err();
/// assert_eq!(refused.into_inner(), 200);
/// second.publish(50)?.stamp()?; // from its number on it is seen
/// assert_eq!(**limit.read().unwrap(), 50);
/// # Ok(()) }
/// ```
pub struct Slot<T: Send + Sync + 'static> {
    state: Arc<SlotState<T>>,
}

impl<T: Send + Sync + 'static> Slot<T> {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        let (states, watch) = (States::default(), Arc::default());
        let state = SlotState { shared, states, watch, sources: AtomicUsize::new(1) };
        Self { state: Arc::new(state) }
    }

    /// A publisher, from now on the only one: it **fences** the one before, if there was one, with a mark. What that
    /// has published has a lower number than the mark; what it publishes later comes back to it. Never waits: whoever
    /// goes on from the last state of the one before waits for a mark first.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let engine = mainspring::Engine::new();
    /// # let slot = engine.slot();
    /// # slot.publisher().publish(41)?;
    /// let (mut publisher, mut latest) = (slot.publisher(), slot.latest());
    /// engine.marker().mark()?; // whatever the one before has published has its number
    /// let next = latest.read().map_or(0, |last| **last + 1);
    /// publisher.publish(next)?;
    /// # assert_eq!(next, 42);
    /// # Ok(()) }
    /// ```
    pub fn publisher(&self) -> Publisher<T> {
        let Self { state } = self;
        let shared = &state.shared;
        let mut writing = state.states.write();
        let reign = writing.reign();
        reign.id += 1;
        let (id, batch) = (reign.id, reign.batch.take());
        let withdrawn = batch.filter(|mark| mark.withdraw(Withdrawal::Fenced));
        let (mut owed, mut kicks) = (Owed::default(), false);
        if id > 1 {
            let (seq, owed_now) = shared.mark_at_once_for(|_| true);
            owed = owed_now;
            writing.reign().began = Some(seq.map_or_else(
                || {
                    let mark = Mark::new(None, Place::Next);
                    kicks = shared.enlist(&mark);
                    Stamp::Mark(mark)
                },
                Stamp::Given,
            ));
        }
        drop(writing);
        shared.pay(owed);
        if kicks {
            shared.kick();
        }
        if let Some(mark) = withdrawn {
            mark.wake();
        }
        Publisher::new(state.join(), id)
    }

    /// A reader.
    pub fn latest(&self) -> Latest<T> {
        Latest::new(self.state.clone())
    }
}

impl<T: Send + Sync + 'static> Clone for Slot<T> {
    fn clone(&self) -> Self {
        Self { state: self.state.join() }
    }
}

impl<T: Send + Sync + 'static> Drop for Slot<T> {
    fn drop(&mut self) {
        self.state.leave();
    }
}

impl<T: Send + Sync + 'static> fmt::Debug for Slot<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slot").field("states", &self.state.states.len()).finish_non_exhaustive()
    }
}
