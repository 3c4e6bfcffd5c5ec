//! One-shot replies: what becomes of a question, whichever end goes or answers first, and where its answer stands among
//! all other events.

#![cfg(not(loom))]

#[allow(dead_code, reason = "what the tests of tasks need, too")]
#[path = "tasks/executors.rs"]
mod executors;
#[path = "replies/storm.rs"]
mod storm;
mod support;
#[path = "replies/tasks.rs"]
mod tasks;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::task::Poll;
use std::thread;
use std::time::Duration;

use executors::{block_on, counter, poll_once};
use mainspring::{
    Answer, AnswerError, AnswerTimeoutError, Drive, Engine, Reason, Reply, Sender, Seq,
    TryAnswerError, WaitError, parts,
};
use support::{Drops, TILL_ASLEEP, by_hand, engines, to_the_end};

pub(crate) fn seq(number: u64) -> Seq {
    Seq::new(number)
}

/// What each way to ask for an answer says, when it is known.
fn outcomes<R: Send + 'static>(
    mut make: impl FnMut() -> Answer<R>,
) -> [Result<Seq, AnswerError>; 4] {
    let timely = make().wait_timeout(Duration::from_secs(60)).map_err(|error| match error {
        AnswerTimeoutError::Dropped => AnswerError::Dropped,
        AnswerTimeoutError::Closed => AnswerError::Closed,
        AnswerTimeoutError::Taken => AnswerError::Taken,
        AnswerTimeoutError::Timeout => panic!("it is known"),
    });
    let there = make().try_take().map_err(|error| match error {
        TryAnswerError::Dropped => AnswerError::Dropped,
        TryAnswerError::Closed => AnswerError::Closed,
        TryAnswerError::Taken => AnswerError::Taken,
        TryAnswerError::Empty => panic!("it is known"),
    });
    let seq = |outcome: Result<(Seq, R), AnswerError>| outcome.map(|(seq, _)| seq);
    [seq(timely), seq(there), seq(make().wait()), seq(block_on(make()))]
}

/// Goal: the ends may travel, and be shared, whatever the value is like. Method: the compiler's word.
#[test]
fn ends_are_send_and_sync() {
    fn assert<T: Send + Sync + Unpin + std::fmt::Debug>(_: &T) {}
    let (reply, answer) = Engine::new().reply::<std::cell::Cell<u8>>();
    assert(&reply);
    assert(&answer);
    assert_eq!(
        format!("{reply:?} {answer:?}"),
        "Reply { is_closed: false, .. } Answer { outcome: None, .. }"
    );
    drop(answer);
    assert_eq!(format!("{reply:?}"), "Reply { is_closed: true, .. }");
}

/// Goal: an answer takes one number, above the request's and below whatever the answerer sends next; the asker's next
/// message is above it; all numbers together are dense. Method: a service that tells what it received and sends after
/// each answer; two clients; in each drive.
#[test]
fn an_answer_has_its_place_in_the_order() {
    const ROUNDS: u64 = 3_000;
    to_the_end(|| {
        for engine in engines() {
            type Request = Reply<Seq>;
            let (ask, mut asked) = engine.channel::<Request>();
            let (mut tell, mut told) = engine.channel::<u64>();
            let service = thread::spawn(move || {
                for (request, reply) in asked.messages() {
                    let ticket = reply.submit(request).unwrap();
                    tell.send(0).unwrap();
                    drop(ticket);
                }
            });
            let clients: Vec<_> = [ask.clone(), ask]
                .into_iter()
                .map(|mut ask: Sender<Request>| {
                    let engine = engine.clone();
                    thread::spawn(move || {
                        let mut numbers = Vec::new();
                        for _ in 0..ROUNDS {
                            let (reply, mut answer) = engine.reply();
                            ask.send(reply).unwrap();
                            let (answered, request) = answer.wait().unwrap();
                            assert!(request < answered);
                            assert!(numbers.last().is_none_or(|&last| last < request));
                            numbers.extend([request, answered]);
                        }
                        numbers
                    })
                })
                .collect();
            let mut followed = Vec::new();
            for (seq, _) in told.messages() {
                followed.push(seq);
            }
            service.join().unwrap();
            let numbers: Vec<Vec<Seq>> =
                clients.into_iter().map(|client| client.join().unwrap()).collect();
            let mut answered: Vec<Seq> =
                numbers.iter().flatten().skip(1).step_by(2).copied().collect();
            answered.sort_unstable();
            assert!(answered.iter().zip(&followed).all(|(answer, after)| answer < after));
            let mut all = numbers.concat();
            all.extend(followed);
            all.sort_unstable();
            assert!(all.iter().copied().eq((1..=6 * ROUNDS).map(Seq::new)), "dense, none twice");
        }
    });
}

/// Goal: an answer is not there before its number is, and then it is there for whoever has read the clock. Method:
/// passes by hand, and a hook that counts how often one was asked for.
#[test]
fn an_answer_is_there_when_the_clock_covers_it() {
    let due = Arc::new(AtomicU64::new(0));
    let hook = due.clone();
    let drive = Drive::manual(move || {
        hook.fetch_add(1, SeqCst);
    });
    let engine = Engine::builder().drive(drive).build().unwrap();
    let (reply, mut answer) = engine.reply();
    assert_eq!(answer.try_take(), Err(TryAnswerError::Empty));
    let before = due.load(SeqCst);
    let mut ticket = reply.submit("yes").unwrap();
    assert!(due.load(SeqCst) > before, "somebody has to pass");
    assert_eq!(answer.try_take(), Err(TryAnswerError::Empty));
    let short = Duration::from_millis(1);
    assert_eq!(answer.wait_timeout(short), Err(AnswerTimeoutError::Timeout));
    assert_eq!((ticket.seq(), engine.clock().now()), (None, seq(0)));
    engine.pass();
    assert_eq!(engine.clock().now(), seq(1));
    let before = due.load(SeqCst);
    assert_eq!(answer.try_take(), Ok((seq(1), "yes")));
    assert_eq!(due.load(SeqCst), before, "no pass was needed");
    assert_eq!(ticket.wait(), Ok(seq(1)));
}

/// Goal: whoever passes or not, an answer that was sent is there at once where nobody else is at work. Method: one
/// thread, each way to take it, in each drive; the numbers are those of the engine.
#[test]
fn an_answer_can_be_taken_in_each_way() {
    to_the_end(|| {
        for engine in engines() {
            let mut next = 0;
            let outcomes = outcomes(|| {
                next += 1;
                let (reply, answer) = engine.reply();
                assert!(!reply.is_closed());
                let mut ticket = reply.submit(next).unwrap();
                // So that it can be taken without waiting.
                assert_eq!(ticket.wait(), Ok(seq(next)));
                answer
            });
            assert_eq!(outcomes, [1, 2, 3, 4].map(|number| Ok(seq(number))));
        }
    });
}

/// Goal: an answer is taken once. Method: every way to take it, after each of them.
#[test]
fn what_was_taken_is_not_there_again() {
    let engine = Engine::new();
    for way in 0..4 {
        let (reply, mut answer) = engine.reply();
        reply.send(way).unwrap();
        let taken = match way {
            0 => answer.wait().ok(),
            1 => answer.wait_timeout(Duration::ZERO).ok(),
            2 => answer.try_take().ok(),
            _ => block_on(&mut answer).ok(),
        };
        assert_eq!(taken, Some((seq(way + 1), way)));
        assert_eq!(answer.wait(), Err(AnswerError::Taken));
        assert_eq!(answer.wait_timeout(Duration::ZERO), Err(AnswerTimeoutError::Taken));
        assert_eq!(answer.try_take(), Err(TryAnswerError::Taken));
        assert_eq!(block_on(&mut answer), Err(AnswerError::Taken));
    }
}

/// Goal: who waits for an answer is told that there is none, whether it waits then or asks later, in each drive; and
/// that takes no number. Method: replies that are dropped before, and by another thread meanwhile: alone, in a request
/// that nobody reads, by a service that panics.
#[test]
fn a_reply_that_is_dropped_is_no_answer() {
    to_the_end(|| {
        for engine in engines().into_iter().chain([by_hand()]) {
            let dropped = || {
                let (reply, answer) = engine.reply::<u8>();
                drop(reply);
                answer
            };
            assert_eq!(outcomes(dropped), [Err(AnswerError::Dropped); 4]);
            assert_eq!(engine.clock().now(), seq(0));
            for way in 0..3 {
                let (reply, mut answer) = engine.reply::<u8>();
                let (mut ask, mut asked) = engine.channel();
                let waiter = thread::spawn(move || answer.wait());
                match way {
                    0 => drop(reply),
                    1 => {
                        ask.send(reply).unwrap();
                        drop(asked);
                    }
                    _ => {
                        ask.send(reply).unwrap();
                        engine.run_until_idle();
                        let service = thread::spawn(move || {
                            let _request = asked.recv().unwrap();
                            std::panic::resume_unwind(Box::new("it breaks"));
                        });
                        assert!(service.join().is_err());
                    }
                }
                assert_eq!(waiter.join().unwrap(), Err(AnswerError::Dropped));
            }
        }
    });
}

/// Goal: who answers nobody is told, and has its value back; it takes no number. Method: both ways to answer, in each
/// drive; an answer that was given up while a task waited for it.
#[test]
fn an_answer_that_nobody_waits_for_comes_back() {
    for engine in engines().into_iter().chain([by_hand()]) {
        let drops = Drops::default();
        for way in 0..3 {
            let (reply, mut answer) = engine.reply();
            assert!(!reply.is_closed());
            let (waker, count) = counter();
            if way == 2 {
                for _ in 0..TILL_ASLEEP {
                    assert!(poll_once(&mut answer, &waker).is_pending());
                }
            }
            let woken = count.count();
            drop(answer);
            assert!(reply.is_closed());
            let error = match way {
                0 => reply.submit(drops.value()).map(drop).unwrap_err(),
                _ => reply.send(drops.value()).unwrap_err(),
            };
            assert_eq!(error.reason, Reason::Closed);
            assert_eq!(drops.count(), way);
            drop(error.into_inner());
            assert_eq!(count.count(), woken, "nobody sleeps");
            drop(waker);
            assert_eq!(Arc::strong_count(&count), 1, "no waker is left");
        }
        assert_eq!((drops.count(), engine.clock().now()), (3, seq(0)));
    }
}

/// Goal: an answer in place that nobody takes is dropped with the end that could, once. Method: with its number, and
/// before it has one.
#[test]
fn what_nobody_takes_is_dropped_once() {
    let drops = Drops::default();
    let engine = by_hand();
    for is_numbered in [false, true] {
        let (reply, answer) = engine.reply();
        let ticket = reply.submit(drops.value()).unwrap();
        if is_numbered {
            engine.pass();
        }
        let before = drops.count();
        drop(answer);
        assert_eq!(drops.count(), before + 1);
        engine.pass();
        assert!(ticket.seq().is_some(), "it takes nothing back");
        assert_eq!(drops.count(), before + 1);
    }
}

/// Goal: both ends hear of the engine's end. Method: threads and a task that wait for answers that nobody gives, a
/// reply that answers then, and an answer that was on its way, which is dropped with the answer's end.
#[test]
fn both_ends_hear_that_the_engine_is_closed() {
    to_the_end(|| {
        for engine in engines().into_iter().chain([by_hand()]) {
            let drops = Drops::default();
            let (kept, mut waiting) = engine.reply::<support::Counted>();
            let waiter = thread::spawn(move || (waiting.wait().map(|_| ()), waiting));
            let (kept_too, mut asleep) = engine.reply::<support::Counted>();
            let (waker, count) = counter();
            for _ in 0..TILL_ASLEEP {
                assert!(poll_once(&mut asleep, &waker).is_pending());
            }
            let woken = count.count();
            parts::poison(&engine);
            assert_eq!(count.count(), woken + 1);
            assert!(matches!(
                poll_once(&mut asleep, &waker),
                Poll::Ready(Err(AnswerError::Closed))
            ));
            let (outcome, waiting) = waiter.join().unwrap();
            assert_eq!(outcome, Err(AnswerError::Closed));
            assert!(kept.is_closed() && kept_too.is_closed());
            let error = kept.send(drops.value()).unwrap_err();
            assert_eq!((error.reason, drops.count()), (Reason::Closed, 0));
            drop((error, waiting));
            assert!(kept_too.submit(drops.value()).is_err());
            assert!(matches!(asleep.try_take(), Err(TryAnswerError::Closed)));
            assert_eq!(drops.count(), 2);
            let (late, mut answer) = engine.reply();
            assert!(late.send(drops.value()).is_err());
            assert!(matches!(answer.wait(), Err(AnswerError::Closed)));
            let kept = || {
                let (reply, answer) = engine.reply::<u8>();
                std::mem::forget(reply);
                answer
            };
            if executors::forgets() {
                assert_eq!(outcomes(kept), [Err(AnswerError::Closed); 4]);
            }
        }
    });
}

/// Goal: an answer that had no number when the engine ended is told to both ends, and dropped once. Method: passes by
/// hand, of which there are none.
#[test]
fn an_answer_without_a_number_is_told_of() {
    let engine = by_hand();
    let drops = Drops::default();
    let (reply, mut answer) = engine.reply();
    let mut ticket = reply.submit(drops.value()).unwrap();
    parts::poison(&engine);
    assert_eq!(ticket.wait(), Err(WaitError));
    assert!(matches!(answer.wait(), Err(AnswerError::Closed)));
    assert!(matches!(answer.try_take(), Err(TryAnswerError::Closed)));
    assert_eq!(drops.count(), 0);
    drop(answer);
    assert_eq!(drops.count(), 1);
}

/// Goal: an engine that is closed in order still answers what it was asked, and the answers are told: all that were
/// sent before the last request was received. Method: requests on their way, a service that begins when nothing can be
/// sent any more; again and again.
#[test]
fn a_close_in_order_lets_questions_be_answered() {
    to_the_end(|| {
        for round in 0..600 {
            let engine = engines()[round % 3].clone();
            let (mut ask, mut asked) = engine.channel();
            let mut answers: Vec<_> = (0..4)
                .map(|_| {
                    let (reply, answer) = engine.reply();
                    ask.send(reply).unwrap();
                    answer
                })
                .collect();
            let begun = engine.clone();
            let service = thread::spawn(move || {
                support::until(|| begun.is_closed());
                for (nth, (_, reply)) in asked.messages().enumerate() {
                    let sent = Reply::send(reply, nth);
                    // The end may have come when the last was received.
                    assert!(sent.is_ok() || nth == 3, "{nth}");
                }
            });
            let report = engine.close(Duration::from_secs(60));
            assert!(report.is_clean(), "{report}");
            service.join().unwrap();
            for (nth, answer) in answers.iter_mut().enumerate().take(3) {
                assert_eq!(answer.wait().unwrap().1, nth);
            }
            assert!(matches!(answers[3].wait(), Ok((_, 3)) | Err(AnswerError::Closed)));
        }
    });
}

/// Goal: whoever answers and whoever asked can both wait for the one number. Method: a thread each, a task each, one of
/// each; passes by hand come when both sleep.
#[test]
fn both_ends_wait_for_the_number() {
    to_the_end(|| {
        let engine = by_hand();
        let (waker, count) = counter();
        let (other_waker, other) = counter();
        let (reply, mut answer) = engine.reply();
        let mut ticket = reply.submit("yes").unwrap();
        for _ in 0..TILL_ASLEEP {
            assert!(poll_once(&mut ticket, &waker).is_pending());
            assert!(poll_once(&mut answer, &other_waker).is_pending());
        }
        let woken = (count.count(), other.count());
        engine.pass();
        assert_eq!((count.count(), other.count()), (woken.0 + 1, woken.1 + 1));
        assert_eq!(poll_once(&mut ticket, &waker), Poll::Ready(Ok(seq(1))));
        assert_eq!(poll_once(&mut answer, &other_waker), Poll::Ready(Ok((seq(1), "yes"))));
        for round in 2..50 {
            let (reply, mut answer) = engine.reply();
            let mut ticket = reply.submit(round).unwrap();
            let answerer = thread::spawn(move || ticket.wait());
            let asker =
                thread::spawn(
                    move || {
                        if round % 2 == 0 { answer.wait() } else { block_on(answer) }
                    },
                );
            engine.pass();
            assert_eq!(answerer.join().unwrap(), Ok(seq(round)));
            assert_eq!(asker.join().unwrap(), Ok((seq(round), round)));
        }
    });
}

/// Goal: an answer can be given where nothing may wait: by a destructor, wherever that runs, and by what hangs on a
/// mark. Method: values that answer when they are dropped.
#[test]
fn a_destructor_and_a_continuation_can_answer() {
    struct Answers(Option<Reply<u8>>);
    impl Drop for Answers {
        fn drop(&mut self) {
            self.0.take().unwrap().send(7).unwrap();
        }
    }
    to_the_end(|| {
        for engine in engines() {
            let (mut tx, rx) = engine.channel();
            let (reply, mut unread) = engine.reply();
            tx.send(Answers(Some(reply))).unwrap();
            drop(rx);
            assert_eq!(unread.wait().unwrap().1, 7);
            let (reply, mut told) = engine.reply();
            drop(engine.marker().submit_then(move |number| reply.send(number).unwrap()));
            let (answered, number) = told.wait().unwrap();
            assert!(number.unwrap() < answered);
            let (reply, mut nested) = engine.reply();
            let (outer, answer) = engine.reply();
            outer.send(Answers(Some(reply))).unwrap();
            drop(answer);
            assert_eq!(nested.wait().unwrap().1, 7);
        }
    });
}
