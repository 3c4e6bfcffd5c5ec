//! Several senders, one receiver: the peers' share one ring, ours have a lane each.
//!
//! ```text
//!  S ──┐
//!  S ──┼─▶ R
//!  S ──┘
//! ```

use super::{Figure, Load, Topology, flow};
use crate::against::{Contender, Kind, Who};
use crate::failure::Failure;
use crate::message::Message;

pub(crate) struct ManyToOne<const SENDERS: usize>;

impl<const SENDERS: usize> Topology for ManyToOne<SENDERS> {
    const WHO: &'static [Who] = &Who::MANY_TO_ONE;

    fn run<C: Contender, T: Message>(load: &Load) -> Result<Vec<Figure>, Failure> {
        let contender = C::set_up(load)?;
        let inlet = contender.receiver::<T>(Kind::Shared)?;
        Ok(vec![flow::stream(&contender, inlet, SENDERS, load)?])
    }
}
