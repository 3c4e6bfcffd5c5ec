//! The demo in a terminal: its table comes, keys and signals end it, and the terminal is as it was.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Child, Stdio};

use rustix::fs::{Mode, OFlags, open};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};

use super::{assert_all_held, demo, kill};

const ENTER: &str = "\x1b[?1049h";
const LEAVE: &str = "\x1b[?1049l";
const SHOW_CURSOR: &str = "\x1b[?25h";

/// A terminal of 80 columns and 24 lines, and the demo in it.
struct Terminal {
    ours: File,
    theirs: OwnedFd,
    child: Child,
    /// What it has been shown.
    shown: Vec<u8>,
}

impl Terminal {
    fn start() -> Self {
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&ours).unwrap();
        unlockpt(&ours).unwrap();
        let name = ptsname(&ours, Vec::new()).unwrap();
        let theirs = open(&*name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
        let size = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&theirs, size).unwrap();
        let end = || Stdio::from(theirs.try_clone().unwrap());
        let mut command = demo(&["--seconds", "300"]);
        let child = command.stdin(end()).stdout(end()).stderr(end()).spawn().unwrap();
        Self { ours: File::from(ours), theirs, child, shown: Vec::new() }
    }

    /// Reads until it has shown this.
    fn read_until(&mut self, wanted: &str) {
        while !self.text().contains(wanted) {
            self.read_more();
        }
    }

    fn read_more(&mut self) {
        let mut buffer = [0; 4096];
        let read = self.ours.read(&mut buffer).unwrap();
        self.shown.extend_from_slice(&buffer[..read]);
    }

    fn text(&self) -> String {
        // A character may have come in part.
        String::from_utf8_lossy(&self.shown).into_owned()
    }

    fn echoes(&self) -> bool {
        let modes = tcgetattr(&self.theirs).unwrap().local_modes;
        modes.contains(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG)
    }
}

/// Waits for the table, ends the demo, and looks at what is left.
fn assert_ends_by(end: impl FnOnce(&mut Terminal)) {
    let mut terminal = Terminal::start();
    terminal.read_until("receiver");
    terminal.read_until("sender");
    assert!(!terminal.echoes(), "keys are for the demo alone");
    end(&mut terminal);
    // The end of the report.
    terminal.read_until("memberships");
    while !terminal.text().ends_with('\n') {
        terminal.read_more();
    }
    assert_eq!(terminal.child.wait().unwrap().code(), Some(0));
    assert!(terminal.echoes());
    let text = terminal.text();
    let (table, rest) = text.split_once(LEAVE).expect("the way back");
    assert!(table.contains(ENTER) && !table.contains("promise"));
    assert!(rest.contains(SHOW_CURSOR));
    let report = rest.rsplit_once('\x1b').map_or(rest, |(_, rest)| rest);
    let report = report.trim_start_matches("[?25h");
    assert_all_held(report.trim_end());
}

#[test]
fn keys_and_signals_end_the_table_and_the_terminal_is_as_it_was() {
    for key in [&b"q"[..], b"\x1b", b"\x03"] {
        assert_ends_by(|terminal| terminal.ours.write_all(key).unwrap());
    }
    for signal in ["INT", "TERM"] {
        assert_ends_by(|terminal| kill(&terminal.child, signal));
    }
}
