//! Putting a film together: of each rung the pieces are fetched, a child joins them with the sound, and what comes out is proven and
//! published like any other output.

use std::{fs, path::Path};

use futures_util::{StreamExt, TryStreamExt, stream};
use reelgate_common::{crash, db::Part, media_info::MediaInfo, step};

use super::{
    super::{
        ENCODED, Ended, PROBED, Work, encode,
        output::{self, Draft},
    },
    Kept, bridge, give_up,
    pieces::{self, PartMade, RungPiece},
};
use crate::{
    halt::Halt,
    memory,
    plan::{AudioStep, Plan, Rung, SoundStep, split::Split},
    spans::traced,
    task::{
        parent::Order,
        protocol::{Output, Piece, Request, SOUND_FILE},
    },
};

/// Pieces that are fetched at the same time.
const AT_ONCE: usize = 8;

/// All that is to be put together.
pub(in super::super) struct Pieces<'a> {
    pub(super) split: Split,
    pub(super) kept: Kept,
    pub(super) parts: &'a [Part],
}

/// Publishes every rung. Where one cannot be put together as it should be, the film is made whole by the next run.
///
/// # Errors
/// The task cannot be run, the fence does not hold, or a service stays away.
pub(in super::super) async fn run(work: &Work, pieces: Pieces<'_>) -> Result<Ended, Halt> {
    let media = work.attempt.file.media.clone().ok_or(Halt::Stale)?;
    work.progress.advance(ENCODED);
    let plan = Plan { audio: pieces.kept.audio.clone(), ..pieces.split.plan.clone() };
    work.rungs.expect(plan.rungs.iter().map(|rung| rung.name.clone()), (PROBED, ENCODED), media.duration_ms);
    for rung in plan.rungs.iter().filter(|rung| !work.has(&rung.name)) {
        let step = step!("rendition", reelgate.rendition = rung.name.as_str());
        match traced(step, put_together(work, &pieces, &media, &plan, rung)).await {
            Ok(()) => work.rungs.done(&rung.name),
            Err(Halt::Failed(failure)) if !failure.retryable => {
                give_up(work, &format!("{} could not be put together: {}", rung.name, failure.message)).await?;
                return Ok(Ended::Again);
            }
            Err(halt) => return Err(halt),
        }
    }
    super::super::finish(work).await?;
    pieces.parts.iter().for_each(|part| pieces::discard(work, part));
    pieces.kept.sound.iter().for_each(|sound| pieces::litter(work, sound));
    bridge::discard(work, &pieces.split);
    Ok(Ended::Finished)
}

async fn put_together(
    work: &Work,
    pieces: &Pieces<'_>,
    media: &MediaInfo,
    plan: &Plan,
    rung: &Rung,
) -> Result<(), Halt> {
    let folder = work.scratch.folder(&format!("assemble-{}", rung.name))?;
    let expected = encode::expected(media, plan).into_iter().find(|expected| expected.name == rung.name);
    let expected = expected.ok_or(Halt::Stale)?;
    let (files, proven) = fetch(work, pieces, rung, &folder).await?;
    let step = plan.main_audio().filter(|step| rung.audio && !step.alone && pieces.kept.sound.is_some());
    let sound = step.map(|step| AudioStep { step: SoundStep::Lent, loudness: None, ..step.clone() });
    if let Some(stored) = pieces.kept.sound.as_ref().filter(|_| sound.is_some()) {
        pieces::fetch(work, stored, &folder.join(SOUND_FILE)).await?;
    }
    work.tasks.timeline.task("fetched", &rung.name, None);
    let names = files.iter().map(|piece| piece.file.clone()).collect::<Vec<_>>();
    let output = join(work, rung, sound, (files, pieces.split.timescale), &folder).await?;
    // Room for what is to be stored.
    names.iter().for_each(|name| drop(fs::remove_file(folder.join(name))));
    crash::point("assembled");
    let draft = Draft { folder: &folder, output: &output, proven };
    let outcome = output::publish(work, media, &plan.grid, &expected, draft).await;
    fs::remove_dir_all(&folder).ok();
    outcome
}

/// The pieces in their order as files in `folder`, and what is proven of them.
async fn fetch(
    work: &Work,
    pieces: &Pieces<'_>,
    rung: &Rung,
    folder: &Path,
) -> Result<(Vec<Piece>, Vec<String>), Halt> {
    let missing = || Halt::failed("piece_missing", "A part of the film is missing.", false);
    let of_part = |part: &Part| {
        let made = PartMade::of(part)?.pieces.into_iter().find(|piece| piece.rung == rung.name)?;
        let from = pieces.split.chunks.get(part.number as usize)?.from;
        let piece = Piece { file: format!("piece-{}.mp4", part.number), from, end: made.end };
        Some((made, piece))
    };
    let found: Option<Vec<(RungPiece, Piece)>> = pieces.parts.iter().map(of_part).collect();
    let found = found.ok_or_else(missing)?;
    let fetching = found.into_iter().map(|(made, piece)| async move {
        pieces::fetch(work, &made.object, &folder.join(&piece.file)).await?;
        Ok::<_, Halt>((piece, made.proven))
    });
    let fetched: Vec<(Piece, Vec<String>)> = stream::iter(fetching).buffered(AT_ONCE).try_collect().await?;
    let (files, proven): (Vec<Piece>, Vec<Vec<String>>) = fetched.into_iter().unzip();
    Ok((files, proven.concat()))
}

async fn join(
    work: &Work,
    rung: &Rung,
    sound: Option<AudioStep>,
    (pieces, timescale): (Vec<Piece>, u32),
    folder: &Path,
) -> Result<Output, Halt> {
    let request = Request::Assemble { rung: rung.clone(), sound, pieces, timescale };
    let order = Order {
        request: &request,
        source: Work::no_source()?,
        folder,
        scratch: work.scratch.clone(),
        limits: work.encode_limits(memory::COPY),
        progress: None,
    };
    work.output_of(order).await
}
