//! Reading a merge in a task: as a [receiver](crate::Receiver::recv_async), with one waker for all of its receivers.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;

use super::{Event, Merge, News, Seq};
use crate::drive::{Doze, For};
use crate::error::{RecvError, RecvTimeoutError};

impl<M: 'static> Merge<M> {
    /// The next message, waited for by a task. Dropping the future takes nothing.
    ///
    /// # Errors
    ///
    /// When all receivers have closed, or a [notice](crate::Notice) comes next.
    pub fn recv_async(
        &mut self,
    ) -> impl Future<Output = Result<(Seq, M), RecvError>> + Send + Unpin + '_ {
        let mut doze = Doze::default();
        poll_fn(move |cx| self.poll_message(&mut doze, cx))
    }

    /// Waits as a task for a message, and hands it and those that are there, `max` at most, to `f`. Returns how many.
    /// Dropping the future takes nothing.
    ///
    /// # Errors
    ///
    /// When all receivers have closed, or a [notice](crate::Notice) comes next.
    ///
    /// # Panics
    ///
    /// If `f` does: the message that it was given has been received, the next have not.
    pub fn recv_batch_async<'a, F>(
        &'a mut self,
        max: usize,
        mut f: F,
    ) -> impl Future<Output = Result<usize, RecvError>> + Unpin + use<'a, M, F>
    where
        F: FnMut(Seq, M) + Unpin + 'a,
    {
        let mut doze = Doze::default();
        poll_fn(move |cx| {
            let mut taken = 0;
            while max > 0 && taken == 0 {
                if let Err(error) = ready!(self.poll_go_on(&mut doze, cx)) {
                    return Poll::Ready(Err(error));
                }
                taken = self.take_batch(max, &mut f);
            }
            Poll::Ready(Ok(taken))
        })
    }

    /// The next message or, when there is none, the clock, if it has moved beyond what was told; waited for by a task.
    /// Dropping the future takes nothing.
    ///
    /// # Errors
    ///
    /// When all receivers have closed, after at most one last clock.
    pub fn recv_event_async(
        &mut self,
    ) -> impl Future<Output = Result<Event<M>, RecvError>> + Send + Unpin + '_ {
        let mut doze = Doze::default();
        poll_fn(move |cx| {
            loop {
                let what = self.lineup.kind_of_event_wait();
                let news = ready!(self.poll_news(&mut doze, cx, what, Self::for_event));
                let told = news.map_or(Some(None), |news| self.tell(news));
                if let Some(told) = told {
                    return Poll::Ready(told.ok_or(RecvError::Closed));
                }
            }
        })
    }

    fn poll_message(
        &mut self,
        doze: &mut Doze,
        cx: &Context<'_>,
    ) -> Poll<Result<(Seq, M), RecvError>> {
        loop {
            if let Err(error) = ready!(self.poll_go_on(doze, cx)) {
                return Poll::Ready(Err(error));
            }
            if let Some(message) = self.take() {
                return Poll::Ready(Ok(message));
            }
        }
    }

    /// Makes sure that there is a message.
    fn poll_go_on(&mut self, doze: &mut Doze, cx: &Context<'_>) -> Poll<Result<(), RecvError>> {
        let news = ready!(self.poll_news(doze, cx, self.kind_of_wait(), Self::for_message));
        Poll::Ready(match news {
            Ok(News::Message) => Ok(()),
            Ok(News::Notice) => Err(RecvError::Notice),
            _ => Err(RecvError::Closed),
        })
    }

    fn poll_news(
        &mut self,
        doze: &mut Doze,
        cx: &Context<'_>,
        what: For,
        find: fn(&mut Self) -> Option<News>,
    ) -> Poll<Result<News, RecvError>> {
        ready!(self.turns.poll(cx));
        let found = self.poll_next_news(doze, cx, what, find);
        self.turns.count(found)
    }

    fn poll_next_news(
        &mut self,
        doze: &mut Doze,
        cx: &Context<'_>,
        what: For,
        find: fn(&mut Self) -> Option<News>,
    ) -> Poll<Result<News, RecvError>> {
        if let Some(news) = find(self) {
            doze.end();
            return Poll::Ready(Ok(news));
        }
        let Some(shared) = self.shared.clone() else { return Poll::Ready(Err(RecvError::Closed)) };
        let parker = self.parker.clone();
        let found =
            ready!(shared.poll(doze, &parker, cx, what, |step| self.step(step, &shared, find)));
        Poll::Ready(self.end_wait(found, &shared).map_err(RecvTimeoutError::without_limit))
    }
}

impl<M: 'static> Stream for Merge<M> {
    type Item = (Seq, M);

    /// The next message; none when all receivers have closed, or a [notice](crate::Notice) comes next.
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<(Seq, M)>> {
        let merge = self.get_mut();
        let mut doze = std::mem::take(&mut merge.doze);
        let message = merge.poll_message(&mut doze, cx);
        merge.doze = doze;
        message.map(Result::ok)
    }
}
