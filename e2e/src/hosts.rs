//! A production site whose every part is a host of its own: two gateways, four workers, Postgres, Redis and Garage, and the clients on one
//! more, each in a network namespace with an address, behind a router that can be told to lose what one sends to another. Steady clients
//! write down what they were promised while lines are cut or everything is restarted, and the promises are held against what there is.
//!
//! Needs root and iproute2 (`make hosts`); docs/hosts.md says what is held and what was measured.

mod arena;
mod cast;
mod listen;
mod load;
pub mod network;
mod partitions;
mod restarts;
mod scene;
mod table;
mod tally;
mod toll;

use std::time::Duration;

use anyhow::Result;

pub use self::table::Report;
use self::{arena::Arena, cast::Cast};

/// What is to be run.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// How long a line stays cut, and how long everybody is watched after each restart.
    pub time: Duration,
    /// Rounds that are run, of those there are; a round cuts lines that do not hide each other.
    pub rounds: usize,
    /// Those before them that are not.
    pub passed_over: usize,
    pub loses: Loses,
}

/// What a line loses that is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loses {
    Everything,
    /// What gateways and workers send; they still hear the services.
    Questions,
    /// What services send: what they are asked they do, and nobody hears of it.
    Answers,
}

/// Cuts the line of each pair of hosts, one round after the other.
///
/// # Errors
/// The site could not be started or kept up. A broken promise is no error here, but in the report.
pub fn partitions(plan: Plan) -> Result<Report> {
    on_a_network(async |arena| partitions::run(arena, plan).await)
}

/// Restarts everything, one after the other.
///
/// # Errors
/// As `partitions`.
pub fn restarts(plan: Plan) -> Result<Report> {
    on_a_network(async |arena| restarts::run(arena, plan).await)
}

/// Everything of the test itself runs on the clients' host, so that it, too, has only the network to reach the others by.
fn on_a_network(scenario: impl AsyncFnOnce(&mut Arena) -> Result<Report>) -> Result<Report> {
    let cast = Cast::new()?;
    let runtime = network::runtime(&cast.hosts.client)?;
    runtime.block_on(async {
        let mut arena = Arena::start(cast).await?;
        let mut report = scenario(&mut arena).await?;
        arena.end(&mut report).await?;
        Ok(report)
    })
}
