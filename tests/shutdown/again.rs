//! The engine is closed from wherever foreign code runs: by two at once, in wakers, hooks and destructors; by one who
//! has closed it already; and what joins later leaves nothing behind.

use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::task::{Context, Wake, Waker};
use std::thread;
use std::time::Duration;

use mainspring::{Drive, Engine, Idle, RecvError, parts};

use crate::LONG;
use crate::support::{TILL_ASLEEP, to_the_end};

type Place = Arc<OnceLock<Engine>>;

/// Closes the engine at its end, or when it is woken.
struct Closer {
    place: Place,
    closed: Arc<AtomicUsize>,
}

impl Closer {
    fn close(&self) {
        if let Some(engine) = self.place.get() {
            let report = engine.close(Duration::ZERO);
            assert!(report.clock.get() < 1_000_000);
            self.closed.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Closer {
    fn drop(&mut self) {
        self.close();
    }
}

impl Wake for Closer {
    fn wake(self: Arc<Self>) {
        self.close();
    }
}

fn poll<F: Future + Unpin>(future: &mut F, cx: &mut Context<'_>) -> bool {
    Pin::new(future).poll(cx).is_ready()
}

fn engines() -> impl Iterator<Item = (Place, Engine)> {
    let drives = [Drive::Callers, Drive::thread(Idle::Park), Drive::manual(|| {})];
    drives.into_iter().map(|drive| {
        let place = Place::default();
        let engine = Engine::builder().capacity(4).inbox(2).drive(drive).build().unwrap();
        place.set(engine.clone()).ok();
        (place, engine)
    })
}

/// Goal: a destructor may close the engine: of a value that a receiver drops, that a leaving receiver drops, that comes
/// back, that nobody read. Method: values whose ends do that.
#[test]
fn a_destructor_may_close_the_engine() {
    for at in 0..4 {
        for (place, engine) in engines() {
            to_the_end(move || {
                let closed = Arc::new(AtomicUsize::new(0));
                let value = || Closer { place: place.clone(), closed: closed.clone() };
                let (mut tx, mut rx) = engine.channel();
                let shared = tx.clone().into_shared();
                tx.send(value()).unwrap();
                shared.send(value()).unwrap();
                match at {
                    0 => {
                        engine.pass();
                        drop(rx.try_recv().map(|(_, value)| value));
                        drop(rx);
                    }
                    1 => drop(rx),
                    2 => {
                        drop(rx);
                        drop(tx.send(value()).unwrap_err());
                        drop(shared.send(value()).unwrap_err());
                    }
                    _ => {
                        engine.close(Duration::ZERO).is_clean();
                        drop((tx, shared));
                        drop(rx);
                    }
                }
                assert!(engine.is_closed());
                assert!(closed.load(Ordering::Relaxed) > 0);
                // A circle: the engine in the place, values in its lanes.
                drop(place);
            });
        }
    }
}

/// Goal: a waker may close the engine: of a receiver, of an author that waits for room or for a number, of one who
/// waits for the clock; also if that is how the engine's end wakes it. Method: one waker for all.
#[test]
fn a_waker_may_close_the_engine() {
    for (_, engine) in engines() {
        to_the_end(move || {
            let closed = Arc::new(AtomicUsize::new(0));
            let (mut tx, mut rx) = engine.channel();
            let mut empty = engine.receiver::<u32>();
            let (mut full, _unread) = engine.channel();
            while full.try_send(0).is_ok() {}
            let shared = full.clone().into_shared();
            while shared.try_send(0).is_ok() {}
            let (clock, found) = (engine.clock(), Place::default());
            let closer = Arc::new(Closer { place: found.clone(), closed: closed.clone() });
            let waker = Waker::from(closer);
            {
                let mut cx = Context::from_waker(&waker);
                let mut receiving = rx.recv_async();
                let mut waiting = empty.recv_event_async();
                let mut sending = full.send_async(1);
                let mut sharing = shared.send_async(1);
                let mut reaching = clock.reached(1000.into());
                for _ in 0..TILL_ASLEEP {
                    poll(&mut receiving, &mut cx);
                    poll(&mut waiting, &mut cx);
                    poll(&mut sending, &mut cx);
                    poll(&mut sharing, &mut cx);
                    poll(&mut reaching, &mut cx);
                }
                // From now on the waker finds the engine.
                found.set(engine.clone()).ok();
                tx.send(1_u32).unwrap();
                engine.pass();
                engine.close(Duration::ZERO).is_clean();
                poll(&mut receiving, &mut cx);
                assert!(poll(&mut waiting, &mut cx));
                assert!(poll(&mut sending, &mut cx));
                assert!(poll(&mut sharing, &mut cx));
                assert!(poll(&mut reaching, &mut cx));
            }
            assert_eq!(empty.recv(), Err(RecvError::Closed));
        });
    }
}

/// Goal: a hook may close the engine, whatever called it.
#[test]
fn a_hook_may_close_the_engine() {
    to_the_end(|| {
        let place: Arc<OnceLock<Engine>> = Arc::default();
        let of_hook: Weak<OnceLock<Engine>> = Arc::downgrade(&place);
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = calls.clone();
        let hook = move || {
            let nth = counted.fetch_add(1, Ordering::Relaxed);
            if let Some(place) = of_hook.upgrade()
                && let Some(engine) = place.get()
                && nth < 100
            {
                engine.close(Duration::ZERO).is_clean();
            }
        };
        let engine = Engine::builder().drive(Drive::manual(hook)).build().unwrap();
        let (mut tx, mut rx) = engine.channel();
        let mut other = tx.clone();
        let shared = tx.clone().into_shared();
        tx.send(1).unwrap();
        place.set(engine.clone()).ok();
        // Somebody sleeps, so that this calls the hook.
        assert!(rx.try_recv().is_err() || engine.is_closed());
        assert!(engine.is_closed());
        assert!(other.send(2).is_err());
        assert!(shared.send(2).is_err());
        assert!(shared.send_stamped(2).is_err());
        drop((tx, other, shared, rx));
        assert!(calls.load(Ordering::Relaxed) > 0);
    });
}

/// Goal: of several who close at once, each gets a report; the shortest time wins.
#[test]
fn several_may_close_at_once() {
    for round in 0..20_u64 {
        for (place, engine) in engines() {
            drop(place);
            to_the_end(move || {
                // Room for each of them, also if each is handed out alone.
                let (mut tx, mut rx) = engine.options().inbox(4).channel().unwrap();
                for n in 0..3 {
                    tx.send(n).unwrap();
                }
                engine.run_until_idle();
                let closers: Vec<_> = [LONG, Duration::from_millis(1 + round % 3), LONG]
                    .map(|within| {
                        let engine = engine.clone();
                        thread::spawn(move || engine.close(within))
                    })
                    .into_iter()
                    .collect();
                for closer in closers {
                    let report = closer.join().unwrap();
                    assert_eq!((report.clock.get(), report.left[0].unread), (3, 3));
                }
                assert_eq!(rx.messages().count(), 3);
                assert!(engine.close(LONG).is_clean());
            });
        }
    }
}

/// Goal: an engine that was closed, or poisoned, keeps nothing of those who join and leave later. Method: their values
/// are gone, and nothing is listed for a pass that never comes.
#[test]
fn who_joins_later_leaves_nothing_behind() {
    for (nth, (place, engine)) in engines().chain(engines()).enumerate() {
        drop(place);
        if nth < 3 {
            assert!(engine.close(LONG).is_clean());
        } else {
            parts::poison(&engine);
        }
        let token = Arc::new(());
        let group = engine.group::<Arc<()>>();
        for _ in 0..100 {
            let (mut tx, mut rx) = engine.channel::<Arc<()>>();
            assert!(tx.send(token.clone()).is_err());
            assert!(tx.clone().into_shared().send(token.clone()).is_err());
            assert!(rx.recv().is_err());
            let mut member = group.subscribe();
            let mut all = group.broadcaster();
            assert!(all.send(token.clone()).is_err());
            assert!(member.recv().is_err());
            let mut out = engine.outbox();
            let to = out.add_group(&group).unwrap();
            assert!(out.send_all(to, token.clone()).is_err());
            assert!(out.send_keyed(to, "key", token.clone()).is_err());
            assert!(out.send_next(to, token.clone()).is_err());
        }
        assert_eq!(Arc::strong_count(&token), 1);
        assert_eq!(parts::listed(&engine), 0);
    }
}
