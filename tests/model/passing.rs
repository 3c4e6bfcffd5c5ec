//! Passes, and what must be true after them.

use std::collections::BTreeSet;

use mainspring::parts;

use crate::world::World;

impl World {
    pub(crate) fn pass(&self) {
        if let Some(engine) = &self.engine {
            let before = self.now();
            let did = engine.pass();
            assert!(did || self.now() == before, "a pass has numbered something and denies it");
        }
    }

    pub(crate) fn run_until_idle(&mut self) {
        if let Some(engine) = &self.engine {
            engine.run_until_idle();
            self.sync();
            let before = self.now();
            // What waits now waits for room.
            assert!(!self.engine.as_ref().unwrap().pass(), "idle, and it is not");
            assert_eq!(self.now(), before);
            self.check_gates(true);
        }
    }

    /// Everything is received. Then nothing is left anywhere, and one order explains all numbers.
    pub(crate) fn settle(&mut self) {
        if self.engine.is_none() {
            return;
        }
        // A round in which nothing comes may have taken up the end of a lane, which had filled an
        // inbox.
        let mut quiet = 0;
        while quiet <= self.lanes.len() {
            quiet += 1;
            self.run_until_idle();
            self.sync();
            for rx in 0..self.receivers.len() {
                while self.receivers[rx].end.is_some() && self.recv_one(rx) {
                    quiet = 0;
                }
            }
        }
        for lane in &self.lanes {
            assert_eq!(lane.unread.len(), 0, "sent, and never received");
        }
        for out in self.outboxes.iter().filter_map(|out| out.end.as_ref()) {
            assert!(out.is_empty(), "{} messages of an outbox without a number", out.len());
        }
        self.history.explain(self.now());
    }

    /// Takes note of the passes that there have been since the last look.
    pub(crate) fn sync(&mut self) {
        let Some(engine) = &self.engine else { return };
        let passes = parts::passes(engine).expect("nobody else is there");
        if passes == self.passes {
            assert_eq!(self.now(), self.seen, "the clock moves in passes");
            return;
        }
        let now = self.now();
        let before = std::mem::replace(&mut self.seen, now);
        assert!(self.seen >= before, "the clock went back");
        self.passes = passes;
        for receiver in &mut self.receivers {
            receiver.joined_at.get_or_insert(before);
        }
        self.settle_marks();
        self.expect_messages();
        self.stamp_words();
        self.finish_lanes();
        self.history.check_clock(self.seen);
    }

    /// A receiver that had taken everything, and to which nobody has just ended, has room for an
    /// entry; if one of its senders has something, it is handed out.
    fn expect_messages(&mut self) {
        for (rx, receiver) in self.receivers.iter_mut().enumerate() {
            let mut lanes = self.lanes.iter().filter(|lane| lane.rx == rx);
            let sent = lanes.clone().any(|lane| !lane.of_outbox && !lane.unread.is_empty());
            let ending = lanes.any(|lane| lane.ended && !lane.finished);
            // A notice may have taken the room.
            let is_told = !receiver.notices.is_empty();
            receiver.must |= receiver.drained && sent && !ending && !is_told;
            receiver.drained = false;
        }
    }

    /// The words of an outbox are stamped in order; all of them once it has ended.
    fn stamp_words(&mut self) {
        for (nth, out) in self.outboxes.iter_mut().enumerate() {
            let left = out.end.as_ref().map_or(0, |end| end.len() as u64);
            assert!(left <= out.words - out.stamped, "a word was stamped twice");
            out.stamped = out.words - left;
            while let Some(&(word, id)) = out.pending.front()
                && word < out.stamped
            {
                out.pending.pop_front();
                let to = self.targets.iter().filter(|aim| aim.out == nth).map(|aim| aim.lane);
                let unread = to.filter(|&lane| self.lanes[lane].unread.contains(&id)).count();
                // Otherwise its receiver has gone, perhaps before.
                if unread > 0 {
                    self.history.stamped(id);
                }
            }
        }
    }

    /// A receiver has closed when the last of the lanes to it has been let go of.
    fn finish_lanes(&mut self) {
        for (lane, out) in
            self.targets.iter().map(|aim| (aim.lane, (&self.outboxes[aim.out], aim.words_end)))
        {
            let (out, words_end) = out;
            let lane = &mut self.lanes[lane];
            lane.finished = lane.ended && (out.end.is_none() || out.stamped >= words_end);
        }
        let open: BTreeSet<usize> = self
            .lanes
            .iter_mut()
            .filter_map(|lane| {
                lane.finished |= lane.ended && !lane.of_outbox;
                (!lane.finished).then_some(lane.rx)
            })
            .collect();
        for (rx, receiver) in self.receivers.iter_mut().enumerate() {
            receiver.closed |= receiver.end.is_some() && receiver.had_source && !open.contains(&rx);
        }
    }

    /// What can be seen from outside at any time.
    pub(crate) fn check(&self) {
        self.check_gates(false);
        for (rx, receiver) in self.receivers.iter().enumerate() {
            let Some(end) = &receiver.end else { continue };
            let lanes = self.lanes.iter().filter(|lane| lane.rx == rx);
            assert_eq!(end.is_closed(), receiver.closed, "receiver {rx} is closed");
            assert_eq!(end.joined_at(), receiver.joined_at, "receiver {rx} joined");
            assert_eq!(end.len(), lanes.map(|lane| lane.unread.len()).sum::<usize>());
        }
        for sender in &self.senders {
            let Some(end) = &sender.end else { continue };
            let lane = &self.lanes[sender.lane];
            assert_eq!(end.len(), lane.unread.len());
            assert_eq!(end.capacity(), lane.capacity);
            assert_eq!(end.is_closed(), self.receivers[lane.rx].end.is_none());
        }
        for out in &self.outboxes {
            let Some(end) = &out.end else { continue };
            assert_eq!(end.len() as u64, out.words - out.stamped);
            assert_eq!(end.is_empty(), out.words == out.stamped);
        }
    }
}
