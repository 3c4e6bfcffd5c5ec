//! A message's place in the ring is its number: of several who publish, the ring claims one place
//! after the other. All receivers read the whole ring, in which their places are counted, and take what
//! is theirs; so none of them can be the only one to be full.

use std::collections::VecDeque;

use disruptor::{BusySpinWithSpinLoopHint, build_multi_producer};

use super::super::{Order, OrderedReceiver, Ordering};
use super::{Closed, POLLED, Poller, Publisher, Sender};
use crate::message::{Message, author};

pub(super) fn open<T: Message>(
    capacity: usize,
    authors: usize,
    receivers: usize,
) -> Ordering<impl Sender<T>, impl OrderedReceiver<T>> {
    let builder = build_multi_producer(capacity, || T::of(0), BusySpinWithSpinLoopHint);
    // With each of the first two the builder changes its type.
    let (first, builder) = builder.new_event_poller();
    let mut pollers = vec![Poller::Multi(first)];
    let publishers = if receivers == 1 {
        let producer = builder.build();
        (0..authors).map(|_| Publisher::Multi(producer.clone())).collect::<Vec<_>>()
    } else {
        let (second, mut builder) = builder.new_event_poller();
        pollers.push(Poller::Multi(second));
        while pollers.len() < receivers {
            let (next, with_it) = builder.new_event_poller();
            pollers.push(Poller::Multi(next));
            builder = with_it;
        }
        let producer = builder.build();
        (0..authors).map(|_| Publisher::ManyToAll(producer.clone())).collect()
    };
    let of = |(index, poller)| Counting {
        poller,
        whose: Whose { index, receivers },
        last: 0,
        polled: VecDeque::with_capacity(POLLED as usize),
    };
    Ok(Order { authors: publishers, receivers: pollers.into_iter().enumerate().map(of).collect() })
}

/// Which messages a receiver takes.
#[derive(Clone, Copy)]
struct Whose {
    index: usize,
    receivers: usize,
}

impl Whose {
    #[inline]
    fn is_mine(self, value: &impl Message) -> bool {
        self.receivers == 1 || author(value.key()) % self.receivers == self.index
    }
}

struct Counting<T> {
    poller: Poller<T>,
    whose: Whose,
    /// The place that was read last.
    last: u64,
    /// Polled and not yet received.
    polled: VecDeque<(u64, T)>,
}

impl<T: Message> Counting<T> {
    /// One poll; says how many of it are for this receiver.
    #[inline]
    fn poll(&mut self, max: usize, mut take: impl FnMut(u64, T)) -> Result<usize, Closed> {
        let (whose, mut mine) = (self.whose, 0);
        let last = &mut self.last;
        self.poller.poll(max as u64, |value| {
            *last += 1;
            if whose.is_mine(value) {
                mine += 1;
                take(*last, *value);
            }
        })?;
        Ok(mine)
    }
}

impl<T: Message> OrderedReceiver<T> for Counting<T> {
    #[inline]
    fn recv(&mut self) -> Result<(u64, T), Closed> {
        while self.polled.is_empty() {
            let mut polled = std::mem::take(&mut self.polled);
            let done =
                self.poll(POLLED as usize, |number, value| polled.push_back((number, value)));
            self.polled = polled;
            done?;
        }
        self.polled.pop_front().ok_or(Closed)
    }

    #[inline]
    fn recv_batch(&mut self, max: usize, mut take: impl FnMut(u64, T)) -> Result<usize, Closed> {
        let left = self.polled.len().min(max);
        self.polled.drain(..left).for_each(|(number, value)| take(number, value));
        let mut taken = left;
        while taken == 0 {
            taken = self.poll(max, &mut take)?;
        }
        Ok(taken)
    }
}
