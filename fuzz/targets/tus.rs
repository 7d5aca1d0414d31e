//! Heads of requests of both protocols of resumable uploads, against an upload of so many bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use reelgate_gateway::fuzzing::upload_head;

fuzz_target!(|input: (u64, &str)| {
    let (stored, lines) = input;
    upload_head(stored, lines);
});
