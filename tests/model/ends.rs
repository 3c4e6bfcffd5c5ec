//! The ends of the engine as the model handles them: without the type that they carry.

use mainspring::{
    Address, AddressError, Engine, Event, Outbox, Reason, Receiver, SendBatchError, SendError,
    Sender, Source, StampedError, Target, TryRecvError, TrySendError,
};

use crate::parcel::{Cargo, Parcel};

/// What became of a send.
#[derive(Debug)]
pub(crate) enum Sent {
    Done,
    Full(Parcel),
    Closed(Parcel),
    UnknownTarget(Parcel),
}

/// What became of a batch.
#[derive(Debug)]
pub(crate) struct SentBatch {
    pub(crate) sent: usize,
    /// What was not sent, in order: what had been taken from the iterator, then the rest.
    pub(crate) back: Vec<Parcel>,
    pub(crate) reason: Option<Reason>,
}

pub(crate) trait ReceiverEnd {
    fn try_recv(&mut self) -> Result<(u64, Parcel), TryRecvError>;
    fn try_recv_event(&mut self) -> Result<Event<Parcel>, TryRecvError>;
    fn try_recv_batch(&mut self, max: usize) -> Result<Vec<(u64, Parcel)>, TryRecvError>;
    fn caught_up_to(&mut self) -> u64;
    fn joined_at(&self) -> Option<u64>;
    fn is_closed(&self) -> bool;
    fn len(&self) -> usize;
}

pub(crate) trait SenderEnd {
    fn send(&mut self, parcel: Parcel) -> Sent;
    fn try_send(&mut self, parcel: Parcel) -> Sent;
    fn send_batch(&mut self, parcels: Vec<Parcel>) -> SentBatch;
    fn stamped(&mut self) -> Result<u64, StampedError>;
    fn is_closed(&self) -> bool;
    fn len(&self) -> usize;
    fn capacity(&self) -> usize;
    fn duplicate(&self) -> Box<dyn SenderEnd>;
    fn source(&self) -> Source;
}

/// An address of either type.
#[derive(Clone)]
pub(crate) enum Place {
    Plain(Address<Parcel>),
    Boxed(Address<Box<Parcel>>),
}

/// A target of either type.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Token {
    Plain(Target<Parcel>),
    Boxed(Target<Box<Parcel>>),
}

/// A new receiver, and its address.
pub(crate) fn receiver(
    engine: &Engine,
    boxed: bool,
    capacity: usize,
    inbox: usize,
) -> (Box<dyn ReceiverEnd>, Place) {
    if boxed {
        let options = engine.options::<Box<Parcel>>().capacity(capacity).inbox(inbox);
        let rx = options.receiver().unwrap();
        let place = Place::Boxed(rx.address());
        (Box::new(rx), place)
    } else {
        let rx = engine.options::<Parcel>().capacity(capacity).inbox(inbox).receiver().unwrap();
        let place = Place::Plain(rx.address());
        (Box::new(rx), place)
    }
}

impl Place {
    pub(crate) fn sender(&self, engine: &Engine) -> Result<Box<dyn SenderEnd>, AddressError> {
        Ok(match self {
            Self::Plain(address) => Box::new(engine.sender(address)?),
            Self::Boxed(address) => Box::new(engine.sender(address)?),
        })
    }

    pub(crate) fn add_to(&self, out: &mut Outbox) -> Result<Token, AddressError> {
        Ok(match self {
            Self::Plain(address) => Token::Plain(out.add(address)?),
            Self::Boxed(address) => Token::Boxed(out.add(address)?),
        })
    }
}

impl Token {
    pub(crate) fn send(self, out: &mut Outbox, parcel: Parcel) -> Sent {
        match self {
            Self::Plain(target) => sent(out.send(target, parcel)),
            Self::Boxed(target) => sent(out.send(target, Box::new(parcel))),
        }
    }

    pub(crate) fn try_send(self, out: &mut Outbox, parcel: Parcel) -> Sent {
        match self {
            Self::Plain(target) => try_sent(out.try_send(target, parcel)),
            Self::Boxed(target) => try_sent(out.try_send(target, Box::new(parcel))),
        }
    }

    pub(crate) fn send_batch(self, out: &mut Outbox, parcels: Vec<Parcel>) -> SentBatch {
        match self {
            Self::Plain(target) => batch_sent(out.send_batch(target, parcels)),
            Self::Boxed(target) => {
                batch_sent(out.send_batch(target, parcels.into_iter().map(Box::new)))
            }
        }
    }

    pub(crate) fn remove(self, out: &mut Outbox) -> bool {
        match self {
            Self::Plain(target) => out.remove(target),
            Self::Boxed(target) => out.remove(target),
        }
    }
}

impl<C: Cargo> ReceiverEnd for Receiver<C> {
    fn try_recv(&mut self) -> Result<(u64, Parcel), TryRecvError> {
        Self::try_recv(self).map(|(seq, cargo)| (seq.get(), cargo.unload()))
    }

    fn try_recv_event(&mut self) -> Result<Event<Parcel>, TryRecvError> {
        Self::try_recv_event(self).map(|event| match event {
            Event::Message(seq, cargo) => Event::Message(seq, cargo.unload()),
            Event::Clock(seq) => Event::Clock(seq),
            Event::Notice(seq, notice) => Event::Notice(seq, notice),
            _ => unreachable!("an event of a kind that the model does not know"),
        })
    }

    fn try_recv_batch(&mut self, max: usize) -> Result<Vec<(u64, Parcel)>, TryRecvError> {
        let mut taken = Vec::new();
        let counted =
            Self::try_recv_batch(self, max, |seq, cargo| taken.push((seq.get(), cargo.unload())))?;
        assert_eq!(counted, taken.len(), "a batch counts what it hands out");
        Ok(taken)
    }

    fn caught_up_to(&mut self) -> u64 {
        Self::caught_up_to(self).get()
    }

    fn joined_at(&self) -> Option<u64> {
        Self::joined_at(self).map(|seq| seq.get())
    }

    fn is_closed(&self) -> bool {
        Self::is_closed(self)
    }

    fn len(&self) -> usize {
        assert_eq!(Self::is_empty(self), Self::len(self) == 0);
        Self::len(self)
    }
}

impl<C: Cargo> SenderEnd for Sender<C> {
    fn send(&mut self, parcel: Parcel) -> Sent {
        sent(Self::send(self, C::load(parcel)))
    }

    fn try_send(&mut self, parcel: Parcel) -> Sent {
        try_sent(Self::try_send(self, C::load(parcel)))
    }

    fn send_batch(&mut self, parcels: Vec<Parcel>) -> SentBatch {
        batch_sent(Self::send_batch(self, parcels.into_iter().map(C::load)))
    }

    fn stamped(&mut self) -> Result<u64, StampedError> {
        Self::stamped(self).map(|seq| seq.get())
    }

    fn is_closed(&self) -> bool {
        Self::is_closed(self)
    }

    fn len(&self) -> usize {
        assert_eq!(Self::is_empty(self), Self::len(self) == 0);
        Self::len(self)
    }

    fn capacity(&self) -> usize {
        Self::capacity(self)
    }

    fn duplicate(&self) -> Box<dyn SenderEnd> {
        Box::new(self.clone())
    }

    fn source(&self) -> Source {
        Self::source(self)
    }
}

fn sent<C: Cargo>(result: Result<(), SendError<C>>) -> Sent {
    try_sent(result.map_err(TrySendError::from))
}

fn try_sent<C: Cargo>(result: Result<(), TrySendError<C>>) -> Sent {
    match result {
        Ok(()) => Sent::Done,
        Err(TrySendError::Full(cargo)) => Sent::Full(cargo.unload()),
        Err(TrySendError::Closed(cargo)) => Sent::Closed(cargo.unload()),
        Err(TrySendError::UnknownTarget(cargo)) => Sent::UnknownTarget(cargo.unload()),
        Err(_) => unreachable!("no group is sent to"),
    }
}

fn batch_sent<C, I>(result: Result<usize, SendBatchError<C, I>>) -> SentBatch
where
    C: Cargo,
    I: Iterator<Item = C>,
{
    match result {
        Ok(sent) => SentBatch { sent, back: Vec::new(), reason: None },
        Err(SendBatchError { sent, returned, rest, reason }) => {
            let back = returned.into_iter().chain(rest).map(C::unload).collect();
            SentBatch { sent, back, reason: Some(reason) }
        }
    }
}
