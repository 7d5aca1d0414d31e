//! The transitions, each one atomic script. They name keys by `KEYS`, all under one hash tag, and one key per organisation
//! that begins like the first of them and so lies in the same slot of a cluster.

use redis::{Script, ScriptInvocation};

/// In the order of the names at the top of `shared.lua`.
const KEYS: [&str; 10] = ["ready", "delayed", "leases", "jobs", "held", "dead", "reasons", "wake", "turns", "orgs"];

macro_rules! script {
    ($file:literal) => {
        Script::new(concat!(include_str!("shared.lua"), "\n", include_str!($file)))
    };
}

/// One deployment's keys, and the scripts that work on them.
pub(super) struct Scripts {
    keys: Vec<String>,
    aside: Vec<String>,
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

macro_rules! on_keys {
    ($($name:ident),+) => {
        $(pub(super) fn $name(&self) -> ScriptInvocation<'_> {
            with_keys(self.$name.prepare_invoke(), &self.keys)
        })+
    };
}

impl Scripts {
    pub(super) fn new(prefix: &str) -> Self {
        Self {
            keys: KEYS.map(|name| format!("{{{prefix}}}:{name}")).into(),
            aside: KEYS.map(|name| format!("{{{prefix}}}:foreign:{name}")).into(),
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

    pub(super) fn repair(&self) -> ScriptInvocation<'_> {
        with_keys(with_keys(self.repair.prepare_invoke(), &self.keys), &self.aside)
    }

    /// The list that waiters block on.
    pub(super) fn orgs_key(&self) -> &str {
        &self.keys[9]
    }

    /// What is ready of one organisation.
    pub(super) fn ready_key(&self, org: &str) -> String {
        format!("{}:{org}", self.keys[0])
    }

    /// Those that have fixed names.
    pub(super) fn keys(&self) -> &[String] {
        &self.keys
    }

    pub(super) fn wake_key(&self) -> &str {
        &self.keys[7]
    }
}

fn with_keys<'s>(mut invocation: ScriptInvocation<'s>, keys: &[String]) -> ScriptInvocation<'s> {
    for key in keys {
        invocation.key(key);
    }
    invocation
}
