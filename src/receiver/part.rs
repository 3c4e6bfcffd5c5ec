//! A receiver as one of several that are read as one stream: what [`merge`](crate::merge) knows of it, without its
//! type.

use super::{Receiver, Seq};
use crate::drive::{Shared, Step};
use crate::inbox::Inbox;
use crate::notice::Notice;
use crate::park::Parker;
use crate::sync::Arc;

/// A receiver whose messages become `M`. Everything but [`glance`](Part::glance) asks for the next event: what its
/// owner was told before is handled.
pub(crate) trait Part<M>: Send + Sync {
    fn inbox(&self) -> &Arc<Inbox>;

    /// No source is left. To be read before the look that finds nothing.
    fn is_closed(&self) -> bool;

    /// Whether others minded it, or it others, when it became a part.
    fn is_tied(&self) -> bool;

    /// Whether it is behind others.
    fn is_behind(&self) -> bool;

    /// The number of its next message that is there.
    fn peek(&mut self) -> Option<u64>;

    /// Whether the next message, which has this number, may be handed out.
    fn allows(&mut self, number: u64) -> bool;

    /// The next message, if [`peek`](Self::peek) has found one.
    fn take(&mut self) -> Option<(Seq, M)>;

    /// Whether what [`peek`](Part::peek) has found is a notice.
    fn has_notice(&self) -> bool;

    /// Takes it.
    fn take_notice(&mut self) -> Option<(Seq, Notice)>;

    /// Hands up to `max` of those that are there, with numbers up to `until`, to `f`; how many.
    fn take_batch(&mut self, max: usize, until: u64, f: &mut dyn FnMut(Seq, M)) -> usize;

    /// So much of the clock may be told.
    fn cut_clock(&mut self, clock: u64) -> u64;

    /// It has received everything up to here, of what the clock, which was read before, covers.
    fn glance(&mut self, clock: Seq) -> Seq;

    /// Its owner goes to sleep.
    fn ask_for_attention(&mut self);

    /// A step of its owner's wait at `parker`, for one that is tied.
    fn mind(&mut self, step: Step, found: bool, shared: &Shared, parker: &Arc<Parker>);

    /// The last number that it told.
    fn told(&self) -> Seq;
}

struct Mapped<T: Send + 'static, F> {
    receiver: Receiver<T>,
    map: F,
}

impl<T: Send + 'static> Receiver<T> {
    /// This receiver without its type, and its engine.
    pub(crate) fn into_part<M: 'static>(
        self,
        map: impl FnMut(T) -> M + Send + Sync + 'static,
    ) -> (Arc<Shared>, Box<dyn Part<M>>) {
        (self.shared.clone(), Box::new(Mapped { receiver: self, map }))
    }
}

impl<T, M, F> Part<M> for Mapped<T, F>
where
    T: Send + 'static,
    F: FnMut(T) -> M + Send + Sync,
{
    fn inbox(&self) -> &Arc<Inbox> {
        &self.receiver.port.inbox
    }

    fn is_closed(&self) -> bool {
        self.receiver.is_closed()
    }

    fn is_tied(&self) -> bool {
        self.receiver.look.ties.is_some()
    }

    fn is_behind(&self) -> bool {
        self.receiver.look.is_behind()
    }

    fn peek(&mut self) -> Option<u64> {
        self.receiver.look.peek()
    }

    fn allows(&mut self, number: u64) -> bool {
        self.receiver.look.allows(number)
    }

    fn take(&mut self) -> Option<(Seq, M)> {
        let (seq, value) = self.receiver.look.take_of_run()?;
        Some((seq, (self.map)(value)))
    }

    fn has_notice(&self) -> bool {
        self.receiver.look.reader.next_notice().is_some()
    }

    fn take_notice(&mut self) -> Option<(Seq, Notice)> {
        self.receiver.look.take_notice()
    }

    fn take_batch(&mut self, max: usize, until: u64, f: &mut dyn FnMut(Seq, M)) -> usize {
        let Self { receiver, map } = self;
        receiver.look.take_batch_up_to(max, until, |seq, value| f(seq, map(value)))
    }

    fn cut_clock(&mut self, clock: u64) -> u64 {
        self.receiver.look.cut_clock(clock)
    }

    fn glance(&mut self, clock: Seq) -> Seq {
        self.receiver.look.reached(clock)
    }

    fn ask_for_attention(&mut self) {
        self.receiver.look.reader.ask_if_heard();
    }

    fn mind(&mut self, step: Step, found: bool, shared: &Shared, parker: &Arc<Parker>) {
        if let Some(ties) = &mut self.receiver.look.ties {
            ties.step(step, found, shared, parker);
        }
    }

    fn told(&self) -> Seq {
        self.receiver.look.told()
    }
}
