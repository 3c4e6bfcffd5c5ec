//! Broadcasts: several who read one slot, who come and go while its author looks for room.
//!
//! The values are boxed: one that is dropped while somebody reads it, or read after it was dropped, is a race on
//! its slot, which loom sees; one that is never dropped is a leak, which loom sees, too.

use loom::sync::Arc;
use loom::thread;
use mainspring::{Broadcaster, Engine, Group, Receiver, RecvError, TrySendError, parts};

use crate::harness::{Model, reach};
use crate::promises::engine;

pub const MODELS: &[Model] = &[
    Model {
        name: "group_slots_are_free_behind_the_slowest",
        preemptions: 4,
        executions_min: 30,
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
        executions_min: 50,
        reaches: &[],
        body: member_that_reads_wakes_the_author,
    },
    Model {
        name: "group_stamped_for_all_or_for_none",
        preemptions: 3,
        executions_min: 20,
        reaches: &["the other had read", "the other had not read"],
        body: stamped_for_all_or_for_none,
    },
    Model {
        name: "group_newcomer_that_sleeps",
        preemptions: 2,
        executions_min: 100,
        reaches: &[],
        body: newcomer_that_sleeps,
    },
    Model {
        name: "group_member_removed_by_a_third",
        preemptions: 2,
        executions_min: 100,
        reaches: &["a slot was used again"],
        body: removed_by_a_third,
    },
    Model {
        name: "group_member_that_reads_and_goes",
        preemptions: 3,
        executions_min: 50,
        reaches: &["a slot was used again"],
        body: member_that_reads_and_goes,
    },
    Model {
        name: "group_author_that_waits_hears_of_a_newcomer",
        preemptions: 2,
        executions_min: 100,
        reaches: &[],
        body: author_that_waits_hears_of_a_newcomer,
    },
    Model {
        name: "group_member_that_reads_on",
        preemptions: 3,
        executions_min: 20,
        reaches: &["a slot was used again"],
        body: member_that_reads_on,
    },
    Model {
        name: "group_first_member",
        preemptions: 2,
        executions_min: 100,
        reaches: &["it came too late", "it read"],
        body: first_member,
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

/// A member of a group whose broadcaster has filled its lane of `capacity` slots; all of it is numbered.
fn begun(capacity: usize) -> (Group<Value>, Receiver<Value>, Broadcaster<Value>) {
    let engine = engine(capacity, 4);
    let (group, mut members) = group_of(&engine, 1);
    let mut all = group.broadcaster();
    for value in 1..=capacity as u64 {
        all.send(Arc::new(value)).unwrap();
    }
    engine.run_until_idle();
    (group, members.remove(0), all)
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
    let (group, mut member, mut all) = begun(1);
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
    assert_eq!(member.recv().map(|_| ()), Err(RecvError::Closed));
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
    let engine = engine(4, 1);
    let (group, mut members) = group_of(&engine, 2);
    let mut all = group.broadcaster();
    for value in [1, 2] {
        all.send(Arc::new(value)).unwrap();
        engine.run_until_idle();
    }
    let mut second = members.pop().unwrap();
    let mut first = members.pop().unwrap();
    // Both inboxes are full, with the place for broadcasts.
    all.send(Arc::new(3)).unwrap();
    let reader = thread::spawn(move || {
        let received = take(&mut second, 1);
        (second, received)
    });
    let mut received = take(&mut first, 1);
    engine.pass();
    let clock = engine.clock().now().get();
    reach(if clock == 3 { "the other had read" } else { "the other had not read" });
    received.extend(take(&mut first, 1));
    assert_eq!((received.len(), clock >= 2), (2, true));
    let (mut second, mut of_second) = reader.join().unwrap();
    drop(all);
    received.extend(take(&mut first, 3));
    of_second.extend(take(&mut second, 4));
    assert_eq!((received, of_second), (vec![1, 2, 3], vec![1, 2, 3]));
}

/// One who sleeps is made a member: what is sent then finds that somebody wants to hear of it, or is found by the
/// pass that takes the member in.
fn newcomer_that_sleeps() {
    let engine = engine(2, 4);
    let (group, mut members) = group_of(&engine, 1);
    let mut all = group.broadcaster();
    all.send(Arc::new(1)).unwrap();
    engine.run_until_idle();
    // The lane is hot now, and nobody wants to hear of it.
    take(&mut members[0], 1);
    let mut sleeper = engine.receiver::<Value>();
    let address = sleeper.address();
    let passes = parts::passes(&engine);
    let sleeper = thread::spawn(move || assert_eq!(*sleeper.recv().unwrap().1, 2));
    while parts::passes(&engine).is_none_or(|now| Some(now) == passes) {
        thread::yield_now();
    }
    // It makes no pass any more, until it is woken.
    let joining = thread::spawn(move || group.join(&address).unwrap());
    all.send(Arc::new(2)).unwrap();
    joining.join().unwrap();
    sleeper.join().unwrap();
}

/// The same, where the author, the member, and whoever removes it are three.
fn removed_by_a_third() {
    let (group, mut member, mut all) = begun(1);
    let address = member.address();
    let reader = thread::spawn(move || {
        take(&mut member, 1);
    });
    let remover = thread::spawn(move || assert!(group.remove(&address)));
    if all.try_send(Arc::new(2)).is_ok() {
        reach("a slot was used again");
    }
    remover.join().unwrap();
    reader.join().unwrap();
}

/// A member reads, and goes: its slot is used again when it has read.
fn member_that_reads_and_goes() {
    let (_group, mut member, mut all) = begun(1);
    let reader = thread::spawn(move || {
        // Forgotten: nothing but its going says that it has done with the slot.
        if let Ok(value) = member.try_recv_ref() {
            assert_eq!(**value, 1);
            std::mem::forget(value);
        }
    });
    for value in [2, 3] {
        if all.try_send(Arc::new(value)).is_ok() {
            reach("a slot was used again");
        }
    }
    reader.join().unwrap();
}

/// A group without members gets one, while its author sends to nobody.
fn first_member() {
    let engine = engine(1, 4);
    let (group, _) = group_of(&engine, 0);
    let mut all = group.broadcaster();
    engine.run_until_idle();
    all.send(Arc::new(1)).unwrap();
    let joining = thread::spawn(move || {
        let mut member = group.subscribe();
        let received = take(&mut member, 1);
        (member, received)
    });
    let sent: Vec<_> =
        [2, 3].into_iter().filter(|&value| all.try_send(Arc::new(value)).is_ok()).collect();
    let (mut member, mut received) = joining.join().unwrap();
    drop(all);
    received.extend(take(&mut member, 2));
    assert!(sent.ends_with(&received), "{received:?} of {sent:?}");
    reach(if received.is_empty() { "it came too late" } else { "it read" });
}

/// The only member has no room; another joins, which has.
fn author_that_waits_hears_of_a_newcomer() {
    let engine = engine(1, 4);
    let (group, _members) = group_of(&engine, 1);
    let mut out = engine.outbox();
    let to = out.add_group(&group).unwrap();
    out.send_next(to, Arc::new(1)).unwrap();
    engine.run_until_idle();
    let author = thread::spawn(move || out.send_next(to, Arc::new(2)).unwrap());
    let _newcomer = group.subscribe();
    author.join().unwrap();
}

/// A member reads the second message: the slot of the first is used again, which it has read before.
fn member_that_reads_on() {
    let (_group, mut member, mut all) = begun(2);
    let reader = thread::spawn(move || {
        take(&mut member, 2);
        member
    });
    if all.try_send(Arc::new(3)).is_ok() {
        reach("a slot was used again");
    }
    reader.join().unwrap();
}
