//! Put your own events on the clock: marks, gates, notices, states, and what hangs on them.

#![doc = include_str!("own_events.md")]

// For its links.
#[cfg(doc)]
use crate::{Cut, Latest, Marker, Outbox, Publisher, Sender, Slot, Ticket, publish_all};
