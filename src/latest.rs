//! A latest-value slot: its states, the newest first, and those who read them while a newer one is put in.
//!
//! ```text
//!   head ──▶ pending ──▶ newest ──▶ kept for a cut ──▶ …        links: `before`
//!                          ▲
//!   inside [ 2 | 0 ]       └── who reads walks here, and counts itself as an owner of what it finds
//! ```
//!
//! *Who writes what.* The links are written by the holder of `writer`, a short lock that no foreign code runs under. A
//! state's number is given by the engine: at once, while the state is put in, or later, by its mark. Of a state whose
//! number is not known nobody but the writer touches the value.
//!
//! *Reading* is wait-free, and takes as many steps as there are states that wait for their numbers. One whose number is
//! not known is passed over; but its link may have been cut when its number had come, so the number is looked at again
//! after the link was read.
//!
//! *Giving back.* A state that was taken out of the row may still be walked over. Those who walk stand in one of two
//! counts, `inside`: what was taken out is let go of once each count has been seen at zero. New readers are sent to the
//! count that has been seen so, so the other one falls to zero, however many read. Of what was let go of the last owner
//! drops the value: a reader, or the writer, who has let go of its lock by then and uses the memory again. So no
//! destructor waits for strangers, none runs at a place that somebody else could be waiting for, and a slot that has
//! gone leaves nothing behind.
//!
//! *Orderings.* A reader counts itself, fences, reads links. The writer cuts links, fences, reads the counts. So it
//! sees the reader, or the reader does not see what was taken out.
//!
//! *Why no epochs.* An epoch keeps what was taken out until others pin again; one reader of anything that sleeps holds
//! up the garbage of all; and destructors run under somebody's pin. Two counts for each slot give back at once, and one
//! who sleeps inside holds up this slot's old states alone.
//!
//! *Source.* McKenney, "Sleepable RCU" (2006), for the two counts.

use std::fmt;
use std::mem::needs_drop;
use std::ops::Deref;
use std::ptr::{self, NonNull};

use crate::clock::Seq;
use crate::mark::Mark;
use crate::sync::atomic::{AtomicPtr, AtomicUsize};
use crate::sync::{Arc, Mutex, Ordering::Relaxed, UnsafeCell};

mod writer;

pub(crate) use writer::{Deposit, Freed, Panic, Writing};
use writer::{Writer, let_go};

/// Where a state's number comes from.
pub(crate) enum Stamp {
    /// It was there before the state.
    Given(Seq),
    /// It comes with this mark.
    Mark(Arc<Mark>),
}

impl Stamp {
    /// The number, if it is known.
    #[inline]
    pub(crate) fn seq(&self) -> Option<Seq> {
        match self {
            Self::Given(seq) => Some(*seq),
            Self::Mark(mark) => mark.outcome()?.ok(),
        }
    }
}

/// One state.
pub(crate) struct Node<T> {
    /// Its owners: the row, and every snapshot.
    owners: AtomicUsize,
    /// The one before it that is still in the row.
    before: AtomicPtr<Self>,
    /// Written before it is put in, when nobody can come to it.
    stamp: UnsafeCell<Stamp>,
    value: UnsafeCell<Option<T>>,
}

// SAFETY: of a shared node the value is only read; who writes it is the only owner.
unsafe impl<T: Send + Sync> Sync for Node<T> {}

impl<T> Node<T> {
    /// A state that is in no row.
    pub(crate) fn new(value: T) -> Box<Self> {
        Box::new(Self {
            owners: AtomicUsize::new(1),
            before: AtomicPtr::new(ptr::null_mut()),
            stamp: UnsafeCell::new(Stamp::Given(Seq::ZERO)),
            value: UnsafeCell::new(Some(value)),
        })
    }

    fn stamp(&self) -> &Stamp {
        self.stamp.with(|stamp| {
            // SAFETY: written by the only owner alone (`put`), when nobody walks over it.
            unsafe { &*stamp }
        })
    }

    /// A state that is in no row, in this memory if there is any.
    pub(crate) fn reuse(spare: &mut Option<Box<Self>>, value: T) -> Box<Self> {
        match spare.take() {
            Some(mut node) => {
                node.fill(value);
                node
            }
            None => Self::new(value),
        }
    }

    #[expect(clippy::needless_pass_by_ref_mut, reason = "the only owner may write")]
    fn replace_stamp(self: &mut Box<Self>, stamp: Stamp) -> Stamp {
        self.stamp.with_mut(|place| {
            // SAFETY: the box is the only owner, as the exclusive borrow says.
            let place = unsafe { &mut *place };
            std::mem::replace(place, stamp)
        })
    }

    /// A value for a node that has none, or one that needs no drop.
    #[expect(clippy::needless_pass_by_ref_mut, reason = "the only owner may write")]
    fn fill(self: &mut Box<Self>, value: T) {
        self.value.with_mut(|place| {
            // SAFETY: the box is the only owner, as the exclusive borrow says.
            unsafe { *place = Some(value) }
        });
    }

    /// The value, if it has a destructor.
    #[expect(clippy::needless_pass_by_ref_mut, reason = "the only owner may write")]
    fn empty(self: &mut Box<Self>) -> Option<T> {
        if !needs_drop::<T>() {
            return None;
        }
        self.value.with_mut(|place| {
            // SAFETY: the box is the only owner, as the exclusive borrow says.
            unsafe { &mut *place }.take()
        })
    }
}

/// See the module's documentation.
pub(crate) struct States<T> {
    head: AtomicPtr<Node<T>>,
    /// Which count a reader stands in. Written by the writer.
    phase: AtomicUsize,
    /// Readers that walk.
    inside: [AtomicUsize; 2],
    writer: Mutex<Writer<T>>,
}

impl<T> Default for States<T> {
    fn default() -> Self {
        Self {
            head: AtomicPtr::new(ptr::null_mut()),
            phase: AtomicUsize::new(0),
            inside: [AtomicUsize::new(0), AtomicUsize::new(0)],
            writer: Mutex::new(Writer::default()),
        }
    }
}

impl<T> States<T> {
    /// The newest state that has its number.
    pub(crate) fn newest(&self) -> Option<Snapshot<T>> {
        self.find(|stamp| stamp.seq().is_some())
    }

    /// The newest state with a number up to `at`. The caller has a pin there, or has seen that number.
    pub(crate) fn at(&self, at: Seq) -> Option<Snapshot<T>> {
        self.find(|stamp| stamp.seq().is_some_and(|seq| seq <= at))
    }

    fn find(&self, is_it: impl Fn(&Stamp) -> bool) -> Option<Snapshot<T>> {
        let _visit = Visit::new(self);
        // Acquire: pairs with `put`.
        let mut place = self.head.load(ord!("latest.head.read", Acquire));
        loop {
            // SAFETY: a node that is reached by a link read during a visit is not freed before the visit ends, which
            // the writer sees to.
            let node = unsafe { place.as_ref() }?;
            if is_it(node.stamp()) {
                break;
            }
            // Acquire: pairs with `put` and with `cut`: if what was before it has gone, its number is seen below.
            let before = node.before.load(ord!("latest.before.read", Acquire));
            if is_it(node.stamp()) {
                break;
            }
            place = before;
        }
        Some(self.own(NonNull::new(place)?))
    }

    /// Another owner of a node that is being visited.
    fn own(&self, place: NonNull<Node<T>>) -> Snapshot<T> {
        // SAFETY: it is being visited, so the row owns it still, or has not let go of it.
        let node = unsafe { place.as_ref() };
        // Relaxed: there is an owner, who does not let go before this visit is over.
        node.owners.fetch_add(1, Relaxed);
        Snapshot { place }
    }

    /// Whether this is the head: then it is the newest that has its number.
    #[inline]
    pub(crate) fn is_head(&self, snapshot: &Snapshot<T>) -> bool {
        // Relaxed: only compared. An owned node's memory is not used again.
        ptr::eq(self.head.load(Relaxed), snapshot.place.as_ptr())
    }

    /// Whether a state was put in that waits for its number. The caller knows that nobody puts in any more.
    pub(crate) fn is_pending(&self) -> bool {
        let _visit = Visit::new(self);
        // Relaxed: the caller has synchronised with those who have put in.
        let place = self.head.load(Relaxed);
        // SAFETY: as in `find`.
        let node = unsafe { place.as_ref() };
        node.is_some_and(
            |node| matches!(node.stamp(), Stamp::Mark(mark) if mark.outcome().is_none()),
        )
    }

    /// To put states in and take them out, one writer at a time. For a short while, and no foreign code meanwhile.
    pub(crate) fn write(&self) -> Writing<'_, T> {
        Writing::new(self)
    }
}

impl<T> Drop for States<T> {
    /// Nobody walks any more: all that are left are let go of.
    fn drop(&mut self) {
        let mut freed = self.writer.lock().take_all();
        // Relaxed: nobody else is left; whoever was has synchronised with this drop.
        let mut place = self.head.load(Relaxed);
        // SAFETY: the nodes of the row, which is their owner till here.
        while let Some(node) = unsafe { place.as_ref() } {
            // Relaxed: as above.
            let before = node.before.load(Relaxed);
            // SAFETY: the row lets go of it once, here: it is walked once, and nobody walks it again.
            freed.extend(unsafe { let_go(NonNull::from(node)) });
            place = before;
        }
    }
}

/// A reader that walks. While it does, nothing that it can come to is freed.
struct Visit<'a> {
    inside: &'a AtomicUsize,
}

impl<'a> Visit<'a> {
    #[inline]
    fn new<T>(states: &'a States<T>) -> Self {
        // Relaxed: either count will do.
        let inside = &states.inside[states.phase.load(Relaxed)];
        // Relaxed: see the fence.
        inside.fetch_add(1, Relaxed);
        // Pairs with the writer's: it sees us inside, or we do not see what it has taken out.
        fence!("latest.enter", SeqCst);
        Self { inside }
    }
}

impl Drop for Visit<'_> {
    #[inline]
    fn drop(&mut self) {
        // Release: pairs with the writer's look at the count: what we have read is over, and owned what we keep.
        self.inside.fetch_sub(1, ord!("latest.leave", Release));
    }
}

/// A state of a slot, and its number. It owns a share: the state lives as long as anybody has a snapshot of it, and its
/// last owner drops it. Clones are of the same state.
pub struct Snapshot<T> {
    place: NonNull<Node<T>>,
}

// SAFETY: it shares the value, and may be the one that drops it, like an `Arc`.
unsafe impl<T: Send + Sync> Send for Snapshot<T> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync> Sync for Snapshot<T> {}

impl<T> Snapshot<T> {
    fn node(&self) -> &Node<T> {
        // SAFETY: this is one of its owners; nobody but the last writes to it.
        unsafe { self.place.as_ref() }
    }

    /// Its number.
    #[inline]
    pub fn seq(&self) -> Seq {
        self.node().stamp().seq().expect("a state without a number is not read")
    }
}

impl<T> Deref for Snapshot<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        let value = self.node().value.with(|value| {
            // SAFETY: the value of a state that has its number is only read, until its last owner has gone.
            unsafe { &*value }
        });
        value.as_ref().expect("a state has its value as long as it has owners")
    }
}

impl<T> Clone for Snapshot<T> {
    fn clone(&self) -> Self {
        // Relaxed: this one is an owner, and stays.
        self.node().owners.fetch_add(1, Relaxed);
        Self { place: self.place }
    }
}

impl<T> Drop for Snapshot<T> {
    fn drop(&mut self) {
        // SAFETY: it was an owner, and is not used again.
        drop(unsafe { let_go(self.place) });
    }
}

impl<T: fmt::Debug> fmt::Debug for Snapshot<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot").field("seq", &self.seq()).field("value", &**self).finish()
    }
}
