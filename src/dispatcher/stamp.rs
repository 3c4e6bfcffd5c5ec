//! Turns: giving numbers, and handing the runs out.
//!
//! A turn is one run of a lane, for its receiver or for several ([`fan`](super::fan)), or a bounded number of
//! messages of an outbox ([`outbox`](super::outbox)); sources take turns until all that was collected is stamped or
//! waits. What finds no room waits in its inbox's list, in order of arrival: whoever comes later does not go first,
//! also if room appears meanwhile. (A rotating start alone would serve one of two lanes for one inbox, and never
//! the other.)
//!
//! **An ended source never waits**: its rest is stamped at once, past a full ring if need be.

use super::Core;
use super::source::{Kind, Phase};
use crate::inbox::Run;

/// How many messages of one source get their numbers in one turn, so that the others are not far behind.
pub(super) const BURST: u64 = 1024;

impl Core {
    /// Turn by turn, until nothing is left of what was collected.
    pub(super) fn stamp(&mut self) {
        let mut work = std::mem::take(&mut self.work);
        while !work.is_empty() {
            work.retain(|&id| {
                let served = self.take_promise(id);
                match &self.sources[id].kind {
                    Kind::Lane { .. } => self.turn_of_lane(id, served.is_some()),
                    Kind::Fan(_) => self.turn_of_fan(id, served),
                    Kind::Outbox(_) => self.turn_of_outbox(id, served),
                    Kind::Forwarder(_) => unreachable!("a follower merges"),
                }
            });
        }
        self.work = work;
    }

    /// Where a source has waited that now takes the turn which it was promised.
    fn take_promise(&mut self, id: usize) -> Option<usize> {
        let source = &mut self.sources[id];
        let Phase::Served { port: id_of_port } = source.phase else { return None };
        source.phase = Phase::Hot;
        if let Some(port) = self.ports.get_mut(id_of_port) {
            port.promised -= 1;
        }
        Some(id_of_port)
    }

    /// True if the lane has more to be stamped in this pass.
    fn turn_of_lane(&mut self, id: usize, served: bool) -> bool {
        let Self { sources, ports, touched, seq, keeps_wants, .. } = self;
        let source = &mut sources[id];
        let Kind::Lane { lane, to } = &source.kind else { unreachable!("a lane's turn") };
        let (to, rest) = (*to, source.seen - source.stamped);
        let port = &mut ports[to.port];
        if port.gone || (source.ended && source.seen == 0) {
            self.release_lane(id, to.port);
            return false;
        }
        // Before the entry: whoever reads that may go to sleep, and want to hear again.
        lane.clear_want(*keeps_wants);
        if !source.ended && port.must_wait(served) {
            self.wait(id, to.port, false);
            return false;
        }
        let len = if source.ended { rest } else { rest.min(BURST) };
        if !source.ended || port.has_room_for_one() {
            port.write(Run {
                key: to.key,
                len: len as u32,
                first_seq: *seq + 1,
                mask: 0,
                last: source.ended,
            });
        } else {
            port.overflow(&lane.rest, to.key, *seq + 1, source.stamped, source.seen);
            if len > 0 {
                port.inbox().note_given(*seq + len);
            }
        }
        port.touch(to.port, touched);
        *seq += len;
        source.stamped += len;
        lane.stamp(source.stamped, *seq);
        if source.ended {
            self.release_lane(id, to.port);
            return false;
        }
        len < rest
    }

    /// Puts a source into the list of those that wait for room at a port; with `all`, for a broadcast. But for one that
    /// has ended since it was collected, or whose end was put off: where it waits nobody would look for that.
    pub(super) fn wait(&mut self, id: usize, port_id: usize, all: bool) {
        if self.sources[id].published().1 {
            self.again = true;
            return;
        }
        let (port, source) = (&mut self.ports[port_id], &mut self.sources[id]);
        let ticket = source.age.unwrap_or_else(|| {
            self.tickets += 1;
            self.tickets
        });
        source.age = all.then_some(ticket);
        port.enqueue(id, source, ticket, all);
        self.scan.has_left();
        if !port.is_full {
            port.is_full = true;
            self.full.push(port_id);
        }
    }

    /// Lets go of a lane, which is stamped to its end or whose receiver has gone.
    fn release_lane(&mut self, id: usize, port: usize) {
        self.let_go_of_source(id);
        self.end_source(port);
    }

    pub(super) fn end_source(&mut self, port: usize) {
        if self.ports[port].end_source() {
            self.closing.push(port);
        }
        self.forget_if_unused(port);
    }
}
