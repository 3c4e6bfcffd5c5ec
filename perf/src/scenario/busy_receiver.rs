//! How old is the clock while the receiver is at work? From a send until somebody who only looks at the clock sees it
//! cover the message, which is sent just after the receiver has begun to work, and works without asking for more.
//!
//! Where whoever waits drives, nobody does meanwhile: the clock stands until the receiver asks again. Where a thread
//! drives, it depends on how soon the system lets that thread run beside the two of us.
//!
//! ```text
//!  A ───▶ R ···works···
//!    ◀─── clock
//! ```

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::{Figure, Load, Measure, Topology, trips};
use crate::against::{Contender, Kind, Receiver, Sender, Who};
use crate::crew::Crew;
use crate::failure::Failure;
use crate::message::{Due, Message, Payload, values};

/// What the receiver does with a message.
const WORK: Duration = Duration::from_micros(100);

pub(crate) struct BusyReceiver;

impl Topology for BusyReceiver {
    const WHO: &'static [Who] = &[Who::Mainspring, Who::Thread, Who::Yield];
    const PAYLOADS: &'static [Payload] = &[Payload::Word];
    const BATCHES: &'static [usize] = &[1];

    fn run<C: Contender, T: Message>(load: &Load) -> Result<Vec<Figure>, Failure> {
        let contender = C::set_up(load)?;
        let (address, mut receiver) = contender.receiver::<T>(Kind::Lone)?;
        let (mut sender, clock) = (contender.sender(&address)?, contender.clock()?);
        let values = values(0, load.share(1));
        let due = Due::from::<T>(std::iter::once(values.clone()));
        // How many messages the receiver has begun to work on.
        let begun = Arc::new(AtomicU64::new(0));
        let seen = begun.clone();

        let mut crew = Crew::new(2, load.settle);
        crew.hire("author", move |line| {
            sender.send(T::of(0))?;
            line.start_open_ended(|| {
                let mut ages_ns = trips::histogram()?;
                for (nth, value) in (1..).zip(values) {
                    // Relaxed: it tells of nothing but itself.
                    look_until(|| seen.load(Ordering::Relaxed) >= nth);
                    // Nobody else sends, and what was sent before is covered.
                    let number = clock() + 1;
                    let sent = Instant::now();
                    sender.send(T::of(value))?;
                    look_until(|| clock() >= number);
                    ages_ns.saturating_record(sent.elapsed().as_nanos() as u64);
                }
                Ok(Some(ages_ns))
            })
        })?;
        crew.hire("receiver", move |line| {
            receiver.recv()?;
            line.start(|| {
                let mut sum = 0_u64;
                for nth in 1..=due.count {
                    work(&begun, nth);
                    sum = sum.wrapping_add(receiver.recv()?.weight());
                }
                due.check(sum).map(|()| None)
            })
        })?;
        let (_, found) = crew.finish(load.patience() + 10 * WORK * due.count as u32)?;
        let measures = [(Measure::Covered, 0.5), (Measure::Covered99, 0.99)];
        Ok(found
            .into_iter()
            .flatten()
            .flat_map(|ages_ns| trips::figures(&ages_ns, measures))
            .collect())
    }
}

/// Looks, and lets others run between the looks: the dispatcher's thread may be one of them.
fn look_until(mut is_so: impl FnMut() -> bool) {
    while !is_so() {
        thread::yield_now();
    }
}

/// Says so, and is busy for a while.
fn work(begun: &AtomicU64, nth: u64) {
    let began = Instant::now();
    // Relaxed: as above.
    begun.store(nth, Ordering::Relaxed);
    while began.elapsed() < WORK {
        std::hint::spin_loop();
    }
}
