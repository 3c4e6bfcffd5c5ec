//! Weakens each ordering of the source in turn, and demands that a model fails.
//!
//! Release and Acquire become Relaxed, AcqRel either half, a fence weaker or nothing. What kills is a failed
//! assertion, a data race, or all threads asleep for ever; a limit of loom's does not count. A survivor is an ordering
//! that is not needed, or one that loom cannot see: those are listed, with the reason, in `SURVIVORS`. What a barrier
//! hides is weakened once more without the barrier, if `HIDDEN` says so.

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, ExitCode};
use std::sync::Mutex;

use crate::harness::{Model, Outcome, in_parallel, run_apart};

/// Weakened forms that no model can tell from the ordering as written, and why it stands all the same.
const SURVIVORS: &[(&str, &str)] = &[
    (
        "tap.begin.publish=Relaxed",
        "hidden by the light barrier before it; the thread sanitizer sees it",
    ),
    (
        "group.tell.light=AcqRel",
        "the pass of whoever goes to sleep reads the list on which the change was put before",
    ),
    (
        "group.tell.light=none",
        "as with AcqRel; it is there for when somebody else has taken that list",
    ),
    (
        "drive.baton.pass=Relaxed",
        "keeps the release of the core before it; loom never swaps two stores",
    ),
    ("drive.baton.take=Relaxed", "the other half of drive.baton.pass"),
    (
        "errands.take=Relaxed",
        "hidden by the pass's light barrier before it, which is a fence in models",
    ),
    (
        "inbox.head.publish=Relaxed",
        "keeps the reads of entries before it: load buffering, which loom has not",
    ),
    ("inbox.sleeps.publish=Relaxed", "one that is missed costs kicks, nothing else"),
    ("inbox.sleeps.read=Relaxed", "the other half of inbox.sleeps.publish"),
    ("inbox.head.read=Relaxed", "the other half of inbox.head.publish"),
    (
        "inbox.overflow.take=Relaxed",
        "the look before it acquired the same list, unless another lane ended between the two",
    ),
    (
        "lane.attention.fence=AcqRel",
        "the light barrier before it is a fence here, and none in the product",
    ),
    ("lane.attention.fence=none", "as lane.attention.fence=AcqRel"),
    ("park.fence=AcqRel", "the light barrier before it is a fence here, and none in the product"),
    ("park.fence=none", "as park.fence=AcqRel"),
    (
        "wait.task.fence=AcqRel",
        "the light barriers before and after it are fences here, and none in the product",
    ),
    ("wait.task.fence=none", "as wait.task.fence=AcqRel"),
    ("lane.again=Relaxed", "the light barrier before it is a fence here, and none in the product"),
    (
        "lane.tail.end=Relaxed",
        "the light barrier before it is a fence here, and none in the product",
    ),
    (
        "lane.waived.publish=Relaxed",
        "the light barrier before it is a fence here, and none in the product",
    ),
    (
        "park.disarm=Relaxed",
        "shows a baton to one who has just found what it looked for: more kicks than a model makes",
    ),
    ("park.slept=Relaxed", "as park.disarm; after a real sleep the signal synchronises, too"),
    (
        "close.drain.heavy=AcqRel",
        "the light barriers of the pass that follows are fences here, and none in the product",
    ),
    ("close.drain.heavy=none", "as close.drain.heavy=AcqRel"),
    (
        "close.receiver.light=AcqRel",
        "a receiver has passed the light barrier of its last head, or a heavy one when it leaves",
    ),
    ("close.receiver.light=none", "as close.receiver.light=AcqRel"),
    (
        "receiver.leave.heavy=AcqRel",
        "the pass of the leave comes between, whose light barrier is a fence here, and none in the product",
    ),
    (
        "pass.cold.heavy=AcqRel",
        "the light barrier at the end of the pass before is a fence here, and none in the product",
    ),
    ("pass.cold.heavy=none", "as pass.cold.heavy=AcqRel"),
    (
        "ready.raise.group=Relaxed",
        "orders the bit below before this one; loom's read-modify-writes always read the newest value",
    ),
    ("ready.raise.root=Relaxed", "as ready.raise.group"),
    ("ready.take.group=Relaxed", "the other half of ready.raise.group"),
    ("ready.take.root=Relaxed", "the other half of ready.raise.root"),
    ("receiver.leave.heavy=none", "as receiver.leave.heavy=AcqRel"),
    (
        "lane.taken.publish=Relaxed",
        "needed for a lane of which the dispatcher had not heard; others have the position from the fence",
    ),
];

/// Weakened forms that a barrier hides here, and not in the product. They have to fail without the barrier, in a model
/// that holds without it.
const HIDDEN: &[(&str, &str)] = &[
    // A light barrier is a fence here.
    ("latest.cut=Relaxed", "pins.look.light=none"),
    // Loom has no step between a store and the fence that follows.
    ("pins.pending=Relaxed", "pins.take.heavy=none"),
];

struct Mutant {
    weakened: String,
    /// The models that come by this place, the cheapest first.
    models: Vec<Model>,
}

pub fn main(models: &[Model], only: &[&str]) -> ExitCode {
    let mutants: Vec<Mutant> = mutants(models)
        .into_iter()
        .filter(|mutant| only.is_empty() || only.iter().any(|site| mutant.weakened.contains(site)))
        .collect();
    let unreached = if only.is_empty() { unreached(&mutants) } else { Vec::new() };
    let total = mutants.len();
    let verdicts = Mutex::new(BTreeMap::new());
    in_parallel(mutants, |mutant| {
        let verdict = judge(&mutant);
        println!("{:36} {verdict}", mutant.weakened);
        verdicts.lock().unwrap().insert(mutant.weakened, verdict);
    });
    let verdicts = verdicts.into_inner().unwrap();
    let survivors: Vec<_> =
        verdicts.iter().filter(|(_, verdict)| !verdict.starts_with("killed")).collect();
    let known: BTreeMap<_, _> = SURVIVORS.iter().copied().collect();
    println!("\n{total} weakened forms, {} killed", total - survivors.len());
    let mut unexplained = 0;
    for (weakened, verdict) in survivors {
        match known.get(weakened.as_str()) {
            Some(reason) => println!("{weakened:36} survives, as known: {reason}"),
            None => {
                unexplained += 1;
                println!("{weakened:36} {verdict}, UNEXPLAINED");
            }
        }
    }
    for site in &unreached {
        unexplained += 1;
        println!("{site:36} is reached by no model, UNEXPLAINED");
    }
    println!("{} passed, {unexplained} failed", total + unreached.len() - unexplained);
    if unexplained == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The sites that stand in the source, but by which no model comes.
fn unreached(mutants: &[Mutant]) -> Vec<String> {
    let mut sites = BTreeSet::new();
    let mut folders = vec![std::path::PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("the source is here") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).expect("text");
            for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
                for word in ["ord!(\"", "fence!(\"", "light!(\"", "heavy!(\""] {
                    if let Some((_, rest)) = line.split_once(word) {
                        sites.extend(rest.split('"').next().map(str::to_owned));
                    }
                }
            }
        }
    }
    let reached = |site: &String| {
        mutants.iter().any(|mutant| mutant.weakened.starts_with(&format!("{site}=")))
    };
    sites.into_iter().filter(|site| !reached(site)).collect()
}

fn judge(mutant: &Mutant) -> String {
    let mut undecided = None;
    for model in &mutant.models {
        match run_apart(model, Some(&mutant.weakened)) {
            Outcome::Failed { why } => {
                let why: String = why.chars().take(60).collect();
                return format!("killed by {}: {why}", model.name);
            }
            Outcome::Undecided { why } => {
                undecided = Some(format!("undecided in {}: {why}", model.name))
            }
            Outcome::Held { .. } => {}
        }
    }
    if let Some((weakened, barrier)) = HIDDEN.iter().find(|(hidden, _)| *hidden == mutant.weakened)
    {
        let holds_without =
            |model: &&Model| matches!(run_apart(model, Some(barrier)), Outcome::Held { .. });
        for model in mutant.models.iter().filter(holds_without) {
            if let Outcome::Failed { .. } = run_apart(model, Some(&format!("{weakened},{barrier}")))
            {
                return format!("killed by {}, with {barrier}", model.name);
            }
        }
    }
    undecided.unwrap_or_else(|| "SURVIVES".to_owned())
}

/// Every weakened form of every site that some model reaches.
fn mutants(models: &[Model]) -> Vec<Mutant> {
    let reached = Mutex::new(BTreeMap::<(String, String, bool), BTreeSet<usize>>::new());
    in_parallel((0..models.len()).collect(), |index| {
        let program = std::env::current_exe().expect("this program has a path");
        let output = Command::new(program).args(["--sites", models[index].name]).output();
        let output = output.expect("this program runs");
        for line in String::from_utf8_lossy(&output.stdout).lines() {
            let words: Vec<&str> = line.split(' ').collect();
            if let [name, ordering, kind] = words[..] {
                let site = (name.to_owned(), ordering.to_owned(), kind == "fence");
                reached.lock().unwrap().entry(site).or_default().insert(index);
            }
        }
    });
    let mut mutants = Vec::new();
    for ((name, ordering, fence), reaching) in reached.into_inner().unwrap() {
        let forms: &[&str] = match (ordering.as_str(), fence) {
            ("SeqCst", true) => &["AcqRel", "none"],
            (_, true) => &["none"],
            ("AcqRel", false) => &["Acquire", "Release"],
            (_, false) => &["Relaxed"],
        };
        let mut models: Vec<Model> = reaching.iter().map(|&index| models[index]).collect();
        models.sort_by_key(|model| model.executions_min);
        for form in forms {
            mutants.push(Mutant { weakened: format!("{name}={form}"), models: models.clone() });
        }
    }
    mutants
}
