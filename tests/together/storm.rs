//! Any ends that there are, in any state that chance makes of them, by hand: passes end, nobody starves, and when all
//! is read everyone agrees that it is.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use crate::Dice;
use mainspring::{
    Broadcaster, Drive, Engine, Group, GroupTarget, Outbox, Progress, Receiver, Sender, Target,
    parts,
};

/// Ways of an outbox to a group; two of them are two ways to one receiver.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    All,
    Keyed,
    Next,
}

enum Author {
    Sender(Sender<u64>),
    Broadcaster(Broadcaster<u64>),
    Outbox(Box<Outbox>, Vec<(GroupTarget<u64>, Way)>, Vec<Target<u64>>, usize),
}

impl Author {
    /// Tries to send one. None if there is nobody to send to; or whether it was sent.
    fn send(&mut self, value: u64) -> Option<bool> {
        match self {
            Self::Sender(tx) => match tx.try_send(value) {
                Ok(()) => Some(true),
                Err(error) => error.is_full().then_some(false),
            },
            Self::Broadcaster(all) => Some(all.try_send(value).is_ok()),
            Self::Outbox(out, groups, targets, turn) => {
                let ways = groups.len() + targets.len();
                if ways == 0 {
                    return None;
                }
                let at = *turn % ways;
                let sent = match groups.get(at) {
                    Some(&(group, Way::All)) => out.try_send_all(group, value),
                    Some(&(group, Way::Keyed)) => out.try_send_keyed(group, &value, value),
                    Some(&(group, Way::Next)) => out.try_send_next(group, value),
                    None => out.try_send(targets[at - groups.len()], value),
                };
                match sent {
                    Ok(()) => {
                        *turn += 1;
                        Some(true)
                    }
                    Err(error) if error.is_full() => Some(false),
                    Err(_) => {
                        *turn += 1;
                        None
                    }
                }
            }
        }
    }
}

struct End {
    rx: Receiver<u64>,
    progress: Option<Progress>,
    told: u64,
}

struct Storm {
    dice: Dice,
    engine: Engine,
    groups: Vec<Group<u64>>,
    ends: Vec<End>,
    authors: Vec<Author>,
    next: u64,
    seed: u64,
    sizes: (usize, usize),
    /// An outbox may reach a receiver by several ways.
    ways: bool,
    inside: Inside,
}

/// What the hook has in its hands: taken from it in the end, for an engine keeps its hook.
type Inside = Arc<Mutex<Option<(Engine, Vec<Group<u64>>)>>>;

impl Storm {
    fn new(seed: u64, ways: bool, hooked: bool) -> Self {
        let mut dice = Dice(seed);
        let sizes = (1 << dice.below(4), 1 << dice.below(4));
        let mut engine = Engine::builder().capacity(sizes.0).inbox(sizes.1);
        if dice.below(3) == 0 {
            engine = parts::cold_at_once(engine);
        }
        // Whoever calls the hook holds no lock: it does what there is to do.
        let inside: Inside = Arc::default();
        let hook = inside.clone();
        let busy = AtomicBool::new(false);
        let engine = engine
            .drive(Drive::manual(move || {
                let Some((engine, groups)) = hook.lock().unwrap().clone() else { return };
                if busy.swap(true, SeqCst) {
                    return;
                }
                engine.run_until_idle();
                for group in groups {
                    for member in group.members() {
                        // It is one already, or has gone meanwhile.
                        group.join(&member).ok();
                        assert_eq!(group.len(), group.members().len());
                    }
                }
                drop(engine.stats());
                busy.store(false, SeqCst);
            }))
            .build()
            .unwrap();
        let groups: Vec<_> = (0..2).map(|_| engine.group()).collect();
        if hooked {
            *inside.lock().unwrap() = Some((engine.clone(), groups.clone()));
        }
        let (ends, authors) = (Vec::new(), Vec::new());
        Self { dice, engine, groups, ends, authors, next: 0, seed, sizes, ways, inside }
    }

    fn new_end(&mut self) {
        let group = self.dice.below(3);
        let mut rx = match self.groups.get(group) {
            Some(group) => group.subscribe(),
            None => self.engine.receiver(),
        };
        let progress = (self.dice.below(2) == 0).then(|| rx.progress());
        self.ends.push(End { rx, progress, told: 0 });
    }

    fn new_author(&mut self) {
        let pick = self.dice.below(3);
        let author = match pick {
            0 if !self.ends.is_empty() => {
                let at = self.dice.below(self.ends.len());
                match self.engine.sender(&self.ends[at].rx.address()) {
                    Ok(tx) => Author::Sender(tx),
                    Err(_) => return,
                }
            }
            1 => {
                let at = self.dice.below(2);
                Author::Broadcaster(self.groups[at].broadcaster())
            }
            _ => {
                let mut out = self.engine.outbox();
                let (mut groups, mut targets) = (Vec::new(), Vec::new());
                if self.ways || self.dice.below(2) == 0 {
                    for _ in 0..if self.ways { 3 } else { 1 } {
                        let at = self.dice.below(2);
                        let target = out.add_group(&self.groups[at]).unwrap();
                        let way = [Way::All, Way::Keyed, Way::Next][self.dice.below(3)];
                        groups.push((target, way));
                    }
                }
                if self.ways || groups.is_empty() {
                    targets
                        .extend(self.ends.iter().filter_map(|end| out.add(&end.rx.address()).ok()));
                }
                Author::Outbox(Box::new(out), groups, targets, 0)
            }
        };
        self.authors.push(author);
    }

    fn send(&mut self, at: usize) -> Option<bool> {
        self.next += 1;
        self.authors[at].send(self.next)
    }

    /// True if it took something, or has closed.
    fn read(&mut self, at: usize) -> bool {
        let seed = self.seed;
        let End { rx, told, .. } = &mut self.ends[at];
        match rx.try_recv() {
            Ok((seq, _)) => {
                assert!(seq.get() > *told, "seed {seed}: O4: {seq:?} after {told}");
                *told = seq.get();
                true
            }
            Err(error) => error == mainspring::TryRecvError::Closed,
        }
    }

    fn step(&mut self) {
        let (ends, authors) = (self.ends.len(), self.authors.len());
        match self.dice.below(32) {
            0 if ends < 6 => self.new_end(),
            1 if authors < 8 => self.new_author(),
            2 if ends > 2 => {
                let at = self.dice.below(ends);
                drop(self.ends.swap_remove(at));
            }
            3 if authors > 1 => {
                let at = self.dice.below(authors);
                drop(self.authors.swap_remove(at));
            }
            4 if authors > 0 => {
                let at = self.dice.below(authors);
                let group = self.dice.below(2);
                match self.authors.swap_remove(at) {
                    Author::Sender(tx) => {
                        let all = tx.into_broadcaster(&self.groups[group]).unwrap();
                        self.authors.push(Author::Broadcaster(all));
                    }
                    Author::Outbox(mut out, mut groups, targets, turn) => {
                        if let Some((group, way)) = groups.pop() {
                            assert!(out.remove_group(group));
                            let at = self.dice.below(2);
                            groups.push((out.add_group(&self.groups[at]).unwrap(), way));
                        }
                        self.authors.push(Author::Outbox(out, groups, targets, turn));
                    }
                    other => self.authors.push(other),
                }
            }
            5 | 6 if ends > 0 => {
                let end = &mut self.ends[self.dice.0 as usize % ends];
                let group = &self.groups[self.dice.below(2)];
                match self.dice.below(4) {
                    0 | 1 => drop(group.join(&end.rx.address()).ok()),
                    2 => drop(group.leave(&end.rx.address())),
                    _ => drop(group.remove(&end.rx.address())),
                }
            }
            7..10 => {
                self.engine.pass();
            }
            10..16 if ends > 0 => {
                let at = self.dice.below(ends);
                self.read(at);
            }
            _ if authors > 0 => {
                let at = self.dice.below(authors);
                self.send(at);
            }
            _ => {}
        }
    }

    /// All authors send as often as they can, each receiver takes one a round: each author goes on.
    fn fair_play(&mut self) {
        const ROUNDS: usize = 600;
        let mut since = vec![0; self.authors.len()];
        let eager = 1 + self.dice.below(3);
        let slow = 1 + self.dice.below(3);
        for round in 0..ROUNDS * 2 {
            for (at, since) in since.iter_mut().enumerate() {
                for _ in 0..eager {
                    match self.send(at) {
                        Some(false) => {}
                        Some(true) | None => *since = round,
                    }
                }
                let kind = match &self.authors[at] {
                    Author::Sender(_) => "sender",
                    Author::Broadcaster(_) => "broadcaster",
                    Author::Outbox(..) => "outbox",
                };
                assert!(
                    round < *since + ROUNDS,
                    "seed {}: author {at}, a {kind}, starves: {:?} {:#?}",
                    self.seed,
                    self.sizes,
                    self.engine.stats(),
                );
            }
            if self.dice.below(slow) == 0 {
                self.engine.pass();
            }
            for at in 0..self.ends.len() {
                self.read(at);
            }
        }
    }

    /// All is read.
    fn settle(&mut self) {
        for _ in 0..100_000 {
            self.engine.run_until_idle();
            let read: Vec<_> = (0..self.ends.len())
                .map(|at| {
                    !self.ends[at].rx.is_closed() && self.read(at)
                        || !self.ends[at].rx.is_empty() && self.read(at)
                })
                .collect();
            if !read.contains(&true) {
                break;
            }
        }
        self.engine.run_until_idle();
        let clock = self.engine.clock().now();
        for end in &mut self.ends {
            end.rx.try_recv().ok();
            assert_eq!(end.rx.len(), 0, "seed {}", self.seed);
            if let Some(progress) = &end.progress
                && end.rx.missed() == 0
            {
                assert_eq!(progress.now(), clock, "seed {}: progress", self.seed);
            }
        }
        for author in &mut self.authors {
            match author {
                Author::Sender(tx) => assert_eq!(tx.len(), 0, "seed {}: sender", self.seed),
                Author::Broadcaster(all) => {
                    assert_eq!(all.len(), 0, "seed {}: broadcaster", self.seed);
                    assert!(all.try_send(0).is_ok());
                }
                Author::Outbox(out, ..) => assert_eq!(out.len(), 0, "seed {}: outbox", self.seed),
            }
        }
        self.engine.run_until_idle();
    }
}

/// Three times: some steps, a fair play, and all is read.
pub(crate) fn storm(seed: u64, ways: bool, hooked: bool) {
    let mut storm = Storm::new(seed, ways, hooked);
    for _ in 0..3 {
        (0..200).for_each(|_| storm.step());
        storm.fair_play();
        storm.settle();
    }
    storm.inside.lock().unwrap().take();
}
