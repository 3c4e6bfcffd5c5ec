//! How channels begin and end: what clocked-dispatch 4.0 shows in its tests and examples about
//! sending and closing, and what this engine adds to that, written anew.

#![cfg(not(loom))]

mod support;

use std::sync::{Arc, Mutex};
use std::thread;

use mainspring::{
    Address, AddressError, Engine, Event, Outbox, Receiver, RecvError, Sender, Seq, StampedError,
    TryRecvError, parts,
};
use support::{Counted, Drops, to_the_end, until_kicked_since};

/// Goal: a receiver that goes neither blocks nor disturbs anyone. Method: three receivers, one goes
/// with messages unread, of which some have a number; the others get all that is theirs, and their
/// senders notice nothing.
#[test]
fn dropping_a_receiver_disturbs_nobody() {
    to_the_end(|| {
        let engine = Engine::builder().capacity(4).inbox(2).build().unwrap();
        let mut pairs: Vec<_> = (0..3).map(|_| engine.channel::<u32>()).collect();
        let (mut lost, goes) = pairs.remove(1);
        lost.send_stamped(0).unwrap();
        lost.send_batch([1, 2, 3]).unwrap();
        drop(goes);
        assert!(lost.is_closed());
        assert_eq!(lost.send(4).unwrap_err().value, 4);
        let mut received = Vec::new();
        for (tx, rx) in &mut pairs {
            for n in 0..20 {
                tx.send(n).unwrap();
                let (seq, value) = rx.recv().unwrap();
                assert_eq!(value, n);
                received.push(seq.get());
            }
        }
        let first = received[0];
        assert_eq!(received, (first..first + 40).collect::<Vec<_>>());
    });
}

/// Goal: dropping a receiver frees a sender that waits for room, and gives its value back. Method:
/// the sender is asleep when the receiver goes.
#[test]
fn dropping_a_receiver_frees_a_blocked_sender() {
    to_the_end(|| {
        let engine = Engine::builder().capacity(1).build().unwrap();
        let (mut tx, rx) = engine.channel();
        tx.send_stamped("fits").unwrap();
        let kicks = parts::kicks(&engine);
        let blocked = thread::spawn(move || tx.send("waits").unwrap_err().value);
        until_kicked_since(&engine, kicks);
        drop(rx);
        assert_eq!(blocked.join().unwrap(), "waits");
    });
}

/// Goal: the first number is the one after that with which the engine was told to start. Method: by
/// each way of sending; the clock stands there before, and no receiver is told of it.
#[test]
fn the_first_number_follows_the_start() {
    for start in [0, 1, 41, (1 << 63) - 1] {
        let engine = Engine::builder().start_after(Seq::new(start)).build().unwrap();
        let (mut tx, mut rx) = engine.channel();
        assert_eq!(engine.clock().now(), Seq::new(start));
        assert_eq!(rx.try_recv_event(), Err(TryRecvError::Empty));
        assert_eq!(rx.joined_at(), Some(Seq::new(start)));
        tx.send("first").unwrap();
        assert_eq!(rx.recv().unwrap(), (Seq::new(start + 1), "first"));
        assert_eq!(tx.send_stamped("second").unwrap(), Seq::new(start + 2));
        assert_eq!(engine.clock().read().seq, Seq::new(start + 2));
    }
}

/// Goal: a receiver that gets nothing is told how far the others have come. Method: messages go to
/// one of two receivers, by turns; each is told its messages and, between them, the clock of the
/// other's.
#[test]
fn a_receiver_gets_the_clock_of_messages_that_went_elsewhere() {
    let engine = Engine::new();
    let (mut to_one, mut one) = engine.channel();
    let (mut to_two, mut two) = engine.channel();
    for round in 0..100_u64 {
        let number = |n| Seq::new(5 * round + n);
        to_one.send(round).unwrap();
        assert_eq!(one.recv_event(), Ok(Event::Message(number(1), round)));
        to_two.send_batch([round; 3]).unwrap();
        assert_eq!(two.try_recv(), Ok((number(2), round)));
        // All three have their numbers, and none is for this one.
        assert_eq!(one.recv_event(), Ok(Event::Clock(number(4))));
        assert_eq!(one.caught_up_to(), number(4));
        assert_eq!(two.caught_up_to(), number(2));
        assert_eq!(two.recv_event(), Ok(Event::Message(number(3), round)));
        assert_eq!(two.recv_event(), Ok(Event::Message(number(4), round)));
        to_one.send_stamped(round).unwrap();
        assert_eq!(two.recv_event(), Ok(Event::Clock(number(5))));
        assert_eq!(two.try_recv_event(), Err(TryRecvError::Empty));
        assert_eq!(one.recv_event(), Ok(Event::Message(number(5), round)));
    }
}

/// Goal: what was sent before the end is received after it, by whichever call. Method: the senders
/// and the outbox end first; more was sent than the inbox holds.
#[test]
fn a_closed_receiver_still_yields_what_was_sent() {
    to_the_end(|| {
        for way in 0..4 {
            let engine = Engine::builder().inbox(2).build().unwrap();
            let (mut tx, mut rx) = engine.channel();
            let mut out = engine.outbox();
            let target = out.add(&rx.address()).unwrap();
            for n in 0..10 {
                tx.send(2 * n).unwrap();
                out.send(target, 2 * n + 1).unwrap();
            }
            drop((tx, out));
            let mut received = Vec::new();
            let mut take = |_, value| received.push(value);
            let mut closed = false;
            while !closed {
                closed = match way {
                    0 => rx.recv().map(|(seq, value)| take(seq, value)).is_err(),
                    1 => rx.try_recv().map(|(seq, value)| take(seq, value)).is_err(),
                    2 => rx.recv_batch(3, &mut take).is_err(),
                    _ => rx.try_recv_batch(3, &mut take).is_err(),
                };
            }
            assert!(rx.is_closed() && rx.is_empty());
            received.sort_unstable();
            assert_eq!(received, (0..20).collect::<Vec<_>>(), "way {way}");
        }
    });
}

/// Goal: a receiver is open before its first source, however long that takes and whatever else
/// ends. Method: sources of others come and go; then its own.
#[test]
fn a_receiver_never_closes_before_its_first_source() {
    let engine = Engine::new();
    let mut rx = engine.receiver::<u32>();
    for _ in 0..10 {
        let (mut elsewhere, other) = engine.channel();
        elsewhere.send_stamped(0).unwrap();
        drop((elsewhere, other, engine.outbox()));
        assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
        assert!(!rx.is_closed());
    }
    // An outbox is a source when it has added the receiver.
    let mut out = engine.outbox();
    let target = out.add(&rx.address()).unwrap();
    out.send(target, 7).unwrap();
    assert_eq!(rx.recv().unwrap().1, 7);
    assert!(out.remove(target));
    assert_eq!(rx.recv(), Err(RecvError::Closed));
}

/// Goal: closed is final, for receivers and for addresses. Method: whoever joins afterwards is
/// refused, by an engine and by an outbox; the same when the receiver is gone.
#[test]
fn closed_is_final() {
    fn assert_refused(engine: &Engine, out: &mut Outbox, address: &Address<u32>) {
        assert_eq!(engine.sender(address).unwrap_err(), AddressError::Closed);
        assert_eq!(out.add(address).unwrap_err(), AddressError::Closed);
    }
    let engine = Engine::new();
    let mut out = engine.outbox();
    let (tx, mut rx) = engine.channel();
    let address = rx.address();
    drop(tx);
    assert_eq!(rx.recv(), Err(RecvError::Closed));
    assert_refused(&engine, &mut out, &address);
    assert_eq!(rx.recv(), Err(RecvError::Closed));
    assert!(rx.is_closed());
    let rx = engine.receiver::<u32>();
    let address = rx.address();
    let target = out.add(&address).unwrap();
    drop(rx);
    assert_refused(&engine, &mut out, &address);
    assert_eq!(out.send(target, 1).unwrap_err().value, 1);
    assert_eq!(out.send_batch(target, [2, 3]).unwrap_err().returned[0], 2);
    let (mut tx, rx) = engine.channel();
    drop(rx);
    let mut clone = tx.clone();
    assert!(clone.is_closed() && tx.is_closed());
    assert!(
        clone.send(1).is_err() && tx.send(2).is_err() && tx.try_send(3).unwrap_err().is_closed()
    );
}

/// Goal: the end is told as at most one last clock, which covers what went elsewhere, and then
/// closed for ever. Method: another channel moves the clock before the end and all the time after
/// it.
#[test]
fn one_last_clock_and_then_closed_for_ever() {
    for moves_before in [true, false] {
        let engine = Engine::new();
        let (mut tx, mut rx) = engine.channel();
        let (mut elsewhere, _other) = engine.channel();
        tx.send("last").unwrap();
        assert_eq!(rx.recv().unwrap(), (Seq::new(1), "last"));
        if moves_before {
            elsewhere.send_stamped(0).unwrap();
        }
        drop(tx);
        if moves_before {
            assert_eq!(rx.recv_event(), Ok(Event::Clock(Seq::new(2))));
        }
        assert_eq!(rx.recv_event(), Err(RecvError::Closed));
        for _ in 0..3 {
            elsewhere.send_stamped(0).unwrap();
            assert_eq!(rx.recv_event(), Err(RecvError::Closed), "moves before: {moves_before}");
            assert_eq!(rx.try_recv_event(), Err(TryRecvError::Closed));
            assert_eq!(rx.try_recv(), Err(TryRecvError::Closed));
            assert_eq!(rx.try_recv_batch(1, |_, _| ()), Err(TryRecvError::Closed));
        }
    }
}

/// Goal: a receiver that closes while the clock keeps moving is told that it has closed, not clock
/// after clock. Method: the clock moves after each event; after the close there is one clock at
/// most.
#[test]
fn a_clock_that_moves_does_not_put_off_the_end() {
    let engine = Engine::new();
    let (tx, mut rx) = engine.channel::<u32>();
    let (mut elsewhere, _other) = engine.channel();
    drop(tx);
    assert!(rx.is_closed());
    elsewhere.send_stamped(0).unwrap();
    let first = rx.try_recv_event();
    assert!(matches!(first, Ok(Event::Clock(_)) | Err(TryRecvError::Closed)), "{first:?}");
    elsewhere.send_stamped(0).unwrap();
    assert_eq!(rx.try_recv_event(), Err(TryRecvError::Closed));
}

/// What is dropped in every order.
enum Part {
    Engine { _engine: Engine },
    Sender { _sender: Sender<Counted> },
    Receiver { _receiver: Box<Receiver<Counted>> },
    Outbox { _outbox: Outbox },
}

/// Goal: engine, senders, receivers and outboxes may go in any order with values queued; each value
/// is dropped once, at the latest with the last of them. Method: all 120 orders of five parts,
/// numbered or not.
#[test]
fn everything_may_be_dropped_in_every_order() {
    for order in 0..120 {
        for stamped in [false, true] {
            let (engine, drops) = (Engine::builder().inbox(1).build().unwrap(), Drops::default());
            let (mut tx, one) = engine.channel();
            let two = engine.receiver();
            let mut out = engine.outbox();
            let to = [&one, &two].map(|rx| out.add(&rx.address()).unwrap());
            for n in 0..6 {
                tx.send(drops.value()).unwrap();
                out.send(to[n % 2], drops.value()).unwrap();
            }
            if stamped {
                engine.run_until_idle();
            }
            let mut parts = vec![
                Part::Engine { _engine: engine },
                Part::Sender { _sender: tx },
                Part::Receiver { _receiver: Box::new(one) },
                Part::Receiver { _receiver: Box::new(two) },
                Part::Outbox { _outbox: out },
            ];
            let mut rest = order;
            while !parts.is_empty() {
                assert!(drops.count() <= 12);
                let next = rest % parts.len();
                rest /= parts.len();
                drop(parts.swap_remove(next));
            }
            assert_eq!(drops.count(), 12, "order {order}, stamped {stamped}");
        }
    }
}

/// Goal: a value sent while its receiver goes is dropped once, or comes back; by each way of
/// sending. Method: many rounds; the values are counted.
#[test]
fn a_send_races_with_its_receivers_drop() {
    to_the_end(|| {
        let engine = Engine::builder().capacity(4).build().unwrap();
        for round in 0..600 {
            let drops = Drops::default();
            let (mut tx, mut rx) = engine.channel();
            let mut out = engine.outbox();
            let target = out.add(&rx.address()).unwrap();
            let values = drops.clone();
            let author = thread::spawn(move || {
                let mut made = 0;
                let mut value = || {
                    made += 1;
                    values.value()
                };
                let returned = match round % 4 {
                    0 => loop {
                        if let Err(error) = tx.send(value()) {
                            break vec![error.value];
                        }
                    },
                    1 => loop {
                        if let Err(error) = tx.send_batch([value(), value(), value()]) {
                            break error.returned.into_iter().chain(error.rest).collect();
                        }
                    },
                    2 => loop {
                        if let Err(error) = out.send(target, value()) {
                            break vec![error.value];
                        }
                    },
                    _ => loop {
                        if let Err(error) = tx.send_stamped(value()) {
                            break vec![error.value];
                        }
                    },
                };
                (made, returned, tx, out)
            });
            for _ in 0..round % 7 {
                rx.recv().unwrap();
            }
            drop(rx);
            let (made, returned, tx, out) = author.join().unwrap();
            assert!(!returned.is_empty());
            // Not only when its sender ends. (A value that has got its number while it was held may
            // be left.)
            let dropped = drops.count() + usize::from(round % 4 == 3);
            assert!(dropped >= made - returned.len(), "round {round}: {dropped} of {made}");
            drop((tx, out));
            assert_eq!(drops.count(), made - returned.len(), "round {round}");
            drop(returned);
            assert_eq!(drops.count(), made);
        }
    });
}

/// When it is dropped, sends on the lane in which it lay.
enum Late {
    Sends(Arc<Mutex<Option<Sender<Self>>>>, Drops),
    Sent(#[expect(dead_code, reason = "dropped")] Counted),
}

impl Drop for Late {
    fn drop(&mut self) {
        if let Self::Sends(sender, drops) = self {
            let mut sender = sender.lock().unwrap();
            // The receiver is gone, but not yet done: it sees to this one, too.
            assert!(sender.as_mut().unwrap().send(Self::Sent(drops.value())).is_ok());
        }
    }
}

/// Goal: what is sent while the receiver drops what it left is dropped by it, at once, not with the
/// lane. Method: a value that sends on being dropped; its sender stays.
#[test]
fn a_leaving_receiver_drops_what_is_sent_while_it_drops() {
    let (drops, sender) = (Drops::default(), Arc::default());
    let (mut tx, rx) = Engine::new().channel();
    tx.send(Late::Sends(Arc::clone(&sender), drops.clone())).unwrap();
    *sender.lock().unwrap() = Some(tx);
    drop(rx);
    assert_eq!(drops.count(), 1);
    let tx = sender.lock().unwrap().take().unwrap();
    assert!(tx.is_closed());
}

/// Goal: whoever waits for room learns that there will be none. Method: a sender and an outbox
/// sleep on full lanes, inboxes full or not; the receiver goes.
#[test]
fn a_sender_on_a_full_lane_is_freed_by_its_receivers_drop() {
    for (round, inbox) in [64, 1].repeat(20).into_iter().enumerate() {
        to_the_end(move || {
            let engine = Engine::builder().capacity(2).inbox(inbox).build().unwrap();
            let (mut tx, rx) = engine.channel();
            let mut out = engine.outbox();
            let target = out.add(&rx.address()).unwrap();
            let kicks = parts::kicks(&engine);
            let blocked = thread::spawn(move || {
                (0..).find_map(|n| match round % 4 {
                    0 | 1 => tx.send(n).err().map(|error| error.value),
                    _ => out.send(target, n).err().map(|error| error.value),
                })
            });
            until_kicked_since(&engine, kicks + 1);
            drop(rx);
            assert!(blocked.join().unwrap().unwrap() <= 2);
        });
    }
}

/// Goal: whoever waits for a number while the receiver goes has the number or the value, and
/// `stamped` says which. Method: many rounds; what the receiver has seen bears the number that was
/// told.
#[test]
fn a_wait_for_a_number_while_the_receiver_drops() {
    to_the_end(|| {
        let engine = Engine::builder().inbox(2).build().unwrap();
        for round in 0..400_u64 {
            let (mut tx, mut rx) = engine.channel();
            let author = thread::spawn(move || {
                let mut numbers = Vec::new();
                for n in 0.. {
                    let stamped = if round % 2 == 0 {
                        tx.send_stamped(n).map_err(|error| assert_eq!(error.value, n)).ok()
                    } else {
                        let sent = tx.send(n);
                        let stamped = tx.stamped();
                        assert!(stamped.is_ok() || stamped == Err(StampedError::Closed));
                        stamped.ok().filter(|_| sent.is_ok())
                    };
                    let Some(number) = stamped else { break };
                    numbers.push(number);
                }
                numbers
            });
            let seen: Vec<Seq> = (0..round % 5).map(|_| rx.recv().unwrap().0).collect();
            drop(rx);
            let numbers = author.join().unwrap();
            assert_eq!(numbers[..seen.len()], seen);
        }
    });
}
