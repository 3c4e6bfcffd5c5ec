//! A whole concurrent system in one thread, by a schedule that a seed decides: the same seed, the same run.
//!
//! ```text
//!  teller 0 ──▶┐ transfers, each with ┌──▶ shard 0   accounts 0, 2, 4, …
//!  teller 1 ──▶┤ one number for both  ├──▶ shard 1   accounts 1, 3, 5, …
//!  office ────▶┘ checks ──────────────┴──▶ auditor
//! ```
//!
//! With `Drive::manual` nothing moves by itself: each step is one call, of a `try_` form or of `engine.pass()`, and a
//! seeded generator chooses which. So a bug that needs a rare order of events is found by trying seeds, and comes again
//! with its seed. What must hold here: money is moved, not made. A check with number n asks for the sum over both
//! shards *at n*, which each knows when its clock has come to n.
//!
//! `cargo run --example replay -- --seed 7 --steps 100` prints the run; without a seed it takes any. With `--careless`
//! the auditor asks for what the shards hold at the moment, and is found out: exit code 1, and the seed.

use std::collections::VecDeque;
use std::error::Error;
use std::io::{self, Write};

use fastrand::Rng;
use mainspring::{Broadcaster, Drive, Engine, Event, GroupTarget, Outbox, Receiver, Seq, Target};

type Outcome = Result<(), Box<dyn Error>>;

/// Whose turn a step can be.
const TURNS: [&str; 8] =
    ["teller 0", "teller 1", "office", "office", "shard 0", "shard 1", "auditor", "pass"];

/// An amount from one account to another. Both shards get it.
#[derive(Clone, Copy, Debug)]
struct Transfer(u8, u8, i64);

/// Half of the accounts.
struct Shard {
    parity: u8,
    inbox: Receiver<Transfer>,
    /// What they hold together, from each number on.
    sums: Vec<(Seq, i64)>,
}

impl Shard {
    fn step(&mut self) -> String {
        let event = self.inbox.try_recv_event();
        if let Ok(Event::Message(seq, Transfer(from, to, amount))) = event {
            let own = |account: u8| i64::from(account % 2 == self.parity);
            self.sums.push((seq, self.sum_at(seq) + amount * (own(to) - own(from))));
        }
        format!("{event:?}")
    }

    /// What they held when all up to `seq` was applied.
    fn sum_at(&self, seq: Seq) -> i64 {
        self.sums.iter().rfind(|(at, _)| *at <= seq).map_or(0, |&(_, sum)| sum)
    }
}

struct World {
    engine: Engine,
    tellers: [Broadcaster<Transfer>; 2],
    office: Outbox,
    to_shards: GroupTarget<Transfer>,
    to_auditor: Target<()>,
    shards: [Shard; 2],
    auditor: Receiver<()>,
    /// Checks whose sums are not known yet.
    open: VecDeque<Seq>,
    careless: bool,
}

impl World {
    fn new(careless: bool) -> Result<Self, Box<dyn Error>> {
        // Small, so that there is often no room.
        let engine = Engine::builder().capacity(4).inbox(2).drive(Drive::manual(|| {})).build()?;
        let (group, auditor, mut office) = (engine.group(), engine.receiver(), engine.outbox());
        let shard = |parity| Shard { parity, inbox: group.subscribe(), sums: Vec::new() };
        let (shards, tellers) = ([0, 1].map(shard), [0, 1].map(|_| group.broadcaster()));
        let (to_shards, to_auditor) = (office.add_group(&group)?, office.add(&auditor.address())?);
        let open = VecDeque::new();
        Ok(Self { engine, tellers, office, to_shards, to_auditor, shards, auditor, open, careless })
    }

    /// Whether there is nothing left to be taken.
    fn is_quiet(&self) -> bool {
        let is_empty = |shard: &Shard| shard.inbox.is_empty();
        self.shards.iter().all(is_empty) && self.auditor.is_empty() && self.open.is_empty()
    }

    /// One step of the schedule: what it did, or what is wrong.
    fn step(&mut self, turn: usize, random: &mut Rng) -> Result<String, String> {
        let transfer = Transfer(random.u8(..8), random.u8(..8), random.i64(1..100));
        Ok(match turn {
            0 | 1 => format!("{transfer:?} {:?}", self.tellers[turn].try_send(transfer)),
            2 => format!("{transfer:?} {:?}", self.office.try_send_all(self.to_shards, transfer)),
            3 => format!("Check {:?}", self.office.try_send(self.to_auditor, ())),
            4 | 5 => self.shards[turn - 4].step(),
            6 => self.audit()?,
            _ => format!("{}, {:?}", self.engine.pass(), self.engine.clock()),
        })
    }

    /// Takes a check, if there is one; then the sums of those that are known.
    fn audit(&mut self) -> Result<String, String> {
        let check = self.auditor.try_recv();
        self.open.extend(check.iter().map(|&(seq, ())| seq));
        let mut said = format!("{check:?}");
        let told = self.shards.iter_mut().map(|shard| shard.inbox.caught_up_to()).min();
        while let Some(seq) = self.open.pop_front_if(|seq| self.careless || Some(*seq) <= told) {
            let at = if self.careless { Seq::MAX } else { seq };
            match self.shards.iter().map(|shard| shard.sum_at(at)).sum() {
                0_i64 => said += &format!(", right at {seq}"),
                sum => return Err(format!("{said}, but {sum} too much at {seq}")),
            }
        }
        Ok(said)
    }
}

/// Runs a schedule, and writes each step down. An error, which names the seed, if a sum is wrong.
pub(crate) fn run(seed: u64, steps: usize, careless: bool, out: &mut dyn Write) -> Outcome {
    let (mut world, mut random) = (World::new(careless)?, Rng::with_seed(seed));
    for nth in 0.. {
        if nth >= steps && world.is_quiet() {
            break;
        }
        // In the end all take what there is.
        let turn = if nth < steps { random.usize(..8) } else { 4 + nth % 4 };
        let did = world.step(turn, &mut random);
        let (Ok(text) | Err(text)) = &did;
        writeln!(out, "{nth:>5}  {:8}  {text}", TURNS[turn])?;
        did.map_err(|wrong| format!("--seed {seed} --steps {steps}, step {nth}: {wrong}"))?;
    }
    Ok(())
}

fn main() -> Outcome {
    let (mut seed, mut steps, mut careless) = (fastrand::u64(..), 100, false);
    let mut args = std::env::args().skip(1);
    while let Some(option) = args.next() {
        match &*option {
            "--careless" => careless = true,
            "--seed" => seed = args.next().ok_or("--seed N")?.parse()?,
            "--steps" => steps = args.next().ok_or("--steps N")?.parse()?,
            _ => return Err("usage: replay [--seed N] [--steps N] [--careless]".into()),
        }
    }
    run(seed, steps, careless, &mut io::stdout())
}
