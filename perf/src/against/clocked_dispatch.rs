//! clocked-dispatch: all channels go through one dispatcher, a thread of its own that numbers each
//! message and tells every receiver.
//!
//! Its receivers are told of the clock, too; here they skip that, as ours do unless asked. It has no
//! batches. Who waits sleeps at once: its receivers could look before, its dispatcher could not.

use std::any::Any;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use clocked_dispatch::{ClockedBroadcaster, ClockedReceiver, ClockedSender, Dispatcher};
use parking_lot::Mutex;

use super::{
    Closed, Contender, Fan, Inlet, Kind, MEMBERS, Order, OrderedReceiver, Ordering, Receiver,
    Sender, Shape, unable,
};
use crate::failure::Failure;
use crate::message::Message;

pub(crate) struct ClockedDispatch {
    capacity: usize,
    /// Of the type of message that the first channel has.
    dispatcher: Mutex<Option<Box<dyn Any + Send>>>,
    /// Each end has a name of its own.
    named: AtomicUsize,
}

impl ClockedDispatch {
    fn name(&self) -> String {
        // Relaxed: each name is given once, in no order.
        self.named.fetch_add(1, Relaxed).to_string()
    }

    /// A channel of the only dispatcher.
    fn channel<T: Message>(&self) -> Result<(ClockedSender<T>, ClockedReceiver<T>), Failure> {
        let mut dispatcher = self.dispatcher.lock();
        let dispatcher = dispatcher
            .get_or_insert_with(|| Box::new(clocked_dispatch::new::<T>(self.capacity)))
            .downcast_ref::<Dispatcher<T>>()
            .ok_or_else(|| Failure::SetUp("all its messages are of one type".into()))?;
        Ok(dispatcher.new(self.name(), self.name()))
    }
}

impl Contender for ClockedDispatch {
    type Address<T: Message> = ClockedSender<T>;
    type Sender<T: Message> = ClockedSender<T>;
    type Router<T: Message> = Vec<ClockedSender<T>>;
    type Receiver<T: Message> = ClockedReceiver<T>;

    fn open(capacity: usize) -> Result<Self, Failure> {
        Ok(Self { capacity, dispatcher: Mutex::new(None), named: AtomicUsize::new(0) })
    }

    fn receiver<T: Message>(&self, _kind: Kind) -> Inlet<Self, T> {
        self.channel()
    }

    fn sender<T: Message>(&self, to: &ClockedSender<T>) -> Result<ClockedSender<T>, Failure> {
        Ok(to.clone(self.name()))
    }

    fn router<T: Message>(
        &self,
        to: &[ClockedSender<T>],
    ) -> Result<Vec<ClockedSender<T>>, Failure> {
        to.iter().map(|to| self.sender(to)).collect()
    }

    fn broadcast<T: Message>(&self, shape: Shape) -> Fan<impl Sender<T>, impl Receiver<T>> {
        let Shape::Star = shape else { return Err(unable()) };
        let (first, member) = self.channel::<T>()?;
        // Before the other senders go, and close what they send to.
        let author = first.into_broadcaster();
        let mut members = vec![member];
        for _ in 1..MEMBERS {
            members.push(self.channel::<T>()?.1);
        }
        Ok((author, members))
    }

    fn order<T: Message>(
        &self,
        authors: usize,
        receivers: usize,
    ) -> Ordering<impl Sender<T>, impl OrderedReceiver<T>> {
        let channels =
            (0..receivers).map(|_| self.channel::<T>()).collect::<Result<Vec<_>, _>>()?;
        let (to, receivers): (Vec<_>, Vec<_>) = channels.into_iter().unzip();
        let authors = (0..authors).map(|nth| self.sender(&to[nth % to.len()]));
        Ok(Order { authors: authors.collect::<Result<Vec<_>, _>>()?, receivers })
    }
}

impl<T: Message> Sender<T> for ClockedSender<T> {
    #[inline]
    fn send(&mut self, value: T) -> Result<(), Closed> {
        Self::send(self, value);
        Ok(())
    }

    #[inline]
    fn send_batch(&mut self, values: impl Iterator<Item = T>) -> Result<(), Closed> {
        values.for_each(|value| Self::send(self, value));
        Ok(())
    }
}

impl<T: Message> Sender<T> for ClockedBroadcaster<T> {
    #[inline]
    fn send(&mut self, value: T) -> Result<(), Closed> {
        self.broadcast(value);
        Ok(())
    }

    #[inline]
    fn send_batch(&mut self, values: impl Iterator<Item = T>) -> Result<(), Closed> {
        values.for_each(|value| self.broadcast(value));
        Ok(())
    }
}

impl<T: Message> OrderedReceiver<T> for ClockedReceiver<T> {
    #[inline]
    fn recv(&mut self) -> Result<(u64, T), Closed> {
        loop {
            if let (Some(value), number) = Self::recv(self).map_err(|_| Closed)? {
                return Ok((number as u64, value));
            }
        }
    }

    #[inline]
    fn recv_batch(&mut self, max: usize, mut take: impl FnMut(u64, T)) -> Result<usize, Closed> {
        let (number, value) = OrderedReceiver::recv(self)?;
        take(number, value);
        let mut taken = 1;
        while taken < max
            && let Ok((Some(value), number)) = self.try_recv()
        {
            take(number as u64, value);
            taken += 1;
        }
        Ok(taken)
    }
}

impl<T: Message> Receiver<T> for ClockedReceiver<T> {
    #[inline]
    fn recv(&mut self) -> Result<T, Closed> {
        OrderedReceiver::recv(self).map(|(_, value)| value)
    }

    #[inline]
    fn recv_batch(&mut self, max: usize, mut take: impl FnMut(T)) -> Result<usize, Closed> {
        OrderedReceiver::recv_batch(self, max, |_, value| take(value))
    }
}
