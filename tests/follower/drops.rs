//! Values that go through a follower are dropped exactly once, whoever leaves first.

use std::thread;

use mainspring::{Drive, Follower};

use super::seq;
use super::support::{Drops, to_the_end};

/// Goal: once each. Method: by hand, every order of leaving of two forwarders and two receivers, with values held
/// back, handed out, past a full inbox, and read.
#[test]
fn each_value_is_dropped_once_whoever_leaves_first() {
    for order in 0..24 {
        for passes in [false, true] {
            let drops = Drops::default();
            let drive = Drive::manual(|| {});
            let follower = Follower::builder().capacity(4).inbox(1).drive(drive).build().unwrap();
            let (mut a, mut rx) = follower.channel();
            let mut b = a.clone();
            let (mut c, other) = follower.channel();
            let mut made = 0;
            for number in [1, 3, 5, 9] {
                a.forward(seq(number), drops.value()).unwrap();
                b.forward(seq(number + 1), drops.value()).unwrap();
                c.forward(seq(number), drops.value()).unwrap();
                // Refused: it comes back, and is dropped here.
                drop(b.forward(seq(1), drops.value()).unwrap_err());
                made += 4;
            }
            follower.run_until_idle();
            drop(rx.try_recv().unwrap());
            follower.run_until_idle();
            let mut ends: Vec<Box<dyn Send>> =
                vec![Box::new(a), Box::new(b), Box::new((c, other)), Box::new(rx)];
            let mut rest = order;
            for left in (1..=4).rev() {
                drop(ends.remove(rest % left));
                rest /= left;
                if passes {
                    follower.run_until_idle();
                }
            }
            drop(follower);
            assert_eq!(drops.count(), made, "order {order}, passes {passes}");
        }
    }
}

/// Goal: the same while they race.
#[test]
fn each_value_is_dropped_once_while_all_leave() {
    to_the_end(|| {
        for round in 0..200_u64 {
            let drops = Drops::default();
            let follower = Follower::builder().capacity(2).inbox(1).build().unwrap();
            let (mut a, mut rx) = follower.channel();
            let mut b = a.clone();
            let one = |number: u64, drops: &Drops| (seq(number), drops.value());
            let values = drops.clone();
            let odd = thread::spawn(move || {
                (0..20)
                    .take_while(|i| {
                        let (seq, value) = one(2 * i + 1, &values);
                        a.forward(seq, value).is_ok()
                    })
                    .count()
            });
            let values = drops.clone();
            let even = thread::spawn(move || {
                (0..round % 20)
                    .take_while(|i| {
                        let (seq, value) = one(2 * i + 2, &values);
                        b.forward(seq, value).is_ok()
                    })
                    .count()
            });
            for _ in 0..round % 7 {
                drop(rx.recv());
            }
            drop(rx);
            let sent = odd.join().unwrap() + even.join().unwrap();
            drop(follower);
            // And those that came back.
            assert!(
                (sent..=sent + 2).contains(&drops.count()),
                "{sent} sent, {} dropped",
                drops.count()
            );
        }
    });
}
