//! The place where a test of `mainspring route` happens, and how it reads what came of it.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use tempfile::TempDir;

/// One line of an output.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Row {
    pub(crate) seq: u64,
    pub(crate) file: String,
    pub(crate) line: u64,
    pub(crate) text: Vec<u8>,
    /// The receiver's number, from 1.
    pub(crate) output: usize,
}

/// A temporary directory; the command runs in it.
pub(crate) struct Place(TempDir);

impl Place {
    pub(crate) fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    pub(crate) fn path(&self, name: impl AsRef<OsStr>) -> PathBuf {
        self.0.path().join(name.as_ref())
    }

    pub(crate) fn write(&self, name: impl AsRef<OsStr>, content: impl AsRef<[u8]>) {
        fs::write(self.path(name), content).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    pub(crate) fn open(&self, name: &str) -> File {
        File::open(self.path(name)).unwrap()
    }

    pub(crate) fn command(&self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mainspring"));
        command.current_dir(self.0.path()).arg("route").args(args).stdin(Stdio::null());
        command
    }

    /// The command under a shell's limits.
    pub(crate) fn limited(&self, limits: &str) -> Command {
        let mut command = Command::new("sh");
        let script = format!("{limits}; exec \"$0\" route \"$@\"");
        command.current_dir(self.0.path()).args(["-c", &script, env!("CARGO_BIN_EXE_mainspring")]);
        command
    }

    pub(crate) fn route(&self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Output {
        self.command(args).output().unwrap()
    }

    /// What is in the outputs in `dir`, by number.
    pub(crate) fn rows(&self, dir: &str) -> Vec<Row> {
        let mut rows = Vec::new();
        for output in 1.. {
            let Ok(bytes) = fs::read(self.path(format!("{dir}/receiver-{output:04}.tsv"))) else {
                break;
            };
            let of_one = rows_in(&bytes, output);
            assert!(of_one.is_sorted(), "numbers rise in each output");
            rows.extend(of_one);
        }
        rows.sort();
        rows
    }
}

/// How a run ended, with its output for whoever wants to know more.
pub(crate) trait Ends {
    fn succeeds(&self) -> Output;
    fn fails(&self, code: i32, message: &str) -> Output;
}

impl Ends for Output {
    fn succeeds(&self) -> Output {
        let stderr = String::from_utf8_lossy(&self.stderr);
        assert_eq!(self.status.code(), Some(0), "{stderr}");
        self.clone()
    }

    fn fails(&self, code: i32, message: &str) -> Output {
        let stderr = String::from_utf8_lossy(&self.stderr);
        assert_eq!(self.status.code(), Some(code), "{stderr}");
        assert!(stderr.contains(message), "`{message}` is not in:\n{stderr}");
        assert!(!stderr.contains("panicked"), "{stderr}");
        self.clone()
    }
}

/// So many lines that tell where they come from.
pub(crate) fn lines(file: &str, count: usize) -> String {
    (0..count).map(|nth| format!("{file} {nth} user-{}\n", nth % 97)).collect()
}

pub(crate) fn start(command: &mut Command) -> Child {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

pub(crate) fn kill(child: &Child, signal: &str) {
    // A shell's own `kill`: not every system has it as a program.
    let script = format!("kill -s {signal} {}", child.id());
    assert!(Command::new("sh").args(["-c", &script]).status().unwrap().success());
}

/// The lines of one output, as they stand in it.
pub(crate) fn rows_in(output: &[u8], receiver: usize) -> Vec<Row> {
    let lines = output.split_inclusive(|&byte| byte == b'\n');
    let row = |line: &[u8]| {
        let line = line.strip_suffix(b"\n").expect("an output ends with a whole line");
        let mut columns = line.splitn(4, |&byte| byte == b'\t');
        let mut word = || String::from_utf8(columns.next().unwrap().to_vec()).unwrap();
        let (seq, file, line) = (word().parse().unwrap(), word(), word().parse().unwrap());
        Row { seq, file, line, text: columns.next().unwrap().to_vec(), output: receiver }
    };
    lines.map(row).collect()
}

/// The texts of one file, by number.
pub(crate) fn texts_of(rows: &[Row], file: &str) -> Vec<Vec<u8>> {
    rows.iter().filter(|row| row.file == file).map(|row| row.text.clone()).collect()
}

/// The numbers are 1, 2, 3 and so on.
pub(crate) fn assert_dense(rows: &[Row]) {
    assert!(rows.iter().map(|row| row.seq).eq(1..=rows.len() as u64));
}

/// By number, the lines of each file are its first, its second and so on.
pub(crate) fn assert_in_order(rows: &[Row]) {
    let mut next = BTreeMap::new();
    for row in rows {
        let line = next.entry(row.file.as_str()).or_insert(1);
        assert_eq!(row.line, *line, "{row:?}");
        *line += 1;
    }
}

/// The table's rows by their first column: messages, bytes, last seq, clock.
pub(crate) fn table_in(stderr: &[u8]) -> BTreeMap<String, Vec<String>> {
    let text = String::from_utf8_lossy(stderr);
    let mut table = BTreeMap::new();
    for line in text.lines() {
        let mut words = line.split_whitespace().map(str::to_owned);
        let Some(first) = words.next() else { continue };
        if first == "total" || first.parse::<u64>().is_ok() {
            table.insert(first, words.take(4).collect());
        }
    }
    assert!(table.contains_key("total"), "{text}");
    table
}

/// Each receiver's messages and last number, and the total, are those in the outputs.
pub(crate) fn assert_table_tells(table: &BTreeMap<String, Vec<String>>, rows: &[Row]) {
    for (name, told) in table {
        let receiver = name.parse::<usize>().ok();
        let mine = || rows.iter().filter(|row| receiver.is_none_or(|nth| row.output == nth));
        let last = mine().next_back().map_or_else(|| "-".to_owned(), |row| row.seq.to_string());
        assert_eq!([&told[0], &told[2]], [&mine().count().to_string(), &last], "{name}");
    }
}
