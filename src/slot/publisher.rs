//! Who puts states into a slot.

use std::fmt;

use super::{Publication, SlotState};
use crate::clock::Seq;
use crate::error::{PublishError, PublishReason};
use crate::latest::{Deposit, Node, Stamp, Writing};
use crate::mark::{Mark, Withdrawal};
use crate::marker::Ticket;
use crate::ring::go_on_with;
use crate::sync::Arc;

/// Puts one state after the other into a [`Slot`](crate::Slot). There is one that may; whoever makes another fences it.
///
/// Publishing waits for nobody but a moment for whoever takes the slot over, or lets go of a cut. It costs no memory
/// once there was a first and a second state, unless readers keep the old ones, or somebody else passes at the moment.
/// Destructors of old states run when the new one is in; if one panics, so does publishing, with the new one published.
pub struct Publisher<T: Send + Sync + 'static> {
    pub(super) slot: Arc<SlotState<T>>,
    reign: u64,
    /// Memory for the next state.
    pub(super) spare: Option<Box<Node<T>>>,
    /// What is to be published with others.
    pub(super) staged: Option<T>,
    /// What is being published with others.
    pub(super) deposit: Option<Deposit<T>>,
}

impl<T: Send + Sync + 'static> Publisher<T> {
    pub(super) fn new(slot: Arc<SlotState<T>>, reign: u64) -> Self {
        Self { slot, reign, spare: None, staged: None, deposit: None }
    }

    /// Publishes a state. Never waits for its number: it may have it on return, or get it soon, when somebody else
    /// passes at the moment; below that of whatever is sent after this, unless the engine is closed before. Readers
    /// see it from then on. So nobody is promised to read it at once, not even who has published it: whoever
    /// computes the next state from the last keeps that, or waits for the number ([`Publication::stamp`]) before
    /// reading, and before letting go of a lock under which others do the same.
    ///
    /// # Errors
    ///
    /// If another publisher has taken the slot over, or the engine is closed. The state comes back.
    #[inline]
    pub fn publish(&mut self, state: T) -> Result<Publication, PublishError<T>> {
        self.publish_with(state, false)
    }

    /// As [`publish`](Self::publish), in place of the state before if that has no number yet: that one is **conflated**
    /// then, and never seen by anyone. So however often this is called while nobody can pass, one state waits.
    ///
    /// This gives up an order: a message that was sent between the two may be received before either is seen. What was
    /// published [together](crate::publish_all) with others is not conflated.
    ///
    /// # Errors
    ///
    /// As [`publish`](Self::publish).
    pub fn conflate(&mut self, state: T) -> Result<Publication, PublishError<T>> {
        self.publish_with(state, true)
    }

    #[inline]
    fn publish_with(&mut self, state: T, conflates: bool) -> Result<Publication, PublishError<T>> {
        let slot = &self.slot;
        let shared = &slot.shared;
        let mut writing = slot.states.write();
        if let Some(reason) = self.refusal(&mut writing) {
            drop(writing);
            return Err(PublishError { value: state, reason });
        }
        let withdrawn = if conflates { withdraw(&writing) } else { None };
        let mut node = Some(Node::reuse(&mut self.spare, state));
        let (seq, owed) = shared.mark_at_once_for(|seq| {
            if let Some(node) = node.take() {
                writing.put(node, Stamp::Given(seq));
            }
            true
        });
        let mut mark = None;
        if let Some(node) = node {
            let new = Mark::of_states(vec![slot.watch.clone()]);
            writing.put(node, Stamp::Mark(new.clone()));
            mark = Some((shared.enlist(&new), new));
        }
        let freed = slot.prune(&mut writing);
        drop(writing);
        shared.pay(owed);
        if let Some(withdrawn) = withdrawn {
            withdrawn.wake();
        }
        let publication = match (seq, mark) {
            (Some(seq), _) => {
                slot.tell();
                Publication::numbered(seq)
            }
            (None, Some((is_enlisted, mark))) => {
                if is_enlisted {
                    shared.kick();
                }
                Publication::pending(Ticket::new(shared.clone(), mark))
            }
            (None, None) => unreachable!("a state was put in one way or the other"),
        };
        let mut panic = None;
        freed.reuse(&mut self.spare, &mut panic);
        go_on_with(panic);
        Ok(publication)
    }

    /// Why it may not publish, if it may not.
    #[inline]
    pub(super) fn refusal(&self, writing: &mut Writing<'_, T>) -> Option<PublishReason> {
        let reign = writing.reign();
        if reign.id != self.reign {
            return Some(PublishReason::Fenced { at: reign.began.as_ref().and_then(Stamp::seq) });
        }
        self.slot.shared.is_closing().then_some(PublishReason::Closed)
    }

    /// Whether its reign lasts.
    pub(super) fn is_of(&self, writing: &mut Writing<'_, T>) -> bool {
        writing.reign().id == self.reign
    }

    /// The number with which it took the slot over; none if it is not known yet, or there was none to take it from, or
    /// if it was fenced itself.
    pub fn began(&self) -> Option<Seq> {
        let mut writing = self.slot.states.write();
        if self.is_of(&mut writing) { writing.reign().began.as_ref()?.seq() } else { None }
    }

    /// Whether another publisher has taken the slot over. Final.
    pub fn is_fenced(&self) -> bool {
        !self.is_of(&mut self.slot.states.write())
    }
}

/// Takes the newest state back, if it has no number yet.
fn withdraw<T>(writing: &Writing<'_, T>) -> Option<Arc<Mark>> {
    let mark = writing.pending()?;
    let may = !mark.is_of_several() && mark.withdraw(Withdrawal::Conflated);
    may.then(|| mark.clone())
}

impl<T: Send + Sync + 'static> Drop for Publisher<T> {
    fn drop(&mut self) {
        self.slot.leave();
    }
}

impl<T: Send + Sync + 'static> fmt::Debug for Publisher<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publisher").field("is_fenced", &self.is_fenced()).finish_non_exhaustive()
    }
}
