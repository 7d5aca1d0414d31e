//! The directory backend: plain files below one root, written into `.tmp/`, synced, then renamed. An object is never
//! written in place, so an open descriptor always reads one version, and a copy may be a hard link.
//!
//! Layout: `{root}/{key}` is an object; `{root}/.tmp/{key}/{part size}-{uuid}` is a multipart upload or a put under way.
//! What a crash leaves in `.tmp/` shows up in `list_multipart`, so the reconciler sees and aborts it.

mod durable;
mod read;
mod walk;
mod write;

use std::{
    fs, io,
    ops::Range,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{TryStreamExt, stream::BoxStream};

use self::{
    durable::Folders,
    walk::{Found, Walk},
    write::{Draft, FileTag},
};
use super::{ByteStream, MultipartId, ObjectMeta, PartTag, PendingMultipart, Storage, StorageError, Version};
use crate::{key::Key, timestamp::Timestamp};

/// Where drafts lie; no key begins with a dot.
const DRAFTS: &str = ".tmp";

/// A store in a local directory. Several processes may share it.
#[derive(Debug)]
pub struct DirectoryStorage {
    tree: Arc<Tree>,
}

/// Where things lie, and which of the folders are known to be durable.
#[derive(Debug)]
struct Tree {
    root: PathBuf,
    folders: Folders,
}

impl DirectoryStorage {
    /// Opens the store, making its root when that is missing.
    ///
    /// # Errors
    /// The root cannot be made or written.
    pub fn open(root: &Path) -> Result<Self, StorageError> {
        let failed = |error| from_io(&root.display(), error);
        fs::create_dir_all(root.join(DRAFTS)).map_err(failed)?;
        let root = root.canonicalize().map_err(failed)?;
        durable::sync_folder(&root).map_err(failed)?;
        if let Some(parent) = root.parent() {
            // The root's own name; a parent that we may pass but not read is the operator's to make durable.
            let _ = durable::sync_folder(parent);
        }
        Ok(Self { tree: Arc::new(Tree { folders: Folders::new(root.clone()), root }) })
    }
}

impl Tree {
    /// Only a `Key` that reads back (`readable`) becomes a path, so none leaves the root.
    fn object(&self, key: &Key) -> PathBuf {
        self.root.join(key.to_string())
    }

    fn drafts(&self, key: &Key) -> PathBuf {
        self.root.join(DRAFTS).join(key.to_string())
    }

    fn head(&self, key: &Key) -> Result<ObjectMeta, StorageError> {
        let metadata = fs::symlink_metadata(self.object(key)).map_err(|error| from_io(key, error))?;
        if !metadata.is_file() {
            return Err(StorageError::NotFound { key: key.to_string() });
        }
        Ok(describe(key.clone(), &metadata))
    }

    fn delete(&self, key: &Key) -> io::Result<()> {
        let path = self.object(key);
        match fs::remove_file(&path) {
            Ok(()) => durable::sync_folder(self.folders.prune(&path, &self.root)).or_else(absent_is_fine),
            Err(error) => absent_is_fine(error),
        }
    }

    fn abort(&self, key: &Key, upload: &MultipartId) -> io::Result<()> {
        let Some(path) = Draft::path(self, key, upload) else { return Ok(()) };
        fs::remove_file(&path).or_else(absent_is_fine)?;
        self.prune_drafts(&path);
        Ok(())
    }

    /// Removes the folders of a draft that is gone. Nothing is synced: a draft need not survive a power cut.
    fn prune_drafts(&self, draft: &Path) {
        self.folders.prune(draft, &self.root.join(DRAFTS));
    }
}

#[async_trait]
impl Storage for DirectoryStorage {
    fn service(&self) -> &'static str {
        "directory"
    }

    async fn head(&self, key: &Key) -> Result<ObjectMeta, StorageError> {
        self.blocking(key, |tree, key| tree.head(key)).await
    }

    async fn get(&self, key: &Key, range: Range<u64>, version: Option<&Version>) -> Result<ByteStream, StorageError> {
        let (version, room) = (version.cloned(), read::room_for(&range));
        let open = move |tree: &Tree, key: &Key| read::Reader::open(tree, key, range, version.as_ref(), room);
        Ok(self.blocking(key, open).await?.stream())
    }

    fn local_path(&self, key: &Key) -> Option<PathBuf> {
        readable(key).ok().map(|_| self.tree.object(key))
    }

    async fn put(&self, key: &Key, body: Bytes) -> Result<ObjectMeta, StorageError> {
        self.blocking(key, move |tree, key| {
            let draft = Draft::create(tree, key, body.len() as u64)?;
            let tag = draft.write(0, &[body])?;
            draft.publish(&[tag])
        })
        .await
    }

    async fn create_multipart(&self, key: &Key, part_size: u64) -> Result<MultipartId, StorageError> {
        self.blocking(key, move |tree, key| Draft::create(tree, key, part_size).map(Draft::keep)).await
    }

    async fn put_part(
        &self,
        key: &Key,
        upload: &MultipartId,
        number: u32,
        chunks: Vec<Bytes>,
    ) -> Result<PartTag, StorageError> {
        let upload = upload.clone();
        self.blocking(key, move |tree, key| {
            let draft = Draft::open(tree, key, &upload)?;
            let written = draft.write(number, &chunks);
            draft.keep();
            written.map(|tag| tag.text())
        })
        .await
    }

    async fn complete_multipart(
        &self,
        key: &Key,
        upload: &MultipartId,
        parts: Vec<PartTag>,
    ) -> Result<ObjectMeta, StorageError> {
        let upload = upload.clone();
        self.blocking(key, move |tree, key| {
            let tags = parts.iter().map(|tag| FileTag::parse(key, tag)).collect::<Result<Vec<_>, _>>()?;
            match Draft::open(tree, key, &upload) {
                Ok(draft) => draft.publish_or_keep(&tags),
                Err(StorageError::NotFound { .. }) => write::published_before(tree, key, &tags),
                Err(error) => Err(error),
            }
        })
        .await
    }

    async fn abort_multipart(&self, key: &Key, upload: &MultipartId) -> Result<(), StorageError> {
        let upload = upload.clone();
        self.blocking(key, move |tree, key| tree.abort(key, &upload).map_err(|error| from_io(key, error))).await
    }

    async fn list_multipart(&self, prefix: &str) -> Result<Vec<PendingMultipart>, StorageError> {
        let walk = Walk::new(self.tree.root.join(DRAFTS), prefix);
        walk.stream().try_filter_map(async |found| Ok(pending(&found))).try_collect().await
    }

    async fn copy(&self, from: &Key, to: &Key) -> Result<ObjectMeta, StorageError> {
        readable(from)?;
        let from = from.clone();
        self.blocking(to, move |tree, to| write::copy(tree, &from, to)).await
    }

    async fn delete(&self, key: &Key) -> Result<(), StorageError> {
        self.blocking(key, |tree, key| tree.delete(key).map_err(|error| from_io(key, error))).await
    }

    fn list(&self, prefix: &str) -> BoxStream<'static, Result<ObjectMeta, StorageError>> {
        let objects = Walk::new(self.tree.root.clone(), prefix)
            .stream()
            .try_filter_map(async |found| Ok(found.name.parse().ok().map(|key| describe(key, &found.metadata))));
        Box::pin(objects)
    }

    async fn ping(&self, timeout: Duration) -> Result<(), StorageError> {
        let folder = self.tree.root.join(DRAFTS);
        let looked = tokio::time::timeout(timeout, tokio::fs::read_dir(&folder)).await;
        let root = self.tree.root.display();
        looked
            .map_err(|_| StorageError::Timeout { key: root.to_string() })?
            .map(drop)
            .map_err(|error| from_io(&root, error))
    }
}

impl DirectoryStorage {
    /// File calls block; they run on the blocking pool, and go on there when the caller has left.
    async fn blocking<T: Send + 'static>(
        &self,
        key: &Key,
        work: impl FnOnce(&Tree, &Key) -> Result<T, StorageError> + Send + 'static,
    ) -> Result<T, StorageError> {
        let (tree, key) = (Arc::clone(&self.tree), key.clone());
        let name = readable(&key)?;
        let done = tokio::task::spawn_blocking(move || work(&tree, &key)).await;
        done.unwrap_or_else(|error| Err(StorageError::Failed { key: name, source: Box::new(error) }))
    }
}

/// The key's text, if it reads back as a key: a name put together by hand (`../x`) must not become a path.
fn readable(key: &Key) -> Result<String, StorageError> {
    let name = key.to_string();
    match name.parse::<Key>() {
        Ok(_) => Ok(name),
        Err(source) => Err(StorageError::Failed { key: name, source: Box::new(source) }),
    }
}

fn describe(key: Key, metadata: &fs::Metadata) -> ObjectMeta {
    ObjectMeta { key, size: metadata.len(), version: version(metadata), modified: modified(metadata) }
}

/// Inode, size and time. The time is set to the nanosecond when an object is published (`Draft::publish`), because the
/// kernel's own stamps come in ticks of milliseconds, within which an inode could be used twice. The time of the last
/// change of the inode is left out: a hard link changes it, and no byte.
fn version(metadata: &fs::Metadata) -> Version {
    let nanos = i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec());
    Version(format!("{:x}-{:x}-{nanos:x}", metadata.ino(), metadata.len()))
}

fn modified(metadata: &fs::Metadata) -> Timestamp {
    Timestamp(metadata.mtime() * 1_000 + metadata.mtime_nsec() / 1_000_000)
}

fn pending(found: &Found) -> Option<PendingMultipart> {
    let (key, upload) = found.name.rsplit_once('/')?;
    let upload = MultipartId(upload.to_owned());
    write::part_size(&upload)?;
    Some(PendingMultipart { key: key.parse().ok()?, upload, started: modified(&found.metadata) })
}

/// `NotADirectory` too: a name below a file is as absent as one below nothing.
fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn absent_is_fine(error: io::Error) -> io::Result<()> {
    if is_absent(&error) { Ok(()) } else { Err(error) }
}

fn from_io(key: &impl std::fmt::Display, error: io::Error) -> StorageError {
    let key = key.to_string();
    match error.kind() {
        _ if is_absent(&error) => StorageError::NotFound { key },
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StorageError::Full { key },
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => StorageError::Denied { key },
        _ => StorageError::Failed { key, source: Box::new(error) },
    }
}

/// A failure that no system call reported.
fn broken(key: &Key, what: impl Into<String>) -> StorageError {
    StorageError::Failed { key: key.to_string(), source: Box::new(io::Error::other(what.into())) }
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt;

    use super::*;
    use crate::ids::{FileId, OrgId};

    fn output(name: &str) -> Key {
        Key::Output { org: OrgId::new("acme"), file: FileId::new(), generation: 1, attempt: 1, name: name.to_owned() }
    }

    fn files_below(folder: &Path) -> usize {
        let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
        entries.map(|entry| if entry.path().is_dir() { files_below(&entry.path()) } else { 1 }).sum()
    }

    #[tokio::test]
    async fn a_name_made_by_hand_cannot_leave_the_root() {
        let root = tempfile::tempdir().unwrap();
        let store = DirectoryStorage::open(&root.path().join("objects")).unwrap();
        let key = output("../../../../../../outside");
        assert!(store.put(&key, Bytes::from_static(b"x")).await.is_err());
        assert!(store.copy(&key, &output("x")).await.is_err());
        assert_eq!(files_below(root.path()), 0);
    }

    #[tokio::test]
    async fn a_stranger_s_upload_id_names_no_file() {
        let root = tempfile::tempdir().unwrap();
        let store = DirectoryStorage::open(root.path()).unwrap();
        let key = output("720p.mp4");
        store.put(&key, Bytes::from_static(b"x")).await.unwrap();
        for id in ["../../../../../720p.mp4", "5-../x", "", "5-"] {
            let id = MultipartId(id.to_owned());
            store.abort_multipart(&key, &id).await.unwrap();
            let part = store.put_part(&key, &id, 0, vec![Bytes::from_static(b"y")]).await;
            assert!(matches!(part, Err(StorageError::NotFound { .. })), "{id:?}");
        }
        assert_eq!(store.head(&key).await.unwrap().size, 1);
    }

    #[tokio::test]
    async fn an_object_that_shrinks_under_the_reader_is_an_error_not_zeros() {
        let root = tempfile::tempdir().unwrap();
        let store = DirectoryStorage::open(root.path()).unwrap();
        let key = output("720p.mp4");
        store.put(&key, Bytes::from(vec![1; 2_000_000])).await.unwrap();
        let mut body = store.get(&key, 0..2_000_000, None).await.unwrap();
        fs::OpenOptions::new().write(true).open(root.path().join(key.to_string())).unwrap().set_len(600_000).unwrap();
        let mut seen = 0;
        while let Some(chunk) = body.next().await {
            let Ok(chunk) = chunk else { return };
            assert!(chunk.iter().all(|byte| *byte == 1));
            seen += chunk.len();
        }
        panic!("the stream ended well after {seen} bytes");
    }

    #[tokio::test]
    async fn a_part_that_was_never_stored_cannot_be_completed_over() {
        let root = tempfile::tempdir().unwrap();
        let store = DirectoryStorage::open(root.path()).unwrap();
        let key = output("720p.mp4");
        let upload = store.create_multipart(&key, 4).await.unwrap();
        let last = store.put_part(&key, &upload, 1, vec![Bytes::from_static(b"89")]).await.unwrap();
        for tags in [vec![last.clone()], vec![PartTag("0:2".to_owned()), last], vec![PartTag("0:9".to_owned())]] {
            assert!(store.complete_multipart(&key, &upload, tags).await.is_err());
        }
        assert!(matches!(store.head(&key).await, Err(StorageError::NotFound { .. })));
        assert!(store.put_part(&key, &upload, 0, vec![Bytes::from_static(b"12345")]).await.is_err());
    }

    #[test]
    fn a_full_disk_and_a_used_up_quota_are_full() {
        for (number, full) in [(28, true), (122, true), (5, false), (2, false)] {
            let error = from_io(&"x", io::Error::from_raw_os_error(number));
            assert_eq!(matches!(error, StorageError::Full { .. }), full, "{number}");
        }
    }

    #[tokio::test]
    async fn a_failed_put_leaves_no_file() {
        let root = tempfile::tempdir().unwrap();
        let store = DirectoryStorage::open(root.path()).unwrap();
        let key = output("720p.mp4");
        // A folder in the object's place makes the rename fail.
        fs::create_dir_all(root.path().join(key.to_string()).join("in-the-way")).unwrap();
        assert!(store.put(&key, Bytes::from_static(b"x")).await.is_err());
        assert_eq!(files_below(root.path()), 0);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn puts_and_deletes_in_one_folder_do_not_disturb_each_other() {
        let root = tempfile::tempdir().unwrap();
        let store = Arc::new(DirectoryStorage::open(root.path()).unwrap());
        let file = FileId::new();
        let busy = (0..8).map(|number| {
            let store = Arc::clone(&store);
            let key = Key::Output { org: OrgId::new("acme"), file, generation: 1, attempt: number, name: "a".into() };
            tokio::spawn(async move {
                for _ in 0..20 {
                    store.put(&key, Bytes::from_static(b"x")).await.unwrap();
                    store.head(&key).await.unwrap();
                    store.delete(&key).await.unwrap();
                }
            })
        });
        for task in busy.collect::<Vec<_>>() {
            task.await.unwrap();
        }
        assert_eq!(files_below(root.path()), 0);
        assert!(!root.path().join("media").exists(), "empty folders stay");
    }
}
