//! A follower delivers in the order given elsewhere, holds back what is not complete, and takes no number twice.

#![cfg(not(loom))]

#[path = "support/mod.rs"]
mod support;

#[path = "follower/chain.rs"]
mod chain;
#[path = "follower/drops.rs"]
mod drops;
#[path = "follower/model.rs"]
mod model;

use std::thread;
use std::time::Duration;

use mainspring::{
    AddressError, AdvanceError, Drive, Engine, Event, Follower, ForwardReason, Forwarder, Receiver,
    RecvError, Seq, TryForwardError, TryRecvError,
};
use support::to_the_end;

fn seq(number: u64) -> Seq {
    Seq::new(number)
}

/// One who passes by hand, with lanes and inboxes this large.
fn by_hand(capacity: usize, inbox: usize) -> Follower {
    let drive = Drive::manual(|| {});
    Follower::builder().capacity(capacity).inbox(inbox).drive(drive).build().unwrap()
}

/// What is there now: messages as `Some`, clocks as `None`.
fn told(rx: &mut Receiver<u64>) -> Vec<(u64, Option<u64>)> {
    let mut told = Vec::new();
    while let Ok(event) = rx.try_recv_event() {
        told.push(match event {
            Event::Message(seq, value) => (seq.get(), Some(value)),
            Event::Clock(seq) => (seq.get(), None),
            event => panic!("what is {event:?}"),
        });
    }
    told
}

/// Forwards the number itself.
fn forward(forwarder: &mut Forwarder<u64>, number: u64) {
    forwarder.forward(seq(number), number).unwrap();
}

#[track_caller]
fn assert_refused(forwarder: &mut Forwarder<u64>, number: u64, reason: ForwardReason) {
    let before = forwarder.passed();
    let error = forwarder.forward(seq(number), 77).unwrap_err();
    assert_eq!((error.seq, error.reason, error.value), (seq(number), reason, 77));
    let error = forwarder.try_forward(seq(number), 78).unwrap_err();
    assert_eq!((error.reason(), error.into_inner()), (Some(reason), 78));
    let error = forwarder.forward_timeout(seq(number), 79, Duration::ZERO).unwrap_err();
    assert_eq!((error.reason(), error.into_inner()), (Some(reason), 79));
    assert_eq!(forwarder.passed(), before);
}

// ── as clocked-dispatch has it ─────────────────────────────────────────────────────────────────────────────────────

/// Goal: a message waits for the other forwarder, whose progress without a message is enough.
#[test]
fn in_order_delivery() {
    let follower = Follower::new();
    let (mut tx1, mut rx) = follower.channel();
    let mut tx2 = tx1.clone();
    tx1.forward(seq(1), "a1").unwrap();
    assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
    tx2.advance(seq(1)).unwrap();
    assert_eq!(rx.recv(), Ok((seq(1), "a1")));
}

/// Goal: a receiver that has gone holds back nobody, though its forwarder is there.
#[test]
fn can_forward_after_recv_drop() {
    let follower = Follower::builder().capacity(1).inbox(1).build().unwrap();
    let (tx_a, rx_a) = follower.channel::<u64>();
    let (mut tx_b, mut rx_b) = follower.channel();
    drop(rx_a);
    tx_b.forward(seq(1), 10).unwrap();
    assert_eq!(rx_b.recv(), Ok((seq(1), 10)));
    drop(tx_a);
}

/// Goal: what was held back is delivered when all have gone, and the other receiver is told the clock; then both close.
#[test]
fn forward_with_no_senders() {
    for first in ["a", "b"] {
        let follower = Follower::builder().capacity(1).inbox(1).build().unwrap();
        let (mut tx_a, mut rx_a) = follower.channel();
        let (tx_b, mut rx_b) = follower.channel::<u64>();
        tx_a.forward(seq(1), 1).unwrap();
        assert_eq!(rx_a.try_recv(), Err(TryRecvError::Empty));
        if first == "a" {
            drop(tx_a);
            assert_eq!(rx_a.try_recv(), Err(TryRecvError::Empty));
            drop(tx_b);
        } else {
            drop(tx_b);
            drop(tx_a);
        }
        assert_eq!(rx_a.recv_event(), Ok(Event::Message(seq(1), 1)));
        if first == "a" {
            assert_eq!(rx_b.recv_event(), Ok(Event::Clock(seq(1))));
        } else {
            // It closed before the clock moved, or after.
            assert!(matches!(rx_b.recv_event(), Ok(Event::Clock(_)) | Err(_)));
        }
        assert_eq!(rx_a.recv_event(), Err(RecvError::Closed));
        assert_eq!(rx_b.recv_event(), Err(RecvError::Closed));
    }
}

/// Goal: the same numbers for two receivers, from two forwarders that end: each has them once, then closes.
#[test]
fn the_same_numbers_to_two_receivers_end_both() {
    let follower = Follower::builder().capacity(2).build().unwrap();
    let (mut to_a, mut a) = follower.channel();
    let (mut to_b, mut b) = follower.channel();
    for (number, text) in [(1, "a"), (2, "b")] {
        to_a.forward(seq(number), text).unwrap();
        to_b.forward(seq(number), text).unwrap();
    }
    drop((to_a, to_b));
    for rx in [&mut a, &mut b] {
        assert_eq!(rx.recv_event(), Ok(Event::Message(seq(1), "a")));
        assert_eq!(rx.recv_event(), Ok(Event::Message(seq(2), "b")));
        assert_eq!(rx.recv_event(), Err(RecvError::Closed));
    }
}

/// Goal: however two threads interleave, one order comes out.
#[test]
fn multisend_thread_interleaving() {
    to_the_end(|| {
        for _ in 0..300 {
            let follower = Follower::builder().capacity(4).build().unwrap();
            let (mut odd, mut rx) = follower.channel();
            let mut even = odd.clone();
            let odd = thread::spawn(move || [1, 3, 5].map(|number| forward(&mut odd, number)));
            let even = thread::spawn(move || [2, 4, 6].map(|number| forward(&mut even, number)));
            for number in 1..=6 {
                assert_eq!(rx.recv(), Ok((seq(number), number)));
            }
            assert_eq!(rx.recv(), Err(RecvError::Closed));
            odd.join().unwrap();
            even.join().unwrap();
        }
    });
}

// ── what is settled ────────────────────────────────────────────────────────────────────────────────────────────────

/// Goal: progress that is told long before the others have come as far counts when they have.
#[test]
fn progress_ahead_of_its_turn_counts() {
    let follower = by_hand(4, 4);
    let (mut a, mut rx) = follower.channel();
    let mut b = a.clone();
    b.advance(seq(100)).unwrap();
    b.advance(seq(50)).unwrap();
    follower.run_until_idle();
    assert_eq!(follower.clock().now(), seq(0));
    forward(&mut a, 7);
    follower.run_until_idle();
    assert_eq!(told(&mut rx), [(7, Some(7))]);
    a.advance(seq(99)).unwrap();
    follower.run_until_idle();
    assert_eq!(told(&mut rx), [(99, None)]);
    assert_eq!(follower.clock().now(), seq(99));
    forward(&mut a, 200);
    follower.run_until_idle();
    assert_eq!(told(&mut rx), [(100, None)]);
}

/// Goal: gaps need no filling, and a receiver that gets nothing is told of them. Method: numbers far apart, just near
/// enough for a mask, just not, and adjacent.
#[test]
fn gaps_are_settled_with_what_is_above() {
    let follower = by_hand(16, 16);
    let (mut tx, mut rx) = follower.channel();
    let mut other = follower.receiver::<u64>();
    let numbers = [3, 4, 5, 9, 60, 66, 67, 68, 200, 201, 1 << 40, u64::MAX - 1, u64::MAX];
    for number in numbers {
        forward(&mut tx, number);
    }
    follower.run_until_idle();
    let expected: Vec<_> = numbers.iter().map(|&number| (number, Some(number))).collect();
    assert_eq!(told(&mut rx), expected);
    assert_eq!(told(&mut other), [(u64::MAX, None)]);
}

/// Goal: the same number to two receivers: the clock comes to it when both have it. Method: one inbox is full.
#[test]
fn a_number_for_two_receivers_is_settled_when_both_have_it() {
    let follower = by_hand(8, 1);
    let (mut to_a, mut a) = follower.channel();
    let (mut to_b, mut b) = follower.channel();
    forward(&mut to_b, 1);
    forward(&mut to_a, 2);
    forward(&mut to_b, 2);
    follower.run_until_idle();
    assert_eq!(follower.clock().now(), seq(1));
    assert_eq!(a.try_recv(), Ok((seq(2), 2)));
    assert_eq!(told(&mut b), [(1, Some(1))]);
    follower.run_until_idle();
    assert_eq!(follower.clock().now(), seq(2));
    assert_eq!(told(&mut b), [(2, Some(2))]);
    // It was told the number with the message.
    assert_eq!(told(&mut a), []);
}

/// Goal: forwarders go cold, and are heard of all the same.
#[test]
fn silent_forwarders_hold_back_and_then_speak() {
    let follower = by_hand(8, 8);
    let (mut tx, mut rx) = follower.channel();
    let mut silent: Vec<_> = (0..40).map(|_| tx.clone()).collect();
    for _ in 0..300 {
        follower.run_until_idle();
        follower.pass();
    }
    forward(&mut tx, 1);
    follower.run_until_idle();
    assert_eq!(told(&mut rx), []);
    for forwarder in &mut silent[1..] {
        forwarder.advance(seq(3)).unwrap();
    }
    follower.run_until_idle();
    assert_eq!(told(&mut rx), []);
    forward(&mut silent[0], 2);
    follower.run_until_idle();
    assert_eq!(told(&mut rx), [(1, Some(1))]);
    drop(tx);
    follower.run_until_idle();
    assert_eq!(told(&mut rx), [(2, Some(2))]);
}

// ── what is refused ────────────────────────────────────────────────────────────────────────────────────────────────

#[test]
fn a_falling_number_comes_back() {
    let follower = by_hand(8, 8);
    let (mut tx, mut rx) = follower.channel();
    forward(&mut tx, 5);
    let falling = |last| ForwardReason::Falling { last: seq(last) };
    assert_refused(&mut tx, 5, falling(5));
    assert_refused(&mut tx, 4, falling(5));
    assert_refused(&mut tx, 0, falling(5));
    tx.advance(seq(9)).unwrap();
    assert_refused(&mut tx, 9, falling(9));
    forward(&mut tx, 10);
    // Falling or repeated progress is none, and no mistake.
    tx.advance(seq(3)).unwrap();
    tx.advance(seq(10)).unwrap();
    assert_eq!(tx.passed(), seq(10));
    follower.run_until_idle();
    assert_eq!(told(&mut rx), [(5, Some(5)), (10, Some(10))]);
}

#[test]
fn a_late_number_comes_back() {
    let follower = by_hand(8, 8);
    let (mut tx, mut rx) = follower.channel();
    assert_refused(&mut tx, 0, ForwardReason::Late { settled: seq(0) });
    forward(&mut tx, 5);
    let mut early = tx.clone();
    assert_eq!(early.passed(), seq(0));
    follower.run_until_idle();
    // It joined before 5 was settled.
    assert_eq!(told(&mut rx), []);
    forward(&mut early, 2);
    forward(&mut early, 7);
    follower.run_until_idle();
    assert_eq!(told(&mut rx), [(2, Some(2)), (5, Some(5))]);
    let mut late = follower.forwarder(&rx.address()).unwrap();
    assert_eq!(late.passed(), seq(5));
    assert_refused(&mut late, 5, ForwardReason::Late { settled: seq(5) });
    assert_refused(&mut late, 1, ForwardReason::Late { settled: seq(5) });
    forward(&mut late, 6);
    tx.advance(seq(10)).unwrap();
    early.advance(seq(10)).unwrap();
    follower.run_until_idle();
    assert_eq!(told(&mut rx), [(6, Some(6))]);
    late.advance(seq(10)).unwrap();
    follower.run_until_idle();
    assert_eq!(told(&mut rx), [(7, Some(7)), (10, None)]);
}

/// Goal: no number twice for one receiver, also when the other has ended or its ring is full; twice for two.
#[test]
fn a_number_that_another_has_forwarded_comes_back() {
    let follower = by_hand(4, 8);
    let (mut tx, mut rx) = follower.channel();
    let (mut elsewhere, mut other) = follower.channel();
    let mut second = tx.clone();
    for number in [2, 4, 6, 8] {
        forward(&mut tx, number);
    }
    assert_refused(&mut second, 2, ForwardReason::Duplicate);
    forward(&mut second, 3);
    assert_refused(&mut second, 6, ForwardReason::Duplicate);
    // Full as its lane is, that it is double is told first.
    assert_refused(&mut tx, 3, ForwardReason::Falling { last: seq(8) });
    drop(tx);
    follower.run_until_idle();
    assert_refused(&mut second, 8, ForwardReason::Duplicate);
    forward(&mut elsewhere, 8);
    forward(&mut second, 9);
    elsewhere.advance(seq(9)).unwrap();
    follower.run_until_idle();
    let expected = [2, 3, 4, 6, 8, 9].map(|number| (number, Some(number)));
    assert_eq!(told(&mut rx), expected);
    assert_eq!(told(&mut other), [(8, Some(8)), (9, None)]);
}

#[test]
fn a_closed_receiver_gives_the_value_back() {
    let follower = by_hand(2, 2);
    let (mut tx, rx) = follower.channel();
    let mut second = tx.clone();
    forward(&mut tx, 1);
    let address = rx.address();
    drop(rx);
    assert_eq!(tx.forward(seq(20), 20).unwrap_err().reason, ForwardReason::Closed);
    assert_eq!(tx.try_forward(seq(30), 30).unwrap_err().reason(), Some(ForwardReason::Closed));
    assert_eq!(second.advance(seq(9)), Err(AdvanceError));
    assert_eq!(second.forward(seq(30), 31).unwrap_err().into_inner(), 31);
    assert!(tx.is_closed() && second.is_closed());
    assert_eq!(follower.forwarder(&address).unwrap_err(), AddressError::Closed);
    let mut nowhere = tx.clone();
    assert_eq!(nowhere.forward(seq(40), 4).unwrap_err().reason, ForwardReason::Closed);
    assert_eq!(nowhere.advance(seq(9)), Err(AdvanceError));
    let engine = Engine::new();
    let foreign = engine.receiver::<u64>().address();
    assert_eq!(follower.forwarder(&foreign).unwrap_err(), AddressError::Foreign);
    let (_tx, own) = follower.channel::<u64>();
    assert_eq!(engine.sender(&own.address()).unwrap_err(), AddressError::Foreign);
}

// ── room, and leaving ──────────────────────────────────────────────────────────────────────────────────────────────

/// Goal: a forwarder whose lane is full is told, and goes on when what it forwarded has been read.
#[test]
fn a_full_lane_waits_for_the_others() {
    let follower = by_hand(2, 8);
    let (mut tx, mut rx) = follower.channel();
    let mut other = tx.clone();
    forward(&mut tx, 1);
    forward(&mut tx, 2);
    assert_eq!(tx.try_forward(seq(3), 3), Err(TryForwardError::Full(3)));
    assert!(tx.forward_timeout(seq(3), 3, Duration::ZERO).unwrap_err().is_timeout());
    assert_eq!(tx.passed(), seq(2));
    other.advance(seq(1)).unwrap();
    follower.run_until_idle();
    assert_eq!(tx.try_forward(seq(3), 3), Err(TryForwardError::Full(3)));
    assert_eq!(told(&mut rx), [(1, Some(1))]);
    tx.try_forward(seq(3), 3).unwrap();
}

/// Goal: the same with threads that sleep, in lanes of one.
#[test]
fn a_full_forwarder_sleeps_until_there_is_room() {
    to_the_end(|| {
        let follower = Follower::builder().capacity(1).inbox(1).build().unwrap();
        let (mut a, mut rx) = follower.channel();
        let mut b = a.clone();
        let a = thread::spawn(move || (1..=200).for_each(|number| forward(&mut a, 2 * number)));
        let b = thread::spawn(move || (1..=200).for_each(|number| forward(&mut b, 2 * number - 1)));
        for number in 1..=400 {
            assert_eq!(rx.recv(), Ok((seq(number), number)));
        }
        a.join().unwrap();
        b.join().unwrap();
    });
}

/// Goal: a full inbox stops everything above, and nothing below; it goes on when there is room.
#[test]
fn a_full_inbox_stops_the_merge() {
    let follower = by_hand(8, 1);
    let (mut to_a, mut a) = follower.channel();
    let (mut to_b, mut b) = follower.channel();
    forward(&mut to_a, 1);
    forward(&mut to_b, 2);
    forward(&mut to_a, 3);
    forward(&mut to_b, 4);
    follower.run_until_idle();
    assert_eq!(follower.clock().now(), seq(2));
    assert_eq!(b.try_recv(), Ok((seq(2), 2)));
    follower.run_until_idle();
    assert_eq!(told(&mut b), []);
    let stats = follower.stats();
    assert_eq!(stats.receivers[0].lanes[0].held_up, Some(mainspring::HeldUp::InboxFull));
    assert_eq!(told(&mut a), [(1, Some(1)), (2, None)]);
    follower.run_until_idle();
    assert_eq!(follower.stats().receivers[0].lanes[0].held_up, None);
    // Whoever has forwarded 3 last may yet forward 4 to somebody else.
    assert_eq!(told(&mut a), [(3, Some(3))]);
    assert_eq!(told(&mut b), [(3, None)]);
    drop(to_a);
    follower.run_until_idle();
    assert_eq!(told(&mut b), [(4, Some(4))]);
}

/// Goal: ended forwarders never wait for room, keep the order between each other, and wait for those that live.
#[test]
fn ended_forwarders_go_past_a_full_inbox() {
    let follower = by_hand(8, 1);
    let (mut live, mut rx) = follower.channel();
    let (mut elsewhere, mut other) = follower.channel();
    let (mut odd, mut even) = (live.clone(), live.clone());
    for number in [3, 7, 90, 200] {
        forward(&mut odd, number);
    }
    for number in [1, 4, 8, 10, 300] {
        forward(&mut even, number);
    }
    forward(&mut elsewhere, 11);
    drop((odd, even));
    live.advance(seq(8)).unwrap();
    follower.run_until_idle();
    assert_eq!(follower.clock().now(), seq(8));
    assert_eq!(told(&mut other), [(8, None)]);
    // With the rest in the overflow list, more of them comes.
    elsewhere.advance(seq(100)).unwrap();
    live.advance(seq(95)).unwrap();
    follower.run_until_idle();
    assert_eq!(told(&mut other), [(11, Some(11)), (95, None)]);
    let expected = [1, 3, 4, 7, 8, 10, 90].map(|number| (number, Some(number)));
    assert_eq!(rx.try_recv(), Ok((seq(1), 1)));
    forward(&mut live, 96);
    live.advance(seq(250)).unwrap();
    elsewhere.advance(seq(400)).unwrap();
    follower.run_until_idle();
    let mut received = told(&mut rx);
    assert_eq!(received[..6], expected[1..]);
    follower.run_until_idle();
    received = told(&mut rx);
    assert_eq!(received, [(96, Some(96)), (200, Some(200)), (250, None)]);
    drop(live);
    follower.run_until_idle();
    assert_eq!(told(&mut rx), [(300, Some(300)), (400, None)]);
    assert_eq!(rx.try_recv_event(), Err(TryRecvError::Closed));
}

/// Goal: who leaves holds back nothing, be it asleep for room or silent; with threads.
#[test]
fn whoever_waits_hears_of_those_who_leave() {
    to_the_end(|| {
        for round in 0..100 {
            let follower = Follower::builder().capacity(1).build().unwrap();
            let (mut tx, mut rx) = follower.channel();
            let (silent, silent_rx) = follower.channel::<u64>();
            let forwarding = thread::spawn(move || {
                forward(&mut tx, 1);
                forward(&mut tx, 2);
            });
            let leaving = thread::spawn(move || {
                if round % 2 == 0 {
                    drop(silent);
                    return Some(silent_rx);
                }
                drop(silent_rx);
                assert!(silent.is_closed());
                None
            });
            assert_eq!(rx.recv(), Ok((seq(1), 1)));
            assert_eq!(rx.recv_event(), Ok(Event::Message(seq(2), 2)));
            forwarding.join().unwrap();
            drop(leaving.join().unwrap());
            assert_eq!(rx.recv(), Err(RecvError::Closed));
        }
    });
}

/// Goal: whoever waits for the clock hears of it, by messages and by progress alone.
#[test]
fn the_clock_can_be_waited_for() {
    to_the_end(|| {
        for _ in 0..100 {
            let follower = Follower::new();
            let (mut a, _rx) = follower.channel();
            let (mut b, _busy) = follower.channel::<u64>();
            let clock = follower.clock();
            let waiter = thread::spawn(move || clock.wait_for(seq(4)).unwrap());
            forward(&mut a, 2);
            b.advance(seq(3)).unwrap();
            b.advance(seq(9)).unwrap();
            a.advance(seq(4)).unwrap();
            assert_eq!(waiter.join().unwrap(), seq(4));
        }
    });
}
