//! What `mainspring demo` is asked.

use std::time::Duration;

use clap::{ArgAction, value_parser};

/// Watch an engine at work: made-up traffic for some seconds, and a check of what was promised.
///
/// Senders of different speeds, outboxes over several types, a group whose members come and go, a
/// receiver that is slow on purpose, and one that gets nothing but the clock, all in one order. A
/// table shows who is how far; q, Esc or Ctrl-C ends it early. In the end all that was received is
/// checked against the promises.
#[derive(Debug, clap::Args)]
#[command(after_long_help = AFTER_HELP, after_help = "`--help` explains the table and the check.")]
pub(crate) struct Args {
    /// How long, from 1 to 300
    #[arg(short, long, value_name = "N", default_value = "8",
          value_parser = value_parser!(u64).range(1..=300))]
    seconds: u64,

    /// A line a second in place of the table, as when standard output is no terminal
    #[arg(short, long, action = ArgAction::SetTrue)]
    pub(super) plain: bool,

    /// Show the report only
    #[arg(short, long, action = ArgAction::SetTrue)]
    pub(super) quiet: bool,
}

impl Args {
    pub(super) fn time(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }
}

const AFTER_HELP: &str = "\
Receivers:
  sink         what one sender has, a thousand at a time
  orders       one by one, from senders that come and go, and from the outbox `clerk`
  slow         sleeps after each 32 messages: who sends to it is held up, nobody else
  bids, asks   two types from the outbox `maker`, read as one stream in the order of the numbers
  quotes 1, 2  members of a group: they have all that feed 1, feed 2 and maker send to all
  guest        a third member, which joins and leaves again and again
  audit        what is sent after something was received (relay), or after reading the clock (watch)
  watch        gets no message: it is told the clock

Columns:
  depth        messages sent and not received; lag: those of them that have their number
  behind       by how many numbers what it has handled is behind the clock, whosever they are
  stalls       how often a sender had to wait for room

The check, of every message and every clock that was received:
  O1 dense         the numbers are 1 up to the clock: no gap, no duplicate, and as many were sent
  O2 per handle    the numbers of a sender, broadcaster or outbox rise, over all its receivers
  O3 causal        what was sent after receiving n, or after reading the clock at n, is above n
  O4 increasing    each receiver's numbers rise, and a clock exceeds all that was told before
  O5 clock safety  told the clock t, a receiver gets nothing up to t any more; and each member of
                   the group had every broadcast from its joining to its leaving

Examples:
  mainspring demo                        eight seconds, in a table
  mainspring demo --seconds 60           a minute
  mainspring demo --plain > demo.txt     a line a second, and the report
  mainspring demo -q -s 2                the report only

Exit codes:
  0    all promises held, also if it was ended early
  1    one was broken: that would be a mistake of mainspring's own. Or the system refused something
  2    wrong usage
  141  standard output was closed by its reader";
