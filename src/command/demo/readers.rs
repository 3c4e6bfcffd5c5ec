//! Those who receive, each until it closes, and tell the check all that they see, in the order in which they see it.

use std::time::{Duration, Instant};

use mainspring::{Event, Group, Merge, Receiver, Sender, Seq};

use super::check::{Kind, ReaderId, Sight};
use super::mark::{Mark, Note, Quote};
use super::meter::{Receiving, Sending};
use super::scene::Stage;
use super::senders::Author;

/// How long a guest stays, and how long there is none.
const STAY: Duration = Duration::from_millis(700);
const GAP: Duration = Duration::from_millis(300);
/// Between two notes on the clock.
const WATCH_REST: Duration = Duration::from_millis(10);

/// What is received from: a receiver, or several merged.
pub(super) trait Source {
    /// Waits for messages and takes what is there; false when it has closed.
    fn take(&mut self, max: usize, f: &mut dyn FnMut(Seq, Mark)) -> bool;
    /// What there is to be told now.
    fn event(&mut self) -> Option<Event<Mark>>;
    fn caught_up_to(&mut self) -> Seq;
}

/// One who receives.
pub(super) struct Reader<'a, S> {
    stage: &'a Stage,
    source: S,
    id: ReaderId,
    /// What it takes at once.
    batch: usize,
    /// Since the check was told.
    sights: Vec<Sight>,
}

impl<'a, S: Source> Reader<'a, S> {
    pub(super) fn new(stage: &'a Stage, name: &str, kind: Kind, source: S, batch: usize) -> Self {
        let id = stage.check().reader(name, kind);
        Self { stage, source, id, batch, sights: Vec::new() }
    }

    /// Reads to the end, and rests after each batch as long as the time is not over.
    pub(super) fn run(mut self, rest: Duration) {
        while self.turn().is_some() {
            self.stage.stop.pause(rest);
        }
    }

    /// Takes a batch, and then what else there is to be told: the clock, if there is no message. Returns the last
    /// number that it has read; none when it has closed.
    fn turn(&mut self) -> Option<Seq> {
        let Self { source, sights, .. } = self;
        let saw = &mut |seq, mark| sights.push(Sight::Message(seq, mark));
        let is_open = source.take(self.batch, saw);
        while let Some(event) = self.source.event() {
            self.tell(event);
            if is_open {
                break;
            }
        }
        let caught_up = self.source.caught_up_to();
        self.sights.push(Sight::CaughtUp(caught_up));
        self.flush();
        is_open.then_some(caught_up)
    }

    fn tell(&mut self, event: Event<Mark>) {
        match event {
            Event::Message(seq, mark) => self.sights.push(Sight::Message(seq, mark)),
            Event::Clock(seq) => self.sights.push(Sight::Clock(seq)),
            // There is nothing else today.
            _ => {}
        }
    }

    fn flush(&mut self) {
        self.stage.check().see(self.id, self.sights.drain(..));
    }
}

impl Reader<'_, Receiver<Quote>> {
    /// It has ended, and was a member until then.
    fn was_member(mut self, until: Seq) {
        let joined = self.source.joined_at();
        self.sights.push(Sight::Membership { joined, until });
        self.flush();
    }
}

/// A member of the group from the beginning to the end.
pub(super) fn member(mut reader: Reader<'_, Receiver<Quote>>, rest: Duration) {
    while reader.turn().is_some() {
        reader.stage.stop.pause(rest);
    }
    reader.was_member(Seq::MAX);
}

/// Members that join the group, stay for a while, and leave.
pub(super) fn guests(stage: &Stage, group: &Group<Quote>, meter: &Receiving) {
    while stage.stop.pause(GAP) {
        let mut receiver = group.subscribe();
        let address = receiver.address();
        // If the time was over just now, and all feeds have gone, it would wait for the first for ever: a receiver
        // closes when its last source has gone. So it has one, which goes.
        drop(stage.engine.sender(&address));
        meter.joins(receiver.progress());
        let name = format!("guest {}", meter.joined());
        let mut reader = Reader::new(stage, &name, Kind::Member, receiver, 256);
        let leaves = Instant::now() + STAY;
        let mut until = Seq::MAX;
        while reader.turn().is_some() {
            if until == Seq::MAX && Instant::now() >= leaves {
                // What the clock shows now it must have had.
                until = stage.clock.now();
                group.leave(&address);
            }
        }
        reader.was_member(until);
    }
}

/// Sends a note for each batch that it has received.
pub(super) fn relay<S: Source>(
    mut reader: Reader<'_, S>,
    meter: &Sending,
    mut to_audit: Sender<Note>,
) {
    let mut author = Author::new(reader.stage, meter);
    while let Some(cause) = reader.turn() {
        author.send(&mut to_audit, cause);
    }
}

/// Gets no message. Sends a note now and then when it was told the clock.
pub(super) fn watch(
    mut reader: Reader<'_, Receiver<Note>>,
    meter: &Sending,
    mut to_audit: Sender<Note>,
) {
    let mut author = Author::new(reader.stage, meter);
    while let Ok(event) = reader.source.recv_event() {
        let Some(event) = marked(event) else { continue };
        let clock = if let Event::Clock(clock) = event { Some(clock) } else { None };
        reader.tell(event);
        reader.flush();
        // Its own note moves the clock: without the pause it would be told for ever.
        if let Some(cause) = clock
            && reader.stage.stop.pause(WATCH_REST)
        {
            author.send(&mut to_audit, cause);
        }
    }
}

fn marked<T: Into<Mark>>(event: Event<T>) -> Option<Event<Mark>> {
    match event {
        Event::Message(seq, message) => Some(Event::Message(seq, message.into())),
        Event::Clock(seq) => Some(Event::Clock(seq)),
        _ => None,
    }
}

impl<T: Into<Mark> + Send + 'static> Source for Receiver<T> {
    fn take(&mut self, max: usize, f: &mut dyn FnMut(Seq, Mark)) -> bool {
        self.recv_batch(max, |seq, message| f(seq, message.into())).is_ok()
    }

    fn event(&mut self) -> Option<Event<Mark>> {
        self.try_recv_event().ok().and_then(marked)
    }

    fn caught_up_to(&mut self) -> Seq {
        Self::caught_up_to(self)
    }
}

impl Source for Merge<Mark> {
    fn take(&mut self, max: usize, f: &mut dyn FnMut(Seq, Mark)) -> bool {
        self.recv_batch(max, f).is_ok()
    }

    fn event(&mut self) -> Option<Event<Mark>> {
        self.try_recv_event().ok()
    }

    fn caught_up_to(&mut self) -> Seq {
        Self::caught_up_to(self)
    }
}
