//! An engine, and beside it what must be true of it: one thread, no time, no choice but the steps.

use std::collections::VecDeque;

use mainspring::{AddressError, Clock, Drive, Engine, Outbox, Seq};

use crate::ends::{self, Place, ReceiverEnd, SenderEnd, Token};
use crate::history::History;
use crate::marking::Noted;
use crate::op::{Op, Setup};
use crate::parcel::Ledger;

/// The engine under test with all its ends, and the model of each.
pub(crate) struct World {
    pub(crate) setup: Setup,
    pub(crate) engine: Option<Engine>,
    pub(crate) clock: Clock,
    pub(crate) ledger: Ledger,
    pub(crate) history: History,
    /// Passes and the clock when the model last looked.
    pub(crate) passes: u64,
    pub(crate) seen: u64,
    /// All that there ever were, by their own numbers.
    pub(crate) receivers: Vec<Rx>,
    pub(crate) lanes: Vec<Lane>,
    pub(crate) senders: Vec<Tx>,
    pub(crate) outboxes: Vec<Out>,
    pub(crate) targets: Vec<Aim>,
    pub(crate) marks: Vec<Noted>,
    /// The handle of what the engine marks, and of notices: one author, in the order submitted.
    pub(crate) marker: usize,
}

/// A receiver.
pub(crate) struct Rx {
    pub(crate) place: Place,
    /// Messages that a lane to it holds.
    pub(crate) capacity: usize,
    /// None when it has gone.
    pub(crate) end: Option<Box<dyn ReceiverEnd>>,
    pub(crate) had_source: bool,
    pub(crate) closed: bool,
    pub(crate) joined_at: Option<u64>,
    /// The last number that it was told, of a message or of the clock.
    pub(crate) told: u64,
    /// It was told its last clock, or needed none: closed for ever.
    pub(crate) over: bool,
    /// Whatever comes has a higher number than this.
    pub(crate) above: u64,
    /// What comes next has this number.
    pub(crate) next: Option<u64>,
    /// Nothing was left for it, and no pass has been since.
    pub(crate) drained: bool,
    /// A pass has found room and a message: it cannot be without one.
    pub(crate) must: bool,
    /// Notices that have their numbers and were not taken: the number, and which mark it is.
    pub(crate) notices: VecDeque<(u64, usize)>,
}

/// A lane: of a sender, or of a target of an outbox.
pub(crate) struct Lane {
    pub(crate) rx: usize,
    pub(crate) capacity: usize,
    /// Ids of parcels that were sent and not received.
    pub(crate) unread: VecDeque<usize>,
    /// Its sender has gone, or it was removed.
    pub(crate) ended: bool,
    /// Ended, and the dispatcher has let go of it.
    pub(crate) finished: bool,
    /// The last that was accepted.
    pub(crate) last: Option<usize>,
    /// A value was pushed and given back: the author knows that the receiver has gone.
    pub(crate) refused: bool,
    pub(crate) of_outbox: bool,
}

/// A sender.
pub(crate) struct Tx {
    pub(crate) end: Option<Box<dyn SenderEnd>>,
    pub(crate) lane: usize,
    pub(crate) handle: usize,
}

/// An outbox.
pub(crate) struct Out {
    pub(crate) end: Option<Outbox>,
    pub(crate) handle: usize,
    /// Words written into its order ring, and those that are stamped or passed over.
    pub(crate) words: u64,
    pub(crate) stamped: u64,
    /// The words that are not, with the parcels that they stand for.
    pub(crate) pending: VecDeque<(u64, usize)>,
}

/// A target of an outbox.
#[derive(Clone, Copy)]
pub(crate) struct Aim {
    pub(crate) token: Token,
    pub(crate) out: usize,
    pub(crate) lane: usize,
    /// Its words are before this one.
    pub(crate) words_end: u64,
}

/// Carries out a schedule, then ends the engine: settled first, or as it stands.
pub(crate) fn replay(setup: Setup, ops: &[Op]) {
    let mut world = World::new(setup);
    for &op in ops {
        world.apply(op);
    }
    if setup.settle {
        world.apply(Op::Settle);
    } else {
        world.history.explain(world.now());
    }
    world.tear_down(setup.ending);
}

impl World {
    fn new(setup: Setup) -> Self {
        let drive = if setup.callers { Drive::Callers } else { Drive::manual(|| {}) };
        let engine = Engine::builder()
            .capacity(setup.capacity)
            .inbox(setup.inbox)
            .start_after(Seq::new(setup.start))
            .drive(drive)
            .build()
            .unwrap();
        let mut history = History::new(setup.start);
        Self {
            setup,
            marks: Vec::new(),
            marker: history.handle(),
            clock: engine.clock(),
            engine: Some(engine),
            ledger: Ledger::default(),
            history,
            passes: 0,
            seen: setup.start,
            receivers: Vec::new(),
            lanes: Vec::new(),
            senders: Vec::new(),
            outboxes: Vec::new(),
            targets: Vec::new(),
        }
    }

    /// A step, if there is what it needs; then everything that can be seen is compared.
    fn apply(&mut self, op: Op) {
        match op {
            Op::Receiver { boxed, capacity, inbox } => self.add_receiver(boxed, capacity, inbox),
            Op::Sender { rx } => self.add_sender(rx),
            Op::Clone { tx } => self.clone_sender(tx),
            Op::Outbox => self.add_outbox(),
            Op::Add { out, rx } => self.add_target(out, rx),
            Op::Remove { out, target } => self.remove_target(out, target),
            Op::Send { tx } => self.send(tx, true),
            Op::TrySend { tx } => self.send(tx, false),
            Op::SendBatch { tx, len } => self.send_batch(tx, len),
            Op::OutSend { out, target } => self.out_send(out, target, true, false),
            Op::OutTrySend { out, target, stray } => self.out_send(out, target, false, stray),
            Op::OutSendBatch { out, target, len } => self.out_send_batch(out, target, len),
            Op::TryRecv { rx } => self.try_recv(rx),
            Op::TryRecvEvent { rx } => self.try_recv_event(rx),
            Op::TryRecvBatch { rx, max } => self.try_recv_batch(rx, max),
            Op::CaughtUpTo { rx } => self.caught_up_to(rx),
            Op::Stamped { tx } => self.stamped(tx),
            Op::Mark => self.mark(),
            Op::OutMark { out } => self.out_mark(out),
            Op::Gate { which } => self.gate(which),
            Op::Notify { rx } => self.notify(rx),
            Op::DropReceiver { rx } => self.drop_receiver(rx),
            Op::DropSender { tx } => self.drop_sender(tx),
            Op::DropOutbox { out } => self.drop_outbox(out),
            Op::DropEngine => self.drop_engine(),
            Op::Pass => self.pass(),
            Op::Idle => self.run_until_idle(),
            Op::Settle => self.settle(),
        }
        self.sync();
        self.check();
    }

    pub(crate) fn now(&self) -> u64 {
        self.clock.now().get()
    }

    // ── joining ────────────────────────────────────────────────────────────────────────────────

    fn add_receiver(&mut self, boxed: bool, capacity: usize, inbox: usize) {
        let Some(engine) = &self.engine else { return };
        let (end, place) = ends::receiver(engine, boxed, capacity, inbox);
        self.receivers.push(Rx {
            place,
            capacity: capacity.next_power_of_two(),
            end: Some(end),
            had_source: false,
            closed: false,
            joined_at: None,
            told: 0,
            over: false,
            above: 0,
            next: None,
            drained: false,
            must: false,
            notices: VecDeque::new(),
        });
    }

    fn add_sender(&mut self, rx: usize) {
        let Some(rx) = pick(0..self.receivers.len(), rx) else { return };
        let Some(engine) = &self.engine else { return };
        let joined = self.receivers[rx].place.sender(engine);
        if let Some(end) = self.joined(rx, joined) {
            self.take_in_sender(end, rx);
        }
    }

    fn clone_sender(&mut self, tx: usize) {
        let Some(tx) = self.live_sender(tx) else { return };
        let rx = self.lanes[self.senders[tx].lane].rx;
        let end = self.senders[tx].end.as_ref().unwrap().duplicate();
        self.take_in_sender(end, rx);
    }

    fn take_in_sender(&mut self, end: Box<dyn SenderEnd>, rx: usize) {
        let lane = self.add_lane(rx, false);
        assert_eq!(end.capacity(), self.lanes[lane].capacity);
        let handle = self.history.handle();
        self.senders.push(Tx { end: Some(end), lane, handle });
    }

    fn add_lane(&mut self, rx: usize, of_outbox: bool) -> usize {
        self.receivers[rx].had_source = true;
        let capacity = self.receivers[rx].capacity;
        self.lanes.push(Lane {
            rx,
            capacity,
            unread: VecDeque::new(),
            ended: false,
            finished: false,
            last: None,
            refused: false,
            of_outbox,
        });
        self.lanes.len() - 1
    }

    fn add_outbox(&mut self) {
        let Some(engine) = &self.engine else { return };
        let end = engine.outbox();
        assert_eq!(end.capacity(), self.setup.capacity.next_power_of_two());
        let handle = self.history.handle();
        let pending = VecDeque::new();
        self.outboxes.push(Out { end: Some(end), handle, words: 0, stamped: 0, pending });
    }

    fn add_target(&mut self, out: usize, rx: usize) {
        let Some(out) = self.live_outbox(out) else { return };
        let Some(rx) = pick(0..self.receivers.len(), rx) else { return };
        let place = self.receivers[rx].place.clone();
        let joined = place.add_to(self.outboxes[out].end.as_mut().unwrap());
        let Some(token) = self.joined(rx, joined) else { return };
        let same = self.targets.iter().find(|aim| {
            let lane = &self.lanes[aim.lane];
            aim.out == out && lane.rx == rx && !lane.ended
        });
        if let Some(aim) = same {
            assert!(aim.token == token, "one receiver is one target");
            return;
        }
        assert!(self.targets.iter().all(|aim| aim.token != token), "a target's name is its own");
        let lane = self.add_lane(rx, true);
        self.targets.push(Aim { token, out, lane, words_end: 0 });
    }

    /// A receiver is joined unless it has closed or gone.
    fn joined<R>(&self, rx: usize, result: Result<R, AddressError>) -> Option<R> {
        let rx = &self.receivers[rx];
        match result {
            Ok(end) => {
                assert!(rx.end.is_some() && !rx.closed, "a receiver was joined that had closed");
                Some(end)
            }
            Err(error) => {
                assert_eq!(error, AddressError::Closed);
                assert!(rx.end.is_none() || rx.closed, "a receiver was closed with sources");
                None
            }
        }
    }

    // ── leaving ────────────────────────────────────────────────────────────────────────────────

    fn drop_receiver(&mut self, rx: usize) {
        let Some(rx) = self.live_receiver(rx) else { return };
        let now = self.now();
        drop(self.receivers[rx].end.take());
        self.receivers[rx].notices.clear();
        for lane in self.lanes.iter_mut().filter(|lane| lane.rx == rx) {
            for id in lane.unread.drain(..) {
                assert_eq!(self.ledger.drops(id), 1, "parcel {id} was not dropped by the drain");
                self.history.lost(id, now);
            }
        }
    }

    fn drop_sender(&mut self, tx: usize) {
        let Some(tx) = self.live_sender(tx) else { return };
        drop(self.senders[tx].end.take());
        self.lanes[self.senders[tx].lane].ended = true;
    }

    fn remove_target(&mut self, out: usize, target: usize) {
        let Some((out, target)) = self.live_target(out, target) else { return };
        let aim = self.targets[target];
        let removed = aim.token.remove(self.outboxes[out].end.as_mut().unwrap());
        let lane = &mut self.lanes[aim.lane];
        assert_eq!(removed, !lane.ended, "a target is removed once");
        lane.ended = true;
    }

    fn drop_outbox(&mut self, out: usize) {
        let Some(out) = self.live_outbox(out) else { return };
        drop(self.outboxes[out].end.take());
        for aim in self.targets.iter().filter(|aim| aim.out == out) {
            self.lanes[aim.lane].ended = true;
        }
    }

    fn drop_engine(&mut self) {
        // Elsewhere the model could not tell whether there was a pass.
        if !self.setup.callers {
            self.engine = None;
        }
    }

    /// Everything goes, in an order that `seed` chooses; then every parcel has been dropped once.
    fn tear_down(&mut self, mut seed: u64) {
        loop {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let which = (seed >> 40) as usize;
            match (seed >> 33) % 4 {
                0 => self.drop_receiver(which),
                1 => self.drop_sender(which),
                2 => self.drop_outbox(which),
                _ => self.engine = None,
            }
            let receivers = self.receivers.iter().all(|rx| rx.end.is_none());
            let senders = self.senders.iter().all(|tx| tx.end.is_none());
            if receivers && senders && self.outboxes.iter().all(|out| out.end.is_none()) {
                break;
            }
        }
        for id in 0..self.ledger.len() {
            assert_eq!(self.ledger.drops(id), 1, "parcel {id} was not dropped exactly once");
        }
    }

    // ── who is meant ───────────────────────────────────────────────────────────────────────────

    pub(crate) fn live_receiver(&self, nth: usize) -> Option<usize> {
        pick((0..self.receivers.len()).filter(|&rx| self.receivers[rx].end.is_some()), nth)
    }

    pub(crate) fn live_sender(&self, nth: usize) -> Option<usize> {
        pick((0..self.senders.len()).filter(|&tx| self.senders[tx].end.is_some()), nth)
    }

    pub(crate) fn live_outbox(&self, nth: usize) -> Option<usize> {
        pick((0..self.outboxes.len()).filter(|&out| self.outboxes[out].end.is_some()), nth)
    }

    /// An outbox and a target that it has or had.
    pub(crate) fn live_target(&self, out: usize, nth: usize) -> Option<(usize, usize)> {
        let out = self.live_outbox(out)?;
        let target =
            pick((0..self.targets.len()).filter(|&target| self.targets[target].out == out), nth)?;
        Some((out, target))
    }
}

pub(crate) fn pick(choices: impl Iterator<Item = usize> + Clone, nth: usize) -> Option<usize> {
    let len = choices.clone().count();
    let nth = nth.checked_rem(len)?;
    choices.into_iter().nth(nth)
}
