//! Reports in time: how long receivers are behind, with timestamps on; and what tells receivers and outboxes apart.
//!
//! No test says how long something took. What is compared are moments that the test has seen pass.

#![cfg(not(loom))]

mod support;

use std::thread;
use std::time::{Duration, Instant};

use mainspring::{Drive, Engine, Follower, Merge, Receiver, ReceiverStats, Seq};
use support::to_the_end;

fn timed() -> Engine {
    let builder = Engine::builder().drive(Drive::manual(|| {})).timestamps(true);
    builder.build().unwrap()
}

fn of<T: Send + 'static>(engine: &Engine, rx: &Receiver<T>) -> ReceiverStats {
    let id = rx.address().id();
    engine.stats().receivers.into_iter().find(|stats| stats.id == id).unwrap()
}

/// Waits until time has moved, and says when that was.
fn tick() -> Instant {
    let before = Instant::now();
    loop {
        let now = Instant::now();
        if now > before + Duration::from_micros(200) {
            return now;
        }
        thread::yield_now();
    }
}

/// Whether the lag of a receiver began between two moments. An age is at most an eighth too long.
#[track_caller]
fn assert_began<T: Send + 'static>(
    engine: &Engine,
    rx: &Receiver<T>,
    after: Instant,
    before: Instant,
) {
    let least = before.elapsed();
    let lag = of(engine, rx).lag_time.expect("timestamps are on");
    let most = after.elapsed();
    assert!(lag >= least && lag <= most + most / 8, "{least:?} <= {lag:?} <= {most:?}");
}

/// Goal: the lag in time is the age of the oldest message that is not handled, from its number on, until the receiver
/// asks for the next. Method: three messages with numbers of three moments, step by step.
#[test]
fn the_oldest_message_that_is_not_handled_counts() {
    let engine = timed();
    let (mut tx, mut rx) = engine.channel();
    engine.run_until_idle();
    assert_eq!(of(&engine, &rx).lag_time, Some(Duration::ZERO));
    tx.send(0).unwrap();
    tick();
    assert_eq!(of(&engine, &rx).lag_time, Some(Duration::ZERO), "it has no number yet");
    let mut moments = vec![tick()];
    for n in 1..=3 {
        engine.run_until_idle();
        moments.push(tick());
        tx.send(n).unwrap();
    }
    for n in 0..3 {
        if n == 0 {
            assert_began(&engine, &rx, moments[n], moments[n + 1]);
        }
        assert_eq!(rx.try_recv().unwrap().1, n);
        assert_began(&engine, &rx, moments[n], moments[n + 1]);
        assert_eq!(of(&engine, &rx).handled, Some(Seq::new(n as u64)));
    }
    assert!(rx.try_recv().is_err());
    let stats = of(&engine, &rx);
    assert_eq!((stats.lag_time, stats.handled), (Some(Duration::ZERO), Some(Seq::new(3))));
}

/// Goal: what is numbered for others while a receiver has nothing to do is no lag of it. Method: a message to it
/// after many to another, at a later moment; it has slept meanwhile, or not.
#[test]
fn silence_is_no_lag() {
    let engine = timed();
    let (mut tx, mut rx) = engine.channel();
    let (mut other, mut elsewhere) = engine.channel();
    for looks in [false, true] {
        tx.send(1).unwrap();
        engine.run_until_idle();
        assert_eq!(rx.try_recv().unwrap().1, 1);
        assert!(rx.try_recv().is_err());
        for n in 0..3 {
            other.send(n).unwrap();
            engine.run_until_idle();
            tick();
        }
        if looks {
            assert!(rx.try_recv().is_err());
        }
        assert_eq!(of(&engine, &rx).lag_time, Some(Duration::ZERO));
        let before = tick();
        tx.send(2).unwrap();
        engine.run_until_idle();
        let after = tick();
        assert_began(&engine, &rx, before, after);
        assert_eq!(rx.try_recv().unwrap().1, 2);
        assert_began(&engine, &rx, before, after);
        assert!(rx.try_recv().is_err());
        assert_eq!(of(&engine, &rx).lag_time, Some(Duration::ZERO));
    }
    assert_eq!(elsewhere.try_recv_batch(9, |_, _| ()).unwrap(), 6);
}

/// Goal: it is the same with an outbox's masked runs, with messages by reference, in batches, of a group, in a merge.
/// Method: two targets in turn, from which messages are taken in each way.
#[test]
fn each_way_of_receiving_counts() {
    let engine = timed();
    let group = engine.group();
    let mut receivers = [group.subscribe(), group.subscribe()];
    let mut out = engine.outbox();
    let targets = receivers.each_ref().map(|rx| out.add(&rx.address()).unwrap());
    let crowd = out.add_group(&group).unwrap();
    engine.run_until_idle();
    let mut send = |n: u64| {
        let before = tick();
        // Of each seven numbers 1, 4 and 5 are the first's, 2, 3 and 6 the second's; the last is everybody's.
        for to in [0, 1, 1, 0, 0, 1] {
            out.send(targets[to], n).unwrap();
        }
        out.send_all(crowd, n).unwrap();
        engine.run_until_idle();
        (before, tick())
    };
    let rounds = [send(0), send(1)];
    let [first, second] = &mut receivers;
    for (round, (before, after)) in rounds.into_iter().enumerate() {
        for nth in [1, 4, 5] {
            assert_eq!(first.try_recv_ref().unwrap().seq().get(), 7 * round as u64 + nth);
            assert_began(&engine, first, before, after);
            assert_eq!(of(&engine, first).handled.unwrap().get(), 7 * round as u64 + nth - 1);
        }
        assert!(first.try_recv().is_ok());
        assert_began(&engine, second, before, after);
        let mut within = 0;
        let taken = second.try_recv_batch(4, |_, _| {
            let stats = engine.stats();
            within += usize::from(stats.receivers[1].lag_time > Some(Duration::ZERO));
        });
        assert_eq!((taken, within), (Ok(4), 4));
    }
    assert!(first.try_recv().is_err());
    let stats = engine.stats();
    assert_eq!([0, 1].map(|rx| stats.receivers[rx].lag_time), [Some(Duration::ZERO); 2]);
    assert_eq!([0, 1].map(|rx| stats.receivers[rx].depth), [0; 2]);
    let (before, after) = send(2);
    let address = first.address();
    let mut all = Merge::new(receivers).unwrap();
    let least = after.elapsed();
    let lag = engine.stats().receivers[0].lag_time.unwrap();
    assert!(lag >= least && lag <= before.elapsed() * 9 / 8);
    assert_eq!(all.try_recv_batch(99, |_, _| ()), Ok(8));
    assert!(all.try_recv().is_err());
    let stats = engine.stats();
    assert_eq!(stats.receivers[0].id, address.id());
    assert_eq!([0, 1].map(|rx| stats.receivers[rx].lag_time), [Some(Duration::ZERO); 2]);
}

/// Goal: many passes later the lag is still known, an eighth too long at most. Method: a message that is left alone
/// while others are numbered in more passes than are kept.
#[test]
fn an_old_message_keeps_its_age() {
    let engine = timed();
    let (mut tx, rx) = engine.channel();
    let (mut other, mut elsewhere) = engine.channel();
    for n in 0..5_000 {
        other.send(n).unwrap();
        engine.run_until_idle();
        elsewhere.try_recv().unwrap();
    }
    let before = tick();
    tx.send(0).unwrap();
    engine.run_until_idle();
    let after = tick();
    for n in 0..5_000 {
        other.send(n).unwrap();
        engine.run_until_idle();
        elsewhere.try_recv().unwrap();
    }
    assert_began(&engine, &rx, before, after);
}

/// Goal: without timestamps no time is told, and how far a receiver has come only when somebody asked. Method: an
/// engine without, before and after the asking.
#[test]
fn nothing_is_told_without_timestamps() {
    let engine = Engine::builder().drive(Drive::manual(|| {})).build().unwrap();
    let (mut tx, mut rx) = engine.channel();
    tx.send(1).unwrap();
    engine.run_until_idle();
    let stats = of(&engine, &rx);
    assert_eq!((stats.lag_time, stats.handled, engine.stats().clock_age), (None, None, None));
    let progress = rx.progress();
    assert_eq!(of(&engine, &rx).handled, Some(progress.now()));
    rx.try_recv().unwrap();
    assert!(rx.try_recv().is_err());
    let stats = of(&engine, &rx);
    assert_eq!((stats.lag_time, stats.handled), (None, Some(Seq::new(1))));
}

/// Goal: the clock's age is that of its last number. Method: before any, and after two moments.
#[test]
fn the_clock_has_an_age() {
    let engine = timed();
    let (mut tx, _rx) = engine.channel();
    engine.run_until_idle();
    assert_eq!(engine.stats().clock_age, None);
    tx.send(1).unwrap();
    let before = tick();
    engine.run_until_idle();
    let after = tick();
    let least = after.elapsed();
    let age = engine.stats().clock_age.unwrap();
    assert!(age >= least && age <= before.elapsed());
}

/// Goal: of a follower, a number counts from when it was settled. Method: a message that waits for another forwarder.
#[test]
fn a_follower_counts_from_when_it_was_settled() {
    let builder = Follower::builder().drive(Drive::manual(|| {})).timestamps(true);
    let follower = builder.build().unwrap();
    let (mut first, mut rx) = follower.channel();
    let mut second = first.clone();
    follower.run_until_idle();
    first.forward(Seq::new(1000), "a").unwrap();
    follower.run_until_idle();
    tick();
    assert_eq!(follower.stats().receivers[0].lag_time, Some(Duration::ZERO));
    let before = tick();
    second.advance(Seq::new(1000)).unwrap();
    follower.run_until_idle();
    let after = tick();
    let least = after.elapsed();
    let lag = follower.stats().receivers[0].lag_time.unwrap();
    assert!(lag >= least && lag <= before.elapsed() * 9 / 8);
    assert_eq!(rx.try_recv(), Ok((Seq::new(1000), "a")));
    assert!(rx.try_recv().is_err());
    assert_eq!(follower.stats().receivers[0].lag_time, Some(Duration::ZERO));
}

/// Goal: reports under traffic are never absurd: no lag is longer than the engine is old, and in the end there is none.
/// Method: two senders, a receiver that sleeps between, and one who asks all the time.
#[test]
fn a_lag_under_traffic_is_possible() {
    to_the_end(|| {
        let began = Instant::now();
        let engine = Engine::builder().timestamps(true).inbox(4).capacity(8).build().unwrap();
        let (mut first, mut rx) = engine.channel();
        let mut second = first.clone();
        let watched = engine.clone();
        let watch = thread::spawn(move || {
            let mut asked = 0;
            while let [receiver] = &watched.stats().receivers[..] {
                assert!(receiver.lag_time.unwrap() <= began.elapsed() * 9 / 8);
                assert!(receiver.inbox_len <= receiver.inbox_capacity);
                assert!(receiver.handled.unwrap() <= watched.clock().now());
                asked += 1;
            }
            asked
        });
        let sends = [
            thread::spawn(move || (0..5_000).try_for_each(|n| first.send(n)).is_ok()),
            thread::spawn(move || {
                (0..5_000).try_for_each(|n| second.send_stamped(n).map(drop)).is_ok()
            }),
        ];
        assert_eq!(rx.messages().count(), 10_000);
        assert!(sends.into_iter().all(|sends| sends.join().unwrap()));
        let stats = of(&engine, &rx);
        assert_eq!((stats.lag_time, stats.closed), (Some(Duration::ZERO), true));
        drop(rx);
        watch.join().unwrap();
    });
}

/// Goal: an inbox's fill is what waits there. Method: an inbox of four, filled by lanes that speak in turn, and read.
#[test]
fn an_inbox_has_a_fill() {
    let builder = Engine::builder().drive(Drive::manual(|| {})).inbox(4);
    let engine = builder.build().unwrap();
    let (mut tx, mut rx) = engine.channel();
    let fill = |rx: &Receiver<u32>| {
        let stats = of(&engine, rx);
        (stats.inbox_len, stats.inbox_capacity)
    };
    for round in 0..5 {
        assert_eq!(fill(&rx), (0, 4), "round {round}");
        for n in 1..=6 {
            tx.send(n).unwrap();
            engine.run_until_idle();
            assert_eq!(fill(&rx).0, (n as usize).min(4));
        }
        for n in 1..=3 {
            assert_eq!(rx.try_recv().unwrap().1, n);
            assert_eq!(fill(&rx).0, 4 - n as usize);
        }
        while rx.try_recv().is_ok() {}
        engine.run_until_idle();
        while rx.try_recv().is_ok() {}
    }
}

/// Goal: those without a name are told apart by their numbers, and names are where they are looked for. Method: what
/// addresses, reports and `Debug` say of two receivers and two outboxes.
#[test]
fn everyone_has_a_number() {
    let engine = Engine::new();
    let group = engine.options::<u8>().name("quotes").group().unwrap();
    let (first, second) = (group.subscribe(), group.subscribe());
    let (router, nameless) = (engine.named_outbox("router"), engine.outbox());
    assert_eq!((router.name(), nameless.name()), (Some("router"), None));
    let stats = engine.stats();
    let told: Vec<_> = stats.receivers.iter().map(|rx| (rx.name.as_deref(), rx.id)).collect();
    let ids = [&first, &second].map(|rx| rx.address().id());
    assert_eq!(told, ids.map(|id| (Some("quotes"), id)));
    let told: Vec<_> = stats.outboxes.iter().map(|out| (out.name.as_deref(), out.id)).collect();
    assert_eq!(told, [(Some("router"), router.id()), (None, nameless.id())]);
    let mut all = vec![ids[0], ids[1], router.id(), nameless.id()];
    all.dedup();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), 4);
    let sender = engine.sender(&second.address()).unwrap();
    let shown = [format!("{second:?}"), format!("{:?}", second.address()), format!("{sender:?}")];
    for shown in shown {
        assert!(shown.contains(&format!("id: {}", ids[1])), "{shown}");
    }
    let shown = format!("{router:?}");
    assert!(shown.contains("\"router\"") && shown.contains(&format!("id: {}", router.id())));
    assert!(stats.to_string().contains("\nrouter: sent 0"), "{stats}");
}

/// Goal: the report as text shows the lag in time if it is known. Method: with timestamps, and a message that waits.
#[test]
fn the_text_shows_the_lag_in_time() {
    let engine = timed();
    let (mut tx, _rx) = engine.options().name("orders").channel().unwrap();
    tx.send(1).unwrap();
    engine.run_until_idle();
    let mut stats = engine.stats();
    stats.receivers[0].lag_time = Some(Duration::from_micros(1_500));
    let line = "orders: received 0, depth 1, lag 1 (1.5ms); lanes 1, held up 0, stalls 0";
    assert_eq!(stats.to_string().lines().nth(1), Some(line));
}

/// Goal: what lanes had to wait stays counted when they are forgotten. Method: a lane at a full inbox, which ends and
/// is read to its end.
#[test]
fn stalls_of_lanes_that_have_gone_stay_counted() {
    let engine = Engine::builder().drive(Drive::manual(|| {})).inbox(1).build().unwrap();
    let (mut tx, mut rx) = engine.channel();
    let mut passing = tx.clone();
    tx.send(1).unwrap();
    engine.run_until_idle();
    passing.send(2).unwrap();
    engine.run_until_idle();
    let stats = of(&engine, &rx);
    assert_eq!((stats.stalls, stats.lanes.len()), (1, 2));
    drop(passing);
    engine.run_until_idle();
    while rx.try_recv().is_ok() {}
    let stats = of(&engine, &rx);
    assert_eq!((stats.stalls, stats.lanes.len()), (1, 1));
}
