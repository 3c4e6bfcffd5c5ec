//! A shared sender: one lane, several authors, the order of the calls; nobody in anybody's way.

#![cfg(not(loom))]

#[path = "shared_sender/foreign.rs"]
mod foreign;
#[path = "shared_sender/memory.rs"]
mod memory;
#[path = "shared_sender/storm.rs"]
mod storm;
mod support;

use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::task::{Context, Wake, Waker};
use std::thread;
use std::time::Duration;

use mainspring::{Engine, SendTimeoutError, SharedSender, TrySendError};
use support::forget;

fn engine(capacity: usize) -> Engine {
    Engine::builder().capacity(capacity).build().unwrap()
}

fn poll<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    match Pin::new(future).poll(&mut Context::from_waker(Waker::noop())) {
        std::task::Poll::Ready(output) => Some(output),
        std::task::Poll::Pending => None,
    }
}

/// Polls it so often that it sleeps.
fn put_to_sleep<F: Future + Unpin>(future: &mut F) {
    for _ in 0..support::TILL_ASLEEP {
        assert!(poll(future).is_none());
    }
}

#[test]
fn each_authors_messages_come_in_its_order() {
    for capacity in [1, 4, 1024] {
        let engine = engine(capacity);
        let (tx, mut rx) = engine.channel();
        let shared = tx.into_shared();
        let authors: Vec<_> = (0..4)
            .map(|author| {
                let shared = shared.clone();
                thread::spawn(move || {
                    let mut last = 0;
                    for n in 0..2000_u32 {
                        match n % 4 {
                            0 => {
                                let seq = shared.send_stamped((author, n)).unwrap();
                                assert!(seq.get() > last);
                                last = seq.get();
                            }
                            1 => smol::future::block_on(shared.send_async((author, n))).unwrap(),
                            _ => shared.send((author, n)).unwrap(),
                        }
                    }
                })
            })
            .collect();
        drop(shared);
        let mut next = [0; 4];
        for (nth, (seq, (author, n))) in rx.messages().enumerate() {
            assert_eq!(seq.get(), nth as u64 + 1);
            assert_eq!(n, next[author]);
            next[author] += 1;
        }
        assert_eq!(next, [2000; 4]);
        authors.into_iter().for_each(|author| author.join().unwrap());
    }
}

#[test]
fn a_number_is_that_of_the_message() {
    let engine = engine(4);
    let (tx, mut rx) = engine.channel();
    let shared = tx.into_shared();
    let authors: Vec<_> = (0..3)
        .map(|author| {
            let shared = shared.clone();
            thread::spawn(move || {
                let numbered = |n| (shared.send_stamped((author, n)).unwrap(), (author, n));
                (0..500).map(numbered).collect::<Vec<_>>()
            })
        })
        .collect();
    drop(shared);
    let received: Vec<_> = rx.messages().collect();
    let mut told: Vec<_> = authors.into_iter().flat_map(|author| author.join().unwrap()).collect();
    told.sort();
    assert_eq!(received, told);
}

#[test]
fn who_waits_is_served_in_the_order_of_the_calls() {
    let engine = engine(1);
    let (tx, mut rx) = engine.channel();
    let shared = tx.into_shared();
    shared.send(0).unwrap();
    let mut waiting: Vec<_> = (1..10).map(|n| shared.send_async(n)).collect();
    waiting.iter_mut().for_each(put_to_sleep);
    assert_eq!(shared.try_send(10), Err(TrySendError::Full(10)));
    for n in 0..10 {
        assert_eq!(rx.recv().unwrap().1, n);
    }
    for mut sending in waiting {
        assert_eq!(poll(&mut sending), Some(Ok(())));
    }
    shared.try_send(11).unwrap();
}

#[test]
fn who_gives_up_gets_the_value_back_and_is_in_nobodys_way() {
    let engine = engine(1);
    let (tx, mut rx) = engine.channel();
    let shared = tx.into_shared();
    shared.send(0).unwrap();
    let (mut first, mut second, mut third) =
        (shared.send_async(1), shared.send_async(2), shared.send_async(3));
    [&mut first, &mut second, &mut third].into_iter().for_each(put_to_sleep);
    let timeout = shared.send_timeout(4, Duration::from_millis(1));
    assert_eq!(timeout, Err(SendTimeoutError::Timeout(4)));
    assert_eq!(first.into_inner(), Some(1));
    drop(second);
    assert_eq!(shared.send_async(5).into_inner(), Some(5)); // never polled
    assert_eq!(rx.recv().unwrap().1, 0);
    assert_eq!(rx.recv().unwrap().1, 3);
    assert_eq!(third.into_inner(), None); // it was sent
    assert!(rx.try_recv().is_err());
}

#[test]
fn a_forgotten_one_is_sent_in_its_turn() {
    let engine = engine(1);
    let (tx, mut rx) = engine.channel();
    let shared = tx.into_shared();
    shared.send(0).unwrap();
    let mut forgotten = shared.send_async(1);
    put_to_sleep(&mut forgotten);
    forget(forgotten);
    let mut stamping = shared.send_stamped_async(2);
    put_to_sleep(&mut stamping);
    forget(stamping);
    let author = thread::spawn(move || shared.send(3).map(|()| shared));
    for n in 0..4 {
        assert_eq!(rx.recv().unwrap().1, n);
    }
    author.join().unwrap().unwrap();
}

#[test]
fn the_lane_ends_with_the_last_handle() {
    let engine = engine(4);
    let (tx, mut rx) = engine.channel();
    let shared = SharedSender::from(tx);
    let clone = shared.clone();
    drop(shared);
    clone.send("still open").unwrap();
    drop(clone);
    assert_eq!(rx.recv().unwrap().1, "still open");
    assert!(rx.recv().is_err());
}

#[test]
fn a_receiver_that_goes_gives_all_back() {
    for round in 0..50 {
        let engine = engine(2);
        let (tx, rx) = engine.channel();
        let shared = tx.into_shared();
        let start = Arc::new(Barrier::new(4));
        let authors: Vec<_> = (0..3)
            .map(|author| {
                let (shared, start) = (shared.clone(), start.clone());
                thread::spawn(move || {
                    start.wait();
                    for n in 0.. {
                        let error = match (author + n) % 3 {
                            0 => shared.send(n).err(),
                            1 => shared.send_stamped(n).err(),
                            _ => smol::future::block_on(shared.send_async(n)).err(),
                        };
                        if let Some(error) = error {
                            assert_eq!(error.into_inner(), n);
                            break;
                        }
                    }
                })
            })
            .collect();
        start.wait();
        let mut rx = rx;
        for _ in 0..round {
            rx.recv().unwrap();
        }
        drop(rx);
        authors.into_iter().for_each(|author| author.join().unwrap());
        assert!(shared.is_closed());
    }
}

/// A waker that sends by the very sender that wakes it.
struct Nosy {
    shared: SharedSender<u32>,
    woken: AtomicUsize,
}

impl Wake for Nosy {
    fn wake(self: Arc<Self>) {
        self.woken.fetch_add(1, Ordering::Relaxed);
        self.shared.try_send(100).ok();
        self.shared.len();
    }
}

#[test]
fn a_waker_may_use_the_sender() {
    let engine = engine(2);
    let (tx, mut rx) = engine.channel();
    let shared = tx.into_shared();
    let nosy = Arc::new(Nosy { shared: shared.clone(), woken: AtomicUsize::new(0) });
    let waker = Waker::from(nosy.clone());
    let mut cx = Context::from_waker(&waker);
    shared.send(0).unwrap();
    shared.send(1).unwrap();
    let mut sending = shared.send_async(2);
    for _ in 0..support::TILL_ASLEEP {
        if nosy.woken.load(Ordering::Relaxed) > 10 {
            break;
        }
        assert!(Pin::new(&mut sending).poll(&mut cx).is_pending());
    }
    assert_eq!(rx.recv().unwrap().1, 0);
    assert_eq!(rx.recv().unwrap().1, 1);
    assert_eq!(rx.recv().unwrap().1, 2);
    assert!(nosy.woken.load(Ordering::Relaxed) > 0);
    assert!(Pin::new(&mut sending).poll(&mut cx).is_ready());
}
