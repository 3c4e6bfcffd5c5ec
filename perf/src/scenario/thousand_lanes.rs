//! Eight busy senders to one receiver, beside 9,992 lanes on which nothing is sent: two more to the
//! same receiver, ten to each of 999 others. All have been taken in before the clock starts.
//!
//! ```text
//!  S ──┐
//!  S ──┼─▶ R
//!  s - ┘
//!  s - ┬ ▶ r       (999 times)
//!  s - ┘
//! ```

use super::{ALONE, Figure, Load, Topology, flow};
use crate::against::{Contender, Kind, Receiver};
use crate::failure::Failure;
use crate::message::{Message, Payload};

const BUSY: usize = 8;
const RECEIVERS: usize = 1_000;
const LANES_EACH: usize = 10;
/// Room of the idle channels.
const SMALL: usize = 16;

pub(crate) struct ThousandLanes;

impl Topology for ThousandLanes {
    const PAYLOADS: &'static [Payload] = &[Payload::Word];
    const SETTINGS: &'static [&'static str] = &[ALONE, "beside 9992"];

    fn run<C: Contender, T: Message>(load: &Load) -> Result<Vec<Figure>, Failure> {
        let contender = C::set_up(load)?;
        let inlet = contender.receiver::<T>(Kind::Shared)?;
        let (mut lanes, mut others) = (Vec::new(), Vec::new());
        if load.setting == 1 {
            for _ in BUSY..LANES_EACH {
                lanes.push(contender.sender(&inlet.0)?);
            }
            for _ in 1..RECEIVERS {
                let (address, receiver) = contender.receiver::<T>(Kind::Small(SMALL))?;
                for _ in 0..LANES_EACH {
                    lanes.push(contender.sender(&address)?);
                }
                others.push(receiver);
            }
        }
        contender.settle();
        if !others.iter().all(Receiver::has_joined) {
            return Err(Failure::SetUp("a receiver was not taken in".into()));
        }
        let figure = flow::stream(&contender, inlet, BUSY, load)?;
        drop((lanes, others));
        Ok(vec![figure])
    }
}
