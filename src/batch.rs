//! Sending many values: pushed one by one, published together, at the latest when there is no room for the next.

use crate::error::{Reason, SendBatchError};

/// One author's way to one receiver.
pub(crate) trait Way<T> {
    /// Writes a value where nobody sees it yet; gives it back if there is no room.
    fn push(&mut self, value: T) -> Result<(), T>;

    /// Makes the last `count` values visible; returns those that were not sent because the receiver has gone.
    fn publish(&mut self, count: usize) -> Vec<T>;

    /// Waits for room; false if there will be none. Everything has been published.
    fn wait_for_room(&mut self) -> bool;
}

/// Sends all values in order; how many.
pub(crate) fn send_batch<T, I: Iterator<Item = T>>(
    way: impl Way<T>,
    mut values: I,
) -> Result<usize, SendBatchError<T, I>> {
    let mut batch = Batch { way, sent: 0, pending: 0, of: std::marker::PhantomData };
    while let Some(value) = values.next() {
        let Err(value) = batch.push(value) else { continue };
        let mut returned = batch.publish();
        let refused = if batch.way.wait_for_room() { batch.push(value).err() } else { Some(value) };
        if let Some(value) = refused {
            returned.push(value);
            return Err(batch.closed(returned, values));
        }
    }
    let returned = batch.publish();
    if returned.is_empty() { Ok(batch.sent) } else { Err(batch.closed(returned, values)) }
}

/// A batch under way: what was pushed is published also when the iterator panics.
struct Batch<T, W: Way<T>> {
    way: W,
    /// Published, and not returned.
    sent: usize,
    /// Pushed, and not published.
    pending: usize,
    of: std::marker::PhantomData<fn(T)>,
}

impl<T, W: Way<T>> Batch<T, W> {
    #[inline]
    fn push(&mut self, value: T) -> Result<(), T> {
        self.way.push(value)?;
        self.pending += 1;
        Ok(())
    }

    fn publish(&mut self) -> Vec<T> {
        let count = std::mem::take(&mut self.pending);
        let returned = self.way.publish(count);
        self.sent += count - returned.len();
        returned
    }

    fn closed<I>(&self, returned: Vec<T>, rest: I) -> SendBatchError<T, I> {
        SendBatchError { sent: self.sent, returned, rest, reason: Reason::Closed }
    }
}

impl<T, W: Way<T>> Drop for Batch<T, W> {
    fn drop(&mut self) {
        if self.pending > 0 {
            drop(self.publish());
        }
    }
}
