//! Several senders, one receiver: the peer's share one ring, ours have a lane each.
//!
//! ```text
//!  S ──┐
//!  S ──┼─▶ R
//!  S ──┘
//! ```

use super::{Figure, Load, Topology, flow};
use crate::against::Contender;
use crate::crew::Crew;
use crate::failure::Failure;
use crate::message::{Due, Message, values};

pub(crate) struct ManyToOne<const SENDERS: usize>;

impl<const SENDERS: usize> Topology for ManyToOne<SENDERS> {
    fn run<C: Contender, T: Message>(load: &Load) -> Result<Vec<Figure>, Failure> {
        let contender = C::open(load.capacity)?;
        let (address, receiver) = contender.receiver::<T>();
        let authors = (0..SENDERS).map(|author| values(author, load.share(SENDERS)));
        let due = Due::from::<T>(authors.clone());

        let mut crew = Crew::new(SENDERS + 1, load.settle);
        for values in authors {
            let sender = contender.sender(&address)?;
            flow::hire_sender::<C, T>(&mut crew, sender, values, load)?;
        }
        flow::hire_receiver::<C, T>(&mut crew, receiver, SENDERS, due, load)?;
        let (took, _) = crew.finish(load.patience())?;
        Ok(Figure::per_message(took, due.count))
    }
}
