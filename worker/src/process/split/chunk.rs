//! One part of a film: its samples are fetched, a child encodes every rung of it, another decodes what came out, and the pieces are
//! stored. Nothing is published.

use std::{
    collections::HashSet,
    fs::{self, File},
    path::Path,
};

use reelgate_common::{crash, db::PartEnd, media_info::MediaInfo, piece::piece_name, step};
use reelgate_packager::{
    package::{Chunk, chunk_bytes, end_of_last},
    shown_video,
};

use super::{
    super::{ENCODED, PROBED, Work, output, proof, source::Source},
    pictures,
    pieces::{self, PartMade, RungPiece},
    read,
};
use crate::{
    config::Proof,
    halt::Halt,
    live,
    memory::Thrifty,
    plan::split::{CutSource, Split, Splitting},
    spans::traced,
    task::{
        parent::Order,
        protocol::{Event, Request},
        verdict::OUT_OF_MEMORY,
        words::clean_failure,
    },
};

/// # Errors
/// Why it ended early.
pub(in super::super) async fn run(work: &Work) -> Result<(), Halt> {
    let Some(part) = work.attempt.job.part else { return Err(Halt::Stale) };
    // Whoever has given it up has cancelled its parts as well.
    let Some(Splitting::Parts(split)) = work.attempt.split.as_ref().and_then(read) else { return Err(Halt::Stale) };
    let chunk = split.chunks.get(part as usize).copied().ok_or(Halt::Stale)?;
    let media = split.source.seen(work.attempt.file.media.as_ref().ok_or(Halt::Stale)?);
    let source = match &split.source {
        CutSource::Upload => Source::pin(work, &work.attempt.file.source_key).await?,
        CutSource::Output { attempt, name, size } => {
            Source::output(work, &pieces::output_key(work, *attempt, name), Some(*size)).await?
        }
    };
    let excerpt = excerpt(work, &source, &media, &chunk).await?;
    let folder = work.scratch.folder("chunk")?;
    traced(step!("encode"), encode(work, &media, &split, &chunk, (excerpt, &folder))).await?;
    crash::point("chunk-encoded");
    let mut made = PartMade { pieces: Vec::new() };
    for (name, Proven { digests, end }) in traced(step!("verify"), prove(work, &split, &chunk, &folder)).await? {
        let (file, size) = output::open_plain(&folder.join(file_of(&name))).ok_or_else(|| differs(&name))?;
        let object = pieces::store(work, &piece_name(part, &name), file, size).await?;
        made.pieces.push(RungPiece { rung: name, object, end, proven: digests });
    }
    crash::point("chunk-stored");
    finish(work, &made).await
}

fn file_of(rung: &str) -> String {
    format!("{rung}.mp4")
}

fn differs(rung: &str) -> Halt {
    Halt::failed("chunk_differs", format!("A part of {rung} is not what was planned."), false)
}

/// The source, in which only the index and what the chunk is decoded from need be there.
async fn excerpt(work: &Work, source: &Source, media: &MediaInfo, chunk: &Chunk) -> Result<File, Halt> {
    if let Some(file) = source.local(work).await? {
        return Ok(file);
    }
    let index = work.kept_index.of(work, source).await?.ok_or_else(|| differs("the source"))?;
    let track = pictures(&index.movie, media).ok_or_else(|| differs("the source"))?;
    let file = work.scratch_file("excerpt")?;
    file.set_len(source.size()).map_err(|error| Halt::disk(&error))?;
    let samples = chunk_bytes(track, chunk.first, chunk.samples);
    index.copy(work, source, &file).await?;
    for range in samples {
        source.copy(work, range.start..range.end.min(source.size()), &file).await?;
    }
    File::open(work.scratch.path().join("excerpt")).map_err(|error| Halt::disk(&error))
}

async fn encode(
    work: &Work,
    media: &MediaInfo,
    split: &Split,
    chunk: &Chunk,
    (source, folder): (File, &Path),
) -> Result<(), Halt> {
    let Thrifty { plan, threads, memory_bytes } = work.thrifty(media, split.plan.clone());
    if plan.rungs.len() < split.plan.rungs.len() {
        return Err(Halt::failed(OUT_OF_MEMORY, "A part of the film needs more memory than there is.", true));
    }
    let (chunk, timescale) = (*chunk, split.timescale);
    let request = Request::Chunk { media: media.clone(), plan, chunk, timescale, threads };
    let order = Order {
        request: &request,
        source,
        folder,
        scratch: work.scratch.clone(),
        limits: work.encode_limits(memory_bytes),
        progress: Some(work.progress.part(PROBED, ENCODED)),
    };
    let mut open: HashSet<&str> = split.plan.rungs.iter().map(|rung| rung.name.as_str()).collect();
    let mut task = work.tasks.start(order, &work.children).await.map_err(|error| Halt::disk(&error))?;
    while let Some(event) = task.next().await? {
        match event {
            Event::Output(output) => {
                open.remove(output.name.as_str());
            }
            // A rung that cannot be made here is refused with its reason where the film is made whole.
            Event::Refused { failure, .. } => return Err(clean_failure(failure).into()),
            _ => {}
        }
    }
    match open.into_iter().next() {
        Some(name) => Err(differs(name)),
        None => Ok(()),
    }
}

/// What is known of a rung of which every picture was decoded.
struct Proven {
    /// Of the packets that a look at the whole rung would decode again.
    digests: Vec<String>,
    /// `RungPiece::end`.
    end: i64,
}

/// Decodes every picture of every rung.
async fn prove(work: &Work, split: &Split, chunk: &Chunk, from: &Path) -> Result<Vec<(String, Proven)>, Halt> {
    let names: Vec<String> = split.plan.rungs.iter().map(|rung| rung.name.clone()).collect();
    let folder = work.scratch.folder("look")?;
    for name in &names {
        // A link: whoever made it has ended.
        fs::hard_link(from.join(file_of(name)), folder.join(file_of(name))).map_err(|_| differs(name))?;
    }
    let mut seen = work.decoded(&folder, names.iter().map(|name| file_of(name)).collect()).await?;
    let mut all = Vec::new();
    for name in names {
        let found = seen.iter().position(|(excerpt, _)| *excerpt == file_of(&name)).ok_or_else(|| differs(&name))?;
        let (_, proven) = seen.swap_remove(found);
        if proven.len() != chunk.pictures as usize {
            return Err(differs(&name));
        }
        let proven = summed_up(work, (split, chunk), &folder.join(file_of(&name)), proven);
        all.push((name.clone(), proven.ok_or_else(|| differs(&name))?));
    }
    Ok(all)
}

/// Of the whole rung key frames are decoded, and all of its beginning and its end.
fn summed_up(work: &Work, (split, chunk): (&Split, &Chunk), path: &Path, proven: Vec<String>) -> Option<Proven> {
    let all = work.config.worker.proof == Proof::Whole || chunk.first == 1 || chunk.to.is_none();
    let (file, size) = output::open_plain(path)?;
    let movie = output::read_movie(&file, size).ok()?;
    let track = shown_video(&movie)?;
    if track.sample_count() as usize != proven.len() {
        return None;
    }
    let key = |number: u32| track.tables.sync.as_ref().is_none_or(|keys| keys.binary_search(&number).is_ok());
    let wanted = (1..).zip(proven).filter(|(number, _)| all || key(*number));
    let end = proof::rescale(end_of_last(track)?, track.timescale, split.timescale);
    Some(Proven { digests: wanted.map(|(_, digest)| digest).collect(), end })
}

async fn finish(work: &Work, made: &PartMade) -> Result<(), Halt> {
    let (db, fence) = (&work.backends.db, &work.attempt.fence);
    let made = serde_json::to_value(made).unwrap_or_default();
    let written = work.patience.keep_trying("finishing a part", || db.finish_part(fence, &made, (PROBED, ENCODED)));
    match written.await? {
        PartEnd::Written { progress, due } => {
            crash::point("chunk-finished");
            pieces::announce(work, due).await;
            let file = &work.attempt.file;
            live::tell_once(file.org_id.clone(), file.id, progress, work.backends.queue.signals()).await;
            Ok(())
        }
        PartEnd::Stale => Err(Halt::Stale),
    }
}
