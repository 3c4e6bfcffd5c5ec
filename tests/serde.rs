//! The feature `serde`: names of fields stay, and what was written is read again.

#![cfg(not(loom))]

use std::fmt::Debug;
use std::time::Duration;

use mainspring::{
    AddressError, AdvanceError, AnswerError, AnswerTimeoutError, BehindError, BuildError, Drive,
    Engine, Event, ForwardReason, HeldUp, Reason, RecvError, RecvTimeoutError, Seq, StampedError,
    Stats, TryAnswerError, TryRecvError, WaitError, WaitTimeoutError,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// Written as expected, and the same when it is read again.
#[track_caller]
fn stands_for<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: T, expected: Value) {
    assert_eq!(serde_json::to_value(&value).unwrap(), expected);
    assert_eq!(serde_json::from_value::<T>(expected).unwrap(), value);
}

/// A report in which everything is something.
fn report() -> Stats {
    let builder = Engine::builder().drive(Drive::manual(|| {})).inbox(1).timestamps(true);
    let engine = builder.build().unwrap();
    let (mut tx, rx) = engine.options().name("orders").channel().unwrap();
    let mut out = engine.named_outbox("router");
    let target = out.add(&rx.address()).unwrap();
    tx.send(1).unwrap();
    engine.run_until_idle();
    out.send(target, 2).unwrap();
    engine.run_until_idle();
    engine.stats()
}

/// Goal: those who read reports find what they look for under the same names in later versions. Method: the names of
/// all fields, and the figures of a report.
#[test]
fn a_report_has_these_fields() {
    let written = serde_json::to_value(report()).unwrap();
    let names = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let sorted = |mut names: Vec<&'static str>| {
        names.sort_unstable();
        names
    };
    assert_eq!(
        names(&written),
        sorted(vec![
            "clock",
            "clock_age",
            "passes",
            "short_ways",
            "kicks",
            "messages_per_pass",
            "discarded",
            "receivers",
            "outboxes",
        ])
    );
    let (receiver, outbox) = (&written["receivers"][0], &written["outboxes"][0]);
    assert_eq!(
        names(receiver),
        sorted(vec![
            "name",
            "id",
            "closed",
            "received",
            "missed",
            "depth",
            "lag",
            "lag_time",
            "handled",
            "inbox_len",
            "inbox_capacity",
            "stalls",
            "lanes",
        ])
    );
    assert_eq!(names(&receiver["lag_time"]), ["nanos", "secs"]);
    assert_eq!(
        names(&receiver["lanes"][0]),
        sorted(vec![
            "sent",
            "depth",
            "unnumbered",
            "capacity",
            "stalls",
            "outbox",
            "held_up",
            "held_by"
        ])
    );
    assert_eq!(
        names(outbox),
        sorted(vec!["name", "id", "sent", "depth", "capacity", "stalls", "held_by"])
    );
    assert_eq!((&receiver["name"], &receiver["depth"]), (&json!("orders"), &json!(2)));
    assert_eq!((&outbox["name"], &outbox["held_by"]), (&json!("router"), &json!(0)));
    assert_eq!(receiver["lanes"][1]["held_up"], json!("inbox_full"));
}

/// Goal: a report that was written is read again. Method: by its text and its debug form; one of another version, with
/// fields that are missing or unknown, too.
#[test]
fn a_report_is_read_again() {
    let stats = report();
    let text = serde_json::to_string(&stats).unwrap();
    let again: Stats = serde_json::from_str(&text).unwrap();
    assert_eq!(format!("{again:?}"), format!("{stats:?}"));
    let other =
        r#"{"clock":7,"new":true,"receivers":[{"depth":3,"lag_time":{"secs":1,"nanos":5}}]}"#;
    let other: Stats = serde_json::from_str(other).unwrap();
    assert_eq!((other.clock, other.receivers[0].depth), (Seq::new(7), 3));
    assert_eq!(other.receivers[0].lag_time, Some(Duration::new(1, 5)));
}

/// Goal: small things are written as one would write them by hand. Method: each of them.
#[test]
fn numbers_events_and_errors_are_words() {
    stands_for(Seq::new(41), json!(41));
    stands_for(Seq::MAX, json!(u64::MAX));
    stands_for(Event::Message(Seq::new(1), "buy".to_owned()), json!({"message": [1, "buy"]}));
    stands_for(Event::<u8>::Clock(Seq::new(2)), json!({"clock": 2}));
    stands_for(HeldUp::LaneFull, json!("lane_full"));
    stands_for(HeldUp::InboxFull, json!("inbox_full"));
    stands_for(HeldUp::Behind, json!("behind"));
    stands_for(Reason::Closed, json!("closed"));
    stands_for(Reason::UnknownTarget, json!("unknown_target"));
    stands_for(AddressError::TooMany, json!("too_many"));
    stands_for(BuildError::ZeroInbox, json!("zero_inbox"));
    stands_for(BuildError::TooLarge(9), json!({"too_large": 9}));
    stands_for(RecvError::Closed, json!("closed"));
    stands_for(RecvError::Notice, json!("notice"));
    stands_for(WaitError, json!("closed"));
    stands_for(AnswerError::Dropped, json!("dropped"));
    stands_for(TryAnswerError::Empty, json!("empty"));
    stands_for(AnswerTimeoutError::Taken, json!("taken"));
    stands_for(AdvanceError, json!("closed"));
    stands_for(TryRecvError::Empty, json!("empty"));
    stands_for(RecvTimeoutError::Timeout, json!("timeout"));
    stands_for(StampedError::NothingSent, json!("nothing_sent"));
    stands_for(WaitTimeoutError::Closed, json!("closed"));
    stands_for(BehindError::Itself, json!("itself"));
    stands_for(ForwardReason::Late { settled: Seq::new(3) }, json!({"late": {"settled": 3}}));
    stands_for(ForwardReason::Duplicate, json!("duplicate"));
    assert!(serde_json::from_value::<RecvError>(json!("open")).is_err());
}
