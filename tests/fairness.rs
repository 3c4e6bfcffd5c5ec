//! Who is served when, and what the others cost: counted in passes, kicks, entries and numbers, never in time.
//!
//! Nearly everything is one thread with passes by hand. What is bounded, and by how much, the constants say.

#![cfg(not(loom))]

#[path = "fairness/crowd.rs"]
mod crowd;
mod support;
#[path = "fairness/windows.rs"]
mod windows;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::thread;

use mainspring::{Drive, Engine, Event, Receiver, Sender, TrySendError, parts};
use support::{Drops, to_the_end, until_kicked_since};

/// Passes until a message has its number, whoever else speaks, if its receiver's inbox has room.
const PASSES: u64 = 1;

/// Messages of each other source that can get their numbers before it in that pass.
const BURST: u64 = 1024;

/// Messages that a receiver which goes the short way receives before everyone else has had a pass.
const SHORT_WAYS: u64 = 64;

/// Kicks while many messages go by, with any number of receivers asleep: only what the last to fall asleep may have
/// caused.
const KICKS: u64 = 8;

/// An engine that passes by hand, and how often it has said that a pass is due.
pub(crate) struct ByHand {
    pub(crate) engine: Engine,
    hooks: Arc<AtomicU64>,
}

impl ByHand {
    pub(crate) fn new(inbox: usize, capacity: usize) -> Self {
        let hooks = Arc::new(AtomicU64::new(0));
        let calls = hooks.clone();
        let drive = Drive::manual(move || {
            calls.fetch_add(1, SeqCst);
        });
        let builder = Engine::builder().inbox(inbox).capacity(capacity).drive(drive);
        Self { engine: builder.build().unwrap(), hooks }
    }

    /// How often the hook was called.
    pub(crate) fn hooks(&self) -> u64 {
        self.hooks.load(SeqCst)
    }

    pub(crate) fn passes(&self) -> u64 {
        parts::passes(&self.engine).unwrap()
    }

    pub(crate) fn clock(&self) -> u64 {
        self.engine.clock().now().get()
    }

    /// One pass, and nothing that makes another due.
    #[track_caller]
    pub(crate) fn pass_once(&self) {
        let before = self.passes();
        self.engine.pass();
        assert_eq!(self.passes() - before, 1, "one pass was not enough");
    }
}

/// Everything that is there, with its numbers.
pub(crate) fn take<T: Send + 'static>(rx: &mut Receiver<T>) -> Vec<(u64, T)> {
    let next = || rx.try_recv().ok().map(|(seq, value)| (seq.get(), value));
    std::iter::from_fn(next).collect()
}

/// Fills a lane.
fn fill(tx: &mut Sender<&'static str>) {
    while tx.try_send("busy").is_ok() {}
}

/// Goal: a lane that speaks rarely has its number in the very next pass, after one burst of everyone else at the
/// most. Method: before each pass all other lanes, to its receiver and to another, and an outbox, are filled with more
/// than one burst; there is room in all inboxes.
#[test]
fn a_rare_message_has_its_number_in_the_next_pass() {
    let by_hand = ByHand::new(64, 2 * BURST as usize);
    let engine = &by_hand.engine;
    let [mut here, mut there, mut apart] = [(); 3].map(|()| engine.receiver());
    let mut lanes: Vec<Sender<&str>> = Vec::new();
    let mut rare = [&here, &apart].map(|rx| engine.sender(&rx.address()).unwrap());
    for rx in [&here, &there].repeat(3) {
        lanes.push(engine.sender(&rx.address()).unwrap());
    }
    let mut out = engine.outbox();
    let targets = [&here, &there].map(|rx| out.add(&rx.address()).unwrap());
    let others = lanes.len() as u64 + 2;
    engine.run_until_idle();
    for round in 0..30 {
        lanes.iter_mut().for_each(fill);
        while out.try_send(targets[out.len() % 2], "busy").is_ok() {}
        let before = (by_hand.passes(), by_hand.clock());
        rare[round % 2].send("rare").unwrap();
        engine.pass();
        assert_eq!(by_hand.passes() - before.0, PASSES);
        let came = [take(&mut here), take(&mut apart)].concat();
        let number = came.iter().find(|(_, text)| *text == "rare").expect("it has its number").0;
        assert!(number - before.1 <= others * BURST + 1, "{number} after {}", before.1);
        take(&mut there);
    }
}

/// Goal: where an inbox is full a lane waits for those that came before it, and for nobody else: of `waiting` lanes
/// each gets one entry before it. Method: an inbox of four entries, lanes that never stop; the clock is known after
/// each entry that is consumed.
#[test]
fn a_rare_message_at_a_full_inbox_waits_for_those_before_it() {
    const ENTRIES: u64 = 4;
    const RUN: u64 = 8;
    for waiting in [0, 1, 2, 5, 20] {
        let by_hand = ByHand::new(ENTRIES as usize, RUN as usize);
        let engine = &by_hand.engine;
        let (mut filler, mut rx) = engine.channel();
        let mut rare = filler.clone();
        let mut lanes: Vec<Sender<&str>> = (0..waiting).map(|_| filler.clone()).collect();
        for _ in 0..ENTRIES {
            filler.send("filler").unwrap();
            engine.pass();
        }
        lanes.iter_mut().for_each(fill);
        engine.run_until_idle();
        rare.send("rare").unwrap();
        engine.run_until_idle();
        assert_eq!(by_hand.clock(), ENTRIES);
        let mut entries = 0;
        let mut left = 0;
        loop {
            let (seq, text) = rx.try_recv().unwrap();
            if text == "rare" {
                assert_eq!(entries, ENTRIES + waiting);
                assert_eq!(seq.get(), ENTRIES + waiting * RUN + 1);
                break;
            }
            if left == 0 {
                // The first message of an entry makes room for another.
                entries += 1;
                left = if text == "busy" { RUN } else { 1 };
                by_hand.pass_once();
                if entries <= waiting + 1 {
                    let runs = entries.min(waiting) * RUN + entries / (waiting + 1);
                    assert_eq!(by_hand.clock(), ENTRIES + runs);
                }
            }
            left -= 1;
            lanes.iter_mut().for_each(fill);
        }
    }
}

/// Goal: the same for as long as it goes on, also beside an outbox. Method: a hundred rare messages; the number of
/// each is above the clock by one run of each who can wait before it, at the most. One or several entries become free
/// at a time.
#[test]
fn a_full_inbox_is_fair_for_as_long_as_it_goes_on() {
    const RUN: u64 = 128;
    for (entries, lanes) in [(1, 5), (2, 5), (4, 5), (4, 2), (4, 0)] {
        let by_hand = ByHand::new(entries, RUN as usize);
        let engine = &by_hand.engine;
        let (mut rare, mut here) = engine.channel();
        let mut there = engine.options().inbox(1 << 10).receiver().unwrap();
        let mut lanes: Vec<Sender<&str>> = (0..lanes).map(|_| rare.clone()).collect();
        let mut out = engine.outbox();
        let targets = [&here, &there].map(|rx| out.add(&rx.address()).unwrap());
        let others = lanes.len() as u64 + 1;
        let (mut sent, mut rounds, mut highest) = (0, 0, 0);
        while sent < 100 {
            lanes.iter_mut().for_each(fill);
            while out.try_send(targets[out.len() % 2], "busy").is_ok() {}
            if rare.is_empty() {
                rare.send("rare").unwrap();
                (sent, highest) = (sent + 1, by_hand.clock() + others * RUN + 1);
            }
            engine.run_until_idle();
            for _ in 0..[1, 64, 300][rounds % 3] {
                if let Ok((seq, "rare")) = here.try_recv() {
                    assert!(seq.get() <= highest, "{seq}, above {highest}");
                }
            }
            take(&mut there);
            rounds += 1;
            assert!(rounds < 10_000, "{sent} rare messages in {rounds} rounds");
        }
    }
}

/// Ways to receive one message while waiting.
const WAYS: [fn(&mut Receiver<u64>) -> u64; 4] = [
    |rx| rx.recv().unwrap().1,
    |rx| rx.recv_timeout(std::time::Duration::MAX).unwrap().1,
    |rx| {
        let mut got = None;
        assert_eq!(rx.recv_batch(1, |_, value| got = Some(value)), Ok(1));
        got.unwrap()
    },
    |rx| loop {
        if let Event::Message(_, value) = rx.recv_event().unwrap() {
            return value;
        }
    },
];

/// Goal: a receiver that is kept busy the short way by one lane hears of its other lanes all the same, soon. Method:
/// one thread, so that each message is there when it is asked for; by each way to wait, in each phase.
#[test]
fn the_short_way_forgets_no_lane_of_its_own() {
    const RARE: u64 = 1;
    to_the_end(|| {
        for receive in WAYS {
            let engine = Engine::new();
            let (mut tx, mut rx) = engine.channel();
            let mut rare = tx.clone();
            let exchange = |tx: &mut Sender<u64>, rx: &mut Receiver<u64>| {
                tx.send(0).unwrap();
                receive(rx)
            };
            // So that nobody wants to hear of its next.
            rare.send(RARE).unwrap();
            assert_eq!(receive(&mut rx), RARE);
            assert_eq!(exchange(&mut tx, &mut rx), 0);
            for phase in 0..70 {
                (0..phase).for_each(|_| assert_eq!(exchange(&mut tx, &mut rx), 0));
                let kicks = parts::kicks(&engine);
                rare.send(RARE).unwrap();
                let mut received = (0..=SHORT_WAYS).map(|_| exchange(&mut tx, &mut rx));
                assert!(received.any(|value| value == RARE), "{SHORT_WAYS} others were before it");
                assert_eq!(receive(&mut rx), 0);
                assert_eq!(parts::kicks(&engine), kicks, "it was asked for");
            }
            assert!(engine.stats().short_ways > 1000, "it was not gone: {}", engine.stats());
        }
    });
}

/// Goal: nor does it forget what is for others. Method: as above; the rare message is for another receiver, which
/// does not ask.
#[test]
fn the_short_way_forgets_no_other_receiver() {
    to_the_end(|| {
        for receive in WAYS {
            let engine = Engine::new();
            let (mut tx, mut rx) = engine.channel();
            let (mut rare, mut other) = engine.channel();
            rare.send(0).unwrap();
            other.recv().unwrap();
            for round in 1..70 {
                rare.send(round).unwrap();
                let mut received = 0;
                while engine.stats().receivers[1].lag == 0 {
                    assert!(received < SHORT_WAYS, "{received} messages were before it");
                    tx.send(received).unwrap();
                    assert_eq!(receive(&mut rx), received);
                    received += 1;
                }
                assert_eq!(other.try_recv().unwrap().1, round);
            }
            assert!(engine.stats().short_ways > 1000, "it was not gone: {}", engine.stats());
        }
    });
}

/// Goal: receivers that sleep cost those who do not nothing. Method: 64 threads sleep in `recv`, on lanes that have
/// spoken; 10,000 messages go from hand to hand, and the engine is not kicked for them; then all are woken.
#[test]
fn sleepers_cost_the_others_no_kick() {
    to_the_end(|| {
        let engine = Engine::new();
        let (mut tx, mut rx) = engine.channel();
        let mut sleepers = Vec::new();
        for _ in 0..64 {
            let (mut wakes, mut sleeps) = engine.channel();
            wakes.send("spoke").unwrap();
            sleeps.recv().unwrap();
            let kicks = parts::kicks(&engine);
            let thread = thread::spawn(move || sleeps.recv().unwrap().1);
            until_kicked_since(&engine, kicks);
            sleepers.push((wakes, thread));
        }
        let exchange = |rx: &mut Receiver<u64>, tx: &mut Sender<u64>, n| {
            tx.send(n).unwrap();
            assert_eq!(rx.recv().unwrap().1, n);
        };
        // The first message of a lane is always asked for.
        exchange(&mut rx, &mut tx, 0);
        let kicks = parts::kicks(&engine);
        (0..10_000).for_each(|n| exchange(&mut rx, &mut tx, n));
        assert!(parts::kicks(&engine) - kicks <= KICKS, "{} kicks", parts::kicks(&engine) - kicks);
        assert!(sleepers.iter().all(|(_, thread)| !thread.is_finished()));
        for (mut wakes, thread) in sleepers {
            wakes.send("wakes").unwrap();
            assert_eq!(thread.join().unwrap(), "wakes");
        }
    });
}

/// Those who wait for a receiver that does not read: a full lane, an outbox, a lane that has ended, others that wait.
fn jam(engine: &Engine) -> impl Sized {
    let stuck = engine.options().capacity(2).inbox(1).receiver().unwrap();
    let mut lanes: Vec<_> = (0..8).map(|_| engine.sender(&stuck.address()).unwrap()).collect();
    let mut out = engine.outbox();
    let target = out.add(&stuck.address()).unwrap();
    for lane in &mut lanes {
        while lane.try_send(0).is_ok() {}
        engine.run_until_idle();
    }
    while out.try_send(target, 0).is_ok() {}
    drop(lanes.pop());
    engine.run_until_idle();
    assert_eq!(stuck.len(), 18);
    (stuck, lanes, out)
}

/// What it takes to bring messages from one end to the other.
#[derive(Debug, PartialEq, Eq)]
struct Costs {
    passes: u64,
    kicks: u64,
    short_ways: u64,
    hooks: u64,
    /// Numbers above the clock at the beginning, and messages.
    came: Vec<(u64, u64)>,
}

fn costs(by_hand: &ByHand, is_by_hand: bool, jammed: bool) -> Costs {
    let engine = &by_hand.engine;
    let _jam = jammed.then(|| jam(engine));
    let (mut tx, mut rx) = engine.channel();
    engine.run_until_idle();
    let begin = engine.clock().now().get();
    let before = (engine.stats(), by_hand.hooks());
    let mut came = Vec::new();
    for burst in (0..500).map(|n| n % 7 + 1) {
        tx.send_batch(0..burst).unwrap();
        for _ in 0..burst {
            if is_by_hand {
                engine.run_until_idle();
            }
            let (seq, value) = rx.try_recv().unwrap();
            came.push((seq.get() - begin, value));
        }
        // There is nothing, and it looks.
        assert!(rx.try_recv().is_err());
        tx.send(burst).unwrap();
        engine.run_until_idle();
        let (seq, value) = rx.recv().unwrap();
        came.push((seq.get() - begin, value));
    }
    let after = engine.stats();
    Costs {
        passes: after.passes - before.0.passes,
        kicks: after.kicks - before.0.kicks,
        short_ways: after.short_ways - before.0.short_ways,
        hooks: by_hand.hooks() - before.1,
        came,
    }
}

/// Goal: a receiver that does not read costs those who do not send to it nothing. Method: the same script beside a jam
/// and without one takes the same passes, kicks and calls of the hook; by hand, and where callers drive.
#[test]
fn a_stuck_receiver_costs_the_others_nothing() {
    for is_by_hand in [true, false] {
        let [free, jammed] = [false, true].map(|jammed| {
            let mut by_hand = ByHand::new(64, 64);
            if !is_by_hand {
                by_hand.engine = Engine::builder().inbox(64).capacity(64).build().unwrap();
            }
            costs(&by_hand, is_by_hand, jammed)
        });
        assert!(free.passes >= 500 && free.came.len() > 2000, "{free:?}");
        assert_eq!(free, jammed);
    }
}

/// Goal: a receiver that leaves with unread messages in many lanes disturbs nobody, and takes few passes. Method: a
/// thousand full lanes, most of which wait at a full inbox; beside them a lane that has sent, and an outbox that waits
/// for the receiver that leaves with more for one that stays. All values of the full lanes are dropped once, and what
/// is sent then comes back.
#[test]
fn a_receiver_leaves_many_full_lanes() {
    const LANES: usize = 1000;
    let by_hand = ByHand::new(16, 4);
    let engine = &by_hand.engine;
    let leaves = engine.receiver();
    let (mut tx, mut stays) = engine.options().capacity(128).channel().unwrap();
    let mut lanes: Vec<_> = (0..LANES).map(|_| engine.sender(&leaves.address()).unwrap()).collect();
    let mut out = engine.outbox();
    let (to_leaves, to_stays) =
        (out.add(&leaves.address()).unwrap(), out.add(&stays.address()).unwrap());
    let drops = Drops::default();
    for lane in &mut lanes {
        (0..4).for_each(|_| lane.try_send(drops.value()).unwrap());
    }
    engine.run_until_idle();
    assert_eq!(by_hand.clock(), 16 * 4);
    out.send(to_stays, 0).unwrap();
    out.send(to_leaves, drops.value()).unwrap();
    out.send(to_stays, 1).unwrap();
    engine.run_until_idle();
    (100..150).for_each(|n| tx.send(n).unwrap());
    engine.run_until_idle();
    (150..200).for_each(|n| tx.send(n).unwrap());
    assert_eq!(out.len(), 2);

    let before = (parts::kicks(engine), by_hand.passes());
    drop(leaves);
    assert_eq!(drops.count(), LANES * 4 + 1);
    assert_eq!(parts::kicks(engine) - before.0, 1);
    engine.run_until_idle();
    assert!(by_hand.passes() - before.1 <= 3, "{} passes", by_hand.passes() - before.1);
    let came = take(&mut stays);
    let numbers: Vec<u64> = came.iter().map(|&(number, _)| number).collect();
    assert_eq!(numbers, (65..65 + 102).collect::<Vec<_>>());
    let of = |from: u64, to: u64| {
        came.iter().map(|&(_, n)| n).filter(|n| (from..to).contains(n)).collect::<Vec<_>>()
    };
    assert_eq!(of(0, 100), [0, 1]);
    assert_eq!(of(100, 200), (100..200).collect::<Vec<_>>());

    let kicks = parts::kicks(engine);
    for lane in &mut lanes {
        assert!(matches!(lane.try_send(drops.value()), Err(TrySendError::Closed(_))));
    }
    assert_eq!(parts::kicks(engine), kicks);
    assert!(out.try_send(to_leaves, drops.value()).is_err_and(|error| error.is_closed()));
    assert_eq!(drops.count(), LANES * 5 + 2);
    let before = by_hand.passes();
    drop(lanes);
    engine.run_until_idle();
    // Each pass applies 256 changes.
    assert!(by_hand.passes() - before <= 2 + LANES as u64 / 256 + 1);
    assert_eq!(by_hand.clock(), 65 + 101);
}

/// Goal: a message for many wakes all of them, also more than one pass tells of. Method: receivers of one group that
/// sleep, passes by hand once all of them have called for one.
#[test]
fn a_message_for_many_sleepers_wakes_each() {
    to_the_end(|| {
        let ByHand { engine, .. } = ByHand::new(4, 4);
        let group = engine.group();
        let members: Vec<Receiver<&str>> = (0..30).map(|_| group.subscribe()).collect();
        let mut all = group.broadcaster();
        engine.run_until_idle();
        let asleep = parts::kicks(&engine) + members.len() as u64;
        let threads = members.into_iter().map(|mut rx| thread::spawn(move || rx.recv().unwrap()));
        let threads: Vec<_> = threads.collect();
        until_kicked_since(&engine, asleep - 1);
        all.send("all").unwrap();
        engine.run_until_idle();
        for thread in threads {
            assert_eq!(thread.join().unwrap(), (1.into(), "all"));
        }
    });
}
