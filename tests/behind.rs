//! Receivers that are behind others: nobody overtakes, and nobody is left asleep.

#![cfg(not(loom))]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use mainspring::{
    BehindError, Engine, Event, Progress, Receiver, RecvTimeoutError, Sender, Seq, TryRecvError,
    parts,
};
use support::{by_hand, to_the_end, until_kicked_since};

const SOON: Duration = Duration::from_millis(2);

fn seq(number: u64) -> Seq {
    Seq::new(number)
}

/// Goal: a receiver that is behind another is given nothing that the other has not handled, in each way
/// of asking. Method: passes by hand.
#[test]
fn behind_another_nothing_is_told_too_early() {
    let engine = by_hand();
    let (mut tx, mut first) = engine.channel();
    let (mut tx2, mut rx) = engine.channel();
    rx.behind(&[first.progress()]).unwrap();
    tx.send(1).unwrap();
    engine.run_until_idle();
    tx2.send_batch([2, 3]).unwrap();
    engine.run_until_idle();
    let tells_nothing = |rx: &mut Receiver<u64>| {
        assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
        assert_eq!(rx.recv_timeout(SOON), Err(RecvTimeoutError::Timeout));
        assert_eq!(rx.try_recv_event(), Err(TryRecvError::Empty));
        assert_eq!(rx.recv_event_timeout(SOON), Err(RecvTimeoutError::Timeout));
        assert_eq!(rx.try_recv_batch(9, |_, _| panic!("too early")), Err(TryRecvError::Empty));
        assert_eq!(rx.len(), 2);
    };
    tells_nothing(&mut rx);
    assert_eq!(first.try_recv(), Ok((seq(1), 1)));
    tells_nothing(&mut rx);
    tx.send(4).unwrap();
    engine.run_until_idle();
    assert_eq!(first.try_recv(), Ok((seq(4), 4)));
    assert_eq!(rx.try_recv_batch(9, |_, _| {}), Ok(2), "4 is still in hand");
    assert_eq!(rx.try_recv_event(), Err(TryRecvError::Empty), "4 is no news yet");
    assert_eq!(first.try_recv(), Err(TryRecvError::Empty));
    assert_eq!(rx.try_recv_event(), Ok(Event::Clock(seq(4))));
    // Closed, and still behind.
    tx.send(5).unwrap();
    tx2.send(6).unwrap();
    drop(tx2);
    engine.run_until_idle();
    assert!(rx.is_closed());
    assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
    drop(first);
    let last = rx.try_recv().unwrap();
    assert_eq!(last.1, 6);
    assert_eq!(rx.try_recv(), Err(TryRecvError::Closed));
}

/// Goal: a batch stops at the bound, within a run, and within what an outbox has numbered. Method: one
/// run each, and a bound in its middle.
#[test]
fn a_batch_stops_at_the_bound() {
    let engine = by_hand();
    let (mut tx, mut first) = engine.channel();
    let mut rx = engine.receiver();
    rx.behind(&[first.progress()]).unwrap();
    let mut out = engine.outbox();
    let (one, two) = (out.add(&first.address()).unwrap(), out.add(&rx.address()).unwrap());
    for n in 0..3 {
        out.send(one, n).unwrap();
        out.send(two, n).unwrap();
        out.send(two, n).unwrap();
    }
    engine.run_until_idle();
    let nothing = Err(TryRecvError::Empty);
    assert_eq!(rx.try_recv_batch(9, |_, _| {}), nothing);
    assert_eq!(first.try_recv(), Ok((seq(1), 0)));
    assert_eq!(rx.try_recv_batch(9, |_, _| {}), nothing, "1 is in hand");
    assert_eq!(first.try_recv_batch(1, |_, _| {}), Ok(1));
    assert_eq!(rx.try_recv_batch(9, |_, _| {}), Ok(2), "all up to 4 is handled");
    assert_eq!(rx.try_recv_batch(9, |_, _| {}), nothing);
    assert_eq!(first.try_recv(), Ok((seq(7), 2)));
    assert_eq!(rx.try_recv_batch(9, |_, _| {}), Ok(2), "6 is before 7");
    assert_eq!(first.try_recv(), Err(TryRecvError::Empty));
    assert_eq!(rx.try_recv_batch(9, |_, _| {}), Ok(2));
    // A plain run.
    let mut plain = engine.sender(&rx.address()).unwrap();
    tx.send(0).unwrap();
    engine.run_until_idle();
    plain.send_batch(0..4).unwrap();
    engine.run_until_idle();
    assert_eq!(rx.try_recv_batch(9, |_, _| {}), nothing);
    drop(first);
    assert_eq!(rx.try_recv_batch(3, |_, _| {}), Ok(3));
    assert_eq!(rx.try_recv_batch(9, |_, _| {}), Ok(1));
}

/// Goal: what cannot be is refused. Method: itself, alone and in a set; another engine's.
#[test]
fn behind_itself_or_another_engine_is_refused() {
    let (engine, other) = (Engine::new(), Engine::new());
    let (mut rx, mut second) = (engine.receiver::<()>(), engine.receiver::<()>());
    let own = rx.progress();
    let itself = rx.progress();
    assert_eq!(rx.behind(&[itself]), Err(BehindError::Itself));
    let set = Progress::from_iter([second.progress(), own]);
    let foreign = other.receiver::<()>().progress();
    assert_eq!(rx.behind(&[foreign]), Err(BehindError::Foreign));
    assert_eq!(rx.behind(&[]), Ok(()));
    let mut third = engine.receiver::<()>();
    assert_eq!(third.behind(&[second.progress(), rx.progress()]), Ok(()));
    assert_eq!(rx.behind(&[set]), Err(BehindError::Itself));
}

/// Receives once, and hands on what came; false when it has closed.
type Receive = fn(&mut Receiver<u64>, &mut dyn FnMut(Seq, u64)) -> bool;

fn diamond(count: u64, receive: Receive) {
    let engine = Engine::builder().capacity(16).build().unwrap();
    let mut stages: Vec<Receiver<u64>> = (0..4).map(|_| engine.receiver()).collect();
    for stage in [1, 2] {
        let first = stages[0].progress();
        stages[stage].behind(&[first]).unwrap();
    }
    let both = [stages[1].progress(), stages[2].progress()];
    stages[3].behind(&both).unwrap();
    let mut out = engine.outbox();
    let targets: Vec<_> = stages.iter().map(|rx| out.add(&rx.address()).unwrap()).collect();
    // By stage, the last number that it is done with.
    let done: Arc<[AtomicU64; 4]> = Arc::default();
    let threads: Vec<_> = stages
        .into_iter()
        .enumerate()
        .map(|(stage, mut rx)| {
            let done = done.clone();
            thread::spawn(move || {
                let ahead: &[usize] = [&[][..], &[0], &[0], &[1, 2]][stage];
                let mut messages = 0;
                while receive(&mut rx, &mut |seq, value| {
                    for &ahead in ahead {
                        let its = done[ahead].load(SeqCst);
                        assert!(its >= value, "{stage} has {value} ({seq}), {ahead} did {its}");
                    }
                    done[stage].store(value, SeqCst);
                    messages += 1;
                }) {}
                messages
            })
        })
        .collect();
    for value in 1..=count {
        for target in &targets {
            out.send(*target, value).unwrap();
        }
    }
    drop(out);
    for thread in threads {
        assert_eq!(thread.join().unwrap(), count);
    }
}

/// Goal: the diamond: a stage, two behind it, one behind both; nobody overtakes, nobody is left asleep.
/// Method: threads, in each way of receiving. A value reaches the stages with rising numbers, so the
/// stages ahead are done with it when it comes.
#[test]
fn a_diamond_keeps_its_order() {
    to_the_end(|| {
        diamond(5000, |rx, f| rx.recv().map(|(seq, value)| f(seq, value)).is_ok());
        diamond(5000, |rx, f| rx.recv_batch(64, f).is_ok());
        diamond(5000, |rx, f| match rx.recv_event() {
            Ok(Event::Message(seq, value)) => {
                f(seq, value);
                true
            }
            event => event.is_ok(),
        });
    });
}

/// Goal: a receiver that is dropped releases those behind it, also one that sleeps. Method: that.
#[test]
fn a_dropped_receiver_releases_those_behind_it() {
    to_the_end(|| {
        let engine = Engine::new();
        let (mut tx, mut first) = engine.channel();
        let (mut tx2, mut rx) = engine.channel();
        rx.behind(&[first.progress()]).unwrap();
        tx.send_stamped(1).unwrap();
        let number = tx2.send_stamped(2).unwrap();
        let kicks = parts::kicks(&engine);
        let receives = thread::spawn(move || rx.recv());
        until_kicked_since(&engine, kicks);
        drop(first);
        assert_eq!(receives.join().unwrap(), Ok((number, 2)));
    });
}

/// Goal: receivers in a circle, who get different messages, go on in the order of the numbers. Method:
/// two threads; all numbers are written down as they come.
#[test]
fn a_circle_hands_out_one_at_a_time() {
    to_the_end(|| {
        let engine = Engine::new();
        let (tx, mut rx) = engine.channel::<u64>();
        let (tx2, mut rx2) = engine.channel::<u64>();
        let (one, two) = (rx.progress(), rx2.progress());
        rx.behind(&[two]).unwrap();
        rx2.behind(&[one]).unwrap();
        let order = Arc::new(parking_lot::Mutex::new(Vec::new()));
        let threads = [rx, rx2].map(|mut rx| {
            let order = order.clone();
            thread::spawn(move || {
                for (seq, _) in rx.messages() {
                    order.lock().push(seq.get());
                }
            })
        });
        let sends = [tx, tx2].map(|mut tx: Sender<u64>| {
            thread::spawn(move || (0..2000).for_each(|n| tx.send(n).unwrap()))
        });
        sends.into_iter().for_each(|thread| thread.join().unwrap());
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(*order.lock(), (1..=4000).collect::<Vec<u64>>());
    });
}
