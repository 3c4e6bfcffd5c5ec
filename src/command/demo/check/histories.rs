//! Stories that the check is told: a good one, and each way in which one can be bad.

use mainspring::Seq;

use super::{Check, Kind, Promise, ReaderId, Sight, Verdict};
use crate::command::demo::mark::{AuthorId, Mark};

/// A check with two readers and two authors; a third reader and a fourth are members of a group.
struct Story {
    check: Check,
    desk: ReaderId,
    feed: ReaderId,
    keeper: ReaderId,
    guest: ReaderId,
    ann: AuthorId,
    bob: AuthorId,
    sent: [u64; 2],
}

impl Story {
    fn new() -> Self {
        let mut check = Check::default();
        Self {
            desk: check.reader("desk", Kind::Alone),
            feed: check.reader("feed", Kind::Alone),
            keeper: check.reader("keeper", Kind::Keeper),
            guest: check.reader("guest", Kind::Member),
            ann: check.author("ann"),
            bob: check.author("bob"),
            check,
            sent: [0; 2],
        }
    }

    /// A message that was sent now, and that is received by `reader` now.
    fn message(&mut self, author: AuthorId, reader: ReaderId, seq: u64) {
        self.sent(author);
        self.old_message(author, self.sent[author.0 as usize], reader, seq, 0);
    }

    fn sent(&mut self, author: AuthorId) {
        self.sent[author.0 as usize] += 1;
    }

    fn old_message(&mut self, author: AuthorId, nth: u64, reader: ReaderId, seq: u64, cause: u64) {
        let mark = Mark { author, to_all: false, nth, cause: Seq::new(cause) };
        self.check.see(reader, [Sight::Message(Seq::new(seq), mark)]);
    }

    fn broadcast(&mut self, author: AuthorId, readers: &[ReaderId], seq: u64) {
        self.sent(author);
        let nth = self.sent[author.0 as usize];
        let mark = Mark { author, to_all: true, nth, cause: Seq::ZERO };
        for reader in readers {
            self.check.see(*reader, [Sight::Message(Seq::new(seq), mark)]);
        }
    }

    fn clock(&mut self, reader: ReaderId, seq: u64) {
        self.check.see(reader, [Sight::Clock(Seq::new(seq))]);
    }

    fn was_member(&mut self, joined: u64, until: u64) {
        let (joined, until) = (Some(Seq::new(joined)), Seq::new(until));
        self.check.see(self.guest, [Sight::Membership { joined, until }]);
    }

    fn ends(mut self, clock: u64) -> Verdict {
        self.check.sent(self.ann, self.sent[0]);
        self.check.sent(self.bob, self.sent[1]);
        self.check.finish(Seq::new(clock))
    }
}

/// The promises that are broken, and the first break of each.
fn broken(verdict: &Verdict) -> Vec<(Promise, &str)> {
    let rows = verdict.rows.iter();
    rows.filter_map(|row| Some((row.promise, &*row.broken.as_ref()?.first))).collect()
}

#[test]
fn a_good_story_is_good() {
    let mut story = Story::new();
    let Story { desk, feed, keeper, guest, ann, bob, .. } = story;
    story.message(ann, desk, 1);
    story.message(ann, feed, 2);
    story.clock(desk, 2);
    story.broadcast(bob, &[keeper], 3);
    story.broadcast(bob, &[keeper, guest], 4);
    story.sent(ann); // the desk is slow
    story.message(ann, feed, 6);
    story.broadcast(bob, &[keeper, guest], 7);
    story.clock(guest, 8);
    story.old_message(ann, 3, desk, 5, 2);
    story.sent(bob);
    story.old_message(bob, 4, desk, 8, 7);
    story.broadcast(bob, &[keeper], 9);
    story.was_member(3, 8);
    let verdict = story.ends(9);
    assert_eq!(broken(&verdict), []);
    assert!(verdict.broken().is_none());
    assert_eq!((verdict.messages, verdict.authors, verdict.readers), (9, 2, 4));
    let checked = verdict.rows.map(|row| row.checked);
    assert_eq!(
        checked,
        [
            "9 numbers, each once",
            "9 messages, over all targets of a handle",
            "2 messages after what caused them",
            "13 messages and clocks",
            "2 clocks, 1 memberships",
        ]
    );
}

#[test]
fn a_gap_breaks_o1() {
    let mut story = Story::new();
    story.message(story.ann, story.desk, 1);
    story.message(story.ann, story.desk, 3);
    let verdict = story.ends(3);
    assert_eq!(
        broken(&verdict),
        [(Promise::Dense, "number 2: received by nobody, and the clock is at 3")]
    );
    assert_eq!(verdict.broken().unwrap().1.times, 2, "nor were so many sent");
}

#[test]
fn a_message_that_nobody_received_breaks_o1() {
    let mut story = Story::new();
    story.message(story.ann, story.desk, 1);
    story.sent(story.ann);
    let verdict = story.ends(2);
    let (promise, broken) = verdict.broken().unwrap();
    assert_eq!((promise, broken.times), (Promise::Dense, 2));
    assert_eq!(broken.first, "number 2: received by nobody, and the clock is at 2");
}

#[test]
fn a_message_without_a_number_breaks_o1() {
    let mut story = Story::new();
    story.message(story.ann, story.desk, 1);
    story.sent(story.ann);
    let verdict = story.ends(1);
    assert_eq!(broken(&verdict), [(Promise::Dense, "2 messages were sent, and the clock is at 1")]);
}

#[test]
fn a_number_that_two_messages_have_breaks_o1() {
    let mut story = Story::new();
    story.message(story.ann, story.desk, 1);
    story.message(story.bob, story.feed, 1);
    let verdict = story.ends(2);
    let first = "number 1: received twice, the second time by feed";
    assert_eq!(broken(&verdict), [(Promise::Dense, first)]);
}

#[test]
fn a_number_beyond_the_clock_breaks_o1() {
    let mut story = Story::new();
    story.message(story.ann, story.desk, 1);
    story.message(story.ann, story.desk, 2);
    let verdict = story.ends(1);
    let first = "2 numbers were received, and the clock is at 1";
    assert_eq!(broken(&verdict), [(Promise::Dense, first)]);
}

#[test]
fn an_absurd_number_breaks_o1() {
    let mut story = Story::new();
    story.message(story.ann, story.desk, u64::MAX);
    let verdict = story.ends(1);
    let first = format!("desk: {} is no number of this run", u64::MAX);
    assert_eq!(broken(&verdict), [(Promise::Dense, &*first)]);
}

#[test]
fn numbers_that_fall_over_two_targets_break_o2() {
    let mut story = Story::new();
    story.message(story.ann, story.desk, 2);
    story.message(story.ann, story.feed, 1);
    let verdict = story.ends(2);
    let first = "ann: message 2 is 1, the one before it 2";
    assert_eq!(broken(&verdict), [(Promise::PerHandle, first)]);
}

#[test]
fn a_message_that_overtakes_on_its_way_to_one_reader_breaks_o2() {
    let mut story = Story::new();
    story.sent(story.ann);
    story.sent(story.ann);
    story.old_message(story.ann, 2, story.desk, 1, 0);
    story.old_message(story.ann, 1, story.desk, 2, 0);
    let verdict = story.ends(2);
    let first = "desk: message 1 of ann after 2";
    assert_eq!(broken(&verdict), [(Promise::PerHandle, first)]);
    assert_eq!(verdict.broken().unwrap().1.times, 2, "its numbers fall, too");
}

#[test]
fn a_message_that_comes_twice_breaks_o2() {
    let mut story = Story::new();
    story.message(story.ann, story.desk, 1);
    story.old_message(story.ann, 1, story.feed, 2, 0);
    let verdict = story.ends(2);
    assert_eq!(broken(&verdict)[1], (Promise::PerHandle, "ann: message 1 came twice"));
}

#[test]
fn a_cause_that_is_later_breaks_o3() {
    let mut story = Story::new();
    story.message(story.ann, story.desk, 1);
    story.message(story.ann, story.desk, 3);
    story.sent(story.bob);
    story.old_message(story.bob, 1, story.feed, 2, 3);
    let verdict = story.ends(3);
    let first = "feed: 2 was sent after 3 had been seen";
    assert_eq!(broken(&verdict), [(Promise::Causal, first)]);
}

#[test]
fn a_falling_number_breaks_o4() {
    let mut story = Story::new();
    story.message(story.ann, story.desk, 2);
    story.message(story.bob, story.desk, 1);
    let verdict = story.ends(2);
    assert_eq!(broken(&verdict), [(Promise::Increasing, "desk: 1 after 2")]);
}

#[test]
fn a_clock_that_does_not_exceed_what_was_told_breaks_o4() {
    for (told, clock) in [([1, 2], 2), ([1, 2], 1)] {
        let mut story = Story::new();
        told.into_iter().for_each(|seq| story.message(story.ann, story.desk, seq));
        story.clock(story.desk, clock);
        let verdict = story.ends(2);
        let first = format!("desk: told the clock {clock} after 2");
        assert_eq!(broken(&verdict), [(Promise::Increasing, &*first)]);
    }
    let mut story = Story::new();
    story.message(story.ann, story.desk, 1);
    story.clock(story.feed, 3);
    story.clock(story.feed, 3);
    let verdict = story.ends(1);
    assert_eq!(broken(&verdict), [(Promise::Increasing, "feed: told the clock 3 after 3")]);
}

#[test]
fn catching_up_backwards_breaks_o4() {
    let mut story = Story::new();
    let caught_up = [4, 4, 3].map(|seq| Sight::CaughtUp(Seq::new(seq)));
    story.check.see(story.desk, caught_up);
    let verdict = story.ends(0);
    assert_eq!(broken(&verdict), [(Promise::Increasing, "desk: was at 4, then at 3")]);
}

#[test]
fn a_clock_that_lied_breaks_o5() {
    let lies = [Sight::Clock(Seq::new(2)), Sight::CaughtUp(Seq::new(2))];
    for lie in lies {
        let mut story = Story::new();
        story.message(story.ann, story.feed, 1);
        story.check.see(story.desk, [lie]);
        story.message(story.bob, story.desk, 2);
        let verdict = story.ends(2);
        let first = "desk: 2 after it was told that it has had all up to 2";
        assert_eq!(broken(&verdict), [(Promise::ClockSafety, first)]);
    }
}

/// What the guest has of the broadcasts 1 to 5, of which it was a member from 1 on, and up to 4 at least.
fn guest_had(had: &[u64]) -> Verdict {
    let mut story = Story::new();
    let Story { keeper, guest, ann, .. } = story;
    for seq in 1..=5 {
        let readers = if had.contains(&seq) { &[keeper, guest][..] } else { &[keeper] };
        story.broadcast(ann, readers, seq);
    }
    story.was_member(1, 4);
    story.ends(5)
}

#[test]
fn a_member_may_have_left_after_any_broadcast_beyond_the_clock() {
    for had in [&[2, 3, 4][..], &[2, 3, 4, 5]] {
        assert_eq!(broken(&guest_had(had)), []);
    }
}

#[test]
fn a_broadcast_that_a_member_lacks_breaks_o5() {
    let told = |at, owed: &str, is: &str| {
        format!("guest: a member from 1 on, its broadcast {at} should be {owed} and is {is}")
    };
    for (had, at, owed, is) in [
        (&[][..], 1, "2", "none"),
        (&[3, 4], 1, "2", "3"),
        (&[2, 4], 2, "3", "4"),
        (&[2, 3], 3, "4", "none"),
        (&[2, 4, 5], 2, "3", "4"),
        (&[1, 2, 3, 4], 1, "2", "1"),
    ] {
        let verdict = guest_had(had);
        assert_eq!(broken(&verdict), [(Promise::ClockSafety, &*told(at, owed, is))]);
    }
}

#[test]
fn a_broadcast_that_only_a_guest_has_is_no_excuse() {
    let mut story = Story::new();
    let Story { keeper, guest, ann, .. } = story;
    story.broadcast(ann, &[keeper, guest], 1);
    story.broadcast(ann, &[guest], 2);
    story.was_member(0, 2);
    let verdict = story.ends(2);
    let promises: Vec<_> = broken(&verdict).into_iter().map(|(promise, _)| promise).collect();
    assert_eq!(promises, [Promise::Dense, Promise::ClockSafety]);
}

#[test]
fn one_who_never_joined_is_owed_nothing() {
    let mut story = Story::new();
    story.broadcast(story.ann, &[story.keeper], 1);
    let none = Sight::Membership { joined: None, until: Seq::new(1) };
    story.check.see(story.guest, [none]);
    assert_eq!(broken(&story.ends(1)), []);
}
