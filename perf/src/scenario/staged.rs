//! One author, each of whose messages goes to three receivers, some of whom get it only when others
//! have done with it. A figure is that of a message: until the last of the three has it.
//!
//! ```text
//!     ┌─▶ B ─┐
//!  A ─┤      ├─▶ D      (diamond)
//!     └─▶ C ─┘
//!
//!  A ───▶ B ───▶ C ───▶ D      (pipeline)
//! ```
//!
//! All of them read one ring. Who has taken its last message without asking for another has done with
//! it when it goes; so nobody can wait for the warm-up before the start: it is received after it.

use super::{Figure, Load, Topology, flow};
use crate::against::{Contender, Shape, Who};
use crate::crew::Crew;
use crate::failure::Failure;
use crate::message::{Due, Message, Payload, values};

pub(crate) struct Diamond;
pub(crate) struct Pipeline;

const WHO: &[Who] = &[Who::Mainspring, Who::Disruptor];

impl Topology for Diamond {
    const WHO: &'static [Who] = WHO;
    const PAYLOADS: &'static [Payload] = &[Payload::Word];

    fn run<C: Contender, T: Message>(load: &Load) -> Result<Vec<Figure>, Failure> {
        run::<C, T>(Shape::Diamond, load)
    }
}

impl Topology for Pipeline {
    const WHO: &'static [Who] = WHO;
    const PAYLOADS: &'static [Payload] = &[Payload::Word];

    fn run<C: Contender, T: Message>(load: &Load) -> Result<Vec<Figure>, Failure> {
        run::<C, T>(Shape::Pipeline, load)
    }
}

fn run<C: Contender, T: Message>(shape: Shape, load: &Load) -> Result<Vec<Figure>, Failure> {
    let contender = C::set_up(load)?;
    let (author, members) = contender.broadcast::<T>(shape)?;
    let values = values(0, load.share(1));
    let mut due = Due::from::<T>(std::iter::once(values.clone()));
    due.add::<T>(flow::WARM_UP);
    let mut crew = Crew::new(1 + members.len(), load.settle);
    flow::hire_sender(&mut crew, author, values, load)?;
    for member in members {
        flow::hire_receiver(&mut crew, member, 0, due, load)?;
    }
    let (took, _) = crew.finish(load.patience())?;
    Ok(vec![Figure::per_message(took, due.count)])
}
