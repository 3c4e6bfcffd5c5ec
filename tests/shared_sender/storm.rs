//! Many authors of all kinds on one lane, seeded: threads, tasks, timeouts, futures that are dropped or forgotten at
//! any point, beside a receiver that comes and goes, in each drive, with an engine that closes at some moment.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use mainspring::{Drive, Engine, Idle, SendTimeoutError, Seq, SharedSender, TrySendError};

use crate::support::{forget, to_the_end};

/// xorshift64*: a sequence for each seed.
struct Dice(u64);

impl Dice {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % sides
    }
}

/// A value: whose, and which; its end is counted.
struct Parcel {
    author: u64,
    index: u64,
    ends: Arc<AtomicUsize>,
}

impl Drop for Parcel {
    fn drop(&mut self) {
        self.ends.fetch_add(1, Ordering::Relaxed);
    }
}

/// What an author knows.
#[derive(Default)]
struct Account {
    /// Made.
    made: usize,
    /// Surely sent, and their numbers as far as they were told.
    sent: BTreeMap<u64, Option<Seq>>,
    /// Surely not sent.
    refused: Vec<u64>,
    /// Forgotten in the queue: their futures' slots keep what comes back.
    forgotten: usize,
    /// Of this it was told that nothing can be sent.
    closed: bool,
}

fn write(
    author: u64,
    seed: u64,
    shared: &SharedSender<Parcel>,
    ends: &Arc<AtomicUsize>,
) -> Account {
    let mut dice = Dice::new(seed * 31 + author);
    let mut account = Account::default();
    for index in 0..200 {
        let value = Parcel { author, index, ends: ends.clone() };
        account.made += 1;
        // Some(number) if sent, None if not; or it is not known.
        let known = match dice.roll(8) {
            0 | 1 => Some(shared.send(value).map(|()| None).map_err(|error| error.into_inner())),
            2 => Some(shared.send_stamped(value).map(Some).map_err(|error| error.into_inner())),
            3 => match shared.try_send(value) {
                Ok(()) => Some(Ok(None)),
                Err(TrySendError::Full(value) | TrySendError::Closed(value)) => Some(Err(value)),
                Err(other) => panic!("{other}"),
            },
            4 => match shared.send_timeout(value, Duration::from_micros(dice.roll(50))) {
                Ok(()) => Some(Ok(None)),
                Err(SendTimeoutError::Timeout(value) | SendTimeoutError::Closed(value)) => {
                    Some(Err(value))
                }
                Err(other) => panic!("{other}"),
            },
            5 => {
                let sent = smol::future::block_on(shared.send_async(value));
                Some(sent.map(|()| None).map_err(|error| error.into_inner()))
            }
            6 => {
                let mut sending = shared.send_async(value);
                match poll_some(&mut sending, dice.roll(7)) {
                    Some(sent) => Some(sent.map(|()| None).map_err(|error| error.into_inner())),
                    None if dice.roll(8) == 0 => {
                        account.forgotten += 1;
                        forget(sending);
                        None
                    }
                    None => Some(sending.into_inner().map_or(Ok(None), Err)),
                }
            }
            _ => {
                let mut stamping = shared.send_stamped_async(value);
                let polled = poll_some(&mut stamping, dice.roll(7));
                polled.map(|sent| sent.map(Some).map_err(|error| error.into_inner()))
            }
        };
        match known {
            Some(Ok(number)) => drop(account.sent.insert(index, number)),
            Some(Err(value)) => {
                assert_eq!((value.author, value.index), (author, index), "its own value");
                account.refused.push(index);
                account.closed |= shared.is_closed();
            }
            None => {}
        }
    }
    account
}

fn poll_some<F: Future + Unpin>(future: &mut F, times: u64) -> Option<F::Output> {
    for _ in 0..times {
        let polled = Pin::new(&mut *future).poll(&mut Context::from_waker(Waker::noop()));
        if let Poll::Ready(output) = polled {
            return Some(output);
        }
        thread::yield_now();
    }
    None
}

/// How a round ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The receiver reads all.
    Read,
    /// The receiver leaves in the midst.
    Leave,
    /// The engine is closed in the midst, with or without time.
    Close(Duration),
    /// A pass panics.
    Poison,
}

fn play(seed: u64, drive: Drive, end: End) {
    const AUTHORS: u64 = 4;
    let mut dice = Dice::new(seed);
    let ends = Arc::new(AtomicUsize::new(0));
    let capacity = [1, 1, 2, 8][dice.roll(4) as usize];
    let inbox = [1, 2, 8][dice.roll(3) as usize];
    let builder = Engine::builder().capacity(capacity).inbox(inbox).drive(drive);
    let engine = builder.timestamps(dice.roll(3) == 0).build().unwrap();
    let (tx, mut rx) = engine.channel();
    let (mut other, shared) = (tx.clone(), tx.into_shared());
    let stop_at = 50 + dice.roll(200);
    let authors: Vec<_> = (0..AUTHORS)
        .map(|author| {
            let (shared, ends) = (shared.clone(), ends.clone());
            thread::spawn(move || write(author, seed, &shared, &ends))
        })
        .collect();
    drop(shared);
    // A lane of its own for the same inbox: the shared one stalls now and then.
    let beside = {
        let ends = ends.clone();
        thread::spawn(move || {
            let parcel = |index| Parcel { author: AUTHORS, index, ends: ends.clone() };
            (0..200).take_while(|&index| other.send(parcel(index)).is_ok()).count()
        })
    };
    let reader = thread::spawn(move || {
        let mut read = Vec::new();
        while let Ok((seq, value)) = rx.recv() {
            read.push((seq, value.author, value.index));
            if end == End::Leave && read.len() as u64 >= stop_at {
                break;
            }
        }
        read
    });
    let report = match end {
        End::Read | End::Leave => None,
        End::Close(within) => {
            while engine.clock().now().get() < stop_at && !beside.is_finished() {
                thread::yield_now();
            }
            Some(engine.close(within))
        }
        End::Poison => {
            mainspring::parts::poison(&engine);
            None
        }
    };
    let accounts: Vec<_> = authors.into_iter().map(|author| author.join().unwrap()).collect();
    let sent_beside = beside.join().unwrap();
    let read = reader.join().unwrap();

    let mut found: Vec<BTreeMap<u64, Seq>> = vec![BTreeMap::new(); AUTHORS as usize + 1];
    for pair in read.windows(2) {
        assert!(pair[0].0 < pair[1].0, "numbers rise");
    }
    for &(seq, author, index) in &read {
        let of_author = &mut found[author as usize];
        assert!(of_author.last_key_value().is_none_or(|(&last, _)| last < index), "in order");
        assert!(of_author.insert(index, seq).is_none(), "once");
    }
    for (account, found) in accounts.iter().zip(&found) {
        for index in &account.refused {
            assert!(!found.contains_key(index), "what came back was not sent");
        }
        for (index, number) in &account.sent {
            match (found.get(index), number) {
                (Some(seq), Some(number)) => assert_eq!(seq, number, "its own number"),
                (Some(_), None) => {}
                (None, _) => assert_ne!(end, End::Read, "what was sent is received"),
            }
        }
    }
    if let Some(report) = report {
        let sent: usize = accounts.iter().map(|account| account.sent.len()).sum::<usize>();
        let known: usize = (accounts.iter().zip(&found))
            .map(|(account, found)| account.sent.keys().filter(|at| found.contains_key(at)).count())
            .sum();
        let lost = (sent - known) + (sent_beside - found[AUTHORS as usize].len());
        let left: u64 = report.left.iter().map(|left| left.unread + left.unnumbered).sum();
        assert!(lost as u64 <= left, "{lost} lost: {report}");
    }
    let made: usize = accounts.iter().map(|account| account.made).sum();
    let made_beside = (sent_beside + 1).min(200);
    let forgotten: usize = accounts.iter().map(|account| account.forgotten).sum();
    drop(engine);
    // What comes back for a forgotten future is forgotten with it. The last to go may be the dispatcher thread.
    crate::support::until(|| ends.load(Ordering::Relaxed) + forgotten >= made + made_beside);
    assert!(ends.load(Ordering::Relaxed) <= made + made_beside, "each value ends once");
}

/// Goal: what is promised of a shared sender, in a storm: order, numbers, each value once, an exact report.
#[test]
fn a_storm_keeps_the_promises() {
    let ends = [
        End::Read,
        End::Leave,
        End::Close(Duration::ZERO),
        End::Close(Duration::from_millis(1)),
        End::Close(Duration::from_secs(60)),
        End::Poison,
    ];
    let rounds = std::env::var("MAINSPRING_STORMS").map_or(10, |count| count.parse().unwrap());
    for seed in 1..=rounds {
        for end in ends {
            for drive in [Drive::Callers, Drive::thread(Idle::Park), Drive::thread(Idle::Yield)] {
                to_the_end(move || play(seed, drive, end));
            }
        }
    }
}
