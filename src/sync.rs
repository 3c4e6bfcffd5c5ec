//! The ground that everything concurrent stands on: the standard library's, or loom's.
//!
//! This is the only file that asks `cfg(loom)`. Under loom every atomic, cell, lock, sleep and fence of the crate
//! is one that the model checker controls; otherwise they are the plain ones and cost nothing more.
//!
//! **Named sites.** Orderings stronger than `Relaxed` are written `ord!("lane.tail.publish", Release)`, fences
//! `fence!("clock.write", Release)`. Normally that is just the ordering. Under loom the site looks itself up, and
//! can be weakened from outside (`MAINSPRING_WEAKEN="lane.tail.publish=Relaxed"`) without a rebuild, so that one
//! command weakens each in turn and demands that a model fails.
//!
//! **The asymmetric barrier.** Going to sleep is Dekker's handshake: each side writes its word, fences, and reads
//! the other's; at least one sees. One side runs once per message (`light!`), the other once
//! per sleep (`heavy!`). On Linux the light side is a compiler fence and the heavy side a
//! `membarrier` system call, which makes every running thread of the process pass a full fence. Elsewhere, where
//! the kernel refuses, and under loom, both are `fence(SeqCst)`. Which of the two it is, is decided once per
//! process; `MAINSPRING_BARRIER=fence` in the environment asks for the second.

pub(crate) use std::sync::Arc;
pub(crate) use std::sync::atomic::Ordering;

#[cfg(loom)]
pub(crate) use imp::Site;
pub(crate) use imp::atomic;
pub(crate) use imp::{EXTRA_PASSES, Mutex, PAUSES, READY_WIDTH, Signal, UnsafeCell, YIELDS};
pub(crate) use imp::{GATHER, LOOKS, PATIENCE};
pub(crate) use imp::{give_way, pause, yield_now};

/// The form of the barrier in use, for reports.
pub fn barrier_form() -> &'static str {
    #[cfg(not(loom))]
    return barrier::form();
    #[cfg(loom)]
    "fence"
}

/// The named sites that this process has reached: name, ordering as written, and whether it is a fence. None but
/// under loom.
pub fn sites() -> Vec<(&'static str, Ordering, bool)> {
    #[cfg(not(loom))]
    return Vec::new();
    #[cfg(loom)]
    imp::sites()
}

/// A number that no other call in this process returns.
pub(crate) fn unique() -> u64 {
    use std::sync::atomic::AtomicU64 as Plain;
    static NEXT: Plain = Plain::new(0);
    // Relaxed: only the uniqueness counts.
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// An ordering with a name. See the module's documentation.
macro_rules! ord {
    ($name:literal, $ordering:ident) => {{
        #[cfg(not(loom))]
        {
            $crate::sync::Ordering::$ordering
        }
        #[cfg(loom)]
        {
            static SITE: $crate::sync::Site =
                $crate::sync::Site::new($name, $crate::sync::Ordering::$ordering, false);
            SITE.ordering()
        }
    }};
}

/// A fence with a name.
macro_rules! fence {
    ($name:literal, $ordering:ident) => {{
        #[cfg(not(loom))]
        {
            $crate::sync::atomic::fence($crate::sync::Ordering::$ordering)
        }
        #[cfg(loom)]
        {
            static SITE: $crate::sync::Site =
                $crate::sync::Site::new($name, $crate::sync::Ordering::$ordering, true);
            SITE.fence()
        }
    }};
}

/// The frequent side of the asymmetric barrier: after a publication, before the look at who sleeps.
macro_rules! light {
    ($name:literal) => {{
        #[cfg(not(loom))]
        {
            $crate::sync::barrier::light()
        }
        #[cfg(loom)]
        {
            fence!($name, SeqCst)
        }
    }};
}

/// The rare side of the asymmetric barrier: after announcing a sleep, before the last look.
macro_rules! heavy {
    ($name:literal) => {{
        #[cfg(not(loom))]
        {
            $crate::sync::barrier::heavy()
        }
        #[cfg(loom)]
        {
            fence!($name, SeqCst)
        }
    }};
}

/// Chooses the form of the asymmetric barrier, if that has not been done.
pub(crate) fn decide_barrier() {
    #[cfg(not(loom))]
    barrier::decide();
}

#[cfg(not(loom))]
pub(crate) mod barrier {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicBool, Ordering, compiler_fence, fence};

    /// True once `membarrier` is known to work. False is always safe for the light side: it then fences itself.
    /// It turns true only in `decide`, which every engine runs before it has any other part.
    static ASYMMETRIC: AtomicBool = AtomicBool::new(false);
    static DECIDED: OnceLock<()> = OnceLock::new();

    /// Chooses the form of the barrier, once per process.
    pub(crate) fn decide() {
        DECIDED.get_or_init(|| {
            let wanted = std::env::var_os("MAINSPRING_BARRIER").is_none_or(|form| form != "fence");
            // Relaxed: whoever reaches an engine's words synchronised with its making, which came after this.
            ASYMMETRIC.store(wanted && register(), Ordering::Relaxed);
        });
    }

    /// The form in use, for reports.
    pub(crate) fn form() -> &'static str {
        // Relaxed: see `decide`.
        if ASYMMETRIC.load(Ordering::Relaxed) { "membarrier" } else { "fence" }
    }

    #[inline]
    pub(crate) fn light() {
        // Relaxed: see `decide`.
        if ASYMMETRIC.load(Ordering::Relaxed) {
            compiler_fence(Ordering::SeqCst);
        } else {
            fence(Ordering::SeqCst);
        }
    }

    #[cold]
    pub(crate) fn heavy() {
        // Relaxed: see `decide`. The fence orders this thread also against itself, should the call do less.
        fence(Ordering::SeqCst);
        if ASYMMETRIC.load(Ordering::Relaxed) {
            issue();
        }
    }

    #[cfg(target_os = "linux")]
    fn register() -> bool {
        use rustix::thread::{MembarrierCommand, membarrier, membarrier_query};
        membarrier_query().contains_command(MembarrierCommand::PrivateExpedited)
            && membarrier(MembarrierCommand::RegisterPrivateExpedited).is_ok()
            && membarrier(MembarrierCommand::PrivateExpedited).is_ok()
    }

    #[cfg(target_os = "linux")]
    fn issue() {
        use rustix::thread::{MembarrierCommand, membarrier};
        membarrier(MembarrierCommand::PrivateExpedited)
            .expect("membarrier worked when the process registered, and cannot be taken back");
    }

    #[cfg(not(target_os = "linux"))]
    fn register() -> bool {
        false
    }

    #[cfg(not(target_os = "linux"))]
    fn issue() {}
}

#[cfg(not(loom))]
mod imp {
    use std::thread::{self, Thread};
    use std::time::Instant;

    pub(crate) use parking_lot::Mutex;
    pub(crate) use std::hint::spin_loop as pause;
    pub(crate) use std::sync::atomic;
    pub(crate) use std::thread::yield_now;
    pub(crate) use std::thread::yield_now as give_way;

    /// How a wait goes on before it sleeps: 1, 2, … pauses between looks, this many times,
    pub(crate) const PAUSES: u32 = 3;
    /// then this many looks with a yield between them. More threads than cores make longer spinning a disaster.
    pub(crate) const YIELDS: u32 = 8;

    /// Where messages come in crowds, so many looks with four pauses before each come first.
    pub(crate) const GATHER: u32 = 4;

    /// A receiver that goes the short way looks this often,
    pub(crate) const LOOKS: u32 = 32;
    /// the first times without the core.
    pub(crate) const PATIENCE: u32 = 4;

    /// A caller goes on for others for this many passes; then the baton goes on.
    pub(crate) const EXTRA_PASSES: usize = 4;

    /// Bits that are used of each word of the ready set.
    pub(crate) const READY_WIDTH: usize = 64;

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

    /// What a sleeping thread waits on. At most one thread waits at a time; which one may change between waits.
    #[derive(Debug, Default)]
    pub(crate) struct Signal {
        thread: Mutex<Option<Thread>>,
    }

    impl Signal {
        /// The calling thread is the one to wake from now on.
        pub(crate) fn attach(&self) {
            let mut thread = self.thread.lock();
            let current = thread::current();
            if thread.as_ref().is_none_or(|attached| attached.id() != current.id()) {
                *thread = Some(current);
            }
        }

        pub(crate) fn notify(&self) {
            let thread = self.thread.lock().clone();
            if let Some(thread) = thread {
                thread.unpark();
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
}

#[cfg(loom)]
mod imp {
    use std::sync::Mutex as Plain;
    use std::sync::atomic::{AtomicU8, Ordering};
    use std::time::Instant;

    pub(crate) use loom::sync::atomic;
    pub(crate) use loom::thread::yield_now;

    /// A model would only repeat itself: it sleeps at once.
    pub(crate) const PAUSES: u32 = 0;
    pub(crate) const YIELDS: u32 = 0;
    pub(crate) const GATHER: u32 = 0;
    /// The short way is short.
    pub(crate) const LOOKS: u32 = 1;
    pub(crate) const PATIENCE: u32 = 0;
    /// And the baton goes on at once, or no model would come that far.
    pub(crate) const EXTRA_PASSES: usize = 0;
    /// Each word that a model has makes it slower.
    pub(crate) const READY_WIDTH: usize = 2;

    pub(crate) fn pause() {
        yield_now();
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
    }

    impl Signal {
        pub(crate) fn attach(&self) {}

        pub(crate) fn notify(&self) {
            self.notify.notify();
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
            match asked.split_once('=') {
                Some((name, form)) if name == self.name => match form {
                    "none" => NO_FENCE,
                    "Relaxed" => RELAXED,
                    "Acquire" => ACQUIRE,
                    "Release" => RELEASE,
                    "AcqRel" => ACQREL,
                    _ => panic!("MAINSPRING_WEAKEN: no form {form:?}"),
                },
                _ => AS_WRITTEN,
            }
        }
    }

    /// The sites reached so far: name, ordering as written, and whether it is a fence.
    pub(crate) fn sites() -> Vec<(&'static str, Ordering, bool)> {
        REACHED.lock().unwrap().clone()
    }
}
