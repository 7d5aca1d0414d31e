//! The real program, shut in: it tries to get out, and does its work all the same, whoever runs it and wherever.
#![allow(clippy::print_stdout, reason = "what was not looked at is said")]

use std::{
    collections::BTreeMap,
    fs::{self, File, Permissions},
    os::unix::fs::{PermissionsExt, chown},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
};

use reelgate_worker::task::protocol::{Event, REQUEST_FILE, Request, TASK_ARGUMENT, Trial};
use rustix::process::geteuid;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    apply_filter,
};
use tempfile::TempDir;

use super::child::run;

/// Debian's and everybody's `nobody`.
const NOBODY: u32 = 65_534;
/// Of no user's, without a capability, and with none to come.
const POWERLESS: [&str; 10] = [
    "setpriv",
    "--reuid=65534",
    "--regid=65534",
    "--clear-groups",
    "--bounding-set=-all",
    "--inh-caps=-all",
    "--ambient-caps=-all",
    "--no-new-privs",
    "--reset-env",
    "--",
];

fn holds(trial: &Trial) {
    assert!(trial.walls.landlock.is_some() && trial.walls.seccomp, "{:?}", trial.walls);
    assert_eq!(trial.walls.missing, [""; 0]);
    for attempt in &trial.attempts {
        assert!(attempt.as_it_should(), "{attempt:?}");
    }
    let refused = |what: &str| trial.attempts.iter().any(|attempt| attempt.what == what && attempt.refused);
    for what in ["read a file beside its folder", "open a UDP socket", "connect over TCP", "become another program"] {
        assert!(refused(what), "{what}");
    }
}

#[test]
fn a_task_cannot_open_connect_or_run_anything() {
    let said = run(&Request::Trial, Path::new("/dev/null"));
    let [Event::Tried(trial), Event::Done] = said.events.as_slice() else { panic!("{:?}", said.events) };
    holds(trial);
}

/// A copy of the program and a folder for it that anybody may use: the build's may lie in somebody's home.
struct Anywhere {
    folder: TempDir,
    program: PathBuf,
}

impl Anywhere {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("worker");
        fs::copy(env!("CARGO_BIN_EXE_worker"), &program).unwrap();
        let task = folder.path().join("task");
        fs::create_dir(&task).unwrap();
        fs::write(folder.path().join("canary"), "a task must not read this").unwrap();
        fs::write(task.join(REQUEST_FILE), serde_json::to_vec(&Request::Trial).unwrap()).unwrap();
        for path in [folder.path(), &task, &program] {
            fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
        }
        if geteuid().is_root() {
            chown(&task, Some(NOBODY), Some(NOBODY)).unwrap();
        }
        Self { folder, program }
    }

    /// Runs the trial behind some other programs.
    fn trial(&self, behind: &[&str]) -> Trial {
        let mut words = behind.to_vec();
        let program = self.program.to_string_lossy();
        words.extend([&*program, TASK_ARGUMENT]);
        let out = Command::new(words[0])
            .args(&words[1..])
            .current_dir(self.folder.path().join("task"))
            .stdin(Stdio::from(File::open("/dev/null").unwrap()))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&out.stdout);
        let log = String::from_utf8_lossy(&out.stderr);
        let first = said.lines().next().unwrap_or_else(|| panic!("{:?}: {log}", out.status));
        let Event::Tried(trial) = serde_json::from_str(first).unwrap() else { panic!("{said}{log}") };
        trial
    }
}

/// What leads to a user without any power; who has none runs things so in any case.
fn powerless() -> Vec<&'static str> {
    if geteuid().is_root() { POWERLESS.to_vec() } else { Vec::new() }
}

#[test]
fn the_sandbox_needs_no_privilege() {
    holds(&Anywhere::new().trial(&powerless()));
}

#[test]
fn the_sandbox_holds_in_namespaces_as_containers_have_them() {
    let namespaces = ["unshare", "--user", "--mount", "--pid", "--fork", "--net", "--ipc", "--uts"];
    // The task's parent is in there, too.
    let inside = ["sh", "-c", "\"$0\" \"$@\"; :"];
    let behind = [&powerless()[..], &namespaces].concat();
    if !Command::new(behind[0]).args(&behind[1..]).arg("true").status().is_ok_and(|status| status.success()) {
        println!("this machine makes no namespaces: the sandbox was not tried in them");
        return;
    }
    holds(&Anywhere::new().trial(&[&behind[..], &inside].concat()));
}

/// What Docker's default profile refuses to a container without capabilities, as far as a task could meet it.
fn as_docker() -> SeccompFilter {
    let refused = [
        libc::SYS_acct,
        libc::SYS_add_key,
        libc::SYS_bpf,
        libc::SYS_chroot,
        libc::SYS_delete_module,
        libc::SYS_finit_module,
        libc::SYS_fsopen,
        libc::SYS_init_module,
        libc::SYS_io_uring_enter,
        libc::SYS_io_uring_register,
        libc::SYS_io_uring_setup,
        libc::SYS_kcmp,
        libc::SYS_kexec_load,
        libc::SYS_keyctl,
        libc::SYS_mount,
        libc::SYS_move_mount,
        libc::SYS_open_by_handle_at,
        libc::SYS_open_tree,
        libc::SYS_perf_event_open,
        libc::SYS_pivot_root,
        libc::SYS_reboot,
        libc::SYS_request_key,
        libc::SYS_setns,
        libc::SYS_swapon,
        libc::SYS_umount2,
        libc::SYS_unshare,
        libc::SYS_userfaultfd,
    ];
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = refused.into_iter().map(|call| (call, Vec::new())).collect();
    let namespace = libc::CLONE_NEWUSER.unsigned_abs().into();
    let is = SeccompCmpOp::MaskedEq(namespace);
    let condition = SeccompCondition::new(0, SeccompCmpArgLen::Qword, is, namespace).unwrap();
    rules.insert(libc::SYS_clone, vec![SeccompRule::new(vec![condition]).unwrap()]);
    let errno = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    SeccompFilter::new(rules, SeccompAction::Allow, errno, std::env::consts::ARCH.try_into().unwrap()).unwrap()
}

#[test]
fn the_sandbox_holds_behind_a_filter_like_dockers() {
    let place = Anywhere::new();
    let behind = powerless();
    // A thread of its own, for a filter never goes away again.
    let tried = thread::spawn(move || {
        let filter: BpfProgram = as_docker().try_into().unwrap();
        apply_filter(&filter).unwrap();
        place.trial(&behind)
    });
    holds(&tried.join().unwrap());
}
