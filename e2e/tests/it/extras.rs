//! What is made beside what plays, on both footings: poster, thumbnails, storyboard and preview hold the pictures of their
//! times, captions the words of the source or of whoever added them, the waveform the peaks of a known tone.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use futures_util::future::join_all;
use http::{Method, header};
use reelgate_common::{
    ids::{FileId, OrgId},
    job::{JobKind, JobState},
};
use reelgate_e2e::{
    client::{Answer, Client, Upload},
    process::{Folder, eventually},
    sign_in::SignIn,
    site::{Footing, Site, web_safe_clip},
};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(300);
/// Two seconds each; the film begins dark.
const COLOURS: [&str; 6] = ["black", "red", "lime", "blue", "yellow", "gray"];
/// What a mean may differ by after two lossy encodings and two conversions.
const NEAR: i32 = 14;

/// Twelve seconds of plain colours, but for a pattern in the blue ones, with words in three languages and kinds.
fn film(folder: &Folder) -> Result<PathBuf> {
    let path = folder.path().join("film.mkv");
    let (english, german) = (folder.path().join("en.srt"), folder.path().join("de.ass"));
    std::fs::write(
        &english,
        "1\n00:00:01,000 --> 00:00:03,000\n<i>Hello</i> & welcome\n\n2\n00:00:04,000 --> 00:00:05,500\nBye\n",
    )?;
    std::fs::write(
        &german,
        "[Script Info]\nScriptType: v4.00+\n\n[V4+ Styles]\nFormat: Name, Fontname\nStyle: Default,Arial\n\n[Events]\n\
         Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n\
         Dialogue: 0,0:00:01.00,0:00:03.00,Default,,0,0,0,,{\\i1}Hallo{\\i0}, ihr\\NLieben\n",
    )?;
    let sources: Vec<String> = COLOURS
        .iter()
        .enumerate()
        .map(|(number, colour)| match *colour {
            "blue" => format!("testsrc2=s=640x360:r=25:d=2,format=yuv420p,setsar=1[v{number}]"),
            colour => format!("color=c={colour}:s=640x360:r=25:d=2,format=yuv420p,setsar=1[v{number}]"),
        })
        .collect();
    let inputs: String = (0..COLOURS.len()).map(|number| format!("[v{number}]")).collect();
    let graph = format!("{};{inputs}concat=n={}:v=1[out0]", sources.join(";"), COLOURS.len());
    let status = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-y", "-f", "lavfi", "-i", &graph])
        .arg("-i")
        .arg(&english)
        .arg("-i")
        .arg(&german)
        .args(["-map", "0:v", "-map", "1", "-map", "2", "-c:v", "mpeg4", "-q:v", "2", "-c:s:0", "srt", "-c:s:1", "ass"])
        .args(["-metadata:s:s:0", "language=eng", "-metadata:s:s:1", "language=ger"])
        .arg(&path)
        .status()?;
    ensure!(status.success(), "ffmpeg could not make the film");
    Ok(path)
}

/// The mean colour of a part (`crop=…`, `null`) of the first picture from a time on.
fn mean(path: &Path, seconds: f64, part: &str) -> Result<[i32; 3]> {
    let from = seconds.to_string();
    // A still cannot be sought in.
    let seek: &[&str] = if seconds > 0.0 { &["-ss", &from] } else { &[] };
    let output = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error"])
        .args(seek)
        .arg("-i")
        .arg(path)
        .args([
            "-vf",
            &format!("{part},scale=1:1:flags=area"),
            "-frames:v",
            "1",
            "-pix_fmt",
            "rgb24",
            "-f",
            "rawvideo",
            "-",
        ])
        .output()?;
    let [red, green, blue] = output.stdout[..] else {
        anyhow::bail!("no picture in {} at {seconds}: {}", path.display(), String::from_utf8_lossy(&output.stderr))
    };
    Ok([red.into(), green.into(), blue.into()])
}

fn are_near(one: [i32; 3], other: [i32; 3]) -> bool {
    one.iter().zip(other).all(|(one, other)| (one - other).abs() <= NEAR)
}

fn said(answer: &Answer, name: header::HeaderName) -> &str {
    answer.headers.get(name).map_or("", |value| value.to_str().unwrap_or_default())
}

/// A site with the film, processed, and what one needs to look at it.
struct Stage {
    site: Site,
    folder: Folder,
    film: PathBuf,
    alice: Client,
    /// Has nothing but a token for images.
    viewer: Client,
    id: String,
    token: String,
}

impl Stage {
    async fn set(footing: Footing) -> Result<Self> {
        let folder = Folder::new("extras")?;
        let film = film(&folder)?;
        let site = Site::builder(footing).env("REELGATE__THUMBNAILS__WAIT_MS", "30000").start().await?;
        let alice = site.client().signed_in(SignIn::member("alice", "acme").jwt());
        let id = alice.upload_one(Upload::file("film.mkv", "video/x-matroska", &film)).await?;
        alice.wait_settled(&id, PATIENCE).await?;
        let token = alice.stream_token(&json!({"scope": ["image"]})).await?;
        let viewer = site.client();
        Ok(Self { site, folder, film, alice, viewer, id, token })
    }

    fn path(&self, below: &str) -> String {
        let joint = if below.contains('?') { '&' } else { '?' };
        format!("/v1/files/{}/{below}{joint}token={}", self.id, self.token)
    }

    async fn image(&self, below: &str, content_type: &str) -> Result<PathBuf> {
        let answer = self.viewer.get(&self.path(below)).await?.expect(200).with_context(|| below.to_owned())?;
        assert_eq!(said(&answer, header::CONTENT_TYPE), content_type, "{below}");
        assert_eq!(said(&answer, header::X_CONTENT_TYPE_OPTIONS), "nosniff", "{below}");
        let path = self.folder.path().join("image");
        std::fs::write(&path, &answer.body)?;
        Ok(path)
    }

    /// Nobody would choose the dark beginning.
    async fn the_poster_tells_something(&self) -> Result<()> {
        let poster = self.image("poster", "image/jpeg").await?;
        assert!(
            are_near(mean(&poster, 0.0, "null")?, mean(&self.film, 6.5, "null")?),
            "the poster is no picture of the pattern"
        );
        Ok(())
    }

    async fn thumbnails_show_their_time(&self) -> Result<()> {
        for (second, width, format) in [(0, 160, "jpeg"), (3, 320, "webp"), (6, 640, "png"), (11, 1280, "jpeg")] {
            let below = format!("thumbnail?t={second}.7&w={width}&format={format}");
            let image = self.image(&below, &format!("image/{format}")).await?;
            let (shown, wanted) = (mean(&image, 0.0, "null")?, mean(&self.film, f64::from(second), "null")?);
            assert!(are_near(shown, wanted), "{below}: {shown:?}, not {wanted:?}");
        }
        Ok(())
    }

    async fn a_hundred_who_ask_for_one_make_one_job(&self) -> Result<()> {
        let before = self.thumbnail_attempts().await?;
        let path = self.path("thumbnail?t=5&w=320&format=jpeg");
        let answers = join_all((0..100).map(|_| self.viewer.get(&path))).await;
        let bodies: Vec<Bytes> =
            answers.into_iter().map(|answer| Ok(answer?.expect(200)?.body)).collect::<Result<_>>()?;
        assert!(bodies.iter().all(|body| *body == bodies[0]));
        assert_eq!(self.thumbnail_attempts().await?, before + 1);
        // And those who come later make none.
        self.viewer.get(&path).await?.expect(200)?;
        assert_eq!(self.thumbnail_attempts().await?, before + 1);
        Ok(())
    }

    /// Runs of the file's one thumbnail job, when it is done.
    async fn thumbnail_attempts(&self) -> Result<i64> {
        let (db, file): (_, FileId) = (self.site.database().await?, self.id.parse()?);
        let mut attempts = None;
        eventually("the thumbnail job is done", PATIENCE, async || {
            let jobs = db.jobs_of(&OrgId::new("acme"), file).await.unwrap_or_default();
            let mut jobs = jobs.into_iter().filter(|job| job.kind == JobKind::Thumbnail);
            attempts = jobs.next().filter(|job| job.state == JobState::Done).map(|job| job.attempt);
            attempts.is_some() && jobs.next().is_none()
        })
        .await?;
        attempts.context("no thumbnail job")
    }

    async fn wrong_parameters_are_told_as_fastapi_does(&self) -> Result<()> {
        let answer = self.viewer.get(&self.path("thumbnail?w=wide&format=gif")).await?.expect(422)?.json()?;
        let told: Vec<(&Value, &Value)> =
            answer["detail"].as_array().unwrap().iter().map(|wrong| (&wrong["loc"][1], &wrong["type"])).collect();
        let expected = [("t", "missing"), ("w", "int_parsing"), ("format", "enum")].map(|(a, b)| (json!(a), json!(b)));
        assert_eq!(told, expected.iter().map(|(a, b)| (a, b)).collect::<Vec<_>>());
        self.viewer.get(&self.path("thumbnail?t=13")).await?.expect(422)?;
        Ok(())
    }

    async fn tiles_show_their_times(&self) -> Result<()> {
        let board = self.viewer.get(&self.path("storyboard.json")).await?.expect(200)?.json()?;
        assert_eq!((&board["interval_ms"], board["tiles"].as_array().unwrap().len()), (&json!(1_000), 12));
        let sheet = board["sheets"][0].as_str().unwrap();
        ensure!(sheet.starts_with("storyboard-1.jpg?token="), "{sheet}");
        let answer = self.viewer.get(&format!("/v1/files/{}/{sheet}", self.id)).await?.expect(200)?;
        let path = self.folder.path().join("sheet.jpg");
        std::fs::write(&path, &answer.body)?;
        for tile in board["tiles"].as_array().unwrap() {
            let start = tile["start_ms"].as_f64().unwrap() / 1_000.0;
            let crop = format!("crop={}:{}:{}:{}", board["tile_width"], board["tile_height"], tile["x"], tile["y"]);
            let (shown, wanted) = (mean(&path, 0.0, &crop)?, mean(&self.film, start, "null")?);
            assert!(are_near(shown, wanted), "the tile of {start} s: {shown:?}, not {wanted:?}");
        }
        let cues = self.viewer.get(&self.path("storyboard.vtt")).await?.expect(200)?;
        assert_eq!(said(&cues, header::CONTENT_TYPE), "text/vtt; charset=utf-8");
        let text = String::from_utf8(cues.body.to_vec())?;
        assert_eq!(text.matches(&format!("\n{sheet}#xywh=")).count(), 12, "{text}");
        let tag = said(&Answer { body: Bytes::new(), ..cues }, header::ETAG).to_owned();
        let again = [(header::IF_NONE_MATCH, tag.as_str())];
        self.viewer.send(Method::GET, &self.path("storyboard.vtt"), &again, "").await?.expect(304)?;
        // Who is signed in adds no token, and is given none.
        let own = self.alice.get(&format!("/v1/files/{}/storyboard.vtt", self.id)).await?.expect(200)?;
        assert!(String::from_utf8_lossy(&own.body).contains("\nstoryboard-1.jpg#xywh=0,0,160,90\n"));
        Ok(())
    }

    async fn the_preview_moves(&self) -> Result<()> {
        let preview = self.viewer.get(&self.path("preview")).await?.expect(200)?;
        assert_eq!(said(&preview, header::CONTENT_TYPE), "image/webp");
        let pictures = preview.body.windows(4).filter(|window| *window == b"ANMF").count();
        assert!((3..=24).contains(&pictures), "{pictures} pictures");
        Ok(())
    }

    async fn words_of_the_source_are_captions(&self) -> Result<()> {
        let words = async |name: &str| {
            let answer = self.alice.get(&format!("/v1/files/{}/captions/{name}.vtt", self.id)).await?.expect(200)?;
            assert_eq!(said(&answer, header::CONTENT_TYPE), "text/vtt; charset=utf-8");
            anyhow::Ok(String::from_utf8(answer.body.to_vec())?)
        };
        assert_eq!(
            words("en").await?,
            "WEBVTT\n\n00:00:01.000 --> 00:00:03.000\n<i>Hello</i> &amp; welcome\n\n\
             00:00:04.000 --> 00:00:05.500\nBye\n"
        );
        assert_eq!(words("ger").await?, "WEBVTT\n\n00:00:01.000 --> 00:00:03.000\nHallo, ihr\nLieben\n");
        Ok(())
    }

    async fn people_add_replace_and_remove_captions(&self) -> Result<()> {
        let root = format!("/v1/files/{}/captions", self.id);
        let post = async |query: &str, body: &'static str| {
            let headers = [(header::CONTENT_TYPE, "application/x-subrip")];
            self.alice.send(Method::POST, &format!("{root}?{query}"), &headers, body).await
        };
        let added =
            post("language=fr&label=Fran%C3%A7ais&default=true", "1\n00:00:00,500 --> 00:00:02,000\nBonjour\n").await?;
        let added = added.expect(200)?.json()?;
        assert_eq!(
            (&added["language"], &added["label"], &added["default"]),
            (&json!("fr"), &json!("Français"), &json!(true))
        );
        post("language=fr&label=Fran%C3%A7ais&default=true", "WEBVTT\n\n00:01.000 --> 00:02.000\nSalut\n")
            .await?
            .expect(200)?;
        let url = added["url"].as_str().unwrap();
        let salut = self.alice.get(url).await?.expect(200)?;
        assert_eq!(salut.body, "WEBVTT\n\n00:00:01.000 --> 00:00:02.000\nSalut\n");
        let listed = self.alice.info(&self.id).await?;
        let french = listed["renditions"].as_array().unwrap().iter().filter(|one| one["name"] == "captions-fr").count();
        assert_eq!(french, 1, "{listed}");
        for (query, body, status) in [
            ("language=fr", "<html>", 422),
            ("language=../x", "WEBVTT\n\n00:01.000 --> 00:02.000\nx\n", 422),
            ("", "WEBVTT\n\n00:01.000 --> 00:02.000\nx\n", 422),
        ] {
            post(query, body).await?.expect(status)?;
        }
        self.players_offer("Français", "Salut").await?;
        self.alice.delete(url).await?.expect(200)?;
        eventually("every gateway has noticed", Duration::from_secs(10), async || {
            self.alice.get(url).await.is_ok_and(|answer| answer.status == 404)
        })
        .await?;
        // What the source brought cannot be removed, only hidden by something better.
        self.alice.delete(&format!("{root}/eng.vtt")).await?.expect(404)?;
        eventually("what was replaced and removed is gone from the store", Duration::from_secs(10), async || {
            let stored = self.site.stored("media/").await.unwrap_or_default();
            !stored.iter().any(|key| key.contains("/captions/"))
        })
        .await
    }

    /// HLS and DASH list the words, and what HLS lists is there.
    async fn players_offer(&self, label: &str, word: &str) -> Result<()> {
        let token = self.alice.stream_token(&json!({"scope": ["play"]})).await?;
        let path = |name: &str| format!("/v1/files/stream/{}/{name}?token={token}", self.id);
        let mut master = String::new();
        eventually("the master playlist has noticed", Duration::from_secs(10), async || {
            let answer = self.viewer.get(&path("master.m3u8")).await;
            master = answer.map(|answer| String::from_utf8_lossy(&answer.body).into_owned()).unwrap_or_default();
            master
                .contains(&format!("TYPE=SUBTITLES,GROUP-ID=\"captions\",NAME=\"{label}\",LANGUAGE=\"fr\",DEFAULT=YES"))
        })
        .await
        .with_context(|| master.clone())?;
        assert!(master.contains("SUBTITLES=\"captions\""), "{master}");
        let manifest = self.viewer.get(&path("manifest.mpd")).await?.expect(200)?;
        let manifest = String::from_utf8(manifest.body.to_vec())?;
        assert_eq!(manifest.matches("contentType=\"text\" mimeType=\"text/vtt\"").count(), 3, "{manifest}");
        // The playlist of the document, and the document beside it.
        let line = master.lines().find(|line| line.contains("LANGUAGE=\"fr\"")).context("no line")?;
        let playlist = line.split("URI=\"").nth(1).and_then(|rest| rest.split('"').next()).context("no address")?;
        let below = |name: &str| format!("/v1/files/stream/{}/{name}", self.id);
        let listed = self.viewer.get(&below(playlist)).await?.expect(200)?;
        let listed = String::from_utf8(listed.body.to_vec())?;
        assert!(listed.contains("#EXTINF:12.") && listed.ends_with("\ncaptions.vtt\n#EXT-X-ENDLIST\n"), "{listed}");
        let document =
            self.viewer.get(&below(&playlist.replace("captions.m3u8", "captions.vtt"))).await?.expect(200)?;
        assert_eq!(document.body, format!("WEBVTT\n\n00:00:01.000 --> 00:00:02.000\n{word}\n"));
        Ok(())
    }

    async fn nothing_is_left_of_it(&self) -> Result<()> {
        self.alice.delete(&format!("/v1/files/{}", self.id)).await?.expect(200)?;
        eventually("all objects are gone", Duration::from_secs(30), async || {
            self.site.stored("media/").await.is_ok_and(|stored| stored.is_empty())
        })
        .await
    }
}

async fn all_extras(footing: Footing) -> Result<()> {
    let stage = Stage::set(footing).await?;
    stage.the_poster_tells_something().await?;
    stage.thumbnails_show_their_time().await?;
    stage.a_hundred_who_ask_for_one_make_one_job().await?;
    stage.wrong_parameters_are_told_as_fastapi_does().await?;
    stage.tiles_show_their_times().await?;
    stage.the_preview_moves().await?;
    stage.words_of_the_source_are_captions().await?;
    stage.people_add_replace_and_remove_captions().await?;
    stage.nothing_is_left_of_it().await
}

#[tokio::test(flavor = "multi_thread")]
async fn pictures_words_and_thumbnails_are_those_of_the_film_embedded() -> Result<()> {
    all_extras(Footing::Embedded).await
}

#[tokio::test(flavor = "multi_thread")]
async fn pictures_words_and_thumbnails_are_those_of_the_film_in_production() -> Result<()> {
    all_extras(Footing::Production).await
}

/// A tone of half the loudest, then silence.
fn tone(folder: &Folder) -> Result<PathBuf> {
    let path = folder.path().join("tone.wav");
    let status = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-y", "-f", "lavfi", "-i"])
        .arg("aevalsrc=if(lt(t\\,2)\\,0.5*sin(440*2*PI*t)\\,0):s=48000:d=4")
        .arg(&path)
        .status()?;
    ensure!(status.success(), "ffmpeg could not make the tone");
    Ok(path)
}

async fn peaks_of_a_tone(footing: Footing) -> Result<()> {
    let folder = Folder::new("waveform")?;
    let site = Site::start(footing).await?;
    let alice = site.client().signed_in(SignIn::member("alice", "acme").jwt());
    let id = alice.upload_one(Upload::file("tone.wav", "audio/wav", tone(&folder)?)).await?;
    alice.wait_settled(&id, PATIENCE).await?;
    let answer = alice.get(&format!("/v1/files/{id}/waveform.json")).await?.expect(200)?;
    assert_eq!(said(&answer, header::CONTENT_TYPE), "application/json");
    let waveform = answer.json()?;
    let peaks: Vec<i64> = waveform["data"].as_array().unwrap().iter().filter_map(Value::as_i64).collect();
    assert_eq!((peaks.len() as u64, &waveform["bits"]), (2 * waveform["length"].as_u64().unwrap(), &json!(8)));
    let lasts = waveform["length"].as_f64().unwrap() * waveform["samples_per_pixel"].as_f64().unwrap() / 48_000.0;
    assert!((3.9..4.2).contains(&lasts), "{lasts} s");
    let stretch = |from: f64, to: f64| {
        let at = |second: f64| (second / lasts * waveform["length"].as_f64().unwrap()) as usize;
        &peaks[2 * at(from)..2 * at(to)]
    };
    // Half of 127, give or take the resampler.
    assert!(
        stretch(0.1, 1.9).chunks(2).all(|peak| (-67..=-60).contains(&peak[0]) && (60..=67).contains(&peak[1])),
        "{peaks:?}"
    );
    assert!(stretch(2.1, 3.9).iter().all(|peak| peak.abs() <= 1), "{peaks:?}");
    // Sound alone plays by HLS, too.
    let token = alice.stream_token(&json!({})).await?;
    let master = site.client().get(&format!("/v1/files/stream/{id}/master.m3u8?token={token}")).await?.expect(200)?;
    assert!(String::from_utf8_lossy(&master.body).contains("CODECS=\"mp4a.40.2\""));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waveform_has_the_peaks_of_its_tone_embedded() -> Result<()> {
    peaks_of_a_tone(Footing::Embedded).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waveform_has_the_peaks_of_its_tone_in_production() -> Result<()> {
    peaks_of_a_tone(Footing::Production).await
}

/// Who may not wait is told when to come back, and then it is there.
#[tokio::test(flavor = "multi_thread")]
async fn a_thumbnail_that_takes_longer_is_503_first() -> Result<()> {
    let folder = Folder::new("patience")?;
    let site = Site::builder(Footing::Embedded).env("REELGATE__THUMBNAILS__WAIT_MS", "0").start().await?;
    let alice = site.client().signed_in(SignIn::member("alice", "acme").jwt());
    let id = alice.upload_one(Upload::file("clip.mp4", "video/mp4", web_safe_clip(&folder)?)).await?;
    alice.wait_settled(&id, PATIENCE).await?;
    let path = format!("/v1/files/{id}/thumbnail?t=0");
    let pending = alice.get(&path).await?.expect(503)?;
    assert_eq!((pending.code().as_str(), said(&pending, header::RETRY_AFTER)), ("thumbnail_pending", "2"));
    eventually("the thumbnail is there", PATIENCE, async || {
        alice.get(&path).await.is_ok_and(|answer| answer.status == 200)
    })
    .await
}
