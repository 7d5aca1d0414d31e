//! What only a file system shows: chunk sizes, drafts, links and descriptors.

use std::{fs, path::Path, time::Duration};

use anyhow::Result;
use futures_util::{StreamExt, TryStreamExt};
use reelgate_e2e::process::eventually;

use super::{body, directory, staging};

/// Only the drafts' own folder may be left.
pub(super) fn assert_no_draft_left(root: &Path) {
    let left: Vec<_> = fs::read_dir(root.join(".tmp")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn a_body_comes_in_big_chunks() -> Result<()> {
    let (storage, _folder) = directory()?;
    let key = staging();
    storage.put(&key, body(3_000_000)).await?;
    let chunks: Vec<_> = storage.get(&key, 10..2_999_999, None).await?.try_collect().await?;
    let (last, full) = chunks.split_last().unwrap();
    assert!(!last.is_empty() && full.iter().all(|chunk| chunk.len() >= 128 * 1024));
    Ok(())
}

#[tokio::test]
async fn deleting_the_last_object_leaves_no_empty_folder() -> Result<()> {
    let (storage, folder) = directory()?;
    let (key, other) = (staging(), staging());
    storage.put(&key, body(1)).await?;
    storage.copy(&key, &other).await?;
    storage.delete(&key).await?;
    assert!(folder.path().join("staging/acme").exists());
    storage.delete(&other).await?;
    let left: Vec<_> = fs::read_dir(folder.path())?.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, [".tmp"]);
    Ok(())
}

#[tokio::test]
async fn a_body_goes_on_with_the_version_it_began_with() -> Result<()> {
    let (storage, _folder) = directory()?;
    let key = staging();
    storage.put(&key, body(3_000_000)).await?;
    let mut stream = storage.get(&key, 0..3_000_000, None).await?;
    let mut seen = stream.next().await.unwrap()?.to_vec();
    storage.put(&key, vec![7; 100].into()).await?;
    storage.delete(&key).await?;
    for chunk in stream.try_collect::<Vec<_>>().await? {
        seen.extend_from_slice(&chunk);
    }
    assert!(seen == body(3_000_000));
    Ok(())
}

#[tokio::test]
async fn foreign_files_and_links_are_no_objects() -> Result<()> {
    let (storage, folder) = directory()?;
    let (key, linked) = (staging(), staging());
    storage.put(&key, body(1)).await?;
    fs::write(folder.path().join("lost+found"), "x")?;
    fs::write(folder.path().join("staging/acme/notes.txt"), "x")?;
    std::os::unix::fs::symlink("/etc/passwd", folder.path().join(linked.to_string()))?;
    let keys: Vec<_> = storage.list("").map_ok(|meta| meta.key).try_collect().await?;
    assert_eq!(keys, [key]);
    assert!(storage.head(&linked).await.is_err() && storage.get(&linked, 0..1, None).await.is_err());
    Ok(())
}

#[tokio::test]
async fn a_dropped_stream_closes_the_file() -> Result<()> {
    let (storage, folder) = directory()?;
    let key = staging();
    storage.put(&key, body(10_000_000)).await?;
    let path = folder.path().canonicalize()?.join(key.to_string());
    let mut stream = storage.get(&key, 0..10_000_000, None).await?;
    stream.next().await.unwrap()?;
    assert!(is_open(&path));
    drop(stream);
    eventually("the file is closed", Duration::from_secs(30), async || !is_open(&path)).await
}

fn is_open(path: &Path) -> bool {
    let open = fs::read_dir("/proc/self/fd").unwrap();
    open.flatten().any(|entry| fs::read_link(entry.path()).is_ok_and(|target| target == path))
}
