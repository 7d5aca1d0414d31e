//! How many connections each client has open. A client is an address; of IPv6 its /64, for one customer has all of it. While there is
//! room each may have as many as its limit says; of the last quarter nobody gets more who has a sixteenth of all already, so that one
//! client cannot shut out the others.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, PoisonError},
};

pub(super) struct Clients {
    limit: usize,
    /// When so many are open, it is the share that counts.
    plenty: usize,
    share: usize,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    all: usize,
    each: HashMap<IpAddr, usize>,
}

/// The right to one connection. Dropping it gives it back.
pub(super) struct ClientSlot(Option<(Arc<Clients>, IpAddr)>);

impl Clients {
    /// `limit`: of one client; 0: any number. `most`: of all.
    pub(super) fn new(limit: usize, most: usize) -> Arc<Self> {
        let limit = if limit == 0 { usize::MAX } else { limit };
        Arc::new(Self { limit, plenty: most - most / 4, share: (most / 16).max(1), open: Mutex::default() })
    }

    /// `None` when the client has as many as it may.
    pub(super) fn enter(self: &Arc<Self>, address: IpAddr) -> Option<ClientSlot> {
        let client = client_of(address);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let limit = if open.all < self.plenty { self.limit } else { self.limit.min(self.share) };
        let count = open.each.entry(client).or_default();
        if *count >= limit {
            return None;
        }
        *count += 1;
        open.all += 1;
        Some(ClientSlot(Some((self.clone(), client))))
    }

    fn leave(&self, client: IpAddr) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.all -= 1;
        if let Some(count) = open.each.get_mut(&client) {
            *count -= 1;
            if *count == 0 {
                open.each.remove(&client);
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
        let clients = Clients::new(2, 1_000);
        let first = enter(&clients, "192.0.2.1");
        let second = enter(&clients, "::ffff:192.0.2.1");
        assert!(first.is_some() && second.is_some());
        assert!(enter(&clients, "192.0.2.1").is_none());
        assert!(enter(&clients, "192.0.2.2").is_some());
        drop(first);
        assert!(enter(&clients, "192.0.2.1").is_some());
        drop(second);
        assert!(clients.open.lock().unwrap().each.is_empty(), "who has gone is forgotten");
    }

    #[test]
    fn a_network_of_ipv6_is_one_client() {
        let clients = Clients::new(1, 1_000);
        let held = enter(&clients, "2001:db8::1");
        assert!(held.is_some() && enter(&clients, "2001:db8::ffff:1").is_none());
        assert!(enter(&clients, "2001:db8:0:1::1").is_some());
    }

    #[test]
    fn who_has_much_gets_nothing_of_the_last_quarter() {
        let clients = Clients::new(0, 64);
        let mut held: Vec<_> =
            std::iter::repeat_with(|| enter(&clients, "192.0.2.1")).take_while(Option::is_some).collect();
        assert_eq!(held.len(), 48);
        held.extend((0..4).map(|_| enter(&clients, "192.0.2.2")));
        assert!(held.iter().all(Option::is_some) && enter(&clients, "192.0.2.2").is_none());
        held.extend((3..15).map(|n| enter(&clients, &format!("192.0.2.{n}"))));
        assert!(held.iter().all(Option::is_some) && held.len() == 64);
        held.drain(..20);
        assert!(enter(&clients, "192.0.2.1").is_some(), "there is room again");
    }

    #[test]
    fn without_a_limit_a_client_has_what_there_is() {
        let clients = Clients::new(0, 10_000);
        let held: Vec<_> = (0..1_000).map(|_| enter(&clients, "192.0.2.1")).collect();
        assert!(held.iter().all(Option::is_some));
    }
}
