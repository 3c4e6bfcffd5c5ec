//! Engines that are closed while everyone is at work.

use std::env;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use mainspring::{Engine, Reason, Receiver};

use crate::{Dice, seed};

const SENDERS: u64 = 3;
/// Of one engine, about.
const MESSAGES: u64 = 2_000;

/// A message. As long as it is there, so is its count.
struct Word {
    author: u64,
    nth: u64,
    _there: Arc<()>,
}

/// Goal: what was sent is received, in order, and nothing else is; with time enough a close is clean; each message
/// is dropped once. Method: many engines, each closed at some moment, by one or by two at once.
#[test]
fn closes_under_way_lose_nothing() {
    let messages = env::var("MAINSPRING_SOAK").map_or(1_000_000, |count| count.parse().unwrap());
    let mut dice = Dice(seed());
    for _ in 0..messages / MESSAGES {
        close(&mut dice);
    }
}

fn close(dice: &mut Dice) {
    let (capacity, inbox) = (1 << dice.below(7), 1 << dice.below(5));
    let engine = Engine::builder().capacity(capacity).inbox(inbox).build().unwrap();
    let (first, rx) = engine.channel::<Word>();
    let (there, moment) = (Arc::new(()), dice.below(40_000));
    let twice = dice.below(4) == 0;
    let senders = vec![first; SENDERS as usize];
    let (sent, received) = thread::scope(|scope| {
        let sending: Vec<_> = (0..)
            .zip(senders)
            .map(|(author, mut tx)| {
                let there = there.clone();
                scope.spawn(move || {
                    for nth in 0.. {
                        let word = Word { author, nth, _there: there.clone() };
                        if let Err(error) = tx.send(word) {
                            assert_eq!((error.reason, error.value.nth), (Reason::Closed, nth));
                            return nth;
                        }
                    }
                    unreachable!("it sends on and on")
                })
            })
            .collect();
        let reading = scope.spawn(move || read(rx));
        (0..moment).for_each(|_| std::hint::spin_loop());
        let other = twice.then(|| scope.spawn(|| engine.close(Duration::from_secs(60))));
        let closing = engine.close(Duration::from_secs(60));
        // Who comes second may find what is just being given back.
        let other = other.map_or_else(|| closing.clone(), |other| other.join().unwrap());
        assert!(closing.is_clean() || other.is_clean(), "{closing:?}, {other:?}");
        for left in closing.left.iter().chain(&other.left) {
            assert!(left.unread == 0 && left.unnumbered <= SENDERS, "{left:?}");
        }
        let sent: Vec<u64> = sending.into_iter().map(|sender| sender.join().unwrap()).collect();
        assert_eq!(closing.clock.get(), sent.iter().sum::<u64>());
        (sent, reading.join().unwrap())
    });
    assert_eq!(sent, received);
    drop(engine);
    assert_eq!(Arc::strong_count(&there), 1, "drops");
}

/// How many came from each.
fn read(mut rx: Receiver<Word>) -> Vec<u64> {
    let mut next = vec![0; SENDERS as usize];
    for (told, (seq, word)) in rx.messages().enumerate() {
        assert_eq!(seq.get(), told as u64 + 1, "O1");
        let next = &mut next[word.author as usize];
        assert_eq!(word.nth, *next, "O2");
        *next += 1;
    }
    next
}
