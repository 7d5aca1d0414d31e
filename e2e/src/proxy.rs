//! A proxy that stands between the product and one of its services, and does to the connections whatever networks and
//! servers do. Knows bytes only; what needs a look at requests is in `store`.

pub mod cutter;
mod pipe;
pub mod policy;
pub mod store;

use std::{
    net::Ipv4Addr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::Result;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
};
use tokio_util::task::AbortOnDropHandle;

/// What happens to bytes from now on, on connections old and new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    Open,
    /// Nothing listens any more; what was connected is cut.
    Refusing,
    /// Connections are taken and stay, and no byte passes.
    Hanging,
    /// So many bytes a second, each way and connection.
    Slow(u32),
    /// Each read waits for this long.
    Delayed(Duration),
    /// Every connection is cut when this many bytes of replies have come over it since.
    CuttingReplies(u64),
}

/// Every `every`th request with `needle` in it is passed on, and its connection cut when the reply has come.
#[derive(Debug, Clone)]
pub struct LostReply {
    pub needle: Vec<u8>,
    pub every: u64,
}

/// One route. Dropping it cuts everything.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
    _accepting: AbortOnDropHandle<()>,
}

#[derive(Debug)]
struct Shared {
    upstream: u16,
    link: watch::Sender<Link>,
    /// Changes whenever everything that is connected is to be cut.
    cuts: watch::Sender<u64>,
    lost_reply: Mutex<Option<LostReply>>,
    /// What holds the connection on which it is asked.
    last_words: Mutex<Option<Vec<u8>>>,
    held: AtomicU64,
    /// Changes when all that is held may go on.
    let_go: watch::Sender<()>,
    asked: AtomicU64,
    lost: AtomicU64,
    opened: AtomicU64,
}

impl Proxy {
    /// In front of a service on loopback.
    ///
    /// # Errors
    /// No port is free.
    pub async fn start(upstream: u16) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        let shared = Arc::new(Shared {
            upstream,
            link: watch::Sender::new(Link::Open),
            cuts: watch::Sender::new(0),
            lost_reply: Mutex::default(),
            last_words: Mutex::default(),
            held: AtomicU64::new(0),
            let_go: watch::Sender::new(()),
            asked: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            opened: AtomicU64::new(0),
        });
        let accepting = AbortOnDropHandle::new(tokio::spawn(accept(listener, Arc::clone(&shared))));
        Ok(Self { port, shared, _accepting: accepting })
    }

    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn set(&self, link: Link) {
        self.shared.link.send_replace(link);
        if link == Link::Refusing {
            self.cut();
        }
    }

    /// Cuts every connection once; new ones are as before.
    pub fn cut(&self) {
        self.shared.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// From now on, until it is set to `None`.
    pub fn lose_replies(&self, rule: Option<LostReply>) {
        self.shared.asked.store(0, Ordering::Relaxed);
        *self.shared.lost_reply.lock().unwrap_or_else(PoisonError::into_inner) = rule;
    }

    /// How many replies were lost so far.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.shared.lost.load(Ordering::Relaxed)
    }

    /// From now on, until it is set to `None`: on a connection on which this is asked nothing more is passed on, this included, and no end
    /// hears of the other's. So a machine goes that loses its line.
    pub fn hold_at(&self, last_words: Option<&[u8]>) {
        *self.shared.last_words.lock().unwrap_or_else(PoisonError::into_inner) = last_words.map(<[u8]>::to_vec);
    }

    /// What is held goes on.
    pub fn let_go(&self) {
        self.shared.let_go.send_replace(());
    }

    /// How many connections were held so far.
    #[must_use]
    pub fn held(&self) -> u64 {
        self.shared.held.load(Ordering::Relaxed)
    }

    /// How many connections there have been.
    #[must_use]
    pub fn opened(&self) -> u64 {
        self.shared.opened.load(Ordering::Relaxed)
    }
}

impl Shared {
    /// Waits, if its connection is to be held, until it is let go.
    async fn hold(&self, request: &[u8]) {
        let mut let_go = self.let_go.subscribe();
        let holds = || {
            let words = self.last_words.lock().unwrap_or_else(PoisonError::into_inner);
            words.as_ref().is_some_and(|words| contains(request, words))
        };
        if holds() {
            self.held.fetch_add(1, Ordering::Relaxed);
            drop(let_go.changed().await);
        }
    }

    /// Whether the reply to this request is to be lost.
    fn loses(&self, request: &[u8]) -> bool {
        let rule = self.lost_reply.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(LostReply { needle, every }) = &*rule else { return false };
        contains(request, needle) && (self.asked.fetch_add(1, Ordering::Relaxed) + 1).is_multiple_of(*every)
    }
}

fn contains(request: &[u8], needle: &[u8]) -> bool {
    request.windows(needle.len()).any(|window| window == needle)
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = tokio::task::JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let Ok((client, _)) = listener.accept().await else { continue };
        if *shared.link.borrow() == Link::Refusing {
            reset(&client);
            continue;
        }
        shared.opened.fetch_add(1, Ordering::Relaxed);
        connections.spawn(carry(client, Arc::clone(&shared)));
    }
}

async fn carry(mut client: TcpStream, shared: Arc<Shared>) {
    let Ok(mut server) = TcpStream::connect((Ipv4Addr::LOCALHOST, shared.upstream)).await else {
        reset(&client);
        return;
    };
    for end in [&client, &server] {
        let _ = end.set_nodelay(true);
    }
    if pipe::carry(&mut client, &mut server, &shared).await.is_err() {
        reset(&client);
        reset(&server);
    }
}

/// The next close says RST: nobody takes a cut for an end.
fn reset(stream: &TcpStream) {
    let _ = stream.set_zero_linger();
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// Answers each byte with a thousand.
    async fn chatter() -> u16 {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    while let Ok(byte) = stream.read_u8().await {
                        stream.write_all(&[byte; 1_000]).await.unwrap();
                    }
                });
            }
        });
        port
    }

    async fn ask(proxy: &Proxy) -> std::io::Result<usize> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.port())).await?;
        stream.write_all(b"x").await?;
        let mut answer = vec![0; 1_000];
        stream.read_exact(&mut answer).await
    }

    #[tokio::test]
    async fn an_open_link_passes_everything_and_a_refusing_one_nothing() {
        let proxy = Proxy::start(chatter().await).await.unwrap();
        assert_eq!(ask(&proxy).await.unwrap(), 1_000);
        proxy.set(Link::Refusing);
        assert!(ask(&proxy).await.is_err());
        proxy.set(Link::Open);
        assert_eq!(ask(&proxy).await.unwrap(), 1_000);
    }

    #[tokio::test]
    async fn what_hangs_goes_on_when_it_is_let() {
        let proxy = Proxy::start(chatter().await).await.unwrap();
        proxy.set(Link::Hanging);
        let mut asking = std::pin::pin!(ask(&proxy));
        assert!(tokio::time::timeout(Duration::from_millis(200), &mut asking).await.is_err());
        proxy.set(Link::Open);
        assert_eq!(asking.await.unwrap(), 1_000);
    }

    #[tokio::test]
    async fn a_reply_is_cut_at_its_byte() {
        let proxy = Proxy::start(chatter().await).await.unwrap();
        proxy.set(Link::CuttingReplies(600));
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.port())).await.unwrap();
        stream.write_all(b"x").await.unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        assert_eq!(answer.len(), 600);
    }

    #[tokio::test]
    async fn what_is_held_is_not_heard_of_until_it_is_let_go() {
        let proxy = Proxy::start(chatter().await).await.unwrap();
        proxy.hold_at(Some(b"x"));
        let mut asking = std::pin::pin!(ask(&proxy));
        assert!(tokio::time::timeout(Duration::from_millis(200), &mut asking).await.is_err());
        proxy.hold_at(None);
        assert!(ask(&proxy).await.is_ok(), "others are");
        assert!(tokio::time::timeout(Duration::from_millis(200), &mut asking).await.is_err());
        proxy.let_go();
        assert!(asking.await.is_ok());
        assert_eq!(proxy.held(), 1);
    }

    #[tokio::test]
    async fn every_second_reply_is_lost() {
        let proxy = Proxy::start(chatter().await).await.unwrap();
        proxy.lose_replies(Some(LostReply { needle: b"x".to_vec(), every: 2 }));
        assert!(ask(&proxy).await.is_ok());
        assert!(ask(&proxy).await.is_err());
        assert!(ask(&proxy).await.is_ok());
        assert_eq!(proxy.lost(), 1);
    }
}
