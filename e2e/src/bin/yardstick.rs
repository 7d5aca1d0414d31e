//! The yardstick of the streaming bench: the least that a hyper server can do for a range. No token, no database, no
//! cache, no log: it cuts a slice out of memory and hands it to hyper. What Reelgate is slower than this, it spends itself.

use std::{convert::Infallible, io::Write, ops::Range};

use bytes::Bytes;
use clap::Parser;
use http::{HeaderMap, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use reelgate_e2e::generated::generated;
use tokio::net::{TcpListener, TcpStream};

#[derive(Parser)]
struct Arguments {
    /// Size of the one object that every path serves.
    #[arg(long, default_value_t = 48 << 20)]
    span: usize,
    #[arg(long, default_value_t = 2)]
    threads: usize,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(arguments.threads).enable_all().build()?;
    // Sockets belong to the workers only when a worker accepts them.
    runtime.block_on(async { tokio::spawn(serve(generated(0, arguments.span))).await? })
}

async fn serve(object: Bytes) -> anyhow::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    announce(&format!("http://{}/", listener.local_addr()?))?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(connection(stream, object.clone()));
    }
}

/// The bench waits for this line.
fn announce(address: &str) -> std::io::Result<()> {
    let mut output = std::io::stdout();
    writeln!(output, "{address}")?;
    output.flush()
}

async fn connection(stream: TcpStream, object: Bytes) {
    let service = service_fn(move |request: Request<Incoming>| {
        let answer = answer(&object, request.headers());
        async move { Ok::<_, Infallible>(answer) }
    });
    // A client that leaves is no news.
    drop(http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
}

fn answer(object: &Bytes, headers: &HeaderMap) -> Response<Full<Bytes>> {
    let Some(range) = range(headers, object.len()) else { return Response::new(Full::new(object.clone())) };
    let mut response = Response::new(Full::new(object.slice(range)));
    *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    response
}

/// One range with both ends, as the load asks; anything else is the whole.
fn range(headers: &HeaderMap, length: usize) -> Option<Range<usize>> {
    let (first, last) = headers.get(header::RANGE)?.to_str().ok()?.strip_prefix("bytes=")?.split_once('-')?;
    let range = first.parse().ok()?..last.parse::<usize>().ok()?.checked_add(1)?;
    (range.start < range.end && range.end <= length).then_some(range)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slice_that_was_asked_for_is_served() {
        let object = generated(0, 1_000);
        let mut headers = HeaderMap::new();
        assert_eq!(answer(&object, &headers).status(), 200);
        headers.insert(header::RANGE, "bytes=10-19".parse().unwrap());
        assert_eq!(range(&headers, 1_000), Some(10..20));
        assert_eq!(answer(&object, &headers).status(), 206);
        assert_eq!(range(&headers, 15), None);
    }
}
