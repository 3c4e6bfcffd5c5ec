//! Marks: their numbers lie below what is sent after them, whoever passes; and who waits for one hears of it.

use loom::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use loom::sync::{Arc, Mutex};
use loom::thread;
use mainspring::{Drive, Engine, Event, Notice, RecvError, Seq, Ticket};

use crate::harness::{Model, reach};
use crate::promises::engine;

pub const MODELS: &[Model] = &[
    Model {
        name: "a_mark_is_below_what_follows_it",
        preemptions: 3,
        executions_min: 60,
        reaches: &["one pass for both"],
        body: a_mark_is_below_what_follows_it,
    },
    Model {
        name: "a_mark_is_below_what_follows_it_on_the_short_way",
        preemptions: 2,
        executions_min: 100,
        reaches: &["the short way"],
        body: a_mark_is_below_what_follows_it_on_the_short_way,
    },
    Model {
        name: "a_mark_of_another_is_below_what_follows_it",
        preemptions: 2,
        executions_min: 100,
        reaches: &["the clock covers it"],
        body: a_mark_of_another_is_below_what_follows_it,
    },
    Model {
        name: "who_reads_the_clock_reads_the_marks",
        preemptions: 2,
        executions_min: 60,
        reaches: &["the clock covers it"],
        body: who_reads_the_clock_reads_the_marks,
    },
    Model {
        name: "a_number_that_is_known_makes_those_below_known",
        preemptions: 2,
        executions_min: 6,
        reaches: &["both"],
        body: a_number_that_is_known_makes_those_below_known,
    },
    Model {
        name: "who_waits_for_a_mark_hears_of_it",
        preemptions: 2,
        executions_min: 100,
        reaches: &[],
        body: who_waits_for_a_mark_hears_of_it,
    },
    Model {
        name: "marks_at_once_and_submitted_are_one_order",
        preemptions: 2,
        executions_min: 100,
        reaches: &[],
        body: marks_at_once_and_submitted_are_one_order,
    },
    Model {
        name: "each_continuation_runs_once_and_in_order",
        preemptions: 2,
        executions_min: 100,
        reaches: &[],
        body: each_continuation_runs_once_and_in_order,
    },
    Model {
        name: "a_gate_opens_though_the_end_races_with_it",
        preemptions: 2,
        executions_min: 1000,
        reaches: &["shut at first"],
        body: a_gate_opens_though_the_end_races_with_it,
    },
    Model {
        name: "a_mark_of_an_outbox_keeps_its_place",
        preemptions: 2,
        executions_min: 60,
        reaches: &[],
        body: a_mark_of_an_outbox_keeps_its_place,
    },
    Model {
        name: "a_sleeping_receiver_hears_a_notice",
        preemptions: 2,
        executions_min: 100,
        reaches: &[],
        body: a_sleeping_receiver_hears_a_notice,
    },
    Model {
        name: "a_notice_keeps_its_place_at_a_full_inbox",
        preemptions: 2,
        executions_min: 100,
        reaches: &["past the inbox"],
        body: a_notice_keeps_its_place_at_a_full_inbox,
    },
];

pub fn by_hand() -> Engine {
    Engine::builder().capacity(2).inbox(2).drive(Drive::manual(|| {})).build().unwrap()
}

/// An author marks and sends; somebody else passes, once or twice.
fn a_mark_is_below_what_follows_it() {
    let engine = by_hand();
    let (mut tx, mut rx) = engine.channel();
    engine.pass();
    let author = thread::spawn({
        let marker = engine.marker();
        move || {
            let ticket = marker.submit();
            tx.send(1).unwrap();
            ticket
        }
    });
    engine.pass();
    if engine.clock().now() == Seq::new(2) {
        reach("one pass for both");
    }
    let ticket = author.join().unwrap();
    engine.pass();
    let (number, _) = rx.try_recv().unwrap();
    assert!(ticket.seq().unwrap() < number);
}

/// The same, and the receiver numbers its own lane.
fn a_mark_is_below_what_follows_it_on_the_short_way() {
    let engine = engine(2, 2);
    let (mut tx, mut rx) = engine.channel();
    tx.send(None).unwrap();
    assert!(rx.recv().unwrap().1.is_none());
    let author = thread::spawn({
        let marker = engine.marker();
        move || {
            tx.send(Some(marker.submit())).unwrap();
            tx
        }
    });
    let (number, ticket): (Seq, Option<Ticket>) = rx.recv().unwrap();
    assert!(ticket.unwrap().seq().unwrap() < number);
    if engine.stats().short_ways > 0 {
        reach("the short way");
    }
    drop(author.join().unwrap());
}

/// One marks, and tells another, who sends: the lane's tail is not the first author's.
fn a_mark_of_another_is_below_what_follows_it() {
    let engine = by_hand();
    let (mut tx, mut rx) = engine.channel();
    engine.pass();
    let told = Arc::new(Mutex::new(None));
    let first = thread::spawn({
        let (marker, told) = (engine.marker(), told.clone());
        move || {
            let ticket = marker.submit();
            *told.lock().unwrap() = Some(ticket);
        }
    });
    let second = thread::spawn(move || {
        let ticket = told.lock().unwrap().take();
        if ticket.is_some() {
            tx.send(1).unwrap();
        }
        (tx, ticket)
    });
    engine.pass();
    first.join().unwrap();
    let (_tx, ticket) = second.join().unwrap();
    engine.pass();
    if let Some(ticket) = ticket {
        reach("the clock covers it");
        assert!(ticket.seq().unwrap() < rx.try_recv().unwrap().0);
    }
}

/// What was done before a mark was submitted is seen by whoever reads the clock at its number, and so is the number.
fn who_reads_the_clock_reads_the_marks() {
    let engine = by_hand();
    let state = Arc::new(AtomicUsize::new(0));
    let place = Arc::new(Mutex::new(None));
    let author = thread::spawn({
        let (marker, state, place) = (engine.marker(), state.clone(), place.clone());
        move || {
            state.store(1, Relaxed);
            *place.lock().unwrap() = Some(marker.submit());
        }
    });
    let reader = thread::spawn({
        let clock = engine.clock();
        move || {
            let ticket = place.lock().unwrap().take();
            if clock.now() >= Seq::new(1) {
                assert_eq!(state.load(Relaxed), 1, "what the mark makes true");
                if let Some(ticket) = ticket {
                    reach("the clock covers it");
                    assert_eq!(ticket.seq(), Some(Seq::new(1)));
                }
            }
        }
    });
    engine.pass();
    author.join().unwrap();
    reader.join().unwrap();
}

/// Somebody looks for the numbers of two marks while another passes.
fn a_number_that_is_known_makes_those_below_known() {
    let engine = by_hand();
    let marker = engine.marker();
    let tickets = [marker.submit(), marker.submit()];
    let reader = thread::spawn(move || {
        let [first, second] = &tickets;
        if second.seq().is_some() {
            reach("both");
            assert_eq!(first.seq(), Some(Seq::new(1)));
        }
    });
    engine.pass();
    reader.join().unwrap();
}

/// Somebody else passes.
fn who_waits_for_a_mark_hears_of_it() {
    let engine = by_hand();
    let mut ticket = engine.marker().submit();
    let waiter = thread::spawn(move || ticket.wait().unwrap());
    engine.pass();
    assert_eq!(waiter.join().unwrap(), Seq::new(1));
}

/// Two make marks, each in both ways.
fn marks_at_once_and_submitted_are_one_order() {
    let engine = engine(1, 1);
    let two = || {
        let marker = engine.marker();
        move || {
            let ticket = marker.submit();
            let made = marker.mark().unwrap();
            let submitted = ticket.seq().expect("it came before");
            assert!(submitted < made);
            [submitted, made]
        }
    };
    let other = thread::spawn(two());
    let mut numbers = two()().to_vec();
    numbers.extend(other.join().unwrap());
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), 4);
    assert_eq!(engine.clock().now(), Seq::new(4));
}

/// Whoever passes.
fn each_continuation_runs_once_and_in_order() {
    let engine = engine(1, 1);
    let ran = Arc::new(Mutex::new(Vec::new()));
    let one = || {
        let (marker, ran) = (engine.marker(), ran.clone());
        move || {
            drop(marker.submit_then(move |outcome| ran.lock().unwrap().push(outcome.unwrap())));
        }
    };
    let other = thread::spawn(one());
    one()();
    other.join().unwrap();
    assert_eq!(*ran.lock().unwrap(), [Seq::new(1), Seq::new(2)]);
}

/// The author's join, its end and the gate are known to the dispatcher in any order.
fn a_gate_opens_though_the_end_races_with_it() {
    let engine = engine(2, 2);
    let mut rx = engine.receiver();
    let mut tx = engine.sender(&rx.address()).unwrap();
    let source = tx.source();
    let author = thread::spawn(move || {
        tx.send(1).unwrap();
        drop(tx);
    });
    let gate = engine.marker().gate(&[source]).unwrap();
    if gate.seq().is_none() {
        reach("shut at first");
    }
    author.join().unwrap();
    assert_eq!(gate.seq(), Some(Seq::new(2)), "nobody passes after the end, and none is needed");
    assert_eq!(rx.try_recv().unwrap(), (Seq::new(1), 1));
}

/// Between two messages of its outbox, one pass or several.
fn a_mark_of_an_outbox_keeps_its_place() {
    let engine = by_hand();
    let mut rx = engine.receiver();
    let mut out = engine.outbox();
    let to = out.add(&rx.address()).unwrap();
    engine.pass();
    let author = thread::spawn(move || {
        out.send(to, 1).unwrap();
        let ticket = out.submit();
        out.send(to, 2).unwrap();
        (out, ticket)
    });
    engine.pass();
    let (_out, ticket) = author.join().unwrap();
    engine.run_until_idle();
    assert_eq!(rx.try_recv().unwrap(), (Seq::new(1), 1));
    assert_eq!(ticket.seq(), Some(Seq::new(2)));
    assert_eq!(rx.try_recv().unwrap(), (Seq::new(3), 2));
}

/// It waits for messages, and is told that a notice comes; then it takes it.
fn a_sleeping_receiver_hears_a_notice() {
    let engine = engine(1, 1);
    let (_tx, mut rx) = engine.channel::<u8>();
    let to = rx.address();
    let other = thread::spawn({
        let engine = engine.clone();
        move || drop(engine.notify(&to, Notice::new(7_u64)).unwrap())
    });
    assert_eq!(rx.recv(), Err(RecvError::Notice));
    let Ok(Event::Notice(number, notice)) = rx.recv_event() else { panic!("no notice") };
    assert_eq!((number, notice.get()), (Seq::new(1), Some(&7_u64)));
    other.join().unwrap();
}

/// Messages before it and after it; the receiver takes up its overflow list while somebody else passes.
fn a_notice_keeps_its_place_at_a_full_inbox() {
    let engine = by_hand();
    let mut rx = engine.options().capacity(4).inbox(1).receiver().unwrap();
    let mut tx = engine.sender(&rx.address()).unwrap();
    tx.send(1).unwrap();
    engine.pass();
    let first = engine.notify(&rx.address(), Notice::new(2_u64)).unwrap();
    let second = engine.notify(&rx.address(), Notice::new(3_u64)).unwrap();
    tx.send(4).unwrap();
    let other = thread::spawn({
        let engine = engine.clone();
        move || {
            engine.pass();
            engine.pass();
        }
    });
    let mut told = Vec::new();
    let mut look = |rx: &mut mainspring::Receiver<u64>| match rx.try_recv_event() {
        Ok(Event::Message(number, value)) => told.push((number.get(), value)),
        Ok(Event::Notice(number, notice)) => told.push((number.get(), *notice.get().unwrap())),
        _ => {}
    };
    look(&mut rx);
    look(&mut rx);
    if first.seq().is_some() && second.seq().is_some() {
        reach("past the inbox");
    }
    other.join().unwrap();
    for _ in 0..4 {
        look(&mut rx);
        engine.run_until_idle();
    }
    assert_eq!(told, [(1, 1), (2, 2), (3, 3), (4, 4)]);
}
