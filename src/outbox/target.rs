//! The targets of an outbox: the names by which its author knows them, and the lanes that lead there.

use std::any::Any;
use std::fmt;
use std::marker::PhantomData;

use crate::address::Port;
use crate::group::Group;
use crate::ring::Producer;
use crate::sync::Arc;

/// Names a receiver to which an [`Outbox`](super::Outbox) sends. Made by [`Outbox::add`](super::Outbox::add), good
/// for that outbox only.
pub struct Target<T> {
    pub(super) index: u16,
    pub(super) id: u64,
    pub(super) of: PhantomData<fn(T)>,
}

impl<T> Clone for Target<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Target<T> {}

impl<T> PartialEq for Target<T> {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl<T> Eq for Target<T> {}

impl<T> fmt::Debug for Target<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Target").field(&self.index).finish()
    }
}

/// A target's place in the outbox.
pub(super) struct Slot {
    pub(super) id: u64,
    pub(super) lane: Box<dyn AnyLane>,
    /// Removed; the place is free when the dispatcher has done with it.
    pub(super) removed: bool,
    /// It stands for a group, or for a member of one, and so for no [`Target`] that the author has.
    pub(super) of_group: bool,
}

#[inline]
pub(super) fn find<T: Send + 'static>(
    targets: &mut [Slot],
    target: Target<T>,
) -> Option<&mut TargetLane<T>> {
    let slot = targets.get_mut(usize::from(target.index))?;
    if slot.id != target.id || slot.removed {
        return None;
    }
    let lane: &mut dyn Any = &mut *slot.lane;
    lane.downcast_mut()
}

/// The lane to a target, whose type the outbox forgets and the [`Target`] remembers.
pub(super) trait AnyLane: Any + Send + Sync {
    fn end(&mut self);
    fn is_released(&self) -> bool;
    /// Whether the receiver has gone.
    fn is_gone(&self) -> bool;
    /// Which receiver it is; none for all members of a group.
    fn port(&self) -> Option<*const ()>;
}

pub(super) struct TargetLane<T: Send + 'static> {
    pub(super) producer: Producer<T>,
    pub(super) to: Readers<T>,
}

/// Who reads a lane.
pub(super) enum Readers<T: Send + 'static> {
    One { port: Arc<Port<T>>, key: u32 },
    All(Group<T>),
}

impl<T: Send + 'static> AnyLane for TargetLane<T> {
    fn end(&mut self) {
        match &self.to {
            Readers::One { port, key } => port.end_lane(&mut self.producer, *key),
            Readers::All(group) => {
                // First, so that whoever joins is known to the dispatcher before it sees the end.
                group.remove_lane(self.producer.lane(), self.producer.tail() > 0);
                self.producer.end();
            }
        }
    }

    fn is_released(&self) -> bool {
        self.producer.state().is_released()
    }

    fn is_gone(&self) -> bool {
        self.producer.is_closed() || self.producer.state().is_shut()
    }

    fn port(&self) -> Option<*const ()> {
        match &self.to {
            Readers::One { port, .. } => Some(Arc::as_ptr(port).cast()),
            Readers::All(_) => None,
        }
    }
}
