//! Futures that are forgotten while they wait: nobody relies on them, and what they have left behind does no harm.

use std::task::Waker;
use std::thread;

use mainspring::{Engine, Event, Merge, Seq, parts};
use smol::stream::StreamExt;

use crate::executors::{all, block_on, counter, forget, forgets, in_thread, job, poll_once};
use crate::support::{Drops, TILL_ASLEEP, to_the_end};

/// Polls a future until it sleeps, and forgets it there.
fn poll_and_forget<F: Future + Unpin>(mut future: F, waker: &Waker) {
    for _ in 0..TILL_ASLEEP {
        assert!(poll_once(&mut future, waker).is_pending());
    }
    forget(future);
}

/// Goal: a receiver whose future was forgotten, in any kind of wait, is used again: by the same task in another kind of
/// wait, by a thread, by another task. Method: all pairs of a forgotten wait and the next use.
#[test]
fn a_receiver_is_used_again() {
    for forgotten in 0..4 {
        for next in 0..6 {
            to_the_end(move || {
                let engine = Engine::new();
                let (mut tx, mut rx) = engine.channel::<u64>();
                let (waker, count) = counter();
                match forgotten {
                    0 => poll_and_forget(rx.recv_async(), &waker),
                    1 => poll_and_forget(rx.recv_event_async(), &waker),
                    2 => poll_and_forget(rx.recv_batch_async(2, |_, _| ()), &waker),
                    _ => poll_and_forget(rx.next(), &waker),
                }
                let before = count.count();
                // The same task, which is the waker's.
                let mut same = rx.recv_event_async();
                for _ in 0..TILL_ASLEEP {
                    assert!(poll_once(&mut same, &waker).is_pending());
                }
                let kicks = parts::kicks(&engine);
                tx.send(1).unwrap();
                assert!(count.count() > before && parts::kicks(&engine) > kicks, "nobody heard");
                assert!(poll_once(&mut same, &waker).is_ready());
                drop(same);

                let reader = thread::spawn(move || {
                    let one = |event| match event {
                        Event::Message(seq, n) => (seq, n),
                        event => panic!("what is {event:?}"),
                    };
                    let got = match next {
                        0 => rx.recv().unwrap(),
                        1 => one(rx.recv_event().unwrap()),
                        2 => block_on(rx.recv_async()).unwrap(),
                        3 => one(block_on(rx.recv_event_async()).unwrap()),
                        4 => block_on(rx.next()).unwrap(),
                        _ => {
                            let mut got = None;
                            block_on(rx.recv_batch_async(1, |seq, n| got = Some((seq, n))))
                                .unwrap();
                            got.unwrap()
                        }
                    };
                    assert_eq!(got, (Seq::new(2), 2));
                    // It is the forgotten task's turn again, which gives way once more.
                    poll_and_forget(rx.recv_async(), &waker);
                    rx
                });
                tx.send(2).unwrap();
                let mut rx = reader.join().unwrap();
                tx.send(3).unwrap();
                assert_eq!(rx.recv(), Ok((Seq::new(3), 3)));
            });
        }
    }
}

/// Goal: the same for senders that wait for room or for a number, and for an outbox. Method: a lane of one; the value
/// of a forgotten send is lost with it, and nothing else is.
#[test]
fn a_sender_is_used_again() {
    for &runtime in all() {
        to_the_end(move || {
            let engine = Engine::builder().capacity(1).inbox(1).build().unwrap();
            let (mut tx, mut rx) = engine.channel::<u64>();
            let mut out = engine.outbox();
            let to = out.add(&rx.address()).unwrap();
            let (waker, _count) = counter();
            tx.send_stamped(0).unwrap();
            poll_and_forget(tx.send_async(90), &waker);
            poll_and_forget(tx.send_stamped_async(91), &waker);
            // The outbox's lane has room, the receiver's inbox has not.
            out.send(to, 1).unwrap();
            poll_and_forget(Box::pin(out.send_async(to, 92)), &waker);
            let mut full = tx.clone();
            // Published, and forgotten before it has its number.
            poll_and_forget(full.send_stamped_async(2), &waker);
            let jobs = vec![
                job(async move {
                    tx.send_async(3).await.unwrap();
                    tx.send_stamped_async(4).await.unwrap();
                    assert!(in_thread(move || tx.send(5)).await.is_ok());
                }),
                job(async move {
                    out.send_async(to, 6).await.unwrap();
                    in_thread(move || out.send(to, 7)).await.unwrap();
                }),
                job(async move { full.send_stamped_async(8).await.map(drop).unwrap() }),
                job(async move {
                    let mut got = Vec::new();
                    while let Some((_, n)) = rx.next().await {
                        got.push(n);
                    }
                    got.sort_unstable();
                    assert_eq!(got, [0, 1, 2, 3, 4, 5, 6, 7, 8]);
                }),
            ];
            drop(engine);
            runtime.run(jobs);
        });
    }
}

/// Goal: those who wait for a number are not held up by one who was forgotten, however low its number; the list of
/// sleepers lets go of it when its number comes. Method: of the clock, of progress, and of a merge's clock.
#[test]
fn waits_for_numbers_do_not_mind() {
    to_the_end(|| {
        let engine = Engine::new();
        let (mut tx, mut rx) = engine.channel::<u64>();
        let progress = rx.progress();
        let (waker, count) = counter();
        for number in 1..=3 {
            poll_and_forget(engine.clock().reached(Seq::new(number)), &waker);
            poll_and_forget(progress.reached(Seq::new(number)), &waker);
        }
        let mut merge = Merge::new([engine.receiver::<u64>()]).unwrap();
        poll_and_forget(merge.recv_event_async(), &waker);
        let before = count.count();
        let clock = engine.clock();
        let waits = [
            thread::spawn(move || clock.wait_for(Seq::new(3)).unwrap()),
            thread::spawn(move || block_on(progress.reached(Seq::new(3))).unwrap()),
        ];
        for n in 1..=3 {
            tx.send(n).unwrap();
            assert_eq!(rx.recv(), Ok((Seq::new(n), n)));
        }
        assert!(rx.try_recv().is_err());
        waits.into_iter().for_each(|wait| assert!(wait.join().unwrap().get() >= 3));
        assert_eq!(block_on(merge.recv_event_async()), Ok(Event::Clock(Seq::new(3))));
        // Four of the clock's, three of progress, which may have stood in both lists; none, if they were dropped.
        let woken = count.count() - before;
        let expected = if forgets() { 1..=10 } else { 0..=0 };
        assert!(expected.contains(&woken), "{woken} wake-ups");
    });
}

/// A forgotten value is dropped with the lane, once. Goal: also that of a send whose number was waited for when its
/// receiver went, however it is given up. Method: the receiver's inbox is full, so there is no number.
#[test]
fn a_held_value_is_dropped_once() {
    for forgets in [false, true] {
        for sends_again in [false, true] {
            to_the_end(move || {
                let drops = Drops::default();
                let engine = Engine::builder().capacity(4).inbox(1).build().unwrap();
                let (mut tx, rx) = engine.channel();
                let mut first = tx.clone();
                first.send_stamped(drops.value()).unwrap();
                let (waker, _count) = counter();
                let mut stamping = tx.send_stamped_async(drops.value());
                for _ in 0..TILL_ASLEEP {
                    assert!(poll_once(&mut stamping, &waker).is_pending());
                }
                if forgets {
                    forget(stamping);
                } else {
                    assert!(stamping.into_inner().is_none());
                }
                drop(rx);
                if sends_again {
                    drop(tx.send(drops.value()).unwrap_err());
                }
                drop((tx, first));
                let sent = 2 + usize::from(sends_again);
                assert_eq!(drops.count(), sent, "forgets: {forgets}, sends again: {sends_again}");
            });
        }
    }
}
