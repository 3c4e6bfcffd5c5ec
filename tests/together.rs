//! Where the parts meet: groups, outboxes to them, receivers that mind each other, merges, followers.

#![cfg(not(loom))]

#[path = "together/storm.rs"]
mod storm;
mod support;

use std::env;
use std::ops::Range;
use std::thread;

use mainspring::{Engine, Seq, parts};
use support::to_the_end;

/// Random numbers (splitmix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) >> 8) as usize % sides
    }
}

/// Goal: a closed engine says so, wherever its parts meet.
#[test]
fn everything_together_ends_with_the_engine() {
    to_the_end(|| {
        let engine = Engine::builder().capacity(1).build().unwrap();
        let group = engine.options::<u64>().capacity(1).group().unwrap();
        let (mut first, second) = (group.subscribe(), group.subscribe());
        let behind = {
            let mut rx = group.subscribe();
            rx.behind(&[first.progress()]).unwrap();
            rx
        };
        let progress = first.progress();
        let mut out = engine.outbox();
        let target = out.add_group(&group).unwrap();
        out.send_all(target, 1).unwrap();
        for _ in 0..3 {
            out.send_next(target, 2).unwrap();
        }
        let threads = [
            thread::spawn(move || {
                while out.send_next(target, 3).is_ok() {}
                assert!(out.try_send_next(target, 3).unwrap_err().is_closed());
                assert!(out.try_send_keyed(target, "key", 3).unwrap_err().is_closed());
                while out.send_all(target, 3).is_ok() {}
            }),
            thread::spawn(move || assert!(progress.wait_for(Seq::MAX).is_err())),
            thread::spawn(move || {
                let mut all = behind.merge(second).unwrap();
                while all.recv().is_ok() {}
            }),
        ];
        parts::poison(&engine);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        let mut late = group.subscribe();
        assert!(late.recv().is_err());
        let mut out = engine.outbox();
        let target = out.add_group(&group).unwrap();
        while out.send_all(target, 3).is_ok() {}
        assert!(out.send_next(target, 3).is_err());
    });
}

/// Goal: any ends in any state come to rest, and nobody starves. Method: chance; see the module.
#[test]
fn a_storm_of_ends_comes_to_rest() {
    for seed in seeds() {
        storm::storm(seed, false, seed % 16 == 0);
    }
}

/// `MAINSPRING_SEED` repeats one, `MAINSPRING_STORMS` makes so many.
fn seeds() -> Range<u64> {
    let number = |name: &str| env::var(name).ok().map(|number| number.parse::<u64>().unwrap());
    match number("MAINSPRING_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("MAINSPRING_STORMS").unwrap_or(60),
    }
}
