//! Which receiver a line goes to: the one its key's hash says, or the next in turn.
//!
//! The hash is the same on every machine and in every version: FNV-1a over the key's bytes, its
//! bits mixed once more, scaled to the number of receivers. Equal keys meet in one output, and they
//! meet in the same one tomorrow, as long as the number of receivers stays.
//!
//! So the library's own ways to choose, `Outbox::send_keyed` and `send_next`, are not used: the
//! first promises equal keys one member, by weights that are its own affair; the second passes over
//! a member that has no room, and each outbox has a turn of its own. Here the turns are strict, and
//! go on from one input to the next: no two outputs differ by more than a line.

use memchr::{memchr, memmem};

/// Decides for one line after the other.
#[derive(Debug)]
pub(super) enum Choice {
    Turns { next: usize, receivers: usize },
    Key { key: Key, receivers: usize },
}

/// A field of a line, counted from 1.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) field: usize,
    /// What parts the fields; without it, runs of blanks.
    pub(crate) delimiter: Option<String>,
}

impl Choice {
    pub(super) fn by_key(key: Key, receivers: usize) -> Self {
        // With one receiver there is nothing to choose.
        if receivers > 1 { Self::Key { key, receivers } } else { Self::by_turn(receivers) }
    }

    pub(super) fn by_turn(receivers: usize) -> Self {
        Self::Turns { next: 0, receivers }
    }

    pub(super) fn receiver_of(&mut self, text: &[u8]) -> usize {
        match self {
            Self::Turns { next, receivers } => {
                let now = *next;
                *next = if now + 1 == *receivers { 0 } else { now + 1 };
                now
            }
            Self::Key { key, receivers } => scale(hash(key.of(text)), *receivers),
        }
    }
}

impl Key {
    /// The field's bytes; none if the line has too few. The CR of a CRLF belongs to the line's end.
    fn of<'a>(&self, text: &'a [u8]) -> &'a [u8] {
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        match self.delimiter.as_deref().map(str::as_bytes) {
            None => text
                .split(|byte| matches!(byte, b' ' | b'\t'))
                .filter(|field| !field.is_empty())
                .nth(self.field - 1)
                .unwrap_or_default(),
            Some(delimiter) => delimited(text, delimiter, self.field - 1),
        }
    }
}

fn delimited<'a>(mut text: &'a [u8], delimiter: &[u8], skip: usize) -> &'a [u8] {
    let find = |text: &[u8]| match *delimiter {
        [byte] => memchr(byte, text),
        _ => memmem::find(text, delimiter),
    };
    for _ in 0..skip {
        match find(text) {
            Some(at) => text = &text[at + delimiter.len()..],
            None => return &[],
        }
    }
    &text[..find(text).unwrap_or(text.len())]
}

fn hash(key: &[u8]) -> u64 {
    let fnv = key.iter().fold(0xcbf2_9ce4_8422_2325, |hash: u64, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    // FNV leaves the high bits of short keys alike, and they are what `scale` looks at.
    let mixed = (fnv ^ (fnv >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    mixed ^ (mixed >> 33)
}

/// From the whole range of hashes to `0..receivers`, evenly.
fn scale(hash: u64, receivers: usize) -> usize {
    ((u128::from(hash) * receivers as u128) >> 64) as usize
}
