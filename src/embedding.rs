//! For those who put an engine into a program of theirs: who does its work, what waits, what it takes, how it ends.

#![doc = include_str!("embedding.md")]

// For its links.
#[cfg(doc)]
use crate::{
    Broadcaster, Builder, Clock, Drive, Engine, Idle, Outbox, Progress, Receiver, Sender, Sending,
    SharedSender,
};
