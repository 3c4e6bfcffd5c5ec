//! Large crowds: what is done for each member needs no stack for each. In a file of its own, for a stack that overflows
//! ends the whole process.

#![cfg(not(loom))]

use std::thread;

use mainspring::{Follower, Seq};

/// Goal: a group of a follower can be large. Method: a forwarder to 5,000 members, in a thread with a small stack.
#[test]
fn a_group_of_a_follower_can_be_large() {
    let follower = Follower::builder().inbox(1).capacity(1).build().unwrap();
    let group = follower.group::<u64>();
    let mut forwarder = group.forwarder();
    let mut members: Vec<_> = (0..5_000).map(|_| group.subscribe()).collect();
    let forward = move || forwarder.forward(Seq::new(1), 1).unwrap();
    let thread = thread::Builder::new().stack_size(256 * 1024).spawn(forward).unwrap();
    thread.join().unwrap();
    assert_eq!(members.last_mut().unwrap().recv(), Ok((Seq::new(1), 1)));
}
