//! States of several slots with one number, all of them or none.
//!
//! ```text
//!   put in, each under its slot's lock ─▶ the mark is numbered, or submitted ─▶ done, under each lock
//!      │                                     │
//!      └──── a slot is fenced: the mark is withdrawn, every state comes back
//! ```
//!
//! No two slots are locked at once. Between the first state and the number the batch's mark lies with each slot that it
//! has come to: whoever takes one over withdraws it. Nobody has seen any of its states then, since they have no number,
//! and never get one.

use std::fmt;

use super::{Publication, Publisher, SlotState};
use crate::clock::Seq;
use crate::drive::Shared;
use crate::error::PublishReason;
use crate::latest::{Deposit, Node, Panic};
use crate::mark::{Mark, Withdrawal};
use crate::marker::Ticket;
use crate::ring::go_on_with;
use crate::sync::Arc;
use crate::watch::Watch;

/// A publisher with a staged state, as a part of what is published [together](publish_all).
pub struct Part<'a> {
    member: &'a mut dyn Member,
}

/// One slot's side of a batch.
trait Member: Send {
    fn shared(&self) -> &Arc<Shared>;
    fn watch(&self) -> &Arc<Watch>;
    fn is_staged(&self) -> bool;
    /// Puts the staged state in, with this mark.
    fn enter(&mut self, mark: &Arc<Mark>) -> Result<(), PublishReason>;
    /// The mark is numbered or submitted: others may publish again.
    fn settle(&mut self);
    /// If the mark was withdrawn the state is staged again.
    fn take_back(&mut self);
    /// Drops what nobody needs any more. What that panics with comes back.
    fn tidy(&mut self, panic: &mut Panic);
    fn tell(&self);
    fn fenced_at(&self) -> Option<Seq>;
}

/// Publishes the staged states of several slots, of any types, with one number: whoever reads them at one number, by a
/// [`Cut`](crate::Cut), sees all of them or none. (Two reads, one after the other, may come before and after it.) Never
/// waits for the number, and never for those who take a slot over: whoever reads what it has published waits for the
/// number first ([`Publication::stamp`]), as after [`publish`](Publisher::publish).
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use mainspring::{PublishReason, publish_all};
/// let engine = mainspring::Engine::new();
/// let (from, to) = (engine.slot(), engine.slot());
/// let (mut a, mut b) = (from.publisher(), to.publisher());
/// publish_all(&mut [a.stage(60), b.stage("forty")])?.stamp()?;
///
/// let _other = to.publisher();
/// let refused = publish_all(&mut [a.stage(50), b.stage("fifty")]);
/// assert!(matches!(refused, Err(PublishReason::Fenced { .. })));
/// assert_eq!(**from.latest().read().unwrap(), 60);
/// assert_eq!((a.unstage(), b.unstage()), (Some(50), Some("fifty")));
/// # Ok(()) }
/// ```
///
/// # Errors
///
/// If one of the publishers is fenced, or has nothing staged, if there are none, or of several engines, or the engine
/// is closed. Then nothing is published, and every state is staged still, to be [taken back](Publisher::unstage).
pub fn publish_all(parts: &mut [Part<'_>]) -> Result<Publication, PublishReason> {
    let shared = parts.first().ok_or(PublishReason::NothingStaged)?.member.shared().clone();
    if parts.iter().any(|part| !part.member.is_staged()) {
        return Err(PublishReason::NothingStaged);
    }
    if parts.iter().any(|part| !Arc::ptr_eq(part.member.shared(), &shared)) {
        return Err(PublishReason::Foreign);
    }
    let mark = Mark::of_states(parts.iter().map(|part| part.member.watch().clone()).collect());
    for index in 0..parts.len() {
        if let Err(reason) = parts[index].member.enter(&mark) {
            mark.withdraw(Withdrawal::Fenced);
            let parts = &mut parts[..index];
            parts.iter_mut().for_each(|part| part.member.settle());
            end(parts);
            return Err(reason);
        }
    }
    let (seq, owed) = shared.mark_at_once_for(|seq| mark.settle(Some(seq.get())));
    let is_enlisted = seq.is_none() && shared.enlist(&mark);
    parts.iter_mut().for_each(|part| part.member.settle());
    // From here on nobody withdraws it.
    let is_fenced = mark.withdrawal().is_some();
    shared.pay(owed);
    if is_enlisted {
        shared.kick();
    }
    if seq.is_some() {
        parts.iter().for_each(|part| part.member.tell());
    }
    end(parts);
    if is_fenced {
        let at = parts.iter().find_map(|part| part.member.fenced_at());
        return Err(PublishReason::Fenced { at });
    }
    Ok(seq.map_or_else(
        || Publication::pending(Ticket::new(shared.clone(), mark)),
        Publication::numbered,
    ))
}

/// Of a batch that was published, or has failed: all that comes back is back before foreign code runs.
fn end(parts: &mut [Part<'_>]) {
    parts.iter_mut().for_each(|part| part.member.take_back());
    let mut panic = None;
    parts.iter_mut().for_each(|part| part.member.tidy(&mut panic));
    go_on_with(panic);
}

impl<T: Send + Sync + 'static> Publisher<T> {
    /// Makes a state ready to be published [with others](publish_all). One that was staged before is dropped.
    pub fn stage(&mut self, state: T) -> Part<'_> {
        self.staged = Some(state);
        self.part()
    }

    /// What is staged, as a part of what is to be published together.
    pub fn part(&mut self) -> Part<'_> {
        Part { member: self }
    }

    /// Takes back what is staged.
    pub fn unstage(&mut self) -> Option<T> {
        self.staged.take()
    }
}

impl<T: Send + Sync + 'static> Member for Publisher<T> {
    fn shared(&self) -> &Arc<Shared> {
        &self.slot.shared
    }

    fn watch(&self) -> &Arc<Watch> {
        &self.slot.watch
    }

    fn is_staged(&self) -> bool {
        self.staged.is_some()
    }

    fn enter(&mut self, mark: &Arc<Mark>) -> Result<(), PublishReason> {
        let Some(state) = self.staged.take() else { return Err(PublishReason::NothingStaged) };
        let slot = self.slot.clone();
        let mut writing = slot.states.write();
        if let Some(reason) = self.refusal(&mut writing) {
            drop(writing);
            self.staged = Some(state);
            return Err(reason);
        }
        writing.reign().batch = Some(mark.clone());
        let node = Node::reuse(&mut self.spare, state);
        self.deposit = Some(writing.deposit(node, mark.clone()));
        Ok(())
    }

    fn settle(&mut self) {
        let mut writing = self.slot.states.write();
        if self.is_of(&mut writing) {
            writing.reign().batch = None;
        }
    }

    fn take_back(&mut self) {
        // While it is deposited nobody frees it, so what was withdrawn comes back whole.
        self.staged = self.deposit.take().and_then(Deposit::take_back);
    }

    fn tidy(&mut self, panic: &mut Panic) {
        let slot: &Arc<SlotState<T>> = &self.slot;
        let mut writing = slot.states.write();
        let freed = slot.prune(&mut writing);
        drop(writing);
        freed.reuse(&mut self.spare, panic);
    }

    fn tell(&self) {
        self.slot.tell();
    }

    fn fenced_at(&self) -> Option<Seq> {
        match self.refusal(&mut self.slot.states.write()) {
            Some(PublishReason::Fenced { at }) => at,
            _ => None,
        }
    }
}

impl fmt::Debug for Part<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Part").field("is_staged", &self.member.is_staged()).finish()
    }
}
