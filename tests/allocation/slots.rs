//! What slots cost, in memory.

use mainspring::{Drive, Engine, publish_all};

use super::{asked_by, assert_allocates_nothing, kept_by};

/// Goal: publishing and reading cost no memory, if nobody else passes and nobody keeps what was read. Method: each way
/// many times.
#[test]
fn states_allocate_nothing() {
    let engine = Engine::new();
    let slot = engine.slot();
    let (mut publisher, mut latest) = (slot.publisher(), slot.latest());
    assert_allocates_nothing("publishing", || drop(publisher.publish([1_u64; 16]).unwrap()));
    assert_allocates_nothing("conflating", || drop(publisher.conflate([2; 16]).unwrap()));
    assert_allocates_nothing("publishing and reading", || {
        drop(publisher.publish([3; 16]).unwrap());
        assert_eq!(latest.get().unwrap()[0], 3);
    });
    assert_allocates_nothing("reading", || assert_eq!(latest.read().unwrap()[0], 3));
    assert_allocates_nothing("a cut of the newest", || {
        let cut = engine.cut().unwrap();
        assert_eq!(cut.read(&latest).unwrap().unwrap()[0], 3);
    });
}

/// Goal: slots that have gone leave nothing behind. Method: a million, each used in every way, with passes by callers
/// and by hand.
#[test]
fn a_million_slots_leave_nothing_behind() {
    for drive in [Drive::Callers, Drive::manual(|| {})] {
        let engine = Engine::builder().drive(drive).build().unwrap();
        let cycle = || {
            let (one, other) = (engine.slot(), engine.slot());
            let (mut a, mut b) = (one.publisher(), other.publisher());
            drop(a.publish([1_u64; 4]).unwrap());
            drop(publish_all(&mut [a.stage([2; 4]), b.stage(2_u8)]).unwrap());
            engine.pass();
            let (mut latest, cut) = (one.latest(), engine.cut().unwrap());
            drop(a.conflate([3; 4]).unwrap());
            drop(a.conflate([4; 4]).unwrap());
            engine.pass();
            assert_eq!(*cut.read(&latest).unwrap().unwrap(), [2; 4]);
            let mut second = one.publisher();
            let kept = latest.get().unwrap();
            drop(second.publish([5; 4]).unwrap());
            latest.read();
            drop((one, a, second, latest, cut));
            assert_eq!(*kept, [4; 4]);
        };
        (0..100).for_each(|_| cycle());
        assert_eq!(kept_by(|| (0..250_000).for_each(|_| cycle())), 0);
    }
}

/// Goal: what a slot costs when nothing happens is known. Method: a thousand with a state each, no handle but a reader.
#[test]
fn an_idle_slot_takes_this_many_bytes() {
    let engine = Engine::new();
    let mut readers = Vec::with_capacity(1000);
    let bytes = kept_by(|| {
        for state in 0..1000_u64 {
            let slot = engine.slot();
            drop(slot.publisher().publish(state).unwrap());
            readers.push(slot.latest());
        }
    });
    assert_eq!(bytes % 1000, 0);
    let each = bytes / 1000;
    assert!((200..=320).contains(&each), "{each} bytes");
    assert_eq!(asked_by(|| drop(readers)), (0, 0));
}

/// Goal: what is conflated while nobody passes takes no memory, however much it is. Method: a hundred thousand states,
/// beside a few marks that wait.
#[test]
fn conflated_states_take_no_memory() {
    let engine = Engine::builder().drive(Drive::manual(|| {})).build().unwrap();
    let slot = engine.slot();
    let (mut publisher, marker) = (slot.publisher(), engine.marker());
    let bytes = kept_by(|| {
        for state in 0..100_000_u64 {
            if state.is_multiple_of(10_000) {
                drop(marker.submit());
            }
            drop(publisher.conflate(state).unwrap());
        }
    });
    assert!(bytes < 50_000, "{bytes} bytes");
    engine.pass();
    assert_eq!(engine.clock().now().get(), 11);
    assert_eq!(slot.latest().get().as_deref(), Some(&99_999));
}
