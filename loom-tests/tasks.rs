//! Tasks that wait, and a dispatcher thread: nobody sleeps through what it waits for, whatever becomes of the others.
//!
//! A failure is all threads asleep. Tasks run in [`block_on`]: polled only when the waker of their last poll was woken
//! (and once for nothing, as loom's `Notify` may).

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use loom::sync::Notify;
use loom::thread;
use mainspring::{Drive, Engine, Idle, Seq};

use crate::harness::{Model, reach};
use crate::promises::engine;

pub const MODELS: &[Model] = &[
    Model {
        name: "a_task_hears_each_message",
        preemptions: 2,
        executions_min: 10000,
        reaches: &["slept"],
        body: a_task_hears_each_message,
    },
    Model {
        name: "a_task_that_relies_on_fences_hears",
        preemptions: 3,
        executions_min: 300,
        reaches: &["slept"],
        body: a_task_that_relies_on_fences_hears,
    },
    Model {
        name: "a_task_with_another_waker_hears",
        preemptions: 2,
        executions_min: 1000,
        reaches: &["slept"],
        body: a_task_with_another_waker_hears,
    },
    Model {
        name: "after_a_task_gave_up_a_thread_hears",
        preemptions: 2,
        executions_min: 2000,
        reaches: &["gave up asleep"],
        body: after_a_task_gave_up_a_thread_hears,
    },
    Model {
        name: "after_a_task_was_forgotten_another_hears",
        preemptions: 2,
        executions_min: 2000,
        reaches: &["forgotten asleep", "slept"],
        body: after_a_task_was_forgotten_another_hears,
    },
    Model {
        name: "after_a_task_was_forgotten_a_thread_hears",
        preemptions: 2,
        executions_min: 2000,
        reaches: &["forgotten asleep"],
        body: after_a_task_was_forgotten_a_thread_hears,
    },
    Model {
        name: "a_task_hears_after_it_was_woken_for_nothing",
        preemptions: 2,
        executions_min: 2000,
        reaches: &["slept"],
        body: a_task_hears_after_it_was_woken_for_nothing,
    },
    Model {
        name: "a_full_task_hears_of_room",
        preemptions: 1,
        executions_min: 2000,
        reaches: &["slept"],
        body: a_full_task_hears_of_room,
    },
    Model {
        name: "a_number_given_up_is_dropped_once",
        preemptions: 2,
        executions_min: 5000,
        reaches: &["given up"],
        body: a_number_given_up_is_dropped_once,
    },
    Model {
        name: "a_task_hears_the_number_after_another",
        preemptions: 2,
        executions_min: 5000,
        reaches: &["slept"],
        body: a_task_hears_the_number_after_another,
    },
    Model {
        name: "waiters_for_different_numbers_hear",
        preemptions: 1,
        executions_min: 4500,
        reaches: &["slept"],
        body: waiters_for_different_numbers_hear,
    },
    Model {
        name: "a_task_hears_of_the_progress_after_another",
        preemptions: 2,
        executions_min: 1500,
        reaches: &["slept"],
        body: a_task_hears_of_the_progress_after_another,
    },
    Model {
        name: "watchers_of_different_numbers_hear",
        preemptions: 1,
        executions_min: 5000,
        reaches: &["slept"],
        body: watchers_of_different_numbers_hear,
    },
    Model {
        name: "a_watcher_of_a_number_elsewhere_hears",
        preemptions: 2,
        executions_min: 100,
        reaches: &["slept"],
        body: a_watcher_of_a_number_elsewhere_hears,
    },
    Model {
        name: "a_dispatcher_thread_hears_each_send",
        preemptions: 1,
        executions_min: 5000,
        reaches: &[],
        body: a_dispatcher_thread_hears_each_send,
    },
    Model {
        name: "a_dispatcher_thread_hears_of_room",
        preemptions: 0,
        executions_min: 3500,
        reaches: &[],
        body: a_dispatcher_thread_hears_of_room,
    },
    Model {
        name: "a_dispatcher_thread_hears_its_end",
        preemptions: 2,
        executions_min: 10,
        reaches: &[],
        body: a_dispatcher_thread_hears_its_end,
    },
    Model {
        name: "a_dispatcher_thread_that_ends_leaves_nobody_asleep",
        preemptions: 1,
        executions_min: 1500,
        reaches: &[],
        body: a_dispatcher_thread_that_ends_leaves_nobody_asleep,
    },
];

/// Where a task's thread sleeps.
struct Bed(Notify);

impl Bed {
    fn new() -> Arc<Self> {
        Arc::new(Self(Notify::new()))
    }
}

impl Wake for Bed {
    fn wake(self: Arc<Self>) {
        self.0.notify();
    }
}

fn poll<F: Future + Unpin>(future: &mut F, bed: &Arc<Bed>) -> Poll<F::Output> {
    let waker = Waker::from(bed.clone());
    Pin::new(future).poll(&mut Context::from_waker(&waker))
}

/// Polls whenever the bed's sleeper was woken.
fn go_on<F: Future + Unpin>(mut future: F, bed: &Arc<Bed>) -> F::Output {
    loop {
        if let Poll::Ready(output) = poll(&mut future, bed) {
            return output;
        }
        reach("slept");
        bed.0.wait();
    }
}

pub fn block_on<F: Future + Unpin>(future: F) -> F::Output {
    go_on(future, &Bed::new())
}

/// Two messages, with a sleep before each, if it comes to that.
fn a_task_hears_each_message() {
    let engine = engine(2, 2);
    let (mut tx, mut rx) = engine.channel::<u64>();
    let receiver = thread::spawn(move || {
        for value in 0..2 {
            assert_eq!(block_on(rx.recv_async()).unwrap().1, value);
        }
        rx
    });
    tx.send(0).unwrap();
    tx.send(1).unwrap();
    let _rx = receiver.join().unwrap();
}

/// It has slept before, and has told the sender to pass fences: for the third message it passes one itself.
fn a_task_that_relies_on_fences_hears() {
    let engine = engine(2, 2);
    let (mut tx, mut rx) = engine.channel::<u64>();
    for value in 0..2 {
        assert!(poll(&mut rx.recv_async(), &Bed::new()).is_pending());
        tx.send(value).unwrap();
        assert_eq!(rx.try_recv().unwrap().1, value);
    }
    let receiver = thread::spawn(move || {
        assert_eq!(block_on(rx.recv_async()).unwrap().1, 2);
        rx
    });
    tx.send(2).unwrap();
    let _rx = receiver.join().unwrap();
}

/// It was polled with one waker, and is polled with another while somebody is about to wake the first.
fn a_task_with_another_waker_hears() {
    let engine = engine(2, 2);
    let (mut tx, mut rx) = engine.channel::<u64>();
    let sender = thread::spawn(move || {
        tx.send(0).unwrap();
        tx
    });
    let mut future = rx.recv_async();
    if poll(&mut future, &Bed::new()).is_pending() {
        assert_eq!(go_on(future, &Bed::new()).unwrap().1, 0);
    }
    let _tx = sender.join().unwrap();
}

/// A task goes while somebody is about to wake it; the thread that reads next hears of the message.
fn after_a_task_gave_up_a_thread_hears() {
    let engine = engine(2, 2);
    let (mut tx, mut rx) = engine.channel::<u64>();
    let sender = thread::spawn(move || {
        tx.send(0).unwrap();
        tx.send(1).unwrap();
        tx
    });
    let mut next = 0;
    let mut future = rx.recv_async();
    match poll(&mut future, &Bed::new()) {
        Poll::Ready(message) => {
            assert_eq!(message.unwrap().1, 0);
            next = 1;
        }
        Poll::Pending => reach("gave up asleep"),
    }
    drop(future);
    for value in next..2 {
        assert_eq!(rx.recv().unwrap().1, value);
    }
    let _tx = sender.join().unwrap();
}

/// The same, where its future is forgotten as it stands, and another task reads next.
fn after_a_task_was_forgotten_another_hears() {
    let engine = engine(2, 2);
    let (mut tx, mut rx) = engine.channel::<u64>();
    let sender = thread::spawn(move || {
        tx.send(0).unwrap();
        tx
    });
    let bed = Bed::new();
    let mut future = rx.recv_event_async();
    let pending = poll(&mut future, &bed).is_pending();
    if pending {
        reach("forgotten asleep");
        std::mem::forget(future);
    } else {
        drop(future);
        let _tx = sender.join().unwrap();
        return;
    }
    // In the same task, whose waker it is.
    assert_eq!(go_on(rx.recv_async(), &bed).unwrap().1, 0);
    let _tx = sender.join().unwrap();
}

/// The same, and a thread reads next.
fn after_a_task_was_forgotten_a_thread_hears() {
    let engine = engine(2, 2);
    let (mut tx, mut rx) = engine.channel::<u64>();
    let sender = thread::spawn(move || {
        tx.send(0).unwrap();
        tx
    });
    let mut future = std::mem::ManuallyDrop::new(rx.recv_event_async());
    if poll(&mut *future, &Bed::new()).is_pending() {
        reach("forgotten asleep");
        assert_eq!(rx.recv().unwrap().1, 0);
    }
    let _tx = sender.join().unwrap();
}

/// It is woken by what is nothing for it, a lane's end, and sleeps again, while a message comes on another.
fn a_task_hears_after_it_was_woken_for_nothing() {
    let engine = engine(2, 2);
    let (mut tx, mut rx) = engine.channel::<u64>();
    let tx2 = tx.clone();
    let receiver = thread::spawn(move || {
        assert_eq!(block_on(rx.recv_async()).unwrap().1, 0);
        rx
    });
    drop(tx2);
    tx.send(0).unwrap();
    let _rx = receiver.join().unwrap();
}

/// A lane of one slot: the task sleeps until the receiver gives it back.
fn a_full_task_hears_of_room() {
    let engine = engine(1, 1);
    let (mut tx, mut rx) = engine.channel::<u64>();
    let sender = thread::spawn(move || {
        for value in 0..2 {
            block_on(tx.send_async(value)).unwrap();
        }
        tx
    });
    for value in 0..2 {
        assert_eq!(rx.recv().unwrap().1, value);
    }
    let _tx = sender.join().unwrap();
}

/// A value that counts when it is dropped.
struct Counted(Arc<std::sync::atomic::AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
    }
}

/// A task has sent, and gives up the wait for the number, while the receiver goes.
fn a_number_given_up_is_dropped_once() {
    let drops = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let engine = engine(2, 1);
    let (mut tx, rx) = engine.channel();
    let mut first = tx.clone();
    first.send(Counted(drops.clone())).unwrap_or_else(|_| panic!("it is there"));
    let receiver = thread::spawn(move || drop(rx));
    let mut future = tx.send_stamped_async(Counted(drops.clone()));
    if poll(&mut future, &Bed::new()).is_pending() {
        reach("given up");
    }
    drop(future);
    receiver.join().unwrap();
    drop((tx, first));
    assert_eq!(drops.load(std::sync::atomic::Ordering::SeqCst), 2);
}

/// Waits for 2 while 1 comes first; the receivers do nothing. Nobody but the sender passes.
fn a_task_hears_the_number_after_another() {
    let engine = engine(2, 2);
    let (mut tx, rx) = engine.channel::<u64>();
    let clock = engine.clock();
    let waiter = thread::spawn(move || {
        assert_eq!(block_on(clock.reached(Seq::new(2))).unwrap().get(), 2);
    });
    tx.send(0).unwrap();
    tx.send(1).unwrap();
    waiter.join().unwrap();
    drop((tx, rx));
}

/// A thread and a task, each with a number of its own.
fn waiters_for_different_numbers_hear() {
    let engine = engine(2, 2);
    let (mut tx, rx) = engine.channel::<u64>();
    let (clock, clock_too) = (engine.clock(), engine.clock());
    let thread = thread::spawn(move || {
        clock.wait_for(Seq::new(1)).unwrap();
    });
    let task = thread::spawn(move || {
        block_on(clock_too.reached(Seq::new(2))).unwrap();
    });
    tx.send(0).unwrap();
    tx.send(1).unwrap();
    thread.join().unwrap();
    task.join().unwrap();
    drop((tx, rx));
}

/// Waits until 2 is handled while 1 is; the numbers are there already, and the receiver only asks for more.
fn a_task_hears_of_the_progress_after_another() {
    let engine = engine(2, 2);
    let (mut tx, mut rx) = engine.channel::<u64>();
    let progress = rx.progress();
    tx.send_stamped(0).unwrap();
    tx.send_stamped(1).unwrap();
    let waiter = thread::spawn(move || {
        assert!(block_on(progress.reached(Seq::new(2))).unwrap().get() >= 2);
    });
    assert!(rx.recv().is_ok() && rx.recv().is_ok());
    assert!(rx.try_recv().is_err());
    waiter.join().unwrap();
    drop((tx, rx));
}

/// The same with two who wait, for a number each.
fn watchers_of_different_numbers_hear() {
    let engine = engine(2, 2);
    let (mut tx, mut rx) = engine.channel::<u64>();
    let (progress, progress_too) = (rx.progress(), rx.progress());
    tx.send_stamped(0).unwrap();
    tx.send_stamped(1).unwrap();
    assert!(rx.recv().is_ok());
    let first = thread::spawn(move || {
        progress.wait_for(Seq::new(1)).unwrap();
    });
    let second = thread::spawn(move || {
        block_on(progress_too.reached(Seq::new(2))).unwrap();
    });
    // It has the second in its hands, and the first is handled.
    assert!(rx.recv().is_ok());
    first.join().unwrap();
    assert!(rx.try_recv().is_err());
    second.join().unwrap();
    drop((tx, rx));
}

/// Waits for a number that is somebody else's: the receiver has handled all that it was given, and so is there.
fn a_watcher_of_a_number_elsewhere_hears() {
    let engine = engine(2, 2);
    let (mut tx, mut rx) = engine.channel::<u64>();
    let (mut elsewhere, other) = engine.channel::<u64>();
    let progress = rx.progress();
    tx.send_stamped(0).unwrap();
    elsewhere.send_stamped(1).unwrap();
    assert!(rx.recv().is_ok());
    let watcher = thread::spawn(move || {
        block_on(progress.reached(Seq::new(2))).unwrap();
    });
    assert!(rx.try_recv().is_err());
    watcher.join().unwrap();
    drop((tx, rx, elsewhere, other));
}

/// An engine whose passes are a thread's, which sleeps.
fn with_thread(capacity: usize, inbox: usize) -> Engine {
    let builder = Engine::builder().capacity(capacity).inbox(inbox);
    builder.drive(Drive::thread(Idle::Park)).build().unwrap()
}

/// The receiver does not pass, nor does the sender: only the thread does.
fn a_dispatcher_thread_hears_each_send() {
    let engine = with_thread(2, 2);
    let (mut tx, mut rx) = engine.channel::<u64>();
    let sender = thread::spawn(move || {
        tx.send(0).unwrap();
        tx
    });
    assert_eq!(rx.recv().unwrap().1, 0);
    let _tx = sender.join().unwrap();
    drop(engine);
}

/// A lane of two and an inbox of one: what has no room has its number when the receiver has made some. The receiver
/// only takes what is there, and who waits for the number sleeps, or is about to, as the thread does.
fn a_dispatcher_thread_hears_of_room() {
    let engine = with_thread(2, 1);
    let (mut tx, mut rx) = engine.channel::<u64>();
    tx.send_stamped(0).unwrap();
    tx.send(1).unwrap();
    let clock = engine.clock();
    let waiter = thread::spawn(move || {
        clock.wait_for(Seq::new(2)).unwrap();
    });
    // The others first, if they like.
    thread::yield_now();
    assert_eq!(rx.try_recv().unwrap().1, 0);
    waiter.join().unwrap();
    drop(engine);
    std::mem::forget((tx, rx));
}

/// Nothing else wakes it: no lane, no receiver.
fn a_dispatcher_thread_hears_its_end() {
    drop(with_thread(1, 1));
}

/// The last handle goes while a sender kicks, and a receiver goes to sleep.
fn a_dispatcher_thread_that_ends_leaves_nobody_asleep() {
    let engine = with_thread(2, 2);
    let (mut tx, mut rx) = engine.channel::<u64>();
    let sender = thread::spawn(move || {
        tx.send(0).unwrap();
        tx
    });
    drop(engine);
    assert_eq!(rx.recv().unwrap().1, 0);
    let _tx = sender.join().unwrap();
}
