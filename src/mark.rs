//! A mark: an event that has no receiver. It is submitted, and gets the next number from a pass.
//!
//! ```text
//!   MarkList ──▶ the pass: numbered ──▶ its sleeper is woken, and its errand done, when the core has been let go of
//!      ▲              │
//!   anyone            └─▶ a gate waits here until the last of its authors is numbered to the end
//! ```
//!
//! *The number* lies in the mark itself, which lives as long as what is marked: a reader at t looks for it long after
//! the list has forgotten it. It is published before the clock that covers it, so whoever reads the clock at t reads
//! the number of every mark up to t.
//!
//! *Two lists* can have a mark at once, each by a link of its own ([`NEXT`], [`DONE`]): so to submit one that was
//! prepared allocates nothing.
//!
//! *Order.* A pass loads the tails of the lanes, then takes the marks, and numbers these first. A message that was
//! sent after a mark was submitted is in a tail only after the mark is in the list; so the pass that numbers it has
//! taken the mark before.
//!
//! *Who waits* leaves a parker under the mark's lock and looks again; whoever has numbered it takes the parker under
//! the same lock. One of them comes second, and sees what the other has done. So neither side needs a barrier. Two can
//! wait at once, each in a place of its own ([`TICKET`], [`ANSWER`]).

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::clock::Seq;
use crate::error::WaitError;
use crate::lane::LaneState;
use crate::notice::Letter;
use crate::order::OrderRing;
use crate::park::Parker;
use crate::sync::atomic::{AtomicBool, AtomicU64};
use crate::sync::{Arc, Mutex, Ordering::Relaxed};
use crate::watch::Watch;

/// The link of the list of those that wait for their numbers, then of those whose errands wait.
pub(crate) const NEXT: usize = 0;
/// The link of the list of those that a pass is done with.
pub(crate) const DONE: usize = 1;

/// The place of whoever has submitted it, among its sleepers.
pub(crate) const TICKET: usize = 0;
/// The place of whoever waits for the answer that hangs on it.
pub(crate) const ANSWER: usize = 1;

/// In `number`: none yet,
const PENDING: u64 = 0;
/// none ever: the engine was closed before,
const CLOSED: u64 = u64::MAX;
/// a newer one was submitted in its stead,
const CONFLATED: u64 = u64::MAX - 1;
/// or whoever has submitted it was fenced.
const FENCED: u64 = u64::MAX - 2;

/// Why a mark was taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Withdrawal {
    Conflated,
    Fenced,
}

/// What is to happen when the number is known, or the engine is closed.
pub(crate) type Errand = Box<dyn FnOnce(Result<Seq, WaitError>) + Send>;

/// One whose messages get numbers, in the order sent.
#[derive(Clone)]
pub(crate) enum Origin {
    Lane(Arc<LaneState>),
    Outbox(Arc<OrderRing>),
}

impl Origin {
    pub(crate) fn state(&self) -> &LaneState {
        match self {
            Self::Lane(lane) => lane,
            Self::Outbox(ring) => ring.state(),
        }
    }
}

/// See the module's documentation.
pub(crate) struct Mark {
    number: AtomicU64,
    links: [Mutex<Option<Arc<Self>>>; 2],
    sleepers: Mutex<[Option<Arc<Parker>>; 2]>,
    errand: Mutex<Option<Errand>>,
    place: Mutex<Place>,
    /// Of an outbox's mark: it comes after so many of its messages. Written before it is submitted.
    position: AtomicU64,
    brings: Brings,
}

/// What a mark brings to others. Not in its place, so that it is not dropped by the dispatcher.
enum Brings {
    Nothing,
    Notice(Arc<Letter>),
    /// To those who wait for what it makes true.
    States(Vec<Arc<Watch>>),
}

/// What a mark comes after, beside what it comes before by being submitted.
#[derive(Default)]
pub(crate) enum Place {
    /// Nothing.
    #[default]
    Next,
    /// The ends of all of these: it is a gate.
    Gate(Vec<Origin>),
    /// The same, and it ends them, where they are.
    Fence(Vec<Origin>),
    /// What this outbox had sent.
    Outbox(Arc<OrderRing>),
    /// Nothing; and it is for a receiver: its number is the letter's.
    Letter,
}

impl Mark {
    pub(crate) fn new(errand: Option<Errand>, place: Place) -> Arc<Self> {
        Self::with(errand, place, Brings::Nothing)
    }

    /// The mark of a notice.
    pub(crate) fn of_letter(letter: Arc<Letter>) -> Arc<Self> {
        Self::with(None, Place::Letter, Brings::Notice(letter))
    }

    /// One that makes states visible. Who watches for them is woken.
    pub(crate) fn of_states(watches: Vec<Arc<Watch>>) -> Arc<Self> {
        Self::with(None, Place::Next, Brings::States(watches))
    }

    fn with(errand: Option<Errand>, place: Place, brings: Brings) -> Arc<Self> {
        Arc::new(Self {
            number: AtomicU64::new(PENDING),
            links: [Mutex::new(None), Mutex::new(None)],
            sleepers: Mutex::default(),
            errand: Mutex::new(errand),
            place: Mutex::new(place),
            position: AtomicU64::new(0),
            brings,
        })
    }

    /// Makes a plain mark one of an outbox, which has sent so many messages. False if it is a gate. Before it is
    /// submitted.
    pub(crate) fn place_after(&self, ring: &Arc<OrderRing>, position: u64) -> bool {
        let mut place = self.place.lock();
        let is_plain = matches!(*place, Place::Next);
        if is_plain {
            *place = Place::Outbox(ring.clone());
            // Relaxed: submitted under the list's lock after this.
            self.position.store(position, Relaxed);
        }
        is_plain
    }

    pub(crate) fn letter(&self) -> Option<&Arc<Letter>> {
        if let Brings::Notice(letter) = &self.brings { Some(letter) } else { None }
    }

    /// It was never submitted, or got no number: what it holds at others is given up.
    pub(crate) fn give_up(&self) {
        if let Some(letter) = self.letter() {
            letter.withdraw();
        }
    }

    /// After how many messages of its outbox it comes.
    pub(crate) fn position(&self) -> u64 {
        // Relaxed: taken off the list before.
        self.position.load(Relaxed)
    }

    /// What is known of its number: none yet, or that it never gets one.
    pub(crate) fn outcome(&self) -> Option<Result<Seq, WaitError>> {
        // Acquire: pairs with `settle`: what the dispatcher had done before is seen, also the numbers of earlier marks.
        match self.number.load(ord!("mark.number.read", Acquire)) {
            PENDING => None,
            CLOSED | CONFLATED | FENCED => Some(Err(WaitError)),
            number => Some(Ok(Seq::new(number))),
        }
    }

    /// Its number, or none ever. By the dispatcher, before the clock that covers it; or by whoever has it and will not
    /// submit it. False if it was taken back.
    pub(crate) fn settle(&self, number: Option<u64>) -> bool {
        let number = number.unwrap_or(CLOSED);
        // Release: pairs with `outcome`. Relaxed failing: nothing is done.
        let publish = ord!("mark.number.publish", Release);
        self.number.compare_exchange(PENDING, number, publish, Relaxed).is_ok()
    }

    /// Takes it back, unless it is settled: it never gets a number, and uses none up.
    pub(crate) fn withdraw(&self, why: Withdrawal) -> bool {
        let why = match why {
            Withdrawal::Conflated => CONFLATED,
            Withdrawal::Fenced => FENCED,
        };
        // Relaxed, both: nothing comes with it. Either this or `settle` is first.
        self.number.compare_exchange(PENDING, why, Relaxed, Relaxed).is_ok()
    }

    /// Whether it was taken back, and why.
    pub(crate) fn withdrawal(&self) -> Option<Withdrawal> {
        // Relaxed: nothing comes with it.
        match self.number.load(Relaxed) {
            CONFLATED => Some(Withdrawal::Conflated),
            FENCED => Some(Withdrawal::Fenced),
            _ => None,
        }
    }

    /// Whether it makes states of several slots visible.
    pub(crate) fn is_of_several(&self) -> bool {
        matches!(&self.brings, Brings::States(watches) if watches.len() > 1)
    }

    /// The caller is about to sleep until it is settled; to be followed by a look.
    pub(crate) fn sleep_at(&self, place: usize, parker: &Arc<Parker>) {
        let before = self.sleepers.lock()[place].replace(parker.clone());
        drop(before);
    }

    /// Wakes whoever sleeps for it; true if there is a thread among them. To be called once it is settled.
    pub(crate) fn wake(&self) -> bool {
        let sleepers = std::mem::take(&mut *self.sleepers.lock());
        let watches: &[_] = if let Brings::States(watches) = &self.brings { watches } else { &[] };
        let woke = sleepers.into_iter().flatten().fold(false, |woke, parker| parker.wake() | woke);
        watches.iter().fold(woke, |woke, watch| watch.wake() | woke)
    }

    pub(crate) fn has_errand(&self) -> bool {
        self.errand.lock().is_some()
    }

    /// Does its errand, which is foreign code. What that panics with comes back.
    pub(crate) fn run(&self) -> Result<(), Box<dyn Any + Send>> {
        let errand = self.errand.lock().take();
        match (errand, self.outcome()) {
            (Some(errand), Some(outcome)) => catch_unwind(AssertUnwindSafe(|| errand(outcome))),
            _ => Ok(()),
        }
    }

    /// What it comes after. By the dispatcher, once.
    pub(crate) fn take_place(&self) -> Place {
        std::mem::take(&mut self.place.lock())
    }
}

/// Marks in a row, the oldest first, held together by one of their links.
pub(crate) struct Chain<const LINK: usize> {
    ends: Option<(Arc<Mark>, Arc<Mark>)>,
}

impl<const LINK: usize> Default for Chain<LINK> {
    fn default() -> Self {
        Self { ends: None }
    }
}

impl<const LINK: usize> Chain<LINK> {
    /// Adds one that stands in no other list by this link.
    pub(crate) fn push(&mut self, mark: Arc<Mark>) {
        match &mut self.ends {
            None => self.ends = Some((mark.clone(), mark)),
            Some((_, last)) => {
                let before = std::mem::replace(last, mark.clone());
                *before.links[LINK].lock() = Some(mark);
            }
        }
    }

    /// Takes the oldest.
    pub(crate) fn pop(&mut self) -> Option<Arc<Mark>> {
        let (first, last) = self.ends.take()?;
        let next = first.links[LINK].lock().take();
        self.ends = next.map(|next| (next, last));
        Some(first)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.ends.is_none()
    }

    /// The oldest, which stays.
    pub(crate) fn first(&self) -> Option<&Arc<Mark>> {
        self.ends.as_ref().map(|(first, _)| first)
    }

    /// All of them, the oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Arc<Mark>> {
        let next = |mark: &Arc<Mark>| mark.links[LINK].lock().clone();
        std::iter::successors(self.first().cloned(), next)
    }
}

impl<const LINK: usize> Drop for Chain<LINK> {
    /// One by one: a long row that drops itself link by link would not fit on the stack.
    fn drop(&mut self) {
        while self.pop().is_some() {}
    }
}

/// Marks that were submitted and have no number yet. Anyone may submit.
#[derive(Default)]
pub(crate) struct MarkList {
    /// Whether there are any. Written under the lock.
    any: AtomicBool,
    list: Mutex<Submitted>,
}

#[derive(Default)]
struct Submitted {
    marks: Chain<NEXT>,
    len: usize,
    /// How many of them were left when those that were taken back were looked for.
    swept: usize,
    /// No pass takes marks any more.
    over: bool,
}

/// Up to this many marks those that were taken back lie in the list until a pass takes them.
const SWEEP_MIN: usize = 64;

impl MarkList {
    /// Adds one. False if it is too late for any. Whoever adds one kicks.
    pub(crate) fn push(&self, mark: &Arc<Mark>) -> bool {
        let mut list = self.list.lock();
        if list.over {
            return false;
        }
        list.marks.push(mark.clone());
        list.len += 1;
        let withdrawn = list.sweep();
        // Relaxed: see `is_waiting`.
        self.any.store(true, Relaxed);
        drop(list);
        // Only now: one may be the last owner of a waker.
        drop(withdrawn);
        true
    }

    /// Whether any mark waits that was submitted before something that the caller has seen.
    #[inline]
    pub(crate) fn is_waiting(&self) -> bool {
        // Relaxed: whoever relies on seeing a mark has synchronised with its author, by what that published later, or
        // by its kick.
        self.any.load(Relaxed)
    }

    /// Takes them.
    pub(crate) fn take(&self) -> Chain<NEXT> {
        let mut list = self.list.lock();
        // Relaxed: as in `push`.
        self.any.store(false, Relaxed);
        (list.len, list.swept) = (0, 0);
        std::mem::take(&mut list.marks)
    }

    /// The same, for the last time: from now on none is added.
    pub(crate) fn take_last(&self) -> Chain<NEXT> {
        self.list.lock().over = true;
        self.take()
    }
}

impl Submitted {
    /// Those that were taken back, if there are many marks: so that however many are submitted and taken back while
    /// nobody passes, they take no memory.
    fn sweep(&mut self) -> Chain<NEXT> {
        let mut withdrawn = Chain::default();
        if self.len >= SWEEP_MIN.max(2 * self.swept) {
            let mut all = std::mem::take(&mut self.marks);
            self.len = 0;
            while let Some(mark) = all.pop() {
                if mark.withdrawal().is_some() {
                    withdrawn.push(mark);
                } else {
                    self.len += 1;
                    self.marks.push(mark);
                }
            }
            self.swept = self.len;
        }
        withdrawn
    }
}

/// Marks whose errands are to be done, in the order of their numbers.
#[derive(Default)]
pub(crate) struct Errands {
    /// Somebody is at it.
    busy: AtomicBool,
    /// Whether there are any. Written under the lock.
    any: AtomicBool,
    marks: Mutex<Chain<NEXT>>,
}

/// So many errands are done in a row; then there is a pass between.
const ERRANDS_MAX: usize = 64;

impl Errands {
    pub(crate) fn push(&self, mark: Arc<Mark>) {
        let mut marks = self.marks.lock();
        marks.push(mark);
        // Relaxed: see `are_waiting`.
        self.any.store(true, Relaxed);
    }

    /// Whether there are any, as far as the caller has heard.
    pub(crate) fn are_waiting(&self) -> bool {
        // Relaxed: whoever has to know has synchronised with whoever has added one: by the core, which it held then,
        // or in `run`.
        self.any.load(Relaxed)
    }

    fn pop(&self) -> Option<Arc<Mark>> {
        let mut marks = self.marks.lock();
        let mark = marks.pop();
        // Relaxed: see `are_waiting`.
        self.any.store(!marks.is_empty(), Relaxed);
        mark
    }

    /// Does some, unless somebody else is at it, who then looks again. True if there may be more. `report` is told of
    /// those that panic.
    pub(crate) fn run(&self, report: impl Fn(Box<dyn Any + Send>)) -> bool {
        loop {
            // Release: pairs with the swap below: whoever is at it finds what we have added when it looks again.
            if self.busy.swap(true, ord!("errands.take", Release)) {
                return false;
            }
            for _ in 0..ERRANDS_MAX {
                let Some(mark) = self.pop() else { break };
                if let Err(panic) = mark.run() {
                    report(panic);
                }
                // Here, where no lock is held: it may be the last owner of what the errand has not used up.
                drop(mark);
            }
            let more = self.are_waiting();
            // Acquire: see above. By swap, so that it comes after or before that of whoever has added one.
            self.busy.swap(false, ord!("errands.release", Acquire));
            if more {
                return true;
            }
            if !self.are_waiting() {
                return false;
            }
        }
    }
}
