//! A file that is put together of pieces. They are read and written again as one upload, for parts of a store must be of one size, and the
//! file's digest is that of all its bytes. It is an upload like any other while that lasts: any gateway goes on with it.

use std::time::Duration;

use futures_util::TryStreamExt;
use reelgate_common::resumable::{Hold, Resumable, Role};
use tokio::time::{sleep, timeout};

use super::{
    Desk, Secret, answer,
    error::TusError,
    metadata::Metadata,
    take::{Outcome, Taken},
    tokens::Warrant,
    writer::Writer,
};
use crate::{respond::Response, upload::error::UploadError};

/// How long a client waits for its file; then it hears that it is being put together.
const PATIENCE: Duration = Duration::from_secs(25);
const LOOK: Duration = Duration::from_millis(200);
/// Who has not said for so many times that it lives is dead.
const TOUCHES: u32 = 3;

impl Desk {
    /// Who asks again, for whatever reason, is answered with the same upload.
    pub(super) async fn put_together(
        self,
        warrant: &Warrant,
        pieces: &[Secret],
        metadata: &Metadata,
    ) -> Result<Response, TusError> {
        let secret = Secret::of_pieces(pieces);
        if self.db().find_resumable(&secret.digest()).await?.is_none() {
            let inserted = self.insert_final(&secret, warrant, pieces, metadata).await;
            // Who asked at the same moment may have used the pieces, for the same file.
            if inserted.is_err() && self.db().find_resumable(&secret.digest()).await?.is_none() {
                inserted?;
            }
        }
        let assembled = self.clone().assemble_beside(secret.digest(), true);
        match timeout(PATIENCE, assembled).await {
            Ok(Ok(outcome)) => outcome?,
            Ok(Err(_)) => return Err(UploadError::Internal.into()),
            Err(_) => return Err(TusError::Assembling),
        }
        let upload = self.find(&secret).await?;
        if !upload.finished {
            return Err(TusError::Assembling);
        }
        let mut response = answer::created(&secret, &upload);
        let file = self.db().find_file(&upload.org_id, upload.file_id).await?;
        answer::set_digest(&mut response, file.as_ref().map(|file| file.file.sha256.as_str()));
        Ok(response)
    }

    async fn insert_final(
        &self,
        secret: &Secret,
        warrant: &Warrant,
        pieces: &[Secret],
        metadata: &Metadata,
    ) -> Result<(), TusError> {
        let addresses: Vec<String> = pieces.iter().map(Secret::digest).collect();
        let found = self.db().find_partials(&addresses).await?;
        let found: Option<Vec<Resumable>> = found.into_iter().collect();
        let usable =
            |piece: &Resumable| piece.finished && piece.role == Role::Partial && piece.org_id == warrant.caller.org;
        let found = found.filter(|found| found.iter().all(usable)).ok_or(TusError::Pieces)?;
        let length = found.iter().try_fold(0u64, |sum, piece| sum.checked_add(piece.stored.bytes));
        let mut new = self.new_upload(secret, &warrant.caller, Role::Final, metadata);
        new.max_bytes = new.max_bytes.min(warrant.max_bytes);
        let limit = new.max_bytes;
        let length = length.filter(|length| *length <= limit).ok_or(UploadError::FileTooLarge { limit })?;
        new.length = Some(length);
        new.part_bytes = self.uploads().config.part_bytes(Some(length));
        new.sources = found.iter().map(|piece| piece.file_id).collect();
        self.insert(&new, warrant.token.as_deref()).await.map(drop)
    }

    /// Puts it together, or goes on with that, in a task that outlives the request. While somebody else does it they are left alone; with
    /// `wait` the task ends with theirs.
    pub(super) fn assemble_beside(self, address: String, wait: bool) -> tokio::task::JoinHandle<Result<(), TusError>> {
        let app = self.app.clone();
        app.uploads.cleanups.spawn(async move { self.assemble(&address, wait).await })
    }

    async fn assemble(&self, address: &str, wait: bool) -> Result<(), TusError> {
        loop {
            let found = self.db().find_resumable(address).await?.ok_or(TusError::NotFound)?;
            if found.finished {
                return Ok(());
            }
            let silence = self.uploads().config.touch() * TOUCHES;
            if !found.held || self.db().is_silent(&found.org_id, found.file_id, silence).await? {
                match self.take_and_join(address).await {
                    // Two may have begun at once: the one that has it now is waited for.
                    Err(TusError::TakenOver) if !self.app.draining.is_cancelled() => {}
                    done => return done,
                }
            }
            if !wait || self.app.draining.is_cancelled() {
                return Ok(());
            }
            sleep(LOOK).await;
        }
    }

    async fn take_and_join(&self, address: &str) -> Result<(), TusError> {
        match self.take_digest(address).await? {
            Outcome::Finished(_) => Ok(()),
            Outcome::Taken(taken) => self.join(*taken).await,
        }
    }

    async fn join(&self, Taken { hold, holding }: Taken) -> Result<(), TusError> {
        let _alive = self.uploads().live.enter(hold.resumable.file_id, &hold.resumable.org_id);
        let spare = hold.clone();
        let joined = self.join_held(hold, &holding.wanted()).await;
        match joined {
            Ok(whole) => self.finish(whole).await.map(drop),
            Err(TusError::TakenOver) => Err(TusError::TakenOver),
            Err(error) => {
                // The row may have got further than it was when it was taken.
                let row = self.db().resumable_of(&spare.resumable.org_id, spare.resumable.file_id).await;
                if let Ok(Some(now)) = row
                    && now.fence == spare.resumable.fence
                {
                    self.let_go(Hold { resumable: now, tags: Vec::new() }).await;
                }
                Err(error)
            }
        }
    }

    async fn join_held(&self, hold: Hold, wanted: &tokio_util::sync::CancellationToken) -> Result<Hold, TusError> {
        let pieces = self.pieces(&hold.resumable).await?;
        let mut at = hold.resumable.stored.bytes;
        let mut writer = Writer::resume(self.uploads(), &self.backends(), hold, (false, self.config().lasts())).await?;
        for piece in pieces {
            let bytes = piece.stored.bytes;
            if at >= bytes {
                at -= bytes;
                continue;
            }
            let mut stream = self.app.storage.get(&piece.key(), at..bytes, None).await?;
            at = 0;
            while let Some(chunk) = stream.try_next().await? {
                writer.write(chunk).await?;
                if wanted.is_cancelled() || self.app.draining.is_cancelled() {
                    writer.save(true).await?;
                    return Err(TusError::TakenOver);
                }
            }
        }
        writer.save(false).await?;
        Ok(writer.into_hold())
    }

    async fn pieces(&self, whole: &Resumable) -> Result<Vec<Resumable>, TusError> {
        let mut pieces = Vec::with_capacity(whole.sources.len());
        for &source in &whole.sources {
            let piece = self.db().resumable_of(&whole.org_id, source).await?;
            pieces.push(piece.ok_or(TusError::Pieces)?);
        }
        Ok(pieces)
    }
}
