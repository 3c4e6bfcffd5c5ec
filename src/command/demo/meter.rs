//! What the demo's threads tell of themselves while they run, beside what the engine tells of them.
//!
//! All of it is for the display: each figure is written by one thread and read by the one that draws, and orders
//! nothing. So every access is Relaxed.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use mainspring::Progress;

/// Of one who sends, or of several who come one after the other.
#[derive(Debug)]
pub(super) struct Sending {
    pub(super) name: &'static str,
    /// Whom it sends to.
    pub(super) to: &'static str,
    pub(super) way: Way,
    sent: AtomicU64,
    depth: AtomicU64,
    stalls: AtomicU64,
    waits: AtomicBool,
    joined: AtomicU64,
}

/// What kind of handle it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Sender,
    Broadcaster,
    /// The engine tells more of it; it is the how-manyeth that was made.
    Outbox(usize),
}

/// Of one who receives.
#[derive(Debug)]
pub(super) struct Receiving {
    pub(super) name: &'static str,
    /// How the engine calls it, and the how-manyeth of that name it is.
    pub(super) known_as: (&'static str, usize),
    progress: Mutex<Option<Progress>>,
    joined: AtomicU64,
}

impl Sending {
    pub(super) fn new(name: &'static str, to: &'static str, way: Way) -> Self {
        let [sent, depth, stalls, joined] = [const { AtomicU64::new(0) }; 4];
        Self { name, to, way, sent, depth, stalls, waits: AtomicBool::new(false), joined }
    }

    pub(super) fn joins(&self) {
        self.joined.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn sent(&self, messages: u64) {
        self.sent.fetch_add(messages, Ordering::Relaxed);
    }

    /// So many lie in the lane, before it sends more.
    pub(super) fn finds(&self, depth: usize) {
        self.depth.store(depth as u64, Ordering::Relaxed);
    }

    /// It begins to wait for room.
    pub(super) fn stalls(&self) {
        self.stalls.fetch_add(1, Ordering::Relaxed);
        self.waits.store(true, Ordering::Relaxed);
    }

    /// It has room again.
    pub(super) fn goes_on(&self) {
        self.waits.store(false, Ordering::Relaxed);
    }

    /// How often somebody has joined, what they sent, what of it lies in the lane, how often they had to wait.
    pub(super) fn read(&self) -> [u64; 4] {
        [&self.joined, &self.sent, &self.depth, &self.stalls]
            .map(|figure| figure.load(Ordering::Relaxed))
    }

    pub(super) fn waits(&self) -> bool {
        self.waits.load(Ordering::Relaxed)
    }
}

impl Receiving {
    pub(super) fn new(name: &'static str, known_as: (&'static str, usize)) -> Self {
        Self { name, known_as, progress: Mutex::default(), joined: AtomicU64::new(0) }
    }

    pub(super) fn joins(&self, progress: Progress) {
        *self.progress.lock().unwrap_or_else(PoisonError::into_inner) = Some(progress);
        self.joined.fetch_add(1, Ordering::Relaxed);
    }

    /// How often it has joined.
    pub(super) fn joined(&self) -> u64 {
        self.joined.load(Ordering::Relaxed)
    }

    /// How far it has handled everything.
    pub(super) fn progress(&self) -> Option<Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
