//! Where there is only one receiver, it can make the order itself: a ring of each author, which it
//! polls by turns, and it numbers what it reads. Nobody else knows these numbers, and nobody could have
//! one without a message.
//!
//! ```text
//!  A ──▶ ┐
//!  A ──▶ ├── R   number += 1
//!  A ──▶ ┘
//! ```

use rtrb::{Consumer, RingBuffer};

use super::never::Never;
use super::{Closed, Contender, Order, OrderedReceiver, Ordering, Sender, unable, waiting};
use crate::failure::Failure;
use crate::message::Message;

/// As many it takes of one ring before it looks at the next.
const TAKEN: usize = 64;

pub(crate) struct NumberedByReceiver {
    capacity: usize,
}

struct Poller<T> {
    rings: Vec<Consumer<T>>,
    /// Whose turn it is, and how many of that ring it may take without another look.
    turn: usize,
    there: usize,
    /// The last number.
    last: u64,
}

impl Contender for NumberedByReceiver {
    type Address<T: Message> = Never;
    type Sender<T: Message> = Never;
    type Router<T: Message> = Never;
    type Receiver<T: Message> = Never;

    fn open(capacity: usize) -> Result<Self, Failure> {
        Ok(Self { capacity })
    }

    fn order<T: Message>(
        &self,
        authors: usize,
        receivers: usize,
    ) -> Ordering<impl Sender<T>, impl OrderedReceiver<T>> {
        if receivers != 1 {
            return Err(unable());
        }
        let rings = (0..authors).map(|_| RingBuffer::<T>::new(self.capacity));
        let (authors, rings): (Vec<_>, Vec<_>) = rings.unzip();
        let receiver = Poller { rings, turn: 0, there: 0, last: 0 };
        Ok(Order { authors, receivers: vec![receiver] })
    }
}

impl<T: Message> Poller<T> {
    /// Waits for a ring that has something, the next one first.
    #[inline]
    fn find(&mut self) -> Result<(), Closed> {
        let Self { rings, turn, there, .. } = self;
        waiting::until(|| {
            let mut is_over = true;
            for _ in 0..rings.len() {
                *turn = (*turn + 1) % rings.len();
                // In this order: what was sent before the end was seen is there by now.
                is_over &= rings[*turn].is_abandoned();
                *there = rings[*turn].slots().min(TAKEN);
                if *there > 0 {
                    return Some(Ok(()));
                }
            }
            is_over.then_some(Err(Closed))
        })
    }
}

impl<T: Message> OrderedReceiver<T> for Poller<T> {
    #[inline]
    fn recv(&mut self) -> Result<(u64, T), Closed> {
        if self.there == 0 {
            self.find()?;
        }
        self.there -= 1;
        self.last += 1;
        Ok((self.last, self.rings[self.turn].pop().map_err(|_| Closed)?))
    }

    #[inline]
    fn recv_batch(&mut self, max: usize, mut take: impl FnMut(u64, T)) -> Result<usize, Closed> {
        if self.there == 0 {
            self.find()?;
        }
        let taken = self.there.min(max);
        self.there -= taken;
        let chunk = self.rings[self.turn].read_chunk(taken).map_err(|_| Closed)?;
        for value in chunk {
            self.last += 1;
            take(self.last, value);
        }
        Ok(taken)
    }
}
