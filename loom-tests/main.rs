//! The engine's protocols under loom: every interleaving that a few threads can have, with every value that a
//! relaxed read may see, up to a number of preemptions.
//!
//! ```text
//! cargo loom                     all models, each in a process of its own
//! cargo loom -- NAME…            the models whose names contain one of these
//! cargo loom -- --list           what there is
//! cargo loom -- --weaken [SITE…] weakens each ordering of the source in turn; some model has to fail
//! ```
//!
//! The models use the real engine (ring, inbox, dispatcher, combine, clock, waiting) by its public interface, with
//! lanes and inboxes of one or two places. What each one is about, and what loom cannot see, is in `README.md`
//! beside this file; how orderings are named and weakened, in `src/sync.rs`.
//!
//! Outside of loom (`--cfg loom`) this program is empty.

#[cfg(not(loom))]
fn main() {}

#[cfg(loom)]
mod closing;
#[cfg(loom)]
mod fences;
#[cfg(loom)]
mod follower;
#[cfg(loom)]
mod groups;
#[cfg(loom)]
mod harness;
#[cfg(loom)]
mod heat;
#[cfg(loom)]
mod marks;
#[cfg(loom)]
mod merge;
#[cfg(loom)]
mod parts;
#[cfg(loom)]
mod progress;
#[cfg(loom)]
mod promises;
#[cfg(loom)]
mod replies;
#[cfg(loom)]
mod short;
#[cfg(loom)]
mod shutdown;
#[cfg(loom)]
mod slots;
#[cfg(loom)]
mod tasks;
#[cfg(loom)]
mod waiting;
#[cfg(loom)]
mod weaken;

#[cfg(loom)]
fn main() -> std::process::ExitCode {
    let models = [
        parts::MODELS,
        promises::MODELS,
        short::MODELS,
        heat::MODELS,
        waiting::MODELS,
        fences::MODELS,
        marks::MODELS,
        slots::MODELS,
        replies::MODELS,
        tasks::MODELS,
        closing::MODELS,
        groups::MODELS,
        progress::MODELS,
        merge::MODELS,
        follower::MODELS,
        shutdown::MODELS,
    ]
    .concat();
    harness::main(&models)
}
