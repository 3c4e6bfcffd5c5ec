//! How old is the clock while the receiver is at work? From a send until the clock covers the message, which is sent
//! when the receiver has just begun to work, and works without asking for more. Nobody waits for the clock: it notes
//! itself when it moved.
//!
//! Where whoever waits drives, nobody does meanwhile: the clock stands until the receiver asks again. Where a thread
//! drives, it depends on how soon the system lets that thread run, beside a receiver that has a core for itself.
//!
//! ```text
//!  A ───▶ R ···works···
//!    ◀─── clock
//! ```

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use super::{Figure, Load, Measure, Topology, trips};
use crate::against::{Contender, Receiver, Sender, Who};
use crate::crew::Crew;
use crate::failure::Failure;
use crate::message::{Due, Message, Payload, values};

/// What the receiver does with a message.
const WORK: Duration = Duration::from_micros(500);
/// The author leaves its core to others for so long between its looks.
const PAUSE: Duration = Duration::from_micros(50);

pub(crate) struct BusyReceiver;

impl Topology for BusyReceiver {
    const WHO: &'static [Who] = &[Who::Mainspring, Who::Thread, Who::Yield];
    const PAYLOADS: &'static [Payload] = &[Payload::Word];
    const BATCHES: &'static [usize] = &[1];

    fn run<C: Contender, T: Message>(load: &Load) -> Result<Vec<Figure>, Failure> {
        let (mut sender, mut receiver, clock) = C::clocked::<T>(load)?;
        let values = values(0, load.share(1));
        let due = Due::from::<T>(std::iter::once(values.clone()));
        let (begin, begun) = mpsc::channel();

        let mut crew = Crew::new(2, load.settle);
        crew.hire("author", move |line| {
            sender.send(T::of(0))?;
            line.start_open_ended(|| {
                let mut ages_ns = trips::histogram()?;
                for value in values {
                    begun.recv().map_err(|_| Failure::Closed)?;
                    // Nobody else sends, and what was sent before is covered.
                    let number = clock().0 + 1;
                    let sent = Instant::now();
                    sender.send(T::of(value))?;
                    let covered = loop {
                        match clock() {
                            (now, Some(since)) if now >= number => break since,
                            _ => thread::sleep(PAUSE),
                        }
                    };
                    ages_ns.saturating_record((covered - sent).as_nanos() as u64);
                }
                Ok(Some(ages_ns))
            })
        })?;
        crew.hire("receiver", move |line| {
            receiver.recv()?;
            line.start(|| {
                let mut sum = 0_u64;
                for _ in 0..due.count {
                    begin.send(()).map_err(|_| Failure::Closed)?;
                    work();
                    sum = sum.wrapping_add(receiver.recv()?.weight());
                }
                due.check(sum).map(|()| None)
            })
        })?;
        let (_, found) = crew.finish(load.patience() + 10 * WORK * due.count as u32)?;
        let measures = [(Measure::Covered, 0.5), (Measure::Covered99, 0.99)];
        let found = found.into_iter().flatten();
        Ok(found.flat_map(|ages_ns| trips::figures(&ages_ns, measures)).collect())
    }
}

/// Is busy for a while.
fn work() {
    let began = Instant::now();
    while began.elapsed() < WORK {
        std::hint::spin_loop();
    }
}
