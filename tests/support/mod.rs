//! What several test files need: an end for what might hang, values whose end is counted, letters
//! whose whole set is checked.

#![allow(dead_code, reason = "each test file takes what it needs")]

use std::collections::BTreeSet;
use std::hint::spin_loop;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use mainspring::{Drive, Engine, Event, Idle, Receiver, Sender, TrySendError, parts};

/// Nothing here takes a hundredth of this, on a machine that is not busy otherwise; what has not
/// ended by then hangs.
const FOREVER: Duration = Duration::from_secs(600);

/// A task asks to be polled again some times before it sleeps. One that was polled so often sleeps.
pub(crate) const TILL_ASLEEP: usize = 24;

/// With passes by hand, where nobody calls for one.
pub(crate) fn by_hand() -> Engine {
    Engine::builder().drive(Drive::manual(|| {})).build().unwrap()
}

/// One of each drive that needs no hand.
pub(crate) fn engines() -> [Engine; 3] {
    let thread = |idle| Engine::builder().drive(Drive::thread(idle)).build().unwrap();
    [Engine::new(), thread(Idle::Park), thread(Idle::Yield)]
}

/// Runs what would hang if it failed, and fails instead.
pub(crate) fn to_the_end<R: Send + 'static>(work: impl FnOnce() -> R + Send + 'static) -> R {
    let (done, wait) = channel();
    let thread = thread::spawn(move || {
        let result = work();
        // Nobody listens any more if it came too late.
        done.send(()).ok();
        result
    });
    match wait.recv_timeout(FOREVER) {
        Err(RecvTimeoutError::Timeout) => panic!("it hangs"),
        Ok(()) | Err(RecvTimeoutError::Disconnected) => {
            thread.join().unwrap_or_else(|panic| resume_unwind(panic))
        }
    }
}

/// Looks until it is so; gives the processor away now and then.
pub(crate) fn until(mut so: impl FnMut() -> bool) {
    for looks in 1_u32.. {
        if so() {
            return;
        }
        if looks.is_multiple_of(64) {
            thread::yield_now();
        } else {
            spin_loop();
        }
    }
}

/// Until the engine has been kicked since it had been kicked `before` times: whoever goes to sleep
/// kicks, so the one other thread that uses the engine is asleep now, or as good as.
pub(crate) fn until_kicked_since(engine: &Engine, before: u64) {
    until(|| parts::kicks(engine) > before);
}

/// Forgets a value where the leak sanitizer finds it: known here, that is no leak.
pub(crate) fn forget<T>(value: T) {
    static FORGOTTEN: Mutex<Vec<usize>> = Mutex::new(Vec::new());
    let place: *mut T = Box::into_raw(Box::new(value));
    FORGOTTEN.lock().unwrap().push(place.expose_provenance());
}

/// Counts the values that were dropped.
#[derive(Clone, Debug, Default)]
pub(crate) struct Drops(Arc<AtomicUsize>);

/// A value that is counted when it is dropped.
#[derive(Debug)]
pub(crate) struct Counted(Drops);

impl Drops {
    pub(crate) fn value(&self) -> Counted {
        Counted(self.clone())
    }

    pub(crate) fn count(&self) -> usize {
        self.0.load(SeqCst)
    }

    /// Values that were made, and not dropped.
    pub(crate) fn alive(&self) -> usize {
        Arc::strong_count(&self.0) - 1
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.0.fetch_add(1, SeqCst);
    }
}

/// What is sent where the whole set is checked afterwards: who wrote it, and which of theirs it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Letter {
    pub(crate) author: usize,
    pub(crate) index: u64,
}

/// A letter that came, and its number.
pub(crate) type Stamped = (u64, Letter);

/// Writes `count` letters by turns to all of `to`, in every way that there is.
pub(crate) fn write(author: usize, count: u64, to: &mut [Sender<Letter>]) {
    let among = to.len();
    let mut index = 0;
    while index < count {
        let sender = &mut to[(index / 3) as usize % among];
        let letter = Letter { author, index };
        match index % 5 {
            0 => sender.send(letter).unwrap(),
            1 => {
                let mut refused = sender.try_send(letter).err();
                while let Some(TrySendError::Full(letter)) = refused {
                    thread::yield_now();
                    refused = sender.try_send(letter).err();
                }
                assert!(refused.is_none());
            }
            2 if index % 50 == 2 => {
                sender.send_stamped(letter).unwrap();
            }
            _ => {
                let until = (index + 7).min(count);
                sender.send_batch((index..until).map(|index| Letter { author, index })).unwrap();
                index = until - 1;
            }
        }
        index += 1;
    }
}

/// Reads until the receiver closes, in the way that its place says.
pub(crate) fn read(place: usize, rx: &mut Receiver<Letter>) -> Vec<Stamped> {
    let mut letters = Vec::new();
    match place % 4 {
        0 => return listen(rx),
        1 => letters.extend(rx.messages().map(|(seq, letter)| (seq.get(), letter))),
        2 => while rx.recv_batch(5, |seq, letter| letters.push((seq.get(), letter))).is_ok() {},
        _ => {
            while !rx.is_closed() || !rx.is_empty() {
                match rx.try_recv() {
                    Ok((seq, letter)) => letters.push((seq.get(), letter)),
                    Err(_) => thread::yield_now(),
                }
            }
        }
    }
    letters
}

/// Takes everything until the receiver closes, and holds what it is told against O4: all numbers
/// increase, those of messages and of the clock. With all letters there in the end (see
/// [`assert_complete`]) that is O5.
pub(crate) fn listen(rx: &mut Receiver<Letter>) -> Vec<Stamped> {
    listen_by(|| rx.recv_event().ok())
}

/// As [`listen`], to what `next` says.
pub(crate) fn listen_by(mut next: impl FnMut() -> Option<Event<Letter>>) -> Vec<Stamped> {
    let mut letters = Vec::new();
    let mut told = 0;
    while let Some(event) = next() {
        let number = match event {
            Event::Message(seq, letter) => {
                letters.push((seq.get(), letter));
                seq.get()
            }
            Event::Clock(seq) => seq.get(),
            event => panic!("what is {event:?}"),
        };
        assert!(number > told, "told {number} after {told}");
        told = number;
    }
    letters
}

/// All letters are there once, their numbers are `1 ..`, in each author's order.
pub(crate) fn assert_whole(letters: &[Stamped], counts: &[u64]) {
    assert_complete(letters, counts);
    assert_dense(letters, 1);
    assert_in_order(letters);
}

/// The numbers of all letters are `first ..`, each once.
pub(crate) fn assert_dense(letters: &[Stamped], first: u64) {
    let mut numbers: Vec<u64> = letters.iter().map(|&(number, _)| number).collect();
    numbers.sort_unstable();
    for (number, expected) in numbers.into_iter().zip(first..) {
        assert_eq!(number, expected, "a gap or a double");
    }
}

/// Of each author all letters are there, each once: as many as `counts` says, by author.
pub(crate) fn assert_complete(letters: &[Stamped], counts: &[u64]) {
    let there: BTreeSet<(usize, u64)> =
        letters.iter().map(|(_, letter)| (letter.author, letter.index)).collect();
    assert_eq!(there.len(), letters.len(), "a letter came twice");
    let sent = counts.iter().enumerate();
    let sent: BTreeSet<(usize, u64)> =
        sent.flat_map(|(author, &count)| (0..count).map(move |index| (author, index))).collect();
    assert_eq!(there, sent, "a letter is lost, or nobody's");
}

/// Each author's letters have their numbers in the order in which they were sent.
pub(crate) fn assert_in_order(letters: &[Stamped]) {
    let mut by_author: Vec<_> =
        letters.iter().map(|&(number, letter)| (letter.author, number, letter.index)).collect();
    by_author.sort_unstable();
    for pair in by_author.windows(2) {
        let [(author, number, index), (next_author, next_number, next_index)] = *pair else {
            unreachable!("two of them")
        };
        assert!(
            author != next_author || index < next_index,
            "author {author}: {index} has {number}, {next_index} has {next_number}"
        );
    }
}
