//! Completes file rows with what belongs to them: the progress of their job and the renditions of their generation.

use std::collections::HashMap;

use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, prelude::Uuid};

use super::{
    DbError, FileWithRenditions,
    entity::{files, jobs, renditions},
};
use crate::{job::JobKind, rendition::Rendition};

pub(super) async fn complete_one(
    connection: &impl ConnectionTrait,
    row: Option<files::Model>,
) -> Result<Option<FileWithRenditions>, DbError> {
    Ok(complete(connection, row.into_iter().collect()).await?.pop())
}

pub(super) async fn complete(
    connection: &impl ConnectionTrait,
    rows: Vec<files::Model>,
) -> Result<Vec<FileWithRenditions>, DbError> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
    let jobs = jobs::Entity::find()
        .filter(jobs::Column::FileId.is_in(ids.clone()))
        .filter(jobs::Column::Kind.eq(JobKind::Process.as_str()))
        .all(connection)
        .await?;
    let jobs: HashMap<_, _> = jobs.into_iter().map(|job| ((job.file_id, job.generation), job)).collect();
    let mut made = renditions_of(connection, ids).await?;
    let complete = |row: files::Model| {
        let current = (row.id, row.generation);
        let added = made.remove(&(row.id, renditions::ALL_GENERATIONS)).unwrap_or_default();
        let renditions = with_added(made.remove(&current).unwrap_or_default(), added, row.generation);
        let file = row.into_record(jobs.get(&current).map(jobs::Model::standing).transpose()?)?;
        Ok(FileWithRenditions { file, renditions })
    };
    rows.into_iter().map(complete).collect()
}

/// What one generation of a file has, the best first.
pub(super) async fn published(
    connection: &impl ConnectionTrait,
    file: Uuid,
    generation: i64,
) -> Result<Vec<Rendition>, DbError> {
    let mut made = renditions_of(connection, vec![file]).await?;
    Ok(made.remove(&(file, generation)).unwrap_or_default())
}

/// As `published`, and what people have added.
pub(super) async fn shown(
    connection: &impl ConnectionTrait,
    file: Uuid,
    generation: i64,
) -> Result<Vec<Rendition>, DbError> {
    let mut made = renditions_of(connection, vec![file]).await?;
    let added = made.remove(&(file, renditions::ALL_GENERATIONS)).unwrap_or_default();
    Ok(with_added(made.remove(&(file, generation)).unwrap_or_default(), added, generation))
}

/// What a person has added stands in the place of what was found under the same name.
fn with_added(mut made: Vec<Rendition>, added: Vec<Rendition>, generation: i64) -> Vec<Rendition> {
    made.retain(|rendition| added.iter().all(|other| other.name != rendition.name));
    made.extend(added.into_iter().map(|rendition| Rendition { generation, ..rendition }));
    made
}

async fn renditions_of(
    connection: &impl ConnectionTrait,
    files: Vec<Uuid>,
) -> Result<HashMap<(Uuid, i64), Vec<Rendition>>, DbError> {
    let rows = renditions::Entity::find()
        .filter(renditions::Column::FileId.is_in(files))
        .order_by_desc(renditions::Column::Rank)
        .order_by_asc(renditions::Column::Name)
        .all(connection)
        .await?;
    let mut made: HashMap<_, Vec<_>> = HashMap::new();
    for row in rows {
        made.entry((row.file_id, row.generation)).or_default().push(row.into_rendition()?);
    }
    Ok(made)
}
