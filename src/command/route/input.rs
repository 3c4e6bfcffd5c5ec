//! The inputs: all of them tried before anything is written, few of them open at once.
//!
//! The first `--open` are opened and kept. Every other one is opened and closed again, so that one
//! which cannot be read ends the run before it begins, however many there are; it is opened for
//! good when its turn comes. A named pipe is only asked whether it may be read: to open and close
//! it would end its writer.
//!
//! An input that is about to be overwritten, as an output of this run or as the file that standard
//! output goes to, is found by its device and inode, whatever names lead to it.

use std::collections::HashMap;
use std::collections::VecDeque;
use std::ffi::OsStr;
use std::fs::{self, File, Metadata};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::vec;

use super::error::Error;
use super::format::Format;

/// Where lines come from, as messages, errors and outputs name it.
#[derive(Debug)]
pub(super) struct Source {
    name: String,
    label: Vec<u8>,
}

/// One open input.
#[derive(Debug)]
pub(super) struct Input {
    pub(super) source: Arc<Source>,
    pub(super) file: File,
    /// A pipe or a terminal: a read may last for ever.
    pub(super) may_wait: bool,
}

/// All inputs, in the order given; each is open when it is handed out.
#[derive(Debug)]
pub(super) struct Inputs {
    opened: VecDeque<Input>,
    rest: vec::IntoIter<PathBuf>,
    format: Format,
    bytes: Option<u64>,
}

/// Files that must not be inputs, by device and inode, with the name they are written under.
#[derive(Debug, Default)]
pub(super) struct Outputs(HashMap<(u64, u64), PathBuf>);

impl Inputs {
    /// Opens the first `at_once`, tries the others. None may be one of `outputs`.
    pub(super) fn open(
        paths: Vec<PathBuf>,
        at_once: usize,
        format: Format,
        outputs: &Outputs,
    ) -> Result<Self, Error> {
        if paths.iter().filter(|path| is_stdin(path)).count() > 1 {
            return Err(Error::StdinTwice);
        }
        let mut opened = VecDeque::new();
        let mut bytes = Some(0);
        for (nth, path) in paths.iter().enumerate() {
            let metadata = if nth < at_once {
                let (input, metadata) = open(path, format)?;
                opened.push_back(input);
                metadata
            } else {
                try_to_open(path)?
            };
            outputs.refuse(path, &metadata)?;
            let size = metadata.is_file().then_some(metadata.len());
            bytes = bytes.zip(size).map(|(sum, size)| sum + size);
        }
        let mut rest = paths.into_iter();
        if !opened.is_empty() {
            rest.nth(opened.len() - 1);
        }
        Ok(Self { opened, rest, format, bytes })
    }

    /// The next one, open. One that could be opened before may be gone by now.
    pub(super) fn next(&mut self) -> Result<Option<Input>, Error> {
        if let Some(input) = self.opened.pop_front() {
            return Ok(Some(input));
        }
        self.rest.next().map(|path| Ok(open(&path, self.format)?.0)).transpose()
    }

    /// The size of all of them, if they are all files that have one.
    pub(super) fn bytes(&self) -> Option<u64> {
        self.bytes
    }
}

impl Source {
    fn new(path: &Path, format: Format) -> Arc<Self> {
        Arc::new(Self { name: name(path), label: format.label(path.as_os_str()) })
    }

    /// For people.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// As it stands in each line of an output, ready made.
    pub(super) fn label(&self) -> &[u8] {
        &self.label
    }
}

impl Outputs {
    pub(super) fn add(&mut self, metadata: &Metadata, path: PathBuf) {
        self.0.insert((metadata.dev(), metadata.ino()), path);
    }

    fn refuse(&self, input: &Path, metadata: &Metadata) -> Result<(), Error> {
        if self.0.is_empty() {
            return Ok(());
        }
        // The name itself may be what is replaced, when it is a symbolic link among the outputs.
        let link = fs::symlink_metadata(input).ok();
        for met in [Some(metadata), link.as_ref()].into_iter().flatten() {
            if let Some(path) = self.0.get(&(met.dev(), met.ino())) {
                return Err(Error::Overwrites { name: name(input), path: path.clone() });
            }
        }
        Ok(())
    }
}

fn open(path: &Path, format: Format) -> Result<(Input, Metadata), Error> {
    let failed = |source| Error::Open { name: name(path), source };
    let file = if is_stdin(path) {
        io::stdin().as_fd().try_clone_to_owned().map(File::from)
    } else {
        File::open(path)
    };
    let file = file.map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if metadata.is_dir() {
        return Err(Error::Directory { name: name(path) });
    }
    let may_wait = !metadata.is_file() && !metadata.file_type().is_block_device();
    Ok((Input { source: Source::new(path, format), file, may_wait }, metadata))
}

fn try_to_open(path: &Path) -> Result<Metadata, Error> {
    let failed = |source| Error::Open { name: name(path), source };
    if !is_stdin(path) {
        let metadata = fs::metadata(path).map_err(failed)?;
        if metadata.file_type().is_fifo() {
            return match rustix::fs::access(path, rustix::fs::Access::READ_OK) {
                Ok(()) => Ok(metadata),
                Err(error) => Err(failed(error.into())),
            };
        }
    }
    // A label would be made for nothing; the format does not matter.
    open(path, Format::Tsv).map(|(_, metadata)| metadata)
}

fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == OsStr::new("-")
}

fn name(path: &Path) -> String {
    if is_stdin(path) { "standard input".to_owned() } else { path.display().to_string() }
}
