//! The steps that send: what is accepted, what comes back and why.

use mainspring::{Reason, StampedError};

use crate::ends::{Sent, SentBatch};
use crate::parcel::Parcel;
use crate::world::{Aim, World};

impl World {
    /// `Full` exactly when the lane holds its capacity unread, `Closed` exactly when the receiver
    /// has gone; the value comes back. With `may_wait` by `send`, where that does not wait.
    pub(crate) fn send(&mut self, tx: usize, may_wait: bool) {
        let Some(tx) = self.live_sender(tx) else { return };
        let (lane, handle) = (self.senders[tx].lane, self.senders[tx].handle);
        let gone = self.is_gone(lane);
        let waits = !gone && self.room(lane) == 0;
        let above = self.now();
        let parcel = self.ledger.parcel();
        let id = parcel.id;
        let end = self.senders[tx].end.as_mut().unwrap();
        let sent = if may_wait && !waits { end.send(parcel) } else { end.try_send(parcel) };
        match sent {
            Sent::Done => {
                assert!(!gone && !waits, "accepted: {gone} {waits}");
                self.accept(id, handle, lane, above);
            }
            Sent::Full(back) => assert!(waits && back.id == id, "full with room"),
            Sent::Closed(back) => {
                assert!(gone && back.id == id, "closed with a receiver");
                self.lanes[lane].refused = true;
            }
            Sent::UnknownTarget(_) => unreachable!("a sender has no targets"),
        }
    }

    /// All are accepted, as many as have room; if the receiver has gone, all come back in order.
    pub(crate) fn send_batch(&mut self, tx: usize, len: usize) {
        let Some(tx) = self.live_sender(tx) else { return };
        let (lane, handle) = (self.senders[tx].lane, self.senders[tx].handle);
        let gone = self.is_gone(lane);
        let len = if gone { len } else { len.min(self.room(lane)) };
        let above = self.now();
        let (ids, parcels) = self.parcels(len);
        let batch = self.senders[tx].end.as_mut().unwrap().send_batch(parcels);
        let refused = gone && len > 0;
        check_batch(&batch, &ids, refused.then_some(Reason::Closed));
        self.lanes[lane].refused |= gone;
        if !refused {
            ids.into_iter().for_each(|id| self.accept(id, handle, lane, above));
        }
    }

    /// As [`send`](Self::send); also `Full` when the order ring is full, and `UnknownTarget`
    /// exactly when the target was removed or is another outbox's.
    pub(crate) fn out_send(&mut self, out: usize, target: usize, may_wait: bool, stray: bool) {
        let Some((out, mut target)) = self.live_target(out, target) else { return };
        if stray {
            target = (target + 1) % self.targets.len();
        }
        let aim = self.targets[target];
        let unknown = aim.out != out || self.lanes[aim.lane].ended;
        let gone = self.is_gone(aim.lane);
        let ring_full = self.words_free(out) == 0;
        if ring_full && gone && self.setup.callers {
            // Whether it takes a word depends on the pass that it runs.
            return;
        }
        let waits = ring_full || (!gone && self.room(aim.lane) == 0);
        let above = self.now();
        let parcel = self.ledger.parcel();
        let id = parcel.id;
        let end = self.outboxes[out].end.as_mut().unwrap();
        let sent = if may_wait && (!waits || unknown) {
            aim.token.send(end, parcel)
        } else {
            aim.token.try_send(end, parcel)
        };
        match sent {
            Sent::Done => {
                assert!(!unknown && !gone && self.room(aim.lane) > 0, "{unknown} {gone}");
                assert!(!ring_full || self.setup.callers, "accepted by a full ring");
                self.accept_word(id, target, above);
            }
            Sent::Full(back) => {
                self.sync();
                assert!(!unknown && !gone && back.id == id, "{unknown} {gone}");
                let full = self.words_free(out) == 0 || self.room(aim.lane) == 0;
                assert!(full, "full with room");
            }
            Sent::Closed(back) => {
                assert!(!unknown && gone && back.id == id, "{unknown} {gone}");
                let refused = std::mem::replace(&mut self.lanes[aim.lane].refused, true);
                self.lose_words(target, u64::from(!refused && !ring_full));
            }
            Sent::UnknownTarget(back) => assert!(unknown && back.id == id, "a target is unknown"),
        }
    }

    /// As [`send_batch`](Self::send_batch).
    pub(crate) fn out_send_batch(&mut self, out: usize, target: usize, len: usize) {
        let Some((out, target)) = self.live_target(out, target) else { return };
        let aim = self.targets[target];
        let gone = self.is_gone(aim.lane);
        let lane = &self.lanes[aim.lane];
        let unknown = lane.ended;
        if gone && !lane.refused && self.setup.callers {
            // Whether they take words depends on when the outbox last looked for room.
            return;
        }
        let room = if gone { lane.capacity } else { self.room(aim.lane) };
        let len = len.min(room).min(self.words_free(out));
        let above = self.now();
        let (ids, parcels) = self.parcels(len);
        let batch = aim.token.send_batch(self.outboxes[out].end.as_mut().unwrap(), parcels);
        if unknown {
            check_batch(&batch, &ids, Some(Reason::UnknownTarget));
        } else if gone {
            check_batch(&batch, &ids, (len > 0).then_some(Reason::Closed));
            let refused = std::mem::replace(&mut self.lanes[aim.lane].refused, true);
            let out = &self.outboxes[out];
            let words = match refused {
                true => 0,
                false => out.end.as_ref().unwrap().len() as u64 - (out.words - out.stamped),
            };
            assert!(words <= len as u64, "{words} words for {len} in vain");
            self.lose_words(target, words);
        } else {
            check_batch(&batch, &ids, None);
            ids.into_iter().for_each(|id| self.accept_word(id, target, above));
        }
    }

    /// The number of the last message, where asking does not wait: all was received, or the
    /// receiver has gone.
    pub(crate) fn stamped(&mut self, tx: usize) {
        let Some(tx) = self.live_sender(tx) else { return };
        let lane = self.senders[tx].lane;
        let gone = self.is_gone(lane);
        if !gone && !self.lanes[lane].unread.is_empty() {
            return;
        }
        let result = self.senders[tx].end.as_mut().unwrap().stamped();
        let refused = self.lanes[lane].refused;
        match (self.lanes[lane].last, result) {
            (Some(last), Ok(number)) => {
                if let Some(known) = self.history.number(last) {
                    assert_eq!(number, known);
                } else {
                    assert!(gone, "a number that nobody had seen");
                    self.history.learn(last, number);
                }
            }
            (None, Err(error)) => {
                assert!(error == StampedError::NothingSent || refused, "{error:?}");
            }
            (Some(last), Err(error)) => {
                assert_eq!(error, StampedError::Closed);
                assert!(gone);
                // After a value that came back the engine does not tell.
                if !refused {
                    assert_eq!(self.history.number(last), None);
                    self.history.never(last);
                }
            }
            (None, Ok(number)) => panic!("{number} for no message"),
        }
    }

    fn parcels(&self, len: usize) -> (Vec<usize>, Vec<Parcel>) {
        let parcels: Vec<Parcel> = (0..len).map(|_| self.ledger.parcel()).collect();
        (parcels.iter().map(|parcel| parcel.id).collect(), parcels)
    }

    fn accept(&mut self, id: usize, handle: usize, lane: usize, above: u64) {
        self.history.sent(id, handle, above);
        let lane = &mut self.lanes[lane];
        lane.unread.push_back(id);
        lane.last = Some(id);
    }

    fn accept_word(&mut self, id: usize, target: usize, above: u64) {
        let Aim { out, lane, .. } = self.targets[target];
        self.accept(id, self.outboxes[out].handle, lane, above);
        let out = &mut self.outboxes[out];
        out.pending.push_back((out.words, id));
        out.words += 1;
        self.targets[target].words_end = out.words;
    }

    /// Words for values that came back: they take room in the ring until a pass has passed over
    /// them.
    fn lose_words(&mut self, target: usize, words: u64) {
        let aim = &mut self.targets[target];
        let out = &mut self.outboxes[aim.out];
        out.words += words;
        aim.words_end = out.words;
    }

    fn is_gone(&self, lane: usize) -> bool {
        self.receivers[self.lanes[lane].rx].end.is_none()
    }

    fn room(&self, lane: usize) -> usize {
        self.lanes[lane].capacity - self.lanes[lane].unread.len()
    }

    fn words_free(&self, out: usize) -> usize {
        let out = &self.outboxes[out];
        self.setup.capacity.next_power_of_two() - (out.words - out.stamped) as usize
    }
}

fn check_batch(batch: &SentBatch, ids: &[usize], reason: Option<Reason>) {
    let back: Vec<usize> = batch.back.iter().map(|parcel| parcel.id).collect();
    assert_eq!(batch.reason, reason);
    if reason.is_some() {
        assert_eq!((batch.sent, back.as_slice()), (0, ids));
    } else {
        assert_eq!((batch.sent, back.len()), (ids.len(), 0));
    }
}
