//! arc-swap: a place for an `Arc`. Nobody can wait for it to change, so readers poll, and wait as
//! [all rings](super::waiting) here do.

use std::sync::Arc;

use arc_swap::Guard;

use super::never::Never;
use super::{Closed, Contender, Publisher, Reader, State, waiting};
use crate::failure::Failure;
use crate::message::Message;

pub(crate) struct ArcSwap;

/// The place, and what was read last.
struct Poller<T> {
    place: Arc<arc_swap::ArcSwap<T>>,
    seen: Arc<T>,
}

impl Contender for ArcSwap {
    type Address<T: Message> = Never;
    type Sender<T: Message> = Never;
    type Router<T: Message> = Never;
    type Receiver<T: Message> = Never;

    fn open(_capacity: usize) -> Result<Self, Failure> {
        Ok(Self)
    }

    fn state<T: Message>(&self, readers: usize) -> State<impl Publisher<T>, impl Reader<T>> {
        let place = Arc::new(arc_swap::ArcSwap::from_pointee(T::of(0)));
        let reader = |_| Poller { place: place.clone(), seen: place.load_full() };
        let readers = (0..readers).map(reader).collect::<Vec<_>>();
        Ok((place, readers))
    }
}

impl<T: Message> Publisher<T> for Arc<arc_swap::ArcSwap<T>> {
    #[inline]
    fn publish(&mut self, state: T) -> Result<(), Closed> {
        self.store(Arc::new(state));
        Ok(())
    }
}

impl<T: Message> Reader<T> for Poller<T> {
    #[inline]
    fn changed(&mut self) -> Result<T, Closed> {
        let Self { place, seen } = self;
        // What was seen last is kept, so no other can be at its address.
        *seen = waiting::until(|| {
            let now = place.load();
            (!Arc::ptr_eq(&now, seen)).then(|| Ok(Guard::into_inner(now)))
        })?;
        Ok(**seen)
    }
}
