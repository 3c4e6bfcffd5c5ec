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
pub(crate) use imp::{
    EXTRA_PASSES, Guard, Mutex, PAUSES, PINS_MAX, READY_WIDTH, Signal, UnsafeCell, YIELDS,
};
pub(crate) use imp::{GATHER, GLANCE, LOOKS, PATIENCE};
pub(crate) use imp::{TASK_YIELDS, give_way, pause, spawn, yield_now};

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

#[cfg(loom)]
#[path = "sync/model.rs"]
mod imp;
#[cfg(not(loom))]
#[path = "sync/plain.rs"]
mod imp;
