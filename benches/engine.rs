//! What the parts cost, on one thread: no line moves from core to core, nobody waits. How they do
//! together, beside others, `cargo perf` tells.
//!
//! - *ring*: a message written into its lane and read there; the pass between is not in the figure.
//! - *broadcast*: a message sent to all members of a group, numbered, and received by each, cloned or by reference.
//! - *clock*: what everybody reads.
//! - *pass*: what stamping costs by the number of lanes, with one new message in each and with
//!   none (then, after some passes, they are cold).
//! - *window*: what stamping costs of an outbox's messages, by the number of targets in turn.
//! - *alone*: a message there and received at once, with the number that it gets in between: the short way.
//!
//! The engines, but the last, are driven by hand, so that nothing passes but what is measured. Where only a part
//! of a round is timed, a round is long enough for the two looks at the system's clock (some 25 ns
//! each) not to matter.

#[cfg(loom)]
fn main() {}

#[cfg(not(loom))]
criterion::criterion_main!(engine::benches);

#[cfg(not(loom))]
mod engine {
    use std::hint::black_box;
    use std::time::{Duration, Instant};

    use criterion::{BenchmarkId, Criterion, Throughput, criterion_group};
    use mainspring::{Drive, Engine, Receiver, Sender, TryRecvError};

    criterion_group!(benches, ring, broadcast, clock, pass, window, alone);

    /// Messages of a round in the ring, half of its capacity.
    const ROUND: u64 = 512;
    const BATCH: u64 = 32;
    /// Passes that are timed together, at least, when there is one lane.
    const PASSES: usize = 16;

    /// Entries of an inbox: more than one of each lane, which may not all have been given back.
    const INBOX: usize = 4_096;

    fn by_hand() -> Engine {
        let engine = Engine::builder().inbox(INBOX).drive(Drive::manual(|| {})).build();
        engine.expect("the defaults are sound")
    }

    fn ring(c: &mut Criterion) {
        ring_of::<u64>(c, "u64", |value| value);
        ring_of::<[u64; 8]>(c, "[u64; 8]", |value| [value; 8]);
    }

    fn ring_of<T: Send + 'static>(c: &mut Criterion, name: &str, message: fn(u64) -> T) {
        let mut group = c.benchmark_group("ring");
        group.throughput(Throughput::Elements(ROUND));
        group.bench_function(BenchmarkId::new("single", name), |b| {
            b.iter_custom(|rounds| {
                around_a_pass(
                    rounds,
                    |tx| (0..ROUND).all(|value| tx.send(message(value)).is_ok()),
                    |rx| (0..ROUND).all(|_| rx.try_recv().map(black_box).is_ok()),
                )
            });
        });
        group.bench_function(BenchmarkId::new("32s", name), |b| {
            b.iter_custom(|rounds| {
                around_a_pass(
                    rounds,
                    |tx| {
                        let mut starts = (0..ROUND).step_by(BATCH as usize);
                        starts
                            .all(|first| tx.send_batch((first..first + BATCH).map(message)).is_ok())
                    },
                    |rx| {
                        let take = |seq, value| drop(black_box((seq, value)));
                        in_batches(|| rx.try_recv_batch(2 * BATCH as usize, take))
                    },
                )
            });
        });
        group.finish();
    }

    /// The time of so many rounds of sending and of receiving, without the pass between them.
    fn around_a_pass<T: Send + 'static>(
        rounds: u64,
        send: impl Fn(&mut Sender<T>) -> bool,
        receive: impl Fn(&mut Receiver<T>) -> bool,
    ) -> Duration {
        let engine = by_hand();
        let (mut tx, mut rx) = engine.channel::<T>();
        let mut round = || {
            let began = Instant::now();
            let mut complete = send(&mut tx);
            let sent = began.elapsed();
            engine.run_until_idle();
            let began = Instant::now();
            complete &= receive(&mut rx);
            let received = began.elapsed();
            assert!(complete, "all that was sent in a round is received in it");
            sent + received
        };
        // The first one joins and allocates.
        round();
        (0..rounds).map(|_| round()).sum()
    }

    fn broadcast(c: &mut Criterion) {
        broadcast_of(c, "cloned", |rx| (0..ROUND).all(|_| rx.try_recv().map(black_box).is_ok()));
        broadcast_of(c, "by ref", |rx| {
            (0..ROUND).all(|_| rx.try_recv_ref().map(|value| black_box(value[0])).is_ok())
        });
        broadcast_of(c, "cloned in 64s", |rx| {
            in_batches(|| {
                rx.try_recv_batch(2 * BATCH as usize, |_, value| {
                    black_box(value[0]);
                })
            })
        });
        broadcast_of(c, "by ref in 64s", |rx| {
            in_batches(|| {
                rx.try_recv_batch_ref(2 * BATCH as usize, |_, value| {
                    black_box(value[0]);
                })
            })
        });
    }

    /// Calls it until a round is complete.
    fn in_batches(mut receive: impl FnMut() -> Result<usize, TryRecvError>) -> bool {
        let mut received = 0;
        while received < ROUND as usize {
            let Ok(count) = receive() else { return false };
            received += count;
        }
        true
    }

    fn broadcast_of(
        c: &mut Criterion,
        form: &str,
        receive: impl Fn(&mut Receiver<[u64; 8]>) -> bool,
    ) {
        let mut group = c.benchmark_group("broadcast");
        group.throughput(Throughput::Elements(ROUND));
        for members in [1, 4] {
            group.bench_function(BenchmarkId::new(form, members), |b| {
                let engine = by_hand();
                let circle = engine.group();
                let mut receivers: Vec<_> = (0..members).map(|_| circle.subscribe()).collect();
                let mut all = circle.broadcaster();
                let mut round = || {
                    for value in 0..ROUND {
                        all.send([value; 8]).expect("the engine is open");
                    }
                    engine.run_until_idle();
                    let complete = receivers.iter_mut().all(&receive);
                    assert!(complete, "each receives all that was sent in a round");
                };
                // The first one joins and allocates.
                round();
                b.iter(round);
            });
        }
        group.finish();
    }

    fn clock(c: &mut Criterion) {
        let engine = by_hand();
        let (mut tx, _rx) = engine.channel::<u64>();
        tx.send(1).expect("the receiver is there");
        engine.run_until_idle();
        let clock = engine.clock();
        let mut group = c.benchmark_group("clock");
        group.bench_function("now", |b| b.iter(|| clock.now()));
        group.bench_function("read", |b| b.iter(|| clock.read()));
        group.finish();
    }

    fn pass(c: &mut Criterion) {
        let mut group = c.benchmark_group("pass");
        for lanes in [1_usize, 8, 64, 1_000] {
            group.throughput(Throughput::Elements(lanes as u64));
            group.bench_function(BenchmarkId::new("one each", lanes), |b| {
                let mut engines: Vec<_> =
                    (0..PASSES.div_ceil(lanes)).map(|_| Lanes::of(lanes)).collect();
                let part = engines.len() as u32;
                b.iter_custom(|rounds| {
                    (0..rounds).map(|_| Lanes::pass_with_one_each(&mut engines)).sum::<Duration>()
                        / part
                });
            });
            group.bench_function(BenchmarkId::new("none", lanes), |b| {
                let mut lanes = Lanes::of(lanes);
                Lanes::pass_with_one_each(std::slice::from_mut(&mut lanes));
                b.iter(|| lanes.engine.pass());
            });
        }
        group.finish();
    }

    fn window(c: &mut Criterion) {
        let mut group = c.benchmark_group("window");
        group.throughput(Throughput::Elements(ROUND));
        for targets in [1_usize, 4, 64] {
            group.bench_function(BenchmarkId::new("targets", targets), |b| {
                let engine = by_hand();
                let mut receivers: Vec<_> = (0..targets).map(|_| engine.receiver()).collect();
                let mut out = engine.outbox();
                let to: Vec<_> = receivers
                    .iter()
                    .map(|rx| out.add(&rx.address()).expect("the receiver is there"))
                    .collect();
                let mut round = || {
                    for nth in 0..ROUND {
                        let target = to[nth as usize % targets];
                        out.send(target, nth).expect("the receiver is there");
                    }
                    let began = Instant::now();
                    black_box(engine.pass());
                    let took = began.elapsed();
                    engine.run_until_idle();
                    for nth in 0..ROUND {
                        let rx = &mut receivers[nth as usize % targets];
                        rx.try_recv().expect("all that was sent is stamped");
                    }
                    took
                };
                round();
                b.iter_custom(|rounds| (0..rounds).map(|_| round()).sum());
            });
        }
        group.finish();
    }

    fn alone(c: &mut Criterion) {
        let mut group = c.benchmark_group("alone");
        group.bench_function("sent and received", |b| {
            let (mut tx, mut rx) = Engine::new().channel::<u64>();
            b.iter(|| {
                tx.send(1).expect("the receiver is there");
                rx.recv().expect("it was sent")
            });
        });
        group.finish();
    }

    /// Several lanes to one receiver.
    struct Lanes {
        engine: Engine,
        senders: Vec<Sender<u64>>,
        receiver: Receiver<u64>,
    }

    impl Lanes {
        fn of(lanes: usize) -> Self {
            let engine = by_hand();
            let (sender, receiver) = engine.channel();
            let mut senders: Vec<_> = (1..lanes).map(|_| sender.clone()).collect();
            senders.push(sender);
            let mut lanes = Self { engine, senders, receiver };
            // The first one joins and allocates.
            Self::pass_with_one_each(std::slice::from_mut(&mut lanes));
            lanes
        }

        /// The time of one pass each.
        fn pass_with_one_each(engines: &mut [Self]) -> Duration {
            for sender in engines.iter_mut().flat_map(|lanes| &mut lanes.senders) {
                sender.send(1).expect("the receiver is there");
            }
            let began = Instant::now();
            for lanes in &mut *engines {
                black_box(lanes.engine.pass());
            }
            let took = began.elapsed();
            for lanes in engines {
                lanes.engine.run_until_idle();
                for _ in &lanes.senders {
                    lanes.receiver.try_recv().expect("all that was sent is stamped");
                }
            }
            took
        }
    }
}
