//! `mainspring demo`: some seconds of made-up traffic, watched, and then a check of what was promised.
//!
//! ```text
//!  scene ── threads that send (senders) and receive (readers) ──▶ engine
//!    │              │ meters                  │ what they saw      │ stats
//!    │              ▼                         ▼                    ▼
//!    │            frame ◀──────────────────  check               frame
//!    │              │                         │
//!    │      screen (draw) or plain            ▼
//!    └─ stop ◀── q, Ctrl-C, the time       verdict ──▶ report
//! ```
//!
//! This thread shows how it goes, and ends the time. Then the senders go, the receivers read what is left, and when
//! all threads have ended the check, which has heard everything on the way, counts up.

mod args;
mod check;
mod draw;
mod error;
mod figures;
mod frame;
mod mark;
mod meter;
mod plain;
mod readers;
mod report;
mod scene;
mod screen;
mod senders;
mod stop;

use std::io::{self, IsTerminal};
use std::thread;
use std::time::Instant;

pub(crate) use args::Args;
pub(crate) use error::Error;
use frame::Sampler;
use scene::Stage;
use stop::{Alarm, Signals};

pub(crate) fn run(args: &Args) -> Result<(), Error> {
    let signals = Signals::catch();
    let signals = signals.map_err(|source| Error::System { what: "catching signals", source })?;
    let stage = Stage::new();
    let began = Instant::now();
    let shown = thread::scope(|scope| {
        // Dropped last: if this thread panics the others hear of it.
        let _alarm = Alarm(&stage.stop);
        let keeper = stage.raise(scope)?;
        let shown = show(args, &stage, &signals, began);
        stage.stop.set();
        drop(keeper);
        shown
    });
    let elapsed = began.elapsed();
    let clock = stage.clock.now();
    let verdict = stage.into_check().finish(clock);
    shown?;
    report::print(&verdict, elapsed).map_err(Error::Output)?;
    Error::of(&verdict).map_or(Ok(()), Err)
}

/// Until the time is over, or somebody has asked for the end.
fn show(args: &Args, stage: &Stage, signals: &Signals, began: Instant) -> Result<(), Error> {
    let end = began + args.time();
    let sampler = Sampler::new(stage, began, args.time());
    if args.quiet {
        plain::wait(signals, end).map(drop)
    } else if args.plain || !io::stdout().is_terminal() {
        plain::show(sampler, &stage.stop, signals, end)
    } else {
        screen::show(sampler, &stage.stop, signals, end)
    }
}
