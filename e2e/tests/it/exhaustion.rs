//! A gateway that may open no further file: it refuses nobody for ever, loses nothing, and goes on when there is room.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context, Result, ensure};
use reelgate_e2e::{
    client::Upload,
    process::eventually,
    sign_in::SignIn,
    site::{Footing, Site},
};
use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const PATIENCE: Duration = Duration::from_secs(60);

fn descriptors(pid: u32) -> Result<u64> {
    Ok(std::fs::read_dir(format!("/proc/{pid}/fd"))?.count() as u64)
}

fn limit(pid: u32, current: u64) -> Result<Rlimit> {
    let pid = Pid::from_raw(i32::try_from(pid)?);
    // Both have inherited it; only some may raise it.
    let maximum = getrlimit(Resource::Nofile).maximum;
    Ok(prlimit(pid, Resource::Nofile, Rlimit { current: Some(current), maximum })?)
}

async fn asked(address: SocketAddr) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n").await?;
    Ok(stream)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_out_of_descriptors_goes_on_when_there_are_some_again() -> Result<()> {
    let site = Site::start(Footing::Embedded).await?;
    let gateway = &site.gateways[0];
    let (pid, address): (u32, SocketAddr) =
        (gateway.process.pid(), gateway.url().trim_start_matches("http://").parse()?);
    let alice = site.client().signed_in(SignIn::member("alice", "acme").jwt());
    let text = alice.upload_one(Upload::text("notes.txt", "hello")).await?;

    limit(pid, descriptors(pid)? + 4)?;
    let mut waiting = Vec::new();
    for _ in 0..40 {
        waiting.push(asked(address).await?);
    }
    eventually("it says that it cannot accept", PATIENCE, async || {
        gateway.process.output().contains("could not be accepted")
    })
    .await
    .with_context(|| site.output())?;
    // Those who were in are answered, and make room for the others, all of whom get in.
    for (n, mut stream) in waiting.into_iter().enumerate() {
        let mut first = [0; 12];
        let answered = tokio::time::timeout(PATIENCE, stream.read_exact(&mut first)).await;
        answered.with_context(|| format!("client {n} gets no answer"))??;
        ensure!(&first == b"HTTP/1.1 404", "{}", String::from_utf8_lossy(&first));
    }
    limit(pid, 1 << 10)?;
    ensure!(alice.info(&text).await?["state"] == "ready");
    alice.upload_one(Upload::text("more.txt", "hello again")).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_raises_its_limit_of_descriptors_at_its_start() -> Result<()> {
    let site = Site::start(Footing::Embedded).await?;
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", site.gateways[0].process.pid()))?;
    let line = limits.lines().find(|line| line.starts_with("Max open files")).context("a limit of open files")?;
    let [soft, hard] = line["Max open files".len()..].split_whitespace().take(2).collect::<Vec<_>>()[..] else {
        anyhow::bail!("{line}")
    };
    ensure!(soft == hard, "{line}");
    Ok(())
}
