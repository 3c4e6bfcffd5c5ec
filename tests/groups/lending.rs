//! Messages by reference: where they lie, how long they stay, and what becomes of one that is forgotten.

use std::mem::forget;
use std::ptr;
use std::sync::Mutex;
use std::time::Duration;

use mainspring::{RecvTimeoutError, TryRecvError, TrySendError};

use crate::support::{Counted, Drops};
use crate::{by_hand, engine_and_group, numbered, take};

/// Goal: by reference or by value is the same: numbers, ends, errors; for messages of senders and of broadcasters.
/// Method: by hand; all ways in turn on a receiver with both sources.
#[test]
fn by_reference_is_as_by_value() {
    let engine = by_hand(4, 8);
    let group = engine.group();
    let (mut tx, mut rx) = engine.channel();
    group.join(&rx.address()).unwrap();
    let mut all = group.broadcaster();
    let mut got = Vec::new();
    for round in 0..20_u64 {
        tx.send(6 * round).unwrap();
        engine.run_until_idle();
        all.send_batch(6 * round + 1..6 * round + 5).unwrap();
        engine.run_until_idle();
        tx.send(6 * round + 5).unwrap();
        engine.run_until_idle();
        let message = rx.recv_ref().unwrap();
        got.push((message.seq().get(), *message));
        drop(message);
        let message = rx.try_recv_ref().unwrap();
        got.push((message.seq().get(), *message));
        drop(message);
        let (seq, value) = rx.recv().unwrap();
        got.push((seq.get(), value));
        assert_eq!(rx.recv_batch_ref(0, |_, _| ()), Ok(0));
        assert_eq!(rx.recv_batch_ref(1, |seq, &value| got.push((seq.get(), value))), Ok(1));
        let message = rx.recv_ref_timeout(Duration::ZERO).unwrap();
        got.push((message.seq().get(), *message));
        drop(message);
        assert_eq!(rx.try_recv_batch_ref(9, |seq, &value| got.push((seq.get(), value))), Ok(1));
        assert_eq!(rx.try_recv_ref().err(), Some(TryRecvError::Empty));
        assert_eq!(rx.try_recv_batch_ref(1, |_, _| ()), Err(TryRecvError::Empty));
        let nothing = rx.recv_ref_timeout(Duration::ZERO).err();
        assert_eq!(nothing, Some(RecvTimeoutError::Timeout));
        assert_eq!(rx.caught_up_to().get(), 6 * round + 6);
    }
    assert_eq!(got, numbered(1, 0..120));
    drop((tx, all));
    engine.run_until_idle();
    assert_eq!(rx.try_recv_ref().err(), Some(TryRecvError::Closed));
    assert!(rx.recv_ref().is_err() && rx.recv_batch_ref(1, |_, _| ()).is_err());
    assert_eq!(rx.recv_ref_timeout(Duration::ZERO).err(), Some(RecvTimeoutError::Closed));
}

/// Goal: one message in one place, however many read it, and no clone. Method: the type's clone panics.
#[test]
fn members_look_at_one_message() {
    struct Unique([u64; 64]);
    impl Clone for Unique {
        fn clone(&self) -> Self {
            panic!("cloned")
        }
    }
    let (_engine, group) = engine_and_group(2);
    let mut members: Vec<_> = (0..5).map(|_| group.subscribe()).collect();
    let mut all = group.broadcaster();
    for value in 0..10 {
        assert!(all.send(Unique([value; 64])).is_ok());
        let held: Vec<_> = members.iter_mut().map(|member| member.recv_ref().unwrap()).collect();
        for message in &held {
            assert!(ptr::eq(&**message, &*held[0]));
            assert_eq!(message.0, [value; 64]);
        }
    }
}

/// Goal: the slot goes back when the reference goes, not before; the value then, too, if it was sent to one alone.
#[test]
fn a_slot_goes_back_when_the_reference_goes() {
    let drops = Drops::default();
    let engine = by_hand(4, 1);
    let (mut tx, mut rx) = engine.channel();
    tx.send(drops.value()).unwrap();
    engine.run_until_idle();
    let held = rx.recv_ref().unwrap();
    assert!(matches!(tx.try_send(drops.value()), Err(TrySendError::Full(_))));
    assert_eq!((drops.count(), tx.len()), (1, 1));
    drop(held);
    assert_eq!((drops.count(), tx.len(), rx.len()), (2, 0, 0));
    assert!(tx.try_send(drops.value()).is_ok());
}

/// Goal: a forgotten reference to a message of a sender: the slot goes back with the next that is received, the value
/// is never dropped (but by the receiver's end, if it is the last); never twice. Method: by hand, a lane of four.
#[test]
fn a_forgotten_message_of_a_sender_is_forgotten() {
    /// A forgotten value keeps its counter: known here, that is no leak.
    static COUNTERS: Mutex<Vec<Drops>> = Mutex::new(Vec::new());
    for (dropped_first, next) in [(false, true), (true, true), (false, false), (true, false)] {
        let drops = Drops::default();
        COUNTERS.lock().unwrap().push(drops.clone());
        let engine = by_hand(4, 4);
        let (mut tx, mut rx) = engine.channel::<Counted>();
        for _ in 0..4 {
            tx.send(drops.value()).unwrap();
        }
        engine.run_until_idle();
        forget(rx.recv_ref().unwrap());
        assert!(matches!(tx.try_send(drops.value()), Err(TrySendError::Full(_))));
        assert_eq!(drops.count(), 1);
        if next {
            drop(rx.recv().unwrap());
            assert_eq!((drops.count(), tx.len()), (2, 2));
            assert!(tx.try_send(drops.value()).is_ok() && tx.try_send(drops.value()).is_ok());
        }
        engine.run_until_idle();
        if dropped_first {
            drop(tx);
            drop(rx);
        } else {
            drop(rx);
            drop(tx);
        }
        // The one that was refused, and all others once; without the forgotten one if its slot went back.
        assert_eq!(drops.count(), if next { 6 } else { 5 });
    }
}

/// Goal: forgetting every message keeps nothing from going on. Method: lanes of one and two, to one and to several.
#[test]
fn who_forgets_everything_goes_on() {
    for capacity in [1, 2] {
        let (_engine, group) = engine_and_group(capacity);
        let mut members = [group.subscribe(), group.subscribe()];
        let drops = Drops::default();
        let mut all = group.broadcaster();
        for count in 0..20 {
            let Some(room) = (0..3).find(|_| {
                // A forgotten one gives its slot back with the next that is looked for.
                members.iter_mut().for_each(|member| assert!(member.try_recv_ref().is_err()));
                all.is_empty()
            }) else {
                panic!("{count}: the slots do not come back")
            };
            assert_eq!(room, 0);
            assert!(all.try_send(std::sync::Arc::new(drops.value())).is_ok());
            members.iter_mut().for_each(|member| forget(member.recv_ref().unwrap()));
        }
        drop(members);
        drop(all);
        // A value that several could read is its sender's.
        assert_eq!(drops.count(), 20);
    }
}

/// Goal: a clock that is told while a reference is held... cannot be; but after it, numbers go on. Method: events and
/// references in turn.
#[test]
fn clocks_and_references_keep_one_order() {
    let engine = by_hand(4, 4);
    let group = engine.group();
    let (mut other, _elsewhere) = engine.channel();
    let mut rx = group.subscribe();
    let mut all = group.broadcaster();
    engine.run_until_idle();
    for round in 0..10 {
        all.send(round).unwrap();
        engine.run_until_idle();
        forget(rx.try_recv_ref().unwrap());
        assert!(other.try_send(round).is_ok() || round >= 4);
        engine.run_until_idle();
        let now = engine.clock().now();
        if round < 4 {
            assert_eq!(rx.try_recv_event(), Ok(mainspring::Event::Clock(now)));
        }
        assert_eq!(rx.try_recv_event(), Err(TryRecvError::Empty));
        assert_eq!(rx.caught_up_to(), now);
        assert!(take(&mut rx).is_empty());
    }
}
