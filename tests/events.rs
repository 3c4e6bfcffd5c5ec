//! The feature `tracing`: what those who watch are told, in which order, and that they may use the engine.

#![cfg(not(loom))]

mod support;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::mpsc::{Receiver as Told, Sender as Tell, channel};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::Duration;

use mainspring::{Drive, Engine, Follower, Receiver, Sender, Stats, parts};
use support::to_the_end;
use tracing::dispatcher::with_default;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Dispatch, Event, Level, Metadata, Subscriber};

/// An event as it was told.
#[derive(Clone, Debug, Default)]
struct Seen {
    level: Option<Level>,
    fields: BTreeMap<&'static str, String>,
}

impl Seen {
    fn get(&self, field: &str) -> &str {
        self.fields.get(field).map_or("-", String::as_str)
    }

    /// Whether it is this one, of this receiver.
    fn is(&self, message: &str, of: u64) -> bool {
        self.get("message") == message && self.get("id") == of.to_string()
    }
}

impl Visit for Seen {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.fields.insert(field.name(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.fields.insert(field.name(), value.to_owned());
    }
}

/// Writes down what it is told of the engine, up to a level, and does something itself.
struct Watch {
    most: Level,
    tell: Mutex<Tell<Seen>>,
    act: Box<dyn Fn() + Send + Sync>,
}

impl Subscriber for Watch {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "mainspring" && *metadata.level() <= self.most
    }

    fn event(&self, event: &Event<'_>) {
        let mut seen = Seen { level: Some(*event.metadata().level()), ..Seen::default() };
        event.record(&mut seen);
        self.tell.lock().unwrap().send(seen).ok();
        (self.act)();
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        unreachable!("the engine has no spans")
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

fn watch(most: Level, act: impl Fn() + Send + Sync + 'static) -> (Dispatch, Told<Seen>) {
    static ANOTHER: OnceLock<Dispatch> = OnceLock::new();
    let (tell, told) = channel();
    // With a single subscriber `tracing` asks that of the thread which comes by an event first, perhaps none, whether
    // anyone wants it; with two it asks all.
    ANOTHER.get_or_init(|| {
        let (most, tell) = (Level::ERROR, Mutex::new(channel().0));
        Dispatch::new(Watch { most, tell, act: Box::new(|| ()) })
    });
    (Dispatch::new(Watch { most, tell: Mutex::new(tell), act: Box::new(act) }), told)
}

/// The next event with this message.
fn next(told: &Told<Seen>, message: &str) -> Seen {
    loop {
        let seen = told.recv().expect("somebody is left to tell");
        if seen.get("message") == message {
            return seen;
        }
    }
}

fn small() -> Engine {
    Engine::builder().capacity(1).inbox(1).build().unwrap()
}

/// Goal: whoever joins or leaves is told of, in the order in which that happens, with the names it has. Method: one of
/// each kind, on one thread.
#[test]
fn joins_and_leaves_are_told_in_order() {
    let (dispatch, told) = watch(Level::TRACE, || ());
    with_default(&dispatch, || {
        let engine = Engine::builder().drive(Drive::manual(|| {})).build().unwrap();
        let (tx, rx) = engine.options::<u8>().name("orders").channel().unwrap();
        let nameless = engine.receiver::<u8>();
        let another = tx.clone();
        let outbox = engine.named_outbox("router");
        let group = engine.options::<u8>().name("quotes").group().unwrap();
        let member = group.subscribe();
        group.join(&rx.address()).unwrap();
        group.join(&rx.address()).unwrap();
        let broadcaster = another.into_broadcaster(&group).unwrap();
        group.remove(&member.address());
        group.leave(&member.address());
        let ids = [&rx, &nameless, &member].map(|rx| rx.address().id().to_string());
        let [of_orders, of_nameless, of_member] = ids.each_ref().map(String::as_str);
        let of_router = outbox.id().to_string();
        drop((broadcaster, outbox, tx, nameless, rx));
        let orphan = engine.sender(&member.address()).unwrap();
        drop(member);
        // To nobody: it never joins, so it does not leave.
        drop(orphan.clone());
        let seen: Vec<_> = told.try_iter().collect();
        assert!(seen.iter().all(|seen| seen.level == Some(Level::DEBUG)));
        let fields = ["message", "kind", "receiver", "id", "group", "outbox"];
        let seen: Vec<_> = seen.iter().map(|seen| fields.map(|field| seen.get(field))).collect();
        let orders = |what, kind| [what, kind, "orders", of_orders, "-", "-"];
        let quotes = |what, kind| [what, kind, "quotes", of_member, "-", "-"];
        let feed = |what| [what, "broadcaster", "-", "-", "quotes", "-"];
        let router = |what| [what, "outbox", "-", &of_router, "-", "router"];
        assert_eq!(
            seen,
            [
                orders("joined", "receiver"),
                orders("joined", "sender"),
                ["joined", "receiver", "-", of_nameless, "-", "-"],
                orders("joined", "sender"),
                router("joined"),
                quotes("joined", "receiver"),
                ["joined", "member", "quotes", of_member, "quotes", "-"],
                ["joined", "member", "orders", of_orders, "quotes", "-"],
                feed("joined"),
                orders("left", "sender"),
                ["left", "member", "quotes", of_member, "quotes", "-"],
                feed("left"),
                router("left"),
                orders("left", "sender"),
                ["left", "receiver", "-", of_nameless, "-", "-"],
                orders("left", "receiver"),
                quotes("joined", "sender"),
                quotes("left", "receiver"),
            ]
        );
        drop(orphan);
        assert!(told.try_iter().next().unwrap().fields["kind"] == "sender");
    });
}

/// Goal: forwarders are told of, too. Method: one to a receiver, one to a group.
#[test]
fn forwarders_are_told_of() {
    let (dispatch, told) = watch(Level::DEBUG, || ());
    with_default(&dispatch, || {
        let follower = Follower::new();
        let (forwarder, rx) = follower.options::<u8>().name("orders").channel().unwrap();
        let group = follower.options::<u8>().name("quotes").group().unwrap();
        drop((group.forwarder(), forwarder, rx));
    });
    drop(dispatch);
    let seen: Vec<_> = told.iter().collect();
    let fields = ["message", "kind", "receiver", "group"];
    let seen: Vec<_> = seen.iter().map(|seen| fields.map(|field| seen.get(field))).collect();
    assert_eq!(
        seen,
        [
            ["joined", "receiver", "orders", "-"],
            ["joined", "forwarder", "orders", "-"],
            ["joined", "forwarder", "-", "quotes"],
            ["left", "forwarder", "-", "quotes"],
            ["left", "forwarder", "orders", "-"],
            ["left", "receiver", "orders", "-"],
        ]
    );
}

/// Sends by `send` until it is told that this waits, and that it has to for long; receives meanwhile what is there,
/// and is told that it has gone on.
fn stalls(
    of: u64,
    send: impl FnOnce() + Send + 'static,
    receive: impl FnOnce() + Send + 'static,
) -> [Seen; 3] {
    let (dispatch, told) = watch(Level::DEBUG, || ());
    let sends = thread::spawn(move || with_default(&dispatch, send));
    let waits = next(&told, "waits for room");
    let slow = next(&told, "slow receiver");
    receive();
    let goes_on = next(&told, "has room");
    sends.join().unwrap();
    for seen in [&waits, &slow, &goes_on] {
        assert_eq!(seen.get("id"), of.to_string(), "{seen:?}");
    }
    assert_eq!([&waits, &slow, &goes_on].map(|seen| seen.level.unwrap()), {
        [Level::DEBUG, Level::WARN, Level::DEBUG]
    });
    [waits, slow, goes_on]
}

/// Goal: a sender that sleeps tells so before, a slow receiver is told of while it is slow, and then how long it took.
/// Method: a lane of one, whose receiver reads when the warning has come; times only have to fit together.
#[test]
fn a_stall_is_told_from_beginning_to_end() {
    to_the_end(|| {
        let engine = small();
        let (mut tx, mut rx) = engine.options().name("orders").channel().unwrap();
        let of = rx.address().id();
        let send = move || (0..2).for_each(|n| tx.send(n).unwrap());
        let seen = stalls(of, send, move || assert_eq!(rx.messages().count(), 2));
        assert!(seen.iter().all(|seen| seen.get("receiver") == "orders"), "{seen:?}");
        let [waits, slow, goes_on] = seen.map(|seen| seen.get("waited_ns").parse::<u64>().ok());
        assert!(waits.is_none() && slow.is_some() && goes_on >= slow);
    });
}

/// Goal: of several members the one that is behind is told of. Method: a broadcaster whose lane is full, and two
/// members, one of which has read.
#[test]
fn a_broadcaster_tells_of_the_slowest() {
    to_the_end(|| {
        let group = small().group();
        let (mut fast, mut slow) = (group.subscribe(), group.subscribe());
        let mut all = group.broadcaster();
        all.send_stamped(0).unwrap();
        fast.recv().unwrap();
        let of = slow.address().id();
        stalls(of, move || all.send(1).unwrap(), move || assert_eq!(slow.messages().count(), 2));
    });
}

/// Goal: an author that waits because of a full inbox tells whose. Method: an outbox of one word, held by one of two
/// receivers; a sender on its own lane, which is full because another's message fills the inbox.
#[test]
fn a_full_inbox_is_told_of() {
    to_the_end(|| {
        let engine = small();
        let (mut held, _other) = (engine.receiver(), engine.receiver::<u8>());
        let mut out = engine.outbox();
        let target = out.add(&held.address()).unwrap();
        let mut tx = engine.sender(&held.address()).unwrap();
        tx.send_stamped(0).unwrap();
        let of = held.address().id();
        let send = move || (1..4).for_each(|n| out.send(target, n).unwrap());
        let receive = move || {
            drop(tx);
            assert_eq!(held.messages().count(), 4);
        };
        stalls(of, send, receive);
    });
}

/// Goal: a message by key tells of the member that it is for. Method: a group of two, of which one does not read.
#[test]
fn a_share_tells_of_its_member() {
    to_the_end(|| {
        let engine = small();
        let group = engine.group();
        let mut members = [group.subscribe(), group.subscribe()];
        let mut out = engine.outbox();
        let shares = out.add_group(&group).unwrap();
        out.send_keyed(shares, "key", 0).unwrap();
        out.stamped().unwrap();
        let chosen = members.iter().position(|rx| !rx.is_empty()).unwrap();
        let of = members[chosen].address().id();
        let send = move || out.send_keyed(shares, "key", 1).unwrap();
        stalls(of, send, move || assert_eq!(members[chosen].messages().count(), 2));
    });
}

/// Goal: a wait that ends without room says so. Method: one that times out, and one whose receiver goes.
#[test]
fn a_wait_in_vain_is_told() {
    to_the_end(|| {
        let engine = small();
        let (mut tx, rx) = engine.channel();
        let of = rx.address().id();
        let (dispatch, told) = watch(Level::DEBUG, || ());
        let sends = thread::spawn(move || {
            with_default(&dispatch, || {
                tx.send(0).unwrap();
                assert!(tx.send_timeout(1, Duration::from_millis(1)).unwrap_err().is_timeout());
                assert!(tx.send(2).is_err());
            });
        });
        let in_order = |message| assert!(told.recv().unwrap().is(message, of));
        in_order("waits for room");
        in_order("waits no longer");
        in_order("waits for room");
        drop(rx);
        in_order("waits no longer");
        sends.join().unwrap();
        assert!(told.iter().next().is_none());
    });
}

/// Goal: what a subscriber does not want to hear it is not told. Method: one for errors alone, and a stall.
#[test]
fn nobody_is_told_what_he_did_not_ask_for() {
    to_the_end(|| {
        let engine = small();
        let (mut tx, mut rx) = engine.channel();
        let (dispatch, told) = watch(Level::ERROR, || ());
        let sends = thread::spawn(move || {
            with_default(&dispatch, || (0..9).for_each(|n| tx.send(n).unwrap()));
        });
        assert_eq!(rx.messages().count(), 9);
        sends.join().unwrap();
        assert_eq!(told.iter().count(), 0);
    });
}

/// Goal: an engine that closes because a pass has panicked says so, once, and who hears of it may ask the engine.
/// Method: as if one had, while a sender sleeps.
#[test]
fn the_end_of_an_engine_is_told() {
    to_the_end(|| {
        let engine = small();
        let asked: Arc<OnceLock<Stats>> = Arc::default();
        let (asks, answer) = (engine.clone(), asked.clone());
        let (dispatch, told) = watch(Level::ERROR, move || {
            answer.set(asks.stats()).expect("it is told once");
        });
        with_default(&dispatch, || parts::poison(&engine));
        parts::poison(&engine);
        drop(dispatch);
        let seen: Vec<_> = told.iter().collect();
        assert_eq!(seen.len(), 1, "{seen:?}");
        assert_eq!(seen[0].get("message"), "closed: a pass has panicked");
        assert_eq!(seen[0].level, Some(Level::ERROR));
        assert!(asked.get().is_some());
    });
}

/// Goal: a subscriber may use the engine for whatever it likes: it is never called where that would wait for itself.
/// Method: one that with each event sends and waits for the number, joins and leaves, asks for a report and passes;
/// beside senders that stall, members and receivers that come and go.
#[test]
fn a_subscriber_may_use_the_engine() {
    to_the_end(|| {
        let engine = small();
        let (log, mut logged) = engine.channel::<u64>();
        let log: Mutex<Sender<u64>> = Mutex::new(log);
        let reader = thread::spawn(move || {
            let (mut count, mut last) = (0, 0);
            for (_, n) in logged.messages() {
                count += 1;
                last = n;
            }
            (count, last)
        });
        let used = engine.clone();
        let (dispatch, told) = watch(Level::TRACE, move || {
            {
                let mut log = log.lock().unwrap();
                log.send_stamped(used.clock().now().get()).unwrap();
            }
            let (mut tx, mut rx) = used.channel::<u8>();
            tx.send(1).unwrap();
            rx.recv().unwrap();
            let group = used.group::<u8>();
            group.join(&rx.address()).unwrap();
            assert!(!used.stats().receivers.is_empty());
            used.pass();
        });
        let work = {
            let (engine, dispatch) = (engine.clone(), dispatch.clone());
            move || {
                let (mut tx, mut rx): (Sender<u32>, Receiver<u32>) = engine.channel();
                // So that it is open until it has other sources.
                let open = tx.clone();
                let group = engine.group();
                group.join(&rx.address()).unwrap();
                let inner = dispatch.clone();
                let sends = thread::spawn(move || {
                    with_default(&inner, move || (0..50).for_each(|n| tx.send(n).unwrap()));
                });
                let (address, inner) = (rx.address(), dispatch.clone());
                let reads = thread::spawn(move || {
                    with_default(&inner, move || rx.messages().for_each(drop));
                });
                let mut feed = group.broadcaster();
                let mut out = engine.outbox();
                let target = out.add(&address).unwrap();
                drop(open);
                for n in 0..10 {
                    let mut member = group.subscribe();
                    feed.send_stamped(n).unwrap();
                    out.send(target, n).unwrap();
                    member.recv().unwrap();
                    group.remove(&member.address());
                }
                drop((feed, out));
                sends.join().unwrap();
                reads.join().unwrap();
            }
        };
        let workers = [work.clone(), work].map(|work| {
            let dispatch = dispatch.clone();
            thread::spawn(move || with_default(&dispatch, work))
        });
        workers.into_iter().for_each(|worker| worker.join().unwrap());
        drop(dispatch);
        let seen = told.iter().count();
        let (count, last) = reader.join().unwrap();
        assert_eq!(count, seen, "one message for each event");
        assert!(seen >= 2 * 49, "{seen} events");
        assert!(last < engine.clock().now().get());
    });
}

/// Goal: a subscriber that panics in the end of something leaves the rest whole. Method: one that does while a receiver
/// goes: what that had not read is dropped all the same, and its sender hears of it.
#[test]
fn a_panic_of_a_subscriber_leaves_the_engine_whole() {
    struct Panics;
    impl Subscriber for Panics {
        fn enabled(&self, metadata: &Metadata<'_>) -> bool {
            metadata.target() == "mainspring"
        }
        fn event(&self, _: &Event<'_>) {
            panic!("the subscriber's");
        }
        fn new_span(&self, _: &Attributes<'_>) -> Id {
            unreachable!("the engine has no spans")
        }
        fn record(&self, _: &Id, _: &Record<'_>) {}
        fn record_follows_from(&self, _: &Id, _: &Id) {}
        fn enter(&self, _: &Id) {}
        fn exit(&self, _: &Id) {}
    }
    let engine = Engine::new();
    let (mut tx, rx) = engine.channel();
    let value = Arc::new(());
    tx.send(value.clone()).unwrap();
    let leaves = thread::spawn(move || with_default(&Dispatch::new(Panics), move || drop(rx)));
    assert!(leaves.join().is_err());
    assert_eq!(Arc::strong_count(&value), 1);
    assert!(tx.send(value).is_err());
    let (mut tx, mut rx) = engine.channel();
    tx.send(1).unwrap();
    assert_eq!(rx.recv().unwrap().1, 1);
}
