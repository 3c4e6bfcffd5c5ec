//! What is sent: eight bytes, or sixty-four, or a thousand and twenty-four, each of which is written by
//! the sender and read by the receiver.
//!
//! A receiver adds up what it gets. That is all the work there is on either side, and the sum shows
//! in the end that nothing was lost, doubled or altered.

use std::array;
use std::ops::Range;

use crate::failure::Failure;

/// How large a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Payload {
    Word,
    Line,
    Page,
}

impl Payload {
    pub(crate) const ALL: [Self; 3] = [Self::Word, Self::Line, Self::Page];

    pub(crate) fn bytes(self) -> usize {
        match self {
            Self::Word => size_of::<u64>(),
            Self::Line => size_of::<[u64; 8]>(),
            Self::Page => size_of::<[u64; 128]>(),
        }
    }

    /// A run has this part of its messages: what is large takes longer.
    pub(crate) fn part(self) -> u64 {
        match self {
            Self::Word | Self::Line => 1,
            Self::Page => 8,
        }
    }
}

/// A message that stands for a number. Copied, because some hand out references to their slots only.
pub(crate) trait Message: Copy + Send + Sync + 'static {
    fn of(value: u64) -> Self;
    /// What a receiver adds up: depends on each byte.
    fn weight(&self) -> u64;
    /// What chooses one of several receivers.
    fn key(&self) -> u64;
}

impl Message for u64 {
    #[inline]
    fn of(value: u64) -> Self {
        value
    }

    #[inline]
    fn weight(&self) -> u64 {
        *self
    }

    #[inline]
    fn key(&self) -> u64 {
        *self
    }
}

impl<const WORDS: usize> Message for [u64; WORDS] {
    #[inline]
    fn of(value: u64) -> Self {
        array::from_fn(|word| value + word as u64)
    }

    #[inline]
    fn weight(&self) -> u64 {
        self.iter().fold(0, |sum, word| sum.wrapping_add(*word))
    }

    #[inline]
    fn key(&self) -> u64 {
        self[0]
    }
}

/// A message of another type, to be told from the first by its type alone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Other<T>(pub(crate) T);

impl<T: Message> Message for Other<T> {
    #[inline]
    fn of(value: u64) -> Self {
        Self(T::of(value))
    }

    #[inline]
    fn weight(&self) -> u64 {
        self.0.weight()
    }

    #[inline]
    fn key(&self) -> u64 {
        self.0.key()
    }
}

/// A message that carries its number in an order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Numbered<T> {
    pub(crate) number: u64,
    pub(crate) value: T,
}

impl<T: Message> Message for Numbered<T> {
    #[inline]
    fn of(value: u64) -> Self {
        Self { number: 0, value: T::of(value) }
    }

    #[inline]
    fn weight(&self) -> u64 {
        self.value.weight()
    }

    #[inline]
    fn key(&self) -> u64 {
        self.value.key()
    }
}

/// Whose number this is.
#[inline]
pub(crate) fn author(value: u64) -> usize {
    (value >> 40) as usize - 1
}

/// The numbers that an author sends: no two authors share one.
pub(crate) fn values(author: usize, count: u64) -> Range<u64> {
    let first = (author as u64 + 1) << 40;
    first..first + count
}

/// How many messages a receiver is due, and what they add up to.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Due {
    pub(crate) count: u64,
    pub(crate) sum: u64,
}

impl Due {
    /// All that these authors send.
    pub(crate) fn from<T: Message>(authors: impl Iterator<Item = Range<u64>>) -> Self {
        let mut due = Self::default();
        authors.flatten().for_each(|value| due.add::<T>(value));
        due
    }

    #[inline]
    pub(crate) fn add<T: Message>(&mut self, value: u64) {
        self.count += 1;
        self.sum = self.sum.wrapping_add(T::of(value).weight());
    }

    /// Checks that this is what has come, of all receivers together.
    pub(crate) fn check_all(&self, received: &[Self]) -> Result<(), Failure> {
        let count = received.iter().map(|due| due.count).sum();
        if count != self.count {
            let what = "number of messages";
            return Err(Failure::Wrong { what, sent: self.count, received: count });
        }
        self.check(received.iter().fold(0, |sum, due| sum.wrapping_add(due.sum)))
    }

    /// Counts off what has come.
    #[inline]
    pub(crate) fn less(&mut self, count: usize) -> Result<(), Failure> {
        let wrong =
            Failure::Wrong { what: "number of messages", sent: self.count, received: count as u64 };
        self.count = self.count.checked_sub(count as u64).ok_or(wrong)?;
        Ok(())
    }

    pub(crate) fn check(&self, sum: u64) -> Result<(), Failure> {
        match sum == self.sum {
            true => Ok(()),
            false => Err(Failure::Wrong { what: "sum", sent: self.sum, received: sum }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_of_a_message_weighs() {
        let whole = <[u64; 128]>::of(100);
        for word in 0..128 {
            let mut altered = whole;
            altered[word] ^= 1;
            assert_ne!(whole.weight(), altered.weight());
        }
    }

    #[test]
    fn a_number_tells_its_author() {
        for sent in 0..3 {
            assert!(values(sent, 10).all(|value| author(value) == sent));
        }
    }

    #[test]
    fn what_is_due_is_counted_and_added_up() {
        let due = Due::from::<u64>([1..4, 10..12].into_iter());
        assert_eq!((due.count, due.sum), (5, 27));
        assert!(due.check(27).is_ok());
        assert!(due.check(28).is_err());
    }

    #[test]
    fn what_several_have_received_is_checked_together() {
        let due = Due::from::<u64>([1..4, 10..12].into_iter());
        let [one, other] = [1..4, 10..12].map(|part| Due::from::<u64>(std::iter::once(part)));
        assert!(due.check_all(&[one, Due::default(), other]).is_ok());
        assert!(due.check_all(&[one]).is_err());
        assert!(due.check_all(&[one, Due { count: 2, sum: 0 }]).is_err());
    }

    #[test]
    fn one_message_too_many_is_an_error() {
        let mut due = Due::from::<u64>(std::iter::once(0..3));
        assert!(due.less(2).is_ok());
        assert!(due.less(2).is_err());
    }
}
