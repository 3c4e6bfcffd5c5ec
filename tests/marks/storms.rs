//! Fences from outside, in the midst of everything else.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use mainspring::{
    Address, Broadcaster, Engine, GroupTarget, Outbox, Reason, Receiver, SendBatchError, SendError,
    SendTimeoutError, Seq, SharedSender, Target, Ticket, TrySendError,
};

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

type Item = (u64, Tally);

/// What became of a call: how many values it sent; and, if no more can be sent, why, and which comes back first.
type Sent = (u64, Option<(Reason, u64)>);

fn one(sent: Result<(), SendError<Item>>) -> Sent {
    match sent {
        Ok(()) => (1, None),
        Err(SendError { reason, value, .. }) => (0, Some((reason, value.0))),
    }
}

fn tried(sent: Result<(), TrySendError<Item>>) -> Sent {
    match sent {
        Ok(()) => (1, None),
        Err(TrySendError::Full(_)) => (0, None),
        Err(TrySendError::Fenced(value)) => (0, Some((Reason::Fenced, value.0))),
        Err(error) => panic!("{error}"),
    }
}

/// What comes back of `n..end` is what was not sent, in order.
fn batch<I: Iterator<Item = Item>>(
    sent: Result<usize, SendBatchError<Item, I>>,
    n: u64,
    end: u64,
) -> Sent {
    match sent {
        Ok(sent) => (sent as u64, None),
        Err(SendBatchError { sent, returned, rest, reason, .. }) => {
            let from = n + sent as u64;
            assert!(returned.into_iter().chain(rest).map(|value| value.0).eq(from..end));
            (sent as u64, Some((reason, from)))
        }
    }
}

fn collect(rx: &mut Receiver<Item>) -> Vec<(u64, u64)> {
    rx.messages().map(|(seq, (n, _))| (seq.get(), n)).collect()
}

/// Goal: dense numbers, each author's order, everything below the fence, nothing lost and nothing twice, whatever comes
/// and goes. Method: many rounds in each drive; an outbox with every way to send, a broadcaster, members that join and
/// leave, targets that are added and removed, marks; and fences from outside.
#[test]
fn fences_in_a_storm() {
    to_the_end(|| {
        for round in 0..180 {
            for engine in engines() {
                storm(&engine, round % 60);
            }
        }
    });
}

fn storm(engine: &Engine, round: u64) {
    let drops = Drops::default();
    let options = || engine.options().capacity(1 << (round % 4));
    let group = options().inbox(1 << (round % 3)).group().unwrap();
    let witness = group.subscribe();
    let single = options().inbox(1).receiver().unwrap();
    let mut keep = vec![engine.sender(&single.address()).unwrap()];
    let mut out = engine.outbox();
    let to = out.add(&single.address()).unwrap();
    let to_group = out.add_group(&group).unwrap();
    let all = group.broadcaster();
    let sources = [out.source(), all.source()];
    thread::scope(|scope| {
        let read = |mut rx: Receiver<Item>| scope.spawn(move || collect(&mut rx));
        let mut readers = vec![read(witness), read(single)];
        let of_outbox =
            Sending { out, to, single: keep[0].address(), to_group, drops: &drops, round };
        let sending = scope.spawn(|| of_outbox.until_fenced());
        let broadcasting = scope.spawn(|| broadcast_until_fenced(all, &drops));
        let fencing = scope.spawn(|| {
            for _ in 0..round * 37 % 3000 {
                std::hint::spin_loop();
            }
            let marker = engine.marker();
            let first = marker.fence(&sources[..1]).unwrap();
            [first, marker.fence(&sources).unwrap(), marker.gate(&sources).unwrap()]
        });
        // Members come and go meanwhile.
        let mut joined = 0;
        while !fencing.is_finished() || joined < 3 {
            let member = group.subscribe();
            let address = member.address();
            // So that one that comes too late for any of these closes, too.
            keep.extend(engine.sender(&address));
            readers.push(read(member));
            joined += 1;
            for _ in 0..round {
                std::hint::spin_loop();
            }
            group.leave(&address);
            let _ = engine.stats();
        }
        let number = |mut mark: Ticket| mark.wait().unwrap().get();
        let fences = fencing.join().unwrap().map(number);
        let (sent, marks) = sending.join().unwrap();
        let broadcast = broadcasting.join().unwrap();
        drop(keep);
        let mut numbers: Vec<_> = fences.into_iter().chain(marks.into_iter().map(number)).collect();
        let (mut of_out, mut of_all) = (BTreeMap::new(), BTreeMap::new());
        for reader in readers {
            let received = reader.join().unwrap();
            let fallen = received.windows(2).find(|w| w[0].0 >= w[1].0);
            assert!(fallen.is_none(), "O4: {fallen:?} of {received:?}, fences {fences:?}");
            for (seq, n) in received {
                assert!(seq < fences[1], "{seq} after the fence {fences:?}");
                let map = if n < BROADCAST { &mut of_out } else { &mut of_all };
                let before = map.insert(n, seq);
                assert!(before.is_none_or(|before| before == seq), "O1");
            }
        }
        assert!(of_out.keys().copied().eq(0..sent), "round {round}: {of_out:?} {sent}");
        assert!(
            of_all.keys().copied().eq(BROADCAST..broadcast),
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
    until(|| drops.alive() == 0);
}

/// An outbox that sends in every way.
struct Sending<'a> {
    out: Outbox,
    to: Target<Item>,
    single: Address<Item>,
    to_group: GroupTarget<Item>,
    drops: &'a Drops,
    round: u64,
}

impl Sending<'_> {
    /// How many were sent, and the marks in between.
    fn until_fenced(mut self) -> (u64, Vec<Ticket>) {
        let (mut n, mut marks) = (0, Vec::new());
        loop {
            let (sent, end) = self.send(n, &mut marks);
            n += sent;
            if let Some(end) = end {
                assert_eq!(end, (Reason::Fenced, n));
                break;
            }
        }
        let Self { mut out, to, to_group, drops, .. } = self;
        marks.push(out.submit());
        let value = || (n, Tally::new(drops));
        for again in [
            one(out.send(to, value())),
            one(out.send_all(to_group, value())),
            one(out.send_next(to_group, value())),
            tried(out.try_send(to, value())),
        ] {
            assert_eq!(again, (0, Some((Reason::Fenced, n))));
        }
        assert!(format!("{out:?}").contains("Outbox"));
        (n, marks)
    }

    fn send(&mut self, n: u64, marks: &mut Vec<Ticket>) -> Sent {
        let Self { out, to, single, to_group, drops, round } = self;
        let value = |n| (n, Tally::new(drops));
        match (n + *round) % 9 {
            0 => one(out.send(*to, value(n))),
            1 => one(out.send_all(*to_group, value(n))),
            2 => one(out.send_next(*to_group, value(n))),
            3 => one(out.send_keyed(*to_group, &n, value(n))),
            4 => batch(out.send_batch(*to, (n..n + 5).map(value)), n, n + 5),
            5 => tried(out.try_send(*to, value(n))),
            6 => one(block_on(out.send_async(*to, value(n)))),
            7 => {
                if out.remove(*to) {
                    *to = out.add(single).unwrap();
                }
                marks.push(out.submit());
                one(out.send(*to, value(n)))
            }
            _ => {
                marks.push(out.submit());
                tried(out.try_send_next(*to_group, value(n)))
            }
        }
    }
}

/// What is broadcast is counted from here.
const BROADCAST: u64 = 1 << 32;

/// Up to where it has sent.
fn broadcast_until_fenced(mut all: Broadcaster<Item>, drops: &Drops) -> u64 {
    let value = |n| (n, Tally::new(drops));
    let mut n = BROADCAST;
    loop {
        let (sent, end) = match n % 3 {
            0 => one(all.send(value(n))),
            1 => one(all.send_stamped(value(n)).map(drop)),
            _ => batch(all.send_batch((n..n + 3).map(value)), n, n + 3),
        };
        n += sent;
        if let Some(end) = end {
            assert_eq!(end, (Reason::Fenced, n));
            assert!(format!("{all:?} {:?}", all.slowest()).contains("Broadcaster"));
            if n > BROADCAST {
                all.stamped().unwrap();
            }
            return n;
        }
    }
}

/// Goal: a shared lane loses nothing when it is ended under a long queue. Method: tasks that are polled, dropped,
/// forgotten, taken back; threads; a fence at some moment.
#[test]
fn a_fence_meets_a_long_queue() {
    to_the_end(|| {
        for round in 0..200_u64 {
            for engine in engines() {
                long_queue(&engine, round);
            }
        }
    });
}

fn long_queue(engine: &Engine, round: u64) {
    let drops = Drops::default();
    let mut rx = engine.options().capacity(1 << (round % 3)).inbox(1).receiver().unwrap();
    let tx = engine.sender(&rx.address()).unwrap().into_shared();
    let source = tx.source();
    let leaves = round % 4 == 3;
    let most = if leaves { 20 } else { usize::MAX };
    let reading = thread::spawn(move || -> Vec<Seq> {
        rx.messages().take(most).map(|(seq, _)| seq).collect()
    });
    let senders: Vec<_> = (0..3)
        .map(|_| {
            let (tx, drops) = (tx.clone(), drops.clone());
            thread::spawn(move || send_until_fenced(&tx, &drops))
        })
        .collect();
    for _ in 0..round * 53 % 4000 {
        std::hint::spin_loop();
    }
    let fence = engine.marker().fence(&[source]).unwrap().wait().unwrap();
    let of: Vec<_> = senders.into_iter().map(|s| s.join().unwrap()).collect();
    drop(tx);
    let received = reading.join().unwrap();
    assert!(received.iter().all(|&seq| seq < fence));
    if !leaves {
        let sent: usize = of.iter().map(|&(sent, ..)| sent).sum();
        let maybe: usize = of.iter().map(|&(_, maybe, _)| maybe).sum();
        let range = sent..=sent + maybe;
        assert!(range.contains(&received.len()), "{range:?} {}", received.len());
        assert!(of.iter().all(|&(.., reason)| reason == Reason::Fenced));
    }
    until(|| drops.alive() == 0);
}

/// How many were sent, how many were perhaps, and why no more are.
fn send_until_fenced(tx: &SharedSender<Item>, drops: &Drops) -> (usize, usize, Reason) {
    let mut cx = Context::from_waker(Waker::noop());
    let (mut sent, mut maybe) = (0, 0);
    for n in 0.. {
        let value = (n, Tally::new(drops));
        let done = match n % 6 {
            0 => tx.send(value).map_err(|e| e.reason),
            1 => tx.send_stamped(value).map(drop).map_err(|e| e.reason),
            2 => match tx.send_timeout(value, Duration::from_micros(50)) {
                Ok(()) => Ok(()),
                Err(SendTimeoutError::Timeout(_)) => continue,
                Err(_) => Err(Reason::Fenced),
            },
            3 => {
                let mut sending = tx.send_async(value);
                match Pin::new(&mut sending).poll(&mut cx) {
                    Poll::Ready(done) => done.map_err(|e| e.reason),
                    Poll::Pending => {
                        maybe += usize::from(sending.into_inner().is_none());
                        continue;
                    }
                }
            }
            4 => match Pin::new(&mut tx.send_stamped_async(value)).poll(&mut cx) {
                Poll::Ready(done) => done.map(drop).map_err(|e| e.reason),
                Poll::Pending => {
                    maybe += 1;
                    continue;
                }
            },
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
    unreachable!("it sends on and on")
}

/// Goal: an engine that is closed while a fence comes: each value is received, or back, and nobody sleeps. Method: both
/// at once, many rounds.
#[test]
fn a_fence_and_a_close() {
    to_the_end(|| {
        for round in 0..400_u64 {
            for engine in engines() {
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
