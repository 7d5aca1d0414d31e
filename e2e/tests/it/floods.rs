//! Floods of HTTP/2 frames (faults.md E44) against the real program: the connection that sends them ends or waits, memory stays
//! where it was, and another connection is answered all the while.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context, Result, ensure};
use reelgate_e2e::site::{Footing, Site};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// Rude frames, shared with the gateway's own tests.
#[path = "../../../gateway/tests/it/connections/frames.rs"]
#[allow(dead_code, reason = "the gateway's tests use more of it")]
mod frames;

use frames::{CONTINUATION, END_HEADERS, HEADERS, RST_STREAM, SETTINGS, frame};

const PATIENCE: Duration = Duration::from_secs(60);
const DATA: u8 = 0;
const PING: u8 = 6;
const WINDOW_UPDATE: u8 = 8;
/// What one flood may leave behind: buffers of the sockets and of the allocator, far below what was sent.
const GROWTH_KIB: u64 = 8 * 1_024;
const FRAMES: u32 = 10_000;

/// A GET of something that is not there, and each flood; all but one end their connection.
fn floods() -> Vec<(&'static str, Vec<u8>, usize)> {
    let resets = (0..FRAMES).flat_map(|n| {
        let id = 2 * n + 1;
        [frames::get(id), frame(RST_STREAM, 0, id, &8u32.to_be_bytes())].concat()
    });
    // An upload is open, and its body never gets any further.
    let post = frame(HEADERS, END_HEADERS, 1, b"\x83\x86\x04\x02/x\x01\x01a");
    let empty_data = frame(DATA, 0, 1, b"");
    let settings = frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 255, 255]);
    // A literal of 4,000 bytes goes into the dynamic table, and is then named again and again: one byte each, 4,000 when unpacked.
    let literal = [&b"\x40\x01a\x7f\xa1\x1e"[..], &[b'a'; 4_000]].concat();
    let bomb = [b"\x82\x86\x04\x02/x\x01\x01a", &literal[..], &[0xbe; 12_000][..]].concat();
    let unended = frame(HEADERS, 0, 1, b"\x82\x86\x04\x02/x\x01\x01a");
    let more = frame(CONTINUATION, 0, 1, &[&b"\x00\x01a\x7f\x81\x1f"[..], &[b'a'; 4_096]].concat());
    vec![
        ("rapid resets", resets.collect(), 1),
        ("empty data", [post, empty_data.repeat(1_000)].concat(), 1_000),
        ("settings", settings.repeat(1_000), 1_000),
        ("pings", frame(PING, 0, 0, &[7; 8]).repeat(1_000), 1_000),
        ("window updates of nothing", frame(WINDOW_UPDATE, 0, 0, &0u32.to_be_bytes()), 10),
        ("a window beyond its limit", frame(WINDOW_UPDATE, 0, 0, &i32::MAX.to_be_bytes()).repeat(2), 10),
        ("an unpacked bomb", frame(HEADERS, END_HEADERS | 1, 1, &bomb), 1),
        ("continuations", [unended, more.repeat(1_000)].concat(), 100),
        (
            "empty continuations",
            [frame(HEADERS, 0, 1, b"\x82"), frame(CONTINUATION, 0, 1, b"").repeat(1_000)].concat(),
            100,
        ),
        ("data for nobody", frame(DATA, 0, 99, &[0; 1_000]).repeat(100), 100),
        ("a frame that is too long", frame(DATA, 0, 1, &[0; 1 << 20]), 1),
    ]
}

/// Sends the flood so many times and reads nothing; whether the server ended the connection.
async fn flood(address: SocketAddr, once: &[u8], times: usize) -> Result<bool> {
    let mut stream = frames::open(address).await;
    for _ in 0..times {
        // A server that answers each frame stops reading when nobody takes the answers: as good as an end.
        match timeout(Duration::from_secs(5), stream.write_all(once)).await {
            Err(_) => return Ok(false),
            Ok(Err(_)) => return Ok(true),
            Ok(Ok(())) => {}
        }
    }
    stream.shutdown().await.ok();
    let mut rest = Vec::new();
    Ok(timeout(PATIENCE, stream.read_to_end(&mut rest)).await.is_ok())
}

/// One request after the other on a kept connection.
async fn asks(address: SocketAddr) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(address).await?;
    ask(&mut stream).await?;
    Ok(stream)
}

async fn ask(stream: &mut TcpStream) -> Result<()> {
    stream.write_all(b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n").await?;
    let mut answer = vec![0; 4_096];
    let read = timeout(PATIENCE, stream.read(&mut answer)).await.context("no answer")??;
    ensure!(answer[..read].starts_with(b"HTTP/1.1 404"), "{}", String::from_utf8_lossy(&answer[..read]));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn floods_of_frames_cost_their_connection_and_nobody_else() -> Result<()> {
    let site = Site::builder(Footing::Embedded).env("REELGATE__HTTP__HEADER_TIMEOUT_MS", "2000").start().await?;
    let address: SocketAddr = site.gateways[0].url().trim_start_matches("http://").parse()?;
    let process = &site.gateways[0].process;
    // What is allocated once.
    for (_, once, times) in floods() {
        flood(address, &once, times.min(10)).await?;
    }
    let mut other = asks(address).await?;
    for (name, once, times) in floods() {
        let before = process.status_kib("VmRSS")?;
        let attack = flood(address, &once, times);
        let beside = async {
            for _ in 0..20 {
                ask(&mut other).await?;
            }
            anyhow::Ok(())
        };
        let (ended, beside) = tokio::join!(attack, beside);
        beside.with_context(|| format!("beside {name}"))?;
        let grown = process.status_kib("VmRSS")?.saturating_sub(before);
        ensure!(grown < GROWTH_KIB, "{name}: {} KiB of frames have left {grown} KiB", once.len() * times / 1_024);
        ended.with_context(|| name.to_owned())?;
        ask(&mut other).await.with_context(|| format!("after {name}"))?;
    }
    Ok(())
}

/// Those that h2 does not bear at all.
#[tokio::test(flavor = "multi_thread")]
async fn broken_frames_and_rapid_resets_are_answered_with_an_end() -> Result<()> {
    let site = Site::start(Footing::Embedded).await?;
    let address: SocketAddr = site.gateways[0].url().trim_start_matches("http://").parse()?;
    let borne = ["settings", "pings", "an unpacked bomb", "empty data", "empty continuations"];
    for (name, once, _) in floods().into_iter().filter(|(name, ..)| !borne.contains(name)) {
        let mut stream = frames::open(address).await;
        // It may end before it has taken everything.
        timeout(PATIENCE, stream.write_all(&once)).await.with_context(|| name.to_owned())?.ok();
        let code = timeout(PATIENCE, frames::end(&mut stream)).await.with_context(|| format!("no end: {name}"))?;
        ensure!(code != Some(0), "{name} ends as if all was well");
    }
    Ok(())
}
