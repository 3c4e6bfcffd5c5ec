//! A follower by hand, against the model of `tests/follower/model.rs`.

#![no_main]

#[path = "../../follower/model.rs"]
#[allow(dead_code, reason = "the fuzzer chooses, not a strategy")]
mod model;

use libfuzzer_sys::arbitrary::{Result, Unstructured};
use mainspring::Seq;

use model::Op;

/// No schedule is longer: a failure is to be read by somebody.
const STEPS: usize = 300;

fn seq(number: u64) -> Seq {
    Seq::new(number)
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok((roomy, start, steps)) = schedule(&mut Unstructured::new(bytes)) {
        model::replay(roomy, start, &steps);
    }
});

/// A byte or two a choice; where the bytes end, so does the schedule.
fn schedule(bytes: &mut Unstructured<'_>) -> Result<(bool, u64, Vec<Op>)> {
    let (roomy, start) = (bytes.arbitrary()?, *bytes.choose(&[0, 41])?);
    let mut steps = Vec::new();
    while !bytes.is_empty() && steps.len() < STEPS {
        steps.push(step(bytes)?);
    }
    Ok((roomy, start, steps))
}

fn step(bytes: &mut Unstructured<'_>) -> Result<Op> {
    let how = bytes.int_in_range(0..=15)?;
    Ok(match how {
        0 => Op::Receiver,
        1 => Op::Join { rx: nth(bytes)? },
        2 => Op::Clone { tx: nth(bytes)? },
        3 => Op::DropForwarder { tx: nth(bytes)? },
        4 => Op::DropReceiver { rx: nth(bytes)? },
        5 | 6 => Op::Advance { tx: nth(bytes)?, above: above(bytes)? },
        7 | 8 => Op::Receive { rx: nth(bytes)? },
        9 => Op::Drain { rx: nth(bytes)? },
        10 | 11 => Op::Pass,
        _ => Op::Forward { tx: nth(bytes)?, above: above(bytes)? },
    })
}

/// Near, mostly; far enough for what is given to be full, sometimes.
fn above(bytes: &mut Unstructured<'_>) -> Result<u64> {
    let near: u8 = bytes.arbitrary()?;
    if near < 240 { Ok(u64::from(near) % 9) } else { bytes.int_in_range(60..=400) }
}

/// Which of those that there are.
fn nth(bytes: &mut Unstructured<'_>) -> Result<usize> {
    bytes.int_in_range(0..=7)
}
