//! The commands of somebody who uses a server: `reelgate upload`, `ls`, `info`, `tag`, `watch`, `rm` and `restore`, beside a running one.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use anyhow::{Context, Result, ensure};
use reelgate_common::hex::hex;
use reelgate_e2e::{
    client::Upload,
    generated::generated,
    process::Folder,
    proxy::cutter::Cutter,
    sign_in::SignIn,
    site::{Footing, Site, web_safe_clip},
};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// The site with somebody who is signed in: by the data folder's own secret, or by a JWT.
struct Desk {
    site: Site,
    jwt: Option<String>,
}

impl Desk {
    async fn open(footing: Footing) -> Result<Self> {
        let jwt = (footing == Footing::Production).then(|| SignIn::admin("demo", "demo").jwt());
        Ok(Self { site: Site::start(footing).await?, jwt })
    }

    /// Whether it succeeded, and what it said.
    fn say(&self, arguments: &[&str]) -> Result<(bool, String)> {
        let url = format!("--url={}", self.site.client().base());
        let jwt = self.jwt.as_ref().map(|jwt| format!("--jwt={jwt}"));
        let given = [arguments, &[&*url], &jwt.iter().map(String::as_str).collect::<Vec<_>>()].concat();
        self.site.command(&given)
    }

    /// The files that a command printed with `--json`, in order.
    fn files(&self, arguments: &[&str]) -> Result<Vec<Value>> {
        let (succeeded, output) = self.say(arguments)?;
        ensure!(succeeded, "{arguments:?}: {output}");
        output.lines().map(|line| serde_json::from_str(line).with_context(|| output.clone())).collect()
    }

    fn refused(&self, arguments: &[&str]) -> Result<String> {
        let (succeeded, output) = self.say(arguments)?;
        ensure!(!succeeded, "{arguments:?} succeeded: {output}");
        Ok(output)
    }
}

async fn check(footing: Footing) -> Result<()> {
    let (desk, folder) = (Desk::open(footing).await?, Folder::new("commands")?);
    let (clip, text) = (web_safe_clip(&folder)?, folder.join("no \"film\".txt"));
    std::fs::write(&text, "hello")?;
    let (clip, text) = (clip.to_str().unwrap(), text.as_str());

    let stored = desk.files(&["upload", clip, text, "--wait", "--json"])?;
    let told = |file: &Value| (file["filename"].clone(), file["state"].clone(), file["progress"].clone());
    assert_eq!(stored.iter().map(|file| file["state"].as_str().unwrap()).collect::<Vec<_>>(), ["ready", "ready"]);
    assert_eq!(told(&stored[1]), ("no \"film\".txt".into(), "ready".into(), 1.0.into()));
    assert_eq!(stored[0]["size_bytes"], std::fs::metadata(clip)?.len());
    let ids: Vec<&str> = stored.iter().map(|file| file["id"].as_str().unwrap()).collect();

    let listed = desk.files(&["ls", "--json"])?;
    assert_eq!(listed.iter().map(|file| file["id"].as_str().unwrap()).collect::<Vec<_>>(), [ids[1], ids[0]]);
    assert_eq!(desk.files(&["ls", "--json", "--kind=video"])?.len(), 1);
    assert_eq!(desk.files(&["ls", "--json", "--limit=1"])?.len(), 1);
    assert_eq!(desk.files(&["watch", "--json", ids[0]])?[0]["id"], ids[0]);
    let (_, table) = desk.say(&["ls"])?;
    assert!(table.contains(ids[0]) && table.contains("ready") && table.contains("100 %"), "{table}");
    let (_, info) = desk.say(&["info", ids[0]])?;
    assert_eq!(serde_json::from_str::<Value>(&info)?["media"]["video"]["width"], stored[0]["media"]["video"]["width"]);

    let said = ["tag", ids[1], "--add=x", "--add=y", "--set=k=v", "--expires-at=2126-11-30T12:00:00Z", "--json"];
    assert_eq!(desk.files(&said)?[0]["tags"], serde_json::json!(["x", "y"]));
    let row = &desk.files(&["tag", ids[1], "--remove=x", "--unset=k", "--expires-at=never", "--json"])?[0];
    assert_eq!((&row["tags"], &row["metadata"]), (&serde_json::json!(["y"]), &serde_json::json!({})));
    assert!(row["expires_at"].is_null(), "{row}");
    let found =
        |arguments: &[&str]| Ok::<_, anyhow::Error>(desk.files(&[&["ls", "--json"][..], arguments].concat())?.len());
    assert_eq!(
        found(&["--tag=y", "-q", "FILM", "--sort=-name", "--state=ready,failed", "--size-max=5", "--owner=me"])?,
        1
    );
    assert_eq!((found(&["--tag=x"])?, found(&["--trashed"])?), (0, 0));
    assert!(desk.refused(&["ls", "--created-after=now"])?.contains("RFC 3339"));
    assert!(desk.say(&["ls"])?.1.contains("[y]"), "the table shows tags");
    assert!(desk.refused(&["restore", ids[0]])?.contains("not_trashed"));

    let removed = desk.files(&["rm", ids[0], ids[1], "--permanent", "--json"])?;
    assert_eq!(removed.iter().map(|it| it["deleted"].as_bool()).collect::<Vec<_>>(), [Some(true), Some(true)]);
    assert!(desk.refused(&["rm", ids[0]])?.contains("file_not_found"));
    assert!(desk.files(&["ls", "--json"])?.is_empty());
    let missing = desk.refused(&["upload", "/no/such/file", text, "--json"])?;
    let (complaint, stored) = missing.split_once('\n').context("two lines")?;
    assert!(complaint.contains("/no/such/file: No such file"), "{complaint}");
    assert_eq!(serde_json::from_str::<Value>(stored)?["size_bytes"], 5, "the other is stored");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_uploaded_followed_listed_and_removed_from_a_shell_embedded() -> Result<()> {
    check(Footing::Embedded).await
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_uploaded_followed_listed_and_removed_from_a_shell_production() -> Result<()> {
    check(Footing::Production).await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_signed_in_or_asks_nobody_is_told_what_to_do() -> Result<()> {
    let desk = Desk { jwt: Some("no.such.token".to_owned()), ..Desk::open(Footing::Embedded).await? };
    assert!(desk.refused(&["ls"])?.contains("token"), "the server's own words");
    let (succeeded, output) = desk.site.command(&["ls", "--url=http://127.0.0.1:9"])?;
    assert!(!succeeded && output.contains("cannot reach http://127.0.0.1:9/"), "{output}");
    Ok(())
}

/// A large file: it goes on where it had got to, and is not sent twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_large_upload_goes_on_after_its_connection_has_broken() -> Result<()> {
    const BYTES: usize = 48 << 20;
    let (desk, folder) = (Desk::open(Footing::Embedded).await?, Folder::new("commands")?);
    let path = folder.join("large.bin");
    std::fs::write(&path, generated(5, BYTES))?;
    let port = desk.site.client().base().rsplit(':').next().context("a port")?.parse()?;
    let cutter = Cutter::start(vec![port], vec![10 << 20, 30 << 20])?;
    let url = format!("--url={}", cutter.url());
    let (succeeded, output) = desk.site.command(&["upload", &path, "--json", &url])?;
    ensure!(succeeded, "{output}");
    let stored: Value = serde_json::from_str(output.lines().last().context("a file")?)?;
    ensure!(stored["size_bytes"] == BYTES && stored["filename"] == "large.bin", "{stored}");
    ensure!(stored["sha256"] == hex(&Sha256::digest(generated(5, BYTES))), "{stored}");
    ensure!(cutter.cuts() == 2 && output.matches("going on in").count() >= 2, "{output}");
    ensure!(cutter.sent() < BYTES as u64 * 3 / 2, "{} bytes were sent", cutter.sent());
    Ok(())
}

/// What the command printed on standard output, which the site's log has among its explanations.
fn rotated(site: &Site, more: &[&str]) -> Result<String> {
    let (succeeded, output) = site.command(&[&["keys", "rotate"], more].concat())?;
    ensure!(succeeded, "{output}");
    Ok(output
        .lines()
        .find(|line| line.contains(':') && line.contains(',') && !line.contains(' '))
        .context(output.clone())?
        .to_owned())
}

/// Two gateways, replaced one at a time: whoever asks whichever of them is never told that his token is none.
#[tokio::test(flavor = "multi_thread")]
async fn keys_are_rotated_under_two_gateways_and_no_token_is_refused() -> Result<()> {
    const KEYS: &str = "REELGATE__TOKENS__KEYS";
    let mut site = Site::builder(Footing::Production).gateways(2).workers(0).start().await?;
    let jwt = SignIn::member("alice", "acme").jwt();
    let client = |site: &Site, gateway: usize| site.gateways[gateway].client().signed_in(jwt.clone());
    let file = client(&site, 0).upload_one(Upload::text("note.txt", "hello")).await?;
    let plays = async |site: &Site, token: &str| {
        for gateway in &site.gateways {
            let path = format!("/v1/files/stream/{file}?token={token}&rendition=source");
            gateway.client().get(&path).await?.expect(200)?;
        }
        anyhow::Ok(())
    };
    let wish = serde_json::json!({});
    let before = client(&site, 0).stream_token(&wish).await?;

    let announced = rotated(&site, &["--announce"])?;
    for gateway in 0..2 {
        site.set_env(KEYS, &announced);
        site.restart_gateway(gateway).await?;
        let token = client(&site, gateway).stream_token(&wish).await?;
        plays(&site, &token).await?;
    }
    let turned = rotated(&site, &[])?;
    ensure!(announced.split(',').next_back() == turned.split(',').next(), "what was announced signs");
    for gateway in 0..2 {
        site.set_env(KEYS, &turned);
        site.restart_gateway(gateway).await?;
        let token = client(&site, gateway).stream_token(&wish).await?;
        let kid = turned.split(':').next().context("a name")?;
        ensure!(token.split('.').nth(1) == Some(kid), "another key signs: {token}");
        plays(&site, &token).await?;
        plays(&site, &before).await?;
    }
    // A key that nobody knows any more.
    site.set_env(KEYS, turned.split(',').next().unwrap());
    site.restart_gateway(0).await?;
    let path = format!("/v1/files/stream/{file}?token={before}&rendition=source");
    ensure!(site.client().get(&path).await?.status == 401, "the check above sees nothing");
    Ok(())
}
