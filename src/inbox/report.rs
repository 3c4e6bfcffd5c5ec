//! What a report tells of an inbox. It is read from what dispatcher and receiver tell each other anyway.

use super::{Inbox, LAP, LEN_MASK, MASKED};
use crate::sync::Ordering::Relaxed;

impl Inbox {
    /// Entries that wait to be read, and how many there can be. The one that is kept for broadcasts counts as the last.
    pub(crate) fn fill(&self) -> (usize, usize) {
        // Relaxed: a report.
        let head = self.head.load(Relaxed);
        // Those that are written come first: their end is found by halves.
        let (mut len, mut beyond) = (0, self.entries.len());
        while len < beyond {
            let middle = len + (beyond - len) / 2;
            if self.word_at(head + middle as u64).is_some() {
                len = middle + 1;
            } else {
                beyond = middle;
            }
        }
        (len.min(self.capacity), self.capacity)
    }

    /// The number of the first message that stands in the ring and was not taken up; none if there is none.
    pub(crate) fn first_waiting(&self) -> Option<u64> {
        // Relaxed: a report.
        let head = self.head.load(Relaxed);
        let written =
            (head..head + self.entries.len() as u64).map_while(|at| Some((at, self.word_at(at)?)));
        // An entry without messages is a lane's end.
        let (at, word) = written.into_iter().find(|(_, word)| word & LEN_MASK > 0)?;
        let entry = self.entry(at).0;
        // Relaxed, both: a report; whoever asks looks whether the number can be.
        let (first, mask) = (entry.first_seq.load(Relaxed), entry.mask.load(Relaxed));
        Some(if word & MASKED != 0 { first + u64::from(mask.trailing_zeros()) } else { first })
    }

    /// What is written at a position.
    fn word_at(&self, position: u64) -> Option<u64> {
        let (entry, lap) = self.entry(position);
        // Relaxed: a report.
        Some(entry.run.load(Relaxed)).filter(|word| word & LAP == lap)
    }
}
