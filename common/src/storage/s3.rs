//! The S3 backend: `object_store` over our own hyper connector. What that crate lacks (listing multipart uploads, copies
//! above 5 GiB) goes through signed addresses and the same connector; a broken body is resumed here.
//!
//! Nothing rests on conditional PUT: some servers answer 200 and overwrite. Keys are unique instead.

mod connector;
mod copy;
mod error;
mod read;
mod uploads;
mod versions;

use std::{ops::Range, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream, stream::BoxStream};
use object_store::{
    BackoffConfig, GetOptions, ObjectStore, ObjectStoreExt, PutMode, PutPayload, RetryConfig,
    aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey},
    client::HttpClient,
    list::{PaginatedListOptions, PaginatedListStore},
    multipart::{MultipartStore, PartId},
    path::Path,
};

use self::{
    connector::{Connector, Patience},
    error::{failed, from_store, reply_was_lost},
    read::Reading,
    versions::Versioned,
};
use super::{
    ByteStream, MultipartId, ObjectMeta, OldVersion, PartTag, PendingMultipart, Storage, StorageError, Version,
    VersionId, config::StorageConfig,
};
use crate::{key::Key, timestamp::Timestamp};

/// S3's limit for `CopyObject`.
const COPY_WHOLE: u64 = 5 << 30;
/// Parts of a larger copy. A server that moves the bytes itself must answer within the header timeout.
const COPY_PART: u64 = 512 << 20;
/// Sent again after a refusal or a broken connection; a silent store is not asked again, the wait was long enough.
const RETRIES: usize = 3;

/// A bucket, or a prefix of one.
#[derive(Debug)]
pub struct S3Storage {
    bucket: Arc<Bucket>,
}

#[derive(Debug)]
struct Bucket {
    /// For everything but bodies; repeats what is idempotent.
    control: AmazonS3,
    /// For bodies; never repeats, `Reading` does.
    streaming: AmazonS3,
    /// For signed addresses.
    http: HttpClient,
    name: String,
    /// Empty, or ending in `/`.
    prefix: String,
    copy_whole: u64,
    copy_part: u64,
    versioned: Versioned,
}

impl S3Storage {
    /// Opens `s3://bucket/prefix`. `environment` is where `AWS_*` is looked up (credentials, roles, endpoint, region);
    /// the configuration goes before it. Nothing is asked of the server yet.
    ///
    /// # Errors
    /// The address or the credentials cannot be read.
    pub fn open(
        config: &StorageConfig,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, StorageError> {
        let bucket = Bucket::open(config, environment).map_err(|source| failed(&config.url, source))?;
        Ok(Self { bucket: Arc::new(bucket) })
    }

    /// Copies objects above `whole` bytes in parts of `part` bytes (a server with a limit lower than S3's, and tests).
    #[must_use]
    pub fn copying_in_parts(self, whole: u64, part: u64) -> Self {
        let bucket = Arc::into_inner(self.bucket).expect("just opened");
        Self { bucket: Arc::new(Bucket { copy_whole: whole, copy_part: part, ..bucket }) }
    }
}

impl Bucket {
    fn open(
        config: &StorageConfig,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let place = config.url.strip_prefix("s3://").ok_or("the address does not begin with s3://")?;
        let (name, prefix) = place.split_once('/').unwrap_or((place, ""));
        if name.is_empty() {
            return Err("the address names no bucket".into());
        }
        let prefix = Path::parse(prefix)?.to_string();
        let connector = Connector::new(Patience::of(config));
        let builder = builder(config, environment, name);
        let control = builder.clone().with_retry(retries(RETRIES)).with_http_connector(connector.clone()).build()?;
        let streaming = builder
            .with_credentials(Arc::clone(control.credentials()))
            .with_retry(retries(0))
            .with_http_connector(connector.clone().refusing_unavailable())
            .build()?;
        Ok(Self {
            control,
            streaming,
            http: HttpClient::new(connector.service()),
            name: name.to_owned(),
            prefix: if prefix.is_empty() { prefix } else { prefix + "/" },
            copy_whole: COPY_WHOLE,
            copy_part: COPY_PART,
            versioned: Versioned::default(),
        })
    }

    fn path(&self, key: &Key) -> Result<Path, StorageError> {
        let name = key.to_string();
        // A name put together by hand (`../x`) must not become a path.
        name.parse::<Key>().map_err(|source| failed(&name, source))?;
        Path::parse(format!("{}{name}", self.prefix)).map_err(|source| failed(&name, source))
    }

    /// The key of an object of this store; `None` for foreign names.
    fn key(&self, path: &str) -> Option<Key> {
        path.strip_prefix(&self.prefix)?.parse().ok()
    }

    fn describe(&self, key: Key, found: object_store::ObjectMeta) -> Result<ObjectMeta, StorageError> {
        let Some(etag) = found.e_tag else { return Err(failed(&key, "the store gives no ETag")) };
        let modified = Timestamp(found.last_modified.timestamp_millis());
        Ok(ObjectMeta { key, size: found.size, version: Version(etag), modified })
    }

    async fn head(&self, key: &Key) -> Result<ObjectMeta, StorageError> {
        let options = GetOptions { head: true, ..GetOptions::default() };
        let found = self.control.get_opts(&self.path(key)?, options).await.map_err(|error| from_store(key, error))?;
        self.describe(key.clone(), found.meta)
    }

    /// Looks whether a write has arrived: the object of this size lies there.
    async fn confirm(&self, key: &Key, size: u64) -> Result<ObjectMeta, StorageError> {
        let meta = self.head(key).await?;
        if meta.size == size {
            return Ok(meta);
        }
        Err(failed(key, format!("the object has {} bytes, {size} were written", meta.size)))
    }

    async fn complete(
        &self,
        key: &Key,
        upload: &MultipartId,
        parts: Vec<PartId>,
        size: u64,
    ) -> Result<ObjectMeta, StorageError> {
        match self.control.complete_multipart(&self.path(key)?, &upload.0, parts).await {
            Ok(_) => self.confirm(key, size).await,
            // The upload is unknown because an earlier call has completed it, or the answer never came.
            Err(error) if reply_was_lost(&error) => match self.confirm(key, size).await {
                Ok(meta) => Ok(meta),
                Err(_) => Err(from_store(key, error)),
            },
            Err(error) => Err(from_store(key, error)),
        }
    }

    async fn abort(&self, key: &Key, upload: &MultipartId) -> Result<(), StorageError> {
        match self.control.abort_multipart(&self.path(key)?, &upload.0).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(from_store(key, error)),
        }
    }

    async fn page(&self, prefix: &str, page_token: Option<String>) -> Result<Page, StorageError> {
        let whole = format!("{}{prefix}", self.prefix);
        let options = PaginatedListOptions { page_token, ..PaginatedListOptions::default() };
        let wanted = (!whole.is_empty()).then_some(whole.as_str());
        let page = self.control.list_paginated(wanted, options).await.map_err(|error| from_store(&prefix, error))?;
        let found = page.result.objects.into_iter();
        let ours = found.filter_map(|meta| Some(self.describe(self.key(meta.location.as_ref())?, meta))).collect();
        Ok(Page { ours, next: page.page_token })
    }
}

struct Page {
    ours: Vec<Result<ObjectMeta, StorageError>>,
    next: Option<String>,
}

fn builder(
    config: &StorageConfig,
    environment: impl IntoIterator<Item = (String, String)>,
    bucket: &str,
) -> AmazonS3Builder {
    let mut builder = AmazonS3Builder::new();
    for (name, value) in environment.into_iter().filter(|(name, _)| name.starts_with("AWS_")) {
        if let Ok(key) = name.to_ascii_lowercase().parse() {
            builder = builder.with_config(key, value);
        }
    }
    if let Some(endpoint) = &config.endpoint {
        builder = builder.with_endpoint(endpoint);
    }
    if let Some(region) = &config.region {
        builder = builder.with_region(region);
    }
    // Path style is what every other server speaks; AWS itself wants the bucket in the host, where its certificate
    // covers no further dots.
    let elsewhere = builder.get_config_value(&AmazonS3ConfigKey::Endpoint).is_some();
    builder
        .with_bucket_name(bucket)
        .with_virtual_hosted_style_request(!elsewhere && !bucket.contains('.'))
        // One DELETE per object is what every server knows.
        .with_disable_bulk_delete(true)
        .with_allow_http(true)
}

fn retries(max_retries: usize) -> RetryConfig {
    let backoff = BackoffConfig { max_backoff: Duration::from_secs(2), ..BackoffConfig::default() };
    // Long, so that it never cuts a body; the connector's timeouts bound each step.
    RetryConfig { max_retries, backoff, retry_timeout: Duration::from_secs(12 * 3600) }
}

#[async_trait]
impl Storage for S3Storage {
    fn service(&self) -> &'static str {
        "s3"
    }

    async fn head(&self, key: &Key) -> Result<ObjectMeta, StorageError> {
        self.bucket.head(key).await
    }

    async fn get(&self, key: &Key, range: Range<u64>, version: Option<&Version>) -> Result<ByteStream, StorageError> {
        if range.is_empty() {
            return Err(failed(key, "an empty range was asked for"));
        }
        Reading::begin(Arc::clone(&self.bucket), key, range, version).await
    }

    async fn put(&self, key: &Key, body: Bytes) -> Result<ObjectMeta, StorageError> {
        let size = body.len() as u64;
        let path = self.bucket.path(key)?;
        self.bucket.control.put(&path, PutPayload::from(body)).await.map_err(|error| from_store(key, error))?;
        self.bucket.confirm(key, size).await
    }

    async fn create_multipart(&self, key: &Key, _part_size: u64) -> Result<MultipartId, StorageError> {
        let created = self.bucket.control.create_multipart(&self.bucket.path(key)?).await;
        created.map(MultipartId).map_err(|error| from_store(key, error))
    }

    async fn put_part(
        &self,
        key: &Key,
        upload: &MultipartId,
        number: u32,
        chunks: Vec<Bytes>,
    ) -> Result<PartTag, StorageError> {
        let payload: PutPayload = chunks.into_iter().collect();
        let size = payload.content_length() as u64;
        let path = self.bucket.path(key)?;
        let stored = self.bucket.control.put_part(&path, &upload.0, number as usize, payload).await;
        let id = stored.map_err(|error| from_store(key, error))?;
        Ok(S3Tag { size, etag: id.content_id }.text())
    }

    async fn complete_multipart(
        &self,
        key: &Key,
        upload: &MultipartId,
        parts: Vec<PartTag>,
    ) -> Result<ObjectMeta, StorageError> {
        let tags = parts.iter().map(|tag| S3Tag::parse(key, tag)).collect::<Result<Vec<_>, _>>()?;
        let size = tags.iter().map(|tag| tag.size).sum();
        let ids = tags.into_iter().map(|tag| PartId { content_id: tag.etag }).collect();
        self.bucket.complete(key, upload, ids, size).await
    }

    async fn abort_multipart(&self, key: &Key, upload: &MultipartId) -> Result<(), StorageError> {
        self.bucket.abort(key, upload).await
    }

    async fn list_multipart(&self, prefix: &str) -> Result<Vec<PendingMultipart>, StorageError> {
        self.bucket.pending(prefix).await
    }

    async fn copy(&self, from: &Key, to: &Key) -> Result<ObjectMeta, StorageError> {
        let source = self.bucket.head(from).await?;
        if source.size > self.bucket.copy_whole {
            return self.bucket.copy_in_parts(&source, to).await;
        }
        let (at, target) = (self.bucket.path(from)?, self.bucket.path(to)?);
        self.bucket.control.copy(&at, &target).await.map_err(|error| from_store(from, error))?;
        // A copy may fail after its 200 was sent; the size tells.
        self.bucket.confirm(to, source.size).await
    }

    async fn delete(&self, key: &Key) -> Result<(), StorageError> {
        match self.bucket.control.delete(&self.bucket.path(key)?).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(from_store(key, error)),
        }
    }

    fn list(&self, prefix: &str) -> BoxStream<'static, Result<ObjectMeta, StorageError>> {
        let begin = Some((Arc::clone(&self.bucket), prefix.to_owned(), None));
        let pages = stream::try_unfold(begin, |state| async {
            let Some((bucket, prefix, token)) = state else { return Ok(None) };
            let page = bucket.page(&prefix, token).await?;
            let next = page.next.map(|token| (bucket, prefix, Some(token)));
            Ok(Some((stream::iter(page.ours), next)))
        });
        pages.try_flatten().boxed()
    }

    async fn list_old_versions(&self, prefix: &str, limit: usize) -> Result<Vec<OldVersion>, StorageError> {
        self.bucket.old_versions(prefix, limit).await
    }

    async fn delete_version(&self, key: &Key, version: &VersionId) -> Result<(), StorageError> {
        self.bucket.delete_version(key, version).await
    }

    async fn refuses_overwrite(&self, key: &Key) -> Result<Option<bool>, StorageError> {
        let path = self.bucket.path(key)?;
        match self.bucket.control.put_opts(&path, PutPayload::new(), PutMode::Create.into()).await {
            Ok(_) => Ok(Some(false)),
            Err(object_store::Error::AlreadyExists { .. }) => Ok(Some(true)),
            Err(object_store::Error::NotImplemented { .. }) => Ok(None),
            Err(error) => Err(from_store(key, error)),
        }
    }

    async fn ping(&self, timeout: Duration) -> Result<(), StorageError> {
        let bucket = &self.bucket;
        let options = PaginatedListOptions { max_keys: Some(1), ..PaginatedListOptions::default() };
        let prefix = (!bucket.prefix.is_empty()).then_some(bucket.prefix.as_str());
        match tokio::time::timeout(timeout, bucket.control.list_paginated(prefix, options)).await {
            Err(_) => Err(StorageError::Timeout { key: bucket.name.clone() }),
            Ok(listed) => listed.map(drop).map_err(|error| from_store(&bucket.name, error)),
        }
    }
}

/// A stored part: `{size}:{etag}`. The size lets a lost answer to Complete be resolved by looking.
struct S3Tag {
    size: u64,
    etag: String,
}

impl S3Tag {
    fn text(self) -> PartTag {
        PartTag(format!("{}:{}", self.size, self.etag))
    }

    fn parse(key: &Key, tag: &PartTag) -> Result<Self, StorageError> {
        tag.0
            .split_once(':')
            .and_then(|(size, etag)| Some(Self { size: size.parse().ok()?, etag: etag.to_owned() }))
            .ok_or_else(|| failed(key, format!("{:?} is no tag of a part of this store", tag.0)))
    }
}
