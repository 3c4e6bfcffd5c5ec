//! How lines reach the receivers: each the one that is chosen for it ([`ToOne`]), or all of them
//! ([`ToAll`]).
//!
//! *To one.* Each open input has an outbox of its own, so its lines keep their order and no input
//! waits for the order of another. A line is gone from its lane when its receiver has taken it, and
//! with it its part of the chunk.
//!
//! *To all.* One broadcaster sends to the group of all receivers: a line lies in one slot and has
//! one number, however many read it there. No receiver may take it away, so what they have passed
//! is dropped on the sender's side: when the lane is full, or here, when the pool has no buffer
//! left. Then there is one thing to wait for, that the slowest receiver has handled more
//! ([`Progress`]); look how far it is, *then* drop what it has passed, and only then wait for the
//! next number, or the last one's return might be slept through.

use std::sync::Arc;

use mainspring::{
    Address, AddressError, Broadcaster, Engine, Group, Outbox, Progress, Receiver, Seq, Target,
};

use super::error::Error;
use super::key::Choice;
use super::pool::{Line, Need, Pool};

/// The sender's way to the receivers.
pub(super) trait Share {
    /// What each open input has of its own.
    type Way;

    fn way(&self) -> Result<Self::Way, Gone>;

    fn send(&mut self, way: &mut Self::Way, line: Line) -> Result<(), Gone>;

    /// Returns when there is room in the pool.
    fn wait_for_room(&mut self, pool: &Arc<Pool>, need: Need) -> Result<(), Gone>;
}

/// A receiver has gone, and tells why.
#[derive(Debug)]
pub(super) struct Gone;

/// Each line to one receiver.
pub(super) struct ToOne {
    engine: Engine,
    receivers: Vec<Address<Line>>,
    choice: Choice,
    /// A receiver closes when its last source goes: one that never sends keeps them open until the
    /// first input is open, and while one has ended and the next is not open yet.
    _keeper: Lanes,
}

/// An outbox to all receivers.
pub(super) struct Lanes {
    out: Outbox,
    targets: Vec<Target<Line>>,
}

/// Each line to all receivers.
pub(super) struct ToAll {
    lane: Broadcaster<Line>,
    /// How far the slowest of them has come.
    handled: Progress,
}

impl ToOne {
    pub(super) fn new(
        engine: &Engine,
        receivers: &[Receiver<Line>],
        choice: Choice,
    ) -> Result<Self, Error> {
        let receivers: Vec<_> = receivers.iter().map(Receiver::address).collect();
        let keeper = Lanes::open(engine, &receivers);
        let keeper = keeper.map_err(|error| Error::Engine(error.to_string()))?;
        Ok(Self { engine: engine.clone(), receivers, choice, _keeper: keeper })
    }
}

impl Share for ToOne {
    type Way = Lanes;

    fn way(&self) -> Result<Lanes, Gone> {
        // Only a receiver that has failed is closed now.
        Lanes::open(&self.engine, &self.receivers).map_err(|_| Gone)
    }

    fn send(&mut self, way: &mut Lanes, line: Line) -> Result<(), Gone> {
        let receiver = self.choice.receiver_of(line.text());
        way.out.send(way.targets[receiver], line).map_err(|_| Gone)
    }

    fn wait_for_room(&mut self, pool: &Arc<Pool>, need: Need) -> Result<(), Gone> {
        pool.wait_for_room(need);
        Ok(())
    }
}

impl Lanes {
    fn open(engine: &Engine, receivers: &[Address<Line>]) -> Result<Self, AddressError> {
        let mut out = engine.outbox();
        let targets = receivers.iter().map(|to| out.add(to)).collect::<Result<_, _>>()?;
        Ok(Self { out, targets })
    }
}

impl ToAll {
    /// The receivers are members of the group.
    pub(super) fn new(group: &Group<Line>, receivers: &mut [Receiver<Line>]) -> Self {
        let handled = receivers.iter_mut().map(Receiver::progress).collect();
        Self { lane: group.broadcaster(), handled }
    }
}

impl Share for ToAll {
    type Way = ();

    fn way(&self) -> Result<(), Gone> {
        Ok(())
    }

    fn send(&mut self, (): &mut (), line: Line) -> Result<(), Gone> {
        self.lane.send(line).map_err(|_| Gone)
    }

    fn wait_for_room(&mut self, pool: &Arc<Pool>, need: Need) -> Result<(), Gone> {
        while !pool.has_room(need) {
            let handled = self.handled.now();
            self.lane.reclaim();
            if pool.has_room(need) {
                break;
            }
            // All of them have gone.
            if handled == Seq::MAX {
                return Err(Gone);
            }
            self.handled.wait_for(Seq::new(handled.get() + 1)).map_err(|_| Gone)?;
        }
        Ok(())
    }
}
