//! What the model sends: a value that is counted when it is dropped, in two types.

use std::sync::{Arc, Mutex};

/// How often each parcel was dropped, by its id.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger(Arc<Mutex<Vec<u32>>>);

/// A value with a name of its own.
#[derive(Debug)]
pub(crate) struct Parcel {
    pub(crate) id: usize,
    ledger: Ledger,
}

/// Whatever carries a parcel: the types that an engine's channels have here.
pub(crate) trait Cargo: Send + 'static {
    fn load(parcel: Parcel) -> Self;
    fn unload(self) -> Parcel;
}

impl Ledger {
    /// A new parcel, whose id is the next.
    pub(crate) fn parcel(&self) -> Parcel {
        let mut drops = self.0.lock().unwrap();
        drops.push(0);
        Parcel { id: drops.len() - 1, ledger: self.clone() }
    }

    /// How many parcels there have been.
    pub(crate) fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    /// How often a parcel was dropped.
    pub(crate) fn drops(&self, id: usize) -> u32 {
        self.0.lock().unwrap()[id]
    }
}

impl Drop for Parcel {
    fn drop(&mut self) {
        self.ledger.0.lock().unwrap()[self.id] += 1;
    }
}

impl Cargo for Parcel {
    fn load(parcel: Parcel) -> Self {
        parcel
    }

    fn unload(self) -> Parcel {
        self
    }
}

impl Cargo for Box<Parcel> {
    fn load(parcel: Parcel) -> Self {
        Self::new(parcel)
    }

    fn unload(self) -> Parcel {
        *self
    }
}
