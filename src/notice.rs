//! A notice: an event for one receiver that is no message, and never waits.
//!
//! ```text
//!   the pass ──▶ inbox entry, or overflow list: the letter's key ──▶ the receiver: its letter, the notice in it
//! ```
//!
//! A notice lies in a **letter**, which is made beforehand and stands in the receiver's table under a key of its own,
//! as a lane does. So all that a pass does is to write that key where it would write a lane's: into the inbox or, when
//! that is full, into its overflow list, by the letter's own record. That cannot fail, and keeps its place before
//! everything younger. Keys of letters have the bit [`LETTER`].

use std::any::{Any, type_name};
use std::fmt;

use crate::inbox::{Inbox, Rest};
use crate::sync::{Arc, Mutex};

/// In a key: it is a letter's, and not a lane's.
pub(crate) const LETTER: u32 = 1 << 28;

/// What a receiver is told beside its messages: a value of any type. Clones are the same value.
///
/// ```
/// use mainspring::Notice;
/// let notice = Notice::new("the lights go out");
/// assert_eq!(notice.get::<&str>(), Some(&"the lights go out"));
/// assert_eq!(notice.get::<u32>(), None);
/// ```
#[derive(Clone)]
pub struct Notice {
    value: Arc<dyn Any + Send + Sync>,
    type_name: &'static str,
}

impl Notice {
    /// A notice that says this.
    pub fn new<V: Any + Send + Sync>(value: V) -> Self {
        Self { value: Arc::new(value), type_name: type_name::<V>() }
    }

    /// What it says, if that is a `V`.
    pub fn get<V: Any>(&self) -> Option<&V> {
        self.value.downcast_ref()
    }

    /// Whether what it says is a `V`.
    pub fn is<V: Any>(&self) -> bool {
        self.value.is::<V>()
    }
}

impl PartialEq for Notice {
    /// Whether they are clones of one notice.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.value, &other.value)
    }
}

impl Eq for Notice {}

impl fmt::Debug for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Notice").field(&self.type_name).finish()
    }
}

/// The table of a receiver, which gives keys to letters.
pub(crate) trait Letterbox: Send + Sync {
    /// Frees the key of a letter that no pass will place, or that was taken.
    fn withdraw_letter(&self, key: u32);
}

/// See the module's documentation.
pub(crate) struct Letter {
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) key: u32,
    /// Where the dispatcher notes it if the inbox has no room.
    pub(crate) rest: Rest,
    notice: Mutex<Option<Notice>>,
    letterbox: Arc<dyn Letterbox>,
}

impl Letter {
    pub(crate) fn new(
        inbox: Arc<Inbox>,
        key: u32,
        notice: Notice,
        letterbox: Arc<dyn Letterbox>,
    ) -> Self {
        Self { inbox, key, rest: Rest::default(), notice: Mutex::new(Some(notice)), letterbox }
    }

    /// The notice, once.
    pub(crate) fn open(&self) -> Option<Notice> {
        self.notice.lock().take()
    }

    /// It comes to nobody: its receiver forgets it.
    pub(crate) fn withdraw(&self) {
        self.letterbox.withdraw_letter(self.key);
    }
}
