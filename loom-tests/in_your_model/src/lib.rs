//! A ledger: one thread books what others send it, and whoever has booked something can read the balance.
//!
//! ```text
//!   Teller ──deposit──▶ lane ──▶ Ledger ──▶ balance
//!      │                           │           ▲
//!      └── waits until the ledger has handled it, then reads
//! ```
//!
//! Its own words are loom's in a model and the standard library's elsewhere. Mainspring's are so by themselves, if it
//! is built with `--cfg loom`, too.

#[cfg(loom)]
use loom::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
#[cfg(not(loom))]
use std::sync::atomic::{AtomicU64, Ordering};

use mainspring::{Engine, Progress, Receiver, Sender, Seq};

/// Books deposits, in the order of their numbers.
pub struct Ledger {
    deposits: Receiver<u64>,
    balance: Arc<AtomicU64>,
}

/// Sends deposits, and reads the balance.
pub struct Teller {
    deposits: Sender<u64>,
    progress: Progress,
    balance: Arc<AtomicU64>,
}

/// A ledger, and somebody who deposits there.
pub fn open(engine: &Engine) -> (Ledger, Teller) {
    let (tx, mut rx) = engine.channel();
    let balance = Arc::new(AtomicU64::new(0));
    let progress = rx.progress();
    let ledger = Ledger { deposits: rx, balance: balance.clone() };
    (ledger, Teller { deposits: tx, progress, balance })
}

impl Ledger {
    /// Books until no teller is left.
    pub fn run(mut self) {
        for (_, amount) in self.deposits.messages() {
            let balance = self.balance.load(Ordering::Relaxed);
            self.balance.store(balance + amount, Ordering::Relaxed);
        }
    }
}

impl Teller {
    /// Deposits, and tells the number of that; none if the ledger has gone.
    pub fn deposit(&mut self, amount: u64) -> Option<Seq> {
        self.deposits.send_stamped(amount).ok()
    }

    /// The balance, once everything up to this number is booked; none if the ledger has gone before. Relaxed is enough:
    /// who is told of progress sees what the receiver did before.
    pub fn balance_after(&self, seq: Seq) -> Option<u64> {
        self.progress.wait_for(seq).ok()?;
        Some(self.balance.load(Ordering::Relaxed))
    }

    /// A mistake, kept to show that a model finds it: whoever has a number knows that the deposit has its place, not
    /// that anybody has booked it.
    pub fn balance_too_early(&self) -> u64 {
        self.balance.load(Ordering::Relaxed)
    }
}
