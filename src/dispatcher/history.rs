//! When which numbers were given, as far back as somebody may ask: for reports, with timestamps on.
//!
//! ```text
//!   first    1     900        4000   4100 4150  4170 4171 4172     the first number that a pass gave
//!   at       0 s   2.0 s      2.9 s  …                    3.1 s    when that pass began
//! ```
//!
//! A pass adds a sample. When there is no room, those are dropped that nobody misses: of samples that lie closer
//! together than an [`EIGHTH`](History::thin) of their age, all but the first. So what is asked of the last passes is
//! answered to the pass, what is asked of an hour ago to some minutes, and 1,024 samples are enough for years.
//!
//! *The answer is never too late*: whoever asks for a number gets the time of a sample at or before it. An age that is
//! made of it is the true one, or up to an eighth more.

/// Samples that are kept.
const SAMPLES_MAX: usize = 1024;

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct History {
    /// Both rise from each to the next, the time not strictly.
    samples: Vec<Sample>,
}

#[derive(Clone, Copy, Debug)]
struct Sample {
    first: u64,
    at: u64,
}

impl History {
    /// Empty; it allocates nothing later.
    pub(crate) fn new() -> Self {
        Self { samples: Vec::with_capacity(SAMPLES_MAX) }
    }

    /// Becomes as another. Allocates nothing.
    pub(super) fn copy(&mut self, other: &Self) {
        self.samples.clear();
        self.samples.extend_from_slice(&other.samples);
    }

    /// A pass that began at `at` gave the numbers from `first` on.
    pub(super) fn add(&mut self, first: u64, at: u64) {
        if self.samples.len() == SAMPLES_MAX {
            self.thin(at);
        }
        self.samples.push(Sample { first, at });
    }

    /// Makes room. A sample is dropped when the one after it lies within an eighth of its own age after the one that
    /// was kept before it.
    fn thin(&mut self, now: u64) {
        let mut kept = 0;
        for index in 1..self.samples.len() {
            let after = self.samples.get(index + 1).filter(|after| {
                let gap = after.at - self.samples[kept].at;
                gap <= now.saturating_sub(after.at) / 8
            });
            if after.is_none() {
                kept += 1;
                self.samples[kept] = self.samples[index];
            }
        }
        self.samples.truncate(kept + 1);
        if self.samples.len() > SAMPLES_MAX / 4 * 3 {
            // Only if time stands still, or jumps; the answers get coarser.
            let mut nth = 0;
            self.samples.retain(|_| {
                nth += 1;
                nth % 2 == 1
            });
        }
    }

    /// When this number was given, or somewhat before; none if that is not known.
    pub(crate) fn given_at(&self, number: u64) -> Option<u64> {
        let after = self.samples.partition_point(|sample| sample.first <= number);
        self.samples[..after].last().map(|sample| sample.at)
    }
}

#[cfg(test)]
mod tests {
    use super::{History, SAMPLES_MAX};

    /// Goal: as long as there is room, each number is known to the pass. Method: passes that give one to five numbers.
    #[test]
    fn numbers_are_known_to_the_pass() {
        let mut history = History::new();
        let mut passes = Vec::new();
        let mut next = 41;
        assert_eq!(history.given_at(41), None);
        for pass in 0..SAMPLES_MAX as u64 {
            history.add(next, 1000 * pass);
            passes.extend((0..=pass % 5).map(|_| 1000 * pass));
            next += 1 + pass % 5;
        }
        assert_eq!(history.given_at(40), None);
        for (nth, at) in passes.into_iter().enumerate() {
            assert_eq!(history.given_at(41 + nth as u64), Some(at));
        }
    }

    /// Goal: no answer is later than the truth, no age is more than an eighth too long, and there is room for ever.
    /// Method: passes in bursts and in long pauses, over years; after each many ages are asked for.
    #[test]
    fn ages_are_an_eighth_too_long_at_most() {
        let (mut history, mut given) = (History::new(), Vec::new());
        let (mut at, mut random) = (0_u64, 7_u64);
        for number in 1..200_000_u64 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let rare = random >> 33;
            at += 500 + if rare.is_multiple_of(5000) { (rare << 20) % (1 << 50) } else { 0 };
            history.add(number, at);
            given.push(at);
            assert!(history.samples.len() <= SAMPLES_MAX);
            assert!(history.samples.capacity() == SAMPLES_MAX, "it has allocated");
            if !number.is_multiple_of(1000) {
                continue;
            }
            for back in (0..number).step_by(37) {
                let (now, asked) = (at + 500, number - back);
                let truth = now - given[asked as usize - 1];
                let told = now - history.given_at(asked).expect("the first sample stays");
                assert!(told >= truth && told <= truth + truth / 8, "{told}, but {truth}");
            }
        }
        assert!(at > 1 << 50);
    }

    /// Goal: time that stands still is no reason to grow. Method: many passes at one moment.
    #[test]
    fn passes_at_one_moment_have_room() {
        let mut history = History::new();
        (1..10_000).for_each(|number| history.add(number, 5));
        assert!(history.samples.len() <= SAMPLES_MAX);
        assert_eq!(history.given_at(5_000), Some(5));
    }
}
