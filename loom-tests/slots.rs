//! Slots: states put in while others read, pin, take over, wait.

use loom::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use loom::sync::{Arc, Mutex};
use loom::thread;
use mainspring::parts::{ClockCell, ClockWriter, Pins};
use mainspring::{Cut, Seq, publish_all};

use crate::harness::{Model, reach};
use crate::marks::by_hand;
use crate::promises::engine;

pub const MODELS: &[Model] = &[
    Model {
        name: "a_state_is_read_whole_with_its_number",
        preemptions: 3,
        executions_min: 1000,
        reaches: &["before", "after"],
        body: a_state_is_read_whole_with_its_number,
    },
    Model {
        name: "a_state_that_waits_hides_none",
        preemptions: 3,
        executions_min: 10000,
        reaches: &["the first", "the second"],
        body: a_state_that_waits_hides_none,
    },
    Model {
        name: "who_reads_the_clock_reads_the_state",
        preemptions: 3,
        executions_min: 1000,
        reaches: &["the clock covers it"],
        body: who_reads_the_clock_reads_the_state,
    },
    Model {
        name: "the_last_owner_of_a_state_drops_it",
        preemptions: 4,
        executions_min: 200,
        reaches: &["by a reader", "by the publisher"],
        body: the_last_owner_of_a_state_drops_it,
    },
    Model {
        name: "who_waits_for_a_change_hears_of_it",
        preemptions: 3,
        executions_min: 500,
        reaches: &[],
        body: who_waits_for_a_change_hears_of_it,
    },
    Model {
        name: "who_waits_for_a_change_hears_of_a_pass",
        preemptions: 3,
        executions_min: 300,
        reaches: &[],
        body: who_waits_for_a_change_hears_of_a_pass,
    },
    Model {
        name: "who_waits_for_a_change_hears_of_the_end",
        preemptions: 2,
        executions_min: 300,
        reaches: &["with the last state"],
        body: who_waits_for_a_change_hears_of_the_end,
    },
    Model {
        name: "the_end_comes_after_the_last_state",
        preemptions: 3,
        executions_min: 5000,
        reaches: &[],
        body: the_end_comes_after_the_last_state,
    },
    Model {
        name: "nothing_of_a_fenced_publisher_comes_after_the_fence",
        preemptions: 5,
        executions_min: 20,
        reaches: &["fenced", "in time"],
        body: nothing_of_a_fenced_publisher_comes_after_the_fence,
    },
    Model {
        name: "a_batch_is_seen_whole_or_comes_back",
        preemptions: 5,
        executions_min: 10000,
        reaches: &["fenced", "in time"],
        body: a_batch_is_seen_whole_or_comes_back,
    },
    Model {
        name: "a_cut_sees_a_batch_whole",
        preemptions: 3,
        executions_min: 10000,
        reaches: &["before", "after"],
        body: a_cut_sees_a_batch_whole,
    },
    Model {
        name: "a_state_is_kept_for_a_cut",
        preemptions: 3,
        executions_min: 5000,
        reaches: &["kept", "the newest"],
        body: a_state_is_kept_for_a_cut,
    },
    Model {
        name: "what_was_kept_for_a_cut_goes_with_it",
        preemptions: 4,
        executions_min: 100,
        reaches: &[],
        body: what_was_kept_for_a_cut_goes_with_it,
    },
    Model {
        name: "a_pin_is_where_others_have_kept",
        preemptions: 3,
        executions_min: 1000,
        reaches: &["taken out", "kept"],
        body: a_pin_is_where_others_have_kept,
    },
    Model {
        name: "a_pin_is_no_lower_than_what_was_seen",
        preemptions: 3,
        executions_min: 500,
        reaches: &["above the clock"],
        body: a_pin_is_no_lower_than_what_was_seen,
    },
    Model {
        name: "who_is_helped_sees_what_the_helper_saw",
        preemptions: 3,
        executions_min: 1000,
        reaches: &["before", "after"],
        body: who_is_helped_sees_what_the_helper_saw,
    },
];

/// Two states are put in, the memory of the first is used again; somebody reads twice.
fn a_state_is_read_whole_with_its_number() {
    let engine = engine(1, 1);
    let slot = engine.slot();
    let mut publisher = slot.publisher();
    drop(publisher.publish(1_u64).unwrap());
    let reader = thread::spawn({
        let (mut latest, other) = (slot.latest(), slot.latest());
        move || {
            let first = latest.read().unwrap().clone();
            let second = other.get().unwrap();
            reach(if *first == 1 { "before" } else { "after" });
            assert!(second.seq() >= first.seq());
            for state in [first, second] {
                assert_eq!(state.seq(), Seq::new(*state));
            }
        }
    });
    for state in 2..=4 {
        drop(publisher.publish(state).unwrap());
    }
    drop(publisher);
    reader.join().unwrap();
}

/// A state waits for its number while another thread passes; somebody reads meanwhile.
fn a_state_that_waits_hides_none() {
    let engine = by_hand();
    let slot = engine.slot();
    let mut publisher = slot.publisher();
    drop(publisher.publish(1_u64).unwrap());
    engine.pass();
    let author = thread::spawn(move || {
        drop(publisher.publish(2).unwrap());
        drop(publisher.publish(3).unwrap());
        publisher
    });
    let reader = thread::spawn({
        let latest = slot.latest();
        move || {
            let state = latest.get().expect("one has its number");
            reach(if *state == 1 { "the first" } else { "the second" });
            assert_eq!(state.seq(), Seq::new(*state));
        }
    });
    engine.pass();
    let mut publisher = author.join().unwrap();
    drop(publisher.publish(4).unwrap());
    reader.join().unwrap();
}

/// The state is there for whoever reads its number off the clock, whoever passes.
fn who_reads_the_clock_reads_the_state() {
    let engine = by_hand();
    let slot = engine.slot();
    let reader = thread::spawn({
        let (clock, latest) = (engine.clock(), slot.latest());
        move || {
            if clock.now() >= Seq::new(1) {
                reach("the clock covers it");
                assert_eq!(*latest.get().expect("it has its number"), 7);
            }
        }
    });
    let author = thread::spawn(move || drop(slot.publisher().publish(7)));
    engine.pass();
    author.join().unwrap();
    reader.join().unwrap();
}

/// Each value once, and none is left when all have gone.
fn the_last_owner_of_a_state_drops_it() {
    struct Counted(Arc<AtomicUsize>);
    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.fetch_add(1, Relaxed);
        }
    }
    let dropped = Arc::new(AtomicUsize::new(0));
    let engine = engine(1, 1);
    let slot = engine.slot();
    let mut publisher = slot.publisher();
    drop(publisher.publish(Counted(dropped.clone())).unwrap());
    let reader = thread::spawn({
        let (latest, dropped) = (slot.latest(), dropped.clone());
        move || {
            let state = latest.get().unwrap();
            let before = dropped.load(Relaxed);
            drop(state);
            if dropped.load(Relaxed) > before {
                reach("by a reader");
            }
        }
    });
    let before = dropped.load(Relaxed);
    drop(publisher.publish(Counted(dropped.clone())).unwrap());
    if dropped.load(Relaxed) > before {
        reach("by the publisher");
    }
    reader.join().unwrap();
    drop((publisher, slot));
    assert_eq!(dropped.load(Relaxed), 2);
}

/// The number is there when the state is.
fn who_waits_for_a_change_hears_of_it() {
    let engine = engine(1, 1);
    let slot = engine.slot();
    let mut latest = slot.latest();
    let mut publisher = slot.publisher();
    let waiter = thread::spawn(move || **latest.wait_changed().unwrap());
    drop(publisher.publish(7).unwrap());
    assert_eq!(waiter.join().unwrap(), 7);
}

/// The number comes with a pass.
fn who_waits_for_a_change_hears_of_a_pass() {
    let engine = by_hand();
    let slot = engine.slot();
    let mut latest = slot.latest();
    let mut publisher = slot.publisher();
    drop(publisher.publish(7).unwrap());
    let waiter = thread::spawn(move || **latest.wait_changed().unwrap());
    engine.pass();
    assert_eq!(waiter.join().unwrap(), 7);
}

/// The last publisher goes.
fn who_waits_for_a_change_hears_of_the_end() {
    let engine = engine(1, 1);
    let slot = engine.slot();
    let mut latest = slot.latest();
    let mut publisher = slot.publisher();
    drop(slot);
    let waiter = thread::spawn(move || {
        if latest.wait_changed().is_ok() {
            reach("with the last state");
            assert!(latest.wait_changed().is_err());
        }
        latest.seen()
    });
    drop(publisher.publish(7).unwrap());
    drop(publisher);
    assert_eq!(waiter.join().unwrap(), Seq::new(1), "the last state comes before the end");
}

/// The last publisher goes before its state has its number.
fn the_end_comes_after_the_last_state() {
    let engine = by_hand();
    let slot = engine.slot();
    let mut latest = slot.latest();
    let mut publisher = slot.publisher();
    drop(slot);
    let waiter = thread::spawn(move || **latest.wait_changed().expect("one was put in"));
    drop(publisher.publish(7).unwrap());
    drop(publisher);
    engine.pass();
    assert_eq!(waiter.join().unwrap(), 7);
}

/// One publishes while another takes over.
fn nothing_of_a_fenced_publisher_comes_after_the_fence() {
    let engine = engine(1, 1);
    let slot = engine.slot();
    let mut first = slot.publisher();
    let author = thread::spawn(move || match first.publish(1) {
        Ok(mut published) => Some(published.stamp().unwrap()),
        Err(refused) => {
            assert_eq!(refused.into_inner(), 1);
            None
        }
    });
    let mut second = slot.publisher();
    let own = second.publish(2).unwrap().stamp().unwrap();
    let fence = second.began().unwrap();
    assert!(fence < own);
    match author.join().unwrap() {
        Some(number) => {
            reach("in time");
            assert!(number < fence);
        }
        None => reach("fenced"),
    }
    assert_eq!(**slot.latest().read().unwrap(), 2);
}

/// One publishes in two slots while another takes one of them over.
fn a_batch_is_seen_whole_or_comes_back() {
    let engine = engine(1, 1);
    let (left, right) = (engine.slot(), engine.slot());
    let (mut a, mut b) = (left.publisher(), right.publisher());
    let author = thread::spawn(move || {
        let outcome = publish_all(&mut [a.stage(1), b.stage(2)]);
        let back = (a.unstage(), b.unstage());
        match outcome {
            Ok(mut published) => {
                assert_eq!(back, (None, None));
                Some(published.stamp().unwrap())
            }
            Err(_) => {
                assert_eq!(back, (Some(1), Some(2)));
                None
            }
        }
    });
    let second = right.publisher();
    let number = author.join().unwrap();
    let at = |state: Option<mainspring::Snapshot<i32>>| state.map(|state| (*state, state.seq()));
    let seen = (at(left.latest().get()), at(right.latest().get()));
    match number {
        Some(number) => {
            reach("in time");
            assert!(number < second.began().unwrap());
            assert_eq!(seen, (Some((1, number)), Some((2, number))));
        }
        None => {
            reach("fenced");
            assert_eq!(seen, (None, None));
        }
    }
}

/// One publishes in two slots while another cuts, having read one of them.
fn a_cut_sees_a_batch_whole() {
    let engine = engine(1, 1);
    let (left, right) = (engine.slot(), engine.slot());
    let (mut a, mut b) = (left.publisher(), right.publisher());
    drop(publish_all(&mut [a.stage(1), b.stage(1)]).unwrap());
    let reader = thread::spawn({
        let (mut left, right) = (left.latest(), right.latest());
        move || {
            left.read();
            let cut = Cut::take(&[&left]).unwrap();
            assert!(cut.seq() >= left.seen());
            let at = |latest| *cut.read(latest).unwrap().expect("it was there before");
            let (one, other) = (at(&right), at(&left));
            assert_eq!(one, other);
            reach(if one == 1 { "before" } else { "after" });
        }
    });
    drop(publish_all(&mut [a.stage(2), b.stage(2)]).unwrap());
    reader.join().unwrap();
}

/// One publishes, and publishes again, while another cuts.
fn a_state_is_kept_for_a_cut() {
    let engine = engine(1, 1);
    let slot = engine.slot();
    let mut publisher = slot.publisher();
    drop(publisher.publish(1_u64).unwrap());
    let reader = thread::spawn({
        let (engine, latest) = (engine.clone(), slot.latest());
        move || {
            let cut = engine.cut().unwrap();
            let state = cut.read(&latest).unwrap().expect("it was there before");
            assert_eq!((Seq::new(*state), state.seq()), (cut.seq(), cut.seq()));
            let newest = latest.get().unwrap();
            reach(if *newest > *state { "kept" } else { "the newest" });
            assert!(*newest >= *state);
        }
    });
    drop(publisher.publish(2).unwrap());
    drop(publisher.publish(3).unwrap());
    // In the memory of the second: nobody may be there any more.
    drop(publisher.publish(4).unwrap());
    reader.join().unwrap();
}

/// One publishes while another lets go of a cut.
fn what_was_kept_for_a_cut_goes_with_it() {
    let engine = engine(1, 1);
    let slot = engine.slot();
    let mut publisher = slot.publisher();
    drop(publisher.publish(Arc::new(1)).unwrap());
    let cut = engine.cut().unwrap();
    let author = thread::spawn(move || {
        drop(publisher.publish(Arc::new(2)).unwrap());
        publisher
    });
    let kept = Mutex::new(Some(cut));
    drop(kept.lock().unwrap().take());
    let _publisher = author.join().unwrap();
    assert_eq!(mainspring::parts::states(&slot.latest()), 1);
}

/// The clock moves, and one takes out what has a successor that it covers, unless it is pinned; another pins, a third
/// helps.
fn a_pin_is_where_others_have_kept() {
    let (clock, pins) = (Arc::new(ClockCell::new(0)), Arc::new(Pins::default()));
    let pruner = thread::spawn({
        let (clock, pins) = (clock.clone(), pins.clone());
        move || {
            ClockWriter::default().publish(&clock, 1, 0);
            let kept = pins.look(&clock).has(Seq::ZERO, Seq::new(1));
            reach(if kept { "kept" } else { "taken out" });
            kept
        }
    });
    let helper = thread::spawn({
        let (clock, pins) = (clock.clone(), pins.clone());
        move || drop(pins.look(&clock))
    });
    let (_, at) = pins.take(&clock, Seq::ZERO).unwrap();
    let kept = pruner.join().unwrap();
    helper.join().unwrap();
    assert!(kept || at == Seq::new(1), "the state before 1 is read and was taken out");
}

/// One pins what it has seen above the clock, twice; another helps.
fn a_pin_is_no_lower_than_what_was_seen() {
    let (clock, pins) = (Arc::new(ClockCell::new(0)), Arc::new(Pins::default()));
    let helper = thread::spawn({
        let (clock, pins) = (clock.clone(), pins.clone());
        move || {
            if pins.look(&clock).has(Seq::new(5), Seq::new(8)) {
                reach("above the clock");
            }
        }
    });
    for seen in [5, 7] {
        let (key, at) = pins.take(&clock, Seq::new(seen)).unwrap();
        assert_eq!(at, Seq::new(seen));
        pins.release(key);
    }
    helper.join().unwrap();
}

/// A state is there before the clock moves; one pins the clock, another helps.
fn who_is_helped_sees_what_the_helper_saw() {
    let (clock, pins) = (Arc::new(ClockCell::new(0)), Arc::new(Pins::default()));
    let state = Arc::new(AtomicUsize::new(0));
    let author = thread::spawn({
        let (clock, state) = (clock.clone(), state.clone());
        move || {
            state.store(1, Relaxed);
            ClockWriter::default().publish(&clock, 1, 0);
        }
    });
    let helper = thread::spawn({
        let (clock, pins) = (clock.clone(), pins.clone());
        move || drop(pins.look(&clock))
    });
    let (_, at) = pins.take(&clock, Seq::ZERO).unwrap();
    if at == Seq::new(1) {
        reach("after");
        assert_eq!(state.load(Relaxed), 1, "the clock covers it");
    } else {
        reach("before");
    }
    author.join().unwrap();
    helper.join().unwrap();
}
