//! One object as the cache has it fetched. A source that promotion has moved is looked for once more.

use std::{ops::Range, sync::Arc};

use async_trait::async_trait;
use reelgate_common::{
    rendition::Role,
    storage::{ByteStream, StorageError},
};

use crate::{
    app::App,
    cache::{Origin, ReadError},
    objects::Objects,
};

pub(super) struct RoleOrigin {
    pub(super) app: Arc<App>,
    pub(super) objects: Arc<Objects>,
    pub(super) position: usize,
}

#[async_trait]
impl Origin for RoleOrigin {
    async fn open(&self, range: Range<u64>) -> Result<ByteStream, ReadError> {
        let Self { app, objects, position } = self;
        let get = async || app.storage.get(&objects.key(*position), range.clone(), None).await;
        match (get().await, &objects.known(*position).role) {
            (Err(StorageError::NotFound { .. }), Role::Source) => {
                app.rows.forget(objects.org(), objects.file());
                refresh(app, objects).await?;
                Ok(get().await?)
            }
            (outcome, _) => Ok(outcome?),
        }
    }
}

/// Whether the file still is, and where its source lies.
///
/// # Errors
/// The file was deleted, or the database is away.
pub(super) async fn refresh(app: &App, objects: &Objects) -> Result<(), ReadError> {
    let row = app.rows.find(&app.db, objects.org(), objects.file()).await?.ok_or(ReadError::Deleted)?;
    objects.source_is_at(row.file.source_key.clone());
    Ok(())
}
