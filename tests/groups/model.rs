//! Every schedule of groups keeps the promises: random ones against a model, on one thread with passes by hand.
//!
//! A *witness* is a member of every group and reads at once, so the number of each broadcast is known as soon as it is
//! given. Then everything else is known, too: a membership that began when the clock stood at b and ended when it stood
//! at e has the broadcasts of its group with numbers in b+1 ..= e, without those that it had not read when it was
//! removed; every other number up to the clock is that of a message to one receiver.
//!
//! `MAINSPRING_CASES=20000 cargo test --test groups model` looks longer; a failure names its seed, and
//! `MAINSPRING_SEED` repeats that one alone.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::env;
use std::mem::forget;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use mainspring::{Broadcaster, Engine, Event, Group, Receiver, Sender, TryRecvError, TrySendError};

use crate::by_hand;
use crate::parcel::{Dice, Parcel};

/// A receiver, and what must come.
struct Reader {
    rx: Receiver<Parcel>,
    /// Groups that it is a member of.
    groups: Vec<usize>,
    /// Handles whose broadcasts it gets. One that has ended keeps those who were members then.
    handles: BTreeSet<usize>,
    /// Broadcasts that have their number and were not received: number, handle.
    owed: VecDeque<(u64, usize)>,
    /// Messages to it alone, by handle.
    alone: BTreeMap<usize, VecDeque<u64>>,
    told: u64,
    missed: u64,
}

/// One who sends to one receiver.
struct Lone {
    tx: Sender<Parcel>,
    handle: usize,
    /// Which of the readers; none if that has gone.
    to: Option<usize>,
}

struct Caster {
    all: Broadcaster<Parcel>,
    handle: usize,
    group: usize,
}

struct World {
    engine: Engine,
    groups: Vec<Group<Parcel>>,
    witness: Receiver<Parcel>,
    /// Keeps the witness open.
    _source: Sender<Parcel>,
    readers: Vec<Option<Reader>>,
    lone: Vec<Lone>,
    casters: Vec<Caster>,
    /// Of each broadcaster that there ever was.
    group_of: BTreeMap<usize, usize>,
    /// The numbers of broadcasts: the handle, the value.
    broadcasts: BTreeMap<u64, (usize, u64)>,
    /// The numbers of each handle's messages that are known, by value.
    handles: Vec<BTreeMap<u64, u64>>,
    /// The clock when each value was sent.
    above: Vec<u64>,
    there: Arc<AtomicU64>,
}

impl World {
    fn new(dice: &mut Dice) -> Self {
        let engine = by_hand(1 + dice.below(3), 1 + dice.below(4));
        let groups: Vec<_> = (0..1 + dice.below(2)).map(|_| engine.group()).collect();
        let witness = engine.options().inbox(4096).receiver().unwrap();
        for group in &groups {
            group.join(&witness.address()).unwrap();
        }
        let source = engine.sender(&witness.address()).unwrap();
        engine.run_until_idle();
        Self {
            engine,
            groups,
            witness,
            _source: source,
            readers: Vec::new(),
            lone: Vec::new(),
            casters: Vec::new(),
            group_of: BTreeMap::new(),
            broadcasts: BTreeMap::new(),
            handles: Vec::new(),
            above: Vec::new(),
            there: Arc::default(),
        }
    }

    fn now(&self) -> u64 {
        self.engine.clock().now().get()
    }

    fn parcel(&mut self, handle: usize) -> Parcel {
        self.above.push(self.now());
        self.there.fetch_add(1, SeqCst);
        Parcel { id: self.above.len() as u64 - 1, handle, there: Some(self.there.clone()) }
    }

    fn handle(&mut self) -> usize {
        self.handles.push(BTreeMap::new());
        self.handles.len() - 1
    }

    /// O1, O2, O3.
    fn learn(&mut self, number: u64, parcel: &Parcel) {
        assert!(number > self.above[parcel.id as usize], "O3");
        let known = self.handles[parcel.handle].insert(parcel.id, number);
        assert!(known.is_none_or(|known| known == number), "two numbers of one message");
        let numbers = self.handles[parcel.handle].values();
        assert!(numbers.is_sorted_by(|one, next| one < next), "O2");
    }

    fn pass(&mut self, until_idle: bool) {
        if until_idle {
            self.engine.run_until_idle();
        } else {
            self.engine.pass();
        }
        while let Ok((seq, parcel)) = self.witness.try_recv() {
            let number = seq.get();
            self.learn(number, &parcel);
            let handle = parcel.handle;
            assert!(self.broadcasts.insert(number, (parcel.handle, parcel.id)).is_none(), "O1");
            for reader in self.readers.iter_mut().flatten() {
                if reader.handles.contains(&handle) {
                    reader.owed.push_back((number, handle));
                }
            }
        }
        self.forget_closed();
    }

    /// Who has closed is a member of nothing.
    fn forget_closed(&mut self) {
        for reader in self.readers.iter_mut().flatten().filter(|reader| reader.rx.is_closed()) {
            reader.groups.clear();
        }
    }

    fn step(&mut self, dice: &mut Dice) {
        let which = dice.below(1 << 16);
        match dice.below(40) {
            0 if self.readers.len() < 12 => self.add_reader(dice),
            1 => self.with_reader(which, |world, at| drop(world.readers[at].take())),
            2 | 3 => self.with_reader(which, Self::add_sender),
            4 => {
                let group = which % self.groups.len();
                let (all, handle) = (self.groups[group].broadcaster(), self.handle());
                self.add_caster(all, handle, group);
            }
            5 if !self.lone.is_empty() => self.change(which),
            6 if dice.below(2) == 0 && !self.casters.is_empty() => {
                drop(self.casters.swap_remove(which % self.casters.len()));
            }
            7 if !self.lone.is_empty() => drop(self.lone.swap_remove(which % self.lone.len())),
            8 | 9 => self.with_reader(which, |world, at| world.join(at, dice.below(2))),
            10 => self.with_reader(which, |world, at| world.part(at, dice.below(2), false)),
            11 => self.with_reader(which, |world, at| world.part(at, dice.below(2), true)),
            12..=16 if !self.casters.is_empty() => self.broadcast(which, dice.below(4)),
            17..=19 if !self.lone.is_empty() => self.send(which),
            20..=29 => {
                let way = dice.below(6);
                self.with_reader(which, |world, at| {
                    world.receive(at, way);
                });
            }
            30 => self.with_reader(which, |world, at| world.hold(at, dice)),
            31 => self.settle(),
            _ => self.pass(which.is_multiple_of(4)),
        }
        self.check();
    }

    fn with_reader(&mut self, nth: usize, act: impl FnOnce(&mut Self, usize)) {
        let there: Vec<usize> =
            (0..self.readers.len()).filter(|&at| self.readers[at].is_some()).collect();
        if !there.is_empty() {
            act(self, there[nth % there.len()]);
        }
    }

    fn add_reader(&mut self, dice: &mut Dice) {
        let group = dice.below(2 * self.groups.len());
        let (rx, groups) = match self.groups.get(group) {
            Some(group_of_it) => (group_of_it.subscribe(), vec![group]),
            None => (self.engine.receiver(), Vec::new()),
        };
        let (owed, alone) = (VecDeque::new(), BTreeMap::new());
        let handles = groups.iter().flat_map(|&group| self.handles_of(group)).collect();
        self.readers.push(Some(Reader { rx, groups, handles, owed, alone, told: 0, missed: 0 }));
    }

    fn add_sender(&mut self, at: usize) {
        let address = self.readers[at].as_ref().unwrap().rx.address();
        if let Ok(tx) = self.engine.sender(&address) {
            let handle = self.handle();
            self.lone.push(Lone { tx, handle, to: Some(at) });
        }
    }

    /// A sender becomes a broadcaster.
    fn change(&mut self, which: usize) {
        let Lone { tx, handle, .. } = self.lone.swap_remove(which % self.lone.len());
        let group = which / 64 % self.groups.len();
        let Ok(all) = tx.into_broadcaster(&self.groups[group]) else { panic!("it is ours") };
        self.add_caster(all, handle, group);
    }

    fn add_caster(&mut self, all: Broadcaster<Parcel>, handle: usize, group: usize) {
        for reader in self.readers.iter_mut().flatten() {
            if reader.groups.contains(&group) {
                reader.handles.insert(handle);
            }
        }
        self.group_of.insert(handle, group);
        self.casters.push(Caster { all, handle, group });
    }

    fn join(&mut self, at: usize, group: usize) {
        let group = group % self.groups.len();
        let handles = self.handles_of(group);
        let reader = self.readers[at].as_mut().unwrap();
        let closed = reader.rx.is_closed();
        let joined = self.groups[group].join(&reader.rx.address());
        assert_eq!(joined.is_err(), closed);
        if !closed && !reader.groups.contains(&group) {
            reader.groups.push(group);
            reader.handles.extend(handles);
        }
    }

    /// Those of a group's broadcasters that have not ended.
    fn handles_of(&self, group: usize) -> BTreeSet<usize> {
        let casters = self.casters.iter().filter(|caster| caster.group == group);
        casters.map(|caster| caster.handle).collect()
    }

    fn part(&mut self, at: usize, group: usize, at_once: bool) {
        let group = group % self.groups.len();
        let reader = self.readers[at].as_mut().unwrap();
        let address = reader.rx.address();
        let parted = match at_once {
            true => self.groups[group].remove(&address),
            false => self.groups[group].leave(&address),
        };
        // One that has closed may have been forgotten; one that has left may be removed all the same.
        let is_member = reader.groups.contains(&group);
        assert!(parted || !is_member || reader.rx.is_closed());
        assert!(!parted || is_member || at_once || reader.rx.is_closed());
        if parted {
            self.end_membership(at, group, at_once);
        }
    }

    /// Also with those of the group's broadcasters that have ended.
    fn end_membership(&mut self, at: usize, group: usize, at_once: bool) {
        let Self { readers, group_of, .. } = self;
        let reader = readers[at].as_mut().unwrap();
        reader.groups.retain(|&of| of != group);
        reader.handles.retain(|handle| group_of[handle] != group);
        if at_once {
            let before = reader.owed.len();
            reader.owed.retain(|(_, handle)| group_of[handle] != group);
            reader.missed += (before - reader.owed.len()) as u64;
        }
    }

    fn broadcast(&mut self, which: usize, count: usize) {
        let nth = which % self.casters.len();
        let handle = self.casters[nth].handle;
        for _ in 0..=count {
            let parcel = self.parcel(handle);
            let caster = &mut self.casters[nth];
            match caster.all.try_send(parcel) {
                Ok(()) => assert!(caster.all.len() <= caster.all.capacity()),
                Err(TrySendError::Full(_)) => break,
                Err(error) => panic!("{error:?}"),
            }
        }
    }

    fn send(&mut self, which: usize) {
        let nth = which % self.lone.len();
        let (handle, to) = (self.lone[nth].handle, self.lone[nth].to);
        let parcel = self.parcel(handle);
        let id = parcel.id;
        let there = to.is_some_and(|to| self.readers[to].is_some());
        match self.lone[nth].tx.try_send(parcel) {
            Ok(()) => {
                assert!(there, "sent to nobody");
                let reader = self.readers[to.unwrap()].as_mut().unwrap();
                reader.alone.entry(handle).or_default().push_back(id);
            }
            Err(TrySendError::Full(_)) => assert!(there),
            Err(_) => assert!(!there, "closed with a receiver"),
        }
    }

    /// True if there was a message.
    fn receive(&mut self, at: usize, way: usize) -> bool {
        let rx = &mut self.readers[at].as_mut().unwrap().rx;
        let mut got = Vec::new();
        let found = match way {
            0 => rx.try_recv().map(|(seq, parcel)| got.push((seq.get(), parcel.clone()))),
            1 => rx.try_recv_ref().map(|parcel| got.push((parcel.seq().get(), parcel.clone()))),
            2 => rx.try_recv_event().map(|event| match event {
                Event::Message(seq, parcel) => got.push((seq.get(), parcel.clone())),
                Event::Clock(clock) => self.note_clock(at, clock.get()),
                event => panic!("what is that: {}", matches!(event, Event::Clock(_))),
            }),
            3 => {
                let each =
                    |seq: mainspring::Seq, parcel: &Parcel| got.push((seq.get(), parcel.clone()));
                rx.try_recv_batch_ref(3, each).map(|_| ())
            }
            4 => rx
                .try_recv_batch(2, |seq, parcel| got.push((seq.get(), parcel.clone())))
                .map(|_| ()),
            _ => rx.try_recv_ref().map(|parcel| {
                got.push((parcel.seq().get(), parcel.clone()));
                if parcel.there.is_some() && self.broadcasts.contains_key(&parcel.seq().get()) {
                    forget(parcel);
                }
            }),
        };
        let some = !got.is_empty();
        for (number, parcel) in got {
            self.received(at, number, &parcel);
        }
        if let Err(error) = found {
            self.found_nothing(at, error);
        }
        some
    }

    fn received(&mut self, at: usize, number: u64, parcel: &Parcel) {
        self.learn(number, parcel);
        let is_broadcast = self.broadcasts.get(&number) == Some(&(parcel.handle, parcel.id));
        let now = self.now();
        let reader = self.readers[at].as_mut().unwrap();
        assert!(number > reader.told && number <= now, "O4: {number} after {}", reader.told);
        reader.told = number;
        if is_broadcast {
            let owed = reader.owed.pop_front().map(|(number, _)| number);
            assert_eq!(owed, Some(number), "a gap, or not for this member");
        } else {
            assert!(!self.broadcasts.contains_key(&number), "O1: {number} is a broadcast's");
            let first = reader.owed.front().is_none_or(|&(owed, _)| owed > number);
            assert!(first, "a broadcast before {number} was not received");
            let lane = reader.alone.get_mut(&parcel.handle).expect("for this receiver");
            assert_eq!(lane.pop_front(), Some(parcel.id), "first in, first out");
        }
    }

    /// O5.
    fn note_clock(&mut self, at: usize, clock: u64) {
        let reader = self.readers[at].as_mut().unwrap();
        assert!(clock > reader.told, "O4: clock {clock} after {}", reader.told);
        assert!(reader.owed.front().is_none_or(|&(owed, _)| owed > clock), "O5");
        reader.told = clock;
    }

    fn found_nothing(&mut self, at: usize, error: TryRecvError) {
        let reader = self.readers[at].as_mut().unwrap();
        assert_eq!(reader.owed.front(), None, "owed, and not there");
        assert_eq!(reader.rx.missed(), reader.missed, "missed");
        if error == TryRecvError::Closed {
            let rest: usize = reader.alone.values().map(VecDeque::len).sum();
            assert_eq!(rest, 0, "closed before everything was received");
        }
        // Whatever comes has a higher number than the clock.
        let now = self.now();
        let reached = self.readers[at].as_mut().unwrap().rx.caught_up_to().get();
        assert_eq!(reached, now);
    }

    /// Holds a message while others go on: one is removed, everybody sends, passes.
    fn hold(&mut self, at: usize, dice: &mut Dice) {
        let mut reader = self.readers[at].take().unwrap();
        let address = reader.rx.address();
        let Ok(message) = reader.rx.try_recv_ref() else {
            self.readers[at] = Some(reader);
            return;
        };
        let (number, parcel) = (message.seq().get(), message.clone());
        let group = dice.below(self.groups.len());
        let removed = dice.below(2) == 0 && self.groups[group].remove(&address);
        for _ in 0..4 {
            if !self.casters.is_empty() {
                self.broadcast(dice.below(64), 3);
            }
        }
        assert_eq!(message.id, parcel.id, "the message is there as long as it is held");
        drop(message);
        self.readers[at] = Some(reader);
        self.received(at, number, &parcel);
        if removed {
            self.end_membership(at, group, true);
        }
    }

    /// Everything is received; then every number is somebody's, and all lanes have room.
    fn settle(&mut self) {
        let mut quiet = 0;
        while quiet < 3 {
            quiet += 1;
            self.pass(true);
            for at in 0..self.readers.len() {
                while self.readers[at].is_some() && self.receive(at, 0) {
                    quiet = 0;
                }
            }
        }
        for reader in self.readers.iter().flatten() {
            assert!(reader.owed.is_empty() && reader.rx.is_empty());
            assert!(reader.alone.values().all(VecDeque::is_empty), "sent, and never received");
        }
        for caster in &mut self.casters {
            assert_eq!((caster.all.len(), caster.all.is_empty()), (0, true));
            caster.all.reclaim();
            let members = self.groups[caster.group].len();
            assert_eq!(caster.all.slowest().is_none(), members == 0);
        }
    }

    fn check(&self) {
        let given: usize = self.handles.iter().map(BTreeMap::len).sum();
        assert!(given as u64 <= self.now(), "O1: {given} numbers up to {}", self.now());
    }

    /// Everything goes, in some order.
    fn end(mut self, dice: &mut Dice) {
        let there = self.there.clone();
        for _ in 0..40 {
            let which = dice.below(64);
            match dice.below(3) {
                0 => self.with_reader(which, |world, at| drop(world.readers[at].take())),
                1 if !self.casters.is_empty() => {
                    drop(self.casters.swap_remove(which % self.casters.len()));
                }
                _ if !self.lone.is_empty() => drop(self.lone.swap_remove(which % self.lone.len())),
                _ => {}
            }
        }
        drop(self);
        assert_eq!(there.load(SeqCst), 0, "values were not dropped");
    }
}

/// Carries out what the dice choose, and ends it.
pub(crate) fn replay(dice: &mut Dice) {
    let mut world = World::new(dice);
    for _ in 0..20 + dice.below(400) {
        if dice.are_used_up() {
            break;
        }
        world.step(dice);
    }
    if dice.below(2) == 0 {
        world.settle();
    }
    world.end(dice);
}

/// Goal: O1 to O5 and all that is said of memberships. Method: see above.
#[test]
fn every_schedule_of_groups_keeps_the_promises() {
    let number = |name: &str| env::var(name).ok().map(|value| value.parse::<u64>().unwrap());
    let seeds = match number("MAINSPRING_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("MAINSPRING_CASES").unwrap_or(400),
    };
    for seed in seeds {
        let run = catch_unwind(AssertUnwindSafe(|| {
            replay(&mut Dice::seeded(seed));
        }));
        if let Err(panic) = run {
            eprintln!("MAINSPRING_SEED={seed}");
            resume_unwind(panic);
        }
    }
}
