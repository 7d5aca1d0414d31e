//! The load of the streaming bench: asks one object for ranges over so many connections that are kept alive, reads and
//! throws away what comes, and prints one line of figures. It does as little as it can for each response, and says how
//! busy it was itself: a load that is at its limit has measured itself.

mod connection;
mod figures;
mod places;

use std::{
    io::Write,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use tokio::task::JoinSet;

use crate::{
    connection::{Connection, Target},
    figures::{Figures, cpu_time},
    places::{Order, Places},
};

#[derive(Parser)]
pub(crate) struct Arguments {
    /// `http://host:port/path?query`
    pub(crate) url: String,
    /// Bytes of each range.
    #[arg(long, default_value_t = 64 << 10)]
    pub(crate) range: u64,
    /// Bytes of the object that are asked for, from its beginning.
    #[arg(long, default_value_t = 48 << 20)]
    pub(crate) span: u64,
    #[arg(long, default_value_t = 16)]
    pub(crate) connections: u64,
    #[arg(long, default_value_t = 3.0)]
    pub(crate) seconds: f64,
    #[arg(long, value_enum, default_value_t = Order::Random)]
    pub(crate) order: Order,
    #[arg(long, default_value_t = 2)]
    pub(crate) threads: u64,
}

impl Arguments {
    /// In how many parts the object is divided.
    fn shares(&self) -> u64 {
        if self.order == Order::Walk { self.connections } else { 1 }
    }
}

fn main() -> Result<()> {
    let arguments = Arc::new(Arguments::parse());
    ensure!(arguments.span >= arguments.range * arguments.shares(), "fewer ranges than connections");
    let target = Arc::new(Target::parse(&arguments.url)?);
    let (begun, cpu_before) = (Instant::now(), cpu_time());
    let threads = arguments.threads.min(arguments.connections);
    let running: Vec<_> = (0..threads)
        .map(|number| {
            let (arguments, target) = (arguments.clone(), target.clone());
            thread::spawn(move || load(&arguments, &target, number, threads))
        })
        .collect();
    let mut figures = Figures::default();
    for thread in running {
        figures.add(thread.join().ok().context("a load thread panicked")??);
    }
    let elapsed = begun.elapsed();
    let busy = (cpu_time() - cpu_before).as_secs_f64() / elapsed.as_secs_f64() / threads as f64;
    writeln!(std::io::stdout(), "{}", figures.line(elapsed, busy))?;
    Ok(())
}

/// Every `step`th connection, all on one thread of its own.
fn load(arguments: &Arc<Arguments>, target: &Arc<Target>, first: u64, step: u64) -> Result<Figures> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut connections = JoinSet::new();
        for number in (first..arguments.connections).step_by(usize::try_from(step)?) {
            connections.spawn(one(arguments.clone(), target.clone(), number));
        }
        let mut figures = Figures::default();
        while let Some(ended) = connections.join_next().await {
            figures.add(ended??);
        }
        Ok(figures)
    })
}

async fn one(arguments: Arc<Arguments>, target: Arc<Target>, number: u64) -> Result<Figures> {
    let mut connection = Connection::open(target).await?;
    let mut figures = Figures::default();
    let deadline = Instant::now() + Duration::from_secs_f64(arguments.seconds);
    for place in Places::new(&arguments, number) {
        if Instant::now() >= deadline {
            break;
        }
        figures.count(connection.range(place, arguments.range).await?);
    }
    Ok(figures)
}
