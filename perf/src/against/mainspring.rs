//! Ours: an engine of its own for each run, driven by whoever waits or by a thread.

use mainspring::{
    Address, Broadcaster, Builder, Drive, Engine, Event, GroupTarget, Merge, Outbox, Reading,
    Target,
};

use super::{
    Choice, Clock, Closed, Confluence, Contender, Fan, Inlet, Kind, MEMBERS, Mark, Merged, Order,
    OrderedReceiver, Ordering, Publisher, Reader, Receiver, Router, Sender, Shape, State, ToOther,
};
use crate::failure::Failure;
use crate::message::{Message, Other};
use crate::scenario::Load;

pub(crate) struct Mainspring(pub(super) Engine);

impl Contender for Mainspring {
    type Address<T: Message> = Address<T>;
    type Sender<T: Message> = mainspring::Sender<T>;
    type Router<T: Message> = Routed<T>;
    type Receiver<T: Message> = mainspring::Receiver<T>;

    fn open(capacity: usize) -> Result<Self, Failure> {
        Engine::builder().capacity(capacity).build().map(Self).map_err(set_up)
    }

    fn set_up(load: &Load) -> Result<Self, Failure> {
        builder(load).build().map(Self).map_err(set_up)
    }

    fn receiver<T: Message>(&self, kind: Kind) -> Inlet<Self, T> {
        let receiver = match kind {
            Kind::Shared | Kind::Lone => self.0.receiver(),
            Kind::Small(size) => {
                self.0.options().capacity(size).inbox(size).receiver().map_err(set_up)?
            }
        };
        Ok((receiver.address(), receiver))
    }

    fn sender<T: Message>(&self, to: &Address<T>) -> Result<mainspring::Sender<T>, Failure> {
        self.0.sender(to).map_err(set_up)
    }

    fn router<T: Message>(&self, to: &[Address<T>]) -> Result<Routed<T>, Failure> {
        let mut outbox = self.0.outbox();
        let targets = to.iter().map(|address| outbox.add(address));
        let targets = targets.collect::<Result<_, _>>().map_err(set_up)?;
        Ok(Routed { outbox, targets })
    }

    fn broadcast<T: Message>(&self, shape: Shape) -> Fan<impl Sender<T>, impl Receiver<T>> {
        let group = self.0.group::<T>();
        let mut members: Vec<_> = shape.stages().iter().map(|_| group.subscribe()).collect();
        for (member, stages) in shape.stages().iter().enumerate() {
            let before: Vec<_> = stages.iter().map(|&stage| members[stage].progress()).collect();
            if !before.is_empty() {
                members[member].behind(&before).map_err(set_up)?;
            }
        }
        Ok((group.broadcaster(), members))
    }

    fn choose<T: Message>(&self, choice: Choice) -> Fan<impl Sender<T>, impl Receiver<T>> {
        let group = self.0.group::<T>();
        let members: Vec<_> = (0..MEMBERS).map(|_| group.subscribe()).collect();
        let mut outbox = self.0.outbox();
        let to = outbox.add_group(&group).map_err(set_up)?;
        Ok((Chooser { outbox, to, choice }, members))
    }

    fn merge<T: Message>(&self) -> Confluence<impl Sender<T>, impl Sender<T>, impl Receiver<T>> {
        let [(first, to_first), (second, to_second)] = [(); 2].map(|()| self.0.channel::<T>());
        let [(third, to_third), (fourth, to_fourth)] =
            [(); 2].map(|()| self.0.channel::<Other<T>>());
        let others = [to_third, to_fourth].map(|receiver| receiver.map(|Other(value)| value));
        let parts = [to_first, to_second].map(Merge::from).into_iter().chain(others);
        let receiver = Merge::new(parts).map_err(set_up)?;
        Ok(Merged { one: [first, second], other: [third, fourth].map(ToOther), receiver })
    }

    fn clocked<T: Message>(
        load: &Load,
    ) -> Result<(impl Sender<T>, impl Receiver<T>, impl Clock), Failure> {
        let engine = builder(load).timestamps(true).build().map_err(set_up)?;
        let (sender, receiver) = engine.channel();
        // It keeps the engine, for the thread that drives it goes with that.
        let read = move || {
            let Reading { seq, published_at, .. } = engine.clock().read();
            (seq.get(), published_at)
        };
        Ok((sender, receiver, read))
    }

    fn order<T: Message>(
        &self,
        authors: usize,
        receivers: usize,
    ) -> Ordering<impl Sender<T>, impl OrderedReceiver<T>> {
        let receivers: Vec<_> = (0..receivers).map(|_| self.0.receiver()).collect();
        let to = |nth: usize| self.0.sender(&receivers[nth % receivers.len()].address());
        let authors = (0..authors).map(to).collect::<Result<Vec<_>, _>>().map_err(set_up)?;
        Ok(Order { authors, receivers })
    }

    fn marks<T: Message>(
        &self,
    ) -> Result<(impl Sender<T>, impl OrderedReceiver<T>, impl Mark), Failure> {
        let (sender, receiver) = self.0.channel();
        let marker = self.0.marker();
        let mark = move || marker.mark().map(mainspring::Seq::get).map_err(|_| Closed);
        Ok((sender, receiver, mark))
    }

    fn state<T: Message>(&self, readers: usize) -> State<impl Publisher<T>, impl Reader<T>> {
        let slot = self.0.slot();
        let readers = (0..readers).map(|_| slot.latest()).collect::<Vec<_>>();
        Ok((slot.publisher(), readers))
    }

    fn settle(&self) {
        self.0.run_until_idle();
    }
}

fn builder(load: &Load) -> Builder {
    let drive = load.thread.map_or(Drive::Callers, Drive::thread);
    Engine::builder().capacity(load.capacity).drive(drive)
}

fn set_up(error: impl std::fmt::Display) -> Failure {
    Failure::SetUp(error.to_string())
}

impl<T: Message> Sender<T> for mainspring::Sender<T> {
    #[inline]
    fn send(&mut self, value: T) -> Result<(), Closed> {
        Self::send(self, value).map_err(|_| Closed)
    }

    #[inline]
    fn send_batch(&mut self, values: impl Iterator<Item = T>) -> Result<(), Closed> {
        Self::send_batch(self, values).map(drop).map_err(|_| Closed)
    }
}

impl<T: Message> Sender<T> for Broadcaster<T> {
    #[inline]
    fn send(&mut self, value: T) -> Result<(), Closed> {
        Self::send(self, value).map_err(|_| Closed)
    }

    #[inline]
    fn send_batch(&mut self, values: impl Iterator<Item = T>) -> Result<(), Closed> {
        Self::send_batch(self, values).map(drop).map_err(|_| Closed)
    }
}

/// An outbox and the targets that were added to it.
pub(crate) struct Routed<T> {
    outbox: Outbox,
    targets: Vec<Target<T>>,
}

impl<T: Message> Router<T> for Routed<T> {
    #[inline]
    fn send(&mut self, target: usize, value: T) -> Result<(), Closed> {
        self.outbox.send(self.targets[target], value).map_err(|_| Closed)
    }

    #[inline]
    fn send_batch(&mut self, target: usize, values: impl Iterator<Item = T>) -> Result<(), Closed> {
        self.outbox.send_batch(self.targets[target], values).map(drop).map_err(|_| Closed)
    }
}

/// An outbox and a group, to one member of which each message goes.
struct Chooser<T> {
    outbox: Outbox,
    to: GroupTarget<T>,
    choice: Choice,
}

impl<T: Message> Sender<T> for Chooser<T> {
    #[inline]
    fn send(&mut self, value: T) -> Result<(), Closed> {
        let sent = match self.choice {
            Choice::ByKey => self.outbox.send_keyed(self.to, &value.key(), value),
            Choice::ByTurn => self.outbox.send_next(self.to, value),
        };
        sent.map_err(|_| Closed)
    }

    #[inline]
    fn send_batch(&mut self, mut values: impl Iterator<Item = T>) -> Result<(), Closed> {
        values.try_for_each(|value| self.send(value))
    }
}

impl<T: Message> Receiver<T> for mainspring::Receiver<T> {
    #[inline]
    fn recv(&mut self) -> Result<T, Closed> {
        Self::recv(self).map(|(_, value)| value).map_err(|_| Closed)
    }

    #[inline]
    fn recv_batch(&mut self, max: usize, mut take: impl FnMut(T)) -> Result<usize, Closed> {
        Self::recv_batch(self, max, |_, value| take(value)).map_err(|_| Closed)
    }

    #[inline]
    fn recv_by_ref<R>(&mut self, read: impl FnOnce(&T) -> R) -> Result<R, Closed> {
        self.recv_ref().map(|value| read(&value)).map_err(|_| Closed)
    }

    #[inline]
    fn recv_batch_by_ref(&mut self, max: usize, mut read: impl FnMut(&T)) -> Result<usize, Closed> {
        self.recv_batch_ref(max, |_, value| read(value)).map_err(|_| Closed)
    }

    #[inline]
    fn recv_event(&mut self) -> Result<T, Closed> {
        loop {
            if let Event::Message(_, value) = Self::recv_event(self).map_err(|_| Closed)? {
                return Ok(value);
            }
        }
    }

    fn has_joined(&self) -> bool {
        self.joined_at().is_some()
    }
}

impl<T: Message> OrderedReceiver<T> for mainspring::Receiver<T> {
    #[inline]
    fn recv(&mut self) -> Result<(u64, T), Closed> {
        Self::recv(self).map(|(seq, value)| (seq.get(), value)).map_err(|_| Closed)
    }

    #[inline]
    fn recv_batch(&mut self, max: usize, mut take: impl FnMut(u64, T)) -> Result<usize, Closed> {
        Self::recv_batch(self, max, |seq, value| take(seq.get(), value)).map_err(|_| Closed)
    }
}

impl<T: Message> Publisher<T> for mainspring::Publisher<T> {
    #[inline]
    fn publish(&mut self, state: T) -> Result<(), Closed> {
        Self::publish(self, state).map(drop).map_err(|_| Closed)
    }
}

impl<T: Message> Reader<T> for mainspring::Latest<T> {
    #[inline]
    fn changed(&mut self) -> Result<T, Closed> {
        self.wait_changed().map(|state| **state).map_err(|_| Closed)
    }
}

impl<T: Message> Receiver<T> for Merge<T> {
    #[inline]
    fn recv(&mut self) -> Result<T, Closed> {
        Self::recv(self).map(|(_, value)| value).map_err(|_| Closed)
    }

    #[inline]
    fn recv_batch(&mut self, max: usize, mut take: impl FnMut(T)) -> Result<usize, Closed> {
        Self::recv_batch(self, max, |_, value| take(value)).map_err(|_| Closed)
    }
}
