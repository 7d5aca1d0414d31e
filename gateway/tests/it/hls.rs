//! Who gets playlists and segments, and what is said when there are none. What they hold is looked at end to end.

use std::time::Duration;

use http::{Method, StatusCode};
use reelgate_common::{
    ids::{FileId, OrgId},
    timestamp::Timestamp,
};
use reelgate_packager::package::{Kind, Summary, TrackSummary};

use crate::bench::{Answer, Bench, id_of};

const NO_LEASE: &str = "AAAAAAAAAAAAAAAAAAAAAA";

#[tokio::test]
async fn a_master_playlist_takes_what_a_stream_takes() {
    let bench = Bench::start().await;
    let id = id_of(&bench.upload("film.mp4", b"0123456789").await);
    for name in ["master.m3u8", "manifest.mpd"] {
        let path = format!("/v1/files/stream/{id}/{name}");
        let with = |token: String| format!("{path}?token={token}");
        let foreign = bench.token(|claims| claims.org = OrgId::new("other"));
        let narrowed = bench.token(|claims| claims.files = Some(vec![FileId::new()]));
        for (path, status, code) in [
            (path.clone(), StatusCode::UNPROCESSABLE_ENTITY, "validation_failed"),
            (with("nonsense".to_owned()), StatusCode::UNAUTHORIZED, "token_invalid"),
            (with(foreign), StatusCode::NOT_FOUND, "file_not_found"),
            (with(narrowed), StatusCode::NOT_FOUND, "file_not_found"),
            (with(bench.token(|_| {})), StatusCode::CONFLICT, "not_ready"),
        ] {
            let answer = bench.get(&path, &[]).await;
            assert_eq!((answer.status, answer.code()), (status, code.to_owned()), "{path}");
        }
        let posted = bench.ask(Method::POST, &path, &[], "").await;
        assert_eq!(posted.status, StatusCode::METHOD_NOT_ALLOWED);
    }
}

#[tokio::test]
async fn what_cannot_be_cut_into_segments_has_no_playlist() {
    let bench = Bench::start().await;
    let text = id_of(&bench.upload("notes.txt", b"hello").await);
    let path = format!("/v1/files/stream/{text}/master.m3u8?token={}", bench.token(|_| {}));
    let answer = bench.get(&path, &[]).await;
    assert_eq!((answer.status, answer.code()), (StatusCode::NOT_FOUND, "rendition_not_found".to_owned()));

    let film = bench.upload("film.mp4", b"0123456789").await;
    let fence = bench.claim(&film).await;
    bench.publish(&fence, "480p", 480, 4).await;
    let path = format!("/v1/files/stream/{}/master.m3u8?token={}", id_of(&film), bench.token(|_| {}));
    let answer = bench.get(&path, &[]).await;
    assert_eq!((answer.status, answer.code()), (StatusCode::CONFLICT, "not_ready".to_owned()));
}

#[tokio::test]
async fn below_no_lease_there_is_nothing() {
    let bench = Bench::start().await;
    let id = id_of(&bench.upload("film.mp4", b"0123456789").await);
    let token = bench.token(|_| {});
    for lease in [NO_LEASE, "short", "%2e%2e"] {
        // A token beside does not help: it opens the master playlist and nothing else.
        for query in [String::new(), format!("?token={token}")] {
            let path = format!("/v1/files/stream/{id}/{lease}/1/480p/0/index.m3u8{query}");
            let answer = bench.get(&path, &[]).await;
            assert_eq!((answer.status, answer.code()), (StatusCode::UNAUTHORIZED, "lease_ended".to_owned()), "{path}");
        }
    }
    for odd in ["1/480p/0/../index.m3u8", "1/480p/0/index.m3u8/", "0/480p/0/index.m3u8", "1//0/index.m3u8", "1/480p"] {
        let answer = bench.get(&format!("/v1/files/stream/{id}/{NO_LEASE}/{odd}"), &[]).await;
        assert_eq!((answer.status, answer.code()), (StatusCode::NOT_FOUND, "not_found".to_owned()), "{odd}");
    }
}

/// Two segments of two and three seconds, and their table; there is nothing behind it.
fn packaging() -> (serde_json::Value, Vec<u8>) {
    let track = TrackSummary {
        duration: 5_000,
        average_bandwidth: 1,
        peak_bandwidth: 2,
        segments: 2,
        ..TrackSummary::new(Kind::Video, 1, 1_000, "avc1.64001f")
    };
    let entry = |start: u64, duration: u32| {
        let (size, lead, record_length, record) = (9_u32, 5_u32, 1_u32, 80_u64);
        [start.to_be_bytes(), start.to_be_bytes()]
            .concat()
            .into_iter()
            .chain([duration, size, lead, record_length].into_iter().flat_map(u32::to_be_bytes))
            .chain(record.to_be_bytes())
    };
    let table = entry(0, 2_000).chain(entry(2_000, 3_000)).chain([0xff]).collect();
    (serde_json::to_value(Summary { tracks: vec![track], target_duration: 3 }).unwrap(), table)
}

/// A film that can be cut into segments; its id, and the rendition's generation.
async fn film(bench: &Bench) -> FileId {
    let film = bench.upload("film.mp4", b"0123456789").await;
    let fence = bench.claim(&film).await;
    let (summary, index) = packaging();
    bench.publish_packaged(&fence, "480p", summary, index).await;
    id_of(&film)
}

async fn get(bench: &Bench, path: &str, player: &str) -> Answer {
    bench.get(path, &[("user-agent", player)]).await
}

/// The media playlist that a master playlist names.
fn named(id: FileId, master: &Answer) -> String {
    let text = String::from_utf8(master.body.to_vec()).unwrap();
    let address = text.lines().find(|line| !line.starts_with('#')).unwrap();
    format!("/v1/files/stream/{id}/{address}")
}

#[tokio::test]
async fn what_lies_below_a_lease_lasts_and_the_master_playlist_may_grow() {
    let bench = Bench::start().await;
    let id = film(&bench).await;
    let token = bench.token(|_| {});
    let master = bench.get(&format!("/v1/files/stream/{id}/master.m3u8?token={token}"), &[]).await;
    assert_eq!((master.status, master.header("content-type")), (StatusCode::OK, "application/vnd.apple.mpegurl"));
    assert_eq!(master.header("cache-control"), "private, no-cache");
    let manifest = bench.get(&format!("/v1/files/stream/{id}/manifest.mpd?token={token}"), &[]).await;
    assert_eq!((manifest.status, manifest.header("content-type")), (StatusCode::OK, "application/dash+xml"));
    let text = String::from_utf8(manifest.body.to_vec()).unwrap();
    assert!(text.contains("<S t=\"0\" d=\"2000\"/><S t=\"2000\" d=\"3000\"/>"), "{text}");

    let path = named(id, &master);
    let playlist = bench.get(&path, &[]).await;
    assert!(playlist.body.ends_with(b"#EXTINF:2.000000,\n0.m4s\n#EXTINF:3.000002,\n1.m4s\n#EXT-X-ENDLIST\n"));
    assert_eq!(playlist.header("cache-control"), "private, max-age=31536000, immutable");
    assert_eq!(playlist.header("x-content-type-options"), "nosniff");
    assert!(playlist.header("content-security-policy").contains("sandbox"));
    let conditions = [("range", "bytes=0-"), ("if-none-match", playlist.header("etag"))];
    assert_eq!(bench.get(&path, &conditions).await.status, StatusCode::NOT_MODIFIED);
    let part = bench.get(&path, &[("range", "bytes=0-6")]).await;
    assert_eq!((part.status, &part.body[..]), (StatusCode::PARTIAL_CONTENT, &b"#EXTM3U"[..]));

    for (other, status, code) in [
        ("0/init.mp4", StatusCode::OK, ""),
        ("0/iframes.m3u8", StatusCode::OK, ""),
        ("0/2.m4s", StatusCode::NOT_FOUND, "segment_not_found"),
        ("1/index.m3u8", StatusCode::NOT_FOUND, "segment_not_found"),
        ("captions.m3u8", StatusCode::NOT_FOUND, "segment_not_found"),
        // A record that nobody wrote is our fault, and no panic.
        ("0/0.m4s", StatusCode::INTERNAL_SERVER_ERROR, "internal"),
    ] {
        let answer = bench.get(&path.replace("0/index.m3u8", other), &[]).await;
        let said = if answer.status == StatusCode::OK { String::new() } else { answer.code() };
        assert_eq!((answer.status, said), (status, code.to_owned()), "{other}");
    }
    for other in ["/1/720p/", "/1/source/"] {
        assert_eq!(bench.get(&path.replace("/1/480p/", other), &[]).await.code(), "segment_not_found", "{other}");
    }
    assert_eq!(bench.get(&path.replace("/1/480p/", "/2/480p/"), &[]).await.code(), "lease_ended");
}

#[tokio::test]
async fn a_lease_goes_on_for_its_client_after_the_token_has_expired() {
    let bench = Bench::start().await;
    let id = film(&bench).await;
    let mut expires_at = Timestamp(0);
    let token = bench.token(|claims| {
        claims.expires_at = claims.issued_at.plus(Duration::from_secs(2));
        expires_at = claims.expires_at;
    });
    let master = format!("/v1/files/stream/{id}/master.m3u8?token={token}");
    let first = get(&bench, &master, "player").await;
    let path = named(id, &first);
    let head = bench.ask(Method::HEAD, &master, &[("user-agent", "looker")], "").await;
    assert_eq!(head.header("content-length"), first.body.len().to_string());
    tokio::time::sleep(expires_at.since(Timestamp::now()) + Duration::from_millis(1)).await;

    for (path, player, status) in [
        (&path, "player", StatusCode::OK),
        (&master, "player", StatusCode::OK),
        (&path, "thief", StatusCode::UNAUTHORIZED),
        (&master, "thief", StatusCode::UNAUTHORIZED),
        (&master, "looker", StatusCode::UNAUTHORIZED),
    ] {
        assert_eq!(get(&bench, path, player).await.status, status, "{player} at {path}");
    }
    assert_eq!(get(&bench, &master, "player").await.body, first.body, "the same lease as before");
    let other = bench.upload("other.mp4", b"0123456789").await;
    let elsewhere = path.replace(&id.to_string(), &id_of(&other).to_string());
    assert_eq!(get(&bench, &elsewhere, "player").await.code(), "lease_ended", "a lease is for one file");
}
