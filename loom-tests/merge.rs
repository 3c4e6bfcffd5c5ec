//! Two receivers read as one stream, while messages come and the clock moves; asleep, and awake.

use loom::thread;
use mainspring::{Event, Merge, Receiver, Seq};

use crate::harness::{Model, reach};
use crate::promises::engine;

pub const MODELS: &[Model] = &[
    Model {
        name: "a_merge_keeps_the_order",
        preemptions: 2,
        executions_min: 8000,
        reaches: &["one now, one later"],
        body: a_merge_keeps_the_order,
    },
    Model {
        name: "a_merge_tells_no_clock_too_early",
        preemptions: 2,
        executions_min: 200,
        reaches: &["a clock before the message"],
        body: a_merge_tells_no_clock_too_early,
    },
    Model {
        name: "a_sleeping_merge_hears_a_message",
        preemptions: 2,
        executions_min: 5000,
        reaches: &[],
        body: a_sleeping_merge_hears_a_message,
    },
    Model {
        name: "a_sleeping_merge_hears_its_end",
        preemptions: 2,
        executions_min: 1000,
        reaches: &[],
        body: a_sleeping_merge_hears_its_end,
    },
    Model {
        name: "a_merge_behind_hears_of_the_other",
        preemptions: 2,
        executions_min: 15000,
        reaches: &[],
        body: a_merge_behind_hears_of_the_other,
    },
];

/// What a merge tells now, checked against what it told before.
fn look(all: &mut Merge<u64>, told: &mut Vec<(Seq, Option<u64>)>) {
    match all.try_recv_event() {
        Ok(Event::Message(seq, value)) => told.push((seq, Some(value))),
        Ok(Event::Clock(seq)) => told.push((seq, None)),
        _ => {}
    }
    assert!(told.is_sorted_by(|one, next| one.0 < next.0), "told in this order: {told:?}");
}

fn merge(one: Receiver<u64>, other: Receiver<u64>) -> Merge<u64> {
    one.merge(other).unwrap()
}

/// One author sends to one receiver and then to the other, with numbers in between: the merge has them in that order.
fn a_merge_keeps_the_order() {
    let engine = engine(2, 2);
    let (mut tx, rx) = engine.channel::<u64>();
    let (mut tx2, rx2) = engine.channel::<u64>();
    // The later one is looked at first.
    let mut all = merge(rx2, rx);
    let author = thread::spawn(move || {
        tx.send_stamped(1).unwrap();
        tx2.send(2).unwrap();
        (tx, tx2)
    });
    let mut values: Vec<u64> = all.try_recv().ok().map(|(_, value)| value).into_iter().collect();
    let now = values.len();
    let _senders = author.join().unwrap();
    while let Ok((_, value)) = all.try_recv() {
        values.push(value);
    }
    assert_eq!(values, [1, 2]);
    if now == 1 {
        reach("one now, one later");
    }
}

/// A message for one of them, and one for somebody else: whatever is told rises.
fn a_merge_tells_no_clock_too_early() {
    let engine = engine(2, 2);
    let (_tx, rx) = engine.channel::<u64>();
    let (mut tx2, rx2) = engine.channel::<u64>();
    let (mut elsewhere, _other) = engine.channel::<u64>();
    let mut all = merge(rx, rx2);
    let author = thread::spawn(move || {
        tx2.send(2).unwrap();
        tx2
    });
    elsewhere.send(1).unwrap();
    let mut told = Vec::new();
    look(&mut all, &mut told);
    let _tx2 = author.join().unwrap();
    for _ in 0..3 {
        look(&mut all, &mut told);
    }
    assert_eq!(told.iter().filter(|(_, value)| value.is_some()).count(), 1);
    if told[0].1.is_none() {
        reach("a clock before the message");
    }
}

/// It sleeps, or does not yet, when the message comes: the wait tells the dispatcher where it sleeps.
fn a_sleeping_merge_hears_a_message() {
    let engine = engine(1, 1);
    let (_tx, rx) = engine.channel::<u64>();
    let (mut tx2, rx2) = engine.channel::<u64>();
    let receiver = thread::spawn(move || {
        let mut all = merge(rx, rx2);
        assert_eq!(all.recv().unwrap().1, 2);
        all
    });
    tx2.send(2).unwrap();
    let _all = receiver.join().unwrap();
}

/// The last sender goes while it sleeps, or does not yet.
fn a_sleeping_merge_hears_its_end() {
    let engine = engine(1, 1);
    let (tx, rx) = engine.channel::<u64>();
    drop(tx);
    let (tx2, rx2) = engine.channel::<u64>();
    let receiver = thread::spawn(move || {
        let mut all = merge(rx, rx2);
        assert!(all.recv().is_err());
    });
    drop(tx2);
    receiver.join().unwrap();
}

/// One of its receivers is behind another, which asks for more while it sleeps, or does not yet.
fn a_merge_behind_hears_of_the_other() {
    let engine = engine(2, 2);
    let (mut tx, mut first) = engine.channel::<u64>();
    let (mut tx2, mut rx) = engine.channel::<u64>();
    rx.behind(&[first.progress()]).unwrap();
    tx.send_stamped(1).unwrap();
    assert!(first.recv().is_ok());
    let receiver = thread::spawn(move || {
        let mut all = Merge::from(rx);
        assert_eq!(all.recv().unwrap().0, 2.into());
        all
    });
    tx2.send(2).unwrap();
    assert!(first.try_recv().is_err());
    let _all = receiver.join().unwrap();
    drop((tx, tx2, first));
}
