//! The alert rules and the dashboards, held against the list: they name no metric, label or value that does not exist, every metric stands in
//! one of them, and every alert says where in docs/operations.md it is explained. That the list is what real processes export is tested beside this.

use std::{collections::BTreeSet, fs, path::PathBuf};

use anyhow::{Context, Result, ensure};
use reelgate_common::metric::{ALL, Kind, Metric, Values};
use serde_json::Value;

use crate::documentation::root;

/// What Prometheus itself puts on every series.
const GIVEN: [&str; 3] = ["job", "instance", "le"];

/// An expression, and where it stands.
struct Named {
    place: String,
    expression: String,
}

fn files(folder: &str, extension: &str) -> Result<Vec<PathBuf>> {
    let paths = fs::read_dir(root().join(folder))?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    let paths: Vec<_> = paths.into_iter().filter(|path| path.extension().is_some_and(|it| it == extension)).collect();
    ensure!(!paths.is_empty(), "nothing in {folder}");
    Ok(paths)
}

fn rules() -> Result<Vec<Value>> {
    let mut rules = Vec::new();
    for path in files("deploy/prometheus", "yml")? {
        let document: Value = serde_yaml_ng::from_str(&fs::read_to_string(path)?)?;
        for group in document["groups"].as_array().context("groups")? {
            rules.extend(group["rules"].as_array().context("rules")?.iter().cloned());
        }
    }
    Ok(rules)
}

fn named_by_rules() -> Result<Vec<Named>> {
    let named = |rule: &Value| {
        let word = |key: &str| rule[key].as_str().map(str::to_owned).context("a rule without it");
        Ok(Named { place: word("alert")?, expression: word("expr")? })
    };
    rules()?.iter().map(named).collect()
}

fn named_by_dashboards() -> Result<Vec<Named>> {
    let mut named = Vec::new();
    for path in files("deploy/grafana", "json")? {
        let board: Value = serde_json::from_str(&fs::read_to_string(&path)?)?;
        let mut add = |part: &Value, expression: &Value| -> Result<()> {
            let place = format!("{} {}", board["title"], part);
            named.push(Named { expression: expression.as_str().with_context(|| place.clone())?.to_owned(), place });
            Ok(())
        };
        for panel in board["panels"].as_array().context("panels")? {
            let targets = panel["targets"].as_array().context("targets")?;
            ensure!(!targets.is_empty(), "{} shows nothing", panel["title"]);
            targets.iter().try_for_each(|target| add(&panel["title"], &target["expr"]))?;
        }
        let variables = board["templating"]["list"].as_array().context("variables")?;
        variables.iter().filter(|it| it["type"] == "query").try_for_each(|it| add(&it["name"], &it["definition"]))?;
    }
    Ok(named)
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// Each of our metrics that the expression names, with what stands in braces behind it.
fn selectors(expression: &str) -> Vec<(&str, &str)> {
    let starts = expression.match_indices("reelgate_").map(|(at, _)| at);
    let starts = starts.filter(|at| !expression[..*at].ends_with(is_word));
    let read = |at: usize| {
        let text = &expression[at..];
        let (name, rest) = text.split_at(text.find(|c| !is_word(c)).unwrap_or(text.len()));
        let matchers =
            rest.strip_prefix('{').and_then(|rest| rest.split_once('}')).map_or("", |(matchers, _)| matchers);
        (name, matchers)
    };
    starts.map(read).collect()
}

/// The metric whose series is called so.
fn metric_of(series: &str) -> Option<&'static Metric> {
    ALL.iter().find(|metric| match metric.kind {
        Kind::Histogram(_) => {
            ["_bucket", "_sum", "_count"].iter().any(|end| series.strip_suffix(end) == Some(metric.name))
        }
        _ => series == metric.name,
    })
}

/// What is wrong with the labels by which series are chosen.
fn wrong_labels(metric: &Metric, matchers: &str) -> Result<()> {
    for matcher in matchers.split(", ").filter(|matcher| !matcher.is_empty()) {
        let (label, value) = matcher.split_once('=').context("no matcher")?;
        let label = label.trim_end_matches('!');
        if GIVEN.contains(&label) {
            continue;
        }
        let of = metric.labels.iter().find(|of| of.name == label).with_context(|| format!("no label {label}"))?;
        let wanted = value.trim_start_matches('~').trim_matches('"');
        if let Values::Of(values) = of.values {
            let unknown = wanted.split('|').find(|word| !values.contains(word));
            ensure!(unknown.is_none(), "{label} is never {unknown:?}");
        }
    }
    Ok(())
}

/// The metrics that are named.
fn check(named: &[Named]) -> Result<BTreeSet<&'static str>> {
    let mut used = BTreeSet::new();
    for Named { place, expression } in named {
        for (series, matchers) in selectors(expression) {
            let metric = metric_of(series).with_context(|| format!("{place}: there is no {series}"))?;
            wrong_labels(metric, matchers).with_context(|| format!("{place}: {series}"))?;
            used.insert(metric.name);
        }
    }
    Ok(used)
}

#[test]
fn rules_and_dashboards_name_what_is_exported_and_every_metric_is_in_one_of_them() -> Result<()> {
    let (rules, boards) = (check(&named_by_rules()?)?, check(&named_by_dashboards()?)?);
    ensure!(rules.len() > 15, "the scan finds hardly anything: {rules:?}");
    let unseen: Vec<&str> =
        ALL.iter().map(|it| it.name).filter(|name| !rules.contains(name) && !boards.contains(name)).collect();
    ensure!(unseen.is_empty(), "no panel and no rule shows {unseen:?}");
    Ok(())
}

#[test]
fn what_does_not_exist_is_noticed() {
    let wrong =
        |expression: &str| check(&[Named { place: "here".to_owned(), expression: expression.to_owned() }]).is_err();
    assert!(wrong("rate(reelgate_cache_hit_total[5m])"));
    assert!(wrong("reelgate_http_request_duration_seconds > 1"), "a histogram has no such series");
    assert!(wrong(r#"reelgate_jobs_waiting{org="acme"}"#));
    assert!(wrong(r#"rate(reelgate_worker_attempts_total{outcome="failure"}[5m])"#));
    assert!(!wrong(r#"rate(reelgate_worker_attempts_total{job=~"$job", outcome=~"failed|lost"}[5m])"#));
}

#[test]
fn every_alert_is_explained() -> Result<()> {
    let page = fs::read_to_string(root().join("docs/operations.md"))?;
    let anchors: BTreeSet<String> =
        page.lines().filter_map(|line| line.strip_prefix("### ")).map(|heading| heading.to_lowercase()).collect();
    let mut explained = BTreeSet::new();
    for rule in rules()? {
        let alert = rule["alert"].as_str().context("an alert")?;
        let runbook = rule["annotations"]["runbook"].as_str().with_context(|| format!("{alert} has no runbook"))?;
        let anchor = runbook.strip_prefix("docs/operations.md#").with_context(|| format!("{alert}: {runbook}"))?;
        ensure!(anchors.contains(anchor) && anchor == alert.to_lowercase(), "{alert}: {runbook}");
        ensure!(rule["annotations"]["summary"].is_string() && rule["labels"]["severity"].is_string(), "{alert}");
        explained.insert(anchor.to_owned());
    }
    let idle: Vec<_> = anchors.iter().filter(|it| it.starts_with("reelgate") && !explained.contains(*it)).collect();
    ensure!(idle.is_empty(), "no alert is explained at {idle:?}");
    Ok(())
}
