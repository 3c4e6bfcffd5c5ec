//! A report in the OpenMetrics text format, version 1.0, which Prometheus and its kin read.
//!
//! The format is lines: a family's type, unit and help, then its samples, one for each set of labels; families do not
//! mix; `# EOF` is the end. (<https://prometheus.io/docs/specs/om/open_metrics_spec/>.) What is told of each receiver
//! and outbox stands in two tables below. A family that has no sample is left out.
//!
//! Receivers are told apart by the label `id`, and have a `name` if they were given one.

use std::fmt::{self, Write};
use std::time::Duration;

use super::{HeldUp, OutboxStats, ReceiverStats, Stats};

/// What is told of a receiver or an outbox.
type Told<T> = (Family, fn(&T) -> Option<Value>);

const OF_RECEIVERS: &[Told<ReceiverStats>] = &[
    (counter("receiver_received", "Messages received."), |rx| Some(rx.received.into())),
    (counter("receiver_missed", "Messages not received because the receiver was removed."), |rx| {
        Some(rx.missed.into())
    }),
    (gauge("receiver_depth", "Messages sent and not received."), |rx| Some(rx.depth.into())),
    (gauge("receiver_lag", "Messages with a number and not received."), |rx| Some(rx.lag.into())),
    (seconds("receiver_lag_seconds", "Age of the oldest message that is not handled."), |rx| {
        rx.lag_time.map(Value::from)
    }),
    (gauge("receiver_handled", "The number up to which everything is handled."), |rx| {
        rx.handled.map(|seq| seq.get().into())
    }),
    (gauge("receiver_lanes", "Lanes of senders and outboxes."), |rx| Some(rx.lanes.len().into())),
    (counter("receiver_stalls", "Waits for room."), |rx| Some(rx.stalls.into())),
    (gauge("receiver_inbox_entries", "Runs of messages that wait in the inbox."), |rx| {
        Some(rx.inbox_len.into())
    }),
    (gauge("receiver_inbox_capacity", "Runs of messages that the inbox holds."), |rx| {
        Some(rx.inbox_capacity.into())
    }),
];

const OF_OUTBOXES: &[Told<OutboxStats>] = &[
    (counter("outbox_sent", "Messages sent, to all targets."), |out| Some(out.sent.into())),
    (gauge("outbox_depth", "Messages without a number."), |out| Some(out.depth.into())),
    (gauge("outbox_capacity", "Messages without a number that it holds."), |out| {
        Some(out.capacity.into())
    }),
    (counter("outbox_stalls", "Waits for room."), |out| Some(out.stalls.into())),
];

const HELD_UP_LANES: Family = gauge("receiver_held_up_lanes", "Lanes that wait, by what for.");
const HELD_BY: Family = gauge("outbox_held_by", "1 for the receiver that holds up the outbox.");

impl Stats {
    /// The content type of what [`open_metrics`](Self::open_metrics) writes, for those who serve it.
    pub const OPEN_METRICS_TYPE: &str =
        "application/openmetrics-text; version=1.0.0; charset=utf-8";

    /// Writes the report in the OpenMetrics text format: a whole exposition, with its end. So of several engines each
    /// has one of its own.
    ///
    /// The names of all families begin with `mainspring_`. Receivers and outboxes have the labels `id` and, if they
    /// were given one, `name`.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let engine = mainspring::Engine::new();
    /// let (mut tx, rx) = engine.options().name("orders").channel()?;
    /// tx.send_batch(["buy", "sell"])?;
    /// let id = rx.address().id();
    /// let text = engine.stats().to_open_metrics();
    /// assert!(text.contains("# TYPE mainspring_receiver_depth gauge\n"));
    /// let sample = format!("mainspring_receiver_depth{{id=\"{id}\",name=\"orders\"}} 2\n");
    /// assert!(text.contains(&sample));
    /// assert!(text.ends_with("# EOF\n"));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// If `out` fails.
    pub fn open_metrics(&self, out: &mut impl Write) -> fmt::Result {
        let one = |value: Value| [(Labels::default(), value)];
        gauge("clock", "The number that was given last.")
            .write(out, one(self.clock.get().into()))?;
        seconds("clock_age_seconds", "Time since that was published.")
            .write(out, self.clock_age.into_iter().flat_map(|age| one(age.into())))?;
        counter("passes", "Full passes of the dispatcher.").write(out, one(self.passes.into()))?;
        counter("short_ways", "Numberings by a receiver, without a pass.")
            .write(out, one(self.short_ways.into()))?;
        counter("kicks", "Calls for a pass.").write(out, one(self.kicks.into()))?;
        counter("discarded", "Messages not received by receivers that have gone.")
            .write(out, one(self.discarded.into()))?;
        for (family, tell) in OF_RECEIVERS {
            let told = self.receivers.iter().map(|rx| Some((labels_of(rx), tell(rx)?)));
            family.write(out, told.flatten())?;
        }
        HELD_UP_LANES.write(out, self.receivers.iter().flat_map(held_up_lanes))?;
        for (family, tell) in OF_OUTBOXES {
            let told =
                self.outboxes.iter().map(|of| Some((Labels::of(of.id, &of.name), tell(of)?)));
            family.write(out, told.flatten())?;
        }
        let held = self.outboxes.iter().filter_map(|outbox| {
            let receiver = self.receivers.get(outbox.held_by?)?;
            let labels = Labels::of(outbox.id, &outbox.name);
            Some((Labels { receiver: Some(receiver), ..labels }, 1_u64.into()))
        });
        HELD_BY.write(out, held)?;
        out.write_str("# EOF\n")
    }

    /// What [`open_metrics`](Self::open_metrics) writes.
    pub fn to_open_metrics(&self) -> String {
        let mut text = String::new();
        self.open_metrics(&mut text).expect("a string takes everything");
        text
    }
}

fn labels_of(receiver: &ReceiverStats) -> Labels<'_> {
    Labels::of(receiver.id, &receiver.name)
}

fn held_up_lanes(receiver: &ReceiverStats) -> impl Iterator<Item = (Labels<'_>, Value)> {
    let reasons = [
        (HeldUp::LaneFull, "lane_full"),
        (HeldUp::InboxFull, "inbox_full"),
        (HeldUp::Behind, "behind"),
    ];
    reasons.into_iter().map(move |(held_up, reason)| {
        let lanes = receiver.lanes.iter().filter(|lane| lane.held_up == Some(held_up)).count();
        (Labels { reason: Some(reason), ..labels_of(receiver) }, lanes.into())
    })
}

/// Samples of one name and type.
struct Family {
    name: &'static str,
    kind: Kind,
    help: &'static str,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Counter,
    Gauge,
    /// A gauge, whose name ends with its unit.
    Seconds,
}

const fn counter(name: &'static str, help: &'static str) -> Family {
    Family { name, kind: Kind::Counter, help }
}

const fn gauge(name: &'static str, help: &'static str) -> Family {
    Family { name, kind: Kind::Gauge, help }
}

const fn seconds(name: &'static str, help: &'static str) -> Family {
    Family { name, kind: Kind::Seconds, help }
}

impl Family {
    fn write<L: fmt::Display>(
        &self,
        out: &mut impl Write,
        samples: impl IntoIterator<Item = (L, Value)>,
    ) -> fmt::Result {
        let Self { name, kind, help } = self;
        let mut samples = samples.into_iter().peekable();
        if samples.peek().is_none() {
            return Ok(());
        }
        let (kind_name, suffix) = match kind {
            Kind::Counter => ("counter", "_total"),
            Kind::Gauge | Kind::Seconds => ("gauge", ""),
        };
        writeln!(out, "# TYPE mainspring_{name} {kind_name}")?;
        if *kind == Kind::Seconds {
            writeln!(out, "# UNIT mainspring_{name} seconds")?;
        }
        // Nothing in it is to be escaped: it stands above.
        writeln!(out, "# HELP mainspring_{name} {help}")?;
        for (labels, value) in samples {
            writeln!(out, "mainspring_{name}{suffix}{labels} {value}")?;
        }
        Ok(())
    }
}

/// What tells one sample of a family from the others.
#[derive(Clone, Copy, Default)]
struct Labels<'a> {
    id: Option<u64>,
    name: Option<&'a str>,
    reason: Option<&'static str>,
    receiver: Option<&'a ReceiverStats>,
}

impl<'a> Labels<'a> {
    fn of(id: u64, name: &'a Option<Box<str>>) -> Self {
        Self { id: Some(id), name: name.as_deref(), reason: None, receiver: None }
    }
}

impl fmt::Display for Labels<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(id) = self.id else { return Ok(()) };
        write!(f, "{{id=\"{id}\"")?;
        // An empty label is the same as none.
        if let Some(name) = self.name.filter(|name| !name.is_empty()) {
            write!(f, ",name=\"{}\"", Escaped(name))?;
        }
        if let Some(reason) = self.reason {
            write!(f, ",reason=\"{reason}\"")?;
        }
        if let Some(ReceiverStats { id, name, .. }) = self.receiver {
            write!(f, ",receiver_id=\"{id}\"")?;
            if let Some(name) = name.as_deref().filter(|name| !name.is_empty()) {
                write!(f, ",receiver=\"{}\"", Escaped(name))?;
            }
        }
        f.write_char('}')
    }
}

/// A label's value as it stands between quotes.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for char in self.0.chars() {
            match char {
                '\\' => f.write_str("\\\\")?,
                '"' => f.write_str("\\\"")?,
                '\n' => f.write_str("\\n")?,
                char => f.write_char(char)?,
            }
        }
        Ok(())
    }
}

/// Whole numbers have no point, others have one or an exponent.
#[derive(Clone, Copy)]
enum Value {
    Whole(u64),
    Seconds(f64),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(number) => write!(f, "{number}"),
            Self::Seconds(number) => write!(f, "{number:?}"),
        }
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Whole(number)
    }
}

impl From<usize> for Value {
    fn from(number: usize) -> Self {
        Self::Whole(number as u64)
    }
}

impl From<Duration> for Value {
    fn from(time: Duration) -> Self {
        Self::Seconds(time.as_secs_f64())
    }
}
