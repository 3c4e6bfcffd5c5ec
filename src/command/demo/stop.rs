//! How the demo's threads hear that the time is over, and how the one that shows them hears of signals.
//!
//! Every thread that makes traffic has a pace; its pauses end at once when the time does. A thread that panics ends the
//! time for all, so that the panic can be told.

use std::io;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::{flag, low_level};

/// Whether the time is over.
#[derive(Debug, Default)]
pub(super) struct Stop {
    over: AtomicBool,
    lock: Mutex<()>,
    bell: Condvar,
}

/// Ends the time for all if its thread panics.
#[derive(Debug)]
pub(super) struct Alarm<'a>(pub(super) &'a Stop);

/// A socket that becomes readable when the user, or the system, asks for the end.
#[derive(Debug)]
pub(super) struct Signals(UnixStream);

impl Stop {
    pub(super) fn set(&self) {
        // Under the lock, so that it does not come between a look and a sleep.
        let _lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        // Relaxed, here and below: it carries nothing, and the lock orders it for those who sleep.
        self.over.store(true, Ordering::Relaxed);
        self.bell.notify_all();
    }

    pub(super) fn is_set(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// Rests so long, or until the time is over. True if it is not.
    pub(super) fn pause(&self, time: Duration) -> bool {
        if !time.is_zero() && !self.is_set() {
            let lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
            let rest = self.bell.wait_timeout_while(lock, time, |()| !self.is_set());
            drop(rest.unwrap_or_else(PoisonError::into_inner));
        }
        !self.is_set()
    }
}

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.set();
        }
    }
}

impl Signals {
    /// From here on the first signal does not end the process by itself; the second one does.
    pub(super) fn catch() -> io::Result<Self> {
        let (ours, handlers) = UnixStream::pair()?;
        let seen = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            // Handlers run in this order: the first signal finds the flag down and raises it.
            flag::register_conditional_default(signal, Arc::clone(&seen))?;
            flag::register(signal, Arc::clone(&seen))?;
            low_level::pipe::register(signal, handlers.try_clone()?)?;
        }
        Ok(Self(ours))
    }

    /// Waits until then for one. True if there was one.
    pub(super) fn wait(&self, until: Instant) -> io::Result<bool> {
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let (tv_sec, tv_nsec) = (left.as_secs() as i64, i64::from(left.subsec_nanos()));
            let mut fds = [PollFd::new(&self.0, PollFlags::IN)];
            match poll(&mut fds, Some(&Timespec { tv_sec, tv_nsec })) {
                // A signal has made the socket readable: look again.
                Err(rustix::io::Errno::INTR) => {}
                ready => return Ok(ready? > 0),
            }
        }
    }
}
