//! Receivers together, at length: outboxes that send to groups, a merge, a receiver behind a part of
//! it, a follower that is fed from two receivers and has a group below; with guests in each group.
//!
//! ```text
//!  2 outboxes ──by key, by turn──▶ shards: 2 that stay ──┐
//!             ──to one───────────▶ log ──────────────────┼─▶ one merge ◀─ behind it: a member of news
//!             ──to all───────────▶ news: 1 that stays ───┘
//!             ──to one───────────▶ 2 audits, 2 forwarders ─▶ a follower's group, 2 that stay
//! ```
//!
//! Each receiver is reached by one way. What is checked: numbers increase (O4); what one author sent
//! comes in its order, over all that are merged (O2); each thing that was sent comes to each who is to
//! have it, counted and summed by a hash (O1, O5); who is behind another gets nothing before it; no
//! value is left.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use mainspring::{
    Engine, Event, Follower, Forwarder, Group, GroupTarget, Merge, Outbox, Receiver, TrySendError,
    parts,
};
use parking_lot::Mutex;

use crate::{Dice, hash};

/// What is sent: of which author, the how-manyeth, and by which way.
#[derive(Clone)]
struct Thing {
    author: usize,
    index: u64,
    way: usize,
    _there: Arc<()>,
}

const AUTHORS: usize = 2;
const SHARDS: usize = 0;
const NEWS: usize = 1;
const LOG: usize = 2;
const AUDIT: usize = 3;

/// By way: how many things, and the sum of their hashes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Tally([(u64, u64); 4]);

impl Tally {
    fn add(&mut self, &Thing { author, index, way, .. }: &Thing) {
        self.0[way].0 += 1;
        self.0[way].1 = self.0[way].1.wrapping_add(hash(index * AUTHORS as u64 + author as u64));
    }

    fn join(&mut self, other: Self) {
        for (mine, other) in self.0.iter_mut().zip(other.0) {
            *mine = (mine.0 + other.0, mine.1.wrapping_add(other.1));
        }
    }
}

/// What a reader has been told.
#[derive(Default)]
struct Told {
    number: u64,
    next: [u64; AUTHORS],
    tally: Tally,
}

impl Told {
    fn note(&mut self, number: u64, thing: &Thing) {
        assert!(number > self.number, "O4: {number} after {}", self.number);
        self.number = number;
        let next = &mut self.next[thing.author];
        assert!(thing.index >= *next, "O2: {} of author {}", thing.index, thing.author);
        *next = thing.index + 1;
        self.tally.add(thing);
    }

    fn note_clock(&mut self, number: u64) {
        assert!(number > self.number, "O4: clock {number} after {}", self.number);
        self.number = number;
    }
}

/// Sends so many, by any way.
fn write(
    author: usize,
    count: u64,
    out: &mut Outbox,
    [shards, news]: [GroupTarget<Thing>; 2],
    to: [mainspring::Target<Thing>; 3],
    there: &Arc<()>,
    mut dice: Dice,
) -> Tally {
    let mut tally = Tally::default();
    for index in 0..count {
        let pick = dice.below(16);
        let way = [SHARDS, NEWS, LOG, AUDIT][(pick / 4) as usize];
        let thing = Thing { author, index, way, _there: there.clone() };
        tally.add(&thing);
        let sent = match pick {
            0 => out.send_keyed(shards, &(index % 7), thing).is_ok(),
            1 => until_sent(thing, |thing| out.try_send_keyed(shards, &(index % 7), thing)),
            2 => out.send_next(shards, thing).is_ok(),
            3 => until_sent(thing, |thing| out.try_send_next(shards, thing)),
            4 | 5 => out.send_all(news, thing).is_ok(),
            6 | 7 => until_sent(thing, |thing| out.try_send_all(news, thing)),
            8..12 => out.send(to[0], thing).is_ok(),
            _ => out.send(to[1 + pick as usize % 2], thing).is_ok(),
        };
        assert!(sent, "open to the end");
        dice.pause();
    }
    tally
}

fn until_sent(
    mut thing: Thing,
    mut send: impl FnMut(Thing) -> Result<(), TrySendError<Thing>>,
) -> bool {
    while let Err(error) = send(thing) {
        assert!(error.is_full());
        thing = error.into_inner();
        thread::yield_now();
    }
    true
}

/// Reads the merge to its end.
fn read_merge(mut all: Merge<Thing>, handled: &AtomicU64, mut dice: Dice) -> Tally {
    let mut told = Told::default();
    let note = |told: &mut Told, number: u64, thing: Thing| {
        told.note(number, &thing);
        if thing.way == NEWS {
            handled.store(number, SeqCst);
        }
    };
    loop {
        let open = match dice.below(4) {
            0 => all.recv().map(|(seq, thing)| note(&mut told, seq.get(), thing)).is_ok(),
            1 => match all.recv_event() {
                Ok(Event::Message(seq, thing)) => {
                    note(&mut told, seq.get(), thing);
                    true
                }
                Ok(Event::Clock(seq)) => {
                    told.note_clock(seq.get());
                    true
                }
                _ => false,
            },
            _ => all.recv_batch(30, |seq, thing| note(&mut told, seq.get(), thing)).is_ok(),
        };
        if !open {
            return told.tally;
        }
        dice.pause();
    }
}

/// Reads news to their end, behind the merge.
fn read_behind(mut rx: Receiver<Thing>, handled: &AtomicU64, mut dice: Dice) -> Tally {
    let mut told = Told::default();
    let note = |told: &mut Told, number: u64, thing: &Thing| {
        assert!(handled.load(SeqCst) >= number, "it overtakes");
        told.note(number, thing);
    };
    loop {
        let open = match dice.below(4) {
            0 => rx.recv().map(|(seq, thing)| note(&mut told, seq.get(), &thing)).is_ok(),
            1 => match rx.recv_event() {
                Ok(Event::Message(seq, thing)) => {
                    note(&mut told, seq.get(), &thing);
                    true
                }
                Ok(Event::Clock(seq)) => {
                    told.note_clock(seq.get());
                    true
                }
                _ => false,
            },
            2 => rx.recv_ref().map(|thing| note(&mut told, thing.seq().get(), &thing)).is_ok(),
            _ => rx.recv_batch_ref(30, |seq, thing| note(&mut told, seq.get(), thing)).is_ok(),
        };
        if !open {
            return told.tally;
        }
    }
}

/// Passes on what a receiver is told, to its end.
fn feed(mut rx: Receiver<Thing>, mut forwarder: Forwarder<Thing>) {
    while let Ok(event) = rx.recv_event() {
        match event {
            Event::Message(seq, thing) => forwarder.forward(seq, thing).unwrap(),
            Event::Clock(seq) => forwarder.advance(seq).unwrap(),
            _ => unreachable!("an event that this test does not know"),
        }
    }
}

/// A guest among the shards: what it was sent it reads, whenever that comes.
fn share(shards: &Group<Thing>, rx: &mut Receiver<Thing>, looks: u64, busy: &AtomicUsize) -> Tally {
    let mut told = Told::default();
    for _ in 0..looks {
        if let Ok((seq, thing)) = rx.recv_timeout(Duration::from_micros(20)) {
            told.note(seq.get(), &thing);
        }
    }
    assert!(shards.leave(&rx.address()) || rx.is_closed());
    // It closes when the outboxes send to the others; not at all if none has ever sent to it.
    while !rx.is_closed() && busy.load(SeqCst) > 0 {
        if let Ok((seq, thing)) = rx.recv_timeout(Duration::from_micros(20)) {
            told.note(seq.get(), &thing);
        }
    }
    while let Ok((seq, thing)) = rx.try_recv() {
        told.note(seq.get(), &thing);
    }
    told.tally
}

/// A guest among those to whom all is sent: goes in one of the ways there are.
fn look_in(mut rx: Receiver<Thing>, leave: impl Fn(bool), dice: &mut Dice) {
    let mut told = Told::default();
    for _ in 0..dice.below(20) {
        if let Ok(thing) = rx.recv_ref_timeout(Duration::from_micros(20)) {
            told.note(thing.seq().get(), &thing);
        }
    }
    let way = dice.below(3);
    if way > 0 {
        leave(way == 1);
        while let Ok((seq, thing)) = rx.try_recv() {
            told.note(seq.get(), &thing);
        }
    }
}

/// Goal: as above. Method: as drawn there; lanes and inboxes of several sizes.
#[test]
fn stages_keep_every_promise() {
    let all = std::env::var("MAINSPRING_SOAK").map_or(1_000_000, |count| count.parse().unwrap());
    let seed = std::env::var("MAINSPRING_SEED").map_or(7, |seed| seed.parse().unwrap());
    let mut dice = Dice(seed);
    for (capacity, inbox, part) in [(1, 1, 1000), (8, 2, 300), (256, 64, 50)] {
        stages(capacity, inbox, all / part, &mut dice);
    }
}

fn stages(capacity: usize, inbox: usize, count: u64, dice: &mut Dice) {
    let (there, handled) = (Arc::new(()), AtomicU64::new(0));
    let mut builder = Engine::builder().capacity(capacity).inbox(inbox);
    // In one round of two lanes go cold as soon as they are silent.
    if dice.below(2) == 0 {
        builder = parts::cold_at_once(builder);
    }
    let engine = builder.build().unwrap();
    let follower = Follower::builder().capacity(capacity).inbox(inbox).build().unwrap();
    let (shards, news, down) = (engine.group(), engine.group(), follower.group());
    let [first, second] = [shards.subscribe(), shards.subscribe()];
    let (log, mut first_news, mut behind) = (engine.receiver(), news.subscribe(), news.subscribe());
    behind.behind(&[first_news.progress()]).unwrap();
    let audits = [engine.receiver(), engine.receiver()];
    let below = [down.subscribe(), down.subscribe()];
    let forwarders = [down.forwarder(), down.forwarder()];
    let outs: [_; AUTHORS] = std::array::from_fn(|_| {
        let mut out = engine.outbox();
        let groups = [&shards, &news].map(|group| out.add_group(group).unwrap());
        let to = [&log, &audits[0], &audits[1]].map(|rx| out.add(&rx.address()).unwrap());
        (out, groups, to)
    });
    let merge =
        Merge::new([first, second, log, first_news]).unwrap_or_else(|_| panic!("of one engine"));
    let (busy, shared) = (AtomicUsize::new(AUTHORS), Mutex::new(Tally::default()));
    let (sent, [merged, news_behind], forwarded) = thread::scope(|scope| {
        let (engine, follower, shards, news, down) = (&engine, &follower, &shards, &news, &down);
        let (busy, shared, handled, there) = (&busy, &shared, &handled, &there);
        let mut next = || Dice(dice.roll());
        let (one, two) = (next(), next());
        let readers = [
            scope.spawn(move || read_merge(merge, handled, one)),
            scope.spawn(move || read_behind(behind, handled, two)),
        ];
        let feeders: Vec<_> = audits.into_iter().zip(forwarders).collect();
        let feeders: Vec<_> =
            feeders.into_iter().map(|(rx, to)| scope.spawn(move || feed(rx, to))).collect();
        let below = below.map(|mut rx| {
            scope.spawn(move || {
                let mut told = Told::default();
                while rx.recv_batch(9, |seq, thing| told.note(seq.get(), &thing)).is_ok() {}
                told.tally
            })
        });
        let mut guest = next();
        let guests = scope.spawn(move || {
            while busy.load(SeqCst) == AUTHORS {
                match guest.below(3) {
                    0 => {
                        let mut rx = shards.subscribe();
                        let tally = share(shards, &mut rx, 3 + guest.below(20), busy);
                        engine.run_until_idle();
                        assert!(rx.is_empty());
                        shared.lock().join(tally);
                    }
                    1 => {
                        let rx = news.subscribe();
                        let address = rx.address();
                        let leave = |at_once| match at_once {
                            true => drop(news.remove(&address)),
                            false => drop(news.leave(&address)),
                        };
                        look_in(rx, leave, &mut guest);
                    }
                    _ => {
                        let rx = down.subscribe();
                        let address = rx.address();
                        let leave = |at_once| match at_once {
                            true => drop(down.remove(&address)),
                            false => drop(down.leave(&address)),
                        };
                        look_in(rx, leave, &mut guest);
                    }
                }
            }
        });
        let mut author = 0;
        let authors = outs.map(|(mut out, groups, to)| {
            author += 1;
            let (nth, dice) = (author - 1, next());
            scope.spawn(move || {
                let tally = write(nth, count, &mut out, groups, to, there, dice);
                drop(out);
                busy.fetch_sub(1, SeqCst);
                tally
            })
        });
        // Each by itself: what a scope waits for at its end the sanitizer does not see.
        let mut sent = Tally::default();
        authors.into_iter().for_each(|author| sent.join(author.join().unwrap()));
        guests.join().unwrap();
        feeders.into_iter().for_each(|feeder| feeder.join().unwrap());
        let read = readers.map(|reader| reader.join().unwrap());
        let forwarded = below.map(|below| below.join().unwrap());
        follower.run_until_idle();
        (sent, read, forwarded)
    });
    let mut all = merged;
    all.join(*shared.lock());
    for way in [SHARDS, NEWS, LOG] {
        assert_eq!(all.0[way], sent.0[way], "by way {way}");
    }
    assert_eq!(news_behind.0[NEWS], sent.0[NEWS], "behind");
    for forwarded in forwarded {
        assert_eq!(forwarded.0[AUDIT], sent.0[AUDIT], "below");
    }
    assert_eq!(engine.clock().now().get(), count * AUTHORS as u64);
    drop((engine, follower, shards, news, down));
    assert_eq!(Arc::strong_count(&there), 1, "values are left");
}
