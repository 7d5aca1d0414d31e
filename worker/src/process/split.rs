//! Films that are encoded in parts by all workers together. The film's own job decides it, writes down how, makes what is not made in
//! parts, and leaves (`run`); each part is a job of its own (`chunk`); with the last of them the film's job runs again and puts the
//! pieces together (`assembly`). Whatever goes wrong with parts that another run would not mend, the film is made whole.

pub(super) mod assembly;
mod bridge;
pub(super) mod chunk;
mod kept_index;
mod pieces;

use reelgate_common::{
    db::{Fenced, Parked, Part, SplitFilm},
    job::JobState,
    media_info::MediaInfo,
    piece::SOUND_PIECE,
};
use reelgate_packager::{
    Movie, Track, TrackKind,
    package::{Wish, chunks},
    sounding_audio,
};
use serde::{Deserialize, Serialize};

pub(crate) use self::kept_index::KeptIndex;
use self::pieces::Stored;
use super::{
    Work,
    encode::{self, Made},
    inspect::Inspected,
    output, packaging, proof, remux,
    source::Source,
};
use crate::{
    halt::Halt,
    plan::{
        AudioStep, Plan, Rung,
        split::{Split, Splitting, divided, explained, wants_parts},
    },
    task::protocol::SOUND_FILE,
};

const NO_INDEX: &str = "it has no index to cut it by";
/// Pictures that a deinterlacer looks at on either side.
const NEIGHBOURS: u32 = 2;

/// What the film's own job has made for the rungs that are put together later.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Kept {
    sound: Option<Stored>,
    /// As it was made in the end.
    audio: Vec<AudioStep>,
}

/// How the film of this attempt is divided, if it is: as an earlier attempt has decided, else as this one does. The plan says so.
///
/// # Errors
/// The fence does not hold, or the database stays away.
pub(super) async fn decide(
    work: &Work,
    source: &Source,
    inspected: &Inspected,
    missing: &Plan,
    plan: &mut Plan,
) -> Result<Option<Split>, Halt> {
    let decided = match begun(work) {
        Some(Ok(split)) => Ok(split),
        Some(Err(why)) => {
            give_up(work, &why).await?;
            Err(why)
        }
        None => divide(work, source, inspected, missing, plan.remuxed()).await?,
    };
    let choice = explained(&decided);
    plan.explain(choice.what, choice.why);
    Ok(decided.ok())
}

/// What earlier attempts have decided; the inner error says why they, or their parts, have given it up.
fn begun(work: &Work) -> Option<Result<Split, String>> {
    let film = work.attempt.split.as_ref()?;
    if let Some(part) = film.parts.iter().find(|part| part.state == JobState::Dead) {
        let why = part.error.as_deref().unwrap_or("it was lost too often");
        return Some(Err(format!("part {} could not be made: {why}", part.number + 1)));
    }
    Some(match read(film) {
        Some(Splitting::Parts(split)) => Ok(split),
        Some(Splitting::GivenUp { why }) => Err(why),
        None => Err("another version of the worker has begun it".to_owned()),
    })
}

fn read(film: &SplitFilm) -> Option<Splitting> {
    serde_json::from_value(film.split.clone()).ok()
}

async fn divide(
    work: &Work,
    source: &Source,
    inspected: &Inspected,
    missing: &Plan,
    copied: Option<&Rung>,
) -> Result<Result<Split, String>, Halt> {
    let (media, policy) = (&inspected.media, &work.config.split);
    let (plan, _) = divided(missing);
    if plan.rungs.is_empty() {
        return Ok(Err("its rungs are made by its own job".to_owned()));
    }
    let (db, lane) = (&work.backends.db, work.backends.db.lanes().of_chunks());
    let slots = work.patience.keep_trying("counting workers", || db.worker_slots()).await?;
    if let Err(why) = wants_parts(media, &plan, policy, slots.of(lane)) {
        return Ok(Err(why));
    }
    let (source, movie) = match bridge::indexed(work, source, inspected, copied).await? {
        Ok(found) => found,
        Err(why) => return Ok(Err(why)),
    };
    let (media, seconds) = (source.seen(media), policy.chunk_seconds);
    let points = packaging::points(&plan.grid, media.duration_ms);
    let cut = move || cut(&movie, &media, points, seconds);
    let cut = tokio::task::spawn_blocking(cut).await.unwrap_or_else(|_| Err("its index is too odd".to_owned()));
    Ok(cut.map(|(chunks, timescale)| Split { plan, chunks, timescale, source }))
}

fn context(media: &MediaInfo) -> u32 {
    if media.video.as_ref().is_some_and(|video| video.interlaced) { NEIGHBOURS } else { 0 }
}

/// The track that the child decodes. It counts them as the index does; of several it takes the best.
fn pictures<'a>(movie: &'a Movie, media: &MediaInfo) -> Option<&'a Track> {
    let stream = usize::try_from(media.video.as_ref()?.stream).ok()?;
    movie.tracks.get(stream).filter(|track| track.kind == TrackKind::Video && !movie.fragmented)
}

fn cut(
    movie: &Movie,
    media: &MediaInfo,
    (points, timescale): (Vec<i64>, u32),
    seconds: u32,
) -> Result<(Vec<reelgate_packager::package::Chunk>, u32), String> {
    let track = pictures(movie, media).ok_or_else(|| NO_INDEX.to_owned())?;
    let points: Vec<i64> = points.into_iter().map(|at| proof::rescale(at, timescale, track.timescale)).collect();
    let longest = i64::from(track.timescale) * i64::from(seconds);
    let chunks = chunks(track, &Wish { points: &points, longest, context: context(media) }).map_err(str::to_owned)?;
    // The film's zero is that of what begins first; only where that is the presentation's own do the index's times hold.
    let begins = chunks.first().is_some_and(|first| first.from == 0)
        || sounding_audio(movie).any(|sound: &Track| sound.presentation_shift() <= 0);
    if begins { Ok((chunks, track.timescale)) } else { Err("it begins late".to_owned()) }
}

/// Has the parts made by whoever claims them, and makes the rest meanwhile.
///
/// # Errors
/// As `encode`.
pub(super) async fn run(
    work: &Work,
    source: &Source,
    media: &MediaInfo,
    missing: Plan,
    split: &Split,
) -> Result<Made, Halt> {
    let (db, fence) = (&work.backends.db, &work.attempt.fence);
    let how = serde_json::to_value(Splitting::Parts(split.clone())).unwrap_or_default();
    let parts = u32::try_from(split.chunks.len()).unwrap_or(u32::MAX);
    let due = work.patience.keep_trying("dividing a film", || db.split_job(fence, &how, parts)).await?;
    pieces::announce(work, due.ok_or(Halt::Stale)?).await;
    reelgate_common::crash::point("split");
    let (_, mut own) = divided(&missing);
    let kept = work.attempt.split.as_ref().and_then(kept).is_some();
    if kept {
        own.audio.retain(|step| step.alone);
    }
    let audio = own.audio.clone();
    let keep_sound = main_sound(&audio).is_some();
    let made = if own.makes_nothing() && !keep_sound {
        Made::default()
    } else {
        encode::encode(work, source, media, own, keep_sound).await?
    };
    if !kept {
        keep(work, audio, &made).await?;
    }
    Ok(made)
}

fn main_sound(audio: &[AudioStep]) -> Option<&AudioStep> {
    audio.iter().find(|step| step.default && !step.alone)
}

/// Stores the rungs' sound and writes it down.
async fn keep(work: &Work, mut audio: Vec<AudioStep>, made: &Made) -> Result<(), Halt> {
    let sound = match main_sound(&audio) {
        Some(step) => {
            let path =
                if remux::has_lent(work, step) { remux::lent(work) } else { encode::folder(work, 0).join(SOUND_FILE) };
            let (file, size) = output::open_plain(&path)
                .ok_or_else(|| Halt::failed("output_missing", "The task ended without the sound.", true))?;
            Some(pieces::store(work, SOUND_PIECE, file, size).await?)
        }
        None => None,
    };
    for (name, flaw) in &made.settled {
        audio
            .iter_mut()
            .filter(|step| step.name == *name)
            .for_each(|step| step.step = step.step.settled(flaw.is_none()));
    }
    let kept = serde_json::to_value(Kept { sound, audio }).unwrap_or_default();
    let (db, fence) = (&work.backends.db, &work.attempt.fence);
    match work.patience.keep_trying("keeping the sound", || db.keep_made(fence, &kept)).await? {
        Fenced::Written => Ok(()),
        Fenced::Stale => Err(Halt::Stale),
    }
}

/// Leaves the film to its parts; whether any is left.
///
/// # Errors
/// The fence does not hold, or the database stays away.
pub(super) async fn park(work: &Work) -> Result<bool, Halt> {
    let (db, fence) = (&work.backends.db, &work.attempt.fence);
    match work.patience.keep_trying("leaving a film to its parts", || db.park_job(fence)).await? {
        Parked::Waits => Ok(true),
        Parked::Over => Ok(false),
        Parked::Stale => Err(Halt::Stale),
    }
}

/// The film is made whole from now on; its pieces are litter.
async fn give_up(work: &Work, why: &str) -> Result<(), Halt> {
    tracing::warn!(file.id = %work.attempt.file.id, why, "a film is not encoded in parts after all");
    let how = serde_json::to_value(Splitting::GivenUp { why: why.to_owned() }).unwrap_or_default();
    let (db, fence) = (&work.backends.db, &work.attempt.fence);
    match work.patience.keep_trying("giving up parts", || db.unsplit_job(fence, &how)).await? {
        Fenced::Written => {
            let film = work.attempt.split.as_ref();
            film.map_or(&[][..], |film| &film.parts).iter().for_each(|part| pieces::discard(work, part));
            film.and_then(kept).and_then(|kept| kept.sound).iter().for_each(|sound| pieces::litter(work, sound));
            if let Some(Splitting::Parts(split)) = film.and_then(read) {
                bridge::discard(work, &split);
            }
            Ok(())
        }
        Fenced::Stale => Err(Halt::Stale),
    }
}

fn kept(film: &SplitFilm) -> Option<Kept> {
    serde_json::from_value(film.kept.clone()?).ok()
}

/// Whether all parts are made, and all else: only putting together is left.
pub(super) fn ready(work: &Work) -> Option<assembly::Pieces<'_>> {
    let film = work.attempt.split.as_ref()?;
    let Some(Splitting::Parts(split)) = read(film) else { return None };
    let kept = kept(film)?;
    let done = |part: &Part| part.state == JobState::Done && part.made.is_some();
    let complete = film.parts.iter().filter(|part| done(part)).count() == split.chunks.len();
    complete.then_some(assembly::Pieces { split, kept, parts: &film.parts })
}
