//! Those who send, each at its own pace, until the time is over. A pause here is the pace of what is played, no wait
//! for anything.

use std::time::Duration;

use mainspring::{
    Address, Broadcaster, GroupTarget, Outbox, SendError, Sender, Seq, Target, TrySendError,
};

use super::mark::{Ask, AuthorId, Bid, Mark, Order, Quote, Tick};
use super::meter::Sending;
use super::scene::Stage;

/// What `fast` sends at once, and how long it rests then.
const FAST_BATCH: u64 = 1000;
const FAST_REST: Duration = Duration::from_millis(1);
/// The rest between two turns of the others.
const REST: Duration = Duration::from_millis(2);
/// A feed's quotes in a turn: few, for the check keeps the number of each.
const FEED_BURST: usize = 10;
/// What a visitor sends, and how long nobody comes then.
const VISIT: usize = 200;
const VISIT_GAP: Duration = Duration::from_millis(100);

/// One who sends: it counts what it has sent, for the check and for the table.
pub(super) struct Author<'a> {
    stage: &'a Stage,
    meter: &'a Sending,
    id: AuthorId,
    sent: u64,
}

/// A handle with one lane.
pub(super) trait Lane<T> {
    fn try_send(&mut self, value: T) -> Result<(), TrySendError<T>>;
    fn send(&mut self, value: T) -> Result<(), SendError<T>>;
    /// What lies in it.
    fn depth(&self) -> usize;
}

/// An outbox to receivers of two types, one of them slow: it holds up the other one's messages, too.
pub(super) struct Clerk {
    pub(super) out: Outbox,
    pub(super) orders: Target<Order>,
    pub(super) slow: Target<Tick>,
}

/// An outbox to receivers of two types and to a group.
pub(super) struct Maker {
    pub(super) out: Outbox,
    pub(super) bids: Target<Bid>,
    pub(super) asks: Target<Ask>,
    pub(super) quotes: GroupTarget<Quote>,
}

impl<'a> Author<'a> {
    pub(super) fn new(stage: &'a Stage, meter: &'a Sending) -> Self {
        meter.joins();
        Self { stage, meter, id: stage.check().author(meter.name), sent: 0 }
    }

    /// For its next message.
    fn mark(&self, to_all: bool, cause: Seq) -> Mark {
        Mark { author: self.id, to_all, nth: self.sent + 1, cause }
    }

    fn note(&mut self, messages: u64) {
        self.sent += messages;
        self.meter.sent(messages);
    }

    /// Sends a message on a lane, and shows if it has to wait. False if the receiver has gone.
    pub(super) fn send<T: From<Mark>>(&mut self, lane: &mut impl Lane<T>, cause: Seq) -> bool {
        self.meter.finds(lane.depth());
        self.send_marked(lane, self.mark(false, cause))
    }

    fn send_to_all(&mut self, lane: &mut Broadcaster<Quote>) -> bool {
        self.send_marked(lane, self.mark(true, Seq::ZERO))
    }

    fn send_marked<T: From<Mark>>(&mut self, lane: &mut impl Lane<T>, mark: Mark) -> bool {
        let sent = match lane.try_send(T::from(mark)) {
            Err(TrySendError::Full(message)) => {
                self.meter.finds(lane.depth());
                self.meter.stalls();
                let sent = lane.send(message).is_ok();
                self.meter.goes_on();
                sent
            }
            sent => sent.is_ok(),
        };
        if sent {
            self.note(1);
        }
        sent
    }

    /// Sends a message by an outbox. False if it cannot.
    fn post<T: From<Mark>>(
        &mut self,
        to_all: bool,
        send: impl FnOnce(T) -> Result<(), SendError<T>>,
    ) -> bool {
        let sent = send(T::from(self.mark(to_all, Seq::ZERO))).is_ok();
        if sent {
            self.note(1);
        }
        sent
    }
}

impl Drop for Author<'_> {
    fn drop(&mut self) {
        self.stage.check().sent(self.id, self.sent);
    }
}

/// As many as the sink takes.
pub(super) fn fast(stage: &Stage, meter: &Sending, mut to_sink: Sender<Tick>) {
    let mut author = Author::new(stage, meter);
    while stage.stop.pause(FAST_REST) {
        let Mark { author: id, to_all, nth, cause } = author.mark(false, Seq::ZERO);
        let marks = (nth..nth + FAST_BATCH).map(|nth| Mark { author: id, to_all, nth, cause });
        let depth = to_sink.len();
        meter.finds(depth);
        if depth + FAST_BATCH as usize > to_sink.capacity() {
            meter.stalls();
        }
        let sent = to_sink.send_batch(marks.map(Tick));
        meter.goes_on();
        match sent {
            Ok(sent) => author.note(sent as u64),
            Err(error) => return author.note(error.sent as u64),
        }
    }
}

/// Senders that come, send, and go.
pub(super) fn visitors(stage: &Stage, meter: &Sending, orders: &Address<Order>) {
    while stage.stop.pause(VISIT_GAP) {
        // No longer there if the time was over just now.
        let Ok(mut to_orders) = stage.engine.sender(orders) else { return };
        let mut author = Author::new(stage, meter);
        for _ in 0..VISIT {
            // What it sends comes after all that the clock has shown to it.
            let cause = stage.clock.now();
            if !author.send(&mut to_orders, cause) || !stage.stop.pause(REST / 4) {
                break;
            }
        }
    }
}

/// Orders, and as much to the slow receiver, in one order.
pub(super) fn clerk(stage: &Stage, meter: &Sending, Clerk { mut out, orders, slow }: Clerk) {
    let mut author = Author::new(stage, meter);
    let mut turn = || {
        (0..4).all(|_| {
            author.post(false, |order| out.send(orders, order))
                && author.post(false, |tick| out.send(slow, tick))
        })
    };
    while stage.stop.pause(REST) && turn() {}
}

/// Knows no pause: it waits for the slow receiver all the time.
pub(super) fn eager(stage: &Stage, meter: &Sending, mut to_slow: Sender<Tick>) {
    let mut author = Author::new(stage, meter);
    while !stage.stop.is_set() && author.send(&mut to_slow, Seq::ZERO) {}
}

/// Bids and asks; now and then a quote to one member of the group, or to all.
pub(super) fn maker(stage: &Stage, meter: &Sending, maker: Maker) {
    let Maker { mut out, bids, asks, quotes } = maker;
    let mut author = Author::new(stage, meter);
    let mut turn = |nth: u64| {
        let to_book = (0..10).all(|one| match (nth + one * one) % 3 {
            0 => author.post(false, |bid| out.send(bids, bid)),
            _ => author.post(false, |ask| out.send(asks, ask)),
        });
        let to_group = match nth % 16 {
            0 => author.post(true, |quote| out.send_all(quotes, quote)),
            4 | 8 | 12 => author.post(false, |quote| out.send_keyed(quotes, &nth, quote)),
            _ => true,
        };
        to_book && to_group
    };
    let mut turns = 0..;
    while stage.stop.pause(REST) && turns.next().is_some_and(&mut turn) {}
}

/// Quotes for all members of the group.
pub(super) fn feed(stage: &Stage, meter: &Sending, mut to_all: Broadcaster<Quote>) {
    let mut author = Author::new(stage, meter);
    while stage.stop.pause(REST) {
        meter.finds(to_all.len());
        if !(0..FEED_BURST).all(|_| author.send_to_all(&mut to_all)) {
            return;
        }
    }
}

impl<T: Send + 'static> Lane<T> for Sender<T> {
    fn try_send(&mut self, value: T) -> Result<(), TrySendError<T>> {
        Self::try_send(self, value)
    }

    fn send(&mut self, value: T) -> Result<(), SendError<T>> {
        Self::send(self, value)
    }

    fn depth(&self) -> usize {
        self.len()
    }
}

impl<T: Clone + Send + Sync + 'static> Lane<T> for Broadcaster<T> {
    fn try_send(&mut self, value: T) -> Result<(), TrySendError<T>> {
        Self::try_send(self, value)
    }

    fn send(&mut self, value: T) -> Result<(), SendError<T>> {
        Self::send(self, value)
    }

    fn depth(&self) -> usize {
        self.len()
    }
}
