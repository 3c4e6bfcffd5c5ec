//! One sender, one receiver: a lane, and nobody else on the engine.
//!
//! ```text
//!  S ───▶ R
//! ```

use super::{Figure, Load, Topology, flow};
use crate::against::Contender;
use crate::crew::Crew;
use crate::failure::Failure;
use crate::message::{Due, Message, values};

pub(crate) struct OneToOne;

impl Topology for OneToOne {
    fn run<C: Contender, T: Message>(load: &Load) -> Result<Vec<Figure>, Failure> {
        let contender = C::open(load.capacity)?;
        let (address, receiver) = contender.receiver::<T>();
        let sender = contender.sender(&address)?;
        let values = values(0, load.share(1));
        let due = Due::from::<T>(std::iter::once(values.clone()));

        let mut crew = Crew::new(2, load.settle);
        flow::hire_sender::<C, T>(&mut crew, sender, values, load)?;
        flow::hire_receiver::<C, T>(&mut crew, receiver, 1, due, load)?;
        let (took, _) = crew.finish(load.patience())?;
        Ok(Figure::per_message(took, due.count))
    }
}
