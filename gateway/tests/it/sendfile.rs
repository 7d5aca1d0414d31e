//! What lies on the disk tier goes to plain HTTP/1.1 clients from its file: byte for byte, counted, and nowhere else.

use std::{fs, path::PathBuf, time::Duration};

use http_body_util::{BodyExt, Empty};
use hyper::{body::Bytes, client::conn::http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use metrics::LocalRecorderGuard;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use reelgate_gateway::GatewayConfig;
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    time::timeout,
};

use crate::bench::Bench;

const PATIENCE: Duration = Duration::from_secs(60);
const LENGTH: usize = (3 << 20) + 12_345;

/// A gateway with a disk tier. Everything runs on the test's thread, so what it counts is this test's.
pub(crate) struct Disk {
    pub(crate) bench: Bench,
    folder: TempDir,
    counts: PrometheusHandle,
}

/// Counts as long as it is held.
pub(crate) fn recorder() -> (PrometheusHandle, LocalRecorderGuard<'static>) {
    let recorder = Box::leak(Box::new(PrometheusBuilder::new().build_recorder()));
    (recorder.handle(), metrics::set_default_local_recorder(recorder))
}

impl Disk {
    pub(crate) async fn start(counts: PrometheusHandle, change: impl FnOnce(&mut GatewayConfig)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let bench = Bench::start_with(|config| {
            config.cache.disk_dir = Some(folder.path().to_owned());
            change(config);
        })
        .await;
        Self { bench, folder, counts }
    }

    /// Bytes that went from files to clients.
    pub(crate) fn sent_from_files(&self) -> usize {
        reelgate_gateway::tally::tell();
        let text = self.counts.render();
        let line = text.lines().find(|line| line.starts_with("reelgate_http_sendfile_bytes_total "));
        line.map_or(0, |line| line.rsplit(' ').next().unwrap().parse().unwrap())
    }

    /// Has all of these read once, so that they are on disk, and then again by a gateway that has nothing of them in memory,
    /// so that their blocks are open and known to be whole.
    pub(crate) async fn settle(&mut self, paths: &[&str]) {
        for path in paths {
            self.bench.get(path, &[]).await;
        }
        // What is being written holds the folder, and so the next gateway back.
        self.bench.restart().await;
        for path in paths {
            self.bench.get(path, &[]).await;
        }
    }

    /// Files of blocks.
    fn blocks(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.folder.path()).unwrap();
        let folders = entries.filter_map(|entry| fs::read_dir(entry.unwrap().path()).ok());
        folders.flatten().map(|entry| entry.unwrap().path()).collect()
    }
}

fn noise() -> Vec<u8> {
    (0..LENGTH).map(|n| (n * 31 % 65_521 % 251) as u8).collect()
}

async fn stored(disk: &Disk) -> String {
    let file = disk.bench.upload("film.bin", &noise()).await;
    format!("/v1/files/stream/{}?token={}", file["id"].as_str().unwrap(), disk.bench.token(|_| {}))
}

async fn connect(bench: &Bench, receive_buffer: u32) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(receive_buffer).unwrap();
    socket.connect(bench.address()).await.unwrap()
}

/// What comes over a connection that the server closes, behind the head.
async fn answered(mut stream: TcpStream, path: &str, range: &str) -> (String, Vec<u8>) {
    let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\nRange: {range}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut all = Vec::new();
    // Being cut is an end as well.
    let _ = timeout(PATIENCE, stream.read_to_end(&mut all)).await.expect("an end");
    let end = all.windows(4).position(|window| window == b"\r\n\r\n").expect("a head") + 4;
    (String::from_utf8(all[..end].to_vec()).unwrap(), all[end..].to_vec())
}

#[tokio::test]
async fn what_lies_on_disk_is_sent_from_its_file_also_to_who_takes_little_at_a_time() {
    let (counts, _guard) = recorder();
    let mut disk = Disk::start(counts, |_| {}).await;
    let path = stored(&disk).await;
    disk.settle(&[&path]).await;
    for (buffer, from) in [(1 << 20, 0), (4 << 10, 70_001)] {
        let before = disk.sent_from_files();
        let (head, body) = answered(connect(&disk.bench, buffer).await, &path, &format!("bytes={from}-")).await;
        assert!(head.contains("cache;desc=disk"), "{head}");
        assert!(body == noise()[from..], "{} of {} bytes, or others", body.len(), LENGTH - from);
        assert_eq!(disk.sent_from_files() - before, LENGTH - from, "all of it, and no head");
    }
}

#[tokio::test]
async fn a_client_that_leaves_takes_nothing_from_the_next_one() {
    let (counts, _guard) = recorder();
    let mut disk = Disk::start(counts, |_| {}).await;
    let path = stored(&disk).await;
    disk.settle(&[&path]).await;
    for _ in 0..3 {
        let mut leaves = connect(&disk.bench, 4 << 10).await;
        leaves.write_all(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes()).await.unwrap();
        timeout(PATIENCE, leaves.read_exact(&mut [0; 20_000])).await.expect("a beginning").unwrap();
        drop(leaves);
        let (_, body) = answered(connect(&disk.bench, 64 << 10).await, &path, "bytes=5-").await;
        assert!(body == noise()[5..]);
    }
}

#[tokio::test]
async fn nothing_else_than_plain_http1_sends_files() {
    let (counts, _guard) = recorder();
    let mut disk = Disk::start(counts, |_| {}).await;
    let path = stored(&disk).await;
    disk.settle(&[&path]).await;
    let before = disk.sent_from_files();
    let stream = TcpStream::connect(disk.bench.address()).await.unwrap();
    let (mut client, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let request = http::Request::get(format!("http://a{path}")).body(Empty::<Bytes>::new()).unwrap();
    let body = client.send_request(request).await.unwrap().into_body().collect().await.unwrap().to_bytes();
    assert!(body == noise());
    assert_eq!(disk.sent_from_files(), before);

    let (counts, _guard) = recorder();
    let mut off = Disk::start(counts, |config| config.http.sendfile = false).await;
    let path = stored(&off).await;
    off.settle(&[&path]).await;
    let (_, body) = answered(connect(&off.bench, 64 << 10).await, &path, "bytes=0-").await;
    assert!(body == noise());
    assert_eq!(off.sent_from_files(), 0);
}

#[tokio::test]
async fn a_block_that_is_cut_off_underneath_ends_the_answer_and_is_a_miss_from_then_on() {
    let (counts, _guard) = recorder();
    let mut disk = Disk::start(counts, |_| {}).await;
    let path = stored(&disk).await;
    disk.settle(&[&path]).await;
    // The object's second block, whole.
    let second = |path: &PathBuf| path.to_str().unwrap().ends_with(".1.0.1048576");
    let block = disk.blocks().into_iter().find(second).expect("a second block");
    fs::File::options().write(true).open(block).unwrap().set_len(4_096 + 40_000).unwrap();
    let (_, body) = answered(connect(&disk.bench, 64 << 10).await, &path, "bytes=0-").await;
    assert!(body.len() < LENGTH && noise().starts_with(&body), "{} bytes, or others", body.len());
    let (_, body) = answered(connect(&disk.bench, 64 << 10).await, &path, "bytes=0-").await;
    assert!(body == noise(), "{} bytes, or others", body.len());
}

#[tokio::test]
async fn a_block_that_was_damaged_before_it_was_opened_is_not_sent() {
    let (counts, _guard) = recorder();
    let mut disk = Disk::start(counts, |_| {}).await;
    let path = stored(&disk).await;
    disk.settle(&[&path]).await;
    for block in disk.blocks() {
        let mut bytes = fs::read(&block).unwrap();
        bytes[4_096 + 10] ^= 1;
        fs::write(block, bytes).unwrap();
    }
    disk.bench.restart().await;
    for _ in 0..2 {
        let (_, body) = answered(connect(&disk.bench, 64 << 10).await, &path, "bytes=0-").await;
        assert!(body == noise(), "{} bytes, or others", body.len());
    }
}
