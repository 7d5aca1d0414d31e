//! HTTP/1.1 written and read by hand: a client library would hide what is wrong.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    time::timeout,
};

/// Long enough for any machine; reached only when an answer is shorter than it says.
const PATIENCE: Duration = Duration::from_secs(30);

/// One connection, kept alive.
pub(super) struct Wire {
    stream: BufReader<TcpStream>,
}

pub(super) struct Answer {
    pub(super) status: u16,
    headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Wire {
    pub(super) async fn connect(address: SocketAddr) -> Self {
        Self { stream: BufReader::new(TcpStream::connect(address).await.unwrap()) }
    }

    pub(super) async fn ask(&mut self, method: &str, path: &str, headers: &[(&str, impl AsRef<str>)]) -> Answer {
        let lines: String = headers.iter().map(|(name, value)| format!("{name}: {}\r\n", value.as_ref())).collect();
        self.send(&format!("{method} {path} HTTP/1.1\r\nHost: a\r\n{lines}\r\n"), method).await
    }

    pub(super) async fn send(&mut self, request: &str, method: &str) -> Answer {
        self.stream.write_all(request.as_bytes()).await.unwrap();
        self.answer(method).await
    }

    /// The next answer; one to a HEAD and a 304 have no body, whatever they say (RFC 9112 section 6.3).
    pub(super) async fn answer(&mut self, method: &str) -> Answer {
        let head = self.head().await;
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let named = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_lowercase(), value.to_owned()));
        let mut answer = Answer { status, headers: lines.filter_map(named).collect(), body: Vec::new() };
        if method != "HEAD" && status != 304 {
            let length = answer.header("content-length").expect("every answer says how long it is").parse().unwrap();
            answer.body = vec![0; length];
            let read = timeout(PATIENCE, self.stream.read_exact(&mut answer.body)).await;
            read.expect("as many bytes as were promised").unwrap();
        }
        answer
    }

    async fn head(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(timeout(PATIENCE, self.stream.read_u8()).await.expect("an answer").expect("an open connection"));
        }
        String::from_utf8(head).unwrap()
    }

    /// Whether nothing more comes and the server has closed.
    pub(super) async fn is_closed(&mut self) -> bool {
        matches!(timeout(PATIENCE, self.stream.read(&mut [0])).await, Ok(Ok(0)))
    }
}

impl Answer {
    /// The one value of a header that is there once.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(other, _)| other == name);
        let value = values.next()?;
        assert!(values.next().is_none(), "{name} is there twice");
        Some(&value.1)
    }

    pub(super) fn code(&self) -> String {
        let json: serde_json::Value = serde_json::from_slice(&self.body).unwrap_or_default();
        json["code"].as_str().unwrap_or_default().to_owned()
    }
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {:?} and {} bytes", self.status, self.headers, self.body.len())
    }
}
