//! Slots: the latest value of something, with its number on the clock.

#![cfg(not(loom))]

#[path = "slots/changes.rs"]
mod changes;
#[path = "slots/cuts.rs"]
mod cuts;
#[allow(dead_code, reason = "what the tests of tasks need, too")]
#[path = "tasks/executors.rs"]
mod executors;
#[path = "slots/reigns.rs"]
mod reigns;
mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use mainspring::{Drive, Engine, Idle, PublicationError, PublishReason, Seq, parts};
use support::{Drops, to_the_end};

pub(crate) fn by_hand() -> Engine {
    Engine::builder().drive(Drive::manual(|| {})).build().unwrap()
}

/// One of each drive that needs no hand.
pub(crate) fn engines() -> [Engine; 3] {
    let thread = |idle| Engine::builder().drive(Drive::thread(idle)).build().unwrap();
    [Engine::new(), thread(Idle::Park), thread(Idle::Yield)]
}

pub(crate) fn seq(number: u64) -> Seq {
    Seq::new(number)
}

/// Goal: a state takes one number, among those of messages, and is read with it. Method: both by turns, in each
/// drive.
#[test]
fn a_state_takes_the_next_number() {
    for engine in engines() {
        let (mut tx, mut rx) = engine.channel();
        let slot = engine.slot();
        let (mut publisher, mut latest) = (slot.publisher(), slot.latest());
        assert!(latest.read().is_none() && latest.get().is_none());
        assert_eq!(latest.seen(), Seq::ZERO);
        for round in 0..100 {
            assert_eq!(tx.send_stamped(round).unwrap(), seq(2 * round + 1));
            let stamp = publisher.publish(round).unwrap().stamp().unwrap();
            assert_eq!(stamp, seq(2 * round + 2));
            assert!(engine.clock().now() >= stamp);
            let state = latest.read().unwrap();
            assert_eq!((state.seq(), **state), (stamp, round));
            assert_eq!(*latest.get().unwrap(), round);
            assert_eq!(latest.seen(), stamp);
            assert_eq!(rx.recv().unwrap(), (seq(2 * round + 1), round));
        }
    }
}

/// Goal: a state that waits for its number is not seen, and one that is put in meanwhile hides nothing. Method:
/// passes by hand.
#[test]
fn a_state_is_not_seen_before_it_has_its_number() {
    let engine = by_hand();
    let slot = engine.slot();
    let (mut publisher, mut latest) = (slot.publisher(), slot.latest());
    let first = publisher.publish('a').unwrap();
    assert!(first.seq().is_none() && latest.read().is_none());
    engine.pass();
    assert_eq!(**latest.read().unwrap(), 'a');
    let [b, c] = ['b', 'c'].map(|state| publisher.publish(state).unwrap());
    assert_eq!(**latest.read().unwrap(), 'a');
    engine.pass();
    assert_eq!([first.seq(), b.seq(), c.seq()], [Some(seq(1)), Some(seq(2)), Some(seq(3))]);
    assert_eq!(latest.read().map(|state| (**state, state.seq())), Some(('c', seq(3))));
}

/// Goal: a state that was conflated is never seen, uses no number, and its author is told; the one that took its
/// place has its number. Method: passes by hand, an author that waits; then one that had its number already.
#[test]
fn a_conflated_state_is_never_seen_and_uses_no_number() {
    let engine = by_hand();
    let slot = engine.slot();
    let (mut publisher, mut latest) = (slot.publisher(), slot.latest());
    let mut a = publisher.publish('a').unwrap();
    let mut b = publisher.conflate('b').unwrap();
    assert_eq!(a.stamp(), Err(PublicationError::Conflated));
    let waiter = thread::spawn(move || b.stamp());
    let c = publisher.conflate('c').unwrap();
    assert_eq!(waiter.join().unwrap(), Err(PublicationError::Conflated));
    engine.pass();
    assert_eq!((c.seq(), **latest.read().unwrap()), (Some(seq(1)), 'c'));
    let d = publisher.conflate('d').unwrap();
    engine.pass();
    assert_eq!((c.seq(), d.seq()), (Some(seq(1)), Some(seq(2))));
    assert_eq!(engine.clock().now(), seq(2));
}

/// Goal: however many are conflated while nobody passes, their values are not kept. Method: values that are counted.
#[test]
fn conflated_states_are_dropped() {
    let (engine, drops) = (by_hand(), Drops::default());
    let slot = engine.slot();
    let mut publisher = slot.publisher();
    drop(publisher.publish(drops.value()).unwrap());
    engine.pass();
    for _ in 0..1000 {
        drop(publisher.conflate(drops.value()).unwrap());
    }
    assert_eq!(drops.count(), 999);
    assert_eq!(parts::states(&slot.latest()), 2);
}

/// Goal: whoever receives what was sent after a state was published sees that state, or a newer one, also if another
/// was published since, or has taken its place. Method: passes by hand, the second state put in when the pass is
/// over, or before it.
#[test]
fn who_receives_what_was_sent_later_sees_the_state() {
    let engine = by_hand();
    let (mut tx, mut rx) = engine.channel();
    let slot = engine.slot();
    let (mut publisher, mut latest) = (slot.publisher(), slot.latest());
    drop(publisher.publish(1).unwrap());
    tx.send("see 1").unwrap();
    engine.pass();
    drop(publisher.publish(2).unwrap());
    assert_eq!(rx.try_recv().unwrap(), (seq(2), "see 1"));
    assert_eq!(**latest.read().unwrap(), 1);

    drop(publisher.conflate(3).unwrap());
    tx.send("see 3").unwrap();
    drop(publisher.conflate(4).unwrap());
    engine.pass();
    // A pass that comes between the two halves of `conflate` would show 1, as its documentation says.
    let (number, _) = rx.try_recv().unwrap();
    assert_eq!((**latest.read().unwrap(), number), (4, seq(4)));
}

/// Goal: readers never go back, see nothing half, and see what they were told of, at full rate. Method: a publisher
/// that tells by a word which state it has published, three readers in three ways, in each drive.
#[test]
fn readers_never_go_back() {
    const STATES: u64 = 100_000;
    for engine in engines() {
        let slot = engine.slot();
        let mut publisher = slot.publisher();
        let (told, over) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let readers: Vec<_> = (0..3)
            .map(|way| {
                let (mut latest, told, over) = (slot.latest(), told.clone(), over.clone());
                thread::spawn(move || {
                    let (mut last, mut held) = ((Seq::ZERO, 0), Vec::new());
                    while !over.load(SeqCst) {
                        let least = told.load(SeqCst);
                        let state = match way {
                            0 => latest.read().cloned(),
                            1 => latest.get(),
                            _ => latest.clone().read().cloned(),
                        };
                        let Some(state) = state else {
                            assert_eq!(least, 0);
                            continue;
                        };
                        let [a, b] = *state;
                        assert_eq!(a, b);
                        assert!(a >= least, "{a} was read after {least} was told");
                        assert!(
                            (state.seq(), a) >= last && (state.seq() == last.0) == (a == last.1)
                        );
                        last = (state.seq(), a);
                        if held.len() < 10 || a % 7 == 0 {
                            held.truncate(50);
                            held.push((a, state));
                        }
                    }
                    assert!(held.iter().all(|(a, state)| **state == [*a; 2]));
                    last.1
                })
            })
            .collect();
        for state in 1..=STATES {
            let mut publication = publisher.publish([state; 2]).unwrap();
            if state % 16 == 0 {
                publication.stamp().unwrap();
                told.store(state, SeqCst);
            }
        }
        engine.run_until_idle();
        over.store(true, SeqCst);
        for reader in readers {
            assert!(reader.join().unwrap() > 0);
        }
        assert_eq!(slot.latest().read().map(|state| state[0]), Some(STATES));
        assert!(parts::states(&slot.latest()) <= 2);
    }
}

/// Goal: each value is dropped once, when its last owner has gone, and never under a lock of the slot. Method: values
/// that read the slot, and are counted, in their destructors; snapshots that outlive it.
#[test]
fn each_state_is_dropped_once_by_its_last_owner() {
    struct Reads(Drops, mainspring::Slot<Option<Self>>);
    impl Drop for Reads {
        fn drop(&mut self) {
            drop(self.0.value());
            // Each would hang if the slot were locked.
            assert!(self.1.latest().read().is_some());
            drop(self.1.publisher());
        }
    }
    to_the_end(|| {
        let (engine, drops) = (Engine::new(), Drops::default());
        let slot = engine.slot();
        for _ in 0..10 {
            let mut publisher = slot.publisher();
            drop(publisher.publish(Some(Reads(drops.clone(), slot.clone()))).unwrap());
        }
        assert_eq!(drops.count(), 9);
        let kept = slot.latest().get();
        drop(slot.publisher().publish(None).unwrap());
        assert_eq!(drops.count(), 9);
        drop(kept);
        assert_eq!(drops.count(), 10);
    });

    let (engine, drops) = (Engine::new(), Drops::default());
    let slot = engine.slot();
    let mut publisher = slot.publisher();
    drop(publisher.publish(drops.value()).unwrap());
    let snapshot = slot.latest().get().unwrap();
    drop((publisher, slot, engine));
    assert_eq!(drops.count(), 0);
    drop((snapshot.clone(), snapshot));
    assert_eq!(drops.count(), 1);
}

/// Goal: a destructor that panics drops nothing twice and leaves the slot as it was. Method: one of three states
/// panics.
#[test]
fn a_destructor_that_panics_harms_nobody() {
    struct Panics(bool, #[expect(dead_code, reason = "dropped")] support::Counted);
    impl Drop for Panics {
        fn drop(&mut self) {
            assert!(!self.0, "as it was told to");
        }
    }
    let (engine, drops) = (Engine::new(), Drops::default());
    let slot = engine.slot();
    let mut publisher = slot.publisher();
    drop(publisher.publish(Panics(true, drops.value())).unwrap());
    let second = std::panic::AssertUnwindSafe(|| {
        drop(publisher.publish(Panics(false, drops.value())).unwrap());
    });
    std::panic::catch_unwind(second).unwrap_err();
    assert_eq!((drops.count(), slot.latest().seen()), (1, Seq::ZERO));
    assert!(!slot.latest().read().unwrap().0, "it was published");
    drop(publisher.publish(Panics(false, drops.value())).unwrap());
    assert_eq!(drops.count(), 2);
}

/// Goal: what cannot be published comes back, and what waited for a number is told. Method: an engine that is closed.
#[test]
fn a_closed_engine_gives_states_back() {
    let engine = by_hand();
    let slot = engine.slot();
    let (mut publisher, mut latest) = (slot.publisher(), slot.latest());
    drop(publisher.publish(1).unwrap());
    engine.pass();
    let mut pending = publisher.publish(2).unwrap();
    assert_eq!(pending.stamp_timeout(Duration::ZERO), Err(PublicationError::Timeout));
    parts::poison(&engine);
    assert_eq!(pending.stamp(), Err(PublicationError::Closed));
    let refused = publisher.publish(3).unwrap_err();
    assert_eq!((refused.value, refused.reason), (3, PublishReason::Closed));
    assert_eq!(**latest.read().unwrap(), 1);
    assert!(latest.wait_changed().is_err());
}
