//! One sender, one receiver: a lane, and nobody else on the engine.
//!
//! ```text
//!  S ───▶ R
//! ```

use super::{Figure, Load, Topology, flow};
use crate::against::{Contender, Kind, Who};
use crate::failure::Failure;
use crate::message::Message;

pub(crate) struct OneToOne;

impl Topology for OneToOne {
    const WHO: &'static [Who] = &Who::DRIVEN_PAIRS;

    fn run<C: Contender, T: Message>(load: &Load) -> Result<Vec<Figure>, Failure> {
        let contender = C::set_up(load)?;
        let inlet = contender.receiver::<T>(Kind::Lone)?;
        Ok(vec![flow::stream(&contender, inlet, 1, load)?])
    }
}
