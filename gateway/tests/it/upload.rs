//! Uploads over a real socket: what the client reads, and what is left when it does not wait for it.

use tokio::io::AsyncWriteExt;

use crate::server::{Server, answer, file, form, noise};

#[tokio::test(flavor = "multi_thread")]
async fn several_files_are_answered_one_by_one() {
    let server = Server::start().await;
    let (status, answer) = server.post(&form(&[file("film.mp4", &noise(1 << 20)), file("notes.txt", b"hello")])).await;
    assert_eq!((status, answer["files"].as_array().unwrap().len()), (200, 2));
    assert_eq!((&answer["files"][0]["state"], &answer["files"][1]["state"]), (&"staged".into(), &"ready".into()));
    assert_eq!(server.left().await, (2, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_too_long_is_refused_before_it_is_sent() {
    let server = Server::start().await;
    let stream = server.connect("Content-Length: 1000000000\r\nExpect: 100-continue").await;
    let (status, body) = answer(stream).await;
    assert_eq!((status, body["code"].as_str()), (413, Some("file_too_large")));
    assert_eq!(server.left().await, (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_on_sending_can_read_why_it_was_refused() {
    let server = Server::start().await;
    let (status, body) = server.post(&form(&[file("film.mp4", &noise(20 << 20))])).await;
    assert_eq!((status, body["code"].as_str()), (413, Some("file_too_large")));
    assert_eq!(server.left().await, (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chunked_file_is_cut_at_its_limit() {
    let server = Server::start().await;
    let body = form(&[file("film.mp4", &noise((8 << 20) + 1))]);
    let mut stream = server.connect("Transfer-Encoding: chunked").await;
    stream.write_all(format!("{:x}\r\n", body.len()).as_bytes()).await.unwrap();
    stream.write_all(&body).await.unwrap();
    stream.write_all(b"\r\n0\r\n\r\n").await.unwrap();
    let (status, body) = answer(stream).await;
    assert_eq!((status, body["code"].as_str()), (413, Some("file_too_large")));
    assert_eq!(body["files"][0]["error"]["code"], "file_too_large");
    assert_eq!(server.left().await, (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_at_99_percent_leaves_nothing() {
    let server = Server::start().await;
    let body = form(&[file("film.mp4", &noise(4 << 20))]);
    let mut stream = server.connect(&format!("Content-Length: {}", body.len())).await;
    stream.write_all(&body[..body.len() * 99 / 100]).await.unwrap();
    drop(stream);
    assert_eq!(server.left().await, (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_without_files_names_the_missing_field() {
    let server = Server::start().await;
    let (status, body) = server.post(b"--XX--\r\n").await;
    assert_eq!((status, &body["detail"][0]["loc"]), (422, &serde_json::json!(["body", "files"])));
    assert_eq!(server.left().await, (0, 0));
}
