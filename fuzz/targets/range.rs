//! A `Range` header against a length, and the same text as an address.
#![no_main]

use libfuzzer_sys::fuzz_target;
use reelgate_gateway::fuzzing::{address, range};

fuzz_target!(|input: (u64, &str)| {
    let (length, text) = input;
    range(text, length);
    let (path, query) = text.split_once('?').unwrap_or((text, ""));
    address(path, query);
});
