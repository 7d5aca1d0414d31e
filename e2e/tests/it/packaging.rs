//! What ffmpeg decodes from HLS and from DASH over HTTP equals the upload: every frame with its time, and the sound without
//! priming and added silence. For that nothing is stored but an index, of which a segment reads its own lines only.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod beyond;

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use futures_util::{StreamExt, TryStreamExt, stream};
use reelgate_common::{ids::OrgId, key::Key};
use reelgate_e2e::{
    client::{Client, Upload},
    process::Folder,
    sign_in::SignIn,
    site::{Footing, Site},
};

const PATIENCE: Duration = Duration::from_secs(300);
/// Films that ffmpeg decodes at the same time: one alone uses a fraction of a machine.
const AT_ONCE: usize = 3;
const VIDEO: &str = "-f lavfi -i testsrc2=size=320x180:rate=25:duration=9";
const NTSC: &str = "-f lavfi -i testsrc2=size=320x180:rate=30000/1001:duration=9";
const AUDIO: &str = "-f lavfi -i sine=frequency=440:duration=9:sample_rate=48000";
const CODECS: &str = "-c:v libx264 -preset veryfast -pix_fmt yuv420p -bf 3 -g 50 -c:a aac -ac 2";

/// Names and what ffmpeg makes them of.
fn recipes() -> [(&'static str, String); 8] {
    [
        ("moov_at_end.mp4", format!("{VIDEO} {AUDIO} {CODECS}")),
        ("quicktime.mov", format!("{VIDEO} {AUDIO} {CODECS}")),
        ("negative.mp4", format!("{NTSC} {AUDIO} {CODECS} -movflags +negative_cts_offsets+faststart")),
        ("longer.mp4", format!("{VIDEO} -f lavfi -i sine=frequency=440:duration=15:sample_rate=48000 {CODECS}")),
        ("shorter.mp4", format!("{VIDEO} -f lavfi -i sine=frequency=440:duration=5:sample_rate=48000 {CODECS}")),
        ("late_sound.mp4", format!("{VIDEO} -itsoffset 0.68 {AUDIO} {CODECS}")),
        ("late_video.mp4", format!("{AUDIO} -itsoffset 0.44 {VIDEO} {CODECS}")),
        ("varying.mp4", format!("{VIDEO} {AUDIO} -vf select='not(mod(n\\,7))+gt(mod(n\\,5)\\,2)' -vsync 0 {CODECS}")),
    ]
}

fn make(folder: &Folder, (name, arguments): &(&str, String)) -> Result<PathBuf> {
    let path = folder.path().join(name);
    let mut command = Command::new("ffmpeg");
    let status =
        command.args(["-nostdin", "-v", "error", "-y"]).args(arguments.split_whitespace()).arg(&path).status()?;
    ensure!(status.success(), "ffmpeg could not make {name}");
    Ok(path)
}

/// What ffmpeg makes of a track of an address or a file, its times left as they are.
fn decode(input: &str, map: &str, arguments: &[&str]) -> Result<Vec<u8>> {
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-v", "error", "-copyts", "-i", input, "-map", map]).args(arguments).arg("-");
    let output = command.output()?;
    ensure!(output.status.success(), "{input} {map}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(output.stdout)
}

/// Presentation time in microseconds and hash of every frame.
fn frames(input: &str, map: &str) -> Result<Vec<(i64, String)>> {
    let text = decode(input, map, &["-vsync", "0", "-enc_time_base", "-1", "-f", "framemd5"])?;
    let text = String::from_utf8(text)?;
    let base = text.lines().find_map(|line| line.strip_prefix("#tb 0: ")).context("no time base")?;
    let (num, den) = base.split_once('/').context("no time base")?;
    let (num, den): (i64, i64) = (num.parse()?, den.parse()?);
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let fields: Vec<&str> = line.split(',').map(str::trim).collect();
            let time: i64 = fields[2].parse()?;
            Ok(((time * 1_000_000 * num + den / 2).div_euclid(den), fields[5].to_owned()))
        })
        .collect()
}

/// Decoded sound: when it begins, in samples, and the samples of all channels.
struct Sound {
    first: i64,
    /// Bytes of a sample of all channels.
    width: usize,
    bytes: Vec<u8>,
}

impl Sound {
    fn of(input: &str, map: &str, (rate, channels): (i64, usize)) -> Result<Self> {
        let (first, _) = frames(input, map)?.first().cloned().context("no sound")?;
        let bytes = decode(input, map, &["-c:a", "pcm_s16le", "-f", "s16le"])?;
        Ok(Self { first: (first * rate + 500_000).div_euclid(1_000_000), width: 2 * channels, bytes })
    }

    fn end(&self) -> i64 {
        self.first + (self.bytes.len() / self.width) as i64
    }

    fn between(&self, from: i64, to: i64) -> &[u8] {
        &self.bytes[(from - self.first) as usize * self.width..(to - self.first) as usize * self.width]
    }
}

/// Rate and channels of a file's first sound, if there is one.
fn sound_of(input: &str) -> Result<Option<(i64, usize)>> {
    let show = ["-show_entries", "stream=sample_rate,channels", "-of", "csv=p=0", input];
    let output = Command::new("ffprobe").args(["-v", "error", "-select_streams", "a:0"]).args(show).output()?;
    let described = String::from_utf8(output.stdout)?;
    let described = described.trim().split_once(',');
    described.map(|(rate, channels)| Ok((rate.parse()?, channels.parse()?))).transpose()
}

/// The upload as it decodes from its own file.
struct Original {
    frames: Vec<(i64, String)>,
    sound: Option<((i64, usize), Sound)>,
}

impl Original {
    fn of(path: &Path) -> Result<Self> {
        let input = path.to_str().context("a plain name")?;
        let mut frames = frames(input, "0:v:0")?;
        // A film that begins late begins with a longer first frame instead.
        frames[0].0 = 0;
        let format = sound_of(input)?;
        let sound =
            format.map(|format| Ok::<_, anyhow::Error>((format, Sound::of(input, "0:a:0", format)?))).transpose()?;
        Ok(Self { frames, sound })
    }

    /// Compares with what is decoded from an address.
    fn compare(&self, address: &str) -> Result<()> {
        let got = frames(address, "0:v:0")?;
        ensure!(got.len() == self.frames.len(), "{address}: {} frames, not {}", got.len(), self.frames.len());
        for (n, (got, expected)) in got.iter().zip(&self.frames).enumerate() {
            ensure!((got.0 - expected.0).abs() <= 1, "{address}: frame {n} at {}, not {}", got.0, expected.0);
            ensure!(got.1 == expected.1, "{address}: frame {n} at {} is another", got.0);
        }
        let Some((format, expected)) = &self.sound else { return Ok(()) };
        let got = Sound::of(address, "0:a:0", *format)?;
        let (from, to) = (expected.first.max(0), expected.end());
        ensure!(got.first <= 0 && got.end() >= to, "{address}: sound from {} to {}, not {to}", got.first, got.end());
        ensure!(got.between(from, to) == expected.between(from, to), "{address}: the sound is another");
        Ok(())
    }
}

/// Uploads a file and compares what it decodes to by HLS and by DASH.
async fn play(site: &Site, path: &Path) -> Result<String> {
    let client = alice(site);
    let name = path.file_name().and_then(|name| name.to_str()).context("a plain name")?;
    let id = client.upload_one(Upload::file(name, "video/mp4", path)).await?;
    // It may have to wait for the rungs of those before it.
    let info = client.wait_until(&id, PATIENCE, |info| info["state"] == "ready" || info["state"] == "failed").await?;
    ensure!(info["state"] == "ready", "{name}: {info}");
    decodes_to(&client, &id, path, &["/master.m3u8", "/manifest.mpd"]).await?;
    Ok(id)
}

fn alice(site: &Site) -> Client {
    site.client().signed_in(SignIn::member("alice", "acme").jwt())
}

/// Compares what ffmpeg decodes from documents of a file with what it decodes from `path`.
async fn decodes_to(client: &Client, id: &str, path: &Path, documents: &'static [&'static str]) -> Result<()> {
    let film = path.to_owned();
    let original = Arc::new(tokio::task::spawn_blocking(move || Original::of(&film)).await??);
    for document in documents {
        // Each its own: on a busy machine minutes of film take longer to decode than a token lives.
        let token = client.stream_token(&serde_json::json!({})).await?;
        let (original, base, file) = (original.clone(), client.base().to_owned(), id.to_owned());
        let address = format!("{base}/v1/files/stream/{file}{document}?token={token}");
        let compared = tokio::task::spawn_blocking(move || original.compare(&address)).await?;
        compared.with_context(|| path.display().to_string())?;
    }
    Ok(())
}

async fn play_all(site: &Site, paths: &[PathBuf]) -> Result<()> {
    let plays = paths.iter().map(|path| play(site, path));
    stream::iter(plays).buffer_unordered(AT_ONCE).try_collect::<Vec<_>>().await.map(drop)
}

async fn start(footing: Footing) -> Result<Site> {
    // Rungs are not looked at here and should cost little. The source leads the variants, however heavy it is.
    let site = Site::builder(footing).env("REELGATE__LADDER__PRESET", "ultrafast");
    site.env("REELGATE__LADDER__MAX_SOURCE_BITRATE", "1000000000").start().await
}

async fn clips_decode_to_the_upload(footing: Footing) -> Result<()> {
    let folder = Folder::new("packaging")?;
    let site = start(footing).await?;
    let clips = recipes().iter().map(|recipe| make(&folder, recipe)).collect::<Result<Vec<_>>>()?;
    play_all(&site, &clips).await?;
    // Nothing in all this was packaged ahead or kept.
    let stored = site.stored("media/").await?;
    let names: BTreeSet<&str> = stored.iter().filter_map(|key| Path::new(key).file_name()?.to_str()).collect();
    let is_image = |name: &str| name.ends_with(".jpg") || name.ends_with(".webp");
    let kinds: BTreeSet<&str> = names.iter().filter(|name| !is_image(name)).copied().collect();
    assert_eq!(kinds, BTreeSet::from(["head.mp4", "source", "source.index"]), "{names:?}");
    Ok(())
}

/// What the index cost so far: reads and bytes.
async fn index_reads(site: &Site) -> Result<(u64, u64)> {
    let answer = Client::new(site.gateways[0].ops_url()).get("/metrics").await?.expect(200)?;
    let text = String::from_utf8(answer.body.to_vec())?;
    let value = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
        line.unwrap_or(0)
    };
    Ok((value("reelgate_index_reads_total "), value("reelgate_index_read_bytes_total ")))
}

async fn a_segment_reads_its_lines_of_the_index_only(footing: Footing) -> Result<()> {
    let folder = Folder::new("packaging")?;
    let site = start(footing).await?;
    let path = make(&folder, &recipes()[0])?;
    let client = alice(&site);
    let id = client.upload_one(Upload::file("film.mp4", "video/mp4", &path)).await?;
    client.wait_settled(&id, PATIENCE).await?;
    let token = client.stream_token(&serde_json::json!({})).await?;
    let master = client.get(&format!("/v1/files/stream/{id}/master.m3u8?token={token}")).await?.expect(200)?;
    let master = String::from_utf8(master.body.to_vec())?;
    let video = master.lines().rfind(|line| !line.starts_with('#')).context("a variant")?;
    let folder = format!("/v1/files/stream/{id}/{}", video.trim_end_matches("0/index.m3u8"));
    for track in 0..2 {
        client.get(&format!("{folder}{track}/init.mp4")).await?.expect(200)?;
    }
    assert_eq!(index_reads(&site).await?, (0, 0), "master playlist and init segments are made of the row");

    let mut segments = 0;
    for track in 0..2 {
        for n in 0.. {
            let before = index_reads(&site).await?;
            let answer = client.get(&format!("{folder}{track}/{n}.m4s")).await?;
            if answer.status == 404 {
                break;
            }
            answer.expect(200)?;
            let after = index_reads(&site).await?;
            // The first one of a track reads its neighbours' entries with its own.
            assert_eq!(after.0 - before.0, if n == 0 { 2 } else { 1 }, "track {track}, segment {n}");
            assert!(after.1 - before.1 <= 64 << 10, "track {track}, segment {n}: {} bytes", after.1 - before.1);
            segments += 1;
        }
    }
    assert_eq!(segments, 2 * 5);
    // Together exactly the index without its name and version: no byte was read twice or beside.
    let stored = site.stored("media/").await?;
    let index = stored.iter().find(|key| key.ends_with("source.index")).context("an index")?;
    let attempt = index.rsplit('/').nth(1).and_then(|text| text.parse().ok()).context("an attempt")?;
    let generation = index.rsplit('/').nth(2).and_then(|text| text.parse().ok()).context("a generation")?;
    let (org, file) = (OrgId::new("acme"), id.parse()?);
    let key = Key::Output { org, file, generation, attempt, name: "source.index".to_owned() };
    let size = site.storage()?.head(&key).await?.size;
    assert_eq!(index_reads(&site).await?.1, size - 8);
    Ok(())
}

fn corpus() -> Option<PathBuf> {
    std::env::var_os("REELGATE_CORPUS").map(PathBuf::from).filter(|path| path.is_dir())
}

/// The segment-safe files of the corpus, as the packager's own tests list them.
const SEGMENT_SAFE: [&str; 9] = [
    "attached_pic.mp4",
    "cam_1080p_5s_aac.mp4",
    "cam_singer_720p_15s.mp4",
    "data_streams.mp4",
    "film_earth_720p_30s.mov",
    "gopro_karma_480p_gpmd.mp4",
    "long_6min_1080p_lowbitrate.mp4",
    "two_video_two_audio_movtext.mp4",
    "vfr_screenrec_3026x1386.mp4",
];

async fn the_corpus_decodes_to_the_uploads(footing: Footing) -> Result<()> {
    let Some(corpus) = corpus() else { return Ok(()) };
    let site = start(footing).await?;
    play_all(&site, &SEGMENT_SAFE.map(|name| corpus.join(name))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn clips_decode_to_the_upload_embedded() -> Result<()> {
    clips_decode_to_the_upload(Footing::Embedded).await
}

#[tokio::test(flavor = "multi_thread")]
async fn clips_decode_to_the_upload_in_production() -> Result<()> {
    clips_decode_to_the_upload(Footing::Production).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_segment_reads_its_lines_of_the_index_only_embedded() -> Result<()> {
    a_segment_reads_its_lines_of_the_index_only(Footing::Embedded).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_segment_reads_its_lines_of_the_index_only_in_production() -> Result<()> {
    a_segment_reads_its_lines_of_the_index_only(Footing::Production).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_corpus_decodes_to_the_uploads_embedded() -> Result<()> {
    the_corpus_decodes_to_the_uploads(Footing::Embedded).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_corpus_decodes_to_the_uploads_in_production() -> Result<()> {
    the_corpus_decodes_to_the_uploads(Footing::Production).await
}
