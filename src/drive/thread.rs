//! The dispatcher thread: passes as long as it finds something, then idles as it was told.
//!
//! It sleeps as one who waits for the clock to move (`wait.rs`): so the pass that finds it armed, and nothing to stamp,
//! asks every lane to speak up, and whoever kicks wakes it. A kick need not write the lock word: a thread that is awake
//! makes another full pass before it sleeps.
//!
//! ```text
//!   thread                                  who kicks
//!     armed = true                            publish (a tail, a change, a head that was waited for)
//!     heavy barrier                           light barrier
//!     a full pass; nothing → sleep            armed? wake it
//! ```
//!
//! *When it ends* whoever kicks passes instead, as without a thread. The same handshake, with another word: the thread
//! sets `gone`, passes a heavy barrier, and makes a last pass; who kicks publishes, passes a light barrier, and reads
//! `gone`. It ends the same way if it panics: the others go on.

use super::{Driver, Idle, Shared};
use crate::park::Parker;
use crate::sync::atomic::AtomicBool;
use crate::sync::{self, Arc, Ordering::Relaxed, PAUSES, YIELDS};

/// What the others know of the dispatcher thread.
#[derive(Default)]
pub(super) struct Staff {
    parker: Arc<Parker>,
    /// It is to end.
    stop: AtomicBool,
    /// It makes no pass any more.
    gone: AtomicBool,
}

impl Staff {
    /// Whether passes are not the thread's (any more). Meaningful after a light barrier.
    pub(super) fn has_gone(&self) -> bool {
        // Relaxed: the barrier orders it.
        self.gone.load(Relaxed)
    }

    /// A full pass is due: wakes the thread if it sleeps.
    pub(super) fn rouse(&self) {
        if self.parker.is_armed() {
            self.parker.wake();
        }
    }

    fn is_stopped(&self) -> bool {
        // Relaxed: nothing is told by it; the barrier before the sleep orders it.
        self.stop.load(Relaxed)
    }
}

/// Ends the dispatcher thread when the last handle of its engine goes.
pub(crate) struct Handle(Arc<Shared>);

impl Handle {
    /// Starts the dispatcher thread of an engine.
    pub(crate) fn start(shared: &Arc<Shared>, driver: &Driver) -> std::io::Result<Self> {
        let (of_thread, idle) = (shared.clone(), driver.idle);
        sync::spawn(&driver.name, move || serve(&of_thread, idle))?;
        Ok(Self(shared.clone()))
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.dismiss();
    }
}

impl Shared {
    /// Tells the dispatcher thread to end, if there is one.
    pub(crate) fn dismiss(&self) {
        // Relaxed: the barrier orders it.
        self.staff.stop.store(true, Relaxed);
        // Pairs with the heavy barrier of the thread that goes to sleep: it sees the flag, or we see it armed.
        light!("drive.stop.light");
        self.staff.rouse();
    }
}

fn serve(shared: &Arc<Shared>, idle: Idle) {
    let _retiring = Retiring(shared);
    let staff = &shared.staff;
    let mut idles = 0;
    while !staff.is_stopped() && !shared.is_poisoned() {
        if shared.pass_once() {
            idles = 0;
            continue;
        }
        match idle {
            Idle::Spin => sync::pause(),
            _ if idles < PAUSES => (0..1 << idles).for_each(|_| sync::pause()),
            Idle::Park if idles >= PAUSES + YIELDS => {
                sleep(shared);
                idles = 0;
            }
            Idle::Yield | Idle::Park => sync::yield_now(),
        }
        idles = idles.saturating_add(1);
    }
}

/// Sleeps, unless a full pass that begins after this moment does something.
fn sleep(shared: &Shared) {
    let Staff { parker, .. } = &shared.staff;
    parker.arm();
    let ticket = shared.board.waiters.add(parker, 0);
    // Pairs with the light barriers of whoever kicks, and of whoever stops the thread.
    heavy!("drive.thread.heavy");
    if shared.pass_by_hand() || shared.staff.is_stopped() || shared.is_poisoned() {
        parker.disarm();
    } else {
        parker.sleep(None);
    }
    shared.board.waiters.remove(ticket);
}

/// However the thread ends, passes are made.
struct Retiring<'a>(&'a Shared);

impl Drop for Retiring<'_> {
    fn drop(&mut self) {
        // Relaxed: the barrier orders it.
        self.0.staff.gone.store(true, Relaxed);
        // Pairs with the light barrier of whoever kicks: it sees the flag, or the pass sees what it has published.
        heavy!("drive.gone.heavy");
        self.0.pass_by_hand();
    }
}
