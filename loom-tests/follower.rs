//! A follower: what waits for another forwarder is heard of, progress never overtakes what was forwarded before it, and
//! who joins is never settled past.

use loom::thread;
use mainspring::{Event, Follower, ForwardReason, Receiver, Seq};

use crate::harness::{Model, reach};

pub const MODELS: &[Model] = &[
    Model {
        name: "a_receiver_hears_of_the_other_forwarder",
        preemptions: 1,
        executions_min: 1000,
        reaches: &[],
        body: a_receiver_hears_of_the_other_forwarder,
    },
    Model {
        name: "progress_comes_after_what_was_forwarded",
        preemptions: 3,
        executions_min: 14,
        reaches: &["nothing came", "the message came", "the clock came with it"],
        body: progress_comes_after_what_was_forwarded,
    },
    Model {
        name: "a_joining_forwarder_is_not_settled_past",
        preemptions: 2,
        executions_min: 2000,
        reaches: &["joined before", "joined after"],
        body: a_joining_forwarder_is_not_settled_past,
    },
    Model {
        name: "two_cannot_forward_one_number",
        preemptions: 3,
        executions_min: 5,
        reaches: &["the first", "the second"],
        body: two_cannot_forward_one_number,
    },
    Model {
        name: "an_ended_forwarder_goes_past_the_ring_in_order",
        preemptions: 2,
        executions_min: 20_000,
        reaches: &[],
        body: an_ended_forwarder_goes_past_the_ring_in_order,
    },
    Model {
        name: "what_spills_later_comes_later",
        preemptions: 3,
        executions_min: 40_000,
        reaches: &[],
        body: what_spills_later_comes_later,
    },
];

fn follower(capacity: usize, inbox: usize) -> Follower {
    Follower::builder().capacity(capacity).inbox(inbox).build().unwrap()
}

fn seq(number: u64) -> Seq {
    Seq::new(number)
}

/// What there is now, in order: a number, and whether it is a message.
fn told(rx: &mut Receiver<u64>, told: &mut Vec<(u64, bool)>) {
    while let Ok(event) = rx.try_recv_event() {
        told.push(match event {
            Event::Message(seq, value) => {
                assert_eq!(seq.get(), value);
                (value, true)
            }
            Event::Clock(seq) => (seq.get(), false),
            _ => unreachable!(),
        });
    }
    assert!(told.is_sorted_by(|a, b| a.0 < b.0), "{told:?}");
}

/// The receiver may sleep before either; one forwards, the other only says that it has come as far. Both have been
/// heard once, so nobody wants to hear of them but this receiver.
fn a_receiver_hears_of_the_other_forwarder() {
    let follower = follower(1, 1);
    let (mut a, mut rx) = follower.channel::<u64>();
    let (mut b, busy) = follower.channel::<u64>();
    a.forward(seq(1), 1).unwrap();
    b.advance(seq(1)).unwrap();
    assert_eq!(rx.recv(), Ok((seq(1), 1)));
    let forwarding = thread::spawn(move || {
        a.forward(seq(2), 2).unwrap();
        a
    });
    let advancing = thread::spawn(move || {
        b.advance(seq(2)).unwrap();
        b
    });
    assert_eq!(rx.recv(), Ok((seq(2), 2)));
    let _ends = (forwarding.join().unwrap(), advancing.join().unwrap());
    drop((rx, busy));
}

/// One forwards 2 and advances to 4, the other has come to 3 already: the clock is never told without the message. Both
/// have been heard once, so that only the receiver passes.
fn progress_comes_after_what_was_forwarded() {
    let follower = follower(1, 1);
    let (mut a, mut rx) = follower.channel::<u64>();
    let (mut b, mut other) = follower.channel::<u64>();
    a.forward(seq(1), 1).unwrap();
    b.advance(seq(1)).unwrap();
    let mut of_rx = Vec::new();
    told(&mut rx, &mut of_rx);
    assert_eq!(of_rx, [(1, true)]);
    b.advance(seq(3)).unwrap();
    let forwarding = thread::spawn(move || {
        a.forward(seq(2), 2).unwrap();
        a.advance(seq(4)).unwrap();
        a
    });
    told(&mut rx, &mut of_rx);
    let _a = forwarding.join().unwrap();
    reach(match of_rx[1..] {
        [] => "nothing came",
        [(2, true)] => "the message came",
        _ => "the clock came with it",
    });
    follower.run_until_idle();
    told(&mut rx, &mut of_rx);
    assert_eq!(of_rx, [(1, true), (2, true), (3, false)]);
    let mut of_other = Vec::new();
    told(&mut other, &mut of_other);
    assert_eq!(of_other.last(), Some(&(3, false)));
}

/// A forwarder joins while passes settle what the first one forwards. Its floor is exact: what is above it can be
/// forwarded and arrives in order, what is not is refused.
fn a_joining_forwarder_is_not_settled_past() {
    let follower = follower(2, 2);
    let (mut first, mut rx) = follower.channel::<u64>();
    let address = rx.address();
    let joining = thread::spawn({
        let follower = follower.clone();
        move || {
            let mut second = follower.forwarder(&address).unwrap();
            let late = second.passed() == seq(2);
            reach(if late { "joined after" } else { "joined before" });
            match second.forward(seq(1), 1) {
                Ok(()) => assert!(!late),
                Err(error) => {
                    assert!(late);
                    assert_eq!(error.reason, ForwardReason::Late { settled: seq(2) });
                }
            }
            (second, !late)
        }
    });
    first.forward(seq(2), 2).unwrap();
    let mut events = Vec::new();
    told(&mut rx, &mut events);
    let (second, in_time) = joining.join().unwrap();
    drop((first, second));
    follower.run_until_idle();
    told(&mut rx, &mut events);
    let messages: Vec<u64> = events.iter().filter(|told| told.1).map(|told| told.0).collect();
    assert_eq!(messages, if in_time { vec![1, 2] } else { vec![2] });
}

/// Two forward the same number to one receiver: one of them is refused.
fn two_cannot_forward_one_number() {
    let follower = follower(1, 2);
    let (mut first, mut rx) = follower.channel::<u64>();
    let mut second = first.clone();
    let other = thread::spawn(move || {
        let result = second.forward(seq(1), 1);
        (second, result)
    });
    let result = first.forward(seq(1), 1);
    let (second, other) = other.join().unwrap();
    reach(if result.is_ok() { "the first" } else { "the second" });
    assert_eq!(result.is_ok(), other.is_err());
    let error = result.err().or(other.err()).unwrap();
    assert_eq!((error.value, error.reason), (1, ForwardReason::Duplicate));
    drop((first, second));
    follower.run_until_idle();
    let mut events = Vec::new();
    told(&mut rx, &mut events);
    assert_eq!(events, [(1, true)]);
}

/// Two forwarders end; an inbox of one entry. Their messages come in order, past the ring or through it.
fn an_ended_forwarder_goes_past_the_ring_in_order() {
    let follower = follower(2, 1);
    let (mut odd, mut rx) = follower.channel::<u64>();
    let mut even = odd.clone();
    for number in [1, 3] {
        odd.forward(seq(number), number).unwrap();
    }
    even.forward(seq(2), 2).unwrap();
    let ending = thread::spawn(move || drop((odd, even)));
    let mut events = Vec::new();
    told(&mut rx, &mut events);
    ending.join().unwrap();
    follower.run_until_idle();
    told(&mut rx, &mut events);
    let messages: Vec<u64> = events.iter().filter(|told| told.1).map(|told| told.0).collect();
    assert_eq!(messages, [1, 2, 3]);
}

/// An inbox of one entry, and runs past it. While the receiver takes them more come, past the ring or through it.
fn what_spills_later_comes_later() {
    let follower = follower(4, 1);
    let (mut odd, mut rx) = follower.channel::<u64>();
    let (mut even, mut live) = (odd.clone(), odd.clone());
    for number in 1..=5 {
        let forwarder = if number % 2 == 1 { &mut odd } else { &mut even };
        forwarder.forward(seq(number), number).unwrap();
    }
    drop((odd, even));
    live.advance(seq(3)).unwrap();
    follower.run_until_idle();
    assert_eq!(rx.try_recv(), Ok((seq(1), 1)));
    let passing = thread::spawn(move || {
        live.advance(seq(5)).unwrap();
        follower.pass();
        (follower, live)
    });
    let mut events = Vec::new();
    told(&mut rx, &mut events);
    let (follower, _live) = passing.join().unwrap();
    follower.run_until_idle();
    told(&mut rx, &mut events);
    let messages: Vec<u64> = events.iter().filter(|told| told.1).map(|told| told.0).collect();
    assert_eq!(messages, [2, 3, 4, 5]);
}
