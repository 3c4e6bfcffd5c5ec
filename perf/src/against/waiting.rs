//! How those wait who bring no waiting of their own.
//!
//! Rings leave it to their users what to do when there is nothing to take, or no room. Spinning
//! alone would be the fastest with a core for each thread, and collapse without: here there are up
//! to nine threads on perhaps two cores, and whoever spins keeps away the one that it waits for. So
//! they look again at once for a while, longer than an answer takes from another core, and then let
//! others run between the looks. They never sleep, which spares them what it costs the others to be
//! woken; while they wait they use a core whole.

use std::hint::spin_loop;
use std::thread;

use super::Closed;

/// Looks before the first yield: one or two microseconds.
const LOOKS: u32 = 128;
/// Yields before somebody who can sleep does.
const YIELDS: u32 = 16;

/// Calls it until it has something to return.
#[inline]
pub(super) fn until<R>(mut look: impl FnMut() -> Option<Result<R, Closed>>) -> Result<R, Closed> {
    let mut looks = 0;
    loop {
        if let Some(found) = look() {
            return found;
        }
        if looks < LOOKS {
            looks += 1;
            spin_loop();
        } else {
            thread::yield_now();
        }
    }
}

/// Calls it for a while; nothing if it had nothing to return.
#[inline]
pub(super) fn briefly<R>(mut look: impl FnMut() -> Option<R>) -> Option<R> {
    for looks in 0..LOOKS + YIELDS {
        if let Some(found) = look() {
            return Some(found);
        }
        if looks < LOOKS {
            spin_loop();
        } else {
            thread::yield_now();
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brief_looks_have_an_end() {
        assert_eq!(briefly(|| None::<()>), None);
        let mut looks = 0;
        let found = briefly(|| {
            looks += 1;
            (looks == LOOKS + YIELDS).then_some(looks)
        });
        assert_eq!(found, Some(LOOKS + YIELDS));
    }

    #[test]
    fn it_looks_until_there_is_something() {
        let mut looks = 0;
        let found = until(|| {
            looks += 1;
            (looks == 2 * LOOKS).then_some(Ok(looks))
        });
        assert_eq!(found.unwrap(), 2 * LOOKS);
    }
}
