//! HLS and DASH as players meet them: the master playlist and the manifest by token, everything else below the lease that they
//! name, on both footings, decoded by ffmpeg over HTTP.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use http::{Method, header};
use reelgate_common::{ids::OrgId, key::Key};
use reelgate_e2e::{
    client::{Answer, Client, Upload},
    process::{Folder, eventually},
    services::Postgres,
    sign_in::SignIn,
    site::{Footing, Site},
};

const PATIENCE: Duration = Duration::from_secs(300);
const FRAMES: usize = 150;

/// Six seconds of 25 frames with key frames every two seconds and B-frames between, `moov` at the end, AAC in two languages.
pub(crate) fn clip(folder: &Folder) -> Result<PathBuf> {
    let path = folder.path().join("clip.mp4");
    let status = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-y", "-f", "lavfi", "-i", "testsrc2=size=1280x720:rate=25:duration=6"])
        .args(["-f", "lavfi", "-i", "sine=frequency=440:duration=6:sample_rate=48000"])
        .args(["-map", "0:v", "-map", "1:a", "-map", "1:a", "-c:v", "libx264", "-preset", "veryfast", "-pix_fmt"])
        .args(["yuv420p", "-bf", "2", "-g", "50", "-keyint_min", "50", "-sc_threshold", "0", "-c:a", "aac", "-ac", "2"])
        .args(["-metadata:s:a:0", "language=deu", "-metadata:s:a:1", "language=eng"])
        .arg(&path)
        .status()?;
    ensure!(status.success(), "ffmpeg could not make the clip");
    Ok(path)
}

/// What follows a line that begins so, or stands in its attribute `URI`.
fn addresses(playlist: &str) -> Vec<String> {
    let inner = |line: &str| Some(line.split_once("URI=\"")?.1.split_once('"')?.0.to_owned());
    let address = |line: &str| if line.starts_with('#') { inner(line) } else { Some(line.to_owned()) };
    playlist.lines().filter_map(address).collect()
}

fn beside(playlist: &str, address: &str) -> String {
    format!("{}/{address}", playlist.rsplit_once('/').map_or("", |(folder, _)| folder))
}

async fn text(client: &Client, path: &str) -> Result<String> {
    let answer = client.get(path).await?.expect(200).with_context(|| path.to_owned())?;
    Ok(String::from_utf8(answer.body.to_vec())?)
}

fn header_of(answer: &Answer, name: header::HeaderName) -> &str {
    answer.headers.get(name).map_or("", |value| value.to_str().unwrap_or_default())
}

/// Everything that the master playlist leads to is there, whole and cacheable for ever; gives how many pieces that were.
async fn walk(client: &Client, root: &str, master: &str) -> Result<usize> {
    let mut pieces = 0;
    for playlist in addresses(master).iter().map(|address| beside(root, address)).collect::<BTreeSet<_>>() {
        let listed = text(client, &playlist).await?;
        ensure!(listed.ends_with("#EXT-X-ENDLIST\n"), "{playlist}: {listed}");
        for address in addresses(&listed) {
            let path = beside(&playlist, &address);
            let answer = client.get(&path).await?.expect(200).with_context(|| path.clone())?;
            let expected: &[u8] = if address == "init.mp4" { b"ftyp" } else { b"moof" };
            ensure!(answer.body.windows(4).take(64).any(|window| window == expected), "{path} begins strangely");
            assert_eq!(header_of(&answer, header::CACHE_CONTROL), "private, max-age=31536000, immutable");
            assert!(["video/mp4", "audio/mp4"].contains(&header_of(&answer, header::CONTENT_TYPE)), "{path}");
            pieces += 1;
        }
    }
    Ok(pieces)
}

/// Chromium asks for `bytes=0-` of everything, and again with the tag that it has.
async fn ranges_and_conditions(client: &Client, path: &str) -> Result<()> {
    let ask = async |headers: &[(header::HeaderName, &str)]| client.send(Method::GET, path, headers, "").await;
    let whole = ask(&[]).await?.expect(200)?;
    let tag = header_of(&whole, header::ETAG).to_owned();
    let all = ask(&[(header::RANGE, "bytes=0-")]).await?.expect(206)?;
    assert_eq!((&all.body, header_of(&all, header::ETAG)), (&whole.body, tag.as_str()), "{path}");
    let (from, to) = (whole.body.len() / 3, whole.body.len() / 2);
    let part = ask(&[(header::RANGE, &format!("bytes={from}-{to}"))]).await?.expect(206)?;
    assert_eq!(part.body, whole.body.slice(from..=to), "{path}");
    let same = ask(&[(header::RANGE, "bytes=0-"), (header::IF_NONE_MATCH, &tag)]).await?.expect(304)?;
    assert!(same.body.is_empty(), "{path}");
    ask(&[(header::RANGE, &format!("bytes={}-", whole.body.len()))]).await?.expect(416)?;
    let head = client.send(Method::HEAD, path, &[], "").await?.expect(200)?;
    assert_eq!(header_of(&head, header::CONTENT_LENGTH), whole.body.len().to_string(), "{path}");
    Ok(())
}

/// Frames that ffmpeg decodes of a video track at an address. One track at a time: its DASH reader stops at the first that ends.
fn decoded_frames(address: &str, track: usize) -> Result<(String, usize)> {
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-count_frames", "-select_streams", &format!("v:{track}")])
        .args(["-show_entries", "stream=width,nb_read_frames", "-of", "csv=p=0", address])
        .output()?;
    let (found, words) = (String::from_utf8(output.stdout)?, String::from_utf8(output.stderr)?);
    ensure!(output.status.success() && words.is_empty(), "ffprobe: {words}");
    // HLS lists a track once more in each of its programs.
    let line = found.lines().find(|line| !line.is_empty()).context("no track")?;
    let (width, frames) = line.split_once(',').context("width and frames")?;
    Ok((width.to_owned(), frames.parse()?))
}

/// What an I-frame playlist points at is one whole picture, without the rest of its segment.
async fn key_frames_stand_alone(client: &Client, iframes: &str, folder: &Folder) -> Result<()> {
    let listed = text(client, iframes).await?;
    let lengths =
        listed.lines().filter_map(|line| line.strip_prefix("#EXT-X-BYTERANGE:")?.strip_suffix("@0")?.parse().ok());
    let lengths: Vec<u64> = lengths.collect();
    assert_eq!(lengths.len(), 3, "{listed}");
    let init = client.get(&beside(iframes, "init.mp4")).await?.expect(200)?.body;
    for (number, length) in lengths.into_iter().enumerate() {
        let address = beside(iframes, &format!("{number}.m4s"));
        let lead = client.range(&address, 0..length).await?;
        let whole = client.get(&address).await?.expect(200)?.body;
        let first = |name: &str, bytes: &[u8]| first_picture(&folder.path().join(name), &[&init, bytes].concat());
        assert_eq!(first("lead.mp4", &lead)?, first("whole.mp4", &whole)?, "{address}");
        assert!(lead.len() < whole.len() / 2, "{address}: a key frame is {} of {} bytes", lead.len(), whole.len());
        // Without its last byte it is not whole.
        assert_ne!(first("cut.mp4", &lead[..lead.len() - 1]).ok(), first("lead.mp4", &lead).ok(), "{address}");
    }
    Ok(())
}

/// Its hash, as ffmpeg decodes it strictly.
fn first_picture(path: &Path, bytes: &[u8]) -> Result<String> {
    std::fs::write(path, bytes)?;
    let output = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "fatal", "-err_detect", "explode", "-i"])
        .arg(path)
        .args(["-frames:v", "1", "-f", "rawvideo", "-pix_fmt", "yuv420p", "-f", "md5", "-"])
        .output()?;
    let hash = String::from_utf8(output.stdout)?;
    ensure!(hash.starts_with("MD5="), "no picture: {hash}");
    Ok(hash)
}

fn variants(master: &str) -> usize {
    master.matches("#EXT-X-STREAM-INF").count()
}

async fn a_segment_safe_upload_plays_by_hls_and_dash(footing: Footing) -> Result<()> {
    let folder = Folder::new("playlists")?;
    let clip = clip(&folder)?;
    let site = Site::builder(footing).start().await?;
    let client = site.client().signed_in(SignIn::member("alice", "acme").jwt());
    let id = client.upload_one(Upload::file("clip.mp4", "video/mp4", &clip)).await?;
    client.wait_ready(&id).await?;
    let token = client.stream_token(&serde_json::json!({})).await?;
    let anonymous = site.client();
    let path = |name: &str| format!("/v1/files/stream/{id}/{name}?token={token}");
    let root = format!("/v1/files/stream/{id}/master.m3u8");

    // Ready is when the source has been looked at: from here on it plays, whatever is still being made.
    let first = text(&anonymous, &path("master.m3u8")).await?;
    assert!(first.contains("/source/0/index.m3u8"), "{first}");
    client.wait_settled(&id, PATIENCE).await?;
    // Rows are remembered for two seconds.
    let grown = grown_master(&anonymous, &path("master.m3u8"), 3).await?;
    assert!(variants(&first) <= variants(&grown), "{first}{grown}");
    for wanted in
        ["LANGUAGE=\"de\",DEFAULT=YES", "LANGUAGE=\"en\",DEFAULT=NO", "RESOLUTION=1280x720", "FRAME-RATE=25.000"]
    {
        assert!(grown.contains(wanted), "{wanted}: {grown}");
    }

    // Three videos and two languages, each of them three segments, an init segment, and for videos as many key frames again.
    assert_eq!(walk(&anonymous, &root, &grown).await?, 3 * (4 + 4) + 2 * 4);
    let listed = beside(&root, &addresses(&grown)[0]);
    for address in [listed.clone(), beside(&listed, "init.mp4"), beside(&listed, "1.m4s"), path("master.m3u8")] {
        ranges_and_conditions(&anonymous, &address).await?;
    }
    let iframes =
        addresses(&grown).into_iter().find(|address| address.ends_with("/iframes.m3u8")).context("key frames")?;
    key_frames_stand_alone(&anonymous, &beside(&root, &iframes), &folder).await?;
    let missing = anonymous.get(&beside(&listed, "3.m4s")).await?.expect(404)?;
    assert_eq!(missing.code(), "segment_not_found");

    for name in ["master.m3u8", "manifest.mpd"] {
        for (track, width) in ["1280", "854", "640"].into_iter().enumerate() {
            let address = format!("{}{}", anonymous.base(), path(name));
            let found = tokio::task::spawn_blocking(move || decoded_frames(&address, track)).await??;
            assert_eq!(found, (width.to_owned(), FRAMES), "{name}");
        }
    }
    assert_stored(&site).await?;
    let lease = grown.split("URI=\"").nth(1).and_then(|text| text.split('/').next()).context("a lease")?;
    assert!(lease.len() >= 22, "{lease}");
    assert!(!site.output().contains(lease), "a lease is a credential and stands in the log");
    Ok(())
}

async fn grown_master(client: &Client, path: &str, count: usize) -> Result<String> {
    let mut master = String::new();
    eventually("all rungs are offered", Duration::from_secs(30), async || {
        master = text(client, path).await.unwrap_or_default();
        variants(&master) == count
    })
    .await?;
    Ok(master)
}

/// Plain MP4s and their indexes: no packaged copy lies anywhere.
async fn assert_stored(site: &Site) -> Result<()> {
    let stored = site.stored("media/").await?;
    let names: BTreeSet<&str> = stored.iter().filter_map(|key| Path::new(key).file_name()?.to_str()).collect();
    let expected = [
        "360p.index",
        "360p.mp4",
        "480p.index",
        "480p.mp4",
        "head.mp4",
        "poster.jpg",
        "preview.webp",
        "source",
        "source.index",
        "storyboard-1.jpg",
    ];
    assert_eq!(names, BTreeSet::from(expected));
    Ok(())
}

/// Every piece of a media playlist, in order.
async fn pieces(client: &Client, playlist: &str) -> Result<Vec<Bytes>> {
    let mut found = Vec::new();
    for address in addresses(&text(client, playlist).await?) {
        found.push(client.get(&beside(playlist, &address)).await?.expect(200).with_context(|| address.clone())?.body);
    }
    Ok(found)
}

/// As if the file were being processed anew: nothing is published of the next generation yet.
async fn supersede(site: &mut Site, id: &str) -> Result<()> {
    let database = site.services()?.database.clone();
    let name = database.rsplit('/').next().context("a name")?;
    let statement = format!("update files set generation = 2 where id = '{id}'");
    let said = Postgres::shared().await?.psql(name, &statement)?;
    ensure!(said == "UPDATE 1", "{said}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_superseded_generation_plays_on_for_who_watches_it_and_goes_afterwards() -> Result<()> {
    let folder = Folder::new("playlists")?;
    let clip = clip(&folder)?;
    let often = Site::builder(Footing::Production)
        .env("REELGATE__MAINTENANCE__RECONCILE_MS", "200")
        .env("REELGATE__MAINTENANCE__ORPHAN_GRACE_MS", "1")
        .env("REELGATE__LEASES__IDLE_MS", "10000")
        .env("REELGATE__LEASES__TOUCH_MS", "500");
    let mut site = often.start().await?;
    let client = site.client().signed_in(SignIn::member("alice", "acme").jwt());
    let anonymous = site.client();
    let id = client.upload_one(Upload::file("clip.mp4", "video/mp4", &clip)).await?;
    client.wait_settled(&id, PATIENCE).await?;
    let master = async || {
        let token = client.stream_token(&serde_json::json!({})).await?;
        anonymous.get(&format!("/v1/files/stream/{id}/master.m3u8?token={token}")).await
    };
    let watched = String::from_utf8(master().await?.expect(200)?.body.to_vec())?;
    let listed =
        addresses(&watched).into_iter().rfind(|address| address.ends_with("index.m3u8")).context("a variant")?;
    let playlist = beside(&format!("/v1/files/stream/{id}/"), &listed);
    let before = pieces(&anonymous, &playlist).await?;
    let outputs = format!("media/acme/{id}/1/");
    let kept = site.stored(&outputs).await?;
    ensure!(!kept.is_empty(), "nothing in {outputs}");

    supersede(&mut site, &id).await?;
    // An object that the next sweep removes, so that one knows of it.
    let left = Key::Staging { org: OrgId::new("acme"), file: id.parse()? };
    site.storage()?.put(&left, Bytes::from_static(b"left")).await?;
    let storage = site.storage()?;
    eventually("the change is seen and a sweep is over", PATIENCE, async || {
        let plays = pieces(&anonymous, &playlist).await.is_ok_and(|pieces| pieces == before);
        assert!(plays, "who watches sees something else");
        storage.head(&left).await.is_err() && master().await.is_ok_and(|answer| answer.status != 200)
    })
    .await
    .with_context(|| site.output())?;
    assert_eq!(pieces(&anonymous, &playlist).await?, before);
    assert_eq!(site.stored(&outputs).await?, kept);

    // Nobody watches any more.
    eventually("its objects are gone", PATIENCE, async || {
        site.stored(&outputs).await.is_ok_and(|stored| stored.is_empty())
    })
    .await
    .with_context(|| site.output())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_segment_safe_upload_plays_by_hls_and_dash_embedded() -> Result<()> {
    a_segment_safe_upload_plays_by_hls_and_dash(Footing::Embedded).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_segment_safe_upload_plays_by_hls_and_dash_in_production() -> Result<()> {
    a_segment_safe_upload_plays_by_hls_and_dash(Footing::Production).await
}
