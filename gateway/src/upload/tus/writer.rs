//! Bytes of one request on their way into the store: whole parts as they fill, what is left behind them as an object of its own. What was
//! stored is said in the row part by part, under the number with which this request began; with a checksum only when it holds.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::TryStreamExt;
use reelgate_common::{
    backends::Backends,
    resumable::{Hold, Resumable, Stored},
    storage::{MultipartId, PartTag, StorageError},
};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{digest::Running, error::TusError};
use crate::upload::{Uploads, error::UploadError, gather::Gather, live::Course};

pub(super) struct Writer {
    backends: Backends,
    /// As the row has it.
    upload: Resumable,
    /// Of all parts that are in the store, those included that the row does not know yet.
    tags: Vec<PartTag>,
    /// As far as the parts in the store go.
    reached: Stored,
    gather: Gather,
    digest: Running,
    bytes: u64,
    writing: Option<Writing>,
    /// Nothing is said before the end.
    silent: bool,
    /// How long an upload lives that is added to.
    lasts: Duration,
    /// Tails that newer ones stand for.
    outdated: Vec<i64>,
    course: Arc<Course>,
}

/// A part on its way, and how far the upload is with it.
struct Writing {
    write: JoinHandle<Result<PartTag, StorageError>>,
    bytes: u64,
    digest: String,
}

impl Writer {
    /// Goes on where the upload has got to. The tail is read back: it begins the next part.
    pub(super) async fn resume(
        uploads: &Uploads,
        backends: &Backends,
        hold: Hold,
        (silent, lasts): (bool, Duration),
    ) -> Result<Self, TusError> {
        let Hold { resumable: upload, tags } = hold;
        let part_bytes = usize::try_from(upload.part_bytes).unwrap_or(usize::MAX);
        let digest = Running::from_state(&upload.stored.digest).ok_or(TusError::Damaged)?;
        let whole_parts = u64::from(upload.stored.parts) * upload.part_bytes;
        let reached = Stored { bytes: whole_parts, tail: None, ..upload.stored.clone() };
        let mut writer = Self {
            backends: backends.clone(),
            bytes: upload.stored.bytes,
            tags,
            reached,
            gather: Gather::new(&uploads.budget, &uploads.blocks, part_bytes),
            digest,
            writing: None,
            silent,
            lasts,
            outdated: Vec::new(),
            course: uploads.live.course(upload.file_id),
            upload,
        };
        writer.course.expect(writer.upload.length.unwrap_or(0));
        writer.read_tail().await?;
        Ok(writer)
    }

    /// Bytes received, stored or not.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn upload(&self) -> &Resumable {
        &self.upload
    }

    /// Ends when this upload must make room for others.
    pub(super) fn eviction(&self) -> CancellationToken {
        self.gather.account().eviction()
    }

    /// The length that was said with this request.
    pub(super) fn declare(&mut self, length: u64) {
        self.course.expect(length);
        self.upload.length = Some(length);
    }

    async fn read_tail(&mut self) -> Result<(), TusError> {
        let tail = self.upload.stored.tail_bytes(self.upload.part_bytes);
        let Some(number) = self.upload.stored.tail.filter(|_| tail > 0) else { return Ok(()) };
        let key = self.upload.tail_key(number);
        let mut stream = self.backends.storage.get(&key, 0..tail, None).await?;
        while let Some(mut chunk) = stream.try_next().await? {
            while !chunk.is_empty() && self.gather.take_from(&mut chunk).await? {}
        }
        Ok(())
    }

    pub(super) async fn write(&mut self, mut data: Bytes) -> Result<(), TusError> {
        self.say_what_is_stored().await?;
        while !data.is_empty() {
            let before = data.clone();
            self.gather.take_from(&mut data).await?;
            let taken = before.len() - data.len();
            self.digest.update(&before[..taken]);
            self.bytes += taken as u64;
            self.course.reached(self.bytes);
            if self.gather.is_full() {
                self.flush().await?;
            }
        }
        Ok(())
    }

    /// Sends the gathered part on its way while the next one is gathered. One part is under way at a time.
    async fn flush(&mut self) -> Result<(), TusError> {
        let multipart = self.multipart().await?;
        self.settle_part(!self.silent).await?;
        let number = self.reached.parts;
        let gathered = self.gather.finish_part();
        let (storage, key) = (self.backends.storage.clone(), self.upload.key());
        let write = tokio::spawn(async move {
            let tag = storage.put_part(&key, &multipart, number, gathered.chunks).await;
            drop(gathered.charge);
            tag
        });
        self.writing = Some(Writing { write, bytes: self.bytes, digest: self.digest.state() });
        Ok(())
    }

    /// A part that is in the store is said at once, not when the next one is full: who dies now costs the client less.
    async fn say_what_is_stored(&mut self) -> Result<(), TusError> {
        let is_stored = self.writing.as_ref().is_some_and(|writing| writing.write.is_finished());
        if is_stored && !self.silent { self.settle_part(true).await } else { Ok(()) }
    }

    /// The store's id of the upload; asked for with the first full part, and in the row before anything is sent.
    async fn multipart(&mut self) -> Result<MultipartId, TusError> {
        if let Some(multipart) = &self.reached.multipart {
            return Ok(multipart.clone());
        }
        let (key, part_bytes) = (self.upload.key(), self.upload.part_bytes);
        let multipart = self.backends.storage.create_multipart(&key, part_bytes).await?;
        let (file, fence) = (self.upload.file_id, self.upload.fence);
        match self.backends.db.set_resumable_multipart(file, fence, &multipart).await {
            Ok(true) => {}
            Ok(false) => {
                self.backends.storage.abort_multipart(&key, &multipart).await?;
                return Err(TusError::TakenOver);
            }
            Err(error) => {
                // It may be in the row or not: without it nobody would ever find it, and with it nobody misses it.
                let _ = self.backends.storage.abort_multipart(&key, &multipart).await;
                return Err(error.into());
            }
        }
        self.upload.stored.multipart = Some(multipart.clone());
        self.reached.multipart = Some(multipart.clone());
        Ok(multipart)
    }

    /// Waits for the part under way, and says that it is stored if `say`.
    async fn settle_part(&mut self, say: bool) -> Result<(), TusError> {
        let Some(Writing { write, bytes, digest }) = self.writing.take() else { return Ok(()) };
        let tag = write.await.map_err(|_| UploadError::Internal)??;
        self.tags.truncate(self.reached.parts as usize);
        self.tags.push(tag);
        self.reached.parts += 1;
        (self.reached.bytes, self.reached.digest) = (bytes, digest);
        if say { self.say(self.reached.clone(), false).await } else { Ok(()) }
    }

    /// Tells the row what is stored.
    async fn say(&mut self, stored: Stored, release: bool) -> Result<(), TusError> {
        let (file, fence, known) = (self.upload.file_id, self.upload.fence, self.upload.stored.parts);
        let new = &self.tags[(known as usize).min(self.tags.len())..stored.parts as usize];
        let told = self.backends.db.advance_resumable(file, fence, &stored, (known, new), self.lasts, release).await?;
        if !told {
            return Err(TusError::TakenOver);
        }
        let before = self.upload.stored.tail.filter(|tail| stored.tail != Some(*tail));
        self.outdated.extend(before);
        self.upload.stored = stored;
        Ok(())
    }

    /// Stores all that was received and says so; with `release` somebody else may go on. Returns what the row says.
    pub(super) async fn save(&mut self, release: bool) -> Result<(), TusError> {
        self.settle_part(false).await?;
        let stored = if self.bytes == self.upload.stored.bytes {
            self.upload.stored.clone()
        } else if self.gather.is_empty() {
            self.reached.clone()
        } else if self.upload.length == Some(self.bytes) && self.reached.parts > 0 {
            self.flush().await?;
            self.settle_part(false).await?;
            self.reached.clone()
        } else {
            self.store_tail().await?
        };
        self.say(stored, release).await?;
        self.drop_outdated().await;
        Ok(())
    }

    async fn store_tail(&mut self) -> Result<Stored, TusError> {
        let number = self.upload.fence;
        let (tail, charge) = self.gather.finish_part().into_whole();
        let put = self.backends.storage.put(&self.upload.tail_key(number), tail).await;
        drop(charge);
        put?;
        Ok(Stored { bytes: self.bytes, tail: Some(number), digest: self.digest.state(), ..self.reached.clone() })
    }

    /// Nothing of this request counts; somebody else may go on from where it began.
    pub(super) async fn discard(mut self) -> Result<(), TusError> {
        if let Some(Writing { write, .. }) = self.writing.take() {
            drop(write.await);
        }
        let stored = Stored { multipart: self.reached.multipart.clone(), ..self.upload.stored.clone() };
        self.say(stored, true).await
    }

    /// What cannot be deleted now is deleted with the upload's other objects when it ends.
    async fn drop_outdated(&mut self) {
        for number in std::mem::take(&mut self.outdated) {
            let _ = self.backends.storage.delete(&self.upload.tail_key(number)).await;
        }
    }

    /// The upload, whole and held, with the tags of its parts.
    pub(super) fn into_hold(self) -> Hold {
        Hold { resumable: self.upload, tags: self.tags }
    }
}
