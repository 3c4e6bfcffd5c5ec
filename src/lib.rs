//! **mainspring** moves messages between threads, in one total order, on one clock.
//!
//! Services built from threads and shards keep asking what channels cannot answer: *how far has the rest of the
//! system got?* Here every message passes one dispatcher, which gives it the next number of a single order. Every
//! receiver, even one that gets nothing, can read the clock: "everything up to t that was meant for me, I have".
//!
//! ```text
//!  Sender ──lane──▶┐                                ┌──inbox (runs)──▶ Receiver ─┐
//!  Sender ──lane──▶│  Dispatcher, one pass:         │                            │ reads the message
//!  Outbox ─lanes──▶│  collect → stamp → hand out    └──inbox (runs)──▶ Receiver ─┤ in place, in the lane
//!                  │           → publish                                         │
//!                  └───────────┬────────────────────  slots go back to the lane ◀┘
//!                              ▼
//!                      clock (seqlock) ──▶ anyone
//! ```
//!
//! A message is written once, into its sender's lane (a ring of its own), and read once, there. What moves through
//! the dispatcher are *runs*: "so many messages of that lane, with these numbers". There is no dispatcher thread,
//! unless one is asked for ([`Drive`]): whoever needs progress runs a pass.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use mainspring::{Engine, Event};
//!
//! let engine = Engine::new();
//! let (mut orders, mut desk) = engine.channel::<&str>();
//! let (mut quotes, mut feed) = engine.channel::<f64>(); // another type, the same clock
//!
//! let trader = std::thread::spawn(move || {
//!     orders.send("buy")?;
//!     orders.send_stamped("sell") // returns once it has its number
//! });
//! let sold = trader.join().unwrap()?;
//! quotes.send(1.25)?;
//!
//! assert_eq!(desk.recv()?, (1.into(), "buy"));
//! assert_eq!(desk.recv()?, (sold, "sell"));
//! assert_eq!(feed.recv()?, (3.into(), 1.25)); // sent after the sale had its number
//! assert_eq!(desk.recv_event()?, Event::Clock(3.into())); // nothing more for the desk up to 3
//! # Ok(()) }
//! ```
//!
//! # What is promised
//!
//! - **O1, dense**: every message or other event that is numbered gets the next number; no gap, no duplicate.
//! - **O2, per handle**: messages of one handle ([`Sender`], [`Broadcaster`], [`Outbox`]) are numbered in the order
//!   sent, whatever their targets.
//! - **O3, causal**: what is sent after receiving an event, or after reading the clock at t, has a higher number.
//! - **O4, increasing**: a receiver sees strictly increasing numbers; a clock that it is told exceeds all it was
//!   told before.
//! - **O5, clock safety**: a receiver that is told [`Event::Clock`]`(t)` has received every message numbered up to
//!   t that was addressed to it when it was numbered, after it joined.
//!
//! *Not* promised: an order between two handles that coordinate outside of the engine, even on one thread.
//! [`Sender::send_stamped`] returns once the message has its number, so whoever is told afterwards sends later. And
//! numbers of messages that nobody received are seen by nobody: of those that a receiver drops when it goes, and at
//! times of one that comes back at that very moment.
//!
//! # Progress
//!
//! Reading a received run and sending to a lane with room are wait-free. Numbering is not lock-free in the strict
//! sense: while the thread that holds the dispatcher is descheduled, nobody else numbers.
//!
//! A receiver whose messages come one by one holds the dispatcher while it waits for the next, for a microsecond at
//! most, and numbers what its own lane has without a full pass; every thirty-second time it makes one all the same.
//!
//! # To many at once
//!
//! A [`Group`] is a set of receivers of one type. A [`Broadcaster`] sends to all of them: one slot, one number, one run
//! for each member. An [`Outbox`] sends to all, to the one that a key chooses, or to one after the other, in one order
//! with everything else that it sends. Members clone what they receive, or read it where it lies
//! ([`Receiver::recv_ref`]).
//!
//! Whoever has joined before something is sent gets it; O5 holds for members, from their joining on. A slot is free
//! when the slowest member has passed it: [`Broadcaster::slowest`] names that member, and [`Group::remove`] removes
//! it. What it then misses it can count, and O5 says nothing of that any more.
//!
//! # Receivers together
//!
//! The clock says how far everything is handed out. How far it is *handled*, each receiver tells:
//! [`Receiver::progress`] is a handle for others, to be read and to be waited for; several make a barrier
//! ([`Progress`]). A receiver that is [behind](Receiver::behind) others never overtakes them: pipelines and diamonds of
//! stages. Threads that must wait for each other [catch up](Receiver::catch_up) first. And a [`Merge`] reads several
//! receivers, of different types, as one stream in the order of the numbers. Whoever uses none of this pays a branch
//! for it.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use mainspring::Engine;
//! let engine = Engine::new();
//! let (mut orders, mut journal) = engine.channel();
//! let (mut copies, mut desk) = engine.channel();
//! let journaled = journal.progress();
//! desk.behind(&[journal.progress()])?; // nothing reaches the desk before the journal is done with what precedes it
//!
//! let thread = std::thread::spawn(move || journal.messages().count());
//! orders.send_stamped("buy")?;
//! let sent = copies.send_stamped("buy")?;
//! assert_eq!(desk.recv()?, (sent, "buy"));
//! assert!(journaled.now() >= sent);
//! # drop(orders);
//! # thread.join().unwrap();
//! # Ok(()) }
//! ```
//!
//! # Tasks
//!
//! What waits has a form for tasks: [`Sender::send_async`], [`Receiver::recv_async`],
//! [`Receiver::recv_event_async`], [`Receiver::recv_batch_async`], [`Clock::reached`], [`Progress::reached`];
//! receivers and merges are streams, a [`Ticket`] and an [`Answer`] futures. No runtime is named, and none is needed.
//! Threads and tasks mix: a lane does not know who writes it, nor who reads. A future that is dropped has taken
//! nothing, and leaves nobody asleep; one that sends gives its value back.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # smol::block_on(async {
//! let engine = mainspring::Engine::new();
//! let (mut tx, mut rx) = engine.channel();
//! let done = rx.progress();
//! let worker = std::thread::spawn(move || rx.messages().map(|(_, n)| n).sum::<u32>()); // a thread
//! tx.send_async(1).await?; // and a task
//! let seq = tx.send_stamped_async(2).await?;
//! done.reached(seq).await?; // the worker is done with both
//! drop(tx);
//! assert_eq!(worker.join().unwrap(), 3);
//! # Ok(()) })}
//! ```
//!
//! A [`SharedSender`] sends by `&self`: one lane behind a short lock, for those who share it.
//!
//! What each drive costs whom, what a poll costs, what blocks, and how to choose capacities and to shut down, is on a
//! page of its own: [`embedding`].
//!
//! # Questions and answers
//!
//! [`Engine::reply`] makes the two ends of one answer: a [`Reply`] travels in the request, an [`Answer`] waits, as a
//! thread or as a task. Nobody joins, and the answer has a number: whoever has it knows what it was made from, and what
//! comes after it.
//!
//! # The end
//!
//! Ends may be dropped in any order, at any time: see [`Receiver`] and [`Sender`]. [`Engine::close`] ends all of it in
//! order: nothing more is sent, what was sent is received, and a report tells what was left where, and who held it.
//!
//! # Many lanes
//!
//! A pass looks at the *hot* lanes. When there are more than sixteen of them, one that is silent for some sixty passes
//! goes *cold*: it costs the passes nothing until it speaks. Then its sender runs a pass: some hundreds of nanoseconds,
//! and up to some microseconds where thousands of lanes speak in turn, each of which stays hot for a while. A lane with
//! room is served by the pass that finds its message, whoever else speaks; one that waits for room in its receiver's
//! inbox, after those that waited before it.
//!
//! An idle lane takes about 1 KB; its slots are allocated at its first message (8 KB for 1,024 words of 8 bytes). A
//! receiver takes 24 bytes for each entry of its inbox. Joining and leaving cost about a microsecond, beside however
//! many lanes, also at a full inbox. Up to 262,144 lanes and outboxes of an engine can be cold; each one beyond stays
//! hot, and costs every pass a look.
//!
//! # Composition
//!
//! A [`Follower`] delivers in an order that is given elsewhere: threads that receive from an engine forward what they
//! make of it, with the numbers it has, and say how far they have come; receivers further down get all of it in the one
//! order again, and read a clock that means the same. Followers can follow followers.
//!
//! # Your own events
//!
//! What is no message can have a number, too. A [`Marker`] submits marks; [gates](Marker::gate) are marks that wait for
//! the end of others, [fences](Marker::fence) bring it about; a [`Notice`] is told to one receiver, in its place among
//! the messages, and never waits. What hangs on a number is a [continuation](Marker::submit_then). The page
//! [`own_events`] tells which of them is for what.
//!
//! # States
//!
//! A [`Slot`] holds the latest value of something. Each state that a [`Publisher`] puts in has a number, as a message
//! has; a [`Latest`] reads the newest, wait-free, and hears of changes. Several are published with one number by
//! [`publish_all`], and a [`Cut`] reads many as they are at one number. Whoever receives a message numbered t sees
//! every state up to t.
//!
//! # Statistics
//!
//! [`Engine::stats`] tells how full everything is, how far each receiver is behind, and who holds up whom. It costs
//! only the one who asks. With [timestamps](Builder::timestamps) it tells how far they are behind in time, too; that
//! costs each pass a look at the system's clock, and each receiver a store with each message.
//!
//! Three features add ways to get at that:
//!
//! - `openmetrics`: `Stats::open_metrics` writes it as text for Prometheus and its kin.
//! - `serde`: statistics, [`Seq`], [`Event`] and the errors that hold no value can be serialized, and read again.
//!   Fields and variants have the names that they have here, variants in snake case; they stay.
//! - `tracing`: events with the target `mainspring`, for whoever subscribes to the crate `tracing`.
//!
//! | level | message | fields |
//! |---|---|---|
//! | debug | `joined`, `left` | `kind`, and of `receiver`, `id`, `group`, `outbox` what it has |
//! | debug | `waits for room` (somebody who sends goes to sleep) | `receiver`, `id` |
//! | debug | `has room`, `waits no longer` | `receiver`, `id`, `waited_ns` |
//! | warn | `slow receiver` (somebody has waited for it for 100 ms or more) | `receiver`, `id`, `waited_ns` |
//! | info | `closed` | `clock` |
//! | warn | `closed before all was received` | `clock`, `left`: receivers, `discarded`: messages |
//! | error | `closed: a pass has panicked` | |
//! | error | `a continuation has panicked` | |
//!
//! Who joins is a receiver, sender, forwarder, broadcaster, outbox, or a member of a group. `receiver`, `group` and
//! `outbox` are names, where they were given; `id` is [`Address::id`] or [`Outbox::id`]. Of one receiver there is a
//! warning a second at most. A subscriber may use the engine: it is called by those who join, leave or are about to
//! sleep, never by one who passes or holds a lock. While it works it holds up whoever called it, and nobody else.
//!
//! # Coming from clocked-dispatch
//!
//! [`from_clocked_dispatch`] has a table of what stands for what.
//!
//! # Waiting
//!
//! Every wait spins briefly, yields a few times, then sleeps until it is told. On Linux the engine uses the kernel's
//! `membarrier`, so that only those who sleep pay for it; with `MAINSPRING_BARRIER=fence` in the environment, or
//! where the kernel has none, every publication passes a full fence instead.

#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

#[macro_use]
mod sync;

mod board;
mod clock;
#[expect(unsafe_code, reason = "the cell behind the lock word")]
mod combine;
mod error;
mod given;
mod inbox;
mod lane;
#[expect(unsafe_code, reason = "states that readers walk over while they are put in and taken out")]
mod latest;
mod mark;
mod notice;
mod order;
mod park;
mod pins;
mod ready;
#[expect(unsafe_code, reason = "slots are uninitialised memory, handed from thread to thread")]
mod ring;
mod tap;
mod trace;
mod turns;
mod waiters;
mod watch;

mod dispatcher;
mod drive;
mod stall;

mod address;
mod author;
mod batch;
mod broadcaster;
mod closing;
mod cut;
mod engine;
mod follower;
mod forwarder;
mod group;
mod marker;
mod merge;
mod outbox;
mod progress;
mod receiver;
mod reply;
mod sender;
mod shared_sender;
mod slot;
mod stats;

pub mod embedding;
pub mod from_clocked_dispatch;
pub mod own_events;

pub use address::Address;
pub use author::{Sending, Stamping};
pub use broadcaster::{Broadcaster, Slowest};
pub use clock::Seq;
pub use closing::{Closing, Holder, Left};
pub use cut::Cut;
pub use drive::{Drive, Driver, Hook, Idle};
pub use engine::{Builder, Clock, Engine, Options, Reading};
pub use error::{
    AddressError, BehindError, BuildError, NotifyError, Reason, RecvError, RecvTimeoutError,
    SendBatchError, SendError, SendTimeoutError, StampedError, TryRecvError, TrySendError,
    WaitError, WaitTimeoutError,
};
pub use error::{AdvanceError, ForwardError, ForwardReason, ForwardTimeoutError, TryForwardError};
pub use error::{AnswerError, AnswerTimeoutError, TryAnswerError};
pub use error::{CutError, PublicationError, PublishError, PublishReason};
pub use follower::{Follower, FollowerBuilder, FollowerGroup, FollowerOptions};
pub use forwarder::Forwarder;
pub use group::Group;
pub use latest::Snapshot;
pub use marker::{Marker, Prepared, Source, Ticket};
pub use merge::{Merge, MergeError};
pub use notice::Notice;
pub use outbox::{GroupTarget, Outbox, Target};
pub use progress::Progress;
pub use receiver::{Event, Messages, Receiver, Ref};
pub use reply::{Answer, Reply};
pub use sender::Sender;
pub use shared_sender::{SharedSender, SharedSending};
pub use slot::{Latest, Part, Publication, Publisher, Slot, publish_all};
pub use stats::{HeldUp, LaneStats, OutboxStats, ReceiverStats, Stats};

/// The parts that models, benches and tests of the project need. Not for use: nothing here is stable.
#[doc(hidden)]
pub mod parts {
    pub use crate::clock::{ClockCell, ClockWriter};
    pub use crate::combine::{Combine, Held};
    pub use crate::pins::{Pins, Sight};
    pub use crate::ready::ReadySet;
    pub use crate::ring::Ring;
    pub use crate::sync::{barrier_form, sites};

    use crate::dispatcher::{Core, Heat};
    use crate::{Builder, Engine};

    /// Lanes go cold as soon as a pass finds them silent.
    pub fn cold_at_once(mut builder: Builder) -> Builder {
        builder.heat = Heat { hot: 0, silent: 0, probation: 0, candidates: 1 };
        builder
    }

    /// How often the engine was asked to look again: by sends that somebody wanted to hear of, joins, ends, sleeps.
    pub fn kicks(engine: &Engine) -> u64 {
        engine.shared.kicks()
    }

    /// How many passes there have been; none while one is under way.
    pub fn passes(engine: &Engine) -> Option<u64> {
        Some(engine.shared.ask(Core::turns)?.0)
    }

    /// How many changes of the topology no pass has applied.
    pub fn listed(engine: &Engine) -> usize {
        engine.shared.board().topology.listed()
    }

    /// How many states a slot holds, for itself and for cuts.
    pub fn states<T: Send + Sync + 'static>(latest: &crate::Latest<T>) -> usize {
        latest.state().states.len()
    }

    /// As if a pass had panicked.
    pub fn poison(engine: &Engine) {
        engine.shared.poison();
    }
}
