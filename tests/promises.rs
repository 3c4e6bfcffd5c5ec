//! What the engine promises (O1 to O5), by name, with real threads.
//!
//! Each test lets threads send and receive in many ways at once and then looks at the whole set of
//! what came: every letter with its number, over all receivers. Nothing is sampled. O5 is checked
//! as O4 (nothing that is told is below what was told before, clocks included) together with "every
//! letter is there in the end": then no letter up to t can have come after a clock of t.

#![cfg(not(loom))]

mod support;

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::channel;
use std::thread;

use mainspring::{Engine, Event, Seq, TryRecvError};
use support::{
    Letter, assert_complete, assert_dense, assert_in_order, assert_whole, listen, listen_by, read,
    to_the_end, until, write,
};

/// **O1.** Goal: every message that is numbered gets the next number, over all channels of the
/// engine. Method: four authors write to four receivers through sixteen lanes; the numbers of all
/// that came are 42 .. without a gap.
#[test]
fn o1_dense() {
    let each = 4000;
    let engine =
        Engine::builder().capacity(64).inbox(16).start_after(Seq::new(41)).build().unwrap();
    let letters = to_the_end(move || {
        let mut receivers: Vec<_> = (0..4).map(|_| engine.receiver()).collect();
        let ways: Vec<Vec<_>> = (0..4)
            .map(|_| receivers.iter().map(|rx| engine.sender(&rx.address()).unwrap()).collect())
            .collect();
        thread::scope(|scope| {
            for (author, mut ways) in ways.into_iter().enumerate() {
                scope.spawn(move || write(author, each, &mut ways));
            }
            let readers = receivers.iter_mut().enumerate();
            let readers: Vec<_> =
                readers.map(|(place, rx)| scope.spawn(move || read(place, rx))).collect();
            readers.into_iter().flat_map(|reader| reader.join().unwrap()).collect::<Vec<_>>()
        })
    });
    assert_complete(&letters, &[each; 4]);
    assert_dense(&letters, 42);
}

/// **O2.** Goal: what one handle sends is numbered in the order sent. Method: senders beside
/// outboxes, which write to three receivers of two types by turns and in batches; each author's
/// letters are sorted by number.
#[test]
fn o2_per_handle() {
    let each = 3000;
    let engine = Engine::builder().capacity(32).inbox(8).build().unwrap();
    let letters = to_the_end(move || {
        let (mut one, mut two) = (engine.receiver::<Letter>(), engine.receiver::<Letter>());
        let mut texts = engine.receiver::<String>();
        let addresses = (one.address(), two.address(), texts.address());
        let barrier = Barrier::new(4);
        thread::scope(|scope| {
            let (barrier, addresses, engine) = (&barrier, &addresses, &engine);
            for author in 0..2 {
                let mut sender = engine.sender(&addresses.0).unwrap();
                scope.spawn(move || {
                    barrier.wait();
                    write(author, each, std::slice::from_mut(&mut sender));
                });
            }
            for author in 2..4 {
                let mut out = engine.outbox();
                let first = out.add(&addresses.0).unwrap();
                let second = out.add(&addresses.1).unwrap();
                let third = out.add(&addresses.2).unwrap();
                scope.spawn(move || {
                    barrier.wait();
                    let letter = |index| Letter { author, index };
                    for index in (0..each).step_by(5) {
                        out.send(first, letter(index)).unwrap();
                        out.send(third, format!("{author} {}", index + 1)).unwrap();
                        out.send_batch(second, [letter(index + 2), letter(index + 3)]).unwrap();
                        out.send(third, format!("{author} {}", index + 4)).unwrap();
                    }
                });
            }
            let one = scope.spawn(|| read(0, &mut one));
            let two = scope.spawn(|| read(2, &mut two));
            let mut letters: Vec<_> = texts
                .messages()
                .map(|(seq, text)| {
                    let (author, index) = text.split_once(' ').unwrap();
                    let author = author.parse().unwrap();
                    (seq.get(), Letter { author, index: index.parse().unwrap() })
                })
                .collect();
            letters.extend(one.join().unwrap());
            letters.extend(two.join().unwrap());
            letters
        })
    });
    assert_whole(&letters, &[each; 4]);
}

/// **O3**, after receiving. Goal: an answer has a higher number than what it answers. Method: a
/// chain of three threads beside two that only send, so that passes are under way all the time;
/// every link writes the number that it has received into what it sends.
#[test]
fn o3_causal() {
    let rounds = 5000;
    to_the_end(move || {
        let engine = Engine::new();
        let (mut head, mut first) = engine.channel::<u64>();
        let (mut middle, mut second) = engine.channel::<u64>();
        let (noise, mut sink) = engine.channel::<u64>();
        let mut out = engine.outbox();
        let mut tail = engine.receiver::<u64>();
        let to_tail = out.add(&tail.address()).unwrap();
        let busy = AtomicBool::new(true);
        thread::scope(|scope| {
            for mut noise in [noise.clone(), noise] {
                let busy = &busy;
                scope.spawn(move || until(|| noise.send(0).is_err() || !busy.load(Relaxed)));
            }
            scope.spawn(move || sink.messages().for_each(drop));
            scope.spawn(move || (0..rounds).for_each(|n| head.send(n).unwrap()));
            scope.spawn(move || {
                for (seq, _) in first.messages() {
                    middle.send(seq.get()).unwrap();
                }
            });
            scope.spawn(move || {
                for (seq, before) in second.messages() {
                    assert!(seq.get() > before, "{seq} answers {before}");
                    out.send(to_tail, seq.get()).unwrap();
                }
            });
            let mut came = 0;
            for (seq, before) in tail.messages() {
                assert!(seq.get() > before, "{seq} answers {before}");
                came += 1;
            }
            assert_eq!(came, rounds);
            busy.store(false, Relaxed);
        });
    });
}

/// **O3**, after reading the clock. Goal: what is sent after the clock was read at t has a number
/// above t. Method: four authors, two of them with outboxes, send what they have just read.
#[test]
fn o3_causal_after_reading_the_clock() {
    let each = 5000;
    to_the_end(move || {
        let engine = Engine::new();
        let mut rx = engine.receiver::<u64>();
        let address = rx.address();
        thread::scope(|scope| {
            for _ in 0..2 {
                let (clock, mut tx) = (engine.clock(), engine.sender(&address).unwrap());
                scope.spawn(move || {
                    (0..each).for_each(|_| tx.send(clock.now().get()).unwrap());
                });
                let (clock, mut out) = (engine.clock(), engine.outbox());
                let target = out.add(&address).unwrap();
                scope.spawn(move || {
                    (0..each).for_each(|_| out.send(target, clock.read().seq.get()).unwrap());
                });
            }
            let mut came = 0;
            for (seq, read) in rx.messages() {
                assert!(seq.get() > read, "{seq} was sent at {read}");
                came += 1;
            }
            assert_eq!(came, 4 * each);
        });
    });
}

/// **O3**, told outside. Goal: whoever learns outside of the engine that `send_stamped` has
/// returned sends later; and the clock has come to its number. Method: a channel of the standard
/// library tells another thread the number, which sends it; a third sends all the time.
#[test]
fn o3_causal_when_told_outside() {
    let rounds = 3000;
    to_the_end(move || {
        let engine = Engine::new();
        let (mut first, mut rx) = engine.channel::<u64>();
        let mut second = first.clone();
        let mut noise = first.clone();
        let clock = engine.clock();
        let (tell, told) = channel::<u64>();
        thread::scope(|scope| {
            scope.spawn(move || {
                for _ in 0..rounds {
                    let seq = first.send_stamped(0).unwrap();
                    assert!(clock.now() >= seq);
                    tell.send(seq.get()).unwrap();
                }
            });
            scope.spawn(move || {
                told.iter().for_each(|number| second.send(number).unwrap());
            });
            scope.spawn(move || (0..rounds).for_each(|_| noise.send(0).unwrap()));
            let mut came = 0;
            for (seq, told) in rx.messages() {
                assert!(seq.get() > told, "{seq} was sent after {told} was known");
                came += 1;
            }
            assert_eq!(came, 3 * rounds);
        });
    });
}

/// **O4.** Goal: whatever a receiver is told, by whichever call, exceeds what it was told before.
/// Method: three authors write to two receivers; one of these mixes all ways of receiving.
#[test]
fn o4_increasing() {
    let each = 4000;
    let engine = Engine::builder().capacity(64).inbox(32).build().unwrap();
    to_the_end(move || {
        let (tx, mut rx) = engine.channel::<Letter>();
        let (tx2, mut rx2) = engine.channel::<Letter>();
        thread::scope(|scope| {
            let ways = [(0, tx.clone(), tx2.clone()), (1, tx.clone(), tx2.clone()), (2, tx, tx2)];
            for (author, tx, tx2) in ways {
                scope.spawn(move || write(author, each, &mut [tx, tx2]));
            }
            let other = scope.spawn(move || listen(&mut rx2).len());
            let mut told = 0;
            let mut tell = |number: u64| {
                assert!(number > told, "told {number} after {told}");
                told = number;
            };
            let (mut came, mut clocks) = (0, 0);
            for turn in 0.. {
                let event = match turn % 4 {
                    0 => rx.try_recv_event().ok(),
                    1 => rx.try_recv().ok().map(|(seq, letter)| Event::Message(seq, letter)),
                    2 => {
                        came += rx.try_recv_batch(3, |seq, _| tell(seq.get())).unwrap_or(0);
                        None
                    }
                    _ => match rx.recv_event() {
                        Ok(event) => Some(event),
                        Err(_) => break,
                    },
                };
                if let Some(Event::Message(seq, _) | Event::Clock(seq)) = event {
                    tell(seq.get());
                    came += usize::from(matches!(event, Some(Event::Message(..))));
                    clocks += usize::from(matches!(event, Some(Event::Clock(_))));
                }
            }
            assert_eq!(came + other.join().unwrap(), 3 * each as usize);
            assert!(clocks > 0, "no clock was told: the test shows less than it says");
        });
    });
}

/// **O5.** Goal: a receiver that is told a clock of t has all its messages up to t. Method: see
/// above; besides, `caught_up_to` is held against what comes later, and the receivers get rarely
/// what moves the clock.
#[test]
fn o5_clock_safety() {
    let each = 4000;
    let engine = Engine::new();
    to_the_end(move || {
        let mut receivers: Vec<_> = (0..3).map(|_| engine.receiver::<Letter>()).collect();
        let ways: Vec<Vec<_>> = (0..3)
            .map(|_| receivers.iter().map(|rx| engine.sender(&rx.address()).unwrap()).collect())
            .collect();
        let letters = thread::scope(|scope| {
            for (author, mut ways) in ways.into_iter().enumerate() {
                scope.spawn(move || write(author, each, &mut ways));
            }
            let readers: Vec<_> = receivers
                .iter_mut()
                .map(|rx| {
                    scope.spawn(move || {
                        let mut caught_up = Seq::ZERO;
                        let letters = listen_by(|| {
                            let now = rx.caught_up_to();
                            assert!(now >= caught_up, "caught up to {now} after {caught_up}");
                            caught_up = now;
                            let event = rx.recv_event().ok();
                            if let Some(Event::Message(seq, _)) = event {
                                assert!(seq > now, "{seq} comes after {now}");
                            }
                            event
                        });
                        // An author has one sender to each receiver.
                        assert_in_order(&letters);
                        letters
                    })
                })
                .collect();
            readers.into_iter().flat_map(|reader| reader.join().unwrap()).collect::<Vec<_>>()
        });
        assert_complete(&letters, &[each; 3]);
        assert_dense(&letters, 1);
    });
}

/// **O5**, while others pass. Goal: as above, for a receiver that asks while another thread hands
/// out to it. Method: one that never waits, and looks again and again; two authors, who wait for
/// the number of each letter and so run the passes themselves.
#[test]
fn o5_clock_safety_while_others_pass() {
    let each = 20_000;
    to_the_end(move || {
        let engine = Engine::new();
        let (tx, mut rx) = engine.channel::<Letter>();
        let authors = [(0, tx.clone()), (1, tx)].map(|(author, mut tx)| {
            thread::spawn(move || {
                for index in 0..each {
                    tx.send_stamped(Letter { author, index }).unwrap();
                }
            })
        });
        let letters = listen_by(|| {
            loop {
                match rx.try_recv_event() {
                    Err(TryRecvError::Empty) => {}
                    event => return event.ok(),
                }
            }
        });
        authors.into_iter().for_each(|author| author.join().unwrap());
        assert_whole(&letters, &[each; 2]);
    });
}

/// **O5**, with a full inbox. Goal: what waits for room in an inbox is not covered by the clock.
/// Method: an inbox of one entry beside a roomy one, four lanes of two messages each to both, a
/// reader that dawdles.
#[test]
fn o5_clock_safety_with_a_full_inbox() {
    let each = 1500;
    let engine = Engine::builder().capacity(2).build().unwrap();
    to_the_end(move || {
        let mut narrow = engine.options::<Letter>().inbox(1).receiver().unwrap();
        let mut wide = engine.receiver::<Letter>();
        let addresses = (narrow.address(), wide.address());
        let letters = thread::scope(|scope| {
            for author in 0..4 {
                let to_narrow = engine.sender(&addresses.0).unwrap();
                let to_wide = engine.sender(&addresses.1).unwrap();
                scope.spawn(move || write(author, each, &mut [to_narrow, to_wide]));
            }
            let wide = scope.spawn(move || listen(&mut wide));
            let narrow = scope.spawn(move || {
                listen_by(|| {
                    (0..3).for_each(|_| thread::yield_now());
                    narrow.recv_event().ok()
                })
            });
            let letters = [narrow.join().unwrap(), wide.join().unwrap()];
            letters.iter().for_each(|letters| assert_in_order(letters));
            letters.concat()
        });
        assert_complete(&letters, &[each; 4]);
        assert_dense(&letters, 1);
    });
}

/// **O5**, with overflow. Goal: what an ended lane or outbox leaves behind takes its numbers past a
/// full inbox, in order, and no clock covers what is not there yet. Method: authors that come, send
/// a few letters to two narrow inboxes, and end; hundreds of them, by turns with senders and with
/// an outbox.
#[test]
fn o5_clock_safety_with_overflow() {
    let (authors, lives, each) = (3, 120, 6);
    let engine = Engine::builder().capacity(8).inbox(2).build().unwrap();
    to_the_end(move || {
        let (mut one, mut two) = (engine.receiver::<Letter>(), engine.receiver::<Letter>());
        let addresses = (one.address(), two.address());
        let held_open =
            (engine.sender(&addresses.0).unwrap(), engine.sender(&addresses.1).unwrap());
        let letters = thread::scope(|scope| {
            let readers = [scope.spawn(|| listen(&mut one)), scope.spawn(|| listen(&mut two))];
            let (engine, addresses) = (&engine, &addresses);
            let writers: Vec<_> = (0..authors)
                .map(|author| {
                    scope.spawn(move || {
                        for life in 0..lives {
                            // Each life is an author of its own: it may overtake the one before.
                            let author = author * lives + life;
                            let letter = |index| Letter { author, index };
                            if life % 2 == 0 {
                                let mut out = engine.outbox();
                                let targets = [
                                    out.add(&addresses.0).unwrap(),
                                    out.add(&addresses.1).unwrap(),
                                ];
                                for index in 0..each {
                                    let to = targets[(index / 2) as usize % 2];
                                    out.send(to, letter(index)).unwrap();
                                }
                            } else {
                                let to = if life % 4 == 1 { &addresses.0 } else { &addresses.1 };
                                let mut tx = engine.sender(to).unwrap();
                                tx.send_batch((0..each).map(letter)).unwrap();
                            }
                        }
                    })
                })
                .collect();
            writers.into_iter().for_each(|writer| writer.join().unwrap());
            drop(held_open);
            readers.map(|reader| reader.join().unwrap()).concat()
        });
        assert_whole(&letters, &vec![each; authors * lives]);
    });
}

/// **O5**, with receivers that join late. Goal: a newcomer gets all that is sent to it, and is told
/// no clock that does not exceed the one at which it joined. Method: newcomers, one after the
/// other, while others write.
#[test]
fn o5_clock_safety_with_receivers_that_join_late() {
    let (newcomers, each) = (60, 30);
    to_the_end(move || {
        let engine = Engine::new();
        let (tx, mut early) = engine.channel::<Letter>();
        let busy = AtomicBool::new(true);
        thread::scope(|scope| {
            let early = scope.spawn(move || listen(&mut early));
            let writers: Vec<_> = [tx.clone(), tx]
                .into_iter()
                .enumerate()
                .map(|(author, mut tx)| {
                    let busy = &busy;
                    scope.spawn(move || {
                        let mut count = 0;
                        while busy.load(Relaxed) {
                            tx.send(Letter { author, index: count }).unwrap();
                            count += 1;
                        }
                        count
                    })
                })
                .collect();
            let mut letters = Vec::new();
            for newcomer in 2..2 + newcomers {
                let (tx, mut late) = engine.channel::<Letter>();
                scope.spawn(move || write(newcomer, each, &mut [tx]));
                until(|| late.joined_at().is_some());
                let joined_at = late.joined_at().unwrap().get();
                let first = late.recv_event().unwrap();
                let (Event::Message(seq, _) | Event::Clock(seq)) = first else {
                    panic!("what is {first:?}")
                };
                assert!(seq.get() > joined_at, "told {seq} having joined at {joined_at}");
                if let Event::Message(seq, letter) = first {
                    letters.push((seq.get(), letter));
                }
                let rest = listen(&mut late);
                assert!(rest.iter().all(|&(number, _)| number > seq.get()));
                letters.extend(rest);
            }
            busy.store(false, Relaxed);
            let mut counts: Vec<u64> = writers.into_iter().map(|w| w.join().unwrap()).collect();
            counts.extend(vec![each; newcomers]);
            letters.extend(early.join().unwrap());
            assert_whole(&letters, &counts);
        });
    });
}

/// **O5**, with outboxes. Goal: as above, where a message's place is in one ring and its bytes in
/// another. Method: three outboxes with small lanes write to three receivers, one of them narrow,
/// by turns that do not fit together.
#[test]
fn o5_clock_safety_with_an_outbox() {
    let each = 3000;
    let engine = Engine::builder().capacity(16).build().unwrap();
    to_the_end(move || {
        let mut receivers = [
            engine.receiver::<Letter>(),
            engine.options::<Letter>().inbox(2).capacity(4).receiver().unwrap(),
            engine.receiver::<Letter>(),
        ];
        let letters = thread::scope(|scope| {
            for author in 0..3 {
                let mut out = engine.outbox();
                let to = receivers.each_ref().map(|rx| out.add(&rx.address()).unwrap());
                scope.spawn(move || {
                    for index in 0..each {
                        let to = to[(index as usize / (author + 1)) % 3];
                        out.send(to, Letter { author, index }).unwrap();
                    }
                });
            }
            let readers = receivers.each_mut().map(|rx| scope.spawn(move || listen(rx)));
            readers.map(|reader| reader.join().unwrap()).concat()
        });
        assert_whole(&letters, &[each; 3]);
    });
}
