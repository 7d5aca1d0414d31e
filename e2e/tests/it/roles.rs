//! The least privileges of `deploy/roles.sql`, on a real Postgres: with them gateway and worker do all their work, and nothing
//! that is not their work; and the policies of `deploy/s3-*.json`, held against each request that the store gets.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::{collections::BTreeSet, path::Path, time::Duration};

use anyhow::{Context, Result, ensure};
use futures_util::TryStreamExt;
use reelgate_common::storage::{Storage, config::StorageConfig, s3::S3Storage};
use reelgate_e2e::{
    client::Upload,
    generated::generated,
    process::{Folder, eventually},
    proxy::{
        policy::{Asked, Policy},
        store::StoreProxy,
    },
    services::{Bucket, Moto, Postgres},
    sign_in::SignIn,
    site::{Footing, Site, web_safe_clip},
};
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(60);

/// Statements that a stolen worker would like to run, and may not.
const NOT_FOR_WORKERS: [&str; 22] = [
    "delete from files",
    "update files set owner_id = 'mallory'",
    "update files set org_id = 'mallory'",
    "update files set deleted_at = 1",
    "update files set generation = 99",
    "update files set trashed_at = null",
    "update files set expires_at = 1",
    "delete from file_tags",
    "insert into files select * from files",
    "delete from jobs",
    "delete from renditions",
    "update renditions set layout = ''",
    "update views set total = 0",
    "delete from dropped_objects",
    "update epochs set not_before = 0",
    "insert into playback_leases select * from playback_leases",
    "delete from uploads",
    "delete from events",
    "update events set data = '{}'",
    "select secret from webhooks",
    "update webhooks set url = 'https://mallory.example/'",
    "select body from deliveries",
];
const NOT_FOR_BOTH: [&str; 8] = [
    "create table mine (a int)",
    "drop table files",
    "alter table files add column mine int",
    "truncate files",
    "create index mine on files (id)",
    "update deployment set id = 'mine'",
    "delete from seaql_migrations",
    "copy files to program 'cat'",
];

fn repository(path: &str) -> Result<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("a folder above")?;
    Ok(std::fs::read_to_string(root.join(path))?)
}

/// A site whose gateway and worker have the roles, and a user for each.
async fn start() -> Result<Site> {
    let mut site = Site::builder(Footing::Production).own_services().gateways(0).workers(0).start().await?;
    let services = site.services()?;
    let address = services.database.clone();
    let database = name_of(&address).to_owned();
    let postgres = services.postgres.as_ref().context("a server of its own")?;
    let grants = repository("deploy/roles.sql")?;
    // Twice, as after a second migration.
    postgres.psql(&database, &grants)?;
    postgres.psql(&database, &grants)?;
    postgres.psql(&database, "create user gw in role reelgate_gateway; create user wk in role reelgate_worker")?;
    // A rung that is earned by the first view: it is counted by one, made by the other, and both write what that takes.
    for (key, value) in [("ENABLED", "true"), ("RUNGS_AFTER_VIEWS", "1"), ("LOOK_MS", "200"), ("START_RUNGS", "")] {
        site.set_env(format!("REELGATE__EARNED__{key}"), value);
    }
    site.set_env("REELGATE__LADDER__RUNGS", "240,144");
    site.set_env("REELGATE__DATABASE__URL", address.replace("reelgate@", "gw@"));
    site.start_gateway().await?;
    site.set_env("REELGATE__DATABASE__URL", address.replace("reelgate@", "wk@"));
    site.start_worker()?;
    Ok(site)
}

fn name_of(address: &str) -> &str {
    address.rsplit('/').next().unwrap_or_default()
}

/// As that role; without a fault a statement changes nothing, for it is taken back.
fn try_as(postgres: &Postgres, database: &str, role: &str, statement: &str) -> Result<String> {
    postgres.psql(database, &format!("begin; set local role {role}; {statement}; rollback"))
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_least_privileges_a_film_is_uploaded_processed_played_retried_and_deleted() -> Result<()> {
    let folder = Folder::new("roles")?;
    let mut site = start().await?;
    let alice = site.client().signed_in(SignIn::member("alice", "acme").jwt());
    let film = alice.upload_one(Upload::file("clip.mp4", "video/mp4", web_safe_clip(&folder)?)).await?;
    let settled = alice.wait_settled(&film, PATIENCE).await.with_context(|| site.output())?;
    ensure!(settled["state"] == "ready", "{settled}\n{}", site.output());
    let token = alice.stream_token(&serde_json::json!({})).await?;
    site.client().get(&format!("/v1/files/stream/{film}?token={token}")).await?.expect(200)?;
    let earned =
        |info: &Value| info["renditions"].as_array().is_some_and(|all| all.iter().any(|it| it["name"] == "144p"));
    ensure!(!earned(&settled), "{settled}");
    alice.wait_until(&film, PATIENCE, earned).await.with_context(|| site.output())?;
    // A thumbnail is asked for by one and made by the other.
    eventually("the thumbnail is there", PATIENCE, async || {
        let answer = alice.get(&format!("/v1/files/{film}/thumbnail?t=0&w=160")).await;
        answer.is_ok_and(|answer| answer.status == 200)
    })
    .await
    .with_context(|| site.output())?;
    // A file that fails is written down as well.
    let broken = alice.upload_one(Upload::bytes("film.mp4", "video/mp4", vec![7; 100_000])).await?;
    let failed = alice.wait_settled(&broken, PATIENCE).await.with_context(|| site.output())?;
    ensure!(failed["state"] == "failed", "{failed}");
    alice.delete(&format!("/v1/files/{film}")).await?.expect(200)?;
    eventually("all of it is gone", PATIENCE, async || {
        site.stored(&format!("media/acme/{film}")).await.is_ok_and(|objects| objects.is_empty())
    })
    .await?;

    let output = site.output();
    ensure!(!output.contains("permission denied"), "{output}");
    let services = site.services()?;
    let database = name_of(&services.database).to_owned();
    let postgres = services.postgres.as_ref().context("a server of its own")?;
    for (role, forbidden) in [("wk", &NOT_FOR_WORKERS[..]), ("wk", &NOT_FOR_BOTH), ("gw", &NOT_FOR_BOTH)] {
        try_as(postgres, &database, role, "select count(*) from files")?;
        for statement in forbidden {
            let refusal = try_as(postgres, &database, role, statement).err().map(|error| error.to_string());
            let refusal = refusal.with_context(|| format!("{role} may: {statement}"))?;
            let denied = ["permission denied", "must be owner", "must be superuser"];
            ensure!(denied.iter().any(|words| refusal.contains(words)), "{role}, {statement}: {refusal}");
        }
    }
    Ok(())
}

/// What this one may do, in the bucket of the test.
fn policy(file: &str, bucket: &Bucket) -> Result<Policy> {
    let (name, prefix) = bucket.url.trim_start_matches("s3://").split_once('/').context("an address with a prefix")?;
    Policy::read(&repository(file)?, name, prefix)
}

/// What was asked for and is not granted, and what is granted and was not asked for.
fn compared(store: &StoreProxy, policy: &Policy) -> (Vec<Asked>, BTreeSet<String>) {
    let asked = store.asked();
    let refused = asked.iter().filter(|asked| !policy.allows(asked)).cloned().collect();
    let used: BTreeSet<&str> = asked.iter().map(|asked| asked.action).collect();
    let unused = policy.actions().into_iter().filter(|action| !used.contains(action));
    (refused, unused.map(str::to_owned).collect())
}

/// A store that keeps versions, for there more is needed. What the policies of `deploy/` do not grant is refused.
#[tokio::test(flavor = "multi_thread")]
async fn with_the_policies_of_the_store_everything_works_and_nothing_is_granted_in_vain() -> Result<()> {
    let folder = Folder::new("policies")?;
    let moto = Moto::start().await?;
    let bucket = moto.bucket();
    let settings = [("REELGATE__MAINTENANCE__ORPHAN_GRACE_MS", "0"), ("REELGATE__MAINTENANCE__RECONCILE_MS", "500")];
    let builder = Site::builder(Footing::Production).gateways(0).workers(0);
    let builder = settings.into_iter().fold(builder, |builder, (key, value)| builder.env(key, value));
    let environment = bucket.environment().into_iter();
    let mut site = environment.fold(builder, |builder, (key, value)| builder.env(key, value)).start().await?;
    let port = bucket.endpoint.rsplit_once(':').context("a port")?.1.parse()?;
    let (of_gateway, of_worker) =
        (policy("deploy/s3-gateway.json", &bucket)?, policy("deploy/s3-worker.json", &bucket)?);
    let (at_gateway, at_worker) = (
        StoreProxy::start_under(port, Some(of_gateway.clone())).await?,
        StoreProxy::start_under(port, Some(of_worker.clone())).await?,
    );
    site.set_env("REELGATE__STORAGE__ENDPOINT", format!("http://127.0.0.1:{}", at_gateway.port()));
    site.start_gateway().await?;
    site.set_env("REELGATE__STORAGE__ENDPOINT", format!("http://127.0.0.1:{}", at_worker.port()));
    site.start_worker()?;

    let alice = site.client().signed_in(SignIn::member("alice", "acme").jwt());
    let film = alice.upload_one(Upload::file("clip.mp4", "video/mp4", web_safe_clip(&folder)?)).await?;
    let settled = alice.wait_settled(&film, PATIENCE).await.with_context(|| site.output())?;
    ensure!(settled["state"] == "ready", "{settled}\n{}", site.output());
    let large = generated(0, 20 << 20);
    let parts = alice.upload_one(Upload::bytes("large.bin", "application/octet-stream", large.clone())).await?;
    ensure!(alice.get(&format!("/v1/files/{parts}")).await?.expect(200)?.body == large);
    // One that is broken off leaves parts, which somebody takes away.
    let mut broken = alice.begin_upload("half.bin", 24 << 20).await?;
    broken.send(&vec![7; 12 << 20]).await?;
    drop(broken);
    for file in [&film, &parts] {
        alice.delete(&format!("/v1/files/{file}")).await?.expect(200)?;
    }
    let defaults =
        StorageConfig { url: bucket.url.clone(), endpoint: Some(bucket.endpoint.clone()), ..StorageConfig::default() };
    let config = StorageConfig { region: Some(bucket.region.to_owned()), ..defaults };
    let storage = S3Storage::open(&config, bucket.environment())?;
    eventually("all of it is gone, hidden versions, too", PATIENCE, async || {
        let mut left = 0;
        for prefix in ["staging/", "media/"] {
            left += storage.list_old_versions(prefix, 10).await.map_or(1, |hidden| hidden.len());
            left += storage.list(prefix).try_collect::<Vec<_>>().await.map_or(1, |objects| objects.len());
            left += storage.list_multipart(prefix).await.map_or(1, |pending| pending.len());
        }
        left == 0
    })
    .await
    .with_context(|| site.output())?;
    assert_eq!(compared(&at_gateway, &of_gateway), (Vec::new(), BTreeSet::new()), "the gateway's");
    // Who may not list hears 403 of what is not there instead of 404; and no large output has broken off here.
    let only_then = ["s3:AbortMultipartUpload", "s3:ListBucket"].map(str::to_owned);
    assert_eq!(compared(&at_worker, &of_worker), (Vec::new(), BTreeSet::from(only_then)), "the worker's");
    Ok(())
}

fn actions(policy: &str) -> Result<BTreeSet<String>> {
    let policy: Value = serde_json::from_str(&repository(policy)?)?;
    let statements = policy["Statement"].as_array().context("statements")?;
    let mut actions = BTreeSet::new();
    for statement in statements {
        ensure!(statement["Effect"] == "Allow", "{statement}");
        match &statement["Action"] {
            Value::String(action) => _ = actions.insert(action.clone()),
            Value::Array(several) => {
                actions.extend(several.iter().filter_map(|action| Some(action.as_str()?.to_owned())));
            }
            other => anyhow::bail!("{other} is no action"),
        }
    }
    Ok(actions)
}

#[test]
fn the_policies_of_the_store_name_single_actions_and_a_workers_are_fewer() -> Result<()> {
    let (gateway, worker) = (actions("deploy/s3-gateway.json")?, actions("deploy/s3-worker.json")?);
    ensure!(worker.is_subset(&gateway) && worker.len() < gateway.len(), "{worker:?} against {gateway:?}");
    ensure!(gateway.iter().all(|action| !action.contains('*')), "{gateway:?}");
    ensure!(!gateway.iter().any(|action| action.contains("Policy") || action.contains("Acl")), "{gateway:?}");
    Ok(())
}
