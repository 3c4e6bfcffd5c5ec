//! The writing end of a lane.

use super::{Lane, drop_quietly, go_on_with};
use crate::error::Reason;
use crate::lane::{AfterGone, LaneState};
use crate::sync::atomic::AtomicU64;
use crate::sync::{Arc, Ordering::Relaxed, UnsafeCell};
use crate::tap::Tap;
use std::mem::{MaybeUninit, needs_drop};

/// The writing end of a lane.
pub(crate) struct Producer<T> {
    lane: Arc<Lane<T>>,
    /// The next position to write. Ahead of the published tail between `push` and `publish`.
    tail: u64,
    /// Positions below are free. Can be stale: too low, never too high.
    limit: u64,
    /// The receiver has gone, and what was in the lane is settled: no more room.
    closed: bool,
    /// The consumers of a lane that has several.
    heads: Heads,
}

/// What the producer knows of its consumers.
#[derive(Default)]
struct Heads {
    taps: Vec<Arc<Tap>>,
    /// The generation of the list that this was.
    generation: u64,
}

impl<T> Producer<T> {
    /// The writing end. At most one is ever made for a lane, by whoever made the lane.
    pub(crate) fn new(lane: Arc<Lane<T>>) -> Self {
        Self { lane, tail: 0, limit: 0, closed: false, heads: Heads::default() }
    }

    pub(crate) fn lane(&self) -> &Arc<Lane<T>> {
        &self.lane
    }

    #[inline]
    pub(crate) fn state(&self) -> &LaneState {
        &self.lane.state
    }

    pub(crate) fn tail(&self) -> u64 {
        self.tail
    }

    /// Writes a value where nobody sees it yet; gives it back if the lane is full.
    #[inline]
    pub(crate) fn push(&mut self, value: T) -> Result<(), T> {
        if !self.has_room() {
            return Err(value);
        }
        self.lane.slot(self.tail).with_mut(|slot| {
            // SAFETY: tail < limit ≤ head + capacity, so this slot holds no value (I1, I3) and is the
            // producer's, of which there is one, borrowed mutably.
            unsafe { (*slot).write(value) };
        });
        self.tail += 1;
        Ok(())
    }

    /// Writes values where nobody sees them yet, up to `max`, as long as there is room. True if there are no more.
    #[inline]
    pub(crate) fn fill(&mut self, values: &mut impl Iterator<Item = T>, max: u64) -> bool {
        if !self.has_room() {
            return false;
        }
        let slots = self.lane.slots();
        for _ in 0..max.min(self.limit - self.tail) {
            let Some(value) = values.next() else { return true };
            slots.at(self.tail).with_mut(|slot| {
                // SAFETY: as in `push`: the turns of the loop are no more than what is free up to the limit.
                unsafe { (*slot).write(value) };
            });
            self.tail += 1;
        }
        false
    }

    #[inline]
    pub(crate) fn has_room(&mut self) -> bool {
        // Possibly full: look again where the receiver is.
        self.tail < self.limit || self.find_room()
    }

    /// Looks again where the receiver is; false if the lane is really full.
    #[cold]
    pub(crate) fn find_room(&mut self) -> bool {
        if self.closed {
            return false;
        }
        if self.limit == 0 {
            self.allocate();
        }
        self.reclaim();
        self.limit = self.lane.state.head() + self.lane.capacity as u64;
        self.tail < self.limit
    }

    /// How many values there is room for, as of the last look.
    pub(crate) fn room(&self) -> u64 {
        self.limit.saturating_sub(self.tail)
    }

    fn allocate(&self) {
        let slots =
            (0..self.lane.capacity).map(|_| UnsafeCell::new(MaybeUninit::uninit())).collect();
        self.lane.slots.with_mut(|empty| {
            // SAFETY: nothing was published yet (limit is 0 only before the first message), so the consumer
            // has no grant and does not look; there is one producer, borrowed by its only owner.
            unsafe { *empty = slots };
        });
    }

    /// In a lane with several consumers: drops what they have all passed.
    pub(crate) fn reclaim(&mut self) {
        let Some(taps) = &self.lane.taps else { return };
        let head = self.lane.state.head();
        let free = self.heads.free_to(&self.lane.state, &taps.generation, |known| {
            let mut list = taps.list.lock();
            list.retain(|tap| tap.held_from().is_some());
            known.clone_from(&list);
        });
        if free <= head {
            return;
        }
        // First no longer counted as there, then dropped: a panic leaves nothing to be dropped twice.
        self.lane.state.taken_back(free);
        if !needs_drop::<T>() {
            return;
        }
        let mut panic = None;
        for position in head..free {
            // SAFETY: the slot holds a value (I1) that is stamped and that every consumer has passed or will never read
            // (I4), so it is the producer's, of which there is one; the head has just been moved past it.
            drop_quietly(unsafe { self.lane.take(position) }, &mut panic);
        }
        go_on_with(panic);
    }

    /// The consumer that is furthest behind, and its head.
    pub(crate) fn slowest(&self) -> Option<(Arc<Tap>, u64)> {
        let list = self.lane.taps.as_ref()?.list.lock();
        let heads = list.iter().filter_map(|tap| Some((tap, tap.position()?)));
        let (tap, head) = heads.min_by_key(|&(_, head)| head)?;
        Some((tap.clone(), head))
    }

    /// How far the one that is furthest behind is behind.
    pub(crate) fn behind(&self) -> u64 {
        self.slowest().map_or(0, |(_, head)| self.tail - head)
    }

    /// Makes all that was pushed visible, and returns the lane's attention.
    #[inline]
    pub(crate) fn publish(&self) -> u32 {
        self.lane.state.publish(self.tail);
        self.lane.state.attention()
    }

    /// After GONE: takes back what is not left to the receiver, in order, of the `count` published last. What else
    /// is still there (held for its number, which it then got) counts as sent: it goes to `unread`, to be dropped where
    /// no lock is held.
    pub(crate) fn take_back(&mut self, count: usize, unread: &mut Vec<T>) -> Vec<T> {
        match self.lane.state.after_gone() {
            AfterGone::LeftToReceiver => Vec::new(),
            AfterGone::TakeBack { from } => self.take_from(from, count, unread),
        }
    }

    /// After DRAINED: as [`take_back`](Self::take_back), where the receiver has drained to `head`.
    pub(crate) fn take_from(&mut self, head: u64, count: usize, unread: &mut Vec<T>) -> Vec<T> {
        // First no longer counted as there, then moved out: nothing in between can panic.
        self.lane.state.taken_back(self.tail);
        // SAFETY: the receiver has drained to `head` and touches nothing any more (DRAINED, Acquire), so what is
        // left in head..tail holds values (I1) that are ours; the head has just been moved past them.
        let mut values: Vec<T> =
            (head..self.tail).map(|position| unsafe { self.lane.read(position) }).collect();
        let returned = values.split_off(values.len().saturating_sub(count));
        unread.append(&mut values);
        returned
    }

    /// When it was ended from outside: takes back what it has published from `position` on, in order, the last `count`
    /// of it; what else is there goes to `unread`. None if there is nothing, or the receiver had left before: then that
    /// settles it.
    pub(crate) fn take_fenced(
        &mut self,
        position: u64,
        count: usize,
        unread: &mut Vec<T>,
    ) -> Option<Vec<T>> {
        if position >= self.tail || !self.lane.state.take_from(position) {
            return None;
        }
        let end = self.tail;
        self.tail = position;
        // First no longer counted as there, then moved out: nothing in between can panic.
        self.lane.state.publish(self.tail);
        // SAFETY: they were published (I1); nobody hands them out, since the lane, or its order, ends before them;
        // and a receiver that leaves drains no further than to `position` (TAKEN, `drain_end`). So they are ours, and
        // the tail has just been moved before them.
        let read = |at| unsafe { self.lane.read(at) };
        let mut values: Vec<T> = (position..end).map(read).collect();
        let returned = values.split_off(values.len().saturating_sub(count));
        unread.append(&mut values);
        Some(returned)
    }

    /// Why nothing can be sent any more.
    pub(crate) fn reason(&self) -> Reason {
        if self.lane.state.is_fenced() { Reason::Fenced } else { Reason::Closed }
    }

    /// When the engine was closed: takes back those of the `count` published last that will never have a number, in
    /// order.
    pub(crate) fn take_unnumbered(&mut self, count: usize) -> Vec<T> {
        self.close();
        let from = self.tail.saturating_sub(count as u64).max(self.lane.state.numbered_at_last());
        let end = self.tail;
        self.tail = from.min(end);
        // First no longer counted as there, then moved out: nothing in between can panic.
        self.lane.state.publish(self.tail);
        // SAFETY: they were published (I1); nobody will hand them out (CLOSED: no pass runs any more), and a
        // receiver that leaves drains no further than what is numbered (`drain_end`). So they are ours, and the
        // tail has just been moved before them.
        (self.tail..end).map(|position| unsafe { self.lane.read(position) }).collect()
    }

    /// When the engine is poisoned: takes back the last value, which is held and will never have a number.
    ///
    /// To be called under HOLD, which then stays for ever: a receiver that leaves drops everything but that value.
    pub(crate) fn take_last(&mut self) -> T {
        self.close();
        self.tail -= 1;
        self.lane.state.publish(self.tail);
        // SAFETY: it was published (I1), nobody will hand it out (no pass runs any more), and a drain leaves the
        // last value alone (HOLD; or, by the tail just published, does not know of it). So it is ours.
        unsafe { self.lane.read(self.tail) }
    }

    /// Nothing more will be written. Idempotent.
    pub(crate) fn end(&mut self) {
        self.close();
        self.lane.state.end(self.tail);
    }

    /// There is no room from now on.
    pub(crate) fn close(&mut self) {
        self.closed = true;
        self.limit = 0;
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }
}

impl Heads {
    /// Up to where all consumers have passed: no further than what is stamped, for who joins begins there.
    fn free_to(
        &mut self,
        lane: &LaneState,
        generation: &AtomicU64,
        refresh: impl Fn(&mut Vec<Arc<Tap>>),
    ) -> u64 {
        loop {
            let heads = self.taps.iter().filter_map(|tap| tap.held_from());
            let free = heads.fold(lane.stamped(), u64::min);
            // After the heads, which were acquired. Relaxed: a newcomer that may read below what we have seen was
            // taken in before those numbers were given, and so before those heads came to be.
            let now = generation.load(Relaxed);
            if now == self.generation {
                return free;
            }
            self.generation = now;
            refresh(&mut self.taps);
        }
    }
}
