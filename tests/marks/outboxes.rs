//! Marks in the order of an outbox.

use std::collections::BTreeMap;
use std::thread;

use mainspring::{Drive, Engine, TrySendError};

use crate::seq;
use crate::support::{by_hand, engines, to_the_end};

/// Goal: an outbox's messages and marks are one order, in windows, in long rows, and at the very end. Method: several
/// patterns of sends and marks, each numbered in one pass, and message by message.
#[test]
fn an_outbox_and_its_marks_are_one_order() {
    for pattern in ["a", "ma", "am", "mm", "abmab", "abababmbabaamaam", "aaaamaaaabm", "mambmmab"] {
        for rows in [1, 40, 100] {
            for together in [true, false] {
                let drive = Drive::manual(|| {});
                let engine = Engine::builder().capacity(4096).drive(drive).build().unwrap();
                let (mut a, mut b) = (engine.receiver(), engine.receiver());
                let mut out = engine.outbox();
                let (to_a, to_b) = (out.add(&a.address()).unwrap(), out.add(&b.address()).unwrap());
                let (mut number, mut marks) = (0, Vec::new());
                let (mut for_a, mut for_b) = (Vec::new(), Vec::new());
                for what in pattern.chars() {
                    for _ in 0..if what == 'm' { 1 } else { rows } {
                        number += 1;
                        match what {
                            'a' => {
                                out.send(to_a, number).unwrap();
                                for_a.push((seq(number), number));
                            }
                            'b' => {
                                out.send(to_b, number).unwrap();
                                for_b.push((seq(number), number));
                            }
                            _ => marks.push((number, out.submit())),
                        }
                        if !together {
                            engine.pass();
                        }
                    }
                }
                engine.run_until_idle();
                for (number, mark) in marks {
                    assert_eq!(mark.seq(), Some(seq(number)), "{pattern} {rows} {together}");
                }
                drop(out);
                engine.run_until_idle();
                assert_eq!(a.messages().collect::<Vec<_>>(), for_a);
                assert_eq!(b.messages().collect::<Vec<_>>(), for_b);
            }
        }
    }
}

/// Goal: a mark of an outbox never waits, also when the outbox is full; it has its number when what precedes it has,
/// and not before. Method: a receiver that does not read, with an inbox of one entry.
#[test]
fn a_full_outbox_takes_marks() {
    let engine = by_hand();
    let mut rx = engine.options().capacity(2).inbox(1).receiver().unwrap();
    let mut other = engine.sender(&rx.address()).unwrap();
    let mut out = engine.outbox();
    let to = out.add(&rx.address()).unwrap();
    let first = out.submit();
    // They fill the inbox by turns.
    let mut sent = 0;
    for _ in 0..4 {
        other.try_send(0).ok();
        while out.try_send(to, sent).is_ok() {
            sent += 1;
        }
        engine.run_until_idle();
    }
    assert!(matches!(out.try_send(to, 99), Err(TrySendError::Full(99))));
    let marks: Vec<_> = (0..3).map(|_| out.submit()).collect();
    engine.run_until_idle();
    assert_eq!(first.seq(), Some(seq(1)), "nothing precedes it");
    assert!(marks.iter().all(|mark| mark.seq().is_none()));
    let mut last = None;
    while marks.iter().any(|mark| mark.seq().is_none()) {
        if let Ok((number, value)) = rx.try_recv()
            && value > 0
        {
            last = Some(number);
        }
        engine.run_until_idle();
    }
    while let Ok((number, _)) = rx.try_recv() {
        last = last.max(Some(number));
    }
    let numbers: Vec<_> = marks.iter().map(|mark| mark.seq().unwrap()).collect();
    assert!(numbers.is_sorted());
    assert!(last.is_some());
}

/// Goal: the marks of an ended outbox keep their places among what goes past a full inbox. Method: one that ends with
/// messages to two stuck receivers, and one that it reaches by two ways, with marks between.
#[test]
fn an_ended_outbox_keeps_its_marks() {
    for marks_at in [vec![], vec![0], vec![3], vec![6], vec![1, 1, 4], vec![0, 1, 2, 3, 4, 5, 6]] {
        let engine = by_hand();
        let stuck = || engine.options().capacity(8).inbox(1).receiver().unwrap();
        let (mut a, mut b) = (stuck(), stuck());
        let mut fill = [a.address(), b.address()].map(|to| engine.sender(&to).unwrap());
        for (nth, tx) in fill.iter_mut().enumerate() {
            tx.send(100 + nth as u64).unwrap();
        }
        engine.run_until_idle();
        assert_eq!(engine.clock().now(), seq(2), "both have no room now");
        let mut out = engine.outbox();
        let to = [out.add(&a.address()).unwrap(), out.add(&b.address()).unwrap()];
        // Where each of them stands in the order, and its number.
        let (mut place, mut marks, mut numbers) = (0, Vec::new(), BTreeMap::new());
        for nth in 0..=6 {
            for _ in marks_at.iter().filter(|&&at| at == nth) {
                marks.push((place, out.submit()));
                place += 1;
            }
            if nth < 6 {
                out.send(to[nth % 2], place).unwrap();
                place += 1;
            }
        }
        drop((out, fill));
        engine.run_until_idle();
        for (place, mark) in marks {
            numbers.insert(place, mark.seq().unwrap());
        }
        for rx in [&mut a, &mut b] {
            loop {
                engine.run_until_idle();
                match rx.try_recv() {
                    Ok((_, 100 | 101)) => {}
                    Ok((number, place)) => assert_eq!(numbers.insert(place, number), None),
                    Err(_) if rx.is_closed() => break,
                    Err(_) => {}
                }
            }
        }
        let places: Vec<_> = numbers.keys().copied().collect();
        assert_eq!(places, (0..place).collect::<Vec<_>>());
        let (first, last) = (numbers[&0].get(), numbers[&(place - 1)].get());
        assert!(numbers.values().is_sorted(), "{marks_at:?}: {numbers:?}");
        assert_eq!(last - first, place - 1, "nothing else came between: {marks_at:?}");
    }
}

/// Goal: of a gate, or of another engine's mark, an outbox makes nothing: it comes back. Method: both.
#[test]
fn an_outbox_takes_plain_marks_of_its_engine() {
    let (engine, other) = (Engine::new(), Engine::new());
    let mut out = engine.outbox();
    assert!(out.fire(other.marker().prepare()).is_err());
    let gate = out.fire(engine.marker().prepare_gate(&[]).unwrap()).unwrap_err();
    assert_eq!(gate.fire().wait(), Ok(seq(1)));
    assert_eq!(out.fire(engine.marker().prepare()).unwrap().wait(), Ok(seq(2)));
}

/// Goal: the one order holds whoever passes, beside others who send and mark. Method: threads with an outbox each, that
/// tell with each message the mark before it.
#[test]
fn outboxes_mark_beside_each_other() {
    to_the_end(|| {
        for engine in engines() {
            let mut receivers: Vec<_> = (0..2).map(|_| engine.receiver()).collect();
            let addresses: Vec<_> = receivers.iter().map(|rx| rx.address()).collect();
            let authors: Vec<_> = (0..2)
                .map(|_| {
                    let (engine, addresses) = (engine.clone(), addresses.clone());
                    thread::spawn(move || {
                        let mut out = engine.outbox();
                        let to: Vec<_> = addresses.iter().map(|to| out.add(to).unwrap()).collect();
                        for nth in 0..10_000 {
                            let mark = out.submit();
                            out.send(to[nth % 2], (mark, None)).unwrap();
                            if nth % 7 == 0 {
                                out.send(to[nth % 2], (out_mark(&engine), Some(nth))).unwrap();
                            }
                        }
                        fn out_mark(engine: &Engine) -> mainspring::Ticket {
                            engine.marker().submit()
                        }
                    })
                })
                .collect();
            let readers: Vec<_> = receivers
                .drain(..)
                .map(|mut rx| {
                    thread::spawn(move || {
                        let mut before = seq(0);
                        for (number, (mark, _)) in rx.messages() {
                            assert!(number > before);
                            assert!(mark.seq().expect("it came before") < number);
                            before = number;
                        }
                    })
                })
                .collect();
            authors.into_iter().for_each(|author| author.join().unwrap());
            readers.into_iter().for_each(|reader| reader.join().unwrap());
        }
    });
}
