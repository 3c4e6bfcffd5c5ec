//! Every wait by tasks: in executors of all kinds, cut short, forgotten, woken by wakers that do more than they should,
//! beside threads, by the thousand, and while everything goes away.
//!
//! Executors are in [`executors`]: tokio's and smol's, and hand-written ones that do whatever an executor may do.

#![cfg(not(loom))]

#[path = "tasks/cancel.rs"]
mod cancel;
#[path = "tasks/ending.rs"]
mod ending;
#[path = "tasks/executors.rs"]
mod executors;
#[path = "tasks/forgotten.rs"]
mod forgotten;
#[path = "tasks/forms.rs"]
mod forms;
#[path = "tasks/many.rs"]
mod many;
#[path = "tasks/mixed.rs"]
mod mixed;
#[path = "tasks/storm.rs"]
mod storm;
mod support;
#[path = "tasks/turns.rs"]
mod turns;
#[path = "tasks/wakers.rs"]
mod wakers;

use mainspring::{
    Broadcaster, Clock, Engine, Merge, Outbox, Progress, Receiver, Sender, Sending, Seq, Stamping,
    Target,
};

fn is_send<T: Send>(_: &T) {}
fn is_sync<T: Sync>(_: &T) {}
fn is_unpin<T: Unpin>(_: &T) {}
fn is_send_and_unpin<T: Send + Unpin>(_: &T) {}

/// A value that is sent, but never shared.
type Unshared = std::cell::Cell<u8>;

/// Goal: each future may go to another thread between two polls, and needs no pinning (but an outbox's, whose value may
/// not be moved otherwise); those that only read a number may be shared, too. Method: the compiler's word.
#[test]
fn futures_are_send_and_unpin() {
    fn of_a_sender(tx: &mut Sender<Unshared>, all: &mut Broadcaster<u8>) {
        let sending = tx.send_async(Unshared::new(1));
        is_send_and_unpin(&sending);
        drop(sending);
        let stamping = tx.send_stamped_async(Unshared::new(1));
        is_send_and_unpin(&stamping);
        drop(stamping);
        is_send(&all.send_async(1));
        is_unpin(&all.send_stamped_async(1));
    }
    fn of_a_receiver(rx: &mut Receiver<Unshared>) {
        is_send(&rx.recv_async());
        is_unpin(&rx.recv_async());
        is_send(&rx.recv_event_async());
        is_unpin(&rx.recv_event_async());
        let batch = rx.recv_batch_async(1, |_, _| ());
        is_send_and_unpin(&batch);
        drop(batch);
        is_unpin(rx);
    }
    fn of_a_merge(rx: &mut Merge<u8>) {
        is_send(&rx.recv_async());
        is_unpin(&rx.recv_async());
        is_send(&rx.recv_event_async());
        is_unpin(&rx.recv_event_async());
        let batch = rx.recv_batch_async(1, |_, _| ());
        is_send_and_unpin(&batch);
        drop(batch);
        is_unpin(rx);
    }
    fn of_numbers(clock: &Clock, progress: &Progress) {
        let (reached, handled) = (clock.reached(Seq::new(1)), progress.reached(Seq::new(1)));
        is_send_and_unpin(&reached);
        is_sync(&reached);
        is_send_and_unpin(&handled);
        is_sync(&handled);
        // They borrow nothing.
        let kept: Box<dyn Send + 'static> = Box::new((reached, handled));
        drop(kept);
    }
    fn of_an_outbox(out: &mut Outbox, to: Target<Unshared>) {
        is_send(&out.send_async(to, Unshared::new(1)));
    }
    fn named(sending: &Sending<'_, Unshared>, stamping: &Stamping<'_, Unshared>) -> String {
        format!("{sending:?} {stamping:?}")
    }
    let engine = Engine::new();
    let (mut tx, mut rx) = engine.channel();
    of_a_sender(&mut tx, &mut engine.group().broadcaster());
    of_a_receiver(&mut rx);
    let progress = rx.progress();
    of_a_merge(&mut Merge::new([engine.receiver()]).unwrap());
    of_numbers(&engine.clock(), &progress);
    let mut out = engine.outbox();
    let to = out.add(&rx.address()).unwrap();
    of_an_outbox(&mut out, to);
    let mut other = tx.clone();
    let names =
        named(&tx.send_async(Unshared::new(0)), &other.send_stamped_async(Unshared::new(0)));
    assert_eq!(names, "Sending { sent: false, .. } Stamping { sent: false, .. }");
}
