//! One thread sends and receives in turn, or thirty-two at a time: what the work itself costs, with
//! no line moving from core to core and nobody to wait for.
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

pub(crate) struct SameThread;

impl Topology for SameThread {
    const WHO: &'static [Who] = &Who::PAIRS;

    fn run<C: Contender, T: Message>(load: &Load) -> Result<Vec<Figure>, Failure> {
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
                for values in flow::batches(values, batch) {
                    sum = sum.wrapping_add(turn(&mut sender, &mut receiver, values, batch)?);
                }
                due.check(sum)
            })
        })?;
        let (took, _) = crew.finish(load.patience())?;
        Ok(vec![Figure::per_message(took, due.count)])
    }
}

#[inline]
fn turn<T: Message>(
    sender: &mut impl Sender<T>,
    receiver: &mut impl Receiver<T>,
    values: Range<u64>,
    batch: usize,
) -> Result<u64, Failure> {
    if batch == 1 {
        sender.send(T::of(values.start))?;
        return Ok(receiver.recv()?.weight());
    }
    let mut left = Due { count: values.end - values.start, sum: 0 };
    sender.send_batch(values.map(T::of))?;
    let mut sum = 0_u64;
    while left.count > 0 {
        let add = |message: T| sum = sum.wrapping_add(message.weight());
        left.less(receiver.recv_batch(super::BATCH_RECEIVED, add)?)?;
    }
    Ok(sum)
}
