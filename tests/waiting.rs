//! Waiting: for messages, for room, for the clock; with a limit and without; asleep without using
//! the processor, and woken each time. Where a test must know that somebody sleeps, it waits for
//! the kick that everyone gives who goes to sleep.

#![cfg(not(loom))]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use mainspring::{
    AddressError, Drive, Engine, Event, Reason, RecvError, RecvTimeoutError, SendTimeoutError, Seq,
    StampedError, TryRecvError, TrySendError, WaitError, WaitTimeoutError, parts,
};
use parking_lot::Mutex;
use support::{Drops, to_the_end, until, until_kicked_since};

const SOON: Duration = Duration::from_millis(2);
const FOREVER: Duration = Duration::MAX;

/// Goal: a wait for a message ends when its time is up, and with the message if that comes. Method:
/// both, for messages and for events; the limit that is not reached is further than a clock can
/// say.
#[test]
fn a_wait_for_a_message_has_a_limit() {
    to_the_end(|| {
        let engine = Engine::new();
        let (mut tx, mut rx) = engine.channel();
        assert_eq!(rx.recv_timeout(SOON), Err(RecvTimeoutError::Timeout));
        assert_eq!(rx.recv_timeout(Duration::ZERO), Err(RecvTimeoutError::Timeout));
        assert_eq!(rx.recv_event_timeout(SOON), Err(RecvTimeoutError::Timeout));
        tx.send("there").unwrap();
        assert_eq!(rx.recv_timeout(Duration::ZERO), Ok((Seq::new(1), "there")));
        let kicks = parts::kicks(&engine);
        let waits = thread::spawn(move || {
            let message = rx.recv_timeout(FOREVER);
            let event = rx.recv_event_timeout(FOREVER);
            (message, event, rx.recv_timeout(FOREVER), rx.recv_event_timeout(FOREVER))
        });
        until_kicked_since(&engine, kicks);
        tx.send("comes").unwrap();
        tx.send("comes, too").unwrap();
        drop(tx);
        let (message, event, end, end_of_events) = waits.join().unwrap();
        assert_eq!(message, Ok((Seq::new(2), "comes")));
        assert_eq!(event, Ok(Event::Message(Seq::new(3), "comes, too")));
        assert_eq!(end, Err(RecvTimeoutError::Closed));
        assert_eq!(end_of_events, Err(RecvTimeoutError::Closed));
    });
}

/// Goal: a wait for room ends when its time is up, with the value; with room; and with the
/// receiver. Method: all three on one lane.
#[test]
fn a_wait_for_room_has_a_limit() {
    to_the_end(|| {
        let engine = Engine::builder().capacity(1).build().unwrap();
        let (mut tx, mut rx) = engine.channel();
        assert_eq!(tx.send_timeout(1, SOON), Ok(()));
        assert_eq!(tx.send_timeout(2, SOON), Err(SendTimeoutError::Timeout(2)));
        let kicks = parts::kicks(&engine);
        let waits = thread::spawn(move || {
            let room = tx.send_timeout(3, FOREVER);
            (room, tx.send_timeout(4, FOREVER))
        });
        until_kicked_since(&engine, kicks);
        let kicks = parts::kicks(&engine);
        assert_eq!(rx.recv(), Ok((Seq::new(1), 1)));
        until_kicked_since(&engine, kicks);
        drop(rx);
        assert_eq!(waits.join().unwrap(), (Ok(()), Err(SendTimeoutError::Closed(4))));
    });
}

/// Goal: a wait for the clock ends when its time is up, and when the clock is there. Method: one
/// message.
#[test]
fn a_wait_for_the_clock_has_a_limit() {
    to_the_end(|| {
        let engine = Engine::new();
        let (mut tx, _rx) = engine.channel();
        let clock = engine.clock();
        assert_eq!(clock.wait_for_timeout(Seq::ZERO, Duration::ZERO), Ok(Seq::ZERO));
        assert_eq!(clock.wait_for_timeout(Seq::new(1), SOON), Err(WaitTimeoutError::Timeout));
        let kicks = parts::kicks(&engine);
        let waits = thread::spawn(move || clock.wait_for_timeout(Seq::new(1), FOREVER));
        until_kicked_since(&engine, kicks);
        tx.send(()).unwrap();
        assert_eq!(waits.join().unwrap(), Ok(Seq::new(1)));
        assert_eq!(engine.clock().wait_for(Seq::new(1)), Ok(Seq::new(1)));
    });
}

/// Goal: whoever waits for the clock is woken though nobody drives but the sender, who does plain
/// sends, and the receiver is busy elsewhere. Method: a third thread waits for each number in turn;
/// senders that were there before, an outbox, and senders that join while it sleeps.
#[test]
fn a_wait_for_the_clock_ends_though_the_receiver_is_busy() {
    to_the_end(|| {
        let engine = Engine::new();
        let (mut tx, rx) = engine.channel();
        let mut out = engine.outbox();
        let target = out.add(&rx.address()).unwrap();
        let (tell, told) = channel();
        let clock = engine.clock();
        let waits = thread::spawn(move || {
            for number in 1..=400 {
                tell.send(clock.wait_for(Seq::new(number)).unwrap()).unwrap();
            }
        });
        let mut late = Vec::new();
        for round in 0..400 {
            if round % 2 == 0 {
                // Time enough to fall asleep; it may have done so before, so there is nothing to
                // wait for.
                (0..50).for_each(|_| thread::yield_now());
            }
            match round % 3 {
                0 => tx.send(round).unwrap(),
                1 => out.send(target, round).unwrap(),
                _ => {
                    late.push(tx.clone());
                    late.last_mut().unwrap().send(round).unwrap();
                }
            }
            assert_eq!(told.recv().unwrap().get(), round + 1);
        }
        waits.join().unwrap();
        drop(rx);
    });
}

/// Goal: a receiver that waits for events is woken by the clock of what went elsewhere, and one
/// that waits for messages is not. Method: both sleep, a third receiver is busy; plain sends.
#[test]
fn a_wait_for_events_ends_when_the_clock_moves() {
    to_the_end(|| {
        let engine = Engine::new();
        let (mut tx, _busy) = engine.channel();
        let (mut last, mut events) = engine.channel::<u64>();
        let (mut other, mut messages) = engine.channel::<u64>();
        let waits = thread::spawn(move || messages.recv());
        let (tell, told) = channel();
        let watches = thread::spawn(move || {
            while let Ok(event) = events.recv_event() {
                tell.send(event).unwrap();
            }
        });
        for round in 1..=200 {
            tx.send(round).unwrap();
            assert_eq!(told.recv().unwrap(), Event::Clock(Seq::new(round)));
        }
        last.send(201).unwrap();
        assert_eq!(told.recv().unwrap(), Event::Message(Seq::new(201), 201));
        assert!(!waits.is_finished());
        other.send(202).unwrap();
        assert_eq!(waits.join().unwrap(), Ok((Seq::new(202), 202)));
        assert_eq!(told.recv().unwrap(), Event::Clock(Seq::new(202)));
        drop(last);
        watches.join().unwrap();
    });
}

/// One of a ring of threads through which a single message goes.
struct Link<'a> {
    engine: &'a Engine,
    /// How often the message has been sent on, and how often the engine had been kicked by then.
    sent: &'a [AtomicU64; 2],
}

impl Link<'_> {
    /// Sends on what was sent `before` times, when everybody else is asleep: whoever has sent it
    /// here was the last.
    fn hand_on(&self, before: u64, send: impl FnOnce(u64)) {
        let [sent, kicks] = self.sent;
        until(|| sent.load(SeqCst) == before);
        until_kicked_since(self.engine, kicks.load(SeqCst));
        send(before + 1);
        kicks.store(parts::kicks(self.engine), SeqCst);
        sent.store(before + 1, SeqCst);
    }
}

/// Goal: nobody sleeps through what it waits for, a hundred thousand times. Method: a single
/// message goes round a ring of three threads, two senders and an outbox; each sends it on when all
/// others sleep, or are just about to. MAINSPRING_SLEEPS says how many times.
#[test]
fn everyone_sleeps_between_single_messages() {
    let sleeps: u64 = std::env::var("MAINSPRING_SLEEPS").map_or(100_000, |n| n.parse().unwrap());
    to_the_end(move || {
        let engine = Engine::new();
        let (mut first, mut one) = engine.channel::<u64>();
        let (mut second, mut two) = engine.channel::<u64>();
        let mut three = engine.receiver::<u64>();
        let mut out = engine.outbox();
        let third = out.add(&three.address()).unwrap();
        let sent = [0, 0].map(AtomicU64::new);
        let link = &Link { engine: &engine, sent: &sent };
        thread::scope(|scope| {
            scope.spawn(move || {
                for (_, n) in one.messages() {
                    link.hand_on(n, |n| second.send(n).unwrap());
                }
            });
            scope.spawn(move || {
                for (_, n) in two.messages() {
                    link.hand_on(n, |n| out.send(third, n).unwrap());
                }
            });
            link.hand_on(0, |n| first.send(n).unwrap());
            loop {
                let (seq, n) = three.recv().unwrap();
                assert_eq!(seq.get(), n);
                if n >= sleeps {
                    break;
                }
                link.hand_on(n, |n| first.send(n).unwrap());
            }
            drop(first);
        });
        assert!(parts::kicks(&engine) >= sleeps);
    });
}

/// What the system says of a thread: whether it sleeps, and how much of the processor it has had,
/// in every unit that there is.
#[cfg(target_os = "linux")]
fn task(task: &std::path::Path) -> (bool, String) {
    let stat = std::fs::read_to_string(task.join("stat")).unwrap();
    // After the name, which may have spaces: state, ten others, utime, stime.
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let precise = std::fs::read_to_string(task.join("schedstat")).unwrap_or_default();
    let switches = std::fs::read_to_string(task.join("status")).unwrap();
    let switches =
        switches.lines().filter(|line| line.contains("ctxt_switches")).collect::<String>();
    (fields[0] == "S", format!("{} {} {precise} {switches}", fields[11], fields[12]))
}

/// Goal: whoever sleeps uses no processor at all, while others in the same engine wait and time
/// out. Method: one of each kind sleeps; the system's figures for its thread are the same before
/// and after another receiver's waits.
#[cfg(target_os = "linux")]
#[test]
fn idle_threads_use_no_processor() {
    to_the_end(|| {
        let engine = Engine::builder().capacity(1).inbox(1).build().unwrap();
        let (_open, mut messages) = engine.channel::<u32>();
        let (_open_too, mut events) = engine.channel::<u32>();
        let (mut full, _unread) = engine.channel();
        full.send_stamped(0).unwrap();
        let (mut unnumbered, _unread_too) = engine.channel();
        unnumbered.send_stamped(0).unwrap();
        let mut out = engine.outbox();
        let target = out.add(&_unread_too.address()).unwrap();
        let clock = engine.clock();
        // Its clock is told, so that it sleeps then.
        events.recv_event().ok();
        let waits: [Box<dyn FnOnce() + Send>; 5] = [
            Box::new(move || assert_eq!(messages.recv(), Err(RecvError::Closed))),
            Box::new(move || while events.recv_event().is_ok() {}),
            Box::new(move || assert_eq!(full.send(1).unwrap_err().value, 1)),
            Box::new(move || assert_eq!(clock.wait_for(Seq::new(9)), Err(WaitError))),
            Box::new(move || assert!((0..3).any(|n| out.send(target, n).is_err()))),
        ];
        let mut threads = Vec::new();
        let mut tasks = Vec::new();
        for wait in waits {
            let (tell, told) = channel();
            threads.push(thread::spawn(move || {
                let task = std::fs::read_link("/proc/thread-self").unwrap();
                tell.send(std::path::Path::new("/proc").join(task)).unwrap();
                wait();
            }));
            tasks.push(told.recv().unwrap());
        }
        let (_open_timer, mut timer) = engine.channel::<u32>();
        let mut wait = |millis| {
            let waited = timer.recv_timeout(Duration::from_millis(millis));
            assert_eq!(waited, Err(RecvTimeoutError::Timeout));
        };
        let mut before = Vec::new();
        until(|| {
            // Each has been looked at asleep, and again a moment later, with nothing between.
            let seen = std::mem::replace(&mut before, tasks.iter().map(|at| task(at)).collect());
            wait(5);
            before.iter().all(|(asleep, _)| *asleep) && before == seen
        });
        (0..5).for_each(|_| wait(10));
        let after: Vec<_> = tasks.iter().map(|at| task(at)).collect();
        assert_eq!(before, after);
        parts::poison(&engine);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
}

/// Goal: with passes by hand, blocking calls call the hook and park, and go on when somebody has
/// passed; nothing has a number before. Method: one after the other, in a thread of their own.
#[test]
fn with_passes_by_hand_blocking_calls_wait_for_one() {
    to_the_end(|| {
        let (due, dues) = channel();
        let hook = move || due.send(()).unwrap();
        let builder = Engine::builder().capacity(1).drive(Drive::manual(hook));
        let engine = builder.build().unwrap();
        let dues = move || {
            dues.recv().unwrap();
            dues.try_iter().for_each(drop);
        };
        let (mut tx, mut rx) = engine.channel();
        engine.run_until_idle();
        dues();
        let receives = thread::spawn(move || (rx.recv(), rx));
        dues();
        tx.send("one").unwrap();
        // It had been wanted.
        dues();
        assert_eq!((engine.clock().now(), receives.is_finished()), (Seq::ZERO, false));
        assert!(engine.pass());
        let (received, mut rx) = receives.join().unwrap();
        assert_eq!(received, Ok((Seq::new(1), "one")));

        // Nobody has asked to hear of this one.
        tx.send("two").unwrap();
        let stamps = thread::spawn(move || (tx.stamped(), tx.send("three"), tx));
        dues();
        assert_eq!((engine.clock().now(), stamps.is_finished()), (Seq::new(1), false));
        engine.run_until_idle();
        // Now it has its number, and waits for room.
        dues();
        assert_eq!(rx.try_recv(), Ok((Seq::new(2), "two")));
        let (stamped, sent, tx) = stamps.join().unwrap();
        assert_eq!((stamped, sent), (Ok(Seq::new(2)), Ok(())));

        let clock = engine.clock();
        let watches = thread::spawn(move || clock.wait_for(Seq::new(3)));
        dues();
        assert_eq!(engine.clock().now(), Seq::new(2));
        until(|| {
            engine.pass();
            watches.is_finished()
        });
        assert_eq!(watches.join().unwrap(), Ok(Seq::new(3)));
        assert_eq!(rx.try_recv(), Ok((Seq::new(3), "three")));
        drop(tx);
        engine.run_until_idle();
        assert_eq!(rx.try_recv(), Err(TryRecvError::Closed));
    });
}

/// Goal: passes by hand are enough for everything, whoever runs them when the hook asks. Method:
/// the hook itself does; or a thread that it tells. Two threads answer each other, and one waits
/// for the clock.
#[test]
fn passes_by_hand_drive_everything() {
    for itself in [true, false] {
        to_the_end(move || {
            let here: Arc<Mutex<Option<Engine>>> = Arc::default();
            let (due, dues) = channel();
            let (hooked, tell) = (here.clone(), due.clone());
            let hook = move || {
                let engine = hooked.lock().clone();
                match engine {
                    Some(engine) if itself => engine.run_until_idle(),
                    // In the end nobody listens any more.
                    _ => drop(tell.send(true)),
                }
            };
            let engine = Engine::builder().drive(Drive::manual(hook)).build().unwrap();
            *here.lock() = Some(engine.clone());
            let driven = engine.clone();
            let driver = thread::spawn(move || {
                dues.iter().take_while(|&more| more).for_each(|_| driven.run_until_idle());
            });
            let (mut ping, mut pings) = engine.channel();
            let (mut pong, mut pongs) = engine.channel();
            let clock = engine.clock();
            let watches = thread::spawn(move || clock.wait_for(Seq::new(1001)));
            let answers = thread::spawn(move || {
                for (_, n) in pings.messages() {
                    pong.send(n + 1).unwrap();
                }
            });
            for round in 0..1000 {
                ping.send(round).unwrap();
                assert_eq!(pongs.recv(), Ok((Seq::new(2 * round + 2), round + 1)));
            }
            assert!(watches.join().unwrap().unwrap() >= Seq::new(1001));
            drop(ping);
            answers.join().unwrap();
            assert_eq!(pongs.recv(), Err(RecvError::Closed));
            due.send(false).unwrap();
            driver.join().unwrap();
            // The engine has the hook, which has the engine.
            here.lock().take();
        });
    }
}

/// Goal: when a pass has panicked everyone gets `Closed`, values come back, and nobody waits for
/// ever. Method: one of each kind waits; then everything is tried once more.
#[test]
fn a_poisoned_engine_is_closed_to_everyone() {
    to_the_end(|| {
        let engine = Engine::builder().capacity(1).inbox(1).build().unwrap();
        let drops = Drops::default();
        let (mut open, mut messages) = engine.channel();
        let (_open, mut events) = engine.channel::<u32>();
        let (mut full, unread) = engine.channel();
        full.send_stamped(drops.value()).unwrap();
        let mut unnumbered = full.clone();
        let (clock, clock_too) = (engine.clock(), engine.clock());
        let kicks = parts::kicks(&engine);
        let waits = [
            thread::spawn(move || assert_eq!(messages.recv(), Err(RecvError::Closed))),
            thread::spawn(move || while events.recv_event().is_ok() {}),
            thread::spawn(move || assert_eq!(clock.wait_for(Seq::new(99)), Err(WaitError))),
            thread::spawn(move || {
                let waited = clock_too.wait_for_timeout(Seq::new(99), FOREVER);
                assert_eq!(waited, Err(WaitTimeoutError::Closed));
            }),
        ];
        let value = drops.value();
        let sends = thread::spawn(move || (full.send(value).map_err(|error| error.value), full));
        let value = drops.value();
        let stamps = thread::spawn(move || {
            // The inbox has no room for it, so it has no number.
            let result = unnumbered.send_stamped(value).map_err(|error| error.value);
            (result, unnumbered)
        });
        until(|| parts::kicks(&engine) >= kicks + 6);
        until(|| {
            // Not if somebody passes at this moment.
            parts::poison(&engine);
            open.is_closed()
        });
        waits.into_iter().for_each(|wait| wait.join().unwrap());
        let (sent, mut full) = sends.join().unwrap();
        let (stamped, mut unnumbered) = stamps.join().unwrap();
        assert_eq!(drops.count(), 0);
        drop((sent.unwrap_err(), stamped.unwrap_err()));
        assert_eq!(drops.count(), 2);

        assert_eq!(open.send(1).unwrap_err().into_inner(), 1);
        assert_eq!(open.try_send(2), Err(TrySendError::Closed(2)));
        assert_eq!(open.send_timeout(3, FOREVER), Err(SendTimeoutError::Closed(3)));
        assert_eq!(open.send_stamped(4).unwrap_err().value, 4);
        assert_eq!(open.send_batch([5, 6]).unwrap_err().reason, Reason::Closed);
        assert_eq!(full.stamped(), Ok(Seq::new(1)));
        assert!(unnumbered.send(drops.value()).is_err() && full.send(drops.value()).is_err());
        assert!(matches!(
            unnumbered.stamped(),
            Err(StampedError::Closed | StampedError::NothingSent)
        ));
        assert_eq!(engine.sender(&open.address()).unwrap_err(), AddressError::Closed);
        let (mut late, mut receiver) = engine.channel::<u32>();
        assert_eq!(late.send(7).unwrap_err().value, 7);
        assert_eq!(late.send_stamped(8).unwrap_err().value, 8);
        assert_eq!(receiver.recv(), Err(RecvError::Closed));
        assert!(!engine.pass());
        drop((full, unnumbered, unread));
        assert_eq!(drops.count(), 5);
    });
}
