//! O1 to O5, over the real engine with a fixed topology: two or three threads, lanes and inboxes of one or two.
//!
//! O4 and O5 are one check: whatever a receiver is told, message or clock, has a higher number than all it was
//! told before. A message that a clock should have covered would come later with a lower number.

use loom::thread;
use mainspring::{Engine, Event, Outbox, Receiver, Sender, Seq, Target};

use crate::harness::{Model, reach};

pub const MODELS: &[Model] = &[
    Model { name: "o1_dense", preemptions: 2, executions_min: 80, reaches: &[], body: o1_dense },
    Model {
        name: "o2_per_handle_of_an_outbox",
        preemptions: 2,
        executions_min: 3000,
        reaches: &[],
        body: o2_per_handle_of_an_outbox,
    },
    Model {
        name: "o3_causal_after_the_clock",
        preemptions: 2,
        executions_min: 80,
        reaches: &["the clock had moved"],
        body: o3_causal_after_the_clock,
    },
    Model {
        name: "o5_clock_safety",
        preemptions: 2,
        executions_min: 5000,
        reaches: &["a clock between messages"],
        body: o5_clock_safety,
    },
    Model {
        name: "o5_with_a_full_inbox",
        preemptions: 2,
        executions_min: 200,
        reaches: &[],
        body: o5_with_a_full_inbox,
    },
    Model {
        name: "o5_with_overflow",
        preemptions: 2,
        executions_min: 2500,
        reaches: &[],
        body: o5_with_overflow,
    },
    Model {
        name: "o5_with_overflow_at_once",
        preemptions: 4,
        executions_min: 5000,
        reaches: &["past the full inbox, while the sender is at it"],
        body: o5_with_overflow_at_once,
    },
    Model {
        name: "o5_joining_late",
        preemptions: 2,
        executions_min: 1200,
        reaches: &[],
        body: o5_joining_late,
    },
    Model {
        name: "o5_of_an_outbox",
        preemptions: 2,
        executions_min: 10000,
        reaches: &[],
        body: o5_of_an_outbox,
    },
    Model {
        name: "slots_are_not_reused_too_early",
        preemptions: 2,
        executions_min: 40000,
        reaches: &[],
        body: slots_are_not_reused_too_early,
    },
    Model {
        name: "o4_by_several_ways_of_an_ended_outbox",
        preemptions: 2,
        executions_min: 10_000,
        reaches: &[],
        body: o4_by_several_ways_of_an_ended_outbox,
    },
];

/// An engine whose lanes and inboxes have so many places.
pub fn engine(capacity: usize, inbox: usize) -> Engine {
    Engine::builder().capacity(capacity).inbox(inbox).build().unwrap()
}

/// Looks `looks` times at what a receiver is told, and checks that it rises.
fn watch(receiver: &mut Receiver<u64>, looks: usize) -> Vec<(Seq, Option<u64>)> {
    let mut told = Vec::new();
    for _ in 0..looks {
        match receiver.try_recv_event() {
            Ok(Event::Message(seq, value)) => told.push((seq, Some(value))),
            Ok(Event::Clock(seq)) => told.push((seq, None)),
            _ => {}
        }
    }
    check_rising(&told);
    told
}

fn check_rising(told: &[(Seq, Option<u64>)]) {
    assert!(told.is_sorted_by(|one, next| one.0 < next.0), "told in this order: {told:?}");
}

/// The rest of what a receiver is told, when nobody sends any more.
fn finish(receiver: &mut Receiver<u64>, mut told: Vec<(Seq, Option<u64>)>) -> Vec<(Seq, u64)> {
    told.extend(watch(receiver, 8));
    check_rising(&told);
    told.into_iter().filter_map(|(seq, value)| Some((seq, value?))).collect()
}

/// Two senders, one receiver who drives: every number once.
fn o1_dense() {
    let engine = engine(2, 2);
    let (mut tx, mut rx) = engine.channel::<u64>();
    let mut tx2 = tx.clone();
    let other = thread::spawn(move || {
        tx2.send(20).unwrap();
        tx2
    });
    tx.send(10).unwrap();
    let told = watch(&mut rx, 1);
    let _tx2 = other.join().unwrap();
    let messages = finish(&mut rx, told);
    let numbers: Vec<u64> = messages.iter().map(|(seq, _)| seq.get()).collect();
    assert_eq!(numbers, [1, 2]);
}

/// An outbox sends to two receivers, who read against its order: the numbers keep it.
fn o2_per_handle_of_an_outbox() {
    let engine = engine(2, 2);
    let (mut a, mut b) = (engine.receiver::<u64>(), engine.receiver::<u64>());
    let mut out = engine.outbox();
    let (to_a, to_b) = (out.add(&a.address()).unwrap(), out.add(&b.address()).unwrap());
    let author = thread::spawn(move || {
        out.send(to_a, 1).unwrap();
        out.send(to_b, 2).unwrap();
        out
    });
    let told_b = watch(&mut b, 1);
    let told_a = watch(&mut a, 1);
    let _out = author.join().unwrap();
    assert_eq!(finish(&mut a, told_a), [(Seq::new(1), 1)]);
    assert_eq!(finish(&mut b, told_b), [(Seq::new(2), 2)]);
}

/// What is sent after reading the clock at t has a higher number.
fn o3_causal_after_the_clock() {
    let engine = engine(2, 2);
    let (mut tx, mut rx) = engine.channel::<u64>();
    let (mut tx2, mut rx2) = engine.channel::<u64>();
    let other = thread::spawn(move || {
        tx.send(1).unwrap();
        tx
    });
    let now = engine.clock().now();
    tx2.send(2).unwrap();
    if now > Seq::ZERO {
        reach("the clock had moved");
    }
    let _tx = other.join().unwrap();
    let seq = rx2.recv().unwrap().0;
    assert!(seq > now, "sent after the clock stood at {now}, numbered {seq}");
    rx.recv().unwrap();
}

/// A receiver looks while somebody sends to it and to another.
fn o5_clock_safety() {
    let engine = engine(2, 2);
    let (mut tx, mut rx) = engine.channel::<u64>();
    let (mut elsewhere, _other) = engine.channel::<u64>();
    let sender = thread::spawn(move || {
        elsewhere.send(1).unwrap();
        tx.send(2).unwrap();
        (tx, elsewhere)
    });
    let told = watch(&mut rx, 2);
    let _ends = sender.join().unwrap();
    if matches!(told.first(), Some((_, None))) {
        reach("a clock between messages");
    }
    assert_eq!(finish(&mut rx, told).len(), 1);
}

/// An inbox of one entry, two lanes: what does not fit has no number, and the clock does not cover it.
fn o5_with_a_full_inbox() {
    let engine = engine(2, 1);
    let (mut tx, mut rx) = engine.channel::<u64>();
    let mut tx2 = tx.clone();
    tx2.send(1).unwrap();
    let sender = thread::spawn(move || {
        tx.send(2).unwrap();
        tx
    });
    let told = watch(&mut rx, 2);
    let _tx = sender.join().unwrap();
    assert_eq!(finish(&mut rx, told).len(), 2);
}

/// The same, but the second lane ends: its rest goes past the full inbox.
fn o5_with_overflow() {
    let engine = engine(2, 1);
    let (mut tx, mut rx) = engine.channel::<u64>();
    let mut tx2 = tx.clone();
    tx2.send(1).unwrap();
    let sender = thread::spawn(move || {
        tx.send(2).unwrap();
        tx.send(3).unwrap();
    });
    let told = watch(&mut rx, 2);
    sender.join().unwrap();
    tx2.send(4).unwrap();
    let values: Vec<u64> = finish(&mut rx, told).into_iter().map(|(_, value)| value).collect();
    assert_eq!(values, [1, 2, 3, 4]);
}

/// The rest of an ended lane that never had to wait: it goes past the inbox without anybody's kick for room.
fn o5_with_overflow_at_once() {
    let engine = engine(2, 1);
    let (mut tx, mut rx) = engine.channel::<u64>();
    let mut tx2 = tx.clone();
    tx.send(0).unwrap();
    rx.recv().unwrap();
    tx2.send(1).unwrap();
    let sender = thread::spawn(move || tx.send(2).unwrap());
    let told = watch(&mut rx, 2);
    if told.iter().any(|(_, value)| *value == Some(2)) {
        reach("past the full inbox, while the sender is at it");
    }
    sender.join().unwrap();
    let values: Vec<u64> = finish(&mut rx, told).into_iter().map(|(_, value)| value).collect();
    assert_eq!(values, [1, 2]);
}

/// A lane joins and speaks while its receiver looks; a message elsewhere moves the clock.
fn o5_joining_late() {
    let engine = engine(2, 2);
    let (elsewhere, mut rx) = (engine.receiver::<u64>(), engine.receiver::<u64>());
    let (to_elsewhere, to_rx) = (elsewhere.address(), rx.address());
    let sender = thread::spawn({
        let engine = engine.clone();
        move || {
            let mut tx = engine.sender(&to_rx).unwrap();
            tx.send(1).unwrap();
            let mut other = engine.sender(&to_elsewhere).unwrap();
            other.send(2).unwrap();
            (tx, other)
        }
    });
    let told = watch(&mut rx, 1);
    let _ends = sender.join().unwrap();
    assert_eq!(finish(&mut rx, told).len(), 1);
}

fn pair_with_outbox(
    capacity: usize,
    inbox: usize,
) -> (Receiver<u64>, Receiver<u64>, Outbox, [Target<u64>; 2]) {
    let engine = engine(capacity, inbox);
    let (a, b) = (engine.receiver::<u64>(), engine.receiver::<u64>());
    let mut out = engine.outbox();
    let targets = [out.add(&a.address()).unwrap(), out.add(&b.address()).unwrap()];
    (a, b, out, targets)
}

/// One receiver reads what an outbox sends to two of them; it ends with the other's inbox full.
fn o5_of_an_outbox() {
    let (mut a, mut b, mut out, [to_a, to_b]) = pair_with_outbox(4, 1);
    let author = thread::spawn(move || {
        out.send(to_b, 1).unwrap();
        out.send(to_a, 2).unwrap();
        out.send(to_b, 3).unwrap();
        out.send(to_a, 4).unwrap();
    });
    let told = watch(&mut a, 1);
    author.join().unwrap();
    assert_eq!(finish(&mut a, told), [(Seq::new(2), 2), (Seq::new(4), 4)]);
    assert_eq!(finish(&mut b, Vec::new()), [(Seq::new(1), 1), (Seq::new(3), 3)]);
}

/// A lane of one slot: the sender waits for the slot, and writes it only when the value has been moved out.
fn slots_are_not_reused_too_early() {
    let engine = engine(1, 1);
    let (mut tx, mut rx): (Sender<Box<u64>>, _) = engine.channel();
    let sender = thread::spawn(move || {
        for value in 0..2 {
            tx.send(Box::new(value)).unwrap();
        }
        tx
    });
    for value in 0..2 {
        assert_eq!(*rx.recv().unwrap().1, value);
    }
    let _tx = sender.join().unwrap();
}

/// O4 where an outbox reaches a receiver by two ways, and ends when the inbox is full: what it leaves is taken while it
/// is still being numbered.
fn o4_by_several_ways_of_an_ended_outbox() {
    let engine = engine(4, 1);
    let group = engine.group::<u64>();
    let mut rx = group.subscribe();
    let mut first = engine.sender(&rx.address()).unwrap();
    let mut out = engine.outbox();
    let to = out.add(&rx.address()).unwrap();
    let all = out.add_group(&group).unwrap();
    first.send_stamped(0).unwrap();
    out.send(to, 1).unwrap();
    out.send_all(all, 2).unwrap();
    out.send(to, 3).unwrap();
    drop(first);
    let author = thread::spawn(move || drop(out));
    let received: Vec<_> = rx.messages().collect();
    assert_eq!(received, (0..4).map(|n| ((n + 1).into(), n)).collect::<Vec<_>>());
    author.join().unwrap();
}
