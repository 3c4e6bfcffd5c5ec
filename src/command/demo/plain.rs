//! The demo where there is no terminal: a line a second on standard output.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use super::error::Error;
use super::figures::grouped;
use super::frame::{Frame, Sampler};
use super::stop::{Signals, Stop};

/// From one line to the next.
const TICK: Duration = Duration::from_secs(1);

/// Writes lines until `end`, or until a signal asks for the end.
pub(super) fn show(
    mut sampler: Sampler<'_>,
    stop: &Stop,
    signals: &Signals,
    end: Instant,
) -> Result<(), Error> {
    let mut next = Instant::now();
    loop {
        next = (next + TICK).min(end);
        let asked = wait(signals, next)?;
        writeln!(io::stdout(), "{}", line(&sampler.look())).map_err(Error::Output)?;
        if asked || stop.is_set() || next >= end {
            return Ok(());
        }
    }
}

/// Writes nothing.
pub(super) fn wait(signals: &Signals, until: Instant) -> Result<bool, Error> {
    let failed = |source| Error::System { what: "waiting for signals", source };
    signals.wait(until).map_err(failed)
}

fn line(frame: &Frame) -> String {
    let Frame { elapsed, clock, messages, messages_per_pass, receivers, senders, .. } = frame;
    let mut line = format!(
        "{:5.1} s  clock {}, {} messages/s, {messages_per_pass:.1} a pass",
        elapsed.as_secs_f64(),
        grouped(*clock),
        grouped(*messages as u64),
    );
    let lags = receivers.iter().filter_map(|row| Some((row.figures?.lag, row.name)));
    if let Some((lag @ 1.., name)) = lags.max() {
        line += &format!("; lag {lag} at {name}");
    }
    let held: Vec<_> = senders.iter().filter(|row| row.held_by.is_some()).map(|r| r.name).collect();
    if !held.is_empty() {
        line += &format!("; held up: {}", held.join(", "));
    }
    line
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::frame::{Figures, Frame, ReceiverRow, SenderRow};
    use super::line;

    #[test]
    fn a_line_tells_how_far_all_is_and_who_holds_up_whom() {
        let mut frame = Frame {
            elapsed: Duration::from_millis(2000),
            clock: 1_234_567,
            messages: 600_000.4,
            messages_per_pass: 12.34,
            ..Frame::default()
        };
        assert_eq!(line(&frame), "  2.0 s  clock 1,234,567, 600,000 messages/s, 12.3 a pass");
        let receiver = |name, lag| {
            let figures = Some(Figures { lag, ..Figures::default() });
            ReceiverRow { name, figures, joined: 1 }
        };
        let gone = ReceiverRow { name: "guest", figures: None, joined: 3 };
        frame.receivers = vec![receiver("sink", 12), gone, receiver("slow", 64)];
        let held_by = Some("slow".to_owned());
        let eager = SenderRow { name: "eager", held_by, ..SenderRow::default() };
        frame.senders = vec![SenderRow { name: "fast", ..SenderRow::default() }, eager];
        assert!(line(&frame).ends_with(" a pass; lag 64 at slow; held up: eager"));
    }
}
