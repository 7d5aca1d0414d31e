//! The one HTTP client of the product (S3, JWKS, the command line): hyper, rustls, bounded read buffers, a deadline for connecting.

use std::time::Duration;

use hyper::body::Body;
use hyper_rustls::{ConfigBuilderExt, HttpsConnector};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use rustls::{ClientConfig, RootCertStore};

/// No answer came.
pub type HttpError = hyper_util::client::legacy::Error;

pub type HttpClient<B> = Client<HttpsConnector<HttpConnector>, B>;

/// Adaptive read buffers were measured to hand out chunks of up to 811 KB; a slow viewer would pin each of them.
const MAX_READ_BUFFER: usize = 128 * 1024;

/// A pooled HTTP/1.1 client. Timeouts after connecting are the caller's: only it knows what a body may take.
///
/// Without certificates of the system (a bare container) only `http:` addresses can be reached; that is said once here.
pub fn http_client<B>(connect_timeout: Duration) -> HttpClient<B>
where
    B: Body + Send,
    B::Data: Send,
{
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(connect_timeout));
    tcp.set_keepalive(Some(Duration::from_secs(60)));
    let https = hyper_rustls::HttpsConnectorBuilder::new()
        .with_tls_config(tls())
        .https_or_http()
        .enable_http1()
        .wrap_connector(tcp);
    Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(Duration::from_secs(30))
        .http1_max_buf_size(MAX_READ_BUFFER)
        .build(https)
}

/// Trusts whom the system trusts; without its certificates nobody.
#[must_use]
pub fn tls() -> ClientConfig {
    match ClientConfig::builder().with_native_roots() {
        Ok(config) => config.with_no_client_auth(),
        Err(error) => {
            tracing::warn!(%error, "The system has no certificates: https addresses will be refused");
            ClientConfig::builder().with_root_certificates(RootCertStore::empty()).with_no_client_auth()
        }
    }
}
