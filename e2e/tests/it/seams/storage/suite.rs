//! What every store must do. Each test is a function over `&dyn Storage`.

use std::collections::BTreeSet;

use anyhow::Result;
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use reelgate_common::{
    backends::{BackendsError, check_deployment},
    ids::{FileId, OrgId},
    key::Key,
    storage::{MultipartId, PartTag, SharedStorage, Storage, StorageError},
};

use super::{PART, body, collect, staging, whole};

macro_rules! on_every_backend {
    ($($test:ident),+ $(,)?) => {
        mod on_a_directory {
            $(#[tokio::test]
            async fn $test() -> anyhow::Result<()> {
                let (storage, folder) = super::super::directory()?;
                super::$test(storage.as_ref()).await?;
                super::super::directory::assert_no_draft_left(folder.path());
                Ok(())
            })+
        }
        mod on_garage {
            $(#[tokio::test]
            async fn $test() -> anyhow::Result<()> {
                super::$test(&super::super::garage().await?).await
            })+
        }
    };
}

on_every_backend!(
    what_was_put_is_there_whole_and_in_ranges,
    an_empty_object_exists,
    what_is_not_there_is_not_found,
    a_changed_object_is_never_read_as_the_old_one,
    a_put_replaces_and_changes_the_version,
    parts_may_come_in_any_order_and_twice,
    an_upload_of_one_short_part_is_an_object,
    an_aborted_upload_leaves_nothing_and_cannot_go_on,
    uploads_under_way_are_listed_and_are_no_objects,
    a_completed_upload_may_be_completed_again,
    a_copy_has_a_life_of_its_own,
    deleting_twice_is_deleting_once,
    a_listing_of_many_pages_has_each_object_once,
    organisations_of_any_name_have_folders_of_their_own,
    a_large_body_is_what_was_sent,
    a_store_answers_a_ping,
);

async fn what_was_put_is_there_whole_and_in_ranges(storage: &dyn Storage) -> Result<()> {
    let (key, data) = (staging(), body(700_001));
    let put = storage.put(&key, data.clone()).await?;
    let head = storage.head(&key).await?;
    assert_eq!((&head.key, head.size, &head.version), (&key, 700_001, &put.version));
    for range in [0..700_001, 0..1, 350_000..350_001, 700_000..700_001, 262_143..524_289, 1..700_000] {
        let got = collect(storage.get(&key, range.clone(), Some(&head.version)).await?).await?;
        assert!(got == data[range.start as usize..range.end as usize], "{range:?}");
    }
    assert_eq!(collect(storage.get(&key, 5..9, None).await?).await?, data[5..9]);
    Ok(())
}

async fn an_empty_object_exists(storage: &dyn Storage) -> Result<()> {
    let key = staging();
    assert_eq!(storage.put(&key, Bytes::new()).await?.size, 0);
    assert_eq!(storage.head(&key).await?.size, 0);
    Ok(())
}

async fn what_is_not_there_is_not_found(storage: &dyn Storage) -> Result<()> {
    let key = staging();
    assert!(matches!(storage.head(&key).await, Err(StorageError::NotFound { .. })));
    assert!(matches!(storage.get(&key, 0..1, None).await, Err(StorageError::NotFound { .. })));
    assert!(matches!(storage.copy(&key, &staging()).await, Err(StorageError::NotFound { .. })));
    Ok(())
}

async fn a_changed_object_is_never_read_as_the_old_one(storage: &dyn Storage) -> Result<()> {
    let key = staging();
    let old = storage.put(&key, body(100)).await?;
    storage.put(&key, Bytes::from(vec![7; 100])).await?;
    assert!(matches!(storage.get(&key, 0..100, Some(&old.version)).await, Err(StorageError::Changed { .. })));
    Ok(())
}

async fn a_put_replaces_and_changes_the_version(storage: &dyn Storage) -> Result<()> {
    let key = staging();
    let mut versions = BTreeSet::new();
    for round in 0..20u8 {
        versions.insert(storage.put(&key, Bytes::from(vec![round; 64])).await?.version.0);
        assert_eq!(whole(storage, &key).await?, vec![round; 64]);
    }
    assert_eq!(versions.len(), 20);
    Ok(())
}

async fn parts_may_come_in_any_order_and_twice(storage: &dyn Storage) -> Result<()> {
    let (key, data) = (staging(), body(2 * PART + 12_345));
    let upload = storage.create_multipart(&key, PART as u64).await?;
    let mut tags = vec![PartTag(String::new()); 3];
    // The last part first; one part first with other bytes.
    storage.put_part(&key, &upload, 1, vec![Bytes::from(vec![1; PART])]).await?;
    for number in [2, 1, 0] {
        let part = data.slice(number * PART..data.len().min((number + 1) * PART));
        let (head, tail) = (part.slice(..1_000), part.slice(1_000..));
        tags[number] = storage.put_part(&key, &upload, number as u32, vec![head, Bytes::new(), tail]).await?;
    }
    let done = storage.complete_multipart(&key, &upload, tags).await?;
    assert_eq!(done.size, data.len() as u64);
    assert_eq!(storage.head(&key).await?.version, done.version);
    assert!(whole(storage, &key).await? == data);
    assert_eq!(storage.list_multipart("").await?, []);
    Ok(())
}

async fn an_upload_of_one_short_part_is_an_object(storage: &dyn Storage) -> Result<()> {
    let key = staging();
    let upload = storage.create_multipart(&key, PART as u64).await?;
    let tag = storage.put_part(&key, &upload, 0, vec![body(3)]).await?;
    storage.complete_multipart(&key, &upload, vec![tag]).await?;
    assert_eq!(whole(storage, &key).await?, body(3));
    Ok(())
}

async fn an_aborted_upload_leaves_nothing_and_cannot_go_on(storage: &dyn Storage) -> Result<()> {
    let key = staging();
    let upload = storage.create_multipart(&key, PART as u64).await?;
    let tag = storage.put_part(&key, &upload, 0, vec![body(10)]).await?;
    storage.abort_multipart(&key, &upload).await?;
    storage.abort_multipart(&key, &upload).await?;
    assert_eq!(storage.list_multipart("").await?, []);
    let part = storage.put_part(&key, &upload, 1, vec![body(10)]).await;
    assert!(matches!(part, Err(StorageError::NotFound { .. })), "{part:?}");
    let done = storage.complete_multipart(&key, &upload, vec![tag]).await;
    assert!(matches!(done, Err(StorageError::NotFound { .. })), "{done:?}");
    assert!(matches!(storage.head(&key).await, Err(StorageError::NotFound { .. })));
    Ok(())
}

async fn uploads_under_way_are_listed_and_are_no_objects(storage: &dyn Storage) -> Result<()> {
    let output = Key::Output {
        org: OrgId::new("acme"),
        file: FileId::new(),
        generation: 1,
        attempt: 2,
        name: "720p.mp4".to_owned(),
    };
    let mut begun = Vec::new();
    for key in [staging(), staging(), output] {
        let upload = storage.create_multipart(&key, PART as u64).await?;
        storage.put_part(&key, &upload, 0, vec![body(10)]).await?;
        begun.push((key, upload));
    }
    let found = |prefix: &'static str| async move {
        let pending = storage.list_multipart(prefix).await?;
        let mut pairs: Vec<_> = pending.into_iter().map(|pending| (pending.key, pending.upload)).collect();
        pairs.sort_by_key(by_name);
        anyhow::Ok(pairs)
    };
    begun.sort_by_key(by_name);
    assert_eq!(found("").await?, begun);
    assert_eq!(found("media/").await?, begun[..1]);
    assert_eq!(found("staging/acme/").await?, begun[1..]);
    assert!(storage.list("").try_collect::<Vec<_>>().await?.is_empty());
    for (key, upload) in &begun {
        storage.abort_multipart(key, upload).await?;
    }
    assert_eq!(found("").await?, []);
    Ok(())
}

fn by_name((key, upload): &(Key, MultipartId)) -> (String, String) {
    (key.to_string(), upload.0.clone())
}

async fn a_completed_upload_may_be_completed_again(storage: &dyn Storage) -> Result<()> {
    let key = staging();
    let upload = storage.create_multipart(&key, PART as u64).await?;
    let tag = storage.put_part(&key, &upload, 0, vec![body(1_000)]).await?;
    let first = storage.complete_multipart(&key, &upload, vec![tag.clone()]).await?;
    let second = storage.complete_multipart(&key, &upload, vec![tag]).await?;
    assert_eq!(first.version, second.version);
    // A late abort of what was completed must not take the object away.
    storage.abort_multipart(&key, &upload).await?;
    assert_eq!(whole(storage, &key).await?, body(1_000));
    Ok(())
}

async fn a_copy_has_a_life_of_its_own(storage: &dyn Storage) -> Result<()> {
    let (from, to) = (staging(), Key::Source { org: OrgId::new("acme"), file: FileId::new() });
    storage.put(&from, body(5_000)).await?;
    storage.put(&to, body(3)).await?;
    assert_eq!(storage.copy(&from, &to).await?.size, 5_000);
    assert_eq!(storage.copy(&from, &to).await?.size, 5_000);
    storage.delete(&from).await?;
    assert_eq!(whole(storage, &to).await?, body(5_000));
    // Nor does what is put under the old name afterwards reach the copy.
    storage.put(&from, body(10)).await?;
    assert_eq!(whole(storage, &to).await?, body(5_000));
    storage.delete(&to).await?;
    assert_eq!(whole(storage, &from).await?, body(10));
    Ok(())
}

async fn deleting_twice_is_deleting_once(storage: &dyn Storage) -> Result<()> {
    let (gone, stays) = (staging(), staging());
    for key in [&gone, &stays] {
        storage.put(key, body(10)).await?;
    }
    storage.delete(&gone).await?;
    storage.delete(&gone).await?;
    assert!(matches!(storage.head(&gone).await, Err(StorageError::NotFound { .. })));
    assert_eq!(storage.head(&stays).await?.size, 10);
    storage.delete(&stays).await?;
    storage.put(&stays, body(11)).await?;
    assert_eq!(storage.head(&stays).await?.size, 11);
    Ok(())
}

async fn a_listing_of_many_pages_has_each_object_once(storage: &dyn Storage) -> Result<()> {
    let (org, file) = (OrgId::new("acme"), FileId::new());
    let key = |number: u32| Key::Output {
        org: org.clone(),
        file,
        generation: 1,
        attempt: i64::from(number % 2),
        name: format!("{number}.m4s"),
    };
    let put = |number| {
        let key = key(number);
        async move { storage.put(&key, body(number as usize % 7)).await }
    };
    stream::iter(0..1_100).map(put).buffer_unordered(16).try_collect::<Vec<_>>().await?;
    storage.put(&staging(), body(1)).await?;
    let listed: Vec<_> = storage.list(&Key::file_prefix(&org, file)).try_collect().await?;
    assert_eq!(listed.len(), 1_100);
    let sizes: BTreeSet<_> = listed.into_iter().map(|meta| (meta.key.to_string(), meta.size)).collect();
    let expected: BTreeSet<_> = (0..1_100).map(|n| (key(n).to_string(), u64::from(n) % 7)).collect();
    assert!(sizes == expected);
    let half: Vec<_> = storage.list(&Key::attempt_prefix(&org, file, 1, 1)).try_collect().await?;
    assert_eq!(half.len(), 550);
    assert_eq!(storage.list("").try_collect::<Vec<_>>().await?.len(), 1_101);
    Ok(())
}

async fn organisations_of_any_name_have_folders_of_their_own(storage: &dyn Storage) -> Result<()> {
    let names = ["", "org1", "org10", "../../etc", "a/b", "a b+c%2F&?#", "=41", "A", "Ünïcödé 🎬", ".tmp", "x\u{0}y"];
    let file = FileId::new();
    for (number, name) in names.iter().enumerate() {
        let key = Key::Source { org: OrgId::new(*name), file };
        storage.put(&key, body(number + 1)).await?;
        storage.copy(&key, &Key::Staging { org: OrgId::new(*name), file }).await?;
    }
    for (number, name) in names.iter().enumerate() {
        let (org, source) = (OrgId::new(*name), Key::Source { org: OrgId::new(*name), file });
        assert_eq!(whole(storage, &source).await?, body(number + 1), "{name:?}");
        let found: Vec<_> = storage.list(&Key::file_prefix(&org, file)).map_ok(|meta| meta.key).try_collect().await?;
        assert_eq!(found, [source], "{name:?}");
    }
    for prefix in ["../", "/", "media/../", "./", "..", "media//"] {
        assert!(storage.list(prefix).try_collect::<Vec<_>>().await?.is_empty(), "{prefix:?}");
    }
    Ok(())
}

async fn a_large_body_is_what_was_sent(storage: &dyn Storage) -> Result<()> {
    let (key, data) = (staging(), body(3 * PART));
    storage.put(&key, data.clone()).await?;
    assert!(whole(storage, &key).await? == data);
    Ok(())
}

async fn a_store_answers_a_ping(storage: &dyn Storage) -> Result<()> {
    Ok(storage.ping(std::time::Duration::from_secs(30)).await?)
}

async fn one_deployment_owns_a_store(storage: SharedStorage) -> Result<()> {
    check_deployment(&storage, "one").await?;
    check_deployment(&storage, "one").await?;
    let other = check_deployment(&storage, "two").await;
    assert!(matches!(other, Err(BackendsError::OtherDeployment { .. })), "{other:?}");
    Ok(())
}

#[tokio::test]
async fn one_deployment_owns_a_directory() -> Result<()> {
    one_deployment_owns_a_store(super::directory()?.0).await
}

#[tokio::test]
async fn one_deployment_owns_a_prefix_of_garage() -> Result<()> {
    one_deployment_owns_a_store(std::sync::Arc::new(super::garage().await?)).await
}
