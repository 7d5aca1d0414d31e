//! The clients: few, each at its own pace, so that the machine is busy and not full.

use std::{sync::Arc, time::Duration};

use anyhow::{Result, anyhow};
use http::Method;
use tokio::{task::JoinSet, time::timeout};

use super::{
    scene::{ORG, Scene, Way},
    tally::Doing,
};
use crate::{
    chaos::{
        dice::Dice,
        media::{Kind, Media},
    },
    client::Client,
    slow_reader::SlowReader,
};

const UPLOADS: Duration = Duration::from_secs(2);
const LISTS: Duration = Duration::from_secs(1);
const BEGINS: Duration = Duration::from_millis(700);
const PIECES: Duration = Duration::from_millis(200);
const PIECE: usize = 64 << 10;
/// Without a byte for this long, an answer under way has stopped.
const SILENCE: Duration = Duration::from_secs(60);

/// One client of each kind.
pub(super) fn one_of_each(
    clients: &mut JoinSet<()>,
    scene: &Arc<Scene>,
    media: &Arc<Media>,
    way: Way,
    seed: u64,
    watch: Duration,
) {
    let client = || (scene.clone(), way);
    let dice = |number: u64| Dice::new(seed.wrapping_mul(8) + number);
    clients.spawn(upload(client(), media.clone(), dice(0)));
    clients.spawn(list(client()));
    clients.spawn(play(client()));
    clients.spawn(watch_slowly(client(), watch));
    clients.spawn(begin(client(), dice(1)));
}

async fn upload((scene, way): (Arc<Scene>, Way), media: Arc<Media>, mut dice: Dice) {
    for turn in 0.. {
        if !scene.goes_on() {
            return;
        }
        let (kind, name, bytes) = media.upload(&mut dice);
        if kind != Kind::Junk {
            scene.upload(way, turn, kind, &name, bytes).await;
        }
        scene.pause(UPLOADS).await;
    }
}

async fn list((scene, way): (Arc<Scene>, Way)) {
    for turn in 0.. {
        if !scene.goes_on() {
            return;
        }
        let request = |client: Client| async move { client.get("/v1/files?limit=20").await };
        scene.ask(Doing::List, way, turn, request).await;
        scene.pause(LISTS).await;
    }
}

/// Piece by piece under one address, for as long as it goes on.
async fn play((scene, way): (Arc<Scene>, Way)) {
    let film = scene.film.clone();
    let Some(path) = scene.address(way, 0, &film.id).await else { return };
    let mut place = 0;
    for turn in 0.. {
        if !scene.goes_on() {
            return;
        }
        scene.read(Doing::Play, way, turn, &path, place, &film.bytes).await;
        place = (place + PIECE) % film.bytes.len();
        scene.pause(PIECES).await;
    }
}

/// One answer after the other, each of which takes so long. The first is under way before anything happens.
async fn watch_slowly((scene, way): (Arc<Scene>, Way), takes: Duration) {
    let film = scene.film.clone();
    let Some(path) = scene.address(way, 0, &film.id).await else { return };
    let pieces = film.bytes.len() / PIECE;
    for turn in 0.. {
        if !scene.goes_on() {
            return;
        }
        scene.tally().asked += 1;
        match watch_one(&scene, way, turn, &path, takes / u32::try_from(pieces).unwrap_or(1)).await {
            Ok(()) => scene.tally().answered += 1,
            Err(error) => scene.tally().wrong(Doing::Watch, format!("an answer under way: {error:#}")),
        }
    }
}

async fn watch_one(scene: &Scene, way: Way, turn: usize, path: &str, pace: Duration) -> Result<()> {
    let mut opened = Err(anyhow!("no gateway"));
    for (_, client) in scene.gateways(way, turn) {
        opened = timeout(SILENCE, SlowReader::open(client.base(), path, 0)).await?;
        if opened.is_ok() {
            break;
        }
    }
    let mut reader = opened?;
    for (at, expected) in scene.film.bytes.chunks(PIECE).enumerate() {
        if !scene.goes_on() {
            return Ok(());
        }
        let piece =
            timeout(SILENCE, reader.take(expected.len())).await.map_err(|_| anyhow!("it stopped at {at}"))??;
        anyhow::ensure!(piece == expected, "other bytes in piece {at}");
        scene.pause(pace).await;
    }
    Ok(())
}

/// Somebody else each time: a token of its own, a file out of those that were uploaded, from somewhere on.
async fn begin((scene, way): (Arc<Scene>, Way), mut dice: Dice) {
    for turn in 0.. {
        if !scene.goes_on() {
            return;
        }
        let living = scene.ledger.living(ORG);
        let (file, promise) = dice.pick(&living).clone();
        if let Some(path) = scene.address(way, turn, &file).await {
            let start = dice.below(promise.bytes.len());
            scene.read(Doing::Begin, way, turn, &path, start, &promise.bytes).await;
        }
        scene.pause(BEGINS).await;
    }
}

/// Deletes what was uploaded, all but the film.
pub(super) async fn tidy(scene: &Scene) {
    for (turn, (file, _)) in scene.ledger.living(ORG).into_iter().enumerate() {
        if file == scene.film.id || !scene.ledger.begin_deletion(&file) {
            continue;
        }
        let request = |client: Client| {
            let path = format!("/v1/files/{file}");
            async move { client.send(Method::DELETE, &path, &[], "").await }
        };
        if scene.ask(Doing::Delete, Way::Balanced, turn, request).await.is_some() {
            scene.ledger.deleted(&file);
        }
    }
}
