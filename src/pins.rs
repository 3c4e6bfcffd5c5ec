//! Pins: numbers at which somebody reads many slots, and for which their states are kept.
//!
//! ```text
//!   cell   FREE ─▶ CLAIMED ─▶ PENDING(life) ─▶ a number ─▶ FREE
//!                   `seen`      heavy barrier,
//!                               then the clock
//! ```
//!
//! *Pending first.* To read the clock and then to pin what it says loses the state: a publisher that passes in between
//! sees no pin. So a pin is pending first, and then becomes what the clock says. A publisher that meets one that is
//! pending sets it itself, so it need not keep everything meanwhile. Whoever sets it takes the higher of the clock
//! and of what the reader has already seen, which can be just above the clock.
//!
//! *Whoever prunes* reads the clock at t, passes a light barrier, and looks at the pins. It takes out only what has a
//! successor up to t. If it misses a pin, that pin's heavy barrier comes later, and the pin is at t or above. If it
//! meets a pending one it passes a heavy barrier of its own before it reads the clock for it: then that clock is no
//! lower than what anybody went by who has missed the pin.
//!
//! *The life* in a pending cell is told to nobody else, so who helps late, when the cell was used again, changes
//! nothing.
//!
//! *Kept.* A slot that keeps a state for a pin is listed, so that whoever lets go of a pin has it looked after.

use std::any::Any;
use std::sync::Weak;

use crate::clock::{ClockCell, Seq};
use crate::ring::go_on_with;
use crate::sync::atomic::{AtomicU64, AtomicUsize};
use crate::sync::{Arc, Mutex, Ordering::Relaxed, PINS_MAX};

/// Nobody has it.
const FREE: u64 = u64::MAX;
/// Somebody writes down what it has seen.
const CLAIMED: u64 = u64::MAX - 1;
/// Above this it is pending, and no number.
const PENDING: u64 = 3 << 62;

/// What keeps states for pins.
pub(crate) trait Keeper: Send + Sync {
    /// Takes out what no pin needs any more. What that panics with comes back.
    fn look_after(self: Arc<Self>, panic: &mut Option<Box<dyn Any + Send>>);
}

/// See the module's documentation.
#[expect(missing_debug_implementations, reason = "for the engine and its models")]
pub struct Pins {
    /// Cells that are not free, or about to be.
    taken: AtomicUsize,
    lives: AtomicU64,
    cells: [Cell; PINS_MAX],
    keepers: Mutex<Vec<Weak<dyn Keeper>>>,
}

struct Cell {
    at: AtomicU64,
    /// The highest number that the reader had seen.
    seen: AtomicU64,
}

impl Default for Pins {
    fn default() -> Self {
        let cell = |_| Cell { at: AtomicU64::new(FREE), seen: AtomicU64::new(0) };
        Self {
            taken: AtomicUsize::new(0),
            lives: AtomicU64::new(0),
            cells: std::array::from_fn(cell),
            keepers: Mutex::new(Vec::new()),
        }
    }
}

impl Pins {
    /// Pins what the clock says now, or what the caller has seen if that is more. The cell, and the number; none if
    /// there are as many as there can be.
    pub fn take(&self, clock: &ClockCell, seen: Seq) -> Option<(usize, Seq)> {
        // Relaxed: the heavy barrier below orders it before the clock is read.
        self.taken.fetch_add(1, Relaxed);
        let free = self.cells.iter().position(|cell| {
            // Relaxed, both: nothing comes with it.
            cell.at.compare_exchange(FREE, CLAIMED, Relaxed, Relaxed).is_ok()
        });
        let Some(key) = free else {
            // Relaxed: nothing was pinned.
            self.taken.fetch_sub(1, Relaxed);
            return None;
        };
        let cell = &self.cells[key];
        // Relaxed, both: the store below publishes it; only the uniqueness counts.
        cell.seen.store(seen.get(), Relaxed);
        let pending = PENDING + self.lives.fetch_add(1, Relaxed);
        // Release: whoever helps reads what we have seen.
        cell.at.store(pending, ord!("pins.pending", Release));
        // Pairs with the light barrier of those who prune.
        heavy!("pins.take.heavy");
        let at = seen.get().max(clock.now());
        // Relaxed: others only compare. Acquire failing: pairs with `help`: what the clock covers that the helper has
        // read is seen by whoever reads at that number.
        let helped = ord!("pins.helped", Acquire);
        match cell.at.compare_exchange(pending, at, Relaxed, helped) {
            Ok(_) => Some((key, Seq::new(at))),
            Err(helped) => Some((key, Seq::new(helped))),
        }
    }

    /// Lets go of a pin, and has those looked after who have kept states for one.
    pub fn release(&self, key: usize) {
        // Relaxed, both: who sees it too late keeps a state for longer. What was read at this number has owners.
        self.cells[key].at.store(FREE, Relaxed);
        self.taken.fetch_sub(1, Relaxed);
        let keepers = std::mem::take(&mut *self.keepers.lock());
        let mut panic = None;
        for keeper in keepers.iter().filter_map(Weak::upgrade) {
            keeper.look_after(&mut panic);
        }
        go_on_with(panic);
    }

    /// Notes who keeps states for pins. To be followed by another look at the pins: one that was let go of meanwhile is
    /// seen, or whoever lets go of it later finds the keeper.
    pub(crate) fn list(&self, keeper: Weak<dyn Keeper>) {
        self.keepers.lock().push(keeper);
    }

    /// Where the pins are. The caller has read the clock before, and takes out only what has a successor that this
    /// covered.
    pub fn look(&self, clock: &ClockCell) -> Sight {
        let mut sight = Sight { numbers: [0; PINS_MAX], len: 0 };
        // Pairs with the heavy barrier in `take`.
        light!("pins.look.light");
        // Relaxed: as below.
        if self.taken.load(Relaxed) == 0 {
            return sight;
        }
        for cell in &self.cells {
            // Relaxed: ordered by the barriers. Before `seen` is read there is one more, whose fence makes this
            // pair with the store of a pending pin.
            let mut at = cell.at.load(Relaxed);
            if (PENDING..CLAIMED).contains(&at) {
                at = cell.help(at, clock);
            }
            if at < PENDING {
                sight.numbers[sight.len] = at;
                sight.len += 1;
            }
        }
        sight
    }
}

impl Cell {
    /// Sets a pending pin. What it is then, if it still is.
    #[cold]
    fn help(&self, pending: u64, clock: &ClockCell) -> u64 {
        // Pairs with the light barriers of those who have missed the pin: this clock is no lower than theirs. And with
        // the store of the pending pin.
        heavy!("pins.help.heavy");
        // Relaxed: written before it was pending, or the exchange fails.
        let at = clock.now().max(self.seen.load(Relaxed));
        // Release: pairs with the exchange in `take`. Relaxed failing: others only compare.
        match self.at.compare_exchange(pending, at, ord!("pins.help", Release), Relaxed) {
            Ok(_) => at,
            Err(now) => now,
        }
    }
}

/// Where the pins were, as one who prunes saw them.
#[derive(Debug)]
pub struct Sight {
    numbers: [u64; PINS_MAX],
    len: usize,
}

impl Sight {
    /// Whether one lies from a state's number on, below that of its successor.
    pub fn has(&self, from: Seq, to: Seq) -> bool {
        self.numbers[..self.len].iter().any(|number| (from.get()..to.get()).contains(number))
    }
}

/// A keeper, to be listed.
pub(crate) fn keeper<K: Keeper + 'static>(keeper: &Arc<K>) -> Weak<dyn Keeper> {
    let weak: Weak<K> = Arc::downgrade(keeper);
    weak
}
