//! Every value is dropped exactly once: whoever leaves first, whatever panics, whoever races.
//!
//! Each value has a number and counts its drop in a [`Ledger`]. A *fragile* one counts, and then
//! panics.

#![cfg(not(loom))]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;

use mainspring::{Drive, Engine, Outbox, Receiver, Sender, Target, TryRecvError, parts};

/// How often each value was dropped.
#[derive(Clone)]
struct Ledger {
    drops: Arc<[AtomicUsize]>,
    made: Arc<AtomicUsize>,
}

struct Value {
    id: usize,
    ledger: Ledger,
    fragile: bool,
}

impl Ledger {
    fn new(most: usize) -> Self {
        let drops = (0..most).map(|_| AtomicUsize::new(0)).collect();
        Self { drops, made: Arc::default() }
    }

    fn value(&self) -> Value {
        let id = self.made.fetch_add(1, Relaxed);
        Value { id, ledger: self.clone(), fragile: false }
    }

    fn fragile(&self) -> Value {
        let mut value = self.value();
        value.fragile = true;
        value
    }

    #[track_caller]
    fn assert_each_dropped_once(&self, what: &str) {
        for id in 0..self.made.load(Relaxed) {
            assert_eq!(self.drops[id].load(Relaxed), 1, "drops of value {id}: {what}");
        }
    }

    fn dropped(&self) -> usize {
        self.drops.iter().map(|drops| drops.load(Relaxed)).sum()
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        self.ledger.drops[self.id].fetch_add(1, Relaxed);
        assert!(!self.fragile, "fragile");
    }
}

/// One of each kind of end, with values under way.
struct Ends<T: Send + 'static> {
    engine: Option<Engine>,
    first: Option<Sender<T>>,
    clone: Option<Sender<T>>,
    outbox: Option<Outbox>,
    a: Option<Receiver<T>>,
    b: Option<Receiver<T>>,
}

/// How far the values of [`Ends`] have come.
#[derive(Clone, Copy, Debug)]
enum Stage {
    Sent,
    Stamped,
    SomeReceived,
}

impl<T: Send + 'static> Ends<T> {
    /// Three values from each sender to A, three from the outbox to each of A and B in turn.
    fn new(drive: Drive, inbox: usize, stage: Stage, mut value: impl FnMut() -> T) -> Self {
        let engine = Engine::builder().capacity(8).inbox(inbox).drive(drive).build().unwrap();
        let (mut first, mut a) = engine.channel();
        let mut b = engine.receiver();
        let mut clone = first.clone();
        let mut outbox = engine.outbox();
        let to: [Target<T>; 2] =
            [outbox.add(&a.address()).unwrap(), outbox.add(&b.address()).unwrap()];
        for _ in 0..3 {
            first.send(value()).unwrap();
            clone.send(value()).unwrap();
            for target in to {
                outbox.send(target, value()).unwrap();
            }
        }
        if !matches!(stage, Stage::Sent) {
            engine.run_until_idle();
        }
        if matches!(stage, Stage::SomeReceived) {
            drop(a.try_recv());
            drop(a.try_recv());
            assert!(b.try_recv_batch(2, |_, value| drop(value)).unwrap_or(1) <= 2);
        }
        Self {
            engine: Some(engine),
            first: Some(first),
            clone: Some(clone),
            outbox: Some(outbox),
            a: Some(a),
            b: Some(b),
        }
    }

    fn leave(&mut self, who: usize) {
        match who {
            0 => drop(self.engine.take()),
            1 => drop(self.first.take()),
            2 => drop(self.clone.take()),
            3 => drop(self.outbox.take()),
            4 => drop(self.a.take()),
            _ => drop(self.b.take()),
        }
    }
}

/// All orders of six.
fn orders() -> Vec<[usize; 6]> {
    let mut orders = vec![[0, 1, 2, 3, 4, 5]];
    for at in 0..6 {
        let shorter = std::mem::take(&mut orders);
        for order in shorter {
            orders.extend((at..6).map(|other| {
                let mut order = order;
                order.swap(at, other);
                order
            }));
        }
    }
    orders
}

/// Goal: no order of leaving loses a value or drops it twice. Method: all 720, with values in every
/// stage, an inbox with room and one without, passes by hand and by callers.
#[test]
fn every_order_of_leaving_drops_each_value_once() {
    let orders = orders();
    assert_eq!(orders.len(), 720);
    for order in orders {
        for stage in [Stage::Sent, Stage::Stamped, Stage::SomeReceived] {
            for (inbox, drive) in [(1, Drive::Callers), (1, by_hand()), (8, by_hand())] {
                let what = format!("{order:?} {stage:?} {inbox} {drive:?}");
                let ledger = Ledger::new(12);
                let mut ends = Ends::new(drive, inbox, stage, || ledger.value());
                for who in order {
                    ends.leave(who);
                    if let Some(engine) = &ends.engine {
                        engine.pass();
                    }
                }
                ledger.assert_each_dropped_once(&what);
            }
        }
    }
}

static UNITS_DROPPED: AtomicUsize = AtomicUsize::new(0);

/// A value without a size.
struct Unit;

impl Drop for Unit {
    fn drop(&mut self) {
        UNITS_DROPPED.fetch_add(1, Relaxed);
    }
}

/// Goal: values without a size are values. Method: as above, counting all of them.
#[test]
fn values_without_a_size_are_dropped_once_each() {
    assert_eq!(size_of::<Unit>(), 0);
    let mut made = 0;
    for order in orders() {
        for stage in [Stage::Sent, Stage::Stamped, Stage::SomeReceived] {
            let mut ends = Ends::new(by_hand(), 1, stage, || {
                made += 1;
                Unit
            });
            order.into_iter().for_each(|who| ends.leave(who));
            assert_eq!(UNITS_DROPPED.load(Relaxed), made, "{order:?} {stage:?}");
        }
    }
}

fn by_hand() -> Drive {
    Drive::manual(|| {})
}

/// Goal: destructors that panic in a leaving receiver stop neither it nor the engine. Method:
/// several fragile values, in two lanes; one panic comes out, all are dropped, and others work on.
#[test]
fn a_receiver_that_leaves_drops_everything_though_destructors_panic() {
    let engine = Engine::new();
    let ledger = Ledger::new(16);
    let (mut tx, rx) = engine.channel();
    let mut tx2 = tx.clone();
    let (mut other, mut others) = engine.channel();
    for _ in 0..3 {
        tx.send(ledger.fragile()).unwrap();
        tx.send(ledger.value()).unwrap();
        tx2.send(ledger.fragile()).unwrap();
    }
    assert!(catch_unwind(AssertUnwindSafe(|| drop(rx))).is_err(), "the panic is not kept");
    ledger.assert_each_dropped_once("drained");
    assert!(tx.send(ledger.value()).is_err());
    let seq = other.send_stamped(7).unwrap();
    assert_eq!(others.recv().unwrap(), (seq, 7));
    drop((tx, tx2));
    ledger.assert_each_dropped_once("at the end");
}

/// Goal: a receiver that is dropped because its thread panics does not panic again. Method: a
/// thread panics with fragile values queued; its own panic arrives, every value is dropped.
#[test]
fn a_receiver_that_leaves_in_a_panic_keeps_to_that_panic() {
    let engine = Engine::new();
    let ledger = Ledger::new(16);
    let (mut tx, mut rx) = engine.channel();
    for _ in 0..5 {
        tx.send(ledger.fragile()).unwrap();
    }
    tx.send(ledger.value()).unwrap();
    let panic = thread::spawn(move || {
        let (_, mut first) = rx.recv().unwrap();
        first.fragile = false;
        let _rx = rx;
        panic!("its own");
    })
    .join()
    .unwrap_err();
    assert_eq!(panic.downcast_ref::<&str>(), Some(&"its own"));
    ledger.assert_each_dropped_once("unwound");
    assert!(tx.is_closed());
}

/// Goal: a panic in a batch loses nothing. Method: the callback panics at the second value, then at
/// a fragile one that it was to drop; what follows is received, and the slots are free again.
#[test]
fn a_batch_whose_callback_panics_goes_on_after_the_message() {
    let engine = Engine::builder().capacity(8).build().unwrap();
    let ledger = Ledger::new(32);
    let (mut tx, mut rx) = engine.channel();
    for nth in 0..8 {
        tx.send(if nth == 4 { ledger.fragile() } else { ledger.value() }).unwrap();
    }
    engine.pass();
    let mut got = Vec::new();
    let batch = catch_unwind(AssertUnwindSafe(|| {
        rx.recv_batch(8, |_, value| {
            assert!(value.id != 1, "the callback's");
            got.push(value.id);
        })
    }));
    assert!(batch.is_err());
    let batch =
        catch_unwind(AssertUnwindSafe(|| rx.recv_batch(8, |_, value| got.push({ value }.id))));
    assert!(batch.is_err(), "the fragile value was dropped by the callback");
    assert_eq!(ledger.dropped(), 5);
    assert_eq!(rx.recv_batch(8, |_, value| got.push(value.id)).unwrap(), 3);
    assert_eq!(got, [0, 2, 3, 4, 5, 6, 7]);
    for _ in 0..8 {
        tx.try_send(ledger.value()).unwrap();
    }
    drop((tx, rx));
    ledger.assert_each_dropped_once("at the end");
}

/// Goal: whoever owns a lane last drops what is in it, also if destructors panic. Method: the ring
/// alone, with fragile values among others.
#[test]
fn the_last_owner_of_a_lane_drops_everything_though_destructors_panic() {
    let ledger = Ledger::new(8);
    let mut ring = parts::Ring::new(8);
    for nth in 0..6 {
        let value = if nth % 2 == 0 { ledger.fragile() } else { ledger.value() };
        assert!(ring.push(value).is_ok());
    }
    ring.pop().unwrap().fragile = false;
    assert!(catch_unwind(AssertUnwindSafe(|| drop(ring))).is_err());
    ledger.assert_each_dropped_once("dropped with the ring");
}

/// Goal: an iterator that panics loses nothing that it yielded. Method: three values and a panic,
/// to a receiver that is there, to one that has gone, and before both ends go.
#[test]
fn an_iterator_that_panics_has_sent_what_it_yielded() {
    let engine = Engine::new();
    let ledger = Ledger::new(64);
    let yielding = |count: usize| {
        let ledger = ledger.clone();
        (0..).map(move |nth| if nth < count { ledger.value() } else { panic!("the iterator's") })
    };
    for gone in [false, true] {
        let (mut tx, rx) = engine.channel::<Value>();
        let mut out = engine.outbox();
        let target = out.add(&rx.address()).unwrap();
        let mut rx = Some(rx);
        if gone {
            rx = None;
        }
        assert!(catch_unwind(AssertUnwindSafe(|| tx.send_batch(yielding(3)))).is_err());
        assert!(catch_unwind(AssertUnwindSafe(|| out.send_batch(target, yielding(3)))).is_err());
        // The ends work on.
        assert_eq!(tx.send(ledger.value()).is_err(), gone);
        assert_eq!(out.send(target, ledger.value()).is_err(), gone);
        drop((tx, out));
        if let Some(rx) = &mut rx {
            assert_eq!(rx.messages().count(), 8);
            assert_eq!(rx.try_recv().err(), Some(TryRecvError::Closed));
        }
        ledger.assert_each_dropped_once(if gone { "gone" } else { "received" });
    }
    let (mut tx, rx) = engine.channel::<Value>();
    assert!(catch_unwind(AssertUnwindSafe(|| tx.send_batch(yielding(3)))).is_err());
    drop(rx);
    drop(tx);
    ledger.assert_each_dropped_once("both gone");
}

/// Goal: a receiver that leaves while others send leaves no value behind. Method: many rounds;
/// three senders and an outbox send by every way until they are told, the receiver takes a few and
/// goes. Each value is received, comes back, or is dropped by the drain: once.
#[test]
fn receivers_that_leave_while_threads_send_lose_nothing() {
    let rounds = if cfg!(debug_assertions) { 400 } else { 3_000 };
    for round in 0..rounds {
        let engine = Engine::builder().capacity(1 << (round % 4)).inbox(2).build().unwrap();
        let ledger = Ledger::new(1 << 16);
        let (tx, mut rx) = engine.channel();
        let mut out = engine.outbox();
        let target = out.add(&rx.address()).unwrap();
        let senders = [tx.clone(), tx.clone(), tx];
        let results = thread::scope(|scope| {
            let mut threads = Vec::new();
            for (nth, mut tx) in senders.into_iter().enumerate() {
                let ledger = &ledger;
                threads.push(scope.spawn(move || {
                    let mut sent = 0;
                    let mut how = nth;
                    while send_somehow(&mut tx, ledger, how, &mut sent) {
                        how += 1;
                    }
                    sent
                }));
            }
            let ledger = &ledger;
            threads.push(scope.spawn(move || {
                let mut sent = 0;
                while out.send(target, ledger.value()).is_ok() {
                    sent += 1;
                }
                sent
            }));
            for _ in 0..round % 7 {
                drop(rx.recv().unwrap());
            }
            drop(rx);
            threads.into_iter().map(|thread| thread.join().unwrap()).sum::<usize>()
        });
        assert!(results >= round % 7, "received more than was sent");
        ledger.assert_each_dropped_once(&format!("round {round}"));
    }
}

/// Sends one value or a few by a way that `how` chooses, and counts what was accepted; false at the
/// end.
fn send_somehow(tx: &mut Sender<Value>, ledger: &Ledger, how: usize, sent: &mut usize) -> bool {
    if ledger.made.load(Relaxed) + 64 > ledger.drops.len() {
        // Nobody may run out of values before the receiver has gone.
        thread::yield_now();
        return !tx.is_closed();
    }
    let (accepted, open) = match how % 4 {
        0 => {
            let open = tx.send(ledger.value()).is_ok();
            (usize::from(open), open)
        }
        1 => match tx.try_send(ledger.value()) {
            Ok(()) => (1, true),
            Err(error) => (0, error.is_full()),
        },
        2 => {
            let open = tx.send_stamped(ledger.value()).is_ok();
            (usize::from(open), open)
        }
        _ => match tx.send_batch((0..3).map(|_| ledger.value())) {
            Ok(accepted) => (accepted, true),
            Err(error) => {
                let accepted = error.sent;
                assert_eq!(accepted + error.returned.len() + error.rest.count(), 3);
                (accepted, false)
            }
        },
    };
    *sent += accepted;
    open
}
