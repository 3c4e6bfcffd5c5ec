//! Medians and quartiles: what is left of a few runs on a machine that is not quiet.

use serde::{Deserialize, Serialize};

/// The median of some samples and their middle half.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Quartiles {
    pub(crate) low: f64,
    pub(crate) median: f64,
    pub(crate) high: f64,
}

impl Quartiles {
    /// Linear between neighbours; of no samples at all it is not a number.
    pub(crate) fn of(samples: impl IntoIterator<Item = f64>) -> Self {
        let mut sorted: Vec<f64> = samples.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let at = |share| quantile(&sorted, share);
        Self { low: at(0.25), median: at(0.5), high: at(0.75) }
    }

    /// The width of the middle half, as a part of the median.
    pub(crate) fn spread(&self) -> f64 {
        (self.high - self.low) / self.median
    }
}

fn quantile(sorted: &[f64], share: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
    let place = share * last as f64;
    let below = place.floor() as usize;
    let above = (below + 1).min(last);
    sorted[below] + (sorted[above] - sorted[below]) * place.fract()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quartiles_of_five_are_three_of_them() {
        let quartiles = Quartiles::of([5.0, 1.0, 4.0, 2.0, 3.0]);
        assert_eq!(quartiles, Quartiles { low: 2.0, median: 3.0, high: 4.0 });
    }

    #[test]
    fn between_two_samples_it_is_linear() {
        let quartiles = Quartiles::of([20.0, 10.0]);
        assert_eq!(quartiles, Quartiles { low: 12.5, median: 15.0, high: 17.5 });
    }

    #[test]
    fn one_sample_is_all_three_and_has_no_spread() {
        let quartiles = Quartiles::of([7.0]);
        assert_eq!(quartiles, Quartiles { low: 7.0, median: 7.0, high: 7.0 });
        assert_eq!(quartiles.spread(), 0.0);
    }

    #[test]
    fn an_outlier_moves_neither_median_nor_spread() {
        let calm = Quartiles::of([10.0, 11.0, 12.0, 13.0, 14.0]);
        let disturbed = Quartiles::of([10.0, 11.0, 12.0, 13.0, 14_000.0]);
        assert_eq!(calm, disturbed);
        assert!((calm.spread() - 2.0 / 12.0).abs() < 1e-12);
    }

    #[test]
    fn nothing_is_not_a_number() {
        assert!(Quartiles::of([]).median.is_nan());
    }
}
