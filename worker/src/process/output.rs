//! One output: verified as a player would see it, stored, published. The child made it from hostile input, so its file is
//! opened with care and its numbers are taken from a second look, not from its word.

use std::{fs::File, io::Seek, os::unix::fs::OpenOptionsExt, path::Path, sync::Arc};

use reelgate_common::{
    grid::SegmentGrid,
    media_info::MediaInfo,
    rendition::{Details, Piece, Rendition, RenditionKind, Role},
    step,
    timestamp::Timestamp,
};
use reelgate_packager::{MAX_MOOV_BYTES, Movie, TopBox, TopWalk, codecs, parse_movie};
use rustix::fs::OFlags;

use super::{
    Work,
    expected::{Expected, Kind},
    extras::{self, Seen},
    inspect, packaging,
    proof::{self, Exhibit},
    publish, store,
};
use crate::{
    config::Proof,
    halt::Halt,
    spans::traced,
    task::{
        limits::Limits,
        protocol::{Output, Request},
    },
};

/// Of a second look; more would only make it larger.
const MAX_THREADS: u32 = 4;

/// An output as its task has left it.
pub(super) struct Draft<'a> {
    pub(super) folder: &'a Path,
    pub(super) output: &'a Output,
    /// What of it was decoded while it was made.
    pub(super) proven: Vec<String>,
}

/// What the second look found.
struct Verified {
    kind: RenditionKind,
    content_type: &'static str,
    width: Option<u32>,
    height: Option<u32>,
    duration_ms: Option<u64>,
    codecs: Option<String>,
    rank: i32,
    /// Of an output that can be cut into segments.
    movie: Option<Arc<Movie>>,
    details: Option<Details>,
}

/// # Errors
/// `Failed` and not retryable when the output is no good; else why it could not be published.
pub(super) async fn publish(
    work: &Work,
    source: &MediaInfo,
    grid: &SegmentGrid,
    expected: &Expected,
    draft: Draft<'_>,
) -> Result<(), Halt> {
    if draft.output.file != expected.file {
        return Err(refused(expected, "it has another file name than planned"));
    }
    let (file, size) = open(&draft.folder.join(&expected.file), expected)?;
    let mut verified = match expected.what {
        Kind::Extra(extra) => {
            let seen = extras::verify(source, &file, size, expected, extra, draft.output);
            verified_extra(seen.map_err(|why| refused(expected, why))?)
        }
        Kind::Rung { .. } | Kind::Audio { .. } => {
            traced(step!("verify"), verify_media(work, (source, grid), &file, size, expected, draft)).await?
        }
    };
    let timeline = &work.tasks.timeline;
    timeline.task("proven", &expected.name, None);
    let key = work.key(&work.object_name(&expected.file));
    let storing = store::store_file(work, &key, rewound(file)?, size);
    let etag = traced(step!("store", reelgate.size_bytes = size), storing).await?;
    timeline.task("stored", &expected.name, None);
    let mut objects = vec![key];
    let movie = verified.movie.take();
    let mut rendition = rendition(work, expected, verified, size, etag);
    if let Some(movie) = movie {
        objects.extend(traced(step!("package"), packaging::package(work, &mut rendition, movie, grid)).await?);
    }
    publish::publish(work, &rendition, &objects).await?;
    timeline.task("published", &expected.name, None);
    Ok(())
}

fn refused(expected: &Expected, why: &str) -> Halt {
    Halt::failed("output_refused", format!("The output {} was refused: {why}.", expected.name), false)
}

pub(super) fn open(path: &Path, expected: &Expected) -> Result<(File, u64), Halt> {
    open_plain(path).ok_or_else(|| refused(expected, "it is empty or no file"))
}

/// Only a plain file with something in it: the child might have put a link there, or a pipe that never answers.
pub(super) fn open_plain(path: &Path) -> Option<(File, u64)> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = File::options().read(true).custom_flags(i32::try_from(flags.bits()).ok()?).open(path).ok()?;
    let meta = file.metadata().ok()?;
    (meta.is_file() && meta.len() > 0).then_some((file, meta.len()))
}

fn rewound(mut file: File) -> Result<File, Halt> {
    file.rewind().map_err(|error| Halt::disk(&error))?;
    Ok(file)
}

fn verified_extra(seen: Seen) -> Verified {
    Verified {
        kind: seen.kind,
        content_type: seen.content_type,
        width: seen.size.map(|(width, _)| width),
        height: seen.size.map(|(_, height)| height),
        duration_ms: None,
        codecs: None,
        rank: -1,
        movie: None,
        details: seen.details,
    }
}

async fn verify_media(
    work: &Work,
    (source, grid): (&MediaInfo, &SegmentGrid),
    file: &File,
    size: u64,
    expected: &Expected,
    Draft { folder, output, proven }: Draft<'_>,
) -> Result<Verified, Halt> {
    let movie = read_movie(file, size).map_err(|why| refused(expected, why))?;
    let second = file.try_clone().map_err(|error| Halt::disk(&error))?;
    // What could not be copied is made again under the same name, elsewhere.
    let made_in = folder.file_name().unwrap_or_default().to_string_lossy();
    let beside = format!("verify-{made_in}-{}", expected.name);
    let worker = &work.config.worker;
    let whole = worker.proof == Proof::Whole;
    let request = Request::Verify { whole, threads: worker.task_threads().min(MAX_THREADS), proven };
    let wall = if whole { work.encode_limits(0).wall } else { work.probe_limits().wall };
    let limits = Limits { wall, no_progress: wall, ..work.probe_limits() };
    let seen = match inspect::ask(work, &beside, rewound(second)?, &request, limits).await {
        Err(Halt::Failed(failure)) => {
            return Err(refused(expected, &format!("a player fails on it ({})", failure.code)));
        }
        other => other?,
    };
    let size = match expected.what {
        Kind::Rung { width, height, .. } => Some((width, height)),
        Kind::Audio { .. } | Kind::Extra(_) => None,
    };
    let language = expected.language.as_deref();
    let exhibit = Exhibit { source, grid, movie: &movie, seen: &seen, output, size, language, copied: expected.copied };
    proof::prove(&exhibit).map_err(|flaw| refused(expected, &flaw.to_string()))?;
    let video = seen.video.as_ref();
    let names = codecs(&movie);
    Ok(Verified {
        kind: if video.is_some() { RenditionKind::Video } else { RenditionKind::Audio },
        content_type: if video.is_some() { "video/mp4" } else { "audio/mp4" },
        width: video.map(|video| video.width),
        height: video.map(|video| video.height),
        duration_ms: Some(seen.duration_ms),
        codecs: Some(names).filter(|names| !names.is_empty()),
        rank: rank(expected.what),
        movie: Some(Arc::new(movie)),
        details: None,
    })
}

/// A further language is never played by itself, and sound alone only where there is no picture.
fn rank(what: Kind) -> i32 {
    match what {
        Kind::Rung { rank, .. } => rank,
        Kind::Audio { default: true } => 1,
        Kind::Audio { default: false } | Kind::Extra(_) => -1,
    }
}

/// The output's index; `moov` must precede the media.
pub(super) fn read_movie(file: &File, size: u64) -> Result<Movie, &'static str> {
    const BROKEN: &str = "its boxes cannot be read";
    let read = |from: u64, to: u64| read_at(file, from, to).ok_or(BROKEN);
    let mut walk = TopWalk::new(size);
    while let Some(at) = walk.wanted() {
        let head = read(at, size.min(at + TopWalk::HEADER_BYTES))?;
        walk.feed(&head).map_err(|_| BROKEN)?;
    }
    let place = |kind: &[u8; 4]| walk.boxes().iter().position(|found| found.kind.0 == *kind);
    let (Some(moov), Some(mdat)) = (place(b"moov"), place(b"mdat")) else { return Err("it has no moov or no mdat") };
    if moov > mdat {
        return Err("its moov lies behind the media");
    }
    let moov: TopBox = walk.boxes()[moov];
    if moov.size > MAX_MOOV_BYTES {
        return Err(BROKEN);
    }
    parse_movie(&read(moov.offset, moov.end())?).map_err(|_| BROKEN)
}

fn read_at(file: &File, from: u64, to: u64) -> Option<Vec<u8>> {
    use std::os::unix::fs::FileExt;
    let mut bytes = vec![0; usize::try_from(to.checked_sub(from)?).ok()?];
    file.read_exact_at(&mut bytes, from).ok()?;
    Some(bytes)
}

fn rendition(work: &Work, expected: &Expected, verified: Verified, size: u64, etag: String) -> Rendition {
    let fence = &work.attempt.fence;
    let bitrate = verified.duration_ms.and_then(|ms| size.saturating_mul(8_000).checked_div(ms));
    Rendition {
        file_id: fence.file_id,
        generation: fence.generation,
        attempt: fence.attempt,
        name: expected.name.clone(),
        kind: verified.kind,
        content_type: verified.content_type.to_owned(),
        size_bytes: size,
        width: verified.width,
        height: verified.height,
        bitrate,
        codecs: verified.codecs,
        duration_ms: verified.duration_ms,
        layout: vec![Piece { object: Role::Output(work.object_name(&expected.file)), offset: 0, length: size }],
        etag,
        rank: verified.rank,
        packaging: None,
        details: verified.details,
        earned: false,
        used_at: None,
        created_at: Timestamp::now(),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::expected::Extra, *};
    use crate::process::expected::Copied;

    #[test]
    fn links_and_folders_are_no_outputs() {
        let dir = tempfile::tempdir().unwrap();
        let expected = Expected {
            name: "poster".to_owned(),
            file: "poster.jpg".to_owned(),
            what: Kind::Extra(Extra::Poster),
            language: None,
            copied: Copied::default(),
        };
        let path = dir.path().join("poster.jpg");
        std::os::unix::fs::symlink("/etc/passwd", &path).unwrap();
        assert!(open(&path, &expected).is_err());
        assert!(open(dir.path(), &expected).is_err());
    }
}
