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
//! Each open input has an outbox of its own, so its lines keep their order and no input waits for
//! the order of another. Between two turns an input holds no buffer, only the start of a line that
//! has not ended, which is shorter than a usual chunk; the run's memory has room for one such for
//! each open input beside the pool (see `args.rs`). A line that fills a chunk is read to its
//! end at once, whatever else waits, or the starts of many long lines would fill the memory.
//!
//! Pipes and terminals are read only when they have something, so one that is silent holds nobody
//! up. When nothing can be read the sender waits in [`Stop::wait`], where it hears Ctrl-C too.

use std::io::{self, Read};
use std::os::fd::AsFd;
use std::sync::Arc;

use indicatif::ProgressBar;
use mainspring::{Address, AddressError, Engine, Outbox, Target};
use memchr::{memchr_iter, memrchr};

use super::error::Error;
use super::input::{Input, Inputs, Source};
use super::key::Choice;
use super::pool::{Buffer, Line, Pool};
use super::stop::{Patience, Reason, Stop};

/// What the sender works with.
pub(super) struct Feed {
    engine: Engine,
    receivers: Vec<Address<Line>>,
    choice: Choice,
    pool: Arc<Pool>,
    limits: Limits,
    bytes: ProgressBar,
    /// A receiver closes when its last source goes: one that never sends keeps them open until the
    /// first input is open, and while one has ended and the next is not open yet.
    _keeper: Outbox,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Inputs open at once.
    pub(super) open: usize,
    /// Bytes of one line.
    pub(super) max_line: usize,
}

/// Why the sender ended early.
#[derive(Debug)]
pub(super) enum Halt {
    Error(Error),
    /// A receiver has gone, and tells why.
    Receiver,
}

/// An open input.
struct Stream {
    input: Input,
    out: Outbox,
    targets: Vec<Target<Line>>,
    tail: Vec<u8>,
    next_line: u64,
    ended: bool,
}

impl Feed {
    pub(super) fn new(
        engine: Engine,
        receivers: Vec<Address<Line>>,
        choice: Choice,
        pool: Arc<Pool>,
        limits: Limits,
        bytes: ProgressBar,
    ) -> Result<Self, Error> {
        let keeper = outbox(&engine, &receivers);
        let (keeper, _) = keeper.map_err(|error| Error::Engine(error.to_string()))?;
        Ok(Self { engine, receivers, choice, pool, limits, bytes, _keeper: keeper })
    }

    /// Sends all lines of all inputs.
    pub(super) fn run(mut self, mut inputs: Inputs, stop: &Stop) -> Result<(), Halt> {
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
    fn round(&mut self, streams: &mut [Stream], stop: &Stop) -> Result<(), Halt> {
        let mut ready = ready(streams, stop)?.into_iter();
        for stream in streams {
            if stream.input.may_wait && ready.next() == Some(false) {
                continue;
            }
            let buffer = self.pool.buffer();
            stream.turn(buffer, self, stop)?;
        }
        Ok(())
    }

    fn stream(&self, input: Input) -> Result<Stream, Halt> {
        // Only a receiver that has failed is closed now.
        let outbox = outbox(&self.engine, &self.receivers);
        let (out, targets) = outbox.map_err(|_| Halt::Receiver)?;
        Ok(Stream { input, out, targets, tail: Vec::new(), next_line: 1, ended: false })
    }
}

impl Stream {
    /// Reads one chunk and sends its lines.
    fn turn(&mut self, mut buffer: Buffer, feed: &mut Feed, stop: &Stop) -> Result<(), Halt> {
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
    fn fill(&mut self, buffer: &mut Buffer, feed: &Feed, stop: &Stop) -> Result<usize, Halt> {
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
                buffer.grow(feed.limits.max_line + 1);
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

    fn send(&mut self, buffer: Buffer, whole: usize, feed: &mut Feed) -> Result<(), Halt> {
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
            let receiver = feed.choice.receiver_of(&bytes[start..end]);
            let line = chunk.line(start, end, lines);
            if self.out.send(self.targets[receiver], line).is_err() {
                return Err(Halt::Receiver);
            }
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

/// One author's way to all receivers.
fn outbox(
    engine: &Engine,
    receivers: &[Address<Line>],
) -> Result<(Outbox, Vec<Target<Line>>), AddressError> {
    let mut out = engine.outbox();
    let targets = receivers.iter().map(|address| out.add(address)).collect::<Result<_, _>>()?;
    Ok((out, targets))
}

/// For each input that may wait, whether it would not; waits if there is nothing else to do.
fn ready(streams: &[Stream], stop: &Stop) -> Result<Vec<bool>, Halt> {
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

impl From<Reason> for Halt {
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::Signal(signal) => Self::Error(Error::Signal(signal)),
            Reason::Receiver => Self::Receiver,
        }
    }
}
