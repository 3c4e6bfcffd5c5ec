//! What the messages of the demo are: several types, as in earnest, and in each the [`Mark`] that the check reads.

use mainspring::Seq;

/// Who has sent a message: the check's number for a handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AuthorId(pub(super) u32);

/// What every message carries.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    pub(super) author: AuthorId,
    /// Whether it goes to all members of a group.
    pub(super) to_all: bool,
    /// The how-manyeth of its author it is, over all targets, from 1.
    pub(super) nth: u64,
    /// The number of what its author had received, or read from the clock, before it sent this; zero if nothing.
    pub(super) cause: Seq,
}

macro_rules! messages {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub(super) struct $name(pub(super) Mark);

        impl From<$name> for Mark {
            fn from(message: $name) -> Self {
                message.0
            }
        }

        impl From<Mark> for $name {
            fn from(mark: Mark) -> Self {
                Self(mark)
            }
        }
    )*};
}

messages! {
    /// To the sink, as many as it takes.
    Tick
    /// To the desks that take orders.
    Order
    /// One half of the book.
    Bid
    /// The other half.
    Ask
    /// To the members of the group.
    Quote
    /// To the audit: a word on something that was received, or on the clock.
    Note
}
