//! A stream from some senders to one receiver, and its ends: a thread that sends its numbers, and one
//! that receives and adds up.
//!
//! Before the start each sender sends one message over each of its channels, and each receiver
//! takes those that are for it: joining, allocating and the first page faults are not in the
//! figure.

use std::iter;
use std::ops::Range;

use super::{BATCH_RECEIVED, Figure, Load};
use crate::against::{Contender, Receiver, Sender};
use crate::crew::Crew;
use crate::failure::Failure;
use crate::message::{Due, Message, values};

/// What is sent before the start.
pub(super) const WARM_UP: u64 = 0;

/// What a message costs if so many threads send to this receiver, and one receives.
pub(super) fn stream<C: Contender, T: Message>(
    contender: &C,
    (address, receiver): (C::Address<T>, C::Receiver<T>),
    senders: usize,
    load: &Load,
) -> Result<Figure, Failure> {
    let authors = (0..senders).map(|author| values(author, load.share(senders)));
    let due = Due::from::<T>(authors.clone());
    let mut crew = Crew::new(senders + 1, load.settle);
    for values in authors {
        let sender = contender.sender(&address)?;
        hire_sender(&mut crew, sender, values, load)?;
    }
    hire_receiver(&mut crew, receiver, senders, due, load)?;
    let (took, _) = crew.finish(load.patience())?;
    Ok(Figure::per_message(took, due.count))
}

/// A thread that sends these numbers.
pub(super) fn hire_sender<T: Message>(
    crew: &mut Crew<()>,
    mut sender: impl Sender<T>,
    values: Range<u64>,
    load: &Load,
) -> Result<(), Failure> {
    let batch = load.batch;
    crew.hire("sender", move |line| {
        sender.send(T::of(WARM_UP))?;
        line.start_open_ended(|| send(&mut sender, values, batch))
    })
}

/// Sends these numbers, so many at once.
#[inline]
pub(super) fn send<T: Message>(
    sender: &mut impl Sender<T>,
    values: Range<u64>,
    batch: usize,
) -> Result<(), Failure> {
    if batch == 1 {
        for value in values {
            sender.send(T::of(value))?;
        }
    } else {
        for values in batches(values, batch) {
            sender.send_batch(values.map(T::of))?;
        }
    }
    Ok(())
}

/// A thread that receives what is due from so many authors.
pub(super) fn hire_receiver<T: Message>(
    crew: &mut Crew<()>,
    mut receiver: impl Receiver<T>,
    authors: usize,
    due: Due,
    load: &Load,
) -> Result<(), Failure> {
    let batch = load.batch;
    crew.hire("receiver", move |line| {
        for _ in 0..authors {
            receiver.recv()?;
        }
        line.start(|| receive(&mut receiver, due, batch))
    })
}

/// Receives all that is due and adds it up.
pub(super) fn receive<T: Message>(
    receiver: &mut impl Receiver<T>,
    mut due: Due,
    batch: usize,
) -> Result<(), Failure> {
    let mut sum = 0_u64;
    if batch == 1 {
        for _ in 0..due.count {
            sum = sum.wrapping_add(receiver.recv()?.weight());
        }
    } else {
        while due.count > 0 {
            let add = |message: T| sum = sum.wrapping_add(message.weight());
            due.less(receiver.recv_batch(BATCH_RECEIVED, add)?)?;
        }
    }
    due.check(sum)
}

/// The same numbers, so many at a time.
pub(super) fn batches(values: Range<u64>, batch: usize) -> impl Iterator<Item = Range<u64>> {
    let Range { mut start, end } = values;
    iter::from_fn(move || {
        let first = start;
        start = (first + batch as u64).min(end);
        (first < end).then_some(first..start)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_are_all_of_it_and_the_last_is_the_rest() {
        let parts: Vec<_> = batches(10..75, 32).collect();
        assert_eq!(parts, [10..42, 42..74, 74..75]);
    }
}
