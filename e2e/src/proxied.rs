//! A production site whose gateways and workers reach their services through proxies, one for each service.

use anyhow::{Context, Result};

use crate::{
    proxy::{Proxy, store::StoreProxy},
    site::{Builder, Footing, Site},
};

pub struct Proxied {
    pub site: Site,
    pub database: Proxy,
    pub redis: Proxy,
    pub store: StoreProxy,
}

/// Little work.
const SMALL: &[(&str, &str)] = &[("REELGATE__LADDER__RUNGS", "144"), ("REELGATE__LADDER__PRESET", "ultrafast")];

impl Proxied {
    /// One gateway and no worker.
    ///
    /// # Errors
    /// Something does not start.
    pub async fn start(settings: &[(&str, &str)]) -> Result<Self> {
        let builder = Site::builder(Footing::Production).gateways(0).workers(0);
        let mut proxied =
            Self::before(SMALL.iter().chain(settings).fold(builder, |builder, (key, value)| builder.env(*key, *value)))
                .await?;
        proxied.site.start_gateway().await?;
        Ok(proxied)
    }

    /// Nothing of the product runs yet.
    ///
    /// # Errors
    /// Something does not start.
    pub async fn before(builder: Builder) -> Result<Self> {
        let mut site = builder.start().await?;
        let services = site.services()?;
        let (host, name) = services.database.rsplit_once('/').context("an address with a database")?;
        let (host, port) = host.rsplit_once(':').context("an address with a port")?;
        let store = services.bucket.endpoint.rsplit_once(':').context("an endpoint with a port")?.1.parse()?;
        let database = Proxy::start(port.parse()?).await?;
        let redis = Proxy::start(services.redis.port()).await?;
        let store = StoreProxy::start(store).await?;
        let settings = [
            ("REELGATE__DATABASE__URL", format!("{host}:{}/{name}", database.port())),
            ("REELGATE__QUEUE__URL", format!("redis://127.0.0.1:{}", redis.port())),
            ("REELGATE__STORAGE__ENDPOINT", format!("http://127.0.0.1:{}", store.port())),
        ];
        settings.into_iter().for_each(|(key, value)| site.set_env(key, value));
        Ok(Self { site, database, redis, store })
    }
}
