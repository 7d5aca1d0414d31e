//! Thumbnails when nobody makes them: those who wait are told so in time, an organisation's wishes have an end and are its own
//! matter, and all of them are fulfilled when a worker comes back. Wishes for nearly the same are one.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use http::{Method, header};
use reelgate_e2e::{
    client::{Answer, Client, Upload},
    process::{Folder, eventually},
    sign_in::SignIn,
    site::{Footing, Site, web_safe_clip},
};

const PATIENCE: Duration = Duration::from_secs(180);
/// What `thumbnails.wait_ms` is by default.
const WAIT: Duration = Duration::from_secs(3);

fn said(answer: &Answer, name: header::HeaderName) -> &str {
    answer.headers.get(name).map_or("", |value| value.to_str().unwrap_or_default())
}

async fn film(client: &Client, folder: &Folder) -> Result<String> {
    let file = client.upload_one(Upload::file("clip.mp4", "video/mp4", web_safe_clip(folder)?)).await?;
    client.wait_settled(&file, PATIENCE).await?;
    Ok(file)
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_worker_wishes_wait_up_to_the_organisations_share_and_are_fulfilled_later() -> Result<()> {
    let folder = Folder::new("thumbnails")?;
    let mut site = Site::builder(Footing::Production).env("REELGATE__THUMBNAILS__MAX_WAITING", "2").start().await?;
    let client = |who: SignIn| site.client().signed_in(who.jwt());
    let (alice, erin) = (client(SignIn::member("alice", "acme")), client(SignIn::member("erin", "globex")));
    let (hers, theirs) = (film(&alice, &folder).await?, film(&erin, &folder).await?);
    let path = |file: &str, wish: &str| format!("/v1/files/{file}/thumbnail?{wish}");
    site.workers.remove(0).kill()?;

    let asked = Instant::now();
    let pending = alice.get(&path(&hers, "t=0&w=320")).await?.expect(503)?;
    ensure!((pending.code().as_str(), said(&pending, header::RETRY_AFTER)) == ("thumbnail_pending", "2"));
    ensure!(asked.elapsed() >= WAIT, "it was given up after {:?}", asked.elapsed());
    alice.get(&path(&hers, "t=1&w=320")).await?.expect(503)?;
    // Those that wait already are no new wishes, whoever asks; a third one is.
    alice.get(&path(&hers, "t=0.9&w=200")).await?.expect(503)?;
    let refused = alice.get(&path(&hers, "t=1&w=640")).await?.expect(429)?;
    ensure!((refused.code().as_str(), said(&refused, header::RETRY_AFTER)) == ("too_many_thumbnails", "5"));
    erin.get(&path(&theirs, "t=0&w=160")).await?.expect(503)?;

    site.start_worker()?;
    for (client, file, wish) in
        [(&alice, &hers, "t=0&w=320"), (&alice, &hers, "t=1&w=320"), (&erin, &theirs, "t=0&w=160")]
    {
        eventually(wish, PATIENCE, async || {
            client.get(&path(file, wish)).await.is_ok_and(|answer| answer.status == 200)
        })
        .await
        .with_context(|| site.output())?;
    }
    nearly_the_same_is_one(&alice, &path(&hers, "")).await
}

/// Times are whole seconds, widths one of four, formats what is asked for or accepted.
async fn nearly_the_same_is_one(client: &Client, root: &str) -> Result<()> {
    let tag = async |wish: &str| {
        let answer =
            client.get(&format!("{root}{wish}&format=jpeg")).await?.expect(200).with_context(|| wish.to_owned())?;
        anyhow::Ok(said(&answer, header::ETAG).to_owned())
    };
    let first = tag("t=0&w=320").await?;
    for same in ["t=0.999&w=161", "t=0.5&w=200", "t=0"] {
        ensure!(tag(same).await? == first, "{same} is another one");
    }
    ensure!(tag("t=1&w=320").await? != first);
    let accepts = [(header::ACCEPT, "image/avif,image/webp,*/*")];
    let webp = client.send(Method::GET, &format!("{root}t=0&w=160"), &accepts, "").await?.expect(200)?;
    ensure!(said(&webp, header::CONTENT_TYPE) == "image/webp", "{:?}", webp.headers);
    // One of several lines.
    ensure!(webp.headers.get_all(header::VARY).iter().any(|line| line == "Accept"), "{:?}", webp.headers);
    Ok(())
}
