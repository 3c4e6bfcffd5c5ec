//! Tasks beside threads: on one channel, on one end by turns, and futures that go from one executor to another.

use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;

use mainspring::{Engine, Receiver, Seq};
use parking_lot::Mutex;
use smol::stream::StreamExt;

use crate::executors::{Job, Runtime, all, block_on, job, poll_once};
use crate::support::{TILL_ASLEEP, to_the_end, until};

const EACH: u64 = 2000;

/// Goal: a thread sends and a task receives, and the other way, with every message once and in order. Method: small
/// lanes, so that both sides sleep; both directions at once, in every executor.
#[test]
fn threads_and_tasks_share_channels() {
    for &runtime in all() {
        to_the_end(move || {
            let engine = Engine::builder().capacity(4).inbox(4).build().unwrap();
            let (mut ask, mut asked) = engine.channel::<u64>();
            let (mut answer, mut answers) = engine.channel::<u64>();
            let (mut late, mut both) = engine.channel::<u64>();
            let mut early = late.clone();
            let asks = thread::spawn(move || {
                for n in 0..EACH {
                    ask.send(n).unwrap();
                    if n % 10 == 0 {
                        early.send_stamped(n).unwrap();
                    }
                }
            });
            let hears = thread::spawn(move || {
                let mut next = 0;
                for (_, n) in answers.messages() {
                    assert_eq!(n, next);
                    next += 1;
                }
                assert_eq!(next, EACH);
            });
            let reads = thread::spawn(move || both.messages().count() as u64);
            runtime.run(vec![
                job(async move {
                    while let Ok((_, n)) = asked.recv_async().await {
                        answer.send_async(n).await.unwrap();
                    }
                }),
                job(async move {
                    for n in 0..EACH {
                        late.send_stamped_async(n).await.unwrap();
                    }
                }),
            ]);
            asks.join().unwrap();
            hears.join().unwrap();
            assert_eq!(reads.join().unwrap(), EACH + EACH / 10);
        });
    }
}

/// Goal: one receiver is read by a task, then by a thread, then by a task, …, each woken where it sleeps; one sender is
/// used the same way. Method: the ends go from hand to hand for each message; what is sent next is sent when the reader
/// of it is asleep, or as good as.
#[test]
fn an_end_goes_from_tasks_to_threads_and_back() {
    // (Not inside of wakers: the task lets its thread wait for another.)
    for &runtime in all().iter().filter(|&&runtime| runtime != Runtime::Inside) {
        to_the_end(move || {
            let engine = Engine::builder().capacity(1).inbox(1).build().unwrap();
            let (mut tx, mut rx) = engine.channel::<u64>();
            let (to_reader, turns) = channel::<(Receiver<u64>, u64)>();
            let (from_reader, read) = channel::<Receiver<u64>>();
            let by_thread = thread::spawn(move || {
                for (mut rx, n) in turns {
                    let (seq, got) = rx.recv().unwrap();
                    assert_eq!((seq.get(), got), (n + 1, n));
                    from_reader.send(rx).unwrap();
                }
            });
            let sender = thread::spawn(move || {
                for n in 0..EACH {
                    if n % 3 == 0 {
                        block_on(tx.send_async(n)).unwrap();
                    } else {
                        tx.send(n).unwrap();
                    }
                }
                tx
            });
            let work = job(async move {
                for n in 0..EACH {
                    if n % 2 == 0 {
                        let form = n / 2 % 2;
                        let got =
                            if form == 0 { rx.recv_async().await.ok() } else { rx.next().await };
                        assert_eq!(got, Some((Seq::new(n + 1), n)));
                    } else {
                        to_reader.send((rx, n)).unwrap();
                        rx = read.recv().unwrap();
                    }
                }
            });
            runtime.run(vec![work]);
            by_thread.join().unwrap();
            drop(sender.join().unwrap());
        });
    }
}

/// Goal: a future that has begun to wait in one executor goes on in another, which is woken. Method: one of each kind
/// is polled in one, some times, then runs to its end in the next; what it waits for comes only when it is there.
#[test]
fn a_wait_goes_on_in_another_executor() {
    for &runtime in all() {
        for polls in [1, 6, TILL_ASLEEP] {
            to_the_end(move || {
                let engine = Engine::builder().capacity(1).inbox(1).build().unwrap();
                let (mut tx, mut rx) = engine.channel::<u64>();
                let (mut full, mut unread) = engine.channel::<u64>();
                let (clock, progress) = (engine.clock(), rx.progress());
                full.send_stamped(0).unwrap();
                let arrived = Arc::new(Mutex::new(0));
                let count = arrived.clone();
                let arrive = move || *count.lock() += 1;
                let mut jobs: Vec<Job> = vec![
                    Box::pin(async move {
                        assert_eq!(rx.recv_async().await.map(|(_, n)| n), Ok(1));
                        drop(rx);
                    }),
                    Box::pin(async move { full.send_async(2).await.unwrap() }),
                    Box::pin(async move { assert!(clock.reached(Seq::new(2)).await.is_ok()) }),
                    Box::pin(async move { assert!(progress.reached(Seq::new(2)).await.is_ok()) }),
                ];
                // In an executor that is gone before anything comes, but whose wakers are not.
                block_on(std::future::poll_fn(|cx| {
                    for job in &mut jobs {
                        (0..polls).for_each(|_| assert!(poll_once(job, cx.waker()).is_pending()));
                    }
                    std::task::Poll::Ready(())
                }));
                let jobs = jobs.into_iter().map(|mut work| {
                    let arrive = arrive.clone();
                    let mut first = true;
                    job(std::future::poll_fn(move |cx| {
                        let polled = work.as_mut().poll(cx);
                        if std::mem::take(&mut first) {
                            arrive();
                        }
                        polled
                    }))
                });
                let jobs: Vec<Job> = jobs.collect();
                let others = thread::spawn(move || {
                    until(|| *arrived.lock() == 4);
                    tx.send(1).unwrap();
                    assert_eq!(unread.recv().map(|(_, n)| n), Ok(0));
                    assert_eq!(unread.recv().map(|(_, n)| n), Ok(2));
                });
                runtime.run(jobs);
                others.join().unwrap();
            });
        }
    }
}
