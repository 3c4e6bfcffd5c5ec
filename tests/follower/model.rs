//! Every schedule of a follower against a simple model: random ones, by hand, on one thread.
//!
//! The model knows what each forwarder has forwarded and how far it has come, and what each receiver has had. From
//! that it predicts the result of each call, how far a pass may settle, and, where inboxes have room, what is told.
//! Where they have not, it demands order at each moment and completeness in the end.

use std::collections::{BTreeMap, BTreeSet};

use mainspring::{
    Drive, Event, Follower, ForwardReason, Forwarder, Receiver, TryForwardError, TryRecvError,
};
use proptest::prelude::*;

use super::seq;

const CAPACITY: usize = 4;

/// One step of a schedule. Ends are named modulo how many there are.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Op {
    Receiver,
    Join {
        rx: usize,
    },
    Clone {
        tx: usize,
    },
    /// With a number so far above the lowest that a forwarder has come to.
    Forward {
        tx: usize,
        above: u64,
    },
    Advance {
        tx: usize,
        above: u64,
    },
    DropForwarder {
        tx: usize,
    },
    DropReceiver {
        rx: usize,
    },
    Pass,
    Receive {
        rx: usize,
    },
    Drain {
        rx: usize,
    },
}

/// Whether inboxes have room, the number before the first, and the steps.
pub(crate) fn schedule() -> impl Strategy<Value = (bool, u64, Vec<Op>)> {
    let start = prop_oneof![Just(0_u64), Just(41)];
    (any::<bool>(), start, prop::collection::vec(op(), 1..120))
}

fn op() -> impl Strategy<Value = Op> {
    let (tx, rx) = (0..8_usize, 0..4_usize);
    let above = prop_oneof![8 => 0..9_u64, 1 => 60..70_u64, 1 => 100..400_u64];
    prop_oneof![
        1 => Just(Op::Receiver),
        2 => rx.clone().prop_map(|rx| Op::Join { rx }),
        1 => tx.clone().prop_map(|tx| Op::Clone { tx }),
        20 => (tx.clone(), above.clone()).prop_map(|(tx, above)| Op::Forward { tx, above }),
        6 => (tx.clone(), above).prop_map(|(tx, above)| Op::Advance { tx, above }),
        2 => tx.prop_map(|tx| Op::DropForwarder { tx }),
        1 => rx.clone().prop_map(|rx| Op::DropReceiver { rx }),
        8 => Just(Op::Pass),
        6 => rx.clone().prop_map(|rx| Op::Receive { rx }),
        4 => rx.prop_map(|rx| Op::Drain { rx }),
    ]
}

/// A forwarder, and what the model knows of it.
struct From {
    forwarder: Option<Forwarder<u64>>,
    to: usize,
    passed: u64,
    has_spoken: bool,
    /// Messages that were not received.
    depth: usize,
}

/// A receiver, and what the model knows of it.
struct To {
    receiver: Option<Receiver<u64>>,
    /// What was forwarded and not received: by number, from whom.
    due: BTreeMap<u64, usize>,
    /// Its last number.
    told: u64,
    open: bool,
    /// The numbers that were ever forwarded to it.
    had: BTreeSet<u64>,
}

struct World {
    follower: Follower,
    from: Vec<From>,
    to: Vec<To>,
    /// Inboxes never fill.
    roomy: bool,
    promised: u64,
    highest: u64,
}

impl World {
    fn new(roomy: bool, start: u64) -> Self {
        let follower = Follower::builder()
            .capacity(CAPACITY)
            .inbox(if roomy { 1024 } else { 1 })
            .start_after(seq(start))
            .drive(Drive::manual(|| {}))
            .build()
            .unwrap();
        let (from, to) = (Vec::new(), Vec::new());
        let mut world = Self { follower, from, to, roomy, promised: start, highest: start };
        for _ in 0..2 {
            world.apply(Op::Receiver);
        }
        world
    }

    fn now(&self) -> u64 {
        self.follower.clock().now().get()
    }

    fn apply(&mut self, op: Op) {
        match op {
            Op::Receiver if self.to.len() < 4 => {
                let (forwarder, receiver) = self.follower.channel();
                let (due, had) = (BTreeMap::new(), BTreeSet::new());
                let receiver = Some(receiver);
                self.to.push(To { receiver, due, told: 0, open: true, had });
                self.joined(forwarder, self.to.len() - 1);
            }
            Op::Receiver => {}
            Op::Join { rx } => self.join(rx % self.to.len()),
            Op::Clone { tx } => {
                let from = &self.from[tx % self.from.len()];
                if let Some(forwarder) = &from.forwarder
                    && self.to[from.to].receiver.is_some()
                {
                    let (clone, to) = (forwarder.clone(), from.to);
                    self.joined(clone, to);
                }
            }
            Op::Forward { tx, above } => self.forward(tx % self.from.len(), above),
            Op::Advance { tx, above } => self.advance(tx % self.from.len(), above),
            Op::DropForwarder { tx } => {
                let tx = tx % self.from.len();
                self.from[tx].forwarder = None;
            }
            Op::DropReceiver { rx } => {
                let rx = rx % self.to.len();
                self.to[rx].receiver = None;
            }
            Op::Pass => self.pass(),
            Op::Receive { rx } => {
                self.receive(rx % self.to.len());
            }
            Op::Drain { rx } => self.drain(rx % self.to.len()),
        }
    }

    fn join(&mut self, to: usize) {
        let Some(receiver) = &self.to[to].receiver else { return };
        let (address, closed) = (receiver.address(), receiver.is_closed());
        match self.follower.forwarder(&address) {
            Ok(forwarder) => self.joined(forwarder, to),
            Err(_) => assert!(closed, "refused by an open receiver"),
        }
    }

    fn joined(&mut self, forwarder: Forwarder<u64>, to: usize) {
        assert_eq!(forwarder.passed().get(), self.promised, "joins at what is promised");
        let (passed, forwarder) = (self.promised, Some(forwarder));
        self.from.push(From { forwarder, to, passed, has_spoken: false, depth: 0 });
    }

    /// A number near the lowest that anyone has come to.
    fn number(&self, above: u64) -> u64 {
        let live = self.from.iter().filter(|from| from.forwarder.is_some());
        live.map(|from| from.passed).min().unwrap_or(0) + above
    }

    fn forward(&mut self, tx: usize, above: u64) {
        let number = self.number(above);
        let from = &mut self.from[tx];
        let to = &mut self.to[from.to];
        let Some(forwarder) = &mut from.forwarder else { return };
        let passed = seq(from.passed);
        let result = forwarder.try_forward(seq(number), number);
        let expected = if to.receiver.is_none() {
            Err(Some(ForwardReason::Closed))
        } else if number <= from.passed {
            Err(Some(match from.has_spoken {
                true => ForwardReason::Falling { last: passed },
                false => ForwardReason::Late { settled: passed },
            }))
        } else if to.had.contains(&number) {
            Err(Some(ForwardReason::Duplicate))
        } else if from.depth == CAPACITY {
            Err(None)
        } else {
            Ok(())
        };
        match (result, expected) {
            (Ok(()), Ok(())) => {
                (from.passed, from.has_spoken) = (number, true);
                from.depth += 1;
                to.due.insert(number, tx);
                to.had.insert(number);
            }
            (Err(TryForwardError::Full(value)), Err(None)) => assert_eq!(value, number),
            (Err(TryForwardError::Refused(error)), Err(Some(reason))) => {
                assert_eq!((error.seq, error.value, error.reason), (seq(number), number, reason));
            }
            (result, expected) => panic!("{number}: {result:?}, expected {expected:?}"),
        }
        assert_eq!(forwarder.passed().get(), from.passed);
    }

    fn advance(&mut self, tx: usize, above: u64) {
        let number = self.number(above);
        let from = &mut self.from[tx];
        let Some(forwarder) = &mut from.forwarder else { return };
        let result = forwarder.advance(seq(number));
        assert_eq!(result.is_ok(), self.to[from.to].receiver.is_some());
        if result.is_ok() && number > from.passed {
            (from.passed, from.has_spoken) = (number, true);
        }
    }

    /// How far a pass settles: as far as all have come who still can forward.
    fn pass(&mut self) {
        let before = self.now();
        self.follower.run_until_idle();
        let received = |from: &&From| self.to[from.to].receiver.is_some();
        let passed = |from: &From| from.passed;
        let highest = self.from.iter().filter(received).map(passed).max().unwrap_or(0);
        self.highest = self.highest.max(highest);
        let live = self.from.iter().filter(received).filter(|from| from.forwarder.is_some());
        self.promised = live.map(passed).min().unwrap_or(self.highest);
        let now = self.now();
        assert!(before <= now && now <= self.promised, "{before}, {now}, {}", self.promised);
        if self.roomy {
            assert_eq!(now, self.promised);
        }
    }

    /// False if there was nothing.
    fn receive(&mut self, rx: usize) -> bool {
        let now = self.now();
        let to = &mut self.to[rx];
        let Some(receiver) = &mut to.receiver else { return false };
        let next = to.due.first_key_value().map(|(&number, &from)| (number, from));
        match receiver.try_recv_event() {
            Ok(Event::Message(seq, value)) => {
                let (number, from) = next.expect("a message that was forwarded");
                assert_eq!((seq.get(), value), (number, number), "the lowest that is due");
                assert!(number <= self.promised && number > to.told);
                to.told = number;
                to.due.pop_first();
                self.from[from].depth -= 1;
                true
            }
            Ok(Event::Clock(seq)) => {
                let seq = seq.get();
                assert!(seq == now && seq > to.told, "clock {seq} after {}", to.told);
                assert!(next.is_none_or(|(number, _)| number > seq), "{next:?} is due at {seq}");
                to.told = seq;
                true
            }
            Ok(event) => panic!("what is {event:?}"),
            Err(error) => {
                assert!(next.is_none_or(|(number, _)| number > now), "{next:?} is due at {now}");
                if error == TryRecvError::Closed {
                    assert!(next.is_none(), "{next:?} is lost");
                    to.open = false;
                }
                false
            }
        }
    }

    fn drain(&mut self, rx: usize) {
        while self.receive(rx) {}
    }

    /// All forwarders go: everything comes, and then the end.
    fn end(mut self) {
        for from in &mut self.from {
            from.forwarder = None;
        }
        loop {
            self.pass();
            let left = |to: &To| to.receiver.is_some() && to.open;
            if !self.to.iter().any(left) {
                break;
            }
            for rx in 0..self.to.len() {
                self.drain(rx);
            }
        }
        assert_eq!(self.now(), self.highest);
    }
}

/// Carries out a schedule, and ends it.
pub(crate) fn replay(roomy: bool, start: u64, ops: &[Op]) {
    let mut world = World::new(roomy, start);
    ops.iter().for_each(|&op| world.apply(op));
    world.end();
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: std::env::var("MAINSPRING_CASES").map_or(600, |cases| cases.parse().unwrap()),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// Goal: the rules of forwarding, exactly. Method: see above.
    #[test]
    fn every_schedule_keeps_the_order((roomy, start, ops) in schedule()) {
        replay(roomy, start, &ops);
    }
}
