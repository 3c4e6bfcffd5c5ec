//! Progress: how far receivers have handled what they were given; and catching up.

#![cfg(not(loom))]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use mainspring::{
    Drive, Engine, Event, Progress, Receiver, RecvError, Seq, TryRecvError, WaitError,
    WaitTimeoutError, parts,
};
use support::{by_hand, to_the_end, until, until_kicked_since};

const SOON: Duration = Duration::from_millis(2);

fn seq(number: u64) -> Seq {
    Seq::new(number)
}

/// Goal: a message counts as handled when its receiver asks for more, in each way of asking. Method:
/// passes by hand, two messages that are adjacent and one that is not.
#[test]
fn a_message_is_handled_when_its_receiver_asks_for_more() {
    type Ask = fn(&mut Receiver<u64>) -> bool;
    let asks: [Ask; 7] = [
        |rx| rx.try_recv().is_ok(),
        |rx| rx.recv().is_ok(),
        |rx| rx.recv_timeout(SOON).is_ok(),
        |rx| rx.try_recv_event().is_ok_and(|event| matches!(event, Event::Message(..))),
        |rx| rx.recv_event().is_ok_and(|event| matches!(event, Event::Message(..))),
        |rx| rx.recv_event_timeout(SOON).is_ok_and(|event| matches!(event, Event::Message(..))),
        |rx| rx.messages().next().is_some(),
    ];
    for ask in asks {
        let engine = by_hand();
        let (mut tx, mut rx) = engine.channel();
        let (mut elsewhere, _other) = engine.channel();
        let progress = rx.progress();
        assert_eq!(progress.now(), Seq::ZERO);
        tx.send(1).unwrap();
        tx.send(2).unwrap();
        engine.run_until_idle();
        elsewhere.send(3).unwrap();
        engine.run_until_idle();
        tx.send(4).unwrap();
        engine.run_until_idle();
        assert_eq!(progress.now(), Seq::ZERO, "nothing asked for yet");
        assert!(ask(&mut rx));
        assert_eq!(progress.now(), Seq::ZERO, "the first is in hand");
        assert!(ask(&mut rx));
        assert_eq!(progress.now(), seq(1));
        assert!(ask(&mut rx));
        assert_eq!(progress.now(), seq(3), "all before 4 is handled");
        assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
        assert_eq!(progress.now(), seq(4));
        elsewhere.send(5).unwrap();
        engine.run_until_idle();
        assert_eq!(progress.now(), seq(5), "nothing to handle: at the clock");
    }
}

/// Goal: within a batch each message is handled when the closure has returned for it. Method: the
/// closure reads the progress.
#[test]
fn in_a_batch_each_message_is_handled_when_the_closure_returns() {
    let engine = Engine::new();
    let (mut tx, mut rx) = engine.channel();
    let progress = rx.progress();
    tx.send_batch(1..=5).unwrap();
    let mut seen = Vec::new();
    assert_eq!(rx.recv_batch(3, |seq, _| seen.push((seq, progress.now()))), Ok(3));
    assert_eq!(seen, [(seq(1), seq(0)), (seq(2), seq(1)), (seq(3), seq(2))]);
    assert_eq!(progress.now(), seq(3), "the batch has ended");
    assert_eq!(rx.try_recv_batch(9, |_, _| {}), Ok(2));
    assert_eq!(progress.now(), seq(5));
}

/// Goal: progress that is asked for late is right. Method: after a message that is still in hand, and
/// one that was not taken.
#[test]
fn progress_may_be_asked_for_at_any_time() {
    let engine = by_hand();
    let (mut tx, mut rx) = engine.channel();
    tx.send_batch(1..=3).unwrap();
    engine.run_until_idle();
    assert_eq!(rx.try_recv(), Ok((seq(1), 1)));
    assert_eq!(rx.try_recv(), Ok((seq(2), 2)));
    assert_eq!(rx.progress().now(), seq(1));
    assert_eq!(rx.try_recv(), Ok((seq(3), 3)));
    assert_eq!(rx.progress().now(), seq(2));
}

/// Goal: what goes past a full inbox counts as given: of a lane, and of an outbox, whose numbers are
/// told one by one. Method: inboxes of one entry; the sources end.
#[test]
fn what_goes_past_a_full_inbox_is_given() {
    let engine = Engine::builder().inbox(1).drive(Drive::manual(|| {})).build().unwrap();
    let (mut tx, mut rx) = engine.channel();
    let mut second = tx.clone();
    let mut other = engine.receiver::<u64>();
    let progress = rx.progress();
    let clock = engine.clock();
    let read = |rx: &mut Receiver<u64>| {
        let mut numbers = Vec::new();
        while let Ok((number, _)) = rx.try_recv() {
            assert!(progress.now() < number);
            numbers.push(number.get());
        }
        assert_eq!(progress.now(), clock.now());
        numbers
    };
    tx.send(1).unwrap();
    engine.run_until_idle();
    second.send_batch([2, 3]).unwrap();
    drop(second);
    engine.run_until_idle();
    assert_eq!(read(&mut rx), [1, 2, 3]);
    tx.send(4).unwrap();
    engine.run_until_idle();
    let mut out = engine.outbox();
    let (to_rx, to_other) = (out.add(&rx.address()).unwrap(), out.add(&other.address()).unwrap());
    for _ in 0..3 {
        out.send(to_rx, 0).unwrap();
        out.send(to_other, 0).unwrap();
    }
    drop(out);
    engine.run_until_idle();
    assert_eq!(read(&mut rx), [4, 5, 7, 9]);
    assert_eq!(other.try_recv_batch(9, |_, _| {}), Ok(3));
}

/// Goal: of a run whose numbers are not adjacent the last counts as given: with it in its hands, its receiver is not at
/// the clock. Method: an outbox that sends to two by turns, passes by hand.
#[test]
fn the_last_of_a_run_with_gaps_is_given() {
    let engine = by_hand();
    let [mut rx, mut other] = [(); 2].map(|()| engine.receiver());
    let progress = rx.progress();
    let mut out = engine.outbox();
    let targets = [&rx, &other].map(|rx| out.add(&rx.address()).unwrap());
    for nth in 0..6 {
        out.send(targets[nth % 2], nth).unwrap();
    }
    engine.run_until_idle();
    for number in [1, 3, 5] {
        assert_eq!(rx.try_recv().unwrap().0, seq(number));
        assert_eq!(progress.now(), seq(number - 1));
    }
    assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
    assert_eq!(progress.now(), seq(6));
    assert_eq!(other.try_recv_batch(9, |_, _| {}), Ok(3));
}

/// Goal: progress never falls, though a receiver at the clock is given something. Method: that.
#[test]
fn progress_never_falls() {
    let engine = by_hand();
    let (mut tx, mut rx) = engine.channel();
    let (mut elsewhere, _other) = engine.channel();
    let (progress, clone) = (rx.progress(), rx.progress());
    elsewhere.send_batch(1..=3).unwrap();
    engine.run_until_idle();
    assert_eq!(progress.now(), seq(3));
    tx.send(4).unwrap();
    engine.run_until_idle();
    assert_eq!(progress.now(), seq(3));
    assert_eq!(clone.now(), seq(3));
    assert_eq!(rx.try_recv(), Ok((seq(4), 4)));
}

/// Goal: a set is as far as the last of it; a receiver that was dropped holds up nobody. Method: two
/// receivers, one of which goes.
#[test]
fn a_set_is_as_far_as_the_last_of_it() {
    let engine = by_hand();
    assert_eq!(Progress::from_iter([]).now(), Seq::MAX);
    assert_eq!(Progress::from_iter([]).wait_for(Seq::MAX), Ok(Seq::MAX));
    let (mut tx, mut rx) = engine.channel();
    let (mut tx2, mut rx2) = engine.channel();
    let all = Progress::from_iter([rx.progress(), rx2.progress()]);
    let all = Progress::from_iter([all]);
    tx.send(()).unwrap();
    engine.run_until_idle();
    tx2.send(()).unwrap();
    engine.run_until_idle();
    assert_eq!(rx2.try_recv(), Ok((seq(2), ())));
    assert_eq!(all.now(), seq(0));
    drop(rx);
    engine.run_until_idle();
    assert_eq!(all.now(), seq(1));
    assert_eq!(all.wait_for_timeout(seq(2), SOON), Err(WaitTimeoutError::Timeout));
    drop(rx2);
    assert_eq!(all.now(), Seq::MAX);
    assert_eq!(all.wait_for(seq(1000)), Ok(Seq::MAX));
}

/// Goal: whoever waits for progress is woken: by the receiver that asks for more, by the clock when the
/// receiver sleeps, and by its end. Method: each wait begins asleep.
#[test]
fn a_wait_for_progress_ends() {
    to_the_end(|| {
        let engine = Engine::new();
        let (mut tx, mut rx) = engine.channel();
        let (mut elsewhere, _other) = engine.channel();
        let progress = rx.progress();
        let wait = |number| {
            let (progress, kicks) = (progress.clone(), parts::kicks(&engine));
            let waits = thread::spawn(move || progress.wait_for(seq(number)));
            until_kicked_since(&engine, kicks);
            waits
        };
        tx.send_stamped(0).unwrap();
        assert_eq!(rx.recv(), Ok((seq(1), 0)));
        let waits = wait(1);
        assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
        assert_eq!(waits.join().unwrap(), Ok(seq(1)));
        let waits = wait(3);
        elsewhere.send(0).unwrap();
        elsewhere.send(0).unwrap();
        assert_eq!(waits.join().unwrap(), Ok(seq(3)));
        tx.send_stamped(0).unwrap();
        let waits = wait(4);
        drop(rx);
        assert_eq!(waits.join().unwrap(), Ok(Seq::MAX));
        let waits = thread::spawn({
            let progress = engine.receiver::<()>().progress();
            move || progress.wait_for(seq(1000))
        });
        assert_eq!(waits.join().unwrap(), Ok(Seq::MAX));
    });
}

/// Goal: a wait for progress ends with the engine. Method: one that sleeps, and one that comes after.
#[test]
fn a_wait_for_progress_ends_with_the_engine() {
    to_the_end(|| {
        let engine = Engine::new();
        let mut rx = engine.receiver::<()>();
        let progress = rx.progress();
        let kicks = parts::kicks(&engine);
        let waits = thread::spawn({
            let progress = progress.clone();
            move || progress.wait_for(seq(1))
        });
        until_kicked_since(&engine, kicks);
        parts::poison(&engine);
        assert_eq!(waits.join().unwrap(), Err(WaitError));
        assert_eq!(progress.wait_for_timeout(seq(1), SOON), Err(WaitTimeoutError::Closed));
    });
}

/// Goal: whoever reads progress t sees what was done with the messages up to t. Method: three threads
/// under load; the receiver counts what it handled, the watcher compares.
#[test]
fn progress_shows_what_was_done() {
    to_the_end(|| {
        const COUNT: u64 = 20_000;
        let engine = Engine::new();
        let (mut tx, mut rx) = engine.channel();
        let handled = Arc::new(AtomicU64::new(0));
        let progress = rx.progress();
        let receives = thread::spawn({
            let handled = handled.clone();
            move || {
                while rx.recv_batch(7, |seq, _| handled.store(seq.get(), SeqCst)).is_ok() {}
            }
        });
        let sends = thread::spawn(move || (0..COUNT).for_each(|n| tx.send(n).unwrap()));
        let mut before = Seq::ZERO;
        while before < seq(COUNT) {
            let now = progress.wait_for(seq(before.get() + 1)).unwrap();
            assert!(now > before && (handled.load(SeqCst) >= now.get() || now == Seq::MAX));
            before = now;
        }
        sends.join().unwrap();
        receives.join().unwrap();
        assert_eq!(progress.now(), Seq::MAX);
    });
}

/// Goal: catching up hands out what there is up to the number, and leaves the rest. Method: by hand.
#[test]
fn catching_up_leaves_what_is_above() {
    let engine = by_hand();
    let (mut tx, mut rx) = engine.channel();
    let progress = rx.progress();
    tx.send_batch(1..=5).unwrap();
    engine.run_until_idle();
    let mut values = Vec::new();
    assert_eq!(rx.catch_up(seq(0), |_, value| values.push(value)), Ok(0));
    assert_eq!(rx.catch_up(seq(3), |_, value| values.push(value)), Ok(3));
    assert_eq!(values, [1, 2, 3]);
    assert_eq!(progress.now(), seq(3));
    assert_eq!(rx.catch_up(seq(2), |_, value| values.push(value)), Ok(0));
    assert_eq!(rx.try_recv(), Ok((seq(4), 4)));
    assert_eq!(rx.catch_up(seq(5), |_, value| values.push(value)), Ok(1));
    assert_eq!(rx.try_recv_event(), Err(TryRecvError::Empty), "it knows that it is at 5");
    let (mut elsewhere, _other) = engine.channel();
    elsewhere.send(6).unwrap();
    drop(tx);
    engine.run_until_idle();
    assert_eq!(rx.catch_up(seq(6), |_, _| {}), Ok(0), "closed, but the clock is there");
    assert_eq!(rx.catch_up(seq(7), |_, _| {}), Err(RecvError::Closed));
    assert_eq!(rx.try_recv(), Err(TryRecvError::Closed));
}

/// Goal: catching up waits for the clock, and for what comes before. Method: it sleeps meanwhile.
#[test]
fn catching_up_waits_for_the_clock() {
    to_the_end(|| {
        let engine = Engine::new();
        let (mut tx, mut rx) = engine.channel();
        let (mut elsewhere, _other) = engine.channel();
        let kicks = parts::kicks(&engine);
        let catches = thread::spawn(move || {
            let caught = rx.catch_up(seq(3), |_, _: u64| {});
            (caught, rx.catch_up(seq(1000), |_, _| {}))
        });
        until_kicked_since(&engine, kicks);
        tx.send_stamped(1).unwrap();
        elsewhere.send_stamped(2).unwrap();
        tx.send_stamped(3).unwrap();
        until(|| parts::passes(&engine).is_some());
        drop(tx);
        let (caught, closed) = catches.join().unwrap();
        assert_eq!((caught, closed), (Ok(2), Err(RecvError::Closed)));
    });
}

/// Goal: threads that each wait until all others have handled everything before a moment of their own
/// all go on. Method: three of them, many rounds, each with a number of its own each round.
#[test]
fn threads_that_wait_for_each_other_go_on() {
    to_the_end(|| {
        const ROUNDS: u64 = 500;
        let engine = Engine::new();
        let mut receivers: Vec<Receiver<u64>> = (0..3).map(|_| engine.receiver()).collect();
        let all: Vec<Progress> = receivers.iter_mut().map(Receiver::progress).collect();
        let addresses: Vec<_> = receivers.iter().map(Receiver::address).collect();
        let outboxes: Vec<_> = (0..3)
            .map(|own| {
                let others = addresses.iter().enumerate().filter(|(index, _)| *index != own);
                others.map(|(_, to)| engine.sender(to).unwrap()).collect::<Vec<_>>()
            })
            .collect();
        drop(addresses);
        let threads: Vec<_> = (receivers.into_iter().zip(outboxes).enumerate())
            .map(|(own, (mut rx, mut out))| {
                let others: Progress = (all.iter().enumerate())
                    .filter(|(index, _)| *index != own)
                    .map(|(_, progress)| progress.clone())
                    .collect();
                thread::spawn(move || {
                    let mut got = 0;
                    for round in 0..ROUNDS {
                        out[0].send(round).unwrap();
                        let t = out[1].send_stamped(round).unwrap();
                        got += rx.catch_up(t, |_, _| {}).unwrap();
                        assert!(others.wait_for(t).unwrap() >= t);
                    }
                    drop(out);
                    got + rx.messages().count()
                })
            })
            .collect();
        for thread in threads {
            assert_eq!(thread.join().unwrap(), 2 * ROUNDS as usize);
        }
    });
}
