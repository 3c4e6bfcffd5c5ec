//! Four authors, whose messages get the numbers of one dense order: with one receiver of all, or one for
//! each author. A receiver sees the number of each message, and checks it.
//!
//! ```text
//!  A ──┐ 1 4 ..
//!  A ──┼──────▶ R      or      A ───▶ R   1 4 ..
//!  A ──┘                       A ───▶ R   2 3 ..
//! ```
//!
//! What is checked, of all contenders alike: a receiver's numbers ascend, each author's messages are in
//! the author's order, and in the end all receivers together have each number from 1 on, once. The
//! first message of each author, before the start, is one of them.

use std::array;

use super::{BATCH_RECEIVED, Figure, Load, Topology, flow};
use crate::against::{Closed, Contender, OrderedReceiver, Sender, Who};
use crate::crew::Crew;
use crate::failure::Failure;
use crate::message::{Due, Message, author, values};

const AUTHORS: usize = 4;

pub(crate) struct TotalOrder<const RECEIVERS: usize>;

impl<const RECEIVERS: usize> Topology for TotalOrder<RECEIVERS> {
    const WHO: &'static [Who] = match RECEIVERS {
        1 => &[
            Who::Mainspring,
            Who::Thread,
            Who::Yield,
            Who::MutexCrossbeam,
            Who::MutexRtrb,
            Who::SequencerCrossbeam,
            Who::SequencerRtrb,
            Who::NumberedByReceiver,
            Who::Disruptor,
            Who::ClockedDispatch,
        ],
        _ => &[
            Who::Mainspring,
            Who::Thread,
            Who::Yield,
            Who::MutexCrossbeam,
            Who::MutexRtrb,
            Who::SequencerCrossbeam,
            Who::SequencerRtrb,
            Who::Disruptor,
            Who::ClockedDispatch,
        ],
    };

    fn run<C: Contender, T: Message>(load: &Load) -> Result<Vec<Figure>, Failure> {
        run::<C, T>(RECEIVERS, load)
    }
}

fn run<C: Contender, T: Message>(receivers: usize, load: &Load) -> Result<Vec<Figure>, Failure> {
    let contender = C::set_up(load)?;
    let order = contender.order::<T>(AUTHORS, receivers)?;
    let each = load.share(AUTHORS);
    let mut crew = Crew::new(AUTHORS + receivers, load.settle);
    for (nth, mut sender) in order.authors.into_iter().enumerate() {
        let mut values = values(nth, each + 1);
        let batch = load.batch;
        crew.hire("author", move |line| {
            values.next().map_or(Ok(()), |first| sender.send(T::of(first)))?;
            line.start_open_ended(|| {
                flow::send(&mut sender, values, batch)?;
                Ok(Tally::default())
            })
        })?;
    }
    for mut receiver in order.receivers {
        let (heard, batch) = (AUTHORS / receivers, load.batch);
        crew.hire("receiver", move |line| {
            let mut tally = Tally::default();
            for _ in 0..heard {
                let (number, value) = receiver.recv()?;
                tally.sums.add(&mut tally.next, number, &value);
            }
            let count = each * heard as u64;
            let report = line.start(|| receive(&mut receiver, tally, count, batch))?;
            // Who has everything looks on: where all read one ring, the others wait for it.
            match receiver.recv() {
                Err(Closed) => Ok(report),
                Ok((number, _)) => {
                    let what = "number after the last";
                    Err(Failure::Wrong { what, sent: 0, received: number })
                }
            }
        })?;
    }
    let (took, found) = crew.finish(load.patience())?;
    check::<T>(&found, each + 1)?;
    Ok(vec![Figure::per_message(took, each * AUTHORS as u64)])
}

fn receive<T: Message>(
    receiver: &mut impl OrderedReceiver<T>,
    tally: Tally,
    count: u64,
    batch: usize,
) -> Result<Tally, Failure> {
    // Apart, so that the sums can stay in registers.
    let Tally { mut next, mut sums } = tally;
    let mut left = Due { count, sum: 0 };
    if batch == 1 {
        for _ in 0..count {
            let (number, value) = receiver.recv()?;
            sums.add(&mut next, number, &value);
        }
    } else {
        while left.count > 0 {
            let add = |number, value| sums.add(&mut next, number, &value);
            left.less(receiver.recv_batch(BATCH_RECEIVED, add)?)?;
        }
    }
    Ok(Tally { next, sums })
}

/// What a receiver has got, in which order.
struct Tally {
    /// Of each author, what comes next.
    next: [u64; AUTHORS],
    sums: Sums,
}

#[derive(Default)]
struct Sums {
    last: u64,
    /// Not zero if a number did not ascend, or a message was not its author's next.
    disorder: u64,
    /// Of the numbers: so many numbers have this sum only if they are those from 1 on, but for chances that
    /// nobody has met.
    squares: u64,
    weights: u64,
}

impl Default for Tally {
    fn default() -> Self {
        let next = array::from_fn(|author| values(author, 0).start);
        Self { next, sums: Sums::default() }
    }
}

impl Sums {
    #[inline]
    fn add(&mut self, next: &mut [u64; AUTHORS], number: u64, message: &impl Message) {
        let next = &mut next[author(message.key()) % AUTHORS];
        self.disorder |= (message.key() ^ *next) | u64::from(number <= self.last);
        *next += 1;
        self.last = number;
        self.squares = self.squares.wrapping_add(number.wrapping_mul(number));
        self.weights = self.weights.wrapping_add(message.weight());
    }
}

/// Whether all of them together have what so many messages of each author come to.
fn check<T: Message>(found: &[Tally], each: u64) -> Result<(), Failure> {
    let all =
        |of: fn(&Sums) -> u64| found.iter().map(|tally| of(&tally.sums)).fold(0, u64::wrapping_add);
    let due = Due::from::<T>((0..AUTHORS).map(|author| values(author, each)));
    let square = |number: u64| number.wrapping_mul(number);
    let squares = (1..=due.count).map(square).fold(0, u64::wrapping_add);
    let facts = [
        ("order", 0, all(|sums| u64::from(sums.disorder != 0))),
        ("sum of the numbers' squares", squares, all(|sums| sums.squares)),
    ];
    for (what, sent, received) in facts {
        if sent != received {
            return Err(Failure::Wrong { what, sent, received });
        }
    }
    due.check(all(|sums| sums.weights))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers and authors, one message of each author after the other.
    fn tally(numbered: &[(u64, usize, u64)]) -> Tally {
        let mut tally = Tally::default();
        for &(number, author, nth) in numbered {
            tally.sums.add(&mut tally.next, number, &(values(author, 0).start + nth));
        }
        tally
    }

    fn wrong(found: &[Tally]) -> &'static str {
        match check::<u64>(found, 1) {
            Err(Failure::Wrong { what, .. }) => what,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_number_once_in_each_authors_order_is_right() {
        let whole = tally(&[(1, 0, 0), (2, 3, 0), (3, 1, 0), (4, 2, 0)]);
        assert!(check::<u64>(&[whole], 1).is_ok());
        let parts = [tally(&[(1, 0, 0), (4, 2, 0)]), tally(&[(2, 3, 0), (3, 1, 0)])];
        assert!(check::<u64>(&parts, 1).is_ok());
    }

    #[test]
    fn whatever_else_is_wrong() {
        let not_ascending = tally(&[(2, 0, 0), (1, 3, 0), (3, 1, 0), (4, 2, 0)]);
        assert_eq!(wrong(&[not_ascending]), "order");
        let overtaken = tally(&[(1, 0, 1), (2, 0, 0), (3, 1, 0), (4, 2, 0)]);
        assert_eq!(wrong(&[overtaken]), "order");
        let gap = tally(&[(1, 0, 0), (2, 3, 0), (3, 1, 0), (5, 2, 0)]);
        assert_eq!(wrong(&[gap]), "sum of the numbers' squares");
        let twice = [tally(&[(1, 0, 0), (4, 1, 0)]), tally(&[(1, 2, 0), (4, 3, 0)])];
        assert_eq!(wrong(&twice), "sum of the numbers' squares");
        let mut altered = tally(&[(1, 0, 0), (2, 3, 0), (3, 1, 0), (4, 2, 0)]);
        altered.sums.weights ^= 1;
        assert_eq!(wrong(&[altered]), "sum");
    }
}
