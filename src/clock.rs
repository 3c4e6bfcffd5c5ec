//! The clock: "everything up to seq is dispatched", published by the dispatcher, read by anyone, sent to nobody.
//!
//! ```text
//!   version   odd while a record is being written
//!   seq       the number that was given last
//!   at        when it was published, if timestamps are on (nanoseconds since the engine began)
//! ```
//!
//! *Who writes what.* The holder of the dispatcher's lock writes all three, and keeps its own copy of the version.
//!
//! *Orderings.* A seqlock of relaxed words between fences, so it needs no unsafe. Writer: version odd, Release
//! fence, the words, version even with Release. Reader of the record: version with Acquire, the words, Acquire
//! fence, version again; the same and even, or it looks again. Reader of the number alone: one load with Acquire,
//! which pairs with the writer's fence; all that was done before the fence (entries, above all) is then visible.
//! That load never retries.
//!
//! *Source.* Boehm, "Can seqlocks get along with programming language memory models?" (2012).

use std::fmt;

use crate::sync::atomic::AtomicU64;
use crate::sync::{Ordering::Relaxed, yield_now};

/// The number of an event: dense, starting at 1 (or after the chosen one), never reused.
///
/// ```
/// use mainspring::Seq;
/// assert!(Seq::ZERO < Seq::new(1));
/// assert_eq!(Seq::new(7).get(), 7);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(transparent))]
pub struct Seq(u64);

impl Seq {
    /// Before the first event.
    pub const ZERO: Self = Self(0);

    /// After every event: how far one has come who will handle nothing any more.
    pub const MAX: Self = Self(u64::MAX);

    /// The event with this number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number itself.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<Seq> for u64 {
    fn from(seq: Seq) -> Self {
        seq.0
    }
}

impl From<u64> for Seq {
    fn from(number: u64) -> Self {
        Self(number)
    }
}

/// The published record.
#[derive(Debug)]
pub struct ClockCell {
    version: AtomicU64,
    seq: AtomicU64,
    at: AtomicU64,
}

impl ClockCell {
    /// A clock that stands at `seq`.
    pub fn new(seq: u64) -> Self {
        Self { version: AtomicU64::new(0), seq: AtomicU64::new(seq), at: AtomicU64::new(0) }
    }

    /// How far everything is dispatched. Wait-free.
    #[inline]
    pub fn now(&self) -> u64 {
        // Acquire: pairs with the fence in `publish`: what was handed out up to this number is visible.
        self.seq.load(ord!("clock.now", Acquire))
    }

    /// The whole record: `(seq, at)`. Looks again while a new one is being written.
    pub fn read(&self) -> (u64, u64) {
        loop {
            // Acquire: pairs with the last store of `publish`: the words are at least those of this version.
            let before = self.version.load(ord!("clock.version.read", Acquire));
            if before.is_multiple_of(2) {
                // Relaxed: between the version's two loads; the fence below keeps them there.
                let record = (self.seq.load(Relaxed), self.at.load(Relaxed));
                // Pairs with the writer's fence: if a word above is a later one, so is the version below.
                fence!("clock.read.fence", Acquire);
                // Relaxed: ordered by the fence.
                if self.version.load(Relaxed) == before {
                    return record;
                }
            }
            yield_now();
        }
    }
}

/// The writer's side: of one at a time, whoever holds the dispatcher's lock.
#[derive(Debug, Default)]
pub struct ClockWriter {
    version: u64,
}

impl ClockWriter {
    /// Publishes a new record. Everything that it covers must have been handed out before.
    #[inline]
    pub fn publish(&mut self, cell: &ClockCell, seq: u64, at: u64) {
        // Relaxed: the fence orders it before the words.
        cell.version.store(self.version + 1, Relaxed);
        // Pairs with `now` and with the fence in `read`.
        fence!("clock.write.fence", Release);
        // Relaxed: see the fence.
        cell.seq.store(seq, Relaxed);
        // Relaxed: see the fence.
        cell.at.store(at, Relaxed);
        self.version += 2;
        // Release: pairs with the first load of `read`.
        cell.version.store(self.version, ord!("clock.version.publish", Release));
    }
}
