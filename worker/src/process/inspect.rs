//! Looking at a source: as little of it as will do is fetched, a child probes it, and the index of an MP4 or MOV is read.

use std::{fs::File, sync::Arc};

use reelgate_common::{file::FileKind, grid::SegmentGrid, media_info::MediaInfo};
use reelgate_packager::{MAX_MOOV_BYTES, TopBox, TopWalk, parse_movie};

use super::{
    Work,
    judgement::{Index, judge_source},
    source::Source,
};
use crate::{
    halt::Halt,
    task::{
        limits::Limits,
        parent::Order,
        protocol::{Event, Request},
    },
};

/// Of an `mdat`: enough for the first frames, which tell more than the index.
const MDAT_HEAD: u64 = 2 << 20;
/// The same where the streams are known.
const MEDIA_HEAD: u64 = 256 << 10;
/// Of other containers: what libav reads at most to find the streams, and where some keep their index.
const OTHER_HEAD: u64 = 16 << 20;
const OTHER_TAIL: u64 = 1 << 20;
/// A source up to this size is fetched whole at once.
const SMALL: u64 = 24 << 20;
/// With more boxes than this the walk costs more than it saves.
const MAX_WALK: usize = 512;
/// Boxes besides `mdat` that are fetched.
const MAX_INDEX: u64 = 512 << 20;

/// What is known of a source.
#[derive(Debug)]
pub(super) struct Inspected {
    pub(super) media: MediaInfo,
    pub(super) kind: FileKind,
    pub(super) content_type: String,
    pub(super) grid: SegmentGrid,
    /// Of an MP4 or MOV that could be read.
    pub(super) index: Option<Index>,
}

/// # Errors
/// Nothing in it can be decoded, or why it could not be looked at.
pub(super) async fn inspect(work: &Work, source: &Source) -> Result<Inspected, Halt> {
    let walked = walk(work, source).await?;
    let mut media = probe(work, source, walked.as_deref()).await?;
    if media.video.is_none() && media.audio.is_empty() {
        return Err(Halt::failed("not_media", "The file holds no video and no audio that can be played.", false));
    }
    let index = match walked {
        Some(boxes) => read_index(work, source, boxes).await?,
        None => None,
    };
    let grid = judge_source(&mut media, index.as_ref(), source.size());
    let kind = if media.video.is_some() { FileKind::Video } else { FileKind::Audio };
    let content_type = content_type(&work.attempt.file.content_type, kind, &media.container);
    Ok(Inspected { media, kind, content_type, grid, index })
}

/// The index of an MP4 or MOV, if it can be read.
///
/// # Errors
/// The source has changed or the store stays away.
pub(super) async fn index(work: &Work, source: &Source) -> Result<Option<Index>, Halt> {
    match walk(work, source).await? {
        Some(boxes) => read_index(work, source, boxes).await,
        None => Ok(None),
    }
}

/// The top level of an MP4 or MOV; nothing for other containers, and for such that cannot be walked cheaply.
async fn walk(work: &Work, source: &Source) -> Result<Option<Vec<TopBox>>, Halt> {
    let mut walk = TopWalk::new(source.size());
    while let Some(at) = walk.wanted() {
        let end = source.size().min(at.saturating_add(TopWalk::HEADER_BYTES));
        let head = source.read(work, at..end).await?;
        if at == 0 && !begins_as_mp4(&head) {
            return Ok(None);
        }
        match walk.feed(&head) {
            // Fragments and endless lists of boxes are probed from the front like any other container.
            Ok(found) if found.kind.0 == *b"moof" || walk.boxes().len() > MAX_WALK => {
                return Ok(Some(walk.into_boxes()));
            }
            Ok(_) => {}
            Err(_) => return Ok(None),
        }
    }
    Ok(Some(walk.into_boxes()))
}

fn begins_as_mp4(head: &[u8]) -> bool {
    let known: [&[u8]; 8] = [b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot", b"styp"];
    head.get(4..8).is_some_and(|kind| known.contains(&kind))
}

async fn probe(work: &Work, source: &Source, boxes: Option<&[TopBox]>) -> Result<MediaInfo, Halt> {
    if let Some(file) = source.local(work).await? {
        return ask(work, "probe", file, &Request::Probe, work.probe_limits()).await;
    }
    if source.size() <= SMALL {
        return ask(work, "probe", source.whole(work).await?, &Request::Probe, work.probe_limits()).await;
    }
    let excerpt = excerpt(work, source, boxes).await?;
    match ask(work, "probe", excerpt, &Request::Probe, work.probe_limits()).await {
        // What it said about the holes says nothing about the file.
        Err(Halt::Failed(failure)) => {
            tracing::info!(file.id = %work.attempt.file.id, code = %failure.code, "probing by range failed; the whole is fetched");
            ask(work, "probe-whole", source.whole(work).await?, &Request::Probe, work.probe_limits()).await
        }
        outcome => outcome,
    }
}

/// A file of the source's size in which only what a probe needs is not a hole.
async fn excerpt(work: &Work, source: &Source, boxes: Option<&[TopBox]>) -> Result<File, Halt> {
    let file = work.scratch_file("excerpt")?;
    file.set_len(source.size()).map_err(|error| Halt::disk(&error))?;
    for range in wanted_ranges(boxes, source.size()) {
        source.copy(work, range, &file).await?;
    }
    Ok(file)
}

fn wanted_ranges(boxes: Option<&[TopBox]>, size: u64) -> Vec<std::ops::Range<u64>> {
    if let Some(boxes) = boxes
        && boxes.last().is_some_and(|last| last.end() + 8 > size)
    {
        let ranges: Vec<_> = boxes.iter().map(wanted_range).collect();
        if ranges.iter().map(|range| range.end - range.start).sum::<u64>() <= MAX_INDEX {
            return ranges;
        }
    }
    let head = OTHER_HEAD.min(size);
    vec![0..head, size.saturating_sub(OTHER_TAIL).max(head)..size]
}

/// Everything but the media, and a little of its beginning, for whoever opens the file to see a first frame.
pub(super) fn outside_media(boxes: &[TopBox]) -> Vec<std::ops::Range<u64>> {
    boxes.iter().map(|found| range_of(found, MEDIA_HEAD)).collect()
}

fn wanted_range(found: &TopBox) -> std::ops::Range<u64> {
    range_of(found, MDAT_HEAD)
}

fn range_of(found: &TopBox, of_media: u64) -> std::ops::Range<u64> {
    let wanted = match &found.kind.0 {
        b"mdat" => found.size.min(of_media),
        b"free" | b"skip" | b"wide" => found.header_len,
        _ => found.size,
    };
    found.offset..found.offset + wanted
}

/// Starts a task that answers with a `MediaInfo`.
pub(super) async fn ask(
    work: &Work,
    folder: &str,
    source: File,
    request: &Request,
    limits: Limits,
) -> Result<MediaInfo, Halt> {
    let folder = work.scratch.folder(folder)?;
    let order = Order { request, source, folder: &folder, scratch: work.scratch.clone(), limits, progress: None };
    let mut task = work.tasks.start(order, &work.children).await.map_err(|error| Halt::disk(&error))?;
    let mut found = None;
    while let Some(event) = task.next().await? {
        if let Event::Probed { media } = event {
            found = Some(media);
        }
    }
    found.ok_or_else(|| Halt::failed("task_crashed", "The task said nothing about the file.", true))
}

async fn read_index(work: &Work, source: &Source, boxes: Vec<TopBox>) -> Result<Option<Index>, Halt> {
    let find = |kind: &[u8; 4]| boxes.iter().find(|found| found.kind.0 == *kind).copied();
    let Some(moov) = find(b"moov").filter(|moov| moov.size <= MAX_MOOV_BYTES) else { return Ok(None) };
    let ftyp = find(b"ftyp").filter(|ftyp| ftyp.size <= 4096);
    let ftyp = match ftyp {
        Some(ftyp) => source.read(work, ftyp.offset..ftyp.end()).await?,
        None => Vec::new(),
    };
    let moov = source.read(work, moov.offset..moov.end()).await?;
    Ok(match parse_movie(&moov) {
        Ok(movie) => Some(Index { boxes, ftyp, moov, movie: Arc::new(movie) }),
        Err(error) => {
            tracing::info!(file.id = %work.attempt.file.id, %error, "the index cannot be read; the source is only re-encoded");
            None
        }
    })
}

/// The sniffed type, unless it says less or other than the probe.
fn content_type(sniffed: &str, kind: FileKind, container: &str) -> String {
    let wanted = match kind {
        FileKind::Audio => "audio/",
        _ => "video/",
    };
    if sniffed.starts_with(wanted) {
        return sniffed.to_owned();
    }
    let subtype = match container {
        "mov" => "mp4",
        "matroska" => "x-matroska",
        "mpegts" => "mp2t",
        "mpeg" | "mpegvideo" | "mp3" => "mpeg",
        "avi" => "x-msvideo",
        "flv" => "x-flv",
        "asf" => "x-ms-asf",
        "ogg" => "ogg",
        "wav" => "wav",
        "aac" => "aac",
        "flac" => "flac",
        _ => return "application/octet-stream".to_owned(),
    };
    format!("{wanted}{subtype}")
}

#[cfg(test)]
mod tests {
    use reelgate_packager::FourCc;

    use super::*;

    fn top(kind: &[u8; 4], offset: u64, size: u64) -> TopBox {
        TopBox { kind: FourCc(*kind), offset, header_len: 8, size }
    }

    #[test]
    fn of_a_large_mp4_only_the_index_and_the_first_media_are_fetched() {
        let boxes = [top(b"ftyp", 0, 32), top(b"free", 32, 1 << 20), top(b"mdat", 1_048_608, 900 << 20)];
        let moov = top(b"moov", boxes[2].end(), 700_000);
        let all = [boxes[0], boxes[1], boxes[2], moov];
        let ranges = wanted_ranges(Some(&all), moov.end());
        let fetched: u64 = ranges.iter().map(|range| range.end - range.start).sum();
        assert_eq!(fetched, 32 + 8 + MDAT_HEAD + 700_000);
        assert_eq!(ranges[3], moov.offset..moov.end());
    }

    #[test]
    fn of_a_walk_that_was_given_up_head_and_tail_are_fetched() {
        let size = 900 << 20;
        let ranges = wanted_ranges(Some(&[top(b"ftyp", 0, 32), top(b"moof", 32, 500)]), size);
        assert_eq!(ranges, [0..OTHER_HEAD, size - OTHER_TAIL..size]);
        assert_eq!(wanted_ranges(None, 100), [0..100, 100..100]);
    }

    #[test]
    fn the_type_follows_the_probe() {
        assert_eq!(content_type("video/quicktime", FileKind::Video, "mov"), "video/quicktime");
        assert_eq!(content_type("video/mp4", FileKind::Audio, "mov"), "audio/mp4");
        assert_eq!(content_type("text/html", FileKind::Video, "matroska"), "video/x-matroska");
        assert_eq!(content_type("text/html", FileKind::Video, "new"), "application/octet-stream");
    }
}
