//! The command line: which mutants, and how many at once.

use std::num::NonZeroUsize;

use clap::{Args, Parser, Subcommand};

use crate::failure::Failure;
use crate::list::{List, Mutant};

const EXAMPLES: &str = "\
Examples:
  cargo seeded                      all of them
  cargo seeded list                 what there is: what each breaks, and what has to kill it
  cargo seeded check                is each text still there, once? Builds nothing
  cargo seeded gate slot            those with one of these words in their names
  cargo seeded --sample 6           six of them, from all over the engine
  cargo seeded --jobs 2             two at once, each in a copy of its own

What a test has said is in target/seeded/logs afterwards.

Exit status: 0 if all were killed, 1 if one survived, 2 if there is no verdict: the command line or
the list is wrong (a mutant that does not compile, too), or a test fails without any mutant.";

/// Puts mistakes into a copy of the source, one at a time, and demands that the tests find each.
#[derive(Debug, Parser)]
#[command(
    name = "cargo seeded",
    bin_name = "cargo seeded",
    after_help = EXAMPLES,
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    what: What,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Names the mutants.
    List,
    /// Looks whether each text is still there, once, and each test. Builds nothing.
    Check,
}

#[derive(Debug, Args)]
struct What {
    /// Those with one of these words in their names; all of them unless told.
    name: Vec<String>,
    /// How many are tried at once.
    #[arg(long, value_name = "N", default_value = "1")]
    jobs: NonZeroUsize,
    /// No more than so many, spread evenly over those that are asked for.
    #[arg(long, value_name = "N")]
    sample: Option<NonZeroUsize>,
}

impl Cli {
    pub(crate) fn jobs(&self) -> usize {
        self.what.jobs.get()
    }

    /// What is asked for, in the order of the list.
    pub(crate) fn choose<'a>(&self, list: &'a List) -> Result<Vec<&'a Mutant>, Failure> {
        let What { name: words, sample, .. } = &self.what;
        let has = |mutant: &Mutant, word: &String| mutant.name.contains(word.as_str());
        if let Some(word) = words.iter().find(|word| !list.mutants.iter().any(|at| has(at, word))) {
            return Err(Failure::Unknown(word.clone()));
        }
        let is_asked = |at: &&Mutant| words.is_empty() || words.iter().any(|word| has(at, word));
        let asked: Vec<_> = list.mutants.iter().filter(is_asked).collect();
        let count = sample.map_or(asked.len(), NonZeroUsize::get).min(asked.len());
        Ok((0..count).map(|nth| asked[nth * asked.len() / count]).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(arguments: &[&str]) -> Result<Vec<String>, Failure> {
        let cli = Cli::parse_from([&["seeded"], arguments].concat());
        let list = List::load().unwrap();
        let chosen = cli.choose(&list)?;
        Ok(chosen.into_iter().map(|mutant| mutant.name.clone()).collect())
    }

    #[test]
    fn names_are_chosen_by_their_words() {
        let all = chosen(&[]).unwrap();
        let clocks = chosen(&["clock"]).unwrap();
        assert!(!clocks.is_empty() && clocks.len() < all.len());
        assert!(clocks.iter().all(|name| name.contains("clock")));
        assert!(
            matches!(chosen(&["clock", "no-such"]), Err(Failure::Unknown(word)) if word == "no-such")
        );
    }

    #[test]
    fn a_sample_is_spread() {
        let all = chosen(&[]).unwrap();
        let sample = chosen(&["--sample", "5"]).unwrap();
        assert_eq!(sample.len(), 5);
        let place = |name: &String| all.iter().position(|other| other == name).unwrap();
        let places: Vec<_> = sample.iter().map(place).collect();
        assert!(places.windows(2).all(|pair| pair[1] - pair[0] >= all.len() / 5), "{places:?}");
        assert_eq!(chosen(&["--sample", "10000"]).unwrap(), all);
    }
}
