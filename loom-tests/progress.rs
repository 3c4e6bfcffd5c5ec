//! What others are told of a receiver is true, shows what it did, and wakes who waits for it.

use loom::sync::Arc;
use loom::sync::atomic::{AtomicU64, Ordering::Relaxed};
use loom::thread;
use mainspring::Seq;

use crate::harness::{Model, reach};
use crate::promises::engine;

pub const MODELS: &[Model] = &[
    Model {
        name: "progress_is_true_beside_a_receiver",
        preemptions: 2,
        executions_min: 100,
        reaches: &["told 1", "told 2"],
        body: progress_is_true_beside_a_receiver,
    },
    Model {
        name: "progress_that_was_told_is_passed_on",
        preemptions: 2,
        executions_min: 40,
        reaches: &["both were told"],
        body: progress_that_was_told_is_passed_on,
    },
    Model {
        name: "a_watcher_hears_of_progress",
        preemptions: 2,
        executions_min: 150,
        reaches: &[],
        body: a_watcher_hears_of_progress,
    },
    Model {
        name: "a_watcher_of_a_sleeper_hears_the_clock",
        preemptions: 2,
        executions_min: 2000,
        reaches: &[],
        body: a_watcher_of_a_sleeper_hears_the_clock,
    },
    Model {
        name: "a_receiver_behind_hears_of_the_other",
        preemptions: 2,
        executions_min: 10000,
        reaches: &[],
        body: a_receiver_behind_hears_of_the_other,
    },
    Model {
        name: "a_receiver_behind_hears_of_an_end",
        preemptions: 2,
        executions_min: 40,
        reaches: &[],
        body: a_receiver_behind_hears_of_an_end,
    },
];

/// The receiver takes a message, does something with it, and asks for more; somebody else's number follows. Who is
/// told that it has come so far sees what it did.
fn progress_is_true_beside_a_receiver() {
    let engine = engine(2, 2);
    let (mut tx, mut rx) = engine.channel::<u64>();
    let (mut elsewhere, _other) = engine.channel::<u64>();
    let progress = rx.progress();
    let done = Arc::new(AtomicU64::new(0));
    let receiver = thread::spawn({
        let done = done.clone();
        move || {
            tx.send(1).unwrap();
            elsewhere.send(2).unwrap();
            if rx.try_recv().is_ok() {
                done.store(1, Relaxed);
            }
            assert!(rx.try_recv().is_err());
            (rx, tx, elsewhere)
        }
    });
    let mut before = Seq::ZERO;
    for _ in 0..2 {
        let now = progress.now();
        assert!(now >= before);
        if now.get() >= 1 {
            reach(if now.get() == 1 { "told 1" } else { "told 2" });
            assert_eq!(done.load(Relaxed), 1);
        }
        before = now;
    }
    let _ends = receiver.join().unwrap();
}

/// One is told that the receiver was at the clock; then that is given something; another is told the same, and sees
/// the same.
fn progress_that_was_told_is_passed_on() {
    let engine = engine(2, 2);
    let (mut tx, mut rx) = engine.channel::<u64>();
    let (progress, clone) = (rx.progress(), rx.progress());
    let done = Arc::new(AtomicU64::new(0));
    tx.send_stamped(1).unwrap();
    assert!(rx.try_recv().is_ok());
    let receiver = thread::spawn({
        let done = done.clone();
        move || {
            done.store(1, Relaxed);
            assert!(rx.try_recv().is_err());
            rx
        }
    });
    let watcher = thread::spawn(move || progress.now() == Seq::new(1));
    let told = clone.now() == Seq::new(1);
    if told {
        assert_eq!(done.load(Relaxed), 1);
    }
    if watcher.join().unwrap() && told {
        reach("both were told");
    }
    let _rx = receiver.join().unwrap();
    drop(tx);
}

/// The watcher sleeps, or does not yet, while the receiver asks for more. Nobody else does anything.
fn a_watcher_hears_of_progress() {
    let engine = engine(2, 2);
    let (mut tx, mut rx) = engine.channel::<u64>();
    let progress = rx.progress();
    tx.send_stamped(1).unwrap();
    assert!(rx.recv().is_ok());
    let watcher = thread::spawn(move || progress.wait_for(1.into()).unwrap());
    assert!(rx.try_recv().is_err());
    watcher.join().unwrap();
    drop((tx, rx));
}

/// The receiver does nothing, and has nothing: the clock alone moves its progress.
fn a_watcher_of_a_sleeper_hears_the_clock() {
    let engine = engine(2, 2);
    let mut rx = engine.receiver::<u64>();
    let (mut elsewhere, other) = engine.channel::<u64>();
    let progress = rx.progress();
    let watcher = thread::spawn(move || progress.wait_for(2.into()).unwrap());
    elsewhere.send(1).unwrap();
    elsewhere.send(2).unwrap();
    watcher.join().unwrap();
    drop((rx, elsewhere, other));
}

/// It sleeps with nothing, or with a message that it may not have yet, until the other has asked for more.
fn a_receiver_behind_hears_of_the_other() {
    let engine = engine(2, 2);
    let (mut tx, mut first) = engine.channel::<u64>();
    let (mut tx2, mut rx) = engine.channel::<u64>();
    let done = Arc::new(AtomicU64::new(0));
    rx.behind(&[first.progress()]).unwrap();
    tx.send_stamped(1).unwrap();
    assert!(first.recv().is_ok());
    let follower = thread::spawn({
        let done = done.clone();
        move || {
            assert_eq!(rx.recv().unwrap().0, 2.into());
            assert_eq!(done.load(Relaxed), 1);
            rx
        }
    });
    tx2.send(2).unwrap();
    done.store(1, Relaxed);
    assert!(first.try_recv().is_err());
    let _rx = follower.join().unwrap();
    drop((tx, tx2, first));
}

/// The same, where the other does not ask for more, but goes.
fn a_receiver_behind_hears_of_an_end() {
    let engine = engine(2, 2);
    let (mut tx, mut first) = engine.channel::<u64>();
    let (mut tx2, mut rx) = engine.channel::<u64>();
    rx.behind(&[first.progress()]).unwrap();
    tx.send_stamped(1).unwrap();
    assert!(first.recv().is_ok());
    tx2.send_stamped(2).unwrap();
    let follower = thread::spawn(move || {
        assert_eq!(rx.recv().unwrap().0, 2.into());
        rx
    });
    drop(first);
    let _rx = follower.join().unwrap();
    drop((tx, tx2));
}
