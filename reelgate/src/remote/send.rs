//! One file to the server. What fails on the way is tried again under the same `Idempotency-Key`, so that a file whose answer was
//! lost is not stored twice. A large one goes by `resume`.

use std::path::Path;

use anyhow::Context;
use tokio::time::sleep;

use super::{
    body::{Boundary, Content},
    file::RemoteFile,
    progress::Bars,
    resume,
    retry::pause_before_retry,
    server::{Refused, Server},
};

const ATTEMPTS: u32 = 5;

pub(super) async fn file(server: &Server, path: &Path, bars: &Bars) -> anyhow::Result<RemoteFile> {
    let name = path.file_name().context("this names no file")?.to_string_lossy().into_owned();
    let of = tokio::fs::metadata(path).await?;
    if of.is_file() && of.len() >= resume::LARGE {
        match resume::file(server, (path, &name, of.len()), bars).await {
            // An older server.
            Err(error) if is_unknown(&error) => {}
            done => return done,
        }
    }
    let key = uuid::Uuid::new_v4().to_string();
    let mut attempt = 1;
    loop {
        let error = match once(server, (path, &name), &key, bars).await {
            Ok(file) => return Ok(file),
            Err(error) => error,
        };
        let Some(pause) = pause_before_retry(&error, attempt).filter(|_| attempt < ATTEMPTS) else { return Err(error) };
        bars.complain(&format!("{name}: {error:#}; trying again in {} s", pause.as_secs()));
        sleep(pause).await;
        attempt += 1;
    }
}

async fn once(server: &Server, (path, name): (&Path, &str), key: &str, bars: &Bars) -> anyhow::Result<RemoteFile> {
    let file = tokio::fs::File::open(path).await?;
    let of = file.metadata().await?;
    anyhow::ensure!(of.is_file(), "this is no file");
    let bar = bars.bytes(name, of.len());
    let boundary = Boundary::new();
    let headers = [("content-type", &*boundary.content_type()), ("idempotency-key", key)];
    let content = Content::new(&boundary, name, (file, of.len()), bar.clone());
    let answer = server.post("v1/files", &headers, content).await;
    bar.finish_and_clear();
    let stored = RemoteFile(answer?["files"][0].take());
    stored.id()?;
    Ok(stored)
}

fn is_unknown(error: &anyhow::Error) -> bool {
    error.downcast_ref::<Refused>().is_some_and(|refused| refused.code == "not_found")
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::{TcpListener, TcpStream},
    };

    use super::*;
    use crate::cli;

    const STORED: &str = r#"{"files":[{"id":"0190163d-8694-739b-aea5-966c26f8ad91","state":"staged"}]}"#;

    /// The head of a request, once all of it came.
    async fn request(stream: &mut TcpStream) -> String {
        let (mut read, mut buffer) = (Vec::new(), [0; 4096]);
        while !read.ends_with(b"--\r\n") {
            let count = stream.read(&mut buffer).await.unwrap();
            assert!(count > 0, "the request does not end");
            read.extend_from_slice(&buffer[..count]);
        }
        String::from_utf8(read).unwrap()
    }

    /// Uploads to a server that answers each attempt so, `None` by hanging up. Gives the outcome and each attempt's key.
    async fn attempts(answers: &[Option<(u16, &str)>]) -> (anyhow::Result<RemoteFile>, Vec<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let remote = cli::Remote {
            url: format!("http://{}", listener.local_addr().unwrap()).parse().unwrap(),
            jwt: Some("a.b.c".to_owned()),
            data_dir: "none".into(),
        };
        let (server, bars) = (Server::of(&remote, None).unwrap(), Bars::new(true));
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), b"hello").unwrap();
        let serving = async {
            let mut keys = Vec::new();
            for answer in answers {
                let (mut stream, _) = listener.accept().await.unwrap();
                let request = request(&mut stream).await;
                let key = request.lines().find_map(|line| line.strip_prefix("idempotency-key: ")).unwrap();
                keys.push(key.to_owned());
                if let Some((status, body)) = answer {
                    let length = body.len();
                    let head = format!(
                        "HTTP/1.1 {status} x\r\nconnection: close\r\nretry-after: 0\r\ncontent-length: {length}\r\n\r\n"
                    );
                    stream.write_all((head + body).as_bytes()).await.unwrap();
                }
            }
            keys
        };
        tokio::join!(super::file(&server, file.path(), &bars), serving)
    }

    #[tokio::test]
    async fn what_fails_on_the_way_is_tried_again_under_the_same_key() {
        let (stored, keys) = attempts(&[None, Some((503, "")), Some((200, STORED))]).await;
        assert_eq!(stored.unwrap().state(), "staged");
        assert!(keys.iter().all(|key| key == &keys[0] && key.len() == 36), "{keys:?}");
    }

    #[tokio::test]
    async fn a_repetition_that_comes_too_early_comes_again() {
        let early = r#"{"detail":"Still arriving","code":"upload_still_arriving"}"#;
        let (stored, keys) = attempts(&[Some((503, "")), Some((409, early)), Some((200, STORED))]).await;
        assert_eq!((stored.unwrap().state(), keys.len()), ("staged", 3));
    }

    #[tokio::test]
    async fn what_was_refused_is_not_tried_again() {
        let (stored, keys) = attempts(&[Some((413, r#"{"detail":"Too large","code":"file_too_large"}"#))]).await;
        assert_eq!((stored.unwrap_err().to_string(), keys.len()), ("Too large (file_too_large)".to_owned(), 1));
    }
}
