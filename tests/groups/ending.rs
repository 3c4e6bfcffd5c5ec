//! Ends: in any order, of anyone, with anything unread; of the engine, too. And values of every size.

use std::mem::forget;
use std::sync::Arc;
use std::thread;

use mainspring::{Broadcaster, Engine, Event, Group, Receiver};

use crate::support::{Counted, Drops, to_the_end, until_kicked_since};
use crate::{RecvError, TryRecvError, by_hand, engine_and_group, parts, take};

/// All that there is to be dropped.
struct Ends {
    broadcaster: Option<Broadcaster<Arc<Counted>>>,
    members: [Option<Receiver<Arc<Counted>>>; 2],
    group: Option<Group<Arc<Counted>>>,
    engine: Option<Engine>,
}

impl Ends {
    fn end(&mut self, which: usize) {
        match which {
            0 => drop(self.broadcaster.take()),
            1 | 2 => drop(self.members[which - 1].take()),
            3 => drop(self.group.take()),
            _ => drop(self.engine.take()),
        }
    }
}

/// All orders of `0 .. count`.
fn permutations(count: usize) -> Vec<Vec<usize>> {
    let Some(last) = count.checked_sub(1) else { return vec![Vec::new()] };
    let shorter = permutations(last);
    let with = |at: usize| {
        shorter.iter().map(move |order| {
            let mut order = order.clone();
            order.insert(at, last);
            order
        })
    };
    (0..count).flat_map(with).collect()
}

/// Goal: every value is dropped once, in whatever order the ends go, whatever was read, by value, by reference or
/// forgotten, numbered or not. Method: all 120 orders, each after six histories, by hand and by callers.
#[test]
fn every_value_is_dropped_once_in_any_order_of_ends() {
    for order in permutations(5) {
        for history in 0..6 {
            for manual in [false, true] {
                let drops = Drops::default();
                let engine = if manual { by_hand(2, 8) } else { engine_and_group::<u8>(8).0 };
                let group = engine.group();
                let mut members = [group.subscribe(), group.subscribe()];
                let mut broadcaster = group.broadcaster();
                engine.run_until_idle();
                let mut send = |count: usize| {
                    broadcaster.send_batch((0..count).map(|_| Arc::new(drops.value()))).unwrap();
                };
                send(3);
                if history > 0 {
                    engine.run_until_idle();
                }
                let address = members[0].address();
                match history {
                    2 => drop(members[0].recv().unwrap()),
                    3 => forget(members[0].recv_ref().unwrap()),
                    4 => drop(members[1].recv_batch_ref(2, |_, _| ())),
                    5 => {
                        forget(members[0].recv_ref().unwrap());
                        assert!(group.remove(&address));
                    }
                    _ => {}
                }
                send(2);
                let members = members.map(Some);
                let (broadcaster, group, engine) = (Some(broadcaster), Some(group), Some(engine));
                let mut ends = Ends { broadcaster, members, group, engine };
                for &which in &order {
                    ends.end(which);
                }
                drop(address);
                assert_eq!(drops.count(), 5, "order {order:?}, history {history}");
            }
        }
    }
}

/// Goal: what a broadcaster has left is still read when all others are gone: it, its group, its engine.
#[test]
fn what_was_sent_is_received_when_all_else_is_gone() {
    let (engine, group) = engine_and_group(8);
    let mut rx = group.subscribe();
    let mut all = group.broadcaster();
    all.send_batch(0..8).unwrap();
    drop((all, group, engine));
    let got: Vec<u64> = rx.messages().map(|(_, value)| value).collect();
    assert_eq!(got, (0..8).collect::<Vec<_>>());
}

/// Goal: a poisoned engine wakes and closes everyone and gives values back. Method: a broadcaster sleeps on a full
/// lane, another for its number, a member for a message and one for the clock.
#[test]
fn a_poisoned_engine_closes_groups() {
    to_the_end(|| {
        let engine = Engine::builder().inbox(1).capacity(2).build().unwrap();
        let group = engine.group::<u64>();
        let stuck = group.subscribe();
        let (mut quick, other) = (group.subscribe(), engine.group::<u64>());
        let (mut waits, mut listens) = (other.subscribe(), other.subscribe());
        let (mut full, mut unnumbered, silent) =
            (group.broadcaster(), group.broadcaster(), other.broadcaster());
        let before = parts::kicks(&engine);
        let threads = [
            thread::spawn(move || {
                let failed = (0..100).find_map(|value| full.send(value).err()).unwrap();
                let again = full.try_send(failed.value).is_err();
                assert!(again && full.send_stamped(1).is_err() && full.send_batch([1, 2]).is_err());
            }),
            thread::spawn(move || {
                let failed = (1000..1100).find_map(|value| unnumbered.send_stamped(value).err());
                assert!(failed.unwrap().value >= 1000);
            }),
            thread::spawn(move || assert_eq!(waits.recv_ref().err(), Some(RecvError::Closed))),
            thread::spawn(move || while let Ok(Event::Clock(_)) = listens.recv_event() {}),
        ];
        until_kicked_since(&engine, before + 4);
        parts::poison(&engine);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        while quick.recv().is_ok() {}
        assert_eq!(quick.try_recv(), Err(TryRecvError::Closed));
        group.remove(&stuck.address());
        group.leave(&quick.address());
        assert_eq!(group.subscribe().recv(), Err(RecvError::Closed));
        drop((silent, stuck));
    });
}

/// Goal: values of no size and of many bytes. Method: both, in lanes of 1 and 8, by clone and by reference.
#[test]
fn values_of_any_size_are_broadcast() {
    #[derive(Clone, Debug, PartialEq)]
    struct Page([u8; 4096]);
    for capacity in [1, 8] {
        let (_engine, group) = engine_and_group::<()>(capacity);
        let (mut one, mut other) = (group.subscribe(), group.subscribe());
        let mut all = group.broadcaster();
        for number in 1..=100_u64 {
            all.send(()).unwrap();
            assert_eq!(one.recv(), Ok((number.into(), ())));
            assert_eq!(other.recv_ref().unwrap().seq().get(), number);
        }

        let (_engine, group) = engine_and_group::<Page>(capacity);
        let (mut one, mut other) = (group.subscribe(), group.subscribe());
        let mut all = group.broadcaster();
        for number in 1..=100_u64 {
            let page = Page([number as u8; 4096]);
            all.send(page.clone()).unwrap();
            assert!(*other.recv_ref().unwrap() == page);
            assert_eq!(one.recv().unwrap().1, page);
        }
    }
}

/// Goal: the dispatcher's last word on a lane is its rest, also where a member joins just before the end. Method: by
/// hand: subscribed, sent to and ended before a pass.
#[test]
fn who_joins_just_before_the_end_gets_the_rest() {
    let engine = by_hand(1, 4);
    let group = engine.group();
    let mut all = group.broadcaster();
    engine.run_until_idle();
    let mut rx = group.subscribe();
    all.send_batch([1, 2]).unwrap();
    drop(all);
    let mut late = group.subscribe();
    engine.run_until_idle();
    assert_eq!(take(&mut rx), [(1, 1), (2, 2)]);
    assert_eq!(rx.try_recv(), Err(TryRecvError::Closed));
    assert_eq!(late.try_recv(), Err(TryRecvError::Empty), "it never had a source");
}
