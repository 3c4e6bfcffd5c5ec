//! What an embedder chooses: who runs the dispatcher.

use std::fmt;
use std::sync::Arc;

/// Who runs the dispatcher.
#[derive(Clone, Default)]
#[non_exhaustive]
pub enum Drive {
    /// Whoever needs progress: senders that wait, receivers that find nothing, those who wait for a number. The
    /// default. While nobody needs it nothing is numbered, and the clock stands.
    #[default]
    Callers,
    /// A thread of its own. Made by [`Drive::thread`] and [`Drive::named_thread`].
    ///
    /// What is sent then has its number without anyone who waits: the clock goes on while every receiver is busy. And
    /// sending, joining and leaving never run a pass, but at most wake the thread. Waiting receivers leave the passes
    /// to it, too; who waits for a number (`send_stamped`, `wait_for`, `catch_up`, …) runs them beside it.
    ///
    /// The thread ends when the last [`Engine`](crate::Engine) handle goes, or when the engine is closed. The ends that
    /// are left work on, as with [`Callers`](Self::Callers): so an embedder who wants the thread keeps the handle.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use mainspring::{Drive, Engine, Idle};
    /// let engine = Engine::builder().drive(Drive::thread(Idle::Park)).build()?;
    /// let (mut tx, rx) = engine.channel();
    /// tx.send("nobody waits for it")?;
    /// # let clock = engine.clock();
    /// while engine.clock().now().get() < 1 {
    ///     std::thread::yield_now(); // the thread gives it its number
    /// }
    /// # drop(rx);
    /// # Ok(()) }
    /// ```
    Thread(Driver),
    /// Only [`Engine::pass`](crate::Engine::pass) and [`Engine::run_until_idle`](crate::Engine::run_until_idle).
    /// Whatever else would run a pass calls the hook: "a pass is due". For tests, simulation and embedders with a
    /// loop of their own. Made by [`Drive::manual`].
    ///
    /// Calls that wait (`recv`, a full `send`, `send_stamped`, `wait_for`) sleep until somebody passes: a program
    /// of one thread uses the `try_` forms. Whoever passes keeps the engine: without a handle nobody can. A pass
    /// numbers each lane's messages together; in which order the lanes come is not promised, so a script that needs
    /// an order over several targets uses an [`Outbox`](crate::Outbox).
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use mainspring::{Drive, Engine, TryRecvError};
    /// let engine = Engine::builder().drive(Drive::manual(|| {})).build()?;
    /// let (mut tx, mut rx) = engine.channel();
    /// tx.send("later")?;
    /// assert_eq!(rx.try_recv(), Err(TryRecvError::Empty)); // nobody has passed
    /// engine.run_until_idle();
    /// assert_eq!(rx.try_recv(), Ok((1.into(), "later")));
    /// # Ok(()) }
    /// ```
    Manual(Hook),
}

/// What is called when a pass is due.
#[derive(Clone)]
pub struct Hook(pub(super) Arc<dyn Fn() + Send + Sync>);

/// A thread that runs the dispatcher: its name, and what it does when there is nothing to do.
#[derive(Clone, Debug)]
pub struct Driver {
    pub(super) name: Box<str>,
    pub(super) idle: Idle,
}

/// What a dispatcher thread does when it finds nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Idle {
    /// It looks again, after a pause of the processor. For a core that it has for itself; on any other it takes the
    /// time from those who have something to say.
    Spin,
    /// It looks again when others have had their turn.
    Yield,
    /// It yields a few times, then sleeps until somebody has something for it. The default.
    #[default]
    Park,
}

impl Drive {
    /// Passes by hand; `hook` is called when one may be due: from any thread, and often (by joins, ends, looks that
    /// find nothing, sends that somebody waits for). It may tell another thread, or run passes itself. It must not
    /// panic: that goes on in whoever called, and may leave a join or a leave half done. One that keeps the engine
    /// keeps it for ever: the engine keeps the hook.
    pub fn manual(hook: impl Fn() + Send + Sync + 'static) -> Self {
        Self::Manual(Hook(Arc::new(hook)))
    }

    /// A thread named `mainspring`.
    pub fn thread(idle: Idle) -> Self {
        Self::named_thread("mainspring", idle)
    }

    /// A thread of this name. (On Linux the first 15 bytes of it show in tools.)
    pub fn named_thread(name: impl Into<String>, idle: Idle) -> Self {
        Self::Thread(Driver { name: name.into().into_boxed_str(), idle })
    }
}

impl fmt::Debug for Drive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Callers => f.write_str("Callers"),
            Self::Thread(driver) => f.debug_tuple("Thread").field(driver).finish(),
            Self::Manual(_) => f.write_str("Manual"),
        }
    }
}

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hook")
    }
}
