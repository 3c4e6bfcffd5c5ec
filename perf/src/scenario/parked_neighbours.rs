//! A busy pair beside receivers that sleep: each got one message, over a lane that lives on, and
//! waits for the next in a thread of its own.
//!
//! ```text
//!  S ───▶ R
//!  s - - ▶ r zzz
//!  s - - ▶ r zzz   (none, 1, 256)
//! ```

use std::sync::mpsc;

use super::bystanders::Bystanders;
use super::{ALONE, Figure, Load, Topology, flow};
use crate::against::{Contender, Kind, Receiver, Sender};
use crate::failure::Failure;
use crate::message::{Message, Payload};

/// How many sleep, by setting.
const ASLEEP: [usize; 3] = [0, 1, 256];
/// Room of the channels of those who sleep.
const SMALL: usize = 16;

pub(crate) struct ParkedNeighbours;

impl Topology for ParkedNeighbours {
    const PAYLOADS: &'static [Payload] = &[Payload::Word];
    const SETTINGS: &'static [&'static str] = &[ALONE, "beside 1", "beside 256"];

    fn run<C: Contender, T: Message>(load: &Load) -> Result<Vec<Figure>, Failure> {
        let contender = C::set_up(load)?;
        let inlet = contender.receiver::<T>(Kind::Lone)?;
        let mut sleepers = Bystanders::new();
        let mut idle = Vec::new();
        let (heard, all_heard) = mpsc::channel();
        for _ in 0..ASLEEP[load.setting] {
            let (address, mut receiver) = contender.receiver::<T>(Kind::Small(SMALL))?;
            let mut sender = contender.sender(&address)?;
            let heard = heard.clone();
            sleepers.hire(
                "asleep",
                move || {
                    while receiver.recv().is_ok() && heard.send(()).is_ok() {}
                },
            )?;
            sender.send(T::of(flow::WARM_UP))?;
            idle.push(sender);
        }
        for _ in &idle {
            let heard = all_heard.recv_timeout(load.patience());
            heard.map_err(|_| Failure::Stalled(load.patience()))?;
        }
        sleepers.come_to_rest();
        let figure = flow::stream(&contender, inlet, 1, load)?;
        let woken = all_heard.try_iter().count() as u64;
        if woken > 0 {
            return Err(Failure::Wrong {
                what: "number of idle messages",
                sent: 0,
                received: woken,
            });
        }
        drop(idle);
        sleepers.dismiss(load.patience())?;
        Ok(vec![figure])
    }
}
