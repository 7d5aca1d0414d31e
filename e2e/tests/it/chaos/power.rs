//! What an upload's answer says must survive a power cut: before the answer is sent, the kernel was told to write the bytes, the
//! name and the row to the disk. Seen at the system calls.

use anyhow::{Context, Result};
use reelgate_e2e::{
    client::{Client, Upload},
    generated::generated,
    sign_in::SignIn,
    site::{Footing, Site},
    trace::Trace,
};

const MIB: usize = 1 << 20;
const CALLS: &str = "fsync,fdatasync,rename,renameat,renameat2,write,writev,sendto,sendmsg";

#[tokio::test(flavor = "multi_thread")]
async fn bytes_name_and_row_are_on_the_disk_before_an_upload_is_answered() -> Result<()> {
    let site = Site::start(Footing::Embedded).await?;
    let alice = site.client().signed_in(SignIn::member("alice", "acme").jwt());
    // In one piece, and in parts.
    for size in [MIB, 20 * MIB] {
        let Some(trace) = Trace::of(&site.gateways[0].process, CALLS).await? else {
            println!("left out: tracing is not permitted here");
            return Ok(());
        };
        let file = stored(&alice, size).await?;
        let calls = trace.end()?;
        on_disk_before_the_answer(&calls, &file).with_context(|| format!("{size} bytes:\n{}", told(&calls, &file)))?;
    }
    Ok(())
}

async fn stored(alice: &Client, size: usize) -> Result<String> {
    alice.upload_one(Upload::bytes("film.bin", "application/octet-stream", generated(0, size))).await
}

fn on_disk_before_the_answer(calls: &[String], file: &str) -> Result<()> {
    let answered = |call: &String| call.contains("HTTP/1.1 200 OK") && call.contains(file);
    let answer = calls.iter().position(answered).context("it was never answered")?;
    let before = &calls[..answer];
    let names = |call: &String| call.starts_with("rename") && call.contains(&format!("/staging/acme/{file}\""));
    let named = before.iter().position(names).context("it was not given its name before the answer")?;
    let draft = before[named].split('"').nth(1).context("no old name")?;
    let syncs = |call: &String, path: &str| call.contains("sync(") && call.contains(&format!("{path}>"));
    before[..named]
        .iter()
        .rposition(|call| syncs(call, draft))
        .context("its bytes were not synced before it was named")?;
    let folder =
        before[named..].iter().position(|call| syncs(call, "/staging/acme")).context("its name was not synced")?;
    let row = before[named + folder..].iter().position(|call| syncs(call, "/reelgate.db-wal"));
    row.context("its row was not synced")?;
    Ok(())
}

/// What is of interest in a failure.
fn told(calls: &[String], file: &str) -> String {
    let of_interest = calls.iter().filter(|call| call.contains("sync(") || call.contains(file));
    of_interest.map(|call| call.chars().take(200).collect::<String>() + "\n").collect()
}
