//! An output: a large buffer in front of a file, and an exact account of what is in it.
//!
//! The account is kept in two marks for each receiver whose lines it has: one, or all of them where
//! they share standard output. `whole` stands after the last complete line that was put in, `safe`
//! after the last one of which the system has taken every byte. After a successful write `safe`
//! catches up with `whole`. When a write fails, which may be in the middle of a line, the file is
//! cut back to `safe`, and `safe` is what the table tells. Standard output cannot be cut back:
//! there the table tells what has certainly been written.
//!
//! A failure sticks. Whoever puts lines in need not look after each; nothing more is written.

use std::fs::File;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use mainspring::Seq;

use super::error::Error;

/// Lines that wait in the buffer are written after this time at the latest.
const PATIENCE: Duration = Duration::from_millis(50);

#[derive(Debug)]
pub(super) struct Output {
    file: File,
    name: String,
    is_stdout: bool,
    buffer: Vec<u8>,
    size: usize,
    written: u64,
    whole: Account,
    safe: Account,
    /// When what is in the buffer has to be written; set once nothing more comes at the moment.
    due: Option<Instant>,
    failure: Option<io::Error>,
}

/// A place between two lines of an output.
#[derive(Debug, Default)]
struct Account {
    /// By receiver.
    marks: Vec<Mark>,
    /// Where it is in the output.
    position: u64,
}

/// What an output has of one receiver's lines.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Mark {
    pub(super) messages: u64,
    /// Of the lines as they were in their files.
    pub(super) bytes: u64,
    pub(super) last: Option<Seq>,
}

impl Output {
    /// Standard output may have several receivers' lines.
    pub(super) fn stdout(file: File, size: usize, receivers: usize) -> Self {
        Self::new(file, "standard output".to_owned(), true, size, receivers)
    }

    pub(super) fn file(file: File, name: String, size: usize) -> Self {
        Self::new(file, name, false, size, 1)
    }

    fn new(file: File, name: String, is_stdout: bool, size: usize, receivers: usize) -> Self {
        Self {
            file,
            name,
            is_stdout,
            buffer: Vec::with_capacity(size),
            size,
            written: 0,
            whole: Account { marks: vec![Mark::default(); receivers], position: 0 },
            safe: Account { marks: vec![Mark::default(); receivers], position: 0 },
            due: None,
            failure: None,
        }
    }

    #[inline]
    pub(super) fn put(&mut self, bytes: &[u8]) {
        if bytes.len() <= self.size - self.buffer.len() {
            self.buffer.extend_from_slice(bytes);
        } else {
            self.put_after_flush(bytes);
        }
    }

    /// What was put in since the last call was one line, of the `nth` receiver, counted from 0.
    #[inline]
    pub(super) fn end_line(&mut self, nth: usize, seq: Seq, bytes: u64) {
        let mark = &mut self.whole.marks[nth];
        mark.messages += 1;
        mark.bytes += bytes;
        mark.last = Some(seq);
        self.whole.position = self.written + self.buffer.len() as u64;
    }

    pub(super) fn flush(&mut self) {
        self.due = None;
        let buffer = std::mem::take(&mut self.buffer);
        self.write(&buffer);
        self.buffer = buffer;
        self.buffer.clear();
    }

    /// How long its owner may wait for more before it has to flush; `None` if nothing is in the
    /// buffer. The first call since the last flush starts the time.
    pub(super) fn patience(&mut self) -> Option<Duration> {
        if self.buffer.is_empty() {
            return None;
        }
        let now = Instant::now();
        let due = *self.due.get_or_insert(now + PATIENCE);
        Some(due.saturating_duration_since(now))
    }

    pub(super) fn has_failed(&self) -> bool {
        self.failure.is_some()
    }

    /// Writes the rest; tells the name, what is in the file, and the failure if there was one.
    pub(super) fn finish(mut self, quiet: bool) -> (String, Vec<Mark>, Option<Error>) {
        self.flush();
        let error = self.failure.take().map(|source| {
            if self.is_stdout && source.kind() == io::ErrorKind::BrokenPipe {
                return Error::ClosedPipe { quiet };
            }
            // A device takes no cut, and the write's own error is the one to tell.
            if !self.is_stdout {
                self.file.set_len(self.safe.position).ok();
            }
            Error::Write { name: self.name.clone(), source }
        });
        (self.name, self.safe.marks, error)
    }

    #[cold]
    fn put_after_flush(&mut self, bytes: &[u8]) {
        self.flush();
        if bytes.len() < self.size {
            self.buffer.extend_from_slice(bytes);
        } else {
            self.write(bytes);
        }
    }

    fn write(&mut self, bytes: &[u8]) {
        if self.failure.is_some() {
            return;
        }
        match self.file.write_all(bytes) {
            Ok(()) => {
                self.written += bytes.len() as u64;
                self.safe.marks.copy_from_slice(&self.whole.marks);
                self.safe.position = self.whole.position;
            }
            Err(error) => self.failure = Some(error),
        }
    }
}
