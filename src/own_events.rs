//! Put your own events on the clock: marks, gates, notices, and what hangs on them.

#![doc = include_str!("own_events.md")]

// For its links.
#[cfg(doc)]
use crate::{Marker, Outbox, Sender, Ticket};
