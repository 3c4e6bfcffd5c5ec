//! Groups of a follower: what is forwarded to a group reaches each member once, in the given order, whoever else
//! forwards.

#![cfg(not(loom))]

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread;

use mainspring::{
    Drive, Event, Follower, FollowerGroup, ForwardReason, Forwarder, Receiver, RecvError, Seq,
    TryForwardError,
};
use support::{Drops, to_the_end};

fn seq(number: u64) -> Seq {
    Seq::new(number)
}

fn by_hand(capacity: usize, inbox: usize) -> Follower {
    let drive = Drive::manual(|| {});
    Follower::builder().capacity(capacity).inbox(inbox).drive(drive).build().unwrap()
}

/// The numbers that are there now.
fn numbers(rx: &mut Receiver<u64>) -> Vec<u64> {
    std::iter::from_fn(|| rx.try_recv().ok()).map(|(seq, _)| seq.get()).collect()
}

#[test]
fn broadcast_dupe_termination() {
    let follower = Follower::builder().capacity(2).build().unwrap();
    let group = follower.group();
    let (mut a, mut b) = (group.subscribe(), group.subscribe());
    let mut all = group.forwarder();
    all.forward(seq(1), "a").unwrap();
    all.forward(seq(2), "b").unwrap();
    drop(all);
    for rx in [&mut a, &mut b] {
        assert_eq!(rx.recv_event(), Ok(Event::Message(seq(1), "a")));
        assert_eq!(rx.recv_event(), Ok(Event::Message(seq(2), "b")));
        assert_eq!(rx.recv_event(), Err(RecvError::Closed));
    }
}

#[test]
fn a_newcomer_gets_what_is_forwarded_after_it_has_joined() {
    let follower = by_hand(8, 8);
    let group = follower.group();
    let (mut held_back, _rx) = follower.channel::<u64>();
    let mut first = group.subscribe();
    let mut all = group.forwarder();
    for number in [1, 2] {
        all.forward(seq(number), number).unwrap();
    }
    // Nothing of it is settled yet; what was forwarded before is not for the newcomer all the same.
    let mut second = group.subscribe();
    for number in [3, 4] {
        all.forward(seq(number), number).unwrap();
    }
    follower.run_until_idle();
    assert!(numbers(&mut first).is_empty());
    held_back.advance(seq(9)).unwrap();
    follower.run_until_idle();
    assert_eq!(numbers(&mut first), [1, 2, 3, 4]);
    assert_eq!(numbers(&mut second), [3, 4]);
}

#[test]
fn a_member_has_each_number_once() {
    let follower = by_hand(8, 8);
    let (group, other) = (follower.group(), follower.group());
    let mut member = group.subscribe();
    other.join(&member.address()).unwrap();
    let mut all = group.forwarder();
    let mut others = other.forwarder();
    let mut alone = follower.forwarder(&member.address()).unwrap();
    let refused = |forwarder: &mut Forwarder<u64>, number| {
        let error = forwarder.forward(seq(number), 7).unwrap_err();
        assert_eq!(
            (error.seq, error.value, error.reason),
            (seq(number), 7, ForwardReason::Duplicate)
        );
    };
    all.forward(seq(1), 1).unwrap();
    refused(&mut alone, 1);
    refused(&mut others, 1);
    alone.forward(seq(2), 2).unwrap();
    refused(&mut all, 2);
    // For somebody else the number is free.
    let stranger = follower.receiver();
    follower.forwarder(&stranger.address()).unwrap().forward(seq(2), 2).unwrap();
    // And what was forwarded to the group before somebody joined is none of its numbers.
    let newcomer = group.subscribe();
    let mut to_newcomer = follower.forwarder(&newcomer.address()).unwrap();
    to_newcomer.forward(seq(1), 1).unwrap();
    drop((all, others, alone, to_newcomer));
    follower.run_until_idle();
    assert_eq!(numbers(&mut member), [1, 2]);
}

#[test]
fn one_who_leaves_gets_what_was_settled_before() {
    let follower = by_hand(8, 8);
    let group = follower.group();
    let (mut stays, mut leaves) = (group.subscribe(), group.subscribe());
    let mut all = group.forwarder();
    all.forward(seq(1), 1).unwrap();
    follower.run_until_idle();
    all.forward(seq(2), 2).unwrap();
    assert!(group.leave(&leaves.address()));
    all.forward(seq(3), 3).unwrap();
    follower.run_until_idle();
    assert_eq!(numbers(&mut leaves), [1]);
    assert!(leaves.is_closed());
    assert_eq!(numbers(&mut stays), [1, 2, 3]);
}

#[test]
fn a_member_that_does_not_read_is_removed() {
    to_the_end(|| {
        let follower = Follower::builder().capacity(2).build().unwrap();
        let group = follower.group();
        let (mut reads, mut stuck) = (group.subscribe(), group.subscribe());
        let mut all = group.forwarder();
        all.forward(seq(1), 1).unwrap();
        all.forward(seq(5), 5).unwrap();
        assert_eq!(reads.recv(), Ok((seq(1), 1)));
        assert_eq!(reads.recv(), Ok((seq(5), 5)));
        assert_eq!(all.try_forward(seq(6), 6), Err(TryForwardError::Full(6)));
        let forwarding = thread::spawn(move || all.forward(seq(6), 6).unwrap());
        assert!(group.remove(&stuck.address()));
        forwarding.join().unwrap();
        assert_eq!(reads.recv(), Ok((seq(6), 6)));
        assert_eq!(stuck.recv(), Err(RecvError::Closed));
        assert_eq!(stuck.missed(), 2);
    });
}

#[test]
fn a_full_inbox_of_a_member_stops_the_merge() {
    let follower = by_hand(16, 1);
    let group = follower.group();
    let (mut one, mut other) = (group.subscribe(), group.subscribe());
    let (mut all, mut more) = (group.forwarder(), group.forwarder());
    for number in 1..=6 {
        // In turn, so that each number is a run of its own.
        let (now, then) =
            if number % 2 == 0 { (&mut all, &mut more) } else { (&mut more, &mut all) };
        now.forward(seq(number), number).unwrap();
        then.advance(seq(number)).unwrap();
    }
    follower.run_until_idle();
    assert_eq!(follower.clock().now(), seq(2));
    assert_eq!(numbers(&mut one), [1, 2]);
    follower.run_until_idle();
    assert_eq!(follower.clock().now(), seq(2));
    assert_eq!(numbers(&mut other), [1, 2]);
    follower.run_until_idle();
    assert_eq!(follower.clock().now(), seq(4));
    // Those who have ended wait for nobody.
    drop((all, more));
    follower.run_until_idle();
    assert_eq!(follower.clock().now(), seq(6));
    assert_eq!(numbers(&mut one), [3, 4, 5, 6]);
    assert_eq!(numbers(&mut other), [3, 4, 5, 6]);
    assert!(one.is_closed() && other.is_closed());
}

#[test]
fn a_clone_forwards_to_the_same_group() {
    let follower = Follower::new();
    let group = follower.group();
    let mut member = group.subscribe();
    let mut first = group.forwarder();
    let mut second = first.clone();
    assert_eq!((first.address(), second.address()), (None, None));
    second.forward(seq(1), 1).unwrap();
    first.forward(seq(2), 2).unwrap();
    drop((first, second));
    assert_eq!(member.messages().map(|(_, value)| value).collect::<Vec<u64>>(), [1, 2]);
}

#[test]
fn to_an_empty_group_a_number_is_settled_and_gone() {
    let follower = Follower::builder().capacity(2).build().unwrap();
    let group = follower.group();
    let mut all = group.forwarder();
    for number in 1..100 {
        all.forward(seq(number), number).unwrap();
    }
    follower.run_until_idle();
    assert_eq!(follower.clock().now(), seq(99));
}

#[test]
fn every_value_to_a_group_is_dropped_once() {
    let drops = Drops::default();
    let follower = Follower::builder().capacity(4).build().unwrap();
    let group = follower.group();
    let (mut reads, stuck) = (group.subscribe(), group.subscribe());
    let mut all = group.forwarder();
    for number in 1..=4 {
        all.try_forward(seq(number), Arc::new(drops.value())).unwrap();
        reads.recv().unwrap();
    }
    drop(all.try_forward(seq(5), Arc::new(drops.value())));
    assert_eq!(drops.count(), 1);
    drop(stuck);
    all.forward(seq(6), Arc::new(drops.value())).unwrap();
    drop((all, reads, group, follower));
    assert_eq!(drops.count(), 6);
}

/// What is to happen in a random run, and what each receiver is to get.
struct World {
    follower: Follower,
    group: FollowerGroup<u64>,
    members: Vec<(Receiver<u64>, Vec<u64>)>,
    forwarders: Vec<(Forwarder<u64>, Option<usize>)>,
    random: u64,
}

impl World {
    fn random(&mut self, below: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % below
    }

    /// Forwards a number to all members, or to one.
    fn forward(&mut self, number: u64) {
        let at = self.random(self.forwarders.len() as u64) as usize;
        let (forwarder, to) = &mut self.forwarders[at];
        match forwarder.try_forward(seq(number), number) {
            Ok(()) => match to {
                Some(to) => self.members[*to].1.push(number),
                None => self.members.iter_mut().for_each(|(_, expected)| expected.push(number)),
            },
            Err(TryForwardError::Full(_)) => {}
            Err(error) => panic!("{error}"),
        }
        // The others come after it.
        for (other, (forwarder, _)) in self.forwarders.iter_mut().enumerate() {
            if other != at {
                forwarder.advance(seq(number)).unwrap();
            }
        }
    }

    fn subscribe(&mut self) {
        let member = self.group.subscribe();
        let alone = self.follower.forwarder(&member.address()).unwrap();
        self.forwarders.push((alone, Some(self.members.len())));
        self.members.push((member, Vec::new()));
    }

    fn read(&mut self) {
        let at = self.random(self.members.len() as u64) as usize;
        let many = self.random(4);
        for _ in 0..many {
            let (member, expected) = &mut self.members[at];
            let Ok((seq, value)) = member.try_recv() else { break };
            assert_eq!((seq.get(), value), (expected[0], expected[0]), "member {at}");
            expected.remove(0);
        }
    }
}

#[test]
fn at_random_everyone_gets_what_is_its_own() {
    for seed in 1..300 {
        let follower = by_hand(4, 2);
        let group = follower.group();
        let mut world = World {
            forwarders: vec![(group.forwarder(), None), (group.forwarder(), None)],
            follower,
            group,
            members: Vec::new(),
            random: seed * 0x9e37_79b9,
        };
        world.subscribe();
        for number in 1..200 {
            match world.random(8) {
                0 if world.members.len() < 4 => world.subscribe(),
                1 | 2 => world.follower.run_until_idle(),
                3 | 4 => world.read(),
                _ => world.forward(number),
            }
        }
        world.forwarders.clear();
        world.follower.run_until_idle();
        for (at, (member, expected)) in world.members.iter_mut().enumerate() {
            assert_eq!(numbers(member), *expected, "member {at}, seed {seed}");
            assert!(member.is_closed());
        }
    }
}

#[test]
fn two_threads_forward_to_one_group() {
    to_the_end(|| {
        let follower = Follower::builder().capacity(8).inbox(2).build().unwrap();
        let group = follower.group();
        let members: Vec<_> = (0..3).map(|_| group.subscribe()).collect();
        let forwarders = [group.forwarder(), group.forwarder()];
        let threads: Vec<_> = (forwarders.into_iter().enumerate())
            .map(|(at, mut forwarder)| {
                thread::spawn(move || {
                    for number in 1..=5_000_u64 {
                        if number % 2 == at as u64 {
                            forwarder.forward(seq(number), number).unwrap();
                        }
                    }
                })
            })
            .collect();
        let readers: Vec<_> = members
            .into_iter()
            .map(|mut member| {
                thread::spawn(move || {
                    let received: BTreeMap<_, _> = member.messages().collect();
                    assert_eq!(received.len(), 5_000);
                })
            })
            .collect();
        for thread in threads.into_iter().chain(readers) {
            thread.join().unwrap();
        }
    });
}
