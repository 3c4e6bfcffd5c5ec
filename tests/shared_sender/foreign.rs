//! Foreign code that runs in the midst of a shared sender's work, and uses that same sender: destructors and wakers.

use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Wake, Waker};
use std::thread;
use std::time::Duration;

use mainspring::{Drive, Engine, SharedSender};

use crate::support::{TILL_ASLEEP, forget, to_the_end};
use crate::{poll, put_to_sleep};

/// Does something at its end.
struct Parcel(Option<Box<dyn FnOnce() + Send>>);

impl Parcel {
    fn with(end: impl FnOnce() + Send + 'static) -> Self {
        Self(Some(Box::new(end)))
    }

    fn plain() -> Self {
        Self(None)
    }
}

impl Drop for Parcel {
    fn drop(&mut self) {
        if let Some(end) = self.0.take() {
            end();
        }
    }
}

/// Where destructors find the sender.
type Place = Arc<OnceLock<SharedSender<Parcel>>>;

/// A value whose end sends in all ways that wait, and counts how often it was refused.
fn sends_at_its_end(place: &Place, refused: &Arc<AtomicUsize>) -> Parcel {
    let (place, refused) = (place.clone(), refused.clone());
    Parcel::with(move || {
        let shared = place.get().unwrap();
        let results = [
            shared.try_send(Parcel::plain()).is_err(),
            shared.send(Parcel::plain()).is_err(),
            shared.send_timeout(Parcel::plain(), Duration::from_secs(60)).is_err(),
            shared.send_stamped(Parcel::plain()).is_err(),
            smol::future::block_on(shared.send_async(Parcel::plain())).is_err(),
        ];
        refused.fetch_add(results.iter().filter(|refused| **refused).count(), Ordering::Relaxed);
    })
}

fn by_hand(capacity: usize, inbox: usize) -> Engine {
    let drive = Drive::manual(|| {});
    Engine::builder().capacity(capacity).inbox(inbox).drive(drive).build().unwrap()
}

/// Goal: a value that the receiver left alone when it went, since its author waited for its number, and that a later
/// send drops, is dropped where no lock is held. Method: its end uses the sender.
#[test]
fn what_a_refused_send_drops_may_use_the_sender() {
    to_the_end(|| {
        let engine = by_hand(4, 1);
        let (mut tx, rx) = engine.channel();
        let (place, refused) = (Place::default(), Arc::default());
        let mut stamping = tx.send_stamped_async(sends_at_its_end(&place, &refused));
        put_to_sleep(&mut stamping);
        drop(rx);
        drop(stamping);
        let shared = tx.into_shared();
        place.set(shared.clone()).ok();
        assert!(shared.send(Parcel::plain()).is_err());
        assert_eq!(refused.load(Ordering::Relaxed), 5);
    });
}

/// Goal: a value whose author has gone comes back from a receiver that leaves, and is dropped where no lock is held;
/// whoever drops it is waited for by nobody. Method: its end uses the sender, in all ways that wait.
#[test]
fn what_nobody_takes_back_may_use_the_sender() {
    to_the_end(|| {
        let engine = by_hand(4, 4);
        let (tx, rx) = engine.channel();
        let (place, refused) = (Place::default(), Arc::default());
        let shared = tx.into_shared();
        place.set(shared.clone()).ok();
        let mut stamping = shared.send_stamped_async(sends_at_its_end(&place, &refused));
        put_to_sleep(&mut stamping);
        drop(stamping);
        drop(rx);
        assert_eq!(refused.load(Ordering::Relaxed), 5);
    });
}

/// Goal: a value that a leaving receiver drops may use the sender although another value waits for its number, which
/// is settled only when the receiver has dropped all. Method: as above.
#[test]
fn what_a_leaving_receiver_drops_may_use_the_sender() {
    to_the_end(|| {
        let engine = by_hand(4, 4);
        let (tx, rx) = engine.channel();
        let (place, refused) = (Place::default(), Arc::default());
        let shared = tx.into_shared();
        place.set(shared.clone()).ok();
        shared.send(sends_at_its_end(&place, &refused)).unwrap();
        let mut stamping = shared.send_stamped_async(Parcel::plain());
        put_to_sleep(&mut stamping);
        drop(rx);
        assert!(poll(&mut stamping).unwrap().is_err());
        assert_eq!(refused.load(Ordering::Relaxed), 5);
    });
}

/// Goal: a destructor that panics keeps nobody from hearing what has become of its own value. Method: the value comes
/// back to nobody when the receiver leaves; behind it wait a thread and tasks.
#[test]
fn a_destructor_that_panics_keeps_nobody_asleep() {
    to_the_end(|| {
        let engine = by_hand(4, 4);
        let (tx, rx) = engine.channel();
        let shared = tx.into_shared();
        let mut stamping = shared.send_stamped_async(Parcel::with(|| panic!("as planned")));
        put_to_sleep(&mut stamping);
        drop(stamping);
        let mut first = shared.send_async(Parcel::plain());
        put_to_sleep(&mut first);
        let mut dropped = shared.send_async(Parcel::with(|| panic!("as planned")));
        put_to_sleep(&mut dropped);
        forget(dropped);
        let author = thread::spawn({
            let shared = shared.clone();
            move || shared.send(Parcel::plain()).is_err()
        });
        drop(rx);
        assert!(author.join().unwrap());
        assert!(poll(&mut first).unwrap().is_err());
        assert!(shared.send(Parcel::plain()).is_err());
        assert!(shared.send_stamped(Parcel::plain()).is_err());
    });
}

/// Goal: the last handle drops all that was forgotten in its queue, and ends the lane, also if destructors panic.
#[test]
fn the_last_handle_goes_on_if_destructors_panic() {
    to_the_end(|| {
        let engine = by_hand(1, 1);
        let (tx, mut rx) = engine.channel();
        let shared = tx.into_shared();
        shared.send(Parcel::plain()).unwrap();
        let ends = Arc::new(AtomicUsize::new(0));
        for _ in 0..5 {
            let ends = ends.clone();
            let mut forgotten = shared.send_async(Parcel::with(move || {
                ends.fetch_add(1, Ordering::Relaxed);
                panic!("as planned");
            }));
            put_to_sleep(&mut forgotten);
            forget(forgotten);
        }
        thread::spawn(move || drop(shared)).join().unwrap_err();
        assert_eq!(ends.load(Ordering::Relaxed), 5);
        engine.run_until_idle();
        assert!(rx.recv().is_ok());
        assert!(rx.recv().is_err());
    });
}

/// Goal: who gives up after the receiver has gone gets the value back. Method: it comes back before the future is
/// polled again.
#[test]
fn who_gives_up_too_late_gets_the_value_back() {
    let engine = by_hand(1, 1);
    let (tx, rx) = engine.channel();
    let shared = tx.into_shared();
    shared.send(0).unwrap();
    let mut sending = shared.send_async(1);
    put_to_sleep(&mut sending);
    drop(rx);
    assert_eq!(sending.into_inner(), Some(1));
}

/// As above, when the engine is closed.
#[test]
fn who_gives_up_after_the_close_gets_the_value_back() {
    let engine = by_hand(1, 1);
    let (tx, _rx) = engine.channel();
    let shared = tx.into_shared();
    shared.send(0).unwrap();
    let mut sending = shared.send_async(1);
    put_to_sleep(&mut sending);
    assert!(!engine.close(Duration::ZERO).is_clean());
    assert_eq!(sending.into_inner(), Some(1));
}

/// A waker that sends in its turn, by the sender that wakes it.
struct Chatty {
    shared: SharedSender<u32>,
    woken: AtomicUsize,
}

impl Wake for Chatty {
    fn wake(self: Arc<Self>) {
        self.woken.fetch_add(1, Ordering::Relaxed);
        let mut sending = self.shared.send_async(7);
        // Whatever comes of it: it is dropped, and takes its value along.
        if poll(&mut sending).is_none() {
            drop(sending);
        }
        self.shared.try_send(8).ok();
    }
}

/// Goal: thousands of tasks that send within `wake` do not nest, and all of them are served. Method: all wait on one
/// lane with one place, with wakers that send.
#[test]
fn wakers_that_send_do_not_nest() {
    to_the_end(|| {
        const TASKS: u32 = 5000;
        let engine = by_hand(1, 1);
        let (tx, mut rx) = engine.channel();
        let shared = tx.into_shared();
        let chatty = Arc::new(Chatty { shared: shared.clone(), woken: AtomicUsize::new(0) });
        let waker = Waker::from(chatty.clone());
        let mut cx = Context::from_waker(&waker);
        shared.send(0).unwrap();
        let mut waiting: Vec<_> = (1..=TASKS).map(|n| shared.send_async(n)).collect();
        for sending in &mut waiting {
            for _ in 0..TILL_ASLEEP {
                assert!(Pin::new(&mut *sending).poll(&mut cx).is_pending());
            }
        }
        let mut got = Vec::new();
        while got.last() != Some(&TASKS) {
            engine.run_until_idle();
            let value = rx.recv().unwrap().1;
            got.push(value);
        }
        assert_eq!(got, (0..=TASKS).collect::<Vec<_>>());
        for sending in &mut waiting {
            assert_eq!(poll(sending), Some(Ok(())));
        }
        assert!(chatty.woken.load(Ordering::Relaxed) >= TASKS as usize);
    });
}
