//! Fences from outside, in the midst of everything else.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use mainspring::{Engine, Reason, TrySendError};

use crate::executors::block_on;
use crate::support::{Counted, Drops, engines, to_the_end, until};

/// A value that is counted, also when it is cloned.
#[derive(Debug)]
struct Tally {
    drops: Drops,
    _one: Counted,
}

impl Tally {
    fn new(drops: &Drops) -> Self {
        Self { drops: drops.clone(), _one: drops.value() }
    }
}

impl Clone for Tally {
    fn clone(&self) -> Self {
        Self::new(&self.drops)
    }
}

fn collect(rx: &mut mainspring::Receiver<(u64, Tally)>) -> Vec<(u64, u64)> {
    rx.messages().map(|(seq, (n, _))| (seq.get(), n)).collect()
}

/// Goal: dense numbers, each author's order, everything below the fence, nothing lost and nothing twice, whatever comes
/// and goes. Method: many rounds in each drive; an outbox with every way to send, a broadcaster, members that join and
/// leave, targets that are added and removed, marks; and fences from outside.
#[test]
fn fences_in_a_storm() {
    to_the_end(|| {
        for _ in 0..3 {
            for round in 0..60 {
                for engine in engines() {
                    storm(&engine, round);
                }
            }
        }
    });
}

fn storm(engine: &Engine, round: u64) {
    let drops = Drops::default();
    let value = {
        let drops = drops.clone();
        move |n| (n, Tally::new(&drops))
    };
    let group =
        engine.options().capacity(1 << (round % 4)).inbox(1 << (round % 3)).group().unwrap();
    let witness = group.subscribe();
    let single = engine.options().capacity(1 << (round % 3)).inbox(1).receiver().unwrap();
    let mut keep = vec![engine.sender(&single.address()).unwrap()];
    let mut out = engine.outbox();
    let to = out.add(&single.address()).unwrap();
    let to_group = out.add_group(&group).unwrap();
    let mut all = group.broadcaster();
    let (source_out, source_all) = (out.source(), all.source());
    let sources = [source_out, source_all];
    let joined = AtomicU64::new(0);
    thread::scope(|scope| {
        let read = |mut rx: mainspring::Receiver<_>| scope.spawn(move || collect(&mut rx));
        let mut readers = vec![read(witness), read(single)];
        let sending = scope.spawn({
            let (value, round) = (value.clone(), round);
            let single = keep[0].address();
            move || {
                let (mut n, mut marks, mut to) = (0, Vec::new(), to);
                let reason = loop {
                    let sent = match (n + round) % 9 {
                        0 => out.send(to, value(n)).map_err(|e| (e.reason, e.value.0)),
                        1 => out.send_all(to_group, value(n)).map_err(|e| (e.reason, e.value.0)),
                        2 => out.send_next(to_group, value(n)).map_err(|e| (e.reason, e.value.0)),
                        3 => out
                            .send_keyed(to_group, &n, value(n))
                            .map_err(|e| (e.reason, e.value.0)),
                        4 => match out.send_batch(to, (n..n + 5).map(&value)) {
                            Ok(_) => {
                                n += 4;
                                Ok(())
                            }
                            Err(e) => {
                                let back: Vec<_> =
                                    e.returned.into_iter().chain(e.rest).map(|v| v.0).collect();
                                let sent = e.sent as u64;
                                assert_eq!(back, (n + sent..n + 5).collect::<Vec<_>>());
                                n += sent;
                                Err((e.reason, n))
                            }
                        },
                        5 => match out.try_send(to, value(n)) {
                            Ok(()) => Ok(()),
                            Err(TrySendError::Full(_)) => continue,
                            Err(TrySendError::Fenced(v)) => Err((Reason::Fenced, v.0)),
                            Err(_) => panic!("what"),
                        },
                        6 => block_on(out.send_async(to, value(n)))
                            .map_err(|e| (e.reason, e.value.0)),
                        7 => {
                            if out.remove(to) {
                                to = out.add(&single).unwrap();
                            }
                            marks.push(out.submit());
                            out.send(to, value(n)).map_err(|e| (e.reason, e.value.0))
                        }
                        _ => {
                            marks.push(out.submit());
                            match out.try_send_next(to_group, value(n)) {
                                Ok(()) => Ok(()),
                                Err(TrySendError::Full(_)) => continue,
                                Err(TrySendError::Fenced(v)) => Err((Reason::Fenced, v.0)),
                                Err(_) => panic!("what"),
                            }
                        }
                    };
                    match sent {
                        Ok(()) => n += 1,
                        Err((reason, back)) => {
                            assert_eq!(back, n);
                            break reason;
                        }
                    }
                };
                assert_eq!(reason, Reason::Fenced);
                marks.push(out.submit());
                for form in 0..4 {
                    let again = match form {
                        0 => out.send(to, value(n)).map_err(|e| e.reason),
                        1 => out.send_all(to_group, value(n)).map_err(|e| e.reason),
                        2 => out.send_next(to_group, value(n)).map_err(|e| e.reason),
                        _ => out.try_send(to, value(n)).map_err(|_| Reason::Fenced),
                    };
                    assert_eq!(again, Err(Reason::Fenced));
                }
                assert!(format!("{out:?}").contains("Outbox"));
                drop(out);
                (n, marks)
            }
        });
        let broadcasting = scope.spawn({
            let value = value.clone();
            move || {
                let mut n = 1 << 32;
                loop {
                    let sent = match n % 3 {
                        0 => all.send(value(n)).map_err(|e| (e.reason, e.value.0)),
                        1 => {
                            all.send_stamped(value(n)).map(drop).map_err(|e| (e.reason, e.value.0))
                        }
                        _ => match all.send_batch((n..n + 3).map(&value)) {
                            Ok(_) => {
                                n += 2;
                                Ok(())
                            }
                            Err(e) => {
                                let back: Vec<_> =
                                    e.returned.into_iter().chain(e.rest).map(|v| v.0).collect();
                                let sent = e.sent as u64;
                                assert_eq!(back, (n + sent..n + 3).collect::<Vec<_>>());
                                n += sent;
                                Err((e.reason, n))
                            }
                        },
                    };
                    match sent {
                        Ok(()) => n += 1,
                        Err((reason, back)) => {
                            assert_eq!((reason, back), (Reason::Fenced, n));
                            assert!(format!("{all:?} {:?}", all.slowest()).contains("Broadcaster"));
                            if n > 1 << 32 {
                                all.stamped().unwrap();
                            }
                            return n;
                        }
                    }
                }
            }
        });
        let fencing = scope.spawn({
            let marker = engine.marker();
            let sources = &sources;
            move || {
                for _ in 0..round * 37 % 3000 {
                    std::hint::spin_loop();
                }
                let first = marker.fence(&sources[..1]).unwrap();
                let both = marker.fence(sources).unwrap();
                let gate = marker.gate(sources).unwrap();
                vec![first, both, gate]
            }
        });
        // Members come and go meanwhile.
        while !fencing.is_finished() || joined.load(SeqCst) < 3 {
            let member = group.subscribe();
            let address = member.address();
            // So that one that comes too late for any of these closes, too.
            keep.extend(engine.sender(&address));
            readers.push(read(member));
            joined.fetch_add(1, SeqCst);
            for _ in 0..round % 300 {
                std::hint::spin_loop();
            }
            group.leave(&address);
            let _ = engine.stats();
        }
        let fences: Vec<_> =
            fencing.join().unwrap().into_iter().map(|mut f| f.wait().unwrap().get()).collect();
        let (sent, marks) = sending.join().unwrap();
        let broadcast = broadcasting.join().unwrap();
        drop(keep);
        let mut numbers = fences.clone();
        for mut mark in marks {
            numbers.push(mark.wait().unwrap().get());
        }
        let (mut of_out, mut of_all) =
            (std::collections::BTreeMap::new(), std::collections::BTreeMap::new());
        for reader in readers {
            let received = reader.join().unwrap();
            assert!(received.windows(2).all(|w| w[0].0 < w[1].0), "O4");
            for (seq, n) in received {
                assert!(seq < fences[1], "{seq} after the fence {fences:?}");
                let map = if n < 1 << 32 { &mut of_out } else { &mut of_all };
                let before = map.insert(n, seq);
                assert!(before.is_none_or(|before| before == seq), "O1");
            }
        }
        assert!(of_out.keys().copied().eq(0..sent), "round {round}: {of_out:?} {sent}");
        assert!(
            of_all.keys().copied().eq(1 << 32..broadcast),
            "round {round}: {of_all:?} {broadcast}"
        );
        for map in [of_out, of_all] {
            let seqs: Vec<_> = map.into_values().collect();
            assert!(seqs.windows(2).all(|w| w[0] < w[1]), "O2");
            numbers.extend(seqs);
        }
        numbers.sort_unstable();
        let dense: Vec<u64> = (1..=numbers.len() as u64).collect();
        assert_eq!(numbers, dense, "O1");
    });
    drop(value);
    until(|| drops.alive() == 0);
}

/// Goal: a shared lane loses nothing when it is ended under a long queue. Method: tasks that are polled, dropped,
/// forgotten, taken back; threads; a fence at some moment.
#[test]
fn a_fence_meets_a_long_queue() {
    to_the_end(|| {
        for round in 0..200_u64 {
            for engine in engines() {
                let drops = Drops::default();
                let rx = engine.options().capacity(1 << (round % 3)).inbox(1).receiver().unwrap();
                let tx = engine.sender(&rx.address()).unwrap().into_shared();
                let source = tx.source();
                let leaves = round % 4 == 3;
                let reading = thread::spawn(move || {
                    let mut rx = rx;
                    let most = if leaves { 20 } else { usize::MAX };
                    rx.messages()
                        .take(most)
                        .map(|(seq, (n, _))| (seq.get(), n))
                        .collect::<Vec<(u64, u64)>>()
                });
                let senders: Vec<_> = (0..3_u64)
                    .map(|who| {
                        let (tx, drops) = (tx.clone(), drops.clone());
                        thread::spawn(move || {
                            let waker = std::task::Waker::noop();
                            let mut cx = std::task::Context::from_waker(waker);
                            let (mut sent, mut maybe) = (0, 0);
                            for n in 0.. {
                                let value = (who << 32 | n, Tally::new(&drops));
                                let done = match n % 6 {
                                    0 => tx.send(value).map_err(|e| e.reason),
                                    1 => tx.send_stamped(value).map(drop).map_err(|e| e.reason),
                                    2 => match tx.send_timeout(value, Duration::from_micros(50)) {
                                        Ok(()) => Ok(()),
                                        Err(mainspring::SendTimeoutError::Timeout(_)) => continue,
                                        Err(_) => Err(Reason::Fenced),
                                    },
                                    3 => {
                                        let mut f = tx.send_async(value);
                                        match std::pin::Pin::new(&mut f).poll(&mut cx) {
                                            std::task::Poll::Ready(done) => {
                                                done.map_err(|e| e.reason)
                                            }
                                            std::task::Poll::Pending => {
                                                if f.into_inner().is_none() {
                                                    maybe += 1;
                                                }
                                                continue;
                                            }
                                        }
                                    }
                                    4 => {
                                        let mut f = tx.send_stamped_async(value);
                                        match std::pin::Pin::new(&mut f).poll(&mut cx) {
                                            std::task::Poll::Ready(done) => {
                                                done.map(drop).map_err(|e| e.reason)
                                            }
                                            std::task::Poll::Pending => {
                                                maybe += 1;
                                                drop(f);
                                                continue;
                                            }
                                        }
                                    }
                                    _ => block_on(tx.send_async(value)).map_err(|e| e.reason),
                                };
                                match done {
                                    Ok(()) => sent += 1,
                                    Err(reason) => {
                                        assert!(format!("{tx:?}").contains("Sender"));
                                        assert!(tx.is_closed());
                                        return (sent, maybe, reason);
                                    }
                                }
                            }
                            unreachable!()
                        })
                    })
                    .collect();
                for _ in 0..round * 53 % 4000 {
                    std::hint::spin_loop();
                }
                let fence = engine.marker().fence(&[source]).unwrap().wait().unwrap().get();
                let of: Vec<_> = senders.into_iter().map(|s| s.join().unwrap()).collect();
                drop(tx);
                let received = reading.join().unwrap();
                assert!(received.iter().all(|&(seq, _)| seq < fence));
                if !leaves {
                    let sent: usize = of.iter().map(|&(sent, ..)| sent).sum();
                    let maybe: usize = of.iter().map(|&(_, maybe, _)| maybe).sum();
                    assert!(
                        (sent..=sent + maybe).contains(&received.len()),
                        "{sent} {maybe} {}",
                        received.len()
                    );
                    assert!(of.iter().all(|&(.., reason)| reason == Reason::Fenced));
                }
                until(|| drops.alive() == 0);
            }
        }
    });
}

/// Goal: an engine that is closed while a fence comes: each value is received, or back, and nobody sleeps. Method: both
/// at once, many rounds.
#[test]
fn a_fence_and_a_close() {
    to_the_end(|| {
        for round in 0..400_u64 {
            for drive in 0..3 {
                let engine = {
                    let mut all = Vec::from(engines());
                    all.swap_remove(drive)
                };
                let drops = Drops::default();
                let mut rx = engine.options().capacity(2).inbox(1).receiver().unwrap();
                let mut tx = engine.sender(&rx.address()).unwrap();
                let mut out = engine.outbox();
                let to = out.add(&rx.address()).unwrap();
                let sources = [tx.source(), out.source()];
                let made = drops.clone();
                let sending = thread::spawn(move || {
                    let mut sent = 0;
                    loop {
                        let done = match sent % 3 {
                            0 => tx.send((sent, Tally::new(&made))),
                            1 => tx.send_stamped((sent, Tally::new(&made))).map(drop),
                            _ => out.send(to, (sent, Tally::new(&made))),
                        };
                        if done.is_err() {
                            return sent;
                        }
                        sent += 1;
                    }
                });
                let reading = thread::spawn(move || rx.messages().count() as u64);
                let marker = engine.marker();
                let fencing = thread::spawn(move || {
                    for _ in 0..round * 31 % 2000 {
                        std::hint::spin_loop();
                    }
                    marker.fence(&sources).map(|mut fence| fence.wait())
                });
                let within = if round % 2 == 0 { Duration::from_secs(60) } else { Duration::ZERO };
                let closing = engine.close(within);
                let sent = sending.join().unwrap();
                let received = reading.join().unwrap();
                assert!(fencing.join().unwrap().is_ok());
                let left: u64 = closing.left.iter().map(|left| left.unread + left.unnumbered).sum();
                if round % 2 == 0 {
                    assert!(closing.is_clean(), "{closing:?}");
                    assert_eq!(received, sent, "{closing:?}");
                } else {
                    assert!(
                        received <= sent && sent <= received + left + 1,
                        "{sent} {received} {closing:?}"
                    );
                }
                drop(engine);
                until(|| drops.alive() == 0);
            }
        }
    });
}
