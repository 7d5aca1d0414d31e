//! The corpus under a memory checker, which `scripts/check-memory` puts between this test and the task. Every file is
//! probed and looked at as an output would be; those that are small enough to be decoded forty times slower are encoded.

use std::sync::{
    Mutex,
    atomic::{AtomicUsize, Ordering},
};

use reelgate_common::media_info::MediaInfo;
use reelgate_worker::{
    plan::{LadderPolicy, plan},
    task::protocol::Request,
};

use super::{
    child::{GRID, probe, run},
    corpus::{Entry, corpus},
};

/// Pixels of all frames together, above which a film is not encoded here.
const MOST_PIXELS: u64 = 150_000_000;
const AT_ONCE: usize = 3;

#[test]
#[ignore = "takes long, and is of use only under a checker: scripts/check-memory"]
fn the_corpus_leaks_nothing_and_touches_nothing_foreign() {
    let entries = corpus().expect("REELGATE_CORPUS is not set");
    let (next, encoded, failed) = (AtomicUsize::new(0), AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(entry) = entries.get(next.fetch_add(1, Ordering::Relaxed)) {
                    // `run` panics with all that the checker wrote.
                    match std::panic::catch_unwind(|| look(entry)) {
                        Ok(whole) => {
                            encoded.fetch_add(usize::from(whole), Ordering::Relaxed);
                            // A run takes hours: what it has passed stands even if it is ended.
                            eprintln!("passed{}: {}", if whole { ", encoded" } else { "" }, entry.path.display());
                        }
                        Err(_) => failed.lock().unwrap().push(entry.path.clone()),
                    }
                }
            });
        }
    });
    eprintln!("{} files, {} of them encoded", entries.len(), encoded.into_inner());
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "{failed:#?}");
}

/// Whether it was encoded.
fn look(entry: &Entry) -> bool {
    let Ok(media) = probe(&entry.path) else { return false };
    run(&Request::Verify { whole: false, threads: 1 }, &entry.path);
    let small = pixels(&media) <= MOST_PIXELS;
    if small {
        let policy = LadderPolicy { rungs: vec![240, 144], preset: "superfast".to_owned(), ..LadderPolicy::default() };
        let plan = plan(&media, GRID, &policy);
        run(&Request::Encode { media, plan, threads: 2 }, &entry.path);
    }
    small
}

fn pixels(media: &MediaInfo) -> u64 {
    let Some(video) = &media.video else { return 0 };
    let (frames, per_seconds) = video.average_frame_rate;
    let frames = media.duration_ms * u64::from(frames) / u64::from(per_seconds.max(1)) / 1000;
    frames * u64::from(video.coded_width) * u64::from(video.coded_height)
}
