//! A market-data fan-out: feeds that broadcast in one sequence, and subscribers of different speeds.
//!
//! ```text
//!  feed 0 ──▶┐                  ┌──▶ recorder  writes every quote down
//!  feed 1 ──▶│  one sequence    ├──▶ desk      acts on a quote, never before the recorder has it
//!  feed 2 ──▶│  over all feeds  ├──▶ book      the best prices over all feeds
//!  feed 3 ──▶┘                  ├──▶ chart     slow: is removed if a feed has no room because of it
//!                               ├──▶ frozen    reads nothing: is removed
//!                               └──▶ late      joins while all is under way
//! ```
//!
//! `cargo run --release --example market_data -- --seconds 5`. Each subscriber checks what it reads: no number is
//! missing and none comes twice, from its joining until it is removed; so two of them that have read the same numbers
//! have the same book. The exit code is 1 if a check fails.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{self, Write};
use std::panic::resume_unwind;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant};

use mainspring::{Address, Broadcaster, Clock, Engine, Progress, Receiver, SendTimeoutError, Seq};

const FEEDS: usize = 4;
const SYMBOLS: u64 = 50;
/// Quotes that a feed sends at once, and how long it rests then.
const BURST: u64 = 100;
const REST: Duration = Duration::from_millis(1);
/// Quotes of a feed that a subscriber may be behind before the feed has no room.
const LANE: usize = 4096;
/// How long a feed waits for those whom it does not remove, before it looks again who is the slowest.
const PATIENCE: Duration = Duration::from_millis(20);

/// What a feed says of a symbol.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quote {
    pub(crate) feed: usize,
    /// The how-manyeth of its feed.
    pub(crate) nth: u64,
    pub(crate) symbol: u64,
    pub(crate) bid: u64,
    pub(crate) ask: u64,
}

/// One who publishes quotes to all subscribers.
struct Feed<'a> {
    number: usize,
    out: Broadcaster<Quote>,
    /// Subscribers that it waits for. The others are guests.
    kept: &'a [Address<Quote>],
}

impl Feed<'_> {
    /// Publishes until the time is over, and at least so much that one who reads nothing is in its way. Tells how many.
    fn run(mut self, end: Instant) -> Result<u64, SendTimeoutError<Quote>> {
        let mut sent = 0;
        let mut random = self.number as u64 + 1;
        while Instant::now() < end || sent < 2 * LANE as u64 {
            for nth in sent..sent + BURST {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let (symbol, bid) = ((random >> 40) % SYMBOLS, 10_000 + (random >> 50) % 100);
                let ask = bid + 1 + (random >> 30) % 20;
                self.publish(Quote { feed: self.number, nth, symbol, bid, ask })?;
            }
            sent += BURST;
            thread::sleep(REST);
        }
        Ok(sent)
    }

    fn publish(&mut self, mut quote: Quote) -> Result<(), SendTimeoutError<Quote>> {
        let mut patience = Duration::ZERO;
        loop {
            match self.out.send_timeout(quote, patience) {
                Err(SendTimeoutError::Timeout(back)) => quote = back,
                sent_or_closed => return sent_or_closed,
            }
            // No room. A guest that is in the way is removed; for the others there is time.
            patience = match self.out.slowest() {
                Some(slowest) if !self.kept.contains(&slowest.member) => {
                    self.out.group().remove(&slowest.member);
                    Duration::ZERO
                }
                _ => PATIENCE,
            };
        }
    }
}

/// The best prices over all feeds.
#[derive(Debug, Default, PartialEq)]
struct Book {
    /// By symbol and feed: what is bid, what is asked.
    last: BTreeMap<(u64, usize), (u64, u64)>,
}

impl Book {
    fn enter(&mut self, quote: &Quote) {
        self.last.insert((quote.symbol, quote.feed), (quote.bid, quote.ask));
    }

    /// Whether somebody bids more than another asks.
    fn is_crossed(&self, symbol: u64) -> bool {
        let prices = || self.last.range((symbol, 0)..(symbol + 1, 0)).map(|(_, prices)| prices);
        prices().map(|(bid, _)| bid).max() > prices().map(|(_, ask)| ask).min()
    }
}

/// A subscriber's account of what it has read, checked while it reads.
#[derive(Debug, Default)]
pub(crate) struct Account {
    name: &'static str,
    /// Where the clock stood when it joined, and its first and its last number.
    joined: Seq,
    first: Option<Seq>,
    last: Seq,
    received: u64,
    missed: u64,
    /// Messages behind the clock after its last batch, and after the worst.
    lag: u64,
    lag_max: u64,
    /// Numbers that were left out or did not rise, and quotes that were not the next of their feed.
    gaps: u64,
    falls: u64,
    out_of_turn: u64,
    next: [Option<u64>; FEEDS],
}

impl Account {
    pub(crate) fn new(name: &'static str) -> Self {
        Self { name, ..Self::default() }
    }

    /// Reads until nothing comes any more: all feeds have ended, or it was removed. Quotes are read
    /// where they lie, up to `batch` of them before each `rest`.
    fn read(
        mut self,
        mut quotes: Receiver<Quote>,
        clock: &Clock,
        (batch, rest): (usize, Duration),
        mut handle: impl FnMut(Seq, &Quote),
    ) -> Self {
        let mut see = |account: &mut Self, seq, quote: &Quote| {
            account.see(seq, quote);
            handle(seq, quote);
        };
        while quotes.recv_batch_ref(batch, |seq, quote| see(&mut self, seq, quote)).is_ok() {
            self.lag = clock.now().get() - self.last.get();
            self.lag_max = self.lag_max.max(self.lag);
            if !rest.is_zero() {
                thread::sleep(rest);
            }
        }
        self.missed = quotes.missed();
        self.joined = quotes.joined_at().unwrap_or_default();
        // Everything goes to everybody here: the first number is the one after the joining.
        self.gaps += self.first.map_or(0, |first| first.get().abs_diff(self.joined.get() + 1));
        self
    }

    pub(crate) fn see(&mut self, seq: Seq, quote: &Quote) {
        if self.first.is_none() {
            self.first = Some(seq);
        } else if seq <= self.last {
            self.falls += 1;
        } else {
            self.gaps += seq.get() - self.last.get() - 1;
        }
        let expected = self.next[quote.feed].replace(quote.nth + 1);
        self.out_of_turn += u64::from(expected.is_some_and(|nth| nth != quote.nth));
        self.last = seq;
        self.received += 1;
    }

    pub(crate) fn is_in_order(&self) -> bool {
        self.gaps + self.falls + self.out_of_turn == 0
    }

    fn has_all(&self, published: u64) -> bool {
        (self.received, self.last.get(), self.missed) == (published, published, 0)
    }
}

/// Runs the market for `time`; writes how it goes, and what came of it. True if every check holds.
pub(crate) fn run(time: Duration, out: &mut dyn Write) -> Result<bool, Box<dyn Error>> {
    let engine = Engine::new();
    let quotes = engine.options::<Quote>().name("quotes").capacity(LANE).group()?;
    let [mut recorder, mut desk, mut book, mut chart, frozen] =
        [(); 5].map(|()| quotes.subscribe());
    desk.behind(&[recorder.progress()])?;
    let watched = [
        ("recorder", recorder.progress()),
        ("desk", desk.progress()),
        ("book", book.progress()),
        ("chart", chart.progress()),
    ];
    let kept = [recorder.address(), desk.address(), book.address()];
    // All of them before anyone reads: who subscribes to a market is not to find it closed.
    let feeds: [_; FEEDS] =
        std::array::from_fn(|number| Feed { number, out: quotes.broadcaster(), kept: &kept });

    let (clock, recorded) = (&engine.clock(), &AtomicU64::new(0));
    let (mut journal, mut written) = (io::sink(), Ok(())); // a file, in earnest
    let (mut desk_book, mut trades, mut overtaken) = (Book::default(), 0, 0);
    let mut whole_book = Book::default();
    let record = |seq: Seq, quote: &Quote| {
        if written.is_ok() {
            written = writeln!(journal, "{seq} {quote:?}");
            recorded.store(seq.get(), Ordering::Release);
        }
    };
    let act = |seq: Seq, quote: &Quote| {
        overtaken += u64::from(recorded.load(Ordering::Acquire) < seq.get());
        desk_book.enter(quote);
        trades += u64::from(desk_book.is_crossed(quote.symbol));
    };
    let consolidate = |_: Seq, quote: &Quote| whole_book.enter(quote);
    let (quick, slow) = ((256, Duration::ZERO), (16, Duration::from_millis(5)));

    let began = Instant::now();
    let (published, accounts) = thread::scope(|scope| -> Result<_, Box<dyn Error>> {
        let guest = |name, quotes, pace| {
            scope.spawn(move || Account::new(name).read(quotes, clock, pace, |_, _| {}))
        };
        let mut readers = vec![
            scope.spawn(move || Account::new("recorder").read(recorder, clock, quick, record)),
            scope.spawn(move || Account::new("desk").read(desk, clock, quick, act)),
            scope.spawn(move || Account::new("book").read(book, clock, quick, consolidate)),
            guest("chart", chart, slow),
        ];
        let feeds = feeds.map(|feed| scope.spawn(move || feed.run(began + time)));
        let tick = (time / 2).min(Duration::from_secs(1));
        for turn in 0.. {
            let Some(left) = time.checked_sub(began.elapsed()) else { break };
            thread::sleep(tick.min(left));
            show(began.elapsed(), clock.now(), &watched, out)?;
            if turn == 0 {
                readers.push(guest("late", quotes.subscribe(), quick));
            }
        }
        let mut published = 0;
        for feed in feeds {
            published += join(feed)?;
        }
        readers.push(guest("frozen", frozen, quick)); // was removed long ago
        Ok((published, readers.into_iter().map(join).collect::<Vec<_>>()))
    })?;
    written?;

    tell(&accounts, out)?;
    writeln!(out, "\n{published} quotes; the desk saw {trades} chances")?;
    let kept = |account: &Account| ["recorder", "desk", "book"].contains(&account.name);
    let mut kept = accounts.iter().filter(|account| kept(account));
    let frozen = accounts.iter().find(|account| account.name == "frozen");
    let checks = [
        (clock.now().get() == published, "the numbers are as many as the quotes"),
        (accounts.iter().all(Account::is_in_order), "numbers rise without gaps; each feed in turn"),
        (kept.all(|account| account.has_all(published)), "nobody who is waited for misses a quote"),
        (overtaken == 0, "the desk acts on nothing that is not recorded"),
        (desk_book == whole_book, "the same numbers make the same book"),
        (frozen.is_some_and(|frozen| frozen.missed > 0), "who reads nothing is removed"),
    ];
    for (holds, what) in checks {
        writeln!(out, "{} {what}", if holds { "  ok  " } else { "FAILED" })?;
    }
    Ok(checks.iter().all(|(holds, _)| *holds))
}

/// A line while all is under way: who is how far behind.
fn show(
    time: Duration,
    clock: Seq,
    watched: &[(&str, Progress)],
    out: &mut dyn Write,
) -> io::Result<()> {
    write!(out, "{:5.1} s {:>11} quotes; behind:", time.as_secs_f64(), clock.get())?;
    for (name, progress) in watched {
        match progress.now() {
            Seq::MAX => write!(out, " {name} has left;")?,
            done => write!(out, " {name} {};", clock.get().saturating_sub(done.get()))?,
        }
    }
    writeln!(out)
}

fn tell(accounts: &[Account], out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "\n{:10}{:>11}{:>11}{:>9}{:>9}{:>6}{:>6}{:>7}{:>10}",
        "", "joined at", "received", "missed", "lag max", "last", "gaps", "falls", "unordered"
    )?;
    for account in accounts {
        let Account {
            name, joined, received, missed, lag_max, lag, gaps, falls, out_of_turn, ..
        } = account;
        writeln!(
            out,
            "{name:10}{:>11}{received:>11}{missed:>9}{lag_max:>9}{lag:>6}{gaps:>6}{falls:>7}{out_of_turn:>10}",
            joined.get()
        )?;
    }
    Ok(())
}

fn join<R>(thread: ScopedJoinHandle<'_, R>) -> R {
    thread.join().unwrap_or_else(|panic| resume_unwind(panic))
}

/// `--seconds N`, or five.
fn time_of(mut args: impl Iterator<Item = String>) -> Option<Duration> {
    let seconds = match args.next().as_deref() {
        None => 5.0,
        Some("--seconds") => args.next()?.parse().ok()?,
        Some(_) => return None,
    };
    Duration::try_from_secs_f64(seconds).ok().filter(|_| args.next().is_none())
}

fn main() -> ExitCode {
    let Some(time) = time_of(std::env::args().skip(1)) else {
        eprintln!("usage: market_data [--seconds N]");
        return ExitCode::from(2);
    };
    match run(time, &mut io::stdout()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}
