//! Clients that ask for the same address again, as players do for every range: what they were let in to is remembered, so
//! that the next request verifies no signature and looks up nothing but this. Whether the lease still holds is asked each
//! time. What is remembered lasts as long as its row would have, at most two seconds, and not beyond any deletion here.
//!
//! Each thread keeps copies of some of it: what all threads count references of costs more than the rest of a request.

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use http::{
    Method, Request,
    header::{AUTHORIZATION, USER_AGENT},
};
use quick_cache::{Equivalent, sync::Cache};
use reelgate_common::lease::Client;

mod copies;

use crate::{
    lease::{Held, Leases},
    presented::Presented,
    rows::Fresh,
};

/// About two kilobytes each.
const MOST: usize = 8_192;
/// Longer addresses are not remembered.
const LONGEST: usize = 2_048;

pub(crate) struct Regulars {
    remembered: Cache<Address, Arc<Regular>>,
    /// Tells them from those of another gateway in this process.
    id: u64,
}

/// Somebody under a lease, and what he is shown.
pub(crate) struct Regular {
    pub(crate) lease: Arc<Held>,
    pub(crate) presented: Arc<Presented>,
    pub(crate) client: Client,
    pub(crate) fresh: Fresh,
    /// For the log.
    pub(crate) route: &'static str,
}

/// Who asks for what, to the byte.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Address {
    target: Box<str>,
    user_agent: Box<[u8]>,
    client: IpAddr,
}

/// The same, borrowed: it hashes alike.
#[derive(Clone, Copy, Hash)]
pub(crate) struct Asked<'a> {
    target: &'a str,
    user_agent: &'a [u8],
    client: IpAddr,
}

impl<'a> Asked<'a> {
    /// `None` for what is never remembered: only a GET without other credentials than its token, as players send.
    pub(crate) fn of<B>(request: &'a Request<B>, client: IpAddr) -> Option<Self> {
        let target = request.uri().path_and_query()?.as_str();
        let mut agents = request.headers().get_all(USER_AGENT).iter();
        let user_agent = agents.next().map_or(&b""[..], |agent| agent.as_bytes());
        let plain = request.method() == Method::GET && !request.headers().contains_key(AUTHORIZATION);
        let short = target.len() + user_agent.len() <= LONGEST;
        (plain && short && agents.next().is_none()).then_some(Self { target, user_agent, client })
    }

    pub(crate) fn to_address(self) -> Address {
        let Self { target, user_agent, client } = self;
        Address { target: target.into(), user_agent: user_agent.into(), client }
    }
}

impl Equivalent<Address> for Asked<'_> {
    fn equivalent(&self, address: &Address) -> bool {
        *self.target == *address.target && *self.user_agent == *address.user_agent && self.client == address.client
    }
}

impl Default for Regulars {
    fn default() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self { remembered: Cache::new(MOST), id: NEXT.fetch_add(1, Ordering::Relaxed) }
    }
}

impl Regulars {
    /// What was remembered, if it all still holds. The client then counts as seen.
    pub(crate) fn again(
        &self,
        asked: Asked<'_>,
        leases: &Leases,
        is_fresh: impl Fn(Fresh) -> bool,
    ) -> Option<Arc<Regular>> {
        let is_fresh = |regular: &Regular| is_fresh(regular.fresh);
        let find = || self.remembered.get(&asked).filter(|regular| is_fresh(regular));
        let regular = copies::find((self.id, asked), is_fresh, find)?;
        leases.goes_on(&regular.lease, &regular.client).then_some(regular)
    }

    pub(crate) fn remember(&self, address: Address, regular: Regular) {
        self.remembered.insert(address, Arc::new(regular));
    }
}

impl Regular {
    fn copy(&self) -> Self {
        let presented = Arc::new(self.presented.copy());
        Self { lease: Arc::clone(&self.lease), presented, client: self.client, fresh: self.fresh, route: self.route }
    }
}

#[cfg(test)]
mod tests {
    use std::hash::{BuildHasher, RandomState};

    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn request(method: Method, agent: &str) -> Request<()> {
        Request::builder().method(method).uri("/v1/a?token=t").header(USER_AGENT, agent).body(()).unwrap()
    }

    #[test]
    fn what_is_asked_is_found_under_the_same_hash_and_under_no_other_client() {
        let request = request(Method::GET, "player");
        let asked = Asked::of(&request, HERE).unwrap();
        let address =
            |target: &str, agent: &[u8], client| Address { target: target.into(), user_agent: agent.into(), client };
        let same = address("/v1/a?token=t", b"player", HERE);
        let state = RandomState::new();
        assert_eq!(state.hash_one(asked), state.hash_one(&same));
        assert!(asked.equivalent(&same) && asked.to_address() == same);
        assert!(!asked.equivalent(&address("/v1/a?token=u", b"player", HERE)));
        assert!(!asked.equivalent(&address("/v1/a?token=t", b"other", HERE)));
        assert!(!asked.equivalent(&address("/v1/a?token=t", b"player", "10.0.0.1".parse().unwrap())));
    }

    #[test]
    fn only_a_plain_get_is_remembered() {
        assert!(Asked::of(&request(Method::GET, "player"), HERE).is_some());
        assert!(Asked::of(&request(Method::HEAD, "player"), HERE).is_none());
        assert!(Asked::of(&request(Method::GET, &"x".repeat(LONGEST)), HERE).is_none());
        let mut signed_in = request(Method::GET, "player");
        signed_in.headers_mut().insert(AUTHORIZATION, "Bearer x".parse().unwrap());
        assert!(Asked::of(&signed_in, HERE).is_none());
        let mut two = request(Method::GET, "player");
        two.headers_mut().append(USER_AGENT, "other".parse().unwrap());
        assert!(Asked::of(&two, HERE).is_none());
    }
}
