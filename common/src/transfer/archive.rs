//! A deployment as a folder: `manifest.json`, `objects.jsonl` (each object with size and SHA-256), `rows/{table}.jsonl`, and the objects
//! themselves below `objects/`, named as in a store. The manifest is written last and bears the digest of every list, so a folder without
//! one, or with another one, is no archive. It holds no key and no readable secret.

mod lines;

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering},
};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream, stream::BoxStream};
use serde::{Deserialize, Serialize};

use self::lines::{Digested, Lines, pages};
use super::{
    Copied, Live, Origin, Tally, TransferError, Wanted,
    copy::{copy_object, digest},
};
use crate::{
    backends::deployment_of,
    crash,
    db::{Row, Table},
    key::Key,
    storage::{SharedStorage, file::DirectoryStorage},
    timestamp::Timestamp,
};

/// Raised when an older build could not read what a newer one writes.
const FORMAT: u32 = 1;
const MANIFEST: &str = "manifest.json";

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Manifest {
    format: u32,
    /// Version of the build that wrote it.
    reelgate: String,
    deployment: String,
    exported_at: Timestamp,
    migrations: Vec<String>,
    objects: Digested,
    tables: BTreeMap<String, Digested>,
}

/// A line of `objects.jsonl`.
#[derive(Debug, Serialize, Deserialize)]
struct ObjectLine {
    key: String,
    size: u64,
    sha256: String,
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> TransferError {
    let path = path.display().to_string();
    |source| TransferError::Disk { path, source }
}

fn rows_path(folder: &Path, table: Table) -> PathBuf {
    folder.join("rows").join(format!("{table}.jsonl"))
}

fn objects_path(folder: &Path) -> PathBuf {
    folder.join("objects.jsonl")
}

/// A folder that becomes an archive.
pub struct ArchiveWriter {
    folder: PathBuf,
    storage: SharedStorage,
}

impl ArchiveWriter {
    /// Makes the folder, or goes on in that of an export of the same deployment that was cut short.
    ///
    /// # Errors
    /// The folder has other things in it, is a finished archive, or cannot be written.
    pub async fn open(folder: &Path, of: &Live) -> Result<Self, TransferError> {
        if folder.join(MANIFEST).exists() {
            return Err(TransferError::Archive(format!("{} is a finished archive", folder.display())));
        }
        fs::create_dir_all(folder.join("rows")).map_err(failed(folder))?;
        let storage: SharedStorage = Arc::new(DirectoryStorage::open(&folder.join("objects"))?);
        let mark = format!("archive of {}", of.name());
        match deployment_of(&storage).await? {
            None => drop(storage.put(&Key::Deployment, Bytes::from(mark)).await?),
            Some(found) if found == mark => {}
            Some(found) => return Err(TransferError::Archive(format!("{} has the {found}", folder.display()))),
        }
        for pending in storage.list_multipart("").await? {
            storage.abort_multipart(&pending.key, &pending.upload).await?;
        }
        Ok(Self { folder: folder.to_owned(), storage })
    }

    /// Writes everything; objects that are there already are read and not written.
    ///
    /// # Errors
    /// The deployment is served, something is away, or the folder cannot be written.
    pub async fn write(&self, origin: &Live, at_once: usize, tally: &Tally) -> Result<(), TransferError> {
        origin.is_still().await?;
        let objects = self.write_objects(origin, at_once, tally).await?;
        let mut tables = BTreeMap::new();
        for table in Table::ALL {
            tables.insert(table.to_string(), self.write_rows(origin, *table, tally).await?);
        }
        origin.is_still().await?;
        let manifest = Manifest {
            format: FORMAT,
            reelgate: env!("CARGO_PKG_VERSION").to_owned(),
            deployment: origin.deployment().to_owned(),
            exported_at: Timestamp::now(),
            migrations: origin.migrations().to_vec(),
            objects,
            tables,
        };
        self.finish(&manifest)
    }

    async fn write_objects(&self, origin: &Live, at_once: usize, tally: &Tally) -> Result<Digested, TransferError> {
        let copies = origin.objects().map_ok(|wanted| async move {
            let copied = copy_object(origin.storage(), &self.storage, &wanted).await?;
            tally.note(&wanted, &copied);
            let (size, sha256) = match copied {
                Copied::Missing => return Ok(None),
                Copied::Now { size, sha256 } => (size, sha256),
                Copied::There { size } => (size, digest(&self.storage, &self.storage.head(&wanted.key).await?).await?),
            };
            if wanted.sha256.is_some_and(|expected| expected != sha256) {
                return Err(TransferError::Damaged { key: wanted.key.to_string() });
            }
            Ok(Some(ObjectLine { key: wanted.key.to_string(), size, sha256 }))
        });
        let mut copies = copies.try_buffer_unordered(at_once.max(1));
        let mut lines = Lines::create(&objects_path(&self.folder))?;
        while let Some(copied) = copies.try_next().await? {
            if let Some(line) = copied {
                lines.write(&line)?;
            }
        }
        lines.finish()
    }

    async fn write_rows(&self, origin: &Live, table: Table, tally: &Tally) -> Result<Digested, TransferError> {
        let mut lines = Lines::create(&rows_path(&self.folder, table))?;
        let mut pages = origin.rows(table);
        while let Some(page) = pages.try_next().await? {
            tally.rows.fetch_add(page.len() as u64, Ordering::Relaxed);
            for row in page {
                lines.write(&row)?;
            }
        }
        crash::point("export-table");
        lines.finish()
    }

    fn finish(&self, manifest: &Manifest) -> Result<(), TransferError> {
        let (path, draft) = (self.folder.join(MANIFEST), self.folder.join("manifest.draft"));
        let text = serde_json::to_vec_pretty(manifest).map_err(|error| TransferError::Archive(error.to_string()))?;
        let written = fs::write(&draft, text)
            .and_then(|()| fs::File::open(&draft)?.sync_all())
            .and_then(|()| fs::rename(&draft, &path))
            .and_then(|()| fs::File::open(&self.folder)?.sync_all());
        written.map_err(failed(&path))
    }
}

/// A finished one.
pub struct Archive {
    folder: PathBuf,
    manifest: Manifest,
    storage: SharedStorage,
}

impl Archive {
    /// Opens an archive and holds each of its lists against the manifest.
    ///
    /// # Errors
    /// It is none, of a newer format, or was changed.
    pub async fn open(folder: &Path) -> Result<Self, TransferError> {
        let path = folder.join(MANIFEST);
        let text = fs::read_to_string(&path).map_err(failed(&path))?;
        let unusable = |what: String| TransferError::Archive(format!("{}: {what}", path.display()));
        let manifest: Manifest = serde_json::from_str(&text).map_err(|error| unusable(error.to_string()))?;
        if manifest.format != FORMAT {
            return Err(unusable(format!("its format is {}, and this build reads {FORMAT}", manifest.format)));
        }
        let storage: SharedStorage = Arc::new(DirectoryStorage::open(&folder.join("objects"))?);
        let archive = Self { folder: folder.to_owned(), manifest, storage };
        archive.check().await?;
        Ok(archive)
    }

    async fn check(&self) -> Result<(), TransferError> {
        let mut lists = vec![(objects_path(&self.folder), self.manifest.objects.clone())];
        for table in Table::ALL {
            let expected = self.manifest.tables.get(table.as_str()).cloned();
            let expected = expected.ok_or_else(|| TransferError::Archive(format!("it has no table {table}")))?;
            lists.push((rows_path(&self.folder, *table), expected));
        }
        let check = move || lists.iter().try_for_each(|(path, expected)| lines::check(path, expected));
        tokio::task::spawn_blocking(check).await.map_err(|error| TransferError::Archive(error.to_string()))?
    }
}

#[async_trait]
impl Origin for Archive {
    fn name(&self) -> String {
        format!("archive of deployment {} as of {}", self.manifest.deployment, self.manifest.exported_at)
    }

    fn migrations(&self) -> &[String] {
        &self.manifest.migrations
    }

    async fn is_still(&self) -> Result<(), TransferError> {
        Ok(())
    }

    fn storage(&self) -> &SharedStorage {
        &self.storage
    }

    fn objects(&self) -> BoxStream<'_, Result<Wanted, TransferError>> {
        let wanted = |line: ObjectLine| {
            let key = line.key.parse().map_err(|error| TransferError::Archive(format!("objects.jsonl: {error}")))?;
            Ok(Wanted { key, size: Some(line.size), sha256: Some(line.sha256) })
        };
        let pages = pages::<ObjectLine>(objects_path(&self.folder));
        pages.map_ok(move |page| stream::iter(page.into_iter().map(wanted))).try_flatten().boxed()
    }

    fn rows(&self, table: Table) -> BoxStream<'_, Result<Vec<Row>, TransferError>> {
        pages(rows_path(&self.folder, table))
    }
}
