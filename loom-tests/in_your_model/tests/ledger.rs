//! `cargo test` runs this once with real threads; `RUSTFLAGS="--cfg loom" cargo test --target-dir target/loom` runs it
//! in every interleaving, with every value that a relaxed read may see.

#[cfg(loom)]
use loom::thread;
#[cfg(not(loom))]
use std::thread;

use in_your_model::open;
use mainspring::Engine;

/// One thread of the test, or each of its interleavings.
fn explore(body: fn()) {
    #[cfg(not(loom))]
    body();
    #[cfg(loom)]
    {
        let mut model = loom::model::Builder::new();
        // Two are enough for most mistakes; without a bound it would not end.
        model.preemption_bound = Some(2);
        model.max_branches = 50_000;
        model.check(body);
    }
}

/// Small: each place more is a word more for the model to look at.
fn engine() -> Engine {
    Engine::builder().capacity(2).inbox(2).build().expect("a small engine")
}

#[test]
fn who_waits_for_a_deposit_finds_it_booked() {
    explore(|| {
        let engine = engine();
        let (ledger, mut teller) = open(&engine);
        let booking = thread::spawn(move || ledger.run());
        let booked = teller.deposit(7).expect("the ledger is there");
        assert_eq!(teller.balance_after(booked), Some(7));
        drop(teller);
        booking.join().expect("it only books");
    });
}

/// The mistake, to be explored by [`the_model_finds_a_mistake`] only.
#[cfg(loom)]
#[test]
fn who_does_not_wait() {
    if std::env::var_os(EXPLORE_MISTAKE).is_none() {
        return;
    }
    explore(|| {
        let engine = engine();
        let (ledger, mut teller) = open(&engine);
        let booking = thread::spawn(move || ledger.run());
        let _booked = teller.deposit(7).expect("the ledger is there");
        assert_eq!(teller.balance_too_early(), 7, "not booked yet");
        drop(teller);
        booking.join().expect("it only books");
    });
}

#[cfg(loom)]
const EXPLORE_MISTAKE: &str = "EXPLORE_MISTAKE";

/// In a process of its own: a model that fails is left in the midst of things, and what it then drops may end the
/// process.
#[cfg(loom)]
#[test]
fn the_model_finds_a_mistake() {
    let program = std::env::current_exe().expect("this program has a path");
    let mut model = std::process::Command::new(program);
    model.args(["who_does_not_wait", "--exact", "--nocapture"]).env(EXPLORE_MISTAKE, "yes");
    let output = model.output().expect("this program runs");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && told.contains("not booked yet"), "{told}");
}
