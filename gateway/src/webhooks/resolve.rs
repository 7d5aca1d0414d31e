//! Names to addresses, by the system's resolver, once for each attempt. Bounded: a resolver that hangs keeps its thread, and must not
//! take those of others.

use std::{
    net::{IpAddr, ToSocketAddrs},
    sync::Arc,
};

use tokio::sync::Semaphore;

/// Names that are asked for at once. More wait, within their connect timeout.
const PLACES: usize = 16;
/// More addresses of one name are not looked at.
const MOST: usize = 16;

#[derive(Debug, Clone)]
pub(super) struct Resolver {
    places: Arc<Semaphore>,
}

impl Default for Resolver {
    fn default() -> Self {
        Self { places: Arc::new(Semaphore::new(PLACES)) }
    }
}

impl Resolver {
    /// The addresses of a name, as they are preferred; none when it has none or nobody knows.
    pub(super) async fn resolve(&self, name: &str) -> Vec<IpAddr> {
        let Ok(place) = self.places.clone().acquire_owned().await else { return Vec::new() };
        let name = name.to_owned();
        let asked = tokio::task::spawn_blocking(move || {
            // Held for as long as the thread is, also when nobody waits any more.
            let _place = place;
            let found = (name.as_str(), 0).to_socket_addrs().into_iter().flatten();
            let mut addresses: Vec<IpAddr> = found.map(|address| address.ip()).collect();
            addresses.dedup();
            addresses
        });
        asked.await.unwrap_or_default()
    }
}

/// Those that are connected to. All must have been looked at before.
pub(super) fn tried(addresses: &[IpAddr]) -> &[IpAddr] {
    &addresses[..addresses.len().min(MOST)]
}
