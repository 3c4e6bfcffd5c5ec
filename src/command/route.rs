//! `mainspring route`: the lines of many files, numbered in one order, shared out to receivers.
//!
//! ```text
//!           feed (one thread)                        receiver 1 ─▶ output
//!  input ─▶ outbox ─┐                               ╱
//!  input ─▶ outbox ─┼─ lines as ranges of chunks ──▶ receiver 2 ─▶ output
//!  input ─▶ outbox ─┘      of a bounded pool        ╲
//!                                                    receiver N ─▶ output
//!
//!  broadcast:      all inputs ─▶ one broadcaster ─▶ receivers that read a line in one place
//!  without --out:  all receivers ─▶ merged by number, in one thread ─▶ standard output
//! ```
//!
//! The order of what happens is what keeps a mistake harmless: look where the outputs go (`plan`),
//! open or try every input (`input`), only then remove and create (`plan`), and run. While it runs
//! this thread shows the progress; it ends when the sender and all receivers have ended, and
//! whatever made them end, the receivers have written what they got, and the table says how far.

mod account;
mod args;
mod by;
mod error;
mod feed;
mod format;
mod input;
mod key;
mod output;
mod plan;
mod pool;
mod progress;
mod receiver;
mod share;
mod stop;
mod table;

use std::panic;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::{self, Scope, ScopedJoinHandle};
use std::time::Instant;

use mainspring::{Clock, Engine, Receiver};

pub(crate) use args::Args;
use by::Rule;
pub(crate) use error::Error;
use feed::{Fed, Feed, Halt, Limits};
use input::Inputs;
use key::Choice;
use output::Output;
use plan::Plan;
use pool::{Line, Pool};
use progress::Progress;
use receiver::{Lines, Report};
use share::{Share, ToAll, ToOne};
use stop::Stop;

/// The errors are all that ended the run early; the first decides the exit code.
pub(crate) fn run(args: &Args) -> Result<(), Vec<Error>> {
    let (rule, inputs, outputs) = prepare(args).map_err(|error| vec![error])?;
    let started = Instant::now();
    let ran = route(args, &rule, inputs, outputs).map_err(|error| vec![error])?;
    let (mut reports, Fed { sent, halt }) = ran;
    // What a reader that has gone took of the last piece nobody knows, so no table could be right.
    let known =
        !reports.iter().any(|report| matches!(report.error, Some(Error::ClosedPipe { .. })));
    if !args.quiet && known {
        table::print(&reports, started.elapsed());
    }
    let account = account::check(&rule, sent, &reports).err();
    let mut errors: Vec<Error> = reports.iter_mut().filter_map(|r| r.error.take()).collect();
    match halt {
        // Ctrl-C may have ended the reader of our output as well: it is the cause of both.
        Some(Halt::Error(error @ Error::Signal(_))) => errors.insert(0, error),
        Some(Halt::Error(error)) => errors.push(error),
        Some(Halt::Receiver) if errors.is_empty() => {
            errors.push(Error::Engine("it ended before the run did".to_owned()));
        }
        Some(Halt::Receiver) | None => {}
    }
    errors.extend(account);
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

/// Everything that can be found wrong before a line is read.
fn prepare(args: &Args) -> Result<(Rule, Inputs, Vec<Output>), Error> {
    let rule = args.rule()?;
    let plan = match &args.out {
        Some(dir) => Plan::dir(dir.clone(), args.force)?,
        None => Plan::stdout()?,
    };
    let memory = args.memory();
    let inputs = Inputs::open(args.files.clone(), memory.open, args.format, plan.outputs())?;
    let outputs = plan.create(args.receivers, args.format, memory.write_buffer)?;
    Ok((rule, inputs, outputs))
}

/// Makes the receivers and the sender's way to them. That is a source of every receiver from now on:
/// one that is started ends when it is dropped, also if another thread cannot be started.
fn route(
    args: &Args,
    rule: &Rule,
    inputs: Inputs,
    outputs: Vec<Output>,
) -> Result<(Vec<Report>, Fed), Error> {
    let engine = Engine::builder().capacity(args.memory().lane).build();
    let engine = engine.map_err(|error| Error::Engine(error.to_string()))?;
    let clock = engine.clock();
    let choice = match rule {
        Rule::Key(key) => Choice::by_key(key.clone(), args.receivers),
        Rule::Turns => Choice::by_turn(args.receivers),
        Rule::All => {
            let group = engine.group();
            let mut receivers: Vec<_> = (0..args.receivers).map(|_| group.subscribe()).collect();
            let share = ToAll::new(&group, &mut receivers);
            let lines =
                receivers.into_iter().map(|receiver| Lines::One(Box::new(receiver))).collect();
            return run_threads(args, clock, share, inputs, lines, outputs);
        }
    };
    let receivers: Vec<Receiver<Line>> = (0..args.receivers).map(|_| engine.receiver()).collect();
    let share = ToOne::new(&engine, &receivers, choice)?;
    let lines = if args.shares_stdout() {
        vec![Lines::merged(receivers)?]
    } else {
        receivers.into_iter().map(|receiver| Lines::One(Box::new(receiver))).collect()
    };
    run_threads(args, clock, share, inputs, lines, outputs)
}

/// Runs the threads to their ends: what each output has got, and how the sender ended.
fn run_threads(
    args: &Args,
    clock: Clock,
    share: impl Share + Send,
    inputs: Inputs,
    lines: Vec<Lines>,
    outputs: Vec<Output>,
) -> Result<(Vec<Report>, Fed), Error> {
    let memory = args.memory();
    let system = |source| Error::System { what: "catching signals", source };
    let (stop, bell) = Stop::new().map_err(system)?;
    let mut progress = Progress::new(args.quiet, args.out.is_none(), inputs.bytes(), clock);
    let pool = Pool::new(memory.pool, memory.chunk);
    let limits = Limits { open: memory.open, max_line: args.max_line as usize };
    let feed = Feed::new(share, pool, limits, progress.bytes());
    thread::scope(|scope| {
        let (running, ended) = mpsc::channel::<()>();
        let mut threads = Vec::new();
        for (nth, (lines, output)) in lines.into_iter().zip(outputs).enumerate() {
            let (running, bell) = (running.clone(), &bell);
            let thread = spawn(scope, format!("receiver-{:04}", nth + 1), move || {
                let _running = running;
                let report = receiver::run(lines, output, args.format, args.quiet);
                if report.error.is_some() {
                    bell.ring();
                }
                report
            });
            threads.push(thread?);
        }
        let sender = spawn(scope, "sender".to_owned(), || {
            let _running = running;
            feed.run(inputs, &stop)
        })?;
        // Nobody sends anything: it ends when the last of them has dropped its end.
        while let Err(RecvTimeoutError::Timeout) = progress.wait(&ended) {
            progress.tick();
        }
        progress.finish();
        Ok((threads.into_iter().map(join).collect(), join(sender)))
    })
}

fn spawn<'scope, T: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    name: String,
    work: impl FnOnce() -> T + Send + 'scope,
) -> Result<ScopedJoinHandle<'scope, T>, Error> {
    let failed = |source| Error::System { what: "starting a thread", source };
    thread::Builder::new().name(name).spawn_scoped(scope, work).map_err(failed)
}

fn join<T>(thread: ScopedJoinHandle<'_, T>) -> T {
    // A panic there is a mistake of ours, and goes on here.
    thread.join().unwrap_or_else(|panic| panic::resume_unwind(panic))
}
