//! Which sources a pass looks at: the hot ones, and those that speak up.
//!
//! ```text
//!            stamped                     silent for some passes
//!   ┌──────────────────────── HOT ────────────────────────┐
//!   │                          ▲                          ▼ WANT is set
//!   │  spoke up, with news     │ news                 CANDIDATE ◀── joins (born with WANT)
//!   └───────── COLD ◀──────────┴──────────────────────────┘
//!                     silent in the look after a heavy barrier
//! ```
//!
//! Hot sources and candidates stand in the scan, and every pass looks at them. A cold one costs a pass nothing: its
//! author finds WANT after the publication, raises its bits in the [`ReadySet`], and kicks.
//!
//! *Nothing is lost on the way to cold.* Between WANT and the look that makes a candidate cold there is a heavy
//! barrier of the dispatcher's own. If the author's load of `attention` comes before WANT was set, its publication
//! precedes the barrier, and that look finds it. Otherwise it sees WANT (and the index that the dispatcher gave it),
//! raises, and kicks. One barrier serves all candidates of the moment, so it is waited for until there are many of
//! them, or until some passes have gone by; meanwhile they are looked at like any other.
//!
//! *WANT stays* while a source is cold, also when its bit was found and it has nothing new. The pass clears it when
//! it stamps something.

use slab::Slab;

use super::source::{Phase, Source};
use crate::ready::ReadySet;

/// When sources go cold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Heat {
    /// Above so many in the scan. Fewer are looked at sooner than asked to speak up.
    pub(crate) hot: usize,
    /// Silent for more passes than this, a hot source becomes a candidate.
    pub(crate) silent: u64,
    /// Candidates wait for the barrier no longer than for so many passes,
    pub(crate) probation: u64,
    /// nor beyond this number of them.
    pub(crate) candidates: usize,
}

impl Default for Heat {
    fn default() -> Self {
        Self { hot: 16, silent: 64, probation: 64, candidates: 64 }
    }
}

/// The sources that a pass looks at.
pub(super) struct Scan {
    heat: Heat,
    /// Hot sources and candidates.
    list: Vec<usize>,
    /// Where the next look begins.
    rotation: usize,
    /// Something in the list is cold now, waits, or is gone.
    stale: bool,
    /// How many have become candidates since the last barrier, and in which pass the first of them.
    candidates: usize,
    since: u64,
    /// A barrier has passed after the last look: all candidates may go cold in the next.
    settled: bool,
    /// Those that have spoken up.
    spoke: Vec<usize>,
}

impl Scan {
    pub(super) fn new(heat: Heat) -> Self {
        Self {
            heat,
            list: Vec::new(),
            rotation: 0,
            stale: false,
            candidates: 0,
            since: 0,
            settled: false,
            spoke: Vec::new(),
        }
    }

    /// A source has joined; it was born with WANT.
    pub(super) fn join(&mut self, id: usize, source: &mut Source, pass: u64) {
        self.list.push(id);
        // Its author may not have seen its index yet: it needs a barrier that is still to come.
        self.settled = false;
        if source.cools {
            self.nominate(source, pass);
        }
    }

    /// Looks at a source again in each pass, from the next look on.
    pub(super) fn add(&mut self, id: usize, source: &mut Source) {
        source.phase = Phase::Hot;
        source.state().stalls.end();
        self.list.push(id);
    }

    /// Sources in the list are looked at no more.
    pub(super) fn has_left(&mut self) {
        self.stale = true;
    }

    fn nominate(&mut self, source: &mut Source, pass: u64) {
        source.phase = Phase::Candidate;
        if self.candidates == 0 {
            self.since = pass;
        }
        self.candidates += 1;
    }

    /// Notes who has spoken up. Before the topology is applied: a bit may be that of a lane which joins with it.
    #[inline]
    pub(super) fn listen(&mut self, ready: &ReadySet) {
        ready.take(|id| self.spoke.push(id));
    }

    /// Looks at all that stand in the scan and all that spoke up; `work` gets those that have something.
    pub(super) fn look(&mut self, sources: &mut Slab<Source>, work: &mut Vec<usize>, pass: u64) {
        let barrier = self.settle(pass);
        for id in self.spoke.drain(..) {
            // A bit can be older than what stands at that index now.
            if let Some(source) = sources.get_mut(id)
                && source.phase == Phase::Cold
                && source.collect(pass)
            {
                source.phase = Phase::Hot;
                work.push(id);
            }
        }
        let joining = work.len();
        let crowded = self.list.len() > self.heat.hot;
        self.rotation = if self.rotation < self.list.len() { self.rotation } else { 0 };
        for turn in 0..self.list.len() {
            let at = self.rotation + turn;
            let id = self.list[if at < self.list.len() { at } else { at - self.list.len() }];
            let source = &mut sources[id];
            if source.collect(pass) {
                source.phase = Phase::Hot;
                work.push(id);
            } else if source.phase == Phase::Candidate {
                if barrier {
                    source.phase = Phase::Cold;
                    self.stale = true;
                }
            } else if crowded && pass - source.spoke > self.heat.silent && source.cools {
                source.state().set_want();
                self.nominate(source, pass);
            }
        }
        self.rotation += 1;
        self.list.extend_from_slice(&work[..joining]);
    }

    /// The barrier between WANT and the second look, if it is due. True if there was one.
    #[inline]
    fn settle(&mut self, pass: u64) -> bool {
        let settled = std::mem::take(&mut self.settled);
        if self.candidates == 0 {
            return settled;
        }
        let due =
            self.candidates >= self.heat.candidates || pass - self.since >= self.heat.probation;
        if due && !settled {
            // Pairs with the light barrier of each author: its publication is found now, or it has seen WANT.
            heavy!("pass.cold.heavy");
        }
        if due || settled {
            self.candidates = 0;
        }
        due || settled
    }

    /// Takes out of the list what is looked at no more.
    #[inline]
    pub(super) fn tidy(&mut self, sources: &Slab<Source>) {
        if std::mem::take(&mut self.stale) {
            self.list.retain(|&id| sources.get(id).is_some_and(|source| source.phase.is_scanned()));
        }
    }

    /// Somebody sleeps until the clock moves, and nothing moves it. Receivers may be busy and not drive, so the
    /// next message of each source has to be heard of: all become candidates at once. True if one had not been
    /// watched before, or not with a barrier: then a message may have crossed the bit, and another look is due,
    /// after this one. The same if `others` were asked that are not in the list.
    pub(super) fn watch(&mut self, sources: &mut Slab<Source>, pass: u64, others: bool) -> bool {
        // The WANT of a candidate has no barrier behind it yet.
        let mut any = others || self.candidates > 0;
        for at in 0..self.list.len() {
            let source = &mut sources[self.list[at]];
            any |= source.state().set_want();
            if source.phase == Phase::Hot && source.cools {
                self.nominate(source, pass);
            }
        }
        if any {
            // Pairs with the light barrier of each author, as above.
            heavy!("pass.watch.heavy");
            self.settled = true;
        }
        any
    }
}
