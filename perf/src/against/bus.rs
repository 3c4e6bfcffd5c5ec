//! bus: one sender, each of whose messages all receivers get. Each slot counts its readers; the last
//! one takes the value, the others clone it.
//!
//! It has no batches, and its own way of waiting: it spins for a moment and then sleeps.

use bus::BusReader;

use super::never::Never;
use super::{Closed, Contender, Fan, MEMBERS, Receiver, Sender, Shape, unable};
use crate::failure::Failure;
use crate::message::Message;

pub(crate) struct Bus {
    capacity: usize,
}

impl Contender for Bus {
    type Address<T: Message> = Never;
    type Sender<T: Message> = Never;
    type Router<T: Message> = Never;
    type Receiver<T: Message> = Never;

    fn open(capacity: usize) -> Result<Self, Failure> {
        Ok(Self { capacity })
    }

    fn broadcast<T: Message>(&self, shape: Shape) -> Fan<impl Sender<T>, impl Receiver<T>> {
        let Shape::Star = shape else { return Err(unable()) };
        let mut bus = bus::Bus::new(self.capacity);
        let members: Vec<_> = (0..MEMBERS).map(|_| bus.add_rx()).collect();
        Ok((bus, members))
    }
}

impl<T: Message> Sender<T> for bus::Bus<T> {
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

impl<T: Message> Receiver<T> for BusReader<T> {
    #[inline]
    fn recv(&mut self) -> Result<T, Closed> {
        Self::recv(self).map_err(|_| Closed)
    }

    #[inline]
    fn recv_batch(&mut self, max: usize, mut take: impl FnMut(T)) -> Result<usize, Closed> {
        take(Self::recv(self).map_err(|_| Closed)?);
        let mut taken = 1;
        while taken < max
            && let Ok(value) = self.try_recv()
        {
            take(value);
            taken += 1;
        }
        Ok(taken)
    }
}
