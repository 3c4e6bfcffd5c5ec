//! Many messages through many ends that come and go, every promise checked on the way, in bounded
//! memory.
//!
//! Eight senders and two outboxes send to four receivers that stay to the end, by every way there
//! is, with pauses; guests join these receivers, say something and leave, bring receivers of their
//! own, which leave with messages unread, and are ended from outside. What is checked, and how:
//!
//! - O1: the count of all numbers seen, and the sum of a hash of each, are those of `1..=clock`.
//!   What a receiver that leaves has not read was sent by `send_stamped`, so its author knows its
//!   number. Only a value that comes back may have taken a number that nobody sees: if a pass
//!   numbers it at the very moment in which its receiver leaves.
//! - O2: each message says its place in its author's order, and among what the author sent to this
//!   receiver; the latter must come without a gap. For the outboxes a board compares the receivers.
//! - O3: each message brings the clock that its author had read.
//! - O4, O5: no number that is not above all that the receiver was told, clocks included.
//! - Drops: as many as there were messages.
//!
//! `MAINSPRING_SOAK=1000000000 cargo test --release --test soak` sends that many messages;
//! `MAINSPRING_SOAK_MINUTES=10` begins new rounds, each of another form, for so long;
//! `MAINSPRING_SEED` repeats the random choices of a run (not its interleaving);
//! `MAINSPRING_BARRIER=fence` asks for the other form of the barrier.

#![cfg(not(loom))]

#[path = "soak/author.rs"]
mod author;
#[path = "soak/closing.rs"]
mod closing;
#[path = "soak/crowd.rs"]
mod crowd;
#[path = "soak/stages.rs"]
mod stages;

use std::collections::HashMap;
use std::env;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use mainspring::{Address, Clock, Engine, Event, Receiver, RecvTimeoutError, TryRecvError, parts};
use parking_lot::Mutex;

use author::Author;

const RECEIVERS: usize = 4;
const SENDERS: usize = 8;
const OUTBOXES: usize = 2;

/// A message. Its drop is counted.
struct Letter {
    author: u32,
    /// Its place in its author's order.
    nth: u64,
    /// Its place among what the author sent to this receiver.
    place: u64,
    /// The clock that the author had read.
    above: u64,
    /// The author sends nothing more to this receiver.
    last: bool,
}

/// Drops, in shards, so that counting does not order the threads more than need be.
static DROPPED: [AtomicU64; 16] = [const { AtomicU64::new(0) }; 16];

impl Drop for Letter {
    fn drop(&mut self) {
        DROPPED[self.author as usize % DROPPED.len()].fetch_add(1, Relaxed);
    }
}

/// Random numbers (splitmix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        hash(self.0)
    }

    fn below(&mut self, sides: u64) -> u64 {
        self.roll() % sides
    }

    /// Nothing mostly; now and then a few spins, or a yield.
    fn pause(&mut self) {
        match self.below(256) {
            0 => (0..self.below(2_000)).for_each(|_| std::hint::spin_loop()),
            1..3 => thread::yield_now(),
            _ => {}
        }
    }
}

fn hash(number: u64) -> u64 {
    let mixed = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

/// The numbers that somebody has seen, and the letters that there were.
#[derive(Default)]
struct Seen {
    count: u64,
    hashes: u64,
    written: u64,
    /// Letters that came back because their receiver had gone.
    returned: u64,
}

impl Seen {
    fn add(&mut self, number: u64) {
        self.count += 1;
        self.hashes = self.hashes.wrapping_add(hash(number));
    }

    fn join(&mut self, other: &Self) {
        self.count += other.count;
        self.hashes = self.hashes.wrapping_add(other.hashes);
        self.written += other.written;
        self.returned += other.returned;
    }
}

/// What all threads share.
struct Stage {
    engine: Engine,
    clock: Clock,
    addresses: Vec<Address<Letter>>,
    /// Receivers may leave while somebody sends to them.
    under_way: bool,
    authors: AtomicU32,
    /// Regular authors that are not done.
    busy: AtomicUsize,
    /// For each outbox, and each receiver, the last that came: place in the order, number.
    board: [Mutex<[(u64, u64); RECEIVERS]>; OUTBOXES],
    total: Mutex<Seen>,
}

/// One who reads letters, and checks them.
struct Reader<'a> {
    stage: &'a Stage,
    id: usize,
    /// The last number that it was told, of a message or of the clock.
    told: u64,
    /// How far it knows that it has caught up.
    caught_up: u64,
    /// By author: the place among those to this receiver, the place in the author's order.
    authors: HashMap<u32, (u64, u64)>,
    seen: Seen,
}

impl Reader<'_> {
    fn note(&mut self, number: u64, letter: &Letter) {
        let Letter { author, nth, place, above, last } = *letter;
        assert!(number > self.told, "O4, O5: {number} after {} was told", self.told);
        assert!(number > self.caught_up, "O5: {number} after catching up to {}", self.caught_up);
        assert!(number > above, "O3: {number} was sent when the clock was at {above}");
        self.told = number;
        self.seen.add(number);
        let before = self.authors.entry(author).or_default();
        assert_eq!(place, before.0 + 1, "O2: letters of {author} to {}", self.id);
        assert!(nth > before.1, "O2: letters of {author}");
        *before = (place, nth);
        if last {
            self.authors.remove(&author);
        }
        if let Some(board) = self.stage.board.get(author as usize) {
            let mut board = board.lock();
            for (other_nth, other) in *board {
                assert_eq!(
                    other_nth < nth,
                    other < number,
                    "O2: {nth} {number}, {other_nth} {other}"
                );
            }
            board[self.id] = (nth, number);
        }
    }

    fn note_clock(&mut self, clock: u64) {
        assert!(clock > self.told, "O4: clock {clock} after {} was told", self.told);
        assert!((self.caught_up..=self.stage.clock.now().get()).contains(&clock));
        self.told = clock;
    }
}

fn read(stage: &Stage, mut rx: Receiver<Letter>, id: usize, mut dice: Dice) {
    let mut reader =
        Reader { stage, id, told: 0, caught_up: 0, authors: HashMap::new(), seen: Seen::default() };
    loop {
        let open = match dice.below(8) {
            0 => rx.recv().map(|(number, letter)| reader.note(number.get(), &letter)).is_ok(),
            1 => match rx.try_recv() {
                Ok((number, letter)) => {
                    reader.note(number.get(), &letter);
                    true
                }
                Err(error) => error == TryRecvError::Empty,
            },
            2 => match rx.recv_event() {
                Ok(event) => note_event(&mut reader, event),
                Err(_) => false,
            },
            3 => match rx.recv_event_timeout(Duration::from_micros(20)) {
                Ok(event) => note_event(&mut reader, event),
                Err(error) => error == RecvTimeoutError::Timeout,
            },
            4 => {
                let reached = rx.caught_up_to().get();
                assert!(reached >= reader.told && reached >= reader.caught_up);
                reader.caught_up = reached;
                true
            }
            _ => {
                let max = 1 + dice.below(256) as usize;
                rx.recv_batch(max, |number, letter| reader.note(number.get(), &letter)).is_ok()
            }
        };
        if !open {
            break;
        }
        dice.pause();
    }
    assert_eq!(rx.try_recv().err(), Some(TryRecvError::Closed));
    assert!(reader.authors.is_empty(), "letters are missing: {:?}", reader.authors);
    stage.total.lock().join(&reader.seen);
}

fn note_event(reader: &mut Reader<'_>, event: Event<Letter>) -> bool {
    match event {
        Event::Message(number, letter) => reader.note(number.get(), &letter),
        Event::Clock(clock) => reader.note_clock(clock.get()),
        _ => unreachable!("an event that this test does not know"),
    }
    true
}

/// One regular author is done, also when it panics.
struct Done<'a>(&'a Stage);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.busy.fetch_sub(1, Relaxed);
    }
}

/// Goal: O1 to O5 and the drops, at length, with threads. Method: see above; one half of the
/// messages with guests whose receivers leave only when nobody sends to them, so that every number
/// is seen; the other half with all guests.
#[test]
fn a_soak_keeps_every_promise() {
    let default = if cfg!(debug_assertions) { 1_000_000 } else { 10_000_000 };
    let messages = env::var("MAINSPRING_SOAK").map_or(default, |count| count.parse().unwrap());
    let seed = seed();
    let mut dice = Dice(seed);
    let minutes = env::var("MAINSPRING_SOAK_MINUTES").map_or(0, |count| count.parse().unwrap());
    let began = Instant::now();
    loop {
        for under_way in [false, true] {
            soak(messages / 2, seed, &mut dice, under_way);
        }
        if began.elapsed() >= Duration::from_secs(60 * minutes) {
            break;
        }
    }
}

fn seed() -> u64 {
    env::var("MAINSPRING_SEED")
        .map_or_else(|_| RandomState::new().build_hasher().finish(), |seed| seed.parse().unwrap())
}

fn soak(messages: u64, seed: u64, dice: &mut Dice, under_way: bool) {
    DROPPED.iter().for_each(|shard| shard.store(0, Relaxed));
    let capacity = [8, 64, 1024][dice.below(3) as usize];
    let inbox = [2, 16, 256][dice.below(3) as usize];
    let mut builder = Engine::builder().capacity(capacity).inbox(inbox);
    // In one round of three lanes go cold as soon as they are silent.
    let cold = dice.below(3) == 0;
    if cold {
        builder = parts::cold_at_once(builder);
    }
    let engine = builder.build().unwrap();
    eprintln!(
        "MAINSPRING_SEED={seed}: {messages} messages, lanes of {capacity}{}, inboxes of {inbox}, {}",
        if cold { ", soon cold" } else { "" },
        parts::barrier_form(),
    );
    let receivers: Vec<_> = (0..RECEIVERS).map(|_| engine.receiver::<Letter>()).collect();
    let stage = Stage {
        clock: engine.clock(),
        addresses: receivers.iter().map(|rx| rx.address()).collect(),
        engine,
        under_way,
        authors: AtomicU32::new(0),
        busy: AtomicUsize::new(SENDERS + OUTBOXES),
        board: Default::default(),
        total: Mutex::default(),
    };
    let each = messages / (SENDERS + OUTBOXES) as u64;
    let stage = &stage;
    thread::scope(|scope| {
        let mut go = |work: Box<dyn FnOnce(&mut Author<'_>) + Send>| {
            let mut author = Author::new(stage, Dice(dice.roll()));
            scope.spawn(move || {
                work(&mut author);
                stage.total.lock().join(&author.seen);
            });
        };
        // The outboxes first: their authors' numbers are those of the board.
        for _ in 0..OUTBOXES {
            let mut out = stage.engine.outbox();
            // A source of each receiver before anyone can have gone.
            stage.addresses.iter().for_each(|address| assert!(out.add(address).is_ok()));
            go(Box::new(move |author| {
                let _done = Done(author.stage);
                author.send_to_all(&mut out, each);
            }));
        }
        for nth in 0..SENDERS {
            let to = nth % RECEIVERS;
            let mut tx = stage.engine.sender(&stage.addresses[to]).unwrap();
            go(Box::new(move |author| {
                let _done = Done(author.stage);
                author.send_all(&mut tx, to, each);
            }));
        }
        go(Box::new(|author| {
            while author.stage.busy.load(Relaxed) > 0 {
                author.visit();
            }
        }));
        for (id, rx) in receivers.into_iter().enumerate() {
            let dice = Dice(dice.roll());
            scope.spawn(move || read(stage, rx, id, dice));
        }
    });
    settle_accounts(stage, messages);
}

/// O1, and the drops.
fn settle_accounts(stage: &Stage, messages: u64) {
    let total = stage.total.lock();
    let last = stage.clock.now().get();
    assert!(last >= messages / 10 * 10, "{last} of {messages}");
    let hashes = (1..=last).fold(0_u64, |sum, number| sum.wrapping_add(hash(number)));
    let unseen =
        last.checked_sub(total.count).expect("O1: more numbers than the clock has counted");
    assert!(unseen <= total.returned, "O1: nobody has seen {unseen} numbers of {last}");
    let rest = hashes.wrapping_sub(total.hashes);
    let explained = match unseen {
        0 => rest == 0,
        1 => (1..=last).any(|number| hash(number) == rest),
        _ => true,
    };
    assert!(explained, "O1: a number is missing, and another was given twice");
    let dropped: u64 = DROPPED.iter().map(|shard| shard.load(Relaxed)).sum();
    assert_eq!(dropped, total.written, "drops");
}
