//! Runs models: each in a process of its own, as many at once as there are cores.
//!
//! A model holds if loom finds no failure, if it explored at least so many executions (a model that explores
//! nothing proves nothing), and if each place that it is about was reached.

use std::collections::BTreeSet;
use std::fmt;
use std::process::{Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use mainspring::parts::sites;

use crate::weaken;

/// One model.
#[derive(Clone, Copy)]
pub struct Model {
    /// What it shows.
    pub name: &'static str,
    /// How many preemptions it explores.
    pub preemptions: usize,
    /// It explores at least this many executions.
    pub executions_min: usize,
    /// What has to be reached in some execution; see [`reach`].
    pub reaches: &'static [&'static str],
    /// One execution.
    pub body: fn(),
}

static REACHED: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());

/// Notes that the model came here.
pub fn reach(place: &'static str) {
    REACHED.lock().unwrap().insert(place);
}

pub fn main(models: &[Model]) -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["--model", name] => run_here(model_named(models, name), false),
        ["--sites", name] => run_here(model_named(models, name), true),
        ["--list"] => {
            for model in models {
                println!("{:44} at most {} preemptions", model.name, model.preemptions);
            }
            ExitCode::SUCCESS
        }
        ["--help" | "-h"] => {
            println!("cargo loom -- [NAME…] | --list | --weaken [SITE…]");
            ExitCode::SUCCESS
        }
        ["--weaken", only @ ..] => weaken::main(models, only),
        names => run_all(models, names),
    }
}

fn model_named<'a>(models: &'a [Model], name: &str) -> &'a Model {
    models.iter().find(|model| model.name == name).expect("a model of that name")
}

/// Explores one model in this process. Its failure is a panic.
fn run_here(model: &Model, list_sites: bool) -> ExitCode {
    static EXECUTIONS: AtomicUsize = AtomicUsize::new(0);
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(model.preemptions);
    builder.max_branches = 50_000;
    let body = model.body;
    builder.check(move || {
        EXECUTIONS.fetch_add(1, Ordering::Relaxed);
        body();
    });
    let executions = EXECUTIONS.load(Ordering::Relaxed);
    if list_sites {
        for (name, ordering, fence) in sites() {
            println!("{name} {ordering:?} {}", if fence { "fence" } else { "access" });
        }
        return ExitCode::SUCCESS;
    }
    println!("{executions}");
    // A weakened model is judged by what it finds, not by how far it looked.
    if std::env::var_os("MAINSPRING_WEAKEN").is_none() {
        assert!(
            executions >= model.executions_min,
            "explored {executions} executions only, not {}",
            model.executions_min
        );
        let reached = REACHED.lock().unwrap();
        for place in model.reaches {
            assert!(reached.contains(place), "never reached: {place}");
        }
    }
    ExitCode::SUCCESS
}

/// How a model ended.
pub enum Outcome {
    Held {
        executions: String,
    },
    /// A failed assertion, a data race, or all threads asleep for ever: what loom proves.
    Failed {
        why: String,
    },
    /// A limit of loom's or of the machine's: proves nothing.
    Undecided {
        why: String,
    },
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Held { executions } => write!(f, "ok, {executions} executions"),
            Self::Failed { why } => write!(f, "FAILED: {why}"),
            Self::Undecided { why } => write!(f, "UNDECIDED: {why}"),
        }
    }
}

/// Explores a model in a process of its own, perhaps with one ordering weakened.
pub fn run_apart(model: &Model, weakened: Option<&str>) -> Outcome {
    let mut command = Command::new(std::env::current_exe().expect("this program has a path"));
    command.args(["--model", model.name]).stdin(Stdio::null());
    if let Some(weakened) = weakened {
        command.env("MAINSPRING_WEAKEN", weakened);
    }
    let output = command.output().expect("this program runs");
    if output.status.success() {
        let executions = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        return Outcome::Held { executions };
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    // The line after "panicked at" says what failed.
    let mut lines = errors.lines().skip_while(|line| !line.contains("panicked at")).skip(1);
    let why = lines.next().unwrap_or("ended without a word").trim().to_owned();
    if why.contains("maximum number of branches") || why.contains("ended without") {
        Outcome::Undecided { why }
    } else {
        Outcome::Failed { why }
    }
}

fn run_all(models: &[Model], names: &[&str]) -> ExitCode {
    let chosen: Vec<Model> = models
        .iter()
        .filter(|model| names.is_empty() || names.iter().any(|name| model.name.contains(name)))
        .copied()
        .collect();
    let failed = Arc::new(AtomicUsize::new(0));
    let count = chosen.len();
    in_parallel(chosen, {
        let failed = failed.clone();
        move |model| {
            let began = Instant::now();
            let outcome = run_apart(&model, None);
            println!("{:44} {outcome} ({:.1} s)", model.name, began.elapsed().as_secs_f32());
            if !matches!(outcome, Outcome::Held { .. }) {
                failed.fetch_add(1, Ordering::Relaxed);
            }
        }
    });
    let failed = failed.load(Ordering::Relaxed);
    println!("{} passed, {failed} failed", count - failed);
    if failed == 0 && count > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Calls `job` for each of `items`, on as many threads as there are cores.
pub fn in_parallel<T: Send>(items: Vec<T>, job: impl Fn(T) + Sync) {
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let queue = Mutex::new(items.into_iter());
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let Some(item) = queue.lock().unwrap().next() else { return };
                    job(item);
                }
            });
        }
    });
}
