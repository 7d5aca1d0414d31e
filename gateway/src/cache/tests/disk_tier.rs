//! The cache with its disk tier: what is kept over a restart, what is not believed, what is forgotten.

use std::path::Path;

use super::*;

async fn with_disk(store: &Arc<Store>, folder: &Path) -> Bench {
    let config = CacheConfig { disk_dir: Some(folder.to_owned()), ..CacheConfig::default() };
    Bench::with(Arc::clone(store), &config).await
}

impl Bench {
    /// The same objects in another process's cache.
    async fn restarted(self, folder: &Path) -> Self {
        self.written(0).await;
        let Self { cache, object, store } = self;
        drop(cache);
        Self { object, ..with_disk(&store, folder).await }
    }

    /// Waits until so much at least is on disk, and nothing is being written.
    async fn written(&self, bytes: u64) {
        let disk = self.cache.shared.disk.as_ref().unwrap();
        while disk.weight() < bytes {
            tokio::task::yield_now().await;
        }
        disk.idle().await;
    }
}

#[tokio::test]
async fn what_was_read_once_is_read_from_disk_after_a_restart() {
    let (folder, store) = (tempfile::tempdir().unwrap(), Store::new(5 * MIB + 1_234));
    let bench = with_disk(&store, folder.path()).await;
    bench.read(0..store.size()).await;
    let requests = store.asked().len();
    bench.written(store.size()).await;
    let bench = bench.restarted(folder.path()).await;
    bench.read(0..store.size()).await;
    let mut client = bench.client(3 * MIB..4 * MIB);
    client.step().await.unwrap();
    assert_eq!(store.asked().len(), requests, "nothing is asked for again");
}

#[tokio::test]
async fn a_client_hears_that_its_bytes_came_from_disk() {
    let (folder, store) = (tempfile::tempdir().unwrap(), Store::new(2 * MIB));
    let bench = with_disk(&store, folder.path()).await;
    bench.read(0..2 * MIB).await;
    bench.written(2 * MIB).await;
    let bench = bench.restarted(folder.path()).await;
    let mut client = bench.client(MIB..2 * MIB);
    client.step().await.unwrap();
    assert_eq!(client.cursor.tier(), Some(Tier::Disk));
}

#[tokio::test]
async fn a_corrupt_block_is_read_from_the_store_again() {
    let (folder, store) = (tempfile::tempdir().unwrap(), Store::new(3 * MIB));
    let bench = with_disk(&store, folder.path()).await;
    bench.read(0..3 * MIB).await;
    bench.written(3 * MIB).await;
    let (requests, object) = (store.asked().len(), bench.object.clone());
    let path = std::fs::read_dir(folder.path().join(object.name().file().to_string()))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.to_str().unwrap().contains(".1.0."))
        .unwrap();
    let file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, b"!!!", 600_000).unwrap();
    let bench = bench.restarted(folder.path()).await;
    bench.read(0..3 * MIB).await;
    assert!(store.asked()[requests..].iter().all(|range| range.start >= MIB), "{:?}", store.asked());
    assert_eq!(store.asked().len(), requests + 1);
}

#[tokio::test]
async fn a_block_read_in_two_parts_is_kept_whole() {
    let (folder, store) = (tempfile::tempdir().unwrap(), Store::new(MIB));
    let bench = with_disk(&store, folder.path()).await;
    bench.read(600_000..MIB).await;
    bench.written(400_000).await;
    bench.read(0..MIB).await;
    bench.written(1_000_000).await;
    let requests = store.asked().len();
    let bench = bench.restarted(folder.path()).await;
    bench.read(0..MIB).await;
    assert_eq!(store.asked().len(), requests);
}

#[tokio::test]
async fn a_forgotten_file_leaves_nothing_on_disk() {
    let (folder, store) = (tempfile::tempdir().unwrap(), Store::new(MIB));
    let bench = with_disk(&store, folder.path()).await;
    bench.read(0..MIB).await;
    bench.written(MIB).await;
    let file = bench.object.name().file();
    assert_eq!(bench.cache.files(), [file]);
    bench.cache.forget(file);
    while !bench.cache.files().is_empty() || folder.path().join(file.to_string()).exists() {
        tokio::task::yield_now().await;
    }
}
