//! Every file of `REELGATE_CORPUS` against its manifest: `playable` ones are probed, encoded and compared, `rejected` ones
//! end in a named failure, the rest may do either, but never crash.

use std::{
    path::{Path, PathBuf},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use super::{
    child::{make, probe, run},
    compare::same_film,
    measure::{decodes, duration_ms, starts_at_once},
};
use reelgate_worker::{
    plan::VideoStep,
    task::protocol::{Event, Output, Request},
};

/// Milliseconds that an output may differ from its source.
const TOLERANCE_MS: u64 = 100;

/// Files looked at side by side.
const AT_ONCE: usize = 3;

/// Small files of every kind, whose frames are compared one by one: turned, ten bits, odd sizes, 4:4:4, wide pixels, fields, HDR,
/// old codecs, edits, pictures and data beside the film.
const COMPARED: [&str; 21] = [
    "iphone_ios9_rot90.mov",
    "h264_10bit.mp4",
    "vp9_10bit.webm",
    "odd_161x121_vp9.webm",
    "cea608_frag.mp4",
    "h263_amr.3gp",
    "attached_pic.mp4",
    "subs_srt.mkv",
    "chapters_h264_444.mkv",
    "wmv2.wmv",
    "avi_mpeg4_mp3.avi",
    "interlaced_576i_mpeg2_broadcast.ts",
    "two_video_two_audio_movtext.mp4",
    "edts.mp4",
    "phone_hevc_metadata_track.mp4",
    "sar_2x1.mp4",
    "av1_fragmented_portrait.mp4",
    "mpeg1.mpg",
    "data_streams.mp4",
    "hdr10_av1_portrait.mp4",
    "flv_bbb.flv",
];

pub(super) struct Entry {
    pub(super) path: PathBuf,
    expected: String,
}

pub(super) fn corpus() -> Option<Vec<Entry>> {
    let folder = PathBuf::from(std::env::var_os("REELGATE_CORPUS")?);
    let manifest = std::fs::read_to_string(folder.join("MANIFEST.tsv")).unwrap();
    let mut lines = manifest.lines();
    let columns: Vec<&str> = lines.next().unwrap().split('\t').collect();
    let column = |name: &str| columns.iter().position(|column| *column == name).unwrap();
    let (path, expected) = (column("path"), column("expected"));
    let entries = lines.map(|line| {
        let fields: Vec<&str> = line.split('\t').collect();
        Entry { path: folder.join(fields[path]), expected: fields[expected].to_owned() }
    });
    Some(entries.collect())
}

#[test]
fn the_corpus_meets_its_expectations() {
    let Some(entries) = corpus() else {
        eprintln!("skipped: REELGATE_CORPUS is not set");
        return;
    };
    assert!(entries.len() > 50, "only {} files", entries.len());
    let (next, failed) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(entry) = entries.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(why) = checked(entry) {
                        failed.lock().unwrap().push(why);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    eprintln!("{} files, {} as expected", entries.len(), entries.len() - failed.len());
    assert!(failed.is_empty(), "{failed:#?}");
}

/// Runs one file so that the others are still looked at when it fails.
fn checked(entry: &Entry) -> Result<(), String> {
    let name = entry.path.file_name().unwrap().to_string_lossy().into_owned();
    let check = || match entry.expected.as_str() {
        "playable" => plays(&entry.path),
        "rejected with clear error" => {
            let failure = probe(&entry.path).expect_err("it must be refused");
            assert!(!failure.retryable && !failure.message.is_empty(), "{failure:?}");
        }
        _ => {
            if probe(&entry.path).is_ok() {
                plays(&entry.path);
            }
        }
    };
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(check)).map_err(|panic| {
        let said = panic.downcast_ref::<String>().cloned();
        format!(
            "{name}: {}",
            said.or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned())).unwrap_or_default()
        )
    })
}

fn plays(source: &Path) {
    let (media, plan, said) = make(source);
    for event in &said.events {
        assert!(!matches!(event, Event::Refused { .. }), "{event:?}\n{}", said.log);
    }
    let plays = |output: &&Output| output.file.ends_with(".mp4") || output.file.ends_with(".m4a");
    assert_eq!(said.outputs().filter(plays).count(), plan.rungs.len() + plan.audio_only().count(), "{:?}", said.events);
    let extras = &plan.extras;
    let images = [(extras.poster, "poster"), (extras.storyboard, "storyboard-1"), (extras.preview, "preview")];
    for (_, name) in images.iter().filter(|(planned, _)| *planned) {
        assert!(said.outputs().any(|output| output.name == *name), "no {name}: {:?}", said.events);
    }
    let name = source.file_name().unwrap().to_str().unwrap();
    // The lower rungs are scaled from the highest.
    let top = plan.rungs.first().filter(|rung| rung.video != VideoStep::Copy && COMPARED.contains(&name));
    if let (Some(top), Some(video)) = (top, &media.video) {
        same_film(source, video, &said.path(&top.name));
    }
    for output in said.outputs().filter(plays) {
        let path = said.file(output);
        decodes(&path);
        starts_at_once(&path);
        let found = duration_ms(&path);
        assert!(
            found.abs_diff(media.duration_ms) <= TOLERANCE_MS,
            "{} plays {found} ms, its source {} ms",
            output.name,
            media.duration_ms
        );
        let second = run(&Request::Verify { whole: false, threads: 1, proven: Vec::new() }, &path);
        assert!(matches!(second.events.first(), Some(Event::Probed { .. })), "{:?}", second.events);
    }
}
