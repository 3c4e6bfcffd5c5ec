//! Lanes that no pass looks at: what is sent on them is heard all the same.
//!
//! The engine of these models lets a lane go cold as soon as a pass finds it silent.

use std::sync::Arc;

use loom::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use loom::thread;
use mainspring::parts::{ReadySet, cold_at_once};
use mainspring::{Engine, Receiver, Sender};

use crate::harness::{Model, reach};

pub const MODELS: &[Model] = &[
    Model {
        name: "who_speaks_up_is_taken",
        preemptions: 3,
        executions_min: 300,
        reaches: &["taken while others speak up"],
        body: who_speaks_up_is_taken,
    },
    Model {
        name: "a_lane_that_goes_cold_is_heard",
        preemptions: 2,
        executions_min: 1000,
        reaches: &[],
        body: a_lane_that_goes_cold_is_heard,
    },
    Model {
        name: "cold_lanes_are_heard",
        preemptions: 2,
        executions_min: 1000,
        reaches: &[],
        body: cold_lanes_are_heard,
    },
    Model {
        name: "a_cold_outbox_is_heard",
        preemptions: 2,
        executions_min: 1000,
        reaches: &[],
        body: a_cold_outbox_is_heard,
    },
    Model {
        name: "a_lane_that_joins_while_a_clock_waiter_watches",
        preemptions: 2,
        executions_min: 1000,
        reaches: &[],
        body: a_lane_that_joins_while_a_clock_waiter_watches,
    },
    Model {
        name: "a_clock_waiter_hears_of_a_lane_that_goes_cold",
        preemptions: 2,
        executions_min: 40,
        reaches: &[],
        body: a_clock_waiter_hears_of_a_lane_that_goes_cold,
    },
    Model {
        name: "a_cold_lane_ends",
        preemptions: 2,
        executions_min: 100,
        reaches: &[],
        body: a_cold_lane_ends,
    },
];

/// Two lanes of one leaf speak up while the set is taken: each is taken once more after it has, and its publication is
/// seen then.
fn who_speaks_up_is_taken() {
    let set = Arc::new(ReadySet::default());
    let published = Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]);
    assert!(set.admit(0) && set.admit(1));
    let authors: Vec<_> = (0..2)
        .map(|lane| {
            let (set, published) = (set.clone(), published.clone());
            thread::spawn(move || {
                published[lane].store(1, Relaxed);
                set.raise(lane);
            })
        })
        .collect();
    let mut taken = [false; 2];
    let mut take = || {
        set.take(|lane| {
            assert_eq!(published[lane].load(Relaxed), 1, "spoke up, and nothing is there");
            taken[lane] = true;
        });
        taken.iter().filter(|taken| **taken).count()
    };
    if take() == 1 {
        reach("taken while others speak up");
    }
    for author in authors {
        author.join().unwrap();
    }
    assert_eq!(take(), 2, "spoke up, and was not taken");
}

fn engine() -> Engine {
    cold_at_once(Engine::builder().capacity(2).inbox(2)).build().unwrap()
}

/// A lane that was heard once.
fn warm_lane(engine: &Engine) -> (Sender<u64>, Receiver<u64>) {
    let (mut tx, mut rx) = engine.channel();
    tx.send(0).unwrap();
    assert_eq!(rx.recv().unwrap().1, 0);
    (tx, rx)
}

/// Somebody passes while a message is sent, so that the lane goes cold meanwhile; its receiver sleeps.
fn a_lane_that_goes_cold_is_heard() {
    let engine = engine();
    let (mut tx, mut rx) = warm_lane(&engine);
    let receiver = thread::spawn(move || {
        assert_eq!(rx.recv().unwrap().1, 1);
        rx
    });
    let passer = thread::spawn(move || {
        engine.pass();
        engine.pass();
    });
    tx.send(1).unwrap();
    let _rx = receiver.join().unwrap();
    passer.join().unwrap();
    drop(tx);
}

/// Two cold lanes of one receiver, whose authors speak up together.
fn cold_lanes_are_heard() {
    let engine = engine();
    let (mut tx, mut rx) = warm_lane(&engine);
    let mut tx2 = tx.clone();
    for _ in 0..4 {
        engine.pass();
    }
    let sender = thread::spawn(move || {
        tx2.send(2).unwrap();
        tx2
    });
    let receiver = thread::spawn(move || {
        rx.recv().unwrap();
        rx.recv().unwrap();
        rx
    });
    tx.send(1).unwrap();
    let _ends = (sender.join().unwrap(), receiver.join().unwrap());
}

/// The order ring is cold; the attention of a target's lane and of the ring both lead there.
fn a_cold_outbox_is_heard() {
    let engine = engine();
    let (mut a, mut b) = (engine.receiver::<u64>(), engine.receiver::<u64>());
    let mut out = engine.outbox();
    let (to_a, to_b) = (out.add(&a.address()).unwrap(), out.add(&b.address()).unwrap());
    out.send(to_a, 0).unwrap();
    assert_eq!(a.recv().unwrap().1, 0);
    for _ in 0..4 {
        engine.pass();
    }
    let receiver = thread::spawn(move || {
        assert_eq!(a.recv().unwrap().1, 1);
        a
    });
    out.send(to_b, 2).unwrap();
    out.send(to_a, 1).unwrap();
    let _a = receiver.join().unwrap();
    assert_eq!(b.recv().unwrap().1, 2);
    drop(out);
}

/// One who sleeps for the clock makes lanes go cold at once; not one whose author may not know its index yet.
fn a_lane_that_joins_while_a_clock_waiter_watches() {
    let engine = crate::promises::engine(2, 2);
    let (tx, rx) = warm_lane(&engine);
    let address = rx.address();
    let joins = thread::spawn({
        let engine = engine.clone();
        move || {
            let mut late = engine.sender(&address).unwrap();
            late.send(1).unwrap();
            late
        }
    });
    engine.clock().wait_for(2.into()).unwrap();
    let _late = joins.join().unwrap();
    drop((tx, rx));
}

/// The lane becomes a candidate in the very pass that finds a clock waiter and nothing else; its receiver is busy.
fn a_clock_waiter_hears_of_a_lane_that_goes_cold() {
    let engine = engine();
    let (mut tx, rx) = warm_lane(&engine);
    let clock = engine.clock();
    let waiter = thread::spawn(move || clock.wait_for(2.into()).unwrap());
    tx.send(1).unwrap();
    waiter.join().unwrap();
    drop((tx, rx));
}

/// The end of a cold lane, with a last message, closes its receiver.
fn a_cold_lane_ends() {
    let engine = engine();
    let (mut tx, mut rx) = warm_lane(&engine);
    for _ in 0..4 {
        engine.pass();
    }
    let receiver = thread::spawn(move || {
        assert_eq!(rx.recv().unwrap().1, 1);
        assert!(rx.recv().is_err());
    });
    tx.send(1).unwrap();
    drop(tx);
    receiver.join().unwrap();
}
