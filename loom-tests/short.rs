//! The short way: a receiver numbers what its own lane has, beside passes, other lanes and clock waiters.
//!
//! It is gone by a receiver whose last run was short: so each model begins with a message that was received.

use loom::thread;
use mainspring::{Engine, Event, Receiver, Sender, Seq};

use crate::harness::{Model, reach};
use crate::promises::engine;

pub const MODELS: &[Model] = &[
    Model {
        name: "numbers_rise_on_the_short_way",
        preemptions: 2,
        executions_min: 1000,
        reaches: &["the short way"],
        body: numbers_rise_on_the_short_way,
    },
    Model {
        name: "o5_on_the_short_way",
        preemptions: 2,
        executions_min: 1000,
        reaches: &["the short way", "a clock"],
        body: o5_on_the_short_way,
    },
    Model {
        name: "o3_on_the_short_way",
        preemptions: 2,
        executions_min: 40,
        reaches: &["the short way"],
        body: o3_on_the_short_way,
    },
    Model {
        name: "a_clock_waiter_hears_of_the_short_way",
        preemptions: 2,
        executions_min: 200,
        reaches: &["the short way"],
        body: a_clock_waiter_hears_of_the_short_way,
    },
    Model {
        name: "a_kick_meets_the_short_way",
        preemptions: 2,
        executions_min: 1000,
        reaches: &["the short way"],
        body: a_kick_meets_the_short_way,
    },
];

/// A receiver that has had one message, and may go the short way for the next.
fn brisk(engine: &Engine) -> (Sender<u64>, Receiver<u64>) {
    let (mut tx, mut rx) = engine.channel();
    tx.send(0).unwrap();
    assert_eq!(rx.recv().unwrap().1, 0);
    (tx, rx)
}

fn note(engine: &Engine) {
    if engine.stats().short_ways > 0 {
        reach("the short way");
    }
}

/// Two lanes of one receiver, one of which is numbered by whoever passes: what stands in the inbox comes before what
/// the receiver numbers itself.
fn numbers_rise_on_the_short_way() {
    let engine = engine(2, 2);
    let (mut tx, mut rx) = brisk(&engine);
    let mut tx2 = tx.clone();
    let other = thread::spawn({
        let engine = engine.clone();
        move || {
            tx2.send(20).unwrap();
            engine.pass();
            tx2
        }
    });
    let sender = thread::spawn(move || {
        tx.send(10).unwrap();
        tx
    });
    let numbers = [rx.recv().unwrap().0, rx.recv().unwrap().0];
    assert_eq!(numbers, [Seq::new(2), Seq::new(3)]);
    let _ends = (other.join().unwrap(), sender.join().unwrap());
    note(&engine);
}

/// A message elsewhere moves the clock: what the receiver is told rises, and covers what it was sent.
fn o5_on_the_short_way() {
    let engine = engine(2, 2);
    let (mut tx, mut rx) = brisk(&engine);
    let (mut elsewhere, _other) = engine.channel::<u64>();
    let sender = thread::spawn({
        let engine = engine.clone();
        move || {
            elsewhere.send(1).unwrap();
            engine.pass();
            tx.send(2).unwrap();
            (tx, elsewhere)
        }
    });
    let mut told = Seq::new(1);
    loop {
        let (seq, done) = match rx.recv_event().unwrap() {
            Event::Message(seq, value) => (seq, value == 2),
            Event::Clock(seq) => {
                reach("a clock");
                (seq, false)
            }
            _ => unreachable!(),
        };
        assert!(seq > told, "told {seq} after {told}");
        told = seq;
        if done {
            break;
        }
    }
    let _ends = sender.join().unwrap();
    note(&engine);
}

/// Whoever reads the clock at the number of a message that went the short way sends later.
fn o3_on_the_short_way() {
    let engine = engine(2, 2);
    let (mut tx, mut rx) = brisk(&engine);
    let (mut tx2, mut rx2) = engine.channel::<u64>();
    let clock = engine.clock();
    let other = thread::spawn(move || {
        let now = clock.now();
        tx2.send(2).unwrap();
        (now, tx2)
    });
    tx.send(1).unwrap();
    assert_eq!(rx.recv().unwrap().1, 1);
    let (now, _tx2) = other.join().unwrap();
    assert!(rx2.recv().unwrap().0 > now);
    note(&engine);
}

/// Somebody sleeps until the clock has come to what a receiver numbers itself.
fn a_clock_waiter_hears_of_the_short_way() {
    let engine = engine(2, 2);
    let (mut tx, mut rx) = brisk(&engine);
    let clock = engine.clock();
    let waiter = thread::spawn(move || clock.wait_for(2.into()).unwrap());
    tx.send(1).unwrap();
    assert_eq!(rx.recv().unwrap().1, 1);
    waiter.join().unwrap();
    note(&engine);
    drop((tx, rx));
}

/// Another receiver sleeps, and its sender kicks while the core is held the short way.
fn a_kick_meets_the_short_way() {
    let engine = engine(2, 2);
    let (mut tx, mut rx) = brisk(&engine);
    let (mut tx2, mut rx2) = engine.channel::<u64>();
    let sleeper = thread::spawn(move || {
        assert_eq!(rx2.recv().unwrap().1, 2);
        rx2
    });
    let sender = thread::spawn(move || {
        tx2.send(2).unwrap();
        tx2
    });
    tx.send(1).unwrap();
    assert_eq!(rx.recv().unwrap().1, 1);
    let _ends = (sleeper.join().unwrap(), sender.join().unwrap());
    note(&engine);
    drop((tx, rx));
}
