//! Every async form, in every executor.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use mainspring::{Engine, Event, Follower, Merge, Progress, Receiver, Seq, WaitError};
use parking_lot::Mutex;
use smol::stream::StreamExt;

use crate::executors::{Job, all, job, yield_now};
use crate::support::{Letter, Stamped, assert_whole, to_the_end};

const EACH: u64 = 300;

/// What was received, by all tasks.
type Letters = Arc<Mutex<Vec<Stamped>>>;

fn letter(author: usize, index: u64) -> Letter {
    Letter { author, index }
}

/// Reads as a task until the receiver closes, in the way that its place says.
async fn read(place: usize, mut rx: Receiver<Letter>, to: Letters) {
    let mut told = Seq::ZERO;
    let mut note = |seq: Seq, letter| {
        assert!(seq > told, "told {seq} after {told}");
        told = seq;
        to.lock().push((seq.get(), letter));
    };
    match place % 4 {
        0 => {
            while let Ok((seq, letter)) = rx.recv_async().await {
                note(seq, letter);
            }
        }
        1 => {
            while let Some((seq, letter)) = rx.next().await {
                note(seq, letter);
            }
        }
        2 => while rx.recv_batch_async(5, &mut note).await.is_ok() {},
        _ => {
            let mut clock = Seq::ZERO;
            while let Ok(event) = rx.recv_event_async().await {
                match event {
                    Event::Message(seq, letter) => {
                        assert!(seq > clock, "{seq} comes after the clock {clock}");
                        note(seq, letter);
                    }
                    Event::Clock(seq) => {
                        assert!(seq > clock);
                        clock = seq;
                    }
                    event => panic!("what is {event:?}"),
                }
            }
        }
    }
    assert!(rx.is_closed() && rx.is_empty());
}

/// Goal: O1 to O5 hold for what tasks send and receive, in every form. Method: senders, an outbox and a broadcaster,
/// with lanes of two and inboxes of two, so that all of them wait for room; four receivers, each in its way; and tasks
/// that wait for the clock and for progress meanwhile.
#[test]
fn every_form_in_every_executor() {
    for &runtime in all() {
        to_the_end(move || {
            let engine = Engine::builder().capacity(2).inbox(2).build().unwrap();
            let letters = Letters::default();
            let mut jobs: Vec<Job> = Vec::new();
            let mut receivers: Vec<_> = (0..4).map(|_| engine.receiver::<Letter>()).collect();
            let all: Progress = receivers.iter_mut().map(Receiver::progress).collect();

            let mut tx = engine.sender(&receivers[0].address()).unwrap();
            jobs.push(job(async move {
                for index in 0..EACH {
                    tx.send_async(letter(0, index)).await.unwrap();
                }
            }));
            let mut tx = engine.sender(&receivers[1].address()).unwrap();
            let clock = engine.clock();
            jobs.push(job(async move {
                for index in 0..EACH {
                    let seq = tx.send_stamped_async(letter(1, index)).await.unwrap();
                    assert!(clock.now() >= seq);
                }
            }));
            let mut out = engine.outbox();
            let targets: Vec<_> =
                receivers.iter().map(|rx| out.add(&rx.address()).unwrap()).collect();
            jobs.push(job(async move {
                for index in 0..EACH {
                    let to = targets[index as usize % 4];
                    out.send_async(to, letter(2, index)).await.unwrap();
                }
            }));
            for (place, rx) in receivers.into_iter().enumerate() {
                jobs.push(job(read(place, rx, letters.clone())));
            }
            let total = 3 * EACH;
            for number in [1, total / 2, total] {
                let (clock, all) = (engine.clock(), all.clone());
                jobs.push(job(async move {
                    let number = Seq::new(number);
                    assert!(clock.reached(number).await.unwrap() >= number);
                    assert!(all.reached(number).await.unwrap() >= number);
                }));
            }
            drop(engine);
            runtime.run(jobs);
            let mut letters = std::mem::take(&mut *letters.lock());
            letters.sort_unstable_by_key(|&(number, _)| number);
            assert_whole(&letters, &[EACH; 3]);
        });
    }
}

/// Goal: what a task broadcasts reaches every member task once, with one number, also those that are slow. Method: a
/// lane of two; three members that clone, one of them yields between two; the broadcaster waits for the slowest.
#[test]
fn broadcasts_reach_every_member_task() {
    for &runtime in all() {
        to_the_end(move || {
            let engine = Engine::builder().capacity(2).inbox(2).build().unwrap();
            let group = engine.group::<u64>();
            let sum = Arc::new(AtomicU64::new(0));
            let mut jobs: Vec<Job> = Vec::new();
            for place in 0..3 {
                let (mut member, sum) = (group.subscribe(), sum.clone());
                jobs.push(job(async move {
                    let mut next = 0;
                    while let Ok((seq, value)) = member.recv_async().await {
                        assert_eq!((seq.get(), value), (next + 1, next));
                        next += 1;
                        if place == 0 {
                            yield_now().await;
                        }
                    }
                    sum.fetch_add(next, SeqCst);
                }));
            }
            let mut all = group.broadcaster();
            jobs.push(job(async move {
                for value in 0..EACH {
                    if value % 7 == 0 {
                        assert_eq!(all.send_stamped_async(value).await.unwrap().get(), value + 1);
                    } else {
                        all.send_async(value).await.unwrap();
                    }
                }
            }));
            drop((group, engine));
            runtime.run(jobs);
            assert_eq!(sum.load(SeqCst), 3 * EACH);
        });
    }
}

/// Goal: a merge is read by a task in every form, in order, also when its receivers are behind others, who are tasks,
/// too. Method: two receivers behind a third that gets everything first; its progress is what the merge waits for.
#[test]
fn a_merge_of_receivers_behind_others_is_a_stream() {
    for &runtime in all() {
        for form in 0..4 {
            to_the_end(move || {
                let engine = Engine::builder().capacity(4).inbox(4).build().unwrap();
                let (mut to_journal, mut journal) = engine.channel::<u64>();
                let (mut to_one, mut one) = engine.channel::<u64>();
                let (mut to_two, mut two) = engine.channel::<u64>();
                let handled = Arc::new(AtomicU64::new(0));
                one.behind(&[journal.progress()]).unwrap();
                two.behind(&[journal.progress()]).unwrap();
                let mut merge = Merge::new([one, two]).unwrap();
                let mut jobs: Vec<Job> = Vec::new();
                jobs.push(job(async move {
                    for index in 0..EACH {
                        to_journal.send_stamped_async(index).await.unwrap();
                        let to = if index % 2 == 0 { &mut to_one } else { &mut to_two };
                        to.send_stamped_async(index).await.unwrap();
                    }
                }));
                let journaled = handled.clone();
                jobs.push(job(async move {
                    while let Some((_, index)) = journal.next().await {
                        yield_now().await;
                        journaled.store(index + 1, SeqCst);
                    }
                }));
                jobs.push(job(async move {
                    let mut next = 0;
                    let mut told = Seq::ZERO;
                    let mut note = |seq: Seq, index: u64| {
                        assert!(seq > told && index == next, "{index} for {next}");
                        assert!(handled.load(SeqCst) > index, "overtook the journal");
                        (told, next) = (seq, next + 1);
                    };
                    match form {
                        0 => {
                            while let Ok((seq, index)) = merge.recv_async().await {
                                note(seq, index);
                            }
                        }
                        1 => {
                            while let Some((seq, index)) = merge.next().await {
                                note(seq, index);
                            }
                        }
                        2 => while merge.recv_batch_async(3, &mut note).await.is_ok() {},
                        _ => {
                            while let Ok(event) = merge.recv_event_async().await {
                                if let Event::Message(seq, index) = event {
                                    note(seq, index);
                                }
                            }
                        }
                    }
                    assert_eq!(next, EACH);
                }));
                drop(engine);
                runtime.run(jobs);
            });
        }
    }
}

/// Goal: a follower delivers to tasks, in the order given above, in every form. Method: two tasks read an engine and
/// forward what they get or waive it; a third reads what comes out.
#[test]
fn a_follower_delivers_to_tasks() {
    for &runtime in all() {
        for form in 0..4 {
            to_the_end(move || {
                let engine = Engine::builder().capacity(4).inbox(4).build().unwrap();
                let follower = Follower::new();
                let mut below = follower.receiver::<u64>();
                let mut jobs: Vec<Job> = Vec::new();
                for _ in 0..2 {
                    let (mut tx, mut rx) = engine.channel::<u64>();
                    let mut forwarder = follower.forwarder(&below.address()).unwrap();
                    jobs.push(job(async move {
                        for n in 0..EACH {
                            tx.send_async(n).await.unwrap();
                        }
                    }));
                    jobs.push(job(async move {
                        while let Ok(event) = rx.recv_event_async().await {
                            match event {
                                Event::Message(seq, n) => forwarder.forward(seq, n).unwrap(),
                                Event::Clock(seq) => forwarder.advance(seq).unwrap(),
                                _ => {}
                            }
                        }
                    }));
                }
                let (clock, reached) = (follower.clock(), follower.clock());
                jobs.push(job(async move {
                    assert!(reached.reached(Seq::new(2 * EACH)).await.unwrap().get() >= 2 * EACH);
                }));
                jobs.push(job(async move {
                    let mut came = 0;
                    let mut note = |seq: Seq, _| {
                        came += 1;
                        assert_eq!(seq.get(), came);
                    };
                    match form {
                        0 => {
                            while let Ok((seq, n)) = below.recv_async().await {
                                note(seq, n);
                            }
                        }
                        1 => {
                            while let Some((seq, n)) = below.next().await {
                                note(seq, n);
                            }
                        }
                        2 => while below.recv_batch_async(7, &mut note).await.is_ok() {},
                        _ => {
                            while let Ok(event) = below.recv_event_async().await {
                                if let Event::Message(seq, n) = event {
                                    note(seq, n);
                                }
                            }
                        }
                    }
                    assert_eq!(came, 2 * EACH);
                    assert_eq!(clock.now().get(), 2 * EACH);
                }));
                drop((engine, follower));
                runtime.run(jobs);
            });
        }
    }
}

/// Goal: what can be told at once is told at the first poll, and what never will be known is an error. Method: one poll
/// each, by tokio.
#[test]
fn what_is_there_is_ready_at_once() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let engine = Engine::new();
        let (mut tx, mut rx) = engine.channel::<u64>();
        assert_eq!(engine.clock().reached(Seq::ZERO).await, Ok(Seq::ZERO));
        let none: Progress = [].into_iter().collect();
        assert_eq!(none.reached(Seq::MAX).await, Ok(Seq::MAX));
        assert_eq!(rx.recv_batch_async(0, |_, _| ()).await, Ok(0));
        tx.send_async(1).await.unwrap();
        assert_eq!(rx.recv_async().await, Ok((Seq::new(1), 1)));
        drop(rx);
        assert_eq!(tx.send_async(2).await.unwrap_err().into_inner(), 2);
        assert_eq!(tx.send_stamped_async(3).await.unwrap_err().into_inner(), 3);
        mainspring::parts::poison(&engine);
        assert_eq!(engine.clock().reached(Seq::new(9)).await, Err(WaitError));
    });
}
