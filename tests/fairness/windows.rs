//! An outbox numbers up to 64 messages at a time, for whatever targets: each receiver gets its own, with their numbers.
//!
//! A random script on one thread, and beside it the sequence that was sent. Where no receiver has left, the number of
//! each message is known beforehand.

use std::collections::VecDeque;

use mainspring::{Outbox, Receiver, Sender, Target, TryRecvError, TrySendError};

use super::ByHand;

/// Random choices that repeat.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) as usize % limit
    }

    fn one_in(&mut self, many: usize) -> bool {
        self.below(many) == 0
    }
}

/// A receiver, and what is on its way there.
struct End {
    /// None when it has gone.
    rx: Option<Receiver<usize>>,
    /// None when the outbox has removed it.
    target: Option<Target<usize>>,
    due: VecDeque<usize>,
    /// The highest number that it was told.
    told: u64,
}

struct Script {
    by_hand: ByHand,
    dice: Dice,
    out: Option<Outbox>,
    ends: Vec<End>,
    /// For each message of the outbox, which is its place here: to whom, and its number when it has come.
    sent: Vec<(usize, Option<u64>)>,
    /// A lane that speaks in between, and how often it has; its messages are `usize::MAX`.
    beside: Option<(Sender<usize>, usize)>,
    /// The numbers of those that have come.
    beside_came: Vec<u64>,
}

impl Script {
    fn new(seed: u64, targets: usize, inbox: usize, capacity: usize) -> Self {
        let by_hand = ByHand::new(inbox, capacity);
        let out = Some(by_hand.engine.outbox());
        let mut script = Self {
            by_hand,
            dice: Dice(seed),
            out,
            ends: Vec::new(),
            sent: Vec::new(),
            beside: None,
            beside_came: Vec::new(),
        };
        (0..targets).for_each(|_| script.add());
        script
    }

    fn add(&mut self) {
        let rx = self.by_hand.engine.receiver();
        let target = self.out.as_mut().map(|out| out.add(&rx.address()).unwrap());
        self.ends.push(End { rx: Some(rx), target, due: VecDeque::new(), told: 0 });
    }

    /// Sends to one target: mostly one message, sometimes a long row. False if there is no room.
    fn send(&mut self) -> bool {
        let Some(out) = &mut self.out else { return false };
        let to = self.dice.below(self.ends.len());
        let row = if self.dice.one_in(30) { self.dice.below(100) } else { 1 };
        for _ in 0..row {
            let end = &mut self.ends[to];
            let Some(target) = end.target else { break };
            let index = self.sent.len();
            match out.try_send(target, index) {
                Ok(()) => {
                    assert!(end.rx.is_some(), "it was sent to nobody");
                    end.due.push_back(index);
                    self.sent.push((to, None));
                }
                Err(TrySendError::Full(value)) => {
                    assert_eq!(value, index);
                    return false;
                }
                Err(TrySendError::Closed(value)) => {
                    assert_eq!(value, index);
                    assert!(end.rx.is_none(), "it has not gone");
                    break;
                }
                Err(_) => panic!("it was not removed"),
            }
        }
        true
    }

    fn send_beside(&mut self) {
        if let Some((tx, sent)) = &mut self.beside {
            *sent += usize::from(tx.try_send(usize::MAX).is_ok());
        }
    }

    /// Reads from one receiver, no more than `max`: what comes is what is due. How many.
    fn read(&mut self, from: usize, max: usize) -> usize {
        let End { rx: Some(rx), due, told, .. } = &mut self.ends[from] else { return 0 };
        for taken in 0..max {
            let Ok((seq, value)) = rx.try_recv() else { return taken };
            assert!(seq.get() > *told, "receiver {from}: {seq} after {told}");
            *told = seq.get();
            if value == usize::MAX {
                self.beside_came.push(seq.get());
            } else {
                assert_eq!(due.pop_front(), Some(value), "receiver {from}");
                self.sent[value].1 = Some(seq.get());
            }
        }
        max
    }

    /// Reads everything, until nothing comes any more.
    fn read_all(&mut self) {
        loop {
            self.by_hand.engine.run_until_idle();
            let read: usize = (0..self.ends.len()).map(|end| self.read(end, usize::MAX)).sum();
            if read == 0 {
                break;
            }
        }
        for (nth, end) in self.ends.iter().enumerate() {
            assert!(end.rx.is_none() || end.due.is_empty(), "{nth} lacks {:?}", end.due);
        }
    }

    /// Some of everything that leaves the targets as they are.
    fn go_on(&mut self) {
        match self.dice.below(10) {
            0..6 => {
                for _ in 0..self.dice.below(40) {
                    if !self.send() {
                        break;
                    }
                }
            }
            6 => self.send_beside(),
            7 => {
                self.by_hand.engine.pass();
            }
            _ => {
                let (from, max) = (self.dice.below(self.ends.len()), self.dice.below(50));
                self.read(from, max);
            }
        }
    }

    /// A receiver comes, is removed, or leaves.
    fn change(&mut self, may_leave: bool) {
        let nth = self.dice.below(self.ends.len());
        match self.dice.below(3) {
            0 if self.ends.len() < 100 => self.add(),
            1 => {
                let target = self.ends[nth].target.take();
                if let (Some(target), Some(out)) = (target, &mut self.out) {
                    assert!(out.remove(target));
                    assert!(matches!(out.try_send(target, 0), Err(TrySendError::UnknownTarget(0))));
                }
            }
            2 if may_leave => self.ends[nth].rx = None,
            _ => {}
        }
    }

    /// The numbers of the outbox's messages rise in the order sent. There is no gap, but for what stood beside, and for
    /// those of whom nobody knows whether they had a number: their receiver has gone.
    fn check(&self) {
        let mut beside = self.beside_came.clone();
        beside.sort_unstable();
        let between = |from: u64, to: u64| {
            let count = |below: u64| beside.partition_point(|&number| number < below) as u64;
            count(to) - count(from)
        };
        let (mut last, mut unknown) = (0, 0);
        for (index, &(to, number)) in self.sent.iter().enumerate() {
            let Some(number) = number else {
                assert!(self.ends[to].rx.is_none(), "message {index} has not come");
                unknown += 1;
                continue;
            };
            assert!(number > last, "message {index} has {number}, the one before it {last}");
            let missing = number - last - 1 - between(last, number);
            assert!(missing <= unknown, "{missing} numbers of {unknown} before {index}");
            (last, unknown) = (number, 0);
        }
        let clock = self.by_hand.clock();
        assert!((last..=last + unknown + between(last, u64::MAX)).contains(&clock));
    }

    /// The outbox ends; everything that was sent comes, and all close.
    fn end(mut self) {
        self.out = None;
        let beside = self.beside.take().map_or(0, |(_, sent)| sent);
        self.read_all();
        assert_eq!(self.beside_came.len(), beside);
        self.check();
        for end in &mut self.ends {
            let closed =
                end.rx.as_mut().is_none_or(|rx| rx.try_recv() == Err(TryRecvError::Closed));
            assert!(closed, "it has not closed");
        }
    }
}

/// Goal: each receiver gets exactly its numbers, whatever the number of targets and the room in their inboxes. Method:
/// random targets, with rows in between, and a lane that speaks beside the outbox; all is read at random.
#[test]
fn each_target_has_its_numbers() {
    for targets in [1, 2, 5, 64, 100] {
        for (inbox, capacity) in [(1, 8), (1, 256), (2, 64), (2, 1024), (1024, 1024)] {
            let seed = targets * 1_000_000 + inbox * 1_000 + capacity;
            let mut script = Script::new(seed as u64, targets, inbox, capacity);
            let last = script.ends[targets - 1].rx.as_ref().unwrap().address();
            script.beside = Some((script.by_hand.engine.sender(&last).unwrap(), 0));
            while script.sent.len() < 3000 {
                script.go_on();
            }
            script.read_all();
            script.check();
            script.end();
        }
    }
}

/// Goal: the same without anything beside it: a message's number is its place. Method: as above; every inbox has room
/// for one or two entries only, and everyone reads.
#[test]
fn without_others_a_number_is_a_place() {
    for targets in [2, 5, 64, 100] {
        for inbox in [1, 2] {
            let mut script = Script::new(inbox as u64, targets, inbox, 128);
            while script.sent.len() < 2000 {
                script.go_on();
            }
            script.read_all();
            for (place, &(_, number)) in (1..).zip(&script.sent) {
                assert_eq!(number, Some(place));
            }
            script.end();
        }
    }
}

/// Goal: the same while targets come and are removed; those who stay miss nothing, those who are removed get what was
/// sent before, and close. Method: such a change every few steps; no number is missing.
#[test]
fn targets_come_and_are_removed() {
    for inbox in [1, 2, 64] {
        for seed in 0..30 {
            let mut script = Script::new(seed, 5, inbox, 32);
            for step in 0..400 {
                script.go_on();
                if step % 8 == 0 {
                    script.change(false);
                }
            }
            script.end();
        }
    }
}

/// Goal: the same while receivers leave, with messages unread and unnumbered: the others get theirs in order, and no
/// more numbers are missing than there were messages to those who have gone. Method: as above.
#[test]
fn targets_leave() {
    for inbox in [1, 2, 64] {
        for seed in 0..30 {
            let mut script = Script::new(seed, 8, inbox, 32);
            for step in 0..400 {
                script.go_on();
                if step % 8 == 0 {
                    script.change(true);
                }
            }
            script.read_all();
            script.check();
            script.end();
        }
    }
}

/// Goal: an outbox that ends with messages that have no number loses none of them. Method: it ends before full
/// inboxes; receivers leave just before, just after, or not at all.
#[test]
fn an_outbox_ends_with_messages_that_have_no_number() {
    let mut unnumbered = 0;
    for inbox in [1, 2, 64] {
        for seed in 0..60 {
            let mut script = Script::new(seed, 1 + seed as usize % 7, inbox, 64);
            for step in 0..seed {
                script.go_on();
                if step % 16 == 0 {
                    script.change(seed % 3 == 0);
                }
            }
            // Where all targets have gone it would not end.
            (0..1000).all(|_| script.send());
            let leaves = script.dice.below(script.ends.len());
            if seed % 4 == 1 {
                script.ends[leaves].rx = None;
            }
            unnumbered += script.out.as_ref().map_or(0, Outbox::len);
            script.out = None;
            if seed % 4 == 2 {
                script.by_hand.engine.pass();
            }
            if seed % 4 >= 2 {
                script.ends[leaves].rx = None;
            }
            script.end();
        }
    }
    assert!(unnumbered > 3000, "{unnumbered} only");
}
