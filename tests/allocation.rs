//! After set-up nothing on the way of a message allocates, and a lane has no memory before its
//! first.
//!
//! The allocator of this binary counts what each thread asks for; a test looks at the counts of its
//! own threads, between marks, after a warm-up in which tables and lists take their size.

#![cfg(not(loom))]
#![expect(unsafe_code, reason = "an allocator is unsafe to implement")]

#[path = "allocation/events.rs"]
mod events;
#[path = "allocation/slots.rs"]
mod slots;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::thread;

use mainspring::{Drive, Engine, Event, Outbox, Receiver, Sender, Target, TryRecvError, parts};

/// Counts, and leaves the work to the system's allocator.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

thread_local! {
    /// Calls and bytes that this thread has asked for.
    static ASKED: Cell<(usize, usize)> = const { Cell::new((0, 0)) };
    /// Bytes that it has given back.
    static RETURNED: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: everything is done by the system's allocator; a thread-local cell that needs no
// destructor and no memory is all that is touched besides.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: as the caller says.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        RETURNED.set(RETURNED.get() + layout.size());
        // SAFETY: as the caller says.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size);
        RETURNED.set(RETURNED.get() + layout.size());
        // SAFETY: as the caller says.
        unsafe { System.realloc(memory, layout, size) }
    }
}

fn count(bytes: usize) {
    ASKED.set({
        let (calls, asked) = ASKED.get();
        (calls + 1, asked + bytes)
    });
}

/// What the calling thread asks for while it does something: calls and bytes.
fn asked_by(what: impl FnOnce()) -> (usize, usize) {
    let (calls, bytes) = ASKED.get();
    what();
    let (calls_after, bytes_after) = ASKED.get();
    (calls_after - calls, bytes_after - bytes)
}

/// What the calling thread has more of after it has done something than before, in bytes.
fn kept_by(what: impl FnOnce()) -> isize {
    let returned = RETURNED.get();
    let (_, asked) = asked_by(what);
    asked as isize - (RETURNED.get() - returned) as isize
}

/// Runs something until it has settled, then asserts that it allocates nothing.
#[track_caller]
fn assert_allocates_nothing(what: &str, mut round: impl FnMut()) {
    (0..200).for_each(|_| round());
    let asked = asked_by(|| (0..1000).for_each(|_| round()));
    assert_eq!(asked, (0, 0), "{what}");
}

/// Goal: the test can fail at all. Method: what allocates is counted.
#[test]
fn an_allocation_is_counted() {
    let (calls, bytes) = asked_by(|| drop(std::hint::black_box(Box::new([0_u8; 300]))));
    assert_eq!((calls, bytes), (1, 300));
    let mut kept = Vec::new();
    assert_eq!(kept_by(|| kept = vec![0_u8; 300]), 300);
    assert_eq!(kept_by(|| kept.reserve_exact(700)), 700);
    assert_eq!(kept_by(|| drop(kept)), -1000);
}

/// An engine with a channel and an outbox with two targets.
struct Ends {
    engine: Engine,
    tx: Sender<u64>,
    rx: Receiver<u64>,
    out: Outbox,
    to: [Target<u64>; 2],
    far: Receiver<u64>,
}

impl Ends {
    fn new(drive: Drive, timestamps: bool) -> Self {
        let builder = Engine::builder().capacity(16).inbox(16).drive(drive);
        let engine = builder.timestamps(timestamps).build().unwrap();
        let (tx, rx) = engine.channel();
        let far = engine.receiver();
        let mut out = engine.outbox();
        let to = [out.add(&rx.address()).unwrap(), out.add(&far.address()).unwrap()];
        Self { engine, tx, rx, out, to, far }
    }
}

/// Goal: one thread's messages cost no memory, whatever the way. Method: each way many times, with
/// passes by hand and by callers, with timestamps and without.
#[test]
fn messages_of_one_thread_allocate_nothing() {
    for (by_hand, timestamps) in [(true, false), (false, false), (true, true), (false, true)] {
        let drive = if by_hand { Drive::manual(|| {}) } else { Drive::Callers };
        let Ends { engine, mut tx, mut rx, mut out, to, mut far } = Ends::new(drive, timestamps);
        assert_allocates_nothing("send, recv", || {
            tx.send(1).unwrap();
            engine.pass();
            rx.recv().unwrap();
        });
        assert_allocates_nothing("batches", || {
            assert_eq!(tx.send_batch([1, 2, 3]).unwrap(), 3);
            engine.pass();
            let mut taken = 0;
            while taken < 3 {
                taken += rx.recv_batch(8, |_, _| ()).unwrap();
                engine.pass();
            }
        });
        assert_allocates_nothing("try_send, try_recv, full and empty", || {
            while tx.try_send(1).is_ok() {}
            engine.run_until_idle();
            while rx.try_recv().is_ok() {}
            assert_eq!(rx.try_recv_batch(4, |_, _| ()), Err(TryRecvError::Empty));
        });
        assert_allocates_nothing("an outbox", || {
            out.send(to[0], 1).unwrap();
            out.try_send(to[1], 2).unwrap();
            out.send_batch(to[0], [3, 4]).unwrap();
            out.send(to[1], 5).unwrap();
            engine.run_until_idle();
            (0..3).for_each(|_| assert!(rx.recv().is_ok()));
            (0..2).for_each(|_| assert!(far.try_recv().is_ok()));
        });
        assert_allocates_nothing("events and clocks", || {
            tx.send(1).unwrap();
            engine.pass();
            assert!(matches!(rx.recv_event(), Ok(Event::Message(..))));
            assert!(matches!(far.recv_event(), Ok(Event::Clock(_))));
            assert_eq!(far.try_recv_event(), Err(TryRecvError::Empty));
            assert_eq!(far.caught_up_to(), engine.clock().now());
        });
        if !by_hand {
            assert_allocates_nothing("send_stamped", || {
                let seq = tx.send_stamped(1).unwrap();
                assert_eq!(tx.stamped(), Ok(seq));
                assert_eq!(rx.recv().unwrap().0, seq);
            });
        }
    }
}

/// Long enough for whoever waits to go to sleep: a waiting end yields a few times, then sleeps.
fn linger() {
    (0..200).for_each(|_| thread::yield_now());
}

/// Goal: nor does sleeping and waking. Method: a thread answers each message, and has often gone to
/// sleep before it gets the next; both threads count.
#[test]
fn threads_that_sleep_and_wake_each_other_allocate_nothing() {
    assert_eq!(question_and_answer(false), [(0, 0); 2]);
}

/// Goal: waiting for the clock does not allocate each time. Method: as above, by `send_stamped` and
/// `recv_event`. The list of those who wait has a lock, and the first contention of a lock may
/// allocate, once for the process: a handful in thousands of rounds is allowed.
#[test]
fn threads_that_wait_for_the_clock_allocate_a_handful_at_most() {
    let asked = question_and_answer(true);
    assert!(asked.iter().all(|&(calls, _)| calls <= 8), "{asked:?}");
}

/// What the asking and the answering thread ask for in 2,000 rounds after a warm-up.
fn question_and_answer(with_clock: bool) -> [(usize, usize); 2] {
    let engine = Engine::new();
    let (mut there, mut inn) = engine.channel::<u64>();
    let (mut back, mut home) = engine.channel::<u64>();
    let rounds = 2_000;
    let answering = thread::spawn(move || {
        let mut round = |nth: u64| {
            let question = if with_clock && nth.is_multiple_of(2) {
                loop {
                    if let Event::Message(_, question) = inn.recv_event().unwrap() {
                        break question;
                    }
                }
            } else {
                inn.recv().unwrap().1
            };
            back.send(question).unwrap();
        };
        (0..200).for_each(&mut round);
        asked_by(|| (0..rounds).for_each(&mut round))
    });
    let mut round = |nth: u64, warm_up: bool| {
        if warm_up || nth.is_multiple_of(16) {
            linger();
        }
        if with_clock && nth.is_multiple_of(3) {
            there.send_stamped(nth).unwrap();
        } else {
            there.send(nth).unwrap();
        }
        assert_eq!(home.recv().unwrap().1, nth);
    };
    (0..200).for_each(|nth| round(nth, true));
    let kicks = parts::kicks(&engine);
    let asked = asked_by(|| (0..rounds).for_each(|nth| round(nth, false)));
    assert!(parts::kicks(&engine) > kicks, "nobody has ever gone to sleep");
    [asked, answering.join().unwrap()]
}

/// Goal: nor does waiting for room. Method: two threads, a lane of one slot and an inbox of one
/// entry, an outbox with an order ring of one word; each side waits for the other all the time.
#[test]
fn senders_that_wait_for_room_allocate_nothing() {
    let engine = Engine::builder().capacity(1).inbox(1).build().unwrap();
    let (mut tx, mut rx) = engine.channel::<u64>();
    let mut out = engine.outbox();
    let to = out.add(&rx.address()).unwrap();
    let rounds = 2_000;
    let receiving = thread::spawn(move || {
        let mut round = |_| {
            let mut taken = 0;
            while taken < 4 {
                taken += rx.recv_batch(1, |_, _| ()).unwrap();
            }
        };
        (0..200).for_each(&mut round);
        asked_by(|| (0..rounds).for_each(&mut round))
    });
    let mut round = |nth| {
        tx.send(nth).unwrap();
        out.send(to, nth).unwrap();
        tx.send_batch([nth]).unwrap();
        out.send_batch(to, [nth]).unwrap();
    };
    (0..200).for_each(&mut round);
    assert_eq!(asked_by(|| (0..rounds).for_each(&mut round)), (0, 0), "sending");
    assert_eq!(receiving.join().unwrap(), (0, 0), "receiving");
}

/// Goal: a lane that nothing is sent on costs little. Method: lanes of four mebibytes; the bytes
/// are asked for by the first message, all of them, and by nothing else.
#[test]
fn a_lane_takes_its_memory_with_its_first_message() {
    type Message = [u64; 8];
    let slots = 1 << 16;
    let memory = slots * size_of::<Message>();
    let engine = Engine::new();
    let mut ends = None;
    let (_, bytes) = asked_by(|| {
        let (tx, rx) = engine.options::<Message>().capacity(slots).channel().unwrap();
        let mut out = engine.outbox();
        let to = out.add(&rx.address()).unwrap();
        ends = Some((tx.clone(), tx, rx, out, to));
    });
    assert!(bytes < 100_000, "{bytes} bytes before anything was sent");
    let (mut tx, _silent, mut rx, mut out, to) = ends.unwrap();
    let first = |bytes: usize| assert!((memory..memory + 50_000).contains(&bytes), "{bytes}");
    first(asked_by(|| tx.send([1; 8]).unwrap()).1);
    first(asked_by(|| out.send(to, [2; 8]).unwrap()).1);
    let (_, bytes) = asked_by(|| {
        tx.send([3; 8]).unwrap();
        out.send(to, [4; 8]).unwrap();
        (0..4).for_each(|_| assert!(rx.recv().is_ok()));
    });
    assert!(bytes < 50_000, "{bytes} bytes for later messages");
}

/// Goal: broadcasting allocates nothing, nor does receiving, by clone of what allocates nothing itself, by reference,
/// and in batches; nor do a full lane and a full inbox. Method: three members, two broadcasters, a sender beside them.
#[test]
fn broadcasting_allocates_nothing() {
    let engine = Engine::builder().capacity(8).inbox(2).build().unwrap();
    let group = engine.group();
    let mut members: Vec<Receiver<[u64; 3]>> = (0..3).map(|_| group.subscribe()).collect();
    let mut broadcasters = [group.broadcaster(), group.broadcaster()];
    let mut alone = engine.sender(&members[0].address()).unwrap();
    let mut way = 0;
    assert_allocates_nothing("broadcasting", || {
        for (nth, all) in broadcasters.iter_mut().enumerate() {
            all.send([nth as u64; 3]).unwrap();
            all.send_batch([[1; 3], [2; 3]]).unwrap();
            while all.try_send([7; 3]).is_ok() && all.len() < 8 {}
            all.reclaim();
        }
        alone.try_send([9; 3]).ok();
        way += 1;
        // What waits for a full inbox comes when all have read.
        while broadcasters.iter().any(|all| !all.is_empty()) {
            for (nth, rx) in members.iter_mut().enumerate() {
                match (way + nth) % 3 {
                    0 => while rx.try_recv().is_ok() {},
                    1 => while rx.try_recv_ref().is_ok() {},
                    _ => while rx.try_recv_batch_ref(3, |_, _| ()).is_ok() {},
                }
            }
        }
    });
}
