//! Who may upload how much: upload tokens and quotas. However many ask at once and of whichever gateway, there are as many as there may be.

use std::time::Duration;

use anyhow::{Result, ensure};
use bytes::Bytes;
use http::Method;
use reelgate_e2e::{
    client::{Client, Upload},
    process::eventually,
    site::{Footing, Site},
};
use serde_json::json;

use super::talk::{Talk, address, header, metadata, offset};

const STREAM: (&str, &str) = ("content-type", "application/offset+octet-stream");

async fn token(client: &Client, wish: serde_json::Value) -> Result<String> {
    let answer = client.post_json("/v1/uploads/token", &wish).await?.expect(200)?.json()?;
    Ok(answer["token"].as_str().unwrap_or_default().to_owned())
}

async fn a_token_is_for_what_it_says(footing: Footing) -> Result<()> {
    let site = Site::builder(footing).gateways(2).start().await?;
    let talk = Talk::new(&site, "tokens");
    talk.anybody().post_json("/v1/uploads/token", &json!({})).await?.expect(401)?;
    let wish = json!({
        "max_bytes": 5, "uploads": 3, "expires_in": 60, "content_type": "text/*", "metadata": {"filename": "named.txt"},
    });
    let token = token(&talk.alice(), wish).await?;
    let with = ("reelgate-upload-token", token.as_str());
    let text = metadata("filetype", "text/plain");
    let create = async |length: &str, kind: &str| {
        let headers = [with, ("upload-length", length), ("upload-metadata", kind)];
        talk.say(&talk.anybody(), Method::POST, "/v1/uploads", &headers, Bytes::new()).await
    };
    ensure!(create("6", &text).await?.expect(413)?.code() == "file_too_large");
    let film = metadata("filetype", "video/mp4");
    ensure!(create("5", &film).await?.expect(415)?.code() == "upload_type_not_allowed");
    // Refusals cost none of its three uses; of eight that ask at once three are let in.
    let asked = futures_util::future::join_all((0..8).map(|_| create("5", &text))).await;
    let answers = asked.into_iter().collect::<Result<Vec<_>>>()?;
    let (made, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 201);
    ensure!(made.len() == 3, "{} uploads with a token for 3", made.len());
    ensure!(refused.iter().all(|answer| answer.status == 403 && answer.code() == "upload_token_spent"));
    let last = talk.patch(&address(&made[0])?, 0, &[], "hello").await?.expect(204)?;
    talk.has_file(&last, b"hello").await?;
    let info = talk.alice().info(&header(&last, "reelgate-file-id")?).await?;
    ensure!(info["filename"] == "named.txt" && info["owner_id"] == "alice", "{info}");
    let wrong = [("reelgate-upload-token", "AAAAAAAAAAAAAAAAAAAAAA"), ("upload-length", "1")];
    let answer = talk.say(&talk.anybody(), Method::POST, "/v1/uploads", &wrong, Bytes::new()).await?.expect(401)?;
    ensure!(answer.code() == "upload_token_invalid");
    for log in site.logs()? {
        ensure!(!std::fs::read_to_string(log)?.contains(&token), "the token is in a log");
    }
    Ok(())
}

/// The token is looked at when an upload is created, and never again.
async fn an_upload_outlives_its_token(footing: Footing) -> Result<()> {
    let site = Site::start(footing).await?;
    let talk = Talk::new(&site, "short");
    let token = token(&talk.alice(), json!({"expires_in": 1, "uploads": 100})).await?;
    let headers = [("reelgate-upload-token", token.as_str()), ("upload-length", "5")];
    let create = async || talk.say(&talk.anybody(), Method::POST, "/v1/uploads", &headers, Bytes::new()).await;
    let begun = address(&create().await?.expect(201)?)?;
    eventually("the token has expired", Duration::from_secs(60), async || {
        create().await.is_ok_and(|answer| answer.status == 401)
    })
    .await?;
    talk.patch(&begun, 0, &[], "hello").await?.expect(204)?;
    ensure!(talk.offset(&begun).await? == 5);
    Ok(())
}

async fn quotas_hold(footing: Footing) -> Result<()> {
    let site = Site::builder(footing)
        .gateways(2)
        .env("REELGATE__QUOTA__MAX_BYTES", "100")
        .env("REELGATE__QUOTA__MAX_FILES", "6")
        .env("REELGATE__QUOTA__MAX_UPLOADS", "3")
        .start()
        .await?;
    let talk = Talk::new(&site, "quotas");
    let create = async |length: &str| talk.create(&[("upload-length", length)], Bytes::new()).await;
    let asked = futures_util::future::join_all((0..8).map(|_| create("20"))).await;
    let answers = asked.into_iter().collect::<Result<Vec<_>>>()?;
    let (made, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 201);
    ensure!(made.len() == 3 && refused.iter().all(|answer| answer.status == 429 && answer.code() == "quota_uploads"));
    // One is whole: a place is free, and 40 bytes.
    talk.patch(&address(&made[0])?, 0, &[], Bytes::from(vec![b'x'; 20])).await?.expect(204)?;
    ensure!(create("41").await?.expect(413)?.code() == "quota_bytes");
    let third = address(&create("40").await?.expect(201)?)?;
    // All bytes are promised: a form has none left, whatever its length says.
    talk.delete(&address(&made[2])?).await?.expect(204)?;
    let form = |bytes: usize| vec![Upload::bytes("a.bin", "application/octet-stream", vec![b'y'; bytes])];
    ensure!(talk.alice().post_files("/v1/files", form(21)).await?.expect(413)?.code() == "quota_bytes");
    eventually("what was refused has been undone, and the rest is taken", Duration::from_secs(60), async || {
        talk.alice().post_files("/v1/files", form(20)).await.is_ok_and(|answer| answer.status == 200)
    })
    .await?;
    // What is deleted counts no more, nor what is given up.
    talk.delete(&third).await?.expect(204)?;
    let deferred = talk.begin(&[("upload-defer-length", "1")]).await?;
    // What was left when it was created is all that it may take.
    ensure!(talk.patch(&deferred, 0, &[("upload-length", "41")], "x").await?.expect(413)?.code() == "file_too_large");
    ensure!(talk.patch(&deferred, 0, &[("upload-length", "40")], "x").await?.expect(204).is_ok());
    let stranger = Talk::new(&site, "others");
    ensure!(
        stranger.create(&[("upload-length", "100"), STREAM], "x").await?.expect(201).is_ok_and(|a| offset(&a).is_ok())
    );
    for _ in 0..2 {
        talk.create(&[("upload-length", "0")], Bytes::new()).await?.expect(201)?;
    }
    ensure!(create("0").await?.expect(403)?.code() == "quota_files");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_token_is_for_what_it_says_embedded() -> Result<()> {
    a_token_is_for_what_it_says(Footing::Embedded).await?;
    an_upload_outlives_its_token(Footing::Embedded).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_token_is_for_what_it_says_in_production() -> Result<()> {
    a_token_is_for_what_it_says(Footing::Production).await?;
    an_upload_outlives_its_token(Footing::Production).await
}

#[tokio::test(flavor = "multi_thread")]
async fn quotas_hold_however_many_upload_at_once_embedded() -> Result<()> {
    quotas_hold(Footing::Embedded).await
}

#[tokio::test(flavor = "multi_thread")]
async fn quotas_hold_however_many_upload_at_once_in_production() -> Result<()> {
    quotas_hold(Footing::Production).await
}

/// Uploads that are left alone: nothing stays of them.
async fn what_is_left_alone_is_given_up(footing: Footing) -> Result<()> {
    let site = Site::builder(footing).gateways(2).env("REELGATE__RESUMABLE__EXPIRES_MS", "2000").start().await?;
    let talk = Talk::new(&site, "left-alone");
    let length = (12 << 20).to_string();
    let mut begun = Vec::new();
    for concat in [None, Some(("upload-concat", "partial"))] {
        let mut headers = vec![("upload-length", length.as_str())];
        headers.extend(concat);
        let address = talk.begin(&headers).await?;
        talk.patch(&address, 0, &[], reelgate_e2e::generated::generated(0, 6 << 20)).await?.expect(204)?;
        begun.push(address);
    }
    eventually("rows and objects are gone", Duration::from_secs(60), async || {
        let mut gone = site.stored("staging/").await.is_ok_and(|stored| stored.is_empty());
        for address in &begun {
            gone &= talk.head(address).await.is_ok_and(|answer| answer.status == 404);
        }
        gone
    })
    .await?;
    let files = talk.alice().get("/v1/files").await?.expect(200)?.json()?;
    ensure!(files["files"].as_array().is_some_and(Vec::is_empty), "{files}");
    Ok(())
}

/// Each byte that is stored makes its time begin anew: it lives longer than was said when it began.
async fn what_goes_on_is_not_given_up(footing: Footing) -> Result<()> {
    let site = Site::builder(footing).env("REELGATE__RESUMABLE__EXPIRES_MS", "6000").start().await?;
    let talk = Talk::new(&site, "going-on");
    let created = talk.create(&[("upload-length", "100000")], Bytes::new()).await?.expect(201)?;
    let (address, until) = (address(&created)?, expires(&created)?);
    let mut at = 0;
    while std::time::SystemTime::now() < until + Duration::from_secs(1) {
        talk.patch(&address, at, &[], "x").await?.expect(204)?;
        at += 1;
    }
    let head = talk.head(&address).await?.expect(200)?;
    ensure!(offset(&head)? == at && expires(&head)? > until, "{:?}", head.headers);
    Ok(())
}

fn expires(answer: &reelgate_e2e::client::Answer) -> Result<std::time::SystemTime> {
    Ok(httpdate::parse_http_date(&header(answer, "upload-expires")?)?)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_on_is_not_given_up_embedded() -> Result<()> {
    what_goes_on_is_not_given_up(Footing::Embedded).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_on_is_not_given_up_in_production() -> Result<()> {
    what_goes_on_is_not_given_up(Footing::Production).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_left_alone_is_given_up_embedded() -> Result<()> {
    what_is_left_alone_is_given_up(Footing::Embedded).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_left_alone_is_given_up_in_production() -> Result<()> {
    what_is_left_alone_is_given_up(Footing::Production).await
}
