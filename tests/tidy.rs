//! The style of this repository, as a test: what can be checked about a source file by reading it.

#![cfg(not(loom))]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

const LINES_MAX: usize = 500;
const COLUMNS_MAX: usize = 120;

/// The files that may contain `unsafe`.
const UNSAFE: &[&str] = &[
    "src/ring.rs",
    "src/ring/consumer.rs",
    "src/ring/producer.rs",
    "src/combine.rs",
    "src/latest.rs",
    "src/latest/writer.rs",
    "benches/slots.rs",
    "tests/allocation.rs",
];

/// Which layer a module of the library belongs to; imports go down, or stay in the folder.
const LAYERS: &[(&str, u8)] = &[
    ("sync", 0),
    ("board", 1),
    ("clock", 1),
    ("combine", 1),
    ("error", 1),
    ("given", 1),
    ("inbox", 1),
    ("lane", 1),
    ("latest", 1),
    ("mark", 1),
    ("notice", 1),
    ("order", 1),
    ("park", 1),
    ("pins", 1),
    ("ready", 1),
    ("ring", 1),
    ("tap", 1),
    ("trace", 1),
    ("turns", 1),
    ("waiters", 1),
    ("watch", 1),
    ("dispatcher", 2),
    ("address", 3),
    ("author", 3),
    ("batch", 3),
    ("broadcaster", 3),
    ("closing", 3),
    ("cut", 3),
    ("drive", 3),
    ("embedding", 3),
    ("engine", 3),
    ("follower", 3),
    ("forwarder", 3),
    ("from_clocked_dispatch", 3),
    ("group", 3),
    ("marker", 3),
    ("merge", 3),
    ("outbox", 3),
    ("own_events", 3),
    ("progress", 3),
    ("receiver", 3),
    ("reply", 3),
    ("sender", 3),
    ("shared_sender", 3),
    ("slot", 3),
    ("stall", 3),
    ("stats", 3),
    ("command", 5),
    ("main", 5),
];

struct File {
    path: String,
    text: String,
}

impl File {
    fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(index, line)| (index + 1, line))
    }

    /// Whether it is the library's.
    fn is_library(&self) -> bool {
        self.path.starts_with("src/")
            && self.path != "src/main.rs"
            && !self.path.starts_with("src/command")
    }

    /// The module's first name: `dispatcher` for `src/dispatcher/port.rs`.
    fn module(&self) -> &str {
        let path = self.path.strip_prefix("src/").unwrap_or(&self.path);
        path.split(['/', '.']).next().unwrap_or(path)
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn collect(folder: &Path, files: &mut Vec<File>) {
    let mut entries: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
            files.push(File { path: name, text: fs::read_to_string(&path).unwrap() });
        }
    }
}

fn files() -> Vec<File> {
    let mut files = Vec::new();
    for folder in ["src", "tests", "loom-tests", "benches", "perf"] {
        collect(&root().join(folder), &mut files);
    }
    assert!(files.len() > 20, "found {} files only", files.len());
    files
}

/// Fails with all complaints at once.
fn check(complain: impl Fn(&File, &mut dyn FnMut(usize, &str))) {
    let mut complaints = Vec::new();
    for file in files() {
        complain(&file, &mut |line, what| complaints.push(format!("{}:{line}: {what}", file.path)));
    }
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with("//")
}

#[test]
fn files_are_short_and_open_with_an_account() {
    check(|file, complain| {
        if file.lines().count() > LINES_MAX {
            complain(LINES_MAX, "too long");
        }
        if !file.text.starts_with("//! ") {
            complain(1, "does not open with `//!`");
        }
        for (number, line) in file.lines() {
            if line.chars().count() > COLUMNS_MAX {
                complain(number, "too wide");
            }
        }
    });
}

#[test]
fn unsafe_code_is_where_it_may_be_and_argued() {
    check(|file, complain| {
        let lines: Vec<&str> = file.text.lines().collect();
        for (number, line) in file.lines().filter(|(_, line)| !is_comment(line)) {
            let has = line
                .split(|c: char| !(c.is_alphanumeric() || c == '_'))
                .any(|word| word == "unsafe");
            if !has
                || file.path == "tests/tidy.rs"
                || line.contains("unsafe_code")
                || line.contains("reason =")
            {
                continue;
            }
            if !UNSAFE.contains(&file.path.as_str()) {
                complain(number, "unsafe has no place here");
            }
            let above = &lines[number.saturating_sub(8)..number];
            if !above.iter().any(|line| line.contains("SAFETY:") || line.contains("# Safety")) {
                complain(number, "unsafe without SAFETY");
            }
        }
    });
}

#[test]
fn loom_is_asked_for_in_one_place() {
    check(|file, complain| {
        for (number, line) in file.lines().filter(|(_, line)| !is_comment(line)) {
            if file.is_library()
                && line.contains("cfg(")
                && line.contains("loom")
                && file.path != "src/sync.rs"
            {
                complain(number, "only sync.rs asks cfg(loom)");
            }
        }
    });
}

#[test]
fn orderings_are_named_sites_and_explained() {
    let mut sites = BTreeMap::new();
    for file in files().iter().filter(|file| file.is_library() && file.module() != "sync") {
        for (number, line) in file.lines() {
            for word in ["ord!(\"", "fence!(\"", "light!(\"", "heavy!(\""] {
                if let Some((_, rest)) = line.split_once(word) {
                    let name = rest.split('"').next().unwrap().to_owned();
                    let place = format!("{}:{number}", file.path);
                    assert_eq!(
                        sites.insert(name.clone(), place),
                        None,
                        "two sites are called {name}"
                    );
                }
            }
        }
    }
    assert!(sites.len() > 30, "found {} sites only", sites.len());
    check(|file, complain| {
        if !file.is_library() || file.module() == "sync" {
            return;
        }
        let lines: Vec<&str> = file.text.lines().collect();
        for (number, line) in file.lines() {
            if line.contains("Ordering::") && !line.starts_with("use ") {
                complain(number, "an ordering that is not a named site");
            }
            let is_site =
                ["ord!(\"", "fence!(\"", "light!(\"", "heavy!(\"", "Relaxed)", "Relaxed,"]
                    .iter()
                    .any(|word| line.contains(word));
            let above = &lines[number.saturating_sub(9)..number - 1];
            if is_site
                && !is_comment(line)
                && !line.starts_with("use ")
                && !above.iter().any(|line| is_comment(line))
            {
                complain(number, "an ordering without a word on the lines above it");
            }
        }
    });
}

#[test]
fn imports_go_down() {
    let layer = |module: &str| {
        let found = LAYERS.iter().find(|(name, _)| *name == module);
        found.unwrap_or_else(|| panic!("{module} has no layer")).1
    };
    check(|file, complain| {
        if !file.path.starts_with("src/") || file.path == "src/lib.rs" {
            return;
        }
        for (number, line) in file.lines().filter(|(_, line)| !is_comment(line)) {
            let Some((_, rest)) = line.split_once("use crate::") else { continue };
            let imported = rest.split(|c: char| !(c.is_alphanumeric() || c == '_')).next().unwrap();
            if !imported.is_empty() && layer(imported) > layer(file.module()) {
                complain(number, "an import that goes up");
            }
        }
    });
}

#[test]
fn time_is_read_in_one_place() {
    check(|file, complain| {
        for (number, line) in file.lines().filter(|(_, line)| !is_comment(line)) {
            let reads = ["Instant::now", "SystemTime::now", "thread::sleep"];
            if file.is_library()
                && file.path != "src/park.rs"
                && reads.iter().any(|call| line.contains(call))
            {
                complain(number, "only park.rs reads the time");
            }
        }
    });
}

#[test]
fn words_and_names_that_say_nothing_are_absent() {
    let words = [
        "TO".to_owned() + "DO",
        "FIX".to_owned() + "ME",
        "X".to_owned() + "XX",
        "dbg".to_owned() + "!(",
    ];
    check(|file, complain| {
        let name = Path::new(&file.path).file_stem().unwrap().to_str().unwrap();
        if ["utils", "util", "common", "helpers", "helper", "manager", "misc"].contains(&name) {
            complain(1, "a name that says nothing");
        }
        for (number, line) in file.lines() {
            if words.iter().any(|word| line.contains(word.as_str())) {
                complain(number, "an unfinished thing");
            }
            if line.contains(&format!("#[{}", "ignore")) {
                complain(number, "a test that is switched off");
            }
        }
    });
}

/// Tests are named in the README as `file::test`: `promises::o1_dense`, `loom::o5_clock_safety`.
#[test]
fn every_test_that_the_readme_names_exists() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let files = files();
    let mut named = 0;
    for quoted in readme.split('`').skip(1).step_by(2) {
        let Some((place, test)) = quoted.split_once("::") else { continue };
        let is_name = |word: &str| {
            word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        };
        if !is_name(place) || !is_name(test) {
            continue;
        }
        named += 1;
        let exists = files.iter().any(|file| match place {
            "loom" => {
                file.path.starts_with("loom-tests/")
                    && file.text.contains(&format!("name: \"{test}\""))
            }
            _ => {
                let is_there = file.path == format!("tests/{place}.rs")
                    || file.path.starts_with(&format!("tests/{place}/"));
                is_there && file.text.contains(&format!("fn {test}("))
            }
        });
        assert!(exists, "the README names {quoted}, which does not exist");
    }
    assert!(named >= 10, "the README names {named} tests only");
}
