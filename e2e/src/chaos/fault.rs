//! What may strike, whom, and for how long. Chosen by dice alone, so that a seed names a whole run.

use std::{fmt, time::Duration};

use super::dice::Dice;
use crate::proxy::{Link, store::Trouble};

pub(super) const GATEWAYS: usize = 2;
pub(super) const WORKERS: usize = 3;

/// A process of the product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Victim {
    Gateway(usize),
    Worker(usize),
}

impl Victim {
    pub(super) fn all() -> Vec<Self> {
        (0..GATEWAYS).map(Self::Gateway).chain((0..WORKERS).map(Self::Worker)).collect()
    }

    /// Among all of them.
    pub(super) fn place(self) -> usize {
        match self {
            Self::Gateway(at) => at,
            Self::Worker(at) => GATEWAYS + at,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Service {
    Database,
    Redis,
    Store,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Fault {
    Kill(Victim),
    /// SIGSTOP, and SIGCONT at the end.
    Pause(Victim),
    /// SIGKILL to a worker's child.
    KillTask(usize),
    Flush,
    /// Killed and started again, Redis empty.
    Restart(Service),
    /// Between one process and one service.
    Partition(Victim, Service, Link),
    /// Every n-th commit is made, and nobody hears of it.
    LostCommits(Victim, u64),
    /// A share of all calls, of whatever kind: every n-th.
    Store(Trouble),
    FullScratch,
    FullCache(usize),
    /// A clock is so many seconds ahead of the true time, or behind it.
    Clock(Dial, i64),
}

/// Whose clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dial {
    Of(Victim),
    Database,
    Redis,
}

/// Many leases; below what tokens are forgiven (`CLOCK_SKEW`), since a client's token may come from before the step.
const STEP: usize = 50;

/// A fault and how long it lasts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Strike {
    pub(super) fault: Fault,
    pub(super) lasts: Duration,
}

impl Strike {
    /// Throws until there is one that may be.
    pub(super) fn choose(dice: &mut Dice, mut may: impl FnMut(&Self) -> bool) -> Self {
        loop {
            let strike = Self::throw(dice);
            if may(&strike) {
                return strike;
            }
        }
    }

    fn throw(dice: &mut Dice) -> Self {
        let victim = *dice.pick(&Victim::all());
        let service = *dice.pick(&[Service::Database, Service::Redis, Service::Store]);
        let (fault, most) = match dice.below(22) {
            0 | 1 => (Fault::Kill(Victim::Gateway(dice.below(GATEWAYS))), 0),
            2..=4 => (Fault::Kill(Victim::Worker(dice.below(WORKERS))), 0),
            // Longer than the lease of three seconds, now and then.
            5 | 6 => (Fault::Pause(victim), 7_000),
            7 => (Fault::KillTask(dice.below(WORKERS)), 0),
            8 => (Fault::Flush, 0),
            9 | 10 => (Fault::Restart(service), 1_500),
            11..=14 => (Fault::Partition(victim, service, link(dice)), 4_000),
            15 => (Fault::LostCommits(victim, 2 + dice.below(4) as u64), 3_000),
            16 | 17 => (Fault::Store(trouble(dice)), 3_000),
            18 => (Fault::FullScratch, 3_000),
            19 => (Fault::FullCache(dice.below(GATEWAYS)), 3_000),
            _ => (Fault::Clock(*dice.pick(&[Dial::Of(victim), Dial::Database, Dial::Redis]), step(dice)), 7_000),
        };
        Self { fault, lasts: if most == 0 { Duration::ZERO } else { dice.time(300, most) } }
    }

    /// Whether both at once would undo each other.
    pub(super) fn clashes(&self, other: &Self) -> bool {
        match (self.fault, other.fault) {
            (Fault::Kill(one) | Fault::Pause(one), Fault::Kill(two) | Fault::Pause(two)) => one == two,
            (Fault::Pause(Victim::Worker(one)), Fault::KillTask(two)) => one == two,
            (Fault::Partition(one, of, _), Fault::Partition(two, to, _)) => one == two && of == to,
            (Fault::Restart(one), Fault::Restart(two)) => one == two,
            (Fault::Restart(Service::Redis), Fault::Flush) => true,
            (Fault::LostCommits(one, _), Fault::LostCommits(two, _)) => one == two,
            (Fault::Store(_), Fault::Store(_)) | (Fault::FullScratch, Fault::FullScratch) => true,
            (Fault::FullCache(one), Fault::FullCache(two)) => one == two,
            (Fault::Clock(one, _), Fault::Clock(two, _)) => one == two,
            _ => false,
        }
    }

    /// What to count it under.
    pub(super) fn kind(&self) -> &'static str {
        match self.fault {
            Fault::Kill(Victim::Gateway(_)) => "SIGKILL of a gateway",
            Fault::Kill(Victim::Worker(_)) => "SIGKILL of a worker",
            Fault::Pause(Victim::Gateway(_)) => "SIGSTOP of a gateway",
            Fault::Pause(Victim::Worker(_)) => "SIGSTOP of a worker",
            Fault::KillTask(_) => "SIGKILL of a task",
            Fault::Flush => "Redis flushed",
            Fault::Restart(Service::Redis) => "Redis restarted empty",
            Fault::Restart(Service::Database) => "Postgres crashed and restarted",
            Fault::Restart(Service::Store) => "S3 killed and restarted",
            Fault::Partition(..) => "partition, or a bad line",
            Fault::LostCommits(..) => "commits whose answers are lost",
            Fault::Store(_) => "S3 errors, cuts, slowness",
            Fault::FullScratch => "scratch disk full",
            Fault::FullCache(_) => "cache disk full",
            Fault::Clock(Dial::Of(_), _) => "clock of a process set",
            Fault::Clock(Dial::Database, _) => "clock of Postgres set",
            Fault::Clock(Dial::Redis, _) => "clock of Redis set",
        }
    }
}

fn step(dice: &mut Dice) -> i64 {
    let seconds = i64::try_from(1 + dice.below(STEP)).unwrap_or(1);
    if dice.below(2) == 0 { seconds } else { -seconds }
}

fn link(dice: &mut Dice) -> Link {
    match dice.below(5) {
        0 => Link::Refusing,
        1 | 2 => Link::Hanging,
        3 => Link::Delayed(dice.time(20, 200)),
        _ => Link::Slow(20_000 + 1_000 * u32::try_from(dice.below(180)).unwrap_or(0)),
    }
}

fn trouble(dice: &mut Dice) -> Trouble {
    match dice.below(7) {
        0 => Trouble::Status(500),
        1 => Trouble::Status(503),
        2 => Trouble::Status(429),
        3 => Trouble::LostReply,
        4 => Trouble::CutBody(dice.below(20_000) as u64),
        5 => Trouble::SlowBody(30_000),
        _ => Trouble::Delay(dice.time(100, 1_000)),
    }
}

impl fmt::Display for Strike {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} for {:?}", self.fault, self.lasts)
    }
}
