//! Four authors, two of one type and two of another, whose messages one thread receives as one stream.
//! Ours come over four channels and in the order of their numbers. The peer's come over one channel
//! that all share, in the order of that channel; or over four, by `select!`, in no order.
//!
//! ```text
//!  A ──▶ r ─┐
//!  A ──▶ r ─┤
//!  B ──▶ r ─┼──▶ R
//!  B ──▶ r ─┘
//! ```

use super::{Figure, Load, Topology, flow};
use crate::against::{self, Contender, Who};
use crate::crew::Crew;
use crate::failure::Failure;
use crate::message::{Due, Message, Payload, values};

/// Two of each type.
const AUTHORS: usize = 4;

pub(crate) struct Merged;

impl Topology for Merged {
    const WHO: &'static [Who] = &[Who::Mainspring, Who::Crossbeam, Who::Select];
    const PAYLOADS: &'static [Payload] = &[Payload::Word];

    fn run<C: Contender, T: Message>(load: &Load) -> Result<Vec<Figure>, Failure> {
        let contender = C::set_up(load)?;
        let against::Merged { one, other, receiver } = contender.merge::<T>()?;
        let mut authors = (0..AUTHORS).map(|author| values(author, load.share(AUTHORS)));
        let due = Due::from::<T>(authors.clone());
        let mut crew = Crew::new(AUTHORS + 1, load.settle);
        for (sender, values) in one.into_iter().zip(authors.by_ref()) {
            flow::hire_sender(&mut crew, sender, values, load)?;
        }
        for (sender, values) in other.into_iter().zip(authors) {
            flow::hire_sender(&mut crew, sender, values, load)?;
        }
        flow::hire_receiver(&mut crew, receiver, AUTHORS, due, load)?;
        let (took, _) = crew.finish(load.patience())?;
        Ok(vec![Figure::per_message(took, due.count)])
    }
}
