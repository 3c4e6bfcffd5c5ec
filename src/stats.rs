//! Statistics: how full everything is, and who holds whom back.
//!
//! Everything is counted already, for other purposes: a lane's tail, stamp and head are what was sent, numbered and
//! received. So a report costs only the one who asks for it. It is no snapshot: each figure is true of some moment
//! during the call.

#[cfg(feature = "openmetrics")]
mod open_metrics;

use std::fmt;
use std::sync::Weak;
use std::time::Duration;

use crate::clock::Seq;
use crate::dispatcher::{Core, History};
use crate::drive::Shared;
use crate::lane::Counts;
use crate::order::OrderRing;
use crate::sync::{Arc, Mutex, yield_now};
use crate::trace::Label;

/// A report on an engine. Made by [`Engine::stats`](crate::Engine::stats).
///
/// *Who is slow?* A receiver that others wait for has lanes that are held up because they are
/// [full](HeldUp::LaneFull), or because its [inbox is](HeldUp::InboxFull). Behind an outbox those who wait can look
/// worse than the one they wait for: follow [`OutboxStats::held_by`] from a lane that is [behind](HeldUp::Behind).
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let engine = mainspring::Engine::new();
/// let (mut tx, mut rx) = engine.options().name("orders").channel()?;
/// tx.send_batch(["buy", "sell", "buy"])?;
/// rx.recv()?;
/// let stats = engine.stats();
/// let orders = &stats.receivers[0];
/// assert_eq!((orders.name.as_deref(), orders.received, orders.depth), (Some("orders"), 1, 2));
/// println!("{stats}");
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
#[non_exhaustive]
pub struct Stats {
    /// Where the clock stands.
    pub clock: Seq,
    /// How long ago it was published; with [timestamps](crate::Builder::timestamps), and after the first event.
    pub clock_age: Option<Duration>,
    /// Full passes of the dispatcher.
    pub passes: u64,
    /// How often a receiver that waited has numbered what its own lane had, without a pass.
    pub short_ways: u64,
    /// How often the dispatcher was asked to look again: for sleepers, joins, ends, room.
    pub kicks: u64,
    /// The messages that passes and short ways have numbered, divided by how many those were. Under little load it is
    /// below one: most passes are looks of those who wait.
    pub messages_per_pass: f64,
    /// Messages that were sent to receivers which went before they had received them.
    pub discarded: u64,
    /// The receivers that have not gone, in the order in which they were made.
    pub receivers: Vec<ReceiverStats>,
    /// The outboxes that have not gone.
    pub outboxes: Vec<OutboxStats>,
}

/// A report on a receiver.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
#[non_exhaustive]
pub struct ReceiverStats {
    /// The name that it was given.
    pub name: Option<Box<str>>,
    /// Its number: [`Address::id`](crate::Address::id).
    pub id: u64,
    /// No source is left: nothing will come but what was sent.
    pub closed: bool,
    /// Messages that it has received.
    pub received: u64,
    /// Messages that it will not receive, because it was removed from a group before it had; as far as it has noticed.
    pub missed: u64,
    /// Messages that were sent to it and not received.
    pub depth: u64,
    /// Those of them that have their number: how far it is behind the clock, in messages.
    pub lag: u64,
    /// How long ago the oldest message that was handed to it got its number, of those that it has not handled; zero if
    /// it has handled all. Known with [timestamps](crate::Builder::timestamps). It is never too short, and an eighth
    /// too long at most; within a batch it can be that of the message before.
    ///
    /// A message is handled when its receiver asks for the next, as in [`Progress`](crate::Progress): so this grows
    /// also while a receiver that has nothing else to do works on a message.
    pub lag_time: Option<Duration>,
    /// How far it has handled what it was given, as [`Progress`](crate::Progress) tells it: known with timestamps, or
    /// once somebody has asked for its progress.
    pub handled: Option<Seq>,
    /// Runs of messages that were handed to it and that it has not taken up,
    pub inbox_len: usize,
    /// and how many there can be.
    pub inbox_capacity: usize,
    /// How often those who send to it had to wait, ever: as [`LaneStats::stalls`], with those of lanes that have gone.
    pub stalls: u64,
    /// The lanes of its senders and outboxes, as long as they hold messages or may yet.
    pub lanes: Vec<LaneStats>,
}

/// A report on a lane.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
#[non_exhaustive]
pub struct LaneStats {
    /// Messages sent on it.
    pub sent: u64,
    /// Those of them that were not received.
    pub depth: u64,
    /// Those of them that have no number yet.
    pub unnumbered: u64,
    /// How many it holds.
    pub capacity: usize,
    /// How often it had to wait: its sender for room in it, or what it holds for room in the inbox.
    pub stalls: u64,
    /// The outbox that it belongs to, as an index into [`Stats::outboxes`]; none if it is a sender's.
    pub outbox: Option<usize>,
    /// What its receiver holds up.
    pub held_up: Option<HeldUp>,
    /// The receiver for room in whose inbox it waits, as an index into [`Stats::receivers`]; for a lane of an outbox
    /// that is told by [`OutboxStats::held_by`].
    pub held_by: Option<usize>,
}

/// A report on an outbox.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
#[non_exhaustive]
pub struct OutboxStats {
    /// The name that it was given.
    pub name: Option<Box<str>>,
    /// Its number: [`Outbox::id`](crate::Outbox::id).
    pub id: u64,
    /// Messages sent, to all targets.
    pub sent: u64,
    /// Those of them that have no number yet.
    pub depth: u64,
    /// How many without a number it holds.
    pub capacity: usize,
    /// How often it had to wait for room.
    pub stalls: u64,
    /// The receiver that holds up everything in it, because its inbox or its lane is full: an index into
    /// [`Stats::receivers`].
    pub held_by: Option<usize>,
}

/// How a receiver holds up a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum HeldUp {
    /// The lane is full: its sender cannot send.
    LaneFull,
    /// The receiver's inbox is full: what the lane holds gets no number.
    InboxFull,
    /// What the lane holds gets no number because of another receiver: something before it in the same outbox gets none
    /// ([`OutboxStats::held_by`] says whose), or it is for a group of which another member's inbox is full.
    Behind,
}

impl Stats {
    pub(crate) fn of(shared: &Shared) -> Self {
        Self::count(shared, true)
    }

    /// For whoever holds the dispatcher: without what that alone knows.
    pub(crate) fn beside_the_dispatcher(shared: &Shared) -> Self {
        Self::count(shared, false)
    }

    fn count(shared: &Shared, asks: bool) -> Self {
        let rings = shared.rings.all();
        let outbox = |ring: &OrderRing| rings.iter().position(|known| std::ptr::eq(&**known, ring));
        let ports = shared.ports.all();
        // Before anything that it covers is looked at: see `progress`.
        let now = shared.board().clock.now();
        let counted =
            ports.iter().filter_map(|port| Some((port.port(), port.count(now, &outbox)?)));
        let (ids, counted): (Vec<_>, Vec<_>) = counted.unzip();
        let (mut receivers, oldest): (Vec<ReceiverStats>, Vec<_>) = counted.into_iter().unzip();
        let index_of = |port| ids.iter().position(|id| *id == Some(port));
        let stalled_by: Vec<Option<usize>> =
            rings.iter().map(|ring| ring.state().stalls.read().1.and_then(index_of)).collect();
        for (index, receiver) in receivers.iter_mut().enumerate() {
            for lane in &mut receiver.lanes {
                lane.held_by = lane.held_by.and_then(index_of);
            }
            receiver.find_stalled(index, &stalled_by);
        }
        let outboxes = (rings.iter().zip(stalled_by).enumerate())
            .map(|(index, (ring, stalled_by))| {
                let Counts { sent, numbered, .. } = ring.state().counts();
                let fills = || receivers.iter().position(|receiver| receiver.fills(index));
                OutboxStats {
                    name: ring.name.clone(),
                    id: ring.id,
                    sent,
                    depth: sent.saturating_sub(numbered),
                    capacity: ring.capacity() as usize,
                    stalls: ring.state().stalls.read().0,
                    held_by: stalled_by.or_else(fills),
                }
            })
            .collect();
        // The room for it is made before the dispatcher is held.
        let mut history = shared.began().map(|_| History::new());
        let mut turns = || {
            ask(shared, |core| {
                core.copy_history(history.as_mut());
                core.turns()
            })
        };
        let (passes, short_ways) = if asks { turns() } else { None }.unwrap_or_default();
        let (clock, at) = shared.board().clock.read();
        let numbered = clock - shared.start;
        let clock_age = shared.age_of(at).filter(|_| at > 0);
        for (receiver, oldest) in receivers.iter_mut().zip(oldest) {
            receiver.lag_time = history.as_ref().and_then(|history| match oldest {
                Some(number) => shared.age_of(history.given_at(number)?),
                None => Some(Duration::ZERO),
            });
        }
        Self {
            clock: Seq::new(clock),
            clock_age,
            passes,
            short_ways,
            kicks: shared.kicks(),
            discarded: shared.discarded(),
            messages_per_pass: numbered as f64 / (passes + short_ways).max(1) as f64,
            receivers,
            outboxes,
        }
    }
}

/// Asks the dispatcher: waits for the moment between two passes. None if there will be no pass any more.
fn ask<R>(shared: &Shared, mut question: impl FnMut(&Core) -> R) -> Option<R> {
    loop {
        if let answer @ Some(_) = shared.ask(&mut question) {
            return answer;
        }
        if shared.is_poisoned() {
            return None;
        }
        yield_now();
    }
}

impl ReceiverStats {
    /// Adds a lane. `waits_for`: room in the inbox of the receiver that the dispatcher calls so, and whether that is
    /// this one.
    pub(crate) fn add(
        &mut self,
        counts: Counts,
        stalls: u64,
        waits_for: Option<(usize, bool)>,
        capacity: usize,
        outbox: Option<usize>,
    ) {
        let Counts { sent, numbered, received } = counts;
        // Those who send go on meanwhile.
        let depth = sent.saturating_sub(received).min(capacity as u64);
        let held_up = match waits_for {
            Some((_, true)) => Some(HeldUp::InboxFull),
            Some((_, false)) => Some(HeldUp::Behind),
            None => (depth >= capacity as u64).then_some(HeldUp::LaneFull),
        };
        self.received += received;
        self.stalls += stalls;
        self.depth += depth;
        self.lag += numbered.saturating_sub(received).min(depth);
        let unnumbered = sent.saturating_sub(numbered.max(received));
        // The dispatcher's number, for now.
        let held_by = waits_for.map(|(port, _)| port);
        self.lanes.push(LaneStats {
            sent,
            depth,
            unnumbered,
            capacity,
            stalls,
            outbox,
            held_up,
            held_by,
        });
    }

    /// Whether the lane of an outbox to this receiver is full.
    fn fills(&self, outbox: usize) -> bool {
        let is_full = |lane: &LaneStats| lane.held_up == Some(HeldUp::LaneFull);
        self.lanes.iter().any(|lane| lane.outbox == Some(outbox) && is_full(lane))
    }

    /// Marks the lanes of outboxes that wait for room in an inbox, this receiver's (which is `index`) or another's.
    fn find_stalled(&mut self, index: usize, stalled_by: &[Option<usize>]) {
        for lane in self.lanes.iter_mut().filter(|lane| lane.unnumbered > 0) {
            if let Some(holder) = lane.outbox.and_then(|outbox| stalled_by[outbox]) {
                let here = if holder == index { HeldUp::InboxFull } else { HeldUp::Behind };
                lane.held_up.get_or_insert(here);
            }
        }
    }
}

impl fmt::Display for Stats {
    /// A line for the engine, for each receiver, and for each outbox.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { clock, passes, short_ways, kicks, messages_per_pass, discarded, .. } = self;
        write!(f, "clock {clock}: {passes} passes and {short_ways} short ways, ")?;
        write!(f, "{messages_per_pass:.1} messages each; {kicks} kicks")?;
        if *discarded > 0 {
            write!(f, "; {discarded} discarded")?;
        }
        for (index, receiver) in self.receivers.iter().enumerate() {
            let ReceiverStats { received, depth, lag, lag_time, lanes, stalls, .. } = receiver;
            let held = lanes.iter().filter(|lane| lane.held_up.is_some()).count();
            write!(f, "\n{}: received {received}, depth {depth}, lag {lag}", self.name_of(index))?;
            if let Some(lag_time) = lag_time {
                write!(f, " ({lag_time:.1?})")?;
            }
            write!(f, "; lanes {}, held up {held}, stalls {stalls}", lanes.len())?;
        }
        for (index, outbox) in self.outboxes.iter().enumerate() {
            let OutboxStats { name, sent, depth, stalls, held_by, .. } = outbox;
            match name {
                Some(name) => write!(f, "\n{name}")?,
                None => write!(f, "\noutbox {index}")?,
            }
            write!(f, ": sent {sent}, depth {depth}, stalls {stalls}")?;
            if let Some(receiver) = held_by {
                write!(f, ", held up by {}", self.name_of(*receiver))?;
            }
        }
        Ok(())
    }
}

impl Stats {
    fn name_of(&self, receiver: usize) -> String {
        let name = self.receivers.get(receiver).and_then(|receiver| receiver.name.as_deref());
        name.map_or_else(|| format!("receiver {receiver}"), str::to_owned)
    }
}

/// One who can be counted, whatever its type.
pub(crate) trait Census: Send + Sync {
    /// The dispatcher's number for this receiver.
    fn port(&self) -> Option<usize>;
    /// For those who watch.
    fn label(&self) -> Label;
    /// Whether it has received all that was sent to it, and handled it, if anyone wants to know that; or has gone.
    fn has_all(&self) -> bool;
    /// The report, and the number of its oldest message that is not handled, as far as that is known; none if it has
    /// gone. The clock was read before; `outbox` finds the index of an outbox.
    fn count(
        &self,
        clock: u64,
        outbox: &dyn Fn(&OrderRing) -> Option<usize>,
    ) -> Option<(ReceiverStats, Option<u64>)>;
}

/// All of a kind that have not gone. Keeps nobody alive.
pub(crate) struct Registry<T: ?Sized> {
    entries: Mutex<Entries<T>>,
}

struct Entries<T: ?Sized> {
    list: Vec<Weak<T>>,
    /// At this length those that have gone are taken out.
    limit: usize,
}

impl<T: ?Sized> Default for Registry<T> {
    fn default() -> Self {
        Self { entries: Mutex::new(Entries { list: Vec::new(), limit: 16 }) }
    }
}

impl<T: ?Sized> Registry<T> {
    pub(crate) fn add(&self, entry: &Arc<T>) {
        let mut entries = self.entries.lock();
        if entries.list.len() >= entries.limit {
            entries.list.retain(|entry| entry.strong_count() > 0);
            entries.limit = 2 * entries.list.len().max(8);
        }
        entries.list.push(Arc::downgrade(entry));
    }

    /// What `look` finds first.
    pub(crate) fn find<R>(&self, look: impl Fn(&T) -> Option<R>) -> Option<R> {
        self.all().iter().find_map(|entry| look(entry))
    }

    pub(crate) fn all(&self) -> Vec<Arc<T>> {
        self.entries.lock().list.iter().filter_map(Weak::upgrade).collect()
    }
}
