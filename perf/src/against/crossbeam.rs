//! crossbeam-channel, bounded: no order across channels and no clock, but what people would use.
//!
//! It has no batches. Its senders send one by one, its receivers wait for one and then take what
//! they can get without waiting. Nor has it a message for several: what goes to all is sent to each,
//! and what goes to one of them to the one that is chosen here. What one thread receives of several
//! comes over one channel; over several it does in [`Select`](super::Select).

use crossbeam_channel::{TrySendError, bounded};

use super::{
    Choice, Closed, Confluence, Contender, Fan, Inlet, Kind, MEMBERS, Merged, Receiver, Sender,
    Shape, unable,
};
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

    fn broadcast<T: Message>(&self, shape: Shape) -> Fan<impl Sender<T>, impl Receiver<T>> {
        let Shape::Star = shape else { return Err(unable()) };
        let (to, members) = (0..MEMBERS).map(|_| bounded(self.capacity)).unzip();
        Ok((ToEach(to), members))
    }

    fn choose<T: Message>(&self, choice: Choice) -> Fan<impl Sender<T>, impl Receiver<T>> {
        let (to, members) = (0..MEMBERS).map(|_| bounded(self.capacity)).unzip();
        Ok((Chooser { to, choice, next: 0 }, members))
    }

    fn merge<T: Message>(&self) -> Confluence<impl Sender<T>, impl Sender<T>, impl Receiver<T>> {
        let (sender, receiver) = bounded::<T>(self.capacity);
        let two = || [sender.clone(), sender.clone()];
        Ok(Merged { one: two(), other: two(), receiver })
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

/// Sends each message to one of them.
struct Chooser<T> {
    to: Vec<crossbeam_channel::Sender<T>>,
    choice: Choice,
    /// Whose turn it is.
    next: usize,
}

impl<T: Message> Chooser<T> {
    /// By a hash that costs one multiplication; its high bits are the better ones.
    #[inline]
    fn send_keyed(&self, value: T) -> Result<(), Closed> {
        let hash = value.key().wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let to = &self.to[(hash >> 32) as usize % self.to.len()];
        to.send(value).map_err(|_| Closed)
    }

    /// To the next that has room; when none has, waits for the next.
    #[inline]
    fn send_next(&mut self, value: T) -> Result<(), Closed> {
        let first = self.next;
        for turn in 0..self.to.len() {
            let at = (first + turn) % self.to.len();
            match self.to[at].try_send(value) {
                Ok(()) => {
                    self.next = at + 1;
                    return Ok(());
                }
                Err(TrySendError::Full(_)) => {}
                Err(TrySendError::Disconnected(_)) => return Err(Closed),
            }
        }
        self.next = first + 1;
        self.to[first % self.to.len()].send(value).map_err(|_| Closed)
    }
}

impl<T: Message> Sender<T> for Chooser<T> {
    #[inline]
    fn send(&mut self, value: T) -> Result<(), Closed> {
        match self.choice {
            Choice::ByKey => self.send_keyed(value),
            Choice::ByTurn => self.send_next(value),
        }
    }

    #[inline]
    fn send_batch(&mut self, mut values: impl Iterator<Item = T>) -> Result<(), Closed> {
        values.try_for_each(|value| self.send(value))
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
