//! There and back as in `ping-pong`, but ours receive events: they are told of the clock, too, which
//! they skip. Who wants both waits for the clock like those who want nothing else.
//!
//! ```text
//!  A ───▶ B      (recv_event)
//!    ◀───
//! ```

use super::{Figure, Load, Topology, trips};
use crate::against::{Closed, Contender, Receiver};
use crate::failure::Failure;
use crate::message::Message;

pub(crate) struct PingPongEvents;

impl Topology for PingPongEvents {
    // Events come one by one.
    const BATCHES: &'static [usize] = &[1];

    fn run<C: Contender, T: Message>(load: &Load) -> Result<Vec<Figure>, Failure> {
        trips::trips::<C, T, _>(load, ByEvents)
    }
}

/// Receives events and passes on the messages.
struct ByEvents<R>(R);

impl<T: Message, R: Receiver<T>> Receiver<T> for ByEvents<R> {
    #[inline]
    fn recv(&mut self) -> Result<T, Closed> {
        self.0.recv_event()
    }

    #[inline]
    fn recv_batch(&mut self, _max: usize, mut take: impl FnMut(T)) -> Result<usize, Closed> {
        take(self.0.recv_event()?);
        Ok(1)
    }
}
