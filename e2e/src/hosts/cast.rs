//! Who is on which host, and which lines there are between them.

use std::fmt;

use anyhow::Result;

use super::network::Network;
use crate::host::{Host, Hosts};

pub(super) const GATEWAYS: usize = 2;
pub(super) const WORKERS: usize = 4;

/// What all gateways and workers speak with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Service {
    Redis,
    Postgres,
    Garage,
}

impl Service {
    pub(super) const ALL: [Self; 3] = [Self::Redis, Self::Postgres, Self::Garage];

    /// As `/readyz` has it.
    pub(super) fn check(self) -> &'static str {
        match self {
            Self::Redis => "queue",
            Self::Postgres => "database",
            Self::Garage => "storage",
        }
    }
}

/// A process of the product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Process {
    Gateway(usize),
    Worker(usize),
}

impl Process {
    pub(super) fn all() -> Vec<Self> {
        (0..GATEWAYS).map(Self::Gateway).chain((0..WORKERS).map(Self::Worker)).collect()
    }
}

/// Two hosts between which there is a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pair {
    /// It needs this.
    Needs(Process, Service),
    /// They never speak with each other.
    Strangers(Process, Process),
}

/// All hosts, before anything runs on them.
#[derive(Debug)]
pub(super) struct Cast {
    pub(super) network: Network,
    pub(super) hosts: Hosts,
}

impl Cast {
    pub(super) fn new() -> Result<Self> {
        let mut network = Network::new()?;
        let gateways = (0..GATEWAYS).map(|_| network.host()).collect::<Result<_>>()?;
        let workers = (0..WORKERS).map(|_| network.host()).collect::<Result<_>>()?;
        let (database, redis, store) = (network.host()?, network.host()?, network.host()?);
        let client = network.host()?;
        Ok(Self { network, hosts: Hosts { gateways, workers, database, redis, store, client } })
    }
}

/// The ends of a pair.
pub(super) fn ends(hosts: &Hosts, pair: Pair) -> (&Host, &Host) {
    let process = |process| match process {
        Process::Gateway(at) => &hosts.gateways[at],
        Process::Worker(at) => &hosts.workers[at],
    };
    match pair {
        Pair::Needs(who, Service::Redis) => (process(who), &hosts.redis),
        Pair::Needs(who, Service::Postgres) => (process(who), &hosts.database),
        Pair::Needs(who, Service::Garage) => (process(who), &hosts.store),
        Pair::Strangers(one, other) => (process(one), process(other)),
    }
}

/// Each pair once, those together that do not hide each other: of gateways one at a time, so that the other shows what is whole; of workers
/// three, each without another service, beside one that can do everything.
pub(super) fn rounds() -> Vec<Vec<Pair>> {
    let mut rounds = vec![strangers()];
    for gateway in 0..GATEWAYS {
        rounds.extend(Service::ALL.map(|service| vec![Pair::Needs(Process::Gateway(gateway), service)]));
    }
    for whole in 0..WORKERS {
        let without = |(at, service)| Pair::Needs(Process::Worker((whole + 1 + at) % WORKERS), service);
        rounds.push(Service::ALL.into_iter().enumerate().map(without).collect());
    }
    rounds
}

/// Gateways from each other and from all workers.
fn strangers() -> Vec<Pair> {
    let all = Process::all();
    let is_gateway = |process: &Process| matches!(process, Process::Gateway(_));
    let pairs = |(at, one): (usize, &Process)| all[at + 1..].iter().map(|other| (*one, *other)).collect::<Vec<_>>();
    let pairs = all.iter().enumerate().flat_map(pairs).filter(|(one, _)| is_gateway(one));
    pairs.map(|(one, other)| Pair::Strangers(one, other)).collect()
}

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gateway(at) => write!(f, "gateway {}", at + 1),
            Self::Worker(at) => write!(f, "worker {}", at + 1),
        }
    }
}

impl fmt::Display for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Needs(process, service) => write!(f, "{process} × {service:?}"),
            Self::Strangers(one, other) => write!(f, "{one} × {other}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_pair_is_cut_once_and_hides_no_other() {
        let rounds = rounds();
        for process in Process::all() {
            for service in Service::ALL {
                let pair = Pair::Needs(process, service);
                assert_eq!(rounds.iter().flatten().filter(|it| **it == pair).count(), 1, "{pair}");
            }
        }
        for round in &rounds {
            let cut =
                |process: &Process| round.iter().any(|pair| matches!(pair, Pair::Needs(who, _) if who == process));
            assert!(Process::all().iter().filter(|process| cut(process)).count() <= 3, "{round:?}");
        }
        assert_eq!(rounds[0].len(), 9);
    }
}
