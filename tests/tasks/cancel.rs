//! Futures that are dropped before they are ready, at each point: nothing is lost, and nobody is left asleep.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread;

use mainspring::{Engine, Event, Merge, Seq, parts};
use smol::stream::StreamExt;

use crate::executors::{Job, all, block_on, counter, job, poll_once, poll_times, yield_now};
use crate::support::{Drops, TILL_ASLEEP, to_the_end};

/// The last points are where it sleeps.
const POINTS: usize = TILL_ASLEEP;

const EACH: u64 = 200;

/// Receives until it closes; each receive gets 1, 2, … polls, until it is ready or given up.
macro_rules! receive_in_pieces {
    ($rx:ident, $form:expr, $note:ident) => {
        for polls in (1..=POINTS).cycle() {
            // Of one that was ready: whether there is more to come.
            let ready = match $form {
                0 => {
                    let got = poll_times(polls, $rx.recv_async()).await;
                    got.map(|got| got.map(|(_, (n, _))| $note(n)).is_ok())
                }
                1 => {
                    let batch = $rx.recv_batch_async(2, |_, (n, _)| $note(n));
                    poll_times(polls, batch).await.map(|got| got.is_ok())
                }
                2 => {
                    let got = poll_times(polls, $rx.recv_event_async()).await;
                    if let Some(Ok(Event::Message(_, (n, _)))) = &got {
                        $note(*n);
                    }
                    got.map(|got| got.is_ok())
                }
                _ => {
                    let got = poll_times(polls, $rx.next()).await;
                    got.map(|got| got.map(|(_, (n, _))| $note(n)).is_some())
                }
            };
            match ready {
                Some(true) => {}
                Some(false) => break,
                None => yield_now().await,
            }
        }
    };
}

/// Goal: a receive that is given up takes nothing, whatever its form and wherever it is given up. Method: each receive
/// gets 1, 2, … polls, until it is ready or given up; all that was sent comes, in order, and what is dropped is
/// counted.
#[test]
fn a_dropped_receive_takes_nothing() {
    for &runtime in all() {
        to_the_end(move || {
            let engine = Engine::builder().capacity(4).inbox(4).build().unwrap();
            let mut jobs: Vec<Job> = Vec::new();
            let drops = Drops::default();
            let got = Arc::new(AtomicUsize::new(0));
            for form in 0..8 {
                let (mut tx, mut rx) = engine.channel();
                let (drops, got) = (drops.clone(), got.clone());
                jobs.push(job(async move {
                    for n in 0..EACH {
                        tx.send_async((n, drops.value())).await.unwrap();
                        if n % 3 == 0 {
                            yield_now().await;
                        }
                    }
                }));
                jobs.push(job(async move {
                    let mut next = 0;
                    let mut note = |n| {
                        assert_eq!(n, next, "form {form}");
                        next += 1;
                        got.fetch_add(1, SeqCst);
                    };
                    if form < 4 {
                        receive_in_pieces!(rx, form, note);
                    } else {
                        let mut rx = Merge::new([rx]).unwrap();
                        receive_in_pieces!(rx, form - 4, note);
                    }
                }));
            }
            drop(engine);
            runtime.run(jobs);
            assert_eq!((got.load(SeqCst), drops.count()), (8 * EACH as usize, 8 * EACH as usize));
        });
    }
}

/// Goal: a send that is given up has not sent, and gives its value back; one that waited for its number has sent, and
/// says so. Method: a lane of one and an inbox of one; what came is what was not given back.
#[test]
fn a_dropped_send_has_not_sent() {
    for &runtime in all() {
        to_the_end(move || {
            let engine = Engine::builder().capacity(1).inbox(1).build().unwrap();
            let (mut tx, mut rx) = engine.channel::<u64>();
            let mut stamps = tx.clone();
            let mut out = engine.outbox();
            let to = out.add(&rx.address()).unwrap();
            let jobs = vec![
                job(async move {
                    for n in 0..EACH {
                        for polls in (1..=POINTS).cycle() {
                            let mut sending = tx.send_async(2 * n);
                            if poll_times(polls, &mut sending).await.is_some() {
                                break;
                            }
                            assert_eq!(sending.into_inner(), Some(2 * n));
                            yield_now().await;
                        }
                    }
                }),
                job(async move {
                    for n in 0..EACH {
                        for polls in (1..=POINTS).cycle() {
                            let mut stamping = stamps.send_stamped_async(2 * n + 1);
                            if poll_times(polls, &mut stamping).await.is_some() {
                                break;
                            }
                            if stamping.into_inner().is_none() {
                                break;
                            }
                            yield_now().await;
                        }
                    }
                }),
                job(async move {
                    for n in 0..EACH {
                        for polls in (1..=POINTS).cycle() {
                            // The value goes with it: what came tells.
                            let sending = Box::pin(out.send_async(to, 1_000_000 + n));
                            if poll_times(polls, sending).await.is_some() {
                                break;
                            }
                            yield_now().await;
                        }
                    }
                }),
                job(async move {
                    let mut next = [0, 1, 1_000_000];
                    while let Some((_, n)) = rx.next().await {
                        let author = if n >= 1_000_000 { 2 } else { n as usize % 2 };
                        assert_eq!(n, next[author]);
                        next[author] += if author == 2 { 1 } else { 2 };
                        if n % 5 == 0 {
                            yield_now().await;
                        }
                    }
                    assert_eq!(next, [2 * EACH, 2 * EACH + 1, 1_000_000 + EACH]);
                }),
            ];
            drop(engine);
            runtime.run(jobs);
        });
    }
}

/// Goal: one that sleeps and is given up takes its waker with it, at once, and those who sleep beside it are woken all
/// the same, thread or task. Method: a waker's owners are counted before and after; another receiver, a clock waiter
/// and a progress waiter sleep as tasks, a fourth as a thread.
#[test]
fn who_gives_up_leaves_no_waker_and_nobody_asleep() {
    to_the_end(|| {
        let engine = Engine::builder().capacity(1).inbox(1).build().unwrap();
        let (mut tx, mut rx) = engine.channel::<u64>();
        let (mut full, mut unread) = engine.channel::<u64>();
        full.send_stamped(0).unwrap();
        let (clock, progress) = (engine.clock(), rx.progress());
        let (waker, count) = counter();
        let alone = Arc::strong_count(&count);
        macro_rules! sleeps_and_goes {
            ($future:expr) => {
                let mut future = $future;
                for _ in 0..TILL_ASLEEP {
                    assert!(poll_once(&mut future, &waker).is_pending());
                }
                assert!(Arc::strong_count(&count) > alone, "it does not sleep");
                drop(future);
                assert_eq!(Arc::strong_count(&count), alone, "a waker is left");
            };
        }
        for _ in 0..3 {
            while rx.try_recv_event().is_ok() {}
            let kicks = parts::kicks(&engine);
            let other = thread::spawn({
                let (clock, progress) = (engine.clock(), rx.progress());
                let next = Seq::new(clock.now().get() + 1);
                move || {
                    block_on(clock.reached(next)).unwrap();
                    progress.wait_for(next).unwrap();
                }
            });
            crate::support::until_kicked_since(&engine, kicks);
            sleeps_and_goes!(rx.recv_async());
            sleeps_and_goes!(rx.recv_event_async());
            sleeps_and_goes!(rx.recv_batch_async(1, |_, _| ()));
            sleeps_and_goes!(full.send_async(1));
            sleeps_and_goes!(clock.reached(Seq::MAX));
            sleeps_and_goes!(progress.reached(Seq::MAX));
            // Nobody of the engine's drives but the sender, who is asked for it.
            tx.send(1).unwrap();
            assert_eq!(rx.recv().map(|(_, n)| n), Ok(1));
            assert!(rx.try_recv().is_err());
            other.join().unwrap();
        }
        while rx.try_recv_event().is_ok() {}
        let mut merge = Merge::new([rx]).unwrap();
        sleeps_and_goes!(merge.recv_async());
        sleeps_and_goes!(merge.recv_event_async());
        assert_eq!(unread.recv().map(|(_, n)| n), Ok(0));
        // Published, then given up.
        let mut stamps = full.clone();
        full.send_stamped(2).unwrap();
        sleeps_and_goes!(stamps.send_stamped_async(3));
        assert_eq!(unread.recv().map(|(_, n)| n), Ok(2));
        assert_eq!(unread.recv().map(|(_, n)| n), Ok(3));
        assert_eq!(stamps.stamped().unwrap(), engine.clock().now());
    });
}
