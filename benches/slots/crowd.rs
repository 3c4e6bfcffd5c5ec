//! What publishing costs beside others: one or four who publish, each into a slot of its own, and nobody, one or four
//! threads that wait for changes; whoever waits does nothing else, so most of it is the system's waking.
//!
//! Each row is the time for one publication by each publisher; the rate is that of all of them. The table beside it
//! (standard error; Linux only) has the publishers' own CPU time for each publication, and how many of them each reader
//! has seen.

use std::marker::PhantomData;
use std::sync::{Arc, Barrier};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use criterion::{BenchmarkId, Criterion, Throughput};
use mainspring::{Engine, Latest, Publisher};
use tokio::sync::watch;

use super::{State, state};

/// Somebody's place for a latest value.
trait Place: 'static {
    type Publisher: Send;
    type Reader: Send + 'static;
    const NAME: &'static str;
    fn new(engine: &Engine) -> Self::Publisher;
    fn reader(publisher: &Self::Publisher) -> Self::Reader;
    fn publish(publisher: &mut Self::Publisher, state: State);
    /// False when the publisher has gone.
    fn wait(reader: &mut Self::Reader) -> bool;
}

struct Ours;
struct Tokio;
struct Swap;

impl Place for Ours {
    /// With a reader of its own, from which others are cloned: a slot's handle would keep it open.
    type Publisher = (Publisher<State>, Latest<State>);
    type Reader = Latest<State>;
    const NAME: &'static str = "slot";
    fn new(engine: &Engine) -> Self::Publisher {
        let slot = engine.slot();
        (slot.publisher(), slot.latest())
    }
    fn reader((_, latest): &Self::Publisher) -> Self::Reader {
        latest.clone()
    }
    fn publish((publisher, _): &mut Self::Publisher, state: State) {
        drop(publisher.publish(state).expect("the engine is open"));
    }
    fn wait(reader: &mut Self::Reader) -> bool {
        reader.wait_changed().is_ok()
    }
}

impl Place for Tokio {
    type Publisher = watch::Sender<State>;
    type Reader = watch::Receiver<State>;
    const NAME: &'static str = "watch";
    fn new(_engine: &Engine) -> Self::Publisher {
        watch::Sender::new([0; 100])
    }
    fn reader(publisher: &Self::Publisher) -> Self::Reader {
        publisher.subscribe()
    }
    fn publish(publisher: &mut Self::Publisher, state: State) {
        publisher.send_replace(state);
    }
    fn wait(reader: &mut Self::Reader) -> bool {
        smol::block_on(reader.changed()).is_ok()
    }
}

/// Has nothing to wait for.
impl Place for Swap {
    type Publisher = ArcSwap<State>;
    type Reader = ();
    const NAME: &'static str = "arc-swap";
    fn new(_engine: &Engine) -> Self::Publisher {
        ArcSwap::from_pointee([0; 100])
    }
    fn reader(_publisher: &Self::Publisher) -> Self::Reader {}
    fn publish(publisher: &mut Self::Publisher, state: State) {
        publisher.store(Arc::new(state));
    }
    fn wait((): &mut Self::Reader) -> bool {
        false
    }
}

pub(super) fn publish(c: &mut Criterion) {
    let mut group = c.benchmark_group("publish beside others");
    group.sample_size(10).warm_up_time(Duration::from_millis(300));
    group.measurement_time(Duration::from_secs(2));
    for publishers in [1, 4] {
        group.throughput(Throughput::Elements(publishers));
        for readers in [0, 1, 4] {
            let mut of = |name, mut run: Box<dyn FnMut(u64) -> Duration>| {
                let crowd = format!("{publishers} publishing, {readers} waiting");
                group.bench_function(BenchmarkId::new(crowd, name), |b| b.iter_custom(&mut run));
            };
            of(Ours::NAME, Crowd::<Ours>::measured(publishers, readers));
            of(Tokio::NAME, Crowd::<Tokio>::measured(publishers, readers));
            if readers == 0 {
                of(Swap::NAME, Crowd::<Swap>::measured(publishers, readers));
            }
        }
    }
    group.finish();
}

/// A number of publishers and readers, and what they have used up.
struct Crowd<P: Place> {
    publishers: u64,
    readers: u64,
    published: u64,
    seen: u64,
    cpu: Option<Duration>,
    of: PhantomData<P>,
}

impl<P: Place> Crowd<P> {
    fn measured(publishers: u64, readers: u64) -> Box<dyn FnMut(u64) -> Duration> {
        let (cpu, of) = (Some(Duration::ZERO), PhantomData);
        let mut crowd = Self { publishers, readers, published: 0, seen: 0, cpu, of };
        Box::new(move |times| crowd.run(times))
    }

    /// Each publishes so many times. How long it takes until all have.
    fn run(&mut self, times: u64) -> Duration {
        let engine = Engine::new();
        let mut publishers: Vec<_> = (0..self.publishers).map(|_| P::new(&engine)).collect();
        let readers: Vec<_> = (0..self.readers)
            .map(|nth| reader::<P>(&publishers[nth as usize % publishers.len()]))
            .collect();
        let start = Barrier::new(publishers.len());
        let took = thread::scope(|scope| {
            let run = |publisher| scope.spawn(|| publish_often::<P>(publisher, times, &start));
            let running: Vec<_> = publishers.drain(..).map(run).collect();
            running
                .into_iter()
                .map(|one| one.join().expect("it only publishes"))
                .collect::<Vec<_>>()
        });
        self.published += times * self.publishers;
        for (_, cpu) in &took {
            self.cpu = self.cpu.zip(*cpu).map(|(all, one)| all + one);
        }
        self.seen += readers.into_iter().map(|one| one.join().expect("it only reads")).sum::<u64>();
        took.into_iter().map(|(took, _)| took).max().unwrap_or_default()
    }
}

impl<P: Place> Drop for Crowd<P> {
    fn drop(&mut self) {
        let Self { publishers, readers, published, seen, cpu, .. } = *self;
        if let Some(cpu) = cpu.filter(|_| published > 1000) {
            let each = cpu.as_nanos() as f64 / published as f64;
            let share = 100.0 * seen as f64 / (published / publishers * readers.max(1)) as f64;
            eprintln!(
                "{publishers} publishing, {readers} waiting, {:9} {each:8.1} ns of CPU for each, {share:5.1} % seen",
                P::NAME
            );
        }
    }
}

/// A thread that waits for all that is published. How often it was something new.
fn reader<P: Place>(publisher: &P::Publisher) -> JoinHandle<u64> {
    let mut reader = P::reader(publisher);
    thread::spawn(move || {
        std::iter::repeat_with(|| P::wait(&mut reader)).take_while(|new| *new).count() as u64
    })
}

/// How long it takes, and the thread's CPU time.
fn publish_often<P: Place>(
    mut publisher: P::Publisher,
    times: u64,
    start: &Barrier,
) -> (Duration, Option<Duration>) {
    start.wait();
    let (began, used) = (Instant::now(), cpu());
    (0..times).for_each(|_| P::publish(&mut publisher, state()));
    (began.elapsed(), cpu().zip(used).map(|(after, before)| after - before))
}

/// What the calling thread has used up.
#[cfg(target_os = "linux")]
fn cpu() -> Option<Duration> {
    use rustix::time::{ClockId, clock_gettime};
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Some(Duration::new(time.tv_sec.try_into().ok()?, time.tv_nsec.try_into().ok()?))
}

#[cfg(not(target_os = "linux"))]
fn cpu() -> Option<Duration> {
    None
}
