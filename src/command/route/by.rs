//! `--by`: what decides which receivers get a line.
//!
//! What the user says, the word and perhaps a key, becomes one [`Rule`], in which they fit each
//! other.

use super::error::Error;
use super::key::Key;

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum By {
    /// Each line to the receiver that its key chooses; needs `--key`
    Hash,
    /// One line to each receiver in turn
    RoundRobin,
    /// Each line to all receivers, with one number
    Broadcast,
}

/// How lines are shared out.
#[derive(Debug)]
pub(super) enum Rule {
    /// To the one that the key chooses.
    Key(Key),
    /// To one after the other.
    Turns,
    /// To all of them.
    All,
}

impl Rule {
    /// A key alone means the hash, and nothing at all means turns.
    pub(super) fn new(by: Option<By>, key: Option<Key>) -> Result<Self, Error> {
        match (by, key) {
            (None | Some(By::Hash), Some(key)) => Ok(Self::Key(key)),
            (None | Some(By::RoundRobin), None) => Ok(Self::Turns),
            (Some(By::Broadcast), None) => Ok(Self::All),
            (Some(By::Hash), None) => Err(Error::HashWithoutKey),
            (Some(by), Some(_)) => Err(Error::KeyWithoutHash { by }),
        }
    }
}
