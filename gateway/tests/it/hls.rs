//! Who gets playlists and segments, and what is said when there are none. What they hold is looked at end to end.

use http::{Method, StatusCode};
use reelgate_common::ids::{FileId, OrgId};

use crate::bench::{Bench, id_of};

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
