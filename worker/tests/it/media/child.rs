//! Runs the task's process as the worker does: an empty environment, a folder of its own, the source on descriptor 0.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use reelgate_common::{file::Failure, grid::SegmentGrid, media_info::MediaInfo};
use reelgate_worker::{
    plan::{LadderPolicy, Plan, plan},
    task::protocol::{Event, Output, REQUEST_FILE, Request, TASK_ARGUMENT},
};
use tempfile::TempDir;

pub(super) const GRID: SegmentGrid = SegmentGrid::Regular { period_ms: 2000 };

/// What a task said, and the folder with its outputs.
pub(super) struct Said {
    pub(super) events: Vec<Event>,
    pub(super) folder: TempDir,
    _beside: TempDir,
    pub(super) log: String,
}

impl Said {
    pub(super) fn outputs(&self) -> impl Iterator<Item = &Output> {
        self.events.iter().filter_map(|event| match event {
            Event::Output(output) => Some(output),
            _ => None,
        })
    }

    pub(super) fn file(&self, output: &Output) -> PathBuf {
        self.folder.path().join(&output.file)
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        let output = self.outputs().find(|output| output.name == name);
        self.file(output.unwrap_or_else(|| panic!("no {name} among {:?}\n{}", self.events, self.log)))
    }

    /// Codes of what was said to be wrong with the source.
    pub(super) fn warnings(&self) -> Vec<&str> {
        let warned = self.events.iter().filter_map(|event| match event {
            Event::Warned { reason } => Some(reason.code.as_str()),
            _ => None,
        });
        warned.collect()
    }

    pub(super) fn failure(&self) -> Option<&Failure> {
        self.events.iter().find_map(|event| match event {
            Event::Failed { failure } => Some(failure),
            _ => None,
        })
    }
}

pub(super) fn run(request: &Request, source: &Path) -> Said {
    run_beside(request, source, &[])
}

/// With copies of files in its folder.
pub(super) fn run_beside(request: &Request, source: &Path, files: &[&Path]) -> Said {
    // A folder in a folder, so that what lies beside it is the test's own.
    let beside = tempfile::tempdir().unwrap();
    std::fs::write(beside.path().join("canary"), "a task must not read this").unwrap();
    let folder = tempfile::tempdir_in(beside.path()).unwrap();
    for file in files {
        std::fs::copy(file, folder.path().join(file.file_name().unwrap())).unwrap();
    }
    std::fs::write(folder.path().join(REQUEST_FILE), serde_json::to_vec(request).unwrap()).unwrap();
    let mut task = Command::new(env!("CARGO_BIN_EXE_worker"));
    task.arg(TASK_ARGUMENT).env_clear().current_dir(folder.path()).stdin(Stdio::from(File::open(source).unwrap()));
    let out = task.output().unwrap();
    let log = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(out.status.success(), "the task crashed on {}: {:?}\n{log}", source.display(), out.status);
    let events: Vec<Event> = out
        .stdout
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        // Told for the timeline alone.
        .filter(|event| !matches!(event, Event::Reached { .. }))
        .collect();
    let ended = matches!(events.last(), Some(Event::Done | Event::Failed { .. }));
    assert!(ended, "the task ended on {} without saying how: {events:?}", source.display());
    Said { events, folder, log, _beside: beside }
}

pub(super) fn probe(source: &Path) -> Result<MediaInfo, Failure> {
    let said = run(&Request::Probe, source);
    match said.events.into_iter().next() {
        Some(Event::Probed { media }) => Ok(media),
        Some(Event::Failed { failure }) => Err(failure),
        other => panic!("the probe said {other:?}"),
    }
}

/// Encodes by the default policy but for a cheaper preset.
pub(super) fn encode(media: &MediaInfo, grid: SegmentGrid, source: &Path) -> (Plan, Said) {
    encode_by(LadderPolicy::default(), media, grid, source)
}

/// Encodes by a policy, with a cheaper preset.
pub(super) fn encode_by(policy: LadderPolicy, media: &MediaInfo, grid: SegmentGrid, source: &Path) -> (Plan, Said) {
    let policy = LadderPolicy { preset: "superfast".to_owned(), ..policy };
    let plan = plan(media, grid, &policy);
    let request = Request::Encode { media: media.clone(), plan: plan.clone(), threads: 2, keep_sound: false };
    let said = run(&request, source);
    (plan, said)
}

/// Probes and encodes a clip that must work.
pub(super) fn make(source: &Path) -> (MediaInfo, Plan, Said) {
    make_by(LadderPolicy::default(), source)
}

pub(super) fn make_by(policy: LadderPolicy, source: &Path) -> (MediaInfo, Plan, Said) {
    let media = probe(source).unwrap_or_else(|failure| panic!("{}: {failure:?}", source.display()));
    let (plan, said) = encode_by(policy, &media, GRID, source);
    assert!(said.failure().is_none(), "{}: {:?}\n{}", source.display(), said.failure(), said.log);
    (media, plan, said)
}
