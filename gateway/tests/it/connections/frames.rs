//! HTTP/2 written by hand, to be rude (RFC 9113 section 4).

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::PATIENCE;

pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
pub(super) const HEADERS: u8 = 1;
pub(super) const RST_STREAM: u8 = 3;
pub(super) const SETTINGS: u8 = 4;
pub(super) const GOAWAY: u8 = 7;
pub(super) const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
pub(super) const END_HEADERS: u8 = 4;
/// The code of a GOAWAY that says "enough".
pub(super) const ENHANCE_YOUR_CALM: u32 = 11;

/// One frame.
pub(super) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// `GET /x` by the indexes of HPACK's static table, and two literals.
pub(super) fn get(stream: u32) -> Vec<u8> {
    frame(HEADERS, END_STREAM | END_HEADERS, stream, b"\x82\x86\x04\x02/x\x01\x01a")
}

/// A connection on which nothing is read unless asked for.
pub(super) async fn open(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(&[PREFACE, &frame(SETTINGS, 0, 0, b"")].concat()).await.unwrap();
    stream
}

/// The next frame as its kind and payload; `None` when the server has closed.
pub(super) async fn next(stream: &mut TcpStream) -> Option<(u8, Vec<u8>)> {
    let mut head = [0; 9];
    timeout(PATIENCE, stream.read_exact(&mut head)).await.expect("a frame or an end").ok()?;
    let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
    timeout(PATIENCE, stream.read_exact(&mut payload)).await.expect("the whole frame").ok()?;
    Some((head[3], payload))
}

/// Reads on until the server closes; the code of its GOAWAY, if it has sent one.
pub(super) async fn end(stream: &mut TcpStream) -> Option<u32> {
    let mut code = None;
    while let Some((kind, payload)) = next(stream).await {
        if kind == GOAWAY {
            code = Some(u32::from_be_bytes(payload[4..8].try_into().unwrap()));
        }
    }
    code
}
