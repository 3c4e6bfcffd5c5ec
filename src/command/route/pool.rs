//! The bytes under way: buffers that are lent to the sender and come back with their last line.
//!
//! ```text
//!  Pool ──buffer()──▶ Buffer ──filled──▶ Chunk ◀─┬─ Line ──▶ receiver 1 ─┐ the last one dropped
//!   ▲                (the sender reads)          └─ Line ──▶ receiver 2 ─┤ gives the buffer back
//!   └────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! A line is a range of a chunk that all lines of that stretch of file share, so a message is 24
//! bytes and copying its text waits until a receiver writes it. The pool is the budget as well: it
//! lends no more than its limit, and the sender waits for room until enough is back. It alone
//! takes, so the room that it has found stays.
//!
//! That wait always ends. Only the sender waits, and it holds nothing but the one buffer it fills:
//! every line of every other chunk has been sent. What is sent is received without any help from
//! the sender, and a receiver needs no buffer to write it, so all the rest comes back; where a line
//! is for all, the sender helps, for it must drop what they have passed (see `share.rs`). One line
//! larger than the whole budget is read when nothing else is under way, and goes alone.
//!
//! Buffers of the usual size are kept for the next use, last back first out: warm in the cache, and
//! their pages need not be asked for again. They count: lent and kept together stay in the limit.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::input::Source;

/// Lends buffers up to a limit of bytes.
#[derive(Debug)]
pub(super) struct Pool {
    lent: Mutex<Lent>,
    returned: Condvar,
    limit: usize,
    size: usize,
}

#[derive(Debug)]
struct Lent {
    /// Bytes of all the buffers that are out.
    bytes: usize,
    /// Buffers of the usual size that nobody uses.
    kept: Vec<Vec<u8>>,
}

/// A buffer in the sender's hands; the first `filled` bytes are the file's.
#[derive(Debug)]
pub(super) struct Buffer {
    /// Initialized in its whole length, so that reading into it needs no care.
    bytes: Vec<u8>,
    filled: usize,
    pool: Arc<Pool>,
}

/// Some whole lines of one file, shared by the messages that are made of them.
#[derive(Debug)]
pub(super) struct Chunk {
    buffer: Buffer,
    source: Arc<Source>,
    first_line: u64,
}

/// What is to be taken from the pool, by one who holds `own`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Need {
    own: usize,
    more: usize,
}

/// The message: one line.
#[derive(Clone, Debug)]
pub(super) struct Line {
    chunk: Arc<Chunk>,
    start: u32,
    end: u32,
    nth: u32,
}

impl Pool {
    /// Buffers of `size` bytes, up to `limit` bytes of them, at least one.
    pub(super) fn new(limit: usize, size: usize) -> Arc<Self> {
        let lent = Mutex::new(Lent { bytes: 0, kept: Vec::new() });
        Arc::new(Self { lent, returned: Condvar::new(), limit, size })
    }

    /// A buffer of the usual size, for which there is room.
    pub(super) fn buffer(self: &Arc<Self>) -> Buffer {
        let mut lent = self.lock();
        lent.bytes += self.size;
        let kept = lent.kept.pop();
        self.trim(lent);
        let bytes = kept.unwrap_or_else(|| vec![0; self.size]);
        Buffer { bytes, filled: 0, pool: Arc::clone(self) }
    }

    /// The usual size of a buffer, and of one read.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// What a buffer of the usual size needs.
    pub(super) fn need(&self) -> Need {
        Need { own: 0, more: self.size }
    }

    pub(super) fn has_room(&self, need: Need) -> bool {
        self.lock().has_room(need, self.limit)
    }

    /// Returns when enough has come back.
    pub(super) fn wait_for_room(&self, need: Need) {
        let mut lent = self.lock();
        while !lent.has_room(need, self.limit) {
            lent = self.returned.wait(lent).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Lets go of kept buffers that are beyond the limit.
    fn trim(&self, mut lent: MutexGuard<'_, Lent>) {
        let room = self.limit.saturating_sub(lent.bytes) / self.size;
        let keep = room.min(lent.kept.len());
        let excess = lent.kept.split_off(keep);
        drop(lent);
        drop(excess); // Outside the lock: it goes back to the system.
    }

    fn give_back(&self, bytes: Vec<u8>) {
        let mut lent = self.lock();
        lent.bytes -= bytes.len();
        if bytes.len() == self.size {
            lent.kept.push(bytes);
        }
        drop(lent);
        self.returned.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Lent> {
        // Nothing under the lock can be left half done.
        self.lent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lent {
    fn has_room(&self, Need { own, more }: Need, limit: usize) -> bool {
        self.bytes <= own || self.bytes + more <= limit
    }
}

impl Buffer {
    /// Puts the start of a line that the last chunk had no end of.
    pub(super) fn put(&mut self, bytes: &[u8]) {
        self.bytes[self.filled..][..bytes.len()].copy_from_slice(bytes);
        self.filled += bytes.len();
    }

    /// Where the next bytes of the file go, at most one usual read.
    pub(super) fn room(&mut self) -> &mut [u8] {
        let end = self.bytes.len().min(self.filled + self.pool.size);
        &mut self.bytes[self.filled..end]
    }

    pub(super) fn advance(&mut self, read: usize) {
        self.filled += read;
    }

    pub(super) fn is_full(&self) -> bool {
        self.filled == self.bytes.len()
    }

    pub(super) fn filled(&self) -> &[u8] {
        &self.bytes[..self.filled]
    }

    /// What [`grow`](Self::grow) needs, for at most `most` bytes.
    pub(super) fn need(&self, most: usize) -> Need {
        let own = self.bytes.len();
        Need { own, more: (own * 2).min(most) - own }
    }

    /// Twice the size, for a line that has no end yet; there is room for it.
    pub(super) fn grow(&mut self, Need { own, more }: Need) {
        let mut lent = self.pool.lock();
        lent.bytes += more;
        self.pool.trim(lent);
        self.bytes.reserve_exact(more);
        self.bytes.resize(own + more, 0);
    }

    /// Keeps the first `len` bytes: whole lines.
    pub(super) fn into_chunk(mut self, len: usize, source: &Arc<Source>, first: u64) -> Arc<Chunk> {
        self.filled = len;
        Arc::new(Chunk { buffer: self, source: Arc::clone(source), first_line: first })
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.pool.give_back(std::mem::take(&mut self.bytes));
    }
}

impl Chunk {
    pub(super) fn bytes(&self) -> &[u8] {
        self.buffer.filled()
    }

    /// The line in `start..end`, the chunk's `nth`, counted from 0.
    pub(super) fn line(self: &Arc<Self>, start: usize, end: usize, nth: usize) -> Line {
        // A buffer is no longer than --max-line allows, which is far below 4 GiB.
        Line { chunk: Arc::clone(self), start: start as u32, end: end as u32, nth: nth as u32 }
    }
}

impl Line {
    /// Its bytes, without the line end.
    pub(super) fn text(&self) -> &[u8] {
        &self.chunk.bytes()[self.start as usize..self.end as usize]
    }

    /// Its place in its file, counted from 1.
    pub(super) fn number(&self) -> u64 {
        self.chunk.first_line + u64::from(self.nth)
    }

    pub(super) fn source(&self) -> &Source {
        &self.chunk.source
    }

    /// Its bytes in the file, the line end included; the last line may have none.
    pub(super) fn len_in_file(&self) -> u64 {
        let line_end = usize::from((self.end as usize) < self.chunk.bytes().len());
        (self.text().len() + line_end) as u64
    }
}
