//! Many slots at one number.

use std::fmt;

use crate::clock::Seq;
use crate::drive::Shared;
use crate::error::{AddressError, CutError};
use crate::latest::Snapshot;
use crate::slot::Latest;
use crate::sync::{Arc, PINS_MAX};

/// Reads any number of slots of an engine as they are at one number, while publishers go on: of each the newest state
/// up to that number, and of what was published [together](crate::publish_all) all or nothing. Made by
/// [`Engine::cut`](crate::Engine::cut).
///
/// While it is held, further slots can be read at the same number. Taking it touches no slot, and nobody waits for it;
/// each slot of the engine then keeps the one state that was current at the number, beside what it has anyway. So a
/// slot keeps at most one state more for each cut; there are at most 64 cuts of an engine at a time.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let engine = mainspring::Engine::new();
/// let (left, right) = (engine.slot(), engine.slot());
/// let (mut a, mut b) = (left.publisher(), right.publisher());
/// mainspring::publish_all(&mut [a.stage(60), b.stage(40)])?;
/// let cut = engine.cut()?;
/// mainspring::publish_all(&mut [a.stage(0), b.stage(100)])?;
///
/// let (left, right) = (left.latest(), right.latest());
/// let sum = *cut.read(&left)?.unwrap() + *cut.read(&right)?.unwrap();
/// assert_eq!(sum, 100);
/// assert_eq!(*cut.read(&left)?.unwrap(), 60);
/// # Ok(()) }
/// ```
pub struct Cut {
    shared: Arc<Shared>,
    pin: usize,
    at: Seq,
}

impl Cut {
    pub(crate) fn new(shared: &Arc<Shared>, seen: Seq) -> Result<Self, CutError> {
        let board = shared.board();
        let (pin, at) = board.pins.take(&board.clock, seen).ok_or(CutError::TooMany(PINS_MAX))?;
        Ok(Self { shared: shared.clone(), pin, at })
    }

    /// A cut at what the clock says, or, if that is more, at the highest number that one of these handles has
    /// [read](Latest::read): so it shows nothing older than they have seen. (What is read can be just above the
    /// clock.) For handles of several types: [`Engine::cut_at_least`](crate::Engine::cut_at_least), with the
    /// highest of what they have [seen](Latest::seen).
    ///
    /// # Errors
    ///
    /// If there are none, or of several engines, or there are as many cuts as there can be.
    pub fn take<T: Send + Sync + 'static>(slots: &[&Latest<T>]) -> Result<Self, CutError> {
        let first = slots.first().ok_or(CutError::NoSlot)?;
        let shared = &first.state().shared;
        if slots.iter().any(|slot| !Arc::ptr_eq(&slot.state().shared, shared)) {
            return Err(CutError::Foreign);
        }
        Self::new(shared, slots.iter().map(|slot| slot.seen()).max().unwrap_or_default())
    }

    /// The number.
    pub fn seq(&self) -> Seq {
        self.at
    }

    /// The newest state of a slot with a number up to the cut's; none if there was none. Wait-free, but for
    /// publications of this slot since, which it walks over.
    ///
    /// # Errors
    ///
    /// [`Foreign`](AddressError::Foreign) if it is another engine's.
    pub fn read<T: Send + Sync + 'static>(
        &self,
        slot: &Latest<T>,
    ) -> Result<Option<Snapshot<T>>, AddressError> {
        if !Arc::ptr_eq(&slot.state().shared, &self.shared) {
            return Err(AddressError::Foreign);
        }
        Ok(slot.state().states.at(self.at))
    }

    /// The same of several.
    ///
    /// # Errors
    ///
    /// [`Foreign`](AddressError::Foreign) if one of them is another engine's.
    pub fn read_all<T: Send + Sync + 'static>(
        &self,
        slots: &[&Latest<T>],
    ) -> Result<Vec<Option<Snapshot<T>>>, AddressError> {
        slots.iter().map(|slot| self.read(slot)).collect()
    }
}

impl Drop for Cut {
    /// What was kept for this cut alone is dropped, here.
    fn drop(&mut self) {
        self.shared.board().pins.release(self.pin);
    }
}

impl fmt::Debug for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cut").field("seq", &self.at).finish_non_exhaustive()
    }
}
