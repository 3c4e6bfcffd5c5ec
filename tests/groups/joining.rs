//! Who is a member: from when, until when, of what; and what that means for what is sent.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread;

use mainspring::{Address, AddressError, Engine, Group, Receiver, StampedError, TrySendError};

use crate::support::{to_the_end, until_kicked_since};
use crate::{TryRecvError, by_hand, engine_and_group, numbered, parts, take};

/// Goal: who joins gets what is numbered from then on, sent before or not. Method: by hand, three messages: numbered
/// before it joins, sent before and numbered after, sent after.
#[test]
fn a_member_gets_what_is_numbered_after_it_has_joined() {
    let engine = by_hand(8, 8);
    let group = engine.group();
    let mut early = group.subscribe();
    let mut all = group.broadcaster();
    let (alone, mut joiner) = engine.channel();
    all.send(1).unwrap();
    engine.run_until_idle();
    all.send(2).unwrap();
    let mut late = group.subscribe();
    group.join(&joiner.address()).unwrap();
    assert_eq!(late.joined_at(), None);
    engine.run_until_idle();
    assert_eq!(late.joined_at().map(|seq| seq.get()), Some(1));
    all.send(3).unwrap();
    engine.run_until_idle();
    assert_eq!(take(&mut early), [(1, 1), (2, 2), (3, 3)]);
    assert_eq!(take(&mut late), [(2, 2), (3, 3)]);
    assert_eq!(take(&mut joiner), [(2, 2), (3, 3)]);
    drop(alone);
}

/// Goal: who leaves gets what was numbered before, and nothing that was not. Method: by hand, as above.
#[test]
fn one_who_leaves_gets_what_was_numbered_before() {
    let engine = by_hand(8, 8);
    let group = engine.group();
    let (mut leaver, mut stayer) = (group.subscribe(), group.subscribe());
    let mut all = group.broadcaster();
    all.send_batch([1, 2]).unwrap();
    engine.run_until_idle();
    all.send(3).unwrap();
    assert!(group.leave(&leaver.address()));
    assert!(!group.leave(&leaver.address()));
    assert_eq!(group.members(), [stayer.address()]);
    engine.run_until_idle();
    all.send(4).unwrap();
    engine.run_until_idle();
    assert_eq!(take(&mut leaver), [(1, 1), (2, 2)]);
    assert_eq!(leaver.try_recv(), Err(TryRecvError::Closed));
    assert_eq!(leaver.missed(), 0);
    assert_eq!(take(&mut stayer), numbered(1, 1..=4));
}

/// Whatever becomes of a thread, the others are told that it is over.
struct Over<'a>(&'a AtomicUsize);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

/// Goal: no gap after joining, none before leaving, whoever else comes and goes. Method: two broadcasters never stop;
/// nothing else is numbered, so a member gets each number from the one after `joined_at`. Guests subscribe, read, and
/// are sent away by another thread; then they read to the end, which has no gap among what one has sent.
#[test]
fn guests_miss_nothing_between_joining_and_leaving() {
    to_the_end(|| {
        let (_engine, group) = engine_and_group::<(usize, u64)>(16);
        let busy = AtomicUsize::new(3);
        thread::scope(|scope| {
            for author in 0..2 {
                let mut all = group.broadcaster();
                let busy = &busy;
                scope.spawn(move || {
                    let mut index = 0;
                    while busy.load(SeqCst) > 0 {
                        all.send((author, index)).unwrap();
                        index += 1;
                    }
                });
            }
            for guest in 0..3_u64 {
                let (group, busy) = (&group, &busy);
                scope.spawn(move || {
                    let _over = Over(busy);
                    for round in 0..60 {
                        stay(group, 1 + guest * 40 + round % 7);
                    }
                });
            }
        });
        assert!(group.is_empty());
    });
}

/// Subscribes, reads so many, is sent away, and reads to the end.
fn stay(group: &Group<(usize, u64)>, count: u64) {
    let mut rx = group.subscribe();
    let (mut told, mut indices) = (None, [None; 2]);
    let mut check = |number: u64, (author, index): (usize, u64)| {
        assert!(told.is_none_or(|told| number > told), "O4");
        let before = indices[author].replace(index);
        assert!(before.is_none_or(|before| index == before + 1), "a gap in {author}'s");
        told.replace(number)
    };
    for read in 0..count {
        let (number, value) = match read % 3 {
            0 => rx.recv_ref().map(|message| (message.seq(), *message)).unwrap(),
            _ => rx.recv().unwrap(),
        };
        let told = check(number.get(), value);
        let before = told.unwrap_or_else(|| rx.joined_at().unwrap().get());
        assert_eq!(number.get(), before + 1, "a gap");
    }
    thread::scope(|scope| {
        let address = rx.address();
        scope.spawn(move || assert!(group.leave(&address)));
        while let Ok((number, value)) = rx.recv() {
            check(number.get(), value);
        }
    });
    assert_eq!(rx.missed(), 0);
}

/// Goal: the same for a receiver with a sender of its own, that joins and leaves again and again: within a membership
/// the numbers have no gap. Method: the sender says when a membership begins and ends, by messages numbered
/// before the one and after the other.
#[test]
fn a_receiver_that_joins_again_has_a_gap_only_between() {
    to_the_end(|| {
        let (engine, group) = engine_and_group::<u64>(8);
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            let mut all = group.broadcaster();
            let running = &over;
            scope.spawn(move || {
                let mut value = 0;
                while !running.load(SeqCst) {
                    value += 1;
                    all.send(value).unwrap();
                }
            });
            let (tx, mut rx) = engine.channel();
            for _ in 0..100 {
                group.join(&rx.address()).unwrap();
                group.join(&rx.address()).unwrap();
                let mut last = rx.recv().unwrap();
                for _ in 0..20 {
                    let next = rx.recv().unwrap();
                    assert_eq!((next.0.get(), next.1), (last.0.get() + 1, last.1 + 1));
                    last = next;
                }
                assert!(group.leave(&rx.address()));
                while !rx.is_empty() {
                    let Ok(next) = rx.try_recv() else { break };
                    assert!(next.0 > last.0 && next.1 > last.1);
                    last = next;
                }
            }
            over.store(true, SeqCst);
            drop((tx, rx));
        });
    });
}

/// Goal: with no member a broadcast is numbered and gone, and holds up nobody, whatever the lane holds. Method: a
/// thousand messages in lanes of 1, 2 and 64 in every way to send; then a member gets the next.
#[test]
fn to_an_empty_group_a_broadcast_is_numbered_and_gone() {
    to_the_end(|| {
        for capacity in [1, 2, 64] {
            let (engine, group) = engine_and_group(capacity);
            let mut all = group.broadcaster();
            assert_eq!(all.stamped(), Err(StampedError::NothingSent));
            assert!(all.slowest().is_none());
            for value in 0..500 {
                all.send(value).unwrap();
                assert_eq!(all.len(), 0);
                assert_eq!(all.try_send(value), Ok(()));
            }
            assert_eq!(all.send_batch(0..1000).unwrap(), 1000);
            assert_eq!(all.stamped().unwrap().get(), 2000);
            assert_eq!(engine.clock().now().get(), 2000);
            let mut rx = group.subscribe();
            engine.run_until_idle();
            assert_eq!(all.send_stamped(7).unwrap().get(), 2001);
            assert_eq!(take(&mut rx), [(2001, 7)]);
        }
    });
}

/// Goal: the same by hand: a full lane is full until a pass, no longer.
#[test]
fn a_lane_to_nobody_is_free_after_a_pass() {
    let engine = by_hand(1, 2);
    let group = engine.group();
    let mut all = group.broadcaster();
    for round in 0..10 {
        assert_eq!((all.try_send(1), all.try_send(2)), (Ok(()), Ok(())));
        assert_eq!(all.try_send(3), Err(TrySendError::Full(3)));
        engine.pass();
        assert_eq!(engine.clock().now().get(), 2 * (round + 1));
    }
}

/// Goal: one who sleeps since its lane to nobody is full is woken by the pass that numbers what is there. Method:
/// passes by hand, once it has gone to sleep.
#[test]
fn a_full_sender_to_nobody_hears_of_a_pass() {
    to_the_end(|| {
        let engine = by_hand(1, 1);
        let mut all = engine.group().broadcaster();
        engine.run_until_idle();
        for round in 1..=10 {
            all.send(round).unwrap();
            let kicks = parts::kicks(&engine);
            let sender = thread::spawn(move || {
                all.send(round).unwrap();
                all
            });
            until_kicked_since(&engine, kicks);
            engine.pass();
            all = sender.join().unwrap();
            engine.run_until_idle();
        }
    });
}

/// Goal: a receiver gets a broadcast once for each group that it is in, one number each. Method: two groups with one
/// member in common; the numbers of all are compared.
#[test]
fn a_receiver_can_be_in_several_groups() {
    let (engine, [left, right]) = {
        let engine = Engine::new();
        let groups = [engine.group(), engine.group()];
        (engine, groups)
    };
    let (mut only_left, mut only_right) = (left.subscribe(), right.subscribe());
    let mut both = left.subscribe();
    right.join(&both.address()).unwrap();
    right.join(&both.address()).unwrap();
    assert_eq!((left.len(), right.len()), (2, 2));
    let (mut to_left, mut to_right) = (left.broadcaster(), right.broadcaster());
    engine.run_until_idle();
    for value in 0..100 {
        if value % 3 == 0 { &mut to_left } else { &mut to_right }.send_stamped(value).unwrap();
    }
    assert_eq!(take(&mut both), numbered(1, 0..100));
    let is_left = |&(_, value): &(u64, i32)| value % 3 == 0;
    let (to_the_left, to_the_right): (Vec<_>, Vec<_>) =
        numbered(1, 0..100).into_iter().partition(is_left);
    assert_eq!((take(&mut only_left), take(&mut only_right)), (to_the_left, to_the_right));
    drop(to_left);
    assert_eq!(both.try_recv(), Err(TryRecvError::Empty));
    assert_eq!(only_left.try_recv(), Err(TryRecvError::Closed));
    drop(to_right);
    assert_eq!(both.try_recv(), Err(TryRecvError::Closed));
}

/// Goal: members are named in the order in which they joined, without those who have gone or closed.
#[test]
fn members_are_named_in_the_order_in_which_they_joined() {
    let engine = by_hand(4, 4);
    let group = engine.options::<u8>().name("quotes").group().unwrap();
    assert_eq!((group.name(), group.is_empty()), (Some("quotes"), true));
    let mut members: Vec<Receiver<u8>> = (0..5).map(|_| group.subscribe()).collect();
    let (tx, other) = engine.channel();
    group.join(&other.address()).unwrap();
    let addresses = |members: &[Receiver<u8>], others: &[&Receiver<u8>]| -> Vec<Address<u8>> {
        members.iter().chain(others.iter().copied()).map(Receiver::address).collect()
    };
    assert_eq!(group.clone().members(), addresses(&members, &[&other]));
    drop(members.remove(1));
    assert!(group.leave(&members.remove(2).address()));
    assert_eq!(group.members(), addresses(&members, &[&other]));
    drop(tx);
    engine.run_until_idle();
    assert!(other.is_closed());
    assert_eq!((group.members(), group.len()), (addresses(&members, &[]), 3));
    assert_eq!(group.join(&other.address()), Err(AddressError::Closed));
    let gone = other.address();
    drop(other);
    assert_eq!(group.join(&gone), Err(AddressError::Closed));
    assert!(!group.leave(&gone) && !group.remove(&gone));
    let foreign = Engine::new().receiver::<u8>();
    assert_eq!(group.join(&foreign.address()), Err(AddressError::Foreign));
    assert!(!group.leave(&foreign.address()) && !group.remove(&foreign.address()));
}

/// Goal: a group keeps nobody open and closes nobody; its broadcasters do. Method: by hand, step by step.
#[test]
fn a_member_closes_with_the_last_broadcaster_and_not_before_the_first() {
    let engine = by_hand(4, 4);
    let group = engine.group();
    let mut rx = group.subscribe();
    engine.run_until_idle();
    assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
    let first = group.broadcaster();
    let mut second = first.clone();
    drop(first);
    engine.run_until_idle();
    assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
    // The group outlives its handles.
    drop(group);
    second.send(1).unwrap();
    let again = second.group().broadcaster();
    drop(second);
    engine.run_until_idle();
    assert_eq!(take(&mut rx), [(1, 1)]);
    assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
    drop(again);
    engine.run_until_idle();
    assert_eq!(rx.try_recv(), Err(TryRecvError::Closed));
}

/// Goal: no broadcaster is lost on a member, however they come and go together. Method: threads clone broadcasters,
/// say one thing and drop them, while others subscribe and leave; who stays has it all.
#[test]
fn broadcasters_come_and_go() {
    const ROUNDS: u64 = 400;
    to_the_end(|| {
        let (engine, group) = engine_and_group(4);
        let mut stays = group.subscribe();
        let all = group.broadcaster();
        let counted = thread::scope(|scope| {
            for author in 0..2 {
                let mut all = all.clone();
                scope.spawn(move || {
                    for round in 0..ROUNDS {
                        let next = all.clone();
                        all.send(author * ROUNDS + round).unwrap();
                        all = next;
                    }
                });
            }
            let group = &group;
            scope.spawn(move || {
                for _ in 0..ROUNDS {
                    let mut guest = group.subscribe();
                    guest.try_recv().ok();
                    group.leave(&guest.address());
                }
            });
            drop(all);
            stays.messages().collect::<Vec<_>>()
        });
        let numbers: Vec<u64> = counted.iter().map(|(seq, _)| seq.get()).collect();
        assert_eq!(numbers, (1..=2 * ROUNDS).collect::<Vec<_>>());
        let mut values: Vec<u64> = counted.into_iter().map(|(_, value)| value).collect();
        values.sort_unstable();
        assert_eq!(values, (0..2 * ROUNDS).collect::<Vec<_>>());
        assert_eq!(engine.clock().now().get(), 2 * ROUNDS);
    });
}
