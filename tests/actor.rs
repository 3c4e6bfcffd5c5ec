//! The actor example: no order of the threads sells what is not there, the audit has all of it in one order, and the
//! last handle's end is the actor's.

#![cfg(not(loom))]

mod support;

#[expect(dead_code, reason = "`main`")]
#[path = "examples/actor.rs"]
mod example;

use example::{Actor, Entry, Stock, ToStock, day, start};
use mainspring::{Engine, Seq};
use support::to_the_end;
use tokio::runtime::{Builder, Runtime};

fn audit_of(runtime: &Runtime, customers: usize) -> Vec<(Seq, Entry)> {
    let (sold, left, audit) = runtime.block_on(day(customers)).unwrap();
    assert_eq!(sold + left, 20, "what was delivered");
    assert!(sold as usize <= customers);
    audit
}

/// Goal: the audit misses nothing, and no effect comes before its cause. Method: many days, with one thread and with
/// several; each number is that of a message or of its entry, an entry comes after its message, and at any moment no
/// more was asked of the stock than was ordered at the shop.
#[test]
fn the_audit_has_everything_in_one_order() {
    to_the_end(|| {
        for runtime in [Builder::new_current_thread().build().unwrap(), Runtime::new().unwrap()] {
            for customers in (0..60).step_by(7) {
                let audit = audit_of(&runtime, customers);
                assert_eq!(audit.len(), 2 * customers + 4);
                let of = |(entered, (_, number, _)): &(Seq, Entry)| [entered.get(), number.get()];
                let mut numbers: Vec<u64> = audit.iter().flat_map(of).collect();
                numbers.sort_unstable();
                assert_eq!(numbers, (1..=2 * audit.len() as u64).collect::<Vec<_>>());
                let (mut ordered, mut taken) = (0, 0);
                for (entered, (actor, number, what)) in &audit {
                    assert!(entered > number, "{actor} was told {what}");
                    ordered += u32::from(what.starts_with("Order"));
                    taken += u32::from(what.starts_with("Take"));
                    assert!(taken <= ordered, "an effect before its cause");
                }
                assert_eq!((ordered, taken), (customers as u32, customers as u32));
            }
        }
    });
}

/// Goal: an actor lives as long as somebody can reach it, and no longer. Method: handles go one by one; its task is
/// awaited when the last has gone, and has handled all it was told.
#[test]
fn an_actor_ends_with_its_last_handle() {
    to_the_end(|| {
        Runtime::new().unwrap().block_on(async {
            let engine = Engine::new();
            let (audit, entries) = engine.channel();
            let (stock, task) = start(&engine, Stock(1), audit.into_shared());
            let other = stock.clone();
            drop(stock);
            assert_eq!(other.ask(ToStock::Take(2)).await, Ok(false));
            assert!(!task.is_finished());
            other.tell(ToStock::Delivered(5)).await.unwrap();
            drop(other);
            assert_eq!(task.await.unwrap().0, 6);
            assert_eq!(entries.len(), 2);
        });
    });
}

/// Panics when it is told to, with what it was told.
struct Fragile;

impl Actor for Fragile {
    const NAME: &'static str = "fragile";
    type Message = &'static str;
    type Answer = ();

    async fn handle(&mut self, message: &'static str) {
        assert_ne!(message, "break");
    }
}

/// Goal: an actor that panics leaves nobody waiting, and the others alone. Method: one that does so while it is asked,
/// beside one that does not.
#[test]
fn who_asks_an_actor_that_panics_is_told() {
    to_the_end(|| {
        Runtime::new().unwrap().block_on(async {
            let engine = Engine::new();
            let (audit, _entries) = engine.channel();
            let audit = audit.into_shared();
            let (fragile, task) = start(&engine, Fragile, audit.clone());
            let (stock, _stock_task) = start(&engine, Stock(1), audit);
            assert_eq!(fragile.ask("hold").await, Ok(()));
            assert!(fragile.ask("break").await.is_err());
            assert!(task.await.is_err_and(|error| error.is_panic()));
            assert!(fragile.ask("hold").await.is_err());
            let (message, _) = fragile.tell("hold").await.unwrap_err().into_inner();
            assert_eq!(message, "hold");
            assert_eq!(stock.ask(ToStock::Take(1)).await, Ok(true));
        });
    });
}
