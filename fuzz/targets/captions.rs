//! Captions that people send: what is read is written as WebVTT that reads the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use reelgate_common::captions::{from_ass, from_srt, plain, read, write};

fuzz_target!(|input: &[u8]| {
    if let Ok(cues) = read(input) {
        let written = write(&cues);
        assert_eq!(write(&read(written.as_bytes()).expect("what was written can be read")), written);
    }
    if let Ok(text) = std::str::from_utf8(input) {
        let (_, _, _) = (from_srt(text), from_ass(text), plain(text));
    }
});
