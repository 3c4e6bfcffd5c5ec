//! How errors that say nothing but "closed" are serialized: as that word, like those that could say something else.

use serde::{Deserialize, Serialize};

use super::{AdvanceError, WaitError};

/// See the module's documentation.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Closed {
    Closed,
}

macro_rules! plain {
    ($($name:ident)+) => {$(
        impl From<$name> for Closed {
            fn from($name: $name) -> Self {
                Self::Closed
            }
        }

        impl From<Closed> for $name {
            fn from(Closed::Closed: Closed) -> Self {
                Self
            }
        }
    )+};
}

plain! { AdvanceError WaitError }
