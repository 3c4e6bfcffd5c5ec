//! A lock in which an author counts and sends: the number and the place in the channel are taken
//! together, so all channels are in the order of the count. The channels are another contender's.
//!
//! ```text
//!  A ─┐  ┌── lock ──┐
//!  A ─┼─▶│ count    │──▶ R
//!  A ─┘  │ and send │──▶ R
//!        └──────────┘
//! ```
//!
//! Who finds a channel full waits for room with the lock in its hands, for what comes later must not
//! overtake it. In the batched form the lock is taken once for all of them.

use std::sync::Arc;

use parking_lot::Mutex;

use super::never::Never;
use super::order::Carried;
use super::{Closed, Contender, Kind, Mark, Order, OrderedReceiver, Ordering, Sender};
use crate::failure::Failure;
use crate::message::{Message, Numbered};

pub(crate) struct Lock<C>(C);

/// The last number, and where they are sent to.
struct Locked<S> {
    last: u64,
    to: Vec<S>,
}

struct Author<S> {
    locked: Arc<Mutex<Locked<S>>>,
    /// Its receiver.
    target: usize,
}

impl<C: Contender> Contender for Lock<C> {
    type Address<T: Message> = Never;
    type Sender<T: Message> = Never;
    type Router<T: Message> = Never;
    type Receiver<T: Message> = Never;

    fn open(capacity: usize) -> Result<Self, Failure> {
        C::open(capacity).map(Self)
    }

    fn order<T: Message>(
        &self,
        authors: usize,
        receivers: usize,
    ) -> Ordering<impl Sender<T>, impl OrderedReceiver<T>> {
        let (mut to, mut ends) = (Vec::new(), Vec::new());
        for _ in 0..receivers {
            let (address, receiver) = self.0.receiver::<Numbered<T>>(Kind::Lone)?;
            to.push(self.0.sender(&address)?);
            ends.push(Carried(receiver));
        }
        let locked = Arc::new(Mutex::new(Locked { last: 0, to }));
        let author = |nth: usize| Author { locked: locked.clone(), target: nth % receivers };
        Ok(Order { authors: (0..authors).map(author).collect(), receivers: ends })
    }

    fn marks<T: Message>(
        &self,
    ) -> Result<(impl Sender<T>, impl OrderedReceiver<T>, impl Mark), Failure> {
        let (address, receiver) = self.0.receiver::<Numbered<T>>(Kind::Lone)?;
        let to = vec![self.0.sender(&address)?];
        let locked = Arc::new(Mutex::new(Locked { last: 0, to }));
        let author = Author { locked: locked.clone(), target: 0 };
        let mark = move || {
            let mut locked = locked.lock();
            locked.last += 1;
            Ok(locked.last)
        };
        Ok((author, Carried(receiver), mark))
    }
}

impl<T: Message, S: Sender<Numbered<T>>> Sender<T> for Author<S> {
    #[inline]
    fn send(&mut self, value: T) -> Result<(), Closed> {
        let Locked { last, to } = &mut *self.locked.lock();
        *last += 1;
        to[self.target].send(Numbered { number: *last, value })
    }

    #[inline]
    fn send_batch(&mut self, values: impl Iterator<Item = T>) -> Result<(), Closed> {
        let Locked { last, to } = &mut *self.locked.lock();
        to[self.target].send_batch(values.map(|value| {
            *last += 1;
            Numbered { number: *last, value }
        }))
    }
}
