//! One publisher after the other.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;

use mainspring::{Engine, PublicationError, PublishReason, Seq, parts, publish_all};

use super::support::{to_the_end, until};
use super::{by_hand, engines, seq};

/// Goal: a fenced publisher is told, with its state and the number; what it has published before counts, below that
/// number. Method: passes by hand.
#[test]
fn a_fenced_publisher_is_told() {
    let engine = by_hand();
    let slot = engine.slot();
    let (mut first, mut latest) = (slot.publisher(), slot.latest());
    let a = first.publish('a').unwrap();
    let mut second = slot.publisher();
    assert!(first.is_fenced() && !second.is_fenced());
    let refused = first.publish('b').unwrap_err();
    assert_eq!((refused.value, refused.reason), ('b', PublishReason::Fenced { at: None }));
    let c = second.publish('c').unwrap();
    engine.pass();
    assert_eq!([a.seq(), second.began(), c.seq()], [Some(seq(1)), Some(seq(2)), Some(seq(3))]);
    let refused = first.conflate('d').unwrap_err();
    assert_eq!(refused.reason, PublishReason::Fenced { at: Some(seq(2)) });
    assert_eq!(**latest.read().unwrap(), 'c');
}

/// Goal: no state of a fenced publisher has a number above the fence's, none of its successor one below, and no reader
/// sees an old reign after a new one. Method: 100,000 hand-overs among threads that publish as fast as they can, in
/// each drive, with readers; a state says its reign. A sanitizer asks for fewer by `MAINSPRING_HAND_OVERS`.
#[test]
fn no_state_of_a_fenced_publisher_is_seen_after_the_fence() {
    let asked = std::env::var("MAINSPRING_HAND_OVERS").ok().and_then(|text| text.parse().ok());
    let count: u64 = asked.unwrap_or(100_000);
    for engine in engines() {
        to_the_end(move || hand_overs(&engine, count.div_ceil(3)));
    }
}

fn hand_overs(engine: &Engine, count: u64) {
    let slot = engine.slot::<u64>();
    let over = Arc::new(AtomicBool::new(false));
    let reader = thread::spawn({
        let (mut latest, over) = (slot.latest(), over.clone());
        move || {
            let (mut last, mut seen) = (0, Vec::new());
            loop {
                // Before the look: the last state is seen in any case.
                let is_over = over.load(SeqCst);
                if let Some(state) = latest.read() {
                    assert!(**state >= last, "reign {} after {last}", **state);
                    if **state > last {
                        seen.push((**state, state.seq()));
                    }
                    last = **state;
                }
                if is_over {
                    return seen;
                }
            }
        }
    });
    let mut publishers: Vec<thread::JoinHandle<(u64, Seq, u64)>> = Vec::new();
    // Of each reign: where it began, and the highest number of its states.
    let (mut began, mut highest) = (vec![Seq::ZERO], vec![Seq::ZERO]);
    for reign in 1..=count {
        let mut publisher = slot.publisher();
        let mut mark = engine.marker().submit();
        began.push(publisher.began().unwrap_or_else(|| {
            let after = mark.wait().unwrap();
            publisher.began().unwrap_or(if reign == 1 { Seq::ZERO } else { after })
        }));
        publishers.push(thread::spawn(move || {
            let mut last = Seq::ZERO;
            for published in 0.. {
                match publisher.publish(reign) {
                    Ok(mut publication) => last = publication.stamp().unwrap(),
                    Err(refused) => {
                        assert!(matches!(refused.reason, PublishReason::Fenced { .. }));
                        return (reign, last, published);
                    }
                }
            }
            unreachable!("it is fenced in the end")
        }));
        if publishers.len() >= 8 || reign == count {
            if reign == count {
                // The others may be fenced before they come to it.
                until(|| slot.latest().get().is_some_and(|state| *state == reign));
            }
            drop(slot.publisher());
            for publisher in publishers.drain(..) {
                let (reign, last, _) = publisher.join().unwrap();
                assert_eq!(highest.len() as u64, reign);
                highest.push(last);
            }
        }
    }
    over.store(true, SeqCst);
    let seen = reader.join().unwrap();
    for reign in 1..began.len() {
        assert!(reign == 1 || highest[reign - 1] < began[reign], "reign {reign}");
    }
    assert!(!seen.is_empty());
    for (reign, number) in seen {
        assert!(number > began[reign as usize] && number <= highest[reign as usize]);
    }
}

/// Goal: with one fenced slot nothing of a batch is published, and all of it comes back; also if the slot is taken over
/// while the batch is put in. Method: passes by hand; then a thread that takes over all the time.
#[test]
fn a_batch_is_published_with_one_number_or_not_at_all() {
    let engine = by_hand();
    let (left, right) = (engine.slot(), engine.slot());
    let (mut a, mut b) = (left.publisher(), right.publisher());
    let both = publish_all(&mut [a.stage(1), b.stage("one")]).unwrap();
    assert!(left.latest().read().is_none());
    let lonely = a.conflate(2).unwrap();
    engine.pass();
    assert_eq!((both.seq(), lonely.seq()), (Some(seq(1)), Some(seq(2))), "both are needed");
    assert_eq!(right.latest().read().map(|state| (**state, state.seq())), Some(("one", seq(1))));

    let _other = right.publisher();
    let refused = publish_all(&mut [a.stage(3), b.stage("three")]).unwrap_err();
    assert_eq!(refused, PublishReason::Fenced { at: None });
    assert_eq!((a.unstage(), b.unstage()), (Some(3), Some("three")));
    engine.pass();
    assert_eq!(**left.latest().read().unwrap(), 2);
    assert_eq!(publish_all(&mut []).unwrap_err(), PublishReason::NothingStaged);
    assert_eq!(publish_all(&mut [a.part()]).unwrap_err(), PublishReason::NothingStaged);
    let other = Engine::new();
    let mut c = other.slot().publisher();
    let refused = publish_all(&mut [a.stage(4), c.stage(5)]).unwrap_err();
    assert_eq!((refused, a.unstage(), c.unstage()), (PublishReason::Foreign, Some(4), Some(5)));
    // Of one slot twice: one of the two is fenced.
    let (mut old, mut new) = (left.publisher(), left.publisher());
    let refused = publish_all(&mut [new.stage(6), old.stage(7)]).unwrap_err();
    assert!(matches!(refused, PublishReason::Fenced { .. }));
    assert_eq!((new.unstage(), old.unstage()), (Some(6), Some(7)));
    engine.pass();
    assert_eq!(**left.latest().read().unwrap(), 2);
}

/// See above.
#[test]
fn a_batch_that_is_fenced_midway_comes_back() {
    for engine in engines() {
        to_the_end(move || {
            let slots: Vec<_> = (0..4).map(|_| engine.slot::<u64>()).collect();
            let over = Arc::new(AtomicBool::new(false));
            let thief = thread::spawn({
                let (slots, over) = (slots.clone(), over.clone());
                move || {
                    for round in 0.. {
                        if over.load(SeqCst) {
                            return;
                        }
                        drop(slots[round % 4].publisher());
                        thread::yield_now();
                    }
                }
            });
            let (mut published, mut refused) = (0, 0);
            for round in 1.. {
                if published >= 2000 && refused >= 200 || round > 2_000_000 {
                    break;
                }
                let mut publishers: Vec<_> = slots.iter().map(|slot| slot.publisher()).collect();
                let mut parts: Vec<_> =
                    publishers.iter_mut().map(|publisher| publisher.stage(round)).collect();
                let outcome = publish_all(&mut parts);
                drop(parts);
                match outcome {
                    Ok(mut publication) => {
                        let number = publication.stamp().unwrap();
                        published += 1;
                        for slot in &slots {
                            let state = slot.latest().get().unwrap();
                            assert_eq!((*state, state.seq()), (round, number));
                        }
                        assert!(publishers.iter_mut().all(|one| one.unstage().is_none()));
                    }
                    Err(reason) => {
                        assert!(matches!(reason, PublishReason::Fenced { .. }));
                        refused += 1;
                        for (slot, publisher) in slots.iter().zip(&mut publishers) {
                            assert_eq!(publisher.unstage(), Some(round));
                            assert!(slot.latest().get().is_none_or(|state| *state < round));
                        }
                    }
                }
            }
            over.store(true, SeqCst);
            thief.join().unwrap();
            assert!(published > 0 && refused > 0, "{published} published, {refused} refused");
        });
    }
}

/// Goal: a state that takes the place of those that wait leaves the states of a batch alone, all of which have their
/// number. Method: passes by hand.
#[test]
fn a_batch_is_never_conflated() {
    let engine = by_hand();
    let (left, right) = (engine.slot(), engine.slot());
    let (mut a, mut b) = (left.publisher(), right.publisher());
    let mut batch = publish_all(&mut [a.stage(1), b.stage(1)]).unwrap();
    let mut second = a.conflate(2).unwrap();
    let mut third = a.conflate(3).unwrap();
    assert_eq!(second.stamp(), Err(PublicationError::Conflated));
    engine.pass();
    assert_eq!((batch.stamp(), third.stamp()), (Ok(seq(1)), Ok(seq(2))));
    let [left, right] = [&left, &right].map(|slot| slot.latest().get().unwrap());
    assert_eq!(((left.seq(), *left), (right.seq(), *right)), ((seq(2), 3), (seq(1), 1)));
}

/// Goal: a destructor that panics when a batch is published keeps nothing in the other slots. Method: two slots, whose
/// old states panic, both.
#[test]
fn a_destructor_that_panics_does_not_stop_a_batch() {
    struct Panics(bool, u32);
    impl Drop for Panics {
        fn drop(&mut self) {
            assert!(!self.0, "as it was told to");
        }
    }
    let engine = Engine::new();
    let (left, right) = (engine.slot(), engine.slot());
    let (mut a, mut b) = (left.publisher(), right.publisher());
    let mut publish = |one, two| {
        let batch = || publish_all(&mut [a.stage(one), b.stage(two)]).map(drop);
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(batch))
    };
    let count = || [&left, &right].map(|slot| parts::states(&slot.latest()));
    publish(Panics(true, 1), Panics(true, 1)).unwrap().unwrap();
    publish(Panics(false, 2), Panics(false, 2)).unwrap_err();
    assert_eq!(count(), [1, 1], "what was published before is dropped in both");
    assert_eq!([&left, &right].map(|slot| slot.latest().get().unwrap().1), [2, 2]);
}
