//! Groups by hand, against the model of `tests/groups/model.rs`.

#![no_main]

#[path = "../../groups/model.rs"]
mod model;
#[path = "../../groups/parcel.rs"]
mod parcel;

use mainspring::{Drive, Engine};

fn by_hand(inbox: usize, capacity: usize) -> Engine {
    let builder = Engine::builder().inbox(inbox).capacity(capacity);
    builder.drive(Drive::manual(|| {})).build().expect("a small engine")
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let mut bytes = bytes.to_vec().into_iter().map(usize::from);
    // A byte or two a choice.
    model::replay(&mut parcel::Dice::by(move |sides| {
        let thrown = if sides > 256 { bytes.next()? << 8 | bytes.next()? } else { bytes.next()? };
        Some(thrown % sides)
    }));
});
