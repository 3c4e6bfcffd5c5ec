//! Which numbers were received: each once, or who has it twice, and which lacks.
//!
//! A page has a bit for each of 65,536 numbers that follow each other. Once all of them are there its bits are thrown
//! away, so what is kept is as large as the distance between who is furthest and who is furthest behind, however many
//! messages there were. Nothing is lost by that: whoever comes with a number of a full page has it twice.

use std::collections::VecDeque;

/// Numbers of one page.
const PAGE: u64 = 1 << 16;

/// A number that is so many pages further than the first that lacks something is no number of this run.
const PAGES_MAX: u64 = 1 << 20;

#[derive(Debug, Default)]
pub(super) struct Numbers {
    /// So many pages were full, one after the other.
    full: u64,
    /// Those after them.
    pages: VecDeque<Page>,
    /// All that were received.
    received: u64,
}

/// Why a number cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    Twice,
    /// Zero, or out of all reach.
    Absurd,
}

#[derive(Debug)]
enum Page {
    Empty,
    Some { bits: Box<[u64; PAGE as usize / 64]>, count: u64 },
    Full,
}

impl Numbers {
    pub(super) fn insert(&mut self, number: u64) -> Result<(), Wrong> {
        // The first number is 1, and the first bit of the first page.
        let index = number.checked_sub(1).ok_or(Wrong::Absurd)?;
        let page = (index / PAGE).checked_sub(self.full).ok_or(Wrong::Twice)?;
        if page >= PAGES_MAX {
            return Err(Wrong::Absurd);
        }
        if page >= self.pages.len() as u64 {
            self.pages.resize_with(page as usize + 1, || Page::Empty);
        }
        self.pages[page as usize].insert(index % PAGE)?;
        self.received += 1;
        while let Some(Page::Full) = self.pages.front() {
            self.pages.pop_front();
            self.full += 1;
        }
        Ok(())
    }

    /// How many there were.
    pub(super) fn received(&self) -> u64 {
        self.received
    }

    /// The lowest number that was not received.
    pub(super) fn first_missing(&self) -> u64 {
        let page = self.pages.iter().position(|page| !matches!(page, Page::Full));
        // The first page is never full: it would have been thrown away.
        let (before, page) = page.map_or((0, None), |at| (at as u64, self.pages.get(at)));
        (self.full + before) * PAGE + page.map_or(0, Page::first_missing) + 1
    }
}

impl Page {
    fn insert(&mut self, index: u64) -> Result<(), Wrong> {
        if let Self::Empty = self {
            *self = Self::Some { bits: Box::new([0; PAGE as usize / 64]), count: 0 };
        }
        let Self::Some { bits, count } = self else { return Err(Wrong::Twice) };
        let (word, bit) = (&mut bits[index as usize / 64], 1 << (index % 64));
        if *word & bit != 0 {
            return Err(Wrong::Twice);
        }
        *word |= bit;
        *count += 1;
        if *count == PAGE {
            *self = Self::Full;
        }
        Ok(())
    }

    /// From zero.
    fn first_missing(&self) -> u64 {
        match self {
            Self::Empty => 0,
            Self::Full => PAGE,
            Self::Some { bits, .. } => {
                let at = bits.iter().position(|word| *word != u64::MAX).unwrap_or(0);
                at as u64 * 64 + u64::from(bits[at].trailing_ones())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Numbers, PAGE, Wrong};

    #[test]
    fn each_number_once_in_any_order_leaves_nothing_behind() {
        let mut numbers = Numbers::default();
        let all = 3 * PAGE;
        for number in (1..=all).filter(|number| number % 3 != 0) {
            assert_eq!(numbers.insert(number), Ok(()));
        }
        assert_eq!((numbers.first_missing(), numbers.pages.len()), (3, 3));
        for number in (1..=all).rev().filter(|number| number % 3 == 0) {
            assert_eq!(numbers.insert(number), Ok(()));
        }
        assert_eq!((numbers.first_missing(), numbers.received()), (all + 1, all));
        assert_eq!(numbers.pages.len(), 0, "full pages are thrown away");
    }

    #[test]
    fn a_number_twice_is_found_also_in_a_page_that_is_gone() {
        let mut numbers = Numbers::default();
        (2..=PAGE + 5).for_each(|number| numbers.insert(number).unwrap());
        assert_eq!(numbers.insert(PAGE + 5), Err(Wrong::Twice));
        assert_eq!(numbers.first_missing(), 1);
        assert_eq!(numbers.insert(1), Ok(()));
        assert_eq!(numbers.insert(7), Err(Wrong::Twice));
        assert_eq!(numbers.first_missing(), PAGE + 6);
    }

    #[test]
    fn a_gap_before_a_full_page_is_found() {
        let mut numbers = Numbers::default();
        (1..=3 * PAGE).filter(|n| *n != PAGE).for_each(|number| numbers.insert(number).unwrap());
        assert_eq!(numbers.first_missing(), PAGE);
    }

    #[test]
    fn what_is_no_number_is_refused() {
        let mut numbers = Numbers::default();
        assert_eq!(numbers.insert(0), Err(Wrong::Absurd));
        assert_eq!(numbers.insert(u64::MAX), Err(Wrong::Absurd));
        assert_eq!((numbers.first_missing(), numbers.received()), (1, 0));
    }
}
