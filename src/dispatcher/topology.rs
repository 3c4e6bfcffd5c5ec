//! Applying the changes: who joins, who has ended, who has gone.
//!
//! What has gone is let go of lazily: a source that meets a port whose receiver has left is released, or (an
//! outbox) passes over it; the port itself goes with the last source that names it.

use super::Core;
use super::fan::Fan;
use super::port::Port;
use super::source::{Audience, Destination, Kind, Outlets, Phase, Source, Target};
use crate::board::{Change, Membership};
use crate::inbox::Inbox;
use crate::lane::LaneState;
use crate::mark::Chain;
use crate::order::OrderRing;
use crate::park::Parker;
use crate::sync::Arc;

/// How many changes one pass applies. Those who make them never wait, so they could keep one who passes at it for
/// ever; between passes they find the core free, and apply them themselves.
const CHANGES_MAX: usize = 256;

impl Core {
    /// Applies what has been listed, or so many of it as a pass may; then another pass goes on.
    pub(super) fn apply_changes(&mut self) {
        if self.changes.is_empty() {
            self.taken = self.board.topology.take(&mut self.changes);
        }
        for _ in 0..CHANGES_MAX {
            let Some(change) = self.changes.pop_front() else { break };
            self.apply(change);
        }
        if self.changes.is_empty() {
            self.generation = self.taken;
        } else {
            self.again = true;
        }
    }

    fn apply(&mut self, change: Change) {
        match change {
            Change::Receiver { inbox, memberships } => {
                let entry = self.ports.vacant_entry();
                let id = entry.key();
                inbox.set_joined(id_of(id), self.seq);
                entry.insert(Port::new(id, inbox));
                self.add_members(memberships);
            }
            Change::Lane { lane, inbox, key } => match self.connect(&inbox, key) {
                Some(to) => self.add_source(Kind::Lane { lane, to }),
                None => lane.release(),
            },
            Change::Fan { lane, after, members } => {
                self.add_source(Kind::Fan(Fan { lane, after, members: Vec::new() }));
                self.add_members(members);
            }
            Change::Members { memberships } => self.add_members(memberships),
            Change::MembersEnd { memberships } => {
                for membership in &memberships {
                    self.end_member(membership);
                }
            }
            Change::Forwarder { given, inbox, key } => match self.connect(&inbox, key) {
                Some(to) => self.add_forwarder(given, Audience::One(to)),
                None => given.state().release(),
            },
            Change::GroupForwarder { given, members } => {
                let fan = Fan { lane: given.state().clone(), after: None, members: Vec::new() };
                self.add_forwarder(given, Audience::All(fan));
                self.add_members(members);
            }
            Change::Outbox { ring } => {
                self.add_source(Kind::Outbox(Outlets {
                    ring,
                    targets: Vec::new(),
                    broadcasts: false,
                    marks: Chain::default(),
                }));
            }
            Change::Target { ring, target, lane, inbox, key } => {
                // One whose receiver has gone stands in the table all the same: its messages are passed over.
                let to = self.connect(&inbox, key);
                self.add_target(&ring, target, Target::new(lane, to, None));
            }
            Change::Crowd { ring, target, lane, members } => {
                let fan = Fan { lane: lane.clone(), after: None, members: Vec::new() };
                self.add_target(&ring, target, Target::new(lane, None, Some(Box::new(fan))));
                self.add_members(members);
            }
            Change::LaneEnd { lane } => self.has_ended(&lane),
            Change::OutboxEnd { ring } => self.has_ended(ring.state()),
            Change::TargetEnd { ring, target } => self.remove_target(&ring, target),
            Change::Leave { inbox } => self.leave(&inbox),
            Change::Sleeper { inbox, parker } => self.move_sleeper(&inbox, parker),
        }
    }

    /// Counts a lane among the sources of its receiver, unless that has gone.
    pub(super) fn connect(&mut self, inbox: &Inbox, key: u32) -> Option<Destination> {
        let port = inbox.port()?;
        self.ports[port].add_source();
        Some(Destination { port, key })
    }

    pub(super) fn add_source(&mut self, kind: Kind) {
        let entry = self.sources.vacant_entry();
        let id = entry.key();
        let cools = self.board.ready.admit(id);
        let source = entry.insert(Source::new(kind, cools));
        source.state().set_id(id_of(id));
        self.scan.join(id, source, self.passes);
    }

    fn add_members(&mut self, memberships: Vec<Membership>) {
        for membership in memberships {
            self.add_member(membership);
        }
    }

    fn add_target(&mut self, ring: &OrderRing, number: u16, target: Target) {
        let Some(id) = ring.state().id() else {
            // It was ended from outside, and its author has yet to find out.
            target.lane.fence_at(0);
            target.lane.release();
            return target.to.into_iter().for_each(|to| self.end_source(to.port));
        };
        target.lane.set_id(u32::from(number));
        let Kind::Outbox(outlets) = &mut self.sources[id as usize].kind else {
            unreachable!("an order ring belongs to an outbox")
        };
        let index = usize::from(number);
        outlets.broadcasts |= target.fan.is_some();
        if outlets.targets.len() <= index {
            outlets.targets.resize_with(index + 1, || None);
        }
        outlets.targets[index] = Some(target);
    }

    fn has_ended(&mut self, state: &LaneState) {
        if let Some(id) = state.id() {
            self.look_again(id as usize);
        }
    }

    /// A source need not wait any longer, or may not.
    pub(super) fn look_again(&mut self, id: usize) {
        // One that this pass has made cold stands in the list still.
        self.scan.tidy(&self.sources);
        let source = &mut self.sources[id];
        if let Phase::Waiting { .. } | Phase::Cold = source.phase {
            self.scan.add(id, source);
        }
    }

    fn remove_target(&mut self, ring: &OrderRing, index: u16) {
        let Some(id) = ring.state().id() else { return };
        let id = id as usize;
        let Kind::Outbox(outlets) = &mut self.sources[id].kind else {
            unreachable!("an order ring belongs to an outbox")
        };
        let target = outlets.targets.get_mut(usize::from(index)).and_then(Option::as_mut);
        let Some(target) = target else { return };
        target.removed = true;
        if target.is_finished() {
            self.finish_target(id, usize::from(index));
        }
    }

    fn leave(&mut self, inbox: &Inbox) {
        let Some(id) = inbox.port() else { return };
        inbox.forget_port();
        let port = &mut self.ports[id];
        port.gone = true;
        let broadcasters = port.take_broadcasters();
        while let Some(waiting) = port.next_waiting(&self.sources) {
            self.scan.add(waiting, &mut self.sources[waiting]);
        }
        for broadcaster in broadcasters {
            self.drop_member(broadcaster, id);
        }
        self.abandon(id);
        self.forget_if_unused(id);
    }

    /// A receiver sleeps elsewhere. What it was handed before has woken nobody there, so this pass does.
    fn move_sleeper(&mut self, inbox: &Inbox, parker: Arc<Parker>) {
        let Some(id) = inbox.port() else { return };
        let port = &mut self.ports[id];
        port.set_parker(parker);
        port.touch(id, &mut self.touched);
    }

    /// Lets go of a port whose receiver has left and that nothing names any more.
    pub(super) fn forget_if_unused(&mut self, id: usize) {
        let port = &self.ports[id];
        if port.gone && port.references == 0 {
            if port.is_full {
                self.full.retain(|&full| full != id);
            }
            self.ports.remove(id);
        }
    }
}

/// Slab indices stay far below: each stands for memory that was allocated.
fn id_of(index: usize) -> u32 {
    u32::try_from(index).expect("fewer than 2³² lanes and receivers")
}
