//! A form, cut into chunks as its first byte says.
#![no_main]

use libfuzzer_sys::fuzz_target;
use reelgate_gateway::fuzzing::multipart;

fuzz_target!(|input: &[u8]| {
    if let Some((chunk, body)) = input.split_first() {
        multipart(body, usize::from(*chunk) + 1);
    }
});
