//! An author with one lane: what senders and broadcasters have in common.
//!
//! A message's way begins in [`Author::send`]: the value is written into the lane's next slot, the tail published
//! with Release, and the lane's attention loaded from the same line. That is all, unless the lane is full or
//! somebody asks for attention.

mod task;

use std::time::Duration;

use crate::batch::{Way, send_batch};
use crate::board::Change;
use crate::clock::Seq;
use crate::drive::{For, Shared, Step, Unfinished};
use crate::error::{
    Reason, SendBatchError, SendError, SendTimeoutError, StampedError, TrySendError,
};
use crate::lane::{CLOSED, CLOSING, FENCED, GONE, POISONED, UNDECIDED, WANT};
use crate::mark::Origin;
use crate::marker::Source;
use crate::park::Deadline;
use crate::ring::Producer;
use crate::stall::{Stall, holder_of};
use crate::sync::{Arc, GATHER};
use crate::turns::Turns;
pub(crate) use task::RoomWait;
pub use task::{Sending, Stamping};

/// One author's lane. The promises of its methods are those of [`Sender`](crate::Sender), which passes them on.
pub(crate) struct Author<T> {
    pub(crate) shared: Arc<Shared>,
    pub(crate) producer: Producer<T>,
    /// Of a task that sends.
    turns: Turns,
}

impl<T> Author<T> {
    pub(crate) fn new(shared: Arc<Shared>, producer: Producer<T>) -> Self {
        Self { shared, producer, turns: Turns::default() }
    }
}

impl<T: Send + 'static> Author<T> {
    #[inline]
    pub(crate) fn send(&mut self, value: T) -> Result<(), SendError<T>> {
        match self.producer.push(value) {
            Ok(()) => self.publish(),
            Err(value) => self.send_when_room(value),
        }
    }

    #[cold]
    fn send_when_room(&mut self, value: T) -> Result<(), SendError<T>> {
        if wait_for_room(&self.shared, &mut self.producer, None).is_err() {
            return Err(self.refuse(value));
        }
        self.send(value)
    }

    pub(crate) fn try_send(&mut self, value: T) -> Result<(), TrySendError<T>> {
        let value = match self.producer.push(value) {
            Ok(()) => return self.publish().map_err(TrySendError::from),
            Err(value) if check_closed(&mut self.producer) => {
                return Err(self.refuse(value).into());
            }
            Err(value) => value,
        };
        // The receiver may be waiting for what fills the lane.
        self.shared.drive();
        match self.producer.push(value) {
            Ok(()) => self.publish().map_err(TrySendError::from),
            Err(value) if check_closed(&mut self.producer) => Err(self.refuse(value).into()),
            Err(value) => Err(TrySendError::Full(value)),
        }
    }

    pub(crate) fn send_timeout(
        &mut self,
        value: T,
        timeout: Duration,
    ) -> Result<(), SendTimeoutError<T>> {
        let value = match self.producer.push(value) {
            Ok(()) => return self.publish().map_err(SendTimeoutError::from),
            Err(value) => value,
        };
        match wait_for_room(&self.shared, &mut self.producer, Deadline::after(timeout)) {
            Ok(()) => self.send(value).map_err(SendTimeoutError::from),
            Err(NoRoom::Timeout) => Err(SendTimeoutError::Timeout(value)),
            Err(NoRoom::Closed) => Err(self.refuse(value).into()),
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
            return Err(self.refuse(value));
        }
        let pushed = match producer.push(value) {
            Err(value) if wait_for_room(&self.shared, producer, None).is_ok() => {
                producer.push(value)
            }
            pushed => pushed,
        };
        pushed.map_err(|value| self.refuse(value))?;
        if self.publish_held() {
            self.shared.speak_up(self.producer.state());
        }
        let state = self.producer.state();
        let found = self.shared.wait(state.parker(), None, For::Stamp, |step| match step {
            Step::Look => self.settled(),
            Step::Arm => None,
        });
        self.end_holding(found.ok()).0
    }

    /// Publishes under HOLD: if the receiver leaves, the last value is left here unless it has its number. True if
    /// somebody wants to hear of it.
    pub(crate) fn publish_held(&self) -> bool {
        self.producer.state().hold();
        let attention = self.producer.publish();
        if attention & UNDECIDED != 0 {
            // Whose the value is must be known before its author goes on to something else.
            self.producer.state().attention_once_decided();
        }
        attention & WANT != 0
    }

    /// What has become of the last value, which is held.
    pub(crate) fn settled(&self) -> Option<Settled> {
        let (state, tail) = (self.producer.state(), self.producer.tail());
        let clock = &self.shared.board().clock;
        let number = state.number_of(tail).filter(|&number| clock.now() >= number);
        // If the receiver leaves before it is taken, the drain settles it.
        let fenced = || state.fenced_at().filter(|&end| end < tail && state.take_from(end));
        let drained = || state.drained().map(Settled::Drained);
        number.map(Settled::Numbered).or_else(drained).or_else(|| fenced().map(Settled::Fenced))
    }

    /// The end of a wait for the number of the last value, which is held; nothing was found if the engine is closed.
    /// Also returns what was numbered and never read, to be dropped.
    pub(crate) fn end_holding(
        &mut self,
        found: Option<Settled>,
    ) -> (Result<Seq, SendError<T>>, Vec<T>) {
        let producer = &mut self.producer;
        let tail = producer.tail();
        let mut unread = Vec::new();
        let numbered = match found {
            Some(Settled::Numbered(number)) => {
                if producer.state().is_gone() {
                    // What the leaving receiver left alone.
                    let last = producer.take_back(1, &mut unread);
                    unread.extend(last);
                    producer.close();
                }
                Ok(number)
            }
            Some(Settled::Drained(head)) if head < tail => {
                producer.close();
                let last = producer.take_from(head, 1, &mut unread).pop();
                Err(last.expect("the head is before the last value"))
            }
            // Drained with its number, which the receiver saw before it dropped the value.
            Some(Settled::Drained(_)) => Ok((producer.state().number_of(tail))
                .expect("a held value without number is left alone")),
            Some(Settled::Fenced(end)) => {
                producer.close();
                let last =
                    producer.take_fenced(end, 1, &mut unread).and_then(|mut last| last.pop());
                Err(last.expect("it was taken, and is beyond the end"))
            }
            None => producer.state().number_of(tail).ok_or_else(|| producer.take_last()),
        };
        if !self.shared.is_poisoned() {
            self.producer.state().let_go();
        }
        (numbered.map(Seq::new).map_err(|value| self.refuse(value)), unread)
    }

    pub(crate) fn stamped(&self) -> Result<Seq, StampedError> {
        let (state, tail) = (self.producer.state(), self.producer.tail());
        if tail == 0 {
            return Err(StampedError::NothingSent);
        }
        let clock = &self.shared.board().clock;
        let stamped = || state.number_of(tail).filter(|&number| clock.now() >= number);
        let number = self.shared.wait(state.parker(), None, For::Stamp, |step| match step {
            Step::Look => {
                stamped().map(Some).or_else(|| state.is_gone().then(|| state.number_of(tail)))
            }
            Step::Arm => None,
        });
        number.ok().flatten().map(Seq::new).ok_or(StampedError::Closed)
    }

    /// Makes the one value that was pushed visible; gives it back if the receiver has gone.
    #[inline]
    fn publish(&mut self) -> Result<(), SendError<T>> {
        let attention = self.producer.publish();
        if attention == 0 { Ok(()) } else { self.heed(attention) }
    }

    #[cold]
    fn heed(&mut self, attention: u32) -> Result<(), SendError<T>> {
        match heed(&self.shared, &mut self.producer, attention, 1).pop() {
            None => Ok(()),
            Some(value) => Err(self.refuse(value)),
        }
    }

    /// A value that cannot be sent.
    #[cold]
    pub(crate) fn refuse(&self, value: T) -> SendError<T> {
        SendError { value, reason: self.producer.reason() }
    }

    /// Whether nothing can be sent any more.
    pub(crate) fn is_closed(&self) -> bool {
        self.producer.is_closed() || self.producer.state().is_shut()
    }

    /// This author, for whoever waits for its end.
    pub(crate) fn source(&self) -> Source {
        let lane = self.producer.lane().state().clone();
        Source::new(self.shared.clone(), Origin::Lane(lane))
    }

    /// Its lane has ended.
    pub(crate) fn announce_end(&self) {
        let lane = self.producer.lane().state().clone();
        self.shared.announce(Change::LaneEnd { lane });
    }
}

/// What has become of a value that is held for its number.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Settled {
    Numbered(u64),
    /// The receiver has left, and has drained to here.
    Drained(u64),
    /// The author was ended here, before the value.
    Fenced(u64),
}

/// Why there will be no room, or was none in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoRoom {
    Timeout,
    Closed,
}

/// How a sender waits for room.
const ROOM: For = For::Message { pace: GATHER, at_once: true, fenced: false };

/// It looks so often for half a lane of it.
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
    let mut patience = Patience::new(producer.lane().capacity());
    let found = Stall::wait(deadline, Result::is_ok, |stall, deadline| {
        shared.wait(&parker, deadline, ROOM, |step| {
            stall.step(step, || holder_of(shared, producer));
            look_for_room(producer, &mut patience, step)
        })
    });
    found.unwrap_or_else(|unfinished| {
        Err(match unfinished {
            Unfinished::Timeout => NoRoom::Timeout,
            Unfinished::Poisoned => NoRoom::Closed,
        })
    })
}

/// How much room is worth going on. At first half a lane: a little is full again at once, and each look takes the line
/// of the head from the receiver. But whoever is about to sleep takes what there is.
struct Patience {
    looks: u32,
    least: u64,
}

impl Patience {
    fn new(capacity: usize) -> Self {
        Self { looks: 0, least: capacity as u64 / 2 }
    }
}

/// A step of a wait for room.
fn look_for_room<T>(
    producer: &mut Producer<T>,
    Patience { looks, least }: &mut Patience,
    step: Step,
) -> Option<Result<(), NoRoom>> {
    *looks += 1;
    if step == Step::Arm || *looks > PATIENT_LOOKS {
        *least = 1;
    }
    match step {
        Step::Look if check_closed(producer) => Some(Err(NoRoom::Closed)),
        Step::Look => (producer.find_room() && producer.room() >= *least).then_some(Ok(())),
        Step::Arm => None,
    }
}

/// Acts on a lane's attention after a publication of `count` values; returns, in order, those that are ours again.
#[cold]
pub(crate) fn heed<T>(
    shared: &Shared,
    producer: &mut Producer<T>,
    attention: u32,
    count: usize,
) -> Vec<T> {
    heed_under_lock(shared, producer, attention, count, &mut Vec::new())
}

/// The same where a lock is held: what is dropped goes to `unread`.
#[cold]
pub(crate) fn heed_under_lock<T>(
    shared: &Shared,
    producer: &mut Producer<T>,
    attention: u32,
    count: usize,
    unread: &mut Vec<T>,
) -> Vec<T> {
    if attention & WANT != 0 {
        shared.speak_up(producer.state());
    }
    if attention & (GONE | POISONED | CLOSING | FENCED | UNDECIDED) == 0 {
        return Vec::new();
    }
    let attention = producer.state().attention_once_decided();
    let returned = if attention & (CLOSED | GONE) == CLOSED {
        producer.take_unnumbered(count)
    } else {
        let end = producer.state().fenced_at();
        let beyond = end.and_then(|end| producer.take_fenced(end, count, unread));
        match beyond {
            Some(returned) => returned,
            None if producer.state().has_left() => producer.take_back(count, unread),
            None => Vec::new(),
        }
    };
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

    fn reason(&self) -> Reason {
        self.producer.reason()
    }
}

/// Whether the receiver has gone. Everything pushed must have been published and heeded.
pub(crate) fn check_closed<T>(producer: &mut Producer<T>) -> bool {
    if !producer.is_closed() && producer.state().is_shut() {
        producer.close();
    }
    producer.is_closed()
}
