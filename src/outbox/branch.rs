//! The way of an outbox's messages to one of its targets: the target's lane and the order ring, published together.

use super::target::TargetLane;
use crate::author::{heed, wait_for_room};
use crate::batch::Way;
use crate::drive::{For, Shared, Step};
use crate::error::{Reason, SendError};
use crate::lane::{FENCED, UNDECIDED, WANT};
use crate::order::OrderRing;
use crate::stall::{Stall, full_inbox};

/// An outbox's way to one of its targets.
pub(super) struct Branch<'a, T: Send + 'static> {
    shared: &'a Shared,
    ring: &'a OrderRing,
    tail: &'a mut u64,
    limit: &'a mut u64,
    lane: &'a mut TargetLane<T>,
    index: u16,
    /// Values in the lane before this position are published.
    published: u64,
}

impl<T: Send + 'static> Way<T> for Branch<'_, T> {
    fn tail(&self) -> u64 {
        self.lane.producer.tail()
    }

    #[inline]
    fn push(&mut self, value: T) -> Result<(), T> {
        if self.room() == 0 { Err(value) } else { self.lane.producer.push(value) }
    }

    /// The words of the order ring are written when that is known to be complete, with the publication.
    #[inline]
    fn fill(&mut self, values: &mut impl Iterator<Item = T>) -> bool {
        let room = self.room();
        self.lane.producer.fill(values, room)
    }

    fn publish(&mut self, count: usize) -> Vec<T> {
        match self.publish_all() {
            0 => Vec::new(),
            attention => self.heed(attention, count),
        }
    }

    fn wait_for_room(&mut self) -> bool {
        let producer = &mut self.lane.producer;
        wait_for_words(self.shared, self.ring, *self.tail, self.limit)
            && (producer.has_room() || wait_for_room(self.shared, producer, None).is_ok())
    }

    fn reason(&self) -> Reason {
        if self.ring.state().is_fenced() { Reason::Fenced } else { self.lane.producer.reason() }
    }
}

impl<'a, T: Send + 'static> Branch<'a, T> {
    pub(super) fn new(
        shared: &'a Shared,
        ring: &'a OrderRing,
        tail: &'a mut u64,
        limit: &'a mut u64,
        lane: &'a mut TargetLane<T>,
        index: u16,
    ) -> Self {
        let published = lane.producer.tail();
        Self { shared, ring, tail, limit, lane, index, published }
    }

    /// Values that were written and not published.
    #[inline]
    fn pending(&self) -> u64 {
        // What was taken back stands no more before the tail.
        self.lane.producer.tail().saturating_sub(self.published)
    }

    /// How many more the order ring has words for.
    #[inline]
    fn room(&self) -> u64 {
        *self.limit - (*self.tail + self.pending())
    }

    /// Makes all that was written visible, and returns the attention of the lane, and of the ring what that alone can
    /// say.
    #[inline]
    pub(super) fn publish_all(&mut self) -> u32 {
        let count = self.pending();
        self.ring.write(*self.tail, count, self.index);
        *self.tail += count;
        self.published += count;
        let producer = &self.lane.producer;
        producer.state().publish(producer.tail());
        self.ring.state().publish(*self.tail);
        let of_ring = self.ring.state().attention() & (WANT | FENCED | UNDECIDED);
        producer.state().attention() | of_ring
    }

    /// Acts on that. Returns, in order, those of the last `count` values that are ours again.
    #[cold]
    fn heed(&mut self, attention: u32, count: usize) -> Vec<T> {
        if attention & WANT != 0 {
            // The dispatcher looks at the ring, not at the lanes.
            self.shared.speak_up(self.ring.state());
        }
        if attention & (FENCED | UNDECIDED) != 0 {
            self.ring.state().attention_once_decided();
            if let Some(end) = self.ring.state().fenced_at()
                && let Some(returned) = self.take_fenced(end, count)
            {
                return returned;
            }
        }
        heed(self.shared, &mut self.lane.producer, attention & !WANT, count)
    }

    /// The outbox was ended after so many words: what lies beyond is ours again. It is of the last publication, since
    /// each is followed by a look; so all of it is in this lane. None if there is nothing, or the receiver has left
    /// before, which settles it.
    fn take_fenced(&mut self, end: u64, count: usize) -> Option<Vec<T>> {
        let beyond = self.tail.saturating_sub(end);
        *self.tail -= beyond;
        // No room from now on.
        *self.limit = *self.tail;
        self.ring.state().publish(*self.tail);
        let producer = &mut self.lane.producer;
        let from = producer.tail() - beyond;
        let taken = producer.take_fenced(from, count, &mut Vec::new())?;
        producer.close();
        Some(taken)
    }

    #[cold]
    pub(super) fn heed_one(&mut self, attention: u32) -> Result<(), SendError<T>> {
        match self.heed(attention, 1).pop() {
            None => Ok(()),
            Some(value) => Err(self.refuse(value)),
        }
    }

    /// A value that cannot be sent.
    #[cold]
    pub(super) fn refuse(&self, value: T) -> SendError<T> {
        SendError { value, reason: self.reason() }
    }
}

/// Waits until the ring has room for a word; false if there never will be.
fn wait_for_words(shared: &Shared, ring: &OrderRing, tail: u64, limit: &mut u64) -> bool {
    let mut has_room = || {
        if ring.state().is_fenced() {
            return Some(false);
        }
        *limit = ring.state().head() + ring.capacity();
        // In a closing engine whoever waits behind others is refused at once.
        if tail < *limit { Some(true) } else { ring.state().is_shut().then_some(false) }
    };
    if let Some(room) = has_room() {
        return room;
    }
    ring.state().stalls.count();
    let found = Stall::wait(
        None,
        |&room| room,
        |stall, deadline| {
            shared.wait(ring.state().parker(), deadline, For::EAGER, |step| {
                stall.step(step, || full_inbox(shared, ring.state()));
                match step {
                    Step::Look => has_room(),
                    Step::Arm => None,
                }
            })
        },
    );
    found.unwrap_or(false)
}
