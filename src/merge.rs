//! Several receivers, of different types, read as one stream in the order of the numbers.
//!
//! The clock tells when a lower number can no longer come, so a merge needs no rounds and no time-outs: [`lineup`] says
//! whose message is next. It waits as one: the dispatcher is told to wake the merge for whatever it hands to one of
//! its receivers (a change of the topology, so that no message pays for it), and each of these asks its lanes for
//! attention.

mod error;
mod lineup;
mod task;

use std::fmt;
use std::time::Duration;

use crate::clock::Seq;
use crate::drive::{Doze, For, Shared, Step, Unfinished};
use crate::error::{RecvError, RecvTimeoutError, TryRecvError};
use crate::park::{Deadline, Parker};
use crate::receiver::{Event, Receiver};
use crate::sync::Arc;
use crate::turns::Turns;
pub use error::MergeError;
use lineup::{Lineup, News, Sight};

/// Several receivers of one engine, read as one stream of `M` in the order of their numbers. Made by
/// [`Receiver::map`], [`Receiver::merge`] or [`Merge::new`].
///
/// A message with number n comes when no lower number can come any more: when the clock has come to n and everything
/// below it that was meant for one of the receivers has been received. Numbers strictly increase, and a clock that is
/// told exceeds all that was told before, as with a single receiver (but see [`merge`](Self::merge)); only a broadcast
/// to several of its receivers comes once for each, with the same number.
///
/// It closes when all of them have. If one of them is [behind](Receiver::behind) others, the whole stream waits for
/// them when it comes to that one's message; no clock goes beyond them.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use mainspring::Engine;
///
/// #[derive(Debug, PartialEq)]
/// enum Msg {
///     Order(&'static str),
///     Quote(f64),
/// }
///
/// let engine = Engine::new();
/// let (mut orders, desk) = engine.channel();
/// let (mut quotes, feed) = engine.channel();
/// let mut all = desk.map(Msg::Order).merge(feed.map(Msg::Quote))?;
/// orders.send_stamped("buy")?;
/// quotes.send_stamped(1.25)?;
/// orders.send_stamped("sell")?;
/// drop((orders, quotes));
/// assert_eq!(all.recv()?, (1.into(), Msg::Order("buy")));
/// assert_eq!(all.recv()?, (2.into(), Msg::Quote(1.25)));
/// assert_eq!(all.recv()?, (3.into(), Msg::Order("sell")));
/// assert!(all.recv().is_err()); // closed
/// # Ok(()) }
/// ```
pub struct Merge<M: 'static> {
    /// None if there is no receiver.
    shared: Option<Arc<Shared>>,
    parker: Arc<Parker>,
    lineup: Lineup<M>,
    /// The last number that was told, of a message or of the clock.
    told: Seq,
    /// It has told its last clock.
    ended: bool,
    /// Of a task that reads it as a stream.
    doze: Doze,
    turns: Turns,
}

impl<T: Send + 'static> Receiver<T> {
    /// This receiver as a stream of what `map` makes of its messages, to be [merged](Merge::merge) with others.
    ///
    /// If `map` panics, the message that it was given has been received.
    pub fn map<M: 'static>(self, map: impl FnMut(T) -> M + Send + Sync + 'static) -> Merge<M> {
        let (shared, part) = self.into_part(map);
        let told = part.told();
        let mut lineup = Lineup::new();
        lineup.add(part);
        let (parker, doze, turns) = (Arc::default(), Doze::default(), Turns::default());
        Merge { shared: Some(shared), parker, lineup, told, ended: false, doze, turns }
    }

    /// This receiver and another, or a merge of others, as one stream.
    ///
    /// # Errors
    ///
    /// If they are of different engines; they come back.
    pub fn merge(self, other: impl Into<Merge<T>>) -> Result<Merge<T>, MergeError<T>> {
        Merge::from(self).merge(other)
    }
}

impl<T: Send + 'static> From<Receiver<T>> for Merge<T> {
    fn from(receiver: Receiver<T>) -> Self {
        receiver.map(|value| value)
    }
}

impl<M: 'static> Merge<M> {
    /// Any number of receivers, or of merges, as one stream. Of none at all it is closed.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use mainspring::{Engine, Merge};
    /// let engine = Engine::new();
    /// let (mut senders, receivers): (Vec<_>, Vec<_>) = (0..3).map(|_| engine.channel()).unzip();
    /// for (value, tx) in senders.iter_mut().enumerate() {
    ///     tx.send_stamped(value)?;
    /// }
    /// drop(senders);
    /// let mut all = Merge::new(receivers)?;
    /// assert_eq!(all.messages().map(|(_, value)| value).collect::<Vec<_>>(), [0, 1, 2]);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// If they are of different engines; they come back.
    pub fn new<P: Into<Self>>(parts: impl IntoIterator<Item = P>) -> Result<Self, MergeError<M>> {
        let parts: Vec<Self> = parts.into_iter().map(Into::into).collect();
        let mut engines = parts.iter().filter_map(|part| part.shared.as_ref());
        if let Some(first) = engines.next()
            && engines.any(|other| !Arc::ptr_eq(first, other))
        {
            return Err(MergeError { parts });
        }
        let mut parts = parts.into_iter();
        let mut all = parts.next().unwrap_or_else(Self::empty);
        parts.for_each(|part| all.adopt(part));
        Ok(all)
    }

    /// This stream and another as one.
    ///
    /// What was told before is told. If one of them holds messages with lower numbers than the other has told, these
    /// come next, in their order; from then on numbers increase.
    ///
    /// # Errors
    ///
    /// If they are of different engines; they come back.
    pub fn merge(self, other: impl Into<Self>) -> Result<Self, MergeError<M>> {
        Self::new([self, other.into()])
    }

    fn empty() -> Self {
        let (parker, lineup, doze) = (Arc::default(), Lineup::new(), Doze::default());
        Self {
            shared: None,
            parker,
            lineup,
            told: Seq::ZERO,
            ended: true,
            doze,
            turns: Turns::default(),
        }
    }

    fn adopt(&mut self, other: Self) {
        self.shared = self.shared.take().or(other.shared);
        self.lineup.adopt(other.lineup);
        self.told = self.told.max(other.told);
        self.ended &= other.ended;
    }

    /// The next message, waiting for one.
    ///
    /// # Errors
    ///
    /// When all receivers have closed, or a [notice](crate::Notice) comes next.
    pub fn recv(&mut self) -> Result<(Seq, M), RecvError> {
        loop {
            self.go_on(None).map_err(RecvTimeoutError::without_limit)?;
            if let Some(message) = self.take() {
                return Ok(message);
            }
        }
    }

    /// The next message, if it is there now. Runs a pass at most, and those asked for meanwhile.
    ///
    /// # Errors
    ///
    /// When there is none, or all receivers have closed, or a [notice](crate::Notice) comes next.
    pub fn try_recv(&mut self) -> Result<(Seq, M), TryRecvError> {
        loop {
            self.try_go_on()?;
            if let Some(message) = self.take() {
                return Ok(message);
            }
        }
    }

    /// The next message, waiting for `timeout` at the longest.
    ///
    /// # Errors
    ///
    /// When there was none in time, or all receivers have closed, or a [notice](crate::Notice) comes next.
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<(Seq, M), RecvTimeoutError> {
        let deadline = Deadline::after(timeout);
        loop {
            self.go_on(deadline)?;
            if let Some(message) = self.take() {
                return Ok(message);
            }
        }
    }

    /// Waits for a message, and hands it and those that are there, `max` at most, to `f`. Returns how many.
    ///
    /// # Errors
    ///
    /// When all receivers have closed, or a [notice](crate::Notice) comes next.
    ///
    /// # Panics
    ///
    /// If `f` does: the message that it was given has been received, the next have not.
    pub fn recv_batch(
        &mut self,
        max: usize,
        mut f: impl FnMut(Seq, M),
    ) -> Result<usize, RecvError> {
        let mut taken = 0;
        while max > 0 && taken == 0 {
            self.go_on(None).map_err(RecvTimeoutError::without_limit)?;
            taken = self.take_batch(max, &mut f);
        }
        Ok(taken)
    }

    /// As [`recv_batch`](Self::recv_batch), if a message is there now. Runs a pass at most, and those asked for
    /// meanwhile.
    ///
    /// # Errors
    ///
    /// When there is none, or all receivers have closed, or a [notice](crate::Notice) comes next.
    ///
    /// # Panics
    ///
    /// If `f` does: the message that it was given has been received, the next have not.
    pub fn try_recv_batch(
        &mut self,
        max: usize,
        mut f: impl FnMut(Seq, M),
    ) -> Result<usize, TryRecvError> {
        let mut taken = 0;
        while max > 0 && taken == 0 {
            self.try_go_on()?;
            taken = self.take_batch(max, &mut f);
        }
        Ok(taken)
    }

    /// The messages until all receivers close, or a [notice](crate::Notice) comes next, waiting for each.
    pub fn messages(&mut self) -> impl Iterator<Item = (Seq, M)> + '_ {
        std::iter::from_fn(|| self.recv().ok())
    }

    /// The next message or, when there is none, the clock, if it has moved beyond what was told; waits for one of
    /// them.
    ///
    /// # Errors
    ///
    /// When all receivers have closed, after at most one last clock.
    pub fn recv_event(&mut self) -> Result<Event<M>, RecvError> {
        self.wait_for_event(None).map_err(RecvTimeoutError::without_limit)
    }

    /// As [`recv_event`](Self::recv_event), without waiting. Runs a pass at most, and those asked for meanwhile.
    ///
    /// # Errors
    ///
    /// When there is nothing new, or all receivers have closed.
    pub fn try_recv_event(&mut self) -> Result<Event<M>, TryRecvError> {
        loop {
            let news = self.look_twice(Self::for_event)?;
            if let Some(told) = self.tell(news) {
                return told.ok_or(TryRecvError::Closed);
            }
        }
    }

    /// As [`recv_event`](Self::recv_event), waiting for `timeout` at the longest.
    ///
    /// # Errors
    ///
    /// When there was nothing new in time, or all receivers have closed.
    pub fn recv_event_timeout(&mut self, timeout: Duration) -> Result<Event<M>, RecvTimeoutError> {
        self.wait_for_event(Deadline::after(timeout))
    }

    /// Everything up to this number that was meant for one of the receivers after it joined was received. Never falls.
    /// Runs no pass.
    pub fn caught_up_to(&mut self) -> Seq {
        let Self { shared, lineup, told, .. } = self;
        shared.as_ref().map_or(*told, |shared| lineup.reached(shared).max(*told))
    }

    /// Whether no source is left to any of the receivers, so that nothing will come but what was sent. Final.
    pub fn is_closed(&self) -> bool {
        self.lineup.is_closed()
    }

    // ── looks ──────────────────────────────────────────────────────────────────────────────────────────────

    /// Whether there is a message, or the news that none will come.
    fn for_message(&mut self) -> Option<News> {
        let Some(shared) = &self.shared else { return Some(News::Closed) };
        match self.lineup.find(shared) {
            Sight::Ready => Some(News::Message),
            Sight::Notice => Some(News::Notice),
            Sight::Nothing | Sight::Held => None,
            Sight::Closed => Some(News::Closed),
        }
    }

    /// Whether there is a message, or the clock has news, or nothing will come.
    fn for_event(&mut self) -> Option<News> {
        let Some(shared) = &self.shared else { return Some(News::Closed) };
        let sight = self.lineup.find(shared);
        match sight {
            Sight::Ready => return Some(News::Message),
            Sight::Notice => return Some(News::Notice),
            _ => {}
        }
        let clock = self.lineup.clock();
        if !self.ended && clock > self.told && self.lineup.has_joined_before(clock) {
            return Some(News::Clock(clock));
        }
        (sight == Sight::Closed).then_some(News::Closed)
    }

    /// Whether there is a message now.
    fn try_go_on(&mut self) -> Result<(), TryRecvError> {
        match self.look_twice(Self::for_message)? {
            News::Closed => Err(TryRecvError::Closed),
            News::Notice => Err(TryRecvError::Notice),
            _ => Ok(()),
        }
    }

    /// Looks, and once more after a pass.
    fn look_twice(&mut self, find: fn(&mut Self) -> Option<News>) -> Result<News, TryRecvError> {
        let found = find(self).or_else(|| {
            self.shared.as_ref()?.drive();
            find(self)
        });
        found.ok_or(TryRecvError::Empty)
    }

    /// Makes sure that there is a message.
    fn go_on(&mut self, deadline: Option<Deadline>) -> Result<(), RecvTimeoutError> {
        let news = match self.for_message() {
            Some(news) => news,
            None => self.wait(self.kind_of_wait(), deadline, Self::for_message)?,
        };
        match news {
            News::Closed => Err(RecvTimeoutError::Closed),
            News::Notice => Err(RecvTimeoutError::Notice),
            _ => Ok(()),
        }
    }

    fn wait_for_event(&mut self, deadline: Option<Deadline>) -> Result<Event<M>, RecvTimeoutError> {
        loop {
            let news = match self.for_event() {
                Some(news) => news,
                None => self.wait(self.lineup.kind_of_event_wait(), deadline, Self::for_event)?,
            };
            if let Some(told) = self.tell(news) {
                return told.ok_or(RecvTimeoutError::Closed);
            }
        }
    }

    #[cold]
    fn wait(
        &mut self,
        what: For,
        deadline: Option<Deadline>,
        find: fn(&mut Self) -> Option<News>,
    ) -> Result<News, RecvTimeoutError> {
        let Some(shared) = self.shared.clone() else { return Ok(News::Closed) };
        let parker = self.parker.clone();
        let found = shared.wait(&parker, deadline, what, |step| self.step(step, &shared, find));
        self.end_wait(found, &shared)
    }

    /// What it waits for, when it waits for messages.
    fn kind_of_wait(&self) -> For {
        if self.lineup.is_behind() {
            return For::Turn;
        }
        // As for a receiver of a follower.
        let follows = self.shared.as_ref().is_some_and(|shared| shared.follows());
        if follows { For::Event } else { For::EAGER }
    }

    /// A step of a wait.
    fn step(
        &mut self,
        step: Step,
        shared: &Shared,
        find: fn(&mut Self) -> Option<News>,
    ) -> Option<News> {
        let found = match step {
            Step::Look => find(self),
            Step::Arm => {
                self.lineup.arm(shared, &self.parker);
                None
            }
        };
        self.lineup.mind(step, found.is_some(), shared, &self.parker);
        found
    }

    fn end_wait(
        &mut self,
        found: Result<News, Unfinished>,
        shared: &Shared,
    ) -> Result<News, RecvTimeoutError> {
        if found.is_err() {
            // They stand in nobody's lists any more.
            self.lineup.mind(Step::Look, true, shared, &self.parker);
        }
        found.map_err(|unfinished| match unfinished {
            Unfinished::Timeout => RecvTimeoutError::Timeout,
            Unfinished::Poisoned => RecvTimeoutError::Closed,
        })
    }

    /// The event of a look, or that it is the end (none within); none if the message that was there is not for a
    /// receiver which was removed from its group.
    fn tell(&mut self, news: News) -> Option<Option<Event<M>>> {
        match news {
            News::Message => {
                let (seq, message) = self.take()?;
                Some(Some(Event::Message(seq, message)))
            }
            News::Notice => {
                let (seq, notice) = self.lineup.take_notice()?;
                self.told = self.told.max(seq);
                Some(Some(Event::Notice(seq, notice)))
            }
            News::Clock(clock) => {
                self.told = clock;
                // The last one, if it is closed: nothing that it covers is to come.
                self.ended = self.lineup.is_over();
                Some(Some(Event::Clock(clock)))
            }
            News::Closed => {
                self.ended = true;
                Some(None)
            }
        }
    }

    fn take(&mut self) -> Option<(Seq, M)> {
        let message = self.lineup.take()?;
        self.told = self.told.max(message.0);
        Some(message)
    }

    fn take_batch(&mut self, max: usize, mut f: impl FnMut(Seq, M)) -> usize {
        let Self { shared, lineup, told, .. } = self;
        let Some(shared) = shared else { return 0 };
        let mut taken = 0;
        while taken < max && lineup.find(shared) == Sight::Ready {
            let more = lineup.take_batch(max - taken, &mut |seq, value| {
                *told = seq.max(*told);
                f(seq, value);
            });
            if more == 0 {
                break;
            }
            taken += more;
        }
        taken
    }
}

impl<M: 'static> fmt::Debug for Merge<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Merge")
            .field("receivers", &self.lineup.len())
            .field("told", &self.told)
            .field("closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}
