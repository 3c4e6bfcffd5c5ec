//! What marks, gates, notices and replies leave behind: nothing.

use std::sync::Arc;

use mainspring::{Drive, Engine, Event, Notice};

use super::kept_by;

/// Runs cycles in each drive that passes on this thread, with a new engine, and asserts that they leave nothing behind.
#[track_caller]
fn assert_leaves_nothing<S>(
    cycles: usize,
    mut set_up: impl FnMut(&Engine) -> S,
    mut cycle: impl FnMut(&Engine, &mut S),
) {
    for drive in [Drive::Callers, Drive::manual(|| {})] {
        let engine = Engine::builder().drive(drive).inbox(4).build().unwrap();
        let mut state = set_up(&engine);
        (0..200).for_each(|_| cycle(&engine, &mut state));
        let kept = kept_by(|| (0..cycles / 2).for_each(|_| cycle(&engine, &mut state)));
        assert_eq!(kept, 0, "of {cycles} cycles");
    }
}

/// Goal: marks leave nothing behind. Method: a million, in every way: looked at, left alone, never fired, of an outbox,
/// with a continuation that has memory of its own.
#[test]
fn a_million_marks_leave_nothing_behind() {
    let set_up = |engine: &Engine| (engine.marker(), engine.outbox());
    assert_leaves_nothing(200_000, set_up, |engine, (marker, out)| {
        drop(marker.submit());
        drop(marker.prepare());
        let memory = Arc::new([7_u64; 4]);
        let other = memory.clone();
        drop(marker.submit_then(move |seq| assert!(seq.unwrap().get() > 0 && other[0] == 7)));
        drop(marker.prepare_then(move |_| drop(memory)));
        let ticket = out.submit();
        engine.run_until_idle();
        assert!(ticket.seq().is_some());
    });
}

/// Goal: gates leave nothing behind, open or shut. Method: two for each of many senders that end, one of them with a
/// continuation; and gates that stay shut until their engine goes.
#[test]
fn a_million_gates_leave_nothing_behind() {
    let set_up = |engine: &Engine| (engine.marker(), engine.channel::<u64>());
    assert_leaves_nothing(200_000, set_up, |engine, (marker, (_, rx))| {
        let mut tx = engine.sender(&rx.address()).unwrap();
        let (author, memory) = ([tx.source()], Box::new(7));
        let gate = marker.gate(&author).unwrap();
        drop(marker.gate_then(&author, move |seq| assert!(seq.is_ok() && *memory == 7)).unwrap());
        drop(marker.prepare_gate(&author).unwrap());
        tx.send(1).unwrap();
        drop(tx);
        engine.run_until_idle();
        assert!(gate.seq().is_some() && rx.try_recv().is_ok());
    });
    let shut = || {
        let engine = Engine::new();
        let (marker, (tx, rx)) = (engine.marker(), engine.channel::<u64>());
        for _ in 0..100 {
            let memory = Box::new(7);
            let gate = marker.gate_then(&[tx.source()], move |_| drop(memory)).unwrap();
            assert_eq!(gate.seq(), None);
        }
        drop((engine, marker));
        drop((rx, tx));
    };
    shut();
    assert_eq!(kept_by(|| (0..5_000).for_each(|_| shut())), 0);
}

/// Goal: notices leave nothing behind, wherever they end. Method: some that are told, one more than the inbox has room
/// for; one that was never fired; some whose receiver goes.
#[test]
fn a_million_notices_leave_nothing_behind() {
    let set_up = |engine: &Engine| (engine.marker(), engine.channel::<u64>());
    assert_leaves_nothing(150_000, set_up, |engine, (marker, (_, rx))| {
        let notice = || Notice::new([7_u64; 4]);
        for _ in 0..5 {
            drop(marker.notify(&rx.address(), notice()).unwrap());
        }
        drop(marker.prepare_notice(&rx.address(), notice()).unwrap());
        engine.run_until_idle();
        let mut told = 0;
        while let Ok(event) = rx.try_recv_event() {
            told += usize::from(matches!(event, Event::Notice(..)));
        }
        assert_eq!(told, 5);
        let gone = engine.receiver::<u64>();
        let address = gone.address();
        drop(marker.notify(&address, notice()).unwrap());
        let late = marker.prepare_notice(&address, notice()).unwrap();
        drop(gone);
        drop(late.fire());
        drop(marker.notify(&address, notice()).unwrap_err());
        engine.run_until_idle();
    });
}

/// Goal: replies leave nothing behind, whichever end goes first. Method: answers that are taken, and that nobody waits
/// for; ends that go, each.
#[test]
fn a_million_replies_leave_nothing_behind() {
    assert_leaves_nothing(
        250_000,
        |_| (),
        |engine, ()| {
            let (reply, mut answer) = engine.reply();
            reply.send(Box::new(7)).unwrap();
            engine.run_until_idle();
            assert_eq!(*answer.try_take().unwrap().1, 7);
            let (reply, answer) = engine.reply();
            let ticket = reply.submit(Box::new(8)).unwrap();
            drop((answer, ticket));
            let (reply, answer) = engine.reply();
            drop(answer);
            assert_eq!(*reply.send(Box::new(9)).unwrap_err().value, 9);
            let (reply, mut answer) = engine.reply::<Box<u64>>();
            drop(reply);
            assert!(answer.try_take().is_err());
        },
    );
}
