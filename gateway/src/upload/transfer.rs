//! One file on its way: row first, then parts to `staging/`, then one transaction that makes it a file.

use std::sync::Arc;

use bytes::Bytes;
use reelgate_common::{
    auth::Caller,
    backends::Backends,
    db::{Created, FileWithRenditions, NewFile},
    hex::hex,
    ids::{FileId, OrgId},
    key::Key,
    labels::Labels,
    quota::{Excess, Quota},
    step,
    storage::{MultipartId, ObjectMeta, PartTag, StorageError},
    timestamp::Timestamp,
};
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, Span, field::Empty};

use super::{
    Uploads,
    accept::{self, Received},
    cleanup::Cleanup,
    error::UploadError,
    gather::Gather,
    live::Course,
    location,
    multipart::PartHead,
    repeat::Repeat,
    sniff::SNIFF_BYTES,
    tus::checksum::repr_sha256,
};

/// What a file that begins is.
pub(crate) enum Begun {
    New(Box<Transfer>),
    Repeats(Box<Repeat>),
}

/// Dropped before `finish` has succeeded, it undoes itself.
pub(crate) struct Transfer {
    backends: Backends,
    org: OrgId,
    file: FileId,
    filename: String,
    claimed: Option<String>,
    key: Key,
    max_bytes: u64,
    /// Bytes that the organisation might have more when this began; it is asked again at the end.
    room: u64,
    quota: Quota,
    part_bytes: u64,
    gather: Gather,
    digest: Sha256,
    /// What the client says that is.
    wanted: Option<[u8; 32]>,
    /// First bytes, for the sniff.
    head: Vec<u8>,
    size: u64,
    multipart: Option<MultipartId>,
    tags: Vec<PartTag>,
    cleanup: Cleanup,
    course: Arc<Course>,
    /// Until the last byte has come.
    receiving: Span,
}

impl Transfer {
    /// Writes the row, unless there is one with that key. Of the request: its length, if it says one, the file's key, if it bears one,
    /// and what it says of its files.
    pub(crate) async fn begin(
        uploads: &Uploads,
        backends: &Backends,
        caller: &Caller,
        head: &PartHead,
        (length, repeat_key, labels): (Option<u64>, Option<String>, Labels),
    ) -> Result<Begun, UploadError> {
        let file = FileId::new();
        let org = caller.org.clone();
        let filename = location::display_name(head.filename.as_deref().unwrap_or_default());
        let key = Key::Staging { org: org.clone(), file };
        let new = NewFile {
            id: file,
            org_id: org.clone(),
            owner_id: caller.user.clone(),
            location: location::location(Timestamp::now(), file, &filename),
            filename: filename.clone(),
            staging_key: key.clone(),
            repeat_key,
            labels,
        };
        let alive = uploads.live.enter(file, &org);
        let course = uploads.live.course(file);
        let mut cleanup = Cleanup::arm(backends.clone(), org.clone(), file, uploads.cleanups.clone(), alive);
        let max_bytes = uploads.config.max_file_bytes;
        let wanted = match head.digest.as_deref().map(repr_sha256) {
            None => None,
            Some(Ok(wanted)) => wanted,
            Some(Err(_)) => {
                cleanup.disarm();
                return Err(UploadError::BadDigest);
            }
        };
        match backends.db.create_file_within(&new, uploads.quota).await? {
            Created::New => {}
            Created::OverQuota(excess) => {
                cleanup.disarm();
                return Err(UploadError::OverQuota(excess));
            }
            Created::Repeats(first) => {
                cleanup.disarm();
                let repeat = Repeat::new(backends.db.clone(), org, first, filename, max_bytes);
                return Ok(Begun::Repeats(Box::new(repeat)));
            }
        }
        let room = room(uploads, backends, &org).await?;
        let part_bytes = uploads.config.part_bytes(length);
        Ok(Begun::New(Box::new(Self {
            backends: backends.clone(),
            org,
            file,
            filename,
            claimed: head.content_type.clone(),
            key,
            max_bytes,
            room,
            quota: uploads.quota,
            part_bytes,
            gather: Gather::new(&uploads.budget, &uploads.blocks, usize::try_from(part_bytes).unwrap_or(usize::MAX)),
            digest: Sha256::new(),
            wanted,
            head: Vec::new(),
            size: 0,
            multipart: None,
            tags: Vec::new(),
            cleanup,
            course,
            receiving: step!("receive", file.id = %file, reelgate.size_bytes = Empty),
        })))
    }

    pub(crate) fn filename(&self) -> &str {
        &self.filename
    }

    /// Ends when this upload must make room for others.
    pub(crate) fn eviction(&self) -> CancellationToken {
        self.gather.account().eviction()
    }

    /// Takes the next bytes of the file. The digest runs here: chunks are at most some hundred KiB, a fraction of a
    /// millisecond of SHA-256, and every chunk comes from a socket read, which yields to the runtime.
    pub(crate) async fn write(&mut self, mut data: Bytes) -> Result<(), UploadError> {
        self.size += data.len() as u64;
        self.course.reached(self.size);
        if self.size > self.max_bytes {
            return Err(UploadError::FileTooLarge { limit: self.max_bytes });
        }
        if self.size > self.room {
            return Err(UploadError::OverQuota(Excess::Bytes));
        }
        self.digest.update(&data);
        let wanted = SNIFF_BYTES.saturating_sub(self.head.len()).min(data.len());
        self.head.extend_from_slice(&data[..wanted]);
        while !data.is_empty() {
            self.gather.take_from(&mut data).await?;
            if self.gather.is_full() {
                self.flush().await?;
            }
        }
        Ok(())
    }

    /// Sends the gathered part on its way while the next one is gathered. One part is under way at a time.
    async fn flush(&mut self) -> Result<(), UploadError> {
        let multipart = self.multipart().await?;
        self.settle_part().await?;
        let number = u32::try_from(self.tags.len()).map_err(|_| UploadError::Internal)?;
        let gathered = self.gather.finish_part();
        let (storage, key) = (self.backends.storage.clone(), self.key.clone());
        let write = tokio::spawn(async move {
            let tag = storage.put_part(&key, &multipart, number, gathered.chunks).await;
            drop(gathered.charge);
            tag
        });
        self.cleanup.set_writing(write);
        Ok(())
    }

    /// The store's id of the upload; asked for with the first full part, and in the row before anything is sent.
    async fn multipart(&mut self) -> Result<MultipartId, UploadError> {
        if let Some(multipart) = &self.multipart {
            return Ok(multipart.clone());
        }
        let multipart = self.backends.storage.create_multipart(&self.key, self.part_bytes).await?;
        self.cleanup.set_multipart(multipart.clone());
        self.backends.db.set_multipart(self.file, &multipart).await?;
        self.multipart = Some(multipart.clone());
        Ok(multipart)
    }

    /// Waits for the part under way.
    async fn settle_part(&mut self) -> Result<(), UploadError> {
        let Some(write) = self.cleanup.writing() else { return Ok(()) };
        let outcome = write.await;
        self.cleanup.written();
        let tag = outcome.map_err(|_| UploadError::Internal)??;
        self.tags.push(tag);
        Ok(())
    }

    /// After the last byte: the object, then the row. Runs in a task of its own, so that a client which leaves at this
    /// moment cannot stop it half-way.
    pub(crate) async fn finish(mut self) -> Result<FileWithRenditions, UploadError> {
        self.receiving.record("reelgate.size_bytes", self.size);
        drop(std::mem::replace(&mut self.receiving, Span::none()));
        tokio::spawn(self.complete().in_current_span()).await.map_err(|_| UploadError::Internal)?
    }

    async fn complete(mut self) -> Result<FileWithRenditions, UploadError> {
        if self.wanted.is_some_and(|wanted| self.digest.clone().finalize()[..] != wanted) {
            return Err(UploadError::DigestMismatch);
        }
        if self.quota.is_set() {
            let reserved = self.backends.db.reserve_bytes(&self.org, self.file, self.size, self.quota).await?;
            reserved.map_err(UploadError::OverQuota)?;
        }
        let storing = step!("store", file.id = %self.file, reelgate.size_bytes = self.size);
        let object = self.store_last().instrument(storing).await?;
        let received = Received {
            org: &self.org,
            file: self.file,
            filename: &self.filename,
            claimed: self.claimed.as_deref(),
            head: &self.head,
            sha256: hex(&std::mem::take(&mut self.digest).finalize()),
            object,
        };
        let outcome = received.commit(&self.backends).await;
        // Unless it is certain that the row is not staged, the object must stay: the sweeper decides by the row.
        if !matches!(outcome, Err(UploadError::Closed)) {
            self.cleanup.disarm();
        }
        Ok(outcome?.announce(&self.backends).await)
    }

    async fn store_last(&mut self) -> Result<ObjectMeta, UploadError> {
        let attempt = self.try_store_last().await?;
        accept::stored(self.backends.storage.as_ref(), &self.key, self.size, attempt).await
    }

    /// The inner result is of the request that makes the object.
    async fn try_store_last(&mut self) -> Result<Result<ObjectMeta, StorageError>, UploadError> {
        if self.multipart.is_none() {
            let (whole, charge) = self.gather.finish_part().into_whole();
            let outcome = self.backends.storage.put(&self.key, whole).await;
            drop(charge);
            return Ok(outcome);
        }
        if !self.gather.is_empty() {
            self.flush().await?;
        }
        self.settle_part().await?;
        let multipart = self.multipart().await?;
        let tags = std::mem::take(&mut self.tags);
        Ok(self.backends.storage.complete_multipart(&self.key, &multipart, tags).await)
    }
}

/// Bytes that the organisation may have more.
async fn room(uploads: &Uploads, backends: &Backends, org: &OrgId) -> Result<u64, UploadError> {
    if uploads.quota.bytes == 0 {
        return Ok(u64::MAX);
    }
    Ok(uploads.quota.room(backends.db.usage(org).await?))
}
