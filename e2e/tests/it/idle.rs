//! What an idle connection costs, of the real program: the growth of its memory per connection, each of which has been
//! answered once and is kept open. `REELGATE_PROGRAMS` names the folder of a release build to look at instead.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]
#![allow(clippy::print_stdout, reason = "the figure is wanted, not only that it is met")]

use anyhow::{Context, Result, ensure};
use futures_util::{StreamExt, TryStreamExt, stream};
use reelgate_e2e::site::{Footing, PROGRAMS, Site};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::memory::raise_descriptor_limit;

/// Opened before the first look, for what a process allocates once.
const WARM: usize = 1_000;
const IDLE: usize = 4_000;
/// Per connection, all that the process holds for it (not the kernel's buffers); the goal.
const LIMIT_KIB: f64 = 16.0;
/// The futures of a development build are larger, and its figure lies between 14.8 and 15.8.
const DEVELOPMENT_LIMIT_KIB: f64 = 17.0;

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_connection_costs_about_as_much_as_hypers_two_buffers() -> Result<()> {
    raise_descriptor_limit()?;
    let site = Site::builder(Footing::Embedded).env("REELGATE__HTTP__IDLE_TIMEOUT_MS", "3600000").start().await?;
    let process = &site.gateways[0].process;
    let address = site.gateways[0].url().strip_prefix("http://").context("an http address")?.to_owned();
    let warm = idle(&address, WARM).await?;
    let before = process.status_kib("VmRSS")?;
    let connections = idle(&address, IDLE).await?;
    let after = process.status_kib("VmRSS")?;
    let each = after.saturating_sub(before) as f64 / IDLE as f64;
    println!("{IDLE} idle connections: {each:.1} KiB each, {after} KiB in all");
    // Programs that somebody has named are no development build.
    let limit = if std::env::var_os(PROGRAMS).is_some() { LIMIT_KIB } else { DEVELOPMENT_LIMIT_KIB };
    ensure!(each <= limit, "{each:.1} KiB per connection, the limit is {limit}");
    // They were there all the time.
    for mut stream in warm.into_iter().chain(connections).step_by(100) {
        ask(&mut stream).await?;
    }
    Ok(())
}

async fn idle(address: &str, count: usize) -> Result<Vec<TcpStream>> {
    let opened = (0..count).map(async |_| {
        let mut stream = TcpStream::connect(address).await?;
        ask(&mut stream).await?;
        anyhow::Ok(stream)
    });
    stream::iter(opened).buffer_unordered(32).try_collect().await
}

/// As a browser asks, with a kilobyte of headers.
async fn ask(stream: &mut TcpStream) -> Result<()> {
    let request = format!("GET /v1/files HTTP/1.1\r\nHost: a\r\nCookie: {}\r\n\r\n", "c".repeat(1_000));
    stream.write_all(request.as_bytes()).await?;
    let mut answer = vec![0; 4_096];
    let mut length = 0;
    while !answer[..length].ends_with(b"}") {
        let read = stream.read(&mut answer[length..]).await?;
        ensure!(read > 0, "the gateway has closed an idle connection");
        length += read;
    }
    ensure!(answer.starts_with(b"HTTP/1.1 401"), "{}", String::from_utf8_lossy(&answer[..length]));
    Ok(())
}
