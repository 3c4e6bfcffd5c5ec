//! The sender's thread: reads the open inputs in turn, a chunk each, and sends every line.
//!
//! ```text
//!  round ─▶ which inputs can be read? ─▶ each of them: tail of the last chunk + what is read
//!    ▲                                                 │
//!    │                              [ whole lines ][ a line's start ]
//!    │                                  │ sent             └─▶ tail, for its next turn
//!    └── inputs that ended make room ◀──┘
//! ```
//!
//! How lines reach the receivers is the affair of a [`Share`]. Between two turns an input holds no
//! buffer, only the start of a line that has not ended, which is shorter than a usual chunk; the
//! run's memory has room for one such for each open input beside the pool (see `args.rs`). A line
//! that fills a chunk is read to its end at once, whatever else waits, or the starts of many long
//! lines would fill the memory.
//!
//! Pipes and terminals are read only when they have something, so one that is silent holds nobody
//! up. When nothing can be read the sender waits in [`Stop::wait`], where it hears Ctrl-C too.

use std::io::{self, Read};
use std::os::fd::AsFd;
use std::sync::Arc;

use indicatif::ProgressBar;
use memchr::{memchr_iter, memrchr};

use super::error::Error;
use super::input::{Input, Inputs, Source};
use super::pool::{Buffer, Need, Pool};
use super::share::{Gone, Share};
use super::stop::{Patience, Reason, Stop};

/// What the sender works with.
pub(super) struct Feed<S> {
    share: S,
    pool: Arc<Pool>,
    limits: Limits,
    bytes: ProgressBar,
    /// Lines that were sent.
    sent: u64,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Inputs open at once.
    pub(super) open: usize,
    /// Bytes of one line.
    pub(super) max_line: usize,
}

/// How the sender ended.
#[derive(Debug)]
pub(super) struct Fed {
    /// Lines that were sent.
    pub(super) sent: u64,
    /// Why it ended early, if it did.
    pub(super) halt: Option<Halt>,
}

/// Why the sender ended early.
#[derive(Debug)]
pub(super) enum Halt {
    Error(Error),
    /// A receiver has gone, and tells why.
    Receiver,
}

/// An open input.
struct Stream<W> {
    input: Input,
    way: W,
    tail: Vec<u8>,
    next_line: u64,
    ended: bool,
}

impl<S: Share> Feed<S> {
    pub(super) fn new(share: S, pool: Arc<Pool>, limits: Limits, bytes: ProgressBar) -> Self {
        Self { share, pool, limits, bytes, sent: 0 }
    }

    /// Sends all lines of all inputs.
    pub(super) fn run(mut self, inputs: Inputs, stop: &Stop) -> Fed {
        let halt = self.send_all(inputs, stop).err();
        Fed { sent: self.sent, halt }
    }

    fn send_all(&mut self, mut inputs: Inputs, stop: &Stop) -> Result<(), Halt> {
        let mut streams = Vec::new();
        loop {
            while streams.len() < self.limits.open {
                let Some(input) = inputs.next()? else { break };
                streams.push(self.stream(input)?);
            }
            if streams.is_empty() {
                return Ok(());
            }
            self.round(&mut streams, stop)?;
            streams.retain(|stream| !stream.ended);
        }
    }

    /// One turn for each input that can be read.
    fn round(&mut self, streams: &mut [Stream<S::Way>], stop: &Stop) -> Result<(), Halt> {
        let mut ready = ready(streams, stop)?.into_iter();
        for stream in streams {
            if stream.input.may_wait && ready.next() == Some(false) {
                continue;
            }
            self.wait_for_room(self.pool.need())?;
            let buffer = self.pool.buffer();
            stream.turn(buffer, self, stop)?;
        }
        Ok(())
    }

    fn stream(&self, input: Input) -> Result<Stream<S::Way>, Halt> {
        let way = self.share.way()?;
        Ok(Stream { input, way, tail: Vec::new(), next_line: 1, ended: false })
    }

    fn wait_for_room(&mut self, need: Need) -> Result<(), Halt> {
        Ok(self.share.wait_for_room(&self.pool, need)?)
    }
}

impl<W> Stream<W> {
    /// Reads one chunk and sends its lines.
    fn turn<S>(&mut self, mut buffer: Buffer, feed: &mut Feed<S>, stop: &Stop) -> Result<(), Halt>
    where
        S: Share<Way = W>,
    {
        buffer.put(&self.tail);
        self.tail.clear();
        let whole = self.fill(&mut buffer, feed, stop)?;
        self.tail.extend_from_slice(&buffer.filled()[whole..]);
        if whole == 0 {
            return Ok(());
        }
        self.send(buffer, whole, feed)
    }

    /// Reads until the buffer is full, or, from a pipe, once. Returns how many bytes of whole lines
    /// there are: none if a pipe has given only a part of one yet. A line that has filled the
    /// buffer is read on, in a larger one, one usual read after the other, so that what is read
    /// beyond its end is no more than any tail.
    fn fill(
        &mut self,
        buffer: &mut Buffer,
        feed: &mut Feed<impl Share>,
        stop: &Stop,
    ) -> Result<usize, Halt> {
        let mut searched = buffer.filled().len();
        loop {
            match self.read(buffer.room())? {
                Some(0) => {
                    self.ended = true;
                    return Ok(buffer.filled().len());
                }
                Some(read) => {
                    buffer.advance(read);
                    feed.bytes.inc(read as u64);
                }
                None => {}
            }
            let filled = buffer.filled();
            if filled.len() < feed.pool.size() && !self.input.may_wait {
                continue;
            }
            if let Some(at) = memrchr(b'\n', &filled[searched..]) {
                return Ok(searched + at + 1);
            }
            searched = filled.len();
            if searched > feed.limits.max_line {
                return Err(self.too_long(self.next_line, feed.limits.max_line).into());
            }
            if self.input.may_wait && searched < feed.pool.size() {
                return Ok(0);
            }
            if buffer.is_full() {
                let need = buffer.need(feed.limits.max_line + 1);
                feed.wait_for_room(need)?;
                buffer.grow(need);
            }
            if self.input.may_wait {
                wait(std::iter::once(&self.input), Patience::Forever, stop)?;
            }
        }
    }

    /// `None` if there is nothing at the moment.
    fn read(&mut self, room: &mut [u8]) -> Result<Option<usize>, Error> {
        loop {
            match self.input.file.read(room) {
                Ok(read) => return Ok(Some(read)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(source) => {
                    let name = self.source().name().to_owned();
                    return Err(Error::Read { name, source });
                }
            }
        }
    }

    fn send<S>(&mut self, buffer: Buffer, whole: usize, feed: &mut Feed<S>) -> Result<(), Halt>
    where
        S: Share<Way = W>,
    {
        let chunk = buffer.into_chunk(whole, &self.input.source, self.next_line);
        let bytes = chunk.bytes();
        // Only the last line of a file may have no end.
        let unended = (bytes.last() != Some(&b'\n')).then_some(whole);
        let mut start = 0;
        let mut lines = 0;
        for end in memchr_iter(b'\n', bytes).chain(unended) {
            if end - start > feed.limits.max_line {
                return Err(self
                    .too_long(self.next_line + lines as u64, feed.limits.max_line)
                    .into());
            }
            feed.share.send(&mut self.way, chunk.line(start, end, lines))?;
            feed.sent += 1;
            start = end + 1;
            lines += 1;
        }
        self.next_line += lines as u64;
        Ok(())
    }

    fn too_long(&self, line: u64, max_line: usize) -> Error {
        Error::LineTooLong { name: self.source().name().to_owned(), line, limit: max_line as u64 }
    }

    fn source(&self) -> &Source {
        &self.input.source
    }
}

/// For each input that may wait, whether it would not; waits if there is nothing else to do.
fn ready<W>(streams: &[Stream<W>], stop: &Stop) -> Result<Vec<bool>, Halt> {
    let waiting = streams.iter().filter(|stream| stream.input.may_wait);
    let all = waiting.clone().count() == streams.len();
    let patience = if all { Patience::Forever } else { Patience::None };
    wait(waiting.map(|stream| &stream.input), patience, stop)
}

fn wait<'a>(
    inputs: impl Iterator<Item = &'a Input>,
    patience: Patience,
    stop: &'a Stop,
) -> Result<Vec<bool>, Halt> {
    let ready = stop.wait(inputs.map(|input| input.file.as_fd()), patience)?;
    Ok(ready.map_err(|source| Error::System { what: "waiting for input", source })?)
}

impl From<Error> for Halt {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl From<Gone> for Halt {
    fn from(_: Gone) -> Self {
        Self::Receiver
    }
}

impl From<Reason> for Halt {
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::Signal(signal) => Self::Error(Error::Signal(signal)),
            Reason::Receiver => Self::Receiver,
        }
    }
}
