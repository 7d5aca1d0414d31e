//! `reelgate bench`: every figure is there and none is nothing, whatever it is; and nothing stays, also when it is stopped half-way. No
//! figure is asserted: they are those of a busy machine.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::{collections::BTreeSet, process::Command, time::Duration};

use anyhow::{Context, Result, ensure};
use reelgate_e2e::{
    process::{Folder, Launch, eventually},
    site::{Footing, Site, program},
};
use rustix::process::Signal;
use sea_orm::{ConnectionTrait, Statement};
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(300);
const FIGURES: [&str; 11] = [
    "claims",
    "commit_latency",
    "commits",
    "encode_all_cores",
    "encode_one_core",
    "store_read",
    "store_small_read_latency",
    "store_small_write_latency",
    "store_write",
    "stream",
    "upload",
];

/// What may have something left after it.
struct Places<'a> {
    site: &'a mut Site,
    temporary: Folder,
}

impl Places<'_> {
    /// With the site's services; a data folder on the embedded footing. Temporary folders of its own.
    fn launch(&mut self, name: &str) -> Result<Launch> {
        let environment = match self.site.footing {
            Footing::Embedded => Vec::new(),
            Footing::Production => {
                let services = self.site.services()?;
                let address = ("REELGATE__DATABASE__URL".to_owned(), services.database.clone());
                let redis = ("REELGATE__QUEUE__URL".to_owned(), services.redis.url());
                services.bucket.environment().into_iter().chain([address, redis]).collect()
            }
        };
        let data = format!("--data-dir={}", self.site.data_folder().display());
        let data = (self.site.footing == Footing::Embedded).then_some(data);
        Ok(Launch::new(program("reelgate")?, self.temporary.join(name))
            .clear_env()
            .envs(environment)
            .env("TMPDIR", self.temporary.join("tmp"))
            .args(["bench".to_owned(), "--json".to_owned()].into_iter().chain(data)))
    }

    async fn nothing_is_left(&mut self) -> Result<()> {
        let left = self.site.stored("").await?;
        ensure!(left.iter().all(|object| object == "deployment"), "in the store: {left:?}");
        let left: Vec<_> = std::fs::read_dir(self.temporary.join("tmp"))?.collect::<std::io::Result<_>>()?;
        ensure!(left.is_empty(), "temporary folders: {left:?}");
        let db = self.site.database().await?;
        let connection = db.connection();
        let sql = "SELECT office FROM offices WHERE office LIKE 'bench%'";
        let rows = connection.query_all_raw(Statement::from_string(connection.get_database_backend(), sql)).await?;
        ensure!(rows.is_empty(), "offices in the database");
        if self.site.footing == Footing::Production {
            let keys = self.site.services()?.redis.command("KEYS *bench*").await?;
            ensure!(!keys.contains("bench"), "keys in Redis: {keys}");
        }
        Ok(())
    }
}

async fn every_figure_is_there_and_nothing_is_left(footing: Footing) -> Result<()> {
    let mut site = Site::start(footing).await?;
    let mut places = Places { site: &mut site, temporary: Folder::new("bench")? };
    std::fs::create_dir(places.temporary.join("tmp"))?;
    let mut bench = places.launch("whole.log")?.start()?;
    let status = bench.wait(PATIENCE)?;
    let output = bench.output();
    ensure!(status.success(), "{output}");
    let report: Value = serde_json::from_str(&output[output.find("{\n").context(output.clone())?..])?;
    let figures = report["figures"].as_array().context("figures")?;
    let named: BTreeSet<&str> = figures.iter().filter_map(|figure| figure["name"].as_str()).collect();
    assert_eq!(named, FIGURES.into_iter().collect());
    ensure!(figures.iter().all(|figure| figure["value"].as_f64().is_some_and(|value| value > 0.0)), "{report}");
    let advice = report["advice"].to_string();
    ensure!(report["configured"] == true && advice.contains("hours of 1080p a day"), "{report}");
    places.nothing_is_left().await?;

    let mut bench = places.launch("stopped.log")?.start()?;
    eventually("it writes into the store", PATIENCE, async || {
        places.site.stored("media/reelgate-bench/").await.is_ok_and(|stored| !stored.is_empty())
    })
    .await?;
    bench.signal(Signal::TERM)?;
    ensure!(!bench.wait(PATIENCE)?.success(), "{}", bench.output());
    places.nothing_is_left().await
}

crate::on_both_footings!(every_figure_is_there_and_nothing_is_left);

/// Somebody who has installed nothing else.
#[test]
fn without_any_settings_it_measures_this_machine_alone() -> Result<()> {
    let folder = Folder::new("bench")?;
    let mut command = Command::new(program("reelgate")?);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let output = command.env_clear().env("PATH", path).env("TMPDIR", folder.path()).current_dir(folder.path());
    let output = output.arg("bench").output()?;
    let text = String::from_utf8(output.stdout)?;
    ensure!(output.status.success() && text.contains("in a temporary folder"), "{text}");
    ensure!(text.contains("x realtime") && text.contains("hours of 1080p a day"), "{text}");
    ensure!(std::fs::read_dir(folder.path())?.count() == 0, "something is left");
    Ok(())
}
