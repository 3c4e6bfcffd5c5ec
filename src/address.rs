//! Addresses: how senders find a receiver.
//!
//! A [`Port`] is what a receiver shares with those who send to it: its inbox, and the table in which a new lane
//! leaves its slots for the receiver, who takes them up when it meets the lane's first run. The key of a lane in this
//! table is its name in the inbox. A key is free again when the receiver has consumed the lane's last run, or when
//! the lane ends without ever having spoken, so no entry of an inbox can mean a later lane.

use std::fmt;
use std::hash::{Hash, Hasher};

use slab::Slab;

use crate::board::Change;
use crate::clock::Seq;
use crate::drive::Shared;
use crate::error::{AddressError, NotifyError};
use crate::given::Forwarded;
use crate::inbox::{Inbox, LANES_MAX, Rest};
use crate::lane::Counts;
use crate::notice::{LETTER, Letter, Letterbox, Notice};
use crate::order::OrderRing;
use crate::progress::Tracker;
use crate::ring::{Lane, Producer};
use crate::stats::{Census, ReceiverStats};
use crate::sync::atomic::AtomicU64;
use crate::sync::{Arc, Mutex, Ordering::Relaxed, unique};
use crate::tap::Tap;
use crate::trace::Label;

/// Names a receiver of `T`. Does not keep it open.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let engine = mainspring::Engine::new();
/// let mut rx = engine.receiver::<u32>();
/// let address = rx.address();
/// let mut tx = engine.sender(&address)?;
/// tx.send(7)?;
/// assert_eq!(rx.recv()?.1, 7);
/// # Ok(()) }
/// ```
pub struct Address<T> {
    pub(crate) shared: Arc<Shared>,
    pub(crate) port: Arc<Port<T>>,
}

impl<T> Address<T> {
    /// The name that the receiver was given.
    pub fn name(&self) -> Option<&str> {
        self.port.name.as_deref()
    }

    /// The receiver's number, which no other receiver or outbox of this process has. It tells those without a name
    /// apart in `Debug`, [statistics](crate::ReceiverStats::id) and events.
    pub fn id(&self) -> u64 {
        self.port.id
    }
}

impl<T> Clone for Address<T> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone(), port: self.port.clone() }
    }
}

impl<T> PartialEq for Address<T> {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.port, &other.port)
    }
}

impl<T> Eq for Address<T> {}

impl<T> Hash for Address<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.port).hash(state);
    }
}

impl<T> fmt::Debug for Address<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Address")
            .field("name", &self.name())
            .field("id", &self.id())
            .finish_non_exhaustive()
    }
}

/// See the module's documentation.
pub(crate) struct Port<T> {
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) name: Option<Box<str>>,
    /// For people: unique in the process.
    pub(crate) id: u64,
    /// For those who watch.
    pub(crate) label: Label,
    /// The capacity of the lanes to it.
    pub(crate) capacity: usize,
    /// In a follower: which numbers it is to have.
    pub(crate) forwarded: Forwarded,
    lanes: Mutex<Table<T>>,
    /// Messages of groups that it was removed from before it had received them.
    missed: AtomicU64,
}

/// A lane to a receiver, and the place of the receiver in it if it is one of several.
pub(crate) struct Inlet<T> {
    pub(crate) lane: Arc<Lane<T>>,
    pub(crate) tap: Option<Arc<Tap>>,
}

impl<T> Inlet<T> {
    /// Where the dispatcher notes the rest of the lane if it ends.
    pub(crate) fn rest(&self) -> &Rest {
        self.tap.as_ref().map_or_else(|| &self.lane.state().rest, |tap| &tap.rest)
    }

    /// What was sent on it to this receiver, numbered, and received.
    pub(crate) fn counts(&self) -> Counts {
        let counts = self.lane.state().counts();
        self.tap.as_ref().map_or(counts, |tap| tap.counts(counts))
    }
}

impl<T> Clone for Inlet<T> {
    fn clone(&self) -> Self {
        Self { lane: self.lane.clone(), tap: self.tap.clone() }
    }
}

struct Table<T> {
    /// The receiver has left and taken all that was here.
    gone: bool,
    /// What it took is counted as not received.
    counted: bool,
    lanes: Slab<Inlet<T>>,
    letters: Slab<Arc<Letter>>,
    /// What lanes had received that are not here any more,
    past: u64,
    /// and how often they had to wait.
    past_stalls: u64,
    /// Where the receiver tells how far it is, if it does.
    tracker: Option<Arc<Tracker>>,
}

impl<T: Send + 'static> Port<T> {
    pub(crate) fn new(name: Option<Box<str>>, capacity: usize, inbox: usize) -> Arc<Self> {
        let lanes = Mutex::new(Table {
            gone: false,
            counted: false,
            lanes: Slab::new(),
            letters: Slab::new(),
            past: 0,
            past_stalls: 0,
            tracker: None,
        });
        let (inbox, forwarded) = (Inbox::new(inbox), Forwarded::default());
        let (id, missed) = (unique(), AtomicU64::new(0));
        let label = Label::new(name.as_deref(), id);
        Arc::new(Self { inbox, name, id, label, capacity, forwarded, lanes, missed })
    }

    /// The receiver tells here how far it is, from now on.
    pub(crate) fn track(&self, tracker: &Arc<Tracker>) {
        self.lanes.lock().tracker = Some(tracker.clone());
    }

    /// Makes a lane to this receiver and announces it by the change that `joining` makes of its key.
    pub(crate) fn open_lane(
        &self,
        shared: &Shared,
        lane: Arc<Lane<T>>,
        joining: impl FnOnce(&Arc<Lane<T>>, u32) -> Change,
    ) -> Result<Outlet<T>, AddressError> {
        lane.state().whom.is(&self.label);
        let key = self.register(Inlet { lane: lane.clone(), tap: None })?;
        if !shared.join(joining(&lane, key), &self.inbox) {
            self.withdraw(key);
            return Err(AddressError::Closed);
        }
        Ok(Outlet { producer: Producer::new(lane), key })
    }

    pub(crate) fn register(&self, inlet: Inlet<T>) -> Result<u32, AddressError> {
        let mut table = self.lanes.lock();
        if table.gone {
            return Err(AddressError::Closed);
        }
        if table.lanes.len() >= LANES_MAX {
            return Err(AddressError::TooMany);
        }
        Ok(u32::try_from(table.lanes.insert(inlet)).expect("fewer keys than LANES_MAX"))
    }

    /// Frees the key of a lane of which no run is in the inbox, nor ever will be.
    pub(crate) fn withdraw(&self, key: u32) {
        let mut table = self.lanes.lock();
        let lane = table.lanes.try_remove(key as usize);
        table.past += lane.as_ref().map_or(0, |lane| lane.counts().received);
        table.past_stalls += lane.as_ref().map_or(0, |lane| lane.lane.state().stalls.read().0);
        drop(table);
        // Only now, outside the lock: it may be the last owner.
        drop(lane);
    }

    /// Ends a lane; the caller announces it. One that never spoke is unknown to its receiver, and withdraws.
    pub(crate) fn end_lane(&self, producer: &mut Producer<T>, key: u32) {
        producer.end();
        if producer.tail() == 0 {
            self.withdraw(key);
        }
    }

    /// The lane that a run names.
    pub(crate) fn inlet(&self, key: u32) -> Inlet<T> {
        self.lanes.lock().lanes[key as usize].clone()
    }

    /// A letter to this receiver, which stands in its table until the receiver takes it, or it is withdrawn.
    pub(crate) fn write_letter(
        self: &Arc<Self>,
        notice: Notice,
    ) -> Result<Arc<Letter>, NotifyError> {
        let mut table = self.lanes.lock();
        let reason = if table.gone || self.inbox.is_closed() {
            AddressError::Closed
        } else if table.letters.len() >= LANES_MAX {
            AddressError::TooMany
        } else {
            let entry = table.letters.vacant_entry();
            let key = u32::try_from(entry.key()).expect("fewer keys than LANES_MAX") | LETTER;
            let letter = Arc::new(Letter::new(self.inbox.clone(), key, notice, self.clone()));
            entry.insert(letter.clone());
            return Ok(letter);
        };
        Err(NotifyError { notice, reason })
    }

    /// The letter that an entry names.
    pub(crate) fn letter(&self, key: u32) -> Arc<Letter> {
        self.lanes.lock().letters[(key & !LETTER) as usize].clone()
    }

    /// Where the dispatcher has noted what stands in the overflow list under this key.
    pub(crate) fn look_at_rest<R>(&self, key: u32, look: impl FnOnce(&Rest) -> R) -> R {
        if key & LETTER != 0 { look(&self.letter(key).rest) } else { look(self.inlet(key).rest()) }
    }

    /// The receiver has left: the letters that it has not taken, to be dropped where no lock is held.
    pub(crate) fn take_letters(&self) -> Vec<Arc<Letter>> {
        self.lanes.lock().letters.drain().collect()
    }

    /// The receiver leaves: no lane joins any more, and these are all there are.
    pub(crate) fn leave(&self) -> Vec<Inlet<T>> {
        let mut table = self.lanes.lock();
        table.gone = true;
        let lanes = table.lanes.drain().collect();
        drop(table);
        self.forwarded.clear();
        lanes
    }

    /// What the leaving receiver took is counted.
    pub(crate) fn has_counted(&self) {
        self.lanes.lock().counted = true;
    }

    pub(crate) fn missed(&self) -> u64 {
        // Relaxed: a count.
        self.missed.load(Relaxed)
    }

    /// `count` messages will not be received.
    pub(crate) fn miss(&self, count: u64) {
        // Relaxed: a count.
        self.missed.fetch_add(count, Relaxed);
    }

    /// The receiver has left.
    pub(crate) fn has_gone(&self) -> bool {
        self.lanes.lock().gone
    }

    /// Published messages that nobody has read.
    pub(crate) fn depth(&self) -> u64 {
        self.lanes.lock().lanes.iter().map(|(_, inlet)| inlet.counts().depth()).sum()
    }
}

impl<T: Send + 'static> Letterbox for Port<T> {
    fn withdraw_letter(&self, key: u32) {
        let letter = self.lanes.lock().letters.try_remove((key & !LETTER) as usize);
        // Only now, outside the lock: it may be the last owner.
        drop(letter);
    }
}

impl<T: Send + 'static> Census for Port<T> {
    fn port(&self) -> Option<usize> {
        self.inbox.port()
    }

    fn label(&self) -> Label {
        self.label.clone()
    }

    fn has_all(&self) -> bool {
        let table = self.lanes.lock();
        if table.gone {
            return table.counted;
        }
        // The port has one, the receiver has one: has anyone else asked for it?
        let watched = |tracker: &&Arc<Tracker>| Arc::strong_count(tracker) > 2;
        let is_done =
            || table.tracker.as_ref().filter(watched).is_none_or(|it| it.is_at_the_clock());
        table.lanes.iter().all(|(_, inlet)| inlet.counts().depth() == 0) && is_done()
    }

    fn count(
        &self,
        clock: u64,
        outbox: &dyn Fn(&OrderRing) -> Option<usize>,
    ) -> Option<(ReceiverStats, Option<u64>)> {
        let (inbox_len, inbox_capacity) = self.inbox.fill();
        let table = self.lanes.lock();
        if table.gone {
            return None;
        }
        let tracker = table.tracker.as_ref();
        let handled = tracker.map(|tracker| tracker.come_to(clock, self.inbox.given()));
        let oldest = tracker.and_then(|tracker| tracker.oldest(&self.inbox));
        let mut stats = ReceiverStats {
            name: self.name.clone(),
            id: self.id,
            closed: self.inbox.is_closed(),
            received: table.past,
            missed: self.missed(),
            stalls: table.past_stalls,
            handled: handled.map(Seq::new),
            inbox_len,
            inbox_capacity,
            ..ReceiverStats::default()
        };
        for (_, inlet) in &table.lanes {
            let lane = &inlet.lane;
            let of = lane.order().map(|(ring, _)| &**ring);
            let (stalls, waits_for) = lane.state().stalls.read();
            let waits_for = waits_for.map(|port| (port, Some(port) == self.port()));
            stats.add(inlet.counts(), stalls, waits_for, lane.capacity(), of.and_then(outbox));
        }
        Some((stats, oldest))
    }
}

/// A lane's writing end, and the key that it has at its receiver.
pub(crate) struct Outlet<T> {
    pub(crate) producer: Producer<T>,
    pub(crate) key: u32,
}

impl<T: Send + 'static> Outlet<T> {
    /// A lane to nobody: closed from the beginning.
    pub(crate) fn nowhere(capacity: usize) -> Self {
        let mut producer = Producer::new(Lane::new(capacity, Arc::default(), None));
        producer.close();
        // The dispatcher never hears of it.
        producer.state().release();
        Self { producer, key: u32::MAX }
    }
}
