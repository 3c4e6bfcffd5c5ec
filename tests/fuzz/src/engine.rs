//! The engine by hand, with its outboxes, marks, gates and notices, against the model of `tests/model.rs`.

#![no_main]

#[path = "../../model/ends.rs"]
mod ends;
#[path = "../../model/history.rs"]
mod history;
#[path = "../../model/marking.rs"]
mod marking;
#[path = "../../model/op.rs"]
#[allow(dead_code, reason = "the fuzzer chooses, not a strategy")]
mod op;
#[path = "../../model/parcel.rs"]
mod parcel;
#[path = "../../model/passing.rs"]
mod passing;
#[path = "../../model/receiving.rs"]
mod receiving;
#[path = "../../model/sending.rs"]
mod sending;
#[path = "../../model/world.rs"]
mod world;

use libfuzzer_sys::arbitrary::{Result, Unstructured};

use op::{Op, Setup};

/// No schedule is longer: a failure is to be read by somebody.
const STEPS: usize = 400;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok((setup, steps)) = schedule(&mut Unstructured::new(bytes)) {
        world::replay(setup, &steps);
    }
});

/// A byte or two a choice; where the bytes end, so does the schedule.
fn schedule(bytes: &mut Unstructured<'_>) -> Result<(Setup, Vec<Op>)> {
    let setup = Setup {
        capacity: bytes.int_in_range(1..=4)?,
        inbox: bytes.int_in_range(1..=4)?,
        callers: bytes.ratio(1, 4)?,
        start: *bytes.choose(&[0, 0, 0, 41, (1 << 63) - 1])?,
        settle: bytes.arbitrary()?,
        ending: bytes.arbitrary()?,
    };
    let mut steps = Vec::new();
    while !bytes.is_empty() && steps.len() < STEPS {
        steps.push(step(bytes)?);
    }
    Ok((setup, steps))
}

fn step(bytes: &mut Unstructured<'_>) -> Result<Op> {
    let how = bytes.int_in_range(0..=31)?;
    Ok(match how {
        0 => Op::Receiver {
            boxed: nth(bytes)? > 3,
            capacity: 1 + nth(bytes)? / 2,
            inbox: 1 + nth(bytes)? / 2,
        },
        1 => Op::Sender { rx: nth(bytes)? },
        2 => Op::Clone { tx: nth(bytes)? },
        3 => Op::Outbox,
        4 => Op::Add { out: nth(bytes)?, rx: nth(bytes)? },
        5 => Op::Remove { out: nth(bytes)?, target: nth(bytes)? },
        6 | 7 => Op::Send { tx: nth(bytes)? },
        8 | 9 => Op::TrySend { tx: nth(bytes)? },
        10 => Op::SendBatch { tx: nth(bytes)?, len: nth(bytes)? },
        11 => Op::OutSend { out: nth(bytes)?, target: nth(bytes)? },
        12 | 13 => {
            Op::OutTrySend { out: nth(bytes)?, target: nth(bytes)?, stray: nth(bytes)? == 7 }
        }
        14 => Op::OutSendBatch { out: nth(bytes)?, target: nth(bytes)?, len: nth(bytes)? },
        15 | 16 => Op::TryRecv { rx: nth(bytes)? },
        17 | 18 => Op::TryRecvEvent { rx: nth(bytes)? },
        19 => Op::TryRecvBatch { rx: nth(bytes)?, max: nth(bytes)? },
        20 => Op::CaughtUpTo { rx: nth(bytes)? },
        21 => Op::Stamped { tx: nth(bytes)? },
        22 => Op::Mark,
        23 => Op::OutMark { out: nth(bytes)? },
        24 => Op::Gate { which: nth(bytes)? * 8 + nth(bytes)? },
        25 => Op::Notify { rx: nth(bytes)? },
        26 => match nth(bytes)? {
            0 => Op::DropEngine,
            1 | 2 => Op::DropReceiver { rx: nth(bytes)? },
            3 | 4 => Op::DropSender { tx: nth(bytes)? },
            5 | 6 => Op::DropOutbox { out: nth(bytes)? },
            _ => Op::Settle,
        },
        27 => Op::Idle,
        _ => Op::Pass,
    })
}

/// Which of those that there are.
fn nth(bytes: &mut Unstructured<'_>) -> Result<usize> {
    bytes.int_in_range(0..=7)
}
