//! Lines are cut, one round after the other, while each gateway has clients of its own.

use std::{sync::Arc, time::Duration};

use anyhow::Result;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, sleep_until},
};

use super::{
    Plan,
    arena::{Arena, row},
    cast::{GATEWAYS, Pair, Process, Service, WORKERS, rounds},
    listen::Audience,
    load,
    scene::{Scene, Way},
    table::{Report, Row},
    tally::Trouble,
};
use crate::process::eventually;

/// Before and after a cut: what is whole then must be answered.
const BESIDE: Duration = Duration::from_secs(5);
const PATIENCE: Duration = Duration::from_secs(120);

pub(super) async fn run(arena: &mut Arena, plan: Plan) -> Result<Report> {
    let mut report = Report::default();
    for pairs in rounds().into_iter().skip(plan.passed_over).take(plan.rounds) {
        report.add(round(arena, &pairs, plan).await?);
    }
    Ok(report)
}

async fn round(arena: &mut Arena, pairs: &[Pair], plan: Plan) -> Result<Row> {
    let time = plan.time;
    let scene = arena.scene();
    arena.all_well().await?;
    let ways: Vec<Way> = (0..GATEWAYS).map(Way::At).collect();
    let audience = Audience::new(&scene, &ways).await?;
    let mut clients = JoinSet::new();
    for (way, seed) in ways.into_iter().zip(arena.seed() * 100..) {
        load::one_of_each(&mut clients, &scene, arena.media(), way, seed, time + 4 * BESIDE);
    }
    sleep(BESIDE).await;
    hand_out_work(arena, &scene, pairs).await?;
    let cut = cut(arena, &scene, pairs, plan).await;
    scene.stop.cancel();
    cut?;
    clients.join_all().await;
    let (toll, mut wrong) = arena.hold(&scene, audience).await?;
    let is_silent = |pair: &Pair| matches!(pair, Pair::Needs(Process::Worker(_), Service::Postgres));
    if pairs.iter().any(is_silent) && toll.lost == 0 {
        wrong.push("who could not tell the database that he works lost nothing".to_owned());
    }
    Ok(row(name(pairs), time.as_secs(), &scene, (toll, wrong)))
}

/// Whoever is to lose a line to what it works with has something to lose.
async fn hand_out_work(arena: &Arena, scene: &Scene, pairs: &[Pair]) -> Result<()> {
    let of = |pair: &Pair| match pair {
        Pair::Needs(Process::Worker(at), _) => Some(*at),
        _ => None,
    };
    let workers: Vec<usize> = pairs.iter().filter_map(of).collect();
    if workers.is_empty() {
        return Ok(());
    }
    arena.long_films(scene, 2 * WORKERS as u64).await;
    eventually("they have work", PATIENCE, async || {
        for worker in &workers {
            if !arena.works(*worker).await.unwrap_or(false) {
                return false;
            }
        }
        true
    })
    .await
}

async fn cut(arena: &Arena, scene: &Arc<Scene>, pairs: &[Pair], plan: Plan) -> Result<()> {
    scene.suffer(trouble(pairs));
    let cuts = pairs.iter().map(|pair| arena.cut(*pair, plan.loses)).collect::<Result<Vec<_>>>()?;
    let end = Instant::now() + plan.time;
    for pair in pairs {
        if let Pair::Needs(process, service) = pair {
            arena.misses(*process, *service).await?;
        }
    }
    sleep_until(end).await;
    drop(cuts);
    arena.all_well().await?;
    scene.suffer(Trouble::default());
    sleep(BESIDE).await;
    Ok(())
}

/// What clients may feel: only what their own gateway lacks.
fn trouble(pairs: &[Pair]) -> Trouble {
    let felt = |pair: &Pair| -> Option<(Option<usize>, Service)> {
        match pair {
            Pair::Needs(Process::Gateway(at), service) => Some((Some(*at), *service)),
            _ => None,
        }
    };
    Trouble(pairs.iter().filter_map(felt).collect())
}

fn name(pairs: &[Pair]) -> String {
    match pairs {
        [Pair::Strangers(..), ..] => format!("all {} pairs of gateways with each other and with workers", pairs.len()),
        _ => pairs.iter().map(Pair::to_string).collect::<Vec<_>>().join(", "),
    }
}
