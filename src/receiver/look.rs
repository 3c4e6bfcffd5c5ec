//! A look: what is there for a receiver, with the clock and the end.

use super::reader::Reader;
use super::{Event, Seq};
use crate::address::Port;
use crate::drive::{Shared, Step};
use crate::ring::Lent;
use crate::sync::Arc;

/// What a look has found.
pub(super) enum Found<R> {
    Something(R),
    Closed,
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
}

impl<T: Send + 'static> Look<T> {
    pub(super) fn new(shared: Arc<Shared>, port: Arc<Port<T>>) -> Self {
        let reader = Reader::new(shared.clone(), port);
        let trips = shared.is_direct().then_some(0);
        Self { shared, reader, told: Seq::ZERO, ended: false, trips }
    }

    pub(super) fn told(&self) -> Seq {
        self.told
    }

    pub(super) fn is_closed(&self) -> bool {
        self.reader.inbox().is_closed() || self.shared.is_poisoned()
    }

    #[inline]
    pub(super) fn take(&mut self) -> Option<(Seq, T)> {
        let message = self.reader.take()?;
        self.told = message.0;
        Some(message)
    }

    /// As [`take`](Self::take), of the run at hand.
    #[inline]
    pub(super) fn take_of_run(&mut self) -> Option<(Seq, T)> {
        let message = self.reader.take_of_run()?;
        self.told = message.0;
        Some(message)
    }

    #[inline]
    pub(super) fn begin_lending(&mut self) -> bool {
        self.reader.begin_lending()
    }

    #[inline]
    pub(super) fn lend(&mut self) -> Option<(Seq, Lent<'_, T>)> {
        let Self { reader, told, .. } = self;
        let message = reader.lend()?;
        *told = message.0;
        Some(message)
    }

    pub(super) fn lend_batch(&mut self, max: usize, mut f: impl FnMut(Seq, &T)) -> usize {
        let told = &mut self.told;
        self.reader.lend_batch(max, |seq, value| {
            *told = seq;
            f(seq, value);
        })
    }

    pub(super) fn take_batch(&mut self, max: usize, mut f: impl FnMut(Seq, T)) -> usize {
        let told = &mut self.told;
        self.reader.take_batch(max, |seq, value| {
            *told = seq;
            f(seq, value);
        })
    }

    /// Whether there is a message, or the news that none will come.
    pub(super) fn for_run(&mut self) -> Option<Found<()>> {
        if self.reader.find_run() {
            return Some(Found::Something(()));
        }
        if !self.is_closed() {
            return None;
        }
        // Closed was read after the look that found nothing: only now is nothing final.
        Some(if self.reader.find_run() { Found::Something(()) } else { Found::Closed })
    }

    /// The message that is there, or the clock if it has news, or that nothing will come.
    pub(super) fn for_event(&mut self) -> Option<Found<Event<T>>> {
        // The clock and the end first, then the look: what they cover was handed out before.
        let closed = self.is_closed();
        let now = self.now();
        if let Some((seq, value)) = self.take() {
            return Some(Found::Something(Event::Message(seq, value)));
        }
        let joined = || self.reader.inbox().joined_at().map_or(now, Seq::new);
        let news = now > self.told && now > joined() && !self.ended;
        self.ended = closed;
        if news {
            self.told = now;
            return Some(Found::Something(Event::Clock(now)));
        }
        closed.then_some(Found::Closed)
    }

    /// Everything up to here that was meant for the receiver, it has received.
    pub(super) fn caught_up_to(&mut self) -> Seq {
        // The clock first: what it covers was handed out before, so the look finds it.
        let now = self.now();
        let reached = self.reader.next_number().map_or(now, |number| Seq::new(number - 1));
        // A message may be here before the clock has come to it.
        self.told.max(reached)
    }

    fn now(&self) -> Seq {
        Seq::new(self.shared.board().clock.now())
    }

    /// A step of a wait.
    #[inline]
    pub(super) fn step<R>(
        &mut self,
        step: Step,
        find: impl Fn(&mut Self) -> Option<Found<R>>,
    ) -> Option<Found<R>> {
        match step {
            Step::Look => find(self),
            Step::Arm => {
                self.reader.ask_for_attention();
                None
            }
        }
    }
}
