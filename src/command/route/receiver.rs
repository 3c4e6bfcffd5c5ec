//! A receiver's thread: takes lines as they come, in batches, and writes them to its own file.
//!
//! It looks without waiting first. When there is nothing, what it has written so far waits in the
//! buffer for more, but not for long; only with an empty buffer does it wait without a limit. So a
//! run at full speed writes large pieces, and somebody who follows a log sees each line soon.

use mainspring::{Receiver, RecvTimeoutError, Seq, TryRecvError};

use super::error::Error;
use super::format::Format;
use super::output::{Mark, Output};
use super::pool::Line;

/// Lines taken at once; also how far a failure may go unnoticed.
const BATCH: usize = 512;

/// How a receiver's part of the run went.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) output: String,
    pub(super) mark: Mark,
    /// Up to here, everything meant for this receiver is in its file.
    pub(super) clock: Seq,
    pub(super) error: Option<Error>,
}

/// Returns when all sources have gone or the output has failed. Either way the receiver is dropped,
/// so that whoever sends to it is not left waiting.
pub(super) fn run(
    mut lines: Receiver<Line>,
    mut output: Output,
    format: Format,
    quiet: bool,
) -> Report {
    while take(&mut lines, &mut output, format) && !output.has_failed() {}
    let clock = lines.caught_up_to();
    drop(lines);
    let (name, mark, error) = output.finish(quiet);
    // What was received and could not be written is not in the file.
    let clock = if error.is_none() { clock } else { mark.last.unwrap_or(Seq::ZERO) };
    Report { output: name, mark, clock, error }
}

/// Takes what there is, or waits for it; false at the end.
fn take(lines: &mut Receiver<Line>, output: &mut Output, format: Format) -> bool {
    match lines.try_recv_batch(BATCH, |seq, line| format.write(seq, &line, output)) {
        Ok(_) => return true,
        Err(TryRecvError::Closed) => return false,
        Err(TryRecvError::Empty) => {}
    }
    let Some(patience) = output.patience() else {
        return lines.recv_batch(BATCH, |seq, line| format.write(seq, &line, output)).is_ok();
    };
    match lines.recv_timeout(patience) {
        Ok((seq, line)) => format.write(seq, &line, output),
        Err(RecvTimeoutError::Timeout) => output.flush(),
        Err(RecvTimeoutError::Closed) => return false,
    }
    true
}
