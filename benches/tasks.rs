//! What a task pays, on one thread: no line moves from core to core, nobody sleeps but tasks. How it is on a runtime
//! with workers, beside others, `cargo perf` tells.
//!
//! - *there*: a message sent and received in turn by one task: the futures are ready when they are first polled.
//! - *asleep*: a receiving task that has left its waker, woken by a send, and polled again: once around, to the next
//!   time that it sleeps. The parts of that: what the send costs, and what the poll costs that finds the message.
//! - *two tasks*: a stream from one task to another, on an executor of one thread: they take turns when the lane is
//!   full, and when it is empty.

#[cfg(loom)]
fn main() {}

#[cfg(not(loom))]
criterion::criterion_main!(tasks::benches);

#[cfg(not(loom))]
mod tasks {
    use std::hint::black_box;
    use std::pin::Pin;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::task::{Context, Poll, Wake, Waker};
    use std::time::{Duration, Instant};

    use criterion::{BenchmarkId, Criterion, Throughput, criterion_group};
    use mainspring::{Engine, Receiver, Sender, Seq};
    use smol::{LocalExecutor, future};

    criterion_group!(benches, there, asleep, two_tasks);

    /// Messages of a stream.
    const STREAM: u64 = 10_000;

    fn channel() -> (Sender<u64>, Receiver<u64>) {
        Engine::new().channel()
    }

    fn there(c: &mut Criterion) {
        let mut group = c.benchmark_group("there");
        group.bench_function("sent and received", |b| {
            let (mut tx, mut rx) = channel();
            b.iter(|| {
                future::block_on(async {
                    tx.send_async(1).await.expect("the receiver is there");
                    rx.recv_async().await.expect("it was sent")
                })
            });
        });
        group.bench_function("stamped and received", |b| {
            let (mut tx, mut rx) = channel();
            b.iter(|| {
                future::block_on(async {
                    let seq = tx.send_stamped_async(1).await.expect("the receiver is there");
                    assert_eq!(rx.recv_async().await.expect("it was sent").0, seq);
                })
            });
        });
        group.finish();
    }

    /// Counts how often it was woken.
    #[derive(Default)]
    struct Count(AtomicU64);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            // Relaxed: a count, and there is one thread only.
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    impl Count {
        fn now(&self) -> u64 {
            // Relaxed: as above.
            self.0.load(Ordering::Relaxed)
        }
    }

    /// A task that receives, polled by hand.
    struct Sleeper {
        rx: Receiver<u64>,
        woken: Arc<Count>,
        waker: Waker,
    }

    impl Sleeper {
        fn new(rx: Receiver<u64>) -> Self {
            let woken = Arc::new(Count::default());
            Self { rx, waker: Waker::from(woken.clone()), woken }
        }

        /// Polled until nothing wakes it any more, then woken by a message, and polled for it. The time of all of it,
        /// of the send, and of the poll that finds the message.
        fn turn(&mut self, send: &mut impl FnMut()) -> [Duration; 3] {
            let mut cx = Context::from_waker(&self.waker);
            let began = Instant::now();
            let mut receiving = self.rx.recv_async();
            let mut woken = self.woken.now();
            loop {
                assert!(poll(&mut receiving, &mut cx).is_none(), "nothing was sent");
                // It may ask a few times to be polled again before it sleeps.
                let now = self.woken.now();
                if now == woken {
                    break;
                }
                woken = now;
            }
            let asleep = Instant::now();
            send();
            let sent = Instant::now();
            assert_eq!(self.woken.now(), woken + 1, "the send wakes it");
            let found = poll(&mut receiving, &mut cx);
            let ended = Instant::now();
            black_box(found.expect("it was woken for it"));
            [ended - began, sent - asleep, ended - sent]
        }
    }

    fn poll<E: std::fmt::Debug>(
        receiving: &mut (impl Future<Output = Result<(Seq, u64), E>> + Unpin),
        cx: &mut Context<'_>,
    ) -> Option<u64> {
        match Pin::new(receiving).poll(cx) {
            Poll::Ready(found) => Some(found.expect("the sender is there").1),
            Poll::Pending => None,
        }
    }

    fn asleep(c: &mut Criterion) {
        let mut group = c.benchmark_group("asleep");
        for (part, name) in ["once around", "send", "poll"].into_iter().enumerate() {
            group.bench_function(name, |b| {
                let (mut tx, rx) = channel();
                let mut sleeper = Sleeper::new(rx);
                let mut send = || tx.send(1).expect("the receiver is there");
                // The first one joins and allocates.
                sleeper.turn(&mut send);
                b.iter_custom(|rounds| (0..rounds).map(|_| sleeper.turn(&mut send)[part]).sum());
            });
        }
        group.finish();
    }

    fn two_tasks(c: &mut Criterion) {
        let mut group = c.benchmark_group("two tasks");
        group.throughput(Throughput::Elements(STREAM));
        for capacity in [64_usize, 1024] {
            group.bench_function(BenchmarkId::new("stream", capacity), |b| {
                let engine = Engine::builder().capacity(capacity).build();
                let (mut tx, mut rx) = engine.expect("the capacity is sound").channel::<u64>();
                b.iter(|| {
                    let executor = LocalExecutor::new();
                    let sends = executor.spawn(async {
                        for value in 0..STREAM {
                            tx.send_async(value).await.expect("the receiver is there");
                        }
                    });
                    let receives = executor.spawn(async {
                        for value in 0..STREAM {
                            assert_eq!(rx.recv_async().await.expect("it was sent").1, value);
                        }
                    });
                    future::block_on(executor.run(future::zip(sends, receives)));
                });
            });
        }
        group.finish();
        let mut group = c.benchmark_group("two tasks");
        group.bench_function("there and back", |b| {
            let engine = Engine::new();
            let ((mut ask, mut asked), (mut answer, mut answered)) =
                (engine.channel::<u64>(), engine.channel::<u64>());
            let executor = LocalExecutor::new();
            executor
                .spawn(async move {
                    while let Ok((_, value)) = asked.recv_async().await {
                        if answer.send_async(value).await.is_err() {
                            break;
                        }
                    }
                })
                .detach();
            b.iter(|| {
                future::block_on(executor.run(async {
                    ask.send_async(1).await.expect("somebody answers");
                    answered.recv_async().await.expect("somebody answers").1
                }))
            });
        });
        group.finish();
    }
}
