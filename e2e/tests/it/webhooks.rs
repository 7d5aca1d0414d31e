//! Webhooks on both footings, with receivers of our own: what happens is told at least once, signed, in order for each file; whatever the
//! receiver does hurts its own deliveries only; and no address is reached that must not be.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod examples;
mod guarded;
pub(crate) mod receiver;
mod rights;
mod sending;

use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use http::Method;
use reelgate_common::{db::Db, event::EventRecord, ids::OrgId};
use reelgate_e2e::{
    client::{Answer, Client, Upload},
    process::eventually,
    sign_in::SignIn,
    site::{Builder, Footing, Site},
};
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(90);

/// Short waits, and receivers on this machine.
const FAST: [(&str, &str); 8] = [
    ("REELGATE__WEBHOOKS__ALLOW_HTTP", "true"),
    ("REELGATE__WEBHOOKS__PORTS", ""),
    ("REELGATE__WEBHOOKS__ALLOW_PRIVATE", "127.0.0.1/32"),
    ("REELGATE__WEBHOOKS__POLL_MS", "100"),
    ("REELGATE__WEBHOOKS__BACKOFF_BASE_MS", "50"),
    ("REELGATE__WEBHOOKS__BACKOFF_MAX_MS", "200"),
    ("REELGATE__WEBHOOKS__HEAD_TIMEOUT_MS", "1000"),
    ("REELGATE__WEBHOOKS__TOTAL_TIMEOUT_MS", "2000"),
];

fn builder(footing: Footing) -> Builder {
    FAST.iter().fold(Site::builder(footing), |builder, (key, value)| builder.env(*key, *value))
}

/// An organisation's admin and member, and an admin of another.
struct People {
    admin: Client,
    member: Client,
    other: Client,
}

impl People {
    fn of(site: &Site) -> Self {
        let client = |who: SignIn| site.client().signed_in(who.jwt());
        Self {
            admin: client(SignIn::admin("carol", "acme")),
            member: client(SignIn::member("alice", "acme")),
            other: client(SignIn::admin("eve", "globex")),
        }
    }

    /// An endpoint, and its secret.
    async fn endpoint(&self, wish: &Value) -> Result<(String, String)> {
        let made = self.admin.post_json("/v1/webhooks", wish).await?.expect(200)?.json()?;
        let text = |name: &str| made[name].as_str().map(str::to_owned).with_context(|| format!("no {name}: {made}"));
        Ok((text("id")?, text("secret")?))
    }

    async fn show(&self, id: &str) -> Result<Value> {
        self.admin.get(&format!("/v1/webhooks/{id}")).await?.expect(200)?.json()
    }

    async fn change(&self, id: &str, change: &Value) -> Result<Answer> {
        let headers = [(http::header::CONTENT_TYPE, "application/json")];
        self.admin.send(Method::PATCH, &format!("/v1/webhooks/{id}"), &headers, change.to_string()).await
    }

    async fn post(&self, path: &str) -> Result<Answer> {
        self.admin.send(Method::POST, path, &[], Bytes::new()).await
    }

    /// The log of deliveries, page by page, the newest first.
    async fn log(&self, id: &str, filter: &str) -> Result<Vec<Value>> {
        let (mut all, mut cursor) = (Vec::new(), String::new());
        loop {
            let path = format!("/v1/webhooks/{id}/deliveries?limit=3&{filter}&cursor={cursor}");
            let page = self.admin.get(&path).await?.expect(200)?.json()?;
            all.extend(page["deliveries"].as_array().context("no deliveries")?.clone());
            match page["next"].as_str() {
                Some(next) => next.clone_into(&mut cursor),
                None => return Ok(all),
            }
        }
    }

    /// A file of text, with which something has happened at once.
    async fn text(&self, name: &str) -> Result<String> {
        self.member.upload_one(Upload::text(name, "hello")).await
    }

    /// Until the log has nothing open any more, and as many deliveries as there are events.
    async fn settled(&self, site: &Site, id: &str) -> Result<Vec<Value>> {
        let (db, mut log) = (site.database().await?, Vec::new());
        eventually("every event is settled", PATIENCE, async || {
            let (Ok(events), Ok(found)) = (events(&db).await, self.log(id, "").await) else { return false };
            let over = found.iter().all(|it| it["state"] == "delivered" || it["state"] == "given_up");
            log = found;
            over && !events.is_empty() && log.len() == events.len()
        })
        .await
        .with_context(|| format!("{log:#?}\n{}", site.output()))?;
        Ok(log)
    }
}

/// Numbers, files and kinds of what has happened in the organisation.
async fn events(db: &Db) -> Result<Vec<(String, String, String)>> {
    let events = db.events_after(&OrgId::new("acme"), 0, None, 10_000).await?;
    let told = |event: &EventRecord| (event.seq.to_string(), event.file_id.to_string(), event.kind.as_str().to_owned());
    Ok(events.iter().map(told).collect())
}

fn code_of(delivery: &Value) -> &str {
    delivery["last_attempt"]["error"]["code"].as_str().unwrap_or_default()
}
