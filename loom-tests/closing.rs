//! What happens when each end goes away, while the other is at work.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use loom::thread;
use mainspring::parts::poison;
use mainspring::{RecvError, TryRecvError};

use crate::harness::{Model, reach};
use crate::promises::engine;

pub const MODELS: &[Model] = &[
    Model {
        name: "a_value_sent_to_a_leaving_receiver_is_dropped_once",
        preemptions: 3,
        executions_min: 3500,
        reaches: &["returned", "taken"],
        body: a_value_sent_to_a_leaving_receiver_is_dropped_once,
    },
    Model {
        name: "a_full_sender_is_freed_by_a_leaving_receiver",
        preemptions: 3,
        executions_min: 100,
        reaches: &["left to the receiver", "returned"],
        body: a_full_sender_is_freed_by_a_leaving_receiver,
    },
    Model {
        name: "a_stamping_sender_is_freed_by_a_leaving_receiver",
        preemptions: 2,
        executions_min: 8000,
        reaches: &["returned", "numbered"],
        body: a_stamping_sender_is_freed_by_a_leaving_receiver,
    },
    Model {
        name: "a_receiver_closes_after_the_last_message",
        preemptions: 2,
        executions_min: 5000,
        reaches: &[],
        body: a_receiver_closes_after_the_last_message,
    },
    Model {
        name: "the_end_does_not_hide_what_others_sent",
        preemptions: 2,
        executions_min: 500,
        reaches: &[],
        body: the_end_does_not_hide_what_others_sent,
    },
    Model {
        name: "a_clone_that_joins_keeps_the_receiver_open",
        preemptions: 2,
        executions_min: 20000,
        reaches: &[],
        body: a_clone_that_joins_keeps_the_receiver_open,
    },
    Model {
        name: "a_poisoned_engine_wakes_everyone",
        preemptions: 3,
        executions_min: 50,
        reaches: &[],
        body: a_poisoned_engine_wakes_everyone,
    },
    Model {
        name: "a_closing_receiver_and_a_joining_sender_agree",
        preemptions: 3,
        executions_min: 15000,
        reaches: &["joined", "refused"],
        body: a_closing_receiver_and_a_joining_sender_agree,
    },
];

/// Counts its drops.
pub struct Counted(pub Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Two sends race with the receiver's drop: each value comes back or is dropped by the receiver, once.
fn a_value_sent_to_a_leaving_receiver_is_dropped_once() {
    let drops = Arc::new(AtomicUsize::new(0));
    let engine = engine(2, 2);
    let (mut tx, rx) = engine.channel::<Counted>();
    let leaver = thread::spawn(move || drop(rx));
    let mut returned = 0;
    for _ in 0..2 {
        let before = drops.load(Ordering::Relaxed);
        match tx.send(Counted(drops.clone())) {
            Ok(()) => reach("taken"),
            Err(error) => {
                reach("returned");
                returned += 1;
                assert!(drops.load(Ordering::Relaxed) - before <= 1, "dropped what came back");
                drop(error);
            }
        }
    }
    leaver.join().unwrap();
    // At once, though the lane is still there.
    assert_eq!(drops.load(Ordering::Relaxed), 2, "{returned} came back");
    drop((tx, engine));
}

/// A lane of one slot, full: the sender's sleep ends when the receiver goes. Its value comes back, or fell to the
/// receiver, which was still dropping what it had not read.
fn a_full_sender_is_freed_by_a_leaving_receiver() {
    let engine = engine(1, 1);
    let (mut tx, rx) = engine.channel::<u64>();
    tx.send(1).unwrap();
    let leaver = thread::spawn(move || drop(rx));
    match tx.send(2) {
        Ok(()) => reach("left to the receiver"),
        Err(error) => {
            reach("returned");
            assert_eq!(error.into_inner(), 2);
        }
    }
    assert!(tx.send(3).is_err());
    leaver.join().unwrap();
}

/// A sender waits for a number that may never come: it gets it, or its value.
fn a_stamping_sender_is_freed_by_a_leaving_receiver() {
    let drops = Arc::new(AtomicUsize::new(0));
    let engine = engine(2, 2);
    let (mut tx, rx) = engine.channel::<Counted>();
    tx.send(Counted(drops.clone())).unwrap();
    let leaver = thread::spawn(move || drop(rx));
    match tx.send_stamped(Counted(drops.clone())) {
        Ok(seq) => {
            reach("numbered");
            assert_eq!(seq.get(), 2);
        }
        Err(error) => {
            reach("returned");
            drop(error.into_inner());
        }
    }
    leaver.join().unwrap();
    drop((tx, engine));
    assert_eq!(drops.load(Ordering::Relaxed), 2);
}

/// The end of the last sender never overtakes what it sent.
fn a_receiver_closes_after_the_last_message() {
    let engine = engine(2, 2);
    let (mut tx, mut rx) = engine.channel::<u64>();
    let sender = thread::spawn(move || tx.send(1).unwrap());
    assert_eq!(rx.recv().unwrap().1, 1);
    assert_eq!(rx.recv(), Err(RecvError::Closed));
    sender.join().unwrap();
}

/// The last source is ended by one who has seen nothing of the message: that is received all the same.
fn the_end_does_not_hide_what_others_sent() {
    let engine = engine(2, 2);
    let (mut tx, mut rx) = engine.channel::<u64>();
    let tx2 = tx.clone();
    let sender = thread::spawn(move || tx.send(1).unwrap());
    let ender = thread::spawn(move || drop(tx2));
    let first = rx.try_recv();
    assert_ne!(first, Err(TryRecvError::Closed));
    sender.join().unwrap();
    ender.join().unwrap();
    assert_eq!(first.or_else(|_| rx.try_recv()).unwrap().1, 1);
}

/// A clone is made, and the original ends; then the clone sends.
fn a_clone_that_joins_keeps_the_receiver_open() {
    let engine = engine(2, 2);
    let (tx, mut rx) = engine.channel::<u64>();
    let sender = thread::spawn(move || {
        let mut clone = tx.clone();
        drop(tx);
        clone.send(1).unwrap();
    });
    assert_eq!(rx.recv().unwrap().1, 1);
    assert_eq!(rx.recv(), Err(RecvError::Closed));
    sender.join().unwrap();
}

/// A pass panics (here: is said to have) while a receiver and a full sender go to sleep: both are told.
fn a_poisoned_engine_wakes_everyone() {
    let engine = engine(1, 1);
    let (mut tx, rx) = engine.channel::<u64>();
    let (_quiet, mut rx2) = engine.channel::<u64>();
    tx.send(1).unwrap();
    let receiver = thread::spawn(move || {
        assert_eq!(rx2.recv(), Err(RecvError::Closed));
        rx2
    });
    poison(&engine);
    assert_eq!(tx.send(2).unwrap_err().into_inner(), 2);
    let _rx2 = receiver.join().unwrap();
    drop(rx);
}

/// By address: either the receiver is still open and gets the message, or the join is refused.
fn a_closing_receiver_and_a_joining_sender_agree() {
    let engine = engine(2, 2);
    let (tx, mut rx) = engine.channel::<u64>();
    let address = rx.address();
    let ender = thread::spawn(move || drop(tx));
    let joined = engine.sender(&address).map(|mut tx| tx.send(1).unwrap());
    ender.join().unwrap();
    match joined {
        Ok(()) => {
            reach("joined");
            assert_eq!(rx.recv().unwrap().1, 1);
        }
        Err(_) => reach("refused"),
    }
    assert_eq!(rx.recv(), Err(RecvError::Closed));
}
