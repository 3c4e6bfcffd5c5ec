//! Many slots at one number.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use mainspring::{AddressError, Cut, CutError, Engine, Latest, Slot, parts, publish_all};

use super::support::{Drops, to_the_end};
use super::{by_hand, engines, seq};

/// Goal: a cut shows each slot as it was at its number, also slots that are read later. Method: passes by hand, states
/// before, at and after, and one that waits.
#[test]
fn a_cut_shows_slots_as_they_were() {
    let engine = by_hand();
    let slots: [Slot<u32>; 3] = std::array::from_fn(|_| engine.slot());
    let [mut a, mut b, mut c] = slots.each_ref().map(Slot::publisher);
    let [left, right, late] = slots.each_ref().map(Slot::latest);
    drop(a.publish(1).unwrap());
    drop(b.publish(2).unwrap());
    engine.pass();
    drop(a.publish(3).unwrap());
    let cut = engine.cut().unwrap();
    assert_eq!(cut.seq(), seq(2));
    engine.pass();
    for state in 4..20 {
        drop(a.publish(state).unwrap());
        drop(b.publish(state).unwrap());
        drop(c.publish(state).unwrap());
        engine.pass();
        assert!(parts::states(&left) <= 3);
    }
    let at = |latest: &Latest<u32>| cut.read(latest).unwrap().map(|state| (*state, state.seq()));
    assert_eq!([at(&left), at(&right), at(&late)], [Some((1, seq(1))), Some((2, seq(2))), None]);
    let other = Engine::new().slot::<u32>().latest();
    assert_eq!(cut.read(&other).unwrap_err(), AddressError::Foreign);
}

/// Goal: what was kept for a cut alone is dropped with it. Method: values that are counted, two cuts at one number, one
/// at another.
#[test]
fn what_was_kept_for_a_cut_is_dropped_with_it() {
    let (engine, drops) = (Engine::new(), Drops::default());
    let slot = engine.slot();
    let (mut publisher, latest) = (slot.publisher(), slot.latest());
    let mut publish = || drop(publisher.publish(drops.value()).unwrap());
    publish();
    let [first, same] = [(); 2].map(|()| engine.cut().unwrap());
    publish();
    let later = engine.cut().unwrap();
    (0..10).for_each(|_| publish());
    assert_eq!((drops.count(), parts::states(&latest)), (9, 3));
    drop(first);
    assert_eq!((drops.count(), parts::states(&latest)), (9, 3));
    drop(same);
    assert_eq!((drops.count(), parts::states(&latest)), (10, 2));
    drop(later);
    assert_eq!((drops.count(), parts::states(&latest)), (11, 1));
}

/// Goal: a cut is at or above what its reader has seen, what it asks for, and within its limits. Method: each.
#[test]
fn a_cut_is_no_older_than_what_was_seen() {
    let engine = Engine::new();
    let (one, other) = (engine.slot(), engine.slot());
    let (mut publisher, mut latest) = (one.publisher(), one.latest());
    let published = publisher.publish(1).unwrap().seq().unwrap();
    latest.read();
    let both = [&latest, &other.latest()];
    let cut = Cut::take(&both).unwrap();
    let states = cut.read_all(&both).unwrap();
    assert!(cut.seq() >= published);
    assert_eq!(
        states.iter().map(|state| state.as_deref().copied()).collect::<Vec<_>>(),
        [Some(1), None]
    );
    assert!(engine.cut_at_least(published).unwrap().seq() >= published);
    let foreign = Engine::new().slot().latest();
    assert_eq!(Cut::take(&[&latest, &foreign]).unwrap_err(), CutError::Foreign);
    assert_eq!(Cut::take::<u32>(&[]).unwrap_err(), CutError::NoSlot);
    let mut cuts: Vec<_> = (0..63).map(|_| engine.cut().unwrap()).collect();
    assert_eq!(engine.cut().unwrap_err(), CutError::TooMany(64));
    cuts.pop();
    drop(engine.cut().unwrap());
    drop(cuts);
    drop(engine.close(Duration::ZERO));
    assert_eq!(engine.cut_at_least(seq(1000)).unwrap_err(), CutError::Closed);
}

const SLOTS: usize = 1000;
const EACH: i64 = 100;

/// Goal: what is published together is seen together, at full rate. Method: threads that transfer between a thousand
/// slots, two at a time; others that cut all of them and add up, some having read just above the clock before. For so
/// many seconds as `MAINSPRING_SUM` says; the test's own are few.
#[test]
fn every_cut_has_the_right_sum() {
    let seconds = std::env::var("MAINSPRING_SUM").ok().and_then(|text| text.parse().ok());
    let each = Duration::from_secs_f64(seconds.unwrap_or(2.0) / 3.0);
    for engine in engines() {
        to_the_end(move || transfers(&engine, each));
    }
}

fn transfers(engine: &Engine, length: Duration) {
    const AUTHORS: usize = 3;
    let slots: Vec<_> = (0..SLOTS).map(|_| engine.slot::<i64>()).collect();
    let mut publishers: Vec<_> = slots.iter().map(Slot::publisher).collect();
    let mut all: Vec<_> = publishers.iter_mut().map(|publisher| publisher.stage(EACH)).collect();
    let start = publish_all(&mut all).unwrap().stamp().unwrap();
    drop(all);
    let over = Arc::new(AtomicBool::new(false));
    let done = Arc::new(AtomicU64::new(0));
    let mut authors = Vec::new();
    for author in 0..AUTHORS {
        let mut own: Vec<_> = publishers
            .split_off(publishers.len() - SLOTS / AUTHORS)
            .into_iter()
            .map(|publisher| (publisher, EACH))
            .collect();
        let (over, done) = (over.clone(), done.clone());
        authors.push(thread::spawn(move || {
            let mut random = fastrand::Rng::with_seed(author as u64);
            while !over.load(SeqCst) {
                let (from, to) = (random.usize(0..own.len() - 1), own.len() - 1);
                own.swap(random.usize(0..to), to);
                let [(a, has), (b, gets)] = own.get_disjoint_mut([from, to]).unwrap();
                let amount = random.i64(0..50);
                (*has, *gets) = (*has - amount, *gets + amount);
                drop(publish_all(&mut [a.stage(*has), b.stage(*gets)]).unwrap());
                done.fetch_add(1, SeqCst);
            }
        }));
    }
    let readers: Vec<_> = (0..2)
        .map(|way| {
            let mut latest: Vec<_> = slots.iter().map(Slot::latest).collect();
            let (over, engine) = (over.clone(), engine.clone());
            thread::spawn(move || {
                let mut cuts = 0_u64;
                while !over.load(SeqCst) || cuts == 0 {
                    let cut = if way == 0 {
                        engine.cut_at_least(start).unwrap()
                    } else {
                        let nth = cuts as usize % SLOTS;
                        latest[nth].read();
                        let seen = latest[nth].seen();
                        let cut = Cut::take(&[&latest[nth]]).unwrap();
                        assert!(cut.seq() >= seen);
                        cut
                    };
                    let value = |one| *cut.read(one).unwrap().expect("it was there at the start");
                    let sum: i64 = latest.iter().map(value).sum();
                    assert_eq!(sum, EACH * SLOTS as i64, "at {}", cut.seq());
                    assert_eq!(latest.iter().rev().map(value).sum::<i64>(), sum, "read again");
                    cuts += 1;
                }
                cuts
            })
        })
        .collect();
    let began = Instant::now();
    while began.elapsed() < length && !readers.iter().any(thread::JoinHandle::is_finished) {
        thread::yield_now();
    }
    over.store(true, SeqCst);
    authors.into_iter().for_each(|author| author.join().unwrap());
    for reader in readers {
        assert!(reader.join().unwrap() > 0);
    }
    assert!(done.load(SeqCst) > 1000);
}

/// Goal: whose destructor panics when a cut ends keeps nobody else's states, nor does its slot forget to look after the
/// next cut. Method: three slots, of which one panics, and two cuts, one after the other.
#[test]
fn a_destructor_that_panics_keeps_nothing_of_others() {
    struct Panics(bool);
    impl Drop for Panics {
        fn drop(&mut self) {
            assert!(!self.0, "as it was told to");
        }
    }
    let engine = Engine::new();
    let slots: [Slot<Panics>; 3] = std::array::from_fn(|_| engine.slot());
    let mut publishers = slots.each_ref().map(Slot::publisher);
    let mut publish = |panics| {
        for publisher in &mut publishers {
            drop(publisher.publish(Panics(panics)).unwrap());
        }
    };
    let kept = || slots.each_ref().map(|slot| parts::states(&slot.latest()));
    publish(true);
    let cut = engine.cut().unwrap();
    publish(false);
    assert_eq!(kept(), [2; 3]);
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(cut))).unwrap_err();
    assert_eq!(kept(), [1; 3]);
    let cut = engine.cut().unwrap();
    publish(false);
    assert_eq!(kept(), [2; 3]);
    drop(cut);
    assert_eq!(kept(), [1; 3]);
}
