//! Several authors, one dense order: who makes it, how its numbers reach a receiver, and numbers without a message.

use super::never::Never;
use super::{Closed, Receiver};
use crate::message::{Message, Numbered};

/// Authors, and the receivers to whom they send by turns.
pub(crate) struct Order<S, R> {
    pub(crate) authors: Vec<S>,
    pub(crate) receivers: Vec<R>,
}

/// Waits while there is nothing. What it receives is in the order of the numbers.
pub(crate) trait OrderedReceiver<T>: Send + 'static {
    /// The next message, and its number.
    fn recv(&mut self) -> Result<(u64, T), Closed>;
    /// Waits for one and takes what else is there; says how many.
    fn recv_batch(&mut self, max: usize, take: impl FnMut(u64, T)) -> Result<usize, Closed>;
}

/// Takes a number of the order.
pub(crate) trait Mark: FnMut() -> Result<u64, Closed> + Send + 'static {}
impl<F: FnMut() -> Result<u64, Closed> + Send + 'static> Mark for F {}

/// Receives messages that carry their numbers.
pub(super) struct Carried<R>(pub(super) R);

impl<T: Message, R: Receiver<Numbered<T>>> OrderedReceiver<T> for Carried<R> {
    #[inline]
    fn recv(&mut self) -> Result<(u64, T), Closed> {
        self.0.recv().map(|Numbered { number, value }| (number, value))
    }

    #[inline]
    fn recv_batch(&mut self, max: usize, mut take: impl FnMut(u64, T)) -> Result<usize, Closed> {
        self.0.recv_batch(max, |Numbered { number, value }| take(number, value))
    }
}

impl<T> OrderedReceiver<T> for Never {
    fn recv(&mut self) -> Result<(u64, T), Closed> {
        match *self {}
    }

    fn recv_batch(&mut self, _max: usize, _take: impl FnMut(u64, T)) -> Result<usize, Closed> {
        match *self {}
    }
}
