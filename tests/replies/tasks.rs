//! Tasks that wait for answers: in executors of all kinds, woken by wakers of all kinds, given up, forgotten.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::task::{Poll, Wake, Waker};
use std::thread;

use mainspring::{Answer, AnswerError, Engine, Reply, TryAnswerError, parts};
use parking_lot::Mutex;

use crate::executors::{Hooked, all, counter, forget, job, poll_once};
use crate::seq;
use crate::support::{Drops, TILL_ASLEEP, by_hand, engines, to_the_end, until};

/// Polls it until it sleeps.
fn fall_asleep<R: std::fmt::Debug>(answer: &mut Answer<R>, waker: &Waker) {
    for _ in 0..TILL_ASLEEP {
        assert!(poll_once(answer, waker).is_pending());
    }
}

/// Goal: tasks ask and answer on any executor. Method: a service task, and clients that ask it many times; some with
/// threads between.
#[test]
fn tasks_ask_and_answer_on_any_executor() {
    for &runtime in all() {
        to_the_end(move || {
            for engine in engines() {
                let (ask, mut asked) = engine.channel::<(u64, Reply<u64>)>();
                let mut jobs = vec![job(async move {
                    while let Ok((_, (number, reply))) = asked.recv_async().await {
                        if number % 5 == 0 {
                            thread::spawn(move || reply.send(number + 1).unwrap());
                        } else {
                            reply.send(number + 1).unwrap();
                        }
                    }
                })];
                for client in 0..8 {
                    let (mut ask, engine) = (ask.clone(), engine.clone());
                    jobs.push(job(async move {
                        let mut last = seq(0);
                        for nth in 0..50 {
                            let number = 100 * client + nth;
                            let (reply, answer) = engine.reply();
                            ask.send_async((number, reply)).await.unwrap();
                            let (answered, next) = answer.await.unwrap();
                            assert!(answered > last && next == number + 1);
                            last = answered;
                        }
                    }));
                }
                drop(ask);
                runtime.run(jobs);
                assert_eq!(engine.clock().now(), seq(2 * 8 * 50));
            }
        });
    }
}

/// Goal: a task is woken once for what it waits for, by the waker of its last poll, and no waker stays behind. Method:
/// each way in which a wait can end, in each drive, with wakers that count.
#[test]
fn a_task_is_woken_once() {
    for engine in engines().into_iter().chain([by_hand()]) {
        for way in 0..3 {
            let (reply, mut answer) = engine.reply();
            let (first_waker, first) = counter();
            let (waker, count) = counter();
            fall_asleep(&mut answer, &first_waker);
            fall_asleep(&mut answer, &waker);
            let woken = (first.count(), count.count());
            let expected = match way {
                0 => {
                    let mut ticket = reply.submit("yes").unwrap();
                    engine.pass();
                    Ok((ticket.wait().unwrap(), "yes"))
                }
                1 => {
                    drop(reply);
                    Err(AnswerError::Dropped)
                }
                _ => {
                    parts::poison(&engine);
                    assert!(reply.send("too late").is_err());
                    Err(AnswerError::Closed)
                }
            };
            assert_eq!(poll_once(&mut answer, &waker), Poll::Ready(expected));
            assert_eq!((first.count(), count.count()), (woken.0, woken.1 + 1), "way {way}");
            drop((first_waker, waker));
            let left = (Arc::strong_count(&first), Arc::strong_count(&count));
            assert_eq!(left, (1, 1), "no waker is left, way {way}");
        }
    }
}

/// Goal: an answer that is polled by one, and waited for by another, is heard of by the last. Method: a task that has
/// fallen asleep hands it to a thread, and back.
#[test]
fn an_answer_goes_from_a_task_to_a_thread() {
    to_the_end(|| {
        for engine in engines() {
            let (reply, mut answer) = engine.reply();
            let (waker, count) = counter();
            fall_asleep(&mut answer, &waker);
            assert_eq!(answer.try_take(), Err(TryAnswerError::Empty));
            let waiter = thread::spawn(move || answer.wait());
            thread::yield_now();
            reply.send(1).unwrap();
            assert_eq!(waiter.join().unwrap().unwrap().1, 1);
            let woken = count.count();

            let (reply, mut answer) = engine.reply();
            let short = std::time::Duration::from_millis(1);
            assert!(answer.wait_timeout(short).is_err());
            fall_asleep(&mut answer, &waker);
            reply.send(2).unwrap();
            assert!(count.count() > woken);
            until(|| poll_once(&mut answer, &waker).is_ready());
        }
    });
}

/// Goal: an answer that was forgotten while a task waited for it harms nobody: who answers it is not held up, others
/// are woken, and the engine ends. Method: forgotten ones beside others, in each drive.
#[test]
fn a_forgotten_answer_harms_nobody() {
    to_the_end(|| {
        for engine in engines().into_iter().chain([by_hand()]) {
            let (waker, _count) = counter();
            let drops = Drops::default();
            let forgotten: Vec<_> = (0..10)
                .map(|_| {
                    let (reply, mut answer) = engine.reply();
                    fall_asleep(&mut answer, &waker);
                    forget(answer);
                    reply
                })
                .collect();
            let (reply, mut answer) = engine.reply();
            let (other_waker, other) = counter();
            fall_asleep(&mut answer, &other_waker);
            let woken = other.count();
            for (nth, reply) in forgotten.into_iter().enumerate() {
                match nth % 3 {
                    0 => drop(reply),
                    // It was dropped if nothing is to be forgotten.
                    1 => drop(reply.send(drops.value())),
                    _ => drop(reply.submit(drops.value())),
                }
            }
            reply.send(drops.value()).unwrap();
            engine.pass();
            until(|| other.count() > woken);
            assert!(poll_once(&mut answer, &other_waker).is_ready());
            assert_eq!(other.count(), woken + 1);
            assert!(engine.close(std::time::Duration::from_secs(60)).is_clean());
        }
    });
}

/// Everything that a waker can get at: replies that it answers or drops, and the engine.
struct Desk {
    engine: Engine,
    replies: Vec<Reply<u64>>,
    acts: u64,
}

/// Acts when it is woken, and when it is dropped.
struct Busy(Arc<Mutex<Desk>>, Arc<AtomicU64>);

impl Busy {
    fn act(&self) {
        // What it does may wake itself.
        let Some(mut desk) = self.0.try_lock() else { return };
        desk.acts += 1;
        let acts = desk.acts;
        let reply = desk.replies.pop();
        match (reply, acts % 3) {
            (Some(reply), 0) => drop(reply),
            (Some(reply), _) => drop(reply.send(acts)),
            (None, 0) => drop(desk.engine.pass()),
            (None, _) => {
                let (reply, mut answer) = desk.engine.reply();
                reply.send(acts).unwrap();
                answer.try_take().ok();
            }
        }
    }
}

impl Wake for Busy {
    fn wake(self: Arc<Self>) {
        self.1.fetch_add(1, SeqCst);
        self.act();
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.act();
    }
}

/// Goal: a waker may use the engine, and answer others, in `wake` and when it is dropped; one that panics harms nobody.
/// Method: answers whose waker answers the next, in each drive; each of them hears.
#[test]
fn a_waker_may_use_the_engine() {
    to_the_end(|| {
        for engine in engines().into_iter().chain([by_hand()]) {
            for _ in 0..100 {
                let desk = Desk { engine: engine.clone(), replies: Vec::new(), acts: 0 };
                let desk = Arc::new(Mutex::new(desk));
                let mut replies = Vec::new();
                let mut waiting: Vec<_> = (0..6)
                    .map(|_| {
                        let (reply, mut answer) = engine.reply();
                        let woken = Arc::new(AtomicU64::new(0));
                        let waker = Waker::from(Arc::new(Busy(desk.clone(), woken.clone())));
                        fall_asleep(&mut answer, &waker);
                        replies.push(reply);
                        (answer, waker, woken.load(SeqCst), woken)
                    })
                    .collect();
                let first = replies.pop().unwrap();
                // Only now, when they all sleep: who asks to be polled again wakes, too.
                desk.lock().replies = replies;
                first.send(0).unwrap();
                for _ in 0..40 {
                    engine.run_until_idle();
                    let next = desk.lock().replies.pop();
                    drop(next);
                }
                for (answer, waker, before, woken) in &mut waiting {
                    until(|| woken.load(SeqCst) > *before);
                    assert!(poll_once(answer, waker).is_ready());
                }
            }
        }
    });
}

/// Goal: a waker that panics is told to nobody else. Method: who answers, who lets go of the reply, and others that
/// wait for the same pass.
#[test]
fn a_waker_may_panic() {
    let engine = by_hand();
    let panics = || Waker::from(Hooked::new(|| std::panic::resume_unwind(Box::new("a waker"))));
    let (reply, mut dropped) = engine.reply::<u8>();
    let (sent, mut answer) = engine.reply();
    let (other, mut heard) = engine.reply();
    let (waker, count) = counter();
    // Polled with a waker that may be woken until it sleeps.
    for answer in [&mut dropped, &mut answer] {
        fall_asleep(answer, &waker);
        assert!(poll_once(answer, &panics()).is_pending());
    }
    fall_asleep(&mut heard, &waker);
    let woken = count.count();
    drop(reply);
    sent.send(1).unwrap();
    other.send(2).unwrap();
    engine.pass();
    assert_eq!(count.count(), woken + 1);
    assert_eq!(poll_once(&mut heard, &waker), Poll::Ready(Ok((seq(2), 2))));
    assert_eq!(poll_once(&mut answer, &waker), Poll::Ready(Ok((seq(1), 1))));
    assert_eq!(poll_once(&mut dropped, &waker), Poll::Ready(Err(AnswerError::Dropped)));
}
