//! What came out, as a page, as pictures and as Markdown: all made of the [`Document`] alone.
//!
//! ```text
//!  json::Document ─▶ targets    what was wanted, and was it reached?
//!                 ─▶ summary    ours beside each peer, in one picture
//!                 ─▶ figures    of each scenario: bars, or latency curves, and the doubts
//!                        │
//!                        ├─▶ page      index.html     (markup: elements that close and escape)
//!                        ├─▶ figures   pictures/*.svg
//!                        └─▶ markdown  RESULTS.md
//!  folder: where it is written, and where it is not
//! ```
//!
//! What stands in the page and in the Markdown comes from the same rows, so that they cannot differ.

mod accounts;
mod bars;
mod curve;
mod figures;
pub(crate) mod folder;
mod markdown;
mod markup;
mod page;
mod scale;
mod summary;
mod tabled;
pub(crate) mod targets;
mod words;

use std::io;

use self::folder::Folder;
use crate::json::Document;

/// Writes all of it.
pub(crate) fn write(document: &Document, folder: &Folder) -> io::Result<()> {
    folder.save(document)?;
    folder.put("index.html", &page::page(document))?;
    folder.put("RESULTS.md", &markdown::markdown(document))?;
    folder.put_pictures(&figures::files(document))
}
