//! Reading an object: one request per body, resumed where it broke, always of the same version, never padded.

use std::{ops::Range, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{
    StreamExt,
    stream::{self, BoxStream},
};
use object_store::{GetOptions, GetRange, GetResult, ObjectStore};

use super::{
    Bucket,
    error::{failed, from_store, is_passing},
};
use crate::{
    key::Key,
    storage::{ByteStream, StorageError, Version},
};

/// Failures in a row before giving up.
const MAX_FAILURES: u32 = 3;
/// Bytes that must have come for a failure not to count as one in a row.
const PROGRESS: u64 = 1 << 20;
const FIRST_WAIT: Duration = Duration::from_millis(100);

type Body = BoxStream<'static, object_store::Result<Bytes>>;

/// What is left of a read, and the body that brings it.
pub(super) struct Reading {
    bucket: Arc<Bucket>,
    key: Key,
    rest: Range<u64>,
    /// As asked for; else that of the first answer.
    version: Option<Version>,
    body: Option<Body>,
    failures: u32,
    since_failure: u64,
}

impl Reading {
    /// Returns when the head has come, so that what is wrong from the start is no error inside the stream.
    pub(super) async fn begin(
        bucket: Arc<Bucket>,
        key: &Key,
        range: Range<u64>,
        version: Option<&Version>,
    ) -> Result<ByteStream, StorageError> {
        let mut reading = Self {
            bucket,
            key: key.clone(),
            rest: range,
            version: version.cloned(),
            body: None,
            failures: 0,
            since_failure: 0,
        };
        reading.body = Some(reading.ask().await?);
        Ok(Box::pin(stream::try_unfold(reading, Self::next)))
    }

    async fn next(mut self) -> Result<Option<(Bytes, Self)>, StorageError> {
        while !self.rest.is_empty() {
            let mut body = match self.body.take() {
                Some(body) => body,
                None => self.ask().await?,
            };
            match body.next().await {
                Some(Ok(chunk)) => {
                    self.count(chunk.len() as u64)?;
                    self.body = Some(body);
                    if !chunk.is_empty() {
                        return Ok(Some((chunk, self)));
                    }
                }
                Some(Err(error)) => self.pause(error).await?,
                None => return Err(failed(&self.key, format!("the body ended before bytes {:?}", self.rest))),
            }
        }
        Ok(None)
    }

    fn count(&mut self, size: u64) -> Result<(), StorageError> {
        self.rest.start += size;
        self.since_failure += size;
        if self.rest.start > self.rest.end {
            return Err(failed(&self.key, "the body is longer than the range"));
        }
        Ok(())
    }

    async fn ask(&mut self) -> Result<Body, StorageError> {
        loop {
            match self.ask_once().await {
                Ok(result) => return self.accept(result),
                Err(error) => self.pause(error).await?,
            }
        }
    }

    async fn ask_once(&mut self) -> object_store::Result<GetResult> {
        let options = GetOptions {
            range: Some(GetRange::Bounded(self.rest.clone())),
            if_match: self.version.as_ref().map(|version| version.0.clone()),
            ..GetOptions::default()
        };
        let path = self
            .bucket
            .path(&self.key)
            .map_err(|error| object_store::Error::Generic { store: "S3", source: Box::new(error) })?;
        self.bucket.streaming.get_opts(&path, options).await
    }

    /// Not every server honours If-Match, so the answer's own ETag is compared too.
    fn accept(&mut self, result: GetResult) -> Result<Body, StorageError> {
        let Some(etag) = result.meta.e_tag.clone() else { return Err(failed(&self.key, "the store gives no ETag")) };
        let found = Version(etag);
        match &self.version {
            Some(version) if *version != found => return Err(StorageError::Changed { key: self.key.to_string() }),
            _ => self.version = Some(found),
        }
        Ok(result.into_stream())
    }

    /// Waits before the next request, or gives up.
    async fn pause(&mut self, error: object_store::Error) -> Result<(), StorageError> {
        if std::mem::take(&mut self.since_failure) >= PROGRESS {
            self.failures = 0;
        }
        self.failures += 1;
        if self.failures > MAX_FAILURES || !is_passing(&error) {
            return Err(from_store(&self.key, error));
        }
        let wait = FIRST_WAIT * 2u32.pow(self.failures - 1);
        tokio::time::sleep(wait.mul_f64(rand::random_range(0.5..=1.0))).await;
        Ok(())
    }
}
