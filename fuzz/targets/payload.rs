//! What lies in Redis and in columns of the database, read back: names of jobs, leases, what was found out about media, and
//! the summaries that playlists are written from.
#![no_main]

use libfuzzer_sys::fuzz_target;
use reelgate_common::{
    ids::{FileId, JobId},
    key::Key,
    lease::PlaybackLease,
    media_info::MediaInfo,
};
use reelgate_packager::package::{SegmentEntry, Summary, TrackSummary, init_segment, media_segment};

fuzz_target!(|input: &[u8]| {
    if let Ok(text) = std::str::from_utf8(input) {
        let (_, _) = (text.parse::<JobId>(), text.parse::<FileId>());
        if let Ok(key) = text.parse::<Key>() {
            assert_eq!(key.to_string(), text, "a key has one spelling");
        }
    }
    same::<PlaybackLease>(input);
    same::<MediaInfo>(input);
    if let Some(summary) = same::<Summary>(input) {
        summary.tracks.iter().for_each(cut);
    }
});

/// What can be read is written so that it reads the same.
fn same<T: serde::de::DeserializeOwned + serde::Serialize>(input: &[u8]) -> Option<T> {
    let read: T = serde_json::from_slice(input).ok()?;
    let written = serde_json::to_vec(&read).expect("JSON");
    let again: T = serde_json::from_slice(&written).expect("what was written can be read");
    assert_eq!(serde_json::to_vec(&again).expect("JSON"), written);
    Some(read)
}

fn cut(track: &TrackSummary) {
    let _ = init_segment(track);
    let _ = (track.table_range(), track.entry_range(u32::MAX));
    let entry = SegmentEntry { start: 0, presentation: 0, duration: 1, size: 100, lead: 0, record: 0..8 };
    let _ = media_segment(track, 0, &entry, &[0; 8]);
}
