//! A market-data fan-out: feeds that broadcast in one sequence, and subscribers of different speeds.
//!
//! ```text
//!  feed 0 ──▶┐                  ┌──▶ recorder  writes every quote down
//!  feed 1 ──▶│  one sequence    ├──▶ desk      acts on a quote, never before the recorder has it
//!  feed 2 ──▶│  over all feeds  ├──▶ book      the best prices over all feeds
//!  feed 3 ──▶┘                  ├──▶ chart     slow: removed when a feed has no room because of it
//!                               ├──▶ frozen    reads nothing: removed
//!                               └──▶ late      joins while all is under way
//! ```
//!
//! `cargo run --release --example market_data -- --seconds 5`. Subscribers check what they read: every number
//! since they joined, unless they were removed, and each feed's quotes in turn. The exit code is 1 if a check fails.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant};

use mainspring::{Address, Broadcaster, Clock, Engine, Progress, Receiver, SendTimeoutError, Seq};

const FEEDS: usize = 4;
/// Quotes that a feed sends before it rests for a millisecond.
const BURST: u64 = 100;
/// How many quotes of a feed a subscriber can be behind.
const LANE: usize = 4096;

/// The `nth` quote of a feed: what it bids and what it asks for a symbol.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quote {
    pub(crate) feed: usize,
    pub(crate) nth: u64,
    pub(crate) symbol: u64,
    pub(crate) prices: (u64, u64),
}

/// One who publishes quotes to all subscribers.
struct Feed<'a> {
    number: usize,
    out: Broadcaster<Quote>,
    /// Subscribers that it waits for. The others are guests.
    kept: &'a [Address<Quote>],
}

impl Feed<'_> {
    /// Publishes until the time is over, and so much that one who reads nothing is in its way.
    fn run(mut self, end: Instant) -> Result<u64, SendTimeoutError<Quote>> {
        let (mut sent, mut random) = (0, self.number as u64);
        while Instant::now() < end || sent < 2 * LANE as u64 {
            for nth in sent..sent + BURST {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let (symbol, bid) = ((random >> 40) % 50, 10_000 + (random >> 50) % 8);
                let prices = (bid, bid + 6);
                self.publish(Quote { feed: self.number, nth, symbol, prices })?;
            }
            sent += BURST;
            // The market's pace, no wait for anything.
            thread::sleep(Duration::from_millis(1));
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
            // No room. A guest that is in the way is removed; the others are waited for.
            patience = match self.out.slowest() {
                Some(slowest) if !self.kept.contains(&slowest.member) => {
                    self.out.group().remove(&slowest.member);
                    Duration::ZERO
                }
                _ => Duration::from_millis(20),
            };
        }
    }
}

/// The last prices by symbol and feed.
type Book = BTreeMap<(u64, usize), (u64, u64)>;

/// Whether one feed bids more for it than another asks.
fn is_crossed(book: &Book, symbol: u64) -> bool {
    let prices = || book.range((symbol, 0)..(symbol + 1, 0)).map(|(_, prices)| prices);
    prices().map(|(bid, _)| bid).max() > prices().map(|(_, ask)| ask).min()
}

/// A subscriber's account of what it has read, checked while it reads.
#[derive(Debug, Default)]
pub(crate) struct Account {
    name: &'static str,
    joined: Seq,
    last: Seq,
    received: u64,
    missed: u64,
    /// How many messages it was behind the clock after the last batch, and at most.
    lag: (u64, u64),
    /// Numbers that did not rise, and quotes that were not the next of their feed.
    faults: u64,
    next: [Option<u64>; FEEDS],
}

impl Account {
    /// Reads until nothing comes any more, because the feeds have ended or it was removed: quotes
    /// where they lie, `batch` of them at most before each `rest`.
    fn read(
        mut self,
        mut quotes: Receiver<Quote>,
        clock: &Clock,
        (batch, rest): (usize, Duration),
        mut handle: impl FnMut(Seq, &Quote),
    ) -> Self {
        while let Ok(1..) = quotes.recv_batch_ref(batch, |seq, quote| {
            self.see(seq, quote);
            handle(seq, quote);
        }) {
            // A quote is here before the clock tells of it.
            let lag = clock.now().get().saturating_sub(self.last.get());
            self.lag = (lag, self.lag.1.max(lag));
            // How slow this subscriber is.
            thread::sleep(rest);
        }
        (self.joined, self.missed) = (quotes.joined_at().unwrap_or_default(), quotes.missed());
        self
    }

    pub(crate) fn see(&mut self, seq: Seq, quote: &Quote) {
        let expected = self.next[quote.feed].replace(quote.nth + 1);
        let is_next = expected.is_none_or(|nth| nth == quote.nth);
        self.faults += u64::from(seq <= self.last) + u64::from(!is_next);
        (self.last, self.received) = (seq, self.received + 1);
    }

    /// Everything here goes to everybody: whoever misses none has every number since it joined.
    pub(crate) fn is_in_order(&self) -> bool {
        let is_dense = self.last.get() == self.joined.get() + self.received;
        self.faults == 0 && (is_dense || self.received == 0 || self.missed > 0)
    }
}

/// Runs the market for `time`; writes how it goes, and what came of it. True if every check holds.
pub(crate) fn run(time: Duration, out: &mut dyn Write) -> Result<bool, Box<dyn Error>> {
    let engine = Engine::new();
    let quotes = engine.options::<Quote>().name("quotes").capacity(LANE).group()?;
    let [mut recorder, mut desk, mut book, chart, frozen] = [(); 5].map(|()| quotes.subscribe());
    desk.behind(&[recorder.progress()])?;
    let watched = [recorder.progress(), desk.progress(), book.progress()];
    let kept = [recorder.address(), desk.address(), book.address()];
    let feed = |number| Feed { number, out: quotes.broadcaster(), kept: &kept };
    let feeds: [Feed<'_>; FEEDS] = std::array::from_fn(feed);

    let (clock, recorded) = (&engine.clock(), &AtomicU64::new(0));
    let (mut journal, mut written) = (io::sink(), Ok(())); // a file, in earnest
    let record = |seq: Seq, quote: &Quote| {
        if written.is_ok() {
            written = writeln!(journal, "{seq} {quote:?}");
            recorded.store(seq.get(), Ordering::Release);
        }
    };
    let (mut desk_book, mut chances, mut overtaken) = (Book::new(), 0, 0);
    let act = |seq: Seq, quote: &Quote| {
        overtaken += u64::from(recorded.load(Ordering::Acquire) < seq.get());
        desk_book.insert((quote.symbol, quote.feed), quote.prices);
        chances += u64::from(is_crossed(&desk_book, quote.symbol));
    };
    let mut whole_book = Book::new();
    let consolidate = |_: Seq, quote: &Quote| {
        whole_book.insert((quote.symbol, quote.feed), quote.prices);
    };
    let (quick, slow) = ((256, Duration::ZERO), (16, Duration::from_millis(5)));
    let named = |name| Account { name, ..Account::default() };
    let began = Instant::now();
    let (published, accounts) = thread::scope(|scope| -> Result<_, Box<dyn Error>> {
        let guest = |name, quotes, pace| {
            scope.spawn(move || named(name).read(quotes, clock, pace, |_, _| {}))
        };
        let mut readers = vec![
            scope.spawn(move || named("recorder").read(recorder, clock, quick, record)),
            scope.spawn(move || named("desk").read(desk, clock, quick, act)),
            scope.spawn(move || named("book").read(book, clock, quick, consolidate)),
            guest("chart", chart, slow),
        ];
        let feeds = feeds.map(|feed| scope.spawn(move || feed.run(began + time)));
        while let Some(left) = time.checked_sub(began.elapsed()) {
            // Until the next line of the display.
            thread::sleep(left.min(time / 2).min(Duration::from_secs(1)));
            show(clock.now(), &watched, out)?;
            if readers.len() == 4 {
                readers.push(guest("late", quotes.subscribe(), quick));
            }
        }
        let published = feeds.into_iter().map(join).sum::<Result<u64, _>>()?;
        readers.push(guest("frozen", frozen, quick)); // it was removed long ago
        Ok((published, readers.into_iter().map(join).collect::<Vec<_>>()))
    })?;
    written?;
    tell(&accounts, out)?;
    writeln!(out, "\n{published} quotes, {chances} chances to trade")?;
    let now = clock.wait_for_timeout(published.into(), Duration::from_secs(10));
    let all = |kept: &Account| (kept.received, kept.missed) == (published, 0);
    let checks = [
        (now.is_ok_and(|now| now.get() == published), "there are as many numbers as quotes"),
        (accounts.iter().all(Account::is_in_order), "numbers are dense, and each feed's in turn"),
        (accounts.iter().take(3).all(all), "those who are waited for have every quote"),
        (overtaken == 0, "the desk acted on nothing that was not recorded"),
        (desk_book == whole_book, "the same numbers made the same book"),
        (accounts.last().is_some_and(|frozen| frozen.missed > 0), "who read nothing was removed"),
    ];
    for (holds, what) in checks {
        writeln!(out, "{} {what}", if holds { "    ok" } else { "FAILED" })?;
    }
    Ok(checks.iter().all(|(holds, _)| *holds))
}

/// A line while all is under way: who is how far behind.
fn show(clock: Seq, watched: &[Progress; 3], out: &mut dyn Write) -> io::Result<()> {
    let behind = |progress: &Progress| clock.get().saturating_sub(progress.now().get());
    let [recorder, desk, book] = watched.each_ref().map(behind);
    writeln!(out, "{clock:>10} quotes; behind: recorder {recorder}, desk {desk}, book {book}")
}

fn tell(accounts: &[Account], out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "\n              joined  received    missed   lag max  lag last  order")?;
    for account in accounts {
        let Account { name, joined, received, missed, lag: (last, max), .. } = account;
        let row = [joined.get(), *received, *missed, *max, *last].map(|n| format!("{n:>10}"));
        let order = if account.is_in_order() { "ok" } else { "BROKEN" };
        writeln!(out, "{name:10}{}  {order}", row.concat())?;
    }
    Ok(())
}

fn join<R>(thread: ScopedJoinHandle<'_, R>) -> R {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let seconds = match &*std::env::args().skip(1).collect::<Vec<_>>() {
        [] => 5.0,
        [option, seconds] if option == "--seconds" => seconds.parse()?,
        _ => return Err("usage: market_data [--seconds N]".into()),
    };
    let all_hold = run(Duration::try_from_secs_f64(seconds)?, &mut io::stdout())?;
    Ok(if all_hold { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
