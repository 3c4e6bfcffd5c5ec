//! `Drive::Thread`: the promises hold where a thread passes; it moves the clock for nobody, sleeps when there is
//! nothing, hears of everything, and when it has gone the others go on.

#![cfg(not(loom))]

mod support;

use std::sync::Arc;
use std::sync::mpsc::channel;
use std::task::{Context, Poll, Wake, Waker};
use std::thread;

use mainspring::{BuildError, Drive, Engine, Event, Follower, Idle, Merge, RecvError, Seq, parts};
use parking_lot::Mutex;
use support::{
    Drops, Letter, TILL_ASLEEP, assert_complete, assert_dense, assert_in_order, listen, read,
    to_the_end, until, write,
};

const IDLES: [Idle; 3] = [Idle::Spin, Idle::Yield, Idle::Park];

/// An engine with a thread of this name.
fn named(name: &str, idle: Idle, capacity: usize, inbox: usize) -> Engine {
    let builder = Engine::builder().capacity(capacity).inbox(inbox);
    builder.drive(Drive::named_thread(name, idle)).build().unwrap()
}

/// Whether this process has a thread of this name.
#[cfg(target_os = "linux")]
fn is_there(name: &str) -> bool {
    let threads = std::fs::read_dir("/proc/self/task").unwrap();
    threads.flatten().any(|thread| {
        // It may have gone since.
        let comm = std::fs::read_to_string(thread.path().join("comm"));
        comm.is_ok_and(|comm| comm.trim_end() == name)
    })
}

/// Until the dispatcher thread sleeps, as far as can be seen: there is no pass in a hundred looks, between each two of
/// which others have had their turn. (Whoever looks may take the core from the thread, which then looks again itself.)
fn until_asleep(engine: &Engine) -> u64 {
    let (mut before, mut quiet) = (None, 0);
    until(|| {
        (0..10).for_each(|_| thread::yield_now());
        let now = parts::passes(engine);
        quiet = if now.is_some() && now == before { quiet + 1 } else { 0 };
        before = now;
        quiet > 100
    });
    before.unwrap()
}

/// Goal: O1, O2, O4 and O5 hold with each idle strategy, beside receivers of all kinds. Method: as in `promises`: three
/// authors, three receivers, small lanes and inboxes; besides one outbox, and one who waits for the clock.
#[test]
fn the_promises_hold() {
    for idle in IDLES {
        let each = 1500;
        let letters = to_the_end(move || {
            let engine = named("promises", idle, 16, 4);
            let mut receivers: Vec<_> = (0..3).map(|_| engine.receiver::<Letter>()).collect();
            let ways: Vec<Vec<_>> = (0..3)
                .map(|_| receivers.iter().map(|rx| engine.sender(&rx.address()).unwrap()).collect())
                .collect();
            let mut out = engine.outbox();
            let targets: Vec<_> =
                receivers.iter().map(|rx| out.add(&rx.address()).unwrap()).collect();
            let clock = engine.clock();
            thread::scope(|scope| {
                for (author, mut ways) in ways.into_iter().enumerate() {
                    scope.spawn(move || write(author, each, &mut ways));
                }
                scope.spawn(move || {
                    for index in 0..each {
                        let letter = Letter { author: 3, index };
                        out.send(targets[index as usize % 3], letter).unwrap();
                    }
                });
                scope.spawn(move || clock.wait_for(Seq::new(4 * each)).unwrap());
                let readers = receivers.iter_mut().enumerate();
                let readers: Vec<_> = readers
                    .map(|(place, rx)| {
                        scope.spawn(move || {
                            let letters = if place == 0 { listen(rx) } else { read(place, rx) };
                            // An author has one sender to each receiver.
                            assert_in_order(&letters);
                            letters
                        })
                    })
                    .collect();
                readers.into_iter().flat_map(|reader| reader.join().unwrap()).collect::<Vec<_>>()
            })
        });
        assert_complete(&letters, &[each; 4]);
        assert_dense(&letters, 1);
    }
}

/// Goal: **O3** with a thread that passes: an answer has a higher number than what it answers, and so has what is sent
/// after the clock was read. Method: two threads answer each other; both send what they have read.
#[test]
fn o3_causal() {
    for idle in IDLES {
        to_the_end(move || {
            let engine = named("causal", idle, 4, 4);
            let (mut ping, mut pings) = engine.channel::<u64>();
            let (mut pong, mut pongs) = engine.channel::<u64>();
            let clock = engine.clock();
            let answers = thread::spawn(move || {
                for (seq, read) in pings.messages() {
                    assert!(seq.get() > read);
                    pong.send(seq.get()).unwrap();
                }
            });
            for _ in 0..500 {
                ping.send(clock.now().get()).unwrap();
                let (seq, before) = pongs.recv().unwrap();
                assert!(seq.get() > before, "{seq} answers {before}");
            }
            drop(ping);
            answers.join().unwrap();
        });
    }
}

/// Goal: the clock moves although nobody waits for anything, and no caller passes. Method: plain sends to a receiver
/// that is never asked; joins and an end in between.
#[test]
fn the_clock_moves_for_nobody() {
    for idle in IDLES {
        to_the_end(move || {
            let engine = named("alone", idle, 256, 256);
            let (mut tx, rx) = engine.channel::<u64>();
            let clock = engine.clock();
            for n in 1..=200 {
                tx.send(n).unwrap();
                if n % 20 == 0 {
                    drop(std::mem::replace(&mut tx, engine.sender(&rx.address()).unwrap()));
                }
                if n % 3 == 0 {
                    until(|| clock.now().get() == n);
                }
            }
            assert_eq!(rx.len(), 200);
            until(|| rx.joined_at() == Some(Seq::ZERO));
        });
    }
}

/// Goal: with nothing to do the thread sleeps, and passes no more; it is woken by a send, a join, an end, a leave, and
/// by room that appears in a full inbox, and sleeps again. Method: passes are counted between; what each of them brings
/// is waited for.
#[test]
fn it_sleeps_when_idle_and_hears_of_everything() {
    to_the_end(|| {
        let engine = named("sleeper", Idle::Park, 4, 1);
        let clock = engine.clock();
        let (mut tx, mut rx) = engine.channel::<u64>();
        let mut passes = until_asleep(&engine);
        let mut woken = |engine: &Engine| {
            until(|| parts::passes(engine).is_some_and(|now| now > passes));
            passes = until_asleep(engine);
        };
        for _ in 0..20 {
            let number = clock.now().get() + 1;
            tx.send(number).unwrap();
            until(|| clock.now().get() == number);
            woken(&engine);
            // A second lane for an inbox of one: it has no number until there is room.
            let mut second = engine.sender(&rx.address()).unwrap();
            woken(&engine);
            second.send(number + 1).unwrap();
            woken(&engine);
            assert_eq!(clock.now().get(), number);
            assert_eq!(rx.try_recv().map(|(seq, n)| (seq.get(), n)), Ok((number, number)));
            until(|| clock.now().get() == number + 1);
            woken(&engine);
            assert_eq!(rx.try_recv().map(|(_, n)| n), Ok(number + 1));
            // Now the place of that in the inbox is free, too.
            assert!(rx.try_recv().is_err());
            let late = engine.receiver::<u64>();
            until(|| late.joined_at() == Some(clock.now()));
            woken(&engine);
            drop(late);
            woken(&engine);
            drop(second);
            woken(&engine);
            // The news of that end has its place in the inbox.
            assert!(rx.try_recv().is_err());
        }
        drop(tx);
        until(|| rx.is_closed());
        // One that passes for nothing never comes to an end here.
        until(|| until_asleep(&engine) == until_asleep(&engine));
    });
}

/// Goal: receivers that sleep, of every kind, are woken by the thread, since no sender passes. Method: one of each
/// kind, by turns, each message when the one before was received.
#[test]
fn sleepers_are_woken_by_the_thread() {
    for idle in IDLES {
        to_the_end(move || {
            let engine = named("wakes", idle, 1, 1);
            let (mut tx, mut rx) = engine.channel::<u64>();
            let (mut tx2, mut events) = engine.channel::<u64>();
            let (mut tx3, one) = engine.channel::<u64>();
            let group = engine.group::<u64>();
            let mut merge = Merge::new([one, group.subscribe()]).unwrap();
            let mut all = group.broadcaster();
            let (tell, told) = channel();
            let tells = [tell.clone(), tell.clone(), tell];
            let [a, b, c] = tells;
            let readers = [
                thread::spawn(move || rx.messages().for_each(|(_, n)| a.send(n).unwrap())),
                thread::spawn(move || {
                    while let Ok(event) = events.recv_event() {
                        if let Event::Message(_, n) = event {
                            b.send(n).unwrap();
                        }
                    }
                }),
                thread::spawn(move || merge.messages().for_each(|(_, n)| c.send(n).unwrap())),
            ];
            for n in 0..400 {
                match n % 4 {
                    0 => tx.send(n).unwrap(),
                    1 => tx2.send(n).unwrap(),
                    2 => tx3.send(n).unwrap(),
                    _ => all.send(n).unwrap(),
                }
                assert_eq!(told.recv(), Ok(n));
            }
            drop((tx, tx2, tx3, all, group));
            readers.into_iter().for_each(|reader| reader.join().unwrap());
        });
    }
}

/// Goal: the thread has the name that was asked for, ends when the last handle of the engine goes, not before, and all
/// ends work on after that. Method: the threads of this process; clones; then every end is used, also by one who
/// sleeps.
#[cfg(target_os = "linux")]
#[test]
fn it_ends_with_the_last_handle_and_the_others_go_on() {
    for (idle, name) in IDLES.into_iter().zip(["ends-spin", "ends-yield", "ends-park"]) {
        to_the_end(move || {
            let engine = named(name, idle, 2, 2);
            until(|| is_there(name));
            let clone = engine.clone();
            let (mut tx, mut rx) = engine.channel::<u64>();
            let (clock, progress) = (engine.clock(), rx.progress());
            let group = engine.group::<u64>();
            let mut out = engine.outbox();
            let to = out.add(&rx.address()).unwrap();
            drop(engine);
            tx.send(1).unwrap();
            until(|| clock.now().get() == 1);
            assert!(is_there(name));
            assert_eq!(rx.recv(), Ok((Seq::new(1), 1)));
            let sleeper = thread::spawn(move || (rx.recv(), rx));
            drop(clone);
            until(|| !is_there(name));
            tx.send(2).unwrap();
            let (received, mut rx) = sleeper.join().unwrap();
            assert_eq!(received, Ok((Seq::new(2), 2)));
            // As with `Drive::Callers` from now on.
            out.send(to, 3).unwrap();
            assert_eq!(tx.send_stamped(4).map(Seq::get), Ok(4));
            assert_eq!(rx.try_recv(), Ok((Seq::new(3), 3)));
            assert_eq!(rx.try_recv(), Ok((Seq::new(4), 4)));
            assert!(rx.try_recv().is_err());
            assert_eq!(progress.wait_for(Seq::new(4)), Ok(Seq::new(4)));
            let mut member = group.subscribe();
            group.broadcaster().send(5).unwrap();
            assert_eq!(member.recv(), Ok((Seq::new(5), 5)));
            assert_eq!(clock.wait_for(Seq::new(5)), Ok(Seq::new(5)));
            drop((tx, out));
            assert_eq!(rx.recv(), Err(RecvError::Closed));
        });
    }
}

/// Goal: nobody is left asleep when the last handle goes in the midst of work, over and over. Method: a sender and a
/// receiver that sleep by turns; the handle goes after as many messages as the round says.
#[test]
fn it_may_end_at_any_moment() {
    for idle in IDLES {
        to_the_end(move || {
            // One that spins takes the time from those who sleep and wake.
            let rounds = if idle == Idle::Spin { 10 } else { 60 };
            for round in 0..rounds {
                let engine = named("any-moment", idle, 1, 1);
                let (mut tx, mut rx) = engine.channel::<u64>();
                let (mut tx2, mut rx2) = engine.channel::<u64>();
                let mut engine = Some(engine);
                let answers = thread::spawn(move || {
                    for (_, n) in rx.messages() {
                        tx2.send(n).unwrap();
                    }
                });
                for n in 0..rounds {
                    tx.send(n).unwrap();
                    if n == round {
                        engine.take();
                    }
                    assert_eq!(rx2.recv().map(|(_, n)| n), Ok(n));
                }
                drop(tx);
                answers.join().unwrap();
            }
        });
    }
}

/// Notes in which thread it is woken, and does something there.
struct Noting<F>(Mutex<Vec<String>>, F);

impl<F: Fn() + Send + Sync + 'static> Wake for Noting<F> {
    fn wake(self: Arc<Self>) {
        let name = thread::current().name().unwrap_or_default().to_owned();
        self.0.lock().push(name);
        (self.1)();
    }
}

fn poll<F: Future + Unpin>(future: &mut F, waker: &Waker) -> Poll<F::Output> {
    std::pin::Pin::new(future).poll(&mut Context::from_waker(waker))
}

/// Goal: wakers run in the dispatcher thread, not in the sender's; one that panics there leaves the thread, the other
/// sleepers and the senders as they were. Method: two sleep for one message, and the first has a bad waker.
#[test]
fn a_waker_that_panics_in_it_leaves_the_others_working() {
    to_the_end(|| {
        let engine = named("panics", Idle::Park, 8, 8);
        let (mut tx, mut rx) = engine.channel::<u64>();
        let clock = engine.clock();
        for round in 1..=20 {
            let bad = Arc::new(Noting(Mutex::default(), || panic!("in a waker")));
            let good = Arc::new(Noting(Mutex::default(), || ()));
            let mut waits: Vec<_> = (0..3).map(|_| clock.reached(Seq::new(round))).collect();
            for wait in &mut waits {
                (0..TILL_ASLEEP).for_each(|_| assert!(poll(wait, Waker::noop()).is_pending()));
            }
            let wakers = [Waker::from(good.clone()), Waker::from(bad.clone()), good.clone().into()];
            for (wait, waker) in waits.iter_mut().zip(&wakers) {
                assert!(poll(wait, waker).is_pending());
            }
            // So that it is the thread's to wake them, and nobody else's.
            until_asleep(&engine);
            tx.send(round).unwrap();
            until(|| good.0.lock().len() == 2);
            until(|| bad.0.lock().len() == 1);
            assert!(good.0.lock().iter().chain(&*bad.0.lock()).all(|name| name == "panics"));
            assert!(waits.iter_mut().all(|wait| poll(wait, Waker::noop()).is_ready()));
            assert_eq!(rx.recv(), Ok((Seq::new(round), round)));
        }
    });
}

/// Goal: what a waker does in the thread may be anything: also drop the last handle of the engine, which ends the
/// thread itself. Method: it does; the rest goes on.
#[test]
fn the_last_handle_may_go_in_the_thread_itself() {
    to_the_end(|| {
        let engine = named("itself", Idle::Park, 8, 8);
        let (mut tx, mut rx) = engine.channel::<u64>();
        let last = Arc::new(Mutex::new(Some(engine.clone())));
        let held = last.clone();
        let drops = Arc::new(Noting(Mutex::default(), move || drop(held.lock().take())));
        let waker = Waker::from(drops.clone());
        let mut wait = rx.recv_async();
        // It asks to be polled again at first, and then sleeps.
        (0..TILL_ASLEEP).for_each(|_| assert!(poll(&mut wait, Waker::noop()).is_pending()));
        assert!(poll(&mut wait, &waker).is_pending());
        drop(engine);
        tx.send(1).unwrap();
        until(|| last.lock().is_none());
        assert!(poll(&mut wait, &waker).is_ready());
        drop(wait);
        tx.send(2).unwrap();
        assert_eq!(rx.recv(), Ok((Seq::new(2), 2)));
    });
}

/// Goal: everything may go in any order, and each value is dropped once. Method: all rotations and reversals of the
/// parts of an engine with full lanes, with each idle strategy; a thread sleeps in a receiver of its own meanwhile.
#[test]
fn everything_may_go_in_any_order() {
    for idle in IDLES {
        for first in 0..6 {
            for reversed in [false, true] {
                to_the_end(move || {
                    let drops = Drops::default();
                    let engine = named("any-order", idle, 2, 1);
                    let (mut tx, mut rx) = engine.channel();
                    let mut out = engine.outbox();
                    let to = out.add(&rx.address()).unwrap();
                    (0..2).for_each(|_| tx.send(drops.value()).unwrap());
                    (0..2).for_each(|_| out.send(to, drops.value()).unwrap());
                    let (open, mut sleeps) = engine.channel::<u64>();
                    let sleeper = thread::spawn(move || sleeps.recv());
                    let (clock, group, values) =
                        (engine.clock(), engine.group::<u64>(), drops.clone());
                    let mut ends: Vec<Box<dyn FnOnce()>> = vec![
                        Box::new(move || drop((clock, group))),
                        Box::new(move || drop(engine)),
                        Box::new(move || drop(tx.try_send(values.value()))),
                        Box::new(move || drop((rx.try_recv(), rx))),
                        Box::new(move || drop(out)),
                        Box::new(move || drop(open)),
                    ];
                    ends.rotate_left(first);
                    if reversed {
                        ends.reverse();
                    }
                    ends.into_iter().for_each(|end| end());
                    assert_eq!(sleeper.join().unwrap(), Err(RecvError::Closed));
                    assert_eq!(drops.count(), 5);
                });
            }
        }
    }
}

/// Goal: a follower may have a thread, too, and works on without it as without a handle. Method: a forwarder that never
/// waits; the number comes by itself.
#[test]
fn a_follower_may_have_a_thread() {
    for idle in IDLES {
        to_the_end(move || {
            let builder = Follower::builder().drive(Drive::named_thread("follows", idle));
            let follower = builder.build().unwrap();
            let (mut forwarder, mut rx) = follower.channel::<u64>();
            let clock = follower.clock();
            for n in 1..=50 {
                forwarder.forward(Seq::new(2 * n), n).unwrap();
                until(|| clock.now().get() == 2 * n);
                assert_eq!(rx.recv(), Ok((Seq::new(2 * n), n)));
            }
            drop(follower);
            forwarder.forward(Seq::new(200), 7).unwrap();
            assert_eq!(rx.recv(), Ok((Seq::new(200), 7)));
        });
    }
}

/// Goal: an engine that a bug of its own has closed has no thread any more, whatever that was doing. Method: poisoned
/// while it sleeps, and while it works; its waker notes nothing more.
#[cfg(target_os = "linux")]
#[test]
fn it_ends_when_the_engine_is_poisoned() {
    for (idle, name) in IDLES.into_iter().zip(["poison-spin", "poison-yield", "poison-park"]) {
        to_the_end(move || {
            for asleep in [false, true] {
                let engine = named(name, idle, 8, 8);
                let (mut tx, mut rx) = engine.channel::<u64>();
                until(|| is_there(name));
                if asleep && idle == Idle::Park {
                    until_asleep(&engine);
                } else {
                    tx.send(1).unwrap();
                }
                parts::poison(&engine);
                until(|| !is_there(name));
                while rx.recv().is_ok() {}
                assert!(tx.send(2).is_err() || tx.send(3).is_err());
            }
        });
    }
}

/// Goal: a name that no thread can have is an error, not a panic; any other is a name. Method: as it says.
#[test]
fn a_name_that_cannot_be_is_an_error() {
    let built = Engine::builder().drive(Drive::named_thread("a\0b", Idle::Park)).build();
    assert_eq!(built.map(drop).unwrap_err(), BuildError::NoThread);
    let long = "a name that is longer than any system shows, and has spaces".repeat(10);
    for name in ["", "ü", &long] {
        let drive = Drive::named_thread(name, Idle::Park);
        assert!(format!("{drive:?}").contains("Park"));
        let engine = Engine::builder().drive(drive).build().unwrap();
        assert_eq!(engine.channel().0.send_stamped(1).map(Seq::get).ok(), Some(1));
    }
}
