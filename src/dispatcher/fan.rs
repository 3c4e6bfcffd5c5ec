//! Broadcasts: one run, handed to each member of a group.
//!
//! ```text
//!   broadcaster's lane   a b c            stamped 5, 6, 7
//!   member's inbox       first 5, len 3   to all of them, or to none yet
//! ```
//!
//! A run is stamped when each member's inbox has room for it, so a broadcast waits for the slowest inbox, in that
//! inbox's list; the others hold nothing back for it but one entry ([`port`](super::port)). A broadcaster that has
//! become one from a sender is not looked at before all that the sender sent is stamped.
//!
//! *Members come and go* by changes of the topology. One that joins gets what is stamped from then on; one that
//! leaves is told the end of the lane, after what it was given.

use slab::Slab;

use super::Core;
use super::source::{Destination, Kind, Outlets, Source, Target};
use super::stamp::BURST;
use crate::board::Membership;
use crate::inbox::Run;
use crate::lane::LaneState;
use crate::sync::Arc;
use crate::tap::Tap;

/// A broadcaster, as the dispatcher sees it.
pub(super) struct Fan {
    pub(super) lane: Arc<LaneState>,
    /// The lane of the sender that it was, until that is stamped to its end.
    pub(super) after: Option<Arc<LaneState>>,
    pub(super) members: Vec<Member>,
}

/// One of those who get each message.
pub(super) struct Member {
    tap: Arc<Tap>,
    to: Destination,
    /// What is left for it stands in its inbox's overflow list.
    in_overflow: bool,
}

/// A range of messages to be handed out.
#[derive(Clone, Copy)]
pub(super) struct Range {
    pub(super) first_seq: u64,
    pub(super) len: u64,
    /// Nothing follows in the lane.
    pub(super) last: bool,
    /// If the author has ended: what is left of it, in the positions that an overflow record names.
    pub(super) rest: Option<(u64, u64)>,
}

impl Core {
    /// True if the broadcaster has more to be stamped in this pass.
    pub(super) fn turn_of_fan(&mut self, id: usize, served: Option<usize>) -> bool {
        let Kind::Fan(fan) = &mut self.sources[id].kind else {
            unreachable!("a broadcaster's turn")
        };
        if let Some(before) = &fan.after {
            if !before.is_released() {
                // It has ended, or there would be nothing here: the next pass, at the latest, stamps it to its end.
                self.sources[id].put_off();
                self.again = true;
                return false;
            }
            fan.after = None;
        }
        if self.sources[id].ended && self.is_out_of_date(id) {
            return false;
        }
        let mut members = self.take_members(id, None);
        let waits = !self.sources[id].ended && self.waits_for_members(id, &members, served);
        if !waits {
            self.hand_out_to_all(id, &mut members);
        }
        self.put_members(id, None, members);
        let source = &self.sources[id];
        let more = source.stamped < source.seen;
        if source.ended && !more {
            self.sources.remove(id).state().release();
            self.scan.has_left();
            return false;
        }
        !waits && more
    }

    /// The author has ended, and the list of changes is not applied: it may have got a member just before its end.
    /// It is gone, so the next pass knows everything; what is numbered now could not be taken back.
    pub(super) fn is_out_of_date(&mut self, id: usize) -> bool {
        let stale = self.board.topology.generation() != self.generation;
        if stale {
            self.sources[id].put_off();
            self.again = true;
        }
        stale
    }

    fn hand_out_to_all(&mut self, id: usize, members: &mut Vec<Member>) {
        let source = &mut self.sources[id];
        let rest = source.seen - source.stamped;
        let len = if source.ended { rest } else { rest.min(BURST) };
        let range = Range {
            first_seq: self.seq + 1,
            len,
            last: source.ended,
            rest: source.ended.then_some((source.stamped, source.seen)),
        };
        // Before the entries: whoever reads one may go to sleep, and want to hear again.
        source.state().clear_want();
        self.seq += len;
        source.stamped += len;
        source.state().stamp(source.stamped, self.seq);
        self.has_been_placed(id);
        if members.is_empty() {
            // Nobody will tell the author of the room.
            self.authors.push(id);
        }
        self.hand_out(members, range);
        if range.last {
            for member in std::mem::take(members) {
                self.let_go_of(id, member.to.port);
            }
        }
    }

    /// Hands a range to each member; what an ended author leaves to a full inbox goes to the overflow list.
    pub(super) fn hand_out(&mut self, members: &mut [Member], range: Range) {
        let Self { ports, touched, .. } = self;
        for member in members.iter_mut().filter(|member| !member.in_overflow) {
            let Destination { port: port_id, key } = member.to;
            let port = &mut ports[port_id];
            match range.rest {
                Some((start, end)) if port.room(1) == 0 => {
                    port.overflow(&member.tap.rest, key, range.first_seq, start, end);
                    member.in_overflow = true;
                }
                _ => port.write(Run {
                    key,
                    len: range.len as u32,
                    first_seq: range.first_seq,
                    mask: 0,
                    last: range.last,
                }),
            }
            port.touch(port_id, touched);
        }
    }

    /// Whether an inbox of the members has no room for a broadcast of this author; then it is put into that inbox's
    /// list.
    pub(super) fn waits_for_members(
        &mut self,
        id: usize,
        members: &[Member],
        served: Option<usize>,
    ) -> bool {
        let Self { sources, ports, .. } = self;
        let full = members.iter().map(|member| member.to.port).find(|&port_id| {
            let port = &mut ports[port_id];
            // What it was promised may have gone to one who has ended.
            if served == Some(port_id) {
                port.room(1) == 0
            } else {
                port.is_full_for_all(id, sources)
            }
        });
        let Some(full) = full else { return false };
        self.sources[id].state().clear_want();
        self.wait(id, full, true);
        true
    }

    /// A broadcast that may have waited waits no more: what was kept for it is free for those behind it.
    pub(super) fn has_been_placed(&mut self, id: usize) {
        if self.sources[id].age.take().is_some() {
            self.again |= !self.full.is_empty();
        }
    }

    /// Takes the members of a broadcaster, or of an outbox's target, into the hand; without those who have gone.
    pub(super) fn take_members(&mut self, id: usize, target: Option<u16>) -> Vec<Member> {
        let Some(fan) = fan_of(&mut self.sources, id, target) else { return Vec::new() };
        let mut members = std::mem::take(&mut fan.members);
        members.retain(|member| {
            let gone = self.ports[member.to.port].gone;
            if gone {
                self.let_go_of(id, member.to.port);
            }
            !gone
        });
        members
    }

    pub(super) fn put_members(&mut self, id: usize, target: Option<u16>, members: Vec<Member>) {
        if let Some(fan) = fan_of(&mut self.sources, id, target) {
            fan.members = members;
        }
    }

    /// A member joins.
    pub(super) fn add_member(&mut self, membership: Membership) {
        let Some((id, target)) = way_of(&membership) else { return };
        let Some(to) = self.connect(&membership.inbox, membership.key) else { return };
        let position = match target {
            None => self.sources[id].stamped,
            Some(target) => self.target_mut(id, target).map_or(0, |target| target.stamped),
        };
        let Some(fan) = fan_of(&mut self.sources, id, target) else {
            unreachable!("a group's lane has members")
        };
        // Before anything that follows is handed out.
        membership.tap.begin_at(position);
        fan.members.push(Member { tap: membership.tap, to, in_overflow: false });
        self.ports[to.port].add_broadcaster(id);
        // Its author may be waiting for the newcomer to be taken in.
        self.authors.push(id);
    }

    /// A member leaves, or is removed.
    pub(super) fn end_member(&mut self, membership: &Membership) {
        let Some((id, target)) = way_of(membership) else { return };
        let tap = &membership.tap;
        let Some(fan) = fan_of(&mut self.sources, id, target) else { return };
        let Some(at) = fan.members.iter().position(|member| Arc::ptr_eq(&member.tap, tap)) else {
            return;
        };
        let member = fan.members.swap_remove(at);
        self.end_of(id, member);
        // It may have waited for that member's inbox.
        self.look_again(id);
        self.authors.push(id);
    }

    /// Tells a member that nothing more comes.
    pub(super) fn end_of(&mut self, id: usize, member: Member) {
        let to = member.to;
        if !self.ports[to.port].gone && !member.in_overflow {
            let end = self.sources[id].stamped;
            let first_seq = self.seq + 1;
            let range = Range { first_seq, len: 0, last: true, rest: Some((end, end)) };
            self.hand_out(&mut [member], range);
        }
        self.let_go_of(id, to.port);
    }

    /// A membership is over.
    fn let_go_of(&mut self, id: usize, port: usize) {
        self.ports[port].remove_broadcaster(id);
        self.end_source(port);
    }

    fn target_mut(&mut self, id: usize, target: u16) -> Option<&mut Target> {
        let Kind::Outbox(outlets) = &mut self.sources[id].kind else { return None };
        outlets.targets.get_mut(usize::from(target))?.as_mut()
    }
}

/// Which source it is, and which of its targets if it is an outbox; none if it has ended.
fn way_of(Membership { lane, ring, .. }: &Membership) -> Option<(usize, Option<u16>)> {
    let Some(ring) = ring else { return Some((lane.id()? as usize, None)) };
    Some((ring.state().id()? as usize, Some(lane.id()? as u16)))
}

/// The members of a broadcaster, or of an outbox's target.
fn fan_of(sources: &mut Slab<Source>, id: usize, target: Option<u16>) -> Option<&mut Fan> {
    match (&mut sources.get_mut(id)?.kind, target) {
        (Kind::Fan(fan), None) => Some(fan),
        (Kind::Outbox(Outlets { targets, .. }), Some(target)) => {
            targets.get_mut(usize::from(target))?.as_mut()?.fan.as_deref_mut()
        }
        _ => None,
    }
}
