//! From names to types: a contender and a message for a scenario that is generic over both.
//!
//! ```text
//!  Who ──▶ C: Contender ─┐
//!  Payload ─▶ T: Message ┴─▶ S::run::<C, T>
//! ```
//!
//! Who takes part in what is known when this is compiled; nothing else is.

use super::{Figure, Load, Topology};
use crate::against::channels::{Flume, Kanal, Std, Thingbuf, TokioMpsc};
use crate::against::{
    ArcSwap, Bus, ClockedDispatch, Contender, Crossbeam, Disruptor, Lock, Mainspring,
    NumberedByReceiver, RingSequencer, Rtrb, Select, Sequencer, Tokio, Watch, Who, unable,
};
use crate::failure::Failure;
use crate::message::Payload;

/// Nobody gets less than this of what there is, however slow.
const MESSAGES_MIN: u64 = 200;

pub(super) fn run<S: Topology>(
    who: Who,
    payload: Payload,
    load: &Load,
) -> Result<Vec<Figure>, Failure> {
    let messages = (load.messages / who.part()).max(load.messages.min(MESSAGES_MIN));
    let load = &Load { messages, ..*load };
    // As `name as type`: who plays it, if it takes part.
    macro_rules! play {
        ($($who:ident as $contender:ty,)*) => {
            match who {
                $(Who::$who => play::<S, $contender, { Who::$who as u8 }>(payload, load),)*
                Who::AsyncChannel => Err(unable()),
            }
        };
    }
    play! {
        Mainspring as Mainspring,
        Thread as Mainspring,
        Yield as Mainspring,
        Crossbeam as Crossbeam,
        Select as Select,
        Rtrb as Rtrb,
        Disruptor as Disruptor,
        Bus as Bus,
        Tokio as Tokio,
        TokioMpsc as TokioMpsc<false>,
        TokioMpscSpin as TokioMpsc<true>,
        Flume as Flume<false>,
        FlumeSpin as Flume<true>,
        Kanal as Kanal<false>,
        KanalSpin as Kanal<true>,
        Std as Std<false>,
        StdSpin as Std<true>,
        Thingbuf as Thingbuf<false>,
        ThingbufSpin as Thingbuf<true>,
        ClockedDispatch as ClockedDispatch,
        MutexCrossbeam as Lock<Crossbeam>,
        MutexRtrb as Lock<Rtrb>,
        SequencerCrossbeam as Sequencer<Crossbeam>,
        SequencerRtrb as RingSequencer,
        NumberedByReceiver as NumberedByReceiver,
        Watch as Watch,
        ArcSwap as ArcSwap,
    }
}

fn play<S: Topology, C: Contender, const WHO: u8>(
    payload: Payload,
    load: &Load,
) -> Result<Vec<Figure>, Failure> {
    if const { takes_part(S::WHO, WHO) } {
        match payload {
            Payload::Word => S::run::<C, u64>(load),
            Payload::Line => larger::<S, C, 8>(load),
            Payload::Page => larger::<S, C, 128>(load),
        }
    } else {
        Err(unable())
    }
}

/// With so many words, if the scenario has messages of more than one.
fn larger<S: Topology, C: Contender, const WORDS: usize>(
    load: &Load,
) -> Result<Vec<Figure>, Failure> {
    if const { S::PAYLOADS.len() > 1 } { S::run::<C, [u64; WORDS]>(load) } else { Err(unable()) }
}

const fn takes_part(all: &[Who], who: u8) -> bool {
    let mut nth = 0;
    while nth < all.len() {
        if all[nth] as u8 == who {
            return true;
        }
        nth += 1;
    }
    false
}
