//! An orderly end: nothing more is sent, what was sent is received, then everything closes.
//!
//! ```text
//!   shut       nobody joins any more
//!   CLOSING    in each author's attention: what it has published is sent, and nothing more
//!   drain      passes, until every lane is read to its end, or the time is up
//!   UNDECIDED  in each author's attention: is it so? If not, on with the drain
//!   CLOSED     no pass runs any more; what has no number is its author's again
//! ```
//!
//! *Who publishes at that moment.* An author loads its attention after each publication. If it finds CLOSING, the
//! message counts as sent: it is drained with the others, or reported as left. If it finds CLOSED, it takes the
//! message back, since nobody will give it a number any more ([`lane`](crate::lane)). If it finds UNDECIDED, it waits
//! for one or the other: so nothing that counts can slip in between the look that finds everything received, and the
//! end. Each author publishes once more at most, so there is an end to the looks. The report is made when every author
//! is told CLOSED, and before any receiver, which would leave, and take with it what was published after the last pass.
//! So nothing is lost without a word. Marks that were submitted until then get their numbers first: an answer to what
//! was received counts as sent, too.
//!
//! *Who waits for the drain* is told when a receiver goes to sleep or leaves. One that never asks for more when it has
//! the last message tells nobody, so this looks again every few milliseconds, too: to tell at each message would cost
//! every message.

use std::fmt;
use std::time::Duration;

use crate::clock::Seq;
use crate::drive::{Attempt, Shared};
use crate::lane::LaneState;
use crate::park::{Deadline, Parker};
use crate::stats::{HeldUp, LaneStats, ReceiverStats, Stats};
use crate::sync::{Arc, GLANCE, yield_now};
use crate::trace;

/// What became of an engine that was closed. Made by [`Engine::close`](crate::Engine::close).
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
#[must_use = "it tells whether anything was left"]
pub struct Closing {
    /// The last number that was given.
    pub clock: Seq,
    /// The receivers that did not receive all that was sent to them.
    pub left: Vec<Left>,
    /// Messages to receivers that went meanwhile, before they had received them. (Of one that is going at this moment,
    /// one more may be among them that its author is being given back.)
    pub discarded: u64,
}

/// What was sent to a receiver and not received.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Left {
    /// The receiver.
    pub receiver: Holder,
    /// Messages that have their number, and were not received. Those that were handed out it may still read.
    pub unread: u64,
    /// Messages that have no number, and never get one. (One that its author is being given back at this moment may be
    /// among them.)
    pub unnumbered: u64,
    /// The receivers that held up these messages: itself, if it does not receive what it was handed, or did not make
    /// room; others, if something before them in the same outbox, or the same broadcast, could not be handed out.
    pub held_by: Vec<Holder>,
}

/// A receiver, as reports name it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Holder {
    /// Its number: [`Address::id`](crate::Address::id).
    pub id: u64,
    /// The name that it was given.
    pub name: Option<Box<str>>,
}

impl Closing {
    /// Whether all that was sent was received.
    pub fn is_clean(&self) -> bool {
        self.left.is_empty() && self.discarded == 0
    }
}

impl fmt::Display for Closing {
    /// A line for each receiver that has left something.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_clean() {
            return write!(f, "all received up to {}", self.clock);
        }
        for (nth, Left { receiver, unread, unnumbered, held_by }) in self.left.iter().enumerate() {
            let line = if nth == 0 { "" } else { "\n" };
            write!(f, "{line}{receiver}: {unread} not received, {unnumbered} without a number")?;
            for (nth, holder) in held_by.iter().enumerate() {
                write!(f, "{} {holder}", if nth == 0 { "; held by" } else { "," })?;
            }
        }
        if self.discarded > 0 {
            let line = if self.left.is_empty() { "" } else { "\n" };
            write!(f, "{line}{} not received by receivers that have gone", self.discarded)?;
        }
        Ok(())
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => f.write_str(name),
            None => write!(f, "receiver {}", self.id),
        }
    }
}

/// See [`Engine::close`](crate::Engine::close).
pub(crate) fn close(shared: &Shared, within: Duration) -> Closing {
    let (deadline, before) = (Deadline::after(within), shared.discarded());
    stop_authors(shared);
    let discarded = || shared.discarded().saturating_sub(before);
    let look = |stats: &Stats| report(stats, discarded());
    let report = loop {
        drain(shared, deadline);
        let closed = shared.close(
            || over(shared, deadline),
            |over| match over {
                // Not counted: what is being given back is still to be seen.
                Over::Received => {
                    let clock = Seq::new(shared.board().clock.now());
                    Closing { clock, left: Vec::new(), discarded: discarded() }
                }
                Over::Late => look(&Stats::beside_the_dispatcher(shared)),
            },
        );
        match closed {
            Attempt::Closed(report) => break report,
            Attempt::TooEarly => {}
            Attempt::ClosedBefore => break look(&Stats::of(shared)),
        }
    };
    trace::closed(report.clock, report.left.len(), report.discarded);
    report
}

/// Why the drain is over.
enum Over {
    /// All that was sent is received.
    Received,
    /// The time is up.
    Late,
}

fn over(shared: &Shared, deadline: Option<Deadline>) -> Option<Over> {
    if shared.ports.all().iter().all(|port| port.has_all()) {
        return Some(Over::Received);
    }
    deadline.is_some_and(Deadline::has_passed).then_some(Over::Late)
}

/// Tells every author that nothing more is sent.
fn stop_authors(shared: &Shared) {
    shared.board().topology.shut();
    let parkers = loop {
        shared.pass_by_hand();
        let told = shared.ask(|core| {
            let authors = core.is_current().then(|| core.authors())?;
            Some(authors.inspect(|state| state.begin_closing()).map(parker_of).collect::<Vec<_>>())
        });
        match told.flatten() {
            Some(parkers) => break parkers,
            None if shared.is_poisoned() => return,
            None => yield_now(),
        }
    };
    // By read-modify-write: an author that waits for room has armed itself before, and is woken; or does so later, and
    // its barrier, which follows, acquires CLOSING. Who publishes is seen to later, before it is decided.
    for parker in parkers {
        parker.wake();
    }
}

fn parker_of(state: &LaneState) -> Arc<Parker> {
    state.parker().clone()
}

/// Waits until everything is received.
fn drain(shared: &Shared, deadline: Option<Deadline>) {
    let parker = Arc::new(Parker::default());
    loop {
        parker.arm();
        let ticket = shared.closers.add(&parker, 0);
        // Pairs with the heavy barriers of receivers that go to sleep, or leave: they see us armed, or we see what they
        // have read.
        heavy!("close.drain.heavy");
        shared.settle();
        let is_over = shared.is_poisoned() || over(shared, deadline).is_some();
        if !is_over {
            let glance = GLANCE.and_then(Deadline::after);
            let glance = glance.filter(|glance| glance.is_before(deadline));
            parker.sleep(glance.or(deadline));
        }
        parker.disarm();
        shared.closers.remove(ticket);
        if is_over {
            return;
        }
    }
}

fn report(stats: &Stats, discarded: u64) -> Closing {
    let receivers = stats.receivers.iter().enumerate();
    let left = receivers.filter(|(_, receiver)| receiver.depth > 0);
    let left = left.map(|(index, _)| Left::of(stats, index)).collect();
    Closing { clock: stats.clock, left, discarded }
}

impl Holder {
    fn of(ReceiverStats { id, name, .. }: &ReceiverStats) -> Self {
        Self { id: *id, name: name.clone() }
    }
}

impl Left {
    fn of(stats: &Stats, index: usize) -> Self {
        let ReceiverStats { depth, lag, lanes, .. } = &stats.receivers[index];
        let mut held_by = Vec::new();
        let mut add = |index| {
            let holder = Holder::of(&stats.receivers[index]);
            if !held_by.contains(&holder) {
                held_by.push(holder);
            }
        };
        if *lag > 0 {
            add(index);
        }
        for lane in lanes.iter().filter(|lane| lane.unnumbered > 0) {
            let LaneStats { held_up, held_by, outbox, .. } = lane;
            let of_outbox = || outbox.and_then(|outbox| stats.outboxes[outbox].held_by);
            let holder = match held_up {
                Some(HeldUp::Behind) => held_by.or_else(of_outbox),
                _ => Some(index),
            };
            holder.into_iter().for_each(&mut add);
        }
        let receiver = Holder::of(&stats.receivers[index]);
        Self { receiver, unread: *lag, unnumbered: depth - lag, held_by }
    }
}
