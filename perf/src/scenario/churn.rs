//! A busy pair while another thread keeps coming and going: a new sender to a third receiver, one
//! message over it, and it leaves; now and then a new receiver in place of the old one.
//!
//! The third thread takes its part of the cores, whatever it does: so there is also a setting in
//! which it only spins. What is above that is the price of the comings and goings. In both it lets
//! others run every few microseconds: on two cores the pair would otherwise be measured in slices of
//! the system's time.
//!
//! ```text
//!  S ───▶ R
//!  s ─▶ r      s ─▶ r      s ─▶ r    (come, send, go)
//! ```

use std::hint::spin_loop;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use super::{ALONE, Figure, Load, Measure, Topology, flow};
use crate::against::{Contender, Kind, Receiver, Sender};
use crate::crew::Crew;
use crate::failure::Failure;
use crate::message::{Due, Message, Payload, values};

/// So many come and go between two looks at the time, and are then received.
const VISITS: u32 = 32;
/// After so many times that there is a new receiver.
const TURNS_PER_RECEIVER: u64 = 8;
/// Room of the channels of those who come and go.
const SMALL: usize = 64;

/// Between two yields of the one that spins.
const SPINS: u32 = 1_000;

const SPINNING: usize = 1;
const CHURNING: usize = 2;

pub(crate) struct Churn;

impl Topology for Churn {
    const PAYLOADS: &'static [Payload] = &[Payload::Word];
    const SETTINGS: &'static [&'static str] = &[ALONE, "spinning", "churning"];

    fn run<C: Contender, T: Message>(load: &Load) -> Result<Vec<Figure>, Failure> {
        let contender = C::set_up(load)?;
        let (address, mut receiver) = contender.receiver::<T>(Kind::Lone)?;
        let sender = contender.sender(&address)?;
        let values = values(0, load.share(1));
        let due = Due::from::<T>(std::iter::once(values.clone()));
        let over = Arc::new(AtomicBool::new(false));
        let (visits, visit_ns) = mpsc::channel();

        let mut crew = Crew::new(if load.setting == 0 { 2 } else { 3 }, load.settle);
        flow::hire_sender(&mut crew, sender, values, load)?;
        let (is_over, batch) = (over.clone(), load.batch);
        crew.hire("receiver", move |line| {
            receiver.recv()?;
            let received = line.start(|| flow::receive(&mut receiver, due, batch));
            over.store(true, Relaxed);
            received
        })?;
        match load.setting {
            SPINNING => crew.hire("spinning", move |line| {
                line.start_beside(|| {
                    while !is_over.load(Relaxed) {
                        (0..SPINS).for_each(|_| spin_loop());
                        thread::yield_now();
                    }
                    Ok(())
                })
            })?,
            CHURNING => crew.hire("churning", move |line| {
                line.start_beside(|| {
                    let ns = churn::<C, T>(&contender, &is_over)?;
                    visits.send(ns).map_err(|_| Failure::Died)
                })
            })?,
            _ => {}
        }
        let (took, _) = crew.finish(load.patience())?;
        let visits = visit_ns.try_iter().map(|ns| Figure { measure: Measure::PerVisit, ns });
        Ok(std::iter::once(Figure::per_message(took, due.count)).chain(visits).collect())
    }
}

/// Comes and goes until it is over; says what a visit took, in nanoseconds.
fn churn<C: Contender, T: Message>(contender: &C, is_over: &AtomicBool) -> Result<f64, Failure> {
    let mut spent = Duration::ZERO;
    let mut turns = 0_u64;
    loop {
        let (address, mut receiver) = contender.receiver::<T>(Kind::Small(SMALL))?;
        // A receiver closes when its last sender has gone: one stays.
        let _stays = contender.sender(&address)?;
        for _ in 0..TURNS_PER_RECEIVER {
            let began = Instant::now();
            for _ in 0..VISITS {
                contender.sender(&address)?.send(T::of(flow::WARM_UP))?;
            }
            spent += began.elapsed();
            turns += 1;
            thread::yield_now();
            for _ in 0..VISITS {
                receiver.recv()?;
            }
            if is_over.load(Relaxed) {
                return Ok(spent.as_nanos() as f64 / (turns * u64::from(VISITS)) as f64);
            }
        }
    }
}
