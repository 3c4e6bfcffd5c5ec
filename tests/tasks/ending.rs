//! Everything goes, in any order, while tasks wait: nobody is left asleep, and nothing is dropped twice or never.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread;

use mainspring::{Drive, Engine, Follower, Idle, Merge, Progress, Reason, Seq, parts};
use smol::stream::StreamExt;

use crate::executors::{Job, all, counter, job, poll_once};
use crate::support::{Drops, TILL_ASLEEP, to_the_end, until, until_kicked_since};

/// Goal: a receiver's end wakes those who send to it, the last source's end those who receive, also as events, as a
/// merge or a follower; values come back. Method: all of them sleep in every executor; then a thread drops the other
/// ends.
#[test]
fn an_end_wakes_every_task() {
    for &runtime in all() {
        to_the_end(move || {
            let engine = Engine::builder().capacity(1).inbox(1).build().unwrap();
            let mut jobs: Vec<Job> = Vec::new();
            let ended = Arc::new(AtomicUsize::new(0));
            let mut others: Vec<Box<dyn Send>> = Vec::new();
            for form in 0..6 {
                let (tx, mut rx) = engine.channel::<u64>();
                others.push(Box::new(tx));
                let ended = ended.clone();
                jobs.push(job(async move {
                    match form {
                        0 => assert!(rx.recv_async().await.is_err()),
                        1 => while rx.recv_event_async().await.is_ok() {},
                        2 => assert!(rx.recv_batch_async(9, |_, _| ()).await.is_err()),
                        3 => assert!(rx.next().await.is_none()),
                        4 => assert!(Merge::new([rx]).unwrap().next().await.is_none()),
                        _ => {
                            let mut merge = Merge::new([rx]).unwrap();
                            while merge.recv_event_async().await.is_ok() {}
                        }
                    }
                    ended.fetch_add(1, SeqCst);
                }));
            }
            for form in 0..4 {
                let (mut tx, rx) = engine.channel::<u64>();
                let mut out = engine.outbox();
                let to = out.add(&rx.address()).unwrap();
                let group = engine.group();
                let member = group.subscribe();
                let mut all = group.broadcaster();
                let ended = ended.clone();
                if form < 3 {
                    tx.send_stamped(0).unwrap();
                }
                all.send_stamped(0).unwrap();
                others.push(Box::new(rx));
                jobs.push(job(async move {
                    match form {
                        0 => assert_eq!(tx.send_async(1).await.unwrap_err().value, 1),
                        1 => assert_eq!(tx.send_stamped_async(1).await.unwrap_err().value, 1),
                        2 => {
                            out.send_async(to, 1).await.unwrap();
                            let error = out.send_async(to, 2).await.unwrap_err();
                            assert_eq!((error.value, error.reason), (2, Reason::Closed));
                        }
                        _ => {
                            // Nobody holds up one who broadcasts to nobody.
                            all.send_async(1).await.unwrap();
                            assert!(all.send_stamped_async(2).await.is_ok());
                        }
                    }
                    ended.fetch_add(1, SeqCst);
                }));
                others.push(Box::new(member));
            }
            let follower = Follower::new();
            let (forwarder, mut below) = follower.channel::<u64>();
            let counted = ended.clone();
            jobs.push(job(async move {
                assert!(below.recv_async().await.is_err());
                counted.fetch_add(1, SeqCst);
            }));
            // One who has handled nothing of what it was given, and goes.
            let (mut tx, mut rx) = engine.channel::<u64>();
            let (progress, seq) = (rx.progress(), tx.send_stamped(7).unwrap());
            let counted = ended.clone();
            jobs.push(job(async move {
                assert_eq!(progress.reached(seq).await, Ok(Seq::MAX));
                assert_eq!(progress.reached(Seq::MAX).await, Ok(Seq::MAX));
                counted.fetch_add(1, SeqCst);
            }));
            others.push(Box::new((rx, forwarder, follower)));
            let kicks = parts::kicks(&engine);
            let dropper = thread::spawn(move || {
                until_kicked_since(&engine, kicks + 8);
                drop(engine);
                drop(others);
            });
            runtime.run(jobs);
            dropper.join().unwrap();
            assert_eq!(ended.load(SeqCst), 12);
            drop(tx);
        });
    }
}

/// Goal: an engine that is closed by a bug of its own wakes every task in every kind of wait, whatever it waits for,
/// and every thread that waits for progress. Method: one of each sleeps; all are woken, and find `Closed`.
#[test]
fn a_poisoned_engine_wakes_every_task() {
    for drive in [Drive::Callers, Drive::manual(|| {}), Drive::thread(Idle::Park)] {
        to_the_end(move || {
            let builder = Engine::builder().capacity(1).inbox(1).drive(drive);
            let engine = builder.build().unwrap();
            let (_open, mut messages) = engine.channel::<u64>();
            let (_open_too, mut events) = engine.channel::<u64>();
            let (_open_three, merged) = engine.channel::<u64>();
            let mut merge = Merge::new([merged]).unwrap();
            let (mut behind_tx, mut behind) = engine.channel::<u64>();
            let (mut full, mut unread) = engine.channel::<u64>();
            let mut stamps = full.clone();
            let group = engine.group::<u64>();
            let _member = group.subscribe();
            let mut all = group.broadcaster();
            let mut out = engine.outbox();
            let to = out.add(&unread.address()).unwrap();
            let (progress, far) = (unread.progress(), engine.clock());
            behind.behind(&[unread.progress()]).unwrap();
            // Each has its number before the next is sent, whoever passes.
            let numbered = |number| {
                until(|| {
                    engine.run_until_idle();
                    engine.clock().now().get() == number
                });
            };
            full.send(1).unwrap();
            numbered(1);
            all.send(2).unwrap();
            numbered(2);
            behind_tx.send(3).unwrap();
            numbered(3);
            let now = Seq::new(1);
            while events.try_recv_event().is_ok() {}
            out.try_send(to, 4).unwrap();
            let mut waits: Vec<(&str, Job)> = vec![
                (
                    "messages",
                    job(async move {
                        assert!(messages.recv_async().await.is_err());
                    }),
                ),
                (
                    "events",
                    job(async move {
                        assert!(events.recv_event_async().await.is_err());
                    }),
                ),
                (
                    "merge",
                    job(async move {
                        assert!(merge.recv_async().await.is_err());
                    }),
                ),
                (
                    "behind",
                    job(async move {
                        assert!(behind.recv_async().await.is_err());
                    }),
                ),
                (
                    "room",
                    job(async move {
                        assert!(full.send_async(5).await.is_err());
                    }),
                ),
                (
                    "stamp",
                    job(async move {
                        assert!(stamps.send_stamped_async(6).await.is_err());
                    }),
                ),
                (
                    "all",
                    job(async move {
                        assert!(all.send_async(7).await.is_err());
                    }),
                ),
                (
                    "outbox",
                    job(async move {
                        assert!(out.send_async(to, 8).await.is_err());
                    }),
                ),
                ("clock", job(async move { assert!(far.reached(Seq::new(99)).await.is_err()) })),
                ("never", job(async move { far_of(&progress).await })),
            ];
            let late: Progress = [unread.progress(), unread.progress()].into_iter().collect();
            let handled = unread.progress();
            waits.push((
                "progress",
                job(async move { assert!(handled.reached(now).await.is_err()) }),
            ));
            waits.push((
                "barrier",
                job(async move { assert!(late.reached(Seq::new(99)).await.is_err()) }),
            ));
            let counters: Vec<_> = waits.iter().map(|_| counter()).collect();
            for _ in 0..TILL_ASLEEP {
                for ((name, job), (waker, _)) in waits.iter_mut().zip(&counters) {
                    assert!(poll_once(job, waker).is_pending(), "{name}");
                }
            }
            let before: Vec<_> = counters.iter().map(|(_, count)| count.count()).collect();
            let handled = unread.progress();
            let kicks = parts::kicks(&engine);
            let thread = thread::spawn(move || handled.wait_for(now).unwrap_err());
            until_kicked_since(&engine, kicks);
            parts::poison(&engine);
            thread.join().unwrap();
            for (((name, job), (waker, count)), before) in
                waits.iter_mut().zip(&counters).zip(before)
            {
                assert!(count.count() > before, "{name} is not woken");
                assert!(poll_once(job, waker).is_ready(), "{name} goes on waiting");
            }
            drop(unread);
        });
    }
}

/// Waits for what never comes.
async fn far_of(progress: &Progress) {
    progress.reached(Seq::MAX).await.unwrap_err();
}

/// Goal: whatever goes first, second and so on while tasks wait, nothing hangs, no value is lost or dropped twice.
/// Method: an engine with one of everything, whose tasks sleep in a runtime; its parts, the runtime among them, are
/// dropped in every order that rotations and reversals make; values are counted.
#[test]
fn everything_may_go_in_any_order() {
    for drive in [Drive::Callers, Drive::thread(Idle::Park), Drive::thread(Idle::Yield)] {
        for first in 0..9 {
            for reversed in [false, true] {
                for leaves_tasks in [false, true] {
                    let drive = drive.clone();
                    to_the_end(move || drop_in_order(drive, first, reversed, leaves_tasks));
                }
            }
        }
    }
}

fn drop_in_order(drive: Drive, first: usize, reversed: bool, leaves_tasks: bool) {
    let engine = Engine::builder().capacity(1).inbox(1).drive(drive).build().unwrap();
    let (drops, made) = (Drops::default(), Arc::new(AtomicUsize::new(0)));
    let make = {
        let (drops, made) = (drops.clone(), made.clone());
        move || {
            made.fetch_add(1, SeqCst);
            drops.value()
        }
    };
    let (mut full, unread) = engine.channel();
    let (open, mut messages) = engine.channel::<u64>();
    let (open_too, mut merged) = engine.channel::<u64>();
    let group = engine.group();
    let mut member = group.subscribe();
    let idle = group.subscribe();
    let mut all = group.broadcaster();
    let mut out = engine.outbox();
    let to = out.add(&unread.address()).unwrap();
    let (clock, progress) = (engine.clock(), merged.progress());
    full.send(make()).unwrap();
    engine.run_until_idle();

    let executor = smol::Executor::new();
    let value = make.clone();
    let mut tasks = vec![
        executor.spawn(async move { while full.send_async(value()).await.is_ok() {} }),
        executor.spawn(async move { while messages.recv_async().await.is_ok() {} }),
        executor.spawn(async move { while merged.recv_event_async().await.is_ok() {} }),
        executor.spawn(async move { while member.next().await.is_some() {} }),
        executor.spawn(async move { assert!(clock.reached(Seq::new(99)).await.is_err()) }),
        executor.spawn(async move { assert!(progress.reached(Seq::new(99)).await.is_err()) }),
    ];
    let value = make.clone();
    tasks.push(executor.spawn(async move {
        // Two for the lane of the member that does not read, and then a wait for its end.
        for _ in 0..3 {
            drop(all.send_async(Arc::new(value())).await);
        }
    }));
    tasks.push(executor.spawn(async move { while out.send_async(to, make()).await.is_ok() {} }));
    // Until all of them sleep.
    while executor.try_tick() {}

    let mut parts: Vec<Box<dyn std::any::Any>> = vec![
        Box::new(engine.clock()),
        Box::new(engine),
        Box::new(unread),
        Box::new(open),
        Box::new(open_too),
        Box::new(group),
        Box::new(idle),
    ];
    let tasks: Box<dyn std::any::Any> = if leaves_tasks {
        Box::new(tasks.into_iter().map(smol::Task::detach).collect::<Vec<_>>())
    } else {
        Box::new(tasks)
    };
    parts.push(tasks);
    parts.push(Box::new(executor));
    let count = parts.len();
    parts.rotate_left(first % count);
    if reversed {
        parts.reverse();
    }
    for part in parts {
        if let Ok(executor) = part.downcast::<smol::Executor<'static>>() {
            // Those that were woken have their turn, and the rest goes with it.
            while executor.try_tick() {}
            drop(executor);
        }
    }
    assert!(made.load(SeqCst) >= 5, "not all of them have sent");
    assert_eq!(drops.count(), made.load(SeqCst), "values that were never dropped");
}
