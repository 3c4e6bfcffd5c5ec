//! Outboxes to groups: by key, by turn, and to all, in one order with everything else that the outbox sends.

#![cfg(not(loom))]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::thread;

use mainspring::{
    AddressError, Engine, Reason, Receiver, RecvError, Seq, StampedError, TrySendError,
};
use support::{Drops, to_the_end, until_kicked_since};

fn values<T: Send + 'static>(receiver: &mut Receiver<T>) -> Vec<T> {
    receiver.messages().map(|(_, value)| value).collect()
}

/// Which member has which key, of a thousand.
fn shares(members: &mut [Receiver<u64>], engine: &Engine) -> BTreeMap<u64, usize> {
    let group = engine.group();
    for member in members.iter() {
        group.join(&member.address()).unwrap();
    }
    let mut out = engine.outbox();
    let to = out.add_group(&group).unwrap();
    for key in 0..1000 {
        out.send_keyed(to, &key, key).unwrap();
    }
    drop(out);
    let received = members.iter_mut().enumerate();
    received.flat_map(|(at, rx)| values(rx).into_iter().map(move |key| (key, at))).collect()
}

#[test]
fn equal_keys_meet_and_the_shares_are_even() {
    let engine = Engine::new();
    let mut members: Vec<_> = (0..4).map(|_| engine.receiver()).collect();
    let shares = shares(&mut members, &engine);
    assert_eq!(shares.len(), 1000);
    for member in 0..4 {
        let share = shares.values().filter(|&&at| at == member).count();
        assert!((180..320).contains(&share), "{share} of 1000");
    }
}

#[test]
fn the_choice_by_key_is_the_same_in_each_run() {
    let engine = Engine::new();
    let mut members: Vec<_> = (0..4).map(|_| engine.receiver()).collect();
    let shares = shares(&mut members, &engine);
    let first: Vec<_> = (0..16).map(|key| shares[&key]).collect();
    assert_eq!(first, [0, 3, 3, 1, 2, 3, 2, 2, 0, 2, 0, 2, 3, 2, 2, 0]);
}

#[test]
fn when_a_member_leaves_only_its_keys_move() {
    let engine = Engine::new();
    let group = engine.group();
    let mut members: Vec<_> = (0..4).map(|_| group.subscribe()).collect();
    let mut out = engine.outbox();
    let to = out.add_group(&group).unwrap();
    let mut share = |members: &mut [Receiver<u64>]| {
        for key in 0..200 {
            out.send_keyed(to, &key, key).unwrap();
        }
        let mut had = BTreeMap::new();
        for (at, member) in members.iter_mut().enumerate() {
            while let Ok((_, key)) = member.try_recv() {
                had.insert(key, at);
            }
        }
        had
    };
    let before = share(&mut members);
    assert!(group.leave(&members[1].address()));
    let after = share(&mut members);
    for (key, at) in &before {
        if *at == 1 {
            assert_ne!(after[key], 1);
        } else {
            assert_eq!(after[key], *at, "key {key} moved");
        }
    }
    // And with a new one, keys move to that alone.
    members.push(group.subscribe());
    for (key, at) in share(&mut members) {
        assert!(at == 4 || at == after[&key], "key {key} moved");
    }
}

#[test]
fn members_take_turns() {
    let engine = Engine::new();
    let group = engine.group();
    let mut members: Vec<_> = (0..3).map(|_| group.subscribe()).collect();
    let mut out = engine.outbox();
    let to = out.add_group(&group).unwrap();
    for value in 0..9 {
        out.send_next(to, value).unwrap();
    }
    drop(out);
    for (at, member) in members.iter_mut().enumerate() {
        assert_eq!(values(member), [at, at + 3, at + 6]);
    }
}

#[test]
fn a_member_without_room_is_passed_over() {
    let engine = Engine::builder().capacity(2).build().unwrap();
    let group = engine.group();
    let (mut quick, mut stuck) = (group.subscribe(), group.subscribe());
    let mut out = engine.outbox();
    let to = out.add_group(&group).unwrap();
    for value in 0..20 {
        out.try_send_next(to, value).unwrap();
        quick.try_recv().ok();
        quick.try_recv().ok();
    }
    drop(out);
    assert_eq!(values(&mut stuck), [1, 3]);
}

#[test]
fn whoever_waits_for_a_turn_is_woken_by_the_first_that_has_room() {
    for reader in 0..3 {
        to_the_end(move || {
            let engine = Engine::builder().capacity(1).build().unwrap();
            let group = engine.group();
            let mut members: Vec<_> = (0..3).map(|_| group.subscribe()).collect();
            let mut out = engine.outbox();
            let to = out.add_group(&group).unwrap();
            for value in 0..3 {
                out.send_next(to, value).unwrap();
            }
            engine.run_until_idle();
            assert_eq!(out.try_send_next(to, 3), Err(TrySendError::Full(3)));
            let kicks = mainspring::parts::kicks(&engine);
            let author = thread::spawn(move || {
                out.send_next(to, 3).unwrap();
                out
            });
            until_kicked_since(&engine, kicks);
            assert_eq!(members[reader].recv().unwrap().1, reader);
            let out = author.join().unwrap();
            drop(out);
            assert_eq!(values(&mut members[reader]), [3]);
        });
    }
}

#[test]
fn everything_that_an_outbox_sends_is_in_one_order() {
    to_the_end(|| {
        let engine = Engine::builder().inbox(2).capacity(8).build().unwrap();
        let group = engine.group::<u64>();
        let members: Vec<_> = (0..3).map(|_| group.subscribe()).collect();
        let alone = engine.receiver();
        let mut out = engine.outbox();
        let to = out.add_group(&group).unwrap();
        let to_alone = out.add(&alone.address()).unwrap();
        let readers: Vec<_> = members
            .into_iter()
            .chain([alone])
            .map(|mut receiver| thread::spawn(move || receiver.messages().collect::<Vec<_>>()))
            .collect();
        for value in 0..5_000_u64 {
            match value % 5 {
                0 => out.send_all(to, value).unwrap(),
                1 => out.send_keyed(to, &value, value).unwrap(),
                2 => out.send_next(to, value).unwrap(),
                3 => out.send(to_alone, value).unwrap(),
                _ => out.send_all(to, value).unwrap(),
            }
        }
        drop(out);
        let received: Vec<Vec<(Seq, u64)>> =
            readers.into_iter().map(|reader| reader.join().unwrap()).collect();
        let mut all = BTreeSet::new();
        for received in &received {
            assert!(received.is_sorted_by(|one, next| one.0 < next.0));
            // Sent in the order of the values, with nothing else in the engine.
            assert!(received.iter().all(|&(seq, value)| seq.get() == value + 1));
            all.extend(received.iter().map(|&(_, value)| value));
        }
        assert_eq!(all.len(), 5_000);
        for received in &received[..3] {
            let to_all = received.iter().filter(|(_, value)| matches!(value % 5, 0 | 4)).count();
            assert_eq!(to_all, 2_000);
        }
    });
}

#[test]
fn what_an_ended_outbox_leaves_to_full_inboxes_is_received_in_order() {
    let engine = Engine::builder().inbox(1).capacity(64).build().unwrap();
    let group = engine.group::<u64>();
    let mut members: Vec<_> = (0..3).map(|_| group.subscribe()).collect();
    let mut alone = engine.receiver();
    let mut out = engine.outbox();
    let to = out.add_group(&group).unwrap();
    let to_alone = out.add(&alone.address()).unwrap();
    for value in 0..60 {
        match value % 4 {
            0 => out.send_all(to, value).unwrap(),
            1 => out.send(to_alone, value).unwrap(),
            2 => out.send_next(to, value).unwrap(),
            _ => out.send_keyed(to, &value, value).unwrap(),
        }
        if value == 30 {
            engine.run_until_idle();
        }
    }
    drop(out);
    engine.run_until_idle();
    let mut all = BTreeSet::new();
    for member in members.iter_mut().chain([&mut alone]) {
        let received: Vec<_> = member.messages().collect();
        assert!(received.iter().all(|&(seq, value)| seq.get() == value + 1), "{received:?}");
        all.extend(received.into_iter().map(|(_, value)| value));
    }
    assert_eq!(all.len(), 60);
}

#[test]
fn an_outbox_waits_for_the_numbers_of_what_it_has_sent() {
    to_the_end(|| {
        let engine = Engine::builder().inbox(1).build().unwrap();
        let group = engine.group();
        let mut member = group.subscribe();
        let mut alone = engine.receiver();
        let mut out = engine.outbox();
        let (to, to_alone) = (out.add_group(&group).unwrap(), out.add(&alone.address()).unwrap());
        assert_eq!(out.stamped(), Err(StampedError::NothingSent));
        let reader = thread::spawn(move || while alone.recv().is_ok() {});
        let mut count = 0;
        for value in 0..200 {
            out.send_all(to, value).unwrap();
            out.send(to_alone, value).unwrap();
            out.send_keyed(to, &value, value).unwrap();
            // Its inbox has no room for all of them.
            while member.try_recv().is_ok() {
                count += 1;
            }
            if value % 10 == 9 {
                let due = 2 * (value + 1) as usize - count;
                let reading = thread::spawn(move || {
                    for _ in 0..due {
                        member.recv().unwrap();
                    }
                    member
                });
                assert_eq!(out.stamped(), Ok(Seq::new(3 * (value + 1))));
                member = reading.join().unwrap();
                count += due;
            }
        }
        drop(out);
        count += values(&mut member).len();
        assert_eq!(count, 400);
        reader.join().unwrap();
    });
}

#[test]
fn an_outbox_is_a_source_of_the_members_from_the_beginning() {
    let engine = Engine::new();
    let group = engine.group::<u8>();
    let mut member = group.subscribe();
    let mut out = engine.outbox();
    out.add_group(&group).unwrap();
    drop(out);
    assert_eq!(member.recv(), Err(RecvError::Closed));
}

#[test]
fn a_group_without_members_gives_the_value_back_but_not_what_is_for_all() {
    let engine = Engine::new();
    let group = engine.group();
    let mut out = engine.outbox();
    let to = out.add_group(&group).unwrap();
    let error = out.send_keyed(to, "key", 1).unwrap_err();
    assert_eq!((error.value, error.reason), (1, Reason::NoMember));
    assert_eq!(out.send_next(to, 2).unwrap_err().reason, Reason::NoMember);
    assert_eq!(out.try_send_next(to, 3), Err(TrySendError::NoMember(3)));
    assert_eq!(out.try_send_keyed(to, &4, 4), Err(TrySendError::NoMember(4)));
    for value in 0..5_000 {
        out.send_all(to, value).unwrap();
    }
    engine.run_until_idle();
    assert_eq!(engine.clock().now().get(), 5_000);
}

#[test]
fn a_group_is_that_of_one_outbox_until_it_is_removed() {
    let engine = Engine::new();
    let group = engine.group();
    let mut member = group.subscribe();
    let (mut out, mut other) = (engine.outbox(), engine.outbox());
    let to = out.add_group(&group).unwrap();
    assert_eq!(other.send_next(to, 1).unwrap_err().reason, Reason::UnknownTarget);
    assert_eq!(other.try_send_all(to, 1), Err(TrySendError::UnknownTarget(1)));
    assert!(!other.remove_group(to));
    out.send_all(to, 2).unwrap();
    out.send_next(to, 3).unwrap();
    assert!(out.remove_group(to));
    assert!(!out.remove_group(to));
    assert_eq!(out.send_all(to, 4).unwrap_err().reason, Reason::UnknownTarget);
    // Nothing more comes, and that is known.
    assert_eq!(values(&mut member), [2, 3]);
    let foreign = Engine::new().group::<u8>();
    assert_eq!(out.add_group(&foreign), Err(AddressError::Foreign));
}

#[test]
fn a_receiver_that_has_gone_is_no_member_any_more() {
    to_the_end(|| {
        let engine = Engine::new();
        let group = engine.group();
        let mut members: Vec<_> = (0..3).map(|_| group.subscribe()).collect();
        let mut out = engine.outbox();
        let to = out.add_group(&group).unwrap();
        out.send_next(to, 0).unwrap();
        members.remove(0);
        members.remove(0);
        for value in 1..10 {
            out.send_keyed(to, &value, value).unwrap();
            out.send_next(to, value).unwrap();
        }
        assert_eq!(group.len(), 1);
        drop(out);
        assert_eq!(values(&mut members[0]).len(), 18);
    });
}

#[test]
fn every_value_to_a_group_is_dropped_once() {
    for reads in [true, false] {
        let drops = Drops::default();
        let engine = Engine::builder().inbox(1).capacity(4).build().unwrap();
        let group = engine.group();
        let mut members: Vec<_> = (0..3).map(|_| group.subscribe()).collect();
        let mut out = engine.outbox();
        let to = out.add_group(&group).unwrap();
        let mut sent = 0;
        for turn in 0..12 {
            let value = std::sync::Arc::new(drops.value());
            let result = match turn % 3 {
                0 => out.try_send_all(to, value),
                1 => out.try_send_next(to, value),
                _ => out.try_send_keyed(to, &turn, value),
            };
            sent += 1;
            drop(result);
        }
        if reads {
            drop(out);
            members.iter_mut().for_each(|member| drop(values(member)));
            drop(members);
        } else {
            drop((members, out));
        }
        engine.run_until_idle();
        assert_eq!(drops.count(), sent);
    }
}
