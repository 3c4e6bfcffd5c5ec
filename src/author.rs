//! An author with one lane: what senders and broadcasters have in common.
//!
//! A message's way begins in [`Author::send`]: the value is written into the lane's next slot, the tail published
//! with Release, and the lane's attention loaded from the same line. That is all, unless the lane is full or
//! somebody asks for attention.

use std::time::Duration;

use crate::batch::{Way, send_batch};
use crate::board::Change;
use crate::clock::Seq;
use crate::drive::{Pace, Shared, Step, Unfinished};
use crate::error::{SendBatchError, SendError, SendTimeoutError, StampedError, TrySendError};
use crate::lane::{GONE, POISONED, WANT};
use crate::park::Deadline;
use crate::ring::Producer;
use crate::stall::{Stall, holder_of};
use crate::sync::{Arc, GATHER};

/// One author's lane. The promises of its methods are those of [`Sender`](crate::Sender), which passes them on.
pub(crate) struct Author<T> {
    pub(crate) shared: Arc<Shared>,
    pub(crate) producer: Producer<T>,
}

impl<T: Send + 'static> Author<T> {
    #[inline]
    pub(crate) fn send(&mut self, value: T) -> Result<(), SendError<T>> {
        match self.producer.push(value) {
            Ok(()) => self.publish().map_err(SendError::closed),
            Err(value) => self.send_when_room(value),
        }
    }

    #[cold]
    fn send_when_room(&mut self, value: T) -> Result<(), SendError<T>> {
        if wait_for_room(&self.shared, &mut self.producer, None).is_err() {
            return Err(SendError::closed(value));
        }
        self.send(value)
    }

    pub(crate) fn try_send(&mut self, value: T) -> Result<(), TrySendError<T>> {
        let value = match self.producer.push(value) {
            Ok(()) => return self.publish().map_err(TrySendError::Closed),
            Err(value) if check_closed(&mut self.producer) => {
                return Err(TrySendError::Closed(value));
            }
            Err(value) => value,
        };
        // The receiver may be waiting for what fills the lane.
        self.shared.drive();
        match self.producer.push(value) {
            Ok(()) => self.publish().map_err(TrySendError::Closed),
            Err(value) if check_closed(&mut self.producer) => Err(TrySendError::Closed(value)),
            Err(value) => Err(TrySendError::Full(value)),
        }
    }

    pub(crate) fn send_timeout(
        &mut self,
        value: T,
        timeout: Duration,
    ) -> Result<(), SendTimeoutError<T>> {
        let value = match self.producer.push(value) {
            Ok(()) => return self.publish().map_err(SendTimeoutError::Closed),
            Err(value) => value,
        };
        match wait_for_room(&self.shared, &mut self.producer, Deadline::after(timeout)) {
            Ok(()) => self.send(value).map_err(SendTimeoutError::from),
            Err(NoRoom::Timeout) => Err(SendTimeoutError::Timeout(value)),
            Err(NoRoom::Closed) => Err(SendTimeoutError::Closed(value)),
        }
    }

    pub(crate) fn send_batch<I>(
        &mut self,
        values: I,
    ) -> Result<usize, SendBatchError<T, I::IntoIter>>
    where
        I: IntoIterator<Item = T>,
    {
        let way = Lone { shared: &self.shared, producer: &mut self.producer };
        send_batch(way, values.into_iter())
    }

    pub(crate) fn send_stamped(&mut self, value: T) -> Result<Seq, SendError<T>> {
        let producer = &mut self.producer;
        // Looked at beforehand: the receiver that leaves may be waiting for us, in a destructor that called this.
        if check_closed(producer) {
            return Err(SendError::closed(value));
        }
        let pushed = match producer.push(value) {
            Err(value) if wait_for_room(&self.shared, producer, None).is_ok() => {
                producer.push(value)
            }
            pushed => pushed,
        };
        pushed.map_err(SendError::closed)?;
        producer.state().hold();
        let numbered = self.publish_and_wait();
        if !self.shared.is_poisoned() {
            self.producer.state().let_go();
        }
        numbered.map_err(SendError::closed)
    }

    /// Publishes under HOLD: if the receiver leaves, the last value is left here unless it has its number.
    fn publish_and_wait(&mut self) -> Result<Seq, T> {
        let producer = &mut self.producer;
        if producer.publish() & WANT != 0 {
            self.shared.speak_up(producer.state());
        }
        let tail = producer.tail();
        let (state, clock) = (producer.state(), &self.shared.board().clock);
        let stamped = || state.number_of(tail).filter(|&number| clock.now() >= number);
        let number = self.shared.wait_for_clock(state.parker(), None, |step| match step {
            Step::Look => stamped().map(Ok).or_else(|| state.drained().map(Err)),
            Step::Arm => None,
        });
        match number {
            Ok(Ok(number)) => {
                if state.is_gone() {
                    // Numbered, and never read: what the leaving receiver left alone is dropped here.
                    drop(producer.take_back(1));
                    producer.close();
                }
                Ok(Seq::new(number))
            }
            Ok(Err(head)) if head < tail => {
                producer.close();
                Err(producer.take_from(head, 1).pop().expect("the head is before the last value"))
            }
            // Drained with its number, which the receiver saw before it dropped the value.
            Ok(Err(_)) => {
                let number = state.number_of(tail);
                Ok(Seq::new(number.expect("a held value without number is left alone")))
            }
            Err(_) => match state.number_of(tail) {
                Some(number) => Ok(Seq::new(number)),
                None => Err(producer.take_last()),
            },
        }
    }

    pub(crate) fn stamped(&self) -> Result<Seq, StampedError> {
        let producer = &self.producer;
        let (state, tail) = (producer.state(), producer.tail());
        if tail == 0 {
            return Err(StampedError::NothingSent);
        }
        let clock = &self.shared.board().clock;
        let stamped = || state.number_of(tail).filter(|&number| clock.now() >= number);
        let number = self.shared.wait_for_clock(state.parker(), None, |step| match step {
            Step::Look => {
                stamped().map(Some).or_else(|| state.is_gone().then(|| state.number_of(tail)))
            }
            Step::Arm => None,
        });
        number.ok().flatten().map(Seq::new).ok_or(StampedError::Closed)
    }

    /// Makes the one value that was pushed visible; gives it back if the receiver has gone.
    #[inline]
    fn publish(&mut self) -> Result<(), T> {
        let attention = self.producer.publish();
        if attention == 0 { Ok(()) } else { self.heed(attention) }
    }

    #[cold]
    fn heed(&mut self, attention: u32) -> Result<(), T> {
        match heed(&self.shared, &mut self.producer, attention, 1).pop() {
            None => Ok(()),
            Some(value) => Err(value),
        }
    }

    /// Whether nothing can be sent any more.
    pub(crate) fn is_closed(&self) -> bool {
        self.producer.is_closed() || self.producer.state().is_gone()
    }

    /// Its lane has ended.
    pub(crate) fn announce_end(&self) {
        let lane = self.producer.lane().state().clone();
        self.shared.announce(Change::LaneEnd { lane });
    }
}

/// Why there will be no room, or was none in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoRoom {
    Timeout,
    Closed,
}

/// A sender that waits for room looks so often for half a lane of it.
const PATIENT_LOOKS: u32 = 10;

/// Waits until the lane has room. Everything pushed must have been published.
#[cold]
pub(crate) fn wait_for_room<T>(
    shared: &Shared,
    producer: &mut Producer<T>,
    deadline: Option<Deadline>,
) -> Result<(), NoRoom> {
    let parker = producer.lane().state().parker().clone();
    producer.state().stalls.count();
    // At first only so much that it is worth going on: a little is full again at once, and each look takes the line of
    // the head from the receiver. But whoever is about to sleep takes what there is.
    let (mut looks, mut least) = (0, producer.lane().capacity() as u64 / 2);
    let found = Stall::wait(deadline, Result::is_ok, |stall, deadline| {
        shared.wait(&parker, deadline, Pace(GATHER), |step| {
            stall.step(step, || holder_of(shared, producer));
            looks += 1;
            if step == Step::Arm || looks > PATIENT_LOOKS {
                least = 1;
            }
            match step {
                Step::Look if check_closed(producer) => Some(Err(NoRoom::Closed)),
                Step::Look => (producer.find_room() && producer.room() >= least).then_some(Ok(())),
                Step::Arm => None,
            }
        })
    });
    found.unwrap_or_else(|unfinished| {
        Err(match unfinished {
            Unfinished::Timeout => NoRoom::Timeout,
            Unfinished::Poisoned => NoRoom::Closed,
        })
    })
}

/// Acts on a lane's attention after a publication of `count` values; returns, in order, those that are ours again.
#[cold]
pub(crate) fn heed<T>(
    shared: &Shared,
    producer: &mut Producer<T>,
    attention: u32,
    count: usize,
) -> Vec<T> {
    if attention & WANT != 0 {
        shared.speak_up(producer.state());
    }
    if attention & (GONE | POISONED) == 0 {
        return Vec::new();
    }
    let returned = if attention & GONE != 0 { producer.take_back(count) } else { Vec::new() };
    producer.close();
    returned
}

/// A sender's way, for a batch.
struct Lone<'a, T> {
    shared: &'a Shared,
    producer: &'a mut Producer<T>,
}

impl<T> Way<T> for Lone<'_, T> {
    fn tail(&self) -> u64 {
        self.producer.tail()
    }

    fn push(&mut self, value: T) -> Result<(), T> {
        self.producer.push(value)
    }

    #[inline]
    fn fill(&mut self, values: &mut impl Iterator<Item = T>) -> bool {
        self.producer.fill(values, u64::MAX)
    }

    fn publish(&mut self, count: usize) -> Vec<T> {
        match self.producer.publish() {
            0 => Vec::new(),
            attention => heed(self.shared, self.producer, attention, count),
        }
    }

    fn wait_for_room(&mut self) -> bool {
        wait_for_room(self.shared, self.producer, None).is_ok()
    }
}

/// Whether the receiver has gone. Everything pushed must have been published and heeded.
pub(crate) fn check_closed<T>(producer: &mut Producer<T>) -> bool {
    if !producer.is_closed() && producer.state().is_gone() {
        producer.close();
    }
    producer.is_closed()
}
