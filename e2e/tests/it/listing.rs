//! Lists, labels, deletion of many, the trash and files that end, over HTTP on both footings.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderName, Method, header};
use reelgate_common::{
    ids::{FileId, OrgId},
    timestamp::Timestamp,
};
use reelgate_e2e::{
    client::{Answer, Client, Upload},
    process::{Folder, eventually},
    sign_in::SignIn,
    site::{Footing, Site, web_safe_clip},
    slow_reader::SlowReader,
};
use serde_json::{Value, json};
use tokio::time::sleep;

const PATIENCE: Duration = Duration::from_secs(180);
const ORG: &str = "acme";

fn alice(client: &Client) -> Client {
    client.signed_in(SignIn::member("alice", ORG).jwt())
}

async fn patch(client: &Client, file: &str, change: &Value) -> Result<Answer> {
    let json = [(header::CONTENT_TYPE, "application/json")];
    client.send(Method::PATCH, &format!("/v1/files/{file}"), &json, change.to_string()).await
}

async fn restore(client: &Client, file: &str) -> Result<Answer> {
    client.send(Method::POST, &format!("/v1/files/{file}/restore"), &[], "").await
}

fn names(page: &Value) -> Vec<&str> {
    page["files"].as_array().unwrap().iter().map(|file| file["filename"].as_str().unwrap()).collect()
}

async fn listed(client: &Client, query: &str) -> Result<Value> {
    client.get(&format!("/v1/files?{query}")).await?.expect(200)?.json()
}

/// Nothing in the store, no row, not even of a deleted file.
async fn is_empty(site: &Site) -> Result<()> {
    let mut left = Vec::new();
    let gone = eventually("nothing is left", PATIENCE, async || {
        let look = async || {
            let mut left = site.stored("staging/").await?;
            left.extend(site.stored("media/").await?);
            left.extend(site.database().await?.tombstones(9).await?.iter().map(|gone| gone.file_id.to_string()));
            anyhow::Ok(left)
        };
        left = look().await.unwrap_or_else(|error| vec![format!("{error:#}")]);
        left.is_empty()
    });
    gone.await.with_context(|| format!("left: {left:?}\n{}", site.output()))
}

async fn lists_and_labels(footing: Footing) -> Result<()> {
    let site = Site::start(footing).await?;
    let client = alice(&site.client());
    let admin = site.client().signed_in(SignIn::admin("carol", ORG).jwt());
    let colleague = site.client().signed_in(SignIn::member("bob", ORG).jwt());
    let files = ["Über.txt", "b_1.txt", "bx1.txt", "zoo.txt"];
    let uploads = files.iter().zip(1..).map(|(name, size)| Upload::text(*name, "x".repeat(size))).collect();
    let rows = client.upload(uploads).await?;
    let ids: Vec<&str> = rows.iter().map(|row| row["id"].as_str().unwrap()).collect();
    ensure!(rows[0]["tags"] == json!([]) && rows[0]["metadata"] == json!({}), "{}", rows[0]);
    ensure!(rows[0]["expires_at"].is_null() && rows[0]["trashed_at"].is_null(), "{}", rows[0]);

    ensure!(names(&listed(&client, "").await?) == ["zoo.txt", "bx1.txt", "b_1.txt", "Über.txt"]);
    ensure!(names(&listed(&client, "sort=name").await?) == ["b_1.txt", "bx1.txt", "zoo.txt", "Über.txt"]);
    ensure!(names(&listed(&client, "q=b_1").await?) == ["b_1.txt"]);
    ensure!(names(&listed(&client, "q=%C3%9CBER").await?) == ["Über.txt"]);
    ensure!(names(&listed(&client, "size_min=2&size_max=3&sort=-size").await?) == ["bx1.txt", "b_1.txt"]);
    ensure!(names(&listed(&colleague, "owner=me").await?).is_empty());
    ensure!(names(&listed(&colleague, "owner=alice&state=ready,failed&kind=other").await?).len() == 4);
    let first = listed(&client, "sort=size&limit=3").await?;
    let next = first["next"].as_str().context("a cursor")?;
    let last = listed(&client, &format!("sort=size&limit=3&cursor={next}")).await?;
    ensure!(names(&last) == ["zoo.txt"] && last["next"].is_null(), "{last}");
    let refused = client.get(&format!("/v1/files?sort=name&cursor={next}")).await?.expect(422)?.json()?;
    ensure!(refused["detail"][0]["loc"] == json!(["query", "cursor"]), "{refused}");

    let change = json!({"filename": "Renamed.txt", "tags": ["a", "b"], "metadata": {"k": "v", "l": "w"}});
    let row = patch(&client, ids[0], &change).await?.expect(200)?.json()?;
    ensure!(row["filename"] == "Renamed.txt" && row["tags"] == json!(["a", "b"]), "{row}");
    ensure!(row["location"] == rows[0]["location"], "it stays where it is");
    let row = patch(&admin, ids[0], &json!({"metadata": {"k": null}})).await?.expect(200)?.json()?;
    ensure!(row["metadata"] == json!({"l": "w"}) && row["tags"] == json!(["a", "b"]), "{row}");
    // Meanwhile its source may have been moved out of staging.
    let mut info = client.info(ids[0]).await?;
    info["updated_at"] = row["updated_at"].clone();
    ensure!(info == row, "the same everywhere: {info} and {row}");
    let stored = client.get(&format!("/v1/files/{}", ids[0])).await?.expect(200)?;
    let named = stored.headers[header::CONTENT_DISPOSITION].to_str()?;
    ensure!(named.contains("Renamed.txt"), "{named}");
    ensure!(names(&listed(&client, "tag=a&tag=b&q=RENAMED").await?) == ["Renamed.txt"]);
    ensure!(names(&listed(&client, "tag=a&tag=c").await?).is_empty());
    let late = json!({"tags": [], "if_updated_at": rows[0]["updated_at"]});
    ensure!(patch(&client, ids[0], &late).await?.expect(409)?.code() == "file_changed");
    let wrong = patch(&client, ids[0], &json!({"tags": [""], "state": "ready"})).await?.expect(422)?.json()?;
    ensure!(wrong["detail"].as_array().is_some_and(|all| all.len() == 2), "{wrong}");
    client.send(Method::PATCH, &format!("/v1/files/{}", ids[0]), &[], "").await?.expect(422)?;
    ensure!(patch(&colleague, ids[0], &json!({})).await?.expect(403)?.code() == "not_owner");

    let missing = FileId::new().to_string();
    let foreign = site.client().signed_in(SignIn::admin("erin", "globex").jwt());
    let others = foreign.upload_one(Upload::text("foreign.txt", "x")).await?;
    let wish = json!({"ids": [ids[1], missing, others, ids[2]]});
    let answer = admin.post_json("/v1/files/delete", &wish).await?.expect(200)?.json()?;
    let of = |n: usize| (answer["results"][n]["deleted"].as_bool(), answer["results"][n]["error"]["code"].as_str());
    ensure!([of(0), of(3)] == [(Some(true), None); 2], "{answer}");
    ensure!([of(1), of(2)] == [(None, Some("file_not_found")); 2], "{answer}");
    let answer = colleague.post_json("/v1/files/delete", &json!({"ids": [ids[3]]})).await?.expect(200)?.json()?;
    ensure!(answer["results"][0]["error"]["code"] == "not_owner", "{answer}");
    ensure!(names(&listed(&client, "sort=name").await?) == ["Renamed.txt", "zoo.txt"]);
    foreign.get(&format!("/v1/files/{others}/info")).await?.expect(200)?;
    labels_at_the_upload(&client).await
}

/// By fields of a form, and by the metadata of an upload that goes on.
async fn labels_at_the_upload(client: &Client) -> Result<()> {
    let field =
        |name: &str, text: &str| format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{text}\r\n");
    let file = "--b\r\nContent-Disposition: form-data; name=\"files\"; filename=\"f.txt\"\r\n\r\nhello\r\n--b--\r\n";
    let form = [(header::CONTENT_TYPE, "multipart/form-data; boundary=b")];
    let at = "2126-11-30T12:00:00Z";
    let fields = field("tags", "x, y") + &field("metadata", "{\"k\": \"v\"}") + &field("expires_at", at);
    let row = client.send(Method::POST, "/v1/files", &form, fields + file).await?.expect(200)?.json()?;
    let row = &row["files"][0];
    ensure!(
        row["tags"] == json!(["x", "y"]) && row["metadata"] == json!({"k": "v"}) && row["expires_at"] == at,
        "{row}"
    );
    ensure!(names(&listed(client, "tag=x&expires_before=2126-12-01T00:00:00Z").await?) == ["f.txt"]);
    let wrong = client.send(Method::POST, "/v1/files", &form, field("tags", "\n\u{1}") + file).await?;
    ensure!(wrong.expect(422)?.json()?["detail"][0]["loc"] == json!(["body", "tags"]));

    let said = [("filename", "t.txt"), ("album", "Sommer"), ("tags", "z"), ("expires_at", at)];
    let pairs: Vec<String> = said.iter().map(|(name, value)| format!("{name} {}", STANDARD.encode(value))).collect();
    let create = async |metadata: &str| {
        let headers = [("tus-resumable", "1.0.0"), ("upload-length", "0"), ("upload-metadata", metadata)];
        let headers = headers.map(|(name, value)| (HeaderName::from_static(name), value));
        client.send(Method::POST, "/v1/uploads", &headers, "").await
    };
    let created = create(&pairs.join(",")).await?.expect(201)?;
    let row = client.info(created.headers["reelgate-file-id"].to_str()?).await?;
    ensure!(
        row["tags"] == json!(["z"]) && row["metadata"] == json!({"album": "Sommer"}) && row["expires_at"] == at,
        "{row}"
    );
    let past = format!("expires_at {}", STANDARD.encode("2000-01-01T00:00:00Z"));
    ensure!(create(&past).await?.expect(400)?.code() == "invalid_upload_header");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_found_named_and_deleted_together_embedded() -> Result<()> {
    lists_and_labels(Footing::Embedded).await
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_found_named_and_deleted_together_production() -> Result<()> {
    lists_and_labels(Footing::Production).await
}

async fn to_the_trash_and_back(footing: Footing) -> Result<()> {
    let folder = Folder::new("trash")?;
    let site = Site::builder(footing).gateways(2).env("REELGATE__TRASH__KEEP_MS", "3600000").start().await?;
    let other = site.gateways.last().unwrap().client();
    let (client, colleague) = (alice(&site.client()), other.signed_in(SignIn::member("bob", ORG).jwt()));
    let film = client.upload_one(Upload::file("clip.mp4", "video/mp4", web_safe_clip(&folder)?)).await?;
    client.wait_settled(&film, PATIENCE).await?;
    let big = client.upload_one(Upload::bytes("big.bin", "video/mp4", vec![7; 24 << 20])).await?;
    let token = client.stream_token(&json!({})).await?;
    let path = format!("/v1/files/stream/{film}?token={token}");
    let before = client.get(&path).await?.expect(200)?.body;
    other.get(&path).await?.expect(200)?;
    let mut viewer =
        SlowReader::open(other.base(), &format!("/v1/files/stream/{big}?token={token}&rendition=source"), 0).await?;
    viewer.take(1 << 10).await?;

    for file in [&film, &big] {
        let answer = client.delete(&format!("/v1/files/{file}")).await?.expect(200)?.json()?;
        ensure!(answer["trashed"] == true && answer["deleted"] == true, "{answer}");
    }
    client.get(&path).await?.expect(404)?;
    for path in [&path, &format!("/v1/files/stream/{film}/master.m3u8?token={token}")] {
        eventually("the other gateway has noticed", PATIENCE, async || {
            other.get(path).await.is_ok_and(|answer| answer.status == 404)
        })
        .await?;
    }
    let mut taken = 0;
    eventually("the stream under way is cut", PATIENCE, async || {
        taken += 16 << 10;
        viewer.take(16 << 10).await.is_err()
    })
    .await?;
    ensure!(taken < 23 << 20, "a stream of what is in the trash went on to its end");
    for hidden in [format!("/v1/files/{film}/info"), format!("/v1/files/{film}"), format!("/v1/files/{film}/poster")] {
        client.get(&hidden).await?.expect(404)?;
    }
    ensure!(names(&listed(&client, "").await?).is_empty());
    let trash = listed(&client, "trashed=true&sort=name").await?;
    ensure!(names(&trash) == ["big.bin", "clip.mp4"] && trash["files"][0]["trashed_at"].is_string(), "{trash}");
    ensure!(names(&listed(&colleague, "trashed=true").await?).is_empty());
    colleague.get("/v1/files?trashed=true&owner=alice").await?.expect(403)?;
    restore(&colleague, &film).await?.expect(404)?;
    colleague.delete(&format!("/v1/files/{film}?permanent=true")).await?.expect(404)?;
    client.delete(&format!("/v1/files/{film}")).await?.expect(404)?;
    patch(&client, &film, &json!({"tags": ["a"]})).await?.expect(404)?;

    let row = restore(&client, &film).await?.expect(200)?.json()?;
    ensure!(row["trashed_at"].is_null() && row["state"] == "ready", "{row}");
    ensure!(restore(&client, &film).await?.expect(409)?.code() == "not_trashed");
    let token = client.stream_token(&json!({})).await?;
    let path = format!("/v1/files/stream/{film}?token={token}");
    for gateway in [&client, &other] {
        ensure!(gateway.get(&path).await?.expect(200)?.body == before, "it plays as before");
    }
    taken_back_at_once(&client, &film).await?;
    client.delete(&format!("/v1/files/{film}?permanent=true")).await?.expect(200)?;
    let answer = client.post_json("/v1/files/delete", &json!({"ids": [big], "permanent": true})).await?.expect(200)?;
    ensure!(answer.json()?["results"][0]["trashed"] == false);
    is_empty(&site).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_to_the_trash_is_gone_and_plays_again_when_it_is_restored_embedded() -> Result<()> {
    to_the_trash_and_back(Footing::Embedded).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_to_the_trash_is_gone_and_plays_again_when_it_is_restored_production() -> Result<()> {
    to_the_trash_and_back(Footing::Production).await
}

/// A gateway hears each second what has ended: by then it must know what it has permitted since.
async fn taken_back_at_once(client: &Client, film: &str) -> Result<()> {
    client.delete(&format!("/v1/files/{film}")).await?.expect(200)?;
    restore(client, film).await?.expect(200)?;
    let token = client.stream_token(&json!({})).await?;
    let opened = Instant::now();
    while opened.elapsed() < Duration::from_millis(2_500) {
        client.get(&format!("/v1/files/stream/{film}?token={token}")).await?.expect(200)?;
        sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

/// Trashed while it is being made, restored, made; then trashed for good, beside one that expires.
async fn time_is_over(footing: Footing) -> Result<()> {
    let folder = Folder::new("ending")?;
    let builder = Site::builder(footing).env("REELGATE__TRASH__KEEP_MS", "20000");
    let site = builder.env("REELGATE__MAINTENANCE__PURGE_MS", "300").start().await?;
    let client = alice(&site.client());
    let film = client.upload_one(Upload::file("clip.mp4", "video/mp4", web_safe_clip(&folder)?)).await?;
    client.delete(&format!("/v1/files/{film}")).await?.expect(200)?;
    restore(&client, &film).await?.expect(200)?;
    let row = client.wait_settled(&film, PATIENCE).await?;
    ensure!(row["state"] == "ready" && row["progress"] == 1.0, "{row}");
    let text = client.upload_one(Upload::text("text.txt", "text")).await?;
    let soon = Timestamp::now().plus(Duration::from_secs(3)).to_string();
    patch(&client, &text, &json!({"expires_at": soon})).await?.expect(200)?;
    client.delete(&format!("/v1/files/{film}")).await?.expect(200)?;
    is_empty(&site).await?;
    client.get(&format!("/v1/files/{text}/info")).await?.expect(404)?;
    restore(&client, &film).await?.expect(404)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_in_the_trash_for_long_enough_or_expires_leaves_nothing_embedded() -> Result<()> {
    time_is_over(Footing::Embedded).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_in_the_trash_for_long_enough_or_expires_leaves_nothing_production() -> Result<()> {
    time_is_over(Footing::Production).await
}

/// Nobody comes by to delete it, and yet it is gone, also for a player that is remembered.
async fn expired_before_the_sweep(footing: Footing) -> Result<()> {
    let site = Site::builder(footing).env("REELGATE__MAINTENANCE__PURGE_MS", "3600000").start().await?;
    let client = alice(&site.client());
    let file = client.upload_one(Upload::text("text.txt", "text")).await?;
    let token = client.stream_token(&json!({})).await?;
    let path = format!("/v1/files/stream/{file}?token={token}");
    let soon = Timestamp::now().plus(Duration::from_secs(4)).to_string();
    patch(&client, &file, &json!({"expires_at": soon})).await?.expect(200)?;
    let mut played = 0;
    eventually("it has expired", PATIENCE, async || match client.get(&path).await {
        Ok(answer) if answer.status == 200 => {
            played += 1;
            false
        }
        Ok(answer) => answer.status == 404 && answer.code() == "file_not_found",
        Err(_) => false,
    })
    .await?;
    ensure!(played > 0, "it never played");
    ensure!(names(&listed(&client, "").await?).is_empty());
    let (org, id) = (OrgId::new(ORG), file.parse::<FileId>()?);
    ensure!(site.database().await?.file_stands(&org, id).await?, "somebody has come by after all");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_has_expired_is_gone_before_anybody_comes_by_embedded() -> Result<()> {
    expired_before_the_sweep(Footing::Embedded).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_has_expired_is_gone_before_anybody_comes_by_production() -> Result<()> {
    expired_before_the_sweep(Footing::Production).await
}
