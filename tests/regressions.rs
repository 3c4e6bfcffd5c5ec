//! What earlier designs, and earlier states of this one, got wrong: each mistake by name, with
//! threads where it needs them and with passes by hand where the moment matters.

#![cfg(not(loom))]

mod support;

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;

use mainspring::{Drive, Engine, Reason, Receiver, RecvError, Sender, Seq, parts};
use support::{
    Counted, Drops, Letter, assert_whole, listen, to_the_end, until, until_kicked_since,
};

/// An engine that passes only by hand.
fn by_hand(inbox: usize, capacity: usize) -> Engine {
    let builder = Engine::builder().inbox(inbox).capacity(capacity);
    builder.drive(Drive::manual(|| {})).build().unwrap()
}

/// Goal: slots go back at once, not when many of them are free. Method: a lane of 1,024, a thread
/// that sends 1,025; the receiver takes one and joins the thread.
#[test]
fn a_receiver_takes_one_of_1025_and_joins_its_senders_thread() {
    to_the_end(|| {
        let (mut tx, mut rx) = Engine::builder().capacity(1024).build().unwrap().channel();
        let sender = thread::spawn(move || (0..1025).for_each(|n| tx.send(n).unwrap()));
        assert_eq!(rx.recv().unwrap(), (Seq::new(1), 0));
        sender.join().unwrap();
        assert_eq!(rx.messages().count(), 1024);
    });
}

/// Goal: so do the entries of an inbox that is full. Method: as above, where each message has a run
/// of its own.
#[test]
fn a_receiver_takes_one_of_1025_numbered_and_joins_its_senders_thread() {
    to_the_end(|| {
        let engine = Engine::builder().inbox(1024).capacity(2048).build().unwrap();
        let (mut tx, mut rx) = engine.channel();
        (0..1024).for_each(|n| assert_eq!(tx.send_stamped(n).unwrap().get(), n + 1));
        assert_eq!(rx.recv().unwrap(), (Seq::new(1), 0));
        let sender = thread::spawn(move || tx.send_stamped(1024).unwrap());
        assert_eq!(sender.join().unwrap(), Seq::new(1025));
        assert_eq!(rx.messages().count(), 1024);
    });
}

/// Goal: lanes that wait for room in one inbox are served in the order in which they came; a
/// rotating start served two of them 0 : 10,000. Method: by hand, one entry, four lanes of one
/// message that are always full: the order in which they are served repeats itself.
#[test]
fn a_full_inbox_serves_its_lanes_in_turn() {
    let engine = by_hand(1, 1);
    let (tx, mut rx) = engine.channel();
    let mut lanes = [tx.clone(), tx.clone(), tx.clone(), tx];
    let mut served = Vec::new();
    for _ in 0..400 {
        for (lane, tx) in lanes.iter_mut().enumerate() {
            // Nearly always it is full.
            tx.try_send(lane).ok();
        }
        engine.run_until_idle();
        served.push(rx.try_recv().unwrap().1);
    }
    let turns: Vec<&[usize]> = served.chunks(4).skip(1).collect();
    assert!(turns.iter().all(|turn| *turn == turns[0]), "{served:?}");
    assert!((0..4).all(|lane| turns[0].contains(&lane)), "{:?}", turns[0]);
}

/// Goal: a lane that ends never waits for room, so a stuck receiver does not delay what follows for
/// others; nothing of it is lost, and a lane that goes on is served after it. Method: an inbox of
/// one entry that nobody reads.
#[test]
fn a_lane_ends_into_a_full_inbox() {
    to_the_end(|| {
        let engine = Engine::new();
        let mut stuck = engine.options().inbox(1).receiver().unwrap();
        let mut goes_on = engine.sender(&stuck.address()).unwrap();
        let mut ends = goes_on.clone();
        goes_on.send_stamped(1).unwrap();
        goes_on.send(6).unwrap();
        ends.send_batch(2..=5).unwrap();
        drop(ends);
        let (mut other, mut receiver) = engine.channel();
        assert_eq!(other.send_stamped("moves on").unwrap(), Seq::new(6));
        assert_eq!(receiver.recv().unwrap(), (Seq::new(6), "moves on"));
        for number in 1..=5 {
            assert_eq!(stuck.recv().unwrap(), (Seq::new(number), number));
        }
        assert_eq!(stuck.recv().unwrap(), (Seq::new(7), 6));
        drop(goes_on);
        assert!(stuck.recv().is_err());
    });
}

/// Goal: what an ended outbox leaves before full inboxes has its place in the one order, also
/// beside targets that have gone, before the end was seen or after. Method: by hand; the numbers
/// are known one by one.
#[test]
fn an_outbox_ends_into_full_inboxes_of_several_targets() {
    for gone_before in [true, false] {
        let engine = by_hand(1, 64);
        let mut receivers: Vec<Receiver<u64>> = (0..4).map(|_| engine.receiver()).collect();
        let mut out = engine.outbox();
        let targets: Vec<_> = receivers.iter().map(|rx| out.add(&rx.address()).unwrap()).collect();
        let order = [0, 1, 2, 3, 3, 0, 2, 1, 1, 3, 0, 0, 2, 3, 1];
        for &to in order.iter().chain(&[0, 1, 2, 3]).rev() {
            // The last of these are the first: one for each inbox, which is full then.
            out.send(targets[to], 0).unwrap();
            if out.len() == 4 {
                engine.run_until_idle();
            }
        }
        let mut expected: [Vec<u64>; 4] = Default::default();
        let mut number = 0;
        for (sent, &to) in [3, 2, 1, 0].iter().chain(order.iter().rev()).enumerate() {
            if sent < 4 || to != 3 || !gone_before {
                number += 1;
                expected[to].push(number);
            }
        }
        let leaves = receivers.pop().unwrap();
        let leaves = if gone_before {
            drop(leaves);
            None
        } else {
            Some(leaves)
        };
        drop(out);
        engine.run_until_idle();
        drop(leaves);
        let (mut last, mut rest) = engine.channel();
        last.send(0).unwrap();
        engine.run_until_idle();
        assert_eq!(rest.try_recv().unwrap().0.get(), number + 1);
        for (rx, expected) in receivers.iter_mut().zip(&expected) {
            let numbers: Vec<_> = rx.messages().map(|(seq, _)| seq.get()).collect();
            assert_eq!(&numbers, expected, "gone before: {gone_before}");
        }
    }
}

/// Goal: a message that will never have a number holds up nothing, when nobody but the next sender
/// drives. Method: one thread; receivers go with a message under way, of a sender and of an outbox,
/// also before a full inbox.
#[test]
fn a_message_to_a_receiver_that_goes_leaves_the_clock_moving() {
    to_the_end(|| {
        let engine = Engine::builder().inbox(1).build().unwrap();
        let (mut tx, mut rx) = engine.channel();
        let mut out = engine.outbox();
        let stays = out.add(&rx.address()).unwrap();
        for round in 0..200 {
            let (mut lost, goes) = engine.channel();
            let target = out.add(&goes.address()).unwrap();
            (0..=round % 3).for_each(|_| lost.send(round).unwrap());
            (0..=round % 4).for_each(|_| out.send(target, round).unwrap());
            drop(goes);
            let before = engine.clock().now();
            assert!(tx.send_stamped(round).unwrap() > before);
            out.send(stays, round).unwrap();
            assert_eq!([rx.recv().unwrap().1, rx.recv().unwrap().1], [round; 2]);
            assert!(out.remove(target));
        }
    });
}

/// Sends when it is dropped.
struct Sends(Option<Sender<Self>>, Sender<u32>);

impl Drop for Sends {
    fn drop(&mut self) {
        if let Some(to) = &mut self.0 {
            // Its receiver is leaving: it comes back, or is left there.
            to.send(Self(None, self.1.clone())).ok();
        }
        self.1.send(1).unwrap();
    }
}

/// Goal: a destructor may use the engine: no lock is held and no core when one runs. Method: a
/// receiver goes with values in its lanes that send on being dropped, to another receiver and into
/// the one that leaves.
#[test]
fn a_values_drop_sends_into_the_same_engine() {
    to_the_end(|| {
        let engine = Engine::new();
        let (told, mut tell) = engine.channel();
        let (mut tx, rx) = engine.channel();
        let mut other = tx.clone();
        for _ in 0..3 {
            tx.send(Sends(Some(tx.clone()), told.clone())).unwrap();
            other.send(Sends(Some(other.clone()), told.clone())).unwrap();
        }
        other.stamped().unwrap();
        drop(rx);
        drop((tx, other, told));
        // Each of six, and what each of them has tried to send.
        assert_eq!(tell.messages().count(), 6 * 2);
    });
}

/// Goal: whoever sleeps is woken where it sleeps now, not where it has slept. Method: one receiver
/// goes from thread to thread, and sleeps in each.
#[test]
fn a_receiver_moves_to_another_thread_after_it_slept() {
    to_the_end(|| {
        let engine = Engine::new();
        let (mut tx, mut rx) = engine.channel();
        for round in 0..50 {
            let kicks = parts::kicks(&engine);
            let sleeper = thread::spawn(move || (rx.recv().unwrap().1, rx));
            until_kicked_since(&engine, kicks);
            tx.send(round).unwrap();
            let received;
            (received, rx) = sleeper.join().unwrap();
            assert_eq!(received, round);
        }
    });
}

/// Owns a lane of the other.
struct Holds<T: Send + 'static>(#[expect(dead_code, reason = "dropped")] (Counted, Sender<T>));
struct Ping(#[expect(dead_code, reason = "dropped")] Holds<Pong>);
struct Pong(#[expect(dead_code, reason = "dropped")] Holds<Ping>);

/// Goal: values in two lanes that own each other's lanes are freed when both receivers are gone.
/// Method: they are counted.
#[test]
fn queued_values_hold_each_others_senders() {
    for stamped in [false, true] {
        let (engine, drops) = (Engine::new(), Drops::default());
        let (mut ping, pings) = engine.channel();
        let (mut pong, pongs) = engine.channel();
        for _ in 0..5 {
            ping.send(Ping(Holds((drops.value(), pong.clone())))).unwrap();
            pong.send(Pong(Holds((drops.value(), ping.clone())))).unwrap();
        }
        if stamped {
            ping.stamped().unwrap();
            pong.stamped().unwrap();
        }
        drop((ping, pong));
        assert_eq!(drops.count(), 0);
        drop(pings);
        drop(pongs);
        assert_eq!(drops.count(), 10);
    }
}

/// Goal: a receiver whose last source ends while a clone of it joins does not close before the
/// clone. Method: many rounds, in each a chain of threads: clone, end, send, clone.
#[test]
fn a_clone_joins_while_the_original_ends() {
    fn hand_on(mut tx: Sender<u32>, rest: u32) {
        let clone = tx.clone();
        if rest > 0 {
            thread::spawn(move || hand_on(clone, rest - 1));
        }
        if rest.is_multiple_of(2) {
            tx.send(rest).unwrap();
        }
    }
    to_the_end(|| {
        let engine = Engine::builder().inbox(2).build().unwrap();
        for _ in 0..300 {
            let (tx, mut rx) = engine.channel();
            hand_on(tx, 8);
            let mut received: Vec<_> = rx.messages().map(|(_, rest)| rest).collect();
            received.sort_unstable();
            assert_eq!(received, [0, 2, 4, 6, 8]);
        }
    });
}

/// Goal: as above, at the one moment that matters: a pass that finds the last source ended does not
/// know the clone yet. Method: idle lanes make passes long; that a newcomer has joined says that
/// one has just read who is there.
#[test]
fn a_clone_joins_while_a_pass_finds_the_original_ended() {
    to_the_end(|| {
        let engine = by_hand(2, 4);
        let idle = engine.receiver::<u32>();
        let lanes: Vec<_> = (0..3000).map(|_| engine.sender(&idle.address()).unwrap()).collect();
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                until(|| {
                    engine.pass();
                    over.load(Relaxed)
                });
            });
            let mut received = Vec::new();
            for round in 0..100 {
                let (mut tx, mut rx) = engine.channel();
                tx.send(round).unwrap();
                let newcomer = engine.receiver::<()>();
                until(|| newcomer.joined_at().is_some());
                let mut clone = tx.clone();
                drop(tx);
                received.push(rx.recv());
                let sent = clone.send(round);
                drop(clone);
                received.extend([
                    sent.map_err(|_| RecvError::Closed).and_then(|()| rx.recv()),
                    rx.recv(),
                ]);
            }
            over.store(true, Relaxed);
            for (round, received) in (0..).zip(received.chunks(3)) {
                assert!(received[..2].iter().all(|got| got.is_ok_and(|got| got.1 == round)));
                assert_eq!(received[2], Err(RecvError::Closed));
            }
        });
        drop(lanes);
    });
}

/// Goal: somebody who sleeps costs nothing to those who have nothing to do with him; a global count
/// of sleepers made every send of everybody ten times slower. Method: one receiver sleeps; the
/// kicks that 10,000 messages of a pair elsewhere cause are counted.
#[test]
fn a_receiver_asleep_beside_a_busy_pair_causes_no_kick_there() {
    to_the_end(|| {
        let engine = Engine::new();
        let (mut wake, mut sleeper) = engine.channel::<u32>();
        let (mut tx, mut rx) = engine.channel::<u32>();
        // It has had a message: it asks for attention there.
        wake.send(0).unwrap();
        sleeper.recv().unwrap();
        let before = parts::kicks(&engine);
        let asleep = thread::spawn(move || sleeper.recv().unwrap());
        until_kicked_since(&engine, before);
        let before = parts::kicks(&engine);
        for n in 0..10_000 {
            tx.send(n).unwrap();
            assert_eq!(rx.recv().unwrap().1, n);
        }
        let kicks = parts::kicks(&engine) - before;
        assert!(kicks <= 8, "{kicks} kicks");
        wake.send(1).unwrap();
        assert_eq!(asleep.join().unwrap().1, 1);
    });
}

/// Goal: a lane's index at its receiver is given to a later lane only when nothing names the
/// earlier one any more. Method: thousands of senders come and go, some without a word, some into a
/// full inbox; the whole set is there.
#[test]
fn an_index_of_a_lane_is_used_again_by_later_lanes() {
    let (authors, lives) = (2, 2500);
    to_the_end(move || {
        let engine = Engine::builder().capacity(8).inbox(4).build().unwrap();
        let mut rx = engine.receiver::<Letter>();
        let mut held_open = vec![engine.sender(&rx.address()).unwrap()];
        let address = rx.address();
        let letters = thread::scope(|scope| {
            let reader = scope.spawn(|| listen(&mut rx));
            let (engine, address) = (&engine, &address);
            let writers: Vec<_> = (0..authors)
                .map(|author| {
                    scope.spawn(move || {
                        for life in 0..lives {
                            let author = author * lives + life;
                            let mut tx = engine.sender(address).unwrap();
                            let mut out = engine.outbox();
                            let target = out.add(address).unwrap();
                            let mut letters =
                                (0..(life % 4) as u64).map(|index| Letter { author, index });
                            match life % 8 {
                                0..4 => letters.for_each(|letter| tx.send(letter).unwrap()),
                                4..7 => assert!(out.send_batch(target, letters).is_ok()),
                                _ => {
                                    tx.send_stamped(letters.next().unwrap()).unwrap();
                                    letters.for_each(|letter| out.send(target, letter).unwrap());
                                }
                            }
                        }
                    })
                })
                .collect();
            writers.into_iter().for_each(|writer| writer.join().unwrap());
            held_open.clear();
            reader.join().unwrap()
        });
        let counts: Vec<u64> = (0..authors * lives).map(|author| (author % 4) as u64).collect();
        assert_whole(&letters, &counts);
    });
}

/// Goal: a target's number in an outbox stands for another receiver only when all that was sent to
/// the first has its number. Method: targets come and go under traffic, before narrow inboxes.
#[test]
fn an_outbox_uses_target_numbers_again_under_traffic() {
    let rounds = 2000;
    to_the_end(move || {
        let engine = Engine::builder().capacity(8).inbox(2).build().unwrap();
        let mut receivers: Vec<_> = (0..5).map(|_| engine.receiver::<Letter>()).collect();
        let addresses: Vec<_> = receivers.iter().map(Receiver::address).collect();
        let held_open: Vec<_> = addresses.iter().map(|to| engine.sender(to).unwrap()).collect();
        let letters = thread::scope(|scope| {
            let readers: Vec<_> =
                receivers.iter_mut().map(|rx| scope.spawn(move || listen(rx))).collect();
            let writers = [0, 1].map(|author| {
                let mut out = engine.outbox();
                let steady = [3, 4].map(|place: usize| out.add(&addresses[place]).unwrap());
                let addresses = &addresses;
                scope.spawn(move || {
                    let letter = |index| Letter { author, index };
                    for round in 0..rounds {
                        let place = round as usize;
                        let passing = out.add(&addresses[place % 3]).unwrap();
                        out.send(passing, letter(3 * round)).unwrap();
                        out.send(steady[place / 5 % 2], letter(3 * round + 1)).unwrap();
                        out.send(passing, letter(3 * round + 2)).unwrap();
                        assert!(out.remove(passing) && !out.remove(passing));
                        let refused = out.send(passing, letter(round)).unwrap_err();
                        assert_eq!(refused.reason, Reason::UnknownTarget);
                    }
                })
            });
            writers.into_iter().for_each(|writer| writer.join().unwrap());
            drop(held_open);
            readers.into_iter().flat_map(|reader| reader.join().unwrap()).collect::<Vec<_>>()
        });
        assert_whole(&letters, &[3 * rounds; 2]);
    });
}

/// Goal: an outbox may add a target and end within one pass: the pass that reads its end does not
/// know the target yet. It poisoned the engine; with messages to the target it gave numbers twice.
/// Method: idle lanes make passes long; that a newcomer has joined says that one has just read who
/// is there.
#[test]
fn an_outbox_adds_a_target_and_ends_while_a_pass_is_under_way() {
    to_the_end(|| {
        let engine = by_hand(2, 64);
        let idle = engine.receiver::<u64>();
        let lanes: Vec<_> = (0..3000).map(|_| engine.sender(&idle.address()).unwrap()).collect();
        engine.run_until_idle();
        let over = AtomicBool::new(false);
        let mut numbers = Vec::new();
        thread::scope(|scope| {
            scope.spawn(|| {
                while !over.load(Relaxed) {
                    engine.pass();
                }
            });
            for round in 0..100 {
                let mut receivers = [engine.receiver(), engine.receiver(), engine.receiver()];
                let mut out = engine.outbox();
                let first = out.add(&receivers[0].address()).unwrap();
                for _ in 0..2 {
                    // An entry each, and there is room for two.
                    out.send(first, 0).unwrap();
                    until(|| out.is_empty() || idle.is_closed());
                }
                let mut other = engine.sender(&receivers[2].address()).unwrap();
                let newcomer = engine.receiver::<()>();
                until(|| newcomer.joined_at().is_some() || idle.is_closed());
                let second = out.add(&receivers[1].address()).unwrap();
                if round % 2 == 0 {
                    out.send(first, 1).unwrap();
                    out.send(second, 2).unwrap();
                    out.send(first, 3).unwrap();
                }
                drop(out);
                other.send_stamped(4).unwrap();
                drop(other);
                for rx in &mut receivers {
                    numbers.extend(rx.messages().map(|(seq, _)| seq.get()));
                }
            }
            over.store(true, Relaxed);
        });
        numbers.sort_unstable();
        let expected: Vec<u64> = (1..=100 * 3 + 50 * 3).collect();
        assert_eq!(numbers, expected);
        drop(lanes);
    });
}
