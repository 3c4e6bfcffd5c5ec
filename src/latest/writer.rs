//! The writer's side of a slot: puts states in, takes them out, and frees them when nobody can come to them.

use std::any::Any;
use std::ptr::NonNull;

use super::{Node, Snapshot, Stamp, States};
use crate::clock::Seq;
use crate::error::WaitError;
use crate::mark::Mark;
use crate::ring::{drop_quietly, go_on_with};
use crate::sync::atomic::AtomicUsize;
use crate::sync::{Arc, Guard, Ordering::Relaxed};

/// What the lock guards.
pub(crate) struct Writer<T> {
    /// Taken out of the row; for which of the counts has been looked at since, see `seen`.
    leaving: Vec<NonNull<Node<T>>>,
    /// Of each count, whether it has been zero since all of `leaving` was taken out.
    seen: [bool; 2],
    /// Taken out after that.
    fresh: Vec<NonNull<Node<T>>>,
    reign: Reign,
    /// Among those who keep states for pins.
    is_listed: bool,
}

/// Who may put states in.
#[derive(Default)]
pub(crate) struct Reign {
    /// Of the one that lasts. The first is 1.
    pub(crate) id: u64,
    /// Where it began: whatever the reign before has put in has a lower number.
    pub(crate) began: Option<Stamp>,
    /// It is putting in states of several slots, with this mark, which is yet to be submitted.
    pub(crate) batch: Option<Arc<Mark>>,
}

// SAFETY: it owns shares of states, which may end here.
unsafe impl<T: Send + Sync> Send for Writer<T> {}

impl<T> Default for Writer<T> {
    fn default() -> Self {
        let reign = Reign::default();
        Self { leaving: Vec::new(), seen: [false; 2], fresh: Vec::new(), reign, is_listed: false }
    }
}

impl<T> Writer<T> {
    /// At the slot's end.
    pub(super) fn take_all(&mut self) -> Freed<T> {
        let mut freed = Freed::default();
        for place in self.leaving.drain(..).chain(self.fresh.drain(..)) {
            // SAFETY: the share of the row, which nobody walks any more.
            freed.extend(unsafe { let_go(place) });
        }
        freed
    }
}

/// One owner fewer. The memory comes back from the last.
///
/// # Safety
///
/// The caller is an owner, and is none after this.
pub(super) unsafe fn let_go<T>(place: NonNull<Node<T>>) -> Option<Box<Node<T>>> {
    // SAFETY: the caller is an owner still.
    let node = unsafe { place.as_ref() };
    // Acquire: pairs with the others' below. Nobody adds an owner to what has this one alone: if it is a snapshot, the
    // row has let go of it; and if it is the row, no visit can come to it any more.
    let is_last = node.owners.load(ord!("latest.let_go.last", Acquire)) == 1
        // AcqRel: whatever the other owners have read is over for the last one.
        || node.owners.fetch_sub(1, ord!("latest.let_go", AcqRel)) == 1;
    is_last.then(|| {
        // SAFETY: nobody else has it; it came from a box in `put`.
        unsafe { Box::from_raw(place.as_ptr()) }
    })
}

/// What a destructor has panicked with.
pub(crate) type Panic = Option<Box<dyn Any + Send>>;

/// States that nobody owns any more. Dropped where no lock is held, each with its value; the panic of a destructor goes
/// on when all are dropped.
pub(crate) struct Freed<T> {
    nodes: Vec<Box<Node<T>>>,
    one: Option<Box<Node<T>>>,
}

impl<T> Default for Freed<T> {
    fn default() -> Self {
        Self { nodes: Vec::new(), one: None }
    }
}

impl<T> Freed<T> {
    /// Adds one, if there is one. The first takes no memory.
    pub(super) fn extend(&mut self, node: Option<Box<Node<T>>>) {
        match node {
            Some(node) if self.one.is_none() => self.one = Some(node),
            node => self.nodes.extend(node),
        }
    }

    /// Adds all of another's.
    pub(crate) fn append(&mut self, mut other: Self) {
        for node in other.one.take().into_iter().chain(other.nodes.drain(..)) {
            self.extend(Some(node));
        }
    }

    /// Keeps one for the next state. Its value is dropped, and the others are. What they panic with comes back.
    pub(crate) fn reuse(mut self, spare: &mut Option<Box<Node<T>>>, panic: &mut Panic) {
        if spare.is_none()
            && let Some(mut node) = self.one.take()
        {
            let value = node.empty();
            // Foreign, too: a mark can have the waker of a publication that was forgotten.
            if let Stamp::Mark(mark) = node.replace_stamp(Stamp::Given(Seq::ZERO)) {
                drop_quietly(mark, panic);
            }
            *spare = Some(node);
            if let Some(value) = value {
                drop_quietly(value, panic);
            }
        }
        if self.one.is_some() || !self.nodes.is_empty() {
            drop_quietly(self, panic);
        }
    }
}

impl<T> Drop for Freed<T> {
    fn drop(&mut self) {
        let mut panic = None;
        for node in self.one.take().into_iter().chain(self.nodes.drain(..)) {
            drop_quietly(node, &mut panic);
        }
        go_on_with(panic);
    }
}

/// The one who writes.
pub(crate) struct Writing<'a, T> {
    states: &'a States<T>,
    writer: Guard<'a, Writer<T>>,
}

impl<'a, T> Writing<'a, T> {
    pub(super) fn new(states: &'a States<T>) -> Self {
        Self { states, writer: states.writer.lock() }
    }

    pub(crate) fn reign(&mut self) -> &mut Reign {
        &mut self.writer.reign
    }

    /// Whether the slot is among those who keep states for pins.
    pub(crate) fn is_listed(&mut self) -> &mut bool {
        &mut self.writer.is_listed
    }

    /// Puts a state in. If it comes with a mark, that is submitted after this.
    #[expect(clippy::needless_pass_by_ref_mut, reason = "there is one writer")]
    pub(crate) fn put(&mut self, mut node: Box<Node<T>>, stamp: Stamp) -> NonNull<Node<T>> {
        // Nothing is dropped: a node that is used again has lost its mark before.
        node.replace_stamp(stamp);
        // Relaxed, three times: the head is written by whoever writes, and the node is not in the row.
        node.owners.store(1, Relaxed);
        node.before.store(self.states.head.load(Relaxed), Relaxed);
        let place = NonNull::from(Box::leak(node));
        // Release: whoever reads the head reads the node.
        self.states.head.store(place.as_ptr(), ord!("latest.head.publish", Release));
        place
    }

    /// The same, of one whose mark may be withdrawn: then its value can be [taken back](Deposit::take_back).
    pub(crate) fn deposit(&mut self, node: Box<Node<T>>, mark: Arc<Mark>) -> Deposit<T> {
        let place = self.put(node, Stamp::Mark(mark));
        // SAFETY: it was put in just now, and whoever takes it out waits for the lock.
        let node = unsafe { place.as_ref() };
        // Relaxed: another owner, beside the row.
        node.owners.fetch_add(1, Relaxed);
        Deposit { snapshot: Snapshot { place } }
    }

    /// The mark of the newest state, if that waits for its number.
    pub(crate) fn pending(&self) -> Option<&Arc<Mark>> {
        // Relaxed: written by whoever writes.
        let place = self.states.head.load(Relaxed);
        // SAFETY: what is in the row is taken out and freed by whoever writes.
        match unsafe { place.as_ref() }?.stamp() {
            Stamp::Mark(mark) if mark.outcome().is_none() => Some(mark),
            _ => None,
        }
    }

    /// Takes out what nobody needs: states that never get a number, and those that have a successor which the clock
    /// covers, `now`, unless they are `kept`: somebody has a pin from their number on, below that of the successor.
    ///
    /// Returns what nobody owns any more, to be dropped when the lock has been let go of.
    pub(crate) fn prune(&mut self, now: Seq, mut kept: impl FnMut(Seq, Seq) -> bool) -> Freed<T> {
        let mut successor = None;
        let mut link = &self.states.head;
        let mut taken = false;
        loop {
            // Relaxed: links are written by whoever writes.
            let place = link.load(Relaxed);
            // SAFETY: as in `pending`.
            let Some(node) = (unsafe { place.as_ref() }) else { break };
            let never = matches!(node.stamp(), Stamp::Mark(mark) if mark.outcome() == NEVER);
            let stays = match (node.stamp().seq(), successor) {
                (Some(seq), Some(next)) => {
                    successor = Some(seq);
                    kept(seq, next)
                }
                (Some(seq), None) => {
                    // What is before it is needed while the clock may be below it.
                    successor = (seq <= now).then_some(seq);
                    true
                }
                (None, _) => !never,
            };
            if stays {
                link = &node.before;
                continue;
            }
            taken = true;
            // Relaxed: as above. Release: whoever reads this link reads the number of the state that it is in, and what
            // it leads to.
            let before = node.before.load(Relaxed);
            link.store(before, ord!("latest.cut", Release));
            self.writer.fresh.push(NonNull::from(node));
        }
        if taken || !self.writer.leaving.is_empty() { self.give_back() } else { Freed::default() }
    }

    /// Lets go of what no reader can come to any more.
    fn give_back(&mut self) -> Freed<T> {
        let mut freed = Freed::default();
        let Self { states, writer } = self;
        // Pairs with the readers' fence: see the module's documentation.
        fence!("latest.leave.fence", SeqCst);
        // Acquire: pairs with the end of a visit.
        let is_zero = |count: &AtomicUsize| count.load(ord!("latest.inside.read", Acquire)) == 0;
        let zero = [is_zero(&states.inside[0]), is_zero(&states.inside[1])];
        if !writer.leaving.is_empty() {
            writer.seen = [writer.seen[0] | zero[0], writer.seen[1] | zero[1]];
            if writer.seen == [true; 2] {
                for place in writer.leaving.drain(..) {
                    // SAFETY: the row's share; no reader that could come to it is inside.
                    freed.extend(unsafe { let_go(place) });
                }
            }
        }
        if writer.leaving.is_empty() {
            let Writer { leaving, seen, fresh, .. } = &mut **writer;
            if zero == [true; 2] {
                while let Some(place) = fresh.pop() {
                    // SAFETY: as above.
                    freed.extend(unsafe { let_go(place) });
                }
                return freed;
            }
            std::mem::swap(leaving, fresh);
            *seen = zero;
        }
        // New readers go where it has been zero, so the other one comes to it.
        let phase = usize::from(!writer.seen[0] && writer.seen[1]);
        if !writer.leaving.is_empty() {
            // Relaxed: either count will do for a reader.
            states.phase.store(phase, Relaxed);
        }
        freed
    }
}

/// A share of a state whose number is not known. It keeps the memory; nobody reads the value meanwhile.
pub(crate) struct Deposit<T> {
    snapshot: Snapshot<T>,
}

impl<T> Deposit<T> {
    /// The value, if the mark was withdrawn.
    pub(crate) fn take_back(self) -> Option<T> {
        let node = self.snapshot.node();
        let Stamp::Mark(mark) = node.stamp() else { return None };
        mark.withdrawal()?;
        node.value.with_mut(|value| {
            // SAFETY: a state that never gets a number is read by nobody, and freed by no writer while this is an
            // owner; there is one deposit of it.
            unsafe { &mut *value }.take()
        })
    }
}

/// The outcome of a mark that never gets a number.
const NEVER: Option<Result<Seq, WaitError>> = Some(Err(WaitError));

impl<T> States<T> {
    /// How many states are in the row.
    pub(crate) fn len(&self) -> usize {
        let _writer = self.writer.lock();
        // Relaxed, twice: links are written under the lock.
        let mut place = self.head.load(Relaxed);
        let mut len = 0;
        // SAFETY: as in `pending`.
        while let Some(node) = unsafe { place.as_ref() } {
            len += 1;
            place = node.before.load(Relaxed);
        }
        len
    }
}
