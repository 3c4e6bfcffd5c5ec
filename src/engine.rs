//! The engine: the handle from which channels, receivers, outboxes and the clock are made.

mod clock;

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use crate::address::Address;
use crate::board::Change;
use crate::clock::Seq;
use crate::closing::{self, Closing};
use crate::cut::Cut;
use crate::dispatcher::{Heat, Numbering};
use crate::drive::{Drive, Handle, Shared};
use crate::error::{AddressError, BuildError, CutError, NotifyError};
use crate::group::Group;
use crate::inbox::ENTRIES_MAX;
use crate::marker::{Marker, Ticket};
use crate::notice::Notice;
use crate::outbox::Outbox;
use crate::receiver::Receiver;
use crate::reply::{self, Answer, Reply};
use crate::ring::CAPACITY_MAX;
use crate::sender::Sender;
use crate::slot::Slot;
use crate::stats::Stats;
use crate::sync::Arc;
use crate::trace::{self, Who};
pub use clock::{Clock, Reading};

/// Messages that a lane holds unless said otherwise.
const CAPACITY: usize = 1024;
/// Entries that an inbox holds unless said otherwise.
const INBOX: usize = 1024;
/// Numbers begin below this, so that they never run out.
const START_MAX: u64 = 1 << 63;

/// One dispatcher, one clock, and everything that is numbered by them.
///
/// A handle: clones are the same engine. Its channels work on when the last handle is gone.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use mainspring::Engine;
/// let engine = Engine::new();
/// let (mut orders, mut desk) = engine.channel::<&str>();
/// let (mut quotes, mut feed) = engine.channel::<f64>(); // another type, the same clock
/// orders.send("buy")?;
/// let quoted = quotes.send_stamped(1.25)?;
/// let (ordered, order) = desk.recv()?;
/// assert_eq!(order, "buy");
/// // One order over both, without gaps.
/// assert_eq!(ordered.get() + quoted.get(), 1 + 2);
/// assert_eq!(feed.recv()?, (quoted, 1.25));
/// assert_eq!(engine.clock().now().get(), 2);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Engine {
    pub(crate) shared: Arc<Shared>,
    /// While there is one the dispatcher thread works on, if there is one.
    #[expect(dead_code, reason = "it ends the thread when it is dropped")]
    handle: Option<Arc<Handle>>,
}

impl Engine {
    /// An engine as [`builder`](Self::builder) makes it when nothing else is said.
    pub fn new() -> Self {
        Self::with_numbering(Numbering::Own)
    }

    pub(crate) fn with_numbering(numbering: Numbering) -> Self {
        let (drive, heat) = (Drive::Callers, Heat::default());
        let shared = Shared::new(drive, 0, false, CAPACITY, INBOX, heat, numbering);
        Self { shared: Arc::new(shared), handle: None }
    }

    /// Chooses what an engine is like.
    pub fn builder() -> Builder {
        Builder {
            capacity: CAPACITY,
            inbox: INBOX,
            start: 0,
            timestamps: false,
            drive: Drive::Callers,
            heat: Heat::default(),
        }
    }

    /// A new receiver, and a sender to it.
    pub fn channel<T: Send + 'static>(&self) -> (Sender<T>, Receiver<T>) {
        self.options().channel_of(self.shared.capacity, self.shared.inbox)
    }

    /// A new receiver. It is open from the beginning, and closes when its last source has gone.
    pub fn receiver<T: Send + 'static>(&self) -> Receiver<T> {
        self.options().receiver_of(self.shared.capacity, self.shared.inbox)
    }

    /// Chooses what a channel is like.
    pub fn options<T: Send + 'static>(&self) -> Options<'_, T> {
        Options { engine: self, name: None, capacity: None, inbox: None, of: PhantomData }
    }

    /// A sender to a receiver, on a lane of its own.
    ///
    /// # Errors
    ///
    /// [`Foreign`](AddressError::Foreign) if the receiver is another engine's;
    /// [`Closed`](AddressError::Closed) if it has gone, or has closed because its last source had gone.
    pub fn sender<T: Send + 'static>(&self, to: &Address<T>) -> Result<Sender<T>, AddressError> {
        if !Arc::ptr_eq(&self.shared, &to.shared) {
            return Err(AddressError::Foreign);
        }
        Sender::join(self.shared.clone(), to.port.clone())
    }

    /// One author's way to any receivers of any types, in one order.
    pub fn outbox(&self) -> Outbox {
        Outbox::new(self.shared.clone(), None, self.shared.capacity)
    }

    /// An outbox with a name, which shows in `Debug`, in statistics and in events.
    pub fn named_outbox(&self, name: impl Into<String>) -> Outbox {
        let name = Some(name.into().into_boxed_str());
        Outbox::new(self.shared.clone(), name, self.shared.capacity)
    }

    /// A group of receivers, with no member.
    pub fn group<T: Send + 'static>(&self) -> Group<T> {
        Group::new(self.shared.clone(), None, self.shared.capacity, self.shared.inbox)
    }

    /// The clock.
    pub fn clock(&self) -> Clock {
        Clock { shared: self.shared.clone() }
    }

    /// Gives a receiver a notice: see [`Marker::notify`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn notify<T: Send + 'static>(
        &self,
        to: &Address<T>,
        notice: Notice,
    ) -> Result<Ticket, NotifyError> {
        self.marker().notify(to, notice)
    }

    /// Puts events on the clock that are no messages.
    pub fn marker(&self) -> Marker {
        Marker::new(self.shared.clone())
    }

    /// A slot for the latest value of something, with none yet.
    pub fn slot<T: Send + Sync + 'static>(&self) -> Slot<T> {
        Slot::new(self.shared.clone())
    }

    /// A cut through all slots, at what the clock says.
    ///
    /// # Errors
    ///
    /// If there are as many cuts as there can be.
    pub fn cut(&self) -> Result<Cut, CutError> {
        Cut::new(&self.shared, Seq::ZERO)
    }

    /// The same, once the clock has come to `seq`: it shows whatever has a number up to that. Waits, and runs passes as
    /// the drive allows.
    ///
    /// # Errors
    ///
    /// If there are as many cuts as there can be, or the engine was closed before.
    pub fn cut_at_least(&self, seq: Seq) -> Result<Cut, CutError> {
        self.clock().wait_for(seq).map_err(|_| CutError::Closed)?;
        self.cut()
    }

    /// The two ends of one answer: who is asked sends it by the one, who asks waits for it at the other. Nobody joins,
    /// and the answer has a number. For one value, once; what comes more often is for a [channel](Self::channel).
    pub fn reply<R: Send + 'static>(&self) -> (Reply<R>, Answer<R>) {
        reply::pair(&self.shared)
    }

    /// How full everything is, how often what has happened, and who holds whom back. Takes short locks, and looks at
    /// every lane: for a report now and then. Nothing is counted on the way of a message for it.
    pub fn stats(&self) -> Stats {
        Stats::of(&self.shared)
    }

    /// Ends the engine in order. From now on nothing can be sent: each author's next send is an error that gives
    /// the value back, and so is one that waits for room. (One that is under way at this moment may still be sent.)
    /// What was sent is numbered and handed out, and this waits, `within` at the longest, until the receivers have
    /// received it all. Then everything is closed, however far they have come: no number is given any more, and
    /// whoever waits for anything is told so. Returns what was left where, and who held it.
    ///
    /// A message counts as received when it has left its lane. Where somebody holds the receiver's
    /// [progress](Receiver::progress) this also waits until it is handled, so that who waits for that is told in
    /// time; otherwise whoever joins its thread knows. What was handed out a receiver may read also after this;
    /// then it is told that it has closed.
    ///
    /// This blocks: in a task use your runtime's way to call what blocks, such as
    /// `tokio::task::spawn_blocking(move || engine.close(within)).await`. With [`Drive::Manual`] it passes itself.
    /// Closing what is closed reports what is left now.
    ///
    /// What was handed out can be read still. A receiver that is [behind](crate::Receiver::behind) others goes on
    /// waiting for them then, until they have handled what they were handed out, or are dropped.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::time::Duration;
    /// let engine = mainspring::Engine::new();
    /// let (mut tx, mut rx) = engine.channel();
    /// let (mut other, _unread) = engine.options().name("audit").channel()?;
    /// let worker = std::thread::spawn(move || rx.messages().count());
    /// tx.send_batch(0..1000)?;
    /// other.send("nobody reads it")?;
    /// let report = engine.close(Duration::from_millis(100));
    /// assert_eq!(worker.join().unwrap(), 1000);
    /// assert_eq!(tx.send(1000).unwrap_err().into_inner(), 1000);
    /// assert_eq!(report.to_string(), "audit: 1 not received, 0 without a number; held by audit");
    /// # Ok(()) }
    /// ```
    pub fn close(&self, within: Duration) -> Closing {
        closing::close(&self.shared, within)
    }

    /// Whether it is being closed, or was.
    pub fn is_closed(&self) -> bool {
        self.shared.is_closing()
    }

    /// Runs a pass, and those that it finds due. True if they numbered anything, or another was due. For
    /// [`Drive::Manual`]; elsewhere it does no harm.
    pub fn pass(&self) -> bool {
        self.shared.pass_by_hand()
    }

    /// Runs passes until one finds nothing to do.
    pub fn run_until_idle(&self) {
        while self.pass() {}
    }
}

impl Default for Engine {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("clock", &self.shared.board().clock.now())
            .finish_non_exhaustive()
    }
}

/// What an engine is to be like. Made by [`Engine::builder`].
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use mainspring::{Engine, Seq};
/// let engine = Engine::builder().capacity(64).start_after(Seq::new(41)).build()?;
/// let (mut tx, _rx) = engine.channel();
/// assert_eq!(tx.send_stamped("first")?, Seq::new(42));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Builder {
    capacity: usize,
    inbox: usize,
    start: u64,
    timestamps: bool,
    drive: Drive,
    /// For tests and models.
    pub(crate) heat: Heat,
}

impl Builder {
    /// Messages that a lane holds, 1024 unless said; rounded up to a power of two. More buys throughput more than
    /// anything else does, since one pass moves what has gathered.
    pub fn capacity(mut self, messages: usize) -> Self {
        self.capacity = messages;
        self
    }

    /// Entries that an inbox holds, 1024 unless said; rounded up to a power of two. An entry is a run of messages.
    pub fn inbox(mut self, entries: usize) -> Self {
        self.inbox = entries;
        self
    }

    /// The first event has the number after this one; without it, 1.
    pub fn start_after(mut self, seq: Seq) -> Self {
        self.start = seq.get();
        self
    }

    /// Publishes with the clock when it was published, and measures how far receivers are behind, in
    /// [time](crate::ReceiverStats::lag_time). Off by default: the system's clock costs more than a pass, and each
    /// receiver tells how far it is with every message.
    pub fn timestamps(mut self, on: bool) -> Self {
        self.timestamps = on;
        self
    }

    /// Who runs the dispatcher; [`Drive::Callers`] unless said.
    pub fn drive(mut self, drive: Drive) -> Self {
        self.drive = drive;
        self
    }

    /// Makes the engine.
    ///
    /// # Errors
    ///
    /// If a size is 0 or too large, the numbers start too high, or no thread could be started for
    /// [`Drive::Thread`].
    pub fn build(self) -> Result<Engine, BuildError> {
        self.build_with(Numbering::Own)
    }

    pub(crate) fn build_with(self, numbering: Numbering) -> Result<Engine, BuildError> {
        let Self { capacity, inbox, start, timestamps, drive, heat } = self;
        check_sizes(capacity, inbox)?;
        if start >= START_MAX {
            return Err(BuildError::SeqTooLarge(start));
        }
        let driver = if let Drive::Thread(driver) = &drive { Some(driver.clone()) } else { None };
        let shared = Shared::new(drive, start, timestamps, capacity, inbox, heat, numbering);
        let shared = Arc::new(shared);
        let handle = driver.map(|driver| Handle::start(&shared, &driver)).transpose();
        let handle = handle.map_err(|_| BuildError::NoThread)?.map(Arc::new);
        Ok(Engine { shared, handle })
    }
}

fn check_sizes(capacity: usize, inbox: usize) -> Result<(), BuildError> {
    match (capacity, inbox) {
        (0, _) => Err(BuildError::ZeroCapacity),
        (_, 0) => Err(BuildError::ZeroInbox),
        (size, _) if size > CAPACITY_MAX => Err(BuildError::TooLarge(size)),
        (_, size) if size > ENTRIES_MAX => Err(BuildError::TooLarge(size)),
        _ => Ok(()),
    }
}

/// What a channel is to be like. Made by [`Engine::options`].
#[derive(Debug)]
#[must_use]
pub struct Options<'a, T> {
    engine: &'a Engine,
    name: Option<Box<str>>,
    capacity: Option<usize>,
    inbox: Option<usize>,
    of: PhantomData<fn(T)>,
}

impl<T: Send + 'static> Options<'_, T> {
    /// A name, which shows in `Debug`, in statistics and in events.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into().into_boxed_str());
        self
    }

    /// Messages that each lane to the receiver holds; rounded up to a power of two.
    pub fn capacity(mut self, messages: usize) -> Self {
        self.capacity = Some(messages);
        self
    }

    /// Entries that the receiver's inbox holds; rounded up to a power of two.
    pub fn inbox(mut self, entries: usize) -> Self {
        self.inbox = Some(entries);
        self
    }

    /// A receiver like this.
    ///
    /// # Errors
    ///
    /// If a size is 0 or too large.
    pub fn receiver(self) -> Result<Receiver<T>, BuildError> {
        let (capacity, inbox) = self.sizes()?;
        Ok(self.receiver_of(capacity, inbox))
    }

    /// A receiver like this, and a sender to it.
    ///
    /// # Errors
    ///
    /// If a size is 0 or too large.
    pub fn channel(self) -> Result<(Sender<T>, Receiver<T>), BuildError> {
        let (capacity, inbox) = self.sizes()?;
        Ok(self.channel_of(capacity, inbox))
    }

    fn sizes(&self) -> Result<(usize, usize), BuildError> {
        let shared = &self.engine.shared;
        let sizes = (self.capacity.unwrap_or(shared.capacity), self.inbox.unwrap_or(shared.inbox));
        check_sizes(sizes.0, sizes.1)?;
        Ok(sizes)
    }

    /// A group whose broadcasters' lanes and whose subscribers are like this. Its name is also its subscribers'.
    ///
    /// # Errors
    ///
    /// If a size is 0 or too large.
    pub fn group(self) -> Result<Group<T>, BuildError> {
        let (capacity, inbox) = self.sizes()?;
        Ok(Group::new(self.engine.shared.clone(), self.name, capacity, inbox))
    }

    fn receiver_of(self, capacity: usize, inbox: usize) -> Receiver<T> {
        let shared = self.engine.shared.clone();
        let (port, receiver) = Receiver::make(shared.clone(), self.name, capacity, inbox);
        shared.announce(Change::Receiver { inbox: port.inbox.clone(), memberships: Vec::new() });
        trace::joined(Who::Receiver(&port.label));
        receiver
    }

    fn channel_of(self, capacity: usize, inbox: usize) -> (Sender<T>, Receiver<T>) {
        let receiver = self.receiver_of(capacity, inbox);
        let sender = Sender::join_open(&receiver.address());
        (sender, receiver)
    }
}
