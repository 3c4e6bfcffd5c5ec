//! What receivers that mind each other, merges, clocks and progress say when their engine is closed.

use std::thread;
use std::time::Duration;

use mainspring::{
    Drive, Engine, Event, Merge, Receiver, RecvError, Seq, TryRecvError, WaitError, parts,
};

use crate::support::{to_the_end, until_kicked_since};
use crate::{LONG, drives};

fn all_of(rx: &mut Receiver<u64>) -> Vec<u64> {
    rx.messages().map(|(_, n)| n).collect()
}

/// Passes until the clock stands there; beside a dispatcher thread one pass may come too soon.
fn pass_up_to(engine: &Engine, number: u64) {
    while engine.clock().now().get() < number {
        engine.pass();
    }
}

/// All that a receiver is given, in one of the ways of waiting, and whether closed was final.
fn read_to_the_end(way: usize, mut rx: Receiver<u64>) -> (Vec<u64>, bool) {
    let mut read = Vec::new();
    match way {
        0 => read = all_of(&mut rx),
        1 => {
            while let Ok(event) = rx.recv_event() {
                if let Event::Message(_, n) = event {
                    read.push(n);
                }
            }
        }
        2 => smol::future::block_on(async {
            while let Ok((_, n)) = rx.recv_async().await {
                read.push(n);
            }
        }),
        3 => smol::future::block_on(async {
            while let Ok(event) = rx.recv_event_async().await {
                if let Event::Message(_, n) = event {
                    read.push(n);
                }
            }
        }),
        4 => {
            let mut merge = Merge::new([rx]).unwrap();
            read.extend(merge.messages().map(|(_, n)| n));
            return (read, merge.recv() == Err(RecvError::Closed));
        }
        _ => {
            let mut merge = Merge::new([rx]).unwrap();
            while let Ok(event) = merge.recv_event() {
                if let Event::Message(_, n) = event {
                    read.push(n);
                }
            }
            return (read, merge.recv() == Err(RecvError::Closed));
        }
    }
    let is_final = rx.recv() == Err(RecvError::Closed);
    (read, is_final)
}

/// Goal: what was handed out is still received in its order, by a receiver that is behind another, too; and closed is
/// final. Method: the one that is ahead begins to read only when the other sleeps, in each way of waiting.
#[test]
fn a_receiver_behind_another_still_reads_what_was_handed_out() {
    for way in 0..6 {
        to_the_end(move || {
            let engine = Engine::new();
            let (mut to_first, mut first) = engine.channel();
            let (mut to_second, mut second) = engine.channel();
            second.behind(&[first.progress()]).unwrap();
            for n in 0..10 {
                to_first.send_stamped(n).unwrap();
                to_second.send_stamped(n).unwrap();
            }
            assert_eq!(engine.close(Duration::ZERO).left.len(), 2);
            assert_eq!(second.try_recv(), Err(TryRecvError::Empty));
            let before = parts::kicks(&engine);
            let reader = thread::spawn(move || read_to_the_end(way, second));
            until_kicked_since(&engine, before);
            assert_eq!(all_of(&mut first), (0..10).collect::<Vec<_>>());
            drop(first);
            assert_eq!(reader.join().unwrap(), ((0..10).collect(), true), "way {way}");
        });
    }
}

/// Goal: the same of a chain while the engine is being closed: all of it is read.
#[test]
fn a_chain_is_drained() {
    for drive in [Drive::Callers, Drive::thread(mainspring::Idle::Park)] {
        to_the_end(move || {
            let engine = Engine::builder().capacity(8).inbox(2).drive(drive).build().unwrap();
            let group = engine.group::<u64>();
            let mut all = group.broadcaster();
            let mut stages: Vec<Receiver<u64>> = Vec::new();
            for _ in 0..4 {
                let mut stage = group.subscribe();
                if let Some(before) = stages.last_mut() {
                    stage.behind(&[before.progress()]).unwrap();
                }
                stages.push(stage);
            }
            let author = thread::spawn(move || (0..).take_while(|&n| all.send(n).is_ok()).count());
            let threads: Vec<_> = stages
                .into_iter()
                .map(|mut stage| thread::spawn(move || all_of(&mut stage).len()))
                .collect();
            engine.clock().wait_for(Seq::new(200)).unwrap();
            let report = engine.close(LONG);
            assert!(report.is_clean(), "{report}");
            let sent = author.join().unwrap();
            for stage in threads {
                assert_eq!(stage.join().unwrap(), sent);
            }
        });
    }
}

/// Goal: a merge yields all that was handed out, in the order of the numbers, then its last clock, then the end.
#[test]
fn a_merge_yields_what_was_handed_out() {
    for drive in drives() {
        let engine = Engine::builder().drive(drive).build().unwrap();
        let (mut to_one, one) = engine.channel();
        let (mut to_two, two) = engine.channel();
        let mut merge: Merge<u64> = one.merge(two).unwrap();
        for n in 0..10 {
            to_one.send(2 * n).unwrap();
            pass_up_to(&engine, 2 * n + 1);
            to_two.send(2 * n + 1).unwrap();
            pass_up_to(&engine, 2 * n + 2);
        }
        let report = engine.close(Duration::ZERO);
        assert_eq!(report.clock.get(), 20);
        for n in 0..20 {
            assert_eq!(merge.recv_event(), Ok(Event::Message(Seq::new(n + 1), n)));
        }
        assert_eq!(merge.recv_event(), Err(RecvError::Closed));
        assert_eq!(merge.try_recv(), Err(TryRecvError::Closed));
    }
}

/// Goal: a receiver is told one last clock, then the end; numbers that came are still reached, others never.
#[test]
fn the_last_clock_is_told() {
    for drive in drives() {
        let engine = Engine::builder().drive(drive).build().unwrap();
        let (mut tx, mut rx) = engine.channel::<u64>();
        let (mut elsewhere, mut other) = engine.channel::<u64>();
        let progress = other.progress();
        // All have joined before the first number.
        while rx.joined_at().is_none() || other.joined_at().is_none() {
            engine.pass();
        }
        tx.send(1).unwrap();
        pass_up_to(&engine, 1);
        elsewhere.send(2).unwrap();
        let report = engine.close(Duration::ZERO);
        assert_eq!(report.clock.get(), 2);
        assert_eq!(rx.recv_event(), Ok(Event::Message(1.into(), 1)));
        assert_eq!(rx.recv_event(), Ok(Event::Clock(2.into())));
        assert_eq!(rx.recv_event(), Err(RecvError::Closed));
        assert_eq!(engine.clock().wait_for(2.into()), Ok(2.into()));
        assert_eq!(engine.clock().wait_for(3.into()), Err(WaitError));
        assert_eq!(smol::future::block_on(engine.clock().reached(2.into())), Ok(2.into()));
        assert_eq!(smol::future::block_on(engine.clock().reached(3.into())), Err(WaitError));
        assert_eq!(progress.wait_for(2.into()), Err(WaitError));
        assert_eq!(smol::future::block_on(progress.reached(2.into())), Err(WaitError));
        assert_eq!(other.recv(), Ok((2.into(), 2)));
        assert_eq!(other.recv(), Err(RecvError::Closed));
        assert_eq!(progress.wait_for(2.into()), Ok(2.into()));
    }
}

/// Goal: a broadcast that cannot be handed out names the member whose inbox is full, for the other members, too.
#[test]
fn a_broadcast_names_who_holds_it_up() {
    let engine = Engine::new();
    let group = engine.group::<u64>();
    let slow = engine.options().name("slow").inbox(1).receiver().unwrap();
    let fast = engine.options().name("fast").receiver().unwrap();
    group.join(&slow.address()).unwrap();
    group.join(&fast.address()).unwrap();
    let mut all = group.broadcaster();
    for n in 0..4 {
        all.send(n).unwrap();
        engine.pass();
    }
    let report = engine.close(Duration::ZERO);
    for left in &report.left {
        assert!(left.unnumbered > 0, "{report}");
    }
    let of_fast = report.left.iter().find(|left| left.receiver.to_string() == "fast").unwrap();
    let holders: Vec<_> = of_fast.held_by.iter().map(ToString::to_string).collect();
    assert!(holders.contains(&"slow".to_owned()), "{report}");
    drop((slow, fast));
}
