//! What `mainspring route` is asked, and how much memory follows from it.

use std::path::PathBuf;

use clap::builder::RangedU64ValueParser;
use clap::{ArgAction, value_parser};

use super::by::{By, Rule};
use super::error::Error;
use super::format::Format;
use super::key::Key;

const MIB: u64 = 1 << 20;

/// Every buffer of the sender is of a size between these, unless a line is longer.
const CHUNK_MIN: usize = 4 << 10;
const CHUNK_MAX: usize = 256 << 10;

/// Slots of all lanes together, and the bounds for one; a slot takes some 32 bytes.
const SLOTS: usize = 1 << 19;
const LANE_MIN: usize = 16;
const LANE_MAX: usize = 1024;

/// All outputs' write buffers together, and the bounds for one.
const WRITE_BUFFERS: usize = 8 << 20;
const WRITE_BUFFER_MIN: usize = 8 << 10;
const WRITE_BUFFER_MAX: usize = 256 << 10;

/// Number the lines of files in one order and share them out.
///
/// Every line is a message: it gets the next number, 1, 2, 3 and so on over all files, and goes to
/// one receiver, or to all, which write `seq, file, line number, text`. The lines of a file keep
/// their order.
#[derive(Debug, clap::Args)]
#[command(after_long_help = AFTER_HELP, after_help = "`--help` shows examples and exit codes.")]
pub(crate) struct Args {
    /// Files to read, `-` is standard input
    #[arg(required = true, value_name = "FILE", value_parser = value_parser!(PathBuf))]
    pub(super) files: Vec<PathBuf>,

    /// Receivers: each has a file of its own in DIR; without --out they share standard output
    ///
    /// Each that has a file is a thread. On standard output one thread writes the lines of all of
    /// them, in the order of their numbers.
    #[arg(short = 'n', long, value_name = "N", default_value = "1",
          value_parser = RangedU64ValueParser::<usize>::new().range(1..=1024))]
    pub(super) receivers: usize,

    /// How lines are shared out [default: hash with --key, otherwise round-robin]
    #[arg(short, long, value_name = "RULE")]
    pub(super) by: Option<By>,

    /// The field whose hash chooses the receiver, counted from 1
    ///
    /// Equal keys meet at one receiver. A field that a line does not have is an empty key.
    #[arg(short, long, value_name = "FIELD",
          value_parser = RangedU64ValueParser::<usize>::new().range(1..=1_000_000))]
    pub(super) key: Option<usize>,

    /// What parts the fields, one character; without it runs of blanks do (`\t` is a tab)
    #[arg(short, long, value_name = "C", requires = "key", value_parser = parse_delimiter)]
    pub(super) delimiter: Option<String>,

    /// Directory for the outputs, receiver-0001.tsv and so on; without it, standard output
    #[arg(short, long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,

    /// Replace an earlier run's files in DIR
    #[arg(short, long, requires = "out", action = ArgAction::SetTrue)]
    pub(super) force: bool,

    /// How a line is written
    #[arg(long, value_name = "FORMAT", default_value = "tsv")]
    pub(super) format: Format,

    /// Show neither progress nor the table, only errors
    #[arg(short, long, action = ArgAction::SetTrue)]
    pub(super) quiet: bool,

    /// Files open at once
    #[arg(long, value_name = "N", default_value = "64",
          value_parser = RangedU64ValueParser::<usize>::new().range(1..=65_536))]
    pub(super) open: usize,

    /// Longest line that is taken, in bytes
    #[arg(long, value_name = "SIZE", default_value = "16MiB", value_parser = parse_max_line)]
    pub(super) max_line: u64,

    /// Bytes of lines that may be under way; one line longer than that goes alone
    #[arg(long, value_name = "SIZE", default_value = "64MiB", value_parser = parse_memory)]
    pub(super) memory: u64,
}

const AFTER_HELP: &str = "\
Sizes are bytes, or take K, M or G: 512K is 524288.

Sharing out:
  hash         Equal keys meet at the same receiver: in each run, as long as --receivers stays.
  round-robin  The receivers take turns, over all files: none gets two lines more than another.
  broadcast    Every line goes to every receiver and has one number: the outputs are equal. It needs
               --out if there is more than one receiver. A slow output holds up all.

Output:
  tsv   seq, file, line number and text, parted by tabs. The text comes last and is as it was.
        In the name of a file, tab, newline, return and backslash are \\t, \\n, \\r and \\\\.
  json  {\"seq\":1,\"file\":\"a.log\",\"line\":1,\"text\":\"...\"}, one object a line.
        A line that is not UTF-8 has \"base64\" instead of \"text\",
        a file name that is not has \"file_base64\" instead of \"file\".

  The numbers are one order over all files: each file's lines in their order, the files among
  each other as they were read, which differs from run to run. In each output the numbers rise, also
  where several receivers share standard output.

Table, at the end, on standard error:
  for each receiver the messages and bytes (of text) that are in its output, the number of the last
  of them, and the clock: up to there it has had everything that was meant for it. The total counts
  what was written: with broadcast, each line once for each receiver.

Examples:
  mainspring route a.log b.log                          both in one, numbered, on standard output
  mainspring route -n 4 --key 1 --out parts *.log       equal first words in the same file of four
  mainspring route -n 2 -k 3 -d , -o parts users.csv    by the third column
  mainspring route -n 3 --by broadcast -o copies *.log  three files, each with all lines
  mainspring route -n 4 -k 1 *.log > all.tsv            one stream, counted for each of four
  tail -f app.log | mainspring route - --format json    as it comes

Exit codes:
  0    everything was routed
  1    a file cannot be read or written, or a line is longer than --max-line; the run stops there,
       and what the table says is in the output. Or, at the end, the lines that are written are not
       those that were sent: that would be a mistake of mainspring's own
  2    wrong usage
  130  interrupted (Ctrl-C); 143 terminated (SIGTERM). What is under way is still written;
       a second signal ends it at once
  141  standard output was closed by its reader, as by `head` (no table: how much of it the reader
       took is not known)";

/// What the sender may hold, by the numbers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Memory {
    /// Files open at once.
    pub(super) open: usize,
    /// The usual buffer.
    pub(super) chunk: usize,
    /// All buffers that are lent.
    pub(super) pool: usize,
    /// Slots of one lane.
    pub(super) lane: usize,
    /// An output's write buffer.
    pub(super) write_buffer: usize,
}

impl Args {
    pub(super) fn rule(&self) -> Result<Rule, Error> {
        let key = self.key.map(|field| Key { field, delimiter: self.delimiter.clone() });
        let rule = Rule::new(self.by, key)?;
        if matches!(rule, Rule::All) && self.shares_stdout() {
            return Err(Error::BroadcastWithoutOut { receivers: self.receivers });
        }
        Ok(rule)
    }

    /// Whether several receivers have one output.
    pub(super) fn shares_stdout(&self) -> bool {
        self.out.is_none() && self.receivers > 1
    }

    /// Each open file may keep the start of a line, up to a chunk; at most half of `--memory` goes
    /// there, and what is left is lent out in chunks. Fewer files are open where it is very small.
    pub(super) fn memory(&self) -> Memory {
        let memory = self.memory as usize;
        let open = self.open.min(self.files.len()).min(memory / (2 * CHUNK_MIN)).max(1);
        let chunk = (memory / (2 * open)).clamp(CHUNK_MIN, CHUNK_MAX);
        let pool = memory - open * chunk;
        let slots = (SLOTS / (open * self.receivers)).clamp(LANE_MIN, LANE_MAX);
        let lane = 1 << slots.ilog2();
        let outputs = if self.shares_stdout() { 1 } else { self.receivers };
        let write_buffer = (WRITE_BUFFERS / outputs).clamp(WRITE_BUFFER_MIN, WRITE_BUFFER_MAX);
        Memory { open, chunk, pool, lane, write_buffer }
    }
}

fn parse_delimiter(text: &str) -> Result<String, String> {
    let text = if text == "\\t" { "\t" } else { text };
    match text {
        "\n" => Err("a line end cannot part the fields of a line".to_owned()),
        _ if text.chars().count() == 1 => Ok(text.to_owned()),
        _ => Err("give one character".to_owned()),
    }
}

fn parse_max_line(text: &str) -> Result<u64, String> {
    // Places in a line are 32 bits.
    within(parse_size(text)?, 1, 1024 * MIB)
}

fn parse_memory(text: &str) -> Result<u64, String> {
    within(parse_size(text)?, MIB / 16, 1 << 40)
}

fn within(size: u64, least: u64, most: u64) -> Result<u64, String> {
    if (least..=most).contains(&size) {
        Ok(size)
    } else {
        Err(format!("not in {least} to {most} bytes"))
    }
}

fn parse_size(text: &str) -> Result<u64, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 =
        number.parse().map_err(|_| "not a size, as 4096, 512K or 16MiB".to_owned())?;
    let shift = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        _ => return Err(format!("`{unit}` is none of K, M and G")),
    };
    number.checked_mul(1 << shift).ok_or_else(|| "too large".to_owned())
}
