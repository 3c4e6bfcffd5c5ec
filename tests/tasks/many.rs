//! Ten thousand tasks on one engine.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::thread;

use mainspring::{Engine, Seq};

use crate::executors::{Job, Runtime, all, counter, job, only_own, poll_once};
use crate::support::{TILL_ASLEEP, to_the_end, until};

const MANY: usize = 10_000;

/// Goal: ten thousand receivers sleep as tasks and hear each of their messages, once. Method: each has a lane; a thread
/// sends to all of them, three times round, when all have had the round before.
#[test]
fn receivers() {
    for &runtime in all().iter().filter(|&&runtime| runtime != Runtime::Spurious) {
        to_the_end(move || {
            let engine = Engine::builder().capacity(1).inbox(2).build().unwrap();
            let came = Arc::new(AtomicU64::new(0));
            let (mut senders, jobs): (Vec<_>, Vec<Job>) = (0..MANY)
                .map(|_| {
                    let (tx, mut rx) = engine.channel::<u64>();
                    let came = came.clone();
                    let work = job(async move {
                        let mut next = 0;
                        while let Ok((_, n)) = rx.recv_async().await {
                            assert_eq!(n, next);
                            next += 1;
                            came.fetch_add(1, SeqCst);
                        }
                        assert_eq!(next, 3);
                    });
                    (tx, work)
                })
                .unzip();
            let (all, clock) = (came.clone(), engine.clock());
            let sender = thread::spawn(move || {
                for round in 0..3 {
                    for tx in &mut senders {
                        tx.send(round).unwrap();
                    }
                    until(|| all.load(SeqCst) == (round + 1) * MANY as u64);
                }
            });
            runtime.run(jobs);
            sender.join().unwrap();
            assert_eq!(clock.now().get(), 3 * MANY as u64);
        });
    }
}

/// Goal: ten thousand who wait for the clock, each for a number of its own, are woken when it has come, about once
/// each. Method: they are polled only when they were woken; all wake-ups are counted.
#[test]
fn clock_waiters() {
    to_the_end(|| {
        let engine = Engine::new();
        let (mut tx, mut rx) = engine.channel::<u64>();
        let clock = engine.clock();
        let (waker, count) = counter();
        // In an order that is not that of the numbers.
        let mut waits: Vec<_> =
            (0..MANY).map(|at| clock.reached(Seq::new(1 + (at * 7919 % MANY) as u64))).collect();
        for wait in &mut waits {
            (0..TILL_ASLEEP).for_each(|_| assert!(poll_once(wait, &waker).is_pending()));
        }
        let before = count.count();
        for n in 1..=MANY as u64 {
            tx.send(n).unwrap();
            assert_eq!(rx.recv(), Ok((Seq::new(n), n)));
            // Whoever passed has woken whom it has passed, and nobody else.
            assert!(count.count() - before >= n as usize, "{n} has come, and nobody was told");
        }
        let woken = count.count() - before;
        assert!(woken <= MANY + MANY / 100, "{woken} wake-ups of {MANY} sleepers");
        for wait in &mut waits {
            assert!(poll_once(wait, &waker).is_ready());
        }
    });
}

/// Goal: who waits for a number far away hears of it although others, lower ones, came before, and nobody drives but
/// the sender, who is asked to. Method: the receiver does nothing; a sleeper, then two; plain sends.
#[test]
fn a_number_after_others_is_heard() {
    to_the_end(|| {
        let engine = Engine::new();
        let (mut tx, _busy) = engine.channel::<u64>();
        let clock = engine.clock();
        for sleepers in 1..=2 {
            let now = clock.now().get();
            let (waker, count) = counter();
            let (mut near, mut far) =
                (clock.reached(Seq::new(now + 20)), clock.reached(Seq::new(now + 60)));
            for _ in 0..TILL_ASLEEP {
                assert!(poll_once(&mut far, &waker).is_pending());
                assert!(sleepers == 1 || poll_once(&mut near, &waker).is_pending());
            }
            let before = count.count();
            (0..60).for_each(|n| tx.send(n).unwrap());
            assert_eq!(count.count() - before, sleepers);
            assert!(poll_once(&mut far, &waker).is_ready());
        }
    });
}

/// Goal: the same of a receiver's progress, while the clock is far ahead, or moves on with it; and by tasks in an
/// executor. Method: as above; a thread handles one message after the other.
#[test]
fn progress_waiters() {
    for ahead in [false, true] {
        to_the_end(move || {
            let engine = Engine::builder().capacity(MANY).inbox(MANY).build().unwrap();
            let (mut tx, mut rx) = engine.channel::<u64>();
            let progress = rx.progress();
            let (waker, count) = counter();
            if ahead {
                tx.send_batch(1..=MANY as u64).unwrap();
                tx.stamped().unwrap();
            }
            let mut waits: Vec<_> = (0..MANY)
                .map(|at| progress.reached(Seq::new(1 + (at * 7919 % MANY) as u64)))
                .collect();
            for wait in &mut waits {
                (0..TILL_ASLEEP).for_each(|_| assert!(poll_once(wait, &waker).is_pending()));
            }
            let before = count.count();
            for n in 1..=MANY as u64 {
                if !ahead {
                    tx.send_stamped(n).unwrap();
                }
                assert_eq!(rx.recv(), Ok((Seq::new(n), n)));
                assert!(count.count() - before + 1 >= n as usize, "{n} is handled, nobody told");
            }
            assert!(rx.try_recv().is_err());
            let woken = count.count() - before;
            // Those who are woken by the clock look, and wait on for the receiver.
            for wait in &mut waits {
                assert!(poll_once(wait, &waker).is_ready());
            }
            let most = if ahead { MANY + MANY / 100 } else { 2 * MANY + MANY / 50 };
            assert!((MANY..=most).contains(&woken), "{woken} wake-ups of {MANY} sleepers");
        });
    }
    to_the_end(|| {
        let engine = Engine::new();
        let (mut tx, mut rx) = engine.channel::<u64>();
        let done = Arc::new(AtomicU64::new(0));
        let jobs: Vec<Job> = (1..=MANY as u64)
            .map(|n| {
                let (progress, clock, done) = (rx.progress(), engine.clock(), done.clone());
                job(async move {
                    assert!(progress.reached(Seq::new(n)).await.unwrap().get() >= n);
                    assert!(clock.now().get() >= n && done.load(SeqCst) >= n);
                })
            })
            .collect();
        let reader = thread::spawn(move || {
            for (_, n) in rx.messages() {
                done.store(n, SeqCst);
            }
            rx
        });
        let writer = thread::spawn(move || tx.send_batch(1..=MANY as u64).map(drop).unwrap());
        let runtime = if only_own() { Runtime::Queue } else { Runtime::TokioMany };
        runtime.run(jobs);
        writer.join().unwrap();
        drop(reader.join().unwrap());
    });
}
