//! Films that are encoded in parts: each part is a job of its own, run by whoever claims it. The film's own job waits for them and is
//! queued again with the last one's end, in the same transaction, so that exactly one attempt puts them together.
//!
//! Only so many parts are queued as workers can soon take: what waits for long comes before what is new, whatever its priority, and
//! parts of a film that gets on have not waited for long.

use sea_orm::{
    ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect, Set,
    sea_query::Expr,
};

use super::{
    Db, DbError, DueJob, Fenced, NewJob, Parked, Part, PartEnd, SplitFilm,
    entity::{files, jobs, parse, read_json},
    fence::{self, Locked},
    presence, settle,
    tombstones::open_states,
    transaction::WriteTx,
};
use crate::{
    ids::{JobId, OrgId},
    job::{CHUNK_PRIORITY, Fence, JobKind, JobPolicy, JobState},
    states::job::{JobEvent, Refused, is_open},
};

/// Parts that wait or run at once, at the least.
const FEWEST_AHEAD: u64 = 8;
/// And for each slot of a worker that lives and serves their lane.
const AHEAD_PER_SLOT: u64 = 2;

impl Db {
    /// The film of this attempt is to be encoded in `parts` parts, as `split` says; the first of them are queued. What an earlier
    /// attempt has begun stays as it is, but parts that were cancelled with the film are queued again.
    ///
    /// # Errors
    /// The database is away. Repeating it is harmless.
    pub async fn split_job(
        &self,
        fence: &Fence,
        split: &serde_json::Value,
        parts: u32,
    ) -> Result<Option<Vec<DueJob>>, DbError> {
        self.in_time(async {
            let tx = self.write().await?;
            let Some(Locked { file, job }) = fence::lock_held(&tx, fence).await? else { return Ok(None) };
            let trace = job.trace.clone();
            if job.parts.is_none() {
                anew(&tx, &file, parts).await?;
                let mut job = job.into_active_model();
                job.split = Set(Some(split.to_string()));
                job.parts = Set(Some(i32::try_from(parts).unwrap_or(i32::MAX)));
                // No worker of a build that knows nothing of parts may run it now.
                job.payload_version = Set(JobKind::Chunk.payload_version());
                job.update(&*tx).await?;
            }
            let mut due = resume(&tx, &file).await?;
            let tally = Tally::of(&tx, &file).await?;
            due.extend(feed(&tx, &file, parts, trace.as_ref(), &tally).await?);
            tx.commit().await?;
            Ok(Some(due))
        })
        .await
    }

    /// The film is not encoded in parts after all, as `split` says; parts that are left are cancelled.
    ///
    /// # Errors
    /// The database is away. Repeating it is harmless.
    pub async fn unsplit_job(&self, fence: &Fence, split: &serde_json::Value) -> Result<Fenced, DbError> {
        self.in_time(async {
            let tx = self.write().await?;
            let Some(locked) = fence::lock_held(&tx, fence).await? else { return Ok(Fenced::Stale) };
            cancel(&tx, &locked.file).await?;
            let mut job = locked.job.into_active_model();
            job.split = Set(Some(split.to_string()));
            job.parts = Set(None);
            job.made = Set(None);
            job.update(&*tx).await?;
            tx.commit().await?;
            Ok(Fenced::Written)
        })
        .await
    }

    /// Writes down what the film's own attempt has made beside the parts, for the one that puts all together.
    ///
    /// # Errors
    /// The database is away. Repeating it is harmless.
    pub async fn keep_made(&self, fence: &Fence, made: &serde_json::Value) -> Result<Fenced, DbError> {
        self.in_time(async {
            let tx = self.write().await?;
            let Some(locked) = fence::lock_held(&tx, fence).await? else { return Ok(Fenced::Stale) };
            let mut job = locked.job.into_active_model();
            job.made = Set(Some(made.to_string()));
            job.update(&*tx).await?;
            tx.commit().await?;
            Ok(Fenced::Written)
        })
        .await
    }

    /// The film's own attempt leaves the rest to its parts.
    ///
    /// # Errors
    /// The database is away. Repeating it is harmless: a second time it is stale.
    pub async fn park_job(&self, fence: &Fence) -> Result<Parked, DbError> {
        self.in_time(async {
            let tx = self.write().await?;
            let Some(locked) = fence::lock_held(&tx, fence).await? else { return Ok(Parked::Stale) };
            if Tally::of(&tx, &locked.file).await?.is_over(locked.job.parts) {
                return Ok(Parked::Over);
            }
            let Ok(next) = locked.ask_for(fence, JobEvent::Split(fence.into()), &JobPolicy::default())? else {
                return Ok(Parked::Stale);
            };
            settle::parked(&tx, locked.job, &next).await?;
            tx.commit().await?;
            Ok(Parked::Waits)
        })
        .await
    }

    /// A part is made: its job is `done`, and what comes next is queued, be it further parts or the film's own job. The film's
    /// progress goes on by the part's share of `from..to`.
    ///
    /// # Errors
    /// The database is away. Repeating it is harmless.
    pub async fn finish_part(
        &self,
        fence: &Fence,
        made: &serde_json::Value,
        (from, to): (f64, f64),
    ) -> Result<PartEnd, DbError> {
        self.in_time(async {
            let tx = self.write().await?;
            let Some(locked) = fence::lock(&tx, fence.job_id).await? else { return Ok(PartEnd::Stale) };
            match locked.ask_for(fence, JobEvent::Finish(fence.into()), &JobPolicy::default())? {
                Ok(next) => {
                    let mut job = locked.job.into_active_model();
                    job.progress = Set(1.0);
                    job.made = Set(Some(made.to_string()));
                    settle::over(&tx, job, &next).await?;
                }
                Err(Refused::Repeated) => {}
                Err(_) => {
                    settle::stopped(&tx, locked, fence).await?;
                    tx.commit().await?;
                    return Ok(PartEnd::Stale);
                }
            }
            let Some(film) = fence::own_job(&tx, &locked.file).await? else { return Ok(PartEnd::Stale) };
            let parts = u32::try_from(film.parts.unwrap_or(0)).unwrap_or(0);
            let tally = Tally::of(&tx, &locked.file).await?;
            let done = f64::from(u32::try_from(tally.done).unwrap_or(u32::MAX)) / f64::from(parts.max(1));
            let progress = (from + done.min(1.0) * (to - from)).max(film.progress);
            let mut due = feed(&tx, &locked.file, parts, film.trace.as_ref(), &tally).await?;
            jobs::Entity::update_many()
                .col_expr(jobs::Column::Progress, Expr::value(progress))
                .filter(jobs::Column::Id.eq(film.id))
                .exec(&*tx)
                .await?;
            if tally.is_over(film.parts) {
                due.extend(join(&tx, &locked.file).await?);
            }
            tx.commit().await?;
            Ok(PartEnd::Written { progress, due })
        })
        .await
    }
}

/// What an attempt must know of the parts.
pub(super) async fn split_of(
    tx: &WriteTx,
    file: &files::Model,
    job: &jobs::Model,
) -> Result<Option<SplitFilm>, DbError> {
    let chunk = job.part().is_some();
    let film = if chunk { fence::own_job(tx, file).await? } else { Some(job.clone()) };
    let Some((split, film)) = film.and_then(|film| Some((film.split.clone()?, film))) else { return Ok(None) };
    let parts = if chunk { Vec::new() } else { parts_of(tx, file).await? };
    let kept = film.made.as_deref().map(read_json).transpose()?;
    Ok(Some(SplitFilm { split: read_json(&split)?, kept, parts }))
}

/// A job was given up. Of a part: the others are not needed any more, for the film is encoded whole. Of a film: parts that are left
/// have nobody to wait for them.
pub(super) async fn given_up(tx: &WriteTx, file: &files::Model, job: &jobs::Model) -> Result<(), DbError> {
    if job.part().is_some() {
        cancel(tx, file).await?;
        join(tx, file).await?;
    } else if job.split.is_some() {
        cancel(tx, file).await?;
    }
    Ok(())
}

/// Worker and heartbeat stay: they tell whether somebody may still be writing.
async fn cancel(tx: &WriteTx, file: &files::Model) -> Result<(), DbError> {
    jobs::Entity::update_many()
        .col_expr(jobs::Column::State, Expr::value(JobState::Cancelled.as_str()))
        .col_expr(jobs::Column::FinishedAt, Expr::value(tx.now.0))
        .filter(jobs::Column::FileId.eq(file.id))
        .filter(jobs::Column::Generation.eq(file.generation))
        .filter(Expr::cust(jobs::CHUNKS))
        .filter(jobs::Column::State.is_in(open_states()))
        .exec(&**tx)
        .await?;
    Ok(())
}

/// Queues the film's own job, if it waits for its parts.
async fn join(tx: &WriteTx, file: &files::Model) -> Result<Option<DueJob>, DbError> {
    let Some(job) = fence::own_job(tx, file).await? else { return Ok(None) };
    let due = job.due(tx.now);
    let locked = Locked { file: file.clone(), job };
    let Ok(next) = locked.ask(JobEvent::Join, &JobPolicy::default())? else { return Ok(None) };
    settle::queued(tx, locked.job.into_active_model(), &next, tx.now).await?;
    Ok(Some(due))
}

/// The film has ended well: its pieces are put together, and will be gone. The parts' rows stay, for those who ask why.
pub(super) async fn close(tx: &WriteTx, file: &files::Model, job: &jobs::Model) -> Result<(), DbError> {
    if job.split.is_none() {
        return Ok(());
    }
    cancel(tx, file).await?;
    let nothing = || Expr::value(Option::<String>::None);
    jobs::Entity::update_many()
        .col_expr(jobs::Column::Split, nothing())
        .col_expr(jobs::Column::Parts, Expr::value(Option::<i32>::None))
        .col_expr(jobs::Column::Made, nothing())
        .filter(jobs::Column::FileId.eq(file.id))
        .filter(jobs::Column::Generation.eq(file.generation))
        .exec(&**tx)
        .await?;
    Ok(())
}

/// Nothing is made of the parts that an earlier division has left; there shall be `parts` at the most.
async fn anew(tx: &WriteTx, file: &files::Model, parts: u32) -> Result<(), DbError> {
    for job in chunks(file).all(&**tx).await? {
        if job.part().is_some_and(|part| part >= parts) {
            jobs::Entity::delete_by_id(job.id).exec(&**tx).await?;
            continue;
        }
        let locked = Locked { file: file.clone(), job };
        let Ok(next) = locked.ask(JobEvent::Wish, &JobPolicy::default())? else { continue };
        settle::requeue(tx, locked.job, &next).await?;
    }
    Ok(())
}

/// Queues again what was cancelled with its film.
async fn resume(tx: &WriteTx, file: &files::Model) -> Result<Vec<DueJob>, DbError> {
    let cancelled = chunks(file).filter(jobs::Column::State.eq(JobState::Cancelled.as_str())).all(&**tx).await?;
    let mut due = Vec::new();
    for job in cancelled {
        let locked = Locked { file: file.clone(), job };
        let Ok(next) = locked.ask(JobEvent::Retry, &JobPolicy::default())? else { continue };
        due.push(locked.job.due(tx.now));
        settle::requeue(tx, locked.job, &next).await?;
    }
    Ok(due)
}

/// Queues as many further parts as there shall be ahead. They belong to what has made their film.
async fn feed(
    tx: &WriteTx,
    file: &files::Model,
    parts: u32,
    trace: Option<&String>,
    tally: &Tally,
) -> Result<Vec<DueJob>, DbError> {
    // One that was given up has ended the parts.
    if tally.dead > 0 {
        return Ok(Vec::new());
    }
    let ahead = FEWEST_AHEAD.max(AHEAD_PER_SLOT * presence::slots_alive(&**tx, tx.now).await?.of(tx.lanes.of_chunks()));
    let first = u32::try_from(tally.all).unwrap_or(u32::MAX);
    let more = u32::try_from(ahead.saturating_sub(tally.open)).unwrap_or(u32::MAX);
    let mut due = Vec::new();
    for part in first..parts.min(first.saturating_add(more)) {
        let new = NewJob { id: JobId::new(), kind: JobKind::Chunk, priority: CHUNK_PRIORITY };
        let row = jobs::ActiveModel {
            kind: Set(jobs::kind_of_chunk(part)),
            trace: Set(trace.cloned()),
            ..jobs::row(&new, file, &tx.lanes, tx.now)
        };
        jobs::Entity::insert(row).exec_without_returning(&**tx).await?;
        let org_id = OrgId::new(file.org_id.clone());
        let lane = tx.lanes.of_chunks();
        due.push(DueJob { id: new.id, org_id, lane, priority: CHUNK_PRIORITY, run_at: tx.now, due: true });
    }
    Ok(due)
}

async fn parts_of(tx: &WriteTx, file: &files::Model) -> Result<Vec<Part>, DbError> {
    let rows = chunks(file).order_by_asc(jobs::Column::Id).all(&**tx).await?;
    let part = |row: &jobs::Model| {
        Ok(Part {
            number: row.part().unwrap_or_default(),
            state: parse(&row.state)?,
            made: row.made.as_deref().map(read_json).transpose()?,
            error: row.last_error.clone(),
        })
    };
    let mut parts = rows.iter().map(part).collect::<Result<Vec<Part>, DbError>>()?;
    parts.sort_unstable_by_key(|part| part.number);
    Ok(parts)
}

fn chunks(file: &files::Model) -> sea_orm::Select<jobs::Entity> {
    jobs::Entity::find()
        .filter(jobs::Column::FileId.eq(file.id))
        .filter(jobs::Column::Generation.eq(file.generation))
        .filter(Expr::cust(jobs::CHUNKS))
}

/// How the parts stand that somebody has been told of.
struct Tally {
    all: u64,
    done: u64,
    open: u64,
    dead: u64,
}

impl Tally {
    async fn of(tx: &WriteTx, file: &files::Model) -> Result<Self, DbError> {
        let counts: Vec<(String, i64)> = chunks(file)
            .select_only()
            .column(jobs::Column::State)
            .column_as(jobs::Column::Id.count(), "count")
            .group_by(jobs::Column::State)
            .into_tuple()
            .all(&**tx)
            .await?;
        let mut tally = Self { all: 0, done: 0, open: 0, dead: 0 };
        for (state, count) in counts {
            let count = u64::try_from(count).unwrap_or(0);
            tally.all += count;
            match parse(&state)? {
                state if is_open(state) => tally.open += count,
                JobState::Done => tally.done += count,
                JobState::Dead => tally.dead += count,
                _ => {}
            }
        }
        Ok(tally)
    }

    /// Whether the film's own job has nothing to wait for: all are made, or one was given up.
    fn is_over(&self, parts: Option<i32>) -> bool {
        self.dead > 0 || u64::try_from(parts.unwrap_or(0)).is_ok_and(|parts| self.done >= parts)
    }
}
