//! Fences: an author that is ended from outside, whatever it is at; nothing is lost, and nothing comes back twice.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll, Waker};

use loom::thread;
use mainspring::{Engine, Reason, Receiver, Seq};

use crate::closing::Counted;
use crate::harness::{Model, reach};
use crate::promises::engine;

pub const MODELS: &[Model] = &[
    Model {
        name: "a_fence_may_meet_a_send",
        preemptions: 2,
        executions_min: 1000,
        reaches: &["sent", "fenced"],
        body: a_fence_may_meet_a_send,
    },
    Model {
        name: "a_fence_may_meet_a_send_of_an_outbox",
        preemptions: 2,
        executions_min: 1000,
        reaches: &["sent", "fenced"],
        body: a_fence_may_meet_a_send_of_an_outbox,
    },
    Model {
        name: "a_fence_wakes_a_full_sender",
        preemptions: 2,
        executions_min: 1000,
        reaches: &[],
        body: a_fence_wakes_a_full_sender,
    },
    Model {
        name: "a_fence_may_meet_a_wait_for_a_number",
        preemptions: 2,
        executions_min: 1000,
        reaches: &["numbered", "fenced"],
        body: a_fence_may_meet_a_wait_for_a_number,
    },
    Model {
        name: "a_fence_may_meet_a_wait_that_is_given_up",
        preemptions: 2,
        executions_min: 1000,
        reaches: &["sent", "fenced", "given up"],
        body: a_fence_may_meet_a_wait_that_is_given_up,
    },
    Model {
        name: "a_fence_may_meet_an_end",
        preemptions: 2,
        executions_min: 1000,
        reaches: &[],
        body: a_fence_may_meet_an_end,
    },
    Model {
        name: "a_fence_may_meet_a_leaving_receiver",
        preemptions: 1,
        executions_min: 1000,
        reaches: &["sent", "fenced"],
        body: a_fence_may_meet_a_leaving_receiver,
    },
    Model {
        name: "what_a_fence_gives_back_no_receiver_drops",
        preemptions: 2,
        executions_min: 1000,
        reaches: &["sent", "fenced"],
        body: what_a_fence_gives_back_no_receiver_drops,
    },
    Model {
        name: "what_a_fenced_outbox_takes_back_no_receiver_drops",
        preemptions: 2,
        executions_min: 1000,
        reaches: &["sent", "fenced"],
        body: what_a_fenced_outbox_takes_back_no_receiver_drops,
    },
];

fn told<E>(sent: &Result<(), E>) -> u64 {
    reach(if sent.is_ok() { "sent" } else { "fenced" });
    u64::from(sent.is_ok())
}

/// All that was sent is there, below the fence.
fn assert_received(rx: &mut Receiver<u64>, sent: u64, fence: Seq) {
    let received: Vec<_> = std::iter::from_fn(|| rx.try_recv().ok()).collect();
    assert_eq!(received.iter().map(|&(_, n)| n).collect::<Vec<_>>(), (0..sent).collect::<Vec<_>>());
    assert!(received.iter().all(|&(number, _)| number < fence));
}

fn fence(engine: &Engine, source: mainspring::Source) -> Seq {
    engine.marker().fence(&[source]).unwrap().wait().unwrap()
}

/// Two sends; what was sent comes, the rest comes back.
fn a_fence_may_meet_a_send() {
    let engine = engine(2, 1);
    let (mut tx, mut rx) = engine.channel::<u64>();
    let source = tx.source();
    let author = thread::spawn(move || {
        let mut sent = 0;
        for n in 0..2 {
            let sending = tx.send(n);
            sent += told(&sending);
            if let Err(error) = sending {
                assert_eq!((error.reason, error.value), (Reason::Fenced, n));
                break;
            }
        }
        (tx, sent)
    });
    let at = fence(&engine, source);
    let (mut tx, sent) = author.join().unwrap();
    assert_eq!(tx.send(7).unwrap_err().reason, Reason::Fenced);
    assert_received(&mut rx, sent, at);
}

/// The same, through an order ring.
fn a_fence_may_meet_a_send_of_an_outbox() {
    let engine = engine(2, 1);
    let mut rx = engine.receiver::<u64>();
    let mut out = engine.outbox();
    let to = out.add(&rx.address()).unwrap();
    let source = out.source();
    let author = thread::spawn(move || {
        let sending = out.send(to, 0);
        let sent = told(&sending);
        if let Err(error) = sending {
            assert_eq!((error.reason, error.value), (Reason::Fenced, 0));
        }
        (out, sent)
    });
    let at = fence(&engine, source);
    let (mut out, sent) = author.join().unwrap();
    assert_eq!(out.send(to, 7).unwrap_err().reason, Reason::Fenced);
    assert_received(&mut rx, sent, at);
}

/// A lane of one slot, full, and nobody reads: the sleep ends, and the value comes back.
fn a_fence_wakes_a_full_sender() {
    let engine = engine(1, 1);
    let (mut tx, mut rx) = engine.channel::<u64>();
    let source = tx.source();
    tx.send(0).unwrap();
    let author = thread::spawn(move || tx.send(1).unwrap_err().into_inner());
    let at = fence(&engine, source);
    assert_eq!(author.join().unwrap(), 1);
    assert_received(&mut rx, 1, at);
}

/// It gets the number, or its value.
fn a_fence_may_meet_a_wait_for_a_number() {
    let engine = engine(2, 1);
    let (mut tx, mut rx) = engine.channel::<u64>();
    let source = tx.source();
    let author = thread::spawn(move || match tx.send_stamped(0) {
        Ok(number) => {
            reach("numbered");
            assert_eq!(number.get(), 1);
            1
        }
        Err(error) => {
            reach("fenced");
            assert_eq!((error.reason, error.value), (Reason::Fenced, 0));
            0
        }
    });
    let at = fence(&engine, source);
    let sent = author.join().unwrap();
    assert_received(&mut rx, sent, at);
}

/// A task that waits for the number, and is dropped at once: its value is sent, and will have its number, or came back.
fn a_fence_may_meet_a_wait_that_is_given_up() {
    let engine = engine(2, 1);
    let (mut tx, mut rx) = engine.channel::<u64>();
    let source = tx.source();
    let author = thread::spawn(move || {
        let mut cx = Context::from_waker(Waker::noop());
        let polled = Pin::new(&mut tx.send_stamped_async(0)).poll(&mut cx);
        match polled {
            Poll::Ready(sending) => told(&sending.map(drop)),
            Poll::Pending => {
                reach("given up");
                assert_eq!(tx.stamped(), Ok(Seq::new(1)));
                1
            }
        }
    });
    let at = fence(&engine, source);
    let sent = author.join().unwrap();
    assert_received(&mut rx, sent, at);
}

/// One end, whoever brings it about.
fn a_fence_may_meet_an_end() {
    let engine = engine(2, 1);
    let (mut tx, mut rx) = engine.channel::<u64>();
    let source = tx.source();
    let author = thread::spawn(move || u64::from(tx.send(0).is_ok()));
    let at = fence(&engine, source.clone());
    let sent = author.join().unwrap();
    assert!(source.has_ended());
    assert_received(&mut rx, sent, at);
    assert!(rx.is_closed());
}

/// The receiver goes of its own accord: the value comes back, or falls to the receiver, once.
fn a_fence_may_meet_a_leaving_receiver() {
    let drops = Arc::new(AtomicUsize::new(0));
    let engine = engine(1, 1);
    let (mut tx, rx) = engine.channel::<Counted>();
    let source = tx.source();
    let leaver = thread::spawn(move || drop(rx));
    let author = thread::spawn({
        let drops = drops.clone();
        move || {
            match tx.send(Counted(drops)) {
                Ok(()) => reach("sent"),
                Err(_) => reach("fenced"),
            }
            tx
        }
    });
    drop(engine.marker().fence(&[source]).unwrap());
    leaver.join().unwrap();
    drop((author.join().unwrap(), engine));
    assert_eq!(drops.load(Relaxed), 1);
}

/// The receiver goes because the fence has closed it: what was not in time is the sender's, and no receiver's.
fn what_a_fence_gives_back_no_receiver_drops() {
    let engine = engine(1, 1);
    let (mut tx, mut rx) = engine.channel::<u64>();
    let source = tx.source();
    let author = thread::spawn(move || (told(&tx.send(0)), tx));
    fence(&engine, source);
    let received = u64::from(rx.try_recv().is_ok());
    assert_eq!(rx.len(), 0, "what lies beyond the end is not counted as sent");
    drop(rx);
    let (sent, _tx) = author.join().unwrap();
    assert_eq!(received, sent);
}

/// The same of an outbox.
fn what_a_fenced_outbox_takes_back_no_receiver_drops() {
    let engine = engine(1, 1);
    let mut rx = engine.receiver::<u64>();
    let mut out = engine.outbox();
    let to = out.add(&rx.address()).unwrap();
    let source = out.source();
    let author = thread::spawn(move || (told(&out.send(to, 0)), out));
    fence(&engine, source);
    let received = u64::from(rx.try_recv().is_ok());
    assert_eq!(rx.len(), 0, "what lies beyond the end is not counted as sent");
    drop(rx);
    let (sent, _out) = author.join().unwrap();
    assert_eq!(received, sent);
}
