//! The body of a request, byte by byte into the store, in a task of its own: a client that goes away loses nothing of what has arrived.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use reelgate_common::{
    db::{DeclaredLength, FileWithRenditions},
    resumable::{Hold, Resumable},
    step,
};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::{
    Desk,
    checksum::Summing,
    decide::{self, Permit, Refusal},
    error::TusError,
    finish,
    headers::Append,
    take::Taken,
    writer::Writer,
};
use crate::{
    body::{RequestBody, RequestBodyError},
    upload::{budget::Evicted, error::UploadError},
};

/// How far an upload is after a request.
pub(super) struct Received {
    pub(super) bytes: u64,
    /// Of the whole file, if this request has ended it.
    pub(super) sha256: Option<String>,
}

impl Desk {
    /// Adds a body to an upload. What has arrived is stored and said to be, whatever ends the body.
    pub(super) async fn receive(self, taken: Taken, asked: Append, body: RequestBody) -> Result<Received, TusError> {
        let uploads = self.app.clone();
        let span = step!("receive", file.id = %taken.hold.resumable.file_id);
        let receiving = uploads.uploads.cleanups.spawn(self.receive_here(taken, asked, body).instrument(span));
        receiving.await.map_err(|_| UploadError::Internal)?
    }

    async fn receive_here(self, taken: Taken, asked: Append, mut body: RequestBody) -> Result<Received, TusError> {
        let Taken { hold, holding } = taken;
        let _alive = self.uploads().live.enter(hold.resumable.file_id, &hold.resumable.org_id);
        let (address_file, fence) = (hold.resumable.file_id, hold.resumable.fence);
        let permit = match self.permit(&hold.resumable, &asked).await {
            Ok(permit) => permit,
            Err(refused) => {
                // Browsers send a request again by themselves when its connection breaks, with all its body from where that began.
                if matches!(refused, TusError::Refused(Refusal::Offset { .. })) {
                    body.discard_little();
                }
                self.let_go(hold).await;
                return Err(refused);
            }
        };
        let (silent, last) = (asked.checksum.is_some(), asked.last);
        let spare = hold.clone();
        let mut writer =
            match Writer::resume(self.uploads(), &self.backends(), hold, (silent, self.config().lasts())).await {
                Ok(writer) => writer,
                Err(error) => {
                    self.let_go(spare).await;
                    return Err(error);
                }
            };
        if let Some(length) = permit.declare {
            writer.declare(length);
        }
        let mut source = Source::new(body, holding.wanted(), self.app.draining.clone());
        let (summed, ended) = source.pour(&mut writer, permit, asked.checksum.map(|checksum| checksum.begin())).await;
        tracing::debug!(file.id = %address_file, fence, size_bytes = writer.bytes(), "a piece of an upload has ended");
        // Dropped now, so that a client which is sending still hears the answer.
        drop(source);
        let ended = match ended {
            Ok(()) if last => self.end(&mut writer).await,
            ended => ended,
        };
        self.conclude(writer, summed, ended).await
    }

    async fn permit(&self, upload: &Resumable, asked: &Append) -> Result<Permit, TusError> {
        let permit = decide::append(upload, asked)?;
        if let Some(length) = permit.declare {
            self.declare(upload, length).await?;
        }
        Ok(permit)
    }

    /// The upload ends here, because its client says so.
    async fn end(&self, writer: &mut Writer) -> Result<(), TusError> {
        match writer.upload().length {
            None => {
                self.declare(writer.upload(), writer.bytes()).await?;
                writer.declare(writer.bytes());
                Ok(())
            }
            Some(length) if length > writer.bytes() => Err(Refusal::EndsBefore { length }.into()),
            Some(_) => Ok(()),
        }
    }

    async fn declare(&self, upload: &Resumable, length: u64) -> Result<(), TusError> {
        match self.db().declare_length(upload, length, self.quota()).await? {
            DeclaredLength::Known => Ok(()),
            DeclaredLength::OverQuota(excess) => Err(excess.into()),
            DeclaredLength::TakenOver => Err(TusError::TakenOver),
        }
    }

    /// Nothing was written: the next one need not wait.
    pub(super) async fn let_go(&self, hold: Hold) {
        let upload = hold.resumable;
        let released = self
            .db()
            .advance_resumable(upload.file_id, upload.fence, &upload.stored, (0, &[]), Duration::ZERO, true)
            .await;
        if let Err(error) = released {
            tracing::warn!(file.id = %upload.file_id, error = &error as &dyn std::error::Error, "an upload could not be let go");
        }
    }

    /// Keeps or discards what has come, and ends the upload if that was all of it.
    async fn conclude(
        &self,
        mut writer: Writer,
        summed: Option<Summing>,
        ended: Result<(), TusError>,
    ) -> Result<Received, TusError> {
        if let Some(summing) = summed {
            // Of a body that did not arrive whole nobody knows whether it is right.
            let holds = ended.is_ok() && summing.holds();
            if !holds {
                writer.discard().await?;
                return Err(ended.err().unwrap_or(TusError::ChecksumMismatch));
            }
        }
        let whole = writer.upload().length == Some(writer.bytes());
        if let Err(error) = writer.save(!whole).await {
            let given_up = !matches!(error, TusError::TakenOver);
            if given_up {
                let _ = writer.discard().await;
            }
            return Err(error);
        }
        let bytes = writer.bytes();
        if !whole {
            return ended.map(|()| Received { bytes, sha256: None });
        }
        let hold = writer.into_hold();
        let file = self.finish(hold).await?;
        ended.map(|()| Received { bytes, sha256: file.map(|file| file.file.sha256) })
    }

    /// As `finish::finish`; one that fails lets go, so that the next request tries again at once, and one that is damaged is closed.
    pub(super) async fn finish(&self, hold: Hold) -> Result<Option<FileWithRenditions>, TusError> {
        let backends = self.backends();
        let spare = hold.clone();
        match finish::finish(&backends, hold).await {
            Err(TusError::Damaged) => {
                let upload = &spare.resumable;
                finish::close(&backends, &upload.org_id, upload.file_id, Some(upload)).await?;
                Err(TusError::Damaged)
            }
            Err(error) => {
                self.let_go(spare).await;
                Err(error)
            }
            done => done,
        }
    }
}

/// How long what has arrived already is still taken from a connection that is to end.
const LAST_BYTES: Duration = Duration::from_millis(300);
/// Nothing more has arrived when nothing comes for so long.
const SILENCE: Duration = Duration::from_millis(20);

/// Where bytes come from, and what may end them.
struct Source {
    body: RequestBody,
    wanted: CancellationToken,
    draining: CancellationToken,
    /// No byte is taken after this.
    end: Option<Instant>,
}

impl Source {
    fn new(body: RequestBody, wanted: CancellationToken, draining: CancellationToken) -> Self {
        Self { body, wanted, draining, end: None }
    }

    /// Writes the body until it ends, in whatever way.
    async fn pour(
        &mut self,
        writer: &mut Writer,
        permit: Permit,
        mut summing: Option<Summing>,
    ) -> (Option<Summing>, Result<(), TusError>) {
        let eviction = writer.eviction();
        let ended = loop {
            let chunk = match self.next(&eviction).await {
                Ok(Some(chunk)) => chunk,
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            };
            let room = usize::try_from(permit.end.saturating_sub(writer.bytes())).unwrap_or(usize::MAX);
            let fits = chunk.slice(..chunk.len().min(room));
            let beyond = fits.len() < chunk.len();
            if let Some(summing) = &mut summing {
                summing.update(&fits);
            }
            if let Err(error) = writer.write(fits).await {
                break Err(error);
            }
            if beyond {
                break Err(permit.beyond.into());
            }
        };
        (summing, ended)
    }

    async fn next(&mut self, eviction: &CancellationToken) -> Result<Option<Bytes>, TusError> {
        loop {
            let frame = match self.end {
                Some(end) => self.last_frame(end).await?,
                None => {
                    tokio::select! {
                        biased;
                        () = eviction.cancelled() => return Err(Evicted.into()),
                        frame = self.body.frame() => frame,
                        () = self.wanted.cancelled() => { self.end = Some(Instant::now() + LAST_BYTES); continue }
                        () = self.draining.cancelled() => { self.end = Some(Instant::now() + LAST_BYTES); continue }
                    }
                }
            };
            if self.end.is_none() && (self.wanted.is_cancelled() || self.draining.is_cancelled()) {
                self.end = Some(Instant::now() + LAST_BYTES);
            }
            match frame.transpose().map_err(UploadError::from)?.map(http_body::Frame::into_data) {
                None => return Ok(None),
                Some(Ok(data)) => return Ok(Some(data)),
                Some(Err(_trailers)) => {}
            }
        }
    }

    /// What has arrived before it was to end: the client need not send it again.
    async fn last_frame(&mut self, end: Instant) -> Result<Frame, TusError> {
        if Instant::now() < end
            && let Ok(frame) = timeout(SILENCE, self.body.frame()).await
        {
            return Ok(frame);
        }
        Err(if self.wanted.is_cancelled() { TusError::TakenOver } else { TusError::Draining })
    }
}

type Frame = Option<Result<http_body::Frame<Bytes>, RequestBodyError>>;
