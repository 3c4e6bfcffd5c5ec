//! Several authors with several targets: each message, or each batch, to one of them at random.
//! Ours are outboxes, which keep each author's order over all its targets; the peer's authors hold
//! a sender for each target.
//!
//! ```text
//!  A ─┬▶ R
//!    ╳
//!  A ─┴▶ R
//! ```

use std::ops::Range;

use super::{Figure, Load, Topology, flow};
use crate::against::{Contender, Kind, Router, Who};
use crate::crew::Crew;
use crate::failure::Failure;
use crate::message::{Due, Message, values};

pub(crate) struct ManyToManyRandom<const SIDES: usize>;

impl<const SIDES: usize> Topology for ManyToManyRandom<SIDES> {
    const WHO: &'static [Who] = &[Who::Mainspring, Who::Crossbeam, Who::ClockedDispatch];

    fn run<C: Contender, T: Message>(load: &Load) -> Result<Vec<Figure>, Failure> {
        let contender = C::set_up(load)?;
        let channels = (0..SIDES).map(|_| contender.receiver::<T>(Kind::Shared));
        let channels = channels.collect::<Result<Vec<_>, _>>()?;
        let (addresses, receivers): (Vec<_>, Vec<_>) = channels.into_iter().unzip();

        let mut crew = Crew::new(2 * SIDES, load.settle);
        let mut due = [Due::default(); SIDES];
        for author in 0..SIDES {
            let values = values(author, load.share(SIDES));
            for (target, values) in journey::<SIDES>(author, values.clone(), load.batch) {
                values.for_each(|value| due[target].add::<T>(value));
            }
            let router = contender.router(&addresses)?;
            hire_author::<C, T, SIDES>(&mut crew, router, author, values, load)?;
        }
        for (receiver, due) in receivers.into_iter().zip(due) {
            flow::hire_receiver(&mut crew, receiver, SIDES, due, load)?;
        }
        let (took, _) = crew.finish(load.patience())?;
        Ok(vec![Figure::per_message(took, due.iter().map(|due| due.count).sum())])
    }
}

fn hire_author<C: Contender, T: Message, const SIDES: usize>(
    crew: &mut Crew<()>,
    mut router: C::Router<T>,
    author: usize,
    values: Range<u64>,
    load: &Load,
) -> Result<(), Failure> {
    let batch = load.batch;
    crew.hire("author", move |line| {
        for target in 0..SIDES {
            router.send(target, T::of(flow::WARM_UP))?;
        }
        line.start_open_ended(|| {
            for (target, values) in journey::<SIDES>(author, values, batch) {
                match batch {
                    1 => router.send(target, T::of(values.start))?,
                    _ => router.send_batch(target, values.map(T::of))?,
                }
            }
            Ok(())
        })
    })
}

/// What an author sends, and where to: the same each time.
fn journey<const SIDES: usize>(
    author: usize,
    values: Range<u64>,
    batch: usize,
) -> impl Iterator<Item = (usize, Range<u64>)> {
    let mut dice = 0x9E37_79B9_7F4A_7C15_u64.wrapping_mul(author as u64 + 1);
    flow::batches(values, batch).map(move |values| {
        // Marsaglia's xorshift; the high bits are the better ones.
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        ((dice >> 32) as usize % SIDES, values)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_target_gets_about_its_share() {
        let mut visits = [0_u32; 4];
        for (target, _) in journey::<4>(0, 0..40_000, 1) {
            visits[target] += 1;
        }
        assert!(visits.iter().all(|visits| (9_500..10_500).contains(visits)), "{visits:?}");
    }
}
