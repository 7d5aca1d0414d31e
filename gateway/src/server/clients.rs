//! How many connections each client has open. A client is an address; of IPv6 its /64, for one customer has all of it.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, PoisonError},
};

pub(super) struct Clients {
    /// 0: any number.
    limit: usize,
    open: Mutex<HashMap<IpAddr, usize>>,
}

/// The right to one connection. Dropping it gives it back.
pub(super) struct ClientSlot(Option<(Arc<Clients>, IpAddr)>);

impl Clients {
    pub(super) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, open: Mutex::default() })
    }

    /// `None` when the client has as many as it may.
    pub(super) fn enter(self: &Arc<Self>, address: IpAddr) -> Option<ClientSlot> {
        if self.limit == 0 {
            return Some(ClientSlot::uncounted());
        }
        let client = client_of(address);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(client).or_default();
        if *count >= self.limit {
            return None;
        }
        *count += 1;
        Some(ClientSlot(Some((self.clone(), client))))
    }

    fn leave(&self, client: IpAddr) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&client) {
            *count -= 1;
            if *count == 0 {
                open.remove(&client);
            }
        }
    }
}

impl ClientSlot {
    pub(super) fn uncounted() -> Self {
        Self(None)
    }
}

impl Drop for ClientSlot {
    fn drop(&mut self) {
        if let Some((clients, client)) = self.0.take() {
            clients.leave(client);
        }
    }
}

fn client_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn enter(clients: &Arc<Clients>, address: &str) -> Option<ClientSlot> {
        clients.enter(address.parse().unwrap())
    }

    #[test]
    fn a_client_has_so_many_and_gets_them_back() {
        let clients = Clients::new(2);
        let first = enter(&clients, "192.0.2.1");
        let second = enter(&clients, "::ffff:192.0.2.1");
        assert!(first.is_some() && second.is_some());
        assert!(enter(&clients, "192.0.2.1").is_none());
        assert!(enter(&clients, "192.0.2.2").is_some());
        drop(first);
        assert!(enter(&clients, "192.0.2.1").is_some());
        drop(second);
        assert!(clients.open.lock().unwrap().is_empty(), "who has gone is forgotten");
    }

    #[test]
    fn a_network_of_ipv6_is_one_client() {
        let clients = Clients::new(1);
        let held = enter(&clients, "2001:db8::1");
        assert!(held.is_some() && enter(&clients, "2001:db8::ffff:1").is_none());
        assert!(enter(&clients, "2001:db8:0:1::1").is_some());
    }

    #[test]
    fn without_a_limit_nobody_is_counted() {
        let clients = Clients::new(0);
        let held: Vec<_> = (0..1_000).map(|_| enter(&clients, "192.0.2.1")).collect();
        assert!(held.iter().all(Option::is_some));
    }
}
