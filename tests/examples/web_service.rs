//! A web service whose answers are true: a request is answered when the engine has *handled* what it sent.
//!
//! ```text
//!  PUT /ada ──▶ handler ──SharedSender──▶ shard 0, a thread ──▶ its part of the map ──▶ GET
//!  PUT /bob ──▶ handler ──SharedSender──▶ shard 1, a thread ──▶ its part of the map ──▶ GET
//!                  ◀── number, progress ──┘
//! ```
//!
//! - `PUT /KEY` with the value as body is answered with its number, when the shard has stored it: whoever reads from
//!   then on, with `GET /KEY`, reads that value, or a later one.
//! - `GET /` lists all. `?at=NUMBER` waits until every shard has come so far: whoever was told a number, by whomever,
//!   sees what has that number, and all that came before it.
//!
//! `cargo run --example web_service -- 127.0.0.1:8080`, then `curl -X PUT -d 1 localhost:8080/ada`. Ctrl-C ends it in
//! order: requests under way are answered, what they have sent is stored, the engine closes.

use std::collections::BTreeMap;
use std::error::Error;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::routing::get;
use mainspring::{Clock, Closing, Engine, Progress, SharedSender};
use parking_lot::RwLock;
use tokio::net::TcpListener;
use tokio::task::spawn_blocking;

const SHARDS: usize = 2;

type Refusal = (StatusCode, &'static str);
type Answer = Result<String, Refusal>;
type App = State<Arc<Service>>;
const ENDING: Refusal = (StatusCode::SERVICE_UNAVAILABLE, "the service is ending\n");
const NO_SUCH_KEY: Refusal = (StatusCode::NOT_FOUND, "no such key\n");
const NO_SUCH_NUMBER: Refusal = (StatusCode::BAD_REQUEST, "nothing has that number yet\n");

/// What a shard has stored: written by its thread alone, read by handlers.
type Part = Arc<RwLock<BTreeMap<String, String>>>;

/// A shard, as handlers see it.
struct Shard {
    puts: SharedSender<(String, String)>,
    stored: Progress,
    part: Part,
}

impl Shard {
    fn start(engine: &Engine) -> io::Result<(Self, JoinHandle<()>)> {
        let (puts, mut inbox) = engine.channel();
        let (stored, part) = (inbox.progress(), Part::default());
        let own = part.clone();
        let store = move || {
            // A put counts as handled when the loop asks for the next.
            for (_, (key, value)) in inbox.messages() {
                own.write().insert(key, value);
            }
        };
        let thread = thread::Builder::new().name("shard".into()).spawn(store)?;
        Ok((Self { puts: puts.into_shared(), stored, part }, thread))
    }
}

/// All that handlers share.
struct Service {
    shards: Vec<Shard>,
    /// How far all of them are.
    all_stored: Progress,
    clock: Clock,
}

impl Service {
    /// Equal keys meet.
    fn shard_of(&self, key: &str) -> &Shard {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        &self.shards[hasher.finish() as usize % self.shards.len()]
    }

    fn list(&self) -> String {
        let lines = |shard: &Shard| -> String {
            shard.part.read().iter().map(|(key, value)| format!("{key}={value}\n")).collect()
        };
        self.shards.iter().map(lines).collect()
    }
}

async fn put(State(service): App, Path(key): Path<String>, value: String) -> Answer {
    let shard = service.shard_of(&key);
    let number = shard.puts.send_stamped_async((key, value)).await.map_err(|_| ENDING)?;
    shard.stored.reached(number).await.map_err(|_| ENDING)?;
    Ok(format!("{number}\n"))
}

async fn get_one(State(service): App, Path(key): Path<String>) -> Answer {
    service.shard_of(&key).part.read().get(&key).cloned().ok_or(NO_SUCH_KEY)
}

async fn get_all(State(service): App, Query(query): Query<BTreeMap<String, u64>>) -> Answer {
    if let Some(&number) = query.get("at") {
        // Or a client could have us wait for what never comes.
        if number > service.clock.now().get() {
            return Err(NO_SUCH_NUMBER);
        }
        service.all_stored.reached(number.into()).await.map_err(|_| ENDING)?;
    }
    Ok(service.list())
}

/// Serves until `shutdown` is ready. Returns what is stored then, and what was left in the engine: nothing.
pub(crate) async fn serve(
    listener: TcpListener,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(String, Closing), Box<dyn Error + Send + Sync>> {
    let engine = Engine::new();
    let shards: io::Result<Vec<_>> = (0..SHARDS).map(|_| Shard::start(&engine)).collect();
    let (shards, threads): (Vec<_>, Vec<_>) = shards?.into_iter().unzip();
    let all_stored = shards.iter().map(|shard| shard.stored.clone()).collect();
    let service = Arc::new(Service { shards, all_stored, clock: engine.clock() });
    let routes = Router::new().route("/", get(get_all)).route("/{key}", get(get_one).put(put));
    // First those who send: this returns when the last request under way is answered. Then the engine. Then those who
    // receive, who are told that it is closed. Closing and joining block, so they have no place in a task.
    axum::serve(listener, routes.with_state(service.clone()))
        .with_graceful_shutdown(shutdown)
        .await?;
    let report = spawn_blocking(move || {
        let report = engine.close(Duration::from_secs(5));
        let joined = threads.into_iter().try_for_each(JoinHandle::join);
        joined.map(|()| report).map_err(|_| "a shard has panicked")
    });
    let report = report.await??;
    Ok((service.list(), report))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8080".into());
    let listener = TcpListener::bind(&address).await?;
    eprintln!("listening on {}", listener.local_addr()?);
    let ctrl_c = async { tokio::signal::ctrl_c().await.unwrap_or_default() };
    let (stored, report) = serve(listener, ctrl_c).await?;
    eprintln!("{} keys stored; {report}", stored.lines().count());
    Ok(())
}
