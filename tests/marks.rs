//! Marks: numbers for events without a receiver, what hangs on them, gates, and fences.

#![cfg(not(loom))]

#[path = "marks/continuations.rs"]
mod continuations;
#[allow(dead_code, reason = "each test file takes what it needs")]
#[path = "tasks/executors.rs"]
mod executors;
#[path = "marks/fences.rs"]
mod fences;
#[path = "marks/gates.rs"]
mod gates;
#[path = "marks/outboxes.rs"]
mod outboxes;
#[path = "marks/storms.rs"]
mod storms;
mod support;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed, Ordering::SeqCst};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use executors::block_on;
use mainspring::{Drive, Engine, Event, Marker, Seq, WaitError, WaitTimeoutError, parts};
use support::{TILL_ASLEEP, by_hand, engines, to_the_end, until, until_kicked_since};

pub(crate) fn seq(number: u64) -> Seq {
    Seq::new(number)
}

/// Goal: a mark takes one number, among those of messages, and the clock covers it. Method: both by turns, in each
/// drive.
#[test]
fn a_mark_takes_the_next_number() {
    for engine in engines() {
        let (mut tx, mut rx) = engine.channel();
        let marker = engine.marker();
        for round in 0..100 {
            assert_eq!(tx.send_stamped(round).unwrap(), seq(3 * round + 1));
            assert_eq!(marker.mark().unwrap(), seq(3 * round + 2));
            assert!(engine.clock().now() >= seq(3 * round + 2));
            let mut ticket = marker.submit();
            assert_eq!(ticket.wait().unwrap(), seq(3 * round + 3));
            assert_eq!(ticket.seq(), Some(seq(3 * round + 3)));
            assert_eq!(rx.recv().unwrap(), (seq(3 * round + 1), round));
        }
        assert_eq!(rx.try_recv_event().unwrap(), Event::Clock(seq(300)));
    }
}

/// Goal: the first number of marks, too, is the one after that chosen. Method: an engine that starts late.
#[test]
fn a_mark_begins_where_the_engine_does() {
    let engine = Engine::builder().start_after(seq(41)).build().unwrap();
    assert_eq!(engine.marker().mark().unwrap(), seq(42));
}

/// Goal: with passes by hand a mark waits for one, and asks for it. Method: a hook that counts, a wait with a limit.
#[test]
fn by_hand_a_mark_waits_for_a_pass() {
    let due = Arc::new(AtomicU64::new(0));
    let hook = due.clone();
    let drive = Drive::manual(move || {
        hook.fetch_add(1, SeqCst);
    });
    let engine = Engine::builder().drive(drive).build().unwrap();
    let before = due.load(SeqCst);
    let mut ticket = engine.marker().submit();
    assert!(due.load(SeqCst) > before);
    assert_eq!(ticket.seq(), None);
    assert_eq!(ticket.wait_timeout(Duration::from_millis(1)), Err(WaitTimeoutError::Timeout));
    engine.pass();
    assert_eq!(ticket.seq(), Some(seq(1)));
    assert_eq!(ticket.wait_timeout(Duration::ZERO), Ok(seq(1)));
}

/// Goal: marks of one author have their numbers in the order submitted, before whatever is sent later, and one that is
/// made at once does not overtake one that was submitted. Method: passes by hand, and callers.
#[test]
fn marks_come_in_the_order_submitted() {
    let engine = by_hand();
    let (mut tx, mut rx) = engine.channel();
    tx.send("before").unwrap();
    let marker = engine.marker();
    let tickets: Vec<_> = (0..10).map(|_| marker.submit()).collect();
    tx.send("after").unwrap();
    engine.pass();
    let numbers: Vec<_> = tickets.iter().map(|ticket| ticket.seq().unwrap().get()).collect();
    assert_eq!(numbers, (1..=10).collect::<Vec<_>>());
    // Nothing was promised of what was sent before.
    assert_eq!(rx.try_recv().unwrap(), (seq(11), "before"));
    assert_eq!(rx.try_recv().unwrap(), (seq(12), "after"));

    let engine = Engine::new();
    let marker = engine.marker();
    for round in 0..100 {
        let submitted = marker.submit();
        assert_eq!(marker.mark().unwrap(), seq(2 * round + 2));
        assert_eq!(submitted.seq(), Some(seq(2 * round + 1)));
    }
}

/// Goal: what is sent after a mark was submitted has a higher number, whoever passes; every number is given once; and
/// whoever reads the clock at t reads the number of every mark up to t. Method: threads that submit and send, and one
/// that reads the clock and then what was marked last.
#[test]
fn a_message_that_follows_a_mark_has_a_higher_number() {
    const ROUNDS: u64 = 20_000;
    for engine in engines() {
        let (tx, mut rx) = engine.channel();
        let ended = Arc::new(AtomicBool::new(false));
        let authors: Vec<_> = (0..2)
            .map(|_| (engine.marker(), tx.clone()))
            .map(|(marker, mut tx)| {
                thread::spawn(move || {
                    let mut tickets = Vec::new();
                    for round in 0..ROUNDS {
                        tickets.push(marker.submit());
                        tx.send((tickets.len() - 1) as u64).unwrap();
                        if round % 3 == 0 {
                            let made = marker.mark().unwrap();
                            assert!(made > tickets[tickets.len() - 1].seq().unwrap());
                        }
                    }
                    tickets.iter_mut().map(|ticket| ticket.wait().unwrap()).collect::<Vec<_>>()
                })
            })
            .collect();
        drop(tx);
        let (clock, marker, over) = (engine.clock(), engine.marker(), ended.clone());
        let reader = thread::spawn(move || {
            while !over.load(Relaxed) {
                let ticket = marker.submit();
                let now = clock.now();
                // Its number is known, or above what the clock said.
                if let Some(number) = ticket.seq() {
                    assert!(number <= clock.now() || number > now);
                }
                let number = marker.mark().unwrap();
                assert!(ticket.seq().unwrap() < number, "it was submitted before");
            }
        });
        let mut received = Vec::new();
        for (number, _) in rx.messages() {
            received.push(number);
        }
        assert!(received.is_sorted());
        ended.store(true, Relaxed);
        reader.join().unwrap();
        let mut numbers: Vec<_> = received.clone();
        for author in authors {
            let marks = author.join().unwrap();
            assert!(marks.is_sorted());
            numbers.extend(marks);
        }
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len() as u64, 2 * ROUNDS + received.len() as u64, "none twice");
    }
}

/// Goal: each message of an author lies above the mark that it had submitted just before. Method: the author tells the
/// receiver which mark that was, by a list under a lock.
#[test]
fn the_receiver_finds_the_mark_below_the_message() {
    to_the_end(|| {
        let engine = Engine::new();
        let (mut tx, mut rx) = engine.channel();
        let marker = engine.marker();
        let author = thread::spawn(move || {
            for _ in 0..50_000 {
                // The mark goes with the message.
                if tx.send(marker.submit()).is_err() {
                    break;
                }
            }
        });
        for (number, ticket) in rx.messages() {
            let marked = ticket.seq().expect("whoever has the message can read the mark");
            assert!(marked < number);
        }
        author.join().unwrap();
    });
}

/// Goal: a mark can be submitted by a destructor, on whatever thread that runs, and while the engine passes. Method: a
/// value that marks when it is dropped: unread, by a leaving receiver; in `recv`; in a continuation.
#[test]
fn a_destructor_can_mark() {
    struct Marks(Marker, Arc<AtomicU64>);
    impl Drop for Marks {
        fn drop(&mut self) {
            drop(self.0.submit());
            self.0.mark().unwrap();
            self.1.fetch_add(1, SeqCst);
        }
    }
    for engine in engines() {
        let dropped = Arc::new(AtomicU64::new(0));
        let (mut tx, mut rx) = engine.channel();
        for _ in 0..4 {
            tx.send(Marks(engine.marker(), dropped.clone())).unwrap();
        }
        drop(rx.recv().unwrap());
        drop(rx);
        assert_eq!(dropped.load(SeqCst), 4);
        let value = Marks(engine.marker(), dropped.clone());
        drop(engine.marker().submit_then(move |_| drop(value)));
        until(|| dropped.load(SeqCst) == 5);
    }
}

/// Goal: a task waits for a mark, is woken once, and a dropped ticket wakes nobody. Method: polls by hand.
#[test]
fn a_task_waits_for_a_mark() {
    use std::future::Future;
    use std::pin::Pin;
    use std::task::{Context, Wake, Waker};
    #[derive(Default)]
    struct Count(AtomicU64);
    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, SeqCst);
        }
    }
    let count = Arc::new(Count::default());
    let waker = Waker::from(count.clone());
    let mut cx = Context::from_waker(&waker);
    let engine = by_hand();
    let mut ticket = engine.marker().submit();
    for _ in 0..TILL_ASLEEP {
        assert!(Pin::new(&mut ticket).poll(&mut cx).is_pending());
    }
    let before = count.0.load(SeqCst);
    let mut dropped = engine.marker().submit();
    for _ in 0..TILL_ASLEEP {
        assert!(Pin::new(&mut dropped).poll(&mut cx).is_pending());
    }
    drop(dropped);
    engine.pass();
    assert_eq!(count.0.load(SeqCst), before + 1);
    assert_eq!(Pin::new(&mut ticket).poll(&mut cx), std::task::Poll::Ready(Ok(seq(1))));
    assert_eq!(engine.clock().now(), seq(2), "a dropped ticket takes nothing back");
    drop(ticket);
    assert_eq!(Arc::strong_count(&count), 2, "no waker is left");
}

/// Goal: threads and tasks that wait for marks are all woken, whoever passes. Method: many of both, beside each other.
#[test]
fn many_wait_for_marks() {
    to_the_end(|| {
        for engine in engines() {
            let threads: Vec<_> = (0..4)
                .map(|nth| {
                    let marker = engine.marker();
                    thread::spawn(move || {
                        for _ in 0..2_000 {
                            if nth % 2 == 0 {
                                marker.submit().wait().unwrap();
                            } else {
                                block_on(marker.submit()).unwrap();
                            }
                        }
                    })
                })
                .collect();
            threads.into_iter().for_each(|thread| thread.join().unwrap());
            assert_eq!(engine.clock().now(), seq(8_000));
        }
    });
}

/// Goal: one who sleeps for the clock hears of a mark, also of one that is made at once. Method: a sleeper, then the
/// mark.
#[test]
fn a_mark_moves_the_clock() {
    to_the_end(|| {
        for at_once in [false, true] {
            let engine = Engine::new();
            let (clock, before) = (engine.clock(), parts::kicks(&engine));
            let sleeper = thread::spawn(move || clock.wait_for(seq(1)));
            until_kicked_since(&engine, before);
            let marker = engine.marker();
            let number = if at_once { marker.mark() } else { marker.submit().wait() };
            assert_eq!(number, Ok(seq(1)));
            assert_eq!(sleeper.join().unwrap(), Ok(seq(1)));
        }
    });
}

/// Goal: in a closed engine there are no marks, and nobody waits for one. Method: tickets from before the close and
/// after it; one that waits.
#[test]
fn a_closed_engine_gives_no_marks() {
    to_the_end(|| {
        let engine = by_hand();
        let marker = engine.marker();
        let (mut waiting, mut ticket) = (marker.submit(), marker.submit());
        let prepared = marker.prepare();
        let before = parts::kicks(&engine);
        let (tx, _rx) = engine.channel::<u8>();
        let gate = marker.gate(&[tx.source()]).unwrap();
        let waiter = thread::spawn(move || waiting.wait());
        parts::poison(&engine);
        assert_eq!(waiter.join().unwrap(), Err(WaitError));
        assert!(parts::kicks(&engine) >= before);
        assert_eq!(ticket.wait(), Err(WaitError));
        assert_eq!(ticket.seq(), None);
        assert_eq!(gate.seq(), None);
        assert_eq!(block_on(gate), Err(WaitError));
        assert_eq!(prepared.fire().wait(), Err(WaitError));
        assert_eq!(marker.mark(), Err(WaitError));
        assert_eq!(block_on(marker.submit()), Err(WaitError));
    });
}

/// Goal: a close that is in order gives the marks that were submitted before their numbers. Method: marks, then close.
#[test]
fn a_close_numbers_what_was_submitted() {
    for engine in engines() {
        let mut tickets: Vec<_> = (0..10).map(|_| engine.marker().submit()).collect();
        let report = engine.close(Duration::from_secs(5));
        assert_eq!(report.clock, seq(10));
        assert!(tickets.iter_mut().all(|ticket| ticket.wait().is_ok()));
    }
}

/// Goal: to fire what was prepared is the same from many threads at once, and none is lost. Method: a barrier.
#[test]
fn what_was_prepared_fires_from_anywhere() {
    let engine = Engine::new();
    let barrier = Arc::new(Barrier::new(4));
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let marker = engine.marker();
            let prepared: Vec<_> = (0..500).map(|_| marker.prepare()).collect();
            let unused = marker.prepare();
            let barrier = barrier.clone();
            thread::spawn(move || {
                barrier.wait();
                drop(unused);
                let mut tickets: Vec<_> =
                    prepared.into_iter().map(|prepared| prepared.fire()).collect();
                let numbers: Vec<_> = tickets.iter_mut().map(|t| t.wait().unwrap()).collect();
                assert!(numbers.is_sorted());
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(engine.clock().now(), seq(2_000));
}

/// Goal: timestamps cover marks. Method: the clock's record after a mark of each kind.
#[test]
fn marks_have_times() {
    let engine = Engine::builder().timestamps(true).build().unwrap();
    engine.marker().mark().unwrap();
    let first = engine.clock().read();
    assert_eq!(first.seq, seq(1));
    engine.marker().submit().wait().unwrap();
    let second = engine.clock().read();
    assert_eq!(second.seq, seq(2));
    assert!(first.published_at.unwrap() <= second.published_at.unwrap());
}
