//! What was sent and what became of it, and whether one order can explain it.

use std::collections::{BTreeMap, BTreeSet};

/// All messages that an engine has accepted.
#[derive(Debug)]
pub(crate) struct History {
    /// The number before the first.
    start: u64,
    /// By the parcel's id.
    messages: BTreeMap<usize, Message>,
    /// Which message has a number, as far as that was seen.
    numbers: BTreeMap<u64, usize>,
    /// The messages of each handle in the order sent, by their place in it.
    handles: Vec<Vec<usize>>,
}

#[derive(Debug)]
struct Message {
    handle: usize,
    /// Its place among the messages of its handle.
    nth: usize,
    /// The clock when it was sent: its number is higher.
    above: u64,
    /// Its number, if it has one, is not higher.
    up_to: u64,
    /// As far as it was seen.
    number: Option<u64>,
    /// It has a number, seen or not.
    stamped: bool,
    /// It is known that it has none and gets none.
    never: bool,
}

impl History {
    pub(crate) fn new(start: u64) -> Self {
        Self { start, messages: BTreeMap::new(), numbers: BTreeMap::new(), handles: Vec::new() }
    }

    /// Another author.
    pub(crate) fn handle(&mut self) -> usize {
        self.handles.push(Vec::new());
        self.handles.len() - 1
    }

    /// A message was accepted when the clock stood at `above`.
    pub(crate) fn sent(&mut self, id: usize, handle: usize, above: u64) {
        let of_handle = &mut self.handles[handle];
        of_handle.push(id);
        let nth = of_handle.len() - 1;
        let up_to = u64::MAX;
        let message =
            Message { handle, nth, above, up_to, number: None, stamped: false, never: false };
        assert!(self.messages.insert(id, message).is_none(), "one parcel was sent twice");
    }

    /// O1, O2, O3: a message's number is its own, in the order of its handle, above the clock that
    /// its author could read.
    pub(crate) fn learn(&mut self, id: usize, number: u64) {
        let message = self.messages.get_mut(&id).expect("only what was sent is received");
        let (handle, nth) = (message.handle, message.nth);
        assert!(message.number.is_none_or(|known| known == number), "two numbers of one message");
        assert!(!message.never, "a message has a number that had been denied one");
        assert!(number > self.start, "the numbers begin after {}: {number}", self.start);
        assert!(number > message.above, "O3: {number} was sent when the clock was at {message:?}");
        assert!(number <= message.up_to, "{number} was given after the receiver had gone");
        message.number = Some(number);
        message.stamped = true;
        let other = self.numbers.insert(number, id);
        assert!(other.is_none_or(|other| other == id), "O1: {number} was given twice");
        let (earlier, later) = self.neighbours(handle, nth);
        assert!(earlier.is_none_or(|earlier| earlier < number), "O2: {earlier:?}, {number}");
        assert!(later.is_none_or(|later| number < later), "O2: {number}, {later:?}");
    }

    /// It has a number which nobody has seen yet.
    pub(crate) fn stamped(&mut self, id: usize) {
        self.messages.get_mut(&id).unwrap().stamped = true;
    }

    pub(crate) fn is_stamped(&self, id: usize) -> bool {
        self.messages[&id].stamped
    }

    pub(crate) fn number(&self, id: usize) -> Option<u64> {
        self.messages[&id].number
    }

    /// What a handle sent has lower numbers than this.
    pub(crate) fn check_below(&self, handle: usize, number: u64) {
        let known = self.handles[handle].iter().filter_map(|id| self.messages[id].number);
        assert!(known.max().is_none_or(|last| last < number), "{number} is not the last");
    }

    /// Its receiver has gone without it when the clock stood at `up_to`.
    pub(crate) fn lost(&mut self, id: usize, up_to: u64) {
        self.messages.get_mut(&id).unwrap().up_to = up_to;
    }

    /// It has no number, and its receiver has gone.
    pub(crate) fn never(&mut self, id: usize) {
        let message = self.messages.get_mut(&id).unwrap();
        assert!(!message.stamped, "a message was denied its number");
        message.never = true;
    }

    /// What the clock can be, from what is known.
    pub(crate) fn check_clock(&self, clock: u64) {
        let stamped = self.messages.values().filter(|message| message.stamped).count() as u64;
        let given = clock - self.start;
        assert!(stamped <= given, "{stamped} have a number, and the clock has counted {given}");
        let sent = self.messages.values().filter(|message| !message.never).count() as u64;
        assert!(given <= sent, "O1: {given} numbers for {sent} messages");
    }

    /// O1: every number up to the clock is that of a message, or can be that of one whose number
    /// nobody saw, each in the order of its handle.
    pub(crate) fn explain(&self, clock: u64) {
        let mut open: BTreeSet<(u64, u64, usize)> = BTreeSet::new();
        for (&id, message) in &self.messages {
            if message.number.is_none() && !message.never {
                let (earlier, later) = self.neighbours(message.handle, message.nth);
                let from = message.above.max(earlier.unwrap_or(0));
                let until = message.up_to.min(later.map_or(u64::MAX, |later| later - 1));
                open.insert((until, from, id));
            }
        }
        for number in self.start + 1..=clock {
            if self.numbers.contains_key(&number) {
                continue;
            }
            // The one that can wait the shortest.
            let found = open.iter().find(|(until, from, _)| *from < number && number <= *until);
            let found = *found.unwrap_or_else(|| panic!("O1: nobody can have number {number}"));
            open.remove(&found);
        }
        let beyond = self.numbers.range(clock + 1..).next();
        assert_eq!(beyond, None, "a number above the clock at {clock}");
    }

    /// The nearest known numbers before and after a place in a handle's order.
    fn neighbours(&self, handle: usize, nth: usize) -> (Option<u64>, Option<u64>) {
        let of_handle = &self.handles[handle];
        let known = |id: &usize| self.messages[id].number;
        let earlier = of_handle[..nth].iter().rev().find_map(known);
        let later = of_handle[nth + 1..].iter().find_map(known);
        (earlier, later)
    }
}
