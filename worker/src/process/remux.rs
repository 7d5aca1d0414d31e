//! The copied rung: a child puts the source's pictures into an MP4, and its index tells whether it can be cut. Only then it is
//! published, and its clean entries become the file's grid.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use reelgate_common::{grid::SegmentGrid, media_info::MediaInfo, step};
use reelgate_packager::judge;

use super::{
    PROBED, Work,
    expected::{Copied, Expected, Kind},
    inspect::Inspected,
    judgement,
    output::{self, Draft},
    record,
    source::Source,
};
use crate::{
    halt::{Halt, is_lack},
    memory,
    plan::{self, AudioStep, Plan, Rung, SoundStep},
    spans::traced,
    task::{
        parent::Order,
        protocol::{Output, Request, SOUND_FILE},
    },
};

/// How far an attempt is when its copied rung is published.
const REMUXED: f64 = 0.1;
/// Of the attempt's.
const FOLDER: &str = "remux";

/// Publishes the plan's copied rung, or changes the plan so that it is encoded. Gives whether something was published.
///
/// # Errors
/// The task cannot be run, the fence does not hold, or a service stays away. A source that cannot be copied is no error.
pub(super) async fn publish(
    work: &Work,
    source: &Source,
    inspected: &Inspected,
    plan: &mut Plan,
) -> Result<bool, Halt> {
    let Some(rung) = plan.remuxed().filter(|rung| !work.has(&rung.name)) else { return Ok(false) };
    let (name, expected) = (rung.name.clone(), expected(plan, rung));
    let folder = work.scratch.folder(FOLDER)?;
    let copying = copy(work, source, inspected, plan, &folder, &expected);
    let copied = traced(step!("remux", reelgate.rendition = name.as_str()), copying).await;
    // Room for what is encoded; a copy is as large as its source.
    fs::remove_file(folder.join(&expected.file)).ok();
    let Err(why) = copied? else { return Ok(true) };
    // Made for a plan that is no more.
    fs::remove_file(folder.join(SOUND_FILE)).ok();
    tracing::info!(file.id = %work.attempt.file.id, name, why, "the source cannot be copied and is encoded");
    *plan = encoding_plan(work, inspected, &name, why);
    record(work, inspected, plan).await?;
    Ok(false)
}

/// The inner error says why the source cannot be copied.
async fn copy(
    work: &Work,
    source: &Source,
    inspected: &Inspected,
    plan: &mut Plan,
    folder: &Path,
    expected: &Expected,
) -> Result<Result<(), String>, Halt> {
    let output = match made(work, source, &inspected.media, plan, folder).await {
        // Whatever copying stumbles over, decoding may not; but a full disk is full for both.
        Err(Halt::Failed(failure)) if !is_lack(&failure) => return Ok(Err(failure.message)),
        other => other?,
    };
    match grid_of(&folder.join(&expected.file), expected) {
        Ok(grid) => plan.grid = grid,
        Err(why) => return Ok(Err(why)),
    }
    // Before the rung can be seen, so that another attempt finds the grid that it is cut at.
    record(work, inspected, plan).await?;
    let draft = Draft { folder, output: &output, proven: Vec::new() };
    match output::publish(work, &inspected.media, &plan.grid, expected, draft).await {
        Err(Halt::Failed(failure)) if !failure.retryable => Ok(Err(failure.message)),
        other => other.map(Ok),
    }
}

/// What an earlier attempt has copied stays as it is: its grid holds, and its sound is no proof for ours.
pub(super) fn resume(work: &Work, media: &MediaInfo, plan: &mut Plan) {
    if plan.remuxed().is_some_and(|rung| work.has(&rung.name))
        && let Some(grid) = &work.attempt.file.grid
    {
        plan.grid = grid.clone();
        plan.audio = plan::plan(&encoded_media(media), grid.clone(), &work.config.ladder).audio;
    }
}

/// Has the plan take the sound that was encoded for the copied rung, where it was.
pub(super) fn lend(work: &Work, plan: &mut Plan) {
    if output::open_plain(&lent(work)).is_none() {
        return;
    }
    for step in plan.audio.iter_mut().filter(|step| step.default && !step.alone) {
        // Its loudness is what it shall be.
        (step.step, step.loudness) = (SoundStep::Lent, None);
    }
}

/// Whether the step takes it.
pub(super) fn has_lent(work: &Work, step: &AudioStep) -> bool {
    step.step == SoundStep::Lent && output::open_plain(&lent(work)).is_some()
}

/// Lays it where a task finds it.
pub(super) fn lay(work: &Work, folder: &Path) -> io::Result<()> {
    fs::hard_link(lent(work), folder.join(SOUND_FILE))
}

/// Where it lies.
pub(super) fn lent(work: &Work) -> PathBuf {
    work.scratch.path().join(FOLDER).join(SOUND_FILE)
}

fn encoding_plan(work: &Work, inspected: &Inspected, name: &str, why: String) -> Plan {
    let media = encoded_media(&inspected.media);
    let mut plan = plan::plan(&media, judgement::REGULAR, &work.config.ladder).earning(&work.config.earned);
    plan.explain(format!("{name} is not copied but encoded"), why);
    plan
}

/// The same source as if nothing of it could be copied.
fn encoded_media(media: &MediaInfo) -> MediaInfo {
    let mut media = media.clone();
    media.video.iter_mut().for_each(|video| video.copyable = false);
    media.audio.iter_mut().for_each(|audio| audio.copyable = false);
    media
}

fn expected(plan: &Plan, rung: &Rung) -> Expected {
    Expected {
        name: rung.name.clone(),
        file: format!("{}.mp4", rung.name),
        what: Kind::Rung { width: rung.width, height: rung.height, rank: plan.rank(rung) },
        language: plan.main_audio().and_then(|step| step.language.clone()),
        copied: Copied { pictures: true, sound: true },
    }
}

/// Has the plan's copied rung made in `folder`, and no more.
///
/// # Errors
/// As the task says.
pub(super) async fn made(
    work: &Work,
    source: &Source,
    media: &MediaInfo,
    plan: &Plan,
    folder: &Path,
) -> Result<Output, Halt> {
    let order = Order {
        request: &Request::Remux { media: media.clone(), plan: plan.clone() },
        source: source.whole(work).await?,
        folder,
        scratch: work.scratch.clone(),
        limits: work.encode_limits(memory::COPY),
        progress: Some(work.progress.part(PROBED, REMUXED)),
    };
    work.output_of(order).await
}

/// The grid of what was made, or why it cannot be cut.
fn grid_of(path: &Path, expected: &Expected) -> Result<SegmentGrid, String> {
    let unreadable = || "its index cannot be read.".to_owned();
    let (file, size) = output::open(path, expected).map_err(|_| unreadable())?;
    let movie = output::read_movie(&file, size).map_err(|_| unreadable())?;
    let safety = judge(&movie, size);
    if let Some(reason) = safety.reasons.into_iter().next() {
        return Err(reason.message);
    }
    judgement::grid_of(&movie).ok_or_else(unreadable)
}
