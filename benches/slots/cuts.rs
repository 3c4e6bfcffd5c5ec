//! Cuts: many slots, read at one number, when all is quiet and while two publish into all of them as fast as they can.
//! Beside it as many loads of `arc-swap`, which are of no one moment.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use arc_swap::ArcSwap;
use criterion::{BenchmarkId, Criterion};
use mainspring::{Engine, Latest, Publisher};

pub(super) fn cut(c: &mut Criterion) {
    let mut group = c.benchmark_group("cut");
    group.sample_size(20).warm_up_time(Duration::from_millis(500));
    group.measurement_time(Duration::from_secs(3));
    for count in [10, 1000] {
        let engine = Engine::new();
        let slots: Vec<_> = (0..count).map(|_| engine.slot()).collect();
        let mut publishers: Vec<_> = slots.iter().map(|slot| slot.publisher()).collect();
        publishers.iter_mut().for_each(|publisher| publish(publisher, 1));
        let readers: Vec<_> = slots.iter().map(|slot| slot.latest()).collect();
        group.bench_function(BenchmarkId::new("quiet", count), |b| {
            b.iter(|| sum(&engine, &readers));
        });
        let busy = Busy::new(publishers, publish);
        group.bench_function(BenchmarkId::new("while two publish", count), |b| {
            b.iter(|| sum(&engine, &readers));
        });
        busy.end();

        let places: Arc<[ArcSwap<u64>]> = (0..count).map(|_| ArcSwap::from_pointee(1)).collect();
        let all = || places.iter().map(|place| **place.load()).sum::<u64>();
        group.bench_function(BenchmarkId::new("quiet, arc-swap", count), |b| b.iter(all));
        let own = (0..count).map(|nth| (nth, places.clone())).collect();
        let busy = Busy::new(own, |(nth, places), value| places[*nth].store(Arc::new(value)));
        group.bench_function(BenchmarkId::new("while two publish, arc-swap", count), |b| {
            b.iter(all);
        });
        busy.end();
    }
    group.finish();
}

fn publish(publisher: &mut Publisher<u64>, value: u64) {
    drop(publisher.publish(value).expect("the engine is open"));
}

fn sum(engine: &Engine, readers: &[Latest<u64>]) -> u64 {
    let cut = engine.cut().expect("it is the only one");
    let value = |slot| cut.read(slot).expect("of this engine").map_or(0, |state| *state);
    readers.iter().map(value).sum()
}

/// Two threads that publish into half of all places each, one after the other, as fast as they can.
struct Busy {
    over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Busy {
    fn new<P: Send + 'static>(mut places: Vec<P>, publish: fn(&mut P, u64)) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let half = places.split_off(places.len() / 2);
        let run = |mut places: Vec<P>| {
            let over = over.clone();
            thread::spawn(move || {
                for value in 1.. {
                    // Relaxed: nothing but this word.
                    if over.load(Relaxed) {
                        return;
                    }
                    places.iter_mut().for_each(|place| publish(place, black_box(value)));
                }
            })
        };
        let threads = [places, half].map(run).into();
        Self { over, threads }
    }

    fn end(self) {
        // Relaxed: as above.
        self.over.store(true, Relaxed);
        for thread in self.threads {
            thread.join().expect("it only publishes");
        }
    }
}
