//! The filters, asked about every system call that there is: what the kernel would be told to do. The kernel itself is asked about
//! one of each kind, in a process of its own.

use std::{
    collections::BTreeSet,
    env,
    os::unix::{fs::chroot, process::ExitStatusExt},
    process::{Command, ExitStatus},
};

use super::*;

/// More than any kernel has.
const CALLS: i64 = 1_024;
/// Has the test below make a call instead of starting who makes it.
const CALLER: &str = "REELGATE_TEST_CALL";
/// `EM_X86_64` and `EM_AARCH64` of little-endian machines with 64 bits (linux/audit.h).
const MACHINE: u32 = if cfg!(target_arch = "x86_64") { 0xc000_003e } else { 0xc000_00b7 };

/// linux/seccomp.h.
const KILL: u32 = 0x8000_0000;
const REFUSE: u32 = 0x0005_0000;
const ALLOW: u32 = 0x7fff_0000;

/// What the kernel does when a task makes this call.
fn answer(filters: &[BpfProgram], call: i64, arguments: [u64; 6]) -> u32 {
    let answers = filters.iter().map(|filter| run(filter, call, arguments));
    // The lowest as a signed number is the sternest.
    answers.min_by_key(|answer| answer.cast_signed()).unwrap()
}

/// A machine for the few instructions of classic BPF that the filters are made of.
fn run(filter: &BpfProgram, call: i64, arguments: [u64; 6]) -> u32 {
    let mut words = vec![u32::try_from(call).unwrap(), MACHINE, 0, 0];
    words.extend(arguments.iter().flat_map(|argument| [*argument as u32, (argument >> 32) as u32]));
    let (mut at, mut loaded) = (0, 0_u32);
    loop {
        let step = &filter[at];
        let holds = match step.code {
            0x06 => return step.k,
            0x20 => {
                loaded = words[step.k as usize / 4];
                None
            }
            0x54 => {
                loaded &= step.k;
                None
            }
            0x05 => {
                at += step.k as usize;
                None
            }
            0x15 => Some(loaded == step.k),
            0x25 => Some(loaded > step.k),
            0x35 => Some(loaded >= step.k),
            0x45 => Some(loaded & step.k != 0),
            other => panic!("an instruction of another kind: {other:#x}"),
        };
        at += 1 + holds.map_or(0, |holds| usize::from(if holds { step.jt } else { step.jf }));
    }
}

fn calls_answered(with: u32, arguments: [u64; 6]) -> BTreeSet<i64> {
    let filters = filters().unwrap();
    (0..CALLS).filter(|call| answer(&filters, *call, arguments) == with).collect()
}

#[test]
fn what_only_an_attacker_calls_ends_the_process_whatever_the_arguments() {
    let deadly: BTreeSet<i64> = DEADLY.iter().copied().collect();
    for arguments in [[0; 6], [u64::MAX; 6]] {
        assert_eq!(calls_answered(KILL, arguments), deadly);
    }
}

#[test]
fn only_the_list_is_allowed_and_every_other_call_is_refused() {
    // With these, of the calls with a condition only `clone` meets its own: it makes a thread.
    let mut listed: BTreeSet<i64> = ALLOWED.iter().chain(ALLOWED_HERE).copied().collect();
    listed.remove(&libc::SYS_clone3);
    listed.insert(libc::SYS_clone);
    assert_eq!(calls_answered(ALLOW, [u64::MAX; 6]), listed);
    let refused = calls_answered(REFUSE | libc::EPERM.unsigned_abs(), [0; 6]);
    for call in
        [libc::SYS_execve, libc::SYS_execveat, libc::SYS_socket, libc::SYS_connect, libc::SYS_kill, libc::SYS_clone]
    {
        assert!(refused.contains(&call), "{call}");
    }
    assert_eq!(calls_answered(REFUSE | libc::ENOSYS.unsigned_abs(), [0; 6]), [libc::SYS_clone3].into());
}

#[test]
fn threads_are_made_and_processes_are_not() {
    let filters = filters().unwrap();
    let clone = |flags: i32| answer(&filters, libc::SYS_clone, [flags.unsigned_abs().into(), 0, 0, 0, 0, 0]);
    assert_eq!(clone(libc::CLONE_THREAD | libc::CLONE_VM | libc::CLONE_SIGHAND), ALLOW);
    for flags in [0, libc::SIGCHLD, libc::CLONE_VM | libc::CLONE_VFORK, libc::CLONE_NEWUSER] {
        assert_eq!(clone(flags), REFUSE | libc::EPERM.unsigned_abs(), "{flags:#x}");
    }
}

#[test]
fn nothing_that_was_written_is_run_and_no_limit_is_raised() {
    let filters = filters().unwrap();
    let third = |call: i64, argument: u64| answer(&filters, call, [0, 0, argument, 0, 0, 0]) == ALLOW;
    let (code, data) = (libc::PROT_EXEC | libc::PROT_READ, libc::PROT_READ | libc::PROT_WRITE);
    for call in [libc::SYS_mmap, libc::SYS_mprotect] {
        assert!(third(call, data.unsigned_abs().into()) && !third(call, code.unsigned_abs().into()), "{call}");
    }
    assert!(third(libc::SYS_prlimit64, 0) && !third(libc::SYS_prlimit64, 0x7fff_0000_0000));
}

/// Called by the test below, in a process of its own.
#[test]
#[ignore = "ends the process that it runs in"]
fn a_call_is_made() {
    let Ok(call) = env::var(CALLER) else { return };
    shut().unwrap();
    let outcome = match call.as_str() {
        "chroot" => chroot("/"),
        _ => std::fs::hard_link("a", "b"),
    };
    std::process::exit(outcome.unwrap_err().raw_os_error().unwrap());
}

fn end_of(call: &str) -> ExitStatus {
    let this = "task::sandbox::calls::tests::a_call_is_made";
    let mut process = Command::new(env::current_exe().unwrap());
    process.args(["--exact", this, "--ignored", "--test-threads=1"]).env(CALLER, call).status().unwrap()
}

#[test]
fn the_kernel_ends_a_process_that_makes_a_deadly_call_and_refuses_others() {
    assert_eq!(end_of("chroot").signal(), Some(libc::SIGSYS));
    assert_eq!(end_of("link").code(), Some(libc::EPERM));
}
