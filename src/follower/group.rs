//! Groups of a follower's receivers.

use std::fmt;

use crate::address::Address;
use crate::error::AddressError;
use crate::forwarder::Forwarder;
use crate::group::Group;
use crate::receiver::Receiver;
use crate::ring::Lane;
use crate::sync::Arc;

/// A set of receivers of one type, to all of which a [`Forwarder`] can forward. Made by
/// [`Follower::group`](super::Follower::group). A handle: clones are the same group.
///
/// As a [`Group`] of an engine, with what a follower changes: a member that joins gets what is forwarded after it
/// has joined, one that leaves what was settled before. A member has each number once: what a forwarder to the
/// group gives, no forwarder to the member may give, nor the other way round
/// ([`Duplicate`](crate::ForwardReason::Duplicate)).
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use mainspring::{Follower, ForwardReason};
/// let follower = Follower::new();
/// let quotes = follower.group::<&str>();
/// let (mut first, mut second) = (quotes.subscribe(), quotes.subscribe());
/// let mut all = quotes.forwarder();
/// let mut alone = follower.forwarder(&first.address())?;
/// alone.advance(7.into())?;
/// all.forward(7.into(), "1.25")?;
/// assert_eq!(first.recv()?, (7.into(), "1.25"));
/// assert_eq!(second.recv()?, (7.into(), "1.25"));
/// alone.forward(8.into(), "for the first")?;
/// let error = all.forward(8.into(), "for both").unwrap_err();
/// assert_eq!(error.reason, ForwardReason::Duplicate);
/// # Ok(()) }
/// ```
pub struct FollowerGroup<T: Send + 'static> {
    group: Group<T>,
}

impl<T: Send + 'static> FollowerGroup<T> {
    pub(super) fn new(group: Group<T>) -> Self {
        Self { group }
    }

    /// A new receiver, which is a member from the beginning.
    pub fn subscribe(&self) -> Receiver<T> {
        self.group.subscribe()
    }

    /// Makes a receiver of the follower a member. One that is a member already stays one.
    ///
    /// # Errors
    ///
    /// As [`Group::join`].
    pub fn join(&self, receiver: &Address<T>) -> Result<(), AddressError> {
        self.group.join(receiver)
    }

    /// Ends a membership: the receiver gets what was settled before, and no more of the group. False if it is no
    /// member.
    pub fn leave(&self, member: &Address<T>) -> bool {
        self.group.leave(member)
    }

    /// Ends a membership at once, as [`Group::remove`]. False if it is no member.
    pub fn remove(&self, member: &Address<T>) -> bool {
        self.group.remove(member)
    }

    /// One who forwards to all members. It joins now: see [`Forwarder::passed`].
    pub fn forwarder(&self) -> Forwarder<T>
    where
        T: Clone + Sync,
    {
        let lane = Lane::shared(self.group.capacity(), Arc::default(), None);
        Forwarder::to_group(self.group.clone(), lane)
    }

    /// The members, in the order in which they joined.
    pub fn members(&self) -> Vec<Address<T>> {
        self.group.members()
    }

    /// How many members there are.
    pub fn len(&self) -> usize {
        self.group.len()
    }

    /// Whether there is no member.
    pub fn is_empty(&self) -> bool {
        self.group.is_empty()
    }

    /// The name that it was given.
    pub fn name(&self) -> Option<&str> {
        self.group.name()
    }
}

impl<T: Send + 'static> Clone for FollowerGroup<T> {
    fn clone(&self) -> Self {
        Self { group: self.group.clone() }
    }
}

impl<T: Send + 'static> fmt::Debug for FollowerGroup<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FollowerGroup")
            .field("name", &self.name())
            .field("members", &self.len())
            .finish_non_exhaustive()
    }
}
