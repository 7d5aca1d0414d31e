//! The transitions, each one atomic script. They name keys by `KEYS`, all under one hash tag, and one key per organisation
//! that begins like the first of them and so lies in the same slot of a cluster. Each lane has keys of its own.

use redis::{Script, ScriptInvocation};

use crate::lane::{Lane, Lanes};

/// In the order of the names at the top of `shared.lua`.
const KEYS: [&str; 10] = ["ready", "delayed", "leases", "jobs", "held", "dead", "reasons", "wake", "turns", "orgs"];

macro_rules! script {
    ($file:literal) => {
        Script::new(concat!(include_str!("shared.lua"), "\n", include_str!($file)))
    };
}

/// The key that all lanes share: so that turns are counted alike, also for who claims in several.
const SHARED: &str = "turns";

/// One deployment's keys, and the scripts that work on them.
pub(super) struct Scripts {
    /// In the order of `Lane::ALL`.
    lanes: Vec<Keys>,
    enqueue: Script,
    claim: Script,
    due: Script,
    heartbeat: Script,
    restore: Script,
    complete: Script,
    requeue: Script,
    bury: Script,
    cancel: Script,
    reap: Script,
    depth: Script,
    repair: Script,
}

/// Those of one lane.
struct Keys {
    names: Vec<String>,
    aside: Vec<String>,
}

impl Keys {
    /// The first lane has the names that the version before knows.
    fn of(prefix: &str, lane: Lane) -> Self {
        let infix = |name: &str| if lane == Lane::Small || name == SHARED { String::new() } else { format!("{lane}:") };
        Self {
            names: KEYS.map(|name| format!("{{{prefix}}}:{}{name}", infix(name))).into(),
            aside: KEYS.map(|name| format!("{{{prefix}}}:foreign:{}{name}", infix(name))).into(),
        }
    }
}

/// Scripts that work on the keys of one lane, or on those of several.
macro_rules! on_keys {
    ($($name:ident),+) => {
        $(pub(super) fn $name(&self, lanes: impl Into<Lanes>) -> ScriptInvocation<'_> {
            let mut invocation = self.$name.prepare_invoke();
            for lane in lanes.into().iter() {
                invocation = with_keys(invocation, &self.of(lane).names);
            }
            invocation
        })+
    };
}

impl Scripts {
    pub(super) fn new(prefix: &str) -> Self {
        Self {
            lanes: Lane::ALL.iter().map(|lane| Keys::of(prefix, *lane)).collect(),
            enqueue: script!("enqueue.lua"),
            claim: script!("claim.lua"),
            due: script!("due.lua"),
            heartbeat: script!("heartbeat.lua"),
            restore: script!("restore.lua"),
            complete: Script::new(include_str!("complete.lua")),
            requeue: script!("requeue.lua"),
            bury: script!("bury.lua"),
            cancel: script!("cancel.lua"),
            reap: script!("reap.lua"),
            depth: script!("depth.lua"),
            repair: Script::new(include_str!("repair.lua")),
        }
    }

    on_keys!(enqueue, claim, due, heartbeat, restore, complete, requeue, bury, cancel, reap, depth);

    pub(super) fn repair(&self, lane: Lane) -> ScriptInvocation<'_> {
        let Keys { names, aside } = self.of(lane);
        with_keys(with_keys(self.repair.prepare_invoke(), names), aside)
    }

    pub(super) fn orgs_key(&self, lane: Lane) -> &str {
        &self.of(lane).names[9]
    }

    /// What is ready of one organisation.
    pub(super) fn ready_key(&self, lane: Lane, org: &str) -> String {
        format!("{}:{org}", self.of(lane).names[0])
    }

    /// Those that have fixed names.
    pub(super) fn keys(&self, lane: Lane) -> &[String] {
        &self.of(lane).names
    }

    /// The list that waiters block on.
    pub(super) fn wake_key(&self, lane: Lane) -> &str {
        &self.of(lane).names[7]
    }

    fn of(&self, lane: Lane) -> &Keys {
        &self.lanes[lane as usize]
    }
}

fn with_keys<'s>(mut invocation: ScriptInvocation<'s>, keys: &[String]) -> ScriptInvocation<'s> {
    for key in keys {
        invocation.key(key);
    }
    invocation
}
