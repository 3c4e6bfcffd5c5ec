//! A busy pair beside a receiver that never receives: two senders and an author of several targets
//! are stuck on the way to it. Their lanes are full, and so is the receiver's inbox, which has room
//! for two runs only. They come free when the receiver goes.
//!
//! ```text
//!  S ───▶ R
//!  s ──┐
//!  s ──┼─▶| r      (all full, nothing moves)
//!  a ──┘
//! ```

use super::bystanders::Bystanders;
use super::{ALONE, Figure, Load, Topology, flow};
use crate::against::{Contender, Kind, Router, Sender};
use crate::failure::Failure;
use crate::message::{Message, Payload};

/// Room of the channels to the receiver that does not receive, and of its inbox: three who send
/// fill it with a run each.
const SMALL: usize = 2;

pub(crate) struct SlowReceiver;

impl Topology for SlowReceiver {
    const PAYLOADS: &'static [Payload] = &[Payload::Word];
    const SETTINGS: &'static [&'static str] = &[ALONE, "beside stuck"];

    fn run<C: Contender, T: Message>(load: &Load) -> Result<Vec<Figure>, Failure> {
        let contender = C::set_up(load)?;
        let inlet = contender.receiver::<T>(Kind::Lone)?;
        let mut stuck = Bystanders::new();
        let mut slow = None;
        if load.setting == 1 {
            let (address, receiver) = contender.receiver::<T>(Kind::Small(SMALL))?;
            for _ in 0..2 {
                let mut sender = contender.sender(&address)?;
                stuck.hire("stuck", move || while sender.send(T::of(0)).is_ok() {})?;
            }
            let mut router = contender.router(&[address])?;
            stuck.hire("stuck", move || while router.send(0, T::of(0)).is_ok() {})?;
            slow = Some(receiver);
        }
        stuck.come_to_rest();
        let figure = flow::stream(&contender, inlet, 1, load)?;
        if !stuck.are_present() {
            return Err(Failure::Closed);
        }
        drop(slow);
        stuck.dismiss(load.patience())?;
        Ok(vec![figure])
    }
}
