//! A task that always finds something gives way to others now and then.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::task::Context;

use mainspring::{Engine, Event, Merge, Receiver};
use smol::stream::StreamExt;

use crate::executors::counter;

const ROUNDS: u32 = 300;

/// Polls a task that counts its rounds, each of which is ready at once. It gives way when a hundred or so are over, and
/// asks to be polled again.
fn gives_way(what: &str, rounds: &AtomicU32, task: impl Future<Output = ()>) {
    let (waker, woken) = counter();
    let mut task = pin!(task);
    let (mut before, mut polls) = (0, 0);
    while task.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
        polls += 1;
        let now = rounds.load(Relaxed);
        assert!(woken.count() >= polls, "{what}: gives way after {now}, and asks for nothing");
        assert!((100..=128).contains(&(now - before)), "{what}: {} in a row", now - before);
        before = now;
    }
    assert_eq!(rounds.load(Relaxed), ROUNDS);
    assert!(polls >= 2, "{what}: {polls}");
}

fn engine() -> Engine {
    Engine::builder().capacity(1024).inbox(1024).build().unwrap()
}

fn filled(engine: &Engine) -> Receiver<u32> {
    let (mut tx, rx) = engine.channel();
    tx.send_batch(0..ROUNDS).unwrap();
    rx
}

/// A task in which this is done in each round.
macro_rules! task {
    ($name:literal, $n:ident, $round:expr) => {
        let rounds = AtomicU32::new(0);
        gives_way($name, &rounds, async {
            for $n in 0..ROUNDS {
                $round;
                rounds.fetch_add(1, Relaxed);
            }
        });
    };
}

/// Goal: no author keeps its executor's thread for itself, whichever end it sends by. Method: every form, where
/// there is room; polled by hand.
#[test]
fn authors_give_way() {
    let engine = engine();
    let (mut tx, _rx) = engine.channel();
    task!("send_async", n, tx.send_async(n).await.unwrap());
    let (mut tx, _rx) = engine.channel();
    task!("send_stamped_async", n, tx.send_stamped_async(n).await.unwrap());
    let shared = || {
        let (tx, rx) = engine.channel();
        (tx.into_shared(), rx)
    };
    let (tx, _rx) = shared();
    task!("shared, send_async", n, tx.send_async(n).await.unwrap());
    let (tx, _rx) = shared();
    task!("shared, send_stamped_async", n, tx.send_stamped_async(n).await.unwrap());
    let group = engine.group();
    let _member = group.subscribe();
    let mut all = group.broadcaster();
    task!("broadcast, send_async", n, all.send_async(n).await.unwrap());
    let mut all = group.broadcaster();
    task!("broadcast, send_stamped_async", n, all.send_stamped_async(n).await.unwrap());
    let mut out = engine.outbox();
    let rx = engine.receiver();
    let to = out.add(&rx.address()).unwrap();
    task!("outbox, send_async", n, out.send_async(to, n).await.unwrap());
}

/// Goal: the same for those who receive, where there is always a message.
#[test]
fn receivers_give_way() {
    let engine = engine();
    let mut rx = filled(&engine);
    task!("recv_async", n, assert_eq!(rx.recv_async().await.unwrap().1, n));
    let mut rx = filled(&engine);
    task!("next", n, assert_eq!(rx.next().await.unwrap().1, n));
    let mut rx = filled(&engine);
    task!("recv_batch_async", n, {
        assert_eq!(rx.recv_batch_async(1, |_, value| assert_eq!(value, n)).await, Ok(1));
    });
    let mut rx = filled(&engine);
    task!("recv_event_async", n, {
        let event = rx.recv_event_async().await.unwrap();
        assert!(matches!(event, Event::Message(_, value) if value == n), "{event:?}");
    });
    let merge = || Merge::new([filled(&engine)]).unwrap();
    let mut all = merge();
    task!("merge, recv_async", n, assert_eq!(all.recv_async().await.unwrap().1, n));
    let mut all = merge();
    task!("merge, next", n, assert_eq!(all.next().await.unwrap().1, n));
    let mut all = merge();
    task!("merge, recv_batch_async", n, {
        assert_eq!(all.recv_batch_async(1, |_, value| assert_eq!(value, n)).await, Ok(1));
    });
}
