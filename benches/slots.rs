//! What a slot costs, beside what people would use instead. On one thread:
//!
//! - *publish*: a state of 100 bytes, nobody reading: into a slot, which gives it a number; a bare swap under
//!   crossbeam-epoch with its allocation; `ArcSwap::store` with its; tokio's watch. Two of them with one number.
//! - *read*: the newest of them, which has not changed: by a handle of one's own, by a shared one, and by the others.
//! - *read after each*: a state is published, and read.
//!
//! On several: publishing with others who publish or wait (`slots/crowd.rs`), and cuts (`slots/cuts.rs`).

#[cfg(loom)]
fn main() {}

#[cfg(not(loom))]
criterion::criterion_main!(slots::benches);

#[cfg(not(loom))]
mod slots {
    use std::hint::black_box;
    use std::sync::Arc;
    use std::sync::atomic::Ordering::AcqRel;

    use arc_swap::{ArcSwap, Cache};
    use criterion::{Criterion, criterion_group};
    use crossbeam_epoch::{Atomic, Owned, Shared, pin};
    use mainspring::{Engine, Latest, Publisher, publish_all};
    use tokio::sync::watch;

    mod crowd;
    mod cuts;

    criterion_group!(benches, publish, read, read_after_each, crowd::publish, cuts::cut);

    type State = [u8; 100];

    fn state() -> State {
        black_box([7; 100])
    }

    fn slot() -> (Publisher<State>, Latest<State>) {
        let slot = Engine::new().slot();
        let mut publisher = slot.publisher();
        drop(publisher.publish([0; 100]).expect("the engine is open"));
        (publisher, slot.latest())
    }

    fn publish(c: &mut Criterion) {
        let mut group = c.benchmark_group("publish");
        group.bench_function("slot", |b| {
            let (mut publisher, _latest) = slot();
            b.iter(|| publisher.publish(state()).expect("the engine is open"));
        });
        group.bench_function("two slots together", |b| {
            let engine = Engine::new();
            let (mut one, mut two) = (engine.slot().publisher(), engine.slot().publisher());
            b.iter(|| {
                publish_all(&mut [one.stage(state()), two.stage(state())]).expect("not fenced")
            });
        });
        group.bench_function("epoch swap", |b| {
            let place = Atomic::new([0; 100]);
            b.iter(|| {
                let guard = pin();
                let old = place.swap(Owned::new(state()), AcqRel, &guard);
                drop_later(old, &guard);
            });
        });
        group.bench_function("arc-swap", |b| {
            let place = ArcSwap::from_pointee([0; 100]);
            b.iter(|| place.store(Arc::new(state())));
        });
        group.bench_function("watch", |b| {
            let (tx, _rx) = watch::channel([0; 100]);
            b.iter(|| tx.send_replace(state()));
        });
        group.finish();
    }

    #[expect(unsafe_code, reason = "what is beside us is")]
    fn drop_later(old: Shared<'_, State>, guard: &crossbeam_epoch::Guard) {
        // SAFETY: it was swapped out, so nobody finds it any more.
        unsafe { guard.defer_destroy(old) }
    }

    fn read(c: &mut Criterion) {
        let mut group = c.benchmark_group("read");
        group.bench_function("slot, own handle", |b| {
            let (_publisher, mut latest) = slot();
            b.iter(|| latest.read().map(|state| state[9]));
        });
        group.bench_function("slot, shared handle", |b| {
            let (_publisher, latest) = slot();
            b.iter(|| latest.get().map(|state| state[9]));
        });
        group.bench_function("arc-swap, load", |b| {
            let place = ArcSwap::from_pointee([0_u8; 100]);
            b.iter(|| place.load()[9]);
        });
        group.bench_function("arc-swap, load_full", |b| {
            let place = ArcSwap::from_pointee([0_u8; 100]);
            b.iter(|| place.load_full()[9]);
        });
        group.bench_function("arc-swap, cache", |b| {
            let place = ArcSwap::from_pointee([0_u8; 100]);
            let mut cache = Cache::new(&place);
            b.iter(|| cache.load()[9]);
        });
        group.bench_function("watch", |b| {
            let (_tx, rx) = watch::channel([0_u8; 100]);
            b.iter(|| rx.borrow()[9]);
        });
        group.finish();
    }

    fn read_after_each(c: &mut Criterion) {
        let mut group = c.benchmark_group("read after each");
        group.bench_function("slot", |b| {
            let (mut publisher, mut latest) = slot();
            b.iter(|| {
                drop(publisher.publish(state()).expect("the engine is open"));
                latest.read().map(|state| state[9])
            });
        });
        group.bench_function("arc-swap", |b| {
            let place = ArcSwap::from_pointee([0; 100]);
            b.iter(|| {
                place.store(Arc::new(state()));
                place.load()[9]
            });
        });
        group.bench_function("watch", |b| {
            let (tx, mut rx) = watch::channel([0; 100]);
            b.iter(|| {
                tx.send_replace(state());
                rx.borrow_and_update()[9]
            });
        });
        group.finish();
    }
}
