//! The engine is closed while everything joins, sends, receives and leaves: seeded, in each drive, small rings.

use std::marker::PhantomData;
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread;
use std::time::Duration;

use mainspring::{Drive, Engine, Event, Idle, Receiver};

use crate::support::{to_the_end, until};

/// xorshift64*: a sequence for each seed.
struct Dice(u64);

impl Dice {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % sides
    }
}

/// Values and their clones that live.
trait Live: Send + Sync + 'static {
    fn count() -> &'static AtomicI64;
}

/// A value that is counted, with a weight, or with none at all: `()` makes it a type without a size.
struct Parcel<L: Live, W: Copy + Default>(W, PhantomData<fn(L)>);

impl<L: Live, W: Copy + Default> Parcel<L, W> {
    fn new() -> Self {
        L::count().fetch_add(1, Ordering::Relaxed);
        Self(W::default(), PhantomData)
    }
}

impl<L: Live, W: Copy + Default> Clone for Parcel<L, W> {
    fn clone(&self) -> Self {
        let mut clone = Self::new();
        clone.0 = self.0;
        clone
    }
}

impl<L: Live, W: Copy + Default> Drop for Parcel<L, W> {
    fn drop(&mut self) {
        L::count().fetch_sub(1, Ordering::Relaxed);
    }
}

struct Small;
struct Large;
static SMALL: AtomicI64 = AtomicI64::new(0);
static LARGE: AtomicI64 = AtomicI64::new(0);

impl Live for Small {
    fn count() -> &'static AtomicI64 {
        &SMALL
    }
}

impl Live for Large {
    fn count() -> &'static AtomicI64 {
        &LARGE
    }
}

/// Reads for a while, in one of the ways.
fn read<T: Send + 'static>(mut rx: Receiver<T>, way: u64, count: u64) {
    match way {
        0 => drop(rx),
        1 => rx.messages().take(count as usize).for_each(drop),
        2 => while let Ok(Event::Message(..) | Event::Clock(_)) = rx.recv_event() {},
        3 => smol::future::block_on(async { while rx.recv_async().await.is_ok() {} }),
        4 => while rx.recv_batch(3, |_, value| drop(value)).is_ok() {},
        _ => while rx.recv_timeout(Duration::from_millis(1)).is_ok() {},
    }
}

/// Joins, sends, leaves, until it is refused everywhere.
fn work<L: Live, W: Copy + Default + Send + Sync + 'static>(engine: &Engine, seed: u64) {
    let value = Parcel::<L, W>::new;
    let mut dice = Dice::new(seed);
    let group = engine.group();
    while !engine.is_closed() {
        let (mut tx, rx) = engine.channel();
        let (mut member, mut other) = (group.subscribe(), group.subscribe());
        if dice.roll(2) == 0 {
            member.behind(&[other.progress()]).unwrap();
        }
        let mut all = group.broadcaster();
        let mut out = engine.outbox();
        let to = out.add(&rx.address());
        let to_all = out.add_group(&group).unwrap();
        let shared = tx.clone().into_shared();
        let count = 1 + dice.roll(8);
        let readers = [(rx, dice.roll(6)), (member, dice.roll(6)), (other, dice.roll(6))]
            .map(|(rx, way)| thread::spawn(move || read(rx, way, count)));
        for _ in 0..dice.roll(20) {
            match dice.roll(10) {
                0 => drop(tx.send(value())),
                1 => drop(tx.send_stamped(value())),
                2 => drop(tx.send_batch((0..3).map(|_| value()))),
                3 => drop(all.send_timeout(value(), Duration::from_millis(1))),
                4 => drop(to.as_ref().map(|&to| out.try_send(to, value()))),
                5 => drop(out.try_send_keyed(to_all, "key", value())),
                6 => drop(out.try_send_next(to_all, value())),
                7 => drop(out.try_send_all(to_all, value())),
                8 => drop(shared.send_timeout(value(), Duration::from_millis(1))),
                _ => drop(shared.try_send(value())),
            }
        }
        drop((tx, all, out, shared));
        readers.into_iter().for_each(|reader| reader.join().unwrap());
    }
}

fn play<L: Live, W: Copy + Default + Send + Sync + 'static>(seed: u64, drive: Drive) {
    let mut dice = Dice::new(seed);
    let (capacity, inbox) = (1 << dice.roll(4), 1 << dice.roll(3));
    let builder = Engine::builder().capacity(capacity).inbox(inbox).drive(drive);
    let engine = builder.timestamps(dice.roll(2) == 0).build().unwrap();
    let workers: Vec<_> = (0..3)
        .map(|nth| {
            let engine = engine.clone();
            thread::spawn(move || work::<L, W>(&engine, seed * 10 + nth))
        })
        .collect();
    let at = dice.roll(60);
    until(|| engine.clock().now().get() >= at);
    let within = [0, 1, 60_000][dice.roll(3) as usize];
    let report = engine.close(Duration::from_millis(within));
    workers.into_iter().for_each(|worker| worker.join().unwrap());
    assert!(engine.close(Duration::ZERO).clock == report.clock, "no number after the end");
    drop(engine);
    // The last to go may be the dispatcher thread.
    until(|| L::count().load(Ordering::Relaxed) == 0);
}

fn drives() -> [Drive; 3] {
    [Drive::Callers, Drive::thread(Idle::Park), Drive::thread(Idle::Yield)]
}

fn storms() -> u64 {
    std::env::var("MAINSPRING_STORMS").map_or(10, |count| count.parse().unwrap())
}

/// Goal: a close in the midst of a storm ends, nobody sleeps on, and each value is dropped once. Method: values
/// without a size.
#[test]
fn a_storm_of_small_values_ends() {
    for seed in 1..=storms() {
        for drive in drives() {
            to_the_end(move || play::<Small, ()>(seed, drive));
        }
    }
}

/// The same with large values.
#[test]
fn a_storm_of_large_values_ends() {
    for seed in 1..=storms() {
        for drive in drives() {
            to_the_end(move || play::<Large, [u64; 32]>(seed, drive));
        }
    }
}
