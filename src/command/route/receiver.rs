//! A receiver's thread: takes lines as they come, in batches, and writes them to its own file.
//! Where the receivers share standard output, one thread takes the lines of all of them, merged.
//!
//! It looks without waiting first. When there is nothing, what it has written so far waits in the
//! buffer for more, but not for long; only with an empty buffer does it wait without a limit. So a
//! run at full speed writes large pieces, and somebody who follows a log sees each line soon.

use std::time::Duration;

use mainspring::{Merge, Receiver, RecvTimeoutError, Seq, TryRecvError};

use super::error::Error;
use super::format::Format;
use super::output::{Mark, Output};
use super::pool::Line;

/// Lines taken at once; also how far a failure may go unnoticed.
const BATCH: usize = 512;

/// Where a thread's lines come from.
pub(super) enum Lines {
    /// One receiver's. They may be others' as well, so it reads them where they lie.
    One(Box<Receiver<Line>>),
    /// Several receivers', in the order of their numbers, with the receiver's number, counted from
    /// 0.
    Merged(Merge<(usize, Line)>),
}

/// How an output's part of the run went.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) output: String,
    /// Of each receiver whose lines it has.
    pub(super) marks: Vec<Mark>,
    /// Up to here, everything meant for them is in it.
    pub(super) clock: Seq,
    pub(super) error: Option<Error>,
}

/// Returns when all sources have gone or the output has failed. Either way the receiver is dropped,
/// so that whoever sends to it is not left waiting.
pub(super) fn run(mut lines: Lines, mut output: Output, format: Format, quiet: bool) -> Report {
    while take(&mut lines, &mut output, format) && !output.has_failed() {}
    let clock = lines.caught_up_to();
    drop(lines);
    let (name, marks, error) = output.finish(quiet);
    // What was received and could not be written is not in the file. All that was written was in
    // the order of the numbers.
    let written = || marks.iter().filter_map(|mark| mark.last).max().unwrap_or(Seq::ZERO);
    let clock = if error.is_none() { clock } else { written() };
    Report { output: name, marks, clock, error }
}

/// Takes what there is, or waits for it; false at the end.
fn take(lines: &mut Lines, output: &mut Output, format: Format) -> bool {
    match lines.take_now(|nth, seq, line| format.write(nth, seq, line, output)) {
        Ok(()) => return true,
        // Nobody gives notices here.
        Err(TryRecvError::Closed | TryRecvError::Notice) => return false,
        Err(TryRecvError::Empty) => {}
    }
    let Some(patience) = output.patience() else {
        return lines.take(|nth, seq, line| format.write(nth, seq, line, output));
    };
    let write = |nth, seq, line: &Line| format.write(nth, seq, line, output);
    match lines.take_one(patience, write) {
        Ok(()) => true,
        Err(RecvTimeoutError::Timeout) => {
            output.flush();
            true
        }
        Err(RecvTimeoutError::Closed | RecvTimeoutError::Notice) => false,
    }
}

impl Lines {
    /// Those of several receivers.
    pub(super) fn merged(receivers: Vec<Receiver<Line>>) -> Result<Self, Error> {
        let numbered = receivers.into_iter().enumerate();
        let merge = Merge::new(numbered.map(|(nth, lines)| lines.map(move |line| (nth, line))));
        Ok(Self::Merged(merge.map_err(|error| Error::Engine(error.to_string()))?))
    }

    /// What there is, a batch at most.
    fn take_now(&mut self, mut f: impl FnMut(usize, Seq, &Line)) -> Result<(), TryRecvError> {
        let taken = match self {
            Self::One(lines) => lines.try_recv_batch_ref(BATCH, |seq, line| f(0, seq, line)),
            Self::Merged(lines) => {
                lines.try_recv_batch(BATCH, |seq, (nth, line)| f(nth, seq, &line))
            }
        };
        taken.map(drop)
    }

    /// A batch at most, waiting for a line; false at the end.
    fn take(&mut self, mut f: impl FnMut(usize, Seq, &Line)) -> bool {
        let taken = match self {
            Self::One(lines) => lines.recv_batch_ref(BATCH, |seq, line| f(0, seq, line)),
            Self::Merged(lines) => lines.recv_batch(BATCH, |seq, (nth, line)| f(nth, seq, &line)),
        };
        taken.is_ok()
    }

    /// One, waiting for it so long at most.
    fn take_one(
        &mut self,
        patience: Duration,
        f: impl FnOnce(usize, Seq, &Line),
    ) -> Result<(), RecvTimeoutError> {
        match self {
            Self::One(lines) => {
                lines.recv_ref_timeout(patience).map(|line| f(0, line.seq(), &line))
            }
            Self::Merged(lines) => {
                lines.recv_timeout(patience).map(|(seq, (nth, line))| f(nth, seq, &line))
            }
        }
    }

    fn caught_up_to(&mut self) -> Seq {
        match self {
            Self::One(lines) => lines.caught_up_to(),
            Self::Merged(lines) => lines.caught_up_to(),
        }
    }
}
