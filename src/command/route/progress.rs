//! What a person sees while it runs: bytes, messages per second, and the clock.
//!
//! Only bytes are counted for it: since numbers are dense the engine's clock is the number of
//! messages. The sender counts on a bar of its own that is never drawn, so that it has no terminal
//! to wait for; this thread looks there from time to time, and draws.

use std::io::{self, IsTerminal};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use mainspring::Clock;

/// Between two looks at the clock.
const TICK: Duration = Duration::from_millis(100);

/// The rate is over so long.
const WINDOW: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Progress {
    bar: ProgressBar,
    bytes: ProgressBar,
    clock: Clock,
    since: (Instant, u64),
    rate: f64,
}

impl Progress {
    /// `bytes` of all inputs, if that is known. Nothing shows if standard error is not a terminal,
    /// or if the lines themselves go to one.
    pub(super) fn new(quiet: bool, to_stdout: bool, bytes: Option<u64>, clock: Clock) -> Self {
        let shows =
            !quiet && io::stderr().is_terminal() && !(to_stdout && io::stdout().is_terminal());
        let bar = if shows { bar(bytes) } else { ProgressBar::hidden() };
        Self { bar, bytes: ProgressBar::hidden(), clock, since: (Instant::now(), 0), rate: 0.0 }
    }

    /// Waits for the end, no longer than until it is time for a tick.
    pub(super) fn wait(&self, ended: &mpsc::Receiver<()>) -> Result<(), RecvTimeoutError> {
        if self.bar.is_hidden() {
            ended.recv().map_err(|_| RecvTimeoutError::Disconnected)
        } else {
            ended.recv_timeout(TICK)
        }
    }

    /// The counter of the bytes that were read.
    pub(super) fn bytes(&self) -> ProgressBar {
        self.bytes.clone()
    }

    pub(super) fn tick(&mut self) {
        let (then, before) = self.since;
        let (now, seq) = (Instant::now(), self.clock.now().get());
        let passed = now.duration_since(then);
        if passed >= WINDOW || self.rate == 0.0 {
            self.rate = (seq - before) as f64 / passed.as_secs_f64().max(f64::MIN_POSITIVE);
        }
        if passed >= WINDOW {
            self.since = (now, seq);
        }
        self.bar.set_message(format!("{:.0} messages/s, clock {seq}", self.rate));
        self.bar.set_position(self.bytes.position());
    }

    pub(super) fn finish(self) {
        self.bar.finish_and_clear();
    }
}

fn bar(bytes: Option<u64>) -> ProgressBar {
    let (bar, template) = match bytes {
        Some(bytes) => {
            let template = "{bar:24} {bytes}/{total_bytes} {msg} [{elapsed}]";
            (ProgressBar::new(bytes), template)
        }
        None => (ProgressBar::no_length(), "{spinner} {bytes} {msg} [{elapsed}]"),
    };
    bar.set_draw_target(ProgressDrawTarget::stderr());
    // A template of ours is right or a test fails; a bar without it still shows the bytes.
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}
