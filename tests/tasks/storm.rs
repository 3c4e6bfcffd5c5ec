//! Tasks and threads at random, under a seed: they send, receive, give up, join, leave and move; everything that was
//! sent to one who stayed arrives once, in order.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;

use mainspring::{
    Address, Broadcaster, Drive, Engine, Event, Idle, Merge, Outbox, Progress, Receiver, Sender,
    Seq, Target,
};
use parking_lot::Mutex;
use smol::stream::StreamExt;

use crate::executors::{
    Job, Runtime, all, block_on, forget, in_thread, job, poll_times, yield_now,
};
use crate::support::{
    Letter, Stamped, assert_complete, assert_dense, assert_in_order, to_the_end, until,
};

/// Numbers that look like chance (splitmix64).
#[derive(Clone)]
struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) >> 8) % sides
    }
}

const AUTHORS: usize = 4;
const EACH: u64 = 150;

/// Writes all letters of an author, in ways that change, and gives up sends now and then.
async fn write(mut tx: Sender<Letter>, author: usize, mut dice: Dice) {
    for index in 0..EACH {
        let letter = Letter { author, index };
        match dice.below(6) {
            0 => tx.send_async(letter).await.unwrap(),
            1 => assert!(tx.send_stamped_async(letter).await.unwrap() > Seq::ZERO),
            2 => {
                // Given up once or twice, then sent.
                let mut letter = letter;
                for _ in 0..2 {
                    let mut sending = tx.send_async(letter);
                    if poll_times(dice.below(16) as usize, &mut sending).await.is_some() {
                        letter.author = AUTHORS;
                        break;
                    }
                    letter = sending.into_inner().unwrap();
                    yield_now().await;
                }
                if letter.author != AUTHORS {
                    tx.send_async(letter).await.unwrap();
                }
            }
            3 => {
                let mut stamping = tx.send_stamped_async(letter);
                poll_times(dice.below(16) as usize, &mut stamping).await;
                // None if it was sent, numbered or not.
                let back = stamping.into_inner();
                if let Some(letter) = back {
                    tx.send_async(letter).await.unwrap();
                }
            }
            4 => {
                // A lane of its own for the rest: what was sent before has its number first.
                tx.send_stamped_async(letter).await.unwrap();
                let next = tx.clone();
                drop(std::mem::replace(&mut tx, next));
            }
            _ => {
                tx.send_async(letter).await.unwrap();
                // The rest is sent by a thread for a while.
                if dice.below(10) == 0 {
                    tx = in_thread(move || {
                        tx.stamped().unwrap();
                        tx
                    })
                    .await;
                }
            }
        }
    }
}

/// Reads all that comes, in ways that change, and gives up receives now and then.
async fn read(mut rx: Receiver<Letter>, mut dice: Dice) -> Vec<Stamped> {
    let mut letters = Vec::new();
    let mut told = Seq::ZERO;
    loop {
        let polls = match dice.below(3) {
            0 => dice.below(16) as usize,
            _ => usize::MAX,
        };
        let mut batch = Vec::new();
        macro_rules! get {
            ($future:expr) => {
                if polls == usize::MAX {
                    Some($future.await)
                } else {
                    poll_times(polls, $future).await
                }
            };
        }
        let more = match dice.below(5) {
            0 => get!(rx.recv_async()).map(|got| got.map(|got| batch.push(got)).is_ok()),
            1 => get!(rx.next()).map(|got| got.map(|got| batch.push(got)).is_some()),
            2 => get!(rx.recv_batch_async(3, |seq, letter| batch.push((seq, letter))))
                .map(|got| got.is_ok()),
            3 => get!(rx.recv_event_async()).map(|got| {
                match got {
                    Ok(Event::Message(seq, letter)) => batch.push((seq, letter)),
                    Ok(Event::Clock(seq)) => {
                        assert!(seq > told, "clock {seq} after {told}");
                        told = seq;
                    }
                    _ => {}
                }
                got.is_ok()
            }),
            _ => {
                // By a thread, if something comes soon.
                let read = in_thread(move || {
                    let got = rx.recv_timeout(std::time::Duration::from_micros(50));
                    (got, rx)
                })
                .await;
                rx = read.1;
                read.0.map(|got| batch.push(got)).ok().map(|()| true)
            }
        };
        for (seq, letter) in batch {
            assert!(seq > told, "told {seq} after {told}");
            told = seq;
            letters.push((seq.get(), letter));
        }
        match more {
            Some(true) => {}
            Some(false) => return letters,
            None => yield_now().await,
        }
    }
}

/// Comes and goes: receivers that nobody stays with, merges, waits that are given up.
async fn disturb(engine: Engine, to: Address<Letter>, progress: Progress, mut dice: Dice) {
    for _ in 0..60 {
        let clock = engine.clock();
        let ahead = Seq::new(clock.now().get() + dice.below(20));
        let polls = dice.below(16) as usize;
        match dice.below(6) {
            0 => drop(poll_times(polls, clock.reached(ahead)).await.map(|got| got.unwrap())),
            1 => drop(poll_times(polls, progress.reached(ahead)).await.map(|got| got.unwrap())),
            2 => {
                let (tx, mut rx) = engine.channel::<u8>();
                assert!(poll_times(polls, rx.recv_async()).await.is_none());
                drop(tx);
                assert!(rx.recv_async().await.is_err());
            }
            3 => {
                let mut merge = Merge::new([engine.receiver::<u8>(), engine.receiver()]).unwrap();
                assert!(poll_times(polls, merge.recv_async()).await.is_none());
                forget(poll_times(polls, merge.next()));
            }
            4 => {
                // A lane that nothing is sent on, to one who is busy.
                let joined = engine.sender(&to);
                yield_now().await;
                drop(joined);
            }
            _ => forget(clock.reached(ahead)),
        }
        yield_now().await;
    }
}

/// Goal: whatever tasks and threads do at a time, every letter arrives once and in its author's order, numbers are
/// dense, and all come to an end. Method: see above; the seed says what happens, in which executor and drive, with
/// which sizes. MAINSPRING_SEED chooses one, MAINSPRING_CASES how many.
#[test]
fn everything_arrives_once_and_in_order() {
    let number = |name: &str| std::env::var(name).ok().map(|value| value.parse::<u64>().unwrap());
    let seeds = match number("MAINSPRING_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("MAINSPRING_CASES").unwrap_or(42),
    };
    for seed in seeds {
        let letters = to_the_end(move || storm(seed));
        assert_complete(&letters, &[EACH; AUTHORS]);
        assert_dense(&letters, 1);
        assert_in_order(&letters);
    }
}

fn storm(seed: u64) -> Vec<Stamped> {
    let mut dice = Dice(seed);
    let runtime: Runtime = all()[seed as usize % all().len()];
    let drive = match dice.below(3) {
        0 => Drive::thread(if dice.below(2) == 0 { Idle::Park } else { Idle::Yield }),
        _ => Drive::Callers,
    };
    let (capacity, inbox) = (1 << dice.below(4), 1 << dice.below(3));
    let builder = Engine::builder().capacity(capacity).inbox(inbox).drive(drive);
    let engine = builder.build().unwrap();
    let letters: Arc<Mutex<Vec<Stamped>>> = Arc::default();
    let mut jobs: Vec<Job> = Vec::new();
    let mut others = Vec::new();
    let mut receivers: Vec<_> = (0..2).map(|_| engine.receiver::<Letter>()).collect();
    for author in 0..AUTHORS {
        let tx = engine.sender(&receivers[author % 2].address()).unwrap();
        let work = write(tx, author, Dice(dice.below(u64::MAX)));
        // Some are threads of their own.
        if dice.below(3) == 0 {
            others.push(thread::spawn(move || block_on(work)));
        } else {
            jobs.push(job(work));
        }
    }
    for rx in &mut receivers {
        let (progress, to) = (rx.progress(), rx.address());
        jobs.push(job(disturb(engine.clone(), to, progress, Dice(dice.below(u64::MAX)))));
    }
    for rx in receivers {
        let (to, dice) = (letters.clone(), Dice(dice.below(u64::MAX)));
        jobs.push(job(async move {
            let got = read(rx, dice).await;
            to.lock().extend(got);
        }));
    }
    drop(engine);
    runtime.run(jobs);
    others.into_iter().for_each(|other| other.join().unwrap());
    let mut letters = std::mem::take(&mut *letters.lock());
    letters.sort_unstable_by_key(|&(number, _)| number);
    letters
}

/// Runs a future in this thread, which looks all the time whether it was woken: what falls asleep meets what comes as
/// closely as can be.
fn spin_on<F: Future>(future: F) -> F::Output {
    struct Flag(AtomicBool);
    impl Wake for Flag {
        fn wake(self: Arc<Self>) {
            self.0.store(true, SeqCst);
        }
    }
    let flag = Arc::new(Flag(AtomicBool::new(true)));
    let waker = Waker::from(flag.clone());
    let mut future = pin!(future);
    loop {
        until(|| flag.0.swap(false, SeqCst));
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
    }
}

/// Who asks in a storm of questions.
enum Asks {
    Sender(Sender<u64>),
    Outbox(Outbox, Target<u64>),
    Broadcaster(Broadcaster<u64>),
}

impl Asks {
    async fn ask(&mut self, question: u64) {
        // Now as a thread would, now as a task: a lane of one finds room, once the last question was read.
        let thread = question.is_multiple_of(3);
        match self {
            Self::Sender(tx) if thread => tx.send(question).unwrap(),
            Self::Sender(tx) => tx.send_async(question).await.unwrap(),
            Self::Outbox(out, to) if thread => out.send(*to, question).unwrap(),
            Self::Outbox(out, to) => out.send_async(*to, question).await.unwrap(),
            Self::Broadcaster(all) if thread => all.send(question).unwrap(),
            Self::Broadcaster(all) => all.send_async(question).await.unwrap(),
        }
    }
}

/// Goal: a task that sleeps after each message, and relies on the fences of those who wake it, hears each of them, from
/// whomever. Method: questions and answers, each from a thread of its own, so that most find the other going to sleep;
/// in between the receiver waits for an event, which needs more than fences.
#[test]
fn who_sleeps_after_each_message_hears_the_next() {
    let trips: u64 =
        std::env::var("MAINSPRING_SLEEPS").map_or(20_000, |trips| trips.parse().unwrap());
    for drive in [Drive::Callers, Drive::thread(Idle::Park)] {
        for form in 0..3 {
            let drive = drive.clone();
            to_the_end(move || {
                let engine = Engine::builder().capacity(1).inbox(1).drive(drive).build().unwrap();
                let group = engine.group();
                let mut at_server = engine.receiver::<u64>();
                let mut asks = match form {
                    0 => Asks::Sender(engine.sender(&at_server.address()).unwrap()),
                    1 => {
                        let mut out = engine.outbox();
                        let to = out.add(&at_server.address()).unwrap();
                        Asks::Outbox(out, to)
                    }
                    _ => {
                        at_server = group.subscribe();
                        Asks::Broadcaster(group.broadcaster())
                    }
                };
                let (mut tx, mut at_client) = engine.channel::<u64>();
                let server = thread::spawn(move || {
                    spin_on(async {
                        for trip in 0..trips {
                            let question = match trip % 64 {
                                7 => loop {
                                    if let Event::Message(_, question) =
                                        at_server.recv_event_async().await.unwrap()
                                    {
                                        break question;
                                    }
                                },
                                8 => at_server.recv().unwrap().1,
                                _ => at_server.recv_async().await.unwrap().1,
                            };
                            assert_eq!(question, trip);
                            tx.send_async(question).await.unwrap();
                        }
                        (at_server, tx)
                    })
                });
                spin_on(async {
                    for trip in 0..trips {
                        asks.ask(trip).await;
                        assert_eq!(at_client.recv_async().await.unwrap().1, trip);
                    }
                });
                drop(server.join().unwrap());
            });
        }
    }
}
