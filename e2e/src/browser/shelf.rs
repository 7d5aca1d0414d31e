//! Serves the folders with the players, the uploaders and their pages: a web site of another origin than the gateway's, as a product's
//! own page would be.

use std::{convert::Infallible, net::Ipv4Addr, path::Path};

use anyhow::{Result, ensure};
use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, Response, body::Incoming, header::CONTENT_TYPE, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, task::JoinHandle};

const FOLDER: &str = env!("CARGO_MANIFEST_DIR");
const FETCHED: [&str; 3] =
    ["players/node_modules/hls.js", "players/node_modules/shaka-player", "uploaders/node_modules/bundle.js"];

/// Ends when dropped.
pub(super) struct Shelf {
    port: u16,
    server: JoinHandle<()>,
}

impl Shelf {
    /// # Errors
    /// They have not been fetched.
    pub(super) async fn start() -> Result<Self> {
        for name in FETCHED {
            ensure!(Path::new(FOLDER).join(name).exists(), "{name} is missing: run scripts/install-players");
        }
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        Ok(Self { port, server: tokio::spawn(serve(listener)) })
    }

    pub(super) fn address(&self, name: &str) -> String {
        format!("http://127.0.0.1:{}/{name}", self.port)
    }
}

impl Drop for Shelf {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(listener: TcpListener) {
    while let Ok((stream, _)) = listener.accept().await {
        let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer));
        tokio::spawn(connection);
    }
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    // Only our own browser asks, and only for what our own page names.
    let path = request.uri().path().trim_start_matches('/');
    let kind = if path.ends_with(".html") { "text/html" } else { "text/javascript" };
    let response = match tokio::fs::read(Path::new(FOLDER).join(path)).await {
        Ok(bytes) => Response::builder().header(CONTENT_TYPE, kind).body(bytes.into()),
        Err(_) => Response::builder().status(404).body(Full::default()),
    };
    Ok(response.expect("status and header are valid"))
}
