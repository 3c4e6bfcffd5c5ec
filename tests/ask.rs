//! The ask example: no answer is lost, each says what was so at its number, and whoever asks an owner that has gone is
//! told.

#![cfg(not(loom))]

mod support;

#[expect(dead_code, reason = "`main`")]
#[path = "examples/ask.rs"]
mod example;

use std::thread;

use example::{Map, Request};
use mainspring::{AnswerError, Engine};
use support::to_the_end;

fn put(map: &mut Map, key: &str, value: u64) -> (u64, Option<u64>) {
    let (seq, before) = map.ask(|reply| Request::Put(key.to_owned(), value, reply)).unwrap();
    (seq.get(), before)
}

/// Goal: the answers are those of one thread that does one thing after the other. Method: clients that each put their
/// own key again and again, and one that asks for the sum: in the order of the numbers it only rises, and what was
/// answered before a question is in its answer.
#[test]
fn answers_are_of_one_order() {
    to_the_end(|| {
        let (map, owner) = Map::start(&Engine::new());
        let clients: Vec<_> = (0..3)
            .map(|client| {
                let mut map = map.clone();
                thread::spawn(move || {
                    let (mut sums, mut last) = (Vec::new(), 0);
                    for value in 1..=500 {
                        let (seq, before) = put(&mut map, &format!("{client}"), value);
                        assert_eq!(before, value.checked_sub(1).filter(|&before| before > 0));
                        let (sum_seq, sum) = map.ask(Request::Sum).unwrap();
                        assert!(last < seq && seq < sum_seq.get() && sum >= value);
                        last = sum_seq.get();
                        sums.push((last, sum));
                    }
                    sums
                })
            })
            .collect();
        let mut sums: Vec<_> =
            clients.into_iter().flat_map(|client| client.join().unwrap()).collect();
        sums.sort_unstable();
        assert!(sums.is_sorted_by_key(|&(_, sum)| sum), "a later answer saw less");
        let mut map = map;
        assert_eq!(map.ask(Request::Sum).unwrap().1, 1_500);
        assert_eq!(map.ask(|reply| Request::Get("2".to_owned(), reply)).unwrap().1, Some(500));
        assert_eq!(map.ask(|reply| Request::Get("9".to_owned(), reply)).unwrap().1, None);
        drop(map);
        assert_eq!(owner.join().unwrap().len(), 3);
    });
}

/// Goal: whoever asks an owner that cannot answer is told. Method: an engine that is closed; the owner has ended with
/// it.
#[test]
fn who_asks_an_owner_that_has_gone_is_told() {
    to_the_end(|| {
        let engine = Engine::new();
        let (mut map, owner) = Map::start(&engine);
        put(&mut map, "a", 1);
        assert!(engine.close(std::time::Duration::from_secs(5)).is_clean());
        assert_eq!(owner.join().unwrap().len(), 1);
        assert_eq!(map.ask(Request::Sum), Err(AnswerError::Dropped));
    });
}
