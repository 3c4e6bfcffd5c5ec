//! Reports: each figure of `Engine::stats`, by scripts on one thread whose every number is known, and under traffic.

#![cfg(not(loom))]

mod support;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use mainspring::{
    Drive, Engine, HeldUp, LaneStats, OutboxStats, Receiver, ReceiverStats, SendTimeoutError,
    Stats, TryRecvError, TrySendError, parts,
};
use support::to_the_end;

/// An engine that passes only by hand.
fn by_hand(inbox: usize, capacity: usize) -> Engine {
    let builder = Engine::builder().inbox(inbox).capacity(capacity);
    builder.drive(Drive::manual(|| {})).build().unwrap()
}

/// Received, depth and lag of a receiver.
fn figures(stats: &Stats, receiver: usize) -> (u64, u64, u64) {
    let ReceiverStats { received, depth, lag, .. } = &stats.receivers[receiver];
    (*received, *depth, *lag)
}

/// Goal: a message is counted where it stands: in depth when it was sent, in lag when it has its number, as received
/// in the end. Method: three messages, step by step, the first of which is received alone.
#[test]
fn a_message_is_counted_where_it_stands() {
    let engine = by_hand(8, 4);
    let (mut tx, mut rx) = engine.channel();
    assert_eq!(figures(&engine.stats(), 0), (0, 0, 0));
    engine.run_until_idle();
    (0..3).for_each(|n| tx.send(n).unwrap());
    assert_eq!(figures(&engine.stats(), 0), (0, 3, 0));
    engine.run_until_idle();
    assert_eq!(figures(&engine.stats(), 0), (0, 3, 3));
    rx.try_recv().unwrap();
    assert_eq!(figures(&engine.stats(), 0), (1, 2, 2));
    tx.send(3).unwrap();
    assert_eq!(figures(&engine.stats(), 0), (1, 3, 2));
    engine.run_until_idle();
    assert_eq!(rx.try_recv_batch(9, |_, _| ()), Ok(3));
    assert_eq!(figures(&engine.stats(), 0), (4, 0, 0));
    let stats = engine.stats();
    let [LaneStats { sent, depth, capacity, stalls, outbox, held_up, .. }] =
        stats.receivers[0].lanes[..]
    else {
        panic!("{stats:?}")
    };
    assert_eq!((sent, depth, capacity, stalls, outbox, held_up), (4, 0, 4, 0, None, None));
}

/// Goal: the figures of the engine are those of the dispatcher. Method: passes by hand with three, none and one
/// message, from a number that is not 0; the other counters are there to compare.
#[test]
fn the_engine_is_counted() {
    let builder = Engine::builder().start_after(100.into()).drive(Drive::manual(|| {}));
    let engine = builder.build().unwrap();
    let (mut tx, _rx) = engine.channel();
    let stats = engine.stats();
    assert_eq!((stats.clock.get(), stats.passes, stats.short_ways), (100, 0, 0));
    assert_eq!((stats.messages_per_pass, stats.kicks), (0.0, 2));
    for (sent, passes, mean) in [(3, 1, 3.0), (0, 2, 1.5), (1, 3, 4.0 / 3.0), (0, 4, 1.0)] {
        assert_eq!(tx.send_batch(0..sent).unwrap(), sent);
        engine.pass();
        let stats = engine.stats();
        assert_eq!((stats.passes, stats.messages_per_pass), (passes, mean));
        assert_eq!(Some(stats.passes), parts::passes(&engine));
        assert_eq!(stats.kicks, parts::kicks(&engine));
        assert_eq!((stats.clock, stats.short_ways), (engine.clock().now(), 0));
    }
    // Two joins, and the first message, which is asked for.
    assert_eq!(parts::kicks(&engine), 3);
}

/// Goal: what a receiver numbers itself is counted apart from the passes, and both in the mean. Method: messages that
/// are there when they are asked for, by an engine that may go the short way, and by two that may not.
#[test]
fn short_ways_are_counted() {
    to_the_end(|| {
        let manual = Drive::manual(|| {});
        for (engine, short) in [
            (Engine::new(), true),
            (Engine::builder().timestamps(true).build().unwrap(), false),
            (Engine::builder().drive(manual).build().unwrap(), false),
        ] {
            let (mut tx, mut rx) = engine.channel();
            for n in 0..1000 {
                tx.send(n).unwrap();
                engine.clock().now();
                if rx.try_recv().is_err() {
                    engine.pass();
                    rx.try_recv().unwrap();
                }
                tx.send(n).unwrap();
                if !short {
                    engine.pass();
                }
                rx.recv().unwrap();
            }
            let Stats { clock, passes, short_ways, messages_per_pass, .. } = engine.stats();
            assert_eq!(clock.get(), 2000);
            assert_eq!(messages_per_pass, 2000.0 / (passes + short_ways) as f64);
            assert!(passes >= 1000, "{passes} passes");
            assert!(if short { short_ways >= 900 } else { short_ways == 0 }, "{short_ways}");
        }
    });
}

/// Goal: a full lane is seen, and its sender's waits are counted; a mere refusal is no wait. Method: a lane of two,
/// before and after its messages have numbers.
#[test]
fn a_full_lane_is_held_up() {
    to_the_end(|| {
        let engine = by_hand(8, 2);
        let (mut tx, mut rx) = engine.channel();
        let lane = || {
            let LaneStats { depth, stalls, held_up, .. } = engine.stats().receivers[0].lanes[0];
            (depth, stalls, held_up)
        };
        tx.send(1).unwrap();
        assert_eq!(lane(), (1, 0, None));
        tx.send(2).unwrap();
        assert_eq!(lane(), (2, 0, Some(HeldUp::LaneFull)));
        assert_eq!(tx.try_send(3), Err(TrySendError::Full(3)));
        assert_eq!(lane(), (2, 0, Some(HeldUp::LaneFull)));
        for stalls in 1..4 {
            let sent = tx.send_timeout(3, Duration::ZERO);
            assert_eq!(sent, Err(SendTimeoutError::Timeout(3)));
            assert_eq!(lane(), (2, stalls, Some(HeldUp::LaneFull)));
            engine.run_until_idle();
        }
        rx.try_recv().unwrap();
        assert_eq!(lane(), (1, 3, None));
    });
}

/// Goal: a lane that waits for room in a full inbox is seen, as long as it waits, and each wait is counted. Method: an
/// inbox of one entry and three lanes; the receiver reads one after the other, and leaves the last.
#[test]
fn a_lane_at_a_full_inbox_is_held_up() {
    let engine = by_hand(1, 2);
    let (tx, mut rx) = engine.channel();
    let mut lanes = [tx.clone(), tx.clone(), tx];
    engine.run_until_idle();
    let held = || -> Vec<_> {
        let lanes = engine.stats().receivers[0].lanes.clone();
        // The first in the report is the last here.
        lanes.iter().cycle().skip(1).take(3).map(|lane| (lane.stalls, lane.held_up)).collect()
    };
    let (free, stalled) = ((0, None), (1, Some(HeldUp::InboxFull)));
    for tx in &mut lanes {
        tx.send(0).unwrap();
        engine.run_until_idle();
    }
    assert_eq!(held(), [free, stalled, stalled]);
    assert_eq!(figures(&engine.stats(), 0), (0, 3, 1));
    // Full, and what it holds waits: the latter says more.
    lanes[2].send(1).unwrap();
    assert_eq!(held(), [free, stalled, stalled]);
    rx.try_recv().unwrap();
    engine.run_until_idle();
    assert_eq!(held(), [free, (1, None), stalled]);
    rx.try_recv().unwrap();
    assert_eq!(held(), [free, (1, None), stalled]);
    engine.run_until_idle();
    assert_eq!(held(), [free, (1, None), (1, Some(HeldUp::LaneFull))]);
    rx.try_recv().unwrap();
    assert_eq!(held(), [free, (1, None), (1, None)]);
    // A lane that ends waits no longer.
    for tx in &mut lanes[..2] {
        tx.send(2).unwrap();
        engine.run_until_idle();
    }
    assert_eq!(held()[1], (2, Some(HeldUp::InboxFull)));
    let [_first, second, _third] = lanes;
    drop(second);
    engine.run_until_idle();
    assert_eq!(held()[1], (2, None));
}

/// Goal: an outbox names the receiver that holds it up, and no other. Method: the receivers' places in the report are
/// not the dispatcher's numbers for them, for one has left and another has come; the outbox waits for two in turn, and
/// for one that leaves.
#[test]
fn an_outbox_names_who_holds_it_up() {
    let engine = by_hand(1, 8);
    let [left, mut first, mut second] = [(); 3].map(|()| engine.receiver());
    let mut outboxes = [(); 3].map(|()| engine.outbox());
    let to_left = outboxes[1].add(&left.address()).unwrap();
    engine.run_until_idle();
    drop(left);
    outboxes[1].remove(to_left);
    engine.run_until_idle();
    let third = engine.options().name("third").receiver().unwrap();
    let out = &mut outboxes[1];
    let targets = [&first, &second, &third].map(|rx| out.add(&rx.address()).unwrap());
    engine.run_until_idle();
    let look = || {
        let OutboxStats { sent, depth, capacity, stalls, held_by, .. } = engine.stats().outboxes[1];
        assert_eq!(capacity, 8);
        (sent, depth, stalls, held_by)
    };
    assert_eq!(look(), (0, 0, 0, None));
    // Rows, so that each has an entry of its own.
    for target in targets {
        out.send(target, 0).unwrap();
        engine.run_until_idle();
    }
    assert_eq!(look(), (3, 0, 0, None));
    for to in [1, 2, 0, 2] {
        out.send(targets[to], 1).unwrap();
    }
    assert_eq!(look(), (7, 4, 0, None));
    engine.run_until_idle();
    assert_eq!(look(), (7, 4, 1, Some(1)));
    let held_up = [0, 1, 2].map(|rx| engine.stats().receivers[rx].lanes[0].held_up);
    assert_eq!(held_up, [HeldUp::Behind, HeldUp::InboxFull, HeldUp::Behind].map(Some));
    first.try_recv().unwrap();
    engine.run_until_idle();
    assert_eq!(look(), (7, 4, 1, Some(1)));
    second.try_recv().unwrap();
    engine.run_until_idle();
    assert_eq!(look(), (7, 3, 2, Some(2)));
    assert!(engine.stats().to_string().contains("held up by third"));
    let lanes = [0, 1, 2].map(|rx| engine.stats().receivers[rx].lanes[0].clone());
    assert_eq!(lanes.each_ref().map(|lane| lane.outbox), [Some(1); 3]);
    assert_eq!(lanes.map(|lane| (lane.sent, lane.depth)), [(2, 1), (2, 1), (3, 3)]);
    drop(third);
    assert_eq!(look(), (7, 3, 2, None));
    engine.run_until_idle();
    assert_eq!(look(), (7, 0, 2, None));
    assert_eq!(figures(&engine.stats(), 0), (1, 1, 1));
}

/// Goal: an outbox whose lane to a receiver is full is held by that receiver, and no other. Method: lanes of two, read
/// by one of two receivers; what has no number is counted apart.
#[test]
fn an_outbox_is_held_by_a_full_lane() {
    let engine = by_hand(8, 2);
    let [mut first, mut second] = [(); 2].map(|()| engine.receiver());
    let mut out = engine.outbox();
    let targets = [&first, &second].map(|rx| out.add(&rx.address()).unwrap());
    engine.run_until_idle();
    let look = || {
        let Stats { receivers, outboxes, .. } = engine.stats();
        let lanes = [0, 1].map(|rx| receivers[rx].lanes[0].clone());
        (lanes.map(|lane| (lane.unnumbered, lane.held_up)), outboxes[0].held_by)
    };
    out.send(targets[0], 0).unwrap();
    out.send(targets[1], 0).unwrap();
    assert_eq!(look(), ([(1, None), (1, None)], None));
    engine.run_until_idle();
    assert_eq!(look(), ([(0, None), (0, None)], None));
    out.send(targets[1], 1).unwrap();
    assert_eq!(look(), ([(0, None), (1, Some(HeldUp::LaneFull))], Some(1)));
    engine.run_until_idle();
    assert_eq!(look(), ([(0, None), (0, Some(HeldUp::LaneFull))], Some(1)));
    first.try_recv().unwrap();
    assert_eq!(look().1, Some(1));
    second.try_recv().unwrap();
    assert_eq!(look(), ([(0, None), (0, None)], None));
}

/// Goal: what a receiver has received stays when those who sent it are forgotten. Method: senders and an outbox that
/// end after a word, or without one; their lanes are in the report until the receiver has met their end.
#[test]
fn what_was_received_stays() {
    let engine = by_hand(16, 4);
    let (tx, mut rx) = engine.channel();
    let mut received = 0;
    for round in 0..10 {
        let mut lane = tx.clone();
        lane.send_batch(0..round % 4).unwrap();
        let mut out = engine.outbox();
        let target = out.add(&rx.address()).unwrap();
        if round % 3 == 0 {
            out.send(target, 0).unwrap();
        }
        drop((lane, out));
        engine.run_until_idle();
        let sent = round % 4 + u64::from(round % 3 == 0);
        let stats = engine.stats();
        assert_eq!(figures(&stats, 0), (received, sent, sent));
        let spoke = usize::from(round % 4 > 0) + usize::from(round % 3 == 0);
        assert_eq!(stats.receivers[0].lanes.len(), 1 + spoke);
        while rx.try_recv().is_ok() {}
        received += sent;
        let stats = engine.stats();
        assert_eq!((figures(&stats, 0), stats.receivers[0].lanes.len()), ((received, 0, 0), 1));
        assert!(stats.outboxes.is_empty());
    }
    drop(tx);
    engine.run_until_idle();
    assert_eq!(rx.try_recv(), Err(TryRecvError::Closed));
    let stats = engine.stats();
    assert_eq!((figures(&stats, 0), stats.receivers[0].lanes.len()), ((received, 0, 0), 0));
}

/// Goal: who has gone is in no report, and those who stay are in the order in which they were made, by their names.
/// Method: a hundred receivers and outboxes, of which more and more go.
#[test]
fn who_has_gone_is_not_reported() {
    let engine = by_hand(1, 1);
    let named = |nth: usize| engine.options::<u8>().name(format!("number {nth}")).receiver();
    let mut receivers: Vec<(usize, Receiver<u8>)> =
        (0..100).map(|nth| (nth, named(nth).unwrap())).collect();
    let nameless = engine.receiver::<u16>();
    let mut outboxes: Vec<_> = (0..100).map(|_| engine.outbox()).collect();
    // An address keeps nobody in the report.
    let _addresses: Vec<_> = receivers.iter().map(|(_, rx)| rx.address()).collect();
    while !receivers.is_empty() {
        let stats = engine.stats();
        let names: Vec<_> = stats.receivers.iter().map(|rx| rx.name.as_deref()).collect();
        let expected: Vec<_> = receivers.iter().map(|(nth, _)| format!("number {nth}")).collect();
        let expected: Vec<_> = expected.iter().map(|name| Some(name.as_str())).collect();
        assert_eq!(names, [&expected[..], &[None]].concat());
        assert_eq!(stats.outboxes.len(), outboxes.len());
        let left = receivers.len() / 2;
        receivers.retain({
            let mut nth = 0;
            move |_| {
                nth += 1;
                left > 0 && nth % 2 == 0
            }
        });
        outboxes.truncate(left);
        // An outbox has gone when the dispatcher has let go of it.
        engine.run_until_idle();
    }
    drop((nameless, outboxes));
    engine.run_until_idle();
    let stats = engine.stats();
    assert!(stats.receivers.is_empty() && stats.outboxes.is_empty(), "{stats:?}");
}

/// Goal: the report as text has a line for the engine, for each receiver and for each outbox, with their figures.
/// Method: one with a name, one without, and a jam.
#[test]
fn a_report_has_a_line_for_each() {
    let engine = by_hand(1, 2);
    assert_eq!(engine.stats().to_string().lines().count(), 1);
    let (mut tx, mut rx) = engine.options().name("orders").channel().unwrap();
    let (mut other, _unread) = engine.channel();
    let mut out = engine.outbox();
    let target = out.add(&rx.address()).unwrap();
    let _idle = engine.outbox();
    engine.run_until_idle();
    tx.send_batch([1, 2]).unwrap();
    other.send(1).unwrap();
    engine.run_until_idle();
    rx.try_recv().unwrap();
    tx.send(3).unwrap();
    engine.run_until_idle();
    out.send(target, 4).unwrap();
    other.send(2).unwrap();
    engine.run_until_idle();
    let (passes, kicks) = (parts::passes(&engine).unwrap(), parts::kicks(&engine));
    let mean = 4.0 / passes as f64;
    let report = engine.stats().to_string();
    let lines: Vec<&str> = report.lines().collect();
    let engine_line = format!(
        "clock 4: {passes} passes and 0 short ways, {mean:.1} messages each; {kicks} kicks"
    );
    assert_eq!(
        lines,
        [
            engine_line.as_str(),
            "orders: received 1, depth 3, lag 2; lanes 2, held up 2, stalls 0",
            "receiver 1: received 0, depth 2, lag 1; lanes 1, held up 1, stalls 1",
            "outbox 0: sent 1, depth 1, stalls 1, held up by orders",
            "outbox 1: sent 0, depth 0, stalls 0",
        ]
    );
}

/// Goal: a report can be asked for when a pass has panicked. Method: as if one had.
#[test]
fn a_closed_engine_can_be_asked() {
    to_the_end(|| {
        let engine = Engine::new();
        let (mut tx, mut rx) = engine.channel();
        tx.send(1).unwrap();
        rx.recv().unwrap();
        parts::poison(&engine);
        assert_eq!(figures(&engine.stats(), 0), (1, 0, 0));
        assert_eq!(engine.stats().clock.get(), 1);
    });
}

/// What was true of an engine when it was asked before.
#[derive(Default)]
struct Before {
    figures: [u64; 4],
    received: [u64; 2],
}

impl Before {
    /// No figure that counts falls, and no more has come than was sent.
    fn check(&mut self, stats: &Stats, sent: impl FnOnce() -> u64) {
        let now = [stats.clock.get(), stats.passes, stats.short_ways, stats.kicks];
        assert!(self.figures.iter().zip(now).all(|(before, now)| *before <= now), "{stats:?}");
        self.figures = now;
        for (before, rx) in self.received.iter_mut().zip(&stats.receivers) {
            assert!(*before <= rx.received, "{stats:?}");
            *before = rx.received;
        }
        let received: u64 = stats.receivers.iter().map(|rx| rx.received).sum();
        assert!(received <= sent(), "{received} came, {stats:?}");
        for rx in &stats.receivers {
            assert!(rx.lag <= rx.depth, "{stats:?}");
            assert!(rx.lanes.iter().all(|lane| lane.depth <= lane.sent), "{stats:?}");
        }
        assert_eq!(
            stats.to_string().lines().count(),
            1 + stats.receivers.len() + stats.outboxes.len()
        );
    }
}

/// Goal: a report can be asked for at any time: it comes, and is never absurd. Method: senders, an outbox and lanes
/// that come and go, to two receivers that read, and receivers that come and go; two threads ask all the time.
#[test]
fn a_report_comes_during_traffic() {
    const MESSAGES: u64 = 5_000;
    to_the_end(|| {
        let engine = Engine::builder().capacity(16).inbox(4).build().unwrap();
        let (sent, done) = (AtomicU64::new(0), AtomicBool::new(false));
        let announced = || sent.fetch_add(1, SeqCst);
        let mut receivers = [(); 2].map(|()| engine.receiver::<u64>());
        let addresses = receivers.each_ref().map(Receiver::address);
        let [mut plain, staying] = [(); 2].map(|()| engine.sender(&addresses[0]).unwrap());
        let mut out = engine.outbox();
        let targets = addresses.each_ref().map(|to| out.add(to).unwrap());
        let asked = thread::scope(|scope| {
            let asks = [(); 2].map(|()| {
                scope.spawn(|| {
                    let (mut before, mut asked) = (Before::default(), 0);
                    while !done.load(SeqCst) || asked == 0 {
                        before.check(&engine.stats(), || sent.load(SeqCst));
                        asked += 1;
                    }
                    asked
                })
            });
            for rx in &mut receivers {
                scope.spawn(move || while rx.recv().is_ok() {});
            }
            let mut writers = Vec::new();
            writers.push(scope.spawn(move || {
                for n in 0..MESSAGES {
                    announced();
                    plain.send(n).unwrap();
                }
            }));
            writers.push(scope.spawn(move || {
                for n in 0..MESSAGES {
                    announced();
                    out.send(targets[n as usize % 2], n).unwrap();
                }
            }));
            let (engine, announced) = (&engine, &announced);
            writers.push(scope.spawn(move || {
                for n in 0..MESSAGES / 50 {
                    let (mut tx, mut guest) = engine.channel();
                    let mut visitor = staying.clone();
                    announced();
                    visitor.send(n).unwrap();
                    announced();
                    tx.send(n).unwrap();
                    if n % 2 == 0 {
                        guest.recv().unwrap();
                    }
                }
            }));
            writers.into_iter().for_each(|writer| writer.join().unwrap());
            done.store(true, SeqCst);
            asks.into_iter().map(|asks| asks.join().unwrap()).sum::<u64>()
        });
        assert!(asked >= 2);
        let stats = engine.stats();
        let total = 2 * MESSAGES + MESSAGES / 50;
        assert_eq!(figures(&stats, 0).0 + figures(&stats, 1).0, total);
        assert_eq!((figures(&stats, 0).1, figures(&stats, 1).1), (0, 0));
    });
}
