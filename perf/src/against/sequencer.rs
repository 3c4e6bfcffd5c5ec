//! A thread that numbers: all authors send to it, it gives each message the next number and sends it
//! on. Over channels that several share, or, made by hand, over a ring of each author and one to each
//! receiver.
//!
//! ```text
//!  A ──▶ ┌───────────┐
//!  A ──▶ │ sequencer │ ──▶ R
//!  A ──▶ │ number+=1 │ ──▶ R
//!  A ──▶ └───────────┘
//! ```
//!
//! It takes up to 64 at a time of whoever has something, as those who receive in batches do. It ends
//! when all authors have gone, or a receiver has.

use std::thread;

use rtrb::{Consumer, RingBuffer};

use super::never::Never;
use super::order::Carried;
use super::{Closed, Contender, Kind, Order, OrderedReceiver, Ordering, Receiver, Sender, waiting};
use crate::failure::Failure;
use crate::message::{Message, Numbered, author};

/// As many it takes at once.
const TAKEN: usize = 64;

/// Over another's channels.
pub(crate) struct Sequencer<C>(C);

impl<C: Contender> Contender for Sequencer<C> {
    type Address<T: Message> = Never;
    type Sender<T: Message> = Never;
    type Router<T: Message> = Never;
    type Receiver<T: Message> = Never;

    fn open(capacity: usize) -> Result<Self, Failure> {
        C::open(capacity).map(Self)
    }

    fn order<T: Message>(
        &self,
        authors: usize,
        receivers: usize,
    ) -> Ordering<impl Sender<T>, impl OrderedReceiver<T>> {
        let (inlet, from) = self.0.receiver::<T>(Kind::Shared)?;
        let authors = (0..authors).map(|_| self.0.sender(&inlet)).collect::<Result<_, _>>()?;
        let (mut to, mut ends) = (Vec::new(), Vec::new());
        for _ in 0..receivers {
            let (address, receiver) = self.0.receiver::<Numbered<T>>(Kind::Lone)?;
            to.push(self.0.sender(&address)?);
            ends.push(Carried(receiver));
        }
        hire(move || number(from, to))?;
        Ok(Order { authors, receivers: ends })
    }
}

/// Whoever sees this end has nobody to tell: the ends of the channels tell it.
fn hire(work: impl FnOnce() -> Result<(), Closed> + Send + 'static) -> Result<(), Failure> {
    let body = || drop(work());
    thread::Builder::new().name("sequencer".into()).spawn(body).map(drop).map_err(Failure::Thread)
}

fn number<T: Message>(
    mut from: impl Receiver<T>,
    mut to: Vec<impl Sender<Numbered<T>>>,
) -> Result<(), Closed> {
    let mut last = 0;
    loop {
        let mut sent = Ok(());
        from.recv_batch(TAKEN, |value| {
            last += 1;
            let target = author(value.key()) % to.len();
            if sent.is_ok() {
                sent = to[target].send(Numbered { number: last, value });
            }
        })?;
        sent?;
    }
}

/// Over rings.
pub(crate) struct RingSequencer {
    capacity: usize,
}

impl Contender for RingSequencer {
    type Address<T: Message> = Never;
    type Sender<T: Message> = Never;
    type Router<T: Message> = Never;
    type Receiver<T: Message> = Never;

    fn open(capacity: usize) -> Result<Self, Failure> {
        Ok(Self { capacity })
    }

    fn order<T: Message>(
        &self,
        authors: usize,
        receivers: usize,
    ) -> Ordering<impl Sender<T>, impl OrderedReceiver<T>> {
        let inlets = (0..authors).map(|_| RingBuffer::<T>::new(self.capacity));
        let (authors, from): (Vec<_>, Vec<_>) = inlets.unzip();
        let outlets = (0..receivers).map(|_| RingBuffer::<Numbered<T>>::new(self.capacity));
        let (to, ends): (Vec<_>, Vec<_>) = outlets.map(|(to, end)| (to, Carried(end))).unzip();
        hire(move || number_rings(from, to))?;
        Ok(Order { authors, receivers: ends })
    }
}

fn number_rings<T: Message>(
    mut from: Vec<Consumer<T>>,
    mut to: Vec<impl Sender<Numbered<T>>>,
) -> Result<(), Closed> {
    let mut last = 0;
    loop {
        waiting::until(|| match round(&mut from, &mut last, &mut to) {
            Ok(true) => Some(Ok(())),
            Ok(false) => None,
            Err(closed) => Some(Err(closed)),
        })?;
    }
}

/// Takes of each ring what is there; whether there was anything.
fn round<T: Message>(
    from: &mut [Consumer<T>],
    last: &mut u64,
    to: &mut [impl Sender<Numbered<T>>],
) -> Result<bool, Closed> {
    let (mut is_busy, mut is_over) = (false, true);
    for (nth, ring) in from.iter_mut().enumerate() {
        // In this order: what was sent before the end was seen is there by now.
        is_over &= ring.is_abandoned();
        let there = ring.slots().min(TAKEN);
        if there == 0 {
            continue;
        }
        is_busy = true;
        let chunk = ring.read_chunk(there).map_err(|_| Closed)?;
        to[nth % to.len()].send_batch(chunk.into_iter().map(|value| {
            *last += 1;
            Numbered { number: *last, value }
        }))?;
    }
    if is_over && !is_busy { Err(Closed) } else { Ok(is_busy) }
}
