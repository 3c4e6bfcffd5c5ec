//! tokio's watch, used from threads, without a runtime.
//!
//! Its readers look for a while before they sleep, as those of its broadcast channel do here.

use tokio::sync::watch;

use super::never::Never;
use super::{Closed, Contender, Publisher, Reader, State, waiting};
use crate::failure::Failure;
use crate::message::Message;

pub(crate) struct Watch;

impl Contender for Watch {
    type Address<T: Message> = Never;
    type Sender<T: Message> = Never;
    type Router<T: Message> = Never;
    type Receiver<T: Message> = Never;

    fn open(_capacity: usize) -> Result<Self, Failure> {
        Ok(Self)
    }

    fn state<T: Message>(&self, readers: usize) -> State<impl Publisher<T>, impl Reader<T>> {
        let publisher = watch::Sender::new(T::of(0));
        let readers = (0..readers).map(|_| publisher.subscribe()).collect::<Vec<_>>();
        Ok((publisher, readers))
    }
}

impl<T: Message> Publisher<T> for watch::Sender<T> {
    #[inline]
    fn publish(&mut self, state: T) -> Result<(), Closed> {
        self.send_replace(state);
        Ok(())
    }
}

impl<T: Message> Reader<T> for watch::Receiver<T> {
    #[inline]
    fn changed(&mut self) -> Result<T, Closed> {
        // Of one that has been closed it says so, and not whether there is something left.
        let is_new = waiting::briefly(|| match self.has_changed() {
            Ok(is_new) => is_new.then_some(true),
            Err(_) => Some(false),
        });
        if is_new != Some(true) {
            pollster::block_on(Self::changed(self)).map_err(|_| Closed)?;
        }
        Ok(*self.borrow_and_update())
    }
}
