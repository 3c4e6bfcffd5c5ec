//! disruptor: one ring whose slots are claimed, written and published; its cheaper form when there
//! is one sender, the other when there are several.
//!
//! Its receivers poll in threads of ours, because the scenarios need to be told when a receiver has
//! everything. One poll brings all that is there; for those who take one at a time, up to 64 are
//! copied out of one poll, as its own loops would work through them; whoever comes after them gets
//! these 64 when they are copied. Both `publish` and its busy
//! spinning consumers never let others run, and collapse with more threads than cores: so we use
//! `try_publish` and polls, and wait as [all rings](super::waiting) here do.

mod order;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use disruptor::{
    BusySpinWithSpinLoopHint, EventGuard, EventPoller, MultiConsumerBarrier, MultiProducer,
    MultiProducerBarrier, Polling, Producer, SingleConsumerBarrier, SingleProducer,
    SingleProducerBarrier, build_multi_producer, build_single_producer,
};

use super::{
    Closed, Contender, Fan, Inlet, Kind, MEMBERS, OrderedReceiver, Ordering, Receiver, Sender,
    Shape, waiting,
};
use crate::failure::Failure;
use crate::message::Message;

/// As many are copied out of one poll for a receiver that takes one at a time.
const POLLED: u64 = 64;
/// Several senders need a ring of at least this.
const CAPACITY_MIN: usize = 64;

pub(crate) struct Disruptor {
    capacity: usize,
}

/// The producing end: as many as are asked for, or the only one.
pub(crate) enum Place<T> {
    Multi(MultiProducer<T, SingleConsumerBarrier>),
    Single(Arc<Mutex<Option<SingleProducer<T, SingleConsumerBarrier>>>>),
}

pub(crate) enum Publisher<T> {
    Multi(MultiProducer<T, SingleConsumerBarrier>),
    Single(SingleProducer<T, SingleConsumerBarrier>),
    ToAll(SingleProducer<T, MultiConsumerBarrier>),
    ManyToAll(MultiProducer<T, MultiConsumerBarrier>),
}

enum Poller<T> {
    Multi(EventPoller<T, MultiProducerBarrier>),
    Single(EventPoller<T, SingleProducerBarrier>),
    AfterOne(EventPoller<T, SingleConsumerBarrier>),
    AfterAll(EventPoller<T, MultiConsumerBarrier>),
}

pub(crate) struct Subscriber<T> {
    poller: Poller<T>,
    /// Polled and not yet received.
    polled: VecDeque<T>,
}

impl Contender for Disruptor {
    type Address<T: Message> = Place<T>;
    type Sender<T: Message> = Publisher<T>;
    type Router<T: Message> = Vec<Publisher<T>>;
    type Receiver<T: Message> = Subscriber<T>;

    fn open(capacity: usize) -> Result<Self, Failure> {
        Ok(Self { capacity: capacity.next_power_of_two() })
    }

    fn receiver<T: Message>(&self, kind: Kind) -> Inlet<Self, T> {
        let capacity = match kind {
            Kind::Shared | Kind::Lone => self.capacity,
            Kind::Small(capacity) => capacity.next_power_of_two(),
        };
        // How its own threads would wait; there are none.
        let wait = BusySpinWithSpinLoopHint;
        let (place, poller) = match kind {
            Kind::Lone => {
                let builder = build_single_producer(capacity, || T::of(0), wait);
                let (poller, builder) = builder.new_event_poller();
                let producer = Arc::new(Mutex::new(Some(builder.build())));
                (Place::Single(producer), Poller::Single(poller))
            }
            Kind::Shared | Kind::Small(_) => {
                let capacity = capacity.max(CAPACITY_MIN);
                let builder = build_multi_producer(capacity, || T::of(0), wait);
                let (poller, builder) = builder.new_event_poller();
                (Place::Multi(builder.build()), Poller::Multi(poller))
            }
        };
        Ok((place, Subscriber::new(poller)))
    }

    fn sender<T: Message>(&self, to: &Place<T>) -> Result<Publisher<T>, Failure> {
        match to {
            Place::Multi(producer) => Ok(Publisher::Multi(producer.clone())),
            Place::Single(producer) => {
                let producer = producer.lock().unwrap_or_else(PoisonError::into_inner).take();
                let refused = || Failure::SetUp("this ring has one sender".into());
                producer.map(Publisher::Single).ok_or_else(refused)
            }
        }
    }

    fn router<T: Message>(&self, to: &[Place<T>]) -> Result<Vec<Publisher<T>>, Failure> {
        to.iter().map(|place| self.sender(place)).collect()
    }

    fn broadcast<T: Message>(&self, shape: Shape) -> Fan<impl Sender<T>, impl Receiver<T>> {
        let builder = build_single_producer(self.capacity, || T::of(0), BusySpinWithSpinLoopHint);
        // With each of the first two of a stage the builder changes its type.
        let (first, builder) = builder.new_event_poller();
        let (author, pollers) = match shape {
            Shape::Star => {
                let (second, mut builder) = builder.new_event_poller();
                let mut pollers = vec![Poller::Single(first), Poller::Single(second)];
                while pollers.len() < MEMBERS {
                    let (next, with_it) = builder.new_event_poller();
                    pollers.push(Poller::Single(next));
                    builder = with_it;
                }
                (Publisher::ToAll(builder.build()), pollers)
            }
            Shape::Diamond => {
                let (second, builder) = builder.new_event_poller();
                let (last, builder) = builder.and_then().new_event_poller();
                let both = [first, second].map(Poller::Single);
                let pollers = both.into_iter().chain([Poller::AfterAll(last)]).collect();
                (Publisher::Single(builder.build()), pollers)
            }
            Shape::Pipeline => {
                let (second, builder) = builder.and_then().new_event_poller();
                let (third, builder) = builder.and_then().new_event_poller();
                let after = [second, third].map(Poller::AfterOne);
                let pollers = [Poller::Single(first)].into_iter().chain(after).collect();
                (Publisher::Single(builder.build()), pollers)
            }
        };
        Ok((author, pollers.into_iter().map(Subscriber::new).collect()))
    }

    fn order<T: Message>(
        &self,
        authors: usize,
        receivers: usize,
    ) -> Ordering<impl Sender<T>, impl OrderedReceiver<T>> {
        order::open(self.capacity.max(CAPACITY_MIN), authors, receivers)
    }
}

impl<T: Message> Sender<T> for Publisher<T> {
    #[inline]
    fn send(&mut self, value: T) -> Result<(), Closed> {
        match self {
            Self::Multi(producer) => publish(producer, value),
            Self::Single(producer) => publish(producer, value),
            Self::ToAll(producer) => publish(producer, value),
            Self::ManyToAll(producer) => publish(producer, value),
        }
    }

    #[inline]
    fn send_batch(&mut self, values: impl Iterator<Item = T>) -> Result<(), Closed> {
        match self {
            Self::Multi(producer) => publish_batch(producer, values),
            Self::Single(producer) => publish_batch(producer, values),
            Self::ToAll(producer) => publish_batch(producer, values),
            Self::ManyToAll(producer) => publish_batch(producer, values),
        }
    }
}

#[inline]
fn publish<T: Message>(producer: &mut impl Producer<T>, value: T) -> Result<(), Closed> {
    waiting::until(|| producer.try_publish(|slot| *slot = value).ok().map(|_| Ok(())))
}

/// The scenarios' batches know their lengths: whatever is claimed has to be filled.
#[inline]
fn publish_batch<T: Message>(
    producer: &mut impl Producer<T>,
    mut values: impl Iterator<Item = T>,
) -> Result<(), Closed> {
    let (count, exactly) = values.size_hint();
    debug_assert_eq!(Some(count), exactly);
    waiting::until(|| {
        let published = producer.try_batch_publish(count, |slots| {
            slots.zip(values.by_ref()).for_each(|(slot, value)| *slot = value);
        });
        published.ok().map(|_| Ok(()))
    })
}

impl<T> Subscriber<T> {
    fn new(poller: Poller<T>) -> Self {
        Self { poller, polled: VecDeque::with_capacity(POLLED as usize) }
    }
}

impl<T: Message> Receiver<T> for Subscriber<T> {
    #[inline]
    fn recv(&mut self) -> Result<T, Closed> {
        if self.polled.is_empty() {
            let polled = &mut self.polled;
            self.poller.poll(POLLED, |value| polled.push_back(*value))?;
        }
        self.polled.pop_front().ok_or(Closed)
    }

    #[inline]
    fn recv_batch(&mut self, max: usize, mut take: impl FnMut(T)) -> Result<usize, Closed> {
        self.recv_batch_by_ref(max, |value| take(*value))
    }

    #[inline]
    fn recv_batch_by_ref(&mut self, max: usize, mut read: impl FnMut(&T)) -> Result<usize, Closed> {
        if self.polled.is_empty() {
            return self.poller.poll(max as u64, read);
        }
        let there = self.polled.len().min(max);
        self.polled.drain(..there).for_each(|value| read(&value));
        Ok(there)
    }
}

impl<T: Message> Poller<T> {
    /// Waits for a poll that brings something, and says how many.
    #[inline]
    fn poll(&mut self, max: u64, mut take: impl FnMut(&T)) -> Result<usize, Closed> {
        waiting::until(|| match self {
            Self::Multi(poller) => read(poller.take(max), &mut take),
            Self::Single(poller) => read(poller.take(max), &mut take),
            Self::AfterOne(poller) => read(poller.take(max), &mut take),
            Self::AfterAll(poller) => read(poller.take(max), &mut take),
        })
    }
}

#[inline]
fn read<T: Message, B>(
    polled: Result<EventGuard<'_, T, B>, Polling>,
    take: &mut impl FnMut(&T),
) -> Option<Result<usize, Closed>> {
    match polled {
        Ok(mut events) => {
            let count = (&mut events).map(take).count();
            Some(Ok(count))
        }
        Err(Polling::NoEvents) => None,
        Err(Polling::Shutdown) => Some(Err(Closed)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_is_received_before_the_end_in_either_form() {
        for kind in [Kind::Lone, Kind::Shared] {
            let ring = Disruptor::open(64).unwrap();
            let (place, mut receiver) = ring.receiver::<u64>(kind).unwrap();
            let mut sender = ring.sender(&place).unwrap();
            drop(place);
            sender.send_batch(1..3).unwrap();
            assert_eq!(receiver.recv().unwrap(), 1);
            sender.send_batch(3..6).unwrap();
            drop(sender);
            let mut received = Vec::new();
            while receiver.recv_batch(2, |value| received.push(value)).is_ok() {}
            assert_eq!(received, [2, 3, 4, 5], "{kind:?}");
        }
    }

    #[test]
    fn the_cheaper_form_has_one_sender() {
        let ring = Disruptor::open(64).unwrap();
        let (place, _receiver) = ring.receiver::<u64>(Kind::Lone).unwrap();
        assert!(ring.sender(&place).is_ok());
        assert!(ring.sender(&place).is_err());
    }
}
