//! Broadcasts at length: members that stay, guests that come and go in every way, broadcasters that do, too.
//!
//! Each author's letters are counted up, so what a member gets of one author has no gap within its membership; what a
//! member that stays gets is all. Values are counted: none is dropped twice, none is left.

use std::mem::forget;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread;

use mainspring::{Broadcaster, Engine, Group, Receiver, RecvTimeoutError, Seq, TrySendError};

use crate::Dice;

/// What is broadcast: of which author, and the how-manyeth.
#[derive(Clone)]
struct Word {
    author: usize,
    index: u64,
    _there: Arc<()>,
}

const AUTHORS: usize = 3;

/// One who has ended, also by a panic.
struct Done<'a>(&'a AtomicUsize, &'a Mutex<Option<Broadcaster<Word>>>);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        if self.0.fetch_sub(1, SeqCst) == 1 {
            // Until now nobody closes.
            drop(self.1.lock().unwrap().take());
        }
    }
}

/// What a member has been told.
#[derive(Default)]
struct Told {
    number: u64,
    next: [Option<u64>; AUTHORS],
    count: u64,
}

impl Told {
    fn note(&mut self, seq: Seq, &Word { author, index, .. }: &Word) {
        assert!(seq.get() > self.number, "O4");
        self.number = seq.get();
        let next = self.next[author].replace(index + 1);
        assert!(next.is_none_or(|next| next == index), "a gap: {index} and not {next:?}");
        self.count += 1;
    }
}

/// Reads in any way; false when it has closed.
fn read(rx: &mut Receiver<Word>, told: &mut Told, dice: &mut Dice) -> bool {
    match dice.below(8) {
        0..3 => rx.recv_batch(20, |seq, word| told.note(seq, &word)).is_ok(),
        3 | 4 => rx.recv_batch_ref(20, |seq, word| told.note(seq, word)).is_ok(),
        5 => rx.recv().map(|(seq, word)| told.note(seq, &word)).is_ok(),
        6 => match rx.recv_ref_timeout(std::time::Duration::from_micros(20)) {
            Ok(word) => {
                told.note(word.seq(), &word);
                true
            }
            Err(error) => error == RecvTimeoutError::Timeout,
        },
        _ => {
            let Ok(word) = rx.recv_ref() else { return false };
            told.note(word.seq(), &word);
            forget(word);
            // Its slot goes back with the next.
            rx.recv().map(|(seq, word)| told.note(seq, &word)).is_ok()
        }
    }
}

/// Broadcasts so many, on one lane after the other; whoever is stuck and holds it up it removes.
fn write(
    author: usize,
    count: u64,
    mut all: Broadcaster<Word>,
    there: &Arc<()>,
    stuck: &AtomicU64,
    mut dice: Dice,
) {
    let word = |index| Word { author, index, _there: there.clone() };
    let mut index = 0;
    while index < count {
        match dice.below(64) {
            0 => {
                // After the number of what the last has sent, for these are two handles.
                all.stamped().ok();
                all = all.clone();
            }
            1 => all.reclaim(),
            2..20 => {
                let end = count.min(index + dice.below(64));
                all.send_batch((index..end).map(word)).unwrap_or_else(|_| panic!("open"));
                index = end;
            }
            _ => {
                let mut next = Some(word(index));
                while let Some(word) = next.take() {
                    if let Err(error) = all.try_send(word) {
                        assert!(error.is_full());
                        next = Some(TrySendError::into_inner(error));
                        thread::yield_now();
                    }
                }
                index += 1;
            }
        }
        // One that never reads is named in the end, and removed.
        if let Some(slowest) = all.slowest()
            && slowest.member.name() == Some("stuck")
        {
            stuck.fetch_add(u64::from(all.group().remove(&slowest.member)), SeqCst);
        }
    }
}

/// A guest: stays for a while, and goes in one of the ways there are.
fn visit(engine: &Engine, group: &Group<Word>, dice: &mut Dice) {
    let alone = engine.receiver();
    let mut rx = if dice.below(2) == 0 { group.subscribe() } else { alone };
    group.join(&rx.address()).ok();
    let (mut told, looks) = (Told::default(), dice.below(30));
    for _ in 0..looks {
        if !read(&mut rx, &mut told, dice) {
            return;
        }
    }
    let address = rx.address();
    match dice.below(4) {
        0 => drop(rx),
        1 => {
            group.leave(&address);
            while read(&mut rx, &mut told, dice) {}
        }
        2 => {
            let held = rx.try_recv_ref().ok();
            group.remove(&address);
            drop(held);
            while rx.recv().is_ok() {}
        }
        _ => {
            group.remove(&address);
            while rx.recv_batch(5, |seq, _| assert!(seq.get() > told.number)).is_ok() {}
        }
    }
}

/// Goal: as above. Method: three authors, two members that stay, two threads of guests, and now and then a member that
/// never reads.
#[test]
fn a_crowd_keeps_every_promise() {
    // A fiftieth of the other soak: each goes to several, who come and go.
    let all = std::env::var("MAINSPRING_SOAK").map_or(2_000_000, |count| count.parse().unwrap());
    let count: u64 = all / 50;
    let seed = std::env::var("MAINSPRING_SEED").map_or(7, |seed| seed.parse().unwrap());
    let mut dice = Dice(seed);
    let there = Arc::new(());
    let (busy, stuck) = (AtomicUsize::new(AUTHORS), AtomicU64::new(0));
    for (capacity, inbox, part) in [(1, 1, 10), (8, 2, 3), (256, 64, 1)] {
        let engine = Engine::builder().capacity(capacity).inbox(inbox).build().unwrap();
        let (group, count) = (engine.group::<Word>(), count / (AUTHORS as u64 * part));
        let idle = Mutex::new(Some(group.broadcaster()));
        busy.store(AUTHORS, SeqCst);
        let members = [group.subscribe(), group.subscribe()];
        engine.run_until_idle();
        thread::scope(|scope| {
            let mut threads = Vec::new();
            let mut next = || Dice(dice.roll());
            let (engine, group, there) = (&engine, &group, &there);
            let (busy, stuck, idle) = (&busy, &stuck, &idle);
            for mut rx in members {
                let mut dice = next();
                threads.push(scope.spawn(move || {
                    let mut told = Told::default();
                    while read(&mut rx, &mut told, &mut dice) {}
                    assert_eq!((told.next, told.count), ([Some(count); AUTHORS], 3 * count));
                }));
            }
            for author in 0..AUTHORS {
                let (all, dice) = (group.broadcaster(), next());
                threads.push(scope.spawn(move || {
                    let _done = Done(busy, idle);
                    write(author, count, all, there, stuck, dice);
                }));
            }
            for _ in 0..2 {
                let mut dice = next();
                threads.push(scope.spawn(move || {
                    while busy.load(SeqCst) == AUTHORS {
                        visit(engine, group, &mut dice);
                    }
                }));
            }
            threads.push(scope.spawn(move || {
                let never_reads = || engine.options().name("stuck").receiver().unwrap();
                while busy.load(SeqCst) == AUTHORS {
                    let rx = never_reads();
                    if group.join(&rx.address()).is_ok() {
                        // Where all authors wait for it, none can ask who it is.
                        let mut patience = 300;
                        while group.members().contains(&rx.address()) && patience > 0 {
                            thread::yield_now();
                            patience -= 1;
                        }
                        group.remove(&rx.address());
                    }
                }
            }));
            // Each by itself: what a scope waits for at its end the sanitizer does not see.
            threads.into_iter().for_each(|thread| thread.join().unwrap());
        });
        eprintln!("{} who never read were named", stuck.load(SeqCst));
        assert_eq!(engine.clock().now().get(), 3 * count);
        drop((group, engine));
        assert_eq!(Arc::strong_count(&there), 1, "values are left");
    }
}
