//! The way out: a receiver reads its messages in place, in the lanes, as its inbox names them.
//!
//! [`Receiver::take`] is the end of a message's way: the rest of the run at hand, or the next run, then the value out
//! of its slot, then the slot back to the sender. Only when nothing is there does the receiver read the clock, and
//! looks once more after that: so "nothing up to t" is true when it says so.
//!
//! A receiver that goes to sleep asks for attention on the lanes from which it has had runs since it last slept.
//! On every other lane somebody else has it asked for, or has yet to give the receiver a run.

use std::fmt;
use std::time::Duration;

use crate::address::{Address, Port};
use crate::board::Change;
use crate::clock::Seq;
use crate::drive::{Shared, Step, Unfinished};
use crate::error::{RecvError, RecvTimeoutError, TryRecvError};
use crate::inbox::InboxReader;
use crate::order::Walk;
use crate::park::Deadline;
use crate::ring::{Consumer, drain, go_on_with};
use crate::sync::{Arc, Ordering::Relaxed};

/// Receives messages in the order of their numbers, and can read the clock on them.
///
/// It closes when the last of its sources (senders, and outboxes that added it) has gone, never before its first;
/// it then yields what was sent, and after that `Closed` for ever. Dropping it drops what it has not received, and
/// tells its sources; nobody who sends elsewhere is disturbed.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use mainspring::{Engine, Event};
/// let engine = Engine::new();
/// let (mut tx, mut rx) = engine.channel();
/// let (mut elsewhere, _other) = engine.channel();
/// tx.send("for us")?;
/// assert_eq!(rx.recv_event()?, Event::Message(1.into(), "for us"));
/// let seq = elsewhere.send_stamped("not for us")?;
/// // Nothing comes, and that is known.
/// assert_eq!(rx.recv_event()?, Event::Clock(seq));
/// assert_eq!(rx.caught_up_to(), seq);
/// # Ok(()) }
/// ```
pub struct Receiver<T: Send + 'static> {
    shared: Arc<Shared>,
    port: Arc<Port<T>>,
    inbox: InboxReader,
    /// The lanes that have spoken, by key.
    lanes: Vec<Option<Consumer<T>>>,
    run: Option<CurrentRun>,
    /// What was taken from the overflow list and not yet read: its oldest record, by key.
    rest: Option<u32>,
    /// Keys of lanes that had a run since the receiver last slept,
    heard: Vec<u32>,
    /// and by key, whether it stands there.
    is_heard: Vec<bool>,
    /// The last number that the receiver was told, of a message or of the clock.
    told: u64,
}

/// The run at hand. How much of it is left the lane's consumer knows.
struct CurrentRun {
    key: u32,
    last: bool,
    numbers: Numbers,
}

enum Numbers {
    /// The next message has this one.
    Adjacent(u64),
    /// As they stand in the rest of an outbox's order ring.
    Walk(Walk),
}

/// What a receiver is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event<T> {
    /// A message and its number.
    Message(Seq, T),
    /// Everything up to this number that was meant for the receiver, it has received. Always higher than whatever
    /// it was told before; clocks between two looks are conflated.
    Clock(Seq),
}

/// What a look has found.
enum Found<R> {
    Something(R),
    Closed,
}

impl<T: Send + 'static> Receiver<T> {
    pub(crate) fn new(shared: Arc<Shared>, port: Arc<Port<T>>) -> Self {
        let inbox = InboxReader::new(port.inbox.clone());
        Self {
            shared,
            port,
            inbox,
            lanes: Vec::new(),
            run: None,
            rest: None,
            heard: Vec::new(),
            is_heard: Vec::new(),
            told: 0,
        }
    }

    /// The next message, waiting for one.
    ///
    /// # Errors
    ///
    /// When it has closed.
    #[inline]
    pub fn recv(&mut self) -> Result<(Seq, T), RecvError> {
        match self.take() {
            Some(message) => Ok(message),
            None => self.wait_for_message(None).map_err(|_| RecvError),
        }
    }

    /// The next message, if one is there now. Runs at most one pass.
    ///
    /// # Errors
    ///
    /// When there is none, or it has closed.
    pub fn try_recv(&mut self) -> Result<(Seq, T), TryRecvError> {
        self.without_waiting(Self::look_for_message)
    }

    /// The next message, waiting for `timeout` at the longest.
    ///
    /// # Errors
    ///
    /// When there was none in time, or it has closed.
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<(Seq, T), RecvTimeoutError> {
        match self.take() {
            Some(message) => Ok(message),
            None => self.wait_for_message(Deadline::after(timeout)),
        }
    }

    /// Waits for a message, and hands it and those that are there, `max` at most, to `f`. Returns how many.
    ///
    /// Slots go back to their senders when a quarter of a lane has been read, and at the end.
    ///
    /// # Errors
    ///
    /// When it has closed.
    ///
    /// # Panics
    ///
    /// If `f` does: the message that it was given has been received, the next have not.
    pub fn recv_batch(&mut self, max: usize, f: impl FnMut(Seq, T)) -> Result<usize, RecvError> {
        if max == 0 {
            return Ok(0);
        }
        if !self.find_run() {
            self.wait_for_run()?;
        }
        Ok(self.take_batch(max, f))
    }

    /// As [`recv_batch`](Self::recv_batch), if a message is there now. Runs at most one pass.
    ///
    /// # Errors
    ///
    /// When there is none, or it has closed.
    ///
    /// # Panics
    ///
    /// If `f` does: the message that it was given has been received, the next have not.
    pub fn try_recv_batch(
        &mut self,
        max: usize,
        f: impl FnMut(Seq, T),
    ) -> Result<usize, TryRecvError> {
        if max == 0 {
            return Ok(0);
        }
        self.without_waiting(Self::look_for_run)?;
        Ok(self.take_batch(max, f))
    }

    /// The messages until it closes, waiting for each.
    pub fn messages(&mut self) -> Messages<'_, T> {
        Messages { receiver: self }
    }

    /// The next message or, when there is none, the clock, if it has moved beyond what the receiver was told;
    /// waits for one of them.
    ///
    /// # Errors
    ///
    /// When it has closed, after at most one last clock.
    pub fn recv_event(&mut self) -> Result<Event<T>, RecvError> {
        self.wait_for_event(None).map_err(|_| RecvError)
    }

    /// As [`recv_event`](Self::recv_event), without waiting. Runs at most one pass.
    ///
    /// # Errors
    ///
    /// When there is nothing new, or it has closed.
    pub fn try_recv_event(&mut self) -> Result<Event<T>, TryRecvError> {
        self.without_waiting(Self::look_for_event)
    }

    /// As [`recv_event`](Self::recv_event), waiting for `timeout` at the longest.
    ///
    /// # Errors
    ///
    /// When there was nothing new in time, or it has closed.
    pub fn recv_event_timeout(&mut self, timeout: Duration) -> Result<Event<T>, RecvTimeoutError> {
        self.wait_for_event(Deadline::after(timeout))
    }

    /// Everything up to this number that was meant for this receiver after it joined, it has received. Runs no
    /// pass.
    pub fn caught_up_to(&mut self) -> Seq {
        // The clock first: what it covers was handed out before, so the look finds it.
        let now = self.shared.board().clock.now();
        Seq::new(match self.next_number() {
            Some(number) => number - 1,
            None => now,
        })
    }

    /// Where the clock stood when the engine took this receiver in: whatever was sent to it and has a higher
    /// number, it receives. None until then.
    pub fn joined_at(&self) -> Option<Seq> {
        self.inbox.inbox().joined_at().map(Seq::new)
    }

    /// Names this receiver.
    pub fn address(&self) -> Address<T> {
        Address { shared: self.shared.clone(), port: self.port.clone() }
    }

    /// Whether no source is left, so that nothing will come but what was sent. Final.
    pub fn is_closed(&self) -> bool {
        self.inbox.inbox().is_closed() || self.shared.is_poisoned()
    }

    /// Messages sent to this receiver and not yet received, as of some moment during the call. Takes a lock, and
    /// looks at each lane.
    pub fn len(&self) -> usize {
        self.port.depth() as usize
    }

    /// Whether everything that was sent has been received.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many messages each lane to this receiver holds.
    pub fn capacity(&self) -> usize {
        self.port.capacity.next_power_of_two()
    }

    // ── what is there ──────────────────────────────────────────────────────────────────────────────────────

    /// The next message that is there, its slot given back.
    #[inline]
    fn take(&mut self) -> Option<(Seq, T)> {
        loop {
            if let Some(run) = &mut self.run {
                let lane = self.lanes[run.key as usize].as_mut().expect("a run's lane is known");
                if let Some(value) = lane.take() {
                    let number = run.numbers.next();
                    self.told = number;
                    lane.give_back();
                    return Some((Seq::new(number), value));
                }
            }
            if !self.find_run() {
                return None;
            }
        }
    }

    /// Up to `max` of those that are there. There is a run.
    fn take_batch(&mut self, max: usize, mut f: impl FnMut(Seq, T)) -> usize {
        let batch = Batch { receiver: self };
        let mut taken = 0;
        while taken < max {
            let receiver = &mut *batch.receiver;
            let Some(run) = &mut receiver.run else { break };
            let lane = receiver.lanes[run.key as usize].as_mut().expect("a run's lane is known");
            while taken < max
                && let Some(value) = lane.take()
            {
                let number = run.numbers.next();
                receiver.told = number;
                lane.give_back_quarter();
                taken += 1;
                f(Seq::new(number), value);
            }
            if taken < max {
                lane.give_back();
                receiver.find_run();
            }
        }
        taken
    }

    /// Makes sure that the run at hand has something left: goes on to the next if not. False if there is none.
    fn find_run(&mut self) -> bool {
        loop {
            if let Some(run) = &self.run {
                let lane = self.lanes[run.key as usize].as_ref().expect("a run's lane is known");
                if lane.has_more() {
                    return true;
                }
                self.finish_run();
            }
            if !self.next_run() {
                return false;
            }
        }
    }

    /// The run at hand is read to its end.
    fn finish_run(&mut self) {
        let Some(run) = self.run.take() else { return };
        if run.last {
            // Its slots go back to nobody. Then the key is free for another lane.
            drop(self.lanes[run.key as usize].take());
            self.port.withdraw(run.key);
        }
    }

    /// Takes up the next run: of the overflow list, if one was taken; of the inbox; of a new overflow list, when the
    /// ring is empty (nothing can enter it while the list is not).
    fn next_run(&mut self) -> bool {
        if self.rest.is_some() {
            self.take_up_rest();
            return true;
        }
        if self.take_up_entry() {
            return true;
        }
        if !self.inbox.has_overflow() {
            return false;
        }
        // What stands in the ring is older than the list.
        if self.take_up_entry() {
            return true;
        }
        self.take_overflow();
        self.take_up_rest();
        true
    }

    fn take_up_entry(&mut self) -> bool {
        let Some(run) = self.inbox.next() else { return false };
        if self.inbox.owes_room() && self.inbox.give_back() {
            self.shared.kick();
        }
        self.begin(run.key, u64::from(run.len), run.last, Numbers::Adjacent(run.first_seq));
        true
    }

    /// Takes the overflow list and turns it round: it is linked from the newest to the oldest.
    fn take_overflow(&mut self) {
        let (mut newest, kick) = self.inbox.take_overflow();
        if kick {
            self.shared.kick();
        }
        let mut younger = 0;
        while let Some(key) = newest {
            let lane = self.port.lane(key);
            let next = &lane.state().rest.next;
            // Relaxed, both: the record is this receiver's since it took the list.
            newest = next.load(Relaxed).checked_sub(1);
            next.store(younger, Relaxed);
            younger = key + 1;
        }
        self.rest = younger.checked_sub(1);
    }

    fn take_up_rest(&mut self) {
        let Some(key) = self.rest else { return };
        let lane = self.port.lane(key);
        let rest = &lane.state().rest;
        // Relaxed, all four: see `take_overflow`.
        self.rest = rest.next.load(Relaxed).checked_sub(1);
        let (start, end) = (rest.start.load(Relaxed), rest.end.load(Relaxed));
        let first_seq = rest.first_seq.load(Relaxed);
        match lane.order() {
            None => self.begin(key, end - start, true, Numbers::Adjacent(first_seq)),
            Some((ring, target)) => {
                let walk = Walk::new(ring.clone(), *target, start, end, first_seq);
                self.begin(key, walk.len(), true, Numbers::Walk(walk));
            }
        }
    }

    /// Begins a run of `len` messages of a lane, which the receiver may meet with it.
    fn begin(&mut self, key: u32, len: u64, last: bool, numbers: Numbers) {
        let index = key as usize;
        if self.lanes.len() <= index {
            self.lanes.resize_with(index + 1, || None);
            self.is_heard.resize(index + 1, false);
        }
        self.lanes[index].get_or_insert_with(|| Consumer::new(self.port.lane(key))).grant(len);
        if !std::mem::replace(&mut self.is_heard[index], true) {
            self.heard.push(key);
        }
        self.run = Some(CurrentRun { key, last, numbers });
    }

    /// The number of the next message that is there.
    fn next_number(&mut self) -> Option<u64> {
        if !self.find_run() {
            return None;
        }
        self.run.as_mut().map(|run| run.numbers.peek())
    }

    // ── looks: what is there, with the clock and the end ───────────────────────────────────────────────────

    /// The message that is there, or the news that none will come.
    fn look_for_message(&mut self) -> Option<Found<(Seq, T)>> {
        self.look(Self::take)
    }

    fn look_for_run(&mut self) -> Option<Found<()>> {
        self.look(|receiver| receiver.find_run().then_some(()))
    }

    fn look<R>(&mut self, take: impl Fn(&mut Self) -> Option<R>) -> Option<Found<R>> {
        if let Some(found) = take(self) {
            return Some(Found::Something(found));
        }
        if !self.is_closed() {
            return None;
        }
        // Closed was read after the look that found nothing: only now is nothing final.
        Some(take(self).map_or(Found::Closed, Found::Something))
    }

    fn look_for_event(&mut self) -> Option<Found<Event<T>>> {
        if let Some((seq, value)) = self.take() {
            return Some(Found::Something(Event::Message(seq, value)));
        }
        // The clock and the end first, then the look that counts: what they cover was handed out before.
        let closed = self.is_closed();
        let now = self.shared.board().clock.now();
        if let Some((seq, value)) = self.take() {
            return Some(Found::Something(Event::Message(seq, value)));
        }
        if now > self.told.max(self.joined_at().map_or(now, Seq::get)) {
            self.told = now;
            return Some(Found::Something(Event::Clock(Seq::new(now))));
        }
        closed.then_some(Found::Closed)
    }

    // ── waits ──────────────────────────────────────────────────────────────────────────────────────────────

    fn without_waiting<R>(
        &mut self,
        look: impl Fn(&mut Self) -> Option<Found<R>>,
    ) -> Result<R, TryRecvError> {
        let mut found = look(self);
        if found.is_none() {
            self.give_back();
            self.shared.drive();
            found = look(self);
        }
        match found {
            Some(Found::Something(found)) => Ok(found),
            Some(Found::Closed) => Err(TryRecvError::Closed),
            None => Err(TryRecvError::Empty),
        }
    }

    #[cold]
    fn wait_for_message(
        &mut self,
        deadline: Option<Deadline>,
    ) -> Result<(Seq, T), RecvTimeoutError> {
        self.wait(deadline, Self::look_for_message)
    }

    #[cold]
    fn wait_for_run(&mut self) -> Result<(), RecvError> {
        self.wait(None, Self::look_for_run).map_err(|_| RecvError)
    }

    fn wait<R>(
        &mut self,
        deadline: Option<Deadline>,
        look: impl Fn(&mut Self) -> Option<Found<R>>,
    ) -> Result<R, RecvTimeoutError> {
        let (shared, inbox) = (self.shared.clone(), self.inbox.inbox().clone());
        let found = shared.wait(inbox.parker(), deadline, |step| self.step(step, &look));
        finish(found)
    }

    fn wait_for_event(&mut self, deadline: Option<Deadline>) -> Result<Event<T>, RecvTimeoutError> {
        let (shared, inbox) = (self.shared.clone(), self.inbox.inbox().clone());
        let found = shared
            .wait_for_clock(inbox.parker(), deadline, |step| self.step(step, Self::look_for_event));
        finish(found)
    }

    /// A step of a wait: a look, with everything given back that others may wait for; or the arming.
    fn step<R>(
        &mut self,
        step: Step,
        look: impl Fn(&mut Self) -> Option<Found<R>>,
    ) -> Option<Found<R>> {
        match step {
            Step::Look => {
                let found = look(self);
                if found.is_none() {
                    self.give_back();
                }
                found
            }
            Step::Arm => {
                self.ask_for_attention();
                None
            }
        }
    }

    /// Gives consumed entries of the inbox back; slots have been given back with each message.
    fn give_back(&mut self) {
        if self.inbox.give_back() {
            self.shared.kick();
        }
    }

    /// Wants to hear of the next message of each lane that it had a run of since it last slept.
    fn ask_for_attention(&mut self) {
        for key in self.heard.drain(..) {
            self.is_heard[key as usize] = false;
            if let Some(lane) = &self.lanes[key as usize] {
                lane.state().set_want();
            }
        }
    }
}

fn finish<R>(found: Result<Found<R>, Unfinished>) -> Result<R, RecvTimeoutError> {
    match found {
        Ok(Found::Something(found)) => Ok(found),
        Ok(Found::Closed) | Err(Unfinished::Poisoned) => Err(RecvTimeoutError::Closed),
        Err(Unfinished::Timeout) => Err(RecvTimeoutError::Timeout),
    }
}

impl Numbers {
    #[inline]
    fn next(&mut self) -> u64 {
        match self {
            Self::Adjacent(next) => {
                *next += 1;
                *next - 1
            }
            Self::Walk(walk) => walk.next(),
        }
    }

    fn peek(&mut self) -> u64 {
        match self {
            Self::Adjacent(next) => *next,
            Self::Walk(walk) => walk.peek(),
        }
    }
}

/// A batch under way: gives the slots back when it ends, also by a panic.
struct Batch<'a, T: Send + 'static> {
    receiver: &'a mut Receiver<T>,
}

impl<T: Send + 'static> Drop for Batch<'_, T> {
    fn drop(&mut self) {
        if let Some(run) = &self.receiver.run
            && let Some(lane) = &mut self.receiver.lanes[run.key as usize]
        {
            lane.give_back();
        }
    }
}

impl<T: Send + 'static> Drop for Receiver<T> {
    /// The heavy side: tells its lanes, and drops what they hold.
    fn drop(&mut self) {
        let lanes = self.port.leave();
        for lane in &lanes {
            lane.state().leave();
        }
        // Pairs with the light barrier of every sender: it sees GONE, or the drain sees its message.
        heavy!("receiver.leave.heavy");
        let inbox = self.inbox.inbox().clone();
        self.shared.announce(Change::Leave { inbox }).expect("only sources are refused");
        let mut panic = None;
        for lane in &lanes {
            drain(lane, &mut panic);
        }
        go_on_with(panic);
    }
}

impl<T: Send + 'static> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("name", &self.port.name)
            .field("told", &self.told)
            .field("closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}

/// The messages of a receiver until it closes. Made by [`Receiver::messages`].
#[derive(Debug)]
pub struct Messages<'a, T: Send + 'static> {
    receiver: &'a mut Receiver<T>,
}

impl<T: Send + 'static> Iterator for Messages<'_, T> {
    type Item = (Seq, T);

    fn next(&mut self) -> Option<Self::Item> {
        self.receiver.recv().ok()
    }
}
