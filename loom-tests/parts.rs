//! The parts alone: the clock's record, the lock word.

use std::sync::Arc;

use loom::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use loom::thread;
use mainspring::parts::{ClockCell, ClockWriter, Combine};

use crate::harness::{Model, reach};

pub const MODELS: &[Model] = &[
    Model {
        name: "clock_record_is_never_torn",
        preemptions: 3,
        executions_min: 3000,
        reaches: &[],
        body: clock_record_is_never_torn,
    },
    Model {
        name: "combine_loses_no_kick",
        preemptions: 4,
        executions_min: 400,
        reaches: &[],
        body: || combine_loses_no_kick(2),
    },
    // Two can leave word with the same holder.
    Model {
        name: "combine_loses_no_kick_of_three",
        preemptions: 2,
        executions_min: 3000,
        reaches: &[],
        body: || combine_loses_no_kick(3),
    },
    Model {
        name: "combine_hands_the_value_on",
        preemptions: 3,
        executions_min: 80,
        reaches: &[],
        body: combine_hands_the_value_on,
    },
    Model {
        name: "combine_shows_its_end",
        preemptions: 3,
        executions_min: 2,
        reaches: &["the end"],
        body: combine_shows_its_end,
    },
];

/// A reader of the whole record sees both words of one publication.
fn clock_record_is_never_torn() {
    let cell = Arc::new(ClockCell::new(0));
    let writer = thread::spawn({
        let cell = cell.clone();
        move || {
            let mut writer = ClockWriter::default();
            writer.publish(&cell, 1, 10);
            writer.publish(&cell, 2, 20);
        }
    });
    let (seq, at) = cell.read();
    assert_eq!(at, seq * 10, "words of two publications");
    writer.join().unwrap();
}

/// Whoever finds it poisoned sees what was done under it.
fn combine_shows_its_end() {
    let (done, combine) = (Arc::new(AtomicUsize::new(0)), Arc::new(Combine::new(())));
    let looker = thread::spawn({
        let (done, combine) = (done.clone(), combine.clone());
        move || {
            if combine.is_poisoned() {
                reach("the end");
                assert_eq!(done.load(Relaxed), 1, "what was done before the end");
            }
        }
    });
    if let Some(mut held) = combine.try_hold() {
        done.store(1, Relaxed);
        held.poison();
    }
    looker.join().unwrap();
}

/// What was written before a kick is seen by a pass that begins after it, whoever runs that.
fn combine_loses_no_kick(kickers: usize) {
    let work: Arc<Vec<_>> = Arc::new((0..kickers).map(|_| AtomicUsize::new(0)).collect());
    let combine = Arc::new(Combine::new(0_usize));
    let threads: Vec<_> = (0..kickers)
        .map(|me| {
            let (work, combine) = (work.clone(), combine.clone());
            thread::spawn(move || {
                work[me].store(1, Relaxed);
                let mut held = combine.kick();
                while let Some(mut value) = held {
                    *value = work.iter().map(|word| word.load(Relaxed)).sum();
                    held = if value.release() { combine.kick() } else { None };
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    let held = combine.try_hold().expect("nobody holds it");
    assert_eq!(*held, kickers, "a kick was not followed by a pass");
    assert!(!held.release());
}

/// What one holder writes the next one sees; by `try_hold` as well.
fn combine_hands_the_value_on() {
    let combine = Arc::new(Combine::new(0_usize));
    let other = thread::spawn({
        let combine = combine.clone();
        move || add_if_free(&combine)
    });
    let mine = add_if_free(&combine) + add_if_free(&combine);
    let theirs = other.join().unwrap();
    let held = combine.try_hold().expect("nobody holds it");
    assert_eq!(*held, mine + theirs);
    assert!(!held.release());
}

fn add_if_free(combine: &Combine<usize>) -> usize {
    match combine.try_hold() {
        None => 0,
        Some(mut held) => {
            *held += 1;
            assert!(!held.release(), "nobody kicks");
            1
        }
    }
}
