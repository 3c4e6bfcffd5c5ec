//! A look: what is there for a receiver, with the clock and the end.

use super::reader::Reader;
use super::ties::Ties;
use super::{Event, Seq};
use crate::address::Port;
use crate::drive::{For, Shared, Step};
use crate::notice::Notice;
use crate::ring::Lent;
use crate::sync::Arc;

/// What a look has found.
pub(super) enum Found<R> {
    Something(R),
    Closed,
    /// No message, but a notice comes next.
    Notice,
}

/// One who looks.
pub(super) struct Look<T> {
    pub(super) shared: Arc<Shared>,
    pub(super) reader: Reader<T>,
    /// The last number that the receiver was told, of a message or of the clock.
    told: Seq,
    /// It has been told its last clock.
    ended: bool,
    /// How often it has gone the short way, if it may.
    pub(super) trips: Option<u32>,
    /// What others know of the receiver, and what it waits for of others.
    pub(super) ties: Option<Box<Ties>>,
}

impl<T: Send + 'static> Look<T> {
    pub(super) fn new(shared: Arc<Shared>, port: Arc<Port<T>>) -> Self {
        let trips = shared.is_direct().then_some(0);
        let timed = shared.began().map(|_| Ties::timed(&port.inbox));
        let ties = timed.map(|(ties, tracker)| {
            port.track(&tracker);
            ties
        });
        let reader = Reader::new(shared.clone(), port);
        Self { shared, reader, told: Seq::ZERO, ended: false, trips, ties }
    }

    pub(super) fn told(&self) -> Seq {
        self.told
    }

    pub(super) fn is_closed(&self) -> bool {
        self.reader.inbox().is_closed() || self.shared.is_poisoned()
    }

    #[inline]
    pub(super) fn take(&mut self) -> Option<(Seq, T)> {
        loop {
            if let message @ Some(_) = self.take_of_run() {
                return message;
            }
            if !self.find_run() {
                return None;
            }
        }
    }

    /// As [`take`](Self::take), of the run at hand.
    #[inline]
    pub(super) fn take_of_run(&mut self) -> Option<(Seq, T)> {
        if self.ties.is_some() && !self.may_take_of_run() {
            return None;
        }
        let message = self.reader.take_of_run()?;
        self.told = message.0;
        Some(message)
    }

    #[inline]
    pub(super) fn begin_lending(&mut self) -> bool {
        (self.ties.is_none() || self.may_take_of_run()) && self.reader.begin_lending()
    }

    #[inline]
    pub(super) fn lend(&mut self) -> Option<(Seq, Lent<'_, T>)> {
        let Self { reader, told, .. } = self;
        let message = reader.lend()?;
        *told = message.0;
        Some(message)
    }

    pub(super) fn lend_batch(&mut self, max: usize, mut f: impl FnMut(Seq, &T)) -> usize {
        if self.ties.is_some() {
            return self.lend_one_by_one(max, f);
        }
        let told = &mut self.told;
        self.reader.lend_batch(max, |seq, value| {
            *told = seq;
            f(seq, value);
        })
    }

    fn lend_one_by_one(&mut self, max: usize, mut f: impl FnMut(Seq, &T)) -> usize {
        let mut taken = 0;
        while taken < max && self.find_run() {
            if self.begin_lending()
                && let Some((seq, lent)) = self.lend()
            {
                taken += 1;
                f(seq, &lent);
            }
        }
        self.ask();
        taken
    }

    pub(super) fn take_batch(&mut self, max: usize, mut f: impl FnMut(Seq, T)) -> usize {
        if self.ties.is_some() {
            return self.take_batch_up_to(max, u64::MAX, f);
        }
        let told = &mut self.told;
        self.reader.take_batch(max, |seq, value| {
            *told = seq;
            f(seq, value);
        })
    }

    /// As [`take_batch`](Self::take_batch), of those with numbers up to `until`. Each is handled when `f` has returned.
    pub(super) fn take_batch_up_to(
        &mut self,
        max: usize,
        until: u64,
        mut f: impl FnMut(Seq, T),
    ) -> usize {
        let mut taken = 0;
        while taken < max && self.find_run() {
            let Self { reader, told, ties, .. } = self;
            let until = ties.as_ref().map_or(until, |ties| until.min(ties.bound()));
            let more = reader.take_batch_up_to(max - taken, until, |seq, value| {
                if let Some(ties) = ties {
                    ties.publish(seq.get() - 1);
                    ties.find(seq.get());
                }
                *told = seq;
                f(seq, value);
            });
            if more == 0 {
                break;
            }
            taken += more;
        }
        self.ask();
        taken
    }

    /// Whether there is a message, or a notice, or the news that nothing will come.
    pub(super) fn for_run(&mut self) -> Option<Found<()>> {
        if let found @ Some(_) = self.for_next() {
            return found;
        }
        if !self.is_closed() {
            return None;
        }
        // Closed was read after the look that found nothing: only now is nothing final.
        if !self.reader.find_next() {
            return Some(Found::Closed);
        }
        self.for_next()
    }

    fn for_next(&mut self) -> Option<Found<()>> {
        if self.find_run() {
            return Some(Found::Something(()));
        }
        self.may_take_notice().then_some(Found::Notice)
    }

    /// Whether a notice comes next that may be handed out, as of the last look.
    pub(super) fn may_take_notice(&mut self) -> bool {
        self.reader.next_notice().is_some_and(|number| self.allows(number))
    }

    /// Takes it, if one does.
    pub(super) fn take_notice(&mut self) -> Option<(Seq, Notice)> {
        let notice = self.reader.take_notice()?;
        self.told = notice.0;
        Some(notice)
    }

    /// Whether there is a message that may be handed out. What was told before is handled.
    #[inline]
    pub(super) fn find_run(&mut self) -> bool {
        if self.ties.is_some() {
            let next = self.peek();
            self.reader.next_notice().is_none() && next.is_some_and(|next| self.allows(next))
        } else {
            self.reader.find_run()
        }
    }

    /// The number of the next message or notice that is there, whether or not it may be handed out. As
    /// [`find_run`](Self::find_run) otherwise.
    pub(super) fn peek(&mut self) -> Option<u64> {
        self.ask();
        let next = self.reader.next_number();
        if let Some(ties) = &mut self.ties {
            // Everything before it is handled; also what was passed over on the way.
            let passed = self.reader.passed();
            ties.publish(next.map_or(passed, |next| next - 1));
            ties.find(next.unwrap_or(0));
        }
        next
    }

    /// What was told before is handled.
    pub(super) fn ask(&mut self) {
        if let Some(ties) = &mut self.ties {
            ties.ask(self.told.max(Seq::new(self.reader.passed())));
        }
    }

    /// Whether the next message, which has this number, may be handed out.
    pub(super) fn allows(&mut self, number: u64) -> bool {
        self.ties.as_mut().is_none_or(|ties| ties.allows(number))
    }

    fn may_take_of_run(&mut self) -> bool {
        self.ask();
        self.reader.has_more() && self.find_run()
    }

    /// The message that is there, or the clock if it has news, or that nothing will come.
    pub(super) fn for_event(&mut self) -> Option<Found<Event<T>>> {
        // The clock and the end first, then the look: what they cover was handed out before.
        let closed = self.is_closed();
        let now = self.now();
        if let Some((seq, value)) = self.take() {
            return Some(Found::Something(Event::Message(seq, value)));
        }
        if self.may_take_notice()
            && let Some((seq, notice)) = self.take_notice()
        {
            return Some(Found::Something(Event::Notice(seq, notice)));
        }
        let (now, closed) =
            if self.ties.is_some() { self.hold_back(now, closed) } else { (now, closed) };
        let joined = || self.reader.inbox().joined_at().map_or(now, Seq::new);
        let news = now > self.told && now > joined() && !self.ended;
        self.ended = closed;
        if news {
            self.told = now;
            return Some(Found::Something(Event::Clock(now)));
        }
        closed.then_some(Found::Closed)
    }

    /// So much of the clock and of the end is to be told, when no message may be handed out.
    fn hold_back(&mut self, now: Seq, closed: bool) -> (Seq, bool) {
        let Some(ties) = &mut self.ties else { return (now, closed) };
        let cut = Seq::new(ties.cut_clock(now.get()));
        match self.reader.next_number() {
            Some(number) => (cut.min(Seq::new(number - 1)), false),
            None => (cut, closed),
        }
    }

    /// Whether something up to `seq` can be taken now (false), or all of it was, and the clock has come there (true).
    pub(super) fn for_caught_up(&mut self, seq: Seq) -> Option<Found<bool>> {
        // The clock and the end first: see `for_event`.
        let closed = self.is_closed();
        let mut now = self.now();
        let next = self.peek();
        if next.is_some_and(|number| number <= seq.get()) {
            return self.for_next().map(|found| match found {
                Found::Something(()) => Found::Something(false),
                Found::Closed => Found::Closed,
                Found::Notice => Found::Notice,
            });
        }
        if let Some(ties) = &mut self.ties {
            now = now.min(Seq::new(ties.cut_clock(now.get().min(seq.get()))));
        }
        if now >= seq {
            return Some(Found::Something(true));
        }
        (closed && next.is_none()).then_some(Found::Closed)
    }

    /// The receiver knows that it has received everything up to `seq`, and has handled it.
    pub(super) fn tell(&mut self, seq: Seq) {
        self.told = self.told.max(seq);
        self.ask();
    }

    /// Everything up to here that was meant for the receiver, it has received.
    pub(super) fn caught_up_to(&mut self) -> Seq {
        // The clock first: what it covers was handed out before, so the look finds it.
        let now = self.now();
        // A message may be here before the clock has come to it.
        self.told.max(self.reached(now))
    }

    /// Everything up to here, as far as is known from what is there, and from the clock, which was read before.
    pub(super) fn reached(&mut self, clock: Seq) -> Seq {
        let reached = self.reader.next_number().map_or_else(|| clock.get(), |number| number - 1);
        Seq::new(self.cut_clock(reached))
    }

    /// So much of the clock may be told.
    pub(super) fn cut_clock(&mut self, clock: u64) -> u64 {
        self.ties.as_mut().map_or(clock, |ties| ties.cut_clock(clock))
    }

    fn now(&self) -> Seq {
        Seq::new(self.shared.board().clock.now())
    }

    /// What it waits for, when it waits for messages and the clock.
    pub(super) fn kind_of_event_wait(&self) -> For {
        if self.is_behind() { For::Turn } else { For::Event }
    }

    pub(super) fn is_behind(&self) -> bool {
        self.ties.as_ref().is_some_and(|ties| ties.is_behind())
    }

    /// What it waits for, when it waits for messages.
    pub(super) fn kind_of_wait(&self) -> For {
        if self.is_behind() {
            return For::Turn;
        }
        if self.shared.follows() {
            // What holds up a message may be another forwarder's silence, to whomever it forwards.
            return For::Event;
        }
        let is_alone = self.reader.is_brisk() && self.trips.is_some();
        // Those who are waited for, or who watch, do not pass any.
        let fenced = self.ties.is_none();
        For::Message { pace: self.reader.pace(), at_once: !is_alone, fenced }
    }

    /// A wait has ended: it stands in nobody's list any more.
    pub(super) fn end_wait<R, E>(&mut self, found: Result<R, E>) -> Result<R, E> {
        if let Some(ties) = &mut self.ties
            && found.is_err()
        {
            let parker = self.reader.inbox().parker();
            ties.step(Step::Look, true, &self.shared, parker);
        }
        found
    }

    /// About to sleep as a task, for a message.
    pub(super) fn ask_for_fences(&mut self) {
        self.reader.ask_for_fences();
    }

    /// A step of a wait.
    #[inline]
    pub(super) fn step<R>(
        &mut self,
        step: Step,
        find: impl Fn(&mut Self) -> Option<Found<R>>,
    ) -> Option<Found<R>> {
        let found = match step {
            Step::Look => find(self),
            Step::Arm => {
                self.reader.ask_for_attention();
                self.shared.tell_closers();
                None
            }
        };
        if let Some(ties) = &mut self.ties {
            let parker = self.reader.inbox().parker();
            ties.step(step, found.is_some(), &self.shared, parker);
        }
        found
    }
}
