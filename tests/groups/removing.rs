//! Members that do not read: how they hold up a broadcaster, and how they are made not to.

use std::sync::mpsc::channel;
use std::thread;

use mainspring::{Engine, Receiver, TryRecvError, TrySendError};

use crate::support::{to_the_end, until_kicked_since};
use crate::{by_hand, engine_and_group, numbered, parts, take};

/// Goal: a sender that sleeps because one member has not read goes on when that is removed, or goes. Method: a lane of
/// two, a member that reads and one that does not; when the sender has kicked, as one who goes to sleep does, the
/// other is removed, or dropped, or leaves and reads on.
#[test]
fn a_sender_that_sleeps_on_a_full_lane_goes_on() {
    type Way = fn(Receiver<u64>, &crate::Group<u64>);
    const WAYS: [Way; 3] = [
        |stuck, group| assert!(group.remove(&stuck.address())),
        |stuck, _| drop(stuck),
        |mut stuck, group| {
            assert!(group.leave(&stuck.address()));
            assert!(stuck.read_all() <= 8);
        },
    ];
    for way in WAYS {
        to_the_end(move || {
            let (engine, group) = engine_and_group::<u64>(2);
            let (mut reads, stuck) = (group.subscribe(), group.subscribe());
            let mut all = group.broadcaster();
            all.send_stamped(0).unwrap();
            all.send_stamped(1).unwrap();
            reads.recv_batch(2, |_, _| ()).unwrap();
            let before = parts::kicks(&engine);
            let sender = thread::spawn(move || all.send_batch(2..8).unwrap());
            until_kicked_since(&engine, before);
            way(stuck, &group);
            let mut got = Vec::new();
            while reads.recv_batch(8, |seq, value| got.push((seq.get(), value))).is_ok() {}
            assert_eq!(got, numbered(3, 2..8));
            assert_eq!(sender.join().unwrap(), 6);
        });
    }
}

trait ReadAll {
    /// Reads to the end; how many.
    fn read_all(&mut self) -> usize;
}

impl ReadAll for Receiver<u64> {
    fn read_all(&mut self) -> usize {
        let mut read = 0;
        while let Ok(count) = self.recv_batch_ref(3, |_, _| ()) {
            read += count;
        }
        read
    }
}

/// Goal: one who waits for a number that a full inbox delays has it when the member is removed, or goes. Method: a
/// member's inbox is filled by broadcasts of others.
#[test]
fn one_who_waits_for_a_number_at_a_full_inbox_goes_on() {
    for removed in [true, false] {
        to_the_end(move || {
            let engine = Engine::builder().inbox(1).build().unwrap();
            let group = engine.group();
            let (mut reads, stuck) = (group.subscribe(), group.subscribe());
            let mut all = group.broadcaster();
            let mut filled = 0;
            // Each in a pass of its own, until one finds no room.
            while all.is_numbered(&engine, filled) {
                take(&mut reads);
                filled += 1;
            }
            let before = parts::kicks(&engine);
            let sender = thread::spawn(move || all.send_stamped(u64::MAX).unwrap().get());
            until_kicked_since(&engine, before);
            if removed {
                assert!(group.remove(&stuck.address()));
            } else {
                drop(stuck);
            }
            assert_eq!(sender.join().unwrap(), filled + 2);
            assert_eq!(take(&mut reads), [(filled + 1, filled), (filled + 2, u64::MAX)]);
        });
    }
}

trait Numbered {
    /// Sends a value; whether a few passes number it.
    fn is_numbered(&mut self, engine: &Engine, value: u64) -> bool;
}

impl Numbered for mainspring::Broadcaster<u64> {
    fn is_numbered(&mut self, engine: &Engine, value: u64) -> bool {
        let before = engine.clock().now();
        self.send(value).unwrap();
        engine.run_until_idle();
        engine.clock().now() > before
    }
}

/// Goal: a member that is removed keeps the message that it holds, and its slot, until it has done with it; then the
/// sender goes on. Method: by hand, in a lane of two; then with a sender that sleeps.
#[test]
fn a_member_that_is_removed_keeps_what_it_holds() {
    let engine = by_hand(8, 2);
    let group = engine.group();
    let mut holder = group.subscribe();
    let mut all = group.broadcaster();
    assert_eq!(all.send_batch([1, 2]).unwrap(), 2);
    engine.run_until_idle();
    let address = holder.address();
    let held = holder.recv_ref().unwrap();
    assert!(group.remove(&address));
    engine.run_until_idle();
    assert_eq!(all.try_send(3), Err(TrySendError::Full(3)));
    assert_eq!((held.seq().get(), *held), (1, 1));
    drop(held);
    assert_eq!(all.try_send(3), Ok(()));
    engine.run_until_idle();
    assert_eq!(all.try_send(4), Ok(()));
    assert_eq!(holder.try_recv(), Err(TryRecvError::Closed));
    assert_eq!(holder.missed(), 1);

    to_the_end(|| {
        let (engine, group) = engine_and_group(1);
        let mut holder = group.subscribe();
        let mut all = group.broadcaster();
        all.send_stamped(1).unwrap();
        let address = holder.address();
        let held = holder.recv_ref().unwrap();
        let before = parts::kicks(&engine);
        let sender = thread::spawn(move || all.send_stamped(2).unwrap().get());
        until_kicked_since(&engine, before);
        assert!(group.remove(&address));
        assert_eq!(*held, 1);
        drop(held);
        assert_eq!(sender.join().unwrap(), 2);
        assert!(holder.recv().is_err());
    });
}

/// Goal: the same within a batch by reference: what it is lending it keeps, the rest it misses. Method: by hand, lanes
/// of four, whose quarter is one message, and of sixteen; the second call of `f` removes.
#[test]
fn a_member_that_is_removed_within_a_batch_misses_the_rest() {
    for (capacity, lent) in [(4, 2), (16, 4)] {
        let engine = by_hand(8, capacity);
        let group = engine.group();
        let mut member = group.subscribe();
        let mut all = group.broadcaster();
        assert_eq!(all.send_batch(0..capacity).unwrap(), capacity);
        engine.run_until_idle();
        let address = member.address();
        let mut got = Vec::new();
        let taken = member.try_recv_batch_ref(capacity, |seq, &value| {
            got.push((seq.get(), value));
            if value == 1 {
                assert!(group.remove(&address));
                engine.run_until_idle();
                // What it is lent now is not free, what it has given back is.
                let free = (0..capacity).take_while(|_| all.try_send(99).is_ok()).count();
                assert_eq!(free, 2 - 2_usize.min(lent - 1).max(1));
            }
        });
        assert_eq!(taken, Ok(lent));
        assert_eq!(got, numbered(1, 0..lent));
        assert_eq!(member.try_recv_batch_ref(9, |_, _| ()), Err(TryRecvError::Closed));
        assert_eq!(member.missed(), (capacity - lent) as u64);
    }
}

/// Goal: a member can be removed at every stage of its membership. Method: by hand: before the dispatcher has heard of
/// it, before anything was given to it, and after; twice; in any order with leaving.
#[test]
fn a_member_can_be_removed_at_any_time() {
    for stage in 0..4 {
        let engine = by_hand(8, 2);
        let group = engine.group();
        let mut all = group.broadcaster();
        engine.run_until_idle();
        let mut stays = group.subscribe();
        let mut member = group.subscribe();
        if stage >= 1 {
            engine.run_until_idle();
        }
        if stage >= 2 {
            all.send(0).unwrap();
        }
        if stage >= 3 {
            engine.run_until_idle();
        }
        assert!(group.remove(&member.address()));
        assert!(!group.remove(&member.address()));
        assert!(!group.leave(&member.address()));
        engine.run_until_idle();
        assert_eq!(member.try_recv(), Err(TryRecvError::Closed), "stage {stage}");
        assert_eq!(member.missed(), u64::from(stage == 3));
        take(&mut stays);
        for value in 0..10 {
            assert_eq!(all.try_send(value), Ok(()));
            engine.run_until_idle();
            assert_eq!(take(&mut stays).len(), 1);
        }
    }
}

/// Goal: what is missed is counted exactly, over all broadcasters, and reported. Method: by hand; of seven messages
/// three are read; what is numbered after the removal does not count.
#[test]
fn what_is_missed_is_counted() {
    let engine = by_hand(8, 16);
    let group = engine.group();
    let (tx, mut member) = engine.channel();
    group.join(&member.address()).unwrap();
    let (mut one, mut two) = (group.broadcaster(), group.broadcaster());
    one.send_batch(0..5).unwrap();
    engine.run_until_idle();
    two.send_batch(5..7).unwrap();
    engine.run_until_idle();
    for value in 0..3 {
        assert_eq!(member.try_recv().unwrap(), (value + 1, value).into_seq());
    }
    assert!(group.remove(&member.address()));
    one.send(7).unwrap();
    engine.run_until_idle();
    assert_eq!(member.try_recv(), Err(TryRecvError::Empty));
    assert_eq!(member.missed(), 4);
    let stats = &engine.stats().receivers[0];
    assert_eq!((stats.received, stats.missed, stats.depth, stats.lag), (3, 4, 0, 0));
    // Again a member, and removed again.
    group.join(&member.address()).unwrap();
    engine.run_until_idle();
    two.send_batch([8, 9]).unwrap();
    engine.run_until_idle();
    assert_eq!(member.try_recv().unwrap(), (9, 8).into_seq());
    assert!(group.remove(&member.address()));
    assert_eq!(member.try_recv(), Err(TryRecvError::Empty));
    assert_eq!(member.missed(), 5);
    drop(tx);
    engine.run_until_idle();
    assert_eq!(member.try_recv(), Err(TryRecvError::Closed));
}

trait IntoSeq {
    /// With its number as the engine gives it.
    fn into_seq(self) -> (mainspring::Seq, u64);
}

impl IntoSeq for (u64, u64) {
    fn into_seq(self) -> (mainspring::Seq, u64) {
        (self.0.into(), self.1)
    }
}

/// Goal: a removed member goes on with its other sources, in order. Method: by hand, unicast before, between and after,
/// and a second group.
#[test]
fn a_removed_member_goes_on_with_its_other_sources() {
    let engine = by_hand(16, 8);
    let (group, other) = (engine.group(), engine.group());
    let (mut tx, mut member) = engine.channel();
    group.join(&member.address()).unwrap();
    other.join(&member.address()).unwrap();
    let (mut all, mut others) = (group.broadcaster(), other.broadcaster());
    for (value, numbered) in [(1, 1), (4, 4), (7, 7)] {
        tx.send(value).unwrap();
        engine.run_until_idle();
        all.send(value + 1).unwrap();
        engine.run_until_idle();
        others.send(value + 2).unwrap();
        engine.run_until_idle();
        assert_eq!(engine.clock().now().get(), numbered + 2);
    }
    assert_eq!(member.try_recv().unwrap().1, 1);
    assert!(group.remove(&member.address()));
    assert_eq!(take(&mut member), [(3, 3), (4, 4), (6, 6), (7, 7), (9, 9)]);
    assert_eq!(member.missed(), 3);
    tx.send(10).unwrap();
    engine.run_until_idle();
    assert_eq!(take(&mut member), [(10, 10)]);
}

/// Goal: whoever is named by `slowest` can be removed, again and again, until nobody holds up the broadcaster. Method:
/// five members, of which one reads; a thread removes whom the broadcaster names when it is full.
#[test]
fn the_slowest_can_be_removed_until_all_goes_on() {
    to_the_end(|| {
        let (_engine, group) = engine_and_group::<u64>(4);
        let stuck: Vec<_> = (0..4).map(|_| group.subscribe()).collect();
        let (ready, wait) = channel();
        let mut reads = group.subscribe();
        let mut all = group.broadcaster();
        let reader = thread::spawn(move || {
            wait.recv().unwrap();
            reads.messages().map(|(seq, value)| (seq.get(), value)).collect::<Vec<_>>()
        });
        let mut removed = 0;
        ready.send(()).unwrap();
        for value in 0..1000 {
            let mut value = Some(value);
            while let Some(next) = value.take() {
                if let Err(TrySendError::Full(back)) = all.try_send(next) {
                    value = Some(back);
                    let slowest = all.slowest().expect("one holds it up");
                    assert!(slowest.behind <= 4);
                    if stuck.iter().any(|stuck| stuck.address() == slowest.member) {
                        assert_eq!(slowest.behind, 4);
                        removed += usize::from(group.remove(&slowest.member));
                    } else {
                        thread::yield_now();
                    }
                }
            }
        }
        drop(all);
        assert_eq!(removed, 4);
        assert_eq!(reader.join().unwrap(), numbered(1, 0..1000));
        for mut stuck in stuck {
            assert!(stuck.recv().is_err());
            assert!(stuck.missed() <= 4);
        }
    });
}
