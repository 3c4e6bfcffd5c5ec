//! The check: whether O1 to O5 held in everything that was received. It knows no engine: it is told what each reader
//! saw, in the order in which that reader saw it, and can be told any story ([`histories`]).
//!
//! | promise | what is checked | what is kept for it |
//! |---|---|---|
//! | O1 | all numbers up to the clock are there, once, and as many were sent | a bit for each, for a while |
//! | O2 | an author's numbers rise as its counts do, over all its targets | what came before its turn |
//! | O3 | a number is above the one that caused it | nothing |
//! | O4 | a number, or a clock, is above all that its reader was told before | two numbers for each reader |
//! | O5 | no message comes that a clock has covered; members had each broadcast | numbers of broadcasts |
//!
//! [`numbers`] has more of O1, [`author`] of O2.
//!
//! *Broadcasts* reach many and have one number. One member, the *keeper*, is there from the first to the last: what it
//! gets counts for O1 and O2, and every other member must have had the same numbers, from its joining to its leaving.
//! At which number it left, nobody is told; but what the clock showed just before, it must have had, and in what it
//! got beyond that there may be no hole. The numbers are kept to the end: 8 bytes for each, and the demo's feeds are
//! slow.
//!
//! *O5 by counting*: a message that was withheld from a reader that was told of its number would lack in the end. All
//! who leave read first what they were sent, so there is no number that nobody may have seen, and nothing is excused.

mod author;
#[cfg(test)]
mod histories;
mod numbers;
mod verdict;

use mainspring::Seq;

use super::mark::{AuthorId, Mark};
use author::Author;
use numbers::Numbers;
use verdict::Findings;
pub(super) use verdict::{Broken, Promise, Verdict};

/// The check's number for one who receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ReaderId(usize);

/// How a reader's broadcasts count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It is no member of the group.
    Alone,
    /// The member whose broadcasts count for all.
    Keeper,
    /// A member whose broadcasts must be the keeper's.
    Member,
}

/// What a reader saw.
#[derive(Clone, Copy, Debug)]
pub(super) enum Sight {
    Message(Seq, Mark),
    /// It was told the clock.
    Clock(Seq),
    /// It asked how far it has had everything.
    CaughtUp(Seq),
    /// Why it must have had all broadcasts between: when it joined, and up to where at least it was a member.
    Membership {
        joined: Option<Seq>,
        until: Seq,
    },
}

#[derive(Debug, Default)]
pub(super) struct Check {
    numbers: Numbers,
    authors: Vec<Author>,
    readers: Vec<Reader>,
    findings: Findings,
}

#[derive(Debug)]
struct Reader {
    name: String,
    kind: Kind,
    /// The number of the last message.
    last: Seq,
    /// The last clock that it was told.
    clock: Seq,
    /// Up to here it was told that it has had everything.
    caught_up: Seq,
    /// The last count of each author.
    counts: Vec<u64>,
    broadcasts: Vec<Seq>,
    /// From where to where it was a member.
    membership: Option<(Seq, Seq)>,
}

impl Check {
    pub(super) fn reader(&mut self, name: impl Into<String>, kind: Kind) -> ReaderId {
        self.readers.push(Reader::new(name.into(), kind));
        ReaderId(self.readers.len() - 1)
    }

    pub(super) fn author(&mut self, name: impl Into<String>) -> AuthorId {
        self.authors.push(Author::new(name.into()));
        AuthorId(self.authors.len() as u32 - 1)
    }

    /// An author has ended, and has sent so many.
    pub(super) fn sent(&mut self, author: AuthorId, messages: u64) {
        self.authors[author.0 as usize].sent = messages;
    }

    /// Takes what a reader saw, in its order.
    pub(super) fn see(&mut self, reader: ReaderId, sights: impl IntoIterator<Item = Sight>) {
        let Self { numbers, authors, readers, findings } = self;
        let reader = &mut readers[reader.0];
        for sight in sights {
            match sight {
                Sight::Message(seq, mark) => {
                    reader.message(seq, mark, findings);
                    let author = &mut authors[mark.author.0 as usize];
                    reader.count(author, mark, findings);
                    if !mark.to_all || reader.kind == Kind::Keeper {
                        findings.number(numbers.insert(seq.get()), seq, &reader.name);
                        findings.count(author.came(mark.nth, seq), &author.name);
                    }
                }
                Sight::Clock(seq) => reader.clock(seq, findings),
                Sight::CaughtUp(seq) => {
                    findings.fact(Promise::Increasing, seq >= reader.caught_up, || {
                        format!("{}: was at {}, then at {seq}", reader.name, reader.caught_up)
                    });
                    reader.caught_up = seq;
                }
                // One that never joined is owed nothing.
                Sight::Membership { joined, until } => {
                    reader.membership = Some((joined.unwrap_or(Seq::MAX), until));
                }
            }
        }
    }

    /// All have ended, and the clock stands at `clock`.
    pub(super) fn finish(mut self, clock: Seq) -> Verdict {
        self.count_up(clock);
        self.compare_members();
        let authors = self.authors.len();
        self.findings.into_verdict(self.numbers.received(), authors, self.readers.len())
    }

    /// As many were sent as have numbers, and have come.
    fn count_up(&mut self, clock: Seq) {
        let Self { numbers, authors, findings, .. } = self;
        let (missing, received) = (numbers.first_missing(), numbers.received());
        findings.fact(Promise::Dense, missing > clock.get(), || {
            format!("number {missing}: received by nobody, and the clock is at {clock}")
        });
        findings.fact(Promise::Dense, received <= clock.get(), || {
            format!("{received} numbers were received, and the clock is at {clock}")
        });
        let sent: u64 = authors.iter().map(|author| author.sent).sum();
        findings.fact(Promise::Dense, sent == clock.get(), || {
            format!("{sent} messages were sent, and the clock is at {clock}")
        });
        for author in &*authors {
            let Author { name, sent, .. } = author;
            let missing = author.first_missing();
            findings.fact(Promise::Dense, missing.is_none(), || {
                let nth = missing.unwrap_or_default();
                format!("{name}: message {nth} of {sent} is not where it should be")
            });
        }
    }

    /// Each member has had what the keeper has had, as long as it was one.
    fn compare_members(&mut self) {
        let Self { readers, findings, .. } = self;
        let keeper = readers.iter().find(|reader| reader.kind == Kind::Keeper);
        let all = keeper.map_or(&[][..], |keeper| &keeper.broadcasts);
        for Reader { name, membership, broadcasts: had, .. } in
            readers.iter().filter(|reader| reader.kind == Kind::Member)
        {
            let (joined, until) = membership.unwrap_or((Seq::MAX, Seq::ZERO));
            let until = had.last().copied().unwrap_or_default().max(until);
            let from = all.partition_point(|seq| *seq <= joined);
            let to = all.partition_point(|seq| *seq <= until).max(from);
            let owed = &all[from..to];
            findings.membership(owed == had, || {
                let at = owed.iter().zip(had).take_while(|(owed, had)| owed == had).count();
                let told =
                    |seq: Option<&Seq>| seq.map_or_else(|| "none".to_owned(), Seq::to_string);
                format!(
                    "{name}: a member from {joined} on, its broadcast {} should be {} and is {}",
                    at + 1,
                    told(owed.get(at)),
                    told(had.get(at))
                )
            });
        }
    }
}

impl Reader {
    fn new(name: String, kind: Kind) -> Self {
        let [last, clock, caught_up] = [Seq::ZERO; 3];
        let (counts, broadcasts, membership) = (Vec::new(), Vec::new(), None);
        Self { name, kind, last, clock, caught_up, counts, broadcasts, membership }
    }

    fn message(&mut self, seq: Seq, mark: Mark, findings: &mut Findings) {
        let Self { name, kind, last, clock, caught_up, broadcasts, .. } = self;
        findings.fact(Promise::Increasing, seq > *last, || format!("{name}: {seq} after {last}"));
        let told = (*clock).max(*caught_up);
        findings.holds(Promise::ClockSafety, seq > told, || {
            format!("{name}: {seq} after it was told that it has had all up to {told}")
        });
        if mark.cause != Seq::ZERO {
            findings.fact(Promise::Causal, seq > mark.cause, || {
                format!("{name}: {seq} was sent after {} had been seen", mark.cause)
            });
        }
        *last = seq;
        // A broadcast to one that is no member is no broadcast of the group's.
        if mark.to_all && *kind != Kind::Alone {
            broadcasts.push(seq);
        }
    }

    /// What an author has sent to one reader comes in that order, broadcast or not.
    fn count(&mut self, author: &Author, mark: Mark, findings: &mut Findings) {
        let index = mark.author.0 as usize;
        if index >= self.counts.len() {
            self.counts.resize(index + 1, 0);
        }
        let before = std::mem::replace(&mut self.counts[index], mark.nth);
        findings.holds(Promise::PerHandle, mark.nth > before, || {
            format!("{}: message {} of {} after {before}", self.name, mark.nth, author.name)
        });
    }

    fn clock(&mut self, seq: Seq, findings: &mut Findings) {
        let Self { name, last, clock, .. } = self;
        let before = (*last).max(*clock);
        findings.fact(Promise::Increasing, seq > before, || {
            format!("{name}: told the clock {seq} after {before}")
        });
        findings.clocks += 1;
        *clock = seq;
    }
}
