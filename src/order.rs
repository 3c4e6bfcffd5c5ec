//! The order ring of an outbox: for each message, in the order sent, the small number of its target.
//!
//! The messages themselves lie in one lane per target, so that each target frees its slots alone; this ring keeps
//! the one order over all of them. The outbox's author writes it, the dispatcher reads it and takes it back as soon
//! as the words are stamped; nobody else looks, until the author has ended: then what is left is frozen, and
//! receivers whose inbox had no room walk it (DESIGN: an ended lane never waits).
//!
//! Its indices and flags are those of a lane ([`LaneState`]): the author publishes the tail, the dispatcher the head.

use crate::lane::LaneState;
use crate::park::Parker;
use crate::sync::atomic::AtomicU16;
use crate::sync::{Arc, Mutex, Ordering::Relaxed, unique};

/// How many targets an outbox can have at once.
pub(crate) const TARGETS_MAX: usize = u16::MAX as usize;

/// A word that stands for no message: its target had gone before it got a number.
pub(crate) const NOBODY: u16 = u16::MAX;

/// See the module's documentation.
pub(crate) struct OrderRing {
    pub(crate) name: Option<Box<str>>,
    /// For people: unique in the process.
    pub(crate) id: u64,
    state: LaneState,
    words: Box<[AtomicU16]>,
    /// Of one whose author has ended: after how many words each of the marks among them comes, in their order.
    marks: Mutex<Vec<u64>>,
}

impl OrderRing {
    pub(crate) fn new(name: Option<Box<str>>, capacity: usize) -> Arc<Self> {
        Arc::new(Self {
            name,
            id: unique(),
            state: LaneState::new(Arc::new(Parker::default())),
            words: (0..capacity.next_power_of_two()).map(|_| AtomicU16::new(0)).collect(),
            marks: Mutex::new(Vec::new()),
        })
    }

    pub(crate) fn state(&self) -> &LaneState {
        &self.state
    }

    pub(crate) fn capacity(&self) -> u64 {
        self.words.len() as u64
    }

    fn at(&self, position: u64) -> &AtomicU16 {
        &self.words[position as usize & (self.words.len() - 1)]
    }

    /// Writes the next `count` words; the author publishes the tail afterwards.
    #[inline]
    pub(crate) fn write(&self, position: u64, count: u64, target: u16) {
        for position in position..position + count {
            // Relaxed: released by the tail.
            self.at(position).store(target, Relaxed);
        }
    }

    /// How many of the words `position..end` are the same, from the first on. `end` is below a tail that was acquired.
    pub(crate) fn row(&self, position: u64, end: u64) -> u64 {
        let first = self.target(position);
        (position..end).take_while(|&at| self.target(at) == first).count() as u64
    }

    /// The target at a position below a tail that was acquired.
    pub(crate) fn target(&self, position: u64) -> u16 {
        // Relaxed: acquired with the tail, or with the record that names the range.
        self.at(position).load(Relaxed)
    }

    /// Takes the message at a position out of the order. By the dispatcher, when the author has ended, before any
    /// receiver is told of the range.
    pub(crate) fn skip(&self, position: u64) {
        // Relaxed: released by the push of the record that names the range.
        self.at(position).store(NOBODY, Relaxed);
    }

    /// Says where among the words there are marks, which have numbers, too. As [`skip`](Self::skip), and once: what is
    /// said later is a part of that.
    pub(crate) fn note_marks(&self, positions: impl Iterator<Item = u64>) {
        let mut marks = self.marks.lock();
        if marks.is_empty() {
            marks.extend(positions);
        }
    }

    /// How many marks come after word `from`, and not after word `until`.
    fn marks_between(&self, from: u64, until: u64) -> u64 {
        let marks = self.marks.lock();
        marks.iter().filter(|&&position| (from + 1..=until).contains(&position)).count() as u64
    }
}

/// A walk over the frozen rest of an order ring, which numbers one target's messages.
pub(crate) struct Walk {
    ring: Arc<OrderRing>,
    target: u16,
    position: u64,
    end: u64,
    /// The number of the word at `position`.
    seq: u64,
}

impl Walk {
    /// Over the words `start..end`, the first of which that stands for a message has the number `first_seq`.
    pub(crate) fn new(
        ring: Arc<OrderRing>,
        target: u16,
        start: u64,
        end: u64,
        first_seq: u64,
    ) -> Self {
        Self { ring, target, position: start, end, seq: first_seq }
    }

    /// How many messages of the target are in it.
    pub(crate) fn len(&self) -> u64 {
        (self.position..self.end).filter(|&at| self.ring.target(at) == self.target).count() as u64
    }

    /// The number of the target's next message, which stays.
    pub(crate) fn peek(&mut self) -> u64 {
        while self.position < self.end && self.ring.target(self.position) != self.target {
            self.step();
        }
        self.seq
    }

    /// The number of the target's next message.
    pub(crate) fn next(&mut self) -> u64 {
        let seq = self.peek();
        self.step();
        seq
    }

    fn step(&mut self) {
        self.seq += u64::from(self.ring.target(self.position) != NOBODY);
        self.seq += self.ring.marks_between(self.position, self.position + 1);
        self.position += 1;
    }
}

/// A walk over the frozen rest of an order ring for a receiver that the outbox reaches by several ways: piece by piece,
/// each of one way.
pub(crate) struct Joint {
    ring: Arc<OrderRing>,
    position: u64,
    end: u64,
    /// The number of the word at `position`.
    seq: u64,
    ways: Vec<Way>,
    /// Keys of ways that end here with nothing left.
    ended: Vec<u32>,
}

struct Way {
    /// As which the receiver knows the lane.
    key: u32,
    target: u16,
}

/// Messages of one way, with none of another between them.
pub(crate) struct Piece {
    pub(crate) key: u32,
    pub(crate) len: u64,
    /// Their numbers.
    pub(crate) walk: Walk,
    /// The way ends after them.
    pub(crate) last: bool,
}

impl Joint {
    pub(crate) fn new(ring: Arc<OrderRing>) -> Self {
        let (ways, ended) = (Vec::new(), Vec::new());
        Self { ring, position: 0, end: 0, seq: 0, ways, ended }
    }

    /// A record of a way: the words `start..end`, the first of which has the number `first_seq`. The oldest record
    /// first.
    pub(crate) fn add(&mut self, key: u32, target: u16, first_seq: u64, start: u64, end: u64) {
        if start == end {
            self.ended.push(key);
            return;
        }
        if self.ways.is_empty() {
            (self.position, self.end, self.seq) = (start, end, first_seq);
        }
        debug_assert_eq!(self.end, end, "the rest of an ended outbox has one end");
        self.ways.push(Way { key, target });
    }

    /// The next messages; none if all is read.
    pub(crate) fn next(&mut self) -> Option<Piece> {
        let ring = self.ring.clone();
        let way_of =
            |at: u64, ways: &[Way]| ways.iter().position(|way| way.target == ring.target(at));
        let found = (self.position..self.end).find_map(|at| Some((at, way_of(at, &self.ways)?)));
        let Some((start, nth)) = found else {
            let key = self.ended.pop().or_else(|| self.ways.pop().map(|way| way.key))?;
            let walk = Walk::new(ring, NOBODY, self.end, self.end, self.seq);
            return Some(Piece { key, len: 0, walk, last: true });
        };
        self.pass(start);
        let is_other = |&at: &u64| way_of(at, &self.ways).is_some_and(|other| other != nth);
        let stop = (start..self.end).find(is_other).unwrap_or(self.end);
        let Way { key, target } = self.ways[nth];
        let walk = Walk::new(ring.clone(), target, start, stop, self.seq);
        let last = (stop..self.end).all(|at| ring.target(at) != target);
        if last {
            self.ways.swap_remove(nth);
        }
        self.pass(stop);
        Some(Piece { key, len: walk.len(), walk, last })
    }

    /// Goes on to a position.
    fn pass(&mut self, position: u64) {
        let words = self.position..position;
        self.seq += words.filter(|&at| self.ring.target(at) != NOBODY).count() as u64;
        self.seq += self.ring.marks_between(self.position, position);
        self.position = position;
    }
}
