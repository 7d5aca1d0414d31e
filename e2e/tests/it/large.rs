//! A file of more than 5 GiB: above what S3 takes in one piece or copies in one request, and far above the gateway's memory.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::{fs::File, os::unix::fs::FileExt, time::Duration};

use anyhow::{Result, ensure};
use reelgate_e2e::{
    client::Upload,
    process::{Folder, eventually},
    sign_in::SignIn,
    site::{Footing, Site},
};

const GIB: u64 = 1 << 30;
const TAIL: &[u8] = b"the end";
/// `(head -c 5368709120 /dev/zero; printf 'the end') | sha256sum`
const DIGEST: &str = "43bd3d8dde95fe3247d4718190cd7765b527843e4d6dfcf85387f0ec6ebfdb7e";
/// Peak memory of the gateway (on the embedded footing with the worker in the same process), in KiB.
const MEMORY_KIB: u64 = 150 * 1024;

async fn a_file_above_five_gib_arrives_whole(footing: Footing) -> Result<()> {
    let folder = Folder::new("large")?;
    let path = folder.path().join("large.bin");
    // A hole: five gibibytes of zeros that take no room.
    File::create(&path)?.write_all_at(TAIL, 5 * GIB)?;
    let site = Site::builder(footing).workers(1).start().await?;
    let client = site.client().signed_in(SignIn::member("alice", "acme").jwt());
    let id = client.upload_one(Upload::file("large.bin", "application/octet-stream", &path)).await?;
    let info = client.info(&id).await?;
    assert_eq!((info["state"].as_str(), info["sha256"].as_str()), (Some("ready"), Some(DIGEST)));
    assert_eq!(info["size_bytes"].as_u64(), Some(5 * GIB + TAIL.len() as u64));
    // Promotion copies it inside the store, by parts.
    eventually("staging is empty", Duration::from_secs(300), async || {
        site.stored("staging/").await.is_ok_and(|left| left.is_empty())
    })
    .await?;
    let token = client.stream_token(&serde_json::json!({})).await?;
    let place = format!("/v1/files/stream/{id}?token={token}&rendition=source");
    let end = client.range(&place, 5 * GIB - 1..5 * GIB + TAIL.len() as u64).await?;
    assert_eq!(&end[..], [b"\0", TAIL].concat());
    let peak = site.gateways[0].process.status_kib("VmHWM")?;
    ensure!(peak < MEMORY_KIB, "the gateway took {peak} KiB at its peak");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_above_five_gib_arrives_whole_embedded() -> Result<()> {
    a_file_above_five_gib_arrives_whole(Footing::Embedded).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_above_five_gib_arrives_whole_in_production() -> Result<()> {
    a_file_above_five_gib_arrives_whole(Footing::Production).await
}
