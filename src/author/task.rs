//! Sending in a task: the value is kept by the future until there is room for it.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::{Author, NoRoom, Patience, ROOM, check_closed, look_for_room};
use crate::clock::Seq;
use crate::drive::{Doze, For, Shared, Step};
use crate::error::SendError;
use crate::ring::Producer;
use crate::stall::{Stall, holder_of};
use crate::sync::Arc;
use crate::trace;

/// A value on its way into a lane. Made by [`Sender::send_async`](crate::Sender::send_async) and
/// [`Broadcaster::send_async`](crate::Broadcaster::send_async).
///
/// Dropped before it is ready, it has not sent the value, and drops it; [`into_inner`](Self::into_inner) gives it back
/// instead.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use std::{future::Future, pin::Pin, task::{Context, Waker}};
/// let engine = mainspring::Engine::new();
/// let (mut tx, _rx) = engine.options().capacity(1).channel()?;
/// tx.send("fills the lane")?;
/// let mut sending = tx.send_async("finds no room");
/// let mut cx = Context::from_waker(Waker::noop());
/// assert!(Pin::new(&mut sending).poll(&mut cx).is_pending());
/// assert_eq!(sending.into_inner(), Some("finds no room"));
/// # Ok(()) }
/// ```
#[must_use = "futures do nothing unless they are polled"]
pub struct Sending<'a, T: Send + 'static> {
    author: &'a mut Author<T>,
    value: Option<T>,
    wait: Option<RoomWait>,
}

/// A value on its way to its number. Made by [`Sender::send_stamped_async`](crate::Sender::send_stamped_async) and
/// [`Broadcaster::send_stamped_async`](crate::Broadcaster::send_stamped_async).
///
/// Dropped before it is ready, it has sent the value if there was room for it; [`into_inner`](Self::into_inner) tells.
#[must_use = "futures do nothing unless they are polled"]
pub struct Stamping<'a, T: Send + 'static> {
    author: &'a mut Author<T>,
    value: Option<T>,
    wait: Option<RoomWait>,
    /// It was published, and waits for its number.
    is_held: bool,
}

/// A task's wait for room in a lane.
#[derive(Default)]
pub(crate) struct RoomWait {
    doze: Doze,
    patience: Option<Patience>,
    stall: Stall,
}

impl Drop for RoomWait {
    fn drop(&mut self) {
        if trace::ON {
            std::mem::take(&mut self.stall).end(false);
        }
    }
}

impl RoomWait {
    /// Everything pushed must have been published.
    pub(crate) fn poll<T>(
        &mut self,
        shared: &Arc<Shared>,
        producer: &mut Producer<T>,
        cx: &Context<'_>,
    ) -> Poll<Result<(), NoRoom>> {
        let parker = producer.lane().state().parker().clone();
        let patience = self.patience.get_or_insert_with(|| {
            producer.state().stalls.count();
            Patience::new(producer.lane().capacity())
        });
        let stall = &mut self.stall;
        let found = ready!(shared.poll(&mut self.doze, &parker, cx, ROOM, |step| {
            stall.step(step, || holder_of(shared, producer));
            look_for_room(producer, patience, step)
        }));
        self.patience = None;
        let found = found.unwrap_or(Err(NoRoom::Closed));
        std::mem::take(&mut self.stall).end(found.is_ok());
        Poll::Ready(found)
    }
}

impl<T: Send + 'static> Author<T> {
    pub(crate) fn send_async(&mut self, value: T) -> Sending<'_, T> {
        Sending { author: self, value: Some(value), wait: None }
    }

    pub(crate) fn send_stamped_async(&mut self, value: T) -> Stamping<'_, T> {
        Stamping { author: self, value: Some(value), wait: None, is_held: false }
    }
}

impl<T: Send + 'static> Sending<'_, T> {
    /// Gives up: the value, if it was not sent.
    pub fn into_inner(mut self) -> Option<T> {
        self.value.take()
    }
}

// It never pins what it holds.
impl<T: Send + 'static> Unpin for Sending<'_, T> {}
impl<T: Send + 'static> Unpin for Stamping<'_, T> {}

impl<T: Send + 'static> Future for Sending<'_, T> {
    type Output = Result<(), SendError<T>>;

    /// # Panics
    ///
    /// If it was ready before.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { author, value: place, wait } = self.get_mut();
        ready!(author.turns.poll(cx));
        let mut value = place.take().expect("polled after it was ready");
        loop {
            match author.producer.push(value) {
                Ok(()) => {
                    let sent = author.publish();
                    return author.turns.count(Poll::Ready(sent));
                }
                Err(refused) => value = refused,
            }
            let wait = wait.get_or_insert_default();
            match wait.poll(&author.shared, &mut author.producer, cx) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(_)) => return Poll::Ready(Err(author.refuse(value))),
                Poll::Pending => {
                    *place = Some(value);
                    return Poll::Pending;
                }
            }
        }
    }
}

impl<T: Send + 'static> Stamping<'_, T> {
    /// Gives up: the value, if it was not sent. If it was, its number may be asked for later: it is that of the last
    /// message sent.
    pub fn into_inner(mut self) -> Option<T> {
        self.value.take()
    }
}

impl<T: Send + 'static> Future for Stamping<'_, T> {
    type Output = Result<Seq, SendError<T>>;

    /// # Panics
    ///
    /// If it was ready before.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let stamping = self.get_mut();
        ready!(stamping.author.turns.poll(cx));
        let found = stamping.poll_number(cx);
        stamping.author.turns.count(found)
    }
}

impl<T: Send + 'static> Stamping<'_, T> {
    fn poll_number(&mut self, cx: &Context<'_>) -> Poll<Result<Seq, SendError<T>>> {
        let Self { author, value: place, wait, is_held } = self;
        if !*is_held {
            let mut value = place.take().expect("polled after it was ready");
            if check_closed(&mut author.producer) {
                return Poll::Ready(Err(author.refuse(value)));
            }
            while let Err(refused) = author.producer.push(value) {
                value = refused;
                let wait = wait.get_or_insert_default();
                match wait.poll(&author.shared, &mut author.producer, cx) {
                    Poll::Ready(Ok(())) => {}
                    Poll::Ready(Err(_)) => return Poll::Ready(Err(author.refuse(value))),
                    Poll::Pending => {
                        *place = Some(value);
                        return Poll::Pending;
                    }
                }
            }
            *is_held = true;
            if author.publish_held() {
                author.shared.speak_up(author.producer.state());
            }
        }
        let parker = author.producer.state().parker().clone();
        let end = |step| if step == Step::Look { author.settled() } else { None };
        if let Some(settled) = end(Step::Look) {
            *is_held = false;
            return Poll::Ready(author.end_holding(Some(settled)).0);
        }
        let doze = &mut wait.get_or_insert_default().doze;
        let found = ready!(author.shared.poll(doze, &parker, cx, For::Stamp, end));
        *is_held = false;
        Poll::Ready(author.end_holding(found.ok()).0)
    }
}

impl<T: Send + 'static> Drop for Stamping<'_, T> {
    fn drop(&mut self) {
        if self.is_held {
            self.author.producer.state().let_go();
        }
    }
}

impl<T: Send + 'static> fmt::Debug for Sending<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sending").field("sent", &self.value.is_none()).finish_non_exhaustive()
    }
}

impl<T: Send + 'static> fmt::Debug for Stamping<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stamping").field("sent", &self.value.is_none()).finish_non_exhaustive()
    }
}
