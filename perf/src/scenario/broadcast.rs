//! One author, each of whose messages goes to all of four receivers. A figure is that of a message,
//! not of a receipt: until the last of the four has it.
//!
//! ```text
//!     ┌─▶ R
//!     ├─▶ R
//!  A ─┼─▶ R
//!     └─▶ R
//! ```
//!
//! *By reference*: the receivers read a message where it lies, those of them who can. The disruptor
//! does so in batches; one by one it cannot lend what it has polled together.

use super::{BATCH_RECEIVED, Figure, Load, Topology, flow};
use crate::against::{Contender, Receiver, Shape, Who};
use crate::crew::Crew;
use crate::failure::Failure;
use crate::message::{Due, Message, values};

pub(crate) struct Broadcast<const BY_REF: bool>;

impl<const BY_REF: bool> Topology for Broadcast<BY_REF> {
    const WHO: &'static [Who] = match BY_REF {
        true => &[Who::Mainspring, Who::Crossbeam, Who::Disruptor],
        false => &[
            Who::Mainspring,
            Who::Crossbeam,
            Who::Disruptor,
            Who::Bus,
            Who::Tokio,
            Who::ClockedDispatch,
        ],
    };

    fn run<C: Contender, T: Message>(load: &Load) -> Result<Vec<Figure>, Failure> {
        let contender = C::set_up(load)?;
        let (author, members) = contender.broadcast::<T>(Shape::Star)?;
        let values = values(0, load.share(1));
        let due = Due::from::<T>(std::iter::once(values.clone()));
        let mut crew = Crew::new(1 + members.len(), load.settle);
        flow::hire_sender(&mut crew, author, values, load)?;
        for member in members {
            match BY_REF {
                true => hire_reader(&mut crew, member, due, load)?,
                false => flow::hire_receiver(&mut crew, member, 1, due, load)?,
            }
        }
        let (took, _) = crew.finish(load.patience())?;
        Ok(vec![Figure::per_message(took, due.count)])
    }
}

/// A thread that reads what is due where it lies.
fn hire_reader<T: Message>(
    crew: &mut Crew<()>,
    mut receiver: impl Receiver<T>,
    due: Due,
    load: &Load,
) -> Result<(), Failure> {
    let batch = load.batch;
    crew.hire("reader", move |line| {
        receiver.recv()?;
        line.start(|| read(&mut receiver, due, batch))
    })
}

/// Reads all that is due and adds it up.
fn read<T: Message>(
    receiver: &mut impl Receiver<T>,
    mut due: Due,
    batch: usize,
) -> Result<(), Failure> {
    let mut sum = 0_u64;
    if batch == 1 {
        for _ in 0..due.count {
            sum = sum.wrapping_add(receiver.recv_by_ref(T::weight)?);
        }
    } else {
        while due.count > 0 {
            let add = |message: &T| sum = sum.wrapping_add(message.weight());
            due.less(receiver.recv_batch_by_ref(BATCH_RECEIVED, add)?)?;
        }
    }
    due.check(sum)
}
