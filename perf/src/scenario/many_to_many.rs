//! Several pairs: the peers' have nothing to do with each other, ours share one order.
//!
//! ```text
//!  S ───▶ R
//!  S ───▶ R
//!  S ───▶ R
//! ```

use super::{Figure, Load, Topology, flow};
use crate::against::{Contender, Kind, Who};
use crate::crew::Crew;
use crate::failure::Failure;
use crate::message::{Due, Message, values};

pub(crate) struct ManyToMany<const PAIRS: usize>;

impl<const PAIRS: usize> Topology for ManyToMany<PAIRS> {
    const WHO: &'static [Who] = &Who::PAIRS;

    fn run<C: Contender, T: Message>(load: &Load) -> Result<Vec<Figure>, Failure> {
        let contender = C::set_up(load)?;
        let mut crew = Crew::new(2 * PAIRS, load.settle);
        let mut messages = 0;
        for author in 0..PAIRS {
            let (address, receiver) = contender.receiver::<T>(Kind::Lone)?;
            let sender = contender.sender(&address)?;
            let values = values(author, load.share(PAIRS));
            let due = Due::from::<T>(std::iter::once(values.clone()));
            flow::hire_sender(&mut crew, sender, values, load)?;
            flow::hire_receiver(&mut crew, receiver, 1, due, load)?;
            messages += due.count;
        }
        let (took, _) = crew.finish(load.patience())?;
        Ok(vec![Figure::per_message(took, messages)])
    }
}
