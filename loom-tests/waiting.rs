//! Nobody sleeps through what it waits for. A failure is all threads asleep: loom finds that, it is no time-out.

use loom::thread;

use crate::harness::Model;
use crate::promises::engine;

pub const MODELS: &[Model] = &[
    Model {
        name: "a_sleeping_receiver_hears_each_message",
        preemptions: 2,
        executions_min: 1000,
        reaches: &[],
        body: a_sleeping_receiver_hears_each_message,
    },
    Model {
        name: "a_sleeping_receiver_hears_each_lane",
        preemptions: 2,
        executions_min: 30000,
        reaches: &[],
        body: a_sleeping_receiver_hears_each_lane,
    },
    Model {
        name: "a_full_sender_hears_of_room",
        preemptions: 2,
        executions_min: 40000,
        reaches: &[],
        body: a_full_sender_hears_of_room,
    },
    Model {
        name: "a_clock_waiter_hears_beside_a_busy_receiver",
        preemptions: 2,
        executions_min: 1000,
        reaches: &[],
        body: a_clock_waiter_hears_beside_a_busy_receiver,
    },
    Model {
        name: "a_stamping_sender_hears_its_number",
        preemptions: 2,
        executions_min: 2500,
        reaches: &[],
        body: a_stamping_sender_hears_its_number,
    },
    Model {
        name: "what_waits_behind_a_full_inbox_goes_on",
        preemptions: 3,
        executions_min: 100,
        reaches: &[],
        body: what_waits_behind_a_full_inbox_goes_on,
    },
    Model {
        name: "a_sleeper_behind_a_full_inbox_is_not_forgotten",
        preemptions: 2,
        executions_min: 1000,
        reaches: &[],
        body: a_sleeper_behind_a_full_inbox_is_not_forgotten,
    },
    Model {
        name: "a_receiver_of_events_hears_the_clock",
        preemptions: 2,
        executions_min: 400,
        reaches: &[],
        body: a_receiver_of_events_hears_the_clock,
    },
];

/// Two messages, with a sleep before each, if it comes to that.
fn a_sleeping_receiver_hears_each_message() {
    let engine = engine(2, 2);
    let (mut tx, mut rx) = engine.channel::<u64>();
    let receiver = thread::spawn(move || {
        for value in 0..2 {
            assert_eq!(rx.recv().unwrap().1, value);
        }
        rx
    });
    tx.send(0).unwrap();
    tx.send(1).unwrap();
    let _rx = receiver.join().unwrap();
}

/// Two senders: each finds the receiver asleep, or somebody who passes.
fn a_sleeping_receiver_hears_each_lane() {
    let engine = engine(1, 1);
    let (mut tx, mut rx) = engine.channel::<u64>();
    let mut tx2 = tx.clone();
    let receiver = thread::spawn(move || {
        rx.recv().unwrap();
        rx.recv().unwrap();
        rx
    });
    let sender = thread::spawn(move || {
        tx2.send(2).unwrap();
        tx2
    });
    tx.send(1).unwrap();
    let _rx = receiver.join().unwrap();
    let _tx2 = sender.join().unwrap();
}

/// A lane of one slot: the sender sleeps until the receiver gives it back.
fn a_full_sender_hears_of_room() {
    let engine = engine(1, 1);
    let (mut tx, mut rx) = engine.channel::<u64>();
    let sender = thread::spawn(move || {
        for value in 0..2 {
            tx.send(value).unwrap();
        }
        tx
    });
    for value in 0..2 {
        assert_eq!(rx.recv().unwrap().1, value);
    }
    let _tx = sender.join().unwrap();
}

/// The receiver does nothing: only the waiter's asking makes the second message's sender speak up.
fn a_clock_waiter_hears_beside_a_busy_receiver() {
    let engine = engine(2, 2);
    let (mut tx, rx) = engine.channel::<u64>();
    let clock = engine.clock();
    let waiter = thread::spawn(move || clock.wait_for(2.into()).unwrap());
    tx.send(0).unwrap();
    tx.send(1).unwrap();
    waiter.join().unwrap();
    drop((tx, rx));
}

/// An inbox of one entry, filled by another lane: the number comes when the receiver has made room.
fn a_stamping_sender_hears_its_number() {
    let engine = engine(1, 1);
    let (mut tx, mut rx) = engine.channel::<u64>();
    let mut first = tx.clone();
    first.send(0).unwrap();
    let sender = thread::spawn(move || {
        let seq = tx.send_stamped(1).unwrap();
        assert_eq!(seq.get(), 2);
        tx
    });
    assert_eq!(rx.recv().unwrap().1, 0);
    assert_eq!(rx.recv().unwrap().1, 1);
    let _tx = sender.join().unwrap();
}

/// An outbox: what is for a sleeping receiver stands behind what is for a full inbox, whose receiver makes room.
fn what_waits_behind_a_full_inbox_goes_on() {
    let engine = engine(4, 1);
    let (mut a, mut b) = (engine.receiver::<u64>(), engine.receiver::<u64>());
    let mut out = engine.outbox();
    let (to_a, to_b) = (out.add(&a.address()).unwrap(), out.add(&b.address()).unwrap());
    let mut filler = engine.sender(&b.address()).unwrap();
    filler.send(0).unwrap();
    let author = thread::spawn(move || {
        out.send(to_b, 1).unwrap();
        out.send(to_a, 2).unwrap();
        assert_eq!(a.recv().unwrap().1, 2);
        (a, out)
    });
    // What is there; nothing else is asked for here, so only this can bring the others on.
    assert_eq!(b.recv().unwrap().1, 0);
    let _ends = author.join().unwrap();
    drop((filler, b));
}

/// The same, where the one for whom it is has slept all along, and the author does not.
fn a_sleeper_behind_a_full_inbox_is_not_forgotten() {
    let engine = engine(4, 1);
    let (mut a, mut b) = (engine.receiver::<u64>(), engine.receiver::<u64>());
    let mut out = engine.outbox();
    let (to_a, to_b) = (out.add(&a.address()).unwrap(), out.add(&b.address()).unwrap());
    let mut filler = engine.sender(&b.address()).unwrap();
    filler.send(0).unwrap();
    let sleeper = thread::spawn(move || {
        assert_eq!(a.recv().unwrap().1, 2);
        a
    });
    let author = thread::spawn(move || {
        assert_eq!(out.send_batch(to_b, [1]).unwrap(), 1);
        out.send(to_a, 2).unwrap();
        out
    });
    assert_eq!(b.recv().unwrap().1, 0);
    let _ends = (sleeper.join().unwrap(), author.join().unwrap());
    drop((filler, b));
}

/// Nothing comes for the receiver but the clock.
fn a_receiver_of_events_hears_the_clock() {
    let engine = engine(2, 2);
    let (mut tx, busy) = engine.channel::<u64>();
    let mut rx = engine.receiver::<u64>();
    let receiver = thread::spawn(move || {
        rx.recv_event().unwrap();
        rx
    });
    tx.send(0).unwrap();
    let _rx = receiver.join().unwrap();
    drop((tx, busy));
}
