//! Groups: what is broadcast reaches every member, with one number, and nobody is held up by one who does not read.
//!
//! Each promise that the docs of [`Group`], [`Broadcaster`](mainspring::Broadcaster), [`Ref`](mainspring::Ref) and
//! [`Receiver`] make of them has its test, in the module that its subject names. Where it can be, a test is one thread
//! with passes by hand, so that every number is known.

#![cfg(not(loom))]

#[path = "groups/ending.rs"]
mod ending;
#[path = "groups/fullness.rs"]
mod fullness;
#[path = "groups/joining.rs"]
mod joining;
#[path = "groups/lending.rs"]
mod lending;
#[path = "groups/model.rs"]
mod model;
#[path = "groups/open.rs"]
mod open;
#[path = "groups/order.rs"]
mod order;
#[path = "groups/panics.rs"]
mod panics;
#[path = "groups/parcel.rs"]
mod parcel;
#[path = "groups/removing.rs"]
mod removing;
mod support;

use std::thread;

use mainspring::{
    Drive, Engine, Group, Receiver, RecvError, Seq, TryRecvError, TrySendError, parts,
};
use support::{Drops, to_the_end};

/// An engine that passes only by hand.
pub(crate) fn by_hand(inbox: usize, capacity: usize) -> Engine {
    let builder = Engine::builder().inbox(inbox).capacity(capacity);
    builder.drive(Drive::manual(|| {})).build().unwrap()
}

/// An engine and a group of it whose lanes hold so many.
pub(crate) fn engine_and_group<T: Send + 'static>(capacity: usize) -> (Engine, Group<T>) {
    let engine = Engine::builder().capacity(capacity).build().unwrap();
    let group = engine.group();
    (engine, group)
}

/// Everything that is there, with its numbers.
pub(crate) fn take<T: Send + 'static>(rx: &mut Receiver<T>) -> Vec<(u64, T)> {
    let next = || rx.try_recv().ok().map(|(seq, value)| (seq.get(), value));
    std::iter::from_fn(next).collect()
}

/// Numbers `from ..`, each with its value.
pub(crate) fn numbered<T>(from: u64, values: impl IntoIterator<Item = T>) -> Vec<(u64, T)> {
    (from..).zip(values).collect()
}

#[test]
fn a_broadcast_reaches_every_member_with_one_number() {
    let engine = Engine::new();
    let group = engine.group();
    let mut members: Vec<_> = (0..4).map(|_| group.subscribe()).collect();
    let mut all = group.broadcaster();
    assert_eq!(all.send_batch(0..100).unwrap(), 100);
    drop(all);
    for member in &mut members {
        let received: Vec<_> = member.messages().collect();
        let sent: Vec<_> = (0..100).map(|value| (Seq::new(value + 1), value)).collect();
        assert_eq!(received, sent);
    }
}

#[test]
fn a_full_lane_goes_on_when_the_slowest_has_read() {
    to_the_end(|| {
        let engine = Engine::new();
        let group = engine.options().capacity(4).group().unwrap();
        let mut members: Vec<_> = (0..3).map(|_| group.subscribe()).collect();
        let mut all = group.broadcaster();
        let sender = thread::spawn(move || {
            for value in 0..10_000_u64 {
                all.send(value).unwrap();
            }
        });
        let readers: Vec<_> = members
            .drain(..)
            .map(|mut member| {
                thread::spawn(move || {
                    for value in 0..10_000_u64 {
                        assert_eq!(member.recv(), Ok((Seq::new(value + 1), value)));
                    }
                    assert_eq!(member.recv(), Err(RecvError::Closed));
                })
            })
            .collect();
        sender.join().unwrap();
        readers.into_iter().for_each(|reader| reader.join().unwrap());
    });
}

#[test]
fn a_member_that_never_reads_can_be_removed() {
    to_the_end(|| {
        let engine = Engine::new();
        let group = engine.options().capacity(4).group().unwrap();
        let (mut quick, mut stuck) = (group.subscribe(), group.subscribe());
        let mut all = group.broadcaster();
        for value in 0..4 {
            all.send(value).unwrap();
            quick.recv().unwrap();
        }
        assert_eq!(all.try_send(4), Err(TrySendError::Full(4)));
        let slowest = all.slowest().unwrap();
        assert_eq!((&slowest.member, slowest.behind), (&stuck.address(), 4));
        assert!(group.remove(&slowest.member));
        all.send(4).unwrap();
        assert_eq!(quick.recv(), Ok((Seq::new(5), 4)));
        assert_eq!(stuck.recv(), Err(RecvError::Closed));
        assert_eq!(stuck.missed(), 4);
    });
}

#[test]
fn every_value_is_dropped_once() {
    let drops = Drops::default();
    let engine = Engine::new();
    let group = engine.options().capacity(4).group().unwrap();
    let mut member = group.subscribe();
    let mut all = group.broadcaster();
    for _ in 0..10 {
        all.send(std::sync::Arc::new(drops.value())).unwrap();
        member.recv().unwrap();
    }
    all.reclaim();
    assert_eq!(drops.count(), 10);
    all.send(std::sync::Arc::new(drops.value())).unwrap();
    drop((all, member));
    assert_eq!(drops.count(), 11);
}

#[test]
fn the_order_of_a_sender_is_kept_when_it_becomes_a_broadcaster() {
    for _ in 0..200 {
        let engine = Engine::builder().inbox(1).build().unwrap();
        let group = engine.group();
        let (mut member, mut alone) = (group.subscribe(), engine.receiver());
        let mut sender = engine.sender(&alone.address()).unwrap();
        group.join(&alone.address()).unwrap();
        sender.send_batch(0..10).unwrap();
        let mut all = sender.into_broadcaster(&group).unwrap();
        all.send_batch(10..20).unwrap();
        drop(all);
        let received: Vec<_> = alone.messages().map(|(seq, value)| (seq.get(), value)).collect();
        assert_eq!(received, (0..20).map(|value| (value + 1, value)).collect::<Vec<_>>());
        let received: Vec<_> = member.messages().map(|(seq, value)| (seq.get(), value)).collect();
        assert_eq!(received, (10..20).map(|value| (value + 1, value)).collect::<Vec<_>>());
    }
}

#[test]
fn a_forgotten_ref_gives_its_slot_back_with_the_next() {
    let engine = Engine::new();
    let group = engine.options().capacity(2).group().unwrap();
    let mut member = group.subscribe();
    let mut all = group.broadcaster();
    for value in 0..10 {
        all.try_send(value).unwrap();
        std::mem::forget(member.recv_ref().unwrap());
    }
    assert!(member.try_recv_ref().is_err());
}
