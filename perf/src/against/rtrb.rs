//! rtrb: a ring for one sender and one receiver. No clones, no order, no waiting: what a pair alone
//! would use.
//!
//! The batched form writes and reads chunks, as many as there is room for or as are there. Waiting
//! is [ours](super::waiting), the same as for the disruptor.

use std::sync::{Arc, Mutex, PoisonError};

use rtrb::{Consumer, Producer, RingBuffer};

use super::{Closed, Contender, Inlet, Kind, Receiver, Sender, waiting};
use crate::failure::Failure;
use crate::message::Message;

pub(crate) struct Rtrb {
    capacity: usize,
}

/// The producing end, until its only user comes for it.
pub(crate) struct Place<T>(Arc<Mutex<Option<Producer<T>>>>);

impl Contender for Rtrb {
    type Address<T: Message> = Place<T>;
    type Sender<T: Message> = Producer<T>;
    type Router<T: Message> = Vec<Producer<T>>;
    type Receiver<T: Message> = Consumer<T>;

    fn open(capacity: usize) -> Result<Self, Failure> {
        Ok(Self { capacity })
    }

    fn receiver<T: Message>(&self, kind: Kind) -> Inlet<Self, T> {
        let (producer, consumer) = match kind {
            Kind::Shared | Kind::Lone => RingBuffer::new(self.capacity),
            Kind::Small(capacity) => RingBuffer::new(capacity),
        };
        Ok((Place(Arc::new(Mutex::new(Some(producer)))), consumer))
    }

    fn sender<T: Message>(&self, to: &Place<T>) -> Result<Producer<T>, Failure> {
        let producer = to.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        producer.ok_or_else(|| Failure::SetUp("a ring has one sender".into()))
    }

    fn router<T: Message>(&self, to: &[Place<T>]) -> Result<Vec<Producer<T>>, Failure> {
        to.iter().map(|place| self.sender(place)).collect()
    }
}

impl<T: Message> Sender<T> for Producer<T> {
    #[inline]
    fn send(&mut self, value: T) -> Result<(), Closed> {
        waiting::until(|| match self.push(value) {
            Ok(()) => Some(Ok(())),
            Err(_) => self.is_abandoned().then_some(Err(Closed)),
        })
    }

    #[inline]
    fn send_batch(&mut self, values: impl Iterator<Item = T>) -> Result<(), Closed> {
        let mut values = values.peekable();
        while values.peek().is_some() {
            let wanted = values.size_hint().0.max(1);
            let chunk = waiting::until(|| match self.slots().min(wanted) {
                0 => self.is_abandoned().then_some(Err(Closed)),
                room => Some(Ok(room)),
            })?;
            let chunk = self.write_chunk_uninit(chunk).map_err(|_| Closed)?;
            chunk.fill_from_iter(values.by_ref());
        }
        Ok(())
    }
}

impl<T: Message> Receiver<T> for Consumer<T> {
    #[inline]
    fn recv(&mut self) -> Result<T, Closed> {
        waiting::until(|| {
            if let Ok(value) = self.pop() {
                return Some(Ok(value));
            }
            // What was sent before the end was seen is there by now.
            self.is_abandoned().then(|| self.pop().map_err(|_| Closed))
        })
    }

    #[inline]
    fn recv_batch(&mut self, max: usize, take: impl FnMut(T)) -> Result<usize, Closed> {
        let there = waiting::until(|| {
            let abandoned = self.is_abandoned();
            match self.slots().min(max) {
                0 => abandoned.then_some(Err(Closed)),
                there => Some(Ok(there)),
            }
        })?;
        let chunk = self.read_chunk(there).map_err(|_| Closed)?;
        chunk.into_iter().for_each(take);
        Ok(there)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_is_received_before_the_end_in_either_form() {
        let ring = Rtrb::open(8).unwrap();
        let (place, mut receiver) = ring.receiver::<u64>(Kind::Lone).unwrap();
        let mut sender = ring.sender(&place).unwrap();
        sender.send(1).unwrap();
        sender.send_batch(2..6).unwrap();
        drop(sender);
        assert_eq!(receiver.recv().unwrap(), 1);
        let mut received = Vec::new();
        assert_eq!(receiver.recv_batch(64, |value| received.push(value)).unwrap(), 4);
        assert_eq!(received, [2, 3, 4, 5]);
        assert!(receiver.recv_batch(64, drop).is_err());
        assert!(receiver.recv().is_err());
    }

    #[test]
    fn a_second_sender_is_refused() {
        let ring = Rtrb::open(8).unwrap();
        let (place, _receiver) = ring.receiver::<u64>(Kind::Lone).unwrap();
        assert!(ring.sender(&place).is_ok());
        assert!(ring.sender(&place).is_err());
    }

    #[test]
    fn a_sender_learns_that_nobody_receives() {
        let ring = Rtrb::open(1).unwrap();
        let (place, receiver) = ring.receiver::<u64>(Kind::Lone).unwrap();
        let mut sender = ring.sender(&place).unwrap();
        drop(receiver);
        sender.send(1).unwrap();
        assert!(sender.send(2).is_err());
        assert!(sender.send_batch(2..4).is_err());
    }
}
