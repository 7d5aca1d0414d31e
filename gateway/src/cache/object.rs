//! What is cached, by what it is: an object of a file at one version, and a piece of it. Never a raw key: promotion moves
//! a source without changing it.

use std::{
    hash::{BuildHasher, Hash, Hasher, RandomState},
    sync::{Arc, LazyLock, OnceLock},
};

use quick_cache::Equivalent;
use reelgate_common::ids::{FileId, OrgId};
use sha2::{Digest, Sha256};

static HASHER: LazyLock<RandomState> = LazyLock::new(RandomState::new);

/// Bytes that never change under this name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum ObjectName {
    /// The upload, wherever it lies, whatever the generation.
    Source { org: OrgId, file: FileId, sha256: String },
    /// What one attempt made. It is written once.
    Output { org: OrgId, file: FileId, generation: i64, attempt: i64, name: String },
}

impl ObjectName {
    pub(crate) fn file(&self) -> FileId {
        match self {
            Self::Source { file, .. } | Self::Output { file, .. } => *file,
        }
    }

    fn fingerprint(&self) -> u128 {
        let mut digest = Sha256::new();
        let mut add = |part: &[u8]| {
            // With its length, so that no two names read alike.
            digest.update((part.len() as u64).to_le_bytes());
            digest.update(part);
        };
        match self {
            Self::Source { org, file, sha256 } => {
                [org.as_str().as_bytes(), file.0.as_bytes(), b"source", sha256.as_bytes()]
                    .into_iter()
                    .for_each(&mut add);
            }
            Self::Output { org, file, generation, attempt, name } => {
                [org.as_str().as_bytes(), file.0.as_bytes(), b"output", name.as_bytes()].into_iter().for_each(&mut add);
                [generation, attempt].into_iter().for_each(|number| add(&number.to_le_bytes()));
            }
        }
        let digest: [u8; 32] = digest.finalize().into();
        u128::from_le_bytes(digest[..16].try_into().expect("half of 32 bytes are 16"))
    }
}

/// A name that is cheap to clone and to hash.
#[derive(Debug, Clone)]
pub(crate) struct Object {
    name: Arc<Named>,
    hash: u64,
}

#[derive(Debug)]
struct Named {
    name: ObjectName,
    fingerprint: OnceLock<u128>,
}

impl Object {
    pub(crate) fn new(name: ObjectName) -> Self {
        Self { hash: HASHER.hash_one(&name), name: Arc::new(Named { name, fingerprint: OnceLock::new() }) }
    }

    pub(crate) fn name(&self) -> &ObjectName {
        &self.name.name
    }

    /// The same in every process, and of no other name.
    pub(super) fn fingerprint(&self) -> u128 {
        *self.name.fingerprint.get_or_init(|| self.name.name.fingerprint())
    }
}

impl PartialEq for Object {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.name, &other.name) || (self.hash == other.hash && self.name() == other.name())
    }
}

impl Eq for Object {}

impl Hash for Object {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

/// Piece `index` begins at byte `index * PIECE` of its object.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct PieceKey {
    pub(super) object: Object,
    pub(super) index: u64,
}

/// The same, borrowed, to look for a piece without counting a reference.
#[derive(Debug, Clone, Copy, Hash)]
pub(super) struct PieceRef<'a> {
    pub(super) object: &'a Object,
    pub(super) index: u64,
}

impl Equivalent<PieceKey> for PieceRef<'_> {
    fn equivalent(&self, key: &PieceKey) -> bool {
        self.index == key.index && *self.object == key.object
    }
}

impl PieceRef<'_> {
    pub(super) fn to_key(self) -> PieceKey {
        PieceKey { object: self.object.clone(), index: self.index }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_equal_when_their_names_are() {
        let (org, file) = (OrgId::new("acme"), FileId::new());
        let source =
            |sha256: &str| Object::new(ObjectName::Source { org: org.clone(), file, sha256: sha256.to_owned() });
        assert_eq!(source("a"), source("a"));
        assert_ne!(source("a"), source("b"));
        assert_eq!(source("a").fingerprint(), source("a").fingerprint());
        assert_ne!(source("a").fingerprint(), source("b").fingerprint());
    }
}
