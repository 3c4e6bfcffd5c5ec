//! What is not yet as promised.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use mainspring::{Drive, Engine, Event, Receiver, Seq, TrySendError};

use crate::support::until_kicked_since;
use crate::{by_hand, engine_and_group, parts, take};

/// Whatever takes as long hangs.
const LONG: Duration = Duration::from_secs(10);

/// A value that may not want to be cloned.
#[derive(Debug)]
struct Shy(u64, bool);

impl Clone for Shy {
    fn clone(&self) -> Self {
        assert!(!self.1, "shy");
        Self(self.0, false)
    }
}

/// Goal: whoever sleeps is woken by what is sent to it, also by the first message of a lane that others have been
/// hearing of. Method: a broadcast to those who were members before, or to nobody; then a newcomer sleeps.
#[test]
fn a_newcomer_that_sleeps_is_woken() {
    for (first, joins) in [(true, false), (true, true), (false, false)] {
        let (engine, group) = engine_and_group(8);
        let mut members: Vec<_> = (0..usize::from(first)).map(|_| group.subscribe()).collect();
        let mut all = group.broadcaster();
        all.send_stamped(1).unwrap();
        members.iter_mut().for_each(|member| assert!(member.recv().is_ok()));
        let mut newcomer = if joins { engine.receiver() } else { group.subscribe() };
        if joins {
            group.join(&newcomer.address()).unwrap();
        }
        let before = parts::kicks(&engine);
        let reader = thread::spawn(move || newcomer.recv_timeout(LONG));
        until_kicked_since(&engine, before);
        // Kicked, it looks once more, and falls asleep.
        (0..100).for_each(|_| thread::yield_now());
        all.send(2).unwrap();
        assert_eq!(reader.join().unwrap(), Ok((Seq::new(2), 2)), "{first} {joins}");
    }
}

/// Goal: O1, O4: a message has its own number, whatever became of those before it. Method: a run of five, of which the
/// second does not want to be cloned; each way to receive.
#[test]
fn the_next_message_has_its_own_number_after_a_panicking_clone() {
    type Way = fn(&mut Receiver<Shy>, &mut Vec<(u64, u64)>);
    const WAYS: [Way; 4] = [
        |rx, got| got.extend(rx.recv().map(|(seq, value)| (seq.get(), value.0))),
        |rx, got| got.extend(rx.try_recv().map(|(seq, value)| (seq.get(), value.0))),
        |rx, got| {
            if let Ok(Event::Message(seq, value)) = rx.recv_event() {
                got.push((seq.get(), value.0));
            }
        },
        |rx, got| {
            rx.recv_batch(9, |seq, value| got.push((seq.get(), value.0))).ok();
        },
    ];
    for way in WAYS {
        let (engine, group) = engine_and_group(8);
        let mut rx = group.subscribe();
        let mut all = group.broadcaster();
        engine.run_until_idle();
        all.send_batch((1..=5).map(|value| Shy(value, value == 2))).unwrap();
        let mut got = Vec::new();
        while got.len() < 4 {
            catch_unwind(AssertUnwindSafe(|| way(&mut rx, &mut got))).ok();
        }
        assert_eq!(got, [(1, 1), (3, 3), (4, 4), (5, 5)]);
    }
}

/// Goal: after a panic in `clone` nothing is held: the slot goes back, and a removed member holds up nobody. Method:
/// the last message that there is panics; it is then looked at, or the member removed.
#[test]
fn a_member_whose_clone_panicked_holds_nothing() {
    for removed in [false, true] {
        let engine = by_hand(8, 1);
        let group = engine.group();
        let mut rx = group.subscribe();
        let mut all = group.broadcaster();
        all.send(Shy(1, true)).unwrap();
        engine.run_until_idle();
        assert!(catch_unwind(AssertUnwindSafe(|| rx.try_recv())).is_err());
        if removed {
            group.remove(&rx.address());
            engine.run_until_idle();
        } else {
            assert_eq!(rx.len(), 0);
        }
        assert!(all.try_send(Shy(2, false)).is_ok());
    }
}

/// Goal: a sender that was to nobody from the beginning becomes a broadcaster like any other. Method: a clone of a
/// sender whose receiver had gone. The passes are made by another thread, for they may not end.
#[test]
fn a_sender_to_nobody_becomes_a_broadcaster() {
    let engine = Arc::new(by_hand(8, 8));
    let (sender, rx) = engine.channel();
    engine.run_until_idle();
    drop(rx);
    engine.run_until_idle();
    let group = engine.group();
    let mut member = group.subscribe();
    let mut all = sender.clone().into_broadcaster(&group).unwrap();
    all.send(1).unwrap();
    let (done, wait) = channel();
    let passes = engine;
    thread::spawn(move || {
        passes.run_until_idle();
        done.send(()).ok();
    });
    assert_eq!(wait.recv_timeout(LONG), Ok(()), "passes without end");
    assert_eq!(take(&mut member), [(1, 1)]);
}

/// What the hook of an engine does, once.
type Act = Arc<Mutex<Option<Box<dyn FnOnce() + Send>>>>;

/// An engine by hand whose hook does what is put there.
fn with_hook() -> (Arc<Engine>, Act) {
    let act: Act = Arc::default();
    let acts = act.clone();
    let drive = Drive::manual(move || {
        let act = acts.lock().unwrap().take();
        if let Some(act) = act {
            act();
        }
    });
    (Arc::new(Engine::builder().drive(drive).build().unwrap()), act)
}

/// Goal: who leaves gets what was numbered before, and no more: there is one moment at which it leaves, whoever sends.
/// Method: the hook, which is called between the ends of its two places, passes, lets both send, and passes.
#[test]
fn one_who_leaves_does_so_at_one_moment() {
    let (engine, act) = with_hook();
    let group = engine.group();
    let (alone, mut rx) = engine.channel();
    group.join(&rx.address()).unwrap();
    let mut casters = [group.broadcaster(), group.broadcaster()];
    engine.run_until_idle();
    casters.iter_mut().for_each(|all| all.send(0).unwrap());
    engine.run_until_idle();
    let inner = engine.clone();
    *act.lock().unwrap() = Some(Box::new(move || {
        inner.run_until_idle();
        for value in 1..5 {
            casters.iter_mut().for_each(|all| all.send(value).unwrap());
            inner.run_until_idle();
        }
    }));
    assert!(group.leave(&rx.address()));
    engine.run_until_idle();
    let numbers: Vec<u64> = take(&mut rx).into_iter().map(|(number, _)| number).collect();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>(), "a gap");
    drop(alone);
}

/// Goal: what a broadcaster that has ended has left is for those who are members when it is numbered, until they have
/// received it or are removed. Method: by hand; three messages numbered, one not; then it ends.
#[test]
fn the_rest_of_an_ended_broadcaster_is_for_its_members_only() {
    let engine = by_hand(8, 8);
    let group = engine.group();
    let (alone, mut joins) = engine.channel();
    let (mut leaves, mut is_removed) = (group.subscribe(), group.subscribe());
    let keeps = group.broadcaster();
    let mut all = group.broadcaster();
    all.send_batch(1..=3).unwrap();
    engine.run_until_idle();
    all.send(4).unwrap();
    drop(all);
    assert!(group.leave(&leaves.address()) && group.remove(&is_removed.address()));
    group.join(&joins.address()).unwrap();
    engine.run_until_idle();
    let got = [&mut joins, &mut leaves, &mut is_removed].map(take);
    assert_eq!(got, [vec![(4, 4)], vec![(1, 1), (2, 2), (3, 3)], Vec::new()]);
    assert_eq!(is_removed.missed(), 3);
    drop((alone, keeps));
}

/// Goal: O4: nothing comes twice, however a membership ends and begins again. Method: the hook, which is called between
/// the ends of a leaving member's two places, makes it join again, and passes.
#[test]
fn one_who_joins_again_while_it_leaves_gets_nothing_twice() {
    let (engine, act) = with_hook();
    let group = engine.group();
    let (alone, mut rx) = engine.channel();
    group.join(&rx.address()).unwrap();
    let (mut one, mut two) = (group.broadcaster(), group.broadcaster());
    engine.run_until_idle();
    one.send(1).unwrap();
    two.send(2).unwrap();
    let (inner, group_again, address) = (engine.clone(), group.clone(), rx.address());
    *act.lock().unwrap() = Some(Box::new(move || {
        group_again.join(&address).unwrap();
        inner.run_until_idle();
    }));
    assert!(group.leave(&rx.address()));
    engine.run_until_idle();
    let got = take(&mut rx);
    assert!(got.is_sorted_by(|one, next| one.0 < next.0), "{got:?}");
    drop((alone, one, two, group, act));
}

/// Goal: whoever holds up a broadcaster can be found and removed, also one who has left without having read all.
#[test]
fn one_who_has_left_and_does_not_read_can_be_removed() {
    let (_engine, group) = engine_and_group(2);
    let stuck = group.subscribe();
    let mut all = group.broadcaster();
    all.send(1).unwrap();
    all.send_stamped(2).unwrap();
    assert!(group.leave(&stuck.address()));
    assert_eq!(all.try_send(3), Err(TrySendError::Full(3)));
    assert_eq!(all.slowest().map(|slowest| slowest.member), Some(stuck.address()));
    group.remove(&stuck.address());
    assert_eq!(all.try_send(3), Ok(()));
}

/// Goal: `slowest` names a member while there is one. Method: behind the members is one who was removed, and holds a
/// message.
#[test]
fn the_slowest_is_named_beside_one_who_was_removed() {
    let (engine, group) = engine_and_group(4);
    let (mut holder, member) = (group.subscribe(), group.subscribe());
    let mut all = group.broadcaster();
    engine.run_until_idle();
    all.send(1).unwrap();
    let address = holder.address();
    let held = holder.recv_ref().unwrap();
    assert!(group.remove(&address));
    assert_eq!(all.slowest().map(|slowest| slowest.member), Some(member.address()));
    drop(held);
}

/// Goal: `len` counts what was sent to this receiver. Method: what is sent after it has left is not.
#[test]
fn one_who_has_left_has_nothing_to_receive() {
    let (engine, group) = engine_and_group(4);
    let (left, stays) = (group.subscribe(), group.subscribe());
    let mut all = group.broadcaster();
    engine.run_until_idle();
    all.send_stamped(1).unwrap();
    assert!(group.leave(&left.address()));
    all.send_stamped(2).unwrap();
    assert_eq!((left.len(), stays.len()), (1, 2));
    assert_eq!(engine.stats().receivers[0].lag, 1);
}

/// Goal: a closed engine gives every value back, also to a broadcaster that is made afterwards.
#[test]
fn a_broadcaster_of_a_poisoned_engine_is_closed() {
    let (engine, group) = engine_and_group(2);
    let member = group.subscribe();
    parts::poison(&engine);
    let mut all = group.broadcaster();
    let results = [(); 4].map(|()| all.try_send(7));
    assert_eq!(results, [Err(TrySendError::Closed(7)); 4]);
    drop(member);
}

/// Goal: what is sent after `subscribe` has returned, on the same thread, reaches the newcomer. Method: another thread
/// passes all the time.
#[test]
fn what_is_sent_after_subscribing_is_received() {
    let (engine, group) = engine_and_group(4);
    let mut all = group.broadcaster();
    let over = AtomicBool::new(false);
    let lost = thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(SeqCst) {
                engine.pass();
            }
        });
        let mut lost = Vec::new();
        for round in 0..20_000 {
            let mut rx = group.subscribe();
            let seq = all.send_stamped(round).unwrap();
            match rx.try_recv() {
                Ok(received) => assert_eq!(received, (seq, round)),
                Err(_) => lost.push((seq, rx.joined_at())),
            }
        }
        over.store(true, SeqCst);
        lost
    });
    assert!(lost.is_empty(), "{} are lost, first: {:?}", lost.len(), lost.first());
}

/// Goal: whatever was forgotten, a batch ends, and takes what is there. Method: of four messages two are forgotten, in
/// a lane of a sender and in one of a broadcaster; then a batch by value or by reference takes the rest. In another
/// thread, for it may not end.
#[test]
fn a_batch_after_forgotten_messages_ends() {
    for (alone, by_ref) in [(true, true), (true, false), (false, true), (false, false)] {
        let engine = by_hand(8, 4);
        let group = engine.group();
        let (mut tx, mut rx) = engine.channel();
        group.join(&rx.address()).unwrap();
        let mut all = group.broadcaster();
        let sent = if alone { tx.send_batch(1..=4) } else { all.send_batch(1..=4) };
        assert_eq!(sent.unwrap(), 4);
        engine.run_until_idle();
        (0..2).for_each(|_| std::mem::forget(rx.recv_ref().unwrap()));
        let (done, wait) = channel();
        thread::spawn(move || {
            let mut got = Vec::new();
            if by_ref {
                rx.recv_batch_ref(9, |_, &value| got.push(value)).unwrap();
            } else {
                rx.recv_batch(9, |_, value| got.push(value)).unwrap();
            }
            done.send(got).ok();
        });
        assert_eq!(wait.recv_timeout(LONG), Ok(vec![3, 4]), "alone {alone}, by reference {by_ref}");
    }
}
