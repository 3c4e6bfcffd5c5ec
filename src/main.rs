//! The `mainspring` command: parse what was asked, do it, say what went wrong, exit.
//!
//! Everything else is in [`command`]. A user's mistake ends in one line on standard error and an
//! exit code, never in a panic.

mod command;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

use command::Cli;

fn main() -> ExitCode {
    match Cli::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let mut stderr = std::io::stderr().lock();
            for message in failure.messages() {
                if writeln!(stderr, "error: {message}").is_err() {
                    break; // Nobody reads it: the exit code still tells.
                }
            }
            ExitCode::from(failure.exit_code())
        }
    }
}
