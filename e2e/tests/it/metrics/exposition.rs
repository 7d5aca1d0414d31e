//! What a process says at `/metrics`, read as Prometheus reads it.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};
use reelgate_common::metric::{Kind, Metric};
use reelgate_e2e::client::Client;

use super::{allows, kind_word};

#[derive(Debug, Default)]
pub(super) struct Exposition {
    families: BTreeMap<String, Family>,
}

#[derive(Debug, Default)]
struct Family {
    kind: String,
    help: String,
    series: Vec<(BTreeMap<String, String>, f64)>,
}

impl Exposition {
    pub(super) async fn of(ops: &Client) -> Result<Self> {
        let body = ops.get("/metrics").await?.expect(200)?.body;
        Self::read(std::str::from_utf8(&body)?)
    }

    fn read(text: &str) -> Result<Self> {
        let mut found = Self::default();
        for line in text.lines().filter(|line| !line.is_empty()) {
            let mut words = line.splitn(4, ' ');
            match (words.next(), words.next(), words.next(), words.next()) {
                (Some("#"), Some("HELP"), Some(name), Some(help)) => found.family(name).help = help.to_owned(),
                (Some("#"), Some("TYPE"), Some(name), Some(kind)) => found.family(name).kind = kind.to_owned(),
                _ => found.sample(line).with_context(|| line.to_owned())?,
            }
        }
        Ok(found)
    }

    fn family(&mut self, name: &str) -> &mut Family {
        self.families.entry(name.to_owned()).or_default()
    }

    fn sample(&mut self, line: &str) -> Result<()> {
        let (series, value) = line.rsplit_once(' ').context("no value")?;
        let (name, labels) = series.split_once('{').unwrap_or((series, ""));
        let labels = labels.trim_end_matches('}').split("\",").filter(|pair| !pair.is_empty());
        let pair = |pair: &str| {
            let (label, value) = pair.split_once("=\"").context("no label")?;
            Ok((label.to_owned(), value.trim_end_matches('"').to_owned()))
        };
        let labels = labels.map(pair).collect::<Result<_>>()?;
        let mut bases = ["_bucket", "_sum", "_count"].iter().filter_map(|end| name.strip_suffix(end));
        let base = bases.find(|base| self.families.get(*base).is_some_and(|family| family.kind == "histogram"));
        let name = base.unwrap_or(name).to_owned();
        ensure!(self.families.contains_key(&name), "a sample without its type");
        self.family(&name).series.push((labels, value.parse()?));
        Ok(())
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.families.keys().map(String::as_str)
    }

    /// Of all its series.
    pub(super) fn sum(&self, name: &str) -> f64 {
        self.families.get(name).map_or(0.0, |family| family.series.iter().map(|(_, value)| value).sum())
    }

    /// Whether it is there as the list says.
    pub(super) fn fits(&self, metric: &Metric) -> Result<()> {
        let family = self.families.get(metric.name).context("it is not exported")?;
        ensure!(family.kind == kind_word(metric.kind), "it is a {}", family.kind);
        ensure!(family.help == metric.help, "its help is {:?}", family.help);
        ensure!(!family.series.is_empty(), "it has no series");
        let mut seen: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        for (labels, _) in &family.series {
            for (label, value) in labels {
                seen.entry(label).or_default().insert(value.clone());
            }
        }
        if matches!(metric.kind, Kind::Histogram(_)) {
            ensure!(seen.remove("le").is_some(), "it has no buckets");
        }
        let listed: BTreeSet<&str> = metric.labels.iter().map(|label| label.name).collect();
        ensure!(seen.keys().copied().collect::<BTreeSet<_>>() == listed, "its labels are {:?}", seen.keys());
        for label in metric.labels {
            ensure!(allows(label.values, &seen[label.name]), "{} is one of {:?}", label.name, seen[label.name]);
        }
        Ok(())
    }
}
