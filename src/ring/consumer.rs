//! The reading end of a lane: of its one receiver, or of one member of a group.

use std::any::Any;
use std::marker::PhantomData;
use std::ops::Deref;

use super::{Lane, drop_quietly};
use crate::lane::LaneState;
use crate::sync::Arc;
use crate::tap::Tap;

/// The reading end of a lane.
pub(crate) struct Consumer<T> {
    lane: Arc<Lane<T>>,
    /// The next position to read.
    head: u64,
    /// Positions below may be read.
    granted: u64,
    /// The head as published.
    published: u64,
    /// In a batch slots go back when there are so many.
    quarter: u64,
    /// In a lane with several consumers: the place of this one.
    tap: Option<Arc<Tap>>,
    /// Messages that it was given and must not read, because it has been removed.
    missed: u64,
    /// It has asked the sender for a fence after each publication.
    has_fences: bool,
}

impl<T> Consumer<T> {
    /// The reading end. At most one is ever made for a lane, or for a tap of it, by its receiver.
    pub(crate) fn new(lane: Arc<Lane<T>>, tap: Option<Arc<Tap>>) -> Self {
        let quarter = (lane.capacity as u64).div_ceil(4);
        let head = tap.as_ref().map_or(0, |tap| tap.start());
        Self {
            lane,
            head,
            granted: head,
            published: head,
            quarter,
            tap,
            missed: 0,
            has_fences: false,
        }
    }

    pub(crate) fn state(&self) -> &LaneState {
        &self.lane.state
    }

    /// Asks the sender for a fence after each publication. To be followed by a heavy barrier if that is new (true): of
    /// one that another member of a group asked for nothing is known.
    pub(crate) fn ask_for_fences(&mut self) -> bool {
        let is_new = !std::mem::replace(&mut self.has_fences, true);
        if is_new {
            self.state().ask_for_fences();
        }
        is_new
    }

    /// Allows `len` messages more to be read. The caller has met a run that names them (I2).
    #[inline]
    pub(crate) fn grant(&mut self, len: u64) {
        self.granted += len;
        debug_assert!(
            self.tap.is_some() || self.granted - self.published <= self.lane.capacity as u64,
            "a run beyond what the lane can hold"
        );
    }

    pub(crate) fn granted(&self) -> u64 {
        self.granted
    }

    /// Moves the next message out, or a clone of it, if the run has one left; with what `count` says, which is
    /// called when it is counted as taken.
    #[inline]
    pub(crate) fn take<N>(&mut self, count: impl FnOnce() -> N) -> Option<(N, T)> {
        if self.head == self.granted {
            return None;
        }
        if self.tap.is_some() {
            return self.take_clone(count);
        }
        // SAFETY: head < granted, so the slot was published (I2) and not yet read (I1); there is one consumer,
        // borrowed mutably, and the next line counts it as taken; nothing in between can panic.
        let value = unsafe { self.lane.read(self.head) };
        self.head += 1;
        Some((count(), value))
    }

    /// As [`take`](Self::take), in a lane with several consumers. None, and nothing more in the run, if it was removed.
    #[inline]
    fn take_clone<N>(&mut self, count: impl FnOnce() -> N) -> Option<(N, T)> {
        let Self { lane, head, tap: Some(tap), .. } = self else { return None };
        if !tap.begin(*head) {
            self.miss();
            return None;
        }
        Some(lane.clone_at(tap, head, count))
    }

    /// Whether the run has a message left, which then is to be lent at once.
    #[inline]
    pub(crate) fn begin_lending(&mut self) -> bool {
        if self.head == self.granted {
            return false;
        }
        let may = self.tap.as_ref().is_none_or(|tap| tap.begin(self.head));
        if !may {
            self.miss();
        }
        may
    }

    /// Lends the next message, after [`begin_lending`](Self::begin_lending) has said that it may. It counts as taken.
    ///
    /// # Panics
    ///
    /// If the run has none left.
    #[inline]
    pub(crate) fn lend(&mut self) -> Lent<'_, T> {
        assert!(self.head < self.granted, "nothing to lend");
        self.head += 1;
        Lent { consumer: self, of: PhantomData }
    }

    /// The member was removed: what is left of the run is not for it.
    #[cold]
    fn miss(&mut self) {
        let missed = self.granted - self.head;
        self.missed += missed;
        self.head = self.granted;
        if let Some(tap) = &self.tap {
            tap.miss(missed);
        }
        self.give_back();
    }

    /// How many messages it was not allowed to read, since this was last asked.
    pub(crate) fn take_missed(&mut self) -> u64 {
        std::mem::take(&mut self.missed)
    }

    #[inline]
    pub(crate) fn has_more(&self) -> bool {
        self.head != self.granted
    }

    /// Moves up to `max` messages of the run out; how many. Frees their slots at each quarter of the lane. With
    /// each goes what `count` says, as for [`take`](Self::take).
    #[inline]
    pub(crate) fn take_each<N>(
        &mut self,
        max: usize,
        mut count: impl FnMut() -> N,
        mut f: impl FnMut(N, T),
    ) -> usize {
        // What was lent and forgotten, so that a quarter is a quarter from here.
        self.give_back();
        let start = self.head;
        let end = self.granted.min(start.saturating_add(max as u64));
        if self.tap.is_some() {
            return self.take_each_clone(end, count, f);
        }
        while self.head < end {
            let stop = end.min(self.published + self.quarter);
            let slots = self.lane.slots();
            while self.head < stop {
                // SAFETY: as in `take`: head < granted, and counted as taken before `f` runs.
                let value = unsafe { slots.read(self.head) };
                self.head += 1;
                f(count(), value);
            }
            if self.head == self.published + self.quarter {
                self.give_back();
            }
        }
        (self.head - start) as usize
    }

    fn take_each_clone<N>(
        &mut self,
        end: u64,
        mut count: impl FnMut() -> N,
        mut f: impl FnMut(N, T),
    ) -> usize {
        let start = self.head;
        let Self { lane, head, published, quarter, tap: Some(tap), .. } = self else { return 0 };
        let mut removed = false;
        while *head < end {
            removed = !tap.begin(*head);
            if removed {
                break;
            }
            let (number, value) = lane.clone_at(tap, head, &mut count);
            // Nothing is being read while `f` runs: a member that is stuck there can be removed.
            tap.advance(*head);
            f(number, value);
            if *head == *published + *quarter {
                *published = *head;
                lane.state.offer_room();
            }
        }
        let taken = (*head - start) as usize;
        if removed {
            self.miss();
        }
        taken
    }

    /// Lends up to `max` messages of the run to `f`, one after the other; how many. Frees their slots at each quarter.
    #[inline]
    pub(crate) fn lend_each(&mut self, max: usize, mut f: impl FnMut(&T)) -> usize {
        self.give_back();
        let Some(tap) = &self.tap else {
            return self.take_each(max, || (), |(), value| f(&value));
        };
        let start = self.head;
        let end = self.granted.min(start.saturating_add(max as u64));
        while self.head < end {
            if !tap.begin(self.head) {
                let taken = self.head - start;
                self.miss();
                return taken as usize;
            }
            let stop = end.min(self.published + self.quarter);
            let slots = self.lane.slots();
            while self.head < stop {
                // SAFETY: as in `take_clone`: READING stands before it until the head is published.
                let value = unsafe { slots.get(self.head) };
                // Before `f`, which may panic: it is not lent again.
                self.head += 1;
                f(value);
            }
            if self.head == self.published + self.quarter {
                self.published = self.head;
                tap.advance(self.head);
                self.lane.state.offer_room();
            }
        }
        (self.head - start) as usize
    }

    /// How many messages were published and not yet handed out.
    #[inline]
    pub(crate) fn waiting(&self) -> u64 {
        // Not below what was granted, but for a leaving receiver.
        self.lane.state.published().0.saturating_sub(self.granted)
    }

    /// Whether its receiver may stamp it alone: its numbers lie neither in the order of an outbox nor with others.
    #[inline]
    pub(crate) fn is_plain(&self) -> bool {
        self.lane.order.is_none() && self.tap.is_none()
    }

    /// Frees the slots of what was taken.
    #[inline]
    pub(crate) fn give_back(&mut self) {
        if self.published != self.head {
            self.published = self.head;
            match &self.tap {
                None => self.lane.state.give_back(self.head),
                Some(tap) => {
                    tap.advance(self.head);
                    self.lane.state.offer_room();
                }
            }
        }
    }

    /// The lane has ended, and all of it was read.
    pub(crate) fn finish(&self) {
        if let Some(tap) = &self.tap {
            tap.finish_at(self.head);
            self.lane.state.offer_room();
        }
    }
}

impl<T> Lane<T> {
    /// Clones the message at the head of a tap, where READING stands, and moves the head on.
    #[inline]
    fn clone_at<N>(&self, tap: &Tap, head: &mut u64, count: impl FnOnce() -> N) -> (N, T) {
        let clone = self.taps.as_ref().expect("a tap is of a lane with several").clone;
        // SAFETY: the consumer has been granted it (I2); READING stands at it, so the producer does not drop it
        // (I4) until the head is published, which is after the reference's last use.
        let value = unsafe { self.slots().get(*head) };
        // Before the clone, which may panic: it is not tried again.
        *head += 1;
        let number = count();
        let reading = Reading { tap, lane: &self.state, head: *head };
        let value = clone(value);
        std::mem::forget(reading);
        (number, value)
    }
}

/// A clone under way: if it panics, nothing is being read any more.
struct Reading<'a> {
    tap: &'a Tap,
    lane: &'a LaneState,
    head: u64,
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        self.tap.advance(self.head);
        self.lane.offer_room();
    }
}

/// A message that is read where it lies. Its slot is the sender's again when this goes.
///
/// One that is forgotten (`mem::forget`) frees its slot with the next message that is received; its value is forgotten,
/// too, if nobody else reads it.
pub(crate) struct Lent<'a, T> {
    /// The message is the one before its head.
    consumer: &'a mut Consumer<T>,
    /// It is as much the thread's own as a reference.
    of: PhantomData<&'a T>,
}

impl<T> Deref for Lent<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        let Consumer { lane, head, .. } = &*self.consumer;
        // SAFETY: as in `take` or `take_clone`: published (I2), and the consumer's, who is borrowed, until it
        // publishes its head, which it does when this goes; for a tap READING stands since `begin_lending`.
        unsafe { lane.slots().get(*head - 1) }
    }
}

impl<T> Drop for Lent<'_, T> {
    fn drop(&mut self) {
        let consumer = &mut *self.consumer;
        let value = consumer.tap.is_none().then(|| {
            // SAFETY: as in `take`: it was counted as taken when it was lent, and nobody else has moved it out.
            unsafe { consumer.lane.read(consumer.head - 1) }
        });
        consumer.give_back();
        // Last: its destructor may panic.
        drop(value);
    }
}

/// Drops what a lane still holds, for a receiver that leaves. See [`lane`](crate::lane) for the handshake.
///
/// To be called once for a lane, after [`LaneState::leave`] and a heavy barrier, when the consumer of the lane (if
/// there ever was one) is gone or will not be used again. Keeps the first panic of a destructor for the caller.
/// Returns how many there were.
pub(crate) fn drain<T>(lane: &Lane<T>, panic: &mut Option<Box<dyn Any + Send>>) -> u64 {
    let start = lane.state.head();
    let mut head = start;
    loop {
        let end = lane.state.drain_end();
        while head < end {
            // SAFETY: the receiver is the only reader and leaves: everything from its head to a published tail
            // holds a value (I1) that is its own; the next line counts it as taken. The sender takes values
            // back only after DRAINED.
            let value = unsafe { lane.read(head) };
            head += 1;
            drop_quietly(value, panic);
        }
        if lane.state.finish_drain(head) {
            return head - start;
        }
    }
}
