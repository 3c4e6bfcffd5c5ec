//! The steps that receive: what comes, and what it means that nothing comes.

use mainspring::{Event, TryRecvError};

use crate::parcel::Parcel;
use crate::world::World;

impl World {
    pub(crate) fn try_recv(&mut self, rx: usize) {
        let Some(rx) = self.live_receiver(rx) else { return };
        self.recv_one(rx);
    }

    /// True if there was a message.
    pub(crate) fn recv_one(&mut self, rx: usize) -> bool {
        let result = self.receivers[rx].end.as_mut().unwrap().try_recv();
        self.sync();
        let found = matches!(result, Ok(_) | Err(TryRecvError::Notice));
        match result {
            Ok((number, parcel)) => self.receive(rx, number, parcel),
            Err(TryRecvError::Empty) => self.find_nothing(rx),
            Err(TryRecvError::Closed) => self.find_closed(rx),
            Err(TryRecvError::Notice) => self.stop_at_notice(rx),
        }
        found
    }

    /// A clock is told exactly when nothing is there and it has moved on; the last one before
    /// `Closed`.
    pub(crate) fn try_recv_event(&mut self, rx: usize) {
        let Some(rx) = self.live_receiver(rx) else { return };
        let result = self.receivers[rx].end.as_mut().unwrap().try_recv_event();
        self.sync();
        let now = self.now();
        let receiver = &self.receivers[rx];
        let moved = !receiver.over
            && receiver.joined_at.is_some_and(|joined| now > joined.max(receiver.told));
        let message = matches!(result, Ok(Event::Message(..) | Event::Notice(..)));
        match result {
            Ok(Event::Message(number, parcel)) => self.receive(rx, number.get(), parcel),
            Ok(Event::Clock(clock)) => {
                assert!(moved, "a clock that tells nothing new");
                assert_eq!(clock.get(), now);
                self.find_nothing_there(rx);
                self.receivers[rx].told = now;
            }
            Ok(Event::Notice(number, notice)) => self.take_notice(rx, number.get(), &notice),
            Ok(event) => panic!("unknown to the model: {event:?}"),
            Err(TryRecvError::Empty) => {
                assert!(!moved, "the clock has moved, and the receiver was not told");
                self.find_nothing(rx);
            }
            Err(TryRecvError::Closed) => {
                assert!(!moved, "closed before the last clock");
                self.find_closed(rx);
            }
            Err(TryRecvError::Notice) => panic!("an event is never refused for a notice"),
        }
        let receiver = &mut self.receivers[rx];
        receiver.over |= receiver.closed && !message;
    }

    /// A batch that is smaller than it may be has taken all that was there.
    pub(crate) fn try_recv_batch(&mut self, rx: usize, max: usize) {
        let Some(rx) = self.live_receiver(rx) else { return };
        let result = self.receivers[rx].end.as_mut().unwrap().try_recv_batch(max);
        self.sync();
        match result {
            Ok(taken) => {
                let len = taken.len();
                assert!(len <= max && (len > 0 || max == 0), "{len} of {max}");
                for (number, parcel) in taken {
                    self.receive(rx, number, parcel);
                }
                if len < max && self.receivers[rx].notices.is_empty() {
                    self.find_nothing_there(rx);
                }
            }
            Err(TryRecvError::Empty) => self.find_nothing(rx),
            Err(TryRecvError::Closed) => self.find_closed(rx),
            Err(TryRecvError::Notice) => self.stop_at_notice(rx),
        }
    }

    /// One below the next message that is there, or the clock.
    pub(crate) fn caught_up_to(&mut self, rx: usize) {
        let Some(rx) = self.live_receiver(rx) else { return };
        let reached = self.receivers[rx].end.as_mut().unwrap().caught_up_to();
        let now = self.now();
        let receiver = &mut self.receivers[rx];
        assert!(reached <= now, "caught up to {reached}, beyond the clock at {now}");
        assert!(reached >= receiver.above, "caught up to {reached} after {}", receiver.above);
        if reached < now {
            receiver.above = reached;
            receiver.next = Some(reached + 1);
        } else {
            self.find_nothing_there(rx);
        }
    }

    /// O4, O5, and the lanes: first in, first out, nothing skipped.
    fn receive(&mut self, rx: usize, number: u64, parcel: Parcel) {
        let now = self.now();
        let receiver = &mut self.receivers[rx];
        assert!(number <= now, "{number} was handed out before the clock came to it: {now}");
        assert!(number > receiver.told, "O4: {number} after {}", receiver.told);
        assert!(number > receiver.above, "O5: {number} after {} was told", receiver.above);
        assert!(receiver.joined_at.is_some_and(|joined| number > joined), "before it joined");
        assert!(receiver.next.take().is_none_or(|next| next == number), "caught up too far");
        receiver.told = number;
        receiver.above = number;
        receiver.must = false;
        let lane = self
            .lanes
            .iter_mut()
            .find(|lane| lane.rx == rx && lane.unread.front() == Some(&parcel.id));
        lane.expect("the oldest of one of its lanes").unread.pop_front();
        assert_eq!(self.ledger.drops(parcel.id), 0);
        self.history.learn(parcel.id, number);
    }

    /// A notice is next: it is taken as an event.
    fn stop_at_notice(&mut self, rx: usize) {
        let event = self.receivers[rx].end.as_mut().unwrap().try_recv_event();
        self.sync();
        let Ok(Event::Notice(number, notice)) = event else { panic!("no notice: {event:?}") };
        self.take_notice(rx, number.get(), &notice);
    }

    /// Nothing is there: whatever comes has a number above the clock (O5).
    fn find_nothing_there(&mut self, rx: usize) {
        let now = self.now();
        let receiver = &mut self.receivers[rx];
        assert!(!receiver.must, "a pass has found room and a message, and nothing came");
        assert_eq!(receiver.next, None, "the number of a message was told, and nothing came");
        assert!(receiver.notices.is_empty(), "a notice has a number and is not there");
        receiver.above = now;
        receiver.drained = true;
        for lane in self.lanes.iter().filter(|lane| lane.rx == rx) {
            let owed = lane.unread.iter().find(|&&id| self.history.is_stamped(id));
            assert_eq!(owed, None, "it has a number and is not there");
        }
    }

    fn find_nothing(&mut self, rx: usize) {
        self.find_nothing_there(rx);
        assert!(!self.receivers[rx].closed, "empty, and it has closed");
    }

    /// Closed: its last source has gone, and all that was sent was received.
    fn find_closed(&mut self, rx: usize) {
        self.find_nothing_there(rx);
        assert!(self.receivers[rx].closed, "closed, and it has sources or never had one");
        let rest = self.lanes.iter().filter(|lane| lane.rx == rx).map(|lane| lane.unread.len());
        assert_eq!(rest.sum::<usize>(), 0, "closed before everything was received");
    }
}
