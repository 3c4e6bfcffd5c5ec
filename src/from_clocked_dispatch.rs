//! For those who come from clocked-dispatch: each of its public items, what stands for it here, and what differs.

#![doc = include_str!("from_clocked_dispatch.md")]

// For its links.
#[cfg(doc)]
use crate::{Engine, Event, Receiver, Sender, Seq};
