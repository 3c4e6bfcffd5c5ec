//! Where tasks run: two executors of others, and four that are written here to be as strange as an executor may be.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;

use parking_lot::Mutex;

pub(crate) type Job = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A place where tasks run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Runtime {
    TokioOne,
    TokioMany,
    Smol,
    /// A queue, and two threads that take from it.
    Queue,
    /// Polls inside `wake`, in whatever thread that is called, behind a lock of its own.
    Inside,
    /// Polls everything all the time, whether woken or not; its waker does nothing.
    Spurious,
    /// Each poll gets another waker, and only that of the last poll is listened to.
    Changing,
}

/// All of them; with MAINSPRING_EXECUTORS=own in the environment those that are written here. (Those of others stand on
/// locks of the standard library, which the thread sanitizer knows nothing of.)
pub(crate) fn all() -> &'static [Runtime] {
    const ALL: [Runtime; 7] = [
        Runtime::Queue,
        Runtime::Inside,
        Runtime::Spurious,
        Runtime::Changing,
        Runtime::TokioOne,
        Runtime::TokioMany,
        Runtime::Smol,
    ];
    if only_own() { &ALL[..4] } else { &ALL }
}

/// Whether the executors of others are left out.
pub(crate) fn only_own() -> bool {
    std::env::var_os("MAINSPRING_EXECUTORS").is_some_and(|which| which == "own")
}

impl Runtime {
    /// Runs all of them to their end.
    pub(crate) fn run(self, jobs: Vec<Job>) {
        match self {
            Self::TokioOne => run_on_tokio(tokio::runtime::Builder::new_current_thread(), jobs),
            Self::TokioMany => {
                let mut builder = tokio::runtime::Builder::new_multi_thread();
                builder.worker_threads(2);
                run_on_tokio(builder, jobs);
            }
            Self::Smol => run_on_smol(jobs),
            Self::Queue => run_on_a_queue(jobs, false),
            Self::Changing => run_on_a_queue(jobs, true),
            Self::Inside => run_inside(jobs),
            Self::Spurious => run_spuriously(jobs),
        }
    }
}

/// A job of what an async block does.
pub(crate) fn job(work: impl Future<Output = ()> + Send + 'static) -> Job {
    Box::pin(work)
}

fn run_on_tokio(mut builder: tokio::runtime::Builder, jobs: Vec<Job>) {
    let runtime = builder.build().unwrap();
    runtime.block_on(async {
        let tasks: Vec<_> = jobs.into_iter().map(tokio::spawn).collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
}

fn run_on_smol(jobs: Vec<Job>) {
    let executor = smol::Executor::new();
    let tasks: Vec<_> = jobs.into_iter().map(|job| executor.spawn(job)).collect();
    thread::scope(|scope| {
        let (done, stop) = smol::channel::bounded::<()>(1);
        let executor = &executor;
        scope.spawn(move || smol::block_on(executor.run(stop.recv())));
        smol::block_on(executor.run(async {
            for task in tasks {
                task.await;
            }
        }));
        drop(done);
    });
}

/// A task of the queue.
struct Queued {
    job: Mutex<Option<Job>>,
    is_queued: AtomicBool,
    polls: AtomicUsize,
    to: Sender<Option<Arc<Self>>>,
    changing: bool,
}

/// A waker of one poll.
struct OfPoll {
    task: Arc<Queued>,
    poll: usize,
}

impl Queued {
    fn enqueue(self: Arc<Self>) {
        if !self.is_queued.swap(true, SeqCst) {
            // Nobody takes from the queue when all is done.
            self.to.clone().send(Some(self)).ok();
        }
    }

    /// True if it has ended by this.
    fn poll(self: Arc<Self>) -> bool {
        let mut job = self.job.lock();
        self.is_queued.store(false, SeqCst);
        let poll = self.polls.fetch_add(1, SeqCst) + 1;
        let waker = if self.changing {
            Waker::from(Arc::new(OfPoll { task: self.clone(), poll }))
        } else {
            Waker::from(self.clone())
        };
        let Some(work) = &mut *job else { return false };
        let ended = work.as_mut().poll(&mut Context::from_waker(&waker)).is_ready();
        if ended {
            *job = None;
        }
        ended
    }
}

impl Wake for Queued {
    fn wake(self: Arc<Self>) {
        self.enqueue();
    }
}

impl Wake for OfPoll {
    fn wake(self: Arc<Self>) {
        if self.task.polls.load(SeqCst) == self.poll {
            self.task.clone().enqueue();
        }
    }
}

fn run_on_a_queue(jobs: Vec<Job>, changing: bool) {
    let left = AtomicUsize::new(jobs.len());
    let (to, queue) = channel();
    for job in jobs {
        let job = Mutex::new(Some(job));
        let (is_queued, polls) = (AtomicBool::new(false), AtomicUsize::new(0));
        let task = Queued { job, is_queued, polls, to: to.clone(), changing };
        Arc::new(task).enqueue();
    }
    let queue = Mutex::new(queue);
    let work = || {
        loop {
            let next = queue.lock().recv().unwrap();
            let Some(task) = next else { break };
            if task.poll() && left.fetch_sub(1, SeqCst) == 1 {
                to.send(None).unwrap();
                to.send(None).unwrap();
            }
        }
    };
    thread::scope(|scope| {
        let other = scope.spawn(work);
        work();
        // Not left to the scope, whose end is not a join to the thread sanitizer.
        other.join().unwrap();
    });
}

/// An executor without a thread: whoever wakes polls what is due, if nobody is at it.
#[derive(Default)]
struct Insider {
    due: Mutex<Due>,
    /// The lock that is held while tasks are polled.
    jobs: Mutex<Vec<Option<Job>>>,
    left: AtomicUsize,
    done: Mutex<Option<Sender<()>>>,
}

/// Tasks that are to be polled, each once.
#[derive(Default)]
struct Due {
    tasks: VecDeque<usize>,
    is_due: Vec<bool>,
}

impl Due {
    fn push(&mut self, task: usize) {
        if !std::mem::replace(&mut self.is_due[task], true) {
            self.tasks.push_back(task);
        }
    }

    fn pop(&mut self) -> Option<usize> {
        let task = self.tasks.pop_front()?;
        self.is_due[task] = false;
        Some(task)
    }
}

struct WakesInside {
    executor: Weak<Insider>,
    task: usize,
}

impl Insider {
    fn poll_those_due(self: &Arc<Self>) {
        while !self.due.lock().tasks.is_empty() {
            // Whoever has it looks again when it has let go.
            let Some(mut jobs) = self.jobs.try_lock() else { return };
            loop {
                let Some(task) = self.due.lock().pop() else { break };
                let executor = Arc::downgrade(self);
                let waker = Waker::from(Arc::new(WakesInside { executor, task }));
                let Some(job) = &mut jobs[task] else { continue };
                if job.as_mut().poll(&mut Context::from_waker(&waker)) == Poll::Ready(()) {
                    jobs[task] = None;
                    if self.left.fetch_sub(1, SeqCst) == 1 {
                        self.done.lock().take();
                    }
                }
            }
        }
    }
}

impl Wake for WakesInside {
    fn wake(self: Arc<Self>) {
        if let Some(executor) = self.executor.upgrade() {
            executor.due.lock().push(self.task);
            executor.poll_those_due();
        }
    }
}

fn run_inside(jobs: Vec<Job>) {
    let (done, wait) = channel();
    let executor = Arc::new(Insider {
        due: Mutex::new(Due { tasks: (0..jobs.len()).collect(), is_due: vec![true; jobs.len()] }),
        left: AtomicUsize::new(jobs.len()),
        jobs: Mutex::new(jobs.into_iter().map(Some).collect()),
        done: Mutex::new(Some(done)),
    });
    executor.poll_those_due();
    // The last task to end lets go of the other side.
    wait.recv().unwrap_err();
}

fn run_spuriously(mut jobs: Vec<Job>) {
    let mut cx = Context::from_waker(Waker::noop());
    while !jobs.is_empty() {
        jobs.retain_mut(|job| job.as_mut().poll(&mut cx).is_pending());
        thread::yield_now();
    }
}

/// Wakes a thread.
struct Unparks(thread::Thread);

impl Wake for Unparks {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Runs a future in this thread.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let waker = Waker::from(Arc::new(Unparks(thread::current())));
    let mut future = std::pin::pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        thread::park();
    }
}

/// Does something in a thread of its own, for a task that waits.
pub(crate) async fn in_thread<R: Send + 'static>(work: impl FnOnce() -> R + Send + 'static) -> R {
    struct Result<R> {
        done: Option<R>,
        waker: Option<Waker>,
    }
    let result = Arc::new(Mutex::new(Result { done: None, waker: None }));
    let theirs = result.clone();
    let thread = thread::spawn(move || {
        let done = work();
        let mut result = theirs.lock();
        result.done = Some(done);
        let waker = result.waker.take();
        drop(result);
        if let Some(waker) = waker {
            waker.wake();
        }
    });
    let done = std::future::poll_fn(|cx| {
        let mut result = result.lock();
        result.waker = Some(cx.waker().clone());
        result.done.take().map_or(Poll::Pending, Poll::Ready)
    });
    let done = done.await;
    drop(thread);
    done
}

/// Polls a future `polls` times, and gives it up then: what `select!` does when another branch is ready.
pub(crate) async fn poll_times<F: Future + Unpin>(
    polls: usize,
    mut future: F,
) -> Option<F::Output> {
    for _ in 0..polls {
        let polled = std::future::poll_fn(|cx| match Pin::new(&mut future).poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending => Poll::Ready(None),
        });
        if let Some(output) = polled.await {
            return Some(output);
        }
    }
    None
}

/// Polls a future once, with this waker.
pub(crate) fn poll_once<F: Future + Unpin>(future: &mut F, waker: &Waker) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(waker))
}

/// Forgets a future, which leaks what it owns; with MAINSPRING_FORGET=no in the environment it is dropped, where leaks
/// are looked for.
pub(crate) fn forget<F>(future: F) {
    if forgets() { std::mem::forget(future) } else { drop(future) }
}

/// Whether what is to be forgotten is.
pub(crate) fn forgets() -> bool {
    std::env::var_os("MAINSPRING_FORGET").is_none_or(|forgets| forgets != "no")
}

/// Lets the other tasks have their turn.
pub(crate) async fn yield_now() {
    let mut yielded = false;
    std::future::poll_fn(move |cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Counts how often it was woken, and does something then.
pub(crate) struct Hooked<F> {
    pub(crate) count: AtomicUsize,
    act: F,
}

impl<F: Fn() + Send + Sync + 'static> Hooked<F> {
    pub(crate) fn new(act: F) -> Arc<Self> {
        Arc::new(Self { count: AtomicUsize::new(0), act })
    }

    pub(crate) fn count(&self) -> usize {
        self.count.load(SeqCst)
    }
}

impl<F: Fn() + Send + Sync + 'static> Wake for Hooked<F> {
    fn wake(self: Arc<Self>) {
        self.count.fetch_add(1, SeqCst);
        (self.act)();
    }
}

pub(crate) type Counter = Hooked<fn()>;

/// A waker that only counts, and its counter.
pub(crate) fn counter() -> (Waker, Arc<Counter>) {
    let hooked: Arc<Counter> = Hooked::new(|| {});
    (Waker::from(hooked.clone()), hooked)
}
