//! The objects of one file: what they are called in the cache, and where they lie, as far as is known. Keys are resolved
//! late; a source that promotion has moved is looked for once more.

use std::{
    ops::Range,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use reelgate_common::{
    file::FileRecord,
    ids::{FileId, OrgId},
    key::Key,
    rendition::Role,
    storage::{ByteStream, StorageError},
};

use crate::{
    app::App,
    cache::{Cursor, Object, ObjectName, Origin, ReadError},
    virtual_file::{Extent, VirtualFile},
};

/// Extents of one object that lie closer than this are fetched as one run.
const NEAR: u64 = 1 << 20;

pub(super) struct Objects {
    app: Arc<App>,
    org: OrgId,
    file: FileId,
    generation: i64,
    attempt: i64,
    sha256: String,
    source: Mutex<Key>,
    /// How far each object is known to go.
    lengths: Vec<(Role, u64)>,
}

impl Objects {
    pub(super) fn new(app: Arc<App>, file: &FileRecord, attempt: i64, whole: &VirtualFile) -> Self {
        Self {
            app,
            org: file.org_id.clone(),
            file: file.id,
            generation: file.generation,
            attempt,
            sha256: file.sha256.clone(),
            source: Mutex::new(file.source_key.clone()),
            lengths: whole.object_lengths(&[(Role::Source, file.size_bytes)]),
        }
    }

    pub(super) fn cursor(&self, role: &Role) -> Cursor {
        let known = self.lengths.iter().find(|(of, _)| of == role);
        self.app.cache.cursor(Object::new(self.name(role)), known.map_or(0, |(_, length)| *length))
    }

    pub(super) fn origin(self: &Arc<Self>, role: &Role) -> Arc<dyn Origin> {
        Arc::new(RoleOrigin { objects: Arc::clone(self), role: role.clone() })
    }

    /// How far the response reads an object without a wide gap, from the first of these extents on, which is of it.
    pub(super) fn reach<'a>(&self, role: &Role, extents: impl Iterator<Item = &'a Extent>) -> u64 {
        let mut reach = None;
        for extent in extents {
            let Extent::Object { role: of, range } = extent else { continue };
            let end = reach.unwrap_or(range.start);
            if of != role {
                continue;
            }
            if range.start < end || range.start - end > NEAR {
                break;
            }
            reach = Some(range.end);
        }
        reach.unwrap_or(0)
    }

    /// # Errors
    /// The file was deleted, or the database is away.
    pub(super) async fn refresh(&self) -> Result<(), ReadError> {
        let row = self.app.rows.find(&self.app.db, &self.org, self.file).await?.ok_or(ReadError::Deleted)?;
        *self.source.lock().unwrap_or_else(PoisonError::into_inner) = row.file.source_key.clone();
        Ok(())
    }

    fn name(&self, role: &Role) -> ObjectName {
        let (org, file) = (self.org.clone(), self.file);
        match role {
            Role::Source => ObjectName::Source { org, file, sha256: self.sha256.clone() },
            Role::Output(name) => {
                let (generation, attempt) = (self.generation, self.attempt);
                ObjectName::Output { org, file, generation, attempt, name: name.clone() }
            }
        }
    }

    fn key(&self, role: &Role) -> Key {
        match role {
            Role::Source => self.source.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            Role::Output(name) => Key::Output {
                org: self.org.clone(),
                file: self.file,
                generation: self.generation,
                attempt: self.attempt,
                name: name.clone(),
            },
        }
    }
}

struct RoleOrigin {
    objects: Arc<Objects>,
    role: Role,
}

#[async_trait]
impl Origin for RoleOrigin {
    async fn open(&self, range: Range<u64>) -> Result<ByteStream, ReadError> {
        let Self { objects, role } = self;
        let get = async || objects.app.storage.get(&objects.key(role), range.clone(), None).await;
        match (get().await, role) {
            (Err(StorageError::NotFound { .. }), Role::Source) => {
                objects.app.rows.forget(&objects.org, objects.file);
                objects.refresh().await?;
                Ok(get().await?)
            }
            (outcome, _) => Ok(outcome?),
        }
    }
}
