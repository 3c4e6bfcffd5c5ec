//! Reading messages where they lie, without moving or cloning them.

use std::fmt;
use std::ops::Deref;
use std::time::Duration;

use super::Receiver;
use super::look::Look;
use crate::clock::Seq;
use crate::error::{RecvError, RecvTimeoutError, TryRecvError};
use crate::park::Deadline;
use crate::ring::Lent;

/// A message that is read where it lies, in its sender's lane. Made by [`Receiver::recv_ref`].
///
/// It counts as received. Its slot goes back when this is dropped: until then it holds up its sender, once the lane
/// is full. One that is forgotten ([`std::mem::forget`]) gives its slot back with the next message that is
/// received.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let engine = mainspring::Engine::new();
/// let quotes = engine.group::<Vec<f64>>();
/// let (mut first, mut second) = (quotes.subscribe(), quotes.subscribe());
/// quotes.broadcaster().send(vec![1.25, 1.5])?;
/// let quote = first.recv_ref()?;
/// assert_eq!((quote.seq(), &quote[..]), (1.into(), &[1.25, 1.5][..]));
/// assert!(std::ptr::eq(&*quote, &*second.recv_ref()?)); // one message, two readers
/// # Ok(()) }
/// ```
pub struct Ref<'a, T> {
    seq: Seq,
    lent: Lent<'a, T>,
}

impl<T> Ref<'_, T> {
    /// The message's number.
    pub fn seq(&self) -> Seq {
        self.seq
    }
}

impl<T> Deref for Ref<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.lent
    }
}

impl<T: fmt::Debug> fmt::Debug for Ref<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Ref").field(&self.seq).field(&**self).finish()
    }
}

impl<T: Send + 'static> Receiver<T> {
    /// As [`recv`](Self::recv), without moving or cloning the message.
    ///
    /// # Errors
    ///
    /// When it has closed, or a [notice](crate::Notice) comes next.
    #[inline]
    pub fn recv_ref(&mut self) -> Result<Ref<'_, T>, RecvError> {
        while !self.look.begin_lending() {
            self.go_on(None).map_err(RecvTimeoutError::without_limit)?;
        }
        self.lend().ok_or(RecvError::Closed)
    }

    /// As [`try_recv`](Self::try_recv), without moving or cloning the message.
    ///
    /// # Errors
    ///
    /// When there is none, or it has closed, or a [notice](crate::Notice) comes next.
    pub fn try_recv_ref(&mut self) -> Result<Ref<'_, T>, TryRecvError> {
        while !self.look.begin_lending() {
            self.without_waiting(Look::for_run)?;
        }
        self.lend().ok_or(TryRecvError::Empty)
    }

    /// As [`recv_timeout`](Self::recv_timeout), without moving or cloning the message.
    ///
    /// # Errors
    ///
    /// When there was none in time, or it has closed, or a [notice](crate::Notice) comes next.
    pub fn recv_ref_timeout(&mut self, timeout: Duration) -> Result<Ref<'_, T>, RecvTimeoutError> {
        let deadline = Deadline::after(timeout);
        while !self.look.begin_lending() {
            self.go_on(deadline)?;
        }
        self.lend().ok_or(RecvTimeoutError::Closed)
    }

    /// As [`recv_batch`](Self::recv_batch), without moving or cloning the messages.
    ///
    /// # Errors
    ///
    /// When it has closed, or a [notice](crate::Notice) comes next.
    ///
    /// # Panics
    ///
    /// If `f` does: the message that it was lent has been received, the next have not.
    pub fn recv_batch_ref(
        &mut self,
        max: usize,
        mut f: impl FnMut(Seq, &T),
    ) -> Result<usize, RecvError> {
        let mut taken = 0;
        while max > 0 && taken == 0 {
            self.go_on(None).map_err(RecvTimeoutError::without_limit)?;
            taken = self.look.lend_batch(max, &mut f);
        }
        Ok(taken)
    }

    /// As [`try_recv_batch`](Self::try_recv_batch), without moving or cloning the messages.
    ///
    /// # Errors
    ///
    /// When there is none, or it has closed, or a [notice](crate::Notice) comes next.
    ///
    /// # Panics
    ///
    /// As [`recv_batch_ref`](Self::recv_batch_ref).
    pub fn try_recv_batch_ref(
        &mut self,
        max: usize,
        mut f: impl FnMut(Seq, &T),
    ) -> Result<usize, TryRecvError> {
        let mut taken = 0;
        while max > 0 && taken == 0 {
            self.without_waiting(Look::for_run)?;
            taken = self.look.lend_batch(max, &mut f);
        }
        Ok(taken)
    }

    fn lend(&mut self) -> Option<Ref<'_, T>> {
        self.look.lend().map(|(seq, lent)| Ref { seq, lent })
    }
}
