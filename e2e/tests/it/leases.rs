//! Playback that outlives its token: real tokens of two seconds, real gateways, and everything around them that restarts,
//! forgets or goes away. What one gateway alone decides is tested beside it (`gateway/tests/it/leases.rs`).
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use http::{HeaderName, Method, header};
use reelgate_e2e::{
    client::{Answer, Client, Upload},
    process::{Folder, eventually},
    services::Postgres,
    sign_in::SignIn,
    site::{Builder, Footing, Site, web_safe_clip},
};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(30);
const SILENCE_MS: u64 = 3_000;
const HOME: &str = "192.0.2.1";
const ELSEWHERE: &str = "198.51.100.1";
const LENGTH: usize = 300_000;

/// Tokens die after two seconds; the tests name their clients as a proxy would.
fn site(footing: Footing) -> Builder {
    Site::builder(footing)
        .workers(0)
        .env("REELGATE__TOKENS__TTL_SECONDS", "2")
        .env("REELGATE__HTTP__TRUSTED_PROXIES", "127.0.0.1")
        .env("REELGATE__LEASES__REBIND_SILENCE_MS", SILENCE_MS.to_string())
}

fn content() -> Vec<u8> {
    (0..LENGTH).map(|n| u8::try_from(n % 251).unwrap()).collect()
}

/// A browser that has an address and nothing else.
#[derive(Clone)]
struct Player {
    path: String,
    user_agent: &'static str,
    from: &'static str,
}

impl Player {
    async fn ask(&self, gateway: &Client, method: Method, headers: &[(HeaderName, &str)]) -> Result<Answer> {
        let mut all =
            vec![(header::USER_AGENT, self.user_agent), (HeaderName::from_static("x-forwarded-for"), self.from)];
        all.extend(headers.iter().cloned());
        gateway.send(method, &self.path, &all, Bytes::new()).await
    }

    async fn seek(&self, gateway: &Client, at: usize) -> Result<Answer> {
        let range = format!("bytes={at}-{}", at + 99);
        self.ask(gateway, Method::GET, &[(header::RANGE, &range)]).await
    }

    /// Reads somewhere, and gets the right bytes.
    async fn plays(&self, gateway: &Client) -> Result<()> {
        for at in [LENGTH - 100, 0, LENGTH / 2] {
            let answer = self.seek(gateway, at).await?.expect(206)?;
            ensure!(answer.body == content()[at..at + 100], "other bytes at {at}");
        }
        Ok(())
    }

    /// 401 with this code.
    async fn refused(&self, gateway: &Client, code: &str) -> Result<()> {
        let answer = self.seek(gateway, 0).await?.expect(401)?;
        ensure!(answer.code() == code, "{} instead of {code}", answer.code());
        Ok(())
    }

    fn as_other(&self) -> Self {
        Self { user_agent: "another player", ..self.clone() }
    }

    fn from(&self, from: &'static str) -> Self {
        Self { from, ..self.clone() }
    }
}

fn alice(gateway: &Client) -> Client {
    gateway.signed_in(SignIn::member("alice", "acme").jwt())
}

async fn upload(gateway: &Client) -> Result<String> {
    alice(gateway).upload_one(Upload::bytes("film.txt", "text/plain", content())).await
}

/// Somebody who plays the file under a token of `user`, of which 2 s are left at most.
async fn player(gateway: &Client, user: &str, file: &str) -> Result<Player> {
    let token = gateway.signed_in(SignIn::member(user, "acme").jwt()).stream_token(&json!({})).await?;
    Ok(Player { path: format!("/v1/files/stream/{file}?token={token}"), user_agent: "player", from: HOME })
}

/// Until the token of this address is of no use to somebody new. He looks by HEAD, which opens nothing.
async fn expired(gateway: &Client, player: &Player) -> Result<()> {
    let stranger = Player { user_agent: "stranger", ..player.clone() };
    eventually("the token has expired", PATIENCE, async || {
        stranger.ask(gateway, Method::HEAD, &[]).await.is_ok_and(|answer| answer.status == 401)
    })
    .await?;
    stranger.refused(gateway, "token_expired").await
}

crate::on_both_footings!(
    a_film_plays_on_and_a_copied_address_is_of_no_use,
    a_client_moves_when_it_was_silent_and_three_times_an_hour,
    a_restart_is_not_noticed,
    playlists_and_segments_go_on_under_their_lease_and_nobody_elses,
);

async fn a_film_plays_on_and_a_copied_address_is_of_no_use(footing: Footing) -> Result<()> {
    let site = site(footing).start().await?;
    let gateway = site.client();
    let file = upload(&gateway).await?;
    let other_file = upload(&gateway).await?;
    let player = player(&gateway, "alice", &file).await?;
    player.plays(&gateway).await?;
    expired(&gateway, &player).await?;

    player.plays(&gateway).await?;
    ensure!(player.ask(&gateway, Method::GET, &[]).await?.expect(200)?.body == content());
    player.ask(&gateway, Method::HEAD, &[]).await?.expect(200)?;
    player.from("192.0.2.200").plays(&gateway).await.context("a neighbour is the same client")?;
    // The thief has copied the address; this one imitates the player, too, but sits elsewhere while it plays.
    player.as_other().refused(&gateway, "token_expired").await?;
    player.from(ELSEWHERE).refused(&gateway, "token_expired").await?;
    player.from("2001:db8::1").refused(&gateway, "token_expired").await?;
    // Not even what the token was good for is told.
    for id in [other_file, uuid::Uuid::now_v7().to_string()] {
        let path = player.path.replace(&file, &id);
        Player { path, ..player.clone() }.refused(&gateway, "token_expired").await?;
    }
    player.plays(&gateway).await
}

async fn a_client_moves_when_it_was_silent_and_three_times_an_hour(footing: Footing) -> Result<()> {
    // Of two gateways in production, each must know what the other has seen.
    let site = site(footing).gateways(2).start().await?;
    let (one, two) = (site.client(), site.gateways.last().unwrap().client());
    let file = upload(&one).await?;
    let player = player(&one, "alice", &file).await?;
    player.plays(&one).await?;
    expired(&one, &player).await?;
    let (home, away) = (player.clone(), player.from(ELSEWHERE));
    for (bound, silent, gateway, other) in
        [(&away, &home, &two, &one), (&home, &away, &one, &two), (&away, &home, &two, &one)]
    {
        silent.plays(other).await?;
        bound.refused(gateway, "token_expired").await.context("while the other one plays")?;
        eventually("the silent one is left", PATIENCE, async || {
            bound.seek(gateway, 0).await.is_ok_and(|answer| answer.status == 206)
        })
        .await?;
        eventually("its gateway has heard of it", PATIENCE, async || {
            bound.seek(gateway, 0).await.is_ok() && silent.seek(other, 0).await.is_ok_and(|answer| answer.status == 401)
        })
        .await?;
    }
    // It has moved three times. Whoever asks now is refused, however long the other one was silent.
    let begun = tokio::time::Instant::now();
    while begun.elapsed() < Duration::from_millis(2 * SILENCE_MS) {
        home.refused(&one, "token_expired").await?;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    away.plays(&two).await
}

async fn a_restart_is_not_noticed(footing: Footing) -> Result<()> {
    let mut site = site(footing).start().await?;
    let gateway = site.client();
    let file = upload(&gateway).await?;
    let player = player(&gateway, "alice", &file).await?;
    player.plays(&gateway).await?;
    expired(&gateway, &player).await?;
    player.plays(&gateway).await?;

    site.gateways.remove(0).process.kill()?;
    if footing == Footing::Production {
        let redis = &mut site.services()?.redis;
        redis.crash()?;
        redis.restart().await?;
    }
    site.start_gateway().await?;
    let gateway = site.client();
    player.plays(&gateway).await?;
    player.as_other().refused(&gateway, "token_expired").await?;
    player.from(ELSEWHERE).refused(&gateway, "token_expired").await
}

async fn revoke(gateway: &Client, body: &Value) -> Result<()> {
    let admin = gateway.signed_in(SignIn::admin("carol", "acme").jwt());
    admin.post_json("/v1/leases/revoke", body).await?.expect(200).map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_revoked_stays_revoked_when_redis_forgets_everything() -> Result<()> {
    let mut site = site(Footing::Production).gateways(2).start().await?;
    let (one, two) = (site.client(), site.gateways[1].client());
    let file = upload(&one).await?;
    let (alice, bob) = (player(&one, "alice", &file).await?, player(&one, "bob", &file).await?);
    alice.plays(&two).await?;
    bob.plays(&one).await?;
    alice.ask(&one, Method::HEAD, &[]).await?.expect(200).context("a look at the gateway that has not opened it")?;
    expired(&one, &alice).await?;
    expired(&one, &bob).await?;
    alice.plays(&two).await?;

    revoke(&one, &json!({"user_id": "alice"})).await?;
    alice.refused(&one, "lease_ended").await?;
    eventually("the other gateway has heard of it", PATIENCE, async || {
        alice.seek(&two, 0).await.is_ok_and(|answer| answer.code() == "lease_ended")
    })
    .await?;
    ensure!(site.services()?.redis.command("FLUSHALL").await? == "+OK\r\n");
    for gateway in [&one, &two] {
        alice.refused(gateway, "lease_ended").await?;
        bob.plays(gateway).await?;
    }
    // Nor does a gateway that knows nothing yet let it live again.
    site.start_gateway().await?;
    let three = site.gateways.last().unwrap().client();
    alice.refused(&three, "lease_ended").await?;
    bob.plays(&three).await
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_the_database_knows_and_without_it_what_is_held_plays_on() -> Result<()> {
    let mut site = site(Footing::Production).gateways(2).own_services().start().await?;
    let (one, two) = (site.client(), site.gateways[1].client());
    let file = upload(&one).await?;
    let old = player(&one, "alice", &file).await?;
    old.plays(&one).await?;
    expired(&one, &old).await?;

    site.services()?.redis.crash()?;
    old.plays(&one).await?;
    old.plays(&two).await.context("the other gateway reads the row")?;

    // Another film begins while only the database is there; then that goes away as well.
    let mut fresh = player(&one, "bob", &file).await?;
    fresh.plays(&one).await?;
    site.services()?.postgres.as_mut().context("its own")?.crash()?;
    old.plays(&one).await?;
    fresh.plays(&one).await?;
    old.as_other().seek(&one, 0).await?.expect(401)?;
    // A lease that is opened now lives in memory and is written down later.
    fresh = player(&one, "dave", &file).await?;
    fresh.plays(&one).await?;
    eventually("the token has expired", PATIENCE, async || {
        fresh.as_other().ask(&one, Method::HEAD, &[]).await.is_ok_and(|answer| answer.status == 401)
    })
    .await?;
    fresh.plays(&one).await?;

    site.services()?.postgres.as_mut().context("its own")?.restart().await?;
    eventually("the lease is in the database", PATIENCE, async || fresh.plays(&two).await.is_ok()).await?;
    site.gateways.remove(0).process.kill()?;
    site.start_gateway().await?;
    let next = site.gateways.last().unwrap().client();
    for player in [&old, &fresh] {
        player.plays(&next).await?;
        player.as_other().refused(&next, "token_expired").await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_ends_what_plays_at_every_gateway() -> Result<()> {
    let site = site(Footing::Production).gateways(2).start().await?;
    let (one, two) = (site.client(), site.gateways[1].client());
    let file = upload(&one).await?;
    let player = player(&one, "alice", &file).await?;
    player.plays(&one).await?;
    player.plays(&two).await?;
    expired(&one, &player).await?;
    alice(&one).delete(&format!("/v1/files/{file}")).await?.expect(200)?;
    ensure!(player.seek(&one, 0).await?.expect(404)?.code() == "file_not_found");
    eventually("the other gateway has heard of it", PATIENCE, async || {
        player.seek(&two, 0).await.is_ok_and(|answer| answer.status != 206)
    })
    .await
}

/// One that no browser plays as it is.
fn encoded_clip(folder: &Folder) -> Result<PathBuf> {
    let path = folder.path().join("film.mkv");
    let status = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-y", "-f", "lavfi", "-i", "testsrc2=size=640x360:rate=25:duration=1"])
        .args(["-c:v", "mpeg4"])
        .arg(&path)
        .status()?;
    ensure!(status.success(), "ffmpeg could not make a clip");
    Ok(path)
}

/// A film whose renditions are all made.
async fn film(gateway: &Client, clip: &Path) -> Result<String> {
    let id = alice(gateway).upload_one(Upload::file("film", "video/mp4", clip)).await?;
    let info = alice(gateway).wait_settled(&id, PATIENCE).await?;
    ensure!(info["state"] == "ready", "{info}");
    Ok(id)
}

/// The first address that a playlist names, below its own.
fn first_address(playlist: &str, text: &str) -> Result<String> {
    let address = text.lines().find(|line| !line.is_empty() && !line.starts_with('#')).context("an address")?;
    let folder = playlist.split('?').next().and_then(|path| path.rsplit_once('/')).context("a path")?.0;
    Ok(format!("{folder}/{address}"))
}

impl Player {
    async fn follow(&self, gateway: &Client) -> Result<Self> {
        let text = self.ask(gateway, Method::GET, &[]).await?.expect(200)?.body;
        Ok(Self { path: first_address(&self.path, std::str::from_utf8(&text)?)?, ..self.clone() })
    }
}

async fn playlists_and_segments_go_on_under_their_lease_and_nobody_elses(footing: Footing) -> Result<()> {
    let folder = Folder::new("leases")?;
    let mut site = site(footing).workers(1).start().await?;
    let gateway = site.client();
    let file = film(&gateway, &web_safe_clip(&folder)?).await?;
    let mut master = player(&gateway, "alice", &file).await?;
    master.path = master.path.replace("?", "/master.m3u8?");
    let media = master.follow(&gateway).await?;
    expired(&gateway, &master).await?;

    let segment = media.follow(&gateway).await?;
    segment.ask(&gateway, Method::GET, &[]).await?.expect(200)?;
    for thief in [segment.as_other(), segment.from(ELSEWHERE)] {
        thief.refused(&gateway, "token_expired").await?;
    }
    let name = segment.path.split('/').nth(5).context("the name of a lease")?.to_owned();
    let guessed = Player { path: segment.path.replace(&name, "AAAAAAAAAAAAAAAAAAAAAA"), ..segment.clone() };
    guessed.refused(&gateway, "lease_ended").await?;

    site.gateways.remove(0).process.kill()?;
    site.start_gateway().await?;
    let gateway = site.client();
    segment.ask(&gateway, Method::GET, &[]).await?.expect(200).context("after a restart")?;
    revoke(&gateway, &json!({"lease_id": name})).await?;
    segment.refused(&gateway, "lease_ended").await?;
    master.refused(&gateway, "lease_ended").await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_watched_of_an_older_generation_stays_and_the_rest_goes() -> Result<()> {
    let folder = Folder::new("leases")?;
    let mut site = site(Footing::Production)
        .workers(1)
        .env("REELGATE__TOKENS__TTL_SECONDS", "60")
        .env("REELGATE__MAINTENANCE__RECONCILE_MS", "300")
        .env("REELGATE__MAINTENANCE__ORPHAN_GRACE_MS", "0")
        .env("REELGATE__MAINTENANCE__STOP_PERCENT", "100")
        .start()
        .await?;
    let gateway = site.client();
    let clip = encoded_clip(&folder)?;
    let (watched, unwatched) = (film(&gateway, &clip).await?, film(&gateway, &clip).await?);
    let watching = player(&gateway, "alice", &watched).await?;
    let before = watching.ask(&gateway, Method::GET, &[]).await?.expect(200)?;

    // As processing it anew would: a generation that has nothing yet.
    let database = site.services()?.database.rsplit_once('/').context("a name")?.1.to_owned();
    Postgres::shared().await?.psql(&database, "update files set generation = 2")?;
    let below = |file: &str| format!("media/acme/{file}/1/");
    eventually("what nobody watches is gone", PATIENCE, async || {
        site.stored(&below(&unwatched)).await.is_ok_and(|left| left.is_empty())
    })
    .await
    .with_context(|| site.output())?;
    // Somebody new is shown what there is now, as soon as the gateway has heard of it: the upload itself.
    let new = Player { user_agent: "new", ..player(&gateway, "bob", &watched).await? };
    eventually("the new generation is known", PATIENCE, async || {
        let shown = new.ask(&gateway, Method::HEAD, &[]).await;
        shown.is_ok_and(|shown| shown.status == 200 && shown.headers[header::ETAG] != before.headers[header::ETAG])
    })
    .await?;
    let after = watching.ask(&gateway, Method::GET, &[]).await?.expect(200)?;
    ensure!(after.headers[header::ETAG] == before.headers[header::ETAG] && after.body == before.body);
    ensure!(!site.stored(&below(&watched)).await?.is_empty(), "what is watched is still there");
    Ok(())
}
