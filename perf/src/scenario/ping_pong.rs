//! There and back over two channels, one message (or one batch) at a time; both sides wait in the
//! blocking receive, and neither waits long enough to fall asleep for good.
//!
//! ```text
//!  A ───▶ B
//!    ◀───
//! ```

use super::{Figure, Load, Topology, trips};
use crate::against::{Contender, Who};
use crate::failure::Failure;
use crate::message::Message;

pub(crate) struct PingPong;

impl Topology for PingPong {
    const WHO: &'static [Who] = &Who::DRIVEN_PAIRS;

    fn run<C: Contender, T: Message>(load: &Load) -> Result<Vec<Figure>, Failure> {
        trips::trips::<C, T, _>(load, |receiver| receiver)
    }
}
