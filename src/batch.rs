//! Sending many values: written one by one, published together, at the latest when there is no room for the next.

use crate::error::{Reason, SendBatchError};

/// One author's way to one receiver.
pub(crate) trait Way<T> {
    /// The position after the last value that was written.
    fn tail(&self) -> u64;

    /// Writes a value where nobody sees it yet; gives it back if there is no room.
    fn push(&mut self, value: T) -> Result<(), T>;

    /// Writes values where nobody sees them yet, as long as there is room. True if there are no more.
    fn fill(&mut self, values: &mut impl Iterator<Item = T>) -> bool;

    /// Makes the last `count` values visible; returns those that were not sent because the receiver has gone.
    fn publish(&mut self, count: usize) -> Vec<T>;

    /// Waits for room; false if there will be none. Everything has been published.
    fn wait_for_room(&mut self) -> bool;

    /// Why nothing can be sent any more.
    fn reason(&self) -> Reason;
}

/// Sends all values in order; how many.
pub(crate) fn send_batch<T, I: Iterator<Item = T>>(
    way: impl Way<T>,
    mut values: I,
) -> Result<usize, SendBatchError<T, I>> {
    let mut batch = Batch { published: way.tail(), way, sent: 0, of: std::marker::PhantomData };
    while !batch.way.fill(&mut values) {
        // First, for the next value may depend on what follows from these.
        let returned = batch.publish();
        if !returned.is_empty() {
            return Err(batch.closed(returned, values));
        }
        // Only for a value that is there does it wait.
        let Some(value) = values.next() else { break };
        let has_room = batch.way.wait_for_room();
        if let Err(value) = if has_room { batch.way.push(value) } else { Err(value) } {
            return Err(batch.closed(vec![value], values));
        }
    }
    let returned = batch.publish();
    if returned.is_empty() { Ok(batch.sent) } else { Err(batch.closed(returned, values)) }
}

/// A batch under way: what was written is published also when the iterator panics.
struct Batch<T, W: Way<T>> {
    way: W,
    /// Values before this position are published.
    published: u64,
    /// Published, and not returned.
    sent: usize,
    of: std::marker::PhantomData<fn(T)>,
}

impl<T, W: Way<T>> Batch<T, W> {
    fn pending(&self) -> usize {
        // What was taken back stands no more before the tail.
        self.way.tail().saturating_sub(self.published) as usize
    }

    fn publish(&mut self) -> Vec<T> {
        let count = self.pending();
        self.published = self.way.tail();
        let returned = self.way.publish(count);
        self.sent += count - returned.len();
        returned
    }

    fn closed<I>(&self, returned: Vec<T>, rest: I) -> SendBatchError<T, I> {
        SendBatchError { sent: self.sent, returned, rest, reason: self.way.reason() }
    }
}

impl<T, W: Way<T>> Drop for Batch<T, W> {
    fn drop(&mut self) {
        if self.pending() > 0 {
            drop(self.publish());
        }
    }
}
