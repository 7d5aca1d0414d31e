//! One object as the cache has it fetched. A source that promotion has moved is looked for once more; of whatever is not there its row is asked
//! before that counts as a loss.

use std::{ops::Range, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{TryStreamExt, stream};
use reelgate_common::{
    rendition::Role,
    storage::{ByteStream, StorageError},
};

use crate::{
    app::App,
    cache::{Origin, ReadError},
    objects::Objects,
    second_look::look_again,
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
                self.found(get().await).await
            }
            (Ok(body), Role::Source) => Ok(self.followed(body, range)),
            (outcome, _) => self.found(outcome).await,
        }
    }
}

impl RoleOrigin {
    /// What is not there was deleted while it was asked for, or is our loss.
    async fn found(&self, outcome: Result<ByteStream, StorageError>) -> Result<ByteStream, ReadError> {
        let Self { app, objects, position } = self;
        match outcome {
            Err(missing @ StorageError::NotFound { .. }) => {
                let (org, file) = (objects.org(), objects.file());
                app.rows.forget(org, file);
                Err(Box::pin(look_again(&app.db, (org, file), &objects.key(*position), missing)).await)
            }
            outcome => Ok(outcome?),
        }
    }

    /// A body that breaks is asked for again where it lay. Has promotion moved the source meanwhile, it goes on, once, at its
    /// new place.
    fn followed(&self, body: ByteStream, range: Range<u64>) -> ByteStream {
        let (app, objects, position) = (self.app.clone(), self.objects.clone(), self.position);
        Box::pin(stream::try_unfold((body, range, false), move |(mut body, mut rest, moved)| {
            let (app, objects) = (app.clone(), objects.clone());
            async move {
                let missing = match body.try_next().await {
                    Err(error @ StorageError::NotFound { .. }) if !moved && !rest.is_empty() => error,
                    Err(error) => return Err(error),
                    Ok(None) => return Ok(None),
                    Ok(Some(chunk)) => {
                        rest.start += chunk.len() as u64;
                        return Ok(Some((chunk, (body, rest, moved))));
                    }
                };
                app.rows.forget(objects.org(), objects.file());
                if refresh(&app, &objects).await.is_err() {
                    return Err(missing);
                }
                let body = app.storage.get(&objects.key(position), rest.clone(), None).await?;
                Ok(Some((Bytes::new(), (body, rest, true))))
            }
        }))
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
