//! Several receivers read as one stream, in the order of the numbers.

#![cfg(not(loom))]

#[path = "merge/sorted.rs"]
mod sorted;
mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use mainspring::{
    Engine, Event, Merge, Receiver, RecvError, RecvTimeoutError, Sender, Seq, TryRecvError, parts,
};
use support::{
    Drops, Letter, assert_whole, by_hand, listen_by, to_the_end, until_kicked_since, write,
};

const SOON: Duration = Duration::from_millis(2);
const FOREVER: Duration = Duration::MAX;

fn seq(number: u64) -> Seq {
    Seq::new(number)
}

/// Goal: the messages come in the order of the numbers, whatever their types, in each way of asking.
/// Method: two types in turn, passes by hand.
#[test]
fn messages_come_in_the_order_of_their_numbers() {
    type Ask = fn(&mut Merge<String>) -> Option<String>;
    let asks: [Ask; 8] = [
        |all| all.recv().ok().map(|(_, text)| text),
        |all| all.try_recv().ok().map(|(_, text)| text),
        |all| all.recv_timeout(SOON).ok().map(|(_, text)| text),
        |all| all.messages().next().map(|(_, text)| text),
        |all| message(all.recv_event().ok()?),
        |all| message(all.try_recv_event().ok()?),
        |all| message(all.recv_event_timeout(SOON).ok()?),
        |all| {
            let mut text = None;
            all.recv_batch(1, |_, value| text = Some(value)).ok()?;
            text
        },
    ];
    for ask in asks {
        let engine = by_hand();
        let (mut words, of_words) = engine.channel::<&str>();
        let (mut figures, of_figures) = engine.channel::<u32>();
        let mut all =
            of_words.map(str::to_owned).merge(of_figures.map(|figure| figure.to_string())).unwrap();
        for figure in 1..=3 {
            words.send("word").unwrap();
            words.send("and").unwrap();
            engine.run_until_idle();
            figures.send(figure).unwrap();
            engine.run_until_idle();
        }
        for expected in ["word", "and", "1", "word", "and", "2", "word", "and", "3"] {
            assert_eq!(ask(&mut all).as_deref(), Some(expected));
        }
        assert_eq!(all.try_recv(), Err(TryRecvError::Empty));
        assert_eq!(all.caught_up_to(), seq(9));
        words.send("last").unwrap();
        drop((words, figures));
        engine.run_until_idle();
        assert!(all.is_closed());
        assert_eq!(ask(&mut all).as_deref(), Some("last"));
        assert_eq!(ask(&mut all), None);
        assert_eq!(all.try_recv(), Err(TryRecvError::Closed));
    }
}

fn message(event: Event<String>) -> Option<String> {
    match event {
        Event::Message(_, text) => Some(text),
        _ => None,
    }
}

/// Goal: batches take what is there, as many as asked for. Method: runs of several receivers.
#[test]
fn batches_take_what_is_there() {
    let engine = by_hand();
    let (mut senders, receivers): (Vec<_>, Vec<_>) = (0..3).map(|_| engine.channel()).unzip();
    let mut all = Merge::new(receivers).unwrap();
    assert_eq!(all.try_recv_batch(9, |_, _| {}), Err(TryRecvError::Empty));
    assert_eq!(all.recv_batch(0, |_, _| {}), Ok(0));
    assert_eq!(all.try_recv_batch(0, |_, _| {}), Ok(0));
    for tx in &mut senders {
        tx.send_batch(0..4).unwrap();
        engine.run_until_idle();
    }
    let mut numbers = Vec::new();
    assert_eq!(all.recv_batch(6, |seq, value| numbers.push((seq.get(), value))), Ok(6));
    assert_eq!(all.try_recv_batch(99, |seq, value| numbers.push((seq.get(), value))), Ok(6));
    let expected: Vec<_> = (1..=12).map(|number| (number, (number - 1) % 4)).collect();
    assert_eq!(numbers, expected);
}

/// Goal: a clock is told when there is nothing else, and is news; the last one before the end. Method:
/// passes by hand, an engine with traffic elsewhere.
#[test]
fn clocks_are_told_between_messages() {
    let engine = by_hand();
    let (mut tx, rx) = engine.channel::<u64>();
    let (tx2, rx2) = engine.channel::<u64>();
    let (mut elsewhere, _other) = engine.channel();
    let mut all = rx.merge(rx2).unwrap();
    assert_eq!(all.try_recv_event(), Err(TryRecvError::Empty));
    elsewhere.send(()).unwrap();
    engine.run_until_idle();
    assert_eq!(all.try_recv_event(), Ok(Event::Clock(seq(1))));
    assert_eq!(all.try_recv_event(), Err(TryRecvError::Empty));
    assert_eq!(all.recv_event_timeout(SOON), Err(RecvTimeoutError::Timeout));
    tx.send(7).unwrap();
    engine.run_until_idle();
    elsewhere.send(()).unwrap();
    drop((tx, tx2));
    engine.run_until_idle();
    assert_eq!(all.caught_up_to(), seq(1));
    assert_eq!(all.try_recv_event(), Ok(Event::Message(seq(2), 7)));
    assert_eq!(all.caught_up_to(), seq(3));
    assert_eq!(all.try_recv_event(), Ok(Event::Clock(seq(3))));
    elsewhere.send(()).unwrap();
    engine.run_until_idle();
    assert_eq!(all.try_recv_event(), Err(TryRecvError::Closed));
    assert_eq!(all.recv_event(), Err(RecvError::Closed));
}

/// Goal: receivers of different engines are refused, and come back whole. Method: two, and many.
#[test]
fn another_engine_is_refused_and_the_parts_come_back() {
    let (engine, other) = (Engine::new(), Engine::new());
    let (mut tx, rx) = engine.channel::<u64>();
    let (mut tx2, rx2) = other.channel::<u64>();
    tx.send(1).unwrap();
    tx2.send(2).unwrap();
    let error = rx.merge(rx2).unwrap_err();
    assert_eq!(error.to_string(), "merging failed: the receivers are of different engines");
    let mut values: Vec<u64> = Vec::new();
    for mut part in error.parts {
        values.push(part.recv().unwrap().1);
    }
    assert_eq!(values, [1, 2]);
    let all = [engine.receiver::<u64>(), engine.receiver(), other.receiver()];
    assert_eq!(Merge::new(all).unwrap_err().parts.len(), 3);
}

/// Goal: a merge of nothing is closed, and can be added to. Method: that.
#[test]
fn a_merge_of_nothing_is_closed() {
    let mut none = Merge::<u64>::new::<Receiver<u64>>([]).unwrap();
    assert!(none.is_closed());
    assert_eq!(none.recv(), Err(RecvError::Closed));
    assert_eq!(none.try_recv_event(), Err(TryRecvError::Closed));
    assert_eq!(none.recv_event_timeout(FOREVER), Err(RecvTimeoutError::Closed));
    assert_eq!(none.caught_up_to(), Seq::ZERO);
    let engine = Engine::new();
    let (mut tx, rx) = engine.channel();
    let mut some = none.merge(rx).unwrap();
    tx.send(5).unwrap();
    assert_eq!(some.recv(), Ok((seq(1), 5)));
}

/// Goal: more can be added while it runs; what the new one holds that is older comes next. Method: two
/// merges that have both told something, and have waited, become one.
#[test]
fn merges_that_have_run_become_one() {
    to_the_end(|| {
        let engine = Engine::new();
        let (mut senders, receivers): (Vec<_>, Vec<_>) =
            (0..4).map(|_| engine.channel::<u64>()).unzip();
        let mut receivers = receivers.into_iter();
        let mut one = Merge::new(receivers.by_ref().take(2)).unwrap();
        let mut two = Merge::new(receivers).unwrap();
        assert_eq!(one.recv_timeout(SOON), Err(RecvTimeoutError::Timeout));
        assert_eq!(two.recv_timeout(SOON), Err(RecvTimeoutError::Timeout));
        for (value, tx) in senders.iter_mut().enumerate() {
            tx.send_stamped(value as u64).unwrap();
        }
        assert_eq!(two.recv(), Ok((seq(3), 2)));
        let mut all = two.merge(one).unwrap();
        assert_eq!(all.recv(), Ok((seq(1), 0)));
        assert_eq!(all.recv(), Ok((seq(2), 1)));
        assert_eq!(all.recv(), Ok((seq(4), 3)));
        for round in 0..40 {
            let kicks = parts::kicks(&engine);
            let waits = thread::spawn(move || (all.recv(), all));
            until_kicked_since(&engine, kicks);
            senders[round % 4].send(round as u64).unwrap();
            let (message, back) = waits.join().unwrap();
            assert_eq!(message, Ok((seq(5 + round as u64), round as u64)));
            all = back;
        }
    });
}

/// Goal: one that sleeps hears a message, the clock, the end, and the engine's end. Method: each, begun
/// asleep.
#[test]
fn a_sleeping_merge_hears_everything() {
    to_the_end(|| {
        let engine = Engine::new();
        let (mut tx, rx) = engine.channel::<u64>();
        let (tx2, rx2) = engine.channel::<u64>();
        let (mut elsewhere, _other) = engine.channel();
        let mut all = rx.merge(rx2).unwrap();
        let mut asleep = |act: &mut dyn FnMut()| {
            let kicks = parts::kicks(&engine);
            thread::scope(|scope| {
                let waits = scope.spawn(|| all.recv_event());
                until_kicked_since(&engine, kicks);
                act();
                waits.join().unwrap()
            })
        };
        assert_eq!(asleep(&mut || tx.send(7).unwrap()), Ok(Event::Message(seq(1), 7)));
        assert_eq!(asleep(&mut || elsewhere.send(()).unwrap()), Ok(Event::Clock(seq(2))));
        let mut tx2 = Some(tx2);
        let mut ends = || {
            tx2.take().unwrap().send(8).unwrap();
        };
        assert_eq!(asleep(&mut ends), Ok(Event::Message(seq(3), 8)));
        let mut tx = Some(tx);
        assert_eq!(asleep(&mut || drop(tx.take())), Err(RecvError::Closed));
        let (_tx3, rx3) = engine.channel::<u64>();
        let mut all = Merge::from(rx3);
        let kicks = parts::kicks(&engine);
        let waits = thread::spawn(move || (all.recv(), all.recv_event()));
        until_kicked_since(&engine, kicks);
        parts::poison(&engine);
        assert_eq!(waits.join().unwrap(), (Err(RecvError::Closed), Err(RecvError::Closed)));
    });
}

/// Goal: all promises hold for a merge under load. Method: authors to all of its receivers, small
/// inboxes; read in each way; clocks are held against what comes later.
#[test]
fn the_promises_hold_for_a_merge_under_load() {
    to_the_end(|| {
        const COUNT: u64 = 6000;
        for way in 0..4 {
            let engine = Engine::builder().capacity(32).inbox(4).build().unwrap();
            let receivers: Vec<Receiver<Letter>> = (0..5).map(|_| engine.receiver()).collect();
            let addresses: Vec<_> = receivers.iter().map(Receiver::address).collect();
            let senders: Vec<Vec<Sender<Letter>>> = (0..3)
                .map(|_| addresses.iter().map(|to| engine.sender(to).unwrap()).collect())
                .collect();
            let mut all = Merge::new(receivers).unwrap();
            let authors: Vec<_> = (senders.into_iter().enumerate())
                .map(|(author, mut to)| {
                    thread::spawn(move || write_in_order(author, COUNT, &mut to))
                })
                .collect();
            let mut letters = Vec::new();
            match way {
                0 => letters = listen_by(|| all.recv_event().ok()),
                1 => letters.extend(all.messages().map(|(seq, letter)| (seq.get(), letter))),
                2 => {
                    while all.recv_batch(7, |seq, letter| letters.push((seq.get(), letter))).is_ok()
                    {
                    }
                }
                _ => loop {
                    match all.try_recv() {
                        Ok((seq, letter)) => letters.push((seq.get(), letter)),
                        Err(TryRecvError::Empty) => thread::yield_now(),
                        Err(TryRecvError::Closed) => break,
                        Err(TryRecvError::Notice) => unreachable!("nobody gives notices"),
                    }
                },
            }
            assert!(letters.is_sorted_by_key(|&(number, _)| number));
            for author in authors {
                author.join().unwrap();
            }
            let mut by_lane = letters;
            by_lane.sort_unstable_by_key(|&(number, _)| number);
            assert_whole(&by_lane, &[COUNT; 3]);
        }
    });
}

/// Goal: a thousand receivers are one stream, whoever speaks. Method: long runs of one of them beside
/// single messages of others; it sleeps at first, and in between.
#[test]
fn a_thousand_receivers_are_one_stream() {
    to_the_end(|| {
        let engine = Engine::builder().inbox(4).capacity(64).build().unwrap();
        let (senders, receivers): (Vec<_>, Vec<_>) =
            (0..1024).map(|_| engine.channel::<usize>()).unzip();
        let mut all = Merge::new(receivers).unwrap();
        let kicks = parts::kicks(&engine);
        let reads = thread::spawn(move || {
            let (mut count, mut told) = (0, Seq::ZERO);
            while let Ok(more) = all.recv_batch(100, |seq, _| {
                assert!(seq > told);
                told = seq;
            }) {
                count += more;
            }
            (count, told)
        });
        until_kicked_since(&engine, kicks);
        let mut senders = senders.into_iter();
        let mut long = senders.next().unwrap();
        for (place, mut tx) in senders.enumerate() {
            tx.send(place).unwrap();
            long.send_batch(0..place % 50).unwrap();
        }
        drop(long);
        let expected = 1023 + (0..1023).map(|place| place % 50).sum::<usize>();
        assert_eq!(reads.join().unwrap(), (expected, seq(expected as u64)));
    });
}

/// Letters of one author to several receivers keep their order only if each has its number before the
/// next goes elsewhere: so one part of them goes to each.
fn write_in_order(author: usize, count: u64, to: &mut [Sender<Letter>]) {
    if author == 0 {
        return write(author, count, &mut to[..1]);
    }
    for index in 0..count {
        let place = (index * 7 / 3) as usize % to.len();
        to[place].send_stamped(Letter { author, index }).unwrap();
    }
}

/// Goal: receivers keep their ties when merged: others watch one, and one is behind another. Method:
/// passes by hand.
#[test]
fn ties_hold_in_a_merge() {
    let engine = by_hand();
    let (mut to_first, mut first) = engine.channel::<u64>();
    let (mut tx, mut rx) = engine.channel::<u64>();
    let (mut tx2, rx2) = engine.channel::<u64>();
    let progress = rx.progress();
    rx.behind(&[first.progress()]).unwrap();
    let mut all = rx.merge(rx2).unwrap();
    to_first.send(1).unwrap();
    engine.run_until_idle();
    tx2.send(2).unwrap();
    engine.run_until_idle();
    tx.send(3).unwrap();
    engine.run_until_idle();
    tx2.send(4).unwrap();
    engine.run_until_idle();
    assert_eq!(all.try_recv(), Ok((seq(2), 2)));
    // 4 waits, too: it must not overtake 3.
    assert_eq!(all.try_recv(), Err(TryRecvError::Empty));
    assert_eq!(all.try_recv_batch(9, |_, _| {}), Err(TryRecvError::Empty));
    assert_eq!(all.try_recv_event(), Err(TryRecvError::Empty));
    assert_eq!(all.recv_event_timeout(SOON), Err(RecvTimeoutError::Timeout));
    assert_eq!(progress.now(), seq(2), "3 is next");
    assert_eq!(first.try_recv(), Ok((seq(1), 1)));
    assert_eq!(all.try_recv(), Err(TryRecvError::Empty));
    assert_eq!(first.try_recv(), Err(TryRecvError::Empty));
    assert_eq!(all.try_recv(), Ok((seq(3), 3)));
    assert_eq!(progress.now(), seq(2), "3 is in hand");
    assert_eq!(all.try_recv(), Ok((seq(4), 4)));
    assert_eq!(progress.now(), seq(4), "nothing to handle: at the clock");
    // No clock beyond those ahead.
    to_first.send(5).unwrap();
    engine.run_until_idle();
    assert_eq!(all.try_recv_event(), Err(TryRecvError::Empty));
    drop(first);
    assert_eq!(all.try_recv_event(), Ok(Event::Clock(seq(5))));
}

/// Goal: a merge that sleeps because one of its receivers is behind another is woken by that one.
/// Method: two threads that alternate by it.
#[test]
fn a_merge_behind_others_is_woken_by_them() {
    to_the_end(|| {
        const COUNT: u64 = 3000;
        let engine = Engine::builder().capacity(8).build().unwrap();
        let mut first = engine.receiver::<u64>();
        let (mut rx, rx2) = (engine.receiver::<u64>(), engine.receiver::<u64>());
        rx.behind(&[first.progress()]).unwrap();
        let mut out = engine.outbox();
        let targets = [&first, &rx, &rx2].map(|to| out.add(&to.address()).unwrap());
        let done = Arc::new(AtomicU64::new(0));
        let follows = thread::spawn({
            let done = done.clone();
            let mut all = rx.map(Some).merge(rx2.map(|_| None)).unwrap();
            move || {
                let mut count = 0;
                while let Ok((_, value)) = all.recv() {
                    assert!(value.is_none_or(|value| value <= done.load(SeqCst)));
                    count += 1;
                }
                count
            }
        });
        let leads = thread::spawn(move || {
            for (_, value) in first.messages() {
                done.store(value, SeqCst);
            }
        });
        for value in 1..=COUNT {
            for target in targets {
                out.send(target, value).unwrap();
            }
        }
        drop(out);
        assert_eq!(follows.join().unwrap(), 2 * COUNT);
        leads.join().unwrap();
    });
}

/// Goal: a merge that is dropped drops what it holds, and its senders are told. Method: that.
#[test]
fn a_merge_that_is_dropped_closes_its_receivers() {
    let engine = Engine::new();
    let drops = Drops::default();
    let (mut tx, rx) = engine.channel();
    let (mut tx2, rx2) = engine.channel();
    let mut all = rx.merge(rx2).unwrap();
    tx.send(drops.value()).unwrap();
    tx2.send(drops.value()).unwrap();
    tx.send(drops.value()).unwrap();
    drop(all.recv().unwrap());
    assert_eq!(drops.count(), 1);
    drop(all);
    assert_eq!(drops.count(), 3);
    assert!(tx.send(drops.value()).is_err());
    assert!(tx2.send(drops.value()).is_err());
}

/// Goal: a panic of what maps, or of what a batch calls, costs that one message. Method: both.
#[test]
fn a_panic_costs_one_message() {
    let engine = Engine::new();
    let (mut tx, rx) = engine.channel::<u64>();
    let (mut tx2, rx2) = engine.channel::<u64>();
    let mapped = rx.map(|value| if value == 2 { panic!("as told") } else { value });
    let mut all = mapped.merge(rx2).unwrap();
    for value in 1..=3 {
        tx.send_stamped(value).unwrap();
        tx2.send_stamped(value * 10).unwrap();
    }
    let quiet = |act: &mut dyn FnMut()| {
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(act)).unwrap_err()
    };
    assert_eq!(all.recv(), Ok((seq(1), 1)));
    assert_eq!(all.recv(), Ok((seq(2), 10)));
    quiet(&mut || assert!(all.recv().is_ok()));
    quiet(&mut || {
        all.recv_batch(9, |_, value| assert_ne!(value, 20)).ok();
    });
    assert_eq!(all.recv(), Ok((seq(5), 3)));
    assert_eq!(all.recv(), Ok((seq(6), 30)));
}
