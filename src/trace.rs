//! Events for those who watch, by the crate `tracing`: this is the only file that names it.
//!
//! ```text
//!   debug   joined, left                   kind, receiver, id, group, outbox
//!   debug   waits for room, has room       receiver, id; how long it waited (ns)
//!   warn    slow receiver                  receiver, id; how long somebody has waited (ns)
//!   info    closed                         clock; warn, if receivers have left something: how many
//!   error   closed: a pass has panicked
//!   error   a continuation has panicked
//! ```
//!
//! Who watches is the user's code, and may use the engine. So nothing here is called by whoever holds the dispatcher or
//! one of the engine's locks, and only slow paths call: joining, leaving, and waits that have come to sleep.
//!
//! Without the feature `tracing` there are the same names, which do nothing and take no place.

pub(crate) use imp::{
    Label, ON, Whom, closed, errand_panicked, has_waited, is_slow, joined, left, poisoned, waits,
    watched,
};

/// Who joins or leaves.
#[derive(Clone, Copy)]
#[cfg_attr(not(feature = "tracing"), expect(dead_code, reason = "nobody is told"))]
pub(crate) enum Who<'a> {
    Receiver(&'a Label),
    /// To this receiver.
    Sender(&'a Label),
    /// To this receiver.
    Forwarder(&'a Label),
    /// To this group.
    GroupForwarder(Option<&'a str>),
    /// To this group.
    Broadcaster(Option<&'a str>),
    /// Of this group.
    Member(Option<&'a str>, &'a Label),
    Outbox(Option<&'a str>, u64),
}

#[cfg(feature = "tracing")]
mod imp {
    use std::sync::OnceLock;
    use std::time::{Duration, Instant};

    use tracing::Level;

    use super::Who;
    use crate::clock::Seq;
    use crate::park;
    use crate::sync::{Arc, Mutex};

    const TARGET: &str = "mainspring";

    /// Whether anything is told at all.
    pub(crate) const ON: bool = true;

    /// Of one receiver there is one warning in this time.
    const WARNING_EVERY: Duration = Duration::from_secs(1);

    /// What is told of a receiver.
    #[derive(Clone)]
    pub(crate) struct Label(Arc<Inner>);

    struct Inner {
        name: Option<Box<str>>,
        id: u64,
        /// When it was last warned of.
        warned: Mutex<Option<Instant>>,
    }

    impl Label {
        pub(crate) fn new(name: Option<&str>, id: u64) -> Self {
            Self(Arc::new(Inner { name: name.map(Box::from), id, warned: Mutex::new(None) }))
        }

        fn name(&self) -> Option<&str> {
            self.0.name.as_deref()
        }

        /// Whether it is time for a warning; then it is told.
        fn may_warn(&self, now: Instant) -> bool {
            let mut warned = self.0.warned.lock();
            let may = warned.is_none_or(|at| now.saturating_duration_since(at) >= WARNING_EVERY);
            if may {
                *warned = Some(now);
            }
            may
        }
    }

    /// Whom a lane is for, once that is known.
    #[derive(Default)]
    pub(crate) struct Whom(OnceLock<Label>);

    impl Whom {
        pub(crate) fn is(&self, label: &Label) {
            self.0.get_or_init(|| label.clone());
        }

        pub(crate) fn label(&self) -> Option<Label> {
            self.0.get().cloned()
        }
    }

    /// Whether anyone wants to hear of those who wait.
    pub(crate) fn watched() -> bool {
        tracing::enabled!(target: TARGET, Level::WARN)
            || tracing::enabled!(target: TARGET, Level::DEBUG)
    }

    pub(crate) fn joined(who: Who<'_>) {
        let (kind, receiver, id, group, outbox) = fields(&who);
        tracing::debug!(target: TARGET, kind, receiver, id, group, outbox, "joined");
    }

    pub(crate) fn left(who: Who<'_>) {
        let (kind, receiver, id, group, outbox) = fields(&who);
        tracing::debug!(target: TARGET, kind, receiver, id, group, outbox, "left");
    }

    type Name<'a> = Option<&'a str>;

    /// The kind, the receiver, the number of the receiver or outbox, the group, the outbox.
    fn fields<'a>(who: &'a Who<'_>) -> (&'static str, Name<'a>, Option<u64>, Name<'a>, Name<'a>) {
        match who {
            Who::Receiver(label) => ("receiver", label.name(), Some(label.0.id), None, None),
            Who::Sender(label) => ("sender", label.name(), Some(label.0.id), None, None),
            Who::Forwarder(label) => ("forwarder", label.name(), Some(label.0.id), None, None),
            Who::GroupForwarder(group) => ("forwarder", None, None, *group, None),
            Who::Broadcaster(group) => ("broadcaster", None, None, *group, None),
            Who::Member(group, label) => ("member", label.name(), Some(label.0.id), *group, None),
            Who::Outbox(name, id) => ("outbox", None, Some(*id), None, *name),
        }
    }

    /// Somebody is about to sleep until this receiver makes room.
    pub(crate) fn waits(label: Option<&Label>) {
        let (receiver, id) = (label.and_then(Label::name), label.map(|label| label.0.id));
        tracing::debug!(target: TARGET, receiver, id, "waits for room");
    }

    /// The end of [`waits`].
    pub(crate) fn has_waited(label: Option<&Label>, waited: Duration, room: bool) {
        let (receiver, id) = (label.and_then(Label::name), label.map(|label| label.0.id));
        let waited_ns = waited.as_nanos() as u64;
        if room {
            tracing::debug!(target: TARGET, receiver, id, waited_ns, "has room");
        } else {
            tracing::debug!(target: TARGET, receiver, id, waited_ns, "waits no longer");
        }
    }

    /// Somebody has waited for so long for this receiver.
    pub(crate) fn is_slow(label: &Label, waited: Duration) {
        if label.may_warn(park::now()) {
            let (receiver, id, waited_ns) = (label.name(), label.0.id, waited.as_nanos() as u64);
            tracing::warn!(target: TARGET, receiver, id, waited_ns, "slow receiver");
        }
    }

    /// The engine was closed, and so many receivers have left something.
    pub(crate) fn closed(clock: Seq, left: usize, discarded: u64) {
        if left == 0 && discarded == 0 {
            tracing::info!(target: TARGET, clock = clock.get(), "closed");
        } else {
            let clock = clock.get();
            tracing::warn!(target: TARGET, clock, left, discarded, "closed before all was received");
        }
    }

    /// The engine has closed by a bug. Called when nobody will ever hold the dispatcher again.
    pub(crate) fn poisoned() {
        tracing::error!(target: TARGET, "closed: a pass has panicked");
    }

    /// What somebody had asked to be done when a mark had its number.
    pub(crate) fn errand_panicked() {
        tracing::error!(target: TARGET, "a continuation has panicked");
    }

    #[cfg(test)]
    mod tests {
        use super::{Label, WARNING_EVERY};
        use crate::park;

        /// Goal: one warning in a second for a receiver, and another's are its own. Method: moments around that.
        #[test]
        fn warnings_are_rare() {
            let (label, other, now) = (Label::new(None, 1), Label::new(Some("a"), 2), park::now());
            assert!(label.may_warn(now) && !label.may_warn(now) && other.may_warn(now));
            assert!(!label.clone().may_warn(now + WARNING_EVERY / 2));
            assert!(label.may_warn(now + WARNING_EVERY));
            assert!(!label.may_warn(now + WARNING_EVERY * 3 / 2));
            // One who was slower to come here with an earlier moment.
            assert!(!label.may_warn(now));
        }
    }
}

#[cfg(not(feature = "tracing"))]
mod imp {
    use std::time::Duration;

    use super::Who;
    use crate::clock::Seq;

    pub(crate) const ON: bool = false;

    #[derive(Clone)]
    pub(crate) struct Label;

    impl Label {
        #[inline]
        pub(crate) fn new(_: Option<&str>, _: u64) -> Self {
            Self
        }
    }

    #[derive(Default)]
    pub(crate) struct Whom {}

    impl Whom {
        #[inline]
        pub(crate) fn is(&self, _: &Label) {}

        #[inline]
        pub(crate) fn label(&self) -> Option<Label> {
            None
        }
    }

    #[inline]
    pub(crate) fn watched() -> bool {
        false
    }

    #[inline]
    pub(crate) fn joined(_: Who<'_>) {}

    #[inline]
    pub(crate) fn left(_: Who<'_>) {}

    #[inline]
    pub(crate) fn waits(_: Option<&Label>) {}

    #[inline]
    pub(crate) fn has_waited(_: Option<&Label>, _: Duration, _: bool) {}

    #[inline]
    pub(crate) fn is_slow(_: &Label, _: Duration) {}

    #[inline]
    pub(crate) fn closed(_: Seq, _: usize, _: u64) {}

    #[inline]
    pub(crate) fn poisoned() {}

    #[inline]
    pub(crate) fn errand_panicked() {}
}
