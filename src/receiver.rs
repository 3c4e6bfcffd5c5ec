//! The way out: a receiver reads its messages in place, in the lanes, as its inbox names them.
//!
//! [`Reader`](reader::Reader) is the end of a message's way: the rest of the run at hand, or the next run,
//! then the value out of its slot, then the slot back to the sender. Only when nothing is there does the receiver read
//! the clock, and looks once more after that ([`look`]): so "nothing up to t" is true when it says so. Where messages
//! come one by one it goes [the short way](short).
//!
//! A receiver that goes to sleep asks for attention on the lanes from which it has had runs since it last slept.
//! On every other lane somebody else has it asked for, or has yet to give the receiver a run.

mod lending;
mod look;
mod numbers;
mod part;
mod reader;
mod short;
mod task;
mod ties;

use std::fmt;
use std::time::Duration;

use crate::address::{Address, Inlet, Port};
use crate::board::Change;
use crate::clock::Seq;
use crate::drive::{Doze, Shared, Unfinished};
use crate::error::{RecvError, RecvTimeoutError, TryRecvError};
use crate::notice::Notice;
use crate::park::Deadline;
use crate::ring::{drain, go_on_with};
use crate::stats::Census;
use crate::sync::Arc;
use crate::trace::{self, Who};
use crate::turns::Turns;
pub use lending::Ref;
use look::{Found, Look};
pub(crate) use part::Part;

/// Receives messages in the order of their numbers, and can read the clock on them.
///
/// It closes when the last of its sources (senders, broadcasters of its groups, and outboxes that added it) has
/// gone, never before its first; it then yields what was sent, and after that `Closed` for ever. Dropping it drops
/// what it has not received, and tells its sources; nobody who sends elsewhere is disturbed.
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
    look: Look<T>,
    /// Of a task that reads it as a stream.
    doze: Doze,
    turns: Turns,
}

/// What a receiver is told.
///
/// Either one says that everything with a lower number that was meant for the receiver has been received: so a
/// window that ends at t may be closed when anything above t is told, or `Clock(t)`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Event<T> {
    /// A message and its number.
    Message(Seq, T),
    /// Everything up to this number that was meant for the receiver, it has received. Always higher than whatever
    /// it was told before; clocks between two looks are conflated.
    Clock(Seq),
    /// A notice and its number. It cannot be serialized: it can be of any type.
    #[cfg_attr(feature = "serde", serde(skip))]
    Notice(Seq, Notice),
}

impl<T: Send + 'static> Receiver<T> {
    /// A new receiver, which the caller announces.
    pub(crate) fn make(
        shared: Arc<Shared>,
        name: Option<Box<str>>,
        capacity: usize,
        inbox: usize,
    ) -> (Arc<Port<T>>, Self) {
        let port = Port::new(name, capacity, inbox);
        let counted: Arc<dyn Census> = port.clone();
        shared.ports.add(&counted);
        let look = Look::new(shared.clone(), port.clone());
        (port.clone(), Self { shared, port, look, doze: Doze::default(), turns: Turns::default() })
    }

    /// The next message, waiting for one.
    ///
    /// # Errors
    ///
    /// When it has closed, or a [notice](crate::Notice) comes next.
    #[inline]
    pub fn recv(&mut self) -> Result<(Seq, T), RecvError> {
        loop {
            if let Some(message) = self.look.take_of_run() {
                return Ok(message);
            }
            self.go_on(None).map_err(RecvTimeoutError::without_limit)?;
        }
    }

    /// The next message, if one is there now. Runs a pass at most, and those asked for meanwhile.
    ///
    /// # Errors
    ///
    /// When there is none, or it has closed, or a [notice](crate::Notice) comes next.
    pub fn try_recv(&mut self) -> Result<(Seq, T), TryRecvError> {
        loop {
            self.without_waiting(Look::for_run)?;
            if let Some(message) = self.look.take_of_run() {
                return Ok(message);
            }
        }
    }

    /// The next message, waiting for `timeout` at the longest.
    ///
    /// # Errors
    ///
    /// When there was none in time, or it has closed, or a [notice](crate::Notice) comes next.
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<(Seq, T), RecvTimeoutError> {
        if let Some(message) = self.look.take_of_run() {
            return Ok(message);
        }
        let deadline = Deadline::after(timeout);
        loop {
            self.go_on(deadline)?;
            if let Some(message) = self.look.take_of_run() {
                return Ok(message);
            }
        }
    }

    /// Waits for a message, and hands it and those that are there, `max` at most, to `f`. Returns how many.
    ///
    /// Slots go back to their senders when a quarter of a lane has been read, and at the end.
    ///
    /// # Errors
    ///
    /// When it has closed, or a [notice](crate::Notice) comes next.
    ///
    /// # Panics
    ///
    /// If `f` does: the message that it was given has been received, the next have not.
    pub fn recv_batch(
        &mut self,
        max: usize,
        mut f: impl FnMut(Seq, T),
    ) -> Result<usize, RecvError> {
        let mut taken = 0;
        while max > 0 && taken == 0 {
            self.go_on(None).map_err(RecvTimeoutError::without_limit)?;
            taken = self.look.take_batch(max, &mut f);
        }
        Ok(taken)
    }

    /// As [`recv_batch`](Self::recv_batch), if a message is there now. Runs a pass at most, and those asked for
    /// meanwhile.
    ///
    /// # Errors
    ///
    /// When there is none, or it has closed, or a [notice](crate::Notice) comes next.
    ///
    /// # Panics
    ///
    /// If `f` does: the message that it was given has been received, the next have not.
    pub fn try_recv_batch(
        &mut self,
        max: usize,
        mut f: impl FnMut(Seq, T),
    ) -> Result<usize, TryRecvError> {
        let mut taken = 0;
        while max > 0 && taken == 0 {
            self.without_waiting(Look::for_run)?;
            taken = self.look.take_batch(max, &mut f);
        }
        Ok(taken)
    }

    /// The messages until it closes, or a [notice](crate::Notice) comes next, waiting for each.
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
        self.wait_for_event(None).map_err(RecvTimeoutError::without_limit)
    }

    /// As [`recv_event`](Self::recv_event), without waiting. Runs a pass at most, and those asked for meanwhile.
    ///
    /// # Errors
    ///
    /// When there is nothing new, or it has closed.
    pub fn try_recv_event(&mut self) -> Result<Event<T>, TryRecvError> {
        self.without_waiting(Look::for_event)
    }

    /// As [`recv_event`](Self::recv_event), waiting for `timeout` at the longest.
    ///
    /// # Errors
    ///
    /// When there was nothing new in time, or it has closed.
    pub fn recv_event_timeout(&mut self, timeout: Duration) -> Result<Event<T>, RecvTimeoutError> {
        self.wait_for_event(Deadline::after(timeout))
    }

    /// Everything up to this number that was meant for this receiver after it joined, it has received. Never falls.
    /// Runs no pass.
    pub fn caught_up_to(&mut self) -> Seq {
        self.look.caught_up_to()
    }

    /// Where the clock stood when the engine took this receiver in: whatever was sent to it and has a higher
    /// number, it receives. None until then.
    pub fn joined_at(&self) -> Option<Seq> {
        self.port.inbox.joined_at().map(Seq::new)
    }

    /// Names this receiver.
    pub fn address(&self) -> Address<T> {
        Address { shared: self.shared.clone(), port: self.port.clone() }
    }

    /// Whether no source is left, so that nothing will come but what was sent. Final.
    pub fn is_closed(&self) -> bool {
        self.look.is_closed()
    }

    /// Messages that it will never receive, because it was removed from a group before it had
    /// ([`Group::remove`](crate::Group::remove)). Counted when it next asks for something; what had no number when
    /// it was removed does not count.
    pub fn missed(&self) -> u64 {
        self.port.missed()
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

    // ── waits ──────────────────────────────────────────────────────────────────────────────────────────────

    fn without_waiting<R>(
        &mut self,
        find: impl Fn(&mut Look<T>) -> Option<Found<R>>,
    ) -> Result<R, TryRecvError> {
        let mut found = find(&mut self.look);
        if found.is_none() {
            self.shared.drive();
            found = find(&mut self.look);
        }
        match found {
            Some(Found::Something(found)) => Ok(found),
            Some(Found::Closed) => Err(TryRecvError::Closed),
            Some(Found::Notice) => Err(TryRecvError::Notice),
            None => Err(TryRecvError::Empty),
        }
    }

    /// Makes sure that the run at hand has something left.
    fn go_on(&mut self, deadline: Option<Deadline>) -> Result<(), RecvTimeoutError> {
        if self.look.go_on() { Ok(()) } else { self.wait_for_run(deadline) }
    }

    #[cold]
    fn wait_for_run(&mut self, deadline: Option<Deadline>) -> Result<(), RecvTimeoutError> {
        let Self { shared, port, look, .. } = self;
        if let Some(found) = look.go_the_short_way(Look::for_run) {
            return finish(Ok(found));
        }
        let (what, parker) = (look.kind_of_wait(), port.inbox.parker());
        let found = shared.wait(parker, deadline, what, |step| look.step(step, Look::for_run));
        finish(look.end_wait(found))
    }

    fn wait_for_event(&mut self, deadline: Option<Deadline>) -> Result<Event<T>, RecvTimeoutError> {
        let Self { shared, port, look, .. } = self;
        if let Some(found) = look.for_event().or_else(|| look.go_the_short_way(Look::for_event)) {
            return finish(Ok(found));
        }
        let (what, parker) = (look.kind_of_event_wait(), port.inbox.parker());
        let found = shared.wait(parker, deadline, what, |step| look.step(step, Look::for_event));
        finish(look.end_wait(found))
    }
}

fn finish<R>(found: Result<Found<R>, Unfinished>) -> Result<R, RecvTimeoutError> {
    match found {
        Ok(Found::Something(found)) => Ok(found),
        Ok(Found::Closed) | Err(Unfinished::Poisoned) => Err(RecvTimeoutError::Closed),
        Ok(Found::Notice) => Err(RecvTimeoutError::Notice),
        Err(Unfinished::Timeout) => Err(RecvTimeoutError::Timeout),
    }
}

impl<T: Send + 'static> Drop for Receiver<T> {
    /// The heavy side: tells its lanes, and drops what they hold.
    fn drop(&mut self) {
        let inlets = self.port.leave();
        let depth = |inlet: &Inlet<T>| inlet.counts().depth();
        let of_groups = inlets.iter().filter(|inlet| inlet.tap.is_some());
        let mut discarded = of_groups.map(depth).sum();
        for Inlet { lane, tap } in &inlets {
            match tap {
                // What it has not read is for others, too: whoever sent it drops it.
                Some(tap) => tap.finish(),
                None => lane.state().leave(),
            }
        }
        // Pairs with the light barrier of every sender: it sees GONE, or the drain sees its message. And with the
        // heavy one of a broadcaster that is full: it sees the tap finished, or we wake it.
        heavy!("receiver.leave.heavy");
        // Before any foreign code runs: whoever closes the engine meanwhile is to know of them, and to wait for
        // nothing.
        let lanes = || inlets.iter().filter(|inlet| inlet.tap.is_none());
        let counted = discarded + lanes().map(depth).sum::<u64>();
        self.shared.discard(counted);
        self.port.has_counted();
        for Inlet { lane, .. } in &inlets {
            // Its sender may wait for room that will not come; before any destructor runs, which might wait for it.
            lane.state().parker().wake();
        }
        if let Some(ties) = &mut self.look.ties {
            ties.leave(self.shared.board().clock.now());
        }
        let inbox = self.port.inbox.clone();
        self.shared.announce(Change::Leave { inbox });
        self.shared.tell_closers();
        let mut panic = None;
        for Inlet { lane, .. } in lanes() {
            discarded += drain(lane, &mut panic);
        }
        self.shared.recount(counted, discarded);
        drop(self.port.take_letters());
        trace::left(Who::Receiver(&self.port.label));
        go_on_with(panic);
    }
}

impl<T: Send + 'static> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("name", &self.port.name)
            .field("id", &self.port.id)
            .field("told", &self.look.told())
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
