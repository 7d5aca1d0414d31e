//! The kinds of bytes that are served: the exact upload, a plain object, a rewritten head with ranges behind it, and a segment
//! made of an inline head and samples.

use std::process::Command;

use bytes::Bytes;
use reelgate_common::{
    ids::OrgId,
    key::Key,
    rendition::{Piece, Role},
};
use reelgate_packager::{package::build, parse_movie};

use super::wire::Wire;
use crate::bench::{Bench, id_of};

/// Of every kind but the segment; the cases speak of it.
pub(super) const LENGTH: usize = 300_000;
/// Of the head that virtual faststart puts in front, and of what it leaves out of the original's beginning.
const HEAD: usize = 70_000;

pub(super) struct Kind {
    pub(super) name: &'static str,
    pub(super) path: String,
    pub(super) content_type: &'static str,
    pub(super) caching: &'static str,
    pub(super) whole: Vec<u8>,
    pub(super) etag: String,
    pub(super) modified: String,
}

pub(super) async fn kinds(bench: &Bench) -> Vec<Kind> {
    let source = noise(LENGTH, 1);
    let head = noise(HEAD, 2);
    let file = bench.upload("film.mp4", &source).await;
    let fence = bench.claim(&file).await;
    let key = Key::Output {
        org: OrgId::new("acme"),
        file: fence.file_id,
        generation: fence.generation,
        attempt: fence.attempt,
        name: "head".to_owned(),
    };
    bench.backends.storage.put(&key, Bytes::from(head.clone())).await.unwrap();
    bench.publish(&fence, "plain", 1, LENGTH as u64).await;
    let piece =
        |object, offset: usize, end: usize| Piece { object, offset: offset as u64, length: (end - offset) as u64 };
    let output = || Role::Output("head".to_owned());
    let layout =
        vec![piece(output(), 0, HEAD), piece(Role::Source, HEAD, 200_000), piece(Role::Source, 200_000, LENGTH)];
    bench.publish_layout(&fence, "faststart", 2, layout).await;

    let rewritten = [&head[..], &source[HEAD..]].concat();
    let base = format!("/v1/files/stream/{}?token={}", id_of(&file), bench.token(|_| {}));
    let mut kinds = vec![
        kind(bench, "the exact upload", format!("{base}&rendition=source"), "application/octet-stream", source.clone())
            .await,
        kind(bench, "a plain object", format!("{base}&rendition=plain"), "video/mp4", source).await,
        kind(bench, "virtual faststart", format!("{base}&rendition=faststart"), "video/mp4", rewritten).await,
    ];
    kinds.push(segment(bench).await);
    kinds
}

/// The first segment of a film, below its lease.
async fn segment(bench: &Bench) -> Kind {
    let film = film();
    let moov = film.windows(4).rposition(|name| name == b"moov").unwrap() - 4;
    let size = u32::from_be_bytes(film[moov..moov + 4].try_into().unwrap()) as usize;
    let built = build(&parse_movie(&film[moov..moov + size]).unwrap(), &[], 1).unwrap();
    let file = bench.upload("segments.mp4", &film).await;
    let fence = bench.claim(&file).await;
    let summary = serde_json::to_value(&built.summary).unwrap();
    bench.publish_packaged(&fence, "cut", summary, built.object).await;

    let root = format!("/v1/files/stream/{}", id_of(&file));
    let master = bench.get(&format!("{root}/master.m3u8?token={}", bench.token(|_| {})), &[]).await;
    let text = String::from_utf8(master.body.to_vec()).unwrap();
    let playlist = text.lines().find(|line| !line.starts_with('#')).expect("a variant");
    let path = format!("{root}/{}", playlist.replace("index.m3u8", "0.m4s"));
    let whole = bench.get(&path, &[]).await.body.to_vec();
    assert_eq!(&whole[4..8], b"moof");
    // So that every place of the table that is not near the end lies within it, and none behind the end does.
    assert!((260_000..400_000).contains(&whole.len()), "{} bytes", whole.len());
    let caching = "private, max-age=31536000, immutable";
    Kind { caching, ..kind(bench, "a segment", path, "video/mp4", whole).await }
}

/// Four frames of noise, which take as much room as the table wants.
fn film() -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("noise.mp4");
    let status = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-f", "lavfi", "-i"])
        .args(["nullsrc=size=320x180:rate=25,geq=lum=random(1)*255:cb=128:cr=128", "-frames:v", "4", "-threads", "1"])
        .args(["-c:v", "libx264", "-preset", "ultrafast", "-qp", "10", "-pix_fmt", "yuv420p"])
        .arg(&path)
        .status()
        .unwrap();
    assert!(status.success(), "ffmpeg is missing or has failed");
    std::fs::read(path).unwrap()
}

/// Reads its validators, once its date has become a strong one: that takes a second (RFC 9110 section 8.8.2.2).
async fn kind(bench: &Bench, name: &'static str, path: String, content_type: &'static str, whole: Vec<u8>) -> Kind {
    let mut wire = Wire::connect(bench.address()).await;
    loop {
        let answer = wire.ask("HEAD", &path, &[("Accept", "*/*")]).await;
        let (Some(etag), Some(modified)) = (answer.header("etag"), answer.header("last-modified")) else { continue };
        let part = wire.ask("GET", &path, &[("Range", "bytes=0-0"), ("If-Range", modified)]).await;
        if part.status == 206 {
            return Kind {
                name,
                path,
                content_type,
                caching: "private",
                whole,
                etag: etag.to_owned(),
                modified: modified.to_owned(),
            };
        }
    }
}

/// Bytes without a short period, so that a shifted answer is another one.
fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    (0..length).map(|_| next()).collect()
}
