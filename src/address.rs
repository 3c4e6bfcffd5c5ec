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
use crate::drive::Shared;
use crate::error::AddressError;
use crate::given::Forwarded;
use crate::inbox::{Inbox, LANES_MAX};
use crate::order::OrderRing;
use crate::ring::{Lane, Producer};
use crate::stats::{Census, ReceiverStats};
use crate::sync::{Arc, Mutex};

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
        f.debug_struct("Address").field("name", &self.name()).finish_non_exhaustive()
    }
}

/// See the module's documentation.
pub(crate) struct Port<T> {
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) name: Option<Box<str>>,
    /// The capacity of the lanes to it.
    pub(crate) capacity: usize,
    /// In a follower: which numbers it is to have.
    pub(crate) forwarded: Forwarded,
    lanes: Mutex<Table<T>>,
}

struct Table<T> {
    /// The receiver has left and taken all that was here.
    gone: bool,
    lanes: Slab<Arc<Lane<T>>>,
    /// What lanes had received that are not here any more.
    past: u64,
}

impl<T: Send + 'static> Port<T> {
    pub(crate) fn new(name: Option<Box<str>>, capacity: usize, inbox: usize) -> Arc<Self> {
        let lanes = Mutex::new(Table { gone: false, lanes: Slab::new(), past: 0 });
        let (inbox, forwarded) = (Inbox::new(inbox), Forwarded::default());
        Arc::new(Self { inbox, name, capacity, forwarded, lanes })
    }

    /// Makes a lane to this receiver and announces it by the change that `joining` makes of its key.
    pub(crate) fn open_lane(
        &self,
        shared: &Shared,
        lane: Arc<Lane<T>>,
        joining: impl FnOnce(&Arc<Lane<T>>, u32) -> Change,
    ) -> Result<Outlet<T>, AddressError> {
        let key = self.register(lane.clone())?;
        if !shared.join(joining(&lane, key), &self.inbox) {
            self.withdraw(key);
            return Err(AddressError::Closed);
        }
        Ok(Outlet { producer: Producer::new(lane), key })
    }

    fn register(&self, lane: Arc<Lane<T>>) -> Result<u32, AddressError> {
        let mut table = self.lanes.lock();
        if table.gone {
            return Err(AddressError::Closed);
        }
        if table.lanes.len() >= LANES_MAX {
            return Err(AddressError::TooMany);
        }
        Ok(u32::try_from(table.lanes.insert(lane)).expect("fewer keys than LANES_MAX"))
    }

    /// Frees the key of a lane of which no run is in the inbox, nor ever will be.
    pub(crate) fn withdraw(&self, key: u32) {
        let mut table = self.lanes.lock();
        let lane = table.lanes.try_remove(key as usize);
        table.past += lane.as_ref().map_or(0, |lane| lane.state().counts().received);
        drop(table);
        // Only now, outside the lock: it may be the last owner.
        drop(lane);
    }

    /// The lane that a run names.
    pub(crate) fn lane(&self, key: u32) -> Arc<Lane<T>> {
        self.lanes.lock().lanes[key as usize].clone()
    }

    /// The receiver leaves: no lane joins any more, and these are all there are.
    pub(crate) fn leave(&self) -> Vec<Arc<Lane<T>>> {
        let mut table = self.lanes.lock();
        table.gone = true;
        table.lanes.drain().collect()
    }

    /// Published messages that nobody has read.
    pub(crate) fn depth(&self) -> u64 {
        self.lanes.lock().lanes.iter().map(|(_, lane)| lane.state().depth()).sum()
    }
}

impl<T: Send + 'static> Census for Port<T> {
    fn id(&self) -> Option<usize> {
        self.inbox.port()
    }

    fn count(&self, outbox: &dyn Fn(&OrderRing) -> Option<usize>) -> Option<ReceiverStats> {
        let table = self.lanes.lock();
        if table.gone {
            return None;
        }
        let mut stats = ReceiverStats {
            name: self.name.clone(),
            received: table.past,
            ..ReceiverStats::default()
        };
        for (_, lane) in &table.lanes {
            let of = lane.order().map(|(ring, _)| &**ring);
            stats.add(lane.state(), lane.capacity(), of.and_then(outbox));
        }
        Some(stats)
    }
}

/// A lane's writing end, and the key that it has at its receiver.
pub(crate) struct Outlet<T> {
    pub(crate) producer: Producer<T>,
    key: u32,
}

impl<T: Send + 'static> Outlet<T> {
    /// A lane to nobody: closed from the beginning.
    pub(crate) fn nowhere(capacity: usize) -> Self {
        let mut producer = Producer::new(Lane::new(capacity));
        producer.close();
        Self { producer, key: u32::MAX }
    }

    /// Ends the lane; the caller announces it. One that never spoke is unknown to its receiver, and withdraws.
    pub(crate) fn end(&mut self, port: &Port<T>) {
        self.producer.end();
        if self.producer.tail() == 0 {
            port.withdraw(self.key);
        }
    }
}
