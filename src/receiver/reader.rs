//! What a receiver has been handed and has not read: the run at hand, then the inbox, then its overflow list.
//!
//! A reader follows the inbox and keeps the reading ends of the lanes that it names. It meets a lane with the lane's
//! first run, fetches its slots from the [`Port`]'s table, and forgets it after its last.

use super::Seq;
use crate::address::Port;
use crate::drive::Shared;
use crate::inbox::{Inbox, InboxReader};
use crate::order::Walk;
use crate::ring::Consumer;
use crate::sync::{Arc, Ordering::Relaxed};

/// See the module's documentation.
pub(super) struct Reader<T> {
    shared: Arc<Shared>,
    port: Arc<Port<T>>,
    inbox: InboxReader,
    /// The lanes that have spoken, by key.
    lanes: Vec<Option<Consumer<T>>>,
    run: Option<CurrentRun>,
    /// What was taken from the overflow list and not yet read: its oldest record, by key.
    rest: Option<u32>,
    /// Keys of lanes that had a run since the receiver last slept,
    heard: Vec<u32>,
    /// and by key, whether it stands there.
    is_heard: Vec<bool>,
}

/// The run at hand. How much of it is left the lane's consumer knows.
struct CurrentRun {
    key: u32,
    last: bool,
    numbers: Numbers,
}

enum Numbers {
    /// The next message has this one.
    Adjacent(u64),
    /// As they stand in the rest of an outbox's order ring.
    Walk(Walk),
}

impl<T: Send + 'static> Reader<T> {
    pub(super) fn new(shared: Arc<Shared>, port: Arc<Port<T>>) -> Self {
        let inbox = InboxReader::new(port.inbox.clone());
        Self {
            shared,
            port,
            inbox,
            lanes: Vec::new(),
            run: None,
            rest: None,
            heard: Vec::new(),
            is_heard: Vec::new(),
        }
    }

    pub(super) fn inbox(&self) -> &Arc<Inbox> {
        self.inbox.inbox()
    }

    /// The next message that is there, with its number; its slot is given back.
    #[inline]
    pub(super) fn take(&mut self) -> Option<(Seq, T)> {
        loop {
            if let Some(run) = &mut self.run {
                let lane = self.lanes[run.key as usize].as_mut().expect("a run's lane is known");
                if let Some(value) = lane.take() {
                    let number = run.numbers.next();
                    lane.give_back();
                    return Some((Seq::new(number), value));
                }
            }
            if !self.find_run() {
                return None;
            }
        }
    }

    /// Hands up to `max` of those that are there to `f`; how many.
    pub(super) fn take_batch(&mut self, max: usize, mut f: impl FnMut(Seq, T)) -> usize {
        let batch = Batch { reader: self };
        let mut taken = 0;
        while taken < max {
            let reader = &mut *batch.reader;
            let Some(run) = &mut reader.run else { break };
            let lane = reader.lanes[run.key as usize].as_mut().expect("a run's lane is known");
            while taken < max
                && let Some(value) = lane.take()
            {
                lane.give_back_quarter();
                taken += 1;
                f(Seq::new(run.numbers.next()), value);
            }
            if taken < max {
                lane.give_back();
                reader.find_run();
            }
        }
        taken
    }

    /// Wants to hear of the next message of each lane that it had a run of since it last slept.
    pub(super) fn ask_for_attention(&mut self) {
        for key in self.heard.drain(..) {
            self.is_heard[key as usize] = false;
            if let Some(lane) = &self.lanes[key as usize] {
                lane.state().set_want();
            }
        }
    }

    /// Makes sure that the run at hand has something left: goes on to the next if not. False if there is none.
    pub(super) fn find_run(&mut self) -> bool {
        loop {
            if let Some(run) = &self.run {
                let lane = self.lanes[run.key as usize].as_ref().expect("a run's lane is known");
                if lane.has_more() {
                    return true;
                }
                self.finish_run();
            }
            if !self.next_run() {
                return false;
            }
        }
    }

    /// The run at hand is read to its end.
    fn finish_run(&mut self) {
        let Some(run) = self.run.take() else { return };
        if run.last {
            // Its slots go back to nobody. Then the key is free for another lane.
            drop(self.lanes[run.key as usize].take());
            self.port.withdraw(run.key);
        }
    }

    /// Takes up the next run: of the overflow list, if one was taken; of the inbox; of a new overflow list, when the
    /// ring is empty (nothing can enter it while the list is not).
    fn next_run(&mut self) -> bool {
        if self.rest.is_some() {
            self.take_up_rest();
            return true;
        }
        if self.take_up_entry() {
            return true;
        }
        if !self.inbox.has_overflow() {
            return false;
        }
        // What stands in the ring is older than the list.
        if self.take_up_entry() {
            return true;
        }
        self.take_overflow();
        self.take_up_rest();
        true
    }

    fn take_up_entry(&mut self) -> bool {
        let Some((run, waited)) = self.inbox.next() else { return false };
        if waited {
            self.shared.kick();
        }
        self.begin(run.key, u64::from(run.len), run.last, Numbers::Adjacent(run.first_seq));
        true
    }

    /// Takes the overflow list and turns it round: it is linked from the newest to the oldest.
    fn take_overflow(&mut self) {
        let (mut newest, kick) = self.inbox.take_overflow();
        if kick {
            self.shared.kick();
        }
        let mut younger = 0;
        while let Some(key) = newest {
            let lane = self.port.lane(key);
            let next = &lane.state().rest.next;
            // Relaxed, both: the record is this receiver's since it took the list.
            newest = next.load(Relaxed).checked_sub(1);
            next.store(younger, Relaxed);
            younger = key + 1;
        }
        self.rest = younger.checked_sub(1);
    }

    fn take_up_rest(&mut self) {
        let Some(key) = self.rest else { return };
        let lane = self.port.lane(key);
        let rest = &lane.state().rest;
        // Relaxed, all four: see `take_overflow`.
        self.rest = rest.next.load(Relaxed).checked_sub(1);
        let (start, end) = (rest.start.load(Relaxed), rest.end.load(Relaxed));
        let first_seq = rest.first_seq.load(Relaxed);
        match lane.order() {
            None => self.begin(key, end - start, true, Numbers::Adjacent(first_seq)),
            Some((ring, target)) => {
                let walk = Walk::new(ring.clone(), *target, start, end, first_seq);
                self.begin(key, walk.len(), true, Numbers::Walk(walk));
            }
        }
    }

    /// Begins a run of `len` messages of a lane, which the receiver may meet with it.
    fn begin(&mut self, key: u32, len: u64, last: bool, numbers: Numbers) {
        let index = key as usize;
        if self.lanes.len() <= index {
            self.lanes.resize_with(index + 1, || None);
            self.is_heard.resize(index + 1, false);
        }
        self.lanes[index].get_or_insert_with(|| Consumer::new(self.port.lane(key))).grant(len);
        if !std::mem::replace(&mut self.is_heard[index], true) {
            self.heard.push(key);
        }
        self.run = Some(CurrentRun { key, last, numbers });
    }

    /// The number of the next message that is there.
    pub(super) fn next_number(&mut self) -> Option<u64> {
        if !self.find_run() {
            return None;
        }
        self.run.as_mut().map(|run| run.numbers.peek())
    }
}

impl Numbers {
    #[inline]
    fn next(&mut self) -> u64 {
        match self {
            Self::Adjacent(next) => {
                *next += 1;
                *next - 1
            }
            Self::Walk(walk) => walk.next(),
        }
    }

    fn peek(&mut self) -> u64 {
        match self {
            Self::Adjacent(next) => *next,
            Self::Walk(walk) => walk.peek(),
        }
    }
}

/// A batch under way: gives the slots back when it ends, also by a panic.
struct Batch<'a, T> {
    reader: &'a mut Reader<T>,
}

impl<T> Drop for Batch<'_, T> {
    fn drop(&mut self) {
        if let Some(run) = &self.reader.run
            && let Some(lane) = &mut self.reader.lanes[run.key as usize]
        {
            lane.give_back();
        }
    }
}
