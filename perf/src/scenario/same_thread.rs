//! One thread sends and receives in turn: what the work itself costs, with no line moving from core to
//! core and nobody to wait for. A turn is a message, or thirty-two at once; in a *burst* it is 64, one by
//! one or thirty-two at once.
//!
//! ```text
//!  S ───▶ R      (one thread)
//! ```

use std::ops::Range;
use std::time::Duration;

use super::{Figure, Load, Topology, flow};
use crate::against::{Contender, Kind, Receiver, Sender, Who};
use crate::crew::Crew;
use crate::failure::Failure;
use crate::message::{Due, Message, values};

/// So many are sent before they are received; the batch, if that is larger.
pub(crate) struct SameThread<const BURST: usize>;

impl<const BURST: usize> Topology for SameThread<BURST> {
    const WHO: &'static [Who] = &Who::PAIRS;

    fn run<C: Contender, T: Message>(load: &Load) -> Result<Vec<Figure>, Failure> {
        run::<C, T>(BURST.max(load.batch), load)
    }
}

/// So many in each turn.
fn run<C: Contender, T: Message>(burst: usize, load: &Load) -> Result<Vec<Figure>, Failure> {
    let contender = C::set_up(load)?;
    let (address, mut receiver) = contender.receiver::<T>(Kind::Lone)?;
    let mut sender = contender.sender(&address)?;
    let values = values(0, load.share(1));
    let due = Due::from::<T>(std::iter::once(values.clone()));
    let batch = load.batch;

    let mut crew = Crew::new(1, Duration::ZERO);
    crew.hire("both", move |line| {
        sender.send(T::of(flow::WARM_UP))?;
        receiver.recv()?;
        line.start(|| {
            let mut sum = 0_u64;
            for values in flow::batches(values, burst) {
                sum = sum.wrapping_add(turn(&mut sender, &mut receiver, values, batch)?);
            }
            due.check(sum)
        })
    })?;
    let (took, _) = crew.finish(load.patience())?;
    Ok(vec![Figure::per_message(took, due.count)])
}

#[inline]
fn turn<T: Message>(
    sender: &mut impl Sender<T>,
    receiver: &mut impl Receiver<T>,
    values: Range<u64>,
    batch: usize,
) -> Result<u64, Failure> {
    if batch == 1 && values.end - values.start == 1 {
        sender.send(T::of(values.start))?;
        return Ok(receiver.recv()?.weight());
    }
    let mut left = Due { count: values.end - values.start, sum: 0 };
    flow::send(sender, values, batch)?;
    let mut sum = 0_u64;
    if batch == 1 {
        for _ in 0..left.count {
            sum = sum.wrapping_add(receiver.recv()?.weight());
        }
        return Ok(sum);
    }
    while left.count > 0 {
        let add = |message: T| sum = sum.wrapping_add(message.weight());
        left.less(receiver.recv_batch(super::BATCH_RECEIVED, add)?)?;
    }
    Ok(sum)
}
