//! A receiver's inbox: what the dispatcher hands out, in the order of the numbers.
//!
//! ```text
//!   entries   [ lap | last | masked | lane | len ][ first seq ][ mask ]  …      written by the dispatcher
//!   head      entries consumed                                 written by the receiver
//!   waited    a lane waits for room here                       dispatcher: true, receiver: false (and a kick)
//!   overflow  ended lanes whose rest found no room             dispatcher pushes, receiver takes all
//!   closed    no source is left: nothing will follow           dispatcher, once
//!   given     the number handed out last                     written under the dispatcher's lock
//! ```
//!
//! An entry is a **run**: `len` messages, next to each other in one lane, with the numbers `first ..`. `lane` is
//! the receiver's own name (key) for it; `last` says that the lane ends after the run, so that the key is free
//! again once the run is consumed. A receiver meets a lane with its first run; nothing announces it before. Where an
//! outbox has several targets the numbers of one of them need not be adjacent: then the run is *masked*, and they are
//! `first` plus the positions of the bits in `mask`.
//!
//! *Orderings.* The dispatcher writes the other words, then the first with Release. The receiver loads the first
//! with Acquire; the entry is there if its lap bit is the one expected for this turn of the ring. So the ring needs
//! no tail, and the receiver of an empty inbox polls the very word that will be written. Entries come before the
//! clock that covers them, so whoever has read the clock at t and then finds nothing has had everything up to t.
//!
//! *Overflow.* An ended lane may not wait for room (a stuck reader would delay the news of an end for all), so its
//! rest goes to a list, in a record that was allocated with the lane. While the list is not empty the inbox counts
//! as full for everyone, so nothing overtakes. A receiver that finds it not empty empties the ring first (what is
//! there is older, and nothing can enter now), takes the whole list, turns it round, and hands that out before it
//! looks at the ring again.
//!
//! A follower's ended forwarders may have to go there piece by piece, between those of others. So its overflow is a
//! plain queue of runs under a lock; the rest is as above.
//!
//! *Room.* The receiver gives an entry back as soon as it has consumed it: it may not come back before somebody needs
//! the room. When a lane has to wait, the dispatcher sets `waited`, fences and looks again; the receiver publishes its
//! head, fences and looks at `waited`: one of them sees the other. A receiver that finds `waited` kicks.

mod report;

use std::collections::VecDeque;

use crossbeam_utils::CachePadded;

use crate::park::Parker;
use crate::sync::atomic::{AtomicBool, AtomicU32, AtomicU64};
use crate::sync::{Arc, Mutex, Ordering::Relaxed};

/// The largest number of entries of an inbox.
pub(crate) const ENTRIES_MAX: usize = 1 << 31;

/// The largest number of lanes that a receiver can have at once.
pub(crate) const LANES_MAX: usize = 1 << 28;
/// Keys that an entry can name: of lanes, and of letters ([`notice`](crate::notice)).
const KEYS: u64 = 1 << 29;

const LAP: u64 = 1 << 63;
const LAST: u64 = 1 << 62;
const MASKED: u64 = 1 << 61;
const LANE_SHIFT: u32 = 32;
const LANE_MASK: u64 = (KEYS - 1) << LANE_SHIFT;
const LEN_MASK: u64 = u32::MAX as u64;

/// In `overflow`: what found no room is in `spilled`.
const SPILLED: u32 = u32::MAX;

/// In `joined_at`: not yet.
const NOT_JOINED: u64 = u64::MAX;
/// In `port`: the dispatcher does not know this inbox, or no longer.
const NO_PORT: u32 = u32::MAX;

/// Messages that follow each other in one lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    /// The receiver's key for the lane.
    pub(crate) key: u32,
    pub(crate) len: u32,
    /// The number of the first message, if the mask has its lowest bit or is 0.
    pub(crate) first_seq: u64,
    /// The numbers are `first_seq` plus the positions of these bits; 0 if they are adjacent.
    pub(crate) mask: u64,
    /// The lane ends after this run.
    pub(crate) last: bool,
}

/// A record of the overflow list: the rest of an ended lane, whose key is on the list. Preallocated with the lane,
/// because an ending lane may not fail.
///
/// Written by the dispatcher before it is pushed, by the receiver (`next`) after it was taken.
#[derive(Default)]
pub(crate) struct Rest {
    /// The next record of the list: its key + 1, or 0.
    next: AtomicU32,
    /// The number of the first message of the range.
    first_seq: AtomicU64,
    /// The range: messages of a lane, or words of an outbox's order ring.
    start: AtomicU64,
    end: AtomicU64,
}

impl Rest {
    /// The range `start..end`, the first message of which has the number `first_seq`.
    pub(crate) fn fill(&self, first_seq: u64, start: u64, end: u64) {
        // Relaxed, all three: released by the push.
        self.first_seq.store(first_seq, Relaxed);
        self.start.store(start, Relaxed);
        self.end.store(end, Relaxed);
    }

    /// What was filled in: `(first_seq, start, end)`. For the receiver, which has taken the list.
    pub(crate) fn read(&self) -> (u64, u64, u64) {
        // Relaxed, all three: acquired with the list.
        (self.first_seq.load(Relaxed), self.start.load(Relaxed), self.end.load(Relaxed))
    }

    /// The key of the next record of the list.
    pub(crate) fn next(&self) -> Option<u32> {
        // Relaxed: as `read`.
        self.next.load(Relaxed).checked_sub(1)
    }

    /// Links the record, which nobody else looks at now, to another.
    pub(crate) fn link(&self, next: Option<u32>) {
        // Relaxed: nobody else looks.
        self.next.store(next.map_or(0, |key| key + 1), Relaxed);
    }
}

impl Run {
    /// The number of its last message; none if it has no message.
    fn last_seq(&self) -> Option<u64> {
        let numbers = match self.mask {
            0 => u64::from(self.len),
            mask => u64::from(u64::BITS - mask.leading_zeros()),
        };
        (numbers > 0).then(|| self.first_seq + (numbers - 1))
    }
}

/// What the dispatcher and one receiver share.
pub(crate) struct Inbox {
    entries: Box<[Entry]>,
    /// How many of them are for anyone. One more is kept for broadcasts: see `dispatcher/port.rs`.
    capacity: usize,
    /// Consumed entries. Written by the receiver.
    head: CachePadded<AtomicU64>,
    /// Set and cleared on slow paths, read by the receiver per entry.
    waited: AtomicBool,
    /// The newest record of the overflow list: the key of its lane + 1, or 0.
    overflow: AtomicU32,
    /// In a follower: the runs of ended forwarders that found no room, while `overflow` says so.
    spilled: Mutex<VecDeque<Run>>,
    closed: AtomicBool,
    /// How often the receiver has asked its lanes for attention. Written by the receiver.
    sleeps: AtomicU32,
    /// The clock when the dispatcher took this inbox in.
    joined_at: AtomicU64,
    /// The dispatcher's number for it. Only the dispatcher reads it.
    port: AtomicU32,
    /// Where the receiver sleeps.
    parker: Arc<Parker>,
    /// The last number that was handed to the receiver. Written under the dispatcher's lock, read by those who ask
    /// for its progress; in a line of its own, for both would disturb the receiver.
    given: CachePadded<AtomicU64>,
}

#[derive(Default)]
struct Entry {
    run: AtomicU64,
    first_seq: AtomicU64,
    /// Written and read in masked runs only.
    mask: AtomicU64,
}

impl Inbox {
    /// An inbox of at least `capacity` entries.
    pub(crate) fn new(capacity: usize) -> Arc<Self> {
        assert!((1..=ENTRIES_MAX).contains(&capacity), "inbox of {capacity} entries");
        let capacity = capacity.next_power_of_two();
        Arc::new(Self {
            entries: (0..capacity.max(2)).map(|_| Entry::default()).collect(),
            capacity,
            head: CachePadded::new(AtomicU64::new(0)),
            waited: AtomicBool::new(false),
            overflow: AtomicU32::new(0),
            spilled: Mutex::new(VecDeque::new()),
            closed: AtomicBool::new(false),
            sleeps: AtomicU32::new(0),
            joined_at: AtomicU64::new(NOT_JOINED),
            port: AtomicU32::new(NO_PORT),
            parker: Arc::new(Parker::default()),
            given: CachePadded::new(AtomicU64::new(0)),
        })
    }

    pub(crate) fn parker(&self) -> &Arc<Parker> {
        &self.parker
    }

    /// The entry of a position, and its lap bit in that turn of the ring.
    fn entry(&self, position: u64) -> (&Entry, u64) {
        let capacity = self.entries.len() as u64;
        let lap = if position & capacity == 0 { LAP } else { 0 };
        (&self.entries[(position & (capacity - 1)) as usize], lap)
    }

    /// No source is left; nothing will be handed out any more.
    pub(crate) fn close(&self) {
        // Release: pairs with `is_closed`: all entries were written before.
        self.closed.store(true, ord!("inbox.close", Release));
    }

    /// To be read *before* the look that finds nothing, like the clock.
    pub(crate) fn is_closed(&self) -> bool {
        // Acquire: pairs with `close`: the look that follows finds whatever was ever handed out.
        self.closed.load(ord!("inbox.closed.read", Acquire))
    }

    /// How often the receiver has asked its lanes for attention. The dispatcher need not look at the attention of an
    /// outbox's lane, and so take its line from the author, while this is what it was when it last cleared that.
    pub(crate) fn sleeps(&self) -> u32 {
        // Acquire: pairs with `count_sleep`, so that the WANTs that it counts are seen. One that is missed leaves a
        // WANT set for longer, which costs a kick.
        self.sleeps.load(ord!("inbox.sleeps.read", Acquire))
    }

    pub(crate) fn set_joined(&self, port: u32, seq: u64) {
        // Relaxed: only the dispatcher reads it, under its lock.
        self.port.store(port, Relaxed);
        // Relaxed: a number, from which nothing else is concluded.
        self.joined_at.store(seq, Relaxed);
    }

    pub(crate) fn joined_at(&self) -> Option<u64> {
        // Relaxed: see `set_joined`.
        Some(self.joined_at.load(Relaxed)).filter(|&at| at != NOT_JOINED)
    }

    pub(crate) fn port(&self) -> Option<usize> {
        // Relaxed: see `set_joined`.
        Some(self.port.load(Relaxed)).filter(|&port| port != NO_PORT).map(|port| port as usize)
    }

    /// Whatever was handed to the receiver has at most this number. To be called before the clock that covers it is
    /// published.
    #[inline]
    pub(crate) fn note_given(&self, seq: u64) {
        // Relaxed: released with the clock that covers it.
        self.given.store(seq, Relaxed);
    }

    /// The last number that was handed to the receiver; all up to a clock that was read before this.
    pub(crate) fn given(&self) -> u64 {
        // Relaxed: acquired with that clock.
        self.given.load(Relaxed)
    }

    pub(crate) fn forget_port(&self) {
        // Relaxed: see `set_joined`.
        self.port.store(NO_PORT, Relaxed);
    }
}

/// The dispatcher's end of an inbox.
pub(crate) struct InboxWriter {
    inbox: Arc<Inbox>,
    /// Entries written.
    tail: u64,
    /// Entries below may be written. Can be stale: too low, never too high.
    limit: u64,
}

impl InboxWriter {
    pub(crate) fn new(inbox: Arc<Inbox>) -> Self {
        let limit = inbox.entries.len() as u64;
        Self { inbox, tail: 0, limit }
    }

    pub(crate) fn inbox(&self) -> &Arc<Inbox> {
        &self.inbox
    }

    /// How many entries can be written now; looks again at the receiver if they are fewer than `least`.
    #[inline]
    pub(crate) fn room(&mut self, least: u64) -> u64 {
        // Relaxed: only the receiver empties the list, and whatever enters the ring after that is younger than
        // what it took. Reading "not empty" late makes a lane wait, and the taking kicks.
        if self.inbox.overflow.load(Relaxed) != 0 {
            return 0;
        }
        if self.limit - self.tail < least {
            // Acquire: pairs with `InboxReader::next`: the receiver has read the entries we write next.
            let head = self.inbox.head.load(ord!("inbox.head.read", Acquire));
            self.limit = head + self.inbox.entries.len() as u64;
        }
        self.limit - self.tail
    }

    /// Entries beyond what the inbox is said to hold: one for broadcasts, if it is said to hold one.
    pub(crate) fn spare(&self) -> u64 {
        (self.inbox.entries.len() - self.inbox.capacity) as u64
    }

    /// Writes an entry. There must be [`room`](Self::room).
    pub(crate) fn write(&mut self, run: Run) {
        debug_assert!(self.tail < self.limit, "an entry without room");
        let (entry, lap) = self.inbox.entry(self.tail);
        // Relaxed, because the next store releases it.
        entry.first_seq.store(run.first_seq, Relaxed);
        let mut word = lap | u64::from(run.key) << LANE_SHIFT | u64::from(run.len);
        if run.last {
            word |= LAST;
        }
        if run.mask != 0 {
            word |= MASKED;
            // Relaxed: see above.
            entry.mask.store(run.mask, Relaxed);
        }
        // Release: pairs with `InboxReader::next`; passes on the slots of the run, too.
        entry.run.store(word, ord!("inbox.entry.publish", Release));
        self.tail += 1;
        if let Some(last) = run.last_seq() {
            self.inbox.note_given(last);
        }
    }

    /// Notes in the overflow list that these records are filled in, the oldest first, each with the key of its lane.
    /// All at once: whoever takes the list gets all of them, or none.
    pub(crate) fn overflow<'a>(&self, records: impl IntoIterator<Item = (u32, &'a Rest)> + 'a) {
        let mut records = records.into_iter();
        let Some((mut youngest, oldest)) = records.next() else { return };
        for (key, rest) in records {
            rest.link(Some(youngest));
            youngest = key;
        }
        // Relaxed: only the receiver changes it besides, to 0, and the CAS settles.
        let mut newest = self.inbox.overflow.load(Relaxed);
        loop {
            // Relaxed, because the CAS releases it.
            oldest.next.store(newest, Relaxed);
            // Release: pairs with `InboxReader::take_overflow`; passes on the records and the slots.
            match self.inbox.overflow.compare_exchange(
                newest,
                youngest + 1,
                ord!("inbox.overflow.push", Release),
                Relaxed,
            ) {
                Ok(_) => return,
                Err(now) => newest = now,
            }
        }
    }

    /// Hands out a run past the ring.
    pub(crate) fn spill(&self, run: Run) {
        let mut spilled = self.inbox.spilled.lock();
        if let Some(last) = run.last_seq() {
            self.inbox.note_given(last);
        }
        spilled.push_back(run);
        // Release: pairs with `InboxReader::has_overflow`: the look at the ring that follows finds what is older. (What
        // the run names is passed on by the lock.)
        self.inbox.overflow.store(SPILLED, ord!("inbox.spill.publish", Release));
    }

    /// Somebody waits for room: announces it. To be followed by a look whether there is room after all.
    pub(crate) fn wait_for_room(&mut self) {
        // Relaxed: if it is still set, it was announced with what follows, and no head was published since.
        if !self.inbox.waited.load(Relaxed) {
            // Relaxed: the fence orders it. By swap, since the receiver swaps it too.
            self.inbox.waited.swap(true, Relaxed);
            // Pairs with the fence in `InboxReader::offer_room`: it sees `waited`, or we see its head.
            fence!("inbox.waited.core", SeqCst);
        }
        // What was known of the receiver is out of date.
        self.room(u64::MAX);
    }
}

/// The receiver's end of an inbox.
pub(crate) struct InboxReader {
    inbox: Arc<Inbox>,
    /// Entries consumed.
    head: u64,
    /// See [`Inbox::sleeps`].
    sleeps: u32,
}

impl InboxReader {
    pub(crate) fn new(inbox: Arc<Inbox>) -> Self {
        Self { inbox, head: 0, sleeps: 0 }
    }

    pub(crate) fn inbox(&self) -> &Arc<Inbox> {
        &self.inbox
    }

    /// Whether there is anything to read.
    #[inline]
    pub(crate) fn has_something(&self) -> bool {
        let (entry, lap) = self.inbox.entry(self.head);
        // Relaxed, both: whoever relies on "nothing" holds the core, under which both are written.
        entry.run.load(Relaxed) & LAP == lap || self.inbox.overflow.load(Relaxed) != 0
    }

    /// The next run, if one is there, and whether somebody waited for its place: then the caller has to kick.
    pub(crate) fn next(&mut self) -> Option<(Run, bool)> {
        let (entry, lap) = self.inbox.entry(self.head);
        // Acquire: pairs with `InboxWriter::write`.
        let word = entry.run.load(ord!("inbox.entry.read", Acquire));
        if word & LAP != lap {
            return None;
        }
        let run = Run {
            key: ((word & LANE_MASK) >> LANE_SHIFT) as u32,
            len: (word & LEN_MASK) as u32,
            // Relaxed: written before the word that was just acquired.
            first_seq: entry.first_seq.load(Relaxed),
            // Relaxed: see above.
            mask: if word & MASKED != 0 { entry.mask.load(Relaxed) } else { 0 },
            last: word & LAST != 0,
        };
        self.head += 1;
        // Release: pairs with `InboxWriter::room`: the entry has been read before it is written again.
        self.inbox.head.store(self.head, ord!("inbox.head.publish", Release));
        Some((run, self.offer_room()))
    }

    /// The receiver has asked its lanes for attention.
    pub(crate) fn count_sleep(&mut self) {
        self.sleeps = self.sleeps.wrapping_add(1);
        // Release: pairs with `sleeps`.
        self.inbox.sleeps.store(self.sleeps, ord!("inbox.sleeps.publish", Release));
    }

    /// There is room now. True if somebody waited for it.
    fn offer_room(&self) -> bool {
        // Pairs with the fence in `InboxWriter::wait_for_room`.
        fence!("inbox.waited.receiver", SeqCst);
        // Relaxed: the fence orders it. Read first: a swap would take the line from the dispatcher each time.
        self.inbox.waited.load(Relaxed) && self.inbox.waited.swap(false, Relaxed)
    }

    /// Whether the overflow list has something. The ring must then be emptied before the list is taken.
    pub(crate) fn has_overflow(&self) -> bool {
        // Acquire: what entered the ring before the list was filled is found by the look that follows.
        self.inbox.overflow.load(ord!("inbox.overflow.look", Acquire)) != 0
    }

    /// Whether what has overflown are runs, to be taken by [`take_spilled`](Self::take_spilled).
    pub(crate) fn has_spilled(&self) -> bool {
        // Relaxed: it is one or the other for the inbox's whole life.
        self.inbox.overflow.load(Relaxed) == SPILLED
    }

    /// Takes all of them into `runs`, which is empty. True if the caller has to kick.
    pub(crate) fn take_spilled(&self, runs: &mut VecDeque<Run>) -> bool {
        let mut spilled = self.inbox.spilled.lock();
        std::mem::swap(&mut *spilled, runs);
        // Relaxed: under the lock: a run that spills after the ring has room again is taken another time, later than
        // what the ring got meanwhile.
        self.inbox.overflow.store(0, Relaxed);
        drop(spilled);
        self.offer_room()
    }

    /// Takes the whole list: the key of its newest record, and whether the caller has to kick.
    pub(crate) fn take_overflow(&self) -> (Option<u32>, bool) {
        // Acquire: pairs with `InboxWriter::overflow`.
        let newest = self.inbox.overflow.swap(0, ord!("inbox.overflow.take", Acquire));
        (newest.checked_sub(1), self.offer_room())
    }
}
