//! The web-service example, asked over real connections: an answer means that the effect is there, and the end leaves
//! nothing behind.

#![cfg(not(loom))]

mod support;

#[expect(dead_code, reason = "`main`")]
#[path = "examples/web_service.rs"]
mod example;

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;

use mainspring::Closing;
use support::to_the_end;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

/// A client of few words: one request a connection. None if there is no answer.
fn ask(to: SocketAddr, request: &str, body: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(to).ok()?;
    let length = body.len();
    let head = format!(
        "{request} HTTP/1.1\r\nHost: here\r\nConnection: close\r\nContent-Length: {length}"
    );
    stream.write_all(format!("{head}\r\n\r\n{body}").as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
}

fn put(to: SocketAddr, key: &str, value: &str) -> Option<u64> {
    let (status, number) = ask(to, &format!("PUT /{key}"), value)?;
    (status == 200).then(|| number.trim_end().parse().expect("a number"))
}

fn get(to: SocketAddr, path: &str) -> (u16, String) {
    ask(to, &format!("GET {path}"), "").expect("an answer")
}

/// Runs the service on a port of the system's choice while `clients` ask it; then ends it, unless they have.
fn with_service(clients: impl FnOnce(SocketAddr, oneshot::Sender<()>)) -> (String, Closing) {
    let runtime = Runtime::new().unwrap();
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let at = listener.local_addr().unwrap();
    let (end, ended) = oneshot::channel();
    let service =
        runtime.spawn(example::serve(listener, async { ended.await.unwrap_or_default() }));
    clients(at, end);
    let ended = runtime.block_on(service).unwrap().unwrap();
    assert!(TcpStream::connect(at).is_err(), "it listens still");
    ended
}

/// Goal: who was answered finds what he sent, and so does everyone whom he tells the number. Method: clients put and
/// get beside each other, each key several times, over connections of their own.
#[test]
fn an_answer_means_that_it_is_stored() {
    const CLIENTS: usize = 4;
    const PUTS: usize = 25;
    to_the_end(|| {
        let mut numbers = BTreeSet::new();
        let (stored, report) = with_service(|at, _end| {
            let client = |client| {
                (0..PUTS).map(move |nth| {
                    let (key, value) = (format!("{client}-{}", nth % 5), nth.to_string());
                    let number = put(at, &key, &value).expect("an answer");
                    assert_eq!(get(at, &format!("/{key}")), (200, value.clone()));
                    let (status, all) = get(at, &format!("/?at={number}"));
                    assert_eq!(status, 200);
                    assert!(
                        all.lines().any(|line| line == format!("{key}={value}")),
                        "{key}={value} of {all}"
                    );
                    number
                })
            };
            thread::scope(|scope| {
                let clients: Vec<_> = (0..CLIENTS)
                    .map(|nth| scope.spawn(move || client(nth).collect::<Vec<_>>()))
                    .collect();
                numbers.extend(clients.into_iter().flat_map(|client| client.join().unwrap()));
            });
        });
        let all: BTreeSet<u64> = (1..=(CLIENTS * PUTS) as u64).collect();
        assert_eq!(numbers, all, "each put has a number of its own");
        assert_eq!(stored.lines().count(), CLIENTS * 5);
        assert!(report.is_clean() && report.clock.get() == all.len() as u64, "{report}");
    });
}

/// Goal: the end is orderly while clients are at it. Method: they put until they are refused, or find nobody; all that
/// was answered with a number is stored in the end, and nothing is left in the engine.
#[test]
fn what_was_answered_before_the_end_is_stored_after_it() {
    const CLIENTS: usize = 4;
    to_the_end(|| {
        let mut answered = Vec::new();
        let (stored, report) = with_service(|at, end| {
            let (under_way, is_ending) = (&Barrier::new(CLIENTS + 1), &AtomicBool::new(false));
            let client = move |client| {
                let mut keys = Vec::new();
                for nth in 0.. {
                    let key = format!("{client}-{nth}");
                    if put(at, &key, "x").is_none() {
                        break;
                    }
                    keys.push(key);
                    if nth == 5 {
                        under_way.wait();
                    }
                }
                assert!(is_ending.load(SeqCst), "refused before the end");
                keys
            };
            thread::scope(|scope| {
                let clients: Vec<_> =
                    (0..CLIENTS).map(|nth| scope.spawn(move || client(nth))).collect();
                under_way.wait();
                is_ending.store(true, SeqCst);
                end.send(()).unwrap();
                answered.extend(clients.into_iter().flat_map(|client| client.join().unwrap()));
            });
        });
        assert!(report.is_clean(), "{report}");
        let stored: BTreeSet<&str> =
            stored.lines().filter_map(|line| line.strip_suffix("=x")).collect();
        assert!(
            answered.iter().all(|key| stored.contains(key.as_str())),
            "{answered:?} of {stored:?}"
        );
        assert!(answered.len() >= CLIENTS * 6);
    });
}

/// Goal: what cannot be is refused, and nobody waits for it. Method: unknown keys, numbers that nothing has.
#[test]
fn what_is_not_there_is_refused() {
    to_the_end(|| {
        let (stored, report) = with_service(|at, _end| {
            assert_eq!(get(at, "/ada").0, 404);
            assert_eq!(get(at, "/?at=1").0, 400);
            assert_eq!(get(at, "/?at=one").0, 400);
            assert_eq!(get(at, "/?at=0"), (200, String::new()));
            assert_eq!(put(at, "ada", "1"), Some(1));
            assert_eq!(get(at, "/?at=1"), (200, "ada=1\n".into()));
            assert_eq!(get(at, "/?at=2").0, 400);
        });
        assert_eq!(stored, "ada=1\n");
        assert_eq!(report.to_string(), "all received up to 1");
    });
}
