//! A proxy in front of several gateways, as a balancer is: each connection goes to the next one that answers. It counts what clients send, and
//! cuts everything that is connected whenever so many bytes have come.

use std::{
    net::Ipv4Addr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use anyhow::Result;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream},
    sync::watch,
};
use tokio_util::task::AbortOnDropHandle;

const BUFFER: usize = 16 * 1024;
/// What the kernel holds of each connection on either side of the proxy; what lies there when it is cut is lost, as on any network.
const ON_THE_WIRE: u32 = 64 * 1024;
const BACKLOG: u32 = 128;

/// Dropping it cuts everything.
#[derive(Debug)]
pub struct Cutter {
    port: u16,
    shared: Arc<Shared>,
    _accepting: AbortOnDropHandle<()>,
}

#[derive(Debug)]
struct Shared {
    upstreams: Vec<u16>,
    next: AtomicUsize,
    /// Bytes that have come from clients, all connections and heads of requests included.
    sent: watch::Sender<u64>,
    /// After how many of them everything is cut; the next point is the last.
    points: Mutex<Vec<u64>>,
    /// Cuts so far.
    cuts: watch::Sender<usize>,
}

impl Cutter {
    /// In front of gateways on loopback.
    ///
    /// # Errors
    /// No port is free.
    pub fn start(upstreams: Vec<u16>, mut points: Vec<u64>) -> Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.set_recv_buffer_size(ON_THE_WIRE)?;
        socket.bind((Ipv4Addr::LOCALHOST, 0).into())?;
        let listener = socket.listen(BACKLOG)?;
        let port = listener.local_addr()?.port();
        points.sort_unstable_by(|a, b| b.cmp(a));
        let shared = Arc::new(Shared {
            upstreams,
            next: AtomicUsize::new(0),
            sent: watch::Sender::new(0),
            points: points.into(),
            cuts: watch::Sender::new(0),
        });
        let accepting = AbortOnDropHandle::new(tokio::spawn(accept(listener, Arc::clone(&shared))));
        Ok(Self { port, shared, _accepting: accepting })
    }

    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Bytes that clients have sent so far.
    #[must_use]
    pub fn sent(&self) -> u64 {
        *self.shared.sent.borrow()
    }

    /// Until clients have sent so many.
    pub async fn has_sent(&self, bytes: u64) {
        // The sender lives as long as the proxy.
        drop(self.shared.sent.subscribe().wait_for(|sent| *sent >= bytes).await);
    }

    /// How often everything was cut.
    #[must_use]
    pub fn cuts(&self) -> usize {
        *self.shared.cuts.borrow()
    }
}

impl Shared {
    /// Counts, and cuts if a point is reached.
    fn count(&self, bytes: usize) {
        self.sent.send_modify(|sent| *sent += bytes as u64);
        let sent = *self.sent.borrow();
        let mut points = self.points.lock().unwrap_or_else(PoisonError::into_inner);
        while points.last().is_some_and(|point| *point <= sent) {
            points.pop();
            self.cuts.send_modify(|cuts| *cuts += 1);
        }
    }

    async fn connect(&self) -> Option<TcpStream> {
        let first = self.next.fetch_add(1, Ordering::Relaxed);
        for n in 0..self.upstreams.len() {
            let port = self.upstreams[(first + n) % self.upstreams.len()];
            let socket = TcpSocket::new_v4().ok()?;
            socket.set_send_buffer_size(ON_THE_WIRE).ok()?;
            if let Ok(stream) = socket.connect((Ipv4Addr::LOCALHOST, port).into()).await {
                return Some(stream);
            }
        }
        None
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = tokio::task::JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let Ok((client, _)) = listener.accept().await else { continue };
        connections.spawn(carry(client, Arc::clone(&shared)));
    }
}

async fn carry(mut client: TcpStream, shared: Arc<Shared>) {
    let mut cuts = shared.cuts.subscribe();
    let Some(mut gateway) = shared.connect().await else {
        let _ = client.set_zero_linger();
        return;
    };
    for end in [&client, &gateway] {
        let _ = end.set_nodelay(true);
    }
    let whole = tokio::select! {
        whole = both_ways(&mut client, &mut gateway, &shared) => whole.is_ok(),
        _ = cuts.changed() => false,
    };
    if !whole {
        // The next close says RST: nobody takes a cut for an end.
        for end in [&client, &gateway] {
            let _ = end.set_zero_linger();
        }
    }
}

async fn both_ways(client: &mut TcpStream, gateway: &mut TcpStream, shared: &Shared) -> std::io::Result<()> {
    let ((mut from_client, mut to_client), (mut from_gateway, mut to_gateway)) = (client.split(), gateway.split());
    let there = async {
        let mut buffer = vec![0; BUFFER];
        loop {
            let read = from_client.read(&mut buffer).await?;
            if read == 0 {
                return to_gateway.shutdown().await;
            }
            shared.count(read);
            to_gateway.write_all(&buffer[..read]).await?;
        }
    };
    let back = async {
        tokio::io::copy(&mut from_gateway, &mut to_client).await?;
        to_client.shutdown().await
    };
    tokio::try_join!(there, back).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers each byte with its own number.
    async fn parrot(number: u8) -> u16 {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    while stream.read_u8().await.is_ok() {
                        stream.write_u8(number).await.unwrap();
                    }
                });
            }
        });
        port
    }

    async fn open(cutter: &Cutter) -> TcpStream {
        TcpStream::connect(cutter.url().strip_prefix("http://").unwrap()).await.unwrap()
    }

    async fn ask(stream: &mut TcpStream) -> std::io::Result<u8> {
        stream.write_u8(0).await?;
        stream.read_u8().await
    }

    #[tokio::test]
    async fn connections_go_to_all_in_turn_and_past_who_is_gone() {
        let gone = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap().local_addr().unwrap().port();
        let cutter = Cutter::start(vec![parrot(1).await, parrot(2).await, gone], Vec::new()).unwrap();
        let mut heard = Vec::new();
        for _ in 0..4 {
            heard.push(ask(&mut open(&cutter).await).await.unwrap());
        }
        assert_eq!(heard, [1, 2, 1, 1]);
        assert_eq!((cutter.sent(), cutter.cuts()), (4, 0));
    }

    #[tokio::test]
    async fn everything_is_cut_at_its_byte_and_counted() {
        let cutter = Cutter::start(vec![parrot(1).await], vec![3, 5]).unwrap();
        let (mut one, mut other) = (open(&cutter).await, open(&cutter).await);
        ask(&mut one).await.unwrap();
        ask(&mut other).await.unwrap();
        assert!(ask(&mut one).await.is_err() && ask(&mut other).await.is_err());
        cutter.has_sent(3).await;
        assert_eq!(cutter.cuts(), 1);
        assert!(ask(&mut open(&cutter).await).await.is_ok());
    }
}
