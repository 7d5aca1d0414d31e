//! Processing one file, as an ordered list of steps: look, judge, plan, promote, publish the source, encode and publish.
//!
//! Whatever is published stays, so a later attempt makes only what is missing. Every step may be cancelled at any await:
//! dropping the future kills the child, and what lies in the store unpublished is noted in `Litter`.

mod asked;
mod early;
mod earn;
mod encode;
mod expected;
mod extras;
mod image_size;
mod inspect;
mod judgement;
mod output;
mod packaging;
mod passes;
mod proof;
mod publish;
mod quality;
mod remux;
mod source;
mod source_rendition;
mod split;
mod stills;
mod store;
mod untouched;

use std::{sync::Arc, time::Duration};

use reelgate_common::{
    backends::Backends,
    crash,
    db::{Attempt, Fenced, Refusal},
    earned,
    job::JobKind,
    key::Key,
    media_info::{MediaInfo, Reason},
    promote::{Promoted, promote},
    rendition::Rendition,
    step,
};
use tokio_util::task::TaskTracker;
use tracing::Instrument;

pub(crate) use self::split::KeptIndex;
use self::{inspect::Inspected, source::Source};
use crate::{
    config::WorkerConfig,
    halt::Halt,
    heartbeat::Progress,
    litter::Litter,
    live::Rungs,
    memory::{self, Thrifty},
    patience::Patience,
    plan::{Plan, VideoStep, plan},
    scratch::Scratch,
    spans::traced,
    task::{limits::Limits, parent::Tasks, verdict::OUT_OF_MEMORY},
};

/// How far an attempt is when its source has been looked at.
const PROBED: f64 = 0.02;
/// And when all is encoded; what is left is storing and publishing.
const ENCODED: f64 = 0.99;

/// How an attempt ended that did what it had to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    Finished,
    /// The rest is left to jobs of their own.
    Split,
    /// Another run is to go on from here at once.
    Again,
}

/// Everything that the steps share.
pub(crate) struct Work {
    pub(crate) backends: Backends,
    pub(crate) config: Arc<WorkerConfig>,
    pub(crate) tasks: Tasks,
    pub(crate) attempt: Attempt,
    pub(crate) scratch: Arc<Scratch>,
    pub(crate) progress: Progress,
    /// For those who look on.
    pub(crate) rungs: Rungs,
    pub(crate) litter: Litter,
    pub(crate) patience: Patience,
    pub(crate) kept_index: KeptIndex,
    /// Counts children until they are reaped.
    pub(crate) children: TaskTracker,
}

/// Does what the job is for.
///
/// # Errors
/// Why it ended early.
pub(crate) async fn run(work: &Work) -> Result<Ended, Halt> {
    match work.attempt.job.kind {
        JobKind::Process => match split::ready(work) {
            Some(pieces) => split::assembly::run(work, pieces).await,
            None => process(work).await,
        },
        JobKind::Thumbnail => stills::run(work).await.map(|()| Ended::Finished),
        JobKind::Chunk => split::chunk::run(work).await.map(|()| Ended::Finished),
        JobKind::Earn => earn::run(work).await.map(|()| Ended::Finished),
    }
}

async fn process(work: &Work) -> Result<Ended, Halt> {
    if work.attempt.file.size_bytes == 0 {
        return Err(Halt::failed("not_media", "The file is empty; upload it again.", false));
    }
    let source = Source::pin(work, &work.attempt.file.source_key).await?;
    // Beyond the probe gateways promote as well while no worker has it: the object in staging may go while a second attempt reads it.
    let source = if work.attempt.file.media.is_some() { promoted(work, source).await? } else { source };
    let mut inspected = traced(step!("probe"), inspect::inspect(work, &source)).await?;
    crash::point("probed");
    work.tasks.timeline.step("inspected");
    add_warnings(&mut inspected.media, work.remembered());
    let plan = plan(&inspected.media, inspected.grid.clone(), &work.config.ladder);
    let mut plan = plan.earning(&work.config.earned);
    remux::resume(work, &inspected.media, &mut plan);
    if let Some(earlier) = work.earlier_plan() {
        plan.settle_as(&earlier);
    }
    record(work, &inspected, &plan).await?;
    crash::point("planned");
    work.tasks.timeline.step("planned");
    work.progress.advance(PROBED);
    let source = promoted(work, source).await?;
    work.tasks.timeline.step("promoted");
    let mut published = work.published();
    if plan.serve_source && !work.has("source") {
        let publishing = source_rendition::publish(work, &inspected, plan.source_rank());
        published |= traced(step!("rendition", reelgate.rendition = "source"), publishing).await?;
    }
    published |= remux::publish(work, &source, &inspected, &mut plan).await?;
    if quality::settle(work, &source, &inspected, &mut plan).await? {
        record(work, &inspected, &plan).await?;
        work.tasks.timeline.step("searched");
    }
    let mut missing = work.missing(plan.clone(), &inspected.media);
    remux::lend(work, &mut missing);
    let divided = if missing.rungs.is_empty() {
        None
    } else {
        let divided = split::decide(work, &source, &inspected, &missing, &mut plan).await?;
        record(work, &inspected, &plan).await?;
        divided
    };
    let made = match &divided {
        _ if missing.makes_nothing() => encode::Made::default(),
        Some(divided) => split::run(work, &source, &inspected.media, missing, divided).await?,
        None => encode::encode(work, &source, &inspected.media, missing, false).await?,
    };
    if !(made.warnings.is_empty() && made.settled.is_empty()) {
        add_warnings(&mut inspected.media, made.warnings);
        made.settled.iter().for_each(|(audio, flaw)| plan.settle(audio, *flaw));
        record(work, &inspected, &plan).await?;
    }
    if !made.refusals.is_empty() {
        quarantine(work, &made.refusals).await?;
    }
    if let Some(lack) = made.lack {
        return Err(Halt::Failed(lack));
    }
    if divided.is_some() {
        return Ok(if split::park(work).await? { Ended::Split } else { Ended::Again });
    }
    if !(published || made.playable) {
        return Err(made.refusal.map_or_else(nothing_playable, Halt::Failed));
    }
    finish(work).await.map(|()| Ended::Finished)
}

impl Work {
    /// Whether an earlier attempt has published something playable.
    fn published(&self) -> bool {
        self.attempt.published.iter().any(Rendition::is_playable)
    }

    /// What earlier attempts have found wrong while they made what is published: nobody decodes that again.
    fn remembered(&self) -> Vec<Reason> {
        let earlier = self.attempt.file.media.iter().filter(|_| !self.attempt.published.is_empty());
        earlier.flat_map(|media| media.warnings.clone()).collect()
    }

    /// What the attempt has planned that published something.
    fn earlier_plan(&self) -> Option<Plan> {
        self.planned().filter(|_| !self.attempt.published.is_empty())
    }

    /// What an attempt before this one has planned, if there was one.
    fn planned(&self) -> Option<Plan> {
        serde_json::from_value(self.attempt.job.plan.clone()?).ok()
    }

    fn has(&self, name: &str) -> bool {
        self.attempt.published.iter().any(|rendition| rendition.name == name)
    }

    /// The plan without what earlier attempts have published.
    fn missing(&self, mut plan: Plan, media: &MediaInfo) -> Plan {
        plan.rungs.retain(|rung| rung.video != VideoStep::Copy && !self.has(&rung.name));
        plan.audio.retain(|step| !(step.alone && self.has(&step.name)));
        plan.extras = plan.extras.without(media, |name| self.has(name));
        plan
    }

    /// What the object of an output is called: attempts of the job that makes earned renditions are counted by themselves.
    fn object_name(&self, file: &str) -> String {
        match self.attempt.job.kind {
            JobKind::Earn => earned::object_name(file),
            JobKind::Process | JobKind::Thumbnail | JobKind::Chunk => file.to_owned(),
        }
    }

    /// The key of an output of this attempt.
    fn key(&self, name: &str) -> Key {
        let fence = &self.attempt.fence;
        Key::Output {
            org: self.attempt.file.org_id.clone(),
            file: fence.file_id,
            generation: fence.generation,
            attempt: fence.attempt,
            name: name.to_owned(),
        }
    }

    fn probe_limits(&self) -> Limits {
        let limit = Duration::from_millis(self.config.worker.probe_limit_ms);
        // It writes nothing.
        Limits { no_progress: limit, wall: limit, memory_bytes: memory::PROBE, file_bytes: 0 }
    }

    /// A look that leaves images behind.
    fn still_limits(&self) -> Limits {
        Limits { file_bytes: stills::MAX_BYTES, ..self.probe_limits() }
    }

    /// What is left of the plan and the threads in the memory that there is, fewer after each death of memory.
    fn thrifty(&self, media: &MediaInfo, plan: Plan) -> Thrifty {
        let job = &self.attempt.job;
        let died = job.last_error_code.as_deref() == Some(OUT_OF_MEMORY);
        let deaths = if died { u32::try_from(job.failures).unwrap_or(0) } else { 0 };
        memory::within(media, plan, self.config.worker.task_threads(), self.tasks.memory.bytes(), deaths)
    }

    fn encode_limits(&self, memory_bytes: u64) -> Limits {
        let worker = &self.config.worker;
        Limits {
            no_progress: Duration::from_millis(worker.no_progress_ms),
            wall: Duration::from_millis(worker.encode_limit_ms),
            memory_bytes,
            file_bytes: worker.max_output_bytes,
        }
    }
}

impl Plan {
    /// Whether no encoding task is needed.
    fn makes_nothing(&self) -> bool {
        self.rungs.is_empty() && self.audio_only().next().is_none() && self.extras.is_empty()
    }
}

/// Each code once.
fn add_warnings(media: &mut MediaInfo, found: Vec<Reason>) {
    for warning in found {
        if media.warnings.iter().all(|known| known.code != warning.code) {
            media.warnings.push(warning);
        }
    }
}

fn nothing_playable() -> Halt {
    Halt::failed("nothing_playable", "Nothing playable could be made of this file.", false)
}

async fn record(work: &Work, inspected: &Inspected, plan: &Plan) -> Result<(), Halt> {
    let explained = serde_json::to_value(plan).unwrap_or_default();
    let written = work.patience.keep_trying("recording the probe", || {
        work.backends.db.record_probe(
            &work.attempt.fence,
            inspected.kind,
            &inspected.content_type,
            &inspected.media,
            &plan.grid,
            &explained,
        )
    });
    match written.await? {
        Fenced::Written => Ok(()),
        Fenced::Stale => Err(Halt::Stale),
    }
}

/// Keeps with the job what was kept back, and why.
async fn quarantine(work: &Work, refusals: &[Refusal]) -> Result<(), Halt> {
    let (db, fence) = (&work.backends.db, &work.attempt.fence);
    match work.patience.keep_trying("recording what was kept back", || db.record_refusals(fence, refusals)).await? {
        Fenced::Written => Ok(()),
        Fenced::Stale => Err(Halt::Stale),
    }
}

/// Moves the source to its lasting place, and pins it there.
async fn promoted(work: &Work, source: Source) -> Result<Source, Halt> {
    let file = &work.attempt.file;
    let lasting = Key::Source { org: file.org_id.clone(), file: file.id };
    if *source.key() == lasting {
        return Ok(source);
    }
    let moved = work.patience.keep_trying("promoting the source", || {
        promote(&work.backends.db, work.backends.storage.as_ref(), &file.org_id, file.id)
    });
    match moved.instrument(step!("promote")).await? {
        Promoted::Done | Promoted::Already => Source::pin(work, &lasting).await,
        Promoted::NoSuchFile => Err(Halt::Stale),
    }
}

async fn finish(work: &Work) -> Result<(), Halt> {
    work.progress.advance(1.0);
    let fence = &work.attempt.fence;
    crash::point("all-published");
    let finishing = work.patience.keep_trying("finishing the job", || work.backends.db.finish_job(fence));
    match finishing.instrument(step!("finish")).await? {
        Fenced::Written => {
            crash::point("finished");
            work.tasks.timeline.step("finished");
            Ok(())
        }
        Fenced::Stale => Err(Halt::Stale),
    }
}
