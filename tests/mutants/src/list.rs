//! The mutants, as data: one file for each part of the engine.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::failure::Failure;

/// All of them.
#[derive(Debug)]
pub(crate) struct List {
    /// The repository.
    pub(crate) root: PathBuf,
    pub(crate) mutants: Vec<Mutant>,
}

/// A mistake.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Mutant {
    /// In words with hyphens.
    pub(crate) name: String,
    /// What it breaks, in a sentence.
    pub(crate) breaks: String,
    /// Whose text is changed, from the root of the repository.
    pub(crate) file: String,
    /// What stands there, exactly once.
    pub(crate) from: String,
    /// What stands there instead.
    pub(crate) to: String,
    /// What has to kill it, the first that does; mostly it is one.
    pub(crate) killed_by: Vec<Test>,
    /// The part of the engine: the name of the file of the list.
    #[serde(skip)]
    pub(crate) part: String,
}

/// A test: `file::test` in `tests/`, or `loom::model`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Test {
    /// The file in `tests/`, or `loom`.
    pub(crate) target: String,
    /// The path of the test within it, or the name of the model.
    pub(crate) name: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Part {
    mutant: Vec<Mutant>,
}

impl List {
    /// Reads the list.
    pub(crate) fn load() -> Result<Self, Failure> {
        // Of the clone that it is run in, which need not be the one that it was built in.
        let here = std::env::var_os("CARGO_MANIFEST_DIR");
        let here = here.map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
        let root = here.ancestors().nth(2).unwrap_or(&here).to_owned();
        let folder = here.join("list");
        let entries = fs::read_dir(&folder).map_err(Failure::at(&folder))?;
        let mut paths = entries
            .map(|entry| Ok(entry.map_err(Failure::at(&folder))?.path()))
            .collect::<Result<Vec<_>, Failure>>()?;
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
        paths.sort();
        let mut mutants = Vec::new();
        for path in paths {
            let text = fs::read_to_string(&path).map_err(Failure::at(&path))?;
            let part: Part = toml::from_str(&text)
                .map_err(|error| Failure::List(vec![format!("{}: {error}", path.display())]))?;
            let name = path.file_stem().unwrap_or_default().to_string_lossy();
            mutants.extend(
                part.mutant.into_iter().map(|at| Mutant { part: name.clone().into(), ..at }),
            );
        }
        Ok(Self { root, mutants })
    }

    /// Whether each mutant can be made, and each test is there; all complaints at once.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        let mut wrong = Vec::new();
        let mut names = BTreeSet::new();
        for mutant in &self.mutants {
            let mut complain = |what: String| wrong.push(format!("{}: {what}", mutant.name));
            if !is_name(&mutant.name) {
                complain("not a name in words with hyphens".to_owned());
            }
            if !names.insert(&mutant.name) {
                complain("a second one of this name".to_owned());
            }
            if !mutant.breaks.ends_with('.') {
                complain("`breaks` is not a sentence".to_owned());
            }
            let text = fs::read_to_string(self.root.join(&mutant.file));
            match text.map_err(|error| error.to_string()).and_then(|text| mutant.apply(&text)) {
                Ok(_) => {}
                Err(why) => complain(format!("{}: {why}", mutant.file)),
            }
            if mutant.killed_by.is_empty() {
                complain("nothing has to kill it".to_owned());
            }
            for test in mutant.killed_by.iter().filter(|test| !test.exists(&self.root)) {
                complain(format!("there is no test {test}"));
            }
        }
        if wrong.is_empty() { Ok(()) } else { Err(Failure::List(wrong)) }
    }
}

fn is_name(name: &str) -> bool {
    let is_word = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase());
    name.split('-').all(is_word)
}

impl Mutant {
    /// The text with the mistake in it.
    pub(crate) fn apply(&self, text: &str) -> Result<String, String> {
        if self.from == self.to {
            return Err("the texts are the same".to_owned());
        }
        match text.matches(&self.from).count() {
            1 => Ok(text.replacen(&self.from, &self.to, 1)),
            0 => Err("the text is not there any more".to_owned()),
            count => Err(format!("the text is there {count} times")),
        }
    }
}

impl Test {
    pub(crate) fn is_model(&self) -> bool {
        self.target == "loom"
    }

    /// Whether it stands in the source.
    fn exists(&self, root: &Path) -> bool {
        if self.is_model() {
            return has_line(&root.join("loom-tests"), &format!("name: \"{}\"", self.name));
        }
        let (folder, test) = self.name.rsplit_once("::").unwrap_or(("", &self.name));
        let tests = root.join("tests");
        let file = match folder {
            "" => tests.join(format!("{}.rs", self.target)),
            module => tests.join(&self.target).join(format!("{}.rs", module.replace("::", "/"))),
        };
        has_line(&file, &format!("fn {test}("))
    }
}

/// Whether a file, or one of a folder, has this text.
fn has_line(path: &Path, text: &str) -> bool {
    match fs::read_dir(path) {
        Ok(entries) => entries.flatten().any(|entry| has_line(&entry.path(), text)),
        Err(_) => fs::read_to_string(path).is_ok_and(|file| file.contains(text)),
    }
}

impl TryFrom<String> for Test {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.split_once("::") {
            Some((target, name)) if !target.is_empty() && !name.is_empty() => {
                Ok(Self { target: target.to_owned(), name: name.to_owned() })
            }
            _ => Err(format!("`{text}` is not a test: file::test or loom::model")),
        }
    }
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}::{}", self.target, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mutant(from: &str, to: &str) -> Mutant {
        let (from, to) = (from.to_owned(), to.to_owned());
        let (name, breaks) = ("a-name".to_owned(), "It breaks.".to_owned());
        let (file, part) = ("src/lib.rs".to_owned(), String::new());
        Mutant { name, breaks, file, from, to, killed_by: Vec::new(), part }
    }

    #[test]
    fn a_text_is_replaced_where_it_stands_once() {
        assert_eq!(mutant("b", "x").apply("abc"), Ok("axc".to_owned()));
        assert!(mutant("b", "x").apply("abcb").unwrap_err().contains("2 times"));
        assert!(mutant("d", "x").apply("abc").unwrap_err().contains("not there"));
        assert!(mutant("b", "b").apply("abc").is_err());
    }

    #[test]
    fn the_list_is_right() {
        let list = List::load().unwrap();
        list.check().unwrap();
        assert!(list.mutants.len() >= 35, "{} only", list.mutants.len());
    }

    #[test]
    fn what_is_wrong_with_a_list_is_told_at_once() {
        let mut list = List::load().unwrap();
        list.mutants.truncate(2);
        list.mutants[0].from.push_str("never written");
        list.mutants[1].killed_by = vec!["promises::no_such".to_owned().try_into().unwrap()];
        let Err(Failure::List(wrong)) = list.check() else { panic!("nothing is wrong") };
        assert!(wrong[0].contains("not there any more"), "{wrong:?}");
        assert!(wrong[1].contains("no test promises::no_such"), "{wrong:?}");
    }

    #[test]
    fn a_test_is_a_file_and_a_path() {
        let test = |text: &str| Test::try_from(text.to_owned());
        let crowd = test("fairness::crowd::a_cold_lane_ends").unwrap();
        assert_eq!(
            (crowd.target.as_str(), crowd.name.as_str()),
            ("fairness", "crowd::a_cold_lane_ends")
        );
        assert!(test("loom::o5_clock_safety").unwrap().is_model());
        assert!(test("promises").is_err() && test("::x").is_err());
    }
}
