//! What shared senders keep alive goes when their handles go: queues, wakers in parkers, places in lists.

use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Wake, Waker};
use std::thread;
use std::time::Duration;

use mainspring::{Drive, Engine, Idle, parts};

use crate::put_to_sleep;
use crate::support::{TILL_ASLEEP, forget, to_the_end};

/// An engine by hand, of which all ends keep `token` by its hook.
fn engine_with(token: &Arc<()>) -> Engine {
    let token = token.clone();
    let hook = move || assert!(Arc::strong_count(&token) > 0);
    Engine::builder().capacity(1).inbox(1).drive(Drive::manual(hook)).build().unwrap()
}

struct Silent(#[expect(dead_code, reason = "kept")] Arc<()>);

impl Wake for Silent {
    fn wake(self: Arc<Self>) {}
}

/// Goal: the lane's parker has a waker that keeps the queue, which keeps the lane, which keeps the parker: the last
/// handle cuts that circle, whatever waits, or has waited, or gave up. Method: the engine itself is gone when all
/// handles are, in every order.
#[test]
fn nothing_is_left_when_all_handles_have_gone() {
    for ending in 0..7 {
        for order in 0..2 {
            let token = Arc::new(());
            let engine = engine_with(&token);
            let (tx, mut rx) = engine.channel::<Arc<()>>();
            let shared = tx.into_shared();
            shared.send(token.clone()).unwrap();
            let mut sending = shared.send_async(token.clone());
            put_to_sleep(&mut sending);
            match ending {
                0 => drop(sending),
                1 => assert!(sending.into_inner().is_some()),
                2 => {
                    drop(sending);
                    let late = shared.send_timeout(token.clone(), Duration::from_millis(1));
                    assert!(late.is_err());
                }
                3 => {
                    engine.run_until_idle();
                    rx.recv().unwrap();
                    drop(sending);
                }
                4 => {
                    drop(sending);
                    let mut stamping = shared.send_stamped_async(token.clone());
                    put_to_sleep(&mut stamping);
                    engine.run_until_idle();
                    rx.recv().unwrap();
                    put_to_sleep(&mut stamping); // it stands in the lane
                    drop(stamping);
                }
                5 => {
                    drop(sending);
                    engine.close(Duration::ZERO).is_clean();
                }
                _ => {
                    drop(sending);
                    parts::poison(&engine);
                }
            }
            if order == 0 {
                drop(shared);
                drop(rx);
            } else {
                drop(rx);
                drop(shared);
            }
            drop(engine);
            assert_eq!(Arc::strong_count(&token), 1, "ending {ending}, order {order}");
        }
    }
}

/// Goal: what a forgotten future leaves is its own slot and its waker, no more: the value goes with the last handle.
#[test]
fn a_forgotten_value_goes_with_the_last_handle() {
    let token = Arc::new(());
    let engine = engine_with(&Arc::new(()));
    let (tx, mut rx) = engine.channel::<Arc<()>>();
    let shared = tx.into_shared();
    shared.send(token.clone()).unwrap();
    for _ in 0..3 {
        let mut sending = shared.send_async(token.clone());
        put_to_sleep(&mut sending);
        forget(sending);
    }
    assert_eq!(Arc::strong_count(&token), 5);
    drop(shared);
    assert_eq!(Arc::strong_count(&token), 2);
    engine.run_until_idle();
    assert!(rx.recv().is_ok());
    assert!(rx.recv().is_err());
    assert_eq!(Arc::strong_count(&token), 1);
}

/// Goal: a waker that a sender's forgotten future left in its lane is not dropped where the queue is locked. Method:
/// the waker's end uses the shared sender that was made of that sender.
#[test]
fn a_waker_that_was_left_over_may_use_the_sender() {
    use std::sync::OnceLock;
    struct Nosy(Arc<OnceLock<mainspring::SharedSender<u32>>>);
    impl Wake for Nosy {
        fn wake(self: Arc<Self>) {}
    }
    impl Drop for Nosy {
        fn drop(&mut self) {
            if let Some(shared) = self.0.get() {
                assert_eq!(shared.capacity(), 1);
                shared.try_send(9).ok();
            }
        }
    }
    to_the_end(|| {
        let engine = Engine::builder().capacity(1).drive(Drive::manual(|| {})).build().unwrap();
        let (mut tx, rx) = engine.channel::<u32>();
        tx.send(0).unwrap();
        let place = Arc::new(OnceLock::new());
        let waker = Waker::from(Arc::new(Nosy(place.clone())));
        {
            let mut sending = tx.send_async(1);
            for _ in 0..TILL_ASLEEP {
                let mut cx = Context::from_waker(&waker);
                assert!(Pin::new(&mut sending).poll(&mut cx).is_pending());
            }
            forget(sending);
        }
        drop(waker);
        let shared = tx.into_shared();
        place.set(shared.clone()).ok();
        let mut sending = shared.send_async(2);
        put_to_sleep(&mut sending);
        drop(sending);
        drop(rx);
    });
}

/// Goal: with a dispatcher thread as well, tasks and threads that come and go leave nothing, neither values nor wakers.
#[test]
fn a_storm_leaves_nothing() {
    for drive in [Drive::Callers, Drive::thread(Idle::Park)] {
        to_the_end(move || {
            let (values, wakers) = (Arc::new(()), Arc::new(()));
            let engine = Engine::builder().capacity(2).inbox(2).drive(drive).build().unwrap();
            for round in 0..200_u64 {
                let (tx, mut rx) = engine.channel::<Arc<()>>();
                let shared = tx.into_shared();
                let authors: Vec<_> = (0..3)
                    .map(|author| {
                        let (shared, values) = (shared.clone(), values.clone());
                        let waker = Waker::from(Arc::new(Silent(wakers.clone())));
                        thread::spawn(move || {
                            let mut cx = Context::from_waker(&waker);
                            for n in 0..6 {
                                let value = values.clone();
                                match (author + n + round) % 5 {
                                    0 => drop(shared.send(value)),
                                    1 => drop(shared.send_stamped(value)),
                                    2 => {
                                        let mut sending = shared.send_async(value);
                                        for _ in 0..TILL_ASLEEP {
                                            if Pin::new(&mut sending).poll(&mut cx).is_ready() {
                                                break;
                                            }
                                        }
                                    }
                                    3 => {
                                        let within = Duration::from_micros(n * 20);
                                        drop(shared.send_timeout(value, within));
                                    }
                                    _ => drop(shared.try_send(value)),
                                }
                            }
                        })
                    })
                    .collect();
                drop(shared);
                for _ in 0..round % 12 {
                    rx.recv().ok();
                }
                if round % 3 == 0 {
                    rx.messages().for_each(drop);
                }
                drop(rx);
                authors.into_iter().for_each(|author| author.join().unwrap());
            }
            let weak: Weak<()> = Arc::downgrade(&wakers);
            drop((wakers, engine));
            // The last to go may be the dispatcher thread.
            crate::support::until(|| weak.strong_count() == 0 && Arc::strong_count(&values) == 1);
        });
    }
}
