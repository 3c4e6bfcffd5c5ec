//! The queue before a shared lane.
//!
//! ```text
//!   who sends ──▶ queue (values, in the order of the calls) ──▶ lane
//!                   ▲ moved on by whoever makes room
//! ```
//!
//! Where somebody waits, the lane's parker holds a waker that moves the queue on ([`Line::go_on`]): whoever makes room
//! in the lane, or gives the number that is awaited, does that at once, in its own thread. So it does not matter when,
//! or whether, the author of a value is scheduled again. What becomes of a value stands in its [`Slot`], written under
//! the lock: at any moment a value is in the queue, or in the lane, or its slot has the outcome.
//!
//! *Foreign code* (wakers, destructors, passes, which wake others) runs when the lock has been let go of. Then it may
//! come back here: one who moves the queue on notes that, and looks again, so nothing nests.
//!
//! *Numbers.* A lane tells only the number of its last message. So what is to have its number told closes the way
//! behind it, until it has it.

use std::any::Any;
use std::collections::VecDeque;
use std::task::{Wake, Waker};

use crate::address::Address;
use crate::author::{Author, check_closed, heed_under_lock};
use crate::clock::Seq;
use crate::drive::{For, Shared};
use crate::error::{SendError, TrySendError};
use crate::lane::WANT;
use crate::park::Parker;
use crate::ring::{Lane, drop_quietly, go_on_with};
use crate::sender::Sender;
use crate::sync::{Arc, Mutex};
use crate::turns::SharedTurns;
use crate::waiters::Ticket;

/// What has become of a value: it was sent, and has this number if one was wanted.
pub(super) type Outcome<T> = Result<Option<Seq>, SendError<T>>;

/// See the module's documentation.
pub(super) struct Line<T: Send + 'static> {
    address: Address<T>,
    queue: Mutex<Queue<T>>,
    /// Of the tasks that send.
    pub(super) turns: SharedTurns,
}

struct Queue<T: Send + 'static> {
    /// None when the lane has ended.
    sender: Option<Sender<T>>,
    waiting: VecDeque<Waiting<T>>,
    /// Whose value is the last in the lane, and waits for its number.
    stamping: Option<Arc<Slot<T>>>,
    /// The place of the lane's parker among those who wait for the clock.
    ticket: Option<Ticket>,
    /// Somebody moves it on,
    moving: bool,
    /// and is to look again.
    again: bool,
}

struct Waiting<T> {
    value: T,
    slot: Arc<Slot<T>>,
}

/// Where the author of a value sleeps, and finds what has become of it.
pub(super) struct Slot<T> {
    pub(super) parker: Arc<Parker>,
    pub(super) wants_number: bool,
    outcome: Mutex<Option<Outcome<T>>>,
}

/// How a value got on.
pub(super) enum Entered<T> {
    Sent,
    Failed(SendError<T>),
    Waits(Arc<Slot<T>>),
}

/// What is to be done when the lock has been let go of.
struct Effects<T> {
    /// Whose values have an outcome.
    settled: Vec<Arc<Slot<T>>>,
    /// Numbered, and never read.
    unread: Vec<T>,
    /// Somebody wants to hear of what was published.
    speak_up: bool,
    /// A number is awaited.
    drive: bool,
}

impl<T> Effects<T> {
    fn new() -> Self {
        Self { settled: Vec::new(), unread: Vec::new(), speak_up: false, drive: false }
    }
}

impl<T> Slot<T> {
    fn new(wants_number: bool) -> Arc<Self> {
        Arc::new(Self { parker: Arc::default(), wants_number, outcome: Mutex::new(None) })
    }

    pub(super) fn take(&self) -> Option<Outcome<T>> {
        self.outcome.lock().take()
    }

    fn wake(&self) {
        // No barrier: its author arms it before it looks under the lock of the outcome, and so sees the outcome, or we,
        // who have held that lock since, see it armed.
        if self.parker.is_armed() {
            self.parker.wake();
        }
    }
}

impl<T: Send + 'static> Line<T> {
    pub(super) fn new(sender: Sender<T>) -> Arc<Self> {
        let queue = Queue {
            waiting: VecDeque::new(),
            stamping: None,
            ticket: None,
            moving: false,
            again: false,
            sender: None,
        };
        // What a forgotten future has left there goes where nothing is locked.
        lane_of(&sender).state().parker().give_up();
        let address = sender.address();
        let line = Self { address, queue: Mutex::new(queue), turns: SharedTurns::default() };
        line.queue.lock().sender = Some(sender);
        Arc::new(line)
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.address.shared
    }

    pub(super) fn address(&self) -> &Address<T> {
        &self.address
    }

    /// Asks the lane's sender.
    pub(super) fn look<R>(&self, ask: impl FnOnce(&Sender<T>) -> R) -> R {
        let queue = self.queue.lock();
        ask(queue.sender.as_ref().expect("a handle keeps the lane open"))
    }

    /// Sends a value, or puts it into the queue.
    pub(super) fn enter(self: &Arc<Self>, mut value: T, wants_number: bool) -> Entered<T> {
        let mut queue = self.queue.lock();
        if !wants_number && queue.is_free() {
            match queue.send(value) {
                Ok(published) => return self.finish(queue, published),
                Err(refused) => value = refused,
            }
        }
        if queue.is_closed() {
            // At once: the caller may be a destructor, run by the receiver that leaves, or by whoever moves the queue
            // on, and must not wait for them.
            return Entered::Failed(queue.refuse(value));
        }
        let slot = Slot::new(wants_number);
        queue.waiting.push_back(Waiting { value, slot: slot.clone() });
        drop(queue);
        self.go_on();
        Entered::Waits(slot)
    }

    /// Sends a value if there is room, and nobody waits.
    pub(super) fn try_enter(&self, value: T) -> Result<(), TrySendError<T>> {
        let mut queue = self.queue.lock();
        let sent = if queue.is_free() { queue.send(value) } else { Err(value) };
        match sent {
            Ok(published) => match self.finish(queue, published) {
                Entered::Failed(error) => Err(error.into()),
                _ => Ok(()),
            },
            Err(value) if queue.is_closed() => Err(queue.refuse(value).into()),
            Err(value) => Err(TrySendError::Full(value)),
        }
    }

    /// After a publication: lets go of the lock, and tells those who want to hear of it.
    fn finish(
        &self,
        queue: impl std::ops::Deref<Target = Queue<T>>,
        Published { want, returned, unread }: Published<T>,
    ) -> Entered<T> {
        let lane = queue.sender.as_ref().filter(|_| want).map(|sender| lane_of(sender).clone());
        drop(queue);
        if let Some(lane) = lane {
            self.shared().speak_up(lane.state());
        }
        drop(unread);
        returned.map_or(Entered::Sent, Entered::Failed)
    }

    /// Moves the queue on as far as it goes; then the lane's parker tells when it goes further.
    fn go_on(self: &Arc<Self>) {
        let mut queue = self.queue.lock();
        if queue.moving {
            queue.again = true;
            return;
        }
        queue.moving = true;
        drop(queue);
        let (mut is_armed, mut has_kicked, mut panic) = (false, false, None);
        loop {
            let mut queue = self.queue.lock();
            let mut effects = Effects::new();
            let moved = queue.move_on(self.shared(), &mut effects);
            if moved || std::mem::take(&mut queue.again) {
                is_armed = false;
                // What was published since the last kick nobody may have seen.
                has_kicked &= !moved;
            } else if is_armed || queue.is_free() || queue.sender.is_none() {
                queue.moving = false;
                if queue.is_free() {
                    queue.rest(self.shared());
                }
                drop(queue);
                return go_on_with(panic);
            } else {
                is_armed = true;
                queue.arm(self);
            }
            drop(queue);
            self.carry_out(effects, &mut panic);
            if is_armed {
                // Pairs with the light barriers of whoever makes room, or gives numbers: they see it armed, or the
                // next look finds what they have done.
                heavy!("shared.heavy");
                if !std::mem::replace(&mut has_kicked, true) {
                    self.shared().kick();
                }
            }
        }
    }

    /// Keeps the first panic of a destructor for the caller, who may have more to do.
    fn carry_out(&self, effects: Effects<T>, panic: &mut Option<Box<dyn Any + Send>>) {
        effects.settled.iter().for_each(|slot| slot.wake());
        if effects.speak_up {
            let lane = self.queue.lock().sender.as_ref().map(|sender| lane_of(sender).clone());
            if let Some(lane) = lane {
                self.shared().speak_up(lane.state());
            }
        }
        if effects.drive {
            self.shared().drive_for(For::Stamp);
        }
        // Those whose authors have gone have their outcome with them, and it may hold the value.
        effects.settled.into_iter().for_each(|slot| drop_quietly(slot, panic));
        effects.unread.into_iter().for_each(|value| drop_quietly(value, panic));
    }

    /// Its author gives up: the value, if it was not sent.
    pub(super) fn take_back(&self, slot: &Arc<Slot<T>>) -> Option<T> {
        let refused = || slot.take()?.err().map(SendError::into_inner);
        self.leave(slot).or_else(refused)
    }

    /// Takes a value out of the queue, if it is there.
    pub(super) fn leave(&self, slot: &Arc<Slot<T>>) -> Option<T> {
        let mut queue = self.queue.lock();
        let at = queue.waiting.iter().position(|waiting| Arc::ptr_eq(&waiting.slot, slot))?;
        queue.waiting.remove(at).map(|waiting| waiting.value)
    }

    /// The outcome of a value when the engine is closed, or when it has left the queue and wants no number.
    pub(super) fn resolve(&self, slot: &Arc<Slot<T>>) -> Outcome<T> {
        if let Some(value) = self.leave(slot) {
            return Err(self.queue.lock().refuse(value));
        }
        let (mut effects, mut panic) = (Effects::new(), None);
        self.queue.lock().move_on(self.shared(), &mut effects);
        self.carry_out(effects, &mut panic);
        go_on_with(panic);
        slot.take()
            .expect("what is not in the queue has an outcome, in a closed engine also its number")
    }

    /// The last handle goes. What is left in the queue was forgotten by its authors.
    pub(super) fn end(&self) {
        let mut queue = self.queue.lock();
        let (sender, waiting) = (queue.sender.take(), std::mem::take(&mut queue.waiting));
        queue.stamping = None;
        let ticket = queue.ticket.take();
        drop(queue);
        if let Some(ticket) = ticket {
            self.shared().board().waiters.remove(ticket);
        }
        if let Some(sender) = &sender {
            lane_of(sender).state().parker().give_up();
        }
        drop(sender);
        let mut panic = None;
        for Waiting { value, .. } in waiting {
            drop_quietly(value, &mut panic);
        }
        go_on_with(panic);
    }
}

/// A value that was published.
struct Published<T> {
    /// Somebody wants to hear of it.
    want: bool,
    /// It is ours again: the receiver has gone, or we were ended.
    returned: Option<SendError<T>>,
    /// So are these, which were sent before, and never read.
    unread: Vec<T>,
}

impl<T: Send + 'static> Queue<T> {
    /// Nobody waits.
    fn is_free(&self) -> bool {
        self.waiting.is_empty() && self.stamping.is_none()
    }

    /// To be asked when there was no room.
    fn is_closed(&mut self) -> bool {
        self.sender.as_mut().is_none_or(|sender| check_closed(&mut sender.author.producer))
    }

    /// A value that cannot be sent.
    fn refuse(&self, value: T) -> SendError<T> {
        match &self.sender {
            Some(sender) => sender.author.refuse(value),
            None => SendError::closed(value),
        }
    }

    /// Sends a value; gives it back if there is no room.
    fn send(&mut self, value: T) -> Result<Published<T>, T> {
        let Some(sender) = &mut self.sender else { return Err(value) };
        let author = &mut sender.author;
        author.producer.push(value)?;
        let attention = author.producer.publish();
        // Whoever wants to hear of it is told when the lock has been let go of.
        let Author { shared, producer, .. } = author;
        let mut unread = Vec::new();
        let returned = heed_under_lock(shared, producer, attention & !WANT, 1, &mut unread).pop();
        let returned = returned.map(|value| author.refuse(value));
        Ok(Published { want: attention & WANT != 0, returned, unread })
    }

    /// Moves values into the lane, as far as it goes. True if there is something to be carried out.
    fn move_on(&mut self, shared: &Shared, effects: &mut Effects<T>) -> bool {
        let mut moved = false;
        loop {
            let Some(sender) = &mut self.sender else { return moved };
            let author = &mut sender.author;
            if check_closed(&mut author.producer) {
                // Also those behind one that waits for its number, which may take as long as the end does.
                moved |= !self.waiting.is_empty();
                for Waiting { value, slot } in self.waiting.drain(..) {
                    effects.settle(slot, Err(author.refuse(value)));
                }
            }
            if let Some(slot) = self.stamping.take() {
                let found = author.settled();
                if found.is_none() && !shared.is_poisoned() {
                    self.stamping = Some(slot);
                    return moved;
                }
                let (outcome, unread) = author.end_holding(found);
                effects.unread.extend(unread);
                effects.settle(slot, outcome.map(Some));
                moved = true;
                continue;
            }
            let Some(Waiting { value, slot }) = self.waiting.pop_front() else { return moved };
            if slot.wants_number {
                if let Err(value) = author.producer.push(value) {
                    self.waiting.push_front(Waiting { value, slot });
                    return moved;
                }
                effects.speak_up |= author.publish_held();
                effects.drive = true;
                self.stamping = Some(slot);
                return true;
            } else {
                match self.send(value) {
                    Ok(Published { want, returned, unread }) => {
                        effects.speak_up |= want;
                        effects.unread.extend(unread);
                        effects.settle(slot, returned.map_or(Ok(None), Err));
                    }
                    Err(value) => {
                        self.waiting.push_front(Waiting { value, slot });
                        return moved;
                    }
                }
            }
            moved = true;
        }
    }

    /// The lane's parker is to move the queue on.
    fn arm(&mut self, line: &Arc<Line<T>>) {
        self.unlist(line.shared());
        let Some(sender) = &self.sender else { return };
        let parker = lane_of(sender).state().parker();
        parker.arm_for(&Waker::from(line.clone()));
        if self.stamping.is_some() {
            self.ticket = Some(line.shared().board().waiters.add(parker, 0));
        }
    }

    /// Nobody waits: nobody is to be told. (The waker, which keeps the line, goes.)
    fn rest(&mut self, shared: &Shared) {
        self.unlist(shared);
        if let Some(sender) = &self.sender {
            lane_of(sender).state().parker().give_up();
        }
    }

    fn unlist(&mut self, shared: &Shared) {
        if let Some(ticket) = self.ticket.take() {
            shared.board().waiters.remove(ticket);
        }
    }
}

impl<T> Effects<T> {
    /// To be called under the lock, like all that changes where a value is.
    fn settle(&mut self, slot: Arc<Slot<T>>, outcome: Outcome<T>) {
        *slot.outcome.lock() = Some(outcome);
        self.settled.push(slot);
    }
}

fn lane_of<T: Send + 'static>(sender: &Sender<T>) -> &Arc<Lane<T>> {
    sender.author.producer.lane()
}

impl<T: Send + 'static> Wake for Line<T> {
    fn wake(self: Arc<Self>) {
        self.go_on();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.go_on();
    }
}
