//! What the check has found: for each promise how much was checked, and the first thing that broke it.

use mainspring::Seq;

use super::author;
use super::numbers;
use crate::command::demo::figures::grouped;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Promise {
    Dense,
    PerHandle,
    Causal,
    Increasing,
    ClockSafety,
}

/// Found so far.
#[derive(Debug, Default)]
pub(super) struct Findings {
    facts: [u64; 5],
    broken: [Option<Broken>; 5],
    /// Clocks that were told.
    pub(super) clocks: u64,
    /// Memberships that were compared.
    memberships: u64,
}

/// How a promise was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Broken {
    /// How it was the first time.
    pub(crate) first: String,
    pub(crate) times: u64,
}

/// The end of a check.
#[derive(Debug)]
pub(crate) struct Verdict {
    pub(crate) rows: [Row; 5],
    pub(crate) messages: u64,
    pub(crate) authors: usize,
    pub(crate) readers: usize,
}

/// One promise.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) promise: Promise,
    pub(crate) checked: String,
    pub(crate) broken: Option<Broken>,
}

impl Promise {
    pub(crate) const ALL: [Self; 5] =
        [Self::Dense, Self::PerHandle, Self::Causal, Self::Increasing, Self::ClockSafety];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Dense => "O1 dense",
            Self::PerHandle => "O2 per handle",
            Self::Causal => "O3 causal",
            Self::Increasing => "O4 increasing",
            Self::ClockSafety => "O5 clock safety",
        }
    }
}

impl Findings {
    /// Notes a break, if it is one.
    pub(super) fn holds(&mut self, promise: Promise, holds: bool, how: impl FnOnce() -> String) {
        if !holds {
            self.note(promise, how);
        }
    }

    #[cold]
    fn note(&mut self, promise: Promise, how: impl FnOnce() -> String) {
        let broken = &mut self.broken[promise as usize];
        broken.get_or_insert_with(|| Broken { first: how(), times: 0 }).times += 1;
    }

    /// The same, and counts it.
    pub(super) fn fact(&mut self, promise: Promise, holds: bool, how: impl FnOnce() -> String) {
        self.facts[promise as usize] += 1;
        self.holds(promise, holds, how);
    }

    /// A number was received by `reader`.
    pub(super) fn number(&mut self, found: Result<(), numbers::Wrong>, seq: Seq, reader: &str) {
        self.holds(Promise::Dense, found.is_ok(), || match found {
            Err(numbers::Wrong::Absurd) => format!("{reader}: {seq} is no number of this run"),
            _ => format!("number {seq}: received twice, the second time by {reader}"),
        });
    }

    /// A message of `author` was put in its place.
    pub(super) fn count(&mut self, found: Result<u64, author::Wrong>, author: &str) {
        match found {
            Ok(compared) => self.facts[Promise::PerHandle as usize] += compared,
            Err(wrong) => self.note(Promise::PerHandle, || match wrong {
                author::Wrong::Falls { nth, seq, before } => {
                    format!("{author}: message {nth} is {seq}, the one before it {before}")
                }
                author::Wrong::Twice { nth } => format!("{author}: message {nth} came twice"),
                author::Wrong::Overdue { missing } => {
                    format!("{author}: message {missing} did not come, and millions after it did")
                }
            }),
        }
    }

    pub(super) fn membership(&mut self, holds: bool, how: impl FnOnce() -> String) {
        self.memberships += 1;
        self.holds(Promise::ClockSafety, holds, how);
    }

    pub(super) fn into_verdict(self, messages: u64, authors: usize, readers: usize) -> Verdict {
        let Self { facts, broken, clocks, memberships } = self;
        let mut broken = broken.into_iter();
        let rows = Promise::ALL.map(|promise| {
            let facts = grouped(facts[promise as usize]);
            let checked = match promise {
                Promise::Dense => format!("{} numbers, each once", grouped(messages)),
                Promise::PerHandle => format!("{facts} messages, over all targets of a handle"),
                Promise::Causal => format!("{facts} messages after what caused them"),
                Promise::Increasing => format!("{facts} messages and clocks"),
                Promise::ClockSafety => {
                    let (clocks, memberships) = (grouped(clocks), grouped(memberships));
                    format!("{clocks} clocks, {memberships} memberships")
                }
            };
            Row { promise, checked, broken: broken.next().flatten() }
        });
        Verdict { rows, messages, authors, readers }
    }
}

impl Verdict {
    /// The first promise that is broken, and how.
    pub(crate) fn broken(&self) -> Option<(Promise, &Broken)> {
        self.rows.iter().find_map(|row| Some((row.promise, row.broken.as_ref()?)))
    }
}
