//! A film lasts longer than its token. Here the token lives for two seconds, and the player never hears of it.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use http::{Method, header::USER_AGENT};
use reelgate_e2e::{
    browser::{Browser, Player},
    client::{Answer, Client},
    film::Film,
    process::{Folder, eventually},
    site::{Footing, Site},
};
use serde_json::json;

use super::{alice, all_was_well, uploaded, watch};

/// Longer than any player reads ahead: hls.js takes 30 seconds, Chromium ten and some megabytes.
const LONG: Film = Film { seconds: 44, width: 640, height: 360, bitrate: 4_000_000, faststart: true };

/// Somebody who has copied the address.
async fn copied(client: &Client, method: Method, path: &str) -> Result<Answer> {
    client.send(method, path, &[(USER_AGENT, "somebody else")], "").await
}

/// A HEAD opens no lease, so that asking does not let the one who asks in.
async fn is_expired(client: &Client, path: &str) -> Result<()> {
    eventually("the token has expired", Duration::from_secs(20), async || {
        copied(client, Method::HEAD, path).await.is_ok_and(|answer| answer.status == 401)
    })
    .await
}

async fn outlives_its_token(footing: Footing, player: Player, document: &str) -> Result<()> {
    let folder = Folder::new("browser")?;
    let path = LONG.make(folder.path())?;
    let mut site = Site::builder(footing).env("REELGATE__TOKENS__TTL_SECONDS", "2").start().await?;
    let client = alice(&site);
    let anybody = site.client();
    let id = uploaded(&client, &path).await?;
    let browser = Browser::start().await?;
    // Loading the players may take longer than the token lives.
    let stage = browser.stage().await?;
    let token = client.stream_token(&json!({})).await?;
    let path = format!("/v1/files/stream/{id}{document}?token={token}");
    stage.open(player, &format!("{}{path}", client.base())).await?;
    is_expired(&anybody, &path).await?;

    stage.play_to(3.0).await?;
    site.restart_gateway(0).await?;
    // What is answered from here on was asked of the new process, after the token's end.
    let before = stage.page.answers(&id).len();
    if footing == Footing::Production {
        let redis = &mut site.services()?.redis;
        redis.crash()?;
        redis.restart().await?;
    }
    watch(&stage).await.with_context(|| site.output())?;
    all_was_well(&stage).await?;

    let answers = stage.page.answers(&id);
    ensure!(answers.len() > before, "the player has asked for nothing after the token had expired: {answers:?}");
    ensure!(answers.iter().all(|(_, status)| *status < 400), "{answers:?}");
    for (address, _) in answers {
        let path = address.strip_prefix(anybody.base()).context("an address of the gateway")?;
        let refused = copied(&anybody, Method::GET, path).await?.expect(401).context(address.clone())?;
        ensure!(refused.code() == "token_expired", "{address}: {}", refused.code());
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_outlives_its_token_and_a_restart_embedded() -> Result<()> {
    outlives_its_token(Footing::Embedded, Player::Native, "").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_outlives_its_token_and_a_restart_of_gateway_and_redis_in_production() -> Result<()> {
    outlives_its_token(Footing::Production, Player::Native, "").await
}

#[tokio::test(flavor = "multi_thread")]
async fn hls_outlives_its_token_and_a_restart_of_gateway_and_redis_in_production() -> Result<()> {
    outlives_its_token(Footing::Production, Player::HlsJs, "/master.m3u8").await
}
