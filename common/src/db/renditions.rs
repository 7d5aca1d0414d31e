//! Publishing: the only writes that make something playable, each under the fence.

use sea_orm::{ActiveModelTrait, EntityTrait, IntoActiveModel, Set};

use super::{
    Db, DbError, Fenced, Refusal,
    entity::{files, read_json, renditions, write_json},
    fence, told,
};
use crate::{
    file::{FileKind, FileState},
    grid::SegmentGrid,
    job::{Fence, JobKind},
    media_info::MediaInfo,
    rendition::Rendition,
    states::file::{FileEvent, FileView, transition},
    timestamp::Timestamp,
};

impl Db {
    /// Stores what the probe found, the grid and the plan. File kind and content type follow the probe.
    ///
    /// # Errors
    /// The database is away.
    pub async fn record_probe(
        &self,
        fence: &Fence,
        kind: FileKind,
        content_type: &str,
        media: &MediaInfo,
        grid: &SegmentGrid,
        plan: &serde_json::Value,
    ) -> Result<Fenced, DbError> {
        let (media, grid, plan) = (write_json(media)?, write_json(grid)?, write_json(plan)?);
        self.in_time(async {
            let tx = self.write().await?;
            let Some(locked) = fence::lock_held(&tx, fence).await? else { return Ok(Fenced::Stale) };
            let before = (locked.file.kind.clone(), locked.file.content_type.clone(), locked.file.media.clone());
            let mut file = locked.file.into_active_model();
            file.kind = Set(kind.as_str().to_owned());
            file.content_type = Set(content_type.to_owned());
            file.media = Set(Some(media));
            file.grid = Set(Some(grid));
            file.updated_at = Set(tx.now.0);
            let file = file.update(&*tx).await?;
            let mut job = locked.job.into_active_model();
            job.plan = Set(Some(plan));
            job.update(&*tx).await?;
            if before != (file.kind.clone(), file.content_type.clone(), file.media.clone()) {
                told::updated(&tx, &file, &["kind", "content_type", "media"]);
            }
            tx.commit().await?;
            Ok(Fenced::Written)
        })
        .await
    }

    /// Keeps beside the job's plan which outputs were kept back, as `refused`. No more than the last attempt's: what an
    /// earlier one could not make, this one may have made.
    ///
    /// # Errors
    /// The database is away.
    pub async fn record_refusals(&self, fence: &Fence, refusals: &[Refusal]) -> Result<Fenced, DbError> {
        let refused = serde_json::to_value(refusals).map_err(|error| DbError::Garbled(error.to_string()))?;
        self.in_time(async {
            let tx = self.write().await?;
            let Some(locked) = fence::lock_held(&tx, fence).await? else { return Ok(Fenced::Stale) };
            let mut plan: serde_json::Map<String, serde_json::Value> =
                locked.job.plan.as_deref().map(read_json).transpose()?.unwrap_or_default();
            plan.insert("refused".to_owned(), refused);
            let plan = write_json(&plan)?;
            let mut job = locked.job.into_active_model();
            job.plan = Set(Some(plan));
            job.update(&*tx).await?;
            tx.commit().await?;
            Ok(Fenced::Written)
        })
        .await
    }

    /// Publishes one rendition and, with the first playable one, makes the file `ready`; one transaction.
    /// Publishing a name that this generation has already is `Stale` (an earlier attempt was first).
    ///
    /// # Errors
    /// The database is away; when it is not known whether the commit happened, ask again: the same fence publishing the
    /// same rendition twice is `Written`.
    pub async fn publish(&self, fence: &Fence, rendition: &Rendition) -> Result<Fenced, DbError> {
        self.in_time(async {
            let tx = self.write().await?;
            let Some(locked) = fence::lock_held(&tx, fence).await? else { return Ok(Fenced::Stale) };
            let earned = locked.job.kind == JobKind::Earn.as_str();
            let name = (fence.file_id.0, fence.generation, rendition.name.clone());
            if let Some(first) = renditions::Entity::find_by_id(name).one(&*tx).await? {
                let ours = first.attempt == fence.attempt && first.earned == earned;
                return Ok(if ours { Fenced::Written } else { Fenced::Stale });
            }
            let mut row = renditions::row(fence, rendition, tx.now)?;
            row.earned = Set(earned);
            row.used_at = Set(earned.then_some(tx.now.0));
            let event = FileEvent::Publish { playable: rendition.is_playable() };
            let Ok(next) = transition(locked.file.view()?, event) else { return Ok(Fenced::Stale) };
            renditions::Entity::insert(row).exec_without_returning(&*tx).await?;
            let was_ready = locked.file.is(FileState::Ready);
            let file = touched(locked.file, next, tx.now).update(&*tx).await?;
            told::rendition(&tx, &file, rendition);
            if file.is(FileState::Ready) && !was_ready {
                told::ready(&tx, &file, Some(&rendition.name));
            }
            tx.commit().await?;
            Ok(Fenced::Written)
        })
        .await
    }
}

fn touched(file: files::Model, next: FileView, now: Timestamp) -> files::ActiveModel {
    let first = next.state == FileState::Ready && !file.is(FileState::Ready);
    let mut file = file.into_active_model();
    file.updated_at = Set(now.0);
    if first {
        file.state = Set(FileState::Ready.as_str().to_owned());
        file.ready_at = Set(Some(now.0));
    }
    file
}
