//! Those who sleep until a number has come: of the clock, or of a receiver's progress.
//!
//! ```text
//!   least      the lowest number that somebody sleeps for            written under the lock, read by whoever moves on
//!   sleepers   by key: who it is
//!   order      (number, ticket, key), lowest first; of some the sleeper has gone
//! ```
//!
//! Whoever moves on to a number wakes those that are reached, and no others: ten thousand tasks that each wait for a
//! number of their own are woken once each. Number 0 is for those who want to hear of any move. Those who wait for
//! something else, and only want to hear of the engine's end, stand at [`NEVER`]: nobody need move on for them. Whoever
//! is woken is off the list; it looks, and adds itself again if it was for nothing.
//!
//! They are woken when the lock has been let go of, for a task's waker runs foreign code, which may come back here.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use slab::Slab;

use crate::park::Parker;
use crate::sync::atomic::AtomicU64;
use crate::sync::{Arc, Mutex, Ordering::Relaxed};

/// In `least`: nobody sleeps.
const NOBODY: u64 = u64::MAX;

/// A number that nobody comes to.
const NEVER: u64 = NOBODY - 1;

/// See the module's documentation.
pub(crate) struct Waiters {
    least: AtomicU64,
    list: Mutex<List>,
}

struct List {
    sleepers: Slab<Sleeper>,
    order: BinaryHeap<Reverse<(u64, u64, usize)>>,
    /// Tickets drawn.
    drawn: u64,
    /// Room for those who are being woken.
    woken: Vec<Arc<Parker>>,
}

struct Sleeper {
    ticket: u64,
    parker: Arc<Parker>,
}

/// A sleeper's place in the list.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ticket {
    key: usize,
    ticket: u64,
}

/// Who was woken.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Woken {
    /// A thread, which can go on with what the waker hands over.
    pub(crate) thread: bool,
    /// Others sleep on, for higher numbers that will come.
    pub(crate) left: bool,
}

impl Default for Waiters {
    /// With room for a few, so that the first to sleep need not allocate.
    fn default() -> Self {
        let list = List {
            sleepers: Slab::with_capacity(8),
            order: BinaryHeap::with_capacity(16),
            drawn: 0,
            woken: Vec::with_capacity(8),
        };
        Self { least: AtomicU64::new(NOBODY), list: Mutex::new(list) }
    }
}

impl Waiters {
    /// Adds one who sleeps until `number` has come; 0 is whatever comes. To be followed by a heavy barrier and a last
    /// look.
    pub(crate) fn add(&self, parker: &Arc<Parker>, number: u64) -> Ticket {
        self.put(parker, number.min(NEVER - 1))
    }

    /// Adds one who sleeps until something else has come, or the end.
    pub(crate) fn add_for_the_end(&self, parker: &Arc<Parker>) -> Ticket {
        self.put(parker, NEVER)
    }

    fn put(&self, parker: &Arc<Parker>, number: u64) -> Ticket {
        let mut list = self.list.lock();
        let ticket = list.drawn;
        list.drawn += 1;
        let key = list.sleepers.insert(Sleeper { ticket, parker: parker.clone() });
        list.order.push(Reverse((number, ticket, key)));
        self.tell(&mut list);
        Ticket { key, ticket }
    }

    /// Takes a sleeper off, if it is still there.
    pub(crate) fn remove(&self, ticket: Ticket) {
        let mut list = self.list.lock();
        let gone = list.take(ticket.key, ticket.ticket);
        self.tell(&mut list);
        drop(list);
        // Only now, outside the lock: it may be the last owner.
        drop(gone);
    }

    /// Whether anyone sleeps for a number that will come. Meaningful after a light barrier.
    #[inline]
    pub(crate) fn is_armed(&self) -> bool {
        // Relaxed: the barriers of both sides order it.
        self.least.load(Relaxed) < NEVER
    }

    /// Wakes those who sleep for numbers up to `now`.
    pub(crate) fn wake(&self, now: u64) -> Woken {
        let mut list = self.list.lock();
        let mut woken = std::mem::take(&mut list.woken);
        while let Some(&Reverse((number, ticket, key))) = list.order.peek() {
            if number > now {
                break;
            }
            list.order.pop();
            woken.extend(list.take(key, ticket));
        }
        let left = self.tell(&mut list) < NEVER;
        drop(list);
        let mut thread = false;
        for parker in woken.drain(..) {
            thread |= parker.wake();
        }
        self.list.lock().woken = woken;
        Woken { thread, left }
    }

    /// Notes which number is next. Under the lock.
    fn tell(&self, list: &mut List) -> u64 {
        list.tidy();
        let least = list.order.peek().map_or(NOBODY, |Reverse((number, ..))| *number);
        // Relaxed: the heavy barrier of whoever was added orders it before the last look.
        self.least.store(least, Relaxed);
        least
    }
}

impl List {
    fn take(&mut self, key: usize, ticket: u64) -> Option<Arc<Parker>> {
        let is_there = self.sleepers.get(key).is_some_and(|sleeper| sleeper.ticket == ticket);
        is_there.then(|| self.sleepers.remove(key).parker)
    }

    /// Drops places whose sleepers have gone: those in front, and all when they are many.
    fn tidy(&mut self) {
        let Self { sleepers, order, .. } = self;
        let is_there = |&Reverse((_, ticket, key)): &Reverse<(u64, u64, usize)>| {
            sleepers.get(key).is_some_and(|sleeper| sleeper.ticket == ticket)
        };
        if order.len() > 2 * sleepers.len() + 16 {
            order.retain(is_there);
        }
        while order.peek().is_some_and(|place| !is_there(place)) {
            order.pop();
        }
    }
}
