//! Both ends at once: whatever they do, in whatever order, the two accounts agree, and each value ends once.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Barrier};
use std::task::Poll;
use std::thread;
use std::time::Duration;

use mainspring::{Answer, AnswerError, AnswerTimeoutError, Reply, Seq, TryAnswerError, WaitError};

use crate::executors::{block_on, counter, poll_once};
use crate::support::{Counted, Drops, by_hand, engines, to_the_end};

/// Pairs in each drive.
const PAIRS: usize = 20_000;

/// What the end that answers did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    Sent,
    CameBack,
    Dropped,
}

/// What the other end has heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Heard {
    Answer,
    Nothing,
    Closed,
    /// It did not listen to the end.
    GaveUp,
}

fn answer(reply: Reply<Counted>, way: usize, drops: &Drops) -> Said {
    match way {
        0 => {
            drop(reply);
            return Said::Dropped;
        }
        1 if reply.is_closed() => {
            // Final.
            assert!(reply.send(drops.value()).is_err());
            return Said::CameBack;
        }
        _ => {}
    }
    let sent = match way {
        2 => reply.submit(drops.value()).map(|ticket| assert!(ticket.seq() < Some(Seq::MAX))),
        3 => reply.submit(drops.value()).map(|mut ticket| {
            // Unless the engine is closed there is a number, whatever becomes of the other end.
            ticket.wait().ok();
        }),
        _ => reply.send(drops.value()),
    };
    if sent.is_ok() { Said::Sent } else { Said::CameBack }
}

fn listen(mut answer: Answer<Counted>, way: usize) -> Heard {
    let told = |error| match error {
        AnswerError::Dropped => Heard::Nothing,
        AnswerError::Closed => Heard::Closed,
        AnswerError::Taken => panic!("it was not"),
    };
    match way {
        0 => Heard::GaveUp,
        1 => match answer.try_take() {
            Ok(_) => Heard::Answer,
            Err(TryAnswerError::Empty) => Heard::GaveUp,
            Err(TryAnswerError::Dropped) => Heard::Nothing,
            Err(TryAnswerError::Closed) => Heard::Closed,
            Err(TryAnswerError::Taken) => panic!("it was not"),
        },
        2 => match answer.wait_timeout(Duration::from_micros(20)) {
            Ok(_) => Heard::Answer,
            Err(AnswerTimeoutError::Timeout) => Heard::GaveUp,
            Err(AnswerTimeoutError::Dropped) => Heard::Nothing,
            Err(AnswerTimeoutError::Closed) => Heard::Closed,
            Err(AnswerTimeoutError::Taken) => panic!("it was not"),
        },
        3 => {
            let (waker, _count) = counter();
            for _ in 0..10 {
                if let Poll::Ready(outcome) = poll_once(&mut answer, &waker) {
                    return outcome.map_or_else(told, |_| Heard::Answer);
                }
            }
            Heard::GaveUp
        }
        4 => block_on(answer).map_or_else(told, |_| Heard::Answer),
        _ => answer.wait().map_or_else(told, |_| Heard::Answer),
    }
}

/// Goal: the accounts of both ends agree, and each value is dropped once. Method: two threads, which take the ends of
/// pair after pair and do something at random with theirs at the same moment.
#[test]
fn the_ends_agree() {
    to_the_end(|| {
        for engine in engines() {
            let drops = Drops::default();
            let (to_answer, replies): (Sender<(Reply<Counted>, usize)>, Receiver<_>) = channel();
            let values = drops.clone();
            let answerer = thread::spawn(move || {
                let mut random = fastrand::Rng::with_seed(1);
                let said = replies.into_iter().map(|(reply, way)| {
                    (0..random.u32(0..60)).for_each(|_| std::hint::spin_loop());
                    answer(reply, way, &values)
                });
                said.collect::<Vec<_>>()
            });
            let mut random = fastrand::Rng::with_seed(2);
            let mut heard = Vec::new();
            for _ in 0..PAIRS {
                let (reply, answer) = engine.reply();
                to_answer.send((reply, random.usize(0..5))).unwrap();
                (0..random.u32(0..60)).for_each(|_| std::hint::spin_loop());
                heard.push(listen(answer, random.usize(0..6)));
            }
            drop(to_answer);
            let said = answerer.join().unwrap();
            let (mut made, mut pairs) = (0, std::collections::BTreeSet::new());
            for (&said, &heard) in said.iter().zip(&heard) {
                let agree = match said {
                    Said::Sent => matches!(heard, Heard::Answer | Heard::GaveUp),
                    Said::CameBack => heard == Heard::GaveUp,
                    Said::Dropped => matches!(heard, Heard::Nothing | Heard::GaveUp),
                };
                assert!(agree, "{said:?}, {heard:?}");
                made += usize::from(said != Said::Dropped);
                pairs.insert((said as u8, heard as u8));
            }
            assert_eq!(said.len(), PAIRS);
            assert_eq!(drops.count(), made, "each value ends once");
            assert_eq!(pairs.len(), 5, "all of that came about");
        }
    });
}

/// Goal: when the engine is closed in the middle of it nobody waits for ever, both accounts agree, and each value is
/// dropped once. Method: as above, with many engines that end at some moment.
#[test]
fn the_ends_agree_when_the_engine_ends() {
    to_the_end(|| {
        let mut random = fastrand::Rng::with_seed(3);
        for round in 0..400 {
            let engine = if round % 4 == 3 { by_hand() } else { engines()[round % 3].clone() };
            let drops = Drops::default();
            let (replies, answers): (Vec<_>, Vec<_>) = (0..20).map(|_| engine.reply()).unzip();
            let barrier = Arc::new(Barrier::new(3));
            let (start, values) = (barrier.clone(), drops.clone());
            let mut ways = fastrand::Rng::with_seed(random.u64(..));
            let answerer = thread::spawn(move || {
                start.wait();
                let say = |reply| answer(reply, ways.usize(0..5), &values);
                replies.into_iter().map(say).collect::<Vec<_>>()
            });
            let start = barrier.clone();
            let mut ways = fastrand::Rng::with_seed(random.u64(..));
            let asker = thread::spawn(move || {
                start.wait();
                let hear = |answer| listen(answer, ways.usize(0..6));
                answers.into_iter().map(hear).collect::<Vec<_>>()
            });
            barrier.wait();
            (0..random.u32(0..2_000)).for_each(|_| std::hint::spin_loop());
            drop(engine.close(Duration::from_millis(0)));
            let (said, heard) = (answerer.join().unwrap(), asker.join().unwrap());
            for (said, heard) in said.iter().zip(&heard) {
                let agree = match said {
                    // With no number, if it was just then.
                    Said::Sent => matches!(heard, Heard::Answer | Heard::GaveUp | Heard::Closed),
                    Said::CameBack => matches!(heard, Heard::GaveUp | Heard::Closed),
                    Said::Dropped => heard != &Heard::Answer,
                };
                assert!(agree, "{said:?}, {heard:?}");
            }
            let made = said.iter().filter(|&&said| said != Said::Dropped).count();
            assert_eq!(drops.count(), made, "each value ends once");
            assert_eq!(engine.marker().mark(), Err(WaitError));
        }
    });
}
