//! Actors: tasks that own their state, each with a typed inbox, in one total order with all others.
//!
//! ```text
//!  customers ──ask──▶ Shop ──ask──▶ Stock ◀──tell── a lorry
//!                       └──▶ audit ◀──┘   all that any was told, causes before effects
//! ```
//!
//! A [`Handle`] is the way to an actor; clones are the same way. `tell` waits for room in its inbox, `ask` for an
//! answer. When the last handle goes, the actor handles what it was told, and ends: whoever awaits its task has its
//! state then, or its panic. Actors that hold handles of each other never end; that ask each other at once, hang.
//!
//! An answer comes by tokio's channel for one value: it is for one asker, once, and part of no order. What is ordered
//! is the question. A channel of the engine is for many messages; to make one costs about a microsecond.
//! `cargo run --example actor` prints the audit.

use std::error::Error;
use std::fmt;
use std::io::{self, Write};

use mainspring::{Engine, SendError, Seq, SharedSender};
use tokio::sync::oneshot::{self, error::RecvError};
use tokio::task::{JoinHandle, JoinSet, coop, spawn_blocking};

/// What a task runs: a state, and what it does when it is told something.
pub(crate) trait Actor: Send + 'static {
    const NAME: &'static str;
    type Message: fmt::Debug + Send + 'static;
    type Answer: Send + 'static;
    fn handle(&mut self, message: Self::Message) -> impl Future<Output = Self::Answer> + Send;
}

/// A message in an inbox, and where its answer goes if anyone waits for it.
type Letter<A> = (<A as Actor>::Message, Option<oneshot::Sender<<A as Actor>::Answer>>);

/// The way to an actor.
pub(crate) struct Handle<A: Actor>(SharedSender<Letter<A>>);

impl<A: Actor> Handle<A> {
    /// If it has ended, by a panic, the message comes back.
    pub(crate) async fn tell(&self, message: A::Message) -> Result<(), SendError<Letter<A>>> {
        self.0.send_async((message, None)).await
    }

    pub(crate) async fn ask(&self, message: A::Message) -> Result<A::Answer, RecvError> {
        let (reply, answer) = oneshot::channel();
        // If it has ended, the reply is dropped here, as it is if it ends before it answers.
        self.0.send_async((message, Some(reply))).await.ok();
        answer.await
    }
}

impl<A: Actor> Clone for Handle<A> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

/// That an actor was told something: which one, with what number, and what.
pub(crate) type Entry = (&'static str, Seq, String);
type Audit = SharedSender<Entry>;
type Started<A> = (Handle<A>, JoinHandle<A>);

/// Starts an actor. Its task ends with its state when the last handle has gone.
pub(crate) fn start<A: Actor>(engine: &Engine, mut actor: A, audit: Audit) -> Started<A> {
    let (sender, mut inbox) = engine.channel::<Letter<A>>();
    let task = tokio::spawn(async move {
        while let Ok((number, (message, reply))) = inbox.recv_async().await {
            // It has its number before anything follows from the message: what does has a higher one.
            let entry = (A::NAME, number, format!("{message:?}"));
            audit.send_stamped_async(entry).await.ok();
            let answer = actor.handle(message).await;
            reply.map(|reply| reply.send(answer).ok());
            // An inbox that is never empty is always ready: the other tasks have their turn all the same.
            coop::consume_budget().await;
        }
        actor
    });
    (Handle(sender.into_shared()), task)
}

/// How many of something there are to be sold.
pub(crate) struct Stock(pub(crate) u32);

#[derive(Debug)]
pub(crate) enum ToStock {
    Delivered(u32),
    Take(u32),
}

impl Actor for Stock {
    const NAME: &'static str = "stock";
    type Message = ToStock;
    type Answer = bool;

    async fn handle(&mut self, message: ToStock) -> bool {
        let left = match message {
            ToStock::Delivered(count) => self.0.checked_add(count),
            ToStock::Take(count) => self.0.checked_sub(count),
        };
        self.0 = left.unwrap_or(self.0);
        left.is_some()
    }
}

/// Sells what the stock has; counts what it has sold.
pub(crate) struct Shop(Handle<Stock>, pub(crate) u32);

#[derive(Debug)]
pub(crate) struct Order(u32);

impl Actor for Shop {
    const NAME: &'static str = "shop";
    type Message = Order;
    type Answer = bool;

    async fn handle(&mut self, Order(count): Order) -> bool {
        let taken = self.0.ask(ToStock::Take(count)).await == Ok(true);
        self.1 += if taken { count } else { 0 };
        taken
    }
}

/// A day with so many customers, who order one each. What was sold, what is left, and the audit.
pub(crate) async fn day(customers: usize) -> Result<(u32, u32, Vec<(Seq, Entry)>), Box<dyn Error>> {
    let engine = Engine::new();
    let (audit, mut entries) = engine.channel();
    let auditor = spawn_blocking(move || entries.messages().collect());
    let audit = audit.into_shared();
    let (stock, stock_task) = start(&engine, Stock(0), audit.clone());
    let (shop, shop_task) = start(&engine, Shop(stock.clone(), 0), audit);
    let shops = std::iter::repeat_n(shop, customers);
    let orders: JoinSet<_> = shops.map(|shop| async move { shop.ask(Order(1)).await }).collect();
    for _ in 0..4 {
        stock.tell(ToStock::Delivered(5)).await?;
    }
    drop(stock); // The shop has a handle of it, and the customers have the shop's.
    orders.join_all().await.into_iter().collect::<Result<Vec<_>, _>>()?;
    let sold = shop_task.await?.1; // With the shop goes the last handle of the stock.
    Ok((sold, stock_task.await?.0, auditor.await?))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (sold, left, audit) = day(25).await?;
    for (_, (actor, number, what)) in audit {
        writeln!(io::stdout(), "{number:>4}  {actor:5}  {what}")?;
    }
    Ok(writeln!(io::stdout(), "sold {sold}, left {left}")?)
}
