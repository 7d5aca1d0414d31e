//! What this machine gives a gateway and a worker: folders, descriptors, walls around tasks, encoders.

use std::{io, path::Path};

use reelgate_gateway::short_of_descriptors;
use reelgate_worker::{WorkerError, free_bytes, media::can_encode, plan::VideoCodec};

use super::finding::Finding;
use crate::settings::Settings;

const CODECS: [VideoCodec; 4] = [VideoCodec::H264, VideoCodec::Hevc, VideoCodec::Av1, VideoCodec::Vp9];
/// Less than one output of a short film.
const LITTLE: u64 = 1 << 30;

pub(super) fn scratch(settings: &Settings) -> Finding {
    const WHAT: &str = "scratch folder";
    let dir = &settings.worker.scratch_dir;
    match writable(dir) {
        Err(error) => Finding::wrong(
            WHAT,
            format!("{}: {error}", dir.display()),
            "set REELGATE__WORKER__SCRATCH_DIR to a folder that the worker may write",
        ),
        Ok(free) if free < LITTLE => Finding::note(
            WHAT,
            format!("{} has {} MiB left", dir.display(), free >> 20),
            "a worker keeps a source and its outputs there, for each job at once: give it room for the largest",
        ),
        Ok(free) => Finding::ok(WHAT, format!("{} GiB free", free >> 30)),
    }
}

/// The disk tier of a gateway's cache, if there shall be one.
pub(super) fn cache(settings: &Settings) -> Option<Finding> {
    let dir = settings.cache.disk_dir.as_ref()?;
    let outcome = writable(dir).map(drop).map_err(|error| anyhow::anyhow!("{}: {error}", dir.display()));
    Some(Finding::of(
        "cache folder",
        outcome,
        "set REELGATE__CACHE__DISK_DIR to a folder that the gateway may write, or unset it",
    ))
}

fn writable(dir: &Path) -> io::Result<u64> {
    let probe = dir.join(format!(".check-{}", std::process::id()));
    std::fs::create_dir_all(dir)?;
    std::fs::write(&probe, b"x")?;
    std::fs::remove_file(&probe)?;
    free_bytes(dir)
}

pub(super) fn descriptors(settings: &Settings) -> Finding {
    const WHAT: &str = "open connections";
    let wanted = settings.http.max_connections;
    match short_of_descriptors(wanted) {
        None => Finding::ok(WHAT, format!("{wanted} fit into the limit of descriptors")),
        Some(room) => Finding::note(
            WHAT,
            format!("a gateway would take {room} of http.max_connections = {wanted}"),
            "raise the limit of descriptors (ulimit -n, LimitNOFILE=), or lower http.max_connections",
        ),
    }
}

pub(super) async fn sandbox(settings: &Settings) -> Finding {
    const ADVICE: &str = "workers need Linux 5.13 or later with landlock and seccomp; see docs/sandbox.md";
    let required = settings.worker.require_sandbox;
    match reelgate_worker::prove_sandbox(&settings.worker_config()).await {
        Ok(walls) => {
            let landlock = walls.landlock.map_or("no landlock".to_owned(), |version| format!("landlock {version}"));
            let seccomp = if walls.seccomp { "seccomp" } else { "no seccomp" };
            Finding::ok("sandbox of tasks", format!("{landlock}, {seccomp}; a task has tried to get out"))
        }
        // A worker would start, and say so.
        Err(error @ WorkerError::Sandbox(_)) if !required => {
            Finding::note("sandbox of tasks (not required)", format!("{error}"), ADVICE)
        }
        Err(error) => Finding::of("sandbox of tasks", Err(error), ADVICE),
    }
}

pub(super) fn encoders(settings: &Settings) -> Finding {
    const WHAT: &str = "encoders";
    let words = |codecs: &[VideoCodec]| codecs.iter().map(|codec| codec.word()).collect::<Vec<_>>().join(", ");
    let (known, unknown): (Vec<_>, Vec<_>) = CODECS.into_iter().partition(|codec| can_encode(*codec));
    let missing: Vec<VideoCodec> =
        settings.ladder.codecs.iter().copied().filter(|codec| unknown.contains(codec)).collect();
    if missing.is_empty() {
        return Finding::ok(WHAT, words(&known));
    }
    Finding::wrong(
        WHAT,
        format!("the linked libav has {}, and ladder.codecs wants {}", words(&known), words(&missing)),
        "link an FFmpeg with libx264 (and libx265, libaom, libvpx), or take the codec out of ladder.codecs",
    )
}
