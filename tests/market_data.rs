//! The market-data example: it runs, its checks hold, and they are checks.

#![cfg(not(loom))]

mod support;

#[expect(dead_code, reason = "`main` and what it needs")]
#[path = "examples/market_data.rs"]
mod example;

use std::time::Duration;

use example::{Account, Quote};
use mainspring::Seq;
use support::to_the_end;

#[test]
fn every_check_of_the_market_holds() {
    to_the_end(|| {
        let mut out = Vec::new();
        let all_hold = example::run(Duration::from_millis(300), &mut out).unwrap();
        let out = String::from_utf8(out).unwrap();
        assert!(all_hold && !out.contains("FAILED"), "{out}");
        for row in ["recorder", "desk", "book", "chart", "late", "frozen"] {
            let is_row = |line: &str| line.starts_with(row) && line.ends_with("  ok");
            assert_eq!(out.lines().filter(|line| is_row(line)).count(), 1, "{row}\n{out}");
        }
    });
}

#[test]
fn an_account_finds_what_is_out_of_order() {
    let quote = |feed, nth| Quote { feed, nth, symbol: 1, prices: (1, 2) };
    let holds = |read: &[(u64, Quote)]| {
        let mut account = Account::default();
        read.iter().for_each(|(seq, quote)| account.see(Seq::new(*seq), quote));
        account.is_in_order()
    };
    assert!(holds(&[]));
    assert!(holds(&[(1, quote(0, 0)), (2, quote(1, 7)), (3, quote(0, 1))]));
    assert!(!holds(&[(2, quote(0, 0))]), "the first is missing");
    assert!(!holds(&[(1, quote(0, 0)), (3, quote(0, 1))]), "a gap");
    assert!(!holds(&[(1, quote(0, 0)), (1, quote(1, 0)), (3, quote(2, 0))]), "a number twice");
    assert!(!holds(&[(1, quote(0, 0)), (2, quote(0, 2))]), "a quote of the feed is missing");
    assert!(!holds(&[(1, quote(0, 1)), (2, quote(0, 0))]), "its quotes change places");
}
