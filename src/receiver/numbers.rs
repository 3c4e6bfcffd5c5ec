//! The numbers of a run's messages, given out one by one.

use crate::order::Walk;

/// The numbers of a run's messages. In words of their own, for they change with each run.
#[derive(Default)]
pub(super) struct Numbers {
    /// The next message has this one, plus the position of the lowest bit of the mask if there is a bit.
    pub(super) next: u64,
    pub(super) mask: u64,
    /// As they stand in the rest of an outbox's order ring, instead.
    pub(super) walk: Option<Box<Walk>>,
    /// The last number that a mask or a walk has given.
    given: u64,
}

impl Numbers {
    #[inline]
    pub(super) fn next(&mut self) -> u64 {
        if self.mask == 0 && self.walk.is_none() {
            let number = self.next;
            // A follower is given whatever numbers there are.
            self.next = number.wrapping_add(1);
            return number;
        }
        self.next_of_several()
    }

    #[inline]
    fn next_of_several(&mut self) -> u64 {
        self.given = match &mut self.walk {
            Some(walk) => walk.next(),
            None => {
                let number = self.next + u64::from(self.mask.trailing_zeros());
                self.mask &= self.mask - 1;
                number
            }
        };
        self.given
    }

    /// Everything up to here was counted.
    pub(super) fn passed(&self) -> u64 {
        let is_plain = self.mask == 0 && self.walk.is_none() && self.next > self.given;
        if is_plain { self.next.saturating_sub(1).max(self.given) } else { self.given }
    }

    /// How many of the next ones are at most `until`, as far as they are adjacent.
    pub(super) fn up_to(&mut self, until: u64) -> u64 {
        let next = self.peek();
        match self.mask == 0 && self.walk.is_none() {
            true => until.saturating_add(1).saturating_sub(next),
            false => u64::from(next <= until),
        }
    }

    pub(super) fn peek(&mut self) -> u64 {
        match &mut self.walk {
            Some(walk) => walk.peek(),
            None if self.mask == 0 => self.next,
            None => self.next + u64::from(self.mask.trailing_zeros()),
        }
    }
}
