//! The order: what O1 to O5 say of broadcasts, also beside senders, and over the change from sender to broadcaster.

use std::collections::BTreeMap;
use std::thread;

use mainspring::{Broadcaster, Engine, Event, Receiver, parts};

use crate::support::{
    Letter, Stamped, assert_in_order, assert_whole, listen, listen_by, to_the_end,
};
use crate::{by_hand, numbered, take};

/// Writes `count` letters in every way that there is.
fn broadcast(author: usize, count: u64, all: &mut Broadcaster<Letter>) {
    let mut index = 0;
    while index < count {
        let letter = Letter { author, index };
        match index % 4 {
            0 => all.send(letter).unwrap(),
            1 => {
                while all.try_send(letter).is_err() {
                    thread::yield_now();
                }
            }
            2 if index % 40 == 2 => {
                all.send_stamped(letter).unwrap();
            }
            _ => {
                let until = (index + 9).min(count);
                all.send_batch((index..until).map(|index| Letter { author, index })).unwrap();
                index = until - 1;
            }
        }
        index += 1;
    }
}

/// Reads until the receiver closes, in the way that its place says.
fn read(place: usize, rx: &mut Receiver<Letter>) -> Vec<Stamped> {
    let mut letters = Vec::new();
    match place % 5 {
        0 => return listen(rx),
        1 => letters.extend(rx.messages().map(|(seq, letter)| (seq.get(), letter))),
        2 => {
            while rx.recv_batch_ref(5, |seq, &letter| letters.push((seq.get(), letter))).is_ok() {}
        }
        3 => {
            while let Ok(letter) = rx.recv_ref() {
                letters.push((letter.seq().get(), *letter));
            }
        }
        _ => {
            // Clocks, and in between messages by reference.
            return listen_by(|| {
                let message = rx.try_recv_ref().ok().map(|letter| (letter.seq(), *letter));
                let event = message.map(|(seq, letter)| Event::Message(seq, letter));
                event.or_else(|| rx.recv_event().ok())
            });
        }
    }
    letters
}

/// Goal: O1, O2, O4, O5 for every member. Method: three broadcasters and a sender to each member, in tiny lanes and
/// inboxes, hot and cold; each member must have all broadcasts and its own letters in each author's order, all
/// members the same numbers, and all of them together each number once.
#[test]
fn every_member_has_one_order_beside_senders() {
    const COUNT: u64 = 600;
    for (round, (inbox, capacity)) in [(1, 1), (1, 8), (2, 4), (64, 64)].into_iter().enumerate() {
        to_the_end(move || {
            let mut builder = Engine::builder().inbox(inbox).capacity(capacity);
            if round % 2 == 1 {
                builder = parts::cold_at_once(builder);
            }
            let engine = builder.build().unwrap();
            let group = engine.group();
            let members: Vec<Receiver<Letter>> = (0..5).map(|_| group.subscribe()).collect();
            let mut work: Vec<Box<dyn FnOnce() + Send>> = Vec::new();
            for author in 0..3 {
                let mut all = group.broadcaster();
                work.push(Box::new(move || broadcast(author, COUNT, &mut all)));
            }
            for (nth, member) in members.iter().enumerate() {
                let mut tx = engine.sender(&member.address()).unwrap();
                work.push(Box::new(move || {
                    let letters = (0..COUNT).map(|index| Letter { author: 3 + nth, index });
                    letters.for_each(|letter| tx.send(letter).unwrap());
                }));
            }
            engine.run_until_idle();
            let readers: Vec<_> = members
                .into_iter()
                .enumerate()
                .map(|(place, mut rx)| thread::spawn(move || read(place, &mut rx)))
                .collect();
            let writers: Vec<_> = work.into_iter().map(thread::spawn).collect();
            writers.into_iter().for_each(|writer| writer.join().unwrap());
            let mut union = BTreeMap::new();
            for reader in readers {
                let letters = reader.join().unwrap();
                assert_eq!(letters.len() as u64, 4 * COUNT);
                assert!(letters.is_sorted_by(|one, next| one.0 < next.0), "O4");
                assert_in_order(&letters);
                for (number, letter) in letters {
                    let known = union.insert(number, letter);
                    assert!(known.is_none_or(|known| known == letter), "two messages of {number}");
                }
            }
            let union: Vec<_> = union.into_iter().collect();
            assert_whole(&union, &[COUNT; 8]);
            assert_eq!(engine.clock().now().get(), 8 * COUNT);
        });
    }
}

/// Goal: O3: what is broadcast after a broadcast was received has a higher number, for everyone. Method: two members
/// answer each other by broadcasts to both groups; a third reads both.
#[test]
fn an_answer_has_a_higher_number_for_everyone() {
    to_the_end(|| {
        let engine = Engine::builder().capacity(2).inbox(1).build().unwrap();
        let [questions, answers] = [engine.group(), engine.group()];
        let (mut asked, mut asker) = (questions.subscribe(), answers.subscribe());
        let mut third = questions.subscribe();
        answers.join(&third.address()).unwrap();
        let (mut ask, mut answer) = (questions.broadcaster(), answers.broadcaster());
        engine.run_until_idle();
        let answering = thread::spawn(move || {
            while let Ok(question) = asked.recv_ref().map(|question| *question) {
                answer.send(question + 1).unwrap();
            }
        });
        let listening = thread::spawn(move || {
            third.messages().map(|(seq, value)| (seq.get(), value)).collect::<Vec<_>>()
        });
        for turn in 0..1000_u64 {
            ask.send(2 * turn).unwrap();
            assert_eq!(asker.recv(), Ok(((2 * turn + 2).into(), 2 * turn + 1)));
        }
        drop(ask);
        answering.join().unwrap();
        assert_eq!(listening.join().unwrap(), numbered(1, 0..2000));
    });
}

/// Goal: O2 over the change, though neither lane nor inbox of the old receiver has room, and whether or not it is a
/// member. Method: by hand; what the sender left is numbered first, without anybody reading.
#[test]
fn a_sender_that_becomes_a_broadcaster_goes_on_in_order() {
    for is_member in [false, true] {
        let engine = by_hand(1, 4);
        let group = engine.group();
        let (mut filler, mut old) = engine.channel();
        let mut sender = filler.clone();
        let mut member = group.subscribe();
        if is_member {
            group.join(&old.address()).unwrap();
        }
        filler.send(0).unwrap();
        engine.run_until_idle();
        assert_eq!(sender.send_batch(1..=4).unwrap(), 4);
        assert!(sender.try_send(5).is_err());
        engine.run_until_idle();
        assert_eq!(engine.clock().now().get(), 1);
        let mut all = sender.into_broadcaster(&group).unwrap();
        assert_eq!(all.send_batch(5..=8).unwrap(), 4);
        engine.run_until_idle();
        assert_eq!(engine.clock().now().get(), if is_member { 5 } else { 9 });
        assert_eq!(take(&mut old), numbered(1, 0..5));
        engine.run_until_idle();
        assert_eq!(take(&mut member), numbered(6, 5..=8));
        assert_eq!(take(&mut old), if is_member { numbered(6, 5..=8) } else { Vec::new() });
        assert_eq!(all.stamped().unwrap().get(), 9);
        assert!(!old.is_closed());
        drop((filler, all));
        engine.run_until_idle();
        assert!(old.is_closed() && member.is_closed());
    }
}

/// Goal: the same while everybody is at it. Method: threads that turn from senders to broadcasters half way; each
/// receiver checks each author's order, and together they have each number once.
#[test]
fn senders_become_broadcasters_under_traffic() {
    const COUNT: u64 = 40;
    for _ in 0..20 {
        to_the_end(|| {
            let engine = Engine::builder().inbox(2).capacity(4).build().unwrap();
            let group = engine.group();
            let members: Vec<Receiver<Letter>> = (0..3).map(|_| group.subscribe()).collect();
            // Until all have changed nobody closes.
            let source = group.broadcaster();
            let old = engine.receiver();
            let senders = [(); 3].map(|()| engine.sender(&old.address()).unwrap());
            engine.run_until_idle();
            let writers: Vec<_> = (senders.into_iter().enumerate())
                .map(|(author, mut sender)| {
                    let group = group.clone();
                    thread::spawn(move || {
                        let letter = |index| Letter { author, index };
                        sender.send_batch((0..COUNT / 2).map(letter)).unwrap();
                        let mut all = sender.into_broadcaster(&group).unwrap();
                        all.send_batch((COUNT / 2..COUNT).map(letter)).unwrap();
                    })
                })
                .collect();
            let readers: Vec<_> = [old]
                .into_iter()
                .chain(members)
                .enumerate()
                .map(|(place, mut rx)| thread::spawn(move || read(place, &mut rx)))
                .collect();
            writers.into_iter().for_each(|writer| writer.join().unwrap());
            drop(source);
            let mut union = BTreeMap::new();
            for reader in readers {
                let letters = reader.join().unwrap();
                assert_eq!(letters.len() as u64, 3 * COUNT / 2);
                union.extend(letters);
            }
            let union: Vec<_> = union.into_iter().collect();
            assert_whole(&union, &[COUNT; 3]);
        });
    }
}

/// Goal: where the change is refused, or the old receiver has gone, nothing is lost and nothing waits. Method: a group
/// of another engine; a receiver that was dropped, with and without messages.
#[test]
fn the_change_needs_no_receiver_and_no_luck() {
    let engine = by_hand(2, 4);
    let (mut sender, mut rx) = engine.channel();
    let foreign = Engine::new().group();
    sender.send(1).unwrap();
    let mut sender = sender.into_broadcaster(&foreign).expect_err("another engine's");
    sender.send(2).unwrap();
    engine.run_until_idle();
    assert_eq!(take(&mut rx), numbered(1, 1..=2));
    sender.send(3).unwrap();
    drop(rx);
    let group = engine.group();
    let mut member = group.subscribe();
    let mut all = sender.into_broadcaster(&group).unwrap();
    all.send(4).unwrap();
    engine.run_until_idle();
    let last = engine.clock().now().get();
    assert_eq!(take(&mut member), [(last, 4)]);
    assert_eq!(all.stamped().unwrap().get(), last);
}
