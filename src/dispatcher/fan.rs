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
use super::port::Port;
use super::source::{Assured, Audience, Destination, Kind, Outlets, Source, Target};
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
    pub(super) tap: Arc<Tap>,
    pub(super) to: Destination,
    /// The position of its first message.
    start: u64,
    /// What is left for it stands in its inbox's overflow list.
    pub(super) in_overflow: bool,
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
        if !self.assure(id) {
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
            self.let_go_of_source(id);
            return false;
        }
        !waits && more
    }

    /// Makes sure that all changes which came before what is to be stamped are applied: whoever has joined a group
    /// before something was sent gets it, and what an author added before its end is known. What a change may have
    /// come before is left to the next pass, which applies that change, and goes on from there whatever changes
    /// meanwhile. True if something can be stamped.
    pub(super) fn assure(&mut self, id: usize) -> bool {
        let source = &mut self.sources[id];
        let generation = self.board.topology.generation();
        let now = Assured { seen: source.seen, ended: source.ended, generation };
        let before = std::mem::replace(&mut source.assured, now);
        if generation == self.generation {
            return true;
        }
        let is_known = before.generation <= self.generation;
        if is_known && (before.seen, before.ended) == (now.seen, now.ended) {
            return true;
        }
        self.again = true;
        if is_known && before.seen > source.stamped {
            (source.seen, source.ended) = (before.seen, false);
            return true;
        }
        source.put_off();
        false
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
        source.state().clear_want(self.keeps_wants);
        self.seq += len;
        source.stamped += len;
        source.state().stamp(source.stamped, self.seq);
        self.has_been_placed(id);
        if members.is_empty() {
            // Nobody will tell the author of the room.
            self.authors.push(id);
        }
        // Of one that never spoke nobody knows.
        if self.sources[id].stamped > 0 {
            self.hand_out(members, range);
        }
        if range.last {
            for member in std::mem::take(members) {
                self.let_go_of(id, member.to.port);
            }
        }
    }

    /// Hands a range to each member; what an ended author leaves to a full inbox goes to the overflow list.
    pub(super) fn hand_out(&mut self, members: &mut [Member], range: Range) {
        let Self { ports, touched, .. } = self;
        for member in members {
            let Destination { port: port_id, key } = member.to;
            let port = &mut ports[port_id];
            if member.in_overflow {
                // Its record covers these already.
                port.inbox().note_given(range.first_seq + range.len - 1);
                continue;
            }
            match range.rest {
                Some((start, end)) if port.room(1) == 0 => {
                    port.overflow(&member.tap.rest, key, range.first_seq, start, end);
                    member.in_overflow = true;
                    if range.len > 0 {
                        port.inbox().note_given(range.first_seq + range.len - 1);
                    }
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
        self.sources[id].state().clear_want(self.keeps_wants);
        self.wait(id, full, true);
        true
    }

    /// A broadcast that may have waited waits no more: what was kept for it is free for those behind it.
    pub(super) fn has_been_placed(&mut self, id: usize) {
        if self.sources[id].age.take().is_some() {
            self.again |= !self.full.is_empty();
        }
    }

    /// Takes the members of a broadcaster, or of an outbox's target, into the hand.
    pub(super) fn take_members(&mut self, id: usize, target: Option<u16>) -> Vec<Member> {
        fan_of(&mut self.sources, id, target)
            .map_or_else(Vec::new, |fan| std::mem::take(&mut fan.members))
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
        let start = match (&membership.given, target) {
            (Some((_, start)), _) => *start,
            (None, None) => self.sources[id].stamped,
            (None, Some(target)) => self.target_mut(id, target).map_or(0, |target| target.stamped),
        };
        let Some(fan) = fan_of(&mut self.sources, id, target) else {
            unreachable!("a group's lane has members")
        };
        // Before anything that follows is handed out.
        membership.tap.begin_at(start);
        // The newcomer has never heard the lane, and may sleep: it wants to hear of it. See `Core::collect`.
        fan.lane.set_want();
        fan.members.push(Member { tap: membership.tap, to, start, in_overflow: false });
        self.ports[to.port].add_broadcaster(id);
        self.members_joined = true;
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
        let position = match target {
            None => self.sources[id].stamped,
            Some(target) => self.target_mut(id, target).map_or(0, |target| target.stamped),
        };
        self.end_of(id, member, position);
        // It may have waited for that member's inbox.
        self.look_again(id);
        self.authors.push(id);
    }

    /// Tells a member that nothing more comes.
    pub(super) fn end_of(&mut self, id: usize, member: Member, position: u64) {
        member.tap.end_at(position);
        let to = member.to;
        if let Kind::Forwarder(_) = self.sources[id].kind {
            let Self { ports, touched, seq, .. } = self;
            let run = Run { key: to.key, len: 0, first_seq: *seq, mask: 0, last: true };
            ports[to.port].write_or_spill(run, true);
            ports[to.port].touch(to.port, touched);
        } else if !member.in_overflow {
            let end = self.sources[id].stamped;
            let first_seq = self.seq + 1;
            let range = Range { first_seq, len: 0, last: true, rest: Some((end, end)) };
            self.hand_out(&mut [member], range);
        }
        self.let_go_of(id, to.port);
    }

    /// The receiver of a member has gone.
    pub(super) fn drop_member(&mut self, id: usize, port: usize) {
        let Some(source) = self.sources.get_mut(id) else { return };
        let fans: &mut dyn Iterator<Item = &mut Fan> = match &mut source.kind {
            Kind::Fan(fan) => &mut std::iter::once(fan),
            Kind::Outbox(outlets) => {
                &mut outlets.targets.iter_mut().flatten().filter_map(|at| at.fan.as_deref_mut())
            }
            Kind::Forwarder(forwarding) => match &mut forwarding.to {
                Audience::All(fan) => &mut std::iter::once(fan),
                Audience::One(_) => return,
            },
            Kind::Lane { .. } => return,
        };
        let mut at = fans.filter_map(|fan| {
            let at = fan.members.iter().position(|member| member.to.port == port)?;
            Some(fan.members.swap_remove(at))
        });
        if at.next().is_some() {
            // That it may have been the last is for nobody to hear.
            self.ports[port].end_source();
        }
    }

    /// A membership is over.
    pub(super) fn let_go_of(&mut self, id: usize, port: usize) {
        self.ports[port].remove_broadcaster(id);
        self.end_source(port);
    }

    fn target_mut(&mut self, id: usize, target: u16) -> Option<&mut Target> {
        let Kind::Outbox(outlets) = &mut self.sources[id].kind else { return None };
        outlets.targets.get_mut(usize::from(target))?.as_mut()
    }
}

impl Fan {
    /// In a follower: a member whose inbox has no room for the message at a position; it will be heard of when it has.
    pub(super) fn full_member(&self, position: u64, ports: &mut Slab<Port>) -> Option<usize> {
        let readers = self.members.iter().filter(|member| member.start <= position);
        readers.map(|member| member.to.port).find(|&port| !ports[port].has_room_or_waits(true))
    }

    /// In a follower: where the next member begins after a position.
    pub(super) fn next_start(&self, position: u64) -> Option<u64> {
        self.members.iter().map(|member| member.start).filter(|&start| start > position).min()
    }

    /// In a follower: hands a run out that begins at a position, to those who have begun there.
    pub(super) fn forward(
        &self,
        run: Run,
        position: u64,
        ports: &mut Slab<Port>,
        touched: &mut Vec<usize>,
    ) {
        for member in &self.members {
            let Destination { port, key } = member.to;
            let run = match member.start <= position {
                true => Run { key, ..run },
                false if run.last => Run { key, len: 0, mask: 0, ..run },
                false => continue,
            };
            ports[port].write_or_spill(run, true);
            ports[port].touch(port, touched);
        }
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
        (Kind::Forwarder(forwarding), None) => match &mut forwarding.to {
            Audience::All(fan) => Some(fan),
            Audience::One(_) => None,
        },
        (Kind::Outbox(Outlets { targets, .. }), Some(target)) => {
            targets.get_mut(usize::from(target))?.as_mut()?.fan.as_deref_mut()
        }
        _ => None,
    }
}
