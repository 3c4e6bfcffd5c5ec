//! The scene: who sends to whom, and who comes and goes. One engine, one thread for each of them.
//!
//! ```text
//!  fast ─────────────────────────▶ sink
//!  visitors (come and go) ───────▶ orders ── relay ─▶ audit ◀── watch (is told the clock)
//!  clerk (outbox) ──────────────▶ orders, slow
//!  eager ────────────────────────▶ slow (sleeps after each few)
//!  maker (outbox) ──────────────▶ bids, asks (merged by number), quotes (all, or one by key)
//!  feed 1, feed 2 ──broadcast────▶ quotes 1, quotes 2, guest (joins and leaves)
//! ```
//!
//! *The end.* Those who send hear that the time is over and drop their handles; whoever receives reads what is left
//! until it closes, and only then drops what it sends with itself. So everything that was sent is received, and the
//! check needs no excuse.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, Scope};
use std::time::Duration;

use mainspring::{Address, Clock, Engine, Group, Merge, Outbox, Receiver, Sender};

use super::check::{Check, Kind};
use super::error::Error;
use super::mark::{Ask, Bid, Mark, Note, Order, Quote, Tick};
use super::meter::{Receiving, Sending, Way};
use super::readers::{self, Reader};
use super::senders;
use super::stop::{Alarm, Stop};

/// Messages that a lane to the sink holds.
const SINK_LANE: usize = 4096;
/// Messages that a lane to the slow receiver holds, and what it takes before it sleeps.
const SLOW_LANE: usize = 64;
const SLOW_BATCH: usize = 32;
const SLOW_REST: Duration = Duration::from_millis(20);
/// The others take as much at once.
const BATCH: usize = 256;

/// What all threads see.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) engine: Engine,
    pub(super) clock: Clock,
    pub(super) stop: Stop,
    pub(super) cast: Cast,
    check: Mutex<Check>,
}

/// Everybody, as they appear in the table.
#[derive(Debug)]
pub(super) struct Cast {
    pub(super) fast: Sending,
    pub(super) visitors: Sending,
    pub(super) clerk: Sending,
    pub(super) eager: Sending,
    pub(super) maker: Sending,
    pub(super) feeds: [Sending; 2],
    pub(super) relay: Sending,
    pub(super) watch: Sending,
    pub(super) readers: Readers,
}

#[derive(Debug)]
pub(super) struct Readers {
    pub(super) sink: Receiving,
    pub(super) orders: Receiving,
    pub(super) slow: Receiving,
    pub(super) bids: Receiving,
    pub(super) asks: Receiving,
    pub(super) quotes: [Receiving; 2],
    pub(super) guest: Receiving,
    pub(super) audit: Receiving,
    pub(super) watch: Receiving,
}

/// Keeps the receiver open that nobody sends to. Whoever ends the time drops it.
#[derive(Debug)]
pub(super) struct Keeper(
    #[expect(dead_code, reason = "held, never used: a source that never speaks")] Sender<Note>,
);

impl Stage {
    pub(super) fn new() -> Self {
        let engine = Engine::new();
        let (clock, stop) = (engine.clock(), Stop::default());
        Self { engine, clock, stop, cast: Cast::new(), check: Mutex::default() }
    }

    /// Poisoned only by a panic that is told otherwise.
    pub(super) fn check(&self) -> MutexGuard<'_, Check> {
        self.check.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn into_check(self) -> Check {
        self.check.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes all ends and starts all threads. What cannot start ends those that have.
    pub(super) fn raise<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
    ) -> Result<Keeper, Error> {
        let raised = self.try_raise(scope);
        if raised.is_err() {
            self.stop.set();
        }
        raised
    }

    fn try_raise<'scope>(&'scope self, scope: &'scope Scope<'scope, '_>) -> Result<Keeper, Error> {
        let Cast { fast, visitors, clerk, eager, maker, feeds, relay, watch, readers } = &self.cast;
        let start = |name: &str, work: Box<dyn FnOnce() + Send + 'scope>| {
            let work = move || {
                let _alarm = Alarm(&self.stop);
                work();
            };
            let started = thread::Builder::new().name(name.to_owned()).spawn_scoped(scope, work);
            let failed = |source| Error::System { what: "starting a thread", source };
            started.map(drop).map_err(failed)
        };

        let (to_sink, sink) = self.channel(&readers.sink, SINK_LANE)?;
        let orders = self.receiver(&readers.orders, 1024)?;
        let (to_slow, slow) = self.channel(&readers.slow, SLOW_LANE)?;
        let bids = self.receiver(&readers.bids, 1024)?;
        let asks = self.receiver(&readers.asks, 1024)?;
        let group = self.group()?;
        let quotes: [Receiver<Quote>; 2] = readers.quotes.each_ref().map(|meter| {
            let mut receiver = group.subscribe();
            meter.joins(receiver.progress());
            receiver
        });
        let (to_audit, audit) = self.channel(&readers.audit, 1024)?;
        let to_audit_too = self.engine.sender(&audit.address()).map_err(Error::engine)?;
        let (keeper, watched) = self.channel(&readers.watch, 16)?;
        let clerk_box = self.clerk(&orders.address(), &slow.address())?;
        let maker_box = self.maker(&bids.address(), &asks.address(), &group)?;
        let [feed, other_feed] = [group.broadcaster(), group.broadcaster()];
        let order_desk = orders.address();

        start("sink", {
            let reader = Reader::new(self, "sink", Kind::Alone, sink, 1024);
            Box::new(move || reader.run(Duration::ZERO))
        })?;
        start("orders", {
            let reader = Reader::new(self, "orders", Kind::Alone, orders, BATCH);
            Box::new(move || readers::relay(reader, relay, to_audit))
        })?;
        start("slow", {
            let reader = Reader::new(self, "slow", Kind::Alone, slow, SLOW_BATCH);
            Box::new(move || reader.run(SLOW_REST))
        })?;
        start("book", {
            let book = bids.map(Mark::from).merge(asks.map(Mark::from));
            let book: Merge<Mark> = book.map_err(Error::engine)?;
            let reader = Reader::new(self, "bids and asks", Kind::Alone, book, BATCH);
            Box::new(move || reader.run(Duration::from_millis(1)))
        })?;
        let [first, second] = quotes;
        start("quotes 1", {
            let reader = Reader::new(self, "quotes 1", Kind::Keeper, first, BATCH);
            Box::new(move || reader.run(Duration::ZERO))
        })?;
        start("quotes 2", {
            let reader = Reader::new(self, "quotes 2", Kind::Member, second, BATCH);
            Box::new(move || readers::member(reader, Duration::from_millis(5)))
        })?;
        start("guest", {
            let group = group.clone();
            Box::new(move || readers::guests(self, &group, &readers.guest))
        })?;
        start("audit", {
            let reader = Reader::new(self, "audit", Kind::Alone, audit, BATCH);
            Box::new(move || reader.run(Duration::ZERO))
        })?;
        start("watch", {
            let reader = Reader::new(self, "watch", Kind::Alone, watched, BATCH);
            Box::new(move || readers::watch(reader, watch, to_audit_too))
        })?;
        start("fast", Box::new(move || senders::fast(self, fast, to_sink)))?;
        start("visitors", Box::new(move || senders::visitors(self, visitors, &order_desk)))?;
        start("clerk", Box::new(move || senders::clerk(self, clerk, clerk_box)))?;
        start("eager", Box::new(move || senders::eager(self, eager, to_slow)))?;
        start("maker", Box::new(move || senders::maker(self, maker, maker_box)))?;
        let [meter, other_meter] = feeds;
        start("feed 1", Box::new(move || senders::feed(self, meter, feed)))?;
        start("feed 2", Box::new(move || senders::feed(self, other_meter, other_feed)))?;
        Ok(Keeper(keeper))
    }

    fn receiver<T: Send + 'static>(
        &self,
        meter: &Receiving,
        lane: usize,
    ) -> Result<Receiver<T>, Error> {
        let options = self.engine.options::<T>().name(meter.name).capacity(lane);
        let mut receiver = options.receiver().map_err(Error::engine)?;
        meter.joins(receiver.progress());
        Ok(receiver)
    }

    fn channel<T: Send + 'static>(
        &self,
        meter: &Receiving,
        lane: usize,
    ) -> Result<(Sender<T>, Receiver<T>), Error> {
        let receiver = self.receiver(meter, lane)?;
        let sender = self.engine.sender(&receiver.address()).map_err(Error::engine)?;
        Ok((sender, receiver))
    }

    fn group(&self) -> Result<Group<Quote>, Error> {
        self.engine.options().name("quotes").group().map_err(Error::engine)
    }

    fn clerk(
        &self,
        orders: &Address<Order>,
        slow: &Address<Tick>,
    ) -> Result<senders::Clerk, Error> {
        let mut out = self.engine.outbox();
        let orders = out.add(orders).map_err(Error::engine)?;
        let slow = out.add(slow).map_err(Error::engine)?;
        Ok(senders::Clerk { out, orders, slow })
    }

    fn maker(
        &self,
        bids: &Address<Bid>,
        asks: &Address<Ask>,
        quotes: &Group<Quote>,
    ) -> Result<senders::Maker, Error> {
        let mut out: Outbox = self.engine.outbox();
        let bids = out.add(bids).map_err(Error::engine)?;
        let asks = out.add(asks).map_err(Error::engine)?;
        let quotes = out.add_group(quotes).map_err(Error::engine)?;
        Ok(senders::Maker { out, bids, asks, quotes })
    }
}

impl Cast {
    fn new() -> Self {
        let known_as = |name| Receiving::new(name, (name, 0));
        Self {
            fast: Sending::new("fast", "sink", Way::Sender),
            visitors: Sending::new("visitors", "orders", Way::Sender),
            clerk: Sending::new("clerk", "orders slow", Way::Outbox(0)),
            eager: Sending::new("eager", "slow", Way::Sender),
            maker: Sending::new("maker", "bids asks quotes", Way::Outbox(1)),
            feeds: ["feed 1", "feed 2"].map(|name| Sending::new(name, "quotes", Way::Broadcaster)),
            relay: Sending::new("relay", "audit", Way::Sender),
            watch: Sending::new("watch", "audit", Way::Sender),
            readers: Readers {
                sink: known_as("sink"),
                orders: known_as("orders"),
                slow: known_as("slow"),
                bids: known_as("bids"),
                asks: known_as("asks"),
                quotes: [
                    Receiving::new("quotes 1", ("quotes", 0)),
                    Receiving::new("quotes 2", ("quotes", 1)),
                ],
                guest: Receiving::new("guest", ("quotes", 2)),
                audit: known_as("audit"),
                watch: known_as("watch"),
            },
        }
    }

    pub(super) fn senders(&self) -> [&Sending; 9] {
        let Self { fast, visitors, clerk, eager, maker, feeds: [first, second], .. } = self;
        [fast, visitors, clerk, eager, maker, first, second, &self.relay, &self.watch]
    }

    pub(super) fn receivers(&self) -> [&Receiving; 10] {
        let Readers { sink, orders, slow, bids, asks, quotes: [first, second], .. } = &self.readers;
        let Readers { guest, audit, watch, .. } = &self.readers;
        [sink, orders, slow, bids, asks, first, second, guest, audit, watch]
    }
}
