//! Thousands of lanes that are silent: no pass looks at them any more, and whatever they say is heard all the same.
//!
//! Where a lane stands (`src/dispatcher/heat.rs`) nobody can see but by this: one that is to speak up calls the hook
//! when it sends. So each message here comes by the hook, if its lane has been silent, and by one pass.

use mainspring::{Receiver, Sender, TryRecvError, TrySendError};

use super::{ByHand, take};

/// Passes after which whatever was silent is cold: twice 64, and the few between.
const SILENCE: u64 = 200;

/// So many are looked at by each pass all the same, though they are silent.
const HOT: u64 = 16;

/// Passes that find nothing.
fn be_silent(by_hand: &ByHand, passes: u64) {
    for _ in 0..passes {
        assert!(!by_hand.engine.pass(), "something was left");
    }
}

/// Receivers, and senders to each.
struct Crowd {
    receivers: Vec<Receiver<u64>>,
    lanes: Vec<Vec<Sender<u64>>>,
}

impl Crowd {
    /// Lanes that have spoken once.
    fn new(by_hand: &ByHand, receivers: usize, lanes: usize) -> Self {
        let engine = &by_hand.engine;
        let receivers: Vec<Receiver<u64>> = (0..receivers).map(|_| engine.receiver()).collect();
        let lanes_to = |rx: &Receiver<u64>| {
            (0..lanes).map(|_| engine.sender(&rx.address()).unwrap()).collect::<Vec<_>>()
        };
        let lanes = receivers.iter().map(lanes_to).collect();
        let mut crowd = Self { receivers, lanes };
        engine.run_until_idle();
        crowd.speak(by_hand, |_, _| true);
        crowd
    }

    /// Those of the lanes that are `chosen` say something, which is there after one pass.
    fn speak(&mut self, by_hand: &ByHand, chosen: impl Fn(usize, usize) -> bool) {
        let (before, mut sent) = (by_hand.clock(), 0);
        for (to, lanes) in self.lanes.iter_mut().enumerate() {
            for (nth, tx) in lanes.iter_mut().enumerate().filter(|(nth, _)| chosen(to, *nth)) {
                tx.send(nth as u64).unwrap();
                sent += 1;
            }
        }
        by_hand.pass_once();
        assert_eq!(by_hand.clock() - before, sent);
        let mut numbers = Vec::new();
        for (to, rx) in self.receivers.iter_mut().enumerate() {
            let came = take(rx);
            numbers.extend(came.iter().map(|&(number, _)| number));
            let mut who: Vec<u64> = came.iter().map(|&(_, nth)| nth).collect();
            who.sort_unstable();
            let said = (0..self.lanes[to].len()).filter(|&nth| chosen(to, nth));
            assert_eq!(who, said.map(|nth| nth as u64).collect::<Vec<_>>(), "at receiver {to}");
        }
        numbers.sort_unstable();
        assert_eq!(numbers, (before + 1..=before + sent).collect::<Vec<_>>());
    }

    /// As [`speak`](Self::speak); each calls the hook once, but those that have stayed hot.
    fn speak_up(&mut self, by_hand: &ByHand, chosen: impl Fn(usize, usize) -> bool) {
        let (hooks, clock) = (by_hand.hooks(), by_hand.clock());
        self.speak(by_hand, chosen);
        // Each receiver has looked once more than there was.
        let looks = self.receivers.len() as u64;
        let (called, sent) = (by_hand.hooks() - hooks - looks, by_hand.clock() - clock);
        assert!((sent.saturating_sub(HOT)..=sent).contains(&called), "{called} calls for {sent}");
    }

    /// All lanes end, and every receiver closes.
    fn end(mut self, by_hand: &ByHand) {
        self.lanes.clear();
        by_hand.engine.run_until_idle();
        for mut rx in self.receivers {
            assert_eq!(rx.try_recv(), Err(TryRecvError::Closed));
        }
    }
}

/// Goal: of ten thousand silent lanes each is heard, alone, with some others, with all others, and twice. Method: to a
/// thousand receivers; they fall silent in between; then come some that have never spoken. They end while silent.
#[test]
fn each_of_ten_thousand_silent_lanes_is_heard() {
    let by_hand = ByHand::new(16, 4);
    let mut crowd = Crowd::new(&by_hand, 1000, 10);
    be_silent(&by_hand, SILENCE);
    for one in [(0, 0), (1, 1), (999, 9), (500, 5), (6, 4), (409, 6)] {
        crowd.speak_up(&by_hand, |to, nth| (to, nth) == one);
    }
    be_silent(&by_hand, SILENCE);
    crowd.speak_up(&by_hand, |to, nth| (10 * to + nth) % 97 == 0);
    be_silent(&by_hand, SILENCE);
    crowd.speak_up(&by_hand, |_, _| true);
    crowd.speak(&by_hand, |_, _| true);
    for (to, lanes) in crowd.lanes.iter_mut().enumerate().filter(|(to, _)| to % 3 == 0) {
        let rx = &crowd.receivers[to];
        lanes.push(by_hand.engine.sender(&rx.address()).unwrap());
    }
    by_hand.engine.run_until_idle();
    be_silent(&by_hand, SILENCE);
    crowd.speak_up(&by_hand, |_, nth| nth >= 9);
    be_silent(&by_hand, SILENCE);
    crowd.end(&by_hand);
}

/// Goal: a lane that speaks while it goes cold is heard. Method: one lane in two speaks after each number of passes
/// that could be the one; later the other half does. With few lanes, which wait for the barrier, and with many, for
/// which it comes at once.
#[test]
fn a_lane_may_speak_at_every_moment_of_going_cold() {
    for lanes in [17, 40, 100] {
        for silence in (0..4).chain(60..75).chain(120..140) {
            let by_hand = ByHand::new(128, 4);
            let mut crowd = Crowd::new(&by_hand, 2, lanes);
            be_silent(&by_hand, silence);
            crowd.speak(&by_hand, |to, nth| (to + nth) % 2 == 0);
            be_silent(&by_hand, 3);
            crowd.speak(&by_hand, |to, nth| (to + nth) % 4 == 0);
            be_silent(&by_hand, silence);
            crowd.speak(&by_hand, |to, nth| (to + nth) % 2 == 1);
            crowd.speak(&by_hand, |_, _| true);
            crowd.end(&by_hand);
        }
    }
}

/// Goal: a lane that ends while it is cold ends, with what it has said last. Method: the lanes of three receivers end
/// in turn: silent, after a word that no pass has heard, after one that was heard.
#[test]
fn a_cold_lane_ends() {
    let by_hand = ByHand::new(128, 4);
    let _others = Crowd::new(&by_hand, 1, 40);
    let mut crowd = Crowd::new(&by_hand, 3, 2);
    be_silent(&by_hand, SILENCE);
    for nth in [1, 0] {
        for (way, lanes) in crowd.lanes.iter_mut().enumerate() {
            let mut tx = lanes.remove(nth);
            if way > 0 {
                tx.send(7).unwrap();
            }
            if way > 1 {
                by_hand.pass_once();
            }
            let hooks = by_hand.hooks();
            drop(tx);
            assert!(by_hand.hooks() > hooks, "nobody was told");
            by_hand.engine.pass();
            let rx = &mut crowd.receivers[way];
            if way > 0 {
                assert_eq!(rx.try_recv().unwrap().1, 7);
            }
            let end = if nth == 0 { TryRecvError::Closed } else { TryRecvError::Empty };
            assert_eq!(rx.try_recv(), Err(end));
        }
        be_silent(&by_hand, SILENCE);
    }
}

/// Goal: an outbox that is cold is heard, to each of its targets, to one that is new, without one that is removed, and
/// at its end. Method: it falls silent before each of these; the order holds.
#[test]
fn a_cold_outbox_is_heard() {
    let by_hand = ByHand::new(128, 8);
    let engine = &by_hand.engine;
    let mut others = Crowd::new(&by_hand, 1, 40);
    let mut receivers: Vec<Receiver<u64>> = (0..4).map(|_| engine.receiver()).collect();
    let mut out = engine.outbox();
    let mut targets: Vec<_> =
        receivers[..3].iter().map(|rx| out.add(&rx.address()).unwrap()).collect();
    engine.run_until_idle();
    let mut number = by_hand.clock();
    for round in 0..3 {
        for (to, &target) in targets.iter().enumerate().cycle().take(2 * targets.len() + 1) {
            if round < 2 {
                // Few would stay hot.
                others.speak(&by_hand, |_, _| true);
                number += 40;
                be_silent(&by_hand, SILENCE);
            }
            let hooks = by_hand.hooks();
            out.send(target, 7).unwrap();
            assert_eq!(by_hand.hooks() - hooks, u64::from(round < 2));
            by_hand.pass_once();
            number += 1;
            assert_eq!(take(&mut receivers[to]), [(number, 7)], "round {round}");
        }
        if round == 0 {
            others.speak(&by_hand, |_, _| true);
            number += 40;
            be_silent(&by_hand, SILENCE);
            targets.push(out.add(&receivers[3].address()).unwrap());
            out.send(targets[3], 8).unwrap();
            engine.pass();
            number += 1;
            assert_eq!(take(&mut receivers[3]), [(number, 8)]);
        }
    }
    others.speak(&by_hand, |_, _| true);
    number += 40;
    be_silent(&by_hand, SILENCE);
    assert!(out.remove(targets[0]));
    engine.pass();
    assert_eq!(receivers[0].try_recv(), Err(TryRecvError::Closed));
    out.send(targets[1], 9).unwrap();
    out.send(targets[2], 9).unwrap();
    drop(out);
    engine.pass();
    assert_eq!(take(&mut receivers[1]), [(number + 1, 9)]);
    assert_eq!(take(&mut receivers[2]), [(number + 2, 9)]);
    for rx in &mut receivers {
        assert_eq!(rx.try_recv(), Err(TryRecvError::Closed));
    }
}

/// Goal: a receiver may leave when all its lanes are cold, and an outbox of its. Method: each of them then gets its
/// value back; the outbox goes on for its other target; who comes next is not taken for who was there.
#[test]
fn a_receiver_leaves_its_cold_lanes() {
    let by_hand = ByHand::new(128, 4);
    let engine = &by_hand.engine;
    for _ in 0..5 {
        let mut others = Crowd::new(&by_hand, 1, 40);
        let mut crowd = Crowd::new(&by_hand, 2, 20);
        let mut stays = engine.receiver();
        let mut out = engine.outbox();
        let to_stays = out.add(&stays.address()).unwrap();
        let to_leaves = out.add(&crowd.receivers[0].address()).unwrap();
        out.send(to_leaves, 1).unwrap();
        engine.run_until_idle();
        be_silent(&by_hand, SILENCE);
        let number = by_hand.clock();
        crowd.receivers.remove(0);
        let lanes = crowd.lanes.remove(0);
        engine.pass();
        for mut tx in lanes {
            assert_eq!(tx.try_send(5), Err(TrySendError::Closed(5)));
        }
        assert_eq!(out.try_send(to_leaves, 5), Err(TrySendError::Closed(5)));
        out.send(to_stays, 6).unwrap();
        engine.pass();
        assert_eq!(take(&mut stays), [(number + 1, 6)]);
        be_silent(&by_hand, SILENCE);
        Crowd::new(&by_hand, 3, 20).end(&by_hand);
        crowd.speak(&by_hand, |_, _| true);
        others.speak(&by_hand, |_, _| true);
    }
}

/// Goal: a lane is never taken for one that had its place before. Method: lanes come, speak, fall silent, speak up and
/// end at that moment, and others come at once in their place, which speak or stay silent; beside them some that
/// stay, cold, all the time.
#[test]
fn places_are_used_again() {
    let by_hand = ByHand::new(256, 4);
    let engine = &by_hand.engine;
    let mut stays = Crowd::new(&by_hand, 4, 10);
    for round in 0..30 {
        let mut crowd = Crowd::new(&by_hand, 4, 25);
        be_silent(&by_hand, [SILENCE, 66, 130, 10][round % 4]);
        let before = by_hand.clock();
        let mut said = [0; 4];
        for (to, lanes) in crowd.lanes.iter_mut().enumerate() {
            for nth in (0..lanes.len()).rev().filter(|nth| nth % 3 != round % 3) {
                let mut tx = lanes.swap_remove(nth);
                if nth % 2 == 0 {
                    tx.send(1000).unwrap();
                    said[to] += 1;
                }
                drop(tx);
                lanes.push(engine.sender(&crowd.receivers[to].address()).unwrap());
                if nth % 5 == 0 {
                    lanes.last_mut().unwrap().send(1000).unwrap();
                    said[to] += 1;
                }
            }
        }
        engine.run_until_idle();
        for (rx, said) in crowd.receivers.iter_mut().zip(said) {
            let came = take(rx);
            assert_eq!((came.len(), by_hand.clock() - before), (said, 4 * said as u64));
            assert!(came.iter().all(|&(_, value)| value == 1000));
        }
        be_silent(&by_hand, SILENCE);
        crowd.speak_up(&by_hand, |_, _| true);
        stays.speak(&by_hand, |to, nth| (to + nth + round) % 7 == 0);
        crowd.end(&by_hand);
    }
    stays.end(&by_hand);
}

/// Goal: thousands who come to a full inbox, and go, leave nothing behind: all they have said comes, in the order of
/// each, and the receiver closes after it. Method: an inbox of one or two entries, which is not read until the end; of
/// those who come some say nothing, some something, some stay and wait, and end later or last.
#[test]
fn thousands_come_and_go_at_a_full_inbox() {
    for inbox in [1, 2] {
        let by_hand = ByHand::new(inbox, 2);
        let engine = &by_hand.engine;
        let mut rx = engine.receiver();
        let (mut waiting, mut said) = (Vec::new(), 0);
        for nth in 0..4000_u64 {
            let mut tx = engine.sender(&rx.address()).unwrap();
            for half in 0..nth % 3 {
                tx.send(2 * nth + half).unwrap();
                said += 1;
            }
            match nth % 5 {
                0 => engine.run_until_idle(),
                1 => waiting.push(tx),
                2 if waiting.len() > 500 => drop(waiting.swap_remove(nth as usize % 500)),
                _ => {}
            }
        }
        engine.run_until_idle();
        let mut last = by_hand.passes();
        be_silent(&by_hand, SILENCE);
        last += SILENCE;
        assert_eq!(by_hand.passes(), last);
        assert_eq!(rx.len(), said);
        let mut came = Vec::new();
        for nth in 0.. {
            match rx.try_recv() {
                Ok((seq, value)) => came.push((seq.get(), value)),
                Err(TryRecvError::Empty) => engine.run_until_idle(),
                Err(TryRecvError::Closed) => break,
                Err(TryRecvError::Notice) => unreachable!("nobody gives notices"),
            }
            if nth % 2 == 0 {
                waiting.pop();
            }
        }
        assert!(waiting.is_empty(), "it has closed before its last source");
        let numbers: Vec<u64> = came.iter().map(|&(number, _)| number).collect();
        assert_eq!(numbers, (1..=said as u64).collect::<Vec<_>>());
        for (at, &(_, value)) in came.iter().enumerate().filter(|(_, (_, value))| value % 2 == 1) {
            assert_eq!(came[at - 1].1, value - 1, "the second half of a run stands alone");
        }
    }
}
