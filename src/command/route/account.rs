//! The last look at a run: what was sent is in the outputs, all of it, and nothing twice.
//!
//! Numbers are dense and begin at 1, so the last number of a run is the number of its lines. An
//! output that has failed lacks what it lacks, and says so itself; where none has, however early
//! the sender was stopped, this must hold.

use mainspring::Seq;

use super::by::Rule;
use super::error::Error;
use super::receiver::Report;

/// Whether the outputs have the lines that were sent: each all of them, or together.
pub(super) fn check(rule: &Rule, sent: u64, reports: &[Report]) -> Result<(), Error> {
    if reports.iter().any(|report| report.error.is_some()) {
        return Ok(());
    }
    match rule {
        Rule::All => reports
            .iter()
            .try_for_each(|report| compare(&report.output, sent, std::slice::from_ref(report))),
        Rule::Key(_) | Rule::Turns => compare("the outputs", sent, reports),
    }
}

fn compare(name: &str, sent: u64, reports: &[Report]) -> Result<(), Error> {
    let marks = reports.iter().flat_map(|report| &report.marks);
    let (messages, last) = marks.fold((0, Seq::ZERO), |(messages, last), mark| {
        (messages + mark.messages, last.max(mark.last.unwrap_or(Seq::ZERO)))
    });
    if (messages, last.get()) == (sent, sent) {
        Ok(())
    } else {
        Err(Error::Account { name: name.to_owned(), sent, messages, last })
    }
}
