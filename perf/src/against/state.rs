//! A state of which only the newest matters: who publishes it, and who waits for it to change.

use super::Closed;
use super::never::Never;

pub(crate) trait Publisher<T>: Send + 'static {
    fn publish(&mut self, state: T) -> Result<(), Closed>;
}

pub(crate) trait Reader<T>: Send + 'static {
    /// Waits for a state that this one has not yet read; of several it is the newest.
    fn changed(&mut self) -> Result<T, Closed>;
}

impl<T> Publisher<T> for Never {
    fn publish(&mut self, _state: T) -> Result<(), Closed> {
        match *self {}
    }
}

impl<T> Reader<T> for Never {
    fn changed(&mut self) -> Result<T, Closed> {
        match *self {}
    }
}
