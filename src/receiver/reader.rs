//! What a receiver has been handed and has not read: the run at hand, then the inbox, then its overflow list.
//!
//! A reader follows the inbox and keeps the reading ends of the lanes that it names. It meets a lane with the lane's
//! first run, fetches its slots from the [`Port`]'s table, and forgets it after its last.

mod rest;

use std::collections::VecDeque;

use super::Seq;
use super::numbers::Numbers;
use crate::address::{Inlet, Port};
use crate::dispatcher::{Core, Short};
use crate::drive::Shared;
use crate::inbox::{Inbox, InboxReader, Run};
use crate::notice::{LETTER, Letter, Letterbox, Notice};
use crate::order::Joint;
use crate::ring::{Consumer, Lent};
use crate::sync::{Arc, GATHER};

/// A run up to this length says that messages come one by one, so that the next is worth waiting for.
const BRISK: u64 = 8;

/// So many are worth taking the core for if there is no other lane; few are not, when messages come in crowds: a pass
/// would hand out what all the others have, too.
const MANY: u64 = 32;

/// In `rest`: what was taken are runs. No key is that high.
const SPILLED: u32 = u32::MAX;

/// However many there are.
const NEVER: u64 = u64::MAX;

/// See the module's documentation.
pub(super) struct Reader<T> {
    shared: Arc<Shared>,
    port: Arc<Port<T>>,
    inbox: InboxReader,
    /// The lane of the last run, which may be read to its end.
    current: Option<Current<T>>,
    /// With so many messages of the same lane the short way is worth going.
    short: u64,
    /// The last run was long, or one of many.
    is_crowded: bool,
    /// The other lanes that have spoken, by key,
    lanes: Vec<Option<Consumer<T>>>,
    /// and how many they are.
    others: usize,
    /// Everything up to here was taken or passed over, as of the last run.
    passed: u64,
    /// What was taken from the overflow list and not yet read: its oldest record, by key.
    rest: Option<u32>,
    /// Several of them, which are read together.
    joint: Option<Box<Joint>>,
    /// In a follower instead, while `rest` is [`SPILLED`].
    spilled: VecDeque<Run>,
    /// A notice that comes next.
    notice: Option<(u64, Arc<Letter>)>,
    /// Keys of lanes that had a run since the receiver last slept,
    heard: Vec<u32>,
    /// and by key, whether it stands there.
    is_heard: Vec<bool>,
}

/// A lane and its run at hand. How much of that is left the consumer knows.
struct Current<T> {
    key: u32,
    last: bool,
    lane: Consumer<T>,
    numbers: Numbers,
}

impl<T: Send + 'static> Reader<T> {
    pub(super) fn new(shared: Arc<Shared>, port: Arc<Port<T>>) -> Self {
        let inbox = InboxReader::new(port.inbox.clone());
        Self {
            shared,
            port,
            inbox,
            current: None,
            short: NEVER,
            is_crowded: false,
            lanes: Vec::new(),
            others: 0,
            passed: 0,
            rest: None,
            joint: None,
            spilled: VecDeque::new(),
            notice: None,
            heard: Vec::new(),
            is_heard: Vec::new(),
        }
    }

    pub(super) fn inbox(&self) -> &Arc<Inbox> {
        self.inbox.inbox()
    }

    /// The next message of the run at hand; its slot is given back.
    #[inline]
    pub(super) fn take_of_run(&mut self) -> Option<(Seq, T)> {
        let Current { lane, numbers, .. } = self.current.as_mut()?;
        let message = lane.take(|| Seq::new(numbers.next()))?;
        lane.give_back();
        Some(message)
    }

    /// Whether the run at hand has a message left, which then is to be lent at once.
    #[inline]
    pub(super) fn begin_lending(&mut self) -> bool {
        self.current.as_mut().is_some_and(|current| current.lane.begin_lending())
    }

    /// Lends it.
    #[inline]
    pub(super) fn lend(&mut self) -> Option<(Seq, Lent<'_, T>)> {
        let Current { lane, numbers, .. } = self.current.as_mut()?;
        Some((Seq::new(numbers.next()), lane.lend()))
    }

    /// Lends up to `max` of those that are there to `f`; how many.
    pub(super) fn lend_batch(&mut self, max: usize, mut f: impl FnMut(Seq, &T)) -> usize {
        let batch = Batch { reader: self };
        let mut taken = 0;
        while taken < max && batch.reader.find_run() {
            let Some(Current { lane, numbers, .. }) = &mut batch.reader.current else { break };
            taken += lane.lend_each(max - taken, |value| f(Seq::new(numbers.next()), value));
            lane.give_back();
        }
        taken
    }

    /// Hands up to `max` of those that are there to `f`; how many.
    pub(super) fn take_batch(&mut self, max: usize, mut f: impl FnMut(Seq, T)) -> usize {
        let batch = Batch { reader: self };
        let mut taken = 0;
        while taken < max && batch.reader.find_run() {
            let Some(Current { lane, numbers, .. }) = &mut batch.reader.current else { break };
            taken += lane.take_each(max - taken, || Seq::new(numbers.next()), &mut f);
            lane.give_back();
        }
        taken
    }

    /// As [`take_batch`](Self::take_batch), of those with numbers up to `until`.
    pub(super) fn take_batch_up_to(
        &mut self,
        max: usize,
        until: u64,
        mut f: impl FnMut(Seq, T),
    ) -> usize {
        let batch = Batch { reader: self };
        let mut taken = 0;
        while taken < max && batch.reader.find_run() {
            let Some(Current { lane, numbers, .. }) = &mut batch.reader.current else { break };
            let most = usize::try_from(numbers.up_to(until)).unwrap_or(usize::MAX);
            if most == 0 {
                break;
            }
            let most = most.min(max - taken);
            taken += lane.take_each(most, || Seq::new(numbers.next()), &mut f);
            lane.give_back();
        }
        taken
    }

    /// Wants to hear of the next message of each lane that it had a run of since it last slept.
    pub(super) fn ask_for_attention(&mut self) {
        for key in self.heard.drain(..) {
            self.is_heard[key as usize] = false;
            let current = self.current.as_ref().filter(|current| current.key == key);
            let lane = current.map(|current| &current.lane);
            if let Some(lane) = lane.or(self.lanes[key as usize].as_ref()) {
                lane.state().set_want();
            }
        }
        self.inbox.count_sleep();
    }

    /// Those whom it is about to ask for attention are to pass fences, so that it need not pass a heavy barrier for
    /// each message; nor those who look whether it sleeps.
    pub(super) fn ask_for_fences(&mut self) {
        let Self { heard, current, lanes, .. } = self;
        let mut is_new = false;
        for &key in &*heard {
            let current = current.as_mut().filter(|current| current.key == key);
            let lane = current.map(|current| &mut current.lane);
            if let Some(lane) = lane.or(lanes[key as usize].as_mut()) {
                is_new |= lane.ask_for_fences();
            }
        }
        self.inbox.inbox().parker().ask_for_fences(is_new);
    }

    /// As [`ask_for_attention`](Self::ask_for_attention), if there was any.
    pub(super) fn ask_if_heard(&mut self) {
        if !self.heard.is_empty() {
            self.ask_for_attention();
        }
    }

    /// Whether the run at hand has something left.
    #[inline]
    pub(super) fn has_more(&self) -> bool {
        self.current.as_ref().is_some_and(|current| current.lane.has_more())
    }

    /// Makes sure that the run at hand has something left: goes on to the next if not. False if there is none.
    pub(super) fn find_run(&mut self) -> bool {
        loop {
            if let Some(current) = &mut self.current {
                if current.lane.has_more() {
                    return true;
                }
                current.settle(&self.port);
                self.passed = self.passed.max(current.numbers.passed());
                if current.last {
                    self.finish_lane();
                }
            }
            if !self.next_run() {
                return false;
            }
        }
    }

    /// As [`find_run`](Self::find_run), or that a notice comes next.
    pub(super) fn find_next(&mut self) -> bool {
        self.find_run() || self.notice.is_some()
    }

    /// The number of the notice that comes next, if one does, as of the last look.
    pub(super) fn next_notice(&self) -> Option<u64> {
        self.notice.as_ref().map(|(number, _)| *number)
    }

    /// Takes it.
    pub(super) fn take_notice(&mut self) -> Option<(Seq, Notice)> {
        let (number, letter) = self.notice.take()?;
        self.passed = self.passed.max(number);
        self.port.withdraw_letter(letter.key);
        Some((Seq::new(number), letter.open()?))
    }

    /// The last run of the current lane is read to its end.
    #[cold]
    fn finish_lane(&mut self) {
        let Some(current) = self.current.take() else { return };
        current.lane.finish();
        self.short = NEVER;
        // Its slots go back to nobody. Then the key is free for another lane.
        let key = current.key;
        drop(current);
        self.port.withdraw(key);
    }

    /// Takes up the next run: of the overflow list, if one was taken; of the inbox; of a new overflow list, when the
    /// ring is empty (nothing can enter it while the list is not).
    fn next_run(&mut self) -> bool {
        if self.notice.is_some() {
            return false;
        }
        if self.take_up_piece() {
            return true;
        }
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
        let Run { key, len, first_seq, mask, last } = run;
        if key & LETTER != 0 {
            self.notice = Some((first_seq, self.port.letter(key)));
        } else {
            self.begin(key, u64::from(len), last, first_seq, mask);
        }
        // Last: it may call a hook, and that may panic.
        if waited {
            self.shared.kick();
        }
        true
    }

    /// Begins a run of `len` messages of a lane, which the receiver may meet with it.
    fn begin(&mut self, key: u32, len: u64, last: bool, first_seq: u64, mask: u64) {
        if self.current.as_ref().is_none_or(|current| current.key != key) {
            self.turn_to(key);
        }
        self.go_on(len, last, first_seq, mask);
    }

    /// Begins a run of the current lane.
    #[inline]
    fn go_on(&mut self, len: u64, last: bool, first_seq: u64, mask: u64) {
        let Some(current) = &mut self.current else { return };
        current.lane.grant(len);
        current.last = last;
        current.numbers.next = first_seq;
        current.numbers.mask = mask;
        current.numbers.walk = None;
        // The numbers between its own are other targets' of the same outbox.
        self.is_crowded = len.max(u64::from(u64::BITS - mask.leading_zeros())) > BRISK;
        self.short = match last || !current.lane.is_plain() {
            true => NEVER,
            false if len <= BRISK => 1,
            false if self.others == 0 => MANY,
            false => NEVER,
        };
        if !std::mem::replace(&mut self.is_heard[current.key as usize], true) {
            self.heard.push(current.key);
        }
    }

    /// Makes a lane the current one.
    fn turn_to(&mut self, key: u32) {
        let index = key as usize;
        if self.lanes.len() <= index {
            self.lanes.resize_with(index + 1, || None);
            self.is_heard.resize(index + 1, false);
        }
        let known = self.lanes[index].take();
        self.others -= usize::from(known.is_some());
        let lane = known.unwrap_or_else(|| {
            let Inlet { lane, tap } = self.port.inlet(key);
            Consumer::new(lane, tap)
        });
        let numbers = Numbers::default();
        let next = Current { key, last: false, lane, numbers };
        if let Some(current) = self.current.replace(next) {
            self.lanes[current.key as usize] = Some(current.lane);
            self.others += 1;
        }
    }

    /// Whether the current lane has messages that were not handed out yet, and that are worth going the short way.
    #[inline]
    pub(super) fn own_lane_speaks(&self) -> bool {
        self.short != NEVER
            && self.current.as_ref().is_some_and(|current| current.lane.waiting() >= self.short)
    }

    /// How to wait for more.
    pub(super) fn pace(&self) -> u32 {
        if self.is_crowded { GATHER } else { 0 }
    }

    /// Whether messages come one by one, so that the next is worth waiting for in the same lane.
    #[inline]
    pub(super) fn is_brisk(&self) -> bool {
        self.short == 1
    }

    /// As the holder of the core: true if there is something to read now, which may have been stamped here; false if
    /// it takes a full pass; none if there is nothing yet.
    #[inline]
    pub(super) fn look_alone(&mut self, core: &mut Core) -> Option<bool> {
        let is_behind = self.rest.is_some() || self.joint.is_some() || self.notice.is_some();
        if is_behind || self.inbox.has_something() {
            return Some(true);
        }
        let Current { lane, .. } = self.current.as_ref()?;
        debug_assert!(!lane.has_more(), "what is at hand comes first");
        let (len, first_seq) = match core.stamp_own(lane.state(), self.inbox.inbox()) {
            Short::Run { len, first_seq } => (len, first_seq),
            Short::Nothing => return None,
            Short::Pass => return Some(false),
        };
        self.go_on(len, false, first_seq, 0);
        Some(true)
    }

    /// Everything up to here was taken, or passed over: it is not for this receiver any more, or its clone panicked.
    pub(super) fn passed(&self) -> u64 {
        let at_hand = self.current.as_ref().map_or(0, |current| current.numbers.passed());
        self.passed.max(at_hand)
    }

    /// The number of the next message that is there, or of the notice.
    pub(super) fn next_number(&mut self) -> Option<u64> {
        if !self.find_run() {
            return self.next_notice();
        }
        self.current.as_mut().map(|current| current.numbers.peek())
    }
}

impl<T: Send + 'static> Current<T> {
    /// The run is at its end: gives back what was lent and forgotten, and counts what was not to be read.
    fn settle(&mut self, port: &Port<T>) {
        self.lane.give_back();
        let missed = self.lane.take_missed();
        if missed > 0 {
            for _ in 0..missed {
                self.numbers.next();
            }
            port.miss(missed);
        }
    }
}

/// A batch under way: gives the slots back when it ends, also by a panic.
struct Batch<'a, T> {
    reader: &'a mut Reader<T>,
}

impl<T> Drop for Batch<'_, T> {
    fn drop(&mut self) {
        if let Some(current) = &mut self.reader.current {
            current.lane.give_back();
        }
    }
}
