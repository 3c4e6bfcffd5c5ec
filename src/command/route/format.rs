//! How a line looks in an output: `seq, file, line number, text`.
//!
//! TSV writes the text last and as it is, whatever bytes it holds, tabs too; only the name of the
//! file is escaped (`\t`, `\n`, `\r`, `\\`), so that the first three tabs always part the columns.
//! JSON writes one object a line. What is not UTF-8 has no place in a JSON string, so such a line
//! has `base64` instead of `text`, and such a file name `file_base64` instead of `file`.
//!
//! What does not change within a file, its name and the punctuation around it, is made once as the
//! file's label. Numbers are written by hand: two of them stand in each of millions of lines.

use std::ffi::OsStr;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use mainspring::Seq;

use super::output::Output;
use super::pool::Line;

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// Tab-separated columns; the text as it is.
    Tsv,
    /// One JSON object a line.
    Json,
}

impl Format {
    /// What the files of this format are called.
    pub(super) fn extension(self) -> &'static str {
        match self {
            Self::Tsv => "tsv",
            Self::Json => "jsonl",
        }
    }

    /// What stands between a line's two numbers.
    pub(super) fn label(self, file: &OsStr) -> Vec<u8> {
        let mut label = Vec::new();
        match self {
            Self::Tsv => {
                label.push(b'\t');
                for &byte in file.as_bytes() {
                    match byte {
                        b'\t' => label.extend(b"\\t"),
                        b'\n' => label.extend(b"\\n"),
                        b'\r' => label.extend(b"\\r"),
                        b'\\' => label.extend(b"\\\\"),
                        byte => label.push(byte),
                    }
                }
                label.push(b'\t');
            }
            Self::Json => {
                if let Some(name) = file.to_str() {
                    label.extend(b",\"file\":\"");
                    escape(name, |bytes| label.extend(bytes));
                } else {
                    label.extend(b",\"file_base64\":\"");
                    label.extend(BASE64_STANDARD.encode(file.as_bytes()).bytes());
                }
                label.extend(b"\",\"line\":");
            }
        }
        label
    }

    /// Writes a line of the `nth` receiver, counted from 0.
    pub(super) fn write(self, nth: usize, seq: Seq, line: &Line, output: &mut Output) {
        match self {
            Self::Tsv => write_tsv(seq, line, output),
            Self::Json => write_json(seq, line, output),
        }
        output.end_line(nth, seq, line.len_in_file());
    }
}

fn write_tsv(seq: Seq, line: &Line, output: &mut Output) {
    write_number(seq.get(), output);
    output.put(line.source().label());
    write_number(line.number(), output);
    output.put(b"\t");
    output.put(line.text());
    output.put(b"\n");
}

fn write_json(seq: Seq, line: &Line, output: &mut Output) {
    output.put(b"{\"seq\":");
    write_number(seq.get(), output);
    output.put(line.source().label());
    write_number(line.number(), output);
    if let Ok(text) = str::from_utf8(line.text()) {
        output.put(b",\"text\":\"");
        escape(text, |bytes| output.put(bytes));
    } else {
        output.put(b",\"base64\":\"");
        write_base64(line.text(), output);
    }
    output.put(b"\"}\n");
}

/// Hands out `text` in pieces as it stands in a JSON string.
fn escape(text: &str, mut put: impl FnMut(&[u8])) {
    let bytes = text.as_bytes();
    let mut start = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        if byte >= b' ' && byte != b'"' && byte != b'\\' {
            continue;
        }
        put(&bytes[start..at]);
        start = at + 1;
        match byte {
            b'"' => put(b"\\\""),
            b'\\' => put(b"\\\\"),
            b'\t' => put(b"\\t"),
            b'\n' => put(b"\\n"),
            b'\r' => put(b"\\r"),
            _ => {
                let mut code = *b"\\u0000";
                // The slice is exactly as long as what is written: it cannot fail.
                write!(&mut code[2..], "{byte:04x}").ok();
                put(&code);
            }
        }
    }
    put(&bytes[start..]);
}

/// In pieces, so that a long line needs no second copy of itself.
fn write_base64(text: &[u8], output: &mut Output) {
    const PIECE: usize = 3 * 256;
    let mut encoded = [0; 4 * 256];
    for piece in text.chunks(PIECE) {
        // Four bytes for each three begun: the array is as long as the longest.
        if let Ok(len) = BASE64_STANDARD.encode_slice(piece, &mut encoded) {
            output.put(&encoded[..len]);
        }
    }
}

fn write_number(mut number: u64, output: &mut Output) {
    // The longest u64 has 20 digits.
    let mut digits = [0; 20];
    let mut start = digits.len();
    while number >= 100 {
        let pair = usize::try_from(number % 100).unwrap_or(0);
        number /= 100;
        start -= 2;
        digits[start..start + 2].copy_from_slice(&PAIRS[pair]);
    }
    if number >= 10 {
        start -= 2;
        digits[start..start + 2].copy_from_slice(&PAIRS[number as usize]);
    } else {
        start -= 1;
        digits[start] = b'0' + number as u8;
    }
    output.put(&digits[start..]);
}

/// `00` to `99`.
const PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[b'0'; 2]; 100];
    let mut n = 0;
    while n < 100 {
        pairs[n] = [b'0' + (n / 10) as u8, b'0' + (n % 10) as u8];
        n += 1;
    }
    pairs
};
