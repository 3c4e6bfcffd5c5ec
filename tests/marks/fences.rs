//! Fences: marks that end others from outside, where they are.

use std::collections::BTreeMap;
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use mainspring::{
    AddressError, Drive, Engine, Reason, RecvError, SendTimeoutError, StampedError, TrySendError,
    parts,
};

use crate::executors::block_on;
use crate::gates::race_with_an_end;
use crate::seq;
use crate::support::{Drops, by_hand, engines, to_the_end, until, until_kicked_since};

/// Goal: what was published before the pass counts, nothing after it, and each form of sending gives the value back.
/// Method: passes by hand; a sender that is ended, and tries them all.
#[test]
fn a_fence_ends_a_sender_where_it_is() {
    let engine = by_hand();
    let (mut tx, mut rx) = engine.channel();
    let source = tx.source();
    tx.send_batch([1, 2, 3]).unwrap();
    let fence = engine.marker().fence(std::slice::from_ref(&source)).unwrap();
    let gate = engine.marker().gate(std::slice::from_ref(&source)).unwrap();
    tx.send(4).unwrap(); // nobody has passed
    engine.run_until_idle();
    let mut ends = [fence.seq(), gate.seq()];
    ends.sort_unstable();
    assert_eq!(ends, [Some(seq(5)), Some(seq(6))]);
    assert!(source.has_ended() && tx.is_closed());
    assert_eq!(tx.stamped(), Ok(seq(4)));

    let error = tx.send(5).unwrap_err();
    assert_eq!((error.reason, error.into_inner()), (Reason::Fenced, 5));
    assert_eq!(tx.try_send(5), Err(TrySendError::Fenced(5)));
    assert_eq!(tx.send_timeout(5, Duration::MAX), Err(SendTimeoutError::Fenced(5)));
    assert_eq!(tx.send_stamped(5).unwrap_err().reason, Reason::Fenced);
    let error = tx.send_batch([5, 6, 7]).unwrap_err();
    assert_eq!((error.sent, error.reason), (0, Reason::Fenced));
    assert_eq!(error.returned.into_iter().chain(error.rest).collect::<Vec<_>>(), [5, 6, 7]);
    let error = block_on(tx.send_async(5)).unwrap_err();
    assert_eq!(error.reason, Reason::Fenced);
    let error = block_on(tx.send_stamped_async(5)).unwrap_err();
    assert_eq!((error.reason, error.value), (Reason::Fenced, 5));
    assert!(tx.is_empty() || tx.len() == 4);

    let received: Vec<_> = rx.messages().collect();
    assert_eq!(received, (1..=4).map(|n| (seq(n), n)).collect::<Vec<_>>());
    assert_eq!(rx.recv(), Err(RecvError::Closed), "it was the only sender");
}

/// Goal: the first thing that an ended author publishes comes back, whatever the form. Method: passes by hand; one
/// author for each form.
#[test]
fn the_first_value_after_a_fence_comes_back() {
    for form in 0..5 {
        let engine = by_hand();
        let drops = Drops::default();
        let (mut tx, mut rx) = engine.channel();
        tx.send(drops.value()).unwrap();
        let fence = engine.marker().fence(&[tx.source()]).unwrap();
        engine.run_until_idle();
        assert_eq!(fence.seq(), Some(seq(2)));
        let reason = match form {
            0 => tx.send(drops.value()).unwrap_err().reason,
            1 => match tx.try_send(drops.value()) {
                Err(TrySendError::Fenced(_)) => Reason::Fenced,
                other => panic!("{other:?}"),
            },
            2 => tx.send_stamped(drops.value()).unwrap_err().reason,
            3 => {
                let error = tx.send_batch([drops.value()]).unwrap_err();
                assert_eq!(error.sent, 0);
                error.reason
            }
            _ => block_on(tx.send_stamped_async(drops.value())).unwrap_err().reason,
        };
        assert_eq!(reason, Reason::Fenced, "form {form}");
        assert_eq!(drops.count(), 1, "form {form}");
        assert_eq!(rx.messages().count(), 1);
        drop((tx, rx, engine));
        assert_eq!(drops.count(), 2, "form {form}");
    }
}

/// Goal: every kind of author can be ended, with a full inbox and a receiver that does not read, and only that one.
/// Method: each kind, in each drive; what they have sent is all there in the end.
#[test]
fn every_kind_of_author_can_be_ended() {
    to_the_end(|| {
        for engine in engines() {
            let marker = engine.marker();
            let group = engine.options::<u64>().capacity(8).inbox(1).group().unwrap();
            let mut member = group.subscribe();
            let mut rx = engine.options::<u64>().capacity(8).inbox(1).receiver().unwrap();
            let mut tx = engine.sender(&rx.address()).unwrap();
            let mut clone = tx.clone();
            let shared = engine.sender(&rx.address()).unwrap().into_shared();
            let mut all = group.broadcaster();
            let mut out = engine.outbox();
            let to = out.add(&rx.address()).unwrap();
            let to_group = out.add_group(&group).unwrap();
            for n in 0..4 {
                tx.send(n).unwrap();
                shared.send(n).unwrap();
                all.send(n).unwrap();
                out.send(to, n).unwrap();
                out.send_next(to_group, n).unwrap();
                out.send_all(to_group, n).unwrap();
            }
            let sources = [tx.source(), shared.source(), all.source(), out.source()];
            let mut fence = marker.fence(&sources).unwrap();
            let number = fence.wait().unwrap();
            assert!(number >= seq(25), "all of it was numbered before");
            assert_eq!(tx.send(9).unwrap_err().reason, Reason::Fenced);
            assert_eq!(shared.send(9).unwrap_err().reason, Reason::Fenced);
            assert_eq!(shared.try_send(9), Err(TrySendError::Fenced(9)));
            assert_eq!(shared.send_stamped(9).unwrap_err().reason, Reason::Fenced);
            assert_eq!(all.send(9).unwrap_err().reason, Reason::Fenced);
            assert_eq!(all.send_stamped(9).unwrap_err().reason, Reason::Fenced);
            for _ in 0..2 {
                assert_eq!(out.try_send(to, 9), Err(TrySendError::Fenced(9)));
                assert_eq!(out.send(to, 9).unwrap_err().reason, Reason::Fenced);
                assert_eq!(out.send_next(to_group, 9).unwrap_err().reason, Reason::Fenced);
                assert_eq!(out.send_keyed(to_group, "k", 9).unwrap_err().reason, Reason::Fenced);
                assert_eq!(out.send_all(to_group, 9).unwrap_err().reason, Reason::Fenced);
                let error = out.send_batch(to, [9, 10]).unwrap_err();
                assert_eq!((error.sent, error.reason), (0, Reason::Fenced));
                let error = block_on(out.send_async(to, 9)).unwrap_err();
                assert_eq!(error.reason, Reason::Fenced);
            }
            // A member that comes now is no trouble, nor is a target.
            let late = group.subscribe();
            let other = engine.receiver::<u64>();
            let to_other = out.add(&other.address()).unwrap();
            assert_eq!(out.send(to_other, 9).unwrap_err().reason, Reason::Fenced);
            assert_eq!(out.send_next(to_group, 9).unwrap_err().reason, Reason::Fenced);
            drop((all, out, late, other));
            clone.try_send(7).unwrap();
            drop((tx, clone, shared));

            let mut of_rx: Vec<_> = rx.messages().collect();
            assert_eq!(of_rx.pop().map(|(_, n)| n), Some(7), "the clone is another author");
            assert_eq!(of_rx.len(), 12);
            let of_member: Vec<_> = member.messages().collect();
            assert_eq!(of_member.len(), 12);
            assert!(of_rx.iter().chain(&of_member).all(|&(at, n)| at < number && n < 4));
        }
    });
}

/// Goal: whoever sleeps for room wakes when it is ended, and has its value back. Method: a thread for each way to wait,
/// with a receiver that does not read.
#[test]
fn who_waits_for_room_wakes() {
    to_the_end(|| {
        for engine in engines() {
            for way in 0..10 {
                let rx = engine.options().capacity(1).inbox(1).receiver().unwrap();
                let group = engine.options().capacity(1).inbox(1).group().unwrap();
                let member = group.subscribe();
                let mut out = engine.outbox();
                let mut tx = engine.sender(&rx.address()).unwrap();
                let mut all = group.broadcaster();
                let to = out.add(&rx.address()).unwrap();
                let to_group = out.add_group(&group).unwrap();
                let sources = [tx.source(), all.source(), out.source()];
                let fill = move || -> (Reason, u64) {
                    let mut sent = 0;
                    let error = loop {
                        let sending = match way {
                            0 => tx.send(sent),
                            1 => tx.send_batch([sent]).map(drop).map_err(|error| {
                                let value = error.returned[0];
                                mainspring::SendError { value, reason: error.reason }
                            }),
                            2 => tx.send_stamped(sent).map(drop),
                            3 => block_on(tx.send_async(sent)),
                            4 => all.send(sent),
                            5 => out.send(to, sent),
                            6 => out.send_next(to_group, sent),
                            7 => out.send_all(to_group, sent),
                            8 => block_on(out.send_async(to, sent)),
                            _ => block_on(tx.send_stamped_async(sent)).map(drop),
                        };
                        match sending {
                            Ok(()) => sent += 1,
                            Err(error) => break error,
                        }
                    };
                    assert_eq!(error.value, sent, "way {way}");
                    (error.reason, sent)
                };
                let before = parts::kicks(&engine);
                let filling = thread::spawn(fill);
                until_at_rest(&engine, before);
                let fence = engine.marker().fence(&sources).unwrap().wait().unwrap();
                let (reason, sent) = filling.join().unwrap();
                assert_eq!(reason, Reason::Fenced, "way {way}");
                let (mut rx, mut member) = (rx, member);
                let received = rx.messages().chain(member.messages());
                let numbers: Vec<_> = received.map(|(number, _)| number).collect();
                assert_eq!(numbers.len() as u64, sent, "way {way}");
                assert!(numbers.iter().all(|&number| number < fence));
            }
        }
    });
}

/// Until somebody has kicked since, and for a while nobody has: whoever goes to sleep kicks before.
fn until_at_rest(engine: &Engine, before: u64) {
    let mut last = before;
    until_kicked_since(engine, before);
    while last != parts::kicks(engine) {
        last = parts::kicks(engine);
        (0..100).for_each(|_| thread::yield_now());
    }
}

/// Goal: a fence that comes at any moment of what its author does, and of what the receiver does, loses nothing and
/// gives nothing twice: what was sent is received, below the fence, what was not is back. Method: many rounds in each
/// drive; authors of each kind, receivers that read, that go in between, and fences, all at once.
#[test]
fn a_fence_may_come_at_any_moment() {
    to_the_end(|| {
        for engine in engines() {
            for round in 0..300 {
                race(&engine, round);
            }
        }
    });
}

fn race(engine: &Engine, round: u64) {
    let drops = Drops::default();
    let rx =
        engine.options().capacity(1 << (round % 4)).inbox(1 << (round % 3)).receiver().unwrap();
    let mut tx = engine.sender(&rx.address()).unwrap();
    let mut out = engine.outbox();
    let to = out.add(&rx.address()).unwrap();
    let sources = [tx.source(), out.source()];
    let start = Arc::new(Barrier::new(4));
    let begin = |start: &Arc<Barrier>| {
        let start = start.clone();
        move || start.wait()
    };
    let (wait, made) = (begin(&start), drops.clone());
    let sending = thread::spawn(move || {
        wait();
        // How many were sent, and whether the last error says why.
        let mut sent = 0;
        loop {
            let sending = match (sent + round) % 3 {
                0 => tx.send((0, sent, made.value())),
                1 => tx.send_stamped((0, sent, made.value())).map(drop),
                _ => match tx.send_batch((sent..sent + 3).map(|n| (0, n, made.value()))) {
                    Ok(_) => {
                        sent += 2;
                        Ok(())
                    }
                    Err(error) => {
                        let mut back = error.returned;
                        sent += error.sent as u64;
                        back.extend(error.rest);
                        return (sent, error.reason);
                    }
                },
            };
            match sending {
                Ok(()) => sent += 1,
                Err(error) => return (sent, error.reason),
            }
        }
    });
    let (wait, made) = (begin(&start), drops.clone());
    let putting_out = thread::spawn(move || {
        wait();
        let mut sent = 0;
        loop {
            match out.send(to, (1, sent, made.value())) {
                Ok(()) => sent += 1,
                Err(error) => return (sent, error.reason),
            }
        }
    });
    let leaves = round % 3 == 2;
    let wait = begin(&start);
    let reading = thread::spawn(move || {
        let mut rx = rx;
        wait();
        let most = if leaves { round as usize % 50 } else { usize::MAX };
        let mut received = BTreeMap::<u64, Vec<(u64, u64)>>::new();
        for (number, (author, index, _)) in rx.messages().take(most) {
            received.entry(author).or_default().push((number.get(), index));
        }
        received
    });
    start.wait();
    for _ in 0..round * 7 % 1000 {
        std::hint::spin_loop();
    }
    let fence = engine.marker().fence(&sources).unwrap().wait().unwrap();
    let sent = [sending.join().unwrap(), putting_out.join().unwrap()];
    let received = reading.join().unwrap();
    for (author, (sent, reason)) in sent.into_iter().enumerate() {
        let none = Vec::new();
        let received = received.get(&(author as u64)).unwrap_or(&none);
        let indices: Vec<_> = received.iter().map(|&(_, index)| index).collect();
        assert!(received.iter().all(|&(number, _)| number < fence.get()));
        if leaves {
            let count = indices.len() as u64;
            assert_eq!(indices, (0..count).collect::<Vec<_>>());
            assert!(count <= sent);
        } else {
            assert_eq!(reason, Reason::Fenced);
            assert_eq!(
                indices,
                (0..sent).collect::<Vec<_>>(),
                "author {author} round {round} {engine:?}"
            );
        }
    }
    // Those of a sender that has gone are its engine's, until it lets go of the lane.
    until(|| drops.alive() == 0);
}

/// Goal: an author that ends by itself, and one that is ended, at the same time: one end, and the fence opens. Method:
/// many rounds, two threads.
#[test]
fn an_end_may_race_with_a_fence() {
    race_with_an_end(0, |marker, sources| marker.fence(sources));
}

/// Goal: what is empty, foreign, ended, or ended twice is no trouble; a fence can be prepared, and fired where nothing
/// may go wrong. Method: each.
#[test]
fn fences_of_what_has_ended() {
    let engine = by_hand();
    let marker = engine.marker();
    let (foreign, _rx) = Engine::new().channel::<u8>();
    assert_eq!(marker.fence(&[foreign.source()]).unwrap_err(), AddressError::Foreign);
    let none = marker.fence(&[]).unwrap();
    engine.pass();
    assert_eq!(none.seq(), Some(seq(1)));

    let (mut tx, mut rx) = engine.channel::<u8>();
    let source = tx.source();
    assert_eq!(tx.stamped(), Err(StampedError::NothingSent));
    let twice = marker.fence(&[source.clone(), source.clone()]).unwrap();
    let again = marker.prepare_fence(std::slice::from_ref(&source)).unwrap();
    engine.run_until_idle();
    assert_eq!(twice.seq(), Some(seq(2)));
    let again = again.fire();
    engine.run_until_idle();
    assert_eq!(again.seq(), Some(seq(3)));
    assert_eq!(tx.send(1).unwrap_err().reason, Reason::Fenced);
    assert_eq!(rx.recv(), Err(RecvError::Closed));
    drop((tx, rx));
    let ended = marker.fence(&[source]).unwrap();
    engine.run_until_idle();
    assert_eq!(ended.seq(), Some(seq(4)));

    let (mut tx, rx) = engine.channel::<u8>();
    drop(rx);
    let gone = marker.fence(&[tx.source()]).unwrap();
    engine.run_until_idle();
    assert!(gone.seq().is_some());
    assert!(tx.send(1).is_err());

    let (mut tx, _rx) = engine.channel::<u8>();
    let fence = marker.fence(&[tx.source()]).unwrap();
    let _closed = engine.close(Duration::ZERO);
    assert!(fence.outcome().is_some());
    assert!(tx.send(1).is_err());
}

/// Goal: an engine closes as ever where authors were ended: nothing counts as left. Method: each drive; an author that
/// is ended with a value in its hand.
#[test]
fn an_engine_closes_after_a_fence() {
    for drive in [Drive::Callers, Drive::thread(mainspring::Idle::Park)] {
        let engine = Engine::builder().drive(drive).build().unwrap();
        let (mut tx, mut rx) = engine.channel();
        tx.send(1).unwrap();
        engine.marker().fence(&[tx.source()]).unwrap().wait().unwrap();
        assert_eq!(tx.send(2).unwrap_err().value, 2);
        assert_eq!(rx.recv().unwrap().1, 1);
        assert!(engine.close(Duration::from_secs(60)).is_clean());
        assert_eq!(tx.send(2).unwrap_err().value, 2);
    }
}

/// Goal: what an ended outbox still tries to send does not touch the order of what it has sent, which receivers with
/// full inboxes read later. Method: a ring that is full when it is ended, and one more message for it.
#[test]
fn an_ended_outbox_does_not_touch_its_order() {
    let engine = Engine::builder().capacity(4).drive(Drive::manual(|| {})).build().unwrap();
    let [mut a, mut b] = [(); 2].map(|()| engine.options().inbox(1).receiver().unwrap());
    let mut fill = [engine.sender(&a.address()).unwrap(), engine.sender(&b.address()).unwrap()];
    fill.iter_mut().for_each(|tx| tx.send(0).unwrap());
    engine.run_until_idle();
    let mut out = engine.outbox();
    let (to_a, to_b) = (out.add(&a.address()).unwrap(), out.add(&b.address()).unwrap());
    for (to, n) in [(to_a, 1), (to_b, 2), (to_a, 3), (to_b, 4)] {
        out.send(to, n).unwrap();
    }
    engine.run_until_idle();
    let fence = engine.marker().fence(&[out.source()]).unwrap();
    engine.run_until_idle();
    assert_eq!(fence.seq(), Some(seq(7)));
    assert!(out.is_empty());
    assert_eq!(out.try_send(to_b, 5), Err(TrySendError::Fenced(5)));
    assert_eq!(out.send_batch(to_b, [5, 6]).unwrap_err().reason, Reason::Fenced);
    drop(fill);
    engine.run_until_idle();
    let numbers = |rx: &mut mainspring::Receiver<u64>| {
        rx.messages().skip(1).map(|(number, n)| (number.get(), n)).collect::<Vec<_>>()
    };
    assert_eq!(numbers(&mut a), [(3, 1), (5, 3)]);
    assert_eq!(numbers(&mut b), [(4, 2), (6, 4)]);
}

/// Goal: whoever has ended never waits for room, also when others come meanwhile. Method: passes by hand; a
/// broadcaster, or an outbox to a group, that waits for a member's inbox is ended, from outside or by itself, and so
/// many join then that a pass cannot apply it all.
#[test]
fn an_ended_broadcast_does_not_wait_when_others_join() {
    for (fenced, with_outbox) in [(true, false), (false, false), (true, true), (false, true)] {
        let engine = by_hand();
        let group = engine.options().capacity(8).inbox(1).group().unwrap();
        let _member = group.subscribe();
        let mut all = group.broadcaster();
        let mut out = engine.outbox();
        let to = out.add_group(&group).unwrap();
        let source = if with_outbox { out.source() } else { all.source() };
        for n in 0..4 {
            if with_outbox {
                out.send_all(to, n).unwrap();
            } else {
                all.send(n).unwrap();
            }
            engine.run_until_idle();
        }
        let gate = if fenced {
            let fence = engine.marker().fence(&[source]).unwrap();
            engine.pass();
            fence
        } else {
            let gate = engine.marker().gate(&[source]).unwrap();
            engine.pass();
            if with_outbox {
                drop(out);
            } else {
                drop(all);
            }
            gate
        };
        let _others: Vec<_> = (0..300).map(|_| engine.receiver::<u8>()).collect();
        engine.run_until_idle();
        assert!(gate.seq().is_some(), "fenced {fenced}, of an outbox {with_outbox}");
    }
}
