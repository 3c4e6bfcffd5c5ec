//! What can be asked of `mainspring`, one subcommand each, and how a failure of any is told.
//!
//! A subcommand is a folder of its own with its arguments, its typed errors and a `run`. Here they
//! only meet: [`Cli`] finds out which one is meant, [`Failure`] is what `main` prints.

mod demo;
mod route;

use clap::{Parser, Subcommand};

/// Messages between threads, in one total order.
#[derive(Debug, Parser)]
#[command(name = "mainspring", version, about, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Route(route::Args),
    Demo(demo::Args),
}

impl Cli {
    pub(crate) fn run(self) -> Result<(), Failure> {
        match self.command {
            Command::Route(args) => route::run(&args).map_err(|errors| {
                let code = errors.first().map_or(1, route::Error::exit_code);
                let told = errors.iter().filter(|error| !error.is_silent());
                Failure { code, messages: told.map(ToString::to_string).collect() }
            }),
            Command::Demo(args) => demo::run(&args).map_err(|error| Failure {
                code: error.exit_code(),
                messages: vec![error.to_string()],
            }),
        }
    }
}

/// Why a command ended early: the lines to print, and the code to exit with.
#[derive(Debug)]
pub(crate) struct Failure {
    code: u8,
    messages: Vec<String>,
}

impl Failure {
    pub(crate) fn messages(&self) -> &[String] {
        &self.messages
    }

    pub(crate) fn exit_code(&self) -> u8 {
        self.code
    }
}
