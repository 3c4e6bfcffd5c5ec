//! Figures and forms in words, the same on the page and in the Markdown.

use crate::compare::Ratio;
use crate::json::{Row, Trial};
use crate::stats::Quartiles;
use crate::tables::digits;

/// With its unit.
pub(super) fn time(ns: f64) -> String {
    let (value, unit) = scaled(ns);
    format!("{} {unit}", digits(value))
}

/// The largest unit in which this is one or more, and how many of it that is.
pub(super) fn scaled(ns: f64) -> (f64, &'static str) {
    match ns {
        ns if ns < 999.5 => (ns, "ns"),
        ns if ns < 999_500.0 => (ns / 1e3, "µs"),
        ns if ns < 999_500_000.0 => (ns / 1e6, "ms"),
        ns => (ns / 1e9, "s"),
    }
}

pub(super) fn times(ratio: f64) -> String {
    match ratio {
        // Of a great loss two digits after the point would say nothing.
        ratio if ratio < 0.0995 => format!("{ratio:.3} ×"),
        ratio => format!("{} ×", digits(ratio)),
    }
}

/// Its middle half.
pub(super) fn middle(Quartiles { low, high, .. }: &Quartiles) -> String {
    format!("{}–{}", digits(*low), digits(*high))
}

/// Bytes, and how many are sent at once.
pub(super) fn form(trial: &Trial) -> String {
    format!("{} bytes, {}", trial.bytes, sent(trial.batch))
}

pub(super) fn sent(batch: usize) -> String {
    match batch {
        1 => "single".into(),
        batch => format!("in {batch}s"),
    }
}

/// How often messages are sent, where that is not what is measured, but what is given.
pub(super) const INTERVAL: &str = "interval";

/// What the nanoseconds are of.
pub(super) fn measure(per: &str) -> String {
    let Some((family, percentile)) = percentile(per) else {
        return match per {
            INTERVAL => "from one message to the next".into(),
            per => format!("time per {per}"),
        };
    };
    let family = match family {
        "trip" => "round trip",
        "way" => "one way",
        "clock" => "until the clock covers it",
        other => other,
    };
    format!("{family}, p{percentile}")
}

/// `latency p99.9` is a percentile of a family of measures.
pub(super) fn percentile(per: &str) -> Option<(&str, f64)> {
    let (family, percentile) = per.rsplit_once(" p")?;
    let percentile = percentile.parse().ok()?;
    (0.0..100.0).contains(&percentile).then_some((family, percentile))
}

/// How ours did beside a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Outcome {
    Faster,
    /// One is in the middle half.
    Even,
    Slower,
    /// One side's runs lie too far apart.
    Void,
}

impl Outcome {
    /// `peer` and `ours` in the same trial, measure and setting.
    pub(super) fn of(ratio: &Ratio, peer: &Row, ours: &Row) -> Self {
        let Quartiles { low, high, .. } = ratio.of_rounds;
        match () {
            () if peer.void || ours.void => Self::Void,
            () if low > 1.0 => Self::Faster,
            () if high < 1.0 => Self::Slower,
            () => Self::Even,
        }
    }

    pub(super) fn sign(self) -> &'static str {
        match self {
            Self::Faster => "▲",
            Self::Even => "=",
            Self::Slower => "▼",
            Self::Void => "~",
        }
    }

    /// Of the style sheet.
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Faster => "win",
            Self::Even => "even",
            Self::Slower => "loss",
            Self::Void => "none",
        }
    }
}

/// Ours beside whom this row stands.
pub(super) fn ours<'a>(trial: &'a Trial, row: &Row) -> Option<&'a Row> {
    let key = |row: &Row| (row.per.clone(), row.setting.clone());
    let wanted = key(row);
    // The first of ours is the one that whoever waits drives.
    trial.results.iter().find(|known| known.is_ours() && key(known) == wanted)
}

/// How ours did beside this row; none for ours itself.
pub(super) fn outcome(trial: &Trial, row: &Row) -> Option<(Ratio, Outcome)> {
    // What is given is no merit.
    let ratio = row.peer_over_ours.filter(|_| row.per != INTERVAL)?;
    Some((ratio, Outcome::of(&ratio, row, ours(trial, row)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_three_digits_and_a_unit() {
        let shown = [5.214, 1_310.0, 23_400_000.0, 999.7].map(time);
        assert_eq!(shown, ["5.21 ns", "1.31 µs", "23.4 ms", "1.00 µs"]);
    }

    #[test]
    fn percentiles_are_known_by_their_names() {
        assert_eq!(percentile("latency p99.99"), Some(("latency", 99.99)));
        assert_eq!(percentile("message"), None);
        assert_eq!(percentile("x p100"), None);
        assert_eq!(measure("trip p50"), "round trip, p50");
        assert_eq!(measure("visit"), "time per visit");
    }
}
