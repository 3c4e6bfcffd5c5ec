//! Groups as targets of an outbox: to all members, to the one that a key chooses, or to one after the other.
//!
//! Each member has a lane of its own for what goes to one of them, and there is one lane for what goes to all; both
//! are opened when they are needed. All are targets of the outbox, with words in its order ring, so the one order
//! holds over everything. Who is a member the outbox asks the group before each message, which costs a load while
//! nothing changes.
//!
//! *By key.* Each member has a weight for each key, a hash of both; the heaviest has it (rendezvous hashing: Thaler
//! and Ravishankar, "Using name-based mappings to increase hit rates", 1998). So when a member leaves, only its
//! keys move, and when one joins, keys move to it alone.
//!
//! *By turn.* The next member that has room in its lane. When none has, the author sleeps until one has, whichever
//! it is: all lanes to members of one group have one place to sleep.

use std::any::Any;
use std::collections::VecDeque;
use std::fmt;
use std::hash::Hash;
use std::marker::PhantomData;

use super::Outbox;
use super::target::{Readers, Target, TargetLane, find};
use super::weight::{hash, mix};
use crate::address::Port;
use crate::author::check_closed;
use crate::board::Change;
use crate::drive::{For, Step};
use crate::error::{AddressError, Reason, SendError, TrySendError};
use crate::group::Group;
use crate::park::Parker;
use crate::ring::{Lane, Producer};
use crate::stall::Stall;
use crate::sync::{Arc, unique};

/// Names a group to which an [`Outbox`] sends. Made by [`Outbox::add_group`], good for that outbox only.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let engine = mainspring::Engine::new();
/// let shards = engine.group::<(&str, u32)>();
/// let mut members = [shards.subscribe(), shards.subscribe(), shards.subscribe()];
/// let mut out = engine.outbox();
/// let to_shards = out.add_group(&shards)?;
/// for (account, amount) in [("ada", 1), ("bob", 2), ("ada", 3)] {
///     out.send_keyed(to_shards, account, (account, amount))?;
/// }
/// out.send_all(to_shards, ("end of day", 0))?; // after all of these, for everyone
/// drop(out);
/// for member in &mut members {
///     let received: Vec<_> = member.messages().map(|(_, message)| message).collect();
///     let of_ada = received.iter().filter(|(account, _)| *account == "ada").count();
///     assert!(of_ada == 0 || of_ada == 2); // equal keys meet
///     assert_eq!(received.last(), Some(&("end of day", 0)));
/// }
/// # Ok(()) }
/// ```
pub struct GroupTarget<T> {
    index: usize,
    id: u64,
    of: PhantomData<fn(T)>,
}

/// A group's place in the outbox.
pub(super) struct CrowdSlot {
    id: u64,
    /// None when removed.
    crowd: Option<Box<dyn Any + Send + Sync>>,
}

/// What the outbox knows of a group.
struct Crowd<T: Send + 'static> {
    group: Group<T>,
    /// The generation of the group whose members these are.
    generation: Option<u64>,
    members: Vec<Member<T>>,
    /// Whose turn it is.
    next: usize,
    /// The lane to all of them.
    all: Option<Target<T>>,
    /// Where the author waits for room in the lane of any member.
    parker: Arc<Parker>,
}

struct Member<T> {
    port: Arc<Port<T>>,
    /// What its weights are made of.
    seed: u64,
    target: Target<T>,
}

/// Which member a message is for.
#[derive(Clone, Copy)]
enum Pick {
    /// The one with the greatest weight for this hash.
    Key(u64),
    /// The next that has room.
    Turn,
}

impl Outbox {
    /// Adds a group, to whose members it can then send. It is a source of those who are members now, and of later
    /// ones with its next message to the group.
    ///
    /// A member that leaves the group keeps what was sent to it alone; this outbox is no source of it any more with
    /// its next message to the group. To a group without members [`send_all`](Self::send_all) is no error (the
    /// message has its number, and is gone), to one of them is.
    ///
    /// # Errors
    ///
    /// [`Foreign`](AddressError::Foreign) if the group is another engine's.
    pub fn add_group<T: Send + 'static>(
        &mut self,
        group: &Group<T>,
    ) -> Result<GroupTarget<T>, AddressError> {
        if !Arc::ptr_eq(&self.shared, group.shared()) {
            return Err(AddressError::Foreign);
        }
        let crowd = Crowd {
            group: group.clone(),
            generation: None,
            members: Vec::new(),
            next: 0,
            all: None,
            parker: Arc::default(),
        };
        group.watch(&crowd.parker);
        let slot = CrowdSlot { id: unique(), crowd: Some(Box::new(crowd)) };
        let free = self.crowds.iter().position(|slot| slot.crowd.is_none());
        let index = free.unwrap_or(self.crowds.len());
        let target = GroupTarget { index, id: slot.id, of: PhantomData };
        match self.crowds.get_mut(index) {
            Some(free) => *free = slot,
            None => self.crowds.push(slot),
        }
        // Whoever cannot be reached for want of room is told to whoever sends.
        self.refresh(target).ok();
        Ok(target)
    }

    /// Removes a group. What was sent to its members before is received. False if it is not one of this outbox.
    pub fn remove_group<T: Send + 'static>(&mut self, group: GroupTarget<T>) -> bool {
        let Some(slot) = self.crowds.get_mut(group.index) else { return false };
        let Some(crowd) = crowd_of::<T>(slot, group.id) else { return false };
        let members = crowd.members.drain(..).map(|member| member.target);
        let targets: Vec<_> = members.chain(crowd.all.take()).collect();
        slot.crowd = None;
        for target in targets {
            self.remove(target);
        }
        true
    }

    /// Sends a value to the member that the key chooses; waits for room.
    ///
    /// The choice depends on the key's hash and on which members there are, each known by the how-manyeth it was to
    /// join the group; it is the same in each run. When a member leaves only its keys move; when one joins, keys
    /// move to it alone.
    ///
    /// # Errors
    ///
    /// If the group has no member ([`Reason::NoMember`]), or is not one of this outbox; the value comes back.
    pub fn send_keyed<T, K>(
        &mut self,
        group: GroupTarget<T>,
        key: &K,
        value: T,
    ) -> Result<(), SendError<T>>
    where
        T: Send + 'static,
        K: Hash + ?Sized,
    {
        self.send_to_one(group, value, Pick::Key(hash(key)))
    }

    /// As [`send_keyed`](Self::send_keyed), if there is room now, in the member's lane and in the outbox. Runs a
    /// pass at most, and those asked for meanwhile.
    ///
    /// # Errors
    ///
    /// If there is no room; and as `send_keyed`.
    pub fn try_send_keyed<T, K>(
        &mut self,
        group: GroupTarget<T>,
        key: &K,
        value: T,
    ) -> Result<(), TrySendError<T>>
    where
        T: Send + 'static,
        K: Hash + ?Sized,
    {
        self.try_send_to_one(group, value, Pick::Key(hash(key)))
    }

    /// Sends a value to one member after the other, those with room in their lanes first; waits for room, wherever
    /// it is.
    ///
    /// # Errors
    ///
    /// If the group has no member ([`Reason::NoMember`]), or is not one of this outbox; the value comes back.
    pub fn send_next<T: Send + 'static>(
        &mut self,
        group: GroupTarget<T>,
        value: T,
    ) -> Result<(), SendError<T>> {
        self.send_to_one(group, value, Pick::Turn)
    }

    /// As [`send_next`](Self::send_next), if a member has room now. Runs a pass at most, and those asked for meanwhile.
    ///
    /// # Errors
    ///
    /// If no member has room, or the outbox has none; and as `send_next`.
    pub fn try_send_next<T: Send + 'static>(
        &mut self,
        group: GroupTarget<T>,
        value: T,
    ) -> Result<(), TrySendError<T>> {
        self.try_send_to_one(group, value, Pick::Turn)
    }

    /// Sends a value to all members, with one number; waits for room. With no member it gets its number and is gone.
    ///
    /// # Errors
    ///
    /// If the group is not one of this outbox, or there are too many targets; the value comes back.
    ///
    /// # Panics
    ///
    /// As [`Broadcaster::send`](crate::Broadcaster::send).
    pub fn send_all<T>(&mut self, group: GroupTarget<T>, value: T) -> Result<(), SendError<T>>
    where
        T: Clone + Send + Sync + 'static,
    {
        match self.all(group) {
            Ok(target) => self.send(target, value),
            Err(reason) => Err(SendError { value, reason }),
        }
    }

    /// As [`send_all`](Self::send_all), if there is room now. Runs a pass at most, and those asked for meanwhile.
    ///
    /// # Errors
    ///
    /// If there is no room; and as `send_all`.
    ///
    /// # Panics
    ///
    /// As [`Broadcaster::send`](crate::Broadcaster::send).
    pub fn try_send_all<T>(
        &mut self,
        group: GroupTarget<T>,
        value: T,
    ) -> Result<(), TrySendError<T>>
    where
        T: Clone + Send + Sync + 'static,
    {
        match self.all(group) {
            Ok(target) => self.try_send(target, value),
            Err(reason) => Err(SendError { value, reason }.into()),
        }
    }

    /// Sends to the one that is chosen, and again to another if that has gone meanwhile.
    fn send_to_one<T: Send + 'static>(
        &mut self,
        group: GroupTarget<T>,
        mut value: T,
        pick: Pick,
    ) -> Result<(), SendError<T>> {
        loop {
            let target = match self.choose(group, pick, true) {
                Ok(target) => target,
                Err(reason) => return Err(SendError { value, reason }),
            };
            match self.send(target, value) {
                Err(error) if error.reason == Reason::Closed && !self.shared.is_closing() => {
                    value = error.value;
                    self.ask_again(group);
                }
                sent => return sent,
            }
        }
    }

    fn try_send_to_one<T: Send + 'static>(
        &mut self,
        group: GroupTarget<T>,
        mut value: T,
        pick: Pick,
    ) -> Result<(), TrySendError<T>> {
        loop {
            let target = match self.choose(group, pick, false) {
                Ok(target) => target,
                Err(reason) => return Err(SendError { value, reason }.into()),
            };
            match self.try_send(target, value) {
                Err(TrySendError::Closed(back)) if !self.shared.is_closing() => {
                    value = back;
                    self.ask_again(group);
                }
                sent => return sent,
            }
        }
    }

    /// The member that is chosen. With `wait` it has room in its lane, or has gone, which whoever sends to it finds
    /// out.
    fn choose<T: Send + 'static>(
        &mut self,
        group: GroupTarget<T>,
        pick: Pick,
        wait: bool,
    ) -> Result<Target<T>, Reason> {
        loop {
            self.refresh(group)?;
            let Self { shared, ring, targets, crowds, .. } = self;
            let crowd = crowds.get_mut(group.index).and_then(|slot| crowd_of::<T>(slot, group.id));
            let crowd = crowd.ok_or(Reason::UnknownTarget)?;
            let Crowd { group: circle, generation, members, next, parker, .. } = crowd;
            let weight = |key, member: &Member<T>| mix(key ^ member.seed);
            let (first, count) = match pick {
                Pick::Turn => (*next, members.len()),
                Pick::Key(key) => {
                    let heaviest = (0..members.len()).max_by_key(|&at| weight(key, &members[at]));
                    (heaviest.unwrap_or(0), 1)
                }
            };
            // The members of one that was ended may have closed because of that.
            let is_ended = || ring.state().is_fenced();
            let nobody = || if is_ended() { Reason::Fenced } else { Reason::NoMember };
            let first = first.checked_rem(members.len()).ok_or_else(nobody)?;
            let mut look = || {
                (first..first + count).map(|at| at % members.len()).find(|&at| {
                    find(targets, members[at].target).is_some_and(
                        |TargetLane { producer, .. }| producer.has_room() || check_closed(producer),
                    )
                })
            };
            let mut chosen = look();
            if chosen.is_none() && wait {
                let whom = || Some(members[first].port.label.clone()).filter(|_| count == 1);
                let found = Stall::wait(None, Option::is_some, |stall, deadline| {
                    shared.wait(parker, deadline, For::EAGER, |step| {
                        stall.step(step, whom);
                        match step {
                            Step::Look => match look() {
                                None if Some(circle.generation()) == *generation => None,
                                found => Some(found),
                            },
                            Step::Arm => None,
                        }
                    })
                });
                match found {
                    // The members are not the same any more.
                    Ok(None) => continue,
                    Ok(found) => chosen = found,
                    // Closed: found out by whoever sends.
                    Err(_) => {}
                }
            }
            let chosen = chosen.unwrap_or(first);
            if let Pick::Turn = pick {
                *next = chosen + 1;
            }
            return Ok(members[chosen].target);
        }
    }

    /// The lane to all members.
    fn all<T: Clone + Send + Sync + 'static>(
        &mut self,
        group: GroupTarget<T>,
    ) -> Result<Target<T>, Reason> {
        let crowd = self.crowd(group)?;
        if let Some(target) = crowd.all {
            return Ok(target);
        }
        let to = crowd.group.clone();
        let index = self.free_index().map_err(|_| Reason::TooMany)?;
        let (ring, parker) = (self.ring.clone(), self.ring.state().parker().clone());
        let lane = Lane::shared(to.capacity(), parker, Some((ring.clone(), index)));
        let state = lane.state().clone();
        to.add_lane(&lane, None, |members| Change::Crowd {
            ring,
            target: index,
            lane: state,
            members,
        });
        let mut producer = Producer::new(lane);
        if self.shared.is_closing() {
            // Perhaps nobody has found the lane on the list.
            producer.close();
        }
        let target = self.put(index, TargetLane { producer, to: Readers::All(to) }, true);
        self.crowd(group)?.all = Some(target);
        Ok(target)
    }

    /// A member has gone: the group is to be asked who is left.
    fn ask_again<T: Send + 'static>(&mut self, group: GroupTarget<T>) {
        if let Ok(crowd) = self.crowd(group) {
            crowd.generation = None;
        }
    }

    fn crowd<T: Send + 'static>(&mut self, group: GroupTarget<T>) -> Result<&mut Crowd<T>, Reason> {
        let slot = self.crowds.get_mut(group.index).ok_or(Reason::UnknownTarget)?;
        crowd_of(slot, group.id).ok_or(Reason::UnknownTarget)
    }

    /// The group, with a lane to each of those who are members now.
    fn refresh<T: Send + 'static>(
        &mut self,
        group: GroupTarget<T>,
    ) -> Result<&mut Crowd<T>, Reason> {
        let crowd = self.crowd(group)?;
        let generation = Some(crowd.group.generation());
        if crowd.generation != generation {
            self.renew(group)?;
            self.crowd(group)?.generation = generation;
        }
        self.crowd(group)
    }

    #[cold]
    fn renew<T: Send + 'static>(&mut self, group: GroupTarget<T>) -> Result<(), Reason> {
        let crowd = self.crowd(group)?;
        let (parker, now) = (crowd.parker.clone(), crowd.group.ordered());
        let mut known = VecDeque::from(std::mem::take(&mut crowd.members));
        let mut members = Vec::with_capacity(now.len());
        let mut result = Ok(());
        for (ordinal, address) in &now {
            let port = &address.port;
            // Both lists are in the order of joining, so what is looked for stands in front, but for those who have
            // left.
            let at = known.iter().position(|member| Arc::ptr_eq(&member.port, port));
            let target = match at.and_then(|at| known.remove(at)) {
                Some(member) => member.target,
                None => match self.open_lane(address, parker.clone(), true) {
                    Ok(target) => target,
                    Err(AddressError::TooMany) => {
                        result = Err(Reason::TooMany);
                        break;
                    }
                    // One that has gone by now is no member.
                    Err(_) => continue,
                },
            };
            // One that has left and joined again has another ordinal.
            members.push(Member { port: port.clone(), seed: mix(*ordinal + 1), target });
        }
        for member in known {
            self.remove(member.target);
        }
        self.crowd(group)?.members = members;
        result
    }
}

fn crowd_of<T: Send + 'static>(slot: &mut CrowdSlot, id: u64) -> Option<&mut Crowd<T>> {
    if slot.id != id { None } else { slot.crowd.as_mut()?.downcast_mut() }
}

impl<T> Clone for GroupTarget<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for GroupTarget<T> {}

impl<T> PartialEq for GroupTarget<T> {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl<T> Eq for GroupTarget<T> {}

impl<T> fmt::Debug for GroupTarget<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("GroupTarget").field(&self.index).finish()
    }
}
