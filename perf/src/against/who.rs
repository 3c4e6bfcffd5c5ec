//! Those who are compared, by name: what they are called, what they are, and in which company.
//!
//! Channels whose receive sleeps at once are here twice: as they are, and with `-spin`, where who waits looks for
//! a while before. That is many times faster where an answer comes soon, and slower where all are busy; both are
//! shown. Where everybody sleeps anyway they take part as they are: there, looking before gains nothing.

use mainspring::Idle;

/// Whose figures these are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Who {
    Mainspring,
    /// The same, driven by a thread of its own that sleeps when it has nothing to do.
    Thread,
    /// By one that yields then.
    Yield,
    Crossbeam,
    /// The same, several channels at once.
    Select,
    Rtrb,
    Disruptor,
    Bus,
    /// Its broadcast channel, for threads.
    Tokio,
    /// Its channel of many senders.
    TokioMpsc,
    TokioMpscSpin,
    Flume,
    FlumeSpin,
    Kanal,
    KanalSpin,
    /// The standard library's.
    Std,
    StdSpin,
    Thingbuf,
    ThingbufSpin,
    ClockedDispatch,
    AsyncChannel,
    MutexCrossbeam,
    MutexRtrb,
    SequencerCrossbeam,
    SequencerRtrb,
    NumberedByReceiver,
    Watch,
    ArcSwap,
}

impl Who {
    /// Ours first.
    pub(crate) const ALL: [Self; 28] = [
        Self::Mainspring,
        Self::Thread,
        Self::Yield,
        Self::Crossbeam,
        Self::Select,
        Self::Rtrb,
        Self::Disruptor,
        Self::Bus,
        Self::Tokio,
        Self::TokioMpsc,
        Self::TokioMpscSpin,
        Self::Flume,
        Self::FlumeSpin,
        Self::Kanal,
        Self::KanalSpin,
        Self::Std,
        Self::StdSpin,
        Self::Thingbuf,
        Self::ThingbufSpin,
        Self::ClockedDispatch,
        Self::AsyncChannel,
        Self::MutexCrossbeam,
        Self::MutexRtrb,
        Self::SequencerCrossbeam,
        Self::SequencerRtrb,
        Self::NumberedByReceiver,
        Self::Watch,
        Self::ArcSwap,
    ];
    /// Those who have something for one sender and one receiver.
    pub(crate) const PAIRS: [Self; 15] = [
        Self::Mainspring,
        Self::Crossbeam,
        Self::Rtrb,
        Self::Disruptor,
        Self::Kanal,
        Self::KanalSpin,
        Self::Flume,
        Self::FlumeSpin,
        Self::Std,
        Self::StdSpin,
        Self::Thingbuf,
        Self::ThingbufSpin,
        Self::TokioMpsc,
        Self::TokioMpscSpin,
        Self::ClockedDispatch,
    ];
    /// The same, and ours in every drive.
    pub(crate) const DRIVEN_PAIRS: [Self; 17] = [
        Self::Mainspring,
        Self::Thread,
        Self::Yield,
        Self::Crossbeam,
        Self::Rtrb,
        Self::Disruptor,
        Self::Kanal,
        Self::KanalSpin,
        Self::Flume,
        Self::FlumeSpin,
        Self::Std,
        Self::StdSpin,
        Self::Thingbuf,
        Self::ThingbufSpin,
        Self::TokioMpsc,
        Self::TokioMpscSpin,
        Self::ClockedDispatch,
    ];
    /// Those who have something for many senders and one receiver.
    pub(crate) const MANY_TO_ONE: [Self; 16] = [
        Self::Mainspring,
        Self::Thread,
        Self::Yield,
        Self::Crossbeam,
        Self::Disruptor,
        Self::Kanal,
        Self::KanalSpin,
        Self::Flume,
        Self::FlumeSpin,
        Self::Std,
        Self::StdSpin,
        Self::Thingbuf,
        Self::ThingbufSpin,
        Self::TokioMpsc,
        Self::TokioMpscSpin,
        Self::ClockedDispatch,
    ];
    /// Those whose receivers sleep when there is nothing for long.
    pub(crate) const SLEEPERS: [Self; 8] = [
        Self::Mainspring,
        Self::Crossbeam,
        Self::Kanal,
        Self::Flume,
        Self::Std,
        Self::Thingbuf,
        Self::TokioMpsc,
        Self::ClockedDispatch,
    ];
    /// Those who have something for tasks.
    pub(crate) const TASKS: [Self; 5] =
        [Self::Mainspring, Self::Thread, Self::TokioMpsc, Self::Flume, Self::AsyncChannel];

    /// Those whom ours is measured beside.
    pub(crate) fn peers() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(|who| *who != Self::Mainspring)
    }

    /// Of ours, the thread that drives it; none where whoever waits does.
    pub(crate) fn thread(self) -> Option<Idle> {
        match self {
            Self::Thread => Some(Idle::Park),
            Self::Yield => Some(Idle::Yield),
            _ => None,
        }
    }

    /// The same that looks for a while before it sleeps.
    #[cfg(test)]
    fn spinning(self) -> Option<Self> {
        match self {
            Self::TokioMpsc => Some(Self::TokioMpscSpin),
            Self::Flume => Some(Self::FlumeSpin),
            Self::Kanal => Some(Self::KanalSpin),
            Self::Std => Some(Self::StdSpin),
            Self::Thingbuf => Some(Self::ThingbufSpin),
            _ => None,
        }
    }

    /// Among threads it gets this part of a run's messages: so much slower it is, where it is slowest, that
    /// with all of them nobody would wait for it.
    pub(crate) fn part(self) -> u64 {
        match self {
            Self::ClockedDispatch => 100,
            Self::Flume | Self::Std | Self::Thingbuf | Self::TokioMpsc => 4,
            _ => 1,
        }
    }

    /// The name of its package; for a second one of a package, one that says what it is.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Mainspring => "mainspring",
            Self::Thread => "mainspring-thread",
            Self::Yield => "mainspring-yield",
            Self::Crossbeam => "crossbeam-channel",
            Self::Select => "crossbeam-select",
            Self::Rtrb => "rtrb",
            Self::Disruptor => "disruptor",
            Self::Bus => "bus",
            Self::Tokio => "tokio",
            Self::TokioMpsc => "tokio-mpsc",
            Self::TokioMpscSpin => "tokio-mpsc-spin",
            Self::Flume => "flume",
            Self::FlumeSpin => "flume-spin",
            Self::Kanal => "kanal",
            Self::KanalSpin => "kanal-spin",
            Self::Std => "std-mpsc",
            Self::StdSpin => "std-mpsc-spin",
            Self::Thingbuf => "thingbuf",
            Self::ThingbufSpin => "thingbuf-spin",
            Self::ClockedDispatch => "clocked-dispatch",
            Self::AsyncChannel => "async-channel",
            Self::MutexCrossbeam => "mutex-crossbeam",
            Self::MutexRtrb => "mutex-rtrb",
            Self::SequencerCrossbeam => "sequencer-crossbeam",
            Self::SequencerRtrb => "sequencer-rtrb",
            Self::NumberedByReceiver => "numbered-by-receiver",
            Self::Watch => "tokio-watch",
            Self::ArcSwap => "arc-swap",
        }
    }

    /// What it is.
    pub(crate) fn about(self) -> &'static str {
        match self {
            Self::Mainspring => "ours: whoever waits runs the dispatcher (Drive::Callers)",
            Self::Thread => {
                "ours, a thread runs it that sleeps when idle (Drive::Thread, Idle::Park)"
            }
            Self::Yield => {
                "ours, a thread runs it that yields when idle (Drive::Thread, Idle::Yield)"
            }
            Self::Crossbeam => "crossbeam_channel::bounded, a channel to each receiver",
            Self::Select => "four of them, received by select!",
            Self::Rtrb => "a plain ring, one sender and one receiver; who waits spins, then yields",
            Self::Disruptor => "one ring that all read, by polling",
            Self::Bus => "a broadcast ring, one sender",
            Self::Tokio => "tokio::sync::broadcast, used from threads",
            Self::TokioMpsc => {
                "tokio::sync::mpsc::channel (bounded), used from tasks, or from threads (blocking_recv)"
            }
            Self::TokioMpscSpin => "the same from threads; who waits spins, yields, then sleeps",
            Self::Flume => "flume::bounded, used from tasks (recv_async), or from threads (recv)",
            Self::FlumeSpin => "the same from threads; who waits spins, yields, then sleeps",
            Self::Kanal => "kanal::bounded, which spins a little before it sleeps",
            Self::KanalSpin => "the same; who waits spins, yields, then goes on as it does itself",
            Self::Std => "std::sync::mpsc::sync_channel",
            Self::StdSpin => "the same; who waits spins, yields, then sleeps",
            Self::Thingbuf => "thingbuf::mpsc::blocking",
            Self::ThingbufSpin => "the same; who waits spins, yields, then sleeps",
            Self::ClockedDispatch => {
                "one dispatcher thread and one order for all; a hundredth of the messages"
            }
            Self::AsyncChannel => "async_channel::bounded, used from tasks",
            Self::MutexCrossbeam => {
                "a parking_lot lock in which one counts, and sends by crossbeam"
            }
            Self::MutexRtrb => "the same, and sends by a ring to each receiver",
            Self::SequencerCrossbeam => "a thread that numbers, crossbeam channels to and from it",
            Self::SequencerRtrb => {
                "a thread that polls a ring of each author, numbers, and sends by rings"
            }
            Self::NumberedByReceiver => {
                "a ring of each author, polled by the only receiver, who numbers what it reads"
            }
            Self::Watch => "tokio::sync::watch, used from threads",
            Self::ArcSwap => "arc_swap::ArcSwap; readers poll, spin, then yield",
        }
    }

    /// The name of the package that it is in.
    pub(crate) fn package(self) -> &'static str {
        match self {
            Self::Thread | Self::Yield => Self::Mainspring.name(),
            Self::Select | Self::MutexCrossbeam | Self::SequencerCrossbeam => {
                Self::Crossbeam.name()
            }
            Self::MutexRtrb | Self::SequencerRtrb | Self::NumberedByReceiver => Self::Rtrb.name(),
            Self::TokioMpsc | Self::TokioMpscSpin | Self::Watch => Self::Tokio.name(),
            Self::FlumeSpin => Self::Flume.name(),
            Self::KanalSpin => Self::Kanal.name(),
            Self::StdSpin => Self::Std.name(),
            Self::ThingbufSpin => Self::Thingbuf.name(),
            other => other.name(),
        }
    }

    /// The same where there is little room.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Crossbeam => "crossbeam",
            other => other.name(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_there_once_and_is_told_from_the_others() {
        for (nth, who) in Who::ALL.into_iter().enumerate() {
            assert_eq!(who as usize, nth);
            assert!(Who::ALL[..nth].iter().all(|other| other.name() != who.name()));
        }
    }

    #[test]
    fn who_waits_in_two_ways_is_in_both_wherever_somebody_is_busy() {
        let companies: [&[Who]; 3] = [&Who::PAIRS, &Who::DRIVEN_PAIRS, &Who::MANY_TO_ONE];
        for company in companies {
            for who in Who::ALL {
                if let Some(spinning) = who.spinning() {
                    assert!(company.contains(&who) && company.contains(&spinning), "{who:?}");
                    assert_eq!(who.package(), spinning.package());
                }
            }
        }
    }
}
