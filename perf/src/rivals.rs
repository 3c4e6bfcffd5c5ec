//! Who of the peers takes part when not all of them can: the strongest, as a round of everybody shows.
//!
//! ```text
//!  ours                            always
//!  crossbeam-channel,              always: what most would use, and what ours came from
//!    clocked-dispatch
//!  those a target names            always: else it could not be said whether it is met
//!  the two fastest of all others   by the round before the first
//! ```
//!
//! A table of who is strong would have to be kept by hand, and would be ours: who is measured here
//! chooses nobody. Ours in other drives takes part where there is nobody else.

use crate::against::Who;
use crate::compare::{Comparison, Side, Trial};
use crate::report::targets;

/// As many peers have a place for being fast.
const STRONGEST: usize = 2;
const ALWAYS: [&str; 2] = ["crossbeam-channel", "clocked-dispatch"];

impl Who {
    /// In any of its drives.
    pub(crate) fn is_ours(self) -> bool {
        self.package() == Self::Mainspring.name()
    }
}

/// Whether somebody has to go.
pub(crate) fn are_many(trial: &Trial) -> bool {
    let is_own_drive = |who: &Who| who.is_ours() && *who != Who::Mainspring;
    let free = trial.who.iter().filter(|who| is_free(trial, **who)).count();
    free > STRONGEST || trial.who.iter().any(is_own_drive)
}

/// Who stays, in the order of the table, after a round of everybody.
pub(crate) fn strongest(probe: &Comparison) -> Vec<Who> {
    let trial = &probe.trial;
    let Some((_, measure)) = probe.rows().first().copied() else { return trial.who.clone() };
    let ns = |who: Who| probe.ns(Side { who, setting: 0 }, measure).median;
    let mut free: Vec<_> = trial.who.iter().copied().filter(|who| is_free(trial, *who)).collect();
    // What is not a number comes last.
    free.sort_by(|a, b| ns(*a).total_cmp(&ns(*b)));
    free.truncate(STRONGEST);
    let is_there_anybody = trial.who.iter().any(|who| !who.is_ours());
    let stays = |who: &Who| match who.is_ours() {
        true => *who == Who::Mainspring || !is_there_anybody,
        false => !is_free(trial, *who) || free.contains(who),
    };
    trial.who.iter().copied().filter(stays).collect()
}

/// Whether nothing but being fast gives this one a place.
fn is_free(trial: &Trial, who: Who) -> bool {
    let name = who.name();
    !who.is_ours() && !ALWAYS.contains(&name) && !targets::name(trial.scenario.name, name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::tests::comparison_of;

    fn side(who: Who) -> Side {
        Side { who, setting: 0 }
    }

    #[test]
    fn the_fastest_stay_beside_those_who_always_do() {
        use Who::{Bus, Crossbeam, Disruptor, Mainspring, Rtrb, Thread, Tokio};
        let times: [(Side, &[f64]); 7] = [
            (side(Mainspring), &[5.0]),
            (side(Thread), &[1.0]),
            (side(Crossbeam), &[90.0]),
            (side(Rtrb), &[30.0]),
            (side(Disruptor), &[10.0]),
            (side(Bus), &[40.0]),
            (side(Tokio), &[20.0]),
        ];
        let who = times.map(|(side, _)| side.who);
        let probe = comparison_of("broadcast", &who, &times, &[100.0]);
        assert!(are_many(&probe.trial));
        assert_eq!(strongest(&probe), [Mainspring, Crossbeam, Disruptor, Tokio]);
    }

    #[test]
    fn where_a_target_names_somebody_he_stays() {
        use Who::{Bus, Disruptor, Mainspring, Rtrb, Tokio};
        let times: [(Side, &[f64]); 5] = [
            (side(Mainspring), &[5.0]),
            (side(Rtrb), &[99.0]),
            (side(Disruptor), &[10.0]),
            (side(Bus), &[40.0]),
            (side(Tokio), &[20.0]),
        ];
        let who = times.map(|(side, _)| side.who);
        let probe = comparison_of("one-to-one", &who, &times, &[100.0]);
        assert_eq!(strongest(&probe), [Mainspring, Rtrb, Disruptor, Tokio]);
    }

    #[test]
    fn ours_in_other_drives_stay_where_there_is_nobody_else() {
        let who = [Who::Mainspring, Who::Thread, Who::Yield];
        let times: Vec<_> = who.map(|who| (side(who), &[1.0][..])).into();
        let probe = comparison_of("busy-receiver", &who, &times, &[100.0]);
        assert_eq!(strongest(&probe), who);
    }
}
