//! loom's atomics, locks and threads in their place, and the sites that can be weakened.

use std::sync::Mutex as Plain;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::Waker;
use std::time::{Duration, Instant};

pub(crate) use loom::sync::MutexGuard as Guard;
pub(crate) use loom::sync::atomic;
pub(crate) use loom::thread::yield_now;

/// A model would only repeat itself: it sleeps at once.
pub(crate) const PAUSES: u32 = 0;
pub(crate) const YIELDS: u32 = 0;
pub(crate) const TASK_YIELDS: u32 = 0;
/// Models have no time.
pub(crate) const GLANCE: Option<Duration> = None;
pub(crate) const GATHER: u32 = 0;
/// The short way is short.
pub(crate) const LOOKS: u32 = 1;
pub(crate) const PATIENCE: u32 = 0;
/// And the baton goes on at once, or no model would come that far.
pub(crate) const EXTRA_PASSES: usize = 0;
/// Each word that a model has makes it slower.
pub(crate) const READY_WIDTH: usize = 2;
pub(crate) const PINS_MAX: usize = 2;

pub(crate) fn pause() {
    yield_now();
}

pub(crate) fn spawn(_name: &str, run: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
    loom::thread::spawn(run);
    Ok(())
}

/// Every thread of a model can run at any time, without being asked.
pub(crate) fn give_way() {}

#[derive(Debug)]
pub(crate) struct UnsafeCell<T>(loom::cell::UnsafeCell<T>);

impl<T> UnsafeCell<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(loom::cell::UnsafeCell::new(value))
    }

    #[track_caller]
    pub(crate) fn with<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
        self.0.with(f)
    }

    #[track_caller]
    pub(crate) fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
        self.0.with_mut(f)
    }
}

/// loom's lock, with parking_lot's manners. parking_lot itself would block the model's only real thread.
#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(loom::sync::Mutex<T>);

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(loom::sync::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> loom::sync::MutexGuard<'_, T> {
        self.0.lock().expect("loom ends a model at its first panic")
    }
}

/// loom's `park` loses a token that comes while the thread yields or joins; its `Notify` does not.
#[derive(Debug, Default)]
pub(crate) struct Signal {
    notify: loom::sync::Notify,
    task: Mutex<Option<Waker>>,
}

impl Signal {
    pub(crate) fn attach(&self, task: Option<Waker>) -> Option<Waker> {
        std::mem::replace(&mut *self.task.lock(), task)
    }

    pub(crate) fn detach(&self) -> Option<Waker> {
        self.task.lock().take()
    }

    pub(crate) fn is_for(&self, waker: &Waker) -> bool {
        self.task.lock().as_ref().is_some_and(|own| own.will_wake(waker))
    }

    pub(crate) fn notify(&self) -> bool {
        let task = self.task.lock().take();
        match task {
            Some(waker) => {
                waker.wake();
                false
            }
            None => {
                self.notify.notify();
                true
            }
        }
    }

    /// Models have no time.
    pub(crate) fn wait(&self, _deadline: Option<Instant>, _now: impl FnOnce() -> Instant) {
        self.notify.wait();
    }
}

const NEW: u8 = 0;
const AS_WRITTEN: u8 = 1;
const NO_FENCE: u8 = 2;
const RELAXED: u8 = 3;
const ACQUIRE: u8 = 4;
const RELEASE: u8 = 5;
const ACQREL: u8 = 6;

/// All sites that this process has reached.
static REACHED: Plain<Vec<(&'static str, Ordering, bool)>> = Plain::new(Vec::new());

/// One place in the source that names an ordering.
#[derive(Debug)]
pub(crate) struct Site {
    name: &'static str,
    ordering: Ordering,
    fence: bool,
    form: AtomicU8,
}

impl Site {
    /// A site as it stands in the source.
    pub(crate) const fn new(name: &'static str, ordering: Ordering, fence: bool) -> Self {
        Self { name, ordering, fence, form: AtomicU8::new(NEW) }
    }

    /// The ordering to use at this place.
    pub(crate) fn ordering(&self) -> Ordering {
        match self.form() {
            RELAXED => Ordering::Relaxed,
            ACQUIRE => Ordering::Acquire,
            RELEASE => Ordering::Release,
            _ => self.ordering,
        }
    }

    /// Issues the fence of this place.
    pub(crate) fn fence(&self) {
        match self.form() {
            NO_FENCE => {}
            ACQREL => atomic::fence(Ordering::AcqRel),
            _ => atomic::fence(self.ordering),
        }
    }

    fn form(&self) -> u8 {
        let known = self.form.load(Ordering::Relaxed);
        if known != NEW {
            return known;
        }
        let form = self.asked_for();
        REACHED.lock().unwrap().push((self.name, self.ordering, self.fence));
        self.form.store(form, Ordering::Relaxed);
        form
    }

    fn asked_for(&self) -> u8 {
        let asked = std::env::var("MAINSPRING_WEAKEN").unwrap_or_default();
        let asked = asked.split(',').filter_map(|site| site.split_once('='));
        match asked.filter(|(name, _)| *name == self.name).map(|(_, form)| form).next() {
            Some("none") => NO_FENCE,
            Some("Relaxed") => RELAXED,
            Some("Acquire") => ACQUIRE,
            Some("Release") => RELEASE,
            Some("AcqRel") => ACQREL,
            Some(form) => panic!("MAINSPRING_WEAKEN: no form {form:?}"),
            None => AS_WRITTEN,
        }
    }
}

/// The sites reached so far: name, ordering as written, and whether it is a fence.
pub(crate) fn sites() -> Vec<(&'static str, Ordering, bool)> {
    REACHED.lock().unwrap().clone()
}
