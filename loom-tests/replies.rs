//! Replies: whoever waits for an answer hears of it, of a reply that is dropped, and of the engine's end; either end
//! may go while the other is at work.

use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use loom::thread;
use mainspring::{Answer, AnswerError, Engine, Seq, TryAnswerError, parts};

use crate::harness::{Model, reach};
use crate::marks::by_hand;
use crate::promises::engine;
use crate::tasks::block_on;

pub const MODELS: &[Model] = &[
    Model {
        name: "who_waits_hears_the_answer",
        preemptions: 3,
        executions_min: 900,
        reaches: &[],
        body: who_waits_hears_the_answer,
    },
    Model {
        name: "who_waits_hears_the_answer_that_another_numbers",
        preemptions: 2,
        executions_min: 7000,
        reaches: &["numbered by the passer"],
        body: who_waits_hears_the_answer_that_another_numbers,
    },
    Model {
        name: "a_task_hears_the_answer",
        preemptions: 3,
        executions_min: 1000,
        reaches: &["slept"],
        body: a_task_hears_the_answer,
    },
    Model {
        name: "who_waits_hears_that_there_is_no_answer",
        preemptions: 3,
        executions_min: 80,
        reaches: &[],
        body: who_waits_hears_that_there_is_no_answer,
    },
    Model {
        name: "who_waits_for_an_answer_hears_of_the_end",
        preemptions: 3,
        executions_min: 900,
        reaches: &[],
        body: who_waits_for_an_answer_hears_of_the_end,
    },
    Model {
        name: "an_answer_races_with_the_end",
        preemptions: 2,
        executions_min: 400,
        reaches: &["answered", "came back", "left"],
        body: an_answer_races_with_the_end,
    },
    Model {
        name: "an_answer_races_with_its_being_given_up",
        preemptions: 3,
        executions_min: 4,
        reaches: &["came back", "dropped unread"],
        body: an_answer_races_with_its_being_given_up,
    },
    Model {
        name: "who_reads_the_clock_finds_the_answer",
        preemptions: 3,
        executions_min: 50,
        reaches: &["the clock covers it"],
        body: who_reads_the_clock_finds_the_answer,
    },
    Model {
        name: "an_answer_is_below_what_follows_it",
        preemptions: 2,
        executions_min: 6000,
        reaches: &[],
        body: an_answer_is_below_what_follows_it,
    },
];

/// A value whose end is counted.
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Relaxed);
    }
}

/// It may be numbered at once, or by whoever passes.
fn who_waits_hears_the_answer() {
    let engine = engine(1, 1);
    let (reply, mut answer) = engine.reply();
    let waiter = thread::spawn(move || answer.wait());
    reply.send(7).unwrap();
    assert_eq!(waiter.join().unwrap(), Ok((Seq::new(1), 7)));
}

/// Passes by hand: the answer is submitted, a pass comes before or after.
fn who_waits_hears_the_answer_that_another_numbers() {
    let engine = by_hand();
    let (reply, mut answer) = engine.reply();
    let waiter = thread::spawn(move || answer.wait());
    let passer = thread::spawn({
        let engine = engine.clone();
        move || {
            if engine.pass() {
                reach("numbered by the passer");
            }
        }
    });
    reply.send(7).unwrap();
    passer.join().unwrap();
    engine.pass();
    assert_eq!(waiter.join().unwrap(), Ok((Seq::new(1), 7)));
}

fn a_task_hears_the_answer() {
    let engine = engine(1, 1);
    let (reply, answer) = engine.reply();
    let waiter = thread::spawn(move || block_on(answer));
    reply.send(7).unwrap();
    assert_eq!(waiter.join().unwrap(), Ok((Seq::new(1), 7)));
}

fn who_waits_hears_that_there_is_no_answer() {
    let engine = engine(1, 1);
    let (reply, mut answer) = engine.reply::<u8>();
    let waiter = thread::spawn(move || answer.wait());
    drop(reply);
    assert_eq!(waiter.join().unwrap(), Err(AnswerError::Dropped));
}

/// Nobody answers, and nobody lets go of the reply.
fn who_waits_for_an_answer_hears_of_the_end() {
    let engine = engine(1, 1);
    let (reply, mut answer) = engine.reply::<u8>();
    let waiter = thread::spawn(move || answer.wait());
    parts::poison(&engine);
    assert_eq!(waiter.join().unwrap(), Err(AnswerError::Closed));
    assert!(reply.is_closed());
}

/// It has its number, or goes back, or is dropped with the end that waited; once.
fn an_answer_races_with_the_end() {
    let engine = engine(1, 1);
    let drops = Arc::new(AtomicUsize::new(0));
    let (reply, mut answer) = engine.reply();
    let value = Counted(drops.clone());
    let answerer = thread::spawn(move || reply.send(value));
    parts::poison(&engine);
    let heard = answer.wait();
    let said = answerer.join().unwrap();
    match (&said, &heard) {
        (Ok(()), Ok((seq, _))) => {
            reach("answered");
            assert_eq!(*seq, Seq::new(1));
        }
        (Err(_), Err(AnswerError::Closed)) => reach("came back"),
        (Ok(()), Err(AnswerError::Closed)) => reach("left"),
        _ => panic!("the ends disagree"),
    }
    assert_eq!(drops.load(Relaxed), 0);
    drop((said, heard, answer));
    assert_eq!(drops.load(Relaxed), 1);
}

fn an_answer_races_with_its_being_given_up() {
    let engine = engine(1, 1);
    let drops = Arc::new(AtomicUsize::new(0));
    let (reply, answer) = engine.reply();
    let value = Counted(drops.clone());
    let answerer = thread::spawn(move || reply.send(value));
    drop(answer);
    match answerer.join().unwrap() {
        Ok(()) => reach("dropped unread"),
        Err(error) => {
            reach("came back");
            assert_eq!(drops.load(Relaxed), 0);
            drop(error);
        }
    }
    assert_eq!(drops.load(Relaxed), 1);
}

/// Numbered at once, here: without a pass.
fn who_reads_the_clock_finds_the_answer() {
    let engine = engine(1, 1);
    let (reply, mut answer): (_, Answer<u8>) = engine.reply();
    let reader = thread::spawn({
        let clock = engine.clock();
        move || {
            let covers = clock.now() >= Seq::new(1);
            match answer.try_take() {
                Ok(taken) => {
                    assert_eq!(taken, (Seq::new(1), 7));
                    if covers {
                        reach("the clock covers it");
                    }
                }
                Err(error) => {
                    assert!(!covers, "it was not there");
                    assert_eq!(error, TryAnswerError::Empty);
                }
            }
            answer
        }
    });
    reply.send(7).unwrap();
    let _answer = reader.join().unwrap();
}

/// Who answers sends; somebody else passes meanwhile.
fn an_answer_is_below_what_follows_it() {
    let engine: Engine = engine(2, 2);
    let (mut tx, mut rx) = engine.channel();
    let (reply, mut answer) = engine.reply();
    let answerer = thread::spawn(move || {
        reply.send(7).unwrap();
        tx.send(8).unwrap();
    });
    let (answered, _) = answer.wait().unwrap();
    assert!(answered < rx.recv().unwrap().0);
    answerer.join().unwrap();
}
