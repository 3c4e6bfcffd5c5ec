//! Notices: events for one receiver that are no messages, in order with its messages, and never lost.

#![cfg(not(loom))]

#[allow(dead_code, reason = "each test file takes what it needs")]
#[path = "tasks/executors.rs"]
mod executors;
mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use executors::block_on;
use mainspring::{
    AddressError, Drive, Engine, Event, Idle, Merge, Notice, NotifyError, Receiver, RecvError,
    RecvTimeoutError, Seq, TryRecvError, WaitError, parts,
};
use support::{Drops, by_hand, engines, to_the_end, until, until_kicked_since};

fn seq(number: u64) -> Seq {
    Seq::new(number)
}

/// What an event says: a message's value, or a notice's.
fn said(event: Event<u64>) -> (u64, u64) {
    match event {
        Event::Message(number, value) => (number.get(), value),
        Event::Notice(number, notice) => (number.get(), *notice.get::<u64>().unwrap()),
        other => panic!("{other:?}"),
    }
}

/// Goal: notices and messages are one order, which `recv_event` tells, and of which all others stop before a notice.
/// Method: each way of receiving, with a message on both sides of a notice.
#[test]
fn nothing_passes_over_a_notice() {
    type Stop = fn(&mut Receiver<u64>) -> bool;
    let stops: [Stop; 11] = [
        |rx| rx.recv() == Err(RecvError::Notice),
        |rx| rx.try_recv() == Err(TryRecvError::Notice),
        |rx| rx.recv_timeout(Duration::from_secs(60)) == Err(RecvTimeoutError::Notice),
        |rx| rx.recv_batch(9, |_, _| panic!("a message")) == Err(RecvError::Notice),
        |rx| rx.try_recv_batch(9, |_, _| panic!("a message")) == Err(TryRecvError::Notice),
        |rx| rx.messages().next().is_none(),
        |rx| rx.recv_ref().is_err_and(|error| error == RecvError::Notice),
        |rx| rx.recv_batch_ref(9, |_, _| panic!("a message")) == Err(RecvError::Notice),
        |rx| block_on(rx.recv_async()) == Err(RecvError::Notice),
        |rx| block_on(rx.recv_batch_async(9, |_, _| ())) == Err(RecvError::Notice),
        |rx| rx.catch_up(seq(1 << 40), |_, _| panic!("a message")) == Err(RecvError::Notice),
    ];
    for engine in engines() {
        for stop in stops {
            let base = engine.clock().now().get();
            let (mut tx, mut rx) = engine.channel();
            tx.send_stamped(10).unwrap();
            let mut told = engine.notify(&rx.address(), Notice::new(20_u64)).unwrap();
            assert_eq!(told.wait(), Ok(seq(base + 2)));
            tx.send_stamped(30).unwrap();
            assert_eq!(rx.recv().unwrap(), (seq(base + 1), 10));
            assert!(stop(&mut rx) && stop(&mut rx), "again and again");
            assert_eq!(rx.caught_up_to(), seq(base + 1));
            assert_eq!(said(rx.recv_event().unwrap()), (base + 2, 20));
            assert_eq!(rx.recv().unwrap(), (seq(base + 3), 30));
        }
    }
}

/// Goal: a notice comes into a full inbox, whoever waits for room there, before everything younger and after everything
/// older. Method: an inbox of one entry, senders that wait, notices between.
#[test]
fn a_full_inbox_takes_notices() {
    let engine = by_hand();
    let mut rx = engine.options().capacity(8).inbox(1).receiver().unwrap();
    let mut senders: Vec<_> = (0..3).map(|_| engine.sender(&rx.address()).unwrap()).collect();
    let (mut expected, mut tickets) = (0, Vec::new());
    for round in 0..4 {
        for tx in &mut senders {
            tx.send(round).unwrap();
            expected += 1;
        }
        engine.run_until_idle();
        tickets.push(engine.notify(&rx.address(), Notice::new(100 + round)).unwrap());
        engine.run_until_idle();
        assert!(tickets.last().unwrap().seq().is_some(), "it does not wait");
        expected += 1;
    }
    let mut told = Vec::new();
    while told.len() < expected {
        if let Ok(event) = rx.try_recv_event()
            && !matches!(event, Event::Clock(_))
        {
            told.push(said(event));
        }
        engine.run_until_idle();
    }
    let numbers: Vec<_> = told.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, (1..=16).collect::<Vec<_>>());
    for (round, ticket) in tickets.iter().enumerate() {
        let place = (ticket.seq().unwrap().get(), 100 + round as u64);
        assert!(told.contains(&place), "{place:?} in {told:?}");
    }
}

/// Goal: a notice stands between what ended lanes and outboxes left in the overflow list. Method: some that end at a
/// full inbox, a notice after each.
#[test]
fn notices_stand_among_what_has_overflown() {
    let engine = by_hand();
    let mut rx = engine.options().capacity(4).inbox(1).receiver().unwrap();
    let mut keep = engine.sender(&rx.address()).unwrap();
    keep.send(0).unwrap();
    engine.run_until_idle();
    for round in 0..5 {
        if round % 2 == 0 {
            let mut tx = engine.sender(&rx.address()).unwrap();
            tx.send(2 * round + 1).unwrap();
        } else {
            let mut out = engine.outbox();
            let to = out.add(&rx.address()).unwrap();
            out.send(to, 2 * round + 1).unwrap();
        }
        engine.run_until_idle();
        drop(engine.notify(&rx.address(), Notice::new(2 * round + 2)).unwrap());
        engine.run_until_idle();
    }
    for number in 0..=10 {
        let event = rx.try_recv_event().unwrap();
        assert_eq!(said(event), (number + 1, number));
        engine.run_until_idle();
    }
    keep.send(11).unwrap();
    engine.run_until_idle();
    assert_eq!(rx.try_recv().unwrap(), (seq(12), 11));
}

/// Goal: who sleeps for a message, or for an event, hears of a notice, as a thread and as a task. Method: the sleeper,
/// then the notice.
#[test]
fn a_notice_wakes_its_receiver() {
    to_the_end(|| {
        type Wait = fn(&mut Receiver<u64>) -> Result<(), RecvError>;
        let waits: [Wait; 4] = [
            |rx| rx.recv().map(drop),
            |rx| rx.recv_event().map(drop),
            |rx| block_on(rx.recv_async()).map(drop),
            |rx| block_on(rx.recv_event_async()).map(drop),
        ];
        for (nth, wait) in waits.into_iter().enumerate() {
            let engine = Engine::new();
            let (_tx, mut rx) = engine.channel();
            let (to, before) = (rx.address(), parts::kicks(&engine));
            let receiver = thread::spawn(move || wait(&mut rx));
            until_kicked_since(&engine, before);
            drop(engine.notify(&to, Notice::new(())).unwrap());
            let expected = if nth % 2 == 0 { Err(RecvError::Notice) } else { Ok(()) };
            assert_eq!(receiver.join().unwrap(), expected);
        }
    });
}

/// Goal: a notice cannot be given to one that has gone or closed, or is another engine's: it comes back, or the ticket
/// tells. Method: each, before and after it was prepared.
#[test]
fn a_notice_to_nobody_comes_back() {
    let engine = Engine::new();
    let (marker, drops) = (engine.marker(), Drops::default());
    let rx = engine.receiver::<u8>();
    let to = rx.address();
    let prepared = marker.prepare_notice(&to, Notice::new(drops.value())).unwrap();
    let unused = marker.prepare_notice(&to, Notice::new(drops.value())).unwrap();
    drop(unused);
    assert_eq!(drops.count(), 1, "never given");
    drop(rx);
    let NotifyError { notice, reason } =
        engine.notify(&to, Notice::new(drops.value())).unwrap_err();
    assert_eq!(reason, AddressError::Closed);
    assert!(notice.is::<support::Counted>());
    drop(notice);
    let before = engine.clock().now();
    assert_eq!(prepared.fire().wait(), Err(WaitError));
    assert_eq!(engine.clock().now(), before, "to nobody takes no number");
    assert_eq!(drops.count(), 3);

    let (tx, mut rx) = engine.channel::<u8>();
    let to = rx.address();
    let prepared = marker.prepare_notice(&to, Notice::new(drops.value())).unwrap();
    drop(tx);
    assert_eq!(rx.recv(), Err(RecvError::Closed));
    assert_eq!(prepared.fire().wait(), Err(WaitError));
    assert_eq!(drops.count(), 4, "it is not kept for one that has closed");
    assert_eq!(rx.recv(), Err(RecvError::Closed));

    let foreign = Engine::new().receiver::<u8>();
    let refused = engine.notify(&foreign.address(), Notice::new(1)).unwrap_err();
    assert_eq!(refused.reason, AddressError::Foreign);
    assert_eq!(refused.to_string(), "notifying failed: it belongs to another engine");
}

/// Goal: a receiver that goes drops the notices that it has not taken, those that stand in its inbox and those in the
/// overflow list. Method: many at an inbox of one entry.
#[test]
fn a_leaving_receiver_drops_its_notices() {
    let (engine, drops) = (by_hand(), Drops::default());
    let mut rx = engine.options::<u64>().inbox(1).receiver().unwrap();
    for _ in 0..20 {
        drop(engine.notify(&rx.address(), Notice::new(drops.value())).unwrap());
    }
    engine.run_until_idle();
    for _ in 0..5 {
        drop(rx.try_recv_event().unwrap());
    }
    assert_eq!(drops.count(), 5);
    drop(rx);
    engine.run_until_idle();
    assert_eq!(drops.count(), 20);
}

/// Goal: many notices to many receivers do not stop the clock, and none is lost. Method: ten thousand receivers that
/// read nothing while a pair talks beside them.
#[test]
fn notices_to_ten_thousand() {
    const RECEIVERS: u64 = 10_000;
    let engine = Engine::new();
    let mut receivers: Vec<_> = (0..RECEIVERS)
        .map(|_| engine.options::<u64>().capacity(1).inbox(1).receiver().unwrap())
        .collect();
    let prepared: Vec<_> = receivers
        .iter()
        .enumerate()
        .map(|(nth, rx)| {
            let notice = Notice::new(nth as u64);
            engine.marker().prepare_notice(&rx.address(), notice).unwrap()
        })
        .collect();
    let (mut tx, mut rx) = engine.channel();
    let tickets: Vec<_> = prepared
        .into_iter()
        .enumerate()
        .map(|(nth, notice)| {
            if nth % 100 == 0 {
                tx.send(nth).unwrap();
                assert_eq!(rx.recv().unwrap().1, nth);
            }
            notice.fire()
        })
        .collect();
    engine.marker().mark().unwrap();
    for (nth, (rx, ticket)) in receivers.iter_mut().zip(&tickets).enumerate() {
        let number = ticket.seq().unwrap().get();
        assert_eq!(said(rx.try_recv_event().unwrap()), (number, nth as u64));
    }
}

/// Goal: notices beside senders and marks, from many threads, are each told once, in order, with the number that the
/// ticket has. Method: threads that notify and send to two receivers with small inboxes; in each drive.
#[test]
fn notices_beside_everything_else() {
    const ROUNDS: u64 = 5_000;
    to_the_end(|| {
        for engine in engines() {
            let receivers: Vec<_> = (0..2)
                .map(|_| engine.options().capacity(16).inbox(2).receiver().unwrap())
                .collect();
            let addresses: Vec<_> = receivers.iter().map(|rx| rx.address()).collect();
            let authors: Vec<_> = (0..2)
                .map(|author| {
                    let (engine, addresses) = (engine.clone(), addresses.clone());
                    let mut to: Vec<_> =
                        addresses.iter().map(|to| engine.sender(to).unwrap()).collect();
                    thread::spawn(move || {
                        let mut tickets = Vec::new();
                        for nth in 0..ROUNDS {
                            let which = (nth % 2) as usize;
                            let value = author * ROUNDS + nth;
                            tickets.push((
                                value,
                                engine.notify(&addresses[which], Notice::new(value)).unwrap(),
                            ));
                            to[which].send(value).unwrap();
                        }
                        let wait = |(value, mut ticket): (u64, mainspring::Ticket)| {
                            (ticket.wait().unwrap().get(), value)
                        };
                        tickets.into_iter().map(wait).collect::<Vec<_>>()
                    })
                })
                .collect();
            let readers: Vec<_> = receivers
                .into_iter()
                .map(|mut rx| {
                    thread::spawn(move || {
                        let (mut before, mut notices, mut messages) = (0, Vec::new(), 0);
                        while let Ok(event) = rx.recv_event() {
                            let number = match event {
                                Event::Message(number, value) => {
                                    // The notice of the same round came before it.
                                    assert!(notices.iter().any(|&(_, other)| other == value));
                                    notices.retain(|&(_, other)| other != value);
                                    messages += 1;
                                    number.get()
                                }
                                Event::Notice(number, notice) => {
                                    let value = *notice.get::<u64>().unwrap();
                                    notices.push((number.get(), value));
                                    number.get()
                                }
                                Event::Clock(number) => {
                                    assert!(number.get() >= before);
                                    number.get()
                                }
                                _ => unreachable!(),
                            };
                            assert!(number > before, "{number} after {before}");
                            before = number;
                        }
                        messages
                    })
                })
                .collect();
            let mut numbers: Vec<_> =
                authors.into_iter().flat_map(|author| author.join().unwrap()).collect();
            numbers.sort_unstable();
            numbers.dedup();
            assert_eq!(numbers.len() as u64, 2 * ROUNDS);
            let received: u64 = readers.into_iter().map(|reader| reader.join().unwrap()).sum();
            assert_eq!(received, 2 * ROUNDS);
        }
    });
}

/// Goal: a merge tells the notices of its receivers in order with everything else, and stops before them as a receiver
/// does. Method: by hand, two receivers.
#[test]
fn a_merge_tells_notices() {
    let engine = by_hand();
    let (mut a, rx_a) = engine.channel::<u64>();
    let (mut b, rx_b) = engine.channel::<u64>();
    let (to_a, to_b) = (rx_a.address(), rx_b.address());
    let mut merge = Merge::new([rx_a.map(|value| value), rx_b.map(|value| value)]).unwrap();
    let pass = || engine.run_until_idle();
    a.send(1).unwrap();
    pass();
    drop(engine.notify(&to_b, Notice::new(2_u64)).unwrap());
    pass();
    b.send(3).unwrap();
    pass();
    drop(engine.notify(&to_a, Notice::new(4_u64)).unwrap());
    pass();
    assert_eq!(merge.try_recv().unwrap(), (seq(1), 1));
    assert_eq!(merge.try_recv(), Err(TryRecvError::Notice));
    assert_eq!(merge.recv(), Err(RecvError::Notice));
    assert_eq!(merge.try_recv_batch(9, |_, _| panic!("a message")), Err(TryRecvError::Notice));
    assert_eq!(block_on(merge.recv_async()), Err(RecvError::Notice));
    for number in 2..=4 {
        assert_eq!(said(merge.try_recv_event().unwrap()), (number, number));
    }
    assert_eq!(merge.try_recv_event(), Err(TryRecvError::Empty));
}

/// Goal: who is behind a receiver is told a notice only when that receiver is done with what precedes it; and a notice
/// in hand is not handled yet. Method: by hand, one behind the other.
#[test]
fn a_notice_keeps_behind_others() {
    let engine = by_hand();
    let (mut tx, mut first) = engine.channel::<u64>();
    let mut second = engine.receiver::<u64>();
    let progress = second.progress();
    second.behind(&[first.progress()]).unwrap();
    tx.send(1).unwrap();
    engine.run_until_idle();
    drop(engine.notify(&second.address(), Notice::new(2_u64)).unwrap());
    engine.run_until_idle();
    assert_eq!(second.try_recv_event(), Err(TryRecvError::Empty));
    assert_eq!(second.try_recv(), Err(TryRecvError::Empty));
    assert_eq!(first.try_recv().unwrap().1, 1);
    assert_eq!(second.try_recv_event(), Err(TryRecvError::Empty), "the first has it in hand");
    assert_eq!(first.try_recv(), Err(TryRecvError::Empty));
    assert_eq!(said(second.try_recv_event().unwrap()), (2, 2));
    assert_eq!(progress.now(), seq(1), "it is in hand");
    assert!(second.try_recv_event().is_err());
    assert_eq!(progress.now(), seq(2));
}

/// Goal: a notice's destructor runs where the engine is not held. Method: one that uses the engine when it is dropped,
/// taken, unread and refused.
#[test]
fn the_destructor_of_a_notice_may_use_the_engine() {
    struct Marks(Engine, Arc<AtomicU64>);
    impl Drop for Marks {
        fn drop(&mut self) {
            self.0.marker().mark().ok();
            let (mut tx, mut rx) = self.0.channel();
            tx.send(1).ok();
            rx.try_recv().ok();
            self.1.fetch_add(1, SeqCst);
        }
    }
    to_the_end(|| {
        for engine in engines() {
            let dropped = Arc::new(AtomicU64::new(0));
            let notice = || Notice::new(Marks(engine.clone(), dropped.clone()));
            let mut rx = engine.receiver::<u8>();
            engine.notify(&rx.address(), notice()).unwrap().wait().unwrap();
            engine.notify(&rx.address(), notice()).unwrap().wait().unwrap();
            let late = engine.marker().prepare_notice(&rx.address(), notice()).unwrap();
            let event = rx.recv_event().unwrap();
            assert!(matches!(event, Event::Notice(..)));
            drop(event);
            until(|| dropped.load(SeqCst) == 1);
            drop(rx);
            drop(late.fire());
            until(|| dropped.load(SeqCst) == 3);
        }
    });
}

/// Goal: a notice to a receiver, a gate over a sender and a mark of an outbox that have just joined are numbered
/// before what is sent after them, whoever passes. Method: threads that join, mark and send on a lane that has been
/// there; also where lanes go cold at once.
#[test]
fn what_names_a_newcomer_is_below_what_follows_it() {
    to_the_end(|| {
        let cold = [Drive::Callers, Drive::thread(Idle::Yield), Drive::thread(Idle::Spin)];
        let cold = cold.map(|drive| parts::cold_at_once(Engine::builder().drive(drive)));
        for engine in engines().into_iter().chain(cold.map(|builder| builder.build().unwrap())) {
            let (tx, mut rx) = engine.channel();
            let authors: Vec<_> = (0..3)
                .map(|_| (engine.clone(), tx.clone()))
                .map(|(engine, mut tx)| {
                    thread::spawn(move || {
                        let marker = engine.marker();
                        for _ in 0..2_000 {
                            let new = engine.receiver::<u8>();
                            let notice = engine.notify(&new.address(), Notice::new(())).unwrap();
                            let ended = engine.sender(&new.address()).unwrap().source();
                            let gate = marker.gate(&[ended]).unwrap();
                            let marked = engine.outbox().submit();
                            if tx.send((notice, gate, marked, new)).is_err() {
                                break;
                            }
                        }
                    })
                })
                .collect();
            drop(tx);
            for (number, (notice, mut gate, marked, _new)) in rx.messages() {
                assert!(notice.seq().expect("it came before") < number);
                assert!(marked.seq().expect("it came before") < number);
                gate.wait().unwrap();
            }
            authors.into_iter().for_each(|author| author.join().unwrap());
        }
    });
}
