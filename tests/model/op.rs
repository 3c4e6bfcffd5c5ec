//! What can happen: one step of a schedule, and schedules at random.
//!
//! A step names its ends by a number that is taken modulo how many there are, so that every list of
//! steps is a schedule, also one from which steps were taken away.

use proptest::collection::vec;
use proptest::prelude::*;

/// How an engine of the model is made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup {
    /// Slots of a lane, and of an outbox.
    pub(crate) capacity: usize,
    /// Entries of an inbox.
    pub(crate) inbox: usize,
    /// `Drive::Callers`; otherwise passes are made by the schedule alone.
    pub(crate) callers: bool,
    /// The number before the first.
    pub(crate) start: u64,
    /// Everything is received before the end.
    pub(crate) settle: bool,
    /// Chooses the order in which everything goes.
    pub(crate) ending: u64,
}

/// One step. `tx`, `rx`, `out` and `target` choose among the ends that there are.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Op {
    Receiver {
        boxed: bool,
        capacity: usize,
        inbox: usize,
    },
    /// By address: also to receivers that have closed or gone.
    Sender {
        rx: usize,
    },
    Clone {
        tx: usize,
    },
    Outbox,
    Add {
        out: usize,
        rx: usize,
    },
    Remove {
        out: usize,
        target: usize,
    },
    Send {
        tx: usize,
    },
    TrySend {
        tx: usize,
    },
    SendBatch {
        tx: usize,
        len: usize,
    },
    OutSend {
        out: usize,
        target: usize,
    },
    /// A stray target may be another outbox's.
    OutTrySend {
        out: usize,
        target: usize,
        stray: bool,
    },
    OutSendBatch {
        out: usize,
        target: usize,
        len: usize,
    },
    TryRecv {
        rx: usize,
    },
    TryRecvEvent {
        rx: usize,
    },
    TryRecvBatch {
        rx: usize,
        max: usize,
    },
    CaughtUpTo {
        rx: usize,
    },
    Stamped {
        tx: usize,
    },
    /// A mark by the engine.
    Mark,
    /// A mark in the order of an outbox.
    OutMark {
        out: usize,
    },
    /// A mark that waits for the end of some authors: of those that there are, by the bits.
    Gate {
        which: usize,
    },
    /// A notice, also to receivers that have closed or gone.
    Notify {
        rx: usize,
    },
    DropReceiver {
        rx: usize,
    },
    DropSender {
        tx: usize,
    },
    DropOutbox {
        out: usize,
    },
    /// No pass by hand is possible any more, and nobody new can join but by a clone.
    DropEngine,
    Pass,
    Idle,
    /// Everything is received; what must then be true is checked.
    Settle,
}

/// A schedule and the engine that it is for.
pub(crate) fn schedule() -> impl Strategy<Value = (Setup, Vec<Op>)> {
    (setup(), vec(op(), 1..250))
}

fn setup() -> impl Strategy<Value = Setup> {
    let start = prop_oneof![4 => Just(0), 1 => Just(41), 1 => Just((1 << 63) - 1)];
    let callers = proptest::bool::weighted(0.25);
    let sizes = (1..=4_usize, 1..=4_usize);
    (sizes, callers, start, any::<bool>(), any::<u64>()).prop_map(
        |((capacity, inbox), callers, start, settle, ending)| Setup {
            capacity,
            inbox,
            callers,
            start,
            settle,
            ending,
        },
    )
}

fn op() -> impl Strategy<Value = Op> {
    let which = 0..8_usize;
    let len = 0..6_usize;
    prop_oneof![
        3 => joining(),
        2 => leaving(),
        5 => (which.clone(), 0..3_usize, len.clone()).prop_map(|(tx, how, len)| match how {
            0 => Op::Send { tx },
            1 => Op::TrySend { tx },
            _ => Op::SendBatch { tx, len },
        }),
        6 => (which.clone(), which.clone(), 0..4_usize, len, proptest::bool::weighted(0.1))
            .prop_map(|(out, target, how, len, stray)| match how {
                0 => Op::OutSend { out, target },
                1 => Op::OutSendBatch { out, target, len },
                _ => Op::OutTrySend { out, target, stray },
            }),
        6 => (which.clone(), 0..4_usize, 0..5_usize).prop_map(|(rx, how, max)| match how {
            0 => Op::TryRecv { rx },
            1 => Op::TryRecvEvent { rx },
            2 => Op::TryRecvBatch { rx, max },
            _ => Op::CaughtUpTo { rx },
        }),
        1 => which.clone().prop_map(|tx| Op::Stamped { tx }),
        2 => (0..5_usize, which, 0..64_usize).prop_map(|(how, nth, bits)| match how {
            0 => Op::Mark,
            1 => Op::OutMark { out: nth },
            2 => Op::Gate { which: bits },
            _ => Op::Notify { rx: nth },
        }),
        5 => prop_oneof![9 => Just(Op::Pass), 3 => Just(Op::Idle), 1 => Just(Op::Settle)],
    ]
}

fn joining() -> impl Strategy<Value = Op> {
    let which = 0..8_usize;
    prop_oneof![
        2 => (any::<bool>(), 1..=4_usize, 1..=4_usize)
            .prop_map(|(boxed, capacity, inbox)| Op::Receiver { boxed, capacity, inbox }),
        8 => which.clone().prop_map(|rx| Op::Sender { rx }),
        4 => which.clone().prop_map(|tx| Op::Clone { tx }),
        2 => Just(Op::Outbox),
        6 => (which.clone(), which).prop_map(|(out, rx)| Op::Add { out, rx }),
    ]
}

fn leaving() -> impl Strategy<Value = Op> {
    let which = 0..8_usize;
    prop_oneof![
        3 => which.clone().prop_map(|rx| Op::DropReceiver { rx }),
        8 => which.clone().prop_map(|tx| Op::DropSender { tx }),
        6 => which.clone().prop_map(|out| Op::DropOutbox { out }),
        6 => (which.clone(), which).prop_map(|(out, target)| Op::Remove { out, target }),
        1 => Just(Op::DropEngine),
    ]
}
