//! Every schedule of the engine keeps its promises: random ones against a simple model, on one
//! thread.
//!
//! A schedule is a list of [`Op`]s; the [`World`] carries each out on an engine with tiny lanes and
//! inboxes, and keeps beside it what must be true. The model does not predict how the dispatcher
//! interleaves lanes; it learns the numbers as they come and checks what is promised of them:
//! dense, in the order of each handle, above every clock that could be read before, increasing for
//! each receiver, nothing late after a clock. Full, closed, empty, what comes back in errors,
//! lengths and the moment of each drop it predicts exactly.
//!
//! `MAINSPRING_CASES=20000 cargo test --test model` looks longer. A failure is shrunk and printed
//! as the setup and the steps, which [`replay`] takes as they are; its seed is kept in
//! `tests/model-regressions/random.txt` and tried first from then on.

#![cfg(not(loom))]

#[path = "model/ends.rs"]
mod ends;
#[path = "model/history.rs"]
mod history;
#[path = "model/marking.rs"]
mod marking;
#[path = "model/op.rs"]
mod op;
#[path = "model/parcel.rs"]
mod parcel;
#[path = "model/passing.rs"]
mod passing;
#[path = "model/receiving.rs"]
mod receiving;
#[path = "model/sending.rs"]
mod sending;
#[path = "model/world.rs"]
mod world;

use proptest::prelude::ProptestConfig;
use proptest::test_runner::{FileFailurePersistence, TestCaseError, TestError, TestRunner};

use op::{Op, Setup};
use world::replay;

/// Goal: O1 to O5 and the whole single-threaded behaviour. Method: see above.
#[test]
fn every_schedule_keeps_the_promises() {
    let cases = std::env::var("MAINSPRING_CASES").map_or(400, |cases| cases.parse().unwrap());
    let kept = FileFailurePersistence::Direct("tests/model-regressions/random.txt");
    let config = ProptestConfig {
        cases,
        failure_persistence: Some(Box::new(kept)),
        max_shrink_iters: 20_000,
        ..ProptestConfig::default()
    };
    let result = TestRunner::new(config).run(&op::schedule(), |(setup, ops)| {
        replay(setup, &ops);
        Ok::<(), TestCaseError>(())
    });
    if let Err(TestError::Fail(reason, (setup, ops))) = result {
        panic!("{reason}\nreplay({setup:?}, &{ops:#?})");
    }
    result.unwrap();
}

/// Goal: O2 and O4 past a full inbox. Method: by hand, an outbox ends with words for two
/// receivers, one of which is full, and is followed by a sender that ends, too.
#[test]
fn an_outbox_that_ends_while_an_inbox_is_full_keeps_its_order() {
    let setup = Setup { capacity: 4, inbox: 1, callers: false, start: 0, settle: true, ending: 7 };
    let receiver = Op::Receiver { boxed: false, capacity: 4, inbox: 1 };
    let send = |target| Op::OutSend { out: 0, target };
    let ops = [
        receiver,
        receiver,
        Op::Outbox,
        Op::Sender { rx: 0 },
        Op::Add { out: 0, rx: 0 },
        Op::Add { out: 0, rx: 1 },
        Op::Send { tx: 0 },
        Op::Pass,
        send(0),
        send(1),
        send(0),
        send(1),
        Op::Remove { out: 0, target: 0 },
        Op::Add { out: 0, rx: 0 },
        Op::DropOutbox { out: 0 },
        Op::Send { tx: 0 },
        Op::DropSender { tx: 0 },
        Op::Pass,
        Op::CaughtUpTo { rx: 0 },
    ];
    replay(setup, &ops);
}

/// Goal: the rest of an ended outbox is numbered without what is for nobody. Method: by hand, a
/// receiver goes between two words for one whose inbox is full; then the outbox ends.
#[test]
fn the_rest_of_an_outbox_skips_what_is_for_receivers_that_have_gone() {
    let setup = Setup { capacity: 4, inbox: 1, callers: false, start: 0, settle: true, ending: 7 };
    let receiver = Op::Receiver { boxed: true, capacity: 4, inbox: 1 };
    let send = |target| Op::OutSend { out: 0, target };
    let ops = [
        receiver,
        receiver,
        Op::Outbox,
        Op::Sender { rx: 0 },
        Op::Add { out: 0, rx: 0 },
        Op::Add { out: 0, rx: 1 },
        Op::Send { tx: 0 },
        Op::Pass,
        send(0),
        send(1),
        send(0),
        Op::DropReceiver { rx: 1 },
        Op::DropOutbox { out: 0 },
        Op::Pass,
    ];
    replay(setup, &ops);
}
