//! The objects of one representation: what they are called in the cache, how far they are known to go, and where they lie as
//! far as is known. Keys are resolved late, for promotion moves a source. Reads nothing.

use std::sync::{Arc, Mutex, PoisonError};

use reelgate_common::{
    file::FileRecord,
    ids::{FileId, OrgId},
    key::Key,
    rendition::Role,
};

use crate::{
    cache::{Object, ObjectName},
    virtual_file::VirtualFile,
};

pub(crate) struct Objects {
    org: OrgId,
    file: FileId,
    generation: i64,
    attempt: i64,
    source: Mutex<Key>,
    known: Vec<Known>,
}

/// One of them. Its bytes up to `length` are known to exist.
pub(crate) struct Known {
    pub(crate) role: Role,
    pub(crate) object: Arc<Object>,
    pub(crate) length: u64,
}

impl Objects {
    /// Those that `whole` reads, and the source. `attempt` is the one whose folder holds `Role::Output` objects.
    pub(crate) fn of(file: &FileRecord, attempt: i64, whole: &VirtualFile) -> Self {
        let name = |role: &Role| {
            let (org, id) = (file.org_id.clone(), file.id);
            match role {
                Role::Source => ObjectName::Source { org, file: id, sha256: file.sha256.clone() },
                Role::Output(name) => {
                    ObjectName::Output { org, file: id, generation: file.generation, attempt, name: name.clone() }
                }
                // Of no generation, and of no attempt: each has a name of its own.
                Role::Captions(name) => {
                    ObjectName::Output { org, file: id, generation: 0, attempt: 0, name: name.clone() }
                }
            }
        };
        let lengths = whole.object_lengths(&[(Role::Source, file.size_bytes)]);
        let known =
            lengths.into_iter().map(|(role, length)| Known { object: Object::new(name(&role)).into(), role, length });
        Self {
            org: file.org_id.clone(),
            file: file.id,
            generation: file.generation,
            attempt,
            source: Mutex::new(file.source_key.clone()),
            known: known.collect(),
        }
    }

    /// The same once more, counted by itself.
    pub(crate) fn copy(&self) -> Self {
        let known = |known: &Known| Known {
            role: known.role.clone(),
            object: Object::clone(&known.object).into(),
            length: known.length,
        };
        Self {
            org: self.org.clone(),
            source: Mutex::new(self.source.lock().unwrap_or_else(PoisonError::into_inner).clone()),
            known: self.known.iter().map(known).collect(),
            ..*self
        }
    }

    pub(crate) fn org(&self) -> &OrgId {
        &self.org
    }

    pub(crate) fn file(&self) -> FileId {
        self.file
    }

    /// Which of them plays this role.
    pub(crate) fn position(&self, role: &Role) -> Option<usize> {
        self.known.iter().position(|known| known.role == *role)
    }

    pub(crate) fn known(&self, position: usize) -> &Known {
        &self.known[position]
    }

    /// Where an object lies, as far as is known.
    pub(crate) fn key(&self, position: usize) -> Key {
        let made = self.known[position].role.key(&self.org, self.file, (self.generation, self.attempt));
        made.unwrap_or_else(|| self.source.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    /// The source lies there now.
    pub(crate) fn source_is_at(&self, key: Key) {
        *self.source.lock().unwrap_or_else(PoisonError::into_inner) = key;
    }
}
