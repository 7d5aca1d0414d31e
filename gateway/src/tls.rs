//! TLS of the API's listener: certificate and key from PEM files, read again when they change or on SIGHUP. A pair that
//! cannot be used is never taken: the old one goes on.

use std::{
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use rustls::{ServerConfig, crypto::aws_lc_rs, version};
use rustls_pki_types::{
    CertificateDer, PrivateKeyDer,
    pem::{self, PemObject},
};
use tokio::{
    net::TcpStream,
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
    time::{Instant, MissedTickBehavior, interval_at},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::sync::CancellationToken;

use crate::config::HttpConfig;

#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("{path} cannot be read as PEM", path = path.display())]
    Unreadable {
        path: PathBuf,
        #[source]
        source: pem::Error,
    },
    #[error("{path} holds no certificate", path = path.display())]
    Empty { path: PathBuf },
    #[error("{certificate} and {key} are no pair that TLS can use", certificate = certificate.display(), key = key.display())]
    Unusable {
        certificate: PathBuf,
        key: PathBuf,
        #[source]
        source: rustls::Error,
    },
    #[error("SIGHUP cannot be listened to")]
    Signal(#[source] io::Error),
}

/// Whether the configured certificate and key can be used; without any there is nothing to check.
///
/// # Errors
/// A file cannot be read, or they are no pair.
pub fn check_tls(config: &HttpConfig) -> Result<(), TlsError> {
    Files::of(config).map_or(Ok(()), |files| files.load().map(drop))
}

/// The TLS of a listener, with the newest usable certificate.
#[derive(Clone)]
pub(crate) struct Tls {
    current: watch::Receiver<Arc<ServerConfig>>,
}

impl Tls {
    /// `None` when no certificate is configured. Until `stop`, the files are looked at again.
    ///
    /// # Errors
    /// They cannot be used.
    pub(crate) fn start(config: &HttpConfig, stop: CancellationToken) -> Result<Option<Self>, TlsError> {
        let Some(files) = Files::of(config) else { return Ok(None) };
        let stamp = files.stamp();
        let (newest, current) = watch::channel(files.load()?);
        let reload = Reload { files, stamp, newest };
        let hangup = signal(SignalKind::hangup()).map_err(TlsError::Signal)?;
        let every = config.tls_reload_interval();
        tokio::spawn(async move { stop.run_until_cancelled(reload.run(every, hangup)).await });
        Ok(Some(Self { current }))
    }

    /// The handshake. It is the caller's to limit its time.
    pub(crate) async fn accept(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let config = self.current.borrow().clone();
        TlsAcceptor::from(config).accept(stream).await
    }
}

struct Reload {
    files: Files,
    stamp: Stamp,
    newest: watch::Sender<Arc<ServerConfig>>,
}

impl Reload {
    async fn run(mut self, every: Duration, mut hangup: Signal) {
        let mut clock = interval_at(Instant::now() + every, every);
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = clock.tick() => self.look(),
                _ = hangup.recv() => self.reload(),
            }
        }
    }

    /// Also when the last change could not be used: a certificate and its key are rarely replaced in one moment.
    fn look(&mut self) {
        if self.files.stamp() != self.stamp {
            self.reload();
        }
    }

    fn reload(&mut self) {
        // Taken before reading: what changes meanwhile is seen the next time.
        self.stamp = self.files.stamp();
        match self.files.load() {
            Ok(config) => {
                tracing::info!(certificate = %self.files.certificate.display(), "new connections get the new certificate");
                self.newest.send_replace(config);
            }
            Err(error) => tracing::error!(
                error = &error as &dyn std::error::Error,
                "the new certificate cannot be used; the old one stays in use"
            ),
        }
    }
}

struct Files {
    certificate: PathBuf,
    key: PathBuf,
}

/// What tells one version of the files from the next.
type Stamp = [Option<(u64, i64, i64, u64)>; 2];

impl Files {
    fn of(config: &HttpConfig) -> Option<Self> {
        let (certificate, key) = (config.tls_cert.clone()?, config.tls_key.clone()?);
        Some(Self { certificate, key })
    }

    fn stamp(&self) -> Stamp {
        [&self.certificate, &self.key].map(|path| {
            let metadata = std::fs::metadata(path).ok()?;
            Some((metadata.ino(), metadata.mtime(), metadata.mtime_nsec(), metadata.size()))
        })
    }

    fn load(&self) -> Result<Arc<ServerConfig>, TlsError> {
        let chain = certificates(&self.certificate)?;
        let key = PrivateKeyDer::from_pem_file(&self.key).map_err(|source| unreadable(&self.key, source))?;
        let unusable =
            |source| TlsError::Unusable { certificate: self.certificate.clone(), key: self.key.clone(), source };
        let builder = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(&[&version::TLS13, &version::TLS12])
            .map_err(unusable)?;
        let mut config = builder.with_no_client_auth().with_single_cert(chain, key).map_err(unusable)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let read = |source| unreadable(path, source);
    let chain: Vec<_> = CertificateDer::pem_file_iter(path).map_err(read)?.collect::<Result<_, _>>().map_err(read)?;
    if chain.is_empty() { Err(TlsError::Empty { path: path.to_owned() }) } else { Ok(chain) }
}

fn unreadable(path: &Path, source: pem::Error) -> TlsError {
    TlsError::Unreadable { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(folder: &Path, names: [&str; 2]) -> HttpConfig {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let [cert, key] = names.map(|name| folder.join(name));
        std::fs::write(&cert, made.cert.pem()).unwrap();
        std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        HttpConfig { tls_cert: Some(cert), tls_key: Some(key), ..HttpConfig::default() }
    }

    #[test]
    fn only_a_pair_that_belongs_together_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let (one, other) = (write(folder.path(), ["a", "a.key"]), write(folder.path(), ["b", "b.key"]));
        check_tls(&HttpConfig::default()).unwrap();
        check_tls(&one).unwrap();
        let mixed = HttpConfig { tls_key: other.tls_key, ..one.clone() };
        assert!(matches!(check_tls(&mixed), Err(TlsError::Unusable { .. })));
        let swapped = HttpConfig { tls_cert: one.tls_key.clone(), ..one.clone() };
        assert!(matches!(check_tls(&swapped), Err(TlsError::Empty { .. })));
        let missing = HttpConfig { tls_cert: Some(folder.path().join("none")), ..one };
        assert!(matches!(check_tls(&missing), Err(TlsError::Unreadable { .. })));
    }

    #[test]
    fn a_broken_pair_leaves_the_old_one_until_it_is_mended() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::of(&write(folder.path(), ["a", "a.key"])).unwrap();
        let (newest, current) = watch::channel(files.load().unwrap());
        let mut reload = Reload { stamp: files.stamp(), files, newest };
        let first = current.borrow().clone();
        reload.look();
        assert!(Arc::ptr_eq(&first, &current.borrow()), "nothing has changed");
        std::fs::write(folder.path().join("a"), "nonsense").unwrap();
        reload.look();
        assert!(Arc::ptr_eq(&first, &current.borrow()), "the old one stays");
        write(folder.path(), ["a", "a.key"]);
        reload.look();
        assert!(!Arc::ptr_eq(&first, &current.borrow()));
    }
}
