//! Receiving in a task: the same looks, with a waker left instead of a thread asleep.
//!
//! No runtime is named here. A receiver may be read by a task now and by a thread later; whoever asks last is woken.
//! A future that is dropped before it is ready has taken nothing: a message leaves its lane only when it is returned.
//! One that would be ready for the hundredth time in a row gives way first ([`turns`](crate::turns)).

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;

use super::look::Look;
use super::{Event, Receiver, finish};
use crate::clock::Seq;
use crate::drive::{Doze, Step};
use crate::error::{RecvError, RecvTimeoutError};

impl<T: Send + 'static> Receiver<T> {
    /// The next message, waited for by a task. Dropping the future takes nothing.
    ///
    /// A task that always finds a message gives way to others of its executor after 128: the future then asks to be
    /// polled again, although there is something. So to look without waiting, use [`try_recv`](Self::try_recv).
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # smol::block_on(async {
    /// let engine = mainspring::Engine::new();
    /// let (mut tx, mut rx) = engine.channel();
    /// tx.send_async("hello").await?;
    /// assert_eq!(rx.recv_async().await?, (1.into(), "hello"));
    /// # Ok(()) })}
    /// ```
    ///
    /// # Errors
    ///
    /// When it has closed, or a [notice](crate::Notice) comes next.
    pub fn recv_async(
        &mut self,
    ) -> impl Future<Output = Result<(Seq, T), RecvError>> + Send + Unpin + '_ {
        let mut doze = Doze::default();
        poll_fn(move |cx| self.poll_message(&mut doze, cx))
    }

    /// Waits as a task for a message, and hands it and those that are there, `max` at most, to `f`. Returns how many.
    /// Dropping the future takes nothing.
    ///
    /// # Errors
    ///
    /// When it has closed, or a [notice](crate::Notice) comes next.
    ///
    /// # Panics
    ///
    /// If `f` does: the message that it was given has been received, the next have not.
    pub fn recv_batch_async<'a, F>(
        &'a mut self,
        max: usize,
        mut f: F,
    ) -> impl Future<Output = Result<usize, RecvError>> + Unpin + use<'a, T, F>
    where
        F: FnMut(Seq, T) + Unpin + 'a,
    {
        let mut doze = Doze::default();
        poll_fn(move |cx| {
            let mut taken = 0;
            ready!(self.turns.poll(cx));
            while max > 0 && taken == 0 {
                let found = self.poll_run(&mut doze, cx);
                if let Err(error) = ready!(self.turns.count(found)) {
                    return Poll::Ready(Err(error.without_limit()));
                }
                taken = self.look.take_batch(max, &mut f);
            }
            Poll::Ready(Ok(taken))
        })
    }

    /// The next message or, when there is none, the clock, if it has moved beyond what the receiver was told; waited
    /// for by a task. Dropping the future takes nothing.
    ///
    /// # Errors
    ///
    /// When it has closed, after at most one last clock.
    pub fn recv_event_async(
        &mut self,
    ) -> impl Future<Output = Result<Event<T>, RecvError>> + Send + Unpin + '_ {
        let mut doze = Doze::default();
        poll_fn(move |cx| {
            ready!(self.turns.poll(cx));
            let found = self.poll_event(&mut doze, cx);
            self.turns.count(found)
        })
    }

    fn poll_event(
        &mut self,
        doze: &mut Doze,
        cx: &Context<'_>,
    ) -> Poll<Result<Event<T>, RecvError>> {
        let Self { shared, port, look, .. } = self;
        if let Some(found) = look.for_event() {
            return Poll::Ready(finish(Ok(found)).map_err(RecvTimeoutError::without_limit));
        }
        let (what, parker) = (look.kind_of_event_wait(), port.inbox.parker());
        let end = |step| look.step(step, Look::for_event);
        let found = ready!(shared.poll(doze, parker, cx, what, end));
        Poll::Ready(finish(look.end_wait(found)).map_err(RecvTimeoutError::without_limit))
    }

    fn poll_message(
        &mut self,
        doze: &mut Doze,
        cx: &Context<'_>,
    ) -> Poll<Result<(Seq, T), RecvError>> {
        ready!(self.turns.poll(cx));
        let found = self.poll_next_message(doze, cx);
        self.turns.count(found)
    }

    #[inline]
    fn poll_next_message(
        &mut self,
        doze: &mut Doze,
        cx: &Context<'_>,
    ) -> Poll<Result<(Seq, T), RecvError>> {
        loop {
            if let Some(message) = self.look.take_of_run() {
                return Poll::Ready(Ok(message));
            }
            if let Err(error) = ready!(self.poll_run(doze, cx)) {
                return Poll::Ready(Err(error.without_limit()));
            }
        }
    }

    /// Makes sure that the run at hand has something left.
    fn poll_run(
        &mut self,
        doze: &mut Doze,
        cx: &Context<'_>,
    ) -> Poll<Result<(), RecvTimeoutError>> {
        if self.look.go_on() {
            doze.end();
            return Poll::Ready(Ok(()));
        }
        let Self { shared, port, look, .. } = self;
        let (what, parker) = (look.kind_of_wait(), port.inbox.parker());
        let found = ready!(shared.poll(doze, parker, cx, what, |step| {
            if step == Step::Arm && what.is_fenced() {
                look.ask_for_fences();
            }
            look.step(step, Look::for_run)
        }));
        Poll::Ready(finish(look.end_wait(found)))
    }
}

impl<T: Send + 'static> Stream for Receiver<T> {
    type Item = (Seq, T);

    /// The next message; none when it has closed, or a [notice](crate::Notice) comes next. Gives way to others
    /// after 128 in a row.
    ///
    /// A message is handled when the next is asked for: combinators that work on several at a time make of the
    /// receiver's [`progress`](Receiver::progress) only that their work has begun.
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<(Seq, T)>> {
        let receiver = self.get_mut();
        let mut doze = std::mem::take(&mut receiver.doze);
        let message = receiver.poll_message(&mut doze, cx);
        receiver.doze = doze;
        message.map(Result::ok)
    }
}
