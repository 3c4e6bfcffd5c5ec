//! Where the parts meet: one receiver that an outbox reaches by several ways, members of groups that others are
//! behind, merges of those, followers whose groups change.

#![cfg(not(loom))]

#[path = "together/storm.rs"]
mod storm;
mod support;

use std::collections::BTreeMap;
use std::env;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use mainspring::{Drive, Engine, Follower, Merge, Receiver, Seq, TryRecvError, parts};
use support::{to_the_end, until, until_kicked_since};

fn by_hand() -> Engine {
    Engine::builder().drive(Drive::manual(|| {})).build().unwrap()
}

fn seq(number: u64) -> Seq {
    Seq::new(number)
}

/// Random numbers (splitmix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) >> 8) as usize % sides
    }
}

/// The end of a thread that may sleep for ever.
fn join_soon<R>(thread: JoinHandle<R>) {
    let patience = Instant::now() + Duration::from_secs(20);
    until(|| thread.is_finished() || Instant::now() > patience);
    assert!(thread.is_finished(), "it sleeps for ever");
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
}

/// All that is there, with its numbers.
fn drain<T: Send>(rx: &mut Receiver<T>) -> Vec<(u64, T)> {
    std::iter::from_fn(|| rx.try_recv().ok()).map(|(seq, value)| (seq.get(), value)).collect()
}

/// Goal: O4 and O2 hold for a receiver that an outbox reaches by several ways. Method: in one window of an
/// outbox, as a target and as the only member of two groups.
#[test]
fn one_receiver_by_several_ways_has_one_order() {
    let engine = by_hand();
    let mut rx = engine.receiver::<u64>();
    let groups = [engine.group(), engine.group()];
    groups.iter().for_each(|group| group.join(&rx.address()).unwrap());
    let mut out = engine.outbox();
    let alone = out.add(&rx.address()).unwrap();
    let [first, second] = groups.map(|group| out.add_group(&group).unwrap());
    for n in 0..4 {
        out.send(alone, 3 * n + 1).unwrap();
        out.send_next(first, 3 * n + 2).unwrap();
        out.send_keyed(second, &n, 3 * n + 3).unwrap();
    }
    out.send_all(first, 13).unwrap();
    out.send_all(second, 14).unwrap();
    engine.run_until_idle();
    let expected: Vec<_> = (1..=14).map(|n| (n, n)).collect();
    assert_eq!(drain(&mut rx), expected);
}

/// Goal: the same for what an outbox leaves to a full inbox.
#[test]
fn one_receiver_by_several_ways_has_one_order_past_a_full_inbox() {
    let engine = by_hand();
    let mut rx = engine.options::<u64>().inbox(1).receiver().unwrap();
    let group = engine.group();
    group.join(&rx.address()).unwrap();
    let mut filler = engine.sender(&rx.address()).unwrap();
    let mut out = engine.outbox();
    let alone = out.add(&rx.address()).unwrap();
    let to_group = out.add_group(&group).unwrap();
    filler.send(1).unwrap();
    engine.run_until_idle();
    let mut more = engine.group::<u64>().broadcaster();
    more.group().join(&rx.address()).unwrap();
    more.send(2).unwrap();
    engine.run_until_idle();
    for n in 1..4 {
        out.send(alone, 3 * n).unwrap();
        out.send_all(to_group, 3 * n + 1).unwrap();
        out.send_next(to_group, 3 * n + 2).unwrap();
    }
    drop(out);
    engine.run_until_idle();
    let expected: Vec<_> = (1..=11).map(|n| (n, n)).collect();
    assert_eq!(drain(&mut rx), expected);
}

/// Goal: what a removed member misses holds up nobody who is behind it. Method: a diamond on one broadcast; the
/// stage ahead is removed, and waits for something else.
#[test]
fn a_removed_member_ahead_holds_nobody_up() {
    let engine = by_hand();
    let group = engine.group();
    let (mut ahead, mut behind) = (group.subscribe(), group.subscribe());
    let _open = engine.sender(&ahead.address()).unwrap();
    behind.behind(&[ahead.progress()]).unwrap();
    let mut all = group.broadcaster();
    all.send(1).unwrap();
    engine.run_until_idle();
    assert_eq!(behind.try_recv(), Err(TryRecvError::Empty));
    assert!(group.remove(&ahead.address()));
    engine.run_until_idle();
    assert_eq!(ahead.try_recv(), Err(TryRecvError::Empty), "it misses the message");
    assert_eq!(ahead.missed(), 1);
    assert_eq!(ahead.progress().now(), seq(1), "it has nothing left to handle");
    assert_eq!(behind.try_recv(), Ok((seq(1), 1)));
}

/// Goal: so does a message whose clone panicked.
#[test]
fn a_message_whose_clone_panicked_is_handled() {
    struct Bad;
    impl Clone for Bad {
        fn clone(&self) -> Self {
            panic!("a clone that fails, on purpose")
        }
    }
    let engine = by_hand();
    let group = engine.group();
    let mut rx = group.subscribe();
    let progress = rx.progress();
    let mut all = group.broadcaster();
    all.send(Bad).unwrap();
    engine.run_until_idle();
    assert!(catch_unwind(AssertUnwindSafe(|| rx.try_recv().is_ok())).is_err());
    assert!(rx.try_recv().is_err());
    assert_eq!(progress.now(), seq(1));
}

/// Goal: a stage that is behind another can be merged with it.
#[test]
fn a_merge_of_one_behind_the_other_goes_on() {
    let engine = by_hand();
    let (mut to_ahead, mut ahead) = engine.channel();
    let (mut to_behind, mut behind) = engine.channel();
    behind.behind(&[ahead.progress()]).unwrap();
    for n in 0..3 {
        to_ahead.send(2 * n + 1).unwrap();
        engine.run_until_idle();
        to_behind.send(2 * n + 2).unwrap();
        engine.run_until_idle();
    }
    let mut all = ahead.merge(behind).unwrap();
    let got: Vec<_> = std::iter::from_fn(|| all.try_recv().ok()).map(|(_, n)| n).collect();
    assert_eq!(got, [1, 2, 3, 4, 5, 6]);
}

/// Goal: merges whose parts are behind each other's, but not in a circle of numbers, go on.
#[test]
fn two_merges_behind_each_other_go_on() {
    let engine = by_hand();
    let mut out = engine.outbox();
    let mut rx: [Receiver<u64>; 4] = std::array::from_fn(|_| engine.receiver());
    let to = [0, 1, 2, 3].map(|at: usize| out.add(&rx[at].address()).unwrap());
    let of_0 = rx[0].progress();
    let of_3 = rx[3].progress();
    rx[2].behind(&[of_0]).unwrap();
    rx[1].behind(&[of_3]).unwrap();
    // For the first merge 2 and 3, for the second 1 and 4.
    for (number, at) in [(1, 2), (2, 1), (3, 0), (4, 3)] {
        out.send(to[at], number).unwrap();
    }
    engine.run_until_idle();
    let [a, b, c, d] = rx;
    let mut merges = [a.merge(b).unwrap(), c.merge(d).unwrap()];
    let mut got = Vec::new();
    for _ in 0..8 {
        got.extend(merges.iter_mut().filter_map(|merge: &mut Merge<u64>| merge.try_recv().ok()));
    }
    let mut numbers: Vec<_> = got.iter().map(|(_, number)| *number).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [1, 2, 3, 4]);
}

/// Goal: two outboxes agree which member a key chooses, whatever came and went. Method: a member leaves and
/// joins again while one of them looks away.
#[test]
fn all_outboxes_agree_on_a_key() {
    let engine = by_hand();
    let group = engine.group::<u64>();
    let mut members: Vec<_> = (0..3).map(|_| group.subscribe()).collect();
    let mut outs = [engine.outbox(), engine.outbox()];
    let targets: Vec<_> = outs.iter_mut().map(|out| out.add_group(&group).unwrap()).collect();
    outs[0].send_keyed(targets[0], "first", 1000).unwrap();
    let back = members[0].address();
    assert!(group.leave(&back));
    group.join(&back).unwrap();
    for (out, &target) in outs.iter_mut().zip(&targets) {
        for key in 0..100 {
            out.send_keyed(target, &key, key).unwrap();
        }
    }
    engine.run_until_idle();
    let mut chosen = BTreeMap::<u64, Vec<usize>>::new();
    for (at, member) in members.iter_mut().enumerate() {
        for (_, key) in drain(member).into_iter().filter(|&(_, key)| key < 1000) {
            chosen.entry(key).or_default().push(at);
        }
    }
    let split = chosen.values().filter(|at| at[0] != at[1]).count();
    assert_eq!(split, 0, "of 100 keys");
}

/// Goal: whoever waits for room hears of it when what it had forwarded goes to nobody: those who were members
/// have left, and one who has joined since begins later. Method: it waits in a thread, the news comes by hand.
#[test]
fn a_forwarder_to_those_who_come_later_is_woken() {
    let calls = Arc::new(AtomicUsize::new(0));
    let count = calls.clone();
    let hook = Drive::manual(move || {
        count.fetch_add(1, SeqCst);
    });
    let follower = Follower::builder().capacity(2).drive(hook).build().unwrap();
    let (mut other, _rx) = follower.channel::<u64>();
    let group = follower.group::<u64>();
    let first = group.subscribe();
    let mut forwarder = group.forwarder();
    forwarder.forward(seq(1), 1).unwrap();
    forwarder.forward(seq(2), 2).unwrap();
    assert!(group.leave(&first.address()));
    let mut second = group.subscribe();
    follower.run_until_idle();
    let before = calls.load(SeqCst);
    let thread = thread::spawn(move || forwarder.forward(seq(3), 3).unwrap());
    // Whoever goes to sleep calls the hook.
    until(|| calls.load(SeqCst) > before);
    other.advance(seq(3)).unwrap();
    follower.run_until_idle();
    join_soon(thread);
    follower.run_until_idle();
    assert_eq!(second.try_recv(), Ok((seq(3), 3)));
}

/// Goal: an author that waits for a member's lane hears that the member has been removed, or that another has
/// joined.
#[test]
fn an_author_that_waits_for_a_member_hears_of_the_members() {
    let engine = Engine::builder().capacity(1).build().unwrap();
    let group = engine.group::<u64>();
    let stuck = group.subscribe();
    let mut out = engine.outbox();
    let target = out.add_group(&group).unwrap();
    out.send_next(target, 1).unwrap();
    let before = parts::kicks(&engine);
    let thread = thread::spawn(move || out.send_next(target, 2).unwrap());
    until_kicked_since(&engine, before);
    let mut second = group.subscribe();
    assert!(group.remove(&stuck.address()));
    join_soon(thread);
    assert_eq!(second.recv(), Ok((seq(2), 2)));
}

/// Goal: a member that has gone is none. Method: it had been forwarded a number alone.
#[test]
fn what_a_member_that_has_gone_was_given_is_no_duplicate() {
    let follower = Follower::builder().drive(Drive::manual(|| {})).build().unwrap();
    let group = follower.group::<u64>();
    let (first, mut second) = (group.subscribe(), group.subscribe());
    let mut all = group.forwarder();
    let mut alone = follower.forwarder(&first.address()).unwrap();
    alone.forward(seq(5), 5).unwrap();
    drop(first);
    follower.run_until_idle();
    all.forward(seq(5), 5).unwrap();
    follower.run_until_idle();
    assert_eq!(second.try_recv(), Ok((seq(5), 5)));
}

/// Goal: a closed engine says so, wherever its parts meet.
#[test]
fn everything_together_ends_with_the_engine() {
    to_the_end(|| {
        let engine = Engine::builder().capacity(1).build().unwrap();
        let group = engine.options::<u64>().capacity(1).group().unwrap();
        let (mut first, second) = (group.subscribe(), group.subscribe());
        let behind = {
            let mut rx = group.subscribe();
            rx.behind(&[first.progress()]).unwrap();
            rx
        };
        let progress = first.progress();
        let mut out = engine.outbox();
        let target = out.add_group(&group).unwrap();
        out.send_all(target, 1).unwrap();
        for _ in 0..3 {
            out.send_next(target, 2).unwrap();
        }
        let threads = [
            thread::spawn(move || {
                while out.send_next(target, 3).is_ok() {}
                assert!(out.try_send_next(target, 3).unwrap_err().is_closed());
                assert!(out.try_send_keyed(target, "key", 3).unwrap_err().is_closed());
                while out.send_all(target, 3).is_ok() {}
            }),
            thread::spawn(move || assert!(progress.wait_for(Seq::MAX).is_err())),
            thread::spawn(move || {
                let mut all = behind.merge(second).unwrap();
                while all.recv().is_ok() {}
            }),
        ];
        parts::poison(&engine);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        let mut late = group.subscribe();
        assert!(late.recv().is_err());
        let mut out = engine.outbox();
        let target = out.add_group(&group).unwrap();
        while out.send_all(target, 3).is_ok() {}
        assert!(out.send_next(target, 3).is_err());
    });
}

/// Goal: any ends in any state come to rest, and nobody starves. Method: chance; see the module.
#[test]
fn a_storm_of_ends_comes_to_rest() {
    for seed in seeds() {
        storm::storm(seed, false, seed % 16 == 0);
    }
}

/// Goal: the same, with receivers that an outbox reaches by several ways.
#[test]
fn a_storm_by_several_ways_comes_to_rest() {
    for seed in seeds() {
        storm::storm(seed, true, seed % 16 == 0);
    }
}

/// `MAINSPRING_SEED` repeats one, `MAINSPRING_STORMS` makes so many.
fn seeds() -> Range<u64> {
    let number = |name: &str| env::var(name).ok().map(|number| number.parse::<u64>().unwrap());
    match number("MAINSPRING_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("MAINSPRING_STORMS").unwrap_or(60),
    }
}
