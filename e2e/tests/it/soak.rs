//! A long load of everything at once on the production footing: viewers, players of HLS, uploaders, people who look at lists, and one who
//! asks far too often. Memory must stay flat, and nothing but the named 429 and 503 may be refused. By `make soak`; `SOAK_MINUTES` says how
//! long, `SOAK_SHARE` how many clients in proportion to 50 gateways with 1,000 viewers each (in thousandths).
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]
#![allow(clippy::print_stdout, reason = "the figures are wanted, not only that they are met")]

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use http::{Method, header::RANGE};
use reelgate_e2e::{
    client::{Answer, Client, Upload},
    film::Film,
    process::Folder,
    sign_in::SignIn,
    site::{Footing, Site},
};
use serde_json::json;
use tokio::{task::JoinSet, time::sleep};

const VIEWERS: usize = 50_000;
/// What a viewer asks for at a time, and how often: 256 kB/s.
const PIECE: u64 = 256 << 10;
const PACE: Duration = Duration::from_secs(1);
/// Beyond what the allocator keeps of bursts.
const GROWTH_KIB: u64 = 32 << 10;

/// Latencies in microseconds by what was asked and what was answered.
#[derive(Default, Clone)]
struct Record(Arc<Mutex<Times>>);

/// By what was asked and how it was answered.
type Times = BTreeMap<(&'static str, String), Vec<u32>>;

impl Record {
    async fn take(&self, what: &'static str, asked: impl Future<Output = Result<Answer>>) -> Option<Answer> {
        let begun = Instant::now();
        let answer = asked.await;
        let said = match &answer {
            Ok(answer) if answer.status.is_success() => "ok".to_owned(),
            Ok(answer) if answer.headers.contains_key("retry-after") => format!("{} {}", answer.status, answer.code()),
            Ok(answer) => format!("WRONG {} {}", answer.status, answer.code()),
            Err(error) => format!("WRONG {error:#}"),
        };
        let took = u32::try_from(begun.elapsed().as_micros()).unwrap_or(u32::MAX);
        self.0.lock().unwrap().entry((what, said)).or_default().push(took);
        answer.ok().filter(|answer| answer.status.is_success())
    }

    fn print(&self) -> Vec<String> {
        let mut all = self.0.lock().unwrap();
        for ((what, said), times) in all.iter_mut() {
            times.sort_unstable();
            let at = |share: f64| f64::from(times[((times.len() - 1) as f64 * share) as usize]) / 1_000.0;
            println!("{what:10} {said:40} {:8}  p50 {:8.1} ms  p99 {:8.1} ms", times.len(), at(0.5), at(0.99));
        }
        let named = |said: &String| said == "ok" || said.starts_with("429 ") || said.starts_with("503 ");
        all.keys().filter(|(_, said)| !named(said)).map(|(what, said)| format!("{what}: {said}")).collect()
    }
}

fn setting(name: &str, default: f64) -> f64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// What all clients know.
#[derive(Clone)]
struct Scene {
    record: Record,
    gateways: Vec<Client>,
    film: String,
    length: u64,
    end: Instant,
}

impl Scene {
    fn goes_on(&self) -> bool {
        Instant::now() < self.end
    }

    fn client(&self, n: usize, user: &str) -> Client {
        self.gateways[n % self.gateways.len()].signed_in(SignIn::member(user, "acme").jwt())
    }

    async fn token(&self, client: &Client) -> Option<String> {
        let answer = self.record.take("mint", client.post_json("/v1/files/token", &json!({}))).await?;
        Some(answer.json().ok()?["token"].as_str()?.to_owned())
    }

    /// Walks through the film at its pace, and begins anew with a new token.
    async fn view(self, n: usize) {
        let client = self.client(n, &format!("viewer{n}"));
        // Not all in the same moment.
        sleep(PACE.mul_f64((n % 100) as f64 / 100.0)).await;
        while self.goes_on() {
            let Some(token) = self.token(&client).await else {
                sleep(PACE).await;
                continue;
            };
            let path = format!("/v1/files/stream/{}?token={token}", self.film);
            let mut at = 0;
            while at < self.length && self.goes_on() {
                let range = format!("bytes={at}-{}", at + PIECE - 1);
                let next = Instant::now() + PACE;
                self.record
                    .take(
                        "range",
                        self.gateways[n % self.gateways.len()].send(Method::GET, &path, &[(RANGE, &range)], ""),
                    )
                    .await;
                at += PIECE;
                sleep(next.saturating_duration_since(Instant::now())).await;
            }
        }
    }

    /// Master, media playlist and the segments of one rung, over and over.
    async fn play(self, n: usize) {
        let client = self.client(n, &format!("player{n}"));
        let folder = format!("/v1/files/stream/{}", self.film);
        while self.goes_on() {
            sleep(PACE).await;
            let Some(token) = self.token(&client).await else { continue };
            let nobody = &self.gateways[n % self.gateways.len()];
            let Some(master) =
                self.record.take("master", nobody.get(&format!("{folder}/master.m3u8?token={token}"))).await
            else {
                continue;
            };
            let Some(media) = first_line(&master) else { continue };
            let Some(list) = self.record.take("playlist", nobody.get(&format!("{folder}/{media}"))).await else {
                continue;
            };
            let (below, _) = media.rsplit_once('/').unwrap_or_default();
            let list = String::from_utf8_lossy(&list.body).into_owned();
            for segment in list.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
                self.record.take("segment", nobody.get(&format!("{folder}/{below}/{segment}"))).await;
                sleep(PACE).await;
            }
        }
    }

    async fn upload(self, n: usize) {
        let client = self.client(n, &format!("uploader{n}"));
        while self.goes_on() {
            let files = vec![Upload::bytes("notes.bin", "application/octet-stream", vec![7; 3 << 20])];
            if let Some(answer) = self.record.take("upload", client.post_files("/v1/files", files)).await
                && let Some(id) = answer.json().ok().and_then(|json| Some(json["files"][0]["id"].as_str()?.to_owned()))
            {
                self.record.take("info", client.get(&format!("/v1/files/{id}/info"))).await;
                self.record.take("delete", client.delete(&format!("/v1/files/{id}"))).await;
            }
            sleep(PACE).await;
        }
    }

    async fn look(self, n: usize) {
        let client = self.client(n, &format!("reader{n}"));
        while self.goes_on() {
            self.record.take("list", client.get("/v1/files?limit=50")).await;
            sleep(PACE).await;
        }
    }

    /// Never waits.
    async fn nag(self) {
        let client = self.client(0, "nagger");
        while self.goes_on() {
            self.record.take("nag", client.get("/v1/files?limit=1")).await;
        }
    }
}

fn first_line(answer: &Answer) -> Option<String> {
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    text.lines().find(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned)
}

fn memory(site: &Site) -> Result<Vec<u64>> {
    site.gateways.iter().map(|gateway| gateway.process.status_kib("VmRSS")).collect()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "minutes long: make soak"]
async fn a_long_load_of_everything_leaves_memory_flat_and_refuses_only_by_name() -> Result<()> {
    let minutes = setting("SOAK_MINUTES", 10.0);
    let viewers = (VIEWERS as f64 * setting("SOAK_SHARE", 8.0) / 1_000.0) as usize;
    let folder = Folder::new("soak")?;
    let path = Film { seconds: 30, ..Film::default() }.make(folder.path())?;
    let site = Site::builder(Footing::Production)
        .gateways(2)
        .env("REELGATE__HTTP__REQUESTS_PER_SECOND", "20")
        .env("REELGATE__HTTP__REQUEST_BURST", "100")
        .env("REELGATE__LOG__LEVEL", "warn")
        .start()
        .await?;
    let alice = site.client().signed_in(SignIn::member("alice", "acme").jwt());
    let film = alice.upload_one(Upload::file("film.mp4", "video/mp4", &path)).await?;
    alice.wait_settled(&film, Duration::from_secs(300)).await.with_context(|| site.output())?;

    let whole = Duration::from_secs_f64(minutes * 60.0);
    let gateways = site.gateways.iter().map(|gateway| gateway.client()).collect();
    let (record, length, end) = (Record::default(), std::fs::metadata(&path)?.len(), Instant::now() + whole);
    let scene = Scene { record: record.clone(), gateways, film, length, end };
    let mut clients = JoinSet::new();
    (0..viewers).for_each(|n| _ = clients.spawn(scene.clone().view(n)));
    (0..viewers.div_ceil(10)).for_each(|n| _ = clients.spawn(scene.clone().play(n)));
    (0..viewers.div_ceil(50)).for_each(|n| _ = clients.spawn(scene.clone().upload(n)));
    (0..viewers.div_ceil(20)).for_each(|n| _ = clients.spawn(scene.clone().look(n)));
    clients.spawn(scene.clone().nag());

    sleep(whole.mul_f64(0.3)).await;
    let warm = memory(&site)?;
    let mut highest = warm.clone();
    while scene.goes_on() {
        sleep(Duration::from_secs(5)).await;
        highest = highest.iter().zip(memory(&site)?).map(|(highest, now)| now.max(*highest)).collect();
    }
    clients.join_all().await;
    println!(
        "{minutes} minutes, {viewers} viewers; gateways took {warm:?} KiB after 30 % of it and at most {highest:?} after that"
    );
    let wrong = record.print();
    ensure!(wrong.is_empty(), "{wrong:#?}");
    ensure!(highest.iter().zip(&warm).all(|(highest, warm)| highest < &(warm + GROWTH_KIB)), "memory grows");
    Ok(())
}
