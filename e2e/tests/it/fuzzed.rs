//! What fuzzing has learned and found (`fuzz/corpus`), through the fuzz targets themselves as they stand: none of it may trouble a
//! parser again. Without libFuzzer: its macro is one of ours here, and `libfuzzer_sys` this crate.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]
#![allow(clippy::print_stdout, reason = "which input it was is wanted")]

use std::{fs, path::Path};

/// As libFuzzer (by `arbitrary`) makes each kind of input of bytes.
macro_rules! fuzz_target {
    (|$input:ident: &[u8]| $body:block) => {
        pub(super) fn run(bytes: &[u8]) {
            let $input = bytes;
            $body
        }
    };
    (|$input:ident: &str| $body:block) => {
        pub(super) fn run(bytes: &[u8]) {
            let $input = crate::fuzzed::text(bytes);
            $body
        }
    };
    (|$input:ident: (u64, &str)| $body:block) => {
        pub(super) fn run(bytes: &[u8]) {
            let $input = crate::fuzzed::number_and_text(bytes);
            $body
        }
    };
}
pub(crate) use fuzz_target;

fn text(bytes: &[u8]) -> &str {
    let whole = bytes.utf8_chunks().next();
    whole.map_or("", |chunk| chunk.valid())
}

fn number_and_text(bytes: &[u8]) -> (u64, &str) {
    let (number, rest) = bytes.split_at(bytes.len().min(8));
    let mut eight = [0; 8];
    eight[..number.len()].copy_from_slice(number);
    (u64::from_le_bytes(eight), text(rest))
}

/// Each target is a test over its folder of the corpus.
macro_rules! targets {
    ($($target:ident: $path:literal),+ $(,)?) => {
        $(#[path = $path]
        #[allow(unused_attributes, unused_imports, reason = "a program of its own has no main, and its macro from elsewhere")]
        mod $target;)+

        mod corpus {
            $(#[test]
            fn $target() {
                super::replay(stringify!($target), super::$target::run);
            })+
        }

        const TARGETS: &[&str] = &[$(stringify!($target)),+];
    };
}

targets!(
    captions: "../../../fuzz/targets/captions.rs",
    config: "../../../fuzz/targets/config.rs",
    jwt: "../../../fuzz/targets/jwt.rs",
    mp4: "../../../fuzz/targets/mp4.rs",
    multipart: "../../../fuzz/targets/multipart.rs",
    payload: "../../../fuzz/targets/payload.rs",
    range: "../../../fuzz/targets/range.rs",
    token: "../../../fuzz/targets/token.rs",
    tus: "../../../fuzz/targets/tus.rs",
);

fn fuzz() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz"))
}

fn replay(target: &str, run: fn(&[u8])) {
    let inputs = fs::read_dir(fuzz().join("corpus").join(target)).unwrap().map(|entry| entry.unwrap().path());
    let mut count = 0;
    for input in inputs {
        // A panic of the target is the failure; this says whose.
        println!("{}", input.display());
        run(&fs::read(&input).unwrap());
        count += 1;
    }
    assert!(count > 10, "{target} has hardly any corpus: {count}");
    if target == "config" {
        // Where that target keeps the file that it has read.
        fs::remove_file(format!("/dev/shm/reelgate-fuzz-{}.toml", std::process::id())).unwrap();
    }
}

#[test]
fn every_target_is_replayed() {
    let targets = fs::read_dir(fuzz().join("targets")).unwrap().map(|entry| entry.unwrap().path());
    let mut names: Vec<_> = targets.map(|path| path.file_stem().unwrap().to_string_lossy().into_owned()).collect();
    names.sort_unstable();
    assert_eq!(names, TARGETS);
}
