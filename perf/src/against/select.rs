//! Several channels of crossbeam-channel that one thread receives by `select!`: whichever has
//! something, in no order.
//!
//! In batches it selects one message and then takes what it can get of each channel without waiting.
//! A channel whose sender has gone is ready for ever, so it is replaced by one that never is.

use crossbeam_channel::{Receiver as Channel, bounded, never, select};

use super::never::Never;
use super::{Closed, Confluence, Contender, Merged, Receiver, Sender, ToOther};
use crate::failure::Failure;
use crate::message::{Message, Other};

pub(crate) struct Select {
    capacity: usize,
}

struct Selected<T> {
    one: [Channel<T>; 2],
    other: [Channel<Other<T>>; 2],
    /// Channels that have a sender, as far as is known.
    open: usize,
}

impl Contender for Select {
    type Address<T: Message> = Never;
    type Sender<T: Message> = Never;
    type Router<T: Message> = Never;
    type Receiver<T: Message> = Never;

    fn open(capacity: usize) -> Result<Self, Failure> {
        Ok(Self { capacity })
    }

    fn merge<T: Message>(&self) -> Confluence<impl Sender<T>, impl Sender<T>, impl Receiver<T>> {
        let [(first, of_first), (second, of_second)] =
            [(); 2].map(|()| bounded::<T>(self.capacity));
        let [(third, of_third), (fourth, of_fourth)] =
            [(); 2].map(|()| bounded::<Other<T>>(self.capacity));
        let receiver =
            Selected { one: [of_first, of_second], other: [of_third, of_fourth], open: 4 };
        Ok(Merged { one: [first, second], other: [third, fourth].map(ToOther), receiver })
    }
}

impl<T> Selected<T> {
    #[cold]
    fn close(&mut self, ended: usize) {
        match ended {
            at @ 0..2 => self.one[at] = never(),
            at => self.other[at - 2] = never(),
        }
        self.open -= 1;
    }
}

impl<T: Message> Receiver<T> for Selected<T> {
    #[inline]
    fn recv(&mut self) -> Result<T, Closed> {
        while self.open > 0 {
            let ([first, second], [third, fourth]) = (&self.one, &self.other);
            let ended = select! {
                recv(first) -> value => match value {
                    Ok(value) => return Ok(value),
                    Err(_) => 0,
                },
                recv(second) -> value => match value {
                    Ok(value) => return Ok(value),
                    Err(_) => 1,
                },
                recv(third) -> value => match value {
                    Ok(Other(value)) => return Ok(value),
                    Err(_) => 2,
                },
                recv(fourth) -> value => match value {
                    Ok(Other(value)) => return Ok(value),
                    Err(_) => 3,
                },
            };
            self.close(ended);
        }
        Err(Closed)
    }

    #[inline]
    fn recv_batch(&mut self, max: usize, mut take: impl FnMut(T)) -> Result<usize, Closed> {
        take(self.recv()?);
        let mut taken = 1;
        for channel in &self.one {
            taken += channel.try_iter().take(max - taken).map(&mut take).count();
        }
        for channel in &self.other {
            let more = channel.try_iter().take(max - taken);
            taken += more.map(|Other(value)| take(value)).count();
        }
        Ok(taken)
    }
}
