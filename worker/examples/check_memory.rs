//! Has a task look at files, cut and encode them under a memory checker: `check_memory FILE... -- CHECKER... worker __task ...`, which
//! `scripts/check-memory` does for the corpus. A task that ends in anything but its own words fails it.
#![allow(clippy::print_stdout, reason = "it tells what it has passed")]

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
};

use anyhow::{Context, Result, ensure};
use reelgate_common::{grid::SegmentGrid, media_info::MediaInfo, still::StillFormat};
use reelgate_worker::{
    plan::{LadderPolicy, Plan, plan},
    task::protocol::{Event, REQUEST_FILE, Request, StillOrder},
};

/// Pixels of all frames together, above which only the beginning of a film is encoded: a checker takes forty times as long.
const MOST_PIXELS: u64 = 150_000_000;
/// Of such a beginning: 24 frames of 1080p.
const PIXELS_OF_BEGINNING: u64 = 50_000_000;
const AT_ONCE: usize = 3;
const GRID: SegmentGrid = SegmentGrid::Regular { period_ms: 2000 };

fn main() -> ExitCode {
    let mut files: Vec<String> = std::env::args().skip(1).collect();
    let Some(border) = files.iter().position(|word| word == "--") else {
        println!("usage: check_memory FILE... -- PROGRAM ARGUMENT...");
        return ExitCode::from(2);
    };
    let program = files.split_off(border + 1);
    files.truncate(border);
    let (next, failed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                    // Told at once: a run takes hours, and what it has passed stands even if it is ended.
                    match look(&program, Path::new(file)) {
                        Ok(passed) => println!("{file}: {}", passed.join(", ")),
                        Err(error) => {
                            failed.fetch_add(1, Ordering::Relaxed);
                            println!("{file}: FAILED: {error:#}");
                        }
                    }
                }
            });
        }
    });
    println!("{} files, {} failed", files.len(), failed.load(Ordering::Relaxed));
    ExitCode::from(u8::from(failed.into_inner() > 0))
}

/// What the checker had nothing to say about.
fn look(program: &[String], file: &Path) -> Result<Vec<String>> {
    let events = run(program, &Request::Probe, file)?;
    let Some(media) = events.into_iter().find_map(probed) else { return Ok(vec!["refused".to_owned()]) };
    run(program, &Request::Verify { whole: false, threads: 1, proven: Vec::new() }, file)?;
    let mut passed = vec!["probed".to_owned(), "verified".to_owned()];
    let beginning = tempfile::tempdir()?;
    let (file, media) = match shortened(program, file, &media, beginning.path())? {
        Some((file, media)) => {
            passed.push("shortened".to_owned());
            (file, media)
        }
        None => (file.to_owned(), media),
    };
    let policy = LadderPolicy { rungs: vec![240, 144], preset: "superfast".to_owned(), ..LadderPolicy::default() };
    let plan = plan(&media, GRID, &policy);
    for (what, request) in requests(media, plan) {
        run(program, &request, &file)?;
        passed.push(what.to_owned());
    }
    Ok(passed)
}

fn requests(media: MediaInfo, plan: Plan) -> Vec<(&'static str, Request)> {
    let still = StillOrder { file: "still.jpg".to_owned(), time_ms: 0, width: 160, format: StillFormat::Jpeg };
    let mut requests = Vec::new();
    if media.video.is_some() {
        requests.push(("still", Request::Stills { orders: vec![still] }));
    }
    requests.extend(remux(media.clone()).map(|request| ("remuxed", request)));
    requests.push(("encoded", Request::Encode { media, plan, threads: 2, keep_sound: false }));
    requests
}

/// As if the worker had found that its tracks can be copied.
fn remux(mut media: MediaInfo) -> Option<Request> {
    media.video.iter_mut().for_each(|video| video.copyable = video.codec == "h264");
    media.audio.iter_mut().for_each(|audio| audio.copyable = audio.codec == "aac");
    let plan = plan(&media, GRID, &LadderPolicy::default());
    plan.remuxed()?;
    Some(Request::Remux { media, plan })
}

/// The beginning of a film that is too large, cut by ffmpeg's program.
fn shortened(
    program: &[String],
    file: &Path,
    media: &MediaInfo,
    folder: &Path,
) -> Result<Option<(PathBuf, MediaInfo)>> {
    let Some(video) = &media.video else { return Ok(None) };
    let of_one = (u64::from(video.coded_width) * u64::from(video.coded_height)).max(1);
    let (frames, seconds) = video.average_frame_rate;
    let frames = media.duration_ms * u64::from(frames) / u64::from(seconds.max(1)) / 1000;
    if frames * of_one <= MOST_PIXELS {
        return Ok(None);
    }
    let path = folder.join(file.file_name().context("a file has a name")?);
    let most = (PIXELS_OF_BEGINNING / of_one).max(4).to_string();
    let mut cut = Command::new("ffmpeg");
    cut.args(["-nostdin", "-v", "error", "-i"]).arg(file);
    cut.args(["-map", "0:v:0", "-map", "0:a?", "-c", "copy", "-frames:v", &most, "-shortest"]).arg(&path);
    ensure!(cut.status()?.success(), "ffmpeg cannot cut it");
    let media = run(program, &Request::Probe, &path)?.into_iter().find_map(probed);
    Ok(Some((path, media.context("what was cut is refused")?)))
}

fn probed(event: Event) -> Option<MediaInfo> {
    match event {
        Event::Probed { media } => Some(media),
        _ => None,
    }
}

fn run(program: &[String], request: &Request, source: &Path) -> Result<Vec<Event>> {
    let folder = tempfile::tempdir()?;
    std::fs::write(folder.path().join(REQUEST_FILE), serde_json::to_vec(request)?)?;
    let (name, arguments) = program.split_first().context("no program")?;
    let mut task = Command::new(name);
    task.args(arguments).env_clear().current_dir(folder.path()).stdin(Stdio::from(File::open(source)?));
    let told = task.output().with_context(|| format!("{name} does not start"))?;
    let words = String::from_utf8_lossy(&told.stderr);
    ensure!(told.status.success(), "{request:?} ended with {}: {words}", told.status);
    let lines = told.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| Ok(serde_json::from_slice(line)?)).collect()
}
