//! Sending from an outbox in a task.

use std::future::poll_fn;
use std::task::{Context, Poll, ready};

use super::{Outbox, Target, find};
use crate::author::RoomWait;
use crate::drive::{Doze, For, Step};
use crate::error::SendError;

/// A task's wait for room, in the outbox and in a target's lane.
#[derive(Default)]
struct Wait {
    words: Doze,
    slots: RoomWait,
}

impl Outbox {
    /// As [`send`](Self::send), for a task: the future is ready when there is room, in the target's lane and in the
    /// outbox. Dropping it before that drops the value, which is not sent then.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # smol::block_on(async {
    /// let engine = mainspring::Engine::new();
    /// let (mut orders, mut quotes) = (engine.receiver::<&str>(), engine.receiver::<f64>());
    /// let mut out = engine.outbox();
    /// let (to_orders, to_quotes) = (out.add(&orders.address())?, out.add(&quotes.address())?);
    /// out.send_async(to_quotes, 1.25).await?;
    /// out.send_async(to_orders, "buy").await?;
    /// assert_eq!(orders.recv_async().await?, (2.into(), "buy"));
    /// assert_eq!(quotes.recv_async().await?, (1.into(), 1.25));
    /// # Ok(()) })}
    /// ```
    ///
    /// # Errors
    ///
    /// If the receiver is gone, this was [fenced](crate::Marker::fence), or the target is not one of this outbox;
    /// the value comes back.
    pub fn send_async<T: Send + 'static>(
        &mut self,
        to: Target<T>,
        value: T,
    ) -> impl Future<Output = Result<(), SendError<T>>> + Send + '_ {
        let (mut wait, mut value) = (Wait::default(), Some(value));
        poll_fn(move |cx| {
            ready!(self.turns.poll(cx));
            let room = self.poll_room(to, &mut wait, cx);
            ready!(self.turns.count(room));
            let value = value.take().expect("polled after it was ready");
            // There is room, or never will be: this does not wait.
            Poll::Ready(self.send(to, value))
        })
    }

    /// Ready when sending to this target does not wait.
    fn poll_room<T: Send + 'static>(
        &mut self,
        to: Target<T>,
        wait: &mut Wait,
        cx: &Context<'_>,
    ) -> Poll<()> {
        let Self { shared, ring, tail, limit, targets, .. } = self;
        let Some(lane) = find(targets, to) else { return Poll::Ready(()) };
        let mut has_words = || {
            *limit = ring.state().head() + ring.capacity();
            // In a closing engine whoever waits is refused at once.
            (*tail < *limit || ring.state().is_shut()).then_some(())
        };
        if has_words().is_none() {
            let end = |step| if step == Step::Look { has_words() } else { None };
            let parker = ring.state().parker();
            if ready!(shared.poll(&mut wait.words, parker, cx, For::EAGER, end)).is_err() {
                return Poll::Ready(());
            }
        }
        if !lane.producer.has_room() {
            // Closed or not, sending tells.
            ready!(wait.slots.poll(shared, &mut lane.producer, cx)).ok();
        }
        Poll::Ready(())
    }
}
