//! One author, each of whose messages goes to one of four receivers: to the one that its key chooses,
//! or to one after the other, those with room first. Ours is an outbox and a group; the peer's author
//! has a channel to each, and chooses itself.
//!
//! ```text
//!     ┌─▶ R
//!     ├─▶ R
//!  A ─┼─▶ R
//!     └─▶ R      (one of them)
//! ```
//!
//! Nobody knows beforehand who gets how many. So the receivers receive until the author has gone, and
//! what all of them have is checked together.

use super::{Figure, Load, Topology};
use crate::against::{Choice, Contender, MEMBERS, Receiver, Sender, Who};
use crate::crew::Crew;
use crate::failure::Failure;
use crate::message::{Due, Message, Payload, values};

/// So many are sent before the start and received after it: some for each receiver.
const WARM_UPS: u64 = 16 * MEMBERS as u64;

pub(crate) struct Chosen<const BY_KEY: bool>;

impl<const BY_KEY: bool> Topology for Chosen<BY_KEY> {
    const WHO: &'static [Who] = &[Who::Mainspring, Who::Crossbeam];
    const PAYLOADS: &'static [Payload] = &[Payload::Word];
    // Each message is chosen for.
    const BATCHES: &'static [usize] = &[1];

    fn run<C: Contender, T: Message>(load: &Load) -> Result<Vec<Figure>, Failure> {
        let contender = C::set_up(load)?;
        let choice = if BY_KEY { Choice::ByKey } else { Choice::ByTurn };
        let (mut author, members) = contender.choose::<T>(choice)?;
        let (warm_up, values) = (values(1, WARM_UPS), values(0, load.share(1)));
        let due = Due::from::<T>([warm_up.clone(), values.clone()].into_iter());
        let mut crew = Crew::new(1 + members.len(), load.settle);
        crew.hire("author", move |line| {
            for value in warm_up {
                author.send(T::of(value))?;
            }
            line.start_open_ended(|| {
                for value in values {
                    author.send(T::of(value))?;
                }
                Ok(Due::default())
            })
        })?;
        for mut member in members {
            crew.hire("member", move |line| line.start(|| Ok(receive(&mut member))))?;
        }
        let (took, received) = crew.finish(load.patience())?;
        due.check_all(&received)?;
        Ok(vec![Figure::per_message(took, due.count)])
    }
}

/// Receives until the end.
fn receive<T: Message>(member: &mut impl Receiver<T>) -> Due {
    let mut received = Due::default();
    while let Ok(message) = member.recv() {
        received.count += 1;
        received.sum = received.sum.wrapping_add(message.weight());
    }
    received
}
