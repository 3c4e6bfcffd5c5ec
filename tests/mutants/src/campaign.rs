//! The run: first the tests without any mutant, then each mutant with the tests that have to kill it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, IsTerminal};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::failure::Failure;
use crate::list::{Mutant, Test};
use crate::tree::Tree;
use crate::trial::{FOREVER, Outcome, Workshop, limit};

/// What has become of a mutant.
#[derive(Debug)]
pub(crate) struct Judged<'a> {
    pub(crate) mutant: &'a Mutant,
    pub(crate) verdict: Verdict<'a>,
    pub(crate) took: Duration,
}

#[derive(Debug)]
pub(crate) enum Verdict<'a> {
    Killed {
        by: &'a Test,
        how: Outcome,
    },
    Survived,
    /// The list is wrong.
    DoesNotCompile,
}

/// Tries all of them, so many at a time.
pub(crate) fn run<'a>(
    root: &Path,
    mutants: &[&'a Mutant],
    jobs: usize,
) -> Result<Vec<Judged<'a>>, Failure> {
    let folder = root.join("target/seeded");
    let logs = folder.join("logs");
    fs::create_dir_all(&logs).map_err(Failure::at(&logs))?;
    let path = folder.join("lock");
    let lock = File::create(&path).map_err(Failure::at(&path))?;
    lock.try_lock().map_err(|_| Failure::Busy(folder.clone()))?;
    let workshops = (0..jobs).map(|job| {
        let tree = Tree::copy(root, folder.join(format!("tree-{job}")))?;
        Ok(Workshop { tree, builds: folder.join(format!("build-{job}")), logs: logs.clone() })
    });
    let workshops = workshops.collect::<Result<Vec<_>, Failure>>()?;

    let tests: BTreeSet<_> = mutants.iter().flat_map(|mutant| &mutant.killed_by).collect();
    let display = Display::new(tests.len() + mutants.len());
    let tests = tests.into_iter().collect();
    let times =
        in_parallel(&workshops, tests, |workshop, test| unmutated(workshop, test, &display))?;
    let wrong: Vec<_> = times.iter().filter_map(|(_, time)| time.as_ref().err().cloned()).collect();
    if !wrong.is_empty() {
        display.end();
        return Err(Failure::Sound(wrong));
    }
    let times = times.into_iter().filter_map(|(test, time)| Some((test, time.ok()?)));
    let times: BTreeMap<_, _> = times.collect();
    let results = in_parallel(&workshops, mutants.to_vec(), |workshop, mutant| {
        let result = judge(workshop, mutant, &times, &display)?;
        display.tell(mutant.name.as_str(), &result.verdict.to_string());
        Ok(result)
    });
    display.end();
    results
}

/// A test without any mutant: how long it takes, or what is wrong.
type Sound<'a> = (&'a Test, Result<Duration, String>);

fn unmutated<'a>(
    workshop: &Workshop,
    test: &'a Test,
    display: &Display,
) -> Result<Sound<'a>, Failure> {
    display.show(&format!("{test}, without a mutant"));
    let log = format!("unmutated-{}", test.to_string().replace("::", "-"));
    workshop.begin_log(&log)?;
    let Some(program) = workshop.build(test, &log)? else {
        return Ok((test, Err(format!("{test} does not compile: target/seeded/logs/{log}.log"))));
    };
    let (outcome, took) = workshop.run(&program, test, FOREVER, &log)?;
    let sound = match outcome {
        Outcome::Passed => Ok(took),
        Outcome::Absent => Err(format!("there is no test {test}")),
        _ => Err(format!("{test} does not pass: target/seeded/logs/{log}.log")),
    };
    display.step();
    Ok((test, sound))
}

fn judge<'a>(
    workshop: &Workshop,
    mutant: &'a Mutant,
    times: &BTreeMap<&Test, Duration>,
    display: &Display,
) -> Result<Judged<'a>, Failure> {
    display.show(&mutant.name);
    let began = Instant::now();
    let log = &mutant.name;
    workshop.begin_log(log)?;
    let verdict = workshop.tree.with(mutant, || {
        let mut is_built = BTreeSet::new();
        for test in &mutant.killed_by {
            let Some(program) = workshop.build(test, log)? else {
                return Ok(Verdict::DoesNotCompile);
            };
            if is_built.insert(test.is_model()) && !program.is_new {
                let name = &mutant.name;
                let why =
                    format!("{name}: cargo has built nothing, though {} is another", mutant.file);
                return Err(Failure::Sound(vec![why]));
            }
            let limit = limit(times[test]);
            let (how, _) = workshop.run(&program, test, limit, log)?;
            if how.kills() {
                return Ok(Verdict::Killed { by: test, how });
            }
        }
        Ok(Verdict::Survived)
    })?;
    display.step();
    Ok(Judged { mutant, verdict, took: began.elapsed() })
}

/// Does a job for each item, one at a time in each workshop. The results come in the order of the items, or the first
/// failure, after which none is begun.
fn in_parallel<T: Send, R: Send>(
    workshops: &[Workshop],
    items: Vec<T>,
    job: impl Fn(&Workshop, T) -> Result<R, Failure> + Sync,
) -> Result<Vec<R>, Failure> {
    let queue = Mutex::new(items.into_iter().enumerate());
    let done = Mutex::new(Ok(BTreeMap::new()));
    thread::scope(|scope| {
        for workshop in workshops {
            scope.spawn(|| {
                loop {
                    let next = queue.lock().unwrap_or_else(PoisonError::into_inner).next();
                    let Some((nth, item)) = next else { return };
                    let result = job(workshop, item);
                    let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
                    match (&mut *done, result) {
                        (Ok(results), Ok(result)) => drop(results.insert(nth, result)),
                        (Ok(_), Err(failure)) => *done = Err(failure),
                        (Err(_), _) => return,
                    }
                }
            });
        }
    });
    let results = done.into_inner().unwrap_or_else(PoisonError::into_inner)?;
    Ok(results.into_values().collect())
}

/// On a terminal a bar, elsewhere a line for each mutant, both on stderr.
struct Display {
    bar: ProgressBar,
    is_terminal: bool,
}

impl Display {
    fn new(steps: usize) -> Self {
        let bar = ProgressBar::new(steps as u64);
        let bar = match ProgressStyle::with_template("{bar:24} {pos}/{len}, {elapsed}: {msg}") {
            Ok(style) => bar.with_style(style),
            Err(_) => bar,
        };
        Self { bar, is_terminal: io::stderr().is_terminal() }
    }

    fn show(&self, what: &str) {
        self.bar.set_message(what.to_owned());
    }

    fn step(&self) {
        self.bar.inc(1);
    }

    fn tell(&self, who: &str, what: &str) {
        if !self.is_terminal {
            // Nobody reads it if stderr is closed.
            io::Write::write_fmt(&mut io::stderr(), format_args!("{who}: {what}\n")).ok();
        }
    }

    fn end(&self) {
        self.bar.finish_and_clear();
    }
}
