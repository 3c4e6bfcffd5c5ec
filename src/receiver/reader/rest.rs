//! What did not fit into the inbox: its overflow list, from the oldest record to the newest.
//!
//! A record is the rest of an ended lane; a part of the frozen order ring of an ended outbox, which is walked; or a
//! letter. Those of one outbox that reaches the receiver by several ways are read together.

use super::{LETTER, Reader, SPILLED};
use crate::address::Inlet;
use crate::inbox::Run;
use crate::order::{Joint, Piece, Walk};
use crate::sync::Arc;

impl<T: Send + 'static> Reader<T> {
    /// Takes the overflow list and turns it round: it is linked from the newest to the oldest.
    pub(super) fn take_overflow(&mut self) {
        if self.inbox.has_spilled() {
            let waited = self.inbox.take_spilled(&mut self.spilled);
            self.rest = Some(SPILLED);
            if waited {
                self.shared.kick();
            }
            return;
        }
        let ((mut newest, waited), mut younger) = (self.inbox.take_overflow(), None);
        while let Some(key) = newest {
            newest = self.port.look_at_rest(key, |rest| {
                let older = rest.next();
                rest.link(younger);
                older
            });
            younger = Some(key);
        }
        self.rest = younger;
        // Last: it may call a hook, and that may panic.
        if waited {
            self.shared.kick();
        }
    }

    pub(super) fn take_up_rest(&mut self) {
        let Some(key) = self.rest else { return };
        if key == SPILLED {
            return self.take_up_spilled();
        }
        if key & LETTER != 0 {
            let letter = self.port.letter(key);
            self.rest = letter.rest.next();
            let (number, ..) = letter.rest.read();
            self.notice = Some((number, letter));
            return;
        }
        let inlet = self.port.inlet(key);
        self.rest = inlet.rest().next();
        let (first_seq, start, end) = inlet.rest().read();
        if self.join_ways(key, &inlet) {
            self.take_up_piece();
            return;
        }
        match inlet.lane.order() {
            None => self.begin(key, end - start, true, first_seq, 0),
            Some((ring, target)) => {
                let walk = Walk::new(ring.clone(), *target, start, end, first_seq);
                self.begin(key, walk.len(), true, first_seq, 0);
                if let Some(current) = &mut self.current {
                    current.numbers.walk = Some(Box::new(walk));
                }
            }
        }
    }

    /// Whether the record that was taken up, and those that follow, are of one outbox that reaches this receiver by
    /// several ways: then they are read together, in the order of their numbers.
    fn join_ways(&mut self, key: u32, inlet: &Inlet<T>) -> bool {
        let Some((ring, target)) = inlet.lane.order() else { return false };
        let mut joint: Option<Joint> = None;
        while let Some(next) = self.rest.filter(|key| key & LETTER == 0) {
            let other = self.port.inlet(next);
            let Some((of, its_target)) = other.lane.order() else { break };
            if !Arc::ptr_eq(of, ring) {
                break;
            }
            let joint = joint.get_or_insert_with(|| {
                let mut joint = Joint::new(ring.clone());
                let (first_seq, start, end) = inlet.rest().read();
                joint.add(key, *target, first_seq, start, end);
                joint
            });
            let (first_seq, start, end) = other.rest().read();
            joint.add(next, *its_target, first_seq, start, end);
            self.rest = other.rest().next();
        }
        self.joint = joint.map(Box::new);
        self.joint.is_some()
    }

    /// Takes up the next messages of an outbox that reaches this receiver by several ways. False if there are none.
    pub(super) fn take_up_piece(&mut self) -> bool {
        let Some(joint) = &mut self.joint else { return false };
        let Some(Piece { key, len, walk, last }) = joint.next() else {
            self.joint = None;
            return false;
        };
        self.begin(key, len, last, 0, 0);
        if let Some(current) = &mut self.current {
            current.numbers.walk = Some(Box::new(walk));
        }
        true
    }

    fn take_up_spilled(&mut self) {
        let run = self.spilled.pop_front();
        if self.spilled.is_empty() {
            self.rest = None;
        }
        if let Some(Run { key, len, first_seq, mask, last }) = run {
            self.begin(key, u64::from(len), last, first_seq, mask);
        }
    }
}
