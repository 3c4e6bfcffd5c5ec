//! `Engine::close`: nothing more is sent, what was sent is received, then everything is closed; and a report.

#![cfg(not(loom))]

#[path = "shutdown/again.rs"]
mod again;
#[path = "shutdown/blocked.rs"]
mod blocked;
#[path = "shutdown/pipelines.rs"]
mod pipelines;
#[path = "shutdown/storm.rs"]
mod storm;
mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use mainspring::{Drive, Engine, Idle, Reason, RecvError, TrySendError, WaitError};

/// Longer than any machine takes.
const LONG: Duration = Duration::from_secs(60);

struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn drives() -> [Drive; 4] {
    [Drive::Callers, Drive::thread(Idle::Park), Drive::thread(Idle::Yield), Drive::manual(|| {})]
}

#[test]
fn an_idle_engine_closes_at_once() {
    for drive in drives() {
        let engine = Engine::builder().drive(drive).build().unwrap();
        let (mut tx, mut rx) = engine.channel::<u32>();
        let report = engine.close(LONG);
        assert!(report.is_clean());
        assert!(engine.is_closed());
        assert_eq!(report.to_string(), "all received up to 0");
        assert_eq!(tx.send(1).unwrap_err().into_inner(), 1);
        assert_eq!(tx.try_send(2), Err(TrySendError::Closed(2)));
        assert_eq!(rx.recv(), Err(RecvError::Closed));
        assert_eq!(engine.clock().wait_for(1.into()), Err(WaitError));
    }
}

#[test]
fn what_was_sent_is_received_first() {
    for drive in [Drive::Callers, Drive::thread(Idle::Park)] {
        let engine = Engine::builder().drive(drive).build().unwrap();
        let (mut tx, mut rx) = engine.channel();
        let quotes = engine.group();
        let (mut one, mut two) = (quotes.subscribe(), quotes.subscribe());
        let mut all = quotes.broadcaster();
        let mut out = engine.outbox();
        let to = out.add(&rx.address()).unwrap();
        for n in 0..500 {
            tx.send(n).unwrap();
            out.send(to, n).unwrap();
            all.send(n).unwrap();
        }
        let receivers = [
            thread::spawn(move || rx.messages().count()),
            thread::spawn(move || one.messages().count()),
            thread::spawn(move || two.messages().count()),
        ];
        let report = engine.close(LONG);
        assert!(report.is_clean(), "{report}");
        assert_eq!(report.clock.get(), 1500);
        assert_eq!(receivers.map(|receiver| receiver.join().unwrap()), [1000, 500, 500]);
        assert_eq!(out.send(to, 1).unwrap_err().reason, Reason::Closed);
        assert_eq!(all.send(1).unwrap_err().into_inner(), 1);
    }
}

/// Goal: that some receivers have all that was sent to them does not end the drain for another. Method: one of three
/// has a message that it does not receive, and there is no time.
#[test]
fn all_receivers_are_waited_for() {
    for stuck in 0..3 {
        let engine = Engine::new();
        let mut channels = [(); 3].map(|()| engine.channel::<u64>());
        channels[stuck].0.send(1).unwrap();
        let report = engine.close(Duration::ZERO);
        let left: Vec<_> = report.left.iter().map(|left| left.unread + left.unnumbered).collect();
        assert_eq!(left, [1], "{report}");
    }
}

/// Goal: where somebody asks for a receiver's progress, what it has is to be handled before the engine is closed.
/// Method: the end is told before the receiver asks for the next message, and must not come before that.
#[test]
fn what_is_not_handled_is_waited_for() {
    for drive in [Drive::Callers, Drive::thread(Idle::Park)] {
        let engine = Engine::builder().drive(drive).build().unwrap();
        let (mut tx, mut rx) = engine.channel();
        let progress = rx.progress();
        tx.send(1).unwrap();
        assert_eq!(rx.recv(), Ok((1.into(), 1)));
        let has_handled = Arc::new(AtomicUsize::new(0));
        let (closing, seen) = (engine.clone(), has_handled.clone());
        let closer = thread::spawn(move || {
            let report = closing.close(LONG);
            (report, seen.load(Ordering::SeqCst))
        });
        while !engine.is_closed() {
            thread::yield_now();
        }
        for _ in 0..1000 {
            thread::yield_now();
        }
        has_handled.store(1, Ordering::SeqCst);
        assert_eq!(rx.recv(), Err(RecvError::Closed));
        let (report, seen) = closer.join().unwrap();
        assert!(report.is_clean(), "{report}");
        assert_eq!(seen, 1, "closed before it was handled");
        drop(progress);
    }
}

/// Goal: what a receiver does not receive because it goes while the engine is being closed is told; what others did not
/// receive before is not.
#[test]
fn what_a_leaving_receiver_has_not_received_is_told() {
    for drive in drives() {
        let engine = Engine::builder().drive(drive).build().unwrap();
        let (mut tx, rx) = engine.channel();
        tx.send_batch(0..2).unwrap();
        drop(rx);
        assert_eq!(engine.stats().discarded, 2);
        let (mut tx, mut rx) = engine.channel();
        tx.send_batch(0..4).unwrap();
        engine.run_until_idle();
        assert_eq!(rx.recv().unwrap().1, 0);
        let closing = engine.clone();
        let closer = thread::spawn(move || closing.close(LONG));
        while !engine.is_closed() {
            thread::yield_now();
        }
        drop(rx);
        let report = closer.join().unwrap();
        assert_eq!((report.left.len(), report.discarded), (0, 3));
        assert!(!report.is_clean());
        assert_eq!(report.to_string(), "3 not received by receivers that have gone");
    }
}

#[test]
fn what_is_left_is_told_with_those_who_hold_it() {
    let engine = Engine::new();
    let (mut tx, mut slow) = engine.options().name("slow").inbox(1).channel().unwrap();
    let mut fast = engine.options().name("fast").receiver().unwrap();
    let mut other = tx.clone();
    let mut out = engine.outbox();
    let (to_slow, to_fast) = (out.add(&slow.address()).unwrap(), out.add(&fast.address()).unwrap());
    tx.send(1).unwrap();
    engine.pass();
    other.send(2).unwrap();
    engine.pass();
    out.send(to_slow, 3).unwrap();
    out.send(to_fast, 4).unwrap();
    let report = engine.close(Duration::ZERO);
    let left: Vec<_> = (report.left.iter())
        .map(|left| {
            let holders: Vec<_> = left.held_by.iter().map(ToString::to_string).collect();
            (left.receiver.to_string(), left.unread, left.unnumbered, holders)
        })
        .collect();
    let slow_itself = vec!["slow".to_owned()];
    assert_eq!(
        left,
        [("slow".to_owned(), 1, 2, slow_itself.clone()), ("fast".to_owned(), 0, 1, slow_itself)]
    );
    // What was handed out can be read still.
    assert_eq!(slow.recv(), Ok((1.into(), 1)));
    assert_eq!(slow.recv(), Err(RecvError::Closed));
    assert_eq!(fast.recv(), Err(RecvError::Closed));
}

#[test]
fn who_waits_is_told() {
    for drive in drives() {
        let engine = Engine::builder().capacity(1).inbox(1).drive(drive).build().unwrap();
        let (mut tx, rx) = engine.channel();
        let (mut stamping, mut empty) = (tx.clone(), engine.receiver::<u32>());
        let shared = tx.clone().into_shared();
        tx.send(0).unwrap();
        engine.pass();
        let clock = engine.clock();
        let (told, tells) = mpsc::channel();
        let tell = |name: &'static str| {
            let told = told.clone();
            move |result: bool| told.send((name, result)).unwrap()
        };
        let waiting = [
            {
                let tell = tell("room");
                thread::spawn(move || tell(tx.send(1).is_err_and(|error| error.value == 1)))
            },
            {
                let tell = tell("number");
                thread::spawn(move || {
                    tell(stamping.send_stamped(2).is_err_and(|error| error.value == 2));
                })
            },
            {
                let tell = tell("shared");
                thread::spawn(move || {
                    shared.send(3).ok();
                    tell(shared.send(4).is_err_and(|error| error.value == 4));
                })
            },
            {
                let tell = tell("message");
                thread::spawn(move || tell(empty.recv() == Err(RecvError::Closed)))
            },
            {
                let tell = tell("clock");
                thread::spawn(move || tell(clock.wait_for(100.into()) == Err(WaitError)))
            },
        ];
        let report = engine.close(Duration::from_millis(20));
        assert!(!report.is_clean());
        for thread in waiting {
            thread.join().unwrap();
        }
        drop((told, rx));
        for (name, result) in tells {
            assert!(result, "{name}");
        }
    }
}

/// Authors go on until they are refused. What was sent is received; what was refused came back; nothing else is there.
#[test]
fn nothing_is_lost_between_sent_and_refused() {
    for round in 0..30 {
        let dropped = Arc::new(AtomicUsize::new(0));
        let engine = Engine::builder().capacity(8).build().unwrap();
        let (tx, mut rx) = engine.channel::<Counted>();
        let mut out = engine.outbox();
        let to = out.add(&rx.address()).unwrap();
        let shared = tx.clone().into_shared();
        let group = engine.group::<u64>();
        let mut member = group.subscribe();
        let mut all = group.broadcaster();
        let mut authors = Vec::new();
        for mut tx in [tx.clone(), tx] {
            let dropped = dropped.clone();
            authors.push(thread::spawn(move || {
                (0..).take_while(|_| tx.send(Counted(dropped.clone())).is_ok()).count()
            }));
        }
        let of_shared = dropped.clone();
        authors.push(thread::spawn(move || {
            (0..).take_while(|_| shared.send(Counted(of_shared.clone())).is_ok()).count()
        }));
        let of_out = dropped.clone();
        authors.push(thread::spawn(move || {
            (0..).take_while(|_| out.send(to, Counted(of_out.clone())).is_ok()).count()
        }));
        let broadcasts = thread::spawn(move || (0..).take_while(|&n| all.send(n).is_ok()).count());
        let receiver = thread::spawn(move || rx.messages().map(|(_, value)| drop(value)).count());
        let seen = thread::spawn(move || member.messages().count());
        while engine.clock().now().get() < 100 * (round + 1) {
            thread::yield_now();
        }
        let report = engine.close(LONG);
        let sent: usize = authors.into_iter().map(|author| author.join().unwrap()).sum();
        let sent_to_all = broadcasts.join().unwrap();
        let received = receiver.join().unwrap();
        let left: u64 = report.left.iter().map(|left| left.unread + left.unnumbered).sum();
        let seen = seen.join().unwrap();
        // One that its author was being given back may be counted as left.
        let counted = received + seen + left as usize;
        assert!(
            (sent + sent_to_all..=sent + sent_to_all + 5).contains(&counted),
            "sent {sent} + {sent_to_all}, received {received} + {seen}, {report:?}"
        );
        assert_eq!(report.clock.get() as usize, received + seen);
        drop((engine, group));
        // Each value once: received, refused (one for each author), or dropped with its lane.
        assert_eq!(dropped.load(Ordering::Relaxed), sent + 4);
    }
}

#[test]
fn nobody_joins_any_more() {
    let engine = Engine::new();
    let (tx, rx) = engine.channel::<u32>();
    let group = engine.group::<u32>();
    let address = rx.address();
    assert!(engine.close(LONG).is_clean());
    assert!(engine.sender(&address).is_err());
    assert!(engine.outbox().add(&address).is_err());
    let mut clone = tx.clone();
    assert!(clone.is_closed());
    assert_eq!(clone.send(1).unwrap_err().into_inner(), 1);
    assert_eq!(group.broadcaster().send(2).unwrap_err().into_inner(), 2);
    let (mut tx, mut rx) = engine.channel();
    assert_eq!(tx.send(3).unwrap_err().into_inner(), 3);
    assert_eq!(rx.recv(), Err(RecvError::Closed));
    assert_eq!(group.subscribe().recv(), Err(RecvError::Closed));
    assert!(engine.close(Duration::ZERO).is_clean()); // again
}

#[test]
fn a_batch_that_is_cut_tells_how_much_was_sent() {
    let engine = Engine::builder().capacity(4).build().unwrap();
    let (mut tx, mut rx) = engine.channel();
    let author = thread::spawn(move || tx.send_batch(0..));
    assert_eq!(rx.recv().unwrap().1, 0);
    let receiver = thread::spawn(move || 1 + rx.messages().count());
    assert!(engine.close(LONG).is_clean());
    let error = author.join().unwrap().unwrap_err();
    assert_eq!(error.sent, receiver.join().unwrap());
    let rest: Vec<_> = error.returned.into_iter().chain(error.rest.take(1)).collect();
    assert_eq!(rest[0], error.sent);
}

#[test]
fn a_receiver_that_asks_no_more_holds_up_nobody_when_it_has_all() {
    let engine = Engine::new();
    let (mut tx, mut rx) = engine.channel();
    tx.send_stamped(1).unwrap();
    let (go, gone) = mpsc::channel::<()>();
    let receiver = thread::spawn(move || {
        assert_eq!(rx.recv().unwrap().1, 1);
        gone.recv().ok(); // it has it in its hands, and does not ask
    });
    assert!(engine.close(LONG).is_clean());
    drop(go);
    receiver.join().unwrap();
}
