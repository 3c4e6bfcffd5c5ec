//! Axes: from a value to a place, and where the ticks are.

/// From nought, with ticks at round numbers.
pub(super) struct Linear {
    max: f64,
    width: f64,
}

impl Linear {
    pub(super) fn new(max: f64, width: f64) -> Self {
        Self { max: max.max(f64::MIN_POSITIVE), width }
    }

    /// What lies beyond the end stays at the end.
    pub(super) fn at(&self, value: f64) -> f64 {
        (value / self.max).clamp(0.0, 1.0) * self.width
    }

    /// Up to six, nought among them.
    pub(super) fn ticks(&self) -> Vec<f64> {
        let rough = self.max / 5.0;
        let decade = 10_f64.powf(rough.log10().floor());
        let step =
            [1.0, 2.0, 5.0, 10.0].map(|n| n * decade).into_iter().find(|step| *step >= rough);
        let step = step.unwrap_or(rough);
        (0..).map(|n| f64::from(n) * step).take_while(|tick| *tick <= self.max * 1.001).collect()
    }
}

/// Each ten times as far from the last as that from the one before.
pub(super) struct Log {
    min: f64,
    max: f64,
    width: f64,
}

impl Log {
    /// From the lesser of these to the greater, and a little room.
    pub(super) fn new(min: f64, max: f64, width: f64) -> Self {
        Self { min: min / 1.15, max: max * 1.15, width }
    }

    pub(super) fn at(&self, value: f64) -> f64 {
        let part = (value / self.min).ln() / (self.max / self.min).ln();
        part.clamp(0.0, 1.0) * self.width
    }

    /// Ones, twos and fives of each decade; of a wide range ones only.
    pub(super) fn ticks(&self) -> Vec<f64> {
        let steps: &[f64] = if self.max / self.min > 3_000.0 { &[1.0] } else { &[1.0, 2.0, 5.0] };
        let decades = self.min.log10().floor() as i32..=self.max.log10().ceil() as i32;
        let all = decades.flat_map(|decade| steps.iter().map(move |n| n * 10_f64.powi(decade)));
        all.filter(|tick| (self.min..=self.max).contains(tick)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_linear_axis_begins_at_nought_and_ends_at_its_width() {
        let axis = Linear::new(42.0, 200.0);
        assert_eq!([0.0, 21.0, 42.0, 99.0].map(|value| axis.at(value)), [0.0, 100.0, 200.0, 200.0]);
        assert_eq!(axis.ticks(), [0.0, 10.0, 20.0, 30.0, 40.0]);
        assert_eq!(Linear::new(6.0, 1.0).ticks(), [0.0, 2.0, 4.0, 6.0]);
    }

    #[test]
    fn on_a_log_axis_equal_ratios_are_equal_ways() {
        let axis = Log::new(0.5, 200.0, 300.0);
        let way = |from, to| axis.at(to) - axis.at(from);
        assert!((way(1.0, 10.0) - way(10.0, 100.0)).abs() < 1e-9);
        assert_eq!(axis.ticks(), [0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0]);
        assert_eq!(Log::new(1.0, 1e6, 1.0).ticks().len(), 7);
    }
}
