//! Groups: sets of receivers of one type, to which a message can go together, or to one of them.
//!
//! A group is a list of members and a list of the lanes that go to all of them ([`Broadcaster`]s, and the
//! [`Outbox`](crate::Outbox)es that have sent to all). Each pair of a lane and a member has a [`Tap`]: the member's
//! place in that lane. Whoever joins, on either side, is connected with the other side under the group's lock, and
//! the dispatcher hears of it in one change; so what is broadcast reaches all who were members when it was stamped.

use std::fmt;
use std::sync::Weak;

use crate::address::{Address, Inlet, Port};
use crate::board::{Change, Membership};
use crate::broadcaster::Broadcaster;
use crate::drive::Shared;
use crate::error::AddressError;
use crate::given::Given;
use crate::lane::LaneState;
use crate::order::OrderRing;
use crate::park::Parker;
use crate::receiver::Receiver;
use crate::ring::{Lane, Producer};
use crate::sync::atomic::AtomicU64;
use crate::sync::{Arc, Mutex, Ordering::Relaxed};
use crate::tap::{Standing, Tap};
use crate::trace::{self, Who};

/// A set of receivers of one type. A handle: clones are the same group.
///
/// [`Broadcaster`]s send to all members; an [`Outbox`](crate::Outbox) to all, to one by key, or to one by turn. A
/// receiver can be a member of several groups, and have senders of its own. The group keeps no receiver open, and
/// is no source of one: its broadcasters are, and the outboxes that it was added to.
///
/// *A member that joins* gets what is numbered after it has joined, of those who send to the group then. *One that
/// leaves* gets what was numbered before, and no more. *One that does not read* holds up those who broadcast, when
/// their lane or its inbox is full: it can be [removed](Self::remove).
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let engine = mainspring::Engine::new();
/// let quotes = engine.group::<f64>();
/// let mut desk = quotes.subscribe();
/// let mut all = quotes.broadcaster();
/// all.send(1.25)?;
/// let seq = all.stamped()?;
/// let mut late = quotes.subscribe();
/// all.send(1.5)?;
/// drop(all);
/// assert_eq!(desk.messages().map(|(_, quote)| quote).collect::<Vec<_>>(), [1.25, 1.5]);
/// assert_eq!(late.messages().map(|(_, quote)| quote).collect::<Vec<_>>(), [1.5]);
/// # assert_eq!(seq.get(), 1);
/// # Ok(()) }
/// ```
pub struct Group<T: Send + 'static> {
    circle: Arc<Circle<T>>,
}

/// What the handles of a group share.
struct Circle<T> {
    shared: Arc<Shared>,
    name: Option<Box<str>>,
    /// Of each broadcaster's lane, and of the subscribers' own.
    capacity: usize,
    inbox: usize,
    /// How often the members have changed. Written under the lock.
    generation: AtomicU64,
    lists: Mutex<Lists<T>>,
}

struct Lists<T> {
    members: Vec<Member<T>>,
    /// Those who have left, while they still read what they had been given.
    parted: Vec<Member<T>>,
    lanes: Vec<Way<T>>,
    /// Members that have joined, ever.
    joined: u64,
    /// Where authors sleep who wait for room at a member.
    watchers: Vec<Weak<Parker>>,
}

/// A lane to all members, and a forwarder's numbers.
struct Way<T> {
    lane: Arc<Lane<T>>,
    given: Option<Arc<Given>>,
}

struct Member<T> {
    port: Arc<Port<T>>,
    /// The how-manyeth to join.
    ordinal: u64,
    standing: Arc<Standing>,
    /// Its place in each of the lanes.
    places: Vec<Membership>,
}

impl<T: Send + 'static> Group<T> {
    pub(crate) fn new(
        shared: Arc<Shared>,
        name: Option<Box<str>>,
        capacity: usize,
        inbox: usize,
    ) -> Self {
        let lists = Lists {
            members: Vec::new(),
            parted: Vec::new(),
            lanes: Vec::new(),
            joined: 0,
            watchers: Vec::new(),
        };
        let (generation, lists) = (AtomicU64::new(0), Mutex::new(lists));
        Self { circle: Arc::new(Circle { shared, name, capacity, inbox, generation, lists }) }
    }

    /// A new receiver, which is a member from the beginning: [`joined_at`](Receiver::joined_at) is when it joined
    /// the group, too.
    ///
    /// For one with a name or sizes of its own, make a receiver ([`Options`](crate::Options)), and let it
    /// [`join`](Self::join).
    pub fn subscribe(&self) -> Receiver<T> {
        let Circle { shared, name, capacity, inbox, .. } = &*self.circle;
        let (port, receiver) = Receiver::make(shared.clone(), name.clone(), *capacity, *inbox);
        let (inbox, label) = (port.inbox.clone(), port.label.clone());
        let mut lists = self.circle.lists.lock();
        let memberships = lists.admit(port, shared.board().clock.now());
        self.circle.count_change();
        let make = |memberships| Change::Receiver { inbox, memberships };
        let listed = self.list(&mut lists, memberships, make);
        lists.tell();
        drop(lists);
        // Without the lock, here and below: it may call a hook.
        shared.kick_for(listed);
        trace::joined(Who::Receiver(&label));
        trace::joined(Who::Member(self.name(), &label));
        receiver
    }

    /// Makes a receiver a member. One that is a member already stays one.
    ///
    /// # Errors
    ///
    /// [`Foreign`](AddressError::Foreign) if the receiver is another engine's; [`Closed`](AddressError::Closed) if
    /// it has gone, or has closed because its last source had gone.
    pub fn join(&self, receiver: &Address<T>) -> Result<(), AddressError> {
        if !Arc::ptr_eq(&self.circle.shared, &receiver.shared) {
            return Err(AddressError::Foreign);
        }
        let mut lists = self.circle.lists.lock();
        lists.forget_gone();
        if receiver.port.has_gone() || receiver.port.inbox.is_closed() {
            return Err(AddressError::Closed);
        }
        if lists.position(&receiver.port).is_none() {
            let now = self.circle.shared.board().clock.now();
            let memberships = lists.admit(receiver.port.clone(), now);
            self.circle.count_change();
            let make = |memberships| Change::Members { memberships };
            let listed = self.list(&mut lists, memberships, make);
            lists.tell();
            drop(lists);
            self.circle.shared.kick_for(listed);
            trace::joined(Who::Member(self.name(), &receiver.port.label));
        }
        Ok(())
    }

    /// Ends a membership: the receiver gets what was numbered before, and no more of the group. False if it is no
    /// member.
    ///
    /// What an outbox has sent to it alone (by key, by turn) it still receives, but of what went to all only what
    /// had its number: so it may miss a message to all and yet get one that was sent to it alone after that.
    /// Whoever must rule this out waits for the outbox first ([`Outbox::stamped`](crate::Outbox::stamped)).
    pub fn leave(&self, member: &Address<T>) -> bool {
        self.part(member, false)
    }

    /// Ends a membership at once: what the receiver has not yet received of the group's broadcasts it never will,
    /// so that it holds nobody up any more. It can tell ([`Receiver::missed`]), and closes if it has no other
    /// source. Also for one that has left, and has yet to read what it got before. False if it is neither.
    ///
    /// A message that it is reading at this moment (it holds a [`Ref`](crate::Ref), or is in a batch by reference)
    /// it keeps, and so its slot, until it has done with it. What was sent to it alone, by an outbox, it still
    /// receives.
    pub fn remove(&self, member: &Address<T>) -> bool {
        self.part(member, true)
    }

    fn part(&self, member: &Address<T>, at_once: bool) -> bool {
        let mut lists = self.circle.lists.lock();
        lists.forget_done();
        let member_at = lists.position(&member.port);
        let (mut places, mut standings) = (Vec::new(), Vec::new());
        if at_once {
            // It may have left before, and not have read since.
            let parted =
                lists.parted.iter().filter(|parted| Arc::ptr_eq(&parted.port, &member.port));
            for parted in parted {
                standings.push(parted.standing.clone());
                places.extend_from_slice(&parted.places);
            }
            lists.parted.retain(|parted| !Arc::ptr_eq(&parted.port, &member.port));
        }
        if let Some(at) = member_at {
            let parting = lists.members.swap_remove(at);
            for (given, _) in parting.places.iter().filter_map(|place| place.given.as_ref()) {
                parting.port.forwarded.remove(given);
            }
            places.extend_from_slice(&parting.places);
            standings.push(parting.standing.clone());
            if !at_once {
                lists.parted.push(parting);
            }
            self.circle.count_change();
        }
        if at_once {
            standings.iter().for_each(|standing| standing.remove());
            for place in &places {
                place.tap.revoke();
            }
        }
        if member_at.is_none() && places.is_empty() {
            return false;
        }
        let memberships = places.clone();
        // Under the lock, so that it comes before whatever joins next.
        let topology = &self.circle.shared.board().topology;
        let listed = topology.push(Change::MembersEnd { memberships });
        lists.tell();
        drop(lists);
        if at_once {
            for place in &places {
                // Its sender may wait for what this member held.
                place.lane.parker().wake();
            }
        }
        self.circle.shared.kick_for(listed);
        if member_at.is_some() {
            trace::left(Who::Member(self.name(), &member.port.label));
        }
        true
    }

    /// One who sends to all members.
    pub fn broadcaster(&self) -> Broadcaster<T>
    where
        T: Clone + Sync,
    {
        self.broadcaster_after(None)
    }

    /// One whose messages are numbered after all that was sent on a lane which has ended.
    pub(crate) fn broadcaster_after(&self, after: Option<Arc<LaneState>>) -> Broadcaster<T>
    where
        T: Clone + Sync,
    {
        let lane = Lane::shared(self.circle.capacity, Arc::default(), None);
        let state = lane.state().clone();
        self.add_lane(&lane, None, |members| Change::Fan { lane: state, after, members });
        let mut producer = Producer::new(lane);
        if self.circle.shared.is_closing() {
            // Perhaps nobody has found the lane on the list.
            producer.close();
        }
        Broadcaster::new(self.clone(), producer)
    }

    /// Connects a new lane with all members.
    pub(crate) fn add_lane(
        &self,
        lane: &Arc<Lane<T>>,
        given: Option<Arc<Given>>,
        make: impl FnOnce(Vec<Membership>) -> Change,
    ) {
        let mut lists = self.circle.lists.lock();
        lists.forget_gone();
        let way = Way { lane: lane.clone(), given };
        let now = self.circle.shared.board().clock.now();
        let members = lists.members.iter_mut();
        let places = members.filter_map(|member| member.connect(&way, now)).collect::<Vec<_>>();
        lists.lanes.push(way);
        let listed = self.list(&mut lists, places, make);
        drop(lists);
        self.circle.shared.kick_for(listed);
    }

    /// A lane ends: no member joins it any more. Those who have places there keep them until they have read all; if
    /// it never spoke, nobody is told of its end, and the places are given up here.
    pub(crate) fn remove_lane(&self, lane: &Arc<Lane<T>>, spoke: bool) {
        let mut lists = self.circle.lists.lock();
        lists.lanes.retain(|known| !Arc::ptr_eq(&known.lane, lane));
        // Of one that was ended from outside some may have joined too late to hear anything.
        let over = lane.state().is_released();
        let is_unheard = |place: &Membership| !spoke || over && place.tap.is_joining();
        let is_it = |at: &mut Membership| Arc::ptr_eq(&at.lane, lane.state()) && is_unheard(at);
        for Member { port, places, .. } in lists.members.iter_mut().filter(|_| !spoke || over) {
            for place in places.extract_if(.., is_it) {
                place.tap.finish();
                port.withdraw(place.key);
            }
        }
        lists.forget_done();
    }

    /// In a follower: publishes a number by `publish`, or returns none if somebody has given it to a member
    /// already. Under the lock under which members join.
    pub(crate) fn publish<R>(&self, number: u64, publish: impl FnOnce() -> R) -> Option<R> {
        let lists = self.circle.lists.lock();
        let _forwarding = self.circle.shared.forwarding.lock();
        let is_free = lists.members.iter().all(|member| !member.port.forwarded.has(number));
        is_free.then(publish)
    }

    /// A forwarder has ended.
    pub(crate) fn prune(&self) {
        let now = self.circle.shared.board().clock.now();
        for member in &self.circle.lists.lock().members {
            member.port.forwarded.prune(now);
        }
    }

    /// The members, in the order in which they joined.
    pub fn members(&self) -> Vec<Address<T>> {
        let addresses = self.ordered().into_iter().map(|(_, address)| address);
        addresses.collect::<Box<[_]>>().into_vec()
    }

    /// The members in that order, and the how-manyeth each was to join.
    pub(crate) fn ordered(&self) -> Vec<(u64, Address<T>)> {
        let mut lists = self.circle.lists.lock();
        lists.forget_gone();
        let shared = &self.circle.shared;
        let address = |port: &Arc<Port<T>>| Address { shared: shared.clone(), port: port.clone() };
        let members = lists.members.iter().map(|member| (member.ordinal, address(&member.port)));
        let mut members: Vec<_> = members.collect();
        drop(lists);
        members.sort_by_key(|&(ordinal, _)| ordinal);
        members
    }

    /// How many members there are.
    pub fn len(&self) -> usize {
        let mut lists = self.circle.lists.lock();
        lists.forget_gone();
        lists.members.len()
    }

    /// Whether there is no member.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The name that it was given.
    pub fn name(&self) -> Option<&str> {
        self.circle.name.as_deref()
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.circle.shared
    }

    pub(crate) fn capacity(&self) -> usize {
        self.circle.capacity
    }

    /// How often the members have changed.
    pub(crate) fn generation(&self) -> u64 {
        // Relaxed: whoever finds it changed takes the lock; whoever does not, sends to those who were members.
        self.circle.generation.load(Relaxed)
    }

    /// The author who sleeps here is to be woken when the members change.
    pub(crate) fn watch(&self, parker: &Arc<Parker>) {
        let watchers = &mut self.circle.lists.lock().watchers;
        if watchers.len() == watchers.capacity() {
            watchers.retain(|parker| parker.strong_count() > 0);
        }
        watchers.push(Arc::downgrade(parker));
    }

    /// Whose place in a lane this is.
    pub(crate) fn member_at(&self, tap: &Arc<Tap>) -> Option<Address<T>> {
        let lists = self.circle.lists.lock();
        let is_at = |member: &&Member<T>| member.places.iter().any(|at| Arc::ptr_eq(&at.tap, tap));
        let port = lists.members.iter().chain(&lists.parted).find(is_at)?.port.clone();
        Some(Address { shared: self.circle.shared.clone(), port })
    }

    /// Lists a change of members; the caller, who holds the lock, kicks when it has let go of it.
    fn list(
        &self,
        lists: &mut Lists<T>,
        memberships: Vec<Membership>,
        make: impl FnOnce(Vec<Membership>) -> Change,
    ) -> usize {
        let mut refused = Vec::new();
        let topology = &self.circle.shared.board().topology;
        let listed = topology.join_members(memberships, &mut refused, make);
        lists.drop_refused(refused);
        listed
    }
}

impl<T> Circle<T> {
    /// Under the lock.
    fn count_change(&self) {
        // Relaxed: see `generation`.
        self.generation.fetch_add(1, Relaxed);
    }
}

impl<T: Send + 'static> Lists<T> {
    fn position(&self, port: &Arc<Port<T>>) -> Option<usize> {
        self.members.iter().position(|member| Arc::ptr_eq(&member.port, port))
    }

    /// The members have changed: wakes those who wait for room at one of them.
    fn tell(&self) {
        // Pairs with the heavy barrier of whoever waits: it sees the generation, or we wake it.
        light!("group.tell.light");
        for parker in self.watchers.iter().filter_map(Weak::upgrade) {
            parker.wake();
        }
    }

    /// Adds a member, with a place in each lane.
    fn admit(&mut self, port: Arc<Port<T>>, now: u64) -> Vec<Membership> {
        if self.members.len() == self.members.capacity() {
            self.forget_gone();
            self.forget_done();
        }
        let mut member =
            Member { port, ordinal: self.joined, standing: Arc::default(), places: Vec::new() };
        self.joined += 1;
        let places = self.lanes.iter().filter_map(|way| member.connect(way, now)).collect();
        self.members.push(member);
        places
    }

    /// Forgets members whose receivers have gone, or have closed, which is final.
    fn forget_gone(&mut self) {
        self.members.retain(|member| !member.port.has_gone() && !member.port.inbox.is_closed());
    }

    /// Forgets the places of those who read there no more, and those who have left and have none.
    fn forget_done(&mut self) {
        let Self { members, parted, .. } = self;
        for member in members.iter_mut().chain(&mut *parted) {
            member.places.retain(|place| place.tap.held_from().is_some());
        }
        parted.retain(|parted| !parted.places.is_empty() && !parted.port.has_gone());
    }

    /// These receivers had closed before they could join: they read nothing.
    fn drop_refused(&mut self, refused: Vec<Membership>) {
        for place in refused {
            place.tap.finish();
            let at = self
                .members
                .iter()
                .position(|member| Arc::ptr_eq(&member.port.inbox, &place.inbox));
            if let Some(at) = at {
                self.members.swap_remove(at).port.withdraw(place.key);
            }
        }
    }
}

impl<T: Send + 'static> Member<T> {
    /// A place in a lane; none if the receiver has gone or has as many lanes as there can be.
    fn connect(&mut self, Way { lane, given }: &Way<T>, now: u64) -> Option<Membership> {
        let tap = Tap::new(self.standing.clone());
        tap.whom.is(&self.port.label);
        let inlet = Inlet { lane: lane.clone(), tap: Some(tap.clone()) };
        let key = self.port.register(inlet).ok()?;
        lane.add_tap(&tap);
        let ring: Option<Arc<OrderRing>> = lane.order().map(|(ring, _)| ring.clone());
        let inbox = self.port.inbox.clone();
        // Under the group's lock, as is the publication: what was forwarded before is not for this member.
        let given = given.as_ref().map(|given| (given.clone(), given.state().published().0));
        if let Some((given, from)) = &given {
            self.port.forwarded.add(given, *from, now);
        }
        let place = Membership { lane: lane.state().clone(), ring, tap, given, inbox, key };
        self.places.push(place.clone());
        Some(place)
    }
}

impl<T: Send + 'static> Clone for Group<T> {
    fn clone(&self) -> Self {
        Self { circle: self.circle.clone() }
    }
}

impl<T: Send + 'static> fmt::Debug for Group<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Group")
            .field("name", &self.name())
            .field("members", &self.len())
            .finish_non_exhaustive()
    }
}
