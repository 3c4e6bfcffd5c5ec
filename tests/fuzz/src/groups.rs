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
    model::replay(&mut parcel::Dice::Given(bytes.iter().copied().collect()));
});
