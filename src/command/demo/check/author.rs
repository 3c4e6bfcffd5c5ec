//! Whether the numbers of one author rise in the order in which it has sent, whoever has received them.
//!
//! Its messages carry a count. They come here from all its receivers, so not in order: what comes before its turn is
//! kept until all before it have come, and then each number is compared with that of the message before. So what is
//! kept is as much as one of its receivers is behind another, and nothing is left out.

use std::collections::VecDeque;

use mainspring::Seq;

/// More than all lanes of an author hold together many times over. Of a message that is that far ahead of one that has
/// not come, only this is told.
const AHEAD_MAX: u64 = 1 << 22;

#[derive(Debug)]
pub(super) struct Author {
    pub(super) name: String,
    /// How much it has sent, as it said in the end.
    pub(super) sent: u64,
    /// All before this one have come.
    next: u64,
    /// The number of the one before.
    last: Seq,
    /// Those from `next` on, with their numbers; zero for one that has not come.
    ahead: VecDeque<Seq>,
}

/// What is wrong with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    /// The number of the one sent before it is not lower.
    Falls { nth: u64, seq: Seq, before: Seq },
    /// It has come before.
    Twice { nth: u64 },
    /// Too many came, and `missing` did not.
    Overdue { missing: u64 },
}

impl Author {
    pub(super) fn new(name: String) -> Self {
        Self { name, sent: 0, next: 1, last: Seq::ZERO, ahead: VecDeque::new() }
    }

    /// One of its messages has come. Returns how many pairs of neighbours were compared.
    pub(super) fn came(&mut self, nth: u64, seq: Seq) -> Result<u64, Wrong> {
        let place = nth.checked_sub(self.next).ok_or(Wrong::Twice { nth })?;
        if place == 0 && self.ahead.is_empty() {
            return self.follow(seq).map(|()| 1);
        }
        if place >= AHEAD_MAX {
            return Err(Wrong::Overdue { missing: self.next });
        }
        if place >= self.ahead.len() as u64 {
            self.ahead.resize(place as usize + 1, Seq::ZERO);
        }
        if self.ahead[place as usize] != Seq::ZERO {
            return Err(Wrong::Twice { nth });
        }
        self.ahead[place as usize] = seq;
        let mut compared = 0;
        while let Some(seq) = self.ahead.pop_front_if(|seq| *seq != Seq::ZERO) {
            self.follow(seq)?;
            compared += 1;
        }
        Ok(compared)
    }

    /// The message that is next has this number.
    fn follow(&mut self, seq: Seq) -> Result<(), Wrong> {
        let (nth, before) = (self.next, self.last);
        (self.next, self.last) = (nth + 1, seq);
        if seq > before { Ok(()) } else { Err(Wrong::Falls { nth, seq, before }) }
    }

    /// The first message that was sent and has not come; or that came and was not sent.
    pub(super) fn first_missing(&self) -> Option<u64> {
        (self.next != self.sent + 1 || !self.ahead.is_empty()).then_some(self.next)
    }
}

#[cfg(test)]
mod tests {
    use mainspring::Seq;

    use super::{AHEAD_MAX, Author, Wrong};

    fn author() -> Author {
        Author::new("maker".to_owned())
    }

    #[test]
    fn messages_that_come_by_several_ways_are_compared_in_their_order() {
        let mut author = author();
        assert_eq!(author.came(2, Seq::new(20)), Ok(0));
        assert_eq!(author.came(4, Seq::new(40)), Ok(0));
        assert_eq!(author.came(1, Seq::new(10)), Ok(2));
        assert_eq!(author.came(3, Seq::new(30)), Ok(2));
        assert_eq!(author.came(5, Seq::new(50)), Ok(1));
        author.sent = 5;
        assert_eq!((author.first_missing(), author.ahead.len()), (None, 0));
    }

    #[test]
    fn a_falling_number_is_found_when_the_missing_link_comes() {
        let mut author = author();
        author.came(1, Seq::new(10)).unwrap();
        author.came(3, Seq::new(20)).unwrap();
        let fault = Wrong::Falls { nth: 3, seq: Seq::new(20), before: Seq::new(21) };
        assert_eq!(author.came(2, Seq::new(21)), Err(fault));
    }

    #[test]
    fn a_message_twice_is_found_whether_its_turn_has_come_or_not() {
        let mut author = author();
        author.came(1, Seq::new(1)).unwrap();
        author.came(3, Seq::new(3)).unwrap();
        assert_eq!(author.came(1, Seq::new(5)), Err(Wrong::Twice { nth: 1 }));
        assert_eq!(author.came(3, Seq::new(5)), Err(Wrong::Twice { nth: 3 }));
    }

    #[test]
    fn a_message_that_never_comes_is_found_before_it_takes_all_memory_or_in_the_end() {
        let mut author = author();
        author.came(1, Seq::new(1)).unwrap();
        let far = 2 + AHEAD_MAX;
        assert_eq!(author.came(far, Seq::new(far)), Err(Wrong::Overdue { missing: 2 }));
        author.came(3, Seq::new(3)).unwrap();
        author.sent = 3;
        assert_eq!(author.first_missing(), Some(2));
        author.came(2, Seq::new(2)).unwrap();
        assert_eq!(author.first_missing(), None);
        author.sent = 4;
        assert_eq!(author.first_missing(), Some(4));
    }
}
