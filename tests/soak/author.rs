//! Those who write: by every way there is, to receivers that stay and to some that leave.

use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::Duration;

use mainspring::{Outbox, Reason, Sender, Target, TrySendError};

use crate::{Dice, Letter, RECEIVERS, Seen, Stage};

/// One who writes letters.
pub(crate) struct Author<'a> {
    pub(crate) stage: &'a Stage,
    id: u32,
    nth: u64,
    places: [u64; RECEIVERS],
    pub(crate) seen: Seen,
    dice: Dice,
}

impl<'a> Author<'a> {
    pub(crate) fn new(stage: &'a Stage, dice: Dice) -> Self {
        let id = stage.authors.fetch_add(1, Relaxed);
        Self { stage, id, nth: 0, places: [0; RECEIVERS], seen: Seen::default(), dice }
    }

    fn letter(&mut self, to: usize, last: bool) -> Letter {
        self.nth += 1;
        self.places[to] += 1;
        self.seen.written += 1;
        let above = self.stage.clock.now().get();
        Letter { author: self.id, nth: self.nth, place: self.places[to], above, last }
    }

    /// Sends `count` letters or more to one receiver, by any way, the last of them marked.
    pub(crate) fn send_all(&mut self, tx: &mut Sender<Letter>, to: usize, count: u64) {
        let end = self.nth + count;
        while self.nth < end {
            match self.dice.below(32) {
                0..8 => {
                    let len = self.dice.below(64);
                    let letters = (0..len).map(|_| self.letter(to, false));
                    assert_eq!(tx.send_batch(letters).unwrap() as u64, len);
                }
                8 if self.dice.below(8) == 0 => {
                    let letter = self.letter(to, false);
                    let above = letter.above;
                    assert!(tx.send_stamped(letter).unwrap().get() > above);
                }
                9..16 => {
                    let mut letter = self.letter(to, false);
                    while let Err(error) = tx.try_send(letter) {
                        assert!(error.is_full());
                        letter = error.into_inner();
                        thread::yield_now();
                    }
                }
                16 => {
                    let mut letter = self.letter(to, false);
                    while let Err(error) = tx.send_timeout(letter, Duration::from_micros(50)) {
                        assert!(error.is_timeout());
                        letter = error.into_inner();
                    }
                }
                _ => tx.send(self.letter(to, false)).unwrap(),
            }
            self.dice.pause();
        }
        tx.send(self.letter(to, true)).unwrap();
    }

    /// As [`send_all`](Self::send_all), to all receivers in one order; targets go and come back.
    pub(crate) fn send_to_all(&mut self, out: &mut Outbox, count: u64) {
        let stage = self.stage;
        let mut targets: Vec<Target<Letter>> =
            stage.addresses.iter().map(|address| out.add(address).unwrap()).collect();
        let end = self.nth + count;
        while self.nth < end {
            let to = self.dice.below(RECEIVERS as u64) as usize;
            match self.dice.below(16) {
                0..2 => {
                    let len = self.dice.below(32);
                    let letters = (0..len).map(|_| self.letter(to, false));
                    assert_eq!(out.send_batch(targets[to], letters).unwrap() as u64, len);
                }
                2..6 => {
                    let mut letter = self.letter(to, false);
                    loop {
                        match out.try_send(targets[to], letter) {
                            Ok(()) => break,
                            Err(TrySendError::Full(back)) => letter = back,
                            Err(error) => panic!("{error}"),
                        }
                        thread::yield_now();
                    }
                }
                6 if self.dice.below(64) == 0 => {
                    let open = stage.engine.sender(&stage.addresses[to]).unwrap();
                    assert!(out.remove(targets[to]));
                    targets[to] = out.add(&open.address()).unwrap();
                }
                _ => out.send(targets[to], self.letter(to, false)).unwrap(),
            }
            self.dice.pause();
        }
        for (to, target) in targets.into_iter().enumerate() {
            out.send(target, self.letter(to, true)).unwrap();
        }
    }

    /// One visit: to the receivers that stay, or with a receiver of its own that leaves early.
    pub(crate) fn visit(&mut self) {
        let stage = self.stage;
        let to = self.dice.below(RECEIVERS as u64) as usize;
        let count = self.dice.below(200);
        match self.dice.below(9) {
            0..3 => {
                if let Ok(mut tx) = stage.engine.sender(&stage.addresses[to]) {
                    let mut clone = tx.clone();
                    self.guest().send_all(&mut tx, to, count);
                    self.guest().send_all(&mut clone, to, count / 2);
                }
            }
            3..5 => drop(stage.engine.sender(&stage.addresses[to])),
            5 => {
                let mut out = stage.engine.outbox();
                // All of them, or none: the receivers close one by one at the end.
                let open = stage.addresses.iter().all(|address| out.add(address).is_ok());
                if open {
                    self.guest().send_to_all(&mut out, count);
                }
            }
            6 => self.leave_with_letters(),
            7 => self.end_from_outside(),
            _ if stage.under_way => self.leave_under_way(),
            _ => {}
        }
    }

    /// Another author, whose letters are counted with ours when it is done.
    fn guest(&mut self) -> Guest<'_, 'a> {
        let dice = Dice(self.dice.roll());
        Guest { author: Author::new(self.stage, dice), host: self }
    }

    /// A receiver that takes some of its letters and goes.
    fn leave_with_letters(&mut self) {
        let options = self.stage.engine.options().capacity(32).inbox(32);
        let (mut tx, mut rx) = options.channel().unwrap();
        let count = self.dice.below(32);
        let mut numbers = Vec::new();
        for _ in 0..count {
            numbers.push(tx.send_stamped(self.letter(0, false)).unwrap());
        }
        for &number in numbers.iter().take(self.dice.below(32) as usize) {
            assert_eq!(rx.recv().unwrap().0, number);
        }
        drop(rx);
        if self.stage.under_way {
            assert!(tx.send(self.letter(0, false)).is_err());
            self.seen.returned += 1;
        }
        numbers.into_iter().for_each(|number| self.seen.add(number.get()));
        self.places[0] = 0;
    }

    /// A sender and an outbox that another thread ends while they send: what they have sent is received, below the
    /// number of the end, and nothing else is.
    fn end_from_outside(&mut self) {
        let (engine, marker) = (&self.stage.engine, self.stage.engine.marker());
        let (mut tx, mut rx) = engine.options().capacity(16).inbox(4).channel().unwrap();
        let mut out = engine.outbox();
        let target = out.add(&rx.address()).unwrap();
        let sources = [tx.source(), out.source()];
        let wait = self.dice.below(2_000);
        let mut host = self.guest();
        let (sent, fence, received) = thread::scope(|scope| {
            let sending = scope.spawn(move || {
                let author = &mut host.author;
                for sent in 0.. {
                    let letter = author.letter(0, false);
                    let result = match sent % 3 {
                        0 => tx.send(letter),
                        1 => out.send(target, letter),
                        _ => tx.send_stamped(letter).map(drop),
                    };
                    if let Err(error) = result {
                        assert_eq!(error.reason, Reason::Fenced);
                        return sent;
                    }
                }
                unreachable!("it sends on and on")
            });
            let reading =
                scope.spawn(move || rx.messages().map(|(seq, _)| seq).collect::<Vec<_>>());
            (0..wait).for_each(|_| std::hint::spin_loop());
            let fence = marker.fence(&sources).unwrap().wait().unwrap();
            (sending.join().unwrap(), fence, reading.join().unwrap())
        });
        assert_eq!(received.len(), sent);
        self.seen.add(fence.get());
        for number in received {
            assert!(number < fence);
            self.seen.add(number.get());
        }
    }

    /// A receiver that goes while another thread sends to it.
    fn leave_under_way(&mut self) {
        let (mut tx, mut rx) = self.stage.engine.channel::<Letter>();
        let takes = self.dice.below(16);
        let mut host = self.guest();
        thread::scope(|scope| {
            let sending = scope.spawn(move || {
                let author = &mut host.author;
                loop {
                    let letter = author.letter(0, false);
                    match tx.send_stamped(letter) {
                        Ok(number) => author.seen.add(number.get()),
                        Err(_) => break,
                    }
                }
                author.seen.returned += 1;
            });
            let mut told = 0;
            for _ in 0..takes {
                let (number, letter) = rx.recv().unwrap();
                assert!(number.get() > told.max(letter.above));
                told = number.get();
            }
            drop(rx);
            // The end of a scope alone is nothing that the thread sanitizer sees.
            sending.join().unwrap();
        });
    }
}

/// See [`Author::guest`].
struct Guest<'a, 'b> {
    author: Author<'b>,
    host: &'a mut Author<'b>,
}

impl Guest<'_, '_> {
    fn send_all(&mut self, tx: &mut Sender<Letter>, to: usize, count: u64) {
        self.author.send_all(tx, to, count);
    }

    fn send_to_all(&mut self, out: &mut Outbox, count: u64) {
        self.author.send_to_all(out, count);
    }
}

impl Drop for Guest<'_, '_> {
    fn drop(&mut self) {
        self.host.seen.join(&self.author.seen);
    }
}
