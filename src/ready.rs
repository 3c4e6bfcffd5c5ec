//! The ready set: which of the lanes that no pass looks at have spoken up.
//!
//! ```text
//!   root     one word       a bit for each group
//!   groups   a word each    a bit for each leaf
//!   leaves   a word each    a bit for each lane
//! ```
//!
//! A pass looks at the *hot* lanes. A *cold* one costs it nothing: its sender finds WANT after the publication, sets
//! its bit here, bottom up, and kicks; the pass of that kick takes the bits, top down, and looks at those lanes again.
//!
//! *Orderings.* The sender publishes its tail, then sets the three bits by read-modify-write, all of them each time.
//! (One that relied on the bit that another sender has set, because the leaf was not empty, could be overtaken: the
//! pass takes the root, the other has not yet set it.) The pass takes each word by swap. In a word's modification order
//! a bit is set either before that swap, which then acquires the tail of its sender; or after it, and then the words
//! above are set after it too, and the kick that follows belongs to a later pass.
//!
//! The bits are hints. One that means nothing costs a look: a lane that has been let go of, one that is hot again, an
//! index that belongs to another lane by now.

use std::sync::OnceLock;

use crate::sync::Ordering::Relaxed;
use crate::sync::READY_WIDTH as WIDTH;
use crate::sync::atomic::AtomicU64;

/// So many lanes can be cold; those with a higher index stay hot.
const LANES_MAX: usize = WIDTH * WIDTH * WIDTH;

/// See the module's documentation.
#[expect(missing_debug_implementations, reason = "for the engine and its models")]
pub struct ReadySet {
    root: AtomicU64,
    groups: Box<[Group]>,
}

struct Group {
    word: AtomicU64,
    /// Allocated when the first of its lanes joins.
    leaves: OnceLock<Box<[AtomicU64]>>,
}

impl Default for ReadySet {
    fn default() -> Self {
        let group = |_| Group { word: AtomicU64::new(0), leaves: OnceLock::new() };
        Self { root: AtomicU64::new(0), groups: (0..WIDTH).map(group).collect() }
    }
}

impl ReadySet {
    /// Makes place for a lane. To be called before anyone raises it. False if there is none.
    pub fn admit(&self, lane: usize) -> bool {
        if lane >= LANES_MAX {
            return false;
        }
        let leaves = &self.groups[lane / (WIDTH * WIDTH)].leaves;
        leaves.get_or_init(|| (0..WIDTH).map(|_| AtomicU64::new(0)).collect());
        true
    }

    /// A lane speaks up. After its publication; to be followed by a kick.
    #[cold]
    pub fn raise(&self, lane: usize) {
        let group = lane / (WIDTH * WIDTH);
        let Some(leaves) = self.groups.get(group).and_then(|group| group.leaves.get()) else {
            return;
        };
        let leaf = lane / WIDTH % WIDTH;
        // Release: pairs with `take`, which then sees the tail; also where another's bit was the last to be set in the
        // same word, since its read-modify-write goes on with the release sequence of ours.
        leaves[leaf].fetch_or(1 << (lane % WIDTH), ord!("ready.raise.leaf", Release));
        // Release: whoever takes this bit finds the one below.
        self.groups[group].word.fetch_or(1 << leaf, ord!("ready.raise.group", Release));
        // Release: as above.
        self.root.fetch_or(1 << group, ord!("ready.raise.root", Release));
    }

    /// Takes all that have spoken up.
    #[inline]
    pub fn take(&self, spoke: impl FnMut(usize)) {
        // Relaxed: whoever kicked for a bit set it before, and the holder of the core has synchronised with the kick.
        if self.root.load(Relaxed) != 0 {
            self.take_groups(spoke);
        }
    }

    #[cold]
    fn take_groups(&self, mut spoke: impl FnMut(usize)) {
        // Acquire: pairs with `raise`: the words below are set where a bit is set here.
        for group in bits(self.root.swap(0, ord!("ready.take.root", Acquire))) {
            let Group { word, leaves } = &self.groups[group];
            let leaves = leaves.get().expect("a lane that was raised was admitted");
            // Acquire: as above.
            for leaf in bits(word.swap(0, ord!("ready.take.group", Acquire))) {
                // Acquire: pairs with `raise`: the tails of these lanes are visible.
                let lanes = leaves[leaf].swap(0, ord!("ready.take.leaf", Acquire));
                bits(lanes).for_each(|lane| spoke((group * WIDTH + leaf) * WIDTH + lane));
            }
        }
    }
}

/// The positions of the bits of a word.
fn bits(mut word: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let lowest = word.trailing_zeros() as usize;
        (word != 0).then(|| {
            word &= word - 1;
            lowest
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_who_spoke_up_are_taken_once() {
        let set = ReadySet::default();
        let lanes = [0, 1, WIDTH - 1, WIDTH, WIDTH * WIDTH, LANES_MAX - 1];
        for lane in lanes {
            assert!(set.admit(lane));
            set.raise(lane);
            set.raise(lane);
        }
        let mut taken = Vec::new();
        set.take(|lane| taken.push(lane));
        taken.sort_unstable();
        let mut expected = lanes.to_vec();
        expected.dedup();
        assert_eq!(taken, expected);
        set.take(|lane| panic!("lane {lane} a second time"));
    }

    #[test]
    fn there_is_an_end() {
        assert!(!ReadySet::default().admit(LANES_MAX));
    }
}
