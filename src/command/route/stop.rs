//! How a run is asked to end before its time, and how the sender waits for what may never come.
//!
//! ```text
//!  Ctrl-C   ──▶ socket ─┐
//!  SIGTERM  ──▶ socket ─┼─ poll ──▶ the sender: the one place where a run stops
//!  a receiver's failure ┤
//!  pipes that are read ─┘
//! ```
//!
//! A signal handler may do next to nothing, and a thread in `read` hears nothing. So each reason to
//! stop is a socket that becomes readable, and the sender polls them together with those inputs
//! that may keep it waiting, before it reads any. Who else waits is freed by the sender's stopping:
//! receivers by its outboxes' end.
//!
//! The second signal of a kind does what it does by default, at once: for the user whose output is
//! a pipe that nobody reads, where no polite end would come.

use std::fmt;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::{flag, low_level};

/// A signal that ends a run in order.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Signal {
    Interrupt,
    Terminate,
}

/// Why the sender has to stop.
#[derive(Clone, Copy, Debug)]
pub(super) enum Reason {
    Signal(Signal),
    /// A receiver's output failed; the receiver itself tells how.
    Receiver,
}

/// The sender's end: asks whether to stop, and waits.
#[derive(Debug)]
pub(super) struct Stop {
    reasons: [(Reason, UnixStream); 3],
}

/// The receivers' end: one that fails rings.
#[derive(Debug)]
pub(super) struct Bell(UnixStream);

/// How long [`Stop::wait`] may take when no input is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Patience {
    None,
    Forever,
}

impl Stop {
    /// From here on the signals no longer end the process by themselves.
    pub(super) fn new() -> io::Result<(Self, Bell)> {
        let (failed, bell) = UnixStream::pair()?;
        bell.set_nonblocking(true)?;
        let reasons = [
            (Reason::Signal(Signal::Interrupt), catch(SIGINT)?),
            (Reason::Signal(Signal::Terminate), catch(SIGTERM)?),
            (Reason::Receiver, failed),
        ];
        Ok((Self { reasons }, Bell(bell)))
    }

    /// Tells for each of `inputs` whether a read would return at once; waits for one if told to.
    /// A reason to stop comes first.
    pub(super) fn wait<'a>(
        &'a self,
        inputs: impl Iterator<Item = BorrowedFd<'a>>,
        patience: Patience,
    ) -> Result<io::Result<Vec<bool>>, Reason> {
        let stops = self.reasons.iter().map(|(_, stream)| stream.as_fd());
        let mut fds: Vec<PollFd<'_>> =
            stops.chain(inputs).map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)).collect();
        let timeout = match patience {
            Patience::None => Some(&Timespec { tv_sec: 0, tv_nsec: 0 }),
            Patience::Forever => None,
        };
        loop {
            match poll(&mut fds, timeout) {
                Ok(_) => break,
                // The signal has made its socket readable: look again.
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Ok(Err(error.into())),
            }
        }
        // Whatever happened to an input, its next read returns and tells.
        let mut ready = fds.iter().map(|fd| !fd.revents().is_empty());
        for (reason, _) in &self.reasons {
            if ready.next() == Some(true) {
                return Err(*reason);
            }
        }
        Ok(Ok(ready.collect()))
    }
}

impl Bell {
    pub(super) fn ring(&self) {
        // It fails only if it has been rung so often that the socket is full, or if the sender has
        // gone: both need no ringing.
        (&self.0).write_all(&[1]).ok();
    }
}

impl Signal {
    pub(super) fn exit_code(self) -> u8 {
        match self {
            Self::Interrupt => 130,
            Self::Terminate => 143,
        }
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Interrupt => "interrupted",
            Self::Terminate => "terminated",
        })
    }
}

/// A socket that becomes readable at the first `signal`; the second one acts as if never caught.
fn catch(signal: i32) -> io::Result<UnixStream> {
    let (ours, handlers) = UnixStream::pair()?;
    let seen = Arc::new(AtomicBool::new(false));
    // Handlers run in this order: the first signal finds the flag down and raises it.
    flag::register_conditional_default(signal, Arc::clone(&seen))?;
    flag::register(signal, seen)?;
    low_level::pipe::register(signal, handlers)?;
    Ok(ours)
}
