//! Wakers that do more than they should: they drive, send, join and drop ends, also when they are dropped; or panic.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::task::{Poll, Wake, Waker};
use std::thread;

use mainspring::{Clock, Drive, Engine, Receiver, Sender, Seq, WaitError, parts};
use parking_lot::Mutex;

use crate::executors::{Hooked, counter, poll_once};
use crate::support::{TILL_ASLEEP, to_the_end, until};

/// Everything that a waker can get at.
struct Ends {
    engine: Engine,
    senders: Vec<Sender<u64>>,
    receivers: Vec<Receiver<u64>>,
    acts: usize,
}

impl Ends {
    fn new(engine: &Engine) -> Self {
        let (tx, rx) = engine.channel();
        let mut full = tx.clone();
        full.send(0).unwrap();
        Self { engine: engine.clone(), senders: vec![tx, full], receivers: vec![rx], acts: 0 }
    }

    /// Something of everything, by turns.
    fn act(&mut self) {
        let Self { engine, senders, receivers, acts } = self;
        *acts += 1;
        match *acts % 8 {
            0 => drop(engine.pass()),
            1 => engine.run_until_idle(),
            2 => {
                for rx in receivers.iter_mut() {
                    while rx.try_recv().is_ok() {}
                }
            }
            3 => {
                for tx in senders.iter_mut() {
                    tx.try_send(1).ok();
                }
            }
            4 => {
                let (mut tx, rx) = engine.channel();
                tx.send(2).unwrap();
                senders.push(tx);
                receivers.push(rx);
            }
            5 => {
                let group = engine.group();
                receivers.push(group.subscribe());
                group.broadcaster().send(3).unwrap();
                let mut out = engine.outbox();
                let to = out.add(&receivers[0].address());
                if let Ok(to) = to {
                    out.try_send(to, 4).ok();
                }
            }
            6 => drop(senders.pop()),
            _ => drop(receivers.remove(0)),
        }
        if receivers.is_empty() {
            *self = Self { acts: self.acts, ..Self::new(&self.engine.clone()) };
        }
    }
}

/// Acts when it is woken, and when it is dropped.
struct Busy(Arc<Mutex<Ends>>, Arc<AtomicUsize>);

impl Busy {
    fn act(&self) {
        // What it does may wake itself, or another of its kind.
        if let Some(mut ends) = self.0.try_lock() {
            ends.act();
        }
    }
}

impl Wake for Busy {
    fn wake(self: Arc<Self>) {
        self.1.fetch_add(1, SeqCst);
        self.act();
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.act();
    }
}

/// Goal: a waker may use the engine, in `wake` and when it is dropped: pass, receive, send, join, drop ends. Method:
/// one of each kind sleeps with such a waker, over and over; in every drive; a plain channel works on all the time,
/// and all of them are woken.
#[test]
fn a_waker_may_use_the_engine() {
    for drive in [Drive::Callers, Drive::manual(|| {}), Drive::thread(mainspring::Idle::Park)] {
        to_the_end(move || {
            let by_hand = matches!(drive, Drive::Manual(_));
            let builder = Engine::builder().capacity(1).inbox(1).drive(drive);
            let engine = builder.build().unwrap();
            let ends = Arc::new(Mutex::new(Ends::new(&engine)));
            let (mut tx, mut rx) = engine.channel::<u64>();
            let (mut full, mut unread) = engine.channel::<u64>();
            let (clock, progress) = (engine.clock(), unread.progress());
            full.send(0).unwrap();
            until(|| {
                engine.run_until_idle();
                full.try_send(9).is_err()
            });
            for round in 0..200 {
                let next = Seq::new(clock.now().get() + 1);
                let woken: Vec<_> = (0..5).map(|_| Arc::new(AtomicUsize::new(0))).collect();
                let busy = |count: &Arc<AtomicUsize>| Arc::new(Busy(ends.clone(), count.clone()));
                let wakers: Vec<Waker> = woken.iter().map(|count| busy(count).into()).collect();
                let mut message = rx.recv_async();
                let mut sending = full.send_async(round);
                let mut far = clock.reached(Seq::MAX);
                let mut near = clock.reached(next);
                let mut handled = progress.reached(next);
                // Each with its waker, until it sleeps; what its waker does may be what another waits for.
                let mut is_sending = true;
                for _ in 0..TILL_ASLEEP {
                    assert!(poll_once(&mut message, &wakers[0]).is_pending());
                    is_sending = is_sending && poll_once(&mut sending, &wakers[1]).is_pending();
                    assert!(poll_once(&mut far, &wakers[2]).is_pending());
                    assert_ne!(poll_once(&mut near, &wakers[3]), Poll::Ready(Err(WaitError)));
                    assert_ne!(poll_once(&mut handled, &wakers[4]), Poll::Ready(Err(WaitError)));
                }
                let before = woken[0].load(SeqCst);
                tx.send(round).unwrap();
                // One who sleeps was told; polled then, it finds the message.
                until(|| {
                    if by_hand {
                        engine.run_until_idle();
                    }
                    woken[0].load(SeqCst) > before
                });
                until(|| poll_once(&mut message, &wakers[0]).is_ready());
                until(|| poll_once(&mut near, &wakers[3]).is_ready());
                drop((message, sending, far, handled, wakers));
                // Full again, with another message perhaps.
                while unread.try_recv().is_ok() {}
                until(|| {
                    engine.run_until_idle();
                    full.try_send(round).is_err()
                });
            }
            ends.lock().receivers.clear();
            ends.lock().senders.clear();
        });
    }
}

/// Goal: a waker that panics harms nobody but its own task: all others that the same pass, the same end or the same
/// move of the clock wakes are woken, the dispatcher goes on, and so does whoever called. Method: three of a kind
/// sleep, and each in turn has the bad waker; in every drive.
#[test]
fn a_waker_that_panics_harms_no_other() {
    for idle in [None, Some(mainspring::Idle::Park)] {
        for bad in 0..3 {
            to_the_end(move || {
                let drive = idle.map_or(Drive::Callers, Drive::thread);
                let engine = Engine::builder().drive(drive).capacity(1).build().unwrap();
                let panics: Waker = Hooked::new(|| panic!("in a waker")).into();
                let (good, woken) = counter();
                let waker = |at: usize| if at == bad { &panics } else { &good };

                // Three receivers of what one broadcast brings.
                let group = engine.group::<u64>();
                let mut members: Vec<_> = (0..3).map(|_| group.subscribe()).collect();
                let mut all = group.broadcaster();
                let seq = all.send_stamped(0).unwrap();
                members.iter_mut().for_each(|rx| assert!(rx.recv().is_ok()));
                let mut waits: Vec<_> = members.iter_mut().map(|rx| rx.recv_async()).collect();
                sleep_all(&mut waits, waker);
                let before = woken.count();
                all.send(1).unwrap();
                until(|| engine.clock().now() > seq);
                until(|| woken.count() >= before + 2);
                drop(waits);
                drop(members);

                // Three who wait for the clock, two of them for the same number.
                let (mut tx, mut rx) = engine.channel::<u64>();
                let now = tx.send_stamped(0).unwrap().get();
                let clock = engine.clock();
                let mut waits: Vec<_> =
                    [1, 1, 2].iter().map(|more| clock.reached(Seq::new(now + more))).collect();
                sleep_all(&mut waits, waker);
                let before = woken.count();
                for n in 1..=2 {
                    rx.recv().unwrap();
                    tx.send(n).unwrap();
                }
                until(|| woken.count() >= before + 2);
                drop(waits);

                // Three who send to a receiver that goes.
                let mut senders: Vec<_> = (0..3).map(|_| tx.clone()).collect();
                senders.iter_mut().for_each(|tx| tx.send(7).unwrap());
                let mut waits: Vec<_> = senders.iter_mut().map(|tx| tx.send_async(8)).collect();
                sleep_all(&mut waits, waker);
                let before = woken.count();
                assert!(catch_unwind(AssertUnwindSafe(|| drop(rx))).is_ok(), "the panic went on");
                assert_eq!(woken.count(), before + 2);
                drop(waits);

                // Three of an engine that closes.
                let mut receivers: Vec<_> = (0..3).map(|_| engine.receiver::<u64>()).collect();
                let mut waits: Vec<_> = receivers.iter_mut().map(|rx| rx.recv_async()).collect();
                sleep_all(&mut waits, waker);
                assert!(!senders[0].send(9).is_ok_and(|()| true));
                let (mut tx, mut rx) = engine.channel::<u64>();
                tx.send(1).unwrap();
                assert_eq!(rx.recv().map(|(_, n)| n), Ok(1), "the engine goes on");
                let before = woken.count();
                parts::poison(&engine);
                assert_eq!(woken.count(), before + 2);
            });
        }
    }
}

/// Polls each until it sleeps.
fn sleep_all<'a, F: Future + Unpin>(waits: &mut [F], waker: impl Fn(usize) -> &'a Waker) {
    // The bad one panics when it asks to be polled again: until that is over it has a good one.
    for wait in waits.iter_mut() {
        (0..TILL_ASLEEP).for_each(|_| assert!(poll_once(wait, Waker::noop()).is_pending()));
    }
    for (at, wait) in waits.iter_mut().enumerate() {
        assert!(poll_once(wait, waker(at)).is_pending());
    }
}

/// Goal: it does not matter in whose call a waker runs, nor that the task is polled there, in the midst of another
/// end's send. Method: two tasks that answer each other inside of `wake`, to any depth; a thread sends now and then.
#[test]
fn a_waker_that_polls_in_place_answers_at_once() {
    to_the_end(|| {
        let engine = Engine::new();
        let (mut tx, mut rx) = engine.channel::<u64>();
        let (mut answer, mut answers) = engine.channel::<u64>();
        let done = Arc::new(AtomicBool::new(false));
        let ended = done.clone();
        let task = crate::executors::job(async move {
            while let Ok((seq, n)) = rx.recv_async().await {
                answer.send_async(n + seq.get()).await.unwrap();
            }
            ended.store(true, SeqCst);
        });
        let executor = thread::spawn(move || crate::executors::Runtime::Inside.run(vec![task]));
        for round in 0..1000 {
            tx.send(round).unwrap();
            assert_eq!(answers.recv(), Ok((Seq::new(2 * round + 2), 3 * round + 1)));
        }
        drop(tx);
        executor.join().unwrap();
        assert!(done.load(SeqCst));
    });
}

type Wait = Pin<Box<dyn Future<Output = Result<Seq, WaitError>> + Send>>;

/// Whenever the clock has moved: sends, and waits for its next move.
struct Restless {
    clock: Clock,
    tx: Mutex<(Sender<u64>, u64)>,
    wait: Mutex<Option<Wait>>,
}

const RESTLESS: u64 = 1000;

impl Wake for Restless {
    fn wake(self: Arc<Self>) {
        let (tx, sent) = &mut *self.tx.lock();
        if *sent == RESTLESS {
            return;
        }
        *sent += 1;
        tx.send(*sent).unwrap();
        let mut wait = Box::pin(self.clock.reached(Seq::new(*sent)));
        assert!(poll_once(&mut wait, &Waker::from(self.clone())).is_pending());
        // What it replaces is over.
        drop(self.wait.lock().replace(wait));
    }
}

/// Goal: whoever sends is not kept passing for those who sleep on for a number that is far off. Method: one waits for
/// the end of time; another's waker sends whenever a pass has woken it, so that there is always something to be
/// numbered. Each pass by hand is over after some turns; and the next message is heard of, so nothing is left.
#[test]
fn who_waits_for_a_far_number_keeps_nobody_passing() {
    let kicks = Arc::new(AtomicUsize::new(0));
    let counted = kicks.clone();
    let drive = Drive::manual(move || {
        counted.fetch_add(1, SeqCst);
    });
    let engine = Engine::builder().capacity(1024).inbox(1024).drive(drive).build().unwrap();
    let (tx, rx) = engine.channel::<u64>();
    let clock = engine.clock();
    let mut far = clock.reached(Seq::MAX);
    let (waker, _) = counter();
    assert!(poll_once(&mut far, &waker).is_pending());

    let passes = || parts::passes(&engine).expect("nobody else is there");
    let restless =
        Restless { clock: engine.clock(), tx: Mutex::new((tx, 0)), wait: Mutex::default() };
    let restless = Arc::new(restless);
    restless.clone().wake();
    while clock.now().get() < RESTLESS {
        let (before, heard) = (passes(), kicks.swap(0, SeqCst));
        assert!(heard > 0, "{} was sent, and nobody has heard of it", clock.now());
        engine.pass();
        assert!(passes() - before < 20, "{} in a row", passes() - before);
    }
    drop(restless.wait.lock().take());
    assert_eq!(rx.len() as u64, RESTLESS);
}
