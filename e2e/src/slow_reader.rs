//! A player on a thin line: a bare connection whose bytes are taken when the test wants them.

use anyhow::{Context, Result, ensure};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};

/// Else the kernel takes megabytes for each client, and the gateway never sees how slow it is.
const RECEIVE_BUFFER: u32 = 16 * 1024;

/// A response under way. Dropping it is a viewer that leaves.
#[derive(Debug)]
pub struct SlowReader {
    stream: TcpStream,
}

impl SlowReader {
    /// Asks the gateway at `base` for `path` from byte `place` on, and reads no more than the head of the answer.
    ///
    /// # Errors
    /// The gateway is away, or it does not answer 206.
    pub async fn open(base: &str, path: &str, place: u64) -> Result<Self> {
        let address = base.strip_prefix("http://").context("an http address")?;
        let socket = TcpSocket::new_v4()?;
        socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
        let mut stream = socket.connect(address.parse()?).await?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nRange: bytes={place}-\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let head = read_head(&mut stream).await?;
        ensure!(head.starts_with("HTTP/1.1 206 "), "{head}");
        Ok(Self { stream })
    }

    /// The next bytes of the body.
    ///
    /// # Errors
    /// The gateway has cut the response.
    pub async fn take(&mut self, length: usize) -> Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        self.stream.read_exact(&mut bytes).await?;
        Ok(bytes)
    }
}

/// Byte by byte, so that nothing of the body is taken.
async fn read_head(stream: &mut TcpStream) -> Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    Ok(String::from_utf8(head)?)
}
