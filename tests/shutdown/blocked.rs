//! Authors that wait in every way there is hear of the close, each value once; nobody spins, nobody sleeps on.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use mainspring::{Drive, Engine, Idle, Receiver};

use crate::LONG;
use crate::support::{TILL_ASLEEP, to_the_end};

/// A value of which all clones are counted.
struct Large {
    live: Arc<AtomicUsize>,
    _weight: [u64; 40],
}

impl Large {
    fn new(live: &Arc<AtomicUsize>) -> Self {
        live.fetch_add(1, Ordering::Relaxed);
        Self { live: live.clone(), _weight: [7; 40] }
    }
}

impl Clone for Large {
    fn clone(&self) -> Self {
        Self::new(&self.live)
    }
}

impl Drop for Large {
    fn drop(&mut self) {
        self.live.fetch_sub(1, Ordering::Relaxed);
    }
}

const WAYS: usize = 14;

/// Sends in one way until it is refused; how many were sent.
fn send_until_refused(
    way: usize,
    engine: &Engine,
    to: &mainspring::Address<Large>,
    live: &Arc<AtomicUsize>,
) -> Box<dyn FnOnce() -> usize + Send> {
    let value = {
        let live = live.clone();
        move || Large::new(&live)
    };
    let mut tx = engine.sender(to).unwrap();
    let mut out = engine.outbox();
    let group = engine.group::<Large>();
    group.join(to).unwrap();
    let mut count = 0;
    macro_rules! go {
        ($sent:expr) => {
            Box::new(move || {
                while $sent {
                    count += 1;
                }
                count
            })
        };
    }
    match way {
        0 => go!(tx.send(value()).is_ok()),
        1 => go!(tx.send_stamped(value()).is_ok()),
        2 => Box::new(move || tx.send_batch(std::iter::repeat_with(value)).unwrap_err().sent),
        3 => go!(smol::future::block_on(tx.send_async(value())).is_ok()),
        4 => go!(tx.send_timeout(value(), LONG).is_ok()),
        5 => {
            let shared = tx.into_shared();
            go!(shared.send(value()).is_ok())
        }
        6 => {
            let shared = tx.into_shared();
            go!(shared.send_stamped(value()).is_ok())
        }
        7 => {
            let shared = tx.into_shared();
            go!(smol::future::block_on(shared.send_async(value())).is_ok())
        }
        8 => {
            let mut all = group.broadcaster();
            go!(all.send(value()).is_ok())
        }
        9 => {
            let to = out.add(to).unwrap();
            go!(out.send(to, value()).is_ok())
        }
        10 => {
            let to = out.add_group(&group).unwrap();
            go!(out.send_keyed(to, &7, value()).is_ok())
        }
        11 => {
            let to = out.add_group(&group).unwrap();
            go!(out.send_next(to, value()).is_ok())
        }
        12 => {
            let to = out.add_group(&group).unwrap();
            go!(out.send_all(to, value()).is_ok())
        }
        _ => {
            let to = out.add(to).unwrap();
            go!(smol::future::block_on(out.send_async(to, value())).is_ok())
        }
    }
}

/// Goal: an author that waits, in any way, is refused when the engine is closed, at the latest when the time is up.
/// What counts as sent is received or reported, and each value is dropped. Method: all ways at once, small rings, a
/// receiver that reads nothing, or reads only while the engine is being closed.
#[test]
fn authors_that_wait_are_told() {
    for reads in [false, true] {
        for drive in [Drive::Callers, Drive::thread(Idle::Park), Drive::thread(Idle::Spin)] {
            to_the_end(move || {
                let live = Arc::new(AtomicUsize::new(0));
                let builder = Engine::builder().capacity(2).inbox(2).drive(drive);
                let engine = builder.build().unwrap();
                let mut rx: Receiver<Large> = engine.receiver();
                let authors: Vec<_> = (0..WAYS)
                    .map(|way| {
                        let work = send_until_refused(way, &engine, &rx.address(), &live);
                        thread::spawn(work)
                    })
                    .collect();
                // Something is there, and most authors wait.
                while engine.clock().now().get() < 1 {
                    engine.pass();
                    thread::yield_now();
                }
                let (go, begins) = mpsc::channel::<()>();
                let reader = thread::spawn(move || {
                    begins.recv().ok();
                    let count = if reads { rx.messages().count() } else { 0 };
                    (count, rx)
                });
                let (received, report) = if reads {
                    drop(go);
                    let report = engine.close(LONG);
                    (reader.join().unwrap(), report)
                } else {
                    let report = engine.close(Duration::from_millis(30));
                    drop(go);
                    (reader.join().unwrap(), report)
                };
                let sent: usize = authors.into_iter().map(|author| author.join().unwrap()).sum();
                let left: u64 = report.left.iter().map(|left| left.unread + left.unnumbered).sum();
                let counted = received.0 + left as usize;
                assert!(
                    (sent..=sent + WAYS).contains(&counted),
                    "{sent} sent, {counted}: {report}"
                );
                assert!(!reads || report.is_clean(), "{report}");
                drop((received, engine));
                assert_eq!(live.load(Ordering::Relaxed), 0);
            });
        }
    }
}

/// Goal: the same with passes by hand, where nobody sleeps: a task that waits is woken, and refused.
#[test]
fn tasks_that_wait_are_told_by_hand() {
    for way in 0..5 {
        let engine =
            Engine::builder().capacity(1).inbox(1).drive(Drive::manual(|| {})).build().unwrap();
        let (mut first, rx) = engine.channel::<u32>();
        let mut out = engine.outbox();
        let to = out.add(&rx.address()).unwrap();
        let mut tx = first.clone();
        let shared = first.clone().into_shared();
        first.send(0).unwrap();
        engine.pass();
        let mut sending: std::pin::Pin<Box<dyn Future<Output = Option<u32>> + Send>> = match way {
            0 => Box::pin(async move {
                tx.send(1).unwrap();
                tx.send_async(2).await.err().map(|error| error.value)
            }),
            1 => Box::pin(
                async move { tx.send_stamped_async(2).await.err().map(|error| error.value) },
            ),
            2 => Box::pin(async move {
                shared.send(1).unwrap();
                shared.send_async(2).await.err().map(|error| error.value)
            }),
            3 => Box::pin(async move {
                shared.send_stamped_async(2).await.err().map(|error| error.value)
            }),
            _ => Box::pin(async move {
                out.send(to, 1).unwrap();
                out.send_async(to, 2).await.err().map(|error| error.value)
            }),
        };
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(woken.clone());
        let mut cx = Context::from_waker(&waker);
        for _ in 0..TILL_ASLEEP {
            assert!(pin!(&mut sending).poll(&mut cx).is_pending(), "way {way}");
        }
        let before = woken.0.load(Ordering::Relaxed);
        assert!(!engine.close(Duration::ZERO).is_clean());
        assert!(woken.0.load(Ordering::Relaxed) > before, "way {way}");
        assert_eq!(pin!(&mut sending).poll(&mut cx), Poll::Ready(Some(2)), "way {way}");
        drop(rx);
    }
}

#[derive(Default)]
struct Woken(AtomicUsize);

impl std::task::Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Goal: those who wait behind a number that does not come are told when the close begins, not when it ends.
#[test]
fn who_waits_behind_a_number_is_told_at_once() {
    to_the_end(|| {
        let engine = Engine::builder().inbox(1).build().unwrap();
        let (mut first, mut rx) = engine.channel();
        let shared = first.clone().into_shared();
        first.send(0).unwrap();
        engine.pass();
        let (stamping, behind) = thread::scope(|scope| {
            let stamping = scope.spawn(|| shared.send_stamped(1));
            while shared.is_empty() {
                thread::yield_now();
            }
            let behind = scope.spawn(|| shared.send(2));
            let closing = scope.spawn(|| engine.close(LONG));
            let behind = behind.join().unwrap();
            assert_eq!(rx.recv(), Ok((1.into(), 0)));
            assert_eq!(rx.recv(), Ok((2.into(), 1)));
            assert!(closing.join().unwrap().is_clean());
            (stamping.join().unwrap(), behind)
        });
        assert_eq!(stamping.unwrap().get(), 2);
        assert_eq!(behind.unwrap_err().into_inner(), 2);
    });
}
