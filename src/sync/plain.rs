//! The standard library's atomics, locks and threads, as the rest of the crate uses them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Waker;
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

pub(crate) use parking_lot::{Mutex, MutexGuard as Guard};
pub(crate) use std::hint::spin_loop as pause;
pub(crate) use std::sync::atomic;
pub(crate) use std::thread::yield_now;
pub(crate) use std::thread::yield_now as give_way;

/// How a wait goes on before it sleeps: 1, 2, … pauses between looks, this many times,
pub(crate) const PAUSES: u32 = 3;
/// then this many looks with a yield between them. More threads than cores make longer spinning a disaster.
pub(crate) const YIELDS: u32 = 8;

/// Whoever closes an engine sleeps so long at most before it looks again.
pub(crate) const GLANCE: Option<Duration> = Some(Duration::from_millis(5));

/// A task asks so often to be polled again before it leaves its waker.
pub(crate) const TASK_YIELDS: u32 = 8;

/// Where messages come in crowds, so many looks with four pauses before each come first.
pub(crate) const GATHER: u32 = 4;

/// A receiver that goes the short way looks this often,
pub(crate) const LOOKS: u32 = 32;
/// the first times without the core.
pub(crate) const PATIENCE: u32 = 4;

/// A caller goes on for others for this many passes; then the baton goes on.
pub(crate) const EXTRA_PASSES: usize = 4;

/// So many cuts of an engine can be held at once.
pub(crate) const PINS_MAX: usize = 64;

/// Bits that are used of each word of the ready set.
pub(crate) const READY_WIDTH: usize = 64;

/// Starts a thread that nobody joins.
pub(crate) fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
    if name.contains('\0') {
        // No system has such names, and the standard library panics.
        return Err(std::io::ErrorKind::InvalidInput.into());
    }
    thread::Builder::new().name(name.to_owned()).spawn(run).map(drop)
}

/// A cell whose contents are reached through closures, so that loom's has the same shape.
#[derive(Debug, Default)]
pub(crate) struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

impl<T> UnsafeCell<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(std::cell::UnsafeCell::new(value))
    }

    #[inline]
    pub(crate) fn with<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
        f(self.0.get())
    }

    #[inline]
    pub(crate) fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
        f(self.0.get())
    }
}

/// What one sleeper waits on, a thread or a task. Which one it is may change between waits.
#[derive(Debug, Default)]
pub(crate) struct Signal {
    sleeper: Mutex<Option<Sleeper>>,
}

#[derive(Debug)]
enum Sleeper {
    Thread(Thread),
    Task(Waker),
}

impl Signal {
    /// The one to wake from now on: a task, or the calling thread. A task's waker that is left over comes back, to
    /// be dropped where no lock is held.
    pub(crate) fn attach(&self, task: Option<Waker>) -> Option<Waker> {
        let mut sleeper = self.sleeper.lock();
        let is_attached = |thread: &Thread| thread.id() == thread::current().id();
        let next = match (task, &*sleeper) {
            (Some(waker), _) => Sleeper::Task(waker),
            (None, Some(Sleeper::Thread(thread))) if is_attached(thread) => return None,
            (None, _) => Sleeper::Thread(thread::current()),
        };
        match sleeper.replace(next) {
            Some(Sleeper::Task(waker)) => Some(waker),
            _ => None,
        }
    }

    /// Nobody is to be woken.
    pub(crate) fn detach(&self) -> Option<Waker> {
        match self.sleeper.lock().take() {
            Some(Sleeper::Task(waker)) => Some(waker),
            _ => None,
        }
    }

    /// Whether it is the task of this waker.
    pub(crate) fn is_for(&self, waker: &Waker) -> bool {
        matches!(&*self.sleeper.lock(), Some(Sleeper::Task(own)) if own.will_wake(waker))
    }

    /// Wakes it; true if it is a thread. A thread stays attached: it may be asleep again for a flag that is taken
    /// later. A task's waker goes: whoever was woken leaves another.
    ///
    /// A waker that panics tells the panic hook, and nobody else: whoever happened to wake it is not to blame, and has
    /// others to wake.
    pub(crate) fn notify(&self) -> bool {
        let mut sleeper = self.sleeper.lock();
        match &*sleeper {
            Some(Sleeper::Thread(thread)) => {
                let thread = thread.clone();
                drop(sleeper);
                thread.unpark();
                true
            }
            Some(Sleeper::Task(_)) => {
                let task = sleeper.take();
                drop(sleeper);
                if let Some(Sleeper::Task(waker)) = task {
                    catch_unwind(AssertUnwindSafe(|| waker.wake())).ok();
                }
                false
            }
            None => false,
        }
    }

    /// Sleeps until notified, until `deadline`, or for no reason at all.
    pub(crate) fn wait(&self, deadline: Option<Instant>, now: impl FnOnce() -> Instant) {
        match deadline {
            None => thread::park(),
            Some(deadline) => thread::park_timeout(deadline.saturating_duration_since(now())),
        }
    }
}
