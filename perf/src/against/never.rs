//! Nobody: the ends of a channel that a contender does not have.
//!
//! There is no value of it, so whoever asks for one gets an error.

use super::{Closed, Receiver, Router, Sender};

pub(crate) enum Never {}

impl<T> Sender<T> for Never {
    fn send(&mut self, _value: T) -> Result<(), Closed> {
        match *self {}
    }

    fn send_batch(&mut self, _values: impl Iterator<Item = T>) -> Result<(), Closed> {
        match *self {}
    }
}

impl<T> Router<T> for Never {
    fn send(&mut self, _target: usize, _value: T) -> Result<(), Closed> {
        match *self {}
    }

    fn send_batch(
        &mut self,
        _target: usize,
        _values: impl Iterator<Item = T>,
    ) -> Result<(), Closed> {
        match *self {}
    }
}

impl<T> Receiver<T> for Never {
    fn recv(&mut self) -> Result<T, Closed> {
        match *self {}
    }

    fn recv_batch(&mut self, _max: usize, _take: impl FnMut(T)) -> Result<usize, Closed> {
        match *self {}
    }
}
