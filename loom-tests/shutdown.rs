//! An engine is closed while its ends are at work; and the queue of a shared sender, which others move on.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use loom::thread;
use mainspring::{Closing, Drive, Engine, Receiver, RecvError};

use crate::harness::{Model, reach};
use crate::promises::engine;

pub const MODELS: &[Model] = &[
    Model {
        name: "a_send_beside_a_close_is_counted_or_refused",
        preemptions: 2,
        executions_min: 500,
        reaches: &["left", "refused"],
        body: a_send_beside_a_close_is_counted_or_refused,
    },
    Model {
        name: "a_close_with_time_leaves_nothing",
        preemptions: 1,
        executions_min: 500,
        reaches: &["received", "refused"],
        body: a_close_with_time_leaves_nothing,
    },
    Model {
        name: "a_send_beside_a_close_and_a_leaving_receiver",
        preemptions: 1,
        executions_min: 500,
        reaches: &["sent", "refused"],
        body: a_send_beside_a_close_and_a_leaving_receiver,
    },
    Model {
        name: "a_mark_beside_a_close_has_a_number_or_never_will",
        preemptions: 2,
        executions_min: 100,
        reaches: &["numbered", "refused"],
        body: a_mark_beside_a_close_has_a_number_or_never_will,
    },
    Model {
        name: "a_fence_beside_a_close_gives_back_what_is_not_sent",
        preemptions: 1,
        executions_min: 100,
        reaches: &["sent", "back"],
        body: a_fence_beside_a_close_gives_back_what_is_not_sent,
    },
    Model {
        name: "a_stamping_sender_beside_a_close",
        preemptions: 2,
        executions_min: 50000,
        reaches: &["numbered", "refused"],
        body: a_stamping_sender_beside_a_close,
    },
    Model {
        name: "a_full_sender_hears_of_a_close",
        preemptions: 2,
        executions_min: 200,
        reaches: &[],
        body: a_full_sender_hears_of_a_close,
    },
    Model {
        name: "who_closes_hears_of_a_receiver_that_has_all",
        preemptions: 2,
        executions_min: 10000,
        reaches: &[],
        body: who_closes_hears_of_a_receiver_that_has_all,
    },
    Model {
        name: "a_full_sender_hears_of_a_close_before_the_drain",
        preemptions: 2,
        executions_min: 200,
        reaches: &[],
        body: a_full_sender_hears_of_a_close_before_the_drain,
    },
    Model {
        name: "who_closes_hears_of_a_receiver_that_leaves",
        preemptions: 2,
        executions_min: 1000,
        reaches: &["before", "during"],
        body: who_closes_hears_of_a_receiver_that_leaves,
    },
    Model {
        name: "what_waits_for_a_shared_lane_goes_on",
        preemptions: 2,
        executions_min: 5000,
        reaches: &[],
        body: what_waits_for_a_shared_lane_goes_on,
    },
    Model {
        name: "a_number_behind_a_full_inbox_opens_a_shared_lane",
        preemptions: 2,
        executions_min: 50000,
        reaches: &[],
        body: a_number_behind_a_full_inbox_opens_a_shared_lane,
    },
];

const LONG: Duration = Duration::from_secs(1_000_000);

/// Counts its end.
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn left_in(report: &Closing) -> u64 {
    report.left.iter().map(|left| left.unread + left.unnumbered).sum()
}

fn a_send_beside_a_close_is_counted_or_refused() {
    let engine = engine(2, 2);
    let (mut tx, rx) = engine.channel();
    let dropped = Arc::new(AtomicUsize::new(0));
    let value = Counted(dropped.clone());
    let author = thread::spawn(move || match tx.send(value) {
        Ok(()) => 1,
        Err(error) => {
            reach("refused");
            drop(error.into_inner());
            0
        }
    });
    let report = engine.close(Duration::ZERO);
    let sent = author.join().unwrap();
    // One that its author is being given back may be counted, too.
    assert!(left_in(&report) >= sent);
    if sent == 1 {
        reach("left");
    }
    drop((rx, engine));
    assert_eq!(dropped.load(Ordering::Relaxed), 1);
}

/// What counts as sent is received, also if it was published when everything seemed to be.
fn a_close_with_time_leaves_nothing() {
    let engine = engine(2, 2);
    let (mut tx, mut rx) = engine.channel();
    let author = thread::spawn(move || {
        let sent = tx.send(0).is_ok();
        reach(if sent { "received" } else { "refused" });
        (sent, tx)
    });
    let receiver = thread::spawn(move || rx.messages().count());
    assert!(engine.close(LONG).is_clean());
    let (sent, tx) = author.join().unwrap();
    assert_eq!(receiver.join().unwrap(), usize::from(sent));
    drop(tx);
}

fn a_send_beside_a_close_and_a_leaving_receiver() {
    let engine = engine(2, 2);
    let (mut tx, rx) = engine.channel();
    let dropped = Arc::new(AtomicUsize::new(0));
    let value = Counted(dropped.clone());
    let author = thread::spawn(move || {
        match tx.send(value) {
            Ok(()) => reach("sent"),
            Err(error) => {
                reach("refused");
                drop(error.into_inner());
            }
        }
        // Loom knows nothing of what the last owner of an `Arc` acquires: so that is whoever joins.
        tx
    });
    let receiver = thread::spawn(move || drop::<Receiver<Counted>>(rx));
    engine.close(Duration::ZERO).is_clean();
    let tx = author.join().unwrap();
    receiver.join().unwrap();
    drop((tx, engine));
    assert_eq!(dropped.load(Ordering::Relaxed), 1);
}

/// It is settled in the end, whoever comes first, and a number is one that the clock covers.
fn a_mark_beside_a_close_has_a_number_or_never_will() {
    let engine = engine(1, 1);
    let marker = engine.marker();
    let author = thread::spawn(move || marker.submit());
    let report = engine.close(Duration::ZERO);
    let mut ticket = author.join().unwrap();
    match ticket.outcome().expect("it is settled") {
        Ok(number) => {
            reach("numbered");
            assert!(number <= report.clock && ticket.wait() == Ok(number));
        }
        Err(_) => reach("refused"),
    }
}

/// A sender that is ended and closed at once: what it sends is numbered, or left, or its own again.
fn a_fence_beside_a_close_gives_back_what_is_not_sent() {
    let engine = engine(1, 1);
    let (mut tx, mut rx) = engine.channel::<u64>();
    let source = tx.source();
    let author = thread::spawn(move || {
        let sent = tx.send(0).is_ok();
        reach(if sent { "sent" } else { "back" });
        (tx, sent)
    });
    drop(engine.marker().fence(&[source]).unwrap());
    let report = engine.close(Duration::ZERO);
    let (_tx, sent) = author.join().unwrap();
    let left: u64 = report.left.iter().map(|left| left.unread + left.unnumbered).sum();
    let received = rx.try_recv().is_ok();
    assert!(if sent { received || left == 1 } else { !received });
}

fn a_stamping_sender_beside_a_close() {
    let engine = engine(2, 2);
    let (mut tx, rx) = engine.channel();
    let author = thread::spawn(move || match tx.send_stamped(7) {
        Ok(seq) => {
            assert_eq!(seq.get(), 1);
            reach("numbered");
            1
        }
        Err(error) => {
            assert_eq!(error.into_inner(), 7);
            reach("refused");
            0
        }
    });
    let report = engine.close(Duration::ZERO);
    let numbered = author.join().unwrap();
    assert_eq!(report.clock.get(), numbered);
    drop(rx);
}

fn a_full_sender_hears_of_a_close() {
    let engine = engine(1, 1);
    let (mut tx, rx) = engine.channel();
    tx.send(0).unwrap();
    let author = thread::spawn(move || tx.send(1).unwrap_err().into_inner());
    let report = engine.close(Duration::ZERO);
    assert_eq!(author.join().unwrap(), 1);
    assert_eq!(left_in(&report), 1);
    drop(rx);
}

/// The drain waits for a receiver that waits for the author.
fn a_full_sender_hears_of_a_close_before_the_drain() {
    let engine = engine(1, 1);
    let (mut tx, mut rx) = engine.channel();
    tx.send(0).unwrap();
    let closing = engine.clone();
    let closer = thread::spawn(move || closing.close(LONG));
    assert_eq!(tx.send(1).unwrap_err().into_inner(), 1);
    assert_eq!(rx.messages().count(), 1);
    assert!(closer.join().unwrap().is_clean());
}

/// With passes by hand, so that nothing but the barriers is between the two.
fn by_hand() -> Engine {
    Engine::builder().capacity(2).inbox(2).drive(Drive::manual(|| {})).build().unwrap()
}

fn who_closes_hears_of_a_receiver_that_leaves() {
    let engine = by_hand();
    let (mut tx, rx) = engine.channel();
    tx.send(0).unwrap();
    let receiver = thread::spawn(move || drop::<Receiver<u64>>(rx));
    let report = engine.close(LONG);
    assert!(report.left.is_empty());
    if report.discarded == 1 {
        reach("during");
    } else {
        // It was counted before.
        assert_eq!(report.discarded, 0);
        assert_eq!(engine.stats().discarded, 1);
        reach("before");
    }
    receiver.join().unwrap();
    drop(tx);
}

fn who_closes_hears_of_a_receiver_that_has_all() {
    let engine = by_hand();
    let (mut tx, mut rx) = engine.channel();
    tx.send(0).unwrap();
    engine.pass();
    let receiver = thread::spawn(move || {
        assert_eq!(rx.recv().unwrap().1, 0);
        assert_eq!(rx.recv(), Err(RecvError::Closed));
    });
    assert!(engine.close(LONG).is_clean());
    receiver.join().unwrap();
    drop(tx);
}

/// The second waits in the queue; the receiver moves it on.
fn what_waits_for_a_shared_lane_goes_on() {
    let engine = engine(1, 1);
    let (tx, mut rx) = engine.channel();
    let shared = tx.into_shared();
    let author = thread::spawn(move || {
        shared.send(0).unwrap();
        shared.send(1).unwrap();
        shared
    });
    assert_eq!(rx.recv().unwrap().1, 0);
    assert_eq!(rx.recv().unwrap().1, 1);
    drop(author.join().unwrap());
}

/// The number comes when the receiver makes room for it; the message behind it waits for that.
fn a_number_behind_a_full_inbox_opens_a_shared_lane() {
    let engine = engine(2, 1);
    let (mut tx, mut rx) = engine.channel();
    let shared = tx.clone().into_shared();
    tx.send(0).unwrap();
    let author = thread::spawn(move || {
        let seq = shared.send_stamped(1).unwrap();
        shared.send(2).unwrap();
        (seq, shared)
    });
    let (mut sum, mut numbered) = (0, 0);
    for _ in 0..3 {
        let (seq, value) = rx.recv().unwrap();
        sum += value;
        numbered = if value == 1 { seq.get() } else { numbered };
    }
    assert_eq!(sum, 3);
    let (seq, shared) = author.join().unwrap();
    assert_eq!(seq.get(), numbered);
    drop((shared, tx));
}
