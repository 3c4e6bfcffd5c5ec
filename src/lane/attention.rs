//! The attention of a lane: the word that its sender loads after each publication, from the line it has just written.
//!
//! | bit | set by | cleared by | means to the sender |
//! |---|---|---|---|
//! | WANT | a receiver that goes to sleep; a pass that will not look; at birth | the pass, alone | raise, kick |
//! | GONE | the leaving receiver | – | take back, or leave to the receiver |
//! | AGAIN | the sender that found GONE without DRAINED | the leaving receiver | – |
//! | DRAINED | the leaving receiver, by a CAS that fails if AGAIN has come | – | what is still in the lane is yours |
//! | HOLD | a sender about to wait for a number | the same | (to the receiver: leave the last value alone) |
//! | POISONED | a pass that panicked, a closed engine | – | close |
//! | CLOSING | who closes the engine | – | sent; close |
//! | UNDECIDED | the same, to see whether all is received | the same, if not | wait until that is decided |
//! | | a pass that ends the author from outside | the same | wait until it is decided where |
//! | FENCED | the same | – | what lies beyond that is yours; close |
//! | TAKEN | the sender that takes that, unless GONE has come; who leaves after FENCED | – | (to a drain: stop) |
//! | STRICT | a receiver that sleeps as a task | – | pass a fence, and look again |
//! | CLOSED | who has closed the engine | – | take back what has no number; close |
//!
//! The pass clears WANT when it stamps something of the lane, before it publishes the entry: the receiver that takes
//! the run may set it again. Why the sender never clears it: one that was delayed after its publication would clear
//! the WANT of a later sleep, for a message that had long been stamped, and the next message would wake nobody.
//!
//! STRICT stays once it was set: a heavy barrier has told every sender of it, and a task that sleeps again and again,
//! once for each message, needs none any more. What it costs the sender, some nanoseconds a message, is less than what
//! a task's sleep costs anyway.

/// Somebody wants to hear of the next message.
pub(crate) const WANT: u32 = 1;
/// The receiver has left or is leaving.
pub(crate) const GONE: u32 = 2;
pub(super) const AGAIN: u32 = 4;
pub(super) const DRAINED: u32 = 8;
pub(super) const HOLD: u32 = 16;
/// A pass has panicked; nothing is dispatched any more.
pub(crate) const POISONED: u32 = 32;
/// The engine is being closed: what was published is sent, and nothing more.
pub(crate) const CLOSING: u32 = 64;
/// With POISONED: the engine was closed, and not by a panic: what has no number is the author's again.
pub(crate) const CLOSED: u32 = 128;
/// With CLOSING: whoever closes the engine is looking whether all that counts as sent was received. Without: a pass is
/// looking where the author has come to, to end it there.
pub(crate) const UNDECIDED: u32 = 256;
/// Whoever sleeps for the next message relies on a fence of the sender's, in place of a heavy barrier of its own.
pub(super) const STRICT: u32 = 512;
/// The author was ended from outside.
pub(crate) const FENCED: u32 = 1024;
/// What lies beyond the end is the sender's: a receiver that leaves leaves it alone.
pub(super) const TAKEN: u32 = 2048;
