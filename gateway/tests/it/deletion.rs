//! Deleting: who may, and what is left.

use futures_util::TryStreamExt;
use http::{Method, StatusCode};
use reelgate_common::key::Key;

use crate::bench::Bench;

#[tokio::test]
async fn a_deleted_file_is_gone_with_its_objects() {
    let bench = Bench::start().await;
    for name in ["notes.txt", "film.mp4"] {
        let file = bench.upload(name, b"hello").await;
        let path = format!("/v1/files/{}", file["id"].as_str().unwrap());
        assert_eq!(bench.get_signed_in(&path).await.status, StatusCode::OK);
        let bearer = |jwt: String| format!("Bearer {jwt}");
        let colleague = bearer(bench.jwt("bob", "acme", &[]));
        let refused = bench.ask(Method::DELETE, &path, &[("authorization", &colleague)], "").await;
        assert_eq!((refused.status, refused.code()), (StatusCode::FORBIDDEN, "not_owner".to_owned()));

        let owner = bearer(bench.alice());
        let deleted = bench.ask(Method::DELETE, &path, &[("authorization", &owner)], "").await;
        assert_eq!(deleted.status, StatusCode::OK);
        assert_eq!(deleted.json()["deleted"], true);
        assert_eq!(bench.get_signed_in(&path).await.code(), "file_not_found");
        let again = bench.ask(Method::DELETE, &path, &[("authorization", &owner)], "").await;
        assert_eq!(again.code(), "file_not_found");
    }
    let left: Vec<_> = bench.backends.storage.list("").map_ok(|object| object.key).try_collect().await.unwrap();
    assert_eq!(left, [Key::Deployment]);
    assert!(bench.backends.db.tombstones(10).await.unwrap().is_empty());
    assert_eq!(bench.backends.queue.depth().await.unwrap().ready, 0);
}
