//! Engine, follower, follower: the one order, passed on twice.

use std::thread::{self, JoinHandle};

use mainspring::{Drive, Engine, Event, Follower, Forwarder, Receiver};

use super::seq;
use super::support::{
    Letter, Stamped, assert_complete, assert_dense, listen, listen_by, to_the_end, write,
};

/// Passes on all that a receiver is told, until it closes. Returns the letters.
fn pass_on(mut from: Receiver<Letter>, mut to: Forwarder<Letter>) -> JoinHandle<Vec<Stamped>> {
    thread::spawn(move || {
        listen_by(|| {
            let event = from.recv_event().ok()?;
            hand(event.clone(), &mut to);
            Some(event)
        })
    })
}

fn chain(capacity: usize, inbox: usize, count: u64) {
    const RECEIVERS: usize = 3;
    let engine = Engine::builder().capacity(capacity).inbox(inbox).build().unwrap();
    let middle = Follower::builder().capacity(capacity).inbox(inbox).build().unwrap();
    let last = Follower::builder().capacity(capacity).inbox(inbox).build().unwrap();
    // Three receivers above, two in the middle (the first of them with two forwarders), one below.
    let above: Vec<_> = (0..RECEIVERS).map(|_| engine.receiver::<Letter>()).collect();
    let authors: Vec<_> = (0..2)
        .map(|author| {
            let mut to: Vec<_> =
                above.iter().map(|rx| engine.sender(&rx.address()).unwrap()).collect();
            thread::spawn(move || write(author, count, &mut to))
        })
        .collect();
    let (to_first, first) = middle.channel();
    let (to_second, second) = middle.channel();
    let to = [to_first.clone(), to_first, to_second];
    let (below, mut rx) = last.channel();
    let in_middle = [pass_on(first, below.clone()), pass_on(second, below)];
    let at_top: Vec<_> = above.into_iter().zip(to).map(|(from, to)| pass_on(from, to)).collect();
    let letters: Vec<Stamped> = listen(&mut rx);
    for author in authors {
        author.join().unwrap();
    }
    let mut received: Vec<Stamped> =
        at_top.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
    for thread in in_middle {
        assert!(thread.join().unwrap().len() <= letters.len());
    }
    assert_complete(&letters, &[count, count]);
    assert_dense(&letters, 1);
    // What came out in the end is what the engine had given, in the order of the numbers.
    received.sort_unstable_by_key(|&(number, _)| number);
    assert_eq!(letters, received);
    assert_eq!(last.clock().now(), engine.clock().now());
}

/// Goal: O4, O5 and completeness through two followers. Method: five threads pass on what they are told, with room
/// and almost without.
#[test]
fn a_chain_of_followers_keeps_the_order() {
    to_the_end(|| {
        chain(64, 64, 4_000);
        chain(4, 1, 1_000);
        chain(1, 1, 300);
    });
}

/// Goal: the same by hand, in one thread, with what is told at each moment.
#[test]
fn a_chain_can_be_driven_by_hand() {
    let drive = || Drive::manual(|| {});
    let engine = Engine::builder().drive(drive()).build().unwrap();
    let middle = Follower::builder().drive(drive()).build().unwrap();
    let last = Follower::builder().drive(drive()).build().unwrap();
    let (mut a, mut rx_a) = engine.channel();
    let (mut b, mut rx_b) = engine.channel();
    let (mut on_a, mut mid_a) = middle.channel();
    let (mut on_b, mut mid_b) = middle.channel();
    let (mut down_a, mut rx) = last.channel();
    let mut down_b = down_a.clone();
    let mut received = Vec::new();
    for number in 1..=20 {
        if number % 3 == 0 {
            a.send(number).unwrap();
        } else {
            b.send(number).unwrap();
        }
        engine.run_until_idle();
        for (from, to) in [(&mut rx_a, &mut on_a), (&mut rx_b, &mut on_b)] {
            while let Ok(event) = from.try_recv_event() {
                hand(event, to);
            }
        }
        middle.run_until_idle();
        for (from, to) in [(&mut mid_a, &mut down_a), (&mut mid_b, &mut down_b)] {
            while let Ok(event) = from.try_recv_event() {
                hand(event, to);
            }
        }
        last.run_until_idle();
        while let Ok((seq, value)) = rx.try_recv() {
            assert_eq!(seq.get(), value);
            received.push(value);
        }
        assert_eq!(last.clock().now(), seq(number));
    }
    assert_eq!(received, (1..=20).collect::<Vec<_>>());
}

fn hand<T: Send + 'static>(event: Event<T>, to: &mut Forwarder<T>) {
    match event {
        Event::Message(seq, value) => to.forward(seq, value).unwrap(),
        Event::Clock(seq) => to.advance(seq).unwrap(),
        _ => panic!("what is that?"),
    }
}
