//! Who waits for room, who gets it, and who is not held up: what was found by trying to break the engine.

#![cfg(not(loom))]

mod support;

use std::sync::mpsc::channel;
use std::thread;

use mainspring::{Drive, Engine, Sender};
use support::to_the_end;

/// Goal: what a receiver has taken makes room at once, though it does not come back to tell. Method: an inbox
/// that is one short of full; the receiver takes one and joins the thread that needs two places.
#[test]
fn a_taken_entry_makes_room_though_the_receiver_does_not_come_back() {
    to_the_end(|| {
        let engine = Engine::builder().capacity(64).inbox(8).build().unwrap();
        let (mut tx, mut rx) = engine.channel();
        for n in 0..7 {
            tx.send_stamped(n).unwrap();
        }
        assert_eq!(rx.recv().unwrap().1, 0);
        let sender = thread::spawn(move || [7, 8].map(|n| tx.send_stamped(n).unwrap().get()));
        assert_eq!(sender.join().unwrap(), [8, 9]);
        assert_eq!(rx.messages().map(|(_, n)| n).collect::<Vec<_>>(), (1..9).collect::<Vec<_>>());
    });
}

/// Goal: a lane that waits for room beside an outbox gets its share. Method: an inbox of four entries which an
/// outbox keeps full; two places become free at a time (an entry of a full window is 32 messages here).
#[test]
fn an_outbox_does_not_take_the_room_that_was_promised_to_a_lane() {
    let drive = Drive::manual(|| {});
    let engine = Engine::builder().capacity(256).inbox(4).drive(drive).build().unwrap();
    let mut rx = engine.receiver();
    let mut elsewhere = engine.options().inbox(1 << 12).receiver().unwrap();
    let mut out = engine.outbox();
    let here = out.add(&rx.address()).unwrap();
    let there = out.add(&elsewhere.address()).unwrap();
    let mut lane = engine.sender(&rx.address()).unwrap();
    let mut of_lane = 0;
    for _ in 0..500 {
        while out.try_send(here, "outbox").is_ok() && out.try_send(there, "elsewhere").is_ok() {}
        if lane.is_empty() {
            lane.send("lane").unwrap();
        }
        engine.run_until_idle();
        for _ in 0..2 * 32 {
            of_lane += usize::from(rx.try_recv().is_ok_and(|(_, text)| text == "lane"));
        }
        while elsewhere.try_recv().is_ok() {}
    }
    assert!(of_lane >= 50, "the lane was served {of_lane} times in 500 rounds");
}

/// Joins a thread when it is dropped.
struct Joins(Option<thread::JoinHandle<()>>);

impl Drop for Joins {
    fn drop(&mut self) {
        if let Some(thread) = self.0.take() {
            thread.join().unwrap();
        }
    }
}

/// Goal: a leaving receiver frees its full senders before it runs a destructor. Method: a destructor that joins a
/// full sender.
#[test]
fn a_destructor_may_wait_for_a_sender_that_was_full() {
    to_the_end(|| {
        let engine = Engine::builder().capacity(1).build().unwrap();
        let (mut tx, rx) = engine.channel();
        let mut full = tx.clone();
        full.send(Joins(None)).unwrap();
        let (tell, told) = channel();
        let thread = thread::spawn(move || {
            tell.send(()).unwrap();
            // It comes back, or falls to the receiver, which is still dropping.
            full.send(Joins(None)).ok();
        });
        told.recv().unwrap();
        tx.send(Joins(Some(thread))).unwrap();
        drop(rx);
    });
}

/// Sends itself on to its own receiver when it is dropped.
struct Insists(Option<Sender<Self>>);

impl Drop for Insists {
    fn drop(&mut self) {
        if let Some(mut tx) = self.0.take() {
            assert!(tx.send_stamped(Self(None)).is_err());
        }
    }
}

/// Goal: a destructor run by a leaving receiver may call what waits for that receiver. Method: `send_stamped` in it.
#[test]
fn a_destructor_may_send_to_the_receiver_that_runs_it() {
    to_the_end(|| {
        let engine = Engine::new();
        let (mut tx, rx) = engine.channel();
        let again = tx.clone();
        tx.send(Insists(Some(again))).unwrap();
        drop(rx);
    });
}

/// Goal: the next value of a batch may depend on what follows from those before it. Method: lanes of one and of four;
/// an iterator that receives, between two values, what the ones before have filled the lane with.
#[test]
fn a_full_lane_of_a_batch_is_published_before_the_next_value_is_asked_for() {
    for capacity in [1, 4] {
        let engine = Engine::builder().capacity(capacity as usize).build().unwrap();
        let (mut tx, mut rx) = engine.channel();
        let mut received = Vec::new();
        let values = (0..=capacity).inspect(|&value| {
            if value == capacity {
                received.extend((0..capacity).map(|_| rx.try_recv().unwrap().1));
            }
        });
        assert_eq!(tx.send_batch(values).unwrap(), capacity as usize + 1);
        assert_eq!(received, (0..capacity).collect::<Vec<_>>());
        assert_eq!(rx.recv().unwrap().1, capacity);
    }
}
