//! What an upload's answer says must survive a power cut: before the answer is sent, the kernel has written the bytes, the name
//! and the row to the disk. Seen at the calls of the process.

use anyhow::{Context, Result, ensure};
use reelgate_e2e::{
    client::{Client, Upload},
    generated::generated,
    sign_in::SignIn,
    site::{Footing, Site},
    trace::Trace,
};

const MIB: usize = 1 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn bytes_name_and_row_are_on_the_disk_before_an_upload_is_answered() -> Result<()> {
    let trace = Trace::new()?;
    let builder = trace
        .environment()
        .into_iter()
        .fold(Site::builder(Footing::Embedded), |builder, (key, value)| builder.env(key, value));
    let site = builder.start().await?;
    let alice = site.client().signed_in(SignIn::member("alice", "acme").jwt());
    // In one piece, and in parts.
    for size in [MIB, 20 * MIB] {
        let file = stored(&alice, size).await?;
        let calls = trace.calls()?;
        let missing = not_on_disk_before_the_answer(&calls, &file).with_context(|| told(&calls, &file))?;
        ensure!(missing.is_empty(), "{size} bytes: not synced: {missing:?}\n{}", told(&calls, &file));
    }
    Ok(())
}

async fn stored(alice: &Client, size: usize) -> Result<String> {
    alice.upload_one(Upload::bytes("film.bin", "application/octet-stream", generated(0, size))).await
}

/// Each guard is looked at by itself: the bytes before they are named, the name and then the row before the answer.
fn not_on_disk_before_the_answer(calls: &[String], file: &str) -> Result<Vec<&'static str>> {
    let answered = |call: &String| call.contains("HTTP/1.1 200 OK") && call.contains(file);
    let answer = calls.iter().position(answered).context("it was never answered")?;
    let before = &calls[..answer];
    let names = |call: &String| call.starts_with("rename") && call.contains(&format!("/staging/acme/{file}\""));
    let named = before.iter().position(names).context("it was not given its name before the answer")?;
    let draft = before[named].split('"').nth(1).context("no old name")?;
    let synced = |calls: &[String], path: &str| {
        calls.iter().position(|call| call.contains("sync(") && call.ends_with(&format!("{path}>)")))
    };
    let name = synced(&before[named..], "/staging/acme");
    let row = synced(&before[named + name.unwrap_or_default()..], "/reelgate.db-wal");
    let found = [("bytes", synced(&before[..named], draft)), ("name", name), ("row", row)];
    Ok(found.into_iter().filter(|(_, synced)| synced.is_none()).map(|(what, _)| what).collect())
}

/// What is of interest in a failure.
fn told(calls: &[String], file: &str) -> String {
    let of_interest = calls.iter().filter(|call| call.contains("sync(") || call.contains(file));
    of_interest.map(|call| call.chars().take(200).collect::<String>() + "\n").collect()
}
