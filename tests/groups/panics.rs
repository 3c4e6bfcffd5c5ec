//! Panics of others: a clone, a destructor. Nothing is lost but what it was about, and nothing is dropped twice.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use mainspring::{Event, Receiver};

use crate::{by_hand, engine_and_group};

/// How many there are of each value.
#[derive(Clone, Default)]
struct Living(Arc<[AtomicUsize; 16]>);

impl Living {
    fn value(&self, id: usize) -> Value {
        self.0[id].fetch_add(1, SeqCst);
        Value { id, living: self.clone(), shy: false, fragile: false }
    }

    fn shy(&self, id: usize) -> Value {
        let mut value = self.value(id);
        value.shy = true;
        value
    }

    fn fragile(&self, id: usize) -> Value {
        let mut value = self.value(id);
        value.fragile = true;
        value
    }

    fn there_are(&self, id: usize) -> usize {
        self.0[id].load(SeqCst)
    }

    fn all_are_gone(&self) -> bool {
        self.0.iter().all(|living| living.load(SeqCst) == 0)
    }
}

/// A value that may not want to be cloned, or to go.
struct Value {
    id: usize,
    living: Living,
    shy: bool,
    fragile: bool,
}

impl Value {
    /// Without its destructor.
    fn quietly(mut self) -> usize {
        self.fragile = false;
        self.id
    }
}

impl Clone for Value {
    fn clone(&self) -> Self {
        assert!(!self.shy, "shy");
        self.living.value(self.id)
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        let before = self.living.0[self.id].fetch_sub(1, SeqCst);
        assert!(before > 0, "dropped twice");
        assert!(!self.fragile, "fragile");
    }
}

fn panics<R>(what: impl FnOnce() -> R) -> bool {
    catch_unwind(AssertUnwindSafe(what)).is_err()
}

/// Ways to take one message or more; what came is added.
type Way = fn(&mut Receiver<Value>, &mut Vec<usize>);

const WAYS: [Way; 6] = [
    |rx, ids| ids.push(rx.recv().unwrap().1.quietly()),
    |rx, ids| ids.push(rx.try_recv().unwrap().1.quietly()),
    |rx, ids| {
        if let Event::Message(_, value) = rx.recv_event().unwrap() {
            ids.push(value.quietly());
        }
    },
    |rx, ids| {
        rx.recv_batch(16, |_, value| ids.push(value.quietly())).ok();
    },
    |rx, ids| {
        rx.try_recv_batch(2, |_, value| ids.push(value.quietly())).ok();
    },
    |rx, ids| ids.push(rx.messages().next().unwrap().1.quietly()),
];

/// Goal: a clone that panics costs this one member this one message. Method: three of six values do not want to be
/// cloned, the first and the last among them; each way to receive; another member reads by reference. Then the lane
/// goes on, and everything is dropped once.
#[test]
fn a_panicking_clone_costs_one_member_one_message() {
    for way in WAYS {
        let living = Living::default();
        let (engine, group) = engine_and_group(8);
        let (mut clones, mut looks) = (group.subscribe(), group.subscribe());
        let mut all = group.broadcaster();
        engine.run_until_idle();
        for round in 0..5 {
            let values = (0..6)
                .map(|id| if id % 5 == 0 || id == 2 { living.shy(id) } else { living.value(id) });
            assert!(all.send_batch(values).is_ok());
            all.stamped().unwrap();
            let (mut ids, mut panicked) = (Vec::new(), 0);
            while ids.len() + panicked < 6 {
                panicked += usize::from(panics(|| way(&mut clones, &mut ids)));
            }
            assert_eq!((ids.as_slice(), panicked), (&[1, 3, 4][..], 3), "round {round}");
            for id in 0..6 {
                assert_eq!(looks.recv_ref().unwrap().id, id);
            }
        }
        assert_eq!(clones.missed(), 0);
        drop((clones, looks, all));
        assert!(living.all_are_gone());
    }
}

/// Goal: what panics in a batch has been received, the next has not, also by reference; slots go back all the same.
/// Method: `f` panics at every second message.
#[test]
fn a_batch_whose_function_panics_goes_on_with_the_next() {
    for by_ref in [false, true] {
        let engine = by_hand(4, 4);
        let group = engine.group();
        let mut rx = group.subscribe();
        let mut all = group.broadcaster();
        let mut seen = Vec::new();
        for round in 0..10_u64 {
            assert_eq!(all.send_batch(4 * round..4 * round + 4).unwrap(), 4);
            engine.run_until_idle();
            for _ in 0..2 {
                let mut see = |number: u64, value: u64| {
                    seen.push((number, value));
                    assert!(value.is_multiple_of(2), "odd");
                };
                assert!(panics(|| if by_ref {
                    rx.try_recv_batch_ref(9, |seq, &value| see(seq.get(), value))
                } else {
                    rx.try_recv_batch(9, |seq, value| see(seq.get(), value))
                }));
            }
            assert!(rx.is_empty());
        }
        assert_eq!(seen, (0..40).map(|value| (value + 1, value)).collect::<Vec<_>>());
    }
}

/// Goal: a destructor that panics when the broadcaster drops what all have passed goes on in the sender; what was to
/// be sent is dropped, the rest is as it should be. Method: a fragile value among others; each way to send and
/// `reclaim` meet it.
#[test]
fn a_panicking_destructor_of_a_passed_value_goes_on_in_the_sender() {
    type Send = fn(&mut mainspring::Broadcaster<Value>, &Living);
    const WAYS: [Send; 5] = [
        |all, living| drop(all.send(living.value(4))),
        |all, living| drop(all.try_send(living.value(4))),
        |all, living| drop(all.send_batch((4..8).map(|id| living.value(id)))),
        |all, living| drop(all.send_stamped(living.value(4))),
        |all, _| all.reclaim(),
    ];
    for way in WAYS {
        let living = Living::default();
        let (engine, group) = engine_and_group(4);
        let (mut one, mut other) = (group.subscribe(), group.subscribe());
        let mut all = group.broadcaster();
        engine.run_until_idle();
        for id in 0..4 {
            let value = if id == 1 { living.fragile(id) } else { living.value(id) };
            assert!(all.send(value).is_ok());
        }
        all.stamped().unwrap();
        for rx in [&mut one, &mut other] {
            (0..4).for_each(|id| assert_eq!(rx.recv_ref().unwrap().id, id));
        }
        assert!(panics(|| way(&mut all, &living)));
        // All that was passed is gone, and what was to be sent.
        assert!(living.all_are_gone());
        for id in 8..12 {
            assert!(all.try_send(living.value(id)).is_ok());
        }
        all.stamped().unwrap();
        let mut ids = Vec::new();
        one.recv_batch(9, |_, value| ids.push(value.quietly())).unwrap();
        assert_eq!(ids, [8, 9, 10, 11]);
        drop((all, one, other));
        assert!(living.all_are_gone());
    }
}

/// Goal: destructors that panic at a lane's end disturb nobody else, and all the others run. Method: unread and passed
/// values, every second one fragile; the last owner is the broadcaster, or a member that leaves or reads to the end.
#[test]
fn panicking_destructors_at_the_end_of_a_lane() {
    for last in 0..3 {
        let living = Living::default();
        let (engine, group) = engine_and_group(16);
        let (mut one, mut other) = (group.subscribe(), group.subscribe());
        let mut all = group.broadcaster();
        engine.run_until_idle();
        for id in 0..8 {
            let value = if id % 2 == 1 { living.fragile(id) } else { living.value(id) };
            assert!(all.send(value).is_ok());
        }
        all.stamped().unwrap();
        one.recv_batch_ref(5, |_, _| ()).unwrap();
        other.recv_batch_ref(3, |_, _| ()).unwrap();
        match last {
            0 => {
                drop((one, other));
                assert!(panics(|| drop(all)));
            }
            1 => {
                drop((all, one));
                assert!(panics(|| drop(other)));
            }
            _ => {
                drop((all, one));
                let end = panics(|| while other.recv_ref().is_ok() {});
                assert!(end);
                assert!(other.recv_ref().is_err());
            }
        }
        assert!(living.all_are_gone(), "{}", (0..8).map(|id| living.there_are(id)).sum::<usize>());
        let (mut tx, mut rx) = engine.channel();
        tx.send(1).unwrap();
        assert_eq!(rx.recv().unwrap().1, 1);
    }
}
