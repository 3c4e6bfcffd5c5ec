//! Those who sleep until one slot has a new state.
//!
//! *Two ways to hear of it.* Whoever puts a state in with its number passes a light barrier and looks at `any`; the
//! sleeper sets it and passes a heavy one before its last look. Whoever numbers a state later takes the lock and looks
//! who sleeps, as the sleeper does who adds itself before its last look: one of them comes second, and sees what the
//! other has done.

use crate::park::Parker;
use crate::sync::atomic::AtomicBool;
use crate::sync::{Arc, Mutex, Ordering::Relaxed};

/// See the module's documentation.
#[derive(Default)]
pub(crate) struct Watch {
    /// Whether anyone sleeps. Written under the lock.
    any: AtomicBool,
    sleepers: Mutex<Vec<Arc<Parker>>>,
}

impl Watch {
    /// Adds one who is about to sleep, unless it is there. To be followed by a heavy barrier and a last look.
    pub(crate) fn add(&self, parker: &Arc<Parker>) {
        let mut sleepers = self.sleepers.lock();
        if !sleepers.iter().any(|other| Arc::ptr_eq(other, parker)) {
            sleepers.push(parker.clone());
        }
        // Relaxed: the heavy barrier of the sleeper orders it before the last look.
        self.any.store(true, Relaxed);
    }

    /// Takes off one who sleeps no more.
    pub(crate) fn remove(&self, parker: &Arc<Parker>) {
        let mut sleepers = self.sleepers.lock();
        let place = sleepers.iter().position(|other| Arc::ptr_eq(other, parker));
        let gone = place.map(|place| sleepers.swap_remove(place));
        // Relaxed: as above.
        self.any.store(!sleepers.is_empty(), Relaxed);
        drop(sleepers);
        // Only now, outside the lock: it may be the last owner of a waker.
        drop(gone);
    }

    /// Whether anyone sleeps. Meaningful after a light barrier.
    #[inline]
    pub(crate) fn is_armed(&self) -> bool {
        // Relaxed: the barriers of both sides order it.
        self.any.load(Relaxed)
    }

    /// Wakes all; true if there is a thread among them.
    pub(crate) fn wake(&self) -> bool {
        let mut sleepers = self.sleepers.lock();
        let woken = std::mem::take(&mut *sleepers);
        // Relaxed: as above.
        self.any.store(false, Relaxed);
        drop(sleepers);
        woken.iter().fold(false, |woke, parker| parker.wake() | woke)
    }
}
