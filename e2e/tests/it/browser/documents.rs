//! Documents with a script in them, uploaded and opened by their address: nothing in them runs, whatever they are called.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use reelgate_e2e::{
    browser::Browser,
    client::Upload,
    process::eventually,
    site::{Footing, Site},
};
use serde_json::json;
use tokio::{io::AsyncReadExt, net::TcpListener};

use super::alice;

const PATIENCE: Duration = Duration::from_secs(60);

/// Somebody whom scripts call, with a path that says who they are.
struct Canary {
    port: u16,
    visits: Arc<Mutex<Vec<String>>>,
}

impl Canary {
    async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let (port, visits) = (listener.local_addr()?.port(), Arc::<Mutex<Vec<String>>>::default());
        let noted = visits.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let noted = noted.clone();
                tokio::spawn(async move {
                    let mut head = [0; 1_024];
                    let read = stream.read(&mut head).await.unwrap_or_default();
                    // Browsers also open connections ahead of need.
                    if let Some(path) = String::from_utf8_lossy(&head[..read]).split(' ').nth(1) {
                        noted.lock().unwrap().push(path.to_owned());
                    }
                });
            }
        });
        Ok(Self { port, visits })
    }

    fn visits(&self) -> Vec<String> {
        self.visits.lock().unwrap().clone()
    }

    /// Says so in every way that a page has, when it runs.
    fn script(&self, who: &str) -> String {
        let port = self.port;
        format!(
            "document.title = 'ran'; new Image().src = 'http://127.0.0.1:{port}/{who}'; parent.ran = true; window.ran = true;"
        )
    }
}

/// As it is, by its right name and by a wrong one, with its own type and with another's.
fn documents(canary: &Canary) -> Vec<Upload> {
    let run = canary.script("document");
    let html = format!("<!doctype html><title>fine</title><script>{run}</script><img src=x onerror=\"{run}\">");
    let svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" onload=\"{run}\"><script>{run}</script><rect width=\"9\" height=\"9\"/></svg>"
    );
    vec![
        Upload::bytes("page.html", "text/html", html.clone()),
        Upload::bytes("page.png", "image/png", html.clone()),
        Upload::bytes("page.txt", "text/plain", html.clone()),
        Upload::bytes("page.mp4", "text/html", html),
        Upload::bytes("picture.svg", "image/svg+xml", svg.clone()),
        Upload::bytes("picture.png", "image/svg+xml", svg.clone()),
        Upload::bytes("page.xhtml", "application/xhtml+xml", svg),
        Upload::bytes("words.js", "text/javascript", run),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn no_script_of_an_uploaded_document_ever_runs() -> Result<()> {
    let canary = Canary::start().await?;
    let site = Site::start(Footing::Embedded).await?;
    let client = alice(&site);
    let token = client.stream_token(&json!({})).await?;
    let browser = Browser::start().await?;
    for upload in documents(&canary) {
        let name = upload.filename.clone();
        let id = client.upload_one(upload).await?;
        client.wait_settled(&id, PATIENCE).await?;
        let url = format!("{}/v1/files/stream/{id}?rendition=source&token={token}", client.base());
        let answer = site.client().get(url.strip_prefix(client.base()).context("a path")?).await?.expect(200)?;
        let header = |name: &str| answer.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        ensure!(header("x-content-type-options") == "nosniff", "{name}");
        let policy = header("content-security-policy");
        ensure!(policy.contains("default-src 'none'") && policy.contains("sandbox"), "{name}: {policy}");
        ensure!(!policy.contains("allow-"), "{name}: {policy}");
        let inline = header("content-disposition").starts_with("inline");
        ensure!(!inline || header("content-type").starts_with("image/png"), "{name}: {:?}", answer.headers);

        // In a frame of a page of the same origin, which could be asked for more, and in front. The page is one without a policy.
        let page = browser.page(&format!("{}/nothing", client.base())).await?;
        let frame = format!(
            "new Promise(done => {{ const frame = document.createElement('iframe'); frame.src = '{url}'; \
             frame.onload = frame.onerror = () => done(true); document.body.append(frame); setTimeout(() => done(true), 1000); }})"
        );
        page.evaluate(&frame).await?;
        ensure!(page.evaluate("window.ran === undefined").await? == true, "{name} ran in a frame");
        // A download leaves the page where it is.
        drop(page.go(&url).await);
        ensure!(page.evaluate("window.ran === undefined && document.title !== 'ran'").await? == true, "{name} ran");
    }
    // They would have called by now: a page of our own does.
    let page = browser.page(&format!("{}/nothing", client.base())).await?;
    page.evaluate(&canary.script("own")).await?;
    eventually("the canary hears of our own page", PATIENCE, async || !canary.visits().is_empty()).await?;
    ensure!(canary.visits() == ["/own"], "{:?}", canary.visits());
    Ok(())
}
