//! A number of the order without a message: ours are marks; the peer locks, counts and unlocks. Alone,
//! and beside an author and its receiver, whose messages get numbers of the same order: the peer's
//! author takes the same lock.
//!
//! ```text
//!  M ── 1 2   4 .. ──┐
//!                    order
//!  A ────── 3 ── 5 ──┴──▶ R
//! ```

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::bystanders::Bystanders;
use super::{ALONE, Figure, Load, Measure, Topology, flow};
use crate::against::{Contender, OrderedReceiver, Sender, Who};
use crate::crew::Crew;
use crate::failure::Failure;
use crate::message::{Message, Payload};

pub(crate) struct Marks;

impl Topology for Marks {
    const WHO: &'static [Who] = &[Who::Mainspring, Who::Thread, Who::MutexCrossbeam];
    const PAYLOADS: &'static [Payload] = &[Payload::Word];
    const BATCHES: &'static [usize] = &[1];
    const SETTINGS: &'static [&'static str] = &[ALONE, "beside a pair"];

    fn run<C: Contender, T: Message>(load: &Load) -> Result<Vec<Figure>, Failure> {
        let contender = C::set_up(load)?;
        let (mut sender, mut receiver, mut mark) = contender.marks::<T>()?;
        let is_over = Arc::new(AtomicBool::new(false));
        let mut pair = Bystanders::new();
        if load.setting == 1 {
            let is_over = is_over.clone();
            pair.hire("author", move || {
                // Relaxed: nothing but this word.
                while !is_over.load(Relaxed) && sender.send(T::of(flow::WARM_UP)).is_ok() {}
            })?;
            pair.hire("receiver", move || {
                let mut last = 0;
                while let Ok((number, _)) = receiver.recv() {
                    assert!(number > last, "{number} after {last}");
                    last = number;
                }
            })?;
            pair.come_to_rest();
        }
        let marks = load.share(1);
        let mut crew = Crew::new(1, load.settle);
        crew.hire("marker", move |line| {
            let mut last = mark()?;
            line.start(|| {
                let first = last;
                let mut wrong = 0;
                for _ in 0..marks {
                    let next = mark()?;
                    wrong += u64::from(next <= last);
                    last = next;
                }
                match wrong {
                    0 => Ok((first, last)),
                    _ => Err(Failure::Wrong { what: "order of marks", sent: 0, received: wrong }),
                }
            })
        })?;
        let finished = crew.finish(load.patience());
        // Relaxed: as above.
        is_over.store(true, Relaxed);
        pair.dismiss(load.patience())?;
        let (took, found) = finished?;
        for (first, last) in found {
            let taken = last - first;
            if load.setting == 0 && taken != marks {
                let what = "number of numbers";
                return Err(Failure::Wrong { what, sent: marks, received: taken });
            }
        }
        Ok(vec![Figure::per(Measure::PerMark, took, marks)])
    }
}
