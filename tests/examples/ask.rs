//! Questions to a thread that owns a map: each request carries its reply.
//!
//! ```text
//!  clients ──request, with its Reply──▶ the owner of the map
//!     ▲                                      │
//!     └──────── Answer, with a number ◀──────┘
//! ```
//!
//! Nobody locks the map, and nothing joins for an answer. Requests and answers are in one order: whoever has an answer
//! knows what it has seen (all requests below its number that came to the owner before), and what anybody does with an
//! answer in hand comes after it. `cargo run --example ask`

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{self, Write};
use std::thread::{self, JoinHandle};

use mainspring::{AnswerError, Engine, Reply, Sender, Seq};

/// What the owner of the map is asked.
pub(crate) enum Request {
    Put(String, u64, Reply<Option<u64>>),
    Get(String, Reply<Option<u64>>),
    Sum(Reply<u64>),
}

/// The way to the map; clones are ways of their own.
#[derive(Clone)]
pub(crate) struct Map {
    engine: Engine,
    requests: Sender<Request>,
}

impl Map {
    /// The thread ends with its map when the last way to it has gone.
    pub(crate) fn start(engine: &Engine) -> (Self, JoinHandle<BTreeMap<String, u64>>) {
        let (requests, mut asked) = engine.channel();
        let owner = thread::spawn(move || {
            let mut map = BTreeMap::new();
            for (_, request) in asked.messages() {
                // An answer that nobody waits for any more comes back, and is dropped here.
                match request {
                    Request::Put(key, value, reply) => reply.send(map.insert(key, value)).ok(),
                    Request::Get(key, reply) => reply.send(map.get(&key).copied()).ok(),
                    Request::Sum(reply) => reply.send(map.values().sum()).ok(),
                };
            }
            map
        });
        (Self { engine: engine.clone(), requests }, owner)
    }

    /// Asks, and waits for the answer.
    pub(crate) fn ask<R: Send + 'static>(
        &mut self,
        request: impl FnOnce(Reply<R>) -> Request,
    ) -> Result<(Seq, R), AnswerError> {
        let (reply, mut answer) = self.engine.reply();
        // If the owner has gone, the request comes back, and its reply is dropped here: the answer tells.
        self.requests.send(request(reply)).ok();
        answer.wait()
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let (mut map, owner) = Map::start(&Engine::new());
    let clients: Vec<_> = (0..4)
        .map(|client| {
            let mut map = map.clone();
            thread::spawn(move || map.ask(|reply| Request::Put(format!("{client}"), client, reply)))
        })
        .collect();
    for client in clients {
        let (seq, before) = client.join().expect("it only asks")?;
        writeln!(io::stdout(), "{seq:>3}  put, before: {before:?}")?;
    }
    let (seq, three) = map.ask(|reply| Request::Get("3".to_owned(), reply))?;
    writeln!(io::stdout(), "{seq:>3}  3 is {three:?}")?;
    let (seq, sum) = map.ask(Request::Sum)?;
    writeln!(io::stdout(), "{seq:>3}  the sum is {sum}")?;
    drop(map);
    let map = owner.join().expect("it only answers");
    Ok(writeln!(io::stdout(), "{} keys", map.len())?)
}
