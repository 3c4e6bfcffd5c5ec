//! One test, built and run in a copy of the sources.
//!
//! It is built first, and run by itself, so that a mutant that does not compile is told from one that is killed, and
//! the time that a test may take is the test's alone.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde::Deserialize;
use wait_timeout::ChildExt;

use crate::failure::Failure;
use crate::list::Test;
use crate::tree::Tree;

/// As many times as long as without the mutant: it hangs.
const HANGS_AFTER: u32 = 10;

/// Nothing hangs before this.
const PATIENCE: Duration = Duration::from_secs(15);

/// Without any mutant it may take so long.
pub(crate) const FOREVER: Duration = Duration::from_secs(600);

/// Words of a model that has found nothing, but was not able to go on: they prove nothing.
const UNDECIDED: [&str; 3] = ["maximum number of branches", "executions only", "never reached"];

/// A copy of the sources, and where it is built. Each copy has a place of its own: cargo takes the same package in
/// another folder for the same, and would find built what another has changed.
#[derive(Debug)]
pub(crate) struct Workshop {
    pub(crate) tree: Tree,
    /// What is built, from one mutant to the next.
    pub(crate) builds: PathBuf,
    /// What the tests have said.
    pub(crate) logs: PathBuf,
}

/// A program of tests.
#[derive(Debug)]
pub(crate) struct Program {
    path: PathBuf,
    /// The engine was built for it, not found as it had been built before.
    pub(crate) is_new: bool,
}

/// How a test has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Passed,
    Failed,
    /// By a signal, as from an abort.
    Crashed,
    Hung,
    /// There is no such test.
    Absent,
    /// A model gave up.
    Undecided,
}

impl Outcome {
    pub(crate) fn kills(self) -> bool {
        matches!(self, Self::Failed | Self::Crashed | Self::Hung)
    }
}

/// What cargo says of what it has built.
#[derive(Deserialize)]
struct Artifact {
    executable: Option<PathBuf>,
    target: Target,
    fresh: bool,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

/// So long a test may take that took `before` without any mutant.
pub(crate) fn limit(before: Duration) -> Duration {
    PATIENCE.max(before * HANGS_AFTER)
}

impl Workshop {
    /// Builds the program of a test from a copy of the sources; none if it does not compile.
    pub(crate) fn build(&self, test: &Test, log: &str) -> Result<Option<Program>, Failure> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command.current_dir(self.tree.folder()).args([
            "test",
            "--no-run",
            "--message-format",
            "json-render-diagnostics",
        ]);
        let folder = if test.is_model() {
            // As `cargo loom` does; but the engine itself is built quickly, and what it stands on once.
            command.args(["--config", "build.rustflags=['--cfg=loom','--cfg=crossbeam_loom']"]);
            command.args(["--config", "profile.loom.opt-level=1"]);
            command.args(["--config", "profile.loom.package.'*'.opt-level=3", "--profile", "loom"]);
            "loom"
        } else {
            "tests"
        };
        command.arg("--target-dir").arg(self.builds.join(folder)).args(["--test", &test.target]);
        // Nearly all stays the same from one mutant to the next.
        command.env("CARGO_INCREMENTAL", "1").stdin(Stdio::null());
        command.stderr(self.log(log)?);
        let output =
            command.output().map_err(|error| Failure::Program("cargo".to_owned(), error))?;
        if !output.status.success() {
            return Ok(None);
        }
        let lines = output.stdout.split(|&byte| byte == b'\n');
        let (mut path, mut is_new) = (None, false);
        for line in lines {
            // Other lines are of no interest.
            let Ok(Artifact { executable, target, fresh }) = serde_json::from_slice(line) else {
                continue;
            };
            is_new |= target.name == "mainspring" && !fresh;
            if target.name == test.target && target.kind.iter().any(|kind| kind == "test") {
                path = executable;
            }
        }
        Ok(path.map(|path| Program { path, is_new }))
    }

    /// Runs a test, and tells how long it took.
    pub(crate) fn run(
        &self,
        program: &Program,
        test: &Test,
        limit: Duration,
        log: &str,
    ) -> Result<(Outcome, Duration), Failure> {
        let mut command = Command::new(&program.path);
        match test.is_model() {
            true => command.args(["--model", &test.name]),
            false => command.args(["--exact", &test.name]),
        };
        command.current_dir(self.tree.folder()).env("RUST_BACKTRACE", "0").stdin(Stdio::null());
        command.stdout(self.log(log)?).stderr(self.log(log)?);
        let fails = |error| Failure::Program(program.path.display().to_string(), error);
        let began = Instant::now();
        let mut child = command.spawn().map_err(fails)?;
        let ended = child.wait_timeout(limit).map_err(fails)?;
        if ended.is_none() {
            // It may have ended by itself just now.
            child.kill().ok();
            child.wait().map_err(fails)?;
        }
        let took = began.elapsed();
        let path = self.path_of(log);
        let said = fs::read(&path).map_err(Failure::at(&path))?;
        Ok((outcome(ended, &String::from_utf8_lossy(&said), test), took))
    }

    fn path_of(&self, log: &str) -> PathBuf {
        self.logs.join(format!("{log}.log"))
    }

    /// What is said is added to this file.
    fn log(&self, log: &str) -> Result<File, Failure> {
        let path = self.path_of(log);
        File::options().create(true).append(true).open(&path).map_err(Failure::at(&path))
    }

    /// Forgets what was said before.
    pub(crate) fn begin_log(&self, log: &str) -> Result<(), Failure> {
        let path = self.path_of(log);
        File::create(&path).map(drop).map_err(Failure::at(&path))
    }
}

fn outcome(ended: Option<ExitStatus>, said: &str, test: &Test) -> Outcome {
    let Some(status) = ended else { return Outcome::Hung };
    if status.success() {
        let is_there = test.is_model() || said.contains("running 1 test\n");
        return if is_there { Outcome::Passed } else { Outcome::Absent };
    }
    if test.is_model() && UNDECIDED.iter().any(|words| said.contains(words)) {
        return Outcome::Undecided;
    }
    if status.code().is_some() { Outcome::Failed } else { Outcome::Crashed }
}

#[cfg(all(test, unix))]
mod tests {
    use std::path::Path;
    use std::sync::Mutex;

    use super::*;

    /// One at a time: who has just been started holds for a moment what another is writing, which cannot be run then.
    static STARTS: Mutex<()> = Mutex::new(());

    fn ends(script: &str, said: &str, test: &str) -> Outcome {
        let _alone = STARTS.lock().unwrap();
        let status = Command::new("sh").args(["-c", script]).status().unwrap();
        outcome(Some(status), said, &test.to_owned().try_into().unwrap())
    }

    #[test]
    fn an_end_is_told_from_another() {
        assert_eq!(ends("exit 0", "running 1 test\n", "a::b"), Outcome::Passed);
        assert_eq!(ends("exit 0", "running 0 tests\n", "a::b"), Outcome::Absent);
        assert_eq!(ends("exit 101", "running 1 test\n", "a::b"), Outcome::Failed);
        assert_eq!(ends("kill -ABRT $$", "running 1 test\n", "a::b"), Outcome::Crashed);
        assert_eq!(
            ends("exit 101", "explored 3 executions only, not 80", "loom::b"),
            Outcome::Undecided
        );
        assert_eq!(ends("exit 101", "deadlock; threads = []", "loom::b"), Outcome::Failed);
        assert!(Outcome::Hung.kills() && !Outcome::Undecided.kills() && !Outcome::Absent.kills());
    }

    #[test]
    fn what_takes_too_long_hangs() {
        let _alone = STARTS.lock().unwrap();
        let folder = std::env::temp_dir().join(format!("seeded-{}", std::process::id()));
        let tree = Tree::copy(Path::new(env!("CARGO_MANIFEST_DIR")), folder.join("tree")).unwrap();
        let workshop = Workshop { tree, builds: folder.clone(), logs: folder.clone() };
        let path = folder.join("program");
        fs::write(&path, "#!/bin/sh\nexec sleep 600\n").unwrap();
        let mut permissions = fs::metadata(&path).unwrap().permissions();
        std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o755);
        fs::set_permissions(&path, permissions).unwrap();
        let test = "a::b".to_owned().try_into().unwrap();
        let program = Program { path, is_new: true };
        let run = workshop.run(&program, &test, Duration::from_millis(50), "it");
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(run.unwrap().0, Outcome::Hung);
    }
}
