//! Bad input and bad luck: what is refused and in which words, that refused values come back and
//! batches add up, and that panics of others' code, the smallest rings and the largest values
//! change nothing.

#![cfg(not(loom))]

mod support;

use std::error::Error;
use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;
use std::time::Duration;

use mainspring::{
    AddressError, AnswerError, AnswerTimeoutError, BehindError, BuildError, CutError, Drive,
    Engine, ForwardError, ForwardReason, ForwardTimeoutError, Outbox, PublicationError,
    PublishError, PublishReason, Reason, RecvError, RecvTimeoutError, SendBatchError, SendError,
    SendTimeoutError, Sender, Seq, StampedError, Target, TryAnswerError, TryForwardError,
    TryRecvError, TrySendError, WaitError, WaitTimeoutError,
};
use support::{Drops, Letter, assert_whole, listen, to_the_end};

/// Not even `Debug`.
#[derive(PartialEq, Eq)]
struct Plain(u32);

/// Goal: an engine or a channel that cannot be is refused, where it is asked for; whoever wants a
/// channel without room is told what there is instead. Method: each size and start on both sides of
/// its limits.
#[test]
fn sizes_and_starts_that_cannot_be_are_refused() {
    let build = Engine::builder;
    let too_large = (1 << 31) + 1;
    let refused = |builder: mainspring::Builder| builder.build().unwrap_err();
    assert_eq!(refused(build().capacity(0)), BuildError::ZeroCapacity);
    assert_eq!(refused(build().inbox(0)), BuildError::ZeroInbox);
    assert_eq!(refused(build().capacity(too_large)), BuildError::TooLarge(too_large));
    assert_eq!(refused(build().inbox(too_large)), BuildError::TooLarge(too_large));
    assert_eq!(refused(build().inbox(usize::MAX)), BuildError::TooLarge(usize::MAX));
    assert_eq!(refused(build().start_after(Seq::new(1 << 63))), BuildError::SeqTooLarge(1 << 63));
    assert!(build().start_after(Seq::new((1 << 63) - 1)).build().is_ok());
    assert!(BuildError::ZeroCapacity.to_string().contains("send_stamped"));

    let engine = build().capacity(1).inbox(1).build().unwrap();
    let options = || engine.options::<Plain>();
    assert_eq!(options().capacity(0).receiver().unwrap_err(), BuildError::ZeroCapacity);
    assert_eq!(options().capacity(0).channel().unwrap_err(), BuildError::ZeroCapacity);
    assert_eq!(options().inbox(0).receiver().unwrap_err(), BuildError::ZeroInbox);
    let error = options().capacity(too_large).channel().unwrap_err();
    assert_eq!(error, BuildError::TooLarge(too_large));
    // The memory comes with the first message.
    assert!(options().capacity(1 << 31).channel().is_ok());
}

/// Goal: an address is good for its own engine, while its receiver is there. Method: senders and
/// outboxes.
#[test]
fn addresses_of_others_and_of_the_closed_are_refused() {
    let (engine, other) = (Engine::new(), Engine::new());
    let rx = engine.receiver::<Plain>();
    let address = rx.address();
    assert_eq!(other.sender(&address).unwrap_err(), AddressError::Foreign);
    assert_eq!(other.outbox().add(&address).unwrap_err(), AddressError::Foreign);
    // Not counted as its first source.
    assert!(!rx.is_closed());
    assert!(engine.clone().sender(&address).is_ok());
    drop(rx);
    assert_eq!(engine.sender(&address).unwrap_err(), AddressError::Closed);
    assert_eq!(engine.outbox().add(&address).unwrap_err(), AddressError::Closed);
    assert_eq!(other.sender(&address).unwrap_err(), AddressError::Foreign);
}

/// Goal: each error of sending gives the value back, and says why. Method: a full lane, a closed
/// one, and targets that are not the outbox's, by each way of sending.
#[test]
fn what_is_refused_comes_back() {
    let engine = Engine::builder().capacity(1).inbox(1).build().unwrap();
    let (mut tx, rx) = engine.channel();
    let mut out = engine.outbox();
    let target = out.add(&rx.address()).unwrap();
    assert!(tx.send(Plain(0)).is_ok());
    assert!(matches!(tx.try_send(Plain(1)), Err(TrySendError::Full(Plain(1)))));
    assert!(tx.try_send(Plain(1)).unwrap_err().is_full());
    let error = tx.send_timeout(Plain(2), Duration::ZERO).unwrap_err();
    assert!(error.is_timeout() && !error.is_closed());
    assert!(error.into_inner() == Plain(2));
    // The inbox is full: this one has no number, and there is room for no other.
    assert!(out.send(target, Plain(3)).is_ok());
    assert!(matches!(out.try_send(target, Plain(4)), Err(TrySendError::Full(Plain(4)))));
    assert!(!tx.is_closed());
    drop(rx);
    assert!(tx.is_closed());
    let SendError { value, reason } = tx.send(Plain(5)).unwrap_err();
    assert!(value == Plain(5) && reason == Reason::Closed);
    assert!(matches!(tx.try_send(Plain(6)), Err(TrySendError::Closed(Plain(6)))));
    assert!(tx.try_send(Plain(6)).unwrap_err().is_closed());
    let error = tx.send_timeout(Plain(7), Duration::MAX).unwrap_err();
    assert!(error.is_closed() && error.into_inner() == Plain(7));
    assert!(tx.send_stamped(Plain(8)).unwrap_err().into_inner() == Plain(8));
    assert!(out.send(target, Plain(9)).unwrap_err().into_inner() == Plain(9));
    assert!(matches!(out.try_send(target, Plain(10)), Err(TrySendError::Closed(Plain(10)))));
    let error = tx.send_batch([Plain(11), Plain(12)]).unwrap_err();
    let values = error.returned.into_iter().chain(error.rest);
    assert!(error.sent == 0 && values.map(|value| value.0).eq([11, 12]));

    let unknown = || SendError { value: Plain(13), reason: Reason::UnknownTarget };
    assert!(matches!(TrySendError::from(unknown()), TrySendError::UnknownTarget(Plain(13))));
    let closed = || SendError { value: Plain(14), reason: Reason::Closed };
    assert!(matches!(TrySendError::from(closed()), TrySendError::Closed(Plain(14))));
    assert!(matches!(SendTimeoutError::from(closed()), SendTimeoutError::Closed(Plain(14))));
    assert_eq!(TryRecvError::from(RecvError::Closed), TryRecvError::Closed);
    assert_eq!(RecvTimeoutError::from(RecvError::Closed), RecvTimeoutError::Closed);
    assert_eq!(TryAnswerError::from(AnswerError::Dropped), TryAnswerError::Dropped);
    assert_eq!(AnswerTimeoutError::from(AnswerError::Taken), AnswerTimeoutError::Taken);
}

/// Goal: a target is good for the outbox that made it, until it is removed; the value comes back.
/// Method: two outboxes whose targets have the same place, and the same receiver added again.
#[test]
fn a_target_of_another_outbox_is_refused_with_its_value() {
    fn assert_refused(out: &mut Outbox, target: Target<u32>) {
        let error = out.send(target, 1).unwrap_err();
        assert_eq!((error.value, error.reason), (1, Reason::UnknownTarget));
        assert_eq!(out.try_send(target, 2), Err(TrySendError::UnknownTarget(2)));
        let error = out.send_batch(target, [3, 4]).unwrap_err();
        assert_eq!((error.sent, error.reason), (0, Reason::UnknownTarget));
        assert!(error.returned.into_iter().chain(error.rest).eq([3, 4]));
        assert!(!out.remove(target));
    }
    let engine = Engine::new();
    let mut rx = engine.receiver::<u32>();
    let _open = engine.sender(&rx.address()).unwrap();
    let (mut one, mut two) = (engine.outbox(), engine.outbox());
    let of_one = one.add(&rx.address()).unwrap();
    assert_refused(&mut two, of_one);
    let of_two = two.add(&rx.address()).unwrap();
    assert_ne!(of_one, of_two);
    assert_refused(&mut two, of_one);
    assert_refused(&mut one, of_two);
    assert!(one.remove(of_one));
    engine.run_until_idle();
    // It may have the same place now.
    let again = one.add(&rx.address()).unwrap();
    assert_refused(&mut one, of_one);
    one.send(again, 5).unwrap();
    two.send(of_two, 6).unwrap();
    drop((one, two));
    let mut received = [rx.recv().unwrap().1, rx.recv().unwrap().1];
    received.sort_unstable();
    assert_eq!(received, [5, 6]);
    assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
}

/// Goal: errors tell what happened, as a part of somebody's sentence; their `Debug` needs none of
/// the value and does not show it. Method: the texts of all of them.
#[test]
fn errors_speak_in_lower_case_without_a_full_stop() {
    fn boxed(error: impl Error + Send + Sync + 'static) -> Box<dyn Error + Send + Sync> {
        Box::new(error)
    }
    let sent = |reason| SendError { value: Plain(1), reason };
    let forward = |reason| ForwardError { seq: Seq::new(7), value: Plain(1), reason };
    let batch = |reason| SendBatchError { sent: 3, returned: vec![Plain(1)], rest: 0..1, reason };
    let errors = [
        boxed(sent(Reason::Closed)),
        boxed(sent(Reason::UnknownTarget)),
        boxed(TrySendError::Full(Plain(1))),
        boxed(TrySendError::Closed(Plain(1))),
        boxed(TrySendError::UnknownTarget(Plain(1))),
        boxed(sent(Reason::NoMember)),
        boxed(sent(Reason::TooMany)),
        boxed(TrySendError::NoMember(Plain(1))),
        boxed(TrySendError::TooMany(Plain(1))),
        boxed(BehindError::Itself),
        boxed(BehindError::Foreign),
        boxed(forward(ForwardReason::Closed)),
        boxed(forward(ForwardReason::Falling { last: Seq::new(9) })),
        boxed(forward(ForwardReason::Late { settled: Seq::new(9) })),
        boxed(forward(ForwardReason::Duplicate)),
        boxed(TryForwardError::Full(Plain(1))),
        boxed(TryForwardError::Refused(forward(ForwardReason::Duplicate))),
        boxed(ForwardTimeoutError::Timeout(Plain(1))),
        boxed(ForwardTimeoutError::Refused(forward(ForwardReason::Closed))),
        boxed(SendTimeoutError::Timeout(Plain(1))),
        boxed(SendTimeoutError::Closed(Plain(1))),
        boxed(batch(Reason::Closed)),
        boxed(batch(Reason::UnknownTarget)),
        boxed(AddressError::Closed),
        boxed(AddressError::Foreign),
        boxed(AddressError::TooMany),
        boxed(BuildError::ZeroCapacity),
        boxed(BuildError::ZeroInbox),
        boxed(BuildError::TooLarge(7)),
        boxed(BuildError::SeqTooLarge(7)),
        boxed(RecvError::Closed),
        boxed(TryRecvError::Empty),
        boxed(TryRecvError::Closed),
        boxed(RecvTimeoutError::Timeout),
        boxed(RecvTimeoutError::Closed),
        boxed(StampedError::NothingSent),
        boxed(StampedError::Closed),
        boxed(WaitError),
        boxed(AnswerError::Dropped),
        boxed(AnswerError::Closed),
        boxed(AnswerError::Taken),
        boxed(TryAnswerError::Empty),
        boxed(TryAnswerError::Dropped),
        boxed(TryAnswerError::Closed),
        boxed(TryAnswerError::Taken),
        boxed(AnswerTimeoutError::Timeout),
        boxed(AnswerTimeoutError::Dropped),
        boxed(AnswerTimeoutError::Closed),
        boxed(AnswerTimeoutError::Taken),
        boxed(WaitTimeoutError::Timeout),
        boxed(WaitTimeoutError::Closed),
        boxed(PublishReason::Fenced { at: None }),
        boxed(PublishReason::Fenced { at: Some(Seq::new(7)) }),
        boxed(PublishReason::Closed),
        boxed(PublishReason::Foreign),
        boxed(PublishReason::NothingStaged),
        boxed(PublishError { value: Plain(1), reason: PublishReason::Foreign }),
        boxed(PublicationError::Conflated),
        boxed(PublicationError::Closed),
        boxed(PublicationError::Timeout),
        boxed(CutError::TooMany(7)),
        boxed(CutError::Foreign),
        boxed(CutError::NoSlot),
        boxed(CutError::Closed),
    ];
    for error in &errors {
        let (text, debug) = (error.to_string(), format!("{error:?}"));
        assert!(!text.starts_with(char::is_uppercase), "{text:?}");
        assert!(!text.ends_with(['.', '!', ' ', '\n']), "{text:?}");
        assert!(!debug.contains("Plain"), "{debug}");
        // "disconnected", "hung up" and the like: one word is enough.
        let closed = debug.contains("Closed") || debug == "RecvError" || debug == "WaitError";
        assert_eq!(text.contains("closed"), closed, "{text:?} of {debug}");
    }
    assert!(batch(Reason::Closed).to_string().contains('3'));
    assert!(forward(ForwardReason::Duplicate).to_string().contains('7'));
}

/// Goal: handles tell their names, and how full they are. Method: before, while and after messages
/// are on the way.
#[test]
fn handles_tell_their_names_and_how_full_they_are() {
    fn assert_tells(handle: &impl Debug, what: &str) {
        assert!(format!("{handle:?}").contains(what), "{handle:?} does not tell {what}");
    }
    let engine = Engine::builder().drive(Drive::manual(|| {})).build().unwrap();
    let (mut tx, mut rx) = engine.options().name("orders").capacity(5).channel().unwrap();
    let mut out = engine.outbox();
    let target = out.add(&rx.address()).unwrap();
    assert_eq!((tx.capacity(), rx.capacity(), out.capacity()), (8, 8, 1024));
    assert!(tx.is_empty() && rx.is_empty() && out.is_empty());
    tx.send_batch([Plain(1), Plain(2)]).unwrap();
    assert!(out.send(target, Plain(3)).is_ok());
    assert_eq!((tx.len(), rx.len(), out.len()), (2, 3, 1));
    engine.run_until_idle();
    assert_eq!((tx.len(), rx.len(), out.len()), (2, 3, 0));
    while rx.try_recv().is_ok() {}
    assert!(tx.is_empty() && rx.is_empty() && out.is_empty());
    assert_eq!(rx.address().name(), Some("orders"));
    assert_eq!(engine.receiver::<Plain>().address().name(), None);
    assert_tells(&tx, "orders");
    assert_tells(&rx, "orders");
    assert_tells(&rx.address(), "orders");
    assert_tells(&engine, "3");
    assert_tells(&engine.clock(), "3");
    assert_tells(&out, "capacity: 1024");
    assert_eq!(rx.address(), tx.address());
    assert!(!tx.is_closed() && !rx.is_closed());
}

/// Goal: nothing to do is done at once, and is no error. Method: empty batches, and numbers of
/// nothing.
#[test]
fn nothing_to_send_or_to_receive_is_no_error() {
    let engine = Engine::new();
    let (mut tx, mut rx) = engine.channel::<Plain>();
    assert_eq!(tx.stamped(), Err(StampedError::NothingSent));
    assert_eq!(tx.send_batch([]).unwrap(), 0);
    assert_eq!(tx.stamped(), Err(StampedError::NothingSent));
    assert_eq!(rx.recv_batch(0, |_, _| ()), Ok(0));
    assert_eq!(rx.try_recv_batch(0, |_, _| ()), Ok(0));
    assert_eq!(rx.try_recv_batch(1, |_, _| ()), Err(TryRecvError::Empty));
    assert!(engine.clock().now() == Seq::ZERO);
}

/// Goal: of a batch that meets the receiver's end, what was sent, what came back and what was not
/// touched are the batch, in order; what was received is the beginning of what was sent. Method:
/// many rounds; senders and outboxes race with a receiver that takes some and goes.
#[test]
fn a_batch_adds_up_when_the_receiver_leaves_midway() {
    fn assert_adds_up(
        batch: impl FnOnce() -> Result<usize, SendBatchError<(usize, u64), BatchIter>>,
    ) -> u64 {
        let Err(error) = batch() else { return 500 };
        let sent = error.sent as u64;
        let returned: Vec<u64> = error.returned.iter().map(|&(_, n)| n).collect();
        let rest: Vec<u64> = error.rest.map(|(_, n)| n).collect();
        assert!(returned.iter().chain(&rest).copied().eq(sent..500), "sent {sent}: {returned:?}");
        sent
    }
    to_the_end(|| {
        let engine = Engine::builder().capacity(64).inbox(8).build().unwrap();
        for round in 0..400 {
            let mut rx = engine.receiver();
            let mut tx = engine.sender(&rx.address()).unwrap();
            let mut out = engine.outbox();
            let target = out.add(&rx.address()).unwrap();
            let authors = [
                thread::spawn(move || assert_adds_up(|| tx.send_batch(batch(0)))),
                thread::spawn(move || assert_adds_up(|| out.send_batch(target, batch(1)))),
            ];
            let mut next = [0, 0];
            while next[0] + next[1] < 3 * round % 1000 {
                rx.recv_batch(7, |_, (author, n)| {
                    assert_eq!(n, next[author]);
                    next[author] += 1;
                })
                .unwrap();
            }
            drop(rx);
            for (author, received) in authors.into_iter().zip(next) {
                let sent = author.join().unwrap();
                assert!(received <= sent, "received {received} of {sent}");
            }
        }
    });
}

type BatchIter = std::iter::Map<std::ops::Range<u64>, fn(u64) -> (usize, u64)>;

fn batch(author: usize) -> BatchIter {
    (0..500).map(if author == 0 { |n| (0, n) } else { |n| (1, n) })
}

/// Goal: an iterator that panics in a batch leaves the sender as it was, and what it had yielded is
/// sent, once. Method: it panics at each place, before and after the lane was full; with the
/// receiver there, and gone.
#[test]
fn an_iterator_panics_in_a_batch() {
    to_the_end(|| {
        for panics_at in 0..10 {
            let engine = Engine::builder().capacity(4).build().unwrap();
            let drops = Drops::default();
            let (mut tx, mut rx) = engine.channel();
            let values = || {
                let drops = drops.clone();
                (0..10).map(move |n| if n == panics_at { panic!("it does") } else { drops.value() })
            };
            let reader = thread::spawn(move || {
                for _ in 0..panics_at {
                    rx.recv().unwrap();
                }
                rx
            });
            assert!(catch_unwind(AssertUnwindSafe(|| tx.send_batch(values()))).is_err());
            let mut rx = reader.join().unwrap();
            assert_eq!(drops.count(), panics_at);
            tx.send(drops.value()).unwrap();
            assert_eq!(rx.recv().unwrap().0.get(), panics_at as u64 + 1);

            // An outbox's is no other.
            let mut out = engine.outbox();
            let target = out.add(&rx.address()).unwrap();
            let reader = thread::spawn(move || {
                for _ in 0..panics_at {
                    rx.recv().unwrap();
                }
                rx
            });
            assert!(catch_unwind(AssertUnwindSafe(|| out.send_batch(target, values()))).is_err());
            drop(reader.join().unwrap());
            let error = out.send_batch(target, [drops.value()]).unwrap_err();
            assert_eq!(error.sent + error.returned.len(), 1);
            drop((tx, out, error));
            assert_eq!(drops.count(), 2 * (panics_at + 1));
        }
    });
}

/// Goal: a callback that panics in a batch has received the message that it was given, and no
/// other; slots go back. Method: it panics at each place of a full lane, whose sender sleeps.
#[test]
fn a_callback_panics_in_a_batch() {
    to_the_end(|| {
        for panics_at in 0..8 {
            let engine = Engine::builder().capacity(8).build().unwrap();
            let (mut tx, mut rx) = engine.channel();
            tx.send_batch(0..8).unwrap();
            let sends = thread::spawn(move || (8..9 + panics_at).for_each(|n| tx.send(n).unwrap()));
            let panics = catch_unwind(AssertUnwindSafe(|| {
                rx.recv_batch(100, |_, n| assert!(n < panics_at, "it does"))
            }));
            assert!(panics.is_err());
            // As many as were taken find room.
            sends.join().unwrap();
            let rest: Vec<_> = rx.messages().map(|(seq, n)| (seq.get(), n)).collect();
            let expected: Vec<_> = (panics_at + 1..9 + panics_at).map(|n| (n + 1, n)).collect();
            assert_eq!(rest, expected);
        }
    });
}

/// Goal: values without size, and values of pages, are messages like others. Method: threads;
/// contents are checked, and a rest is left unread.
#[test]
fn values_without_size_and_of_four_kibibytes_pass() {
    to_the_end(|| {
        let engine = Engine::builder().capacity(16).build().unwrap();
        let (mut nothing, mut nothings) = engine.channel::<()>();
        let (mut page, mut pages) = engine.channel::<[u64; 512]>();
        let author = thread::spawn(move || {
            for n in 0..3000 {
                nothing.send(()).unwrap();
                page.send([n; 512]).unwrap();
            }
            page
        });
        let reader = thread::spawn(move || nothings.messages().count());
        for n in 0..3000 {
            let (_, page) = pages.recv().unwrap();
            assert!(page.iter().all(|&word| word == n), "page {n}");
        }
        assert_eq!(reader.join().unwrap(), 3000);
        let mut page = author.join().unwrap();
        page.send([0; 512]).unwrap();
        assert_eq!(engine.clock().now().get(), 6000);
        drop(pages);
        assert_eq!(page.send([7; 512]).unwrap_err().value, [7; 512]);
    });
}

/// Goal: the smallest rings are rings. Method: lanes of one message to inboxes of one entry; two
/// senders and an outbox, whose own ring has one word, write all at once.
#[test]
fn lanes_of_one_message_and_inboxes_of_one_entry_are_enough() {
    let each = 1000;
    to_the_end(move || {
        let engine = Engine::builder().capacity(1).inbox(1).build().unwrap();
        let (tx, mut rx) = engine.channel::<Letter>();
        let mut out = engine.outbox();
        let target = out.add(&rx.address()).unwrap();
        assert_eq!((tx.capacity(), rx.capacity(), out.capacity()), (1, 1, 1));
        let write = move |author, mut tx: Sender<Letter>| {
            thread::spawn(move || {
                tx.send_batch((0..each).map(|index| Letter { author, index })).unwrap();
            })
        };
        let senders = [write(0, tx.clone()), write(1, tx)];
        let author = thread::spawn(move || {
            (0..each).for_each(|index| out.send(target, Letter { author: 2, index }).unwrap());
        });
        let letters = listen(&mut rx);
        senders.into_iter().chain([author]).for_each(|author| author.join().unwrap());
        assert_whole(&letters, &[each; 3]);
    });
}
