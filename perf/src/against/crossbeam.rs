//! crossbeam-channel, bounded: no order across channels and no clock, but what people would use.
//!
//! It has no batches. Its senders send one by one, its receivers wait for one and then take what
//! they can get without waiting. Nor has it a message for several: what goes to all is sent to each.

use crossbeam_channel::bounded;

use super::{Closed, Contender, Fan, Inlet, Kind, MEMBERS, Receiver, Sender};
use crate::failure::Failure;
use crate::message::Message;

pub(crate) struct Crossbeam {
    capacity: usize,
}

impl Contender for Crossbeam {
    type Address<T: Message> = crossbeam_channel::Sender<T>;
    type Sender<T: Message> = crossbeam_channel::Sender<T>;
    type Router<T: Message> = Vec<crossbeam_channel::Sender<T>>;
    type Receiver<T: Message> = crossbeam_channel::Receiver<T>;

    fn open(capacity: usize) -> Result<Self, Failure> {
        Ok(Self { capacity })
    }

    fn receiver<T: Message>(&self, kind: Kind) -> Inlet<Self, T> {
        Ok(match kind {
            Kind::Shared | Kind::Lone => bounded(self.capacity),
            Kind::Small(capacity) => bounded(capacity),
        })
    }

    fn sender<T: Message>(&self, to: &Self::Address<T>) -> Result<Self::Sender<T>, Failure> {
        Ok(to.clone())
    }

    fn router<T: Message>(&self, to: &[Self::Address<T>]) -> Result<Self::Router<T>, Failure> {
        Ok(to.to_vec())
    }

    fn broadcast<T: Message>(&self) -> Fan<impl Sender<T>, impl Receiver<T>> {
        let (to, members) = (0..MEMBERS).map(|_| bounded(self.capacity)).unzip();
        Ok((ToEach(to), members))
    }
}

/// Sends a message to all by sending it to each.
struct ToEach<T>(Vec<crossbeam_channel::Sender<T>>);

impl<T: Message> Sender<T> for ToEach<T> {
    #[inline]
    fn send(&mut self, value: T) -> Result<(), Closed> {
        self.0.iter().try_for_each(|to| to.send(value).map_err(|_| Closed))
    }

    #[inline]
    fn send_batch(&mut self, mut values: impl Iterator<Item = T>) -> Result<(), Closed> {
        values.try_for_each(|value| self.send(value))
    }
}

impl<T: Message> Sender<T> for crossbeam_channel::Sender<T> {
    #[inline]
    fn send(&mut self, value: T) -> Result<(), Closed> {
        Self::send(self, value).map_err(|_| Closed)
    }

    #[inline]
    fn send_batch(&mut self, mut values: impl Iterator<Item = T>) -> Result<(), Closed> {
        values.try_for_each(|value| Self::send(self, value).map_err(|_| Closed))
    }
}

impl<T: Message> Receiver<T> for crossbeam_channel::Receiver<T> {
    #[inline]
    fn recv(&mut self) -> Result<T, Closed> {
        Self::recv(self).map_err(|_| Closed)
    }

    #[inline]
    fn recv_batch(&mut self, max: usize, mut take: impl FnMut(T)) -> Result<usize, Closed> {
        take(Self::recv(self).map_err(|_| Closed)?);
        let more = self.try_iter().take(max - 1).map(take).count();
        Ok(1 + more)
    }
}
