//! The object store fails in one place and in one way: faults 19 to 24 of docs/faults.md.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use http::{Method, header::RETRY_AFTER};
use reelgate_common::{
    db::FileFilter,
    ids::{FileId, OrgId},
    key::Key,
};
use reelgate_e2e::{
    client::{Answer, Client, Upload},
    generated::generated,
    process::{Folder, eventually},
    proxied::Proxied,
    proxy::store::{Call, Rule, Trouble},
    sign_in::SignIn,
    site::web_safe_clip,
    slow_reader::SlowReader,
};

const MIB: usize = 1 << 20;
const PATIENCE: Duration = Duration::from_secs(60);
const ORG: &str = "acme";
/// Nothing but the request itself may clean up: the sweep never comes.
const NO_SWEEP: &[(&str, &str)] = &[("REELGATE__MAINTENANCE__UPLOAD_SILENCE_MS", "3600000")];

fn alice(at: &Proxied) -> Client {
    at.site.client().signed_in(SignIn::member("alice", ORG).jwt())
}

fn upload(length: usize) -> Vec<Upload> {
    vec![Upload::bytes("film.bin", "application/octet-stream", generated(0, length))]
}

/// A refusal that says when to come again, and nothing left of the upload anywhere.
async fn refused_without_a_trace(at: &Proxied, answer: Answer) -> Result<()> {
    let answer = answer.expect(503)?;
    assert_eq!(answer.code(), "storage_unavailable");
    assert!(answer.headers.contains_key(RETRY_AFTER), "{:?}", answer.headers);
    at.store.heal();
    let (db, org) = (at.site.database().await?, OrgId::new(ORG));
    let filter = FileFilter { limit: 10, ..FileFilter::default() };
    eventually("nothing is left", PATIENCE, async || {
        let stored = at.site.stored("").await.unwrap_or_default();
        stored == ["deployment"] && db.list_files(&org, &filter).await.is_ok_and(|rows| rows.is_empty())
    })
    .await
    .with_context(|| at.site.output())?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_cannot_be_stored_is_a_503_and_its_upload_is_aborted() -> Result<()> {
    let at = Proxied::start(NO_SWEEP).await?;
    at.store.add(Rule::always(Call::PutPart, Trouble::Status(500)).after(6));
    let answer = alice(&at).post_files("/v1/files", upload(36 * MIB)).await?;
    assert!(at.store.count(Call::PutPart) > 7, "it was tried again");
    refused_without_a_trace(&at, answer).await?;
    assert!(at.store.count(Call::Abort) > 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_whose_completion_was_done_and_not_answered_is_one_object() -> Result<()> {
    let at = Proxied::start(NO_SWEEP).await?;
    at.store.add(Rule::once(Call::Complete, Trouble::LostReply));
    let file = alice(&at).upload_one(upload(6 * MIB).remove(0)).await?;
    let lost = at.store.seen().iter().filter(|seen| seen.trouble.is_some()).count();
    assert_eq!(lost, 1);
    let bytes = alice(&at).get(&format!("/v1/files/{file}")).await?.expect(200)?.body;
    assert_eq!(bytes, generated(0, 6 * MIB));
    let stored = at.site.stored("").await?;
    assert_eq!(stored.iter().filter(|key| *key != "deployment").count(), 1, "{stored:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_under_a_200_is_no_upload() -> Result<()> {
    let at = Proxied::start(NO_SWEEP).await?;
    at.store.add(Rule::always(Call::Complete, Trouble::ErrorUnder200));
    let answer = alice(&at).post_files("/v1/files", upload(6 * MIB)).await?;
    refused_without_a_trace(&at, answer).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_store_slows_its_own_reader_only_and_a_silent_one_cuts_it() -> Result<()> {
    let at = Proxied::start(&[("REELGATE__STORAGE__IDLE_TIMEOUT_MS", "1000")]).await?;
    let alice = alice(&at);
    let (slow, fast) = (alice.upload_one(upload(MIB).remove(0)).await?, alice.upload_one(upload(MIB).remove(0)).await?);
    let token = alice.stream_token(&serde_json::json!({})).await?;
    let place = |file: &str| format!("/v1/files/stream/{file}?token={token}");
    at.store.add(Rule::once(Call::Get, Trouble::SlowBody(400_000)).at(slow.clone()));
    let film = generated(0, MIB);
    let mut reader = SlowReader::open(alice.base(), &place(&slow), 0).await?;
    assert_eq!(alice.range(&place(&fast), 0..MIB as u64).await?, film, "others are not slower");
    let gets = at.store.count(Call::Get);
    assert_eq!(reader.take(MIB).await?, film);
    assert_eq!(at.store.count(Call::Get), gets, "slow is no reason to ask again");

    let silent = alice.upload_one(upload(MIB).remove(0)).await?;
    at.store.add(Rule::always(Call::Get, Trouble::StallBody(300_000)).at(silent.clone()));
    let mut reader = SlowReader::open(alice.base(), &place(&silent), 0).await?;
    let mut taken = Vec::new();
    while let Ok(piece) =
        tokio::time::timeout(PATIENCE, reader.take(1_000)).await.context("the reader is left hanging")?
    {
        taken.extend(piece);
    }
    assert!(!taken.is_empty() && taken.len() < MIB && taken == film[..taken.len()], "{} bytes", taken.len());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_that_the_store_cuts_goes_on_at_the_right_byte_of_the_same_version() -> Result<()> {
    let at = Proxied::start(NO_SWEEP).await?;
    let alice = alice(&at);
    let file = alice.upload_one(upload(2 * MIB).remove(0)).await?;
    let cut = MIB as u64 * 6 / 10;
    at.store.add(Rule::once(Call::Get, Trouble::CutBody(cut)).at(file.clone()));
    let bytes = alice.range(&format!("/v1/files/{file}"), 0..MIB as u64).await?;
    assert_eq!(bytes, generated(0, MIB));
    let reads: Vec<_> =
        at.store.seen().into_iter().filter(|seen| seen.call == Call::Get && seen.path.contains(&file)).collect();
    let again =
        reads.iter().find(|seen| seen.range.as_ref().is_some_and(|range| range.starts_with(&format!("bytes={cut}-"))));
    let again = again.with_context(|| format!("nobody went on at {cut}: {reads:?}"))?;
    assert!(again.if_match.is_some(), "{again:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_was_changed_before_it_was_processed_is_refused() -> Result<()> {
    let mut at = Proxied::start(NO_SWEEP).await?;
    let folder = Folder::new("changed")?;
    let alice = alice(&at);
    let file = alice.upload_one(Upload::file("film.mp4", "video/mp4", web_safe_clip(&folder)?)).await?;
    let id: FileId = file.parse()?;
    let key = at.site.database().await?.find_file(&OrgId::new(ORG), id).await?.unwrap().file.source_key;
    let other = Bytes::from_static(b"somebody has put something else there");
    at.site.storage()?.put(&key, other.clone()).await?;
    if let Key::Staging { org, file } = key {
        // Whether or not a gateway promotes it meanwhile.
        at.site.storage()?.put(&Key::Source { org, file }, other).await?;
    }
    at.site.start_worker()?;
    let info = alice.wait_settled(&file, PATIENCE).await.with_context(|| at.site.output())?;
    assert_eq!((&info["state"], &info["failure"]["code"]), (&"failed".into(), &"source_changed".into()), "{info}");
    assert_eq!(info["renditions"], serde_json::json!([]));
    let answer = alice.send(Method::GET, &format!("/v1/files/stream/{file}"), &[], Bytes::new()).await?;
    assert!(!answer.status.is_success());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_was_replaced_by_one_of_the_same_size_is_refused() -> Result<()> {
    let mut at = Proxied::start(NO_SWEEP).await?;
    let folder = Folder::new("replaced")?;
    let alice = alice(&at);
    let clip = std::fs::read(web_safe_clip(&folder)?)?;
    let upload = |bytes: &[u8]| Upload::bytes("film.mp4", "video/mp4", bytes.to_vec());
    let (replaced, same) = (alice.upload_one(upload(&clip)).await?, alice.upload_one(upload(&clip)).await?);
    // A film that plays just as well: only its last picture differs.
    let mut other = clip.clone();
    *other.last_mut().unwrap() ^= 1;
    for (file, bytes) in [(&replaced, &other), (&same, &clip)] {
        let key = Key::Staging { org: OrgId::new(ORG), file: file.parse()? };
        at.site.storage()?.put(&key, Bytes::copy_from_slice(bytes)).await?;
    }
    at.site.start_worker()?;
    let info = alice.wait_settled(&replaced, PATIENCE).await.with_context(|| at.site.output())?;
    assert_eq!((&info["state"], &info["failure"]["code"]), (&"failed".into(), &"source_changed".into()), "{info}");
    assert_eq!(info["renditions"], serde_json::json!([]));
    let info = alice.wait_settled(&same, PATIENCE).await.with_context(|| at.site.output())?;
    assert_eq!(info["state"], "ready", "{info}");
    Ok(())
}
