//! What a film is cut by. A source with an index is cut itself; of one without, the rung that was copied from it, or an MP4 that its
//! pictures are put into for that alone.

use std::sync::Arc;

use reelgate_common::{media_info::MediaInfo, piece::BRIDGE_PIECE};
use reelgate_packager::Movie;

use super::{
    super::{
        Work,
        inspect::{self, Inspected},
        judgement::REGULAR,
        output, remux,
        source::Source,
    },
    NO_INDEX, pieces,
};
use crate::{
    halt::{Halt, is_lack},
    plan::{
        Extras, Plan, Rung, VideoStep,
        split::{CutSource, Split},
    },
};

/// What has an index to be cut by: the source itself, its copied rung, or its pictures put into an MP4 for that.
///
/// # Errors
/// The task cannot be run, or a service stays away; the inner error says why there is nothing to cut.
pub(super) async fn indexed(
    work: &Work,
    source: &Source,
    inspected: &Inspected,
    copied: Option<&Rung>,
) -> Result<Result<(CutSource, Arc<Movie>), String>, Halt> {
    if let Some(index) = inspected.index.as_ref().filter(|index| !index.movie.fragmented) {
        return Ok(Ok((CutSource::Upload, index.movie.clone())));
    }
    let (attempt, name) = match copied {
        Some(rung) => {
            let earlier = work.attempt.published.iter().find(|rendition| rendition.name == rung.name);
            (earlier.map_or(work.attempt.fence.attempt, |rendition| rendition.attempt), format!("{}.mp4", rung.name))
        }
        None => match bridge(work, source, &inspected.media).await? {
            Ok(()) => (work.attempt.fence.attempt, BRIDGE_PIECE.to_owned()),
            Err(why) => return Ok(Err(why)),
        },
    };
    let object = Source::output(work, &pieces::output_key(work, attempt, &name), None).await?;
    let index = inspect::index(work, &object).await?;
    let source = CutSource::Output { attempt, name, size: object.size() };
    Ok(index.map(|index| (source, index.movie)).ok_or_else(|| NO_INDEX.to_owned()))
}

/// Puts the pictures into an MP4 as they are, and stores it; the inner error says why they cannot be.
async fn bridge(work: &Work, source: &Source, media: &MediaInfo) -> Result<Result<(), String>, Halt> {
    let Some(video) = &media.video else { return Ok(Err(NO_INDEX.to_owned())) };
    let folder = work.scratch.folder("bridge")?;
    let name = "bridge".to_owned();
    let (width, height) = (video.width, video.height);
    let rung = Rung { name, width, height, video: VideoStep::Copy, audio: false };
    let plan = Plan {
        quality: None,
        serve_source: false,
        heavy: false,
        rungs: vec![rung],
        earned: Vec::new(),
        audio: Vec::new(),
        first: None,
        extras: Extras::default(),
        constant_rate: None,
        grid: REGULAR,
        reasons: Vec::new(),
    };
    match remux::made(work, source, media, &plan, &folder).await {
        Err(Halt::Failed(failure)) if !is_lack(&failure) => {
            tracing::info!(file.id = %work.attempt.file.id, code = %failure.code, "pictures do not go into an MP4 as they are");
            return Ok(Err(
                "its pictures do not go into an MP4 as they are, so they have no index to cut them by".to_owned()
            ));
        }
        other => other?,
    };
    let Some((file, size)) = output::open_plain(&folder.join("bridge.mp4")) else {
        return Ok(Err(NO_INDEX.to_owned()));
    };
    pieces::store(work, BRIDGE_PIECE, file, size).await?;
    std::fs::remove_dir_all(&folder).ok();
    Ok(Ok(()))
}

/// What was made to be cut, and for nothing else.
pub(super) fn discard(work: &Work, split: &Split) {
    if let CutSource::Output { attempt, name, .. } = &split.source
        && name == BRIDGE_PIECE
    {
        work.litter.object(&pieces::output_key(work, *attempt, name));
    }
}
