//! Free ports on loopback. Each is handed out once per process, and none is one that the kernel gives away by itself: those go to
//! connections and to whoever binds port 0, also between our look and the start of the server that it is for.

use std::{
    collections::HashSet,
    net::{Ipv4Addr, TcpListener},
    ops::Range,
    sync::{LazyLock, Mutex},
};

static HANDED_OUT: LazyLock<Mutex<HashSet<u16>>> = LazyLock::new(Mutex::default);

/// Linux gives away 32768 and above, unless told otherwise.
const OURS: Range<u16> = 12_000..32_000;

/// A port that nobody listens on, and that was not handed out before in this process.
#[must_use]
pub fn free_port() -> u16 {
    loop {
        let port = rand::random_range(OURS);
        let is_free = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
        let mut handed_out = HANDED_OUT.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if is_free && handed_out.insert(port) {
            return port;
        }
    }
}
