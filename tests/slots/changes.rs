//! Waiting for a slot to change.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use mainspring::{Engine, WaitError, WaitTimeoutError, parts};

use super::executors::block_on;
use super::support::{TILL_ASLEEP, to_the_end, until_kicked_since};
use super::{by_hand, engines, seq};

/// Goal: who waits hears of a change, whatever the drive, and of the end. Method: two threads that answer each other by
/// slots, so a change that is not heard of hangs.
#[test]
fn who_waits_for_a_change_hears_of_it() {
    for engine in engines() {
        to_the_end(move || {
            let (there, back) = (engine.slot(), engine.slot());
            let (mut question, mut answer) = (there.publisher(), back.publisher());
            let (mut asked, mut answered) = (there.latest(), back.latest());
            drop((there, back));
            let other = thread::spawn(move || {
                while let Ok(state) = asked.wait_changed() {
                    let state = **state;
                    drop(answer.publish(state).unwrap());
                }
            });
            for round in 0..20_000_u32 {
                drop(question.publish(round).unwrap());
                assert_eq!(**answered.wait_changed().unwrap(), round);
            }
            drop(question);
            other.join().unwrap();
            assert_eq!(answered.wait_changed().unwrap_err(), WaitError);
            assert_eq!(answered.seen(), seq(40_000), "no number but theirs");
        });
    }
}

/// Goal: the same for tasks. Method: two tasks on two threads.
#[test]
fn tasks_that_wait_for_a_change_hear_of_it() {
    to_the_end(|| {
        let engine = Engine::new();
        let (there, back) = (engine.slot(), engine.slot());
        let (mut question, mut answer) = (there.publisher(), back.publisher());
        let (mut asked, mut answered) = (there.latest(), back.latest());
        drop((there, back));
        let other = thread::spawn(move || {
            block_on(async {
                while let Ok(state) = asked.changed().await {
                    let state = **state;
                    drop(answer.publish(state).unwrap());
                }
            });
        });
        block_on(async {
            for round in 0..20_000_u32 {
                drop(question.publish(round).unwrap());
                assert_eq!(**answered.changed().await.unwrap(), round);
            }
            drop(question);
            assert_eq!(answered.changed().await.unwrap_err(), WaitError);
        });
        other.join().unwrap();
    });
}

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, SeqCst);
    }
}

/// Goal: a task sleeps until there is a change, which is when the state has its number; given up, it leaves nothing
/// behind. Method: polls by hand, a waker that counts and is counted.
#[test]
fn a_task_sleeps_until_there_is_a_change() {
    let engine = by_hand();
    let slot = engine.slot();
    let (mut publisher, mut latest) = (slot.publisher(), slot.latest());
    let wakes = Arc::new(Wakes::default());
    let waker = Waker::from(wakes.clone());
    let mut cx = Context::from_waker(&waker);
    let mut change = Box::pin(latest.changed());
    for _ in 0..TILL_ASLEEP {
        assert!(change.as_mut().poll(&mut cx).is_pending());
    }
    let before = wakes.0.load(SeqCst);
    drop(publisher.publish(1).unwrap());
    assert_eq!(wakes.0.load(SeqCst), before);
    assert!(change.as_mut().poll(&mut cx).is_pending());
    engine.pass();
    assert_eq!(wakes.0.load(SeqCst), before + 1);
    let Poll::Ready(Ok(state)) = change.as_mut().poll(&mut cx) else { panic!("it has changed") };
    assert_eq!(**state, 1);
    drop(change);

    let mut change = Box::pin(latest.changed());
    for _ in 0..TILL_ASLEEP {
        assert!(change.as_mut().poll(&mut cx).is_pending());
    }
    drop(change);
    drop(waker);
    assert_eq!(Arc::strong_count(&wakes), 1);
}

/// Goal: a wait ends in time, with the last publisher, and with the engine. Method: one of each, the last two by
/// another thread while the first sleeps.
#[test]
fn a_wait_for_a_change_ends() {
    let engine = Engine::new();
    let slot = engine.slot::<u32>();
    let publisher = slot.publisher();
    let mut latest = slot.latest();
    let timeout = latest.wait_changed_timeout(Duration::from_millis(1)).unwrap_err();
    assert_eq!(timeout, WaitTimeoutError::Timeout);

    let asleep = |mut latest: mainspring::Latest<u32>| {
        let before = parts::kicks(&engine);
        let waiter = thread::spawn(move || latest.wait_changed().map(|state| **state));
        until_kicked_since(&engine, before);
        waiter
    };
    let waiter = asleep(slot.latest());
    drop(publisher);
    let mut second = slot.publisher();
    drop(second.publish(7).unwrap());
    assert_eq!(waiter.join().unwrap(), Ok(7), "a slot could make another publisher");

    latest.read();
    let waiter = asleep(latest.clone());
    drop((second, slot));
    assert_eq!(waiter.join().unwrap(), Err(WaitError));

    let slot = engine.slot();
    let waiter = asleep(slot.latest());
    drop(engine.close(Duration::ZERO));
    assert_eq!(waiter.join().unwrap(), Err(WaitError));
}

/// Goal: what the last publisher has put in is not missed because it has gone. Method: passes by hand.
#[test]
fn the_last_state_comes_before_the_end() {
    let engine = by_hand();
    let slot = engine.slot();
    let (mut publisher, mut latest) = (slot.publisher(), slot.latest());
    drop(publisher.publish(1).unwrap());
    drop((publisher, slot));
    let timeout = latest.wait_changed_timeout(Duration::from_millis(1)).unwrap_err();
    assert_eq!(timeout, WaitTimeoutError::Timeout, "it has no number yet");
    engine.pass();
    assert_eq!(**latest.wait_changed().unwrap(), 1);
    assert_eq!(latest.wait_changed().unwrap_err(), WaitError);
}

/// Goal: `at_least` shows nothing older than the number that was told. Method: a number that is told by another thread
/// before the reader can see it, and one that never comes.
#[test]
fn at_least_shows_what_has_that_number() {
    let engine = by_hand();
    let slot = engine.slot();
    let (mut publisher, mut latest) = (slot.publisher(), slot.latest());
    drop(publisher.publish(1).unwrap());
    let timeout = latest.at_least(1.into(), Duration::from_millis(1)).unwrap_err();
    assert_eq!(timeout, WaitTimeoutError::Timeout);
    let passing = thread::spawn({
        let engine = engine.clone();
        move || engine.pass()
    });
    let state = latest.at_least(1.into(), Duration::from_secs(60)).unwrap();
    assert_eq!(state.map(|state| **state), Some(1));
    passing.join().unwrap();
}
