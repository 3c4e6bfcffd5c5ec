//! Gates: marks that wait for the end of others.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Barrier};
use std::thread;

use mainspring::{AddressError, Engine, Event, Marker, Source, Ticket, parts};

use crate::seq;
use crate::support::{by_hand, engines, to_the_end};

/// Goal: a gate opens in the pass that numbers the last of what the last of its authors has sent, after that. Method:
/// passes by hand, senders that end one after the other.
#[test]
fn a_gate_opens_after_the_last() {
    let engine = by_hand();
    let mut rx = engine.receiver();
    let mut senders: Vec<_> = (0..5).map(|_| engine.sender(&rx.address()).unwrap()).collect();
    let sources: Vec<_> = senders.iter().map(|tx| tx.source()).collect();
    let gate = engine.marker().gate(&sources).unwrap();
    for (nth, mut tx) in senders.drain(..).enumerate() {
        engine.pass();
        assert_eq!(gate.seq(), None, "{nth} have ended");
        assert!(!sources[nth].has_ended());
        tx.send(nth).unwrap();
        tx.send(nth).unwrap();
    }
    let later = engine.marker().submit();
    engine.pass();
    assert_eq!(later.seq(), Some(seq(9)), "a mark comes before what ends in the same pass");
    assert_eq!(gate.seq(), Some(seq(12)), "after ten messages and a mark");
    assert!(sources.iter().all(Source::has_ended));
    let received: Vec<_> = rx.messages().map(|(number, _)| number.get()).collect();
    assert_eq!(received.len(), 10);
    assert!(*received.last().unwrap() < 12);
}

/// Goal: a gate over nobody, or over those who have ended, opens with the next pass; one over another engine's is
/// refused. Method: each.
#[test]
fn a_gate_over_nobody_is_open() {
    let engine = by_hand();
    let marker = engine.marker();
    let gate = marker.gate(&[]).unwrap();
    engine.pass();
    assert_eq!(gate.seq(), Some(seq(1)));
    let (tx, rx) = engine.channel::<u8>();
    let source = tx.source();
    drop(tx);
    let gate = marker.gate(std::slice::from_ref(&source)).unwrap();
    engine.pass();
    assert_eq!(gate.seq(), Some(seq(2)));
    let gate = marker.gate(&[source.clone(), source]).unwrap();
    engine.pass();
    assert_eq!(gate.seq(), Some(seq(3)));
    drop(rx);
    let (foreign, _rx) = Engine::new().channel::<u8>();
    assert_eq!(marker.gate(&[foreign.source()]).unwrap_err(), AddressError::Foreign);
}

/// Goal: full inboxes, and a receiver that never reads, delay no gate. Method: inboxes of one entry, senders with more
/// than fits, which end.
#[test]
fn a_stuck_receiver_delays_no_gate() {
    for engine in engines() {
        let rx = engine.options().capacity(4).inbox(1).receiver().unwrap();
        let mut out = engine.outbox();
        let to = out.add(&rx.address()).unwrap();
        let mut senders: Vec<_> = (0..4).map(|_| engine.sender(&rx.address()).unwrap()).collect();
        for tx in &mut senders {
            for nth in 0..4 {
                tx.try_send(nth).unwrap();
            }
        }
        for nth in 0..4 {
            out.try_send(to, nth).unwrap();
        }
        let mut sources: Vec<_> = senders.iter().map(|tx| tx.source()).collect();
        sources.push(out.source());
        let mut gate = engine.marker().gate(&sources).unwrap();
        drop(senders);
        assert_eq!(gate.seq(), None, "the outbox is open");
        drop(out);
        let opened = gate.wait().unwrap();
        assert_eq!(opened, seq(21), "after everything that they sent");
        // And it is all there.
        let mut rx = rx;
        let received: Vec<_> = rx.messages().map(|(number, _)| number.get()).collect();
        assert_eq!(received, (1..=20).collect::<Vec<_>>());
    }
}

/// Goal: a gate over a sender whose receiver has gone, over a broadcaster, over a shared sender, over one that became a
/// broadcaster. Method: each, with callers.
#[test]
fn a_gate_waits_for_every_kind_of_author() {
    let engine = Engine::new();
    let marker = engine.marker();
    let (tx, rx) = engine.channel::<u8>();
    let mut gate = marker.gate(&[tx.source()]).unwrap();
    drop(rx);
    marker.mark().unwrap();
    assert_eq!(gate.seq(), None, "its author may still try");
    drop(tx);
    let released = gate.wait().unwrap();

    let group = engine.group::<u8>();
    let (mut member, mut all) = (group.subscribe(), group.broadcaster());
    all.send(1).unwrap();
    let mut gate = marker.gate(&[all.source()]).unwrap();
    drop(all);
    assert!(gate.wait().unwrap() > released);
    assert_eq!(member.recv().unwrap().1, 1);

    let (tx, mut rx) = engine.channel::<u8>();
    let shared = tx.into_shared();
    let mut gate = marker.gate(&[shared.source()]).unwrap();
    shared.clone().send(7).unwrap();
    drop(shared);
    let opened = gate.wait().unwrap();
    let (number, value) = rx.recv().unwrap();
    assert!(number < opened && value == 7);
}

/// Goal: ten thousand gates at once, and each opens once its own authors have ended. Method: a sender for each gate,
/// and one that all wait for.
#[test]
fn thousands_of_gates() {
    const GATES: u64 = 10_000;
    let engine = Engine::new();
    let rx = engine.options::<u64>().capacity(1).receiver().unwrap();
    let marker = engine.marker();
    let last = engine.sender(&rx.address()).unwrap();
    let mut senders: Vec<_> = (0..GATES).map(|_| engine.sender(&rx.address()).unwrap()).collect();
    let opened = Arc::new(AtomicU64::new(0));
    let mut gates = Vec::new();
    for tx in &senders {
        let opened = opened.clone();
        let then = move |_| {
            opened.fetch_add(1, SeqCst);
        };
        gates.push(marker.gate_then(&[tx.source(), last.source()], then).unwrap());
    }
    senders.truncate(GATES as usize / 2);
    marker.mark().unwrap();
    assert_eq!(opened.load(SeqCst), 0);
    drop(last);
    for gate in gates.iter_mut().skip(GATES as usize / 2) {
        gate.wait().unwrap();
    }
    assert!(gates.iter().take(GATES as usize / 2).all(|gate| gate.seq().is_none()));
    drop(senders);
    let mut numbers: Vec<_> = gates.iter_mut().map(|gate| gate.wait().unwrap()).collect();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len() as u64, GATES);
    crate::support::until(|| opened.load(SeqCst) == GATES);
}

/// Goal: an end that races with the gate's making, and with the join of its author: the gate opens, once, after what
/// was sent. Method: many rounds; two threads that start together.
#[test]
fn an_end_may_race_with_its_gate() {
    race_with_an_end(2, |marker, sources| marker.gate(sources));
}

/// A sender and an outbox that send one message each and end, beside a mark that waits for that, or brings it about.
/// At least so many are sent.
pub(crate) fn race_with_an_end(
    least: usize,
    mark: fn(&Marker, &[Source]) -> Result<Ticket, AddressError>,
) {
    to_the_end(move || {
        for engine in engines() {
            for round in 0..500 {
                let mut rx = engine.receiver();
                let mut tx = engine.sender(&rx.address()).unwrap();
                let mut out = engine.outbox();
                let to = out.add(&rx.address()).unwrap();
                let sources = [tx.source(), out.source()];
                let barrier = Arc::new(Barrier::new(2));
                let start = barrier.clone();
                let ending = thread::spawn(move || {
                    start.wait();
                    usize::from(tx.send(round).is_ok()) + usize::from(out.send(to, round).is_ok())
                });
                barrier.wait();
                let ended = mark(&engine.marker(), &sources).unwrap().wait().unwrap();
                let received: Vec<_> = rx.messages().map(|(number, _)| number).collect();
                assert!(received.iter().all(|&number| number < ended));
                let sent = ending.join().unwrap();
                assert!(received.len() == sent && sent >= least);
            }
        }
    });
}

/// Goal: a gate tells of the end of all, to a reader who reads the clock only: it has every message of the ended author
/// when the clock has come to the gate's number. Method: a receiver of events.
#[test]
fn whoever_reads_the_clock_at_a_gate_has_it_all() {
    let engine = by_hand();
    let (mut tx, mut rx) = engine.channel();
    let gate = engine.marker().gate(&[tx.source()]).unwrap();
    for nth in 0..3 {
        tx.send(nth).unwrap();
    }
    drop(tx);
    engine.run_until_idle();
    let opened = gate.seq().unwrap();
    assert!(engine.clock().now() >= opened);
    for nth in 0..3 {
        assert_eq!(rx.try_recv_event().unwrap(), Event::Message(seq(nth + 1), nth));
    }
    assert_eq!(rx.try_recv_event().unwrap(), Event::Clock(opened));
    assert!(rx.try_recv_event().is_err());
}

/// Goal: a gate that stays shut costs nothing: no pass is due for it. Method: by hand, until idle.
#[test]
fn a_shut_gate_asks_for_no_pass() {
    let engine = by_hand();
    let (tx, _rx) = engine.channel::<u8>();
    let gates: Vec<_> = (0..100).map(|_| engine.marker().gate(&[tx.source()]).unwrap()).collect();
    engine.run_until_idle();
    let before = parts::passes(&engine).unwrap();
    engine.run_until_idle();
    assert!(parts::passes(&engine).unwrap() - before <= 2);
    assert!(gates.iter().all(|gate| gate.seq().is_none()));
}
