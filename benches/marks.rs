//! What events without a receiver cost, and replies, beside what people would use instead.
//!
//! - *mark*: a number, given at once: alone, beside two who send as fast as they can, and submitted and waited for.
//!   Beside it the cheapest thing that gives numbers: a lock, a count, an unlock.
//! - *fence*: one, or a hundred, authors ended from outside, and waited for; nobody sends meanwhile. The join of the
//!   authors is not counted, what they leave behind is.
//! - *reply*: made, answered, taken. On one thread, where nobody waits; and across two, one after the other (each waits
//!   for the other, so that most of it is the system's waking), or many at a time. The request goes by a channel of the
//!   standard library in all of them; `ask` sends it through the engine, too, as one would.
//!
//! Nobody's number is beside those of others: theirs are part of no order.

#[cfg(loom)]
fn main() {}

#[cfg(not(loom))]
criterion::criterion_main!(marks::benches);

#[cfg(not(loom))]
mod marks {
    use std::fmt::Debug;
    use std::hint::black_box;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
    use std::sync::mpsc;
    use std::thread::{self, JoinHandle};

    use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group};
    use mainspring::{Answer, Engine, Reply};
    use parking_lot::Mutex;

    criterion_group!(benches, mark, fence, reply);

    /// Replies that are asked for together.
    const MANY: u64 = 512;

    fn mark(c: &mut Criterion) {
        let mut group = c.benchmark_group("mark");
        group.bench_function("lock, count, unlock", |b| {
            let count = Mutex::new(0_u64);
            b.iter(|| {
                let mut count = count.lock();
                *count += 1;
                *count
            });
        });
        group.bench_function("alone", |b| {
            let marker = Engine::new().marker();
            b.iter(|| marker.mark().expect("the engine is open"));
        });
        group.bench_function("submitted and waited for", |b| {
            let marker = Engine::new().marker();
            b.iter(|| marker.submit().wait().expect("the engine is open"));
        });
        group.bench_function("beside two senders", |b| {
            let engine = Engine::new();
            let busy = Busy::new(&engine);
            let marker = engine.marker();
            b.iter(|| marker.mark().expect("the engine is open"));
            busy.end();
        });
        group.finish();
    }

    fn fence(c: &mut Criterion) {
        let mut group = c.benchmark_group("fence");
        for authors in [1, 100] {
            group.bench_function(BenchmarkId::from_parameter(authors), |b| {
                let engine = Engine::new();
                let marker = engine.marker();
                let (first, _rx) = engine.channel::<u64>();
                let join = || -> (Vec<_>, Vec<_>) {
                    let senders: Vec<_> = (0..authors).map(|_| first.clone()).collect();
                    // So that the pass that ends them has not to hear of them first.
                    open(marker.submit().wait());
                    let sources = senders.iter().map(|tx| tx.source()).collect();
                    (senders, sources)
                };
                let end = |(senders, sources): (Vec<_>, Vec<_>)| {
                    open(open(marker.fence(&sources)).wait());
                    senders
                };
                b.iter_batched(join, end, BatchSize::PerIteration);
            });
        }
        group.finish();
    }

    /// Two who send, and one who receives, as fast as they can.
    struct Busy {
        over: Arc<AtomicBool>,
        threads: Vec<JoinHandle<()>>,
    }

    impl Busy {
        fn new(engine: &Engine) -> Self {
            let over = Arc::new(AtomicBool::new(false));
            let (tx, mut rx) = engine.channel::<u64>();
            let mut threads: Vec<_> = [tx.clone(), tx]
                .into_iter()
                .map(|mut tx| {
                    let over = over.clone();
                    thread::spawn(move || {
                        // Relaxed: nothing but this word.
                        while !over.load(Relaxed) {
                            tx.send(1).expect("the receiver is there");
                        }
                    })
                })
                .collect();
            threads.push(thread::spawn(move || {
                while rx
                    .recv_batch(256, |_, value| {
                        black_box(value);
                    })
                    .is_ok()
                {}
            }));
            Self { over, threads }
        }

        fn end(self) {
            // Relaxed: as above.
            self.over.store(true, Relaxed);
            for thread in self.threads {
                thread.join().expect("it only sends or receives");
            }
        }
    }

    /// Somebody's channel for one value.
    trait OneShot: 'static {
        type Reply: Send + 'static;
        type Answer;
        const NAME: &'static str;
        fn new(engine: &Engine) -> (Self::Reply, Self::Answer);
        fn send(reply: Self::Reply, value: u64);
        fn wait(answer: Self::Answer) -> u64;
    }

    struct Ours;
    struct Tokio;
    struct Crate;

    fn open<T, E: Debug>(result: Result<T, E>) -> T {
        result.expect("both ends are there")
    }

    impl OneShot for Ours {
        type Reply = Reply<u64>;
        type Answer = Answer<u64>;
        const NAME: &'static str = "mainspring";
        fn new(engine: &Engine) -> (Self::Reply, Self::Answer) {
            engine.reply()
        }
        fn send(reply: Self::Reply, value: u64) {
            open(reply.send(value));
        }
        fn wait(mut answer: Self::Answer) -> u64 {
            open(answer.wait()).1
        }
    }

    impl OneShot for Tokio {
        type Reply = tokio::sync::oneshot::Sender<u64>;
        type Answer = tokio::sync::oneshot::Receiver<u64>;
        const NAME: &'static str = "tokio";
        fn new(_engine: &Engine) -> (Self::Reply, Self::Answer) {
            tokio::sync::oneshot::channel()
        }
        fn send(reply: Self::Reply, value: u64) {
            open(reply.send(value));
        }
        fn wait(answer: Self::Answer) -> u64 {
            open(answer.blocking_recv())
        }
    }

    impl OneShot for Crate {
        type Reply = oneshot::Sender<u64>;
        type Answer = oneshot::Receiver<u64>;
        const NAME: &'static str = "oneshot";
        fn new(_engine: &Engine) -> (Self::Reply, Self::Answer) {
            oneshot::channel()
        }
        fn send(reply: Self::Reply, value: u64) {
            open(reply.send(value));
        }
        fn wait(answer: Self::Answer) -> u64 {
            open(answer.recv())
        }
    }

    fn reply(c: &mut Criterion) {
        of::<Ours>(c);
        of::<Tokio>(c);
        of::<Crate>(c);
        ask(c);
    }

    fn of<C: OneShot>(c: &mut Criterion) {
        let engine = Engine::new();
        let mut group = c.benchmark_group("reply");
        group.bench_function(BenchmarkId::new("one thread", C::NAME), |b| {
            b.iter(|| {
                let (reply, answer) = C::new(&engine);
                C::send(reply, 1);
                C::wait(answer)
            });
        });
        let (ask, asked) = mpsc::channel::<C::Reply>();
        let service = thread::spawn(move || asked.iter().for_each(|reply| C::send(reply, 1)));
        let request = || {
            let (reply, answer) = C::new(&engine);
            open(ask.send(reply));
            answer
        };
        group.bench_function(BenchmarkId::new("two threads", C::NAME), |b| {
            b.iter(|| C::wait(request()));
        });
        group.throughput(Throughput::Elements(MANY));
        group.bench_function(BenchmarkId::new("two threads, many", C::NAME), |b| {
            b.iter(|| {
                let answers: Vec<_> = (0..MANY).map(|_| request()).collect();
                answers.into_iter().map(C::wait).sum::<u64>()
            });
        });
        group.finish();
        drop(ask);
        service.join().expect("it only answers");
    }

    /// The request, too, goes through the engine.
    fn ask(c: &mut Criterion) {
        let engine = Engine::new();
        let (mut ask, mut asked) = engine.channel::<Reply<u64>>();
        let service = thread::spawn(move || {
            asked.messages().for_each(|(_, reply)| open(reply.send(1)));
        });
        let mut group = c.benchmark_group("reply");
        let mut request = || {
            let (reply, answer) = engine.reply();
            open(ask.send(reply));
            answer
        };
        group.bench_function("two threads/ask", |b| b.iter(|| Ours::wait(request())));
        group.throughput(Throughput::Elements(MANY));
        group.bench_function("two threads, many/ask", |b| {
            b.iter(|| {
                let answers: Vec<_> = (0..MANY).map(|_| request()).collect();
                answers.into_iter().map(Ours::wait).sum::<u64>()
            });
        });
        group.finish();
        drop(ask);
        service.join().expect("it only answers");
    }
}
