//! A state of which only the newest matters: what it costs to publish it, alone and beside readers who
//! wait for it to change and read it.
//!
//! ```text
//!         ┌─▶ r
//!  P ──▶ [state]
//!         └─▶ r      (none, 1, 4)
//! ```
//!
//! A reader sees some of the states, in order, and the last in any case. Its end does not count: a run
//! lasts from the first state published to the last.

use super::{ALONE, Figure, Load, Measure, Topology, flow};
use crate::against::{Contender, Publisher, Reader, Who};
use crate::crew::Crew;
use crate::failure::Failure;
use crate::message::{Message, values};

/// How many wait, by setting.
const READERS: [usize; 3] = [0, 1, 4];

pub(crate) struct Publishes;

impl Topology for Publishes {
    const WHO: &'static [Who] = &[Who::Mainspring, Who::Thread, Who::Watch, Who::ArcSwap];
    const BATCHES: &'static [usize] = &[1];
    const SETTINGS: &'static [&'static str] = &[ALONE, "beside 1", "beside 4"];

    fn run<C: Contender, T: Message>(load: &Load) -> Result<Vec<Figure>, Failure> {
        let contender = C::set_up(load)?;
        let readers = READERS[load.setting];
        let (mut publisher, all) = contender.state::<T>(readers)?;
        let states = values(0, load.share(1));
        let count = states.end - states.start;
        let last = states.end - 1;
        let mut crew = Crew::new(1 + readers, load.settle);
        crew.hire("publisher", move |line| {
            publisher.publish(T::of(flow::WARM_UP))?;
            line.start(|| {
                for state in states {
                    publisher.publish(T::of(state))?;
                }
                Ok(())
            })
        })?;
        for mut reader in all {
            crew.hire("reader", move |line| line.start_beside(|| read(&mut reader, last)))?;
        }
        let (took, _) = crew.finish(load.patience())?;
        Ok(vec![Figure::per(Measure::PerState, took, count)])
    }
}

/// Reads until the last.
fn read<T: Message>(reader: &mut impl Reader<T>, last: u64) -> Result<(), Failure> {
    let mut before = None;
    while before != Some(last) {
        let state = reader.changed()?;
        let (sent, received) = (T::of(state.key()).weight(), state.weight());
        if sent != received {
            return Err(Failure::Wrong { what: "weight of a state", sent, received });
        }
        // The first may be the warm-up.
        if before.is_some_and(|before| before >= state.key()) {
            let what = "order of states";
            return Err(Failure::Wrong { what, sent: last, received: state.key() });
        }
        before = Some(state.key());
    }
    Ok(())
}
