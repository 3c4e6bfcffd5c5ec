//! Full lanes and full inboxes: who waits for whom, for how long, and what the report says of it.

use std::thread;

use mainspring::{Engine, HeldUp, Receiver, RecvError, Sender, TryRecvError};

use crate::support::to_the_end;
use crate::{by_hand, numbered, parts, take};

/// Fills a lane.
fn fill(tx: &mut Sender<u64>) {
    while tx.try_send(u64::MAX).is_ok() {}
}

/// Entries that a broadcast may wait for at an inbox, beside one for each sender that has waited there for longer.
const ENTRIES: usize = 3;

/// Goal: senders that fill an inbox as soon as there is room do not keep a broadcast from it, nor the broadcasts them.
/// Method: by hand, inboxes of 1, 2 and 4 entries, all lanes always full; each member takes one entry a pass, and as
/// many passes go by between two broadcasts that come as there are others, at the most; the same for each sender.
#[test]
fn unicast_and_broadcasts_do_not_starve_each_other() {
    for (inbox, others) in [(1, 1), (1, 5), (2, 3), (4, 4)] {
        let engine = by_hand(inbox, 1);
        let group = engine.group();
        let mut members: Vec<Receiver<u64>> = (0..3).map(|_| group.subscribe()).collect();
        let mut senders: Vec<Vec<Sender<u64>>> = members
            .iter()
            .map(|rx| (0..others).map(|_| engine.sender(&rx.address()).unwrap()).collect())
            .collect();
        let mut broadcasters = [group.broadcaster(), group.broadcaster()];
        engine.run_until_idle();
        let mut sent = [0_u64; 2];
        let mut unicast = vec![0_usize; members.len()];
        let patience = members.len() * (inbox + others + broadcasters.len() + ENTRIES);
        let (mut since, mut came) = (0, 0);
        for pass in 0..400 * patience {
            senders.iter_mut().flatten().for_each(fill);
            for (nth, all) in broadcasters.iter_mut().enumerate() {
                if all.try_send(sent[nth] * 2 + nth as u64).is_ok() {
                    sent[nth] += 1;
                }
            }
            engine.run_until_idle();
            // They take turns, so that room does not appear everywhere at once.
            let at = pass % members.len();
            match members[at].try_recv() {
                Ok((_, u64::MAX)) => unicast[at] += 1,
                Ok(_) => (since, came) = (0, came + 1),
                Err(error) => assert_eq!(error, TryRecvError::Empty),
            }
            since += 1;
            assert!(since <= members.len() * patience, "inbox {inbox}: no broadcast for {since}");
        }
        assert!(sent.iter().all(|&sent| sent > 50), "broadcasts: {sent:?} {came}");
        let (least, most) = (unicast.iter().min().unwrap(), unicast.iter().max().unwrap());
        assert!(*least > 100 && *most < 2 * least, "unicast: {unicast:?}");
    }
}

/// Goal: broadcasters of groups that overlap do not wait for each other for ever, and what both send comes in one
/// order. Method: three groups, each of two of three members, inboxes of one entry, lanes of one and two; threads.
#[test]
fn overlapping_groups_do_not_lock_each_other() {
    const COUNT: u64 = 2_000;
    for capacity in [1, 2, 16] {
        to_the_end(move || {
            let engine = Engine::builder().inbox(1).capacity(capacity).build().unwrap();
            let groups = [(); 3].map(|()| engine.group::<(usize, u64)>());
            let members: Vec<Receiver<(usize, u64)>> = (0..3).map(|_| engine.receiver()).collect();
            for (nth, group) in groups.iter().enumerate() {
                group.join(&members[nth].address()).unwrap();
                group.join(&members[(nth + 1) % 3].address()).unwrap();
            }
            let broadcasters = groups.each_ref().map(|group| group.broadcaster());
            engine.run_until_idle();
            let writers = broadcasters.into_iter().enumerate().map(|(nth, mut all)| {
                thread::spawn(move || {
                    for value in 0..COUNT {
                        all.send((nth, value)).unwrap();
                    }
                })
            });
            let writers: Vec<_> = writers.collect();
            let readers: Vec<_> = members
                .into_iter()
                .map(|mut rx| {
                    thread::spawn(move || {
                        let mut next = [0; 3];
                        let mut numbers = Vec::new();
                        while let Ok((seq, (author, value))) = rx.recv() {
                            assert_eq!(value, next[author]);
                            next[author] += 1;
                            numbers.push(seq.get());
                        }
                        assert!(numbers.is_sorted_by(|one, next| one < next));
                        numbers
                    })
                })
                .collect();
            writers.into_iter().for_each(|writer| writer.join().unwrap());
            let mut numbers: Vec<u64> =
                readers.into_iter().flat_map(|reader| reader.join().unwrap()).collect();
            numbers.sort_unstable();
            let twice = (1..=3 * COUNT).flat_map(|number| [number; 2]);
            assert_eq!(numbers, twice.collect::<Vec<_>>());
        });
    }
}

/// Goal: a broadcaster that goes leaves its rest to every member, also past a full inbox, in order with what others
/// send; nobody waits. Method: by hand, inboxes of one entry that are full; two broadcasters and a sender end one after
/// the other, each numbered at once.
#[test]
fn the_rest_of_a_broadcaster_passes_a_full_inbox() {
    let engine = by_hand(1, 4);
    let group = engine.group();
    let mut members: Vec<Receiver<u64>> = (0..3).map(|_| group.subscribe()).collect();
    let mut first = group.broadcaster();
    let mut second = first.clone();
    let mut alone = engine.sender(&members[1].address()).unwrap();
    engine.run_until_idle();
    for value in 0..2 {
        first.send(value).unwrap();
        engine.run_until_idle();
    }
    let filled = engine.clock().now().get();
    first.send_batch(filled..4).unwrap();
    let mut sent = 4;
    engine.run_until_idle();
    assert_eq!(engine.clock().now().get(), filled, "the inboxes are not full");
    drop(first);
    engine.run_until_idle();
    assert_eq!(engine.clock().now().get(), 4);
    second.send_batch(sent..sent + 3).unwrap();
    sent += 3;
    alone.send(99).unwrap();
    drop(second);
    engine.run_until_idle();
    drop(alone);
    engine.run_until_idle();
    assert_eq!(engine.clock().now().get(), sent + 1);
    for (nth, rx) in members.iter_mut().enumerate() {
        let mut expected = numbered(1, 0..sent);
        if nth == 1 {
            expected.push((sent + 1, 99));
        }
        assert_eq!(take(rx), expected, "member {nth}");
        assert_eq!(rx.try_recv(), Err(TryRecvError::Closed));
    }
}

/// Goal: members that leave, are removed or go with their inboxes full get their end, and hold up nobody. Method: by
/// hand, as above.
#[test]
fn who_leaves_with_a_full_inbox_is_told_the_end() {
    let engine = by_hand(1, 8);
    let group = engine.group();
    let mut members: Vec<Receiver<u64>> = (0..4).map(|_| group.subscribe()).collect();
    let mut all = group.broadcaster();
    let mut filled = 0;
    loop {
        all.send(filled).unwrap();
        engine.run_until_idle();
        if engine.clock().now().get() == filled {
            break;
        }
        filled += 1;
    }
    assert!(group.leave(&members[0].address()));
    assert!(group.remove(&members[1].address()));
    drop(members.remove(2));
    engine.run_until_idle();
    assert_eq!(engine.clock().now().get(), filled, "one is full, still");
    assert_eq!(take(&mut members[2]), numbered(1, 0..filled));
    engine.run_until_idle();
    assert_eq!(take(&mut members[2]), [(filled + 1, filled)]);
    assert_eq!(take(&mut members[0]), numbered(1, 0..filled));
    assert_eq!(members[0].try_recv(), Err(TryRecvError::Closed));
    assert_eq!(members[1].try_recv(), Err(TryRecvError::Closed));
    assert_eq!((members[0].missed(), members[1].missed()), (0, filled));
}

/// Goal: the report says who holds up a broadcaster, and how. Method: by hand; one member's inbox is full: its lane is
/// `InboxFull`, that of the other `Behind`; then the lane is full at one member: `LaneFull` there alone.
#[test]
fn the_report_says_which_member_holds_up_a_broadcaster() {
    let engine = by_hand(1, 8);
    let group = engine.group();
    let (mut slow, mut quick) = (group.subscribe(), group.subscribe());
    let mut all = group.broadcaster();
    let held = |engine: &Engine| -> Vec<Option<HeldUp>> {
        let stats = engine.stats();
        stats.receivers.iter().map(|receiver| receiver.lanes[0].held_up).collect()
    };
    let mut sent = 0;
    while engine.clock().now().get() == sent {
        assert_eq!(held(&engine), [None, None]);
        all.send(0).unwrap();
        sent += 1;
        engine.run_until_idle();
        take(&mut quick);
    }
    assert_eq!(held(&engine), [Some(HeldUp::InboxFull), Some(HeldUp::Behind)]);
    let stats = engine.stats();
    let of = |nth: usize| {
        let receiver = &stats.receivers[nth];
        let lane = &receiver.lanes[0];
        (receiver.received, receiver.depth, receiver.lag, lane.unnumbered)
    };
    assert_eq!((of(0), of(1)), ((0, sent, sent - 1, 1), (sent - 1, 1, 0, 1)));
    assert_eq!(stats.receivers[0].lanes[0].stalls, 1);
    assert_eq!((all.len() as u64, all.slowest().unwrap().behind), (sent, sent));
    take(&mut slow);
    engine.run_until_idle();
    assert_eq!(held(&engine), [None, None]);
    take(&mut slow);
    take(&mut quick);

    // One run: the inbox has room, the lane has not.
    all.send_batch(0..8).unwrap();
    engine.run_until_idle();
    assert_eq!(take(&mut quick).len(), 8);
    assert_eq!(held(&engine), [Some(HeldUp::LaneFull), None]);
    assert!(all.try_send(8).is_err());
    take(&mut slow);
    assert_eq!(held(&engine), [None, None]);
    assert!(all.try_send(8).is_ok());
}

/// Goal: sizes are as said: of an inbox of one entry one is for anyone, and broadcasts have one more, which goes back
/// to nobody when the last of them has gone. Method: by hand, counted entries.
#[test]
fn an_inbox_of_one_entry_has_another_for_broadcasts() {
    let engine = by_hand(1, 1);
    let group = engine.group();
    let mut rx = group.subscribe();
    let mut all = group.broadcaster();
    let mut senders = [(); 3].map(|()| engine.sender(&rx.address()).unwrap());
    engine.run_until_idle();
    senders.iter_mut().for_each(|tx| tx.send(1).unwrap());
    engine.run_until_idle();
    assert_eq!(engine.clock().now().get(), 1);
    all.send(2).unwrap();
    engine.run_until_idle();
    let with_broadcast = engine.clock().now().get();
    assert!(with_broadcast <= 2);
    drop(all);
    let got: Vec<u64> = std::iter::from_fn(|| {
        engine.run_until_idle();
        rx.try_recv().ok().map(|(_, value)| value)
    })
    .collect();
    assert_eq!(got.len(), 4);
    assert_eq!(got.iter().filter(|&&value| value == 2).count(), 1);
    senders.iter_mut().for_each(|tx| tx.send(3).unwrap());
    engine.run_until_idle();
    assert_eq!(engine.clock().now().get(), 5, "one entry, as before");
    drop(senders);
    assert_eq!(parts::passes(&engine).map(|passes| passes > 0), Some(true));
    engine.run_until_idle();
    assert_eq!(take(&mut rx).len(), 3);
    assert_eq!(rx.recv(), Err(RecvError::Closed));
}
