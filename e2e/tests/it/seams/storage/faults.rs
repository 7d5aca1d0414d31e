//! What a network and a bad server do to the S3 backend: cuts, silence, lost and lying answers.

use anyhow::Result;
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};
use reelgate_common::{
    key::Key,
    storage::{MultipartId, PartTag, Storage, StorageError, s3::S3Storage},
};
use reelgate_e2e::{
    proxy::store::{self, Call, StoreProxy, Trouble},
    services::{Bucket, Garage, Moto},
};

use super::{
    PART, body, collect,
    proxy::{Proxy, Rule},
    staging, through, whole,
};

/// The store by a bad way and by a good one.
struct Road {
    proxy: Proxy,
    bad: S3Storage,
    good: S3Storage,
}

async fn road() -> Result<Road> {
    let garage = Garage::shared().await?;
    let (bucket, proxy) = (garage.fresh_prefix(), Proxy::start(garage.port()).await?);
    let bad = through(&bucket, |config| {
        config.endpoint = Some(proxy.endpoint());
        config.header_timeout_ms = 1_000;
        config.idle_timeout_ms = 1_000;
    })?;
    Ok(Road { bad, good: through(&bucket, |_| ())?, proxy })
}

#[tokio::test]
async fn a_body_that_is_cut_goes_on_where_it_broke() -> Result<()> {
    let road = road().await?;
    let (key, data) = (staging(), body(8 << 20));
    let meta = road.good.put(&key, data.clone()).await?;
    road.proxy.set(Rule::CutAfter(3_000_000));
    let got = collect(road.bad.get(&key, 100..meta.size, Some(&meta.version)).await?).await?;
    assert_eq!(road.proxy.rule(), Rule::Pass, "nothing was cut");
    assert!(got == data[100..]);
    Ok(())
}

#[tokio::test]
async fn a_body_that_is_cut_never_goes_on_with_another_version() -> Result<()> {
    let road = road().await?;
    let key = staging();
    for ask_for_version in [false, true] {
        let old = road.good.put(&key, body(8 << 20)).await?;
        road.proxy.set(Rule::CutAfter(3_000_000));
        let mut stream = road.bad.get(&key, 0..8 << 20, ask_for_version.then_some(&old.version)).await?;
        let mut seen = stream.next().await.unwrap()?.len();
        road.good.put(&key, Bytes::from(vec![7; 8 << 20])).await?;
        let end = loop {
            match stream.next().await {
                Some(Ok(chunk)) => seen += chunk.len(),
                end => break end,
            }
        };
        assert!(matches!(end, Some(Err(StorageError::Changed { .. }))), "{end:?}");
        assert!(seen <= 3_000_000);
    }
    Ok(())
}

/// Not every store knows If-Match: then what it answers is looked at.
#[tokio::test(flavor = "multi_thread")]
async fn of_a_store_that_ignores_if_match_no_body_goes_on_with_another_version() -> Result<()> {
    let moto = Moto::start().await?;
    let direct = moto.bucket();
    let proxy = StoreProxy::start(direct.endpoint.rsplit_once(':').unwrap().1.parse()?).await?;
    let proxied = Bucket { endpoint: format!("http://127.0.0.1:{}", proxy.port()), ..moto.bucket() };
    let (good, bad) = (through(&direct, |_| ())?, through(&proxied, |_| ())?);
    let key = staging();
    good.put(&key, body(8 << 20)).await?;
    proxy.add(store::Rule::once(Call::Get, Trouble::CutBody(3_000_000)));
    proxy.add(store::Rule::always(Call::Get, Trouble::IgnoreIfMatch));
    let mut stream = bad.get(&key, 0..8 << 20, None).await?;
    let mut seen = stream.next().await.unwrap()?.len();
    good.put(&key, Bytes::from(vec![7; 8 << 20])).await?;
    let end = loop {
        match stream.next().await {
            Some(Ok(chunk)) => seen += chunk.len(),
            end => break end,
        }
    };
    assert!(matches!(end, Some(Err(StorageError::Changed { .. }))), "{end:?} after {seen} bytes");
    assert!(seen <= 3_000_000);
    Ok(())
}

#[tokio::test]
async fn a_store_that_never_answers_is_a_timeout() -> Result<()> {
    let road = road().await?;
    let key = staging();
    road.good.put(&key, body(10)).await?;
    road.proxy.set(Rule::Silence(0));
    assert!(matches!(road.bad.head(&key).await, Err(StorageError::Timeout { .. })));
    assert!(matches!(road.bad.get(&key, 0..10, None).await, Err(StorageError::Timeout { .. })));
    assert!(matches!(road.bad.put(&staging(), body(10)).await, Err(StorageError::Timeout { .. })));
    assert!(matches!(road.bad.list("").try_next().await, Err(StorageError::Timeout { .. })));
    assert!(matches!(road.bad.list_multipart("").await, Err(StorageError::Timeout { .. })));
    assert!(matches!(road.bad.ping(std::time::Duration::from_millis(50)).await, Err(StorageError::Timeout { .. })));
    Ok(())
}

#[tokio::test]
async fn a_body_that_falls_silent_is_a_timeout() -> Result<()> {
    let road = road().await?;
    let key = staging();
    road.good.put(&key, body(8 << 20)).await?;
    road.proxy.set(Rule::Silence(1_000_000));
    let stream = road.bad.get(&key, 0..8 << 20, None).await?;
    let end = collect(stream).await.unwrap_err();
    assert!(matches!(end.downcast_ref(), Some(StorageError::Timeout { .. })), "{end:?}");
    Ok(())
}

#[tokio::test]
async fn a_dropped_stream_ends_the_read_at_the_store() -> Result<()> {
    let road = road().await?;
    let (key, size) = (staging(), 128 << 20);
    let upload = road.good.create_multipart(&key, 32 << 20).await?;
    let mut tags = Vec::new();
    let part = Bytes::from(vec![1; 32 << 20]);
    for number in 0..4 {
        tags.push(road.good.put_part(&key, &upload, number, vec![part.clone()]).await?);
    }
    road.good.complete_multipart(&key, &upload, tags).await?;
    let mut stream = road.bad.get(&key, 0..size, None).await?;
    stream.next().await.unwrap()?;
    drop(stream);
    road.proxy.all_closed().await?;
    // What the kernel's buffers of four sockets may hold, with room to spare.
    assert!(road.proxy.taken() < 64 << 20, "{} bytes were read", road.proxy.taken());
    Ok(())
}

#[tokio::test]
async fn no_chunk_pins_more_than_the_read_buffer() -> Result<()> {
    let road = road().await?;
    let (key, data) = (staging(), body(16 << 20));
    road.good.put(&key, data).await?;
    let chunks: Vec<_> = road.good.get(&key, 0..16 << 20, None).await?.try_collect().await?;
    let largest = chunks.iter().map(Bytes::len).max();
    assert!(largest <= Some(128 * 1024), "{largest:?}");
    Ok(())
}

#[tokio::test]
async fn a_lost_answer_to_complete_is_resolved_by_looking() -> Result<()> {
    let road = road().await?;
    let (key, upload, tags) = uploaded(&road).await?;
    road.proxy.set(Rule::LoseComplete);
    let done = road.bad.complete_multipart(&key, &upload, tags).await?;
    assert_eq!(road.proxy.rule(), Rule::Pass, "nothing was lost");
    assert_eq!(done.size, PART as u64 + 10);
    assert!(whole(&road.good, &key).await? == body(PART + 10));
    assert_eq!(road.good.list("").try_collect::<Vec<_>>().await?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn an_error_under_a_200_is_a_failure_of_complete() -> Result<()> {
    for code in ["AccessDenied", "InternalError"] {
        let road = road().await?;
        let (key, upload, tags) = uploaded(&road).await?;
        road.proxy.set(Rule::AnswerComplete(format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>no</Message></Error>"
        )));
        let done = road.bad.complete_multipart(&key, &upload, tags.clone()).await;
        assert!(matches!(done, Err(StorageError::Failed { .. })), "{code}: {done:?}");
        assert!(matches!(road.good.head(&key).await, Err(StorageError::NotFound { .. })));
        road.good.complete_multipart(&key, &upload, tags).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_large_copy_is_made_of_parts() -> Result<()> {
    let bucket = Garage::shared().await?.fresh_prefix();
    let storage = through(&bucket, |_| ())?.copying_in_parts(PART as u64, PART as u64);
    let (from, to, data) = (staging(), staging(), body(2 * PART + 7));
    storage.put(&from, data.clone()).await?;
    assert_eq!(storage.copy(&from, &to).await?.size, data.len() as u64);
    // The ETag of an object made of parts ends in their number.
    assert!(storage.head(&to).await?.version.0.ends_with("-3\""));
    storage.delete(&from).await?;
    assert!(whole(&storage, &to).await? == data);
    assert_eq!(storage.list_multipart("").await?, []);
    Ok(())
}

#[tokio::test]
async fn wrong_credentials_are_denied() -> Result<()> {
    let mut bucket = Garage::shared().await?.fresh_prefix();
    bucket.secret_key = "wrong";
    let storage = through(&bucket, |_| ())?;
    assert!(matches!(storage.put(&staging(), body(1)).await, Err(StorageError::Denied { .. })));
    assert!(matches!(storage.list_multipart("").await, Err(StorageError::Denied { .. })));
    Ok(())
}

async fn uploaded(road: &Road) -> Result<(Key, MultipartId, Vec<PartTag>)> {
    let (key, data) = (staging(), body(PART + 10));
    let upload = road.good.create_multipart(&key, PART as u64).await?;
    let first = road.good.put_part(&key, &upload, 0, vec![data.slice(..PART)]).await?;
    let second = road.good.put_part(&key, &upload, 1, vec![data.slice(PART..)]).await?;
    Ok((key, upload, vec![first, second]))
}
