//! One value behind one word: whoever needs it tries the lock, and nobody ever waits for it.
//!
//! ```text
//!   FREE ──try/kick──▶ HELD ──kick──▶ AGAIN
//!    ▲                  │               │
//!    └──── release ─────┴─── release ───┘ "look again": the releaser owes a kick
//! ```
//!
//! [`try_hold`](Combine::try_hold) takes the value if it is free. [`kick`](Combine::kick) makes sure that somebody
//! looks *after this moment*: it takes the value, or leaves word with the holder, who finds it when it lets go.
//!
//! *Argument.* A kick always writes the word. So in the word's modification order it stands either before the
//! holder's release, which then reads AGAIN, so that the releaser kicks in its turn and acquires what the kicker had
//! done; or after it, and then the kicker holds the value itself. A kick that only read ("somebody has left word
//! already") would not be ordered before the release that clears the word; nor would a release by a plain store find
//! the word that was left.
//!
//! *Panics.* A panic while the value is held poisons it: nobody holds it again.
//! *Source.* Flat combining (Hendler, Incze, Shavit, Tzafrir 2010), without the publication list.

use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};

use crate::sync::atomic::AtomicU8;
use crate::sync::{Ordering::Relaxed, UnsafeCell};

const FREE: u8 = 0;
const HELD: u8 = 1;
const AGAIN: u8 = 2;
const POISONED: u8 = 3;

/// See the module's documentation.
#[expect(missing_debug_implementations, reason = "for the engine and its models")]
pub struct Combine<C> {
    word: AtomicU8,
    value: UnsafeCell<C>,
}

// SAFETY: the value is reached through `Held` only, of which there is one at a time (the word leaves FREE by one
// CAS at a time), and passes from holder to holder by Release and Acquire on the word; so `C: Send` is enough.
unsafe impl<C: Send> Sync for Combine<C> {}

impl<C> Combine<C> {
    /// A value that nobody holds.
    pub fn new(value: C) -> Self {
        Self { word: AtomicU8::new(FREE), value: UnsafeCell::new(value) }
    }

    /// Takes the value if nobody holds it.
    #[inline]
    pub fn try_hold(&self) -> Option<Held<'_, C>> {
        // Read first: a failing CAS would take the line from the holder. Relaxed: the CAS settles.
        if self.word.load(Relaxed) != FREE {
            return None;
        }
        // Acquire: pairs with `release`. Relaxed failing: nothing is done.
        self.word
            .compare_exchange(FREE, HELD, ord!("combine.try", Acquire), Relaxed)
            .is_ok()
            .then(|| Held { combine: self, of: PhantomData })
    }

    /// Takes the value, or leaves word with its holder, who then owes a [`kick`](Self::kick) of its own.
    pub fn kick(&self) -> Option<Held<'_, C>> {
        // Relaxed: only a guess for the CAS.
        let mut seen = self.word.load(Relaxed);
        loop {
            let next = match seen {
                FREE => HELD,
                POISONED => return None,
                // Also AGAIN is written again: see the argument above.
                _ => AGAIN,
            };
            // AcqRel: Acquire pairs with `release` if the value is taken; Release passes what the kicker has
            // done to the holder that reads AGAIN. Relaxed failing: tries again.
            match self.word.compare_exchange(seen, next, ord!("combine.kick", AcqRel), Relaxed) {
                Ok(FREE) => return Some(Held { combine: self, of: PhantomData }),
                Ok(_) => return None,
                Err(now) => seen = now,
            }
        }
    }

    /// Whether nobody holds it any more. Then all that was done under it is seen.
    pub fn is_poisoned(&self) -> bool {
        // Acquire: pairs with `poison`: what has no number now never gets one, and is taken back on that.
        self.word.load(ord!("combine.poisoned.read", Acquire)) == POISONED
    }
}

/// The value, held. Dropped without [`release`](Held::release) (by a panic), it is poisoned.
#[expect(missing_debug_implementations, reason = "for the engine and its models")]
pub struct Held<'a, C> {
    combine: &'a Combine<C>,
    /// It stands for the one mutable reference: shared between threads only if the value may be.
    of: PhantomData<&'a mut C>,
}

impl<C> Held<'_, C> {
    /// Lets go. True if somebody kicked meanwhile: the caller owes one.
    #[inline]
    #[must_use = "whoever kicked relies on it"]
    pub fn release(self) -> bool {
        let word = &self.combine.word;
        std::mem::forget(self);
        // Release: passes the value to the next holder. No Acquire is needed: what kickers had done before is taken
        // by the kick that the caller owes, since this swap goes on with the release sequence of theirs.
        word.swap(FREE, ord!("combine.release", Release)) == AGAIN
    }

    /// Whether somebody has kicked, as of some moment during the call.
    #[inline]
    pub fn is_asked(&self) -> bool {
        // Relaxed: a hint; the release settles.
        self.combine.word.load(Relaxed) == AGAIN
    }

    /// Nobody will hold the value after this holder, which keeps it until it is dropped.
    pub fn poison(&mut self) {
        // Release: pairs with `is_poisoned`.
        self.combine.word.swap(POISONED, ord!("combine.poison", Release));
    }
}

impl<C> Deref for Held<'_, C> {
    type Target = C;

    fn deref(&self) -> &C {
        // SAFETY: the one holder; the reference lives no longer than the borrow of `self`.
        self.combine.value.with(|value| unsafe { &*value })
    }
}

impl<C> DerefMut for Held<'_, C> {
    fn deref_mut(&mut self) -> &mut C {
        // SAFETY: the one holder, borrowed mutably for as long as the reference lives.
        self.combine.value.with_mut(|value| unsafe { &mut *value })
    }
}

impl<C> Drop for Held<'_, C> {
    fn drop(&mut self) {
        self.poison();
    }
}
