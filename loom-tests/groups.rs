//! Broadcasts: several who read one slot, who come and go while its author looks for room.
//!
//! The values are boxed: one that is dropped while somebody reads it, or read after it was dropped, is a race on its slot,
//! which loom sees; one that is never dropped is a leak, which loom sees, too.

use loom::sync::Arc;
use loom::thread;
use mainspring::{Engine, Group, Receiver, RecvError, TrySendError};

use crate::harness::{Model, reach};
use crate::promises::engine;

pub const MODELS: &[Model] = &[
    Model {
        name: "group_slots_are_free_behind_the_slowest",
        preemptions: 2,
        executions_min: 500,
        reaches: &["a slot was used again"],
        body: slots_are_free_behind_the_slowest,
    },
    Model {
        name: "group_newcomer_against_the_slowest_head",
        preemptions: 2,
        executions_min: 500,
        reaches: &["the newcomer read", "the newcomer came too late"],
        body: newcomer_against_the_slowest_head,
    },
    Model {
        name: "group_member_removed_while_it_reads",
        preemptions: 3,
        executions_min: 300,
        reaches: &["it read", "it missed"],
        body: member_removed_while_it_reads,
    },
    Model {
        name: "group_member_removed_while_the_author_sleeps",
        preemptions: 2,
        executions_min: 100,
        reaches: &[],
        body: member_removed_while_the_author_sleeps,
    },
    Model {
        name: "group_member_dropped_while_the_author_sleeps",
        preemptions: 2,
        executions_min: 100,
        reaches: &[],
        body: member_dropped_while_the_author_sleeps,
    },
    Model {
        name: "group_member_that_reads_wakes_the_author",
        preemptions: 2,
        executions_min: 100,
        reaches: &[],
        body: member_that_reads_wakes_the_author,
    },
    Model {
        name: "group_stamped_for_all_or_for_none",
        preemptions: 2,
        executions_min: 100,
        reaches: &[],
        body: stamped_for_all_or_for_none,
    },
];

type Value = Arc<u64>;

fn group_of(engine: &Engine, members: usize) -> (Group<Value>, Vec<Receiver<Value>>) {
    let group = engine.group();
    let members = (0..members).map(|_| group.subscribe()).collect();
    engine.run_until_idle();
    (group, members)
}

/// What can be received without waiting, in `looks` looks.
fn take(member: &mut Receiver<Value>, looks: usize) -> Vec<u64> {
    (0..looks).filter_map(|_| member.try_recv_ref().ok().map(|value| **value)).collect()
}

/// A lane of one slot: the author writes the second value when both members have done with the first.
fn slots_are_free_behind_the_slowest() {
    let engine = engine(1, 2);
    let (group, mut members) = group_of(&engine, 2);
    let mut all = group.broadcaster();
    all.send(Arc::new(1)).unwrap();
    engine.run_until_idle();
    let mut second = members.pop().unwrap();
    let mut first = members.pop().unwrap();
    let reader = thread::spawn(move || {
        take(&mut first, 1);
        first
    });
    take(&mut second, 1);
    if all.try_send(Arc::new(2)).is_ok() {
        reach("a slot was used again");
    }
    let mut first = reader.join().unwrap();
    drop(all);
    let mut received = take(&mut first, 3);
    received.extend(take(&mut second, 3));
    assert!(received.iter().all(|&value| value == 2));
}

/// A member joins while the author reads the heads: it either holds the slot, or begins behind it.
fn newcomer_against_the_slowest_head() {
    let engine = engine(1, 4);
    let (group, mut members) = group_of(&engine, 1);
    let mut all = group.broadcaster();
    engine.run_until_idle();
    let joining = thread::spawn({
        let group = group.clone();
        move || {
            let mut newcomer = group.subscribe();
            let received = take(&mut newcomer, 2);
            (newcomer, received)
        }
    });
    let mut received = Vec::new();
    let mut sent = Vec::new();
    for value in [1, 2] {
        if all.try_send(Arc::new(value)).is_ok() {
            sent.push(value);
        }
        received.extend(take(&mut members[0], 1));
    }
    let (mut newcomer, mut of_newcomer) = joining.join().unwrap();
    drop(all);
    received.extend(take(&mut members[0], 3));
    of_newcomer.extend(take(&mut newcomer, 3));
    assert_eq!(received, sent);
    // The newcomer has the end of what was sent, without a gap.
    assert!(sent.ends_with(&of_newcomer), "{of_newcomer:?} of {sent:?}");
    reach(if of_newcomer.is_empty() { "the newcomer came too late" } else { "the newcomer read" });
}

/// Removed while it reads: either it reads the value, or it never touches the slot, which is then used again.
fn member_removed_while_it_reads() {
    let engine = engine(1, 4);
    let (group, mut members) = group_of(&engine, 1);
    let mut all = group.broadcaster();
    all.send(Arc::new(1)).unwrap();
    engine.run_until_idle();
    let mut member = members.pop().unwrap();
    let address = member.address();
    let reader = thread::spawn(move || {
        let received = take(&mut member, 1);
        (member, received)
    });
    assert!(group.remove(&address));
    let sent = all.try_send(Arc::new(2));
    let (mut member, received) = reader.join().unwrap();
    assert!(received == [1] || received.is_empty());
    reach(if received.is_empty() { "it missed" } else { "it read" });
    if let Err(TrySendError::Full(value)) = sent {
        // It was being read.
        all.try_send(value).unwrap();
    }
    drop(all);
    assert_eq!(member.recv().map(|_| ()), Err(RecvError));
    assert_eq!(member.missed() as usize + received.len(), 1);
}

fn full(engine: &Engine, group: &Group<Value>) -> thread::JoinHandle<()> {
    let mut all = group.broadcaster();
    all.send(Arc::new(1)).unwrap();
    engine.run_until_idle();
    thread::spawn(move || {
        // No room, until somebody makes some.
        all.send(Arc::new(2)).unwrap();
    })
}

fn member_removed_while_the_author_sleeps() {
    let engine = engine(1, 4);
    let (group, members) = group_of(&engine, 1);
    let author = full(&engine, &group);
    assert!(group.remove(&members[0].address()));
    author.join().unwrap();
}

fn member_dropped_while_the_author_sleeps() {
    let engine = engine(1, 4);
    let (group, members) = group_of(&engine, 1);
    let author = full(&engine, &group);
    drop(members);
    author.join().unwrap();
}

fn member_that_reads_wakes_the_author() {
    let engine = engine(1, 4);
    let (group, mut members) = group_of(&engine, 1);
    let author = full(&engine, &group);
    assert_eq!(*members[0].recv().unwrap().1, 1);
    author.join().unwrap();
    assert_eq!(*members[0].recv().unwrap().1, 2);
}

/// One member's inbox is full: the other is told neither of the broadcast nor of a clock beyond it.
fn stamped_for_all_or_for_none() {
    let engine = engine(2, 2);
    let (group, mut members) = group_of(&engine, 2);
    let (mut one, mut other) = (group.broadcaster(), group.broadcaster());
    engine.run_until_idle();
    let mut second = members.pop().unwrap();
    let mut first = members.pop().unwrap();
    let reader = thread::spawn(move || {
        let received = take(&mut second, 2);
        (second, received)
    });
    for value in [1, 2] {
        one.try_send(Arc::new(value)).unwrap();
        other.try_send(Arc::new(value + 2)).unwrap();
        engine.pass();
    }
    let caught_up = first.caught_up_to();
    let mut received = take(&mut first, 2);
    assert!(received.len() as u64 >= caught_up.get().min(2));
    let (mut second, mut of_second) = reader.join().unwrap();
    drop((one, other));
    received.extend(take(&mut first, 5));
    of_second.extend(take(&mut second, 5));
    assert_eq!(received, of_second);
    assert_eq!(received.len(), 4);
}
