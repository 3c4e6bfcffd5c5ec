//! What is to happen once a mark has its number.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use mainspring::{Engine, WaitError, parts};
use parking_lot::Mutex;

use crate::seq;
use crate::support::{Drops, by_hand, engines, to_the_end, until};

/// Goal: a continuation is told the number, when the clock has come to it. Method: each drive.
#[test]
fn a_continuation_is_told_the_number() {
    for engine in engines() {
        let told = Arc::new(AtomicU64::new(0));
        let (tell, clock) = (told.clone(), engine.clock());
        let mut ticket = engine.marker().submit_then(move |outcome| {
            let number = outcome.unwrap();
            assert!(clock.now() >= number);
            tell.store(number.get(), SeqCst);
        });
        assert_eq!(ticket.wait(), Ok(seq(1)));
        until(|| told.load(SeqCst) == 1);
    }
}

/// Goal: those of one engine run in the order of their numbers, none is lost, and no more than 64 without a pass
/// between. Method: more than 64 at once, and threads beside each other.
#[test]
fn continuations_run_in_the_order_of_their_numbers() {
    let engine = by_hand();
    let ran = Arc::new(Mutex::new(Vec::new()));
    let (marker, before) = (engine.marker(), parts::passes(&engine).unwrap());
    for _ in 0..1_000 {
        let ran = ran.clone();
        drop(marker.submit_then(move |outcome| ran.lock().push(outcome.unwrap().get())));
    }
    engine.pass();
    assert_eq!(*ran.lock(), (1..=1_000).collect::<Vec<_>>());
    assert!(parts::passes(&engine).unwrap() - before >= 1_000 / 64, "passes between them");

    for engine in engines() {
        let ran = Arc::new(Mutex::new(Vec::new()));
        let threads: Vec<_> = (0..3)
            .map(|_| {
                let (marker, ran) = (engine.marker(), ran.clone());
                thread::spawn(move || {
                    for _ in 0..3_000 {
                        let ran = ran.clone();
                        drop(marker.submit_then(move |outcome| {
                            ran.lock().push(outcome.unwrap());
                        }));
                    }
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        until(|| ran.lock().len() == 9_000);
        assert!(ran.lock().is_sorted());
    }
}

/// Goal: a continuation may use the engine as anyone: send, join, mark, wait, drop, submit more. Method: one that does
/// all of it, again and again, from the last.
#[test]
fn a_continuation_may_use_the_engine() {
    to_the_end(|| {
        for engine in engines() {
            let (tx, mut rx) = engine.channel();
            fn next(engine: &Engine, mut tx: mainspring::Sender<u32>, left: u32) {
                let again = engine.clone();
                drop(engine.marker().submit_then(move |outcome| {
                    let number = outcome.unwrap();
                    let mut other = tx.clone();
                    assert!(other.send_stamped(left).unwrap() > number);
                    assert!(again.marker().mark().unwrap() > number);
                    assert!(again.marker().submit().wait().unwrap() > number);
                    let (mut own, mut rx) = again.channel();
                    let sent = own.send_stamped(left).unwrap();
                    assert_eq!(rx.try_recv().unwrap(), (sent, left));
                    tx.send(left).unwrap();
                    if left > 0 {
                        next(&again, tx, left - 1);
                    }
                }));
            }
            next(&engine, tx, 200);
            let received: Vec<_> = rx.messages().map(|(_, left)| left).collect();
            assert_eq!(received.len(), 402);
        }
    });
}

/// Goal: one that panics harms nobody, and what it held is dropped. Method: some that panic among others, with a
/// payload that panics when it is dropped.
#[test]
fn a_continuation_may_panic() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("a payload that panics");
        }
    }
    to_the_end(|| {
        for engine in engines() {
            let (ran, drops) = (Arc::new(AtomicU64::new(0)), Drops::default());
            for nth in 0..30 {
                let (ran, value) = (ran.clone(), drops.value());
                drop(engine.marker().submit_then(move |_| {
                    let _held = value;
                    match nth % 3 {
                        0 => panic!("one that panics"),
                        1 if nth == 1 => std::panic::panic_any(Bomb),
                        _ => ran.fetch_add(1, SeqCst),
                    };
                }));
            }
            until(|| ran.load(SeqCst) == 19 && drops.count() == 30);
            let (mut tx, mut rx) = engine.channel();
            tx.send(1).unwrap();
            assert_eq!(rx.recv().unwrap(), (seq(31), 1));
        }
    });
}

/// Goal: while one takes its time, others pass and number, and their continuations wait. Method: one that waits for
/// what another thread does with the engine.
#[test]
fn a_slow_continuation_holds_up_only_others() {
    to_the_end(|| {
        let engine = Engine::new();
        let (mut go, mut gone) = engine.channel();
        let second = Arc::new(AtomicU64::new(0));
        let marker = engine.marker();
        let slow = thread::spawn(move || {
            drop(marker.submit_then(move |_| {
                assert_eq!(gone.recv().unwrap().1, "go");
            }));
        });
        until(|| engine.clock().now() >= seq(1));
        let ran = second.clone();
        drop(engine.marker().submit_then(move |outcome| {
            ran.store(outcome.unwrap().get(), SeqCst);
        }));
        assert_eq!(engine.marker().mark(), Ok(seq(3)));
        assert_eq!(second.load(SeqCst), 0, "not before the first is over");
        go.send("go").unwrap();
        slow.join().unwrap();
        until(|| second.load(SeqCst) == 2);
    });
}

/// Goal: when the engine is closed, continuations are told, each once. Method: a pass that never came; one submitted
/// after the end.
#[test]
fn continuations_are_told_of_the_end() {
    let engine = by_hand();
    let (marker, told) = (engine.marker(), Arc::new(AtomicU64::new(0)));
    let prepare = || {
        let told = told.clone();
        marker.prepare_then(move |outcome| {
            assert_eq!(outcome, Err(WaitError));
            told.fetch_add(1, SeqCst);
        })
    };
    drop(prepare().fire());
    let (tx, _rx) = engine.channel::<u8>();
    let shut = told.clone();
    let gate = marker.gate_then(&[tx.source()], move |outcome| {
        assert_eq!(outcome, Err(WaitError));
        shut.fetch_add(1, SeqCst);
    });
    drop(gate.unwrap());
    let late = prepare();
    assert_eq!(told.load(SeqCst), 0);
    parts::poison(&engine);
    assert_eq!(told.load(SeqCst), 2);
    drop(late.fire());
    assert_eq!(told.load(SeqCst), 3);
}

/// Goal: what hangs on a mark that nobody will ever number goes with the engine, also a long row of them. Method: by
/// hand, everything dropped without a pass.
#[test]
fn what_was_never_numbered_is_dropped() {
    let drops = Drops::default();
    let engine = by_hand();
    let marker = engine.marker();
    for _ in 0..100_000 {
        let value = drops.value();
        drop(marker.submit_then(move |_| drop(value)));
    }
    drop(marker.prepare_then({
        let value = drops.value();
        move |_| drop(value)
    }));
    assert_eq!(drops.count(), 1, "prepared, and never fired");
    drop((marker, engine));
    assert_eq!(drops.count(), 100_001);
}

/// Goal: an engine is closed by a continuation. Method: one that closes it, and is done.
#[test]
fn a_continuation_may_close_the_engine() {
    to_the_end(|| {
        for engine in engines() {
            let (tx, mut rx) = engine.channel::<u8>();
            let closes = engine.clone();
            drop(engine.marker().submit_then(move |_| {
                assert!(closes.close(Duration::from_secs(1)).is_clean());
            }));
            assert!(rx.recv().is_err());
            until(|| engine.is_closed());
            drop(tx);
        }
    });
}
