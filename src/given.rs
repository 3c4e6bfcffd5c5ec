//! The numbers that a forwarder has given: a ring beside its lane, and what all forwarders to one receiver have given.
//!
//! ```text
//!   lane     slots    a    b    c    d    …        values, read by the receiver
//!   given    words    4    5    9    12   …        their numbers, strictly rising, read by the dispatcher
//!   waived   15                                    nothing up to here comes from this forwarder any more
//! ```
//!
//! *Who writes what.* The forwarder writes the word of a position when it writes the slot, and publishes both with the
//! lane's tail. The dispatcher reads words between what it has handed out and a tail that it has acquired. A word is
//! written again only when the receiver has read the message, whose run was handed out after the dispatcher had read
//! the word: the ring is as large as the lane, and needs no head of its own.
//!
//! *Each number once.* The forwarders of a follower publish under one lock, and look first whether another has the
//! number in its ring, of those that forward to the same receiver ([`Forwarded`]). As the words rise, that is a
//! search by halves, and mostly a look at the last. A ring in which a number is no longer found holds higher ones:
//! then the number has been settled, and is below what each live forwarder may still give. The rings of forwarders
//! that have ended are kept until all they hold is settled.

use std::sync::OnceLock;

use crate::lane::LaneState;
use crate::sync::atomic::AtomicU64;
use crate::sync::{Arc, Mutex, Ordering::Relaxed};

/// How far apart the numbers of a masked run can be.
const MASK_BITS: u64 = u64::BITS as u64;

/// See the module's documentation.
pub(crate) struct Given {
    state: Arc<LaneState>,
    capacity: usize,
    /// Allocated with the lane's slots, at the first message.
    words: OnceLock<Box<[AtomicU64]>>,
}

/// Messages of a lane that follow each other, and their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) len: u64,
    /// The first number.
    pub(crate) first: u64,
    /// The numbers are `first` plus the positions of these bits; 0 if they are adjacent.
    pub(crate) mask: u64,
    /// The last number.
    pub(crate) last: u64,
}

impl Given {
    /// The numbers of a lane with this many slots.
    pub(crate) fn new(state: Arc<LaneState>, capacity: usize) -> Arc<Self> {
        Arc::new(Self { state, capacity: capacity.next_power_of_two(), words: OnceLock::new() })
    }

    pub(crate) fn state(&self) -> &Arc<LaneState> {
        &self.state
    }

    /// Writes the number of a message, which the forwarder publishes afterwards. The slot at `position` is free.
    pub(crate) fn write(&self, position: u64, number: u64) {
        let words = self.words.get_or_init(|| {
            // One allocation, at the first message.
            (0..self.capacity).map(|_| AtomicU64::new(0)).collect()
        });
        // Relaxed: released by the tail.
        words[position as usize & (self.capacity - 1)].store(number, Relaxed);
    }

    /// The number at a position that was published, and whose slot has not been written again.
    pub(crate) fn number(&self, position: u64) -> u64 {
        let words = self.words.get().expect("a number is written before it is published");
        // Relaxed: acquired with the tail.
        words[position as usize & (self.capacity - 1)].load(Relaxed)
    }

    /// The longest run that begins at `position` and ends before `end`, with numbers up to `stop`: adjacent ones, or
    /// as many as a mask can tell. The first is in it whatever it is.
    pub(crate) fn span(&self, position: u64, end: u64, stop: u64) -> Span {
        let first = self.number(position);
        let (mut len, mut last, mut mask) = (1, first, 1);
        let mut adjacent = 1;
        for position in position + 1..end {
            let number = self.number(position);
            let offset = number - first;
            if number > stop || offset > adjacent.max(MASK_BITS - 1) {
                break;
            }
            adjacent += u64::from(offset == adjacent && len == adjacent);
            if offset < MASK_BITS {
                mask |= 1 << offset;
            }
            (len, last) = (len + 1, number);
        }
        Span { len, first, mask: if len == adjacent { 0 } else { mask }, last }
    }

    /// Whether a number is among the last ones, from a position on. To be called under the lock under which it is
    /// published.
    fn has(&self, number: u64, from: u64) -> bool {
        let (tail, _) = self.state.published();
        if tail <= from || self.number(tail - 1) < number {
            return false;
        }
        let oldest = tail.saturating_sub(self.capacity as u64);
        let (mut low, mut high) = (oldest.max(from), tail - 1);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.number(middle) < number {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        self.number(low) == number
    }

    /// Whether the forwarder has ended, and all that it gave is settled, the clock standing at `now`.
    fn is_settled(&self, now: u64) -> bool {
        let (tail, ended) = self.state.published();
        ended && (tail == 0 || self.number(tail - 1) <= now)
    }
}

/// The numbers that were forwarded to one receiver and are not settled yet. See the module's documentation.
#[derive(Default)]
pub(crate) struct Forwarded {
    rings: Mutex<Vec<Share>>,
}

/// A forwarder's numbers, as far as they are for this receiver.
struct Share {
    given: Arc<Given>,
    /// Its group's, from here on.
    from: u64,
}

impl Forwarded {
    /// Another forwarder, whose messages from a position on are for this receiver; those that have ended and are
    /// settled are forgotten.
    pub(crate) fn add(&self, given: &Arc<Given>, from: u64, now: u64) {
        let mut rings = self.rings.lock();
        rings.retain(|share| !share.given.is_settled(now));
        rings.push(Share { given: given.clone(), from });
    }

    /// What a forwarder gives is not for this receiver any more.
    pub(crate) fn remove(&self, given: &Arc<Given>) {
        self.rings.lock().retain(|share| !Arc::ptr_eq(&share.given, given));
    }

    /// The receiver has gone.
    pub(crate) fn clear(&self) {
        let rings = std::mem::take(&mut *self.rings.lock());
        drop(rings);
    }

    /// A forwarder has ended.
    pub(crate) fn prune(&self, now: u64) {
        self.rings.lock().retain(|share| !share.given.is_settled(now));
    }

    /// Whether somebody has given a number already.
    pub(crate) fn has(&self, number: u64) -> bool {
        self.rings.lock().iter().any(|share| share.given.has(number, share.from))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::park::Parker;

    fn given(capacity: usize, numbers: &[u64]) -> Arc<Given> {
        let given = Given::new(Arc::new(LaneState::new(Arc::new(Parker::default()))), capacity);
        for (position, &number) in numbers.iter().enumerate() {
            given.write(position as u64, number);
        }
        given.state().publish(numbers.len() as u64);
        given
    }

    #[test]
    fn a_run_is_adjacent_or_masked() {
        let given = given(8, &[4, 5, 6, 9, 67, 68, 200, 201]);
        let span = |position, stop| given.span(position, 8, stop);
        assert_eq!(span(0, 6), Span { len: 3, first: 4, mask: 0, last: 6 });
        assert_eq!(span(0, 5), Span { len: 2, first: 4, mask: 0, last: 5 });
        let mask = 1 << 63 | 0b10_0111;
        assert_eq!(span(0, 300), Span { len: 5, first: 4, mask, last: 67 });
        assert_eq!(span(5, 300), Span { len: 1, first: 68, mask: 0, last: 68 });
        assert_eq!(span(6, 300), Span { len: 2, first: 200, mask: 0, last: 201 });
        assert_eq!(span(6, 1), Span { len: 1, first: 200, mask: 0, last: 200 });
    }

    #[test]
    fn a_long_adjacent_run_needs_no_mask() {
        let numbers: Vec<u64> = (10..210).chain([211]).collect();
        let given = given(256, &numbers);
        assert_eq!(given.span(0, 201, 500), Span { len: 200, first: 10, mask: 0, last: 209 });
        assert_eq!(given.span(0, 201, 150), Span { len: 141, first: 10, mask: 0, last: 150 });
    }

    #[test]
    fn a_number_is_found_among_the_last() {
        let numbers = [2, 3, 5, 8, 13, 21];
        let given = given(4, &numbers);
        for number in 0..30 {
            assert_eq!(given.has(number, 0), numbers[2..].contains(&number), "{number}");
            assert_eq!(given.has(number, 4), numbers[4..].contains(&number), "{number}");
        }
    }
}
