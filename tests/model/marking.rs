//! The steps that mark: events that no receiver gets, or one gets as a notice.

use mainspring::{AddressError, Notice, Source, Ticket};

use crate::ends::Place;
use crate::world::{World, pick};

/// Ids of marks in the history are above those of all parcels.
const MARKS: usize = 1 << 40;

/// A mark.
pub(crate) struct Noted {
    ticket: Ticket,
    /// In the history.
    id: usize,
    kind: Kind,
    /// What became of it is known.
    is_settled: bool,
}

enum Kind {
    Plain,
    OfOutbox,
    /// These senders and outboxes have to end first.
    Gate {
        senders: Vec<usize>,
        outboxes: Vec<usize>,
    },
    Notice {
        rx: usize,
    },
}

impl World {
    pub(crate) fn mark(&mut self) {
        let Some(engine) = &self.engine else { return };
        let (above, ticket) = (self.now(), engine.marker().submit());
        self.note(ticket, Kind::Plain, self.marker, above);
    }

    pub(crate) fn out_mark(&mut self, out: usize) {
        let Some(out) = self.live_outbox(out) else { return };
        if self.engine.is_none() {
            return;
        }
        let above = self.now();
        let Some(end) = &mut self.outboxes[out].end else { return };
        let ticket = end.submit();
        self.note(ticket, Kind::OfOutbox, self.outboxes[out].handle, above);
    }

    pub(crate) fn gate(&mut self, which: usize) {
        let Some(engine) = &self.engine else { return };
        let chosen = |nth: &usize| which & (1 << (nth % 6)) != 0;
        let live = |tx: &usize| self.senders[*tx].end.is_some();
        let senders: Vec<_> = (0..self.senders.len()).filter(live).filter(chosen).collect();
        let live = |out: &usize| self.outboxes[*out].end.is_some();
        let outboxes: Vec<_> = (0..self.outboxes.len()).filter(live).filter(chosen).collect();
        let of_senders = senders.iter().filter_map(|&tx| self.senders[tx].end.as_ref());
        let of_outboxes = outboxes.iter().filter_map(|&out| self.outboxes[out].end.as_ref());
        let sources: Vec<Source> =
            of_senders.map(|end| end.source()).chain(of_outboxes.map(|out| out.source())).collect();
        let above = self.now();
        let ticket = engine.marker().gate(&sources).unwrap();
        let handle = self.history.handle();
        self.note(ticket, Kind::Gate { senders, outboxes }, handle, above);
    }

    pub(crate) fn notify(&mut self, rx: usize) {
        let Some(rx) = pick(0..self.receivers.len(), rx) else { return };
        let Some(engine) = &self.engine else { return };
        let (above, notice) = (self.now(), Notice::new(self.marks.len()));
        let given = match &self.receivers[rx].place {
            Place::Plain(address) => engine.notify(address, notice),
            Place::Boxed(address) => engine.notify(address, notice),
        };
        let is_open = self.receivers[rx].end.is_some() && !self.receivers[rx].closed;
        match given {
            Ok(ticket) => {
                assert!(is_open, "a notice to one that has gone or closed");
                self.note(ticket, Kind::Notice { rx }, self.marker, above);
            }
            Err(error) => {
                assert_eq!(error.reason, AddressError::Closed);
                assert_eq!(error.notice.get(), Some(&self.marks.len()));
                assert!(!is_open, "a notice was refused by an open receiver");
            }
        }
    }

    fn note(&mut self, ticket: Ticket, kind: Kind, handle: usize, above: u64) {
        let id = MARKS + self.marks.len();
        self.history.sent(id, handle, above);
        self.marks.push(Noted { ticket, id, kind, is_settled: false });
    }

    /// After a pass: what has become of the marks.
    pub(crate) fn settle_marks(&mut self) {
        for nth in 0..self.marks.len() {
            let Noted { ticket, id, kind, is_settled } = &mut self.marks[nth];
            let outcome = ticket.outcome().filter(|_| !*is_settled);
            let is_prompt = matches!(kind, Kind::Plain | Kind::Notice { .. });
            assert!(!is_prompt || *is_settled || outcome.is_some(), "it takes one pass");
            let (id, Some(outcome)) = (*id, outcome) else { continue };
            *is_settled = true;
            let of_rx = if let Kind::Notice { rx } = kind { Some(*rx) } else { None };
            match (outcome, of_rx) {
                (Ok(number), of_rx) => {
                    self.history.learn(id, number.get());
                    let receiver = of_rx.map(|rx| &mut self.receivers[rx]);
                    if let Some(receiver) = receiver.filter(|receiver| receiver.end.is_some()) {
                        receiver.notices.push_back((number.get(), nth));
                    }
                }
                (Err(_), Some(rx)) => {
                    assert!(self.receivers[rx].end.is_none(), "a notice to a receiver is lost");
                    self.history.never(id);
                }
                (Err(error), None) => panic!("a mark without a number: {error}"),
            }
        }
        for receiver in &mut self.receivers {
            receiver.notices.make_contiguous().sort_unstable();
        }
    }

    /// Gates are open when their authors have ended, and not before; they lie above what these sent.
    pub(crate) fn check_gates(&self, idle: bool) {
        for Noted { ticket, kind, .. } in &self.marks {
            let Kind::Gate { senders, outboxes } = kind else { continue };
            let has_ended = |&tx: &usize| self.senders[tx].end.is_none();
            let is_over = |tx: &usize| {
                has_ended(tx) || {
                    let lane = &self.lanes[self.senders[*tx].lane];
                    self.receivers[lane.rx].end.is_none()
                }
            };
            let are_out = || outboxes.iter().all(|&out| self.outboxes[out].end.is_none());
            match ticket.seq() {
                Some(number) => {
                    assert!(senders.iter().all(is_over) && are_out(), "a gate opened too early");
                    let handles = senders.iter().map(|&tx| self.senders[tx].handle);
                    let handles =
                        handles.chain(outboxes.iter().map(|&out| self.outboxes[out].handle));
                    for handle in handles {
                        self.history.check_below(handle, number.get());
                    }
                }
                None => {
                    assert!(
                        !(idle && senders.iter().all(has_ended) && are_out()),
                        "a gate is shut"
                    );
                }
            }
        }
    }

    /// O4, O5 for a notice, which is the next that there is.
    pub(crate) fn take_notice(&mut self, rx: usize, number: u64, notice: &Notice) {
        let now = self.now();
        let receiver = &mut self.receivers[rx];
        assert!(number <= now, "a notice was handed out before the clock came to it");
        assert!(number > receiver.told && number > receiver.above, "O4, O5: a notice comes late");
        assert!(receiver.joined_at.is_some_and(|joined| number > joined), "before it joined");
        assert!(receiver.next.take().is_none_or(|next| next == number), "caught up too far");
        let expected = receiver.notices.pop_front().expect("a notice that nobody gave");
        assert_eq!((number, notice.get::<usize>()), (expected.0, Some(&expected.1)));
        receiver.told = number;
        receiver.above = number;
    }
}
